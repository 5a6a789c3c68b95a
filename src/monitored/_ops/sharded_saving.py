"""The operations of sharded savers, and those of savers of the V1 format, as far as graphs that name them need them.

A `Saver` of this library runs none of them; graphs that TensorFlow's monitored sessions and estimators wrote hold them.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from monitored import errors
from monitored._checkpoint.merging import merge_checkpoints
from monitored._graph import infer
from monitored._graph.build import apply
from monitored._graph.opdef import define
from monitored._graph.operation import Operation, Tensor
from monitored._graph.shapes import TensorShape

__all__: list[str] = []

Array = np.ndarray[Any, Any]


def sharded_filename(basename: Tensor, shard: int, num_shards: Tensor) -> Tensor:
    """The path of one of several files, ``basename-00001-of-00003``.

    Args:
        basename: What their paths begin with, a string scalar.
        shard: Which file, from 0.
        num_shards: Of how many, an int32 scalar.

    Returns:
        A string scalar.
    """
    path: Tensor = apply("ShardedFilename", basename, shard, num_shards, name="ShardedFilename")
    return path


def string_join(inputs: Sequence[Any], name: str = "StringJoin") -> Tensor:
    """Strings one after the other.

    Args:
        inputs: Tensors of strings, all of one shape or scalars.
        name: The operation's name.

    Returns:
        A tensor of their shape.
    """
    joined: Tensor = apply("StringJoin", list(inputs), name=name)
    return joined


def merge_v2_checkpoints(prefixes: Tensor, destination: Tensor) -> Operation:
    """An operation that makes one checkpoint of several.

    Args:
        prefixes: Their paths without `.index`, strings of shape ``[parts]``.
        destination: The path of the one, a string scalar.

    Returns:
        The operation.
    """
    merged: Operation = apply("MergeV2Checkpoints", prefixes, destination, name="MergeV2Checkpoints")
    return merged


def _bytes(value: Any) -> bytes:
    """A string element as bytes."""
    value = np.asarray(value, object).item()
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape")


def _string(value: bytes) -> tuple[Array]:
    return (np.array(value, object),)


def _join(context: Any, op: Operation, *inputs: Any) -> tuple[Array]:
    arrays = np.broadcast_arrays(*(np.asarray(value, object) for value in inputs))
    separator = op._attrs["separator"]
    separator = separator if isinstance(separator, bytes) else separator.encode()
    joined = np.empty(arrays[0].shape, object)
    for index in np.ndindex(joined.shape):
        joined[index] = separator.join(_bytes(array[index]) for array in arrays)
    return (joined,)


def _joined_shape(op: Operation) -> TensorShape:
    shapes = [tensor.shape for tensor in op.inputs if tensor.shape.rank != 0]
    return functools.reduce(TensorShape.merge_with, shapes, TensorShape(None)) if shapes else TensorShape([])


def _sharded_filename(context: Any, op: Operation, basename: Any, shard: Any, num_shards: Any) -> tuple[Array]:
    return _string(b"%s-%05d-of-%05d" % (_bytes(basename), int(shard), int(num_shards)))


def _sharded_filespec(context: Any, op: Operation, basename: Any, num_shards: Any) -> tuple[Array]:
    return _string(b"%s-?????-of-%05d" % (_bytes(basename), int(num_shards)))


def _merge(context: Any, op: Operation, prefixes: Array, destination: Any) -> tuple[()]:
    paths = [_bytes(prefix).decode("utf-8", "surrogateescape") for prefix in np.asarray(prefixes, object).reshape(-1)]
    merge_checkpoints(paths, _bytes(destination).decode("utf-8", "surrogateescape"), op._attrs["delete_old_dirs"])
    return ()


def _save_slices(context: Any, op: Operation, *inputs: Any) -> tuple[()]:
    raise errors.UnimplementedError(
        None, op, "Checkpoints of the V1 format are read, not written; saver.save(sess, path) writes the V2 format."
    )


define("StringJoin", "inputs:N*string -> output:string", host=_join, infer=_joined_shape, no_grad=True, separator="")
define(
    "ShardedFilename", "basename:string shard:int32 num_shards:int32 -> filename:string", host=_sharded_filename,
    infer=infer.scalar, no_grad=True,
)  # fmt: skip
define(
    "ShardedFilespec", "basename:string num_shards:int32 -> filename:string", host=_sharded_filespec,
    infer=infer.scalar, no_grad=True,
)  # fmt: skip
define(
    "MergeV2Checkpoints", "checkpoint_prefixes:string destination_prefix:string ->", host=_merge, stateful=True,
    no_grad=True, delete_old_dirs=True,
)  # fmt: skip
define(
    "SaveSlices", "filename:string tensor_names:string shapes_and_slices:string data:[T] ->", host=_save_slices,
    stateful=True, no_grad=True,
)  # fmt: skip
