"""Times building a graph of 10,000 operations and its first run beside TensorFlow: the same program, in one run.

    make bench-graphs
    make bench-graphs BENCH="--targets monitored tf1 --rounds 9"

The targets take turns as in `run.py`, each time in a new process. Here one starts with no executables kept, and once
more with those that the first one kept. What is printed is markdown, for docs/performance.md.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from environments import python_for
from graph_worker import PHASES
from run import NAMES, processor, show_progress, table

WORKER = Path(__file__).resolve().parent / "graph_worker.py"
TARGETS = {name: NAMES[name] for name in ("monitored", "tf2", "tf1")}
AGAIN = f"{NAMES['monitored']}, started again"


def measure(target: str, kept: str) -> dict[str, Any]:
    """Has a target build and run the graph in a new process.

    Args:
        target: The target.
        kept: The folder where executables are kept.

    Returns:
        What the worker answers.

    Raises:
        RuntimeError: It did not work; the message is one line and says why.
    """
    done = subprocess.run(
        [python_for(target), "-W", "ignore", str(WORKER), target],
        capture_output=True,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "JAX_COMPILATION_CACHE_DIR": kept},
    )
    if done.returncode != 0:
        raise RuntimeError((done.stderr.strip().splitlines() or ["it ended without a word"])[-1])
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def measure_round(targets: list[str]) -> dict[str, dict[str, Any]]:
    """Measures each target once, in turn, and this project twice."""
    found = {}
    with tempfile.TemporaryDirectory() as kept:
        for target in targets:
            found[TARGETS[target]] = measure(target, kept)
        if "monitored" in targets:
            found[AGAIN] = measure("monitored", kept)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description="Time building a large graph and its first run beside TensorFlow.")
    option = parser.add_argument
    option("--targets", nargs="+", choices=TARGETS, default=[*TARGETS], metavar="TARGET", help=", ".join(TARGETS))
    option("--rounds", type=int, default=5, help="default: 5")
    args = parser.parse_args()
    print(f"{processor()}, {os.cpu_count()} processors, Python {platform.python_version()}, {args.rounds} rounds\n")
    rounds = []
    for i in range(args.rounds):
        show_progress(f"round {i + 1} of {args.rounds}")
        rounds.append(measure_round(args.targets))
    show_progress("")
    for row, answer in rounds[0].items():
        if row != AGAIN:
            print(f"- {row}: {answer['version']}, {answer['operations']} operations")
    for phase in PHASES:
        times = {row: [answers[row]["seconds"][phase] for answers in rounds] for row in rounds[0]}
        print(f"\n{table(f'large graph: {phase}', 'ms', times, {'× TensorFlow 1.15': lambda row: NAMES['tf1']})}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
