"""`ProgressHook`: shows how far a training is, how fast it goes, and how long it has to go."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TextIO

import numpy as np

from monitored._graph.graph import get_default_graph
from monitored._train.global_step import get_global_step
from monitored._train.hooks.progress_display import Curve, Display, Progress, display_for
from monitored._train.hooks.timer import runs_before
from monitored._train.session_run_hook import (
    SessionRunArgs,
    SessionRunContext,
    SessionRunHook,
    SessionRunValues,
)

__all__ = ["ProgressHook"]

_WINDOW: Final = 20  # the rate is that between so many drawings


class ProgressHook(SessionRunHook):
    """Shows the step, the rate, the time left and some tensors, in a terminal or a notebook.

        hooks = [tf.train.StopAtStepHook(last_step=2000), tf.train.ProgressHook(2000, {"loss": loss})]

    What is printed and logged meanwhile appears above. Where the output is no terminal it shows nothing, or a line now
    and then if it is told so. It waits for the device no more often than it draws. When the graph has no global step
    it counts runs.

    Args:
        last_step: The step at which the training ends; without it there is no bar and no time left.
        tensors: Tensors or their names to show: a mapping from labels, or a sequence. Numbers get a small curve.
        num_steps: How many steps it takes from where the session begins, instead of `last_step`.
        every_n_secs: Seconds from one drawing to the next.
        plain_every_n_secs: Seconds from one line to the next where the output is no terminal; None for no lines.
        file: Where to; the standard error by default.
        clock: Gives the time in seconds.

    Raises:
        ValueError: If both `last_step` and `num_steps` are given.
    """

    def __init__(
        self,
        last_step: int | None = None,
        tensors: Mapping[str, Any] | Sequence[Any] = (),
        *,
        num_steps: int | None = None,
        every_n_secs: float = 0.5,
        plain_every_n_secs: float | None = None,
        file: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if last_step is not None and num_steps is not None:
            raise ValueError("Only one of num_steps or last_step can be specified.")
        if isinstance(tensors, Mapping):
            self._tensors = dict(tensors)
        else:
            self._tensors = {str(getattr(tensor, "name", tensor)).removesuffix(":0"): tensor for tensor in tensors}
        self._given_last_step = last_step
        self._num_steps = num_steps
        self._every = {"drawn": every_n_secs, "plain": plain_every_n_secs}
        self._file = file
        self._clock = clock
        self._display: Display | None = None

    def begin(self) -> None:
        """Finds the tensors, and where to show them."""
        graph = get_default_graph()
        fetches = {label: graph.as_graph_element(tensor) for label, tensor in self._tensors.items()}
        self._args = SessionRunArgs(fetches) if fetches else SessionRunArgs(None)
        self._global_step = get_global_step()
        self._curves = {label: Curve() for label in fetches}
        self._values: dict[str, Any] = {}
        self._display = display_for(self._file, self._every["plain"] is not None)
        self._seconds = self._every["plain" if self._display is not None and self._display.is_plain else "drawn"] or 0.0
        self._runs = 0
        self._began: float | None = None

    def after_create_session(self, session: Any, coord: Any) -> None:
        """Shows where it begins."""
        self._step = self._present_step(session)
        self._last_step = self._given_last_step
        if self._num_steps is not None:
            self._last_step = self._step + self._num_steps
        now = self._clock()
        self._began = now if self._began is None else self._began
        self._marks: deque[tuple[float, int]] = deque(maxlen=_WINDOW)
        self._due = self._display is not None
        self._next = now if self._due else float("inf")
        self._draw("starting")

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs | None:
        """Asks for the tensors when a drawing is due."""
        self._due = due = self._clock() >= self._next
        return self._args if due else None

    def after_run(self, run_context: SessionRunContext, run_values: SessionRunValues) -> None:
        """Draws when it is due."""
        self._runs += 1
        if not self._due:
            return
        self._step = self._present_step(run_context.session)
        self._values = run_values.results or {}
        for label, value in self._values.items():
            self._curves[label].add(self._step, value)
        now = self._clock()
        self._marks.append((now, self._step))
        self._draw("running")
        self._next = self._clock() + self._seconds

    def quiet_runs(self, step: int, increment: int, secs_per_run: float) -> float:
        """The runs before a drawing is due."""
        return runs_before(self._next, self._clock, secs_per_run)

    def after_quiet_runs(self, runs: int, stale_step: int) -> None:
        """Counts them."""
        self._runs += runs

    def end(self, session: Any) -> None:
        """Shows where it ended."""
        if self._display is not None:
            self._step = self._present_step(session)
            self._close("done")

    def after_close(self, error: BaseException | None) -> None:
        """Gives the terminal back, whatever happened."""
        self._close("done" if error is None else "stopped")

    def _present_step(self, session: Any) -> int:
        return self._runs if self._global_step is None else int(session.run(self._global_step))

    def _draw(self, state: str) -> None:
        if self._display is not None:
            self._display.show(self._progress(state))

    def _close(self, state: str) -> None:
        display, self._display = self._display, None
        if display is not None and self._began is not None:
            display.close(self._progress(state))

    def _progress(self, state: str) -> Progress:
        """What there is to show."""
        now = self._clock()
        began = now if self._began is None else self._began
        rate = None
        if len(self._marks) > 1:
            (then, before), (last, step) = self._marks[0], self._marks[-1]
            rate = (step - before) / (last - then) if last > then else None
        return Progress(
            state=state,
            step=self._step,
            last_step=self._last_step,
            rate=rate,
            seconds=now - began,
            values={label: _text(value) for label, value in self._values.items()},
            curves=self._curves,
        )


def _text(value: Any) -> str:
    """A value in a few characters, as many as the value before."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    array = np.asarray(value)
    if array.ndim == 0 and np.issubdtype(array.dtype, np.floating):
        return f"{float(array):#.4g}"
    if array.ndim == 0:
        return str(array[()])
    return " ".join(np.array2string(array, precision=4, threshold=6, edgeitems=2, suppress_small=True).split())
