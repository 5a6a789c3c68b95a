"""Graphs: the programs of `oracle.programs_graph` beside TensorFlow, and what only this library promises."""

from __future__ import annotations

import inspect
import threading

import numpy as np
import pytest

import monitored as tf
import replay_graph_session as replay

# Where TensorFlow's answer differs: the place in what the program shows, and what is there instead.
DIFFERENCES = {
    # Constants never wait; what uses them does.
    "graph/as_graph_def": {
        "/0/2/2": ["x", "ones", "^first"],
        "/1": False,  # only what was added since that version, as documented; TensorFlow 1.15 ignores the argument
    },
    # TensorFlow's message is the whole NodeDef.
    "graph/control_dependencies_that_are_not_valid": {
        "/0/1": "Operation other (op: 'NoOp') is not an element of this graph.",
    },
    "graph/looking_up_in_another_graph": {"/1/1": "Operation x (op: 'Const') is not an element of this graph."},
    "graph/devices": {
        "/5": "/device:CPU:1",  # in its canonical form from wherever it comes
        "/7/0": "loc:@y",  # colocation is an order to TensorFlow's placer, which has no counterpart
    },
    "graph/feeding_and_fetching_can_be_forbidden": {
        "/7/0": "ValueError",  # which TensorFlow's InaccessibleTensorError is too
        "/7/1": "Operation 'y' has been marked as not fetchable.",
    },
    "graph/looking_up_by_name": {
        "/10/1/1": "The name 's/x:' looks like a Tensor name, but is not a valid one. Tensor names must be of",
        "/11/1/1": "The name 's/x:a' looks like a Tensor name, but is not a valid one. Tensor names must be of",
        "/12/1/1": "The name 's/x:0:0' looks like a Tensor name, but is not a valid one. Tensor names must be of",
        "/15/1": ["ValueError", "The name 's/x:-1' looks like a Tensor name, but is not a valid one."],
    },
    # TensorFlow makes a scope of the name first.
    "graph/names_that_are_not_valid": {
        f"/{i}/1": f"'{name}' is not a valid node name" for i, name in enumerate(["_a", "a b", "a:0", "-a", "a#"])
    },
    "graph/set_shape": {
        "/2/1": "Shapes (2, 3) and (3, 3) are incompatible",
        "/3/1": "Shapes (2, 3) and (2,) are incompatible",
    },
    # TensorFlow's OperatorNotAllowedInGraphError is a TypeError, and speaks of eager execution.
    "graph/tensors_are_no_values": {
        "/0/0": "TypeError",
        "/0/1": "Using a `tf.Tensor` ('x:0') as a Python `bool` is not allowed: its value is known only when",
        "/1/0": "TypeError",
        "/1/1": "Using a `tf.Tensor` ('Greater:0') as a Python `bool` is not allowed",
        "/2/0": "TypeError",
        "/2/1": "Cannot iterate over a scalar tensor.",
        "/3/0": "TypeError",
        "/3/1": "Cannot iterate over a tensor with unknown shape.",
        "/4/0": "TypeError",
        "/4/1": "Cannot iterate over a tensor with unknown first dimension.",
    },
}


@pytest.mark.parametrize("name", replay.names("graph/"))
def test_a_graph_is_like_tensorflows(name: str) -> None:
    assert replay.begin_alike(replay.differences(name), DIFFERENCES.get(name, {}))


def test_every_difference_is_of_a_program() -> None:
    assert set(DIFFERENCES) <= set(replay.names("graph/"))


def test_resetting_gives_a_new_default_graph() -> None:
    before = tf.get_default_graph()
    tf.reset_default_graph()
    after = tf.get_default_graph()
    assert after is not before
    assert after.get_operations() == []


def test_an_operation_knows_the_line_that_created_it() -> None:
    with tf.Graph().as_default():
        frame = inspect.currentframe()
        assert frame is not None
        x = tf.constant(1.0) + 2.0
        line = frame.f_lineno - 1
    assert x.op.creation_site == f"{__file__}:{line} in test_an_operation_knows_the_line_that_created_it"
    assert x.op.traceback[0][:2] == (__file__, line)


def test_threads_that_build_one_graph_get_unique_names() -> None:
    graph = tf.Graph()
    count, threads = 50, 4
    barrier = threading.Barrier(threads)

    def build() -> None:
        barrier.wait()
        with graph.as_default():
            for _ in range(count):
                tf.no_op(name="same")

    workers = [threading.Thread(target=build) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    names = [op.name for op in graph.get_operations()]
    assert sorted(names) == sorted(["same"] + [f"same_{i}" for i in range(1, count * threads)])


def test_scopes_entered_in_one_thread_do_not_reach_another() -> None:
    graph = tf.Graph()
    found: list[tf.Operation] = []

    def build() -> None:
        with graph.as_default():
            found.append(tf.no_op(name="x"))

    with graph.as_default():
        first = tf.no_op(name="first")
        with tf.name_scope("scope"), tf.control_dependencies([first]), tf.device("/cpu:0"):
            worker = threading.Thread(target=build)
            worker.start()
            worker.join()
            inside = tf.no_op(name="x")
    assert (found[0].name, found[0].control_inputs, found[0].device) == ("x", [], "")
    assert (inside.name, inside.control_inputs, inside.device) == ("scope/x", [first], "/device:CPU:0")


def test_scopes_end_when_their_block_fails() -> None:
    with tf.Graph().as_default() as graph:
        first = tf.no_op(name="first")
        with pytest.raises(KeyError):
            with tf.name_scope("scope"), tf.control_dependencies([first]), tf.device("/cpu:0"):
                raise KeyError
        after = tf.no_op(name="after")
        assert (after.name, after.control_inputs, after.device) == ("after", [], "")
        assert graph.get_name_scope() == ""


def test_a_failed_operation_leaves_no_trace() -> None:
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [2, 3], name="x")
        before = graph.as_graph_def(), graph.version
        with pytest.raises(ValueError, match="MatMul"):
            tf.matmul(x, x)
        assert [op.name for op in graph.get_operations()] == ["x"]
        assert x.consumers() == []
        assert (graph.as_graph_def(), graph.version) == before


def test_a_graph_that_is_finalized_can_still_be_run() -> None:
    with tf.Graph().as_default() as graph, tf.Session() as session:
        y = tf.constant(1.0) + 2.0
        v = tf.get_variable("v", initializer=1.0)
        graph.finalize()
        session.run(v.initializer)
        assert session.run([y, v]) == [3.0, 1.0]


def test_a_graph_written_and_read_back_is_the_same_graph() -> None:
    value = np.arange(6, dtype=np.float32).reshape(2, 3)
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 3], name="x")
        with tf.name_scope("layer"):
            w = tf.constant(np.ones([3, 2], np.float32), name="w")
            product = tf.matmul(x, w) - 4.0
            with tf.control_dependencies([tf.no_op(name="first")]):
                y = tf.nn.relu(product, name="y")
        parts = tf.split(y, 2, axis=1, name="parts")
        tf.concat([parts[1], parts[0]], 1, name="swapped")
        with tf.Session() as session:
            expected = session.run("swapped:0", {x: value})
    written = graph.as_graph_def().SerializeToString()
    read = tf.GraphDef.FromString(written)
    assert read == graph.as_graph_def()
    with tf.Graph().as_default() as again:
        tf.import_graph_def(read, name="")
        assert [op.name for op in again.get_operations()] == [op.name for op in graph.get_operations()]
        assert again.as_graph_def() == read
        assert again.get_tensor_by_name("x:0").shape.as_list() == [None, 3]
        with tf.Session() as session:
            np.testing.assert_array_equal(session.run("swapped:0", {"x:0": value}), expected)
    with tf.Graph().as_default() as part:
        swapped, y = tf.import_graph_def(read, {"x": tf.constant(value)}, ["swapped:0", "layer/y"], name="part")
        assert (swapped.name, y.name) == ("part/swapped:0", "part/layer/y")
        assert part.get_operation_by_name("part/layer/MatMul").inputs[0].op.type == "Const"
        with tf.Session() as session:
            np.testing.assert_array_equal(session.run(swapped), expected)


def test_constants_of_one_number_are_written_as_tensorflow_writes_them() -> None:
    with tf.Graph().as_default() as graph:
        for value in (1, 1.5, True, 2**40, [7], np.int8(-3), np.float64(0.1)):
            tf.constant(value)
        protos = [node.attr["value"].tensor for node in graph.as_graph_def().node]
    assert [(p.int_val, p.float_val, p.bool_val, p.int64_val, p.double_val, p.tensor_content) for p in protos] == [
        ([1], [], [], [], [], b""),
        ([], [1.5], [], [], [], b""),
        ([], [], [True], [], [], b""),
        ([], [], [], [2**40], [], b""),
        ([7], [], [], [], [], b""),
        ([-3], [], [], [], [], b""),
        ([], [], [], [], [0.1], b""),
    ]


def test_a_constant_of_no_elements_takes_any_value() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        for value in (1.0, [1.0], [1.0, 2.0]):
            found = session.run(tf.constant(value, shape=[0, 3]))
            assert (found.shape, found.dtype) == ((0, 3), np.float32)
        assert session.run(tf.zeros([2, 0])).shape == (2, 0)
