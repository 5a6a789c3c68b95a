"""Variables: TensorFlow's nodes and names, initialization, updates; compared with what TensorFlow gave."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import monitored as tf
import replay


@pytest.mark.parametrize("name", replay.names("variables/"))
def test_like_tensorflow(name: str) -> None:
    replay.check(name)


def test_reading_an_uninitialized_variable_names_it() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        w = tf.Variable([1.0], name="scope/w")
        doubled = w * 2.0
        for fetch in (w, doubled, w.assign_add([1.0])):
            with pytest.raises(tf.errors.FailedPreconditionError, match="uninitialized value scope/w") as caught:
                session.run(fetch)
            assert "test_variables.py" in str(caught.value)


def test_assert_variables_initialized() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        assert tf.assert_variables_initialized() is None
        a, b = tf.Variable(1, name="a"), tf.Variable(2, name="b")
        check = tf.assert_variables_initialized()
        only_a = tf.assert_variables_initialized([a])
        session.run(a.initializer)
        session.run(only_a)
        with pytest.raises(tf.errors.FailedPreconditionError, match="uninitialized value b"):
            session.run(check)
        session.run(b.initializer)
        session.run(check)


def test_variables_are_compared_by_identity_and_hashable() -> None:
    with tf.Graph().as_default():
        a, b = tf.Variable(1.0), tf.Variable(1.0)
        assert a == a
        assert a != b
        assert len({a, b, a}) == 2


def test_operators_read_the_variable() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        w = tf.Variable([4.0, 9.0])
        session.run(w.initializer)
        results = [w + 1.0, 1.0 - w, w * w, w / 2.0, -w, abs(w), w[0], w > 5.0]
        values = session.run(results)
    expected = [[5, 10], [-3, -8], [16, 81], [2, 4.5], [-4, -9], [4, 9], 4, [False, True]]
    for value, want in zip(values, expected, strict=True):
        np.testing.assert_array_equal(value, want)


def test_a_variable_is_read_where_it_is_used() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        w = tf.Variable(1)
        before = w + 0
        kept = w.read_value()
        changed = w.assign_add(10)
        with tf.control_dependencies([changed]):
            after = w + 0
        session.run(w.initializer)
        assert session.run([before, kept, changed, after]) == [1, 1, 11, 11]


def test_sessions_have_variables_of_their_own() -> None:
    with tf.Graph().as_default():
        w = tf.Variable(1)
        step = w.assign_add(1)
        with tf.Session() as one, tf.Session() as other:
            one.run(w.initializer)
            other.run(w.initializer)
            one.run(step)
            one.run(step)
            assert (one.run(w), other.run(w)) == (3, 1)


def test_updates_from_several_threads_are_whole() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        w = tf.Variable(np.zeros(3, np.int64))
        step = w.assign_add([1, 2, 3])
        session.run(w.initializer)
        threads = [threading.Thread(target=lambda: [session.run(step.op) for _ in range(20)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert session.run(w).tolist() == [80, 160, 240]


def test_initializing_and_updating_in_one_run() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        w = tf.Variable([1.0, 2.0])
        with tf.control_dependencies([w.initializer]):
            update = tf.scatter_add(w, [1], [5.0])
        assert session.run(update).tolist() == [1.0, 7.0]
        assert session.run(w).tolist() == [1.0, 7.0]


def test_different_updates_of_one_variable_stay_apart() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        w = tf.Variable(0)
        one, ten = w.assign_add(1), w.assign_add(10)
        session.run(w.initializer)
        session.run(one.op)
        session.run(ten.op)
        session.run(one.op)
        assert session.run(w) == 12


def test_set_shape() -> None:
    with tf.Graph().as_default():
        w = tf.Variable([1.0, 2.0], validate_shape=False)
        assert w.shape.ndims is None
        w.set_shape([2])
        assert w.shape.as_list() == [2]
        assert w.value().shape.as_list() == [2]
        with pytest.raises(ValueError, match="incompatible"):
            w.set_shape([3])


def test_a_variable_cannot_be_an_array() -> None:
    with tf.Graph().as_default():
        with pytest.raises(NotImplementedError, match="run it in a session"):
            np.asarray(tf.Variable(1.0))


def test_variable_def_and_initial_value_exclude_each_other() -> None:
    with tf.Graph().as_default():
        proto = tf.Variable(1.0).to_proto()
        with pytest.raises(ValueError, match="mutually exclusive"):
            tf.Variable(1.0, variable_def=proto)
        with pytest.raises(TypeError, match="VariableDef"):
            tf.Variable(variable_def=3)


def test_imported_under_another_scope() -> None:
    with tf.Graph().as_default():
        with tf.name_scope("copy"):
            w = tf.Variable([1.0], name="w")
        again = tf.Variable.from_proto(w.to_proto(export_scope="copy"), import_scope="copy")
        assert again.op is w.op
        assert again.initial_value is w.initial_value


def test_error_of_a_wrong_assignment_says_where() -> None:
    with tf.Graph().as_default():
        w = tf.Variable([1.0, 2.0], name="w")
        with pytest.raises(ValueError, match=r"'w' has shape \(2,\).*value of shape \(3,\).*test_variables.py"):
            tf.assign(w, [1.0, 2.0, 3.0])
        with pytest.raises(AttributeError, match="only a Variable"):
            tf.assign_add(tf.constant(1.0), 2.0)


def test_older_names() -> None:
    with tf.Graph().as_default():
        w = tf.Variable(1.0)
        assert tf.all_variables() == [w]
        made = [tf.initialize_all_variables(), tf.initialize_local_variables(), tf.initialize_variables([w])]
        assert [op.name for op in made] == ["init", "init_1", "init_2"]
