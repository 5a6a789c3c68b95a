"""What a run records about itself for `RunMetadata`: when each step of its plan began and ended, and what was compiled.

A device segment is timed from when its inputs are there until its outputs and the state it changed are, so a traced
run waits where others do not. Nothing is estimated: XLA fuses a segment's operations, which have no times of their own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import jax

from monitored._graph.graph import Graph
from monitored._graph.operation import Operation, Tensor
from monitored._plan.plan import HostStep, Plan, Segment
from monitored._run.activity import observe, stop_observing
from monitored._run.host import HostContext
from monitored._run.store import StateStore

Values = dict[Tensor, Any]
Step = Callable[[Values, HostContext], None]

_TASK: Final = "/job:localhost/replica:0/task:0"
_HOST: Final = f"{_TASK}/device:CPU:0"
_COMPILER: Final = f"{_TASK}/compiler:XLA:0"


class Trace:
    """One run's record.

    Args:
        store: The session's state.
    """

    def __init__(self, store: StateStore) -> None:
        self._store = store
        self._spans: list[_Span] = []
        self._thread = threading.get_ident()
        self._compiling: tuple[str, int] | None = None  # the segment, and when its compilation began
        self._at_work = ""
        self._compiled_until = 0
        self._epoch = time.time_ns() - time.perf_counter_ns()

    def __enter__(self) -> Trace:
        with self._store.lock:  # what earlier runs have left to do is no part of this one
            _wait_for(list(self._store.values.values()))
        observe(self)
        return self

    def __exit__(self, *exception: object) -> None:
        stop_observing(self)

    def began(self, what: str) -> None:
        """Notes the beginning of a compilation."""
        if what == "compile" and threading.get_ident() == self._thread:
            self._compiling = (self._at_work, time.perf_counter_ns())

    def ended(self, what: str) -> None:
        """Notes the end of a compilation."""
        if what == "compile" and threading.get_ident() == self._thread and self._compiling is not None:
            name, begin = self._compiling
            end = self._compiled_until = time.perf_counter_ns()
            self._spans.append(_Span(_COMPILER, name, f"{name} = Compile()", begin, end))

    def timed(self, step: Segment | HostStep, run: Step) -> TimedStep:
        """What carries a step out, and notes when.

        Args:
            step: The step.
            run: What carries it out.

        Returns:
            A step that is called with the same arguments.
        """
        if isinstance(step, Segment):
            return TimedStep(step.ops, self._timed_segment(step, run))
        return TimedStep((step.op,), self._timed_host_step(step.op, run))

    def _timed_segment(self, segment: Segment, run: Step) -> Step:
        name = segment.ops[-1].name if segment.ops else "reads"
        label = f"{name} = Segment[{len(segment.ops)}]({', '.join(t.op.name for t in segment.inputs)})"
        changed = (*segment.updates, *segment.creates)

        def call(values: Values, context: HostContext) -> None:
            _wait_for([values[t] for t in segment.inputs if t in values])
            self._at_work = name
            begin = time.perf_counter_ns()
            run(values, context)
            with self._store.lock:
                _wait_for([values[t] for t in segment.outputs])
                _wait_for([self._store.values[op] for op in changed])
            end = time.perf_counter_ns()
            outputs = [(t, values[t]) for t in segment.outputs]
            self._spans.append(_Span(device_name(), name, label, max(begin, self._compiled_until), end, outputs))

        return call

    def _timed_host_step(self, op: Operation, run: Step) -> Step:
        label = f"{op.name} = {op.type}({', '.join(t.op.name for t in op.inputs)})"

        def call(values: Values, context: HostContext) -> None:
            _wait_for([values[t] for t in op.inputs if t in values])
            self._at_work = op.name
            begin = time.perf_counter_ns()
            run(values, context)
            end = time.perf_counter_ns()
            outputs = [(t, values[t]) for t in op.outputs if t in values]
            self._spans.append(_Span(_HOST, op.name, label, begin, end, outputs))

        return call

    def fill(self, step_stats: Any) -> None:
        """Writes the record into a `StepStats`.

        Args:
            step_stats: The protocol buffer; what it held is removed.
        """
        step_stats.Clear()
        devices: dict[str, Any] = {}
        for span in self._spans:
            if span.device not in devices:
                devices[span.device] = step_stats.dev_stats.add(device=span.device)
            begin, nanoseconds = self._epoch + span.begin, span.end - span.begin
            node_stats = devices[span.device].node_stats.add(
                node_name=span.name,
                timeline_label=span.label,
                thread_id=self._thread & 0x7FFFFFFF,
                scheduled_micros=begin // 1000,
                scheduled_nanos=begin,
                all_start_micros=begin // 1000,
                all_start_nanos=begin,
                op_end_rel_micros=max(1, nanoseconds // 1000),
                op_end_rel_nanos=nanoseconds,
                all_end_rel_micros=max(1, nanoseconds // 1000),
                all_end_rel_nanos=nanoseconds,
            )
            for slot, (tensor, value) in enumerate(span.outputs):
                _describe(node_stats.output.add(slot=slot).tensor_description, tensor, value)


class _Span(NamedTuple):
    """Something that took time, from `begin` to `end` in nanoseconds of the performance counter."""

    device: str
    name: str
    label: str
    begin: int
    end: int
    outputs: list[tuple[Tensor, Any]] = []  # noqa: RUF012  (never changed)


def _describe(description: Any, tensor: Tensor, value: Any) -> None:
    if not hasattr(value, "nbytes"):  # a resource
        return
    description.dtype = tensor.dtype.as_datatype_enum
    for size in value.shape:
        description.shape.dim.add(size=size)
    description.allocation_description.requested_bytes = value.nbytes
    description.allocation_description.allocated_bytes = value.nbytes
    description.allocation_description.allocator_name = "xla" if isinstance(value, jax.Array) else "cpu"


class TimedStep:
    """A step of a plan that notes when it began and ended."""

    __slots__ = ("_run", "ops")

    def __init__(self, ops: tuple[Operation, ...], run: Step) -> None:
        self.ops = ops
        self._run = run

    def __call__(self, values: Values, context: HostContext) -> None:
        """Runs the step on values by tensor, and adds its outputs to them."""
        self._run(values, context)


def _wait_for(values: list[Any]) -> None:
    jax.block_until_ready(values)  # type: ignore[no-untyped-call]  # JAX leaves it untyped


def device_name() -> str:
    """TensorFlow's name of the device that segments run on."""
    platform = jax.devices()[0].platform
    return f"{_TASK}/device:{'GPU' if platform in ('gpu', 'cuda', 'rocm') else platform.upper()}:0"


def partition_graph(graph: Graph, plan: Plan) -> Any:
    """What a plan carries out, as a `GraphDef`: its operations, and the variables, constants and feeds that they use.

    Args:
        graph: The graph.
        plan: The plan.

    Returns:
        The protocol buffer.
    """
    fed = {tensor.op for tensor in plan.feeds}
    wanted = [op for step in plan.steps for op in (step.ops if isinstance(step, Segment) else (step.op,))]
    wanted += [tensor.op for tensor in plan.fetches]
    names: set[str] = {op.name for op in fed}
    while wanted:
        op = wanted.pop()
        if op.name not in names:
            names.add(op.name)
            wanted += [tensor.op for tensor in op.inputs]
    given = {op.name for op in fed if op.inputs}
    whole = graph.as_graph_def()
    found = type(whole)(versions=whole.versions, library=whole.library)
    for node in whole.node:
        if node.name in given:  # what it would be computed from is not there
            tensor = graph.get_operation_by_name(node.name).outputs[0]
            found.node.add(name=node.name, op="Placeholder").attr["dtype"].type = tensor.dtype.as_datatype_enum
        elif node.name in names:
            copy = found.node.add()
            copy.CopyFrom(node)
            # What waits for an operation that is not carried out waits no more.
            kept = [name for name in node.input if not name.startswith("^") or name[1:] in names]
            if len(kept) < len(node.input):
                copy.ClearField("input")
                copy.input.extend(kept)
    return found
