"""A Flax model and an Optax optimizer in a monitored session: initialized, restored, watched, saved."""

import sys

import flax.linen as nn
import jax
import numpy as np
import optax
from sklearn.datasets import load_digits

import monitored as tf


class Network(nn.Module):
    @nn.compact
    def __call__(self, images):
        hidden = nn.relu(nn.Conv(32, (3, 3))(images))
        return nn.Dense(10)(hidden.reshape(len(hidden), -1))


def loss(params, images, labels):
    return optax.softmax_cross_entropy_with_integer_labels(model.apply(params, images), labels).mean()


folder = sys.argv[2] if sys.argv[1:2] == ["--checkpoint-dir"] else "runs/flax_digits"
digits, model, random = load_digits(), Network(), np.random.RandomState(0)
pictures = np.float32(digits.images[..., None] / 16)
params = tf.variable_tree(model.init(jax.random.key(0), pictures[:1]))  # a variable for each array
images, labels = tf.placeholder(tf.float32, [None, 8, 8, 1]), tf.placeholder(tf.int32, [None])
error = tf.jax_function(loss, params, images, labels)  # any traceable function, as one operation of the graph
step = tf.train.get_or_create_global_step()
train_op = tf.train.OptaxOptimizer(optax.adamw(1e-3)).minimize(error, step)
hooks = [tf.train.StopAtStepHook(last_step=500), tf.train.CheckpointSaverHook(folder, save_steps=100)]
hooks += [tf.train.LoggingTensorHook({"step": step, "loss": error}, every_n_iter=100)]
tf.logging.set_verbosity(tf.logging.INFO)
with tf.train.SingularMonitoredSession(hooks, checkpoint_dir=folder) as session:
    while not session.should_stop():
        rows = random.randint(len(pictures), size=64)
        session.run(train_op, {images: pictures[rows], labels: digits.target[rows]})
