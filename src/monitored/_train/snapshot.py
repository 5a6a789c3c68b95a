"""What a checkpoint holds of a session: the values of variables, and the random streams.

A checkpoint's tensors are named by their variables (as TensorFlow does), and a random operation's stream, its key and
counter, by ``_monitored/stream/<operation>``, which TensorFlow passes over. Taking a snapshot reads everything at one
moment; loading one checks and reads everything before it changes anything.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from monitored import errors
from monitored._checkpoint import BundleReader
from monitored._graph.effects import bodies_of
from monitored._graph.graph import Graph
from monitored._graph.operation import Operation
from monitored._run.session import BaseSession

__all__: list[str] = []

Array = np.ndarray[Any, Any]

STREAM: Final = "_monitored/stream/"
_STREAM_TYPE: Final = (np.dtype(np.uint32), (3,))  # two words of key and a counter
_OBJECT_GRAPH: Final = "_CHECKPOINTABLE_OBJECT_GRAPH"  # what TensorFlow 2's object-based checkpoints hold


def streams_of(graph: Graph) -> dict[str, Operation]:
    """The random operations of a graph, those in the bodies of branches and loops included.

    Args:
        graph: The graph.

    Returns:
        The name of the stream in a checkpoint -> the operation.
    """
    found: dict[str, Operation] = {}

    def visit(graph: Graph, path: str) -> None:
        for op in graph._operations:
            if op.op_def.random:
                found[path + op.name] = op
            for index, body in enumerate(bodies_of(op)):
                # A body's operations have names of their own, so where it stands is part of theirs.
                visit(body, f"{path}{op.name}:{index}/")

    visit(graph, STREAM)
    return found


def take(
    session: BaseSession, variables: Mapping[str, Operation], streams: Mapping[str, Operation]
) -> dict[str, Array]:
    """Reads a session's state at one moment.

    Args:
        session: The session.
        variables: Name in the checkpoint -> variable.
        streams: Name in the checkpoint -> random operation; those that have drawn nothing yet are left out.

    Returns:
        Name -> value, in the order of the names.

    Raises:
        FailedPreconditionError: If a variable has no value.
    """
    store = session._store
    with store.lock:
        wanted = {**variables, **{name: op for name, op in streams.items() if op in store.values}}
        values = store.read(dict.fromkeys(wanted[name] for name in sorted(wanted)))
    return {name: values[wanted[name]] for name in sorted(wanted)}


def restore(
    session: BaseSession,
    prefix: str,
    variables: Mapping[str, Operation],
    streams: Mapping[str, Operation],
    reshape: bool = False,
) -> None:
    """Gives a session the state that a checkpoint holds, after every byte of it was compared with its checksum.

    Args:
        session: The session.
        prefix: The checkpoint's path without `.index`.
        variables: Name in the checkpoint -> variable; all of them must be there.
        streams: Name in the checkpoint -> random operation. In a checkpoint with streams, one that is not there had
            drawn nothing yet, and starts anew; TensorFlow's checkpoints have none, and change none.
        reshape: Whether a variable takes a value of another shape, if that has as many elements.

    Raises:
        NotFoundError: If a variable is not in the checkpoint.
        InvalidArgumentError: If one is there with another shape or dtype.
        DataLossError: If the checkpoint is damaged: a checksum is wrong, or a file is cut off or missing.
        OpError: If it could not be read for another reason. The session is as it was.
    """
    reader = BundleReader(prefix)
    _check_names(reader, prefix, variables)
    shapes, dtypes = reader.shape_map(), reader.dtype_map()
    _check_types(prefix, variables, shapes, dtypes, reshape)
    has_streams = any(name.startswith(STREAM) for name in shapes)
    restarted = [op for name, op in streams.items() if has_streams and name not in shapes]
    wanted = {**variables, **{name: op for name, op in streams.items() if name in shapes}}
    values: dict[Operation, Array] = {}
    for name, op in wanted.items():
        try:
            value = reader.read(name)
        except errors.NotFoundError as error:  # not the name, which is there, but a file
            raise errors.DataLossError(None, None, f"{prefix} is incomplete: {error.message}") from error
        if name in streams and (value.dtype, value.shape) != _STREAM_TYPE:
            raise errors.DataLossError(None, None, f"{prefix}: {name} is not the stream of a random operation.")
        sizes = _sizes(op) if reshape and name in variables else None
        if sizes is not None:
            value = value.reshape(sizes)
        values[op] = value
    store = session._store
    with store.lock:
        store.load(values)
        for op in restarted:
            store.values.pop(op, None)


def _check_names(reader: BundleReader, prefix: str, variables: Mapping[str, Operation]) -> None:
    missing = [name for name in variables if not reader.has(name)]
    if not missing:
        return
    held = [name for name in reader.keys() if not name.startswith(STREAM)]  # noqa: SIM118  # no dictionary
    example = variables[missing[0]].name
    text = (
        "Restoring from checkpoint failed. This is most likely due to a Variable name or other graph key that is "
        "missing from the checkpoint. Please ensure that you have not altered the graph expected based on the "
        f"checkpoint. Original error:\n\nKey {missing[0]} not found in checkpoint {prefix}\n"
        f"  missing ({len(missing)} of {len(variables)}): {_listed(missing)}\n"
        f"  it holds ({len(held)}): {_listed(held)}\n"
    )
    if _OBJECT_GRAPH in held:
        text += "It was written by tf.train.Checkpoint, which names values by the objects that hold them.\n"
    text += (
        "If a variable had another name when it was saved, give both:\n"
        f"  tf.train.Saver({{'<name in the checkpoint>': <the variable {example}>, ...}})\n"
        "If it is new, restore the others and initialize it:\n"
        "  tf.train.Saver([<the variables that the checkpoint holds>])"
    )
    raise errors.NotFoundError(None, variables[missing[0]], text)


def _check_types(
    prefix: str,
    variables: Mapping[str, Operation],
    shapes: Mapping[str, tuple[int, ...]],
    dtypes: Mapping[str, np.dtype[Any]],
    reshape: bool,
) -> None:
    wrong, first = [], None
    for name, op in variables.items():
        shape, wanted = op._outputs[0].shape, np.dtype(op._outputs[0].dtype.as_numpy_dtype)
        sizes = _sizes(op) if reshape else None
        if dtypes[name] != wanted:
            wrong.append(f"{_of(op, name)} has dtype {wanted}, in the checkpoint {dtypes[name]}")
        elif sizes is not None and math.prod(sizes) != math.prod(shapes[name]):
            wrong.append(f"{_of(op, name)} of shape {_shown(shape)} cannot take the shape {_shown(shapes[name])} there")
        elif sizes is None and not shape.is_compatible_with(shapes[name]):
            wrong.append(f"{_of(op, name)} has shape {_shown(shape)}, in the checkpoint {_shown(shapes[name])}")
        first = op if wrong and first is None else first
    if wrong:
        raise errors.InvalidArgumentError(
            None,
            first,
            "Restoring from checkpoint failed. This is most likely due to a mismatch between the current graph and the "
            "graph from the checkpoint. Please ensure that you have not altered the graph expected based on the "
            f"checkpoint. Original error:\n\n{prefix} does not fit the graph:\n  " + "\n  ".join(wrong),
        )


def _sizes(op: Operation) -> tuple[int, ...] | None:
    """The shape of a variable, if it is known."""
    sizes = op._outputs[0].shape.sizes
    return None if sizes is None or None in sizes else tuple(size for size in sizes if size is not None)


def _of(op: Operation, name: str) -> str:
    return f"Variable {op.name}" if op.name == name else f"Variable {op.name} ({name} in the checkpoint)"


def _shown(shape: Any) -> str:
    return str(shape.as_list() if hasattr(shape, "as_list") else list(shape)).replace("None", "?")


def _listed(names: Sequence[str], most: int = 8) -> str:
    more = f", ... and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more if names else "nothing"
