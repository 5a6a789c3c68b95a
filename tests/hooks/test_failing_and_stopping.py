"""What hooks are told when something fails, and how they end the loop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import monitored as tf
from hooks.noting import Noting

# -- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["begin", "after_create_session", "before_run", "after_run", "end"])
def test_a_failing_hook_is_told_to_the_hooks_that_have_begun(place: str, make: Callable[..., Any]) -> None:
    x = tf.constant(1.0)
    first, failing, last = Noting(), Noting(place), Noting()
    with pytest.raises(ValueError, match="raised by the hook") as caught, make([first, failing, last]) as session:
        session.run(x)
    hooks = [first] if place == "begin" else [first, failing, last]
    for hook in hooks:
        ((context, error),) = hook.told
        assert error is caught.value
        assert (context.session is None) == (place == "begin")
        in_run = place in ("before_run", "after_run")
        assert context.original_args.fetches is (x if in_run else None)
        assert hook.closed == [caught.value]
        assert hook.calls[-2:] == ["on_error", "after_close"]
    if place == "begin":
        assert failing.calls == ["begin"]
        assert last.calls == []


def test_a_failing_run_is_told_once_and_before_anything_is_closed(make: Callable[..., Any]) -> None:
    x = tf.placeholder(tf.float32, [], name="x")
    hook = Noting()
    with pytest.raises(tf.errors.InvalidArgumentError) as caught, make([hook]) as session:
        session.run(x)
    ((context, error),) = hook.told
    assert error is caught.value
    assert context.original_args.fetches is x
    assert hook.calls == ["begin", "after_create_session", "before_run", "on_error", "after_close"]


def test_a_run_that_failed_and_was_caught_is_told_and_the_session_goes_on(make: Callable[..., Any]) -> None:
    x = tf.placeholder(tf.float32, [], name="x")
    hook = Noting()
    with make([hook]) as session:
        for _ in range(2):
            with pytest.raises(tf.errors.InvalidArgumentError):
                session.run(x)
        assert session.run(x, {x: 1}) == 1
    assert len(hook.told) == 2
    assert hook.calls[-2:] == ["end", "after_close"]
    assert hook.closed == [None]


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_error_of_the_program_between_the_runs_is_told(kind: type[BaseException], make: Callable[..., Any]) -> None:
    tf.constant(1.0)
    hook = Noting()
    with pytest.raises(kind) as caught, make([hook]):
        raise kind("in the block")
    ((context, error),) = hook.told
    assert error is caught.value
    assert context.original_args.fetches is None
    assert context.session is not None


@pytest.mark.parametrize("kind", [tf.errors.OutOfRangeError, StopIteration])
def test_the_end_of_the_input_is_no_error(kind: type[BaseException], make: Callable[..., Any]) -> None:
    x = tf.constant(1.0)
    error = kind(None, None, "over") if kind is tf.errors.OutOfRangeError else kind("over")  # type: ignore[call-arg]
    hook = Noting("after_run", error)
    with make([hook]) as session:
        session.run(x)
        pytest.fail("the block should have ended")
    assert hook.told == []
    assert hook.closed == [None]
    assert hook.calls[-2:] == ["end", "after_close"]


def test_a_failing_queue_runner_is_told(make: Callable[..., Any]) -> None:
    release = threading.Event()

    def read() -> np.float32:
        assert release.wait(60)
        raise ValueError("no such file")

    queue = tf.FIFOQueue(2, [tf.float32], shapes=[[]])
    tf.train.add_queue_runner(tf.train.QueueRunner(queue, [queue.enqueue(tf.py_func(read, [], tf.float32))]))
    x = queue.dequeue()
    hook = Noting()
    with pytest.raises(tf.errors.OpError, match="no such file") as caught, make([hook]) as session:  # noqa: PT012
        release.set()
        session.run(x)
    told = [error for _, error in hook.told]
    assert told == [caught.value]
    assert hook.calls.index("on_error") < hook.calls.index("after_close")


def test_a_queue_runner_that_failed_is_told_when_should_stop_finds_it() -> None:
    failed = threading.Event()

    def read() -> np.float32:
        raise ValueError("no such file")

    queue = tf.FIFOQueue(2, [tf.float32], shapes=[[]])
    tf.train.add_queue_runner(tf.train.QueueRunner(queue, [queue.enqueue(tf.py_func(read, [], tf.float32))]))

    class Waiting(Noting):
        def after_create_session(self, session: Any, coord: Any) -> None:
            coord.wait_for_stop()
            failed.set()

    hook = Waiting()
    session = tf.train.MonitoredSession(hooks=[hook])
    assert failed.is_set()
    assert session.should_stop()
    assert len(hook.told) == 1
    with pytest.raises(tf.errors.OpError, match="no such file"):
        session.close()
    assert len(hook.told) == 1


def test_a_lost_session_is_told_before_it_is_closed() -> None:
    step = tf.assign_add(tf.train.get_or_create_global_step(), 1)

    class Losing(Noting):
        def before_run(self, run_context: Any) -> None:
            super().before_run(run_context)
            if len(self.told) == 0:
                raise tf.errors.AbortedError(None, None, "lost")

    hook = Losing()
    with tf.train.MonitoredSession(hooks=[hook]) as session:
        assert session.run(step) == 1
    assert [type(error) for _, error in hook.told] == [tf.errors.AbortedError]
    assert hook.calls == [
        "begin", "after_create_session", "before_run", "on_error",
        "after_create_session", "before_run", "after_run", "end", "after_close",
    ]  # fmt: skip


def test_what_on_error_raises_is_logged_and_hides_nothing(
    make: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    x = tf.placeholder(tf.float32, [], name="x")
    first, last = Noting("on_error"), Noting()
    with pytest.raises(tf.errors.InvalidArgumentError), make([first, last]) as session:
        session.run(x)
    assert len(last.told) == 1
    assert "Noting.on_error failed." in caplog.text
    assert "raised by the hook" in caplog.text


def test_a_hook_that_is_no_session_run_hook_need_not_have_these_methods(make: Callable[..., Any]) -> None:
    class Old:
        def begin(self) -> None: ...
        def after_create_session(self, session: Any, coord: Any) -> None: ...
        def before_run(self, run_context: Any) -> None: ...
        def after_run(self, run_context: Any, run_values: Any) -> None: ...
        def end(self, session: Any) -> None: ...

    x = tf.placeholder(tf.float32, [])
    with make([Old()]) as session:
        assert not session.should_stop()
        with pytest.raises(tf.errors.InvalidArgumentError):
            session.run(x)


# -- stopping and the end --------------------------------------------------------------------------------------------


def test_a_hook_can_want_to_stop_between_the_runs(make: Callable[..., Any]) -> None:
    class Wanting(Noting):
        wants = False

        def wants_stop(self) -> bool:
            return self.wants

    hook = Wanting()
    tf.constant(1.0)
    with make([hook]) as session:
        assert not session.should_stop()
        hook.wants = True
        assert session.should_stop()
    assert hook.calls[-2:] == ["end", "after_close"]


def test_what_after_close_raises_comes_out_of_a_clean_end_only(
    make: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    tf.constant(1.0)
    first, last = Noting("after_close", SystemExit(3)), Noting()
    with pytest.raises(SystemExit) as caught, make([first, last]):
        pass
    assert caught.value.code == 3
    assert last.closed == [None]
    with pytest.raises(KeyError), make([Noting("after_close", SystemExit(3))]):
        raise KeyError("the cause")
    assert "after_close failed: SystemExit(3)" in caplog.text


def test_the_session_is_closed_and_the_graph_open_when_after_close_is_called() -> None:
    tf.constant(1.0)
    graph = tf.get_default_graph()
    found = []

    class Looking(tf.train.SessionRunHook):
        def after_close(self, error: BaseException | None) -> None:
            found.append((session.raw_session(), graph.finalized))

    with tf.train.SingularMonitoredSession([Looking()]) as session:
        pass
    assert found == [(None, False)]


class Clock:
    """A clock that stands still until it is told otherwise."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_loop_ends_when_its_time_is_over(make: Callable[..., Any]) -> None:
    clock = Clock()
    hook = tf.train.StopAfterDurationHook(60, clock=clock)
    x = tf.constant(1.0)
    with make([hook]) as session:
        for seconds in (1, 30, 59.9):
            clock.now = seconds
            session.run(x)
            assert not session.should_stop()
        clock.now = 60
        assert not session.should_stop()  # only after a run
        session.run(x)
        assert session.should_stop()
        assert hook.stopped


def test_the_time_counts_from_the_beginning_of_each_session_and_recovering_does_not_reset_it() -> None:
    clock = Clock()
    hook = tf.train.StopAfterDurationHook(60, clock=clock)
    x = tf.constant(1.0)

    class Losing(tf.train.SessionRunHook):
        lost = False

        def before_run(self, run_context: Any) -> None:
            if not self.lost:
                Losing.lost = True
                clock.now = 61
                raise tf.errors.AbortedError(None, None, "lost")

    with tf.train.MonitoredSession(hooks=[hook, Losing()]) as session:
        session.run(x)
        assert session.should_stop()
    with tf.train.MonitoredSession(hooks=[hook]) as session:
        session.run(x)
        assert not session.should_stop()
        assert not hook.stopped


@pytest.mark.parametrize("wrong", [-1, float("nan")])
def test_a_time_must_be_one(wrong: float) -> None:
    with pytest.raises(ValueError, match="max_duration"):
        tf.train.StopAfterDurationHook(wrong)
