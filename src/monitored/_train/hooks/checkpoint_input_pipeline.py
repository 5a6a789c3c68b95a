"""`CheckpointInputPipelineHook`: TensorFlow's hook for saving where a `tf.data` iterator stands. It cannot be made."""

from __future__ import annotations

from typing import Any

from monitored import errors
from monitored._train.session_run_hook import SessionRunHook

__all__ = ["CheckpointInputPipelineHook"]


class CheckpointInputPipelineHook(SessionRunHook):
    """Would save where an input pipeline stands; there are no `tf.data` iterators here whose position could be saved.

    A checkpoint holds the variables and the random streams. What a program reads by itself goes on where it was if each
    step's input follows from the global step alone, as in ``examples/digits.py``:

        rows = np.random.RandomState(step).randint(len(images), size=batch_size)

    Args:
        args: What TensorFlow's takes.
        kwargs: What TensorFlow's takes.

    Raises:
        UnimplementedError: Always.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise errors.UnimplementedError(
            None,
            None,
            "CheckpointInputPipelineHook saves where tf.data iterators stand, and there are none here. Let each step's "
            "input follow from the global step, which every checkpoint holds:\n"
            "  rows = np.random.RandomState(step).randint(len(images), size=batch_size)",
        )
