"""Layers, compared with what TensorFlow gave."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from oracle import replay_loops
from oracle.replay_loops import tf


@pytest.mark.parametrize("name", replay_loops.names("layers/"))
def test_like_tensorflow(name: str) -> None:
    replay_loops.check(name, tolerance=2e-3 if name == "layers/other_types" else 5e-5)


def test_dropout_in_training() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        training = tf.placeholder_with_default(False, [])
        x = tf.ones([100, 100])
        y = tf.layers.dropout(x, 0.25, training=training, seed=2)
        assert (session.run(y) == 1).all()
        dropped = session.run(y, {training: True})
        assert 0.2 < np.mean(dropped == 0) < 0.3
        np.testing.assert_allclose(np.unique(dropped), [0, 1 / 0.75], rtol=1e-6)
        rows = session.run(tf.layers.dropout(x, noise_shape=[100, 1], training=True))
        assert (rows == rows[:, :1]).all()


def test_a_network_trains_with_its_updates() -> None:
    rng = np.random.default_rng(0)
    images = rng.normal(size=(64, 8, 8, 1)).astype(np.float32)
    labels = (images[:, 2:6, 2:6, 0].mean((1, 2)) > 0).astype(np.int32)
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(1)
        training = tf.placeholder_with_default(False, [])
        hidden = tf.layers.conv2d(tf.constant(images), 8, 3, padding="same", use_bias=False)
        hidden = tf.nn.relu(tf.layers.batch_normalization(hidden, training=training))
        hidden = tf.layers.flatten(tf.layers.max_pooling2d(hidden, 2, 2))
        logits = tf.layers.dense(tf.layers.dropout(hidden, 0.1, training=training), 2)
        loss = tf.losses.sparse_softmax_cross_entropy(labels, logits)
        with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
            train = tf.train.AdamOptimizer(0.01).minimize(loss)
        session.run(tf.global_variables_initializer())
        before = session.run(loss)
        for _ in range(80):
            session.run(train, {training: True})
        assert session.run(loss) < 0.3 * before


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("dense", ["inputs", "units", "activation", "use_bias", "kernel_initializer"]),
        ("conv2d", ["inputs", "filters", "kernel_size", "strides", "padding", "data_format", "dilation_rate"]),
        ("conv2d_transpose", ["inputs", "filters", "kernel_size", "strides", "padding", "data_format", "activation"]),
        ("max_pooling2d", ["inputs", "pool_size", "strides", "padding", "data_format", "name"]),
    ],
)
def test_functions_show_their_arguments(function: str, arguments: list[str]) -> None:
    found = getattr(tf.layers, function)
    assert list(inspect.signature(found).parameters)[: len(arguments)] == arguments
    assert found.__name__ == function
    for argument in inspect.signature(found).parameters:
        assert f"\n    {argument}: " in found.__doc__, argument


@pytest.mark.parametrize("argument", ["renorm", "virtual_batch_size", "adjustment"])
def test_what_batch_normalization_does_not_do_is_said(argument: str) -> None:
    with tf.Graph().as_default(), pytest.raises(NotImplementedError, match=argument):
        tf.layers.batch_normalization(tf.zeros([2, 3]), **{argument: 4})
