"""Pooling layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from monitored._graph.operation import Tensor
from monitored._ops.array import expand_dims, squeeze
from monitored._ops.layers_base import Layer, as_function
from monitored._ops.layers_convolution import checked_format, checked_padding, tuple_of
from monitored._ops.pooling import avg_pool, avg_pool3d, max_pool, max_pool3d

__all__ = [
    "AveragePooling1D",
    "AveragePooling2D",
    "AveragePooling3D",
    "MaxPooling1D",
    "MaxPooling2D",
    "MaxPooling3D",
    "average_pooling1d",
    "average_pooling2d",
    "average_pooling3d",
    "max_pooling1d",
    "max_pooling2d",
    "max_pooling3d",
]

_ARGUMENTS = """
    Args:
        pool_size: The sizes of a window: an integer or one for each spatial dimension.
        strides: The distances between windows: an integer or one for each spatial dimension.
        padding: ``'valid'`` or ``'same'``.
        data_format: ``'channels_last'`` or ``'channels_first'``.
        name: The layer's name.
        kwargs: See `Layer`.
    """


class _Pooling(Layer):
    """What pooling layers have in common."""

    _rank: int
    _pool: Callable[..., Tensor]

    def __init__(
        self,
        pool_size: Any,
        strides: Any,
        padding: str = "valid",
        data_format: str = "channels_last",
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.pool_size = tuple_of(pool_size, self._rank, "pool_size")
        self.strides = tuple_of(strides, self._rank, "strides")
        self.padding = checked_padding(padding)
        self.data_format = checked_format(data_format)

    def _check(self, inputs: Any) -> None:
        self._check_rank(inputs, self._rank + 2)

    def call(self, inputs: Any) -> Tensor:
        """The outputs; see the class."""
        first = self.data_format == "channels_first"
        sizes = [(1, 1, *v) if first else (1, *v, 1) for v in (self.pool_size, self.strides)]
        pool = type(self)._pool
        if self._rank == 3:
            return pool(inputs, *sizes, self.padding.upper(), "NCDHW" if first else "NDHWC")
        layout = "NCHW" if first else "NHWC"
        if self._rank == 2:
            return pool(inputs, *sizes, self.padding.upper(), layout)
        axis = 3 if first else 2  # a sequence is an image of that height and a width of one
        wide = [[*size[:axis], 1, *size[axis:]] for size in sizes]
        return squeeze(pool(expand_dims(inputs, axis), *wide, self.padding.upper(), layout), [axis])


class MaxPooling1D(_Pooling):
    __doc__ = "The maximum of windows over one dimension.\n" + _ARGUMENTS
    _rank, _pool = 1, max_pool


class MaxPooling2D(_Pooling):
    __doc__ = "The maximum of windows over two dimensions.\n" + _ARGUMENTS
    _rank, _pool = 2, max_pool


class MaxPooling3D(_Pooling):
    __doc__ = "The maximum of windows over three dimensions.\n" + _ARGUMENTS
    _rank, _pool = 3, max_pool3d


class AveragePooling1D(_Pooling):
    __doc__ = "The mean of windows over one dimension.\n" + _ARGUMENTS
    _rank, _pool = 1, avg_pool


class AveragePooling2D(_Pooling):
    __doc__ = "The mean of windows over two dimensions.\n" + _ARGUMENTS
    _rank, _pool = 2, avg_pool


class AveragePooling3D(_Pooling):
    __doc__ = "The mean of windows over three dimensions.\n" + _ARGUMENTS
    _rank, _pool = 3, avg_pool3d


max_pooling1d = as_function(MaxPooling1D, "max_pooling1d", "The maximum of windows over one dimension.", shares=False)
max_pooling2d = as_function(MaxPooling2D, "max_pooling2d", "The maximum of windows over two dimensions.", shares=False)
max_pooling3d = as_function(
    MaxPooling3D, "max_pooling3d", "The maximum of windows over three dimensions.", shares=False
)
average_pooling1d = as_function(
    AveragePooling1D, "average_pooling1d", "The mean of windows over one dimension.", shares=False
)
average_pooling2d = as_function(
    AveragePooling2D, "average_pooling2d", "The mean of windows over two dimensions.", shares=False
)
average_pooling3d = as_function(
    AveragePooling3D, "average_pooling3d", "The mean of windows over three dimensions.", shares=False
)
