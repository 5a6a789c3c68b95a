"""Order and choice: `group`, `no_op`, `tuple`, `with_dependencies` and `cond`."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import jax
import jax.numpy as jnp

from monitored import errors
from monitored._graph import build, dtypes, nest
from monitored._graph.effects import Effects, effects_of
from monitored._graph.func_graph import FuncGraph
from monitored._graph.graph import Graph, get_default_graph
from monitored._graph.indexed_slices import IndexedSlices
from monitored._graph.opdef import REQUIRED, ShapesVary, define
from monitored._graph.operation import Operation, Tensor
from monitored._graph.shapes import TensorShape
from monitored._ops.tensor_array_ops import is_unset

__all__ = ["cond", "group", "no_op", "tuple", "with_dependencies"]


def no_op(name: str | None = None) -> Operation:
    """An operation that does nothing; it is there to be waited for.

    Args:
        name: The operation's name.

    Returns:
        The operation.
    """
    op: Operation = build.apply("NoOp", name=name)
    return op


def group(*inputs: Any, **kwargs: Any) -> Operation:
    """An operation that finishes when all inputs have finished.

    Args:
        inputs: Operations, tensors, variables, or nested lists and dicts of them; None is left out.
        kwargs: ``name``, the operation's name.

    Returns:
        The operation.

    Raises:
        ValueError: For an unknown keyword.
        TypeError: For an input of another kind.
    """
    name = kwargs.pop("name", "group_deps")
    if kwargs:
        raise ValueError(f"Unknown keyword arguments: {', '.join(kwargs)}")
    flat = _flattened(inputs)
    if not flat:
        return no_op(name)
    graph = next((i.graph for i in flat if isinstance(getattr(i, "graph", None), Graph)), get_default_graph())
    graph = get_default_graph() if get_default_graph().building_function else graph
    by_device: dict[str, list[Any]] = {}
    for item in flat:
        by_device.setdefault(getattr(item, "device", None) or "", []).append(item)
    with graph.as_default():
        if len(by_device) == 1:
            return _after(flat, next(iter(by_device)), name)
        with graph.name_scope(name) as scope:  # each device says by itself that it is done, as in TensorFlow
            done = [_after(by_device[device], device, "NoOp") for device in sorted(by_device)]
            return _after(done, "", scope)


def _after(inputs: Sequence[Any], device: str, name: str) -> Operation:
    graph = get_default_graph()
    with graph.control_dependencies(inputs), graph.device(device) if device else nullcontext():
        return no_op(name)


def _flattened(structure: Any) -> list[Any]:
    leaves = [leaf for leaf in nest.flatten(structure) if leaf is not None]
    for leaf in leaves:
        if not hasattr(leaf, "_as_graph_element") and not isinstance(leaf, (Operation, Tensor)):
            raise TypeError(f"Expected tf.Tensor|tf.Operation, but got {leaf!r} of type {type(leaf).__name__}.")
    return leaves


def tuple(tensors: Sequence[Any], name: str | None = None, control_inputs: Any = None) -> list[Any]:
    """The same tensors, none of which is ready before all are.

    Args:
        tensors: Tensors, `IndexedSlices` or None.
        name: A name scope.
        control_inputs: Further operations to wait for.

    Returns:
        A list like `tensors`.

    Raises:
        ValueError: If there is no tensor among them.
        TypeError: If `control_inputs` holds something else.
    """
    graph = get_default_graph()
    with graph.name_scope(name or "tuple"):
        gates = [t if isinstance(t, Operation) else t.op for t in tensors if t is not None]
        if not gates:
            raise ValueError("Must have at least one Tensor")
        gates += [graph.as_graph_element(c) for c in control_inputs or []]
        gate = group(*gates, name="group_deps")
        return [None if t is None else with_dependencies([gate], t) for t in tensors]


def with_dependencies(dependencies: Sequence[Any], output_tensor: Any, name: str | None = None) -> Any:
    """A tensor that is ready only when some operations have run.

    Args:
        dependencies: Operations or tensors to wait for.
        output_tensor: A tensor or `IndexedSlices`.
        name: The operation's name.

    Returns:
        The tensor, with the same value.
    """
    if isinstance(output_tensor, IndexedSlices):
        values = with_dependencies(dependencies, output_tensor.values, name)
        return IndexedSlices(values, output_tensor.indices, output_tensor.dense_shape)
    with get_default_graph().control_dependencies(dependencies):
        return build.apply("Identity", output_tensor, name=name or "control_dependency")


# -- cond ---------------------------------------------------------------------------------------------------


def _lower_if(lowering: Any, op: Operation, values: list[Any]) -> builtins.tuple[list[Any], dict[Operation, Any]]:
    effects = effects_of(op)
    touched = list(dict.fromkeys((*effects.reads, *effects.writes)))
    branches = [_lower_branch(lowering, op._attrs[b], touched, effects) for b in ("then_branch", "else_branch")]
    predicate, operands = values[0], [v for v in values[1:] if v is not None]
    state = state_of(lowering, op, touched)
    known = lowering.known_or_none(op.inputs[0])
    if known is not None:
        outputs, written = branches[0 if known else 1](operands, state)
    else:
        try:
            branches = _alike(branches, op, operands, state)
            outputs, written = jax.lax.cond(jnp.reshape(predicate, ()), *branches, operands, state)
        except TypeError as error:
            if "true_fun and false_fun" in str(error):
                raise ShapesVary from error
            raise
    return outputs, dict(zip(effects.writes, written, strict=True))


def state_of(lowering: Any, op: Operation, states: Sequence[Operation]) -> list[Any]:
    """The present values of the state that an operation's bodies use.

    Raises:
        UnimplementedError: If they are not at hand: a gradient is computed apart from its operation, anew.
    """
    try:
        return [lowering.state[s] for s in states]
    except KeyError as missing:
        raise errors.UnimplementedError(
            op.node_def, op,
            f"The gradient of '{op.name}' would have to run it again, since an operation of the host stands between "
            f"them; but its body depends on the state of '{missing.args[0].name}', which may have changed.",
        ) from None  # fmt: skip


def _lower_branch(lowering: Any, body: FuncGraph, touched: list[Operation], effects: Effects) -> Callable[..., Any]:
    arguments = [t for t in body.inputs if not t.dtype._is_ref_dtype]

    def branch(operands: list[Any], state: list[Any]) -> builtins.tuple[list[Any], list[Any]]:
        scope = lowering.body(dict(zip(arguments, operands, strict=True)), dict(zip(touched, state, strict=True)))
        scope.run(body.needed)
        outputs = [jnp.asarray(scope.value(t)) for t in body.outputs]
        return outputs, [scope.state[s] for s in effects.writes]

    return branch


def _alike(
    branches: list[Callable[..., Any]], op: Operation, operands: list[Any], state: list[Any]
) -> list[Callable[..., Any]]:
    """The branches, where what one of them leaves without a shape has that of the other."""
    if not any(_may_be_unset(t) for b in ("then_branch", "else_branch") for t in op._attrs[b].outputs):
        return branches
    shapes = [jax.eval_shape(branch, operands, state)[0] for branch in branches]

    def filled(branch: Callable[..., Any], others: list[Any]) -> Callable[..., Any]:
        def run(operands: list[Any], state: list[Any]) -> builtins.tuple[list[Any], list[Any]]:
            outputs, written = branch(operands, state)
            fitted = [jnp.zeros(o.shape, o.dtype) if is_unset(v) else v for v, o in zip(outputs, others, strict=True)]
            return fitted, written

        return run

    return [filled(branches[0], shapes[1]), filled(branches[1], shapes[0])]


def _may_be_unset(tensor: Tensor) -> bool:
    while tensor.op.type == "Identity":
        tensor = tensor.op.inputs[0]
    return tensor.op.type == "Absent" or (tensor.op.type == "Placeholder" and tensor.shape.ndims is None)


def _interpret_if(context: Any, op: Operation, predicate: Any, *values: Any) -> list[Any]:
    body = op._attrs["then_branch" if bool(predicate) else "else_branch"]
    outputs: list[Any] = context.run_body(body, values)
    return outputs


def _branch_shapes(op: Operation) -> list[TensorShape]:
    return [
        _common(a.shape, b.shape)
        for a, b in zip(op._attrs["then_branch"].outputs, op._attrs["else_branch"].outputs, strict=True)
    ]


def _common(a: TensorShape, b: TensorShape) -> TensorShape:
    if a.sizes is None or b.sizes is None or len(a.sizes) != len(b.sizes):
        return TensorShape(None)
    return TensorShape([m if m == n else None for m, n in zip(a.sizes, b.sizes, strict=True)])


define(
    "If", "cond:Tcond input:[Tin] -> output:[Tout]", _lower_if, interpret=_interpret_if, infer=_branch_shapes,
    then_branch=REQUIRED, else_branch=REQUIRED,
)  # fmt: skip


def as_predicate(value: Any, what: str, op: str) -> Tensor:
    """What a branch or loop depends on, as a tensor.

    Args:
        value: The value.
        what: What it is to be, to begin a sentence with.
        op: The operation that takes it, for errors.

    Returns:
        A scalar of type bool, as far as the graph tells.

    Raises:
        TypeError: If it is of another type.
        ValueError: If it is no scalar.
    """
    predicate = build.convert_to_tensor(value, name="pred")
    if predicate.dtype.base_dtype != dtypes.bool_:
        kind = predicate.dtype.base_dtype.name
        raise TypeError(f"{what} has type {kind} that does not match expected type of bool.")
    if predicate.shape.ndims not in (None, 0):
        raise ValueError(
            f"Shape must be rank 0 but is rank {predicate.shape.ndims} for {op}: a predicate is a scalar, but "
            f"{predicate.name} has shape {predicate.shape}."
        )
    return predicate


def cond(
    pred: Any,
    true_fn: Callable[[], Any] | None = None,
    false_fn: Callable[[], Any] | None = None,
    strict: bool = False,
    name: str | None = None,
    fn1: Callable[[], Any] | None = None,
    fn2: Callable[[], Any] | None = None,
) -> Any:
    """Runs one of two functions' operations, by the value of a tensor.

    Only what the chosen function made is run; what both use from outside is run in any case.

    Args:
        pred: A scalar boolean tensor.
        true_fn: Makes the tensors to give when it is true: a tensor, or a nested list, tuple or dict.
        false_fn: The same for false; of the same structure and types.
        strict: Whether a list of one stays a list.
        name: A name scope.
        fn1: The old name of `true_fn`.
        fn2: The old name of `false_fn`.

    Returns:
        What the functions gave, as tensors.

    Raises:
        TypeError: If `pred` is a Python bool, or an argument is not callable, or the types differ.
        ValueError: If the structures differ.
    """
    true_fn, false_fn = true_fn or fn1, false_fn or fn2
    if not callable(true_fn):
        raise TypeError("true_fn must be callable.")
    if not callable(false_fn):
        raise TypeError("false_fn must be callable.")
    if isinstance(pred, bool):
        raise TypeError("pred must not be a Python bool")
    graph = get_default_graph()
    with graph.name_scope(name or "cond") as scope:
        predicate = as_predicate(pred, "Input 'pred' of 'Switch' Op", f"'{scope}Switch' (op: 'Switch')")
        then, then_structure = _traced(f"{scope}true", true_fn, graph, strict)
        other, other_structure = _traced(f"{scope}false", false_fn, graph, strict)
        _check_branches(then, then_structure, other, other_structure)
        captures = list(dict.fromkeys((*then.captured, *other.captured)))
        for body in (then, other):
            body.take_in_order(captures)
        inputs = [predicate, *captures]
        op = graph.create_op(
            "If",
            inputs,
            name="If",
            attrs={
                "Tcond": dtypes.bool_,
                "Tin": [t.dtype.base_dtype for t in captures],
                "Tout": [t.dtype.base_dtype for t in then.outputs],
                "then_branch": then,
                "else_branch": other,
            },
        )
    outputs = iter(op.outputs)
    leaves = [None if leaf is None else next(outputs) for leaf in nest.flatten(then_structure)]
    return nest.pack_sequence_as(then_structure, leaves)


def _traced(name: str, function: Callable[[], Any], outer: Graph, strict: bool) -> builtins.tuple[FuncGraph, Any]:
    body = FuncGraph(name, outer)
    with body.as_default():
        structure = function()
        if not strict and isinstance(structure, (list, builtins.tuple)) and len(structure) == 1:
            structure = structure[0]
        body.outputs = [_as_output(leaf) for leaf in nest.flatten(structure) if leaf is not None]
    return body, structure


def _as_output(leaf: Any) -> Tensor:
    if isinstance(leaf, Operation):  # an operation stands for its having run
        with get_default_graph().control_dependencies([leaf]):
            return build.constant(True, name="ran")
    tensor = build.convert_to_tensor(leaf)
    if tensor.op.type in ("Const", "Placeholder") or tensor.dtype._is_ref_dtype or tensor.op.type == "VariableV2":
        tensor = build.apply("Identity", tensor)
    return tensor


def _check_branches(then: FuncGraph, then_structure: Any, other: FuncGraph, other_structure: Any) -> None:
    if len(then.outputs) != len(other.outputs) or isinstance(then_structure, dict) != isinstance(other_structure, dict):
        raise ValueError(
            f"Incompatible return values of true_fn and false_fn: {then_structure} and {other_structure} have "
            "different structures."
        )
    for a, b in zip(then.outputs, other.outputs, strict=True):
        if a.dtype.base_dtype != b.dtype.base_dtype:
            raise TypeError(
                f"Outputs of true_fn and false_fn must have the same type: {a.dtype.base_dtype.name}, "
                f"{b.dtype.base_dtype.name}"
            )
