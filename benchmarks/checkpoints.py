"""Times saving and restoring beside TensorFlow's Saver and Orbax: the same values, in one run, on one machine.

    make bench-checkpoints
    make bench-checkpoints BENCH="--targets monitored tf1 --rounds 15"

The targets take turns as in `run.py`. What is printed is markdown, for docs/performance.md.
"""

import argparse
import functools
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from environments import python_for
from run import NAMES, processor, table, take_turns
from worker_process import WorkerProcess

WORKER = Path(__file__).resolve().parent / "checkpoint_worker.py"
RESTART = Path(__file__).resolve().parent / "restart_worker.py"
TARGETS = {"monitored": NAMES["monitored"], "tf2": NAMES["tf2"], "tf1": NAMES["tf1"], "orbax": "Orbax"}
SIZES = {"10 kB": 10_000, "100 MB": 100_000_000, "800 MB": 800_000_000}
FIRST = "first_restore"
WHAT = {
    "stall": ("what the step that saves takes longer", ["10 kB", "100 MB"]),
    "loop": ("what a save adds to the loop in all", ["10 kB", "100 MB"]),
    "durable": ("a save, until it is on the disk", ["10 kB", "100 MB"]),
    "restore": ("a restore over other values", ["10 kB", "100 MB", "800 MB"]),
    "restore_new": ("a restore into a new session", ["10 kB", "100 MB", "800 MB"]),
    FIRST: ("the first restore of a process", ["100 MB", "800 MB"]),
}


def start_worker(target: str, size: str, folder: str) -> WorkerProcess:
    """Starts a `checkpoint_worker.py`, which answers what it is asked to do with the seconds that it took."""
    folder = os.path.join(folder, target, size)
    os.makedirs(folder, exist_ok=True)
    return WorkerProcess(python_for(target), WORKER, target, str(SIZES[size]), folder)


def first_restore(target: str, size: str, folder: str) -> float:
    """Times what a process takes that restores what another one has saved, as after every start."""
    worker = start_worker(target, size, folder)
    try:
        return worker.ask("restore_new")
    finally:
        worker.close()


def usable(targets: list[str], folder: str) -> list[str]:
    """Tries each target, says what it found, and returns those that work."""
    found = []
    for target in targets:
        try:
            worker = start_worker(target, "10 kB", os.path.join(folder, "tried"))
        except RuntimeError as error:
            print(f"- {TARGETS[target]}: skipped: {error}")
        else:
            worker.close()
            found.append(target)
            print(f"- {TARGETS[target]}: {worker.version}")
    return found


def time_size(targets: list[str], size: str, rounds: int, folder: str) -> None:
    """Times everything for one size, and prints the tables."""
    workers: dict[str, WorkerProcess] = {}
    try:
        for target in targets:
            workers[target] = start_worker(target, size, folder)
        for what, (title, sizes) in WHAT.items():
            if size in sizes:
                takes = {TARGETS[t]: functools.partial(worker.ask, what) for t, worker in workers.items()}
                if what == FIRST:
                    takes = {TARGETS[t]: functools.partial(first_restore, t, size, folder) for t in workers}
                times = take_turns(takes, rounds, f"{size}: {what}")
                print(
                    f"\n{table(f'{size}: {title}', 'ms', times, {'× monitored': lambda row: 'monitored'})}", flush=True
                )
    finally:
        for worker in workers.values():
            worker.close()


def time_restart(targets: list[str], rounds: int) -> None:
    """Times what a kill costs: from the start of the next process to its first step. Each round kills once more."""
    with tempfile.TemporaryDirectory() as folder:

        def take(target: str) -> float:
            command = [python_for(target), "-W", "ignore", str(RESTART), target, os.path.join(folder, target)]
            # Executables are kept in the same folder, so that only the rounds before make them warm.
            env = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "XDG_CACHE_HOME": folder}
            start = time.perf_counter()
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
            with subprocess.Popen(command, env=env, text=True, **pipes) as process:
                assert process.stdout is not None
                line = process.stdout.readline()
                taken = time.perf_counter() - start
                time.sleep(0.3)  # it saves every ten steps
                process.kill()
            if line != "step\n":
                raise RuntimeError(f"{TARGETS[target]} did not start again")
            return taken

        takes = {TARGETS[t]: functools.partial(take, t) for t in targets if t != "orbax"}
        times = take_turns(takes, rounds, "restart")
    title = "digits, killed: start to first step"
    print(f"\n{table(title, 'ms', times, {'× monitored': lambda row: 'monitored'})}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description="Time saving and restoring beside TensorFlow and Orbax.")
    option = parser.add_argument
    option("--sizes", nargs="*", choices=SIZES, default=[*SIZES], metavar="SIZE", help=", ".join(SIZES))
    option("--targets", nargs="+", choices=TARGETS, default=[*TARGETS], metavar="TARGET", help=", ".join(TARGETS))
    option("--rounds", type=int, default=9, help="default: 9")
    args = parser.parse_args()
    print(f"{processor()}, {os.cpu_count()} processors, Python {platform.python_version()}, {args.rounds} rounds\n")
    with tempfile.TemporaryDirectory() as folder:
        targets = usable(args.targets, folder)
        for size in args.sizes:
            time_size(targets, size, args.rounds, folder)
    time_restart(targets, args.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
