"""Trains a small model here and in a real TensorFlow, and has each restore what the other saved.

    python tests/oracle/check_saver_with_tf.py PYTHON_WITH_TENSORFLOW...

Interpreters may also be given by the environment variable MONITORED_TF_PYTHON, separated by colons. Checked for each:

    ours -> TensorFlow    variables and Adam's slots are equal, bit for bit; the steps that follow are equal too
    ours -> TensorFlow    `import_meta_graph` of our `.meta`, restored through our nodes, gives equal outputs
    TensorFlow -> ours    as the first

This file is both sides: the other interpreter runs it as `--other DIRECTORY` (down to Python 3.7).
"""

import json
import os
import subprocess
import sys
import tempfile

import numpy as np

STEPS = 3


def forward(tf):
    """A classifier of ten-element vectors; its outputs."""
    x = tf.placeholder(tf.float32, [None, 10], name="x")
    hidden = x
    for index, (inputs, units) in enumerate([(10, 16), (16, 16)]):
        with tf.variable_scope(f"layer_{index}"):
            weights = tf.get_variable("kernel", [inputs, units], initializer=tf.glorot_uniform_initializer(seed=index))
            bias = tf.get_variable("bias", [units], initializer=tf.zeros_initializer())
            hidden = tf.nn.relu(tf.matmul(hidden, weights) + bias)
    logits = tf.matmul(hidden, tf.get_variable("out", [16, 3], initializer=tf.glorot_uniform_initializer(seed=7)))
    return x, logits, tf.nn.softmax(logits, name="probabilities")


def train(tf, x, logits):
    """The operation of a training step, and the placeholder of the labels."""
    labels = tf.placeholder(tf.int32, [None], name="labels")
    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))
    step = tf.train.get_or_create_global_step()
    return labels, tf.train.AdamOptimizer(0.01).minimize(loss, step)


def batch(step):
    random = np.random.RandomState(step)
    return random.standard_normal((8, 10)).astype(np.float32), random.randint(0, 3, 8)


def steps(sess, operation, x, labels, first):
    for step in range(first, first + STEPS):
        rows, classes = batch(step)
        sess.run(operation, {x: rows, labels: classes})


def values_of(tf, sess):
    return {variable.op.name: sess.run(variable) for variable in tf.global_variables()}


def save(tf, directory, name):
    """Trains, saves, and writes down what was saved and what comes of training on."""
    with tf.Graph().as_default(), tf.Session() as sess:
        x, logits, _ = forward(tf)
        labels, operation = train(tf, x, logits)
        sess.run(tf.global_variables_initializer())
        steps(sess, operation, x, labels, 0)
        saver = tf.train.Saver()
        saver.save(sess, os.path.join(directory, name), tf.train.get_global_step())
        np.savez(os.path.join(directory, name + "-saved.npz"), **values_of(tf, sess))
        steps(sess, operation, x, labels, STEPS)
        np.savez(os.path.join(directory, name + "-later.npz"), **values_of(tf, sess))


def restore(tf, directory, name):
    """Restores what the other side saved, and trains on."""
    with tf.Graph().as_default(), tf.Session() as sess:
        x, logits, _ = forward(tf)
        labels, operation = train(tf, x, logits)
        path = tf.train.latest_checkpoint(os.path.join(directory))
        assert path.endswith(f"{name}-{STEPS}"), path
        tf.train.Saver().restore(sess, path)
        compare(values_of(tf, sess), os.path.join(directory, name + "-saved.npz"), exactly=True)
        steps(sess, operation, x, labels, STEPS)
        compare(values_of(tf, sess), os.path.join(directory, name + "-later.npz"), exactly=False)


def compare(got, file, exactly):
    with np.load(file) as want:
        assert sorted(got) == sorted(want.files), (sorted(got), sorted(want.files))
        for name in got:
            assert got[name].dtype == want[name].dtype, name
            if exactly:
                assert got[name].tobytes() == want[name].tobytes(), name
            else:
                np.testing.assert_allclose(got[name], want[name], rtol=2e-4, atol=2e-6, err_msg=name)


def save_forward(tf, directory):
    """Saves the forward part with its graph, and writes down its outputs."""
    with tf.Graph().as_default(), tf.Session() as sess:
        x, _, probabilities = forward(tf)
        noise = tf.random_uniform([2], seed=3, name="noise")
        sess.run(tf.global_variables_initializer())
        sess.run(noise)  # so that there is a stream, which TensorFlow must pass over
        tf.add_to_collection("outputs", probabilities)
        tf.train.Saver().save(sess, os.path.join(directory, "forward"))
        rows, _ = batch(0)
        np.save(os.path.join(directory, "probabilities.npy"), sess.run(probabilities, {x: rows}))


def import_forward(tf, directory):
    path = os.path.join(directory, "forward")
    with tf.Graph().as_default(), tf.Session() as sess:
        saver = tf.train.import_meta_graph(path + ".meta")
        saver.restore(sess, path)
        rows, _ = batch(0)
        (output,) = tf.get_collection("outputs")
        got = sess.run(output, {"x:0": rows})
        want = np.load(os.path.join(directory, "probabilities.npy"))
        assert len(tf.trainable_variables()) == 5
        again = saver.save(sess, os.path.join(directory, "again", "forward"), write_meta_graph=False)
        names = [name for name, _ in tf.train.list_variables(again)]
        assert names == sorted(variable.op.name for variable in tf.global_variables()), names
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-7)
    return float(np.abs(got - want).max())


def other_side(directory):
    import tensorflow

    tf = tensorflow.compat.v1
    if tensorflow.__version__.startswith("2"):
        tf.disable_eager_execution()
    restore(tf, os.path.join(directory, "ours"), "ours")
    difference = import_forward(tf, os.path.join(directory, "forward"))
    save(tf, os.path.join(directory, "theirs"), "theirs")
    print(json.dumps({"version": tensorflow.__version__, "difference": difference}))


def main(interpreters):
    import monitored as tf

    for interpreter in interpreters:
        with tempfile.TemporaryDirectory() as directory:
            for name in ("ours", "theirs", "forward"):
                os.mkdir(os.path.join(directory, name))
            save(tf, os.path.join(directory, "ours"), "ours")
            save_forward(tf, os.path.join(directory, "forward"))
            command = [interpreter, os.path.abspath(__file__), "--other", directory]
            environment = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3", PYTHONPATH="", PYTHONWARNINGS="ignore")
            done = subprocess.run(command, capture_output=True, text=True, env=environment)
            if done.returncode:
                sys.exit(done.stderr)
            told = json.loads(done.stdout.splitlines()[-1])
            restore(tf, os.path.join(directory, "theirs"), "theirs")
            print(
                f"TensorFlow {told['version']}: restores ours and goes on; imports our graph, outputs differ by "
                f"{told['difference']:.1e} at most; we restore its and go on"
            )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--other"]:
        other_side(sys.argv[2])
    else:
        given = sys.argv[1:] or os.environ.get("MONITORED_TF_PYTHON", "").split(":")
        if not given[0]:
            sys.exit(__doc__)
        main(given)
