"""Queue runners; compared with what TensorFlow does."""

from __future__ import annotations

import logging
import threading

import pytest

import monitored as tf
import replay_training


@pytest.mark.parametrize("name", replay_training.names("queue_runner/"))
def test_like_tensorflow(name: str) -> None:
    replay_training.check(name)


def test_without_a_coordinator_errors_are_kept(caplog: pytest.LogCaptureFixture) -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        q = tf.FIFOQueue(3, tf.float32)
        x = tf.placeholder(tf.float32)
        runner = tf.train.QueueRunner(q, [q.enqueue([x])])
        (thread,) = runner.create_threads(session, start=True)
        thread.join(60)
        (error,) = runner.exceptions_raised
        assert isinstance(error, tf.errors.InvalidArgumentError)
        assert "Exception in QueueRunner" in caplog.text
        assert runner.create_threads(session)
        assert runner.exceptions_raised == []


def test_of_threads_that_end_together_one_closes_the_queue() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        meet = threading.Barrier(4)

        def end() -> None:
            meet.wait(60)
            raise StopIteration

        q = tf.FIFOQueue(3, tf.float32, shapes=[[]])
        ops = []
        for _ in range(4):
            value = tf.py_func(end, [], tf.float32)
            value.set_shape([])
            ops.append(q.enqueue(value))
        runner = tf.train.QueueRunner(q, ops)
        is_closed = q.is_closed()
        threads = runner.create_threads(session, start=True)
        for thread in threads:
            thread.join(60)
        assert session.run(is_closed)


def test_a_stop_does_not_close_twice(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), tf.Graph().as_default():
        tf.train.range_input_producer(3, num_epochs=1, shuffle=False).dequeue()
        with tf.train.MonitoredSession():
            pass
    assert not caplog.records


def test_protocol_buffers() -> None:
    with tf.Graph().as_default():
        with tf.name_scope("scope"):
            q = tf.FIFOQueue(3, tf.int32, name="q")
            runner = tf.train.QueueRunner(q, [q.enqueue(1)] * 2)
        again = tf.train.QueueRunner.from_proto(runner.to_proto())
        assert again.to_proto() == runner.to_proto()
        assert [op.name for op in again.enqueue_ops] == ["scope/q_enqueue"] * 2
        assert again.queue_closed_exception_types == (tf.errors.OutOfRangeError,)
        assert runner.to_proto("other") is None
        inner = runner.to_proto("scope")
        assert inner.queue_name == "q"
        assert tf.train.QueueRunner.from_proto(inner.SerializeToString(), "scope").name == "scope/q"
        with pytest.raises(ValueError, match="mutually exclusive"):
            tf.train.QueueRunner(q, queue_runner_def=inner)
