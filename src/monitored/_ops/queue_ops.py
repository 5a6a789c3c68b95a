"""The operations on queues, and the `HostQueue` that a session holds for each queue's operation."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from monitored import errors
from monitored._graph import dtypes as dtypes_lib
from monitored._graph import infer
from monitored._graph.constant import constant_value
from monitored._graph.dtypes import DType
from monitored._graph.opdef import REQUIRED, define
from monitored._graph.operation import Operation
from monitored._graph.shapes import TensorShape
from monitored._ops.queue_core import FIFOStore, HostQueue, PriorityStore, ShuffleStore, Store, stack_rows

_numbers = itertools.count()


class _SessionQueue:
    """A `HostQueue` with the types and shapes that its operation declares."""

    __slots__ = ("core", "dtypes", "padding", "shapes")

    def __init__(self, op: Operation) -> None:
        attrs = op._attrs
        types, shapes = _components(op)
        name = attrs["shared_name"] or f"_{next(_numbers)}_{op.name}"
        kind = op.type.removesuffix("V2")
        self.dtypes = [t.as_numpy_dtype for t in types]
        self.shapes = [shape.sizes for shape in shapes]
        self.padding = kind == "PaddingFIFOQueue"
        self.core = HostQueue(kind, name, _store(op), attrs["capacity"])

    def owned(self, op: Operation, values: Sequence[Any], lead: tuple[int, ...] = ()) -> list[Any]:
        """The values, checked against the declared shapes, and copied where somebody else might change them."""
        kept = []
        for index, (value, shape) in enumerate(zip(values, self.shapes, strict=True)):
            given = getattr(value, "shape", ())
            wanted = None if shape is None else lead + shape
            if (wanted is not None and given != wanted and not _fits(wanted, given)) or given[: len(lead)] != lead:
                shown = _shown(wanted if wanted is not None else lead)
                raise errors.InvalidArgumentError(
                    None, op, f"Shape mismatch in tuple component {index}. Expected {shown}, got {_shown(given)}"
                )
            # Arrays of the device are immutable, and NumPy's views of them are not writeable.
            if type(value) is np.ndarray and value.flags.writeable:
                value = value.copy()
            kept.append(value)
        return kept


def _store(op: Operation) -> Store:
    if op.type == "RandomShuffleQueueV2":
        reserve, capacity = op._attrs["min_after_dequeue"], op._attrs["capacity"]
        if reserve < 0:
            raise errors.InvalidArgumentError(None, op, f"min_after_dequeue {reserve} must be >= 0")
        if 0 <= capacity <= reserve:
            raise errors.InvalidArgumentError(None, op, f"min_after_dequeue {reserve} must be < capacity {capacity}")
        return ShuffleStore(reserve, op._attrs["seed"], op._attrs["seed2"])
    return PriorityStore() if op.type == "PriorityQueueV2" else FIFOStore()


def _fits(wanted: tuple[int | None, ...], given: tuple[int, ...]) -> bool:
    return len(wanted) == len(given) and all(w is None or w == g for w, g in zip(wanted, given, strict=True))


def _shown(shape: tuple[int | None, ...]) -> str:
    return "[" + ",".join("?" if size is None else str(size) for size in shape) + "]"


def _components(op: Operation) -> tuple[list[DType], list[TensorShape]]:
    """The types and shapes of a queue operation's components."""
    types = list(op._attrs["component_types"])
    shapes = list(op._attrs["shapes"]) or [TensorShape(None)] * len(types)
    if op.type == "PriorityQueueV2":
        return [dtypes_lib.int64, *types], [TensorShape([]), *shapes]
    return types, shapes


def _queue_of(context: Any, maker: Operation) -> _SessionQueue:
    if maker._attrs["shared_name"]:
        maker = _first_sharing(maker)
    queue: _SessionQueue = context.resource(maker, lambda: _SessionQueue(maker))
    return queue


def _first_sharing(maker: Operation) -> Operation:
    """The operation whose queue all operations of one shared name use; they must agree on what it holds."""
    shared_name = maker._attrs["shared_name"]
    first = next(op for op in maker.graph._operations if op._attrs.get("shared_name") == shared_name)
    if first is maker:
        return first

    def differs(what: str, there: Any, here: Any) -> errors.InvalidArgumentError:
        verb = "were" if what.endswith("s") else "was"
        return errors.InvalidArgumentError(
            None, maker, f"Shared queue '{shared_name}' has {what} {there} but requested {what} {verb} {here}"
        )

    if first.type != maker.type:
        wanted = maker.type.removesuffix("V2")
        raise errors.InvalidArgumentError(None, maker, f"Expected {wanted}, found {first.type}")
    for attr in ("capacity", "min_after_dequeue"):
        if first._attrs.get(attr) != maker._attrs.get(attr):
            raise differs(attr, first._attrs[attr], maker._attrs[attr])
    for attr, what in (("component_types", "component types"), ("shapes", "component shapes")):
        there, here = ([str(getattr(x, "name", x)) for x in op._attrs[attr]] for op in (first, maker))
        if there != here:
            raise differs(what, ", ".join(there) or "none", ", ".join(here) or "none")
    return first


def _define_queue(type: str, **attrs: Any) -> None:
    define(
        type, "-> handle:resource", host=lambda context, op: (op,), infer=infer.scalar, stateful=True,
        component_types=REQUIRED, shapes=(), container="", shared_name="", **attrs,
    )  # fmt: skip


_define_queue("FIFOQueueV2", capacity=-1)
_define_queue("PaddingFIFOQueueV2", capacity=-1)
_define_queue("PriorityQueueV2", capacity=-1)
_define_queue("RandomShuffleQueueV2", capacity=-1, min_after_dequeue=0, seed=0, seed2=0)


def _enqueue(context: Any, op: Operation, maker: Operation, *values: Any) -> tuple[()]:
    queue = _queue_of(context, maker)
    queue.core.enqueue([tuple(queue.owned(op, values))], context.cancellation, op)
    return ()


def _enqueue_many(context: Any, op: Operation, maker: Operation, *values: Any) -> tuple[()]:
    queue = _queue_of(context, maker)
    first = getattr(values[0], "shape", ())
    if not first:
        shown = _shown((None, *(queue.shapes[0] or ())))
        raise errors.InvalidArgumentError(None, op, f"Shape mismatch in tuple component 0. Expected {shown}, got []")
    columns = queue.owned(op, values, (first[0],))
    queue.core.enqueue(list(zip(*columns, strict=True)), context.cancellation, op)
    return ()


def _dequeue(context: Any, op: Operation, maker: Operation) -> tuple[Any, ...]:
    return _queue_of(context, maker).core.dequeue(1, context.cancellation, op)[0]


def _dequeue_many(context: Any, op: Operation, maker: Operation, n: Any) -> tuple[Any, ...]:
    queue = _queue_of(context, maker)
    count = int(n)
    up_to = op.type == "QueueDequeueUpToV2"
    if count < 0:
        kind = "DequeueUpToOp" if up_to else "DequeueManyOp"
        raise errors.InvalidArgumentError(None, op, f"{kind} requested {count} < 0 elements")
    if any(shape is None for shape in queue.shapes):
        raise errors.InvalidArgumentError(
            None,
            op,
            f"{queue.core.kind}'s DequeueMany and DequeueUpTo require the components to have specified shapes.",
        )
    rows = queue.core.dequeue(count, context.cancellation, op, up_to)
    return stack_rows(rows, queue.dtypes, queue.shapes)


def _close(context: Any, op: Operation, maker: Operation) -> tuple[()]:
    queue = _queue_of(context, maker)
    queue.core.close(op._attrs["cancel_pending_enqueues"], context.cancellation, op)
    return ()


def _static_shapes(op: Operation) -> list[TensorShape]:
    """The shapes of the components in the queue that an operation works on, as far as the graph tells."""
    maker = op.inputs[0].op
    if "component_types" in maker._attrs:
        return _components(maker)[1]
    return [TensorShape(None)] * len(op.outputs)


def _many_shapes(op: Operation) -> list[TensorShape]:
    n = constant_value(op.inputs[1])
    if n is not None and n < 0:
        raise ValueError(f"Input 'n' must be >= 0, but is {n} for '{op.name}' (op: '{op.type}').")
    # With "up to" the end of the input may give fewer.
    rows = TensorShape([None if n is None or op.type == "QueueDequeueUpToV2" else int(n)])
    return [rows.concatenate(shape) for shape in _static_shapes(op)]


define("QueueEnqueueV2", "handle:resource components:[Tcomponents] ->", host=_enqueue, stateful=True, timeout_ms=-1)
define(
    "QueueEnqueueManyV2", "handle:resource components:[Tcomponents] ->", host=_enqueue_many, stateful=True,
    timeout_ms=-1,
)  # fmt: skip
define(
    "QueueDequeueV2", "handle:resource -> components:[component_types]", host=_dequeue, infer=_static_shapes,
    stateful=True, timeout_ms=-1,
)  # fmt: skip
for _type in ("QueueDequeueManyV2", "QueueDequeueUpToV2"):
    define(
        _type, "handle:resource n:int32 -> components:[component_types]", host=_dequeue_many, infer=_many_shapes,
        stateful=True, timeout_ms=-1,
    )  # fmt: skip
define("QueueCloseV2", "handle:resource ->", host=_close, stateful=True, cancel_pending_enqueues=False)
define(
    "QueueSizeV2", "handle:resource -> size:int32", infer=infer.scalar, stateful=True,
    host=lambda context, op, maker: (np.int32(_queue_of(context, maker).core.size()),),
)  # fmt: skip
define(
    "QueueIsClosedV2", "handle:resource -> is_closed:bool", infer=infer.scalar, stateful=True,
    host=lambda context, op, maker: (np.bool_(_queue_of(context, maker).core.is_closed()),),
)  # fmt: skip
# TensorFlow writes this as a GatherV2 of a Pack, which for resources XLA cannot do.
define(
    "MonitoredSelectResource", "index:int32 resources:N*resource -> resource:resource", infer=infer.scalar,
    host=lambda context, op, index, *makers: (makers[int(index)],),
)  # fmt: skip
