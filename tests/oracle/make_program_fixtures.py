"""Writes ``tests/fixtures/programs.json``: what TensorFlow 1.15 gives for each program.

Run it where TensorFlow 1.15 is installed:  python tests/oracle/make_program_fixtures.py
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from oracle import (  # noqa: F401
    fixture_file,
    programs,
    programs_optimizers,
    programs_partitions,
    programs_scopes,
    programs_variables,
)


def main():
    tf = fixture_file.tensorflow_115()
    fixture_file.write("fixtures/programs.json", {name: programs.run(tf, name) for name in programs.PROGRAMS})


if __name__ == "__main__":
    main()
