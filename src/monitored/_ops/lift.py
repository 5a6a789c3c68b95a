"""Tables of elementwise ops: one row makes an op's definition and its public function.

A row names the public function, TensorFlow's type, the JAX function that is its meaning, the types that TensorFlow
allows, and what it computes; the rest of the docstring is the same for all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol, TypeVar

import jax.numpy as jnp
import numpy as np
from jax import lax

from monitored._graph import infer
from monitored._graph.dtypes import (
    DType,
    bfloat16,
    bool_,
    complex64,
    complex128,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
    uint64,
)  # fmt: skip
from monitored._graph.opdef import define
from monitored._graph.operation import Operation, Tensor
from monitored._graph.shapes import TensorShape
from monitored._ops.rules import call

F = TypeVar("F", bound=Callable[..., Any])
Types = tuple[DType, ...]
Infer = Callable[[Operation], TensorShape]

FLOAT: Final[Types] = (bfloat16, float16, float32, float64)
COMPLEX: Final[Types] = (complex64, complex128)
LONG: Final[Types] = (int32, int64)
INTEGER: Final[Types] = (int8, int16, int32, int64, uint8, uint16, uint32, uint64)
REAL: Final[Types] = FLOAT + INTEGER
INEXACT: Final[Types] = FLOAT + COMPLEX
NUMBER: Final[Types] = REAL + COMPLEX
SIGNED: Final[Types] = FLOAT + LONG + COMPLEX
BOOL: Final[Types] = (bool_,)


class Unary(Protocol):
    """A public function of one tensor."""

    def __call__(self, x: Any, name: str | None = None) -> Tensor:
        """Adds the operation to the graph."""


class Binary(Protocol):
    """A public function of two tensors."""

    def __call__(self, x: Any, y: Any, name: str | None = None) -> Tensor:
        """Adds the operation to the graph."""


def unary(
    public: str, op_type: str, lower: Callable[..., Any], types: Types, computes: str, *, output: str = "T",
    fold: Callable[..., Any] | None = None,
) -> Unary:  # fmt: skip
    """Defines an elementwise op of one operand, and makes its public function.

    Args:
        public: The name of the public function.
        op_type: TensorFlow's type.
        lower: The meaning, on one array.
        types: The types that the operand may have.
        computes: What the function computes, as the first line of its docstring.
        output: The type of the result in the signature.
        fold: The meaning on NumPy arrays, for ops that occur in shape arithmetic.

    Returns:
        The public function.
    """
    kind = "bool" if types == BOOL else "T"
    output = kind if output == "T" else output
    rule = infer.unchanged if types == BOOL else of_types(types, infer.unchanged)
    define(op_type, f"x:{kind} -> y:{output}", lower, infer=rule, fold=fold)

    def function(x: Any, name: str | None = None) -> Tensor:
        return call(op_type, x, name=name)

    function.__doc__ = f"""{computes}

    Args:
        x: A tensor of {listed(types)}.
        name: A name for the operation (optional; `{op_type}` by default).

    Returns:
        A tensor of the shape of `x`, of {"its type" if output == "T" else f"type {output}"}.

    Raises:
        TypeError: If `x` has another type.
    """
    return named(function, public)


def binary(
    public: str, op_type: str, lower: Callable[..., Any], types: Types, computes: str, *, output: str = "T",
    fold: Callable[..., Any] | None = None, default_name: str | None = None,
) -> Binary:  # fmt: skip
    """Defines an elementwise op of two operands that broadcast, and makes its public function.

    Args:
        public: The name of the public function.
        op_type: TensorFlow's type.
        lower: The meaning, on two arrays.
        types: The types that the operands may have.
        computes: What the function computes, as the first line of its docstring.
        output: The type of the result in the signature.
        fold: The meaning on NumPy arrays, for ops that occur in shape arithmetic.
        default_name: The operation's name when none is given; the type by default.

    Returns:
        The public function.
    """
    kind = "bool" if types == BOOL else "T"
    output = kind if output == "T" else output
    rule = infer.broadcast if types == BOOL else of_types(types, infer.broadcast)
    define(op_type, f"x:{kind} y:{kind} -> z:{output}", lower, infer=rule, fold=fold)
    return binary_function(public, op_type, types, computes, output=output, default_name=default_name)


def binary_function(
    public: str, op_type: str, types: Types, computes: str, *, output: str = "T", default_name: str | None = None
) -> Binary:
    """The public function of an elementwise op of two operands; see `binary`."""
    default = default_name or op_type

    def function(x: Any, y: Any, name: str | None = None) -> Tensor:
        return call(op_type, x, y, name=name or default)

    function.__doc__ = f"""{computes}

    Args:
        x: A tensor of {listed(types)}.
        y: A tensor of the same type. The shapes broadcast against each other as in NumPy.
        name: A name for the operation (optional; `{default}` by default).

    Returns:
        A tensor of the broadcast shape, of {"the operands' type" if output == "T" else f"type {output}"}.

    Raises:
        TypeError: If the types differ, or are others than these.
        ValueError: If the shapes cannot be broadcast together.
    """
    return named(function, public)


def named(function: F, public: str) -> F:
    """Gives a function made by a table its public name."""
    function.__name__ = function.__qualname__ = public
    function.__module__ = "monitored"  # where users find it
    return function


def listed(types: Iterable[DType]) -> str:
    """Types as text: ``type float32 or float64``."""
    names = [t.name for t in types]
    return f"type {names[0]}" if len(names) == 1 else f"type {', '.join(names[:-1])} or {names[-1]}"


def of_types(types: Types, rule: Infer, attr: str = "T") -> Infer:
    """A rule for shapes that first checks the type, as TensorFlow does when the graph is built.

    Args:
        types: The types allowed.
        rule: Gives the shape.
        attr: The attribute that holds the type.

    Returns:
        The combined rule; it raises TypeError for a type that is not allowed.
    """
    allowed = frozenset(types)

    def checked(op: Operation) -> TensorShape:
        dtype = op._attrs[attr]
        if dtype not in allowed:
            parameter = next(a.name for a in op.op_def.inputs if a.type_attr == attr)
            raise TypeError(
                f"Value passed to parameter '{parameter}' of '{op.name}' (op: '{op.type}') has DataType {dtype.name} "
                f"not in list of allowed values: {', '.join(t.name for t in types)}. Created at {op.creation_site}."
            )
        return rule(op)

    return checked


def aligned(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """A `jax.lax` function of two arrays, with NumPy's broadcasting.

    Tracing it costs a third of what the function of `jax.numpy` costs.
    """

    def lower(x: Any, y: Any) -> Any:
        return function(*broadcast(x, y))

    return lower


def broadcast(*arrays: Any) -> Any:
    """The arrays, brought to a common shape (NumPy's broadcasting)."""
    shape = arrays[0].shape
    if all(a.shape == shape for a in arrays):
        return arrays
    shape = np.broadcast_shapes(*(a.shape for a in arrays))
    return tuple(
        a if a.shape == shape else lax.broadcast_in_dim(a, shape, tuple(range(len(shape) - a.ndim, len(shape))))
        for a in arrays
    )


def is_integer(x: Any) -> bool:
    """Whether an array holds integers or booleans."""
    return not jnp.issubdtype(x.dtype, jnp.inexact)
