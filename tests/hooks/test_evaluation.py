"""Evaluating checkpoints once, again and again, and as they appear. Nothing here waits: the clock goes on by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import monitored as tf


class Time:
    """A clock, and a sleep that lets something happen."""

    def __init__(self, *events: Any) -> None:
        self.now = 0.0
        self.slept: list[float] = []
        self.events = list(events)

    def clock(self) -> float:
        return self.now

    def sleep(self, secs: float) -> None:
        self.slept.append(secs)
        self.now += secs
        if self.events:
            self.events.pop(0)()


def save(directory: Path, step: int) -> str:
    """Saves a checkpoint of a model whose weight is ten times the step."""
    with tf.Graph().as_default(), tf.Session() as sess:
        global_step = tf.train.get_or_create_global_step()
        w = tf.get_variable("w", [])
        sess.run([global_step.assign(step), w.assign(10.0 * step)])
        return tf.train.Saver().save(sess, str(directory / "model.ckpt"), global_step, write_meta_graph=False)


def mean_of_the_weight_times_its_input() -> tuple[Any, Any, Any]:
    """A metric: the placeholder, what updates it, and its value."""
    tf.train.get_or_create_global_step()
    w = tf.get_variable("w", [])
    x = tf.placeholder_with_default(1.0, [])
    total, count = (
        tf.get_variable(name, [], initializer=tf.zeros_initializer(), trainable=False, collections=["local_variables"])
        for name in ("total", "count")
    )
    return x, tf.group(tf.assign_add(total, w * x), tf.assign_add(count, 1.0)), total / count


# -- waiting ----------------------------------------------------------------------------------------------------------


def test_the_next_checkpoint_is_waited_for(tmp_path: Path) -> None:
    time = Time(lambda: None, lambda: save(tmp_path, 1))
    path = tf.train.wait_for_new_checkpoint(tmp_path, seconds_to_sleep=5, clock=time.clock, sleep=time.sleep)
    assert path == str(tmp_path / "model.ckpt-1")
    assert time.slept == [5, 5]
    time = Time()
    assert tf.train.wait_for_new_checkpoint(tmp_path, path, 5, timeout=12, clock=time.clock, sleep=time.sleep) is None
    assert time.slept == [5, 5]


def test_the_iterator_gives_each_new_checkpoint_and_ends_when_none_comes(tmp_path: Path) -> None:
    save(tmp_path, 1)
    time = Time(lambda: save(tmp_path, 2))
    found = []
    for path in tf.train.checkpoints_iterator(tmp_path, 10, timeout=3, clock=time.clock, sleep=time.sleep):
        time.now += 4  # what is done with it takes four seconds
        found.append((path, time.now))
    assert found == [(str(tmp_path / "model.ckpt-1"), 4), (str(tmp_path / "model.ckpt-2"), 14)]
    assert time.slept[:2] == [6, 6]  # the rest of the ten seconds
    assert sum(time.slept[2:]) <= 3


def test_a_function_says_whether_to_wait_on(tmp_path: Path) -> None:
    answers = [False, False, True]
    time = Time(*[lambda: None] * 5, lambda: save(tmp_path, 7))
    paths = tf.train.checkpoints_iterator(
        tmp_path, timeout=4, timeout_fn=lambda: answers.pop(0), clock=time.clock, sleep=time.sleep
    )
    assert list(paths) == [str(tmp_path / "model.ckpt-7")]
    assert answers == []


# -- evaluating -------------------------------------------------------------------------------------------------------


def test_an_evaluation_restores_the_checkpoint_and_returns_its_final_values(tmp_path: Path) -> None:
    path = save(tmp_path, 3)
    x, update, mean = mean_of_the_weight_times_its_input()
    runs = []

    class Counting(tf.train.SessionRunHook):
        def after_run(self, run_context: Any, run_values: Any) -> None:
            runs.append(run_context.original_args.fetches)

    hooks = [tf.train.StopAfterNEvalsHook(4), Counting()]
    for _ in range(2):  # local variables begin anew
        values = tf.train.evaluate_once(path, eval_ops=update, feed_dict={x: 2}, final_ops={"mean": mean}, hooks=hooks)
        assert values == {"mean": 60}
    assert len(runs) == 8


def test_the_end_of_the_input_ends_an_evaluation(tmp_path: Path) -> None:
    path = save(tmp_path, 3)
    _, update, mean = mean_of_the_weight_times_its_input()
    left = [1, 2, 3]

    def read() -> np.float32:
        if not left:
            raise StopIteration
        return np.float32(left.pop())

    with tf.control_dependencies([tf.py_func(read, [], tf.float32)]):
        update = tf.group(update)
    assert tf.train.evaluate_once(path, eval_ops=[update], final_ops=mean) == 30
    assert left == []


def test_without_operations_only_the_final_values_are_fetched(tmp_path: Path) -> None:
    path = save(tmp_path, 3)
    x, _, _ = mean_of_the_weight_times_its_input()
    y = x + 1
    assert tf.train.evaluate_once(path, final_ops=y, final_ops_feed_dict={x: 5}) == 6
    assert tf.train.evaluate_once(path) is None


def test_a_checkpoint_that_does_not_exist(tmp_path: Path) -> None:
    mean_of_the_weight_times_its_input()
    with pytest.raises((ValueError, tf.errors.OpError), match="nowhere"):
        tf.train.evaluate_once(tmp_path / "nowhere")


def test_each_checkpoint_is_evaluated_and_the_last_values_returned(tmp_path: Path) -> None:
    save(tmp_path, 1)
    time = Time(lambda: save(tmp_path, 2), lambda: save(tmp_path, 3))
    _, update, mean = mean_of_the_weight_times_its_input()
    summary = tf.summary.scalar("mean", mean)
    events = tmp_path / "eval"
    hooks = [tf.train.StopAfterNEvalsHook(2), tf.train.SummaryAtEndHook(events, summary_op=summary)]
    value = tf.train.evaluate_repeatedly(
        tmp_path, eval_ops={"update": update}, final_ops=mean, hooks=hooks, eval_interval_secs=60, timeout=10,
        clock=time.clock, sleep=time.sleep,
    )  # fmt: skip
    assert value == 30
    tf.summary.FileWriterCache.clear()
    (file,) = events.iterdir()
    written = [(e.step, v.simple_value) for e in tf.train.summary_iterator(str(file)) for v in e.summary.value]
    assert written == [(1, 10), (2, 20), (3, 30)]


def test_the_number_of_evaluations_can_be_limited(tmp_path: Path) -> None:
    save(tmp_path, 1)
    time = Time(lambda: save(tmp_path, 2), lambda: save(tmp_path, 3))
    mean_of_the_weight_times_its_input()
    w = tf.global_variables("w")[0]
    value = tf.train.evaluate_repeatedly(
        tmp_path, final_ops=w, max_number_of_evaluations=2, clock=time.clock, sleep=time.sleep
    )
    assert value == 20
    assert time.slept == [60]


def test_summaries_at_the_end_need_a_place() -> None:
    with pytest.raises(ValueError, match="One of log_dir or summary_writer should be used"):
        tf.train.SummaryAtEndHook()
