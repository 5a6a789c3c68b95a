"""From a graph, fetches and feeds to a `Plan`: prune, order, place on levels, cut.

Levels alternate: even ones become device segments, odd ones hold host steps. An operation stands on the first level
after everything that it waits for; then device operations sink as far as those that need them allow, so that what
feeds one segment is computed in it. That makes a training step one segment, or dequeue, segment, summary.
"""

from __future__ import annotations

import heapq
from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from typing import Any

from monitored import errors
from monitored._graph import dtypes
from monitored._graph.constant import constant_value
from monitored._graph.effects import VARIABLE_TYPES, Effects, bodies_of, effects_of, variable_read_by
from monitored._graph.func_graph import FuncGraph
from monitored._graph.operation import Operation, Tensor
from monitored._plan.guard import is_guarded
from monitored._plan.plan import HostStep, Plan, Segment


def build_plan(
    fetches: Iterable[Tensor | Operation],
    feeds: tuple[Tensor, ...],
    static: frozenset[Tensor] = frozenset(),
    done: frozenset[Operation] = frozenset(),
    hosted: frozenset[Operation] = frozenset(),
) -> Plan:
    """Plans a run.

    Args:
        fetches: The tensors and operations wanted.
        feeds: The tensors whose values are given.
        static: Tensors whose values are needed to compile what uses them; found by trying.
        done: Operations that have run already; what they computed is among the feeds.
        hosted: Operations with bodies that must run on the host; found by trying.

    Returns:
        The plan.

    Raises:
        InvalidArgumentError: If a placeholder is needed that is not fed.
        UnimplementedError: If an operation is needed that has no meaning here.
    """
    return _Builder(tuple(dict.fromkeys(fetches)), feeds, static, done, hosted).build()


def is_source(tensor: Tensor, fed: frozenset[Tensor]) -> bool:
    """Whether a tensor has a value without anything being run: fed, a constant, or a variable."""
    return tensor in fed or tensor.op.type == "Const" or variable_read_by(tensor, fed) is not None


def is_foldable(
    tensor: Tensor, given: Container[Tensor], found: dict[Tensor, Any], decided: dict[Tensor, bool] | None = None
) -> bool:
    """Whether the host can compute a tensor with NumPy from given tensors and constants.

    Args:
        tensor: The tensor.
        given: The given tensors.
        found: Values of constants, which are added to.
        decided: What is known of other tensors, with the same given ones; it is added to, so that asking for each
            tensor of a chain looks at each operation once.

    Returns:
        Whether it can.
    """
    decided = {} if decided is None else decided
    stack = [tensor]
    while stack:
        one = stack[-1]
        if one in decided:
            stack.pop()
        elif one in given or constant_value(one, found) is not None:
            decided[one] = True
        elif one.op.op_def.fold is None or any(decided.get(t) is False for t in one.op.inputs):
            decided[one] = False
        else:
            undecided = [t for t in one.op.inputs if t not in decided]
            if undecided:
                stack += undecided
            else:
                decided[one] = True
    return decided[tensor]


@dataclass(slots=True)
class _Builder:
    fetches: tuple[Tensor | Operation, ...]
    feeds: tuple[Tensor, ...]
    static: frozenset[Tensor]
    done: frozenset[Operation]
    hosted: frozenset[Operation]
    order: list[Operation] = field(default_factory=list)
    effects: dict[Operation, Effects] = field(default_factory=dict)
    waits: dict[Operation, dict[Operation, int]] = field(default_factory=dict)  # op -> what before it, levels apart
    level: dict[Operation, int] = field(default_factory=dict)
    folded: set[Operation] = field(default_factory=set)
    on_host: set[Operation] = field(default_factory=set)

    def build(self) -> Plan:
        fed = frozenset(self.feeds)
        needed = self._needed(fed)
        self.order = in_program_order(needed)
        self.effects = {op: effects_of(op, fed) for op in self.order}
        self._find_folded(fed)
        self.on_host = {op for op in self.order if self._is_host(op)}
        self._find_waits(fed)
        self._place()
        return self._cut(fed)

    def _needed(self, fed: frozenset[Tensor]) -> set[Operation]:
        """The operations to run: backward from the fetches, through data and control inputs, up to the feeds."""
        needed: set[Operation] = set()
        stack: list[Operation] = []

        def want(tensor: Tensor) -> None:
            if tensor not in fed and (tensor in self.static or not is_source(tensor, fed)):
                stack.append(tensor.op)

        for fetch in self.fetches:
            if isinstance(fetch, Tensor):
                want(fetch)
            elif fetch.type not in VARIABLE_TYPES and fetch.type != "Const":
                stack.append(fetch)
        while stack:
            op = stack.pop()
            if op in needed or op in self.done:
                continue
            needed.add(op)
            _check_runnable(op)
            for position, tensor in enumerate(op.inputs):
                if position in op.op_def.updates and tensor.op.type in VARIABLE_TYPES:
                    continue
                want(tensor)
            for control in op.control_inputs:
                waits_for_feed = control.type == "Placeholder" and fed.issuperset(control.outputs)
                if control.type not in VARIABLE_TYPES and control.type != "Const" and not waits_for_feed:
                    stack.append(control)
        return needed

    def _find_folded(self, fed: frozenset[Tensor]) -> None:
        """Device operations for the host: on strings, or needed to compile a segment and computed from host values."""
        self.folded.update(op for op in self.order if _handles_strings(op) and not self._is_host(op))
        given = fed | {t for op in self.order if self.effects[op].host or op in self.hosted for t in op.outputs}
        found: dict[Tensor, Any] = {}
        decided: dict[Tensor, bool] = {}
        stack = [t for t in self.static if t not in given and is_foldable(t, given, found, decided)]
        while stack:
            tensor = stack.pop()
            if tensor in given or tensor.op.type == "Const" or tensor.op in self.folded:
                continue
            self.folded.add(tensor.op)
            stack.extend(tensor.op.inputs)

    def _is_host(self, op: Operation) -> bool:
        read_on_host = bool(op.outputs) and variable_read_by(op.outputs[0], self.feeds) is not None
        return self.effects[op].host or op in self.hosted or op in self.folded or read_on_host

    def _find_waits(self, fed: frozenset[Tensor]) -> None:
        """What each operation waits for: its inputs, control inputs, and effects before it on the same state."""
        last_write: dict[Operation, Operation] = {}
        reads_since: dict[Operation, list[Operation]] = {}
        last_stateful: Operation | None = None
        for op in self.order:
            self.waits[op] = {}
            host = op in self.on_host

            def wait(before: Operation, value_needed: bool = False, op: Operation = op, host: bool = host) -> None:
                apart = 1 if (before in self.on_host) != host else 2 if value_needed and not host else 0
                self.waits[op][before] = max(apart, self.waits[op].get(before, 0))

            for tensor in op.inputs:
                if tensor not in fed and tensor.op in self.waits:
                    wait(tensor.op, value_needed=tensor in self.static)
            for control in op.control_inputs:
                if control in self.waits:
                    wait(control)
            effects = self.effects[op]
            for state in effects.reads:
                if state in last_write:
                    wait(last_write[state])
                reads_since.setdefault(state, []).append(op)
            for state in effects.writes:
                for before in (*([last_write[state]] if state in last_write else []), *reads_since.get(state, [])):
                    if before is not op:
                        wait(before)
                last_write[state] = op
                reads_since[state] = []
            if host and effects.stateful:
                if last_stateful is not None:
                    wait(last_stateful)
                last_stateful = op

    def _place(self) -> None:
        for op in self.order:
            lowest = -1 if op in self.on_host else 0
            self.level[op] = max((self.level[b] + apart for b, apart in self.waits[op].items()), default=lowest)
            self.level[op] = max(self.level[op], lowest)
        last_device = max((level for op, level in self.level.items() if op not in self.on_host), default=0)
        sink: dict[Operation, int] = {}
        for op in reversed(self.order):
            if op not in self.on_host:
                self.level[op] = sink.get(op, last_device)
            for before, apart in self.waits[op].items():
                sink[before] = min(sink.get(before, last_device), self.level[op] - apart)

    def _cut(self, fed: frozenset[Tensor]) -> Plan:
        tensors = tuple(f for f in self.fetches if isinstance(f, Tensor))
        written = {state for effects in self.effects.values() for state in effects.writes}
        variables: dict[Tensor, Operation] = {}
        early: dict[Operation, list[Tensor]] = {}  # fetched variables that the run changes: their values before that
        for tensor in tensors:
            variable = None if tensor in self.static else variable_read_by(tensor, fed)
            if variable is not None and variable in written:
                early.setdefault(variable, []).append(tensor)
            elif variable is not None:
                variables[tensor] = variable
        levels: dict[int, list[Operation]] = {}
        for op in self.order:
            levels.setdefault(self.level[op], []).append(op)
        wanted = self._wanted_across(fed, tensors)
        steps: list[Segment | HostStep] = []
        for level in sorted(levels):
            if level % 2:
                steps.extend(HostStep(op, op in self.folded) for op in levels[level])
            else:
                steps.append(self._segment(levels[level], fed, wanted, early))
        return Plan(self.feeds, tensors, tuple(steps), variables)

    def _wanted_across(self, fed: frozenset[Tensor], fetched: tuple[Tensor, ...]) -> set[Tensor]:
        """The tensors that must outlive the step that computes them."""
        wanted = {t for t in fetched if t not in fed}
        for op in self.order:
            for tensor in op.inputs:
                producer = tensor.op
                if (
                    tensor not in fed
                    and producer in self.level
                    and (self.level[producer] != self.level[op] or op in self.on_host)
                ):
                    wanted.add(tensor)
        return wanted

    def _segment(
        self, ops: list[Operation], fed: frozenset[Tensor], wanted: set[Tensor], early: dict[Operation, list[Tensor]]
    ) -> Segment:
        inside = set(ops)
        inputs: dict[Tensor, None] = {}
        used_statically: dict[Tensor, None] = {}
        reads: dict[Operation, None] = {}
        writes: dict[Operation, None] = {}
        outputs: list[Tensor] = []
        for op in ops:
            effects = self.effects[op]
            for position, tensor in enumerate(op.inputs):
                if position in op.op_def.updates or (tensor.dtype._is_ref_dtype and bodies_of(op)):
                    continue
                if tensor in self.static:
                    used_statically[tensor] = None
                elif tensor in fed or not (tensor.op in inside or is_source(tensor, fed)):
                    inputs[tensor] = None
            # State that is overwritten first is never looked at.
            reads.update((s, None) for s in effects.reads if s not in writes)
            if op.op_def.random:
                reads[op] = None
            writes.update(dict.fromkeys(effects.writes))
            outputs.extend(t for t in op.outputs if t in wanted)
        guarded = is_guarded(ops)
        for state in writes:
            if guarded and state.type in VARIABLE_TYPES:
                reads[state] = None  # it may have to keep its value
            for tensor in early.pop(state, []):
                reads[state] = None
                outputs.append(tensor)
        return Segment(
            ops=tuple(ops),
            inputs=tuple(inputs),
            static=tuple(used_statically),
            outputs=tuple(outputs),
            reads=tuple(s for s in reads if s not in writes),
            updates=tuple(s for s in writes if s in reads),
            creates=tuple(s for s in writes if s not in reads),
        )


def _handles_strings(op: Operation) -> bool:
    """Whether an operation meant for the device takes or gives strings, which XLA does not have."""
    if op.op_def.lower is None or bodies_of(op):
        return False
    return any(t.dtype.base_dtype == dtypes.string for t in (*op.inputs, *op._outputs))


def in_program_order(needed: set[Operation]) -> list[Operation]:
    """The operations in the order of their creation, each after what it waits for."""
    ordered = sorted(needed, key=lambda op: op._id)
    done: set[Operation] = set()
    for op in ordered:
        if any(b in needed and b not in done for b in _before(op)):
            break
        done.add(op)
    else:
        return ordered
    return _sorted_topologically(ordered, needed)


def _before(op: Operation) -> list[Operation]:
    return [*(t.op for t in op.inputs), *op.control_inputs]


def _sorted_topologically(ordered: list[Operation], needed: set[Operation]) -> list[Operation]:
    """For graphs where an operation was told to wait for one created after it."""
    after: dict[Operation, list[Operation]] = {}
    missing: dict[Operation, int] = {}
    for op in ordered:
        before = {b for b in _before(op) if b in needed}
        missing[op] = len(before)
        for b in before:
            after.setdefault(b, []).append(op)
    ready = [(op._id, op) for op in ordered if not missing[op]]
    result: list[Operation] = []
    while ready:
        _, op = heapq.heappop(ready)
        result.append(op)
        for follower in after.get(op, []):
            missing[follower] -= 1
            if not missing[follower]:
                heapq.heappush(ready, (follower._id, follower))
    if len(result) != len(ordered):
        stuck = next(op for op in ordered if missing[op])
        raise errors.InvalidArgumentError(None, stuck, f"Operation '{stuck.name}' waits for itself.")
    return result


def _check_runnable(op: Operation) -> None:
    definition = op.op_def
    if op.type == "Placeholder" and not (isinstance(op.graph, FuncGraph) and op.outputs[0] in op.graph.inputs):
        dtype, shape = op.outputs[0].dtype.name, op.outputs[0].shape
        dtype = {"float32": "float", "float64": "double", "float16": "half"}.get(dtype, dtype)
        sizes = ",".join("?" if size is None else str(size) for size in shape.as_list()) if shape.ndims else ""
        extra = f" and shape [{sizes}]" if sizes else ""
        message = f"You must feed a value for placeholder tensor '{op.name}' with dtype {dtype}{extra}"
        raise errors.InvalidArgumentError(op.node_def, op, message)
    if definition.lower is None and definition.host is None and op.type not in _STRUCTURAL and not bodies_of(op):
        raise errors.UnimplementedError(op.node_def, op, f"Operation type '{op.type}' ('{op.name}') cannot be run.")


_STRUCTURAL = frozenset({"NoOp", "Const", "Placeholder", "VJP"})
