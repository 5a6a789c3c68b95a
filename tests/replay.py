"""Compares what this library gives for the programs in `oracle.programs` with what TensorFlow gave."""

import json
from pathlib import Path
from typing import Any

import pytest

import monitored as tf
from oracle import programs, programs_optimizers, programs_partitions, programs_scopes, programs_variables  # noqa: F401

_FIXTURES = json.loads((Path(__file__).parent / "fixtures" / "programs.json").read_text())


def names(*prefixes: str) -> list[str]:
    """The names of the programs that begin like one of the prefixes."""
    return [name for name in programs.PROGRAMS if name.startswith(prefixes)]


def check(name: str, relative: float = 2e-5, absolute: float = 1e-6) -> None:
    """Runs a program and compares.

    Messages may say more than TensorFlow's at the end.
    """
    _same(programs.run(tf, name), _FIXTURES[name], "", relative, absolute)


def _same(got: Any, want: Any, place: str, relative: float, absolute: float) -> None:
    if isinstance(want, dict):
        assert sorted(got) == sorted(want), f"{place}: {got} != {want}"
        for key in want:
            _same(got[key], want[key], f"{place}/{key}", relative, absolute)
    elif isinstance(want, list):
        assert isinstance(got, list), f"{place}: {got} != {want}"
        assert len(got) == len(want), f"{place}: {got} != {want}"
        for index, (one, other) in enumerate(zip(got, want, strict=True)):
            _same(one, other, f"{place}/{index}", relative, absolute)
    elif isinstance(want, float):
        assert got == pytest.approx(want, rel=relative, abs=absolute), place
    elif isinstance(want, str):
        assert str(got).startswith(want), f"{place}: {got!r} != {want!r}"
    else:
        assert got == want, f"{place}: {got!r} != {want!r}"
