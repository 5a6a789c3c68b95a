"""Checkpoints as operations: `SaveV2` and `RestoreV2`, on which the nodes of a `Saver` stand.

A saver of this library does not run them (it reads and loads a session's state at one go); they are there for graphs
that name them, such as TensorFlow's own `.meta` files: ``sess.run("save/restore_all", {"save/Const:0": prefix})``.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from monitored import errors
from monitored._checkpoint import BundleWriter, TensorReader, open_checkpoint
from monitored._graph.build import apply
from monitored._graph.constant import constant_value
from monitored._graph.opdef import define
from monitored._graph.operation import Operation, Tensor
from monitored._graph.shapes import TensorShape

__all__: list[str] = []

Array = np.ndarray[Any, Any]


def save_v2(
    prefix: Any, names: Sequence[str], tensors: Sequence[Any], slices: Sequence[str], name: str = "SaveV2"
) -> Operation:
    """An operation that writes a checkpoint.

    Args:
        prefix: The checkpoint's path without `.index`, a string scalar.
        names: The names under which the tensors are written.
        tensors: The tensors; references to variables are read all at one moment.
        slices: Which slices of larger tensors they are, see `parse_slice`; empty strings for whole ones.
        name: The operation's name.

    Returns:
        The operation.
    """
    op: Operation = apply("SaveV2", prefix, list(names), list(slices), list(tensors), name=name)
    return op


def restore_v2(
    prefix: Any, names: Sequence[str], dtypes: Sequence[Any], slices: Sequence[str], name: str = "RestoreV2"
) -> list[Tensor]:
    """Tensors read from a checkpoint.

    Args:
        prefix: The checkpoint's path without `.index`, a string scalar.
        names: The tensors' names in the checkpoint.
        dtypes: Their types.
        slices: The slices to read, see `parse_slice`; empty strings for whole tensors.
        name: The operation's name.

    Returns:
        A tensor for each name.
    """
    tensors: list[Tensor] = apply("RestoreV2", prefix, list(names), list(slices), name=name, dtypes=list(dtypes))
    return tensors


def _text(value: Any) -> str:
    """A string element as text."""
    value = np.asarray(value, object).item()
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)


def parse_slice(spec: str, op: Operation | None = None) -> tuple[list[int], list[int], list[int]]:
    """Reads which slice of a larger tensor is meant, such as ``"10 4 0,5:-"``.

    Args:
        spec: The whole's sizes, then each dimension's start and length, or ``-`` for all of it.
        op: The operation to blame.

    Returns:
        The whole's sizes, and for each dimension where the slice starts and how long it is.

    Raises:
        InvalidArgumentError: If it cannot be read.
    """
    *sizes, extents = spec.split(" ")
    try:
        whole = [int(size) for size in sizes]
        starts, lengths = [], []
        for size, extent in zip(whole, extents.split(":"), strict=True):
            start, length = (0, size) if extent == "-" else map(int, extent.split(","))
            starts.append(start)
            lengths.append(length)
    except ValueError:
        raise errors.InvalidArgumentError(None, op, f"Cannot read the slice specification {spec!r}.") from None
    return whole, starts, lengths


def _save(context: Any, op: Operation, prefix: Any, names: Array, slices: Array, *values: Any) -> tuple[()]:
    # What comes as an operation is a variable, to be read together with the others.
    read = context.store.read([value for value in values if isinstance(value, Operation)])
    with BundleWriter(_text(prefix), partial=True) as writer:  # as TensorFlow's, which may write one shard of many
        for name, spec, value in zip(map(_text, names), map(_text, slices), values, strict=True):
            array = read[value] if isinstance(value, Operation) else np.asarray(value)
            if spec:
                whole, starts, _ = parse_slice(spec, op)
                writer.add_slice(name, array, whole, starts)
            else:
                writer.add(name, array)
    return ()


def _restore(context: Any, op: Operation, prefix: Any, names: Array, slices: Array) -> list[Array]:
    reader, dtypes = _opened(_text(prefix))
    values: list[Array] = []
    for name, spec, output in zip(map(_text, names), map(_text, slices), op._outputs, strict=True):
        wanted = np.dtype(output.dtype.as_numpy_dtype)
        if name in dtypes and dtypes[name] != wanted:
            raise errors.InvalidArgumentError(
                None, op, f"tensor_name = {name}; expected dtype {wanted} does not equal original dtype {dtypes[name]}"
            )
        array = reader.read(name)
        if spec:
            whole, starts, lengths = parse_slice(spec, op)
            if tuple(whole) != array.shape:
                raise errors.InvalidArgumentError(
                    None,
                    op,
                    f"Shape in shape_and_slice spec {_shown(whole)} does not match the shape stored in checkpoint: "
                    f"{_shown(array.shape)} ('{name}')",
                )
            array = array[tuple(slice(start, start + n) for start, n in zip(starts, lengths, strict=True))]
        _check_assigned_shape(array, name, output)
        values.append(array)
    return values


def _opened(prefix: str) -> tuple[TensorReader, dict[str, np.dtype[Any]]]:
    """A checkpoint's reader and its types. A graph may have a `RestoreV2` for each of a thousand variables."""
    try:
        found = os.stat(f"{prefix}.index")
    except OSError:  # of the older format, or not there
        return _open.__wrapped__(prefix, ())
    return _open(prefix, (found.st_ino, found.st_size, found.st_mtime_ns))


@functools.lru_cache(maxsize=2)
def _open(prefix: str, version: tuple[int, ...]) -> tuple[TensorReader, dict[str, np.dtype[Any]]]:
    reader = open_checkpoint(prefix)
    return reader, reader.dtype_map()


def _check_assigned_shape(array: Array, name: str, output: Tensor) -> None:
    """Checks a value against the variables that are to get it, before any of them does."""
    for consumer in output.consumers():
        if consumer.type == "Assign" and consumer._attrs["validate_shape"]:
            variable = consumer.inputs[0]
            if not variable.shape.is_compatible_with(array.shape):
                raise errors.InvalidArgumentError(
                    None,
                    consumer,
                    "Assign requires shapes of both tensors to match. "
                    f"lhs shape= {_shown(variable.shape)} rhs shape= {_shown(array.shape)} ('{name}')",
                )


def _shown(shape: Any) -> str:
    return str(list(shape.as_list() if isinstance(shape, TensorShape) else shape)).replace(" ", "")


def _restored_shapes(op: Operation) -> list[TensorShape]:
    specs = constant_value(op.inputs[2])
    if specs is None:
        return [TensorShape(None)] * len(op._outputs)
    return [TensorShape(parse_slice(text)[2]) if (text := _text(spec)) else TensorShape(None) for spec in specs]


define(
    "SaveV2", "prefix:string tensor_names:string shape_and_slices:string tensors:[dtypes] ->", host=_save,
    stateful=True, no_grad=True,
)  # fmt: skip
define(
    "RestoreV2", "prefix:string tensor_names:string shape_and_slices:string -> tensors:[dtypes]", host=_restore,
    infer=_restored_shapes, stateful=True, no_grad=True,
)  # fmt: skip
