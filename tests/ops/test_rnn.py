"""Recurrent cells and networks, compared with what TensorFlow gave."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest

from oracle import replay_loops
from oracle.replay_loops import tf


@pytest.mark.parametrize("name", replay_loops.names("rnn/"))
def test_like_tensorflow(name: str) -> None:
    replay_loops.check(name, tolerance=5e-5)


@pytest.mark.parametrize(("cell", "products"), [("BasicLSTMCell", 1), ("GRUCell", 2), ("BasicRNNCell", 1)])
def test_the_products_of_the_inputs_leave_the_loop(cell: str, products: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In each turn one product of the state is left for each kernel."""
    found: list[int] = []
    scan = jax.lax.scan

    def noted(step: Any, carry: Any, slices: Any, **options: Any) -> Any:
        jaxpr = jax.make_jaxpr(step)(carry, jax.tree.map(lambda stack: stack[0], slices))
        found.append(sum(equation.primitive.name == "dot_general" for equation in jaxpr.eqns))
        return scan(step, carry, slices, **options)

    monkeypatch.setattr(jax.lax, "scan", noted)
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None, 5, 3])
        outputs, _ = tf.nn.dynamic_rnn(getattr(tf.nn.rnn_cell, cell)(4), x, dtype=tf.float32)
        session.run(tf.global_variables_initializer())
        session.run(outputs, {x: np.zeros((2, 5, 3), np.float32)})
    assert found == [products]


def test_dropout_draws_anew_in_each_step_and_run() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.ones([4, 30, 5])
        cell = tf.nn.rnn_cell.DropoutWrapper(_Echo(), input_keep_prob=0.5, seed=3)
        outputs, _ = tf.nn.dynamic_rnn(cell, x, dtype=tf.float32)
        first, second = session.run(outputs), session.run(outputs)
        assert set(np.unique(first)) == {0.0, 2.0}
        assert 0.4 < np.mean(first == 0) < 0.6
        assert (first[:, 0] != first[:, 1]).any()
        assert (first != second).any()


def test_variational_dropout_keeps_its_mask() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        cell = tf.nn.rnn_cell.DropoutWrapper(
            _Echo(), 0.5, 0.5, variational_recurrent=True, input_size=5, dtype=tf.float32
        )
        outputs, _ = tf.nn.dynamic_rnn(cell, tf.ones([4, 30, 5]), dtype=tf.float32)
        masks = [session.run(outputs) for _ in range(6)]
        for mask in masks:
            assert set(np.unique(mask)) <= {0.0, 4.0}
            assert (mask == mask[:1, :1]).all()
        assert any((mask != masks[0]).any() for mask in masks)


def test_state_dropout_leaves_the_memory() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        cells = tf.nn.rnn_cell
        cell = cells.DropoutWrapper(cells.BasicLSTMCell(20), state_keep_prob=0.5, seed=1)
        _, state = cell(tf.ones([2, 3]), cell.zero_state(2, tf.float32))
        session.run(tf.global_variables_initializer())
        memory, output = session.run(state)
        assert (memory != 0).all()
        assert (output == 0).any()


def test_gradients_with_dropout_belong_to_the_masks_of_the_run() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.ones([2, 6, 5])
        cell = tf.nn.rnn_cell.DropoutWrapper(_Echo(), input_keep_prob=0.5)
        outputs, _ = tf.nn.dynamic_rnn(cell, x, dtype=tf.float32)
        value, gradient = session.run([outputs, tf.gradients(outputs, x)[0]])
        np.testing.assert_array_equal(value, gradient)


def test_training_a_network_brings_its_loss_down() -> None:
    rng = np.random.default_rng(0)
    sequences = rng.normal(size=(64, 10, 2)).astype(np.float32)
    wanted = sequences[..., 0].sum(1)
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(1)
        x, y = tf.placeholder(tf.float32, [None, None, 2]), tf.placeholder(tf.float32, [None])
        _, state = tf.nn.dynamic_rnn(tf.nn.rnn_cell.LSTMCell(16), x, dtype=tf.float32)
        guess = tf.layers.dense(state.h, 1)[:, 0]
        loss = tf.reduce_mean((guess - y) ** 2)
        train = tf.train.AdamOptimizer(0.02).minimize(loss)
        session.run(tf.global_variables_initializer())
        losses = [session.run([loss, train], {x: sequences, y: wanted})[0] for _ in range(60)]
        assert losses[-1] < 0.2 * losses[0]


class _Echo(replay_loops.tf.nn.rnn_cell.RNNCell):
    """Gives its input back."""

    state_size = 1
    output_size = 5

    def call(self, inputs: Any, state: Any) -> Any:
        return inputs, state
