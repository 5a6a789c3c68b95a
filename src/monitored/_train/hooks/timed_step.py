"""What the hooks have in common that ask for more than the global step in the steps for which a timer is due."""

from __future__ import annotations

from typing import Any

from monitored._train.hooks.timer import SecondOrStepTimer
from monitored._train.session_run_hook import SessionRunHook

__all__ = ["TimedStepHook"]


class TimedStepHook(SessionRunHook):
    """A hook that knows before a run whether its timer is due for the step that the run leads to.

    The last run led to the step after `_stale_step`; the next one leads to the step after that.

    Args:
        timer: Says for which steps the hook has something to do.
    """

    def __init__(self, timer: SecondOrStepTimer) -> None:
        self._timer = timer

    def begin(self) -> None:
        """Waits for the first run."""
        self._stale_step: int | None = None  # the step before the last run; none before the first
        self._due = False

    def quiet_runs(self, step: int, increment: int, secs_per_run: float) -> float:
        """The runs before it is due."""
        if self._stale_step is None:
            return 0
        return self._timer.quiet_runs(self._stale_step + 2, increment, secs_per_run)

    def after_quiet_runs(self, runs: int, stale_step: int) -> None:
        """Notes where the global step was."""
        self._stale_step = stale_step

    def state_dict(self) -> dict[str, Any]:
        """When it was last due."""
        stale_step = None if self._stale_step is None else int(self._stale_step)
        return {"timer": self._timer.state_dict(), "stale_step": stale_step}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Is due next when the hook of the process before would have been."""
        self._timer.load_state_dict(state["timer"])
        self._stale_step = state["stale_step"]
