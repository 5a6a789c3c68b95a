"""Cases of the vocabulary, each a function of `tf` that TensorFlow 1.15 and this library both can run.

This file and its neighbours are also read by Python 3.7, which is as far as TensorFlow 1.15 goes.
"""

import zlib

import numpy as np

CASES = {}


class Case:
    """A function of ``(tf, *inputs)`` that gives a tensor or a list of tensors, and values for its inputs.

    Args:
        name: A unique name; its part before the first ``/`` is the file of tests that replays it.
        build: The function.
        inputs: Arrays; each becomes a placeholder.
        nodes: Whether the graph must be TensorFlow's, node by node.
        shapes: Whether static shapes must be TensorFlow's.
        unknown: Whether the case is meant for inputs of unknown rank.
        grad: Whether gradients are compared.
        tolerance: Relative and absolute, for floating point outputs.
    """

    def __init__(self, name, build, inputs, nodes, shapes, grad, tolerance, unknown):
        self.name = name
        self.build = build
        self.inputs = inputs
        self.nodes = nodes
        self.shapes = shapes
        self.grad = grad
        self.tolerance = tolerance
        self.unknown = unknown


class Group:
    """Adds cases under a common prefix."""

    def __init__(self, prefix):
        self.prefix = prefix

    def __call__(self, name, build, *inputs, nodes=True, shapes=True, grad=True, tolerance=2e-5, unknown=True):
        name = f"{self.prefix}/{name}"
        assert name not in CASES, name
        CASES[name] = Case(name, build, [np.asarray(i) for i in inputs], nodes, shapes, grad, tolerance, unknown)


def floats(*shape, low=-2.0, high=2.0, dtype=np.float32, seed=0):
    """Uniform random numbers, always the same for the same arguments."""
    random = np.random.RandomState(zlib.crc32(repr((shape, low, high, seed)).encode()) % 2**31)
    return random.uniform(low, high, shape).astype(dtype)


def ints(*shape, low=-5, high=6, dtype=np.int32, seed=0):
    """Uniform random integers, always the same for the same arguments."""
    random = np.random.RandomState(zlib.crc32(repr((shape, low, high, seed)).encode()) % 2**31)
    return random.randint(low, high, shape).astype(dtype)


def weights(index, shape):
    """The gradient that a case feeds for one of its outputs."""
    return floats(*shape, seed=f"weights{index}", low=0.5, high=1.5)


def differentiable(dtype):
    """Whether gradients flow through tensors of a type (a name)."""
    return dtype in ("float32", "float64", "float16")
