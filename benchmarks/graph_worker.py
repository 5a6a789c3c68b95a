"""One target that builds a large graph and trains one step with it, in a process of its own.

    python graph_worker.py TARGET

`graphs.py` starts it. It writes one line: the target's version, how many operations the graph has, and the seconds that
each of `PHASES` took. As TensorFlow 1.15 is one of the targets, this file is Python 3.7.
"""

import json
import os
import sys
import time

import numpy as np

from worker import load

LAYERS = 256
WIDTH = 32
PHASES = ("build", "initialize", "first run", "second run")


def build(tf):
    """Builds a deep network of many kinds of operations with its gradients, and returns what runs one step of it."""
    x = tf.placeholder(tf.float32, [None, WIDTH])
    labels = tf.placeholder(tf.int32, [None])
    activations = [tf.nn.relu, tf.tanh, tf.sigmoid, tf.nn.elu]
    h = x
    for i in range(LAYERS):
        with tf.variable_scope("layer%d" % i):
            weights = tf.get_variable("weights", [WIDTH, WIDTH])
            biases = tf.get_variable("biases", [WIDTH], initializer=tf.zeros_initializer())
            out = activations[i % 4](tf.matmul(h, weights) + biases)
            if i % 3 == 0:
                out = out * tf.rsqrt(tf.reduce_mean(tf.square(out), 1, keepdims=True) + 1e-5)
            if i % 5 == 0:
                out = tf.concat([out[:, : WIDTH // 2], tf.reshape(out, [-1, 2, WIDTH // 2])[:, 1]], 1)
            if i % 7 == 0:
                scores = tf.nn.softmax(tf.matmul(out, out, transpose_b=True) / WIDTH**0.5)
                out = tf.matmul(scores, out)
            if i % 11 == 0:
                out = tf.where(out > 0, tf.exp(-out), tf.minimum(out, 1.0))
            if i % 13 == 0:
                left, right = tf.split(out, 2, 1)
                out = tf.reshape(tf.stack([left, tf.abs(right)], 1), [-1, WIDTH])
            h = h + out / LAYERS
    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=h))
    train = tf.train.GradientDescentOptimizer(0.01).minimize(loss)
    rng = np.random.RandomState(0)
    return train, loss, {x: rng.rand(8, WIDTH).astype(np.float32), labels: rng.randint(WIDTH, size=8)}


def main():
    target = sys.argv[1]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not look like an answer
    tf, version = load(target)
    tf.logging.set_verbosity(tf.logging.ERROR)
    times = [time.perf_counter()]
    train, loss, feeds = build(tf)
    initialize = tf.global_variables_initializer()
    times.append(time.perf_counter())
    with tf.Session() as session:
        session.run(initialize)
        times.append(time.perf_counter())
        for _ in range(2):
            value, _ = session.run([loss, train], feeds)
            assert np.isfinite(value), value
            times.append(time.perf_counter())
    seconds = dict(zip(PHASES, np.diff(times).tolist()))
    count = len(tf.get_default_graph().get_operations())
    print(json.dumps({"version": version, "operations": count, "seconds": seconds}), file=answers, flush=True)


if __name__ == "__main__":
    main()
