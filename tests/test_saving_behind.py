"""`CheckpointSaverHook` saves behind the steps; what goes wrong there is told, and nothing is lost."""

from __future__ import annotations

import errno
import logging
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import monitored as tf

WAIT = 30.0  # seconds after which something that should happen has not


class Disk:
    """A disk that waits when it is told to flush, until it is let go; and that may fail then."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._go = threading.Event()
        self.reached = threading.Event()
        self.error: OSError | None = None
        real = os.fsync

        def fsync(descriptor: int) -> None:
            self.reached.set()
            assert self._go.wait(WAIT)
            if self.error is not None:
                raise self.error
            real(descriptor)

        self._go.set()
        patch.setattr(os, "fsync", fsync)

    def hold(self) -> None:
        """Has every flush wait from now on."""
        self.reached.clear()
        self._go.clear()

    def release(self) -> None:
        """Lets flushes go on."""
        self._go.set()


@pytest.fixture(autouse=True)
def fresh_graph() -> Iterator[None]:
    with tf.Graph().as_default():
        yield


@pytest.fixture
def disk() -> Iterator[Disk]:
    with pytest.MonkeyPatch.context() as patch:
        found = Disk(patch)
        yield found
        found.release()


def counting() -> tuple[Any, Any]:
    """A step that adds one to the global step and 1000 to a large variable."""
    step = tf.train.get_or_create_global_step()
    large = tf.get_variable("large", [1000], initializer=tf.zeros_initializer())
    with tf.control_dependencies([tf.assign_add(large, tf.fill([1000], 1000.0))]):
        return tf.assign_add(step, 1), large


def saved_values(path: Path, step: int) -> np.ndarray[Any, Any]:
    values = tf.train.load_variable(str(path / f"model.ckpt-{step}"), "large")
    assert tf.train.load_variable(str(path / f"model.ckpt-{step}"), "global_step") == step
    return np.asarray(values)


class Saver(tf.train.Saver):
    """A saver whose saves behind the steps can be waited for."""

    behind: Future[str | None]

    def save_async(self, *args: Any, **options: Any) -> Future[str | None]:
        self.behind = super().save_async(*args, **options)
        return self.behind

    def wait(self) -> None:
        """Waits until the last of them has ended, well or not."""
        assert wait([self.behind], WAIT).done


@contextmanager
def saving_every(save_steps: int, path: Path, **options: Any) -> Iterator[tuple[Any, Any, Saver]]:
    """A session that saves every so many steps, when step 0 is on the disk; with a step's operation and the saver."""
    train, _ = counting()
    saver = Saver()
    hook = tf.train.CheckpointSaverHook(str(path), save_steps=save_steps, saver=saver, **options)
    with tf.train.SingularMonitoredSession([hook]) as session:
        session.save()
        yield session, train, saver


def saving_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("save ")]


def test_steps_go_on_while_a_checkpoint_of_an_earlier_step_is_written(tmp_path: Path, disk: Disk) -> None:
    with saving_every(5, tmp_path) as (session, train, _):
        disk.hold()
        for _ in range(9):
            session.run(train)
        assert disk.reached.wait(WAIT)
        assert tf.train.latest_checkpoint(str(tmp_path)) == str(tmp_path / "model.ckpt-0")
        disk.release()
    assert tf.train.latest_checkpoint(str(tmp_path)) == str(tmp_path / "model.ckpt-9")
    np.testing.assert_array_equal(saved_values(tmp_path, 5), np.full(1000, 5000.0))
    np.testing.assert_array_equal(saved_values(tmp_path, 9), np.full(1000, 9000.0))


def test_one_save_at_a_time_goes_on(tmp_path: Path, disk: Disk) -> None:
    with saving_every(2, tmp_path) as (session, train, _):
        disk.hold()
        session.run(train)
        session.run(train)
        assert disk.reached.wait(WAIT)
        assert len(saving_threads()) == 1
        session.run(train)
        waiting = threading.Thread(target=disk.release)
        waiting.start()
        session.run(train)  # has to wait for the save of step 2
        waiting.join()
        assert (tmp_path / "model.ckpt-2.index").exists()
    np.testing.assert_array_equal(saved_values(tmp_path, 4), np.full(1000, 4000.0))


def test_what_goes_wrong_in_a_save_comes_out_of_the_next_run_and_the_checkpoint_before_is_good(
    tmp_path: Path, disk: Disk
) -> None:
    taken = 0

    def fill_the_disk() -> None:
        nonlocal taken
        with saving_every(3, tmp_path) as (session, train, _):
            disk.error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            for _ in range(1000):
                session.run(train)
                taken += 1

    with pytest.raises(tf.errors.ResourceExhaustedError, match=r"model\.ckpt-3.*No space left on device"):
        fill_the_disk()
    assert 3 <= taken < 1000
    assert sorted(path.name for path in tmp_path.glob("model.ckpt*")) == [
        "model.ckpt-0.data-00000-of-00001", "model.ckpt-0.index", "model.ckpt-0.meta",
    ]  # fmt: skip
    disk.error = None
    with tf.train.SingularMonitoredSession(checkpoint_dir=str(tmp_path)) as session:
        assert session.run("large:0")[0] == 0


def test_told_to_log_failures_the_run_goes_on_and_saves_when_the_disk_has_room_again(
    tmp_path: Path, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        caplog.at_level(logging.ERROR, "monitored"),
        saving_every(3, tmp_path, on_failure="log") as (session, train, saver),
    ):
        disk.error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        for _ in range(2):
            disk.hold()
            for _ in range(3):
                session.run(train)
            assert disk.reached.wait(WAIT)
            disk.release()
            saver.wait()
        disk.error = None
        for _ in range(6):
            session.run(train)
    assert any(
        "could not be saved" in record.message and "No space left" in record.message for record in caplog.records
    )
    assert sorted(path.name for path in tmp_path.glob("*.index")) == [
        "model.ckpt-0.index", "model.ckpt-12.index", "model.ckpt-9.index",
    ]  # fmt: skip
    np.testing.assert_array_equal(saved_values(tmp_path, 12), np.full(1000, 12000.0))


def test_a_save_that_failed_at_the_last_step_is_made_again_at_the_end(tmp_path: Path, disk: Disk) -> None:
    with saving_every(3, tmp_path) as (session, train, saver):
        disk.hold()
        disk.error = OSError(errno.EIO, os.strerror(errno.EIO))
        for _ in range(3):
            session.run(train)
        assert disk.reached.wait(WAIT)
        disk.release()
        saver.wait()
        disk.error = None
    np.testing.assert_array_equal(saved_values(tmp_path, 3), np.full(1000, 3000.0))


def test_a_session_that_fails_waits_for_the_save_and_its_own_error_comes_out(
    tmp_path: Path, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    def fail_during_a_save() -> None:
        with saving_every(2, tmp_path) as (session, train, _):
            disk.hold()
            session.run(train)
            session.run(train)
            assert disk.reached.wait(WAIT)
            threading.Timer(0.05, disk.release).start()
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        fail_during_a_save()
    np.testing.assert_array_equal(saved_values(tmp_path, 2), np.full(1000, 2000.0))


class Listener(tf.train.CheckpointSaverListener):
    """Notes what it finds on the disk when it is told of a save."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.found: list[bool] = []

    def after_save(self, session: Any, global_step_value: int) -> bool:
        self.found.append((self.path / f"model.ckpt-{global_step_value}.index").exists())
        return global_step_value >= 4


def test_a_listener_finds_the_checkpoint_on_the_disk_and_can_stop_the_training(tmp_path: Path) -> None:
    train, _ = counting()
    listener = Listener(tmp_path)
    hook = tf.train.CheckpointSaverHook(str(tmp_path), save_steps=2, listeners=[listener])
    taken = 0
    with tf.train.SingularMonitoredSession([hook]) as session:
        while not session.should_stop():
            session.run(train)
            taken += 1
    assert (taken, listener.found) == (4, [True] * 3)


class AddsAfterEachStep(tf.train.SessionRunHook):
    """Changes a variable when a step is done, as some hooks do."""

    def __init__(self, op: Any) -> None:
        self.op = op

    def after_run(self, run_context: Any, run_values: Any) -> None:
        run_context.session.run(self.op)


def test_a_checkpoint_is_of_the_step_as_all_hooks_left_it(tmp_path: Path) -> None:
    train, large = counting()
    later = AddsAfterEachStep(tf.assign_add(large, tf.ones([1000])))
    with tf.train.SingularMonitoredSession(
        [tf.train.CheckpointSaverHook(str(tmp_path), save_steps=2), later]
    ) as session:
        for _ in range(2):
            session.run(train)
    np.testing.assert_array_equal(saved_values(tmp_path, 2), np.full(1000, 2002.0))


def test_save_async_gives_a_future_and_a_later_save_waits_for_it(tmp_path: Path, disk: Disk) -> None:
    train, _ = counting()
    saver = tf.train.Saver()
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        disk.hold()
        future = saver.save_async(session, str(tmp_path / "model.ckpt"), global_step=0)
        session.run(train)
        assert not future.done()
        disk.release()
        assert saver.save(session, str(tmp_path / "model.ckpt"), global_step=1) == str(tmp_path / "model.ckpt-1")
        assert future.done()
        assert future.result() == str(tmp_path / "model.ckpt-0")
    assert saver.last_checkpoints == [str(tmp_path / "model.ckpt-0"), str(tmp_path / "model.ckpt-1")]
    np.testing.assert_array_equal(saved_values(tmp_path, 0), np.zeros(1000))


def test_save_async_tells_mistakes_at_once(tmp_path: Path) -> None:
    counting()
    saver = tf.train.Saver()
    with tf.Session() as session:
        with pytest.raises(tf.errors.FailedPreconditionError, match="uninitialized value"):
            saver.save_async(session, str(tmp_path / "model.ckpt"))
        with pytest.raises(TypeError, match="sess"):
            saver.save_async("session", str(tmp_path / "model.ckpt"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("word", ["ignore", "", None])
def test_a_wrong_word_for_on_failure_is_refused(tmp_path: Path, word: Any) -> None:
    with pytest.raises(ValueError, match="on_failure must be 'raise' or 'log'"):
        tf.train.CheckpointSaverHook(str(tmp_path), save_steps=1, on_failure=word)


def test_a_monitored_session_that_is_lost_waits_for_the_save_before_it_restores(tmp_path: Path, disk: Disk) -> None:
    train, _ = counting()
    losing: list[Callable[[], None]] = []

    class Losing(tf.train.SessionRunHook):
        def before_run(self, run_context: Any) -> None:
            if losing:
                losing.pop()()

    def lose() -> None:
        threading.Timer(0.05, disk.release).start()
        raise tf.errors.AbortedError(None, None, "preempted")

    hooks = [tf.train.CheckpointSaverHook(str(tmp_path), save_steps=2), Losing()]
    creator = tf.train.ChiefSessionCreator(checkpoint_dir=str(tmp_path))
    with tf.train.MonitoredSession(creator, hooks) as session:
        session.save()
        session.run(train)
        disk.hold()
        session.run(train)
        assert disk.reached.wait(WAIT)
        losing.append(lose)
        assert session.run(train) == 3
