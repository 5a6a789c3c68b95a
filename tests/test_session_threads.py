"""Sessions among threads: running, filling queues, saving and closing at once; and where operations are placed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import monitored as tf


def started(works: list[Callable[[], None]]) -> list[threading.Thread]:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    return threads


def waiting_runs(session: Any, count: int) -> tuple[list[threading.Thread], list[BaseException]]:
    """Threads whose runs wait for an element of an empty queue, and what their runs will have raised."""
    queue = tf.FIFOQueue(1, [tf.float32], shapes=[[]])
    reached = threading.Semaphore(0)
    with tf.control_dependencies([tf.py_func(reached.release, [], [])]):
        item = queue.dequeue() + 1.0
    raised: list[BaseException] = []

    def wait() -> None:
        try:
            session.run(item)
        except tf.errors.OpError as error:
            raised.append(error)

    threads = started([wait] * count)
    for _ in threads:
        assert reached.acquire(timeout=60)
    return threads, raised


@pytest.mark.parametrize("how", ["close", "reset"])
def test_every_run_that_waits_is_woken(how: str) -> None:
    with tf.Graph().as_default():
        session = tf.Session()
        threads, raised = waiting_runs(session, 4)
        session.close() if how == "close" else tf.Session.reset("")
        for thread in threads:
            thread.join(60)
        assert [type(error) for error in raised] == [tf.errors.CancelledError] * 4


def test_threads_train_fill_queues_and_save_at_once(tmp_path: Path) -> None:
    steps, workers = 30, 3
    with tf.Graph().as_default():
        queue = tf.FIFOQueue(4, [tf.float32], shapes=[[2]])
        x = tf.placeholder(tf.float32, [2])
        enqueue = queue.enqueue(x)
        a = tf.get_variable("a", [2], initializer=tf.zeros_initializer())
        b = tf.get_variable("b", [2], initializer=tf.zeros_initializer())
        item = queue.dequeue()
        with tf.control_dependencies([a.assign_add(item, name="to_a").op]):
            step = b.assign_sub(item).op
        saver = tf.train.Saver(max_to_keep=None)
        session = tf.Session()
        session.run(tf.global_variables_initializer())
        saved: list[str] = []
        errors: list[BaseException] = []

        def noting(work: Callable[[], None]) -> Callable[[], None]:
            def run() -> None:
                try:
                    work()
                except BaseException as error:
                    errors.append(error)

            return run

        def fill() -> None:
            for number in range(steps):
                session.run(enqueue, {x: [1.0, number]})

        def train() -> None:
            for _ in range(steps):
                session.run(step)

        def save() -> None:
            saved.extend(saver.save(session, tmp_path / "model", global_step=number) for number in range(5))

        threads = started([noting(work) for work in [fill] * workers + [train] * workers + [save]])
        for thread in threads:
            thread.join(120)
        assert not errors
        expected = [workers * steps, workers * sum(range(steps))]
        np.testing.assert_array_equal(session.run([a, b]), [expected, np.negative(expected)])
        for path in saved:  # each save is of one moment
            np.testing.assert_array_equal(tf.train.load_variable(path, "a"), -tf.train.load_variable(path, "b"))
        threads, raised = waiting_runs(session, 3)
        session.close()
        for thread in threads:
            thread.join(60)
        assert [type(error) for error in raised] == [tf.errors.CancelledError] * 3


def test_a_queue_is_whole_after_the_sessions_time_limit() -> None:
    with tf.Graph().as_default(), tf.Session(config=tf.ConfigProto(operation_timeout_in_ms=20)) as session:
        queue = tf.FIFOQueue(2, [tf.int32], shapes=[[]])
        several, one = queue.dequeue_many(2), queue.dequeue()
        fill = queue.enqueue_many([[1, 2, 3]])
        with pytest.raises(tf.errors.DeadlineExceededError):
            session.run(fill)  # there is room for two
        assert session.run(queue.size()) == 2
        assert session.run(one) == 1
        with pytest.raises(tf.errors.DeadlineExceededError):
            session.run(several)  # there is one
        session.run(queue.enqueue(9))
        assert session.run(several).tolist() == [2, 9]


def test_partial_runs_of_several_threads_stay_apart() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        a, b = tf.placeholder(tf.float32, []), tf.placeholder(tf.float32, [])
        double = a * 2.0
        total = double + b
        found: dict[int, tuple[float, float]] = {}

        def work(number: int) -> None:
            handle = session.partial_run_setup([double, total], [a, b])
            first = session.partial_run(handle, double, {a: number})
            found[number] = first, session.partial_run(handle, total, {b: first})

        for thread in started([lambda number=number: work(number) for number in range(8)]):  # type: ignore[misc]
            thread.join(60)
        assert found == {number: (2 * number, 4 * number) for number in range(8)}


def test_a_partial_run_whose_operation_fails_is_over() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        a = tf.placeholder(tf.float32, [None])
        bad, good = tf.py_func(lambda value: 1 // 0, [a], tf.float32), a + 1.0
        handle = session.partial_run_setup([bad, good], [a])
        with pytest.raises(tf.errors.OpError):
            session.partial_run(handle, bad, {a: [1.0]})
        with pytest.raises(tf.errors.InvalidArgumentError, match="Must run 'setup'"):
            session.partial_run(handle, good)


# -- placement --------------------------------------------------------------------------------------------------------


def test_placements_are_printed_when_a_plan_is_made(capsys: Any) -> None:
    with tf.Graph().as_default(), tf.Session(config=tf.ConfigProto(log_device_placement=True)) as session:
        task = "/job:localhost/replica:0/task:0"
        assert f"Device mapping:\n{task}/device:CPU:0 -> " in capsys.readouterr().out
        x = tf.add(tf.constant(1.0), 1.0, name="sum")
        host = tf.py_func(lambda value: value, [x], tf.float32, name="python")
        session.run(host)
        runs_on = session.list_devices()[-1].name
        lines = capsys.readouterr().out.splitlines()
        assert f"sum: (Add): {runs_on}" in lines
        assert f"python: (PyFunc): {task}/device:CPU:0" in lines
        session.run(host)
        assert not capsys.readouterr().out


def test_a_device_that_is_not_there_is_told_with_the_line_that_asked() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        one = tf.constant(1.0)
        assert session.run(one) == 1.0
        with tf.device("/gpu:9"):
            bad = tf.negative(one, name="bad")
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"bad: .*/device:GPU:9.*available devices") as caught:
            session.run(bad)
        assert caught.value.op is bad.op
        assert "allow_soft_placement" in caught.value.message
        assert "test_session_threads.py" in str(caught.value)
    with tf.Graph().as_default(), tf.Session() as session:
        with tf.device("/job:ps"):
            result = tf.cond(tf.constant(True), lambda: tf.constant(1.0), lambda: tf.constant(2.0))
        with pytest.raises(tf.errors.InvalidArgumentError, match="/job:ps"):
            session.run(result)


@pytest.mark.parametrize("wrong", ["cost", "debug"])
def test_what_a_session_cannot_give_is_refused(wrong: str) -> None:
    with tf.Graph().as_default():
        x = tf.constant(1.0)
        config, options = tf.ConfigProto(), tf.RunOptions()
        if wrong == "cost":
            config.graph_options.build_cost_model = 1
        else:
            options.debug_options.debug_tensor_watch_opts.add(node_name="x")
        with pytest.raises(tf.errors.UnimplementedError, match=wrong):
            tf.Session(config=config).run(x, options=options)


def test_without_accelerators_everything_runs_on_the_processor(caplog: Any) -> None:
    config = tf.ConfigProto(device_count={"GPU": 0}, gpu_options=tf.GPUOptions(allow_growth=False))
    with tf.Graph().as_default(), tf.Session(config=config) as session, caplog.at_level(logging.WARNING):
        with tf.device("/cpu:0"):
            v = tf.get_variable("v", [2], initializer=tf.random_uniform_initializer())
            step = v.assign_add([1.0, 1.0])
        session.run(tf.global_variables_initializer())
        session.run(step)
        assert [d.device_type for d in session.list_devices()] == ["CPU"]
        assert not caplog.records
