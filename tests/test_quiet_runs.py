"""Runs in which no hook is due are made without calling the hooks, who see all the same what they would have seen."""

from __future__ import annotations

import itertools
import json
import logging
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import monitored as tf


@pytest.fixture(autouse=True)
def fresh_graph() -> Iterator[None]:
    with tf.Graph().as_default():
        yield


class Inert(tf.train.SessionRunHook):
    """Does nothing and does not say when, so that all hooks are called in every run."""

    def before_run(self, run_context: Any) -> None:
        return None


class Lines(logging.Handler):
    """The log, without times and places."""

    def __init__(self, folder: str) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._folder = folder

    def emit(self, record: logging.LogRecord) -> None:
        line = record.getMessage().replace(self._folder, "")
        if "sec" not in line:
            self.lines.append(line)


class Calls:
    """Counts the calls of a hook's methods."""

    def __init__(self, hook: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.before = self.after = 0
        before_run, after_run = type(hook).before_run, type(hook).after_run

        def before(hook: Any, context: Any) -> Any:
            self.before += 1
            return before_run(hook, context)

        def after(hook: Any, context: Any, values: Any) -> None:
            self.after += 1
            after_run(hook, context, values)

        monkeypatch.setattr(type(hook), "before_run", before)
        monkeypatch.setattr(type(hook), "after_run", after)


def step() -> Any:
    """A training step with a loss to look at: the operation, the loss."""
    w = tf.get_variable("w", [], initializer=tf.ones_initializer())
    loss = tf.square(w - 3.0)
    tf.summary.scalar("loss", loss)
    return tf.train.GradientDescentOptimizer(0.01).minimize(loss, tf.train.get_or_create_global_step()), loss


# -- the same as if they were called in every run -----------------------------------------------------------------

every = st.sampled_from([1, 7, 10, 40, 100, 1000])
kinds = st.fixed_dictionaries(
    {},
    optional={
        "log": every,
        "summary": every,
        "count": every,
        "save": every,
        "best": every,
        "stop": st.integers(1, 300),
    },
)
actions = st.lists(
    st.tuples(
        st.sampled_from(
            ["run", "run", "run", "fetch", "list", "without", "raw", "jump", "steps", "save", "own", "chosen"]
        ),
        st.integers(1, 60),
    ),
    min_size=1,
    max_size=12,
)


def observed(kinds: dict[str, int], actions: list[tuple[str, int]], inert: bool) -> dict[str, Any]:
    """Everything that can be seen of a session's hooks."""
    with tf.Graph().as_default(), tempfile.TemporaryDirectory() as folder:
        train, loss = step()
        jump = tf.assign_add(tf.train.get_global_step(), 5)
        makers: dict[str, Callable[[int], Any]] = {
            "log": lambda n: tf.train.LoggingTensorHook({"loss": loss}, every_n_iter=n, formatter=str),
            "summary": lambda n: tf.train.SummarySaverHook(n, output_dir=folder, summary_op=tf.summary.merge_all()),
            "count": lambda n: tf.train.StepCounterHook(n, output_dir=folder),
            "save": lambda n: tf.train.CheckpointSaverHook(folder, save_steps=n),
            "best": lambda n: tf.train.BestCheckpointHook(
                f"{folder}/best", loss, higher_is_better=False, every_n_steps=n
            ),
            "stop": lambda n: tf.train.StopAtStepHook(last_step=n),
        }
        hooks = [makers[kind](n) for kind, n in kinds.items()]
        log, logger = Lines(folder), logging.getLogger("monitored")
        logger.addHandler(log)
        level = logger.level
        logger.setLevel(logging.INFO)
        own, states = tf.train.Saver(), []
        try:
            with tf.train.SingularMonitoredSession([*hooks, Inert()] if inert else hooks) as session:
                raw = session.raw_session()
                for action, count in actions:
                    if session.should_stop():
                        break
                    if action == "steps":
                        session.run_steps(train, count)
                        continue
                    for _ in range(1 if action in ("save", "own") else count):
                        if session.should_stop():
                            break
                        if action == "run":
                            session.run(train)
                        elif action == "fetch":
                            session.run(loss)
                        elif action == "list":
                            session.run([train, {"loss": loss}])
                        elif action == "without":
                            session.run_without_hooks(train)
                        elif action == "raw":
                            raw.run(train)
                        elif action == "jump":
                            session.run(jump)
                        elif action == "save":
                            session.save(f"{folder}/mine/m")
                        elif action == "own":
                            states.append(contents(own.save(raw, f"{folder}/own/m")))
                        else:
                            session.run(train, hooks=hooks[:1])
                at = session.statistics().steps
        finally:
            logger.removeHandler(log)
            logger.setLevel(level)
        tf.summary.FileWriterCache.clear()  # waits until all is in the files
        events = [
            (event.step, sorted(value.tag for value in event.summary.value))
            for path in Path(folder).glob("events*")
            for event in tf.train.summary_iterator(str(path))
        ]
        saved = sorted(path.name for path in Path(folder).rglob("*.index"))
        newest = tf.train.latest_checkpoint(folder)
        last = contents(newest) if newest else None
        return {"log": log.lines, "events": events, "saved": saved, "states": states, "last": last, "steps": at}


def contents(prefix: str) -> dict[str, Any]:
    """What a checkpoint holds, the hooks' states without seconds."""
    found, reader = {}, tf.train.NewCheckpointReader(prefix)
    for name in reader.get_variable_to_shape_map():
        value = reader.get_tensor(name)
        if "Inert" not in name:
            found[name] = str(_without_secs(json.loads(value)) if isinstance(value, bytes) else value)
    return found


def _without_secs(state: Any) -> Any:
    if isinstance(state, dict):
        return {key: _without_secs(value) for key, value in state.items() if "sec" not in key}
    return [_without_secs(value) for value in state] if isinstance(state, list) else state


@settings(max_examples=20, deadline=None)
@given(kinds, actions)
def test_hooks_see_what_they_would_have_seen(kinds: dict[str, int], actions: list[tuple[str, int]]) -> None:
    seen, expected = (observed(kinds, actions, inert) for inert in (False, True))
    if "steps" in dict(actions):  # a loop is not warned of: it does increase the step
        for one in (seen, expected):
            one["log"] = [line for line in one["log"] if "has not been increased" not in line]
    for what in expected:
        assert seen[what] == expected[what], what


# -- they are not called ----------------------------------------------------------------------------------------------


def test_hooks_that_are_not_due_are_not_called(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    train, loss = step()
    hooks = [
        tf.train.LoggingTensorHook({"loss": loss}, every_n_iter=1000),
        tf.train.CheckpointSaverHook(str(tmp_path), save_secs=600),
        tf.train.StopAtStepHook(last_step=10_000),
        tf.train.StepCounterHook(1000, output_dir=str(tmp_path)),
    ]
    calls = [Calls(hook, monkeypatch) for hook in hooks]
    with tf.train.SingularMonitoredSession(hooks) as session:
        while not session.should_stop():
            session.run(train)
    for one in calls:
        assert one.before == one.after < 2500  # those that statistics are made of, and some around what is due


def test_a_class_that_adds_something_to_what_a_hook_does_in_runs_is_called_in_every_run() -> None:
    class Mine(tf.train.StopAtStepHook):
        runs = 0

        def after_run(self, run_context: Any, run_values: Any) -> None:
            super().after_run(run_context, run_values)
            self.runs += 1

    train, _ = step()
    hook = Mine(last_step=200)
    with tf.train.SingularMonitoredSession([hook]) as session:
        while not session.should_stop():
            session.run(train)
    assert hook.runs == 200
    with tf.train.SingularMonitoredSession([Mine(last_step=200)]) as session:
        session.run_steps(train, 200)
        assert session._calls.hooks[0].runs == 200


def test_a_hook_of_another_make_is_called_in_every_run() -> None:
    class Other:
        runs = 0

        def after_run(self, run_context: Any, run_values: Any) -> None:
            self.runs += 1

        def begin(self) -> None: ...
        def after_create_session(self, session: Any, coord: Any) -> None: ...
        def end(self, session: Any) -> None: ...

    train, _ = step()
    hook: Any = Other()
    with tf.train.SingularMonitoredSession([hook, tf.train.StopAtStepHook(last_step=100)]) as session:
        while not session.should_stop():
            session.run(train)
    assert hook.runs == 100


# -- in time ----------------------------------------------------------------------------------------------------------


def test_a_hook_with_a_clock_of_its_own_is_due_by_that_clock() -> None:
    train, _ = step()
    now = itertools.count(0.0, 1.0)
    with tf.train.SingularMonitoredSession([tf.train.StopAfterDurationHook(100.0, clock=lambda: next(now))]) as session:
        while not session.should_stop():
            session.run(train)
        assert session.raw_session().run(tf.train.get_global_step()) == 100


def test_a_time_is_kept_whatever_the_runs_take() -> None:
    train, _ = step()
    hook = tf.train.StopAfterDurationHook(0.2)
    with tf.train.SingularMonitoredSession([hook]) as session:
        session.run(train)
        hook.begin()  # counts from here, not from before the step was compiled
        runs, late = 0, 0.0
        began = time.monotonic()
        while not session.should_stop():
            before = time.monotonic() - began
            session.run(train)
            late, runs = before, runs + 1
    assert hook.stopped
    assert late <= 0.2  # the run after which it asked for the stop began before the time was over
    assert runs > 20


# -- errors -----------------------------------------------------------------------------------------------------------


def test_what_fails_in_a_quiet_run_is_told_with_what_was_to_be_run() -> None:
    told: list[Any] = []

    class Told(tf.train.StopAtStepHook):
        def on_error(self, run_context: Any, error: BaseException) -> None:
            told.append((run_context.original_args.fetches, type(error)))

    train, loss = step()
    hook = Told(last_step=100_000)
    x = tf.placeholder(tf.float32, [2], name="x")
    with tf.train.SingularMonitoredSession([hook]) as session:
        while session._quiet is None and not session.should_stop():
            session.run(train)
        with pytest.raises(ValueError, match="x:0"):
            session.run([loss, x], {x: [1.0, 2.0, 3.0]})
    assert len(told) == 1
    assert told[0][0][0] is loss
    assert told[0][1] is ValueError


def test_steps_are_counted() -> None:
    train, _ = step()
    with tf.train.SingularMonitoredSession([tf.train.StopAtStepHook(last_step=5000)]) as session:
        for count in range(1, 1000):
            session.run(train)
            if count % 37 == 0:
                assert session.statistics().steps == count
