"""Record files (TensorFlow's TFRecord format), and a writer that works in the background.

A record is, one after the other:

    length of the data           8 bytes, little endian
    masked crc32c of the length  4 bytes
    the data
    masked crc32c of the data    4 bytes

TensorBoard's own writer computes its checksums in Python, about 0.2 s for each megabyte, so this is not it.
"""

from __future__ import annotations

import struct
import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import IO, Final

import google_crc32c

from monitored import errors
from monitored._checkpoint.coding import mask_crc
from monitored._checkpoint.files import os_errors_as_tf

__all__ = ["BackgroundWriter", "pack_record", "read_records"]

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

    Args:
        path: The file, which must not exist.
        max_queue: How many records may wait before `write` does.
        flush_secs: Seconds after which what is written must have reached the file.

    Raises:
        OpError: If the file cannot be made.
    """

    def __init__(self, path: str, max_queue: int, flush_secs: float) -> None:
        self._path = path
        self._max_queue = max(1, max_queue)
        self._flush_secs = flush_secs
        with os_errors_as_tf(path):
            self._file: IO[bytes] = open(path, "xb")  # noqa: SIM115  (closed by the thread)
        # The condition's lock is held for every change of what follows.
        self._condition = threading.Condition()
        self._waiting: deque[bytes] = deque()
        self._busy = False  # the thread writes records that it has taken from `_waiting`
        self._flush_wanted = False
        self._closing = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="SummaryWriter", daemon=True)
        self._thread.start()

    def write(self, data: bytes) -> None:
        """Adds a record.

        Args:
            data: What it holds.

        Raises:
            OpError: If an earlier record could not be written.
            ValueError: If the writer is closed.
        """
        record = pack_record(data)
        with self._condition:
            if self._closing:
                raise ValueError(f"The writer of {self._path} is closed.")
            while len(self._waiting) >= self._max_queue and self._error is None:
                self._condition.wait()
            self._raise_error()
            self._waiting.append(record)
            if len(self._waiting) == 1:
                self._condition.notify_all()

    def flush(self) -> None:
        """Waits until everything written has reached the file.

        Raises:
            OpError: If it could not be written.
        """
        with self._condition:
            if not self._closing:
                self._flush_wanted = True
                self._condition.notify_all()
                while (self._waiting or self._busy or self._flush_wanted) and self._error is None:
                    self._condition.wait()
            self._raise_error()

    def close(self) -> None:
        """Writes what is left and closes the file; a second call does nothing.

        Raises:
            OpError: If it could not be written.
        """
        with self._condition:
            self._closing = True
            self._condition.notify_all()
        self._thread.join()
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        try:
            with os_errors_as_tf(self._path), self._file:
                self._write_until_closed()
        except BaseException as error:
            with self._condition:
                self._error = error
                self._waiting.clear()
                self._condition.notify_all()

    def _write_until_closed(self) -> None:
        condition = self._condition
        flush_at: float | None = None  # when what is in the file's buffer must be flushed
        while True:
            with condition:
                self._busy = False
                while not (self._waiting or self._closing or self._flush_wanted):
                    timeout = None if flush_at is None else flush_at - time.monotonic()
                    if timeout is not None and timeout <= 0:
                        break
                    condition.wait(timeout)
                records = list(self._waiting)
                self._waiting.clear()
                self._busy = True
                flush, closing = self._flush_wanted, self._closing
                condition.notify_all()
            self._file.writelines(records)
            if flush_at is None and records:
                flush_at = time.monotonic() + self._flush_secs
            if flush or closing or (flush_at is not None and time.monotonic() >= flush_at):
                self._file.flush()
                flush_at = None
            if closing:
                return
            if flush:
                with condition:
                    self._busy, self._flush_wanted = False, bool(self._waiting)
                    condition.notify_all()
