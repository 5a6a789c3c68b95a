"""What a run records about itself: step times, traces, and the graph that was carried out."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import monitored as tf
from monitored import timeline


@pytest.fixture(autouse=True)
def _graph() -> Iterator[None]:
    with tf.Graph().as_default():
        yield


def _train_step() -> tuple[Any, Any, Any]:
    """A step with a host part: the placeholder, the training operation and the loss."""
    x = tf.placeholder(tf.float32, [None, 4], name="x")
    doubled = tf.py_func(lambda a: a * 2, [x], tf.float32, name="double")
    doubled.set_shape([None, 4])
    w = tf.get_variable("w", [4, 1])
    loss = tf.reduce_mean(tf.square(tf.matmul(doubled, w)), name="loss")
    step = tf.train.get_or_create_global_step()
    return x, tf.train.GradientDescentOptimizer(0.1).minimize(loss, step, name="train"), loss


def _traced(sess: Any, fetches: Any, feed_dict: Any = None, **options: Any) -> Any:
    metadata = tf.RunMetadata()
    sess.run(fetches, feed_dict, tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE, **options), metadata)
    return metadata


def _nodes(metadata: Any) -> dict[str, list[Any]]:
    return {device.device: list(device.node_stats) for device in metadata.step_stats.dev_stats}


HOST = "/job:localhost/replica:0/task:0/device:CPU:0"
COMPILER = "/job:localhost/replica:0/task:0/compiler:XLA:0"


def test_a_full_trace_has_the_host_steps_the_segments_and_the_compilations() -> None:
    x, train, loss = _train_step()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        first = _nodes(_traced(sess, [train, loss], {x: np.ones((3, 4))}))
        second = _nodes(_traced(sess, [train, loss], {x: np.ones((3, 4))}))
    all_nodes = [node for nodes in second.values() for node in nodes]
    assert [node.node_name for node in all_nodes] == ["double", "train"]
    assert all_nodes[0].timeline_label == "double = PyFunc(x)"
    assert all_nodes[1].timeline_label.startswith("train = Segment[")
    assert all_nodes[1].timeline_label.endswith("](double)")
    assert COMPILER in first
    assert COMPILER not in second
    (compiled,) = first[COMPILER]
    assert compiled.timeline_label == "train = Compile()"


def test_times_follow_one_another_and_are_true() -> None:
    release, inside = threading.Event(), threading.Event()

    def wait(a: Any) -> Any:
        inside.set()
        assert release.wait(60)
        return a

    x = tf.placeholder(tf.float32, [])
    waited = tf.py_func(wait, [x], tf.float32, name="wait")
    waited.set_shape([])
    y = tf.square(waited, name="y")
    with tf.Session() as sess:
        release.set()
        sess.run(y, {x: 2})
        release.clear()
        inside.clear()
        found = []
        thread = threading.Thread(target=lambda: found.append(_traced(sess, y, {x: 3})))
        thread.start()
        assert inside.wait(60)
        release.set()
        thread.join()
    nodes = {node.node_name: node for nodes in _nodes(found[0]).values() for node in nodes}
    ends = {name: node.all_start_micros + node.all_end_rel_micros for name, node in nodes.items()}
    assert nodes["wait"].all_end_rel_micros > 0
    assert nodes["y"].all_start_micros + 1 >= ends["wait"]
    for node in nodes.values():
        assert node.all_start_nanos // 1000 == node.all_start_micros
        assert node.op_end_rel_micros <= node.all_end_rel_micros


def test_outputs_are_described() -> None:
    x, train, loss = _train_step()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        nodes = {
            n.node_name: n for ns in _nodes(_traced(sess, [train, loss], {x: np.ones((3, 4))})).values() for n in ns
        }
    (output,) = nodes["double"].output
    assert output.tensor_description.dtype == tf.float32.as_datatype_enum
    assert [dim.size for dim in output.tensor_description.shape.dim] == [3, 4]
    assert output.tensor_description.allocation_description.requested_bytes == 48


def test_values_are_those_of_a_run_without_a_trace() -> None:
    x, train, loss = _train_step()
    results = []
    for options in (None, tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE)):
        with tf.Session() as sess:
            sess.run(tf.global_variables_initializer())
            sess.run(tf.assign(tf.global_variables()[0], np.ones((4, 1))))
            metadata = None if options is None else tf.RunMetadata()
            steps = [
                sess.run([train, loss, "global_step:0"], {x: np.ones((3, 4))}, options, metadata) for _ in range(3)
            ]
            results.append(steps)
    assert results[0] == results[1]


def test_a_trace_goes_on_when_the_plan_must_be_changed() -> None:
    x = tf.placeholder(tf.int32, [None])
    total = tf.reduce_sum(tf.reshape(tf.range(tf.reduce_max(x)), [-1]), name="total")
    with tf.Session() as sess:
        metadata = _traced(sess, total, {x: [1, 5, 2]})
        assert sess.run(total, {x: [1, 5, 2]}) == 10
    names = [node.node_name for nodes in _nodes(metadata).values() for node in nodes]
    assert "total" in names


def test_metadata_is_made_anew_by_each_run() -> None:
    x, train, _ = _train_step()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        metadata = _traced(sess, train, {x: np.ones((1, 4))}, output_partition_graphs=True)
        assert len(metadata.partition_graphs) == 1
        sess.run(train, {x: np.ones((1, 4))}, tf.RunOptions(), metadata)
        assert not metadata.step_stats.dev_stats
        assert not metadata.partition_graphs
        sess.run(train, {x: np.ones((1, 4))}, tf.RunOptions(output_partition_graphs=True), metadata)
        assert len(metadata.partition_graphs) == 1
        sess.run(train, {x: np.ones((1, 4))}, None, metadata)
        assert metadata == tf.RunMetadata()


def test_what_is_fed_is_a_placeholder_of_the_partition_graph() -> None:
    x = tf.placeholder(tf.float32, [2], name="x")
    y = tf.square(x, name="y")
    z = tf.add(y, 1.0, name="z")
    with tf.Session() as sess:
        (graph_def,) = _traced(sess, z, {y: [1, 2]}, output_partition_graphs=True).partition_graphs
    assert {node.name: node.op for node in graph_def.node if node.op != "Const"} == {"y": "Placeholder", "z": "Add"}


def test_the_partition_graph_is_what_was_carried_out() -> None:
    x, _, loss = _train_step()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        metadata = _traced(sess, loss, {x: np.ones((1, 4))}, output_partition_graphs=True)
        (graph_def,) = metadata.partition_graphs
        names = {node.name for node in graph_def.node}
        assert {"x", "double", "w", "w/read", "loss"} <= names
        assert "train" not in names
        for node in graph_def.node:
            for name in node.input:
                assert name.removeprefix("^").partition(":")[0] in names
        w = sess.run("w:0")
        expected = sess.run(loss, {x: np.ones((1, 4))})
    with tf.Graph().as_default():
        tf.import_graph_def(graph_def, name="")
        with tf.Session() as sess:
            # `double` is a Python function of the other graph: its value is given.
            assert sess.run("loss:0", {"double:0": np.full((1, 4), 2.0), "w:0": w}) == pytest.approx(expected)


def test_a_trace_can_be_read_by_tensorboard(tmp_path: Any) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    x, train, _ = _train_step()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        metadata = _traced(sess, train, {x: np.ones((1, 4))})
        with tf.summary.FileWriter(str(tmp_path), sess.graph) as writer:
            writer.add_run_metadata(metadata, "step_1", 1)
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    assert events.Tags()["run_metadata"] == ["step_1"]
    assert [d.device for d in events.RunMetadata("step_1").step_stats.dev_stats] == list(_nodes(metadata))
    in_graph = {node.name for node in events.Graph().node}
    assert {node.node_name for nodes in _nodes(metadata).values() for node in nodes} <= in_graph


# -- the trace for Chrome ---------------------------------------------------------------------------------------------


def _stats(*devices: tuple[str, list[tuple[str, str, int, int]]]) -> Any:
    """A `StepStats` of devices with steps: name, label, begin, duration."""
    stats = tf.RunMetadata().step_stats
    for device, steps in devices:
        one = stats.dev_stats.add(device=device)
        for name, label, begin, duration in steps:
            one.node_stats.add(
                node_name=name, timeline_label=label, all_start_micros=begin, all_end_rel_micros=duration
            )
    return stats


def _events(stats: Any, **kwargs: Any) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = json.loads(timeline.Timeline(stats).generate_chrome_trace_format(**kwargs))[
        "traceEvents"
    ]
    return events


def test_a_device_is_a_process_and_what_overlaps_has_rows_of_its_own() -> None:
    events = _events(
        _stats(
            ("cpu", [("a", "a = A()", 10, 5), ("b", "b = B(a, c:1)", 12, 10), ("c", "c = C()", 15, 2)]),
            ("gpu", [("d", "no label", 11, 1)]),
        )
    )
    assert [e["args"]["name"] for e in events if e["ph"] == "M"] == [
        "Allocators", "cpu Compute", "cpu Tensors", "gpu Compute", "gpu Tensors",
    ]  # fmt: skip
    steps = {e["args"]["name"]: e for e in events if e["ph"] == "X"}
    assert {name: (e["pid"], e["tid"], e["ts"], e["dur"]) for name, e in steps.items()} == {
        "a": (1, 0, 10, 5), "b": (1, 1, 12, 10), "c": (1, 0, 15, 2), "d": (3, 0, 11, 1),
    }  # fmt: skip
    assert steps["b"]["args"] == {"name": "b", "op": "B", "input0": "a", "input1": "c:1"}
    assert steps["b"]["name"] == "B"
    assert steps["d"]["name"] == "unknown"


def test_arrows_join_what_is_in_different_rows() -> None:
    stats = _stats(
        ("cpu", [("a", "a = A()", 10, 5), ("b", "b = B(a)", 15, 2)]),
        ("gpu", [("c", "c = C(a:0)", 20, 1), ("d", "d = D(^a, b)", 21, 1)]),
    )
    arrows = [e for e in _events(stats) if e.get("cat") == "DataFlow"]
    assert [(e["ph"], e["name"], e["pid"], e["ts"]) for e in arrows] == [
        ("s", "a", 1, 15), ("t", "a", 3, 20),
        ("s", "a", 1, 15), ("t", "a", 3, 21),
        ("s", "b", 1, 17), ("t", "b", 3, 21),
    ]  # fmt: skip
    assert len({e["id"] for e in arrows}) == 3
    assert not [e for e in _events(stats, show_dataflow=False) if e.get("cat") == "DataFlow"]


def test_memory_is_shown_when_asked_for() -> None:
    stats = _stats(("cpu", [("a", "a = A()", 10, 5), ("b", "b = B(a)", 16, 2)]))
    description = stats.dev_stats[0].node_stats[0].output.add().tensor_description
    description.allocation_description.requested_bytes = 64
    description.allocation_description.allocator_name = "xla"
    assert not [e for e in _events(stats) if e["ph"] in "NODC"]
    events = _events(stats, show_memory=True)
    assert [(e["ph"], e["ts"]) for e in events if e["ph"] in "NOD"] == [("N", 10), ("O", 15), ("D", 16)]
    assert [(e["ts"], e["args"]) for e in events if e["ph"] == "C"] == [(10, {"xla": 64}), (16, {"xla": 0})]


def test_a_traced_run_can_be_shown() -> None:
    x, train, loss = _train_step()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        metadata = _traced(sess, [train, loss], {x: np.ones((3, 4))})
    steps = [e for e in _events(metadata.step_stats, show_memory=True) if e["ph"] == "X"]
    assert [e["args"]["name"] for e in steps] == ["double", "train", "train"]
    assert [e["name"] for e in steps if e["name"] == "Compile"] == ["Compile"]
