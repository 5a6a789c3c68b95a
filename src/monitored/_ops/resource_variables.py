"""Resource variables, as TensorFlow's own graphs have them.

In TensorFlow a `VarHandleOp` gives a handle and `ReadVariableOp` the value behind it. Here a handle is a reference like
that of a `VariableV2`: the session keeps the value under the operation that makes it, reading is an operation that uses
the reference, and what changes one kind of variable changes the other, by the same formulas.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from monitored._graph import dtypes
from monitored._graph.build import apply, constant
from monitored._graph.graph import get_default_graph
from monitored._graph.indexed_slices import IndexedSlices
from monitored._graph.opdef import REQUIRED, OpDef, define, vocabulary
from monitored._graph.operation import Operation, Tensor
from monitored._graph.shapes import TensorShape
from monitored._ops import slice_assign as _slice_assign  # noqa: F401  # the op types
from monitored._ops import state as _state  # noqa: F401  # the op types
from monitored._ops import training as _training  # noqa: F401  # the op types
from monitored._ops.variables import Variable, VariableAggregation, VariableSynchronization

__all__ = ["ResourceVariable"]

Array = Any


# -- the variable, and its value ----------------------------------------------------------------------------------


def _declared(op: Operation) -> TensorShape:
    shape: TensorShape = op._attrs["shape"]
    return shape


def _unchanged(op: Operation) -> TensorShape:
    return op.inputs[0].shape


def _gathered(op: Operation) -> TensorShape:
    params, indices, batch_dims = op.inputs[0].shape, op.inputs[1].shape, op._attrs["batch_dims"]
    if params.ndims is None or indices.ndims is None:
        return TensorShape(None)
    return indices.concatenate(params[batch_dims + 1 :])


def _gather(params: Array, indices: Array, *, batch_dims: int) -> Array:
    if batch_dims:
        indices = jnp.expand_dims(indices, tuple(range(indices.ndim, params.ndim)))
        return jnp.take_along_axis(params, indices, axis=batch_dims)
    return jnp.take(params, indices, axis=0, mode="clip")


def _gather_gradient(op: Operation, gradient: Any) -> Any:
    """The rows that were gathered, and where they belong, where the graph tells how long rows are."""
    sizes = op.inputs[0].shape.sizes
    if op._attrs["batch_dims"] or sizes is None or None in sizes:
        return NotImplemented
    values = apply("Reshape", gradient, [-1, *sizes[1:]])
    return [IndexedSlices(values, apply("Reshape", op.inputs[1], [-1]), constant(list(sizes))), None]


def _is_initialized(context: Any, op: Operation, ref: Any) -> tuple[np.bool_]:
    return (np.bool_(context.is_initialized(op.inputs[0])),)


define(
    "Variable", "-> ref:&dtype", infer=_declared, stateful=True, shape=REQUIRED, container="", shared_name=""
)  # what graphs from before TensorFlow 1.0 have
define(
    "VarHandleOp", "-> resource:&dtype", infer=_declared, stateful=True,
    shape=REQUIRED, container="", shared_name="", debug_name="", allowed_devices=[],
)  # fmt: skip
define("ReadVariableOp", "resource:&dtype -> value:dtype", lambda value: value, infer=_unchanged)
define(
    "VarIsInitializedOp", "resource:&_dtype -> is_initialized:bool", host=_is_initialized, stateful=True,
    infer=lambda op: TensorShape([]),
)  # fmt: skip
define(
    "VariableShape", "input:&_dtype -> output:out_type",
    lambda value, *, out_type: jnp.asarray(value.shape, out_type.as_numpy_dtype),
    infer=lambda op: TensorShape([op.inputs[0].shape.ndims]), no_grad=True, out_type=dtypes.int32,
)  # fmt: skip
define(
    "ResourceGather", "resource:&dtype indices:Tindices -> output:dtype", _gather, infer=_gathered,
    grad=_gather_gradient, batch_dims=0, validate_indices=True,
)  # fmt: skip
define(
    "ResourceGatherNd", "resource:&dtype indices:Tindices -> output:dtype",
    lambda params, indices: params[tuple(jnp.moveaxis(jnp.asarray(indices), -1, 0))],
    infer=lambda op: TensorShape(None),
)  # fmt: skip


# -- changes ------------------------------------------------------------------------------------------------------


def _define_change(op_type: str, model: OpDef, type_attr: str, refs: dict[str, str]) -> None:
    """Defines an operation that does to resource variables what another does to references, and gives nothing."""
    attrs = dict(model.attrs) if type_attr == "T" else {}
    if op_type.startswith("ResourceScatterNd"):
        attrs["use_locking"] = True
    parts = []
    for arg in model.inputs:
        kind = type_attr if arg.type_attr == "T" else arg.type_attr or (arg.dtype.name if arg.dtype else "")
        parts.append(f"{refs.get(arg.name, arg.name)}:{'&' if arg.is_ref else ''}{kind}")
    define(
        op_type, f"{' '.join(parts)} ->", model.lower, updates=model.updates, overwrites=model.overwrites, no_grad=True,
        infer=lambda op: (), **attrs,
    )  # fmt: skip


def _keras_momentum(
    var: Array, accum: Array, lr: Array, grad: Array, momentum: Array, *, use_nesterov: bool
) -> tuple[Array, ...]:
    accum = accum * momentum - lr * grad
    return (var + accum * momentum - lr * grad if use_nesterov else var + accum), accum


def _adagrad_v2(
    var: Array, accum: Array, lr: Array, epsilon: Array, grad: Array, *, update_slots: bool
) -> tuple[Array, ...]:
    accum = accum + grad * grad if update_slots else accum
    return var - lr * grad / (jnp.sqrt(accum) + epsilon), accum


for _type, _model in list(vocabulary().items()):
    if _type.startswith(("Apply", "SparseApply", "ScatterNd")) and _model.updates:
        _define_change(f"Resource{_type}", _model, "T", {})
    elif _type.startswith("Scatter") and _model.updates:
        _define_change(f"Resource{_type}", _model, "dtype", {"ref": "resource"})
for _type in ("AssignAdd", "AssignSub"):
    _define_change(f"{_type}VariableOp", vocabulary()[_type], "dtype", {"ref": "resource"})
_define_change(
    "ResourceStridedSliceAssign", vocabulary()["StridedSliceAssign"], "T", {}
)  # its reference is called `ref`, too
define(
    "AssignVariableOp", "resource:&dtype value:dtype ->", lambda value: value, updates=(0,), overwrites=True,
    no_grad=True, infer=lambda op: (), validate_shape=False,
)  # fmt: skip
define(
    "ResourceApplyKerasMomentum", "var:&T accum:&T lr:T grad:T momentum:T ->", _keras_momentum, updates=(0, 1),
    no_grad=True, use_locking=False, use_nesterov=False,
)  # fmt: skip
define(
    "ResourceApplyAdagradV2", "var:&T accum:&T lr:T epsilon:T grad:T ->", _adagrad_v2, updates=(0, 1), no_grad=True,
    use_locking=False, update_slots=True,
)  # fmt: skip


# -- the object ---------------------------------------------------------------------------------------------------


class ResourceVariable(Variable):
    """A resource variable of an imported graph.

    It is used like any other `Variable`; the operations that it adds are those of resource variables.
    """

    def __init__(self, variable_def: Any, import_scope: str | None = None) -> None:
        """Finds the variable in the default graph.

        Args:
            variable_def: A `VariableDef` protocol buffer of a resource variable.
            import_scope: A name scope to put before the names in it.

        Raises:
            KeyError: If the graph has no such variable.
        """
        graph = get_default_graph()

        def find(element: str) -> Any:
            return graph.as_graph_element(f"{import_scope}/{element}" if import_scope else element)

        self._save_slice_info = None
        self._constraint = None
        self._variable: Tensor = find(variable_def.variable_name)
        self._initializer_op: Operation = find(variable_def.initializer_name)
        self._initial_value = find(variable_def.initial_value_name) if variable_def.initial_value_name else None
        self._snapshot: Tensor = find(variable_def.snapshot_name)
        self._trainable = variable_def.trainable
        self._synchronization = VariableSynchronization(variable_def.synchronization)
        self._aggregation = VariableAggregation(variable_def.aggregation)
        self._init_slice_from_proto(variable_def, import_scope)

    @property
    def dtype(self) -> dtypes.DType:
        """The type of the value."""
        return self._variable.dtype.base_dtype

    @property
    def handle(self) -> Tensor:
        """The tensor by which operations name the variable."""
        return self._variable

    def read_value(self) -> Tensor:
        """A new tensor with the value at this place in the program's order."""
        result: Tensor = apply("ReadVariableOp", self._variable, name="Read")
        return result

    def _as_tensor(self, name: str | None = None) -> Tensor:
        return self.read_value()

    def _changed(self, op_type: str, name: str | None, read_value: bool, *args: Any, **attrs: Any) -> Any:
        kind = f"{op_type}VariableOp" if op_type.startswith("Assign") else f"Resource{op_type}"
        op: Operation = apply(kind, self._variable, *args, name=name)
        if not read_value:
            return op
        with op.graph.control_dependencies([op]):
            return self.read_value()

    def _scattered(self, op_type: str, sparse_delta: Any, use_locking: bool, name: str | None) -> Any:
        if not (hasattr(sparse_delta, "indices") and hasattr(sparse_delta, "values")):
            raise TypeError(f"sparse_delta is not IndexedSlices: {sparse_delta}")
        return self._changed(op_type, name, True, sparse_delta.indices, sparse_delta.values)

    def to_proto(self, export_scope: str | None = None) -> Any:
        """The variable as TensorFlow's `VariableDef` protocol buffer; see `Variable.to_proto`."""
        proto = super().to_proto(export_scope)
        if proto is not None:
            proto.is_resource = True
        return proto
