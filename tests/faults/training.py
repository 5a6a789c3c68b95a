"""A training run that saves often, to be killed: `python training.py DIRECTORY LAST_STEP`.

It has everything whose state must come back: variables, Adam's slots, a random stream, an iterator, a hook that counts
runs. It writes a line for each thing that its user could rely on: ``resumed 35``, ``saved 40``, ``done 100``.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import numpy as np

import monitored as tf

SAVE_STEPS = 5


class Rows:
    """The numbers of the rows to train on, in an order that only the position tells."""

    def __init__(self) -> None:
        self.position = 0

    def __next__(self) -> np.ndarray[Any, Any]:
        self.position += 1
        return np.random.RandomState(self.position).randint(64, size=8)

    def state_dict(self) -> dict[str, int]:
        return {"position": self.position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.position = state["position"]


class ReportingSaver(tf.train.Saver):
    """Reports each checkpoint that is on the disk."""

    def save_async(self, sess: Any, save_path: Any, global_step: Any = None, **options: Any) -> Any:
        future = super().save_async(sess, save_path, global_step, **options)
        future.add_done_callback(lambda done: done.exception() or report("saved", global_step))
        return future


class CountingRuns(tf.train.SessionRunHook):
    """Knows how many runs there have been, in all processes."""

    def __init__(self) -> None:
        self.runs = 0

    def after_run(self, run_context: Any, run_values: Any) -> None:
        self.runs += 1

    def state_dict(self) -> dict[str, int]:
        return {"runs": self.runs}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.runs = state["runs"]


def report(*words: Any) -> None:
    """Writes a line in one system call, whatever thread it comes from."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def main() -> None:
    """Trains to the last step."""
    directory, last_step = sys.argv[1], int(sys.argv[2])
    data = np.random.RandomState(0)
    features, labels = data.randn(64, 8).astype(np.float32), data.randn(64, 1).astype(np.float32)
    rows = tf.train.register_iterator(Rows())
    chosen = tf.placeholder(tf.int32, [None])
    x, y = tf.gather(tf.constant(features), chosen), tf.gather(tf.constant(labels), chosen)
    noisy = x + tf.random_normal(tf.shape(x), stddev=0.1, seed=3)
    weights = tf.get_variable("weights", [8, 1], initializer=tf.random_normal_initializer(seed=1))
    loss = tf.reduce_mean(tf.square(tf.matmul(noisy, weights) - y))
    step = tf.train.get_or_create_global_step()
    train = tf.train.AdamOptimizer(0.01).minimize(loss, step)
    hooks = [
        tf.train.StopAtStepHook(last_step=last_step),
        CountingRuns(),
        tf.train.CheckpointSaverHook(directory, save_steps=SAVE_STEPS, saver=ReportingSaver(max_to_keep=3)),
    ]
    with tf.train.SingularMonitoredSession(hooks, checkpoint_dir=directory) as session:
        report("resumed", session.run_without_hooks(step))
        while not session.should_stop():
            session.run(train, {chosen: next(rows)})
    report("done", last_step)


if __name__ == "__main__":
    main()
