"""Bad input: an error of TensorFlow's class that says what is wrong, where, and what was expected; nothing changes."""

from __future__ import annotations

import errno
import inspect
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import monitored as tf


@pytest.fixture(autouse=True)
def _graph() -> Iterator[tf.Graph]:
    with tf.Graph().as_default() as graph:
        yield graph


class Model:
    """A graph with a placeholder, a variable and an update; it knows the lines that created them."""

    def __init__(self) -> None:
        frame = inspect.currentframe()
        assert frame is not None
        self.x = tf.placeholder(tf.float32, [None, 3], name="x")
        self.x_site = f"{__file__}:{frame.f_lineno - 1} in __init__"
        self.v = tf.get_variable("v", initializer=np.zeros(3, np.float32))
        self.update = self.v.assign_add(tf.reduce_sum(self.x, 0), name="update")
        self.twice = self.v * 2.0
        self.step = tf.train.get_or_create_global_step()
        self.session = tf.Session()
        self.session.run(tf.global_variables_initializer())
        self.session.run(self.update, {self.x: np.ones([2, 3])})

    def state(self) -> list[Any]:
        """All there is to change: the variables, the graph, and what a good run gives."""
        graph = self.session.graph
        values = self.session.run([self.v, self.step])
        return [values[0].tolist(), int(values[1]), graph.version, len(graph.get_operations())]


@pytest.fixture
def model() -> Iterator[Model]:
    """A model, of which nothing may have changed after the test, and which still works."""
    model = Model()
    before = model.state()
    yield model
    assert model.state() == before
    np.testing.assert_array_equal(model.session.run(model.update, {model.x: np.ones([1, 3])}), [3, 3, 3])
    model.session.close()


@contextmanager
def refused(kind: type[BaseException], *parts: str) -> Iterator[Any]:
    """Expects an error of exactly this class, whose message has all these parts, in this order."""
    with pytest.raises(kind) as caught:
        yield caught
    assert caught.type is kind
    found = re.search("(?s)" + ".*".join(map(re.escape, parts)), str(caught.value))
    assert found, f"{caught.value} does not have {parts}"


# -- fetches ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fetch", "parts"),
    [
        ("missing", ["Fetch argument 'missing'", "refers to an Operation not in the graph"]),
        ("missing:0", ["Fetch argument 'missing:0'", "The operation, 'missing', does not exist in the graph"]),
        ("updat", ["'updat'", "not in the graph", "Did you mean 'update'"]),
        ("update:1", ["'update:1'", "exists but only has 1 outputs"]),
        ("update:first", ["'update:first'", "not a valid one", "<op_name>:<output_index>"]),
    ],
)
@pytest.mark.parametrize("nested", [lambda f: f, lambda f: [f], lambda f: {"a": ("update", f)}])
def test_an_unknown_fetch(model: Model, fetch: str, parts: list[str], nested: Callable[[Any], Any]) -> None:
    with refused(ValueError, *parts):
        model.session.run(nested(fetch), {model.x: np.ones([1, 3])})


@pytest.mark.parametrize("fetch", [None, 5, 1.5, object(), np.ones(2), {1, 2}, len])
def test_what_is_no_fetch(model: Model, fetch: Any) -> None:
    for nested in (fetch, [model.update, fetch], {"a": fetch}):
        with refused(TypeError, "Fetch argument ", f"has invalid type {type(fetch)}"):
            model.session.run(nested, {model.x: np.ones([1, 3])})


def test_a_fetch_from_another_graph(model: Model) -> None:
    with tf.Graph().as_default():
        frame = inspect.currentframe()
        assert frame is not None
        other = tf.constant(1.0, name="other")
        site = f"{__file__}:{frame.f_lineno - 1} in test_a_fetch_from_another_graph"
        variable = tf.get_variable("elsewhere", initializer=1.0)
    for fetch, name in ((other, "other:0"), (other.op, "other"), ([model.update, other], "other:0")):
        with refused(ValueError, name, "is not an element of this graph", f"created at {site}"):
            model.session.run(fetch, {model.x: np.ones([1, 3])})
    with refused(ValueError, "elsewhere", "is not an element of this graph"):
        model.session.run(variable)


# -- feeds -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "parts"),
    [
        ("missing:0", ["Cannot interpret feed_dict key as Tensor", "'missing:0'", "does not exist in the graph"]),
        ("y:0", ["Cannot interpret feed_dict key as Tensor", "'y:0'", "does not exist"]),
        ("x", ["Cannot interpret feed_dict key as Tensor", "'x' refers to an Operation, not a Tensor"]),
        (5, ["Cannot interpret feed_dict key as Tensor", "Can not convert a int into a Tensor"]),
        (None, ["Cannot interpret feed_dict key as Tensor", "Can not convert a NoneType into a Tensor"]),
    ],
)
def test_an_unknown_feed(model: Model, key: Any, parts: list[str]) -> None:
    with refused(TypeError, *parts):
        model.session.run(model.update, {model.x: np.ones([1, 3]), key: 1.0})


def test_a_feed_of_another_graph(model: Model) -> None:
    with tf.Graph().as_default():
        other = tf.placeholder(tf.float32, [], name="other")
    with refused(TypeError, "Cannot interpret feed_dict key as Tensor", "other:0", "is not an element of this graph"):
        model.session.run(model.update, {other: 1.0, model.x: np.ones([1, 3])})


def test_an_operation_as_a_feed(model: Model) -> None:
    with refused(TypeError, "Cannot interpret feed_dict key as Tensor", "Can not convert a Operation into a Tensor"):
        model.session.run(model.update, {model.update.op: 1.0})


@pytest.mark.parametrize("shape", [(3,), (), (2, 4), (1, 3, 1)])
def test_a_feed_of_another_shape(model: Model, shape: tuple[int, ...]) -> None:
    expected = f"Cannot feed value of shape {shape} for Tensor 'x:0', which has shape '(?, 3)'"
    with refused(ValueError, expected, "takes float32", f"created at {model.x_site}"):
        model.session.run(model.update, {model.x: np.ones(shape)})


@pytest.mark.parametrize(
    ("value", "kind", "part"),
    [
        ("text", ValueError, "could not convert string to float: 'text'"),
        ([["a", "b", "c"]], ValueError, "could not convert string to float: 'a'"),
        ([[1.0, 2.0, 3.0], [4.0]], ValueError, "setting an array element with a sequence"),
        (object(), TypeError, "object"),
        ([[1.0, 2.0, {}]], TypeError, "dict"),
        (2**200, TypeError, f"Type of feed value {2**200} with type <class 'int'> is not compatible"),
    ],
)
def test_a_feed_that_cannot_have_the_type(model: Model, value: Any, kind: type[Exception], part: str) -> None:
    with refused(kind, part, "'x:0' takes float32", f"created at {model.x_site}"):
        model.session.run(model.update, {model.x: value})


@pytest.mark.parametrize(("dtype", "value"), [("int32", 2**40), ("uint8", 256), ("uint8", -1), ("bool", 3)])
def test_a_number_that_the_type_cannot_hold(dtype: str, value: int) -> None:
    n = tf.placeholder(dtype, [], name="n")
    with tf.Session() as session:
        with refused(
            TypeError, f"Type of feed value {value} with type <class 'int'> is not compatible", "'n:0'", dtype
        ):
            session.run(n, {n: value})
        with refused(TypeError, "'n:0'") if dtype != "bool" else pytest.raises(ValueError, match="n:0"):
            session.run(n, {n: [value]})


def test_a_tensor_as_the_value_of_a_feed(model: Model) -> None:
    for value in (model.x, model.v):
        with refused(TypeError, "The value of a feed cannot be a tf.Tensor object", 'with key Tensor("x:0"'):
            model.session.run(model.update, {model.x: value})


@pytest.mark.parametrize("feed_dict", [[1], "text", 5, {1, 2}])
def test_feeds_that_are_no_dictionary(model: Model, feed_dict: Any) -> None:
    with refused(TypeError, "feed_dict must be a dictionary", str(type(feed_dict))):
        model.session.run(model.update, feed_dict)


def test_a_tensor_fed_twice(model: Model) -> None:
    with refused(ValueError, "x:0"):
        model.session.run(model.update, {model.x: np.ones([1, 3]), "x:0": np.ones([2, 3])})


def test_a_placeholder_that_is_not_fed(model: Model) -> None:
    message = "You must feed a value for placeholder tensor 'x' with dtype float and shape [?,3]"
    with refused(tf.errors.InvalidArgumentError, message, f"node x (defined at {model.x_site}") as caught:
        model.session.run(model.update)
    assert caught.value.op is model.x.op
    assert caught.value.error_code == tf.errors.INVALID_ARGUMENT


def test_shapes_found_not_to_fit_only_when_running() -> None:
    frame = inspect.currentframe()
    assert frame is not None
    v = tf.get_variable("v", initializer=1.0)
    x, y = tf.placeholder(tf.float32, name="x"), tf.placeholder(tf.float32, name="y")
    product = tf.matmul(x, y, name="product")
    site = f"{__file__}:{frame.f_lineno - 1} in test_shapes_found_not_to_fit_only_when_running"
    step = v.assign_add(tf.reduce_sum(product))
    with tf.Session() as session:
        session.run(v.initializer)
        with refused(tf.errors.InvalidArgumentError, "x:0 (2, 3)", "y:0 (4, 5)", f"node product (defined at {site})"):
            session.run(step, {x: np.ones([2, 3]), y: np.ones([4, 5])})
        assert session.run(v) == 1.0
        assert session.run(step, {x: np.ones([2, 3]), y: np.ones([3, 5])}) == 31.0


# -- life ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fetch", ["update", None, "missing", []])
def test_a_session_used_after_close(fetch: Any) -> None:
    model = Model()
    model.session.close()
    with refused(RuntimeError, "Attempted to use a closed Session."):
        model.session.run(fetch, {model.x: np.ones([1, 3])})
    with refused(RuntimeError, "Attempted to use a closed Session."):
        model.session.make_callable(model.update)
    with refused(RuntimeError, "Attempted to use a closed Session."):
        tf.train.Saver().save(model.session, "never")


def test_a_monitored_session_used_after_close() -> None:
    x = tf.constant(1.0)
    session = tf.train.SingularMonitoredSession()
    raw = session.raw_session()
    session.close()
    with refused(RuntimeError, "closed"):
        session.run(x)
    with refused(RuntimeError, "Attempted to use a closed Session."):
        raw.run(x)
    with refused(RuntimeError, "Session is already closed."):
        session.close()


def test_a_callable_used_after_close(model: Model) -> None:
    with tf.Session() as session:
        session.run(tf.get_default_graph().get_operation_by_name("v/Assign"))
        call = session.make_callable(model.v)
        assert call().tolist() == [0, 0, 0]
    with refused(RuntimeError, "Attempted to use a closed Session."):
        call()


def test_a_finalized_graph_modified(model: Model) -> None:
    graph = tf.get_default_graph()
    graph.finalize()
    frame = inspect.currentframe()
    assert frame is not None
    with refused(
        RuntimeError, "Graph is finalized and cannot be modified.", "'extra' of type Const was to be added at"
    ):
        tf.constant(1.0, name="extra")
    site = f"{__file__}:{frame.f_lineno + 2} in test_a_finalized_graph_modified"
    with refused(RuntimeError, "Graph is finalized and cannot be modified.", f"at {site}", "begin"):
        model.x * 2.0
    for change in (
        lambda: graph.add_to_collection("c", 1),
        lambda: tf.get_variable("w", [1]),
        lambda: tf.train.AdamOptimizer().minimize(tf.reduce_sum(model.v.value())),
        lambda: tf.summary.scalar("loss", 1.0),
    ):
        with refused(RuntimeError, "Graph is finalized and cannot be modified."):
            change()
    assert graph.get_collection("c") == []
    assert [v.op.name for v in tf.global_variables()] == ["v", "global_step"]


def test_an_operation_made_within_the_training_loop() -> None:
    _, train = tf.train.get_or_create_global_step(), tf.no_op()
    with refused(RuntimeError, "Graph is finalized and cannot be modified.", "Make operations before the session"):
        with tf.train.SingularMonitoredSession() as session:
            session.run(train)
            session.run(tf.constant(1.0))


def test_an_uninitialized_variable(model: Model) -> None:
    with tf.Session() as session:
        for fetch in (model.v, model.update, model.twice):
            model_site = f"node v (defined at {__file__}"
            with refused(tf.errors.FailedPreconditionError, "uninitialized value v", model_site) as caught:
                session.run(fetch, {model.x: np.ones([1, 3])})
            assert caught.value.op.name == "v"


# -- hooks -----------------------------------------------------------------------------------------------------


class Feeds(tf.train.SessionRunHook):
    """A hook that feeds."""

    def __init__(self, feed_dict: dict[Any, Any]) -> None:
        self.feed_dict = feed_dict

    def before_run(self, run_context: Any) -> Any:
        return tf.train.SessionRunArgs(None, feed_dict=self.feed_dict)


def counting() -> tuple[Any, Any, Any, str]:
    """A placeholder, a variable it is added to, the update, and where the placeholder was created."""
    frame = inspect.currentframe()
    assert frame is not None
    x = tf.placeholder(tf.float32, [], name="x")
    site = f"{__file__}:{frame.f_lineno - 1} in counting"
    v = tf.get_variable("v", initializer=0.0)
    return x, v, v.assign_add(x), site


@pytest.mark.parametrize("other", [lambda x: x, lambda x: "x:0"])
def test_two_hooks_that_feed_one_tensor(other: Callable[[Any], Any]) -> None:
    x, v, update, site = counting()
    hooks = [Feeds({x: 1.0}), Feeds({other(x): 2.0})]
    with tf.train.SingularMonitoredSession(hooks) as session:
        with refused(RuntimeError, "Same tensor is fed by two hooks.", "x:0", site):
            session.run(update)
        assert session.raw_session().run(v) == 0.0
        hooks[1].feed_dict = {}
        assert session.run(update) == 1.0


@pytest.mark.parametrize("key", [lambda x: x, lambda x: "x:0"])
def test_a_hook_and_the_caller_that_feed_one_tensor(key: Callable[[Any], Any]) -> None:
    x, v, update, site = counting()
    hook = Feeds({x: 1.0})
    with tf.train.SingularMonitoredSession([hook]) as session:
        with refused(RuntimeError, "Same tensor is fed by a SessionRunHook and user.", "x:0", site):
            session.run(update, {key(x): 2.0})
        assert session.raw_session().run(v) == 0.0
        assert session.run(update) == 1.0


def test_a_hook_that_fetches_from_another_graph() -> None:
    _, v, _, _ = counting()
    with tf.Graph().as_default():
        other = tf.constant(1.0, name="other")

    class Fetches(tf.train.SessionRunHook):
        def before_run(self, run_context: Any) -> Any:
            return tf.train.SessionRunArgs(other)

    with tf.train.SingularMonitoredSession([Fetches()]) as session:
        with refused(ValueError, "other:0", "is not an element of this graph", f"created at {__file__}"):
            session.run(v)
        assert session.raw_session().run(v) == 0.0


# -- directories and checkpoints -------------------------------------------------------------------------------


def train_to(directory: Path, steps: int) -> None:
    """Trains for some steps with a checkpoint after each."""
    with tf.Graph().as_default():
        step = tf.train.get_or_create_global_step()
        v = tf.get_variable("v", initializer=np.zeros(50, np.float32))
        train = tf.group(tf.assign_add(step, 1), v.assign_add(np.ones(50, np.float32)))
        hook = tf.train.CheckpointSaverHook(str(directory), save_steps=1)
        with tf.train.SingularMonitoredSession([hook], checkpoint_dir=str(directory)) as session:
            for _ in range(steps):
                session.run(train)


def resume(directory: Path, shape: int = 50, name: str = "v") -> list[float]:
    """The step that a new session begins at, and the first element of the variable."""
    with tf.Graph().as_default():
        step = tf.train.get_or_create_global_step()
        v = tf.get_variable(name, initializer=np.zeros(shape, np.float32))
        with tf.train.SingularMonitoredSession(checkpoint_dir=str(directory)) as session:
            values = session.run([step, v])
    return [int(values[0]), float(values[1][0])]


def contents(directory: Path) -> dict[str, bytes]:
    """What is in the files of a directory."""
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}


def test_a_checkpoint_dir_that_is_a_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("precious")
    graph = tf.get_default_graph()
    tf.train.get_or_create_global_step()
    with refused(tf.errors.FailedPreconditionError, "checkpoint_dir must be a directory", str(file)):
        tf.train.SingularMonitoredSession(checkpoint_dir=str(file))
    with pytest.raises(tf.errors.OpError, match=re.escape(str(file))):
        tf.train.SingularMonitoredSession([tf.train.CheckpointSaverHook(str(file), save_steps=1)])
    assert not graph.finalized
    assert contents(tmp_path) == {"file": b"precious"}


def test_a_checkpoint_dir_beneath_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    tf.train.get_or_create_global_step()
    directory = str(tmp_path / "file" / "beneath")
    with pytest.raises(tf.errors.OpError, match=re.escape(str(tmp_path / "file"))):
        tf.train.SingularMonitoredSession([tf.train.CheckpointSaverHook(directory, save_steps=1)])
    assert contents(tmp_path) == {"file": b"precious"}


def test_a_checkpoint_dir_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step = tf.train.get_or_create_global_step()
    train = tf.assign_add(step, 1)
    hook = tf.train.CheckpointSaverHook(str(tmp_path), save_steps=1)
    real = open

    def refuse(path: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:  # root may write anywhere
        if "r" not in mode and str(path).startswith(str(tmp_path)):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return real(path, mode, *args, **kwargs)

    with monkeypatch.context() as patch, refused(tf.errors.PermissionDeniedError, f"{tmp_path} is not writable"):
        with tf.train.SingularMonitoredSession([hook]) as session:
            session.save()
            before = contents(tmp_path)
            patch.setattr("builtins.open", refuse)
            session.run(train)
    left = contents(tmp_path)
    del before["checkpoint.lock"]
    assert sorted(left) == sorted(before)
    assert all(left[name] == data for name, data in before.items() if "events" not in name)
    with tf.train.SingularMonitoredSession(checkpoint_dir=str(tmp_path)) as session:
        assert session.run(step) == 0


def flip_a_bit(path: Path) -> None:
    """Changes one bit in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


def truncate(path: Path) -> None:
    """Takes away the second half of a file."""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def empty(path: Path) -> None:
    """Takes away all of a file."""
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [flip_a_bit, truncate, empty, Path.unlink])
@pytest.mark.parametrize("ending", ["index", "data-00000-of-00001"])
def test_a_damaged_newest_checkpoint_is_passed_over_with_a_warning(
    damage: Callable[[Path], None], ending: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train_to(tmp_path, 3)
    damage(tmp_path / f"model.ckpt-3.{ending}")
    before = contents(tmp_path)
    caplog.set_level("WARNING", "monitored")
    assert resume(tmp_path) == [2, 2.0]
    assert any("model.ckpt-3" in r.getMessage() and r.levelname == "WARNING" for r in caplog.records)
    assert contents(tmp_path) == before


def test_when_every_checkpoint_is_damaged_nothing_is_begun_anew(tmp_path: Path) -> None:
    train_to(tmp_path, 2)
    for path in tmp_path.glob("*.data-*"):
        flip_a_bit(path)
    before = contents(tmp_path)
    graph = tf.get_default_graph()
    with refused(tf.errors.DataLossError, "model.ckpt-2"):
        resume(tmp_path)
    assert contents(tmp_path) == before
    assert not graph.finalized


def test_a_damaged_state_file(tmp_path: Path) -> None:
    train_to(tmp_path, 2)
    (tmp_path / "checkpoint").write_bytes(b"\xff\x00 nothing of use {")
    before = contents(tmp_path)
    with refused(tf.errors.DataLossError, str(tmp_path / "checkpoint")):
        resume(tmp_path)
    assert contents(tmp_path) == before


def test_a_checkpoint_without_a_variable(tmp_path: Path) -> None:
    train_to(tmp_path, 2)
    before = contents(tmp_path)
    with refused(tf.errors.NotFoundError, "Key another not found in checkpoint", "model.ckpt-2"):
        resume(tmp_path, name="another")
    assert contents(tmp_path) == before


def test_a_checkpoint_of_another_shape(tmp_path: Path) -> None:
    train_to(tmp_path, 2)
    before = contents(tmp_path)
    with refused(tf.errors.InvalidArgumentError, "v", "[60]", "[50]"):
        resume(tmp_path, shape=60)
    assert contents(tmp_path) == before


def test_a_damaged_checkpoint_given_to_a_saver_changes_no_variable(tmp_path: Path) -> None:
    model, saver = Model(), tf.train.Saver()
    path = saver.save(model.session, str(tmp_path / "model"))
    model.session.run(model.update, {model.x: np.ones([2, 3])})
    before = model.state()
    flip_a_bit(tmp_path / "model.data-00000-of-00001")
    with refused(tf.errors.DataLossError, "model"):
        saver.restore(model.session, path)
    assert model.state() == before
