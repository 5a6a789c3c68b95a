"""Saving and restoring for a long time under load: memory and the number of files stay what they are."""

from __future__ import annotations

import gc
import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import monitored as tf

SECS = float(os.environ.get("MONITORED_SOAK_SECS", 60))
SIZE = 250_000  # a checkpoint has 3 MB with Adam's slots


def resident_bytes() -> int:
    """The memory that the process holds."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.faults
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux tells how much memory a process holds")
def test_memory_and_files_stay_flat(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with tf.Graph().as_default():
        weights = tf.get_variable("weights", [SIZE], initializer=tf.ones_initializer())
        step = tf.train.get_or_create_global_step()
        train = tf.train.AdamOptimizer(0.01).minimize(tf.reduce_sum(tf.square(weights)), step)
        saver = tf.train.Saver(max_to_keep=3)
        hook = tf.train.CheckpointSaverHook(str(tmp_path), save_steps=10, saver=saver)
        memory: list[int] = []
        files: list[int] = []
        saves = restores = 0
        busy = threading.Event()

        def load() -> None:
            """Keeps a core busy, and the disk."""
            while not busy.is_set():
                (tmp_path / "load").write_bytes(np.random.bytes(1_000_000))

        other = threading.Thread(target=load)
        other.start()
        try:
            end, look = time.monotonic() + SECS, 0.0
            with tf.train.SingularMonitoredSession([hook], checkpoint_dir=str(tmp_path)) as session:
                while time.monotonic() < end:
                    for _ in range(25):
                        session.run(train)
                    newest = session.save()
                    saves += 3
                    saver.restore(session, newest)
                    restores += 1
                    if time.monotonic() >= look:
                        memory.append(resident_bytes())
                        files.append(len(os.listdir(tmp_path)))
                        look = time.monotonic() + SECS / 60
        finally:
            busy.set()
            other.join()
    settled = memory[len(memory) // 4 :]
    with capsys.disabled():
        print(
            f"\n{SECS:g} s, about {saves} saves and {restores} restores: {settled[0] / 1e6:.0f} MB at a quarter of the "
            f"time, {settled[-1] / 1e6:.0f} MB at the end, {max(files)} files at most"
        )
    half = len(settled) // 2
    growth = np.median(settled[half:]) - np.median(settled[:half])
    assert growth < 20e6, [round(bytes_ / 1e6) for bytes_ in memory]
    # Three files of each checkpoint kept and of two on the way, and the six that are not checkpoints'.
    assert max(files) <= 3 * 5 + 6 + 3, files
