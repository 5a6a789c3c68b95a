"""Runs of a monitored session in which no hook has anything to do, and which are made without calling any.

Hooks that know when they are due say so (`SessionRunHook.quiet_runs`): up to a global step, for a number of runs, or
for a time. Until then a run looks at these three and at nothing else. The global step is known without a look at the
device as long as the state changes by the same executable in run after run (`monitored._run.counters`); when something
else came in between, the hooks are called again. So they are called in every run in which they would have done
something had they been called in all, and are told before of those that they missed.
"""

from __future__ import annotations

import time
from typing import Any, Final

from monitored._run.counters import Counter
from monitored._run.session import BaseSession
from monitored._train.global_step import get_global_step
from monitored._train.hook_calls import HookCalls, Merged

__all__: list[str] = []

NOT_QUIET: Final = object()

_FEWEST: Final = 8  # runs for which it is worth to ask the hooks, which takes about as long as to call them twice
_UNASKED: Final = 64  # runs, after hooks have said that they are due soon
_LONGEST_SECS: Final = 0.05  # so that hooks are not late for what they do not know before, as the error of a save
_SECS_PER_RUN: Final = 1e-4  # as if each run took this: then what hooks answer is a time, too


class QuietRuns:
    """A stretch of quiet runs.

    Args:
        session: The raw session.
        calls: The hooks.
        merged: What they ask for in such runs.
        counter: What follows the global step.
        count: How many quiet runs the hooks expect.
        most: How many may be made.

    Attributes:
        taken: How many were made.
    """

    __slots__ = (
        "_calls", "_counter", "_deadline", "_fetches", "_known", "_latest", "_most", "_run_joined", "_stale_step",
        "_store", "_until", "taken",
    )  # fmt: skip

    def __init__(
        self, session: BaseSession, calls: HookCalls, merged: Merged, counter: Counter, count: float, most: int
    ) -> None:
        self._run_joined = session.run_joined
        self._store = session._store
        self._latest = self._store.latest
        self._calls = calls
        self._fetches = merged.fetches
        self._known: Any = merged.known
        self._counter = counter
        self._until = counter.count + count * counter.added
        self._most = min(count, most)
        self._deadline = time.monotonic() + min(count * _SECS_PER_RUN, _LONGEST_SECS)
        self._stale_step = 0
        self.taken = 0

    def run(self, fetches: Any, feed_dict: Any) -> Any:
        """Makes a run, if it is a quiet one.

        Args:
            fetches: As for `Session.run`.
            feed_dict: As for `Session.run`.

        Returns:
            As `Session.run` returns; `NOT_QUIET` if the hooks have to be called, and nothing was run.
        """
        step = self._counter.count
        if (
            self._store.latest is not self._latest
            or step >= self._until
            or self.taken >= self._most
            or time.monotonic() >= self._deadline
        ):
            return NOT_QUIET
        results = self._run_joined(fetches, self._fetches, feed_dict, self._known)
        self._stale_step = step
        self.taken += 1
        return results[0]

    def end(self) -> bool:
        """Tells the hooks of the runs.

        Returns:
            Whether nothing else was run in between.
        """
        if self.taken:
            self._calls.after_quiet_runs(self.taken, self._stale_step)
        return self._store.latest is self._latest


class Regularity:
    """Finds out when it is worth to ask the hooks: when they have asked for the same in some runs in a row.

    Args:
        calls: The hooks.
    """

    def __init__(self, calls: HookCalls) -> None:
        self._calls = calls
        self._merged: Merged | None = None  # what they asked for in the last run
        self._alike = 0  # in how many runs

    def quiet_runs(self, session: BaseSession, merged: Merged, most: int) -> QuietRuns | None:
        """Notes a run in which the hooks were called, and asks them how many of the next ones are quiet.

        Args:
            session: The raw session.
            merged: What they asked for in this run.
            most: How many runs may be made without them.

        Returns:
            The runs; None if there are hardly any, or the global step is not known without a look at the device.
        """
        if merged is not self._merged:
            self._merged, self._alike = merged, 0
        self._alike += 1
        if self._alike < _FEWEST:
            return None
        found = self._asked(session, merged, most)
        if found is None:
            self._alike = -_UNASKED
        return found

    def interrupt(self) -> None:
        """Notes that something else was run in between."""
        self._alike = 0

    def _asked(self, session: BaseSession, merged: Merged, most: int) -> QuietRuns | None:
        calls = self._calls
        if merged.feeds or merged.options or merged.known is None or calls.watched:
            return None
        variable, latest = get_global_step(session.graph), session._store.latest
        if variable is None or latest is None:
            return None
        counter = next((counter for counter in latest.counters if counter.variable is variable.op), None)
        if counter is None or counter.added <= 0:
            return None
        count = calls.quiet_runs(counter.count, counter.added, _SECS_PER_RUN)
        return None if min(count, most) < _FEWEST else QuietRuns(session, calls, merged, counter, count, most)
