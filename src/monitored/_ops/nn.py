"""Layers made of several ops, dropout, and lookups by rank or by index."""

from __future__ import annotations

import numbers
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax

from monitored._graph import dtypes
from monitored._graph.build import apply, convert_to_tensor
from monitored._graph.constant import constant_value
from monitored._graph.opdef import define
from monitored._graph.operation import Operation, Tensor
from monitored._graph.shapes import TensorShape
from monitored._ops.activations import bias_add, relu
from monitored._ops.array import shape
from monitored._ops.clip import clip_by_norm
from monitored._ops.linalg import matmul
from monitored._ops.partitioned_variables import PartitionedVariable
from monitored._ops.random import random_uniform
from monitored._ops.reductions import reduce_sum
from monitored._ops.rules import misfit, scope, with_rank

__all__ = [
    "dropout",
    "embedding_lookup",
    "in_top_k",
    "relu_layer",
    "top_k",
    "xw_plus_b",
    "zero_fraction",
]


# -- meanings and shapes ------------------------------------------------------------------------------------


def _top_k(input: Any, k: Any) -> tuple[Any, Any]:
    values, indices = lax.top_k(input, int(k))
    return values, indices.astype(jnp.int32)


def _top_k_shapes(op: Operation) -> list[TensorShape]:
    sizes = op.inputs[0].shape.sizes
    k = constant_value(op.inputs[1])
    if sizes is None:
        return [TensorShape(None)] * 2
    if not sizes:
        raise misfit(op, "Shape must be at least rank 1 but is rank 0")
    if k is not None and k < 0:
        raise misfit(op, f"Need k >= 0, got {k}")
    if k is not None and sizes[-1] is not None and sizes[-1] < k:
        raise misfit(op, f"input must have last dimension >= k = {k} but is {sizes[-1]}")
    return [TensorShape([*sizes[:-1], None if k is None else int(k)])] * 2


def _in_top_k(predictions: Any, targets: Any, k: Any) -> Any:
    """As in TensorFlow, classes that tie with the target do not push it out, and no row with NaN or infinity counts."""
    classes = predictions.shape[1]
    valid = (targets >= 0) & (targets < classes)
    at = jnp.where(valid, targets, 0)
    target = jnp.take_along_axis(jnp.asarray(predictions), at[:, None], axis=1)
    above = jnp.sum(predictions > target, axis=1)
    return valid & jnp.all(jnp.isfinite(predictions), axis=1) & (above < k)


def _in_top_k_shape(op: Operation) -> TensorShape:
    (rows, _), (targets,) = with_rank(op, 0, 2), with_rank(op, 1, 1)
    if rows is not None and targets is not None and rows != targets:
        raise misfit(op, f"Dimensions must be equal, but are {rows} and {targets}")
    return TensorShape([targets if rows is None else rows])


define("TopKV2", "input:T k:int32 -> values:T indices:int32", _top_k, infer=_top_k_shapes, static=(1,), sorted=True)
define("InTopKV2", "predictions:float32 targets:T k:T -> precision:bool", _in_top_k, infer=_in_top_k_shape,
       no_grad=True, T=dtypes.int32)  # fmt: skip


# -- public functions ---------------------------------------------------------------------------------------


class TopKV2(NamedTuple):
    """What `top_k` returns."""

    values: Tensor
    indices: Tensor


def top_k(input: Any, k: Any = 1, sorted: bool = True, name: str | None = None) -> TopKV2:
    """The greatest elements along the last dimension.

    Args:
        input: ``[..., n]``, of a real type.
        k: How many: an int32 scalar, not above n.
        sorted: Whether the greatest come first; they always do.
        name: A name for the operation.

    Returns:
        The values ``[..., k]`` and their int32 indices in the last dimension; of equal elements the first comes first.

    Raises:
        ValueError: If `input` is a scalar or has fewer than `k` elements along the last dimension.
    """
    return TopKV2(*apply("TopKV2", input, k, name=name, sorted=sorted))


def in_top_k(predictions: Any, targets: Any, k: Any, name: str | None = None) -> Tensor:
    """Whether the target class is among the k with the greatest predictions.

    Args:
        predictions: ``[batch, classes]``, float32.
        targets: ``[batch]``, int32 or int64.
        k: How many classes: a scalar of the type of `targets`.
        name: A name for the operation.

    Returns:
        ``[batch]``, bool. Classes with the same prediction as the target's do not count against it; false for a target
        that is no class, and where predictions are not finite.

    Raises:
        ValueError: If the shapes do not fit.
    """
    with scope(name, "in_top_k", predictions, targets):
        result: Tensor = apply("InTopKV2", predictions, targets, k, name=name)
        return result


def dropout(
    x: Any,
    keep_prob: Any = None,
    noise_shape: Any = None,
    seed: int | None = None,
    name: str | None = None,
    rate: Any = None,
) -> Tensor:
    """Sets random elements to 0, and scales the others up so that the expected sum stays (Srivastava et al., 2014).

    Args:
        x: A tensor of a floating type.
        keep_prob: An old way to give the rate: 1 minus it.
        noise_shape: The shape of the mask, which broadcasts against `x`: a dimension of size 1 is kept or dropped as
            a whole. That of `x` by default; None in a list stands for the size of `x` there.
        seed: The op's seed; see `set_random_seed`.
        name: A name for the operations.
        rate: The probability that an element is dropped: a number in ``[0, 1)``, or a scalar of the type of `x`.

    Returns:
        A tensor of the shape and type of `x`; `x` itself when the rate is the number 0.

    Raises:
        ValueError: If there is no rate, or two, or it is out of range, or `x` is not floating.
    """
    rate = _rate(keep_prob, rate)
    with scope(name, "dropout", x, rate):
        tensor = convert_to_tensor(x, name="x")
        if not tensor.dtype.is_floating:
            raise ValueError(
                f"x has to be a floating point tensor since it's going to be scaled. Got a {tensor.dtype!r} tensor "
                "instead."
            )
        if isinstance(rate, numbers.Real):
            number = float(rate)
            if not 0 <= number < 1:
                raise ValueError(f"rate must be a scalar tensor or a float in the range [0, 1), got {number:g}")
            if number == 0:
                return tensor
        rate = convert_to_tensor(rate, tensor.dtype, name="rate")
        rate.shape.assert_is_compatible_with(TensorShape([]))
        draws = random_uniform(_noise_shape(tensor, noise_shape), seed=seed, dtype=tensor.dtype.base_dtype)
        scale = 1 / (1 - rate)
        kept = apply("GreaterEqual", draws, rate)
        scaled = tensor * scale
        kept = apply("Cast", kept, DstT=tensor.dtype.base_dtype)
        result: Tensor = scaled * kept
        if noise_shape is not None:
            result.set_shape(tensor.shape)
        return result


def _rate(keep_prob: Any, rate: Any) -> Any:
    if keep_prob is not None and rate is not None:
        raise ValueError("Cannot specify both 'keep_prob' and 'rate'")
    if keep_prob is None and rate is None:
        raise ValueError("You must provide a rate to dropout.")
    if rate is not None:
        return rate
    try:  # a number, so that 1 - 0.9 is not 0.100000024
        return 1 - float(keep_prob) if isinstance(keep_prob, numbers.Real) else 1 - keep_prob
    except TypeError:
        raise ValueError(
            f"keep_prob must be a floating point number or Tensor (got {type(keep_prob).__name__})."
        ) from None


def _noise_shape(x: Tensor, noise_shape: Any) -> Any:
    if noise_shape is None:
        return shape(x)
    if isinstance(noise_shape, (list, tuple, TensorShape)) and x.shape.ndims == len(noise_shape):
        sizes = noise_shape.as_list() if isinstance(noise_shape, TensorShape) else list(noise_shape)
        known = [x.shape[i].value if size is None else size for i, size in enumerate(sizes)]
        if all(isinstance(size, int) for size in known):
            return known
        if None in known:
            raise ValueError(f"Cannot convert a partially known TensorShape to a Tensor: {TensorShape(known)}")
    return noise_shape


def embedding_lookup(
    params: Any,
    ids: Any,
    partition_strategy: str = "mod",
    name: str | None = None,
    validate_indices: bool = True,
    max_norm: float | None = None,
) -> Tensor:
    """Rows of an embedding.

    Args:
        params: The embedding ``[rows, ...]``: a tensor or variable, or a partitioned variable or list of its parts.
        ids: The rows' numbers, int32 or int64, of any shape.
        partition_strategy: How rows are dealt to the parts: ``'mod'`` (in turns) or ``'div'`` (one part after the
            other).
        name: A name for the operations.
        validate_indices: Accepted as TensorFlow does, which does not use it either.
        max_norm: The greatest Euclidean norm of a row: longer ones are scaled down.

    Returns:
        A tensor of the shape of `ids` followed by that of a row.

    Raises:
        ValueError: If `params` is None or empty, or the strategy is none of these.
    """
    if params is None or (isinstance(params, (list, tuple)) and not params):
        raise ValueError(f"Need at least one param, but params is {params!r}")
    parts = list(params) if isinstance(params, (list, tuple, PartitionedVariable)) else [params]
    with scope(name, "embedding_lookup", *parts, ids) as full:
        ids = convert_to_tensor(ids, name="ids")
        if len(parts) == 1:
            found = apply("GatherV2", parts[0], ids, 0, name=full)
        else:
            found = _gathered_from(parts, ids, partition_strategy, full)
        if max_norm is not None:
            rank = convert_to_tensor(parts[0]).shape.ndims
            if rank is None:
                raise ValueError("The rank of params must be known for max_norm")
            found = clip_by_norm(found, max_norm, axes=list(range(1 - rank, 0)))
        result: Tensor = apply("Identity", found)
        return result


def _gathered_from(parts: list[Any], ids: Tensor, strategy: str, name: str) -> Any:
    """Rows of an embedding in parts.

    Each part is asked for all ids, those of other parts as one beyond its end: for them a gather reads zeros, and its
    gradient, which holds these rows alone, changes nothing.
    """
    tables: list[Any] = [convert_to_tensor(part, name="params") for part in parts]
    counts = [_rows_of(table, ids) for table in tables]
    if strategy == "mod":  # rows are dealt in turns
        owner, row = ids % len(tables), ids // len(tables)
    elif strategy == "div":  # the first parts have one row more, if they are not all alike
        total = sum(counts[1:], counts[0])
        each, more = total // len(tables), total % len(tables)
        owner = apply("Maximum", ids // (each + 1), (ids - more) // each)
        row = apply("Select", owner < more, ids % (each + 1), (ids - more) % each)
    else:
        raise ValueError(f"Unrecognized partition strategy: {strategy}")
    kind = ids.dtype.base_dtype
    if tables[0].dtype.base_dtype in (dtypes.bool_, dtypes.string):  # which cannot be added up
        starts = [sum(counts[1:number], counts[0]) if number else 0 for number in range(len(counts))]
        place = apply("GatherV2", convert_to_tensor(starts, kind, name="starts"), owner, 0) + row
        return apply("GatherV2", apply("ConcatV2", tables, 0), place, 0, name=name)
    found = []
    for number, (table, count) in enumerate(zip(tables, counts, strict=True)):
        beyond = apply("Fill", shape(ids), convert_to_tensor(count, kind))
        found.append(apply("GatherV2", table, apply("Select", apply("Equal", owner, number), row, beyond), 0))
    return apply("AddN", found, name=name)


def _rows_of(table: Tensor, ids: Tensor) -> Any:
    """The number of a table's rows, of the ids' type; a Python number where the graph tells it."""
    known = table.shape[0].value if table.shape.ndims else None
    return shape(table, out_type=ids.dtype.base_dtype)[0] if known is None else known


def xw_plus_b(x: Any, weights: Any, biases: Any, name: str | None = None) -> Tensor:
    """``matmul(x, weights) + biases``.

    Args:
        x: ``[batch, inputs]``.
        weights: ``[inputs, outputs]``.
        biases: ``[outputs]``.
        name: A name for the operations.

    Returns:
        ``[batch, outputs]``.

    Raises:
        ValueError: If the shapes do not fit.
    """
    with scope(name, "xw_plus_b", x, weights, biases) as full:
        return bias_add(matmul(x, weights), biases, name=full)


def relu_layer(x: Any, weights: Any, biases: Any, name: str | None = None) -> Tensor:
    """``relu(matmul(x, weights) + biases)``.

    Args:
        x: ``[batch, inputs]``.
        weights: ``[inputs, outputs]``.
        biases: ``[outputs]``.
        name: A name for the operations.

    Returns:
        ``[batch, outputs]``.

    Raises:
        ValueError: If the shapes do not fit.
    """
    with scope(name, "relu_layer", x, weights, biases) as full:
        return relu(bias_add(matmul(x, weights), biases), name=full)


def zero_fraction(value: Any, name: str | None = None) -> Tensor:
    """The fraction of elements that are 0.

    Args:
        value: A tensor of a numeric type.
        name: A name for the operations.

    Returns:
        A float32 scalar; NaN where there are no elements.
    """
    with scope(name, "zero_fraction", value):
        value = convert_to_tensor(value, name="value")
        zero = apply("Equal", value, np.zeros((), value.dtype.as_numpy_dtype))
        count = reduce_sum(apply("Cast", zero, DstT=dtypes.int64))
        size = apply("Size", value, out_type=dtypes.int64)
        parts = [apply("Cast", n, DstT=dtypes.float32) for n in (count, size)]
        result: Tensor = apply("RealDiv", *parts, name="fraction")
        return result
