"""Looking into checkpoints: their tensors' names, shapes, types and values, with no graph and no session."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from monitored._checkpoint import open_checkpoint
from monitored._graph import dtypes
from monitored._train.restore_plan import checkpoint_path

__all__ = ["CheckpointReader", "NewCheckpointReader", "list_variables", "load_checkpoint", "load_variable"]

Path = str | os.PathLike[str]


class CheckpointReader:
    """Reads the tensors of a checkpoint. Every value is compared with its checksum."""

    def __init__(self, filepattern: Path) -> None:
        """Reads the checkpoint's index.

        Args:
            filepattern: The checkpoint's path without `.index`.

        Raises:
            NotFoundError: If there is no such checkpoint.
            DataLossError: If its index is damaged.
            OpError: If it could not be read for another reason.
        """
        self._reader = open_checkpoint(os.fsdecode(filepattern))

    def get_tensor(self, tensor_str: str | bytes) -> Any:
        """The value of a tensor.

        Args:
            tensor_str: Its name.

        Returns:
            A NumPy array; a scalar of NumPy's, or bytes, when the rank is 0.

        Raises:
            NotFoundError: If the checkpoint has no such tensor.
            DataLossError: If the tensor is damaged.
        """
        value = self._reader.read(os.fsdecode(tensor_str))
        return value if value.ndim else value[()]

    def has_tensor(self, tensor_str: str | bytes) -> bool:
        """Whether the checkpoint has a tensor.

        Args:
            tensor_str: Its name.

        Returns:
            True if it has.
        """
        return self._reader.has(os.fsdecode(tensor_str))

    def get_variable_to_shape_map(self) -> dict[str, list[int]]:
        """The shapes of the tensors.

        Returns:
            Name -> sizes.
        """
        return {name: list(shape) for name, shape in self._reader.shape_map().items()}

    def get_variable_to_dtype_map(self) -> dict[str, Any]:
        """The types of the tensors.

        Returns:
            Name -> `DType`; NumPy's own type where TensorFlow 1 has none (float8, int4).
        """
        return {name: _dtype_of(dtype) for name, dtype in self._reader.dtype_map().items()}

    def debug_string(self) -> bytes:
        """The tensors as text.

        Returns:
            A line ``name (TYPE) [sizes]`` for each.
        """
        shapes, types = self._reader.shape_map(), self.get_variable_to_dtype_map()
        lines = [
            f"{name} ({_wire_name(types[name])}) [{','.join(map(str, shape))}]\n" for name, shape in shapes.items()
        ]
        return "".join(lines).encode("utf-8", "surrogateescape")


def _dtype_of(dtype: np.dtype[Any]) -> Any:
    if dtype.kind == "V" and dtype.itemsize == 0:  # what the reader gives for resources and variants
        return dtypes.resource
    try:
        return dtypes.as_dtype(dtype)
    except TypeError:
        return dtype


def _wire_name(dtype: Any) -> str:
    short = {"float32": "float", "float64": "double", "float16": "half"}
    return f"DT_{short.get(dtype.name, dtype.name).upper()}"


def NewCheckpointReader(filepattern: Path) -> CheckpointReader:
    """Opens a checkpoint for reading.

    Args:
        filepattern: The checkpoint's path without `.index`.

    Returns:
        A `CheckpointReader`.

    Raises:
        NotFoundError: If there is no such checkpoint.
        DataLossError: If its index is damaged.
    """
    return CheckpointReader(filepattern)


def load_checkpoint(ckpt_dir_or_file: Path) -> CheckpointReader:
    """Opens a checkpoint, or the newest of a directory, for reading.

    Args:
        ckpt_dir_or_file: A directory with a `checkpoint` file, or a checkpoint's path without `.index`.

    Returns:
        A `CheckpointReader`.

    Raises:
        ValueError: If the directory holds no checkpoint.
        NotFoundError: If there is no such checkpoint.
        DataLossError: If its index is damaged.
    """
    return CheckpointReader(checkpoint_path(ckpt_dir_or_file))


def load_variable(ckpt_dir_or_file: Path, name: str) -> Any:
    """The value of a variable in a checkpoint.

    Args:
        ckpt_dir_or_file: A directory with a `checkpoint` file, or a checkpoint's path without `.index`.
        name: The variable's name; ``:0`` at its end is left out.

    Returns:
        A NumPy array; a scalar when the rank is 0.

    Raises:
        ValueError: If the directory holds no checkpoint.
        NotFoundError: If there is no such checkpoint or variable.
        DataLossError: If it is damaged.
    """
    return load_checkpoint(ckpt_dir_or_file).get_tensor(name.removesuffix(":0"))


def list_variables(ckpt_dir_or_file: Path) -> list[tuple[str, list[int]]]:
    """The variables in a checkpoint.

    Args:
        ckpt_dir_or_file: A directory with a `checkpoint` file, or a checkpoint's path without `.index`.

    Returns:
        ``(name, sizes)`` of each, in the order of the names.

    Raises:
        ValueError: If the directory holds no checkpoint.
        NotFoundError: If there is no such checkpoint.
        DataLossError: If its index is damaged.
    """
    return sorted(load_checkpoint(ckpt_dir_or_file).get_variable_to_shape_map().items())
