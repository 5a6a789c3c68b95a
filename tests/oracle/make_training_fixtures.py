"""Writes ``tests/fixtures/training.json``: what TensorFlow 1.15 gives for the programs of `training_programs.py`.

Run it where TensorFlow 1.15 is installed:  python tests/oracle/make_training_fixtures.py
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from oracle import (  # noqa: F401
    fixture_file,
    programs,
    training_programs,
    training_programs_hooks,
    training_programs_host,
    training_programs_queues,
    training_programs_supervisor,
    training_programs_threads,
)


def main():
    tf = fixture_file.tensorflow_115()
    wanted = [name for name in programs.PROGRAMS if name.startswith(training_programs.PREFIXES)]
    fixture_file.write("fixtures/training.json", {name: training_programs.run(tf, name) for name in wanted})


if __name__ == "__main__":
    main()
