"""`case` and `switch_case`, compared with what TensorFlow gave."""

from __future__ import annotations

import pytest

from oracle import replay_loops
from oracle.replay_loops import tf


@pytest.mark.parametrize("name", replay_loops.names("case/"))
def test_like_tensorflow(name: str) -> None:
    replay_loops.check(name)


def test_branches_stay_on_the_device_beside_a_check() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [])
        y = tf.case([(x < 0.0, lambda: x * 2.0), (x > 1.0, lambda: x**2)], exclusive=True)
        (gradient,) = tf.gradients(y, x)
        assert session.run([y, gradient], {x: 3.0}) == [9.0, 6.0]
        with pytest.raises(tf.errors.InvalidArgumentError, match="None of conditions"):
            session.run(y, {x: 0.5})


def test_default_must_be_a_function() -> None:
    with tf.Graph().as_default(), pytest.raises(TypeError, match="default must be callable"):
        tf.case([(tf.constant(True), lambda: tf.constant(1))], default=3)
