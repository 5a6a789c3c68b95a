"""Assignments to slices of variables: ``variable[1:, 0].assign(value)``."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from monitored import errors
from monitored._graph.build import apply
from monitored._graph.effects import variable_behind
from monitored._graph.opdef import StaticNeeded, define
from monitored._graph.operation import Tensor
from monitored._ops.slicing import MASKS, as_index, cuts, is_known

__all__ = ["assign_slice"]

_POSITIONS = {"begin": 1, "end": 2}


def _assign(
    ref: Any, begin: Any, end: Any, strides: Any, value: Any, *, begin_mask: int, end_mask: int, ellipsis_mask: int,
    new_axis_mask: int, shrink_axis_mask: int,
) -> Any:  # fmt: skip
    masks = dict(zip(MASKS, (begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask), strict=True))
    entries = cuts(jnp.ndim(ref), list(begin), list(end), strides.tolist(), masks)
    for cut in entries:
        if cut is not None and not cut.shrink:
            for name, position in _POSITIONS.items():
                if not is_known(getattr(cut, name)):
                    raise StaticNeeded(position)
    index = tuple(as_index(cut) for cut in entries)
    ref = jnp.asarray(ref)
    wanted = jax.eval_shape(lambda x: x[index], ref).shape
    if wanted != jnp.shape(value):
        raise errors.UnimplementedError(
            None,
            None,
            f"sliced l-value shape {list(wanted)} does not match r-value shape {list(jnp.shape(value))}. Give a value "
            "of the slice's shape, such as tf.fill(tf.shape(variable[...]), value).",
        )
    return ref.at[index].set(value)


define(
    "StridedSliceAssign", "ref:&T begin:Index end:Index strides:Index value:T -> output_ref:&T", _assign,
    infer=lambda op: op.inputs[0].shape, updates=(0,), static_if_known=(1, 2), static=(3,), no_grad=True,
    begin_mask=0, end_mask=0, ellipsis_mask=0, new_axis_mask=0, shrink_axis_mask=0,
)  # fmt: skip


def assign_slice(part: Tensor, value: Any, name: str | None = None) -> Tensor:
    """Gives a slice of a variable a new value: what ``variable[...].assign`` calls.

    Args:
        part: The slice, as indexing a variable gives it.
        value: The new value, of the slice's shape and type.
        name: A name for the operation.

    Returns:
        A tensor that holds the variable's new value after the assignment.

    Raises:
        ValueError: If it is no slice of a variable.
    """
    op = part.op
    variable = variable_behind(op.inputs[0])
    if variable is None:
        raise ValueError(f"Sliced assignment is only supported for variables, and '{op.inputs[0].name}' is none.")
    masks = {mask: op.get_attr(mask) for mask in MASKS}
    with part.graph.as_default() as graph, graph.name_scope(None if name else op.name + "/"):
        arguments = (variable._outputs[0], *op.inputs[1:], value)
        if variable.type == "VarHandleOp":
            changed = apply("ResourceStridedSliceAssign", *arguments, name=name or "_assign", **masks)
            with graph.control_dependencies([changed]):
                read: Tensor = apply("ReadVariableOp", variable._outputs[0], name="Read")
            return read
        result: Tensor = apply("StridedSliceAssign", *arguments, name=name or "_assign", **masks)
        return result
