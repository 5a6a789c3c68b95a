"""What hooks cost in the steps in which they have nothing to do."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import jax
import numpy as np
import pytest

import monitored as tf

NEVER = 10**9


@pytest.fixture
def compiles() -> Iterator[list[str]]:
    """An entry for each program that XLA compiles."""
    found: list[str] = []

    def note(event: str, seconds: float, **details: Any) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            found.append(event)

    jax.monitoring.register_event_duration_secs_listener(note)
    yield found
    jax.monitoring.unregister_event_duration_listener(note)


def _linear_model() -> tuple[Any, Any, Any]:
    """The placeholder, the loss and the training operation."""
    x = tf.placeholder(tf.float32, [None, 8])
    w = tf.get_variable("w", [8, 1])
    loss = tf.reduce_mean(tf.square(tf.matmul(x, w) - 1.0))
    return x, loss, tf.train.AdamOptimizer(0.1).minimize(loss, tf.train.get_or_create_global_step())


def test_logging_every_100_steps_and_summaries_every_1000_compile_the_step_twice_at_most(
    compiles: list[str], tmp_path: Path
) -> None:
    x, loss, train_op = _linear_model()
    w = tf.trainable_variables()[0]
    summaries = [tf.summary.scalar("loss", loss), tf.summary.histogram("w", w), tf.summary.scalar("norm", tf.norm(w))]
    hooks = [
        tf.train.LoggingTensorHook({"loss": loss}, every_n_iter=100),
        tf.train.SummarySaverHook(save_steps=1000, output_dir=str(tmp_path), summary_op=tf.summary.merge(summaries)),
        tf.train.StopAtStepHook(num_steps=2001),
    ]
    rows = np.ones([16, 8], np.float32)
    with tf.train.SingularMonitoredSession(hooks) as session:
        session.run_without_hooks(tf.train.get_global_step())
        del compiles[:]
        while not session.should_stop():
            session.run(train_op, {x: rows})
        assert 1 <= len(compiles) <= 2


def _calls(function: Callable[[], Any]) -> int:
    """How many Python functions a call of a function calls."""
    count = 0

    def note(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count


def test_a_hook_that_is_not_due_costs_a_call_of_each_of_its_methods_and_hardly_more(tmp_path: Path) -> None:
    x, loss, train_op = _linear_model()
    rows = np.ones([16, 8], np.float32)
    kinds: list[Callable[[], Any]] = [
        lambda: tf.train.StopAtStepHook(last_step=NEVER),
        lambda: tf.train.LoggingTensorHook({"loss": loss}, every_n_iter=NEVER),
        lambda: tf.train.CheckpointSaverHook(tmp_path, save_steps=NEVER),
        lambda: tf.train.StepCounterHook(every_n_steps=NEVER, output_dir=str(tmp_path)),
    ]
    found = []
    for number in (0, 4, 20):
        hooks = [kind() for kind, _ in zip(itertools.cycle(kinds), range(number), strict=False)]
        with tf.train.SingularMonitoredSession(hooks) as session:
            for _ in range(6):  # of the first steps some are measured, for statistics
                session.run(train_op, {x: rows})
            found.append(_calls(lambda: session.run(train_op, {x: rows})))
    none, four, twenty = found
    assert twenty - four <= 16 * 2 + 4 * 2  # and what LoggingTensorHook asks its timer
    assert four - none <= 4 * 2 + 10
