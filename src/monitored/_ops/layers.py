"""Layers with variables of their own: `dense`, `batch_normalization`, `dropout` and `flatten`, and their classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from monitored._graph.build import convert_to_tensor
from monitored._graph.graph import get_default_graph
from monitored._graph.operation import Tensor
from monitored._graph.shapes import TensorShape
from monitored._ops.activations import bias_add
from monitored._ops.array import expand_dims, identity, reshape, transpose
from monitored._ops.array import shape as shape_of
from monitored._ops.initializers import ones_initializer, zeros_initializer
from monitored._ops.layers_base import Layer, activation_of, as_function, known_bool, smart_cond
from monitored._ops.linalg import matmul, tensordot
from monitored._ops.nn import dropout as _nn_dropout
from monitored._ops.normalization import batch_normalization as _normalized
from monitored._ops.normalization import fused_batch_norm, moments
from monitored._ops.variable_ops import assign_sub
from monitored._ops.variables import Variable

__all__ = [
    "BatchNormalization",
    "Dense",
    "Dropout",
    "Flatten",
    "batch_normalization",
    "dense",
    "dropout",
    "flatten",
]


class Dense(Layer):
    """A densely connected layer: ``activation(inputs kernel + bias)``.

    Args:
        units: The size of the outputs.
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

    def __init__(
        self,
        units: int,
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
        self.units = int(units)
        self.activation = activation_of(activation)
        self.use_bias = use_bias
        self.kernel_initializer = kernel_initializer
        self.bias_initializer = bias_initializer
        self.kernel_regularizer = kernel_regularizer
        self.bias_regularizer = bias_regularizer
        self.activity_regularizer = activity_regularizer
        self.kernel_constraint = kernel_constraint
        self.bias_constraint = bias_constraint
        self.kernel: Any = None
        self.bias: Any = None

    def _check(self, inputs: Any) -> None:
        self._check_rank(inputs, at_least=2)

    def build(self, input_shape: TensorShape) -> None:
        """Makes ``kernel`` and ``bias``."""
        assert self._dtype is not None
        if not (self._dtype.is_floating or self._dtype.is_complex):
            raise TypeError(f"Unable to build `Dense` layer with non-floating point dtype {self._dtype}")
        depth = input_shape[-1].value
        if depth is None:
            raise ValueError("The last dimension of the inputs to `Dense` should be defined. Found `None`.")
        self.kernel = self.add_weight(
            "kernel", [depth, self.units], None, self.kernel_initializer, self.kernel_regularizer, True,
            self.kernel_constraint,
        )  # fmt: skip
        if self.use_bias:
            self.bias = self.add_weight(
                "bias", [self.units], None, self.bias_initializer, self.bias_regularizer, True, self.bias_constraint
            )
        self.built = True

    def call(self, inputs: Any) -> Tensor:
        """The outputs; see the class."""
        rank = inputs.shape.ndims
        if rank > 2:
            outputs = tensordot(inputs, self.kernel, [[rank - 1], [0]])
            outputs.set_shape([*inputs.shape.as_list()[:-1], self.units])
        else:
            outputs = matmul(inputs, self.kernel)
        if self.use_bias:
            outputs = bias_add(outputs, self.bias)
        result: Tensor = outputs if self.activation is None else self.activation(outputs)
        return result


dense = as_function(Dense, "dense", "A densely connected layer: ``activation(inputs kernel + bias)``.")


class Dropout(Layer):
    """Sets elements to zero at random in training, and scales the others up so that the sum is the same on average.

    Args:
        rate: The probability of dropping an element: a number or a scalar tensor.
        noise_shape: The shape of the mask, which is broadcast; that of the inputs by default.
        seed: A seed.
        name: The layer's name.
        kwargs: See `Layer`.
    """

    def __init__(
        self, rate: Any = 0.5, noise_shape: Any = None, seed: int | None = None, name: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.rate = rate
        self.noise_shape = noise_shape
        self.seed = seed

    def call(self, inputs: Any, training: Any = False) -> Any:
        """The outputs.

        Args:
            inputs: A tensor.
            training: Whether to drop elements: a Python value or a scalar boolean tensor.

        Returns:
            A tensor of the same shape.
        """
        return smart_cond(
            training,
            lambda: _nn_dropout(inputs, noise_shape=self.noise_shape, seed=self.seed, rate=self.rate),
            lambda: identity(inputs),
        )


def dropout(
    inputs: Any,
    rate: Any = 0.5,
    noise_shape: Any = None,
    seed: int | None = None,
    training: Any = False,
    name: str | None = None,
) -> Tensor:
    """Sets elements to zero at random in training, and scales the others up so that the sum is the same on average.

    Args:
        inputs: A tensor.
        rate: The probability of dropping an element: a number or a scalar tensor.
        noise_shape: The shape of the mask, which is broadcast; that of the inputs by default.
        seed: A seed.
        training: Whether to drop elements: a Python value or a scalar boolean tensor.
        name: The layer's name.

    Returns:
        A tensor of the same shape.
    """
    result: Tensor = Dropout(rate, noise_shape, seed, name)(inputs, training=training)
    return result


class Flatten(Layer):
    """Makes one dimension of all but the first.

    Args:
        data_format: ``'channels_last'``, or ``'channels_first'``, whose inputs are first put in the other order.
        kwargs: See `Layer`.
    """

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = data_format or "channels_last"

    def call(self, inputs: Any) -> Tensor:
        """The outputs; see the class."""
        rank = inputs.shape.ndims
        if self.data_format == "channels_first" and rank is not None and rank > 1:
            inputs = transpose(inputs, perm=[0, *range(2, rank), 1])
        if rank == 1:
            return expand_dims(inputs, 1)
        outputs = reshape(inputs, (inputs.shape[0].value or shape_of(inputs)[0], -1))
        first, *rest = inputs.shape.as_list()
        outputs.set_shape([first, None if None in rest else int(np.prod(rest))])
        return outputs


def flatten(inputs: Any, name: str | None = None, data_format: str = "channels_last") -> Tensor:
    """Makes one dimension of all but the first.

    Args:
        inputs: A tensor ``[batch, ...]``.
        name: The layer's name.
        data_format: ``'channels_last'``, or ``'channels_first'``, whose inputs are first put in the other order.

    Returns:
        A tensor ``[batch, rest]``.
    """
    result: Tensor = Flatten(name=name, data_format=data_format)(inputs)
    return result


class BatchNormalization(Layer):
    """Batch normalization (http://arxiv.org/abs/1502.03167), with moving averages for use after training.

    In training it normalizes by the batch's mean and variance and adds the updates of the moving averages to the
    collection ``GraphKeys.UPDATE_OPS``: they are to be run with every step.

    Args:
        axis: The axis (or axes) that keeps statistics of its own, the channels; the last by default.
        momentum: The moving averages' momentum.
        epsilon: Added to the variance.
        center: Whether to add a trained `beta`.
        scale: Whether to multiply by a trained `gamma`.
        beta_initializer: Initializer of beta.
        gamma_initializer: Initializer of gamma.
        moving_mean_initializer: Initializer of the moving mean.
        moving_variance_initializer: Initializer of the moving variance.
        beta_regularizer: A function of beta that gives a loss.
        gamma_regularizer: A function of gamma that gives a loss.
        beta_constraint: A function that projects beta after an optimizer's update.
        gamma_constraint: A function that projects gamma after an optimizer's update.
        renorm: Batch renormalization; not supported.
        renorm_clipping: For batch renormalization.
        renorm_momentum: For batch renormalization.
        fused: Whether to use the fused operation; by default where it can be: four dimensions, of which one keeps
            statistics.
        trainable: Whether optimizers train beta and gamma by default.
        virtual_batch_size: Not supported.
        adjustment: Not supported.
        name: The layer's name.
        kwargs: See `Layer`.

    Raises:
        NotImplementedError: For what is not supported.
    """

    def __init__(
        self,
        axis: Any = -1,
        momentum: Any = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = zeros_initializer(),  # noqa: B008  # it has no state, as those below
        gamma_initializer: Any = ones_initializer(),  # noqa: B008
        moving_mean_initializer: Any = zeros_initializer(),  # noqa: B008
        moving_variance_initializer: Any = ones_initializer(),  # noqa: B008
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        renorm: bool = False,
        renorm_clipping: Any = None,
        renorm_momentum: float = 0.99,
        fused: bool | None = None,
        trainable: bool = True,
        virtual_batch_size: int | None = None,
        adjustment: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(trainable=trainable, name=name, **kwargs)
        for label, given in {
            "renorm": renorm,
            "virtual_batch_size": virtual_batch_size,
            "adjustment": adjustment,
        }.items():
            if given:
                raise NotImplementedError(f"batch_normalization with `{label}` is not supported.")
        self.axis = list(axis) if isinstance(axis, (list, tuple)) else axis
        self.momentum = momentum
        self.epsilon = epsilon
        self.center = center
        self.scale = scale
        self.fused = fused
        self._for_beta = (beta_initializer, beta_regularizer, beta_constraint)
        self._for_gamma = (gamma_initializer, gamma_regularizer, gamma_constraint)
        self._for_moving = (moving_mean_initializer, moving_variance_initializer)
        self.beta: Any = None
        self.gamma: Any = None

    def build(self, input_shape: TensorShape) -> None:
        """Makes ``gamma``, ``beta``, ``moving_mean`` and ``moving_variance``."""
        if input_shape.ndims is None:
            raise ValueError("Input has undefined rank:", input_shape)
        rank = input_shape.ndims
        axes = [self.axis] if isinstance(self.axis, int) else list(self.axis)
        self._axes = [axis + rank if axis < 0 else axis for axis in axes]
        for axis in self._axes:
            if not 0 <= axis < rank:
                raise ValueError(f"Invalid axis: {axis}")
        if len(set(self._axes)) != len(self._axes):
            raise ValueError(f"Duplicate axis: {self._axes}")
        able = rank == 4 and self._axes in ([1], [3])
        if self.fused and not able:
            raise ValueError(
                "Batch normalization layers with fused=True only support 4D input tensors, with one axis of "
                f"statistics: 1 or 3; got rank {rank} and axis {self._axes}."
            )
        self._fused = able if self.fused is None else self.fused
        sizes = [input_shape[axis].value for axis in self._axes]
        if None in sizes:
            raise ValueError("Input has undefined `axis` dimension. Input shape: ", input_shape)
        # With several axes the statistics keep the input's rank, so that they broadcast.
        shape = sizes if len(sizes) == 1 else [input_shape[i].value if i in self._axes else 1 for i in range(rank)]

        def weight(name: str, initializer: Any, regularizer: Any, constraint: Any, trainable: bool = True) -> Variable:
            return self.add_weight(
                name, shape, self._statistics_type(), initializer, regularizer, trainable, constraint
            )

        if self.scale:
            self.gamma = weight("gamma", *self._for_gamma)
        if self.center:
            self.beta = weight("beta", *self._for_beta)
        mean, variance = self._for_moving
        self.moving_mean = weight("moving_mean", mean, None, None, trainable=False)
        self.moving_variance = weight("moving_variance", variance, None, None, trainable=False)
        self.built = True

    def _statistics_type(self) -> Any:
        half = self._dtype is not None and self._dtype.name in ("float16", "bfloat16")
        return "float32" if half else self._dtype

    def call(self, inputs: Any, training: Any = False) -> Any:
        """The outputs.

        Args:
            inputs: A tensor.
            training: Whether to normalize by the batch, and to update the moving averages: a Python value or a scalar
                boolean tensor.

        Returns:
            A tensor of the same shape.
        """
        outputs = self._by_fused_op(inputs, training) if self._fused else self._by_moments(inputs, training)
        outputs.set_shape(inputs.shape)
        return outputs

    def _by_fused_op(self, inputs: Tensor, training: Any) -> Tensor:
        gamma, beta = self.gamma, self.beta
        size, dtype = self.moving_mean.shape.as_list(), self._statistics_type()
        if gamma is None:
            gamma = convert_to_tensor(np.ones(size), dtype)
        if beta is None:
            beta = convert_to_tensor(np.zeros(size), dtype)
        layout = "NHWC" if self._axes == [3] else "NCHW"
        outputs, mean, variance = smart_cond(
            training,
            lambda: fused_batch_norm(inputs, gamma, beta, None, None, self.epsilon, layout),
            lambda: fused_batch_norm(
                inputs, gamma, beta, self.moving_mean, self.moving_variance, self.epsilon, layout, False
            ),
        )
        known = known_bool(training)
        if known is not False:
            momentum = self.momentum
            if known is None:
                momentum = smart_cond(
                    training, lambda: convert_to_tensor(self.momentum), lambda: convert_to_tensor(1.0)
                )
            self._update(self.moving_mean, mean, momentum)
            self._update(self.moving_variance, variance, momentum)
        result: Tensor = outputs
        return result

    def _by_moments(self, inputs: Tensor, training: Any) -> Tensor:
        rank = inputs.shape.ndims or 0
        reduced = [i for i in range(rank) if i not in self._axes]
        known = known_bool(training)
        mean, variance = self.moving_mean, self.moving_variance
        if known is not False:
            batch_mean, batch_variance = moments(inputs, reduced, keep_dims=len(self._axes) > 1)
            mean = smart_cond(training, lambda: batch_mean, lambda: convert_to_tensor(self.moving_mean))
            variance = smart_cond(training, lambda: batch_variance, lambda: convert_to_tensor(self.moving_variance))
            self._update(self.moving_mean, mean, self.momentum)
            self._update(self.moving_variance, variance, self.momentum)
        spread = [1] * rank
        spread[self._axes[0]] = inputs.shape.as_list()[self._axes[0]] or 1

        def broadcast(v: Any) -> Any:
            if v is None or len(v.shape) == rank or reduced == list(range(rank - 1)):
                return v
            return reshape(v, spread)

        outputs: Tensor = _normalized(
            inputs, broadcast(mean), broadcast(variance), broadcast(self.beta), broadcast(self.gamma), self.epsilon
        )
        return outputs

    def _update(self, variable: Variable, value: Any, momentum: Any) -> None:
        with get_default_graph().name_scope("AssignMovingAvg") as scope:
            decay = 1.0 - momentum
            if not isinstance(decay, Tensor):
                decay = convert_to_tensor(decay, variable.dtype.base_dtype, name="decay")
            self.add_update(assign_sub(variable, (variable - value) * decay, name=scope))


def batch_normalization(
    inputs: Any,
    axis: Any = -1,
    momentum: Any = 0.99,
    epsilon: float = 1e-3,
    center: bool = True,
    scale: bool = True,
    beta_initializer: Any = zeros_initializer(),  # noqa: B008  # it has no state, as those below
    gamma_initializer: Any = ones_initializer(),  # noqa: B008
    moving_mean_initializer: Any = zeros_initializer(),  # noqa: B008
    moving_variance_initializer: Any = ones_initializer(),  # noqa: B008
    beta_regularizer: Any = None,
    gamma_regularizer: Any = None,
    beta_constraint: Any = None,
    gamma_constraint: Any = None,
    training: Any = False,
    trainable: bool = True,
    name: str | None = None,
    reuse: Any = None,
    renorm: bool = False,
    renorm_clipping: Any = None,
    renorm_momentum: float = 0.99,
    fused: bool | None = None,
    virtual_batch_size: int | None = None,
    adjustment: Any = None,
) -> Tensor:
    """Batch normalization (http://arxiv.org/abs/1502.03167), with moving averages for use after training.

    Args:
        inputs: A tensor.
        axis: See `BatchNormalization`, as for all that is not said here.
        momentum: The moving averages' momentum.
        epsilon: Added to the variance.
        center: Whether to add a trained `beta`.
        scale: Whether to multiply by a trained `gamma`.
        beta_initializer: Initializer of beta.
        gamma_initializer: Initializer of gamma.
        moving_mean_initializer: Initializer of the moving mean.
        moving_variance_initializer: Initializer of the moving variance.
        beta_regularizer: A function of beta that gives a loss.
        gamma_regularizer: A function of gamma that gives a loss.
        beta_constraint: A function that projects beta after an optimizer's update.
        gamma_constraint: A function that projects gamma after an optimizer's update.
        training: Whether to normalize by the batch, and to update the moving averages (by the operations in the
            collection ``GraphKeys.UPDATE_OPS``): a Python value or a scalar boolean tensor.
        trainable: Whether optimizers train beta and gamma by default.
        name: The layer's name.
        reuse: Whether to share the variables of a layer of that name.
        renorm: Not supported.
        renorm_clipping: Not supported.
        renorm_momentum: Not supported.
        fused: Whether to use the fused operation; by default where it can be.
        virtual_batch_size: Not supported.
        adjustment: Not supported.

    Returns:
        A tensor of the same shape.

    Raises:
        NotImplementedError: For what is not supported.
        ValueError: If an axis does not fit.
    """
    layer = BatchNormalization(
        axis, momentum, epsilon, center, scale, beta_initializer, gamma_initializer, moving_mean_initializer,
        moving_variance_initializer, beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint, renorm,
        renorm_clipping, renorm_momentum, fused, trainable, virtual_batch_size, adjustment, name, _scope=name,
        _reuse=reuse,
    )  # fmt: skip
    result: Tensor = layer(inputs, training=training)
    return result
