"""The operations on arrays of tensors, as dense values.

The nodes are those of TensorFlow 1: a ``TensorArrayV3`` gives a handle and a flow, and what is done to the array is
chained by its flow. There the flow is a token and the elements live behind the handle; here the flow *is* the
elements, one value of shape ``[size, *element_shape]``, so that every operation is pure: a write gives a new flow,
loops carry it, and gradients pass through it. The handle only tells which `TensorArrayV3` is meant.

An array whose element shape nobody has told is of shape `UNSET` beyond its size until the first write.
"""

from __future__ import annotations

from typing import Any, Final

import jax.numpy as jnp
import numpy as np
from jax import lax

from monitored._graph import dtypes, infer
from monitored._graph.opdef import ShapesVary, define
from monitored._graph.operation import Operation, Tensor
from monitored._graph.shapes import TensorShape

UNSET: Final = (0,) * 7
"""The shape that stands for an element shape not known yet; no real element has it."""


def is_unset(flow: Any) -> bool:
    """Whether nothing tells yet what shape an array's elements have."""
    return tuple(np.shape(flow)[1:]) == UNSET


def blank(size: int, shape: tuple[int, ...], dtype: Any) -> Any:
    """An array to which nothing has been written: its elements read as zeros."""
    if np.dtype(dtype) == np.dtype(object):
        return np.full((size, *shape), b"", object)
    return jnp.zeros((size, *shape), dtype)


def grown(flow: Any, size: int) -> Any:
    """An array of at least so many elements, the new ones blank."""
    if flow.shape[0] >= size:
        return flow
    new = blank(size - flow.shape[0], flow.shape[1:], flow.dtype)
    return _library(flow).concatenate([flow, new])


def store(flow: Any, index: Any, value: Any) -> Any:
    """An array with one element replaced; the index is not checked."""
    if is_unset(flow):
        flow = blank(flow.shape[0], np.shape(value), flow.dtype)
    if np.shape(value) != flow.shape[1:]:
        raise NotImplementedError(
            f"Could not write an element of shape {list(np.shape(value))} to a TensorArray whose elements have shape "
            f"{list(flow.shape[1:])}: all elements must have the same shape."
        )
    if isinstance(flow, np.ndarray):
        flow = flow.copy()
        flow[index] = value
        return flow
    return lax.dynamic_update_index_in_dim(flow, jnp.asarray(value), index, 0)


def array_of(handle: Tensor) -> Operation | None:
    """The `TensorArrayV3` that a handle stands for, if it can be told."""
    while True:
        op = handle.op
        if op.type == "TensorArrayV3":
            return op
        captured = op.graph._captured_tensor(handle)
        if captured is None:
            return None
        handle = captured


def is_dynamic(op: Operation) -> bool:
    """Whether the array of an operation on one grows as needed."""
    array = array_of(op.inputs[0])
    return array is not None and bool(array._attrs["dynamic_size"])


def check_bounds(verb: str, rows: Any, size: int, dynamic: bool = False) -> None:
    """Checks indices that are known.

    Raises:
        ValueError: If one is out of bounds.
    """
    for row in (rows.min(), rows.max()) if rows.size else ():
        if verb == "write to" and (row < 0 or (row >= size and not dynamic)):
            raise ValueError(f"Tried to write to index {row} but array is not resizeable and size is: {size}")
        if verb == "read from" and not 0 <= row < size:
            raise ValueError(f"Tried to read from index {row} but array size is: {size}")


def _library(flow: Any) -> Any:
    return np if isinstance(flow, np.ndarray) else jnp


def _check_set(flow: Any) -> None:
    if is_unset(flow):
        raise ValueError("Tried to read from a TensorArray that nothing has been written to.")


def _is_all(indices: Any, size: int) -> bool:
    """Whether known indices are those of all elements in order."""
    return isinstance(indices, np.ndarray) and np.array_equal(indices, np.arange(size))


# -- lowerings ----------------------------------------------------------------------------------------------


def _reserve(size: Any, *, dtype: dtypes.DType, element_shape: TensorShape) -> tuple[Any, Any]:
    shape = tuple(element_shape.as_list()) if element_shape.is_fully_defined() else UNSET
    return np.zeros((), np.int32), blank(int(size.item()), shape, dtype.as_numpy_dtype)  # type: ignore[arg-type]


def _write(handle: Any, index: Any, value: Any, flow: Any, *, _dynamic: bool) -> Any:
    if isinstance(index, np.ndarray):
        check_bounds("write to", index, flow.shape[0], _dynamic)
        return store(grown(flow, int(index) + 1), int(index), value)
    if _dynamic:
        raise ShapesVary
    return store(flow, index, value)


def _write_on_host(context: Any, op: Operation, handle: Any, index: Any, value: Any, flow: Any) -> tuple[Any]:
    flow, index = np.asarray(flow), np.asarray(index)
    check_bounds("write to", index, flow.shape[0], dynamic=True)
    if is_unset(flow):
        flow = np.zeros((flow.shape[0], *np.shape(value)), flow.dtype)
    if flow.shape[0] <= index:
        flow = np.concatenate([flow, np.zeros((int(index) + 1 - flow.shape[0], *flow.shape[1:]), flow.dtype)])
    return (store(flow, int(index), np.asarray(value)),)


def _read(handle: Any, index: Any, flow: Any) -> Any:
    _check_set(flow)
    if isinstance(index, np.ndarray):
        check_bounds("read from", index, flow.shape[0])
        return flow[int(index)] if isinstance(flow, np.ndarray) else lax.index_in_dim(flow, int(index), 0, False)
    return lax.dynamic_index_in_dim(flow, index, 0, keepdims=False)


def _gather(handle: Any, indices: Any, flow: Any, *, element_shape: TensorShape) -> Any:
    if is_unset(flow):
        if flow.shape[0] == 0 and not element_shape.is_fully_defined():
            raise NotImplementedError(
                f"TensorArray has size zero, but element shape {element_shape} is not fully defined. Currently only "
                "static shapes are supported when packing zero-size TensorArrays."
            )
        if element_shape.is_fully_defined():
            flow = blank(flow.shape[0], tuple(element_shape.as_list()), flow.dtype)  # type: ignore[arg-type]
        _check_set(flow)
    if _is_all(indices, flow.shape[0]):
        return flow
    if isinstance(indices, np.ndarray):
        check_bounds("read from", indices, flow.shape[0])
    return _library(flow).take(flow, indices, axis=0)


def _scatter(handle: Any, indices: Any, value: Any, flow: Any, *, _dynamic: bool) -> Any:
    if isinstance(indices, np.ndarray):
        if indices.size and indices.max() >= flow.shape[0] and not _dynamic:
            raise ValueError(f"Max scatter index must be < array size ({indices.max()} vs. {flow.shape[0]})")
        flow = grown(flow, int(indices.max()) + 1 if indices.size else 0)
        if _is_all(indices, flow.shape[0]):
            if not is_unset(flow) and np.shape(value)[1:] != flow.shape[1:]:
                store(flow[:1], 0, value[0])  # for its message
            return value
    elif _dynamic:
        raise ShapesVary
    if is_unset(flow):
        flow = blank(flow.shape[0], np.shape(value)[1:], flow.dtype)
    if isinstance(flow, np.ndarray):
        flow = flow.copy()
        flow[indices] = value
        return flow
    return flow.at[indices].set(value)


def _scatter_on_host(context: Any, op: Operation, handle: Any, indices: Any, value: Any, flow: Any) -> tuple[Any]:
    flow = np.asarray(flow)
    for index, element in zip(np.asarray(indices).tolist(), np.asarray(value), strict=True):
        (flow,) = _write_on_host(context, op, handle, index, element, flow)
    return (flow,)


def _concatenate(handle: Any, flow: Any) -> tuple[Any, Any]:
    _check_set(flow)
    if flow.ndim < 2:
        raise ValueError("Concat saw a scalar shape at index 0 but requires at least vectors.")
    count, length, *rest = flow.shape
    return flow.reshape((count * length, *rest)), np.full(count, length, np.int64)


def _split(handle: Any, value: Any, lengths: Any, flow: Any, *, _dynamic: bool) -> Any:
    count = len(lengths)
    if lengths.sum() != value.shape[0]:
        raise ValueError(
            f"Expected sum of lengths to be equal to values.shape[0], but sum of lengths is {lengths.sum()} and "
            f"value's shape is: {list(value.shape)}"
        )
    if count != flow.shape[0] and not (_dynamic and count > flow.shape[0]):
        raise ValueError(
            "TensorArray's size is not equal to the size of lengths "
            f"({flow.shape[0]} vs. {count}), and the TensorArray is not marked as dynamically resizeable"
        )
    if count and (lengths != lengths[0]).any():
        raise NotImplementedError(
            f"TensorArray.split with different lengths ({lengths.tolist()}) is not supported: all elements must have "
            "the same shape."
        )
    return value.reshape((count, -1 if count else 0, *value.shape[1:]))


# -- definitions --------------------------------------------------------------------------------------------


def _unknown(op: Operation) -> list[TensorShape]:
    return [TensorShape(None) for _ in op._outputs]


def _unknown_and_dynamic(op: Operation) -> list[TensorShape]:
    # Lowerings see attributes of their own operation only; TensorFlow lets pass those that begin with an underscore.
    op._attrs["_dynamic"] = is_dynamic(op)
    return _unknown(op)


def _gathered_shape(op: Operation) -> TensorShape:
    sizes = op.inputs[1].shape.sizes
    return TensorShape([None if sizes is None else sizes[0]]).concatenate(op._attrs["element_shape"])


def _concatenated_shapes(op: Operation) -> list[TensorShape]:
    return [TensorShape([None]).concatenate(op._attrs["element_shape_except0"]), TensorShape([None])]


define(
    "TensorArrayV3", "size:int32 -> handle:resource flow:dtype", _reserve, infer=_unknown, static=(0,), no_grad=True,
    dtype=dtypes.float32, element_shape=TensorShape(None), dynamic_size=False, clear_after_read=True,
    identical_element_shapes=False, tensor_array_name="",
)  # fmt: skip
define(
    "TensorArrayWriteV3", "handle:resource index:int32 value:T flow_in:T -> flow_out:T", _write,
    infer=_unknown_and_dynamic, static_if_known=(1,), interpret=_write_on_host,
)  # fmt: skip
define(
    "TensorArrayReadV3", "handle:resource index:int32 flow_in:dtype -> value:dtype", _read, infer=_unknown,
    static_if_known=(1,),
)  # fmt: skip
define(
    "TensorArrayGatherV3", "handle:resource indices:int32 flow_in:dtype -> value:dtype", _gather,
    infer=_gathered_shape, static_if_known=(1,), element_shape=TensorShape(None),
)  # fmt: skip
define(
    "TensorArrayScatterV3", "handle:resource indices:int32 value:T flow_in:T -> flow_out:T", _scatter,
    infer=_unknown_and_dynamic, static_if_known=(1,), interpret=_scatter_on_host,
)  # fmt: skip
define(
    "TensorArrayConcatV3", "handle:resource flow_in:dtype -> value:dtype lengths:int64", _concatenate,
    infer=_concatenated_shapes, element_shape_except0=TensorShape(None),
)  # fmt: skip
define(
    "TensorArraySplitV3", "handle:resource value:T lengths:int64 flow_in:T -> flow_out:T", _split,
    infer=_unknown_and_dynamic, static=(2,),
)  # fmt: skip
define(
    "TensorArraySizeV3", "handle:resource flow_in:_T -> size:int32",
    lambda handle, flow: np.asarray(flow.shape[0], np.int32), infer=infer.scalar, no_grad=True,
)  # fmt: skip
define("TensorArrayCloseV3", "handle:resource ->", lambda handle: ())
