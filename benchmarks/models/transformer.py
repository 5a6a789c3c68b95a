"""Transformer encoder of 2 layers on 64 tokens, 128 wide, 4 heads, batch 16: attention and layer norm."""

import numpy as np

BATCH, TOKENS, WIDTH, HEADS, HIDDEN, LAYERS, WORDS, CLASSES = 16, 64, 128, 4, 512, 2, 1000, 10
EPSILON = 1e-6


def batches(rng):
    """Returns the batches that the steps go round, each with one array for each placeholder of `build`."""
    return [
        (rng.randint(WORDS, size=(BATCH, TOKENS)).astype(np.int32), rng.randint(CLASSES, size=BATCH).astype(np.int32))
        for _ in range(8)
    ]


def build(tf):
    """Returns the placeholders and the loss, in TensorFlow 1's API."""
    tokens = tf.placeholder(tf.int32, [None, TOKENS])
    labels = tf.placeholder(tf.int32, [None])

    def dense(x, name, outputs):
        w = tf.get_variable(name + "_w", [int(x.shape[-1]), outputs])
        b = tf.get_variable(name + "_b", [outputs], initializer=tf.zeros_initializer())
        return tf.matmul(x, w) + b

    def normalized(x, name):
        scale = tf.get_variable(name + "_scale", [WIDTH], initializer=tf.ones_initializer())
        offset = tf.get_variable(name + "_offset", [WIDTH], initializer=tf.zeros_initializer())
        mean, variance = tf.nn.moments(x, [1], keep_dims=True)
        return (x - mean) * tf.rsqrt(variance + EPSILON) * scale + offset

    def heads(x):
        return tf.transpose(tf.reshape(x, [-1, TOKENS, HEADS, WIDTH // HEADS]), [0, 2, 1, 3])

    table = tf.get_variable("table", [WORDS, WIDTH])
    places = tf.get_variable("places", [TOKENS, WIDTH])
    x = tf.reshape(tf.nn.embedding_lookup(table, tokens) + places, [-1, WIDTH])
    for i in range(LAYERS):
        y = normalized(x, "norm_a%d" % i)
        q, k, v = (heads(dense(y, "%s%d" % (name, i), WIDTH)) for name in "qkv")
        weights = tf.nn.softmax(tf.matmul(q, k, transpose_b=True) * (WIDTH // HEADS) ** -0.5)
        y = tf.reshape(tf.transpose(tf.matmul(weights, v), [0, 2, 1, 3]), [-1, WIDTH])
        x = x + dense(y, "o%d" % i, WIDTH)
        y = tf.nn.relu(dense(normalized(x, "norm_b%d" % i), "up%d" % i, HIDDEN))
        x = x + dense(y, "down%d" % i, WIDTH)
    x = tf.reduce_mean(tf.reshape(normalized(x, "norm"), [-1, TOKENS, WIDTH]), 1)
    loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=dense(x, "last", CLASSES))
    return (tokens, labels), tf.reduce_mean(loss)


def build_jax(rng):
    """Returns the parameters and the loss as a function of them and a batch: the same model in bare JAX."""
    import jax
    import jax.numpy as jnp
    import optax

    def weights(*shape):
        limit = (6.0 / sum(shape)) ** 0.5
        return jnp.asarray(rng.uniform(-limit, limit, size=shape), jnp.float32)

    def dense(x, layer):
        return x @ layer[0] + layer[1]

    def normalized(x, layer):
        mean, variance = jnp.mean(x, -1, keepdims=True), jnp.var(x, -1, keepdims=True)
        return (x - mean) * jax.lax.rsqrt(variance + EPSILON) * layer[0] + layer[1]

    def loss(params, tokens, labels):
        x = params["table"][tokens] + params["places"]
        for layer in params["layers"]:
            y = normalized(x, layer["norm_a"])
            q, k, v = (dense(y, layer[name]).reshape(-1, TOKENS, HEADS, WIDTH // HEADS) for name in "qkv")
            scores = jnp.einsum("bqhd,bkhd->bhqk", q, k) * (WIDTH // HEADS) ** -0.5
            y = jnp.einsum("bhqk,bkhd->bqhd", jax.nn.softmax(scores), v).reshape(-1, TOKENS, WIDTH)
            x = x + dense(y, layer["o"])
            x = x + dense(jax.nn.relu(dense(normalized(x, layer["norm_b"]), layer["up"])), layer["down"])
        x = jnp.mean(normalized(x, params["norm"]), 1)
        return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(dense(x, params["last"]), labels))

    def new_dense(inputs, outputs):
        return weights(inputs, outputs), jnp.zeros(outputs)

    def new_norm():
        return jnp.ones(WIDTH), jnp.zeros(WIDTH)

    layers = [
        {
            **{name: new_dense(WIDTH, WIDTH) for name in "qkvo"},
            "up": new_dense(WIDTH, HIDDEN),
            "down": new_dense(HIDDEN, WIDTH),
            "norm_a": new_norm(),
            "norm_b": new_norm(),
        }
        for _ in range(LAYERS)
    ]
    params = {"table": weights(WORDS, WIDTH), "places": weights(TOKENS, WIDTH), "layers": layers}
    return {**params, "norm": new_norm(), "last": new_dense(WIDTH, CLASSES)}, loss
