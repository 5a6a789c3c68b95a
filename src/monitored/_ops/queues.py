"""Queues: FIFOQueue and its kin, whose methods add operations on the queues that a session holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from monitored._graph import dtypes as dtypes_lib
from monitored._graph.build import apply, convert_to_tensor
from monitored._graph.dtypes import DType, as_dtype
from monitored._graph.graph import get_default_graph
from monitored._graph.operation import Operation, Tensor
from monitored._graph.shapes import TensorShape, as_shape
from monitored._ops import queue_ops as queue_ops  # defines the operations
from monitored._ops.random import get_seed

__all__ = ["FIFOQueue", "PaddingFIFOQueue", "PriorityQueue", "QueueBase", "RandomShuffleQueue"]


class QueueBase:
    """A queue of tuples of tensors, whose contents belong to a session.

    The methods add operations to the graph: they take effect when a session runs what they return. A full queue
    makes enqueues wait and an empty one dequeues, so that threads can feed a training loop (see
    `train.QueueRunner`). Use a subclass.

    Args:
        dtypes: The types of the components of an element.
        shapes: The shape of each component, or None when they may differ from element to element.
        names: The name of each component: elements are then dictionaries. None for tuples.
        queue_ref: The tensor of the queue's operation.

    Raises:
        ValueError: If `dtypes`, `shapes` and `names` are not of one length.
    """

    def __init__(self, dtypes: Any, shapes: Any, names: Any, queue_ref: Tensor) -> None:
        self._dtypes: list[DType] = list(dtypes)
        if shapes is not None:
            if len(shapes) != len(dtypes):
                raise ValueError("Queue shapes must have the same length as dtypes")
            self._shapes = [as_shape(shape) for shape in shapes]
        else:
            self._shapes = [TensorShape(None) for _ in self._dtypes]
        if names is not None and len(names) != len(dtypes):
            raise ValueError("Queue names must have the same length as dtypes")
        self._names: list[str] | None = names
        self._queue_ref = queue_ref
        self._name = queue_ref.op.name.rpartition("/")[2]  # operations on it are named after it, in their own scope

    @staticmethod
    def from_list(index: Any, queues: Sequence[QueueBase]) -> QueueBase:
        """The queue at a position that is known only when a session runs.

        Args:
            index: A scalar integer tensor: which of `queues`.
            queues: Queues of the same types and names.

        Returns:
            A queue whose operations work on the chosen one.

        Raises:
            TypeError: If `queues` is not a list of queues that agree.
        """
        if not queues or not isinstance(queues, list) or not all(isinstance(q, QueueBase) for q in queues):
            raise TypeError("A list of queues expected")
        if any(queue.dtypes != queues[0].dtypes for queue in queues):
            raise TypeError("Queues do not have matching component dtypes.")
        if any(queue.names != queues[0].names for queue in queues):
            raise TypeError("Queues do not have matching component names.")
        shapes = [_common_shape(each) for each in zip(*(queue.shapes for queue in queues), strict=True)]
        ref = apply("MonitoredSelectResource", index, [queue.queue_ref for queue in queues])
        return QueueBase(queues[0].dtypes, shapes, queues[0].names, ref)

    @property
    def queue_ref(self) -> Tensor:
        """The tensor of the queue's operation."""
        return self._queue_ref

    @property
    def name(self) -> str:
        """The name of the queue's operation."""
        return self._queue_ref.op.name

    @property
    def dtypes(self) -> list[DType]:
        """The types of the components."""
        return self._dtypes

    @property
    def shapes(self) -> list[TensorShape]:
        """The shapes of the components."""
        return self._shapes

    @property
    def names(self) -> list[str] | None:
        """The names of the components, or None."""
        return self._names

    def enqueue(self, vals: Any, name: str | None = None) -> Operation:
        """Adds one element; waits while the queue is full.

        Args:
            vals: A tensor, a list or tuple of one for each component, or a dictionary for a queue with names.
            name: A name for the operation.

        Returns:
            The operation. Running it raises `errors.CancelledError` when the queue is closed.

        Raises:
            ValueError: If the values' number, names or shapes are not those of the queue.
            TypeError: If a value cannot have its component's type.
        """
        with self._scope(vals, name, "enqueue") as scope:
            values = self._components_of(vals)
            for value, shape in zip(values, self._shapes, strict=True):
                value.shape.assert_is_compatible_with(shape)
            op: Operation = apply("QueueEnqueueV2", self._queue_ref, values, name=scope)
            return op

    def enqueue_many(self, vals: Any, name: str | None = None) -> Operation:
        """Adds the rows of tensors as elements; waits for room.

        Args:
            vals: As for `enqueue`, each tensor ``[count, ...]``.
            name: A name for the operation.

        Returns:
            The operation. Running it raises `errors.CancelledError` when the queue is closed.

        Raises:
            ValueError: If the values' number, names or shapes are not those of the queue.
            TypeError: If a value cannot have its component's type.
        """
        with self._scope(vals, name, "EnqueueMany") as scope:
            values = self._components_of(vals)
            count = TensorShape([None])
            for value, shape in zip(values, self._shapes, strict=True):
                value.shape.with_rank_at_least(1)
                if value.shape.ndims is not None:
                    first, *rest = value.shape.as_list()
                    own = TensorShape([first])
                    if not count.is_compatible_with(own):
                        raise ValueError(f"Dimensions {first} and {count[0]} are not compatible")
                    count = count.merge_with(own)
                    TensorShape(rest).assert_is_compatible_with(shape)
            op: Operation = apply("QueueEnqueueManyV2", self._queue_ref, values, name=scope)
            return op

    def dequeue(self, name: str | None = None) -> Any:
        """Removes one element; waits while there is none.

        Args:
            name: A name for the operation.

        Returns:
            A tensor, a list of one for each component when there are several, or a dictionary for a queue with
            names. Running it raises `errors.OutOfRangeError` when the queue is closed and empty.
        """
        name = name or f"{self._name}_Dequeue"
        return self._element(apply("QueueDequeueV2", self._queue_ref, name=name, component_types=self._dtypes))

    def dequeue_many(self, n: Any, name: str | None = None) -> Any:
        """Removes `n` elements and stacks them; waits until there are as many.

        Args:
            n: How many, an integer tensor.
            name: A name for the operation.

        Returns:
            What `dequeue` returns, each tensor ``[n, ...]``. Running it raises `errors.OutOfRangeError` when the
            queue is closed and holds fewer.
        """
        return self._dequeue_rows("QueueDequeueManyV2", n, name or f"{self._name}_DequeueMany")

    def dequeue_up_to(self, n: Any, name: str | None = None) -> Any:
        """Removes `n` elements and stacks them, or fewer (but one at least) when the queue is closed.

        Args:
            n: How many, an integer tensor.
            name: A name for the operation.

        Returns:
            What `dequeue` returns, each tensor ``[count, ...]`` with 1 ≤ count ≤ n. Running it raises
            `errors.OutOfRangeError` when the queue is closed and empty.
        """
        return self._dequeue_rows("QueueDequeueUpToV2", n, name or f"{self._name}_DequeueUpTo")

    def close(self, cancel_pending_enqueues: bool = False, name: str | None = None) -> Operation:
        """Lets no more elements in; those in the queue can still be dequeued.

        Args:
            cancel_pending_enqueues: Whether enqueues that wait for room fail; otherwise they go first.
            name: A name for the operation.

        Returns:
            The operation.
        """
        op: Operation = apply(
            "QueueCloseV2", self._queue_ref, name=name or f"{self._name}_Close",
            cancel_pending_enqueues=cancel_pending_enqueues,
        )  # fmt: skip
        return op

    def is_closed(self, name: str | None = None) -> Tensor:
        """Whether the queue is closed: a boolean scalar.

        Args:
            name: A name for the operation.

        Returns:
            The tensor.
        """
        result: Tensor = apply("QueueIsClosedV2", self._queue_ref, name=name or f"{self._name}_Is_Closed")
        return result

    def size(self, name: str | None = None) -> Tensor:
        """The number of elements in the queue: an int32 scalar.

        Args:
            name: A name for the operation.

        Returns:
            The tensor.
        """
        result: Tensor = apply("QueueSizeV2", self._queue_ref, name=name or f"{self._name}_Size")
        return result

    def _scope(self, vals: Any, name: str | None, method: str) -> Any:
        if self._names is not None and not isinstance(vals, Mapping):
            raise ValueError("You must enqueue a dictionary in a Queue with names")
        return get_default_graph().name_scope(name or f"{self._name}_{method}")

    def _components_of(self, vals: Any) -> list[Tensor]:
        if isinstance(vals, Mapping):
            if self._names is None:
                raise ValueError("Queue must have names to enqueue a dictionary")
            if sorted(self._names) != sorted(vals):
                raise ValueError(
                    "Keys in dictionary to enqueue do not match names of Queue.  "
                    f"Dictionary: ({sorted(vals)}), Queue: ({sorted(self._names)})"
                )
            vals = [vals[name] for name in self._names]
        elif not isinstance(vals, (list, tuple)):
            vals = [vals]
        if len(vals) != len(self._dtypes):
            raise ValueError(f"Expected {len(self._dtypes)} components to enqueue, got {len(vals)}.")
        return [
            convert_to_tensor(value, dtype, name=f"component_{index}")
            for index, (value, dtype) in enumerate(zip(vals, self._dtypes, strict=True))
        ]

    def _dequeue_rows(self, op_type: str, n: Any, name: str) -> Any:
        return self._element(apply(op_type, self._queue_ref, n, name=name, component_types=self._dtypes), rows=True)

    def _element(self, tensors: list[Tensor], rows: bool = False) -> Any:
        for tensor, shape in zip(tensors, self._shapes, strict=True):
            tensor.set_shape(TensorShape([None]).concatenate(shape) if rows else shape)
        if self._names is not None:
            return dict(zip(self._names, tensors, strict=True))
        return tensors[0] if len(tensors) == 1 else tensors


def _common_shape(shapes: Sequence[TensorShape]) -> TensorShape:
    """The sizes that several shapes share, None where they differ."""
    first, *others = [shape.sizes for shape in shapes]
    if first is None or any(other is None or len(other) != len(first) for other in others):
        return TensorShape(None)
    return TensorShape([a if all(o and o[i] == a for o in others) else None for i, a in enumerate(first)])


def _types_of(dtypes: Any) -> list[DType]:
    types = [as_dtype(t) for t in (dtypes if isinstance(dtypes, (list, tuple)) else [dtypes])]
    if not types:
        raise ValueError("A queue needs at least one component type: 'dtypes' is empty.")
    return types


def _shapes_of(shapes: Any, types: Sequence[DType], partial: bool = False) -> list[TensorShape] | None:
    """The shape of each component, from one shape or a list of them."""
    if shapes is None and not partial:
        return None
    single = _as_one_shape(shapes)
    if partial and (single is not None or not isinstance(shapes, (list, tuple))):
        raise ValueError("When providing partial shapes, a list of shapes must be provided.")
    if single is None and not isinstance(shapes, (list, tuple)):
        raise TypeError("shapes must be a TensorShape or a list or tuple of TensorShapes.")
    listed = [as_shape(shape) for shape in shapes] if single is None else [single]
    if not partial and not all(shape.is_fully_defined() for shape in listed):
        raise ValueError(f"All shapes must be fully defined: {listed}")
    if len(listed) != len(types):
        raise ValueError(
            f"Queue shapes must have the same length as dtypes: there are {len(listed)} shapes for {len(types)}."
        )
    return listed


def _as_one_shape(shapes: Any) -> TensorShape | None:
    """The shape that a list of sizes is; None for a list of shapes."""
    if isinstance(shapes, TensorShape):
        return shapes
    if isinstance(shapes, (list, tuple)) and all(s is None or hasattr(s, "__index__") for s in shapes):
        return TensorShape(shapes)
    return None


def _names_of(names: Any, types: Sequence[DType]) -> list[str] | None:
    if names is None:
        return None
    listed = [names] if isinstance(names, str) else list(names)
    if len(listed) != len(types):
        raise ValueError("List of names must have the same length as the list of dtypes")
    return listed


def _make(op_type: str, types: Any, shapes: Any, shared_name: str | None, name: str, **attrs: Any) -> Tensor:
    ref: Tensor = apply(
        op_type, name=name, component_types=types, shapes=shapes or [], shared_name=shared_name or "", **attrs
    )
    return ref


class FIFOQueue(QueueBase):
    """A queue that gives elements back in the order in which they came.

    Args:
        capacity: The number of elements at which enqueues wait; negative for no limit.
        dtypes: The type of each component.
        shapes: The shape of each component, which `dequeue_many` and `enqueue_many`'s checks need; None when
            elements may differ.
        names: A name for each component, to enqueue and dequeue dictionaries.
        shared_name: Queues of one shared name in a session are one queue.
        name: The operation's name.

    Raises:
        ValueError: If the lists are not of one length, or a shape is not fully known.
    """

    def __init__(
        self,
        capacity: int,
        dtypes: Any,
        shapes: Any = None,
        names: Any = None,
        shared_name: str | None = None,
        name: str = "fifo_queue",
    ) -> None:
        types = _types_of(dtypes)
        listed, names = _shapes_of(shapes, types), _names_of(names, types)
        ref = _make("FIFOQueueV2", types, listed, shared_name, name, capacity=capacity)
        super().__init__(types, listed, names, ref)


class RandomShuffleQueue(QueueBase):
    """A queue that gives elements back in random order.

    Args:
        capacity: The number of elements at which enqueues wait; negative for no limit.
        min_after_dequeue: The number of elements that stay, to choose from, until the queue is closed.
        dtypes: The type of each component.
        shapes: The shape of each component; see `FIFOQueue`.
        names: A name for each component; see `FIFOQueue`.
        seed: With it (or the graph's seed) the order is the same in each session, and TensorFlow's.
        shared_name: Queues of one shared name in a session are one queue.
        name: The operation's name.

    Raises:
        ValueError: If the lists are not of one length, or a shape is not fully known.
    """

    def __init__(
        self,
        capacity: int,
        min_after_dequeue: int,
        dtypes: Any,
        shapes: Any = None,
        names: Any = None,
        seed: int | None = None,
        shared_name: str | None = None,
        name: str = "random_shuffle_queue",
    ) -> None:
        types = _types_of(dtypes)
        listed, names = _shapes_of(shapes, types), _names_of(names, types)
        seed1, seed2 = get_seed(seed)
        ref = _make(
            "RandomShuffleQueueV2", types, listed, shared_name, name, capacity=capacity,
            min_after_dequeue=min_after_dequeue, seed=seed1 or 0, seed2=seed2 or 0,
        )  # fmt: skip
        super().__init__(types, listed, names, ref)


class PaddingFIFOQueue(QueueBase):
    """A `FIFOQueue` of elements of different sizes, which `dequeue_many` pads with zeros to the largest.

    Args:
        capacity: The number of elements at which enqueues wait; negative for no limit.
        dtypes: The type of each component.
        shapes: The shape of each component, a list; None for a size that may vary.
        names: A name for each component; see `FIFOQueue`.
        shared_name: Queues of one shared name in a session are one queue.
        name: The operation's name.

    Raises:
        ValueError: If the lists are not of one length, or `shapes` is no list.
    """

    def __init__(
        self,
        capacity: int,
        dtypes: Any,
        shapes: Any,
        names: Any = None,
        shared_name: str | None = None,
        name: str = "padding_fifo_queue",
    ) -> None:
        types = _types_of(dtypes)
        listed, names = _shapes_of(shapes, types, partial=True), _names_of(names, types)
        ref = _make("PaddingFIFOQueueV2", types, listed, shared_name, name, capacity=capacity)
        super().__init__(types, listed, names, ref)


class PriorityQueue(QueueBase):
    """A queue whose elements have an int64 priority before their components, and leave by it, the least first.

    Args:
        capacity: The number of elements at which enqueues wait; negative for no limit.
        types: The type of each component after the priority.
        shapes: The shape of each component after the priority.
        names: A name for the priority and each component; see `FIFOQueue`.
        shared_name: Queues of one shared name in a session are one queue.
        name: The operation's name.

    Raises:
        ValueError: If the lists are not of one length, or a shape is not fully known.
        TypeError: If `shapes` is missing.
    """

    def __init__(
        self,
        capacity: int,
        types: Any,
        shapes: Any = None,
        names: Any = None,
        shared_name: str | None = None,
        name: str = "priority_queue",
    ) -> None:
        own = _types_of(types)
        listed = _shapes_of(shapes, own)
        if listed is None:
            raise TypeError("PriorityQueue needs 'shapes', one for each of its types.")
        every = [dtypes_lib.int64, *own]
        names = _names_of(names, every)
        ref = _make("PriorityQueueV2", own, listed, shared_name, name, capacity=capacity)
        super().__init__(every, [TensorShape([]), *listed], names, ref)
