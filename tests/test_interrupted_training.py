"""The digits example as a user runs it: killed, interrupted, and started again."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import monitored as tf

EXAMPLE = Path(__file__).parents[1] / "examples" / "digits.py"
STEPS = 420  # saves at 0, 200, 400 and at the end


class Training:
    """One process that runs the example, read line by line."""

    def __init__(self, folder: Path, steps: int = STEPS) -> None:
        command = [sys.executable, str(EXAMPLE), "--checkpoint-dir", str(folder), "--steps", str(steps)]
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        self.lines: list[str] = []

    def _read(self) -> Iterator[str]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            yield line

    def until(self, text: str) -> None:
        """Reads until a line has the text."""
        if not any(text in line for line in self._read()):
            pytest.fail(f"ended without {text!r}:\n{''.join(self.lines)}")

    def finish(self) -> tuple[int, str]:
        """Reads to the end, and gives the exit code and everything that was printed."""
        for _ in self._read():
            pass
        assert self.process.stdout is not None
        self.process.stdout.close()
        return self.process.wait(), "".join(self.lines)


def variables(folder: Path) -> dict[str, np.ndarray]:
    """The variables and random streams in the newest checkpoint of a folder, without the hooks' clocks."""
    newest = tf.train.latest_checkpoint(str(folder))
    assert newest is not None
    reader = tf.train.load_checkpoint(newest)
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map() if "/state/" not in name}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    folder = tmp_path_factory.mktemp("undisturbed")
    code, text = Training(folder).finish()
    assert code == 0, text
    return variables(folder)


def test_a_killed_run_resumes_and_ends_bit_for_bit_like_one_never_killed(
    tmp_path: Path, undisturbed: dict[str, np.ndarray]
) -> None:
    killed = Training(tmp_path)
    killed.until("Saving checkpoints for 400")  # which is being written, or has been
    killed.process.send_signal(signal.SIGKILL)
    code, _ = killed.finish()
    assert code == -signal.SIGKILL

    code, text = Training(tmp_path).finish()
    assert code == 0, text
    assert re.search(rf"resumed at step (200|400) from the last checkpoint in {re.escape(str(tmp_path))}", text), text
    assert f"step {STEPS}: " in text
    found = variables(tmp_path)
    assert found.keys() == undisturbed.keys()
    for name, value in undisturbed.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


def test_ctrl_c_saves_says_so_and_exits_with_130(tmp_path: Path, undisturbed: dict[str, np.ndarray]) -> None:
    interrupted = Training(tmp_path)
    interrupted.until("Saving checkpoints for 200")
    interrupted.process.send_signal(signal.SIGINT)
    code, text = interrupted.finish()
    assert code == 130, text
    assert f"stopped by Ctrl-C and saved in {tmp_path}" in text
    stopped_at = int(variables(tmp_path)["global_step"])
    assert 200 <= stopped_at < STEPS

    code, text = Training(tmp_path).finish()
    assert code == 0, text
    assert f"resumed at step {stopped_at} from the last checkpoint" in text
    for name, value in undisturbed.items():
        np.testing.assert_array_equal(variables(tmp_path)[name], value, err_msg=name)


def test_a_finished_run_says_so_and_only_evaluates(tmp_path: Path) -> None:
    assert Training(tmp_path, steps=3).finish()[0] == 0
    before = sorted(path.name for path in tmp_path.glob("model.ckpt*"))
    code, text = Training(tmp_path, steps=3).finish()
    assert code == 0, text
    assert "already trained for 3 steps" in text
    assert sorted(path.name for path in tmp_path.glob("model.ckpt*")) == before
