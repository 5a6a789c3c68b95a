"""One process at a time saves in a directory.

Two that do so by mistake would remove each other's checkpoints, and each would go on where the other was. So whoever is
about to save time and again locks the directory's `checkpoint.lock`, which tells who holds it. The operating system
lets go of the lock when the process ends, however it ends: a file that a killed process has left is no lock.
"""

import contextlib
import errno
import glob
import json
import os
import socket
import sys
import threading
from datetime import datetime
from typing import Any, Final

from monitored import errors
from monitored._checkpoint.bundle import Path
from monitored._checkpoint.files import TEMPORARY, discard

if sys.platform != "win32":
    import fcntl

_FILE: Final = "checkpoint.lock"
_TAKEN: Final = (errno.EACCES, errno.EAGAIN)

_held: dict[str, "_Held"] = {}  # by this process: the directory's real path -> its lock
_changing = threading.Lock()


class _Held:
    """A lock of this process, which its sessions share."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.process = os.getpid()  # a fork has inherited the number, but not the lock
        self.users = 0


class DirectoryLock:
    """The right to save in a directory, until `release`."""

    def __init__(self, directory: Path) -> None:
        """Takes the lock, and removes the unfinished files of processes that were killed.

        Within one process any number of these may exist. Where the file system has no locks, or the file cannot be
        made, there is none: what is wrong with the directory, saving tells.

        Args:
            directory: The directory, which exists.

        Raises:
            FailedPreconditionError: Another process holds it.
        """
        self._directory = os.path.realpath(directory)
        self._held: _Held | None = None
        with _changing:
            held = _held.get(self._directory)
            if held is None or held.process != os.getpid():
                descriptor = _locked(os.path.join(self._directory, _FILE), os.fspath(directory))
                if descriptor is None:
                    return
                held = _held[self._directory] = _Held(descriptor)
                discard(glob.glob(os.path.join(glob.escape(self._directory), f"*{TEMPORARY}*")))
            held.users += 1
            self._held = held

    def release(self) -> None:
        """Lets go of the lock, the first time that it is called."""
        with _changing:
            held, self._held = self._held, None
            if held is None or held.process != os.getpid():
                return
            held.users -= 1
            if not held.users:
                del _held[self._directory]
                discard([os.path.join(self._directory, _FILE)])
                os.close(held.descriptor)


def _locked(file: str, directory: str) -> int | None:
    """Opens and locks a file, and writes into it who holds it."""
    if sys.platform == "win32":
        return None
    while True:
        try:
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError:
            return None
        try:
            # Unlike `flock`, this is not passed on to forks, which may outlive the process.
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.exists(file) and os.path.samestat(os.fstat(descriptor), os.stat(file)):
                holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": _now()}
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, json.dumps(holder).encode(), 0)
                return descriptor
        except OSError as error:
            if error.errno in _TAKEN:
                holder = _holder(descriptor)
                os.close(descriptor)
                raise _taken(directory, holder) from None
            os.close(descriptor)
            return None
        os.close(descriptor)  # it was removed between the two calls: once more


def _holder(descriptor: int) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(os.pread(descriptor, 4096, 0))
        if isinstance(found, dict):
            return found
    return {}


def _taken(directory: str, holder: dict[str, Any]) -> errors.OpError:
    pid, host = holder.get("pid", "unknown"), holder.get("host", "an unknown host")
    return errors.FailedPreconditionError(
        None,
        None,
        f"{directory} is in use: process {pid} on {host} has been saving checkpoints there since "
        f"{holder.get('since', 'an unknown time')}. Two processes that train in one directory overwrite and remove "
        f"each other's checkpoints. Use another checkpoint_dir, or end that process first:\n  kill {pid}",
    )


def _now() -> str:
    return datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
