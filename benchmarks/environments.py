"""The Python environments of the targets: this one, and one for each TensorFlow, made when first needed."""

import glob
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = {
    "tf2": ["tensorflow-cpu==2.21.*"],
    # 1.15.5 runs with no later numpy and protobuf than these.
    "tf1": ["tensorflow==1.15.5", "numpy<1.19", "protobuf<3.21"],
}


def find_python37() -> str | None:
    """Returns a Python 3.7 that runs: $PYTHON37, one on the PATH, or one of pyenv's."""
    pyenv = os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))
    candidates = [os.environ.get("PYTHON37"), shutil.which("python3.7")]
    candidates += sorted(glob.glob(f"{pyenv}/versions/3.7.*/bin/python"))
    check = ["-c", "import sys; sys.exit(sys.version_info[:2] != (3, 7))"]
    for python in filter(None, candidates):
        if subprocess.run([python, *check], capture_output=True).returncode == 0:
            return python
    return None


def python_for(target: str) -> str:
    """Returns the interpreter of a target, whose environment is made if it is not there.

    Raises:
        RuntimeError: The environment cannot be made; the message is one line and says why.
    """
    if target not in REQUIREMENTS:
        return sys.executable
    folder = ROOT / f".venv-{target}"
    python, stamp = folder / "bin" / "python", folder / ".made"
    requirements = " ".join(REQUIREMENTS[target])
    if stamp.exists() and stamp.read_text() == requirements:
        return str(python)
    base = find_python37() if target == "tf1" else sys.executable
    if base is None:
        raise RuntimeError("TensorFlow 1.15 needs a Python 3.7, and none was found; PYTHON37 can name one")
    print(f"Making {folder.name} with {requirements}; this takes a few minutes, once.", file=sys.stderr)
    pip = [str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    for command in ([base, "-m", "venv", "--clear", str(folder)], [*pip, *REQUIREMENTS[target]]):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise RuntimeError(f"{folder.name} could not be made: {reason}")
    stamp.write_text(requirements)
    return str(python)


if __name__ == "__main__":
    try:
        print(python_for(sys.argv[1]))
    except RuntimeError as error:
        sys.exit(str(error))
