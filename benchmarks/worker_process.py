"""A process that measures one target, and is told what to do line by line."""

import os
import subprocess
import tempfile


class WorkerProcess:
    """A script in its process, which has said its version when the constructor returns.

    Args:
        python: The interpreter.
        script: The script; it answers each line with one line.
        arguments: What the script is given.

    Raises:
        RuntimeError: If the process ends instead, with the last line of what it said on its way.
    """

    def __init__(self, python: str, script: str | os.PathLike[str], *arguments: str) -> None:
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - `close` closes it
        self._process = subprocess.Popen(
            [python, "-W", "ignore", os.fspath(script), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        )
        self.version = self._answer()

    def ask(self, what: str | int) -> float:
        """Sends a line, and returns the number that is the answer."""
        assert self._process.stdin is not None
        print(what, file=self._process.stdin, flush=True)
        return float(self._answer())

    def close(self) -> None:
        """Lets the process end, and waits for it."""
        self._process.communicate()
        self._errors.close()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        if not line:
            self._process.wait()
            self._errors.seek(0)
            raise RuntimeError((self._errors.read().strip().splitlines() or ["it ended without a word"])[-1])
        return line
