"""Reading TensorFlow's older checkpoints (V1), which nothing here writes.

Such a checkpoint is a table (`table.py`) in one file, or in one file for each device that had variables; then
its path is a pattern, `model.ckpt-7-?????-of-00002`. In each table

    the empty key       a SavedTensorSlices with a list: names, shapes, types, and which slices are in this file
    a slice's key       a SavedTensorSlices with the slice's elements, as a TensorProto

A tensor that was saved whole is one slice. The elements are in the field of the TensorProto for their type,
as packed little-endian numbers (real and complex ones) or varints (all others, halves by their bits).

There are no checksums but those of the table's blocks. As elsewhere, nothing in the files is trusted.
"""

import glob
import math
import os
import re
from typing import Any, Final, NamedTuple

import numpy as np

from monitored import errors
from monitored._checkpoint.bundle import (
    DTYPES,
    OPAQUE,
    VERSION,
    Array,
    Path,
    encode_text,
    partition_problem,
    shape_of,
    slice_problem,
)
from monitored._checkpoint.coding import FULL, Extent, data_loss, decode_varints, encode_slice_key
from monitored._checkpoint.protos import parse_message
from monitored._checkpoint.reader import TensorReader
from monitored._checkpoint.table import TableFile

_LIST_KEY: Final = b""
_SHARDED: Final = re.compile(r"-\?{5}-of-(\d{5})$")  # the end of a pattern

# The field of a TensorProto for the elements of a type: packed as they are, or as varints. TensorFlow saves no
# others (bfloat16, uint32, uint64) in this format.
_FIXED: Final[dict[np.dtype[Any], str]] = {
    np.dtype(np.float32): "float_val",
    np.dtype(np.float64): "double_val",
    np.dtype(np.complex64): "scomplex_val",
    np.dtype(np.complex128): "dcomplex_val",
}
_VARINTS: Final[dict[np.dtype[Any], str]] = {
    np.dtype(np.bool_): "bool_val",
    np.dtype(np.uint8): "int_val",
    np.dtype(np.int8): "int_val",
    np.dtype(np.uint16): "int_val",
    np.dtype(np.int16): "int_val",
    np.dtype(np.int32): "int_val",
    np.dtype(np.int64): "int64_val",
    np.dtype(np.float16): "half_val",
}


class V1Reader(TensorReader):
    """Reads a checkpoint of the older format.

    The lists are read at once, the elements when they are asked for. A reader holds no open file, and any number
    of threads may use it.
    """

    def __init__(self, pattern: Path) -> None:
        """Reads the lists.

        Args:
            pattern: The checkpoint's file, or a pattern for its files.

        Raises:
            NotFoundError: There is no such file.
            DataLossError: A file is damaged or missing, or is no checkpoint; or two files contradict each other.
            InvalidArgumentError: The checkpoint asks for a newer reader.
            OpError: A file could not be read.
        """
        self._pattern = os.fspath(pattern)
        self._tensors: dict[str, _Tensor] = {}
        self._size = 0  # bytes of all files
        files = v1_files(self._pattern)
        if not files:
            message = f"Unsuccessful TensorSliceReader constructor: Failed to find any matching files for {pattern}"
            raise errors.NotFoundError(None, None, message)
        shards = _SHARDED.search(self._pattern)
        if shards is not None and len(files) != int(shards[1]):
            raise data_loss(self._pattern, f"the checkpoint has {len(files)} of its {int(shards[1])} files")
        for path in files:
            self._add_file(path)

    def keys(self) -> list[str]:
        """Lists the tensors' names (`TensorReader.keys`)."""
        return sorted(self._tensors, key=encode_text)

    def has(self, name: str) -> bool:
        """Tells whether the checkpoint holds a tensor (`TensorReader.has`)."""
        return name in self._tensors

    def shape_map(self) -> dict[str, tuple[int, ...]]:
        """Gives the shape of every tensor (`TensorReader.shape_map`)."""
        return {name: self._tensors[name].shape for name in self.keys()}

    def dtype_map(self) -> dict[str, np.dtype[Any]]:
        """Gives the dtype of every tensor (`TensorReader.dtype_map`)."""
        return {name: self._tensors[name].dtype for name in self.keys()}

    def read(self, name: str, memory: Array | None = None) -> Array:
        """Reads a tensor (`TensorReader.read`)."""
        tensor = self._tensors.get(name)
        if tensor is None:
            raise errors.NotFoundError(None, None, f"Key {name} not found in checkpoint")
        if tensor.dtype.kind != "O" and tensor.dtype not in _FIXED and tensor.dtype not in _VARINTS:
            message = f"{self._pattern}: {name} is of a type that cannot be read from a checkpoint of the V1 format"
            raise errors.UnimplementedError(None, None, message)
        # Memory is taken only for as much as the files can hold; a number that is a varint is a byte or more.
        least = tensor.dtype.itemsize if tensor.dtype in _FIXED else 1
        if math.prod(tensor.shape) * least > self._size:
            raise data_loss(self._pattern, f"{name} of shape {tensor.shape} is larger than the checkpoint")
        parts = []
        for stored, table in tensor.slices:
            extents = [
                (0, size) if length == FULL else (start, length)
                for size, (start, length) in zip(tensor.shape, stored, strict=True)
            ]
            parts.append((extents, stored, table))
        problem = partition_problem(tensor.shape, [extents for extents, *_ in parts])
        if problem:
            raise data_loss(self._pattern, f"{name}: {problem}")
        if len(parts) == 1:
            _, stored, table = parts[0]
            return self._shaped(_read_slice(table, name, stored, tensor.dtype, tensor.shape), name, tensor.shape)
        out = self._shaped(np.empty(math.prod(tensor.shape), tensor.dtype), name, tensor.shape)
        for extents, stored, table in parts:
            shape = tuple(length for _, length in extents)
            index: Any = (*(slice(start, start + length) for start, length in extents), ...)
            out[index] = _read_slice(table, name, stored, tensor.dtype, shape).reshape(shape)
        return out

    def _shaped(self, flat: Array, name: str, shape: tuple[int, ...]) -> Array:
        try:
            return flat.reshape(shape)
        except ValueError as error:  # more dimensions than numpy's arrays can have
            raise data_loss(self._pattern, f"{name} has the shape {shape}: {error}") from error

    def _add_file(self, path: str) -> None:
        """Reads a file's list."""
        table = TableFile(path)
        self._size += table.size
        encoded = table.get(_LIST_KEY)
        found = parse_message("SavedTensorSlices", encoded, path) if encoded is not None else None
        if found is None or not found.HasField("meta"):
            raise data_loss(path, "a table, but not a checkpoint: it has no list of tensors")
        version = found.meta.versions
        if version.min_consumer > VERSION or VERSION in version.bad_consumers:
            message = f"{path}: the checkpoint needs a newer reader (this one reads version {VERSION})"
            raise errors.InvalidArgumentError(None, None, message)
        for proto in found.meta.tensor:
            name, shape = proto.name.decode("utf-8", "surrogateescape"), shape_of(proto)
            dtype = DTYPES.get(proto.type, OPAQUE)
            if proto.shape.unknown_rank or any(size < 0 for size in shape):
                raise data_loss(path, f"{name} has no definite shape")
            known = self._tensors.setdefault(name, _Tensor(dtype, shape, []))
            if (known.dtype, known.shape) != (dtype, shape):
                raise data_loss(path, f"{name} has another shape or dtype than in another file of the checkpoint")
            for part in proto.slice:
                stored = tuple((one.start, one.length if one.HasField("length") else FULL) for one in part.extent)
                whole = [
                    (0, size) if length == FULL and not start else (start, length)
                    for size, (start, length) in zip(shape, stored, strict=False)
                ]
                problem = slice_problem(shape, whole) if len(stored) == len(shape) else "its rank is another"
                if problem:
                    raise data_loss(path, f"slice {stored} of {name}: {problem}")
                known.slices.append((stored, table))


class _Tensor(NamedTuple):
    """A tensor in the lists."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    slices: list[tuple[tuple[Extent, ...], TableFile]]


def v1_files(pattern: str) -> list[str]:
    """Finds the files of a checkpoint of the older format, by their names.

    Args:
        pattern: The checkpoint's file, or a pattern for its files.

    Returns:
        Paths, sorted.
    """
    if os.path.isfile(pattern):
        return [pattern]
    return sorted(path for path in glob.glob(pattern) if os.path.isfile(path))


def _read_slice(
    table: TableFile, name: str, stored: tuple[Extent, ...], dtype: np.dtype[Any], shape: tuple[int, ...]
) -> Array:
    """Reads a slice's elements, in one dimension."""
    label, path, count = f"slice {stored} of {name}", table.path, math.prod(shape)
    key = encode_text(name)
    encoded = table.get(encode_slice_key(key, stored))
    if encoded is None:
        raise data_loss(path, f"the entry of {label} is missing")
    found = parse_message("SavedTensorSlices", encoded, path).data
    if found.name != key:
        raise data_loss(path, f"the entry of {label} is one of {found.name!r}")
    elements = found.data
    if dtype.kind == "O":
        strings = elements.string_val
        if len(strings) != count:
            raise data_loss(path, f"{label} has {len(strings)} strings, not {count}")
        out = np.empty(count, object)
        out[:] = list(strings)
        return out
    if dtype in _FIXED:
        packed = getattr(elements, _FIXED[dtype])
        if len(packed) != count * dtype.itemsize:
            raise data_loss(path, f"{label} has {len(packed)} bytes, not {count * dtype.itemsize}")
        return np.frombuffer(packed, dtype.newbyteorder("<")).astype(dtype)
    numbers = decode_varints(getattr(elements, _VARINTS[dtype]), count, path)
    plain = np.dtype(np.uint16) if dtype == np.float16 else dtype  # a half is told by its bits
    narrow = numbers.view(np.int64).astype(plain)
    if not np.array_equal(narrow.astype(np.int64), numbers.view(np.int64)):
        raise data_loss(path, f"{label} holds a number that is no {dtype}")
    return narrow.view(dtype)
