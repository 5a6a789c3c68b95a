"""One process at a time saves in a directory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import monitored as tf

TRAINS = """
import sys, time
import monitored as tf

train = tf.assign_add(tf.train.get_or_create_global_step(), 1)
hook = tf.train.CheckpointSaverHook(sys.argv[1], save_steps=1000000)
with tf.train.SingularMonitoredSession([hook], checkpoint_dir=sys.argv[1]) as session:
    session.save()
    print("step", session.run(train), flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def fresh_graph() -> Iterator[None]:
    with tf.Graph().as_default():
        yield


def other_process(directory: Path) -> subprocess.Popen[str]:
    """A process that has taken a step of a training in a directory, and stays."""
    process = subprocess.Popen(
        [sys.executable, "-c", TRAINS, str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "step 1\n"
    return process


def close(process: subprocess.Popen[str]) -> None:
    for stream in (process.stdin, process.stdout):
        assert stream is not None
        stream.close()
    process.wait()


def train_here(directory: Path) -> int:
    train = tf.assign_add(tf.train.get_or_create_global_step(), 1)
    hook = tf.train.CheckpointSaverHook(str(directory), save_steps=10)
    with tf.train.SingularMonitoredSession([hook], checkpoint_dir=str(directory)) as session:
        return int(session.run(train))


def test_a_second_process_is_refused_with_the_first_ones_name_and_changes_nothing(tmp_path: Path) -> None:
    first = other_process(tmp_path)
    try:
        before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        with pytest.raises(tf.errors.FailedPreconditionError) as refused:
            train_here(tmp_path)
        assert str(tmp_path) in refused.value.message
        assert f"process {first.pid} on {os.uname().nodename}" in refused.value.message
        after = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        assert after == before
        # Looking at it is no saving.
        with tf.Graph().as_default():
            step = tf.train.get_or_create_global_step()
            with tf.train.SingularMonitoredSession(checkpoint_dir=str(tmp_path)) as session:
                assert session.run(step) == 0
    finally:
        close(first)


def test_what_a_killed_process_left_is_taken_over(tmp_path: Path) -> None:
    first = other_process(tmp_path)
    first.send_signal(signal.SIGKILL)
    close(first)
    assert (tmp_path / "checkpoint.lock").exists()
    unfinished = tmp_path / "model.ckpt-7.data-00000-of-00001.tempstate0123456789abcdef0123456789abcdef"
    unfinished.write_bytes(b"half a checkpoint")
    assert train_here(tmp_path) == 1
    assert not unfinished.exists()
    assert not (tmp_path / "checkpoint.lock").exists()


def test_a_process_whose_training_has_ended_is_in_nobodys_way(tmp_path: Path) -> None:
    assert train_here(tmp_path) == 1
    first = other_process(tmp_path / "elsewhere")
    close(first)
    assert first.returncode == 0
    with tf.Graph().as_default():
        assert train_here(tmp_path / "elsewhere") == 2


def test_a_training_that_fails_at_its_beginning_is_in_nobodys_way(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="Global step should be created"):
        tf.train.SingularMonitoredSession([tf.train.CheckpointSaverHook(str(tmp_path), save_steps=1)])
    close(other_process(tmp_path))


def test_the_sessions_of_one_process_share_a_directory(tmp_path: Path) -> None:
    train = tf.assign_add(tf.train.get_or_create_global_step(), 1)
    hooks = [tf.train.CheckpointSaverHook(str(tmp_path), save_steps=n, checkpoint_basename=f"m{n}") for n in (1, 2)]
    with tf.train.SingularMonitoredSession(hooks) as session:
        session.run(train)
        with tf.Graph().as_default():
            train_here(tmp_path)
        assert (tmp_path / "checkpoint.lock").exists()
    assert not (tmp_path / "checkpoint.lock").exists()


def test_a_supervisor_that_saves_is_refused_as_well_and_keeps_others_away_until_it_stops(tmp_path: Path) -> None:
    train = tf.assign_add(tf.train.get_or_create_global_step(), 1)
    first = other_process(tmp_path)
    try:
        with (
            pytest.raises(tf.errors.FailedPreconditionError, match=f"process {first.pid} on "),
            tf.train.Supervisor(logdir=str(tmp_path), summary_writer=None).managed_session(),
        ):
            pytest.fail("It has a session.")
        # One that only looks at the model is not.
        looking = tf.train.Supervisor(logdir=str(tmp_path), summary_writer=None, save_model_secs=0)
        with looking.managed_session() as session:
            assert session.run(looking.global_step) == 0
    finally:
        close(first)
    with tf.train.Supervisor(logdir=str(tmp_path), summary_writer=None).managed_session() as session:
        assert session.run(train) == 2
        assert (tmp_path / "checkpoint.lock").exists()
    assert not (tmp_path / "checkpoint.lock").exists()


def test_a_directory_whose_file_system_has_no_locks_is_used_without_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno
    import fcntl

    def lockf(*args: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "lockf", lockf)
    assert train_here(tmp_path) == 1
