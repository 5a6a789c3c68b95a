"""`SessionRunHook`: code that takes part in the life of a monitored session.

What a monitored session does with its hooks, in full:

    for hook in hooks: hook.begin()                        # the graph is still open
    scaffold.finalize()                                    # the graph is complete and frozen
    session = a new session, initialized or restored
    start the queue runners under a coordinator
    for hook in hooks: hook.load_state_dict(state), if a checkpoint with a state of this hook was restored
    for hook in hooks: hook.after_create_session(session, coordinator)

    while not should_stop():
        context = SessionRunContext(the caller's fetches and feeds, session)
        requests = [hook.before_run(context) for hook in hooks]
        values = session.run(the caller's fetches and all requests, merged)
        for hook in hooks: hook.after_run(context, its own values)
        for what in what hooks gave to context.after_hooks: what()     # such as a save
        # should_stop() is true from here on if context.request_stop() was called

    if no error, or the end of the input, ended the loop:
        for hook in hooks: hook.end(session)
    else: hook.on_error(context, error) was called for each hook as soon as it failed
    stop and join the queue runners' threads
    close the session
    for hook in hooks: hook.after_close(error)             # always, for all that began

`on_error`, `wants_stop`, `after_close`, `quiet_runs`, `after_quiet_runs`, `state_dict`, `load_state_dict` and
`after_hooks` are not TensorFlow's. What is skipped when something fails:

- `begin` raises: the hooks after it are not asked, there is no session, no `end`.
- creating or restoring, or an `after_create_session`, raises: the session is closed; no `end`.
- `before_run` raises: the hooks after it are not asked, nothing runs, no `after_run`, no `end`.
- the run raises: no `after_run`; `end` only if it was OutOfRangeError or StopIteration, leaving the `with` block.
- `after_run` raises: the hooks after it do not see this step; no `end`.
- `end` raises: the hooks after it do not end; threads are joined and the session is closed all the same.

In a `MonitoredSession`, AbortedError and UnavailableError mean that the session is lost: a new one is made and
restored, `after_create_session` is called again, and the step is repeated; `begin` and `end` are called once in all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = ["SessionRunArgs", "SessionRunContext", "SessionRunHook", "SessionRunValues"]


class SessionRunHook:
    """Code that is called at the events of a monitored session's life; override what is needed.

    A method that is not overridden costs nothing: it is never called.
    """

    def begin(self) -> None:
        """Called once, before the session is made.

        The default graph is the one that the session will run, and operations can still be added to it.
        """

    def after_create_session(self, session: Any, coord: Any) -> None:
        """Called when a session has been made and initialized.

        The graph is finalized: no operations can be added. A session made to recover from a failure leads to
        another call.

        Args:
            session: The new `Session`, without hooks.
            coord: The `Coordinator` of the session's threads.
        """

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs | None:
        """Called before each run.

        Return the same object in step after step rather than a new one: what a monitored session works out for a
        request is kept by its identity.

        Args:
            run_context: What the caller wants, and the session.

        Returns:
            What to fetch and feed besides, or None for nothing.
        """
        return None

    def after_run(self, run_context: SessionRunContext, run_values: SessionRunValues) -> None:
        """Called after each run that did not fail.

        Args:
            run_context: As for `before_run`; ``run_context.request_stop()`` ends the loop.
            run_values: The values of what `before_run` asked for.
        """

    def end(self, session: Any) -> None:
        """Called once, when the loop ended without an error or with the end of the input.

        Args:
            session: The `Session`, still open, without hooks.
        """

    def wants_stop(self) -> bool:
        """Asked by `should_stop`, between the runs: whether the loop should end.

        For what does not happen in a run, such as a signal; a hook that decides after a run calls
        ``run_context.request_stop()`` in `after_run`.

        Returns:
            True to end the loop.
        """
        return False

    def quiet_runs(self, step: int, increment: int, secs_per_run: float) -> float:
        """Asked now and then: in how many of the next runs this hook has nothing to do.

        Of those it is not told by `before_run` and `after_run`, but by one `after_quiet_runs`. A class that overrides
        one of the first two has to override this method, too, or is called in every run.

        Args:
            step: The present global step.
            increment: What each run adds to it.
            secs_per_run: How long a run takes, about, in seconds. What is due at a time is due after so many of them.

        Returns:
            The number; 0 if it has something to do in the next run, or does not know.
        """
        return 0

    def after_quiet_runs(self, runs: int, stale_step: int) -> None:
        """Called when runs were made in which this hook has nothing to do.

        Args:
            runs: How many.
            stale_step: The global step before the last of them.
        """

    def state_dict(self) -> dict[str, Any]:
        """Asked when a checkpoint is saved: what a hook of the process that resumes needs to go on as this one would.

        Returns:
            None, booleans, numbers, strings, bytes, NumPy arrays, and lists and dictionaries of them.
        """
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Called before `after_create_session` when a checkpoint was restored, if it holds a state of this hook.

        Hooks are told apart by their classes, and among those of one class by their order.

        Args:
            state: What `state_dict` returned when the checkpoint was saved; tuples have become lists.
        """

    def on_error(self, run_context: SessionRunContext, error: BaseException) -> None:
        """Called when a run, a hook, a queue runner, or the program between the runs fails.

        Nothing is closed yet. The end of the input is no failure. Each error is told once; what this method raises is
        logged, and hides nothing.

        Args:
            run_context: The run that failed. Outside of a run it has nothing to fetch; its `session` is None if there
                is none.
            error: The exception.
        """

    def after_close(self, error: BaseException | None) -> None:
        """Called once, when the session is closed, whatever happened: to let go of what `begin` took.

        Args:
            error: What ended the session; None after a clean finish. After a clean finish, what this method raises
                comes out of the session's end.
        """


class SessionRunArgs(NamedTuple):
    """What to run: the arguments of `Session.run`.

    Attributes:
        fetches: What to fetch: a tensor, operation, variable or name, or nested lists, tuples or dictionaries.
        feed_dict: Values for tensors, or None.
        options: A `RunOptions`, or None. Those of all hooks are merged.
    """

    fetches: Any
    feed_dict: Any = None
    options: Any = None


class SessionRunValues(NamedTuple):
    """What a run gave.

    Attributes:
        results: The values of the fetches that the hook asked for, in their structure; None when it asked for none.
        options: The `RunOptions` of the run; empty if nobody gave any.
        run_metadata: The `RunMetadata` of the run; empty if nobody gave options or asked for it.
    """

    results: Any
    options: Any
    run_metadata: Any


class SessionRunContext:
    """One run, as hooks see it.

    Args:
        original_args: What the caller of `run` wants, a `SessionRunArgs` or a tuple to make one of.
        session: The session that runs it.
        deferred: Where to put what is to be done after all hooks; nowhere when None.
    """

    __slots__ = ("_deferred", "_original_args", "_session", "_stop_requested")

    def __init__(self, original_args: tuple[Any, ...], session: Any, deferred: list[Callable[[], Any]] | None = None):
        self._original_args = original_args
        self._session = session
        self._deferred = deferred
        self._stop_requested = False

    @property
    def original_args(self) -> SessionRunArgs:
        """What the caller of `run` wants, without the hooks' requests."""
        args = self._original_args
        if not isinstance(args, SessionRunArgs):  # made when somebody looks, which is seldom
            args = self._original_args = SessionRunArgs(*args)
        return args

    @property
    def session(self) -> Any:
        """The session that runs it, without hooks."""
        return self._session

    @property
    def stop_requested(self) -> bool:
        """Whether a hook asked for the loop to end."""
        return self._stop_requested

    def after_hooks(self, what: Callable[[], Any]) -> None:
        """Does something when the `after_run` of every hook is done: what has to see the step as all of them left it.

        Args:
            what: A function without arguments. If a hook fails first, it is not called. Outside of a monitored
                session's run it is called at once.
        """
        if self._deferred is None:
            what()
        else:
            self._deferred.append(what)

    def request_stop(self) -> None:
        """Makes `should_stop` of the monitored session true once this run is done."""
        self._stop_requested = True
