"""`CheckpointSaverHook`: saves checkpoints, and tells its listeners."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

from monitored._graph.collections import GraphKeys
from monitored._graph.graph import get_default_graph
from monitored._train.graph_io import write_graph
from monitored._train.hooks.global_steps import required_global_step
from monitored._train.hooks.timer import SecondOrStepTimer
from monitored._train.meta_graph import export_meta_graph
from monitored._train.retention import take_over
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

    Args:
        checkpoint_dir: The directory of the checkpoints.
        save_secs: Seconds from one checkpoint to the next.
        save_steps: Steps from one checkpoint to the next, instead.
        saver: The `Saver` that writes them.
        checkpoint_basename: The name of a checkpoint, to which ``-<step>`` is added.
        scaffold: A `Scaffold` whose saver writes them, instead. By default the saver in the graph's collection.
        listeners: `CheckpointSaverListener` objects, called around each save.
        clock: Gives the time in seconds.

    Raises:
        ValueError: If both `saver` and `scaffold` are given, or not exactly one of `save_secs` and `save_steps`.
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
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        _log.info("Create CheckpointSaverHook.")
        if saver is not None and scaffold is not None:
            raise ValueError("You cannot provide both saver and scaffold.")
        self._saver = saver
        self._checkpoint_dir = os.fspath(checkpoint_dir)
        self._save_path = os.path.join(self._checkpoint_dir, checkpoint_basename)
        self._scaffold = scaffold
        self._timer = SecondOrStepTimer(save_secs, save_steps, clock)
        self._listeners = list(listeners or [])

    def begin(self) -> None:
        """Opens the event file, finds the global step, and calls the listeners' `begin`."""
        self._summary_writer = FileWriterCache.get(self._checkpoint_dir)
        self._global_step = required_global_step("CheckpointSaverHook")
        self._args = SessionRunArgs(self._global_step)
        for listener in self._listeners:
            listener.begin()

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
        self._save(session, step)
        self._timer.update_last_triggered_step(step)

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs:
        """Asks for the global step."""
        return self._args

    def after_run(self, run_context: SessionRunContext, run_values: SessionRunValues) -> None:
        """Saves when it is due."""
        timer, stale_step = self._timer, run_values.results
        if stale_step >= timer.last_quiet_step and timer.should_trigger_for_step(stale_step + 1):
            step = int(run_context.session.run(self._global_step))
            if timer.should_trigger_for_step(step):
                timer.update_last_triggered_step(step)
                if self._save(run_context.session, step)[1]:
                    run_context.request_stop()

    def end(self, session: Any) -> None:
        """Saves the last step, unless it is saved already, and calls the listeners' `end`."""
        last_step = int(session.run(self._global_step))
        if last_step != self._timer.last_triggered_step():
            self._save(session, last_step)
        for listener in self._listeners:
            listener.end(session, last_step)

    def save(self, session: Any) -> tuple[str | None, bool]:
        """Saves a checkpoint now; the steps or seconds to the next one count from here.

        Args:
            session: The session, without hooks.

        Returns:
            The checkpoint's path, and whether a listener wants the training to end.
        """
        step = int(session.run(self._global_step))
        self._timer.update_last_triggered_step(step)
        return self._save(session, step)

    def _save(self, session: Any, step: int) -> tuple[str | None, bool]:
        _log.info("Saving checkpoints for %d into %s.", step, self._save_path)
        for listener in self._listeners:
            listener.before_save(session, step)
        path = self._found_saver().save(session, self._save_path, global_step=step)
        from tensorboard.compat.proto import event_pb2

        self._summary_writer.add_session_log(
            event_pb2.SessionLog(status=event_pb2.SessionLog.CHECKPOINT, checkpoint_path=self._save_path), step
        )
        should_stop = False
        for listener in self._listeners:
            if listener.after_save(session, step):
                _log.info("A CheckpointSaverListener requested that training be stopped. listener: %s", listener)
                should_stop = True
        return path, should_stop

    def _found_saver(self) -> Any:
        if self._saver is not None:
            return self._saver
        if self._scaffold is not None:
            if self._scaffold.saver is None:
                raise RuntimeError(
                    "The scaffold given to CheckpointSaverHook has no saver. Give the same scaffold to the session, "
                    "which completes it: SingularMonitoredSession(hooks=[...], scaffold=scaffold)."
                )
            return self._scaffold.saver
        savers = get_default_graph().get_collection(GraphKeys.SAVERS)
        if not savers:
            raise RuntimeError(
                f"No items in collection {GraphKeys.SAVERS}. Please add a saver to the collection or provide a saver "
                "or scaffold."
            )
        if len(savers) > 1:
            raise RuntimeError(
                f"More than one item in collection {GraphKeys.SAVERS}. Please indicate which one to use by passing it "
                "to the constructor."
            )
        self._saver = savers[0]
        return self._saver
