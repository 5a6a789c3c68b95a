"""`WatchdogHook`: says what every thread is doing when something takes far longer than it did before."""

from __future__ import annotations

import faulthandler
import logging
import math
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import IO, Any, Final

from monitored._run.activity import activity, observe, stop_observing
from monitored._train.session_run_hook import SessionRunContext, SessionRunHook, SessionRunValues

__all__ = ["WatchdogHook"]

_log = logging.getLogger("monitored")

RUN: Final = "run"
BETWEEN_RUNS: Final = "the program between two runs"
_PAUSED: Final = "paused"
_UNPREDICTABLE: Final = {"compile", "restore", _PAUSED}  # one tells nothing about the next
_REMEMBERED: Final = 128  # durations of each activity
_ENOUGH: Final = 3  # durations to know what to expect
_QUANTILE: Final = 0.95


class _Doing:
    """An activity that goes on in a thread.

    Attributes:
        what: What it is.
        since: When it began or went on, in seconds.
        spent: The seconds that it took before another activity interrupted it.
        told: Whether it was found to take too long.
    """

    __slots__ = ("since", "spent", "told", "what")

    def __init__(self, what: str, now: float) -> None:
        self.what = what
        self.since = now
        self.spent = 0.0
        self.told = False


class WatchdogHook(SessionRunHook):
    """Writes out what every thread is doing when something takes far longer than it has learned to expect.

    It watches the runs, each method of the other hooks, saves, and what the program does between two runs, such as
    reading its input; each for itself, without what happens within it. What to expect is learned from the last 128
    times (their 0.95 quantile). Compiling and restoring are never expected to end soon: for them, and for what has
    happened fewer than three times, only `limit_secs` counts.

    Args:
        factor: How many times as long as expected is too long.
        minimum_secs: What takes fewer seconds than this is never too long.
        limit_secs: What takes more seconds than this is always too long, from the first time on; None for no limit.
        exit_code: The process ends with this exit code when something takes too long; None to let it go on. Choose one
            that tells it from other ends, such as 86.
        file: Where to write, a file with a descriptor; the standard error by default.
        poll_secs: Seconds from one look to the next.
        clock: Gives the time in seconds.
        stop: Ends the process with an exit code.

    Attributes:
        alarms: What was found to take too long, in order.

    Raises:
        ValueError: If a number is not positive, or `factor` is less than one.
    """

    watches_activities = True

    def __init__(
        self,
        factor: float = 10.0,
        minimum_secs: float = 60.0,
        limit_secs: float | None = None,
        exit_code: int | None = None,
        file: IO[Any] | None = None,
        *,
        poll_secs: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
        stop: Callable[[int], Any] = os._exit,
    ) -> None:
        if factor < 1:
            raise ValueError(f"factor must be one at least, not {factor}.")
        for name, secs in (("minimum_secs", minimum_secs), ("limit_secs", limit_secs), ("poll_secs", poll_secs)):
            if secs is not None and not secs > 0:
                raise ValueError(f"{name} must be a positive number of seconds, not {secs}.")
        self._factor = factor
        self._minimum_secs = minimum_secs
        self._limit_secs = limit_secs
        self._exit_code = exit_code
        self._file = file
        self._poll_secs = poll_secs
        self._clock = clock
        self._stop = stop
        self.alarms: list[str] = []
        self._learned: dict[str, deque[float]] = {}  # activity -> seconds, the last ones
        self._doing: dict[int, list[_Doing]] = {}  # thread -> its activities, each within the one before
        self._closed = threading.Event()
        self._watcher: threading.Thread | None = None

    def paused(self) -> AbstractContextManager[Any]:
        """A block in which nothing takes too long: for what the program does once in a while, such as an evaluation.

        Returns:
            A context manager.
        """
        return activity(_PAUSED)

    # -- the hook -------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Begins to watch."""
        self._closed.clear()
        observe(self)
        self._watcher = threading.Thread(target=self._watch, name="WatchdogHook", daemon=True)
        self._watcher.start()

    def before_run(self, run_context: SessionRunContext) -> None:
        """A run begins, so the program has done what it does between two runs."""
        self._turn_to(RUN)

    def after_run(self, run_context: SessionRunContext, run_values: SessionRunValues) -> None:
        """The run has ended."""
        self._turn_to(BETWEEN_RUNS)

    def quiet_runs(self, step: int, increment: int, secs_per_run: float) -> float:
        """All of them: together they are an activity of their own."""
        return math.inf

    def end(self, session: Any) -> None:
        """The program has ended its loop."""
        self._doing.pop(threading.get_ident(), None)

    def on_error(self, run_context: SessionRunContext, error: BaseException) -> None:
        """What failed has ended; from how long it took nothing is learned."""
        self._doing.pop(threading.get_ident(), None)

    def after_close(self, error: BaseException | None) -> None:
        """Watches no more."""
        stop_observing(self)
        self._closed.set()
        if self._watcher is not None and self._watcher is not threading.current_thread():
            self._watcher.join()
        self._doing.clear()

    # -- what goes on ---------------------------------------------------------------------------------------------

    def _turn_to(self, what: str) -> None:
        """The outermost activity of this thread ends, and another begins."""
        now, doing = self._clock(), self._doing.setdefault(threading.get_ident(), [])
        if len(doing) == 1:
            self._learn(doing[0], now)
        doing[:] = [_Doing(what, now)]

    def began(self, what: str) -> None:
        """An activity begins in this thread."""
        now, doing = self._clock(), self._doing.setdefault(threading.get_ident(), [])
        if doing:
            doing[-1].spent += now - doing[-1].since
        doing.append(_Doing(what, now))

    def ended(self, what: str) -> None:
        """The activity that began last in this thread has ended."""
        now, doing = self._clock(), self._doing.get(threading.get_ident())
        if not doing or doing[-1].what != what:  # it began before an error ended everything
            return
        self._learn(doing.pop(), now)
        if doing:
            doing[-1].since = now

    def _learn(self, done: _Doing, now: float) -> None:
        secs = done.spent + now - done.since
        self._learned.setdefault(done.what, deque(maxlen=_REMEMBERED)).append(secs)

    # -- the watch ------------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        while not self._closed.wait(self._poll_secs):
            self.check()

    def check(self) -> None:
        """Looks whether something takes too long; called by a thread every `poll_secs`."""
        now = self._clock()
        for stack in list(self._doing.values()):
            doing = stack[-1:]  # a copy: the thread goes on meanwhile
            if doing and not doing[0].told:
                secs, allowed = doing[0].spent + now - doing[0].since, self._allowed(doing[0].what)
                if allowed is not None and secs > allowed:
                    doing[0].told = True
                    self._alarm(doing[0].what, secs)

    def _expected(self, what: str) -> float | None:
        """How many seconds an activity takes at most as a rule, if that is known."""
        learned = sorted(self._learned.get(what, ()))
        if what in _UNPREDICTABLE or len(learned) < _ENOUGH:
            return None
        return learned[min(len(learned) - 1, int(_QUANTILE * len(learned)))]

    def _allowed(self, what: str) -> float | None:
        expected = self._expected(what)
        learned = None if expected is None else max(self._minimum_secs, self._factor * expected)
        given = None if what == _PAUSED else self._limit_secs
        return min((secs for secs in (learned, given) if secs is not None), default=None)

    def _alarm(self, what: str, secs: float) -> None:
        self.alarms.append(what)
        expected = self._expected(what)
        usual = "" if expected is None else f", where {expected:.3g} s is usual"
        text = f"Watchdog: {what} has taken {secs:.3g} s{usual}."
        _log.error("%s What every thread is doing:", text)
        file = self._file if self._file is not None else _standard_error()
        if file is not None:
            file.flush()
            os.write(file.fileno(), f"{text} What every thread is doing:\n".encode())
            faulthandler.dump_traceback(file)
        if self._exit_code is not None:
            self._stop(self._exit_code)


def _standard_error() -> IO[Any] | None:
    """The standard error, if there is one with a descriptor: notebooks replace it."""
    for file in (sys.stderr, sys.__stderr__):
        try:
            if file is not None:
                file.fileno()
                return file
        except (OSError, ValueError):
            continue
    return None
