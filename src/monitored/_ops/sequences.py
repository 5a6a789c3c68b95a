"""Ranges, running sums, and sorting."""

from __future__ import annotations

import builtins
from typing import Any, Final

import jax.numpy as jnp
import numpy as np
from jax import lax

from monitored._graph import infer
from monitored._graph.build import apply, constant, convert_to_tensor
from monitored._graph.constant import constant_value
from monitored._graph.dtypes import as_dtype, bfloat16, float32, float64, int32, int64
from monitored._graph.opdef import define
from monitored._graph.operation import Operation, Tensor
from monitored._graph.shapes import TensorShape
from monitored._ops import rules
from monitored._ops.array import shape as shape_of
from monitored._ops.array import transpose
from monitored._ops.lift import NUMBER, of_types
from monitored._ops.rules import call

_RANGE_TYPES: Final = (bfloat16, float32, float64, int32, int64)
_INFERRED: Final = (int32, int64, float32, float64)  # of several types in a range the last of these wins


def _count(start: Any, limit: Any, delta: Any) -> int:
    """How many elements a range has; the arithmetic is that of its type."""
    if delta == 0:
        raise ValueError("Requires delta != 0")
    if (delta > 0 and start > limit) or (delta < 0 and start < limit):
        relation = "<=" if delta > 0 else ">="
        raise ValueError(f"Requires start {relation} limit when delta {'>' if delta > 0 else '<'} 0: {start}/{limit}")
    if isinstance(start, np.integer):
        return -((int(start) - int(limit)) // int(delta))
    return int(np.ceil(np.abs((limit - start) / delta)))


def _range(start: Any, limit: Any, delta: Any) -> Any:
    first, step = start[()], delta[()]
    places = np.arange(_count(first, limit[()], step))
    return (first + places.astype(start.dtype) * step).astype(start.dtype)


def _range_shape(op: Operation) -> TensorShape:
    bounds = [constant_value(t) for t in op._inputs]
    for tensor in op._inputs:
        if tensor._shape.ndims not in (None, 0):
            raise rules.misfit(op, "The bounds of a range must be scalars")
    if any(b is None for b in bounds):
        return TensorShape([None])
    try:
        return TensorShape([_count(*(b.reshape(())[()] for b in bounds if b is not None))])
    except ValueError as error:
        raise rules.misfit(op, str(error)) from None


def _linspace_shape(op: Operation) -> TensorShape:
    count = constant_value(op._inputs[2])
    if count is not None and count <= 0:
        raise rules.misfit(op, f"Requires num > 0: {count}")
    return TensorShape([None if count is None else int(count.item())])


def _linspace(start: Any, stop: Any, num: Any) -> Any:
    count = int(num.item())
    if count == 1:
        return jnp.reshape(start, (1,))
    places = np.arange(count).astype(start.dtype)
    return start + places * ((stop - start) / np.asarray(count - 1, start.dtype))


def _scan(function: Any, identity: float) -> Any:
    def lower(x: Any, axis: Any, *, exclusive: bool, reverse: bool) -> Any:
        at = int(axis.item())
        if not -x.ndim <= at < x.ndim:
            raise ValueError(f"Expected scan axis in the range [{-x.ndim}, {x.ndim}), but got {at}")
        at %= x.ndim
        if exclusive:  # shifted by one, with the neutral element coming in
            ends = (-1, 1) if reverse else (1, -1)
            edges = [(*ends, 0) if i == at else (0, 0, 0) for i in builtins.range(x.ndim)]
            x = lax.pad(x, np.asarray(identity, x.dtype), edges)
        return function(x, axis=at, reverse=reverse)

    return lower


def _cumulative_logsumexp(x: Any, axis: Any, *, exclusive: bool, reverse: bool) -> Any:
    lower = _scan(lax.cumlogsumexp, float(as_dtype(x.dtype).min))
    return lower(x, axis, exclusive=exclusive, reverse=reverse)


# fmt: off
define("Range", "start:Tidx limit:Tidx delta:Tidx -> output:Tidx", _range, infer=of_types(_RANGE_TYPES, _range_shape,
       "Tidx"), static=(0, 1, 2), fold=_range, no_grad=True, Tidx=int32)
define("LinSpace", "start:T stop:T num:Tidx -> output:T", _linspace, static=(2,), Tidx=int32,
       infer=of_types((bfloat16, float32, float64), _linspace_shape),
       fold=lambda start, stop, num: np.linspace(start, stop, int(num.item())))
define("Cumsum", "x:T axis:Tidx -> out:T", _scan(lax.cumsum, 0), infer=of_types(NUMBER, infer.unchanged), static=(1,),
       exclusive=False, reverse=False, Tidx=int32)
define("Cumprod", "x:T axis:Tidx -> out:T", _scan(lax.cumprod, 1), infer=of_types(NUMBER, infer.unchanged), static=(1,),
       exclusive=False, reverse=False, Tidx=int32)
define("CumulativeLogsumexp", "x:T axis:Tidx -> out:T", _cumulative_logsumexp, infer=infer.unchanged, static=(1,),
       exclusive=False, reverse=False, Tidx=int32)
# fmt: on


def range(start: Any, limit: Any = None, delta: Any = 1, dtype: Any = None, name: str = "range") -> Tensor:
    """Numbers at equal distances: `start`, `start` + `delta`, ..., up to but not including `limit`.

    Args:
        start: The first number; the limit when `limit` is None, and the first number is then 0.
        limit: Where to stop.
        delta: The distance.
        dtype: The type of the result; by default the widest of the arguments' types.
        name: A name for the operation.

    Returns:
        A vector.

    Raises:
        ValueError: If `delta` is 0 or leads away from `limit`.
    """
    if limit is None:
        start, limit = 0, start
    with rules.scope(name, "range", start, limit, delta) as full:
        wanted = None if dtype is None else as_dtype(dtype)
        given = {"start": start, "limit": limit, "delta": delta}
        parts = [convert_to_tensor(value, wanted, name=label) for label, value in given.items()]
        if wanted is None:
            found = [part.dtype.base_dtype for part in parts]
            known = [_INFERRED.index(t) for t in found if t in _INFERRED]
            wanted = _INFERRED[max(known)] if len(known) == len(found) else found[0]
            parts = [p if p.dtype.base_dtype == wanted else apply("Cast", p, DstT=wanted) for p in parts]
        return call("Range", *parts, name=full)


def lin_space(start: Any, stop: Any, num: Any, name: str | None = None) -> Tensor:
    """Numbers at equal distances from `start` to `stop`, both included.

    Args:
        start: The first number: a floating point scalar.
        stop: The last number.
        num: How many: an integer of at least 1.
        name: A name for the operation (optional; `LinSpace` by default).

    Returns:
        A vector of length `num`.

    Raises:
        ValueError: If `num` is less than 1.
    """
    return call("LinSpace", start, stop, num, name=name)


linspace = lin_space


def cumsum(x: Any, axis: Any = 0, exclusive: bool = False, reverse: bool = False, name: str | None = None) -> Tensor:
    """The running sum along an axis.

    Args:
        x: A tensor of numbers.
        axis: The axis; negative from the end.
        exclusive: Whether each sum leaves its own element out.
        reverse: Whether to sum from the end.
        name: A name for the operation (optional; `Cumsum` by default).

    Returns:
        A tensor of the type and shape of `x`.

    Raises:
        ValueError: If the axis is out of range.
    """
    return call("Cumsum", x, axis, name=name, exclusive=exclusive, reverse=reverse)


def cumprod(x: Any, axis: Any = 0, exclusive: bool = False, reverse: bool = False, name: str | None = None) -> Tensor:
    """The running product along an axis.

    Args:
        x: A tensor of numbers.
        axis: The axis; negative from the end.
        exclusive: Whether each product leaves its own element out.
        reverse: Whether to multiply from the end.
        name: A name for the operation (optional; `Cumprod` by default).

    Returns:
        A tensor of the type and shape of `x`.

    Raises:
        ValueError: If the axis is out of range.
    """
    return call("Cumprod", x, axis, name=name, exclusive=exclusive, reverse=reverse)


def cumulative_logsumexp(
    x: Any, axis: Any = 0, exclusive: bool = False, reverse: bool = False, name: str | None = None
) -> Tensor:
    """The logarithm of the running sum of e to the power of the elements along an axis.

    Args:
        x: A tensor of a floating point type.
        axis: The axis; negative from the end.
        exclusive: Whether each sum leaves its own element out.
        reverse: Whether to sum from the end.
        name: A name for the operation (optional; `CumulativeLogsumexp` by default).

    Returns:
        A tensor of the type and shape of `x`.
    """
    return call("CumulativeLogsumexp", x, axis, name=name, exclusive=exclusive, reverse=reverse)


def sort(values: Any, axis: int = -1, direction: str = "ASCENDING", name: str | None = None) -> Tensor:
    """The elements of a tensor, sorted along an axis.

    Args:
        values: A tensor of numbers.
        axis: The axis; negative from the end.
        direction: ``ASCENDING`` or ``DESCENDING``.
        name: A name for the operations (optional; `sort` by default).

    Returns:
        A tensor of the type and shape of `values`.

    Raises:
        ValueError: If the axis or the direction is not a valid one.
    """
    with rules.scope(name, "sort", values):
        return _sorted(values, axis, direction, 0)


def argsort(
    values: Any, axis: int = -1, direction: str = "ASCENDING", stable: bool = False, name: str | None = None
) -> Tensor:
    """The indices that sort a tensor along an axis; of equals the one of the least index comes first.

    Args:
        values: A tensor of numbers.
        axis: The axis; negative from the end.
        direction: ``ASCENDING`` or ``DESCENDING``.
        stable: Accepted as TensorFlow does; the order is always stable.
        name: A name for the operations (optional; `argsort` by default).

    Returns:
        An int32 tensor of the shape of `values`.

    Raises:
        ValueError: If the axis or the direction is not a valid one.
    """
    with rules.scope(name, "argsort", values):
        return _sorted(values, axis, direction, 1)


def _sorted(values: Any, axis: Any, direction: str, output: int) -> Tensor:
    """The greatest first is what `TopKV2` gives; ascending order is that of the negated values."""
    if direction not in ("ASCENDING", "DESCENDING"):
        raise ValueError(f"{direction} should be one of ASCENDING, DESCENDING")
    found = constant_value(axis)
    if found is None or found.ndim:
        raise ValueError("axis must be a constant scalar")
    ascending = direction == "ASCENDING"
    values = convert_to_tensor(values, name="values")
    values = -values if ascending else values
    rank, at = values.shape.ndims, int(found.item())
    if rank is None and at != -1:
        raise ValueError("The rank must be known to sort along another axis than the last.")
    count = shape_of(values)[at]
    last = at == -1 or at == (rank or 0) - 1
    order = None
    if not last:
        assert rank is not None
        places = list(builtins.range(rank))
        places[at], places[-1] = places[-1], places[at]
        order = constant(np.asarray(places, np.int64), name="transposition")
        values = transpose(values, order)
    result: Tensor = apply("TopKV2", values, count, sorted=True)[output]
    if order is not None:
        result = transpose(result, order)
    return -result if ascending and output == 0 else result


__all__ = ["argsort", "cumprod", "cumsum", "cumulative_logsumexp", "lin_space", "linspace", "range", "sort"]
