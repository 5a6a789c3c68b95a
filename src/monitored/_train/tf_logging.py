"""`tf.logging`: TensorFlow 1's logging functions, on the standard library's logger named ``monitored``."""

from __future__ import annotations

import logging
import sys
import threading
from collections import Counter
from typing import Any, Final

__all__ = [
    "DEBUG",
    "ERROR",
    "FATAL",
    "INFO",
    "WARN",
    "TaskLevelStatusMessage",
    "debug",
    "error",
    "fatal",
    "flush",
    "get_logger",
    "get_verbosity",
    "info",
    "log",
    "log_every_n",
    "log_first_n",
    "log_if",
    "set_verbosity",
    "vlog",
    "warn",
    "warning",
]

DEBUG: Final = logging.DEBUG
INFO: Final = logging.INFO
WARN: Final = logging.WARNING
ERROR: Final = logging.ERROR
FATAL: Final = logging.FATAL

_logger = logging.getLogger("monitored")
_counts: Counter[str] = Counter()
_counting = threading.Lock()


class _Terminal(logging.StreamHandler[Any]):
    """Writes to the standard error, unless the program has set up logging of its own."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self.setFormatter(logging.Formatter(logging.BASIC_FORMAT))

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a record."""
        if not logging.getLogger().handlers:
            self.setStream(sys.stderr)  # the present one: programs replace it
            super().emit(record)


_terminal = _Terminal()


def get_logger() -> logging.Logger:
    """The logger that everything here writes to.

    Returns:
        The standard library's logger named ``monitored``.
    """
    if _terminal not in _logger.handlers:
        _logger.addHandler(_terminal)
    return _logger


def log(level: int, msg: str, *args: Any, **kwargs: Any) -> None:
    """Writes a message of a level.

    Args:
        level: `DEBUG`, `INFO`, `WARN`, `ERROR` or `FATAL`.
        msg: The message, with ``%`` placeholders for `args`.
        args: Values for the placeholders.
        kwargs: As for the standard library's ``Logger.log``.
    """
    get_logger().log(level, msg, *args, **kwargs)


def debug(msg: str, *args: Any, **kwargs: Any) -> None:
    """Writes a message of level DEBUG; see `log`."""
    log(DEBUG, msg, *args, **kwargs)


def info(msg: str, *args: Any, **kwargs: Any) -> None:
    """Writes a message of level INFO; see `log`."""
    log(INFO, msg, *args, **kwargs)


def warning(msg: str, *args: Any, **kwargs: Any) -> None:
    """Writes a message of level WARN; see `log`."""
    log(WARN, msg, *args, **kwargs)


warn = warning


def error(msg: str, *args: Any, **kwargs: Any) -> None:
    """Writes a message of level ERROR; see `log`."""
    log(ERROR, msg, *args, **kwargs)


def fatal(msg: str, *args: Any, **kwargs: Any) -> None:
    """Writes a message of level FATAL; see `log`."""
    log(FATAL, msg, *args, **kwargs)


def vlog(level: int, msg: str, *args: Any, **kwargs: Any) -> None:
    """Writes a message of a level; see `log`."""
    log(level, msg, *args, **kwargs)


def TaskLevelStatusMessage(msg: str) -> None:
    """Writes a message of level ERROR."""
    error(msg)


def log_if(level: int, msg: str, condition: Any, *args: Any) -> None:
    """Writes a message if a condition holds; see `log`."""
    if condition:
        log(level, msg, *args)


def log_first_n(level: int, msg: str, n: int, *args: Any) -> None:
    """Writes a message the first `n` times that it is called from one place; see `log`."""
    count = _count()
    if count < n:
        log(level, msg, *args)


def log_every_n(level: int, msg: str, n: int, *args: Any) -> None:
    """Writes a message each `n`-th time that it is called from one place; see `log`."""
    if (_count() + 1) % n == 0:
        log(level, msg, *args)


def _count() -> int:
    """How often the caller's caller has come by its line before."""
    frame = sys._getframe(2)
    place = f"{frame.f_code.co_filename}:{frame.f_lineno}"
    with _counting:
        _counts[place] += 1
        return _counts[place] - 1


def flush() -> None:
    """Writes out what handlers hold back."""
    for handler in [*get_logger().handlers, *logging.getLogger().handlers]:
        handler.flush()


def get_verbosity() -> int:
    """The level from which on messages are written.

    Returns:
        `WARN` unless `set_verbosity` was called.
    """
    return get_logger().getEffectiveLevel()


def set_verbosity(v: int | str) -> None:
    """Sets the level from which on messages are written; with `INFO`, hooks show what they do.

    Args:
        v: `DEBUG`, `INFO`, `WARN`, `ERROR` or `FATAL`, or their names.
    """
    get_logger().setLevel(v)
