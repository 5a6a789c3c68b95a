"""`SaveSliceInfo`: which slice of a larger variable a variable is, for savers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["SaveSliceInfo"]


class SaveSliceInfo:
    """Which slice of a larger variable a variable holds.

    A `Saver` writes the slices of one variable under one name, so that a checkpoint does not depend on how the variable
    was partitioned.

    Attributes:
        full_name: The name of the whole variable.
        full_shape: The sizes of the whole.
        var_offset: Where the slice starts, for each dimension.
        var_shape: The sizes of the slice.
    """

    def __init__(
        self,
        full_name: str | None = None,
        full_shape: Sequence[int] | None = None,
        var_offset: Sequence[int] | None = None,
        var_shape: Sequence[int] | None = None,
        save_slice_info_def: Any = None,
        import_scope: str | None = None,
    ) -> None:
        """Notes a slice, or reads it from a protocol buffer.

        Args:
            full_name: The name of the whole variable.
            full_shape: The sizes of the whole.
            var_offset: Where the slice starts, for each dimension.
            var_shape: The sizes of the slice.
            save_slice_info_def: A `SaveSliceInfoDef` that holds all these instead.
            import_scope: A name scope to put before the name in it.
        """
        self.full_name: str = full_name or ""
        if save_slice_info_def is not None:
            name, full_shape = save_slice_info_def.full_name, save_slice_info_def.full_shape
            var_offset, var_shape = save_slice_info_def.var_offset, save_slice_info_def.var_shape
            self.full_name = f"{import_scope}/{name}" if import_scope else name
        self.full_shape: list[int] = list(full_shape or ())
        self.var_offset: list[int] = list(var_offset or ())
        self.var_shape: list[int] = list(var_shape or ())

    @property
    def spec(self) -> str:
        """The slice as `SaveV2` takes it: the whole's sizes, then each dimension's start and length."""
        extents = ":".join(f"{start},{size}" for start, size in zip(self.var_offset, self.var_shape, strict=True))
        return " ".join([*map(str, self.full_shape), extents])

    def to_proto(self, export_scope: str | None = None) -> Any:
        """The slice as TensorFlow's `SaveSliceInfoDef` protocol buffer.

        Args:
            export_scope: A name scope to take away from the name.

        Returns:
            The protocol buffer; None for a variable outside `export_scope`.
        """
        from tensorboard.compat.proto import variable_pb2

        if export_scope is not None and not self.full_name.startswith(export_scope):
            return None
        prefix = "" if not export_scope else export_scope.rstrip("/") + "/"
        return variable_pb2.SaveSliceInfoDef(
            full_name=self.full_name.removeprefix(prefix),
            full_shape=self.full_shape,
            var_offset=self.var_offset,
            var_shape=self.var_shape,
        )
