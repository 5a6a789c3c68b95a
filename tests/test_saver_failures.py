"""`Saver`: a restore that fails changes nothing, and a save that fails leaves the checkpoints before it."""

import errno
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import monitored as tf
from saved_model import all_equal, files_of, model, ones


@pytest.fixture(autouse=True)
def _graph():
    with tf.Graph().as_default():
        yield


# -- a failed restore changes nothing -----------------------------------------------------------------------------


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) - 3] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("damage", [cut, flip, Path.unlink])
@pytest.mark.parametrize("ending", ["data-00000-of-00001", "index"])
def test_a_damaged_checkpoint_changes_no_variable(damage: Callable[[Path], None], ending: str, tmp_path: Path):
    model()
    tf.random_uniform([2], name="noise")
    saver = tf.train.Saver()
    with tf.Session() as sess:
        ones(sess, 2.0)
        sess.run("noise:0")
        path = saver.save(sess, tmp_path / "m")
        damage(tmp_path / f"m.{ending}")
        ones(sess, 3.0)
        before = sess.run("noise:0"), saver.save(sess, tmp_path / "before"), sess.run("noise:0")
        if damage is Path.unlink and ending == "index":
            with pytest.raises(ValueError, match="not a valid checkpoint"):
                saver.restore(sess, path)
        else:
            with pytest.raises(tf.errors.DataLossError, match=str(tmp_path / "m")):
                saver.restore(sess, path)
        assert all_equal(sess, 3.0)
        after = sess.run("noise:0")
        saver.restore(sess, before[1])
        assert np.array_equal(sess.run("noise:0"), before[2])
        assert np.array_equal(sess.run("noise:0"), after)


def test_every_variable_that_does_not_fit_is_named_and_none_changes(tmp_path: Path):
    model()
    with tf.Session() as sess:
        ones(sess)
        path = tf.train.Saver().save(sess, tmp_path / "m")
    with tf.Graph().as_default(), tf.Session() as sess:
        tf.get_variable("a", [4])
        tf.get_variable("b", [3, 3])
        tf.get_variable("c", [], tf.int32)
        ones(sess, 5.0)
        with pytest.raises(tf.errors.InvalidArgumentError) as caught:
            tf.train.Saver().restore(sess, path)
        assert "Variable b has shape [3, 3], in the checkpoint [2, 3]" in caught.value.message
        assert "c has dtype int32, in the checkpoint int64" in caught.value.message
        assert "Variable a" not in caught.value.message
        assert __file__ in str(caught.value)  # where b was created
        assert all_equal(sess, 5.0)
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"of shape \[3, 3\] cannot take the shape \[2, 3\]"):
            tf.train.Saver({"b": tf.global_variables()[1]}, reshape=True).restore(sess, path)
        assert all_equal(sess, 5.0)


def test_missing_keys_are_named_with_what_the_checkpoint_holds_and_what_to_do(tmp_path: Path):
    model()
    with tf.Session() as sess:
        ones(sess)
        path = tf.train.Saver().save(sess, tmp_path / "m")
    with tf.Graph().as_default(), tf.Session() as sess:
        for name in ("a", "x", "y"):
            tf.get_variable(name, [4])
        ones(sess, 5.0)
        with pytest.raises(tf.errors.NotFoundError) as caught:
            tf.train.Saver().restore(sess, path)
        for text in (
            "Key x not found in checkpoint",
            "matched       1  a\n",
            "missing       2  x, y\n",
            "unused        2  b, c\n",
            "tf.train.Saver(renamed={'x': ",
            "tf.train.Saver(strict=False)",
        ):
            assert text in caught.value.message
        assert all_equal(sess, 5.0)


def test_the_path_of_a_file_or_directory_is_no_checkpoint_and_the_message_says_which_is(tmp_path: Path):
    model()
    saver = tf.train.Saver()
    with tf.Session() as sess:
        ones(sess)
        path = saver.save(sess, tmp_path / "m", 1)
        for ending in ("index", "meta", "data-00000-of-00001"):
            with pytest.raises(ValueError, match="leave the ending out") as caught:
                saver.restore(sess, f"{path}.{ending}")
            assert f"saver.restore(sess, {path!r})" in str(caught.value)
        with pytest.raises(ValueError, match="latest_checkpoint"):
            saver.restore(sess, tmp_path)


def test_a_session_of_another_graph_or_one_that_is_closed_is_refused(tmp_path: Path):
    model()
    saver = tf.train.Saver()
    with tf.Session() as sess:
        ones(sess)
        path = saver.save(sess, tmp_path / "m")
    for call in (saver.save, saver.restore):
        with pytest.raises(RuntimeError, match="closed"):
            call(sess, path)
        with pytest.raises(ValueError, match="different graphs"):
            call(tf.Session(graph=tf.Graph()), path)


# -- a failed save leaves the checkpoints before it ---------------------------------------------------------------


@pytest.fixture
def saved(tmp_path: Path):
    """A saver that has saved all ones at step 1, its session, and the directory's files."""
    model()
    saver = tf.train.Saver(max_to_keep=1)
    with tf.Session() as sess:
        ones(sess)
        saver.save(sess, tmp_path / "m", 1)
        yield saver, sess, tmp_path


def good_as_before(saver: Any, sess: Any, directory: Path, files: dict[str, bytes]) -> bool:
    """Whether step 1 is published, listed and whole, nothing else has a name that counts, and a save works again."""
    assert tf.train.latest_checkpoint(directory) == str(directory / "m-1")
    assert saver.last_checkpoints == [str(directory / "m-1")]
    assert {name: files_of(directory).get(name) for name in files} == files
    assert not [name for name in files_of(directory) if "tempstate" in name]
    saver.restore(sess, str(directory / "m-1"))
    assert all_equal(sess, 1.0)
    saver.save(sess, directory / "m", 3)
    assert saver.last_checkpoints == [str(directory / "m-3")]
    assert not list(directory.glob("m-1.*"))
    return True


def failing(patch: Any, call: str, number: int, after: int, times: float = math.inf) -> None:
    """Makes a function of `os` fail when it has been called a number of times."""
    real, count = getattr(os, call), 0

    def fail(*args: Any) -> Any:
        nonlocal count
        count += 1
        if after < count <= after + times:
            raise OSError(number, os.strerror(number))
        return real(*args)

    patch.setattr(os, call, fail)


# Data, index, their directory; graph, its directory; state file. Moving in: data, index, graph, state file.
@pytest.mark.parametrize(("call", "after"), [("fsync", n) for n in range(6)] + [("replace", n) for n in range(4)])
def test_whichever_disk_operation_fails(call: str, after: int, saved: Any, monkeypatch: Any):
    saver, sess, directory = saved
    files = files_of(directory)
    ones(sess, 2.0)
    with monkeypatch.context() as patch:
        failing(patch, call, errno.ENOSPC, after)
        with pytest.raises(tf.errors.ResourceExhaustedError, match="No space left"):
            saver.save(sess, directory / "m", 2)
    assert good_as_before(saver, sess, directory, files)


def test_when_the_state_file_is_there_but_its_directory_cannot_be_flushed(saved: Any, monkeypatch: Any):
    saver, sess, directory = saved
    ones(sess, 2.0)
    with monkeypatch.context() as patch:
        failing(patch, "fsync", errno.EIO, 6)
        with pytest.raises(tf.errors.UnknownError):
            saver.save(sess, directory / "m", 2)
    # Either may be found after a loss of power, so both are there.
    for step in (1, 2):
        saver.restore(sess, str(directory / f"m-{step}"))
        assert all_equal(sess, step)


def test_a_directory_that_is_not_writable(saved: Any, monkeypatch: Any):
    saver, sess, directory = saved
    files = files_of(directory)
    ones(sess, 2.0)
    real = open

    def refusing(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:  # root may write anywhere
        if "w" in mode:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return real(file, mode, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr("builtins.open", refusing)
        with pytest.raises(tf.errors.PermissionDeniedError, match=f"{directory} is not writable"):
            saver.save(sess, directory / "m", 2)
    assert good_as_before(saver, sess, directory, files)


def test_a_directory_that_is_a_file(saved: Any):
    saver, sess, directory = saved
    files = files_of(directory)
    (directory / "file").write_text("mine")
    with pytest.raises(tf.errors.FailedPreconditionError, match=f"{directory}/file is a file, not a directory"):
        saver.save(sess, directory / "file" / "m", 2)
    assert (directory / "file").read_text() == "mine"
    assert good_as_before(saver, sess, directory, files)


def test_an_uninitialized_variable(saved: Any):
    saver, _, directory = saved
    files = files_of(directory)
    with tf.Session() as sess:
        with pytest.raises(tf.errors.FailedPreconditionError, match="uninitialized value a"):
            saver.save(sess, directory / "m", 2)
        assert good_as_before(saver, sess, directory, files)


# Two data files of other names and the index that makes them count are renamed before the old ones are touched.
@pytest.mark.parametrize("after", range(3))
def test_when_saving_again_under_a_name_fails_the_old_one_of_that_name_is_as_it_was(
    after: int, saved: Any, monkeypatch: Any
):
    saver, sess, directory = saved
    files = files_of(directory)
    ones(sess, 2.0)
    with monkeypatch.context() as patch:
        failing(patch, "replace", errno.EIO, after, times=1)
        with pytest.raises(tf.errors.UnknownError):
            saver.save(sess, directory / "m", 1)
    assert good_as_before(saver, sess, directory, files)


def test_an_old_checkpoint_that_cannot_be_removed_is_a_warning(saved: Any, monkeypatch: Any, caplog: Any):
    saver, sess, directory = saved

    def refusing(path: str) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    with monkeypatch.context() as patch:
        patch.setattr(os, "remove", refusing)
        saver.save(sess, directory / "m", 2)
    assert saver.last_checkpoints == [str(directory / "m-2")]
    assert "Could not remove the old checkpoint" in caplog.text
