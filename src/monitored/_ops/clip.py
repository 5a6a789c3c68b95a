"""Clipping by value and by norm."""

from __future__ import annotations

from typing import Any

import numpy as np

from monitored._graph.build import apply, constant, convert_to_tensor
from monitored._graph.indexed_slices import IndexedSlices
from monitored._graph.operation import Tensor
from monitored._ops import rules
from monitored._ops.array import rank, size
from monitored._ops.casts import cast
from monitored._ops.fill import ones_like
from monitored._ops.joining import stack
from monitored._ops.math import operator_divide
from monitored._ops.reductions import reduce_sum
from monitored._ops.rules import call
from monitored._ops.sequences import range


def clip_by_value(t: Any, clip_value_min: Any, clip_value_max: Any, name: str | None = None) -> Tensor:
    """Each element, or the nearest bound where it lies outside.

    Args:
        t: A tensor of numbers.
        clip_value_min: The lower bound: a number or a tensor that broadcasts to the shape of `t`.
        clip_value_max: The upper bound.
        name: A name for the operation (optional; `clip_by_value` by default).

    Returns:
        A tensor of the type and shape of `t`.

    Raises:
        ValueError: If the bounds do not broadcast to the shape of `t`.
    """
    if isinstance(t, IndexedSlices):
        of_slices: Tensor = _with_values(t, clip_by_value(t.values, clip_value_min, clip_value_max, name))
        return of_slices
    with rules.scope(name, "clip_by_value", t, clip_value_min, clip_value_max) as full:
        t = convert_to_tensor(t, name="t")
        below = apply("Minimum", t, clip_value_max)
        t.shape.merge_with(below.shape)
        result: Tensor = apply("Maximum", below, clip_value_min, name=full)
        t.shape.merge_with(result.shape)
        return result


def clip_by_norm(t: Any, clip_norm: Any, axes: Any = None, name: str | None = None) -> Tensor:
    """Scales a tensor down so that its Euclidean norm is at most a bound.

    Args:
        t: A tensor of a floating point type.
        clip_norm: The bound: a positive number or scalar tensor.
        axes: The axes over which the norm is taken; all by default.
        name: A name for the operation (optional; `clip_by_norm` by default).

    Returns:
        A tensor of the type and shape of `t`.
    """
    if isinstance(t, IndexedSlices):
        of_slices: Tensor = _with_values(t, clip_by_norm(t.values, clip_norm, axes, name))
        return of_slices
    with rules.scope(name, "clip_by_norm", t, clip_norm) as full:
        values = convert_to_tensor(t, name="t")
        squares = reduce_sum(values * values, axes, keepdims=True)
        positive = squares > 0
        # The square root has no gradient at 0, where nothing must be scaled.
        safe = apply("Select", positive, squares, ones_like(squares))
        norm = apply("Select", positive, apply("Sqrt", safe), squares)
        intermediate = values * clip_norm
        values.shape.merge_with(intermediate.shape)
        return call("Identity", intermediate / apply("Maximum", norm, clip_norm), name=full)


def clip_by_average_norm(t: Any, clip_norm: Any, name: str | None = None) -> Tensor:
    """Scales a tensor down so that its Euclidean norm divided by its number of elements is at most a bound.

    Args:
        t: A tensor of a floating point type.
        clip_norm: The bound: a positive number or scalar tensor.
        name: A name for the operation (optional; `clip_by_average_norm` by default).

    Returns:
        A tensor of the type and shape of `t`.
    """
    with rules.scope(name, "clip_by_average_norm", t, clip_norm) as full:
        t = convert_to_tensor(t, name="t")
        count = cast(size(t), t.dtype.base_dtype)
        inverse = apply("Rsqrt", reduce_sum(t * t, range(rank(t))))
        scaled = t * clip_norm
        bound = apply("Minimum", inverse * count, constant(1.0, t.dtype.base_dtype) / clip_norm)
        return call("Identity", scaled * bound, name=full)


def global_norm(t_list: Any, name: str | None = None) -> Tensor:
    """The Euclidean norm of all elements of several tensors together.

    Args:
        t_list: Tensors of a floating point type; None among them is left out.
        name: A name for the operation (optional; `global_norm` by default).

    Returns:
        A scalar tensor of their type.

    Raises:
        TypeError: If `t_list` is not a sequence.
    """
    values = _values_of(t_list)
    with rules.scope(name, "global_norm", *values):
        halves = [apply("L2Loss", v) for v in values if v is not None]
        total = reduce_sum(stack(halves))
        return call("Sqrt", total * constant(2.0, total.dtype.base_dtype), name="global_norm")


def clip_by_global_norm(
    t_list: Any, clip_norm: Any, use_norm: Any = None, name: str | None = None
) -> tuple[list[Any], Tensor]:
    """Scales several tensors by one factor, so that their norm together is at most a bound.

    A norm that is infinite or NaN makes every result NaN.

    Args:
        t_list: Tensors of a floating point type; None stays None.
        clip_norm: The bound: a positive number or scalar tensor.
        use_norm: The norm, when it is known already; `global_norm` of the tensors by default.
        name: A name for the operation (optional; `clip_by_global_norm` by default).

    Returns:
        The list of the scaled tensors, and the norm before scaling.

    Raises:
        TypeError: If `t_list` is not a sequence.
    """
    values = _values_of(t_list)
    norm = global_norm(t_list, name) if use_norm is None else use_norm
    with rules.scope(name, "clip_by_global_norm", *values, clip_norm) as full:
        one = operator_divide(1.0, norm)
        scale = clip_norm * apply("Minimum", one, operator_divide(constant(1.0, one.dtype.base_dtype), clip_norm))
        nan = constant(np.nan, one.dtype.base_dtype)
        scale = apply("Select", apply("IsFinite", norm), scale, nan)
        results: list[Any] = []
        for index, (given, value) in enumerate(zip(t_list, values, strict=True)):
            if value is None:
                results.append(None)
                continue
            clipped = apply("Identity", value * scale, name=f"{full}_{index}")
            results.append(clipped if given is value else _with_values(given, clipped))
        return results, norm


def _values_of(t_list: Any) -> list[Tensor | None]:
    if not isinstance(t_list, (list, tuple)):
        raise TypeError("t_list should be a sequence")
    return [
        t.values if isinstance(t, IndexedSlices) else
        None if t is None else convert_to_tensor(t, name=f"t_{i}")
        for i, t in enumerate(t_list)
    ]  # fmt: skip


def _with_values(slices: Any, values: Any) -> Any:
    """The same rows of an `IndexedSlices`, with other values."""
    return type(slices)(values, slices.indices, slices.dense_shape)


__all__ = ["clip_by_average_norm", "clip_by_global_norm", "clip_by_norm", "clip_by_value", "global_norm"]
