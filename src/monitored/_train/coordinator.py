"""`Coordinator`: lets a set of threads stop together, and brings the first error among them to who waits for them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from monitored import errors

__all__ = ["Coordinator", "LooperThread"]

_log = logging.getLogger("monitored")
# How soon `join` notices a stop while it waits for a thread that goes on, in seconds.
_NOTICE: Final = 0.05


class Coordinator:
    """Stops a set of threads together.

    Any thread may ask for a stop with `request_stop`; all of them look at `should_stop`. `join` waits for them and
    raises the first error that was reported:

        coord = Coordinator()
        threads = [...]  # that loop `while not coord.should_stop()`, within `with coord.stop_on_exception():`
        coord.join(threads)

    Args:
        clean_stop_exception_types: Exceptions that mean a stop and no error; OutOfRangeError by default.
    """

    def __init__(self, clean_stop_exception_types: Iterable[type[BaseException]] | None = None) -> None:
        if clean_stop_exception_types is None:
            clean_stop_exception_types = (errors.OutOfRangeError,)
        self._clean_stop_exception_types = tuple(clean_stop_exception_types)
        # The lock is held for every change of what follows.
        self._lock = threading.Lock()
        self._stop_event = threading.Event()
        self._error: BaseException | None = None
        self._joined = False
        self._registered_threads: set[threading.Thread] = set()

    def request_stop(self, ex: Any = None) -> None:
        """Asks all threads to stop.

        The first error reported before or with the first request is what `join` raises; later ones are
        consequences, and ignored.

        Args:
            ex: The exception that is the reason, or its ``sys.exc_info()``; None when there is none.

        Raises:
            TypeError: If `ex` is no exception.
            BaseException: `ex` itself when `join` is over, for nobody would see it otherwise.
        """
        error = ex[1] if isinstance(ex, tuple) and len(ex) == 3 else ex
        if error is not None and not isinstance(error, BaseException):
            raise TypeError(f"ex must be an exception or a sys.exc_info() tuple, not {ex!r}")
        with self._lock:
            if isinstance(error, self._clean_stop_exception_types):
                error = None
            if self._joined and error is not None:
                raise error
            if not self._stop_event.is_set():
                if error is not None:
                    _log.info("Error reported to Coordinator: %s, %s", type(error), error)
                    self._error = error
                self._stop_event.set()

    def clear_stop(self) -> None:
        """Forgets the stop, and the error: the coordinator can be used again."""
        with self._lock:
            self._joined = False
            self._error = None
            self._stop_event.clear()

    def should_stop(self) -> bool:
        """Whether a stop was asked for."""
        return self._stop_event.is_set()

    @contextmanager
    def stop_on_exception(self) -> Iterator[None]:
        """Reports what is raised within the block, with `request_stop`, instead of letting it out.

        Yields:
            Nothing.
        """
        try:
            yield
        except BaseException as error:
            self.request_stop(error)

    def wait_for_stop(self, timeout: float | None = None) -> bool:
        """Waits until a stop is asked for.

        Args:
            timeout: Seconds to wait at most; None for no limit.

        Returns:
            Whether it was, rather than time having passed.
        """
        return self._stop_event.wait(timeout)

    def register_thread(self, thread: threading.Thread) -> None:
        """Adds a thread to those that `join` waits for.

        Args:
            thread: The thread.
        """
        with self._lock:
            self._registered_threads.add(thread)

    def join(
        self,
        threads: Iterable[threading.Thread] | None = None,
        stop_grace_period_secs: float = 120,
        ignore_live_threads: bool = False,
    ) -> None:
        """Waits until all threads have ended, and raises the error that was reported, if any.

        Before a stop is asked for it waits as long as it takes; from then on for a grace period.

        Args:
            threads: The threads, besides those that are registered.
            stop_grace_period_secs: Seconds that the threads have to end after a stop was asked for.
            ignore_live_threads: Whether threads that go on after that are only mentioned in the log.

        Raises:
            RuntimeError: If threads go on after the grace period, and there is no error to raise instead.
            BaseException: The first error reported to `request_stop`.
        """
        with self._lock:
            waited = {*self._registered_threads, *(threads or ())} - {threading.current_thread()}
        alive = [thread for thread in waited if thread.is_alive()]
        while alive and not self._stop_event.is_set():
            alive[-1].join(_NOTICE)
            alive = [thread for thread in alive if thread.is_alive()]
        deadline = time.monotonic() + stop_grace_period_secs
        for thread in alive:
            thread.join(max(0.0, deadline - time.monotonic()))
        stragglers = " ".join(sorted(thread.name for thread in waited if thread.is_alive()))
        with self._lock:
            self._joined = True
            self._registered_threads.clear()
            error = self._error
        if error is not None:
            raise error
        if stragglers:
            message = f"Coordinator stopped with threads still running: {stragglers}"
            if not ignore_live_threads:
                raise RuntimeError(message)
            _log.info(message)

    @property
    def joined(self) -> bool:
        """Whether `join` is over."""
        return self._joined

    def raise_requested_exception(self) -> None:
        """Raises the error that was reported, if any; otherwise does nothing."""
        error = self._error
        if error is not None:
            raise error


class LooperThread(threading.Thread):
    """A daemon thread that does something again and again until its coordinator stops.

    Override `run_loop`, or give a `target`. Errors go to the coordinator.

    Args:
        coord: The coordinator.
        timer_interval_secs: Seconds from the start of one turn to the start of the next; None for no pause.
        target: What to do in each turn.
        args: Positional arguments for `target`.
        kwargs: Keyword arguments for `target`.

    Raises:
        ValueError: If `coord` is no coordinator, or there are arguments and no target.
    """

    def __init__(
        self,
        coord: Coordinator,
        timer_interval_secs: float | None,
        target: Callable[..., Any] | None = None,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        if not isinstance(coord, Coordinator):
            raise ValueError(f"'coord' argument must be a Coordinator: {coord}")
        if target is None and (args or kwargs):
            raise ValueError("'args' and 'kwargs' argument require that you also pass 'target'")
        super().__init__(daemon=True)
        self._coord = coord
        self._timer_interval_secs = timer_interval_secs
        self._turn = target
        self._turn_args = tuple(args or ())
        self._turn_kwargs = dict(kwargs or {})
        coord.register_thread(self)

    @staticmethod
    def loop(
        coord: Coordinator,
        timer_interval_secs: float | None,
        target: Callable[..., Any],
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
    ) -> LooperThread:
        """Starts a thread that calls a function again and again; see the class for the arguments.

        Returns:
            The thread.
        """
        looper = LooperThread(coord, timer_interval_secs, target, args, kwargs)
        looper.start()
        return looper

    def run(self) -> None:
        """The thread's life: `start_loop`, `run_loop` until the stop, `stop_loop` unless something was raised."""
        with self._coord.stop_on_exception():
            self.start_loop()
            if self._timer_interval_secs is None:
                while not self._coord.should_stop():
                    self.run_loop()
            else:
                next_time = time.monotonic()
                while not self._coord.wait_for_stop(max(0.0, next_time - time.monotonic())):
                    next_time += self._timer_interval_secs
                    self.run_loop()
            self.stop_loop()

    def start_loop(self) -> None:
        """Called once, before the first turn."""

    def stop_loop(self) -> None:
        """Called once, after the last turn, unless something was raised."""

    def run_loop(self) -> None:
        """One turn: calls the target, if any."""
        if self._turn is not None:
            self._turn(*self._turn_args, **self._turn_kwargs)
