"""Cancellation: how closing a session, or a run's deadline, reaches what is blocked on the host."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from monitored import errors


class CancellationManager:
    """A session's switch: once cancelled, everything that watches is woken and `check` raises."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watching: list[threading.Condition] = []
        self.cancelled = False

    def cancel(self) -> None:
        """Wakes every watcher; from now on they find the switch thrown."""
        with self._lock:
            self.cancelled = True
            watching = list(self._watching)
        for condition in watching:
            with condition:
                condition.notify_all()

    def add(self, condition: threading.Condition) -> None:
        """Registers a condition to be notified."""
        with self._lock:
            self._watching.append(condition)

    def remove(self, condition: threading.Condition) -> None:
        """Forgets a condition."""
        with self._lock:
            self._watching.remove(condition)


class Cancellation:
    """One run's view of its session's switch, with the run's own deadline.

    Args:
        manager: The session's switch.
        timeout: Seconds that the run may take, or None for no limit.
    """

    def __init__(self, manager: CancellationManager, timeout: float | None = None) -> None:
        self._manager = manager
        self._deadline = None if timeout is None else time.monotonic() + timeout

    def check(self) -> None:
        """Raises when the run must not go on.

        Raises:
            CancelledError: If the session was closed.
            DeadlineExceededError: If the run's time is over.
        """
        if self._manager.cancelled:
            raise errors.CancelledError(None, None, "The session was closed while the operation was waiting.")
        remaining = self.remaining()
        if remaining is not None and remaining <= 0:
            raise errors.DeadlineExceededError(None, None, "Timed out waiting for notification")

    def remaining(self) -> float | None:
        """Seconds until the deadline, or None when there is none."""
        return None if self._deadline is None else self._deadline - time.monotonic()

    @contextmanager
    def watching(self, condition: threading.Condition) -> Iterator[None]:
        """Has a condition notified upon cancellation, within a block that holds it."""
        self._manager.add(condition)
        try:
            yield
        finally:
            self._manager.remove(condition)
