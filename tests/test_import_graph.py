"""Graphs that TensorFlow wrote (`oracle/make_graph_fixtures.py`), read and run; and ours, read back."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf import text_format
from tensorboard.compat.proto import graph_pb2

import monitored as tf
from monitored import errors

FIXTURES = Path(__file__).parent / "fixtures" / "graphs"

# A graph, and which of its recordings.
RECORDED = [
    ("cnn", "cnn"),
    ("lstm", "lstm"),
    ("bidirectional_gru", "bidirectional_gru"),
    ("control_flow", "control_flow"),
    ("control_flow", "control_flow_else"),
    ("control_flow_v2", "control_flow_v2"),
    ("control_flow_v2", "control_flow_v2_else"),
    ("branch_gradients", "branch_gradients"),
    ("branch_gradients", "branch_gradients_else"),
    ("gradients", "gradients"),
    ("loop_gradients", "loop_gradients"),
    ("branch_gradients_v2", "branch_gradients_v2"),
    ("branch_gradients_v2", "branch_gradients_v2_else"),
    ("loop_gradients_v2", "loop_gradients_v2"),
]


@pytest.fixture(autouse=True)
def graph() -> Iterator[tf.Graph]:
    with tf.Graph().as_default() as graph:
        yield graph


def read(name: str) -> Any:
    compressed = FIXTURES / f"{name}.pb.gz"
    data = gzip.decompress(compressed.read_bytes()) if compressed.exists() else (FIXTURES / f"{name}.pb").read_bytes()
    return graph_pb2.GraphDef.FromString(data)


def recorded(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What was fed, and what TensorFlow gave."""
    arrays = np.load(FIXTURES / f"{name}.npz")
    kinds: dict[str, dict[str, Any]] = {"feed": {}, "fetch": {}}
    for key in arrays:
        kind, _, name = key.partition("|")
        kinds[kind][name] = arrays[key]
    return kinds["feed"], kinds["fetch"]


def assert_gives_what_tensorflow_gave(name: str, prefix: str = "") -> None:
    feeds, fetches = recorded(name)
    with tf.Session() as session:
        found = session.run({key: prefix + key for key in fetches}, {prefix + key: v for key, v in feeds.items()})
    for key, expected in fetches.items():
        assert found[key].dtype == expected.dtype, key
        np.testing.assert_allclose(found[key], expected, rtol=1e-5, atol=1e-5, err_msg=key)


@pytest.mark.parametrize(("name", "recording"), RECORDED, ids=[recording for _, recording in RECORDED])
def test_tensorflows_graph_gives_tensorflows_numbers(name: str, recording: str) -> None:
    tf.import_graph_def(read(name), name="")
    assert_gives_what_tensorflow_gave(recording)


@pytest.mark.parametrize("name", ["lstm", "control_flow", "control_flow_v2", "branch_gradients"])
def test_what_we_write_of_it_reads_back(name: str) -> None:
    with tf.Graph().as_default() as first:
        tf.import_graph_def(read(name), name="")
    tf.import_graph_def(first.as_graph_def(add_shapes=True), name="again")
    assert_gives_what_tensorflow_gave(name, "again/")


@pytest.mark.parametrize("name", ["effects", "effects_resource", "effects_v2"])
def test_variables_change_as_in_tensorflow(name: str) -> None:
    tf.import_graph_def(read(name), name="model")
    series = np.load(FIXTURES / f"{name}.npz")
    with tf.Session() as session:
        for key in series:
            _, fetch, *on = key.split("|")
            feeds = {"model/flag:0": on == ["1"], "model/ids:0": [2, 0]}
            found = session.run(f"model/{fetch}", feeds)
            if found is None:
                assert np.isnan(series[key]), key
            else:
                np.testing.assert_array_equal(found, series[key], err_msg=key)


def test_a_loop_becomes_one_operation_and_its_results_keep_their_names(graph: tf.Graph) -> None:
    tf.import_graph_def(read("lstm"), name="")
    (loop,) = [op for op in graph.get_operations() if op.type == "While"]
    assert loop.name == "rnn/while/While"
    assert graph.get_operation_by_name("rnn/while/Exit_3").inputs[0].op is loop
    assert not any(op.type in ("Enter", "Switch", "Merge", "NextIteration") for op in graph.get_operations())


def test_random_numbers_of_a_branch_are_those_of_its_gradient() -> None:
    tf.import_graph_def(read("branch_gradients"), name="")
    with tf.Session() as session:
        fetches = ["out/dropped:0", "out/kept:0", "out/h:0"]
        for training in (True, False):
            dropped, kept, h = session.run(fetches, {"x:0": np.ones([40, 3]), "training:0": training})
            np.testing.assert_array_equal(dropped, kept * h)
            assert (kept == 0).any() == training


def test_one_branch_needs_nothing_of_another_on_the_same_predicate(graph: tf.Graph) -> None:
    source = tf.Graph()
    with source.as_default():
        tf.import_graph_def(read("branch_gradients"), name="")
    tf.import_graph_def(read("branch_gradients"), name="")
    with tf.Session() as session:
        # The first branch alone: what feeds the gradients is not asked for.
        value = session.run("cond/Merge:0", {"MatMul:0": [[1.0, 2.0, 3.0]], "training:0": True})
    np.testing.assert_array_equal(value, [[1.0, 4.0, 9.0]])


def test_our_own_graph_reads_back(graph: tf.Graph) -> None:
    with tf.Graph().as_default() as own:
        x = tf.placeholder(tf.float32, [None, 3], name="x")
        w = tf.get_variable("w", initializer=np.eye(3, dtype=np.float32) * 2)
        total = tf.while_loop(lambda i, v: i < 3, lambda i, v: (i + 1, tf.matmul(v, w)), [0, x])[1]
        chosen = tf.cond(tf.reduce_sum(x) > 0, lambda: total + w[0], lambda: tf.stop_gradient(total))
        loss = tf.reduce_mean(tf.square(chosen), name="loss")
        gradient = tf.gradients(loss, [x, w])
        tf.identity(gradient[0], name="by_x")
        tf.identity(gradient[1], name="by_w")
        step = tf.train.AdamOptimizer(0.1).minimize(loss, name="step")
        init = tf.global_variables_initializer()
    tf.import_graph_def(own.as_graph_def(), name="read")
    fetches = ["loss:0", "by_x:0", "by_w:0"]
    feed = np.array([[1.0, -2.0, 3.0]], np.float32)
    with tf.Session(graph=own) as first, tf.Session(graph=graph) as second:
        first.run(init)
        second.run(f"read/{init.name}")
        for sign in (1, -1):
            one = first.run(fetches, {"x:0": sign * feed})
            other = second.run([f"read/{f}" for f in fetches], {"read/x:0": sign * feed})
            for a, b in zip(one, other, strict=True):
                np.testing.assert_array_equal(a, b)
        for _ in range(3):
            first.run(step, {"x:0": feed})
            second.run(f"read/{step.name}", {"read/x:0": feed})
        np.testing.assert_array_equal(first.run("w:0"), second.run("read/w:0"))


# -- what a file may say, and the errors: as TensorFlow 1.15 has them -------------------------------------------------


def parsed(text: str) -> Any:
    return text_format.Parse(text, graph_pb2.GraphDef())


def node(name: str, op: str, *inputs: str, **types: str) -> str:
    lines = "".join(f' input: "{text}"' for text in inputs)
    attrs = "".join(f' attr {{ key: "{key}" value {{ type: {value} }} }}' for key, value in types.items())
    return f'node {{ name: "{name}" op: "{op}"{lines}{attrs} }}'


CONSTANT = """node { name: "A" op: "Const" attr { key: "dtype" value { type: DT_FLOAT } } attr { key: "value" value {
    tensor { dtype: DT_FLOAT tensor_shape {} float_val: 3 } } } }"""
COPY = node("B", "Identity", "A", T="DT_FLOAT")


def names(graph: tf.Graph) -> list[str]:
    return [op.name for op in graph.get_operations()]


def test_names_get_a_scope(graph: tf.Graph) -> None:
    for name in (None, None, "model", "", ""):
        assert tf.import_graph_def(parsed(CONSTANT), name=name) is None
    assert names(graph) == ["import/A", "import_1/A", "model/A", "A", "A_1"]


def test_nodes_may_come_before_those_that_they_need(graph: tf.Graph) -> None:
    tf.import_graph_def(parsed(COPY + CONSTANT))
    assert names(graph) == ["import/A", "import/B"]


def test_an_import_stands_in_the_scopes_around_it(graph: tf.Graph) -> None:
    with tf.device("/gpu:1"), tf.control_dependencies([tf.no_op("first")]), tf.name_scope("outer"):
        (copy,) = tf.import_graph_def(parsed(CONSTANT + COPY), return_elements=["B"])
    assert copy.name == "outer/import/B"
    assert copy.device == "/device:GPU:1"


@pytest.mark.parametrize("key", ["A", "A:0"])
def test_tensors_are_taken_in_place_of_others(key: str) -> None:
    mine = tf.constant(5.0, name="mine")
    copy, mapped = tf.import_graph_def(parsed(COPY), input_map={key: mine}, return_elements=["B", "A:0"])
    assert copy.inputs == (mine,)
    assert mapped is mine


def test_what_is_mapped_may_be_a_value_or_a_variable() -> None:
    (copy,) = tf.import_graph_def(parsed(CONSTANT + COPY), {"A:0": 7.0}, ["B:0"])
    assert copy.op.inputs[0].name == "import/_inputs/Const:0"
    with tf.Session() as session:
        assert session.run(copy) == 7
    with pytest.raises(ValueError, match="requires a non-empty `name` if `input_map` contains non-Tensor values"):
        tf.import_graph_def(parsed(CONSTANT + COPY), {"A:0": 7.0}, name="")
    variable = tf.get_variable("v", initializer=2.0)
    (copy,) = tf.import_graph_def(parsed(COPY), {"A": variable}, ["B"])
    assert copy.inputs[0].op is variable.op


def test_what_is_waited_for_can_be_mapped(graph: tf.Graph) -> None:
    mine = tf.constant(5.0, name="mine")
    (done,) = tf.import_graph_def(parsed(node("C", "NoOp", "^A")), {"^A": mine}, ["C"])
    assert done.control_inputs == [mine.op]
    with pytest.raises(TypeError, match="Can't convert Operation 'import/C' to Tensor"):
        tf.import_graph_def(parsed(node("C", "NoOp", "^A")), {"^A": done})


def test_elements_are_returned_in_the_order_asked_for() -> None:
    found = tf.import_graph_def(parsed(CONSTANT + COPY), return_elements=["B:0", "A", "B"])
    assert [element.name for element in found] == ["import/B:0", "import/A", "import/B"]


def test_what_waits_for_a_constant_waits_for_what_the_constant_waits_for() -> None:
    file = CONSTANT.replace('op: "Const"', 'op: "Const" input: "^first"') + COPY + node("first", "NoOp")
    (copy,) = tf.import_graph_def(parsed(file), return_elements=["B"])
    assert [op.name for op in copy.control_inputs] == ["import/first"]


SHAPED = """node { name: "A" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } }
    attr { key: "_output_shapes" value { list { shape { dim { size: 2 } dim { size: -1 } } } } } }"""


def test_shapes_in_the_file_are_kept() -> None:
    (a,) = tf.import_graph_def(parsed(SHAPED), return_elements=["A:0"])
    assert a.shape.as_list() == [2, None]
    with pytest.raises(ValueError, match="no attr named '_output_shapes'"):
        a.op.get_attr("_output_shapes")
    wrong = SHAPED.replace("attr {", 'attr { key: "shape" value { shape { dim { size: 3 } } } } attr {', 1)
    with pytest.raises(ValueError, match="Node 'A' has an _output_shapes attribute inconsistent with the GraphDef"):
        tf.import_graph_def(parsed(wrong))


def test_attributes_that_are_left_out_have_their_defaults() -> None:
    file = SHAPED + node("M", "MatMul", "A", "A", T="DT_FLOAT").replace("DT_FLOAT } } }", "DT_FLOAT } }"
        ' attr { key: "transpose_b" value { b: true } } }')  # fmt: skip
    (m,) = tf.import_graph_def(parsed(file), return_elements=["M"])
    assert (m.get_attr("transpose_a"), m.get_attr("transpose_b")) == (False, True)


BAD_FILES = {
    "Node 'B': Unknown input node 'A'": COPY,
    "Node 'C': Unknown input node '\\^Q'": node("C", "NoOp", "^Q"),
    "Node 'B': Connecting to invalid output 1 of source node A which has 1 outputs.": CONSTANT
    + node("B", "Identity", "A:1", T="DT_FLOAT"),
    "Input 0 of node import/B was passed float from import/A:0 incompatible with expected int32.": CONSTANT
    + node("B", "Identity", "A", T="DT_INT32"),
    "Input 0 of node import/B was passed float from import/A:0 incompatible with expected float_ref.": CONSTANT
    + node("B", "Assign", "A", "A", T="DT_FLOAT"),
    "NodeDef missing attr 'T' from Op<name=Identity; signature=input:T -> output:T.*{{node import/B}}": CONSTANT
    + node("B", "Identity", "A"),
    "NodeDef mentions attr 'zork' not in Op<name=Identity;.*NodeDef: {{node import/B}}": CONSTANT
    + node("B", "Identity", "A", T="DT_FLOAT", zork="DT_FLOAT"),
    "AttrValue had value with type 'int' when 'type' expected": CONSTANT
    + COPY.replace("type: DT_FLOAT", "i: 3"),
    "Node 'A' is not unique": CONSTANT + CONSTANT,
    "2 nodes in a cycle": node("B", "Identity", "C", T="DT_FLOAT") + node("C", "Identity", "B", T="DT_FLOAT"),
    "NodeDef expected inputs 'float, float' do not match 1 inputs specified;": CONSTANT
    + node("B", "Add", "A", T="DT_FLOAT"),
    "Node '_x y': Node name contains invalid characters": node("_x y", "NoOp"),
    "Node 'B' expects to be colocated with unknown node 'Q'": CONSTANT
    + COPY.replace(" attr", ' attr { key: "_class" value { list { s: "loc:@Q" } } } attr', 1),
    "GraphDef min consumer version 4000 above current version": "versions { min_consumer: 4000 }" + CONSTANT,
    "Dimensions must be equal": SHAPED.replace("-1", "3") + node("M", "MatMul", "A", "A", T="DT_FLOAT"),
}  # fmt: skip


@pytest.mark.parametrize("message", BAD_FILES)
def test_a_file_that_is_wrong_is_told_so_and_adds_nothing(graph: tf.Graph, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tf.import_graph_def(parsed(BAD_FILES[message]))
    assert names(graph) == []
    tf.import_graph_def(parsed(CONSTANT), name="")
    assert names(graph) == ["A"]


def test_all_unknown_types_are_listed_and_nothing_is_added(graph: tf.Graph) -> None:
    with pytest.raises(errors.NotFoundError, match=r"not registered 'Bar', 'Foo'\..* Bar: y; Foo: x, z"):
        tf.import_graph_def(parsed(CONSTANT + node("x", "Foo") + node("y", "Bar") + node("z", "Foo")))
    assert names(graph) == []


BAD_ARGUMENTS = [
    (TypeError, "graph_def must be a GraphDef proto.", {"graph_def": None}),
    (TypeError, "input_map must be a dictionary mapping strings to Tensor objects.", {"input_map": [1]}),
    (TypeError, "input_map must be a dictionary mapping strings to Tensor objects.", {"input_map": {1: 2}}),
    (ValueError, r"Attempted to map inputs that were not found in graph_def: \[Q:0\]", {"input_map": {"Q": 1.0}}),
    (ValueError, "Input 0 of node import/B was passed int32 from", {"input_map": {"A": 1}}),
    (TypeError, "return_elements must be a list of strings.", {"return_elements": [7]}),
    (ValueError, "Requested return node 'Z' not found in graph def", {"return_elements": ["Z"]}),
    (ValueError, "Invalid return output 7 of node 'B', which has 1 output", {"return_elements": ["B:7"]}),
    (ValueError, "Cannot convert 'B:x' to a tensor name.", {"return_elements": ["B:x"]}),
    (ValueError, "'a b' is not a valid scope name", {"name": "a b"}),
]


@pytest.mark.parametrize(("kind", "message", "arguments"), BAD_ARGUMENTS)
def test_an_argument_that_is_wrong_is_told_so(kind: Any, message: str, arguments: Any) -> None:
    with pytest.raises(kind, match=message):
        tf.import_graph_def(**{"graph_def": parsed(CONSTANT + COPY), **arguments})


def test_a_finalized_graph_takes_no_import(graph: tf.Graph) -> None:
    graph.finalize()
    with pytest.raises(RuntimeError, match="Graph is finalized and cannot be modified"):
        tf.import_graph_def(parsed(CONSTANT))


def test_a_placeholder_that_is_not_fed_is_named() -> None:
    tf.import_graph_def(read("cnn"), name="")
    with tf.Session() as session, pytest.raises(errors.InvalidArgumentError, match="placeholder tensor 'images'"):
        session.run("best:0")


def test_which_input_a_merge_took() -> None:
    bools = 'node { name: "p" op: "Placeholder" attr { key: "dtype" value { type: DT_BOOL } } }'
    switch = node("S", "Switch", "A", "p", T="DT_FLOAT")
    sides = node("off", "Neg", "S", T="DT_FLOAT") + node("on", "Sqrt", "S:1", T="DT_FLOAT")
    for order in (("off", "on"), ("on", "off")):
        merge = node("M", "Merge", *order, T="DT_FLOAT")
        file = CONSTANT + bools + switch + sides + merge + node("W", "Identity", "M:1", T="DT_INT32")
        value, which, p = tf.import_graph_def(parsed(file), return_elements=["M:0", "W:0", "p:0"])
        with tf.Session() as session:
            assert session.run([value, which], {p: True}) == [np.float32(3**0.5), order.index("on")]
            assert session.run([value, which], {p: False}) == [-3, order.index("off")]


def test_a_value_of_one_branch_cannot_be_used_outside() -> None:
    bools = 'node { name: "p" op: "Placeholder" attr { key: "dtype" value { type: DT_BOOL } } }'
    file = CONSTANT + bools + node("S", "Switch", "A", "p", T="DT_FLOAT") + node("on", "Sqrt", "S:1", T="DT_FLOAT")
    with pytest.raises(ValueError, match="'on' stands in a loop or branch"):
        tf.import_graph_def(parsed(file), return_elements=["on"])
    merge = node("M", "Merge", "on", "A", T="DT_FLOAT")
    with pytest.raises(errors.UnimplementedError, match=r"node 'M' .*do not come from the two sides of one branch"):
        tf.import_graph_def(parsed(file + merge))
