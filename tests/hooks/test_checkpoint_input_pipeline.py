"""`CheckpointInputPipelineHook`: checkpoints hold where every registered iterator stands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import monitored as tf
from iterators import Getting


def _train(directory: Path, steps: int) -> list[tuple[int, int]]:
    """What the steps see of two iterators, of which the second goes on by two."""
    with tf.Graph().as_default():
        each, other = (tf.train.register_iterator(Getting(), name) for name in ("train", "other"))
        x = tf.placeholder(tf.int64, [2])
        step = tf.train.get_or_create_global_step()
        train_op = tf.assign_add(step, 1)
        hooks = [
            tf.train.CheckpointInputPipelineHook(None),
            tf.train.CheckpointSaverHook(directory, save_steps=100),
            tf.train.StopAtStepHook(num_steps=steps),
        ]
        seen = []
        with tf.train.SingularMonitoredSession(hooks, checkpoint_dir=str(directory)) as session:
            while not session.should_stop():
                rows = np.array([next(each), next(other) + next(other)])
                _, (a, b) = session.run([train_op, x], {x: rows})
                seen.append((int(a), int(b)))
        return seen


def test_a_resumed_run_goes_on_with_the_element_that_was_next(tmp_path: Path) -> None:
    assert _train(tmp_path / "cut", 3) + _train(tmp_path / "cut", 2) == _train(tmp_path / "whole", 5)


def test_it_is_said_when_there_is_nothing_to_save() -> None:
    tf.constant(1.0)
    with pytest.raises(ValueError, match="found no iterator to save"):
        tf.train.SingularMonitoredSession([tf.train.CheckpointInputPipelineHook()])


def test_what_cannot_tell_where_it_stands_is_refused() -> None:
    with pytest.raises(TypeError, match="cannot tell where it stands"):
        tf.train.register_iterator(iter([1, 2]))
