"""Making operations from Python values: conversion to tensors, constants, and `apply`, the way to every op."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from monitored._graph import dtypes
from monitored._graph.graph import Graph, get_default_graph
from monitored._graph.infer import unchanged
from monitored._graph.opdef import REQUIRED, Arg, OpDef, define, lookup
from monitored._graph.operation import Operation, Tensor
from monitored._graph.shapes import Dimension, TensorShape, as_shape

define("Const", "-> output:dtype", infer=lambda op: TensorShape(op._attrs["value"].shape), value=REQUIRED)
define("Placeholder", "-> output:dtype", infer=lambda op: op._attrs["shape"], shape=TensorShape(None))
define("Identity", "input:T -> output:T", lambda x: x, infer=unchanged, fold=lambda x: x)
define("NoOp", "->")

Conversion = Callable[[Any, dtypes.DType | None, str | None], Any]
_conversions: list[tuple[int, Any, Any]] = []


def apply(op_type: str, *args: Any, name: str | None = None, **attrs: Any) -> Any:
    """Adds an operation to the graph, converting Python values to tensors.

    Args:
        op_type: TensorFlow's name of the type.
        args: One value for each argument of the type's signature; a list where it takes several tensors.
        name: The operation's name; the type by default.
        attrs: Attributes that are not implied by the arguments.

    Returns:
        The output tensor; a list of tensors for a repeated output, a tuple when the signature has several outputs,
        and the `Operation` when it has none.

    Raises:
        TypeError: If an argument's type does not fit.
        ValueError: If the arguments' shapes do not fit.
    """
    definition = lookup(op_type)
    graph = graph_for(args)
    name = op_type if name is None else name
    scope = name if name.endswith("/") else graph.unique_name(name) + "/"
    converter = _Converter(definition, graph, scope, args, attrs)
    inputs: list[Tensor] = []
    for arg, value in zip(definition.inputs, args, strict=True):
        inputs.extend(converter.convert(arg, value))
    op = graph.create_op(op_type, inputs, name=scope, attrs=converter.all_attrs())
    return _results(definition, op)


def _results(definition: OpDef, op: Operation) -> Any:
    outputs = op._outputs
    if len(definition.outputs) == 1 and not (definition.outputs[0].number_attr or definition.outputs[0].type_list_attr):
        return outputs[0]
    if not definition.outputs:
        return op
    results: list[Any] = []
    rest = list(outputs)
    for arg in definition.outputs:
        if arg.number_attr or arg.type_list_attr:
            count = op._attrs[arg.number_attr] if arg.number_attr else len(op._attrs[arg.type_list_attr or ""])
            results.append(rest[:count])
            rest = rest[count:]
        else:
            results.append(rest.pop(0))
    return results[0] if len(results) == 1 else tuple(results)


def graph_for(args: tuple[Any, ...]) -> Graph:
    """The default graph; outside function bodies, the graph of the first tensor among the arguments."""
    graph = get_default_graph()
    if not graph.building_function:
        for value in args:
            if isinstance(value, (list, tuple)):
                value = next((v for v in value if isinstance(v, Tensor)), None)
            found = getattr(value, "graph", None)
            if isinstance(found, Graph):
                return found
    return graph


class _Converter:
    """Converts one operation's arguments, and finds its type attributes as it goes."""

    def __init__(
        self, definition: OpDef, graph: Graph, scope: str, args: tuple[Any, ...], attrs: dict[str, Any]
    ) -> None:
        self.definition = definition
        self.graph = graph
        self.scope = scope
        self.given = attrs
        self.types: dict[str, Any] = {}
        self.source: dict[str, str] = {}  # the argument that settled each type attribute, for messages
        for attr in definition.type_attrs:
            value = attrs.get(attr)
            if value is not None:
                self.types[attr] = value if isinstance(value, (list, tuple, int)) else dtypes.as_dtype(value)
        # Numbers take the type of the tensors beside them, wherever those stand.
        self.hints: dict[str | None, dtypes.DType] = {}
        for arg, value in zip(definition.inputs, args, strict=True):
            if arg.type_attr and arg.type_attr not in self.types:
                for item in value if arg.number_attr and isinstance(value, (list, tuple)) else (value,):
                    if isinstance(item, Tensor) or hasattr(item, "_as_tensor"):
                        self.hints.setdefault(arg.type_attr, item.dtype.base_dtype)

    def convert(self, arg: Arg, value: Any) -> list[Tensor]:
        """The tensors for one argument of the signature."""
        if arg.type_list_attr:
            wanted = self.types.get(arg.type_list_attr) or [None] * len(value)
            tensors = [self._tensor(arg, v, t, i) for i, (v, t) in enumerate(zip(value, wanted, strict=True))]
            self.types.setdefault(arg.type_list_attr, [t.dtype.base_dtype for t in tensors])
            return tensors
        if arg.number_attr:
            if not isinstance(value, (list, tuple)):
                raise TypeError(f"Expected list for '{arg.name}' argument to '{self.definition.type}' Op, not {value}.")
            expected = self.types.setdefault(arg.number_attr, len(value))
            if expected != len(value):
                raise ValueError(
                    f"List argument '{arg.name}' to '{self.definition.type}' Op with length {len(value)} must match "
                    f"length {expected} of the arguments before it."
                )
            return [self._tensor(arg, v, self._type_of(arg), i) for i, v in enumerate(value)]
        return [self._tensor(arg, value, self._type_of(arg))]

    def _type_of(self, arg: Arg) -> dtypes.DType | None:
        return arg.dtype or self.types.get(arg.type_attr or "") or self.hints.get(arg.type_attr)

    def _tensor(self, arg: Arg, value: Any, dtype: dtypes.DType | None, index: int | None = None) -> Tensor:
        if arg.is_ref:
            tensor = value._ref() if hasattr(value, "_ref") else value
            if not isinstance(tensor, Tensor) or not tensor.dtype._is_ref_dtype:
                raise TypeError(
                    f"Input '{arg.name}' of '{self.definition.type}' Op requires l-value input: a variable, "
                    f"not {value}."
                )
        elif type(value) is Tensor:
            tensor = value
        else:
            default = self.definition.attrs.get(arg.type_attr) if arg.type_attr else None
            label = arg.name if index is None else f"{arg.name}_{index}"
            with self.graph.as_default(), self.graph.name_scope(self.scope):
                tensor = self._converted(arg, value, dtype, default, label)
        base = tensor.dtype.base_dtype
        if dtype is not None and dtype != base:
            source = self.source.get(arg.type_attr or "")
            against = f"type {dtype.name} of argument '{source}'" if source else f"expected type of {dtype.name}"
            raise TypeError(
                f"Input '{arg.name}' of '{self.definition.type}' Op has type {base.name} that does not match {against}."
            )
        if arg.type_attr and arg.type_attr not in self.types:
            self.types[arg.type_attr] = base
            self.source[arg.type_attr] = arg.name
        return tensor

    def _converted(self, arg: Arg, value: Any, dtype: Any, default: Any, label: str) -> Tensor:
        try:
            if dtype is None and default is not None and default is not REQUIRED:
                return convert_to_tensor(value, name=label, preferred_dtype=default)
            return convert_to_tensor(value, dtype, name=label)
        except (TypeError, ValueError) as error:
            if dtype is None or isinstance(value, Tensor):
                raise
            try:
                found = convert_to_tensor(value).dtype.name
            except (TypeError, ValueError):
                raise error from None
            raise TypeError(
                f"Input '{arg.name}' of '{self.definition.type}' Op has type {found} that does not match type "
                f"{dtype.name} expected of it."
            ) from error

    def all_attrs(self) -> dict[str, Any]:
        """Every attribute of the operation: types as found, the others as given or by default."""
        attrs = dict(self.types)
        for attr, default in self.definition.attrs.items():
            if attr in attrs:
                continue
            value = self.given.get(attr, default)
            if value is None:
                value = default
            if value is REQUIRED:
                raise TypeError(f"Attribute '{attr}' of '{self.definition.type}' Op is missing.")
            attrs[attr] = float(value) if type(default) is float else value
        for attr in self.given:
            if attr not in attrs:
                raise TypeError(f"'{self.definition.type}' Op has no attribute '{attr}'.")
        for attr in self.definition.type_attrs:
            if attr not in attrs:
                raise TypeError(f"Attribute '{attr}' of '{self.definition.type}' Op is missing.")
        return attrs


# -- values to tensors --------------------------------------------------------------------------------------


def register_tensor_conversion_function(base_type: Any, conversion_func: Any, priority: int = 100) -> None:
    """Teaches `convert_to_tensor` a new type.

    Args:
        base_type: The type, or a tuple of types.
        conversion_func: ``conversion_func(value, dtype, name, as_ref)`` giving a `Tensor`, or NotImplemented.
        priority: Functions of lower priority are asked first.

    Raises:
        TypeError: If `base_type` is no type or `conversion_func` no function.
    """
    if not (
        isinstance(base_type, type) or (isinstance(base_type, tuple) and all(isinstance(t, type) for t in base_type))
    ):
        raise TypeError("base_type must be a type or a tuple of types.")
    if not callable(conversion_func):
        raise TypeError("conversion_func must be callable.")
    _conversions.append((priority, base_type, conversion_func))
    _conversions.sort(key=lambda entry: entry[0])


def convert_to_tensor(
    value: Any,
    dtype: Any = None,
    name: str | None = None,
    preferred_dtype: Any = None,
    dtype_hint: Any = None,
) -> Tensor:
    """Converts a value to a `Tensor`: tensors and variables as they are, others as constants.

    Args:
        value: A tensor, a variable, a number, a string, an array, or nested lists of these.
        dtype: The type that the result must have; by default that of the value (float32 for Python's floats,
            int32 for its ints).
        name: The name of a new constant.
        preferred_dtype: A type to try first when `dtype` is None.
        dtype_hint: The same as `preferred_dtype`.

    Returns:
        The tensor.

    Raises:
        TypeError: If the value cannot have the type.
        ValueError: If a tensor has another type than the one asked for, or the value is no tensor at all.
    """
    dtype = None if dtype is None else dtypes.as_dtype(dtype).base_dtype
    if isinstance(value, Tensor):
        if dtype is not None and value.dtype.base_dtype != dtype:
            raise ValueError(
                f"Tensor conversion requested dtype {dtype.name} for Tensor with dtype {value.dtype.base_dtype.name}: "
                f"{str(value)!r}"
            )
        graph = get_default_graph()
        return graph._captured(value) if graph.building_function and value.graph is not graph else value
    preferred = preferred_dtype if preferred_dtype is not None else dtype_hint
    if dtype is None and preferred is not None:
        try:
            return convert_to_tensor(value, preferred, name)
        except (TypeError, ValueError):
            return convert_to_tensor(value, None, name)
    for _, base_type, function in _conversions:
        if isinstance(value, base_type):
            result = function(value, dtype=dtype, name=name, as_ref=False)
            if result is not NotImplemented:
                if not isinstance(result, Tensor):
                    raise RuntimeError(f"Conversion function {function!r} for type {base_type} returned {result!r}.")
                return result
    if hasattr(value, "_as_tensor"):
        return convert_to_tensor(value._as_tensor(name), dtype)
    if isinstance(value, TensorShape):
        return constant(_shape_list(value), dtype or dtypes.int32, name=name or "shape_as_tensor")
    if isinstance(value, (list, tuple)) and _holds_tensor(value):
        return _pack(value, dtype, name)
    return constant(value, dtype, name=name or "Const")


def _shape_list(shape: TensorShape) -> list[int | None]:
    if not shape.is_fully_defined():
        raise ValueError(f"Cannot convert a partially known TensorShape to a Tensor: {shape}")
    return shape.as_list()


def _holds_tensor(values: Any) -> bool:
    return any(
        isinstance(v, Tensor) or hasattr(v, "_as_tensor") or (isinstance(v, (list, tuple)) and _holds_tensor(v))
        for v in values
    )


def _type_within(values: Any) -> dtypes.DType | None:
    """The type of the first tensor in nested lists."""
    for value in values:
        if isinstance(value, Tensor) or hasattr(value, "_as_tensor"):
            found: dtypes.DType = value.dtype.base_dtype
            return found
        if isinstance(value, (list, tuple)) and _holds_tensor(value):
            return _type_within(value)
    return None


def _pack(values: Any, dtype: dtypes.DType | None, name: str | None) -> Tensor:
    if dtype is None:  # the tensors inside tell the type of the numbers beside them
        dtype = _type_within(values)
    graph = graph_for(tuple(values))
    with graph.as_default(), graph.name_scope(name or "packed") as scope:
        parts = [convert_to_tensor(value, dtype, name=str(index)) for index, value in enumerate(values)]
        result: Tensor = apply("Pack", parts, name=scope, axis=0)
    return result


def constant(
    value: Any, dtype: Any = None, shape: Any = None, name: str = "Const", verify_shape: bool = False
) -> Tensor:
    """A tensor of a value fixed when the graph is built.

    Args:
        value: A number, a string, an array or nested lists of them.
        dtype: The elements' type; by default that of the value.
        shape: The tensor's shape; a single value fills it, and by default it is the value's.
        name: The operation's name.
        verify_shape: Whether the value's shape must be `shape`.

    Returns:
        The tensor.

    Raises:
        TypeError: If the value cannot have the type, or not the shape when `verify_shape`.
        ValueError: If the value has more elements than the shape.
    """
    dtype = None if dtype is None else dtypes.as_dtype(dtype).base_dtype
    array = make_array(value, dtype)
    if shape is not None:
        array = _shaped(array, as_shape(shape), verify_shape)
    attrs = {"dtype": dtype or dtypes.as_dtype(array.dtype), "value": array}
    graph = get_default_graph()
    return graph.create_op("Const", [], name=name, attrs=attrs)._outputs[0]


def _shaped(array: np.ndarray[Any, Any], shape: TensorShape, verify: bool) -> np.ndarray[Any, Any]:
    sizes = tuple(shape.as_list())
    if verify and array.shape != sizes:
        raise TypeError(f"Expected Tensor's shape: {sizes}, got {array.shape}.")
    count = shape.num_elements() or 0
    if count == 0:
        return np.empty(sizes, array.dtype)
    if array.size > count:
        raise ValueError(f"Too many elements provided. Needed at most {count}, but received {array.size}")
    if array.shape == sizes:
        return array
    flat = array.ravel()
    if flat.size < count:  # the last value fills the rest
        flat = np.concatenate([flat, np.repeat(flat[-1:], count - flat.size)])
    return flat.reshape(sizes)


def make_array(value: Any, dtype: dtypes.DType | None = None) -> np.ndarray[Any, Any]:
    """The array of a Python value, by TensorFlow's rules for types.

    Args:
        value: A number, string, array or nested lists of them.
        dtype: The wanted type; by default float32 for Python's floats, int32 for its ints (int64 where one does
            not fit), and what NumPy arrays have.

    Returns:
        A new array (``object`` holding bytes for strings).

    Raises:
        TypeError: If the value cannot have the type.
        ValueError: If the value is None or ragged.
    """
    if value is None:
        raise ValueError("None values not supported.")
    if isinstance(value, (np.ndarray, np.generic)) or hasattr(value, "__array__"):
        array = np.asarray(value)
        if array.dtype.kind in "SUO":
            return _strings(array, dtype)
        return np.array(array, None if dtype is None else dtype.as_numpy_dtype)
    array = np.asarray(value)
    if array.dtype.kind == "O" and array.size and any(isinstance(item, Dimension) for item in array.flat):
        array = np.asarray([_size_of(item) for item in array.ravel()]).reshape(array.shape)
    if array.dtype.kind in "SU" or (
        array.dtype.kind == "O" and (array.size == 0 or isinstance(array.flat[0], (str, bytes)))
    ):
        return _strings(np.asarray(value, object), dtype)
    if array.dtype.kind == "O":
        raise TypeError(
            f"Failed to convert object of type {type(value)} to Tensor. Contents: {value}. Consider casting "
            "elements to a supported type."
        )
    if dtype is None:
        return _python_numbers(array)
    _check_kind(value, array, dtype)
    return array.astype(dtype.as_numpy_dtype)


def _size_of(item: Any) -> Any:
    if not isinstance(item, Dimension):
        return item
    if item.value is None:
        raise TypeError(f"Failed to convert {item!r} to a Tensor: the size is not known when the graph is built.")
    return item.value


def _python_numbers(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if array.dtype == np.float64:
        return array.astype(np.float32)
    if array.dtype == np.int64:
        narrow = array.astype(np.int32)
        return narrow if np.array_equal(narrow, array) else array
    return array


def _check_kind(value: Any, array: np.ndarray[Any, Any], dtype: dtypes.DType) -> None:
    kind = array.dtype.kind
    fits = (
        array.size == 0
        or (dtype.is_bool and kind == "b")
        or ((dtype.is_integer or dtype.is_quantized) and kind in "iu")
        or (dtype.is_floating and kind in "iuf")
        or (dtype.is_complex and kind in "iufc")
    )
    if not fits:
        culprit = value
        while isinstance(culprit, (list, tuple)):
            culprit = culprit[0]
        raise TypeError(f"Expected {dtype.name}, got {culprit!r} of type '{type(culprit).__name__}' instead.")


def _strings(array: np.ndarray[Any, Any], dtype: dtypes.DType | None) -> np.ndarray[Any, Any]:
    if dtype is not None and dtype != dtypes.string:
        first = array.ravel()[0] if array.size else ""
        raise TypeError(f"Expected {dtype.name}, got {first!r} of type '{type(first).__name__}' instead.")
    result = np.empty(array.shape, object)
    for index, item in enumerate(array.ravel()):
        if not isinstance(item, (str, bytes, np.str_, np.bytes_)):
            raise TypeError(f"Expected string, got {item!r} of type '{type(item).__name__}' instead.")
        result.flat[index] = item.encode() if isinstance(item, str) else bytes(item)
    return result
