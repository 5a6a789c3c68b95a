"""Which checkpoints of a directory a training counts as its own, after a restart too."""

from __future__ import annotations

import os
from typing import Any

from monitored._checkpoint import get_checkpoint_state

__all__: list[str] = []


def take_over(saver: Any, directory: str | os.PathLike[str]) -> None:
    """Has a saver count the checkpoints that an earlier process kept, so that they are removed in their turn.

    Those are the ones that the directory's `checkpoint` file lists. What it does not list (checkpoints kept for good,
    copies that somebody made) stays as it is. Nothing is done for a saver that has checkpoints of its own already.

    Args:
        saver: The saver.
        directory: Where it is going to save.
    """
    if saver.last_checkpoints:
        return
    state = get_checkpoint_state(directory)
    if state is not None:
        saver.recover_last_checkpoints(list(state.all_model_checkpoint_paths))
