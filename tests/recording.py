"""A model of a step, whose hooks, operations and threads write into a log what becomes of them."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np

import monitored as tf

Log = list[str]


class Recorder(tf.train.SessionRunHook):
    """A hook that writes down what is called, with whether the graph can still change, and fails where told to."""

    def __init__(self, log: Log, name: str = "hook", fails_in: str = "", error: BaseException | None = None) -> None:
        self.log = log
        self.name = name
        self.fails_in = fails_in
        self.error = error
        self.given: dict[str, Any] = {}

    def note(self, method: str, *given: Any) -> None:
        self.log.append(f"{self.name}.{method}")
        self.given[method] = given
        if method == self.fails_in:
            assert self.error is not None
            raise self.error

    def begin(self) -> None:
        self.note("begin", tf.get_default_graph().finalized)

    def after_create_session(self, session: Any, coord: Any) -> None:
        self.note("after_create_session", session, coord)

    def before_run(self, run_context: Any) -> Any:
        self.note("before_run", run_context)

    def after_run(self, run_context: Any, run_values: Any) -> None:
        self.note("after_run", run_context, run_values)

    def end(self, session: Any) -> None:
        self.note("end", session)


def counter() -> tuple[Any, Any]:
    """The global step, and an operation that adds one to it."""
    step = tf.train.get_or_create_global_step()
    return step, tf.assign_add(step, 1)


def logged(log: Log, text: str) -> Any:
    """An operation that writes a line into the log when it runs."""
    return tf.py_func(lambda: log.append(text), [], [])


def add_queue_runner(log: Log, error: BaseException | None = None) -> tuple[Any, threading.Event]:
    """A queue kept full by one thread; once the event is set, the thread raises the error instead."""
    failing = threading.Event()

    def produce() -> np.int32:
        if error is not None and failing.wait(60):
            raise error
        return np.int32(7)

    class Runner(tf.train.QueueRunner):
        def create_threads(self, *args: Any, **kwargs: Any) -> Any:
            log.append("queue runners")
            threads.extend(super().create_threads(*args, **kwargs))
            return threads

    threads: list[threading.Thread] = []
    queue = tf.FIFOQueue(2, [tf.int32], shapes=[[]])
    item = tf.py_func(produce, [], tf.int32)
    item.set_shape([])
    tf.train.add_queue_runner(Runner(queue, [queue.enqueue(item)]))
    queue.threads = threads
    return queue, failing


def save(directory: Path, step: int) -> str:
    """A checkpoint of the default graph whose global step is `step`."""
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(tf.train.get_global_step().assign(step))
        return tf.train.Saver().save(session, str(directory / "model.ckpt"), global_step=step)
