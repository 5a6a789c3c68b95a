"""Reductions over axes: sums, means, extremes and their positions, norms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import jax.numpy as jnp
import numpy as np
from jax import lax

from monitored._graph import infer
from monitored._graph.build import apply, constant, convert_to_tensor
from monitored._graph.constant import constant_value
from monitored._graph.dtypes import DType, as_dtype, int32, int64
from monitored._graph.opdef import define
from monitored._graph.operation import Operation, Tensor
from monitored._graph.shapes import TensorShape, unknown_shape
from monitored._ops import rules
from monitored._ops.array import rank as rank_of
from monitored._ops.array import reshape, squeeze, stop_gradient
from monitored._ops.array import shape as shape_of
from monitored._ops.fill import zeros_like
from monitored._ops.lift import BOOL, NUMBER, Types, is_integer, listed, named, of_types
from monitored._ops.rules import call

# -- meanings -----------------------------------------------------------------------------------------------

Reduce = Callable[[Any, tuple[int, ...]], Any]


def _over(reduce: Reduce) -> Callable[..., Any]:
    """A lowering from a function of an array and the axes to reduce."""

    def lower(x: Any, axes: Any, *, keep_dims: bool) -> Any:
        gone = tuple(sorted({int(a) % x.ndim for a in axes.ravel()}))
        # XLA's kernel for CPUs takes ten times as long where an axis of one element stands between the others.
        units = [axis for axis, size in enumerate(x.shape) if size == 1 and axis not in gone]
        left = [axis for axis in range(x.ndim) if axis not in units]
        result = reduce(lax.squeeze(x, units), tuple(left.index(axis) for axis in gone))
        kept = (1 if axis in gone else size for axis, size in enumerate(x.shape) if keep_dims or axis not in gone)
        return lax.reshape(result, tuple(kept))

    return lower


def _fold(reduce: Callable[..., Any]) -> Callable[..., Any]:
    def folded(x: Any, axes: Any, *, keep_dims: bool) -> Any:
        gone = tuple(sorted({int(a) % x.ndim for a in axes.ravel()}))
        return reduce(x, axis=gone, keepdims=keep_dims)

    return folded


def _sum(x: Any, axes: tuple[int, ...]) -> Any:
    return jnp.sum(x, axes, dtype=x.dtype)


def _mean(x: Any, axes: tuple[int, ...]) -> Any:
    if not is_integer(x):
        return jnp.mean(x, axes)
    count = np.asarray(np.prod([x.shape[a] for a in axes], dtype=np.int64), x.dtype)
    total = _sum(x, axes)
    return lax.div(total, jnp.broadcast_to(count, total.shape))


def _mean_numpy(x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    mean = np.mean(x, axis=axis, keepdims=keepdims)
    return np.trunc(mean) if x.dtype.kind in "iu" else mean


def _product(x: Any, axes: tuple[int, ...]) -> Any:
    return jnp.prod(x, axes, dtype=x.dtype)


def _euclidean_norm(x: Any, axes: tuple[int, ...]) -> Any:
    total = _sum(lax.real(x * lax.conj(x)) if jnp.iscomplexobj(x) else lax.square(x), axes)
    return lax.sqrt(total.astype(jnp.float32)).astype(x.dtype) if is_integer(x) else lax.sqrt(total).astype(x.dtype)


def _extreme_at(find: Any) -> Callable[..., Any]:
    def lower(x: Any, axis: Any, *, output_type: DType) -> Any:
        return find(x, int(axis.item())).astype(output_type.as_numpy_dtype)

    return lower


def _without_axis(op: Operation) -> TensorShape:
    sizes, axis = op._inputs[0]._shape._sizes, constant_value(op._inputs[1])
    if sizes is None:
        return TensorShape(None)
    if axis is None:
        return unknown_shape(len(sizes) - 1)
    at = rules.axis_of(op, int(axis.item()), len(sizes))
    return TensorShape((*sizes[:at], *sizes[at + 1 :]))


# -- the table ----------------------------------------------------------------------------------------------


class Reduction(Protocol):
    """A public function that reduces over axes."""

    def __call__(
        self,
        input_tensor: Any,
        axis: Any = None,
        keepdims: bool | None = None,
        name: str | None = None,
        reduction_indices: Any = None,
        keep_dims: bool | None = None,
    ) -> Tensor:
        """Adds the operation to the graph."""


def _reduction(
    public: str, op_type: str, lower: Reduce, types: Types, computes: str, fold: Callable[..., Any] | None = None
) -> Reduction:
    kind = "T" if types != BOOL else "bool"
    rule = of_types(types, infer.reduced) if kind == "T" else infer.reduced
    define(
        op_type, f"input:{kind} reduction_indices:Tidx -> output:{kind}", _over(lower), infer=rule, static=(1,),
        fold=None if fold is None else _fold(fold), no_grad=kind == "bool", keep_dims=False, Tidx=int32,
    )  # fmt: skip

    def function(
        input_tensor: Any,
        axis: Any = None,
        keepdims: bool | None = None,
        name: str | None = None,
        reduction_indices: Any = None,
        keep_dims: bool | None = None,
    ) -> Tensor:
        axis, keep = old_names(axis, keepdims, reduction_indices, keep_dims)
        return reduced(op_type, input_tensor, axis, keep, name)

    function.__doc__ = f"""{computes}

    Args:
        input_tensor: A tensor of {"numbers" if types == NUMBER else listed(types)}.
        axis: The axes to reduce, an int or a list; negative from the end. All by default.
        keepdims: Whether the reduced axes stay, with size 1 (False by default).
        name: A name for the operation (optional; `{op_type}` by default).
        reduction_indices: The old name of `axis`.
        keep_dims: The old name of `keepdims`.

    Returns:
        A tensor of the type of `input_tensor`, without the reduced axes.

    Raises:
        TypeError: If `input_tensor` has another type.
        ValueError: If an axis is out of range, or an argument is given under both its names.
    """
    return named(function, public)


def old_names(axis: Any, keepdims: Any, reduction_indices: Any, keep_dims: Any) -> tuple[Any, bool]:
    """The axes and whether they stay, from the arguments' present and old names."""
    keep = rules.either("keepdims", keepdims, "keep_dims", keep_dims)
    return rules.either("axis", axis, "reduction_indices", reduction_indices), bool(keep)


def reduced(op_type: str, value: Any, axis: Any, keepdims: bool, name: str | None = None) -> Tensor:
    """Adds a reduction to the graph.

    Args:
        op_type: The type of the operation.
        value: The tensor.
        axis: The axes; all of them when None.
        keepdims: Whether they stay, with size 1.
        name: The operation's name; the type by default.

    Returns:
        The result.
    """
    everything = axis is None
    axis = all_axes(value) if everything else axis
    result: Tensor = apply(op_type, value, axis, name=name, keep_dims=keepdims)
    if everything and not keepdims:
        result.set_shape([])
    return result


def all_axes(value: Any) -> Tensor:
    """The axes of a tensor, or a value that becomes one, as a tensor."""
    if isinstance(value, Tensor) and value.shape.ndims is not None:
        return constant(np.arange(value.shape.ndims, dtype=np.int32))
    return call("Range", 0, rank_of(value), 1, name="range")


# fmt: off
reduce_sum = _reduction("reduce_sum", "Sum", _sum, NUMBER, "The sum over axes.", np.sum)
reduce_mean = _reduction("reduce_mean", "Mean", _mean, NUMBER,
                         "The mean over axes; of integers, rounded towards zero.", _mean_numpy)
reduce_prod = _reduction("reduce_prod", "Prod", _product, NUMBER, "The product over axes.", np.prod)
reduce_max = _reduction("reduce_max", "Max", lambda x, axes: lax.reduce_max(x, axes), NUMBER,
                        "The greatest value over axes; the gradient is shared by equals.", np.max)
reduce_min = _reduction("reduce_min", "Min", lambda x, axes: lax.reduce_min(x, axes), NUMBER,
                        "The least value over axes; the gradient is shared by equals.", np.min)
reduce_all = _reduction("reduce_all", "All", lambda x, axes: lax.reduce_and(x, axes), BOOL,
                        "Whether all are true, over axes.", np.all)
reduce_any = _reduction("reduce_any", "Any", lambda x, axes: lax.reduce_or(x, axes), BOOL,
                        "Whether any is true, over axes.", np.any)
_euclidean = _reduction("reduce_euclidean_norm", "EuclideanNorm", _euclidean_norm, NUMBER, "")

for _type, _find, _folded in (("ArgMax", jnp.argmax, np.argmax), ("ArgMin", jnp.argmin, np.argmin)):
    define(_type, "input:T dimension:Tidx -> output:output_type", _extreme_at(_find),
           infer=of_types(NUMBER, _without_axis), static=(1,), no_grad=True, Tidx=int32, output_type=int64,
           fold=lambda x, axis, find=_folded: find(x, int(axis.item())))
# fmt: on


def reduce_euclidean_norm(
    input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None
) -> Tensor:
    """The square root of the sum of squares over axes.

    Args:
        input_tensor: A tensor of numbers.
        axis: The axes to reduce, an int or a list; negative from the end. All by default.
        keepdims: Whether the reduced axes stay, with size 1.
        name: A name for the operation (optional; `EuclideanNorm` by default).

    Returns:
        A tensor of the type of `input_tensor`, without the reduced axes.

    Raises:
        ValueError: If an axis is out of range.
    """
    return _euclidean(input_tensor, axis, keepdims, name)


def reduce_logsumexp(
    input_tensor: Any,
    axis: Any = None,
    keepdims: bool | None = None,
    name: str | None = None,
    reduction_indices: Any = None,
    keep_dims: bool | None = None,
) -> Tensor:
    """The logarithm of the sum of e to the power of the elements over axes, without overflow.

    Args:
        input_tensor: A tensor of a floating point type.
        axis: The axes to reduce, an int or a list; negative from the end. All by default.
        keepdims: Whether the reduced axes stay, with size 1 (False by default).
        name: A name for the operations (optional; `ReduceLogSumExp` by default).
        reduction_indices: The old name of `axis`.
        keep_dims: The old name of `keepdims`.

    Returns:
        A tensor of the type of `input_tensor`, without the reduced axes.

    Raises:
        ValueError: If an axis is out of range, or an argument is given under both its names.
    """
    axis, keep = old_names(axis, keepdims, reduction_indices, keep_dims)
    input_tensor = convert_to_tensor(input_tensor)
    with rules.scope(name, "ReduceLogSumExp", input_tensor):
        greatest = reduce_max(input_tensor, axis, keepdims=True)
        finite = apply("Select", apply("IsFinite", greatest), greatest, zeros_like(greatest))
        shift = stop_gradient(finite)
        total = reduce_sum(apply("Exp", apply("Sub", input_tensor, shift)), axis, keepdims=keep)
        result = apply("Log", total)
        if not keep:
            shift = reshape(shift, shape_of(result))
        return call("Add", result, shift)


def reduce_variance(input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None) -> Tensor:
    """The mean of the squared distances from the mean, over axes.

    Args:
        input_tensor: A tensor of a floating point type.
        axis: The axes to reduce, an int or a list; negative from the end. All by default.
        keepdims: Whether the reduced axes stay, with size 1.
        name: A name for the operations (optional; `reduce_variance` by default).

    Returns:
        A tensor of the type of `input_tensor`, without the reduced axes.

    Raises:
        TypeError: If `input_tensor` holds integers.
    """
    with rules.scope(name, "reduce_variance", input_tensor):
        input_tensor = convert_to_tensor(input_tensor, name="input_tensor")
        mean = reduce_mean(input_tensor, axis, keepdims=True)
        if mean.dtype.is_integer:
            raise TypeError("Input must be either real or complex")
        return reduce_mean(apply("Square", input_tensor - mean), axis, keepdims=keepdims)


def reduce_std(input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None) -> Tensor:
    """The square root of the variance over axes.

    Args:
        input_tensor: A tensor of a floating point type.
        axis: The axes to reduce, an int or a list; negative from the end. All by default.
        keepdims: Whether the reduced axes stay, with size 1.
        name: A name for the operations (optional; `reduce_std` by default).

    Returns:
        A tensor of the type of `input_tensor`, without the reduced axes.

    Raises:
        TypeError: If `input_tensor` holds integers.
    """
    with rules.scope(name, "reduce_std", input_tensor):
        input_tensor = convert_to_tensor(input_tensor, name="input_tensor")
        return call("Sqrt", reduce_variance(input_tensor, axis, keepdims))


def argmax(
    input: Any, axis: Any = None, name: str | None = None, dimension: Any = None, output_type: Any = int64
) -> Tensor:
    """The index of the greatest value along an axis; of equals the first.

    Args:
        input: A tensor of numbers.
        axis: The axis (0 by default); negative from the end.
        name: A name for the operation (optional; `ArgMax` by default).
        dimension: The old name of `axis`.
        output_type: The type of the result: int32 or int64.

    Returns:
        A tensor without that axis.

    Raises:
        ValueError: If the axis is out of range, or given under both its names.
    """
    at = rules.either("axis", axis, "dimension", dimension)
    return arg_max(input, 0 if at is None else at, output_type, name)


def argmin(
    input: Any, axis: Any = None, name: str | None = None, dimension: Any = None, output_type: Any = int64
) -> Tensor:
    """The index of the least value along an axis; of equals the first.

    Args:
        input: A tensor of numbers.
        axis: The axis (0 by default); negative from the end.
        name: A name for the operation (optional; `ArgMin` by default).
        dimension: The old name of `axis`.
        output_type: The type of the result: int32 or int64.

    Returns:
        A tensor without that axis.

    Raises:
        ValueError: If the axis is out of range, or given under both its names.
    """
    at = rules.either("axis", axis, "dimension", dimension)
    return arg_min(input, 0 if at is None else at, output_type, name)


def arg_max(input: Any, dimension: Any, output_type: Any = int64, name: str | None = None) -> Tensor:
    """The index of the greatest value along an axis: the old form of `argmax`.

    Args:
        input: A tensor of numbers.
        dimension: The axis.
        output_type: The type of the result: int32 or int64.
        name: A name for the operation (optional; `ArgMax` by default).

    Returns:
        A tensor without that axis.
    """
    return call("ArgMax", input, dimension, name=name, output_type=as_dtype(output_type))


def arg_min(input: Any, dimension: Any, output_type: Any = int64, name: str | None = None) -> Tensor:
    """The index of the least value along an axis: the old form of `argmin`.

    Args:
        input: A tensor of numbers.
        dimension: The axis.
        output_type: The type of the result: int32 or int64.
        name: A name for the operation (optional; `ArgMin` by default).

    Returns:
        A tensor without that axis.
    """
    return call("ArgMin", input, dimension, name=name, output_type=as_dtype(output_type))


def count_nonzero(
    input_tensor: Any = None,
    axis: Any = None,
    keepdims: bool | None = None,
    dtype: Any = int64,
    name: str | None = None,
    reduction_indices: Any = None,
    keep_dims: bool | None = None,
    input: Any = None,
) -> Tensor:
    """How many elements are not 0, over axes.

    Args:
        input_tensor: A tensor of numbers, booleans or strings.
        axis: The axes to reduce, an int or a list; negative from the end. All by default.
        keepdims: Whether the reduced axes stay, with size 1 (False by default).
        dtype: The type of the result.
        name: A name for the operations (optional; `count_nonzero` by default).
        reduction_indices: The old name of `axis`.
        keep_dims: The old name of `keepdims`.
        input: The new name of `input_tensor`.

    Returns:
        A tensor of type `dtype`, without the reduced axes.

    Raises:
        ValueError: If an axis is out of range, or an argument is given under both its names.
    """
    axis, keep = old_names(axis, keepdims, reduction_indices, keep_dims)
    value = rules.either("input", input, "input_tensor", input_tensor)
    with rules.scope(name, "count_nonzero", value):
        value = convert_to_tensor(value, name="input")
        kind = value.dtype.base_dtype
        nothing: Any = "" if kind.name == "string" else False if kind.is_bool else 0
        other = apply("NotEqual", value, constant(nothing, kind, name="zeros"))
        count = reduce_sum(apply("Cast", other, DstT=int64), axis, keep)
        return count if as_dtype(dtype) == int64 else call("Cast", count, DstT=as_dtype(dtype))


def norm(
    tensor: Any,
    ord: Any = "euclidean",
    axis: Any = None,
    keepdims: bool | None = None,
    name: str | None = None,
    keep_dims: bool | None = None,
) -> Tensor:
    """The norm of vectors or matrices.

    Args:
        tensor: A tensor of a floating point or complex type.
        ord: ``euclidean`` (of a matrix also ``fro``), 1, 2, `numpy.inf`, or for vectors any positive number.
        axis: The axis of the vectors, or a pair of axes for matrices; by default all elements are one vector.
        keepdims: Whether the axes stay, with size 1 (False by default).
        name: A name for the operations (optional; `norm` by default).
        keep_dims: The old name of `keepdims`.

    Returns:
        A tensor of the type of `tensor`, without the axes.

    Raises:
        ValueError: If the order is not one of a vector or a matrix, or `axis` names more than two axes.
    """
    keep = bool(rules.either("keepdims", keepdims, "keep_dims", keep_dims))
    pair = isinstance(axis, (tuple, list, np.ndarray)) and len(axis) == 2
    if isinstance(axis, (tuple, list, np.ndarray)) and not pair:
        raise ValueError("'axis' must be None, an integer, or a tuple of 2 unique integers")
    allowed: tuple[Any, ...] = ("euclidean", "fro", 1, 2, np.inf) if pair else ("euclidean", 1, 2, np.inf)
    if ord not in allowed and (pair or isinstance(ord, str) or not ord > 0):
        raise ValueError(f"'ord' must be a supported {'matrix' if pair else 'vector'} norm, got {ord}")
    with rules.scope(name, "norm", tensor):
        tensor = convert_to_tensor(tensor)
        if ord in ("euclidean", "fro") or (ord == 2 and not pair):
            axes = axis if axis is None or pair else [axis]
            result = apply("Sqrt", reduce_sum(_times_itself(tensor), axes, keepdims=True))
        elif pair and ord == 2:
            raise NotImplementedError("The spectral norm of matrices is not supported.")
        else:
            result = _norm_of_order(tensor, ord, axis, pair)
        return result if keep else squeeze(result, axis)


def _times_itself(tensor: Tensor) -> Any:
    if tensor.dtype.is_complex:
        return tensor * apply("Conj", tensor)
    return tensor * tensor


def _norm_of_order(tensor: Tensor, ord: Any, axis: Any, pair: bool) -> Tensor:
    size: Tensor = apply("ComplexAbs" if tensor.dtype.is_complex else "Abs", tensor, name="Abs")
    if pair:  # the greatest sum of a column (order 1) or of a row
        first, second = (axis[0], axis[1]) if ord == 1 else (axis[1], axis[0])
        return reduce_max(reduce_sum(size, first, keepdims=True), second, keepdims=True)
    if ord == 1:
        return reduce_sum(size, axis, keepdims=True)
    if ord == np.inf:
        return reduce_max(size, axis, keepdims=True)
    powers = reduce_sum(apply("Pow", size, float(ord)), None if axis is None else [axis], keepdims=True)
    return call("Pow", powers, 1.0 / ord)


__all__ = [
    "arg_max", "arg_min", "argmax", "argmin", "count_nonzero", "norm", "reduce_all", "reduce_any",
    "reduce_euclidean_norm", "reduce_logsumexp", "reduce_max", "reduce_mean", "reduce_min", "reduce_prod",
    "reduce_std", "reduce_sum", "reduce_variance",
]  # fmt: skip
