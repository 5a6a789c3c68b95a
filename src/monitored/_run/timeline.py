"""`Timeline`: a run's `StepStats` as a trace for Chrome's `about:tracing`, Perfetto, and whatever else reads those.

The format is described in "Trace Event Format" (Google, 2016). Each device is a process with as many rows as it has
things going on at once; what a step takes from a step in another row is joined to it by an arrow.
"""

from __future__ import annotations

import itertools
import json
import re
from typing import Any, Final, NamedTuple

__all__ = ["Timeline"]

_LABEL: Final = re.compile(r"(.*) = (.*)\((.*)\)")
_ALLOCATORS: Final = 0  # the process under which memory is shown


class _Node(NamedTuple):
    """One of the steps, and where it is shown."""

    name: str
    op: str
    inputs: list[str]
    process: int
    row: int
    begin: int  # in microseconds
    end: int
    stats: Any


class Timeline:
    """Turns a `StepStats` into a Chrome trace.

        options = tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE)
        metadata = tf.RunMetadata()
        session.run(train_op, options=options, run_metadata=metadata)
        trace = timeline.Timeline(metadata.step_stats).generate_chrome_trace_format()

    Args:
        step_stats: A `StepStats`, as ``RunMetadata.step_stats`` holds it.
        graph: Accepted; everything needed is in `step_stats`.
    """

    def __init__(self, step_stats: Any, graph: Any = None) -> None:
        self._step_stats = step_stats
        self._nodes: list[_Node] = []
        self._devices: list[str] = [device.device for device in step_stats.dev_stats]
        for number, device in enumerate(step_stats.dev_stats):
            self._place(_process(number), device.node_stats)

    def _place(self, process: int, all_stats: Any) -> None:
        """Gives each step of a device the first row that is free when it begins."""
        free_from: list[int] = []
        for stats in sorted(all_stats, key=lambda stats: stats.all_start_micros):
            begin, end = stats.all_start_micros, stats.all_start_micros + stats.all_end_rel_micros
            row = next((i for i, free in enumerate(free_from) if free <= begin), len(free_from))
            free_from[row : row + 1] = [end]
            label = _LABEL.fullmatch(stats.timeline_label)
            name, op, inputs = label.groups() if label else (stats.node_name, "unknown", "")
            parts = inputs.split(", ") if inputs else []
            self._nodes.append(_Node(name, op, parts, process, row, begin, end, stats))

    def generate_chrome_trace_format(self, show_dataflow: bool = True, show_memory: bool = False) -> str:
        """The trace, as JSON to be written to a file.

        Args:
            show_dataflow: Whether arrows join a step to those in other rows that take its outputs.
            show_memory: Whether to show the steps' outputs from when they are made to when they were last used, and
                how many bytes they hold.

        Returns:
            The text.
        """
        events = [_process_name(_ALLOCATORS, "Allocators")]
        for number, device in enumerate(self._devices):
            events.append(_process_name(_process(number), f"{device} Compute"))
            events.append(_process_name(_process(number) + 1, f"{device} Tensors"))
        events += [_step(node) for node in self._nodes]
        if show_dataflow:
            events += self._arrows()
        if show_memory:
            events += self._memory()
        return json.dumps({"traceEvents": events}, indent=4)

    def _takers(self) -> list[tuple[_Node, _Node]]:
        """Each step with each one that takes its outputs."""
        makers = {node.name: node for node in self._nodes if node.op != "Compile"}
        pairs = []
        for taker in self._nodes:
            for name in taker.inputs:
                maker = makers.get(name.removeprefix("^").partition(":")[0])
                if maker is not None and maker is not taker:
                    pairs.append((maker, taker))
        return pairs

    def _arrows(self) -> list[dict[str, Any]]:
        numbers = itertools.count()
        events = []
        for maker, taker in self._takers():
            if (maker.process, maker.row) != (taker.process, taker.row):
                number = next(numbers)
                arrow = {"cat": "DataFlow", "name": maker.name, "id": number}
                events.append({"ph": "s", **arrow, "pid": maker.process, "tid": maker.row, "ts": maker.end})
                events.append({"ph": "t", **arrow, "pid": taker.process, "tid": taker.row, "ts": taker.begin})
        return events

    def _memory(self) -> list[dict[str, Any]]:
        """The outputs as objects, and the sum of their bytes."""
        last_use = {id(node): node.end for node in self._nodes}
        for maker, taker in self._takers():
            last_use[id(maker)] = max(last_use[id(maker)], taker.begin)
        events, changes = [], []
        for number, node in enumerate(node for node in self._nodes if node.stats.output):
            tensor = {"cat": "Tensor", "name": node.name, "pid": node.process + 1, "tid": 0, "id": number}
            end = last_use[id(node)]
            described = "\n".join(str(output.tensor_description) for output in node.stats.output)
            snapshot = {"snapshot": {"tensor_description": described}}
            events.append({"ph": "N", **tensor, "ts": node.begin})
            events.append({"ph": "O", **tensor, "ts": node.end, "args": snapshot})
            events.append({"ph": "D", **tensor, "ts": end})
            for output in node.stats.output:
                allocation = output.tensor_description.allocation_description
                changes.append((node.begin, allocation.allocator_name, allocation.requested_bytes))
                changes.append((end, allocation.allocator_name, -allocation.requested_bytes))
        held: dict[str, int] = {}
        for time, allocator, change in sorted(changes):
            held[allocator] = held.get(allocator, 0) + change
            counter = {"cat": "Memory", "name": allocator, "pid": _ALLOCATORS, "tid": 0, "ts": time}
            events.append({"ph": "C", **counter, "args": {allocator: held[allocator]}})
        return events


def _process(number: int) -> int:
    """The process of a device's steps; the one after it shows its tensors."""
    return 2 * number + 1


def _process_name(process: int, name: str) -> dict[str, Any]:
    return {"name": "process_name", "ph": "M", "pid": process, "args": {"name": name}}


def _step(node: _Node) -> dict[str, Any]:
    args = {"name": node.name, "op": node.op, **{f"input{i}": name for i, name in enumerate(node.inputs)}}
    place = {"pid": node.process, "tid": node.row, "ts": node.begin, "dur": node.end - node.begin}
    return {"ph": "X", "cat": "Op", "name": node.op, **place, "args": args}
