"""Learns to read handwritten digits, and does not mind being interrupted.

    python examples/digits.py

This is a TensorFlow 1 program; only its import line is new. Stop it with Ctrl-C, or kill it outright,
and start it again: it goes on from its last checkpoint. To watch the curves while it works:

    tensorboard --logdir runs/digits
"""

import argparse
import glob
import os
import signal
import sys

import numpy as np
from sklearn.datasets import load_digits

import monitored as tf


def parse_args():
    parser = argparse.ArgumentParser(description="Train a small convolutional network on handwritten digits.")
    parser.add_argument("--steps", type=int, default=2000, help="train up to this step (default: 2000)")
    parser.add_argument("--batch-size", type=int, default=64, help="images in each step (default: 64)")
    parser.add_argument("--checkpoint-dir", default="runs/digits", help="default: runs/digits")
    parser.add_argument("--fresh", action="store_true", help="forget what an earlier run learned")
    return parser.parse_args()


def load_data():
    """Returns images [n, 8, 8, 1] in [0, 1] and labels [n]: four fifths to train on, one held out."""
    digits = load_digits()
    order = np.random.RandomState(0).permutation(len(digits.target))
    images = digits.images[order, :, :, np.newaxis] / 16.0
    labels = digits.target[order]
    fifth = len(order) // 5
    return (images[fifth:], labels[fifth:]), (images[:fifth], labels[:fifth])


def conv_and_pool(x, filters, name):
    """3x3 convolution, relu and 2x2 max pooling: [n, h, w, c] to [n, h/2, w/2, filters]."""
    with tf.variable_scope(name):
        kernel = tf.get_variable("kernel", [3, 3, x.shape[-1], filters])
        bias = tf.get_variable("bias", [filters], initializer=tf.zeros_initializer())
        x = tf.nn.relu(tf.nn.conv2d(x, kernel, strides=[1, 1, 1, 1], padding="SAME") + bias)
        return tf.nn.max_pool(x, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding="SAME")


def network(images):
    """Two convolutions and a dense layer: [n, 8, 8, 1] to one logit for each digit, [n, 10]."""
    x = conv_and_pool(images, 32, "conv1")
    x = conv_and_pool(x, 64, "conv2")
    x = tf.reshape(x, [-1, 2 * 2 * 64])
    with tf.variable_scope("logits"):
        kernel = tf.get_variable("kernel", [2 * 2 * 64, 10])
        bias = tf.get_variable("bias", [10], initializer=tf.zeros_initializer())
        return tf.matmul(x, kernel) + bias


def main():
    args = parse_args()
    if args.fresh:
        for pattern in ("checkpoint", "model.ckpt-*", "graph.pbtxt", "events.out.tfevents.*"):
            for path in glob.glob(os.path.join(args.checkpoint_dir, pattern)):
                os.remove(path)
    (train_images, train_labels), (test_images, test_labels) = load_data()
    print(f"{len(train_labels)} digits to learn from, {len(test_labels)} held out", flush=True)

    # The graph
    tf.set_random_seed(0)
    images = tf.placeholder(tf.float32, [None, 8, 8, 1], name="images")
    labels = tf.placeholder(tf.int64, [None], name="labels")
    logits = network(images)
    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))
    accuracy = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(logits, axis=1), labels), tf.float32))
    global_step = tf.train.get_or_create_global_step()
    train_op = tf.train.AdamOptimizer(1e-3).minimize(loss, global_step=global_step)
    tf.summary.scalar("loss", loss)
    tf.summary.scalar("accuracy", accuracy)

    # What happens around the steps
    folder = args.checkpoint_dir
    stop = tf.train.StopOnSignalHook(exit_at_end=False)
    hooks = [
        stop,
        tf.train.StopAtStepHook(last_step=args.steps),
        tf.train.CheckpointSaverHook(folder, save_steps=200),
        tf.train.SummarySaverHook(save_steps=20, output_dir=folder, summary_op=tf.summary.merge_all()),
        tf.train.ProgressHook(args.steps, {"loss": loss, "accuracy": accuracy}, plain_every_n_secs=1),
    ]
    tf.logging.set_verbosity(tf.logging.INFO)
    found = tf.train.latest_checkpoint(folder)

    with tf.train.SingularMonitoredSession(hooks=hooks, checkpoint_dir=folder) as sess:
        step = sess.raw_session().run(global_step)
        if step >= args.steps:
            print(f"already trained for {step} steps; --fresh would start anew", flush=True)
        elif found:
            print(f"resumed at step {step} from the last checkpoint in {folder}", flush=True)
        while step < args.steps and not sess.should_stop():
            # Each step's batch depends on nothing but its number, so that a resumed run sees the same ones.
            rows = np.random.RandomState(step).randint(len(train_labels), size=args.batch_size)
            sess.run(train_op, feed_dict={images: train_images[rows], labels: train_labels[rows]})
            step += 1
        held_out = sess.raw_session().run(accuracy, {images: test_images, labels: test_labels})

    print(f"step {step}: {held_out:.1%} of the held-out digits read correctly")
    if stop.signum:
        how = "Ctrl-C" if stop.signum == signal.SIGINT else stop.signum.name
        print(f"stopped by {how} and saved in {folder}; the same command goes on from here")
        sys.exit(stop.exit_code)


if __name__ == "__main__":
    main()
