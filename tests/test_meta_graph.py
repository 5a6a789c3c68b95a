"""MetaGraphs: TensorFlow's training graphs (`oracle/make_graph_fixtures.py`) go on training here; ours read back."""

import gzip
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf import text_format
from tensorboard.compat.proto import meta_graph_pb2

import monitored as tf
from monitored import errors

FIXTURES = Path(__file__).parent / "fixtures" / "graphs"
CHECK_TF_RUNS_OURS = Path(__file__).parent / "oracle" / "check_tf_runs_ours.py"
RUNS = ["train_cnn", "train_text", "train_text_v2", "train_rnn"]


@pytest.fixture(autouse=True)
def graph() -> Iterator[tf.Graph]:
    with tf.Graph().as_default() as graph:
        yield graph


class Recording:
    """A training run of TensorFlow's."""

    def __init__(self, name: str) -> None:
        arrays = np.load(FIXTURES / f"{name}.npz")
        self.path = str(FIXTURES / name)
        compressed = FIXTURES / f"{name}.meta.gz"
        self.meta: Any = f"{self.path}.meta"  # the graph: a path, or what a compressed file holds
        if compressed.exists():
            self.meta = meta_graph_pb2.MetaGraphDef.FromString(gzip.decompress(compressed.read_bytes()))
        self.before = int(arrays["before"])  # steps before the checkpoint
        self.losses = arrays["losses"]
        self.loss, self.train_op = str(arrays["loss"]), str(arrays["train_op"])
        self.batches = {key[6:]: arrays[key] for key in arrays if key.startswith("batch|")}
        self.after = {key[6:]: arrays[key] for key in arrays if key.startswith("after|")}

    def feeds(self, step: int, scope: str = "") -> dict[str, Any]:
        return {scope + key: values[step] for key, values in self.batches.items()}

    def go_on(self, session: Any, scope: str = "") -> list[Any]:
        """The losses of the steps after the checkpoint."""
        fetches = [scope + self.loss, scope + self.train_op]
        steps = range(self.before, len(self.losses))
        return [session.run(fetches, self.feeds(step, scope))[0] for step in steps]


@pytest.mark.parametrize("name", RUNS)
def test_training_goes_on_with_tensorflows_losses(name: str) -> None:
    run = Recording(name)
    saver = tf.train.import_meta_graph(run.meta)
    with tf.Session() as session:
        saver.restore(session, run.path)
        np.testing.assert_allclose(run.go_on(session), run.losses[run.before :], rtol=1e-5, atol=1e-6)
        variables = {v.op.name: session.run(v) for v in tf.global_variables()}
    assert variables.keys() == run.after.keys()
    for key, expected in run.after.items():
        assert variables[key].dtype == expected.dtype
        np.testing.assert_allclose(variables[key], expected, rtol=1e-4, atol=1e-6, err_msg=key)


@pytest.mark.parametrize("name", ["train_cnn", "train_text"])
def test_in_a_scope_everything_stands_in_the_scope(graph: tf.Graph, name: str) -> None:
    run = Recording(name)
    saver = tf.train.import_meta_graph(run.meta, import_scope="a/b", clear_devices=True)
    assert all(op.name.startswith("a/b/") and op.device == "" for op in graph.get_operations())
    assert saver.saver_def.restore_op_name == "a/b/save/restore_all"
    assert all(op.name.startswith("a/b/") for op in graph.get_collection("train_op"))
    with tf.Session() as session:
        saver.restore(session, run.path)
        assert session.run(tf.train.get_global_step()) == run.before
        loss = session.run("a/b/" + run.loss, run.feeds(run.before, "a/b/"))
        np.testing.assert_allclose(loss, run.losses[run.before], rtol=1e-5)


def test_a_name_scope_around_the_import_holds_it() -> None:
    with tf.name_scope("outer"):
        saver = tf.train.import_meta_graph(Recording("train_text").meta)
    assert saver.saver_def.restore_op_name == "outer/save/restore_all"
    assert all(v.name.startswith("outer/model/") for v in tf.global_variables())


def test_collections_come_back(graph: tf.Graph) -> None:
    run = Recording("train_cnn")
    tf.train.import_meta_graph(run.meta)
    assert [v.name for v in tf.trainable_variables()][:2] == ["conv2d/kernel:0", "batch_normalization/gamma:0"]
    assert len(tf.global_variables()) == len(run.after)
    (step,) = graph.get_collection(tf.GraphKeys.GLOBAL_STEP)
    assert step is tf.train.get_global_step()
    assert step in tf.global_variables()
    assert set(tf.trainable_variables()) < set(tf.global_variables())
    assert [t.name for t in graph.get_collection(tf.GraphKeys.SUMMARIES)] == ["loss:0"]
    assert [op.name for op in graph.get_collection(tf.GraphKeys.UPDATE_OPS)] == [
        "batch_normalization/AssignMovingAvg",
        "batch_normalization/AssignMovingAvg_1",
    ]


def test_only_the_collections_asked_for_come_back(graph: tf.Graph) -> None:
    path = Recording("train_text").meta
    saver = tf.train.import_meta_graph(path, restore_collections_predicate=lambda key: key == "losses")
    assert graph.get_all_collection_keys() == ["losses"]
    assert saver.saver_def.max_to_keep == 3


def test_inputs_can_be_mapped() -> None:
    run = Recording("train_text")
    ids, targets = tf.placeholder(tf.int32, [None, 4]), tf.placeholder(tf.float32, [None, 1])
    saver = tf.train.import_meta_graph(run.meta, input_map={"ids:0": ids, "targets": targets})
    with tf.Session() as session:
        saver.restore(session, run.path)
        feeds = run.feeds(run.before)
        loss = session.run(run.loss, {ids: feeds["ids:0"], targets: feeds["targets:0"]})
    np.testing.assert_allclose(loss, run.losses[run.before], rtol=1e-5)
    with pytest.raises(ValueError, match=r"not found in graph_def: \[zz:0\]"):
        tf.train.import_meta_graph(run.meta, input_map={"zz:0": ids})


@pytest.mark.parametrize("name", ["train_cnn", "train_text"])
def test_the_nodes_of_tensorflows_saver_save_and_restore(name: str, tmp_path: Path) -> None:
    run = Recording(name)
    tf.train.import_meta_graph(run.meta)
    copy = str(tmp_path / "copy")
    with tf.Session() as session:
        session.run("save/restore_all", {"save/Const:0": run.path})
        session.run("save/control_dependency:0", {"save/Const:0": copy})
        loss = session.run(run.loss, run.feeds(run.before))
    np.testing.assert_allclose(loss, run.losses[run.before], rtol=1e-5, atol=1e-6)
    assert tf.train.list_variables(copy) == tf.train.list_variables(run.path)


@pytest.mark.parametrize("name", ["train_text", "train_text_v2"])
def test_a_step_that_updates_rows_is_one_segment(graph: tf.Graph, name: str) -> None:
    run = Recording(name)
    tf.train.import_meta_graph(run.meta)
    (unique,) = [op for op in graph.get_operations() if op.type == "Unique"]
    assert unique.node_def.op == "Unique"
    with tf.Session() as session:
        plan = session.plan([run.loss, run.train_op], run.feeds(0))
    assert plan.count("segment of") == 1
    assert "host step" not in plan


def test_an_imported_graph_trains_in_a_monitored_session(tmp_path: Path) -> None:
    run = Recording("train_cnn")
    saver = tf.train.import_meta_graph(run.meta)
    scaffold = tf.train.Scaffold(saver=saver, init_fn=lambda scaffold, session: saver.restore(session, run.path))
    hooks = [tf.train.StopAtStepHook(last_step=len(run.losses))]
    with tf.train.SingularMonitoredSession(hooks, scaffold, checkpoint_dir=str(tmp_path)) as session:
        losses = []
        while not session.should_stop():
            step = run.before + len(losses)
            losses.append(session.run([run.loss, run.train_op], run.feeds(step))[0])
    np.testing.assert_allclose(losses, run.losses[run.before :], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", RUNS)
def test_frozen_it_gives_the_same_without_a_checkpoint(graph: tf.Graph, name: str) -> None:
    run = Recording(name)
    saver = tf.train.import_meta_graph(run.meta)
    loss = run.loss.partition(":")[0]
    with tf.Session() as session:
        saver.restore(session, run.path)
        frozen = tf.graph_util.convert_variables_to_constants(session, session.graph_def, [loss])
    assert not {"VariableV2", "VarHandleOp", "ReadVariableOp", "Assign"} & {node.op for node in frozen.node}
    for graph_def in (frozen, tf.graph_util.remove_training_nodes(frozen)):
        with tf.Graph().as_default():
            tf.import_graph_def(graph_def, name="")
            with tf.Session() as session:
                found = session.run(run.loss, run.feeds(run.before))
        np.testing.assert_allclose(found, run.losses[run.before], rtol=1e-5)
    assert len(tf.graph_util.remove_training_nodes(frozen).node) < len(frozen.node)


def test_a_resource_variable_can_be_used_like_any() -> None:
    run = Recording("train_text")
    tf.train.import_meta_graph(run.meta)
    bias = next(v for v in tf.trainable_variables() if v.op.name == "model/bias")
    assert (bias.dtype, bias.shape.as_list(), bias.trainable) == (tf.float32, [1], True)
    doubled = bias * 2.0
    added = bias.assign_add([3.0])
    gradient = tf.gradients(tf.reduce_sum(bias * bias), [bias])[0]
    with tf.Session() as session:
        session.run(bias.initializer)
        bias.load([5.0], session)
        assert session.run([doubled, gradient, bias]) == [[10.0], [10.0], [5.0]]
        assert session.run(added) == [8.0]
    assert bias.to_proto().is_resource


def test_gradients_of_an_imported_table_are_sparse() -> None:
    run = Recording("train_text")
    saver = tf.train.import_meta_graph(run.meta)
    table = next(v for v in tf.trainable_variables() if v.op.name == "model/table")
    (gradient,) = tf.gradients(tf.get_default_graph().get_tensor_by_name(run.loss), [table])
    assert isinstance(gradient, tf.IndexedSlices)
    step = tf.train.GradientDescentOptimizer(1.0).minimize(
        tf.get_default_graph().get_tensor_by_name(run.loss), var_list=[table]
    )
    with tf.Session() as session:
        saver.restore(session, run.path)
        before = session.run(run.loss, run.feeds(run.before))
        session.run(step, run.feeds(run.before))
        assert session.run(run.loss, run.feeds(run.before)) < before


# -- our own ----------------------------------------------------------------------------------------------------------


def test_our_own_run_goes_on_bit_for_bit(tmp_path: Path) -> None:
    batches = np.random.RandomState(0).randn(8, 5, 3).astype(np.float32)
    path = str(tmp_path / "model")
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, 3], name="x")
        w = tf.get_variable("w", [3, 2], initializer=tf.glorot_uniform_initializer(seed=1))
        h = tf.nn.dropout(tf.tanh(tf.matmul(x, w)), 0.5, seed=3)
        loss = tf.reduce_mean(tf.square(h - 0.5), name="loss")
        step = tf.train.get_or_create_global_step()
        train_op = tf.train.MomentumOptimizer(0.1, 0.9).minimize(loss, step, name="train")
        saver = tf.train.Saver()
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            for batch in batches[:4]:
                session.run(train_op, {x: batch})
            saver.save(session, path)
            expected = [session.run([loss, train_op], {x: batch})[0] for batch in batches[4:]]
    saver = tf.train.import_meta_graph(path + ".meta")
    (train_op,) = tf.get_collection(tf.GraphKeys.TRAIN_OP)
    with tf.Session() as session:
        saver.restore(session, path)
        found = [session.run(["loss:0", train_op], {"x:0": batch})[0] for batch in batches[4:]]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.oracle
@pytest.mark.skipif("MONITORED_TF_PYTHON" not in os.environ, reason="MONITORED_TF_PYTHON names no Python")
def test_tensorflow_restores_and_runs_the_forward_part_of_ours() -> None:
    completed = subprocess.run([sys.executable, CHECK_TF_RUNS_OURS], capture_output=True, text=True)
    assert completed.returncode == 0, completed.stdout + completed.stderr


# -- files and what may be wrong with them ----------------------------------------------------------------------------


def test_a_metagraph_may_be_text_or_an_object(tmp_path: Path) -> None:
    meta = meta_graph_pb2.MetaGraphDef.FromString((FIXTURES / "train_text.meta").read_bytes())
    text = tmp_path / "text.meta"
    text.write_text(text_format.MessageToString(meta))
    for source in (meta, str(text), text):
        with tf.Graph().as_default():
            assert tf.train.import_meta_graph(source) is not None
            assert len(tf.global_variables()) == 9


def test_without_variables_there_is_no_saver(graph: tf.Graph) -> None:
    with tf.Graph().as_default():
        tf.constant(1.0, name="c")
        meta = tf.train.export_meta_graph()
    assert tf.train.import_meta_graph(meta) is None
    assert [op.name for op in graph.get_operations()] == ["c"]


def test_without_a_saver_one_is_made() -> None:
    with tf.Graph().as_default():
        tf.get_variable("v", initializer=1.0)
        meta = tf.train.export_meta_graph()
    saver = tf.train.import_meta_graph(meta)
    assert saver.saver_def.restore_op_name == "save/restore_all"


def test_files_that_hold_no_metagraph_are_told_so(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"File nope\.meta does not exist"):
        tf.train.import_meta_graph("nope.meta")
    bad = tmp_path / "bad.meta"
    bad.write_bytes(b"\xff\xfe no graph")
    with pytest.raises(OSError, match=r"Cannot parse file .*bad\.meta"):
        tf.train.import_meta_graph(str(bad))
    with pytest.raises(TypeError, match="Expected a MetaGraphDef"):
        tf.train.import_meta_graph(7)


def test_a_part_of_a_graph_is_what_some_nodes_need() -> None:
    graph_def = meta_graph_pb2.MetaGraphDef.FromString((FIXTURES / "train_cnn.meta").read_bytes()).graph_def
    part = tf.graph_util.extract_sub_graph(graph_def, ["conv2d/kernel/read"])
    assert [node.name for node in part.node] == ["conv2d/kernel", "conv2d/kernel/read"]
    with pytest.raises(AssertionError, match="nope is not in graph"):
        tf.graph_util.extract_sub_graph(graph_def, ["nope"])
    with pytest.raises(TypeError, match="dest_nodes must be a list"):
        tf.graph_util.extract_sub_graph(graph_def, "conv2d/kernel")


def test_freezing_needs_values() -> None:
    tf.identity(tf.get_variable("v", initializer=1.0), name="out")
    with tf.Session() as session, pytest.raises(errors.FailedPreconditionError, match="uninitialized value v"):
        tf.graph_util.convert_variables_to_constants(session, session.graph_def, ["out"])


def test_variables_can_be_left_out_of_freezing() -> None:
    v, w = tf.get_variable("v", initializer=1.0), tf.get_variable("w", initializer=2.0)
    tf.add(v, w, name="out")
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        freeze = tf.graph_util.convert_variables_to_constants
        for frozen in (
            freeze(session, session.graph_def, ["out"], variable_names_whitelist=["w"]),
            freeze(session, session.graph_def, ["out"], variable_names_blacklist=["v"]),
        ):
            assert {node.name: node.op for node in frozen.node if node.name in "vw"} == {
                "v": "VariableV2",
                "w": "Const",
            }
