"""Writing tensor bundles (`bundle.py` tells the format).

A checkpoint comes into being in three steps:

    stage       data files under temporary names; tensors are checksummed on their way there
    flush       data and index, to the disk
    publish     all of them renamed into place, the index last, since it is what makes them a checkpoint

A checkpoint that has the same prefix is replaced in one moment, that of a rename, in which there is either the old one
or the new one. Two files cannot be renamed at once; but an index says by its number of shards which data files are
its own. So the new checkpoint first appears with one shard more than the old one, an empty one, and then, over the old
files, under the names that it is to keep:

    p.index -> p.data-00000-of-00001    old
    p.index -> p.data-00000-of-00002    new, by one rename of the index
    p.index -> p.data-00000-of-00001    new, by another one, after the data was renamed
"""

import contextlib
import os
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self

import google_crc32c
import numpy as np
import numpy.typing as npt

from monitored import errors
from monitored._checkpoint.bundle import (
    CHUNK,
    DTYPES,
    HEADER_KEY,
    STRING,
    VERSION,
    Array,
    Path,
    crc_of_lengths,
    data_files,
    data_path,
    encode_text,
    index_path,
    partition_problem,
    shape_of,
    slice_problem,
)
from monitored._checkpoint.bundle_reader import BundleReader
from monitored._checkpoint.coding import encode_slice_key, encode_varint, mask_crc
from monitored._checkpoint.files import discard, os_errors_as_tf, publish, temporary_name
from monitored._checkpoint.protos import message_class
from monitored._checkpoint.table import encode_table
from monitored._checkpoint.tree_hash import tree_hash

_STRETCH: Final = 8 << 20  # bytes that the disk is given at a time while a file is being written
_NUMBERS: Final = {dtype: number for number, dtype in DTYPES.items()}


def write_bundle(prefix: Path, tensors: Mapping[str, npt.ArrayLike]) -> None:
    """Writes arrays as a checkpoint of one shard, replacing one of the same prefix.

    Args:
        prefix: Path of the checkpoint, without `.index`.
        tensors: Name -> array of any shape and of a dtype that TensorFlow has. Strings are arrays of dtype
            object (bytes or str), `S` or `U`.

    Raises:
        InvalidArgumentError: A name or a dtype cannot be written.
        OpError: The files could not be written. What was there before still is.
    """
    with BundleWriter(prefix) as writer:
        for name, value in tensors.items():
            writer.add(name, value)


class BundleWriter:
    """Writes one checkpoint: a context manager that publishes it when its block ends without an error.

    Until then there are only files of temporary names; the block's end flushes them to the disk and renames
    them into place. If the block raises, or that fails, they are removed, and a checkpoint that had the same
    prefix before is as it was:

        with BundleWriter("dir/model.ckpt-7") as writer:
            writer.add("w", w)
    """

    def __init__(self, prefix: Path, num_shards: int = 1, partial: bool = False) -> None:
        """Prepares a writer; no file is made before its block starts.

        Args:
            prefix: Path of the checkpoint, without `.index`. The last directory of it is made if missing,
                as TensorFlow's SaveV2 does.
            num_shards: Number of data files.
            partial: Whether slices need not make up their tensors, since this is to be merged with others.
        """
        self._partial = partial
        self._prefix = os.fspath(prefix)
        self._num_shards = num_shards
        self._shards: list[_Shard] = []
        self._entries: dict[bytes, Any] = {}  # table key -> BundleEntryProto
        self._staged: list[tuple[str, str]] = []  # (temporary name, final name)

    def __enter__(self) -> Self:
        """Creates the data files, under temporary names.

        Raises:
            OpError: They could not be created.
        """
        with contextlib.suppress(OSError):
            os.mkdir(os.path.dirname(self._prefix))
        try:
            for shard in range(self._num_shards):
                path = data_path(self._prefix, shard, self._num_shards)
                self._shards.append(_Shard(self._stage(path), path))
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Publishes the checkpoint, or removes its files if there was an error.

        Raises:
            OpError: The checkpoint could not be published.
        """
        try:
            if error is None:
                self._publish()
        finally:
            self._close()

    def add(self, name: str, value: npt.ArrayLike, shard: int = 0) -> None:
        """Writes a tensor.

        Args:
            name: The tensor's name, not yet in this checkpoint.
            value: The array, of any shape.
            shard: The data file to put it into.

        Raises:
            InvalidArgumentError: The name is taken, empty or starts with a zero byte, or TensorFlow has no
                such dtype. Nothing was written.
            OpError: The data could not be written.
        """
        self._write(_checked_key(name), name, np.asarray(value), shard)

    def add_slice(
        self,
        name: str,
        value: npt.ArrayLike,
        full_shape: Sequence[int],
        starts: Sequence[int],
        shard: int = 0,
    ) -> None:
        """Writes one slice of a tensor that is saved in parts; all of them together must be the tensor.

        Args:
            name: The tensor's name.
            value: The slice.
            full_shape: Shape of the whole tensor, the same for each of its slices.
            starts: Where the slice starts, for each dimension.
            shard: The data file to put it into.

        Raises:
            InvalidArgumentError: As `add`; or the slice does not fit the shape or the slices before it.
                Nothing was written.
            OpError: The data could not be written.
        """
        key, array, shape = _checked_key(name), np.asarray(value), tuple(full_shape)
        extents = tuple(zip(starts, array.shape, strict=False))
        problem = slice_problem(shape, extents) if len(starts) == array.ndim else "ranks differ"
        if problem:
            message = f"A slice of {name} does not fit the shape {shape}: {problem}"
            raise errors.InvalidArgumentError(None, None, message)
        whole = self._entries.get(key)
        if whole is None:
            whole = _new_entry(_dtype_number(name, array), shape)
        elif not whole.slices or shape_of(whole) != shape or whole.dtype != _dtype_number(name, array):
            message = f"{name} was added before as a whole, or with another shape or dtype"
            raise errors.InvalidArgumentError(None, None, message)

        self._write(encode_slice_key(key, extents), name, array, shard)
        part = whole.slices.add()
        for start, length in extents:
            part.extent.add(start=start, length=length)
        self._entries[key] = whole

    def _write(self, key: bytes, name: str, array: Array, shard: int) -> None:
        """Writes an array's bytes, and notes where they are under a table key."""
        if key in self._entries:
            raise errors.InvalidArgumentError(None, None, f"Adding duplicate key: {name}")
        entry = _new_entry(_dtype_number(name, array), array.shape)
        file = self._shards[shard]
        entry.shard_id, entry.offset = shard, file.size
        if entry.dtype == STRING:
            encoded, crc = _encode_strings(name, array)
            file.write(np.frombuffer(encoded, np.uint8))
        else:
            crc = file.write(_little_endian_bytes(array))
        entry.size, entry.crc32c = file.size - entry.offset, mask_crc(crc)
        self._entries[key] = entry

    def _publish(self) -> None:
        """Flushes everything to the disk and renames it into place."""
        for key, entry in self._entries.items():
            slices = [[(extent.start, extent.length) for extent in part.extent] for part in entry.slices]
            problem = partition_problem(shape_of(entry), slices) if slices and not self._partial else None
            if problem:
                raise errors.InvalidArgumentError(None, None, f"{key.decode()} is incomplete: {problem}")
        for file in self._shards:
            file.flush()
        staged = list(self._staged)
        with os_errors_as_tf(self._prefix):
            if _num_shards_of(self._prefix) != self._num_shards:
                publish([*staged, self._staged_index(self._num_shards)])
            elif self._detour(staged):
                # The new checkpoint is there, whole; what is left is to give its files their names.
                with contextlib.suppress(OSError):
                    publish([*staged, self._staged_index(self._num_shards)])
            discard(self._files_of_others())

    def _detour(self, staged: Sequence[tuple[str, str]]) -> bool:
        """Replaces a checkpoint of as many shards by the new one with one shard more.

        Returns:
            Whether the staged data files are still there, because the file system has links.
        """
        more = self._num_shards + 1
        names = [data_path(self._prefix, shard, more) for shard in range(more)]
        discard(names)  # those of a process that ended just here
        links = [(temporary_name(name), name) for name in names]
        self._staged.extend(links)
        with open(links[-1][0], "wb") as file:
            os.fsync(file.fileno())
        linked = True
        for (data, _), (link, _) in zip(staged, links, strict=False):
            try:
                os.link(data, link)
            except OSError:
                os.rename(data, link)
                linked = False
        publish([*links, self._staged_index(more)])
        return linked

    def _staged_index(self, num_shards: int) -> tuple[str, str]:
        """Writes an index under a temporary name, and gives that and its final one."""
        header = message_class("BundleHeaderProto")(num_shards=num_shards, tree_hash=tree_hash(self._entries))
        header.version.producer = VERSION
        table = {key: entry.SerializeToString() for key, entry in sorted(self._entries.items())}
        content = encode_table([(HEADER_KEY, header.SerializeToString()), *table.items()])
        index = index_path(self._prefix)
        file = _Shard(self._stage(index), index)
        try:
            file.write(np.frombuffer(content, np.uint8))
            file.flush()
        finally:
            file.close()
        return self._staged[-1]

    def _files_of_others(self) -> list[str]:
        """The data files of this prefix that the published index does not name."""
        num_shards = _num_shards_of(self._prefix)
        mine = {data_path(self._prefix, shard, num_shards) for shard in range(num_shards)} if num_shards else set()
        return [path for path in data_files(self._prefix) if num_shards and path not in mine]

    def _stage(self, path: str) -> str:
        """Chooses the temporary name of a file."""
        temporary = temporary_name(path)
        self._staged.append((temporary, path))
        return temporary

    def _close(self) -> None:
        """Closes the files, and removes those that were not published."""
        for file in self._shards:
            file.close()
        discard(temporary for temporary, _ in self._staged)


def _num_shards_of(prefix: str) -> int | None:
    """Of how many shards the checkpoint with a prefix is; None if there is none that can be read."""
    try:
        return BundleReader(prefix).num_shards
    except errors.OpError:
        return None


class _Shard:
    """A file of a checkpoint that is being written."""

    def __init__(self, temporary: str, path: str) -> None:
        """Creates the file `temporary`, which error messages call `path`."""
        self.path = path
        self.size = 0  # bytes written
        self._on_its_way = 0  # bytes that the disk was told to write
        with os_errors_as_tf(path):
            # The buffer is for small tensors; it must be smaller than a chunk, or chunks would be copied.
            self._file = open(temporary, "wb", buffering=CHUNK // 4)  # noqa: SIM115 - closed by `close`

    def write(self, data: Array) -> int:
        """Appends an array of uint8, and returns its crc32c."""
        crc = 0
        with os_errors_as_tf(self.path):
            for start in range(0, len(data), CHUNK):
                chunk = data[start : start + CHUNK]
                crc = google_crc32c.extend(crc, chunk)
                self._file.write(chunk.data)
                self.size += len(chunk)
                self._start_disk()
        return crc

    def _start_disk(self) -> None:
        """Lets the disk start while there is more to come: durable 100 MB took 57 ms so, and 82 ms without."""
        waiting = self.size - self._on_its_way
        if waiting >= _STRETCH and hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self._file.fileno(), self._on_its_way, waiting, os.POSIX_FADV_DONTNEED)
            self._on_its_way = self.size

    def flush(self) -> None:
        """Flushes the file to the disk."""
        with os_errors_as_tf(self.path):
            self._file.flush()
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Closes the file; what could not be written was reported by `flush`, or is not wanted."""
        with contextlib.suppress(OSError):
            self._file.close()


def _new_entry(dtype: int, shape: Sequence[int]) -> Any:
    entry = message_class("BundleEntryProto")(dtype=dtype)
    for size in shape:
        entry.shape.dim.add(size=size)
    return entry


def _checked_key(name: str) -> bytes:
    if not name or name.startswith("\0"):
        raise errors.InvalidArgumentError(None, None, f"A tensor cannot be saved under the name {name!r}")
    return encode_text(name)


def _dtype_number(name: str, array: Array) -> int:
    if array.dtype.kind in "SUT":
        return STRING
    number = _NUMBERS.get(array.dtype.newbyteorder("="))
    if number is None:
        message = f"{name} has dtype {array.dtype}, which a TensorFlow checkpoint cannot hold"
        raise errors.InvalidArgumentError(None, None, message)
    return number


def _little_endian_bytes(array: Array) -> Array:
    """The elements as bytes, in row-major order; a view where the array is laid out so already."""
    array = array.astype(array.dtype.newbyteorder("<"), copy=False)
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


def _encode_strings(name: str, array: Array) -> tuple[bytes, int]:
    """Encodes a tensor of strings, and computes its checksum (which is not that of these bytes)."""
    strings = []
    for item in array.reshape(-1).tolist():
        if not isinstance(item, str | bytes):
            message = f"{name} is of dtype object but holds a {type(item).__name__}, not only strings"
            raise errors.InvalidArgumentError(None, None, message)
        strings.append(encode_text(item) if isinstance(item, str) else item)
    lengths = b"".join(encode_varint(len(string)) for string in strings)
    crc = crc_of_lengths(map(len, strings))
    checksum = mask_crc(crc).to_bytes(4, "little")
    joined = b"".join(strings)
    return lengths + checksum + joined, google_crc32c.extend(google_crc32c.extend(crc, checksum), joined)
