"""What hooks and iterators know goes into checkpoints and comes back."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import monitored as tf
from iterators import Getting, Rows


@pytest.fixture(autouse=True)
def fresh_graph() -> Iterator[None]:
    with tf.Graph().as_default():
        yield


class Remembering(tf.train.SessionRunHook):
    """A hook with a state."""

    def __init__(self, state: Any = None) -> None:
        self.state = state
        self.loaded: list[Any] = []

    def state_dict(self) -> Any:
        return self.state

    def load_state_dict(self, state: Any) -> None:
        self.loaded.append(state)

    def after_create_session(self, session: Any, coord: Any) -> None:
        self.loaded.append("created")


def saved_and_resumed(path: Path, state: Any) -> list[Any]:
    """What a hook is told in a process that resumes, after one with a state was saved."""
    resumed = Remembering()
    for hook in (Remembering(state), resumed):
        with tf.Graph().as_default():
            tf.train.get_or_create_global_step()
            saving = tf.train.CheckpointSaverHook(str(path), save_steps=1)
            tf.train.SingularMonitoredSession([saving, hook], checkpoint_dir=str(path)).close()
    return resumed.loaded


def same(one: Any, other: Any) -> bool:
    """Whether two states are equal, with tuples as lists."""
    if isinstance(one, dict):
        return isinstance(other, dict) and one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, (list, tuple)):
        return isinstance(other, list) and len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, (np.ndarray, np.generic)):
        return (
            one.dtype == other.dtype and np.shape(one) == other.shape and np.asarray(one).tobytes() == other.tobytes()
        )
    if isinstance(one, float) and math.isnan(one):
        return isinstance(other, float) and math.isnan(other)
    return type(one) is type(other) and one == other


TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | TEXT
    | st.binary(max_size=8)
    | hnp.arrays(st.sampled_from([np.int64, np.float32, np.bool_, np.uint8]), hnp.array_shapes(min_dims=0, max_side=3))
)
STATES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3))


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(state=STATES)
def test_any_state_comes_back_before_the_session_is_told_of(tmp_path_factory: Any, state: Any) -> None:
    loaded = saved_and_resumed(tmp_path_factory.mktemp("state"), state)
    assert len(loaded) == 2
    assert same(state, loaded[0])
    assert loaded[1] == "created"


def test_hooks_of_one_class_are_told_apart_by_their_order(tmp_path: Path) -> None:
    def session(*hooks: Any) -> None:
        with tf.Graph().as_default():
            tf.train.get_or_create_global_step()
            saving = tf.train.CheckpointSaverHook(str(tmp_path), save_steps=1)
            tf.train.SingularMonitoredSession([*hooks, saving], checkpoint_dir=str(tmp_path)).close()

    session(Remembering("first"), Remembering("second"))
    resumed = [Remembering(), Remembering(), Remembering()]
    session(*resumed)
    assert [hook.loaded[:-1] for hook in resumed] == [["first"], ["second"], []]


@pytest.mark.parametrize(("state", "what"), [({1: 2}, "key 1"), ({"a": object()}, "holds a object"), ([{2j}], "a set")])
def test_a_state_that_cannot_be_saved_is_an_error_that_names_the_hook_and_leaves_no_checkpoint(
    tmp_path: Path, state: Any, what: str
) -> None:
    tf.train.get_or_create_global_step()
    hooks = [tf.train.CheckpointSaverHook(str(tmp_path), save_steps=1), Remembering(state)]
    with pytest.raises(TypeError, match=f"The state of Remembering .*{what}"):
        tf.train.SingularMonitoredSession(hooks)
    assert not list(tmp_path.glob("model.ckpt*"))


def test_tensorflow_and_sessions_without_the_hook_pass_over_states(tmp_path: Path) -> None:
    saved_and_resumed(tmp_path, {"a": np.ones(3)})
    with tf.Graph().as_default():
        step = tf.train.get_or_create_global_step()
        with tf.train.SingularMonitoredSession(checkpoint_dir=str(tmp_path)) as session:
            assert session.run(step) == 0


@pytest.mark.parametrize("kind", [Rows, Getting])
def test_a_resumed_run_goes_on_with_the_element_that_was_next(tmp_path: Path, kind: Any) -> None:
    def run(steps: int) -> list[int]:
        with tf.Graph().as_default():
            rows = tf.train.register_iterator(kind())
            other = tf.train.register_iterator(Rows(), "other")
            row = tf.placeholder(tf.int32, [])
            train = tf.assign_add(tf.train.get_or_create_global_step(), 1)
            with tf.control_dependencies([train]):
                seen = tf.identity(row)
            hooks = [
                tf.train.CheckpointSaverHook(str(tmp_path), save_steps=4),
                tf.train.StopAtStepHook(num_steps=steps),
            ]
            found = []
            session = tf.train.SingularMonitoredSession(hooks, checkpoint_dir=str(tmp_path))
            while not session.should_stop():
                next(other)
                found.append(int(session.run(seen, {row: next(rows)})))
            session.__exit__(KeyError, KeyError(), None)  # no checkpoint at the end
            assert other.next == rows.next
            return found

    assert run(6) == [0, 1, 2, 3, 4, 5]
    assert run(3) == [4, 5, 6]


def test_a_plain_saver_saves_and_restores_where_iterators_stand(tmp_path: Path) -> None:
    rows = tf.train.register_iterator(Rows())
    tf.get_variable("v", [])
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        next(rows)
        path = tf.train.Saver().save(session, str(tmp_path / "m"))
        next(rows)
        tf.train.Saver().restore(session, path)
    assert next(rows) == 1


def test_an_iterator_that_cannot_tell_where_it_stands_is_refused_and_names_are_given_once() -> None:
    with pytest.raises(TypeError, match=r"cannot tell where it stands: an iterator needs state_dict\(\)"):
        tf.train.register_iterator(iter([1, 2]))
    tf.train.register_iterator(Rows(), "train")
    with pytest.raises(ValueError, match="iterator with the name 'train' already"):
        tf.train.register_iterator(Rows(), "train")


def lines(caplog: pytest.LogCaptureFixture, path: Path, steps: list[int]) -> list[str]:
    """The lines of a hook that logs the step after every third run, in processes that each take some steps."""
    caplog.clear()
    for count in steps:
        with tf.Graph().as_default():
            step = tf.train.get_or_create_global_step()
            hooks = [
                tf.train.CheckpointSaverHook(str(path), save_steps=1000),
                tf.train.LoggingTensorHook({"step": step}, every_n_iter=3, formatter=lambda values: f"{values}"),
            ]
            train = tf.assign_add(step, 1)
            with tf.train.SingularMonitoredSession(hooks, checkpoint_dir=str(path)) as session:
                for _ in range(count):
                    session.run(train)
    return [record.message for record in caplog.records if record.message.startswith("{")]


def test_a_resumed_run_logs_at_the_steps_of_the_uninterrupted_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "monitored"):
        whole = lines(caplog, tmp_path / "whole", [11])
        assert len(whole) == 4
        assert lines(caplog, tmp_path / "parts", [4, 1, 6]) == whole


def summaries(path: Path, steps: list[int]) -> list[int]:
    for count in steps:
        with tf.Graph().as_default():
            step = tf.train.get_or_create_global_step()
            tf.summary.scalar("v", tf.cast(step, tf.float32))
            hooks = [
                tf.train.CheckpointSaverHook(str(path), save_steps=1000),
                tf.train.SummarySaverHook(save_steps=4, output_dir=str(path), summary_op=tf.summary.merge_all()),
            ]
            train = tf.assign_add(step, 1)
            with tf.train.SingularMonitoredSession(hooks, checkpoint_dir=str(path)) as session:
                for _ in range(count):
                    session.run(train)
    found = set()
    for file in path.glob("events*"):
        found |= {event.step for event in tf.train.summary_iterator(str(file)) if event.HasField("summary")}
    return sorted(found)


def test_a_resumed_run_writes_summaries_at_the_steps_of_the_uninterrupted_one(tmp_path: Path) -> None:
    assert summaries(tmp_path / "parts", [6, 2, 5]) == summaries(tmp_path / "whole", [13])
