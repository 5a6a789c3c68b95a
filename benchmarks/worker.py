"""One target, way and model in a process of its own, which trains as many steps as it is told to.

    python worker.py TARGET WAY MODEL

`run.py` starts it. WAY is "session", or the number of hooks of a monitored session. It trains one step and writes the
target's version; then, for each number read, it trains that many steps and writes the seconds they took. The targets
differ in the module that they import, and in nothing else. As TensorFlow 1.15 is one of them, this file and the models
are Python 3.7.
"""

import contextlib
import importlib
import itertools
import os
import sys
import tempfile
import time

import numpy as np

LEARNING_RATE = 1e-3
NEVER = 10**9


def load(target):
    """Returns the module that stands for TensorFlow 1's API, and its version."""
    if target == "monitored":
        from importlib import metadata

        import monitored

        return monitored, metadata.version("monitored")
    if target == "tf1":
        import tensorflow as tf

        return tf, tf.__version__
    import tensorflow.compat.v1 as tf

    tf.disable_v2_behavior()
    return tf, tf.version.VERSION


@contextlib.contextmanager
def open_session(tf, way, loss):
    """Opens what the steps run in, and yields its `run` and the raw session."""
    if way == "session":
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            yield session.run, session
        return
    with tempfile.TemporaryDirectory() as folder:
        # Hooks that look at every step and have nothing to do in any of them, as in most steps.
        kinds = [
            lambda: tf.train.StopAtStepHook(last_step=NEVER),
            lambda: tf.train.LoggingTensorHook({"loss": loss}, every_n_iter=NEVER),
            lambda: tf.train.CheckpointSaverHook(folder, save_steps=NEVER),
            lambda: tf.train.StepCounterHook(every_n_steps=NEVER, output_dir=folder),
        ]
        hooks = [kinds[i % len(kinds)]() for i in range(int(way))]
        with tf.train.SingularMonitoredSession(hooks=hooks) as session:
            yield session.run, session.raw_session()


@contextlib.contextmanager
def train_graph(target, way, model):
    """Yields `train(steps)` for a target that speaks TensorFlow 1's API, and the target's version."""
    tf, version = load(target)
    tf.logging.set_verbosity(tf.logging.ERROR)
    placeholders, loss = model.build(tf)
    optimizer = tf.train.AdamOptimizer(LEARNING_RATE)
    train_op = optimizer.minimize(loss, global_step=tf.train.get_or_create_global_step())
    updated_last = tf.trainable_variables()[-1]
    feeds = itertools.cycle([dict(zip(placeholders, batch)) for batch in model.batches(np.random.RandomState(0))])

    with open_session(tf, way, loss) as (run, raw):

        def train(steps):
            for _ in range(steps):
                run(train_op, feed_dict=next(feeds))
            raw.run(updated_last)  # a step that fetches nothing may still be at work when `run` returns

        yield train, version


@contextlib.contextmanager
def train_jax(model):
    """Yields `train(steps)` for the step that a JAX user would write by hand, and JAX's version."""
    import jax
    import optax

    rng = np.random.RandomState(0)
    params, loss = model.build_jax(rng)
    optimizer = optax.adam(LEARNING_RATE)

    def step(params, opt_state, *batch):
        updates, opt_state = optimizer.update(jax.grad(loss)(params, *batch), opt_state)
        return optax.apply_updates(params, updates), opt_state

    step = jax.jit(step, donate_argnums=(0, 1))
    batches = itertools.cycle(model.batches(rng))
    state = (params, optimizer.init(params))

    def train(steps):
        nonlocal state
        for _ in range(steps):
            state = step(*state, *next(batches))
        jax.block_until_ready(state)

    yield train, jax.__version__


def main():
    target, way, model_name = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not look like an answer
    model = importlib.import_module("models." + model_name)
    with train_jax(model) if target == "jax" else train_graph(target, way, model) as (train, version):
        train(1)
        print(version, file=answers, flush=True)
        for line in sys.stdin:
            start = time.perf_counter()
            train(int(line))
            print(time.perf_counter() - start, file=answers, flush=True)


if __name__ == "__main__":
    main()
