"""`map_fn`, `scan`, `foldl` and `foldr`, compared with what TensorFlow gave and with NumPy."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oracle import replay_loops
from oracle.replay_loops import tf


@pytest.mark.parametrize("name", replay_loops.names("along/"))
def test_like_tensorflow(name: str) -> None:
    replay_loops.check(name)


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 6), st.booleans(), st.booleans(), st.integers(0, 2**16))
def test_scan_is_what_numpy_computes(length: int, reverse: bool, started: bool, seed: int) -> None:
    rows = np.random.default_rng(seed).normal(size=(length, 2)).astype(np.float32)
    order = list(reversed(range(length))) if reverse else list(range(length))
    total = np.ones(2, np.float32) if started else rows[order[0]]
    wanted = np.zeros_like(rows)
    for place, index in enumerate(order):
        if started or place:
            total = total * 0.5 + rows[index]
        wanted[index] = total
    with tf.Graph().as_default(), tf.Session() as session:
        start = tf.ones([2]) if started else None
        result = tf.scan(lambda a, row: a * 0.5 + row, tf.constant(rows), start, reverse=reverse)
        np.testing.assert_allclose(session.run(result), wanted, rtol=1e-5, atol=1e-6)


def test_a_fed_number_of_rows() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None, None])
        y = tf.map_fn(lambda row: tf.reduce_max(row), x)
        for shape in ((2, 3), (5, 1), (0, 2)):
            value = np.random.default_rng(0).normal(size=shape).astype(np.float32)
            np.testing.assert_array_equal(session.run(y, {x: value}), [row.max() for row in value])


def test_each_turn_draws_other_numbers() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        drawn = tf.map_fn(lambda i: tf.random_uniform([3], seed=1), tf.range(50), dtype=tf.float32)
        first, second = session.run(drawn), session.run(drawn)
        assert len(np.unique(first)) == 150
        assert len(np.unique([first, second])) == 300


def test_a_map_of_strings_runs_on_the_host() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        words = tf.constant(["a", "bc"])
        longer = tf.map_fn(lambda w: tf.reshape(tf.py_func(lambda s: s + b"!", [w], tf.string), []), words)
        assert session.run(longer).tolist() == [b"a!", b"bc!"]


@pytest.mark.parametrize("function", ["map_fn", "scan", "foldl", "foldr"])
def test_xla_gets_one_loop_with_a_known_number_of_turns(function: str, monkeypatch: pytest.MonkeyPatch) -> None:
    scans: list[int] = []
    original = jax.lax.scan

    def counted(*args: Any, **kwargs: Any) -> Any:
        scans.append(kwargs["length"])
        return original(*args, **kwargs)

    monkeypatch.setattr(jax.lax, "scan", counted)
    monkeypatch.setattr(jax.lax, "while_loop", None)
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None, 2])
        fn = (lambda row: row * 2.0) if function == "map_fn" else (lambda a, row: a * row)
        y = getattr(tf, function)(fn, x)
        session.run(tf.gradients(y, x), {x: np.ones((7, 2), np.float32)})
    assert scans == [7 if function == "map_fn" else 6]
