"""Writes ``tests/fixtures/graph_session.json``: what TensorFlow 1.15 gives for programs on graphs and sessions.

Run it where TensorFlow 1.15 is installed:  python tests/oracle/make_graph_session_fixtures.py
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

from oracle import programs, programs_graph, programs_monitored, programs_placement, programs_session  # noqa: E402, F401


def main():
    assert tf.__version__.startswith("1.15"), tf.__version__
    tf.compat.v1.logging.set_verbosity("FATAL")
    wanted = [name for name in programs.PROGRAMS if name.startswith(("graph/", "session/", "monitored/"))]
    found = {name: programs.run(tf, name) for name in wanted}
    with open(os.path.join(os.path.dirname(HERE), "fixtures", "graph_session.json"), "w") as file:
        lines = [f"{json.dumps(k)}: {json.dumps(v, sort_keys=True)}" for k, v in sorted(found.items())]
        file.write("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
