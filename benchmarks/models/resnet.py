"""3 residual blocks with batch norm on 32×32 images, 16 to 64 channels, batch 32: small or strided convolutions."""

import numpy as np

BATCH, SIDE, CHANNELS, CLASSES = 32, 32, (16, 32, 64), 10
DECAY, EPSILON = 0.99, 1e-3


def batches(rng):
    """Returns the batches that the steps go round, each with one array for each placeholder of `build`."""
    return [
        (rng.rand(BATCH, SIDE, SIDE, 3).astype(np.float32), rng.randint(CLASSES, size=BATCH).astype(np.int32))
        for _ in range(4)
    ]


def build(tf):
    """Returns the placeholders and the loss, in TensorFlow 1's API."""
    images = tf.placeholder(tf.float32, [None, SIDE, SIDE, 3])
    labels = tf.placeholder(tf.int32, [None])

    def convolved(x, name, channels, window=3, stride=1):
        """A convolution and its normalization, which keeps averages of the batches' moments."""
        w = tf.get_variable(name, [window, window, int(x.shape[-1]), channels])
        x = tf.nn.conv2d(x, w, [1, stride, stride, 1], "SAME")
        one, zero = tf.ones_initializer(), tf.zeros_initializer()
        scale = tf.get_variable(name + "_scale", [channels], initializer=one)
        offset = tf.get_variable(name + "_offset", [channels], initializer=zero)
        x, mean, variance = tf.nn.fused_batch_norm(x, scale, offset, epsilon=EPSILON)
        for moment, value, initializer in (("_mean", mean, zero), ("_variance", variance, one)):
            average = tf.get_variable(name + moment, [channels], initializer=initializer, trainable=False)
            update = tf.assign_sub(average, (average - value) * (1 - DECAY))
            tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, update)
        return x

    x = tf.nn.relu(convolved(images, "first", CHANNELS[0]))
    for i, channels in enumerate(CHANNELS):
        stride = 1 if i == 0 else 2
        shortcut = x if i == 0 else convolved(x, "short%d" % i, channels, 1, stride)
        y = tf.nn.relu(convolved(x, "a%d" % i, channels, 3, stride))
        x = tf.nn.relu(convolved(y, "b%d" % i, channels) + shortcut)
    w = tf.get_variable("w", [CHANNELS[-1], CLASSES])
    b = tf.get_variable("b", [CLASSES], initializer=tf.zeros_initializer())
    logits = tf.matmul(tf.reduce_mean(x, [1, 2]), w) + b
    loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    return (images, labels), tf.reduce_mean(loss)


def build_jax(rng):
    """Returns the parameters, the loss as a function of them, averages and a batch, and the averages.

    The loss comes with the new averages.
    """
    import jax
    import jax.numpy as jnp
    import optax

    params, averages = {}, {}

    def weights(*shape):
        limit = (6.0 / (np.prod(shape[:-2]) * (shape[-2] + shape[-1]))) ** 0.5
        return jnp.asarray(rng.uniform(-limit, limit, size=shape), jnp.float32)

    def add(name, inputs, channels, window=3):
        params[name] = (weights(window, window, inputs, channels), jnp.ones(channels), jnp.zeros(channels))
        averages[name] = (jnp.zeros(channels), jnp.ones(channels))

    add("first", 3, CHANNELS[0])
    for i, channels in enumerate(CHANNELS):
        inputs = CHANNELS[max(i - 1, 0)]
        if i:
            add("short%d" % i, inputs, channels, 1)
        add("a%d" % i, inputs, channels)
        add("b%d" % i, channels, channels)
    params["last"] = (weights(CHANNELS[-1], CLASSES), jnp.zeros(CLASSES))

    def loss(params, averages, x, labels):
        after = {}

        def convolved(x, name, stride=1):
            w, scale, offset = params[name]
            x = jax.lax.conv_general_dilated(x, w, (stride, stride), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
            mean, variance = jnp.mean(x, (0, 1, 2)), jnp.var(x, (0, 1, 2))
            after[name] = tuple(
                average * DECAY + value * (1 - DECAY)
                for average, value in zip(averages[name], (mean, variance), strict=True)
            )
            return (x - mean) * (jax.lax.rsqrt(variance + EPSILON) * scale) + offset

        x = jax.nn.relu(convolved(x, "first"))
        for i in range(len(CHANNELS)):
            stride = 1 if i == 0 else 2
            shortcut = x if i == 0 else convolved(x, "short%d" % i, stride)
            y = jax.nn.relu(convolved(x, "a%d" % i, stride))
            x = jax.nn.relu(convolved(y, "b%d" % i) + shortcut)
        w, b = params["last"]
        logits = jnp.mean(x, (1, 2)) @ w + b
        return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, labels)), after

    return params, loss, averages
