"""Convolutions: `Conv2D` and `Conv3D`, their transposes, and those made from them.

The lowering is XLA's own convolution; for few channels, which it is slow for, see `few_channels.py`. On two CPU cores
(jax 0.10.2), milliseconds for the output and for the gradient of the filter:

    64×14×14×32 → 64, 5×5      XLA's convolution 7.4, 8.5    windows side by side, and one product 35, 39
    32×32×32×16 → 16, 3×3                        1.6, 2.9                                          15, 17
    32×16×16×32 → 32, 3×3                        1.1, 2.2                                         2.9, 4.5
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import jax
from jax import lax

from monitored._graph import dtypes
from monitored._graph.build import apply
from monitored._graph.constant import constant_value_as_shape
from monitored._graph.opdef import REQUIRED, define
from monitored._graph.operation import Operation, Tensor
from monitored._graph.shapes import TensorShape
from monitored._ops.barriers import barrier
from monitored._ops.few_channels import convolve_few_channels, pays
from monitored._ops.rules import misfit, scope
from monitored._ops.windows import (
    check_format,
    check_padding,
    check_strides,
    convolved_sizes,
    one_of,
    pads,
    per_dimension,
    spatial_axes,
)  # fmt: skip

__all__ = [
    "conv2d",
    "conv2d_backprop_filter",
    "conv2d_backprop_input",
    "conv2d_transpose",
    "conv3d",
    "conv3d_transpose",
]


# -- meanings -----------------------------------------------------------------------------------------------


def _padding(x: Any, w: Any, attrs: tuple[Any, ...]) -> list[tuple[int, int]]:
    strides, padding, explicit, data_format, dilations = attrs
    check_strides(strides, data_format)
    added = []
    for position, axis in enumerate(spatial_axes(data_format)):
        window = (w.shape[position] - 1) * dilations[axis] + 1
        added.append(pads(x.shape[axis], window, strides[axis], padding, explicit[2 * axis : 2 * axis + 2]))
    return added


def _convolve(x: Any, w: Any, *attrs: Any) -> Any:
    strides, _, _, data_format, dilations = attrs
    axes = spatial_axes(data_format)
    channels = data_format.index("C")
    letters = "".join(data_format[axis] for axis in axes)
    return lax.conv_general_dilated(
        x,
        w,
        [strides[axis] for axis in axes],
        _padding(x, w, attrs),
        rhs_dilation=[dilations[axis] for axis in axes],
        dimension_numbers=(data_format, f"{letters}IO", data_format),
        feature_group_count=x.shape[channels] // w.shape[-2],
    )


def _gradient_of_input(sizes: Sequence[int], w: Any, gradient: Any, *attrs: Any) -> Any:
    x = jax.ShapeDtypeStruct(tuple(sizes), gradient.dtype)  # type: ignore[no-untyped-call]  # JAX leaves it untyped
    return jax.linear_transpose(lambda x: _convolve(x, w, *attrs), x)(gradient)[0]


def _gradient_of_filter(x: Any, sizes: Sequence[int], gradient: Any, *attrs: Any) -> Any:
    w = jax.ShapeDtypeStruct(tuple(sizes), x.dtype)  # type: ignore[no-untyped-call]  # JAX leaves it untyped
    # Both are taken transposed. Without barriers, all that a normalization, say, does to the elements on their way here
    # would be done again in that order, which memory is slow for.
    x, gradient = barrier(x), barrier(gradient)
    return jax.linear_transpose(lambda w: _convolve(x, w, *attrs), w)(gradient)[0]


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _convolved(x: Any, w: Any, attrs: tuple[Any, ...]) -> Any:
    added = _padding(x, w, attrs)
    strides, _, _, data_format, dilations = attrs
    if pays(x, w, strides, added, data_format, dilations):
        return convolve_few_channels(x, w, added)
    return _convolve(x, w, *attrs)


def _forward(x: Any, w: Any, attrs: tuple[Any, ...]) -> tuple[Any, tuple[Any, Any]]:
    return _convolved(x, w, attrs), (x, w)


def _backward(attrs: tuple[Any, ...], operands: tuple[Any, Any], gradient: Any) -> tuple[Any, Any]:
    x, w = operands
    return _gradient_of_input(x.shape, w, gradient, *attrs), _gradient_of_filter(x, w.shape, gradient, *attrs)


_convolved.defvjp(_forward, _backward)


def _conv2d(
    input: Any,
    filter: Any,
    *,
    strides: Sequence[int],
    padding: str,
    explicit_paddings: Sequence[int],
    data_format: str,
    dilations: Sequence[int],
) -> Any:
    return _convolved(input, filter, (strides, padding, explicit_paddings, data_format, dilations))


def _conv2d_input(
    input_sizes: Any,
    filter: Any,
    out_backprop: Any,
    *,
    strides: Sequence[int],
    padding: str,
    explicit_paddings: Sequence[int],
    data_format: str,
    dilations: Sequence[int],
) -> Any:
    attrs = (strides, padding, explicit_paddings, data_format, dilations)
    return _gradient_of_input(input_sizes.tolist(), filter, out_backprop, *attrs)


def _conv2d_filter(
    input: Any,
    filter_sizes: Any,
    out_backprop: Any,
    *,
    strides: Sequence[int],
    padding: str,
    explicit_paddings: Sequence[int],
    data_format: str,
    dilations: Sequence[int],
) -> Any:
    attrs = (strides, padding, explicit_paddings, data_format, dilations)
    return _gradient_of_filter(input, filter_sizes.tolist(), out_backprop, *attrs)


def _conv3d(
    input: Any, filter: Any, *, strides: Sequence[int], padding: str, data_format: str, dilations: Sequence[int]
) -> Any:
    return _convolved(input, filter, (strides, padding, (), data_format, dilations))


def _conv3d_input(
    input_sizes: Any,
    filter: Any,
    out_backprop: Any,
    *,
    strides: Sequence[int],
    padding: str,
    data_format: str,
    dilations: Sequence[int],
) -> Any:
    return _gradient_of_input(input_sizes.tolist(), filter, out_backprop, strides, padding, (), data_format, dilations)


# -- static shapes ------------------------------------------------------------------------------------------


def _conv_shape(op: Operation) -> TensorShape:
    out, window, channels = convolved_sizes(op, 4 if op.type == "Conv2D" else 5)
    depth, wanted = out[channels], window[-2]
    if depth is not None and wanted is not None and (wanted == 0 or depth % wanted):
        raise misfit(op, f"Depth of input ({depth}) is not a multiple of input depth of filter ({wanted})")
    out[channels] = window[-1]
    return TensorShape(out)


def _shape_input(position: int, rank: int) -> Any:
    def rule(op: Operation) -> TensorShape:
        shape = constant_value_as_shape(op.inputs[position])
        if shape.ndims not in (None, rank):
            raise misfit(op, f"The output's shape must be {rank} integers, but there are {shape.ndims}")
        return shape.with_rank(rank)

    return rule


_CONV2D: dict[str, Any] = {
    "strides": REQUIRED, "use_cudnn_on_gpu": True, "padding": REQUIRED, "explicit_paddings": [], "data_format": "NHWC",
    "dilations": [1, 1, 1, 1],
}  # fmt: skip
_CONV3D: dict[str, Any] = {
    "strides": REQUIRED, "padding": REQUIRED, "data_format": "NDHWC", "dilations": [1, 1, 1, 1, 1],
}  # fmt: skip
define("Conv2D", "input:T filter:T -> output:T", _conv2d, infer=_conv_shape, **_CONV2D)
define("Conv2DBackpropInput", "input_sizes:int32 filter:T out_backprop:T -> output:T", _conv2d_input,
       infer=_shape_input(0, 4), static=(0,), **_CONV2D)  # fmt: skip
define("Conv2DBackpropFilter", "input:T filter_sizes:int32 out_backprop:T -> output:T", _conv2d_filter,
       infer=_shape_input(1, 4), static=(1,), **_CONV2D)  # fmt: skip
define("Conv3D", "input:T filter:T -> output:T", _conv3d, infer=_conv_shape, **_CONV3D)
define("Conv3DBackpropInputV2", "input_sizes:Tshape filter:T out_backprop:T -> output:T", _conv3d_input,
       infer=_shape_input(0, 5), static=(0,), Tshape=dtypes.int32, **_CONV3D)  # fmt: skip


# -- public functions ---------------------------------------------------------------------------------------


def _attrs(op_type: str, strides: Any, padding: Any, data_format: Any, dilations: Any) -> dict[str, Any]:
    """The attributes that convolutions share, checked."""
    allowed = ("NDHWC", "NCDHW") if op_type.startswith("Conv3D") else ("NHWC", "NCHW")
    data_format = check_format(data_format, allowed, op_type)
    explicit = op_type in ("Conv2D", "Conv2DBackpropInput", "Conv2DBackpropFilter")
    padding, sizes = check_padding(padding, data_format, op_type, explicit)
    attrs = {
        "strides": per_dimension(1 if strides is None else strides, "strides", data_format),
        "padding": padding,
        "data_format": data_format,
        "dilations": per_dimension(1 if dilations is None else dilations, "dilations", data_format),
    }
    return attrs | {"explicit_paddings": sizes} if explicit else attrs


def conv2d(
    input: Any,
    filter: Any = None,
    strides: Any = None,
    padding: Any = None,
    use_cudnn_on_gpu: bool = True,
    data_format: str | None = "NHWC",
    dilations: Any = (1, 1, 1, 1),
    name: str | None = None,
    filters: Any = None,
) -> Tensor:
    """A two-dimensional convolution (a cross-correlation: the filter is not flipped).

    Args:
        input: ``[batch, height, width, channels]`` for ``'NHWC'``, ``[batch, channels, height, width]`` for
            ``'NCHW'``; floating.
        filter: ``[filter height, filter width, channels, outputs]``, of the input's type.
        strides: How far the filter moves: one number, two, or one for each dimension of the input.
        padding: ``'SAME'``, ``'VALID'``, or ``[before, after]`` for each dimension of the input.
        use_cudnn_on_gpu: Accepted as TensorFlow does; XLA chooses.
        data_format: ``'NHWC'`` or ``'NCHW'``.
        dilations: The distance between the filter's taps: one number, two, or one for each dimension of the input.
        name: A name for the operation.
        filters: Another name for `filter`.

    Returns:
        A tensor of the input's type and format, with the filter's last dimension as channels.

    Raises:
        ValueError: If the shapes do not fit, or an argument is not one of those listed.
    """
    filter = one_of("filter", filter, "filters", filters)
    attrs = _attrs("Conv2D", strides, padding, data_format, dilations)
    result: Tensor = apply("Conv2D", input, filter, name=name, use_cudnn_on_gpu=use_cudnn_on_gpu, **attrs)
    return result


def conv2d_backprop_input(
    input_sizes: Any,
    filter: Any = None,
    out_backprop: Any = None,
    strides: Any = None,
    padding: Any = None,
    use_cudnn_on_gpu: bool = True,
    data_format: str | None = "NHWC",
    dilations: Any = (1, 1, 1, 1),
    name: str | None = None,
    filters: Any = None,
) -> Tensor:
    """The gradient of a convolution with respect to its input.

    Args:
        input_sizes: The input's shape: four int32.
        filter: ``[filter height, filter width, channels, outputs]``.
        out_backprop: The gradient with respect to the convolution's output, of the output's shape.
        strides: See `conv2d`.
        padding: See `conv2d`.
        use_cudnn_on_gpu: Accepted as TensorFlow does; XLA chooses.
        data_format: ``'NHWC'`` or ``'NCHW'``.
        dilations: See `conv2d`.
        name: A name for the operation.
        filters: Another name for `filter`.

    Returns:
        A tensor of shape `input_sizes`.

    Raises:
        ValueError: If an argument is not one of those listed.
    """
    filter = one_of("filter", filter, "filters", filters)
    attrs = _attrs("Conv2DBackpropInput", strides, padding, data_format, dilations)
    result: Tensor = apply(
        "Conv2DBackpropInput", input_sizes, filter, out_backprop, name=name, use_cudnn_on_gpu=use_cudnn_on_gpu, **attrs
    )
    return result


def conv2d_backprop_filter(
    input: Any,
    filter_sizes: Any,
    out_backprop: Any,
    strides: Any,
    padding: Any,
    use_cudnn_on_gpu: bool = True,
    data_format: str | None = "NHWC",
    dilations: Any = (1, 1, 1, 1),
    name: str | None = None,
) -> Tensor:
    """The gradient of a convolution with respect to its filter.

    Args:
        input: The convolution's input; see `conv2d`.
        filter_sizes: The filter's shape: four int32.
        out_backprop: The gradient with respect to the convolution's output, of the output's shape.
        strides: See `conv2d`.
        padding: See `conv2d`.
        use_cudnn_on_gpu: Accepted as TensorFlow does; XLA chooses.
        data_format: ``'NHWC'`` or ``'NCHW'``.
        dilations: See `conv2d`.
        name: A name for the operation.

    Returns:
        A tensor of shape `filter_sizes`.

    Raises:
        ValueError: If an argument is not one of those listed.
    """
    attrs = _attrs("Conv2DBackpropFilter", strides, padding, data_format, dilations)
    result: Tensor = apply(
        "Conv2DBackpropFilter", input, filter_sizes, out_backprop, name=name, use_cudnn_on_gpu=use_cudnn_on_gpu, **attrs
    )
    return result


def conv2d_transpose(
    value: Any = None,
    filter: Any = None,
    output_shape: Any = None,
    strides: Any = None,
    padding: Any = "SAME",
    data_format: str | None = "NHWC",
    name: str | None = None,
    input: Any = None,
    filters: Any = None,
    dilations: Any = None,
) -> Tensor:
    """The transpose of `conv2d`, called deconvolution.

    Args:
        value: ``[batch, height, width, channels]``, or as `data_format` says.
        filter: ``[filter height, filter width, outputs, channels]``.
        output_shape: The output's shape: four int32.
        strides: How far the filter moves in the output; see `conv2d`.
        padding: See `conv2d`.
        data_format: ``'NHWC'`` or ``'NCHW'``.
        name: A name for the operation.
        input: Another name for `value`.
        filters: Another name for `filter`.
        dilations: See `conv2d`.

    Returns:
        A tensor of shape `output_shape` and of the input's type.

    Raises:
        ValueError: If an argument is not one of those listed.
    """
    value = one_of("value", value, "input", input)
    with scope(name, "conv2d_transpose", value, filter, output_shape) as full:
        return conv2d_backprop_input(
            output_shape, filter, value, strides, padding, True, data_format, dilations, full, filters
        )


def conv3d(
    input: Any,
    filter: Any = None,
    strides: Any = None,
    padding: Any = None,
    data_format: str | None = "NDHWC",
    dilations: Any = (1, 1, 1, 1, 1),
    name: str | None = None,
    filters: Any = None,
) -> Tensor:
    """A three-dimensional convolution (a cross-correlation: the filter is not flipped).

    Args:
        input: ``[batch, depth, height, width, channels]`` for ``'NDHWC'``,
            ``[batch, channels, depth, height, width]`` for ``'NCDHW'``; floating.
        filter: ``[filter depth, filter height, filter width, channels, outputs]``, of the input's type.
        strides: How far the filter moves: one number, three, or one for each dimension of the input.
        padding: ``'SAME'`` or ``'VALID'``.
        data_format: ``'NDHWC'`` or ``'NCDHW'``.
        dilations: The distance between the filter's taps: one number, three, or one for each dimension of the input.
        name: A name for the operation.
        filters: Another name for `filter`.

    Returns:
        A tensor of the input's type and format, with the filter's last dimension as channels.

    Raises:
        ValueError: If the shapes do not fit, or an argument is not one of those listed.
    """
    filter = one_of("filter", filter, "filters", filters)
    attrs = _attrs("Conv3D", strides, padding, data_format, dilations)
    result: Tensor = apply("Conv3D", input, filter, name=name, **attrs)
    return result


def conv3d_transpose(
    value: Any = None,
    filter: Any = None,
    output_shape: Any = None,
    strides: Any = None,
    padding: Any = "SAME",
    data_format: str | None = "NDHWC",
    name: str | None = None,
    input: Any = None,
    filters: Any = None,
    dilations: Any = None,
) -> Tensor:
    """The transpose of `conv3d`, called deconvolution.

    Args:
        value: ``[batch, depth, height, width, channels]``, or as `data_format` says.
        filter: ``[filter depth, filter height, filter width, outputs, channels]``.
        output_shape: The output's shape: five int32.
        strides: How far the filter moves in the output; see `conv3d`.
        padding: ``'SAME'`` or ``'VALID'``.
        data_format: ``'NDHWC'`` or ``'NCDHW'``.
        name: A name for the operation.
        input: Another name for `value`.
        filters: Another name for `filter`.
        dilations: See `conv3d`.

    Returns:
        A tensor of shape `output_shape` and of the input's type.

    Raises:
        ValueError: If an argument is not one of those listed.
    """
    value = one_of("value", value, "input", input)
    filter = one_of("filter", filter, "filters", filters)
    attrs = _attrs("Conv3DBackpropInputV2", strides, padding, data_format, dilations)
    with scope(name, "conv3d_transpose", value, filter, output_shape) as full:
        result: Tensor = apply("Conv3DBackpropInputV2", output_shape, filter, value, name=full, **attrs)
        return result
