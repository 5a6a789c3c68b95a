"""`while_loop`: a body run again and again, as one XLA loop.

A loop whose number of turns is known when it is compiled (a counter against a limit) becomes `lax.scan`, which can be
differentiated; one that is only bounded is differentiated as a scan over the bound whose spare turns do nothing; any
other becomes `lax.while_loop`. A loop that XLA cannot hold (its values change shape, or its body needs the host) runs
turn by turn on the host.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from monitored import errors
from monitored._graph import build, dtypes, nest
from monitored._graph.effects import effects_of
from monitored._graph.func_graph import FuncGraph
from monitored._graph.graph import Graph, get_default_graph
from monitored._graph.opdef import REQUIRED, ShapesVary, define
from monitored._graph.operation import Operation, Tensor
from monitored._graph.shapes import TensorShape, as_shape

__all__ = ["while_loop"]

Values = list[Any]


def while_loop(
    cond: Callable[..., Any],
    body: Callable[..., Any],
    loop_vars: Any,
    shape_invariants: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: str | None = None,
    maximum_iterations: Any = None,
    return_same_structure: bool = False,
) -> Any:
    """Repeats `body` while `cond` is true.

    Args:
        cond: ``cond(*loop_vars)`` gives a scalar boolean tensor.
        body: ``body(*loop_vars)`` gives new values, in the structure of `loop_vars`.
        loop_vars: The initial values: a list or tuple, each a tensor, a `TensorArray` or a nested structure of them.
        shape_invariants: Shapes that hold for all turns, in the structure of `loop_vars`; by default the shapes
            of the initial values.
        parallel_iterations: Accepted as TensorFlow does; XLA runs turns in order.
        back_prop: Accepted as TensorFlow does; whether gradients can be asked for.
        swap_memory: Accepted as TensorFlow does.
        name: A name scope.
        maximum_iterations: A limit on the number of turns: an integer or a scalar tensor.
        return_same_structure: Whether a single loop variable comes back in its list.

    Returns:
        The values after the last turn, in the structure of `loop_vars`; a lone one without its list unless
        `return_same_structure`.

    Raises:
        TypeError: If `cond` or `body` is not callable, or a value changes its type.
        ValueError: If there are no loop variables, the structure changes, or a shape is not invariant.
    """
    if not callable(cond):
        raise TypeError("cond must be callable.")
    if not callable(body):
        raise TypeError("body must be callable.")
    if parallel_iterations < 1:
        raise TypeError("parallel_iterations must be a positive integer.")
    if not loop_vars:
        raise ValueError("No loop variables provided")
    graph = get_default_graph()
    with graph.name_scope(name or "while") as scope:
        structure: Any = loop_vars
        initial = [build.convert_to_tensor(leaf) for leaf in nest.flatten(loop_vars)]
        shapes = _invariants(shape_invariants, initial)
        if maximum_iterations is not None:
            cond, body, structure, initial, shapes = _limited(
                cond, body, loop_vars, initial, shapes, maximum_iterations
            )
        condition, turn = _traced(graph, scope, cond, body, structure, initial, shapes)
        captures = list(dict.fromkeys((*condition.captured, *turn.captured)))
        for part in (condition, turn):
            part.take_in_order(captures)
        inputs = [*initial, *captures]
        op = graph.create_op(
            "While",
            inputs,
            name="While",
            attrs={
                "T": [t.dtype.base_dtype for t in inputs],
                "Tout": [t.dtype.base_dtype for t in initial],
                "cond": condition,
                "body": turn,
                "output_shapes": shapes,
                "parallel_iterations": parallel_iterations,
            },
        )
    results = op.outputs
    if maximum_iterations is not None:
        results = results[1:]
    packed = nest.pack_sequence_as(loop_vars, results)
    if not return_same_structure and len(packed) == 1:
        return packed[0]
    return packed


def _invariants(shape_invariants: Any, initial: list[Tensor]) -> list[TensorShape]:
    if shape_invariants is None:
        return [t.shape for t in initial]
    shapes = [as_shape(s) for s in _flat_shapes(shape_invariants)]
    if len(shapes) != len(initial):
        raise ValueError("'shape_invariants' does not have the same structure as 'loop_vars'.")
    for shape, tensor in zip(shapes, initial, strict=True):
        if not shape.is_compatible_with(tensor.shape):
            raise ValueError(
                f"The shape invariant specified for {tensor.name} is not compatible with the initial shape of the "
                f"loop variable. It enters the loop with shape {tensor.shape}, but the specified shape invariant is "
                f"{shape}."
            )
    return shapes


def _flat_shapes(structure: Any) -> list[Any]:
    if isinstance(structure, (TensorShape, type(None))):
        return [structure]
    if isinstance(structure, dict):
        return [s for key in sorted(structure) for s in _flat_shapes(structure[key])]
    return [s for child in structure for s in _flat_shapes(child)]


def _limited(
    cond: Callable[..., Any], body: Callable[..., Any], loop_vars: Any, initial: Any, shapes: Any, limit: Any
) -> tuple[Any, Any, Any, Any, Any]:
    """The same loop with a counter of turns in front."""
    limit = build.convert_to_tensor(limit, dtypes.int32, name="maximum_iterations")
    if limit.shape.ndims not in (None, 0):
        raise ValueError(f"maximum_iterations must be a scalar, saw shape: {limit.shape}")
    counter = build.constant(0, dtypes.int32, name="iteration_counter")

    def limited_cond(turn: Tensor, values: Any) -> Tensor:
        result: Tensor = build.apply("LogicalAnd", build.apply("Less", turn, limit), cond(*values))
        return result

    def limited_body(turn: Tensor, values: Any) -> tuple[Tensor, Any]:
        return turn + 1, body(*values)

    structure = (counter, loop_vars)
    return limited_cond, limited_body, structure, [counter, *initial], [counter.shape, *shapes]


def _traced(
    graph: Graph,
    scope: str,
    cond: Callable[..., Any],
    body: Callable[..., Any],
    structure: Any,
    initial: list[Tensor],
    shapes: list[TensorShape],
) -> tuple[FuncGraph, FuncGraph]:
    condition, turn = FuncGraph(f"{scope}cond", graph), FuncGraph(f"{scope}body", graph)
    for part, function in ((condition, cond), (turn, body)):
        with part.as_default():
            arguments = [
                part.add_argument(t.dtype.base_dtype, shape, t.op.name.rpartition("/")[2])
                for t, shape in zip(initial, shapes, strict=True)
            ]
            result = function(*nest.pack_sequence_as(structure, arguments))
            if part is condition:
                part.outputs = [build.convert_to_tensor(result, dtypes.bool_)]
            else:
                part.outputs = _new_values(result, structure, initial, shapes)
    return condition, turn


def _new_values(result: Any, structure: Any, initial: list[Tensor], shapes: list[TensorShape]) -> list[Tensor]:
    if not isinstance(result, (list, tuple)) or (len(structure) == 1 and not nest.is_nested(result)):
        result = [result]
    leaves = nest.flatten(result)
    if len(leaves) != len(initial):
        raise ValueError(
            f"The two structures don't have the same number of elements: the loop variables {structure} and what "
            f"the body returned, {result}."
        )
    outputs = []
    for leaf, first, shape in zip(leaves, initial, shapes, strict=True):
        value = build.convert_to_tensor(leaf, preferred_dtype=first.dtype.base_dtype)
        if value.dtype.base_dtype != first.dtype.base_dtype:
            raise TypeError(
                f"The loop variable {first.name} is of type {first.dtype.base_dtype.name}, but the body returned "
                f"{value.dtype.base_dtype.name} for it."
            )
        if not _at_least_as_known(value.shape, shape):
            raise ValueError(
                f"Input tensor '{first.name}' enters the loop with shape {shape}, but has shape {value.shape} after "
                "one iteration. To allow the shape to vary across iterations, use the `shape_invariants` argument of "
                "tf.while_loop to specify a less-specific shape."
            )
        outputs.append(build.apply("Identity", value))
    return outputs


def _at_least_as_known(shape: TensorShape, invariant: TensorShape) -> bool:
    if invariant.sizes is None:
        return True
    return (
        shape.sizes is not None
        and len(shape.sizes) == len(invariant.sizes)
        and all(wanted is None or size == wanted for size, wanted in zip(shape.sizes, invariant.sizes, strict=True))
    )


# -- meaning ------------------------------------------------------------------------------------------------


def _lower_while(lowering: Any, op: Operation, values: Values) -> tuple[Values, dict[Operation, Any]]:
    loop = _Loop(lowering, op, values)
    differentiated = op in lowering.differentiated
    limit, exact = loop.limit()
    try:
        if limit is not None and exact:
            carry = loop.scan(limit)
        elif differentiated:
            if limit is None:
                raise errors.UnimplementedError(
                    op.node_def, op,
                    f"The gradient of '{op.name}' needs a bound on the number of turns: give maximum_iterations.",
                )  # fmt: skip
            carry = loop.guarded_scan(limit)
        else:
            carry = jax.lax.while_loop(loop.goes_on, loop.turn, loop.start)
    except TypeError as error:
        if "carry" in str(error) or "body_fun" in str(error):
            raise ShapesVary from error
        raise
    outputs, written = carry
    return list(outputs), dict(zip(loop.effects.writes, written, strict=True))


class _Loop:
    """One loop being lowered; a turn's carry is its variables' values and the state that it changes."""

    def __init__(self, lowering: Any, op: Operation, values: Values) -> None:
        self.lowering = lowering
        self.op = op
        self.condition: FuncGraph = op._attrs["cond"]
        self.body: FuncGraph = op._attrs["body"]
        self.effects = effects_of(op)
        count = len(self.body.arguments)
        self.invariant = [(i, v) for i, v in enumerate(values) if i >= count and not op.inputs[i].dtype._is_ref_dtype]
        self.read = {s: lowering.state[s] for s in self.effects.reads}
        start = [jnp.asarray(v) for v in values[:count]]
        self.start = (start, [lowering.state[s] for s in self.effects.writes])

    def _scope(self, part: FuncGraph, carry: tuple[Values, Values]) -> Any:
        variables, written = carry
        values = dict(zip(part.arguments, variables, strict=True))
        values.update((part.inputs[i], v) for i, v in self.invariant)
        state = self.read | dict(zip(self.effects.writes, written, strict=True))
        scope = self.lowering.body(values, state)
        scope.run(part.needed)
        return scope

    def goes_on(self, carry: tuple[Values, Values]) -> Any:
        """Whether another turn is due."""
        return jnp.reshape(self._scope(self.condition, carry).value(self.condition.outputs[0]), ())

    def turn(self, carry: tuple[Values, Values]) -> tuple[Values, Values]:
        """One turn."""
        scope = self._scope(self.body, carry)
        variables = [jnp.asarray(scope.value(t)) for t in self.body.outputs]
        return variables, [scope.state[s] for s in self.effects.writes]

    def scan(self, turns: int) -> tuple[Values, Values]:
        """Exactly so many turns."""
        carry, _ = jax.lax.scan(lambda carry, _: (self.turn(carry), None), self.start, None, length=turns)
        return carry

    def guarded_scan(self, turns: int) -> tuple[Values, Values]:
        """At most so many turns, where those after the condition fails do nothing."""

        def step(carry: Any, _: None) -> tuple[Any, None]:
            return jax.lax.cond(self.goes_on(carry), self.turn, lambda c: c, carry), None

        carry, _ = jax.lax.scan(step, self.start, None, length=turns)
        return carry

    def limit(self) -> tuple[int | None, bool]:
        """The number of turns known from the condition's comparisons of a counter, and whether it is exact."""
        terms = _conjunction(self.condition.outputs[0])
        limits = [self._turns_until(term) for term in terms]
        known = [n for n in limits if n is not None]
        return (min(known) if known else None), bool(known) and len(known) == len(terms)

    def _turns_until(self, term: Tensor) -> int | None:
        op = _behind_identity(term).op
        if op.type not in ("Less", "LessEqual", "Greater", "GreaterEqual", "NotEqual"):
            return None
        left, right = (_behind_identity(t) for t in op.inputs)
        kind = op.type
        if left not in self.condition.arguments:
            left, right = right, left
            kind = {"Less": "Greater", "LessEqual": "GreaterEqual", "Greater": "Less", "GreaterEqual": "LessEqual"}.get(
                kind, kind
            )
        if left not in self.condition.arguments:
            return None
        place = self.condition.arguments.index(left)
        start, step = self._outside(self.op.inputs[place]), self._step(place)
        end = self._limit_value(right)
        if start is None or step is None or end is None or start.ndim or end.ndim:
            return None
        return _count_turns(kind, start.item(), step, end.item())

    def _outside(self, tensor: Tensor) -> Any:
        return self.lowering.known_or_none(tensor)

    def _step(self, place: int) -> Any:
        """What each turn adds to a loop variable, if that is a constant."""
        op = _behind_identity(self.body.outputs[place]).op
        if op.type not in ("Add", "AddV2", "Sub") or len(op.inputs) != 2:
            return None
        inputs = [_behind_identity(t) for t in op.inputs]
        argument = self.body.arguments[place]
        if inputs[0] is not argument and (op.type == "Sub" or inputs[1] is not argument):
            return None
        other = inputs[1] if inputs[0] is argument else inputs[0]
        if other.op.type != "Const" or other.op._attrs["value"].ndim:
            return None
        step = other.op._attrs["value"].item()
        return -step if op.type == "Sub" else step

    def _limit_value(self, tensor: Tensor) -> Any:
        """The value of a limit that stays the same from turn to turn."""
        if tensor.op.type == "Const":
            return tensor.op._attrs["value"]
        if tensor in self.condition.arguments:
            place = self.condition.arguments.index(tensor)
            if _behind_identity(self.body.outputs[place]) is not self.body.arguments[place]:
                return None
            return self._outside(self.op.inputs[place])
        captured = self.condition._captured_tensor(tensor)
        return None if captured is None else self._outside(captured)


def _count_turns(kind: str, start: Any, step: Any, end: Any) -> int | None:
    if kind in ("Less", "LessEqual") and step > 0:
        distance = end - start + (kind == "LessEqual" and isinstance(start, int))
    elif kind in ("Greater", "GreaterEqual") and step < 0:
        distance, step = start - end + (kind == "GreaterEqual" and isinstance(start, int)), -step
    elif (
        kind == "NotEqual"
        and isinstance(start, int)
        and step
        and (end - start) % step == 0
        and (end - start) / step >= 0
    ):
        return int((end - start) // step)
    else:
        return None
    return max(0, int(np.ceil(distance / step))) if isinstance(start, int) else None


def _conjunction(tensor: Tensor) -> Sequence[Tensor]:
    tensor = _behind_identity(tensor)
    if tensor.op.type == "LogicalAnd":
        return [*_conjunction(tensor.op.inputs[0]), *_conjunction(tensor.op.inputs[1])]
    return [tensor]


def _behind_identity(tensor: Tensor) -> Tensor:
    while tensor.op.type == "Identity" and not tensor.op.control_inputs:
        tensor = tensor.op.inputs[0]
    return tensor


def _interpret_while(context: Any, op: Operation, *values: Any) -> list[Any]:
    condition, body = op._attrs["cond"], op._attrs["body"]
    count = len(body.arguments)
    variables, captured = list(values[:count]), list(values[count:])
    while bool(np.asarray(context.run_body(condition, [*variables, *captured])[0])):
        variables = context.run_body(body, [*variables, *captured])
        context.cancellation.check()
    return variables


define(
    "While", "input:[T] -> output:[Tout]", _lower_while, interpret=_interpret_while,
    infer=lambda op: op._attrs["output_shapes"], cond=REQUIRED, body=REQUIRED, output_shapes=REQUIRED,
    parallel_iterations=10,
)  # fmt: skip
