"""Slices: `slice`, `strided_slice` and the indexing of tensors with brackets."""

from __future__ import annotations

import builtins
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from jax import lax

from monitored._graph.build import apply, constant, convert_to_tensor
from monitored._graph.constant import constant_value, constant_value_as_shape
from monitored._graph.dtypes import int32, int64
from monitored._graph.opdef import StaticNeeded, define
from monitored._graph.operation import Operation, Tensor
from monitored._graph.shapes import Dimension, TensorShape, unknown_shape
from monitored._ops import rules
from monitored._ops.fill import ones_like
from monitored._ops.rules import call

_PythonSlice: Final = builtins.slice  # `slice` is TensorFlow's here
_BEGIN, _END, _STRIDES = 1, 2, 3  # the positions of StridedSlice's inputs


@dataclass(slots=True)
class _Cut:
    """What is taken of one dimension; bounds are None where there are none."""

    begin: Any
    end: Any
    stride: Any
    shrink: bool


_WHOLE = _Cut(None, None, 1, False)


def cuts(rank: int, begin: Any, end: Any, strides: Any, masks: dict[str, int]) -> list[_Cut | None]:
    """Spells a slice out: one cut for each dimension, and None for each new axis, in the order of the result.

    Args:
        rank: The rank of the tensor.
        begin: The first index for each entry of the slice.
        end: The index after the last.
        strides: The distance between indices.
        masks: The attributes ``begin_mask`` and so on: one bit for each entry.

    Returns:
        The cuts.

    Raises:
        ValueError: If there are more entries than dimensions, or two ellipses.
    """
    count = len(strides)

    def has(mask: str, entry: int) -> bool:
        return bool(masks[f"{mask}_mask"] >> entry & 1)

    ellipses = [i for i in range(count) if has("ellipsis", i)]
    if len(ellipses) > 1:
        raise ValueError("Multiple ellipses in slice spec not allowed")
    new = sum(1 for i in range(count) if has("new_axis", i) and not has("ellipsis", i))
    skipped = rank - (count - new - len(ellipses))
    if skipped < 0:
        raise ValueError(f"Index out of range using input dim {rank}; input has only {rank} dims")
    result: list[_Cut | None] = []
    for i in range(count):
        if i in ellipses:
            result.extend([_WHOLE] * skipped)
        elif has("new_axis", i):
            result.append(None)
        else:
            first = None if has("begin", i) else begin[i]
            last = None if has("end", i) else end[i]
            result.append(_Cut(first, last, strides[i], has("shrink_axis", i)))
    return result if ellipses else result + [_WHOLE] * skipped


MASKS = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")


def _check_index(index: int, size: int, dimension: int) -> int:
    if not -size <= index < size:
        raise ValueError(f"slice index {index} of dimension {dimension} out of bounds")
    return index % size


class _Unknown:
    """Stands for an index that is not known yet."""


_UNKNOWN = _Unknown()


def _elements(tensor: Tensor) -> list[Any] | None:
    """What is known of a vector's elements from the graph."""
    value = constant_value(tensor)
    if value is not None:
        result: list[Any] = value.tolist()
        return result
    if tensor.op.type == "Pack" and tensor.shape.ndims == 1:
        parts = [constant_value(part) for part in tensor.op.inputs]
        return [_UNKNOWN if part is None else part.item() for part in parts]
    length = tensor.shape.ndims == 1 and tensor.shape[0].value
    return [_UNKNOWN] * length if length else None


def _strided_shape(op: Operation) -> TensorShape:
    sizes = op._inputs[0]._shape._sizes
    begin, end, strides = (_elements(t) for t in op._inputs[1:])
    if sizes is None or begin is None or end is None or strides is None:
        return TensorShape(None)
    try:
        entries = cuts(len(sizes), begin, end, strides, {m: op._attrs[m] for m in MASKS})
        result: list[int | None] = []
        dimension = 0
        for cut in entries:
            if cut is None:
                result.append(1)
                continue
            size = sizes[dimension]
            if cut.shrink:
                if cut.begin is not _UNKNOWN and size is not None:
                    _check_index(cut.begin or 0, size, dimension)
            else:
                result.append(_length(cut, size, dimension))
            dimension += 1
    except ValueError as error:
        raise rules.misfit(op, str(error)) from None
    return TensorShape(result)


def _length(cut: _Cut, size: int | None, dimension: int) -> int | None:
    if cut.stride == 0:
        raise ValueError(f"strides[{dimension}] must be non-zero")
    if size is None or _UNKNOWN in (cut.begin, cut.end, cut.stride):
        return None
    return len(range(*_PythonSlice(cut.begin, cut.end, cut.stride).indices(size)))


def as_index(cut: _Cut | None) -> Any:
    """A cut as NumPy takes it between brackets."""
    if cut is None:
        return None
    return (0 if cut.begin is None else cut.begin) if cut.shrink else _PythonSlice(cut.begin, cut.end, cut.stride)


def _strided_slice_numpy(
    x: Any, begin: Any, end: Any, strides: Any, *, begin_mask: int, end_mask: int, ellipsis_mask: int,
    new_axis_mask: int, shrink_axis_mask: int,
) -> Any:  # fmt: skip
    masks = dict(zip(MASKS, (begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask), strict=True))
    entries = cuts(x.ndim, begin.tolist(), end.tolist(), strides.tolist(), masks)
    return x[tuple(as_index(cut) for cut in entries)]


def _strided_slice(
    x: Any, begin: Any, end: Any, strides: Any, *, begin_mask: int, end_mask: int, ellipsis_mask: int,
    new_axis_mask: int, shrink_axis_mask: int,
) -> Any:  # fmt: skip
    """A slice whose sizes are known; single indices may be known only when running."""
    masks = dict(zip(MASKS, (begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask), strict=True))
    entries = cuts(x.ndim, list(begin), list(end), strides.tolist(), masks)
    taken_of = [cut for cut in entries if cut is not None]
    starts: list[Any] = [0] * x.ndim
    sizes = list(x.shape)
    moving = False
    static: list[tuple[int, int, int]] = []  # start, limit and stride of each dimension
    reversed_axes: list[int] = []
    for axis, (cut, size) in enumerate(zip(taken_of, x.shape, strict=True)):
        if cut.shrink and not is_known(cut.begin):
            starts[axis], sizes[axis], moving = cut.begin + size * (cut.begin < 0), 1, True
            static.append((0, 1, 1))
        elif cut.shrink:
            index = _check_index(int(cut.begin or 0), size, axis)
            static.append((index, index + 1, 1))
        else:
            for position, bound in ((_BEGIN, cut.begin), (_END, cut.end)):
                if not is_known(bound):
                    raise StaticNeeded(position)
            taken = range(*_PythonSlice(_int(cut.begin), _int(cut.end), cut.stride).indices(size))
            if cut.stride < 0:
                reversed_axes.append(axis)
                taken = taken[::-1]
            static.append((taken[0], taken[-1] + 1, taken.step) if len(taken) else (0, 0, 1))
    if moving:
        kind = np.result_type(*(s.dtype for s in starts if hasattr(s, "dtype")))
        x = lax.dynamic_slice(x, [np.asarray(s, kind) if isinstance(s, int) else s for s in starts], sizes)
    if any(part != (0, size, 1) for part, size in zip(static, x.shape, strict=True)):
        x = lax.slice(x, *zip(*static, strict=True))
    if reversed_axes:
        x = lax.rev(x, reversed_axes)
    left = iter(x.shape)
    final = [
        size for cut in entries for size in ([1] if cut is None else [next(left)]) if cut is None or not cut.shrink
    ]
    return lax.reshape(x, final) if tuple(final) != x.shape else x


def is_known(index: Any) -> bool:
    """Whether an index is known when compiling, or is none."""
    return index is None or isinstance(index, (int, np.integer, np.ndarray))


def _int(index: Any) -> int | None:
    return None if index is None else int(index)


def _slice_shape(op: Operation) -> TensorShape:
    begin, wanted = _elements(op._inputs[1]), _elements(op._inputs[2])
    given = begin if begin is not None else wanted
    rank = op._inputs[0]._shape.ndims if given is None else len(given)
    if rank is None:
        return unknown_shape(None)
    sizes = rules.with_rank(op, 0, rank)
    if wanted is None:
        return unknown_shape(rank)
    result: list[int | None] = []
    for i, size in enumerate(wanted):
        first: Any = _UNKNOWN if begin is None else begin[i]
        if size == -1:
            whole = sizes[i]
            result.append(None if whole is None or first is _UNKNOWN else whole - first)
        else:
            result.append(None if size is _UNKNOWN else size)
    shape = constant_value_as_shape(op._inputs[2])
    if shape._sizes is not None:  # sizes taken from another shape
        result = [b if a is None and wanted[i] is _UNKNOWN else a
                  for i, (a, b) in enumerate(zip(result, shape._sizes, strict=True))]  # fmt: skip
    return TensorShape(result)


def _slice(x: Any, begin: Any, size: Any) -> Any:
    sizes: list[int] = []
    for axis, (first, wanted, whole) in enumerate(zip(begin, size, x.shape, strict=True)):
        if not is_known(wanted):
            raise StaticNeeded(2)
        if wanted == -1 and not is_known(first):
            raise StaticNeeded(1)
        taken = whole - int(first) if wanted == -1 else int(wanted)
        if is_known(first) and not (first >= 0 and taken >= 0 and first + taken <= whole):
            raise ValueError(
                f"Expected begin[{axis}] and size[{axis}] within [0, {whole}], but got {first} and {wanted}"
            )
        sizes.append(taken)
    if all(is_known(first) for first in begin):
        starts = [int(first) for first in begin]
        return lax.slice(x, starts, [a + b for a, b in zip(starts, sizes, strict=True)])
    kind = np.result_type(*(first.dtype for first in begin if not is_known(first)))
    return lax.dynamic_slice(x, [np.asarray(b, kind) if is_known(b) else b for b in begin], sizes)


def _slice_numpy(x: Any, begin: Any, size: Any) -> Any:
    pairs = zip(begin.tolist(), size.tolist(), strict=True)
    return x[tuple(_PythonSlice(b, None if s == -1 else b + s) for b, s in pairs)]


# fmt: off
define("Slice", "input:T begin:Index size:Index -> output:T", _slice, infer=_slice_shape, static_if_known=(1, 2),
       fold=_slice_numpy)
define("StridedSlice", "input:T begin:Index end:Index strides:Index -> output:T", _strided_slice,
       infer=_strided_shape, static_if_known=(_BEGIN, _END), static=(_STRIDES,), fold=_strided_slice_numpy,
       begin_mask=0, end_mask=0, ellipsis_mask=0, new_axis_mask=0, shrink_axis_mask=0)
# fmt: on


def slice(input_: Any, begin: Any, size: Any, name: str | None = None) -> Tensor:
    """A part of a tensor, given by where it begins and how large it is.

    Args:
        input_: A tensor of rank n.
        begin: The first index along each axis: integers ``[n]``.
        size: How many elements along each axis; -1: all that are left.
        name: A name for the operation (optional; `Slice` by default).

    Returns:
        A tensor of the type and rank of `input_`.

    Raises:
        ValueError: If `begin` or `size` has not one element for each axis.
    """
    return call("Slice", input_, begin, size, name=name)


def strided_slice(
    input_: Any,
    begin: Any,
    end: Any,
    strides: Any = None,
    begin_mask: int = 0,
    end_mask: int = 0,
    ellipsis_mask: int = 0,
    new_axis_mask: int = 0,
    shrink_axis_mask: int = 0,
    var: Any = None,
    name: str | None = None,
) -> Tensor:
    """A part of a tensor, as ``x[begin:end:strides]`` has it; what the brackets of Python add.

    Args:
        input_: A tensor.
        begin: For each entry of the brackets, the first index.
        end: The index at which to stop.
        strides: The distance between indices; 1 by default.
        begin_mask: Bits of the entries that begin at the start.
        end_mask: Bits of the entries that stop at the end.
        ellipsis_mask: The bit of the entry that stands for all axes not mentioned.
        new_axis_mask: Bits of the entries that add an axis of size 1.
        shrink_axis_mask: Bits of the entries that are a single index, whose axis is left out.
        var: The variable that `input_` reads (accepted as TensorFlow does).
        name: A name for the operation (optional; `StridedSlice` by default).

    Returns:
        A tensor of the type of `input_`.

    Raises:
        ValueError: If an index is out of range or a stride is 0.
    """
    if strides is None:
        strides = ones_like(begin)
    return call(
        "StridedSlice", input_, begin, end, strides, name=name, begin_mask=begin_mask, end_mask=end_mask,
        ellipsis_mask=ellipsis_mask, new_axis_mask=new_axis_mask, shrink_axis_mask=shrink_axis_mask,
    )  # fmt: skip


def slice_helper(tensor: Any, key: Any) -> Tensor:
    """``tensor[key]``: ints, slices, ``...``, None for a new axis, and scalar tensors as indices or bounds.

    Args:
        tensor: A tensor or variable.
        key: What stands in the brackets.

    Returns:
        The part of the tensor.

    Raises:
        TypeError: If the key holds anything else.
        ValueError: If an index is out of range.
    """
    entries = key if isinstance(key, (list, tuple)) else (key,)
    begin: list[Any] = []
    end: list[Any] = []
    strides: list[Any] = []
    masks = dict.fromkeys(MASKS, 0)
    for entry, item in enumerate(entries):
        bit = 1 << entry
        first, last, step = 0, 0, 1
        if isinstance(item, _PythonSlice):
            first, masks["begin_mask"] = _bound(item.start, masks["begin_mask"], bit)
            last, masks["end_mask"] = _bound(item.stop, masks["end_mask"], bit)
            step = 1 if item.step is None else _index(item.step)
        elif item is Ellipsis:
            masks["ellipsis_mask"] |= bit
        elif item is None:
            masks["new_axis_mask"] |= bit
        else:
            first = _index(item)
            last = first + 1
            masks["shrink_axis_mask"] |= bit
        begin.append(first)
        end.append(last)
        strides.append(step)
    with rules.scope(None, "strided_slice", tensor, *begin, *end) as full:
        bounds = _packed(begin, "stack"), _packed(end, "stack_1"), _packed(strides, "stack_2")
        return call("StridedSlice", tensor, *_same_type(bounds), name=full, **masks)


def _bound(value: Any, mask: int, bit: int) -> tuple[Any, int]:
    return (0, mask | bit) if value is None else (_index(value), mask)


def _index(item: Any) -> Any:
    if isinstance(item, Dimension):
        item = item.value
    if isinstance(item, Tensor) or hasattr(item, "_as_tensor"):
        if item.dtype.base_dtype in (int32, int64) and item.shape.ndims in (None, 0):
            return item
    elif isinstance(item, (int, np.integer)) and not isinstance(item, bool):
        return int(item)
    raise TypeError(
        "Only integers, slices (`:`), ellipsis (`...`), tf.newaxis (`None`) and scalar tf.int32/tf.int64 tensors are "
        f"valid indices, got {item!r}"
    )


def _packed(values: list[Any], name: str) -> Tensor:
    if any(isinstance(v, Tensor) or hasattr(v, "_as_tensor") for v in values):
        return convert_to_tensor(values, name=name)
    array = np.asarray(values, np.int64)
    small = not values or np.abs(array).max() < 2**31
    return constant(array.astype(np.int32) if small else array, name=name)


def _same_type(bounds: tuple[Tensor, ...]) -> list[Tensor]:
    if all(t.dtype == bounds[0].dtype for t in bounds):
        return list(bounds)
    return [t if t.dtype == int64 else apply("Cast", t, DstT=int64) for t in bounds]


__all__ = ["slice", "strided_slice"]
