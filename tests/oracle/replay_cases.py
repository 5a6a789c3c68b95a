"""Replays the recorded cases of `make_math_array_cases.py` with this library and compares."""

import json
from pathlib import Path

import numpy as np
import pytest

import monitored.bitwise  # noqa: F401  (a part of the public package)
import oracle.cases_array
import oracle.cases_linalg
import oracle.cases_math
import oracle.cases_reductions
import oracle.cases_slicing  # noqa: F401
from oracle.cases import CASES, differentiable, weights
from oracle.make_math_array_cases import as_list, describe_nodes, describe_shape, placeholders

FIXTURE = Path(__file__).parents[1] / "ops" / "fixtures" / "math_array.npz"


class Recorded:
    """What TensorFlow did."""

    def __init__(self):
        with np.load(FIXTURE) as archive:
            self.records, self.places = json.loads(archive["records"].tobytes())
            self.bytes = archive["values"].tobytes()

    def value(self, key):
        """An array by its key."""
        kind, shape, start = self.places[key]
        dtype = np.dtype(kind)
        count = int(np.prod(shape, dtype=np.int64))
        return np.frombuffer(self.bytes, dtype, count, start).reshape(shape)


def check_graph(tf, case, level, record):
    """Builds a case and compares nodes, types and static shapes."""
    with tf.Graph().as_default() as graph:
        inputs = placeholders(tf, case.inputs, level)
        before = len(graph.get_operations())
        if "error" in record:
            expect_error(tf, case, inputs, record["error"])
            return
        outputs = as_list(case.build(tf, *inputs))
        types = [t.dtype.base_dtype.name for t in outputs]
        assert types == record["types"], "{} instead of {}".format(types, record["types"])
        if case.shapes:
            shapes = [describe_shape(t.shape) for t in outputs]
            assert shapes == record["shapes"], "{} instead of {}".format(shapes, record["shapes"])
        if case.nodes:
            names = [t.name for t in outputs]
            assert names == record["names"], "{} instead of {}".format(names, record["names"])
        if "nodes" in record:
            nodes = describe_nodes(graph.get_operations()[before:])
            found, expected = needed(nodes, record["names"]), needed(record["nodes"], record["names"])
            differ = [n for n in sorted({*found, *expected}) if found.get(n) != expected.get(n)]
            assert not differ, "\n".join(f"{found.get(n)}\n  expected {expected.get(n)}" for n in differ)


def expect_error(tf, case, inputs, error):
    """Checks that building a case raises as TensorFlow does."""
    kind, message = error
    allowed = {"TypeError": TypeError, "ValueError": ValueError}[kind]
    try:
        case.build(tf, *inputs)
    except allowed:
        return
    raise AssertionError(f"expected {kind}: {message}")


def needed(nodes, names):
    """The nodes on which tensors depend: TensorFlow's functions leave others lying about."""
    by_name = {node[0]: node for node in nodes}
    wanted, stack = set(), [name.split(":")[0] for name in names]
    while stack:
        name = stack.pop()
        if name in by_name and name not in wanted:
            wanted.add(name)
            stack.extend(tensor.split(":")[0] for tensor in by_name[name][2])
    return {name: by_name[name] for name in sorted(wanted)}


class Run:
    """One case in a graph, ready to run: what to feed and fetch, and what should come."""

    def __init__(self, tf, case, record, recorded, level):
        self.name = case.name
        self.tolerance = case.tolerance
        inputs = placeholders(tf, case.inputs, level)
        outputs = as_list(case.build(tf, *inputs))
        self.feeds = dict(zip(inputs, case.inputs, strict=True))
        self.fetches = list(outputs)
        self.expected = [recorded.value(f"{case.name}:{i}") for i in range(len(outputs))]
        if "gradients" in record:
            self._add_gradients(tf, case, record, recorded, inputs, outputs)

    def _add_gradients(self, tf, case, record, recorded, inputs, outputs):
        sources = [i for i, t in enumerate(inputs) if differentiable(t.dtype.name)]
        targets = [i for i, t in enumerate(outputs) if differentiable(t.dtype.base_dtype.name)]
        given = [tf.constant(weights(i, np.shape(self.expected[i])), outputs[i].dtype) for i in targets]
        gradients = tf.gradients([outputs[i] for i in targets], [inputs[i] for i in sources], given)
        for source, gradient in zip(sources, gradients, strict=True):
            connected = source in record["gradients"]
            assert gradient is not None or not connected, f"no gradient of input {source}"
            if gradient is not None:  # TensorFlow knows no way back, which is a gradient of zero
                zero = np.zeros_like(case.inputs[source])
                self.fetches.append(tf.convert_to_tensor(gradient))
                self.expected.append(recorded.value(f"{case.name}:d{source}") if connected else zero)

    def compare(self, values):
        """Compares what a session gave for the fetches."""
        for tensor, value, wanted in zip(self.fetches, values, self.expected, strict=True):
            compare(f"{self.name}: {tensor.name}", np.asarray(value), wanted, self.tolerance)


def check_values(tf, names, recorded, level):
    """Runs cases together and compares their outputs and gradients.

    Returns:
        What is wrong, one text for each case.
    """
    problems = []
    runs = []
    with tf.Graph().as_default():
        for name in names:
            with tf.name_scope("case"):
                runs.append(Run(tf, CASES[name], recorded.records[name]["known"], recorded, level))
        feeds = {tensor: value for run in runs for tensor, value in run.feeds.items()}
        with tf.Session() as session:
            results = session.run([run.fetches for run in runs], feeds)
    for run, values in zip(runs, results, strict=True):
        try:
            run.compare(values)
        except AssertionError as error:
            problems.append(str(error))
    return problems


def compare(label, value, wanted, tolerance):
    """Compares type, shape and elements."""
    assert value.dtype == wanted.dtype, (label, value.dtype, wanted.dtype)
    assert value.shape == wanted.shape, (label, value.shape, wanted.shape)
    if np.issubdtype(wanted.dtype, np.inexact):
        np.testing.assert_allclose(value, wanted, rtol=tolerance, atol=tolerance, err_msg=label)
    else:
        np.testing.assert_array_equal(value, wanted, err_msg=label)


def cases_of(group):
    """The names of a group's cases."""
    return [name for name in CASES if name.startswith(group + "/")]


def all_runs_of(group, recorded):
    """Pairs of a level and the names of cases that run together at it."""
    return [(level, names) for level in ("known", "unknown") for names in runs_of(group, recorded, level)]


def runs_of(group, recorded, level):
    """The names of a group's cases that TensorFlow could run, in lists of a size that compiles quickly.

    For inputs of unknown rank only those that build another graph then, which finds out when it runs.
    """
    names = []
    for name in cases_of(group):
        known, record = recorded.records[name]["known"], recorded.records[name].get(level, {})
        could_run = "shapes" in known and "run_error" not in known and "shapes" in record
        if could_run and (level == "known" or record.get("nodes") != known.get("nodes")):
            names.append(name)
    size = 25 if level == "known" else 5  # what has to be found out makes the whole be traced again
    return [names[i : i + size] for i in range(0, len(names), size)]


def failing_cases_of(group, recorded):
    """The names of a group's cases that TensorFlow could build but not run."""
    return [name for name in cases_of(group) if "run_error" in recorded.records[name]["known"]]


def check_run_error(tf, case, record):
    """Runs a case that TensorFlow could not run, and expects the same class of error, naming the op."""
    with tf.Graph().as_default(), tf.Session() as session:
        inputs = placeholders(tf, case.inputs, "known")
        outputs = as_list(case.build(tf, *inputs))
        with pytest.raises(getattr(tf.errors, record["run_error"][0])) as raised:
            session.run(outputs, dict(zip(inputs, case.inputs, strict=True)))
        assert raised.value.op.type in [t.op.type for t in outputs]
