"""`WatchdogHook`: what it learns, and what it does when something takes too long. The time goes on by hand."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest

import monitored as tf


class Clock:
    """A clock that goes on by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Slow(tf.train.SessionRunHook):
    """A hook whose methods take as long as they are told to; the watchdog looks before they are over."""

    def __init__(self, watched: Watched) -> None:
        self.watched = watched
        self.secs: dict[str, float] = {}

    def take(self, method: str) -> None:
        self.watched.take(self.secs.get(method, 0.0))

    def before_run(self, run_context: Any) -> None:
        self.take("before_run")

    def after_run(self, run_context: Any, run_values: Any) -> None:
        self.take("after_run")

    def end(self, session: Any) -> None:
        self.take("end")


class Watched:
    """A session with a watchdog, whose runs and hooks take as long as they are told to."""

    def __init__(self, file: IO[str], **kwargs: Any) -> None:
        self.clock = Clock()
        self.file = file
        self.stopped: list[int] = []
        self.hook = tf.train.WatchdogHook(
            file=file, clock=self.clock, poll_secs=3600, stop=self.stopped.append, **kwargs
        )
        self.slow = Slow(self)
        self.secs = 0.0  # of a run

        def work() -> np.float32:
            self.take(self.secs)
            return np.float32(1)

        self.step = tf.group(tf.py_func(work, [], tf.float32), tf.assign_add(tf.train.get_or_create_global_step(), 1))
        self.session = tf.train.SingularMonitoredSession([self.hook, self.slow])

    def take(self, secs: float) -> None:
        self.clock.now += secs
        if secs:
            self.hook.check()

    def run(self, times: int = 1, secs: float = 0.0) -> None:
        self.secs = secs
        for _ in range(times):
            self.session.run(self.step)

    def text(self) -> str:
        return Path(self.file.name).read_text()


@pytest.fixture
def file(tmp_path: Path) -> Iterator[IO[str]]:
    """Where the stacks go."""
    with (tmp_path / "stacks").open("w") as file:
        yield file


def test_a_run_that_takes_far_longer_than_usual_dumps_every_threads_stack(
    file: IO[str], caplog: pytest.LogCaptureFixture
) -> None:
    watched = Watched(file, factor=10, minimum_secs=60)
    other = threading.Event()
    thread = threading.Thread(target=lambda: other.wait(60))
    thread.start()
    with watched.session:
        watched.run(5, secs=7)
        watched.run(secs=69)  # less than ten times what is usual
        assert watched.hook.alarms == []
        watched.run(9, secs=7)
        watched.run(secs=1000)
        assert watched.hook.alarms == ["run"]
        watched.run(secs=7)
    other.set()
    thread.join()
    text = watched.text()
    assert text.startswith("Watchdog: run has taken 1e+03 s, where 69 s is usual. What every thread is doing:\n")
    assert "in work" in text
    assert "in wait" in text  # the other thread
    assert text.count("Thread 0x") + text.count("Current thread 0x") >= 2
    assert "Watchdog: run has taken" in caplog.text
    assert watched.stopped == []


def test_it_stops_the_process_with_its_own_code_if_told_to(file: IO[str]) -> None:
    watched = Watched(file, limit_secs=100, exit_code=86)
    with watched.session:
        watched.run(secs=99)
        assert watched.stopped == []
        watched.run(secs=101)  # no need to know what is usual
    assert watched.stopped == [86]


@pytest.mark.parametrize("method", ["before_run", "after_run"])
def test_it_names_the_hook_that_takes_too_long(method: str, file: IO[str]) -> None:
    watched = Watched(file, minimum_secs=5)
    watched.slow.secs = {"before_run": 0.1, "after_run": 0.1}
    with watched.session:
        watched.run(5, secs=100)  # which says nothing about the hook
        assert watched.hook.alarms == []
        watched.slow.secs[method] = 6
        watched.run(secs=100)
    assert watched.hook.alarms == [f"Slow.{method}"]


def test_the_end_of_the_session_and_a_save_are_watched(file: IO[str], tmp_path: Path) -> None:
    watched = Watched(file, limit_secs=50)
    watched.slow.secs = {"end": 51}
    with watched.session:
        watched.run()
    assert watched.hook.alarms == ["Slow.end"]

    class SlowListener(tf.train.CheckpointSaverListener):
        def before_save(self, session: Any, global_step_value: int) -> None:
            clock.now += 60
            hook.check()

    clock = Clock()
    hook = tf.train.WatchdogHook(limit_secs=50, file=file, clock=clock, poll_secs=3600)
    saver_hook = tf.train.CheckpointSaverHook(tmp_path / "ck", save_steps=10, listeners=[SlowListener()])
    with tf.train.SingularMonitoredSession([hook, saver_hook]):
        assert hook.alarms == ["CheckpointSaverHook.after_create_session"]


def test_an_input_step_between_two_runs_is_watched_unless_it_is_paused(file: IO[str]) -> None:
    watched = Watched(file, minimum_secs=5)
    with watched.session:
        for _ in range(5):
            watched.run()
            watched.take(0.1)  # reads its input
        watched.run()
        with watched.hook.paused():
            watched.take(1000)
        assert watched.hook.alarms == []
        watched.take(6)
    assert watched.hook.alarms == ["the program between two runs"]


def test_what_has_happened_twice_only_is_not_known_well_enough(file: IO[str]) -> None:
    watched = Watched(file, minimum_secs=5)
    with watched.session:
        watched.run(secs=1000)
        watched.run(secs=1000)
    assert watched.hook.alarms == []


def test_after_an_error_nothing_is_watched(file: IO[str]) -> None:
    watched = Watched(file, minimum_secs=5)
    with contextlib.suppress(KeyError), watched.session:
        watched.run(5, secs=0.1)
        raise KeyError
    watched.take(1000)
    assert watched.hook.alarms == []
    assert not [thread for thread in threading.enumerate() if thread.name == "WatchdogHook"]


def test_its_thread_looks_by_itself(file: IO[str]) -> None:
    clock, alarmed = Clock(), threading.Event()
    hook = tf.train.WatchdogHook(
        limit_secs=900, exit_code=86, file=file, poll_secs=0.01, clock=clock, stop=lambda code: alarmed.set()
    )

    def hang() -> np.float32:
        clock.now = 1000.0
        return np.float32(alarmed.wait(60))

    hanging = tf.py_func(hang, [], tf.float32)
    with tf.train.SingularMonitoredSession([hook]) as session:
        assert session.run(hanging) == 1
    assert hook.alarms == ["run"]
    assert "run has taken 1e+03 s" in Path(file.name).read_text()


def test_a_standard_error_without_a_descriptor_is_no_obstacle(monkeypatch: pytest.MonkeyPatch, file: IO[str]) -> None:
    watched = Watched(file, limit_secs=5)
    watched.hook._file = None
    monkeypatch.setattr("sys.stderr", io.StringIO())
    monkeypatch.setattr("sys.__stderr__", None)
    with watched.session:
        watched.run(secs=6)
    assert watched.hook.alarms == ["run"]


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"factor": 0.5}, "factor must be one at least, not 0.5"),
        ({"minimum_secs": 0}, "minimum_secs must be a positive number of seconds, not 0"),
        ({"limit_secs": float("nan")}, "limit_secs must be a positive"),
        ({"poll_secs": -1}, "poll_secs must be a positive"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tf.train.WatchdogHook(**kwargs)


def test_a_process_that_hangs_ends_with_the_code_and_every_stack(tmp_path: Path) -> None:
    program = """
import threading
import numpy as np
import monitored as tf

now = 0.0

def hang():
    global now
    now = 1000.0
    threading.Event().wait()

hanging = tf.py_func(lambda: np.float32(hang()), [], tf.float32)
hook = tf.train.WatchdogHook(limit_secs=900, poll_secs=0.01, exit_code=86, clock=lambda: now)
with tf.train.SingularMonitoredSession([hook]) as session:
    session.run(hanging)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 86, done.stderr
    assert "Watchdog: " in done.stderr
    assert "line 11 in hang" in done.stderr
