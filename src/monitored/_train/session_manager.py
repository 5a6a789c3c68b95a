"""`SessionManager`: makes a session whose model is ready, from initializers or from a checkpoint.

Where a directory of checkpoints is given, the newest is restored. One that is damaged is passed over for the newest
that is whole, and a warning says what was wrong; damage is found while reading, before any variable is changed.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from monitored import errors
from monitored._checkpoint import CheckpointState, checkpoint_exists, get_checkpoint_state, newest_first
from monitored._graph.graph import Graph, get_default_graph
from monitored._run.session import BaseSession, Session
from monitored._train.retention import within

__all__ = ["SessionManager"]

_log = logging.getLogger("monitored")

Path = str | os.PathLike[str]


class _Restores(Protocol):
    """What a session manager needs of a saver."""

    def restore(self, sess: Any, save_path: str) -> None: ...

    def recover_last_checkpoints(self, checkpoint_paths: list[str]) -> None: ...


class SessionManager:
    """Makes sessions, and brings their models to life.

    Example:
        manager = tf.train.SessionManager(ready_op=tf.report_uninitialized_variables())
        session = manager.prepare_session("", init_op=init_op, saver=saver, checkpoint_dir="runs/digits")
    """

    def __init__(
        self,
        local_init_op: Any = None,
        ready_op: Any = None,
        ready_for_local_init_op: Any = None,
        graph: Graph | None = None,
        recovery_wait_secs: float = 30,
        local_init_run_options: Any = None,
        local_init_feed_dict: Any = None,
        *,
        _clock: Callable[[], float] = time.monotonic,
        _sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Takes the operations that tell whether a model is ready.

        Args:
            local_init_op: Initializes what belongs to the process; run in every session, once the model is ready
                for it.
            ready_op: Gives the names of what is not ready; an empty list, or None for this operation, means ready.
            ready_for_local_init_op: The same, for `local_init_op`.
            graph: The graph; the default one when None.
            recovery_wait_secs: Seconds between two looks at what is waited for.
            local_init_run_options: The `RunOptions` for `local_init_op`.
            local_init_feed_dict: The feed dictionary for `local_init_op`.

        Raises:
            ValueError: If there is a `ready_for_local_init_op` without a `local_init_op`.
        """
        if ready_for_local_init_op is not None and local_init_op is None:
            raise ValueError(
                "If you pass a ready_for_local_init_op you must also pass a local_init_op , "
                f"ready_for_local_init_op [{ready_for_local_init_op}]"
            )
        self._local_init_op = local_init_op
        self._ready_op = ready_op
        self._ready_for_local_init_op = ready_for_local_init_op
        self._graph = get_default_graph() if graph is None else graph
        self._recovery_wait_secs = recovery_wait_secs
        self._local_init_run_options = local_init_run_options
        self._local_init_feed_dict = local_init_feed_dict
        self._clock = _clock
        self._sleep = _sleep

    # -- the three ways to a session --------------------------------------------------------------------------------

    def prepare_session(
        self,
        master: str,
        init_op: Any = None,
        saver: _Restores | None = None,
        checkpoint_dir: Path | None = None,
        checkpoint_filename_with_path: Path | None = None,
        wait_for_checkpoint: bool = False,
        max_wait_secs: float = 7200,
        config: Any = None,
        init_feed_dict: Any = None,
        init_fn: Callable[[Any], Any] | None = None,
    ) -> Session:
        """Makes a session whose model is ready: restored if there is a checkpoint, initialized if not.

        Args:
            master: The execution engine; only the one in this process (``''``) exists.
            init_op: Initializes the model.
            saver: Restores checkpoints.
            checkpoint_dir: A directory whose newest checkpoint is restored, if it holds one.
            checkpoint_filename_with_path: A checkpoint to restore instead.
            wait_for_checkpoint: Whether to wait for the directory to hold one.
            max_wait_secs: For how many seconds.
            config: A `ConfigProto` for the session.
            init_feed_dict: The feed dictionary for `init_op`.
            init_fn: ``init_fn(session)``, called after `init_op`.

        Returns:
            The session.

        Raises:
            RuntimeError: If the model is not ready in the end, or there is nothing to initialize it with.
            ValueError: If both a directory and a checkpoint are given, or there is no such checkpoint.
            FailedPreconditionError: If the directory is a file.
            DataLossError: If every checkpoint is damaged.
            OpError: If the checkpoint does not fit the model, or cannot be read.
        """
        session, restored = self._restored_session(
            master,
            saver,
            checkpoint_dir,
            checkpoint_filename_with_path,
            wait_for_checkpoint,
            max_wait_secs,
            config,
        )
        try:
            if not restored:
                if init_op is None and not init_fn and self._local_init_op is None:
                    raise RuntimeError("Model is not initialized and no init_op or init_fn or local_init_op was given")
                if init_op is not None:
                    session.run(init_op, feed_dict=init_feed_dict)
                if init_fn:
                    init_fn(session)
            missing = self._run_local_init_op(session)
            if missing is not None:
                raise RuntimeError(
                    "Init operations did not make model ready for local_init.  Init op: "
                    f"{_name_of(init_op)}, init fn: {init_fn}, error: {missing}"
                )
            missing = self._not_ready(session)
            if missing is not None:
                raise RuntimeError(
                    f"Init operations did not make model ready.  Init op: {_name_of(init_op)}, init fn: {init_fn}, "
                    f"local_init_op: {_name_of(self._local_init_op)}, error: {missing}"
                )
        except BaseException:
            session.close()
            raise
        return session

    def recover_session(
        self,
        master: str,
        saver: _Restores | None = None,
        checkpoint_dir: Path | None = None,
        checkpoint_filename_with_path: Path | None = None,
        wait_for_checkpoint: bool = False,
        max_wait_secs: float = 7200,
        config: Any = None,
    ) -> tuple[Session, bool]:
        """Makes a session and restores its model, if that can be done.

        Args:
            master: The execution engine; only the one in this process (``''``) exists.
            saver: Restores checkpoints.
            checkpoint_dir: A directory whose newest checkpoint is restored, if it holds one.
            checkpoint_filename_with_path: A checkpoint to restore instead.
            wait_for_checkpoint: Whether to wait for the directory to hold one.
            max_wait_secs: For how many seconds.
            config: A `ConfigProto` for the session.

        Returns:
            The session, and whether its model was restored and is ready.

        Raises:
            ValueError: If both a directory and a checkpoint are given, or there is no such checkpoint.
            FailedPreconditionError: If the directory is a file.
            DataLossError: If every checkpoint is damaged.
            OpError: If the checkpoint does not fit the model, or cannot be read.
        """
        session, restored = self._restored_session(
            master,
            saver,
            checkpoint_dir,
            checkpoint_filename_with_path,
            wait_for_checkpoint,
            max_wait_secs,
            config,
        )
        try:
            missing = self._run_local_init_op(session)
            if not restored:
                return session, False
            source = checkpoint_dir or checkpoint_filename_with_path
            if missing is not None:
                _log.info("Restoring model from %s did not make model ready for local init: %s", source, missing)
                return session, False
            missing = self._not_ready(session)
            if missing is not None:
                _log.info("Restoring model from %s did not make model ready: %s", source, missing)
                return session, False
        except BaseException:
            session.close()
            raise
        _log.info("Restored model from %s", source)
        return session, True

    def wait_for_session(self, master: str, config: Any = None, max_wait_secs: float | None = float("inf")) -> Session:
        """Waits until the model is made ready by somebody else, and gives a session of it.

        Args:
            master: The execution engine; only the one in this process (``''``) exists.
            config: A `ConfigProto` for the session.
            max_wait_secs: For how many seconds; None for any number.

        Returns:
            The session.

        Raises:
            DeadlineExceededError: If the model is not ready in time.
        """
        limit = float("inf") if max_wait_secs is None else max_wait_secs
        deadline = self._clock() + limit
        while True:
            session = Session(master, graph=self._graph, config=config)
            not_ready = None
            not_ready_for_local = self._run_local_init_op(session)
            if not_ready_for_local is None:
                not_ready = self._not_ready(session)
                if not_ready is None:
                    return session
            session.close()
            if deadline - self._clock() < self._recovery_wait_secs:
                raise errors.DeadlineExceededError(None, None, f"Session was not ready after waiting {limit:g} secs.")
            _log.info(
                "Waiting for model to be ready.  Ready_for_local_init_op:  %s, ready: %s",
                not_ready_for_local,
                not_ready,
            )
            self._sleep(self._recovery_wait_secs)

    # -- restoring --------------------------------------------------------------------------------------------------

    def _restored_session(
        self,
        master: str,
        saver: _Restores | None,
        checkpoint_dir: Path | None,
        checkpoint_filename_with_path: Path | None,
        wait_for_checkpoint: bool,
        max_wait_secs: float,
        config: Any,
    ) -> tuple[Session, bool]:
        """A session, and whether a checkpoint was restored into it."""
        if checkpoint_dir and checkpoint_filename_with_path:
            raise ValueError("Can not provide both checkpoint_dir and checkpoint_filename_with_path.")
        session = Session(master, graph=self._graph, config=config)
        try:
            if saver is None:
                return session, False
            if checkpoint_filename_with_path:
                saver.restore(session, os.fspath(checkpoint_filename_with_path))
                return session, True
            if not checkpoint_dir:
                return session, False
            directory = os.fspath(checkpoint_dir)
            state = self._wait_for_state(directory, max_wait_secs if wait_for_checkpoint else 0)
            if state is None:
                return session, False
            _restore_newest(session, saver, directory, state)
            saver.recover_last_checkpoints(within(directory, state.all_model_checkpoint_paths))
            return session, True
        except BaseException:
            session.close()
            raise

    def _wait_for_state(self, directory: str, max_wait_secs: float) -> CheckpointState | None:
        """What the `checkpoint` file of a directory says, if there is one before the time is over."""
        if os.path.exists(directory) and not os.path.isdir(directory):
            raise errors.FailedPreconditionError(
                None, None, f"checkpoint_dir must be a directory, but {directory} is a file."
            )
        deadline = self._clock() + max_wait_secs
        while True:
            state = get_checkpoint_state(directory)
            if state is not None:
                return state
            if self._clock() >= deadline:
                _check_there_is_none(directory)
                return None
            _log.info("Waiting for checkpoint to be available.")
            self._sleep(self._recovery_wait_secs)

    # -- readiness --------------------------------------------------------------------------------------------------

    def _run_local_init_op(self, session: BaseSession) -> str | None:
        """Runs the local initializer, if there is one; tells why not, if the model is not ready for it."""
        if self._local_init_op is None:
            return None
        missing = _missing(session, self._ready_for_local_init_op, "Model not ready for local init")
        if missing is None:
            _log.info("Running local_init_op.")
            session.run(self._local_init_op, self._local_init_feed_dict, self._local_init_run_options)
            _log.info("Done running local_init_op.")
        return missing

    def _not_ready(self, session: BaseSession) -> str | None:
        """Tells why the model is not ready, or None when it is."""
        return _missing(session, self._ready_op, "Model not ready")


def _missing(session: BaseSession, ready_op: Any, label: str) -> str | None:
    if ready_op is None:
        return None
    try:
        value = session.run(ready_op)
    except errors.FailedPreconditionError as error:
        if "uninitialized" not in str(error):
            _log.warning("%s : error [%s]", label, error)
            raise
        return str(error)
    # An operation that only checks gives None, and older programs gave a number.
    if value is None or value.dtype == np.int32 or value.size == 0:
        return None
    return "Variables not initialized: " + ", ".join(name.decode() for name in value)


def _name_of(op: Any) -> str | None:
    return None if op is None else getattr(op, "name", str(op))


def _check_there_is_none(directory: str) -> None:
    """Checks that a directory's `checkpoint` file is absent, rather than unreadable: nobody wants to begin anew."""
    file = os.path.join(directory, "checkpoint")
    if os.path.lexists(file):
        raise errors.DataLossError(
            None,
            None,
            f"{file}, which tells which checkpoints there are, is damaged or cannot be read. To go on from a "
            "checkpoint, write it anew:\n"
            f"  tf.train.update_checkpoint_state({directory!r}, '<the checkpoint's path without .index>')",
        )


def _restore_newest(session: Session, saver: _Restores, directory: str, state: CheckpointState) -> None:
    """Restores the newest checkpoint that is whole."""
    candidates = newest_first(state)
    if not any(map(checkpoint_exists, candidates)):
        raise ValueError(
            f"The passed save_path is not a valid checkpoint: {candidates[0]}: {directory} has a `checkpoint` file, "
            "but no checkpoint that it names. To start anew, remove that file."
        )
    damaged: list[str] = []
    for path in candidates:
        try:
            if not checkpoint_exists(path):
                raise errors.DataLossError(None, None, "its files are missing")
            saver.restore(session, path)
        except errors.DataLossError as error:
            damaged.append(f"{path}: {error.message}")
            _log.warning("The checkpoint %s is damaged and passed over: %s", path, error.message)
        else:
            return
    raise errors.DataLossError(
        None,
        None,
        f"{directory} holds no checkpoint that is whole, so there is nothing to go on from:\n  "
        + "\n  ".join(damaged)
        + "\nNothing was removed. To start anew, use another checkpoint_dir.",
    )
