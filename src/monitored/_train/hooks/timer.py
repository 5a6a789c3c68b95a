"""`SecondOrStepTimer`: says when something that happens every so many seconds or steps is due."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

__all__ = ["SecondOrStepTimer"]


def runs_before(due_time: float, clock: Callable[[], float], secs_per_run: float) -> float:
    """How many runs end before a time.

    Args:
        due_time: The time.
        clock: The clock that it is a time of.
        secs_per_run: How long a run takes, about, in seconds.

    Returns:
        The number; 0 for a clock of which nobody knows when it will have come to that time.
    """
    if due_time == math.inf:
        return math.inf
    return max(0.0, (due_time - clock()) // secs_per_run) if clock is time.monotonic else 0.0


class SecondOrStepTimer:
    """Says when something is due: every so many seconds, or every so many steps.

    Args:
        every_secs: Seconds from one time to the next.
        every_steps: Steps from one time to the next.
        clock: Gives the time in seconds.

    Attributes:
        last_quiet_step: At this step and those before it is certainly not due; a comparison saves many a call.

    Raises:
        ValueError: Unless exactly one of `every_secs` and `every_steps` is given.
    """

    def __init__(
        self,
        every_secs: float | None = None,
        every_steps: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if every_secs is None and every_steps is None:
            raise ValueError("Either every_secs or every_steps should be provided.")
        if every_secs is not None and every_steps is not None:
            raise ValueError("Can not provide both every_secs and every_steps.")
        self._every_secs = every_secs
        self._every_steps = every_steps
        self._clock = clock
        self.reset()

    def reset(self) -> None:
        """Forgets when it triggered, so that it is due at once."""
        self._last_triggered_step: int | None = None
        self._last_triggered_time: float | None = None
        self._due_time = 0.0
        self._due_step: float = 0
        self.last_quiet_step = -math.inf

    def should_trigger_for_step(self, step: int) -> bool:
        """Whether it is due at a step (about 0.1 µs).

        Args:
            step: The present step.

        Returns:
            True at first, and when the seconds or steps have passed since the last `update_last_triggered_step`;
            never twice for one step.
        """
        last = self._last_triggered_step
        if last is None:
            return True
        if self._every_steps is not None:
            return step >= self._due_step and step != last
        return self._clock() >= self._due_time and step != last

    def update_last_triggered_step(self, step: int) -> tuple[float | None, int | None]:
        """Notes that it triggered.

        Args:
            step: The present step.

        Returns:
            The seconds and the steps since the last time; ``(None, None)`` for the first.
        """
        now = self._clock()
        since: tuple[float | None, int | None] = (None, None)
        if self._last_triggered_step is not None and self._last_triggered_time is not None:
            since = now - self._last_triggered_time, step - self._last_triggered_step
        self._note(step, now)
        return since

    def _note(self, step: int, time: float) -> None:
        self._last_triggered_step, self._last_triggered_time = step, time
        if self._every_secs is not None:
            self._due_time = time + self._every_secs
        elif self._every_steps is not None:
            self._due_step = step + self._every_steps
            self.last_quiet_step = self._due_step - 1

    def quiet_runs(self, step: float, increment: int, secs_per_run: float) -> float:
        """How many times in a row it will not be due.

        Args:
            step: The step for which it will be asked first.
            increment: How much further the next one is each time.
            secs_per_run: The seconds in between, about.

        Returns:
            The number.
        """
        if self._last_triggered_step is None:
            return 0
        if self._every_steps is not None:
            return max(0, math.ceil((self._due_step - step) / increment))
        return runs_before(self._due_time, self._clock, secs_per_run)

    def state_dict(self) -> dict[str, Any]:
        """When it last triggered, for a timer that goes on in another process."""
        then = self._last_triggered_time
        return {"step": self._last_triggered_step, "secs_ago": None if then is None else self._clock() - then}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on where another timer was; the time in between, in which nothing ran, does not count.

        Args:
            state: What its `state_dict` returned.
        """
        self.reset()
        if state["step"] is not None:
            self._note(int(state["step"]), self._clock() - float(state["secs_ago"]))

    def last_triggered_step(self) -> int | None:
        """The step at which it last triggered, or None."""
        return self._last_triggered_step
