"""The sorted table that an `.index` file is: LevelDB's SSTable, read and written without compression.

From the beginning of the file:

    data block, data block, ...     the entries, sorted by key
    metaindex block                 empty here
    index block                     for each data block: a key at or behind its last one -> its handle
    footer, 48 bytes                handle of the metaindex block, handle of the index block, zero bytes up
                                    to 40, and the magic number 0xdb4775248b80fb57 (8 bytes, little endian)

A handle is two varints, offset and size. Behind each block, and not part of its size, are five bytes: its
compression (0: none) and the masked crc32c of the block and that byte. A block is:

    entry, entry, ...               varints shared, unshared, size; `unshared` bytes of key; `size` bytes of
                                    value. The first `shared` bytes of the key are the previous entry's.
    restart, restart, ...           offsets (4 bytes, little endian) of entries that share nothing, every
                                    16th one, from which a reader can start a binary search
    number of restarts              4 bytes, little endian

An index is held in memory whole: it has some 100 bytes for each tensor. The tables that TensorFlow's older
checkpoints are hold the tensors too, so those are read a block at a time (`TableFile`). A reader trusts nothing:
every length is compared with what is left before it is used, and damage is a DataLossError that says where.
"""

import bisect
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import google_crc32c

from monitored import errors
from monitored._checkpoint.coding import data_loss, decode_varint, encode_varint, mask_crc
from monitored._checkpoint.files import os_errors_as_tf

BLOCK_SIZE: Final = 1 << 18  # bytes of entries in a data block, as TensorFlow has it
_RESTART_INTERVAL: Final = 16  # entries
_TRAILER_SIZE: Final = 5
_FOOTER_SIZE: Final = 48
_MAGIC: Final = 0xDB4775248B80FB57.to_bytes(8, "little")
_NO_COMPRESSION: Final = 0

_Entry = tuple[bytes, bytes]
_Handle = tuple[int, int]
"""Where a block is: offset and size, bytes."""
_Read = Callable[[int, int], bytes]
"""Gives the bytes from an offset to another."""


def encode_table(entries: Iterable[_Entry], block_size: int = BLOCK_SIZE) -> bytes:
    """Encodes a table.

    Args:
        entries: (key, value) pairs in strictly ascending order of their keys.
        block_size: Bytes of keys and values after which a data block ends.

    Returns:
        The file's content.
    """
    table = bytearray()
    index: list[_Entry] = []
    block: list[_Entry] = []
    size = 0
    for key, value in entries:
        block.append((key, value))
        size += len(key) + len(value)
        if size >= block_size:
            index.append((key, _append_block(table, block, _RESTART_INTERVAL)))
            block, size = [], 0
    if block:
        index.append((block[-1][0], _append_block(table, block, _RESTART_INTERVAL)))
    metaindex_handle = _append_block(table, [], _RESTART_INTERVAL)
    index_handle = _append_block(table, index, 1)
    table += _footer(metaindex_handle + index_handle)
    return bytes(table)


def decode_table(data: bytes, path: str) -> dict[bytes, bytes]:
    """Decodes a table.

    Args:
        data: The file's content.
        path: The file, for errors.

    Returns:
        The entries, in ascending order of their keys.

    Raises:
        DataLossError: The table is damaged.
        UnimplementedError: It is compressed.
    """
    blocks = _Blocks(lambda start, end: data[start:end], len(data), path)
    return dict(blocks.entries())


class TableFile:
    """A table that stays in its file: blocks are read when an entry in them is asked for.

    It holds no open file, and any number of threads may use it.
    """

    def __init__(self, path: str) -> None:
        """Reads the footer and the index block.

        Args:
            path: The file.

        Raises:
            DataLossError: They are damaged.
            UnimplementedError: The table is compressed.
            OpError: The file could not be read.
        """
        self.path = path
        with os_errors_as_tf(path):
            self.size = os.path.getsize(path)  # bytes
        self._blocks = _Blocks(self._read, self.size, path)
        self._last: tuple[_Handle, dict[bytes, bytes]] | None = None  # the block that was read last

    def get(self, key: bytes) -> bytes | None:
        """Finds an entry.

        Args:
            key: Its key.

        Returns:
            Its value; None if there is none.

        Raises:
            DataLossError: The block that it would be in is damaged.
            OpError: The file could not be read.
        """
        handle = self._blocks.handle_for(key)
        if handle is None:
            return None
        last = self._last
        if last is None or last[0] != handle:
            self._last = last = (handle, dict(self._blocks.entries_at(handle)))
        return last[1].get(key)

    def _read(self, start: int, end: int) -> bytes:
        with os_errors_as_tf(self.path), open(self.path, "rb", buffering=0) as file:
            file.seek(start)
            found = bytearray()
            while len(found) < end - start:
                more = file.read(end - start - len(found))
                if not more:
                    raise data_loss(self.path, f"it ends at byte {start + len(found)}")
                found += more
        return bytes(found)


class _Blocks:
    """The blocks of a table."""

    def __init__(self, read: _Read, size: int, path: str) -> None:
        """Reads the footer and the index block of a table of `size` bytes."""
        self._read, self._size, self._path = read, size, path
        if size < _FOOTER_SIZE:
            raise data_loss(path, f"file is too short to be an sstable ({size} bytes)")
        footer = read(size - _FOOTER_SIZE, size)
        if not footer.endswith(_MAGIC):
            raise data_loss(path, "not an sstable (bad magic number)")
        metaindex, position = _decode_handle(footer, 0, len(footer), path)
        index, position = _decode_handle(footer, position, len(footer), path)
        if footer != _footer(_encode_handle(*metaindex) + _encode_handle(*index)):  # no checksum covers the footer
            raise data_loss(path, "the footer is damaged")
        self._read_block(metaindex)  # for its checksum: it holds nothing of use
        self._keys: list[bytes] = []  # for each data block a key at or behind its last one
        self._handles: list[_Handle] = []
        for key, handle in _entries(self._read_block(index), path):
            self._keys.append(key)
            self._handles.append(_decode_handle(handle, 0, len(handle), path)[0])

    def handle_for(self, key: bytes) -> _Handle | None:
        """Tells where the block is that a key would be in, if there is one."""
        position = bisect.bisect_left(self._keys, key)
        return self._handles[position] if position < len(self._keys) else None

    def entries_at(self, handle: _Handle) -> Iterator[_Entry]:
        """Yields the entries of a data block."""
        return self._ascending(_entries(self._read_block(handle), self._path))

    def entries(self) -> Iterator[_Entry]:
        """Yields all entries."""
        blocks = (_entries(self._read_block(handle), self._path) for handle in self._handles)
        return self._ascending(entry for block in blocks for entry in block)

    def _ascending(self, entries: Iterable[_Entry]) -> Iterator[_Entry]:
        previous: bytes | None = None
        for key, value in entries:
            if previous is not None and key <= previous:
                raise data_loss(self._path, f"key {key!r} is out of order")
            yield key, value
            previous = key

    def _read_block(self, handle: _Handle) -> bytes:
        """Returns a block that passed its checksum."""
        offset, size = handle
        if offset + size + _TRAILER_SIZE > self._size - _FOOTER_SIZE:
            raise data_loss(self._path, f"block of {size} bytes at byte {offset} does not fit into the file")
        block = self._read(offset, offset + size + _TRAILER_SIZE)
        checksum = int.from_bytes(block[size + 1 :], "little")
        if checksum != mask_crc(google_crc32c.value(block[: size + 1])):
            raise data_loss(self._path, f"block checksum mismatch ({size} bytes at byte {offset})")
        if block[size] != _NO_COMPRESSION:
            message = f"{self._path}: blocks of compression type {block[size]} cannot be read; TensorFlow writes none"
            raise errors.UnimplementedError(None, None, message)
        return block[:size]


def _append_block(table: bytearray, entries: Sequence[_Entry], restart_interval: int) -> bytes:
    """Appends a block and what comes behind it, and returns its handle."""
    block = bytearray()
    restarts = [0]
    previous = b""
    for count, (key, value) in enumerate(entries):
        shared = 0
        if count % restart_interval:
            shared = _shared_prefix(previous, key)
        elif count:
            restarts.append(len(block))
        block += encode_varint(shared) + encode_varint(len(key) - shared) + encode_varint(len(value))
        block += key[shared:]
        block += value
        previous = key
    for number in [*restarts, len(restarts)]:
        block += number.to_bytes(4, "little")
    handle = _encode_handle(len(table), len(block))
    block.append(_NO_COMPRESSION)
    table += block
    table += mask_crc(google_crc32c.value(bytes(block))).to_bytes(4, "little")
    return handle


def _shared_prefix(first: bytes, second: bytes) -> int:
    """Number of leading bytes that two keys share, by one long xor instead of a loop over bytes."""
    limit = min(len(first), len(second))
    difference = int.from_bytes(first[:limit], "big") ^ int.from_bytes(second[:limit], "big")
    return limit - (difference.bit_length() + 7) // 8


def _entries(block: bytes, path: str) -> Iterator[_Entry]:
    """Yields the entries of a block."""
    restarts = int.from_bytes(block[-4:], "little")
    end = len(block) - 4 - 4 * restarts
    if end < 0:
        raise data_loss(path, f"a block of {len(block)} bytes cannot hold {restarts} restarts")
    position = 0
    key = b""
    while position < end:
        shared, position = decode_varint(block, position, end, path)
        unshared, position = decode_varint(block, position, end, path)
        size, position = decode_varint(block, position, end, path)
        if shared > len(key) or unshared + size > end - position:
            raise data_loss(path, "an entry is larger than its block")
        key = key[:shared] + block[position : position + unshared]
        position += unshared
        yield key, block[position : position + size]
        position += size


def _encode_handle(offset: int, size: int) -> bytes:
    return encode_varint(offset) + encode_varint(size)


def _decode_handle(data: bytes, position: int, end: int, path: str) -> tuple[_Handle, int]:
    """Returns a block's handle, and the position behind it."""
    offset, position = decode_varint(data, position, end, path)
    size, position = decode_varint(data, position, end, path)
    return (offset, size), position


def _footer(handles: bytes) -> bytes:
    return handles.ljust(_FOOTER_SIZE - len(_MAGIC), b"\0") + _MAGIC
