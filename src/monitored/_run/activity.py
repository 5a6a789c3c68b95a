"""Activities: what a thread is busy with, told to those who watch, such as a watchdog or a trace.

    with activity("save"):
        ...

costs about half a microsecond while nobody watches. Activities nest; each ends in the thread that began it.
"""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Protocol, Self


class Observer(Protocol):
    """Who is told when activities begin and end, in the thread that they belong to."""

    def began(self, what: str) -> None:
        """An activity begins, within the one that is going on if there is one."""

    def ended(self, what: str) -> None:
        """The activity that began last ends, well or not."""


class activity:
    """A block of code that is an activity.

    Args:
        what: What is being done: ``save``, ``compile``, ``StepCounterHook.after_run``.
    """

    __slots__ = ("_told", "_what")

    def __init__(self, what: str) -> None:
        self._what = what
        self._told: tuple[Observer, ...] = ()

    def __enter__(self) -> Self:
        if _observers:
            self._told = _observers
            for observer in self._told:
                observer.began(self._what)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for observer in self._told:
            observer.ended(self._what)


# Replaced whole, under the lock, so that an activity tells its end to those who were told its beginning.
_observers: tuple[Observer, ...] = ()
_changing = threading.Lock()


def observe(observer: Observer) -> None:
    """Tells an observer of every activity in the process from now on.

    Args:
        observer: The observer.
    """
    global _observers
    with _changing:
        _observers = (*_observers, observer)


def stop_observing(observer: Observer) -> None:
    """Tells an observer of no further activities; one that goes on is still told to end.

    Args:
        observer: The observer.
    """
    global _observers
    with _changing:
        _observers = tuple(o for o in _observers if o is not observer)
