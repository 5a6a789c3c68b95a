"""Has this project and a real TensorFlow each restore variables of every dtype that the other saved, in several files.

    python tests/oracle/check_dtypes_both_ways.py PYTHON_WITH_TENSORFLOW

Checked, bit for bit:

    Saver -> Saver        a variable of every dtype, one file for each of two devices, both ways
    TensorFlow -> ours    what `make_checkpoint_fixtures.py` has the given TensorFlow write: tensors of every dtype that
                          the format holds, slices, shards, and the older V1 format

This file is both sides: the other interpreter runs it as `--other DIRECTORY` (down to Python 3.7).
"""

import json
import os
import subprocess
import sys
import tempfile

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
DTYPES = [
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64", "complex64", "complex128"),
]
SHAPES = [(), (0,), (7,), (3, 5)]


def bits(dtype, shape):
    """Any bits, not-a-numbers among them; of booleans only two are any, and complex constants TensorFlow tidies up."""
    size = np.dtype(dtype).itemsize * int(np.prod(shape))
    random = np.random.RandomState(len(dtype) + len(shape))
    if dtype.startswith("complex"):
        return np.asarray(random.standard_normal(shape) - 1j * random.standard_normal(shape)).astype(dtype)
    data = random.bytes(size)
    if dtype == "bool":
        return np.frombuffer(data, np.uint8).reshape(shape) > 127
    return np.frombuffer(data, dtype).reshape(shape)


def variables(tf, modern, zero):
    """Variables on two devices, with their values: bfloat16 ones as the integers that they are made of.

    TensorFlow 1 is not `modern`: it has no variables of uint32 and uint64.
    """
    found = {}
    for dtype in DTYPES if modern else [dtype for dtype in DTYPES if dtype not in ("uint32", "uint64")]:
        for shape in SHAPES:
            value = bits(dtype, shape)
            name = "_".join([dtype, *map(str, shape)])
            initial = np.zeros(shape, dtype) if zero else value
            with tf.device("/cpu:%d" % (len(found) % 2)):  # noqa: UP031 - as plain as TensorFlow 1 programs are
                found[name] = (tf.Variable(tf.constant(initial, shape=shape), name=name, use_resource=False), value)
    for shape in SHAPES:
        value = bits("uint16", shape)
        name = "_".join(["bfloat16", *map(str, shape)])
        initial = tf.bitcast(tf.constant(np.zeros(shape, np.uint16) if zero else value, shape=shape), tf.bfloat16)
        found[name] = (tf.Variable(initial, name=name, use_resource=False), value)
    return found


def save(tf, modern, directory):
    with tf.Graph().as_default():
        made = variables(tf, modern, zero=False)
        with tf.Session(config=tf.ConfigProto(device_count={"CPU": 2})) as sess:
            sess.run(tf.global_variables_initializer())
            path = tf.train.Saver(sharded=True).save(sess, os.path.join(directory, "m"), 1)
        shards = [name for name in os.listdir(directory) if ".data-" in name]
        assert len(shards) == 3, shards  # those that name no device are a third
        return path, len(made)


def restore(tf, modern, directory):
    """Restores what the other side saved; the names of those that differ."""
    with tf.Graph().as_default():
        made = variables(tf, modern, zero=True)
        fetches = {
            n: tf.bitcast(v, tf.uint16) if v.dtype.base_dtype == tf.bfloat16 else v for n, (v, _) in made.items()
        }
        with tf.Session(config=tf.ConfigProto(device_count={"CPU": 2})) as sess:
            tf.train.Saver(sharded=True).restore(sess, tf.train.latest_checkpoint(directory))
            values = sess.run(fetches)
    return [name for name, (_, want) in made.items() if values[name].tobytes() != want.tobytes()]


def other_side(directory):
    import tensorflow

    tf = tensorflow.compat.v1
    modern = not tensorflow.__version__.startswith("1.")
    if modern:
        tf.disable_eager_execution()
    differ = restore(tf, modern, os.path.join(directory, "ours"))
    save(tf, modern, os.path.join(directory, "theirs"))
    print(json.dumps({"differ": differ}))


def differing(directory):
    """Compares what the fixtures' maker had TensorFlow write with what it says that it wrote."""
    from monitored._checkpoint import open_checkpoint

    count, differ = 0, []
    for file in sorted(os.listdir(directory)):
        if not file.endswith(".json"):
            continue
        prefix = os.path.join(directory, file[: -len(".json")])
        if not os.path.exists(prefix + ".index") and not os.path.exists(prefix):
            prefix += "-?????-of-00002"
        reader = open_checkpoint(prefix)
        with open(os.path.join(directory, file)) as stream:
            expected = json.load(stream)
        for name, want in expected.items():
            value = reader.read(name.encode("latin-1").decode("utf-8", "surrogateescape"))
            flat = value.reshape(-1)
            got = [item.hex() for item in flat] if flat.dtype == object else value.tobytes().hex()
            count += 1
            if [value.dtype.name, list(value.shape), got] != [
                want["dtype"],
                want["shape"],
                want.get("strings", want.get("bytes")),
            ]:
                differ.append(f"{file}: {name}")
    return count, differ


def main(arguments):
    if arguments[:1] == ["--other"]:
        return other_side(arguments[1])
    import monitored as tf

    python = arguments[0] if arguments else os.environ["MONITORED_TF_PYTHON"]
    environment = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3", PYTHONPATH="", PYTHONWARNINGS="ignore")
    command = [python, "-c", "import tensorflow as tf; print(tf.__version__)"]
    version = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.strip()
    modern = not version.startswith("1.")
    with tempfile.TemporaryDirectory() as directory:
        for name in ("ours", "theirs", "fixtures"):
            os.mkdir(os.path.join(directory, name))
        _, count = save(tf, modern, os.path.join(directory, "ours"))
        commands = [
            [python, os.path.abspath(__file__), "--other", directory],
            [python, os.path.join(HERE, "make_checkpoint_fixtures.py"), os.path.join(directory, "fixtures")],
        ]
        for command in commands:
            done = subprocess.run(command, capture_output=True, text=True, env=environment)
            if done.returncode:
                sys.exit(done.stderr)
            if command is commands[0]:
                told = json.loads(done.stdout.splitlines()[-1])
        problems = [f"TensorFlow read another {name}" for name in told["differ"]]
        problems += [f"we read another {name}" for name in restore(tf, modern, os.path.join(directory, "theirs"))]
        tensors, differ = differing(os.path.join(directory, "fixtures"))
        problems += [f"we read another {name}" for name in differ]
    print(f"TensorFlow {version}: {count} variables both ways, {tensors} tensors from it, {len(problems)} problems")
    for problem in problems[:20]:
        print("  " + problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
