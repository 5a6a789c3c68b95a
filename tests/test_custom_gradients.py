"""Gradients that the user defines, higher derivatives, and gradients cut off or unconnected."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import monitored as tf


def run(fetches: Any) -> Any:
    with tf.Session() as session:
        return session.run(fetches)


@pytest.fixture(autouse=True)
def graph() -> Any:
    with tf.Graph().as_default() as graph:
        yield graph


def test_custom_gradient_replaces_what_flows_back_and_keeps_the_value() -> None:
    @tf.custom_gradient
    def square_with_loud_gradient(x: Any) -> Any:
        return tf.square(x), lambda dy: 100 * dy

    x = tf.constant([1.0, 2.0])
    y = square_with_loud_gradient(x)
    np.testing.assert_array_equal(run(y), [1, 4])
    np.testing.assert_array_equal(run(tf.gradients(3 * y, x))[0], [300, 300])


def test_custom_gradient_of_several_inputs_and_outputs_gets_a_gradient_for_each_output() -> None:
    @tf.custom_gradient
    def swap(a: Any, b: Any) -> Any:
        return (b, a), lambda db, da: (10 * da, 20 * db)

    a, b = tf.constant(1.0), tf.constant(2.0)
    first, second = swap(a, b)
    assert run([first, second]) == [2, 1]
    assert run(tf.gradients(3 * first + 5 * second, [a, b])) == [50, 60]


def test_custom_gradient_that_returns_too_few_gradients_says_so() -> None:
    @tf.custom_gradient
    def wrong(a: Any, b: Any) -> Any:
        return a + b, lambda dy: dy

    a = tf.constant(1.0)
    with pytest.raises(ValueError, match="expected to return 2 gradients but returned 1 instead"):
        tf.gradients(wrong(a, a), a)


def test_log1pexp_with_its_own_gradient_does_not_overflow() -> None:
    # The example of TensorFlow's documentation.
    @tf.custom_gradient
    def log1pexp(x: Any) -> Any:
        e = tf.exp(x)
        return tf.log(1 + e), lambda dy: dy * (1 - 1 / (1 + e))

    x = tf.constant(100.0)
    assert run(tf.gradients(log1pexp(x), x)) == [1.0]
    assert np.isnan(run(tf.gradients(tf.log(1 + tf.exp(x)), x))[0])


def test_an_override_applies_to_operations_made_within_its_block_only(graph: Any) -> None:
    @tf.RegisterGradient("test_custom_gradients/tripled")
    def tripled(op: Any, gradient: Any) -> Any:
        assert op.type == "Identity"
        return 3 * gradient

    x = tf.constant(1.0)
    with graph.gradient_override_map({"Identity": "test_custom_gradients/tripled"}):
        inside = tf.identity(x)
    outside = tf.identity(x)
    assert run(tf.gradients(inside, x) + tf.gradients(outside, x)) == [3, 1]


def test_an_override_by_a_name_that_nobody_registered_is_a_lookup_error(graph: Any) -> None:
    x = tf.constant(1.0)
    with graph.gradient_override_map({"Identity": "nobody"}):
        y = tf.identity(x, name="overridden")
    with pytest.raises(LookupError, match=r"'nobody'.*'overridden'"):
        tf.gradients(y, x)


def test_a_py_func_gets_the_gradient_registered_for_it(graph: Any) -> None:
    @tf.RegisterGradient("test_custom_gradients/of_py_func")
    def gradient(op: Any, dy: Any) -> Any:
        return dy * 2 * op.inputs[0]

    x = tf.constant(3.0)
    with graph.gradient_override_map({"PyFunc": "test_custom_gradients/of_py_func"}):
        y = tf.py_func(lambda v: v * v, [x], tf.float32)
    assert run([y, tf.gradients(y, x)[0]]) == [9, 6]


def test_nothing_flows_back_through_a_py_func_of_its_own() -> None:
    x = tf.constant(3.0)
    assert tf.gradients(tf.py_func(lambda v: v * v, [x], tf.float32), x) == [None]


def test_an_operation_without_a_gradient_on_the_way_is_a_lookup_error_that_names_it() -> None:
    x = tf.constant([3.0, 3.0])
    values, _ = tf.unique(x, name="distinct")
    with pytest.raises(LookupError, match="No gradient defined for operation 'distinct'"):
        tf.gradients(values, x)


def test_registering_a_name_twice_is_refused() -> None:
    tf.RegisterGradient("test_custom_gradients/once")(lambda op, dy: dy)
    with pytest.raises(KeyError, match="test_custom_gradients/once"):
        tf.RegisterGradient("test_custom_gradients/once")(lambda op, dy: dy)


def test_hessians_are_the_second_derivatives() -> None:
    x = tf.constant([1.0, 2.0, 3.0])
    y = tf.reduce_sum(x**3) + x[0] * x[1]
    expected = np.diag([6.0, 12.0, 18.0])
    expected[0, 1] = expected[1, 0] = 1
    np.testing.assert_allclose(run(tf.hessians(y, x))[0], expected)


def test_hessians_of_a_matrix_have_its_shape_twice() -> None:
    x = tf.constant([[1.0, 2.0], [3.0, 4.0]])
    hessian = tf.hessians(tf.reduce_sum(tf.square(x)), x)[0]
    assert hessian.shape == [2, 2, 2, 2]
    np.testing.assert_allclose(np.reshape(run(hessian), [4, 4]), 2 * np.eye(4))


def test_third_derivatives_of_a_network_agree_with_jax() -> None:
    import jax
    import jax.numpy as jnp

    def function(x: Any) -> Any:
        return jnp.sum(jnp.tanh(x) ** 2)

    value = np.float32([0.3, -0.7])
    x = tf.constant(value)
    first = tf.gradients(tf.reduce_sum(tf.tanh(x) ** 2), x)[0]
    second = tf.gradients(tf.reduce_sum(first), x)[0]
    third = tf.gradients(tf.reduce_sum(second), x)[0]
    one = jax.grad(function)
    two = jax.grad(lambda v: jnp.sum(one(v)))
    three = jax.grad(lambda v: jnp.sum(two(v)))
    np.testing.assert_allclose(run(third), three(value), rtol=1e-4)


def test_nothing_flows_through_stop_gradients() -> None:
    x = tf.constant(2.0)
    y = x * x
    z = y * x
    assert run(tf.gradients(z, x, stop_gradients=[y])) == [4]  # as if y were the constant 4
    assert run(tf.gradients(z, [x, y], stop_gradients=[y])) == [4, 2]


def test_unconnected_gradients_are_none_or_zeros() -> None:
    x, other = tf.constant([1.0, 2.0]), tf.constant([3.0])
    assert tf.gradients(x * 2, other) == [None]
    np.testing.assert_array_equal(run(tf.gradients(x * 2, other, unconnected_gradients="zero"))[0], [0])


def test_grad_ys_weigh_the_outputs_and_must_have_their_shapes() -> None:
    x = tf.constant([1.0, 2.0])
    np.testing.assert_array_equal(run(tf.gradients(x * x, x, grad_ys=[[10.0, 100.0]]))[0], [20, 400])
    with pytest.raises(ValueError, match="grad_ys"):
        tf.gradients(x * x, x, grad_ys=[1.0, 2.0])


def test_integers_have_no_gradient() -> None:
    x = tf.constant(1.0)
    assert tf.gradients(tf.cast(x, tf.int32), x) == [None]
    with pytest.raises(TypeError, match="bool"):
        tf.gradients(x > 0.0, x)


def test_the_gradient_of_a_gather_touches_only_the_gathered_rows() -> None:
    table = tf.Variable(np.zeros([1000, 3], np.float32))
    loss = tf.reduce_sum(tf.nn.embedding_lookup(table, [[7, 3], [7, 5]]) * 2)
    gradient = tf.gradients(loss, table)[0]
    assert isinstance(gradient, tf.IndexedSlices)
    with tf.Session() as session:
        session.run(table.initializer)
        found = session.run(gradient)
    assert isinstance(found, tf.IndexedSlicesValue)
    np.testing.assert_array_equal(found.indices, [7, 3, 7, 5])
    np.testing.assert_array_equal(found.values, np.full([4, 3], 2))
    np.testing.assert_array_equal(found.dense_shape, [1000, 3])


def test_a_gather_gradient_becomes_dense_where_it_flows_on() -> None:
    x = tf.constant([1.0, 2.0, 3.0])
    y = tf.gather(2 * x, [0, 2, 2])
    np.testing.assert_array_equal(run(tf.gradients(y, x))[0], [2, 0, 4])
