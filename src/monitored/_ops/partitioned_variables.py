"""Partitioned variables: one variable kept as several, and the partitioners that say how many.

`get_variable` with a partitioner makes a variable for each part, ``w/part_0`` and so on, and gives a
`PartitionedVariable` of them, which is their concatenation wherever a tensor is wanted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NoReturn

from monitored._graph import dtypes
from monitored._graph.build import apply, constant, convert_to_tensor
from monitored._graph.graph import get_default_graph
from monitored._graph.operation import Tensor
from monitored._graph.shapes import TensorShape, as_shape

__all__ = [
    "PartitionedVariable",
    "fixed_size_partitioner",
    "min_max_variable_partitioner",
    "variable_axis_size_partitioner",
]

_BYTES_OF_A_STRING: Final = 16  # what a partitioner reckons with by default
_SMALL_PART: Final = 256 << 10  # bytes: by default no part is made smaller than this

Partitioner = Callable[..., list[int]]


class PartitionedVariable:
    """A variable that is kept in parts, along one of its dimensions.

    `get_variable` makes it. The parts are ordinary variables; iterating gives them. Where a tensor is wanted, it is
    their concatenation.
    """

    def __init__(
        self, name: str, shape: Any, dtype: Any, variable_list: Sequence[Any], partitions: Sequence[int]
    ) -> None:
        """Joins variables.

        Args:
            name: The name of the whole.
            shape: The shape of the whole.
            dtype: The type of the whole.
            variable_list: The parts, in order.
            partitions: How many parts there are along each dimension; more than one for at most one of them.

        Raises:
            TypeError: If `variable_list` or `partitions` is no list or tuple.
            ValueError: If they do not fit together.
        """
        if not isinstance(variable_list, (list, tuple)):
            raise TypeError(f"variable_list is not a list or tuple: {variable_list}")
        if not isinstance(partitions, (list, tuple)):
            raise TypeError(f"partitions is not a list or tuple: {partitions}")
        if not all(partition >= 1 for partition in partitions):
            raise ValueError(f"partition values must be positive: {partitions}")
        if not variable_list:
            raise ValueError("variable_list may not be empty")
        for part in variable_list:
            info = part._save_slice_info
            if info is None or info.full_name != name:
                raise ValueError(f"The save_slice_info of {part.name} is not that of a part of {name}.")
        self._name = name
        self._shape = as_shape(shape)
        self._dtype = dtypes.as_dtype(dtype)
        self._variable_list = list(variable_list)
        self._partitions = list(partitions)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._variable_list)

    def __len__(self) -> int:
        return len(self._variable_list)

    @property
    def name(self) -> str:
        """The name of the whole, without an output's number."""
        return self._name

    @property
    def dtype(self) -> dtypes.DType:
        """The type."""
        return self._dtype

    @property
    def shape(self) -> TensorShape:
        """The shape of the whole."""
        return self._shape

    def get_shape(self) -> TensorShape:
        """The shape of the whole."""
        return self._shape

    def _get_variable_list(self) -> list[Any]:
        return self._variable_list

    def _get_partitions(self) -> list[int]:
        return self._partitions

    def _partition_axes(self) -> list[int]:
        """The dimensions that there are several parts along; the first one if there is one part only."""
        return [axis for axis, count in enumerate(self._partitions) if count > 1] or [0]

    def as_tensor(self) -> Tensor:
        """The whole as a tensor: the concatenation of the parts.

        Returns:
            A new tensor named after the variable.

        Raises:
            NotImplementedError: If there are several parts along more than one dimension.
        """
        axes = self._partition_axes()
        if len(axes) > 1:
            raise NotImplementedError(f"Cannot concatenate along more than one dimension: {axes}.")
        values = [part.value() for part in self._variable_list]
        graph = get_default_graph()
        if len(values) == 1:
            value = values[0]
        else:
            with graph.name_scope(self._name + "/ConcatPartitions/"):
                value = apply("ConcatV2", values, axes[0], name="concat")
        with graph.name_scope(None):
            result: Tensor = apply("Identity", value, name=self._name)
        return result

    def _as_tensor(self, name: str | None = None) -> Tensor:
        return self.as_tensor()

    def _ref(self) -> NoReturn:
        raise NotImplementedError("PartitionedVariable doesn't support being used as a reference. Name its parts.")

    def assign(self, value: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True) -> Any:
        """Operations that give the parts new values.

        Args:
            value: The value of the whole; or a list of the parts' values, or a `PartitionedVariable` with parts alike.
            use_locking: Accepted; updates are always whole.
            name: The operations' name.
            read_value: Whether to return tensors of the new values, not the operations.

        Returns:
            A list with a tensor or operation for each part.

        Raises:
            ValueError: If there is not a value for each part, or their shapes do not fit.
        """
        return self._change("assign", value, use_locking, name, read_value)

    def assign_add(
        self, value: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> Any:
        """Operations that add to the parts; see `assign`."""
        return self._change("assign_add", value, use_locking, name, read_value)

    def assign_sub(
        self, value: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True
    ) -> Any:
        """Operations that subtract from the parts; see `assign`."""
        return self._change("assign_sub", value, use_locking, name, read_value)

    def _change(self, method: str, value: Any, use_locking: bool, name: str | None, read_value: bool) -> list[Any]:
        axes = self._partition_axes()
        if len(axes) > 1:
            raise NotImplementedError(f"Cannot do assign action along more than one dimension: {axes}.")
        if isinstance(value, (list, tuple, PartitionedVariable)):
            values = list(value)
            if len(values) != len(self):
                raise ValueError(f"{self._name} has {len(self)} parts, but {len(values)} values were given.")
        else:
            value = convert_to_tensor(value, self._dtype, name="value")
            sizes = [part.shape[axes[0]].value for part in self._variable_list]
            values = apply("SplitV", value, constant(sizes), axes[0], num_split=len(sizes), name="split")
        return [
            getattr(part, method)(one, use_locking, name, read_value)
            for part, one in zip(self._variable_list, values, strict=True)
        ]


# -- how a variable is cut --------------------------------------------------------------------------------------------


def cut(
    shape: TensorShape, partitioner: Any, dtype: dtypes.DType
) -> tuple[list[int], list[int], list[tuple[list[int], list[int]]]]:
    """Asks a partitioner, and works out the parts.

    Args:
        shape: The shape of the whole.
        partitioner: The partitioner.
        dtype: The type.

    Returns:
        The sizes of the whole; how many parts there are along each dimension; and where each part starts, and its
        sizes.

    Raises:
        ValueError: If the shape is not known, or the partitioner's answer is of no use.
    """
    if not callable(partitioner):
        raise ValueError(f"Partitioner must be callable, but received: {partitioner}")
    if not shape.is_fully_defined():
        raise ValueError(f"Shape of a new partitioned variable must be fully defined, but instead was {shape}.")
    if shape.ndims is None or shape.ndims < 1:
        raise ValueError(f"A partitioned Variable must have rank at least 1, shape: {shape}")
    partitions = partitioner(shape=shape, dtype=dtype)
    if not isinstance(partitions, Sequence):
        raise ValueError(f"Partitioner must return a sequence, but saw: {partitions}")
    if len(partitions) != shape.ndims:
        raise ValueError(
            f"Partitioner returned a partition list that does not match the Variable's rank: {partitions} vs. {shape}"
        )
    counts = list(partitions)
    if any(count < 1 for count in counts):
        raise ValueError(f"Partitioner returned zero partitions for some axes: {partitions}")
    axes = [axis for axis, count in enumerate(counts) if count > 1] or [0]
    if len(axes) > 1:
        raise ValueError(f"Can only slice a variable along one dimension: shape: {shape}, partitioning: {counts}")
    sizes = [size for size in shape.as_list() if size is not None]
    axis, parts, start = axes[0], [], 0
    for index in range(counts[axis]):
        length = sizes[axis] // counts[axis] + (index < sizes[axis] % counts[axis])  # the first ones are longer
        offset, part = [0] * len(sizes), list(sizes)
        offset[axis], part[axis] = start, length
        parts.append((offset, part))
        start += length
    return sizes, counts, parts


class PartitionInfo:
    """What an initializer gets to know of the part that it makes a value for.

    Attributes:
        full_shape: The sizes of the whole variable.
        var_offset: Where the part starts, for each dimension.
    """

    def __init__(self, full_shape: Sequence[int], var_offset: Sequence[int]) -> None:
        self.full_shape = list(full_shape)
        self.var_offset = list(var_offset)

    def single_offset(self, shape: Sequence[int]) -> int:
        """Where a part starts along the dimension that the variable is cut along.

        Args:
            shape: The sizes of the part.

        Returns:
            The offset; 0 if the variable is in one piece.

        Raises:
            ValueError: As `single_slice_dim`.
        """
        axis = self.single_slice_dim(shape)
        return 0 if axis is None else self.var_offset[axis]

    def single_slice_dim(self, shape: Sequence[int]) -> int | None:
        """The dimension that the variable is cut along.

        Args:
            shape: The sizes of the part.

        Returns:
            The dimension; None if the part is the whole.

        Raises:
            ValueError: If the part is not within the whole, or the whole is cut along several dimensions.
        """
        if len(shape) != len(self.full_shape):
            raise ValueError(
                f"Expected equal length, but received shape={shape} of length {len(shape)} while "
                f"self.full_shape={self.full_shape} is of length {len(self.full_shape)}."
            )
        cut_along = []
        for axis, (size, start, whole) in enumerate(zip(shape, self.var_offset, self.full_shape, strict=True)):
            if start + size > whole:
                raise ValueError(
                    f"With self.var_offset={self.var_offset}, a partition of shape={shape} would exceed "
                    f"self.full_shape={self.full_shape} in dimension {axis}."
                )
            if size < whole:
                cut_along.append(axis)
        if len(cut_along) > 1:
            raise ValueError(
                f"Cannot use single_slice_dim() with shape={shape} and self.full_shape={self.full_shape} since slice "
                f"dim could be either dimension {cut_along[0]} or {cut_along[1]}."
            )
        return cut_along[0] if cut_along else None


# -- partitioners -----------------------------------------------------------------------------------------------------


def fixed_size_partitioner(num_shards: int, axis: int = 0) -> Partitioner:
    """A partitioner that makes a fixed number of parts.

    Args:
        num_shards: The number of parts; as many as the dimension has elements if those are fewer.
        axis: The dimension to cut along.

    Returns:
        A function for `partitioner` of `get_variable` and `variable_scope`.
    """

    def partitioner(shape: Any, **_: Any) -> list[int]:
        counts = [1] * len(shape)
        counts[axis] = min(num_shards, shape[axis].value)
        return counts

    return partitioner


def _bytes_of(dtype: Any, bytes_per_string_element: int) -> int:
    dtype = dtypes.as_dtype(dtype).base_dtype
    return bytes_per_string_element if dtype == dtypes.string else int(dtype.size)


def variable_axis_size_partitioner(
    max_shard_bytes: int,
    axis: int = 0,
    bytes_per_string_element: int = _BYTES_OF_A_STRING,
    max_shards: int | None = None,
) -> Partitioner:
    """A partitioner that keeps each part below a size.

    Args:
        max_shard_bytes: The greatest size of a part, in bytes; a part is one row at least.
        axis: The dimension to cut along.
        bytes_per_string_element: How many bytes to reckon for a string.
        max_shards: The greatest number of parts; it comes before `max_shard_bytes`.

    Returns:
        A function for `partitioner` of `get_variable` and `variable_scope`.

    Raises:
        ValueError: If a number is not positive.
    """
    if max_shard_bytes < 1 or bytes_per_string_element < 1:
        raise ValueError("Both max_shard_bytes and bytes_per_string_element must be positive.")
    if max_shards is not None and max_shards < 1:
        raise ValueError("max_shards must be positive.")

    def partitioner(shape: Any, dtype: Any) -> list[int]:
        shape = as_shape(shape)
        if not shape.is_fully_defined():
            raise ValueError(f"shape is not fully defined: {shape}")
        counts = [1] * len(shape)
        size = shape[axis].value
        row = _bytes_of(dtype, bytes_per_string_element)
        for other in range(len(shape)):
            if other != axis % len(shape):
                row *= shape[other].value
        if not row * size:
            return counts
        parts = math.ceil(size / max(max_shard_bytes // row, 1))
        counts[axis] = min(parts, size if max_shards is None else max_shards)
        return counts

    return partitioner


def min_max_variable_partitioner(
    max_partitions: int = 1,
    axis: int = 0,
    min_slice_size: int = _SMALL_PART,
    bytes_per_string_element: int = _BYTES_OF_A_STRING,
) -> Partitioner:
    """A partitioner that makes as many parts as there may be, but hardly any below a size.

    Args:
        max_partitions: The greatest number of parts.
        axis: The dimension to cut along.
        min_slice_size: The size, in bytes, that there is one part for at the most.
        bytes_per_string_element: How many bytes to reckon for a string.

    Returns:
        A function for `partitioner` of `get_variable` and `variable_scope`.
    """

    def partitioner(shape: Any, dtype: Any) -> list[int]:
        shape = as_shape(shape)
        if axis >= len(shape):
            raise ValueError(f"Can not partition variable along axis {axis} when shape is only {shape}")
        if not shape.is_fully_defined():
            raise ValueError(f"shape is not fully defined: {shape}")
        whole = _bytes_of(dtype, bytes_per_string_element) * shape.num_elements()
        most = -(-whole // min_slice_size)
        counts = [1] * len(shape)
        counts[axis] = max(1, min(shape[axis].value, max_partitions, most))
        return counts

    return partitioner
