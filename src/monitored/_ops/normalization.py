"""Moments and normalization: of batches, of vectors, and of neighbouring channels."""

from __future__ import annotations

from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from monitored._graph import dtypes
from monitored._graph.build import apply, constant, convert_to_tensor
from monitored._graph.opdef import define
from monitored._graph.operation import Operation, Tensor
from monitored._graph.shapes import TensorShape
from monitored._ops import gradients
from monitored._ops.reductions import reduce_mean, reduce_sum
from monitored._ops.rules import either, misfit, scope, with_rank

__all__ = [
    "batch_normalization",
    "fused_batch_norm",
    "l2_loss",
    "l2_normalize",
    "local_response_normalization",
    "lrn",
    "moments",
]

_LEAST_EPSILON: Final = 1.001e-5  # as in TensorFlow, where cuDNN asks for it


# -- meanings -----------------------------------------------------------------------------------------------


def _fused(
    x: Any, scale: Any, offset: Any, mean: Any, variance: Any, *, epsilon: float, data_format: str, is_training: bool
) -> tuple[Any, ...]:
    axis = data_format.index("C")
    if not is_training:
        y = _normalized(x, scale, offset, mean, variance, axis, epsilon)
        return y, mean, variance, mean, variance
    axes = tuple(i for i in range(x.ndim) if i != axis)
    count = x.size // x.shape[axis]
    wide = jnp.asarray(x, scale.dtype)
    batch_mean = jnp.mean(wide, axes)
    batch_variance = jnp.mean(jnp.square(wide - _expanded(batch_mean, axis, x.ndim)), axes)
    unbiased = batch_variance * np.asarray(count / max(count - 1, 1), scale.dtype)
    y = _trained(x, scale, offset, batch_mean, batch_variance, axis, epsilon)
    return y, batch_mean, unbiased, batch_mean, batch_variance


def _fused_v3(
    x: Any, scale: Any, offset: Any, mean: Any, variance: Any, *, epsilon: float, data_format: str, is_training: bool
) -> tuple[Any, ...]:
    results = _fused(
        x, scale, offset, mean, variance, epsilon=epsilon, data_format=data_format, is_training=is_training
    )
    return (*results, jnp.zeros((), scale.dtype))


def _expanded(vector: Any, axis: int, rank: int) -> Any:
    return jnp.reshape(vector, [-1 if i == axis else 1 for i in range(rank)])


def _normalized(x: Any, scale: Any, offset: Any, mean: Any, variance: Any, axis: int, epsilon: float) -> Any:
    factor = scale * jax.lax.rsqrt(variance + np.asarray(epsilon, scale.dtype))
    shifted = jnp.asarray(x, scale.dtype) - _expanded(mean, axis, x.ndim)
    return (shifted * _expanded(factor, axis, x.ndim) + _expanded(offset, axis, x.ndim)).astype(x.dtype)


def _trained(x: Any, scale: Any, offset: Any, mean: Any, variance: Any, axis: int, epsilon: float) -> Any:
    """Normalizes by the batch's own moments; the gradient counts that they depend on the input.

    Ioffe and Szegedy, "Batch normalization", ICML 2015. Two sums over the batch are all that the gradient needs.
    """
    axes = tuple(i for i in range(x.ndim) if i != axis)
    count = np.asarray(x.size // x.shape[axis], scale.dtype)

    @jax.custom_vjp
    def normalize(x: Any, scale: Any, offset: Any, mean: Any, variance: Any) -> Any:
        return _normalized(x, scale, offset, mean, variance, axis, epsilon)

    def forward(x: Any, scale: Any, offset: Any, mean: Any, variance: Any) -> tuple[Any, Any]:
        return normalize(x, scale, offset, mean, variance), (x, scale, mean, variance)

    def backward(kept: Any, gradient: Any) -> tuple[Any, ...]:
        x, scale, mean, variance = kept
        inverse = jax.lax.rsqrt(variance + np.asarray(epsilon, scale.dtype))
        wide = jnp.asarray(gradient, scale.dtype)
        shifted = jnp.asarray(x, scale.dtype) - _expanded(mean, axis, x.ndim)
        offset_gradient = jnp.sum(wide, axes)
        scale_gradient = jnp.sum(wide * shifted, axes) * inverse
        towards_mean = _expanded(offset_gradient / count, axis, x.ndim)
        towards_variance = shifted * _expanded(scale_gradient * inverse / count, axis, x.ndim)
        x_gradient = (wide - towards_mean - towards_variance) * _expanded(scale * inverse, axis, x.ndim)
        none = jnp.zeros_like(mean)
        return x_gradient.astype(x.dtype), scale_gradient, offset_gradient, none, none

    normalize.defvjp(forward, backward)
    return normalize(x, scale, offset, mean, variance)


def _fused_gradient(op: Operation, gradient: Tensor | None, *others: Tensor | None) -> list[Tensor | None]:
    """As in TensorFlow only the normalized output passes gradients on, and moving moments get none."""
    if gradient is None:
        return [None] * 5
    wanted = [i for i in range(3) if op.inputs[i].dtype.is_floating]
    return [*gradients.vjp(op, wanted, [0], [gradient]), None, None]


def _l2_loss(t: Any) -> Any:
    return jnp.sum(jnp.square(t)) / np.asarray(2, t.dtype)


def _lrn(input: Any, *, depth_radius: int, bias: float, alpha: float, beta: float) -> Any:
    depth = input.shape[-1]
    squares = jnp.pad(jnp.square(input), [(0, 0)] * (input.ndim - 1) + [(depth_radius, depth_radius)])
    total = sum(squares[..., i : i + depth] for i in range(2 * depth_radius + 1))
    bias_, alpha_, beta_ = (np.asarray(v, input.dtype) for v in (bias, alpha, -beta))
    return input * jnp.power(bias_ + alpha_ * total, beta_)


# -- definitions --------------------------------------------------------------------------------------------


def _fused_shapes(op: Operation) -> list[TensorShape]:
    attrs = op._attrs
    axis = attrs["data_format"].index("C")
    sizes = list(with_rank(op, 0, 4))
    channels = sizes[axis]
    for i in range(1, 3 if attrs["is_training"] else 5):
        (size,) = with_rank(op, i, 1)
        if channels is not None and size is not None and channels != size:
            raise misfit(op, f"Dimensions must be equal, but are {channels} and {size}")
        channels = size if channels is None else channels
    sizes[axis] = channels
    vector = TensorShape([channels])
    shapes = [TensorShape(sizes), vector, vector, vector, vector]
    return [*shapes, TensorShape([])] if len(op.op_def.outputs) == 6 else shapes


_FUSED: Final[dict[str, Any]] = {"epsilon": 0.0001, "data_format": "NHWC", "is_training": True}
_FUSED_SIGNATURE: Final = (
    "x:T scale:{0} offset:{0} mean:{0} variance:{0} -> y:T batch_mean:{0} batch_variance:{0} "
    "reserve_space_1:{0} reserve_space_2:{0}"
)
define("FusedBatchNorm", _FUSED_SIGNATURE.format("T"), _fused, infer=_fused_shapes, grad=_fused_gradient, **_FUSED)
define("FusedBatchNormV2", _FUSED_SIGNATURE.format("U"), _fused, infer=_fused_shapes, grad=_fused_gradient, **_FUSED)
define("FusedBatchNormV3", _FUSED_SIGNATURE.format("U") + " reserve_space_3:U", _fused_v3, infer=_fused_shapes,
       grad=_fused_gradient, **_FUSED)  # fmt: skip
define("L2Loss", "t:T -> output:T", _l2_loss, infer=lambda op: TensorShape([]))
define("LRN", "input:T -> output:T", _lrn, infer=lambda op: op.inputs[0].shape.with_rank(4), T=dtypes.float32,
       depth_radius=5, bias=1.0, alpha=1.0, beta=0.5)  # fmt: skip


# -- public functions ---------------------------------------------------------------------------------------


def moments(
    x: Any,
    axes: Any,
    shift: Any = None,
    name: str | None = None,
    keep_dims: bool | None = None,
    keepdims: bool | None = None,
) -> tuple[Tensor, Tensor]:
    """The mean and the variance over some dimensions.

    Args:
        x: A tensor of a floating type; float16 is worked out in float32.
        axes: The dimensions to go over: integers.
        shift: Not used, as in TensorFlow.
        name: A name for the operations.
        keep_dims: An old name for `keepdims`.
        keepdims: Whether those dimensions stay, with size 1.

    Returns:
        The mean and the variance, of the type of `x`.
    """
    keep = bool(either("keepdims", keepdims, "keep_dims", keep_dims))
    with scope(name, "moments", x):
        x = convert_to_tensor(x, name="x")
        half = x.dtype.base_dtype == dtypes.float16
        y = apply("Cast", x, DstT=dtypes.float32) if half else x
        mean = reduce_mean(y, axes, keepdims=True, name="mean")
        variance = reduce_mean(
            apply("SquaredDifference", y, apply("StopGradient", mean)), axes, keepdims=True, name="variance"
        )
        if not keep:
            dims = [int(a) for a in np.ravel(axes)]
            mean = apply("Squeeze", mean, squeeze_dims=dims)
            variance = apply("Squeeze", variance, squeeze_dims=dims)
        if half:
            mean = apply("Cast", mean, DstT=dtypes.float16)
            variance = apply("Cast", variance, DstT=dtypes.float16)
        return mean, variance


def batch_normalization(
    x: Any, mean: Any, variance: Any, offset: Any, scale: Any, variance_epsilon: Any, name: str | None = None
) -> Tensor:
    """``(x - mean) / sqrt(variance + variance_epsilon) * scale + offset``.

    Args:
        x: A tensor of a floating type.
        mean: The mean, which broadcasts against `x`.
        variance: The variance, which broadcasts against `x`.
        offset: What to add, or None.
        scale: What to multiply with, or None.
        variance_epsilon: A small number that keeps the root from zero.
        name: A name for the operations.

    Returns:
        A tensor of the type of `x`.
    """
    with scope(name, "batchnorm", x, mean, variance, scale, offset):
        x, mean, variance = (
            convert_to_tensor(v, name=n) for v, n in ((x, "x"), (mean, "mean"), (variance, "variance"))
        )
        factor = apply("Rsqrt", variance + variance_epsilon)
        if scale is not None:
            factor = factor * scale
        scaled = x * factor
        shift = -mean * factor if offset is None else offset - mean * factor
        result: Tensor = scaled + shift
        return result


def fused_batch_norm(
    x: Any,
    scale: Any,
    offset: Any,
    mean: Any = None,
    variance: Any = None,
    epsilon: float = 0.001,
    data_format: str = "NHWC",
    is_training: bool = True,
    name: str | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Batch normalization of images in one operation.

    Args:
        x: ``[batch, height, width, channels]``, or as `data_format` says; float16, bfloat16 or float32.
        scale: ``[channels]``, float32.
        offset: ``[channels]``, float32.
        mean: ``[channels]``, float32: the mean to use when not training.
        variance: ``[channels]``, float32: the variance to use when not training.
        epsilon: What is added to the variance; not less than 1.001e-5.
        data_format: ``'NHWC'`` or ``'NCHW'``.
        is_training: Whether to use the moments of the batch itself.
        name: A name for the operation.

    Returns:
        The normalized `x`, and the mean and variance: of the batch when training (the variance without bias, for
        moving averages), else those given. Gradients flow through the first only.

    Raises:
        ValueError: If moments are given when training, or are missing when not.
    """
    if is_training and (mean is not None or variance is not None):
        raise ValueError("Both 'mean' and 'variance' must be None if is_training is True.")
    if not is_training and (mean is None or variance is None):
        raise ValueError("Both 'mean' and 'variance' must be given if is_training is False.")
    x = convert_to_tensor(x, name="input")
    scale = convert_to_tensor(scale, name="scale")
    offset = convert_to_tensor(offset, name="offset")
    mean, variance = (constant([], dtypes.float32) if v is None else v for v in (mean, variance))
    y, batch_mean, batch_variance, *_ = apply(
        "FusedBatchNormV3",
        x,
        scale,
        offset,
        mean,
        variance,
        name=name,
        epsilon=max(epsilon, _LEAST_EPSILON),
        data_format=data_format,
        is_training=is_training,
    )
    return y, batch_mean, batch_variance


def l2_normalize(x: Any, axis: Any = None, epsilon: float = 1e-12, name: str | None = None, dim: Any = None) -> Tensor:
    """A tensor divided by its Euclidean norm.

    Args:
        x: A tensor of a floating type.
        axis: The dimension or dimensions along which the norm is 1; all of them by default.
        epsilon: The least squared norm to divide by.
        name: A name for the operation.
        dim: An old name for `axis`.

    Returns:
        A tensor of the shape and type of `x`.
    """
    axis = either("axis", axis, "dim", dim)
    with scope(name, "l2_normalize", x) as full:
        x = convert_to_tensor(x, name="x")
        square = reduce_sum(apply("Square", x), axis, keepdims=True)
        inverse = apply("Rsqrt", apply("Maximum", square, epsilon))
        result: Tensor = apply("Mul", x, inverse, name=full)
        return result


def l2_loss(t: Any, name: str | None = None) -> Tensor:
    """Half the sum of the squared elements.

    Args:
        t: A tensor of a floating type.
        name: A name for the operation.

    Returns:
        A scalar of the type of `t`.
    """
    result: Tensor = apply("L2Loss", t, name=name)
    return result


def lrn(
    input: Any,
    depth_radius: int = 5,
    bias: float = 1,
    alpha: float = 1,
    beta: float = 0.5,
    name: str | None = None,
) -> Tensor:
    """Local response normalization: each element divided by ``(bias + alpha * squares) ** beta``.

    `squares` is the sum of the squares of the elements at the same place in the channels around it (Krizhevsky,
    Sutskever and Hinton, NIPS 2012).

    Args:
        input: ``[batch, height, width, channels]``; float16, bfloat16 or float32.
        depth_radius: How many channels on each side count.
        bias: See above.
        alpha: See above.
        beta: See above.
        name: A name for the operation.

    Returns:
        A tensor of the shape and type of `input`.
    """
    attrs = {"depth_radius": int(depth_radius), "bias": bias, "alpha": alpha, "beta": beta}
    result: Tensor = apply("LRN", input, name=name, **attrs)
    return result


local_response_normalization = lrn
