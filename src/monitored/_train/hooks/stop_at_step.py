"""`StopAtStepHook`: ends the loop at a step."""

from __future__ import annotations

import math
from typing import Any

from monitored._train.hooks.global_steps import required_global_step
from monitored._train.session_run_hook import (
    SessionRunArgs,
    SessionRunContext,
    SessionRunHook,
    SessionRunValues,
)

__all__ = ["StopAtStepHook"]


class StopAtStepHook(SessionRunHook):
    """Asks for a stop when the global step has reached a number.

    Args:
        num_steps: How many steps to take, counted from where the session begins.
        last_step: The global step to stop at, wherever the session begins.

    Raises:
        ValueError: Unless exactly one of them is given.
    """

    def __init__(self, num_steps: int | None = None, last_step: int | None = None) -> None:
        if num_steps is None and last_step is None:
            raise ValueError("One of num_steps or last_step must be specified.")
        if num_steps is not None and last_step is not None:
            raise ValueError("Only one of num_steps or last_step can be specified.")
        self._num_steps = num_steps
        self._last_step = last_step
        self._before_last = -1 if last_step is None else last_step - 1

    def begin(self) -> None:
        """Finds the global step."""
        self._global_step = required_global_step("StopAtStepHook")
        self._args = SessionRunArgs(self._global_step)

    def after_create_session(self, session: Any, coord: Any) -> None:
        """Works out where to stop; a session that recovers an earlier one stops where that would have."""
        if self._last_step is None:
            assert self._num_steps is not None
            self._last_step = int(session.run(self._global_step)) + self._num_steps
        self._before_last = self._last_step - 1

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs:
        """Asks for the global step."""
        return self._args

    def quiet_runs(self, step: int, increment: int, secs_per_run: float) -> float:
        """The runs before the last one."""
        return max(0, math.ceil((self._before_last - step) / increment))

    def after_run(self, run_context: SessionRunContext, run_values: SessionRunValues) -> None:
        """Asks for a stop when the last step is taken."""
        if run_values.results >= self._before_last:
            assert self._last_step is not None
            if run_context.session.run(self._global_step) >= self._last_step:
                run_context.request_stop()
