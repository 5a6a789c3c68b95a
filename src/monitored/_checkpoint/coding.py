"""The small encodings that the files of a checkpoint share.

*Varint*: an unsigned number, 7 bits a byte, lowest first; the top bit says that another byte follows.

*Masked crc32c*: a checksum stored beside data that itself holds checksums is rotated right by 15 bits and
offset by a constant (LevelDB's convention), so that a checksum of checksums stays a good one.

*Ordered code*: keys of a table are compared byte by byte, so numbers inside them are written such that the
order of the bytes is the order of the numbers. Only the key of one slice of a partitioned variable needs
it; it is, one after the other:

    number 0                            (makes slice keys sort before every name)
    the variable's name                 zero byte -> 00 FF, byte FF -> FF 00, then 00 01 ends it
    number of dimensions
    for each dimension: start, length   signed; a whole dimension is start 0, length -1

An unsigned number is a byte count and then its big-endian bytes. A signed number of n bytes holds 7n-1 bits
in two's complement; its leading n bits are ones, then a zero, and a negative number has all of them inverted.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from monitored import errors

Extent = tuple[int, int]
"""Start and length of a slice in one dimension; length `FULL` (start 0) is the whole dimension."""

FULL: Final = -1

_MASK_DELTA: Final = 0xA282EAD8
_MAX_VARINT_BYTES: Final = 10  # 64 bits


def data_loss(path: str, problem: str) -> errors.DataLossError:
    """Makes the error for a damaged file.

    Args:
        path: The file.
        problem: What is wrong with it.

    Returns:
        The error, to be raised.
    """
    return errors.DataLossError(None, None, f"{path}: {problem}")


def mask_crc(crc: int) -> int:
    """Masks a crc32c for storing.

    Args:
        crc: The checksum, 32 bits.

    Returns:
        The masked checksum, 32 bits.
    """
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF


def encode_varint(number: int) -> bytes:
    """Encodes an unsigned number as a varint.

    Args:
        number: At least 0.

    Returns:
        One byte for each 7 bits.
    """
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def decode_varint(data: bytes, position: int, end: int, path: str) -> tuple[int, int]:
    """Decodes the varint that starts at a position.

    Args:
        data: The bytes that hold it.
        position: Where it starts.
        end: Where it must have ended, at most `len(data)`.
        path: The file that the bytes come from, for the error.

    Returns:
        The number (below 2**64), and the position behind it.

    Raises:
        DataLossError: It runs past `end` or is longer than a 64-bit number's.
    """
    if position < end and data[position] < 0x80:  # nearly every length in a table: a byte
        return data[position], position + 1
    number = 0
    for index, byte in enumerate(data[position : min(end, position + _MAX_VARINT_BYTES)]):
        number |= (byte & 0x7F) << (7 * index)
        if byte < 0x80 and number < 1 << 64:
            return number, position + index + 1
    raise data_loss(path, f"a length at byte {position} is cut short or too large")


def decode_varints(data: bytes, count: int, path: str) -> npt.NDArray[np.uint64]:
    """Decodes varints that stand one after the other, all of them at once.

    Args:
        data: Their bytes, and no others.
        count: How many there must be.
        path: The file that the bytes come from, for the error.

    Returns:
        The numbers; bits beyond 64 are lost.

    Raises:
        DataLossError: There are more or fewer, or one is longer than a 64-bit number's.
    """
    encoded: npt.NDArray[Any] = np.frombuffer(data, np.uint8)
    last = np.flatnonzero(encoded < 0x80)
    if len(last) != count or (count and last[-1] != len(data) - 1) or (not count and data):
        raise data_loss(path, f"{len(last)} numbers in {len(data)} bytes, not {count}")
    first = np.concatenate([[0], last[:-1] + 1]) if count else last
    lengths = last - first + 1
    longest = int(lengths.max(initial=0))
    if longest > _MAX_VARINT_BYTES:
        raise data_loss(path, f"a number of {longest} bytes is too large")
    numbers = np.zeros(count, np.uint64)
    for index in range(longest):
        has = np.flatnonzero(lengths > index)
        numbers[has] |= (encoded[first[has] + index] & 0x7F).astype(np.uint64) << np.uint64(7 * index)
    return numbers


def encode_slice_key(name: bytes, extents: Sequence[Extent]) -> bytes:
    """Encodes the table key of one slice of a partitioned variable.

    Args:
        name: The variable's name.
        extents: The slice, one (start, length) for each dimension.

    Returns:
        The key. It starts with a zero byte, as no name does.
    """
    escaped = b"\x00\xff".join(part.replace(b"\xff", b"\xff\x00") for part in name.split(b"\x00"))
    numbers = b"".join(_signed(number) for extent in extents for number in extent)
    return _unsigned(0) + escaped + b"\x00\x01" + _unsigned(len(extents)) + numbers


def _unsigned(number: int) -> bytes:
    """An unsigned number, at least 0, whose bytes sort as it does."""
    length = (number.bit_length() + 7) // 8
    return bytes([length]) + number.to_bytes(length, "big")


def _signed(number: int) -> bytes:
    """A signed 64-bit number whose bytes sort as it does."""
    magnitude = ~number if number < 0 else number
    length = magnitude.bit_length() // 7 + 1
    header = ((1 << length) - 1) << (7 * length)  # `length` ones at the top, then a zero
    encoded = header | magnitude
    if number < 0:
        encoded ^= (1 << (8 * length)) - 1
    return encoded.to_bytes(length, "big")
