"""Linear model, 8 inputs to 1 output, batch 16: next to no arithmetic, so what is timed is the machinery."""

import numpy as np

BATCH, INPUTS = 16, 8


def batches(rng):
    """Returns the batches that the steps go round, each with one array for each placeholder of `build`."""
    return [(rng.rand(BATCH, INPUTS).astype(np.float32), rng.rand(BATCH, 1).astype(np.float32)) for _ in range(8)]


def build(tf):
    """Returns the placeholders and the loss, in TensorFlow 1's API."""
    x = tf.placeholder(tf.float32, [None, INPUTS])
    y = tf.placeholder(tf.float32, [None, 1])
    return (x, y), loss(tf, x, y)


def loss(tf, x, y):
    """Returns the loss on a batch, in TensorFlow 1's API."""
    w = tf.get_variable("w", [INPUTS, 1])
    b = tf.get_variable("b", [1], initializer=tf.zeros_initializer())
    return tf.reduce_mean(tf.square(tf.matmul(x, w) + b - y))


def build_jax(rng):
    """Returns the parameters and the loss as a function of them and a batch: the same model in bare JAX."""
    import jax.numpy as jnp

    def loss(params, x, y):
        return jnp.mean(jnp.square(x @ params["w"] + params["b"] - y))

    return {"w": jnp.asarray(rng.rand(INPUTS, 1), jnp.float32), "b": jnp.zeros(1, jnp.float32)}, loss
