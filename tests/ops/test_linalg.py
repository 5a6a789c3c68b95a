"""Products of matrices, diagonals and decompositions, beside what TensorFlow 1.15 gave (``tests/oracle/make_math_array_cases.py``)."""

import pytest

import monitored as tf
from oracle import replay_cases
from oracle.cases import CASES

RECORDED = replay_cases.Recorded()


@pytest.mark.parametrize("name", replay_cases.cases_of("linalg"))
def test_graph(name: str) -> None:
    for level, record in RECORDED.records[name].items():
        replay_cases.check_graph(tf, CASES[name], level, record)


@pytest.mark.parametrize("level", ["known", "unknown"])
@pytest.mark.parametrize("part", range(20))
def test_values(level: str, part: int) -> None:
    parts = replay_cases.runs_of("linalg", RECORDED, level)
    if part < len(parts):
        assert not replay_cases.check_values(tf, parts[part], RECORDED, level)
