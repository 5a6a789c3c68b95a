"""The linear model on batches from a Python function within the step: what a step on the host costs."""

import itertools

import numpy as np

from models import linear


def batches(rng):
    """Returns the batches that the steps go round: nothing is fed."""
    return [()]


def load():
    """Returns a function that gives the linear model's batches in turns."""
    turns = itertools.cycle(linear.batches(np.random.RandomState(0)))
    return lambda: next(turns)


def build(tf):
    """Returns the placeholders, of which there are none, and the loss, in TensorFlow 1's API."""
    x, y = tf.py_func(load(), [], [tf.float32, tf.float32])
    x.set_shape([linear.BATCH, linear.INPUTS])
    y.set_shape([linear.BATCH, 1])
    return (), linear.loss(tf, x, y)


def host_jax():
    """Returns what the host does with a batch before the step, in bare JAX."""
    load_next = load()
    return lambda batch: load_next()


build_jax = linear.build_jax
