"""Input pipelines made of queues: producers of filenames, numbers and slices, and batching.

Each function adds a queue and a `QueueRunner` that fills it, in the collection ``GraphKeys.QUEUE_RUNNERS``; a monitored
session starts them, and they stop at its end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from monitored._graph import dtypes
from monitored._graph.build import apply, constant, convert_to_tensor
from monitored._graph.collections import GraphKeys
from monitored._graph.default_scopes import control_dependencies
from monitored._graph.operation import Operation, Tensor
from monitored._graph.shapes import TensorShape, as_shape
from monitored._ops.array import identity, shape
from monitored._ops.casts import cast
from monitored._ops.counting import count_up_to
from monitored._ops.gathering import gather
from monitored._ops.math import maximum, multiply, subtract
from monitored._ops.printing import Assert
from monitored._ops.queues import FIFOQueue, PaddingFIFOQueue, QueueBase, RandomShuffleQueue
from monitored._ops.random import random_shuffle
from monitored._ops.rules import scope
from monitored._ops.sequences import range as range_
from monitored._ops.summary import scalar
from monitored._ops.variables import Variable
from monitored._train.queue_runner import QueueRunner, add_queue_runner

__all__ = [
    "batch",
    "batch_join",
    "input_producer",
    "limit_epochs",
    "range_input_producer",
    "shuffle_batch",
    "shuffle_batch_join",
    "slice_input_producer",
    "string_input_producer",
]


# -- producers ------------------------------------------------------------------------------------------------


def limit_epochs(tensor: Any, num_epochs: int | None = None, name: str | None = None) -> Tensor:
    """Passes a tensor on a number of times; then running it raises `errors.OutOfRangeError`.

    The count is a local variable, which a monitored session initializes.

    Args:
        tensor: A tensor.
        num_epochs: How often; None for no limit.
        name: A name for the operations.

    Returns:
        A tensor like `tensor`.

    Raises:
        ValueError: If `num_epochs` is not positive.
    """
    if num_epochs is None:
        result: Tensor = convert_to_tensor(tensor)
        return result
    if num_epochs <= 0:
        raise ValueError(f"num_epochs must be > 0 not {num_epochs}.")
    with scope(name, "limit_epochs", tensor) as full:
        zero = constant(0, dtypes.int64)
        epochs = Variable(zero, name="epochs", trainable=False, collections=[GraphKeys.LOCAL_VARIABLES])
        counter = count_up_to(epochs, num_epochs)
        with control_dependencies([counter]):
            return identity(tensor, name=full)


def input_producer(
    input_tensor: Any,
    element_shape: Any = None,
    num_epochs: int | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    capacity: int = 32,
    shared_name: str | None = None,
    summary_name: str | None = None,
    name: str | None = None,
    cancel_op: Operation | None = None,
) -> QueueBase:
    """A queue of the rows of a tensor, again and again.

    Args:
        input_tensor: The tensor, ``[count, ...]``.
        element_shape: The shape of a row, where that of the tensor is not fully known.
        num_epochs: How often to go through the rows; then the queue is closed. None for no limit.
        shuffle: Whether to shuffle the rows anew each time.
        seed: A seed for the shuffling.
        capacity: The capacity of the queue.
        shared_name: Queues of one shared name in a session are one queue.
        summary_name: The name of a summary of how full the queue is; none by default.
        name: A name for the operations.
        cancel_op: Closes the queue at a stop; see `QueueRunner`.

    Returns:
        The queue.

    Raises:
        ValueError: If the shape of a row is not known.
    """
    with scope(name, "input_producer", input_tensor) as full:
        tensor = convert_to_tensor(input_tensor, name="input_tensor")
        rows = tensor.shape[1:].merge_with(TensorShape(None) if element_shape is None else element_shape)
        if not rows.is_fully_defined():
            raise ValueError(
                "Either `input_tensor` must have a fully defined shape or `element_shape` must be specified"
            )
        if shuffle:
            tensor = _shuffled(tensor, seed)
        tensor = limit_epochs(tensor, num_epochs)
        queue = FIFOQueue(
            capacity,
            dtypes=[tensor.dtype.base_dtype],
            shapes=[rows],
            shared_name=shared_name,
            name=full if name is not None else "FIFOQueueV2",
        )
        enqueue = queue.enqueue_many([tensor])
        add_queue_runner(QueueRunner(queue, [enqueue], cancel_op=cancel_op))
        if summary_name is not None:
            scalar(summary_name, multiply(cast(queue.size(), dtypes.float32), 1.0 / capacity, name="mul"))
        return queue


def _shuffled(tensor: Tensor, seed: int | None) -> Tensor:
    if tensor.dtype.base_dtype != dtypes.string:
        return random_shuffle(tensor, seed=seed)
    # Strings never reach the device, where the random numbers are: it shuffles their places.
    return gather(tensor, random_shuffle(range_(shape(tensor)[0]), seed=seed))


def string_input_producer(
    string_tensor: Any,
    num_epochs: int | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    capacity: int = 32,
    shared_name: str | None = None,
    name: str | None = None,
    cancel_op: Operation | None = None,
) -> QueueBase:
    """A queue of strings, such as filenames; see `input_producer` for the arguments.

    Args:
        string_tensor: The strings, ``[count]``.
        num_epochs: How often to go through them.
        shuffle: Whether to shuffle them anew each time.
        seed: A seed for the shuffling.
        capacity: The capacity of the queue.
        shared_name: Queues of one shared name in a session are one queue.
        name: A name for the operations.
        cancel_op: Closes the queue at a stop.

    Returns:
        The queue.

    Raises:
        ValueError: If there are no strings.
    """
    needed = "string_input_producer requires a non-null input tensor"
    if not isinstance(string_tensor, Tensor) and not len(string_tensor):
        raise ValueError(needed)
    with scope(name, "input_producer", string_tensor) as full:
        tensor = convert_to_tensor(string_tensor, dtypes.string)
        count = tensor.shape[0].value if tensor.shape.ndims else None
        if not count:  # a number that is known needs no check in each run
            with control_dependencies([Assert(apply("Greater", apply("Size", tensor), 0), [needed])]):
                tensor = identity(tensor)
        return input_producer(
            tensor, [], num_epochs, shuffle, seed, capacity, shared_name, f"fraction_of_{capacity}_full", full,
            cancel_op,
        )  # fmt: skip


def range_input_producer(
    limit: Any,
    num_epochs: int | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    capacity: int = 32,
    shared_name: str | None = None,
    name: str | None = None,
) -> QueueBase:
    """A queue of the numbers from 0 to `limit` - 1; see `input_producer` for the arguments.

    Args:
        limit: How many numbers, an int32 scalar.
        num_epochs: How often to go through them.
        shuffle: Whether to shuffle them anew each time.
        seed: A seed for the shuffling.
        capacity: The capacity of the queue.
        shared_name: Queues of one shared name in a session are one queue.
        name: A name for the operations.

    Returns:
        The queue.
    """
    with scope(name, "input_producer", limit) as full:
        return input_producer(
            range_(limit), [], num_epochs, shuffle, seed, capacity, shared_name, f"fraction_of_{capacity}_full", full
        )


def slice_input_producer(
    tensor_list: Sequence[Any],
    num_epochs: int | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    capacity: int = 32,
    shared_name: str | None = None,
    name: str | None = None,
) -> list[Tensor]:
    """One row of each of several tensors, by a queue of row numbers; see `input_producer` for the arguments.

    Args:
        tensor_list: Tensors ``[count, ...]`` of one count.
        num_epochs: How often to go through the rows.
        shuffle: Whether to shuffle them anew each time.
        seed: A seed for the shuffling.
        capacity: The capacity of the queue.
        shared_name: Queues of one shared name in a session are one queue.
        name: A name for the operations.

    Returns:
        A row of each tensor, without the first dimension.

    Raises:
        ValueError: If there are no tensors.
    """
    if not len(tensor_list):
        raise ValueError("Expected at least one tensor in slice_input_producer().")
    with scope(name, "input_producer", *tensor_list):
        tensors = [convert_to_tensor(each) for each in tensor_list]
        count = shape(tensors[0])[0]
        queue = range_input_producer(count, num_epochs, shuffle, seed, capacity, shared_name)
        index = queue.dequeue()
        return [gather(each, index) for each in tensors]


# -- batching -------------------------------------------------------------------------------------------------


def batch(
    tensors: Any,
    batch_size: Any,
    num_threads: int = 1,
    capacity: int = 32,
    enqueue_many: bool = False,
    shapes: Any = None,
    dynamic_pad: bool = False,
    allow_smaller_final_batch: bool = False,
    shared_name: str | None = None,
    name: str | None = None,
) -> Any:
    """Batches of what tensors give in run after run.

    Args:
        tensors: A list or dictionary of tensors: one element, or several with `enqueue_many`.
        batch_size: How many elements make a batch.
        num_threads: How many threads run the tensors; with several the order may change.
        capacity: The capacity of the queue.
        enqueue_many: Whether the tensors are rows of elements.
        shapes: The shape of each element; by default that of the tensors.
        dynamic_pad: Whether elements may differ in size, and are padded with zeros within a batch.
        allow_smaller_final_batch: Whether the last batch may be smaller, rather than left out.
        shared_name: Queues of one shared name in a session are one queue.
        name: A name for the operations.

    Returns:
        Tensors ``[batch_size, ...]``, in the structure of `tensors`.

    Raises:
        ValueError: If there are no tensors, or their shapes are not known and not given.
    """
    return _batch(
        [tensors], "batch", num_threads, batch_size, capacity, None, None, enqueue_many, shapes, dynamic_pad,
        allow_smaller_final_batch, shared_name, name, joined=False,
    )  # fmt: skip


def batch_join(
    tensors_list: Sequence[Any],
    batch_size: Any,
    capacity: int = 32,
    enqueue_many: bool = False,
    shapes: Any = None,
    dynamic_pad: bool = False,
    allow_smaller_final_batch: bool = False,
    shared_name: str | None = None,
    name: str | None = None,
) -> Any:
    """Batches of what several lists of tensors give, each run by a thread of its own; see `batch`.

    Args:
        tensors_list: A list of lists, or of dictionaries, of tensors that agree in types and shapes.
        batch_size: How many elements make a batch.
        capacity: The capacity of the queue.
        enqueue_many: Whether the tensors are rows of elements.
        shapes: The shape of each element.
        dynamic_pad: Whether elements may differ in size.
        allow_smaller_final_batch: Whether the last batch may be smaller.
        shared_name: Queues of one shared name in a session are one queue.
        name: A name for the operations.

    Returns:
        Tensors ``[batch_size, ...]``, in the structure of the first of `tensors_list`.
    """
    return _batch(
        tensors_list, "batch_join", 1, batch_size, capacity, None, None, enqueue_many, shapes, dynamic_pad,
        allow_smaller_final_batch, shared_name, name, joined=True,
    )  # fmt: skip


def shuffle_batch(
    tensors: Any,
    batch_size: Any,
    capacity: int,
    min_after_dequeue: int,
    num_threads: int = 1,
    seed: int | None = None,
    enqueue_many: bool = False,
    shapes: Any = None,
    allow_smaller_final_batch: bool = False,
    shared_name: str | None = None,
    name: str | None = None,
) -> Any:
    """Batches of what tensors give in run after run, shuffled; see `batch`.

    Args:
        tensors: A list or dictionary of tensors.
        batch_size: How many elements make a batch.
        capacity: The capacity of the queue.
        min_after_dequeue: How many elements stay in the queue to choose from: more shuffle better.
        num_threads: How many threads run the tensors.
        seed: A seed for the shuffling.
        enqueue_many: Whether the tensors are rows of elements.
        shapes: The shape of each element.
        allow_smaller_final_batch: Whether the last batch may be smaller.
        shared_name: Queues of one shared name in a session are one queue.
        name: A name for the operations.

    Returns:
        Tensors ``[batch_size, ...]``, in the structure of `tensors`.

    Raises:
        ValueError: If `capacity` is not greater than `min_after_dequeue`.
    """
    return _batch(
        [tensors], "shuffle_batch", num_threads, batch_size, capacity, min_after_dequeue, seed, enqueue_many, shapes,
        False, allow_smaller_final_batch, shared_name, name, joined=False,
    )  # fmt: skip


def shuffle_batch_join(
    tensors_list: Sequence[Any],
    batch_size: Any,
    capacity: int,
    min_after_dequeue: int,
    seed: int | None = None,
    enqueue_many: bool = False,
    shapes: Any = None,
    allow_smaller_final_batch: bool = False,
    shared_name: str | None = None,
    name: str | None = None,
) -> Any:
    """Shuffled batches of what several lists of tensors give; see `batch_join` and `shuffle_batch`.

    Args:
        tensors_list: A list of lists, or of dictionaries, of tensors.
        batch_size: How many elements make a batch.
        capacity: The capacity of the queue.
        min_after_dequeue: How many elements stay in the queue to choose from.
        seed: A seed for the shuffling.
        enqueue_many: Whether the tensors are rows of elements.
        shapes: The shape of each element.
        allow_smaller_final_batch: Whether the last batch may be smaller.
        shared_name: Queues of one shared name in a session are one queue.
        name: A name for the operations.

    Returns:
        Tensors ``[batch_size, ...]``, in the structure of the first of `tensors_list`.
    """
    return _batch(
        tensors_list, "shuffle_batch_join", 1, batch_size, capacity, min_after_dequeue, seed, enqueue_many, shapes,
        False, allow_smaller_final_batch, shared_name, name, joined=True,
    )  # fmt: skip


def _batch(
    tensors_list: Sequence[Any], function: str, num_threads: int, batch_size: Any, capacity: int, reserve: int | None,
    seed: int | None, enqueue_many: bool, shapes: Any, dynamic_pad: bool, allow_smaller_final_batch: bool,
    shared_name: str | None, name: str | None, joined: bool,
) -> Any:  # fmt: skip
    """What the batching functions have in common; with a `reserve` the queue shuffles."""
    keys, given = _listed(tensors_list, function)
    with scope(name, function, *(tensor for tensors in given for tensor in tensors)) as full:
        rows = [[convert_to_tensor(tensor) for tensor in tensors] for tensors in given]
        types = [tensor.dtype.base_dtype for tensor in rows[0]]
        for tensors in rows[1:]:
            for kind, tensor in zip(types, tensors, strict=True):
                if tensor.dtype.base_dtype != kind:
                    raise TypeError(f"Expected types to be consistent: {kind.name} vs. {tensor.dtype.base_dtype.name}.")
        sizes = _element_shapes(rows, shapes, enqueue_many)
        queue: QueueBase
        if reserve is not None:
            if capacity <= reserve:
                raise ValueError(f"capacity {capacity} must be bigger than min_after_dequeue {reserve}.")
            queue = RandomShuffleQueue(capacity, reserve, types, sizes, seed=seed, shared_name=shared_name)
        elif dynamic_pad:
            queue = PaddingFIFOQueue(capacity, types, sizes, shared_name=shared_name)
        else:
            if not all(size.is_fully_defined() for size in sizes):
                raise ValueError(f"All shapes must be fully defined: {sizes}. Set dynamic_pad=True to pad elements.")
            queue = FIFOQueue(capacity, types, sizes, shared_name=shared_name)
        enqueues = [queue.enqueue_many(tensors) if enqueue_many else queue.enqueue(tensors) for tensors in rows]
        add_queue_runner(QueueRunner(queue, enqueues if joined else enqueues * num_threads))
        _summarize_fullness(queue, capacity, reserve)
        dequeue = queue.dequeue_up_to if allow_smaller_final_batch else queue.dequeue_many
        result = dequeue(batch_size, name=full)
        results = result if isinstance(result, list) else [result]
        if keys is not None:
            return dict(zip(keys, results, strict=True))
        return results[0] if len(results) == 1 else results


def _listed(tensors_list: Sequence[Any], function: str) -> tuple[list[Any] | None, list[list[Any]]]:
    """The lists of tensors, with the keys of dictionaries."""
    if not len(tensors_list):
        raise ValueError(f"Expected at least one list of tensors in {function}().")
    first = tensors_list[0]
    keys = sorted(first) if isinstance(first, Mapping) else None
    listed = []
    for tensors in tensors_list:
        if keys is not None:
            if not isinstance(tensors, Mapping) or sorted(tensors) != keys:
                raise ValueError(f"All dictionaries given to {function}() must have the same keys.")
            tensors = [tensors[key] for key in keys]
        elif isinstance(tensors, Tensor):
            tensors = [tensors]
        if not len(tensors):
            raise ValueError(f"Expected at least one tensor in {function}().")
        listed.append(list(tensors))
    return keys, listed


def _element_shapes(rows: list[list[Tensor]], shapes: Any, enqueue_many: bool) -> list[TensorShape]:
    """The shape of each component of an element."""
    if shapes is not None:
        return [as_shape(each) for each in shapes]
    found = []
    for column in zip(*rows, strict=True):
        common: TensorShape | None = None
        for tensor in column:
            size = tensor.shape
            if size.ndims is None:
                raise ValueError(f"Cannot infer Tensor's rank: {tensor}")
            if enqueue_many:
                size = size.with_rank_at_least(1)[1:]
            common = size if common is None else _common(common, size)
        assert common is not None
        found.append(common)
    return found


def _common(left: TensorShape, right: TensorShape) -> TensorShape:
    a, b = left.as_list(), right.as_list()
    if len(a) != len(b):
        raise ValueError(f"Shapes {left} and {right} are not compatible")
    return TensorShape([m if m == n else None for m, n in zip(a, b, strict=True)])


def _summarize_fullness(queue: QueueBase, capacity: int, reserve: int | None) -> None:
    if reserve is None:
        name, count, room = f"fraction_of_{capacity}_full", queue.size(), capacity
    else:
        room = capacity - reserve
        name = f"fraction_over_{reserve}_of_{room}_full"
        count = maximum(0, subtract(queue.size(), reserve, name="sub"))
    scalar(name, multiply(cast(count, dtypes.float32), 1.0 / room, name="mul"))
