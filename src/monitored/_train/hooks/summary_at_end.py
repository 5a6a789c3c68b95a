"""`SummaryAtEndHook`: writes summaries once, when the session ends."""

from __future__ import annotations

import os
from typing import Any

from monitored._graph.graph import get_default_graph
from monitored._ops.summary import merge_all
from monitored._train.global_step import get_or_create_global_step
from monitored._train.session_run_hook import SessionRunHook
from monitored._train.summary_io import FileWriterCache

__all__ = ["SummaryAtEndHook"]


class SummaryAtEndHook(SessionRunHook):
    """Writes summaries when the session ends without an error, for the global step.

    Args:
        log_dir: The directory of the event file.
        summary_writer: A `FileWriter` to use instead of that of `log_dir`.
        summary_op: The summary; all of the graph's, merged, by default.
        feed_dict: What to feed for it.

    Raises:
        ValueError: If neither `log_dir` nor `summary_writer` is given.
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] | None = None,
        summary_writer: Any = None,
        summary_op: Any = None,
        feed_dict: Any = None,
    ) -> None:
        if log_dir is None and summary_writer is None:
            raise ValueError("One of log_dir or summary_writer should be used.")
        self._log_dir = log_dir
        self._summary_writer = summary_writer
        self._given_op = summary_op
        self._feed_dict = feed_dict

    def begin(self) -> None:
        """Finds the summaries and opens the event file."""
        self._summary_op = merge_all() if self._given_op is None else self._given_op
        self._global_step = get_or_create_global_step(get_default_graph())
        if self._summary_writer is None:
            assert self._log_dir is not None
            self._summary_writer = FileWriterCache.get(self._log_dir)

    def end(self, session: Any) -> None:
        """Writes the summaries."""
        step = int(session.run(self._global_step))
        if self._summary_op is not None:
            self._summary_writer.add_summary(session.run(self._summary_op, self._feed_dict), step)
        self._summary_writer.flush()
