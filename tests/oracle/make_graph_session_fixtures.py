"""Writes ``tests/fixtures/graph_session.json``: what TensorFlow 1.15 gives for programs on graphs and sessions.

Run it where TensorFlow 1.15 is installed:  python tests/oracle/make_graph_session_fixtures.py
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from oracle import (  # noqa: F401
    fixture_file,
    programs,
    programs_graph,
    programs_monitored,
    programs_placement,
    programs_session,
)


def main():
    tf = fixture_file.tensorflow_115()
    wanted = [name for name in programs.PROGRAMS if name.startswith(("graph/", "session/", "monitored/"))]
    fixture_file.write("fixtures/graph_session.json", {name: programs.run(tf, name) for name in wanted})


if __name__ == "__main__":
    main()
