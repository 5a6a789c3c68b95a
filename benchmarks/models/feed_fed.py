"""The linear model, fed with lists of Python numbers and scalars, which have to be made arrays: what feeding costs."""

import numpy as np

from models import linear


def batches(rng):
    """Returns the batches that the steps go round, each with one value for each placeholder of `build`."""
    return [(x[0].tolist(), y[0].tolist(), 0.5, 3) for x, y in linear.batches(rng)]


def build(tf):
    """Returns the placeholders and the loss, in TensorFlow 1's API."""
    x = tf.placeholder(tf.float32, [linear.INPUTS])
    y = tf.placeholder(tf.float32, [1])
    weight = tf.placeholder(tf.float32, [])
    power = tf.placeholder(tf.int32, [])
    loss = linear.loss(tf, tf.expand_dims(x, 0), tf.expand_dims(y, 0))
    return (x, y, weight, power), loss * weight * tf.cast(power, tf.float32)


def host_jax():
    """Returns what the host does with a batch before the step, in bare JAX."""

    def arrays(batch):
        x, y, weight, power = batch
        return np.array(x, np.float32), np.array(y, np.float32), np.float32(weight), np.int32(power)

    return arrays


def build_jax(rng):
    """Returns the parameters and the loss as a function of them and a batch: the same model in bare JAX."""
    params, loss = linear.build_jax(rng)
    return params, lambda params, x, y, weight, power: loss(params, x[None], y[None]) * weight * power
