"""Neural networks: activations, convolutions, pooling, normalization, losses per example, lookups."""

# isort: skip_file
from __future__ import annotations

# fmt: off
from monitored import rnn_cell
from monitored._ops.activations import (
    bias_add, crelu, elu, leaky_relu, log_softmax, relu, relu6, selu, sigmoid, softmax, softplus, softsign, swish,
    tanh,
)
from monitored._ops.candidate_sampling import (
    compute_accidental_hits, log_uniform_candidate_sampler, nce_loss, sampled_softmax_loss, uniform_candidate_sampler,
)
from monitored._ops.conv1d import atrous_conv2d, conv1d, conv1d_transpose, convolution
from monitored._ops.convolution import (
    conv2d, conv2d_backprop_filter, conv2d_backprop_input, conv2d_transpose, conv3d, conv3d_transpose,
)
from monitored._ops.cross_entropy import (
    sigmoid_cross_entropy_with_logits, softmax_cross_entropy_with_logits, softmax_cross_entropy_with_logits_v2,
    sparse_softmax_cross_entropy_with_logits, weighted_cross_entropy_with_logits,
)
from monitored._ops.depthwise import depthwise_conv2d, depthwise_conv2d_native, separable_conv2d
from monitored._ops.nn import dropout, embedding_lookup, in_top_k, relu_layer, top_k, xw_plus_b, zero_fraction
from monitored._ops.normalization import (
    batch_normalization, fused_batch_norm, l2_loss, l2_normalize, local_response_normalization, lrn, moments,
)
from monitored._ops.pooling import (
    avg_pool, avg_pool1d, avg_pool2d, avg_pool3d, avg_pool_v2, max_pool, max_pool1d, max_pool2d, max_pool3d,
    max_pool_v2,
)
from monitored._ops.rnn import bidirectional_dynamic_rnn, dynamic_rnn, static_bidirectional_rnn, static_rnn

__all__ = [
    "atrous_conv2d",
    "avg_pool",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "avg_pool_v2",
    "batch_normalization",
    "bias_add",
    "bidirectional_dynamic_rnn",
    "compute_accidental_hits",
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
    "dynamic_rnn",
    "elu",
    "embedding_lookup",
    "fused_batch_norm",
    "in_top_k",
    "l2_loss",
    "l2_normalize",
    "leaky_relu",
    "local_response_normalization",
    "log_softmax",
    "log_uniform_candidate_sampler",
    "lrn",
    "max_pool",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "max_pool_v2",
    "moments",
    "nce_loss",
    "relu",
    "relu6",
    "relu_layer",
    "rnn_cell",
    "sampled_softmax_loss",
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
    "static_bidirectional_rnn",
    "static_rnn",
    "swish",
    "tanh",
    "top_k",
    "uniform_candidate_sampler",
    "weighted_cross_entropy_with_logits",
    "xw_plus_b",
    "zero_fraction",
]
# fmt: on
