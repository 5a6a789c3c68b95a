"""`StepWatch`: says when something is due, and looks at the global step only then."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from monitored._train.hooks.timer import runs_before

__all__ = ["StepWatch"]


class StepWatch:
    """Says when something is due that happens every so many steps or seconds, without fetching the step at each run.

    Whoever fetches something makes the run wait for the device. So runs are counted, and only when about as many have
    passed as it takes is the global step worth a look:

        if watch.should_look():               # after each run, about 0.1 µs
            step = session.run(global_step)
            if watch.is_due(step): ...

    Args:
        every_steps: Steps from one time to the next.
        every_secs: Seconds from one time to the next, instead. With neither it is never due.
        clock: Gives the time in seconds.

    Raises:
        ValueError: If both are given, or one is not positive.
    """

    def __init__(
        self,
        every_steps: int | None = None,
        every_secs: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if every_steps is not None and every_secs is not None:
            raise ValueError("Can not provide both every_n_steps and every_n_secs.")
        for given in (every_steps, every_secs):
            if given is not None and given <= 0:
                raise ValueError(f"Steps and seconds between two times must be positive, not {given}.")
        self._every_steps = every_steps
        self._every_secs = every_secs
        self._clock = clock
        self.start(0)

    def start(self, step: int) -> None:
        """Counts from here.

        Args:
            step: The present step.
        """
        self._last_step = self._looked_at = step
        self._wait_runs(1.0 if self._every_steps is None else self._every_steps)
        if self._every_secs is not None:
            self._due_time = self._clock() + self._every_secs

    def resume(self, last_step: int, step: int) -> None:
        """Counts from a step before the present one.

        Args:
            last_step: The step at which it was last due.
            step: The present step.
        """
        self.start(step)
        if self._every_steps is not None and last_step <= step:
            self._last_step = last_step
            self._wait_runs(last_step + self._every_steps - step)

    @property
    def last_step(self) -> int:
        """The step at which it was last due, or where it began to count."""
        return self._last_step

    def _wait_runs(self, runs: float) -> None:
        self._waited = self._left = max(1, math.ceil(runs))

    def should_look(self) -> bool:
        """Whether the global step is worth a look; called once after each run."""
        if self._every_secs is not None:
            return self._clock() >= self._due_time
        self._left -= 1
        return self._left <= 0 and self._every_steps is not None

    def quiet_runs(self, secs_per_run: float) -> float:
        """After how many runs the global step will be worth a look, about, less one."""
        if self._every_secs is not None:
            return runs_before(self._due_time, self._clock, secs_per_run)
        return math.inf if self._every_steps is None else max(0, self._left - 1)

    def skip(self, runs: int) -> None:
        """Counts runs after which `should_look` was not asked."""
        self._left -= runs

    def is_due(self, step: int) -> bool:
        """Whether it is due, having looked; if so, it counts from here.

        Args:
            step: The present step.

        Returns:
            True when the steps or seconds have passed; never twice for one step.
        """
        if self._every_steps is None:
            due = step != self._last_step
            self.start(step)
            return due
        each = max(1.0, (step - self._looked_at) / self._waited)  # steps in a run, as they were of late
        self._looked_at = step
        left = self._last_step + self._every_steps - step
        if left <= 0:
            self._last_step, left = step, self._every_steps
            self._wait_runs(left / each)
            return True
        self._wait_runs(left / each)
        return False
