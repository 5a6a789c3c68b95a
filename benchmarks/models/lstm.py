"""LSTM of 128 units over 50 steps of 128 inputs, batch 32: a loop, forward and back."""

import numpy as np

BATCH, STEPS, INPUTS, UNITS, CLASSES = 32, 50, 128, 128, 10


def batches(rng):
    """Returns the batches that the steps go round, each with one array for each placeholder of `build`."""
    return [
        (rng.rand(BATCH, STEPS, INPUTS).astype(np.float32), rng.randint(CLASSES, size=BATCH).astype(np.int32))
        for _ in range(8)
    ]


def build(tf):
    """Returns the placeholders and the loss, in TensorFlow 1's API."""
    sequences = tf.placeholder(tf.float32, [None, STEPS, INPUTS])
    labels = tf.placeholder(tf.int32, [None])
    cell = lstm_cell(tf)
    outputs, _ = tf.nn.dynamic_rnn(cell, sequences, dtype=tf.float32)
    w = tf.get_variable("w", [UNITS, CLASSES])
    b = tf.get_variable("b", [CLASSES], initializer=tf.zeros_initializer())
    logits = tf.matmul(outputs[:, -1], w) + b
    loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    return (sequences, labels), tf.reduce_mean(loss)


def lstm_cell(tf):
    """Returns an LSTM's cell as TensorFlow 1's tutorials wrote it; TensorFlow 2.21 has no cells any more."""

    class Cell:
        state_size, output_size = (UNITS, UNITS), UNITS

        def __init__(self):
            self._kernel = tf.get_variable("kernel", [INPUTS + UNITS, 4 * UNITS])
            self._bias = tf.get_variable("bias", [4 * UNITS], initializer=tf.zeros_initializer())

        def zero_state(self, batch_size, dtype):
            return tf.zeros([batch_size, UNITS], dtype), tf.zeros([batch_size, UNITS], dtype)

        def __call__(self, inputs, state, scope=None):
            c, h = state
            gates = tf.matmul(tf.concat([inputs, h], 1), self._kernel) + self._bias
            i, j, f, o = tf.split(gates, 4, 1)
            c = c * tf.sigmoid(f + 1.0) + tf.sigmoid(i) * tf.tanh(j)
            h = tf.tanh(c) * tf.sigmoid(o)
            return h, (c, h)

    return Cell()


def build_jax(rng):
    """Returns the parameters and the loss as a function of them and a batch: the same model in bare JAX.

    What the gates take from the inputs is computed for all steps at once, before the loop.
    """
    import jax
    import jax.numpy as jnp
    import optax

    def weights(inputs, outputs):
        limit = (6.0 / (inputs + outputs)) ** 0.5
        return jnp.asarray(rng.uniform(-limit, limit, size=(inputs, outputs)), jnp.float32)

    def loss(params, x, labels):
        kernel, bias = params["cell"]
        given = jnp.swapaxes(x, 0, 1) @ kernel[:INPUTS] + bias

        def step(state, given):
            c, h = state
            i, j, f, o = jnp.split(given + h @ kernel[INPUTS:], 4, axis=1)
            c = c * jax.nn.sigmoid(f + 1.0) + jax.nn.sigmoid(i) * jnp.tanh(j)
            h = jnp.tanh(c) * jax.nn.sigmoid(o)
            return (c, h), None

        zeros = jnp.zeros((x.shape[0], UNITS))
        (_, h), _ = jax.lax.scan(step, (zeros, zeros), given)
        w, b = params["last"]
        return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(h @ w + b, labels))

    cell = (weights(INPUTS + UNITS, 4 * UNITS), jnp.zeros(4 * UNITS))
    return {"cell": cell, "last": (weights(UNITS, CLASSES), jnp.zeros(CLASSES))}, loss
