"""Which hooks take part in a run, and what they ask for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import monitored as tf
from hooks.noting import Noting

# -- some hooks, or none ---------------------------------------------------------------------------------------------


def test_a_run_without_hooks(make: Callable[..., Any]) -> None:
    x = tf.placeholder(tf.float32, [])
    y = x * 2
    hook = Noting()
    with make([hook]) as session:
        del hook.calls[:]
        metadata = tf.RunMetadata()
        options = tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE)
        assert session.run_without_hooks({"y": y}, {x: 3}, options, metadata) == {"y": 6}
        assert metadata.step_stats.dev_stats
        assert hook.calls == []
        assert session.run(y, {x: 3}) == 6
        assert hook.calls == ["before_run", "after_run"]
    with pytest.raises(RuntimeError, match="closed session"):
        session.run_without_hooks(x, {x: 3})


def test_a_run_without_hooks_goes_on_when_a_stop_was_asked_for() -> None:
    step = tf.assign_add(tf.train.get_or_create_global_step(), 1)
    with tf.train.SingularMonitoredSession([tf.train.StopAtStepHook(last_step=1)]) as session:
        session.run(step)
        assert session.should_stop()
        with pytest.raises(RuntimeError, match="should_stop requested"):
            session.run(step)
        assert session.run_without_hooks(step) == 2


def test_a_run_without_hooks_recovers_too() -> None:
    step = tf.assign_add(tf.train.get_or_create_global_step(), 1)
    sessions = []

    class Creator:
        def create_session(self) -> Any:
            session = tf.train.ChiefSessionCreator().create_session()
            sessions.append(session)
            if len(sessions) == 1:
                session.run = lose
            return session

    def lose(*args: Any) -> None:
        raise tf.errors.AbortedError(None, None, "the session is lost")

    with tf.train.MonitoredSession(Creator(), []) as session:
        assert session.run_without_hooks(step) == 1
    assert len(sessions) == 2


def test_a_run_with_some_of_the_hooks(make: Callable[..., Any]) -> None:
    class Other(Noting):
        pass

    first, second, other = Noting(), Noting(), Other()
    x = tf.constant(1.0)
    with make([first, second, other]) as session:
        for chosen, expected in (
            (None, [first, second, other]),
            ([], []),
            ([first], [first]),
            ([other, second], [second, other]),
            ([Other], [other]),
            ([Noting], [first, second, other]),
            ({second}, [second]),
            ((first, Other), [first, other]),
        ):
            for hook in (first, second, other):
                del hook.calls[:]
            for _ in range(2):
                assert session.run(x, hooks=chosen) == 1
            assert [hook for hook in (first, second, other) if hook.calls] == expected
            assert all(hook.calls == ["before_run", "after_run"] * 2 for hook in expected)


def test_hooks_that_the_session_does_not_have(make: Callable[..., Any]) -> None:
    x = tf.constant(1.0)
    with make([Noting()]) as session:
        with pytest.raises(ValueError, match=r"has no hook .*Noting.* Its hooks are: Noting\."):
            session.run(x, hooks=[Noting()])
        with pytest.raises(ValueError, match="StopAtStepHook"):
            session.run(x, hooks=[tf.train.StopAtStepHook])
        assert session.run(x) == 1


def test_a_chosen_hook_gets_its_values(make: Callable[..., Any]) -> None:
    x, y = tf.constant(1.0), tf.constant(2.0)
    got = []

    class Asking(tf.train.SessionRunHook):
        def __init__(self, tensor: Any) -> None:
            self.tensor = tensor

        def before_run(self, run_context: Any) -> Any:
            return tf.train.SessionRunArgs(self.tensor)

        def after_run(self, run_context: Any, run_values: Any) -> None:
            got.append(run_values.results)

    first, second = Asking(x), Asking([y, x])
    with make([first, second]) as session:
        assert session.run(y, hooks=[second]) == 2
        assert got == [[2, 1]]
        assert session.run(y) == 2
        assert got == [[2, 1], 1, [2, 1]]


# -- what hooks ask for ----------------------------------------------------------------------------------------------


def test_what_several_hooks_ask_for_is_fetched_once() -> None:
    step = tf.train.get_or_create_global_step()
    add = tf.assign_add(step, 1)

    class Asking(tf.train.SessionRunHook):
        def __init__(self) -> None:
            self.args, self.got = tf.train.SessionRunArgs(step), []

        def before_run(self, run_context: Any) -> Any:
            return self.args

        def after_run(self, run_context: Any, run_values: Any) -> None:
            self.got.append(run_values.results)

    hooks = [Asking() for _ in range(5)]
    with tf.train.SingularMonitoredSession(hooks) as session:
        raw, asked = session.raw_session(), []
        run = raw.run_joined
        raw.run_joined = lambda fetches, more, *args: (asked.append([fetches, *more]), run(fetches, more, *args))[1]
        for _ in range(3):
            session.run(add)
    assert [hook.got for hook in hooks] == [[0, 1, 2]] * 5
    assert [len(fetches) for fetches in asked] == [2, 2, 2]


def test_a_session_with_a_run_of_its_own_gets_every_call_with_what_hooks_ask_for() -> None:
    class Counting(tf.Session):
        def run(self, fetches: Any, *args: Any, **kwargs: Any) -> Any:
            asked.append(fetches)
            return super().run(fetches, *args, **kwargs)

    class Creator(tf.train.SessionCreator):
        def create_session(self) -> Any:
            session = Counting()
            session.run(tf.global_variables_initializer())
            return session

    asked: list[Any] = []
    step = tf.train.get_or_create_global_step()
    add = tf.assign_add(step, 1)
    with tf.train.MonitoredSession(Creator(), [tf.train.StopAtStepHook(last_step=9)]) as session:
        del asked[:]
        session.run(add)
        session.run(add)
    assert [fetches[0] for fetches in asked] == [add, add]
    assert [len(fetches) for fetches in asked] == [2, 2]


def test_what_a_hook_asks_for_may_change_at_any_step() -> None:
    x, y = tf.constant(1.0, name="x"), tf.constant(2.0, name="y")
    structure: list[Any] = [x]
    requests = [
        None,
        tf.train.SessionRunArgs(x),
        tf.train.SessionRunArgs({"y": y}),
        None,
        tf.train.SessionRunArgs("x:0"),
    ]
    changing = tf.train.SessionRunArgs(structure)
    got: list[Any] = []

    class Asking(tf.train.SessionRunHook):
        def __init__(self) -> None:
            self.requests = iter([*requests, changing, changing, changing])

        def before_run(self, run_context: Any) -> Any:
            return next(self.requests)

        def after_run(self, run_context: Any, run_values: Any) -> None:
            got.append(run_values.results)

    with tf.train.SingularMonitoredSession([Asking()]) as session:
        for _ in range(6):
            session.run(y)
        structure.append(y)  # the same request, of another content
        session.run(y)
        structure.clear()
        session.run(y)
    assert got == [None, 1, {"y": 2}, None, 1, [1], [1, 2], []]


def test_a_hooks_feeds_are_looked_at_in_every_step() -> None:
    x = tf.placeholder(tf.float32, [])
    feeds = {x: 1.0}
    args = tf.train.SessionRunArgs(None, feeds)

    class Feeding(tf.train.SessionRunHook):
        def before_run(self, run_context: Any) -> Any:
            return args

    y = x + 1
    with tf.train.SingularMonitoredSession([Feeding()]) as session:
        assert session.run(y) == 2
        feeds[x] = 5.0
        assert session.run(y) == 6


def test_the_context_knows_the_callers_arguments(make: Callable[..., Any]) -> None:
    x = tf.placeholder(tf.float32, [])
    found = []

    class Looking(tf.train.SessionRunHook):
        def before_run(self, run_context: Any) -> None:
            found.append(run_context.original_args)
            assert run_context.original_args is found[-1]

    with make([Looking()]) as session:
        session.run({"x": x}, {x: 1})
    (args,) = found
    assert type(args) is tf.train.SessionRunArgs
    assert args == ({"x": x}, {x: 1}, None)
