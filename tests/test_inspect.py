"""`python -m monitored inspect`: what is in a checkpoint, whether it is whole, and how two differ."""

import json
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from monitored.__main__ import main
from monitored._checkpoint import BundleWriter, update_checkpoint_state, write_bundle
from monitored._checkpoint.table import decode_table, encode_table

FIXTURES = Path(__file__).parent / "checkpoint" / "fixtures"
STATE = {
    "dense/kernel": np.array([[3.0, 0.0], [0.0, 4.0]], np.float32),
    "half": np.array([1, 2, 2], ml_dtypes.bfloat16),
    "odd": np.array([np.nan, 3.0, -np.inf]),
    "global_step": np.int64(7),
    "words": np.array([b"ab", b"c"], object),
}


def look(capsys: Any, *arguments: Path | str) -> tuple[int, str]:
    """Exit code and what was printed."""
    code = main(["inspect", *map(str, arguments)])
    printed = capsys.readouterr()
    return code, printed.out + printed.err


def as_json(capsys: Any, *arguments: Path | str) -> tuple[int, dict[str, Any]]:
    code, text = look(capsys, *arguments, "--json")
    return code, json.loads(text)


def named(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {tensor["name"]: tensor for tensor in found["tensors"]}


def flip(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


def test_everything_in_a_checkpoint_is_told(tmp_path: Path, capsys: Any) -> None:
    write_bundle(tmp_path / "m", STATE)
    code, found = as_json(capsys, tmp_path / "m")
    tensors = named(found)
    assert code == 0
    assert found["whole"]
    assert found["format"] == "V2"
    assert [(Path(file["path"]).name, file["size"] > 0) for file in found["files"]] == [
        ("m.index", True),
        ("m.data-00000-of-00001", True),
    ]
    assert {name: (one["dtype"], tuple(one["shape"]), one["size"]) for name, one in tensors.items()} == {
        "dense/kernel": ("float32", (2, 2), 16),
        "half": ("bfloat16", (3,), 6),
        "odd": ("float64", (3,), 24),
        "global_step": ("int64", (), 8),
        "words": ("string", (2,), 3),
    }
    assert {name: (one["norm"], one["non_finite"]) for name, one in tensors.items()} == {
        "dense/kernel": (5.0, 0),
        "half": (3.0, 0),
        "odd": (3.0, 2),
        "global_step": (7.0, 0),
        "words": (None, 0),
    }
    code, text = look(capsys, tmp_path / "m")
    assert code == 0
    for part in ("dense/kernel", "float32", "2 × 2", "16 B", "3 and 2 not finite", "5 tensors, 13 elements"):
        assert part in text
    assert text.rstrip().endswith("Every checksum holds.")


def test_the_tree_hash_is_shown_and_checked(tmp_path: Path, capsys: Any) -> None:
    write_bundle(tmp_path / "m", STATE)
    tree_hash = as_json(capsys, tmp_path / "m")[1]["tree_hash"]
    assert len(bytes.fromhex(tree_hash)) == 32
    assert f"tree hash {tree_hash[:12]}" in look(capsys, tmp_path / "m")[1]
    content = (tmp_path / "m.index").read_bytes()
    table = decode_table(content, "")
    del table[b"global_step"]
    (tmp_path / "m.index").write_bytes(encode_table(table.items()))
    code, text = look(capsys, tmp_path / "m")
    assert code == 1
    assert "the tree hash: " in text
    assert as_json(capsys, FIXTURES / "dtypes")[1]["tree_hash"] is None


def test_norms_neither_overflow_nor_vanish(tmp_path: Path, capsys: Any) -> None:
    values = {"large": np.full(4, 1e300), "small": np.full(4, 1e-300), "complex": np.full(1, 3e200 + 4e200j)}
    write_bundle(tmp_path / "m", {**values, "long": np.ones(3_000_000, np.int8)})
    found = named(as_json(capsys, tmp_path / "m")[1])
    norms = [found[name]["norm"] for name in ("large", "small", "complex", "long")]
    assert norms == pytest.approx([2e300, 2e-300, 5e200, 3e6**0.5], rel=1e-12)


@pytest.mark.parametrize("ending", [".index", ".data-00000-of-00001", ""])
def test_a_file_of_a_checkpoint_and_a_directory_stand_for_it(tmp_path: Path, ending: str, capsys: Any) -> None:
    for step in (1, 2):
        write_bundle(tmp_path / f"m-{step}", {"step": np.int64(step)})
    update_checkpoint_state(tmp_path, tmp_path / "m-2", [tmp_path / "m-1"])
    path = f"{tmp_path / 'm-2'}{ending}"
    for given in (path, tmp_path):
        assert named(as_json(capsys, given)[1])["step"]["norm"] == 2


def test_damage_is_named_with_its_tensor_and_the_exit_code_says_so(tmp_path: Path, capsys: Any) -> None:
    write_bundle(tmp_path / "m", STATE)
    flip(tmp_path / "m.data-00000-of-00001", 0)
    code, text = look(capsys, tmp_path / "m")
    assert code == 1
    assert "Damaged, 1 problem:\n  dense/kernel: " in text
    assert "Checksum does not match" in text
    code, found = as_json(capsys, tmp_path / "m")
    assert code == 1
    assert not found["whole"]
    assert [name for name, one in named(found).items() if one["problem"]] == ["dense/kernel"]
    (tmp_path / "m.data-00000-of-00001").unlink()
    code, text = look(capsys, tmp_path / "m")
    assert code == 1
    assert "Damaged, 5 problems" in text
    flip(tmp_path / "m.index", 20)
    code, text = look(capsys, tmp_path / "m")
    assert code == 1
    assert "m.index: block checksum mismatch" in text


@pytest.mark.parametrize(("name", "words"), [("none", "Failed to find"), ("", "has no checkpoint")])
def test_where_there_is_none_the_exit_code_is_another(tmp_path: Path, name: str, words: str, capsys: Any) -> None:
    code, text = look(capsys, tmp_path / name)
    assert code == 2
    assert words in text


@pytest.mark.parametrize("prefix", ["dtypes", "small_dtypes", "slices", "opaque", "v1", "v1.ckpt-3-?????-of-00002"])
def test_checkpoints_of_tensorflow_are_whole_and_equal_to_themselves(prefix: str, capsys: Any) -> None:
    code, text = look(capsys, FIXTURES / prefix)
    assert code == 0, text
    code, found = as_json(capsys, FIXTURES / prefix, FIXTURES / prefix)
    statuses = {one["status"] for one in found["tensors"]}
    assert statuses == ({"equal", "not read"} if prefix == "opaque" else {"equal"})


def test_every_way_to_differ_is_told(tmp_path: Path, capsys: Any) -> None:
    more = np.array([1, 2, 3], np.uint64)
    write_bundle(tmp_path / "a", {**STATE, "gone": np.int8(1), "many": more, "low": np.int64(-(2**63))})
    other = {
        "dense/kernel": STATE["dense/kernel"] + np.array([[0, 0.5], [0, -0.25]], np.float32),
        "half": STATE["half"].astype(np.float32),
        "odd": np.array([np.nan, np.nan, -np.inf]),
        "global_step": STATE["global_step"],
        "words": np.array([b"ab", b"d"], object),
        "come": np.int8(1),
        "many": more[:2],
        "low": np.int64(2**63 - 1),
    }
    write_bundle(tmp_path / "b", other)
    code, found = as_json(capsys, tmp_path / "a", tmp_path / "b")
    assert code == 1
    assert not found["equal"]
    assert {name: (one["status"], one["changed"], one["largest"]) for name, one in named(found).items()} == {
        "come": ("only in B", None, None),
        "dense/kernel": ("values", 2, 0.5),
        "global_step": ("equal", 0, 0),
        "gone": ("only in A", None, None),
        "half": ("dtype", None, None),
        "low": ("values", 1, 2**64 - 1),
        "many": ("shape", None, None),
        "odd": ("values", 1, "nan"),
        "words": ("values", 1, None),
    }
    code, text = look(capsys, tmp_path / "a", tmp_path / "b")
    assert code == 1
    assert "9 tensors: 1 only in B, 4 with other values, 1 equal, 1 only in A" in text
    flip(tmp_path / "b.data-00000-of-00001", 0)
    text = look(capsys, tmp_path / "a", tmp_path / "b")[1]
    assert "1 damaged" in text
    assert "Checksum does not match" in text


def test_equal_checkpoints_are_equal_however_they_are_laid_out(tmp_path: Path, capsys: Any) -> None:
    write_bundle(tmp_path / "a", STATE)
    with BundleWriter(tmp_path / "b", num_shards=2) as writer:
        for index, (name, value) in enumerate(reversed(STATE.items())):
            writer.add(name, value, shard=index % 2)
    code, text = look(capsys, tmp_path / "a", tmp_path / "b")
    assert code == 0
    assert text.rstrip().endswith("5 tensors: 5 equal")


def test_names_cannot_write_to_the_terminal(tmp_path: Path, capsys: Any) -> None:
    write_bundle(tmp_path / "m", {"[red]\x1b[2J": np.int8(1), "bytes \udcff": np.int8(2)})
    code, text = look(capsys, tmp_path / "m")
    assert code == 0
    assert "\x1b" not in text
    assert "[red]\\x1b[2J" in text
    assert "bytes \\udcff" in text
    assert len(as_json(capsys, tmp_path / "m")[1]["tensors"]) == 2
