"""Elementwise functions: arithmetic, powers and exponentials, trigonometry, rounding, comparison, logic, types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from monitored._graph import infer
from monitored._graph.build import apply, convert_to_tensor
from monitored._graph.dtypes import as_dtype, float32, float64, uint32, uint64
from monitored._graph.dtypes import bool_ as bool_dtype
from monitored._graph.opdef import define
from monitored._graph.operation import Operation, Tensor
from monitored._graph.shapes import TensorShape, broadcast_shape
from monitored._ops import rules
from monitored._ops.lift import (
    BOOL,
    FLOAT,
    INEXACT,
    INTEGER,
    LONG,
    NUMBER,
    REAL,
    SIGNED,
    aligned,
    binary,
    binary_function,
    broadcast,
    is_integer,
    of_types,
    unary,
)  # fmt: skip
from monitored._ops.rules import call

_SIGNED_INTEGER: Final = tuple(t for t in INTEGER if not t.is_unsigned)
_SMALL: Final = tuple(t for t in NUMBER if t not in (uint32, uint64))

# -- meanings that differ from JAX's ------------------------------------------------------------------------
# `jax.vjp` of these is TensorFlow's gradient, also where JAX's own function has another one (ties, zeros).


@jax.custom_jvp
def _abs(x: Any) -> Any:
    return lax.abs(x)


@_abs.defjvp
def _abs_jvp(primals: tuple[Any], tangents: tuple[Any]) -> tuple[Any, Any]:
    return lax.abs(primals[0]), tangents[0] * lax.sign(primals[0])


def with_slope_of_result(function: Callable[[Any], Any], slope: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A function whose slope follows from its result, which alone is kept for the gradient.

    JAX keeps what its own rules multiply with: for a sigmoid both ``y`` and ``1 - y``, which a loop would write in each
    turn and read again. For an LSTM's training step that is an eighth of the time.

    Args:
        function: The function of an array.
        slope: Result -> slope.

    Returns:
        The function with that gradient.
    """

    def forward(x: Any) -> tuple[Any, Any]:
        result = function(x)
        return result, result

    differentiable = jax.custom_vjp(function)
    differentiable.defvjp(forward, lambda result, gradient: (gradient * slope(result),))
    return differentiable


def _maximum(x: Any, y: Any) -> Any:
    """The greater; of equals the first one has the gradient. NaN wins."""
    x, y = broadcast(x, y)
    return jnp.where((x >= y) | (x != x), x, y)


def _minimum(x: Any, y: Any) -> Any:
    x, y = broadcast(x, y)
    return jnp.where((x <= y) | (x != x), x, y)


@jax.custom_jvp
def _float_power(x: Any, y: Any) -> Any:
    return lax.pow(x, y)


@_float_power.defjvp
def _float_power_jvp(primals: tuple[Any, Any], tangents: tuple[Any, Any]) -> tuple[Any, Any]:
    """The logarithm counts where it exists: at x <= 0 nothing flows back to the exponent."""
    x, y = primals
    z = lax.pow(x, y)
    exists = x != 0 if jnp.iscomplexobj(x) else x > 0
    log_x = jnp.where(exists, lax.log(jnp.where(exists, x, 1)), 0)
    slope = jnp.where(y == 0, 0, y * lax.pow(x, y - 1))
    return z, tangents[0] * slope + tangents[1] * (z * log_x)


def _power(x: Any, y: Any) -> Any:
    x, y = broadcast(x, y)
    return jnp.power(x, y) if is_integer(x) else _float_power(x, y)


def _truncate_divide(x: Any, y: Any) -> Any:
    x, y = broadcast(x, y)
    return lax.div(x, y)


def _floor_divide(x: Any, y: Any) -> Any:
    return jnp.floor_divide(x, y) if is_integer(x) else lax.floor(lax.div(*broadcast(x, y)))


def _floor_mod(x: Any, y: Any) -> Any:
    if is_integer(x):
        return jnp.mod(x, y)
    x, y = broadcast(x, y)
    rest = lax.rem(x, y)
    return jnp.where((x < 0) == (y < 0), rest, lax.rem(rest + y, y))


def _divide_no_nan(x: Any, y: Any) -> Any:
    x, y = broadcast(x, y)
    return jnp.where(y == 0, 0, x / jnp.where(y == 0, 1, y))


def _multiply_no_nan(x: Any, y: Any) -> Any:
    x, y = broadcast(x, y)
    return jnp.where((y == 0) & ~jnp.isfinite(x), 0, x) * y


def _xlogy(x: Any, y: Any) -> Any:
    x, y = broadcast(x, y)
    return jnp.where(x == 0, 0, x * lax.log(jnp.where(x == 0, 1, y)))


def _xdivy(x: Any, y: Any) -> Any:
    x, y = broadcast(x, y)
    return jnp.where(x == 0, 0, x / jnp.where(x == 0, 1, y))


def _squared_difference(x: Any, y: Any) -> Any:
    difference = lax.sub(*broadcast(x, y))
    return difference * lax.conj(difference) if jnp.iscomplexobj(difference) else lax.square(difference)


def _reciprocal(x: Any) -> Any:
    return lax.div(jnp.ones_like(x), x)


def _round(x: Any) -> Any:
    return x if is_integer(x) else lax.round(x, lax.RoundingMethod.TO_NEAREST_EVEN)


def _truncated(x: Any, y: Any) -> Any:
    """C's division of integers, for NumPy."""
    return np.trunc(np.true_divide(x, y)) if x.dtype.kind == "f" else np.sign(x) * np.sign(y) * (np.abs(x) // np.abs(y))


# -- one operand --------------------------------------------------------------------------------------------

# fmt: off
acos = unary("acos", "Acos", lax.acos, FLOAT, "The inverse cosine of each element, in radians.")
acosh = unary("acosh", "Acosh", lax.acosh, INEXACT, "The inverse hyperbolic cosine of each element.")
asin = unary("asin", "Asin", lax.asin, FLOAT, "The inverse sine of each element, in radians.")
asinh = unary("asinh", "Asinh", lax.asinh, INEXACT, "The inverse hyperbolic sine of each element.")
atan = unary("atan", "Atan", lax.atan, FLOAT, "The inverse tangent of each element, in radians.")
atanh = unary("atanh", "Atanh", lax.atanh, INEXACT, "The inverse hyperbolic tangent of each element.")
ceil = unary("ceil", "Ceil", lax.ceil, FLOAT, "The least integer not below each element.", fold=np.ceil)
cos = unary("cos", "Cos", lax.cos, INEXACT, "The cosine of each element, in radians.")
cosh = unary("cosh", "Cosh", lax.cosh, INEXACT, "The hyperbolic cosine of each element.")
digamma = unary("digamma", "Digamma", lax.digamma, FLOAT, "The derivative of `lgamma` of each element.")
erf = unary("erf", "Erf", lax.erf, FLOAT, "The Gauss error function of each element.")
erfc = unary("erfc", "Erfc", lax.erfc, FLOAT, "One minus the Gauss error function of each element.")
exp = unary("exp", "Exp", lax.exp, INEXACT, "e to the power of each element.", fold=np.exp)
expm1 = unary("expm1", "Expm1", lax.expm1, INEXACT, "e to the power of each element, minus 1, exact near 0.")
floor = unary("floor", "Floor", lax.floor, FLOAT, "The greatest integer not above each element.", fold=np.floor)
invert = unary("invert", "Invert", lax.bitwise_not, INTEGER, "Each element with all its bits flipped.", fold=np.invert)
is_finite = unary("is_finite", "IsFinite", lax.is_finite, FLOAT, "Where elements are neither infinite nor NaN.",
                  output="bool")
is_inf = unary("is_inf", "IsInf", jnp.isinf, FLOAT, "Where elements are infinite.", output="bool")
is_nan = unary("is_nan", "IsNan", jnp.isnan, FLOAT, "Where elements are NaN.", output="bool")
lgamma = unary("lgamma", "Lgamma", lax.lgamma, FLOAT,
               "The logarithm of the absolute value of the gamma function of each element.")
log = unary("log", "Log", lax.log, INEXACT, "The natural logarithm of each element.", fold=np.log)
log1p = unary("log1p", "Log1p", lax.log1p, INEXACT, "The natural logarithm of 1 plus each element, exact near 0.")
logical_not = unary("logical_not", "LogicalNot", lax.bitwise_not, BOOL, "Where elements are false.",
                    fold=np.logical_not)
negative = unary("negative", "Neg", lax.neg, SIGNED, "Each element with the other sign.", fold=np.negative)
reciprocal = unary("reciprocal", "Reciprocal", _reciprocal, SIGNED, "1 divided by each element.")
rint = unary("rint", "Rint", _round, FLOAT, "The integer nearest to each element; the even one of two equally near.",
             fold=np.rint)
rsqrt = unary("rsqrt", "Rsqrt", lax.rsqrt, INEXACT, "1 divided by the square root of each element.")
sign = unary("sign", "Sign", lax.sign, SIGNED, "-1, 0 or 1 for negative, zero and positive elements.", fold=np.sign)
sin = unary("sin", "Sin", lax.sin, INEXACT, "The sine of each element, in radians.")
sinh = unary("sinh", "Sinh", lax.sinh, INEXACT, "The hyperbolic sine of each element.")
sqrt = unary("sqrt", "Sqrt", lax.sqrt, INEXACT, "The square root of each element.", fold=np.sqrt)
square = unary("square", "Square", lax.square, SIGNED, "Each element times itself.", fold=np.square)
tan = unary("tan", "Tan", lax.tan, INEXACT, "The tangent of each element, in radians.")
tanh = unary("tanh", "Tanh", with_slope_of_result(lax.tanh, lambda y: 1 - y * y), INEXACT,
             "The hyperbolic tangent of each element.")  # fmt: skip
unary("", "Inv", _reciprocal, SIGNED, "")
unary("", "Abs", _abs, FLOAT + _SIGNED_INTEGER, "", fold=np.abs)
unary("", "Round", _round, FLOAT + LONG, "", fold=np.round)

# -- two operands -------------------------------------------------------------------------------------------

add = binary("add", "Add", aligned(lax.add), _SMALL, "x + y for each element.", fold=np.add)
binary("", "AddV2", aligned(lax.add), NUMBER, "", fold=np.add)
subtract = binary("subtract", "Sub", aligned(lax.sub), NUMBER, "x - y for each element.", fold=np.subtract)
multiply = binary("multiply", "Mul", aligned(lax.mul), NUMBER, "x * y for each element.", fold=np.multiply)
realdiv = binary("realdiv", "RealDiv", aligned(lax.div), INEXACT, "x / y for each element.", fold=np.true_divide)
binary("", "Div", _truncate_divide, NUMBER, "", fold=_truncated)
truncatediv = binary("truncatediv", "TruncateDiv", _truncate_divide, NUMBER,
                     "x / y for each element, integers rounded towards zero.", fold=_truncated)
truncatemod = binary("truncatemod", "TruncateMod", aligned(lax.rem), FLOAT + LONG,
                     "The rest of x / y rounded towards zero, for each element: it has the sign of x.", fold=np.fmod)
binary("", "Mod", aligned(lax.rem), FLOAT + LONG, "", fold=np.fmod)
floordiv = binary("floordiv", "FloorDiv", _floor_divide, REAL, "x / y for each element, rounded down.",
                  fold=np.floor_divide, default_name="floordiv")
floor_div = binary_function("floor_div", "FloorDiv", REAL, "x / y for each element, rounded down.")
floormod = binary("floormod", "FloorMod", _floor_mod, FLOAT + INTEGER,
                  "The rest of x / y rounded down, for each element: it has the sign of y.", fold=np.mod)
mod = binary_function("mod", "FloorMod", FLOAT + INTEGER,
                      "The rest of x / y rounded down, for each element: it has the sign of y.")
pow = binary("pow", "Pow", _power, SIGNED, "x to the power of y for each element.", fold=np.power)
maximum = binary("maximum", "Maximum", _maximum, REAL,
                 "The greater of x and y for each element; the gradient of equals goes to x.", fold=np.maximum)
minimum = binary("minimum", "Minimum", _minimum, REAL,
                 "The lesser of x and y for each element; the gradient of equals goes to x.", fold=np.minimum)
squared_difference = binary("squared_difference", "SquaredDifference", _squared_difference, SIGNED,
                            "(x - y) squared, for each element.")
binary("", "DivNoNan", _divide_no_nan, INEXACT, "")
multiply_no_nan = binary("multiply_no_nan", "MulNoNan", _multiply_no_nan, INEXACT,
                         "x * y for each element; 0 where y is 0, even if x is infinite or NaN.",
                         default_name="multiply_no_nan")
xdivy = binary("xdivy", "Xdivy", _xdivy, INEXACT, "x / y for each element; 0 where x is 0.")
xlogy = binary("xlogy", "Xlogy", _xlogy, INEXACT, "x * log(y) for each element; 0 where x is 0.")

less = binary("less", "Less", aligned(lax.lt), REAL, "Where x < y.", output="bool", fold=np.less)
less_equal = binary("less_equal", "LessEqual", aligned(lax.le), REAL, "Where x <= y.", output="bool",
                    fold=np.less_equal)
greater = binary("greater", "Greater", aligned(lax.gt), REAL, "Where x > y.", output="bool", fold=np.greater)
greater_equal = binary("greater_equal", "GreaterEqual", aligned(lax.ge), REAL, "Where x >= y.", output="bool",
                       fold=np.greater_equal)
logical_and = binary("logical_and", "LogicalAnd", aligned(lax.bitwise_and), BOOL, "Where both x and y are true.",
                     fold=np.logical_and)
logical_or = binary("logical_or", "LogicalOr", aligned(lax.bitwise_or), BOOL, "Where x or y is true.",
                    fold=np.logical_or)
bitwise_and = binary("bitwise_and", "BitwiseAnd", aligned(lax.bitwise_and), INTEGER,
                     "The bits that are set in both x and y.", fold=np.bitwise_and)
bitwise_or = binary("bitwise_or", "BitwiseOr", aligned(lax.bitwise_or), INTEGER,
                    "The bits that are set in x or y.", fold=np.bitwise_or)
bitwise_xor = binary("bitwise_xor", "BitwiseXor", aligned(lax.bitwise_xor), INTEGER,
                     "The bits that differ between x and y.", fold=np.bitwise_xor)
left_shift = binary("left_shift", "LeftShift", aligned(lax.shift_left), INTEGER, "x with its bits moved up by y.")
right_shift = binary("right_shift", "RightShift", jnp.right_shift, INTEGER, "x with its bits moved down by y.")
# fmt: on


def _equality(op: Operation) -> TensorShape:
    if op._attrs["incompatible_shape_error"]:
        return infer.broadcast(op)
    try:
        return broadcast_shape(op.inputs[0].shape, op.inputs[1].shape)
    except ValueError:
        return TensorShape([])


for _type, _meaning, _folded in (("Equal", lax.eq, np.equal), ("NotEqual", lax.ne, np.not_equal)):
    define(
        _type, "x:T y:T -> z:bool", aligned(_meaning), infer=_equality, fold=_folded, incompatible_shape_error=True
    )  # fmt: skip
_ANY: Final = (*NUMBER, bool_dtype, as_dtype("string"))
equal = binary_function("equal", "Equal", _ANY, "Where x and y are the same.", output="bool")
not_equal = binary_function("not_equal", "NotEqual", _ANY, "Where x and y differ.", output="bool")

define("Atan2", "y:T x:T -> z:T", aligned(lax.atan2), infer=of_types(FLOAT, infer.broadcast))


def atan2(y: Any, x: Any, name: str | None = None) -> Tensor:
    """The angle of the point (x, y) for each element, in radians between -pi and pi.

    Args:
        y: A tensor of a floating point type.
        x: A tensor of the same type. The shapes broadcast against each other as in NumPy.
        name: A name for the operation (optional; `Atan2` by default).

    Returns:
        A tensor of the broadcast shape, of the operands' type.
    """
    return call("Atan2", y, x, name=name)


def abs(x: Any, name: str | None = None) -> Tensor:
    """The absolute value of each element; of complex numbers, their magnitude.

    Args:
        x: A tensor of numbers.
        name: A name for the operation (optional; `Abs` by default).

    Returns:
        A tensor of the shape of `x`, of its type or, for complex numbers, the type of their parts.

    Raises:
        TypeError: If `x` does not hold numbers.
    """
    x = convert_to_tensor(x, name="x")
    result: Tensor
    if x.dtype.is_complex:
        result = apply("ComplexAbs", x, name=name or "Abs", Tout=x.dtype.real_dtype)
    else:
        result = apply("Abs", x, name=name)
    return result


def round(x: Any, name: str | None = None) -> Tensor:
    """The integer nearest to each element; of two equally near, the even one.

    Args:
        x: A tensor of numbers.
        name: A name for the operation (optional; `Round` by default).

    Returns:
        A tensor of the type and shape of `x`; `x` itself when it holds integers.
    """
    value = convert_to_tensor(x, name="x")
    return value if value.dtype.is_integer else call("Round", value, name=name)


def divide(x: Any, y: Any, name: str | None = None) -> Tensor:
    """The quotient x / y for each element, as Python's operator.

    Args:
        x: A tensor of numbers.
        y: A tensor of the same type. The shapes broadcast against each other as in NumPy.
        name: A name for the operation (optional; `truediv` by default).

    Returns:
        A tensor of the broadcast shape: floating point for integers too.

    Raises:
        TypeError: If the types differ.
        ValueError: If the shapes cannot be broadcast together.
    """
    if name is None:
        quotient: Tensor = x / y
        return quotient
    return operator_divide(x, y, name)


def div(x: Any, y: Any, name: str | None = None) -> Tensor:
    """The quotient x / y for each element, with integers rounded down (Python 2's meaning).

    Args:
        x: A tensor of numbers.
        y: A tensor of the same type. The shapes broadcast against each other as in NumPy.
        name: A name for the operation (optional; `div` by default).

    Returns:
        A tensor of the broadcast shape, of the operands' type.

    Raises:
        ValueError: If the types differ or the shapes cannot be broadcast together.
    """
    with rules.scope(name, "div", x, y) as full:
        x = convert_to_tensor(x, name="x")
        y = convert_to_tensor(y, x.dtype.base_dtype, name="y")
        return call("RealDiv" if x.dtype in INEXACT else "FloorDiv", x, y, name=full)


def div_no_nan(x: Any, y: Any, name: str | None = None) -> Tensor:
    """The quotient x / y for each element; 0 where y is 0.

    Args:
        x: A tensor of a floating point or complex type.
        y: A tensor of the same type. The shapes broadcast against each other as in NumPy.
        name: A name for the operation (optional; `div_no_nan` by default).

    Returns:
        A tensor of the broadcast shape, of the operands' type.

    Raises:
        ValueError: If the types differ or the shapes cannot be broadcast together.
    """
    with rules.scope(name, "div_no_nan", x, y) as full:
        x = convert_to_tensor(x, name="x")
        y = convert_to_tensor(y, x.dtype.base_dtype, name="y")
        return call("DivNoNan", x, y, name=full)


divide_no_nan = div_no_nan


def truediv(x: Any, y: Any, name: str | None = None) -> Tensor:
    """The quotient x / y for each element, in floating point: of integers in float32 (up to 16 bits) or float64.

    Args:
        x: A tensor of numbers.
        y: A tensor of the same type. The shapes broadcast against each other as in NumPy.
        name: A name for the operation (optional; `truediv` by default).

    Returns:
        A tensor of the broadcast shape.

    Raises:
        TypeError: If the types differ, or are no numbers.
        ValueError: If the shapes cannot be broadcast together.
    """
    return _quotient(x, y, name, None)


_QUOTIENTS: Final = {
    "uint8": float32, "int8": float32, "uint16": float32, "int16": float32, "int32": float64, "int64": float64,
}  # fmt: skip


def operator_divide(x: Any, y: Any, name: str | None = None) -> Tensor:
    """The quotient x / y for each element, where an operand that is no tensor takes the other's type.

    Args:
        x: A tensor or a value that becomes one.
        y: A tensor or a value that becomes one.
        name: A name for the operation (optional; `truediv` by default).

    Returns:
        A tensor of the broadcast shape.
    """
    return _quotient(x, y, name, x if hasattr(x, "dtype") and hasattr(x, "graph") else y)


def _quotient(x: Any, y: Any, name: str | None, like: Any) -> Tensor:
    with rules.scope(name, "truediv", x, y) as full:
        hint = None if like is None else like.dtype.base_dtype
        x = convert_to_tensor(x, name="x", preferred_dtype=hint)
        y = convert_to_tensor(y, name="y", preferred_dtype=hint)
        one, other = x.dtype.base_dtype, y.dtype.base_dtype
        if one != other:
            raise TypeError(f"x and y must have the same dtype, got {one!r} != {other!r}")
        wide = _QUOTIENTS.get(one.name)
        if wide is not None:
            x, y = (apply("Cast", t, name="Cast", DstT=wide) for t in (x, y))
        return call("RealDiv", x, y, name=full)


def reciprocal_no_nan(x: Any, name: str | None = None) -> Tensor:
    """1 divided by each element; 0 where it is 0.

    Args:
        x: A tensor of a floating point or complex type.
        name: A name for the operation (optional; `reciprocal_no_nan` by default).

    Returns:
        A tensor of the type and shape of `x`.
    """
    with rules.scope(name, "reciprocal_no_nan", x) as full:
        x = convert_to_tensor(x, name="x")
        one = convert_to_tensor(1.0, x.dtype.base_dtype, name="one")
        return call("DivNoNan", one, x, name=full)


def scalar_mul(scalar: Any, x: Any, name: str | None = None) -> Tensor:
    """A scalar times each element.

    Args:
        scalar: A number or a scalar tensor of the type of `x`.
        x: A tensor.
        name: A name for the operation (optional; `Mul` by default).

    Returns:
        A tensor of the type and shape of `x`.

    Raises:
        ValueError: If `scalar` is not a scalar.
    """
    x = convert_to_tensor(x, name="x")
    scalar = convert_to_tensor(scalar, x.dtype.base_dtype, name="scalar")
    if scalar.shape.ndims not in (None, 0):
        raise ValueError(f"Only scalar multiply works, got shape {scalar.shape}")
    return call("Mul", scalar, x, name=name)


def logical_xor(x: Any, y: Any, name: str | None = "LogicalXor") -> Tensor:
    """Where one of x and y is true, and not both.

    Args:
        x: A tensor of type bool.
        y: A tensor of type bool. The shapes broadcast against each other as in NumPy.
        name: A name for the operation.

    Returns:
        A tensor of type bool and the broadcast shape.
    """
    either, both = apply("LogicalOr", x, y), apply("LogicalAnd", x, y)
    return call("LogicalAnd", either, apply("LogicalNot", both), name=name)


def _sum_of(*values: Any) -> Any:
    total = values[0]
    for value in values[1:]:
        total = total + value
    return total


def _common(op: Operation) -> TensorShape:
    return rules.merged(op, [t._shape for t in op._inputs])


define("AddN", "inputs:N*T -> sum:T", _sum_of, infer=of_types(NUMBER, _common), fold=_sum_of)
define(
    "AccumulateNV2", "inputs:N*T -> sum:T", _sum_of, infer=lambda op: _common(op).merge_with(op._attrs["shape"]),
    shape=TensorShape(None),
)  # fmt: skip


def add_n(inputs: Any, name: str | None = None) -> Tensor:
    """The sum of tensors.

    Args:
        inputs: A list of tensors of the same type and shape.
        name: A name for the operation (optional; `AddN` by default).

    Returns:
        A tensor of their type and shape.

    Raises:
        ValueError: If there is none, or their types or shapes differ.
    """
    tensors = _tensors(inputs)
    result: Tensor
    if len(tensors) == 1:
        result = tensors[0] if name is None else apply("Identity", tensors[0], name=name)
    else:
        result = apply("AddN", tensors, name=name)
    return result


def accumulate_n(inputs: Any, shape: Any = None, tensor_dtype: Any = None, name: str | None = None) -> Tensor:
    """The sum of tensors, as `add_n`.

    Args:
        inputs: A list of tensors of the same type and shape.
        shape: What is known of their shape besides (optional).
        tensor_dtype: Their type, to be checked (optional).
        name: A name for the operation (optional; `AccumulateNV2` by default).

    Returns:
        A tensor of their type and shape.

    Raises:
        ValueError: If there is none, or their types or shapes differ.
        TypeError: If their type is not `tensor_dtype`.
    """
    tensors = _tensors(inputs)
    if tensor_dtype is not None and as_dtype(tensor_dtype) != tensors[0].dtype.base_dtype:
        raise TypeError(f"tensor_dtype is {as_dtype(tensor_dtype)}, but input is of type {tensors[0].dtype}")
    known = TensorShape(shape)
    for tensor in tensors:
        known = known.merge_with(tensor.shape)
    if len(tensors) == 1:
        return tensors[0] if name is None else apply("Identity", tensors[0], name=name)
    return call("AccumulateNV2", tensors, name=name, shape=known)


def _tensors(inputs: Any) -> list[Tensor]:
    if not isinstance(inputs, (list, tuple)) or not inputs:
        raise ValueError("inputs must be a list of at least one Tensor/IndexedSlices with the same dtype and shape")
    tensors = [convert_to_tensor(value, name=f"inputs_{i}") for i, value in enumerate(inputs)]
    if any(t.dtype.base_dtype != tensors[0].dtype.base_dtype for t in tensors):
        raise ValueError(f"inputs must be of the same dtype, not {', '.join(t.dtype.name for t in tensors)}")
    return tensors


__all__ = [
    "abs", "accumulate_n", "acos", "acosh", "add", "add_n", "asin", "asinh", "atan", "atan2", "atanh", "bitwise_and",
    "bitwise_or", "bitwise_xor", "ceil", "cos", "cosh", "digamma", "div", "div_no_nan", "divide", "divide_no_nan",
    "equal", "erf", "erfc", "exp", "expm1", "floor", "floor_div", "floordiv", "floormod", "greater", "greater_equal",
    "invert", "is_finite", "is_inf", "is_nan", "left_shift", "less", "less_equal", "lgamma", "log", "log1p",
    "logical_and", "logical_not", "logical_or", "logical_xor", "maximum", "minimum", "mod", "multiply",
    "multiply_no_nan", "negative", "not_equal", "pow", "realdiv", "reciprocal", "reciprocal_no_nan", "right_shift",
    "rint", "round", "rsqrt", "scalar_mul", "sign", "sin", "sinh", "sqrt", "square", "squared_difference", "subtract",
    "tan", "tanh", "truediv", "truncatediv", "truncatemod", "xdivy", "xlogy",
]  # fmt: skip
