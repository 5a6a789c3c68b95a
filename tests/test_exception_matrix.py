"""What an exception does to a monitored session, cell by cell as TensorFlow has it.

The cells, and what TensorFlow 1.15 does in each, come from `oracle/make_exception_matrix.py`.
"""

import json
from fnmatch import fnmatch

import pytest

import monitored as tf
from oracle.make_exception_matrix import FIXTURE, cells, run_cell

with open(FIXTURE) as file:
    TENSORFLOW = json.load(file)

# Where this project differs on purpose: the cells, why, and what is found instead. Every entry must be met.
CLOSED_WHAT_WAS_OPENED = "TensorFlow leaves the session open, and its threads running, for the process's lifetime"
FIRST_CAUSE = "TensorFlow raises the consequence, an empty queue, and takes it for the end of the input: hooks `end`"
DIFFERENCES = [
    ("*/init_fn/*", CLOSED_WHAT_WAS_OPENED, {"graph finalized": False}),
    ("Singular*/after_create_session/*", CLOSED_WHAT_WAS_OPENED,
     {"graph finalized": False, "raw sessions closed": [True], "threads left": 0}),
    ("Monitored*/after_create_session/[!AU]*", CLOSED_WHAT_WAS_OPENED,
     {"graph finalized": False, "raw sessions closed": [True], "threads left": 0}),
    ("Monitored*/after_create_session/[AU]*", CLOSED_WHAT_WAS_OPENED,
     {"raw sessions closed": [True, True, True], "threads left": 0}),
    ("Monitored*/*_save/[AU]*", CLOSED_WHAT_WAS_OPENED,
     {"raw sessions closed": [True, True, True], "threads left": 0}),
    ("Singular*/queue_runner_waited_for/ValueError/*", FIRST_CAUSE,
     {"seen": ["run: ValueError: raised by the test", "should_stop then: ValueError: raised by the test"]}),
    ("Singular*/queue_runner_waited_for/StopIteration/*", FIRST_CAUSE,
     {"seen": ["run: StopIteration: raised by the test", "should_stop then: StopIteration: raised by the test"]}),
    ("Monitored*/queue_runner_waited_for/ValueError/*", FIRST_CAUSE,
     {"seen": ["run: ValueError: raised by the test", "should_stop then: True"]}),
    ("Monitored*/queue_runner_waited_for/StopIteration/*", FIRST_CAUSE,
     {"seen": ["run: StopIteration: raised by the test", "should_stop then: True"]}),
    ("*/queue_runner_waited_for/ValueError/with", FIRST_CAUSE,
     {"calls": "begin after_create_session before_run after_run before_run"}),
]  # fmt: skip


def expected(name):
    """What TensorFlow does in a cell, with what is meant to differ put in its place."""
    found = dict(TENSORFLOW[name])
    for pattern, _, instead in DIFFERENCES:
        if fnmatch(name, pattern):
            found.update(instead)
    return found


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("name", [name for name in cells() if hasattr(tf.train, name.partition("/")[0])])
def test_an_exception_does_what_it_does_in_tensorflow(name, tmp_path):
    assert run_cell(tf, name, str(tmp_path)) == expected(name)
    assert_checkpoints_are_whole(tmp_path)


def assert_checkpoints_are_whole(directory):
    """Every checkpoint reads back, checksums and all, the newest is one of them, and nothing half written is left."""
    kinds = (".index", ".data-00000-of-00001", ".meta")
    parts = {path.name for path in directory.iterdir()} - {"checkpoint", "graph.pbtxt"}
    parts = {name for name in parts if not name.startswith("events.")}
    prefixes = {name.removesuffix(".index") for name in parts if name.endswith(".index")}
    assert parts == {prefix + kind for prefix in prefixes for kind in kinds}
    for prefix in prefixes:
        reader = tf.train.load_checkpoint(str(directory / prefix))
        assert prefix == f"model.ckpt-{reader.get_tensor('global_step')}"
    newest = tf.train.latest_checkpoint(str(directory))
    assert (newest is None) == (not prefixes)
    assert newest is None or newest.removeprefix(f"{directory}/") in prefixes


def test_every_difference_is_one():
    for pattern, _, instead in DIFFERENCES:
        met = [name for name in TENSORFLOW if fnmatch(name, pattern)]
        assert any(TENSORFLOW[name][key] != value for name in met for key, value in instead.items()), pattern


def test_the_matrix_is_whole():
    assert sorted(cells()) == sorted(TENSORFLOW)
