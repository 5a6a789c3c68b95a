"""Reductions, extremes, segments, norms: as recorded from TensorFlow 1.15, and by hand."""

from collections.abc import Iterator

import numpy as np
import pytest

import monitored as tf
from oracle import replay_cases
from oracle.cases import CASES

RECORDED = replay_cases.Recorded()


@pytest.mark.parametrize("name", replay_cases.cases_of("reductions"))
def test_graph(name: str) -> None:
    for level, record in RECORDED.records[name].items():
        replay_cases.check_graph(tf, CASES[name], level, record)


@pytest.mark.parametrize(("level", "names"), replay_cases.all_runs_of("reductions", RECORDED))
def test_values(level: str, names: list[str]) -> None:
    assert not replay_cases.check_values(tf, names, RECORDED, level)


@pytest.fixture(autouse=True)
def _graph() -> Iterator[None]:
    with tf.Graph().as_default():
        yield


@pytest.mark.parametrize("axis", [None, 0, -1, [0, 2], [-1, 0], (), [1]])
@pytest.mark.parametrize("keepdims", [False, True])
def test_shapes_are_numpys(axis: int | list[int] | None, keepdims: bool) -> None:
    array = np.ones((2, 3, 4))
    expected = np.sum(array, tuple(np.ravel(axis).astype(int)) if axis is not None else None, keepdims=keepdims).shape
    for function in (tf.reduce_sum, tf.reduce_mean, tf.reduce_max, tf.reduce_logsumexp):
        assert function(tf.constant(array), axis, keepdims).shape.as_list() == list(expected)


@pytest.mark.parametrize("axis", [0, 1, 2, -1, [0, 3], [1, 3], None])
@pytest.mark.parametrize("keepdims", [False, True])
def test_axes_of_one_element_change_nothing(axis: int | list[int] | None, keepdims: bool) -> None:
    array = np.arange(12, dtype=np.float32).reshape(3, 1, 4, 1)
    axes = None if axis is None else tuple(np.ravel(axis).tolist())
    x = tf.placeholder(tf.float32, array.shape)
    found = [function(x * x, axis, keepdims) for function in (tf.reduce_sum, tf.reduce_mean, tf.reduce_max)]
    with tf.Session() as session:
        *values, gradient = session.run([*found, tf.gradients(found[0], x)[0]], {x: array})
    for value, function in zip(values, (np.sum, np.mean, np.max), strict=True):
        np.testing.assert_allclose(value, function(array**2, axis=axes, keepdims=keepdims), rtol=1e-6, strict=True)
    np.testing.assert_array_equal(gradient, 2 * array)


def test_equals_share_the_gradient_of_an_extreme() -> None:
    x = tf.placeholder(tf.float32, [4])
    gradients = [tf.gradients(f(x), x)[0] for f in (tf.reduce_max, tf.reduce_min)]
    with tf.Session() as session:
        found = session.run(gradients, {x: [1.0, 3.0, 3.0, 1.0]})
    assert [g.tolist() for g in found] == [[0, 0.5, 0.5, 0], [0.5, 0, 0, 0.5]]


def test_half_precision_sums_do_not_lose_what_is_small() -> None:
    x = tf.placeholder(tf.float16, [None])
    with tf.Session() as session:
        total, mean = session.run([tf.reduce_sum(x), tf.reduce_mean(x)], {x: np.ones(4096, np.float16)})
    assert (total, mean) == (4096, 1)


def test_a_reduction_axis_out_of_range_names_the_op() -> None:
    x = tf.placeholder(tf.float32, [2, 3])
    with pytest.raises(ValueError, match="Invalid reduction dimension 2 for input with 2 dimensions in 'total'"):
        tf.reduce_sum(x, 2, name="total")
    with pytest.raises(ValueError, match=r"Axis -3 is not in the range \[-2, 2\).*'ArgMax'.*test_reductions.py"):
        tf.argmax(x, -3)


def test_everything_of_an_unknown_rank_is_a_scalar() -> None:
    x = tf.placeholder(tf.float32)
    assert tf.reduce_mean(x).shape.as_list() == []
    assert tf.reduce_mean(x, 0).shape.ndims is None
    with tf.Session() as session:
        assert session.run(tf.reduce_mean(x), {x: [[1.0, 2.0], [3.0, 6.0]]}) == 3.0


def test_segments_without_entries() -> None:
    data = tf.constant([1.0, 5.0, 2.0])
    fetches = [
        f(data, [0, 0, 2], 3)
        for f in (tf.unsorted_segment_sum, tf.unsorted_segment_max, tf.unsorted_segment_prod, tf.unsorted_segment_mean)
    ]
    with tf.Session() as session:
        total, greatest, product, mean = session.run(fetches)
    assert total.tolist() == [6, 0, 2]
    assert greatest.tolist() == [5, np.finfo(np.float32).min, 2]
    assert product.tolist() == [5, 1, 2]
    assert mean.tolist() == [3, 0, 2]
