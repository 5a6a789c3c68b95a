"""Writes ``tests/ops/fixtures/loops.json``: what TensorFlow 1.15 gives for programs with loops, cells and layers.

Run it where TensorFlow 1.15 is installed:  python tests/oracle/make_loops_fixtures.py
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from oracle import fixture_file, programs, programs_layers, programs_loops, programs_rnn  # noqa: F401


def rounded(value):
    """Numbers to the six digits that float32 has, so that the file stays small."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, list):
        return [rounded(v) for v in value]
    return {k: rounded(v) for k, v in value.items()} if isinstance(value, dict) else value


def main():
    tf = fixture_file.tensorflow_115()
    found = {name: rounded(programs.run(tf, name)) for name in programs.PROGRAMS}
    fixture_file.write("ops/fixtures/loops.json", found)


if __name__ == "__main__":
    main()
