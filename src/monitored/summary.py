"""Summaries: what TensorBoard shows."""

# isort: skip_file
from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tensorboard.compat.proto.event_pb2 import Event as Event
    from tensorboard.compat.proto.event_pb2 import SessionLog as SessionLog
    from tensorboard.compat.proto.summary_pb2 import Summary as Summary
    from tensorboard.compat.proto.summary_pb2 import SummaryDescription as SummaryDescription
    from tensorboard.compat.proto.summary_pb2 import SummaryMetadata as SummaryMetadata


# fmt: off
from monitored._ops.summary import audio, histogram, image, merge, merge_all, scalar, tensor_summary, text
from monitored._train.summary_io import FileWriter, FileWriterCache

__all__ = [
    "Event", "FileWriter", "FileWriterCache", "SessionLog", "Summary", "SummaryDescription", "SummaryMetadata",
    "audio", "histogram", "image", "merge", "merge_all", "scalar", "tensor_summary", "text",
]
# fmt: on


_PROTOS = {
    "Summary": "summary_pb2",
    "SummaryDescription": "summary_pb2",
    "SummaryMetadata": "summary_pb2",
    "Event": "event_pb2",
    "SessionLog": "event_pb2",
}


def __getattr__(name: str) -> Any:
    # Protocol buffers cost 50 ms to import; most programs use none of them by name.
    if name in _PROTOS:
        return getattr(importlib.import_module(f"tensorboard.compat.proto.{_PROTOS[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
