"""`summary_iterator`: reads event files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from monitored._train.records import read_records

__all__ = ["summary_iterator"]


def summary_iterator(path: str | os.PathLike[str]) -> Iterator[Any]:
    """Reads the events of an event file.

    Args:
        path: The file.

    Yields:
        Each `Event`.

    Raises:
        NotFoundError: If there is no such file.
        DataLossError: At an event that is damaged or cut off.
    """
    from tensorboard.compat.proto import event_pb2

    for data in read_records(os.fspath(path)):
        yield event_pb2.Event.FromString(data)
