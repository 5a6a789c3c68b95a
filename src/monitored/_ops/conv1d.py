"""One-dimensional convolutions, which are two-dimensional ones of height 1, and `convolution` for any rank."""

from __future__ import annotations

from typing import Any

from monitored._graph.build import apply, convert_to_tensor
from monitored._graph.operation import Tensor
from monitored._ops.convolution import conv2d, conv2d_backprop_input, conv3d
from monitored._ops.rules import scope
from monitored._ops.windows import check_format, one_of, per_dimension

__all__ = ["atrous_conv2d", "conv1d", "conv1d_transpose", "convolution"]

_FORMATS = ("NWC", "NCW", "NHWC", "NCHW")


def conv1d(
    value: Any = None,
    filters: Any = None,
    stride: Any = None,
    padding: Any = None,
    use_cudnn_on_gpu: bool | None = None,
    data_format: str | None = None,
    name: str | None = None,
    input: Any = None,
    dilations: Any = None,
) -> Tensor:
    """A one-dimensional convolution (a cross-correlation: the filter is not flipped).

    Args:
        value: ``[batch, width, channels]`` for ``'NWC'``, ``[batch, channels, width]`` for ``'NCW'``; floating.
        filters: ``[filter width, channels, outputs]``, of the value's type.
        stride: How far the filter moves.
        padding: ``'SAME'`` or ``'VALID'``.
        use_cudnn_on_gpu: Accepted as TensorFlow does; XLA chooses.
        data_format: ``'NWC'`` (the default) or ``'NCW'``.
        name: A name for the operation.
        input: Another name for `value`.
        dilations: The distance between the filter's taps.

    Returns:
        A tensor of the value's type and format, with the filter's last dimension as channels.

    Raises:
        ValueError: If the shapes do not fit, or an argument is not one of those listed.
    """
    value = one_of("value", value, "input", input)
    with scope(name, "conv1d", value, filters) as full:
        axis, wide_format = _wide(data_format)
        wide = apply("ExpandDims", value, axis)
        row = apply("ExpandDims", filters, 0)
        strides = [1, *per_dimension(1 if stride is None else stride, "stride", "W")]
        taps = [1, *per_dimension(1 if dilations is None else dilations, "dilations", "W")]
        result = conv2d(wide, row, strides, padding, data_format=wide_format, dilations=taps, name=full)
        narrow: Tensor = apply("Squeeze", result, squeeze_dims=[axis])
        return narrow


def conv1d_transpose(
    input: Any,
    filters: Any,
    output_shape: Any,
    strides: Any,
    padding: str = "SAME",
    data_format: str | None = "NWC",
    dilations: Any = None,
    name: str | None = None,
) -> Tensor:
    """The transpose of `conv1d`, called deconvolution.

    Args:
        input: ``[batch, width, channels]`` for ``'NWC'``, ``[batch, channels, width]`` for ``'NCW'``; floating.
        filters: ``[filter width, outputs, channels]``, of the input's type.
        output_shape: The output's shape: three int32.
        strides: How far the filter moves in the output.
        padding: ``'SAME'`` or ``'VALID'``.
        data_format: ``'NWC'`` or ``'NCW'``.
        dilations: The distance between the filter's taps.
        name: A name for the operation.

    Returns:
        A tensor of shape `output_shape` and of the input's type.

    Raises:
        ValueError: If an argument is not one of those listed.
    """
    with scope(name, "conv1d_transpose", input, filters, output_shape) as full:
        axis, wide_format = _wide(data_format)
        wide = apply("ExpandDims", input, axis)
        row = apply("ExpandDims", filters, 0)
        sizes = convert_to_tensor(output_shape, name="output_shape")
        sizes = apply("ConcatV2", [sizes[:axis], [1], sizes[axis:]], 0, name="concat")
        along = [1, *per_dimension(strides, "strides", "W")]
        taps = [1, *per_dimension(1 if dilations is None else dilations, "dilations", "W")]
        result = conv2d_backprop_input(
            sizes, row, wide, along, padding, data_format=wide_format, dilations=taps, name=full
        )
        narrow: Tensor = apply("Squeeze", result, squeeze_dims=[axis])
        return narrow


def convolution(
    input: Any,
    filter: Any = None,
    padding: Any = None,
    strides: Any = None,
    dilation_rate: Any = None,
    name: str | None = None,
    data_format: str | None = None,
    filters: Any = None,
    dilations: Any = None,
) -> Tensor:
    """A convolution over one, two or three dimensions, as many as the input has between batch and channels.

    Args:
        input: ``[batch, spatial dimensions..., channels]``, or with the channels second as `data_format` says.
        filter: ``[filter sizes..., channels, outputs]``, of the input's type.
        padding: ``'SAME'`` or ``'VALID'``.
        strides: How far the filter moves: one number for each spatial dimension.
        dilation_rate: The distance between the filter's taps: one number for each spatial dimension.
        name: A name for the operation.
        data_format: ``'NWC'``, ``'NHWC'`` or ``'NDHWC'`` (the default), or ``'NCW'``, ``'NCHW'`` or ``'NCDHW'``.
        filters: Another name for `filter`.
        dilations: Another name for `dilation_rate`.

    Returns:
        A tensor of the input's type and format, with the filter's last dimension as channels.

    Raises:
        ValueError: If the shapes do not fit, or an argument is not one of those listed.
    """
    filter = convert_to_tensor(one_of("filter", filter, "filters", filters), name="filter")
    dilations = dilation_rate if dilations is None else dilations
    rank = filter.shape.ndims
    if rank not in (3, 4, 5):
        raise ValueError(f"The filter of a convolution must be of rank 3, 4 or 5, but its shape is {filter.shape}")
    with scope(name, "convolution", input, filter) as full:
        if rank == 5:
            return conv3d(input, filter, strides, padding, data_format, dilations, full)
        if rank == 4:
            return conv2d(input, filter, strides, padding, True, data_format, dilations, full)
        return conv1d(input, filter, strides, padding, None, data_format, full, None, dilations)


def atrous_conv2d(value: Any, filters: Any, rate: int, padding: str, name: str | None = None) -> Tensor:
    """A two-dimensional convolution with a dilated filter.

    Args:
        value: ``[batch, height, width, channels]``, floating.
        filters: ``[filter height, filter width, channels, outputs]``, of the value's type.
        rate: The distance between the filter's taps.
        padding: ``'SAME'`` or ``'VALID'``.
        name: A name for the operation.

    Returns:
        A tensor of the value's type, with the filter's last dimension as channels.

    Raises:
        ValueError: If the shapes do not fit, or an argument is not one of those listed.
    """
    return convolution(value, filters, padding, dilation_rate=[rate, rate], name=name)


def _wide(data_format: str | None) -> tuple[int, str]:
    """The position of the new dimension of size 1, and the format with it."""
    first = check_format(data_format, _FORMATS, "conv1d") in ("NCW", "NCHW")
    return (2, "NCHW") if first else (1, "NHWC")
