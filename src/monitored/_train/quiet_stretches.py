"""What `run_steps` of a monitored session does: stretches in which no hook has anything to do, and runs in between.

A hook that knows when it will next have something to do says so (`quiet_runs`). Up to there, steps are taken in a loop
on the device; the run in which the first hook is due is one like any other, so that each hook sees in it what it would
have seen. Which steps are taken in the loop depends on the hooks alone, and not on where a process began, so that a
resumed run is bit for bit the uninterrupted one also where a loop is compiled to other roundings than a single step.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import Any, Final

from monitored._run.session import BaseSession
from monitored._train.global_step import get_global_step
from monitored._train.hook_calls import HookCalls

__all__: list[str] = []

_FIRST_STRETCH: Final = 64  # runs, as long as it is not known how long one takes
_LONGEST_SECS: Final = 0.25  # of a stretch, after which signals and other threads are looked at


class Stretches:
    """The stretches of one call of `run_steps`.

    Args:
        session: The raw session.
        calls: The hooks.
        fetches: What each step fetches.
        feeds: What the steps feed, one after the other.
        alike: Whether all of them feed the same.
        note: Told how many steps each stretch had, and its seconds.
    """

    def __init__(
        self,
        session: BaseSession,
        calls: HookCalls,
        fetches: Any,
        feeds: Iterator[Any],
        alike: bool,
        note: Callable[[int, float], None],
    ) -> None:
        self._session = session
        self._calls = calls
        self._fetches = fetches
        self._feeds = feeds
        self._alike = alike
        self._note = note
        self._global_step = get_global_step(session.graph)
        self._secs_per_run: float | None = None

    def next_feed(self) -> Any:
        """What the next step feeds.

        Raises:
            StopIteration: If there is nothing left.
        """
        return next(self._feeds)

    def take(self, most: int) -> tuple[int, Any]:
        """Takes steps up to the next one in which a hook is due.

        Args:
            most: How many at most.

        Returns:
            How many steps were taken, and what the last one gave; `(0, None)` if the next step has to be a run.
        """
        first = next(self._feeds, None)
        if first is None:
            return 0, None
        self._feeds = chain([first], self._feeds)
        step, increment = self._progress(first)
        if increment is None:
            return 0, None
        secs = self._secs_per_run
        longest = _FIRST_STRETCH if secs is None else max(1, _LONGEST_SECS / secs)
        quiet = self._calls.quiet_runs(step, increment, secs or _LONGEST_SECS / _FIRST_STRETCH)
        count = int(min(most, quiet, longest))
        if count < 1:
            return 0, None
        began = time.perf_counter()
        taken, result = self._run(first, count)
        if self._global_step is not None:
            self._session.run(self._global_step)  # waits for the device
        secs = time.perf_counter() - began
        self._note(taken, secs)
        self._secs_per_run = max(1e-9, secs / taken)
        self._calls.after_quiet_runs(taken, step + (taken - 1) * increment)
        return taken, result

    def _progress(self, feed_dict: Any) -> tuple[int, int | None]:
        """The global step, and what a run adds to it; None if a run cannot be part of a loop."""
        variable = self._global_step
        increment = self._session.added_by_run(self._fetches, feed_dict, variable and variable.op)
        if increment is None or increment <= 0:
            return 0, None
        return 0 if variable is None else int(self._session.run(variable)), increment

    def _run(self, first: Any, count: int) -> tuple[int, Any]:
        if self._alike:
            return count, self._session.run_steps(self._fetches, count, first)
        taken = 0

        def counted() -> Iterator[Any]:
            nonlocal taken
            for feed in islice(self._feeds, count):
                taken += 1
                yield feed

        result = self._session.run_steps(self._fetches, count, feeds=counted())
        return taken, result
