"""Shapes, joining, splitting, padding, making tensors: as recorded from TensorFlow 1.15, and by hand."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import monitored as tf
from monitored._graph.constant import constant_value
from oracle import replay_cases
from oracle.cases import CASES

RECORDED = replay_cases.Recorded()


@pytest.mark.parametrize("name", replay_cases.cases_of("array"))
def test_graph(name: str) -> None:
    for level, record in RECORDED.records[name].items():
        replay_cases.check_graph(tf, CASES[name], level, record)


@pytest.mark.parametrize(("level", "names"), replay_cases.all_runs_of("array", RECORDED))
def test_values(level: str, names: list[str]) -> None:
    assert not replay_cases.check_values(tf, names, RECORDED, level)


@pytest.mark.parametrize("name", replay_cases.failing_cases_of("array", RECORDED))
def test_runs_fail_alike(name: str) -> None:
    replay_cases.check_run_error(tf, CASES[name], RECORDED.records[name]["known"])


@pytest.fixture(autouse=True)
def _graph() -> Iterator[None]:
    with tf.Graph().as_default():
        yield


@settings(deadline=None)
@given(st.data())
def test_reshape_finds_what_is_left(data: Any) -> None:
    sizes = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    order = data.draw(st.permutations(sizes))
    hidden = data.draw(st.integers(0, len(order) - 1))
    target = [-1 if i == hidden else s for i, s in enumerate(order)]
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, sizes)
        assert tf.reshape(x, target).shape.as_list() == list(order)
        partly = tf.placeholder(tf.float32, [None, *sizes[1:]])
        known = [None if s == -1 else s for s in target]
        assert tf.reshape(partly, target).shape.as_list() == known


@settings(deadline=None)
@given(st.permutations(range(4)))
def test_transposing_back(perm: list[int]) -> None:
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [1, 2, None, 4])
        there = tf.transpose(x, perm)
        assert there.shape.as_list() == [[1, 2, None, 4][i] for i in perm]
        back = tf.transpose(there, tf.invert_permutation(perm))
        assert back.shape.as_list() == [1, 2, None, 4]


def test_an_unknown_batch_is_kept() -> None:
    x = tf.placeholder(tf.float32, [None, 4, 6])
    shapes = {
        "reshape": tf.reshape(x, [-1, 24]),
        "transpose": tf.transpose(x, [0, 2, 1]),
        "concat": tf.concat([x, x], 2),
        "stack": tf.stack([x, x], 1),
        "split": tf.split(x, 3, 2)[1],
        "mean": tf.reduce_mean(x, [1]),
        "matmul": tf.matmul(tf.reshape(x, [-1, 6]), tf.ones([6, 5])),
        "batched": tf.matmul(x, tf.ones([6, 5])),
        "tile": tf.tile(x, [1, 1, 2]),
        "pad": tf.pad(x, [[0, 0], [1, 1], [0, 0]]),
        "slice": x[:, 1:, ::2],
        "gather": tf.gather(x, [0, 1, 1], axis=2),
        "fill": tf.zeros([tf.shape(x)[0], 7]),
        "one_hot": tf.one_hot(tf.argmax(x, 2), 6),
        "squeeze": tf.squeeze(x[:, :1], [1]),
        "add": x + tf.ones([4, 6]),
        "cumsum": tf.cumsum(x, 1),
    }
    assert {name: t.shape.as_list() for name, t in shapes.items()} == {
        "reshape": [None, 24], "transpose": [None, 6, 4], "concat": [None, 4, 12], "stack": [None, 2, 4, 6],
        "split": [None, 4, 2], "mean": [None, 6], "matmul": [None, 5], "batched": [None, 4, 5],
        "tile": [None, 4, 12], "pad": [None, 6, 6], "slice": [None, 3, 3], "gather": [None, 4, 3],
        "fill": [None, 7], "one_hot": [None, 4, 6], "squeeze": [None, 6], "add": [None, 4, 6],
        "cumsum": [None, 4, 6],
    }  # fmt: skip


def test_values_of_shapes_are_known_from_the_graph() -> None:
    x = tf.placeholder(tf.float32, [2, 3, 4])
    sizes = tf.shape(x, out_type=tf.int64)
    known = {
        "product": tf.reduce_prod(sizes),
        "halves": sizes // 2 * tf.constant(3, tf.int64) - 1,
        "joined": tf.concat([sizes[:1], [-1], sizes[2:]], 0),
        "stacked": tf.stack([sizes[0], sizes[1] * sizes[2]]),
        "chosen": tf.gather(sizes, [2, 0]),
        "extremes": tf.maximum(sizes[0], tf.minimum(sizes[1], 5)),
        "range": tf.range(sizes[2]),
        "cast": tf.cast(tf.ceil(tf.cast(sizes[1], tf.float32) / 2.0), tf.int32),
        "where": tf.where(sizes > 2, sizes, -sizes),
        "filled": tf.fill([sizes[1]], 7),
        "shaped": tf.squeeze(tf.expand_dims(tf.reshape(sizes, [3, 1]), 0)),
    }
    found = {name: constant_value(t) for name, t in known.items()}
    assert {name: None if v is None else v.tolist() for name, v in found.items()} == {
        "product": 24, "halves": [2, 2, 5], "joined": [2, -1, 4], "stacked": [2, 12], "chosen": [4, 2], "extremes": 3,
        "range": [0, 1, 2, 3], "cast": 2, "where": [-2, 3, 4], "filled": [7, 7, 7], "shaped": [2, 3, 4],
    }  # fmt: skip


def test_a_fed_shape_is_known_before_compiling() -> None:
    x, shape = tf.placeholder(tf.float32, [None]), tf.placeholder(tf.int32, [None])
    y = tf.reduce_sum(tf.reshape(x, shape), -1)
    (gradient,) = tf.gradients(y, x)
    with tf.Session() as session:
        for sizes in ([2, 3], [6], [3, 1, 2]):
            array = np.arange(6, dtype=np.float32)
            value, slope = session.run([y, gradient], {x: array, shape: sizes})
            np.testing.assert_array_equal(value, array.reshape(sizes).sum(-1))
            np.testing.assert_array_equal(slope, np.ones(6))


def test_errors_name_op_shapes_and_place() -> None:
    x = tf.placeholder(tf.float32, [2, 3])
    with pytest.raises(ValueError, match=r"6 elements to shape \(4, 2\).*'Reshape'.*\(2, 3\).*test_array.py:\d+"):
        tf.reshape(x, [4, 2])
    with pytest.raises(ValueError, match=r"'concat' \(op: 'ConcatV2'\).*\(2, 3\), \(2,\).*test_array.py"):
        tf.concat([x, x[:, 0]], 0)
    with pytest.raises(ValueError, match=r"Can not squeeze dim\[1\], expected a dimension of 1, got 3"):
        tf.squeeze(x, [1])
    with pytest.raises(ValueError, match="Cannot specify both 'dim' and 'axis'"):
        tf.expand_dims(x, 0, dim=0)


def test_arithmetic_on_a_value_used_twice_stays_quick() -> None:
    n = tf.shape(tf.placeholder(tf.float32, [2, 3]))[0]
    for _ in range(60):
        n = tf.minimum(n + n, 7)
    assert tf.zeros([n]).shape.as_list() == [7]
