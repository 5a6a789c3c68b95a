"""Disks that are full, read-only or broken: the run goes on or ends as its hook was told, and nothing is lost."""

from __future__ import annotations

import contextlib
import logging
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import monitored as tf
from monitored._checkpoint import open_checkpoint

SIZE = 100_000  # elements of the variable: a checkpoint has 400 kB


@pytest.fixture(autouse=True)
def fresh_graph() -> Iterator[None]:
    with tf.Graph().as_default():
        yield


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    directory = tmp_path / "disk"
    directory.mkdir()
    try:
        mount("-t", "tmpfs", "-o", "size=2m", "tmpfs", str(directory))
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no file system can be mounted here: {error}")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=True)


def counting() -> tuple[Any, Any]:
    """A step that adds one to the global step and to each element of a variable."""
    step = tf.train.get_or_create_global_step()
    large = tf.get_variable("large", [SIZE], initializer=tf.zeros_initializer())
    with tf.control_dependencies([tf.assign_add(large, tf.ones([SIZE]))]):
        return tf.assign_add(step, 1), large


def checkpoints(directory: Path) -> list[int]:
    """The steps of the checkpoints that the `checkpoint` file names, each of which is whole."""
    state = tf.train.get_checkpoint_state(str(directory))
    assert state is not None
    steps = []
    for prefix in state.all_model_checkpoint_paths:
        assert open_checkpoint(prefix).verify() == []
        steps.append(int(prefix.rpartition("-")[2]))
        np.testing.assert_array_equal(tf.train.load_variable(prefix, "large"), np.full(SIZE, steps[-1], np.float32))
    return steps


@contextlib.contextmanager
def session_on(directory: Path, on_failure: Any, asynchronous: bool) -> Iterator[tuple[Any, Any]]:
    train, _ = counting()
    hook = tf.train.CheckpointSaverHook(
        str(directory),
        save_steps=2,
        on_failure=on_failure,
        asynchronous=asynchronous,
        saver=tf.train.Saver(max_to_keep=2),
    )
    with tf.train.SingularMonitoredSession([hook], checkpoint_dir=str(directory)) as session:
        session.save()
        yield session, train


@pytest.mark.parametrize("asynchronous", [True, False])
def test_a_full_disk_that_is_logged_costs_checkpoints_but_not_the_run(
    small_disk: Path, caplog: pytest.LogCaptureFixture, asynchronous: bool
) -> None:
    ballast = small_disk / "ballast"
    with caplog.at_level(logging.ERROR, "monitored"), session_on(small_disk, "log", asynchronous) as (session, train):
        fill(ballast)
        for _ in range(6):
            session.run(train)
        assert checkpoints(small_disk) == [0]
        ballast.unlink()
        for _ in range(4):
            session.run(train)
    assert "No space left on device" in caplog.text
    assert checkpoints(small_disk)[-1] == 10
    assert not list(small_disk.glob("*tempstate*"))


def fill(ballast: Path) -> None:
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)


@pytest.mark.parametrize("asynchronous", [True, False])
def test_a_full_disk_that_is_raised_ends_the_run_with_the_checkpoint_before(
    small_disk: Path, asynchronous: bool
) -> None:
    def train_on_a_full_disk() -> None:
        with session_on(small_disk, "raise", asynchronous) as (session, train):
            fill(small_disk / "ballast")
            while True:
                session.run(train)

    with pytest.raises(tf.errors.ResourceExhaustedError, match="No space left on device"):
        train_on_a_full_disk()
    assert checkpoints(small_disk) == [0]
    assert not list(small_disk.glob("*tempstate*"))


@pytest.mark.parametrize("asynchronous", [True, False])
def test_a_directory_that_becomes_read_only_costs_checkpoints_but_not_the_run(
    small_disk: Path, caplog: pytest.LogCaptureFixture, asynchronous: bool
) -> None:
    with caplog.at_level(logging.ERROR, "monitored"), session_on(small_disk, "log", asynchronous) as (session, train):
        read_only(small_disk, True)
        for _ in range(6):
            session.run(train)
        assert checkpoints(small_disk) == [0]
        read_only(small_disk, False)
        for _ in range(4):
            session.run(train)
    assert "not writable" in caplog.text
    assert checkpoints(small_disk)[-1] == 10


def read_only(directory: Path, yes: bool) -> None:
    """Lays a read-only view of a directory over it, or takes that away; files that are open stay writable."""
    if yes:
        mount("--bind", str(directory), str(directory))
        mount("-o", "remount,bind,ro", str(directory))
    else:
        subprocess.run(["umount", str(directory)], check=True)


@pytest.mark.faults
def test_a_disk_that_fills_up_and_empties_at_random_never_loses_a_checkpoint(small_disk: Path) -> None:
    chooser = np.random.RandomState(0)
    ballast = small_disk / "ballast"
    with session_on(small_disk, "log", True) as (session, train):
        for _ in range(300):
            if chooser.rand() < 0.3:
                ballast.unlink(missing_ok=True)
                if chooser.rand() < 0.6:
                    with contextlib.suppress(OSError):
                        ballast.write_bytes(bytes(chooser.randint(2_000_000)))
            session.run(train)
            newest = tf.train.latest_checkpoint(str(small_disk))
            assert newest is not None
            assert open_checkpoint(newest).verify() == []
        ballast.unlink(missing_ok=True)
    assert checkpoints(small_disk)[-1] == 300
