"""`SummarySaverHook`: writes summaries to an event file."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable
from typing import Any

from monitored import errors
from monitored._train.hooks.global_steps import required_global_step
from monitored._train.hooks.timed_step import TimedStepHook
from monitored._train.hooks.timer import SecondOrStepTimer
from monitored._train.session_run_hook import SessionRunArgs, SessionRunContext, SessionRunValues
from monitored._train.summary_io import FileWriterCache

__all__ = ["SummarySaverHook"]


class SummarySaverHook(TimedStepHook):
    """Writes summaries to an event file, every so many steps or seconds; the first run is written.

    Args:
        save_steps: Steps from one time to the next.
        save_secs: Seconds from one time to the next, instead.
        output_dir: The directory of the event file.
        summary_writer: A `FileWriter` to use instead of that of `output_dir`. Without either nothing is written.
        scaffold: A `Scaffold`, whose `summary_op` is written.
        summary_op: A summary tensor, or a list of them, instead.
        clock: Gives the time in seconds.

    Raises:
        ValueError: Unless exactly one of `save_steps` and `save_secs`, and of `scaffold` and `summary_op`, is given.
    """

    def __init__(
        self,
        save_steps: int | None = None,
        save_secs: float | None = None,
        output_dir: str | None = None,
        summary_writer: Any = None,
        scaffold: Any = None,
        summary_op: Any = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if (scaffold is None) == (summary_op is None):
            raise ValueError("Exactly one of scaffold or summary_op must be provided.")
        super().__init__(SecondOrStepTimer(save_secs, save_steps, clock))
        self._summary_op = summary_op
        self._scaffold = scaffold
        self._output_dir = output_dir
        self._summary_writer = summary_writer

    def begin(self) -> None:
        """Finds the global step and opens the event file."""
        super().begin()
        if self._summary_writer is None and self._output_dir:
            self._summary_writer = FileWriterCache.get(self._output_dir)
        self._global_step = required_global_step("SummarySaverHook")
        self._step_args = SessionRunArgs(self._global_step)
        self._all_args: SessionRunArgs | None = None

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs | None:
        """Asks for the global step, and for the summaries when they are due."""
        if self._summary_writer is None:
            return None
        stale_step = self._stale_step
        if stale_step is not None and (
            stale_step < self._timer.last_quiet_step - 1 or not self._timer.should_trigger_for_step(stale_step + 2)
        ):
            self._due = False
            return self._step_args
        self._due = True
        if self._all_args is None:  # the scaffold has its summaries only once it is complete
            self._all_args = SessionRunArgs(self._summaries())
        return self._all_args

    def after_run(self, run_context: SessionRunContext, run_values: SessionRunValues) -> None:
        """Writes the summaries when they are due."""
        writer = self._summary_writer
        if writer is None:
            return
        if not self._due:
            self._stale_step = run_values.results
            return
        step = int(run_context.session.run(self._global_step))
        if self._stale_step is None:
            self._log_start(step)
        self._timer.update_last_triggered_step(step)
        for summary in run_values.results:
            writer.add_summary(summary, step)
        self._stale_step = step - 1

    def quiet_runs(self, step: int, increment: int, secs_per_run: float) -> float:
        """The runs before it is due."""
        if self._summary_writer is None:
            return math.inf
        return super().quiet_runs(step, increment, secs_per_run)

    def after_create_session(self, session: Any, coord: Any) -> None:
        """Has TensorBoard pass over what an earlier process wrote after the step that this one goes on from."""
        if self._summary_writer is not None and self._stale_step is not None:
            self._log_start(self._stale_step + 2)

    def _log_start(self, step: int) -> None:
        from tensorboard.compat.proto import event_pb2

        self._summary_writer.add_session_log(event_pb2.SessionLog(status=event_pb2.SessionLog.START), step)

    def end(self, session: Any = None) -> None:
        """Waits until everything is in the file."""
        if self._summary_writer is not None:
            with contextlib.suppress(errors.OpError):  # the log has told what is lost
                self._summary_writer.flush()

    def _summaries(self) -> list[Any]:
        found = self._summary_op if self._summary_op is not None else self._scaffold.summary_op
        if found is None:
            return []
        return list(found) if isinstance(found, (list, tuple)) else [found]
