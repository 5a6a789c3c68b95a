"""The executor: compiles the segments of plans, and carries plans out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

import jax
import numpy as np

from monitored import errors
from monitored._graph.constant import fold
from monitored._graph.effects import VARIABLE_TYPES, bodies_of, variable_read_by
from monitored._graph.func_graph import FuncGraph
from monitored._graph.operation import Operation, Tensor
from monitored._plan.build import build_plan
from monitored._plan.lower import NeedStatic, lower_segment
from monitored._plan.plan import HostStep, Plan, Segment
from monitored._run.cancellation import Cancellation, CancellationManager
from monitored._run.host import HostContext
from monitored._run.store import StateStore

Values = dict[Tensor, Any]


class Executor:
    """Runs plans against one session's state.

    Attributes:
        store: The state.
        cancellations: The session's switch, thrown when it closes.
        compiles: How many executables have been made.
    """

    def __init__(self, store: StateStore, cancellations: CancellationManager) -> None:
        self.store = store
        self.cancellations = cancellations
        self.compiles = 0
        self._bodies: dict[FuncGraph, PlanRunner] = {}
        self._compiling = threading.Lock()

    def runner(self, fetches: Sequence[Tensor | Operation], feeds: tuple[Tensor, ...]) -> PlanRunner:
        """Plans a run of fetches with the given tensors fed."""
        return PlanRunner(self, tuple(fetches), feeds)

    def run_body(self, body: FuncGraph, values: Sequence[Any], context: HostContext) -> list[Any]:
        """Runs the body of a branch or loop as a plan of its own."""
        given = {t: v for t, v in zip(body.inputs, values, strict=True) if not t.dtype._is_ref_dtype}
        runner = self._bodies.get(body)
        if runner is None:
            runner = self._bodies[body] = self.runner(body.outputs, tuple(given))
        found = dict(zip(runner.plan.fetches, runner.run(list(given.values()), context.cancellation), strict=True))
        return [found[t] for t in body.outputs]

    def compile(self, segment: Segment, statics: Sequence[Any], inputs: Sequence[Any]) -> Any:
        """Compiles a segment for the present state and the shapes of its inputs.

        Raises:
            NeedStatic: If a value must be known to compile that is not.
            OpError: If an operation does not fit its inputs.
        """
        with self._compiling, jax.enable_x64(True):
            state = [_abstract(self.store.values[op]) for op in (*segment.updates, *segment.reads)]
            donated = tuple(range(len(segment.updates)))
            function = jax.jit(lower_segment(segment, statics), donate_argnums=donated, keep_unused=True)
            executable = function.lower(*state, *(_abstract(value) for value in inputs)).compile()
        self.compiles += 1
        return executable


def _abstract(value: Any) -> Any:
    return jax.ShapeDtypeStruct(np.shape(value), value.dtype)  # type: ignore[no-untyped-call]  # JAX leaves it untyped


class PlanRunner:
    """One plan, ready to be carried out again and again, with the executables of its segments.

    When compiling finds that a value must be known beforehand, the run goes on by a plan that computes it first, from
    what has been done already, and later runs use such a plan from the start.
    """

    def __init__(self, executor: Executor, fetches: tuple[Tensor | Operation, ...], feeds: tuple[Tensor, ...]) -> None:
        self._executor = executor
        self._fetches = fetches
        self._feeds = feeds
        self._static: frozenset[Tensor] = frozenset()
        self._set_plan(build_plan(fetches, feeds))

    def _set_plan(self, plan: Plan) -> None:
        self.plan = plan
        self._steps = [_ready(step, self._executor) for step in plan.steps]
        only = self._steps[0] if len(self._steps) == 1 else None
        # The usual training step: one segment, fed in its own order, whose outputs are what is fetched.
        self._only: SegmentRunner | None = None
        if isinstance(only, SegmentRunner) and not only.segment.static:
            whole = only.segment.inputs == plan.feeds and only.segment.outputs == plan.fetches
            self._only = only if whole else None

    def run(self, feeds: list[Any], cancellation: Cancellation | None = None) -> list[Any]:
        """Carries the plan out.

        Args:
            feeds: The values of the fed tensors, in order.
            cancellation: The run's cancellation, when it has a deadline.

        Returns:
            The values of `plan.fetches`, on the device or the host.
        """
        if self._only is not None:
            try:
                return self._only.run(feeds)
            except NeedStatic as need:
                self._replan(need.tensor)
        values: Values = dict(zip(self.plan.feeds, feeds, strict=True))
        if cancellation is None:
            cancellation = Cancellation(self._executor.cancellations)
        context = HostContext(self._executor.store, cancellation, self._executor)
        return self._run_steps(self.plan, self._steps, values, context)

    def _replan(self, tensor: Tensor) -> None:
        if tensor in self._static:
            raise AssertionError(f"{tensor.name} is known and asked for again")
        self._static |= {tensor}
        self._set_plan(build_plan(self._fetches, self._feeds, self._static))

    def _run_steps(self, plan: Plan, steps: list[Any], values: Values, context: HostContext) -> list[Any]:
        done: list[Operation] = []
        for step in steps:
            try:
                step(values, context)
            except NeedStatic as need:
                self._replan(need.tensor)
                feeds = tuple(values)
                rest = build_plan(self._fetches, feeds, self._static, frozenset(done))
                remaining = [_ready(s, self._executor) for s in rest.steps]
                return self._run_steps(rest, remaining, dict(values), context)
            done.extend(step.ops)
        if plan.variables:
            values.update(self._read_variables(plan.variables))
        return [values[t] if t in values else t.op._attrs["value"] for t in plan.fetches]

    def _read_variables(self, variables: dict[Tensor, Operation]) -> Values:
        try:
            found = self._executor.store.read(variables.values())
        except KeyError as missing:
            raise uninitialized(missing.args[0]) from None
        return {tensor: found[op] for tensor, op in variables.items()}


def uninitialized(op: Operation) -> errors.OpError:
    """The error for a variable without a value."""
    return errors.FailedPreconditionError(op.node_def, op, f"Attempting to use uninitialized value {op.name}")


def _ready(step: Segment | HostStep, executor: Executor) -> Any:
    return SegmentRunner(step, executor) if isinstance(step, Segment) else HostRunner(step)


def _getter(keys: tuple[Operation, ...]) -> Callable[[dict[Operation, Any]], tuple[Any, ...]]:
    if not keys:
        return lambda values: ()
    if len(keys) == 1:
        return lambda values: (values[keys[0]],)
    return itemgetter(*keys)


class SegmentRunner:
    """A segment with its executables, one for each set of input shapes and static values."""

    def __init__(self, segment: Segment, executor: Executor) -> None:
        self.segment = segment
        self.ops = segment.ops
        self._executor = executor
        self._store = executor.store
        self._executables: dict[Any, Any] = {}
        self._state = _getter((*segment.updates, *segment.reads))
        self._written = (*segment.updates, *segment.creates)
        # JAX takes 64-bit host arrays for what they are only within this scope, which costs about a microsecond.
        self._needs_x64 = any(t.dtype.size >= 8 for t in segment.inputs)

    def __call__(self, values: Values, context: HostContext) -> None:
        """Runs the segment on values by tensor, and adds its outputs to them."""
        segment = self.segment
        inputs = [values[t] for t in segment.inputs]
        statics = [np.asarray(values[t] if t in values else t.op._attrs["value"]) for t in segment.static]
        values.update(zip(segment.outputs, self.run(inputs, statics), strict=True))

    def run(self, inputs: list[Any], statics: Sequence[Any] = ()) -> list[Any]:
        """Runs the segment.

        Args:
            inputs: The values of the segment's inputs, on the host or the device.
            statics: The values of its static tensors, on the host.

        Returns:
            The outputs, on the device.

        Raises:
            FailedPreconditionError: If it reads a variable that has no value.
        """
        store = self._store
        shapes = [value.shape for value in inputs]
        key = (
            (store.layout, *shapes, *[(s.shape, s.tobytes()) for s in statics]) if statics else (store.layout, *shapes)
        )
        with store.lock:
            try:
                state = self._state(store.values)
            except KeyError:
                state = self._first_state()
            executable = self._executables.get(key)
            if executable is None:
                executable = self._executables[key] = self._executor.compile(self.segment, statics, inputs)
            if self._needs_x64:
                with jax.enable_x64(True):
                    outputs, written = executable(*state, *inputs)
            else:
                outputs, written = executable(*state, *inputs)
            if self.segment.creates:
                store.note_shapes(dict(zip(self._written, written, strict=True)))
            store.values.update(zip(self._written, written))  # noqa: B905  (equal by construction; checking costs time)
        result: list[Any] = outputs
        return result

    def _first_state(self) -> tuple[Any, ...]:
        needed = (*self.segment.updates, *self.segment.reads)
        self._store.ensure_streams(needed)
        for op in needed:
            if op not in self._store.values:
                raise uninitialized(op)
        return self._state(self._store.values)


class HostRunner:
    """A host step, called with NumPy values."""

    def __init__(self, step: HostStep) -> None:
        self.op = step.op
        self.ops = (step.op,)
        self._folded = step.folded

    def __call__(self, values: Values, context: HostContext) -> None:
        """Runs the step on values by tensor, and adds its outputs to them."""
        op = self.op
        variable = variable_read_by(op._outputs[0]) if op._outputs else None
        if variable is not None:
            results: Sequence[Any] = [self._read(variable, context)]
        elif self._folded:
            results = [fold(op, i, lambda t: _host_value(t, values, context)) for i in range(len(op._outputs))]
        elif bodies_of(op):
            interpret = op.op_def.interpret
            if interpret is None:
                raise errors.UnimplementedError(op.node_def, op, f"'{op.name}' cannot hold operations of the host.")
            results = interpret(context, op, *(_host_value(t, values, context) for t in op.inputs))
        else:
            host = op.op_def.host
            assert host is not None
            results = host(context, op, *(_host_value(t, values, context) for t in op.inputs))
        values.update(zip(op._outputs, results, strict=True))

    def _read(self, variable: Operation, context: HostContext) -> Any:
        try:
            return context.store.read([variable])[variable]
        except KeyError:
            raise uninitialized(variable) from None


def _host_value(tensor: Tensor, values: Values, context: HostContext) -> Any:
    """The value of an input of a host step: NumPy's, or for a reference, or a resource, the operation behind it."""
    if tensor in values:
        value = values[tensor]
        return np.asarray(value) if isinstance(value, jax.Array) else value
    op = tensor.op
    if op.type == "Const":
        return op._attrs["value"]
    if op.type in VARIABLE_TYPES and tensor.dtype._is_ref_dtype:
        return op
    variable = variable_read_by(tensor)
    if variable is not None:
        try:
            return context.store.read([variable])[variable]
        except KeyError:
            raise uninitialized(variable) from None
    return op
