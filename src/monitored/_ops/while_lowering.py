"""What a ``While`` means: one XLA loop, or turns on the host.

A loop whose number of turns is known when it is compiled (a counter against a limit) becomes `lax.scan`, see
`monitored._ops.counted_loop`; one that is only bounded is differentiated as a scan over the bound whose spare turns do
nothing; any other becomes `lax.while_loop`. A loop that XLA cannot hold (its values change shape, or its body needs the
host) runs turn by turn on the host.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from monitored import errors
from monitored._graph.effects import effects_of
from monitored._graph.func_graph import FuncGraph
from monitored._graph.opdef import REQUIRED, ShapesVary, define
from monitored._graph.operation import Operation, Tensor
from monitored._ops.control_flow import state_of
from monitored._ops.counted_loop import CountedLoop, behind_identity
from monitored._ops.tensor_array_ops import blank, is_unset

Carry = tuple[list[Any], list[Any]]  # the values of the varying loop variables, and of the state that the body changes


def _lower_while(lowering: Any, op: Operation, values: list[Any]) -> tuple[list[Any], dict[Operation, Any]]:
    loop = Loop(lowering, op, values)
    try:
        variables, written = _run(loop)
    except TypeError as error:
        if "carry" in str(error) or "body_fun" in str(error):
            raise ShapesVary from error
        raise
    return variables, dict(zip(loop.writes, written, strict=True))


def _run(loop: Loop) -> Carry:
    limit, exact = loop.limit()
    if limit is not None and exact:
        # A body that is never run need not fit what it would be given.
        return CountedLoop(loop, limit).run() if limit else loop.complete((loop.initial, loop.state_before))
    if not loop.lowering.differentiating:
        return loop.complete(jax.lax.while_loop(loop.goes_on, loop.turn, loop.start()))
    if limit is None:
        loop.demand_limit()
        raise errors.UnimplementedError(
            loop.op.node_def, loop.op,
            f"The gradient of '{loop.op.name}' needs a bound on the number of turns: give maximum_iterations.",
        )  # fmt: skip
    return loop.complete(loop.guarded_scan(limit))


class Loop:
    """One loop being lowered.

    Attributes:
        lowering: The scope around the loop.
        op: The operation.
        condition: Its condition.
        body: Its body.
        constant: The values of inputs that are the same in all turns, by their place: what the bodies capture, and loop
            variables that the body passes on as they are.
        varying: The places of the other loop variables.
        initial: Their values before the first turn.
        writes: The state that the body changes.
        given: The places of the loop variables whose gradients are given, if there are gradients.
    """

    def __init__(self, lowering: Any, op: Operation, values: list[Any]) -> None:
        self.lowering = lowering
        self.op = op
        self.condition: FuncGraph = op._attrs["cond"]
        self.body: FuncGraph = op._attrs["body"]
        arguments, outputs = self.body.arguments, self.body.outputs
        self.varying = [p for p, t in enumerate(outputs) if behind_identity(t) is not arguments[p]]
        self.initial = [jnp.asarray(values[p]) for p in self.varying]
        changing = set(self.varying)
        self.constant: dict[int, Any] = {}
        for place, (tensor, value) in enumerate(zip(op.inputs, values, strict=True)):
            if place not in changing and not tensor.dtype._is_ref_dtype:
                # Loop variables that are the same in all turns are known within if they are known without; but what
                # may be differentiated has to stay the value that it is.
                known = lowering.known_or_none(tensor) if place < len(arguments) and tensor.dtype.is_integer else None
                self.constant[place] = value if known is None else known
        differentiation = lowering.differentiated.get(op)
        self.given = range(len(arguments)) if differentiation is None else differentiation.given
        effects = effects_of(op)
        self.writes = effects.writes
        self._state = dict(zip(effects.reads, state_of(lowering, op, effects.reads), strict=True))
        self.state_before = state_of(lowering, op, effects.writes)

    def scope(self, part: FuncGraph, values: dict[Tensor, Any], written: Sequence[Any]) -> Any:
        """A scope for a body, in which the constants stand."""
        given = {part.inputs[place]: value for place, value in self.constant.items()}
        return self.lowering.body(given | values, self._state | dict(zip(self.writes, written, strict=True)))

    def fixed(self, part: FuncGraph) -> Any:
        """A scope that knows what is the same in all turns."""
        return self.scope(part, {}, self.state_before)

    def _in_turn(self, part: FuncGraph, carry: Carry) -> Any:
        variables, written = carry
        scope = self.scope(part, {part.arguments[p]: v for p, v in zip(self.varying, variables, strict=True)}, written)
        scope.run(part.needed)
        return scope

    def goes_on(self, carry: Carry) -> Any:
        """Whether another turn is due."""
        return jnp.reshape(self._in_turn(self.condition, carry).value(self.condition.outputs[0]), ())

    def turn(self, carry: Carry) -> Carry:
        """One turn."""
        scope = self._in_turn(self.body, carry)
        variables = [jnp.asarray(scope.value(self.body.outputs[p])) for p in self.varying]
        return variables, [scope.state[s] for s in self.writes]

    def start(self) -> Carry:
        """What the first turn gets."""
        return settled(self.turn, (self.initial, self.state_before))

    def guarded_scan(self, turns: int) -> Carry:
        """At most so many turns, where those after the condition fails do nothing."""

        def step(carry: Any, _: None) -> tuple[Any, None]:
            return jax.lax.cond(self.goes_on(carry), self.turn, lambda c: c, carry), None

        carry, _ = jax.lax.scan(step, self.start(), None, length=turns)
        return carry

    def complete(self, carry: Carry) -> Carry:
        """The values of all loop variables after the last turn, and of the state."""
        variables, written = carry
        last = self.constant | dict(zip(self.varying, variables, strict=True))
        return [last[place] for place in range(len(self.body.arguments))], written

    # -- the number of turns --------------------------------------------------------------------------------

    def limit(self) -> tuple[int | None, bool]:
        """The number of turns known from the condition's comparisons of a counter, and whether it is exact."""
        terms = _conjunction(self.condition.outputs[0])
        fixed = self.fixed(self.condition)
        limits = [self._turns_until(term, fixed) for term in terms]
        known = [n for n in limits if n is not None]
        return (min(known) if known else None), bool(known) and len(known) == len(terms)

    def _turns_until(self, term: Tensor, fixed: Any) -> int | None:
        found = self._comparison(term)
        if found is None:
            return None
        kind, start, step, right = found
        end = fixed.known_or_none(right)
        return None if end is None or end.ndim else _count_turns(kind, start, step, end.item())

    def _comparison(self, term: Tensor) -> tuple[str, Any, Any, Tensor] | None:
        """The comparison of a counter with something else: which, the counter's start and step, and the other."""
        op = behind_identity(term).op
        kind = op.type
        if kind not in _REVERSED:
            return None
        left, right = (behind_identity(t) for t in op.inputs)
        if left not in self.condition.arguments:
            left, right, kind = right, left, _REVERSED[kind]
        if left not in self.condition.arguments:
            return None
        counter = self.counter(self.condition.arguments.index(left))
        return None if counter is None else (kind, *counter, right)

    def counter(self, place: int) -> tuple[Any, Any] | None:
        """The start of a loop variable to which each turn adds the same, and what it adds, where both are known."""
        op = behind_identity(self.body.outputs[place]).op
        if op.type not in ("Add", "AddV2", "Sub"):
            return None
        inputs = [behind_identity(t) for t in op.inputs]
        argument = self.body.arguments[place]
        if inputs[0] is not argument and (op.type == "Sub" or inputs[1] is not argument):
            return None
        start = self.lowering.known_or_none(self.op.inputs[place])
        step = self.fixed(self.body).known_or_none(inputs[1] if inputs[0] is argument else inputs[0])
        if start is None or step is None or start.ndim or step.ndim:
            return None
        return start.item(), -step.item() if op.type == "Sub" else step.item()

    def demand_limit(self) -> None:
        """Asks for what a comparison of a counter lacks, if that can be known before the loop.

        Raises:
            NeedStatic: If it can.
        """
        for term in _conjunction(self.condition.outputs[0]):
            found = self._comparison(term)
            if found is not None:
                self._demand(found[3])

    def _demand(self, tensor: Tensor) -> None:
        part = self.condition
        if tensor in part.inputs:
            place = part.inputs.index(tensor)
            if place in self.constant:
                self.lowering.known(self.op.inputs[place])
        elif tensor.op.op_def.fold is not None:
            for source in tensor.op.inputs:
                self._demand(source)


_REVERSED = {
    "Less": "Greater", "LessEqual": "GreaterEqual", "Greater": "Less", "GreaterEqual": "LessEqual",
    "NotEqual": "NotEqual",
}  # fmt: skip


def settled(turn: Callable[[Carry], Carry], carry: Carry) -> Carry:
    """A loop's start in which arrays that nothing was written to have the element shape that a turn gives them."""
    variables, written = carry
    if not any(is_unset(v) for v in variables):
        return carry
    after, _ = jax.eval_shape(turn, carry)
    known = [
        blank(*_size_and_shape(new), v.dtype) if is_unset(v) and new.shape[1:] != v.shape[1:] else v
        for v, new in zip(variables, after, strict=True)
    ]
    return known, written


def _size_and_shape(value: Any) -> tuple[int, tuple[int, ...]]:
    return value.shape[0], value.shape[1:]


def _count_turns(kind: str, start: Any, step: Any, end: Any) -> int | None:
    if not isinstance(start, int):
        return None
    if kind in ("Less", "LessEqual") and step > 0:
        distance = end - start + (kind == "LessEqual")
    elif kind in ("Greater", "GreaterEqual") and step < 0:
        distance, step = start - end + (kind == "GreaterEqual"), -step
    elif kind == "NotEqual" and step and (end - start) % step == 0 and (end - start) / step >= 0:
        return int((end - start) // step)
    else:
        return None
    return max(0, int(np.ceil(distance / step)))


def _conjunction(tensor: Tensor) -> Sequence[Tensor]:
    tensor = behind_identity(tensor)
    if tensor.op.type == "LogicalAnd":
        return [*_conjunction(tensor.op.inputs[0]), *_conjunction(tensor.op.inputs[1])]
    return [tensor]


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
