"""Device segments at work: compiled once for each set of shapes, and shared between plans that differ a little.

A hook that asks for the loss every hundredth step makes two plans whose segments change the same state: one with the
loss among its outputs, one without. Compiling both would compile the training step twice. So segments with the same
inputs whose state is changed by the same operations are merged when what the merged one adds to either is little work,
and one executable serves both.
"""

from __future__ import annotations

import gc
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from operator import attrgetter, itemgetter
from typing import Any, Final

import jax
import numpy as np

from monitored import errors
from monitored._graph.effects import bodies_of, effects_of
from monitored._graph.graph import Graph
from monitored._graph.operation import Operation, Tensor
from monitored._plan import held
from monitored._plan.alike import Alike
from monitored._plan.build import in_program_order
from monitored._plan.loop import loop_of
from monitored._plan.lower import NeedHost, NeedStatic, lower_segment
from monitored._plan.plan import Segment
from monitored._run.activity import activity
from monitored._run.counters import counters_of, without_counters
from monitored._run.executables import ExecutableCache, default_folder
from monitored._run.host import HostContext
from monitored._run.store import StateStore

Values = dict[Tensor, Any]

_shape: Final = attrgetter("shape")
_SMALL_SHARE: Final = 0.05  # an extension may add a twentieth of the work,
_SMALL_WORK: Final = 20_000  # or what takes a few microseconds
_COPY_WORK: Final = 50  # moving one element out costs about as much as this many multiplications in a matrix product
_ELEMENT_WORK: Final = 20  # and so for computing one element anywhere else
_MANY_ALIKE: Final = 16  # so many generators like others are slower to compile than to run one by one
_UNKNOWN_SIZE: Final = 64  # stands for a dimension not known before running


class CompiledSegments:
    """The executables of a session's segments, found by the operations with which the segments change state.

    Attributes:
        compiles: How many executables have been made.
    """

    def __init__(self, store: StateStore) -> None:
        self.store = store
        self.compiles = 0
        self._kept = ExecutableCache(default_folder(), store.device)
        self._lock = threading.Lock()
        self._compiling = threading.Lock()
        self._by_effects: dict[frozenset[Operation], list[CompiledSegment]] = {}
        self._by_content: dict[Any, CompiledSegment] = {}

    def load_ahead(self, graph: Graph) -> None:
        """Loads the executables that a graph will need, as far as they are kept, while something else is done."""
        self._kept.load_ahead(graph)

    def find(self, segment: Segment) -> CompiledSegment:
        """What carries a segment out: one that is there already, widened if need be, or a new one."""
        effects = frozenset(op for op in segment.ops if effects_of(op).writes)
        if not effects or segment.static:
            # Equal ones come from the same fetches in another structure, or the same feeds in another order.
            content = (segment.ops, segment.inputs, segment.static, segment.outputs, segment.reads, segment.updates)
            with self._lock:
                return self._by_content.setdefault(content, CompiledSegment(segment, self))
        with self._lock:
            family = self._by_effects.setdefault(effects, [])
            for compiled in family:
                merged = _merged(compiled.segment, segment)
                if merged is not None:
                    compiled.widen(merged)
                    return compiled
            family.append(CompiledSegment(segment, self))
            return family[-1]

    def forget(self, compiled: CompiledSegment) -> None:
        """No longer shares what turned out not to compile as it stands."""
        with self._lock:
            for family in self._by_effects.values():
                if compiled in family:
                    family.remove(compiled)
            for content, one in [*self._by_content.items()]:
                if one is compiled:
                    del self._by_content[content]

    def compile(self, segment: Segment, statics: Sequence[Any], inputs: Sequence[Any]) -> Any:
        """Compiles a segment for the present state and the shapes of its inputs.

        Raises:
            NeedStatic: If a value must be known to compile that is not.
            OpError: If an operation does not fit its inputs.
        """
        if segment.ops:
            self.load_ahead(segment.ops[0].graph)
        if _repeats_itself(segment):
            return _step_by_step(lower_segment(segment, statics, Alike(inline=False)), self.store.device)
        with self._compiling, jax.enable_x64(True), jax.default_device(self.store.device):
            state = [_abstract(self.store.values[op]) for op in (*segment.updates, *segment.reads)]
            taken = [*state, *(_abstract(value) for value in inputs)]

            def lower() -> Any:
                step = lower_segment(segment, statics, Alike(inline=True), held.together)
                return _lowered(step, len(segment.updates), taken)

            executable, made = self._kept.get(segment, statics, taken, lower)
        self.compiles += made
        return executable

    def compile_loop(self, segment: Segment, inputs: Sequence[Any], own: bool) -> Any:
        """Compiles a loop around a segment without static values.

        Args:
            segment: The segment.
            inputs: The values of its inputs.
            own: Whether each of them holds a row for each step.

        Returns:
            The executable, which takes the number of steps between the state and the inputs.

        Raises:
            NeedStatic: If a value must be known to compile that is not.
            NeedHost: If it cannot be one computation.
            TypeError: If a variable's type or shape changes from step to step.
        """
        with self._compiling, activity("compile"), jax.enable_x64(True), jax.default_device(self.store.device):
            state = [_abstract(self.store.values[op]) for op in (*segment.updates, *segment.reads)]
            taken = [*state, _abstract(np.int32(0)), *(_abstract(value) for value in inputs)]

            def lower() -> Any:
                step = lower_segment(segment, (), Alike(inline=True), held.one_by_one)
                loop = loop_of(step, len(segment.updates), len(segment.reads), own)
                return _lowered(loop, len(segment.updates), taken)

            executable, made = self._kept.get(segment, (), taken, lower, f"loop {own}")
        self.compiles += made
        return executable


class CompiledSegment:
    """A segment with its executables, one for each set of input shapes and static values."""

    def __init__(self, segment: Segment, shared: CompiledSegments) -> None:
        self._shared = shared
        self._store = shared.store
        # JAX takes 64-bit host arrays for what they are only within this scope, which costs about a microsecond.
        self._needs_x64 = any(t.dtype.size >= 8 for t in segment.inputs)
        self._set(segment)

    def _set(self, segment: Segment) -> None:
        self.segment = segment
        self._executables: dict[Any, _Ready] = {}

    def widen(self, merged: Segment) -> None:
        """Takes over a segment that does all this one does, its outputs first."""
        if merged is not self.segment:
            with self._store.lock:
                self._set(merged)

    def run(self, inputs: Sequence[Any], statics: Sequence[Any] = ()) -> list[Any]:
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
        key: Any = (store.layout, *map(_shape, inputs))
        if statics:
            key = (key, *[(s.shape, s.tobytes()) for s in statics])
        ready = self._executables.get(key) or self._compile(key, statics, inputs)
        with store.lock:
            goes_on = store.latest is ready
            state = ready.given if goes_on else self._state_of(ready)
            if self._needs_x64:
                with jax.enable_x64(True):
                    outputs, written = ready.call(*state, *inputs)
            else:
                outputs, written = ready.call(*state, *inputs)
            if not goes_on:
                # What JAX calls in turn, from the second run on, in half a microsecond less.
                ready.call = getattr(ready.executable, "_call", None) or ready.executable
            if ready.only_updates:
                ready.given = written
                store.latest = ready
            else:
                if ready.may_reshape:
                    store.note_shapes(dict(zip(ready.written, written, strict=True)))
                store.values.update(zip(ready.written, written, strict=True))
            result: list[Any] = outputs
            for counter in ready.counters:
                result.insert(counter.place, counter.passed(written[counter.position]))
        return result

    def _compile(self, key: Any, statics: Sequence[Any], inputs: Sequence[Any]) -> _Ready:
        """Compiles without holding the state, so that other threads' runs go on meanwhile."""
        ready = _Ready(self.segment)
        with self._store.lock:
            self._first_state(ready)
        with activity("compile"):
            ready.executable = ready.call = self._shared.compile(ready.compiled, statics, inputs)
        with self._store.lock:
            if self.segment is ready.segment:  # else widened in the meantime
                self._executables[key] = ready
        return ready

    def _state_of(self, ready: _Ready) -> Sequence[Any]:
        """The state for a run that follows one of something else."""
        try:
            state: Sequence[Any] = ready.state(self._store.values)
        except KeyError:
            state = self._first_state(ready)
        for counter in ready.counters:
            counter.look(state[counter.position])
        return state

    def _first_state(self, ready: _Ready) -> Sequence[Any]:
        return self._store.state_of((*ready.segment.updates, *ready.segment.reads))


class _Ready:
    """An executable with the state that it takes and gives."""

    __slots__ = (
        "call", "compiled", "counters", "executable", "given", "may_reshape", "only_updates", "segment", "state",
        "updated", "written",
    )  # fmt: skip

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        self.counters = counters_of(segment)
        self.compiled = without_counters(segment, self.counters)
        self.executable: Any = None
        self.call: Any = None
        self.state = _getter((*segment.updates, *segment.reads))
        self.written = (*segment.updates, *segment.creates)
        # Whether a variable may come with another shape than it had.
        self.may_reshape = bool(segment.creates) or any(
            op.type == "Assign" and not op._attrs.get("validate_shape", True) for op in segment.ops
        )
        # As most training steps: all the state that it takes is what it gives. See `StateStore.latest`.
        self.only_updates = bool(segment.updates) and not segment.reads and not self.may_reshape
        self.updated: Sequence[Operation] = segment.updates
        self.given: Sequence[Any] = ()


class SegmentRunner:
    """One plan's view of a segment: its own outputs, from an executable that may serve other plans too."""

    def __init__(self, segment: Segment, shared: CompiledSegments) -> None:
        self.ops = segment.ops
        self._segment = segment
        self._shared = shared
        self._use(shared.find(segment))

    def _use(self, compiled: CompiledSegment) -> None:
        self._compiled = compiled
        places = {t: i for i, t in enumerate(compiled.segment.outputs)}
        picks = [places[t] for t in self._segment.outputs]
        self._picks = _picker(picks)
        # All there were when this was looked at; another plan may since have widened the segment.
        self._all = len(places) if picks == list(range(len(places))) else -1

    @property
    def segment(self) -> Segment:
        """The segment, as the plan has it."""
        return self._segment

    def takes_and_gives(self, feeds: tuple[Tensor, ...], fetches: tuple[Tensor, ...]) -> bool:
        """Whether `run` takes exactly these inputs and gives exactly these outputs, in order."""
        takes = self._compiled.segment.inputs == feeds and not self._segment.static
        return takes and self._segment.outputs == fetches

    def __call__(self, values: Values, context: HostContext) -> None:
        """Runs the segment on values by tensor, and adds its outputs to them."""
        statics = [np.asarray(values[t] if t in values else t.op._attrs["value"]) for t in self._segment.static]
        outputs = self.run([values[t] for t in self._compiled.segment.inputs], statics)
        values.update(zip(self._segment.outputs, outputs, strict=True))

    def run(self, inputs: Sequence[Any], statics: Sequence[Any] = ()) -> Sequence[Any]:
        """Runs the segment; see `CompiledSegment.run`."""
        try:
            outputs = self._compiled.run(inputs, statics)
        except (NeedStatic, NeedHost, errors.FailedPreconditionError) as error:
            missing = error.op if isinstance(error, errors.FailedPreconditionError) else None
            if missing in (*self._segment.updates, *self._segment.reads):
                raise
            # It cannot be shared as it is; whoever shared it goes on with a segment of their own.
            self._shared.forget(self._compiled)
            if self._compiled.segment is self._segment:
                raise
            self._use(CompiledSegment(self._segment, self._shared))
            return self.run(inputs, statics)
        return outputs if len(outputs) == self._all else self._picks(outputs)


def _lowered(function: Callable[..., Any], donated: int, taken: Sequence[Any]) -> Any:
    with warnings.catch_warnings(), _no_garbage_sought():
        # A variable that changes its shape cannot have the new value where the old one was.
        warnings.filterwarnings("ignore", message="Some donated buffers were not usable")
        return jax.jit(function, donate_argnums=tuple(range(donated)), keep_unused=True).lower(*taken)


@contextmanager
def _no_garbage_sought() -> Iterator[None]:
    """For tracing, which makes many objects that stay: going through them again and again takes a third of its time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _abstract(value: Any) -> Any:
    return jax.ShapeDtypeStruct(np.shape(value), value.dtype)  # type: ignore[no-untyped-call]  # JAX leaves it untyped


def _getter(keys: tuple[Operation, ...]) -> Callable[[dict[Operation, Any]], tuple[Any, ...]]:
    if not keys:
        return lambda values: ()
    if len(keys) == 1:
        return lambda values: (values[keys[0]],)
    return itemgetter(*keys)


def _picker(places: list[int]) -> Callable[[list[Any]], Sequence[Any]]:
    """Gives the elements at some places."""
    if not places:
        return lambda values: ()
    if len(places) == 1:
        return lambda values: (values[places[0]],)
    return itemgetter(*places)


def _repeats_itself(segment: Segment) -> bool:
    """Whether a segment initializes many variables alike: each generator of random numbers takes XLA 0.1 s to compile.

    Run operation by operation, such a segment compiles one small kernel for all operations that are alike.
    """
    if not segment.creates or any(not op.op_def.random for op in segment.updates):
        return False
    kinds = [(op.type, op._outputs[0].shape) for op in segment.ops if op.op_def.random]
    return len(kinds) - len(set(kinds)) >= _MANY_ALIKE


def _step_by_step(function: Callable[..., Any], device: Any) -> Callable[..., Any]:
    def run(*args: Any) -> Any:
        with jax.enable_x64(True), jax.default_device(device):
            return function(*args)

    return run


# -- merging ------------------------------------------------------------------------------------------------


def _merged(one: Segment, other: Segment) -> Segment | None:
    """A segment that does what both do, `one` itself if it does; None unless that is little more than either."""
    if set(one.inputs) != set(other.inputs):
        return None
    ops = in_program_order({*one.ops, *other.ops})
    outputs = tuple(dict.fromkeys((*one.outputs, *other.outputs)))
    for part in (one, other):
        extra = _work(set(ops) - set(part.ops), set(outputs) - set(part.outputs))
        if extra > max(_SMALL_WORK, _SMALL_SHARE * _work(part.ops, part.outputs)):
            return None
    if len(ops) == len(one.ops) and outputs == one.outputs:
        return one
    reads = tuple(dict.fromkeys((*one.reads, *other.reads)))
    return Segment(tuple(ops), one.inputs, (), outputs, reads, one.updates, one.creates)


def _work(ops: Iterable[Operation], outputs: Iterable[Tensor]) -> float:
    """A rough count of operations: multiplications in matrix products, elements computed elsewhere or moved out."""
    total = _COPY_WORK * float(sum(_size(t) for t in outputs))
    for op in ops:
        if bodies_of(op):
            return float("inf")
        forward = op.graph.get_operation_by_name(op._attrs["forward"]) if op.type == "VJP" else op
        if "MatMul" in forward.type or "Conv" in forward.type:
            results = _size(forward._outputs[0])
            # [m, k] times [k, n] takes m n k, and k is the root of (m k)(k n) / (m n).
            depth = (_size(forward.inputs[0]) * _size(forward.inputs[1]) / max(results, 1)) ** 0.5
            total += results * depth * len(op._outputs)
        else:
            total += _ELEMENT_WORK * sum(_size(t) for t in op._outputs)
    return total


def _size(tensor: Tensor) -> int:
    sizes = tensor.shape.sizes
    if sizes is None:
        return _UNKNOWN_SIZE**2
    count = 1
    for size in sizes:
        count *= _UNKNOWN_SIZE if size is None else size
    return count
