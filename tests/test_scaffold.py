"""`Scaffold`: what is given, found in the graph or built, as TensorFlow does it."""

import json
from pathlib import Path
from typing import Any

import pytest

import monitored as tf
from oracle import saver_programs

EXPECTED = json.loads((Path(__file__).parent / "fixtures" / "saver" / "programs.json").read_text())


@pytest.fixture(autouse=True)
def _graph():
    with tf.Graph().as_default():
        yield


def test_it_does_what_tensorflow_does(tmp_path: Path):
    assert saver_programs.run(tf, "scaffold", str(tmp_path)) == EXPECTED["scaffold"]


def test_finalizing_freezes_the_graph_and_says_so(caplog: Any):
    tf.get_variable("v", [2])
    caplog.set_level("INFO", "monitored")
    tf.train.Scaffold().finalize()
    assert "Graph was finalized." in caplog.messages
    with pytest.raises(RuntimeError, match="finalized"):
        tf.no_op()


def test_finalizing_again_adds_nothing():
    tf.get_variable("v", [2])
    scaffold = tf.train.Scaffold().finalize()
    count = len(tf.get_default_graph().get_operations())
    assert scaffold.finalize() is scaffold
    assert tf.train.Scaffold().finalize().init_op is scaffold.init_op  # by the collections
    assert len(tf.get_default_graph().get_operations()) == count


def test_what_is_built_works():
    v = tf.get_variable("v", [2], initializer=tf.ones_initializer())
    local = tf.get_variable("local", [], initializer=tf.ones_initializer(), collections=[tf.GraphKeys.LOCAL_VARIABLES])
    table = tf.Variable(0.0, collections=[])
    tf.add_to_collection(tf.GraphKeys.TABLE_INITIALIZERS, tf.assign(table, 5.0).op)
    tf.summary.scalar("total", tf.reduce_sum(v))
    scaffold = tf.train.Scaffold().finalize()
    with tf.Session() as sess:
        assert sess.run(scaffold.ready_op).tolist() == [b"v", b"local"]
        assert sess.run(scaffold.ready_for_local_init_op).tolist() == [b"v"]
        sess.run(scaffold.init_op)
        assert sess.run(scaffold.ready_op).tolist() == [b"local"]
        assert sess.run(scaffold.ready_for_local_init_op).tolist() == []
        sess.run(scaffold.local_init_op)
        assert sess.run(scaffold.ready_op).tolist() == []
        assert sess.run([v, local, table])[1:] == [1, 5]
        (value,) = tf.Summary.FromString(sess.run(scaffold.summary_op)).value
        assert (value.tag, value.simple_value) == ("total", 2)


def test_a_model_without_variables():
    tf.no_op()
    scaffold = tf.train.Scaffold().finalize()
    assert scaffold.summary_op is None
    with tf.Session() as sess:
        sess.run([scaffold.init_op, scaffold.local_init_op])
        assert sess.run(scaffold.ready_op).tolist() == []


def test_more_than_one_item_in_a_collection_is_an_error_that_tells_the_argument():
    for name in ("one", "two"):
        tf.add_to_collection(tf.GraphKeys.SUMMARY_OP, tf.constant(name))
    text = r'More than one item in the collection "summary_op".*tf.Scaffold\(summary_op=item to use\)'
    with pytest.raises(RuntimeError, match=text):
        tf.train.Scaffold().finalize()
    mine = tf.constant("three")
    assert tf.train.Scaffold(summary_op=mine).finalize().summary_op is mine


def test_more_than_one_saver_is_an_error():
    tf.get_variable("v", [2])
    for _ in range(2):
        tf.add_to_collection(tf.GraphKeys.SAVERS, tf.train.Saver())
    with pytest.raises(RuntimeError, match="More than one item in collection savers"):
        tf.train.Scaffold().finalize()


def test_a_deferred_saver_is_built():
    saver = tf.train.Saver(defer_build=True)
    tf.get_variable("v", [2])
    assert tf.train.Scaffold(saver=saver).finalize().saver is saver
    assert saver.saver_def.restore_op_name == "save/restore_all"


def test_get_or_default():
    made = tf.train.Scaffold.get_or_default("init_op", "mine", lambda: "new")
    assert made == "new"
    assert tf.train.Scaffold.get_or_default("init_op", "mine", lambda: "newer") == "new"
    assert tf.train.Scaffold.get_or_default("init_op", "none", lambda: None) is None
    assert tf.get_collection("mine") == ["new"]
    assert tf.get_collection("none") == []


def test_a_monitored_session_starts_with_what_the_scaffold_says():
    start = tf.placeholder(tf.float32, [])
    v = tf.Variable(start)
    local_start = tf.placeholder_with_default(1.0, [])
    local = tf.Variable(local_start, collections=[tf.GraphKeys.LOCAL_VARIABLES])
    seen = []

    def init_fn(scaffold: Any, sess: Any) -> None:
        seen.append((scaffold, sess.run(v), sess.run(scaffold.ready_op).tolist()))
        v.load(7.0, sess)

    scaffold = tf.train.Scaffold(init_feed_dict={start: 3.0}, init_fn=init_fn, local_init_feed_dict={local_start: 4.0})
    with tf.train.SingularMonitoredSession(scaffold=scaffold) as sess:
        assert sess.run([v, local]) == [7, 4]
    assert seen == [(scaffold, 3, [local.op.name.encode()])]
