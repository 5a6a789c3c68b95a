"""A training that is started again: restores its newest checkpoint, takes a step, says so, and waits to be killed.

    python restart_worker.py TARGET FOLDER

The network is that of examples/digits.py. As TensorFlow 1.15 is one of the targets, this file is Python 3.7.
"""

import os
import sys

import numpy as np

from worker import load


def main():
    target, folder = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not look like an answer
    tf, _ = load(target)
    tf.logging.set_verbosity(tf.logging.ERROR)
    images, labels = tf.placeholder(tf.float32, [None, 8, 8, 1]), tf.placeholder(tf.int64, [None])
    x = images
    for i, shape in enumerate([[3, 3, 1, 32], [3, 3, 32, 64]]):
        x = tf.nn.conv2d(x, tf.get_variable("kernel%d" % i, shape), strides=[1, 1, 1, 1], padding="SAME")
        x = tf.nn.relu(x + tf.get_variable("bias%d" % i, shape[-1:], initializer=tf.zeros_initializer()))
        x = tf.nn.max_pool(x, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding="SAME")
    logits = tf.matmul(tf.reshape(x, [-1, 256]), tf.get_variable("kernel", [256, 10]))
    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))
    step = tf.train.get_or_create_global_step()
    train = tf.train.AdamOptimizer(1e-3).minimize(loss, step)
    hook = tf.train.CheckpointSaverHook(folder, save_steps=10)
    feeds = {images: np.zeros([32, 8, 8, 1], np.float32), labels: np.zeros([32], np.int64)}
    with tf.train.SingularMonitoredSession([hook], checkpoint_dir=folder) as session:
        session.run(train, feeds)
        print("step", file=answers, flush=True)
        while True:
            session.run(train, feeds)


if __name__ == "__main__":
    main()
