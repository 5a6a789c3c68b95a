"""`FeedFnHook`: feeds what a function gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from monitored._train.session_run_hook import SessionRunArgs, SessionRunContext, SessionRunHook

__all__ = ["FeedFnHook"]


class FeedFnHook(SessionRunHook):
    """Feeds each run with what a function gives.

    Args:
        feed_fn: Called without arguments before each run; gives the feed dictionary.
    """

    def __init__(self, feed_fn: Callable[[], Any]) -> None:
        self.feed_fn = feed_fn

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs:
        """Calls the function."""
        return SessionRunArgs(None, self.feed_fn())
