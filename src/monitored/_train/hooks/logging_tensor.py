"""`LoggingTensorHook`: writes the values of tensors to the log."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from monitored._graph.graph import get_default_graph
from monitored._train.hooks.timer import SecondOrStepTimer
from monitored._train.session_run_hook import (
    SessionRunArgs,
    SessionRunContext,
    SessionRunHook,
    SessionRunValues,
)

__all__ = ["LoggingTensorHook"]

_log = logging.getLogger("monitored")


class LoggingTensorHook(SessionRunHook):
    """Writes the values of tensors to the log, every so many runs or seconds, or at the end.

    The lines have the level INFO: `tf.logging.set_verbosity(tf.logging.INFO)` shows them. A run at which it is not
    due is the same run as without it.

    Args:
        tensors: Tensors or their names: a mapping from labels, or a sequence.
        every_n_iter: Runs from one line to the next; the first run has one.
        every_n_secs: Seconds from one line to the next.
        at_end: Whether to write a line when the session ends; if it is the only one, leave out the two above.
        formatter: Makes the line from a dictionary of values by label; ``label = value, ... (seconds)`` by default.
        clock: Gives the time in seconds.

    Raises:
        ValueError: If it is not told exactly one of when to write, or `every_n_iter` is not positive.
    """

    def __init__(
        self,
        tensors: Mapping[Any, Any] | Sequence[Any],
        every_n_iter: int | None = None,
        every_n_secs: float | None = None,
        at_end: bool = False,
        formatter: Callable[[dict[Any, Any]], Any] | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        only_at_end = at_end and every_n_iter is None and every_n_secs is None
        if not only_at_end and (every_n_iter is None) == (every_n_secs is None):
            raise ValueError("either at_end and/or exactly one of every_n_iter and every_n_secs must be provided.")
        if every_n_iter is not None and every_n_iter <= 0:
            raise ValueError(f"invalid every_n_iter={every_n_iter}.")
        self._tensors = dict(tensors) if isinstance(tensors, Mapping) else {item: item for item in tensors}
        # The timer counts runs, and stands still when only the end is of interest.
        self._timer = None if only_at_end else SecondOrStepTimer(every_n_secs, every_n_iter, clock)
        self._at_end = at_end
        self._formatter = formatter

    def begin(self) -> None:
        """Finds the tensors."""
        graph = get_default_graph()
        self._fetches = {label: graph.as_graph_element(item) for label, item in self._tensors.items()}
        self._args = SessionRunArgs(self._fetches)
        self._runs = 0
        self._due = False
        if self._timer is not None:
            self._timer.reset()

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs | None:
        """Asks for the tensors when a line is due."""
        self._due = due = self._timer is not None and self._timer.should_trigger_for_step(self._runs)
        return self._args if due else None

    def after_run(self, run_context: SessionRunContext, run_values: SessionRunValues) -> None:
        """Writes the line when it is due."""
        if self._due:
            self._write(run_values.results)
        self._runs += 1

    def quiet_runs(self, step: int, increment: int, secs_per_run: float) -> float:
        """The runs before it is due."""
        return math.inf if self._timer is None else self._timer.quiet_runs(self._runs, 1, secs_per_run)

    def after_quiet_runs(self, runs: int, stale_step: int) -> None:
        """Counts them."""
        self._runs += runs

    def state_dict(self) -> dict[str, Any]:
        """How many runs there were, and when the last line was written."""
        return {"runs": self._runs, "timer": None if self._timer is None else self._timer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Writes the next line when the process before would have."""
        self._runs = int(state["runs"])
        if self._timer is not None and state["timer"] is not None:
            self._timer.load_state_dict(state["timer"])

    def end(self, session: Any) -> None:
        """Writes the last line, if wanted."""
        if self._at_end:
            self._write(session.run(self._fetches))

    def _write(self, values: dict[Any, Any]) -> None:
        seconds = None if self._timer is None else self._timer.update_last_triggered_step(self._runs)[0]
        with np.printoptions(suppress=True):
            if self._formatter is not None:
                _log.info(self._formatter(values))
                return
            line = ", ".join(f"{label} = {values[label]}" for label in self._tensors)
            if seconds is None:
                _log.info("%s", line)
            else:
                _log.info("%s (%.3f sec)", line, seconds)
