"""Writes ``tests/fixtures/training.json``: what TensorFlow 1.15 gives for the programs of `training_programs.py`.

Run it where TensorFlow 1.15 is installed:  python tests/oracle/make_training_fixtures.py
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

from oracle import (  # noqa: E402, F401
    programs,
    training_programs,
    training_programs_hooks,
    training_programs_host,
    training_programs_queues,
    training_programs_supervisor,
    training_programs_threads,
)


def main():
    assert tf.__version__.startswith("1.15"), tf.__version__
    tf.compat.v1.logging.set_verbosity("FATAL")
    wanted = [name for name in programs.PROGRAMS if name.startswith(training_programs.PREFIXES)]
    found = {name: training_programs.run(tf, name) for name in wanted}
    target = os.path.join(os.path.dirname(HERE), "fixtures", "training.json")
    with open(target, "w") as file:
        lines = [f"{json.dumps(k)}: {json.dumps(v, sort_keys=True)}" for k, v in sorted(found.items())]
        file.write("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{len(found)} programs, {os.path.getsize(target) // 1000} kB")


if __name__ == "__main__":
    main()
