"""Records what TensorFlow 1.15 does with the cases beside this file.

    python3.7 tests/oracle/make_math_array_cases.py      (in an environment with tensorflow==1.15.5)

For each case: the nodes it adds, the static shapes of its outputs for inputs whose shapes are known, partly known
and unknown, the outputs' values, and the gradients of the outputs (weighted) with respect to the inputs. Where
TensorFlow raises, the type of the error and its message.
"""

import json
import os
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
FIXTURE = os.path.join(os.path.dirname(HERE), "ops", "fixtures", "math_array.npz")
LEVELS = ("known", "partial", "unknown")


def placeholders(tf, arrays, level):
    """A placeholder for each array, whose static shape tells as much as the level says."""
    result = []
    for index, array in enumerate(arrays):
        shape = list(array.shape)
        if level == "partial" and shape:
            shape[0] = None
        result.append(tf.placeholder(array.dtype, None if level == "unknown" else shape, name=f"p{index}"))
    return result


def as_list(built):
    """A case's outputs, in a list."""
    return list(built) if isinstance(built, (list, tuple)) else [built]


def describe_shape(shape):
    """A static shape as JSON."""
    return None if shape.ndims is None else shape.as_list()


def describe_nodes(ops):
    """Operations as JSON: name, type, inputs and attributes."""
    return [
        [
            op.name,
            op.type,
            [t.name for t in op.inputs],
            {k: _attr(v) for k, v in sorted(op.node_def.attr.items()) if k[0] != "_"},
        ]
        for op in ops
    ]


def _attr(value):
    kind = value.WhichOneof("value")
    if kind in ("i", "b", "type"):
        return getattr(value, kind)
    if kind == "f":
        return round(value.f, 9)
    if kind == "s":
        return value.s.decode()
    if kind == "shape":
        return None if value.shape.unknown_rank else [d.size for d in value.shape.dim]
    if kind == "tensor":
        return "tensor"
    return list(value.list.i) or list(value.list.type) or list(value.list.f)


def record(tf, case, level, arrays):
    """What one case does with inputs of one level; its values and gradients for known shapes."""
    from oracle.cases import differentiable, weights

    with tf.Graph().as_default() as graph:
        inputs = placeholders(tf, case.inputs, level)
        before = len(graph.get_operations())
        try:
            outputs = as_list(case.build(tf, *inputs))
        except Exception as error:
            return {"error": [type(error).__name__, str(error)]}
        nodes = graph.get_operations()[before:]
        result = {
            "shapes": [describe_shape(t.shape) for t in outputs],
            "types": [t.dtype.base_dtype.name for t in outputs],
            "names": [t.name for t in outputs],
        }
        if case.nodes and level != "partial":
            result["nodes"] = describe_nodes(nodes)
        if level != "known":
            return result
        feeds = dict(zip(inputs, case.inputs))  # noqa: B905
        with tf.Session() as session:
            try:
                values = session.run(outputs, feeds)
            except Exception as error:
                result["run_error"] = [type(error).__name__, str(error)]
                return result
            for index, value in enumerate(values):
                arrays[f"{case.name}:{index}"] = np.asarray(value)
            sources = [i for i, t in enumerate(inputs) if differentiable(t.dtype.name)]
            targets = [i for i, t in enumerate(outputs) if differentiable(t.dtype.base_dtype.name)]
            if not (case.grad and sources and targets):
                return result
            given = [tf.constant(weights(i, np.shape(values[i])), outputs[i].dtype) for i in targets]
            try:
                gradients = tf.gradients([outputs[i] for i in targets], [inputs[i] for i in sources], given)
            except (LookupError, TypeError, ValueError) as error:
                result["gradient_error"] = str(error)
                return result
            result["gradients"] = [i for i, g in zip(sources, gradients) if g is not None]  # noqa: B905
            found = session.run([tf.convert_to_tensor(g) for g in gradients if g is not None], feeds)
            for source, value in zip(result["gradients"], found):  # noqa: B905
                arrays[f"{case.name}:d{source}"] = np.asarray(value)
    return result


def main():
    """Runs every case and writes the fixture."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow as tf

    tf.logging.set_verbosity(tf.logging.FATAL)
    sys.path.insert(0, os.path.dirname(HERE))
    import oracle.cases_array
    import oracle.cases_linalg
    import oracle.cases_math
    import oracle.cases_reductions
    import oracle.cases_slicing  # noqa: F401
    from oracle.cases import CASES

    arrays, records = {}, {}
    for name, case in CASES.items():
        if os.environ.get("VERBOSE"):
            print(name, flush=True)
        levels = LEVELS if case.unknown else LEVELS[:2]
        records[name] = {level: record(tf, case, level, arrays) for level in levels}
    pieces, places, size = [], {}, 0
    for name, array in arrays.items():
        places[name] = [array.dtype.name, list(array.shape), size]
        pieces.append(np.frombuffer(array.tobytes(), np.uint8))
        size += array.nbytes
    text = json.dumps([records, places], separators=(",", ":"), sort_keys=True)
    np.savez_compressed(FIXTURE, records=np.frombuffer(text.encode(), np.uint8), values=np.concatenate(pieces))
    print(f"{len(records)} cases, {os.path.getsize(FIXTURE)} bytes")


if __name__ == "__main__":
    main()
