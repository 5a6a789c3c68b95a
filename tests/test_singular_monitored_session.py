"""`SingularMonitoredSession`, sentence by sentence of TensorFlow's page on it; each test quotes the one it proves."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import monitored as tf
import replay_graph_session as replay

# Where TensorFlow's answer differs: the place in what the program shows, and what is there instead.
FED_TWICE = "Conflicting: x:0, created at "
DIFFERENCES: dict[str, dict[str, Any]] = {
    # TensorFlow calls `end` again before it finds that the session is closed.
    "monitored/closing_within_the_block": {
        f"/{i}/1": ["hook.begin", "hook.after_create_session", "hook.before_run", "hook.after_run", "hook.end",
                    "closed within"] for i in (0, 1)
    },
    "monitored/feeds_from_hooks": {
        "/2/1": f"Same tensor is fed by two hooks. {FED_TWICE}",
        "/3/1": f"Same tensor is fed by a SessionRunHook and user. {FED_TWICE}",
    },
}  # fmt: skip

Log = list[str]


@pytest.fixture(autouse=True)
def _graph() -> Iterator[tf.Graph]:
    with tf.Graph().as_default() as graph:
        yield graph


class Recorder(tf.train.SessionRunHook):
    """A hook that writes down what is called, with whether the graph can still change, and fails where told to."""

    def __init__(self, log: Log, name: str = "hook", fails_in: str = "", error: BaseException | None = None) -> None:
        self.log = log
        self.name = name
        self.fails_in = fails_in
        self.error = error
        self.given: dict[str, Any] = {}

    def note(self, method: str, *given: Any) -> None:
        self.log.append(f"{self.name}.{method}")
        self.given[method] = given
        if method == self.fails_in:
            assert self.error is not None
            raise self.error

    def begin(self) -> None:
        self.note("begin", tf.get_default_graph().finalized)

    def after_create_session(self, session: Any, coord: Any) -> None:
        self.note("after_create_session", session, coord)

    def before_run(self, run_context: Any) -> Any:
        self.note("before_run", run_context)

    def after_run(self, run_context: Any, run_values: Any) -> None:
        self.note("after_run", run_context, run_values)

    def end(self, session: Any) -> None:
        self.note("end", session)


def counter() -> tuple[Any, Any]:
    """The global step, and an operation that adds one to it."""
    step = tf.train.get_or_create_global_step()
    return step, tf.assign_add(step, 1)


def logged(log: Log, text: str) -> Any:
    """An operation that writes a line into the log when it runs."""
    return tf.py_func(lambda: log.append(text), [], [])


def add_queue_runner(log: Log, error: BaseException | None = None) -> tuple[Any, threading.Event]:
    """A queue kept full by one thread; once the event is set, the thread raises the error instead."""
    failing = threading.Event()

    def produce() -> np.int32:
        if error is not None and failing.wait(60):
            raise error
        return np.int32(7)

    class Runner(tf.train.QueueRunner):
        def create_threads(self, *args: Any, **kwargs: Any) -> Any:
            log.append("queue runners")
            threads.extend(super().create_threads(*args, **kwargs))
            return threads

    threads: list[threading.Thread] = []
    queue = tf.FIFOQueue(2, [tf.int32], shapes=[[]])
    item = tf.py_func(produce, [], tf.int32)
    item.set_shape([])
    tf.train.add_queue_runner(Runner(queue, [queue.enqueue(item)]))
    queue.threads = threads
    return queue, failing


def save(directory: Path, step: int) -> str:
    """A checkpoint of the default graph whose global step is `step`."""
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(tf.train.get_global_step().assign(step))
        return tf.train.Saver().save(session, str(directory / "model.ckpt"), global_step=step)


@pytest.mark.parametrize("name", replay.names("monitored/"))
def test_a_monitored_session_is_like_tensorflows(name: str) -> None:
    assert replay.begin_alike(replay.differences(name), DIFFERENCES.get(name, {}))


# -- what it is ------------------------------------------------------------------------------------------------


def test_the_example_usage_runs(tmp_path: Path) -> None:
    """`with SingularMonitoredSession(hooks=[saver_hook, summary_hook]) as sess: while not sess.should_stop(): ...`"""
    _, train = counter()
    tf.summary.scalar("loss", tf.constant(0.5))
    saver_hook = tf.train.CheckpointSaverHook(str(tmp_path / "model"), save_steps=2)
    summary_hook = tf.train.SummarySaverHook(save_steps=1, output_dir=str(tmp_path / "log"),
                                             summary_op=tf.summary.merge_all())  # fmt: skip
    hooks = [saver_hook, summary_hook, tf.train.StopAtStepHook(last_step=5)]
    with tf.train.SingularMonitoredSession(hooks=hooks) as sess:
        while not sess.should_stop():
            sess.run(train)
    assert tf.train.latest_checkpoint(str(tmp_path / "model")) == str(tmp_path / "model" / "model.ckpt-5")
    assert len(list((tmp_path / "log").iterdir())) == 1


def test_it_handles_initialization_restoring_and_hooks(tmp_path: Path) -> None:
    """Session-like object that handles initialization, restoring, and hooks."""
    v = tf.get_variable("v", initializer=3.0)
    local = tf.get_variable("local", initializer=4.0, collections=[tf.GraphKeys.LOCAL_VARIABLES])
    step, _ = counter()
    save(tmp_path, 12)
    log: Log = []
    with tf.train.SingularMonitoredSession([Recorder(log)], checkpoint_dir=str(tmp_path)) as session:
        assert session.run([v, local, step]) == [3.0, 4.0, 12]
    assert "hook.before_run" in log


@pytest.mark.parametrize("error_type", [tf.errors.AbortedError, tf.errors.UnavailableError])
def test_it_lets_aborted_error_out_where_monitored_session_goes_on(error_type: Callable[..., Exception]) -> None:
    """MonitoredSession handles AbortedError for distributed settings, but SingularMonitoredSession does not."""
    step, train = counter()

    class Preempted(Recorder):
        def after_run(self, run_context: Any, run_values: Any) -> None:
            super().after_run(run_context, run_values)
            if self.log.count("hook.after_run") == 1:
                raise error_type(None, None, "preempted")

    hook = Preempted([])
    with pytest.raises(error_type, match="preempted"):
        with tf.train.SingularMonitoredSession([hook]) as session:
            session.run(train)
    assert hook.log == ["hook.begin", "hook.after_create_session", "hook.before_run", "hook.after_run"]
    hook = Preempted([])
    with tf.train.MonitoredSession(hooks=[hook]) as session:
        assert session.run(train) == 1
        assert session.run(step) == 1
    assert hook.log.count("hook.begin") == 1
    assert hook.log.count("hook.after_create_session") == 2


def test_it_is_always_the_chief() -> None:
    """MonitoredSession can be created in chief or worker modes. SingularMonitoredSession is always created as chief."""
    parameters = inspect.signature(tf.train.SingularMonitoredSession).parameters
    assert "session_creator" not in parameters
    assert "session_creator" in inspect.signature(tf.train.MonitoredSession).parameters
    v = tf.get_variable("v", initializer=1.0)
    with tf.train.SingularMonitoredSession() as session:
        assert session.run(v) == 1.0  # a worker would wait for another to initialize it


def test_the_raw_session_is_private_in_monitored_session() -> None:
    """You can access the raw tf.Session object used by SingularMonitoredSession, whereas in MonitoredSession [...]."""
    tf.get_variable("v", initializer=1.0)
    with tf.train.MonitoredSession() as session:
        assert not hasattr(session, "raw_session")
    tf.get_default_graph()._unsafe_unfinalize()
    with tf.train.SingularMonitoredSession() as session:
        assert isinstance(session.raw_session(), tf.Session)


def test_the_raw_session_runs_without_hooks() -> None:
    """This can be used: - To run without hooks."""
    step, train = counter()
    log: Log = []
    with tf.train.SingularMonitoredSession([Recorder(log)]) as session:
        before = list(log)
        assert session.raw_session().run(train) == 1
        assert log == before
        assert session.run(step) == 1
        assert log == [*before, "hook.before_run", "hook.after_run"]


def test_the_raw_session_saves_and_restores(tmp_path: Path) -> None:
    """This can be used: - To save and restore."""
    step, train = counter()
    saver = tf.train.Saver()
    with tf.train.SingularMonitoredSession() as session:
        session.run(train)
        path = saver.save(session.raw_session(), str(tmp_path / "mine"), global_step=1)
        session.run(train)
        assert session.run(step) == 2
        saver.restore(session.raw_session(), path)
        assert session.run(step) == 1


@pytest.mark.parametrize("name", ["graph", "run", "should_stop", "close", "run_step_fn", "__enter__", "__exit__"])
def test_all_other_functionality_is_that_of_monitored_session(name: str) -> None:
    """All other functionality is identical."""
    assert hasattr(tf.train.SingularMonitoredSession, name)
    assert hasattr(tf.train.MonitoredSession, name)


# -- initialization --------------------------------------------------------------------------------------------


def creation(log: Log, **arguments: Any) -> Any:
    """A session with two hooks and a queue runner, whose every stage writes itself down; and the first hook."""

    class Saver(tf.train.Saver):
        def restore(self, sess: Any, save_path: str) -> None:
            log.append("restore")
            super().restore(sess, save_path)

    add_queue_runner(log)
    hooks = [Recorder(log, "first"), Recorder(log, "second")]
    scaffold = tf.train.Scaffold(
        init_op=tf.group(tf.global_variables_initializer(), logged(log, "init_op")),
        init_fn=lambda scaffold, session: log.append("init_fn"),
        local_init_op=tf.group(tf.local_variables_initializer(), logged(log, "local_init_op")),
        saver=Saver(tf.global_variables()),
    )
    finalize = scaffold.finalize

    def noted() -> Any:
        log.append("finalize")
        return finalize()

    scaffold.finalize = noted
    return tf.train.SingularMonitoredSession(hooks, scaffold, **arguments)


def test_creation_without_a_checkpoint_happens_in_this_order() -> None:
    """At creation time the hooked session does following things in given order."""
    counter()
    log: Log = []
    creation(log).close()
    assert log[:9] == [
        "first.begin",
        "second.begin",
        "finalize",
        "init_op",
        "init_fn",
        "local_init_op",
        "queue runners",
        "first.after_create_session",
        "second.after_create_session",
    ]


def test_creation_with_a_checkpoint_happens_in_this_order(tmp_path: Path) -> None:
    """restores variables if a checkpoint exists"""
    counter()
    save(tmp_path, 5)
    log: Log = []
    creation(log, checkpoint_dir=str(tmp_path)).close()
    assert log[:8] == [
        "first.begin",
        "second.begin",
        "finalize",
        "restore",
        "local_init_op",
        "queue runners",
        "first.after_create_session",
        "second.after_create_session",
    ]


def test_begin_is_called_once_for_each_hook_while_the_graph_can_change() -> None:
    """calls hook.begin() for each given hook"""
    log: Log = []

    class Adds(Recorder):
        def begin(self) -> None:
            super().begin()
            self.tensor = tf.constant(5.0) * 2.0

    hooks = [Adds(log, "a"), Adds(log, "b")]
    with tf.train.SingularMonitoredSession(hooks) as session:
        assert [hook.given["begin"] for hook in hooks] == [(False,), (False,)]
        assert session.run([hook.tensor for hook in hooks]) == [10.0, 10.0]
    assert log[:2] == ["a.begin", "b.begin"]
    assert log.count("a.begin") == 1


def test_the_graph_is_finalized_via_the_scaffold() -> None:
    """finalizes the graph via scaffold.finalize()"""
    _, train = counter()
    scaffold = tf.train.Scaffold()
    graph = tf.get_default_graph()
    with tf.train.SingularMonitoredSession(scaffold=scaffold) as session:
        assert graph.finalized
        assert scaffold.init_op is not None
        assert scaffold.ready_op is not None
        assert scaffold.saver is not None
        with pytest.raises(RuntimeError, match="finalized"):
            tf.constant(1.0)
        session.run(train)
    assert not graph.finalized


def test_a_graph_that_was_finalized_before_stays_so() -> None:
    """finalizes the graph via scaffold.finalize()"""
    _, train = counter()
    scaffold = tf.train.Scaffold().finalize()
    graph = tf.get_default_graph()
    assert graph.finalized
    with tf.train.SingularMonitoredSession(scaffold=scaffold) as session:
        session.run(train)
    assert graph.finalized


def test_a_session_is_created() -> None:
    """create session"""
    counter()
    hook = Recorder([])
    with tf.train.SingularMonitoredSession([hook]) as session:
        raw, coordinator = hook.given["after_create_session"]
        assert raw is session.raw_session()
        assert isinstance(raw, tf.Session)
        assert isinstance(coordinator, tf.train.Coordinator)
        assert raw.graph is tf.get_default_graph()


def test_the_model_is_initialized_by_the_scaffolds_operations() -> None:
    """initializes the model via initialization ops provided by Scaffold"""
    v = tf.get_variable("v", initializer=1.0)
    x = tf.placeholder(tf.float32, [], name="x")
    local = tf.get_variable("local", initializer=0.0, collections=[tf.GraphKeys.LOCAL_VARIABLES])
    y = tf.placeholder(tf.float32, [], name="y")
    called: list[Any] = []
    scaffold = tf.train.Scaffold(
        init_op=v.assign(x),
        init_feed_dict={x: 7.0},
        init_fn=lambda scaffold, session: called.append((scaffold, session.run(v))),
        local_init_op=local.assign(y),
        local_init_feed_dict={y: 8.0},
    )
    with tf.train.SingularMonitoredSession(scaffold=scaffold) as session:
        assert session.run([v, local]) == [7.0, 8.0]
    assert called == [(scaffold, 7.0)]


def test_a_model_that_its_init_op_leaves_unready_is_refused() -> None:
    """initializes the model via initialization ops provided by Scaffold"""
    tf.get_variable("v", initializer=1.0)
    tf.get_variable("w", initializer=1.0)
    scaffold = tf.train.Scaffold(init_op=tf.variables_initializer([tf.global_variables()[0]]))
    with pytest.raises(RuntimeError, match=r"Init operations did not make model ready.*w"):
        tf.train.SingularMonitoredSession(scaffold=scaffold)


def test_variables_are_restored_if_a_checkpoint_exists(tmp_path: Path) -> None:
    """restores variables if a checkpoint exists"""
    step, train = counter()
    v = tf.get_variable("v", initializer=[1.0, 2.0])
    double = v.assign(v * 2.0)
    saver_hook = tf.train.CheckpointSaverHook(str(tmp_path), save_steps=1)
    for begun in (0, 3, 6):
        with tf.train.SingularMonitoredSession([saver_hook], checkpoint_dir=str(tmp_path)) as session:
            assert session.run(step) == begun
            for _ in range(3):
                session.run([train, double])
            assert session.run(v).tolist() == [2.0 ** (begun + 3), 2.0 ** (begun + 4)]


def test_queue_runners_are_launched() -> None:
    """launches queue runners"""
    log: Log = []
    queue, _ = add_queue_runner(log)
    item = queue.dequeue()
    with tf.train.SingularMonitoredSession() as session:
        assert [session.run(item) for _ in range(5)] == [7] * 5
        assert log == ["queue runners"]


# -- run -------------------------------------------------------------------------------------------------------


def test_a_run_calls_before_run_then_runs_then_calls_after_run() -> None:
    """When run() is called, the hooked session does following things."""
    log: Log = []
    fetch = logged(log, "run")
    with tf.train.SingularMonitoredSession([Recorder(log, "first"), Recorder(log, "second")]) as session:
        del log[:]
        session.run(fetch)
        assert log == ["first.before_run", "second.before_run", "run", "first.after_run", "second.after_run"]


def test_before_run_sees_what_the_caller_asked_for() -> None:
    """calls hook.before_run()"""
    x = tf.placeholder(tf.float32, [], name="x")
    y = x * 2.0
    hook = Recorder([])
    with tf.train.SingularMonitoredSession([hook]) as session:
        session.run([y], {x: 1.0})
        (context,) = hook.given["before_run"]
        assert context.original_args == tf.train.SessionRunArgs([y], {x: 1.0})
        assert context.session is session.raw_session()
        assert not context.stop_requested
        after, _ = hook.given["after_run"]
        assert after is context


def test_fetches_and_feeds_are_merged_into_one_run() -> None:
    """calls TensorFlow with merged fetches and feed_dict"""
    log: Log = []
    x, y = tf.placeholder(tf.float32, [], name="x"), tf.placeholder(tf.float32, [], name="y")
    z, ran = x + y, logged(log, "ran")

    class Feeds(tf.train.SessionRunHook):
        def before_run(self, run_context: Any) -> Any:
            return tf.train.SessionRunArgs({"z": [z, ran], "x": x}, feed_dict={y: 10.0})

        def after_run(self, run_context: Any, run_values: Any) -> None:
            self.values = run_values

    class Nothing(tf.train.SessionRunHook):
        def after_run(self, run_context: Any, run_values: Any) -> None:
            self.values = run_values

    feeds, nothing = Feeds(), Nothing()
    with tf.train.SingularMonitoredSession([nothing, feeds]) as session:
        assert session.run([z, ran], {x: 1.0})[0] == 11.0
    assert feeds.values.results["x"] == 1.0
    assert feeds.values.results["z"][0] == 11.0
    assert nothing.values.results is None
    assert log == ["ran"]


def test_after_run_gets_options_and_metadata() -> None:
    """calls hook.after_run()"""
    x = tf.constant(1.0)

    class Asks(tf.train.SessionRunHook):
        def before_run(self, run_context: Any) -> Any:
            return tf.train.SessionRunArgs(x, options=tf.RunOptions(timeout_in_ms=70_000))

        def after_run(self, run_context: Any, run_values: Any) -> None:
            self.values = run_values

    hook = Asks()
    with tf.train.SingularMonitoredSession([hook]) as session:
        session.run(x)
        assert hook.values.options.timeout_in_ms == 70_000
        assert isinstance(hook.values.run_metadata, tf.RunMetadata)
        metadata = tf.RunMetadata()
        session.run(x, options=tf.RunOptions(timeout_in_ms=90_000), run_metadata=metadata)
        assert hook.values.options.timeout_in_ms == 90_000
        assert hook.values.run_metadata is metadata
        session.run(x, run_metadata=metadata)
        assert hook.values.run_metadata is metadata


def test_after_run_gets_empty_options_and_metadata_when_nobody_asked() -> None:
    """calls hook.after_run()"""
    x = tf.constant(1.0)
    hook = Recorder([])
    with tf.train.SingularMonitoredSession([hook]) as session:
        session.run(x)
        _, values = hook.given["after_run"]
        values.options.timeout_in_ms = 1  # nobody else sees it
        session.run(x, run_metadata=tf.RunMetadata())
    _, also = hook.given["after_run"]
    assert list(values) == list(also) == [None, tf.RunOptions(), tf.RunMetadata()]
    assert values[1:] == (tf.RunOptions(), tf.RunMetadata())
    assert (values.results, values.options, values.run_metadata) == tuple(also)


def test_run_returns_what_the_caller_asked_for() -> None:
    """returns result of asked by user"""
    x = tf.constant(3.0)

    class Extra(tf.train.SessionRunHook):
        def before_run(self, run_context: Any) -> Any:
            return tf.train.SessionRunArgs([x, x])

    with tf.train.SingularMonitoredSession([Extra()]) as session:
        assert session.run(x) == 3.0
        assert session.run({"a": x, "b": (x, x.op)}) == {"a": 3.0, "b": (3.0, None)}
        assert session.run([]) == []


# -- exit ------------------------------------------------------------------------------------------------------


def test_close_calls_end_then_stops_the_queue_runners_then_closes_the_session() -> None:
    """At the close(), the hooked session does following things in order."""
    log: Log = []
    queue, _ = add_queue_runner(log)
    x = tf.constant(1.0)

    class Looks(Recorder):
        def end(self, session: Any) -> None:
            super().end(session)
            self.alive = all(thread.is_alive() for thread in queue.threads)
            self.value = session.run(x)

    hooks = [Looks(log, "first"), Looks(log, "second")]
    session = tf.train.SingularMonitoredSession(hooks)
    raw = session.raw_session()
    close_raw = raw.close

    def close() -> None:
        alive = any(thread.is_alive() for thread in queue.threads)
        log.append(f"session closed, threads {'running' if alive else 'ended'}")
        close_raw()

    raw.close = close
    session.close()
    assert log[-3:] == ["first.end", "second.end", "session closed, threads ended"]
    assert [(hook.alive, hook.value) for hook in hooks] == [(True, 1.0)] * 2
    assert len(queue.threads) == 2  # one that enqueues, one that cancels it when the coordinator stops
    assert not any(thread.is_alive() for thread in queue.threads)
    with pytest.raises(RuntimeError, match="closed Session"):
        raw.run(x)


def test_end_is_called_with_the_raw_session() -> None:
    """calls hook.end()"""
    hook = Recorder([])
    with tf.train.SingularMonitoredSession([hook]) as session:
        raw = session.raw_session()
    assert hook.given["end"] == (raw,)


@pytest.mark.parametrize("error", [tf.errors.OutOfRangeError(None, None, "the end"), StopIteration()])
def test_the_end_of_the_input_ends_the_block_silently_and_cleanly(error: Exception) -> None:
    """surpresses OutOfRange error which indicates that all inputs have been processed if [...] used as a context"""
    log: Log = []
    with tf.train.SingularMonitoredSession([Recorder(log)]) as session:
        raw = session.raw_session()
        raise error
    assert log[-1] == "hook.end"
    with pytest.raises(RuntimeError, match="closed"):
        raw.run([])


def test_the_end_of_a_queue_ends_the_block() -> None:
    """surpresses OutOfRange error which indicates that all inputs have been processed if [...] used as a context"""
    queue, failing = add_queue_runner([], StopIteration())
    failing.set()
    item = queue.dequeue()
    log: Log = []
    with tf.train.SingularMonitoredSession([Recorder(log)]) as session:
        while not session.should_stop():
            session.run(item)
    assert log[-1] == "hook.end"
    assert not any(thread.is_alive() for thread in queue.threads)


def test_the_end_of_the_input_is_not_suppressed_outside_a_context() -> None:
    """[...] if the SingularMonitoredSession is used as a context."""
    queue, failing = add_queue_runner([], StopIteration())
    failing.set()
    item = queue.dequeue()
    session = tf.train.SingularMonitoredSession()
    with pytest.raises(tf.errors.OutOfRangeError):
        session.run(item)
    session.close()


def test_a_hooks_end_may_not_use_the_end_of_input_to_hide() -> None:
    """surpresses OutOfRange error [...]: only the block's own."""
    hook = Recorder([], fails_in="end", error=tf.errors.OutOfRangeError(None, None, "in end"))
    with pytest.raises(tf.errors.OutOfRangeError, match="in end"):
        with tf.train.SingularMonitoredSession([hook]):
            pass


# -- its members -----------------------------------------------------------------------------------------------


def test_graph_is_the_graph_that_was_launched() -> None:
    """The graph that was launched in this session."""
    tf.constant(1.0)
    with tf.train.SingularMonitoredSession() as session:
        assert session.graph is tf.get_default_graph()
        with tf.Graph().as_default() as other:
            assert session.graph is not other
    assert session.graph is None


def test_the_constructor_takes_the_five_arguments_in_their_order() -> None:
    """__init__(hooks=None, scaffold=None, master='', config=None, checkpoint_dir=None)"""
    parameters = inspect.signature(tf.train.SingularMonitoredSession).parameters
    first = [(name, parameter.default) for name, parameter in parameters.items()][:5]
    assert first == [("hooks", None), ("scaffold", None), ("master", ""), ("config", None), ("checkpoint_dir", None)]


@pytest.mark.parametrize("container", [list, tuple, iter, lambda hooks: (hook for hook in hooks), None])
def test_hooks_are_an_iterable(container: Any) -> None:
    """hooks: An iterable of `SessionRunHook' objects."""
    x = tf.constant(1.0)
    log: Log = []
    hooks = None if container is None else container([Recorder(log)])
    with tf.train.SingularMonitoredSession(hooks=hooks) as session:
        session.run(x)
        session.run(x)
    calls = ["begin", "after_create_session", "before_run", "after_run", "before_run", "after_run", "end"]
    assert log == ([] if container is None else [f"hook.{call}" for call in calls])


def test_a_hook_needs_only_the_methods_it_wants() -> None:
    """hooks: An iterable of `SessionRunHook' objects."""
    x = tf.constant(1.0)
    with tf.train.SingularMonitoredSession(hooks=[tf.train.SessionRunHook()]) as session:
        assert session.run(x) == 1.0


def test_a_default_scaffold_is_created() -> None:
    """If not specified a default one is created. It's used to finalize the graph."""
    v = tf.get_variable("v", initializer=1.0)
    tf.get_variable("local", initializer=1.0, collections=[tf.GraphKeys.LOCAL_VARIABLES])
    with tf.train.SingularMonitoredSession() as session:
        assert session.graph.finalized
        assert session.run(v) == 1.0
        for key in ("INIT_OP", "LOCAL_INIT_OP", "READY_OP", "READY_FOR_LOCAL_INIT_OP", "SAVERS"):
            assert len(session.graph.get_collection(getattr(tf.GraphKeys, key))) == 1, key


@pytest.mark.parametrize("master", ["", "local"])
def test_master_is_this_process(master: str) -> None:
    """master: String representation of the TensorFlow master to use."""
    x = tf.constant(1.0)
    with tf.train.SingularMonitoredSession(master=master) as session:
        assert session.run(x) == 1.0


def test_another_master_is_refused() -> None:
    """master: String representation of the TensorFlow master to use."""
    tf.constant(1.0)
    graph = tf.get_default_graph()
    with pytest.raises(tf.errors.NotFoundError, match="grpc://elsewhere"):
        tf.train.SingularMonitoredSession(master="grpc://elsewhere:2222")
    assert not graph.finalized


def test_config_configures_the_session() -> None:
    """config: ConfigProto proto used to configure the session."""
    x = tf.constant(1.0)
    config = tf.ConfigProto(allow_soft_placement=True)
    with tf.train.SingularMonitoredSession(config=config) as session:
        assert session.run(x) == 1.0
        assert session.raw_session()._config is config
    with pytest.raises(TypeError, match=r"config must be a tf\.ConfigProto, but got <class 'dict'>"):
        tf.train.SingularMonitoredSession(config={"allow_soft_placement": True})


@pytest.mark.parametrize("kind", [str, Path, None])
def test_checkpoint_dir_is_optional(kind: Any, tmp_path: Path) -> None:
    """checkpoint_dir: A string. Optional path to a directory where to restore variables."""
    step, _ = counter()
    save(tmp_path, 9)
    directory = None if kind is None else kind(tmp_path)
    with tf.train.SingularMonitoredSession(checkpoint_dir=directory) as session:
        assert session.run(step) == (0 if kind is None else 9)


def test_a_checkpoint_dir_that_is_empty_or_missing_starts_anew(tmp_path: Path) -> None:
    """checkpoint_dir: A string. Optional path to a directory where to restore variables."""
    step, _ = counter()
    for directory in (tmp_path, tmp_path / "missing"):
        with tf.train.SingularMonitoredSession(checkpoint_dir=str(directory)) as session:
            assert session.run(step) == 0
        tf.get_default_graph()._unsafe_unfinalize()
    assert list(tmp_path.iterdir()) == []


def test_the_raw_session_is_the_one_beneath() -> None:
    """Returns underlying TensorFlow.Session object."""
    x = tf.constant(1.0)
    session = tf.train.SingularMonitoredSession()
    raw = session.raw_session()
    assert isinstance(raw, tf.Session)
    assert raw is session.raw_session()
    assert raw.run(x) == 1.0
    session.close()
    assert session.raw_session() is None


def test_run_takes_the_four_arguments_in_their_order() -> None:
    """run(fetches, feed_dict=None, options=None, run_metadata=None)"""
    parameters = inspect.signature(tf.train.SingularMonitoredSession.run).parameters
    first = [(name, parameter.default) for name, parameter in parameters.items()][1:5]
    empty = inspect.Parameter.empty
    assert first == [("fetches", empty), ("feed_dict", None), ("options", None), ("run_metadata", None)]
    x = tf.placeholder(tf.float32, [], name="x")
    with tf.train.SingularMonitoredSession() as session:
        assert session.run(x, {x: 1.0}, tf.RunOptions(), tf.RunMetadata()) == 1.0
        assert session.run(fetches=x, feed_dict={x: 2.0}, options=None, run_metadata=None) == 2.0


def test_run_is_compatible_with_the_raw_sessions() -> None:
    """This method is completely compatible with the [Session.run] method."""
    x = tf.placeholder(tf.float32, [2], name="x")
    group = tf.group(x)
    fetches: list[Any] = ["x:0", [x, (x, {"a": x})], group, {"a": [group, x]}, [], (group,)]
    feed = {"x:0": [1.0, 2.0]}
    with tf.train.SingularMonitoredSession() as session:
        for fetch in fetches:
            assert repr(session.run(fetch, feed)) == repr(session.raw_session().run(fetch, feed))
        for bad in (None, "missing", 5):
            messages = []
            for run in (session.run, session.raw_session().run):
                with pytest.raises((TypeError, ValueError)) as caught:
                    run(bad)
                messages.append((caught.type, str(caught.value)))
            assert messages[0] == messages[1]


def test_should_stop_becomes_true_when_a_hook_asks() -> None:
    _, train = counter()
    steps = 0
    with tf.train.SingularMonitoredSession([tf.train.StopAtStepHook(last_step=3)]) as session:
        assert not session.should_stop()
        while not session.should_stop():
            session.run(train)
            steps += 1
        with pytest.raises(RuntimeError, match="Run called even after should_stop requested"):
            session.run(train)
    assert steps == 3
    assert session.should_stop()


def test_should_stop_becomes_true_when_the_coordinator_is_asked() -> None:
    tf.constant(1.0)
    hook = Recorder([])
    with tf.train.SingularMonitoredSession([hook]) as session:
        hook.given["after_create_session"][1].request_stop()
        assert session.should_stop()


def test_a_closed_session_says_so() -> None:
    x = tf.constant(1.0)
    session = tf.train.SingularMonitoredSession()
    session.close()
    assert session.should_stop()
    with pytest.raises(RuntimeError, match="closed"):
        session.run(x)
    with pytest.raises(RuntimeError, match="already closed"):
        session.close()
    with pytest.raises(RuntimeError, match="already closed"):
        with session:
            pass


def test_the_graph_can_change_again_afterwards_and_be_used_in_a_new_session() -> None:
    v = tf.get_variable("v", initializer=1.0)
    for expected in (2.0, 3.0):
        add = v.assign_add(expected - 1.0)
        with tf.train.SingularMonitoredSession() as session:
            assert session.run(add) == expected


# -- what is raised --------------------------------------------------------------------------------------------


def after(queue: Any, session: Any, raw: Any) -> None:
    """Asserts that nothing is left running."""
    assert not any(thread.is_alive() for thread in queue.threads)
    with pytest.raises(RuntimeError, match="closed Session"):
        raw.run([])
    assert session is None or session.should_stop()
    assert not tf.get_default_graph().finalized


def test_an_error_in_the_body_comes_out_whole_and_ends_no_hook() -> None:
    queue, _ = add_queue_runner([])
    log: Log = []
    error = ValueError("in the body")
    with pytest.raises(ValueError, match="in the body") as caught:  # noqa: PT012
        with tf.train.SingularMonitoredSession([Recorder(log)]) as session:
            raw = session.raw_session()
            raise error
    assert caught.value is error
    assert "hook.end" not in log
    after(queue, session, raw)


@pytest.mark.parametrize("method", ["begin", "after_create_session"])
def test_an_error_in_a_hook_while_creating_comes_out_and_closes_what_was_opened(method: str) -> None:
    queue, _ = add_queue_runner([])
    log: Log = []
    error = ValueError("in the hook")
    first, hook = Recorder(log, "first"), Recorder(log, fails_in=method, error=error)
    with pytest.raises(ValueError, match="in the hook") as caught:
        tf.train.SingularMonitoredSession([first, hook, Recorder(log, "last")])
    assert caught.value is error
    assert log[-1] == f"hook.{method}"
    if method == "begin":
        assert queue.threads == []
        assert not tf.get_default_graph().finalized
    else:
        after(queue, None, first.given["after_create_session"][0])


@pytest.mark.parametrize("method", ["before_run", "after_run"])
def test_an_error_in_a_hook_while_running_comes_out_of_run_and_ends_no_hook(method: str) -> None:
    queue, _ = add_queue_runner([])
    step, train = counter()
    log: Log = []
    error = ValueError("in the hook")
    hook = Recorder(log, fails_in=method, error=error)
    with pytest.raises(ValueError, match="in the hook") as caught:  # noqa: PT012
        with tf.train.SingularMonitoredSession([hook, Recorder(log, "last")]) as session:
            raw = session.raw_session()
            try:
                session.run(train)
            finally:
                assert raw.run(step) == (method == "after_run")
    assert caught.value is error
    assert not any("end" in call for call in log)
    after(queue, session, raw)


def test_an_error_in_end_comes_out_and_still_closes_everything() -> None:
    queue, _ = add_queue_runner([])
    log: Log = []
    error = ValueError("in end")
    with pytest.raises(ValueError, match="in end") as caught:
        with tf.train.SingularMonitoredSession(
            [Recorder(log, "first"), Recorder(log, fails_in="end", error=error), Recorder(log, "last")]
        ) as session:
            raw = session.raw_session()
    assert caught.value is error
    assert log[-2:] == ["first.end", "hook.end"]
    after(queue, session, raw)


def test_an_error_in_a_queue_runners_thread_comes_out_and_closes_everything() -> None:
    error = ValueError("in the thread")
    queue, failing = add_queue_runner([], error)
    item = queue.dequeue()
    log: Log = []
    # What py_func makes of a ValueError.
    with pytest.raises(tf.errors.InvalidArgumentError, match="in the thread"):  # noqa: PT012
        with tf.train.SingularMonitoredSession([Recorder(log)]) as session:
            raw = session.raw_session()
            failing.set()
            while not session.should_stop():
                session.run(item)
    assert "hook.end" not in log
    after(queue, session, raw)


def test_the_threads_error_is_the_one_that_comes_out_of_the_run_it_breaks() -> None:
    error = ValueError("the cause")
    queue, failing = add_queue_runner([], error)
    item = queue.dequeue()
    session = tf.train.SingularMonitoredSession()
    failing.set()
    with pytest.raises(tf.errors.InvalidArgumentError, match="the cause"):  # not: the queue is closed
        session.run(item)
    with pytest.raises(tf.errors.InvalidArgumentError, match="the cause"):
        session.should_stop()
    with pytest.raises(tf.errors.InvalidArgumentError, match="the cause"):
        session.close()
    assert not any(thread.is_alive() for thread in queue.threads)


@pytest.mark.parametrize("error_type", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_closes_everything(error_type: type[BaseException]) -> None:
    queue, _ = add_queue_runner([])
    log: Log = []
    with pytest.raises(error_type):  # noqa: PT012
        with tf.train.SingularMonitoredSession([Recorder(log)]) as session:
            raw = session.raw_session()
            raise error_type
    assert "hook.end" not in log
    after(queue, session, raw)
