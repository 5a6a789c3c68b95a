"""Looking at whole checkpoints: what is in one, whether it is whole, and how two differ.

Tensors are read one after the other, so that memory is taken for one of them (two, to compare) at a time.
"""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from monitored import errors
from monitored._checkpoint.bundle import Array, Path, data_files, index_path
from monitored._checkpoint.opening import open_checkpoint
from monitored._checkpoint.reader import TensorReader
from monitored._checkpoint.v1_reader import V1Reader, v1_files

_CHUNK: Final = 1 << 20  # elements that are widened to 64 bits at a time


@dataclass(frozen=True)
class TensorReport:
    """What is known of a tensor in a checkpoint.

    Attributes:
        name: Its name.
        dtype: TensorFlow's name of its type.
        shape: Its shape.
        size: Bytes of its elements, without what says where they are.
        norm: Its Euclidean norm over the elements that are finite; None for strings and what was not read.
        non_finite: How many elements are infinite or not a number.
        problem: What is wrong with it; None if its checksum holds.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    size: int
    norm: float | None
    non_finite: int
    problem: str | None


@dataclass(frozen=True)
class Difference:
    """How a tensor differs between two checkpoints.

    Attributes:
        name: Its name.
        status: ``equal``, ``values``, ``shape``, ``dtype``, ``only in A``, ``only in B``, ``damaged``, or
            ``not read`` for what only TensorFlow can read.
        first: Type and shape in the first one, such as ``float32 [3, 2]``; None if it is not there.
        second: The same for the second one.
        changed: How many elements differ; None unless type and shape are the same.
        largest: The largest absolute difference of two elements, not a number where one of them is none; None for
            strings, and unless type and shape are the same.
        problem: What is wrong where it is damaged.
    """

    name: str
    status: str
    first: str | None
    second: str | None
    changed: int | None = None
    largest: float | int | None = None
    problem: str | None = None


def files_of(prefix: Path) -> list[tuple[str, int]]:
    """Lists the files of a checkpoint.

    Args:
        prefix: The checkpoint's path without `.index`, or the pattern of one of the V1 format.

    Returns:
        Path and size in bytes of each file: the index and the data, or those that match.
    """
    path = os.fspath(prefix)
    found = [index_path(path), *data_files(path)] if os.path.exists(index_path(path)) else v1_files(path)
    return [(name, os.path.getsize(name)) for name in found]


def format_of(reader: TensorReader) -> str:
    """Names a checkpoint's format.

    Args:
        reader: The checkpoint.

    Returns:
        ``V1`` or ``V2``.
    """
    return "V1" if isinstance(reader, V1Reader) else "V2"


def report(prefix: Path) -> Iterator[TensorReport]:
    """Reads every tensor of a checkpoint.

    Args:
        prefix: The checkpoint's path without `.index`.

    Yields:
        What is known of each, in the order of their names.

    Raises:
        NotFoundError: There is no such checkpoint.
        DataLossError: Its index is damaged.
        OpError: A file could not be read.
    """
    reader = open_checkpoint(prefix)
    shapes, dtypes = reader.shape_map(), reader.dtype_map()
    for name, shape in shapes.items():
        dtype = _dtype_name(dtypes[name])
        value, problem = _read(reader, name)
        if value is None:
            yield TensorReport(name, dtype, shape, 0, None, 0, problem)
        elif value.dtype.kind == "O":
            yield TensorReport(name, dtype, shape, sum(map(len, value.reshape(-1))), None, 0, None)
        else:
            norm, non_finite = _norm(value)
            yield TensorReport(name, dtype, shape, value.nbytes, norm, non_finite, None)


def differences(first: Path, second: Path) -> Iterator[Difference]:
    """Compares two checkpoints, bit for bit.

    Args:
        first: A checkpoint's path without `.index`.
        second: Another one's.

    Yields:
        What is found for each tensor in either, in the order of their names.

    Raises:
        NotFoundError: There is no such checkpoint.
        DataLossError: An index is damaged.
        OpError: A file could not be read.
    """
    readers = open_checkpoint(first), open_checkpoint(second)
    held = [(reader.shape_map(), reader.dtype_map()) for reader in readers]
    for name in sorted({*held[0][0], *held[1][0]}):
        first_text, second_text = (
            f"{_dtype_name(dtypes[name])} {list(shapes[name])}" if name in shapes else None for shapes, dtypes in held
        )
        if first_text is None or second_text is None:
            yield Difference(name, "only in B" if first_text is None else "only in A", first_text, second_text)
        elif held[0][1][name] != held[1][1][name]:
            yield Difference(name, "dtype", first_text, second_text)
        elif held[0][0][name] != held[1][0][name]:
            yield Difference(name, "shape", first_text, second_text)
        else:
            one, other = _read(readers[0], name), _read(readers[1], name)
            problem = one[1] or other[1]
            if problem:
                yield Difference(name, "damaged", first_text, second_text, problem=problem)
            elif one[0] is None or other[0] is None:
                yield Difference(name, "not read", first_text, second_text)
            else:
                changed, largest = _compare(one[0], other[0])
                yield Difference(name, "values" if changed else "equal", first_text, second_text, changed, largest)


def _read(reader: TensorReader, name: str) -> tuple[Array | None, str | None]:
    """A tensor, or what is wrong with it; neither for what only TensorFlow can read."""
    try:
        return reader.read(name), None
    except errors.UnimplementedError:
        return None, None
    except (errors.DataLossError, errors.NotFoundError) as error:  # the latter for a data file that is missing
        return None, error.message


def _dtype_name(dtype: np.dtype[Any]) -> str:
    return {"object": "string", "void": "resource"}.get(dtype.name, dtype.name)


def _norm(value: Array) -> tuple[float, int]:
    """The Euclidean norm of the finite elements, and how many are not."""
    flat = value.reshape(-1)
    norm, non_finite = 0.0, 0
    for start in range(0, len(flat), _CHUNK):
        chunk = flat[start : start + _CHUNK]
        wide = np.abs(chunk) if chunk.dtype.kind == "c" else np.abs(chunk.astype(np.float64))
        finite = wide[np.isfinite(wide)]
        non_finite += len(wide) - len(finite)
        largest = float(finite.max(initial=0))
        if largest:  # scaled, so that squares neither overflow nor vanish
            norm = math.hypot(norm, largest * float(np.linalg.norm(finite / largest)))
    return norm, non_finite


def _compare(one: Array, other: Array) -> tuple[int, float | int | None]:
    """How many elements differ in their bits, and the largest difference."""
    one, other = one.reshape(-1), other.reshape(-1)
    if one.dtype.kind == "O":
        return int((one != other).sum()), None
    changed = 0
    largest: float | int = 0
    for start in range(0, len(one), _CHUNK):
        here, there = one[start : start + _CHUNK], other[start : start + _CHUNK]
        width = here.dtype.itemsize
        differ = (here.view(np.uint8) != there.view(np.uint8)).reshape(-1, width).any(axis=1)
        changed += int(differ.sum())
        here, there = here[differ], there[differ]
        if len(here):
            apart = _apart(here, there)
            largest = apart if apart != apart or (largest == largest and apart > largest) else largest
    return changed, largest


def _apart(here: Array, there: Array) -> Any:
    """The largest distance of elements: a number of Python's, exact for integers."""
    if here.dtype.kind in "iu":
        unsigned = np.dtype(f"u{here.dtype.itemsize}")  # in which a difference never overflows
        low, high = np.minimum(here, there), np.maximum(here, there)
        return int((high.view(unsigned) - low.view(unsigned)).max())
    wide = np.complex128 if here.dtype.kind == "c" else np.float64
    with np.errstate(invalid="ignore", over="ignore"):
        return float(np.max(np.abs(here.astype(wide) - there.astype(wide))))
