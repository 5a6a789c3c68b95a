"""What `SingularMonitoredSession` does, sentence by sentence of TensorFlow's page: creation, runs, exit, errors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import monitored as tf
from recording import Log, Recorder, add_queue_runner, counter, logged, save


@pytest.fixture(autouse=True)
def _graph() -> Iterator[tf.Graph]:
    with tf.Graph().as_default() as graph:
        yield graph


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
