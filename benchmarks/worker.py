"""One target, way and model in a process of its own, which trains as many steps as it is told to.

    python worker.py TARGET WAY MODEL

`run.py` starts it. WAY is "session", the number of hooks of a monitored session, or "steps" or "feeds" for its
`run_steps`. It trains one step and writes the target's version; then, for each number read, it trains that many steps
and writes the seconds they took, and for "peak"
it writes the most memory that it has held, in bytes. The targets differ in the module that they import, and in nothing
else. As TensorFlow 1.15 is one of them, this file and the models are Python 3.7.

A model is a module with

    batches(rng)      the batches that the steps go round, each with a value for each placeholder
    build(tf)         the placeholders and the loss, in TensorFlow 1's API
    build_jax(rng)    the parameters and the loss, a function of them and a batch, in bare JAX; where the loss takes and
                      gives something else beside the parameters, that too
    optimizer(tf)     the optimizer, if it is not Adam; then also
    step_jax(rng)     the state and the step in bare JAX, in place of `build_jax`
    host_jax()        what the host does with a batch before each step in bare JAX, if anything
"""

import contextlib
import importlib
import itertools
import os
import resource
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
        hooks = [kinds[i % len(kinds)]() for i in range(4 if way in ("steps", "feeds") else int(way))]
        with tf.train.SingularMonitoredSession(hooks=hooks) as session:
            yield session.run, session.raw_session()


@contextlib.contextmanager
def train_graph(target, way, model):
    """Yields `train(steps)` for a target that speaks TensorFlow 1's API, and the target's version."""
    tf, version = load(target)
    tf.logging.set_verbosity(tf.logging.ERROR)
    placeholders, loss = model.build(tf)
    optimizer = model.optimizer(tf) if hasattr(model, "optimizer") else tf.train.AdamOptimizer(LEARNING_RATE)
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        train_op = optimizer.minimize(loss, global_step=tf.train.get_or_create_global_step())
    updated_last = tf.trainable_variables()[-1]
    feeds = itertools.cycle([dict(zip(placeholders, batch)) for batch in model.batches(np.random.RandomState(0))])

    # In `run_steps` the steps are one call: with the same feeds in each, or with feeds of its own for each.
    at_once = {"steps": lambda n: {"feed_dict": next(feeds)}, "feeds": lambda n: {"feeds": itertools.islice(feeds, n)}}

    with open_session(tf, way, loss) as (run, raw):

        def train(steps):
            if way in at_once:
                run.__self__.run_steps(train_op, steps, **at_once[way](steps))
            else:
                for _ in range(steps):
                    run(train_op, feed_dict=next(feeds))
            raw.run(updated_last)  # a step that fetches nothing may still be at work when `run` returns

        yield train, version


@contextlib.contextmanager
def train_jax(model):
    """Yields `train(steps)` for the step that a JAX user would write by hand, and JAX's version."""
    import jax

    rng = np.random.RandomState(0)
    state, step = model.step_jax(rng) if hasattr(model, "step_jax") else adam_step(*model.build_jax(rng))
    batches = itertools.cycle(model.batches(rng))
    arrange = model.host_jax() if hasattr(model, "host_jax") else None

    def train(steps):
        nonlocal state
        for _ in range(steps):
            batch = next(batches)
            state = step(state, *(batch if arrange is None else arrange(batch)))
        jax.block_until_ready(state)

    yield train, jax.__version__


def adam_step(params, loss, aux=None):
    """Returns the state, and the step as a function of it and a batch, for a loss that Adam makes smaller."""
    import jax
    import optax

    optimizer = optax.adam(LEARNING_RATE)

    def step(state, *batch):
        params, opt_state, aux = state
        if aux is None:
            gradients = jax.grad(loss)(params, *batch)
        else:
            gradients, aux = jax.grad(loss, has_aux=True)(params, aux, *batch)
        updates, opt_state = optimizer.update(gradients, opt_state)
        return optax.apply_updates(params, updates), opt_state, aux

    return (params, optimizer.init(params), aux), jax.jit(step, donate_argnums=0)


def peak_memory():
    """Returns the most memory that the process has held, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def main():
    target, way, model_name = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not look like an answer
    model = importlib.import_module("models." + model_name)
    with train_jax(model) if target == "jax" else train_graph(target, way, model) as (train, version):
        train(1)
        print(version, file=answers, flush=True)
        for line in sys.stdin:
            if line.strip() == "peak":
                print(peak_memory(), file=answers, flush=True)
                continue
            start = time.perf_counter()
            train(int(line))
            print(time.perf_counter() - start, file=answers, flush=True)


if __name__ == "__main__":
    main()
