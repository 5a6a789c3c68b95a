"""Variable scopes, `get_variable` and the global step, compared with what TensorFlow gave."""

from __future__ import annotations

import threading

import pytest

import monitored as tf
import replay


@pytest.mark.parametrize("name", replay.names("scopes/"))
def test_like_tensorflow(name: str) -> None:
    replay.check(name)


def test_errors_say_where_the_variable_was_created() -> None:
    with tf.Graph().as_default():
        tf.get_variable("w", [1])
        with pytest.raises(
            ValueError, match=r"already exists(.|\n)*Originally defined at:(.|\n)*test_variable_scope.py"
        ):
            tf.get_variable("w", [1])
        with tf.variable_scope("", reuse=True):
            with pytest.raises(ValueError, match=r"Created at .*test_variable_scope.py"):
                tf.get_variable("w", [2])


def test_a_scope_is_left_after_an_error() -> None:
    with tf.Graph().as_default():
        with pytest.raises(ZeroDivisionError), tf.variable_scope("s", reuse=True):
            raise ZeroDivisionError
        assert tf.get_variable_scope().name == ""
        assert not tf.get_variable_scope().reuse
        assert tf.constant(1).name == "Const:0"


def test_threads_have_scopes_of_their_own() -> None:
    graph = tf.Graph()
    found = []

    def work() -> None:
        with graph.as_default():
            found.append(tf.get_variable_scope().name)
            with tf.variable_scope("theirs"):
                found.append(tf.get_variable("w", [1]).name)

    with graph.as_default(), tf.variable_scope("ours"):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert tf.get_variable("w", [1]).name == "ours/w:0"
    assert found == ["", "theirs/w:0"]


def test_graphs_have_stores_of_their_own() -> None:
    found = []
    for _ in range(2):
        with tf.Graph().as_default():
            found.append(tf.get_variable("w", [1]))
    assert found[0] is not found[1]
    assert [v.name for v in found] == ["w:0", "w:0"]


def test_variables_of_a_branch_are_shared_outside() -> None:
    with tf.Graph().as_default(), tf.Session() as session:

        def branch() -> object:
            with tf.variable_scope("layer", reuse=tf.AUTO_REUSE):
                return tf.get_variable("w", [], initializer=tf.constant_initializer(3.0)) + 1.0

        flag = tf.placeholder(tf.bool, [])
        result = tf.cond(flag, branch, lambda: tf.constant(0.0))
        with tf.variable_scope("layer", reuse=True):
            w = tf.get_variable("w", [])
        session.run(tf.global_variables_initializer())
        session.run(w.assign(5.0))
        assert session.run(result, {flag: True}) == 6.0
        assert session.run(result, {flag: False}) == 0.0


def test_a_constraint_comes_from_the_scope() -> None:
    def constraint(x: object) -> object:
        return x

    with tf.Graph().as_default():
        with tf.variable_scope("s", constraint=constraint):
            assert tf.get_variable("a", [1]).constraint is constraint
        assert tf.get_variable("b", [1]).constraint is None
