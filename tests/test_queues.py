"""Queues and input pipelines: TensorFlow's nodes, values and errors; nothing lost by who waits."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import monitored as tf
import replay_training
from monitored._ops.queue_core import FIFOStore, HostQueue, PriorityStore, ShuffleStore


@pytest.mark.parametrize("name", replay_training.names("queues/", "inputs/"))
def test_like_tensorflow(name: str) -> None:
    replay_training.check(name)


class Waiting:
    """A cancellation that tells when a step begins to wait, and ends the wait when told to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.begun = threading.Event()
        self.error = error
        self.condition: threading.Condition | None = None

    def check(self) -> None:
        if self.error is not None:
            raise self.error

    def remaining(self) -> float | None:
        return 60.0

    @contextmanager
    def watching(self, condition: threading.Condition) -> Iterator[None]:
        self.condition = condition
        self.begun.set()
        yield

    def cancel(self, error: Exception) -> None:
        assert self.condition is not None
        with self.condition:
            self.error = error
            self.condition.notify_all()


class Blocked:
    """A step of a queue in a thread of its own, which has begun to wait."""

    def __init__(self, step: Any, *args: Any) -> None:
        self.waiting = Waiting()
        self.result: Any = None
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._run, args=(step, args))
        self._thread.start()
        assert self.waiting.begun.wait(60)

    def _run(self, step: Any, args: tuple[Any, ...]) -> None:
        try:
            self.result = step(*args, self.waiting, None)
        except Exception as error:
            self.error = error

    def join(self) -> Any:
        self._thread.join(60)
        assert not self._thread.is_alive()
        if self.error is not None:
            raise self.error
        return self.result


NEVER = Waiting(AssertionError("must not wait"))
CANCELLED = tf.errors.CancelledError(None, None, "stop")
LATE = tf.errors.DeadlineExceededError(None, None, "late")


def rows(*values: int) -> list[tuple[int]]:
    return [(value,) for value in values]


def fifo(capacity: int = 3, *values: int) -> HostQueue:
    queue = HostQueue("FIFOQueue", "q", FIFOStore(), capacity)
    queue.enqueue(rows(*values), NEVER, None)
    return queue


def test_a_close_waits_for_the_enqueues_before_it_and_not_for_those_after() -> None:
    queue = fifo(2)
    before = Blocked(queue.enqueue, rows(1, 2, 3, 4))
    close = Blocked(lambda waiting, op: queue.close(False, waiting, op))
    after = Blocked(queue.enqueue, rows(9))
    assert not queue.is_closed()
    assert queue.dequeue(1, NEVER, None) == rows(1)
    assert not queue.is_closed()
    assert queue.dequeue(1, NEVER, None) == rows(2)
    before.join(), close.join()
    assert queue.is_closed()
    with pytest.raises(tf.errors.CancelledError, match="FIFOQueue 'q' is closed"):
        after.join()
    assert queue.dequeue(2, NEVER, None) == rows(3, 4)


def test_who_waits_first_is_served_first() -> None:
    queue = fifo(9)
    many = Blocked(queue.dequeue, 3)
    one = Blocked(queue.dequeue, 1)
    queue.enqueue(rows(1, 2), NEVER, None)
    assert queue.size() == 0
    queue.enqueue(rows(3, 4), NEVER, None)
    assert many.join() == rows(1, 2, 3)
    assert one.join() == rows(4)


@pytest.mark.parametrize("error", [CANCELLED, LATE, KeyboardInterrupt("now")])
def test_a_cancelled_dequeue_gives_back_what_it_took_and_lets_others_go_on(error: Any) -> None:
    queue = fifo(9)
    many = Blocked(queue.dequeue, 5)
    queue.enqueue(rows(1, 2), NEVER, None)
    later = Blocked(queue.dequeue, 2)
    if isinstance(error, KeyboardInterrupt):
        error = ValueError("in place of it")
    many.waiting.cancel(error)
    with pytest.raises(type(error)):
        many.join()
    assert later.join() == rows(1, 2)
    assert queue.size() == 0


def test_a_cancelled_enqueue_leaves_what_had_room() -> None:
    queue = fifo(2)
    enqueue = Blocked(queue.enqueue, rows(1, 2, 3, 4))
    enqueue.waiting.cancel(CANCELLED)
    with pytest.raises(tf.errors.CancelledError, match="Enqueue operation was cancelled"):
        enqueue.join()
    assert queue.dequeue(2, NEVER, None) == rows(1, 2)
    queue.enqueue(rows(5), NEVER, None)
    assert queue.dequeue(1, NEVER, None) == rows(5)


def test_stores_give_back_in_the_old_order() -> None:
    for store in (FIFOStore(), PriorityStore()):
        store.put([(1, "a"), (1, "b"), (2, "c")])
        store.put_back(store.take(2))
        assert store.take(3) == [(1, "a"), (1, "b"), (2, "c")]


def test_elements_of_equal_priority_leave_in_the_order_of_their_arrival() -> None:
    store = PriorityStore()
    store.put([(2, "a"), (1, "b"), (2, "c"), (1, "d")])
    assert [name for _, name in store.take(4)] == ["b", "d", "a", "c"]


def test_without_seeds_each_shuffling_is_its_own() -> None:
    orders = []
    for _ in range(2):
        store = ShuffleStore(0, 0, 0)
        store.put(rows(*range(50)))
        orders.append(store.take(50))
    assert orders[0] != orders[1]
    assert sorted(orders[0]) == sorted(orders[1]) == rows(*range(50))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["enqueue", "dequeue", "up_to"]), st.integers(0, 5)), max_size=30))
def test_a_fifo_queue_is_a_list(steps: list[tuple[str, int]]) -> None:
    queue, model, numbers = fifo(8), [], itertools.count()
    for kind, count in steps:
        if kind == "enqueue" and len(model) + count <= 8:
            added = [next(numbers) for _ in range(count)]
            queue.enqueue(rows(*added), NEVER, None)
            model += added
        elif kind != "enqueue" and count <= len(model):
            assert queue.dequeue(count, NEVER, None, kind == "up_to") == rows(*model[:count])
            del model[:count]
        assert queue.size() == len(model)


def test_many_threads_lose_and_repeat_nothing() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        q = tf.FIFOQueue(7, [tf.int64], shapes=[[]])
        x = tf.placeholder(tf.int64, [None])
        enqueue, dequeue, size = q.enqueue_many([x]), q.dequeue_many(3), q.size()
        taken: list[int] = []

        def produce(start: int) -> None:
            for i in range(start, start + 60, 6):
                session.run(enqueue, {x: np.arange(i, i + 6)})

        def consume() -> None:
            for _ in range(20):
                taken.extend(session.run(dequeue).tolist())

        threads = [threading.Thread(target=produce, args=(i * 60,)) for i in range(4)]
        threads += [threading.Thread(target=consume) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert sorted(taken) == list(range(240))
        assert session.run(size) == 0


def test_a_queue_keeps_its_elements_whatever_becomes_of_the_arrays() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        q = tf.FIFOQueue(9, [tf.float32], shapes=[[2]])
        x = tf.placeholder(tf.float32)
        v = tf.Variable([5.0, 6.0])
        session.run(v.initializer)
        fed = np.array([1, 2], np.float32)
        session.run(q.enqueue([x]), {x: fed})
        fed[:] = 9
        session.run(q.enqueue([v]))
        session.run(v.assign_add([1.0, 1.0]))
        first = q.dequeue()
        assert session.run(first).tolist() == [1, 2]
        assert session.run(first).tolist() == [5, 6]


def test_each_session_has_a_queue_of_its_own() -> None:
    with tf.Graph().as_default():
        q = tf.FIFOQueue(9, [tf.float32])
        enqueue, size = q.enqueue([1.0]), q.size()
        with tf.Session() as one, tf.Session() as other:
            one.run(enqueue)
            assert (one.run(size), other.run(size)) == (1, 0)


def test_a_dequeued_batch_feeds_the_device() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        q = tf.FIFOQueue(9, [tf.float32, tf.int64], shapes=[[2], []])
        session.run(q.enqueue_many([[[1.0, 2.0], [3.0, 4.0]], np.array([10, 20])]))
        x, y = q.dequeue_many(2)
        total = tf.reduce_sum(x, axis=1) + tf.cast(y, tf.float32)
        assert session.run(total).tolist() == [13.0, 27.0]


def test_errors_name_the_operation_and_the_line_that_made_it() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        q = tf.FIFOQueue(9, [tf.float32], name="examples")
        dequeue = q.dequeue()
        session.run(q.close())
        with pytest.raises(tf.errors.OutOfRangeError) as caught:
            session.run(dequeue)
        assert caught.value.op is dequeue.op
        assert "'_" in caught.value.message
        assert "examples_Dequeue (defined at" in str(caught.value)
        assert "test_queues.py" in str(caught.value)


def test_wrong_numbers() -> None:
    with tf.Graph().as_default():
        q = tf.FIFOQueue(3, [tf.float32, tf.float32])
        for values in ([1.0], [1.0, 2.0, 3.0]):
            with pytest.raises(ValueError, match=f"Expected 2 components to enqueue, got {len(values)}"):
                q.enqueue(values)
        with pytest.raises(ValueError, match="'n' must be >= 0, but is -1"):
            q.dequeue_many(-1)
        with pytest.raises(ValueError, match="at least one component"):
            tf.FIFOQueue(3, [])
        with pytest.raises(TypeError, match="needs 'shapes'"):
            tf.PriorityQueue(3, [tf.float32])


def test_filenames_are_shuffled_anew_in_each_epoch() -> None:
    with tf.Graph().as_default():
        names = [f"file{i}" for i in range(20)]
        element = tf.train.string_input_producer(names, num_epochs=2, seed=3).dequeue()
        with tf.train.MonitoredSession() as session:
            found = [session.run(element).decode() for _ in range(40)]
    assert sorted(found[:20]) == sorted(found[20:]) == sorted(names)
    assert found[:20] != names
    assert found[:20] != found[20:]
