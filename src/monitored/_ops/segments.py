"""Reductions of the rows of a tensor that belong to the same segment."""

from __future__ import annotations

from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from monitored._graph.build import apply, convert_to_tensor
from monitored._graph.constant import constant_value
from monitored._graph.dtypes import as_dtype, int32
from monitored._graph.opdef import define
from monitored._graph.operation import Operation, Tensor
from monitored._graph.shapes import TensorShape, unknown_shape
from monitored._ops import rules
from monitored._ops.array import reshape
from monitored._ops.array import shape as shape_of
from monitored._ops.fill import ones
from monitored._ops.gathering import gather
from monitored._ops.joining import concat
from monitored._ops.lift import named
from monitored._ops.rules import call

# -- segments whose number is given -------------------------------------------------------------------------


def _segment_shape(op: Operation) -> TensorShape:
    data, ids = (t._shape._sizes for t in op._inputs[:2])
    count = constant_value(op._inputs[2])
    if data is None or ids is None:
        return unknown_shape(None)
    rules.merged(op, [TensorShape(data[: len(ids)]), TensorShape(ids)])
    return TensorShape((None if count is None else int(count.item()), *data[len(ids) :]))


def _flat(data: Any, ids: Any) -> tuple[Any, Any]:
    return jnp.reshape(data, (-1, *data.shape[ids.ndim :])), jnp.ravel(ids)


def _sum(data: Any, ids: Any, count: int) -> Any:
    # Rows with a negative segment belong to none: they go to one too many, which is dropped.
    ids = jnp.where(ids < 0, count, ids)
    return jnp.zeros((count, *data.shape[1:]), data.dtype).at[ids].add(data, mode="drop")


def _rows(values: Any, ids: Any) -> Any:
    """The value of each row's segment; zeros for rows that belong to none."""
    return values.at[ids].get(mode="fill", fill_value=0, wrap_negative_indices=False)


def _unsorted_sum(data: Any, ids: Any, num_segments: Any) -> Any:
    rows, ids = _flat(data, ids)
    return _sum(rows, ids, int(num_segments.item()))


def _unsorted_extreme(greatest: bool) -> Any:
    def value(rows: Any, ids: Any, count: int) -> Any:
        limits = as_dtype(rows.dtype)
        empty = jnp.full((count, *rows.shape[1:]), limits.min if greatest else limits.max, rows.dtype)
        at = empty.at[jnp.where(ids < 0, count, ids)]
        return at.max(rows, mode="drop") if greatest else at.min(rows, mode="drop")

    function = jax.custom_jvp(value, nondiff_argnums=(2,))

    @function.defjvp
    def _(count: int, primals: Any, tangents: Any) -> Any:
        """Equals share the gradient."""
        rows, ids = primals
        result = value(rows, ids, count)
        chosen = (rows == _rows(result, ids)).astype(rows.dtype)
        shares = jnp.maximum(_sum(chosen, ids, count), 1)
        return result, _sum(chosen * tangents[0], ids, count) / shares

    def lower(data: Any, ids: Any, num_segments: Any) -> Any:
        rows, ids = _flat(data, ids)
        return function(rows, ids, int(num_segments.item()))

    return lower


def _product_value(rows: Any, ids: Any, count: int) -> Any:
    one = jnp.ones((count, *rows.shape[1:]), rows.dtype)
    return one.at[jnp.where(ids < 0, count, ids)].multiply(rows, mode="drop")


_product = jax.custom_jvp(_product_value, nondiff_argnums=(2,))


@_product.defjvp
def _product_jvp(count: int, primals: Any, tangents: Any) -> Any:
    """The slope of a row is the product of the others, also where there are zeros."""
    rows, ids = primals
    zero = rows == 0
    zeros = _rows(_sum(zero.astype(rows.dtype), ids, count), ids)
    nonzero = jnp.where(zero, 1, rows)
    others = _rows(_product_value(nonzero, ids, count), ids) / nonzero
    slope = jnp.where(zeros == zero.astype(rows.dtype), others, 0)
    return _product_value(rows, ids, count), _sum(slope * tangents[0], ids, count)


def _unsorted_product(data: Any, ids: Any, num_segments: Any) -> Any:
    rows, ids = _flat(data, ids)
    return _product(rows, ids, int(num_segments.item()))


# -- segments in ascending order, whose number is that of the last ------------------------------------------


def _sorted_segments(reduce: Any, empty: Any = 0) -> Any:
    def host(context: Any, op: Operation, data: Any, ids: Any) -> tuple[Any]:
        count = int(ids[-1]) + 1 if len(ids) else 0
        result = np.full((count, *data.shape[1:]), empty, data.dtype)
        starts = np.flatnonzero(np.r_[True, ids[1:] != ids[:-1]]) if len(ids) else np.zeros(0, np.int64)
        if len(starts):
            result[ids[starts]] = reduce.reduceat(data, starts, axis=0)
        return (result,)

    return host


def _sorted_mean(context: Any, op: Operation, data: Any, ids: Any) -> tuple[Any]:
    (total,) = _sorted_segments(np.add)(context, op, data, ids)
    counts = np.maximum(np.bincount(ids, minlength=len(total)), 1).reshape((-1,) + (1,) * (data.ndim - 1))
    return ((total / counts).astype(data.dtype),)


def _sum_gradient(op: Operation, gradient: Any) -> list[Any]:
    return [gather(gradient, op.inputs[1]), None]


def _mean_gradient(op: Operation, gradient: Any) -> list[Any]:
    data, ids = op.inputs
    counts = apply("SegmentSum", ones(concat([shape_of(ids), [1] * (_rank(data) - 1)], 0), data.dtype), ids)
    return [gather(gradient / counts, ids), None]


def _extreme_gradient(op: Operation, gradient: Any) -> list[Any]:
    data, ids = op.inputs
    chosen = apply("Cast", apply("Equal", data, gather(op.outputs[0], ids)), DstT=data.dtype.base_dtype)
    shares = gradient / apply("SegmentSum", chosen, ids)
    return [apply("Select", apply("Cast", chosen, DstT="bool"), gather(shares, ids), chosen), None]


def _rank(tensor: Tensor) -> int:
    if tensor.shape.ndims is None:
        raise ValueError(f"The rank of {tensor.name} must be known for the gradient of its segments' mean.")
    return tensor.shape.ndims


for _type, _host, _gradient in (
    ("SegmentSum", _sorted_segments(np.add), _sum_gradient),
    ("SegmentMean", _sorted_mean, _mean_gradient),
    ("SegmentMax", _sorted_segments(np.maximum), _extreme_gradient),
    ("SegmentMin", _sorted_segments(np.minimum), _extreme_gradient),
    ("SegmentProd", _sorted_segments(np.multiply, 1), None),
):
    define(
        _type, "data:T segment_ids:Tindices -> output:T", host=_host, grad=_gradient, no_grad=_gradient is None,
        infer=lambda op: TensorShape([None]).concatenate(op._inputs[0]._shape[1:]),
    )  # fmt: skip
for _type, _lower in (
    ("UnsortedSegmentSum", _unsorted_sum),
    ("UnsortedSegmentMax", _unsorted_extreme(True)),
    ("UnsortedSegmentMin", _unsorted_extreme(False)),
    ("UnsortedSegmentProd", _unsorted_product),
):
    define(
        _type, "data:T segment_ids:Tindices num_segments:Tnumsegments -> output:T", _lower, infer=_segment_shape,
        static=(2,), Tnumsegments=int32,
    )  # fmt: skip


class Segments(Protocol):
    """A public function of segments in ascending order."""

    def __call__(self, data: Any, segment_ids: Any, name: str | None = None) -> Tensor:
        """Adds the operation to the graph."""


class UnsortedSegments(Protocol):
    """A public function of segments in any order."""

    def __call__(self, data: Any, segment_ids: Any, num_segments: Any, name: str | None = None) -> Tensor:
        """Adds the operation to the graph."""


def _segments(public: str, op_type: str, computes: str) -> Segments:
    def function(data: Any, segment_ids: Any, name: str | None = None) -> Tensor:
        return call(op_type, data, segment_ids, name=name)

    function.__doc__ = f"""{computes} of the rows of each segment.

    Args:
        data: A tensor of numbers.
        segment_ids: Which segment each row belongs to: a vector of int32 or int64, in ascending order.
        name: A name for the operation (optional; `{op_type}` by default).

    Returns:
        A tensor with a row for each segment up to the last.
    """
    return named(function, public)


def _unsorted_segments(public: str, op_type: str, computes: str) -> UnsortedSegments:
    def function(data: Any, segment_ids: Any, num_segments: Any, name: str | None = None) -> Tensor:
        return call(op_type, data, segment_ids, num_segments, name=name)

    function.__doc__ = f"""{computes} of the entries of each segment.

    Args:
        data: A tensor of numbers.
        segment_ids: Which segment each entry belongs to: int32 or int64, whose shape is the start of that of `data`.
            Entries of a negative segment belong to none.
        num_segments: How many segments there are: a scalar.
        name: A name for the operation (optional; `{op_type}` by default).

    Returns:
        A tensor with an entry for each segment.

    Raises:
        ValueError: If the shapes do not fit.
    """
    return named(function, public)


segment_max = _segments("segment_max", "SegmentMax", "The greatest")
segment_mean = _segments("segment_mean", "SegmentMean", "The mean")
segment_min = _segments("segment_min", "SegmentMin", "The least")
segment_prod = _segments("segment_prod", "SegmentProd", "The product")
segment_sum = _segments("segment_sum", "SegmentSum", "The sum")
unsorted_segment_max = _unsorted_segments("unsorted_segment_max", "UnsortedSegmentMax", "The greatest")
unsorted_segment_min = _unsorted_segments("unsorted_segment_min", "UnsortedSegmentMin", "The least")
unsorted_segment_prod = _unsorted_segments("unsorted_segment_prod", "UnsortedSegmentProd", "The product")
unsorted_segment_sum = _unsorted_segments("unsorted_segment_sum", "UnsortedSegmentSum", "The sum")


def unsorted_segment_mean(data: Any, segment_ids: Any, num_segments: Any, name: str | None = None) -> Tensor:
    """The mean of the entries of each segment; see `unsorted_segment_sum`.

    Args:
        data: A tensor of a floating point type.
        segment_ids: Which segment each entry belongs to.
        num_segments: How many segments there are: a scalar.
        name: A name for the operations (optional; `UnsortedSegmentMean` by default).

    Returns:
        A tensor with an entry for each segment: 0 for one without entries.
    """
    with rules.scope(name, "UnsortedSegmentMean", data, segment_ids, num_segments):
        data, segment_ids = convert_to_tensor(data), convert_to_tensor(segment_ids)
        counts = _counts(data, segment_ids, num_segments)
        result: Tensor = unsorted_segment_sum(data, segment_ids, num_segments) / counts
        return result


def unsorted_segment_sqrt_n(data: Any, segment_ids: Any, num_segments: Any, name: str | None = None) -> Tensor:
    """The sum of the entries of each segment, divided by the square root of their number.

    Args:
        data: A tensor of a floating point type.
        segment_ids: Which segment each entry belongs to; see `unsorted_segment_sum`.
        num_segments: How many segments there are: a scalar.
        name: A name for the operations (optional; `UnsortedSegmentSqrtN` by default).

    Returns:
        A tensor with an entry for each segment: 0 for one without entries.
    """
    with rules.scope(name, "UnsortedSegmentSqrtN", data, segment_ids, num_segments):
        data, segment_ids = convert_to_tensor(data), convert_to_tensor(segment_ids)
        counts = _counts(data, segment_ids, num_segments)
        result: Tensor = unsorted_segment_sum(data, segment_ids, num_segments) / apply("Sqrt", counts)
        return result


def _counts(data: Tensor, segment_ids: Tensor, num_segments: Any) -> Tensor:
    """How many entries each segment has, at least 1, in a shape that broadcasts against the segments' sums."""
    kind = data.dtype.base_dtype
    each = ones(shape_of(segment_ids), kind)
    total = apply("UnsortedSegmentSum", each, segment_ids, num_segments)
    if data.shape.ndims is None or segment_ids.shape.ndims is None:
        raise TypeError("The ranks of the data and of the segments must be known.")
    ranks = [1] * (data.shape.ndims - segment_ids.shape.ndims)
    count = constant_value(num_segments)
    sizes = [num_segments if count is None else int(count.item()), *ranks]
    return call("Maximum", reshape(total, sizes), 1)


__all__ = [
    "segment_max", "segment_mean", "segment_min", "segment_prod", "segment_sum", "unsorted_segment_max",
    "unsorted_segment_mean", "unsorted_segment_min", "unsorted_segment_prod", "unsorted_segment_sqrt_n",
    "unsorted_segment_sum",
]  # fmt: skip
