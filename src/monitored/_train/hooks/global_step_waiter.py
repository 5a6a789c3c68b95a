"""`GlobalStepWaiterHook`: lets a worker begin later than the others."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from monitored._train.hooks.global_steps import required_global_step
from monitored._train.session_run_hook import SessionRunContext, SessionRunHook

__all__ = ["GlobalStepWaiterHook"]

_log = logging.getLogger("monitored")
_POLL_SECS: Final = 0.5
_STEPS_BETWEEN_LINES: Final = 1000


class GlobalStepWaiterHook(SessionRunHook):
    """Holds back the first run until others have brought the global step to a number.

    Args:
        wait_until_step: The step to wait for.
        sleep: Waits for some seconds between one look at the step and the next.
    """

    def __init__(self, wait_until_step: int, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._wait_until_step = wait_until_step
        self._sleep = sleep
        self._started = False

    def begin(self) -> None:
        """Finds the global step."""
        self._started = False
        self._global_step = required_global_step("GlobalStepWaiterHook")

    def before_run(self, run_context: SessionRunContext) -> None:
        """Waits, before the first run."""
        if not self._started:
            self._started = True
            if self._wait_until_step > 0:
                self._wait(run_context)

    def _wait(self, run_context: SessionRunContext) -> None:
        _log.info("Waiting for global step %d before starting training.", self._wait_until_step)
        last_logged = 0
        while True:
            step = int(run_context.session.run(self._global_step))
            if step >= self._wait_until_step:
                _log.info("Done waiting for global step %d to start training.", self._wait_until_step)
                return
            if step - last_logged > _STEPS_BETWEEN_LINES:
                _log.info(
                    "Waiting for global step %d before starting training. Current step is %d.",
                    self._wait_until_step,
                    step,
                )
                last_logged = step
            self._sleep(_POLL_SECS)
