"""Logging, on the logger named ``monitored``."""

# isort: skip_file
from __future__ import annotations

# fmt: off
from monitored._train.tf_logging import (
    DEBUG, ERROR, FATAL, INFO, TaskLevelStatusMessage, WARN, debug, error, fatal, flush, get_logger, get_verbosity,
    info, log, log_every_n, log_first_n, log_if, set_verbosity, vlog, warn, warning,
)

__all__ = [  # noqa: RUF022  (in alphabetical order)
    "DEBUG", "ERROR", "FATAL", "INFO", "TaskLevelStatusMessage", "WARN", "debug", "error", "fatal", "flush",
    "get_logger", "get_verbosity", "info", "log", "log_every_n", "log_first_n", "log_if", "set_verbosity", "vlog",
    "warn", "warning",
]
# fmt: on
