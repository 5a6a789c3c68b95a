"""Tensor bundles: named arrays in an `.index` file and one or more `.data` files (shards).

The index is a sorted table (`table.py`). Its first key, the empty one, holds a BundleHeaderProto: the number
of shards, the byte order, the format's version. Every other key is a tensor's name and holds a
BundleEntryProto: dtype, shape, and then either

    where its bytes are     shard, offset, size, masked crc32c; or
    its slices              a variable that was saved in parts: each slice has an entry of its own, with the
                            slice's shape, under a key made of the name and the slice (`encode_slice_key`)

The bytes of a tensor are its elements in row-major order, little endian. A tensor of strings is

    the length of each string       varints
    checksum of the lengths         masked crc32c of the lengths, each taken as 4 bytes (8 from 2**32 on)
    the strings                     one after the other

and its checksum is that of the lengths (as 4 or 8 bytes), the 4 bytes of their checksum, and the strings.
"""

import math
import os
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

import google_crc32c
import ml_dtypes
import numpy as np
import numpy.typing as npt

from monitored import errors
from monitored._checkpoint.coding import Extent

Path = str | os.PathLike[str]
Array = npt.NDArray[Any]

VERSION: Final = 1  # of the format; files that ask for a newer reader are refused
HEADER_KEY: Final = b""
_DATA: Final = re.compile(r"\.data-.{5}-of-.{5}", re.DOTALL)
SLICE_MARK: Final = b"\0"  # the first byte of every slice key, and of no name

# Bytes checksummed and then written (or read and then checksummed) at a time: they are still in the
# processor's cache for the second step, and the checksum holds the interpreter's lock for 80 us only.
CHUNK: Final = 1 << 20

STRING: Final = 7

# TensorFlow's DataType numbers. Strings are arrays of bytes objects. Quantized types are read as the integers
# that they are made of; they come first, so that turning the table around gives the plain types' numbers.
DTYPES: Final[dict[int, np.dtype[Any]]] = {
    11: np.dtype(np.int8),
    12: np.dtype(np.uint8),
    13: np.dtype(np.int32),
    15: np.dtype(np.int16),
    16: np.dtype(np.uint16),
    1: np.dtype(np.float32),
    2: np.dtype(np.float64),
    3: np.dtype(np.int32),
    4: np.dtype(np.uint8),
    5: np.dtype(np.int16),
    6: np.dtype(np.int8),
    STRING: np.dtype(object),
    8: np.dtype(np.complex64),
    9: np.dtype(np.int64),
    10: np.dtype(np.bool_),
    14: np.dtype(ml_dtypes.bfloat16),
    17: np.dtype(np.uint16),
    18: np.dtype(np.complex128),
    19: np.dtype(np.float16),
    22: np.dtype(np.uint32),
    23: np.dtype(np.uint64),
    24: np.dtype(ml_dtypes.float8_e5m2),
    25: np.dtype(ml_dtypes.float8_e4m3fn),
    26: np.dtype(ml_dtypes.float8_e4m3fnuz),
    27: np.dtype(ml_dtypes.float8_e4m3b11fnuz),
    28: np.dtype(ml_dtypes.float8_e5m2fnuz),
    29: np.dtype(ml_dtypes.int4),
    30: np.dtype(ml_dtypes.uint4),
    31: np.dtype(ml_dtypes.int2),
    32: np.dtype(ml_dtypes.uint2),
    33: np.dtype(ml_dtypes.float4_e2m1fn),
}
OPAQUE: Final = np.dtype(np.void)
"""Stands for every other type: resources and variants."""


def index_path(prefix: str) -> str:
    """Names the index file.

    Args:
        prefix: The checkpoint.

    Returns:
        Its path.
    """
    return f"{prefix}.index"


def data_path(prefix: str, shard: int, num_shards: int) -> str:
    """Names a data file.

    Args:
        prefix: The checkpoint.
        shard: Which file, from 0.
        num_shards: Of how many.

    Returns:
        Its path.
    """
    return f"{prefix}.data-{shard:05d}-of-{num_shards:05d}"


def data_files(prefix: str) -> list[str]:
    """Finds the data files of a checkpoint, of whatever number of shards.

    Not with `glob`, which keeps what it makes of 32,768 different patterns, 10 kB each.

    Args:
        prefix: The checkpoint's path, without `.index`.

    Returns:
        Their paths, sorted.
    """
    directory, name = os.path.split(prefix)
    try:
        entries = os.listdir(directory or os.curdir)
    except OSError:
        return []
    found = (entry for entry in entries if entry.startswith(name) and _DATA.fullmatch(entry, len(name)))
    return sorted(os.path.join(directory, entry) for entry in found)


def encode_text(text: str) -> bytes:
    """Encodes a tensor's name, which is then its key in the table, or an element of a tensor of strings.

    Args:
        text: The text. Bytes that were not UTF-8 and became surrogates on decoding are those bytes again.

    Returns:
        UTF-8.

    Raises:
        InvalidArgumentError: It holds other surrogates.
    """
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise errors.InvalidArgumentError(None, None, f"{text!r} cannot be encoded: {error.reason}") from error


def shape_of(entry: Any) -> tuple[int, ...]:
    """Gives the shape in an entry.

    Args:
        entry: A BundleEntryProto.

    Returns:
        The shape.
    """
    return tuple(dim.size for dim in entry.shape.dim)


def slice_problem(shape: Sequence[int], extents: Sequence[Extent]) -> str | None:
    """Says why a slice does not lie within an array, if it does not.

    Args:
        shape: The array's shape.
        extents: The slice, with no length `FULL`.

    Returns:
        A sentence, or None.
    """
    if len(shape) != len(extents):
        return f"it has {len(extents)} dimensions, not {len(shape)}"
    for size, (start, length) in zip(shape, extents, strict=True):
        if start < 0 or length < 0 or start + length > size:
            return f"{start} to {start + length} is not within 0 to {size}"
    return None


def partition_problem(shape: Sequence[int], slices: Sequence[Sequence[Extent]]) -> str | None:
    """Says why slices do not make up an array, each element once, if they do not.

    Args:
        shape: The array's shape.
        slices: The slices, each of which lies within the array.

    Returns:
        A sentence, or None.
    """
    held = sum(math.prod(length for _, length in extents) for extents in slices)
    if held != math.prod(shape):
        return f"its slices hold {held} elements, not the {math.prod(shape)} of shape {tuple(shape)}"
    filled = [extents for extents in slices if all(length for _, length in extents)]
    bounds = np.array(filled, np.int64).reshape(len(filled), len(shape), 2)
    starts, ends = bounds[..., 0], bounds[..., 0] + bounds[..., 1]
    for index in range(len(filled) - 1):
        overlaps = (starts[index] < ends[index + 1 :]) & (starts[index + 1 :] < ends[index])
        if overlaps.all(axis=1).any():
            return f"its slice {tuple(filled[index])} overlaps another"
    return None


def crc_of_lengths(lengths: Iterable[int]) -> int:
    """Computes the checksum of a string tensor's lengths.

    Args:
        lengths: The strings' lengths, bytes.

    Returns:
        The crc32c, not masked.
    """
    widened = b"".join(length.to_bytes(4 if length < 1 << 32 else 8, "little") for length in lengths)
    return int(google_crc32c.value(widened))
