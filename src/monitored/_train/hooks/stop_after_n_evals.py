"""`StopAfterNEvalsHook`: ends an evaluation after a number of runs."""

from __future__ import annotations

import logging
from typing import Any, Final

from monitored._train.session_run_hook import (
    SessionRunArgs,
    SessionRunContext,
    SessionRunHook,
    SessionRunValues,
)

__all__ = ["StopAfterNEvalsHook"]

_log = logging.getLogger("monitored")
_FEW: Final = 20  # of fewer evaluations than this each one is logged, of more only about ten


class StopAfterNEvalsHook(SessionRunHook):
    """Asks for a stop after a number of evaluations; for `evaluate_once` and `evaluate_repeatedly`.

    Args:
        num_evals: How many evaluations to make; None to go on to the end of the input.
        log_progress: Whether to log how many have been made.
    """

    def __init__(self, num_evals: int | None, log_progress: bool = True) -> None:
        self._num_evals = num_evals
        self._log_progress = log_progress
        self._log_every = 1 if num_evals is None or num_evals < _FEW else num_evals // 10
        self._args: SessionRunArgs | None = None
        self._completed = 0

    def _set_evals_completed_tensor(self, tensor: Any) -> None:
        """Sets what counts the evaluations; without it the hook counts the runs."""
        self._args = SessionRunArgs(tensor)

    def begin(self) -> None:
        """Starts to count."""
        self._completed = 0

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs | None:
        """Asks for the number of evaluations."""
        return self._args

    def after_run(self, run_context: SessionRunContext, run_values: SessionRunValues) -> None:
        """Asks for a stop after the last one."""
        completed = self._completed = self._completed + 1 if self._args is None else int(run_values.results)
        last = self._num_evals
        if self._log_progress:
            if last is None:
                _log.info("Evaluation [%d]", completed)
            elif completed % self._log_every == 0 or completed == last:
                _log.info("Evaluation [%d/%d]", completed, last)
        if last is not None and completed >= last:
            run_context.request_stop()
