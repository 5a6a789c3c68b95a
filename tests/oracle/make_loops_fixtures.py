"""Writes ``tests/ops/fixtures/loops.json``: what TensorFlow 1.15 gives for programs with loops, cells and layers.

Run it where TensorFlow 1.15 is installed:  python tests/oracle/make_loops_fixtures.py
"""

import json
import os
import sys
import warnings

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
warnings.simplefilter("ignore")
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import tensorflow as tf  # noqa: E402

from oracle import programs, programs_layers, programs_loops, programs_rnn  # noqa: E402, F401


def rounded(value):
    """Numbers to the six digits that float32 has, so that the file stays small."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, list):
        return [rounded(v) for v in value]
    return {k: rounded(v) for k, v in value.items()} if isinstance(value, dict) else value


def main():
    assert tf.__version__.startswith("1.15"), tf.__version__
    tf.compat.v1.logging.set_verbosity("FATAL")
    found = {name: rounded(programs.run(tf, name)) for name in programs.PROGRAMS}
    target = os.path.join(os.path.dirname(HERE), "ops", "fixtures", "loops.json")
    with open(target, "w") as file:
        lines = [f"{json.dumps(k)}: {json.dumps(v, sort_keys=True)}" for k, v in sorted(found.items())]
        file.write("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{len(found)} programs, {os.path.getsize(target) // 1000} kB")


if __name__ == "__main__":
    main()
