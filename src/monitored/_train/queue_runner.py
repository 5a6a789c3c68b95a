"""`QueueRunner`: threads that keep a queue filled."""

from __future__ import annotations

import functools
import logging
import threading
import weakref
from collections.abc import Sequence
from typing import Any, Final

from monitored import errors
from monitored._graph import defaults
from monitored._graph.collections import GraphKeys
from monitored._graph.graph import get_default_graph
from monitored._graph.operation import Operation
from monitored._run.session import BaseSession
from monitored._train.coordinator import Coordinator

__all__ = ["QueueRunner", "add_queue_runner", "start_queue_runners"]

_log = logging.getLogger("monitored")
# The fields of QueueRunnerDef in the order of their numbers (`queue_runner.proto`); an enum is an int32 on the wire.
_FIELDS: Final = (
    ("queue_name", "STRING", "OPTIONAL"),
    ("enqueue_op_name", "STRING", "REPEATED"),
    ("close_op_name", "STRING", "OPTIONAL"),
    ("cancel_op_name", "STRING", "OPTIONAL"),
    ("queue_closed_exception_types", "INT32", "REPEATED"),
)


class QueueRunner:
    """Runs enqueue operations, each in a thread of its own, until the input ends or the coordinator stops.

    When the last of them has met the end of its input, the queue is closed, so that who dequeues meets it too. When
    the coordinator stops, the queue is closed with its pending enqueues cancelled, so that no thread stays blocked.

    Args:
        queue: The queue.
        enqueue_ops: The operations; one thread runs each of them again and again.
        close_op: Closes the queue at the end of the input; ``queue.close()`` by default.
        cancel_op: Closes the queue at a stop; ``queue.close(cancel_pending_enqueues=True)`` by default.
        queue_closed_exception_types: The errors that mean the end of the input; OutOfRangeError by default.
        queue_runner_def: What `to_proto` gave, instead of all of these.
        import_scope: The scope into which the graph of `queue_runner_def` was imported.

    Raises:
        ValueError: If `queue` or `enqueue_ops` is missing, or there is a `queue_runner_def` besides.
        TypeError: If `queue_closed_exception_types` is no tuple of errors.
    """

    def __init__(
        self,
        queue: Any = None,
        enqueue_ops: Sequence[Any] | None = None,
        close_op: Operation | None = None,
        cancel_op: Operation | None = None,
        queue_closed_exception_types: tuple[type[errors.OpError], ...] | None = None,
        queue_runner_def: Any = None,
        import_scope: str | None = None,
    ) -> None:
        if queue_runner_def is not None:
            if queue is not None or enqueue_ops:
                raise ValueError("queue_runner_def and queue are mutually exclusive.")
            parts = _parts_of(queue_runner_def, import_scope)
            queue, enqueue_ops, close_op, cancel_op, queue_closed_exception_types = parts
        if queue is None or not enqueue_ops:
            raise ValueError("Must provide queue and enqueue_ops.")
        types = (errors.OutOfRangeError,) if queue_closed_exception_types is None else queue_closed_exception_types
        if (
            not isinstance(types, tuple)
            or not types
            or not all(isinstance(t, type) and issubclass(t, errors.OpError) for t in types)
        ):
            raise TypeError(
                "queue_closed_exception_types, when provided, must be a tuple of tf.error types, but saw: "
                f"{queue_closed_exception_types}"
            )
        self._queue = queue
        self._enqueue_ops = list(enqueue_ops)
        self._close_op = queue.close() if close_op is None else close_op
        self._cancel_op = queue.close(cancel_pending_enqueues=True) if cancel_op is None else cancel_op
        self._queue_closed_exception_types = types
        # The lock is held for every change of what follows.
        self._lock = threading.Lock()
        self._runs: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()  # threads at work, by session
        self._exceptions_raised: list[BaseException] = []

    @property
    def queue(self) -> Any:
        """The queue."""
        return self._queue

    @property
    def enqueue_ops(self) -> list[Any]:
        """The operations that the threads run."""
        return self._enqueue_ops

    @property
    def close_op(self) -> Operation:
        """Closes the queue at the end of the input."""
        return self._close_op

    @property
    def cancel_op(self) -> Operation:
        """Closes the queue when the coordinator stops."""
        return self._cancel_op

    @property
    def queue_closed_exception_types(self) -> tuple[type[errors.OpError], ...]:
        """The errors that mean the end of the input."""
        return self._queue_closed_exception_types

    @property
    def exceptions_raised(self) -> list[BaseException]:
        """What the threads of the last start failed with, where there was no coordinator to report it to."""
        return self._exceptions_raised

    @property
    def name(self) -> str:
        """The name of the queue."""
        name: str = self._queue.name
        return name

    def to_proto(self, export_scope: str | None = None) -> Any:
        """The queue runner as TensorFlow's `QueueRunnerDef`, as a MetaGraph holds it.

        Args:
            export_scope: Only a queue runner of this scope is exported, and the scope is left out of the names.

        Returns:
            The protocol buffer; None for a queue runner of another scope.
        """
        prefix = f"{export_scope.rstrip('/')}/" if export_scope else ""
        if not self.name.startswith(prefix):
            return None
        proto = _queue_runner_def()(queue_name=self.name.removeprefix(prefix))
        proto.enqueue_op_name.extend(op.name.removeprefix(prefix) for op in self._enqueue_ops)
        proto.close_op_name = self._close_op.name.removeprefix(prefix)
        proto.cancel_op_name = self._cancel_op.name.removeprefix(prefix)
        codes = map(errors.error_code_from_exception_type, self._queue_closed_exception_types)
        proto.queue_closed_exception_types.extend(codes)
        return proto

    @staticmethod
    def from_proto(queue_runner_def: Any, import_scope: str | None = None) -> QueueRunner:
        """The queue runner that a `QueueRunnerDef` describes, for operations of the default graph.

        Args:
            queue_runner_def: The protocol buffer, or its bytes.
            import_scope: The scope into which its graph was imported.

        Returns:
            The queue runner.
        """
        return QueueRunner(queue_runner_def=queue_runner_def, import_scope=import_scope)

    def create_threads(
        self, sess: BaseSession, coord: Coordinator | None = None, daemon: bool = False, start: bool = False
    ) -> list[threading.Thread]:
        """Makes the threads for a session.

        Args:
            sess: The session that runs the operations.
            coord: Stops the threads, and is told their errors; the threads are registered with it.
            daemon: Whether the threads let the process end while they go on.
            start: Whether to start them.

        Returns:
            The threads; none when those of an earlier call are still at work.
        """
        with self._lock:
            if self._runs.get(sess, 0) > 0:
                return []
            self._runs[sess] = len(self._enqueue_ops)
            self._exceptions_raised = []
        threads = [
            threading.Thread(
                target=self._run, args=(sess, op, coord), name=f"QueueRunnerThread-{self.name}-{op.name}", daemon=daemon
            )
            for op in self._enqueue_ops
        ]
        if coord is not None:
            threads.append(
                threading.Thread(
                    target=self._close_on_stop,
                    args=(sess, coord),
                    name=f"QueueRunnerThread-{self.name}-close_on_stop",
                    daemon=daemon,
                )
            )
            for thread in threads:
                coord.register_thread(thread)
        if start:
            for thread in threads:
                thread.start()
        return threads

    def _run(self, sess: BaseSession, enqueue_op: Any, coord: Coordinator | None) -> None:
        try:
            enqueue = sess.make_callable(enqueue_op)
            while coord is None or not coord.should_stop():
                enqueue()
            self._leave(sess)
        except self._queue_closed_exception_types:
            if self._leave(sess) == 0:  # the others have met the end before
                self._close(sess, self._close_op)
        except Exception as error:
            self._leave(sess)
            if coord is not None:
                coord.request_stop(error)
            else:
                _log.error("Exception in QueueRunner: %s", error)
                with self._lock:
                    self._exceptions_raised.append(error)

    def _leave(self, sess: BaseSession) -> int:
        """Counts a thread as done, and returns how many of the session's are still at work."""
        with self._lock:
            self._runs[sess] -= 1
            return self._runs[sess]

    def _close_on_stop(self, sess: BaseSession, coord: Coordinator) -> None:
        coord.wait_for_stop()
        self._close(sess, self._cancel_op)

    def _close(self, sess: BaseSession, op: Operation) -> None:
        try:
            sess.run(op)
        except Exception as error:  # closed already, or the session is
            _log.debug("Ignored exception: %s", error)


@functools.cache
def _queue_runner_def() -> Any:
    """TensorFlow's message, made here because TensorBoard does not bring it.

    It lives in a descriptor pool of its own, so that a program may import TensorFlow too.
    """
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="monitored/queue_runner.proto", package="tensorflow", syntax="proto3"
    )
    message = file.message_type.add(name="QueueRunnerDef")
    for number, (name, kind, label) in enumerate(_FIELDS, 1):
        message.field.add(
            name=name, number=number, type=getattr(field, f"TYPE_{kind}"), label=getattr(field, f"LABEL_{label}")
        )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tensorflow.QueueRunnerDef"))


def _parts_of(queue_runner_def: Any, import_scope: str | None) -> tuple[Any, list[Any], Any, Any, tuple[Any, ...]]:
    raw = queue_runner_def if isinstance(queue_runner_def, bytes) else queue_runner_def.SerializeToString()
    proto = _queue_runner_def().FromString(raw)
    graph, prefix = get_default_graph(), f"{import_scope.rstrip('/')}/" if import_scope else ""

    def element(name: str) -> Any:
        return graph.as_graph_element(prefix + name)

    codes = proto.queue_closed_exception_types or [errors.OUT_OF_RANGE]
    return (
        element(proto.queue_name),
        [element(name) for name in proto.enqueue_op_name],
        element(proto.close_op_name),
        element(proto.cancel_op_name),
        tuple(errors.exception_type_from_error_code(code) for code in codes),
    )


def add_queue_runner(qr: QueueRunner, collection: str = GraphKeys.QUEUE_RUNNERS) -> None:
    """Adds a queue runner to a collection of the default graph, so that `start_queue_runners` starts it.

    Args:
        qr: The queue runner.
        collection: The collection.
    """
    get_default_graph().add_to_collection(collection, qr)


def start_queue_runners(
    sess: Any = None,
    coord: Coordinator | None = None,
    daemon: bool = True,
    start: bool = True,
    collection: str = GraphKeys.QUEUE_RUNNERS,
) -> list[threading.Thread]:
    """Starts all queue runners of a collection.

    A monitored session does this by itself; given one, this does nothing.

    Args:
        sess: The session; the default one when None.
        coord: Stops the threads.
        daemon: Whether the threads let the process end while they go on.
        start: Whether to start them, rather than only make them.
        collection: The collection of the session's graph.

    Returns:
        The threads.

    Raises:
        ValueError: If there is no session.
        TypeError: If `sess` is no session.
    """
    sess = defaults.get_default_session() if sess is None else sess
    if sess is None:
        raise ValueError(
            "Cannot start queue runners: No default session is registered. Use `with sess.as_default()` or pass an "
            "explicit session to tf.start_queue_runners(sess=sess)"
        )
    if not isinstance(sess, BaseSession):
        if type(sess).__name__ in ("MonitoredSession", "SingularMonitoredSession"):
            return []
        raise TypeError(f"sess must be a `tf.Session` object. Given class: {type(sess)}")
    with sess.graph.as_default():
        threads: list[threading.Thread] = []
        for runner in sess.graph.get_collection(collection):
            threads += runner.create_threads(sess, coord, daemon=daemon, start=start)
    return threads
