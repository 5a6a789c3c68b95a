"""Writes ``tests/fixtures/saver/``: what TensorFlow 1.15 gives for each saver program, and a checkpoint of its own.

Run it where TensorFlow 1.15 is installed:  python tests/oracle/make_saver_fixtures.py
"""

import json
import os
import sys
import tempfile
import warnings

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
warnings.simplefilter("ignore")
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import tensorflow as tf  # noqa: E402

from oracle import saver_programs  # noqa: E402


def write_checkpoint(directory):
    """A model after three steps of Adam, and what its variables are."""
    with tf.Graph().as_default():
        tf.set_random_seed(1)
        x = tf.placeholder(tf.float32, [None, 4], name="x")
        hidden = tf.layers.dense(x, 3, tf.nn.relu, name="hidden")
        loss = tf.reduce_mean(tf.square(tf.layers.dense(hidden, 1, name="out") - 1.0))
        step = tf.train.get_or_create_global_step()
        train = tf.train.AdamOptimizer(0.01).minimize(loss, step)
        saver = tf.train.Saver(save_relative_paths=True)
        with tf.Session() as sess:
            sess.run(tf.global_variables_initializer())
            for _ in range(3):
                sess.run(train, {x: [[1.0, 2.0, 3.0, 4.0]]})
            saver.save(sess, os.path.join(directory, "model.ckpt"), step, write_meta_graph=False)
            values = sess.run({variable.op.name: variable for variable in tf.global_variables()})
    with open(os.path.join(directory, "values.json"), "w") as file:
        json.dump({name: value.tolist() for name, value in values.items()}, file, sort_keys=True)


def main():
    assert tf.__version__.startswith("1.15"), tf.__version__
    tf.compat.v1.logging.set_verbosity("FATAL")
    target = os.path.join(os.path.dirname(HERE), "fixtures", "saver")
    if not os.path.isdir(target):
        os.makedirs(target)
    found = {}
    for name in saver_programs.PROGRAMS:
        with tempfile.TemporaryDirectory() as directory:
            found[name] = saver_programs.run(tf, name, directory)
    with open(os.path.join(target, "programs.json"), "w") as file:
        lines = [f"{json.dumps(k)}: {json.dumps(v, sort_keys=True)}" for k, v in sorted(found.items())]
        file.write("{\n" + ",\n".join(lines) + "\n}\n")
    write_checkpoint(target)
    print(f"{len(found)} programs", sorted(os.listdir(target)))


if __name__ == "__main__":
    main()
