"""What the scripts have in common that write what TensorFlow 1.15 gives for each program into a file."""

import json
import os
import warnings

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def tensorflow_115():
    """TensorFlow 1.15, which keeps its notices to itself."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    warnings.simplefilter("ignore")
    import tensorflow as tf

    assert tf.__version__.startswith("1.15"), tf.__version__
    tf.compat.v1.logging.set_verbosity("FATAL")
    return tf


def write(path, found):
    """Writes a fixture with a line for each program, so that what changes can be seen.

    Args:
        path: The file, from the folder of tests on.
        found: Name of a program -> what it gave.
    """
    target = os.path.join(TESTS, path)
    with open(target, "w") as file:
        lines = [f"{json.dumps(k)}: {json.dumps(v, sort_keys=True)}" for k, v in sorted(found.items())]
        file.write("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{len(found)} programs, {os.path.getsize(target) // 1000} kB")
