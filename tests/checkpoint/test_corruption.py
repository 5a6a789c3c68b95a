"""However a directory of checkpoints is damaged: the right values or a clear error, and no memory for absurd sizes.

Sampled; `tests/faults/test_corruption.py` goes through every byte.
"""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import monitored as tf
from checkpoint.corruption import CLEAR, Directory

NAMES = ["../../etc/passwd", "/", "..", "*", "[", "\0", "m-2\0", "m-1.index", "/dev/zero", "/proc"]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: Any) -> Directory:
    return Directory(tmp_path_factory.mktemp("checkpoints"))


@st.composite
def damages(draw: Any, content: bytes, others: list[bytes]) -> bytes:
    """The content of a file with something done to it."""
    position = draw(st.integers(0, max(0, len(content) - 1)))
    kind = draw(st.sampled_from(["flip", "cut", "replace", "insert", "remove", "zeros", "other file"]))
    some = draw(st.binary(min_size=1, max_size=40))
    if kind == "flip":
        flipped = bytearray(content)
        flipped[position] ^= 1 << draw(st.integers(0, 7))
        return bytes(flipped)
    if kind == "other file":
        return draw(st.sampled_from(others))
    middle = {"cut": b"", "replace": some, "insert": some, "remove": b"", "zeros": bytes(len(some))}[kind]
    length = {"cut": len(content), "insert": 0}.get(kind, len(some))
    return content[:position] + middle + content[position + length :]


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_damage_anywhere_gives_right_values_or_a_clear_error(directory: Directory, data: Any) -> None:
    name = data.draw(st.sampled_from(directory.files))
    damaged = data.draw(damages(directory.content[name], list(directory.content.values())))
    with directory.damaged(name, damaged):
        directory.check(name)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=30) | st.sampled_from(NAMES))
def test_whatever_the_state_file_names_is_no_accident(directory: Directory, name: str) -> None:
    text = "".join(f"\\{byte:03o}" for byte in name.encode("utf-8", "surrogatepass"))
    lines = f'model_checkpoint_path: "{text}"\nall_model_checkpoint_paths: "{text}"\n'
    with directory.damaged("checkpoint", lines.encode()):
        try:
            newest = tf.train.latest_checkpoint(directory.path)
            state = tf.train.get_checkpoint_state(directory.path)
        except ValueError:  # it names none
            return
        if newest is not None and newest not in directory.checkpoints:
            with pytest.raises((*CLEAR, ValueError)):
                tf.train.list_variables(newest)
        saver = tf.train.Saver(allow_empty=True)
        saver.recover_last_checkpoints(state.all_model_checkpoint_paths if state else [])


def test_a_restore_from_a_damaged_checkpoint_changes_no_variable(directory: Directory) -> None:
    chooser = np.random.default_rng(0)
    with tf.Graph().as_default(), tf.Session() as sess:
        w = tf.get_variable("w", [2, 3], initializer=tf.zeros_initializer())
        part = tf.get_variable("part", [3], tf.int64, initializer=tf.zeros_initializer())
        saver = tf.train.Saver()
        init = tf.global_variables_initializer()
        sess.run(init)
        for name in [name for name in directory.files if name.startswith("m-2")]:
            content = directory.content[name]
            for position in chooser.choice(len(content), min(len(content), 30), replace=False):
                flipped = bytearray(content)
                flipped[position] ^= 1 << int(chooser.integers(8))
                with directory.damaged(name, bytes(flipped)):
                    try:
                        saver.restore(sess, str(directory.path / "m-2"))
                    except CLEAR:
                        values = sess.run([w, part])
                        assert not any(value.any() for value in values)
                    else:  # what was hit belongs to another tensor
                        assert sess.run(w).tolist() == [[0, 2, 4], [6, 8, 10]]
                        assert sess.run(part).tolist() == [2, 2, -2]
                        sess.run(init)
