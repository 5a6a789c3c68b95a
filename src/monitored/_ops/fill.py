"""Tensors of one value: zeros, ones, and filled from a value."""

from __future__ import annotations

from typing import Any

import numpy as np

from monitored._graph.build import apply, constant, convert_to_tensor
from monitored._graph.dtypes import as_dtype, bool_, float32, int32, string
from monitored._graph.operation import Tensor
from monitored._graph.shapes import Dimension, TensorShape
from monitored._ops import rules
from monitored._ops.array import shape as shape_of
from monitored._ops.rules import call

_INLINE = 1000  # elements: constants up to this size are part of the graph


def fill(dims: Any, value: Any, name: str | None = None) -> Tensor:
    """A tensor of a shape, filled with a value.

    Args:
        dims: The sizes: a vector of int32 or int64.
        value: A scalar.
        name: A name for the operation (optional; `Fill` by default).

    Returns:
        A tensor of the type of `value`.

    Raises:
        ValueError: If a size is negative.
    """
    return call("Fill", dims, value, name=name)


def zeros(shape: Any, dtype: Any = float32, name: str | None = None) -> Tensor:
    """A tensor of zeros.

    Args:
        shape: Its sizes: a list, a `TensorShape` or a vector of int32.
        dtype: Its type; False is the zero of bool, an empty string that of strings.
        name: A name for the operation (optional; `zeros` by default).

    Returns:
        The tensor.
    """
    return _filled(shape, dtype, name, "zeros", 0)


def ones(shape: Any, dtype: Any = float32, name: str | None = None) -> Tensor:
    """A tensor of ones.

    Args:
        shape: Its sizes: a list, a `TensorShape` or a vector of int32.
        dtype: Its type; True is the one of bool.
        name: A name for the operation (optional; `ones` by default).

    Returns:
        The tensor.
    """
    return _filled(shape, dtype, name, "ones", 1)


def _filled(shape: Any, dtype: Any, name: str | None, default: str, value: int) -> Tensor:
    wanted = as_dtype(dtype).base_dtype
    one: Any = b"" if wanted == string else bool(value) if wanted == bool_ else value
    with rules.scope(name, default, shape) as full:
        if not isinstance(shape, Tensor):
            sizes = _known_sizes(shape)
            if sizes is not None and np.prod(sizes, dtype=np.int64) < _INLINE:
                return constant(one, wanted, shape=sizes, name=full)
            shape = convert_to_tensor(TensorShape(sizes) if sizes else shape, int32)
        if shape.shape.ndims == 0:
            shape = apply("Reshape", shape, [-1])
        return call("Fill", shape, constant(one, wanted), name=full)


def _known_sizes(shape: Any) -> list[int] | None:
    if isinstance(shape, (list, tuple)) and not all(isinstance(s, (int, np.integer, Dimension)) for s in shape):
        return None  # there are tensors among the sizes
    known = TensorShape(shape)
    return [int(s) for s in known.as_list()] if known.is_fully_defined() else None  # type: ignore[arg-type]


def zeros_like(tensor: Any, dtype: Any = None, name: str | None = None, optimize: bool = True) -> Tensor:
    """Zeros in the shape of a tensor.

    Args:
        tensor: A tensor.
        dtype: The type of the result; that of `tensor` by default.
        name: A name for the operation (optional; `zeros_like` by default).
        optimize: Whether the result may be a constant where the shape is known.

    Returns:
        A tensor of the shape of `tensor`.
    """
    with rules.scope(name, "zeros_like", tensor) as full:
        tensor = convert_to_tensor(tensor, name="tensor")
        wanted = tensor.dtype.base_dtype if dtype is None else as_dtype(dtype)
        if optimize and tensor.shape.is_fully_defined():
            return zeros(tensor.shape, wanted, name=full)
        if wanted != tensor.dtype.base_dtype:
            return zeros(shape_of(tensor), wanted, name=full)
        return call("ZerosLike", tensor, name=full)


def ones_like(tensor: Any, dtype: Any = None, name: str | None = None, optimize: bool = True) -> Tensor:
    """Ones in the shape of a tensor.

    Args:
        tensor: A tensor.
        dtype: The type of the result; that of `tensor` by default.
        name: A name for the operation (optional; `ones_like` by default).
        optimize: Whether the shape may be a constant where it is known.

    Returns:
        A tensor of the shape of `tensor`.
    """
    with rules.scope(name, "ones_like", tensor) as full:
        tensor = convert_to_tensor(tensor, name="tensor")
        wanted = tensor.dtype.base_dtype if dtype is None else as_dtype(dtype)
        sizes = shape_of(tensor) if optimize else apply("Shape", tensor)
        result: Tensor = ones(sizes, wanted, name=full)
        if not optimize:
            result.set_shape(tensor.shape)
        return result


__all__ = ["fill", "ones", "ones_like", "zeros", "zeros_like"]
