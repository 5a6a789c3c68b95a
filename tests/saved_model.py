"""A small model to be saved and restored."""

from pathlib import Path
from typing import Any

import numpy as np

import monitored as tf


def ones(sess: Any, scale: float = 1.0) -> None:
    """Sets every variable to the same number."""
    for variable in tf.global_variables():
        variable.load(np.full(variable.shape.as_list(), scale, variable.dtype.as_numpy_dtype), sess)


def model() -> list[Any]:
    """Three variables."""
    return [
        tf.get_variable("a", [4], initializer=tf.zeros_initializer()),
        tf.get_variable("b", [2, 3], initializer=tf.zeros_initializer()),
        tf.get_variable("c", [], tf.int64, initializer=tf.zeros_initializer()),
    ]


def all_equal(sess: Any, number: float) -> bool:
    return all((np.asarray(value) == number).all() for value in sess.run(tf.global_variables()))


def files_of(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}
