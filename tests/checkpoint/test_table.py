"""The sorted table and the small encodings under it."""

import struct

import google_crc32c
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitored import errors
from monitored._checkpoint.coding import decode_varint, encode_slice_key, encode_varint, mask_crc
from monitored._checkpoint.table import decode_table, encode_table

# Few letters, so that many keys share prefixes.
KEYS = st.text("ab/", max_size=12).map(str.encode) | st.binary(max_size=6)
TABLES = st.dictionaries(KEYS, st.binary(max_size=40), max_size=60)
MAGIC = 0xDB4775248B80FB57


def table_of(block: bytes, compression: int = 0) -> bytes:
    """A table with one data block of these bytes, every checksum right."""

    def stored(content: bytes) -> bytes:
        body = content + bytes([compression])
        return body + struct.pack("<I", mask_crc(google_crc32c.value(body)))

    def index_block(entry: bytes) -> bytes:
        return entry + struct.pack("<II", 0, 1)

    handle = encode_varint(0) + encode_varint(len(block))
    data = stored(block)
    meta_handle = encode_varint(len(data)) + encode_varint(8)
    data += stored(index_block(b""))
    index = index_block(bytes([0, 1, len(handle)]) + b"z" + handle)
    index_handle = encode_varint(len(data)) + encode_varint(len(index))
    return data + stored(index) + (meta_handle + index_handle).ljust(40, b"\0") + struct.pack("<Q", MAGIC)


@given(TABLES, st.integers(1, 300))
def test_table_round_trips_in_order_whatever_the_block_size(table: dict[bytes, bytes], block_size: int) -> None:
    decoded = decode_table(encode_table(sorted(table.items()), block_size), "x.index")
    assert list(decoded.items()) == sorted(table.items())


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_data_loss_that_names_the_file(data: bytes) -> None:
    with pytest.raises(errors.DataLossError, match=r"x\.index: "):
        decode_table(data, "x.index")


@given(st.binary(max_size=60))
def test_arbitrary_footer_is_data_loss(handles: bytes) -> None:
    table = encode_table([(b"k", b"v")])[:-48] + handles[:40].ljust(40, b"\0") + struct.pack("<Q", MAGIC)
    if table != encode_table([(b"k", b"v")]):
        with pytest.raises(errors.DataLossError):
            decode_table(table, "x.index")


@given(st.binary(max_size=60) | st.binary(max_size=30).map(lambda head: head + struct.pack("<II", 0, 1)))
def test_arbitrary_block_with_right_checksum_is_entries_or_data_loss(block: bytes) -> None:
    try:
        table = decode_table(table_of(block), "x.index")
    except errors.DataLossError:
        return
    assert sum(map(len, table)) <= 64 * len(block)


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        (b"\0\x01\x05a12" + struct.pack("<II", 0, 1), "larger than its block"),
        (b"\0\x09\0a" + struct.pack("<II", 0, 1), "larger than its block"),
        (b"\x01\x01\0a" + struct.pack("<II", 0, 1), "larger than its block"),
        (b"\0\x01" + struct.pack("<II", 0, 1), "cut short"),
        (struct.pack("<II", 0, 2), "8 bytes cannot hold 2 restarts"),
        (struct.pack("<II", 0, 2**32 - 1), "cannot hold"),
        (b"\0\0", "2 bytes cannot hold"),
    ],
)
def test_length_beyond_the_block_is_data_loss(block: bytes, problem: str) -> None:
    with pytest.raises(errors.DataLossError, match=problem):
        decode_table(table_of(block), "x.index")


def test_block_beyond_the_file_is_data_loss() -> None:
    footer = (encode_varint(0) + encode_varint(2**63) + encode_varint(0) * 2).ljust(40, b"\0")
    with pytest.raises(errors.DataLossError, match="does not fit into the file"):
        decode_table(bytes(20) + footer + struct.pack("<Q", MAGIC), "x.index")


def test_keys_out_of_order_are_data_loss() -> None:
    block = b"\0\x01\0b" + b"\0\x01\0a" + struct.pack("<II", 0, 1)
    with pytest.raises(errors.DataLossError, match="out of order"):
        decode_table(table_of(block), "x.index")


def test_compressed_table_is_refused_by_name() -> None:
    with pytest.raises(errors.UnimplementedError, match="compression type 1"):
        decode_table(table_of(struct.pack("<II", 0, 1), compression=1), "x.index")


@given(st.integers(0, 2**64 - 1), st.binary(max_size=3))
def test_varint_round_trips(number: int, rest: bytes) -> None:
    encoded = encode_varint(number)
    data = encoded + rest
    assert decode_varint(data, 0, len(data), "x") == (number, len(encoded))


@given(st.integers(0, 2**64 - 1))
def test_varint_cut_short_is_data_loss(number: int) -> None:
    encoded = encode_varint(number)
    with pytest.raises(errors.DataLossError):
        decode_varint(encoded, 0, len(encoded) - 1, "x")


@pytest.mark.parametrize("encoded", [b"\xff" * 9 + b"\x02", b"\x80" * 10 + b"\x01"])
def test_varint_beyond_64_bits_is_data_loss(encoded: bytes) -> None:
    with pytest.raises(errors.DataLossError):
        decode_varint(encoded, 0, len(encoded), "x")


NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.integers(-300, 300)
EXTENTS = st.lists(st.tuples(NUMBERS, NUMBERS), min_size=2, max_size=2)


@given(st.binary(max_size=4), EXTENTS, st.binary(max_size=4), EXTENTS)
def test_slice_keys_sort_as_name_and_numbers_do(
    name: bytes, extents: list[tuple[int, int]], other_name: bytes, other_extents: list[tuple[int, int]]
) -> None:
    key, other_key = encode_slice_key(name, extents), encode_slice_key(other_name, other_extents)
    assert (key < other_key) == ((name, extents) < (other_name, other_extents))
    assert (key == other_key) == ((name, extents) == (other_name, other_extents))
