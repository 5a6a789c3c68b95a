"""A damaged checkpoint is a clear error: never a wrong value, never an exception that means nothing."""

import contextlib
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import google_crc32c
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitored import errors
from monitored._checkpoint import BundleReader, BundleWriter
from monitored._checkpoint.coding import encode_slice_key, encode_varint, mask_crc
from monitored._checkpoint.protos import message_class
from monitored._checkpoint.table import encode_table

FIXTURES = Path(__file__).parent / "fixtures"


def write_sample(prefix: Path) -> None:
    """Every way in which bytes are laid out: numbers, strings, nothing, slices, two shards, two blocks."""
    with BundleWriter(prefix, num_shards=2) as writer:
        writer.add("w", np.arange(12.0).reshape(3, 4))
        writer.add("flag", np.array(True), shard=1)
        writer.add("empty", np.zeros((0, 3)))
        writer.add("strings", np.array([b"", b"abc", b"x" * 200, b""], object), shard=1)
        writer.add("no_strings", np.zeros(0, object))
        writer.add_slice("part", np.arange(4), (6,), (0,))
        writer.add_slice("part", np.arange(2), (6,), (4,), shard=1)
        for index in range(20):
            writer.add(f"layer_{index}/kernel", np.int8(index))


def read_everything(prefix: Path) -> None:
    reader = BundleReader(prefix)
    for name in reader.shape_map():
        reader.read(name)
    reader.check_tree_hash()


def flips(data: bytes, chooser: random.Random) -> list[bytes]:
    """Each byte, in turn, with one of its bits turned over."""
    damaged = []
    for position in range(len(data)):
        copy = bytearray(data)
        copy[position] ^= 1 << chooser.randrange(8)
        damaged.append(bytes(copy))
    return damaged


def truncations(data: bytes, chooser: random.Random) -> list[bytes]:
    return [data[:size] for size in {0, *chooser.sample(range(len(data)), min(len(data), 200)), len(data) - 1}]


def garbled_stretches(data: bytes, chooser: random.Random) -> list[bytes]:
    damaged = []
    for _ in range(100):
        start = chooser.randrange(len(data))
        stretch = chooser.randbytes(min(chooser.randrange(1, 60), len(data) - start))
        if data[start : start + len(stretch)] != stretch:
            damaged.append(data[:start] + stretch + data[start + len(stretch) :])
    return damaged


@pytest.mark.parametrize("damage", [flips, truncations, garbled_stretches])
@pytest.mark.parametrize("source", ["ours", "dtypes", "slices", "model.ckpt-3"])
def test_damage_anywhere_is_data_loss_that_names_the_file(
    tmp_path: Path, source: str, damage: Callable[[bytes, random.Random], list[bytes]]
) -> None:
    if source == "ours":
        write_sample(tmp_path / source)
    else:
        for path in FIXTURES.glob(f"{source}.*"):
            shutil.copy(path, tmp_path)
    prefix = tmp_path / source
    read_everything(prefix)
    files = [path for path in tmp_path.iterdir() if path.suffix != ".json"]
    assert len(files) >= 2
    for path in files:
        whole = path.read_bytes()
        for damaged in damage(whole, random.Random(f"{source} {path.name}")):
            path.write_bytes(damaged)
            with pytest.raises(errors.DataLossError, match=source):
                read_everything(prefix)
        path.write_bytes(whole)
    assert BundleReader(prefix).verify() == []


def test_verify_lists_every_damaged_tensor_and_no_other(tmp_path: Path) -> None:
    write_sample(tmp_path / "m")
    data = tmp_path / "m.data-00001-of-00002"
    content = bytearray(data.read_bytes())
    content[0] ^= 1  # "flag"
    content[-1] ^= 1  # the second part of "part"
    data.write_bytes(content)
    problems = BundleReader(tmp_path / "m").verify()
    assert len(problems) == 2
    assert "flag: Checksum does not match" in problems[0]
    assert "part: Checksum does not match" in problems[1]
    data.unlink()
    assert any("No such file" in problem for problem in BundleReader(tmp_path / "m").verify())


def test_verify_does_not_call_an_unreadable_file_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_sample(tmp_path / "m")
    reader = BundleReader(tmp_path / "m")

    def refused(path: str) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.path.getsize", refused)
    with pytest.raises(errors.PermissionDeniedError, match="Permission denied"):
        reader.verify()


# Indexes whose checksums are right and whose content is not: what a faulty writer could leave.

INT64 = st.integers(-(2**63), 2**63 - 1)
SIZES = st.integers(-1, 20) | INT64
ENTRIES = st.fixed_dictionaries(
    {
        "dtype": st.integers(-1, 40),
        "dims": st.lists(SIZES, max_size=4) | st.lists(st.just(1), min_size=60, max_size=70),
        "unknown_rank": st.booleans() | st.just(False),
        "shard_id": st.integers(-1, 2) | st.just(0),
        "offset": SIZES,
        "size": SIZES,
        "crc32c": st.integers(0, 2**32 - 1),
        "slices": st.lists(st.lists(st.tuples(SIZES, st.none() | SIZES), max_size=3), max_size=2),
    }
)


def encoded_entry(fields: dict) -> bytes:
    entry = message_class("BundleEntryProto")()
    for name, value in fields.items():
        if name == "dims":
            for size in value:
                entry.shape.dim.add(size=size)
        elif name == "unknown_rank":
            entry.shape.unknown_rank = value
        elif name == "slices":
            for extents in value:
                part = entry.slices.add()
                for start, length in extents:
                    part.extent.add(start=start, length=length)
        else:
            setattr(entry, name, value)
    return entry.SerializeToString()


def write_index(prefix: Path, entries: dict[bytes, bytes], header: bytes | None = None) -> None:
    if header is None:
        header = message_class("BundleHeaderProto")(num_shards=1).SerializeToString()
    content = encode_table(sorted({b"": header, **entries}.items()))
    prefix.with_name(prefix.name + ".index").write_bytes(content)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    value=ENTRIES.map(encoded_entry) | st.binary(max_size=40),
    part=ENTRIES.map(encoded_entry),
    header=st.none() | st.binary(max_size=12),
    data=st.binary(max_size=30),
)
def test_absurd_entries_are_read_right_or_are_errors_of_this_project(
    tmp_path: Path, value: bytes, part: bytes, header: bytes | None, data: bytes
) -> None:
    prefix = tmp_path / "m"
    entries = {b"k": value}
    try:
        parsed = message_class("BundleEntryProto").FromString(value)
    except Exception:
        parsed = message_class("BundleEntryProto")()
    for listed in parsed.slices:
        extents = [(e.start, e.length if e.HasField("length") else -1) for e in listed.extent]
        entries[encode_slice_key(b"k", extents)] = part
    write_index(prefix, entries, header)
    (tmp_path / "m.data-00000-of-00001").write_bytes(data)
    with contextlib.suppress(errors.OpError):
        read_everything(prefix)


def entry_for(data: bytes, **fields: object) -> bytes:
    crc = mask_crc(google_crc32c.value(data))
    return encoded_entry({"dtype": 4, "dims": [len(data)], "size": len(data), "crc32c": crc, **fields})


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"dims": [4]}, "cannot be 3 bytes"),
        ({"dims": [2**62, 2**62]}, "cannot be 3 bytes"),
        ({"dims": [-3]}, "no definite shape"),
        ({"unknown_rank": True}, "no definite shape"),
        ({"dims": [1] * 65 + [3]}, "has the shape"),
        ({"dims": [2**62, 2**62, 0], "size": 0}, "has the shape"),
        ({"offset": 1}, "bytes 1 to 4, but the file has 3"),
        ({"offset": -1}, "bytes -1 to 2"),
        ({"size": 2**62, "dims": [2**62]}, "but the file has 3"),
        ({"shard_id": 1}, "shard 1 of 1"),
        ({"shard_id": -1}, "shard -1 of 1"),
        ({"dtype": 7, "dims": [2**40]}, "cannot be 3 bytes"),
        ({"dtype": 7, "dims": [1]}, "do not fill"),
        ({"slices": [[(0, 3)]]}, "its entry is missing"),
        ({"slices": [[(0, 4)]]}, "not within 0 to 3"),
        ({"slices": [[]]}, "0 dimensions, not 1"),
    ],
)
def test_entry_that_does_not_fit_the_files_is_data_loss_before_memory_is_taken(
    tmp_path: Path, fields: dict, problem: str
) -> None:
    data = b"\x01ab"
    write_index(tmp_path / "m", {b"k": entry_for(data, **fields)})
    (tmp_path / "m.data-00000-of-00001").write_bytes(data)
    with pytest.raises(errors.DataLossError, match=problem):
        BundleReader(tmp_path / "m").read("k")


def slices_entry(dims: list[int], slices: list) -> bytes:
    return encoded_entry({"dtype": 4, "dims": dims, "slices": slices})


@pytest.mark.parametrize(
    ("dims", "slices", "part", "problem"),
    [
        ([4], [[(0, 3)]], {}, "3 elements, not the 4"),
        ([6], [[(0, 3)], [(2, 3)]], {}, "overlaps"),
        ([2**50], [[(0, 3)]], {}, "elements, not the"),
        ([2], [[(0, 3)]], {}, "0 to 3 is not within 0 to 2"),
        ([3], [[(0, 2)]], {}, "does not fit the whole"),
        ([3], [[(0, 3)]], {"dtype": 6}, "does not fit the whole"),
        ([3], [[(0, 3)]], {"slices": [[(0, 3)]]}, "does not fit the whole"),
        ([3], [[(0, 3)]], {"offset": 1}, "the file has 3"),
    ],
)
def test_slices_that_are_not_the_whole_are_data_loss(
    tmp_path: Path, dims: list[int], slices: list, part: dict, problem: str
) -> None:
    entries = {b"k": slices_entry(dims, slices)}
    for extents in slices:
        entries[encode_slice_key(b"k", extents)] = entry_for(b"abc", **part)
    write_index(tmp_path / "m", entries)
    (tmp_path / "m.data-00000-of-00001").write_bytes(b"abc")
    with pytest.raises(errors.DataLossError, match=problem):
        BundleReader(tmp_path / "m").read("k")


def test_slices_that_are_whole_are_read_when_a_dimension_is_given_by_no_length(tmp_path: Path) -> None:
    entries = {b"k": slices_entry([3], [[(0, None)]]), encode_slice_key(b"k", [(0, -1)]): entry_for(b"abc")}
    write_index(tmp_path / "m", entries)
    (tmp_path / "m.data-00000-of-00001").write_bytes(b"abc")
    assert BundleReader(tmp_path / "m").read("k").tobytes() == b"abc"


def test_string_lengths_are_bounded_before_they_are_used(tmp_path: Path) -> None:
    data = encode_varint(2**63) + b"\0" * 4
    write_index(tmp_path / "m", {b"k": entry_for(data, dtype=7, dims=[1])})
    (tmp_path / "m.data-00000-of-00001").write_bytes(data)
    with pytest.raises(errors.DataLossError, match="do not fill"):
        BundleReader(tmp_path / "m").read("k")


@pytest.mark.parametrize(
    ("fields", "kind", "problem"),
    [
        ({"endianness": 1}, errors.UnimplementedError, "big endian"),
        ({"version": {"min_consumer": 2}}, errors.InvalidArgumentError, "newer reader"),
        ({"version": {"bad_consumers": [1]}}, errors.InvalidArgumentError, "newer reader"),
    ],
)
def test_checkpoint_of_another_kind_is_refused_by_name(
    tmp_path: Path, fields: dict, kind: type[errors.OpError], problem: str
) -> None:
    header = message_class("BundleHeaderProto")(num_shards=1, **fields)
    write_index(tmp_path / "m", {}, header.SerializeToString())
    with pytest.raises(kind, match=problem):
        BundleReader(tmp_path / "m")


def test_index_without_a_header_is_data_loss(tmp_path: Path) -> None:
    (tmp_path / "m.index").write_bytes(encode_table([(b"k", b"")]))
    with pytest.raises(errors.DataLossError, match="header entry is missing"):
        BundleReader(tmp_path / "m")


def test_file_that_shrinks_while_it_is_read_is_data_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_sample(tmp_path / "m")
    reader = BundleReader(tmp_path / "m")
    (tmp_path / "m.data-00000-of-00002").write_bytes(b"short")
    monkeypatch.setattr("os.path.getsize", lambda path: 2**20)
    with pytest.raises(errors.DataLossError, match="ends within w"):
        reader.read("w")
