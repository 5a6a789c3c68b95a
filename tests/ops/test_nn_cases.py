"""Layers, convolutions, pooling and losses, beside what TensorFlow 1.15 gave (``tests/oracle/make_nn_cases.py``)."""

import json
from pathlib import Path

import numpy as np
import pytest

import monitored as tf
import oracle.cases_losses
import oracle.cases_nn
import oracle.cases_windows  # noqa: F401
from oracle.cases import CASES, differentiable, weights

STORED = np.load(Path(__file__).parent / "fixtures" / "nn.npz")
FIXTURE = json.loads(STORED["text"].tobytes())
FLAT = {name: STORED[name] for name in STORED.files if name != "text"}
LEVELS = ("known", "partial", "unknown")
NAMES = sorted(FIXTURE["records"])


def recorded(name):
    dtype, start, shape = FIXTURE["arrays"][name]
    return FLAT[dtype][start : start + int(np.prod(shape))].reshape(shape)


def build(case, level):
    inputs = []
    for index, array in enumerate(case.inputs):
        shape = list(array.shape)
        if level == "partial" and shape:
            shape[0] = None
        inputs.append(tf.placeholder(array.dtype, None if level == "unknown" else shape, name=f"p{index}"))
    built = case.build(tf, *inputs)
    return inputs, list(built) if isinstance(built, (list, tuple)) else [built]


def attempt(case, level):
    try:
        return build(case, level)[1], None
    except Exception as error:
        return None, error


def static(shape):
    return None if shape.ndims is None else shape.as_list()


def at_least(ours, theirs):
    """Whether a static shape says what TensorFlow's says; it may say more."""
    if theirs is None or ours is None:
        return theirs is None
    return len(ours) == len(theirs) and all(b is None or a == b for a, b in zip(ours, theirs, strict=True))


def close(value, wanted, tolerance):
    assert np.shape(value) == np.shape(wanted)
    assert np.asarray(value).dtype == wanted.dtype
    np.testing.assert_allclose(value, wanted, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", NAMES)
def test_graph(name, level):
    case, record = CASES[name], FIXTURE["records"][name][level]
    with tf.Graph().as_default() as graph:
        outputs, error = attempt(case, level)
        if "error" in record or error is not None:
            if case.exact:
                wanted = record.get("error", ["no error", ""])
                assert type(error).__name__ == wanted[0], f"{error!r} is not {wanted}"
            return
        assert [t.dtype.base_dtype.name for t in outputs] == record["types"]
        if case.names:
            assert [t.name for t in outputs] == record["names"]
        for output, shape in zip(outputs, record["shapes"], strict=True):
            found = static(output.shape)
            assert found == shape if case.shapes else at_least(found, shape), (found, shape)
        if "nodes" in record:
            compare_nodes(graph.get_operations()[len(case.inputs) :], record["nodes"])


def compare_nodes(ops, wanted):
    assert [[op.name, op.type, [t.name for t in op.inputs]] for op in ops] == [node[:3] for node in wanted]
    for op, (name, _, _, attrs) in zip(ops, wanted, strict=True):
        found = op.node_def.attr
        for key, value in attrs.items():
            if key in found and value not in ("tensor", []):
                assert plain(found[key]) == value, f"attribute {key} of {name}"


def plain(value):
    kind = value.WhichOneof("value")
    if kind in ("i", "b", "type"):
        return getattr(value, kind)
    if kind == "f":
        return round(value.f, 9)
    if kind == "s":
        return value.s.decode()
    if kind == "list":
        return list(value.list.i) or list(value.list.type) or list(value.list.f)
    return [d.size for d in value.shape.dim] if kind == "shape" else "tensor"


@pytest.mark.parametrize("name", [n for n in NAMES if "shapes" in FIXTURE["records"][n]["known"]])
def test_values(name):
    case, record = CASES[name], FIXTURE["records"][name]["known"]
    if "run_error" in record:
        pytest.skip(f"TensorFlow cannot run it on a CPU: {record['run_error'][1]}")
    with tf.Graph().as_default():
        unknown = case.exact and "shapes" in FIXTURE["records"][name]["unknown"]
        inputs, outputs = build(case, "unknown" if unknown else "known")
        feeds = dict(zip(inputs, case.inputs, strict=True))
        given = [
            tf.constant(weights(i, recorded(f"{name}:{i}").shape), outputs[i].dtype)
            for i in range(len(outputs))
            if differentiable(record["types"][i])
        ]
        sources = record.get("gradients", [])
        gradients = []
        if sources:
            targets = [t for t in outputs if differentiable(t.dtype.base_dtype.name)]
            gradients = tf.gradients(targets, [inputs[i] for i in sources], given)
            assert None not in gradients
        with tf.Session() as session:
            values, derivatives = session.run([outputs, [tf.convert_to_tensor(g) for g in gradients]], feeds)
    for index, value in enumerate(values):
        close(value, recorded(f"{name}:{index}"), case.tolerance)
    for source, value in zip(sources, derivatives, strict=True):
        close(value, recorded(f"{name}:d{source}"), 3 * case.tolerance)
