"""Neural networks: activations, convolutions, pooling, normalization, losses per example, lookups."""

from __future__ import annotations

from monitored._ops.activations import bias_add as bias_add
from monitored._ops.activations import crelu as crelu
from monitored._ops.activations import elu as elu
from monitored._ops.activations import leaky_relu as leaky_relu
from monitored._ops.activations import log_softmax as log_softmax
from monitored._ops.activations import relu as relu
from monitored._ops.activations import relu6 as relu6
from monitored._ops.activations import selu as selu
from monitored._ops.activations import sigmoid as sigmoid
from monitored._ops.activations import softmax as softmax
from monitored._ops.activations import softplus as softplus
from monitored._ops.activations import softsign as softsign
from monitored._ops.activations import swish as swish
from monitored._ops.activations import tanh as tanh
from monitored._ops.conv1d import atrous_conv2d as atrous_conv2d
from monitored._ops.conv1d import conv1d as conv1d
from monitored._ops.conv1d import conv1d_transpose as conv1d_transpose
from monitored._ops.conv1d import convolution as convolution
from monitored._ops.convolution import conv2d as conv2d
from monitored._ops.convolution import conv2d_backprop_filter as conv2d_backprop_filter
from monitored._ops.convolution import conv2d_backprop_input as conv2d_backprop_input
from monitored._ops.convolution import conv2d_transpose as conv2d_transpose
from monitored._ops.convolution import conv3d as conv3d
from monitored._ops.convolution import conv3d_transpose as conv3d_transpose
from monitored._ops.cross_entropy import sigmoid_cross_entropy_with_logits as sigmoid_cross_entropy_with_logits
from monitored._ops.cross_entropy import softmax_cross_entropy_with_logits as softmax_cross_entropy_with_logits
from monitored._ops.cross_entropy import softmax_cross_entropy_with_logits_v2 as softmax_cross_entropy_with_logits_v2
from monitored._ops.cross_entropy import (
    sparse_softmax_cross_entropy_with_logits as sparse_softmax_cross_entropy_with_logits,
)
from monitored._ops.cross_entropy import weighted_cross_entropy_with_logits as weighted_cross_entropy_with_logits
from monitored._ops.depthwise import depthwise_conv2d as depthwise_conv2d
from monitored._ops.depthwise import depthwise_conv2d_native as depthwise_conv2d_native
from monitored._ops.depthwise import separable_conv2d as separable_conv2d
from monitored._ops.nn import dropout as dropout
from monitored._ops.nn import embedding_lookup as embedding_lookup
from monitored._ops.nn import in_top_k as in_top_k
from monitored._ops.nn import relu_layer as relu_layer
from monitored._ops.nn import top_k as top_k
from monitored._ops.nn import xw_plus_b as xw_plus_b
from monitored._ops.nn import zero_fraction as zero_fraction
from monitored._ops.normalization import batch_normalization as batch_normalization
from monitored._ops.normalization import fused_batch_norm as fused_batch_norm
from monitored._ops.normalization import l2_loss as l2_loss
from monitored._ops.normalization import l2_normalize as l2_normalize
from monitored._ops.normalization import local_response_normalization as local_response_normalization
from monitored._ops.normalization import lrn as lrn
from monitored._ops.normalization import moments as moments
from monitored._ops.pooling import avg_pool as avg_pool
from monitored._ops.pooling import avg_pool1d as avg_pool1d
from monitored._ops.pooling import avg_pool2d as avg_pool2d
from monitored._ops.pooling import avg_pool3d as avg_pool3d
from monitored._ops.pooling import avg_pool_v2 as avg_pool_v2
from monitored._ops.pooling import max_pool as max_pool
from monitored._ops.pooling import max_pool1d as max_pool1d
from monitored._ops.pooling import max_pool2d as max_pool2d
from monitored._ops.pooling import max_pool3d as max_pool3d
from monitored._ops.pooling import max_pool_v2 as max_pool_v2

__all__ = [
    "atrous_conv2d",
    "avg_pool",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "avg_pool_v2",
    "batch_normalization",
    "bias_add",
    "conv1d",
    "conv1d_transpose",
    "conv2d",
    "conv2d_backprop_filter",
    "conv2d_backprop_input",
    "conv2d_transpose",
    "conv3d",
    "conv3d_transpose",
    "convolution",
    "crelu",
    "depthwise_conv2d",
    "depthwise_conv2d_native",
    "dropout",
    "elu",
    "embedding_lookup",
    "fused_batch_norm",
    "in_top_k",
    "l2_loss",
    "l2_normalize",
    "leaky_relu",
    "local_response_normalization",
    "log_softmax",
    "lrn",
    "max_pool",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "max_pool_v2",
    "moments",
    "relu",
    "relu6",
    "relu_layer",
    "selu",
    "separable_conv2d",
    "sigmoid",
    "sigmoid_cross_entropy_with_logits",
    "softmax",
    "softmax_cross_entropy_with_logits",
    "softmax_cross_entropy_with_logits_v2",
    "softplus",
    "softsign",
    "sparse_softmax_cross_entropy_with_logits",
    "swish",
    "tanh",
    "top_k",
    "weighted_cross_entropy_with_logits",
    "xw_plus_b",
    "zero_fraction",
]
