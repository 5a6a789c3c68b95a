"""The coordinator and its threads; compared with what TensorFlow does."""

from __future__ import annotations

import threading

import pytest

import monitored as tf
import replay_training


@pytest.mark.parametrize("name", replay_training.names("coordinator/"))
def test_like_tensorflow(name: str) -> None:
    replay_training.check(name)


def test_join_does_not_wait_for_a_stop_when_all_threads_have_ended() -> None:
    coord = tf.train.Coordinator()
    thread = threading.Thread(target=lambda: None)
    thread.start()
    coord.join([thread])
    assert coord.joined
    assert not coord.should_stop()


def test_a_member_can_wait_for_the_others() -> None:
    coord = tf.train.Coordinator()
    done: list[bool] = []

    def last() -> None:
        coord.request_stop()
        coord.join()
        done.append(coord.joined)

    thread = threading.Thread(target=last)
    coord.register_thread(thread)
    thread.start()
    thread.join(60)
    assert done == [True]


def test_a_reason_must_be_an_exception() -> None:
    coord = tf.train.Coordinator()
    with pytest.raises(TypeError, match=r"exception or a sys\.exc_info"):
        coord.request_stop(3)
    assert not coord.should_stop()


def test_an_exception_can_be_reported_from_anywhere() -> None:
    coord = tf.train.Coordinator()
    coord.request_stop(ValueError("made, not raised"))
    with pytest.raises(ValueError, match="made, not raised"):
        coord.join()


def test_the_error_keeps_where_it_was_raised() -> None:
    coord = tf.train.Coordinator()

    def fail() -> None:
        with coord.stop_on_exception():
            {}["missing"]

    thread = threading.Thread(target=fail)
    thread.start()
    with pytest.raises(KeyError) as caught:
        coord.join([thread])
    assert "fail" in [frame.name for frame in caught.traceback]
