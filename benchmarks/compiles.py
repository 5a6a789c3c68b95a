"""Counts what XLA compiles in a run of 2,000 steps with logging, summaries, checkpoints and a last batch of odd size.

    python benchmarks/compiles.py

What is printed is markdown, for docs/performance.md: how often each program was compiled, by the name of its last
operation. The training step is the one named after the optimizer.
"""

import collections
import logging
import re
import sys
import tempfile

import jax
import numpy as np

import monitored as tf
from models import mlp

STEPS, EVERY = 2000, 100


class _Compiled(logging.Handler):
    """Counts the programs that JAX says it has compiled."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: collections.Counter[str] = collections.Counter()

    def emit(self, record: logging.LogRecord) -> None:
        found = re.match(r"Finished XLA compilation of (?:jit\()?([^\s)]+)", record.getMessage())
        if found:
            self.counts[found.group(1).removeprefix("segment_")] += 1


def main() -> int:
    compiled = _Compiled()
    for name in ("jax._src.dispatch", "jax._src.interpreters.pxla"):
        logging.getLogger(name).propagate = False
        logging.getLogger(name).addHandler(compiled)
    jax.config.update("jax_log_compiles", True)

    placeholders, loss = mlp.build(tf)
    tf.summary.scalar("loss", loss)
    train_op = tf.train.AdamOptimizer(1e-3).minimize(loss, tf.train.get_or_create_global_step())
    batches = mlp.batches(np.random.RandomState(0))
    with tempfile.TemporaryDirectory() as folder:
        hooks = [
            tf.train.StopAtStepHook(last_step=STEPS),
            tf.train.LoggingTensorHook({"loss": loss}, every_n_iter=EVERY),
            tf.train.SummarySaverHook(save_steps=EVERY, output_dir=folder, summary_op=tf.summary.merge_all()),
            tf.train.CheckpointSaverHook(folder, save_steps=5 * EVERY),
            tf.train.StepCounterHook(every_n_steps=EVERY, output_dir=folder),
        ]
        with tf.train.SingularMonitoredSession(hooks=hooks) as session:
            steps = 0
            while not session.should_stop():
                batch = batches[steps % len(batches)]
                if steps == STEPS - 1:
                    batch = tuple(part[:37] for part in batch)
                session.run(train_op, dict(zip(placeholders, batch, strict=True)))
                steps += 1

    print(f"| compiled in {steps} steps | times |\n| --- | ---: |")
    for name, count in compiled.counts.most_common():
        print(f"| {name} | {count} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
