"""Skip-gram: 50,000 words in 128 dimensions, 64 sampled classes, batch 128, Adagrad: a step touches few of the rows."""

import numpy as np

BATCH, WORDS, WIDTH, SAMPLED = 128, 50000, 128, 64
LEARNING_RATE, START = 0.1, 0.1  # of Adagrad, and of its accumulators


def batches(rng):
    """Returns the batches that the steps go round, each with one array for each placeholder of `build`."""
    return [
        (rng.randint(WORDS, size=BATCH).astype(np.int64), rng.randint(WORDS, size=(BATCH, 1)).astype(np.int64))
        for _ in range(8)
    ]


def build(tf):
    """Returns the placeholders and the loss, in TensorFlow 1's API."""
    centers = tf.placeholder(tf.int64, [None])
    contexts = tf.placeholder(tf.int64, [None, 1])
    table = tf.get_variable("table", [WORDS, WIDTH], initializer=tf.random_uniform_initializer(-1.0, 1.0))
    weights = tf.get_variable("weights", [WORDS, WIDTH], initializer=tf.truncated_normal_initializer(stddev=0.1))
    biases = tf.get_variable("biases", [WORDS], initializer=tf.zeros_initializer())
    rows = tf.nn.embedding_lookup(table, centers)
    return (centers, contexts), tf.reduce_mean(
        tf.nn.sampled_softmax_loss(weights, biases, contexts, rows, SAMPLED, WORDS)
    )


def optimizer(tf):
    """Returns the optimizer."""
    return tf.train.AdagradOptimizer(LEARNING_RATE, initial_accumulator_value=START)


def step_jax(rng):
    """Returns the state and `step(state, *batch)`: the same model in bare JAX, which reads and writes rows only.

    Samples may occur twice here, which is simpler; the sums over equal rows are XLA's own.
    """
    import jax
    import jax.numpy as jnp

    scale = np.log(WORDS + 1)

    def sample(key):
        u = jax.random.uniform(key, (SAMPLED,))
        return jnp.minimum(jnp.exp(u * scale).astype(jnp.int32) - 1, WORDS - 1)

    def expected_log(classes):
        return jnp.log(SAMPLED * jnp.log1p(1 / (classes + 1.0)) / scale)

    def loss(rows, weights, biases, contexts, sampled):
        true = jnp.sum(rows * weights[:BATCH], 1) + biases[:BATCH] - expected_log(contexts)
        others = rows @ weights[BATCH:].T + biases[BATCH:] - expected_log(sampled)
        others = jnp.where(contexts[:, None] == sampled, -jnp.inf, others)
        logits = jnp.concatenate([true[:, None], others], 1)
        return jnp.mean(jax.nn.logsumexp(logits, 1) - true)

    def adagrad(pair, ids, gradient):
        values, squares = pair
        order = jnp.argsort(ids)
        ordered = ids[order]
        group = jnp.cumsum(jnp.concatenate([jnp.zeros(1, bool), ordered[1:] != ordered[:-1]]))
        gradient = jax.ops.segment_sum(gradient[order], group, len(ids))
        ids = jnp.full(len(ids), WORDS).at[group].set(ordered)
        rows = squares.at[ids].get(mode="clip") + jnp.square(gradient)
        squares = squares.at[ids].set(rows, mode="drop")
        return values.at[ids].add(-LEARNING_RATE * gradient * jax.lax.rsqrt(rows), mode="drop"), squares

    def step(state, centers, contexts):
        tables, key = state
        key, now = jax.random.split(key)
        contexts = contexts[:, 0]
        sampled = sample(now)
        ids = jnp.concatenate([contexts, sampled])
        parts = tables[0][0][centers], tables[1][0][ids], tables[2][0][ids]
        gradients = jax.grad(loss, (0, 1, 2))(*parts, contexts, sampled)
        return [adagrad(*all) for all in zip(tables, (centers, ids, ids), gradients, strict=True)], key

    def new(*shape):
        return jnp.asarray(rng.uniform(-0.1, 0.1, size=shape), jnp.float32), jnp.full(shape, START)

    state = [new(WORDS, WIDTH), new(WORDS, WIDTH), new(WORDS)], jax.random.key(0)
    return state, jax.jit(step, donate_argnums=0)
