"""What `SingularMonitoredSession` is and has, sentence by sentence of TensorFlow's page; each test quotes its own."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import monitored as tf
import replay_graph_session as replay
from recording import Log, Recorder, counter, save

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


@pytest.fixture(autouse=True)
def _graph() -> Iterator[tf.Graph]:
    with tf.Graph().as_default() as graph:
        yield graph


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
