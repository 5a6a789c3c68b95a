"""The linear model on batches that each step puts into a queue and takes out again: what queues cost."""

import queue

import numpy as np

from models import linear


def batches(rng):
    """Returns the batches that the steps go round: nothing is fed."""
    return [()]


def build(tf):
    """Returns the placeholders, of which there are none, and the loss, in TensorFlow 1's API."""
    batch = linear.batches(np.random.RandomState(0))[0]
    shapes = [[linear.BATCH, linear.INPUTS], [linear.BATCH, 1]]
    waiting = tf.FIFOQueue(8, [tf.float32, tf.float32], shapes)
    with tf.control_dependencies([waiting.enqueue([tf.constant(part) for part in batch])]):
        x, y = waiting.dequeue()
    return (), linear.loss(tf, x, y)


def host_jax():
    """Returns what the host does with a batch before the step, in bare JAX."""
    waiting = queue.Queue(8)
    batch = linear.batches(np.random.RandomState(0))[0]

    def turn(_):
        waiting.put(batch)
        return waiting.get()

    return turn


build_jax = linear.build_jax
