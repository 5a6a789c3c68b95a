"""Choosing elements and rows: `where`, gathering and scattering by index, masks, partitions, unique values."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from monitored._graph.build import apply, convert_to_tensor
from monitored._graph.constant import constant_value, constant_value_as_shape
from monitored._graph.dtypes import bool_, int32
from monitored._graph.opdef import REQUIRED, define
from monitored._graph.operation import Operation, Tensor
from monitored._graph.shapes import TensorShape, broadcast_shape, unknown_shape
from monitored._ops import rules
from monitored._ops.array import reshape
from monitored._ops.array import shape as shape_of
from monitored._ops.lift import broadcast
from monitored._ops.rules import call
from monitored._ops.sparse_gradients import gather_gradient

_DROP = lax.GatherScatterMode.FILL_OR_DROP  # indices out of range read 0 and write nothing, as on TensorFlow's GPUs


class Unique(NamedTuple):
    """What `unique` gives."""

    y: Tensor
    idx: Tensor


class UniqueWithCounts(NamedTuple):
    """What `unique_with_counts` gives."""

    y: Tensor
    idx: Tensor
    count: Tensor  # type: ignore[assignment]  # TensorFlow's name for it hides a method of tuples


class ListDiff(NamedTuple):
    """What `setdiff1d` gives."""

    out: Tensor
    idx: Tensor


# -- rules for shapes ---------------------------------------------------------------------------------------


def _selected(op: Operation) -> TensorShape:
    condition, *branches = (t._shape for t in op._inputs)
    shape = rules.merged(op, branches)
    chosen, sizes = condition._sizes, shape._sizes
    if chosen is None or sizes is None or not chosen:
        return shape
    if len(chosen) == 1 and len(sizes) > 1:
        rules.merged(op, [TensorShape(sizes[:1]), condition])
        return shape
    return rules.merged(op, [shape, condition])


def _selected_broadcast(op: Operation) -> TensorShape:
    condition, one, other = (t._shape for t in op._inputs)
    try:
        return broadcast_shape(broadcast_shape(one, other), condition)
    except ValueError as error:
        raise rules.misfit(op, str(error)) from None


def _gathered(op: Operation) -> TensorShape:
    params, indices = op._inputs[0]._shape._sizes, op._inputs[1]._shape._sizes
    axis, batch = constant_value(op._inputs[2]), op._attrs["batch_dims"]
    if params is not None and not params:
        raise rules.misfit(op, "Shape must be at least rank 1 but is rank 0")
    if params is None or indices is None or axis is None:
        known = params is not None and indices is not None
        return unknown_shape(len(params) + len(indices) - 1 - batch if known else None)  # type: ignore[arg-type]
    at = rules.axis_of(op, int(axis.item()), len(params))
    batch = batch % (len(indices) or 1)
    outer = rules.merged(op, [TensorShape(params[:batch]), TensorShape(indices[:batch])])
    return TensorShape((*(outer._sizes or ()), *params[batch:at], *indices[batch:], *params[at + 1 :]))


def _gathered_nd(op: Operation) -> TensorShape:
    params, indices = op._inputs[0]._shape._sizes, op._inputs[1]._shape._sizes
    if not indices or indices[-1] is None or params is None:
        return TensorShape(None)
    if indices[-1] > len(params):
        raise rules.misfit(op, "indices.shape[-1] must be <= params.rank")
    return TensorShape((*indices[:-1], *params[indices[-1] :]))


def _scattered(op: Operation) -> TensorShape:
    shape = constant_value_as_shape(op._inputs[2])
    _check_updates(op, shape)
    return shape


def _scattered_into(op: Operation) -> TensorShape:
    _check_updates(op, op._inputs[0]._shape)
    return op._inputs[0]._shape


def _check_updates(op: Operation, shape: TensorShape) -> None:
    at = 0 if op.type == "ScatterNd" else 1
    indices, updates = op._inputs[at]._shape._sizes, op._inputs[at + 1]._shape
    if indices and indices[-1] is not None and shape._sizes is not None:
        wanted = TensorShape((*indices[:-1], *shape._sizes[indices[-1] :]))
        if not wanted.is_compatible_with(updates):
            raise rules.misfit(op, f"The updates must have shape {wanted}, but have {updates}")


def _partitioned(op: Operation) -> list[TensorShape]:
    data, partitions = (t._shape._sizes for t in op._inputs)
    known = data is not None and partitions is not None
    shape = TensorShape((None, *data[len(partitions) :]) if known else None)  # type: ignore[index, arg-type]
    return [shape] * op._attrs["num_partitions"]


def _stitched(op: Operation) -> TensorShape:
    count = op._attrs["N"]
    rests: list[TensorShape] = []
    length: int | None = 0
    for indices, data in zip(op._inputs[:count], op._inputs[count:], strict=True):
        if indices._shape._sizes is not None and data._shape._sizes is not None:
            rests.append(TensorShape(data._shape._sizes[len(indices._shape._sizes) :]))
        value = constant_value(indices)
        length = None if value is None or length is None else max(length, int(value.max(initial=-1)) + 1)
    return TensorShape([length]).concatenate(rules.merged(op, rests)) if rests else TensorShape(None)


# -- meanings -----------------------------------------------------------------------------------------------


def _select(condition: Any, x: Any, y: Any) -> Any:
    if condition.ndim != x.ndim:
        condition = condition.reshape(condition.shape + (1,) * (x.ndim - condition.ndim))
    return lax.select_n(jnp.broadcast_to(condition, x.shape), y, x)


def _select_broadcast(condition: Any, x: Any, y: Any) -> Any:
    condition, x, y = broadcast(condition, x, y)
    return lax.select_n(condition, y, x)


def _select_numpy(condition: Any, x: Any, y: Any) -> Any:
    return np.where(condition.reshape(condition.shape + (1,) * (x.ndim - condition.ndim)), x, y)


def _gather(params: Any, indices: Any, axis: Any, *, batch_dims: int) -> Any:
    at = int(axis.item()) % params.ndim
    take = _take
    for _ in range(batch_dims % (indices.ndim or 1)):
        take = jax.vmap(take, in_axes=(0, 0, None))
        at -= 1
    return take(jnp.asarray(params), jnp.asarray(indices), at)


def _take(params: Any, indices: Any, axis: int) -> Any:
    """Entries of one axis by index (`jax.numpy.take` counts negative indices from the end, TensorFlow does not)."""
    after = range(axis + indices.ndim, params.ndim + indices.ndim - 1)
    numbers = lax.GatherDimensionNumbers((*range(axis), *after), (axis,), (axis,))
    sizes = (*params.shape[:axis], 1, *params.shape[axis + 1 :])
    return lax.gather(params, indices[..., None], numbers, sizes, mode=_DROP, fill_value=0)


def _gather_nd(params: Any, indices: Any) -> Any:
    indices = jnp.asarray(indices)
    depth, outer = indices.shape[-1], indices.ndim - 1
    axes = tuple(range(depth))
    numbers = lax.GatherDimensionNumbers(tuple(range(outer, outer + params.ndim - depth)), axes, axes)
    sizes = (1,) * depth + params.shape[depth:]
    return lax.gather(params, indices, numbers, sizes, mode=_DROP, fill_value=0)


def _scatter_numbers(indices: Any, updates: Any) -> lax.ScatterDimensionNumbers:
    axes = tuple(range(indices.shape[-1]))
    return lax.ScatterDimensionNumbers(tuple(range(indices.ndim - 1, updates.ndim)), axes, axes)


def _scatter_nd(indices: Any, updates: Any, shape: Any) -> Any:
    return _scatter_add(lax.full(tuple(shape.tolist()), 0, updates.dtype), indices, updates)


def _scatter_add(tensor: Any, indices: Any, updates: Any) -> Any:
    return lax.scatter_add(tensor, indices, updates, _scatter_numbers(indices, updates), mode=_DROP)


def _scatter_update(tensor: Any, indices: Any, updates: Any) -> Any:
    return lax.scatter(tensor, indices, updates, _scatter_numbers(indices, updates), mode=_DROP)


def _where(context: Any, op: Operation, condition: Any) -> tuple[Any]:
    return (_where_numpy(condition),)


def _where_numpy(condition: Any) -> Any:
    return np.argwhere(condition).astype(np.int64)


def _unique_numpy(x: Any) -> tuple[Any, Any, Any]:
    """Unique values in the order of their first appearance, where each element's value stands, and their counts."""
    _, first, inverse, counts = np.unique(x, return_index=True, return_inverse=True, return_counts=True)
    order = np.argsort(first)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return x[np.sort(first)], place[inverse.ravel()], counts[order]


def _unique(context: Any, op: Operation, x: Any) -> tuple[Any, ...]:
    values, *rest = _unique_numpy(x)
    index_type = op._attrs["out_idx"].as_numpy_dtype
    return (values, *(r.astype(index_type) for r in rest))[: len(op._outputs)]


def _difference_numpy(x: Any, y: Any) -> tuple[Any, Any]:
    index = np.flatnonzero(~np.isin(x, y))
    return x[index], index


def _difference(context: Any, op: Operation, x: Any, y: Any) -> tuple[Any, Any]:
    values, index = _difference_numpy(x, y)
    return values, index.astype(op._attrs["out_idx"].as_numpy_dtype)


def _partition(context: Any, op: Operation, data: Any, partitions: Any) -> tuple[Any, ...]:
    return tuple(data[partitions == i] for i in range(op._attrs["num_partitions"]))


def _partition_gradient(op: Operation, *gradients: Any) -> list[Any]:
    data, partitions = op.inputs
    everything = reshape(apply("Range", 0, apply("Size", partitions), 1), shape_of(partitions))
    places = apply("DynamicPartition", everything, partitions, num_partitions=op._attrs["num_partitions"])
    filled = [g if g is not None else apply("ZerosLike", t) for g, t in zip(gradients, op.outputs, strict=True)]
    return [reshape(apply("DynamicStitch", places, filled), shape_of(data)), None]


def _stitch_numpy(*values: Any) -> Any:
    half = len(values) // 2
    pairs = list(zip(values[:half], values[half:], strict=True))
    length = max(int(i.max(initial=-1)) for i, _ in pairs) + 1
    rest = pairs[0][1].shape[pairs[0][0].ndim :]
    merged = np.zeros((length, *rest), pairs[0][1].dtype)
    for indices, data in pairs:
        merged[indices.ravel()] = data.reshape(-1, *rest)
    return merged


def _stitch(context: Any, op: Operation, *values: Any) -> tuple[Any]:
    return (_stitch_numpy(*values),)


def _stitch_gradient(op: Operation, gradient: Any) -> list[Any]:
    count = op._attrs["N"]
    return [None] * count + [gather(gradient, indices) for indices in op.inputs[:count]]


def _invert_permutation(x: Any) -> Any:
    return jnp.zeros_like(x).at[x].set(lax.iota(x.dtype, x.shape[0]))


# fmt: off
define("Select", "condition:bool t:T e:T -> output:T", _select, infer=_selected, fold=_select_numpy)
define("SelectV2", "condition:bool t:T e:T -> output:T", _select_broadcast, infer=_selected_broadcast, fold=np.where)
define("GatherV2", "params:Tparams indices:Tindices axis:Taxis -> output:Tparams", _gather, infer=_gathered,
       static=(2,), fold=lambda params, indices, axis: np.take(params, indices, int(axis.item())), grad=gather_gradient,
       batch_dims=0)
define("GatherNd", "params:Tparams indices:Tindices -> output:Tparams", _gather_nd, infer=_gathered_nd,
       fold=lambda params, indices: params[tuple(np.moveaxis(indices, -1, 0))])
define("ScatterNd", "indices:Tindices updates:T shape:Tindices -> output:T", _scatter_nd, infer=_scattered, static=(2,))
define("TensorScatterUpdate", "tensor:T indices:Tindices updates:T -> output:T", _scatter_update,
       infer=_scattered_into)
define("TensorScatterAdd", "tensor:T indices:Tindices updates:T -> output:T", _scatter_add, infer=_scattered_into)
define("TensorScatterSub", "tensor:T indices:Tindices updates:T -> output:T",
       lambda tensor, indices, updates: _scatter_add(tensor, indices, -updates), infer=_scattered_into)
define("InvertPermutation", "x:T -> y:T", _invert_permutation, fold=np.argsort, no_grad=True, T=int32,
       infer=lambda op: TensorShape(rules.with_rank(op, 0, 1)))
# What these give has as many elements as the data decides.
define("Where", "input:T -> index:int64", host=_where, fold=_where_numpy, no_grad=True, T=bool_,
       infer=lambda op: TensorShape([None, op._inputs[0]._shape.ndims]))
define("Unique", "x:T -> y:T idx:out_idx", host=_unique, fold=_unique_numpy, out_idx=int32,
       infer=lambda op: [TensorShape([None]), op._inputs[0]._shape])
define("UniqueWithCounts", "x:T -> y:T idx:out_idx count:out_idx", host=_unique, fold=_unique_numpy,
       infer=lambda op: [TensorShape([None]), op._inputs[0]._shape, TensorShape([None])], out_idx=int32)
define("ListDiff", "x:T y:T -> out:T idx:out_idx", host=_difference, fold=_difference_numpy,
       infer=lambda op: [TensorShape([None]), TensorShape([None])], out_idx=int32)
define("DynamicPartition", "data:T partitions:int32 -> outputs:num_partitions*T", host=_partition, infer=_partitioned,
       grad=_partition_gradient, num_partitions=REQUIRED)
define("DynamicStitch", "indices:N*int32 data:N*T -> merged:T", host=_stitch, fold=_stitch_numpy, infer=_stitched,
       grad=_stitch_gradient)
# fmt: on


def where(condition: Any, x: Any = None, y: Any = None, name: str | None = None) -> Tensor:
    """Elements of `x` where a condition holds and of `y` elsewhere; with one argument, where it holds.

    Args:
        condition: A tensor of type bool: of the shape of `x`, a scalar, or a vector that chooses rows. With one
            argument also one of numbers, which hold where they are not 0.
        x: A tensor.
        y: A tensor of the same type and shape.
        name: A name for the operation (optional).

    Returns:
        A tensor of the type and shape of `x`; with one argument the indices of the elements that hold: int64
        ``[how many, rank]``, in the order in which they stand.

    Raises:
        ValueError: If only one of `x` and `y` is given, or the shapes differ.
    """
    result: Tensor
    if x is None and y is None:
        condition = convert_to_tensor(condition, name="condition", preferred_dtype=bool_)
        result = apply("Where", condition, name=name)
    elif x is None or y is None:
        raise ValueError("x and y must both be non-None or both be None.")
    else:
        result = apply("Select", condition, x, y, name=name)
    return result


def where_v2(condition: Any, x: Any = None, y: Any = None, name: str | None = None) -> Tensor:
    """As `where`, with shapes that broadcast against each other as in NumPy.

    Args:
        condition: A tensor of type bool.
        x: A tensor.
        y: A tensor of the same type.
        name: A name for the operation (optional).

    Returns:
        A tensor of the type of `x` and the broadcast shape; with one argument the indices as of `where`.

    Raises:
        ValueError: If only one of `x` and `y` is given, or the shapes do not fit.
    """
    if x is None or y is None:
        return where(condition, x, y, name)
    return call("SelectV2", condition, x, y, name=name)


def gather(
    params: Any,
    indices: Any,
    validate_indices: bool | None = None,
    name: str | None = None,
    axis: Any = None,
    batch_dims: int = 0,
) -> Tensor:
    """Entries of a tensor by their index along one axis.

    Args:
        params: A tensor or variable.
        indices: A tensor of int32 or int64. An index out of range gives zeros.
        validate_indices: Accepted as TensorFlow does.
        name: A name for the operation (optional; `GatherV2` by default).
        axis: The axis of `params` (`batch_dims` by default).
        batch_dims: How many axes `params` and `indices` have in common at their start.

    Returns:
        A tensor of shape ``params.shape[:axis] + indices.shape[batch_dims:] + params.shape[axis + 1:]``.

    Raises:
        ValueError: If the axis is out of range or `params` is a scalar.
    """
    return call("GatherV2", params, indices, batch_dims if axis is None else axis, name=name, batch_dims=batch_dims)


def batch_gather(params: Any, indices: Any, name: str | None = None) -> Tensor:
    """Entries along the last axis of `indices`, for each of the entries of the axes before it.

    Args:
        params: A tensor.
        indices: A tensor of int32 or int64, whose axes but the last are those of `params`.
        name: A name for the operation (optional; `BatchGather` by default).

    Returns:
        A tensor of the shape of `indices`, followed by the other axes of `params`.

    Raises:
        ValueError: If the rank of `indices` is not known.
    """
    with rules.scope(name, "BatchGather", params, indices) as full:
        indices = convert_to_tensor(indices, name="indices")
        rank = indices.shape.ndims
        if rank is None:
            raise ValueError("batch_gather does not allow indices with unknown shape.")
        return gather(params, indices, name=full, axis=rank - 1, batch_dims=rank - 1)


def gather_nd(params: Any, indices: Any, name: str | None = None, batch_dims: int = 0) -> Tensor:
    """Entries of a tensor by their indices along its first axes.

    Args:
        params: A tensor or variable.
        indices: Integers ``[..., k]``: each row the indices of one entry. One out of range gives zeros.
        name: A name for the operation (optional; `GatherNd` by default).
        batch_dims: 0; axes in common are the work of `batch_gather`.

    Returns:
        A tensor of shape ``indices.shape[:-1] + params.shape[k:]``.

    Raises:
        ValueError: If rows of `indices` are longer than `params` has axes.
        NotImplementedError: If `batch_dims` is not 0.
    """
    if batch_dims:
        raise NotImplementedError("gather_nd with batch_dims is not supported; use tf.gather(..., batch_dims=...)")
    return call("GatherNd", params, indices, name=name)


def scatter_nd(indices: Any, updates: Any, shape: Any, name: str | None = None) -> Tensor:
    """A tensor of zeros to which values are added at indices.

    Args:
        indices: Integers ``[..., k]``: each row the indices along the first k axes.
        updates: The values: a tensor of shape ``indices.shape[:-1] + shape[k:]``.
        shape: The sizes of the result.
        name: A name for the operation (optional; `ScatterNd` by default).

    Returns:
        A tensor of the type of `updates`. Values for the same indices are summed.

    Raises:
        ValueError: If the shapes do not fit.
    """
    return call("ScatterNd", indices, updates, shape, name=name)


def tensor_scatter_update(tensor: Any, indices: Any, updates: Any, name: str | None = None) -> Tensor:
    """A tensor with other values at indices.

    Args:
        tensor: A tensor.
        indices: Integers ``[..., k]``: each row the indices along the first k axes.
        updates: The values: a tensor of shape ``indices.shape[:-1] + tensor.shape[k:]``.
        name: A name for the operation (optional).

    Returns:
        A tensor of the type and shape of `tensor`.

    Raises:
        ValueError: If the shapes do not fit.
    """
    return call("TensorScatterUpdate", tensor, indices, updates, name=name)


def tensor_scatter_add(tensor: Any, indices: Any, updates: Any, name: str | None = None) -> Tensor:
    """A tensor with values added at indices; see `tensor_scatter_update`.

    Args:
        tensor: A tensor.
        indices: Integers ``[..., k]``.
        updates: The values.
        name: A name for the operation (optional).

    Returns:
        A tensor of the type and shape of `tensor`. Values for the same indices are summed.
    """
    return call("TensorScatterAdd", tensor, indices, updates, name=name)


def tensor_scatter_sub(tensor: Any, indices: Any, updates: Any, name: str | None = None) -> Tensor:
    """A tensor with values subtracted at indices; see `tensor_scatter_update`.

    Args:
        tensor: A tensor.
        indices: Integers ``[..., k]``.
        updates: The values.
        name: A name for the operation (optional).

    Returns:
        A tensor of the type and shape of `tensor`. Values for the same indices are summed.
    """
    return call("TensorScatterSub", tensor, indices, updates, name=name)


tensor_scatter_nd_update = tensor_scatter_update
tensor_scatter_nd_add = tensor_scatter_add
tensor_scatter_nd_sub = tensor_scatter_sub


def invert_permutation(x: Any, name: str | None = None) -> Tensor:
    """The permutation that undoes another.

    Args:
        x: A vector of int32 or int64 that holds each of 0 to n - 1 once.
        name: A name for the operation (optional; `InvertPermutation` by default).

    Returns:
        A vector of the same type: ``y[x[i]] == i``.
    """
    return call("InvertPermutation", x, name=name)


__all__ = [
    "batch_gather", "gather", "gather_nd", "invert_permutation", "scatter_nd", "tensor_scatter_add",
    "tensor_scatter_nd_add", "tensor_scatter_nd_sub", "tensor_scatter_nd_update", "tensor_scatter_sub",
    "tensor_scatter_update", "where", "where_v2",
]  # fmt: skip
