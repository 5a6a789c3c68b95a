"""Pooling over windows: maximum and mean, in one to three dimensions.

XLA's own lowering, `reduce_window`, has a slow gradient on CPU (select-and-scatter). Here a pool takes the elements of
all windows as strided slices of the input, one for each place in the window, and its gradient gathers, for every
input element, from the few windows that cover it. The first maximum of a window takes its gradient, as in TensorFlow.
Output and gradient of 64×28×28×32 on two cores, in milliseconds (jax 0.10.2):

    maximum    window 2, stride 2    reduce_window 37      slices 0.7
               window 3, stride 2                  48             1.3
               window 3, stride 1                 131             3.3
    mean       window 2, stride 2                 0.7             1.1
               window 3, stride 2                  11             2.5
               window 5, stride 1                  22             4.4
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from monitored._graph import dtypes
from monitored._graph.build import apply, convert_to_tensor
from monitored._graph.opdef import REQUIRED, define
from monitored._graph.operation import Operation, Tensor
from monitored._graph.shapes import TensorShape
from monitored._ops.rules import scope, with_rank
from monitored._ops.windows import check_format, check_padding, one_of, output_size, pads, per_dimension

__all__ = [
    "avg_pool",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "avg_pool_v2",
    "max_pool",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "max_pool_v2",
]


# -- meanings -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Axis:
    """Windows along one dimension: where it is, its size, and what slides over it."""

    position: int
    size: int
    window: int
    stride: int
    before: int
    after: int

    @property
    def count(self) -> int:
        """How many windows there are."""
        return (self.size + self.before + self.after - self.window) // self.stride + 1

    @property
    def tiles(self) -> int:
        """How many strides cover the padded dimension."""
        return -(-(self.size + self.before + self.after) // self.stride)

    @property
    def covering(self) -> int:
        """How many windows can cover an element."""
        return -(-self.window // self.stride)


def _axes(x: Any, ksize: Sequence[int], strides: Sequence[int], padding: str) -> list[_Axis]:
    axes = []
    for i, (window, stride) in enumerate(zip(ksize, strides, strict=True)):
        if window > 1 or stride > 1:
            axis = _Axis(i, x.shape[i], window, stride, *pads(x.shape[i], window, stride, padding))
            # A single window does not move: with the greatest stride its gradient is simplest.
            axes.append(axis if axis.count > 1 else replace(axis, stride=max(window, stride)))
    return axes


_JOINT: Final = 9  # windows of at most so many elements are pooled over all dimensions at once, others one by one
_UNROLLED: Final = 64  # longer windows are left to `reduce_window`: their slices would take long to compile


def _max_pool(input: Any, *, ksize: Sequence[int], strides: Sequence[int], padding: str) -> Any:
    axes = _axes(input, ksize, strides, padding)
    if math.prod(axis.window for axis in axes) <= _JOINT:
        return _maximum(input, axes)
    # The first maximum of the rows' first maxima is the window's first maximum: the last dimension goes first.
    return functools.reduce(_maximum_along, reversed(axes), input)


def _maximum_along(x: Any, axis: _Axis) -> Any:
    return _maximum(x, [axis]) if axis.window <= _UNROLLED else _window_reduction(x, axis, lax.max, _lowest(x.dtype))


def _lowest(dtype: Any) -> Any:
    return np.array(-np.inf if jnp.issubdtype(dtype, jnp.inexact) else np.iinfo(dtype).min, dtype)


def _window_reduction(x: Any, axis: _Axis, function: Any, start: Any) -> Any:
    def along(value: int, others: int) -> list[int]:
        return [value if i == axis.position else others for i in range(x.ndim)]

    padding = [(axis.before, axis.after) if i == axis.position else (0, 0) for i in range(x.ndim)]
    return lax.reduce_window(x, start, function, along(axis.window, 1), along(axis.stride, 1), padding)


def _maximum(x: Any, axes: list[_Axis]) -> Any:
    shape, dtype, lowest = x.shape, x.dtype, _lowest(x.dtype)

    @jax.custom_vjp
    def pool(x: Any) -> Any:
        for axis in axes:  # without a gradient the dimensions are faster one by one
            x = functools.reduce(jnp.maximum, _places(x, [axis], lowest))
        return x

    def forward(x: Any) -> tuple[Any, Any]:
        first, *others = _places(x, axes, lowest)
        highest, place = first, jnp.zeros(first.shape, jnp.int8)
        for number, other in enumerate(others, 1):
            place = jnp.where(other > highest, jnp.int8(number), place)
            highest = jnp.maximum(highest, other)
        return highest, place

    def backward(place: Any, gradient: Any) -> tuple[Any]:
        def taken(number: Any, gradient: Any, place: Any) -> Any:
            return jnp.where(place == np.asarray(number).astype(place.dtype), gradient, np.zeros((), dtype))

        return (_gathered(taken, [(gradient, 0), (place, -1)], axes, shape),)

    pool.defvjp(forward, backward)
    return pool(x)


def _avg_pool(value: Any, *, ksize: Sequence[int], strides: Sequence[int], padding: str) -> Any:
    axes = _axes(value, ksize, strides, padding)
    joint = math.prod(axis.window for axis in axes) <= _JOINT
    total = _sum(value, axes) if joint else functools.reduce(lambda x, axis: _sum(x, [axis]), reversed(axes), value)
    count = np.ones((1,) * value.ndim)
    for axis in axes:  # only elements of the input count
        start = np.arange(axis.count) * axis.stride - axis.before
        inside = np.minimum(start + axis.window, axis.size) - np.maximum(start, 0)
        count = count * inside.reshape([-1 if i == axis.position else 1 for i in range(value.ndim)])
    return total / (count.ravel()[0] if (count == count.ravel()[0]).all() else count).astype(value.dtype)


def _sum(x: Any, axes: list[_Axis]) -> Any:
    zero, shape = np.zeros((), x.dtype), x.shape
    if any(axis.window > _UNROLLED for axis in axes):
        return functools.reduce(lambda x, axis: _window_reduction(x, axis, lax.add, zero), axes, x)

    @jax.custom_vjp
    def pool(x: Any) -> Any:
        for axis in axes:
            x = functools.reduce(jnp.add, _places(x, [axis], zero))
        return x

    def backward(_: None, gradient: Any) -> tuple[Any]:
        return (_gathered(lambda number, gradient: gradient, [(gradient, 0)], axes, shape),)

    pool.defvjp(lambda x: (pool(x), None), backward)
    return pool(x)


def _places(x: Any, axes: list[_Axis], fill: Any) -> list[Any]:
    """For each place in the window, in order, the elements that stand there in all windows."""
    config = [(0, 0, 0)] * x.ndim
    for axis in axes:
        config[axis.position] = (axis.before, axis.after, 0)
    padded = lax.pad(x, fill, config)
    places = []
    for offsets in itertools.product(*(range(axis.window) for axis in axes)):
        start, stop, strides = [0] * x.ndim, list(padded.shape), [1] * x.ndim
        for axis, offset in zip(axes, offsets, strict=True):
            start[axis.position], strides[axis.position] = offset, axis.stride
            stop[axis.position] = offset + (axis.count - 1) * axis.stride + 1
        places.append(lax.slice(padded, start, stop, strides))
    return places


def _gathered(
    taken: Callable[..., Any], sources: list[tuple[Any, int]], axes: list[_Axis], shape: tuple[int, ...]
) -> Any:
    """What the windows give back to the elements of the input.

    Input elements at the same distance from the start of a stride are covered by windows in the same way, so they are
    worked out together, and the results interleaved.

    Args:
        taken: Given the number of a place in the window, and the elements of each source for some windows, what input
            elements at this place get of those windows.
        sources: Arrays with one element for each window, and what to fill them up with.
        axes: The pooled dimensions.
        shape: The input's shape.

    Returns:
        An array of that shape.
    """
    filled = [_filled(array, fill, axes) for array, fill in sources]
    if all(axis.covering == 1 for axis in axes):
        return _scattered(taken, filled, axes)

    def of_phase(phase: tuple[int, ...]) -> Any:
        total = None
        for back in itertools.product(*(range(axis.covering) for axis in axes)):
            offsets = [p + b * axis.stride for p, b, axis in zip(phase, back, axes, strict=True)]
            if any(offset >= axis.window for offset, axis in zip(offsets, axes, strict=True)):
                continue
            number = 0
            for offset, axis in zip(offsets, axes, strict=True):
                number = number * axis.window + offset
            share = taken(number, *(_shifted(array, axes, back) for array in filled))
            total = share if total is None else total + share
        # No window covers elements between windows that do not touch.
        return jnp.zeros_like(_shifted(filled[0], axes, (0,) * len(axes))) if total is None else total

    parts = [of_phase(phase) for phase in itertools.product(*(range(axis.stride) for axis in axes))]
    for axis in reversed(axes):
        parts = [_interleaved(parts[i : i + axis.stride], axis) for i in range(0, len(parts), axis.stride)]
    result: Any = parts[0]
    assert result.shape == shape
    return result


def _scattered(taken: Callable[..., Any], sources: list[Any], axes: list[_Axis]) -> Any:
    """The same for windows that do not overlap, each of which gives to its own elements only."""
    tiles = sources[0].shape
    number: Any = np.zeros((), np.int32)
    inside: Any = np.ones((), bool)
    tiled: list[int] = []  # every pooled dimension becomes two: strides, and places within a stride
    for i, size in enumerate(tiles):
        axis = next((axis for axis in axes if axis.position == i), None)
        number, inside = number[..., None], inside[..., None]
        tiled.append(size)
        if axis is not None:
            places = np.arange(axis.stride)
            number, inside = number[..., None] * axis.window + places, inside[..., None] & (places < axis.window)
            tiled.append(1)
    shares = taken(number, *(source.reshape(tiled) for source in sources))
    shares = jnp.where(inside, shares, np.zeros((), shares.dtype))
    result = shares.reshape(
        [size * next((a.stride for a in axes if a.position == i), 1) for i, size in enumerate(tiles)]
    )
    for axis in axes:
        result = lax.slice_in_dim(result, axis.before, axis.before + axis.size, axis=axis.position)
    return result


def _filled(array: Any, fill: int, axes: list[_Axis]) -> Any:
    config = [(0, 0, 0)] * array.ndim
    for axis in axes:
        config[axis.position] = (axis.covering - 1, max(axis.tiles - axis.count, 0), 0)
    return lax.pad(array, np.array(fill, array.dtype), config)


def _shifted(array: Any, axes: list[_Axis], back: tuple[int, ...]) -> Any:
    for axis, steps in zip(axes, back, strict=True):
        start = axis.covering - 1 - steps
        array = lax.slice_in_dim(array, start, start + axis.tiles, axis=axis.position)
    return array


def _interleaved(parts: list[Any], axis: _Axis) -> Any:
    position = axis.position
    stacked = jnp.stack(parts, position + 1) if len(parts) > 1 else parts[0]
    shape = (*parts[0].shape[:position], axis.tiles * axis.stride, *parts[0].shape[position + 1 :])
    return lax.slice_in_dim(stacked.reshape(shape), axis.before, axis.before + axis.size, axis=position)


# -- definitions --------------------------------------------------------------------------------------------


def _pool_shape(op: Operation) -> TensorShape:
    attrs = op._attrs
    sizes = with_rank(op, 0, len(attrs["data_format"]))
    numbers = zip(sizes, attrs["ksize"], attrs["strides"], strict=True)
    return TensorShape([output_size(op, *three, attrs["padding"]) for three in numbers])


_POOL: dict[str, Any] = {"ksize": REQUIRED, "strides": REQUIRED, "padding": REQUIRED}
define("MaxPool", "input:T -> output:T", _max_pool, infer=_pool_shape, T=dtypes.float32, data_format="NHWC", **_POOL)
define("AvgPool", "value:T -> output:T", _avg_pool, infer=_pool_shape, data_format="NHWC", **_POOL)
define("MaxPool3D", "input:T -> output:T", _max_pool, infer=_pool_shape, data_format="NDHWC", **_POOL)
define("AvgPool3D", "input:T -> output:T", _avg_pool, infer=_pool_shape, data_format="NDHWC", **_POOL)


_Pool = Callable[[Any, Any, Any, Any, str | None, str | None], Tensor]


# -- public functions ---------------------------------------------------------------------------------------


def _pool(
    op_type: str, value: Any, ksize: Any, strides: Any, padding: Any, data_format: str | None, name: str | None
) -> Tensor:
    allowed = ("NDHWC", "NCDHW") if op_type.endswith("3D") else ("NHWC", "NCHW")
    data_format = check_format(data_format, allowed, op_type)
    result: Tensor = apply(
        op_type,
        value,
        name=name,
        ksize=per_dimension(ksize, "ksize", data_format),
        strides=per_dimension(strides, "strides", data_format),
        padding=check_padding(padding, data_format, op_type)[0],
        data_format=data_format,
    )
    return result


def _pool1d(
    op_type: str, value: Any, ksize: Any, strides: Any, padding: Any, data_format: str | None, name: str | None
) -> Tensor:
    first = check_format(data_format, ("NWC", "NCW"), op_type) == "NCW"
    axis, wide_format = (2, "NCHW") if first else (1, "NHWC")
    with scope(name, "MaxPool1d" if op_type == "MaxPool" else "AvgPool1D", value) as full:
        narrow = "NCW" if first else "NWC"
        sizes, steps = per_dimension(ksize, "ksize", narrow), per_dimension(strides, "strides", narrow)
        sizes.insert(axis, 1)
        steps.insert(axis, 1)
        pooled = _pool(op_type, apply("ExpandDims", value, axis), sizes, steps, padding, wide_format, full)
        result: Tensor = apply("Squeeze", pooled, squeeze_dims=[axis])
        return result


def max_pool(
    value: Any = None,
    ksize: Any = None,
    strides: Any = None,
    padding: Any = None,
    data_format: str | None = "NHWC",
    name: str | None = None,
    input: Any = None,
) -> Tensor:
    """The maximum of each window of an image.

    Args:
        value: ``[batch, height, width, channels]`` for ``'NHWC'``, ``[batch, channels, height, width]`` for ``'NCHW'``.
        ksize: The window's size: one number, two, or one for each dimension of the input.
        strides: How far the window moves: one number, two, or one for each dimension of the input.
        padding: ``'SAME'`` or ``'VALID'``.
        data_format: ``'NHWC'`` or ``'NCHW'``.
        name: A name for the operation.
        input: Another name for `value`.

    Returns:
        A tensor of the input's type and format. The gradient goes to each window's first maximum.

    Raises:
        ValueError: If the shapes do not fit, or an argument is not one of those listed.
    """
    return _pool("MaxPool", one_of("value", value, "input", input), ksize, strides, padding, data_format, name)


def max_pool2d(
    input: Any, ksize: Any, strides: Any, padding: Any, data_format: str | None = "NHWC", name: str | None = None
) -> Tensor:
    """The maximum of each window of an image; see `max_pool`.

    Args:
        input: ``[batch, height, width, channels]`` for ``'NHWC'``, ``[batch, channels, height, width]`` for ``'NCHW'``.
        ksize: The window's size: one number, two, or one for each dimension of the input.
        strides: How far the window moves: one number, two, or one for each dimension of the input.
        padding: ``'SAME'`` or ``'VALID'``.
        data_format: ``'NHWC'`` or ``'NCHW'``.
        name: A name for the operation (optional; `MaxPool2d` by default).

    Returns:
        A tensor of the input's type and format.

    Raises:
        ValueError: If the shapes do not fit, or an argument is not one of those listed.
    """
    return _pool("MaxPool", input, ksize, strides, padding, data_format, name or "MaxPool2d")


def max_pool_v2(
    input: Any, ksize: Any, strides: Any, padding: Any, data_format: str | None = None, name: str | None = None
) -> Tensor:
    """The maximum of each window, in as many dimensions as the input has between batch and channels.

    Args:
        input: ``[batch, spatial dimensions..., channels]``, or with the channels second as `data_format` says; of
            rank 3, 4 or 5.
        ksize: The window's size: one number, or one for each spatial dimension, or for each dimension of the input.
        strides: How far the window moves, likewise.
        padding: ``'SAME'`` or ``'VALID'``.
        data_format: ``'NWC'``, ``'NHWC'`` or ``'NDHWC'`` (the default), or ``'NCW'``, ``'NCHW'`` or ``'NCDHW'``.
        name: A name for the operation.

    Returns:
        A tensor of the input's type and format.

    Raises:
        ValueError: If the shapes do not fit, or an argument is not one of those listed.
    """
    input = convert_to_tensor(input, name="input")
    return _by_rank(max_pool1d, max_pool2d, max_pool3d, input)(input, ksize, strides, padding, data_format, name)


def max_pool1d(
    input: Any, ksize: Any, strides: Any, padding: Any, data_format: str | None = "NWC", name: str | None = None
) -> Tensor:
    """The maximum of each window of a sequence.

    Args:
        input: ``[batch, width, channels]`` for ``'NWC'``, ``[batch, channels, width]`` for ``'NCW'``.
        ksize: The window's size: one number, or three.
        strides: How far the window moves: one number, or three.
        padding: ``'SAME'`` or ``'VALID'``.
        data_format: ``'NWC'`` or ``'NCW'``.
        name: A name for the operation.

    Returns:
        A tensor of the input's type and format.

    Raises:
        ValueError: If the shapes do not fit, or an argument is not one of those listed.
    """
    return _pool1d("MaxPool", input, ksize, strides, padding, data_format, name)


def max_pool3d(
    input: Any, ksize: Any, strides: Any, padding: Any, data_format: str | None = "NDHWC", name: str | None = None
) -> Tensor:
    """The maximum of each window of a volume.

    Args:
        input: ``[batch, depth, height, width, channels]`` for ``'NDHWC'``,
            ``[batch, channels, depth, height, width]`` for ``'NCDHW'``; floating.
        ksize: The window's size: one number, three, or five.
        strides: How far the window moves: one number, three, or five.
        padding: ``'SAME'`` or ``'VALID'``.
        data_format: ``'NDHWC'`` or ``'NCDHW'``.
        name: A name for the operation.

    Returns:
        A tensor of the input's type and format.

    Raises:
        ValueError: If the shapes do not fit, or an argument is not one of those listed.
    """
    return _pool("MaxPool3D", input, ksize, strides, padding, data_format, name)


def avg_pool(
    value: Any = None,
    ksize: Any = None,
    strides: Any = None,
    padding: Any = None,
    data_format: str | None = "NHWC",
    name: str | None = None,
    input: Any = None,
) -> Tensor:
    """The mean of each window of an image; of the elements that lie inside it where the window is padded.

    Args:
        value: ``[batch, height, width, channels]`` for ``'NHWC'``, ``[batch, channels, height, width]`` for
            ``'NCHW'``; floating.
        ksize: The window's size: one number, two, or one for each dimension of the input.
        strides: How far the window moves: one number, two, or one for each dimension of the input.
        padding: ``'SAME'`` or ``'VALID'``.
        data_format: ``'NHWC'`` or ``'NCHW'``.
        name: A name for the operation.
        input: Another name for `value`.

    Returns:
        A tensor of the input's type and format.

    Raises:
        ValueError: If the shapes do not fit, or an argument is not one of those listed.
    """
    return _pool("AvgPool", one_of("value", value, "input", input), ksize, strides, padding, data_format, name)


avg_pool2d = avg_pool


def avg_pool_v2(
    input: Any, ksize: Any, strides: Any, padding: Any, data_format: str | None = None, name: str | None = None
) -> Tensor:
    """The mean of each window, in as many dimensions as the input has between batch and channels.

    Args:
        input: ``[batch, spatial dimensions..., channels]``, or with the channels second as `data_format` says; of
            rank 3, 4 or 5 and floating.
        ksize: The window's size: one number, or one for each spatial dimension, or for each dimension of the input.
        strides: How far the window moves, likewise.
        padding: ``'SAME'`` or ``'VALID'``.
        data_format: ``'NWC'``, ``'NHWC'`` or ``'NDHWC'`` (the default), or ``'NCW'``, ``'NCHW'`` or ``'NCDHW'``.
        name: A name for the operation.

    Returns:
        A tensor of the input's type and format.

    Raises:
        ValueError: If the shapes do not fit, or an argument is not one of those listed.
    """
    input = convert_to_tensor(input, name="input")
    return _by_rank(avg_pool1d, avg_pool, avg_pool3d, input)(input, ksize, strides, padding, data_format, name)


def avg_pool1d(
    input: Any, ksize: Any, strides: Any, padding: Any, data_format: str | None = "NWC", name: str | None = None
) -> Tensor:
    """The mean of each window of a sequence.

    Args:
        input: ``[batch, width, channels]`` for ``'NWC'``, ``[batch, channels, width]`` for ``'NCW'``; floating.
        ksize: The window's size: one number, or three.
        strides: How far the window moves: one number, or three.
        padding: ``'SAME'`` or ``'VALID'``.
        data_format: ``'NWC'`` or ``'NCW'``.
        name: A name for the operation.

    Returns:
        A tensor of the input's type and format.

    Raises:
        ValueError: If the shapes do not fit, or an argument is not one of those listed.
    """
    return _pool1d("AvgPool", input, ksize, strides, padding, data_format, name)


def avg_pool3d(
    input: Any, ksize: Any, strides: Any, padding: Any, data_format: str | None = "NDHWC", name: str | None = None
) -> Tensor:
    """The mean of each window of a volume.

    Args:
        input: ``[batch, depth, height, width, channels]`` for ``'NDHWC'``,
            ``[batch, channels, depth, height, width]`` for ``'NCDHW'``; floating.
        ksize: The window's size: one number, three, or five.
        strides: How far the window moves: one number, three, or five.
        padding: ``'SAME'`` or ``'VALID'``.
        data_format: ``'NDHWC'`` or ``'NCDHW'``.
        name: A name for the operation.

    Returns:
        A tensor of the input's type and format.

    Raises:
        ValueError: If the shapes do not fit, or an argument is not one of those listed.
    """
    return _pool("AvgPool3D", input, ksize, strides, padding, data_format, name)


def _by_rank(one: _Pool, two: _Pool, three: _Pool, value: Tensor) -> _Pool:
    rank = value.shape.ndims
    if rank not in (3, 4, 5):
        raise ValueError(f"The input of a pool must be of rank 3, 4 or 5, but its rank is {rank}")
    return {3: one, 4: two, 5: three}[rank]
