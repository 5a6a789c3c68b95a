"""`TensorArray`, compared with what TensorFlow gave and with lists."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oracle import replay_loops
from oracle.replay_loops import tf


@pytest.mark.parametrize("name", replay_loops.names("arrays/"))
def test_like_tensorflow(name: str) -> None:
    replay_loops.check(name)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 4), max_size=6), st.booleans())
def test_writes_in_any_order(places: list[int], dynamic: bool) -> None:
    wanted = np.zeros(max([0, *(p + 1 for p in places)]) if dynamic else 5, np.float32)
    for turn, place in enumerate(places):
        wanted[place] = turn + 1
    with tf.Graph().as_default(), tf.Session() as session:
        array = tf.TensorArray(tf.float32, 0 if dynamic else 5, dynamic_size=dynamic, element_shape=[])
        for turn, place in enumerate(places):
            array = array.write(place, float(turn + 1))
        fed = tf.placeholder(tf.int32, [None])
        again = tf.TensorArray(tf.float32, 0 if dynamic else 5, dynamic_size=dynamic, element_shape=[])
        _, again = tf.while_loop(
            lambda i, _: i < tf.size(fed), lambda i, a: (i + 1, a.write(fed[i], tf.cast(i + 1, tf.float32))), [0, again]
        )
        for value in session.run([array.stack(), again.stack()], {fed: np.asarray(places, np.int32)}):
            assert value.tolist() == wanted.tolist()


def test_size_may_be_fed() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        n = tf.placeholder(tf.int32, [])
        array = tf.TensorArray(tf.int32, n)
        _, array = tf.while_loop(lambda i, _: i < n, lambda i, a: (i + 1, a.write(i, i * i)), [0, array])
        for size in (3, 0, 5):
            if size:
                assert session.run(array.stack(), {n: size}).tolist() == [i * i for i in range(size)]
        assert session.run(array.size(), {n: 4}) == 4


def test_an_array_that_grows_for_as_long_as_data_says() -> None:
    """Its size is known only afterwards, so it is kept on the host; what is computed for it is not."""
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [])
        array = tf.TensorArray(tf.float32, 0, dynamic_size=True)
        _, array = tf.while_loop(lambda y, _: y < 50.0, lambda y, a: (y * 2.0, a.write(a.size(), [y, -y])), [x, array])
        stacked = array.stack()
        assert session.run(stacked, {x: 10.0}).tolist() == [[10, -10], [20, -20], [40, -40]]
        assert session.run(stacked, {x: 40.0}).tolist() == [[40, -40]]


def test_arrays_pass_through_branches() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [])
        array = tf.TensorArray(tf.float32, 2).write(0, x)
        array = tf.cond(x > 0.0, lambda: array.write(1, x * 2.0), lambda: array.write(1, x * 3.0))
        stacked = array.stack()
        (gradient,) = tf.gradients(stacked, x)
        assert session.run(stacked, {x: 1.0}).tolist() == [1, 2]
        assert session.run(stacked, {x: -1.0}).tolist() == [-1, -3]
        assert session.run([gradient], {x: -1.0}) == [4]


def test_an_array_that_only_one_branch_writes_to() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [])

        def body(i: Any, array: Any) -> Any:
            return i + 1, tf.cond(tf.equal(i % 2, 1), lambda: array.write(i, [x, x * 2.0]), lambda: array)

        _, array = tf.while_loop(lambda i, _: i < 5, body, [0, tf.TensorArray(tf.float32, 5)])
        stacked = array.stack()
        value, gradient = session.run([stacked, tf.gradients(stacked, x)[0]], {x: 3.0})
        assert value.tolist() == [[0, 0], [3, 6], [0, 0], [3, 6], [0, 0]]
        assert gradient == 6


def test_an_unwritten_array_of_known_shape_is_zeros() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        array = tf.TensorArray(tf.float32, 2, element_shape=[3])
        assert session.run(array.stack()).tolist() == [[0, 0, 0]] * 2
        with pytest.raises(tf.errors.InvalidArgumentError, match="nothing has been written"):
            session.run(tf.TensorArray(tf.float32, 2).read(0))


def test_parts_of_different_length_are_said_to_be_unsupported() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        array = tf.TensorArray(tf.float32, 2, infer_shape=False).split([1.0, 2.0, 3.0], [1, 2])
        with pytest.raises(tf.errors.InvalidArgumentError, match="same shape"):
            session.run(array.read(0))


def test_nodes_are_tensorflows() -> None:
    with tf.Graph().as_default() as graph:
        array = tf.TensorArray(tf.float32, 3, tensor_array_name="mine").unstack(np.zeros((3, 2), np.float32))
        array.stack()
        types = {op.name: op.type for op in graph.get_operations()}
        assert types["TensorArray"] == "TensorArrayV3"
        assert types["TensorArrayUnstack/TensorArrayScatter/TensorArrayScatterV3"] == "TensorArrayScatterV3"
        assert types["TensorArrayStack/TensorArraySizeV3"] == "TensorArraySizeV3"
        assert types["TensorArrayStack/TensorArrayGatherV3"] == "TensorArrayGatherV3"
        attributes = graph.get_operation_by_name("TensorArray").node_def.attr
        assert attributes["tensor_array_name"].s == b"mine"
        assert attributes["identical_element_shapes"].b
