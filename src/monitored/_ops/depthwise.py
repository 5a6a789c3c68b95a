"""Depthwise convolutions, in which each channel has filters of its own, and separable ones made from them.

The lowering is the sum over the filter's taps of the shifted input times the tap's weights, since XLA's grouped
convolution is slow on CPU. Two cores, jax 0.10.2, batch 64, 3×3, milliseconds for the output and for the gradients of
filter and input:

    28×28×32, one filter a channel     XLA's grouped convolution 73, 23, 75      shifted products 1.4, 43, 1.4
    14×14×32, two filters a channel                              19, 1784, 28                     0.9, 5.1, 20
    28×28×3, eight filters a channel                             4.3, 88, 40                      0.3, 3.1, 7.5
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from jax import lax

from monitored._graph.build import apply, convert_to_tensor
from monitored._graph.opdef import REQUIRED, define
from monitored._graph.operation import Operation, Tensor
from monitored._graph.shapes import TensorShape
from monitored._ops.convolution import conv2d
from monitored._ops.rules import scope
from monitored._ops.windows import (
    check_format,
    check_padding,
    check_strides,
    convolved_sizes,
    merged,
    pads,
    per_dimension,
)  # fmt: skip

__all__ = ["depthwise_conv2d", "depthwise_conv2d_native", "separable_conv2d"]


def _depthwise(
    input: Any, filter: Any, *, strides: Sequence[int], padding: str, data_format: str, dilations: Sequence[int]
) -> Any:
    if data_format == "NHWC":
        return _depthwise_nhwc(input, filter, strides, padding, dilations)
    strides, dilations = ([numbers[i] for i in (0, 2, 3, 1)] for numbers in (strides, dilations))
    return jnp.moveaxis(_depthwise_nhwc(jnp.moveaxis(input, 1, -1), filter, strides, padding, dilations), -1, 1)


def _depthwise_nhwc(input: Any, filter: Any, strides: Sequence[int], padding: str, dilations: Sequence[int]) -> Any:
    check_strides(strides, "NHWC")
    batch, height, width, channels = input.shape
    rows, columns, _, multiplier = filter.shape
    windows = [(rows - 1) * dilations[1] + 1, (columns - 1) * dilations[2] + 1]
    sides = [pads(s, w, strides[i], padding) for i, s, w in zip((1, 2), (height, width), windows, strict=True)]
    padded = jnp.pad(input, [(0, 0), *sides, (0, 0)])
    out = [(padded.shape[i] - windows[i - 1]) // strides[i] + 1 for i in (1, 2)]
    total = None
    for row, column in itertools.product(range(rows), range(columns)):
        start = (0, row * dilations[1], column * dilations[2], 0)
        stop = (batch, start[1] + (out[0] - 1) * strides[1] + 1, start[2] + (out[1] - 1) * strides[2] + 1, channels)
        shifted = lax.slice(padded, start, stop, (1, strides[1], strides[2], 1))
        product = shifted[..., None] * filter[row, column] if multiplier > 1 else shifted * filter[row, column, :, 0]
        total = product if total is None else total + product
    assert total is not None
    return total.reshape(batch, *out, channels * multiplier)


def _depthwise_shape(op: Operation) -> TensorShape:
    out, window, channels = convolved_sizes(op, 4)
    depth = merged(op, out[channels], window[2])
    out[channels] = None if depth is None or window[3] is None else depth * window[3]
    return TensorShape(out)


define(
    "DepthwiseConv2dNative", "input:T filter:T -> output:T", _depthwise, infer=_depthwise_shape,
    strides=REQUIRED, padding=REQUIRED, data_format="NHWC", dilations=[1, 1, 1, 1],
)  # fmt: skip


def depthwise_conv2d_native(
    input: Any,
    filter: Any,
    strides: Any,
    padding: str,
    data_format: str | None = "NHWC",
    dilations: Any = (1, 1, 1, 1),
    name: str | None = None,
) -> Tensor:
    """A two-dimensional convolution of each channel with filters of its own.

    Args:
        input: ``[batch, height, width, channels]`` for ``'NHWC'``, ``[batch, channels, height, width]`` for
            ``'NCHW'``; floating.
        filter: ``[filter height, filter width, channels, multiplier]``, of the input's type.
        strides: How far the filter moves: one number, two, or one for each dimension of the input.
        padding: ``'SAME'`` or ``'VALID'``.
        data_format: ``'NHWC'`` or ``'NCHW'``.
        dilations: The distance between the filter's taps: one number, two, or one for each dimension of the input.
        name: A name for the operation.

    Returns:
        A tensor of the input's type and format, with ``channels * multiplier`` channels.

    Raises:
        ValueError: If the shapes do not fit, or an argument is not one of those listed.
    """
    data_format = check_format(data_format, ("NHWC", "NCHW"), "DepthwiseConv2dNative")
    padding, _ = check_padding(padding, data_format, "DepthwiseConv2dNative")
    result: Tensor = apply(
        "DepthwiseConv2dNative",
        input,
        filter,
        name=name,
        strides=per_dimension(strides, "strides", data_format),
        padding=padding,
        data_format=data_format,
        dilations=per_dimension(dilations, "dilations", data_format),
    )
    return result


def depthwise_conv2d(
    input: Any,
    filter: Any,
    strides: Any,
    padding: str,
    rate: Any = None,
    name: str | None = None,
    data_format: str | None = None,
    dilations: Any = None,
) -> Tensor:
    """A two-dimensional convolution of each channel with filters of its own.

    Args:
        input: ``[batch, height, width, channels]``, or as `data_format` says; floating.
        filter: ``[filter height, filter width, channels, multiplier]``, of the input's type.
        strides: How far the filter moves, one number for each dimension of the input.
        padding: ``'SAME'`` or ``'VALID'``.
        rate: The distance between the filter's taps, for height and width; all strides must be 1 where it is not 1.
        name: A name for the operation.
        data_format: ``'NHWC'`` (the default) or ``'NCHW'``.
        dilations: Another name for `rate`.

    Returns:
        A tensor of the input's type and format, with ``channels * multiplier`` channels.

    Raises:
        ValueError: If the shapes do not fit, or an argument is not one of those listed.
    """
    rate = _rate(rate, dilations, strides, data_format)
    with scope(name, "depthwise", input, filter) as full:
        return depthwise_conv2d_native(input, filter, strides, padding, data_format, rate, full)


def separable_conv2d(
    input: Any,
    depthwise_filter: Any,
    pointwise_filter: Any,
    strides: Any,
    padding: str,
    rate: Any = None,
    name: str | None = None,
    data_format: str | None = None,
    dilations: Any = None,
) -> Tensor:
    """A depthwise convolution followed by a pointwise one, which mixes the channels.

    Args:
        input: ``[batch, height, width, channels]``, or as `data_format` says; floating.
        depthwise_filter: ``[filter height, filter width, channels, multiplier]``.
        pointwise_filter: ``[1, 1, channels * multiplier, outputs]``.
        strides: How far the depthwise filter moves, one number for each dimension of the input.
        padding: ``'SAME'`` or ``'VALID'``.
        rate: The distance between the depthwise filter's taps, for height and width.
        name: A name for the operation.
        data_format: ``'NHWC'`` (the default) or ``'NCHW'``.
        dilations: Another name for `rate`.

    Returns:
        A tensor of the input's type and format, with `outputs` channels.

    Raises:
        ValueError: If the shapes do not fit, or an argument is not one of those listed.
    """
    rate = _rate(rate, dilations, strides, data_format)
    with scope(name, "separable_conv2d", input, depthwise_filter, pointwise_filter) as full:
        pointwise_filter = convert_to_tensor(pointwise_filter, name="pointwise_filter")
        shape = pointwise_filter.shape.with_rank(4)
        if any(shape[i].value not in (None, 1) for i in (0, 1)):
            raise ValueError(f"The pointwise filter must be [1, 1, channels, outputs], but its shape is {shape}")
        mixed = depthwise_conv2d_native(input, depthwise_filter, strides, padding, data_format, rate, name="depthwise")
        return conv2d(mixed, pointwise_filter, 1, "VALID", data_format=data_format, name=full)


def _rate(rate: Any, dilations: Any, strides: Any, data_format: str | None) -> list[int]:
    if rate is not None and dilations is not None:
        raise ValueError("Cannot specify both 'rate' and 'dilations'")
    chosen = dilations if rate is None else rate
    numbers = per_dimension(1 if chosen is None else chosen, "rate", data_format or "NHWC")
    if max(numbers) > 1 and max(per_dimension(strides, "strides", data_format or "NHWC")) > 1:
        raise ValueError("strides > 1 not supported in conjunction with dilation_rate > 1")
    return numbers
