"""Compiled executables outlive the process, and none is used for anything but what it was made for."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import monitored as tf
from monitored._run import executables

_compiled: list[str] = []
jax.monitoring.register_event_duration_secs_listener(
    lambda event, duration, **_: _compiled.append(event) if event.endswith("backend_compile_duration") else None
)


@contextlib.contextmanager
def cache_in(folder: Path | None) -> Iterator[None]:
    """Keeps executables in a folder, also those that a fast machine makes in no time, or nowhere."""
    worth_keeping = executables._WORTH_KEEPING
    executables._WORTH_KEEPING = 0.0  # type: ignore[misc]
    before = {name: jax.config.values[name] for name in ("jax_enable_compilation_cache", "jax_compilation_cache_dir")}
    jax.config.update("jax_enable_compilation_cache", folder is not None)
    jax.config.update("jax_compilation_cache_dir", None if folder is None else str(folder))
    try:
        yield
    finally:
        executables._WORTH_KEEPING = worth_keeping  # type: ignore[misc]
        for name, value in before.items():
            jax.config.update(name, value)


def run(build: Callable[[], Any], feeds: Any) -> tuple[list[Any], int]:
    """The values of what a program builds, in a session of a new graph, and how much was compiled for it."""
    before = len(_compiled)
    with tf.Graph().as_default(), tf.Session() as session:
        fetches = build()
        session.run(tf.global_variables_initializer())
        values = [session.run(fetches, {"x:0": feeds}) for _ in range(2)]
    return values, len(_compiled) - before


def same(one: Any, other: Any) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True))


def training(rate: float = 0.1, size: int = 3, activation: Any = None, name: str = "dense") -> Any:
    """A small training step with a random stream."""
    x = tf.placeholder(tf.float32, [None, 4], name="x")
    initializer = tf.random_normal_initializer(seed=2)
    hidden = tf.layers.dense(x, size, activation or tf.nn.tanh, kernel_initializer=initializer, name=name)
    loss = tf.reduce_mean(tf.square(hidden + tf.random_normal([size], seed=4)))
    return [tf.train.AdamOptimizer(rate).minimize(loss), loss]


FEEDS = np.arange(8, dtype=np.float32).reshape(2, 4)


def test_the_second_time_nothing_is_compiled_and_the_numbers_are_the_same(tmp_path: Path) -> None:
    with cache_in(tmp_path):
        first, compiled = run(training, FEEDS)
        assert compiled > 0
        again, compiled = run(training, FEEDS)
        assert compiled == 0
    assert same(first, again)
    with cache_in(None):
        without, compiled = run(training, FEEDS)
        assert compiled > 0
    assert same(first, without)


PROGRAMS: list[Callable[[], Any]] = [
    lambda: training(rate=0.2),
    lambda: training(activation=tf.nn.sigmoid),
    lambda: training(name="other"),
    lambda: [tf.constant([1.0, 2.0]) * tf.placeholder(tf.float32, [None, 2], name="x")],
]


def test_a_program_that_differs_in_anything_gets_executables_of_its_own(tmp_path: Path) -> None:
    feeds = [FEEDS] * 3 + [FEEDS[:, :2]]
    expected = [run(program, feed)[0] for program, feed in zip(PROGRAMS, feeds, strict=True)]
    with cache_in(tmp_path):
        for _ in range(2):
            run(training, FEEDS)
            for program, feed, values in zip(PROGRAMS, feeds, expected, strict=True):
                assert same(run(program, feed)[0], values)


@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    value=st.sampled_from([0.0, -0.0, 1.0, 2.5]),
    axis=st.sampled_from([0, 1, None]),
    turns=st.integers(1, 3),
    double=st.booleans(),
    rows=st.integers(1, 3),
)
def test_constants_attributes_bodies_types_and_shapes_are_told_apart(
    tmp_path_factory: Any, value: float, axis: int | None, turns: int, double: bool, rows: int
) -> None:
    folder = tmp_path_factory.getbasetemp() / "shared_by_all_examples"
    dtype = tf.float64 if double else tf.float32
    fed = np.arange(rows * 2, dtype=dtype.as_numpy_dtype).reshape(rows, 2) - 1

    def build() -> Any:
        x = tf.placeholder(dtype, [None, 2], name="x")
        start = tf.reduce_sum(x + tf.constant(value, dtype), axis, keepdims=True)
        looped = tf.while_loop(lambda i, a: i < turns, lambda i, a: (i + 1, a * (2 + value)), (0, start))
        return [tf.atan2(tf.constant(value, dtype), -tf.ones_like(x)), looped[1]]

    with cache_in(folder):
        kept, _ = run(build, fed)
    assert same(kept, run(build, fed)[0])


def test_a_python_function_that_changes_under_its_name_is_noticed(tmp_path: Path) -> None:
    def program(factor: float) -> Callable[[], Any]:
        def scale(x: Any) -> Any:
            return x * factor

        return lambda: tf.jax_function(scale, tf.placeholder(tf.float32, [None, 4], name="x"), name="scale")

    with cache_in(tmp_path):
        assert same(run(program(2.0), FEEDS)[0], [FEEDS * 2] * 2)
        assert same(run(program(3.0), FEEDS)[0], [FEEDS * 3] * 2)
        values, compiled = run(program(2.0), FEEDS)
    assert same(values, [FEEDS * 2] * 2)
    assert compiled == 0  # traced, and then found by what that gave


@pytest.mark.parametrize("damage", ["cut", "changed", "empty"])
def test_a_damaged_file_is_not_used_and_made_anew(tmp_path: Path, damage: str) -> None:
    with cache_in(tmp_path):
        first, _ = run(training, FEEDS)
        files = list(tmp_path.rglob("*.executable"))
        assert files
        for file in files:
            content = file.read_bytes()
            flipped = bytes([content[-1] ^ 1])
            file.write_bytes({"cut": content[:-5], "changed": content[:-1] + flipped, "empty": b""}[damage])
        again, compiled = run(training, FEEDS)
        assert compiled > 0
        assert same(first, again)
        assert run(training, FEEDS)[1] == 0


def test_what_cannot_be_kept_costs_nothing_but_time(tmp_path: Path) -> None:
    (tmp_path / "monitored").write_text("a file, where the folder should be")
    with cache_in(tmp_path):
        assert same(run(training, FEEDS)[0], run(training, FEEDS)[0])


PROGRAM = """
import monitored as tf
with tf.Session() as session:
    print(session.run(tf.reduce_sum(tf.exp(tf.placeholder_with_default([1.0, 2.0], [2])))))
"""


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="folders belong to users")
@pytest.mark.parametrize(("mode", "kept"), [(0o700, True), (0o777, False)])
def test_a_folder_that_others_can_write_to_is_not_used(tmp_path: Path, mode: int, kept: bool) -> None:
    folder = tmp_path / "monitored"
    folder.mkdir()
    folder.chmod(mode)
    env = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, env={**env, "XDG_CACHE_HOME": str(tmp_path)})
    assert bool(list(folder.iterdir())) is kept
    # Only the user can look into what is made.
    for file in folder.iterdir():
        assert file.suffix in (".executable", ".used")


def resumed(folder: Path) -> list[Any]:
    """The values of a step after the checkpoint in a folder, which is made if there is none."""
    with tf.Graph().as_default():
        fetches = training()
        step = tf.train.get_or_create_global_step()
        hook = tf.train.CheckpointSaverHook(str(folder), save_steps=1000)
        with tf.train.SingularMonitoredSession([hook], checkpoint_dir=str(folder)) as session:
            values = session.run([*fetches, step], {"x:0": FEEDS})
            session.raw_session().run(tf.global_variables()[0])
        return [np.asarray(value) for value in values[1:]]


@pytest.mark.parametrize(
    "note", [None, b"\xff\xfe", b"../../etc/passwd " * 9 + b"0" * 64 + b".executable\n" + b"1" * 70]
)
def test_what_is_loaded_while_a_checkpoint_is_restored_is_right_whatever_the_note_says(
    tmp_path: Path, note: bytes | None
) -> None:
    def train(folder: Path) -> tuple[list[Any], int]:
        before = len(_compiled)
        return [resumed(folder) for _ in range(3)], len(_compiled) - before

    with cache_in(None):
        expected, _ = train(tmp_path / "without")
    with cache_in(tmp_path / "cache"):
        first, _ = train(tmp_path / "first")
        notes = list((tmp_path / "cache").rglob("*.used"))
        assert len(notes) == 1
        if note is not None:
            notes[0].write_bytes(note)
        second, compiled = train(tmp_path / "second")
    assert same(first, expected)
    assert same(second, expected)
    assert compiled == 0
