"""Changing types: casts, and the parts of complex numbers."""

from __future__ import annotations

from typing import Any, Final

import jax.numpy as jnp
import numpy as np
from jax import lax

from monitored._graph import infer
from monitored._graph.build import apply, convert_to_tensor
from monitored._graph.dtypes import (
    DType,
    as_dtype,
    bfloat16,
    complex64,
    complex128,
    float32,
    float64,
    int32,
    int64,
)  # fmt: skip
from monitored._graph.opdef import define
from monitored._graph.operation import Operation, Tensor
from monitored._graph.shapes import TensorShape
from monitored._ops import rules
from monitored._ops.lift import COMPLEX, FLOAT, NUMBER, broadcast, listed, of_types
from monitored._ops.rules import call

_PARTS: Final = (float32, float64)


def _cast(x: Any, *, DstT: DType) -> Any:
    if jnp.iscomplexobj(x) and not DstT.is_complex:
        x = lax.real(x)
    return x.astype(DstT.as_numpy_dtype)


def _cast_folded(x: Any, *, DstT: DType) -> Any:
    return (x.real if x.dtype.kind == "c" and not DstT.is_complex else x).astype(DstT.as_numpy_dtype)


def _bitcast_shape(op: Operation) -> TensorShape:
    shape, before, after = op.inputs[0].shape, op._attrs["T"].size, op._attrs["type"].size
    if shape._sizes is None or before == after:
        return shape
    if before > after:
        return shape.concatenate([before // after])
    if not shape._sizes or shape._sizes[-1] not in (None, after // before):
        raise rules.misfit(op, f"Cannot bitcast from {op._attrs['T'].name} to {op._attrs['type'].name}")
    return TensorShape(shape._sizes[:-1])


def _bitcast(x: Any, *, type: DType) -> Any:
    return lax.bitcast_convert_type(x, type.as_numpy_dtype)


define("Cast", "x:SrcT -> y:DstT", _cast, infer=infer.unchanged, fold=_cast_folded, Truncate=False)
define("Bitcast", "input:T -> output:type", _bitcast, infer=_bitcast_shape, no_grad=True)
define(
    "Complex", "real:T imag:T -> out:Tout", lambda x, y: lax.complex(*broadcast(x, y)),
    infer=of_types(_PARTS, infer.broadcast), Tout=complex64,
)  # fmt: skip
for _type, _meaning in (("Real", lax.real), ("Imag", lax.imag), ("Angle", jnp.angle)):
    define(_type, "input:T -> output:Tout", _meaning, infer=of_types(COMPLEX, infer.unchanged), Tout=float32)
define("ComplexAbs", "x:T -> y:Tout", lax.abs, infer=of_types(COMPLEX, infer.unchanged), Tout=float32)
define("Conj", "input:T -> output:T", lax.conj, infer=of_types(COMPLEX, infer.unchanged), fold=np.conj)


def cast(x: Any, dtype: Any, name: str | None = None) -> Tensor:
    """Converts each element to another type.

    Floating point numbers are cut off towards zero when they become integers; numbers other than 0 become True.

    Args:
        x: A tensor of numbers or booleans.
        dtype: The type wanted.
        name: A name for the operation (optional; `Cast` by default).

    Returns:
        A tensor of the shape of `x`; `x` itself when it has the type.

    Raises:
        TypeError: If `dtype` is no type, or `x` cannot be converted.
    """
    wanted = as_dtype(dtype).base_dtype
    if isinstance(x, Tensor) and x.dtype == wanted:
        return x
    with rules.scope(name, "Cast", x) as full:
        value = convert_to_tensor(x, name="x")
        return value if value.dtype.base_dtype == wanted else _cast_to(value, wanted, full)


def _cast_to(x: Tensor, dtype: DType, name: str) -> Tensor:
    for type in (x.dtype.base_dtype, dtype):
        if type.name in ("string", "resource", "variant"):
            raise TypeError(f"Cannot cast {x.name} of type {x.dtype.base_dtype.name} to {dtype.name}.")
    return call("Cast", x, name=name, DstT=dtype)


def saturate_cast(value: Any, dtype: Any, name: str | None = None) -> Tensor:
    """Converts each element to another type, with values beyond its range set to its least or greatest value.

    Args:
        value: A tensor of numbers.
        dtype: The type wanted.
        name: A name for the operation (optional; `saturate_cast` by default).

    Returns:
        A tensor of the shape of `value`.
    """
    wanted = as_dtype(dtype)
    with rules.scope(name, "saturate_cast", value) as full:
        value = convert_to_tensor(value, name="value")
        source = value.dtype.base_dtype
        if source.min < wanted.min:
            value = apply("Maximum", value, convert_to_tensor(wanted.min, source, name="min"))
        if source.max > wanted.max:
            value = apply("Minimum", value, convert_to_tensor(wanted.max, source, name="max"))
        return cast(value, wanted, name=full)


def to_float(x: Any, name: str = "ToFloat") -> Tensor:
    """Converts each element to float32: `cast`.

    Args:
        x: A tensor.
        name: A name for the operation.

    Returns:
        A tensor of the shape of `x`.
    """
    return cast(x, float32, name)


def to_double(x: Any, name: str = "ToDouble") -> Tensor:
    """Converts each element to float64: `cast`.

    Args:
        x: A tensor.
        name: A name for the operation.

    Returns:
        A tensor of the shape of `x`.
    """
    return cast(x, float64, name)


def to_int32(x: Any, name: str = "ToInt32") -> Tensor:
    """Converts each element to int32: `cast`.

    Args:
        x: A tensor.
        name: A name for the operation.

    Returns:
        A tensor of the shape of `x`.
    """
    return cast(x, int32, name)


def to_int64(x: Any, name: str = "ToInt64") -> Tensor:
    """Converts each element to int64: `cast`.

    Args:
        x: A tensor.
        name: A name for the operation.

    Returns:
        A tensor of the shape of `x`.
    """
    return cast(x, int64, name)


def to_bfloat16(x: Any, name: str = "ToBFloat16") -> Tensor:
    """Converts each element to bfloat16: `cast`.

    Args:
        x: A tensor.
        name: A name for the operation.

    Returns:
        A tensor of the shape of `x`.
    """
    return cast(x, bfloat16, name)


def to_complex64(x: Any, name: str = "ToComplex64") -> Tensor:
    """Converts each element to complex64: `cast`.

    Args:
        x: A tensor.
        name: A name for the operation.

    Returns:
        A tensor of the shape of `x`.
    """
    return cast(x, complex64, name)


def to_complex128(x: Any, name: str = "ToComplex128") -> Tensor:
    """Converts each element to complex128: `cast`.

    Args:
        x: A tensor.
        name: A name for the operation.

    Returns:
        A tensor of the shape of `x`.
    """
    return cast(x, complex128, name)


def bitcast(input: Any, type: Any, name: str | None = None) -> Tensor:
    """Reads the bytes of each element as another type.

    Args:
        input: A tensor of numbers.
        type: The type wanted.
        name: A name for the operation (optional; `Bitcast` by default).

    Returns:
        A tensor of `type`, of the shape of `input`; with one dimension more when `type` is smaller, and without the
        last one, which holds the parts, when it is larger.

    Raises:
        ValueError: If the last dimension does not hold the parts of one larger element.
    """
    return call("Bitcast", input, name=name, type=as_dtype(type))


def complex(real: Any, imag: Any, name: str | None = None) -> Tensor:
    """Complex numbers of real and imaginary parts.

    Args:
        real: A tensor of type float32 or float64.
        imag: A tensor of the same type. The shapes broadcast against each other as in NumPy.
        name: A name for the operation (optional; `Complex` by default).

    Returns:
        A tensor of type complex64 or complex128.

    Raises:
        TypeError: If the types differ or are others than these.
    """
    with rules.scope(name, "Complex", real, imag) as full:
        real = convert_to_tensor(real, name="real")
        imag = convert_to_tensor(imag, name="imag")
        pair = (real.dtype.base_dtype.name, imag.dtype.base_dtype.name)
        wanted = {("float32", "float32"): complex64, ("float64", "float64"): complex128}.get(pair)
        if wanted is None:
            raise TypeError(f"real and imag must both be {listed(_PARTS)}, not {pair[0]} and {pair[1]}")
        return call("Complex", real, imag, name=full, Tout=wanted)


def real(input: Any, name: str | None = None) -> Tensor:
    """The real part of each element.

    Args:
        input: A tensor of numbers.
        name: A name for the operation (optional; `Real` by default).

    Returns:
        A tensor of the shape of `input`; `input` itself when it is real.
    """
    return _part("Real", input, name)


def imag(input: Any, name: str | None = None) -> Tensor:
    """The imaginary part of each element: 0 for real numbers.

    Args:
        input: A tensor of numbers.
        name: A name for the operation (optional; `Imag` by default).

    Returns:
        A tensor of the shape of `input`, of the type of its parts.
    """
    return _part("Imag", input, name)


def angle(input: Any, name: str | None = None) -> Tensor:
    """The argument of each complex element, in radians; for real numbers 0, or pi below 0.

    Args:
        input: A tensor of numbers.
        name: A name for the operation (optional; `Angle` by default).

    Returns:
        A tensor of the shape of `input`, of the type of its parts.
    """
    return _part("Angle", input, name)


def _part(op_type: str, input: Any, name: str | None) -> Tensor:
    with rules.scope(name, op_type, input) as full:
        input = convert_to_tensor(input, name="input")
        result: Tensor
        if input.dtype.is_complex:
            result = apply(op_type, input, name=full, Tout=input.dtype.real_dtype)
        elif op_type == "Real":
            result = input
        elif op_type == "Imag":
            result = apply("ZerosLike", input)
        else:
            zero = convert_to_tensor(0, input.dtype.base_dtype)
            pi = convert_to_tensor(np.pi if input.dtype in FLOAT else 3, input.dtype.base_dtype)
            result = apply("SelectV2", apply("Less", input, zero), pi, zero)
        return result


def conj(x: Any, name: str | None = None) -> Tensor:
    """The complex conjugate of each element.

    Args:
        x: A tensor of numbers.
        name: A name for the operation (optional; `Conj` by default).

    Returns:
        A tensor of the type and shape of `x`; `x` itself when it is real.

    Raises:
        TypeError: If `x` does not hold numbers.
    """
    with rules.scope(name, "Conj", x) as full:
        value = convert_to_tensor(x, name="x")
        if value.dtype.is_complex:
            return call("Conj", value, name=full)
        if value.dtype.base_dtype not in NUMBER:
            raise TypeError(f"Expected numeric tensor, got dtype {value.dtype!r}")
        return value


__all__ = [
    "angle", "bitcast", "cast", "complex", "conj", "imag", "real", "saturate_cast", "to_bfloat16", "to_complex64",
    "to_complex128", "to_double", "to_float", "to_int32", "to_int64",
]  # fmt: skip
