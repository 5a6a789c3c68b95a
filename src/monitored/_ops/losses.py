"""`tf.losses`: losses that are weighted, reduced to a scalar and kept in a collection of the graph."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from monitored._graph import dtypes
from monitored._graph.build import apply, constant, convert_to_tensor
from monitored._graph.collections import GraphKeys, add_to_collection, get_collection
from monitored._graph.constant import constant_value
from monitored._graph.operation import Tensor
from monitored._graph.shapes import TensorShape
from monitored._ops.activations import relu
from monitored._ops.array import rank, reshape, shape, stop_gradient
from monitored._ops.cross_entropy import (
    sigmoid_cross_entropy_with_logits,
    softmax_cross_entropy_with_logits_v2,
    sparse_softmax_cross_entropy_with_logits,
)
from monitored._ops.math import add_n
from monitored._ops.reductions import reduce_sum
from monitored._ops.rules import either, scope

__all__ = [
    "Reduction",
    "absolute_difference",
    "add_loss",
    "compute_weighted_loss",
    "cosine_distance",
    "get_losses",
    "get_regularization_loss",
    "get_regularization_losses",
    "get_total_loss",
    "hinge_loss",
    "huber_loss",
    "log_loss",
    "mean_squared_error",
    "sigmoid_cross_entropy",
    "softmax_cross_entropy",
    "sparse_softmax_cross_entropy",
]


class Reduction:
    """How the losses of a batch become one."""

    NONE: ClassVar[str] = "none"
    """They stay as they are, weighted."""
    SUM: ClassVar[str] = "weighted_sum"
    """Their weighted sum."""
    SUM_OVER_BATCH_SIZE: ClassVar[str] = "weighted_sum_over_batch_size"
    """The weighted sum, divided by their number."""
    MEAN: ClassVar[str] = "weighted_mean"
    """The weighted sum, divided by the sum of the weights."""
    SUM_BY_NONZERO_WEIGHTS: ClassVar[str] = "weighted_sum_by_nonzero_weights"
    """The weighted sum, divided by the number of weights that are not 0."""
    SUM_OVER_NONZERO_WEIGHTS: ClassVar[str] = SUM_BY_NONZERO_WEIGHTS
    """An old name for `SUM_BY_NONZERO_WEIGHTS`."""

    @classmethod
    def all(cls) -> tuple[str, ...]:
        """Every way."""
        return (
            cls.NONE,
            cls.SUM,
            cls.MEAN,
            cls.SUM_OVER_BATCH_SIZE,
            cls.SUM_OVER_NONZERO_WEIGHTS,
            cls.SUM_BY_NONZERO_WEIGHTS,
        )

    @classmethod
    def validate(cls, key: str) -> None:
        """Raises ValueError unless `key` is one of `all()`."""
        if key not in cls.all():
            raise ValueError(f"Invalid Reduction Key {key}.")


# -- collections --------------------------------------------------------------------------------------------


def add_loss(loss: Any, loss_collection: str | None = GraphKeys.LOSSES) -> None:
    """Adds a loss to a collection.

    Args:
        loss: A tensor.
        loss_collection: The collection; None for no effect.
    """
    if loss_collection:
        add_to_collection(loss_collection, loss)


def get_losses(scope: str | None = None, loss_collection: str = GraphKeys.LOSSES) -> list[Any]:
    """The losses in a collection.

    Args:
        scope: A regular expression: only losses whose names it matches at the start.
        loss_collection: The collection.

    Returns:
        The losses.
    """
    return get_collection(loss_collection, scope)


def get_regularization_losses(scope: str | None = None) -> list[Any]:
    """The losses that regularizers gave.

    Args:
        scope: A regular expression: only losses whose names it matches at the start.

    Returns:
        The losses.
    """
    return get_collection(GraphKeys.REGULARIZATION_LOSSES, scope)


def get_regularization_loss(scope: str | None = None, name: str = "total_regularization_loss") -> Tensor:
    """The sum of the losses that regularizers gave.

    Args:
        scope: A regular expression: only losses whose names it matches at the start.
        name: A name for the operation.

    Returns:
        A scalar; 0 when there are none.
    """
    losses = get_regularization_losses(scope)
    return add_n(losses, name=name) if losses else constant(0.0)


def get_total_loss(
    add_regularization_losses: bool = True, name: str = "total_loss", scope: str | None = None
) -> Tensor:
    """The sum of all losses of the graph.

    Args:
        add_regularization_losses: Whether those of regularizers count.
        name: A name for the operation.
        scope: A regular expression: only losses whose names it matches at the start.

    Returns:
        A scalar.

    Raises:
        ValueError: If there are no losses.
    """
    losses = get_losses(scope)
    if add_regularization_losses:
        losses += get_regularization_losses(scope)
    return add_n(losses, name=name)


# -- weights and reductions ---------------------------------------------------------------------------------


def compute_weighted_loss(
    losses: Any,
    weights: Any = 1.0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS,
) -> Tensor:
    """Weighs losses, and reduces them to one.

    Args:
        losses: ``[batch, ...]``, of a floating type.
        weights: A scalar, or a tensor of the same rank whose sizes are those of `losses` or 1.
        scope: A name for the operations.
        loss_collection: The collection to which the loss is added; None for none.
        reduction: One of `Reduction`.

    Returns:
        A scalar of the type of `losses`, or their shape for `Reduction.NONE`.

    Raises:
        ValueError: If the shapes do not fit, or `reduction` is no reduction.
    """
    Reduction.validate(reduction)
    with _scope(scope, "weighted_loss", losses, weights):
        losses = convert_to_tensor(losses, name="losses")
        given = losses.dtype.base_dtype
        values = _float(losses)
        weights = _float(weights, "Cast/x")
        _check_weights(weights.shape, values.shape)
        weighted = apply("Mul", values, weights)
        loss = weighted if reduction == Reduction.NONE else _reduced(weighted, weights, reduction)
        loss = loss if given == dtypes.float32 else apply("Cast", loss, DstT=given)
        add_loss(loss, loss_collection)
        result: Tensor = loss
        return result


def _float(value: Any, name: str = "x") -> Tensor:
    """As float32."""
    if not isinstance(value, Tensor) and not hasattr(value, "_as_tensor"):
        if value is None:
            raise ValueError("None values not supported.")
        return convert_to_tensor(np.asarray(value, np.float32), dtypes.float32, name=name)
    tensor = convert_to_tensor(value)
    if tensor.dtype.base_dtype == dtypes.float32:
        return tensor
    cast: Tensor = apply("Cast", tensor, DstT=dtypes.float32)
    return cast


def _check_weights(weights: TensorShape, values: TensorShape) -> None:
    if weights.ndims is None or values.ndims is None or weights.ndims == 0:
        return
    fits = weights.ndims == values.ndims and all(
        w is None or v is None or w in (1, v) for w, v in zip(weights.as_list(), values.as_list(), strict=True)
    )
    if not fits:
        raise ValueError(
            f"weights can not be broadcast to values. values.rank={values.ndims}. weights.rank={weights.ndims}. "
            f"values.shape={values}. weights.shape={weights}."
        )


def _reduced(weighted: Tensor, weights: Tensor, reduction: str) -> Tensor:
    total = reduce_sum(weighted)
    if reduction == Reduction.SUM:
        return total
    if reduction == Reduction.MEAN:
        count = reduce_sum(apply("OnesLike", weighted, name="ones_like") * weights)
    elif reduction == Reduction.SUM_OVER_BATCH_SIZE:
        count = _size(weighted, "num_elements")
    else:
        count = _nonzero(weighted, weights)
    mean: Tensor = apply("DivNoNan", total, count, name="value")
    return mean


def _size(values: Tensor, name: str) -> Tensor:
    with scope(name, name, values) as full:
        count: Tensor = apply("Cast", apply("Size", values, name=full), DstT=dtypes.float32)
        return count


def _nonzero(values: Tensor, weights: Tensor) -> Tensor:
    """How many of the weights, when they are broadcast to the values, are not 0."""
    known = constant_value(weights)
    if known is not None and known.ndim == 0 and known != 0:
        return _size(values, "num_present")
    with scope("num_present", "num_present", values, weights) as full:
        present = apply("Cast", apply("NotEqual", weights, np.float32(0)), DstT=dtypes.float32)
        ones = apply("OnesLike", values, name="ones_like")
        return reduce_sum(apply("Mul", present, ones, name="broadcast_weights"), name=full)


_scope = scope  # the functions below have an argument of this name


# -- the losses ---------------------------------------------------------------------------------------------


def absolute_difference(
    labels: Any,
    predictions: Any,
    weights: Any = 1.0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS,
) -> Tensor:
    """The absolute differences between labels and predictions.

    Args:
        labels: The true values, of the shape of `predictions`.
        predictions: The predicted values.
        weights: See `compute_weighted_loss`.
        scope: A name for the operations.
        loss_collection: The collection to which the loss is added; None for none.
        reduction: One of `Reduction`.

    Returns:
        A float32 scalar, or the shape of `predictions` for `Reduction.NONE`.

    Raises:
        ValueError: If the shapes do not fit, or `labels` or `predictions` is None.
    """
    _required(labels=labels, predictions=predictions)
    with _scope(scope, "absolute_difference", predictions, labels, weights) as full:
        labels, predictions = _alike(labels, predictions)
        losses = apply("Abs", apply("Sub", predictions, labels))
        return compute_weighted_loss(losses, weights, full, loss_collection, reduction)


def mean_squared_error(
    labels: Any,
    predictions: Any,
    weights: Any = 1.0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS,
) -> Tensor:
    """The squared differences between labels and predictions.

    Args:
        labels: The true values, of the shape of `predictions`.
        predictions: The predicted values.
        weights: See `compute_weighted_loss`.
        scope: A name for the operations.
        loss_collection: The collection to which the loss is added; None for none.
        reduction: One of `Reduction`.

    Returns:
        A float32 scalar, or the shape of `predictions` for `Reduction.NONE`.

    Raises:
        ValueError: If the shapes do not fit, or `labels` or `predictions` is None.
    """
    _required(labels=labels, predictions=predictions)
    with _scope(scope, "mean_squared_error", predictions, labels, weights) as full:
        labels, predictions = _alike(labels, predictions)
        losses = apply("SquaredDifference", predictions, labels)
        return compute_weighted_loss(losses, weights, full, loss_collection, reduction)


def huber_loss(
    labels: Any,
    predictions: Any,
    weights: Any = 1.0,
    delta: float = 1.0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS,
) -> Tensor:
    """Half the squared difference up to `delta`, and linear beyond.

    Args:
        labels: The true values, of the shape of `predictions`.
        predictions: The predicted values.
        weights: See `compute_weighted_loss`.
        delta: Where the loss becomes linear.
        scope: A name for the operations.
        loss_collection: The collection to which the loss is added; None for none.
        reduction: One of `Reduction`.

    Returns:
        A float32 scalar, or the shape of `predictions` for `Reduction.NONE`.

    Raises:
        ValueError: If the shapes do not fit, or `labels` or `predictions` is None.
    """
    _required(labels=labels, predictions=predictions)
    with _scope(scope, "huber_loss", predictions, labels, weights) as full:
        labels, predictions = _alike(labels, predictions)
        error = apply("Abs", apply("Sub", predictions, labels))
        quadratic = apply("Minimum", error, delta)
        linear = apply("Sub", error, quadratic)
        half = apply("Mul", 0.5, apply("Mul", quadratic, quadratic))
        losses = apply("Add", half, apply("Mul", delta, linear))
        return compute_weighted_loss(losses, weights, full, loss_collection, reduction)


def log_loss(
    labels: Any,
    predictions: Any,
    weights: Any = 1.0,
    epsilon: float = 1e-7,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS,
) -> Tensor:
    """The cross entropy between labels and predicted probabilities.

    Args:
        labels: The true probabilities, of the shape of `predictions`.
        predictions: The predicted probabilities.
        weights: See `compute_weighted_loss`.
        epsilon: What is added to keep the logarithm from 0.
        scope: A name for the operations.
        loss_collection: The collection to which the loss is added; None for none.
        reduction: One of `Reduction`.

    Returns:
        A float32 scalar, or the shape of `predictions` for `Reduction.NONE`.

    Raises:
        ValueError: If the shapes do not fit, or `labels` or `predictions` is None.
    """
    _required(labels=labels, predictions=predictions)
    with _scope(scope, "log_loss", predictions, labels, weights) as full:
        labels, predictions = _alike(labels, predictions)
        positive = apply("Neg", apply("Mul", labels, apply("Log", predictions + epsilon)))
        negative = apply("Mul", 1 - labels, apply("Log", 1 - predictions + epsilon))
        return compute_weighted_loss(positive - negative, weights, full, loss_collection, reduction)


def hinge_loss(
    labels: Any,
    logits: Any,
    weights: Any = 1.0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS,
) -> Tensor:
    """How far logits are from the margin on the right side.

    Args:
        labels: 0 or 1, of the shape of `logits`.
        logits: The predictions: positive for 1, negative for 0.
        weights: See `compute_weighted_loss`.
        scope: A name for the operations.
        loss_collection: The collection to which the loss is added; None for none.
        reduction: One of `Reduction`.

    Returns:
        A float32 scalar, or the shape of `logits` for `Reduction.NONE`.

    Raises:
        ValueError: If the shapes do not fit, or `labels` or `logits` is None.
    """
    _required(labels=labels, logits=logits)
    with _scope(scope, "hinge_loss", logits, labels, weights) as full:
        labels, logits = _alike(labels, logits)
        signs = apply("Sub", 2 * labels, 1)
        losses = relu(apply("Sub", 1, apply("Mul", signs, logits)))
        return compute_weighted_loss(losses, weights, full, loss_collection, reduction)


def cosine_distance(
    labels: Any,
    predictions: Any,
    axis: int | None = None,
    weights: Any = 1.0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS,
    dim: int | None = None,
) -> Tensor:
    """One minus the dot product of unit vectors.

    Args:
        labels: The true vectors, of length 1 and of the shape of `predictions`.
        predictions: The predicted vectors, of length 1.
        axis: The dimension of the vectors.
        weights: See `compute_weighted_loss`.
        scope: A name for the operations.
        loss_collection: The collection to which the loss is added; None for none.
        reduction: One of `Reduction`.
        dim: An old name for `axis`.

    Returns:
        A float32 scalar, or the shape of `predictions` with size 1 along `axis` for `Reduction.NONE`.

    Raises:
        ValueError: If the shapes do not fit, or `axis`, `labels` or `predictions` is None.
    """
    axis = either("axis", axis, "dim", dim)
    if axis is None:
        raise ValueError("You must specify 'axis'.")
    _required(labels=labels, predictions=predictions)
    with _scope(scope, "cosine_distance_loss", predictions, labels, weights) as full:
        labels, predictions = _alike(labels, predictions)
        losses = 1 - reduce_sum(apply("Mul", predictions, labels), (axis,), keepdims=True)
        return compute_weighted_loss(losses, weights, full, loss_collection, reduction)


def sigmoid_cross_entropy(
    multi_class_labels: Any,
    logits: Any,
    weights: Any = 1.0,
    label_smoothing: float = 0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS,
) -> Tensor:
    """The cross entropy between labels and the sigmoid of logits.

    Args:
        multi_class_labels: 0 or 1 for each class, ``[batch, classes]``.
        logits: Log-odds, ``[batch, classes]``.
        weights: See `compute_weighted_loss`.
        label_smoothing: How far labels are moved towards 1/2: 0 (not at all) to 1.
        scope: A name for the operations.
        loss_collection: The collection to which the loss is added; None for none.
        reduction: One of `Reduction`.

    Returns:
        A scalar of the type of `logits`, or their shape for `Reduction.NONE`.

    Raises:
        ValueError: If the shapes do not fit, or labels or logits are None.
    """
    _required(multi_class_labels=multi_class_labels, logits=logits)
    with _scope(scope, "sigmoid_cross_entropy_loss", logits, multi_class_labels, weights) as full:
        logits, labels = _cast_labels(logits, multi_class_labels)
        if label_smoothing > 0:
            labels = labels * (1 - label_smoothing) + 0.5 * label_smoothing
        losses = sigmoid_cross_entropy_with_logits(labels=labels, logits=logits, name="xentropy")
        return compute_weighted_loss(losses, weights, full, loss_collection, reduction)


def softmax_cross_entropy(
    onehot_labels: Any,
    logits: Any,
    weights: Any = 1.0,
    label_smoothing: float = 0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS,
) -> Tensor:
    """The cross entropy between labels and the softmax of logits.

    Args:
        onehot_labels: A distribution over the classes in each row, ``[batch, classes]``. Nothing flows back to it.
        logits: Unscaled log-probabilities, ``[batch, classes]``.
        weights: A scalar, or ``[batch]``.
        label_smoothing: How far labels are moved towards 1/classes: 0 (not at all) to 1.
        scope: A name for the operations.
        loss_collection: The collection to which the loss is added; None for none.
        reduction: One of `Reduction`.

    Returns:
        A scalar of the type of `logits`, or ``[batch]`` for `Reduction.NONE`.

    Raises:
        ValueError: If the shapes do not fit, or labels or logits are None.
    """
    _required(onehot_labels=onehot_labels, logits=logits)
    with _scope(scope, "softmax_cross_entropy_loss", logits, onehot_labels, weights) as full:
        logits, labels = _cast_labels(logits, onehot_labels)
        if label_smoothing > 0:
            count = labels.shape[-1].value or apply("Cast", apply("Shape", labels)[-1], DstT=labels.dtype.base_dtype)
            labels = labels * (1 - label_smoothing) + label_smoothing / count
        labels = stop_gradient(labels, name="labels_stop_gradient")
        losses = softmax_cross_entropy_with_logits_v2(labels, logits, name="xentropy")
        return compute_weighted_loss(losses, weights, full, loss_collection, reduction)


def sparse_softmax_cross_entropy(
    labels: Any,
    logits: Any,
    weights: Any = 1.0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS,
) -> Tensor:
    """The cross entropy between classes and the softmax of logits.

    Args:
        labels: The class of each row, ``[batch]`` or ``[batch, 1]``, int32 or int64.
        logits: Unscaled log-probabilities, ``[batch, classes]``.
        weights: A scalar, ``[batch]`` or ``[batch, 1]``.
        scope: A name for the operations.
        loss_collection: The collection to which the loss is added; None for none.
        reduction: One of `Reduction`.

    Returns:
        A scalar of the type of `logits`, or ``[batch]`` for `Reduction.NONE`.

    Raises:
        ValueError: If the shapes do not fit, or labels or logits are None.
    """
    _required(labels=labels, logits=logits)
    with _scope(scope, "sparse_softmax_cross_entropy_loss", logits, labels, weights) as full:
        logits = convert_to_tensor(logits)
        labels = convert_to_tensor(labels)
        labels = _of_rank(labels, rank(logits) - 1 if logits.shape.ndims is None else logits.shape.ndims - 1)
        weights = _of_rank(weights, rank(labels) if labels.shape.ndims is None else labels.shape.ndims)
        losses = sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits, name="xentropy")
        return compute_weighted_loss(losses, weights, full, loss_collection, reduction)


def _of_rank(value: Any, wanted: Any) -> Tensor:
    """The tensor without a last dimension of size 1, where that is one more than the rank it should have."""
    tensor = convert_to_tensor(value)
    known = tensor.shape.ndims
    if known is not None and isinstance(wanted, int):
        if known != wanted + 1 or tensor.shape[-1].value not in (None, 1):
            return tensor
        squeezed: Tensor = apply("Squeeze", tensor, squeeze_dims=[-1])
        return squeezed
    return tensor if known == 0 else reshape(tensor, shape(tensor)[:wanted])


def _required(**arguments: Any) -> None:
    for name, value in arguments.items():
        if value is None:
            raise ValueError(f"{name} must not be None.")


def _alike(labels: Any, predictions: Any) -> tuple[Tensor, Tensor]:
    predictions = _float(predictions)
    labels = _float(labels)
    predictions.shape.assert_is_compatible_with(labels.shape)
    return labels, predictions


def _cast_labels(logits: Any, labels: Any) -> tuple[Tensor, Tensor]:
    logits = convert_to_tensor(logits)
    labels = convert_to_tensor(labels)
    if labels.dtype.base_dtype != logits.dtype.base_dtype:
        labels = apply("Cast", labels, DstT=logits.dtype.base_dtype)
    logits.shape.assert_is_compatible_with(labels.shape)
    return logits, labels
