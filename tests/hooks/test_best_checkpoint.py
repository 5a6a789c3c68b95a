"""Keeping the best checkpoints by a metric."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import monitored as tf


@pytest.fixture(autouse=True)
def _graph() -> Any:
    with tf.Graph().as_default():
        yield


class Model:
    """A metric that takes given values at steps 1, 2, ..., and a variable that remembers the step."""

    def __init__(self, values: Sequence[float]) -> None:
        self.step = tf.train.get_or_create_global_step()
        seen = tf.get_variable("seen", [], tf.int64, initializer=tf.zeros_initializer())
        self.values = tf.placeholder_with_default(tf.constant([0.0, *values], tf.float32), [None])
        self.metric = tf.gather(self.values, self.step, name="metric")
        advanced = tf.assign_add(self.step, 1)
        with tf.control_dependencies([advanced]):
            self.train_op = tf.assign(seen, self.step)


def train(hook: Any, model: Model, steps: int, **kwargs: Any) -> None:
    with tf.train.SingularMonitoredSession(hooks=[hook], **kwargs) as session:
        for _ in range(steps):
            session.run(model.train_op)


def kept(folder: Path) -> list[int]:
    """The steps in the folder's `checkpoint` file, the best first, each of them checked."""
    state = tf.train.get_checkpoint_state(folder / "best")
    if state is None:
        return []
    paths = list(state.all_model_checkpoint_paths)[::-1]
    assert state.model_checkpoint_path == paths[0] == tf.train.latest_checkpoint(folder / "best")
    steps = [int(path.rpartition("-")[2]) for path in paths]
    for path, step in zip(paths, steps, strict=True):
        assert tf.train.load_variable(path, "seen") == step
    there = {int(path.stem.rpartition("-")[2]) for path in (folder / "best").glob("*.index")}
    assert there == set(steps)
    return steps


@pytest.mark.parametrize(
    ("higher", "keep", "best"), [(True, 1, [3]), (True, 3, [3, 5, 4]), (False, 2, [2, 1]), (True, 9, [3, 5, 4, 1, 2])]
)
def test_the_best_are_kept_and_the_best_is_the_latest(tmp_path: Path, higher: bool, keep: int, best: list[int]):
    model = Model([0.2, 0.1, 0.9, 0.7, 0.8])
    hook = tf.train.BestCheckpointHook(tmp_path, model.metric, higher_is_better=higher, keep=keep, every_n_steps=1)
    train(hook, model, 5)
    assert kept(tmp_path) == best
    assert hook.best_checkpoint == str(tmp_path / "best" / f"model.ckpt-{best[0]}")
    assert hook.best_value == pytest.approx(0.9 if higher else 0.1)


def test_it_stands_beside_the_newest_ones(tmp_path: Path):
    model = Model([0.2, 0.9, 0.3, 0.4])
    saver = tf.train.Saver(max_to_keep=2)
    best = tf.train.BestCheckpointHook(tmp_path, "metric:0", higher_is_better=True, every_n_steps=1, saver=saver)
    newest = tf.train.CheckpointSaverHook(tmp_path, save_steps=1, saver=saver)
    with tf.train.SingularMonitoredSession(hooks=[best, newest]) as session:
        for _ in range(4):
            session.run(model.train_op)
    assert kept(tmp_path) == [2]
    newest_ones = tf.train.get_checkpoint_state(tmp_path).all_model_checkpoint_paths
    assert list(newest_ones) == [str(tmp_path / f"model.ckpt-{step}") for step in (3, 4)]


def test_a_session_of_evaluation_keeps_its_checkpoint_if_it_is_among_the_best(tmp_path: Path):
    model = Model([0.2, 0.9, 0.3])
    train(tf.train.CheckpointSaverHook(tmp_path, save_steps=1), model, 3)
    for step in (1, 2, 3):
        hook = tf.train.BestCheckpointHook(tmp_path, model.metric, higher_is_better=True, keep=2)
        train(hook, model, 0, checkpoint_filename_with_path=str(tmp_path / f"model.ckpt-{step}"))
    assert kept(tmp_path) == [2, 3]


def test_a_restart_goes_on_with_what_the_folder_holds(tmp_path: Path):
    model = Model([0.2, 0.9, 0.3, 0.8, 0.1])

    def hook() -> Any:
        return tf.train.BestCheckpointHook(tmp_path, model.metric, higher_is_better=True, keep=2, every_n_steps=1)

    saving = tf.train.CheckpointSaverHook(tmp_path, save_steps=1)
    with tf.train.SingularMonitoredSession(hooks=[hook(), saving]) as session:
        for _ in range(3):
            session.run(model.train_op)
    assert kept(tmp_path) == [2, 3]
    train(hook(), model, 2, checkpoint_dir=str(tmp_path))
    assert kept(tmp_path) == [2, 4]


def test_a_moved_folder_is_as_good(tmp_path: Path):
    model = Model([0.2, 0.9])
    train(tf.train.BestCheckpointHook(tmp_path / "a", model.metric, higher_is_better=True, every_n_steps=1), model, 2)
    (tmp_path / "a").rename(tmp_path / "b")
    assert kept(tmp_path / "b") == [2]


def test_what_was_cut_off_between_two_files_is_put_right(tmp_path: Path):
    model = Model([0.2, 0.9, 0.95])

    def hook() -> Any:
        return tf.train.BestCheckpointHook(tmp_path, model.metric, higher_is_better=True, keep=2, every_n_steps=1)

    train(hook(), model, 2)
    tf.train.update_checkpoint_state(tmp_path / "best", str(tmp_path / "best" / "model.ckpt-1"))
    train(hook(), model, 0)
    assert tf.train.latest_checkpoint(tmp_path / "best") == str(tmp_path / "best" / "model.ckpt-2")
    tf.train.remove_checkpoint(str(tmp_path / "best" / "model.ckpt-2"))
    train(hook(), model, 0)
    assert tf.train.latest_checkpoint(tmp_path / "best") == str(tmp_path / "best" / "model.ckpt-1")


def test_of_equal_values_the_first_is_kept(tmp_path: Path):
    model = Model([0.5, 0.5, 0.5])
    train(tf.train.BestCheckpointHook(tmp_path, model.metric, higher_is_better=True, every_n_steps=1), model, 3)
    assert kept(tmp_path) == [1]


def test_nan_is_never_among_the_best(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    model = Model([float("nan"), 0.5, float("nan")])
    train(tf.train.BestCheckpointHook(tmp_path, model.metric, higher_is_better=True, every_n_steps=1), model, 3)
    assert kept(tmp_path) == [2]
    assert "'metric' is NaN at step 3" in caplog.text


def test_the_metric_may_be_fed_or_a_function(tmp_path: Path):
    model = Model([0.2, 0.9])
    fed = tf.train.BestCheckpointHook(
        tmp_path / "fed", model.metric, higher_is_better=True, every_n_steps=1, feed_dict={model.values: [0, 5, 4]}
    )

    def negative_step(session: Any) -> float:
        return -session.run(model.step)

    called = tf.train.BestCheckpointHook(tmp_path / "called", negative_step, higher_is_better=True, every_n_steps=1)
    with tf.train.SingularMonitoredSession(hooks=[fed, called]) as session:
        for _ in range(2):
            session.run(model.train_op)
    assert kept(tmp_path / "fed") == kept(tmp_path / "called") == [1]
    assert json.loads((tmp_path / "called" / "best" / "best.json").read_text())["metric"] == "negative_step"


@pytest.mark.parametrize(
    ("every", "evaluated"), [({"every_n_steps": 3}, [3, 6, 7]), ({"every_n_secs": 2}, [2, 4, 6, 7])]
)
def test_it_evaluates_when_it_is_due_and_at_the_end(tmp_path: Path, every: dict[str, int], evaluated: list[int]):
    model, now, at = Model([]), 0.0, []

    def metric(session: Any) -> float:
        at.append(int(session.run(model.step)))
        return at[-1]

    hook = tf.train.BestCheckpointHook(tmp_path, metric, higher_is_better=True, clock=lambda: now, **every)
    with tf.train.SingularMonitoredSession(hooks=[hook]) as session:
        for _ in range(7):
            now += 1
            session.run(model.train_op)
    assert at == evaluated


def test_it_reads_the_global_step_only_when_it_may_be_due(tmp_path: Path):
    """A run that goes ten steps at once, and a step that stands still, are noticed."""
    step = tf.train.get_or_create_global_step()
    by_ten, by_none = tf.assign_add(step, 10), tf.constant(0)
    at: list[int] = []
    hook = tf.train.BestCheckpointHook(
        tmp_path, lambda session: at.append(int(session.run(step))) or 0.0, higher_is_better=True, every_n_steps=20
    )
    with tf.train.SingularMonitoredSession(hooks=[hook]) as session:
        for _ in range(20 + 6):
            session.run(by_ten)
        for _ in range(50):
            session.run(by_none)
    assert at == [200, 220, 240, 260]


def test_mistakes_are_said(tmp_path: Path):
    def hook(metric: Any, **kwargs: Any) -> Any:
        return tf.train.BestCheckpointHook(tmp_path, metric, **{"higher_is_better": True, **kwargs})

    model = Model([0.5, 0.6])
    for kwargs in ({"keep": 0}, {"every_n_steps": 0}, {"every_n_steps": 1, "every_n_secs": 1}):
        with pytest.raises(ValueError, match=r"must be|Can not provide both"):
            hook(model.metric, **kwargs)
    with pytest.raises(ValueError, match=r"one number, but has the shape \[3\]"):
        train(hook(model.values), model, 1)
    train(hook(model.metric), model, 1)
    with pytest.raises(ValueError, match="holds the checkpoints with the highest 'metric', but now the lowest"):
        train(hook(model.metric, higher_is_better=False), model, 1)
    (tmp_path / "best" / "best.json").write_text("{")
    with pytest.raises(tf.errors.DataLossError, match=r"best\.json.* is damaged"):
        train(hook(model.metric), model, 1)


def test_without_a_global_step_it_says_how_to_make_one(tmp_path: Path):
    hook = tf.train.BestCheckpointHook(tmp_path, tf.constant(1.0), higher_is_better=True)
    with pytest.raises(RuntimeError, match="BestCheckpointHook"):
        tf.train.SingularMonitoredSession(hooks=[hook])


def test_a_failed_session_evaluates_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, logger="monitored")
    model = Model([0.5])
    hook = tf.train.BestCheckpointHook(tmp_path, model.metric, higher_is_better=True)

    def fails() -> None:
        with tf.train.SingularMonitoredSession(hooks=[hook]) as session:
            session.run(model.train_op)
            raise KeyError("mine")

    with pytest.raises(KeyError):
        fails()
    assert not (tmp_path / "best").exists()
