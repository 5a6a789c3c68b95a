"""The memory of a step's intermediate values is kept for the next step, unless the user settled that otherwise."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

# 130 MB of intermediate values in each run, and how often the system had to be asked for a page of memory.
PROGRAM = """
import resource
import monitored as tf

x = tf.get_variable("x", [16384, 16])
w = tf.get_variable("w", [2, 16, 1024])
products = [tf.matmul(x, w[i]) for i in range(2)]
total = tf.add_n([tf.reduce_sum(tf.tanh(product - tf.reduce_max(product))) for product in products])
with tf.Session() as session:
    session.run(tf.global_variables_initializer())
    for _ in range(40):  # in one of which the two products may lie beside each other for the first time
        session.run(total)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        session.run(total)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
LITTLE = 64 << 20  # bytes

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the C library is not GNU's")


def new_memory(**environment: str) -> int:
    """The bytes that were new to the process in ten runs, all that had to be asked for having been so before."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_TUNABLES"))}
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM]
    result = subprocess.run(command, env={**own, **environment}, capture_output=True, text=True, check=True)
    return int(result.stdout) * os.sysconf("SC_PAGE_SIZE")


def test_steps_use_the_memory_of_the_steps_before() -> None:
    assert new_memory() < LITTLE


def test_the_c_librarys_caches_of_threads_are_another_matter() -> None:
    assert new_memory(GLIBC_TUNABLES="glibc.malloc.tcache_count=0") < LITTLE


def test_what_the_user_set_for_the_c_library_stays() -> None:
    assert new_memory(MALLOC_MMAP_THRESHOLD_="1000000", MALLOC_ARENA_MAX="2") > 10 * LITTLE
    assert new_memory(GLIBC_TUNABLES="glibc.malloc.tcache_count=0:glibc.malloc.mmap_threshold=1000000") > 10 * LITTLE
