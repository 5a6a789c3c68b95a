"""Replaying a run to find where numbers stop being finite.

The run is planned again and carried out on a copy of the session's state, without changing it; every floating value is
looked at. What is blamed is found backwards from what was asked for, along values that are not finite: an operation
whose inputs are finite and whose output is not, or that made NaN of infinity. So a -inf that is masked away on the way,
as attention does, is not blamed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from monitored import errors
from monitored._graph import dtypes
from monitored._graph.effects import VARIABLE_TYPES, effects_of, variable_of
from monitored._graph.operation import Operation, Tensor
from monitored._plan.lower import Lowering, differentiated
from monitored._plan.plan import HostStep, Segment
from monitored._run.executor import Executor
from monitored._run.fetches import Feed, FetchMapper
from monitored._run.host import HostContext
from monitored._run.host_runner import HostRunner
from monitored._run.session import BaseSession
from monitored._run.store import StateStore, uninitialized

__all__ = ["Needs", "NonFiniteReport", "needs_of", "replay"]

Array = Any

_FINE: Final = 0
_INF: Final = 1
_NAN: Final = 2


@dataclass(frozen=True)
class NonFiniteReport:
    """Where numbers stopped being finite; print it to read it.

    Attributes:
        op: The operation that is to blame; None when a fed value or a variable was not finite from the start.
        name: The name of what is not finite: an operation's, a tensor's or a variable's.
        text: What was found, for reading.
    """

    op: Operation | None
    name: str
    text: str

    def __str__(self) -> str:
        return self.text


def replay(
    session: BaseSession,
    fetches: Any,
    feed_dict: Mapping[Any, Any] | None = None,
    state: Mapping[Operation, Array] | None = None,
) -> NonFiniteReport | None:
    """Replays a run without changing the session, and looks at every floating value.

    Args:
        session: The session; its other runs wait meanwhile.
        fetches: What was fetched, as for `Session.run`.
        feed_dict: What was fed. Outputs of operations that cannot be carried out again, such as those that take from
            a queue, must be fed.
        state: Values that take the place of the session's.

    Returns:
        What is to blame; None if everything that was asked for is finite.

    Raises:
        UnimplementedError: If an operation of the host is needed whose outputs are not fed.
    """
    elements = FetchMapper(session.graph, fetches).elements
    feeds = [Feed(session.graph, key) for key in feed_dict or {}]
    values = [feed.convert(value) for feed, value in zip(feeds, (feed_dict or {}).values(), strict=True)]
    store = StateStore()
    with session._store.lock:
        store.values = {**session._store.values, **(state or {})}
        store.layout = session._store.layout
        executor = _Replay(store, session)
        executor.runner(elements, tuple(feed.tensor for feed in feeds)).run(values)
        return executor.trace.report(elements)


@dataclass(frozen=True)
class Needs:
    """What a run needs besides its feeds, to be carried out again just as it was.

    Attributes:
        tensors: What steps on the host give to others: taken from queues, computed by Python.
        state: The variables and random streams that it reads.
    """

    tensors: tuple[Tensor, ...]
    state: frozenset[Operation]


def needs_of(session: BaseSession, fetches: Any, feed_keys: Iterable[Any]) -> Needs:
    """Finds what a run needs besides its feeds.

    Args:
        session: The session.
        fetches: As for `Session.run`.
        feed_keys: The tensors that are fed.

    Returns:
        What it needs.

    Raises:
        InvalidArgumentError: If a placeholder is needed that is not fed.
    """
    fed = tuple(Feed(session.graph, key).tensor for key in feed_keys)
    steps = session._executor.runner(FetchMapper(session.graph, fetches).elements, fed).plan.steps
    on_host = [step.op for step in steps if isinstance(step, HostStep) and not step.folded]
    handles = (dtypes.resource, dtypes.variant)
    given = {t for op in on_host for t in op.outputs if t.dtype.base_dtype not in handles}
    used: dict[Tensor, None] = {}
    state: set[Operation] = set()
    for step in steps:
        if isinstance(step, Segment):
            inputs = (*step.inputs, *step.static)
            state.update(step.reads, step.updates)
        else:
            inputs = step.op.inputs
            state.update(effects_of(step.op).reads)
        used.update((tensor, None) for tensor in inputs if tensor in given)
    return Needs(tuple(used), frozenset(state))


class _Replay(Executor):
    """An executor whose segments note what is finite, and change nothing but a copy of the state."""

    def __init__(self, store: StateStore, session: BaseSession) -> None:
        super().__init__(store, session._cancellations)
        self.trace = _Trace()

    def ready(self, step: Segment | HostStep) -> Any:
        if isinstance(step, Segment):
            return _WatchedSegment(step, self.trace)
        if step.op.op_def.stateful and not step.folded:
            raise errors.UnimplementedError(
                step.op.node_def, step.op, f"'{step.op.name}' cannot be carried out a second time: feed its outputs."
            )
        return HostRunner(step)


class _WatchedSegment:
    """A device segment that notes what is finite."""

    def __init__(self, segment: Segment, trace: _Trace) -> None:
        self.ops = segment.ops
        self._segment = segment
        self._trace = trace

    def __call__(self, values: dict[Tensor, Array], context: HostContext) -> None:
        segment, trace, store = self._segment, self._trace, context.store
        statics = [np.asarray(values[t] if t in values else t.op._attrs["value"]) for t in segment.static]
        states = (*segment.updates, *segment.reads)
        store.ensure_streams(states)
        for op in states:
            if op not in store.values:
                raise uninitialized(op)
        args = [*(store.values[op] for op in states), *(values[t] for t in segment.inputs)]
        trace.arrays.update(zip((*(op.name for op in states), *(t.name for t in segment.inputs)), args, strict=True))
        noted = len(trace.nodes)

        def function(*args: Array) -> tuple[Array, list[Array], list[Array]]:
            del trace.nodes[noted:]  # what an attempt that failed has left
            walk = _Walk(segment, statics, args, trace)
            for op in segment.ops:
                walk.take(op)
            state = walk.scope.state
            outputs = [jnp.asarray(walk.scope.value(t)) for t in segment.outputs]
            return walk.codes(), outputs, [state[s] for s in (*segment.updates, *segment.creates)]

        with jax.enable_x64(True):
            codes, outputs, written = jax.jit(function)(*args)
        trace.codes.update(zip(trace.open, np.asarray(codes).tolist(), strict=True))
        for node in trace.nodes[noted:]:
            node.look = lambda wanted: _looked_at(segment, statics, args, wanted)
        store.values.update(zip((*segment.updates, *segment.creates), written, strict=True))
        values.update(zip(segment.outputs, outputs, strict=True))


@dataclass(eq=False)
class _Node:
    """An operation that was carried out, with the numbers of its floating inputs and outputs."""

    op: Operation
    inputs: dict[int, str]  # value -> its name
    outputs: dict[int, str]
    look: Callable[[_Node], list[Array]] = field(default=lambda node: [])  # the inputs' values, then the outputs'


class _Trace:
    """What was noted of a replay.

    Attributes:
        nodes: The operations, in order.
        codes: Value -> whether it is finite, infinite or NaN.
        open: The values whose codes the segment that is being traced will give.
    """

    def __init__(self) -> None:
        self.nodes: list[_Node] = []
        self.codes: dict[int, int] = {}
        self.open: list[int] = []
        self._numbers = 0
        self.tensors: dict[Tensor, int] = {}  # those computed, or given from the start
        self.states: dict[Operation, int] = {}  # the present value of each variable
        self.given: dict[int, str] = {}  # what was there from the start -> its name
        self.arrays: dict[str, Array] = {}  # and that name -> its value

    def new(self) -> int:
        self._numbers += 1
        return self._numbers

    # -- whom to blame ----------------------------------------------------------------------------------------------

    def report(self, elements: Sequence[Tensor | Operation]) -> NonFiniteReport | None:
        """What is to blame for the elements not being finite."""
        suspects = self._suspects(elements)
        given = sorted(value for value in suspects if value in self.given)
        poisoned = [value for value in given if self.codes[value] == _NAN]
        culprits = [node for node in self.nodes if not suspects.isdisjoint(node.outputs) and self._made_it(node)]
        if poisoned or (given and not culprits):
            name = self.given[(poisoned or given)[0]]
            return NonFiniteReport(None, name, f"{name} is not finite from the start: {describe(self.arrays[name])}")
        if not culprits:
            return None
        first = culprits[0]
        text = "The first operation with a result that is not finite: " + _described(first)
        if self._worst(first.outputs) == _INF:
            later = next((node for node in culprits[1:] if self._worst(node.outputs) == _NAN), None)
            if later is not None:
                text += "\nThe first that makes NaN of it: " + _described(later)
        return NonFiniteReport(first.op, first.op.name, text)

    def _suspects(self, elements: Sequence[Tensor | Operation]) -> set[int]:
        """The values that are not finite and lead to what was asked for, by others that are not."""
        fetched = {self.tensors[e] for e in elements if isinstance(e, Tensor) and e in self.tensors}
        found: set[int] = set()
        for node in reversed(self.nodes):
            # An answer such as a guard's is no number, and what changes variables need not be asked for by name.
            asked = node.op in elements or any(t in elements for t in node.op._outputs) or effects_of(node.op).writes
            bad = {v for v in node.outputs if self.codes[v] and (v in found or v in fetched or asked)}
            found |= bad
            if bad or (asked and not node.outputs):
                found |= {v for v in node.inputs if self.codes[v]}
        return found

    def _made_it(self, node: _Node) -> bool:
        return self._worst(node.outputs) > self._worst(node.inputs)

    def _worst(self, values: Mapping[int, str]) -> int:
        return max((self.codes[v] for v in values), default=_FINE)


class _Walk:
    """The tracing of a segment, operation by operation."""

    def __init__(self, segment: Segment, statics: Sequence[Array], args: Sequence[Array], trace: _Trace) -> None:
        self._trace = trace
        self._values: list[Array] = []  # kept, so that their identities are not used again
        self._numbers: dict[int, int] = {}  # identity of a value -> its number
        self._codes: list[Array] = []
        trace.open = []
        states = (*segment.updates, *segment.reads)
        state = dict(zip(states, args[: len(states)], strict=True))
        inputs = dict(zip(segment.inputs, args[len(states) :], strict=True))
        static = dict(zip(segment.static, statics, strict=True))
        self.scope = Lowering(dict(inputs), static, state, boundary=frozenset(segment.inputs), given=None)
        self.scope.differentiated = differentiated(segment.ops)
        for tensor, value in inputs.items():
            if _is_float(value):
                trace.tensors[tensor] = self._number(value, trace.tensors.get(tensor), tensor.name)
        for variable, value in state.items():
            if _is_float(value):
                trace.states[variable] = self._number(value, trace.states.get(variable), variable.name)

    def _number(self, value: Array, known: int | None = None, given: str | None = None) -> int:
        """The number of a value; a new one gets a code."""
        trace = self._trace
        number = self._numbers.get(id(value), known if known in trace.codes else None)
        if number is None:
            number = trace.new()
            trace.open.append(number)
            self._codes.append(_code(value))
            if given is not None:
                trace.given[number] = given
        self._values.append(value)
        self._numbers[id(value)] = number
        return number

    def take(self, op: Operation) -> list[Array]:
        """Lowers an operation and notes it; gives its floating inputs and outputs."""
        scope, values = self.scope, []
        node = _Node(op, {}, {})

        def note(into: dict[int, str], value: Array, name: str) -> int:
            number = self._number(value)
            if number not in into:
                into[number] = name
                values.append(value)
            return number

        for position, tensor in enumerate(op.inputs):
            reference = tensor.dtype._is_ref_dtype
            if not _holds_floats(tensor) or (op.op_def.overwrites and position in op.op_def.updates):
                continue
            value = scope.state.get(variable_of(tensor)) if reference else scope.value(tensor)
            if value is not None and _is_float(value):
                note(node.inputs, value, variable_of(tensor).name if reference else tensor.name)
        scope.run([op])
        for tensor in op._outputs:
            if tensor in scope.values and _is_float(scope.values[tensor]):
                self._trace.tensors[tensor] = note(node.outputs, scope.values[tensor], tensor.name)
        for variable in effects_of(op).writes:
            if variable.type in VARIABLE_TYPES and _is_float(scope.state[variable]):
                self._trace.states[variable] = note(node.outputs, scope.state[variable], variable.name)
        self._trace.nodes.append(node)
        return values

    def codes(self) -> Array:
        return jnp.stack(self._codes) if self._codes else jnp.zeros([0], jnp.int8)


def _looked_at(segment: Segment, statics: Sequence[Array], args: Sequence[Array], wanted: _Node) -> list[Array]:
    """The floating inputs and outputs of one operation, by carrying the segment out up to there."""

    def function(*args: Array) -> list[Array]:
        walk = _Walk(segment, statics, args, _Trace())
        for op in segment.ops:
            values = walk.take(op)
            if op is wanted.op:
                return [jnp.asarray(value) for value in values]
        raise AssertionError(f"{wanted.op.name} is not in the segment")

    with jax.enable_x64(True):
        return [np.asarray(value) for value in jax.jit(function)(*args)]


def _is_float(value: Array) -> bool:
    return hasattr(value, "dtype") and bool(jnp.issubdtype(value.dtype, jnp.inexact))


def _holds_floats(tensor: Tensor) -> bool:
    dtype = tensor.dtype.base_dtype
    return dtype.is_floating or dtype.is_complex


def _code(value: Array) -> Array:
    value = jnp.asarray(value)
    infinite = jnp.any(jnp.isinf(value)) * _INF
    return jnp.where(jnp.any(jnp.isnan(value)), _NAN, infinite).astype(jnp.int8)


def _described(node: _Node) -> str:
    """An operation with what went into it and what came out."""
    op = node.op
    if op.type == "VJP":
        forward = op.graph.get_operation_by_name(op._attrs["forward"])
        head = f"the gradient of {forward.type} '{forward.name}', created at {forward.creation_site}"
    else:
        head = f"{op.type} '{op.name}', created at {op.creation_site}"
    values = node.look(node)
    names = [*(f"in   {name}" for name in node.inputs.values()), *(f"out  {name}" for name in node.outputs.values())]
    lines = [f"  {name} {list(value.shape)}: {describe(value)}" for name, value in zip(names, values, strict=True)]
    return "\n".join([head, *lines])


def describe(value: Array) -> str:
    """How many elements of an array are not finite, and the range of the others.

    Args:
        value: The array.

    Returns:
        For example ``2 NaN, 1 Inf of 12, the others from -1 to 3.5``.
    """
    value = np.asarray(value)
    flat = value.astype(np.complex128 if np.iscomplexobj(value) else np.float64).reshape(-1)
    finite = flat[np.isfinite(flat)]
    counts = [(int(np.isnan(flat).sum()), "NaN")]
    if np.iscomplexobj(flat):
        counts.append((int(np.isinf(flat).sum()), "Inf"))
        finite = np.abs(finite)
    else:
        counts += [(int((flat == np.inf).sum()), "Inf"), (int((flat == -np.inf).sum()), "-Inf")]
    if flat.size == 1 and finite.size == 1:
        return f"{flat[0]:.4g}"
    bad = ", ".join(f"{count} {kind}" for count, kind in counts if count)
    least, most = (finite.min(), finite.max()) if finite.size else (0, 0)
    span = f"all {least:.4g}" if least == most else f"from {least:.4g} to {most:.4g}"
    if not bad:
        return span if flat.size else "empty"
    return f"{bad} of {flat.size}" + (f", the others {span.removeprefix('all ')}" if finite.size else "")
