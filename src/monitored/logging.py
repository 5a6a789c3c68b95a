"""Logging, on the logger named ``monitored``."""

from __future__ import annotations

from monitored._train.tf_logging import DEBUG as DEBUG
from monitored._train.tf_logging import ERROR as ERROR
from monitored._train.tf_logging import FATAL as FATAL
from monitored._train.tf_logging import INFO as INFO
from monitored._train.tf_logging import WARN as WARN
from monitored._train.tf_logging import TaskLevelStatusMessage as TaskLevelStatusMessage
from monitored._train.tf_logging import debug as debug
from monitored._train.tf_logging import error as error
from monitored._train.tf_logging import fatal as fatal
from monitored._train.tf_logging import flush as flush
from monitored._train.tf_logging import get_logger as get_logger
from monitored._train.tf_logging import get_verbosity as get_verbosity
from monitored._train.tf_logging import info as info
from monitored._train.tf_logging import log as log
from monitored._train.tf_logging import log_every_n as log_every_n
from monitored._train.tf_logging import log_first_n as log_first_n
from monitored._train.tf_logging import log_if as log_if
from monitored._train.tf_logging import set_verbosity as set_verbosity
from monitored._train.tf_logging import vlog as vlog
from monitored._train.tf_logging import warn as warn
from monitored._train.tf_logging import warning as warning

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
