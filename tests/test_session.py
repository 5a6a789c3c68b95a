"""Sessions: the programs of `oracle.programs_session` beside TensorFlow, and what only this library promises."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import monitored as tf
import replay_graph_session as replay

# Where TensorFlow's answer differs: the place in what the program shows, and what is there instead.
DIFFERENCES: dict[str, dict[str, Any]] = {
    "session/callables": {
        "/1/1/1/1/0/1": ["float32", 1.0],  # see feeds_of_every_kind
        "/4": "TypeError",  # too few arguments for a function
    },
    # A fed tensor that is fetched comes back like any other result, where TensorFlow gives what was fed.
    "session/feeds_of_every_kind": {
        "/7": ["int32", 5],
        "/8": ["int32", 5],
        "/9": ["int32", 6],
        "/10": ["int32", 1],
        "/11": ["int32", 1],
        "/12": ["bytes", "a"],
        "/13": ["bytes", "b"],
        "/14/3/1/0/0": "bytes",
        "/15/3/1/0/1/0/0": "bytes",
        "/16/3/1/0/1/0/0": "bytes",
        "/16/3/1/1/1/0/0": "bytes",
        "/17": ["bool", True],
        "/21": ["float32", 9.0],
        "/23": ["int64", 1099511627776],
        "/24": ["float32", 1.0],
        "/29": ["int32", 7],
        "/31": ["bytes", "é"],
    },
    "session/what_cannot_be_fed": {
        "/20/1": "feed_dict must be a dictionary, but got [1] of <class 'list'>.",
        "/21/1": "feed_dict must be a dictionary, but got 'text' of <class 'str'>.",
        "/22/1": "feed_dict must be a dictionary, but got 5 of <class 'int'>.",
    },
    "session/what_cannot_be_fetched": {
        "/8/1": "Fetch argument 'x:a' cannot be interpreted as a Tensor. (The name 'x:a' looks like a Tensor name, but",
        # Both say where the other graph's operation was created.
        "/9/1": "Fetch argument <tf.Tensor 'other:0' shape=() dtype=float32> cannot be interpreted as a Tensor.",
        "/10/1": "Fetch argument <tf.Operation 'other' type=Const> cannot be interpreted as a Tensor. (Operation other",
    },
}


@pytest.mark.parametrize("name", replay.names("session/"))
def test_a_session_is_like_tensorflows(name: str) -> None:
    assert replay.begin_alike(replay.differences(name), DIFFERENCES.get(name, {}))


def test_every_difference_is_of_a_program() -> None:
    assert set(DIFFERENCES) <= set(replay.names("session/"))


def in_threads(count: int, work: Callable[[int], None]) -> None:
    """Runs `work` in several threads that start together, and raises what one of them raised."""
    barrier = threading.Barrier(count)
    errors: list[BaseException] = []

    def run(index: int) -> None:
        try:
            barrier.wait()
            work(index)
        except BaseException as error:
            errors.append(error)

    workers = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if errors:
        raise errors[0]


def compiles(session: tf.Session) -> int:
    """How many executables a session has made."""
    count: int = session._executor.compiled.compiles
    return count


# -- several threads -------------------------------------------------------------------------------------------


def test_no_update_is_lost_among_threads() -> None:
    threads, times = 4, 100
    with tf.Graph().as_default(), tf.Session() as session:
        counter = tf.get_variable("counter", initializer=tf.constant(0, tf.int64))
        vector = tf.get_variable("vector", initializer=np.zeros(3, np.float32))
        step = [counter.assign_add(1), vector.assign_add([1.0, 2.0, 3.0])]
        session.run(tf.global_variables_initializer())
        seen: list[list[Any]] = [[] for _ in range(threads)]

        def work(index: int) -> None:
            for _ in range(times):
                seen[index].append(session.run(step))

        in_threads(threads, work)
        assert session.run(counter) == threads * times
        np.testing.assert_array_equal(session.run(vector), np.float32([1, 2, 3]) * threads * times)
    # Every step saw a state of its own, in which both updates had been done as often.
    assert sorted(int(c) for results in seen for c, _ in results) == list(range(1, threads * times + 1))
    assert all(list(v) == [c, 2 * c, 3 * c] for results in seen for c, v in results)


def test_threads_may_run_different_things_for_the_first_time_at_once() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        v = tf.get_variable("v", initializer=1.0)
        x = tf.placeholder(tf.float32, [None], name="x")
        fetches = [v.assign_add(1.0), tf.reduce_sum(x) * v * 0.0, tf.reduce_max(x), [x * 2.0, v * 0.0]]
        session.run(v.initializer)
        feed = {x: [1.0, 2.0]}

        def work(index: int) -> None:
            for _ in range(25):
                session.run(fetches[index], feed)

        in_threads(len(fetches), work)
        assert session.run(v) == 26.0


def test_a_thread_may_make_and_use_a_session_of_its_own() -> None:
    graph = tf.Graph()
    with graph.as_default():
        v = tf.get_variable("v", initializer=0.0)
        add = v.assign_add(1.0)
    found = [0.0, 0.0, 0.0]

    def work(index: int) -> None:
        with tf.Session(graph=graph) as session:
            session.run(v.initializer)
            for _ in range(index + 1):
                found[index] = session.run(add)

    in_threads(3, work)
    assert found == [1.0, 2.0, 3.0]


def test_closing_ends_a_run_that_waits() -> None:
    with tf.Graph().as_default():
        queue = tf.FIFOQueue(1, [tf.float32], shapes=[[]])
        dequeue = queue.dequeue()
        session = tf.Session()
        waiting, raised = threading.Event(), []
        announce = tf.py_func(waiting.set, [], [])
        with tf.control_dependencies([announce]):
            item = queue.dequeue()

        def wait() -> None:
            with pytest.raises(tf.errors.CancelledError) as caught:
                session.run(item)
            raised.append(caught.value)

        worker = threading.Thread(target=wait)
        worker.start()
        assert waiting.wait(60)
        session.close()
        worker.join(60)
        assert len(raised) == 1
        with pytest.raises(RuntimeError, match="closed Session"):
            session.run(dequeue)


def test_a_run_that_waits_too_long_ends_with_deadline_exceeded() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        queue = tf.FIFOQueue(1, [tf.float32], shapes=[[]])
        item = queue.dequeue()
        with pytest.raises(tf.errors.DeadlineExceededError):
            session.run(item, options=tf.RunOptions(timeout_in_ms=20))
        session.run(queue.enqueue(5.0))
        assert session.run(item, options=tf.RunOptions(timeout_in_ms=20_000)) == 5.0


# -- plans and executables -------------------------------------------------------------------------------------


def test_the_same_run_compiles_once() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None], name="x")
        v = tf.get_variable("v", initializer=[1.0, 2.0])
        y = tf.reduce_sum(x * v)
        session.run(v.initializer)
        before = compiles(session)
        for _ in range(5):
            session.run(y, {x: [1.0, 2.0]})
        assert compiles(session) == before + 1


@pytest.mark.parametrize("kind", [list, tuple, lambda f: {"a": f[0]}, lambda f: [f, f[0]], lambda f: f[0].name])
def test_another_structure_of_the_same_fetches_compiles_nothing(kind: Callable[[Any], Any]) -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [2], name="x")
        y = tf.exp(x)
        session.run(y, {x: [1.0, 2.0]})
        before = compiles(session)
        session.run(kind([y]), {x: [1.0, 2.0]})
        session.run(kind([y]), {"x:0": [1.0, 2.0]})
        assert compiles(session) == before


def test_the_order_of_feeds_compiles_nothing() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x, y = tf.placeholder(tf.float32, [2], name="x"), tf.placeholder(tf.float32, [], name="y")
        z = tf.exp(x) * y
        one = session.run(z, {x: [1.0, 2.0], y: 3.0})
        before = compiles(session)
        np.testing.assert_array_equal(session.run(z, {y: 3.0, x: [1.0, 2.0]}), one)
        assert compiles(session) == before


def test_each_shape_of_a_feed_compiles_once() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None], name="x")
        y = tf.reduce_sum(tf.exp(x))
        before = compiles(session)
        for length in (1, 2, 3, 1, 2, 3):
            session.run(y, {x: np.zeros(length)})
        assert compiles(session) == before + 3


def training_step() -> tuple[Any, Any, Any, Any]:
    """A small network with its train operation, loss, features and labels."""
    x = tf.placeholder(tf.float32, [None, 16], name="x")
    labels = tf.placeholder(tf.int64, [None], name="labels")
    hidden = tf.nn.relu(tf.matmul(x, tf.get_variable("kernel", [16, 32])))
    logits = tf.matmul(hidden, tf.get_variable("top", [32, 10]))
    loss = tf.losses.sparse_softmax_cross_entropy(labels, logits)
    step = tf.train.get_or_create_global_step()
    train = tf.train.AdamOptimizer(0.01).minimize(loss, global_step=step)
    return train, loss, x, labels


def test_a_loss_asked_for_now_and_then_compiles_the_step_at_most_twice() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        train, loss, x, labels = training_step()
        step = tf.train.get_global_step()
        summary = tf.reduce_mean(tf.trainable_variables()[0])
        session.run(tf.global_variables_initializer())
        rng = np.random.default_rng(0)
        feed = {x: rng.normal(size=[8, 16]), labels: rng.integers(10, size=8)}
        before = compiles(session)
        for i in range(20):
            fetches: list[Any] = [train]
            if i % 3 == 0:
                fetches.append([loss, step])
            if i % 5 == 0:
                fetches.append(summary)
            session.run(fetches, feed)
        assert compiles(session) <= before + 2
        assert session.run(step) == 20


def test_nothing_is_run_that_is_not_needed() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        v = tf.get_variable("v", initializer=1.0)
        v.assign_add(1.0)
        never = tf.placeholder(tf.float32, name="never")
        other = v * 2.0
        v * never
        session.run(v.initializer)
        assert [session.run(other) for _ in range(2)] == [2.0, 2.0]


def test_the_plan_of_a_training_step_is_one_segment() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        train, loss, x, labels = training_step()
        text = session.plan([train, loss], {x: None, labels: None})
        assert text.count("segment of") == 1
        assert "host step" not in text
        assert "x:0" in text


# -- effects and state -----------------------------------------------------------------------------------------


def test_effects_happen_in_the_order_of_creation() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        v = tf.get_variable("v", initializer=2.0)
        add = tf.assign_add(v, 3.0)
        between = v * 100.0
        double = tf.assign(v, v.read_value() * 10.0)
        subtract = tf.assign_sub(v, 1.0)
        for fetches in ([subtract, double, add, between], [between, add, subtract, double]):
            session.run(v.initializer)
            results = dict(zip(fetches, session.run(fetches), strict=True))
            assert session.run(v) == 49.0
            assert (results[add], results[between], results[double], results[subtract]) == (5.0, 500.0, 50.0, 49.0)


def test_only_the_effects_asked_for_happen() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        v = tf.get_variable("v", initializer=2.0)
        tf.assign_add(v, 3.0)
        double = tf.assign(v, v * 10.0)
        session.run(v.initializer)
        assert session.run(double) == 20.0


def test_a_variable_beside_its_update_is_fetched_as_it_was() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        v = tf.get_variable("v", initializer=1.0)
        add = tf.assign_add(v, 1.0)
        session.run(v.initializer)
        assert session.run([v, add, v.op.name + ":0"]) == [1.0, 2.0, 1.0]


def test_results_are_the_callers_own() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        v = tf.get_variable("v", initializer=[1.0, 2.0])
        c = tf.constant([5.0, 6.0])
        add = tf.assign_add(v, [1.0, 1.0])
        session.run(v.initializer)
        first, updated, constant = session.run([v, add, c])
        kept = first.copy(), updated.copy()
        for _ in range(3):
            session.run(add)
        np.testing.assert_array_equal(first, kept[0])
        np.testing.assert_array_equal(updated, kept[1])
        for array in (first, updated, constant):
            array[:] = -1.0  # writable, and seen by nobody else
        np.testing.assert_array_equal(session.run(v), [5.0, 6.0])
        np.testing.assert_array_equal(session.run(c), [5.0, 6.0])


def test_what_is_fed_stays_the_callers_own() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [3], name="x")
        v = tf.get_variable("v", initializer=np.zeros(3, np.float32))
        assign = tf.assign(v, x)
        fed = np.float32([1, 2, 3])
        session.run(assign, {x: fed})
        fetched = session.run(x, {x: fed})
        fed[:] = 9.0
        np.testing.assert_array_equal(session.run(v), [1, 2, 3])
        np.testing.assert_array_equal(fetched, [1, 2, 3])
        session.run(tf.assign_add(v, [1.0, 1.0, 1.0]))
        np.testing.assert_array_equal(fed, [9, 9, 9])


def test_a_variable_changes_its_shape_when_it_may() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, name="x")
        v = tf.Variable(x, validate_shape=False, name="v")
        total = tf.reduce_sum(v)
        for value in ([1.0, 2.0], [[1.0], [2.0], [4.0]], 7.0, [1.0, 2.0]):
            session.run(v.initializer, {x: value})
            assert session.run(v).shape == np.shape(value)
            assert session.run(total) == np.sum(value)


def test_a_failed_run_changes_nothing() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        v = tf.get_variable("v", initializer=1.0)
        w = tf.get_variable("w", initializer=1.0)
        x = tf.placeholder(tf.float32, [None], name="x")
        update = [v.assign_add(1.0), w.assign_add(tf.reduce_sum(tf.check_numerics(x, "bad")))]
        session.run(v.initializer)
        with pytest.raises(tf.errors.FailedPreconditionError, match="uninitialized value w"):
            session.run(update, {x: [1.0]})
        assert session.run(v) == 1.0
        session.run(w.initializer)
        with pytest.raises(tf.errors.InvalidArgumentError, match="bad"):
            session.run(update, {x: [np.nan]})
        session.run(update, {x: [1.0]})
        assert session.run(w) == 2.0


def test_a_closed_session_lets_its_variables_go() -> None:
    with tf.Graph().as_default():
        v = tf.get_variable("v", initializer=np.zeros(1000, np.float32))
        session = tf.Session()
        session.run(v.initializer)
        store = weakref.ref(session._store)
        session.close()
        del session
        gc.collect()
        assert store() is None


@dataclass
class Batch:
    """What the `attrs` library's decorator makes, as far as a session looks."""

    features: Any
    labels: Any
    __attrs_attrs__ = (SimpleNamespace(name="features"), SimpleNamespace(name="labels"))


def test_attrs_classes_are_fetched() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        found = session.run(Batch(tf.constant(1), [tf.constant(2), tf.no_op()]))
        assert found == Batch(1, [2, None])


def test_options_and_metadata_are_taken() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        metadata = tf.RunMetadata()
        options = tf.RunOptions(trace_level=tf.RunOptions.NO_TRACE)
        assert session.run(tf.constant(1.0), options=options, run_metadata=metadata) == 1.0


# -- shapes known only when running ----------------------------------------------------------------------------


def test_a_shape_that_is_fed_compiles_once_for_each_value() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [12], name="x")
        n = tf.placeholder(tf.int32, [], name="n")
        y = tf.reshape(x, [n, -1]) * 2.0
        for size in (1, 2, 3, 4, 6, 12):
            assert session.run(y, {x: np.zeros(12), n: size}).shape == (size, 12 // size)
        before = compiles(session)
        for size in (1, 2, 3, 4, 6, 12):
            session.run(y, {x: np.ones(12), n: size})
        assert compiles(session) == before


def test_a_shape_taken_from_data_follows_the_data() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, name="x")
        rows = tf.reshape(x, [tf.shape(x)[0], -1])
        padded = tf.concat([rows, tf.zeros([tf.shape(rows)[0], 1])], axis=1)
        ones = tf.ones(tf.stack([tf.shape(x)[0], 2 * tf.shape(x)[1]]))
        for shape in ([2, 3, 4], [5, 1], [1, 2, 2]):
            found = session.run([rows, padded, ones], {x: np.ones(shape)})
            columns = int(np.prod(shape[1:]))
            assert [f.shape for f in found] == [(shape[0], columns), (shape[0], columns + 1), (shape[0], 2 * shape[1])]


# -- gradients -------------------------------------------------------------------------------------------------


def test_gradients_through_a_branch_with_an_update_run_the_update_once() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        v = tf.get_variable("v", initializer=3.0)
        calls = tf.get_variable("calls", initializer=0.0, trainable=False)
        up = tf.placeholder(tf.bool, [], name="up")

        def counted() -> Any:
            with tf.control_dependencies([calls.assign_add(1.0)]):
                return v * v

        y = tf.cond(up, counted, lambda: 5.0 * v)
        gradient = tf.gradients(y, v)[0]
        session.run(tf.global_variables_initializer())
        assert session.run([y, gradient], {up: True}) == [9.0, 6.0]
        assert session.run(calls) == 1.0
        assert session.run([y, gradient], {up: False}) == [15.0, 5.0]
        assert session.run(calls) == 1.0


def test_a_gradient_penalty_trains() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [2], name="x")
        w = tf.get_variable("w", initializer=[1.0, -2.0])
        y = tf.reduce_sum(tf.tanh(w * x))
        penalty = tf.reduce_sum(tf.square(tf.gradients(y, x)[0]))
        gradient = tf.gradients(penalty, w)[0]
        session.run(w.initializer)
        point = np.float64([0.3, 0.7])

        def numeric(value: np.ndarray) -> float:
            return float(np.sum((value * (1 - np.tanh(value * point) ** 2)) ** 2))

        base, eps = np.float64([1.0, -2.0]), 1e-5
        expected = [(numeric(base + e) - numeric(base - e)) / (2 * eps) for e in np.eye(2) * eps]
        np.testing.assert_allclose(session.run(gradient, {x: point}), expected, rtol=1e-3)


def test_what_another_run_asked_for_is_not_needed_by_this_one() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        v = tf.get_variable("v", initializer=1.0)
        w = tf.get_variable("w", initializer=1.0)
        add = v.assign_add(1.0).op
        session.run(v.initializer)
        session.run(add)
        with pytest.raises(tf.errors.FailedPreconditionError, match="uninitialized value w"):
            session.run([add, w * 2.0])
        session.run(add)
        assert session.run(v) == 3.0


@pytest.mark.parametrize("source", ["constant", "data", "feed"])
def test_a_long_chain_of_arithmetic_gives_a_shape(source: str) -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x, k = tf.placeholder(tf.float32, [None], name="x"), tf.placeholder(tf.int32, [], name="k")
        n = {"constant": tf.constant(2), "data": tf.shape(x)[0], "feed": k}[source]
        for _ in range(1000):
            n = n + 1
        assert session.run(tf.shape(tf.zeros([n])), {x: [1.0, 2.0], k: 2}) == [1002]


def test_arithmetic_that_uses_each_value_twice_gives_a_shape() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x, k = tf.placeholder(tf.float32, [None], name="x"), tf.placeholder(tf.int32, [], name="k")
        for start in (tf.shape(x)[0] - 2, k - 2):
            n = start
            for _ in range(60):  # as a tree, 2 ** 60 nodes
                n = n + n
            assert session.run(tf.zeros([n]), {x: [1.0, 2.0], k: 2}).shape == (0,)
