"""Writing tensor bundles, and reading them back."""

import itertools
import os
import resource
import shutil
from pathlib import Path
from typing import Any

import hypothesis.extra.numpy as hnp
import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitored import errors
from monitored._checkpoint import BundleReader, BundleWriter, write_bundle

SMALL_FLOATS = [
    "bfloat16",
    "float8_e5m2",
    "float8_e4m3fn",
    "float8_e4m3fnuz",
    "float8_e4m3b11fnuz",
    "float8_e5m2fnuz",
    "float4_e2m1fn",
    "int4",
    "uint4",
    "int2",
    "uint2",
]
NUMPY_DTYPES = ["?", *("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", "c8", "c16"), ">i4", ">c8"]
SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)
STRINGS = st.binary(max_size=300)


def string_array(shape: tuple[int, ...], strings: list[bytes]) -> np.ndarray:
    array = np.empty(shape, object)
    for index in range(array.size):
        array.reshape(-1)[index] = strings[index % len(strings)]
    return array


def small_float_array(name: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2, shape).astype(getattr(ml_dtypes, name))


ARRAYS = (
    st.sampled_from(NUMPY_DTYPES).flatmap(lambda dtype: hnp.arrays(dtype, SHAPES))
    | st.builds(string_array, SHAPES, st.lists(STRINGS, min_size=1, max_size=5))
    | st.builds(small_float_array, st.sampled_from(SMALL_FLOATS), SHAPES, st.integers(0, 9))
)
NAMES = (st.text("ab/_", min_size=1, max_size=8) | st.text(min_size=1, max_size=8)).filter(lambda name: name[0] != "\0")


def assert_same(read: np.ndarray, written: np.ndarray) -> None:
    """Same shape, dtype (but for the byte order) and bytes."""
    expected = written.astype(written.dtype.newbyteorder("="))
    assert (read.shape, read.dtype) == (expected.shape, expected.dtype)
    assert read.tolist() == expected.tolist() if read.dtype == object else read.tobytes() == expected.tobytes()


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(NAMES, ARRAYS, max_size=8))
def test_any_arrays_under_any_names_round_trip(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    write_bundle(tmp_path / "m", arrays)
    reader = BundleReader(tmp_path / "m")
    assert reader.keys() == sorted(arrays, key=str.encode)
    assert reader.verify() == []
    for name, array in arrays.items():
        assert reader.has(name)
        assert reader.shape_map()[name] == array.shape
        assert reader.dtype_map()[name] == array.dtype.newbyteorder("=")
        assert_same(reader.read(name), array)


def test_many_names_that_share_prefixes_take_several_blocks(tmp_path: Path) -> None:
    arrays = {f"model/layer_{index}/kernel/Adam": np.int32(index) for index in range(9000)}
    write_bundle(tmp_path / "m", arrays)
    assert (tmp_path / "m.index").stat().st_size > 2**18
    reader = BundleReader(tmp_path / "m")
    assert reader.keys() == sorted(arrays)
    assert all(reader.read(name) == arrays[name] for name in list(arrays)[::97])


def test_array_larger_than_a_chunk_round_trips(tmp_path: Path) -> None:
    arrays = {
        "a": np.arange(700_001, dtype=np.float32),
        "b": np.arange(300_000).reshape(500, 600).T,  # not laid out in row-major order
        "c": np.array([b"x" * 3_000_000, b"", b"y"], object),
    }
    write_bundle(tmp_path / "m", arrays)
    for name, array in arrays.items():
        assert np.array_equal(BundleReader(tmp_path / "m").read(name), array)


@pytest.mark.parametrize(
    "value",
    ["text", b"text\0", ["a", "bc"], np.array(["a", "é"]), np.array([b"a", b"bc"]), np.array(["é", b"x"], object)],
)
def test_strings_are_read_as_bytes(tmp_path: Path, value: Any) -> None:
    write_bundle(tmp_path / "m", {"s": value})
    read = BundleReader(tmp_path / "m").read("s")
    expected = [s.encode() if isinstance(s, str) else s for s in np.asarray(value).reshape(-1).tolist()]
    assert read.reshape(-1).tolist() == expected
    assert read.shape == np.shape(value)


def test_what_is_read_is_the_callers_own(tmp_path: Path) -> None:
    write_bundle(tmp_path / "m", {"w": np.zeros(3)})
    reader = BundleReader(tmp_path / "m")
    reader.read("w")[:] = 1
    assert reader.read("w").tolist() == [0, 0, 0]


def test_slices_in_several_shards_are_put_together(tmp_path: Path) -> None:
    rows, text = np.arange(24).reshape(4, 6), np.array([[b"a", b"b"], [b"c", b"d"]], object)
    with BundleWriter(tmp_path / "m", num_shards=3) as writer:
        writer.add_slice("rows", rows[:1], (4, 6), (0, 0), shard=2)
        writer.add_slice("rows", rows[1:, :2], (4, 6), (1, 0), shard=1)
        writer.add_slice("rows", rows[1:, 2:], (4, 6), (1, 2))
        writer.add_slice("text", text[:, :1], (2, 2), (0, 0))
        writer.add_slice("text", text[:, 1:], (2, 2), (0, 1), shard=1)
        writer.add("plain", 1.5, shard=2)
    reader = BundleReader(tmp_path / "m")
    assert reader.keys() == ["plain", "rows", "text"]
    assert reader.shape_map() == {"plain": (), "rows": (4, 6), "text": (2, 2)}
    assert reader.verify() == []
    assert reader.read("rows").tolist() == rows.tolist()
    assert reader.read("text").tolist() == text.tolist()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "m.data-00000-of-00003",
        "m.data-00001-of-00003",
        "m.data-00002-of-00003",
        "m.index",
    ]


def write_slices(prefix: Path, slices: list[tuple[np.ndarray, tuple[int, ...], tuple[int, ...]]]) -> None:
    """Writes (array, shape of the whole, starts) as slices of one tensor."""
    with BundleWriter(prefix) as writer:
        for array, full_shape, starts in slices:
            writer.add_slice("v", array, full_shape, starts)


@pytest.mark.parametrize(
    ("starts", "shape", "problem"),
    [
        ((3, 0), (2, 3), "3 to 5 is not within 0 to 4"),
        ((-1, 0), (2, 3), "-1 to 1"),
        ((0,), (2,), "1 dimensions, not 2"),
        ((0, 0, 0), (2, 3), "ranks differ"),
    ],
)
def test_slice_that_does_not_fit_is_refused(
    tmp_path: Path, starts: tuple[int, ...], shape: tuple[int, ...], problem: str
) -> None:
    with pytest.raises(errors.InvalidArgumentError, match=problem):
        write_slices(tmp_path / "m", [(np.zeros(shape), (4, 3), starts)])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("slices", "problem"),
    [
        ([(0, 2), (3, 1)], "3 elements, not the 4"),
        ([(0, 2), (1, 2)], "overlaps"),
        ([(0, 2), (0, 2)], "duplicate"),
    ],
)
def test_slices_that_are_no_partition_are_refused(tmp_path: Path, slices: list[tuple[int, int]], problem: str) -> None:
    with pytest.raises(errors.InvalidArgumentError, match=problem):
        write_slices(tmp_path / "m", [(np.zeros(length), (4,), (start,)) for start, length in slices])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("second", "full_shape"), [(np.zeros(2, np.float32), (4,)), (np.zeros(2), (5,)), (np.zeros((2, 1)), (4, 1))]
)
def test_slices_of_different_wholes_are_refused(
    tmp_path: Path, second: np.ndarray, full_shape: tuple[int, ...]
) -> None:
    starts = (2, 0)[: second.ndim]
    with pytest.raises(errors.InvalidArgumentError, match="another shape or dtype"):
        write_slices(tmp_path / "m", [(np.zeros(2), (4,), (0,)), (second, full_shape, starts)])


def test_name_is_taken_by_a_tensor_or_by_slices(tmp_path: Path) -> None:
    with BundleWriter(tmp_path / "m") as writer:
        writer.add("w", 1)
        with pytest.raises(errors.InvalidArgumentError, match="Adding duplicate key: w"):
            writer.add("w", 2)
        with pytest.raises(errors.InvalidArgumentError, match="as a whole"):
            writer.add_slice("w", np.zeros(2), (4,), (0,))
        writer.add_slice("v", np.zeros(4), (4,), (0,))
        with pytest.raises(errors.InvalidArgumentError, match="Adding duplicate key: v"):
            writer.add("v", 2)
    reader = BundleReader(tmp_path / "m")
    assert (reader.read("w"), reader.read("v").tolist()) == (1, [0] * 4)


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("", 1, "name ''"),
        ("\0x", 1, "name"),
        ("\ud800", 1, "cannot be encoded"),
        ("x", ["\ud800"], "cannot be encoded"),
        ("x", np.array([1, b"s"], object), "x is of dtype object but holds a int"),
        ("x", np.zeros(2, "M8[s]"), "x has dtype datetime64"),
        ("x", np.zeros(2, [("a", "f4")]), "x has dtype"),
    ],
)
def test_what_the_format_cannot_hold_is_refused_by_name(tmp_path: Path, name: str, value: Any, problem: str) -> None:
    with pytest.raises(errors.InvalidArgumentError, match=problem):
        write_bundle(tmp_path / "m", {name: value})
    assert list(tmp_path.iterdir()) == []


def test_missing_key_and_missing_checkpoint_are_not_found_in_tensorflows_words(tmp_path: Path) -> None:
    write_bundle(tmp_path / "m", {"v": 1})
    reader = BundleReader(tmp_path / "m")
    for name in ["w", "", "\0"]:
        assert not reader.has(name)
    with pytest.raises(errors.NotFoundError, match="Key w not found in checkpoint"):
        reader.read("w")
    with pytest.raises(errors.NotFoundError, match=r"Failed to find any matching files for .*nope"):
        BundleReader(tmp_path / "nope")
    (tmp_path / "m.data-00000-of-00001").unlink()
    with pytest.raises(errors.NotFoundError, match=r"m\.data-00000-of-00001; No such file or directory"):
        reader.read("v")


def test_one_missing_directory_is_made_and_two_are_not(tmp_path: Path) -> None:
    write_bundle(tmp_path / "new" / "m", {"v": 1})
    assert BundleReader(tmp_path / "new" / "m").read("v") == 1
    with pytest.raises(errors.NotFoundError, match="No such file or directory"):
        write_bundle(tmp_path / "a" / "b" / "m", {"v": 1})


def test_overwriting_replaces_the_checkpoint_and_leaves_nothing_else(tmp_path: Path) -> None:
    write_bundle(tmp_path / "m", {"v": np.zeros(10), "old": 1})
    write_bundle(tmp_path / "m", {"v": np.ones(3)})
    reader = BundleReader(tmp_path / "m")
    assert reader.keys() == ["v"]
    assert reader.read("v").tolist() == [1, 1, 1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.data-00000-of-00001", "m.index"]


def write_two_shards(prefix: Path, value: float) -> None:
    with BundleWriter(prefix, num_shards=2) as writer:
        writer.add("a", np.full(5, value))
        writer.add("b", np.full(5, value), shard=1)


class Fault(Exception):
    """What no code of this project expects."""


STEPS = ["replace", "link", "fsync", "remove"]
FINAL_NAMES = ["m.data-00000-of-00002", "m.data-00001-of-00002", "m.index"]


def whole_value(prefix: Path) -> float:
    """The value of a whole checkpoint of two shards."""
    reader = BundleReader(prefix)
    assert reader.verify() == []
    a, b = reader.read("a").tolist(), reader.read("b").tolist()
    assert a == b == [a[0]] * 5
    return a[0]


@pytest.mark.parametrize("existing", [True, False])
def test_a_kill_at_any_step_leaves_the_old_checkpoint_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, existing: bool
) -> None:
    directory = tmp_path / "live"
    directory.mkdir()
    if existing:
        write_two_shards(directory / "m", 1)
    left_by_kills = []
    for name in STEPS:
        original = getattr(os, name)

        def step(*args: Any, original: Any = original) -> None:
            left_by_kills.append(tmp_path / f"{len(left_by_kills)}")
            shutil.copytree(directory, left_by_kills[-1])
            original(*args)

        monkeypatch.setattr(os, name, step)
    write_two_shards(directory / "m", 2)
    monkeypatch.undo()
    assert len(left_by_kills) > (12 if existing else 6)
    found = [whole_value(left / "m") if (left / "m.index").exists() else None for left in left_by_kills]
    changes = [new for old, new in itertools.pairwise([None, *found]) if new != old]
    assert changes == ([1, 2] if existing else [2])
    for left in left_by_kills:
        write_two_shards(left / "m", 3)
        assert whole_value(left / "m") == 3
        assert sorted(path.name for path in left.iterdir() if "tempstate" not in path.name) == FINAL_NAMES


@pytest.mark.parametrize("kind", [OSError(28, "No space left on device"), Fault(), KeyboardInterrupt()])
@pytest.mark.parametrize("function", ["replace", "fsync"])
@pytest.mark.parametrize("existing", [True, False])
def test_failure_at_any_step_leaves_what_was_there_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, existing: bool, function: str, kind: BaseException
) -> None:
    original = getattr(os, function)
    failures = 0
    for step in range(20):
        if existing:
            write_two_shards(tmp_path / "m", 1)
        before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        calls = 0

        def failing(*args: Any, step: int = step) -> None:
            nonlocal calls
            calls += 1
            if calls == step + 1:
                raise kind
            original(*args)

        monkeypatch.setattr(os, function, failing)
        try:
            write_two_shards(tmp_path / "m", 2)
        except (errors.ResourceExhaustedError, Fault, KeyboardInterrupt):
            failures += 1
        else:
            if calls <= step:
                break
        finally:
            monkeypatch.undo()
        after = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        # Once the new checkpoint is in place, it stays; before that, nothing has changed.
        assert after == before or (existing and whole_value(tmp_path / "m") == 2)
        assert not [name for name in after if "tempstate" in name]
    assert failures >= 3
    assert whole_value(tmp_path / "m") == 2


@pytest.mark.parametrize("existing", [True, False])
def test_a_file_system_without_links_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, existing: bool) -> None:
    def link(*args: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    for value in range(1, 4 if existing else 2):
        write_two_shards(tmp_path / "m", value)
        assert whole_value(tmp_path / "m") == value


def test_full_disk_in_the_middle_of_the_data_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, limits[1]))
    try:
        with pytest.raises(errors.ResourceExhaustedError, match=r"m\.data-00000-of-00001; File too large"):
            write_bundle(tmp_path / "m", {"v": np.zeros(1_000_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


def test_error_in_the_block_publishes_nothing(tmp_path: Path) -> None:
    def interrupted() -> None:
        with BundleWriter(tmp_path / "m") as writer:
            writer.add("v", np.zeros(5))
            raise Fault

    with pytest.raises(Fault):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_nothing_has_its_name_before_everything_is_written(tmp_path: Path) -> None:
    with BundleWriter(tmp_path / "m") as writer:
        writer.add("v", np.zeros(5))
        assert all(".tempstate" in path.name for path in tmp_path.iterdir())


def test_directory_in_the_way_of_a_file_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "m.index").mkdir()
    (tmp_path / "m.index" / "precious").touch()
    with pytest.raises(errors.FailedPreconditionError, match="Is a directory"):
        write_bundle(tmp_path / "m", {"v": 1})
    assert [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*"))] == [
        "m.index",
        "m.index/precious",
    ]
