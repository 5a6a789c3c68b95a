"""`CheckpointSaverHook`: saves checkpoints behind the steps, and tells its listeners."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from functools import partial
from typing import Any, Literal

from monitored._checkpoint import DirectoryLock
from monitored._checkpoint.files import os_errors_as_tf
from monitored._graph.graph import get_default_graph
from monitored._train.graph_io import write_graph
from monitored._train.hooks.global_steps import required_global_step
from monitored._train.hooks.savers import saver_for
from monitored._train.hooks.timer import SecondOrStepTimer
from monitored._train.meta_graph import export_meta_graph
from monitored._train.retention import take_over
from monitored._train.saver import Saver
from monitored._train.session_run_hook import (
    SessionRunArgs,
    SessionRunContext,
    SessionRunHook,
    SessionRunValues,
)
from monitored._train.summary_io import FileWriterCache

__all__ = ["CheckpointSaverHook", "CheckpointSaverListener"]

_log = logging.getLogger("monitored")


class CheckpointSaverListener:
    """Code that is called around each save of a `CheckpointSaverHook`; override what is needed."""

    def begin(self) -> None:
        """Called once, before the session is made: operations can still be added to the default graph."""

    def before_save(self, session: Any, global_step_value: int) -> None:
        """Called before a checkpoint is written.

        Args:
            session: The session, without hooks.
            global_step_value: The step of the checkpoint.
        """

    def after_save(self, session: Any, global_step_value: int) -> bool | None:
        """Called when a checkpoint is written.

        Args:
            session: The session, without hooks.
            global_step_value: The step of the checkpoint.

        Returns:
            True to end the training.
        """
        return None

    def end(self, session: Any, global_step_value: int) -> None:
        """Called once, after the last checkpoint, when the session ends without an error.

        Args:
            session: The session, without hooks.
            global_step_value: The last step.
        """


class CheckpointSaverHook(SessionRunHook):
    """Saves a checkpoint when a session begins, every so many steps or seconds, and when it ends.

    A checkpoint that is due is one of the step as all hooks left it. The steps go on while it is written: they wait
    only until the variables are copied, and, should the save before still be going on, for that. What goes wrong in a
    save comes out of the next run. When the session has ended, all that was begun is on the disk.

    A listener's `after_save` expects the checkpoint to be on the disk and the session to be where it was saved; so
    with one, steps wait for saves, unless told otherwise.

    One process at a time saves in a directory: a second one gets a FailedPreconditionError that names the first.

    Args:
        checkpoint_dir: The directory of the checkpoints.
        save_secs: Seconds from one checkpoint to the next.
        save_steps: Steps from one checkpoint to the next, instead.
        saver: The `Saver` that writes them.
        checkpoint_basename: The name of a checkpoint, to which ``-<step>`` is added.
        scaffold: A `Scaffold` whose saver writes them, instead. By default the saver in the graph's collection.
        listeners: `CheckpointSaverListener` objects, called around each save.
        asynchronous: Whether steps go on while checkpoints are written; by default unless a listener has `after_save`,
            which is then called before the checkpoint is written.
        on_failure: ``'raise'``: a save that fails ends the run. ``'log'``: it is logged as an error, the run goes on,
            and the next save is tried when it is due. The checkpoints before are good in any case.
        clock: Gives the time in seconds.

    Raises:
        ValueError: If both `saver` and `scaffold` are given, or not exactly one of `save_secs` and `save_steps`, or
            `on_failure` is something else.
    """

    def __init__(
        self,
        checkpoint_dir: str | os.PathLike[str],
        save_secs: float | None = None,
        save_steps: int | None = None,
        saver: Any = None,
        checkpoint_basename: str = "model.ckpt",
        scaffold: Any = None,
        listeners: Sequence[CheckpointSaverListener] | None = None,
        *,
        asynchronous: bool | None = None,
        on_failure: Literal["raise", "log"] = "raise",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        _log.info("Create CheckpointSaverHook.")
        if saver is not None and scaffold is not None:
            raise ValueError("You cannot provide both saver and scaffold.")
        if on_failure not in ("raise", "log"):
            raise ValueError(f"on_failure must be 'raise' or 'log', not {on_failure!r}.")
        self._saver = saver
        self._checkpoint_dir = os.fspath(checkpoint_dir)
        self._save_path = os.path.join(self._checkpoint_dir, checkpoint_basename)
        self._scaffold = scaffold
        self._timer = SecondOrStepTimer(save_secs, save_steps, clock)
        self._listeners = list(listeners or [])
        self._asynchronous = not any(map(_looks_after, self._listeners)) if asynchronous is None else asynchronous
        self._on_failure = on_failure
        self._lock: DirectoryLock | None = None
        self._deferred: SessionRunContext | None = None  # of a run after which it saves when all hooks have seen it
        self._behind: Future[str | None] | None = None  # the save that goes on behind the steps

    def begin(self) -> None:
        """Locks the directory, opens the event file, finds the global step, and calls the listeners' `begin`.

        Raises:
            FailedPreconditionError: If another process saves in the directory.
            OpError: If the directory cannot be made, or nothing be written there.
            RuntimeError: If the graph has no global step.
        """
        with os_errors_as_tf(self._checkpoint_dir):
            os.makedirs(self._checkpoint_dir, exist_ok=True)
        self._lock = DirectoryLock(self._checkpoint_dir)
        try:
            self._summary_writer = FileWriterCache.get(self._checkpoint_dir)
            self._global_step = required_global_step("CheckpointSaverHook")
            self._args = SessionRunArgs(self._global_step)
            for listener in self._listeners:
                listener.begin()
        except BaseException:
            self._lock.release()
            raise

    def after_create_session(self, session: Any, coord: Any) -> None:
        """Writes the graph, and the checkpoint of where the session begins."""
        step = int(session.run(self._global_step))
        graph = get_default_graph()
        graph_def = graph.as_graph_def(add_shapes=True)
        write_graph(graph_def, self._checkpoint_dir, "graph.pbtxt")
        saver = self._found_saver()
        take_over(saver, self._checkpoint_dir)
        self._summary_writer.add_graph(None, graph_def=graph_def)
        self._summary_writer.add_meta_graph(export_meta_graph(graph_def=graph_def, saver_def=saver.saver_def))
        self._save(session, step, self._asynchronous)
        self._timer.update_last_triggered_step(step)

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs:
        """Asks for the global step; raises what went wrong in a save."""
        if self._behind is not None and self._behind.done():
            self._tell(self._outcome())
        return self._args

    def after_run(self, run_context: SessionRunContext, run_values: SessionRunValues) -> None:
        """Has a checkpoint saved when it is due."""
        timer, stale_step = self._timer, run_values.results
        if stale_step >= timer.last_quiet_step and timer.should_trigger_for_step(stale_step + 1):
            self._deferred = run_context
            run_context.after_hooks(partial(self._save_if_due, run_context))

    def quiet_runs(self, step: int, increment: int, secs_per_run: float) -> float:
        """The runs before it is due."""
        behind = self._behind
        if behind is not None and behind.done() and behind.exception() is not None:
            return 0  # what went wrong is to be told; where nothing did, no run may depend on when it ended
        return self._timer.quiet_runs(step + 1, increment, secs_per_run)

    def on_error(self, run_context: SessionRunContext, error: BaseException) -> None:
        """Saves what was due when another hook failed, and waits until it is on the disk: it may soon be restored."""
        if self._deferred is not None:
            self._save_if_due(self._deferred)
        if self._behind is not None:
            wait([self._behind])

    def _save_if_due(self, run_context: SessionRunContext) -> None:
        self._deferred = None
        step = int(run_context.session.run(self._global_step))
        if self._timer.should_trigger_for_step(step):
            self._timer.update_last_triggered_step(step)
            if self._save(run_context.session, step, self._asynchronous)[1]:
                run_context.request_stop()

    def end(self, session: Any) -> None:
        """Saves the last step, unless it is saved already, and calls the listeners' `end`."""
        last_step = int(session.run(self._global_step))
        failure = self._outcome()
        if last_step != self._timer.last_triggered_step() or failure is not None:
            self._save(session, last_step, False)
        for listener in self._listeners:
            listener.end(session, last_step)

    def after_close(self, error: BaseException | None) -> None:
        """Waits for the save that goes on, and lets other processes save in the directory."""
        try:
            failure = self._outcome()
            if failure is not None:  # after an error, which is what comes out of the session
                _log.error("A checkpoint could not be saved: %s", failure)
        finally:
            if self._lock is not None:
                self._lock.release()

    def save(self, session: Any) -> tuple[str | None, bool]:
        """Saves a checkpoint now; the steps or seconds to the next one count from here.

        Args:
            session: The session, without hooks.

        Returns:
            The checkpoint's path, and whether a listener wants the training to end. The checkpoint is on the disk.

        Raises:
            OpError: If it could not be written.
        """
        step = int(session.run(self._global_step))
        self._timer.update_last_triggered_step(step)
        return self._save_now(session, step)

    # -- saving -----------------------------------------------------------------------------------------------------

    def _save(self, session: Any, step: int, behind: bool) -> tuple[str | None, bool]:
        """Saves; what goes wrong is raised or logged, as the hook was told."""
        saver = self._found_saver()
        try:
            if behind and isinstance(saver, Saver):
                self._save_behind(session, step, saver)
                return None, self._tell_listeners(session, step)
            return self._save_now(session, step)
        except Exception as failure:
            self._tell(failure)
            return None, False

    def _save_now(self, session: Any, step: int) -> tuple[str | None, bool]:
        self._announce(session, step)
        failure = self._outcome()
        if failure is not None:
            _log.error("A checkpoint could not be saved, so the next one is now: %s", failure)
        path = self._found_saver().save(session, self._save_path, global_step=step)
        self._log_to_event_file(step)
        return path, self._tell_listeners(session, step)

    def _save_behind(self, session: Any, step: int, saver: Saver) -> None:
        self._announce(session, step)
        self._tell(self._outcome())
        self._behind = saver.save_async(session, self._save_path, global_step=step)
        self._log_to_event_file(step)

    def _outcome(self) -> BaseException | None:
        """Waits for the save that goes on behind the steps, if there is one, and gives what it failed with."""
        behind, self._behind = self._behind, None
        if behind is None:
            return None
        wait([behind])
        return behind.exception()

    def _tell(self, failure: BaseException | None) -> None:
        """Raises or logs what a save failed with."""
        if failure is None:
            return
        if self._on_failure == "raise":
            raise failure
        _log.error("A checkpoint could not be saved; the ones before are good, and the run goes on: %s", failure)

    def _announce(self, session: Any, step: int) -> None:
        _log.info("Saving checkpoints for %d into %s.", step, self._save_path)
        for listener in self._listeners:
            listener.before_save(session, step)

    def _tell_listeners(self, session: Any, step: int) -> bool:
        should_stop = False
        for listener in self._listeners:
            if listener.after_save(session, step):
                _log.info("A CheckpointSaverListener requested that training be stopped. listener: %s", listener)
                should_stop = True
        return should_stop

    def _log_to_event_file(self, step: int) -> None:
        from tensorboard.compat.proto import event_pb2

        self._summary_writer.add_session_log(
            event_pb2.SessionLog(status=event_pb2.SessionLog.CHECKPOINT, checkpoint_path=self._save_path), step
        )

    def _found_saver(self) -> Any:
        self._saver = saver_for("CheckpointSaverHook", self._saver, self._scaffold)
        return self._saver


def _looks_after(listener: CheckpointSaverListener) -> bool:
    """Whether a listener wants to know when a checkpoint is written."""
    method = getattr(listener.after_save, "__func__", listener.after_save)
    return method is not CheckpointSaverListener.after_save
