"""Record files (TensorFlow's TFRecord format), and a writer that works in the background.

A record is, one after the other:

    length of the data           8 bytes, little endian
    masked crc32c of the length  4 bytes
    the data
    masked crc32c of the data    4 bytes

TensorBoard's own writer computes its checksums in Python, about 0.2 s for each megabyte, so this is not it.
"""

from __future__ import annotations

import contextlib
import logging
import struct
import threading
from collections import deque
from collections.abc import Iterator
from typing import Final

import google_crc32c

from monitored import errors
from monitored._checkpoint.coding import mask_crc
from monitored._checkpoint.files import os_errors_as_tf

__all__ = ["BackgroundWriter", "pack_record", "read_records"]

_log: Final = logging.getLogger("monitored")
_HEADER: Final = struct.Struct("<QI")
_CRC: Final = struct.Struct("<I")


def pack_record(data: bytes) -> bytes:
    """The bytes of a record.

    Args:
        data: What it holds.

    Returns:
        The record.
    """
    length = struct.pack("<Q", len(data))
    length_crc, data_crc = mask_crc(google_crc32c.value(length)), mask_crc(google_crc32c.value(data))
    return b"".join((length, _CRC.pack(length_crc), data, _CRC.pack(data_crc)))


def read_records(path: str) -> Iterator[bytes]:
    """Reads the records of a file.

    Args:
        path: The file.

    Yields:
        What each record holds.

    Raises:
        NotFoundError: If there is no such file.
        DataLossError: At a record that is damaged or cut off.
    """
    with os_errors_as_tf(path), open(path, "rb") as file:
        while True:
            start = file.tell()
            header = file.read(_HEADER.size)
            if not header:
                return
            if len(header) < _HEADER.size:
                raise errors.DataLossError(None, None, f"truncated record at {start} of {path}")
            length, length_crc = _HEADER.unpack(header)
            if mask_crc(google_crc32c.value(header[:8])) != length_crc:
                raise errors.DataLossError(None, None, f"corrupted record at {start} of {path}")
            data, data_crc = file.read(length), file.read(_CRC.size)
            if len(data) < length or len(data_crc) < _CRC.size:
                raise errors.DataLossError(None, None, f"truncated record at {start} of {path}")
            if mask_crc(google_crc32c.value(data)) != _CRC.unpack(data_crc)[0]:
                raise errors.DataLossError(None, None, f"corrupted record at {start} of {path}")
            yield data


class BackgroundWriter:
    """Appends records to a new file from a thread of its own, so that a slow disk does not hold up who writes.

    On a full disk records are lost, and the log says so; as soon as there is room, records are written again.

    Args:
        path: The file, which must not exist.
        max_queue: How many records may wait before `write` does.

    Raises:
        OpError: If the file cannot be made.
    """

    def __init__(self, path: str, max_queue: int) -> None:
        self._path = path
        self._max_queue = max(1, max_queue)
        with os_errors_as_tf(path):
            self._file = open(path, "xb", buffering=0)  # noqa: SIM115  (closed by the thread)
        # The condition's lock is held for every change of what follows.
        self._condition = threading.Condition()
        self._waiting: deque[bytes] = deque()
        self._busy = False  # the thread writes records that it has taken from `_waiting`
        self._flush_wanted = False
        self._closing = False
        self._error: errors.OpError | None = None  # of what was lost, not told yet
        self._is_losing = False  # the last records could not be written
        self._thread = threading.Thread(target=self._work, name="SummaryWriter", daemon=True)
        self._thread.start()

    def write(self, data: bytes) -> None:
        """Adds a record.

        Args:
            data: What it holds.

        Raises:
            ValueError: If the writer is closed.
        """
        record = pack_record(data)
        with self._condition:
            if self._closing:
                raise ValueError(f"The writer of {self._path} is closed.")
            while len(self._waiting) >= self._max_queue:
                self._condition.wait()
            self._waiting.append(record)
            if len(self._waiting) == 1:
                self._condition.notify_all()

    def flush(self) -> None:
        """Waits until everything written has reached the file.

        Raises:
            OpError: If some of what was written since the last call is lost.
        """
        with self._condition:
            if not self._closing:
                self._flush_wanted = True
                self._condition.notify_all()
                while self._waiting or self._busy or self._flush_wanted:
                    self._condition.wait()
            self._tell_error()

    def close(self) -> None:
        """Writes what is left and closes the file; a second call does nothing.

        Raises:
            OpError: As `flush` does.
        """
        with self._condition:
            self._closing = True
            self._condition.notify_all()
        self._thread.join()
        self._tell_error()

    def _tell_error(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _work(self) -> None:
        with self._file:
            self._write_until_closed()

    def _append(self, records: list[bytes]) -> None:
        """Appends records, all of them or none: half a record would hide from readers what comes after it."""
        end = self._file.tell()
        try:
            with os_errors_as_tf(self._path):
                rest = memoryview(b"".join(records))
                while rest:
                    rest = rest[self._file.write(rest) :]
        except errors.OpError as error:
            with contextlib.suppress(OSError):
                self._file.seek(end)
                self._file.truncate()
            if not self._is_losing:
                _log.error("%s. What should be written there is lost until it can be written again.", error.message)
            self._error, self._is_losing = error, True
        else:
            self._is_losing = False

    def _write_until_closed(self) -> None:
        condition = self._condition
        while True:
            with condition:
                self._busy = False
                while not (self._waiting or self._closing or self._flush_wanted):
                    condition.wait()
                records = list(self._waiting)
                self._waiting.clear()
                self._busy = True
                flush, closing = self._flush_wanted, self._closing
                condition.notify_all()
            if records:
                self._append(records)
            if closing:
                return
            if flush:
                with condition:
                    self._busy, self._flush_wanted = False, bool(self._waiting)
                    condition.notify_all()
