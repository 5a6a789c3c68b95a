"""784-512-512-10 perceptron with relu, batch 128: a few milliseconds of matrix products in each step."""

import numpy as np

BATCH, SIZES = 128, (784, 512, 512, 10)


def batches(rng):
    """Returns the batches that the steps go round, each with one array for each placeholder of `build`."""
    return [
        (rng.rand(BATCH, SIZES[0]).astype(np.float32), rng.randint(SIZES[-1], size=BATCH).astype(np.int32))
        for _ in range(8)
    ]


def build(tf):
    """Returns the placeholders and the loss, in TensorFlow 1's API."""
    images = tf.placeholder(tf.float32, [None, SIZES[0]])
    labels = tf.placeholder(tf.int32, [None])
    x = images
    for i in range(len(SIZES) - 1):
        w = tf.get_variable("w%d" % i, SIZES[i : i + 2])
        b = tf.get_variable("b%d" % i, SIZES[i + 1 : i + 2], initializer=tf.zeros_initializer())
        x = tf.matmul(x, w) + b
        if i < len(SIZES) - 2:
            x = tf.nn.relu(x)
    loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=x)
    return (images, labels), tf.reduce_mean(loss)


def build_jax(rng):
    """Returns the parameters and the loss as a function of them and a batch: the same model in bare JAX."""
    import jax
    import jax.numpy as jnp
    import optax

    def loss(params, x, labels):
        for i, (w, b) in enumerate(params):
            x = x @ w + b
            if i < len(params) - 1:
                x = jax.nn.relu(x)
        return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(x, labels))

    params = []
    for i in range(len(SIZES) - 1):
        fan_in, fan_out = SIZES[i : i + 2]
        limit = (6.0 / (fan_in + fan_out)) ** 0.5
        w = rng.uniform(-limit, limit, size=(fan_in, fan_out))
        params.append((jnp.asarray(w, jnp.float32), jnp.zeros(fan_out, jnp.float32)))
    return params, loss
