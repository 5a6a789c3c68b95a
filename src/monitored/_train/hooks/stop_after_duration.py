"""`StopAfterDurationHook`: ends the loop when its time is over."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from monitored._train.hooks.timer import runs_before
from monitored._train.session_run_hook import SessionRunContext, SessionRunHook, SessionRunValues

__all__ = ["StopAfterDurationHook"]

_log = logging.getLogger("monitored")


class StopAfterDurationHook(SessionRunHook):
    """Asks for a stop after the first run that ends when a time has passed.

    The time counts from when the session is made, restoring and compiling included, as a job's time limit does. Leave
    room for the last save: ``StopAfterDurationHook(max_duration=limit - 60)``.

    Args:
        max_duration: The time, in seconds.
        clock: Gives the time in seconds.

    Attributes:
        stopped: Whether the time was over, and a stop asked for.

    Raises:
        ValueError: If the time is negative.
    """

    def __init__(self, max_duration: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        if not max_duration >= 0:
            raise ValueError(f"max_duration must be a number of seconds, not {max_duration}.")
        self._max_duration = max_duration
        self._clock = clock
        self.stopped = False

    def begin(self) -> None:
        """Starts to count."""
        self.stopped = False
        self._end = self._clock() + self._max_duration

    def quiet_runs(self, step: int, increment: int, secs_per_run: float) -> float:
        """The runs before the time is over."""
        return 0 if self.stopped else runs_before(self._end, self._clock, secs_per_run)

    def after_run(self, run_context: SessionRunContext, run_values: SessionRunValues) -> None:
        """Asks for a stop when the time is over."""
        if self._clock() >= self._end and not self.stopped:
            self.stopped = True
            _log.info("Stopping: %g seconds have passed.", self._max_duration)
        if self.stopped:
            run_context.request_stop()
