"""Compares what this library gives for the programs in `oracle.training_programs` with what TensorFlow gave."""

import json
from pathlib import Path

import monitored as tf
import replay
from oracle import (  # noqa: F401
    programs,
    training_programs,
    training_programs_hooks,
    training_programs_host,
    training_programs_queues,
    training_programs_supervisor,
    training_programs_threads,
)

_FIXTURES = json.loads((Path(__file__).parent / "fixtures" / "training.json").read_text())


def names(*prefixes: str) -> list[str]:
    """The names of the programs that begin like one of the prefixes."""
    return [name for name in programs.PROGRAMS if name.startswith(prefixes)]


def check(name: str) -> None:
    """Runs a program and compares; messages may say more than TensorFlow's at the end."""
    replay._same(training_programs.run(tf, name), _FIXTURES[name], "", 1e-12, 0.0)
