"""The monitored sessions: a session's whole life, from its hooks' `begin` to its end.

    create   hook.begin() for each hook                     the graph is still open
             scaffold.finalize()                            the graph is complete and frozen
             a session; init ops, or variables restored     by the session creator
             queue runners started under a coordinator
             hook.after_create_session(session, coord)
    run      hook.before_run(context)                       fetches and feeds are merged with the caller's
             one Session.run
             hook.after_run(context, values)
    close    hook.end(session)                              only after a clean finish
             coordinator stopped, its threads joined, session closed: always
    with     OutOfRangeError and StopIteration end the block silently

What goes wrong: an error in `begin` or while creating closes what was opened and comes out. An error in a run, of
whatever origin, comes out of `run`; if a coordinated thread failed before, its error does, being the cause. `end` is
then skipped. `MonitoredSession` alone takes AbortedError and UnavailableError as the loss of the session: it makes a
new one, restores, calls `after_create_session` again and goes on.
"""

from __future__ import annotations

import enum
import inspect
import logging
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Final, Self

from monitored import errors
from monitored._graph.graph import Graph, get_default_graph
from monitored._run.session import BaseSession
from monitored._train.coordinator import Coordinator
from monitored._train.queue_runner import start_queue_runners
from monitored._train.scaffold import Scaffold
from monitored._train.session_creators import ChiefSessionCreator, SessionCreator
from monitored._train.session_run_hook import (
    SessionRunArgs,
    SessionRunContext,
    SessionRunHook,
    SessionRunValues,
)

__all__ = ["MonitoredSession", "SingularMonitoredSession"]

_PREEMPTION: Final = (errors.AbortedError, errors.UnavailableError)
_END_OF_INPUT: Final = (errors.OutOfRangeError, StopIteration)
_log: Final = logging.getLogger("monitored")


class _State(enum.Enum):
    """Where a monitored session stands in its life."""

    CREATING = "hooks have begun; there is no session yet"
    OPEN = "runs are possible"
    LOST = "preempted: the session is closed, and a new one will be made"
    CLOSED = "ended, for good"


class _MonitoredSession:
    """The life of a session; `MonitoredSession` and `SingularMonitoredSession` say what differs."""

    def __init__(
        self,
        session_creator: SessionCreator,
        hooks: Iterable[SessionRunHook] | None,
        recovers: bool,
        stop_grace_period_secs: float = 120,
    ) -> None:
        self._creator = session_creator
        self._hooks = list(hooks or [])
        self._recovers = recovers
        self._grace = stop_grace_period_secs
        self._state = _State.CREATING
        self._session: BaseSession | None = None
        self._coordinator: Coordinator | None = None
        self._stop_requested = False
        self._first_graph = get_default_graph()
        self._graph_was_finalized = self._first_graph.finalized
        # Called at every step: looked up once, and only those that a hook defines.
        self._before_run = [(i, h.before_run) for i, h in enumerate(self._hooks) if _overrides(h, "before_run")]
        self._after_run = [(i, h.after_run) for i, h in enumerate(self._hooks) if _overrides(h, "after_run")]
        try:
            for hook in self._hooks:
                hook.begin()
            self._open()
        except BaseException:
            self._finish()
            raise

    # -- create ---------------------------------------------------------------------------------------------

    def _open(self) -> None:
        """Makes a session, initialized or restored, with its queue runners going and its hooks told."""
        while True:
            try:
                session = self._creator.create_session()
                self._session, self._coordinator = session, Coordinator(clean_stop_exception_types=[])
                with session.graph.as_default():
                    start_queue_runners(sess=session, coord=self._coordinator)
                for hook in self._hooks:
                    hook.after_create_session(session, self._coordinator)
            except _PREEMPTION as error:
                if not self._recovers:
                    raise
                self._lose_session(error)
            else:
                self._state, self._stop_requested = _State.OPEN, False
                return

    @property
    def graph(self) -> Graph | None:
        """The graph that was launched in this session; None once it is closed."""
        return None if self._session is None else self._session.graph

    # -- run ------------------------------------------------------------------------------------------------

    def run(self, fetches: Any, feed_dict: Any = None, options: Any = None, run_metadata: Any = None) -> Any:
        """Runs operations and evaluates tensors, with the hooks.

        Args:
            fetches: As for `Session.run`.
            feed_dict: As for `Session.run`.
            options: As for `Session.run`.
            run_metadata: As for `Session.run`.

        Returns:
            As `Session.run` returns.

        Raises:
            RuntimeError: If the session is closed, or stopping has been asked for.
            ValueError: If two hooks, or a hook and the caller, feed the same tensor.
        """
        return self._recovering(self._run_with_hooks, fetches, feed_dict, options, run_metadata)

    def run_step_fn(self, step_fn: Callable[..., Any]) -> Any:
        """Runs a function that may run several times, with and without the hooks.

        Args:
            step_fn: ``step_fn(step_context)``, which has ``session`` (the raw session), ``run_with_hooks`` (like
                `run`) and ``request_stop()`` (ends the step by raising StopIteration).

        Returns:
            What `step_fn` returns.

        Raises:
            ValueError: If `step_fn` takes other arguments.
            StopIteration: If it requested a stop.
        """
        names = list(inspect.signature(step_fn).parameters)
        if names not in (["step_context"], ["self", "step_context"]):
            raise ValueError(
                "`step_fn` may either have one `step_context` argument, or `self` and `step_context` arguments if "
                f"it's an instance method. Got {names} instead."
            )
        return self._recovering(lambda: step_fn(StepContext(self._opened(), self._run_coordinated)))

    def _recovering(self, step: Callable[..., Any], *args: Any) -> Any:
        """Runs a step; where preemption is survived, in a new session when the present one is lost."""
        if not self._recovers:
            return self._guarded(step, *args)
        while True:
            try:
                if self._state is _State.LOST:
                    self._open()
                return self._guarded(step, *args)
            except _PREEMPTION as error:
                self._lose_session(error)

    def _run_coordinated(self, *args: Any, **kwargs: Any) -> Any:
        return self._guarded(self._run_with_hooks, *args, **kwargs)

    def _guarded(self, step: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Runs a step; when it fails because a coordinated thread failed, that thread's error comes out."""
        try:
            return step(*args, **kwargs)
        except _PREEMPTION:
            raise
        except Exception:
            if self._coordinator is not None:
                self._coordinator.raise_requested_exception()
            raise

    def _run_with_hooks(
        self, fetches: Any, feed_dict: Any = None, options: Any = None, run_metadata: Any = None
    ) -> Any:
        """One step: what the hooks want is merged into the caller's run."""
        session = self._opened()
        if self._stop_requested:
            raise RuntimeError("Run called even after should_stop requested.")
        context = SessionRunContext(SessionRunArgs(fetches, feed_dict), session)
        wanted: list[Any] = [fetches]
        places: dict[int, int] = {}
        hook_feeds: dict[Any, Any] = {}
        for i, before_run in self._before_run:
            request = before_run(context)
            if request is None:
                continue
            if request.fetches is not None:
                places[i] = len(wanted)
                wanted.append(request.fetches)
            if request.feed_dict:
                _add_feeds(hook_feeds, request.feed_dict, session.graph, "Same tensor is fed by two hooks.")
            if request.options is not None:
                options = _merged_options(options, request.options)
        if hook_feeds:
            _add_feeds(hook_feeds, feed_dict or {}, session.graph, "Same tensor is fed by a SessionRunHook and user.")
            feed_dict = hook_feeds
        if options is not None and run_metadata is None:
            run_metadata = _new_run_metadata()
        results = session.run(wanted, feed_dict, options, run_metadata)
        for i, after_run in self._after_run:
            place = places.get(i)
            after_run(context, SessionRunValues(None if place is None else results[place], options, run_metadata))
        if context.stop_requested:
            self._stop_requested = True
        return results[0]

    def _opened(self) -> BaseSession:
        if self._session is None:
            raise RuntimeError("Attempted to use a closed session: make a new one to go on.")
        return self._session

    def should_stop(self) -> bool:
        """Whether the loop should end: a hook or a coordinated thread asked for it, or the session is closed.

        Raises:
            Exception: What a coordinated thread failed with. `MonitoredSession` returns True instead.
        """
        if not self._recovers:
            return self._stopping()
        try:
            return self._stopping()
        except _PREEMPTION as error:
            self._lose_session(error)
            self._open()
            return False
        except Exception:
            return True

    def _stopping(self) -> bool:
        if self._coordinator is None:
            return self._state is not _State.LOST
        self._coordinator.raise_requested_exception()
        return self._coordinator.should_stop() or self._stop_requested

    # -- close ----------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Ends the session: the hooks' `end`, then the threads and the session.

        Raises:
            RuntimeError: If it is closed already.
            Exception: What a hook's `end`, or a coordinated thread, raised.
        """
        self._close(cleanly=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        cleanly = kind is None or kind in _END_OF_INPUT
        self._close(cleanly)
        return cleanly

    def _close(self, cleanly: bool) -> None:
        if self._state is _State.CLOSED:
            raise RuntimeError("Session is already closed.")
        try:
            if cleanly:
                for hook in self._hooks:
                    hook.end(self._session)
        finally:
            self._finish()

    def _finish(self) -> None:
        """Stops the threads and closes the session, whatever state they are in, and lets the graph change again."""
        self._state = _State.CLOSED
        try:
            self._close_session()
        finally:
            if not self._graph_was_finalized:
                self._first_graph._unsafe_unfinalize()

    def _close_session(self) -> None:
        session, coordinator = self._session, self._coordinator
        self._session = self._coordinator = None
        try:
            if coordinator is not None:
                coordinator.request_stop()
                coordinator.join(stop_grace_period_secs=self._grace, ignore_live_threads=True)
        finally:
            if session is not None:
                _close_quietly(session)

    def _lose_session(self, error: Exception) -> None:
        """Closes a preempted session; the next run makes a new one."""
        _log.info(
            "An error was raised. This may be due to a preemption in a connected worker or parameter server. The "
            "current session will be closed and a new session will be created. Error: %s",
            error,
        )
        self._state = _State.LOST
        try:
            self._close_session()
        except _PREEMPTION as consequence:
            _log.debug("Closing the lost session: %s", consequence)


class SingularMonitoredSession(_MonitoredSession):
    """A session-like object that handles initialization, restoring and hooks, for one process.

    It is always the chief, lets AbortedError and UnavailableError out, and gives access to the raw session.

        saver_hook = CheckpointSaverHook(...)
        with SingularMonitoredSession(hooks=[saver_hook], checkpoint_dir=...) as session:
            while not session.should_stop():
                session.run(train_op)

    Args:
        hooks: An iterable of `SessionRunHook` objects.
        scaffold: A `Scaffold` that gathers or builds the supporting operations; a default one when None.
        master: The execution engine; only the one in this process (``''``) exists.
        config: A `ConfigProto` for the session.
        checkpoint_dir: A directory; variables are restored from its newest checkpoint, if it holds one.
        stop_grace_period_secs: Seconds that the threads of queue runners have to end after `close`.
        checkpoint_filename_with_path: A checkpoint to restore instead of a directory's newest.
    """

    def __init__(
        self,
        hooks: Iterable[SessionRunHook] | None = None,
        scaffold: Scaffold | None = None,
        master: str = "",
        config: Any = None,
        checkpoint_dir: str | None = None,
        stop_grace_period_secs: float = 120,
        checkpoint_filename_with_path: str | None = None,
    ) -> None:
        creator = ChiefSessionCreator(scaffold, master, config, checkpoint_dir, checkpoint_filename_with_path)
        super().__init__(creator, hooks, False, stop_grace_period_secs)

    def raw_session(self) -> BaseSession | None:
        """The underlying `Session`: to run without hooks, to save and to restore; None once closed."""
        return self._session


class MonitoredSession(_MonitoredSession):
    """A session-like object that handles initialization, recovery and hooks.

    When a run ends with AbortedError or UnavailableError, it makes a new session, restores the newest checkpoint,
    calls the hooks' `after_create_session` again and repeats the run.

    Args:
        session_creator: Makes the sessions; a `ChiefSessionCreator` when None.
        hooks: An iterable of `SessionRunHook` objects.
        stop_grace_period_secs: Seconds that the threads of queue runners have to end after `close`.
    """

    def __init__(
        self,
        session_creator: SessionCreator | None = None,
        hooks: Iterable[SessionRunHook] | None = None,
        stop_grace_period_secs: float = 120,
    ) -> None:
        super().__init__(session_creator or ChiefSessionCreator(), hooks, True, stop_grace_period_secs)


class StepContext:
    """What the function given to `run_step_fn` works with.

    Attributes:
        session: The raw session.
        run_with_hooks: Like the monitored session's `run`.
    """

    def __init__(self, session: BaseSession, run_with_hooks: Callable[..., Any]) -> None:
        self.session = session
        self.run_with_hooks = run_with_hooks

    def request_stop(self) -> None:
        """Ends the step, and the loop around it.

        Raises:
            StopIteration: Always.
        """
        raise StopIteration("step_fn has requested the iterations to stop.")


def _close_quietly(session: BaseSession) -> None:
    """Closes a session. What that raises is logged only: a cause worth raising has been raised by the join before."""
    try:
        session.close()
    except Exception as error:
        _log.warning("Closing the session failed: %r", error)


def _overrides(hook: SessionRunHook, method: str) -> bool:
    return getattr(getattr(hook, method), "__func__", None) is not getattr(SessionRunHook, method)


def _add_feeds(feeds: dict[Any, Any], more: dict[Any, Any], graph: Graph, conflict: str) -> None:
    fed = {graph.as_graph_element(key) for key in feeds}
    for key in more:
        if graph.as_graph_element(key) in fed:
            tensor = graph.as_graph_element(key)
            raise RuntimeError(f"{conflict} Conflicting: {tensor.name}, created at {tensor.op.creation_site}.")
    feeds.update(more)


def _merged_options(options: Any, incoming: Any) -> Any:
    """What satisfies both: the highest trace level, the longest timeout, every tensor to watch."""
    from tensorboard.compat.proto import config_pb2

    merged = config_pb2.RunOptions()
    if options is not None:
        merged.CopyFrom(options)
    merged.trace_level = max(merged.trace_level, incoming.trace_level)
    merged.timeout_in_ms = max(merged.timeout_in_ms, incoming.timeout_in_ms)
    merged.inter_op_thread_pool = max(merged.inter_op_thread_pool, incoming.inter_op_thread_pool)
    merged.output_partition_graphs = merged.output_partition_graphs or incoming.output_partition_graphs
    merged.debug_options.debug_tensor_watch_opts.extend(incoming.debug_options.debug_tensor_watch_opts)
    return merged


def _new_run_metadata() -> Any:
    from tensorboard.compat.proto import config_pb2

    return config_pb2.RunMetadata()
