"""`MonitoredTrainingSession`: which hooks it adds, and what they do. The table is what TensorFlow 1.15 does."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import monitored as tf

COUNTER, SUMMARY, CHECKPOINT = "StepCounterHook", "SummarySaverHook", "CheckpointSaverHook"
ALL = [COUNTER, SUMMARY, CHECKPOINT]


@pytest.fixture(autouse=True)
def _graph() -> Iterator[None]:
    with tf.Graph().as_default():
        tf.train.get_or_create_global_step()
        tf.summary.scalar("x", tf.constant(1.0))
        yield
    tf.summary.FileWriterCache.clear()


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the library's hooks, as they begin."""
    names: list[str] = []

    def watch(name: str) -> None:
        hook = getattr(tf.train, name)
        begin = hook.begin

        def noting(self: Any) -> None:
            names.append(name)
            begin(self)

        monkeypatch.setattr(hook, "begin", noting)

    for name in ALL:
        watch(name)
    return names


class Noting(tf.train.SessionRunHook):
    def __init__(self, name: str, names: list[str]) -> None:
        self.name, self.names = name, names

    def begin(self) -> None:
        self.names.append(self.name)


@pytest.mark.parametrize(
    ("kwargs", "expected"),
    [
        ({}, ALL),
        ({"save_checkpoint_steps": 5}, ALL),
        ({"save_checkpoint_secs": 5}, ALL),
        ({"save_checkpoint_steps": None, "save_checkpoint_secs": None}, [COUNTER, SUMMARY]),
        ({"save_checkpoint_steps": None}, [COUNTER, SUMMARY]),
        ({"save_checkpoint_steps": 0}, [COUNTER, SUMMARY]),
        ({"save_checkpoint_secs": 0}, [COUNTER, SUMMARY]),
        ({"save_checkpoint_secs": -1}, [COUNTER, SUMMARY]),
        ({"save_summaries_steps": 7}, ALL),
        ({"save_summaries_secs": 7}, ALL),
        ({"save_summaries_steps": None, "save_summaries_secs": None}, [COUNTER, CHECKPOINT]),
        ({"save_summaries_steps": 0}, [COUNTER, CHECKPOINT]),
        ({"log_step_count_steps": None}, [SUMMARY, CHECKPOINT]),
        ({"log_step_count_steps": 0}, [SUMMARY, CHECKPOINT]),
    ],
)
def test_which_hooks_it_adds(kwargs: dict[str, Any], expected: list[str], begun: list[str], tmp_path: Path) -> None:
    with tf.train.MonitoredTrainingSession(checkpoint_dir=str(tmp_path), **kwargs):
        assert begun == expected


@pytest.mark.parametrize("what", ["checkpoint", "summaries"])
def test_steps_and_seconds_exclude_each_other(what: str, tmp_path: Path) -> None:
    kwargs: dict[str, Any] = {f"save_{what}_steps": 7, f"save_{what}_secs": 7}
    with pytest.raises(ValueError, match=r"^Can not provide both every_secs and every_steps\.$"):
        tf.train.MonitoredTrainingSession(checkpoint_dir=str(tmp_path), **kwargs)


def test_the_order_of_the_hooks(begun: list[str], tmp_path: Path) -> None:
    mine, chiefs = [Noting("mine", begun)], (Noting("chief's", begun),)
    with tf.train.MonitoredTrainingSession(checkpoint_dir=str(tmp_path), hooks=mine, chief_only_hooks=chiefs):
        assert begun == ["chief's", *ALL, "mine"]


def test_without_directories_it_adds_none(begun: list[str]) -> None:
    with tf.train.MonitoredTrainingSession(hooks=(Noting("mine", begun),)):
        assert begun == ["mine"]


def test_a_directory_for_summaries_alone(begun: list[str], tmp_path: Path) -> None:
    with tf.train.MonitoredTrainingSession(summary_dir=str(tmp_path)):
        assert begun == [COUNTER, SUMMARY]
    assert tf.train.latest_checkpoint(str(tmp_path)) is None


def test_summaries_go_into_their_own_directory(tmp_path: Path) -> None:
    checkpoints, summaries = tmp_path / "checkpoints", tmp_path / "summaries"
    step = tf.assign_add(tf.train.get_global_step(), 1)
    with tf.train.MonitoredTrainingSession(
        checkpoint_dir=str(checkpoints), summary_dir=str(summaries), save_summaries_steps=1, log_step_count_steps=1
    ) as session:
        for _ in range(3):
            session.run(step)
    tf.summary.FileWriterCache.clear()
    tags = [
        value.tag
        for name in os.listdir(summaries)
        for event in tf.train.summary_iterator(str(summaries / name))
        for value in event.summary.value
    ]
    assert set(tags) == {"x", "global_step/sec"}
    newest = tf.train.latest_checkpoint(str(checkpoints))
    assert newest is not None
    assert newest.endswith("model.ckpt-3")


def test_it_goes_on_from_the_last_checkpoint(tmp_path: Path) -> None:
    step = tf.assign_add(tf.train.get_global_step(), 1)
    for expected in ([1, 2], [3, 4]):
        with tf.train.MonitoredTrainingSession(checkpoint_dir=str(tmp_path)) as session:
            assert [session.run(step) for _ in range(2)] == expected


def test_it_is_a_monitored_session_that_recovers(tmp_path: Path) -> None:
    step = tf.assign_add(tf.train.get_global_step(), 1)
    lost = []

    class Losing(tf.train.SessionRunHook):
        def before_run(self, run_context: Any) -> None:
            if not lost:
                lost.append(True)
                raise tf.errors.AbortedError(None, None, "the session is lost")

    with tf.train.MonitoredTrainingSession(checkpoint_dir=str(tmp_path), hooks=[Losing()]) as session:
        assert isinstance(session, tf.train.MonitoredSession)
        assert session.run(step) == 1
    assert lost


def test_the_scaffold_given_is_used(tmp_path: Path) -> None:
    calls = []
    scaffold = tf.train.Scaffold(init_fn=lambda scaffold, session: calls.append(scaffold))
    with tf.train.MonitoredTrainingSession(checkpoint_dir=str(tmp_path), scaffold=scaffold):
        assert calls == [scaffold]
        assert scaffold.saver is not None


def test_a_worker_waits_for_the_chief_and_has_only_the_common_hooks(begun: list[str], tmp_path: Path) -> None:
    with pytest.raises(tf.errors.DeadlineExceededError, match="Session was not ready after waiting"):
        tf.train.MonitoredTrainingSession(
            is_chief=False,
            checkpoint_dir=str(tmp_path),
            hooks=[Noting("mine", begun)],
            chief_only_hooks=[Noting("chief's", begun)],
            max_wait_secs=0.01,
        )
    assert begun == ["mine"]


def test_its_arguments_are_tensorflows() -> None:
    parameters = inspect.signature(tf.train.MonitoredTrainingSession).parameters
    given = {name: p.default for name, p in parameters.items() if repr(p.default) != "USE_DEFAULT"}
    assert list(parameters) == [
        "master", "is_chief", "checkpoint_dir", "scaffold", "hooks", "chief_only_hooks", "save_checkpoint_secs",
        "save_summaries_steps", "save_summaries_secs", "config", "stop_grace_period_secs", "log_step_count_steps",
        "max_wait_secs", "save_checkpoint_steps", "summary_dir",
    ]  # fmt: skip
    assert given == {
        "master": "", "is_chief": True, "checkpoint_dir": None, "scaffold": None, "hooks": None,
        "chief_only_hooks": None, "config": None, "stop_grace_period_secs": 120, "log_step_count_steps": 100,
        "max_wait_secs": 7200, "summary_dir": None,
    }  # fmt: skip


def test_a_worker_initializes_only_what_is_its_own() -> None:
    mine = tf.get_variable("mine", [], initializer=tf.ones_initializer(), collections=["local_variables"])
    chiefs = tf.get_variable("chiefs", [], initializer=tf.ones_initializer())
    nothing = tf.constant([], tf.string)  # is what the chief has not initialized
    scaffold = tf.train.Scaffold(ready_op=nothing, ready_for_local_init_op=nothing)
    creator = tf.train.WorkerSessionCreator(scaffold, max_wait_secs=10)
    with tf.train.MonitoredSession(creator) as session:
        assert session.run(mine) == 1
        with pytest.raises(tf.errors.FailedPreconditionError, match="chiefs"):
            session.run_without_hooks(chiefs)


def test_a_creator_of_ones_own_is_a_session_creator() -> None:
    class Mine(tf.train.SessionCreator):
        def create_session(self) -> Any:
            return tf.train.ChiefSessionCreator().create_session()

    class Empty(tf.train.SessionCreator):
        pass

    for creator in (Mine(), tf.train.ChiefSessionCreator(), tf.train.WorkerSessionCreator()):
        assert isinstance(creator, tf.train.SessionCreator)
    with pytest.raises(TypeError, match="create_session"):
        Empty()
    with tf.train.MonitoredSession(Mine()) as session:
        assert session.run("global_step:0") == 0
