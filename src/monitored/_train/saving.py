"""What `save` of a monitored session does: a checkpoint now, whatever the timers say."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from monitored._graph.collections import GraphKeys
from monitored._train.global_step import get_global_step
from monitored._train.hooks.checkpoint_saver import CheckpointSaverHook
from monitored._train.session_run_hook import SessionRunHook

__all__: list[str] = []


def save_now(
    session: Any, hooks: Sequence[SessionRunHook], creator: Any, save_path: str | os.PathLike[str] | None
) -> tuple[str, bool]:
    """Saves a checkpoint.

    Args:
        session: The raw session.
        hooks: The monitored session's hooks; the `CheckpointSaverHook` objects among them save, if there are any.
        creator: What made the session; else its saver saves in its directory.
        save_path: Where to save instead, apart from the checkpoints that are counted and removed in their turn.

    Returns:
        The checkpoint's path, and whether a listener wants the training to end.

    Raises:
        RuntimeError: If nothing says where to save, or with what.
    """
    if save_path is not None:
        return _found(_saver_of(creator, session).save(session, save_path, write_state=False)), False
    saving = [hook for hook in hooks if isinstance(hook, CheckpointSaverHook)]
    if saving:
        saved = [hook.save(session) for hook in saving]
        return _found(saved[0][0]), any(stop for _, stop in saved)
    directory = getattr(creator, "_checkpoint_dir", None)
    if not directory:
        raise RuntimeError(
            "Nothing says where to save. Give the session a CheckpointSaverHook or a checkpoint_dir, or say it here:\n"
            "  session.save('runs/digits/by_hand.ckpt')"
        )
    os.makedirs(directory, exist_ok=True)
    step = get_global_step(session.graph)
    path = os.path.join(directory, "model.ckpt")
    return _found(_saver_of(creator, session).save(session, path, global_step=step)), False


def _saver_of(creator: Any, session: Any) -> Any:
    saver = getattr(getattr(creator, "_scaffold", None), "saver", None)
    if saver is not None:
        return saver
    savers = session.graph.get_collection(GraphKeys.SAVERS)
    if len(savers) != 1:
        raise RuntimeError(
            f"The graph has {len(savers)} savers in its collection {GraphKeys.SAVERS}: give the session's creator a "
            "scaffold with the one to use."
        )
    return savers[0]


def _found(path: str | None) -> str:
    if path is None:
        raise RuntimeError("There is nothing to save: the graph has no variables.")
    return path
