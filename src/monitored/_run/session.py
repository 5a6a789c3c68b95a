"""`Session`: carries out parts of a graph, and keeps the state that they change."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from itertools import chain, islice
from types import TracebackType
from typing import Any, Final, Self

from monitored import errors
from monitored._graph import defaults
from monitored._graph.graph import Graph, get_default_graph
from monitored._graph.operation import Tensor
from monitored._run.cancellation import Cancellation, CancellationManager
from monitored._run.config import check_config, check_options
from monitored._run.counters import added_to
from monitored._run.devices import DeviceAttributes, Placement
from monitored._run.executor import Executor, PlanRunner
from monitored._run.fetches import Feed, FetchMapper, flat_feeds, is_nested, signature, to_host
from monitored._run.many_steps import StepLoop, feed_of_each_step, staged
from monitored._run.partial import PartialRuns
from monitored._run.store import StateStore
from monitored._run.trace import Trace, partition_graph


class _Prepared:
    """Everything that is worked out once for a structure of fetches and a set of fed keys."""

    __slots__ = ("feeds", "loop", "mapper", "rebuild", "runner")

    def __init__(self, executor: Executor, graph: Graph, fetches: Any, feed_keys: tuple[Any, ...]) -> None:
        self.mapper = FetchMapper(graph, fetches)
        self.feeds = [Feed(graph, key) for key in feed_keys]
        fed = tuple(feed.tensor for feed in self.feeds)
        if len(set(fed)) != len(fed):
            raise ValueError(f"A tensor is fed twice: {[t.name for t in fed]}")
        self.runner: PlanRunner = executor.runner(self.mapper.elements, fed)
        self.loop: StepLoop | None = None  # for `run_steps`
        self.rebuild = self.mapper.rebuild

    def run(self, feed_dict: Any) -> Any:
        """Converts what is fed, carries the plan out, and arranges the results as the fetches are."""
        values = [feed.convert(v) for feed, v in zip(self.feeds, feed_dict.values())] if feed_dict else []  # noqa: B905
        results = self.runner.run(values)
        return self.rebuild([to_host(r) for r in results] if results else results)


_NOTHING: Final = object()
_live: weakref.WeakSet[BaseSession] = weakref.WeakSet()


def _check_target(target: Any) -> None:
    if target not in (None, "", b"", "local", b"local"):
        raise errors.NotFoundError(
            None, None, f"No session factory registered for the given session options: {{target: {target!r}}}"
        )


class BaseSession:
    """What all sessions share: a graph, the state of one execution of it, and `run`.

    Args:
        target: The execution engine; only the one in this process (``''``) exists.
        graph: The graph; the default one when None.
        config: A `ConfigProto`; ``docs/session.md`` says what each of its fields does.

    Raises:
        TypeError: If an argument is of the wrong type.
        NotFoundError: If `target` names another engine, or `config` leaves no processor.
        UnimplementedError: If `config` asks for something that a session cannot give.
    """

    def __init__(self, target: str = "", graph: Graph | None = None, config: Any = None) -> None:
        if graph is not None and not isinstance(graph, Graph):
            raise TypeError(f"graph must be a tf.Graph, but got {type(graph)}")
        if not isinstance(target, (str, bytes)):
            raise TypeError(f"target must be a string, but got {type(target)}")
        _check_target(target)
        check_config(config)
        self._graph = get_default_graph() if graph is None else graph
        self._target = target
        self._config = config
        self._closed = False
        self._live = True  # neither closed nor reset
        self._prepared: dict[Any, _Prepared] = {}
        self._preparing = threading.Lock()
        self._cancellations = CancellationManager()
        self._placement = Placement(self._graph, config)
        timeout = 0 if config is None else config.operation_timeout_in_ms
        self._store = StateStore(self._placement.jax_device)
        self._executor = Executor(self._store, self._cancellations, timeout / 1000 if timeout > 0 else None)
        self._partial_runs = PartialRuns(self._executor)
        _live.add(self)
        self._companions: Any = None  # objects whose state is saved with the variables; see `_train.companions`

    @property
    def graph(self) -> Graph:
        """The graph that was launched in this session."""
        return self._graph

    @property
    def graph_def(self) -> Any:
        """The graph as a `GraphDef` protocol buffer."""
        return self._graph.as_graph_def()

    @property
    def sess_str(self) -> Any:
        """The execution engine that was asked for."""
        return self._target

    def run(self, fetches: Any, feed_dict: Any = None, options: Any = None, run_metadata: Any = None) -> Any:
        """Runs operations and evaluates tensors in `fetches`.

        Args:
            fetches: A `Tensor`, `Operation`, variable or name, or a nested list, tuple, namedtuple or dict of them.
            feed_dict: Values for tensors, by tensor, variable or name: Python scalars, lists, NumPy arrays.
            options: A `RunOptions`: ``timeout_in_ms`` bounds the time that host steps may wait, in milliseconds;
                ``trace_level`` and ``output_partition_graphs`` say what goes into `run_metadata`.
            run_metadata: A `RunMetadata`. With a trace level it gets, as ``step_stats``, the times of each device
                segment, host step and compilation of this run, which then waits for each segment; see
                `monitored.timeline`.

        Returns:
            The structure of `fetches` with values in place of its leaves: NumPy arrays (scalars for rank 0), and
            None for operations.

        Raises:
            RuntimeError: If the session is closed, or its graph empty.
            TypeError: If a fetch or a feed is of the wrong type.
            ValueError: If a fetch or feed is not in the graph, or a feed's shape does not fit.
            OpError: If an operation fails, or a needed placeholder is not fed.
        """
        try:
            key = (signature(fetches), tuple(feed_dict)) if feed_dict else signature(fetches)
            prepared = self._prepared.get(key)
        except TypeError:
            self._check_runnable(feed_dict)
            FetchMapper(self._graph, fetches)
            raise
        if prepared is None or self._closed:
            self._check_runnable(feed_dict)
            if feed_dict and is_nested(feed_dict):  # rare, and so never kept: it passes here at every run
                return self.run(fetches, flat_feeds(feed_dict), options, run_metadata)
            prepared = self._prepare(key, fetches, tuple(feed_dict or ()))
        if options is None and run_metadata is None:
            return prepared.run(feed_dict)
        values = [feed.convert(v) for feed, v in zip(prepared.feeds, feed_dict.values())] if feed_dict else []  # noqa: B905
        results = self._run_with_options(prepared.runner, values, options, run_metadata)
        return prepared.rebuild([to_host(r) for r in results] if results else results)

    def run_joined(self, fetches: Any, more: list[Any], feed_dict: Any, known: dict[Any, _Prepared]) -> Any:
        """As ``run([fetches, *more], feed_dict)``, without looking at `more` in every step.

        Args:
            fetches: As for `run`.
            more: What else to fetch; always the same for one `known`.
            feed_dict: As for `run`.
            known: What has been worked out for `more` in this session; it is added to.

        Returns:
            As `run` returns.
        """
        try:
            key = (signature(fetches), tuple(feed_dict)) if feed_dict else signature(fetches)
            prepared = known.get(key)
        except TypeError:
            prepared = None  # `run` says what is wrong
        if prepared is not None and self._live:
            return prepared.run(feed_dict)
        joined = [fetches, *more]
        results = self.run(joined, feed_dict)
        found = self._prepared.get((signature(joined), tuple(feed_dict)) if feed_dict else signature(joined))
        if found is not None:
            known[key] = found
        return results

    def run_steps(
        self, fetches: Any, num_steps: int, feed_dict: Any = None, *, feeds: Iterable[Any] | None = None
    ) -> Any:
        """Runs the same fetches many times, in a loop on the device where nothing else needs the host.

        What is computed is what that many calls of `run` compute; a small step takes a twentieth of the time. Steps
        that need the host (queues, `py_func`, strings, summaries) are run one by one.

            session.run_steps(train_op, 1000)
            session.run_steps(train_op, 1000, feeds=({x: rows, y: labels} for rows, labels in batches))

        Args:
            fetches: As for `run`.
            num_steps: How many times.
            feed_dict: As for `run`, the same in each step.
            feeds: Instead, an iterable of feed dictionaries with the same keys, one for each step. It may end early.

        Returns:
            What the last `run` would have returned.

        Raises:
            ValueError: If `num_steps` is not positive, both feeds are given, or dictionaries have different keys.
            OutOfRangeError: If `feeds` has nothing left.
            Exception: As `run`.
        """
        each: Iterator[Any] = islice(feed_of_each_step(num_steps, feed_dict, feeds), num_steps)
        first: Any = next(each, _NOTHING)
        if first is _NOTHING:
            raise errors.OutOfRangeError(None, None, "run_steps: there are no feeds left.")
        self._check_runnable(first)
        each, result = chain([first], each), None
        loop = None if is_nested(first) else self._loop_of(fetches, first)
        if loop is None:
            for feed in each:
                result = self.run(fetches, feed)
            return result
        prepared, steps = loop
        outputs: list[Any] | None = None
        if feeds is None:
            outputs = steps.run(num_steps, self._converted(prepared, first, first), own=False)
            for feed in each if outputs is None else ():
                result = self.run(fetches, feed)
        else:
            for some, arrays in staged(self._converted(prepared, feed, first) for feed in each):
                outputs = steps.run(len(some), arrays, own=True)
                for values in some if outputs is None else ():
                    result = self.run(fetches, dict(zip(first, values, strict=True)))
        return result if outputs is None else prepared.mapper.rebuild([to_host(output) for output in outputs])

    def _loop_of(self, fetches: Any, feed_dict: Any) -> tuple[_Prepared, StepLoop] | None:
        """What is prepared for a run, and a loop of it; None if it needs the host in between."""
        keys = tuple(feed_dict or ())
        key = (signature(fetches), keys) if keys else signature(fetches)
        prepared = self._prepared.get(key) or self._prepare(key, fetches, keys)
        segment = prepared.runner.only_segment
        if segment is None:
            return None
        if prepared.loop is None or prepared.loop.segment is not segment:
            prepared.loop = StepLoop(segment, self._executor.compiled)
        return prepared, prepared.loop

    def added_by_run(self, fetches: Any, feed_dict: Any, variable: Any) -> int | None:
        """What a run adds to an integer variable (1 to None); None if that is not known, or the run can be no loop."""
        loop = self._loop_of(fetches, feed_dict)
        if loop is None:
            return None
        return 1 if variable is None else added_to(variable, loop[1].segment)

    def _converted(self, prepared: _Prepared, feed_dict: Any, first: Any) -> list[Any]:
        if feed_dict.keys() != first.keys():
            raise ValueError(f"Each step must feed the same tensors: {[*first]}, not {[*feed_dict]}.")
        return [feed.convert(feed_dict[key]) for feed, key in zip(prepared.feeds, first, strict=True)]

    def _run_with_options(
        self, runner: PlanRunner, values: list[Any], options: Any, run_metadata: Any
    ) -> Sequence[Any]:
        """Carries a plan out within a time, and fills the metadata as the options ask."""
        if run_metadata is not None:
            run_metadata.Clear()
        if options is None:
            return runner.run(values)
        check_options(options, 0 if self._config is None else len(self._config.session_inter_op_thread_pool))
        timeout = options.timeout_in_ms / 1000 if options.timeout_in_ms > 0 else self._executor.timeout
        cancellation = Cancellation(self._cancellations, timeout)
        if run_metadata is None or options.trace_level == options.NO_TRACE:
            results = runner.run(values, cancellation)
        else:
            with Trace(self._store) as trace:
                results = runner.run_traced(values, cancellation, trace)
            trace.fill(run_metadata.step_stats)
        if run_metadata is not None and options.output_partition_graphs:
            run_metadata.partition_graphs.append(partition_graph(self._graph, runner.plan))
        return results

    def _check_runnable(self, feed_dict: Any) -> None:
        self._check_open()
        if self._graph.version == 0:
            raise RuntimeError("The Session graph is empty.  Add operations to the graph before calling run().")
        if feed_dict is not None and not isinstance(feed_dict, Mapping):
            raise TypeError(f"feed_dict must be a dictionary, but got {feed_dict!r} of {type(feed_dict)}.")

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("Attempted to use a closed Session.")
        if self._cancellations.cancelled:  # by `reset`
            raise errors.CancelledError(None, None, "Session has been closed.")

    def _prepare(self, key: Any, fetches: Any, feed_keys: tuple[Any, ...]) -> _Prepared:
        with self._preparing:
            prepared = _Prepared(self._executor, self._graph, fetches, feed_keys)
            self._placement.check(prepared.runner.plan)
            self._prepared[key] = prepared
        return prepared

    def plan(self, fetches: Any, feed_dict: Any = None) -> str:
        """What `run` with these arguments would do, for reading: its device segments and host steps.

        Args:
            fetches: As for `run`.
            feed_dict: As for `run`; only the keys matter.

        Returns:
            The plan, a line for each step.
        """
        return str(_Prepared(self._executor, self._graph, fetches, tuple(feed_dict or ())).runner.plan)

    def make_callable(self, fetches: Any, feed_list: Any = None, accept_options: bool = False) -> Any:
        """A function that runs fixed fetches, a little faster than `run`.

        Args:
            fetches: As for `run`.
            feed_list: The tensors that the function takes values for, in order.
            accept_options: Whether the function takes ``options`` and ``run_metadata``.

        Returns:
            ``f(*values)`` giving what ``run(fetches, dict(zip(feed_list, values)))`` would.

        Raises:
            RuntimeError: As `run`.
            TypeError: As `run`.
            ValueError: As `run`.
        """
        self._check_runnable(None)
        keys = tuple(feed_list or ())
        self._prepare((signature(fetches), keys) if keys else signature(fetches), fetches, keys)

        def call(*values: Any, options: Any = None, run_metadata: Any = None) -> Any:
            if len(values) != len(keys):
                raise TypeError(f"The callable takes {len(keys)} values, but {len(values)} were given.")
            return self.run(fetches, dict(zip(keys, values, strict=True)), options, run_metadata)

        return call

    def partial_run_setup(self, fetches: Any, feeds: Any = None) -> str:
        """Begins a run that is carried out in several calls of `partial_run`.

        Args:
            fetches: Everything that will be fetched, as for `run`.
            feeds: A list of everything that will be fed.

        Returns:
            A handle for `partial_run`.

        Raises:
            RuntimeError: As `run`.
            TypeError: As `run`.
            ValueError: As `run`.
            InvalidArgumentError: If something is to be fed twice.
        """
        self._check_runnable(None)
        mapper = FetchMapper(self._graph, fetches)
        keys = feeds if isinstance(feeds, (list, tuple)) else [] if feeds is None else [feeds]
        fed: list[Tensor] = []
        for key in keys:
            tensor = Feed(self._graph, key).tensor
            if tensor in fed:
                raise errors.InvalidArgumentError(None, None, f'Endpoint "{tensor.name}" fed more than once.')
            fed.append(tensor)
        return self._partial_runs.begin(mapper.elements, fed)

    def partial_run(self, handle: str, fetches: Any, feed_dict: Any = None) -> Any:
        """Goes on with a run that `partial_run_setup` began.

        What was computed for earlier calls is not computed again; a tensor can be fetched in one call only.

            handle = session.partial_run_setup([y, z], [x, w])
            first = session.partial_run(handle, y, {x: 1.0})
            session.partial_run(handle, z, {w: 2.0 * first})

        Args:
            handle: What `partial_run_setup` gave.
            fetches: What to fetch now, as for `run`; tensors only.
            feed_dict: What to feed now, as for `run`.

        Returns:
            As `run`.

        Raises:
            RuntimeError: If the session is closed, or an operation is among the fetches.
            TypeError: As `run`.
            ValueError: As `run`.
            InvalidArgumentError: If the handle is of no run or one that is over, or a fetch or a feed was not named at
                setup, was there before, or needs what has not been fed.
            OpError: If an operation fails, which ends the run.
        """
        self._check_runnable(feed_dict)
        mapper = FetchMapper(self._graph, fetches)
        flat = flat_feeds(feed_dict) if feed_dict and is_nested(feed_dict) else feed_dict or {}
        feeds = [Feed(self._graph, key) for key in flat]
        values = [feed.convert(value) for feed, value in zip(feeds, flat.values(), strict=True)]
        if len(mapper.tensors) < len(mapper.elements):
            raise RuntimeError("partial_run() requires empty target_list: operations are for partial_run_setup.")
        run = self._partial_runs.find(handle)
        tensors = [feed.tensor for feed in feeds]
        with run.lock:
            run.check(mapper.tensors, tensors)
            try:
                results = run.run(mapper.tensors, tensors, values)
            except BaseException:
                self._partial_runs.end(handle)
                raise
        if run.is_over:
            self._partial_runs.end(handle)
        return mapper.rebuild([to_host(result) for result in results])

    def list_devices(self) -> list[DeviceAttributes]:
        """The devices of this session.

        Returns:
            Their names, kinds and memory, the host's processor first.

        Raises:
            CancelledError: If the session is closed.
        """
        if self._closed or self._cancellations.cancelled:
            raise errors.CancelledError(None, None, "Session has been closed.")
        return list(self._placement.devices())

    def close(self) -> None:
        """Ends the session: runs that wait on the host end with CancelledError, and its state is let go."""
        if self._closed:
            return
        self._closed = True
        self._let_go()

    def _let_go(self) -> None:
        """Wakes the runs that wait, and forgets what has been prepared and the values of the variables."""
        self._live = False
        self._prepared.clear()
        self._cancellations.cancel()
        self._store.release()

    def as_default(self) -> AbstractContextManager[Self]:
        """Makes this the default session of the thread within a block; it is not closed at the end.

        Returns:
            A context manager that gives this session.
        """
        return defaults.sessions.pushed(self)


class Session(BaseSession):
    """A session for use in a ``with`` block, which makes it and its graph the defaults and closes it at the end."""

    def __init__(self, target: str = "", graph: Graph | None = None, config: Any = None) -> None:
        super().__init__(target, graph, config)
        self._entered: list[ExitStack] = []

    @staticmethod
    def reset(target: str, containers: Any = None, config: Any = None) -> None:
        """Ends all sessions of this process, and lets their variables go; runs that wait end with CancelledError.

        Args:
            target: The execution engine; only the one in this process (``''``) exists.
            containers: Accepted; as in TensorFlow, sessions in one process are ended whole.
            config: A `ConfigProto`.

        Raises:
            TypeError: If `config` is something else.
            NotFoundError: If `target` names another engine.
        """
        _check_target(target)
        check_config(config)
        for session in [*_live]:
            session._let_go()

    def __enter__(self) -> Self:
        stack = ExitStack()
        stack.enter_context(self._graph.as_default())
        stack.enter_context(self.as_default())
        self._entered.append(stack)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._entered.pop().close()
        finally:
            self.close()


class InteractiveSession(BaseSession):
    """A session that makes itself and its graph the defaults when it is made, for use in a shell."""

    def __init__(self, target: str = "", graph: Graph | None = None, config: Any = None) -> None:
        super().__init__(target, graph, config)
        self._entered = ExitStack()
        if graph is not None:
            self._entered.enter_context(self._graph.as_default())
        self._entered.enter_context(self.as_default())

    def close(self) -> None:
        """Ends the session, and its being the default."""
        super().close()
        self._entered.close()


__all__ = ["BaseSession", "InteractiveSession", "Session"]
