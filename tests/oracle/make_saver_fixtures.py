"""Writes ``tests/fixtures/saver/``: what TensorFlow 1.15 gives for each saver program, and a checkpoint of its own.

Run it where TensorFlow 1.15 is installed:  python tests/oracle/make_saver_fixtures.py
"""

import json
import os
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from oracle import fixture_file, saver_programs


def write_checkpoint(tf, directory):
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
    tf = fixture_file.tensorflow_115()
    found = {}
    for name in saver_programs.PROGRAMS:
        with tempfile.TemporaryDirectory() as directory:
            found[name] = saver_programs.run(tf, name, directory)
    fixture_file.write("fixtures/saver/programs.json", found)
    write_checkpoint(tf, os.path.join(fixture_file.TESTS, "fixtures", "saver"))


if __name__ == "__main__":
    main()
