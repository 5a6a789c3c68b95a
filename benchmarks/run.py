"""Times this project beside bare `jax.jit` and TensorFlow: the same work, in one run, on one machine.

    make bench
    make bench BENCH="--models mlp --targets jax monitored --rounds 15"

The targets take turns in short rounds (A B C A B C ...), each in a process of its own, since a machine that
others use can drift by half within a minute: a time here is a median over the rounds, and a ratio is the
median of the ratios within each round. What is printed is markdown, for docs/performance.md.

A new model is a new file in models/; worker.py says what it has to hold.
"""

import argparse
import functools
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from environments import python_for
from worker_process import WorkerProcess

HERE = Path(__file__).resolve().parent
SMALLEST = "linear"  # the model whose steps are next to nothing but machinery
MODELS = sorted((path.stem for path in (HERE / "models").glob("*.py")), key=lambda stem: (stem != SMALLEST, stem))
NAMES = {"jax": "jax", "monitored": "monitored", "tf2": "TensorFlow 2", "tf1": "TensorFlow 1.15"}
MODULES = {"jax": "jax", "monitored": "monitored", "tf2": "tensorflow", "tf1": "tensorflow"}
WAYS = {
    "bare": ".jit",
    "session": ", Session",
    **{hooks: f", SingularMonitoredSession with {hooks} hooks" for hooks in ("0", "4", "20")},
    "steps": ", run_steps with 4 hooks, the same feeds in each step",
    "feeds": ", run_steps with 4 hooks, feeds for each step",
    "import": "",
}
SECONDS_PER_ROUND = 0.25

Pythons = Mapping[str, str]  # the interpreter of each target


@dataclass(frozen=True)
class Row:
    """One line of a table: a target, and the way in which it is used."""

    target: str
    way: str

    def __str__(self) -> str:
        return NAMES[self.target] + WAYS[self.way]


class Worker(WorkerProcess):
    """A `worker.py` in its process, which has trained its first step when the constructor returns."""

    def __init__(self, python: str, row: Row, model: str) -> None:
        start = time.perf_counter()
        super().__init__(python, HERE / "worker.py", row.target, row.way, model)
        self.seconds_to_first_step = time.perf_counter() - start

    def seconds_per_step(self, steps: int) -> float:
        """Trains `steps` steps and returns the seconds that each took."""
        return self.ask(steps) / steps

    def steps_in(self, seconds: float) -> int:
        """Trains until the first steps, which are slow, count for little; returns how many there are in that time."""
        steps = 5
        self.ask(steps)  # compiles them, which may take longer than a round
        while (taken := self.ask(steps)) < seconds / 4:
            steps *= 2
        return max(5, int(seconds / taken * steps))

    def peak_memory(self) -> float:
        """Returns the most memory that the process has held, in bytes."""
        return self.ask("peak")


Takes = dict[Any, Callable[[], float]]  # row -> what measures it once, in seconds
Times = dict[Any, list[float]]  # the seconds of each round


def take_turns(takes: Takes, rounds: int, label: str) -> Times:
    """Measures every row in each round, after a round that is not counted: it fills the caches."""
    times: Times = {row: [] for row in takes}
    for i in range(rounds + 1):
        show_progress(f"{label}: round {i} of {rounds}")
        for row, take in takes.items():
            times[row].append(take())
    show_progress("")
    return {row: taken[1:] for row, taken in times.items()}


def show_progress(text: str) -> None:
    """Shows what is being done on the terminal's last line, which the next text replaces."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


Bases = Mapping[str, Callable[[Any], Any]]  # the head of a column of ratios, and what each row is compared with
BASES: Bases = {
    "× jax": lambda row: Row("jax", "import" if row.way == "import" else "bare"),
    "× monitored": lambda row: Row("monitored", row.way),
}


def table(title: str, unit: str, times: Times, bases: Bases = BASES) -> str:
    """Formats the medians, and the ratios to other rows: to bare JAX, and to this project used in the same way."""
    scale = {"s": 1.0, "ms": 1e3, "µs": 1e6}[unit]

    def ratio(row: Row, base: Row) -> str:
        if base not in times:
            return ""
        return f"{statistics.median(a / b for a, b in zip(times[row], times[base], strict=True)):.2f}"

    lines = [(title, unit, *bases)]
    for row, taken in times.items():
        median = f"{scale * statistics.median(taken):.4g}"
        lines.append((str(row), median, *(ratio(row, base(row)) for base in bases.values())))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]

    def cells(line: Iterable[str]) -> str:
        first, *rest = map(str.ljust, line, widths)
        return " | ".join([first, *(text.strip().rjust(len(text)) for text in rest)])

    rule = "-" * widths[0] + "".join(f" | {'-' * (width - 1)}:" for width in widths[1:])
    head, *body = map(cells, lines)
    return "\n".join(f"| {line} |" for line in (head, rule, *body))


def matrix(title: str, pythons: Pythons, values: Mapping[str, Mapping[str, float]]) -> str:
    """Formats one number for each model and target."""
    lines = [
        f"| {title} | {' | '.join(NAMES[target] for target in pythons)} |",
        f"| --- |{' ---: |' * len(pythons)}",
    ]
    for model, of_targets in values.items():
        lines.append(f"| {model} | {' | '.join(f'{of_targets[target]:.4g}' for target in pythons)} |")
    return "\n".join(lines)


def time_steps(pythons: Pythons, model: str, rounds: int) -> tuple[str, dict[str, float]]:
    """Times the training steps of one model: each target, with and without hooks.

    Returns:
        The table, and each target's peak memory in the fullest way, in MB.
    """
    rows = [Row(target, way) for target in pythons for way in ways(target)]
    times, peaks = time_rows(pythons, rows, model, rounds)
    megabytes = {target: peaks[Row(target, ways(target)[-1])] / 1e6 for target in pythons}
    return table(f"{model}: one step", "µs", times), megabytes


def time_hooks(pythons: Pythons, rounds: int) -> str:
    """Times what hooks cost that are not due."""
    rows = [Row(target, hooks) for target in pythons if target != "jax" for hooks in ("0", "4", "20")]
    bases: Bases = {"× 0 hooks": lambda row: Row(row.target, "0"), "× monitored": BASES["× monitored"]}
    times, _ = time_rows(pythons, rows, SMALLEST, rounds)
    return table(f"{SMALLEST}: hooks that are not due", "µs", times, bases)


def time_many_steps(pythons: Pythons, rounds: int) -> str:
    """Times steps that are taken in one call beside steps that are taken one by one."""
    rows = [Row("monitored", way) for way in ("4", "feeds", "steps")]
    bases: Bases = {"× one by one": lambda row: Row(row.target, "4")}
    times, _ = time_rows(pythons, rows, SMALLEST, rounds)
    return table(f"{SMALLEST}: many steps in one call", "µs", times, bases)


def time_rows(pythons: Pythons, rows: Iterable[Row], model: str, rounds: int) -> tuple[Times, dict[Row, float]]:
    """Times the training steps of one model.

    Returns:
        The times, and the peak memory of each row's process in bytes.
    """
    workers: dict[Row, Worker] = {}
    takes: Takes = {}
    try:
        for row in rows:
            workers[row] = Worker(pythons[row.target], row, model)
            takes[row] = functools.partial(workers[row].seconds_per_step, workers[row].steps_in(SECONDS_PER_ROUND))
        times = take_turns(takes, rounds, model)
        return times, {row: worker.peak_memory() for row, worker in workers.items()}
    finally:
        for worker in workers.values():
            worker.close()


def time_first_steps(pythons: Pythons, models: Iterable[str], rounds: int) -> str:
    """Times what a user waits for: from the start of the process to the end of the first step."""

    def take(row: Row, model: str) -> float:
        worker = Worker(pythons[row.target], row, model)
        worker.close()
        return worker.seconds_to_first_step

    found: dict[str, dict[str, float]] = {}
    for model in models:
        takes = {row: functools.partial(take, row, model) for row in (Row(t, ways(t)[-1]) for t in pythons)}
        times = take_turns(takes, rounds, f"{model}: start to first step")
        found[model] = {row.target: statistics.median(taken) for row, taken in times.items()}
    return matrix("start to first step, s", pythons, found)


def time_import(pythons: Pythons, rounds: int) -> str:
    """Times the import, in a new process each time."""

    def take(target: str) -> float:
        code = f"import time; t = time.perf_counter(); import {MODULES[target]}; print(time.perf_counter() - t)"
        done = subprocess.run([pythons[target], "-c", code], capture_output=True, text=True, check=True)
        return float(done.stdout)

    takes = {Row(target, "import"): functools.partial(take, target) for target in pythons}
    return table("import", "ms", take_turns(takes, rounds, "import"))


def ways(target: str) -> list[str]:
    """Returns the ways in which a target trains, the fullest last."""
    return ["bare"] if target == "jax" else ["session", "4"]


def usable(targets: Iterable[str], chosen: Pythons) -> tuple[dict[str, str], list[str]]:
    """Tries each target on one step, and says what it found.

    Returns:
        The interpreters of the targets that work, and a line about each target.
    """
    pythons, lines = {}, []
    for target in targets:
        try:
            python = chosen.get(target) or python_for(target)
            worker = Worker(python, Row(target, ways(target)[-1]), SMALLEST)
        except RuntimeError as error:
            lines.append(f"- {NAMES[target]}: skipped: {error}")
        else:
            worker.close()
            pythons[target] = python
            lines.append(f"- {NAMES[target]}: {worker.version}")
    return pythons, lines


def processor() -> str:
    """Returns the processor's name, where the system says it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def main() -> int:
    parser = argparse.ArgumentParser(description="Time this project beside bare jax.jit and TensorFlow.")
    option = parser.add_argument
    option("--models", nargs="+", choices=MODELS, default=MODELS, metavar="MODEL", help=", ".join(MODELS))
    option("--targets", nargs="+", choices=NAMES, default=[*NAMES], metavar="TARGET", help=", ".join(NAMES))
    option("--rounds", type=int, default=9, help="default: 9")
    option("--start-rounds", type=int, default=3, help="of starts to the first step; 0 leaves them out; default: 3")
    option("--python", nargs="+", default=[], metavar="TARGET=PATH", help="interpreters to use as they are")
    args = parser.parse_args()

    pythons, lines = usable(args.targets, dict(choice.split("=", 1) for choice in args.python))
    print(f"{processor()}, {os.cpu_count()} processors, Python {platform.python_version()}, {args.rounds} rounds\n")
    print("\n".join(lines))
    print(f"\nload average {os.getloadavg()[0]:.1f}")
    peaks: dict[str, dict[str, float]] = {}
    for model in args.models:
        text, peaks[model] = time_steps(pythons, model, args.rounds)
        print(f"\n{text}", flush=True)
    print(f"\n{matrix('peak memory, MB', pythons, peaks)}", flush=True)
    if set(pythons) - {"jax"} and SMALLEST in args.models:
        print(f"\n{time_hooks(pythons, args.rounds)}", flush=True)
    if "monitored" in pythons:
        print(f"\n{time_many_steps(pythons, args.rounds)}", flush=True)
    if args.start_rounds:
        print(f"\n{time_first_steps(pythons, args.models, args.start_rounds)}", flush=True)
        print(f"\n{time_import(pythons, args.rounds)}", flush=True)
    return 0 if "monitored" in pythons or "monitored" not in args.targets else 1


if __name__ == "__main__":
    sys.exit(main())
