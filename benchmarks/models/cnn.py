"""LeNet-like network on 28×28 images, 32 and 64 channels with max pools, batch 64: convolutions and their gradients."""

import numpy as np

BATCH, SIDE, CHANNELS, HIDDEN, CLASSES = 64, 28, (1, 32, 64), 512, 10
FLAT = (SIDE // 4) ** 2 * CHANNELS[-1]


def batches(rng):
    """Returns the batches that the steps go round, each with one array for each placeholder of `build`."""
    return [
        (
            rng.rand(BATCH, SIDE, SIDE, CHANNELS[0]).astype(np.float32),
            rng.randint(CLASSES, size=BATCH).astype(np.int32),
        )
        for _ in range(8)
    ]


def build(tf):
    """Returns the placeholders and the loss, in TensorFlow 1's API."""
    images = tf.placeholder(tf.float32, [None, SIDE, SIDE, CHANNELS[0]])
    labels = tf.placeholder(tf.int32, [None])
    x = images
    for i in range(2):
        w = tf.get_variable("conv%d" % i, [5, 5, CHANNELS[i], CHANNELS[i + 1]])
        b = tf.get_variable("conv_b%d" % i, [CHANNELS[i + 1]], initializer=tf.zeros_initializer())
        x = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, w, [1, 1, 1, 1], "SAME"), b))
        x = tf.nn.max_pool(x, [1, 2, 2, 1], [1, 2, 2, 1], "SAME")
    x = tf.reshape(x, [-1, FLAT])
    for i, (inputs, outputs) in enumerate([(FLAT, HIDDEN), (HIDDEN, CLASSES)]):
        w = tf.get_variable("w%d" % i, [inputs, outputs])
        b = tf.get_variable("b%d" % i, [outputs], initializer=tf.zeros_initializer())
        x = tf.matmul(x if i == 0 else tf.nn.relu(x), w) + b
    loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=x)
    return (images, labels), tf.reduce_mean(loss)


def build_jax(rng):
    """Returns the parameters and the loss as a function of them and a batch: the same model in bare JAX.

    The pool is a reshape and a maximum, since the gradient of `lax.reduce_window` takes most of the step on a CPU.
    """
    import jax
    import jax.numpy as jnp
    import optax

    def weights(*shape):
        limit = (6.0 / (np.prod(shape[:-2]) * (shape[-2] + shape[-1]))) ** 0.5
        return jnp.asarray(rng.uniform(-limit, limit, size=shape), jnp.float32)

    def loss(params, x, labels):
        for w, b in params["conv"]:
            x = jax.lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
            x = jax.nn.relu(x + b)
            n, h, v, c = x.shape
            x = x.reshape(n, h // 2, 2, v // 2, 2, c).max((2, 4))
        x = x.reshape(-1, FLAT)
        for i, (w, b) in enumerate(params["dense"]):
            x = (x if i == 0 else jax.nn.relu(x)) @ w + b
        return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(x, labels))

    conv = [(weights(5, 5, *CHANNELS[i : i + 2]), jnp.zeros(CHANNELS[i + 1])) for i in range(2)]
    dense = [(weights(*sizes), jnp.zeros(sizes[1])) for sizes in [(FLAT, HIDDEN), (HIDDEN, CLASSES)]]
    return {"conv": conv, "dense": dense}, loss
