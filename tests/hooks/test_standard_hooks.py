"""Hooks: what they log, save and write, and when; compared with what TensorFlow does."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import monitored as tf
import replay_training
from monitored._train.session_run_hook import SessionRunArgs, SessionRunContext, SessionRunValues


@pytest.mark.parametrize("name", replay_training.names("hooks/"))
def test_like_tensorflow(name: str) -> None:
    replay_training.check(name)


class _Session:
    """A session in which the global step has one value."""

    def __init__(self, step: int = 5) -> None:
        self.step = step

    def run(self, fetches: Any, feed_dict: Any = None) -> Any:
        return np.int64(self.step)


def _hooks(tmp_path: Path, loss: Any) -> dict[str, tuple[Any, Any]]:
    """Hooks that are not due for long, and the values that a run gives each of them."""
    step, train = np.int64(7), tf.train
    summary = tf.summary.scalar("loss", loss)
    return {
        "stop": (train.StopAtStepHook(last_step=10**9), step),
        "log": (train.LoggingTensorHook({"loss": loss}, every_n_iter=10**9), {"loss": np.float32(1)}),
        "save": (train.CheckpointSaverHook(tmp_path, save_steps=10**9), step),
        "count": (train.StepCounterHook(every_n_steps=10**9), step),
        "summarize": (
            train.SummarySaverHook(save_steps=10**9, output_dir=str(tmp_path), summary_op=summary),
            step,
        ),
        "nan": (train.NanTensorHook(loss), np.float32(1)),
    }


@pytest.mark.parametrize("name", ["stop", "log", "save", "count", "summarize", "nan"])
def test_a_hook_asks_for_the_same_again_and_again(name: str, tmp_path: Path) -> None:
    with tf.Graph().as_default():
        tf.train.get_or_create_global_step()
        hook, values = _hooks(tmp_path, tf.constant(1.0))[name]
        hook.begin()
        context = SessionRunContext(SessionRunArgs(None), _Session())
        if name == "save":
            hook._timer.update_last_triggered_step(5)
        else:
            hook.before_run(context)  # the first run has a summary
            hook.after_run(context, SessionRunValues([] if name == "summarize" else values, None, None))
        asked = []
        for _ in range(3):
            asked.append(hook.before_run(context))
            hook.after_run(context, SessionRunValues(values, None, None))
        assert asked[0] is asked[1] is asked[2]
        assert (asked[0] is None) == (name == "log")
        assert not context.stop_requested
        tf.summary.FileWriterCache.clear()


def test_a_hook_without_methods_asks_for_nothing() -> None:
    hook = tf.train.SessionRunHook()
    context = SessionRunContext(SessionRunArgs("x"), None)
    hook.begin()
    hook.after_create_session(None, None)
    assert hook.before_run(context) is None
    hook.after_run(context, SessionRunValues(None, None, None))
    hook.end(None)
    assert not context.stop_requested


def test_a_global_step_that_others_moved_is_read_again() -> None:
    with tf.Graph().as_default():
        tf.train.get_or_create_global_step()
        hook = tf.train.StopAtStepHook(last_step=10)
        hook.begin()
        hook.after_create_session(_Session(0), None)
        context = SessionRunContext(SessionRunArgs(None), _Session(8))  # rolled back meanwhile
        hook.after_run(context, SessionRunValues(np.int64(9), None, None))
        assert not context.stop_requested
        context = SessionRunContext(SessionRunArgs(None), _Session(10))
        hook.after_run(context, SessionRunValues(np.int64(9), None, None))
        assert context.stop_requested


def test_a_worker_waits_for_the_others(caplog: pytest.LogCaptureFixture) -> None:
    with tf.Graph().as_default(), caplog.at_level(logging.INFO, "monitored"):
        tf.train.get_or_create_global_step()
        session, waited = _Session(0), []

        def others_work(seconds: float) -> None:
            waited.append(seconds)
            session.step += 700

        hook = tf.train.GlobalStepWaiterHook(2500, sleep=others_work)
        hook.begin()
        context = SessionRunContext(SessionRunArgs(None), session)
        assert hook.before_run(context) is None
        assert waited == [0.5] * 4
        hook.before_run(context)
        assert len(waited) == 4
    assert [record.message for record in caplog.records] == [
        "Waiting for global step 2500 before starting training.",
        "Waiting for global step 2500 before starting training. Current step is 1400.",
        "Done waiting for global step 2500 to start training.",
    ]


def test_a_scaffold_that_is_not_the_sessions(tmp_path: Path) -> None:
    with tf.Graph().as_default():
        tf.train.get_or_create_global_step()
        hook = tf.train.CheckpointSaverHook(tmp_path, save_steps=1, scaffold=tf.train.Scaffold())
        with pytest.raises(RuntimeError, match="Give the same scaffold to the session"):
            tf.train.SingularMonitoredSession(hooks=[hook])
        tf.summary.FileWriterCache.clear()


def test_printing_options_are_left_as_they_were(caplog: pytest.LogCaptureFixture) -> None:
    with tf.Graph().as_default(), caplog.at_level(logging.INFO, "monitored"):
        hook = tf.train.LoggingTensorHook({"x": tf.constant([1e-9, 1.0])}, every_n_iter=1)
        hook.begin()
        context = SessionRunContext(SessionRunArgs(None), None)
        hook.before_run(context)
        before = np.get_printoptions()
        hook.after_run(context, SessionRunValues({"x": np.array([1e-9, 1.0])}, None, None))
        assert np.get_printoptions() == before
    assert caplog.records[-1].message == "x = [0. 1.]"


def test_the_graph_is_written_as_text_and_binary(tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:
        tf.constant(1.0, name="one")
        text = Path(tf.train.write_graph(graph, tmp_path / "new", "graph.pbtxt"))
        binary = Path(tf.train.write_graph(graph.as_graph_def(), tmp_path / "new", "graph.pb", as_text=False))
        assert 'name: "one"' in text.read_text()
        assert tf.GraphDef.FromString(binary.read_bytes()) == graph.as_graph_def()
