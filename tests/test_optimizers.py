"""Optimizers, learning rates and moving averages, compared with what TensorFlow gave."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import monitored as tf
import replay


@pytest.mark.parametrize("name", replay.names("optimizers/", "rates/", "averages/"))
def test_like_tensorflow(name: str) -> None:
    replay.check(name, relative=1e-4)


@settings(max_examples=6, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=7), st.integers(0, 2**16))
def test_sparse_updates_are_dense_ones_on_the_rows(indices: list[int], seed: int) -> None:
    random = np.random.default_rng(seed)
    start = random.normal(size=(5, 2)).astype(np.float32)
    rows = random.normal(size=(len(indices), 2)).astype(np.float32)
    dense = np.zeros_like(start)
    np.add.at(dense, indices, rows)
    found = []
    for sparse in (True, False):
        with tf.Graph().as_default(), tf.Session() as session:
            w = tf.Variable(start)
            grad = tf.IndexedSlices(tf.constant(rows), tf.constant(indices)) if sparse else tf.constant(dense)
            train_op = tf.train.AdagradOptimizer(0.5).apply_gradients([(grad, w)])
            session.run(tf.global_variables_initializer())
            session.run(train_op)
            session.run(train_op)
            found.append(session.run(w))
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("count", [60, 600])  # few are compared with one another, many are sorted
def test_rows_of_equal_indices_are_summed_first_and_those_outside_are_left_out(count: int) -> None:
    random = np.random.default_rng(0)
    rows, indices = random.integers(1, 9, size=(count, 2)).astype(np.float32), random.integers(-3, 40, size=count)
    inside = (indices >= 0) & (indices < 30)
    summed = np.zeros((30, 2), np.float32)
    np.add.at(summed, indices[inside], rows[inside])
    with tf.Graph().as_default(), tf.Session() as session:
        w = tf.Variable(tf.zeros([30, 2]))
        optimizer = tf.train.AdagradOptimizer(1.0, initial_accumulator_value=1.0)
        train_op = optimizer.apply_gradients([(tf.IndexedSlices(tf.constant(rows), tf.constant(indices)), w)])
        session.run(tf.global_variables_initializer())
        session.run(train_op)
        found, squares = session.run([w, optimizer.get_slot(w, "accumulator")])
    np.testing.assert_array_equal(squares, 1 + summed**2)
    np.testing.assert_allclose(found, -summed / np.sqrt(1 + summed**2), rtol=1e-6)


def test_sparse_updates_with_int64_indices_and_no_rows() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        w = tf.Variable(np.ones((3, 2), np.float32))
        rows = tf.placeholder(tf.float32, [None, 2])
        indices = tf.placeholder(tf.int64, [None])
        train_op = tf.train.MomentumOptimizer(1.0, 0.5).apply_gradients([(tf.IndexedSlices(rows, indices), w)])
        session.run(tf.global_variables_initializer())
        session.run(train_op, {rows: np.zeros((0, 2)), indices: []})
        assert session.run(w).tolist() == [[1, 1]] * 3
        session.run(train_op, {rows: [[1, 2], [3, 4]], indices: [2, 2]})
        assert session.run(w).tolist() == [[1, 1], [1, 1], [-3, -5]]


def test_slots_are_where_tensorflow_has_them() -> None:
    with tf.Graph().as_default():
        w, other = tf.get_variable("w", [2]), tf.get_variable("other", [2])
        optimizer = tf.train.AdamOptimizer()
        optimizer.apply_gradients([(tf.constant([1.0, 2.0]), w)])
        assert optimizer.get_slot_names() == ["m", "v"]
        assert optimizer.get_slot(w, "m").op.name == "w/Adam"
        assert optimizer.get_slot(other, "m") is None
        assert optimizer.get_slot(w, "other") is None
        with tf.Graph().as_default():
            assert optimizer.variables() == []


def test_a_gradient_that_is_none_is_left_out() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        a, b = tf.Variable([1.0]), tf.Variable([2.0])
        train_op = tf.train.GradientDescentOptimizer(1.0).minimize(tf.identity(a)[0])
        session.run(tf.global_variables_initializer())
        session.run(train_op)
        assert session.run([a, b]) == [[0.0], [2.0]]


@pytest.mark.parametrize("bad", [[1.0], [1.0, 2.0, 3.0], [[1.0, 2.0]]])
def test_a_gradient_of_another_shape_is_an_error(bad: Any) -> None:
    with tf.Graph().as_default():
        w = tf.get_variable("w", [2])
        with pytest.raises(ValueError, match=r"'w' has shape \(2,\)"):
            tf.train.AdamOptimizer().apply_gradients([(tf.constant(bad), w)])


def test_what_is_no_gradient_is_an_error() -> None:
    with tf.Graph().as_default():
        w = tf.get_variable("w", [2])
        with pytest.raises(TypeError, match="Gradient must be convertible"):
            tf.train.GradientDescentOptimizer(0.1).apply_gradients([(object(), w)])
        with pytest.raises(NotImplementedError, match="Trying to update a Tensor"):
            tf.train.GradientDescentOptimizer(0.1).apply_gradients([(tf.constant(1.0), tf.constant(1.0))])


def test_an_optimizer_that_defines_nothing_says_what_is_missing() -> None:
    with tf.Graph().as_default():
        w = tf.get_variable("w", [2])
        with pytest.raises(NotImplementedError, match="_apply_dense"):
            tf.train.Optimizer(False, "Empty").apply_gradients([(tf.constant([1.0, 2.0]), w)])


def test_ten_thousand_rows_change_only_where_they_are_touched() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        table = tf.Variable(np.zeros((10_000, 4), np.float32))
        ids = tf.placeholder(tf.int32, [None])
        train_op = tf.train.RMSPropOptimizer(0.1).minimize(tf.reduce_sum(tf.gather(table, ids)))
        session.run(tf.global_variables_initializer())
        session.run(train_op, {ids: [5, 9_999, 5]})
        changed = np.flatnonzero(session.run(table).any(axis=1))
        assert changed.tolist() == [5, 9_999]


def test_averages_of_variables_created_in_the_same_run() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        w = tf.get_variable("w", [3], initializer=tf.random_normal_initializer())
        ema = tf.train.ExponentialMovingAverage(0.9)
        ema.apply([w])
        session.run(tf.global_variables_initializer())
        value, average = session.run([w, ema.average(w)])
        np.testing.assert_array_equal(value, average)


@pytest.mark.parametrize("make", [lambda: tf.train.AdamOptimizer(0.1), lambda: tf.train.MomentumOptimizer(0.1, 0.9)])
def test_applied_in_a_branch(make: Any) -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        w = tf.get_variable("w", initializer=np.float32([1.0, 2.0]))
        step = tf.train.get_or_create_global_step()
        apply_now = tf.placeholder(tf.bool, [])
        optimizer = make()
        pairs = optimizer.compute_gradients(tf.reduce_sum(tf.square(w)))
        train_op = tf.cond(apply_now, lambda: tf.group(optimizer.apply_gradients(pairs, step)), tf.no_op)
        session.run(tf.global_variables_initializer())
        session.run(train_op, {apply_now: False})
        assert session.run(w).tolist() == [1.0, 2.0]
        session.run(train_op, {apply_now: True})
        value, count = session.run([w, step])
        assert (value < [1.0, 2.0]).all()
        assert count == 1
        assert optimizer.variables()[-1].op.name.startswith("w/")
        assert tf.get_collection(tf.GraphKeys.TRAIN_OP) == []
