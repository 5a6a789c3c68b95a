"""`OptaxOptimizer`: the numbers are optax's own, the state is variables."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import optax
import pytest

import monitored as tf

_PARAMS = {"layer/b": np.float32([1.0, 2.0]), "w": np.float32([[1.0, 2.0], [3.0, 4.0]])}
_GRADS = {"layer/b": np.float32([0.1, -0.2]), "w": np.float32([[1.0, 2.0], [3.0, 4.0]])}
_TRANSFORMATIONS = {
    "adamw": optax.adamw(1e-2),
    "chain": optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.scale_by_adam(),
        optax.scale_by_schedule(optax.linear_schedule(1.0, 0.1, 10)),
        optax.scale(-1e-2),
    ),
    "same_twice": optax.chain(optax.trace(0.9), optax.trace(0.8)),
    "hyperparameters": optax.inject_hyperparams(optax.sgd)(learning_rate=0.1, momentum=0.9),
    "random": optax.add_noise(0.1, 0.5, 42),
    "several_steps": optax.MultiSteps(optax.adam(0.1), 2),
    "several": optax.multi_transform(
        {"slow": optax.sgd(0.1), "fast": optax.adam(0.1)},
        lambda params: {name: "fast" if name == "w" else "slow" for name in params},
    ),
    "masked": optax.masked(optax.adam(0.1), {"w": True, "layer/b": False}),
    "stateless": optax.sgd(0.1),
}


def _variables() -> dict[str, Any]:
    with tf.variable_scope("layer"):
        b = tf.get_variable("b", initializer=_PARAMS["layer/b"])
    return {"layer/b": b, "w": tf.get_variable("w", initializer=_PARAMS["w"])}


@pytest.mark.parametrize("name", _TRANSFORMATIONS)
def test_the_numbers_are_optax_s(name: str) -> None:
    transformation = _TRANSFORMATIONS[name]
    with tf.Graph().as_default(), tf.Session() as session:
        variables = _variables()
        optimizer = tf.train.OptaxOptimizer(transformation)
        train_op = optimizer.apply_gradients([(tf.constant(_GRADS[n]), v) for n, v in variables.items()])
        session.run(tf.global_variables_initializer())
        params, state = _PARAMS, transformation.init(_PARAMS)
        update = jax.jit(transformation.update)
        for _ in range(4):
            session.run(train_op)
            updates, state = update(_GRADS, state, params)
            params = optax.apply_updates(params, updates)
        found = session.run(variables)
        assert len(optimizer.variables()) == len(jax.tree_util.tree_leaves(state))
    for key in params:
        np.testing.assert_allclose(found[key], params[key], rtol=1e-6)


def test_names_and_nodes() -> None:
    with tf.Graph().as_default() as graph:
        variables = _variables()
        optimizer = tf.train.OptaxOptimizer(optax.adam(0.1))
        pairs = [(tf.constant(_GRADS[n]), v) for n, v in variables.items()]
        step = tf.train.get_or_create_global_step()
        train_op = optimizer.apply_gradients(pairs, global_step=step)
        assert [v.op.name for v in optimizer.variables()] == [
            "Optax/count", "layer/b/Optax/mu", "layer/b/Optax/nu", "w/Optax/mu", "w/Optax/nu",
        ]  # fmt: skip
        assert set(optimizer.variables()) <= set(tf.global_variables())
        assert not set(optimizer.variables()) & set(tf.trainable_variables())
        assert optimizer.get_slot(variables["w"], "nu").op.name == "w/Optax/nu"
        assert optimizer.get_slot_names() == ["mu", "nu"]
        assert (train_op.name, train_op.type) == ("Optax", "AssignAdd")
        updates = [op for op in graph.get_operations() if op.type.startswith("OptaxUpdate")]
        assert [op.name for op in updates] == ["Optax/update"]
        assert graph.as_graph_def().node[-1].name == "Optax"


def test_minimize_trains_and_counts() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        w = tf.get_variable("w", initializer=np.float32([3.0, -4.0]))
        step = tf.train.get_or_create_global_step()
        train_op = tf.train.OptaxOptimizer(optax.sgd(0.1)).minimize(tf.reduce_sum(tf.square(w)), global_step=step)
        session.run(tf.global_variables_initializer())
        for _ in range(3):
            session.run(train_op)
        value, count = session.run([w, step])
        np.testing.assert_allclose(value, np.float32([3.0, -4.0]) * 0.8**3, rtol=1e-6)
        assert count == 3


def test_a_learning_rate_is_a_variable() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        w = tf.get_variable("w", initializer=np.float32([1.0]))
        optimizer = tf.train.OptaxOptimizer(optax.inject_hyperparams(optax.sgd)(learning_rate=0.5))
        train_op = optimizer.apply_gradients([(tf.constant([1.0]), w)])
        rate = next(v for v in optimizer.variables() if v.op.name == "Optax/hyperparams/learning_rate")
        session.run(tf.global_variables_initializer())
        session.run(train_op)
        assert session.run(w) == [0.5]
        rate.load(0.25, session)
        session.run(train_op)
        assert session.run(w) == [0.25]


def test_the_loss_reaches_transformations_that_ask_for_it() -> None:
    def update(updates: Any, state: Any, params: Any = None, *, value: Any, **extra: Any) -> Any:
        return jax.tree.map(lambda g: -g * value, updates), state

    transformation = optax.GradientTransformationExtraArgs(lambda params: optax.EmptyState(), update)
    with tf.Graph().as_default(), tf.Session() as session:
        w = tf.get_variable("w", initializer=np.float32([1.0, 2.0]))
        train_op = tf.train.OptaxOptimizer(transformation).minimize(tf.reduce_sum(w))
        session.run(tf.global_variables_initializer())
        session.run(train_op)
        assert session.run(w).tolist() == [-2.0, -1.0]


def test_state_starts_from_the_parameters_values() -> None:
    transformation = optax.GradientTransformation(lambda params: params, lambda u, state, params=None: (u, state))
    with tf.Graph().as_default(), tf.Session() as session:
        w = tf.get_variable("w", [3], initializer=tf.random_normal_initializer())
        optimizer = tf.train.OptaxOptimizer(transformation)
        optimizer.apply_gradients([(tf.constant([1.0, 1.0, 1.0]), w)])
        session.run(tf.global_variables_initializer())
        value, kept = session.run([w, optimizer.get_slot(w, "state")])
        np.testing.assert_array_equal(value, kept)


def test_constraints_and_float64() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        w = tf.get_variable(
            "w", initializer=np.array([1.0, -1.0]), constraint=lambda x: tf.maximum(x, np.array([0.0, 0.0]))
        )
        train_op = tf.train.OptaxOptimizer(optax.sgd(1e-10)).apply_gradients([(tf.constant([1.0, 1.0], tf.float64), w)])
        session.run(tf.global_variables_initializer())
        session.run(train_op)
        assert session.run(w).tolist() == [1.0 - 1e-10, 0.0]


def test_sparse_gradients_are_made_dense() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        w = tf.get_variable("w", initializer=np.zeros((3, 1), np.float32))
        loss = tf.reduce_sum(tf.gather(w, [2, 2]))
        train_op = tf.train.OptaxOptimizer(optax.sgd(1.0)).minimize(loss)
        session.run(tf.global_variables_initializer())
        session.run(train_op)
        assert session.run(w).tolist() == [[0.0], [0.0], [-2.0]]


def test_applied_twice_it_keeps_one_state() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        a, b = tf.get_variable("a", [1]), tf.get_variable("b", [1])
        optimizer = tf.train.OptaxOptimizer(optax.adam(0.1))
        ops = [optimizer.apply_gradients([(tf.constant([1.0]), a)]) for _ in range(2)]
        assert len(optimizer.variables()) == 3
        session.run(tf.global_variables_initializer())
        session.run(ops[0])
        session.run(ops[1])
        assert session.run(optimizer.variables()[0]) == 2
        with pytest.raises(ValueError, match="another OptaxOptimizer"):
            optimizer.apply_gradients([(tf.constant([1.0]), b)])


def test_what_is_no_transformation_is_an_error() -> None:
    with pytest.raises(TypeError, match=r"optax.adam\(1e-3\)"):
        tf.train.OptaxOptimizer(0.1)


def test_unknown_shapes_are_an_error() -> None:
    with tf.Graph().as_default():
        w = tf.Variable([1.0], validate_shape=False)
        with pytest.raises(ValueError, match="needs the shape"):
            tf.train.OptaxOptimizer(optax.sgd(0.1)).apply_gradients([(tf.constant([1.0]), w)])
