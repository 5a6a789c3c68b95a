"""A run that is killed again and again loses nothing, and ends bit for bit like one that never was."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import monitored as tf
from monitored._checkpoint import open_checkpoint

TRAINING = Path(__file__).parent / "training.py"
ENDLESS = 10**9
NEWEST = 3  # checkpoints that are kept


class Reports(NamedTuple):
    """What a process said before it ended."""

    resumed: int | None
    saved: list[int]
    code: int
    startup: float  # seconds until it said that it had resumed


def run(directory: Path, last_step: int, kill_at: float | None = None, kill_after: float | None = None) -> Reports:
    """Runs the training, to its end or until it is killed: seconds after its start, or after it has resumed."""
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, str(TRAINING), str(directory), str(last_step)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    lines = [] if kill_at is not None else [process.stdout.readline()]
    startup = time.monotonic() - began
    wait = kill_at if kill_at is not None else kill_after
    try:
        out, err = process.communicate(timeout=wait)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        out, err = process.communicate()
    assert process.returncode in (0, -signal.SIGKILL), err.decode()
    # The last line may have been cut off by the kill.
    lines += [line for line in out.splitlines(keepends=True) if line.endswith(b"\n")]
    words = [line.decode().split() for line in lines]
    resumed = [int(number) for word, number in words if word == "resumed"]
    saved = [int(number) for word, number in words if word == "saved"]
    return Reports(resumed[0] if resumed else None, saved, process.returncode, startup)


def state(directory: Path) -> dict[str, Any]:
    newest = tf.train.latest_checkpoint(str(directory))
    assert newest is not None
    reader = open_checkpoint(newest)
    return {name: reader.read(name) for name in reader.shape_map()}


def kill_often(directory: Path, kills: int, seed: int) -> None:
    """Kills a run at random moments, each time after it was resumed, and looks at what is left."""
    chooser = random.Random(seed)
    startup, reported, resumed_at_least = 1.0, -1, 0
    for kill in range(kills):
        if chooser.random() < 0.2:  # while it begins: when it restores, and saves where it begins
            found = run(directory, ENDLESS, kill_at=chooser.uniform(0.5, 1.2) * startup)
        else:
            found = run(directory, ENDLESS, kill_after=chooser.expovariate(6))
            startup = found.startup
        assert found.code == -signal.SIGKILL, f"kill {kill}: it ended by itself"
        if found.resumed is not None:
            assert found.resumed >= reported, (
                f"kill {kill}: step {reported} was saved, but it resumed at {found.resumed}"
            )
            resumed_at_least = max(resumed_at_least, found.resumed)
        reported = max([reported, *found.saved])
        if reported < 0:
            continue
        newest = tf.train.latest_checkpoint(str(directory))
        assert newest is not None, f"kill {kill}: step {reported} was saved, but there is no checkpoint"
        assert int(newest.rpartition("-")[2]) >= reported, f"kill {kill}: step {reported} was saved, but it is lost"
        assert open_checkpoint(newest).verify() == [], f"kill {kill}"
        left = [path.name for path in directory.iterdir()]
        # Those that are kept, the one being written or removed, and what the last process had begun.
        assert len([name for name in left if name.endswith(".index")]) <= NEWEST + 2, left
        assert len([name for name in left if "tempstate" in name]) <= 4, left
    assert kills < 10 or resumed_at_least > 0


def compare_with_an_undisturbed_run(tmp_path: Path, kills: int, seed: int) -> int:
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    kill_often(killed, kills, seed)
    newest = tf.train.latest_checkpoint(str(killed))
    last_step = 20 + (0 if newest is None else int(newest.rpartition("-")[2]))
    for directory in (killed, whole):
        found = run(directory, last_step)
        assert found.code == 0
    expected, got = state(whole), state(killed)
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(got[name], value, err_msg=name)
    assert expected["global_step"] == last_step
    return last_step


def test_a_few_kills_lose_nothing(tmp_path: Path) -> None:
    compare_with_an_undisturbed_run(tmp_path, kills=3, seed=1)


@pytest.mark.faults
def test_200_kills_lose_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    steps = compare_with_an_undisturbed_run(tmp_path, kills=200, seed=2)
    with capsys.disabled():
        print(f"\n200 kills in {steps} steps: bit for bit the run that was never killed")
