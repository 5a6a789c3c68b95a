"""Builds a model with this project, trains and saves it, and has a real TensorFlow restore and run its forward part.

    python tests/oracle/check_tf_runs_ours.py PYTHON_WITH_TENSORFLOW

The interpreter may also be given by the environment variable MONITORED_TF_PYTHON. This file is both sides: the
other interpreter runs it as `--run DIRECTORY` (down to Python 3.7, with no more than TensorFlow and numpy).
"""

import os
import subprocess
import sys
import tempfile

import numpy as np

OUTPUTS = ["logits:0", "probabilities:0", "best:0", "chosen:0", "steps:0"]


def write(directory):
    """Trains a little, and leaves the checkpoint, the MetaGraph of the forward part, and what it gives."""
    import monitored as tf

    x = tf.placeholder(tf.float32, [None, 8, 8, 1], name="images")
    y = tf.placeholder(tf.int64, [None], name="labels")
    kernel = tf.get_variable("conv/kernel", [3, 3, 1, 4], initializer=tf.glorot_uniform_initializer(seed=1))
    h = tf.nn.relu(tf.nn.conv2d(x, kernel, strides=[1, 1, 1, 1], padding="SAME"))
    h = tf.nn.max_pool(h, [1, 2, 2, 1], [1, 2, 2, 1], "SAME")
    flat = tf.reshape(h, [tf.shape(h)[0], 64])
    w = tf.get_variable("dense/kernel", [64, 3], initializer=tf.glorot_uniform_initializer(seed=2))
    b = tf.get_variable("dense/bias", [3], initializer=tf.zeros_initializer())
    logits = tf.add(tf.matmul(flat, w), b, name="logits")
    tf.nn.softmax(logits, name="probabilities")
    tf.argmax(logits, 1, name="best")
    chosen = tf.cond(tf.reduce_sum(logits) > 0, lambda: logits * 2.0, lambda: tf.matmul(flat, w))
    tf.identity(chosen, name="chosen")
    steps = tf.while_loop(lambda i, v: tf.reduce_max(v) < 100.0, lambda i, v: (i + 1, v * 2.0), [0, tf.abs(logits)])
    tf.identity(steps[0], name="steps")
    loss = tf.losses.sparse_softmax_cross_entropy(y, logits)
    step = tf.train.get_or_create_global_step()
    train_op = tf.train.AdamOptimizer(0.01).minimize(loss, step)
    saver, init = tf.train.Saver(), tf.global_variables_initializer()
    images = np.random.RandomState(3).randn(6, 8, 8, 1).astype(np.float32)
    labels = np.array([0, 1, 2, 0, 1, 2])
    with tf.Session() as session:
        session.run(init)
        for _ in range(5):
            session.run(train_op, {x: images, y: labels})
        values = session.run(OUTPUTS, {x: images})
        saver.save(session, os.path.join(directory, "model"), write_meta_graph=False)
        graph_def = session.graph_def
    names = [output.partition(":")[0] for output in OUTPUTS] + [
        "save/control_dependency",
        "save/restore_all",
        init.name,
    ]
    names += [variable.value().op.name for variable in tf.global_variables()]  # what the collection names
    forward = tf.graph_util.extract_sub_graph(graph_def, names)
    tf.train.export_meta_graph(
        os.path.join(directory, "model.meta"),
        graph_def=forward,
        saver_def=saver.to_proto(),
        collection_list=["variables", "trainable_variables"],
    )
    np.savez(os.path.join(directory, "expected.npz"), images=images, **dict(zip(OUTPUTS, values, strict=True)))


def run(directory):
    """TensorFlow's side: imports, restores, runs, compares."""
    import tensorflow as tf

    tf1 = tf.compat.v1
    if hasattr(tf1, "disable_eager_execution"):
        tf1.disable_eager_execution()
    expected = np.load(os.path.join(directory, "expected.npz"))
    saver = tf1.train.import_meta_graph(os.path.join(directory, "model.meta"))
    assert [v.op.name for v in tf1.trainable_variables()] == ["conv/kernel", "dense/kernel", "dense/bias"]
    with tf1.Session() as session:
        saver.restore(session, os.path.join(directory, "model"))
        assert session.run("global_step:0") == 5
        for name, value in zip(OUTPUTS, session.run(OUTPUTS, {"images:0": expected["images"]})):  # noqa: B905
            np.testing.assert_allclose(value, expected[name], rtol=1e-5, atol=1e-6, err_msg=name)
            assert value.dtype == expected[name].dtype, name
        saver.save(session, os.path.join(directory, "again"))


def main(python):
    with tempfile.TemporaryDirectory() as directory:
        write(directory)
        subprocess.run([python, __file__, "--run", directory], check=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        run(sys.argv[2])
    else:
        main(sys.argv[1] if len(sys.argv) > 1 else os.environ["MONITORED_TF_PYTHON"])
