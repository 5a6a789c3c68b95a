"""TensorFlow's older checkpoints: what it wrote is read, and damage is a clear error."""

import json
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import monitored as tf
from checkpoint.recorded import FIXTURES, assert_read_byte_for_byte
from monitored import errors
from monitored._checkpoint import TensorReader, open_checkpoint
from monitored._checkpoint.coding import decode_varints, encode_slice_key, encode_varint
from monitored._checkpoint.protos import message_class
from monitored._checkpoint.table import encode_table

ONE_FILE, TWO_FILES = "v1", "v1.ckpt-3-?????-of-00002"


def expected_entries(checkpoint: str) -> dict[str, dict[str, Any]]:
    return json.loads((FIXTURES / f"{checkpoint.removesuffix('-?????-of-00002')}.json").read_text())


CASES = [(checkpoint, name) for checkpoint in (ONE_FILE, TWO_FILES) for name in expected_entries(checkpoint)]


@pytest.mark.parametrize(("checkpoint", "name"), CASES, ids=[f"{c}:{n}" for c, n in CASES])
def test_tensor_that_tensorflow_wrote_is_read_byte_for_byte(checkpoint: str, name: str) -> None:
    assert_read_byte_for_byte(open_checkpoint(FIXTURES / checkpoint), name, expected_entries(checkpoint)[name])


@pytest.mark.parametrize("checkpoint", [ONE_FILE, TWO_FILES])
def test_it_has_the_keys_that_were_saved_and_verifies(checkpoint: str) -> None:
    reader = open_checkpoint(FIXTURES / checkpoint)
    assert reader.keys() == sorted(expected_entries(checkpoint))
    assert reader.verify() == []
    with pytest.raises(errors.NotFoundError, match="Key none_such not found in checkpoint"):
        reader.read("none_such")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory that TensorFlow left, with its state file."""
    for path in FIXTURES.glob("v1.ckpt-3-*"):
        shutil.copy(path, tmp_path)
    shutil.copy(FIXTURES / "checkpoint_v1", tmp_path / "checkpoint")
    return tmp_path


def test_it_is_found_looked_into_restored_and_started_from(directory: Path) -> None:
    path = tf.train.latest_checkpoint(directory)
    assert path == str(directory / TWO_FILES)
    assert tf.train.checkpoint_exists(path)
    assert open_checkpoint(path).verify() == []
    assert tf.train.list_variables(directory) == [("global_step", []), ("table", [7, 2]), ("wide", [2, 5])]
    assert tf.train.NewCheckpointReader(path).get_tensor("global_step") == 3
    wide = tf.train.load_variable(directory, "wide")
    with tf.Graph().as_default():
        variables = [tf.get_variable("wide", [2, 5]), tf.train.get_or_create_global_step()]
        other = tf.get_variable("other", [7, 2], tf.float64)
        tf.train.init_from_checkpoint(directory, {"table": other})
        with tf.Session() as sess:
            tf.train.Saver(variables).restore(sess, path)
            sess.run(other.initializer)
            values = sess.run([*variables, other])
    assert values[0].tobytes() == wide.tobytes()
    assert values[1] == 3
    assert values[2].tobytes() == tf.train.load_variable(directory, "table").tobytes()


def test_a_session_goes_on_from_it_and_saves_in_the_newer_format(directory: Path) -> None:
    with tf.Graph().as_default():
        tf.get_variable("wide", [2, 5])
        step = tf.train.get_or_create_global_step()
        count = tf.assign_add(step, 1)
        hook = tf.train.CheckpointSaverHook(str(directory), save_steps=1)
        with tf.train.SingularMonitoredSession(hooks=[hook], checkpoint_dir=str(directory)) as sess:
            assert sess.run(count) == 4
    assert tf.train.latest_checkpoint(directory) == str(directory / "model.ckpt-4")


def test_the_nodes_of_a_graph_read_it_as_tensorflow_does(directory: Path) -> None:
    path = str(directory / TWO_FILES)
    with tf.Graph().as_default():
        saver = tf.train.Saver([tf.get_variable("wide", [2, 5])])
        with tf.Session() as sess:
            sess.run(saver.saver_def.restore_op_name, {saver.saver_def.filename_tensor_name: path})
            np.testing.assert_array_equal(sess.run("wide:0"), open_checkpoint(path).read("wide"))


def test_a_saver_asked_to_write_it_warns_and_writes_the_newer_one(tmp_path: Path, caplog: Any) -> None:
    with tf.Graph().as_default():
        tf.get_variable("w", [2])
        saver = tf.train.Saver(write_version=tf.train.SaverDef.V1)
        assert "V2 format" in caplog.text
        assert saver.saver_def.version == tf.train.SaverDef.V2
        with tf.Session() as sess:
            sess.run(tf.global_variables_initializer())
            path = saver.save(sess, tmp_path / "m")
    assert Path(f"{path}.index").exists()


def test_the_newer_format_is_preferred_where_both_are_there(directory: Path) -> None:
    shutil.copy(FIXTURES / "v1", directory / "dtypes")
    for path in FIXTURES.glob("dtypes.*"):
        shutil.copy(path, directory)
    assert open_checkpoint(directory / "dtypes").has("bfloat16")


@pytest.mark.parametrize(("name", "kind"), [("", errors.DataLossError), ("none", errors.NotFoundError)])
def test_what_is_no_checkpoint_is_refused_with_tensorflows_class(directory: Path, name: str, kind: type) -> None:
    with pytest.raises(kind):
        tf.train.NewCheckpointReader(directory / name)
    (directory / "junk").write_bytes(b"hello" * 30)
    with pytest.raises(errors.DataLossError, match="not an sstable"):
        tf.train.NewCheckpointReader(directory / "junk")


# -- damage -----------------------------------------------------------------------------------------------------------


def read_everything(reader: TensorReader) -> None:
    for name in reader.shape_map():
        reader.read(name)


@pytest.mark.parametrize("name", ["v1", "v1.ckpt-3-00000-of-00002"])
def test_damage_anywhere_is_data_loss_that_names_the_file(tmp_path: Path, name: str) -> None:
    whole = (FIXTURES / name).read_bytes()
    path = tmp_path / name
    chooser = random.Random(name)
    for position in chooser.sample(range(len(whole)), min(len(whole), 400)):
        flipped = bytearray(whole)
        flipped[position] ^= 1 << chooser.randrange(8)
        for damaged in (bytes(flipped), whole[:position]):
            path.write_bytes(damaged)
            with pytest.raises(errors.DataLossError, match=name):
                read_everything(open_checkpoint(path))


def test_file_that_shrinks_after_it_was_opened_is_data_loss(tmp_path: Path) -> None:
    path = tmp_path / "m"
    shutil.copy(FIXTURES / "v1", path)
    reader = open_checkpoint(path)
    reader._tensors["many"].slices[0][1]._last = None  # so that the block is read again
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(errors.DataLossError, match="it ends at byte 100"):
        reader.read("many")


def listed(shape: list[int], dtype: int = 3, **fields: Any) -> dict[str, Any]:
    return {"name": b"w", "shape": {"dim": [{"size": size} for size in shape]}, "type": dtype, **fields}


def whole_slice(shape: list[int]) -> dict[str, Any]:
    return {"extent": [{}] * len(shape)}


def write_table(path: Path, tensor: dict[str, Any], data: dict[str, Any], name: bytes = b"w", **versions: int) -> None:
    """A file with one tensor in its list, and one slice, with right checksums."""
    make = message_class("SavedTensorSlices")
    rank = len(tensor["shape"].get("dim", []))
    meta = make(meta={"tensor": [tensor], "versions": versions}).SerializeToString()
    slices = make(data={"name": name, "data": data}).SerializeToString()
    path.write_bytes(encode_table([(b"", meta), (encode_slice_key(b"w", [(0, -1)] * rank), slices)]))


WHOLE = {"slice": [whole_slice([4])]}


@pytest.mark.parametrize(
    ("tensor", "data", "problem"),
    [
        (listed([4], **WHOLE), {"int_val": b"\1\2\3"}, "3 numbers in 3 bytes, not 4"),
        (listed([4], **WHOLE), {"int_val": b"\1\2\3\x84"}, "3 numbers in 4 bytes, not 4"),
        (listed([4], **WHOLE), {"int_val": b"\1\2\3" + b"\x80" * 10 + b"\1"}, "a number of 11 bytes"),
        (listed([4], **WHOLE), {"int_val": b"\1\2\3" + encode_varint(1 << 32)}, "no int32"),
        (listed([4], 4, **WHOLE), {"int_val": b"\1\2\3" + encode_varint(256)}, "no uint8"),
        (listed([4], 10, **WHOLE), {"bool_val": b"\1\0\1\2"}, "no bool"),
        (listed([4], 1, **WHOLE), {"float_val": b"\0" * 12}, "12 bytes, not 16"),
        (listed([4], 1, **WHOLE), {"double_val": b"\0" * 32}, "0 bytes, not 16"),
        (listed([4], 7, **WHOLE), {"string_val": [b"a"]}, "1 strings, not 4"),
        (listed([1 << 40], **WHOLE), {"int_val": b"\1"}, "larger than the checkpoint"),
        (listed([1 << 62, 1 << 62], 7, slice=[whole_slice([4, 4])]), {}, "larger than the checkpoint"),
        (listed([-4], **WHOLE), {}, "no definite shape"),
        (listed([], slice=[{}]) | {"shape": {"unknown_rank": True}}, {}, "no definite shape"),
        (listed([4]), {}, "its slices hold 0 elements, not the 4"),
        (listed([4], slice=[whole_slice([4])] * 2), {}, "its slices hold 8 elements"),
        (listed([4], slice=[{"extent": [{"start": 0, "length": 4}]}]), {}, "is missing"),
        (listed([4], slice=[{"extent": [{"start": 1, "length": 4}]}]), {}, "1 to 5 is not within 0 to 4"),
        (listed([4], slice=[{"extent": [{"start": 1}]}]), {}, "is not within"),
        (listed([4], slice=[{}]), {}, "its rank is another"),
        (listed([0] * 70, slice=[whole_slice([0] * 70)]), {}, "has the shape"),
        (listed([0] * 70, slice=[whole_slice([0] * 70)] * 2), {}, "has the shape"),
    ],
)
def test_what_does_not_fit_is_data_loss_before_memory_is_taken(
    tmp_path: Path, tensor: dict[str, Any], data: dict[str, Any], problem: str
) -> None:
    write_table(tmp_path / "odd", tensor, data)
    with pytest.raises(errors.DataLossError, match=f"odd.*{problem}"):
        read_everything(open_checkpoint(tmp_path / "odd"))


def test_entry_of_another_tensor_is_data_loss(tmp_path: Path) -> None:
    write_table(tmp_path / "odd", listed([4], **WHOLE), {"int_val": b"\1\2\3\4"}, name=b"v")
    with pytest.raises(errors.DataLossError, match="is one of b'v'"):
        open_checkpoint(tmp_path / "odd").read("w")


def test_type_that_the_format_does_not_hold_is_named(tmp_path: Path) -> None:
    write_table(tmp_path / "odd", listed([4], 14, **WHOLE), {"half_val": b"\1\2\3\4"})
    with pytest.raises(errors.UnimplementedError, match="w is of a type"):
        open_checkpoint(tmp_path / "odd").read("w")


def test_checkpoint_that_needs_a_newer_reader_is_refused(tmp_path: Path) -> None:
    write_table(tmp_path / "new", listed([4], **WHOLE), {}, min_consumer=2)
    with pytest.raises(errors.InvalidArgumentError, match="newer reader"):
        open_checkpoint(tmp_path / "new")


def test_table_without_a_list_is_data_loss(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(encode_table([(b"a", b"b")]))
    with pytest.raises(errors.DataLossError, match="not a checkpoint"):
        open_checkpoint(tmp_path / "other")


def test_files_that_contradict_each_other_are_data_loss(tmp_path: Path) -> None:
    write_table(tmp_path / "m-00000-of-00002", listed([4], **WHOLE), {})
    write_table(tmp_path / "m-00001-of-00002", listed([5], slice=[whole_slice([5])]), {})
    with pytest.raises(errors.DataLossError, match="in another file of the checkpoint"):
        open_checkpoint(tmp_path / "m-?????-of-00002")


def test_missing_file_of_several_is_data_loss(directory: Path) -> None:
    (directory / "v1.ckpt-3-00001-of-00002").unlink()
    with pytest.raises(errors.DataLossError, match="has 1 of its 2 files"):
        open_checkpoint(directory / TWO_FILES)


def test_tensors_in_several_blocks_are_found(tmp_path: Path) -> None:
    make = message_class("SavedTensorSlices")
    names = [f"layer_{index:03}".encode() for index in range(200)]
    shape = {"dim": [{"size": 1}]}
    meta = [{"name": name, "shape": shape, "type": 9, "slice": [whole_slice([1])]} for name in names]
    entries = [(b"", make(meta={"tensor": meta}).SerializeToString())]
    for index, name in enumerate(names):
        data = {"name": name, "data": {"int64_val": encode_varint((index - 100) % (1 << 64))}}
        entries.append((encode_slice_key(name, [(0, -1)]), make(data=data).SerializeToString()))
    (tmp_path / "m").write_bytes(encode_table(entries, block_size=100))
    reader = open_checkpoint(tmp_path / "m")
    assert [reader.read(name)[0] for name in reader.shape_map()] == list(range(-100, 100))


def test_varints_are_decoded_all_at_once() -> None:
    numbers = [0, 1, 127, 128, 300, 1 << 31, (1 << 64) - 1, 5]
    encoded = b"".join(map(encode_varint, numbers))
    assert decode_varints(encoded, len(numbers), "file").tolist() == numbers
    assert decode_varints(b"", 0, "file").tolist() == []
    with pytest.raises(errors.DataLossError):
        decode_varints(b"\1", 0, "file")
