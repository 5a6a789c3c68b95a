"""Convolutional layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from monitored._graph.operation import Tensor
from monitored._graph.shapes import TensorShape
from monitored._ops.activations import bias_add
from monitored._ops.array import shape as shape_of
from monitored._ops.conv1d import conv1d as _conv1d
from monitored._ops.convolution import conv2d as _conv2d
from monitored._ops.convolution import conv2d_transpose as _conv2d_transpose
from monitored._ops.convolution import conv3d as _conv3d
from monitored._ops.depthwise import separable_conv2d as _separable_conv2d
from monitored._ops.initializers import zeros_initializer
from monitored._ops.joining import stack
from monitored._ops.layers_base import Layer, activation_of, as_function

__all__ = [
    "Conv1D",
    "Conv2D",
    "Conv2DTranspose",
    "Conv3D",
    "SeparableConv2D",
    "conv1d",
    "conv2d",
    "conv2d_transpose",
    "conv3d",
    "separable_conv2d",
]

_FORMATS = {1: ("NWC", "NCW"), 2: ("NHWC", "NCHW"), 3: ("NDHWC", "NCDHW")}


class _Convolution(Layer):
    """What convolutional layers have in common."""

    _rank: int
    filters: int
    kernel_size: tuple[int, ...]
    strides: tuple[int, ...]
    dilation_rate: tuple[int, ...]

    def _set(
        self, filters: Any, kernel_size: Any, strides: Any, padding: str, data_format: str, dilation_rate: Any,
        activation: Any, use_bias: bool, bias: tuple[Any, Any, Any],
    ) -> None:  # fmt: skip
        rank = self._rank
        self.filters = int(filters)
        self.kernel_size = tuple_of(kernel_size, rank, "kernel_size")
        self.strides = tuple_of(strides, rank, "strides")
        self.padding = checked_padding(padding)
        self.data_format = checked_format(data_format)
        self.dilation_rate = tuple_of(dilation_rate, rank, "dilation_rate")
        self.activation = activation_of(activation)
        self.use_bias = use_bias
        self._for_bias = bias
        self.bias: Any = None

    def _check(self, inputs: Any) -> None:
        self._check_rank(inputs, self._rank + 2)

    @property
    def _layout(self) -> str:
        return _FORMATS[self._rank][self.data_format == "channels_first"]

    def _channels(self, shape: TensorShape) -> int:
        channels: int | None = shape[1 if self.data_format == "channels_first" else -1].value
        if channels is None:
            raise ValueError("The channel dimension of the inputs should be defined. Found `None`.")
        return channels

    def _add_bias_weight(self) -> None:
        if self.use_bias:
            initializer, regularizer, constraint = self._for_bias
            self.bias = self.add_weight("bias", [self.filters], None, initializer, regularizer, True, constraint)

    def _spread(self, values: Sequence[int]) -> list[int]:
        """Values for all dimensions of those for the spatial ones."""
        return [1, 1, *values] if self.data_format == "channels_first" else [1, *values, 1]

    def _finished(self, outputs: Tensor) -> Tensor:
        if self.use_bias:
            outputs = bias_add(outputs, self.bias, "NCHW" if self.data_format == "channels_first" else "NHWC")
        result: Tensor = outputs if self.activation is None else self.activation(outputs)
        return result


class _Plain(_Convolution):
    """A convolution with one kernel."""

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str = "channels_last",
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = None,
        bias_initializer: Any = zeros_initializer(),  # noqa: B008  # it has no state
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        trainable: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(trainable=trainable, name=name, **kwargs)
        self._set(
            filters, kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias,
            (bias_initializer, bias_regularizer, bias_constraint),
        )  # fmt: skip
        self._for_kernel = (kernel_initializer, kernel_regularizer, True, kernel_constraint)
        self.activity_regularizer = activity_regularizer
        self.kernel: Any = None

    def _kernel_shape(self, channels: int) -> list[int]:
        return [*self.kernel_size, channels, self.filters]

    def build(self, input_shape: TensorShape) -> None:
        """Makes ``kernel`` and ``bias``."""
        shape = self._kernel_shape(self._channels(input_shape))
        self.kernel = self.add_weight("kernel", shape, None, *self._for_kernel)
        self._add_bias_weight()
        self.built = True


_ARGUMENTS = """
    Args:
        filters: The number of channels of the outputs.
        kernel_size: The sizes of the kernel: an integer or one for each spatial dimension.
        strides: The distances between the kernel's places: an integer or one for each spatial dimension.
        padding: ``'valid'`` or ``'same'``.
        data_format: ``'channels_last'`` or ``'channels_first'``.
        dilation_rate: The distances between the kernel's taps: an integer or one for each spatial dimension.
        activation: A function of the outputs, or its name; none by default.
        use_bias: Whether there is a bias.
        kernel_initializer: Initializer of the kernel; the scope's by default.
        bias_initializer: Initializer of the bias; zeros by default.
        kernel_regularizer: A function of the kernel that gives a loss.
        bias_regularizer: A function of the bias that gives a loss.
        activity_regularizer: A function of the outputs that gives a loss.
        kernel_constraint: A function that projects the kernel after an optimizer's update.
        bias_constraint: A function that projects the bias after an optimizer's update.
        trainable: Whether optimizers train the variables by default.
        name: The layer's name.
        kwargs: See `Layer`.
    """


class Conv1D(_Plain):
    __doc__ = "A convolution over one dimension: of a sequence, ``[batch, steps, channels]``.\n" + _ARGUMENTS
    _rank = 1

    def call(self, inputs: Any) -> Tensor:
        """The outputs; see the class."""
        return self._finished(
            _conv1d(
                inputs, self.kernel, self.strides[0], self.padding.upper(), data_format=self._layout, name="conv1d",
                dilations=self.dilation_rate[0],
            )
        )  # fmt: skip


class Conv2D(_Plain):
    __doc__ = "A convolution over two dimensions: of images, ``[batch, height, width, channels]``.\n" + _ARGUMENTS
    _rank = 2

    def call(self, inputs: Any) -> Tensor:
        """The outputs; see the class."""
        return self._finished(
            _conv2d(
                inputs, self.kernel, self._spread(self.strides), self.padding.upper(), data_format=self._layout,
                dilations=self._spread(self.dilation_rate), name="Conv2D",
            )
        )  # fmt: skip


class Conv3D(_Plain):
    __doc__ = (
        "A convolution over three dimensions: of volumes, ``[batch, depth, height, width, channels]``.\n" + _ARGUMENTS
    )
    _rank = 3

    def call(self, inputs: Any) -> Tensor:
        """The outputs; see the class."""
        return self._finished(
            _conv3d(
                inputs, self.kernel, self._spread(self.strides), self.padding.upper(), data_format=self._layout,
                dilations=self._spread(self.dilation_rate), name="Conv3D",
            )
        )  # fmt: skip


class Conv2DTranspose(_Plain):
    """The transpose of a convolution over two dimensions, called deconvolution.

    Args:
        filters: The number of channels of the outputs.
        kernel_size: The sizes of the kernel: an integer or one for each spatial dimension.
        strides: By how much the outputs are larger: an integer or one for each spatial dimension.
        padding: ``'valid'`` or ``'same'``.
        data_format: ``'channels_last'`` or ``'channels_first'``.
        activation: A function of the outputs, or its name; none by default.
        use_bias: Whether there is a bias.
        kernel_initializer: Initializer of the kernel; the scope's by default.
        bias_initializer: Initializer of the bias; zeros by default.
        kernel_regularizer: A function of the kernel that gives a loss.
        bias_regularizer: A function of the bias that gives a loss.
        activity_regularizer: A function of the outputs that gives a loss.
        kernel_constraint: A function that projects the kernel after an optimizer's update.
        bias_constraint: A function that projects the bias after an optimizer's update.
        trainable: Whether optimizers train the variables by default.
        name: The layer's name.
        kwargs: See `Layer`.
    """

    _rank = 2

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: str = "valid",
        data_format: str = "channels_last",
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = None,
        bias_initializer: Any = zeros_initializer(),  # noqa: B008  # it has no state
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        trainable: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            filters, kernel_size, strides, padding, data_format, 1, activation, use_bias, kernel_initializer,
            bias_initializer, kernel_regularizer, bias_regularizer, activity_regularizer, kernel_constraint,
            bias_constraint, trainable, name, **kwargs,
        )  # fmt: skip

    def _kernel_shape(self, channels: int) -> list[int]:
        return [*self.kernel_size, self.filters, channels]

    def call(self, inputs: Any) -> Tensor:
        """The outputs; see the class."""
        first = 2 if self.data_format == "channels_first" else 1
        sizes = shape_of(inputs)
        static = inputs.shape.as_list()
        spatial: list[Any] = []
        known: list[int | None] = []
        for index, (window, stride) in enumerate(zip(self.kernel_size, self.strides, strict=True), first):
            extra = max(window - stride, 0) if self.padding == "valid" else 0
            size = static[index]
            known.append(None if size is None else size * stride + extra)
            length = sizes[index] * stride
            spatial.append(length + extra if extra else length)
        parts = [sizes[0], self.filters, *spatial] if first == 2 else [sizes[0], *spatial, self.filters]
        outputs = _conv2d_transpose(
            inputs, self.kernel, stack(parts), self._spread(self.strides), self.padding.upper(), self._layout
        )
        outputs.set_shape([static[0], self.filters, *known] if first == 2 else [static[0], *known, self.filters])
        return self._finished(outputs)


class SeparableConv2D(_Convolution):
    """A convolution of each channel by itself, and then one by a kernel of a single place that mixes the channels.

    Args:
        filters: The number of channels of the outputs.
        kernel_size: The sizes of the kernel: an integer or one for each spatial dimension.
        strides: The distances between the kernel's places: an integer or one for each spatial dimension.
        padding: ``'valid'`` or ``'same'``.
        data_format: ``'channels_last'`` or ``'channels_first'``.
        dilation_rate: The distances between the kernel's taps: an integer or one for each spatial dimension.
        depth_multiplier: The number of channels that are made of each channel before they are mixed.
        activation: A function of the outputs, or its name; none by default.
        use_bias: Whether there is a bias.
        depthwise_initializer: Initializer of the first kernel; the scope's by default.
        pointwise_initializer: Initializer of the second kernel; the scope's by default.
        bias_initializer: Initializer of the bias; zeros by default.
        depthwise_regularizer: A function of the first kernel that gives a loss.
        pointwise_regularizer: A function of the second kernel that gives a loss.
        bias_regularizer: A function of the bias that gives a loss.
        activity_regularizer: A function of the outputs that gives a loss.
        depthwise_constraint: A function that projects the first kernel after an optimizer's update.
        pointwise_constraint: A function that projects the second kernel after an optimizer's update.
        bias_constraint: A function that projects the bias after an optimizer's update.
        trainable: Whether optimizers train the variables by default.
        name: The layer's name.
        kwargs: See `Layer`.
    """

    _rank = 2

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: str = "valid",
        data_format: str = "channels_last",
        dilation_rate: Any = (1, 1),
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = None,
        pointwise_initializer: Any = None,
        bias_initializer: Any = zeros_initializer(),  # noqa: B008  # it has no state
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        pointwise_constraint: Any = None,
        bias_constraint: Any = None,
        trainable: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(trainable=trainable, name=name, **kwargs)
        self._set(
            filters, kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias,
            (bias_initializer, bias_regularizer, bias_constraint),
        )  # fmt: skip
        self.depth_multiplier = depth_multiplier
        self._for_depthwise = (depthwise_initializer, depthwise_regularizer, True, depthwise_constraint)
        self._for_pointwise = (pointwise_initializer, pointwise_regularizer, True, pointwise_constraint)
        self.activity_regularizer = activity_regularizer

    def build(self, input_shape: TensorShape) -> None:
        """Makes ``depthwise_kernel``, ``pointwise_kernel`` and ``bias``."""
        channels = self._channels(input_shape)
        shape = [*self.kernel_size, channels, self.depth_multiplier]
        self.depthwise_kernel = self.add_weight("depthwise_kernel", shape, None, *self._for_depthwise)
        shape = [1, 1, channels * self.depth_multiplier, self.filters]
        self.pointwise_kernel = self.add_weight("pointwise_kernel", shape, None, *self._for_pointwise)
        self._add_bias_weight()
        self.built = True

    def call(self, inputs: Any) -> Tensor:
        """The outputs; see the class."""
        return self._finished(
            _separable_conv2d(
                inputs, self.depthwise_kernel, self.pointwise_kernel, self._spread(self.strides), self.padding.upper(),
                rate=list(self.dilation_rate), data_format=self._layout,
            )
        )  # fmt: skip


conv1d = as_function(Conv1D, "conv1d", "A convolution over one dimension.")
conv2d = as_function(Conv2D, "conv2d", "A convolution over two dimensions.")
conv3d = as_function(Conv3D, "conv3d", "A convolution over three dimensions.")
conv2d_transpose = as_function(Conv2DTranspose, "conv2d_transpose", "The transpose of a convolution over images.")
separable_conv2d = as_function(
    SeparableConv2D, "separable_conv2d", "A convolution of each channel by itself, and then one that mixes them."
)


def tuple_of(value: Any, count: int, name: str) -> tuple[int, ...]:
    """An argument for several dimensions.

    Raises:
        ValueError: If it is not that many integers.
    """
    if isinstance(value, int):
        return (value,) * count
    try:
        found = tuple(int(v) for v in value)
    except TypeError:
        found = ()
    if len(found) != count:
        raise ValueError(f"The `{name}` argument must be a tuple of {count} integers. Received: {value}")
    return found


def checked_padding(padding: Any) -> str:
    """``'valid'`` or ``'same'``.

    Raises:
        ValueError: If it is something else.
    """
    lower = padding.lower() if isinstance(padding, str) else ""
    if lower not in ("valid", "same"):
        raise ValueError(
            'The `padding` argument must be a list/tuple or one of "valid", "same" (or "causal", only for `Conv1D). '
            f"Received: {padding}"
        )
    return lower


def checked_format(data_format: str) -> str:
    """``'channels_last'`` or ``'channels_first'``.

    Raises:
        ValueError: If it is something else.
    """
    lower = data_format.lower()
    if lower not in ("channels_last", "channels_first"):
        raise ValueError(
            'The `data_format` argument must be one of "channels_first", "channels_last". Received: ' + str(data_format)
        )
    return lower
