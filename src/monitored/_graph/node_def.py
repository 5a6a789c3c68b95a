"""Operations as TensorFlow's `NodeDef` and `GraphDef` protocol buffers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from monitored._graph import dtypes
from monitored._graph.shapes import TensorShape, as_shape

if TYPE_CHECKING:
    from monitored._graph.operation import Operation, Tensor


def to_node_def(op: Operation, names: Mapping[Any, str] | None = None) -> Any:
    """The operation as a `NodeDef`.

    Args:
        op: The operation.
        names: The names of the bodies that it runs in the library of functions; by default their own.

    Returns:
        The protocol buffer.
    """
    from tensorboard.compat.proto import node_def_pb2

    node = node_def_pb2.NodeDef(name=op.name, op=op.type, device=op.device)
    node.input.extend(_input_name(tensor) for tensor in op.inputs)
    node.input.extend(f"^{control.name}" for control in op.control_inputs)
    for name, value in _wire_attrs(op).items():
        to_attr_value(value, node.attr[name], names)
    return node


def _wire_attrs(op: Operation) -> dict[str, Any]:
    """The attributes as TensorFlow has them: its operations with bodies count captured tensors among their operands."""
    attrs = op._attrs
    if op.type == "While":
        shapes = [*attrs["output_shapes"], *(t.shape for t in op.inputs[len(attrs["Tout"]) :])]
        attrs = {**attrs, "T": [wire_type(t) for t in op.inputs], "output_shapes": shapes}
        del attrs["Tout"]
    elif op.type == "If":
        attrs = {**attrs, "Tin": [wire_type(t) for t in op.inputs[1:]]}
    return attrs


def wire_type(tensor: Tensor) -> dtypes.DType:
    """The type that TensorFlow has for a tensor: handles of resource variables are references here."""
    while True:
        if tensor.op.type == "VarHandleOp":
            return dtypes.resource
        captured = tensor.graph._captured_tensor(tensor)
        if captured is None:
            return tensor.dtype.base_dtype
        tensor = captured


def _input_name(tensor: Tensor) -> str:
    return tensor.op.name if tensor.value_index == 0 else tensor.name


def to_attr_value(value: Any, proto: Any, names: Mapping[Any, str] | None = None) -> None:
    """Writes a Python attribute value into an `AttrValue`; `names` are those of functions, see `to_node_def`."""
    if isinstance(value, (list, tuple)):
        proto.list.SetInParent()
        for item in value:
            _append(item, proto.list, names)
    elif isinstance(value, bool):
        proto.b = value
    elif isinstance(value, int):
        proto.i = value
    elif isinstance(value, float):
        proto.f = value
    elif isinstance(value, (str, bytes)):
        proto.s = value.encode() if isinstance(value, str) else value
    elif isinstance(value, dtypes.DType):
        proto.type = value.as_datatype_enum
    elif isinstance(value, TensorShape):
        proto.shape.CopyFrom(value.as_proto())
    elif isinstance(value, (np.ndarray, np.generic)):
        proto.tensor.CopyFrom(make_tensor_proto(np.asarray(value)))
    else:
        proto.func.name = (names or {}).get(value, value.name)  # a function graph


def _append(item: Any, proto: Any, names: Mapping[Any, str] | None) -> None:
    if isinstance(item, bool):
        proto.b.append(item)
    elif isinstance(item, int):
        proto.i.append(item)
    elif isinstance(item, float):
        proto.f.append(item)
    elif isinstance(item, (str, bytes)):
        proto.s.append(item.encode() if isinstance(item, str) else item)
    elif isinstance(item, dtypes.DType):
        proto.type.append(item.as_datatype_enum)
    elif isinstance(item, TensorShape):
        proto.shape.append(item.as_proto())
    else:
        proto.func.add().name = (names or {}).get(item, item.name)


def make_tensor_proto(values: Any, dtype: Any = None, shape: Any = None) -> Any:
    """A `TensorProto` holding an array.

    Args:
        values: Anything NumPy makes an array of; ``object`` arrays hold bytes.
        dtype: The `DType` of the elements; by default that of the array.
        shape: The shape to give it; by default the array's. One value fills any shape.

    Returns:
        The protocol buffer: as TensorFlow writes it, a single number in the field of its type, more of them in
        `tensor_content` (little endian), strings in `string_val`.
    """
    from tensorboard.compat.proto import tensor_pb2

    array = np.asarray(values, None if dtype is None else dtypes.as_dtype(dtype).as_numpy_dtype)
    if shape is not None:
        array = np.broadcast_to(array, shape) if array.size == 1 else array.reshape(shape)
    kind = dtypes.as_dtype(array.dtype) if dtype is None else dtypes.as_dtype(dtype)
    proto = tensor_pb2.TensorProto(dtype=kind.as_datatype_enum, tensor_shape=as_shape(array.shape).as_proto())
    if array.size == 1 and kind.name in _VALUE_FIELDS and kind != dtypes.string:
        getattr(proto, _VALUE_FIELDS[kind.name]).append(array.item())
    elif kind == dtypes.string:
        proto.string_val.extend(v.encode() if isinstance(v, str) else bytes(v) for v in array.ravel())
    else:
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        proto.tensor_content = np.ascontiguousarray(little).tobytes()
    return proto


_VALUE_FIELDS = {
    "float32": "float_val", "float64": "double_val", "int32": "int_val", "uint8": "int_val", "int16": "int_val",
    "int8": "int_val", "string": "string_val", "int64": "int64_val", "bool": "bool_val", "uint16": "int_val",
    "uint32": "uint32_val", "uint64": "uint64_val", "qint8": "int_val", "quint8": "int_val", "qint32": "int_val",
}  # fmt: skip


def make_ndarray(tensor: Any) -> np.ndarray[Any, Any]:
    """The array that a `TensorProto` holds.

    Args:
        tensor: The protocol buffer.

    Returns:
        A new array; of ``object`` holding bytes for strings.

    Raises:
        TypeError: If elements of the proto's type cannot be arrays.
    """
    dtype = dtypes.as_dtype(tensor.dtype)
    sizes = tuple(d.size for d in tensor.tensor_shape.dim)
    count = int(np.prod(sizes, dtype=np.int64))
    if tensor.tensor_content:
        return np.frombuffer(tensor.tensor_content, dtype.as_numpy_dtype).reshape(sizes).copy()
    values: Any
    if dtype.name in ("float16", "bfloat16"):
        values = np.array(tensor.half_val, np.uint16).view(dtype.as_numpy_dtype)
    elif dtype.is_complex:
        parts = np.array(tensor.scomplex_val if dtype == dtypes.complex64 else tensor.dcomplex_val)
        values = (parts[0::2] + 1j * parts[1::2]).astype(dtype.as_numpy_dtype)
    elif dtype.name in _VALUE_FIELDS:
        field = list(getattr(tensor, _VALUE_FIELDS[dtype.name]))
        values = np.empty(len(field), dtype.as_numpy_dtype)
        values[:] = field
    else:
        raise TypeError(f"Unsupported tensor type: {dtype.name}")
    if len(values) == 0 and count:
        return np.full(sizes, b"" if dtype == dtypes.string else 0, dtype.as_numpy_dtype)
    if len(values) < count:  # the last value stands for all that follow
        values = np.concatenate([values, np.repeat(values[-1:], count - len(values))])
    return np.asarray(values).reshape(sizes)
