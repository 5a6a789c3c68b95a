"""Variables as operations: the node that holds one, and the ops that read and change it.

A `VariableV2` node's output is a reference. Using it (or its reading alias, the `Identity` named ``<variable>/read``)
as an input reads the variable where it is used; any other `Identity` of a reference keeps the value of its own place
in the program's order. The ops that change variables return the new values, and the session keeps those.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from monitored._graph.opdef import REQUIRED, define
from monitored._graph.operation import Operation
from monitored._graph.shapes import TensorShape

define(
    "VariableV2", "-> ref:&dtype", infer=lambda op: op._attrs["shape"], stateful=True,
    shape=REQUIRED, container="", shared_name="",
)  # fmt: skip


def _assigned_shape(op: Operation) -> TensorShape:
    ref, value = op.inputs[0].shape, op.inputs[1].shape
    if not op._attrs["validate_shape"]:
        return value
    if not ref.is_compatible_with(value):
        raise ValueError(
            f"Dimensions must be equal: the variable '{op.inputs[0].op.name}' has shape {ref}, but '{op.name}' "
            f"(op: 'Assign') gives it a value of shape {value}. Created at {op.creation_site}."
        )
    return ref.merge_with(value)


def _same_shape(op: Operation) -> TensorShape:
    try:
        return op.inputs[0].shape.merge_with(op.inputs[1].shape)
    except ValueError:
        raise ValueError(
            f"Dimensions must be equal: the variable '{op.inputs[0].op.name}' has shape {op.inputs[0].shape}, but "
            f"'{op.name}' (op: '{op.type}') gives it a value of shape {op.inputs[1].shape}. "
            f"Created at {op.creation_site}."
        ) from None


define(
    "Assign", "ref:&T value:T -> output_ref:&T", lambda value: value, infer=_assigned_shape, updates=(0,),
    overwrites=True, validate_shape=True, use_locking=True,
)  # fmt: skip
define(
    "AssignAdd", "ref:&T value:T -> output_ref:&T", lambda ref, value: ref + value, infer=_same_shape, updates=(0,),
    use_locking=False,
)  # fmt: skip
define(
    "AssignSub", "ref:&T value:T -> output_ref:&T", lambda ref, value: ref - value, infer=_same_shape, updates=(0,),
    use_locking=False,
)  # fmt: skip


def _scatter(method: str) -> Any:
    def lower(ref: Any, indices: Any, updates: Any) -> Any:
        updates = jnp.broadcast_to(updates, jnp.shape(indices) + ref.shape[1:])
        at = jnp.asarray(ref).at[jnp.asarray(indices)]
        if method == "subtract":
            return at.add(-updates)
        return getattr(at, method)(updates)

    return lower


for _type, _method in {
    "ScatterUpdate": "set", "ScatterAdd": "add", "ScatterSub": "subtract", "ScatterMul": "multiply",
    "ScatterDiv": "divide", "ScatterMin": "min", "ScatterMax": "max",
}.items():  # fmt: skip
    define(
        _type, "ref:&T indices:Tindices updates:T -> output_ref:&T", _scatter(_method),
        infer=lambda op: op.inputs[0].shape, updates=(0,), use_locking=_type == "ScatterUpdate",
    )  # fmt: skip


def _scatter_nd(method: str) -> Any:
    def lower(ref: Any, indices: Any, updates: Any) -> Any:
        at = jnp.asarray(ref).at[tuple(jnp.moveaxis(jnp.asarray(indices), -1, 0))]
        if method == "subtract":
            return at.add(-updates)
        return getattr(at, method)(updates)

    return lower


for _type, _method in {"ScatterNdUpdate": "set", "ScatterNdAdd": "add", "ScatterNdSub": "subtract"}.items():
    define(
        _type, "ref:&T indices:Tindices updates:T -> output_ref:&T", _scatter_nd(_method),
        infer=lambda op: op.inputs[0].shape, updates=(0,), use_locking=_type == "ScatterNdUpdate",
    )  # fmt: skip


def _is_initialized(context: Any, op: Operation, ref: Any) -> tuple[np.bool_]:
    return (np.bool_(context.is_initialized(op.inputs[0])),)


define(
    "IsVariableInitialized", "ref:&dtype -> is_initialized:bool", host=_is_initialized, stateful=True,
    infer=lambda op: TensorShape([]),
)  # fmt: skip
