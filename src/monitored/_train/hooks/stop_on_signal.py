"""`StopOnSignalHook`: ends the loop in good order when the process is told to stop.

A signal's Python handler runs in the main thread, and only between two of its bytecodes: not while XLA compiles, nor
while a library waits. So the interpreter is told to write each signal's number to a pipe as it arrives
(`signal.set_wakeup_fd`), and a thread reads it, says so, and stops the process when there is a second one.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import weakref
from collections.abc import Iterable
from types import FrameType
from typing import Any, Final

from monitored._train.session_run_hook import SessionRunContext, SessionRunHook, SessionRunValues

__all__ = ["StopOnSignalHook"]

_SHELL: Final = 128  # a shell's exit code for a process that a signal ended is this and the signal's number
_LAST_WORDS: Final = 5.0  # seconds that the session's end waits for them to be printed
_active: weakref.WeakSet[StopOnSignalHook] = weakref.WeakSet()


class StopOnSignalHook(SessionRunHook):
    """Ends the loop at the next step boundary when the process gets SIGTERM or SIGINT (Ctrl-C).

    `should_stop` becomes true; a loop that goes on to run without asking ends by StopIteration, silently where it is in
    the session's ``with`` block. The session then ends as it does after the last step, so that a
    `CheckpointSaverHook` saves; and it exits from the process with the code that a shell gives to the signal: 143 for
    SIGTERM, 130 for SIGINT. A signal during compiling, restoring or evaluating is kept until that is done. A second
    signal stops the process at once, with the same code.

    The handlers that were there before are back when the session is closed. The session has to be made in the main
    thread, where Python handles signals.

        with tf.train.SingularMonitoredSession(hooks=[saver_hook, tf.train.StopOnSignalHook()]) as session:
            while not session.should_stop():
                session.run(train_op)

    Args:
        signals: The signals.
        exit_at_end: Whether the session's end raises SystemExit; if not, look at `exit_code` afterwards.

    Attributes:
        signum: The signal that arrived; None if none did.
    """

    def __init__(self, signals: Iterable[int] = (signal.SIGTERM, signal.SIGINT), *, exit_at_end: bool = True) -> None:
        self._signals = tuple(signal.Signals(number) for number in signals)
        self._exit_at_end = exit_at_end
        self.signum: signal.Signals | None = None
        self._ran_since = False  # the signal
        self._handlers: dict[signal.Signals, Any] = {}  # that were there before
        self._reader: threading.Thread | None = None
        self._speaker: threading.Thread | None = None
        self._pipe: tuple[int, int] | None = None

    @property
    def exit_code(self) -> int | None:
        """The exit code that tells of the signal: 128 and its number; None if none arrived."""
        return None if self.signum is None else _SHELL + self.signum

    def begin(self) -> None:
        """Installs the handlers.

        Raises:
            RuntimeError: If this is not the main thread.
        """
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError(
                "StopOnSignalHook works in the main thread only, for only there Python handles signals. Make the "
                "session there, or leave the hook out."
            )
        self.signum = None
        self._ran_since = False
        _active.add(self)
        self._open_pipe()
        for number in self._signals:
            self._handlers[number] = signal.signal(number, self._handle)

    def before_run(self, run_context: SessionRunContext) -> None:
        """Lets no run begin after one that a signal came before or in; a loop that asks has ended by then.

        Raises:
            StopIteration: If there was such a run.
        """
        if self._ran_since and self.signum is not None:
            raise StopIteration(f"Stopped by {self.signum.name}.")

    def after_run(self, run_context: SessionRunContext, run_values: SessionRunValues) -> None:
        """Notes that a run ended since the signal."""
        self._ran_since = self.signum is not None

    def wants_stop(self) -> bool:
        """Whether a signal arrived."""
        return self.signum is not None

    def after_close(self, error: BaseException | None) -> None:
        """Puts the handlers back that were there before.

        Raises:
            SystemExit: If a signal ended the loop, and nothing else went wrong.
        """
        self._restore()
        if error is None and self.signum is not None and self._exit_at_end:
            raise SystemExit(self.exit_code)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._reader is None:
            if self.signum is not None:
                self._stop_at_once(number)
            # Not by `print`, in the middle of which the signal may have come.
            _say(_noticed(number))
        self._note(number)

    def _note(self, number: int) -> None:
        """Takes the first signal."""
        if self.signum is None:
            self.signum = signal.Signals(number)

    def _stop_at_once(self, number: int) -> None:
        _say(f"{signal.Signals(number).name} again: stopping at once.")
        os._exit(_SHELL + number)

    # -- also while the main thread runs no Python code -------------------------------------------------------------

    def _open_pipe(self) -> None:
        if os.name != "posix":
            return
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        if before != -1:  # an event loop's, which needs it more
            signal.set_wakeup_fd(before)
            os.close(reading)
            os.close(writing)
            return
        self._pipe = reading, writing
        self._reader = threading.Thread(target=self._read, args=(reading,), name="StopOnSignalHook", daemon=True)
        self._reader.start()

    def _read(self, reading: int) -> None:
        seen = 0
        while numbers := os.read(reading, 64):
            for number in numbers:
                if number in self._signals:
                    seen += 1
                    if seen > 1:
                        self._stop_at_once(number)
                    self._note(number)
                    # In a thread of its own: where printing hangs, the second signal must be seen all the same.
                    self._speaker = threading.Thread(target=_print, args=(_noticed(number),), daemon=True)
                    self._speaker.start()

    def _restore(self) -> None:
        _active.discard(self)
        for number, handler in self._handlers.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._handlers.clear()
        if self._pipe is not None:
            reading, writing = self._pipe
            self._pipe = None
            signal.set_wakeup_fd(-1)
            os.close(writing)  # which ends the reader
            if self._reader is not None:
                self._reader.join()
                self._reader = None
            if self._speaker is not None:
                self._speaker.join(_LAST_WORDS)
                self._speaker = None
            os.close(reading)

    def _forget_in_child(self) -> None:
        """After a fork: the child's signals are its own, and must not be read by the parent."""
        self._reader = self._speaker = None  # threads of the parent
        self._restore()


def _noticed(number: int) -> str:
    return f"{signal.Signals(number).name}: stopping after this step. Once more stops at once."


def _print(text: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # nobody listens
        print(text, file=sys.stderr, flush=True)


def _say(text: str) -> None:
    with contextlib.suppress(OSError):  # nobody listens
        os.write(2, f"{text}\n".encode())


def _after_fork_in_child() -> None:
    for hook in list(_active):
        hook._forget_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
