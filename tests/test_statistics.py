"""`statistics()` of a monitored session: where the time went."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import monitored as tf


@pytest.fixture(autouse=True)
def fresh_graph() -> Iterator[None]:
    with tf.Graph().as_default():
        yield


def counting() -> Any:
    return tf.assign_add(tf.train.get_or_create_global_step(), 1)


class Slow(tf.train.SessionRunHook):
    """A hook that takes most of the time."""

    def after_run(self, run_context: Any, run_values: Any) -> None:
        end = time.perf_counter() + 5e-4
        while time.perf_counter() < end:
            pass


@pytest.mark.parametrize("steps", [0, 1, 2, 3, 4, 5, 6, 7, 13, 200, 1001])
def test_the_number_of_steps_is_exact(steps: int) -> None:
    train = counting()
    with tf.train.SingularMonitoredSession() as session:
        for _ in range(steps):
            session.run(train)
        assert session.statistics().steps == steps
    assert session.statistics().steps == steps


def test_stretches_of_run_steps_are_counted_and_timed() -> None:
    train = counting()
    with tf.train.SingularMonitoredSession([tf.train.StopAtStepHook(last_step=5000)]) as session:
        while not session.should_stop():
            session.run_steps(train, 777)
        found = session.statistics()
    assert found.steps == 5000
    assert 0 < found.loops < found.seconds


def test_each_part_is_found_under_its_name(tmp_path: Path) -> None:
    x = tf.placeholder(tf.float32, [])
    doubled = tf.py_func(lambda value: np.float32(2 * value), [x], tf.float32, name="doubling")
    doubled.set_shape([])
    total = tf.get_variable("total", [], initializer=tf.zeros_initializer())
    with tf.control_dependencies([tf.assign_add(total, doubled)]):
        train = counting()
    hooks = [Slow(), tf.train.CheckpointSaverHook(str(tmp_path), save_steps=50), tf.train.StopAtStepHook(last_step=300)]
    with tf.train.SingularMonitoredSession(hooks, checkpoint_dir=str(tmp_path)) as session:
        while not session.should_stop():
            session.run(train, {x: 1.0})
        session.save()
    found = session.statistics()
    assert found.compilations > 0
    assert found.compile > 0
    assert list(found.host_steps) == ["doubling"]
    assert found.runs > found.host_steps["doubling"] / 100 > 0
    assert {"Slow", "CheckpointSaverHook", "StopAtStepHook"} <= found.hooks.keys()
    # Each step took half a millisecond there.
    assert found.hooks["Slow"] > 0.5 * 300 * 5e-4
    assert found.hooks["Slow"] > found.hooks["StopAtStepHook"]
    assert found.saves > 0
    assert found.saves_behind > 0
    assert 0 < found.measured_steps < 60
    text = str(found)
    assert text.startswith("300 steps in ")
    for name in ("compile", "runs", "device", "host step doubling", "hook Slow", "between runs", "saves behind"):
        assert f"  {name} " in text


def test_a_restore_is_found_and_time_stands_still_after_the_end(tmp_path: Path) -> None:
    train = counting()
    for _ in range(2):
        hook = tf.train.CheckpointSaverHook(str(tmp_path), save_steps=50)
        with tf.train.SingularMonitoredSession([hook], checkpoint_dir=str(tmp_path)) as session:
            session.run(train)
    found = session.statistics()
    assert found.restore > 0
    assert session.statistics() == found


class Asking(tf.train.SessionRunHook):
    """Notes what it is told of each run."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, Any]] = []

    def after_run(self, run_context: Any, run_values: Any) -> None:
        self.told.append((run_values.options.trace_level, len(run_values.run_metadata.step_stats.dev_stats)))


def test_hooks_and_callers_see_nothing_of_it() -> None:
    train = counting()
    hook = Asking()
    with tf.train.SingularMonitoredSession([hook]) as session:
        assert [int(session.run(train)) for _ in range(40)] == list(range(1, 41))
    assert hook.told == [(0, 0)] * 40


@pytest.mark.parametrize("fails", [False, True])
def test_a_hook_writes_the_report_when_the_session_ends(fails: bool, caplog: pytest.LogCaptureFixture) -> None:
    train = counting()

    def run() -> None:
        with tf.train.SingularMonitoredSession([tf.train.StatisticsHook()]) as session:
            for _ in range(12):
                session.run(train)
            if fails:
                raise KeyError

    with caplog.at_level(logging.INFO, "monitored"), pytest.raises(KeyError) if fails else contextlib.nullcontext():
        run()
    (report,) = (record.message for record in caplog.records if " steps in " in record.message)
    assert report.startswith("12 steps in ")
