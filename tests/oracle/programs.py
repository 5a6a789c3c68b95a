"""Small programs that TensorFlow 1.15 and this library both run, and what they are to show.

Each program is a function of `tf`; it runs in a graph of its own and gives something that JSON can hold. What
TensorFlow gave is kept in ``fixtures/programs.json``, which ``make_program_fixtures.py`` writes.

This file and its neighbours are also read by Python 3.7, which is as far as TensorFlow 1.15 goes.
"""

import numpy as np

PROGRAMS = {}


class Group:
    """Adds programs under a common prefix: as a decorator, or called with a name and a function."""

    def __init__(self, prefix):
        self.prefix = prefix

    def add(self, name, program):
        name = f"{self.prefix}/{name}"
        assert name not in PROGRAMS, name
        PROGRAMS[name] = program

    def __call__(self, program):
        self.add(program.__name__, program)
        return program


def run(tf, name):
    """What a program shows; an error is what it is of, and its message."""
    with tf.Graph().as_default():
        return plain(PROGRAMS[name](tf))


def plain(value):
    """A value as JSON holds it."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, bytes):
        return value.decode()
    return value


def nodes(tf, but=()):
    """The graph's nodes: name, type, inputs and what they wait for; those named like one in `but` are left out."""
    kept = [op for op in tf.get_default_graph().get_operations() if not op.name.startswith(tuple(but))]
    return [[op.name, op.type, [_producer(t) for t in op.inputs], _waits(op)] for op in kept]


def _producer(tensor):
    # Inside "gradients/" names are each library's own.
    return "a gradient" if tensor.name.startswith("gradients/") else tensor.name


def _waits(op):
    # Waiting through a constant that waits is the same as waiting oneself.
    found = list(op.control_inputs)
    for tensor in op.inputs:
        if tensor.op.type == "Const":
            found += tensor.op.control_inputs
    return sorted({control.name for control in found})


def names(values):
    """The names of variables or tensors."""
    return [getattr(v, "name", v) for v in values]


def collections(tf):
    """The graph's collections, by name."""
    graph = tf.get_default_graph()
    return {key: names(graph.get_collection(key)) for key in graph.get_all_collection_keys() if key != "cond_context"}


def error(action):
    """What an action raises: the class, and the message's first line."""
    try:
        action()
    except Exception as e:
        return [type(e).__name__, (str(e).splitlines() or [""])[0]]
    return "no error"
