"""Choosing by a mask or by value: `boolean_mask`, `unique`, partitions, searching in sorted sequences."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from monitored._graph.build import apply, convert_to_tensor
from monitored._graph.constant import constant_value
from monitored._graph.dtypes import as_dtype, bool_, int32
from monitored._graph.opdef import define
from monitored._graph.operation import Tensor
from monitored._ops import rules
from monitored._ops.array import reshape, squeeze
from monitored._ops.array import shape as shape_of
from monitored._ops.gathering import ListDiff, Unique, UniqueWithCounts, gather, where
from monitored._ops.joining import concat
from monitored._ops.reductions import reduce_prod
from monitored._ops.rules import call


def _bounds(side: str) -> Any:
    def lower(rows: Any, values: Any) -> Any:
        return jax.vmap(lambda row, wanted: jnp.searchsorted(row, wanted, side=side))(jnp.asarray(rows), values)

    return lower


for _type, _side in (("LowerBound", "left"), ("UpperBound", "right")):
    define(
        _type, "sorted_inputs:T values:T -> output:out_type", _bounds(_side), infer=lambda op: op.inputs[1].shape,
        no_grad=True, out_type=int32,
    )  # fmt: skip


def boolean_mask(tensor: Any, mask: Any, name: str = "boolean_mask", axis: Any = None) -> Tensor:
    """The entries of a tensor for which a mask holds.

    Args:
        tensor: A tensor.
        mask: A tensor of type bool, whose shape is that of `tensor` from `axis` on, as far as it goes.
        name: A name for the operations.
        axis: The first axis that the mask covers (0 by default).

    Returns:
        A tensor with one axis, of the length that the data decides, in place of those that the mask covers.

    Raises:
        ValueError: If the mask is a scalar, its rank is not known, or its shape does not fit.
    """
    with rules.scope(name, "boolean_mask", tensor, mask):
        tensor = convert_to_tensor(tensor, name="tensor")
        mask = convert_to_tensor(mask, bool_, name="mask")
        covered = mask.shape.ndims
        if covered == 0:
            raise ValueError("mask cannot be scalar.")
        if covered is None:
            raise ValueError(
                "Number of mask dimensions must be specified, even if some dimensions are None.  E.g. shape=[None] is "
                "ok, but shape=None is not."
            )
        at = 0 if axis is None else int(constant_value(axis))  # type: ignore[arg-type]
        at = at % tensor.shape.ndims if at < 0 and tensor.shape.ndims is not None else at
        tensor.shape[at : at + covered].assert_is_compatible_with(mask.shape)
        count = reduce_prod(shape_of(tensor)[at : at + covered], [0])
        before, after = shape_of(tensor)[:at], shape_of(tensor)[at + covered :]
        flat = reshape(tensor, concat([before, [count], after], 0))
        length = tensor.shape[at : at + covered].num_elements()
        flat.set_shape(tensor.shape[:at].concatenate([length]).concatenate(tensor.shape[at + covered :]))
        indices = squeeze(where(reshape(mask, [-1])), axis=[1])
        return gather(flat, indices, axis=at)


def unique(x: Any, out_idx: Any = int32, name: str | None = None) -> Unique:
    """The values of a vector, each once, in the order of their first appearance.

    Args:
        x: A vector.
        out_idx: The type of the indices: int32 or int64.
        name: A name for the operation (optional; `Unique` by default).

    Returns:
        The values ``y`` and the index ``idx`` of each element's value in them, so that ``y[idx] == x``.
    """
    return Unique(*apply("Unique", x, name=name, out_idx=as_dtype(out_idx)))


def unique_with_counts(x: Any, out_idx: Any = int32, name: str | None = None) -> UniqueWithCounts:
    """The values of a vector, each once, in the order of their first appearance, and how often each appears.

    Args:
        x: A vector.
        out_idx: The type of the indices and counts: int32 or int64.
        name: A name for the operation (optional; `UniqueWithCounts` by default).

    Returns:
        The values ``y``, the index ``idx`` of each element's value in them, and the ``count`` of each value.
    """
    return UniqueWithCounts(*apply("UniqueWithCounts", x, name=name, out_idx=as_dtype(out_idx)))


def setdiff1d(x: Any, y: Any, index_dtype: Any = int32, name: str | None = None) -> ListDiff:
    """The elements of a vector that are not in another.

    Args:
        x: A vector.
        y: A vector of the same type.
        index_dtype: The type of the indices: int32 or int64.
        name: A name for the operation (optional; `ListDiff` by default).

    Returns:
        The elements ``out``, in their order, and the index ``idx`` of each in `x`.
    """
    return ListDiff(*apply("ListDiff", x, y, name=name, out_idx=as_dtype(index_dtype)))


def dynamic_partition(data: Any, partitions: Any, num_partitions: int, name: str | None = None) -> list[Tensor]:
    """The entries of a tensor, sorted into several tensors.

    Args:
        data: A tensor.
        partitions: For each entry, which tensor it goes to: int32, whose shape is the start of that of `data`.
        num_partitions: How many tensors there are.
        name: A name for the operation (optional; `DynamicPartition` by default).

    Returns:
        The tensors, each of a length that the data decides.
    """
    result: list[Tensor] = apply("DynamicPartition", data, partitions, name=name, num_partitions=num_partitions)
    return result


def dynamic_stitch(indices: Any, data: Any, name: str | None = None) -> Tensor:
    """The entries of several tensors, put in places of one.

    Args:
        indices: A list of int32 tensors: for each entry its place. Of several for one place the last counts.
        data: A list of tensors, whose shapes begin with those of `indices`.
        name: A name for the operation (optional; `DynamicStitch` by default).

    Returns:
        A tensor as long as the greatest index tells.
    """
    return call("DynamicStitch", indices, data, name=name)


def searchsorted(
    sorted_sequence: Any, values: Any, side: str = "left", out_type: Any = int32, name: str | None = None
) -> Tensor:
    """Where values belong in sorted sequences.

    Args:
        sorted_sequence: Sequences in ascending order, along the last axis.
        values: The values for each sequence, along the last axis.
        side: ``left``: before elements equal to a value; ``right``: after them.
        out_type: The type of the result: int32 or int64.
        name: A name for the operation (optional).

    Returns:
        A tensor of the shape of `values`: the index of each.

    Raises:
        ValueError: If `side` is neither.
    """
    if side not in ("left", "right"):
        raise ValueError(f"side must be either 'right' or 'left'.  Saw: {side}.")
    rows = reshape(sorted_sequence, [-1, shape_of(sorted_sequence)[-1]])
    wanted = reshape(values, [-1, shape_of(values)[-1]])
    found = apply(
        "LowerBound" if side == "left" else "UpperBound", rows, wanted, name=name, out_type=as_dtype(out_type)
    )
    return reshape(found, shape_of(values))


__all__ = [
    "boolean_mask", "dynamic_partition", "dynamic_stitch", "searchsorted", "setdiff1d", "unique",
    "unique_with_counts",
]  # fmt: skip
