"""`NanTensorHook`: stops a training whose loss is no number any more."""

from __future__ import annotations

import logging
from typing import Any

from monitored._train.session_run_hook import (
    SessionRunArgs,
    SessionRunContext,
    SessionRunHook,
    SessionRunValues,
)

__all__ = ["NanLossDuringTrainingError", "NanTensorHook"]

_log = logging.getLogger("monitored")


class NanLossDuringTrainingError(RuntimeError):
    """The loss is NaN: training diverged."""

    def __str__(self) -> str:
        return "NaN loss during training."


class NanTensorHook(SessionRunHook):
    """Looks at the loss after each run, and fails or stops when it is NaN.

    Args:
        loss_tensor: The loss, a scalar tensor.
        fail_on_nan_loss: Whether to raise `NanLossDuringTrainingError`, rather than to ask for a stop.
    """

    def __init__(self, loss_tensor: Any, fail_on_nan_loss: bool = True) -> None:
        self._args = SessionRunArgs(loss_tensor)
        self._fail_on_nan_loss = fail_on_nan_loss

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs:
        """Asks for the loss."""
        return self._args

    def after_run(self, run_context: SessionRunContext, run_values: SessionRunValues) -> None:
        """Checks the loss.

        Raises:
            NanLossDuringTrainingError: If it is NaN, unless a stop is wanted instead.
        """
        loss = run_values.results
        if loss != loss:  # NaN is what differs from itself; `numpy.isnan` takes ten times as long
            message = "Model diverged with loss = NaN."
            if self._fail_on_nan_loss:
                _log.error(message)
                raise NanLossDuringTrainingError
            _log.warning(message)
            run_context.request_stop()
