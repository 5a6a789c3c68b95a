"""The queues that a session holds: bounded, blocking, safe for any number of threads, and losing nothing.

A step (`enqueue`, `dequeue`, `close`) that cannot be done at once becomes an attempt and waits its turn: enqueues in
the order in which they came, dequeues likewise. A dequeue of many takes elements as they arrive, so that it may ask
for more than the queue can hold; what it has taken goes back to the front when it is cancelled, runs out of time or
finds the queue closed. Nothing here knows graphs: a queue holds tuples of NumPy values.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol

import numpy as np

from monitored import errors
from monitored._ops.philox import Philox

__all__ = ["FIFOStore", "HostQueue", "PriorityStore", "ShuffleStore", "Store", "stack_rows"]

Row = tuple[Any, ...]
Shape = tuple[int | None, ...] | None

_UNBOUNDED: Final = 2**31 - 1


class Cancellation(Protocol):
    """What a waiting step asks about its run."""

    def check(self) -> None:
        """Raises when the run is to end."""

    def remaining(self) -> float | None:
        """The seconds that the run has left; None for no limit."""

    def watching(self, condition: threading.Condition) -> Any:
        """A context in which the condition is notified when the run is to end."""


class Store(Protocol):
    """Where a queue keeps its elements, and in which order it gives them back."""

    def __len__(self) -> int:
        """The number of elements."""

    def available(self, closed: bool) -> int:
        """How many elements may be taken now."""

    def put(self, rows: Iterable[Row]) -> None:
        """Adds elements."""

    def take(self, count: int) -> list[Row]:
        """Removes and returns `count` elements, of which there are that many."""

    def put_back(self, rows: list[Row]) -> None:
        """Returns elements that were taken and not used."""


class FIFOStore(deque[Row]):
    """Elements in the order of their arrival."""

    def available(self, closed: bool) -> int:
        """All of them."""
        return len(self)

    put = deque.extend

    def take(self, count: int) -> list[Row]:
        """The oldest."""
        popleft = self.popleft
        return [popleft() for _ in range(count)]

    def put_back(self, rows: list[Row]) -> None:
        """To the front, in their old order."""
        self.extendleft(reversed(rows))


class ShuffleStore(list[Row]):
    """Elements in random order, with a reserve to choose from.

    The order is TensorFlow's for the same pair of seeds: a draw of Philox picks the element, and the last one
    moves to its place.

    Args:
        reserve: The number of elements that stay until the queue is closed, so that there is a choice.
        seed: The first seed.
        seed2: The second; when both are 0 the order differs in every process.
    """

    def __init__(self, reserve: int, seed: int, seed2: int) -> None:
        super().__init__()
        self._reserve = reserve
        self._draws = Philox(seed, seed2)

    def available(self, closed: bool) -> int:
        """All but the reserve; all of them when the queue is closed."""
        return len(self) if closed else max(0, len(self) - self._reserve)

    put = list.extend

    def take(self, count: int) -> list[Row]:
        """Any of them."""
        taken = []
        for _ in range(count):
            index = self._draws.next() % len(self)
            taken.append(self[index])
            self[index] = self[-1]
            self.pop()
        return taken

    def put_back(self, rows: list[Row]) -> None:
        """To the end, where TensorFlow puts them."""
        self.extend(reversed(rows))


class PriorityStore:
    """Elements by their first component, the least first; those of equal priority in the order of their arrival."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Row]] = []
        self._count = itertools.count()
        self._returned = itertools.count(-1, -1)

    def __len__(self) -> int:
        return len(self._heap)

    def available(self, closed: bool) -> int:
        """All of them."""
        return len(self._heap)

    def put(self, rows: Iterable[Row]) -> None:
        """Adds elements."""
        for row in rows:
            heapq.heappush(self._heap, (int(row[0]), next(self._count), row))

    def take(self, count: int) -> list[Row]:
        """Those of the least priority."""
        return [heapq.heappop(self._heap)[2] for _ in range(count)]

    def put_back(self, rows: list[Row]) -> None:
        """Before all others of their priority, in their old order."""
        for row in reversed(rows):
            heapq.heappush(self._heap, (int(row[0]), next(self._returned), row))


class _Enqueue:
    """A blocked enqueue, or (without rows, `close`) a close that waits for the enqueues before it."""

    __slots__ = ("close", "done", "error", "rows")

    def __init__(self, rows: list[Row], close: bool = False) -> None:
        self.rows = rows
        self.close = close
        self.done = False
        self.error: str | None = None


class _Dequeue:
    """A blocked dequeue: what it has, and how much more it wants."""

    __slots__ = ("done", "error", "rows", "smaller", "wanted")

    def __init__(self, wanted: int, smaller: bool) -> None:
        self.rows: list[Row] = []
        self.wanted = wanted
        self.smaller = smaller
        self.done = False
        self.error: str | None = None


class HostQueue:
    """A bounded blocking queue of tuples.

    Args:
        kind: TensorFlow's name of the class, for messages.
        name: The queue's name in messages.
        store: An empty store.
        capacity: The number of elements at which an enqueue waits; negative for no limit.
    """

    def __init__(self, kind: str, name: str, store: Store, capacity: int) -> None:
        self.kind = kind
        self.name = name
        self.capacity = capacity if capacity >= 0 else _UNBOUNDED
        # Every change of the following happens with the condition's lock held.
        self._condition = threading.Condition(threading.Lock())
        self._store = store
        self._closed = False
        self._enqueues: deque[_Enqueue] = deque()
        self._dequeues: deque[_Dequeue] = deque()

    def size(self) -> int:
        """The number of elements; those that a waiting dequeue has taken no longer count."""
        with self._condition:
            return len(self._store)

    def is_closed(self) -> bool:
        """Whether the queue takes no more elements; a close that waits for enqueues has not happened yet."""
        return self._closed

    def enqueue(self, rows: list[Row], cancellation: Cancellation, op: Any) -> None:
        """Adds elements, waiting for room.

        Args:
            rows: The elements. When the wait ends early, those for which there was room stay.
            cancellation: Ends the wait.
            op: The operation to blame.

        Raises:
            CancelledError: If the queue is closed, or closes with its pending enqueues, or the run is cancelled.
            DeadlineExceededError: If the run's time is over.
        """
        if not rows:
            return
        with self._condition:
            store = self._store
            if not self._enqueues and not self._closed and len(store) + len(rows) <= self.capacity:
                store.put(rows)
                if self._dequeues:
                    self._advance()
                return
            attempt = _Enqueue(rows)
            self._enqueues.append(attempt)
            self._advance()
            if not attempt.done:
                self._wait(attempt, cancellation, op)
        if attempt.error is not None:
            raise errors.CancelledError(None, op, attempt.error)

    def dequeue(self, count: int, cancellation: Cancellation, op: Any, smaller: bool = False) -> list[Row]:
        """Removes elements, waiting for them.

        Args:
            count: How many.
            cancellation: Ends the wait; no element is lost.
            op: The operation to blame.
            smaller: Whether fewer (but one at least) will do when the queue is closed.

        Returns:
            The elements.

        Raises:
            OutOfRangeError: If the queue is closed and does not hold enough.
            CancelledError: If the run is cancelled.
            DeadlineExceededError: If the run's time is over.
        """
        with self._condition:
            if not self._dequeues and self._store.available(self._closed) >= count:
                rows = self._store.take(count)
                if self._enqueues:
                    self._advance()
                return rows
            attempt = _Dequeue(count, smaller)
            self._dequeues.append(attempt)
            self._advance()
            if not attempt.done:
                self._wait(attempt, cancellation, op)
        if attempt.error is not None:
            raise errors.OutOfRangeError(None, op, attempt.error)
        return attempt.rows

    def close(self, cancel_pending_enqueues: bool, cancellation: Cancellation, op: Any) -> None:
        """Takes no more elements.

        Args:
            cancel_pending_enqueues: Whether enqueues that wait now fail; otherwise the close waits for them.
            cancellation: Ends the wait.
            op: The operation to blame.

        Raises:
            CancelledError: If the queue is closed already and enqueues are not cancelled, or the run is.
            DeadlineExceededError: If the run's time is over.
        """
        with self._condition:
            if cancel_pending_enqueues:
                self._closed = True
                for blocked in self._enqueues:
                    blocked.done = True
                    if not blocked.close:
                        blocked.error = "Enqueue operation was cancelled"
                self._enqueues.clear()
                self._condition.notify_all()
                self._advance()
                return
            attempt = _Enqueue([], close=True)
            self._enqueues.append(attempt)
            self._advance()
            if not attempt.done:
                self._wait(attempt, cancellation, op)
        if attempt.error is not None:
            raise errors.CancelledError(None, op, attempt.error)

    def _wait(self, attempt: _Enqueue | _Dequeue, cancellation: Cancellation, op: Any) -> None:
        """Waits, with the lock held, until an attempt is done; undoes it when the wait ends otherwise."""
        try:
            with cancellation.watching(self._condition):
                while not attempt.done:
                    cancellation.check()
                    self._condition.wait(cancellation.remaining())
        except BaseException as error:  # KeyboardInterrupt too: the elements go back whatever ended the wait
            if isinstance(attempt, _Dequeue):
                if not attempt.done:
                    self._dequeues.remove(attempt)
                self._store.put_back(attempt.rows)
            elif not attempt.done:
                self._enqueues.remove(attempt)
            self._advance()
            if isinstance(error, errors.CancelledError):
                what = "Dequeue" if isinstance(attempt, _Dequeue) else "Close" if attempt.close else "Enqueue"
                raise errors.CancelledError(None, op, f"{what} operation was cancelled") from None
            raise

    def _advance(self) -> None:
        """Does whatever the blocked attempts at the front can do now; the lock is held."""
        done = True
        any_done = False
        while done:
            done = self._advance_enqueues() | self._advance_dequeues()
            any_done |= done
        if any_done:
            self._condition.notify_all()

    def _advance_enqueues(self) -> bool:
        progress = False
        while self._enqueues:
            attempt = self._enqueues[0]
            if self._closed:
                # What TensorFlow says of a second close differs from what it says of an enqueue.
                attempt.error = (
                    f"Queue '{self.name}' is already closed."
                    if attempt.close
                    else f"{self.kind} '{self.name}' is closed."
                )
            elif attempt.close:
                self._closed = True
            else:
                room = max(0, self.capacity - len(self._store))
                if room < len(attempt.rows):
                    if room:
                        self._store.put(attempt.rows[:room])
                        attempt.rows = attempt.rows[room:]
                    return progress or room > 0
                self._store.put(attempt.rows)
            attempt.done = progress = True
            self._enqueues.popleft()
        return progress

    def _advance_dequeues(self) -> bool:
        progress = False
        while self._dequeues:
            attempt = self._dequeues[0]
            size = len(self._store)
            if self._closed and size < attempt.wanted:
                if attempt.smaller and (size or attempt.rows):
                    attempt.rows += self._store.take(size)
                else:
                    attempt.error = (
                        f"{self.kind} '{self.name}' is closed and has insufficient elements "
                        f"(requested {attempt.wanted}, current size {size})"
                    )
                    self._store.put_back(attempt.rows)
                    attempt.rows = []
            else:
                count = min(self._store.available(self._closed), attempt.wanted)
                attempt.rows += self._store.take(count)
                attempt.wanted -= count
                if attempt.wanted:
                    return progress or count > 0
            attempt.done = progress = True
            self._dequeues.popleft()
        return progress


def stack_rows(rows: Sequence[Row], dtypes: Sequence[Any], shapes: Sequence[Shape]) -> tuple[Any, ...]:
    """Joins elements into one array for each component, padding what may vary in size with zeros.

    Args:
        rows: The elements.
        dtypes: The NumPy type of each component.
        shapes: The shape of each component (None where sizes may vary).

    Returns:
        Arrays ``[len(rows), ...]``.
    """
    if not rows:
        return tuple(_stacked((), dtype, shape) for dtype, shape in zip(dtypes, shapes, strict=True))
    columns = zip(*rows, strict=True)
    return tuple(
        _padded(column, dtype) if shape is not None and None in shape else _stacked(column, dtype, shape)
        for column, dtype, shape in zip(columns, dtypes, shapes, strict=True)
    )


def _stacked(column: tuple[Any, ...], dtype: Any, shape: Shape) -> Any:
    sizes = (len(column), *(size or 0 for size in shape or ()))
    stacked = np.empty(sizes, dtype)
    if shape == ():
        stacked[:] = column
    else:
        for index, value in enumerate(column):  # faster than np.stack, which looks at every shape again
            stacked[index] = value
    return stacked


def _padded(column: tuple[Any, ...], dtype: Any) -> Any:
    sizes = [max(sizes) for sizes in zip(*(value.shape for value in column), strict=True)]
    empty: Any = b"" if dtype is np.object_ else 0
    padded = np.full((len(column), *sizes), empty, dtype)
    for index, value in enumerate(column):
        region: Any = (index, *map(slice, value.shape))
        padded[region] = value
    return padded
