"""The `checkpoint` file of a directory: which checkpoints it holds.

It is a CheckpointState in protocol buffer text, rewritten after every save:

    model_checkpoint_path: "model.ckpt-20"            the one to restore
    all_model_checkpoint_paths: "model.ckpt-10"       those kept, oldest first
    all_model_checkpoint_paths: "model.ckpt-20"
    all_model_checkpoint_timestamps: 1700000000.5     seconds since 1970, when they were made
    last_preserved_timestamp: 1700000000.5            when the last one to be kept for good was made

A path that is not absolute starts at the directory of the file, so that the directory can be moved. The file
is only ever replaced whole, and after the checkpoint that it names is on the disk: reading it gives a
checkpoint that was whole when it was written. `newest_first` says in which order to look for one that still is.

The functions have TensorFlow's names, arguments and behaviour (`tf.train`).
"""

import glob
import logging
import os
import re
from collections.abc import MutableSequence, Sequence
from typing import Final, Protocol, cast

from monitored import errors
from monitored._checkpoint.bundle import Path, data_files, index_path
from monitored._checkpoint.coding import data_loss
from monitored._checkpoint.files import os_errors_as_tf, replace_file
from monitored._checkpoint.protos import message_class

_logger: Final = logging.getLogger(__name__)

_V1: Final = 1  # SaverDef.V1, a format that is read here but not written
_V2: Final = 2  # SaverDef.V2


class CheckpointState(Protocol):
    """What a `checkpoint` file says: a protocol buffer message with these fields."""

    model_checkpoint_path: str
    all_model_checkpoint_paths: MutableSequence[str]
    all_model_checkpoint_timestamps: MutableSequence[float]
    last_preserved_timestamp: float


def generate_checkpoint_state_proto(
    save_dir: Path,
    model_checkpoint_path: Path,
    all_model_checkpoint_paths: Sequence[Path] | None = None,
    all_model_checkpoint_timestamps: Sequence[float] | None = None,
    last_preserved_timestamp: float | None = None,
) -> CheckpointState:
    """Makes the message for a directory.

    Args:
        save_dir: The directory of the `checkpoint` file. If it is not absolute, neither are paths in the
            message that were not: they then start at `save_dir`.
        model_checkpoint_path: The newest checkpoint.
        all_model_checkpoint_paths: All checkpoints that are kept, oldest first. The newest one is appended
            if it is not the last.
        all_model_checkpoint_timestamps: When they were made, seconds since 1970.
        last_preserved_timestamp: When the last checkpoint to be kept for good was made, seconds since 1970.

    Returns:
        The message.

    Raises:
        ValueError: There are not as many timestamps as paths.
    """
    directory, newest = os.fspath(save_dir), os.fspath(model_checkpoint_path)
    paths = [os.fspath(path) for path in all_model_checkpoint_paths or ()]
    if not paths or paths[-1] != newest:
        _logger.info("%s is not in all_model_checkpoint_paths. Manually adding it.", newest)
        paths.append(newest)
    if all_model_checkpoint_timestamps and len(all_model_checkpoint_timestamps) != len(paths):
        raise ValueError(
            "Checkpoint timestamps, if provided, must match checkpoint paths "
            f"(got paths {paths} and timestamps {all_model_checkpoint_timestamps})"
        )

    def stored(path: str) -> str:
        if os.path.isabs(directory) or os.path.isabs(path):
            return path
        return os.path.relpath(path, directory or ".")

    message = message_class("CheckpointState")(
        model_checkpoint_path=stored(newest),
        all_model_checkpoint_paths=map(stored, paths),
        all_model_checkpoint_timestamps=all_model_checkpoint_timestamps,
        last_preserved_timestamp=last_preserved_timestamp,
    )
    return cast(CheckpointState, message)


def update_checkpoint_state(
    save_dir: Path,
    model_checkpoint_path: Path,
    all_model_checkpoint_paths: Sequence[Path] | None = None,
    latest_filename: str | None = None,
    all_model_checkpoint_timestamps: Sequence[float] | None = None,
    last_preserved_timestamp: float | None = None,
) -> None:
    """Rewrites the `checkpoint` file of a directory.

    Args:
        save_dir: The directory.
        model_checkpoint_path: The newest checkpoint.
        all_model_checkpoint_paths: All checkpoints that are kept, oldest first. The newest one is appended
            if it is not the last.
        latest_filename: Name of the file, `checkpoint` by default.
        all_model_checkpoint_timestamps: When they were made, seconds since 1970.
        last_preserved_timestamp: When the last checkpoint to be kept for good was made, seconds since 1970.

    Raises:
        RuntimeError: A checkpoint's path is that of the file itself.
        ValueError: There are not as many timestamps as paths.
        OpError: The file could not be written; the one before is still there.
    """
    write_checkpoint_state(
        save_dir,
        model_checkpoint_path,
        all_model_checkpoint_paths,
        latest_filename,
        all_model_checkpoint_timestamps=all_model_checkpoint_timestamps,
        last_preserved_timestamp=last_preserved_timestamp,
    )


def write_checkpoint_state(
    save_dir: Path,
    model_checkpoint_path: Path,
    all_model_checkpoint_paths: Sequence[Path] | None = None,
    latest_filename: str | None = None,
    save_relative_paths: bool = False,
    all_model_checkpoint_timestamps: Sequence[float] | None = None,
    last_preserved_timestamp: float | None = None,
) -> None:
    """`update_checkpoint_state`, with the choice that `tf.train.Saver` has.

    Args:
        save_dir: The directory.
        model_checkpoint_path: The newest checkpoint.
        all_model_checkpoint_paths: All checkpoints that are kept, oldest first.
        latest_filename: Name of the file, `checkpoint` by default.
        save_relative_paths: Whether to write absolute paths as paths that start at the directory, too.
        all_model_checkpoint_timestamps: When they were made, seconds since 1970.
        last_preserved_timestamp: When the last checkpoint to be kept for good was made, seconds since 1970.

    Raises:
        RuntimeError: A checkpoint's path is that of the file itself.
        ValueError: There are not as many timestamps as paths.
        OpError: The file could not be written; the one before is still there.
    """
    from google.protobuf import text_format

    directory = os.fspath(save_dir)
    state = generate_checkpoint_state_proto(
        directory,
        model_checkpoint_path,
        all_model_checkpoint_paths,
        all_model_checkpoint_timestamps,
        last_preserved_timestamp,
    )
    if save_relative_paths:
        relative = [
            os.path.relpath(path, directory or ".") if os.path.isabs(path) else path
            for path in state.all_model_checkpoint_paths
        ]
        state.all_model_checkpoint_paths[:] = relative
        state.model_checkpoint_path = relative[-1]
    file = _state_file(directory, latest_filename)
    for path in state.all_model_checkpoint_paths:
        if os.path.join(directory, path) == file:
            raise RuntimeError(
                f"Save path '{path}' conflicts with path used for checkpoint state. Please use a different save path."
            )
    replace_file(file, text_format.MessageToString(state, as_utf8=False).encode())


def get_checkpoint_state(checkpoint_dir: Path, latest_filename: str | None = None) -> CheckpointState | None:
    """Reads the `checkpoint` file of a directory.

    Args:
        checkpoint_dir: The directory.
        latest_filename: Name of the file, `checkpoint` by default.

    Returns:
        What it says, with paths that start where `checkpoint_dir` does; None if there is no such file, or
        it is damaged or cannot be read, which is logged.

    Raises:
        ValueError: It names no checkpoint.
    """
    from google.protobuf import text_format

    directory = os.fspath(checkpoint_dir)
    path = _state_file(directory, latest_filename)
    state = message_class("CheckpointState")()
    try:
        with os_errors_as_tf(path), open(path, "rb") as file:
            text_format.Merge(file.read().decode(), state)
        if any("\0" in stored for stored in (state.model_checkpoint_path, *state.all_model_checkpoint_paths)):
            raise data_loss(path, "a path with a zero byte")  # no file has such a name
    except errors.NotFoundError:
        return None
    except (errors.OpError, text_format.ParseError, UnicodeDecodeError) as error:
        _logger.warning("%s: Checkpoint ignored (%s: %s)", path, type(error).__name__, error)
        return None
    if not state.model_checkpoint_path:
        raise ValueError(f"Invalid checkpoint state loaded from {directory}")
    state.model_checkpoint_path = os.path.join(directory, state.model_checkpoint_path)
    state.all_model_checkpoint_paths[:] = [
        os.path.join(directory, stored) for stored in state.all_model_checkpoint_paths
    ]
    return cast(CheckpointState, state)


def latest_checkpoint(checkpoint_dir: Path, latest_filename: str | None = None) -> str | None:
    """Finds the checkpoint that the `checkpoint` file of a directory names.

    Args:
        checkpoint_dir: The directory.
        latest_filename: Name of the file, `checkpoint` by default.

    Returns:
        The checkpoint's path without `.index`; None if the file names none that exists.

    Raises:
        ValueError: The file is there but names no checkpoint.
    """
    state = get_checkpoint_state(checkpoint_dir, latest_filename)
    if state is None:
        return None
    if checkpoint_exists(state.model_checkpoint_path):
        return state.model_checkpoint_path
    _logger.error("Couldn't match files for checkpoint %s", state.model_checkpoint_path)
    return None


def newest_first(state: CheckpointState) -> list[str]:
    """Lists the checkpoints that can be gone on from, in the order in which to look for one that is whole.

    The checkpoint that the `checkpoint` file names comes first, then the older ones in its list. One that is newer
    than the named one is not tried: whoever edited the file did not want it.

    Args:
        state: What the file says.

    Returns:
        The checkpoints' paths without `.index`.
    """
    paths = state.all_model_checkpoint_paths[::-1]
    if state.model_checkpoint_path in paths:
        paths = paths[paths.index(state.model_checkpoint_path) :]
    return list(dict.fromkeys([state.model_checkpoint_path, *paths]))


def checkpoint_exists(checkpoint_prefix: Path) -> bool:
    """Tells whether a checkpoint exists, by its files' names.

    Args:
        checkpoint_prefix: The checkpoint's path without `.index`; a pattern for several is possible.

    Returns:
        True if it has an index, or is itself a file (TensorFlow's older format).
    """
    return _existing_file(checkpoint_prefix) is not None


def get_checkpoint_mtimes(checkpoint_prefixes: Sequence[Path]) -> list[float]:
    """Gives the modification times of checkpoints.

    Args:
        checkpoint_prefixes: The checkpoints' paths without `.index`.

    Returns:
        The time of each checkpoint that exists, seconds since 1970. Those that do not are left out.

    Raises:
        OpError: A file's time could not be read.
    """
    times = []
    for prefix in checkpoint_prefixes:
        path = _existing_file(prefix)
        if path is not None:
            with os_errors_as_tf(path):
                times.append(os.path.getmtime(path))
    return times


def remove_checkpoint(
    checkpoint_prefix: Path, checkpoint_format_version: int = _V2, meta_graph_suffix: str = "meta"
) -> None:
    """Removes the files of a checkpoint, as far as they are there.

    Args:
        checkpoint_prefix: The checkpoint's path without `.index`.
        checkpoint_format_version: `SaverDef.V2` (2), or `SaverDef.V1` (1) for TensorFlow's older format.
        meta_graph_suffix: Suffix of the file with its MetaGraphDef.

    Raises:
        OpError: A file could not be removed.
    """
    prefix = os.fspath(checkpoint_prefix)
    # The index first: if this is interrupted, there is no checkpoint rather than a damaged one. The path of a sharded
    # one of the older format is a pattern: "model-?????-of-00002".
    is_v1 = checkpoint_format_version == _V1
    paths = glob.glob(prefix) if is_v1 else [index_path(prefix), *data_files(prefix)]
    unsharded = re.sub(r"-[\d?]+-of-\d+$", "", prefix)
    for path in [*paths, f"{unsharded}.{meta_graph_suffix}"]:
        with os_errors_as_tf(path):
            if os.path.lexists(path):
                os.remove(path)


def _state_file(directory: str, latest_filename: str | None) -> str:
    return os.path.join(directory, latest_filename or "checkpoint")


def _existing_file(prefix: Path) -> str | None:
    """The file that shows that a checkpoint exists."""
    for path in (index_path(os.fspath(prefix)), os.fspath(prefix)):
        if os.path.exists(path):
            return path
        matches = glob.glob(path)
        if matches:
            return min(matches)
    return None
