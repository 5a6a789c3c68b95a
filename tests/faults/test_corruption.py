"""Every byte of every file of a directory of checkpoints, damaged in turn (`make test-faults`)."""

from pathlib import Path
from typing import Any

import pytest

from checkpoint.corruption import Directory

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def directory(tmp_path_factory: Any) -> Directory:
    return Directory(tmp_path_factory.mktemp("checkpoints"))


FILES = [
    *("checkpoint", "m-1.index", "m-2.index", "m-2.data-00000-of-00002", "m-2.data-00001-of-00002"),
    *("v1.ckpt-3-00000-of-00002", "v1.ckpt-3-00001-of-00002"),
]


@pytest.mark.parametrize("name", FILES)
def test_every_bit_of_a_file_turned_over(directory: Directory, name: str) -> None:
    whole = directory.content[name]
    for position in range(len(whole)):
        for bit in range(8):
            flipped = bytearray(whole)
            flipped[position] ^= 1 << bit
            with directory.damaged(name, bytes(flipped)):
                directory.check(name)


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_off_at_every_length(directory: Directory, name: str) -> None:
    whole = directory.content[name]
    for length in range(len(whole)):
        with directory.damaged(name, whole[:length]):
            directory.check(name)


@pytest.mark.parametrize("name", FILES)
def test_every_sector_of_a_file_lost_or_stale(directory: Directory, name: str) -> None:
    whole = directory.content[name]
    for other in (bytes(len(whole)), directory.content["m-1.index"]):
        for start in range(len(whole)):
            for length in (8, 64):
                middle = other[start : start + length]
                with directory.damaged(name, whole[:start] + middle + whole[start + len(middle) :]):
                    directory.check(name)


@pytest.mark.parametrize("name", FILES)
def test_a_file_missing_or_in_place_of_another(directory: Directory, name: str) -> None:
    for other in directory.content.values():
        with directory.damaged(name, other):
            directory.check(name)
    path: Path = directory.path / name
    path.unlink()
    directory.check(name)
    path.mkdir()
    directory.check(name)
    path.rmdir()
    path.write_bytes(directory.content[name])
    directory.check(name)
