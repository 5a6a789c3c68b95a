"""Operations that are alike are traced once, and each still has its own arguments, state and gradients."""

from __future__ import annotations

import itertools
from typing import Any

import jax
import numpy as np
import pytest

import monitored as tf


@pytest.fixture(autouse=True)
def graph() -> Any:
    with tf.Graph().as_default() as graph:
        yield graph


def test_a_deep_network_is_differentiated_by_jax_a_few_times(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = [tf.Variable(np.float32(1 + i / 100) * np.eye(3, dtype=np.float32)) for i in range(40)]
    x = tf.placeholder(tf.float32, [None, 3])
    h = x
    for weight in weights:
        h = tf.nn.relu(tf.matmul(h, weight))
    train = tf.train.GradientDescentOptimizer(0.5).minimize(tf.reduce_sum(h))
    calls = 0
    vjp = jax.vjp

    def counted(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        return vjp(*args, **kwargs)

    monkeypatch.setattr(jax, "vjp", counted)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(train, {x: np.eye(3, dtype=np.float32)})
        factors = np.array([1 + i / 100 for i in range(40)])
        for factor, value in zip(factors, session.run(weights), strict=True):
            np.testing.assert_allclose(np.diag(value), factor - 0.5 * factors.prod() / factor, rtol=1e-5)
    assert 0 < calls < 10


def test_operations_that_differ_in_a_constant_are_not_alike() -> None:
    x = tf.placeholder(tf.float32, [2])
    values = [2.0, 3.0, 0.0, -0.0, 2.0, 0.0, -0.0, -0.0]
    products = [x * value for value in values]
    gradients = tf.gradients(products, [*products, x])
    with tf.Session() as session:
        found, slopes = session.run([products, gradients[-1]], {x: [1.0, 5.0]})
    for value, product in zip(values, found, strict=True):
        np.testing.assert_array_equal(product, [value, 5 * value])
        np.testing.assert_array_equal(np.signbit(product), np.signbit([value, 5 * value]))
    np.testing.assert_array_equal(slopes, [sum(values)] * 2)


def test_operations_that_differ_in_an_attribute_or_a_shape_are_not_alike() -> None:
    x = tf.placeholder(tf.float32, [2, 3])
    y = tf.placeholder(tf.float32, [3, 3])
    fetches = [tf.matmul(x, y, transpose_b=b) for b in (False, True, False, True, True)]
    fetches += [tf.reduce_sum(v, axis) for v in (x, y) for axis in (0, 1, 0, 1)]
    fetches += [tf.nn.leaky_relu(x, alpha) for alpha in (0.5, 0.25, 0.5)]
    rows = np.array([[1, -2, 3], [-4, 5, 6]], np.float32)
    square = np.arange(9, dtype=np.float32).reshape(3, 3)
    with tf.Session() as session:
        found = session.run(fetches, {x: rows, y: square})
    expected = [rows @ (square.T if b else square) for b in (False, True, False, True, True)]
    expected += [v.sum(axis) for v in (rows, square) for axis in (0, 1, 0, 1)]
    expected += [np.where(rows > 0, rows, alpha * rows) for alpha in (0.5, 0.25, 0.5)]
    for value, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(value, wanted)


def test_random_operations_that_are_alike_keep_streams_of_their_own() -> None:
    x = tf.placeholder(tf.float32, [64])
    draws = [x + tf.random_uniform([64], seed=7) for _ in range(3)] + [
        x + tf.random_uniform([64], seed=s) for s in (8, 9)
    ]
    one_alone = tf.random_uniform([64], seed=7)
    with tf.Session() as session:
        first, second = (session.run(draws, {x: np.zeros(64)}) for _ in range(2))
        alone = [session.run(one_alone) for _ in range(2)]
    np.testing.assert_array_equal(first[0], alone[0])
    np.testing.assert_array_equal(second[2], alone[1])
    for a, b in ((first[0], second[0]), (first[2], first[3]), (first[3], first[4])):
        assert not np.array_equal(a, b)


def test_updates_that_are_alike_change_each_its_own_variable_in_order() -> None:
    a, b, c = (tf.Variable([value, value]) for value in (1.0, 2.0, 3.0))
    step = tf.placeholder(tf.float32, [2])
    updates = [tf.assign_add(v, step) for v in (a, b, c, a, a)]
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run([update.op for update in updates], {step: [10.0, 20.0]})
        values = session.run([a, b, c])
    np.testing.assert_array_equal(values, [[31, 61], [12, 22], [13, 23]])


def test_each_of_several_alike_operations_has_gradients_of_the_inputs_asked_for() -> None:
    xs = [tf.placeholder(tf.float32, [2]) for _ in range(4)]
    products = [one * other for one, other in itertools.pairwise(xs)]
    parts = [part for product in products for part in tf.split(product, 2)]
    with tf.Session() as session:
        gradients = session.run(tf.gradients(parts[::2], xs), {x: [i + 1.0, i + 2.0] for i, x in enumerate(xs)})
    np.testing.assert_array_equal(gradients, [[2, 0], [1 + 3, 0], [2 + 4, 0], [3, 0]])


def test_shapes_known_when_compiling_stay_known_however_often_they_are_asked_for() -> None:
    xs = [tf.placeholder(tf.float32, [None, 2]) for _ in range(4)]
    flat = [tf.reshape(x, [tf.shape(x)[0] * 2]) for x in xs]
    ones = [tf.ones_like(x) + tf.zeros(tf.shape(x)) for x in xs]
    with tf.Session() as session:
        found = session.run([flat, ones], {x: np.full([3, 2], i) for i, x in enumerate(xs)})
    for i, (value, one) in enumerate(zip(*found, strict=True)):
        np.testing.assert_array_equal(value, np.full(6, i))
        np.testing.assert_array_equal(one, np.ones([3, 2]))


def test_many_variables_initialized_alike_draw_values_of_their_own_and_run_again_from_the_kernels_there_are() -> None:
    stddevs = [1.0] * 16 + [2.0] * 4
    weights = [tf.Variable(tf.truncated_normal([8, 4], stddev=s, seed=i)) for i, s in enumerate(stddevs)]
    biases = [tf.Variable(tf.zeros([4])) for _ in range(4)]
    initialize = tf.global_variables_initializer()
    change = tf.group(*[tf.assign_add(bias, tf.fill([4], i + 1.0)) for i, bias in enumerate(biases)])
    with tf.Session() as session:
        session.run(initialize)
        together = session.run(weights)
        session.run(change)  # each bias has a buffer of its own, which the update may take
        np.testing.assert_array_equal(session.run(biases), [[i + 1.0] * 4 for i in range(4)])
        session.run(initialize)
        again, reset = session.run([weights, biases])
    with tf.Session() as session:
        session.run([weights[3].initializer, weights[17].initializer])
        np.testing.assert_allclose(session.run([weights[3], weights[17]]), [together[3], together[17]], rtol=1e-6)
    assert len({value.tobytes() for value in [*together, *again]}) == 40
    np.testing.assert_array_equal(reset, np.zeros([4, 4]))
    assert 1 < np.std(together[16:]) / np.std(together[:16]) < 3
