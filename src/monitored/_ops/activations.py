"""Activations, softmax and biases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from monitored import errors
from monitored._graph import dtypes, infer
from monitored._graph.build import apply, convert_to_tensor
from monitored._graph.opdef import define
from monitored._graph.operation import Operation, Tensor
from monitored._graph.shapes import TensorShape
from monitored._ops.array import transpose
from monitored._ops.lift import FLOAT, REAL, Types, listed, named, of_types, unary
from monitored._ops.math import tanh, with_slope_of_result
from monitored._ops.rules import either, misfit, scope

__all__ = [
    "bias_add",
    "crelu",
    "elu",
    "leaky_relu",
    "log_softmax",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "softmax",
    "softplus",
    "softsign",
    "swish",
    "tanh",
]

# Klambauer, Unterthiner, Mayr and Hochreiter, "Self-normalizing neural networks", NeurIPS 2017.
_SELU_SCALE: Final = 1.0507009873554804934193349852946
_SELU_ALPHA: Final = 1.6732632423543772848170429916717


# -- meanings: at the points where they have a kink, gradients are TensorFlow's -----------------------------


@jax.custom_jvp
def _relu(features: Any) -> Any:
    return jnp.maximum(features, np.zeros((), features.dtype))


@_relu.defjvp
def _relu_jvp(primals: tuple[Any], tangents: tuple[Any]) -> tuple[Any, Any]:
    (features,), (tangent,) = primals, tangents
    return _relu(features), jnp.where(features > 0, tangent, jnp.zeros_like(tangent))


@jax.custom_jvp
def _relu6(features: Any) -> Any:
    return jnp.clip(features, np.zeros((), features.dtype), np.asarray(6, features.dtype))


@_relu6.defjvp
def _relu6_jvp(primals: tuple[Any], tangents: tuple[Any]) -> tuple[Any, Any]:
    (features,), (tangent,) = primals, tangents
    return _relu6(features), jnp.where((features > 0) & (features < 6), tangent, jnp.zeros_like(tangent))


def _exponential(features: Any) -> Any:
    """``exp(features) - 1`` where that is negative; its gradient is finite everywhere."""
    return jnp.expm1(jnp.where(features < 0, features, np.zeros((), features.dtype)))


def _elu(features: Any) -> Any:
    return jnp.where(features < 0, _exponential(features), features)


def _selu(features: Any) -> Any:
    scale, alpha = (np.asarray(v, features.dtype) for v in (_SELU_SCALE, _SELU_ALPHA))
    return scale * jnp.where(features < 0, alpha * _exponential(features), features)


def _leaky_relu(features: Any, *, alpha: float) -> Any:
    return jnp.where(features > 0, features, np.asarray(alpha, features.dtype) * features)


def _softplus(features: Any) -> Any:
    return jnp.logaddexp(features, np.zeros((), features.dtype))


def _softsign(features: Any) -> Any:
    return features / (np.ones((), features.dtype) + jnp.abs(features))


def _softmax(logits: Any) -> Any:
    return jax.nn.softmax(logits, axis=-1)


def _log_softmax(logits: Any) -> Any:
    return jax.nn.log_softmax(logits, axis=-1)


def _bias_add(value: Any, bias: Any, *, data_format: str) -> Any:
    axis = 1 if data_format == "NCHW" else value.ndim - 1
    return value + lax.broadcast_in_dim(bias, value.shape, (axis,))


# -- definitions --------------------------------------------------------------------------------------------


def _at_least_vector(op: Operation) -> TensorShape:
    shape = op.inputs[0].shape
    if shape.ndims == 0:
        raise misfit(op, "Shape must be at least rank 1 but is rank 0")
    return shape


def _bias_shape(op: Operation) -> TensorShape:
    value, bias = op.inputs[0].shape.sizes, op.inputs[1].shape.sizes
    if bias is not None and len(bias) != 1:
        raise misfit(op, f"Shape must be rank 1 but is rank {len(bias)}")
    if value is None:
        return TensorShape(None)
    if len(value) < 2:
        raise misfit(op, f"Shape must be at least rank 2 but is rank {len(value)}")
    axis = 1 if op._attrs["data_format"] == "NCHW" else len(value) - 1
    channels, wanted = value[axis], None if bias is None else bias[0]
    if channels is not None and wanted is not None and channels != wanted:
        raise misfit(op, f"Dimensions must be equal, but are {channels} and {wanted}")
    if channels is not None or wanted is None:
        return op.inputs[0].shape
    return TensorShape([wanted if i == axis else size for i, size in enumerate(value)])


class Activation(Protocol):
    """A public function of one tensor called `features`."""

    def __call__(self, features: Any, name: str | None = None) -> Tensor:
        """Adds the operation to the graph."""


def _activation(public: str, op_type: str, lower: Callable[[Any], Any], types: Types, computes: str) -> Activation:
    define(op_type, "features:T -> activations:T", lower, infer=of_types(types, infer.unchanged))

    def function(features: Any, name: str | None = None) -> Tensor:
        result: Tensor = apply(op_type, features, name=name)
        return result

    function.__doc__ = f"""{computes}

    Args:
        features: A tensor of {listed(types)}.
        name: A name for the operation (optional; `{op_type}` by default).

    Returns:
        A tensor of the shape and type of `features`.

    Raises:
        TypeError: If `features` has another type.
    """
    return named(function, public)


relu = _activation("relu", "Relu", _relu, REAL, "Each element, or 0 where it is negative.")
relu6 = _activation("relu6", "Relu6", _relu6, REAL, "Each element, not below 0 and not above 6.")
elu = _activation("elu", "Elu", _elu, FLOAT, "Each element, or ``exp(element) - 1`` where it is negative.")
selu = _activation("selu", "Selu", _selu, FLOAT,
                   "Self-normalizing: 1.0507 times each element, or 1.7581 times ``exp(element) - 1`` where it is "
                   "negative.")  # fmt: skip
softplus = _activation("softplus", "Softplus", _softplus, FLOAT, "``log(exp(element) + 1)`` of each element.")
softsign = _activation("softsign", "Softsign", _softsign, FLOAT, "``element / (abs(element) + 1)`` of each element.")
sigmoid = unary("sigmoid", "Sigmoid", with_slope_of_result(jax.nn.sigmoid, lambda y: y * (1 - y)),
                (*FLOAT, dtypes.complex64, dtypes.complex128),
                "``1 / (1 + exp(-element))`` of each element.")  # fmt: skip
define("LeakyRelu", "features:T -> activations:T", _leaky_relu, infer=of_types(FLOAT, infer.unchanged), alpha=0.2,
       T=dtypes.float32)  # fmt: skip
define("Softmax", "logits:T -> softmax:T", _softmax, infer=of_types(FLOAT, _at_least_vector))
define("LogSoftmax", "logits:T -> logsoftmax:T", _log_softmax, infer=of_types(FLOAT, _at_least_vector))
define("BiasAdd", "value:T bias:T -> output:T", _bias_add, infer=_bias_shape, data_format="NHWC")


# -- public functions ---------------------------------------------------------------------------------------


def leaky_relu(features: Any, alpha: float = 0.2, name: str | None = None) -> Tensor:
    """Each element, or `alpha` times it where it is negative.

    Args:
        features: A tensor of a floating or integer type; integers become float32.
        alpha: The slope for negative elements.
        name: A name for the operation.

    Returns:
        A tensor of the shape of `features`.
    """
    with scope(name, "LeakyRelu", features) as full:
        features = convert_to_tensor(features, name="features")
        if features.dtype.is_integer:
            features = apply("Cast", features, DstT=dtypes.float32)
        result: Tensor = apply("LeakyRelu", features, name=full, alpha=alpha)
        return result


def swish(features: Any) -> Tensor:
    """Each element times its sigmoid (Ramachandran, Zoph and Le, "Searching for activation functions", 2017).

    Args:
        features: A tensor of a floating type.

    Returns:
        A tensor of the shape and type of `features`.
    """
    features = convert_to_tensor(features, name="features")
    result: Tensor = features * sigmoid(features)
    return result


def crelu(features: Any, name: str | None = None, axis: int = -1) -> Tensor:
    """`relu` of the tensor and of its negative, side by side (Shang, Sohn, Almeida and Lee, ICML 2016).

    Args:
        features: A tensor of a floating type.
        name: A name for the operation.
        axis: The dimension that becomes twice as large.

    Returns:
        A tensor of the type of `features`.
    """
    with scope(name, "CRelu", features) as full:
        features = convert_to_tensor(features, name="features")
        both = apply("ConcatV2", [features, -features], axis, name=full)
        return relu(both)


def softmax(logits: Any, axis: int | None = None, name: str | None = None, dim: int | None = None) -> Tensor:
    """The exponential of each element, divided by their sum along a dimension.

    Args:
        logits: A tensor of a floating type, of rank 1 or more.
        axis: The dimension along which the result sums to 1; the last by default.
        name: A name for the operation.
        dim: An old name for `axis`.

    Returns:
        A tensor of the shape and type of `logits`.

    Raises:
        InvalidArgumentError: If the axis is out of range.
        ValueError: If `logits` is a scalar, or both `axis` and `dim` are given.
    """
    return _along("Softmax", logits, either("axis", axis, "dim", dim), name)


def log_softmax(logits: Any, axis: int | None = None, name: str | None = None, dim: int | None = None) -> Tensor:
    """The logarithm of `softmax`, without its loss of precision.

    Args:
        logits: A tensor of a floating type, of rank 1 or more.
        axis: The dimension along which the exponential of the result sums to 1; the last by default.
        name: A name for the operation.
        dim: An old name for `axis`.

    Returns:
        A tensor of the shape and type of `logits`.

    Raises:
        InvalidArgumentError: If the axis is out of range.
        ValueError: If `logits` is a scalar, or both `axis` and `dim` are given.
    """
    return _along("LogSoftmax", logits, either("axis", axis, "dim", dim), name)


def _along(op_type: str, logits: Any, axis: int | None, name: str | None) -> Tensor:
    logits = convert_to_tensor(logits, name="logits")
    rank = logits.shape.ndims
    if axis is None or axis == -1 or (rank is not None and axis == rank - 1):
        last: Tensor = apply(op_type, logits, name=name)
        return last
    if rank is None:
        raise ValueError(f"The rank of {logits} must be known for a softmax along another axis than the last: {axis}")
    if not -rank <= axis < rank:
        raise errors.InvalidArgumentError(
            None,
            None,
            f"Dimension ({axis}) must be in the range [{-rank}, {rank}) where {rank} is the number of dimensions in "
            "the input.",
        )
    order = list(range(rank))
    order[axis], order[-1] = order[-1], order[axis]
    swapped = apply(op_type, transpose(logits, order), name=name)
    return transpose(swapped, order)


def bias_add(value: Any, bias: Any, data_format: str | None = None, name: str | None = None) -> Tensor:
    """Adds a bias to each channel.

    Args:
        value: ``[batch, ..., channels]``, or ``[batch, channels, ...]`` for ``'NCHW'``.
        bias: ``[channels]``, of the value's type.
        data_format: ``'NHWC'`` (the default) or ``'NCHW'``, or any ``'N...C'`` or ``'NC...'``.
        name: A name for the operation.

    Returns:
        A tensor of the value's shape and type.

    Raises:
        ValueError: If the shapes do not fit, or the format is none of these.
    """
    if data_format is None or (data_format.startswith("N") and data_format.endswith("C")):
        known = "NHWC"
    elif data_format.startswith("NC"):
        known = "NCHW"
    else:
        raise ValueError("data_format must be of the form `N...C` or `NC...`")
    result: Tensor = apply("BiasAdd", value, bias, name=name or "BiasAdd", data_format=known)
    return result
