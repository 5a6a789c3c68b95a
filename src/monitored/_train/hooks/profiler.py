"""`ProfilerHook`: traces a run every now and then, for Chrome and TensorBoard."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from typing import Any

from monitored._checkpoint.files import replace_file
from monitored._run.timeline import Timeline
from monitored._train.hooks.global_steps import required_global_step
from monitored._train.hooks.timed_step import TimedStepHook
from monitored._train.hooks.timer import SecondOrStepTimer
from monitored._train.session_run_hook import SessionRunArgs, SessionRunContext, SessionRunValues
from monitored._train.summary_io import FileWriterCache

__all__ = ["ProfilerHook"]

_log = logging.getLogger("monitored")


class ProfilerHook(TimedStepHook):
    """Traces a run every so many steps or seconds, and writes ``timeline-<step>.json``.

    The file holds a Chrome trace (for ``chrome://tracing`` or https://ui.perfetto.dev): what the run's host steps,
    device segments and compilations took. The event file beside it has the same for TensorBoard's graph page. The
    first run, which mostly compiles, is left out. A run that is not traced costs what it costs without this hook.

    Args:
        save_steps: Steps from one trace to the next.
        save_secs: Seconds from one trace to the next, instead.
        output_dir: The directory of the files.
        show_dataflow: Whether arrows show what takes whose outputs.
        show_memory: Whether to show the memory that outputs hold.
        clock: Gives the time in seconds.

    Raises:
        ValueError: Unless exactly one of `save_steps` and `save_secs` is given.
    """

    def __init__(
        self,
        save_steps: int | None = None,
        save_secs: float | None = None,
        output_dir: str | os.PathLike[str] = "",
        show_dataflow: bool = True,
        show_memory: bool = False,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(SecondOrStepTimer(save_secs, save_steps, clock))
        self._output_dir = os.fspath(output_dir)
        self._show_dataflow = show_dataflow
        self._show_memory = show_memory

    def begin(self) -> None:
        """Finds the global step and opens the event file."""
        from tensorboard.compat.proto import config_pb2

        super().begin()
        self._global_step = required_global_step("ProfilerHook")
        options = config_pb2.RunOptions(trace_level=config_pb2.RunOptions.FULL_TRACE)
        self._args = SessionRunArgs(self._global_step)
        self._traced_args = SessionRunArgs(self._global_step, options=options)
        self._writer = FileWriterCache.get(self._output_dir or os.curdir)

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs:
        """Asks for the global step, and for a trace when it is due."""
        stale_step, timer = self._stale_step, self._timer
        self._due = (
            stale_step is not None
            and stale_step >= timer.last_quiet_step - 1
            and timer.should_trigger_for_step(stale_step + 2)
        )
        return self._traced_args if self._due else self._args

    def after_run(self, run_context: SessionRunContext, run_values: SessionRunValues) -> None:
        """Writes the trace when it is due."""
        if self._stale_step is None:
            self._timer.update_last_triggered_step(run_values.results)
        self._stale_step = run_values.results
        if self._due:
            step = int(run_context.session.run(self._global_step))
            self._timer.update_last_triggered_step(step)
            self._stale_step = step - 1
            self._write(step, run_values.run_metadata)

    quiet_runs = TimedStepHook.quiet_runs

    def _write(self, step: int, run_metadata: Any) -> None:
        path = os.path.join(self._output_dir, f"timeline-{step}.json")
        _log.info("Saving timeline for %d into '%s'.", step, path)
        trace = Timeline(run_metadata.step_stats).generate_chrome_trace_format(self._show_dataflow, self._show_memory)
        replace_file(path, trace.encode())
        try:
            self._writer.add_run_metadata(run_metadata, f"step_{step}", step)
        except ValueError:  # a session that was restored comes by a step a second time
            _log.debug("The event file has a trace of step %d already.", step)
