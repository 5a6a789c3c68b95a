"""`Supervisor`: what TensorFlow had before the monitored sessions. New programs use `MonitoredTrainingSession`.

    prepare  a session is made, initialized or restored
             standard services start: threads that save, write summaries, and count steps
             queue runners start
    loop     the program's own, until `should_stop`
    stop     the threads are stopped and joined, and the first error among them is raised

It is a coordinator, a session manager and three threads; what happens after the last save is not saved.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from threading import Thread
from typing import Any, Final

from monitored import errors
from monitored._checkpoint import DirectoryLock
from monitored._checkpoint.files import os_errors_as_tf
from monitored._graph.collections import GraphKeys
from monitored._graph.graph import Graph, get_default_graph
from monitored._ops.control_flow import group
from monitored._ops.summary import merge_all
from monitored._ops.variable_ops import (
    global_variables,
    global_variables_initializer,
    local_variables_initializer,
    report_uninitialized_variables,
)
from monitored._train.coordinator import Coordinator, LooperThread
from monitored._train.global_step import get_global_step
from monitored._train.global_step import global_step as evaluate_step
from monitored._train.graph_io import write_graph
from monitored._train.meta_graph import export_meta_graph
from monitored._train.saver import Saver
from monitored._train.session_manager import SessionManager
from monitored._train.summary_io import FileWriter

__all__ = ["Supervisor", "basic_train_loop"]

_log = logging.getLogger("monitored")
_VARIABLES: Final = ("Variable", "VariableV2", "VarHandleOp")


class Supervisor:
    """A helper that saves, restores and summarizes a training program.

        supervisor = tf.train.Supervisor(logdir="runs/digits")
        with supervisor.managed_session() as session:
            while not supervisor.should_stop():
                session.run(train_op)

    Args:
        graph: The graph; the default one when None. It is finalized.
        ready_op: Gives the names of what is not ready. Here and below: by default what the collection of that name
            holds, or else what is built for the purpose; None for nothing.
        ready_for_local_init_op: The same, for `local_init_op`.
        is_chief: Whether this is the process that initializes, saves and writes summaries.
        init_op: Initializes the model.
        init_feed_dict: The feed dictionary for `init_op`.
        local_init_op: Initializes what belongs to the process.
        logdir: The directory of checkpoints and event files; None to write nothing.
        summary_op: Gives the summary to write.
        saver: Saves and restores the variables.
        global_step: The global step.
        save_summaries_secs: Seconds from one summary to the next; 0 for none.
        save_model_secs: Seconds from one checkpoint to the next; 0 for none.
        recovery_wait_secs: Seconds between two looks at what is waited for.
        stop_grace_secs: Seconds that threads have to end after a stop was asked for.
        checkpoint_basename: The name of the checkpoints.
        session_manager: A `SessionManager` to use instead of a new one.
        summary_writer: A `FileWriter` to use instead of a new one for `logdir`; None for none.
        init_fn: ``init_fn(session)``, called after `init_op`.
        local_init_run_options: The `RunOptions` for `local_init_op`.

    Raises:
        ValueError: If this is not the chief and variables have no device.
    """

    USE_DEFAULT: Final = 0

    def __init__(
        self,
        graph: Graph | None = None,
        ready_op: Any = USE_DEFAULT,
        ready_for_local_init_op: Any = USE_DEFAULT,
        is_chief: bool = True,
        init_op: Any = USE_DEFAULT,
        init_feed_dict: Any = None,
        local_init_op: Any = USE_DEFAULT,
        logdir: str | os.PathLike[str] | None = None,
        summary_op: Any = USE_DEFAULT,
        saver: Any = USE_DEFAULT,
        global_step: Any = USE_DEFAULT,
        save_summaries_secs: float = 120,
        save_model_secs: float = 600,
        recovery_wait_secs: float = 30,
        stop_grace_secs: float = 120,
        checkpoint_basename: str = "model.ckpt",
        session_manager: SessionManager | None = None,
        summary_writer: Any = USE_DEFAULT,
        init_fn: Callable[[Any], Any] | None = None,
        local_init_run_options: Any = None,
    ) -> None:
        self._graph = get_default_graph() if graph is None else graph
        self._is_chief = is_chief
        self._coord = Coordinator()
        self._init_feed_dict = init_feed_dict
        self._init_fn = init_fn
        self._logdir = None if logdir is None else os.fspath(logdir)
        self._save_summaries_secs = save_summaries_secs
        self._save_model_secs = save_model_secs
        self._stop_grace_secs = stop_grace_secs
        with self._graph.as_default():
            keys = GraphKeys
            self._ready_op = _found(ready_op, keys.READY_OP, report_uninitialized_variables)
            self._ready_for_local_init_op = _found(ready_for_local_init_op, keys.READY_FOR_LOCAL_INIT_OP)
            self._init_op = _found(init_op, keys.INIT_OP, global_variables_initializer)
            self._local_init_op = _found(local_init_op, keys.LOCAL_INIT_OP, _initialize_locally)
            self._summary_op = _found(summary_op, keys.SUMMARY_OP, merge_all) if is_chief else None
            self._global_step = get_global_step(self._graph) if _is_default(global_step) else global_step
            self._saver = _found(saver, keys.SAVERS, lambda: Saver() if global_variables() else None)
            if _is_default(summary_writer):
                summary_writer = FileWriter(self._logdir) if self._logdir and is_chief else None
        self._summary_writer = summary_writer
        self._save_path = None if self._logdir is None else os.path.join(self._logdir, checkpoint_basename)
        self._session_manager = session_manager or SessionManager(
            local_init_op=self._local_init_op,
            ready_op=self._ready_op,
            ready_for_local_init_op=self._ready_for_local_init_op if self._local_init_op is not None else None,
            graph=self._graph,
            recovery_wait_secs=recovery_wait_secs,
            local_init_run_options=local_init_run_options,
        )
        self._check_devices()
        self._graph_is_written = False
        self._lock: DirectoryLock | None = None  # of `logdir`, while a thread saves there
        self._graph.finalize()

    def _check_devices(self) -> None:
        for op in self._graph.get_operations():
            if not self._is_chief and op.type in _VARIABLES and not op.device:
                raise ValueError(f"When using replicas, all Variables must have their device set: {op}")

    # -- what it has ------------------------------------------------------------------------------------------------

    @property
    def is_chief(self) -> bool:
        """Whether this is the process that initializes, saves and writes summaries."""
        return self._is_chief

    @property
    def session_manager(self) -> SessionManager:
        """Makes the sessions."""
        return self._session_manager

    @property
    def coord(self) -> Coordinator:
        """Stops the threads."""
        return self._coord

    @property
    def init_op(self) -> Any:
        """Initializes the model."""
        return self._init_op

    @property
    def init_feed_dict(self) -> Any:
        """The feed dictionary for `init_op`."""
        return self._init_feed_dict

    @property
    def ready_op(self) -> Any:
        """Gives the names of what is not ready."""
        return self._ready_op

    @property
    def ready_for_local_init_op(self) -> Any:
        """Gives the names of what is not ready for the local initialization."""
        return self._ready_for_local_init_op

    @property
    def summary_writer(self) -> Any:
        """Writes the summaries; None for no summaries."""
        return self._summary_writer

    @property
    def summary_op(self) -> Any:
        """Gives the summary to write."""
        return self._summary_op

    @property
    def save_summaries_secs(self) -> float:
        """Seconds from one summary to the next."""
        return self._save_summaries_secs

    @property
    def global_step(self) -> Any:
        """The global step; None if there is none."""
        return self._global_step

    @property
    def saver(self) -> Any:
        """Saves and restores the variables."""
        return self._saver

    @property
    def save_model_secs(self) -> float:
        """Seconds from one checkpoint to the next."""
        return self._save_model_secs

    @property
    def save_path(self) -> str | None:
        """The path of the checkpoints, to which ``-<step>`` is added."""
        return self._save_path

    # -- prepare ----------------------------------------------------------------------------------------------------

    def prepare_or_wait_for_session(
        self,
        master: str = "",
        config: Any = None,
        wait_for_checkpoint: bool = False,
        max_wait_secs: float = 7200,
        start_standard_services: bool = True,
    ) -> Any:
        """Makes a session whose model is ready, and starts the threads.

        Args:
            master: The execution engine; only the one in this process (``''``) exists.
            config: A `ConfigProto` for the session.
            wait_for_checkpoint: Whether to wait for `logdir` to hold a checkpoint.
            max_wait_secs: For how many seconds, there or as a worker for the chief.
            start_standard_services: Whether to start the standard services and the queue runners.

        Returns:
            The session.

        Raises:
            RuntimeError: If the model is not ready in the end.
            DeadlineExceededError: If a worker has waited long enough.
            FailedPreconditionError: If another process saves in `logdir`, and so would this one.
        """
        self._coord.clear_stop()
        if self._is_chief and start_standard_services:
            self._lock_logdir()
        if self._summary_writer is not None:
            self._summary_writer.reopen()
        if not self._is_chief:
            session = self._session_manager.wait_for_session(master, config=config, max_wait_secs=max_wait_secs)
        else:
            session = self._session_manager.prepare_session(
                master,
                init_op=self._init_op,
                saver=self._saver,
                checkpoint_dir=self._logdir,
                wait_for_checkpoint=wait_for_checkpoint,
                max_wait_secs=max_wait_secs,
                config=config,
                init_feed_dict=self._init_feed_dict,
                init_fn=self._init_fn,
            )
            self._write_graph()
            if start_standard_services:
                _log.info("Starting standard services.")
                self.start_standard_services(session)
        if start_standard_services:
            _log.info("Starting queue runners.")
            self.start_queue_runners(session)
        return session

    def _write_graph(self) -> None:
        if self._logdir:
            write_graph(self._graph.as_graph_def(add_shapes=True), self._logdir, "graph.pbtxt")
        if self._summary_writer is not None and not self._graph_is_written:
            saver_def = None if self._saver is None else self._saver.saver_def
            self._summary_writer.add_graph(self._graph)
            self._summary_writer.add_meta_graph(export_meta_graph(graph=self._graph, saver_def=saver_def))
            self._graph_is_written = True

    def start_standard_services(self, sess: Any) -> list[LooperThread] | None:
        """Starts the threads that write summaries, count steps and save.

        Args:
            sess: The session.

        Returns:
            The threads; None without a `logdir`.

        Raises:
            RuntimeError: If this is not the chief.
            FailedPreconditionError: If another process saves in `logdir`.
        """
        if not self._is_chief:
            raise RuntimeError("Only chief supervisor can start standard services. Because only chief supervisors can "
                               "write events.")  # fmt: skip
        if not self._logdir:
            _log.warning("Standard services need a 'logdir' passed to the SessionManager")
            return None
        self._lock_logdir()
        threads: list[LooperThread] = []
        if self._summary_writer is not None:
            self._log_session("START", None if self._global_step is None else evaluate_step(sess, self._global_step))
        if self._save_summaries_secs and self._summary_writer is not None:
            if self._summary_op is not None:
                threads.append(SVSummaryThread(self, sess))
            if self._global_step is not None:
                threads.append(SVStepCounterThread(self, sess))
        if self._saver is not None and self._save_model_secs:
            threads.append(SVTimerCheckpointThread(self, sess))
        for thread in threads:
            thread.start()
        return threads

    def _lock_logdir(self) -> None:
        """Keeps other processes from saving there until `stop`, if this one is going to."""
        if self._logdir and self._saver is not None and self._save_model_secs and self._lock is None:
            with os_errors_as_tf(self._logdir):
                os.makedirs(self._logdir, exist_ok=True)
            self._lock = DirectoryLock(self._logdir)

    def start_queue_runners(self, sess: Any, queue_runners: Iterable[Any] | None = None) -> list[Thread]:
        """Starts queue runners.

        Args:
            sess: The session.
            queue_runners: The queue runners; those in the graph's collection by default.

        Returns:
            The threads.
        """
        if queue_runners is None:
            queue_runners = self._graph.get_collection(GraphKeys.QUEUE_RUNNERS)
        threads: list[Thread] = []
        for runner in queue_runners:
            threads += runner.create_threads(sess, coord=self._coord, daemon=True, start=True)
        return threads

    def loop(
        self,
        timer_interval_secs: float | None,
        target: Callable[..., Any],
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
    ) -> LooperThread:
        """Starts a thread that calls a function again and again.

        Args:
            timer_interval_secs: Seconds from one call to the next; None for no pause.
            target: The function.
            args: Positional arguments for it.
            kwargs: Keyword arguments for it.

        Returns:
            The thread.
        """
        return LooperThread.loop(self._coord, timer_interval_secs, target, args, kwargs)

    # -- stop -------------------------------------------------------------------------------------------------------

    def stop(
        self, threads: Iterable[Thread] | None = None, close_summary_writer: bool = True,
        ignore_live_threads: bool = False,
    ) -> None:  # fmt: skip
        """Stops the threads and waits for them.

        Args:
            threads: The threads, besides those that were started here.
            close_summary_writer: Whether to close the event file.
            ignore_live_threads: Whether threads that go on after the grace period are only mentioned in the log.

        Raises:
            RuntimeError: If threads go on after the grace period.
            BaseException: The first error among the threads.
        """
        self._coord.request_stop()
        try:
            self._coord.join(threads, self._stop_grace_secs, ignore_live_threads)
        finally:
            if self._lock is not None:
                self._lock.release()
                self._lock = None
            if close_summary_writer and self._summary_writer is not None:
                self._log_session("STOP")
                self._summary_writer.close()
                self._graph_is_written = False

    def request_stop(self, ex: Any = None) -> None:
        """Asks all threads to stop; see `Coordinator.request_stop`.

        Args:
            ex: The exception that is the reason, or its ``sys.exc_info()``; None when there is none.
        """
        self._coord.request_stop(ex)

    def should_stop(self) -> bool:
        """Whether a stop was asked for."""
        return self._coord.should_stop()

    def stop_on_exception(self) -> AbstractContextManager[None]:
        """A block whose exceptions are reported to the coordinator; see `Coordinator.stop_on_exception`.

        Returns:
            A context manager.
        """
        return self._coord.stop_on_exception()

    def wait_for_stop(self) -> None:
        """Waits until a stop is asked for."""
        self._coord.wait_for_stop()

    @contextmanager
    def managed_session(
        self,
        master: str = "",
        config: Any = None,
        start_standard_services: bool = True,
        close_summary_writer: bool = True,
    ) -> Iterator[Any]:
        """A block with a session, after which everything is stopped; OutOfRangeError ends it silently.

        Args:
            master: The execution engine; only the one in this process (``''``) exists.
            config: A `ConfigProto` for the session.
            start_standard_services: Whether to start the standard services and the queue runners.
            close_summary_writer: Whether to close the event file at the end.

        Yields:
            The session.

        Raises:
            BaseException: The first error, of the block or a thread.
        """
        session = None
        try:
            session = self.prepare_or_wait_for_session(master, config, start_standard_services=start_standard_services)
            yield session
        except Exception as error:
            self.request_stop(error)
        finally:
            try:
                self.stop(close_summary_writer=close_summary_writer)
            finally:
                if session is not None:
                    session.close()

    # -- summaries --------------------------------------------------------------------------------------------------

    def summary_computed(self, sess: Any, summary: Any, global_step: int | None = None) -> None:
        """Writes a summary that the program computed.

        Args:
            sess: The session.
            summary: A `Summary`, or one serialized.
            global_step: The step that it belongs to; the present one when None.

        Raises:
            TypeError: If `summary` is no summary.
            RuntimeError: If there is no summary writer.
        """
        if self._summary_writer is None:
            raise RuntimeError("Writing a summary requires a summary writer.")
        if global_step is None and self._global_step is not None:
            global_step = evaluate_step(sess, self._global_step)
        self._summary_writer.add_summary(summary, global_step)

    def _log_session(self, status: str, step: int | None = None) -> None:
        from tensorboard.compat.proto import event_pb2

        log = event_pb2.SessionLog(status=event_pb2.SessionLog.SessionStatus.Value(status))
        if status == "CHECKPOINT":
            log.checkpoint_path = self._save_path
        self._summary_writer.add_session_log(log, step)

    PrepareSession = prepare_or_wait_for_session
    StartStandardServices = start_standard_services
    StartQueueRunners = start_queue_runners
    Loop = loop
    Stop = stop
    RequestStop = request_stop
    ShouldStop = should_stop
    StopOnException = stop_on_exception
    WaitForStop = wait_for_stop
    SummaryComputed = summary_computed


class SVSummaryThread(LooperThread):
    """Writes the summaries of a supervisor every `save_summaries_secs`."""

    def __init__(self, sv: Supervisor, sess: Any) -> None:
        super().__init__(sv.coord, sv.save_summaries_secs)
        self._sv, self._sess = sv, sess

    def run_loop(self) -> None:
        """Writes one summary."""
        summary = self._sess.run(self._sv.summary_op)
        step = None if self._sv.global_step is None else evaluate_step(self._sess, self._sv.global_step)
        _log.info("Recording summary at step %s.", step)
        self._sv.summary_writer.add_summary(summary, step)


class SVStepCounterThread(LooperThread):
    """Measures the steps that a supervised program takes each second."""

    def __init__(self, sv: Supervisor, sess: Any, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(sv.coord, sv.save_summaries_secs)
        self._sv, self._sess, self._clock = sv, sess, clock
        self._tag = f"{sv.global_step.op.name}/sec"

    def start_loop(self) -> None:
        """Begins to count."""
        self._time, self._step = self._clock(), evaluate_step(self._sess, self._sv.global_step)

    def run_loop(self) -> None:
        """Writes one measurement."""
        from tensorboard.compat.proto import summary_pb2

        now, step = self._clock(), evaluate_step(self._sess, self._sv.global_step)
        rate = (step - self._step) / (now - self._time) if now > self._time else float("inf")
        self._time, self._step = now, step
        value = summary_pb2.Summary.Value(tag=self._tag, simple_value=rate)
        self._sv.summary_writer.add_summary(summary_pb2.Summary(value=[value]), step)
        _log.info("%s: %g", self._tag, rate)


class SVTimerCheckpointThread(LooperThread):
    """Saves the model of a supervisor every `save_model_secs`."""

    def __init__(self, sv: Supervisor, sess: Any) -> None:
        super().__init__(sv.coord, sv.save_model_secs)
        self._sv, self._sess = sv, sess

    def run_loop(self) -> None:
        """Saves one checkpoint."""
        _log.info("Saving checkpoint to path %s", self._sv.save_path)
        self._sv.saver.save(self._sess, self._sv.save_path, global_step=self._sv.global_step)
        if self._sv.summary_writer is not None and self._sv.global_step is not None:
            self._sv._log_session("CHECKPOINT", evaluate_step(self._sess, self._sv.global_step))


def basic_train_loop(
    supervisor: Supervisor,
    train_step_fn: Callable[..., Any],
    args: Sequence[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    master: str = "",
) -> None:
    """Calls a function again and again in a supervisor's session; after AbortedError, in a new session.

    Args:
        supervisor: The supervisor.
        train_step_fn: ``train_step_fn(session, *args, **kwargs)``; it ends the loop by ``supervisor.request_stop()``.
        args: Positional arguments for it.
        kwargs: Keyword arguments for it.
        master: The execution engine; only the one in this process (``''``) exists.
    """
    while True:
        try:
            with supervisor.managed_session(master) as session:
                while not supervisor.should_stop():
                    train_step_fn(session, *(args or ()), **(kwargs or {}))
            return
        except errors.AbortedError:
            continue


def _is_default(given: Any) -> bool:
    return isinstance(given, int) and given == Supervisor.USE_DEFAULT


def _found(given: Any, collection: str, build: Callable[[], Any] = lambda: None) -> Any:
    """What was given; else the first in a collection; else something new, which is added to it."""
    if not _is_default(given):
        return given
    graph = get_default_graph()
    found = graph.get_collection(collection)
    if found:
        return found[0]
    built = build()
    if built is not None:
        graph.add_to_collection(collection, built)
    return built


def _initialize_locally() -> Any:
    tables = get_default_graph().get_collection(GraphKeys.TABLE_INITIALIZERS)
    return group(local_variables_initializer(), group(*tables, name="init_all_tables"))
