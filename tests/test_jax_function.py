"""JAX functions as operations, the values that they tag, and trees of variables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.ad_checkpoint import checkpoint_name

import monitored as tf


@pytest.fixture(autouse=True)
def graph() -> Iterator[tf.Graph]:
    with tf.Graph().as_default() as graph:
        yield graph


def test_pytrees_go_in_and_come_out() -> None:
    def layer(params: Any, x: Any, *, activate: bool, scale: float) -> Any:
        y = x @ params["w"] + params["b"][0]
        return {"out": jnp.tanh(y) if activate else y * scale, "both": (y.sum(), [x.shape[1]])}

    x = tf.placeholder(tf.float32, [None, 3])
    params = {"w": tf.Variable(np.ones([3, 2], np.float32)), "b": [tf.constant([1.0, 2.0])]}
    made = tf.jax_function(layer, params, x, activate=False, scale=10.0)
    assert made["out"].shape.as_list() == [None, 2]
    assert made["both"][0].shape.as_list() == []
    assert made["out"].op.type == "JaxFunction"
    assert made["out"].op.name == "layer"
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for rows in (1, 2):
            found = session.run(made, {x: np.ones([rows, 3])})
            np.testing.assert_array_equal(found["out"], [[40.0, 50.0]] * rows)
            assert found["both"] == (9.0 * rows, [3])


def test_a_tagged_value_is_fetched_by_name_and_costs_nothing_otherwise() -> None:
    calls = []

    def watched(value: Any) -> Any:
        calls.append(1)
        return np.asarray(value) * 2.0

    def model(x: Any) -> Any:
        shape = jax.ShapeDtypeStruct(x.shape, x.dtype)  # type: ignore[no-untyped-call]
        checkpoint_name(jax.pure_callback(watched, shape, x), "doubled")
        hidden = checkpoint_name(x + 1.0, "hidden")
        return hidden * 3.0

    x = tf.placeholder(tf.float32, [2])
    y = tf.jax_function(model, x, name="net")
    with tf.Session() as session:
        np.testing.assert_array_equal(session.run(y, {x: [1.0, 2.0]}), [6.0, 9.0])
        assert not calls
        np.testing.assert_array_equal(session.run("net/hidden:0", {x: [1.0, 2.0]}), [2.0, 3.0])
        assert not calls
        both = session.run([y, "net/doubled:0"], {x: [1.0, 2.0]})
        np.testing.assert_array_equal(both, [[6.0, 9.0], [2.0, 4.0]])
        assert calls == [1]


def test_gradients_go_through_and_respect_custom_rules() -> None:
    @jax.custom_vjp
    def clipped(x: Any) -> Any:
        return x * x

    clipped.defvjp(lambda x: (x * x, x), lambda x, g: (jnp.clip(2.0 * x * g, -1.0, 1.0),))

    def model(x: Any, k: Any) -> Any:
        return checkpoint_name(clipped(x), "square") * k

    x, k = tf.constant([0.25, 5.0]), tf.constant(1.0)
    y = tf.jax_function(model, x, k)
    with tf.Session() as session:
        found = session.run(tf.gradients(tf.reduce_sum(y), [x, k]))
        np.testing.assert_allclose(found[0], [0.5, 1.0])
        assert found[1] == pytest.approx(25.0625)
        tagged = tf.get_default_graph().get_tensor_by_name("model/square:0")
        np.testing.assert_allclose(session.run(tf.gradients(tagged, x)[0]), [0.5, 1.0])


def test_variables_of_a_tree_train_and_are_saved_by_their_paths(tmp_path: Path) -> None:
    start = {"dense": {"kernel": np.zeros([2, 1], np.float32), "bias": np.zeros([1], np.float32)}, "list": [np.ones(2)]}
    params = tf.variable_tree(start)
    names = {"params/dense/kernel", "params/dense/bias", "params/list/0"}
    assert {v.op.name for v in tf.trainable_variables()} == names
    assert params["list"][0].dtype.base_dtype == tf.float64
    frozen = tf.variable_tree([np.float32(2.0)], name="frozen", trainable=False)
    assert frozen[0] not in tf.trainable_variables()
    x = np.asarray([[1.0, 2.0], [3.0, 5.0]], np.float32)

    def loss(params: Any) -> Any:
        out = x @ params["dense"]["kernel"] + params["dense"]["bias"]
        return jnp.sum((out[:, 0] - jnp.asarray([1.0, 2.0])) ** 2)

    error = tf.jax_function(loss, params)
    step = tf.train.GradientDescentOptimizer(0.01).minimize(error, var_list=list(params["dense"].values()))
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        losses = [session.run([error, step])[0] for _ in range(5)]
        assert losses == sorted(losses, reverse=True)
        path = tf.train.Saver().save(session, tmp_path / "model")
    assert names | {"frozen/0"} == {name for name, _ in tf.train.list_variables(path)}


def test_what_cannot_be_traced_is_told() -> None:
    with pytest.raises(ValueError, match="rank"):
        tf.jax_function(lambda x: x, tf.placeholder(tf.float32))
    with pytest.raises((TypeError, ValueError)):
        tf.jax_function(lambda x: x @ jnp.ones([5]), tf.zeros([2, 3]))
