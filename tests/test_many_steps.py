"""`run_steps`: many steps in one call, which compute what as many runs compute and show hooks what they would see."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import monitored as tf


@pytest.fixture(autouse=True)
def fresh_graph() -> Iterator[None]:
    with tf.Graph().as_default():
        yield


ROWS = np.random.RandomState(0).randn(64, 4).astype(np.float32)


def network(feed: bool = False) -> tuple[Any, Any, Any]:
    """A training step with a random stream: the operation, the loss, the placeholder."""
    x = tf.placeholder(tf.float32, [None, 4]) if feed else tf.constant(ROWS[:8])
    noisy = x + tf.random_normal(tf.shape(x), stddev=0.1, seed=5)
    hidden = tf.layers.dense(noisy, 8, tf.nn.tanh, kernel_initializer=tf.glorot_uniform_initializer(seed=1))
    loss = tf.reduce_mean(tf.square(tf.layers.dense(hidden, 1, kernel_initializer=tf.ones_initializer())))
    step = tf.train.get_or_create_global_step()
    return tf.train.AdamOptimizer(0.01).minimize(loss, step), loss, x


def state(session: Any) -> list[Any]:
    found: list[Any] = session.run(tf.global_variables())
    return found


def trained(train: Callable[[Any], Any]) -> tuple[Any, list[Any]]:
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        return train(session), state(session)


def assert_same(one: list[Any], other: list[Any]) -> None:
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("count", [1, 2, 17])
def test_it_computes_what_as_many_runs_compute(count: int) -> None:
    train, loss, _ = network()

    def one_by_one(session: Any) -> Any:
        return [session.run([train, loss]) for _ in range(count)][-1]

    got, left = trained(lambda session: session.run_steps([train, loss], count))
    expected, expected_left = trained(one_by_one)
    assert got[0] is None
    np.testing.assert_allclose(got[1], expected[1], rtol=1e-6)
    for a, b in zip(left, expected_left, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


def batches(sizes: list[int]) -> Iterator[Any]:
    for i, size in enumerate(sizes):
        yield ROWS[i : i + size]


@pytest.mark.parametrize("sizes", [[8] * 5, [8] * 9 + [3], [2, 2, 5, 5, 5, 2], [4]])
def test_each_step_may_have_feeds_of_its_own_also_of_several_sizes(sizes: list[int]) -> None:
    train, loss, x = network(feed=True)

    def one_by_one(session: Any) -> Any:
        return [session.run([train, loss], {x: rows}) for rows in batches(sizes)][-1][1]

    def at_once(session: Any) -> Any:
        return session.run_steps([train, loss], 100, feeds=({x: rows} for rows in batches(sizes)))[1]

    got, left = trained(at_once)
    expected, expected_left = trained(one_by_one)
    np.testing.assert_allclose(got, expected, rtol=1e-6)
    for a, b in zip(left, expected_left, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


def test_no_more_feeds_are_taken_than_there_are_steps() -> None:
    train, _, x = network(feed=True)
    rows = batches([8] * 10)
    trained(lambda session: session.run_steps(train, 7, feeds=({x: some} for some in rows)))
    assert len(list(rows)) == 3


def test_one_feed_for_all_steps() -> None:
    x = tf.placeholder(tf.float32, [])
    total = tf.get_variable("total", [], initializer=tf.zeros_initializer())
    added = tf.assign_add(total, x)
    got, left = trained(lambda session: session.run_steps(added, 10, {x: 0.5}))
    assert (got, left) == (5.0, [5.0])


def test_steps_that_need_the_host_are_run_one_by_one() -> None:
    seen: list[int] = []
    step = tf.train.get_or_create_global_step()
    with tf.control_dependencies([tf.py_func(lambda value: seen.append(int(value)), [step], [])]):
        train = tf.assign_add(step, 1)
    assert trained(lambda session: session.run_steps(train, 4))[0] == 4
    assert seen == [0, 1, 2, 3]


def test_a_variable_that_changes_its_shape_is_no_loop_and_right_all_the_same() -> None:
    grows = tf.Variable(np.zeros(1, np.float32), validate_shape=False)
    longer = tf.assign(grows, tf.concat([grows, [1.0]], 0), validate_shape=False)
    got, _ = trained(lambda session: session.run_steps(longer, 3))
    assert got.tolist() == [0, 1, 1, 1]


def test_mistakes_are_errors_and_change_nothing() -> None:
    x, y = tf.placeholder(tf.float32, [], name="x"), tf.placeholder(tf.float32, [], name="y")
    total = tf.get_variable("total", [], initializer=tf.zeros_initializer())
    added = tf.assign_add(total, x)
    with tf.Session() as session:
        with pytest.raises(tf.errors.FailedPreconditionError, match="uninitialized value total"):
            session.run_steps(added, 5, {x: 1.0})
        session.run(tf.global_variables_initializer())
        with pytest.raises(ValueError, match="num_steps must be at least 1, not 0"):
            session.run_steps(added, 0, {x: 1.0})
        with pytest.raises(ValueError, match="not both"):
            session.run_steps(added, 5, {x: 1.0}, feeds=[{x: 1.0}])
        with pytest.raises(tf.errors.OutOfRangeError, match="no feeds left"):
            session.run_steps(added, 5, feeds=[])
        with pytest.raises(ValueError, match="must feed the same tensors"):
            session.run_steps(added, 5, feeds=[{x: 1.0}, {x: 1.0, y: 1.0}])
        with pytest.raises(tf.errors.InvalidArgumentError, match="You must feed a value"):
            session.run_steps(added, 5)
        assert session.run(total) == 0


# -- with hooks --------------------------------------------------------------------------------------------------------


class EveryRun(tf.train.SessionRunHook):
    """A hook that does not say when it has something to do."""

    def __init__(self) -> None:
        self.runs = 0

    def after_run(self, run_context: Any, run_values: Any) -> None:
        self.runs += 1


def observed(path: Path, caplog: pytest.LogCaptureFixture, run: Callable[[Any, Any], Any], added: int = 1) -> Any:
    """What hooks show of a training: its log, its checkpoints and its summaries."""
    caplog.clear()
    with tf.Graph().as_default():
        train, loss, _ = network()
        step = tf.train.get_or_create_global_step()
        if added > 1:
            with tf.control_dependencies([train]):
                train = tf.assign_add(step, added - 1)
        tf.summary.scalar("loss", loss)
        hooks = [
            tf.train.StopAtStepHook(last_step=47),
            tf.train.LoggingTensorHook({"step": step, "loss": loss}, every_n_iter=7, formatter=str),
            tf.train.CheckpointSaverHook(str(path), save_steps=10, saver=tf.train.Saver(max_to_keep=None)),
            tf.train.SummarySaverHook(save_steps=6, output_dir=str(path), summary_op=tf.summary.merge_all()),
            tf.train.NanGuardHook(loss),
        ]
        with tf.train.SingularMonitoredSession(hooks, checkpoint_dir=str(path)) as session:
            while not session.should_stop():
                run(session, train)
            last = session.run_without_hooks([step, loss])
    logged = [record.message for record in caplog.records if record.message.startswith("{")]
    summaries = [
        (event.step, value.simple_value)
        for file in sorted(path.glob("events*"))
        for event in tf.train.summary_iterator(str(file))
        for value in event.summary.value
    ]
    checkpoints = sorted(int(file.stem.rpartition("-")[2]) for file in path.glob("*.index"))
    return logged, checkpoints, summaries, [float(value) for value in last]


@pytest.mark.parametrize("added", [1, 2])
def test_hooks_see_what_they_would_have_seen(tmp_path: Path, caplog: pytest.LogCaptureFixture, added: int) -> None:
    with caplog.at_level(logging.INFO, "monitored"):
        expected = observed(tmp_path / "runs", caplog, lambda session, train: session.run(train), added)
        got = observed(tmp_path / "steps", caplog, lambda session, train: session.run_steps(train, 1000), added)
    assert [eval(line)["step"] for line in got[0]] == [eval(line)["step"] for line in expected[0]]
    assert got[1] == expected[1]
    assert [step for step, _ in got[2]] == [step for step, _ in expected[2]]
    np.testing.assert_allclose([value for _, value in got[2]], [value for _, value in expected[2]], rtol=1e-5)
    np.testing.assert_allclose(got[3], expected[3], rtol=1e-5)


def test_a_training_in_pieces_is_bit_for_bit_the_one_in_a_piece(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Enough(Exception):
        pass

    def some(session: Any, train: Any) -> None:
        session.run_steps(train, 13)
        session.run_steps(train, 8)
        raise Enough

    with caplog.at_level(logging.INFO, "monitored"):
        whole = observed(tmp_path / "whole", caplog, lambda session, train: session.run_steps(train, 1000))
        with pytest.raises(Enough):
            observed(tmp_path / "parts", caplog, some)
        parts = observed(tmp_path / "parts", caplog, lambda session, train: session.run_steps(train, 5))
    assert parts[3] == whole[3]
    assert parts[1] == whole[1]
    for step in whole[1]:
        one, other = (
            tf.train.load_checkpoint(str(tmp_path / name / f"model.ckpt-{step}")) for name in ("whole", "parts")
        )
        for name in one.get_variable_to_shape_map():
            if "/state" not in name:
                np.testing.assert_array_equal(one.get_tensor(name), other.get_tensor(name), err_msg=f"{name} at {step}")


def test_which_steps_are_in_a_loop_does_not_depend_on_when_a_save_behind_them_ends(tmp_path: Path) -> None:
    """For a loop may round otherwise than single steps, and a resumed training would end elsewhere."""

    class AtOnce(tf.train.Saver):
        def save_async(self, *args: Any, **options: Any) -> Future[str | None]:
            saved = super().save_async(*args, **options)
            wait([saved])
            return saved

    class Single(tf.train.SessionRunHook):
        def __init__(self) -> None:
            self.steps: list[int] = []

        def before_run(self, run_context: Any) -> tf.train.SessionRunArgs:
            return tf.train.SessionRunArgs(tf.train.get_global_step())

        def after_run(self, run_context: Any, run_values: Any) -> None:
            self.steps.append(int(run_values.results))

        def quiet_runs(self, step: int, increment: int, secs_per_run: float) -> float:
            return math.inf

    def single_steps(name: str, saver: type[tf.train.Saver], asynchronous: bool) -> list[int]:
        with tf.Graph().as_default():
            train, _, _ = network()
            saving = tf.train.CheckpointSaverHook(
                str(tmp_path / name), save_steps=10, saver=saver(), asynchronous=asynchronous
            )
            single = Single()
            with tf.train.SingularMonitoredSession([saving, single]) as session:
                session.run_steps(train, 45)
        return single.steps

    assert single_steps("ended", AtOnce, True) == single_steps("none", tf.train.Saver, False)


def test_a_hook_that_does_not_say_when_it_is_due_sees_every_step() -> None:
    train, _, _ = network()
    hook = EveryRun()
    with tf.train.SingularMonitoredSession([hook, tf.train.StopAtStepHook(last_step=9)]) as session:
        session.run_steps(train, 1000)
        assert session.should_stop()
        with pytest.raises(RuntimeError, match="Run called even after should_stop requested"):
            session.run_steps(train, 1)
    assert hook.runs == 9


def test_after_a_stop_no_step_is_taken() -> None:
    train, _, _ = network()
    step = tf.train.get_or_create_global_step()
    with tf.train.SingularMonitoredSession([tf.train.StopAtStepHook(last_step=20)]) as session:
        session.run_steps(train, 1000)
        with pytest.raises(RuntimeError, match="Run called even after should_stop requested"):
            session.run_steps(train, 1)
        assert session.run_without_hooks(step) == 20


def test_feeds_of_a_monitored_session_end_the_training_when_there_are_none_left() -> None:
    train, _, x = network(feed=True)
    feeds = ({x: rows} for rows in batches([8] * 20))
    step = tf.train.get_or_create_global_step()
    taken = 0
    with tf.train.SingularMonitoredSession([tf.train.StopAtStepHook(last_step=1000)]) as session:
        while not session.should_stop():
            session.run_steps(train, 6, feeds=feeds)
            taken = int(session.run_without_hooks(step))
        pytest.fail("the end of the feeds ends the block")
    assert taken == 20


def test_without_hooks_and_without_a_global_step() -> None:
    total = tf.get_variable("total", [], initializer=tf.zeros_initializer())
    added = tf.assign_add(total, 1.0)
    with tf.train.SingularMonitoredSession() as session:
        assert session.run_steps(added, 500) == 500
