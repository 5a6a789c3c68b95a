"""Slices, gathering, scattering: as recorded from TensorFlow 1.15, and by hand."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.monitoring
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import monitored as tf
from monitored._graph.constant import constant_value
from oracle import replay_cases
from oracle.cases import CASES

RECORDED = replay_cases.Recorded()


@pytest.mark.parametrize("name", replay_cases.cases_of("slicing"))
def test_graph(name: str) -> None:
    for level, record in RECORDED.records[name].items():
        replay_cases.check_graph(tf, CASES[name], level, record)


@pytest.mark.parametrize(("level", "names"), replay_cases.all_runs_of("slicing", RECORDED))
def test_values(level: str, names: list[str]) -> None:
    assert not replay_cases.check_values(tf, names, RECORDED, level)


@pytest.mark.parametrize("name", replay_cases.failing_cases_of("slicing", RECORDED))
def test_runs_fail_alike(name: str) -> None:
    replay_cases.check_run_error(tf, CASES[name], RECORDED.records[name]["known"])


@pytest.fixture(autouse=True)
def _graph() -> Iterator[None]:
    with tf.Graph().as_default():
        yield


@st.composite
def arrays_and_keys(draw: st.DrawFn) -> tuple[np.ndarray[Any, Any], Any]:
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=4, max_side=4, min_side=0))
    array = np.arange(np.prod(shape), dtype=np.int32).reshape(shape)
    return array, draw(hnp.basic_indices(shape, allow_newaxis=True, allow_ellipsis=True, max_dims=8))


@settings(deadline=None)
@given(arrays_and_keys())
def test_brackets_mean_what_numpy_means(given: tuple[np.ndarray[Any, Any], Any]) -> None:
    """What the graph alone knows of a slice, its shape and its value, is what NumPy gives."""
    array, key = given
    with tf.Graph().as_default():
        whole = tf.placeholder(tf.int32, array.shape)
        expected = array[key]
        assert whole[key].shape.as_list() == list(expected.shape)
        np.testing.assert_array_equal(constant_value(tf.constant(array)[key]), expected)
        unknown = tf.placeholder(tf.int32, [None] * array.ndim)[key]
        assert unknown.shape.is_compatible_with(expected.shape)
        assert unknown.shape.ndims == expected.ndim


@settings(max_examples=25, deadline=None)
@given(st.lists(arrays_and_keys(), min_size=4, max_size=4))
def test_brackets_compute_what_numpy_computes(given: list[tuple[np.ndarray[Any, Any], Any]]) -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        tensors = [tf.placeholder(tf.int32, a.shape) for a, _ in given]
        found = session.run([t[k] for t, (_, k) in zip(tensors, given, strict=True)],
                            dict(zip(tensors, [a for a, _ in given], strict=True)))  # fmt: skip
    for value, (array, key) in zip(found, given, strict=True):
        np.testing.assert_array_equal(value, array[key])


def test_a_fed_index_compiles_once() -> None:
    array = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    x, i, j = tf.placeholder(tf.float32, array.shape), tf.placeholder(tf.int32, []), tf.placeholder(tf.int32, [])
    y = [x[i], x[:, i, 1:], x[i, ..., j], tf.slice(x, [i, 0, j], [1, 2, 1])]
    compiled = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, seconds, **_: compiled.append(event) if "backend_compile" in event else None
    )
    with tf.Session() as session:
        for a, b in ((0, 1), (1, 3), (1, 0)):
            found = session.run(y, {x: array, i: a, j: b})
            expected = [array[a], array[:, a, 1:], array[a, ..., b], array[a : a + 1, :2, b : b + 1]]
            for value, wanted in zip(found, expected, strict=True):
                np.testing.assert_array_equal(value, wanted)
        assert len(compiled) == 1


def test_a_loop_slices_by_its_counter() -> None:
    array = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    x = tf.placeholder(tf.float32, [2, 3, 4])
    _, total = tf.while_loop(
        lambda i, total: i < 3, lambda i, total: (i + 1, total + x[1, i, 1:] + x[0, :, i][1]), [0, tf.zeros([3])]
    )
    (gradient,) = tf.gradients(total, x)
    expected = np.zeros_like(array)
    for i in range(3):
        expected[1, i, 1:] += 1
        expected[0, 1, i] += 3
    with tf.Session() as session:
        value, slope = session.run([total, gradient], {x: array})
    np.testing.assert_allclose(value, sum(array[1, i, 1:] + array[0, 1, i] for i in range(3)))
    np.testing.assert_allclose(slope, expected)


def test_bounds_taken_from_shapes_stay_known() -> None:
    x = tf.placeholder(tf.float32, [None, 3])
    rows = tf.shape(x)[0]
    fetches = [x[: rows // 2], x[rows // 2 :], tf.slice(x, [rows - 1, 0], [1, -1])]
    with tf.Session() as session:
        for n in (2, 5):
            array = np.arange(n * 3, dtype=np.float32).reshape(n, 3)
            found = session.run(fetches, {x: array})
            for value, wanted in zip(found, (array[: n // 2], array[n // 2 :], array[-1:]), strict=True):
                np.testing.assert_array_equal(value, wanted)


def test_indices_out_of_range() -> None:
    params = tf.constant([[1.0, 2.0], [3.0, 4.0]])
    i = tf.placeholder(tf.int32, [3])
    fetches = [
        tf.gather(params, i),
        tf.gather_nd(params, tf.expand_dims(i, 1)),
        tf.scatter_nd(i[:, None], [1, 1, 1], [2]),
    ]
    with tf.Session() as session:
        rows, entries, counts = session.run(fetches, {i: [1, -1, 2]})
    assert rows.tolist() == entries.tolist() == [[3, 4], [0, 0], [0, 0]]  # as TensorFlow's GPU kernels
    assert counts.tolist() == [0, 1]


def test_static_errors_name_op_and_place() -> None:
    x = tf.placeholder(tf.float32, [3, 4], name="x")
    with pytest.raises(ValueError, match=r"slice index 4 of dimension 1 out of bounds.*'strided_slice'.*test_slicing"):
        x[:, 4]
    with pytest.raises(TypeError, match="valid indices, got 'a'"):
        x["a"]
    with pytest.raises(TypeError, match="valid indices"):
        x[tf.constant(1.0)]
    unknown = tf.placeholder(tf.float32, [None, 4])
    with pytest.raises(TypeError, match="valid indices"):
        x[: unknown.shape[0]]


def test_dimensions_are_indices() -> None:
    x = tf.placeholder(tf.float32, [3, 4])
    assert x[: x.shape[0] - 1].shape.as_list() == [2, 4]
    assert tf.reshape(x, [-1, x.shape[1] // 2]).shape.as_list() == [6, 2]


def test_masks_follow_the_data() -> None:
    x = tf.placeholder(tf.float32, [None])
    kept = tf.boolean_mask(x, x > 0)
    y = tf.reduce_sum(kept * kept)
    values, index = tf.unique(tf.cast(x, tf.int32))
    with tf.Session() as session:
        for data in ([1.0, -1.0, 2.0], [-1.0, -2.0, -3.0], [3.0, 1.0, 2.0]):
            found, total, slope = session.run([kept, y, tf.gradients(y, x)[0]], {x: data})
            positive = [v for v in data if v > 0]
            assert found.tolist() == positive
            assert total == sum(v * v for v in positive)
            assert slope.tolist() == [2 * v if v > 0 else 0 for v in data]
            v, i = session.run([values, index], {x: data})
            np.testing.assert_array_equal(v[i], np.asarray(data, np.int32))
