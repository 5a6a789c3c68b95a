"""Compares what this library gives for the programs on graphs and sessions with what TensorFlow gave."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import monitored as tf
from oracle import programs, programs_graph, programs_monitored, programs_placement, programs_session  # noqa: F401

_FIXTURES = json.loads((Path(__file__).parent / "fixtures" / "graph_session.json").read_text())


def names(prefix: str) -> list[str]:
    """The names of the programs that begin like this."""
    return [name for name in programs.PROGRAMS if name.startswith(prefix)]


def differences(name: str) -> dict[str, Any]:
    """What differs, by its place in what the program shows. Messages may say more than TensorFlow's at the end."""
    return dict(_differences(programs.run(tf, name), _FIXTURES[name], ""))


def _differences(got: Any, want: Any, place: str) -> Iterator[tuple[str, Any]]:
    if isinstance(want, dict) and isinstance(got, dict) and sorted(got) == sorted(want):
        for key in want:
            yield from _differences(got[key], want[key], f"{place}/{key}")
    elif isinstance(want, list) and isinstance(got, list) and len(got) == len(want):
        for index, (one, other) in enumerate(zip(got, want, strict=True)):
            yield from _differences(one, other, f"{place}/{index}")
    elif isinstance(want, float) and isinstance(got, float):
        if abs(got - want) > 1e-5 * abs(want):
            yield place, got
    elif isinstance(want, str) and isinstance(got, str):
        if not got.startswith(want):
            yield place, got
    elif got != want:
        yield place, got


def begin_alike(found: dict[str, Any], told: dict[str, Any]) -> bool:
    """Whether the differences found are those told, whose texts need only begin alike."""
    assert sorted(found) == sorted(told), f"differs: {found}; told: {told}"
    for place, value in told.items():
        rest = dict(_differences(found[place], value, place))
        assert not rest, f"{rest} instead of {value}"
    return True
