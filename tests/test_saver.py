"""`Saver`: TensorFlow's files, names and errors; what is saved is restored."""

import json
import os
import shutil
import threading
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import monitored as tf
from monitored._checkpoint import write_bundle
from monitored._graph.build import apply
from monitored._train import snapshot
from oracle import saver_programs
from saved_model import all_equal, files_of, model, ones

FIXTURES = Path(__file__).parent / "fixtures" / "saver"
EXPECTED = json.loads((FIXTURES / "programs.json").read_text())
DTYPES = [
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "bfloat16", "float32", "float64", "complex64", "complex128"),
]
ELSEWHERE = {"scaffold", "session_manager", "log_of_a_session_manager"}


@pytest.fixture(autouse=True)
def _graph():
    with tf.Graph().as_default():
        yield


def same(got: Any, want: Any, place: str = "") -> None:
    """Compares results of programs; our messages may go on where TensorFlow's end."""
    if isinstance(want, dict):
        assert sorted(got) == sorted(want), place
        for key in want:
            same(got[key], want[key], f"{place}/{key}")
    elif isinstance(want, list):
        assert len(got) == len(want), f"{place}: {got} != {want}"
        for index, (one, other) in enumerate(zip(got, want, strict=True)):
            same(one, other, f"{place}/{index}")
    elif isinstance(want, str) and isinstance(got, str):
        assert got.startswith(want), place
    else:
        assert got == want, place


@pytest.mark.parametrize("name", sorted(set(saver_programs.PROGRAMS) - ELSEWHERE))
def test_it_does_what_tensorflow_does(name: str, tmp_path: Path):
    same(json.loads(json.dumps(saver_programs.run(tf, name, str(tmp_path)))), EXPECTED[name])


# -- what is saved is restored ------------------------------------------------------------------------------------


def test_a_checkpoint_of_tensorflow_with_adam_slots_is_restored():
    x = tf.placeholder(tf.float32, [None, 4])
    want = json.loads((FIXTURES / "values.json").read_text())
    with tf.variable_scope("hidden"):
        kernel = tf.get_variable("kernel", [4, 3])
        hidden = tf.nn.relu(tf.matmul(x, kernel) + tf.get_variable("bias", [3]))
    with tf.variable_scope("out"):
        kernel = tf.get_variable("kernel", [3, 1])
        loss = tf.reduce_mean(tf.square(tf.matmul(hidden, kernel) + tf.get_variable("bias", [1]) - 1.0))
    step = tf.train.get_or_create_global_step()
    tf.train.AdamOptimizer(0.01).minimize(loss, step)
    path = tf.train.latest_checkpoint(str(FIXTURES))
    assert path == str(FIXTURES / "model.ckpt-3")
    with tf.Session() as sess:
        tf.train.Saver().restore(sess, path)
        got = {variable.op.name: sess.run(variable) for variable in tf.global_variables()}
    assert sorted(got) == sorted(want)
    for name, value in got.items():
        np.testing.assert_array_equal(value, np.array(want[name], value.dtype))
    assert got["global_step"] == 3
    assert got["global_step"].dtype == np.int64


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_comes_back_bit_for_bit(dtype: str, tmp_path: Path):
    kind = np.dtype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)
    value = np.random.default_rng(0).integers(0, 2 if dtype == "bool" else 100, (3, 5)).astype(kind)
    variables = [tf.Variable(value, name="matrix"), tf.Variable(value[0, 0], name="scalar"), tf.Variable(value[:0])]
    saver = tf.train.Saver()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        path = saver.save(sess, tmp_path / "m")
    with tf.Session() as sess:
        saver.restore(sess, path)
        for variable, want in zip(variables, (value, value[0, 0], value[:0]), strict=True):
            got = sess.run(variable)
            assert got.dtype == kind
            assert got.tobytes() == want.tobytes()


def test_a_map_of_names_saves_and_restores_under_those_names(tmp_path: Path):
    a, b, _ = model()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        a.load(np.arange(4.0), sess)
        path = tf.train.Saver({"old/a": a, "old/b": b}).save(sess, tmp_path / "m")
        assert [name for name, _ in tf.train.list_variables(path)] == ["old/a", "old/b"]
        ones(sess)
        tf.train.Saver({"old/a": a}).restore(sess, path)
        assert sess.run(a).tolist() == [0, 1, 2, 3]
        assert sess.run(b).tolist() == [[1, 1, 1]] * 2


def test_a_variable_without_a_fixed_shape_takes_the_shape_of_the_checkpoint(tmp_path: Path):
    v = tf.Variable([1.0, 2.0], validate_shape=False)
    longer = tf.assign(v, [1.0, 2.0, 3.0], validate_shape=False)
    total = tf.reduce_sum(v)
    saver = tf.train.Saver()
    with tf.Session() as sess:
        sess.run(longer)
        path = saver.save(sess, tmp_path / "m")
        sess.run(v.initializer)
        assert sess.run(total) == 3
        saver.restore(sess, path)
        assert sess.run(total) == 6


def test_a_monitored_session_can_be_given(tmp_path: Path):
    (a, *_), saver = model(), tf.train.Saver()
    with tf.train.SingularMonitoredSession() as sess:
        path = saver.save(sess, tmp_path / "m")
        a.load(np.ones(4), sess.raw_session())
        saver.restore(sess, path)
        assert sess.run(a).tolist() == [0] * 4
    with pytest.raises(RuntimeError, match="closed"):
        saver.save(sess, tmp_path / "m")


def test_a_saver_of_no_variables_does_nothing(tmp_path: Path):
    tf.no_op()
    saver = tf.train.Saver(allow_empty=True)
    with tf.Session() as sess:
        assert saver.save(sess, tmp_path / "m") is None
        saver.restore(sess, tmp_path / "m")
        saver.restore(sess, None)
    assert saver.to_proto() is None
    assert [path.name for path in tmp_path.iterdir()] == ["m.meta"]


def test_building_later_takes_the_variables_there_are_then(tmp_path: Path):
    saver = tf.train.Saver(defer_build=True)
    a, *_ = model()
    with tf.Session() as sess:
        with pytest.raises(RuntimeError, match="build"):
            saver.restore(sess, "m")
        sess.run(a.initializer)
        saver.build()
        count = len(tf.get_default_graph().get_operations())
        saver.build()
        assert len(tf.get_default_graph().get_operations()) == count
        sess.run(tf.global_variables_initializer())
        saver.save(sess, tmp_path / "m")
    assert len(tf.train.list_variables(tmp_path)) == 3


def test_a_save_is_of_one_moment(tmp_path: Path):
    a, b = (tf.Variable(0.0, name=name) for name in "ab")
    both = tf.group(tf.assign_add(a, 1.0), tf.assign_add(b, 1.0))
    saver = tf.train.Saver()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(both)
        done = threading.Event()

        def update():
            while not done.is_set():
                sess.run(both)

        thread = threading.Thread(target=update)
        thread.start()
        try:
            for index in range(20):
                reader = tf.train.load_checkpoint(saver.save(sess, tmp_path / "m", index, write_meta_graph=False))
                assert reader.get_tensor("a") == reader.get_tensor("b")
        finally:
            done.set()
            thread.join()


def test_threads_may_share_a_saver(tmp_path: Path):
    model()
    saver = tf.train.Saver(max_to_keep=3)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        threads = [threading.Thread(target=saver.save, args=(sess, tmp_path / "m", step)) for step in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(saver.last_checkpoints) == 3
    state = tf.train.get_checkpoint_state(tmp_path)
    assert list(state.all_model_checkpoint_paths) == saver.last_checkpoints
    assert len(list(tmp_path.glob("*.index"))) == 3


# -- the random streams -------------------------------------------------------------------------------------------


def draws() -> tuple[Any, Any]:
    """Random numbers of many kinds, and a variable that is changed by some."""
    walk = tf.get_variable("walk", [3], initializer=tf.zeros_initializer())
    flag = tf.placeholder_with_default(True, [])
    numbers = [
        tf.random_uniform([2]),
        tf.random_normal([2], seed=5),
        tf.random_shuffle(tf.range(10)),
        tf.nn.dropout(tf.ones([8]), keep_prob=0.5),
        tf.cond(flag, lambda: tf.random_uniform([2]), lambda: tf.random_normal([2])),
        tf.assign_add(walk, tf.random_normal([3])),
    ]
    return numbers, flag


def equal(one: Any, other: Any) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("seed", [None, 3])
def test_a_resumed_run_draws_what_the_uninterrupted_one_does(seed: int | None, tmp_path: Path):
    tf.set_random_seed(seed)
    numbers, _ = draws()
    saver = tf.train.Saver()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for _ in range(3):
            sess.run(numbers)
        path = saver.save(sess, tmp_path / "m")
        later = [sess.run(numbers) for _ in range(3)]
    assert not equal(later[0], later[1])
    with tf.Graph().as_default(), tf.Session() as sess:
        tf.set_random_seed(seed)
        numbers, _ = draws()
        tf.train.Saver().restore(sess, path)
        for want in later:
            assert equal(sess.run(numbers), want)


def test_restoring_takes_back_what_was_drawn_since(tmp_path: Path):
    tf.set_random_seed(1)
    numbers, flag = draws()
    saver = tf.train.Saver()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(numbers, {flag: True})
        path = saver.save(sess, tmp_path / "m")
        # The other branch had drawn nothing when the checkpoint was written.
        later = [sess.run(numbers, {flag: way}) for way in (False, True)]
        saver.restore(sess, path)
        for want, way in zip(later, (False, True), strict=True):
            assert equal(sess.run(numbers, {flag: way}), want)


def test_streams_of_operations_that_are_gone_are_passed_over(tmp_path: Path):
    numbers, _ = draws()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(numbers)
        path = tf.train.Saver().save(sess, tmp_path / "m")
    streams = [name for name, _ in tf.train.list_variables(path) if name != "walk"]
    assert len(streams) >= 6
    assert all(name.startswith("_monitored/stream/") for name in streams)
    with tf.Graph().as_default(), tf.Session() as sess:
        tf.get_variable("walk", [3])
        tf.train.Saver().restore(sess, path)
        assert sess.run("walk:0").shape == (3,)


def test_a_saver_of_a_part_of_the_model_leaves_the_streams_alone(tmp_path: Path):
    numbers, _ = draws()
    part = tf.train.Saver([tf.get_variable("other", [], initializer=tf.zeros_initializer())])
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(numbers)
        assert tf.train.list_variables(part.save(sess, tmp_path / "part")) == [("other", [])]
        whole = tf.train.Saver()
        path = whole.save(sess, tmp_path / "whole")
        first = sess.run(numbers)
        part.restore(sess, path)
        assert not equal(sess.run(numbers), first)
        whole.restore(sess, path)
        assert equal(sess.run(numbers), first)


# -- graphs and nodes ---------------------------------------------------------------------------------------------


def test_a_saver_is_made_again_from_its_proto(tmp_path: Path):
    a, b, _ = model()
    first = tf.train.Saver({"x": a, "y": b}, max_to_keep=2, name="keep")
    assert first.to_proto("keep").save_tensor_name == "control_dependency:0"
    assert first.to_proto("other") is None
    second = tf.train.Saver.from_proto(first.to_proto())
    third = tf.train.Saver.from_proto(first.to_proto("keep"), import_scope="keep")
    with tf.Session() as sess:
        ones(sess)
        for saver in (second, third):
            assert saver.saver_def == first.saver_def
            path = saver.save(sess, tmp_path / "m", 1)
            assert [name for name, _ in tf.train.list_variables(path)] == ["x", "y"]
            ones(sess, 2.0)
            saver.restore(sess, path)
            assert sess.run(a).tolist() == [1] * 4


def test_the_nodes_refuse_a_wrong_shape_before_any_variable_changes(tmp_path: Path):
    a, *_ = model()
    with tf.Session() as sess:
        saver = tf.train.Saver({"a": a, "z": tf.get_variable("z", [1])})
        ones(sess)
        path = saver.save(sess, tmp_path / "m")
    with tf.Graph().as_default(), tf.Session() as sess:
        tf.get_variable("a", [4])
        tf.get_variable("z", [2])
        saver = tf.train.Saver()
        ones(sess, 5.0)
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"lhs shape= \[2\] rhs shape= \[1\]"):
            sess.run(saver.saver_def.restore_op_name, {saver.saver_def.filename_tensor_name: path})
        assert all_equal(sess, 5.0)


def test_an_assignment_found_to_be_of_a_wrong_shape_only_when_it_runs_changes_nothing():
    v, value = tf.Variable([1.0, 2.0]), tf.placeholder(tf.float32)
    with tf.Session() as sess:
        sess.run(v.initializer)
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"lhs shape= \[2\] rhs shape= \[3\]"):
            sess.run(tf.assign(v, value), {value: [3, 4, 5]})
        assert sess.run(v).tolist() == [1, 2]


def test_the_operations_save_and_restore_slices(tmp_path: Path):
    path = tf.constant(str(tmp_path / "m"))
    value = np.arange(24, dtype=np.float32).reshape(4, 6)
    specs = ["4 6 -:0,2", "4 6 -:2,4", ""]
    saved = apply("SaveV2", path, ["v", "v", "n"], specs, [value[:, :2], value[:, 2:], [7]])
    whole, part, number = apply(
        "RestoreV2", path, ["v", "v", "n"], ["", "4 6 1,2:3,2", ""], dtypes=[tf.float32] * 2 + [tf.int32]
    )
    assert part.shape.as_list() == [2, 2]
    with tf.Session() as sess:
        sess.run(saved)
        got = sess.run([whole, part, number])
    assert np.array_equal(got[0], value)
    assert np.array_equal(got[1], value[1:3, 3:5])
    assert got[2].tolist() == [7]
    with tf.Session() as sess, pytest.raises(tf.errors.InvalidArgumentError, match="slice specification 'x'"):
        sess.run(apply("SaveV2", path, ["v"], ["x"], [[1.0]]))


def test_the_graph_is_written_beside_each_checkpoint(tmp_path: Path):
    model()
    saver = tf.train.Saver()
    with tf.Session() as sess:
        ones(sess)
        saver.save(sess, tmp_path / "m", 1)
        tf.no_op("more")
        saver.save(sess, tmp_path / "m", 2)
        tf.get_default_graph().finalize()
        for step in (3, 4):
            saver.save(sess, tmp_path / "m", step)
    metas = [tf.MetaGraphDef.FromString((tmp_path / f"m-{step}.meta").read_bytes()) for step in (1, 2, 3, 4)]
    assert [metas[i].graph_def.node[-1].name for i in range(4)] == ["save/restore_all"] + ["more"] * 3
    assert metas[3] == metas[2]
    assert metas[3].saver_def == saver.saver_def
    assert metas[3].meta_info_def.tensorflow_version.startswith("1.15")


def test_exporting_graphs(tmp_path: Path):
    with tf.device("/gpu:0"):
        model()
    tf.matmul([[1.0]], [[2.0]], name="product")
    saver = tf.train.Saver()
    meta = saver.export_meta_graph(tmp_path / "text", as_text=True, strip_default_attrs=True, clear_devices=True)
    assert 'name: "product"' in (tmp_path / "text").read_text()
    assert meta.meta_info_def.stripped_default_attrs
    assert not [node for node in meta.graph_def.node if node.device]
    product = next(node for node in meta.graph_def.node if node.name == "product")
    assert "transpose_a" not in product.attr
    assert "T" in product.attr
    with tf.Session(config=tf.ConfigProto(allow_soft_placement=True)) as sess:
        ones(sess)
        saver.save(sess, tmp_path / "m", save_debug_info=True)
    from tensorboard.compat.proto import graph_debug_info_pb2

    info = graph_debug_info_pb2.GraphDebugInfo.FromString((tmp_path / "m.debug").read_bytes())
    (place,) = info.traces["product"].file_line_cols
    assert (info.files[place.file_index], place.func) == (__file__, "test_exporting_graphs")
    with pytest.raises(tf.errors.UnimplementedError, match="export_scope"):
        tf.train.export_meta_graph(export_scope="a")


def test_what_is_not_supported_says_so():
    a, *_ = model()
    with pytest.raises(tf.errors.UnimplementedError, match="builder"):
        tf.train.Saver(builder=object())
    saver = tf.train.Saver([a])
    saver.saver_def.save_tensor_name = "nothing:0"
    with pytest.raises(KeyError, match="nothing"):
        tf.train.Saver(saver_def=saver.saver_def)


def test_a_directory_of_checkpoints_can_be_moved(tmp_path: Path):
    model()
    saver = tf.train.Saver(save_relative_paths=True)
    with tf.Session() as sess:
        ones(sess)
        (tmp_path / "here").mkdir()
        saver.save(sess, tmp_path / "here" / "m", 1)
        shutil.move(tmp_path / "here", tmp_path / "there")
        saver.restore(sess, tf.train.latest_checkpoint(tmp_path / "there"))
        assert all_equal(sess, 1.0)


@pytest.mark.parametrize("own_saver", [False, True])
@pytest.mark.parametrize("restored", [False, True])
def test_a_restarted_training_removes_what_the_one_before_kept(own_saver: bool, restored: bool, tmp_path: Path):
    directory = str(tmp_path)
    for _ in range(3):
        with tf.Graph().as_default():
            count = tf.assign_add(tf.train.get_or_create_global_step(), 1)
            saver = tf.train.Saver(max_to_keep=2)
            scaffold = tf.train.Scaffold(saver=saver)
            other = tf.train.Saver(max_to_keep=2, name="other") if own_saver else saver
            hook = tf.train.CheckpointSaverHook(directory, save_steps=1, saver=other)
            start = directory if restored else None
            with tf.train.SingularMonitoredSession([hook], scaffold, checkpoint_dir=start) as sess:
                sess.run(count)
        (tmp_path / "model.ckpt-77.index").write_bytes(b"made by somebody else")
        kept = sorted(tmp_path.glob("*.data-*"))
        assert len(kept) == 2
        assert tf.train.get_checkpoint_state(directory).all_model_checkpoint_paths == [
            str(path).partition(".data")[0] for path in kept
        ]
    assert (tmp_path / "model.ckpt-77.index").exists()


@pytest.mark.parametrize("restored", [False, True])
def test_a_copied_directory_does_not_remove_the_checkpoints_it_was_copied_from(restored: bool, tmp_path: Path):
    def train(directory: Path) -> None:
        with tf.Graph().as_default():
            count = tf.assign_add(tf.train.get_or_create_global_step(), 1)
            scaffold = tf.train.Scaffold(saver=tf.train.Saver(max_to_keep=1))
            hook = tf.train.CheckpointSaverHook(str(directory), save_steps=1, scaffold=scaffold)
            start = str(directory) if restored else None
            with tf.train.SingularMonitoredSession([hook], scaffold, checkpoint_dir=start) as sess:
                sess.run(count)

    train(tmp_path / "first")  # its `checkpoint` file has absolute paths, as TensorFlow writes them
    before = files_of(tmp_path / "first")
    shutil.copytree(tmp_path / "first", tmp_path / "copy")
    train(tmp_path / "copy")
    assert files_of(tmp_path / "first") == before
    assert tf.train.load_variable(tmp_path / "copy", "global_step") == (2 if restored else 1)


def test_names_of_tensors_may_be_bytes_as_for_tensorflow(tmp_path: Path):
    write_bundle(tmp_path / "m", {"w": np.ones(2, np.float32)})
    reader = tf.train.NewCheckpointReader(os.fsencode(tmp_path / "m"))
    assert reader.has_tensor(b"w")
    assert reader.get_tensor(b"w").tolist() == [1, 1]


@pytest.mark.parametrize("memory", ["of its own", "aligned"])
def test_values_that_are_read_into_the_same_memory_one_after_the_other_stay_apart(
    memory: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """JAX's processor device shares memory that is aligned to 64 bytes instead of copying it."""
    if memory == "aligned":
        monkeypatch.setattr(snapshot, "copied_memory", aligned)
    count = 200_000  # so few that they are read some at a time, and so many variables that it is done three times
    variables = [tf.get_variable(f"v{i}", [count], initializer=tf.constant_initializer(i)) for i in range(50)]
    saver = tf.train.Saver()
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        path = saver.save(session, str(tmp_path / "model"))
    with tf.Session() as session:
        saver.restore(session, path)
        for i, value in enumerate(session.run(variables)):
            assert (value == i).all()


@pytest.mark.parametrize("start", range(0, 64, 16))
def test_a_loaded_value_is_not_the_callers_array(start: int):
    value = aligned(4000 + start)[start:].view(np.float32)
    value[...] = 1
    variable = tf.get_variable("v", value.shape)
    with tf.Session() as session:
        variable.load(value, session)
        value[...] = 2
        assert (session.run(variable) == 1).all()


def aligned(size: int) -> np.ndarray[Any, Any]:
    memory = np.empty(size + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + size]
