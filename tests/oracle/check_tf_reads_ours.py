"""Writes checkpoints with this project and has a real TensorFlow read them.

    python tests/oracle/check_tf_reads_ours.py PYTHON_WITH_TENSORFLOW

The interpreter may also be given by the environment variable MONITORED_TF_PYTHON. This file is both sides: the
other interpreter runs it as `--read DIRECTORY` (down to Python 3.7, with no more than TensorFlow and numpy).
"""

import json
import os
import subprocess
import sys
import tempfile

import numpy as np

FULL_SHAPE = (200, 3)


def described(value):
    """Shape, dtype and bytes of an array, or of a string that stands for a scalar one."""
    array = np.array(value, object) if isinstance(value, bytes) else value
    flat = np.ascontiguousarray(array).reshape(-1)
    if flat.dtype == object:
        return [list(array.shape), "object", [item.hex() for item in flat]]
    return [list(array.shape), flat.dtype.name, flat.view(np.uint8).tobytes().hex()]


def arrays_to_write(modern):
    """One array for each dtype and for each odd shape; `modern` adds what TensorFlow 2 reads only."""
    import ml_dtypes

    random = np.random.default_rng(0)
    names = ["bool", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8", "c8", "c16"]
    dtypes = [np.dtype(name) for name in names] + [np.dtype(ml_dtypes.bfloat16)]
    if modern:
        small = ["float8_e5m2", "float8_e4m3fn", "int4", "uint4", "int2", "uint2", "float4_e2m1fn"]
        dtypes += [np.dtype(getattr(ml_dtypes, name)) for name in small]
    arrays = {}
    for dtype in dtypes:
        for shape in [(), (0,), (3, 0, 2), (5,), (2, 3, 4)]:
            name = "/".join(["dtypes", dtype.name, "x".join(map(str, shape)) or "scalar"])
            arrays[name] = random.integers(0, 2, shape).astype(dtype)
    arrays["strings"] = np.array([b"", b"zero\0", b"\xff" * 200, b"x" * 20000], object)
    arrays["strings/scalar"] = np.array(b"one", object)
    arrays["strings/none"] = np.zeros((0, 2), object)
    arrays["large"] = random.standard_normal((700, 1000)).astype(np.float32)  # several chunks
    for index in range(9000):  # several blocks of the index
        arrays[f"many/layer_{index * 7}/kernel/Adam"] = np.array(index)
    return arrays


def write(directory, modern):
    """Writes the checkpoints `plain` and `parts`, the state file, and what they should be read as."""
    from monitored._checkpoint import BundleWriter, update_checkpoint_state, write_bundle

    arrays = arrays_to_write(modern)
    write_bundle(os.path.join(directory, "plain"), arrays)

    whole = np.arange(600, dtype=np.float64).reshape(FULL_SHAPE)
    parts = {"rows": whole, "blocks": whole + 0.5, "plain": np.array([1, 2], np.int32)}
    with BundleWriter(os.path.join(directory, "parts"), num_shards=2) as writer:
        writer.add_slice("rows", whole[:70], FULL_SHAPE, (0, 0))
        writer.add_slice("rows", whole[70:], FULL_SHAPE, (70, 0), shard=1)
        writer.add_slice("blocks", parts["blocks"][:, :1], FULL_SHAPE, (0, 0), shard=1)
        writer.add_slice("blocks", parts["blocks"][:100, 1:], FULL_SHAPE, (0, 1))
        writer.add_slice("blocks", parts["blocks"][100:, 1:], FULL_SHAPE, (100, 1), shard=1)
        writer.add("plain", parts["plain"])
    update_checkpoint_state(directory, os.path.join(directory, "parts"), [os.path.join(directory, "plain")])

    expected = {"plain": arrays, "parts": parts}
    with open(os.path.join(directory, "expected.json"), "w") as file:
        json.dump({key: {n: described(a) for n, a in value.items()} for key, value in expected.items()}, file)


def read(directory):
    """Reads them with TensorFlow, and reports every difference; the number of those is returned."""
    import tensorflow as tf

    tf1 = tf.compat.v1
    with open(os.path.join(directory, "expected.json")) as file:
        expected = json.load(file)
    latest = tf.train.latest_checkpoint(directory)
    problems = [] if latest == os.path.join(directory, "parts") else [f"latest_checkpoint is {latest}"]
    for checkpoint, entries in expected.items():
        prefix = os.path.join(directory, checkpoint)
        reader = tf.train.load_checkpoint(prefix)
        shapes = reader.get_variable_to_shape_map()
        if sorted(shapes) != sorted(entries):
            problems.append(f"{checkpoint}: the keys differ")
        dtypes = reader.get_variable_to_dtype_map()
        names = sorted(entries)
        with tf.Graph().as_default(), tf1.Session() as session:
            restored = session.run(
                tf.raw_ops.RestoreV2(
                    prefix=prefix,
                    tensor_names=names,
                    shape_and_slices=[""] * len(names),
                    dtypes=[dtypes[name] for name in names],
                )
            )
        for name, value in zip(names, restored):  # noqa: B905 - Python 3.7
            shape, dtype, content = described(value)
            # TensorFlow 1 has a bfloat16 of its own, with another name.
            if [shape, dtype, content] != entries[name] and dtypes[name] != tf.bfloat16:
                problems.append(f"{checkpoint}: {name} differs")
            if content != entries[name][2] or list(shapes[name]) != entries[name][0]:
                problems.append(f"{checkpoint}: the content or shape of {name} differs")
    with tf.Graph().as_default(), tf1.Session() as session:  # a slice other than those that were saved
        part = session.run(
            tf.raw_ops.RestoreV2(
                prefix=os.path.join(directory, "parts"),
                tensor_names=["rows"],
                shape_and_slices=["200 3 60,20:1,2"],
                dtypes=[tf.float64],
            )
        )[0]
    if not np.array_equal(part, np.arange(600.0).reshape(FULL_SHAPE)[60:80, 1:]):
        problems.append("a slice across two saved ones differs")
    count = sum(len(entries) for entries in expected.values())
    print(f"TensorFlow {tf.__version__} read {count} tensors, {len(problems)} problems")
    for problem in problems[:20]:
        print("  " + problem)
    return len(problems)


def main(arguments):
    if arguments[:1] == ["--read"]:
        return 1 if read(arguments[1]) else 0
    python = arguments[0] if arguments else os.environ["MONITORED_TF_PYTHON"]
    command = [python, "-c", "import tensorflow as tf; print(tf.__version__)"]
    version = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    with tempfile.TemporaryDirectory() as directory:
        write(directory, modern=not version.startswith(b"1."))
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        environment["TF_CPP_MIN_LOG_LEVEL"] = "3"
        return subprocess.run([python, __file__, "--read", directory], env=environment).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
