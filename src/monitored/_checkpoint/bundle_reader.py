"""Reading tensor bundles (`bundle.py` tells the format).

Nothing in the files is trusted: places and sizes are compared with the files' before memory is taken for
them, every value is compared with its checksum, and damage is a DataLossError that names the file.
"""

import math
import os
from typing import Any, NamedTuple

import google_crc32c
import numpy as np

from monitored import errors
from monitored._checkpoint.bundle import (
    CHUNK,
    DTYPES,
    HEADER_KEY,
    OPAQUE,
    SLICE_MARK,
    VERSION,
    Array,
    Path,
    crc_of_lengths,
    data_path,
    encode_text,
    index_path,
    partition_problem,
    shape_of,
    slice_problem,
)
from monitored._checkpoint.coding import FULL, Extent, data_loss, decode_varint, encode_slice_key, mask_crc
from monitored._checkpoint.files import os_errors_as_tf
from monitored._checkpoint.protos import parse_message
from monitored._checkpoint.reader import TensorReader
from monitored._checkpoint.table import decode_table
from monitored._checkpoint.tree_hash import tree_hash


class BundleReader(TensorReader):
    """Reads a checkpoint. Every value is checked against its checksum before it is returned.

    The index is read at once, the data when it is asked for. A reader holds no open file, and any number of
    threads may use it.
    """

    def __init__(self, prefix: Path) -> None:
        """Reads the index.

        Args:
            prefix: Path of the checkpoint, without `.index`.

        Raises:
            NotFoundError: There is no such checkpoint.
            DataLossError: The index is damaged.
            InvalidArgumentError: The checkpoint asks for a newer reader.
            UnimplementedError: It is compressed or big endian.
            OpError: The index could not be read.
        """
        self._prefix = os.fspath(prefix)
        self._index = index_path(self._prefix)
        with os_errors_as_tf(self._index):
            try:
                with open(self._index, "rb") as file:
                    content = file.read()
            except FileNotFoundError as error:
                message = f"Unsuccessful TensorSliceReader constructor: Failed to find any matching files for {prefix}"
                raise errors.NotFoundError(None, None, message) from error
        self._table = decode_table(content, self._index)  # key -> BundleEntryProto's bytes
        if HEADER_KEY not in self._table:
            raise data_loss(self._index, "the header entry is missing")
        header = parse_message("BundleHeaderProto", self._table.pop(HEADER_KEY), self._index)
        if header.version.min_consumer > VERSION or VERSION in header.version.bad_consumers:
            message = f"{self._index}: the checkpoint needs a newer reader (this one reads version {VERSION})"
            raise errors.InvalidArgumentError(None, None, message)
        if header.num_shards < 1:
            raise data_loss(
                self._index, f"a table, but not the index of a checkpoint: it has {header.num_shards} shards"
            )
        if header.endianness:
            raise errors.UnimplementedError(None, None, f"{self._index}: the checkpoint is big endian")
        self._decoded: dict[bytes, _Entry] = {}
        self._num_shards: int = header.num_shards
        self._tree_hash: bytes = header.tree_hash

    @property
    def num_shards(self) -> int:
        """The number of data files."""
        return self._num_shards

    def keys(self) -> list[str]:
        """Lists the tensors' names (`TensorReader.keys`)."""
        return [key.decode("utf-8", "surrogateescape") for key in self._table if key[:1] != SLICE_MARK]

    def has(self, name: str) -> bool:
        """Tells whether the checkpoint holds a tensor (`TensorReader.has`)."""
        return not name.startswith("\0") and encode_text(name) in self._table

    def shape_map(self) -> dict[str, tuple[int, ...]]:
        """Gives the shape of every tensor (`TensorReader.shape_map`)."""
        return {name: self._entry(encode_text(name), name).shape for name in self.keys()}

    def dtype_map(self) -> dict[str, np.dtype[Any]]:
        """Gives the dtype of every tensor (`TensorReader.dtype_map`)."""
        return {name: self._entry(encode_text(name), name).dtype for name in self.keys()}

    def read(self, name: str, memory: Array | None = None) -> Array:
        """Reads a tensor (`TensorReader.read`)."""
        if not self.has(name):
            raise errors.NotFoundError(None, None, f"Key {name} not found in checkpoint")
        entry = self._entry(encode_text(name), name)
        if entry.slices:
            return self._read_slices(entry, name, memory)
        self._check_place(entry, name)
        return self._read_entry(entry, name, memory)

    def check_tree_hash(self) -> str | None:
        """Compares the index with the tree hash that was written with it (`TensorReader.check_tree_hash`)."""
        if not self._tree_hash:
            return None
        entries = {key: parse_message("BundleEntryProto", entry, self._index) for key, entry in self._table.items()}
        if tree_hash(entries) != self._tree_hash:
            raise data_loss(self._index, "the hash of all entries is not the one that was written with them")
        return self._tree_hash.hex()

    def _entry(self, key: bytes, name: str) -> "_Entry":
        """Decodes an entry of the index, once; its place in the data is not checked yet."""
        if key in self._decoded:
            return self._decoded[key]
        proto = parse_message("BundleEntryProto", self._table[key], self._index)
        dtype = DTYPES.get(proto.dtype, OPAQUE)
        shape = shape_of(proto)
        if proto.shape.unknown_rank or any(size < 0 for size in shape):
            raise data_loss(self._index, f"{name} has no definite shape")
        slices = tuple(
            tuple((extent.start, extent.length if extent.HasField("length") else FULL) for extent in part.extent)
            for part in proto.slices
        )
        entry = _Entry(dtype, shape, proto.shard_id, proto.offset, proto.size, proto.crc32c, slices)
        self._decoded[key] = entry
        return entry

    def _check_place(self, entry: "_Entry", name: str) -> None:
        """Checks that a tensor's bytes are all there and as many as its shape needs: memory is for those."""
        path = data_path(self._prefix, entry.shard, self._num_shards)
        if not 0 <= entry.shard < self._num_shards:
            raise data_loss(self._index, f"{name} is in shard {entry.shard} of {self._num_shards}")
        with os_errors_as_tf(path):
            file_size = os.path.getsize(path)
        if entry.offset < 0 or entry.size < 0 or entry.offset + entry.size > file_size:
            wanted = f"bytes {entry.offset} to {entry.offset + entry.size}"
            raise data_loss(path, f"{name} is {wanted}, but the file has {file_size}")
        count = math.prod(entry.shape)
        if entry.dtype == object:
            fits = count <= entry.size  # a length is one byte or more
        else:
            fits = entry.dtype == OPAQUE or count * entry.dtype.itemsize == entry.size
        if not fits:
            text = f"{name} of shape {entry.shape} and dtype {entry.dtype} cannot be {entry.size} bytes"
            raise data_loss(self._index, text)

    def _read_entry(self, entry: "_Entry", name: str, memory: Array | None = None) -> Array:
        """Reads a tensor that has a place of its own, which was checked."""
        if entry.dtype == OPAQUE:
            message = f"{self._prefix}: {name} is a resource or a variant, which cannot be read"
            raise errors.UnimplementedError(None, None, message)
        if entry.dtype == object:
            return self._read_strings(entry, name)
        out = self._empty(entry, name, memory)
        self._read_numbers(entry, name, out)
        return out

    def _read_numbers(self, entry: "_Entry", name: str, out: Array) -> None:
        """Reads a tensor of numbers into a contiguous array of its shape and dtype."""
        crc = self._read_bytes(entry, name, out.reshape(-1).view(np.uint8))
        self._check_crc(entry, name, crc)

    def _read_strings(self, entry: "_Entry", name: str) -> Array:
        """Reads a tensor of strings."""
        path = data_path(self._prefix, entry.shard, self._num_shards)
        encoded = np.empty(entry.size, np.uint8)
        self._read_bytes(entry, name, encoded)
        data = encoded.tobytes()
        lengths = []
        position = 0
        for _ in range(math.prod(entry.shape)):
            length, position = decode_varint(data, position, len(data), path)
            lengths.append(length)
        start = position + 4
        if start + sum(lengths) != len(data):
            raise data_loss(path, f"the strings of {name} do not fill its {len(data)} bytes")
        crc = crc_of_lengths(lengths)  # the checksum of the tensor covers the lengths' own, too
        self._check_crc(entry, name, google_crc32c.extend(crc, data[position:]))
        strings = []
        for length in lengths:
            strings.append(data[start : start + length])
            start += length
        out = self._empty(entry, name)
        out.reshape(-1)[:] = strings
        return out

    def _read_slices(self, entry: "_Entry", name: str, memory: Array | None) -> Array:
        """Reads a tensor that was saved in parts."""
        parts = []
        for stored in entry.slices:
            extents = [
                (0, size) if length == FULL else (start, length)
                for size, (start, length) in zip(entry.shape, stored, strict=False)
            ]
            label = f"slice {stored} of {name}"
            key = encode_slice_key(encode_text(name), stored)
            problem = slice_problem(entry.shape, extents)
            if problem or key not in self._table:
                raise data_loss(self._index, f"{label}: {problem or 'its entry is missing'}")
            part = self._entry(key, label)
            if part.slices or part.dtype != entry.dtype or part.shape != tuple(size for _, size in extents):
                raise data_loss(self._index, f"{label} does not fit the whole")
            self._check_place(part, label)
            parts.append((part, label, extents))
        problem = partition_problem(entry.shape, [extents for *_, extents in parts])
        if problem:
            raise data_loss(self._index, f"{name}: {problem}")

        out = self._empty(entry, name, memory)
        for part, label, extents in parts:
            index: Any = (*(slice(start, start + length) for start, length in extents), ...)
            region = out[index]
            if region.flags.c_contiguous and entry.dtype.kind != "O":
                self._read_numbers(part, label, region)  # straight into the result
            else:
                region[...] = self._read_entry(part, label)
        return out

    def _read_bytes(self, entry: "_Entry", name: str, out: Array) -> int:
        """Reads a tensor's bytes into an array of uint8, and returns their crc32c."""
        path = data_path(self._prefix, entry.shard, self._num_shards)
        crc = 0
        with os_errors_as_tf(path), open(path, "rb", buffering=0) as file:
            file.seek(entry.offset)
            position = 0
            while position < len(out):
                read = file.readinto(out[position : position + CHUNK].data)
                if not read:
                    raise data_loss(path, f"it ends within {name}")
                crc = google_crc32c.extend(crc, out[position : position + read])
                position += read
        return crc

    def _check_crc(self, entry: "_Entry", name: str, crc: int) -> None:
        if mask_crc(crc) != entry.crc32c:
            path = data_path(self._prefix, entry.shard, self._num_shards)
            text = f"Checksum does not match: stored {entry.crc32c} vs. {mask_crc(crc)} of what was read"
            raise data_loss(path, f"{name}: {text}")

    def _empty(self, entry: "_Entry", name: str, memory: Array | None = None) -> Array:
        """Makes the array for a tensor, the size of which was checked; in `memory`, if that is large enough."""
        size = math.prod(entry.shape) * entry.dtype.itemsize
        if memory is not None and size <= len(memory) and entry.dtype != object:
            return memory[:size].view(entry.dtype).reshape(entry.shape)
        try:
            return np.empty(entry.shape, entry.dtype)
        except ValueError as error:  # more dimensions or larger ones than numpy's arrays can have
            raise data_loss(self._index, f"{name} has the shape {entry.shape}: {error}") from error
        except MemoryError as error:
            raise errors.ResourceExhaustedError(None, None, f"No memory for {name}: {error}") from error


class _Entry(NamedTuple):
    """An entry of the index, decoded."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    shard: int
    offset: int  # bytes
    size: int  # bytes
    crc32c: int  # masked
    slices: tuple[tuple[Extent, ...], ...]  # empty if the tensor is in one place
