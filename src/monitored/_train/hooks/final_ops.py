"""`FinalOpsHook`: evaluates something when the session ends."""

from __future__ import annotations

import logging
from typing import Any

from monitored import errors
from monitored._train.session_run_hook import SessionRunHook

__all__ = ["FinalOpsHook"]

_log = logging.getLogger("monitored")


class FinalOpsHook(SessionRunHook):
    """Evaluates tensors when the session ends without an error; `final_ops_values` then holds their values.

    Args:
        final_ops: What to fetch, as for `Session.run`.
        final_ops_feed_dict: Values for tensors, or None.
    """

    def __init__(self, final_ops: Any, final_ops_feed_dict: Any = None) -> None:
        self._final_ops = final_ops
        self._final_ops_feed_dict = final_ops_feed_dict
        self._final_ops_values: Any = None

    @property
    def final_ops_values(self) -> Any:
        """The values, in the structure of `final_ops`; None before the end."""
        return self._final_ops_values

    def end(self, session: Any) -> None:
        """Evaluates the tensors."""
        if self._final_ops is None:
            return
        try:
            self._final_ops_values = session.run(self._final_ops, feed_dict=self._final_ops_feed_dict)
        except (errors.OutOfRangeError, StopIteration):
            _log.warning(
                "An OutOfRangeError or StopIteration exception is raised by the code in FinalOpsHook. This typically "
                "means the Ops running by the FinalOpsHook have a dependency back to some input source, which should "
                "not happen. Give it tensors that depend on variables alone."
            )
            raise
