"""Counters, whose values the host knows without asking the device: they are always what the device would have said."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import monitored as tf


@pytest.fixture(autouse=True)
def _graph() -> Iterator[None]:
    with tf.Graph().as_default():
        yield


def test_a_fetched_counter_has_its_value_before_the_run() -> None:
    step = tf.train.get_or_create_global_step()
    add = tf.assign_add(step, 3)
    with tf.Session() as sess:
        sess.run(step.initializer)
        found = [sess.run([add.op, step])[1] for _ in range(4)]
        assert found == [0, 3, 6, 9]
        assert {type(value) for value in found} == {np.int64}
        assert sess.run(step) == 12


def test_whoever_else_writes_it_is_noticed() -> None:
    step = tf.train.get_or_create_global_step()
    add, jump = tf.assign_add(step, 1), tf.assign(step, 100)
    value = tf.placeholder(tf.int64, [])
    load = tf.assign(step, value)
    with tf.Session() as sess, tf.Session() as other:
        for one in (sess, other):
            one.run(step.initializer)
        assert [sess.run([add.op, step])[1] for _ in range(2)] == [0, 1]
        sess.run(jump)
        assert sess.run([add.op, step])[1] == 100
        sess.run(load, {value: -7})
        assert [sess.run([add.op, step])[1] for _ in range(2)] == [-7, -6]
        assert other.run([add.op, step])[1] == 0
        sess.run(add)
        assert sess.run([step, add.op])[0] == -4
        step.load(41, sess)
        assert sess.run([add.op, step])[1] == 41


def test_a_restored_counter_is_noticed(tmp_path) -> None:
    step = tf.train.get_or_create_global_step()
    add = tf.assign_add(step, 1)
    saver = tf.train.Saver()
    with tf.Session() as sess:
        sess.run(step.initializer)
        path = saver.save(sess, str(tmp_path / "model"))
        assert [sess.run([add.op, step])[1] for _ in range(3)] == [0, 1, 2]
        saver.restore(sess, path)
        assert sess.run([add.op, step])[1] == 0


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "int8"])
def test_it_wraps_around_as_on_the_device(dtype: str) -> None:
    limits = np.iinfo(dtype)
    count = tf.get_variable("count", [], dtype, initializer=tf.constant_initializer(limits.max - 1), trainable=False)
    add, subtract = tf.assign_add(count, 1), tf.assign_sub(count, 2)
    with tf.Session() as sess:
        sess.run(count.initializer)
        found = [sess.run([add.op, count])[1] for _ in range(4)]
        assert found == [limits.max - 1, limits.max, limits.min, limits.min + 1]
        assert {value.dtype.name for value in found} == {dtype}
        assert [sess.run([subtract.op, count])[1] for _ in range(3)] == [limits.min + 2, limits.min, limits.max - 1]
        assert sess.run(count) == limits.max - 3


def test_what_is_added_need_not_be_constant() -> None:
    count = tf.get_variable("count", [], tf.int32, initializer=tf.zeros_initializer(), trainable=False)
    amount = tf.placeholder(tf.int32, [])
    add = tf.assign_add(count, amount)
    with tf.Session() as sess:
        sess.run(count.initializer)
        assert [sess.run([add.op, count], {amount: i})[1] for i in (5, 6, 7)] == [0, 5, 11]


def test_a_constant_that_is_fed_is_none() -> None:
    count = tf.get_variable("count", [], tf.int32, initializer=tf.zeros_initializer(), trainable=False)
    amount = tf.constant(1)
    add = tf.assign_add(count, amount)
    with tf.Session() as sess:
        sess.run(count.initializer)
        assert [sess.run([add.op, count], {amount: i})[1] for i in (5, 6, 7)] == [0, 5, 11]
        assert [sess.run([add.op, count])[1] for _ in range(2)] == [18, 19]


def test_two_writes_are_two_writes() -> None:
    count = tf.get_variable("count", [], tf.int32, initializer=tf.zeros_initializer(), trainable=False)
    twice = tf.group(tf.assign_add(count, 1), tf.assign_add(count, 10))
    with tf.Session() as sess:
        sess.run(count.initializer)
        assert [sess.run([twice, count])[1] for _ in range(3)] == [0, 11, 22]


def test_several_counters_and_other_outputs_keep_their_places() -> None:
    first = tf.get_variable("first", [], tf.int32, initializer=tf.zeros_initializer(), trainable=False)
    second = tf.get_variable("second", [], tf.int64, initializer=tf.zeros_initializer(), trainable=False)
    rows = tf.get_variable("rows", [2], tf.int32, initializer=tf.zeros_initializer(), trainable=False)
    step = tf.group(tf.assign_add(first, 1), tf.assign_add(second, 2), tf.assign_add(rows, [1, 1]))
    x = tf.placeholder(tf.float32, [])
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for i in range(3):
            got = sess.run([x * 2, second, rows, first, step, x + 1], {x: i})
            assert got[0] == 2 * i
            assert got[1] == 2 * i
            np.testing.assert_array_equal(got[2], [i, i])
            assert got[3] == i
            assert got[5] == i + 1


def test_an_uninitialized_counter_is_refused() -> None:
    step = tf.train.get_or_create_global_step()
    add = tf.assign_add(step, 1)
    with tf.Session() as sess:
        with pytest.raises(tf.errors.FailedPreconditionError, match="global_step"):
            sess.run([add.op, step])
        sess.run(step.initializer)
        assert sess.run([add.op, step])[1] == 0
