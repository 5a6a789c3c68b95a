"""The monitored sessions: a session's whole life, from its hooks' `begin` to its end.

    create   hook.begin() for each hook                     the graph is still open
             scaffold.finalize()                            the graph is complete and frozen
             a session; init ops, or variables restored     by the session creator
             queue runners started under a coordinator      and hooks given the states that were restored
             hook.after_create_session(session, coord)
    run      hook.before_run(context)                       fetches and feeds are merged with the caller's
             one Session.run
             hook.after_run(context, values)
    fail     hook.on_error(context, error)                  while everything is still open
    close    hook.end(session)                              only after a clean finish
             coordinator stopped, its threads joined, session closed: always
             hook.after_close(error)                        always
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
import os
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Final, Self

from monitored import errors
from monitored._graph.graph import Graph, get_default_graph
from monitored._run.many_steps import feed_of_each_step
from monitored._run.session import BaseSession
from monitored._train.companions import companions_of
from monitored._train.coordinator import Coordinator
from monitored._train.hook_calls import HookCalls, new_run_metadata
from monitored._train.queue_runner import start_queue_runners
from monitored._train.quiet_runs import NOT_QUIET, QuietRuns, Regularity
from monitored._train.quiet_stretches import Stretches
from monitored._train.saving import save_now
from monitored._train.scaffold import Scaffold
from monitored._train.session_creators import ChiefSessionCreator, SessionCreator
from monitored._train.session_run_hook import SessionRunArgs, SessionRunContext, SessionRunHook
from monitored._train.statistics import Recorder, SessionStatistics, StatisticsHook

__all__ = ["MonitoredSession", "SingularMonitoredSession"]

_PREEMPTION: Final = (errors.AbortedError, errors.UnavailableError)
_END_OF_INPUT: Final = (errors.OutOfRangeError, StopIteration)
_NOTHING: Final = object()
_STOPPED: Final = "Run called even after should_stop requested."
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
        self._calls = HookCalls(hooks or [])
        self._recovers = recovers
        self._grace = stop_grace_period_secs
        self._state = _State.CREATING
        self._session: BaseSession | None = None
        self._runs_joined = False  # a session with a `run` of its own, from a user's session creator, gets every call
        self._coordinator: Coordinator | None = None
        self._stop_requested = False
        self._context: SessionRunContext | None = None  # of the run that is going on or has failed
        self._told: BaseException | None = None  # the last error that the hooks know of
        self._quiet: QuietRuns | None = None  # the stretch that is going on
        self._regularity = Regularity(self._calls)
        self._recorder = Recorder()
        self._unmeasured = self._recorder.first_gap()  # how many steps there are to the next one that is measured
        for hook in self._calls.hooks:
            if isinstance(hook, StatisticsHook):
                hook.ask(self.statistics)
        self._first_graph = get_default_graph()
        self._graph_was_finalized = self._first_graph.finalized
        try:
            self._calls.begin()
            self._open()
        except BaseException as error:
            self._tell(error)
            self._finish(error)
            raise

    # -- create ---------------------------------------------------------------------------------------------

    def _open(self) -> None:
        """Makes a session, initialized or restored, with its queue runners going and its hooks told."""
        while True:
            try:
                session = self._creator.create_session()
                self._session, self._coordinator = session, Coordinator(clean_stop_exception_types=[])
                self._runs_joined = getattr(session.run, "__func__", None) is BaseSession.run
                companions_of(session).join(self._calls.with_state())
                companions_of(session).settle = self._end_quiet_runs
                with session.graph.as_default():
                    start_queue_runners(sess=session, coord=self._coordinator)
                self._calls.after_create_session(session, self._coordinator)
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

    def run(
        self,
        fetches: Any,
        feed_dict: Any = None,
        options: Any = None,
        run_metadata: Any = None,
        *,
        hooks: Iterable[Any] | None = None,
    ) -> Any:
        """Runs operations and evaluates tensors, with the hooks.

        Args:
            fetches: As for `Session.run`.
            feed_dict: As for `Session.run`.
            options: As for `Session.run`.
            run_metadata: As for `Session.run`.
            hooks: Which of the session's hooks take part, themselves or their classes; all of them when None.

        Returns:
            As `Session.run` returns.

        Raises:
            RuntimeError: If the session is closed, or stopping has been asked for, or if two hooks, or a hook and the
                caller, feed the same tensor.
            ValueError: If the session has no such hook.
        """
        if self._recovers:
            return self._recovering(self._run_with_hooks, fetches, feed_dict, options, run_metadata, hooks)
        try:  # as `_recovering` does, at once
            return self._run_with_hooks(fetches, feed_dict, options, run_metadata, hooks)
        except BaseException as failure:
            self._raise_cause(failure)
            raise

    def run_steps(
        self, fetches: Any, num_steps: int, feed_dict: Any = None, *, feeds: Iterable[Any] | None = None
    ) -> Any:
        """Runs the same fetches many times, in a loop on the device as long as no hook has anything to do.

        Every hook sees what it would have seen had each step been a `run`: the loop ends before the next step in which
        one is due. A hook that does not say when that is (`SessionRunHook.quiet_runs`) is due in every step.

            while not session.should_stop():
                session.run_steps(train_op, 1000)

        Args:
            fetches: As for `Session.run`.
            num_steps: How many times; fewer, if a hook asks for a stop.
            feed_dict: As for `Session.run`, the same in each step.
            feeds: Instead, an iterable of feed dictionaries with the same keys, one for each step. It may end early.

        Returns:
            What the last `run` would have returned.

        Raises:
            ValueError: If `num_steps` is not positive, or both feeds are given.
            OutOfRangeError: If `feeds` has nothing left.
            Exception: As `run`.
        """
        each = feed_of_each_step(num_steps, feed_dict, feeds)
        return self._recovering(self._run_steps, fetches, num_steps, each, feeds is None)

    def run_without_hooks(
        self, fetches: Any, feed_dict: Any = None, options: Any = None, run_metadata: Any = None
    ) -> Any:
        """Runs operations and evaluates tensors, and no hook knows of it; also when stopping has been asked for.

        Args:
            fetches: As for `Session.run`.
            feed_dict: As for `Session.run`.
            options: As for `Session.run`.
            run_metadata: As for `Session.run`.

        Returns:
            As `Session.run` returns.

        Raises:
            RuntimeError: If the session is closed.
        """
        return self._recovering(self._run_plainly, fetches, feed_dict, options, run_metadata)

    def save(self, save_path: str | os.PathLike[str] | None = None) -> str:
        """Saves a checkpoint now, whatever the timers say.

        Args:
            save_path: Where to save, apart from the checkpoints that are counted and removed in their turn. By default
                every `CheckpointSaverHook` of the session saves; without one, the checkpoint goes into the session's
                `checkpoint_dir`.

        Returns:
            The checkpoint's path.

        Raises:
            RuntimeError: If nothing says where to save, or the session is closed.
            OpError: If the checkpoint could not be written.
        """
        path: str = self._recovering(self._save, save_path)
        return path

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
        except BaseException as failure:
            self._raise_cause(failure)
            raise

    def _raise_cause(self, failure: BaseException) -> None:
        """Raises the error of a coordinated thread, if one failed before a step did; tells the hooks what comes out."""
        try:
            if (
                isinstance(failure, Exception)
                and not isinstance(failure, _PREEMPTION)
                and self._coordinator is not None
            ):
                self._coordinator.raise_requested_exception()
        except BaseException as cause:
            self._tell(cause)
            raise
        self._tell(failure)

    def _run_with_hooks(
        self,
        fetches: Any,
        feed_dict: Any = None,
        options: Any = None,
        run_metadata: Any = None,
        hooks: Iterable[Any] | None = None,
    ) -> Any:
        """One step: what the hooks want is merged into the caller's run."""
        session = self._session or self._opened()
        if self._stop_requested:
            raise RuntimeError(_STOPPED)
        quiet = self._quiet
        if quiet is not None:
            if hooks is None and options is None and run_metadata is None:
                try:
                    result = quiet.run(fetches, feed_dict)
                except BaseException:
                    self._context = SessionRunContext((fetches, feed_dict), session)
                    raise
                if result is not NOT_QUIET:
                    return result
            self._end_quiet_runs()
        calls: Any = self._calls if hooks is None else self._calls.chosen(hooks)
        self._unmeasured -= 1
        if self._unmeasured <= 0:
            calls, self._unmeasured = self._recorder.measuring(calls)
        deferred: list[Callable[[], Any]] = []
        context = self._context = SessionRunContext((fetches, feed_dict), session, deferred)
        merged = calls.merged([before_run(context) for before_run in calls.before_run])
        if merged.feeds:
            feed_dict = merged.feed_dict(feed_dict, session.graph)
        if merged.options:
            options = merged.run_options(options)
        if options is not None and run_metadata is None:
            run_metadata = new_run_metadata()
        if merged.known is not None and options is None and run_metadata is None and self._runs_joined:
            results = session.run_joined(fetches, merged.fetches, feed_dict, merged.known)
        else:
            results = session.run([fetches, *merged.fetches], feed_dict, options, run_metadata)
        result = results[0]
        if merged.after_run:
            values = merged.values(results, options, run_metadata)
            for after_run, place in merged.after_run:
                after_run(context, values[place])
        for what in deferred:
            what()
        if context._stop_requested:
            self._stop_requested = True
        self._context = None
        if calls is self._calls and self._runs_joined and not self._stop_requested:
            self._quiet = self._regularity.quiet_runs(session, merged, self._unmeasured - 1)
        return result

    def _end_quiet_runs(self) -> None:
        """Tells the hooks of the runs in which they were not called: before they are, or asked for anything else."""
        quiet, self._quiet = self._quiet, None
        if quiet is not None:
            self._unmeasured -= quiet.taken
            self._recorder.took_quiet_runs(quiet.taken)
            if not quiet.end():
                self._regularity.interrupt()

    def _run_steps(self, fetches: Any, num_steps: int, feeds: Iterator[Any], alike: bool) -> Any:
        self._end_quiet_runs()
        stretches = Stretches(self._opened(), self._calls, fetches, feeds, alike, self._recorder.took_loop)
        if self._stop_requested:
            raise RuntimeError(_STOPPED)
        result, left = _NOTHING, num_steps
        while left and not (self._stopping() and result is not _NOTHING):
            taken, last = stretches.take(left)
            if not taken:
                try:
                    feed_dict = stretches.next_feed()
                except StopIteration:
                    break
                taken, last = 1, self._run_with_hooks(fetches, feed_dict)
            left, result = left - taken, last
        if result is _NOTHING:
            raise errors.OutOfRangeError(None, None, "run_steps: there are no feeds left.")
        return result

    def _run_plainly(self, *args: Any) -> Any:
        return self._opened().run(*args)

    def _save(self, save_path: str | os.PathLike[str] | None) -> str:
        self._end_quiet_runs()
        path, stop = save_now(self._opened(), self._calls.hooks, self._creator, save_path)
        self._stop_requested = self._stop_requested or stop
        return path

    def statistics(self) -> SessionStatistics:
        """Where the time has gone since the session began: print it to see. It can be asked for also after `close`."""
        self._end_quiet_runs()
        return self._recorder.statistics(self._unmeasured)

    def _raw_session(self) -> BaseSession | None:
        return self._session

    def _opened(self) -> BaseSession:
        if self._session is None:
            raise RuntimeError("Attempted to use a closed session: make a new one to go on.")
        return self._session

    def should_stop(self) -> bool:
        """Whether the loop should end: a hook or a coordinated thread asked for it, or the session is closed.

        Raises:
            Exception: What a coordinated thread failed with. `MonitoredSession` returns True instead.
        """
        try:
            return self._stopping()
        except BaseException as failure:
            self._tell(failure)
            if not self._recovers or not isinstance(failure, Exception):
                raise
            if not isinstance(failure, _PREEMPTION):
                return True
            self._lose_session(failure)
            self._open()
            return False

    def _stopping(self) -> bool:
        if self._coordinator is None:
            return self._state is not _State.LOST
        self._coordinator.raise_requested_exception()
        if self._stop_requested or self._coordinator.should_stop():
            return True
        return any(wants_stop() for wants_stop in self._calls.wanting_stop)

    # -- fail -----------------------------------------------------------------------------------------------

    def _tell(self, error: BaseException) -> None:
        """Tells the hooks of a failure, once, before anything is closed. The end of the input is none."""
        self._end_quiet_runs()
        context, self._context = self._context, None
        if error is not self._told and not isinstance(error, _END_OF_INPUT):
            self._told = error
            self._calls.on_error(context or SessionRunContext(SessionRunArgs(None), self._session), error)

    # -- close ----------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Ends the session: the hooks' `end`, then the threads and the session.

        Raises:
            RuntimeError: If it is closed already.
            Exception: What a hook's `end`, or a coordinated thread, raised.
        """
        self._close(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        cleanly = kind is None or kind in _END_OF_INPUT
        self._close(None if cleanly else error)
        return cleanly

    def _close(self, error: BaseException | None) -> None:
        """Ends the session, for which an error may be the reason."""
        if self._state is _State.CLOSED:
            raise RuntimeError("Session is already closed.")
        self._end_quiet_runs()
        try:
            if error is None:
                self._calls.end(self._session)
            else:
                self._tell(error)
        except BaseException as failure:
            self._tell(failure)
            error = failure
            raise
        finally:
            self._finish(error)

    def _finish(self, error: BaseException | None) -> None:
        """Stops the threads and closes the session, whatever state they are in, and lets the graph change again."""
        self._state = _State.CLOSED
        try:
            self._close_session()
        except BaseException as failure:
            error = failure if error is None else error
            raise
        finally:
            self._told = None
            if not self._graph_was_finalized:
                self._first_graph._unsafe_unfinalize()
            self._recorder.close()
            self._calls.after_close(error)

    def _close_session(self) -> None:
        coordinator, self._coordinator = self._coordinator, None
        try:
            if coordinator is not None:
                coordinator.request_stop()
                coordinator.join(stop_grace_period_secs=self._grace, ignore_live_threads=True)
        except BaseException as failure:
            self._tell(failure)
            raise
        finally:
            session, self._session = self._session, None
            if session is not None:
                _close_quietly(session)

    def _lose_session(self, error: Exception) -> None:
        """Closes a preempted session; the next run makes a new one."""
        _log.info(
            "An error was raised. This may be due to a preemption in a connected worker or parameter server. The "
            "current session will be closed and a new session will be created. Error: %s",
            error,
        )
        self._tell(error)
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
        return self._raw_session()


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
