"""Layers that make their own variables."""

# isort: skip_file
from __future__ import annotations

# fmt: off
from monitored._ops.layers import (
    BatchNormalization, Dense, Dropout, Flatten, batch_normalization, dense, dropout, flatten,
)
from monitored._ops.layers_base import Layer
from monitored._ops.layers_convolution import (
    Conv1D, Conv2D, Conv2DTranspose, Conv3D, SeparableConv2D, conv1d, conv2d, conv2d_transpose, conv3d,
    separable_conv2d,
)
from monitored._ops.layers_pooling import (
    AveragePooling1D, AveragePooling2D, AveragePooling3D, MaxPooling1D, MaxPooling2D, MaxPooling3D,
    average_pooling1d, average_pooling2d, average_pooling3d, max_pooling1d, max_pooling2d, max_pooling3d,
)

__all__ = [
    "AveragePooling1D", "AveragePooling2D", "AveragePooling3D", "BatchNormalization", "Conv1D", "Conv2D",
    "Conv2DTranspose", "Conv3D", "Dense", "Dropout", "Flatten", "Layer", "MaxPooling1D", "MaxPooling2D",
    "MaxPooling3D", "SeparableConv2D", "average_pooling1d", "average_pooling2d", "average_pooling3d",
    "batch_normalization", "conv1d", "conv2d", "conv2d_transpose", "conv3d", "dense", "dropout", "flatten",
    "max_pooling1d", "max_pooling2d", "max_pooling3d", "separable_conv2d",
]
# fmt: on
