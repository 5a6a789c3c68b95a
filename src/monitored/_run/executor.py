"""The executor: carries plans out, step by step, against one session's state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from monitored._graph.func_graph import FuncGraph
from monitored._graph.operation import Operation, Tensor
from monitored._plan.build import build_plan
from monitored._plan.lower import NeedHost, NeedStatic
from monitored._plan.plan import HostStep, Plan, Segment
from monitored._run.cancellation import Cancellation, CancellationManager
from monitored._run.host import HostContext
from monitored._run.host_runner import HostRunner
from monitored._run.segment_runner import CompiledSegments, SegmentRunner
from monitored._run.store import StateStore
from monitored._run.trace import Trace

Values = dict[Tensor, Any]


class Executor:
    """Runs plans against one session's state.

    Attributes:
        store: The state.
        cancellations: The session's switch, thrown when it closes.
        compiled: The executables.
        timeout: How long host steps of a run may wait if the run does not say, in seconds; None for ever.
    """

    def __init__(self, store: StateStore, cancellations: CancellationManager, timeout: float | None = None) -> None:
        self.store = store
        self.cancellations = cancellations
        self.timeout = timeout
        self.compiled = CompiledSegments(store)
        self._bodies: dict[FuncGraph, PlanRunner] = {}

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

    def ready(self, step: Segment | HostStep) -> SegmentRunner | HostRunner:
        """What carries out one step of a plan."""
        return SegmentRunner(step, self.compiled) if isinstance(step, Segment) else HostRunner(step)


class PlanRunner:
    """One plan, ready to be carried out again and again, with the executables of its segments.

    When compiling finds that a value must be known beforehand, the run goes on by a plan that computes it first, from
    what has been done already, and later runs use such a plan from the start.
    """

    def __init__(
        self,
        executor: Executor,
        fetches: tuple[Tensor | Operation, ...],
        feeds: tuple[Tensor, ...],
        done: frozenset[Operation] = frozenset(),
    ) -> None:
        self._executor = executor
        self._done = done  # what need not be carried out: its outputs that are needed are fed
        self._fetches = fetches
        self._feeds = feeds
        self._static: frozenset[Tensor] = frozenset()
        self._hosted: frozenset[Operation] = frozenset()
        self._set_plan(build_plan(fetches, feeds, done=done))

    def _set_plan(self, plan: Plan) -> None:
        self.plan = plan
        self._steps = [self._executor.ready(step) for step in plan.steps]
        only = self._steps[0] if len(self._steps) == 1 else None
        # The usual training step: one segment, fed in its own order, whose outputs are what is fetched.
        whole = isinstance(only, SegmentRunner) and only.takes_and_gives(plan.feeds, plan.fetches)
        self._only: Any = only if whole else None

    @property
    def only_segment(self) -> Segment | None:
        """The segment that is all there is to do; None if there is more."""
        return None if self._only is None else self._only.segment

    def run(self, feeds: list[Any], cancellation: Cancellation | None = None) -> Sequence[Any]:
        """Carries the plan out.

        Args:
            feeds: The values of the fed tensors, in order.
            cancellation: The run's cancellation, when it has a deadline.

        Returns:
            The values of `plan.fetches`, on the device or the host.
        """
        if self._only is not None:
            try:
                results: Sequence[Any] = self._only.run(feeds)
                return results
            except (NeedStatic, NeedHost) as need:
                self._replan(need)
        values: Values = dict(zip(self.plan.feeds, feeds, strict=True))
        if cancellation is None:
            cancellation = Cancellation(self._executor.cancellations, self._executor.timeout)
        context = HostContext(self._executor.store, cancellation, self._executor)
        return self._run_steps(self.plan, self._steps, values, context, self._executor.ready)

    def run_traced(self, feeds: list[Any], cancellation: Cancellation, trace: Trace) -> list[Any]:
        """Carries the plan out, each of its steps by itself.

        Args:
            feeds: The values of the fed tensors, in order.
            cancellation: The run's cancellation.
            trace: Notes when each step begins and ends.

        Returns:
            The values of `plan.fetches`, on the device or the host.
        """

        def ready(step: Segment | HostStep) -> Any:
            return trace.timed(step, self._executor.ready(step))

        values: Values = dict(zip(self.plan.feeds, feeds, strict=True))
        context = HostContext(self._executor.store, cancellation, self._executor)
        steps = [trace.timed(step, run) for step, run in zip(self.plan.steps, self._steps, strict=True)]
        return self._run_steps(self.plan, steps, values, context, ready)

    def _replan(self, need: NeedStatic | NeedHost) -> None:
        if isinstance(need, NeedStatic):
            self._static |= {need.tensor}
        else:
            self._hosted |= {need.op}
        self._set_plan(build_plan(self._fetches, self._feeds, self._static, self._done, self._hosted))

    def _run_steps(
        self,
        plan: Plan,
        steps: list[Any],
        values: Values,
        context: HostContext,
        ready: Callable[[Segment | HostStep], Any],
    ) -> list[Any]:
        for number, step in enumerate(steps):
            try:
                step(values, context)
            except (NeedStatic, NeedHost) as need:
                self._replan(need)
                done = [op for before in steps[:number] for op in before.ops]
                rest = build_plan(self._fetches, tuple(values), self._static, self._done.union(done), self._hosted)
                return self._run_steps(rest, [ready(s) for s in rest.steps], dict(values), context, ready)
        if plan.variables:
            found = self._executor.store.read(plan.variables.values())
            values.update((tensor, found[op]) for tensor, op in plan.variables.items())
        return [values[t] if t in values else t.op._attrs["value"] for t in plan.fetches]
