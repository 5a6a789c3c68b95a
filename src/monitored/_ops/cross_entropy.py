"""Cross entropy of classes and of labels, from logits."""

from __future__ import annotations

import builtins
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from monitored._graph import dtypes
from monitored._graph.build import apply, convert_to_tensor
from monitored._graph.opdef import define
from monitored._graph.operation import Operation, Tensor
from monitored._graph.shapes import TensorShape, broadcast_shape
from monitored._ops.activations import relu
from monitored._ops.array import rank, reshape, shape, stop_gradient, transpose
from monitored._ops.fill import zeros_like
from monitored._ops.lift import FLOAT, LONG, of_types
from monitored._ops.rules import either, misfit, scope, with_rank
from monitored._ops.sequences import range

__all__ = [
    "sigmoid_cross_entropy_with_logits",
    "softmax_cross_entropy_with_logits",
    "softmax_cross_entropy_with_logits_v2",
    "sparse_softmax_cross_entropy_with_logits",
    "weighted_cross_entropy_with_logits",
]


# -- meanings -----------------------------------------------------------------------------------------------


@jax.custom_vjp
def _softmax_loss(features: Any, labels: Any) -> Any:
    return -jnp.sum(labels * jax.nn.log_softmax(features), axis=-1)


def _softmax_forward(features: Any, labels: Any) -> tuple[Any, Any]:
    logarithms = jax.nn.log_softmax(features)
    return -jnp.sum(labels * logarithms, axis=-1), (logarithms, labels)


def _softmax_backward(kept: Any, gradient: Any) -> tuple[Any, Any]:
    """As in TensorFlow the gradient takes each row of labels for a distribution, whose sum is 1."""
    logarithms, labels = kept
    gradient = gradient[:, None]
    return gradient * (jnp.exp(logarithms) - labels), -gradient * logarithms


_softmax_loss.defvjp(_softmax_forward, _softmax_backward)


def _softmax_cross_entropy(features: Any, labels: Any) -> tuple[Any, Any]:
    if features.shape != labels.shape:
        shape = np.broadcast_shapes(features.shape, labels.shape)
        features, labels = jnp.broadcast_to(features, shape), jnp.broadcast_to(labels, shape)
    return _softmax_loss(features, labels), jax.nn.softmax(features) - labels


@jax.custom_vjp
def _sparse_loss(features: Any, labels: Any) -> Any:
    return _sparse_forward(features, labels)[0]


def _sparse_forward(features: Any, labels: Any) -> tuple[Any, Any]:
    logarithms = jax.nn.log_softmax(features)
    valid = (labels >= 0) & (labels < features.shape[1])
    picked = jnp.take_along_axis(logarithms, jnp.where(valid, labels, 0)[:, None], axis=1)[:, 0]
    return jnp.where(valid, -picked, np.array(np.nan, features.dtype)), (logarithms, labels)


def _sparse_backward(kept: Any, gradient: Any) -> tuple[Any, None]:
    logarithms, labels = kept
    return gradient[:, None] * (jnp.exp(logarithms) - _one_hot(labels, logarithms)), None


_sparse_loss.defvjp(_sparse_forward, _sparse_backward)


def _one_hot(labels: Any, like: Any) -> Any:
    """1 where a row's label is; NaN in all of the row when the label is no class, as TensorFlow does on a GPU."""
    classes = like.shape[1]
    places = jnp.arange(classes, dtype=labels.dtype)
    one_hot = (labels[:, None] == places).astype(like.dtype)
    valid = (labels >= 0) & (labels < classes)
    return jnp.where(valid[:, None], one_hot, np.array(np.nan, like.dtype))


def _sparse_softmax_cross_entropy(features: Any, labels: Any) -> tuple[Any, Any]:
    labels = jnp.asarray(labels)
    return _sparse_loss(features, labels), jax.nn.softmax(features) - _one_hot(labels, features)


# -- definitions --------------------------------------------------------------------------------------------


def _softmax_shapes(op: Operation) -> TensorShape:
    for position in (0, 1):
        with_rank(op, position, 2)
    try:
        return broadcast_shape(*(t.shape.with_rank(2) for t in op.inputs))
    except ValueError:
        raise misfit(op, "Dimensions must be equal") from None


def _sparse_shapes(op: Operation) -> TensorShape:
    (rows, classes), (labels,) = with_rank(op, 0, 2), with_rank(op, 1, 1)
    if rows is not None and labels is not None and rows != labels:
        raise misfit(op, f"Dimensions must be equal, but are {rows} and {labels}")
    return TensorShape([labels if rows is None else rows, classes])


def _loss_and_gradient(rule: Any) -> Any:
    def shapes(op: Operation) -> list[TensorShape]:
        both = rule(op)
        return [both[:1], both]

    return shapes


define("SoftmaxCrossEntropyWithLogits", "features:T labels:T -> loss:T backprop:T", _softmax_cross_entropy,
       infer=_loss_and_gradient(of_types(FLOAT, _softmax_shapes)))  # fmt: skip
define("SparseSoftmaxCrossEntropyWithLogits", "features:T labels:Tlabels -> loss:T backprop:T",
       _sparse_softmax_cross_entropy, Tlabels=dtypes.int64,
       infer=_loss_and_gradient(of_types(FLOAT, of_types(LONG, _sparse_shapes, "Tlabels"))))  # fmt: skip


# -- public functions ---------------------------------------------------------------------------------------


def softmax_cross_entropy_with_logits_v2(
    labels: Any, logits: Any, axis: int | None = None, name: str | None = None, dim: int | None = None
) -> Tensor:
    """The cross entropy between labels and the softmax of logits.

    Args:
        labels: ``[..., classes]``: a distribution over the classes in each row.
        logits: ``[..., classes]``, of a floating type: unscaled log-probabilities.
        axis: The dimension of the classes; the last by default.
        name: A name for the operations.
        dim: An old name for `axis`.

    Returns:
        The loss of each row: the logits' shape without the classes, and their type. Gradients flow to the logits and
        to the labels.

    Raises:
        ValueError: If the shapes do not fit, or both `axis` and `dim` are given.
    """
    axis = either("axis", axis, "dim", dim)
    with scope(name, "softmax_cross_entropy_with_logits", logits, labels) as full:
        logits = convert_to_tensor(logits, name="logits")
        labels = convert_to_tensor(labels, name="labels")
        half = logits.dtype.base_dtype if logits.dtype in (dtypes.float16, dtypes.bfloat16) else None
        precise = logits if half is None else apply("Cast", logits, DstT=dtypes.float32)
        if labels.dtype.base_dtype != precise.dtype:
            labels = apply("Cast", labels, DstT=precise.dtype.base_dtype)
        if axis is not None and axis != -1:
            precise, labels = _classes_last(precise, axis), _classes_last(labels, axis)
        cost, _ = apply("SoftmaxCrossEntropyWithLogits", _rows(precise), _rows(labels), name=full)
        cost = reshape(cost, _without_classes(precise))
        if axis is None or axis == -1:
            cost.set_shape(logits.shape[:-1])
        result: Tensor = cost if half is None else apply("Cast", cost, DstT=half)
        return result


def _classes_last(tensor: Tensor, axis: int) -> Tensor:
    ndims = tensor.shape.ndims
    if ndims is None:
        if axis < 0:
            raise ValueError(f"The rank of {tensor} must be known for a negative axis other than -1: {axis}")
        others = [range(0, axis), range(axis + 1, rank(tensor)), [axis]]
        return transpose(tensor, apply("ConcatV2", others, 0))
    if not -ndims <= axis < ndims:
        raise ValueError(f"axis {axis} is out of range for {tensor} of rank {ndims}")
    return transpose(tensor, [*(i for i in builtins.range(ndims) if i != axis % ndims), axis % ndims])


def _rows(tensor: Tensor) -> Tensor:
    """The tensor as a matrix, with the classes as its columns."""
    classes = tensor.shape.with_rank_at_least(1)[-1].value if tensor.shape.ndims is not None else None
    if classes:
        return reshape(tensor, [-1, classes])
    return reshape(tensor, apply("ConcatV2", [[-1], shape(tensor)[-1:]], 0))


def _without_classes(tensor: Tensor) -> Any:
    """The sizes of all dimensions but the last."""
    if tensor.shape.ndims is not None:
        sizes = tensor.shape.as_list()[:-1]
        if sizes.count(None) == 0:
            return sizes
        if sizes.count(None) == 1:
            return [-1 if size is None else size for size in sizes]
    return shape(tensor)[:-1]


def softmax_cross_entropy_with_logits(
    _sentinel: Any = None,
    labels: Any = None,
    logits: Any = None,
    dim: int = -1,
    name: str | None = None,
    axis: int | None = None,
) -> Tensor:
    """The cross entropy between labels and the softmax of logits, with gradients for the logits only.

    Args:
        _sentinel: Keeps positional arguments out.
        labels: ``[..., classes]``: a distribution over the classes in each row.
        logits: ``[..., classes]``, of a floating type: unscaled log-probabilities.
        dim: An old name for `axis`.
        name: A name for the operations.
        axis: The dimension of the classes; the last by default.

    Returns:
        The loss of each row: the logits' shape without the classes, and their type.

    Raises:
        ValueError: If the shapes do not fit, or arguments are positional or missing.
    """
    _named_only("softmax_cross_entropy_with_logits", _sentinel, labels, logits)
    with scope(name, "softmax_cross_entropy_with_logits_sg", logits, labels) as full:
        labels = stop_gradient(labels, name="labels_stop_gradient")
        return softmax_cross_entropy_with_logits_v2(labels, logits, dim if axis is None else axis, full)


def sparse_softmax_cross_entropy_with_logits(
    _sentinel: Any = None, labels: Any = None, logits: Any = None, name: str | None = None
) -> Tensor:
    """The cross entropy between classes and the softmax of logits.

    Args:
        _sentinel: Keeps positional arguments out.
        labels: ``[...]``, int32 or int64: the class of each row.
        logits: ``[..., classes]``, of a floating type: unscaled log-probabilities.
        name: A name for the operations.

    Returns:
        The loss of each row: the shape of `labels` and the type of `logits`. Where a label is no class, the loss and
        its gradient are NaN.

    Raises:
        ValueError: If the shapes do not fit, or arguments are positional or missing.
        TypeError: If the labels are of another type.
    """
    _named_only("sparse_softmax_cross_entropy_with_logits", _sentinel, labels, logits)
    with scope(name, "SparseSoftmaxCrossEntropyWithLogits", labels, logits):
        labels = convert_to_tensor(labels)
        logits = convert_to_tensor(logits)
        half = logits.dtype.base_dtype if logits.dtype in (dtypes.float16, dtypes.bfloat16) else None
        precise = logits if half is None else apply("Cast", logits, DstT=dtypes.float32)
        _check_sparse(labels.shape, logits.shape)
        matrix = logits.shape.ndims == 2
        rows = precise if matrix else _rows(precise)
        classes = labels if matrix else reshape(labels, [-1])
        cost, _ = apply("SparseSoftmaxCrossEntropyWithLogits", rows, classes, name=name)
        if not matrix:
            known = labels.shape.is_fully_defined()
            cost = reshape(cost, labels.shape.as_list() if known else shape(labels))
            cost.set_shape(labels.shape)
        result: Tensor = cost if half is None else apply("Cast", cost, DstT=half)
        return result


def _check_sparse(labels: TensorShape, logits: TensorShape) -> None:
    if logits.ndims == 0:
        raise ValueError(f"Logits cannot be scalars - received shape {logits}.")
    if logits.ndims is None or labels.ndims is None:
        return
    if labels.ndims != logits.ndims - 1:
        raise ValueError(
            f"Rank mismatch: Rank of labels (received {labels.ndims}) should equal rank of logits minus 1 (received "
            f"{logits.ndims})."
        )
    if not labels.is_compatible_with(logits[:-1]):
        raise ValueError(
            f"Shape mismatch: The shape of labels (received {labels}) should equal the shape of logits except for the "
            f"last dimension (received {logits})."
        )


def sigmoid_cross_entropy_with_logits(
    _sentinel: Any = None, labels: Any = None, logits: Any = None, name: str | None = None
) -> Tensor:
    """The cross entropy between labels and the sigmoid of logits, for classes that do not exclude each other.

    Args:
        _sentinel: Keeps positional arguments out.
        labels: Probabilities, of the shape and type of `logits`.
        logits: Log-odds, of a floating type.
        name: A name for the operations.

    Returns:
        The loss of each element, of the shape and type of `logits`.

    Raises:
        ValueError: If the shapes differ, or arguments are positional or missing.
    """
    _named_only("sigmoid_cross_entropy_with_logits", _sentinel, labels, logits)
    with scope(name, "logistic_loss", logits, labels) as full:
        logits, labels = _alike(logits, labels, "labels")
        # max(x, 0) - x * z + log(1 + exp(-abs(x))), which never overflows.
        zeros = zeros_like(logits)
        positive = apply("GreaterEqual", logits, zeros)
        above = apply("Select", positive, logits, zeros)
        negative = apply("Select", positive, -logits, logits)
        left = apply("Sub", above, logits * labels, name="sub")
        result: Tensor = apply("Add", left, apply("Log1p", apply("Exp", negative)), name=full)
        return result


def weighted_cross_entropy_with_logits(
    labels: Any = None,
    logits: Any = None,
    pos_weight: Any = None,
    name: str | None = None,
    targets: Any = None,
) -> Tensor:
    """`sigmoid_cross_entropy_with_logits` in which positive labels weigh more or less.

    Args:
        labels: Probabilities, of the shape and type of `logits`.
        logits: Log-odds, of a floating type.
        pos_weight: The factor for positive labels.
        name: A name for the operations.
        targets: An old name for `labels`.

    Returns:
        The loss of each element, of the shape and type of `logits`.

    Raises:
        ValueError: If the shapes differ.
    """
    labels = either("labels", labels, "targets", targets)
    with scope(name, "logistic_loss", logits, labels) as full:
        logits, labels = _alike(logits, labels, "labels")
        # (1 - z) * x + l * (log(1 + exp(-abs(x))) + max(-x, 0)) with l = 1 + (pos_weight - 1) * z.
        weight = 1 + (pos_weight - 1) * labels
        linear = (1 - labels) * logits
        tail = apply("Log1p", apply("Exp", -apply("Abs", logits))) + relu(-logits)
        result: Tensor = apply("Add", linear, weight * tail, name=full)
        return result


def _alike(logits: Any, labels: Any, name: str) -> tuple[Tensor, Tensor]:
    logits = convert_to_tensor(logits, name="logits")
    labels = convert_to_tensor(labels, name=name, preferred_dtype=logits.dtype.base_dtype)
    if not labels.shape.is_compatible_with(logits.shape):
        raise ValueError(f"logits and {name} must have the same shape ({logits.shape} vs {labels.shape})")
    return logits, labels


def _named_only(function: str, sentinel: Any, labels: Any, logits: Any) -> None:
    if sentinel is not None:
        raise ValueError(f"Only call `{function}` with named arguments (labels=..., logits=..., ...)")
    if labels is None or logits is None:
        raise ValueError("Both labels and logits must be provided.")
