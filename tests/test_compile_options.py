"""On processors, programs are compiled with the options that are best for what they do."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

# A step that changes 16 rows of a large table, or all of them; or the weights of two layers.
PROGRAM = """
import sys
import monitored as tf

layer = tf.matmul(tf.ones([4, 96]), tf.get_variable("first", [96, 128]))
table = tf.get_variable("table", [50000, 64])
rows = tf.nn.embedding_lookup(table, tf.placeholder_with_default(list(range(16)), [16]))
read = {"rows": rows, "table": table, "layers": tf.matmul(tf.nn.relu(layer), tf.get_variable("second", [128, 192]))}
loss = tf.reduce_sum(tf.square(read[sys.argv[1]]))
train = tf.train.AdagradOptimizer(0.1).minimize(loss)
with tf.Session() as session:
    session.run(tf.global_variables_initializer())
    session.run(train)
"""
DIVIDED = "outer_dimension_partitions"  # so XLA notes that an operation is divided among processors


def compiled_step(kind: str, folder: Path) -> str:
    """The step's program as XLA compiled it."""
    environment = {**os.environ, "XLA_FLAGS": f"--xla_dump_to={folder}", "XDG_CACHE_HOME": str(folder / "cache")}
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, kind]
    subprocess.run(command, env=environment, capture_output=True, check=True)
    (found,) = folder.glob("*Adagrad*cpu_after_optimizations.txt")
    return found.read_text()


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="there is one processor")
def test_the_rows_of_a_large_table_are_not_divided_among_processors_as_the_whole_table_is(tmp_path: Path) -> None:
    assert DIVIDED in compiled_step("table", tmp_path / "table")
    rows = compiled_step("rows", tmp_path / "rows")
    assert "f32[50000,64]" in rows
    assert DIVIDED not in rows


def test_weights_are_changed_in_place_after_all_that_takes_their_old_values(tmp_path: Path) -> None:
    step = compiled_step("layers", tmp_path)
    assert "f32[128,192]" in step
    assert not re.search(r"f32\[(96,128|128,192)\]\S* copy\(", step)
