"""Which checkpoints of a directory a training counts as its own, after a restart too."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from typing import Any

from monitored._checkpoint import get_checkpoint_state

__all__: list[str] = []

_log = logging.getLogger("monitored")


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
        saver.recover_last_checkpoints(within(directory, state.all_model_checkpoint_paths))


def within(directory: str | os.PathLike[str], paths: Iterable[str]) -> list[str]:
    """The checkpoints of a `checkpoint` file that may be removed: those in its directory.

    A path that leads elsewhere is good for reading (TensorFlow's files have absolute paths), but a directory that was
    copied still names the checkpoints of the one that it was copied from, and those are not ours to remove.

    Args:
        directory: The directory of the file.
        paths: The checkpoints that it lists.

    Returns:
        Those in the directory or below it.
    """
    home = os.path.realpath(directory)
    found = []
    for path in paths:
        if os.path.commonpath([home, os.path.realpath(os.path.dirname(path))]) == home:
            found.append(path)
        else:
            _log.info("%s is not in %s, and stays when newer checkpoints are kept.", path, directory)
    return found
