"""What saving and restoring have to do with files and threads: errors in terms of paths, and work behind the steps."""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

from monitored import errors
from monitored._checkpoint import checkpoint_exists, get_checkpoint_state, remove_checkpoint

__all__: list[str] = []

_T = TypeVar("_T")
_FILE_OF_A_CHECKPOINT: Final = re.compile(r"(.+)\.(index|meta|data-\d{5}-of-\d{5})")

_background: Final = ThreadPoolExecutor(64, "background")  # idle ones are used first


def in_background(name: str, work: Callable[[], _T]) -> Future[_T]:
    """Does something in a thread, for which a process that comes to its end waits.

    Threads are used again: to start one takes until it first lets go of the interpreter, which can be milliseconds.

    Args:
        name: The thread's name meanwhile.
        work: What to do.

    Returns:
        The future of what it returns or raises.
    """

    def run() -> _T:
        thread = threading.current_thread()
        own_name, thread.name = thread.name, name
        try:
            return work()
        finally:
            thread.name = own_name

    return _background.submit(run)


@contextlib.contextmanager
def explaining(path: str) -> Iterator[None]:
    """Tells the errors of a save in terms of its directory, where that is what is wrong."""
    try:
        yield
    except (errors.FailedPreconditionError, errors.NotFoundError) as error:
        directory = os.path.dirname(path)
        if os.path.isdir(directory or "."):
            raise
        if os.path.exists(directory):
            text = f"{directory} is a file, not a directory, can't save {path}."
            raise errors.FailedPreconditionError(None, None, text) from error
        raise ValueError(f"Parent directory of {path} doesn't exist, can't save.") from error
    except errors.PermissionDeniedError as error:
        text = f"The directory {os.path.dirname(path) or '.'} is not writable, can't save {path}: {error.message}"
        raise errors.PermissionDeniedError(None, None, text) from error


def check_is_checkpoint(path: str) -> None:
    """Raises a ValueError that says what is wrong with the path of a checkpoint to be restored."""
    if not checkpoint_exists(path):
        raise ValueError(f"The passed save_path is not a valid checkpoint: {path}")
    part = _FILE_OF_A_CHECKPOINT.fullmatch(path)
    if part is not None and checkpoint_exists(part[1]):
        raise ValueError(
            f"The passed save_path is not a valid checkpoint: {path} is one of its files; leave the ending out:\n"
            f"  saver.restore(sess, {part[1]!r})"
        )
    if os.path.isdir(path):
        raise ValueError(
            f"The passed save_path is not a valid checkpoint: {path} is a directory; for the newest checkpoint in it:\n"
            f"  saver.restore(sess, tf.train.latest_checkpoint({path!r}))"
        )


def remove_unnamed(checkpoint: str, latest_filename: str, meta_graph_suffix: str) -> None:
    """Removes a checkpoint that could not be finished, as far as possible: nobody else would ever do so.

    Args:
        checkpoint: The checkpoint. If the file `latest_filename` names it, it is left.
        latest_filename: The name of the file that tells which checkpoints there are.
        meta_graph_suffix: The ending of the file with the graph.
    """
    with contextlib.suppress(errors.OpError, ValueError):
        state = get_checkpoint_state(os.path.dirname(checkpoint), latest_filename)
        if state is None or checkpoint not in state.all_model_checkpoint_paths:
            remove_checkpoint(checkpoint, meta_graph_suffix=meta_graph_suffix)
