"""`StepCounterHook`: measures how many steps are taken each second."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Final

from monitored._train.hooks.global_steps import required_global_step
from monitored._train.hooks.timer import SecondOrStepTimer
from monitored._train.session_run_hook import (
    SessionRunArgs,
    SessionRunContext,
    SessionRunHook,
    SessionRunValues,
)
from monitored._train.summary_io import FileWriterCache

__all__ = ["StepCounterHook"]

_log = logging.getLogger("monitored")
_MAX_WARNINGS: Final = 5


class StepCounterHook(SessionRunHook):
    """Writes the number of steps taken each second to the log, and to TensorBoard when told where.

    Args:
        every_n_steps: Steps from one measurement to the next.
        every_n_secs: Seconds from one measurement to the next, instead.
        output_dir: The directory of the event file.
        summary_writer: A `FileWriter` to use instead of that of `output_dir`.
        clock: Gives the time in seconds.

    Raises:
        ValueError: Unless exactly one of `every_n_steps` and `every_n_secs` is given.
    """

    def __init__(
        self,
        every_n_steps: int | None = 100,
        every_n_secs: float | None = None,
        output_dir: str | None = None,
        summary_writer: Any = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if (every_n_steps is None) == (every_n_secs is None):
            raise ValueError("exactly one of every_n_steps and every_n_secs should be provided.")
        self._timer = SecondOrStepTimer(every_n_secs, every_n_steps, clock)
        self._summary_writer = summary_writer
        self._output_dir = output_dir
        self._last_step: int | None = None
        self._warnings = 0

    def begin(self) -> None:
        """Finds the global step and opens the event file."""
        if self._summary_writer is None and self._output_dir:
            self._summary_writer = FileWriterCache.get(self._output_dir)
        self._global_step = required_global_step("StepCounterHook")
        self._args = SessionRunArgs(self._global_step)
        self._tag = f"{self._global_step.op.name}/sec"

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs:
        """Asks for the global step."""
        return self._args

    def after_run(self, run_context: SessionRunContext, run_values: SessionRunValues) -> None:
        """Measures when it is due, and warns when the global step stands still."""
        timer, stale_step = self._timer, run_values.results
        if stale_step >= timer.last_quiet_step and timer.should_trigger_for_step(stale_step + 1):
            self._measure(run_context.session)
        if stale_step == self._last_step:
            self._warn(stale_step)
        self._last_step = stale_step

    def quiet_runs(self, step: int, increment: int, secs_per_run: float) -> float:
        """The runs before it is due."""
        return self._timer.quiet_runs(step + 1, increment, secs_per_run)

    def after_quiet_runs(self, runs: int, stale_step: int) -> None:
        """Notes where the global step was."""
        self._last_step = stale_step

    def state_dict(self) -> dict[str, Any]:
        """When it measured last."""
        return self._timer.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on with the measurement that was going on; the time between the processes does not count."""
        self._timer.load_state_dict(state)

    def _measure(self, session: Any) -> None:
        step = int(session.run(self._global_step))
        if not self._timer.should_trigger_for_step(step):
            return
        seconds, steps = self._timer.update_last_triggered_step(step)
        if seconds is None or steps is None:
            return
        rate = steps / seconds if seconds > 0 else float("inf")
        if self._summary_writer is not None:
            from tensorboard.compat.proto import summary_pb2

            value = summary_pb2.Summary.Value(tag=self._tag, simple_value=rate)
            self._summary_writer.add_summary(summary_pb2.Summary(value=[value]), step)
        _log.info("%s: %g", self._tag, rate)

    def _warn(self, step: int) -> None:
        if self._warnings < _MAX_WARNINGS:
            self._warnings += 1
            _log.warning(
                "It seems that global step (tf.train.get_global_step) has not been increased. Current value (could be "
                "stable): %s vs previous value: %s. You could increase the global step by passing "
                "tf.train.get_global_step() to Optimizer.apply_gradients or Optimizer.minimize.",
                step,
                self._last_step,
            )
