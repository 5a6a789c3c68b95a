"""Event files, which TensorBoard reads: `FileWriter` writes them."""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import threading
import time
import warnings
import weakref
from types import TracebackType
from typing import Any, ClassVar, Final, Self

from monitored import errors
from monitored._checkpoint.files import os_errors_as_tf
from monitored._graph.graph import Graph, get_default_graph
from monitored._train.meta_graph import export_meta_graph
from monitored._train.records import BackgroundWriter

__all__ = ["FileWriter", "FileWriterCache"]

_FILE_VERSION: Final = "brain.Event:2"
_numbers = itertools.count()


class FileWriter:
    """Writes summaries, graphs and other events to a file that TensorBoard shows.

    Adding an event only hands it to a thread that writes it.

    Args:
        logdir: The directory of the new event file, made if there is none.
        graph: A `Graph` to add at once.
        max_queue: How many events may wait to be written before adding one more waits.
        flush_secs: Accepted; an event is in the file as soon as the disk takes it.
        graph_def: A `GraphDef` to add at once, instead of `graph`.
        filename_suffix: A text at the end of the file's name.
        session: A session, whose graph is added if none is given.

    Raises:
        OpError: If the file cannot be made.
    """

    def __init__(
        self,
        logdir: str | os.PathLike[str],
        graph: Any = None,
        max_queue: int = 10,
        flush_secs: float = 120,
        graph_def: Any = None,
        filename_suffix: str | None = None,
        session: Any = None,
    ) -> None:
        self._logdir = os.fspath(logdir)
        self._max_queue = max_queue
        self._suffix = filename_suffix or ""
        self._tags_with_metadata: set[str] = set()  # a tag's metadata is written once
        self._run_metadata_tags: set[str] = set()
        self._lock = threading.Lock()
        self._closed = False
        self._writer = self._open()
        if graph is None and graph_def is None and session is not None:
            graph = session.graph
        if graph is not None or graph_def is not None:
            self.add_graph(graph, graph_def=graph_def)
            if isinstance(graph, Graph):
                self.add_meta_graph(export_meta_graph(graph=graph))

    def _open(self) -> BackgroundWriter:
        with os_errors_as_tf(self._logdir):
            os.makedirs(self._logdir, exist_ok=True)
        # The number keeps the files of one process apart, the process number those of one host.
        name = f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}.{next(_numbers)}"
        writer = BackgroundWriter(os.path.join(self._logdir, name + self._suffix), self._max_queue)
        # What a program leaves open is written out when it ends.
        self._finalizer = weakref.finalize(self, _close_quietly, writer)
        version = _new_event()
        version.file_version = _FILE_VERSION
        writer.write(version.SerializeToString())
        writer.flush()
        return writer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def get_logdir(self) -> str:
        """The directory of the event file."""
        return self._logdir

    def add_summary(self, summary: Any, global_step: Any = None) -> None:
        """Adds the value of a summary operation.

        Args:
            summary: A `Summary`, or one serialized, as running a summary operation gives.
            global_step: The step that it belongs to.
        """
        event = _new_event(global_step)
        if isinstance(summary, bytes):
            event.summary.MergeFromString(summary)
        else:
            event.summary.CopyFrom(summary)
        for value in event.summary.value:
            if value.HasField("metadata"):
                if value.tag in self._tags_with_metadata:
                    value.ClearField("metadata")
                self._tags_with_metadata.add(value.tag)
        self.add_event(event)

    def add_session_log(self, session_log: Any, global_step: Any = None) -> None:
        """Adds a note about the session, such as that it starts here.

        Args:
            session_log: A `SessionLog`.
            global_step: The step that it belongs to.
        """
        event = _new_event(global_step)
        event.session_log.CopyFrom(session_log)
        self.add_event(event)

    def add_graph(self, graph: Any, global_step: Any = None, graph_def: Any = None) -> None:
        """Adds a graph.

        Args:
            graph: A `Graph`.
            global_step: The step that it belongs to.
            graph_def: A `GraphDef`, instead of `graph`.

        Raises:
            ValueError: If both are given.
            TypeError: If neither is.
        """
        if graph is not None and graph_def is not None:
            raise ValueError("Please pass only graph, or graph_def (deprecated), but not both.")
        given = graph_def if graph is None else graph
        if isinstance(given, Graph):
            proto = given.as_graph_def(add_shapes=True)
        elif given is not None and hasattr(given, "node") and hasattr(given, "SerializeToString"):
            proto = given
        else:
            raise TypeError("The passed graph must be an instance of `Graph` or the deprecated `GraphDef`")
        event = _new_event(global_step)
        event.graph_def = proto.SerializeToString()
        self.add_event(event)

    def add_meta_graph(self, meta_graph_def: Any, global_step: Any = None) -> None:
        """Adds a graph with its collections.

        Args:
            meta_graph_def: A `MetaGraphDef`.
            global_step: The step that it belongs to.

        Raises:
            TypeError: If it is none.
        """
        if not hasattr(meta_graph_def, "graph_def") or not hasattr(meta_graph_def, "SerializeToString"):
            raise TypeError(f"meta_graph_def must be type MetaGraphDef, saw type: {type(meta_graph_def)}")
        event = _new_event(global_step)
        event.meta_graph_def = meta_graph_def.SerializeToString()
        self.add_event(event)

    def add_run_metadata(self, run_metadata: Any, tag: str, global_step: Any = None) -> None:
        """Adds what a run recorded about itself.

        Args:
            run_metadata: A `RunMetadata`.
            tag: Its name, used once.
            global_step: The step that it belongs to.

        Raises:
            ValueError: If the tag was used before.
        """
        if tag in self._run_metadata_tags:
            raise ValueError("The provided tag was already used for this event type")
        self._run_metadata_tags.add(tag)
        event = _new_event(global_step)
        event.tagged_run_metadata.tag = tag
        event.tagged_run_metadata.run_metadata = run_metadata.SerializeToString()
        self.add_event(event)

    def add_event(self, event: Any) -> None:
        """Adds an event.

        Args:
            event: An `Event`.

        Raises:
            TypeError: If it is none.
            OpError: If earlier events could not be written.
        """
        if not hasattr(event, "wall_time") or not hasattr(event, "SerializeToString"):
            raise TypeError(f"Expected an event_pb2.Event proto, but got {type(event)}")
        if self._closed:
            warnings.warn(
                "Attempting to use a closed FileWriter. The operation will be a noop unless the FileWriter is "
                "explicitly reopened.",
                stacklevel=3,
            )
            return
        self._writer.write(event.SerializeToString())

    def flush(self) -> None:
        """Waits until all events are in the file.

        Raises:
            OpError: If they could not be written.
        """
        self._writer.flush()

    def close(self) -> None:
        """Writes what is left and closes the file; a second call does nothing.

        Raises:
            OpError: If it could not be written.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._finalizer.detach()
        self._writer.close()

    def reopen(self) -> None:
        """Goes on after `close`, in a new file of the same directory; does nothing before."""
        with self._lock:
            if self._closed:
                self._writer = self._open()
                self._closed = False


class FileWriterCache:
    """Keeps one `FileWriter` for each directory, so that what writes there shares it."""

    _lock: ClassVar[threading.Lock] = threading.Lock()
    _cache: ClassVar[dict[str, FileWriter]] = {}

    @staticmethod
    def clear() -> None:
        """Closes and forgets all of them."""
        with FileWriterCache._lock:
            writers = list(FileWriterCache._cache.values())
            FileWriterCache._cache.clear()
        for writer in writers:
            _close_quietly(writer)

    @staticmethod
    def get(logdir: str | os.PathLike[str]) -> FileWriter:
        """The writer for a directory, made when there is none: its file then begins with the default graph.

        Args:
            logdir: The directory.

        Returns:
            The writer.
        """
        directory = os.fspath(logdir)
        with FileWriterCache._lock:
            writer = FileWriterCache._cache.get(directory)
            if writer is None:
                writer = FileWriterCache._cache[directory] = FileWriter(directory, get_default_graph())
            return writer


def _new_event(global_step: Any = None) -> Any:
    from tensorboard.compat.proto import event_pb2

    event = event_pb2.Event(wall_time=time.time())
    if global_step is not None:
        event.step = int(global_step)
    return event


def _close_quietly(writer: FileWriter | BackgroundWriter) -> None:
    with contextlib.suppress(errors.OpError):  # the log has told what is lost
        writer.close()
