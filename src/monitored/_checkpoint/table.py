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

A table is held in memory whole: it has some 100 bytes for each tensor. A reader trusts nothing: every length
is compared with what is left before it is used, and damage is a DataLossError that says where.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import google_crc32c

from monitored import errors
from monitored._checkpoint.coding import data_loss, decode_varint, encode_varint, mask_crc

BLOCK_SIZE: Final = 1 << 18  # bytes of entries in a data block, as TensorFlow has it
_RESTART_INTERVAL: Final = 16  # entries
_TRAILER_SIZE: Final = 5
_FOOTER_SIZE: Final = 48
_MAGIC: Final = 0xDB4775248B80FB57.to_bytes(8, "little")
_NO_COMPRESSION: Final = 0

_Entry = tuple[bytes, bytes]


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
    if len(data) < _FOOTER_SIZE:
        raise data_loss(path, f"file is too short to be an sstable ({len(data)} bytes)")
    if not data.endswith(_MAGIC):
        raise data_loss(path, "not an sstable (bad magic number)")
    end = len(data) - _FOOTER_SIZE
    metaindex_offset, metaindex_size, position = _decode_handle(data, end, len(data), path)
    index_offset, index_size, position = _decode_handle(data, position, len(data), path)
    handles = _encode_handle(metaindex_offset, metaindex_size) + _encode_handle(index_offset, index_size)
    if data[end:] != _footer(handles):  # no checksum covers the footer
        raise data_loss(path, "the footer is damaged")

    table: dict[bytes, bytes] = {}
    previous: bytes | None = None
    _read_block(data, metaindex_offset, metaindex_size, path)  # for its checksum: it holds nothing of use
    for _, handle in _entries(_read_block(data, index_offset, index_size, path), path):
        offset, size, _ = _decode_handle(handle, 0, len(handle), path)
        for key, value in _entries(_read_block(data, offset, size, path), path):
            if previous is not None and key <= previous:
                raise data_loss(path, f"key {key!r} is out of order")
            table[key] = value
            previous = key
    return table


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


def _read_block(data: bytes, offset: int, size: int, path: str) -> bytes:
    """Returns a block that passed its checksum."""
    end = offset + size
    if end + _TRAILER_SIZE > len(data) - _FOOTER_SIZE:
        raise data_loss(path, f"block of {size} bytes at byte {offset} does not fit into the file")
    checksum = int.from_bytes(data[end + 1 : end + _TRAILER_SIZE], "little")
    if checksum != mask_crc(google_crc32c.value(data[offset : end + 1])):
        raise data_loss(path, f"block checksum mismatch ({size} bytes at byte {offset})")
    if data[end] != _NO_COMPRESSION:
        message = f"{path}: blocks of compression type {data[end]} cannot be read; TensorFlow writes none"
        raise errors.UnimplementedError(None, None, message)
    return data[offset:end]


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


def _decode_handle(data: bytes, position: int, end: int, path: str) -> tuple[int, int, int]:
    """Returns a block's offset and size, and the position behind its handle."""
    offset, position = decode_varint(data, position, end, path)
    size, position = decode_varint(data, position, end, path)
    return offset, size, position


def _footer(handles: bytes) -> bytes:
    return handles.ljust(_FOOTER_SIZE - len(_MAGIC), b"\0") + _MAGIC
