"""The nodes of which TensorFlow makes gradients, so that a training graph that it wrote runs as it stands.

Gradients made here are `jax.vjp` of the operation (`monitored._ops.gradients`); none of these operations is needed for
them. Where a node is the gradient of an operation of the vocabulary, its meaning is that operation's own vjp.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from monitored._graph import dtypes, infer
from monitored._graph.constant import constant_value_as_shape
from monitored._graph.opdef import REQUIRED, define, lookup
from monitored._graph.operation import Operation
from monitored._graph.shapes import TensorShape
from monitored._ops import convolution as _convolution  # noqa: F401  # the op types
from monitored._ops import depthwise as _depthwise  # noqa: F401  # the op types
from monitored._ops import normalization as _normalization  # noqa: F401  # the op types
from monitored._ops import pooling as _pooling  # noqa: F401  # the op types
from monitored._ops import slicing as _slicing  # noqa: F401  # the op types

__all__: list[str] = []

Array = Any


def _pull(op_type: str, inputs: list[Array], wrt: int, gradient: Array, **attrs: Any) -> Array:
    """The gradient of an operation's first output with respect to one input."""
    definition = lookup(op_type)
    lower = definition.lower
    assert lower is not None
    taken = {name: attrs[name] for name in definition.lower_attrs}

    def forward(value: Array) -> Array:
        result = lower(*inputs[:wrt], value, *inputs[wrt + 1 :], **taken)
        return result[0] if isinstance(result, (tuple, list)) else result

    (pulled,) = jax.vjp(forward, inputs[wrt])[1](jnp.asarray(gradient))
    return pulled


# -- elementwise: from the gradient and the input ---------------------------------------------------------------------


def _leaky_relu(gradients: Array, features: Array, *, alpha: float) -> Array:
    return jnp.where(features > 0, gradients, gradients * jnp.asarray(alpha, gradients.dtype))


def _softplus(gradients: Array, features: Array) -> Array:
    return gradients / (jnp.exp(-features) + 1)


def _selu(gradients: Array, outputs: Array) -> Array:
    scale, scale_alpha = 1.0507009873554805, 1.7580993408473768
    return jnp.where(outputs < 0, gradients * (outputs + scale_alpha), gradients * scale).astype(gradients.dtype)


for _type, _lower in {
    "ReluGrad": lambda gradients, features: jnp.where(features > 0, gradients, 0),
    "Relu6Grad": lambda gradients, features: jnp.where((features > 0) & (features < 6), gradients, 0),
    "SoftplusGrad": _softplus,
    "SoftsignGrad": lambda gradients, features: gradients / (1 + jnp.abs(features)) ** 2,
}.items():
    define(_type, "gradients:T features:T -> backprops:T", _lower, infer=infer.unchanged)
define(
    "LeakyReluGrad", "gradients:T features:T -> backprops:T", _leaky_relu, infer=infer.unchanged,
    alpha=0.2, T=dtypes.float32,
)  # fmt: skip

# From the gradient and the output.
define(
    "EluGrad", "gradients:T outputs:T -> backprops:T",
    lambda gradients, outputs: jnp.where(outputs < 0, gradients * (outputs + 1), gradients), infer=infer.unchanged,
)  # fmt: skip
define("SeluGrad", "gradients:T outputs:T -> backprops:T", _selu, infer=infer.unchanged)
for _type, _lower in {
    "SigmoidGrad": lambda y, dy: dy * y * (1 - y),
    "TanhGrad": lambda y, dy: dy * (1 - y * y),
    "RsqrtGrad": lambda y, dy: dy * -0.5 * y * y * y,
    "SqrtGrad": lambda y, dy: dy * 0.5 / y,
    "ReciprocalGrad": lambda y, dy: -dy * y * y,
    "InvGrad": lambda y, dy: -dy * y * y,
}.items():
    define(_type, "y:T dy:T -> z:T", _lower, infer=infer.unchanged)


# -- shapes -----------------------------------------------------------------------------------------------------------


def _reduced_axes(s0: Array, s1: Array) -> tuple[Array, Array]:
    """Over which axes the gradients of two operands that broadcast must be summed."""
    rank = max(len(s0), len(s1))
    padded = [[1] * (rank - len(s)) + [int(size) for size in s] for s in (s0, s1)]
    if list(s0) == list(s1):
        padded = [[], []]
    axes = [np.array([i for i, size in enumerate(sizes) if size == 1], s0.dtype) for sizes in padded]
    return axes[0], axes[1]


def _offsets(library: Any) -> Callable[..., list[Array]]:
    def offsets(concat_dim: Array, *shapes: Array) -> list[Array]:
        """Where each part of a concatenation starts."""
        here = np.arange(len(shapes[0])) == concat_dim % max(len(shapes[0]), 1)
        at, results = library.zeros_like(shapes[0]), []
        for shape in shapes:
            results.append(at)
            at = at + library.where(here, shape, 0)
        return results

    return offsets


define(
    "BroadcastGradientArgs", "s0:T s1:T -> r0:T r1:T", _reduced_axes, fold=_reduced_axes, static=(0, 1),
    infer=lambda op: (TensorShape([None]), TensorShape([None])), no_grad=True, T=dtypes.int32,
)  # fmt: skip
define(
    "ConcatOffset", "concat_dim:int32 shape:N*shape_type -> offset:N*shape_type", _offsets(jnp), fold=_offsets(np),
    no_grad=True, infer=lambda op: [t.shape for t in op.inputs[1:]], shape_type=dtypes.int32,
)  # fmt: skip


def _strided_slice(
    shape: Array, begin: Array, end: Array, strides: Array, dy: Array, *, begin_mask: int, end_mask: int,
    ellipsis_mask: int, new_axis_mask: int, shrink_axis_mask: int,
) -> Array:  # fmt: skip
    return _pull(
        "StridedSlice", [jnp.zeros(tuple(shape), dy.dtype), begin, end, strides], 0, dy, begin_mask=begin_mask,
        end_mask=end_mask, ellipsis_mask=ellipsis_mask, new_axis_mask=new_axis_mask, shrink_axis_mask=shrink_axis_mask,
    )  # fmt: skip


def _shape_given(op: Operation) -> TensorShape:
    return constant_value_as_shape(op.inputs[0])


define(
    "StridedSliceGrad", "shape:Index begin:Index end:Index strides:Index dy:T -> output:T", _strided_slice,
    static=(0, 1, 2, 3), infer=_shape_given, begin_mask=0, end_mask=0, ellipsis_mask=0, new_axis_mask=0,
    shrink_axis_mask=0,
)  # fmt: skip


def _mirror_pad(value: Array, paddings: Array, *, mode: str) -> Array:
    sizes = tuple(int(n - p.sum()) for n, p in zip(value.shape, paddings, strict=True))
    return _pull("MirrorPad", [jnp.zeros(sizes, value.dtype), paddings], 0, value, mode=mode)


define("MirrorPadGrad", "input:T paddings:Tpaddings -> output:T", _mirror_pad, static=(1,), mode=REQUIRED,
       Tpaddings=dtypes.int32)  # fmt: skip


# -- layers -----------------------------------------------------------------------------------------------------------


def _bias_add(out_backprop: Array, *, data_format: str) -> Array:
    channel = 1 if data_format == "NCHW" else out_backprop.ndim - 1
    return out_backprop.sum([i for i in range(out_backprop.ndim) if i != channel])


def _bias_shape(op: Operation) -> TensorShape:
    shape = op.inputs[0].shape
    if shape.ndims is None:
        return TensorShape([None])
    return TensorShape([shape[1 if op._attrs["data_format"] == "NCHW" else -1]])


define("BiasAddGrad", "out_backprop:T -> output:T", _bias_add, infer=_bias_shape, data_format="NHWC")

_POOL: dict[str, Any] = {"ksize": REQUIRED, "strides": REQUIRED, "padding": REQUIRED}


def _max_pool_gradient(op_type: str) -> Callable[..., Array]:
    def lower(
        orig_input: Array, orig_output: Array, grad: Array, *, ksize: Any, strides: Any, padding: str, data_format: str
    ) -> Array:
        return _pull(
            op_type, [orig_input], 0, grad, ksize=ksize, strides=strides, padding=padding, data_format=data_format
        )

    return lower


def _avg_pool_gradient(op_type: str) -> Callable[..., Array]:
    def lower(
        orig_input_shape: Array, grad: Array, *, ksize: Any, strides: Any, padding: str, data_format: str
    ) -> Array:
        zeros = jnp.zeros(tuple(orig_input_shape), grad.dtype)
        return _pull(op_type, [zeros], 0, grad, ksize=ksize, strides=strides, padding=padding, data_format=data_format)

    return lower


define(
    "MaxPoolGrad", "orig_input:T orig_output:T grad:T -> output:T", _max_pool_gradient("MaxPool"),
    infer=infer.unchanged, explicit_paddings=[], data_format="NHWC", T=dtypes.float32, **_POOL,
)  # fmt: skip
define(
    "MaxPool3DGrad", "orig_input:TInput orig_output:TInput grad:T -> output:T", _max_pool_gradient("MaxPool3D"),
    infer=infer.unchanged, data_format="NDHWC", T=dtypes.float32, TInput=dtypes.float32, **_POOL,
)  # fmt: skip
define(
    "AvgPoolGrad", "orig_input_shape:int32 grad:T -> output:T", _avg_pool_gradient("AvgPool"), static=(0,),
    infer=_shape_given, data_format="NHWC", **_POOL,
)  # fmt: skip
define(
    "AvgPool3DGrad", "orig_input_shape:int32 grad:T -> output:T", _avg_pool_gradient("AvgPool3D"), static=(0,),
    infer=_shape_given, data_format="NDHWC", **_POOL,
)  # fmt: skip


def _batch_norm_gradient(
    y_backprop: Array, x: Array, scale: Array, mean: Array, variance: Array, *_: Array, epsilon: float,
    data_format: str, is_training: bool,
) -> tuple[Array, ...]:  # fmt: skip
    """The gradients by the input, the scale and the offset; in training the moments are those of the batch."""
    axes = (0, 2, 3) if data_format == "NCHW" else tuple(range(x.ndim - 1))

    def spread(moments: Array) -> Array:
        return moments[:, None, None] if data_format == "NCHW" else moments

    wide, gradient = jnp.asarray(x, scale.dtype), jnp.asarray(y_backprop, scale.dtype)
    if is_training:
        mean, variance = wide.mean(axes), wide.var(axes)
    inverse = jax.lax.rsqrt(variance + jnp.asarray(epsilon, scale.dtype))
    normal = (wide - spread(mean)) * spread(inverse)
    by_offset, by_scale = gradient.sum(axes), (gradient * normal).sum(axes)
    by_x = gradient
    if is_training:
        count = wide.size // scale.size
        by_x = gradient - spread(by_offset / count) - normal * spread(by_scale / count)
    return (by_x * spread(scale * inverse)).astype(x.dtype), by_scale, by_offset, jnp.zeros(0), jnp.zeros(0)


def _batch_norm_shapes(op: Operation) -> list[TensorShape]:
    return [op.inputs[1].shape, op.inputs[2].shape, op.inputs[2].shape, TensorShape([0]), TensorShape([0])]


for _type, _scale, _u, _reserved in (
    ("FusedBatchNormGrad", "T", "T", 2),
    ("FusedBatchNormGradV2", "float32", "U", 2),
    ("FusedBatchNormGradV3", "float32", "U", 3),
):
    _kept = " ".join(f"reserve_space_{i + 1}:{_u}" for i in range(_reserved))
    _made = " ".join(f"reserve_space_{i + 1}:{_u}" for i in range(_reserved, _reserved + 2))
    define(
        _type,
        f"y_backprop:T x:T scale:{_scale} {_kept} -> x_backprop:T scale_backprop:{_u} offset_backprop:{_u} {_made}",
        _batch_norm_gradient, infer=_batch_norm_shapes, epsilon=0.0001, data_format="NHWC", is_training=True,
    )  # fmt: skip


def _convolution_gradient(op_type: str, wrt: int) -> Callable[..., Array]:
    """The gradient of a convolution by its input (0) or its filter (1), whose shape comes in that one's place."""

    def lower(
        first: Array, second: Array, out_backprop: Array, *, strides: Any, padding: str, data_format: str,
        dilations: Any,
    ) -> Array:  # fmt: skip
        inputs = [first, second]
        inputs[wrt] = jnp.zeros(tuple(int(size) for size in inputs[wrt]), out_backprop.dtype)
        attrs = {"strides": strides, "padding": padding, "data_format": data_format, "dilations": dilations}
        return _pull(op_type, inputs, wrt, out_backprop, **attrs)

    return lower


def _shape_at(position: int) -> Callable[[Operation], TensorShape]:
    return lambda op: constant_value_as_shape(op.inputs[position])


for _type, _model, _wrt in (
    ("DepthwiseConv2dNativeBackpropInput", "DepthwiseConv2dNative", 0),
    ("DepthwiseConv2dNativeBackpropFilter", "DepthwiseConv2dNative", 1),
    ("Conv3DBackpropFilterV2", "Conv3D", 1),
):
    _taken = ("input_sizes:int32 filter:T", "input:T filter_sizes:int32")[_wrt]
    define(
        _type, f"{_taken} out_backprop:T -> output:T",
        _convolution_gradient(_model, _wrt), static=(_wrt,), infer=_shape_at(_wrt), strides=REQUIRED, padding=REQUIRED,
        data_format="NDHWC" if "3D" in _type else "NHWC", dilations=[1] * (5 if "3D" in _type else 4),
    )  # fmt: skip


def _local_response(
    input_grads: Array, input_image: Array, output_image: Array, *, depth_radius: int, bias: float, alpha: float,
    beta: float,
) -> Array:  # fmt: skip
    return _pull("LRN", [input_image], 0, input_grads, depth_radius=depth_radius, bias=bias, alpha=alpha, beta=beta)


define(
    "LRNGrad", "input_grads:T input_image:T output_image:T -> output:T", _local_response, infer=infer.unchanged,
    depth_radius=5, bias=1.0, alpha=1.0, beta=0.5, T=dtypes.float32,
)  # fmt: skip


# -- arrays -----------------------------------------------------------------------------------------------------------


def _gradient_array(handle: Array, flow: Array, *, _fresh: bool) -> tuple[Array, Array]:
    """An array for the gradients of another's elements: zeros to be added to, or what has been added to already."""
    return np.zeros((), np.int32), jnp.zeros_like(flow) if _fresh else flow


define(
    "TensorArrayGradV3", "handle:resource flow_in:_T -> grad_handle:resource flow_out:_T", _gradient_array,
    infer=lambda op: [TensorShape(None), TensorShape(None)], source=REQUIRED, _fresh=True,
)  # fmt: skip


# -- rows that occur several times -----------------------------------------------------------------------------------


def _unique(x: Array, *, out_idx: dtypes.DType) -> tuple[Array, Array]:
    """The values that occur in a vector, padded with the greatest number there is, and which each element is."""
    x = jnp.asarray(x)
    order = jnp.argsort(x, stable=True)
    ordered = x[order]
    first = jnp.concatenate([jnp.ones([1], bool), ordered[1:] != ordered[:-1]])[: len(x)]
    which = jnp.cumsum(first) - 1
    beyond = np.iinfo(x.dtype).max
    values = jnp.full(x.shape, beyond, x.dtype).at[which].set(ordered, indices_are_sorted=True)
    return values, jnp.zeros(x.shape, out_idx.as_numpy_dtype).at[order].set(which.astype(out_idx.as_numpy_dtype))


define(
    "PaddedUnique", "x:T -> y:T idx:out_idx", _unique, infer=lambda op: [op.inputs[0].shape] * 2, no_grad=True,
    out_idx=dtypes.int32,
)  # fmt: skip
