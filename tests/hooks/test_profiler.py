"""`ProfilerHook` and `FeedFnHook`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import monitored as tf


def test_traces_are_written_every_so_many_steps_as_chrome_reads_them(tmp_path: Path) -> None:
    x = tf.placeholder(tf.float32, [None, 4])
    w = tf.get_variable("w", [4, 1])
    loss = tf.reduce_mean(tf.square(tf.matmul(tf.py_func(lambda a: a * 2, [x], tf.float32), w)))
    train_op = tf.train.GradientDescentOptimizer(0.1).minimize(loss, tf.train.get_or_create_global_step())
    hook = tf.train.ProfilerHook(save_steps=3, output_dir=tmp_path)
    seen = []

    class Looking(tf.train.SessionRunHook):
        def after_run(self, run_context: Any, run_values: Any) -> None:
            seen.append(run_values.options.trace_level)

    with tf.train.SingularMonitoredSession([hook, Looking()]) as session:
        for _ in range(7):
            session.run(train_op, {x: np.ones([2, 4])})
    files = sorted(tmp_path.glob("timeline-*.json"))
    assert [file.name for file in files] == ["timeline-3.json", "timeline-6.json"]
    traced = [i + 1 for i, level in enumerate(seen) if level == tf.RunOptions.FULL_TRACE]
    assert traced == [3, 6]
    events = json.loads(files[-1].read_text())["traceEvents"]
    spans = [event for event in events if event["ph"] == "X"]
    assert {"PyFunc", "Segment"} <= {event["name"].partition("[")[0] for event in spans}
    assert all(event["dur"] >= 0 and isinstance(event["ts"], int) for event in spans)
    assert [event["args"]["name"] for event in events if event["ph"] == "M"]
    tf.summary.FileWriterCache.clear()
    (events_file,) = tmp_path.glob("events.*")
    tags = [event.tagged_run_metadata.tag for event in tf.train.summary_iterator(str(events_file))]
    assert [tag for tag in tags if tag] == ["step_3", "step_6"]


@pytest.mark.parametrize("kwargs", [{}, {"save_steps": 1, "save_secs": 1}])
def test_exactly_one_interval(kwargs: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="every_secs"):
        tf.train.ProfilerHook(**kwargs)


def test_each_run_is_fed_what_a_function_gives() -> None:
    x = tf.placeholder(tf.float32, [])
    y = x * 2
    values = iter([1.0, 2.0])
    with tf.train.SingularMonitoredSession([tf.train.FeedFnHook(lambda: {x: next(values)})]) as session:
        assert session.run(y) == 2
        with pytest.raises(RuntimeError, match="Same tensor is fed by a SessionRunHook and user"):
            session.run(y, {x: 7})
        session.run(y)  # the function has nothing more to give, which is the end of the input
        pytest.fail("the block should have ended")
