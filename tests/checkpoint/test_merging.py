"""Putting the parts of a sharded save together: all of it or nothing."""

from pathlib import Path

import numpy as np
import pytest

from monitored import errors
from monitored._checkpoint import BundleReader, BundleWriter, write_bundle
from monitored._checkpoint.merging import merge_checkpoints


def files(directory: Path) -> list[str]:
    return sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file())


def test_tensors_and_slices_of_all_parts_are_in_the_whole(tmp_path: Path) -> None:
    parts = [tmp_path / "temporary" / f"part-{index}" for index in range(3)]
    array = np.arange(12.0).reshape(6, 2)
    for index, part in enumerate(parts):
        with BundleWriter(part, num_shards=2, partial=True) as writer:
            writer.add(f"v{index}", np.int64(index), shard=index % 2)
            writer.add_slice("rows", array[2 * index : 2 * index + 2], array.shape, (2 * index, 0))
    merge_checkpoints(parts, tmp_path / "new" / "m")
    assert files(tmp_path) == [*(f"new/m.data-0000{n}-of-00006" for n in range(6)), "new/m.index"]
    reader = BundleReader(tmp_path / "new" / "m")
    assert reader.verify() == []
    assert reader.read("rows").tobytes() == array.tobytes()
    assert [int(reader.read(f"v{index}")) for index in range(3)] == [0, 1, 2]


@pytest.mark.parametrize(
    ("second", "kind"), [({"a": np.float32(1)}, errors.InvalidArgumentError), (None, errors.NotFoundError)]
)
def test_parts_that_do_not_go_together_are_left_as_they_are(
    tmp_path: Path, second: dict[str, np.float32] | None, kind: type[errors.OpError]
) -> None:
    write_bundle(tmp_path / "one", {"a": np.float32(0)})
    if second is not None:
        write_bundle(tmp_path / "two", second)
    before = files(tmp_path)
    with pytest.raises(kind):
        merge_checkpoints([tmp_path / "one", tmp_path / "two"], tmp_path / "m")
    assert files(tmp_path) == before


def test_merge_that_cannot_move_a_file_leaves_the_parts(tmp_path: Path) -> None:
    write_bundle(tmp_path / "one", {"a": np.float32(0)})
    (tmp_path / "m.index" / "in_the_way").mkdir(parents=True)
    before = files(tmp_path)
    with pytest.raises(errors.FailedPreconditionError):
        merge_checkpoints([tmp_path / "one"], tmp_path / "m")
    assert files(tmp_path) == before
