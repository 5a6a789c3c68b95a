"""Attributes of a `NodeDef` as Python values, checked against the definition of the node's type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from monitored._graph import dtypes
from monitored._graph.node_def import make_ndarray
from monitored._graph.opdef import REQUIRED, Arg, OpDef
from monitored._graph.shapes import TensorShape

__all__ = ["attributes", "describe", "python_value"]

# Attributes that TensorFlow has and the definitions here do without. What they are set to must be what is done anyway:
# nothing, false, or one of these values.
_NEUTRAL: Final[Mapping[str, Any]] = {
    "exponential_avg_factor": 1.0,
    "index_type": dtypes.int32,
    "Tk": dtypes.int32,
}
# Types that a file may leave out, where the definitions here have no default.
_TYPES: Final[Mapping[tuple[str, str], dtypes.DType]] = {
    ("Angle", "T"): dtypes.complex64,
    ("Complex", "T"): dtypes.float32,
    ("ComplexAbs", "T"): dtypes.complex64,
    ("Conj", "T"): dtypes.complex64,
    ("HistogramSummary", "T"): dtypes.float32,
    ("Imag", "T"): dtypes.complex64,
    ("ImageSummary", "T"): dtypes.float32,
    ("NextAfter", "T"): dtypes.float32,
    ("Real", "T"): dtypes.complex64,
    ("SparseTensorDenseMatMul", "Tindices"): dtypes.int64,
}
# These are hints, or say what other attributes do already.
_HINTS: Final = frozenset({
    "grad_a", "grad_b", "grad_x", "grad_y", "incompatible_shape_error", "lower_using_switch_merge",
    "parallel_iterations", "swap_memory", "use_cudnn_on_gpu", "use_inter_op_parallelism", "validate_indices",
})  # fmt: skip


def attributes(
    proto: Any, definition: OpDef, name: str, given: Mapping[str, Any]
) -> tuple[dict[str, Any], list[TensorShape]]:
    """The attributes of a node.

    Args:
        proto: The `NodeDef`.
        definition: The definition of its type.
        name: The node's full name, for messages.
        given: The attributes of the function that the node stands in, for those that are taken from there.

    Returns:
        Every attribute of the definition and what else the node has; and the shapes of its outputs, if it tells.

    Raises:
        ValueError: If an attribute is missing, not known, or of the wrong kind.
    """
    found: dict[str, Any] = {}
    shapes: list[TensorShape] = []
    types = definition.type_attrs
    for key, value in proto.attr.items():
        if key == "_output_shapes":
            shapes = [TensorShape(shape) for shape in value.list.shape]
            continue
        found[key] = python_value(value, given, keep_bytes=key.startswith("_"))
        if key not in types and key not in definition.attrs and not _is_neutral(key, found[key]):
            raise ValueError(
                f"NodeDef mentions attr '{key}' not in {describe(definition)}; NodeDef: {{{{node {name}}}}}. (Check "
                "whether your GraphDef-interpreting binary is up to date with your GraphDef-generating binary.)."
            )
    for key, default in definition.attrs.items():
        if key not in found and default is not REQUIRED:
            found[key] = dtypes.as_dtype(default) if key in types and isinstance(default, str) else default
    for key in (*types, *definition.attrs):
        if key not in found and (definition.type, key) in _TYPES:
            found[key] = _TYPES[definition.type, key]
        if key not in found and not key.startswith("_"):
            raise ValueError(f"NodeDef missing attr '{key}' from {describe(definition)}; NodeDef: {{{{node {name}}}}}")
    for arg in (*definition.inputs, *definition.outputs):
        _check_kinds(arg, found, definition, name)
    return found, shapes


def _is_neutral(key: str, value: Any) -> bool:
    if key.startswith("_") or key in _HINTS:
        return True
    if isinstance(value, (bool, int, float, str, bytes, list)) and not value:
        return True
    return key in _NEUTRAL and bool(value == _NEUTRAL[key])


def _check_kinds(arg: Arg, found: dict[str, Any], definition: OpDef, name: str) -> None:
    kinds = ((arg.type_attr, dtypes.DType, "type"), (arg.number_attr, int, "int"), (arg.type_list_attr, list, "list"))
    for key, kind, label in kinds:
        if key is not None and key in found and not isinstance(found[key], kind):
            raise ValueError(
                f"AttrValue had value with type '{type(found[key]).__name__}' when '{label}' expected\n\t for attr "
                f"'{key}'\n\t; NodeDef: {{{{node {name}}}}}; {describe(definition)}"
            )


def python_value(value: Any, given: Mapping[str, Any] | None = None, keep_bytes: bool = False) -> Any:
    """An `AttrValue` as the Python value that operations here have: a function stays a `NameAttrList`.

    Args:
        value: The protocol buffer.
        given: The values of placeholders, which stand in functions.
        keep_bytes: Whether strings in lists stay bytes.

    Returns:
        The value.

    Raises:
        ValueError: If a placeholder has no value.
    """
    kind = value.WhichOneof("value")
    if kind == "placeholder":
        if given is None or value.placeholder not in given:
            raise ValueError(f"Function attribute '{value.placeholder}' has no value.")
        return given[value.placeholder]
    if kind == "s":
        return _text(value.s)
    if kind == "type":
        return dtypes.as_dtype(value.type)
    if kind == "shape":
        return TensorShape(value.shape)
    if kind == "tensor":
        return make_ndarray(value.tensor)
    if kind == "list":
        return _list_value(value.list, keep_bytes)
    return [] if kind is None else getattr(value, kind)


def _list_value(items: Any, keep_bytes: bool) -> list[Any]:
    if items.s:
        return list(items.s) if keep_bytes else [_text(item) for item in items.s]
    if items.type:
        return [dtypes.as_dtype(item) for item in items.type]
    if items.shape:
        return [TensorShape(item) for item in items.shape]
    if items.tensor:
        return [make_ndarray(item) for item in items.tensor]
    return list(items.i or items.f or items.b or items.func)


def _text(value: bytes) -> str | bytes:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def describe(definition: OpDef) -> str:
    """A definition as TensorFlow's messages show it."""
    inputs = ", ".join(f"{arg.name}:{_kind(arg)}" for arg in definition.inputs)
    outputs = ", ".join(f"{arg.name}:{_kind(arg)}" for arg in definition.outputs)
    return f"Op<name={definition.type}; signature={inputs} -> {outputs}>"


def _kind(arg: Arg) -> str:
    kind = arg.dtype.name if arg.dtype else arg.type_attr or arg.type_list_attr or ""
    kind = f"{arg.number_attr}*{kind}" if arg.number_attr else kind
    return f"Ref({kind})" if arg.is_ref else kind
