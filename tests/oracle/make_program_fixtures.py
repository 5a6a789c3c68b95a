"""Writes ``tests/fixtures/programs.json``: what TensorFlow 1.15 gives for each program.

Run it where TensorFlow 1.15 is installed:  python tests/oracle/make_program_fixtures.py
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

from oracle import programs, programs_optimizers, programs_partitions, programs_scopes, programs_variables  # noqa: E402, F401


def main():
    assert tf.__version__.startswith("1.15"), tf.__version__
    tf.compat.v1.logging.set_verbosity("FATAL")
    found = {name: programs.run(tf, name) for name in programs.PROGRAMS}
    target = os.path.join(os.path.dirname(HERE), "fixtures", "programs.json")
    if not os.path.isdir(os.path.dirname(target)):
        os.makedirs(os.path.dirname(target))
    with open(target, "w") as file:
        lines = [f"{json.dumps(k)}: {json.dumps(v, sort_keys=True)}" for k, v in sorted(found.items())]
        file.write("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{len(found)} programs, {os.path.getsize(target) // 1000} kB")


if __name__ == "__main__":
    main()
