"""TensorFlow 2's lists of tensors, as graphs that it wrote have them in place of TensorArrays.

As with those (`monitored._ops.tensor_array_ops`), what TensorFlow has as a handle is here the elements themselves, one
value of shape ``[size, *element_shape]``. Lists that grow by one element at a time live on the host.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from monitored._graph import dtypes, infer
from monitored._graph.constant import constant_value, constant_value_as_shape
from monitored._graph.opdef import define, lookup
from monitored._graph.operation import Operation
from monitored._graph.shapes import TensorShape
from monitored._ops.tensor_array_ops import UNSET, blank, grown, is_unset

__all__: list[str] = []

Array = Any


def _sizes(element_shape: Array) -> tuple[int, ...]:
    """The element shape that a list is made with; `UNSET` where it is not wholly known."""
    sizes = np.asarray(element_shape).reshape(-1)
    unknown = np.ndim(element_shape) == 0 or (sizes < 0).any()
    return UNSET if unknown else tuple(int(size) for size in sizes)


def _told(handle: Array, element_shape: Array) -> Array:
    """A list, as what reads it knows the elements' shape."""
    if is_unset(handle) and isinstance(element_shape, np.ndarray) and _sizes(element_shape) != UNSET:
        return blank(handle.shape[0], _sizes(element_shape), handle.dtype)
    return handle


def _array_op(op_type: str) -> Any:
    """What an operation on TensorArrays does, which takes a handle first and the elements last."""
    return lookup(op_type).lower


_read, _write = _array_op("TensorArrayReadV3"), _array_op("TensorArrayWriteV3")
_gather, _scatter = _array_op("TensorArrayGatherV3"), _array_op("TensorArrayScatterV3")
_concatenate, _split = _array_op("TensorArrayConcatV3"), _array_op("TensorArraySplitV3")
_ANY = TensorShape(None)


def _reserve(element_shape: Array, num_elements: Array, *, element_dtype: dtypes.DType) -> Array:
    return blank(int(num_elements.item()), _sizes(element_shape), element_dtype.as_numpy_dtype)


def _set_item(handle: Array, index: Array, item: Array, *, resize_if_index_out_of_bounds: bool) -> Array:
    return _write(None, index, item, handle, _dynamic=resize_if_index_out_of_bounds)


def _get_item(handle: Array, index: Array, element_shape: Array) -> Array:
    return _read(None, index, _told(handle, element_shape))


def _stack(handle: Array, element_shape: Array) -> Array:
    return _gather(None, np.arange(handle.shape[0]), _told(handle, element_shape), element_shape=_ANY)


def _gather_items(handle: Array, indices: Array, element_shape: Array) -> Array:
    return _gather(None, indices, _told(handle, element_shape), element_shape=_ANY)


def _scatter_new(tensor: Array, indices: Array, element_shape: Array, num_elements: Array | None = None) -> Array:
    count = -1 if num_elements is None else int(num_elements.item())
    count = max(count, int(indices.max()) + 1 if indices.size else 0)
    return _scatter(None, indices, tensor, blank(count, tuple(tensor.shape[1:]), tensor.dtype), _dynamic=False)


def _scatter_into(handle: Array, tensor: Array, indices: Array) -> Array:
    return _scatter(None, indices, tensor, handle, _dynamic=True)


def _concat(handle: Array, element_shape: Array, leading_dims: Array) -> Array:
    return _concatenate(None, handle)


def _split_new(tensor: Array, element_shape: Array, lengths: Array) -> Array:
    return _split(None, tensor, lengths, blank(len(lengths), UNSET, tensor.dtype), _dynamic=False)


def _resize(handle: Array, size: Array) -> Array:
    return grown(handle, int(size.item()))[: int(size.item())]


# -- lists that grow ------------------------------------------------------------------------------------------------


def _empty(context: Any, op: Operation, element_shape: Array, max_num_elements: Array) -> tuple[Array]:
    return (np.zeros((0, *_sizes(element_shape)), op._attrs["element_dtype"].as_numpy_dtype),)


def _push_back(context: Any, op: Operation, handle: Array, tensor: Array) -> tuple[Array]:
    tensor = np.asarray(tensor)
    start = np.zeros((np.shape(handle)[0], *tensor.shape), tensor.dtype) if is_unset(handle) else np.asarray(handle)
    return (np.concatenate([start, tensor[None]]),)


def _pop_back(context: Any, op: Operation, handle: Array, element_shape: Array) -> tuple[Array, Array]:
    if np.shape(handle)[0] == 0:
        raise ValueError("Trying to pop from an empty list.")
    handle = np.asarray(handle)
    return handle[:-1], handle[-1]


# -- definitions ----------------------------------------------------------------------------------------------------


def _unknown(op: Operation) -> list[TensorShape]:
    return [TensorShape(None) for _ in op._outputs]


def _element(op: Operation) -> TensorShape:
    value = constant_value(op.inputs[-1])
    if value is None or value.ndim == 0:
        return TensorShape(None)
    return constant_value_as_shape(op.inputs[-1])


def _elements(op: Operation) -> TensorShape:
    return TensorShape([None]).concatenate(_element(op))


define(
    "TensorListReserve", "element_shape:shape_type num_elements:int32 -> handle:element_dtype", _reserve,
    static=(0, 1), infer=_unknown, no_grad=True,
)  # fmt: skip
define(
    "TensorListFromTensor", "tensor:element_dtype element_shape:shape_type -> output_handle:element_dtype",
    lambda tensor, element_shape: tensor, infer=_unknown,
)  # fmt: skip
define(
    "TensorListSetItem", "input_handle:element_dtype index:int32 item:element_dtype -> output_handle:element_dtype",
    _set_item, static_if_known=(1,), infer=_unknown, resize_if_index_out_of_bounds=False,
)  # fmt: skip
define(
    "TensorListGetItem", "input_handle:element_dtype index:int32 element_shape:Tshape -> item:element_dtype", _get_item,
    static_if_known=(1, 2), infer=_element, Tshape=dtypes.int32,
)  # fmt: skip
define(
    "TensorListStack", "input_handle:element_dtype element_shape:int32 -> tensor:element_dtype", _stack,
    static_if_known=(1,), infer=_elements, num_elements=-1,
)  # fmt: skip
define(
    "TensorListGather", "input_handle:element_dtype indices:int32 element_shape:int32 -> values:element_dtype",
    _gather_items, static_if_known=(1, 2), infer=_elements,
)  # fmt: skip
define(
    "TensorListScatter", "tensor:element_dtype indices:int32 element_shape:shape_type -> output_handle:element_dtype",
    _scatter_new, static=(1,), infer=_unknown,
)  # fmt: skip
define(
    "TensorListScatterV2",
    "tensor:element_dtype indices:int32 element_shape:shape_type num_elements:int32 -> output_handle:element_dtype",
    _scatter_new, static=(1, 3), infer=_unknown,
)  # fmt: skip
define(
    "TensorListScatterIntoExistingList",
    "input_handle:element_dtype tensor:element_dtype indices:int32 -> output_handle:element_dtype",
    _scatter_into, static=(2,), infer=_unknown,
)  # fmt: skip
define(
    "TensorListConcatV2",
    "input_handle:element_dtype element_shape:shape_type leading_dims:int64 -> tensor:element_dtype lengths:int64",
    _concat, infer=_unknown,
)  # fmt: skip
define(
    "TensorListSplit", "tensor:element_dtype element_shape:shape_type lengths:int64 -> output_handle:element_dtype",
    _split_new, static=(2,), infer=_unknown,
)  # fmt: skip
define(
    "TensorListLength", "input_handle:_T -> length:int32", lambda handle: np.asarray(handle.shape[0], np.int32),
    infer=infer.scalar, no_grad=True,
)  # fmt: skip
define(
    "TensorListElementShape", "input_handle:_T -> element_shape:shape_type",
    lambda handle, *, shape_type: jnp.asarray(handle.shape[1:], shape_type.as_numpy_dtype), infer=_unknown,
    no_grad=True,
)  # fmt: skip
define("TensorListResize", "input_handle:_T size:int32 -> output_handle:_T", _resize, static=(1,), infer=_unknown)
define(
    "EmptyTensorList", "element_shape:shape_type max_num_elements:int32 -> handle:element_dtype", host=_empty,
    infer=_unknown, no_grad=True,
)  # fmt: skip
define(
    "TensorListPushBack", "input_handle:element_dtype tensor:element_dtype -> output_handle:element_dtype",
    host=_push_back, infer=_unknown,
)  # fmt: skip
define(
    "TensorListPopBack",
    "input_handle:element_dtype element_shape:int32 -> output_handle:element_dtype tensor:element_dtype",
    host=_pop_back, infer=_unknown,
)  # fmt: skip

# What a branch has on one side only, for others on the same predicate: any shape fits it.
define("Absent", "-> output:dtype", lambda *, dtype: jnp.zeros((0, *UNSET), dtype.as_numpy_dtype), infer=_unknown)
