"""Writes the checkpoints that `tests/checkpoint/` reads, with a real TensorFlow.

Run it by a Python that has TensorFlow 1.15 (so this is Python 3.7), then by one that has TensorFlow 2 for the
dtypes that only that has:

    python tests/oracle/make_checkpoint_fixtures.py tests/checkpoint/fixtures

Beside each checkpoint `x.index` it leaves `x.json`: name -> dtype, shape and bytes (in hexadecimal), taken from
the arrays that were saved. Names are decoded as Latin-1, so that JSON can hold any.
"""

import json
import os
import sys

import numpy as np
import tensorflow as tf

tf1 = tf.compat.v1

NUMBERS = {
    "bool": np.array([[True, False], [False, True]]),
    "uint8": np.array([0, 1, 255], np.uint8),
    "int8": np.array([-128, 127], np.int8),
    "uint16": np.array([65535], np.uint16),
    "int16": np.array([-32768, 5], np.int16),
    "int32": np.array([[-(2**31)], [2**31 - 1]], np.int32),
    "uint32": np.array([2**32 - 1], np.uint32),
    "int64": np.array(-(2**63), np.int64),
    "uint64": np.array([2**64 - 1], np.uint64),
    "half": np.array([1.5, np.inf, np.nan], np.float16),
    "float": np.array([[[0.1]], [[-0.0]]], np.float32),
    "double": np.array([1e300, np.nan]),
    "complex64": np.array([1 - 2j], np.complex64),
    "complex128": np.array([[1e-300 + 1j]]),
    "scope/float": np.array([1, 2, 3], np.float32),
    "scope/float_1": np.zeros([0, 4], np.float32),
    "scalar": np.array(7.0, np.float32),
    "none": np.zeros([3, 0], np.int64),
}
STRINGS = {
    "string": np.array([b"", b"ends in zero\0", b"\xff\xfe", b"long" * 50], object),
    "string_scalar": np.array(b"one", object),
    "string_matrix": np.array([[b"a", b"b"], [b"", b"d"]], object),
    "string_none": np.zeros([0], object),
}


def described(array, dtype=None):
    flat = np.asarray(array).reshape(-1)
    if flat.dtype == object:
        return {"dtype": "object", "shape": array.shape, "strings": [item.hex() for item in flat]}
    return {"dtype": dtype or flat.dtype.name, "shape": array.shape, "bytes": flat.tobytes().hex()}


def save(name, tensors):
    """Saves (key, shape and slice, tensor) with the op that Saver uses."""
    keys, slices, values = zip(*tensors)  # noqa: B905 - Python 3.7
    with tf1.Session() as session:
        session.run(tf.raw_ops.SaveV2(prefix=name, tensor_names=keys, shape_and_slices=slices, tensors=values))


def expect(name, entries):
    decoded = {(key if isinstance(key, str) else key.decode("latin-1")): entry for key, entry in entries.items()}
    with open(name + ".json", "w") as file:
        json.dump(decoded, file, indent=1, sort_keys=True)
        file.write("\n")


def dtypes():
    entries = {key: described(value) for key, value in {**NUMBERS, **STRINGS}.items()}
    tensors = [(key, "", tf.constant(value)) for key, value in NUMBERS.items()]
    tensors += [(key, "", tf.constant(value, tf.string, value.shape)) for key, value in STRINGS.items()]
    for kind, plain in (("qint8", "int8"), ("quint8", "uint8"), ("qint32", "int32")):
        array = np.array([1, 2, 100], plain)
        tensors.append((kind, "", tf.bitcast(tf.constant(array), getattr(tf, kind))))
        entries[kind] = described(array)
    brain = tf.constant([1.0, -2.5, 3e38], tf.bfloat16)
    tensors.append(("bfloat16", "", brain))
    with tf1.Session() as session:
        entries["bfloat16"] = described(session.run(tf.bitcast(brain, tf.uint16)), "bfloat16")
    save("dtypes", tensors)
    expect("dtypes", entries)


def opaque():
    """A variant, which nothing but TensorFlow can read, beside a tensor that anyone can."""
    variant = tf.raw_ops.EmptyTensorList(element_shape=[2], max_num_elements=3, element_dtype=tf.float32)
    save("opaque", [("variant", "", variant), ("w", "", tf.constant(1.0))])
    expect("opaque", {"w": described(np.float32(1.0))})


def slices():
    """Slices as the op takes them: whole dimensions, long ones, two dimensions cut, awkward names."""
    array = np.arange(24, dtype=np.int32).reshape(4, 6)
    empty = np.zeros([100000, 0], np.float32)
    text = np.array([b"a", b"bb", b"ccc"], object)
    name = b"bytes \xff and \x01\xff\xff"
    parts = [
        ("rows", "4 6 0,3:-", array[:3]),
        ("rows", "4 6 3,1:-", array[3:]),
        ("columns", "4 6 -:0,2", array[:, :2]),
        ("columns", "4 6 -:2,4", array[:, 2:]),
        ("blocks", "4 6 0,1:0,6", array[:1]),
        ("blocks", "4 6 1,3:0,5", array[1:, :5]),
        ("blocks", "4 6 1,3:5,1", array[1:, 5:]),
        ("long", "100000 0 0,100:-", empty[:100]),
        ("long", "100000 0 100,9000:-", empty[:9000]),
        ("long", "100000 0 9100,90900:-", empty[:90900]),
        (name, "4 6 0,2:0,6", array[:2]),
        (name, "4 6 2,2:0,6", array[2:]),
        ("text", "3 0,1", text[:1]),
        ("text", "3 1,2", text[1:]),
    ]
    tensors = [
        (key, part, tf.constant(value, tf.string if value.dtype == object else value.dtype))
        for key, part, value in parts
    ]
    save("slices", tensors)
    arrays = {"rows": array, "columns": array, "blocks": array, "long": empty, name: array, "text": text}
    expect("slices", {key: described(value) for key, value in arrays.items()})


def sharded():
    """A Saver's checkpoint: partitioned variables on two devices, one file for each, and the state file."""
    with tf.Graph().as_default():
        with tf1.device("/cpu:0"):
            table = tf1.get_variable(
                "table", [70, 2], tf.float64, partitioner=tf1.fixed_size_partitioner(3), use_resource=False
            )
        with tf1.device("/cpu:1"):
            wide = tf1.get_variable(
                "wide", [2, 5], partitioner=tf1.fixed_size_partitioner(2, axis=1), use_resource=False
            )
            step = tf1.get_variable("global_step", initializer=np.int64(3), use_resource=False)
        saver = tf1.train.Saver(sharded=True)
        config = tf1.ConfigProto(device_count={"CPU": 2})
        with tf1.Session(config=config) as session:
            session.run(tf1.global_variables_initializer())
            saver.save(session, "model.ckpt", global_step=3, write_meta_graph=False)
            values = session.run([tf.convert_to_tensor(table), tf.convert_to_tensor(wide), step])
    names = ["table", "wide", "global_step"]
    expect("model.ckpt-3", {name: described(value) for name, value in zip(names, values)})  # noqa: B905


def v1():
    """The older format: every dtype that it can hold, and slices, in one file."""
    entries = {key: value for key, value in {**NUMBERS, **STRINGS}.items() if key not in ("uint32", "uint64")}
    entries["many"] = np.arange(-150, 150).astype(np.int64)
    tensors = [(key, "", tf.constant(value)) for key, value in entries.items() if value.dtype != object]
    tensors += [(key, "", tf.constant(v, tf.string, v.shape)) for key, v in entries.items() if v.dtype == object]
    expected = {key: described(value) for key, value in entries.items()}
    for kind, plain in (("qint8", "int8"), ("quint8", "uint8"), ("qint32", "int32")):
        array = np.array([1, 2, 100], plain)
        tensors.append((kind, "", tf.bitcast(tf.constant(array), getattr(tf, kind))))
        expected[kind] = described(array)
    array = np.arange(24, dtype=np.int32).reshape(4, 6)
    tensors += [("rows", "4 6 0,3:-", tf.constant(array[:3])), ("rows", "4 6 3,1:-", tf.constant(array[3:]))]
    tensors += [("blocks", "4 6 -:0,2", tf.constant(array[:, :2])), ("blocks", "4 6 -:2,4", tf.constant(array[:, 2:]))]
    expected.update(rows=described(array), blocks=described(array))
    keys, slices, values = zip(*tensors)  # noqa: B905 - Python 3.7
    with tf1.Session() as session:
        session.run(tf.raw_ops.SaveSlices(filename="v1", tensor_names=keys, shapes_and_slices=slices, data=values))
    expect("v1", expected)


def v1_sharded():
    """A Saver's checkpoint in the older format: a partitioned variable, two devices, one file for each."""
    with tf.Graph().as_default():
        with tf1.device("/cpu:0"):
            table = tf1.get_variable(
                "table", [7, 2], tf.float64, partitioner=tf1.fixed_size_partitioner(3), use_resource=False
            )
        with tf1.device("/cpu:1"):
            wide = tf1.get_variable("wide", [2, 5], use_resource=False)
            step = tf1.get_variable("global_step", initializer=np.int64(3), use_resource=False)
        saver = tf1.train.Saver(sharded=True, write_version=tf1.train.SaverDef.V1)
        with tf1.Session(config=tf1.ConfigProto(device_count={"CPU": 2})) as session:
            session.run(tf1.global_variables_initializer())
            saver.save(session, "v1.ckpt", 3, latest_filename="checkpoint_v1", write_meta_graph=False)
            values = session.run([tf.convert_to_tensor(table), wide, step])
    expect("v1.ckpt-3", {name: described(v) for name, v in zip(["table", "wide", "global_step"], values)})  # noqa: B905


def small_dtypes():
    """The dtypes of one byte that TensorFlow 2 added."""
    import ml_dtypes

    names = [
        "float8_e5m2",
        "float8_e4m3fn",
        "float8_e4m3fnuz",
        "float8_e4m3b11fnuz",
        "float8_e5m2fnuz",
        "int4",
        "uint4",
        "int2",
        "uint2",
        "float4_e2m1fn",
    ]
    arrays = {name: np.array([1, 0, 1]).astype(getattr(ml_dtypes, name)) for name in names}
    save("small_dtypes", [(name, "", tf.constant(array)) for name, array in arrays.items()])
    expect("small_dtypes", {name: described(array) for name, array in arrays.items()})


def main(directory):
    os.chdir(directory)  # so that the state file names no directory of this machine
    makers = [dtypes, opaque, slices, sharded, v1, v1_sharded] if tf.__version__.startswith("1.") else [small_dtypes]
    for maker in makers:
        with tf.Graph().as_default():
            maker()


if __name__ == "__main__":
    main(sys.argv[1])
