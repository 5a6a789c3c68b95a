"""Initializers: objects that make the initial value of a variable from its shape.

An initializer is called with a shape and gives a tensor; `get_config` and `from_config` describe and rebuild it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, Final, Self

import numpy as np

from monitored._graph import dtypes
from monitored._graph.build import apply, constant, convert_to_tensor
from monitored._graph.operation import Tensor
from monitored._graph.shapes import as_shape
from monitored._ops import random
from monitored._ops.array import reshape, transpose
from monitored._ops.fill import ones, zeros

__all__ = [
    "Constant",
    "GlorotNormal",
    "GlorotUniform",
    "Identity",
    "Initializer",
    "Ones",
    "Orthogonal",
    "RandomNormal",
    "RandomUniform",
    "TruncatedNormal",
    "UniformUnitScaling",
    "VarianceScaling",
    "Zeros",
    "constant_initializer",
    "glorot_normal_initializer",
    "glorot_uniform_initializer",
    "he_normal",
    "he_uniform",
    "lecun_normal",
    "lecun_uniform",
    "ones_initializer",
    "orthogonal_initializer",
    "random_normal_initializer",
    "random_uniform_initializer",
    "truncated_normal_initializer",
    "uniform_unit_scaling_initializer",
    "variance_scaling_initializer",
    "zeros_initializer",
]

_TRUNCATED_STDDEV: Final = 0.87962566103423978  # of a standard normal cut off at two standard deviations


class Initializer:
    """What all initializers share.

    A subclass defines `__call__` and, if it has arguments, `get_config`.
    """

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Any:
        """The initial value.

        Args:
            shape: The variable's shape.
            dtype: The variable's type; by default the one that the initializer was made with.
            partition_info: For a part of a larger variable, an object with the whole's `full_shape`.

        Returns:
            A tensor of that shape and type.
        """
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """The arguments to make this initializer anew."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """An initializer from the arguments that `get_config` gave.

        Args:
            config: The arguments.

        Returns:
            The initializer.
        """
        return cls(**config)


class _Typed(Initializer):
    """An initializer with a default type; its arguments are attributes of the same names."""

    _arguments: ClassVar[tuple[str, ...]] = ()
    dtype: dtypes.DType

    def _dtype(self, dtype: Any) -> dtypes.DType:
        return self.dtype if dtype is None else dtypes.as_dtype(dtype).base_dtype

    def get_config(self) -> dict[str, Any]:
        """The arguments to make this initializer anew."""
        return {name: getattr(self, name) for name in self._arguments} | {"dtype": self.dtype.name}


class Zeros(_Typed):
    """Makes zeros.

    Args:
        dtype: The default type.
    """

    def __init__(self, dtype: Any = dtypes.float32) -> None:
        self.dtype = dtypes.as_dtype(dtype)

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Tensor:
        """The initial value; see `Initializer.__call__`."""
        return zeros(shape, self._dtype(dtype))


class Ones(_Typed):
    """Makes ones.

    Args:
        dtype: The default type.
    """

    def __init__(self, dtype: Any = dtypes.float32) -> None:
        self.dtype = dtypes.as_dtype(dtype)

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Tensor:
        """The initial value; see `Initializer.__call__`."""
        return ones(shape, self._dtype(dtype))


class Constant(_Typed):
    """Makes given values.

    Args:
        value: A number, or a list or array of numbers; where the variable has more elements, the last number fills
            the rest.
        dtype: The default type.
        verify_shape: Whether the value's shape must be the variable's.

    Raises:
        TypeError: If `value` is none of these.
    """

    _arguments: ClassVar[tuple[str, ...]] = ("value",)

    def __init__(self, value: Any = 0, dtype: Any = dtypes.float32, verify_shape: bool = False) -> None:
        if not (np.isscalar(value) or isinstance(value, (list, tuple, np.ndarray))):
            raise TypeError(
                f"Invalid type for initial value: {type(value)} (expected Python scalar, list or tuple of values, or "
                "numpy.ndarray)."
            )
        self.value = value
        self.dtype = dtypes.as_dtype(dtype)
        self._verify_shape = verify_shape

    def __call__(
        self, shape: Any, dtype: Any = None, partition_info: Any = None, verify_shape: bool | None = None
    ) -> Tensor:
        """The initial value; see `Initializer.__call__`.

        Raises:
            ValueError: If there are more values than the variable has elements.
            TypeError: If `verify_shape` and the value has another shape.
        """
        verify = self._verify_shape if verify_shape is None else verify_shape
        size = as_shape(shape).num_elements() or 0
        if np.isscalar(self.value) and size > 1000 and not verify:
            # One number and a shape, rather than an array of them in the graph and in the program.
            value = convert_to_tensor(self.value, self._dtype(dtype), name="Const")
            filled: Tensor = apply("Fill", as_shape(shape).as_list(), value)
            return filled
        return constant(self.value, self._dtype(dtype), shape, verify_shape=verify)


class RandomUniform(_Typed):
    """Draws evenly from a range.

    Args:
        minval: The lower bound.
        maxval: The upper bound, which is not reached; 1 by default for floating types.
        seed: The op's seed; see `set_random_seed`.
        dtype: The default type.
    """

    _arguments: ClassVar[tuple[str, ...]] = ("minval", "maxval", "seed")

    def __init__(
        self, minval: Any = 0, maxval: Any = None, seed: int | None = None, dtype: Any = dtypes.float32
    ) -> None:
        self.minval, self.maxval, self.seed = minval, maxval, seed
        self.dtype = dtypes.as_dtype(dtype)

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Tensor:
        """The initial value; see `Initializer.__call__`."""
        return random.random_uniform(shape, self.minval, self.maxval, self._dtype(dtype), seed=self.seed)


class RandomNormal(_Typed):
    """Draws from a normal distribution.

    Args:
        mean: The mean.
        stddev: The standard deviation.
        seed: The op's seed; see `set_random_seed`.
        dtype: The default type, which is floating.

    Raises:
        ValueError: If `dtype` is not floating.
    """

    _arguments: ClassVar[tuple[str, ...]] = ("mean", "stddev", "seed")

    def __init__(
        self, mean: Any = 0.0, stddev: Any = 1.0, seed: int | None = None, dtype: Any = dtypes.float32
    ) -> None:
        self.mean, self.stddev, self.seed = mean, stddev, seed
        self.dtype = _floating(dtype)

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Tensor:
        """The initial value; see `Initializer.__call__`."""
        return random.random_normal(shape, self.mean, self.stddev, self._dtype(dtype), seed=self.seed)


class TruncatedNormal(RandomNormal):
    """Draws from a normal distribution cut off at two standard deviations.

    Args:
        mean: The mean.
        stddev: The standard deviation before it is cut.
        seed: The op's seed; see `set_random_seed`.
        dtype: The default type, which is floating.

    Raises:
        ValueError: If `dtype` is not floating.
    """

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Tensor:
        """The initial value; see `Initializer.__call__`."""
        return random.truncated_normal(shape, self.mean, self.stddev, self._dtype(dtype), seed=self.seed)


class UniformUnitScaling(_Typed):
    """Draws evenly from ``±factor * sqrt(3 / inputs)``, which keeps the scale of what goes through a layer.

    The number of inputs is the product of all but the last dimension.

    Args:
        factor: What to multiply with.
        seed: The op's seed; see `set_random_seed`.
        dtype: The default type, which is floating.

    Raises:
        ValueError: If `dtype` is not floating.
    """

    _arguments: ClassVar[tuple[str, ...]] = ("factor", "seed")

    def __init__(self, factor: float = 1.0, seed: int | None = None, dtype: Any = dtypes.float32) -> None:
        self.factor, self.seed = factor, seed
        self.dtype = _floating(dtype)

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Tensor:
        """The initial value; see `Initializer.__call__`."""
        inputs = max(math.prod(_whole(shape, partition_info)[:-1]), 1)
        limit = math.sqrt(3 / inputs) * self.factor
        return random.random_uniform(shape, -limit, limit, self._dtype(dtype), seed=self.seed)


class VarianceScaling(_Typed):
    """Draws with a variance of `scale` divided by the number of a layer's inputs, outputs, or their mean.

    For a matrix ``[inputs, outputs]`` those are its dimensions; for a filter ``[..., channels, outputs]`` the last two,
    times the filter's size.

    Args:
        scale: A positive number.
        mode: ``'fan_in'`` (inputs), ``'fan_out'`` (outputs) or ``'fan_avg'`` (their mean).
        distribution: ``'truncated_normal'`` (or ``'normal'``), ``'untruncated_normal'`` or ``'uniform'``.
        seed: The op's seed; see `set_random_seed`.
        dtype: The default type, which is floating.

    Raises:
        ValueError: If an argument is not one of those listed.
    """

    _arguments: ClassVar[tuple[str, ...]] = ("scale", "mode", "distribution", "seed")

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
        dtype: Any = dtypes.float32,
    ) -> None:
        if scale <= 0.0:
            raise ValueError("`scale` must be positive float.")
        if mode not in ("fan_in", "fan_out", "fan_avg"):
            raise ValueError("Invalid `mode` argument:", mode)
        distribution = distribution.lower()
        if distribution not in ("normal", "uniform", "truncated_normal", "untruncated_normal"):
            raise ValueError("Invalid `distribution` argument:", distribution)
        self.scale, self.mode, self.distribution, self.seed = scale, mode, distribution, seed
        self.dtype = _floating(dtype)

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Tensor:
        """The initial value; see `Initializer.__call__`."""
        inputs, outputs = _fans(_whole(shape, partition_info))
        count = {"fan_in": inputs, "fan_out": outputs, "fan_avg": (inputs + outputs) / 2}[self.mode]
        variance = self.scale / max(1.0, count)
        dtype = self._dtype(dtype)
        if self.distribution == "uniform":
            limit = math.sqrt(3.0 * variance)
            return random.random_uniform(shape, -limit, limit, dtype, seed=self.seed)
        if self.distribution == "untruncated_normal":
            return random.random_normal(shape, 0.0, math.sqrt(variance), dtype, seed=self.seed)
        return random.truncated_normal(shape, 0.0, math.sqrt(variance) / _TRUNCATED_STDDEV, dtype, seed=self.seed)


class GlorotUniform(VarianceScaling):
    """Draws evenly from ``±sqrt(6 / (inputs + outputs))`` (Glorot and Bengio, AISTATS 2010).

    Args:
        seed: The op's seed; see `set_random_seed`.
        dtype: The default type, which is floating.
    """

    _arguments: ClassVar[tuple[str, ...]] = ("seed",)

    def __init__(self, seed: int | None = None, dtype: Any = dtypes.float32) -> None:
        super().__init__(1.0, "fan_avg", "uniform", seed, dtype)


class GlorotNormal(VarianceScaling):
    """Draws from a truncated normal distribution of variance ``2 / (inputs + outputs)`` (Glorot and Bengio, 2010).

    Args:
        seed: The op's seed; see `set_random_seed`.
        dtype: The default type, which is floating.
    """

    _arguments: ClassVar[tuple[str, ...]] = ("seed",)

    def __init__(self, seed: int | None = None, dtype: Any = dtypes.float32) -> None:
        super().__init__(1.0, "fan_avg", "truncated_normal", seed, dtype)


class Orthogonal(_Typed):
    """Makes a matrix whose rows, or columns if these are fewer, are orthogonal and of length `gain`.

    A shape of more than two dimensions is seen as a matrix with the last dimension as its columns (Saxe, McClelland and
    Ganguli, ICLR 2014).

    Args:
        gain: What to multiply with.
        seed: The op's seed; see `set_random_seed`.
        dtype: The default type, which is floating.

    Raises:
        ValueError: If `dtype` is not floating.
    """

    _arguments: ClassVar[tuple[str, ...]] = ("gain", "seed")

    def __init__(self, gain: float = 1.0, seed: int | None = None, dtype: Any = dtypes.float32) -> None:
        self.gain, self.seed = gain, seed
        self.dtype = _floating(dtype)

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Tensor:
        """The initial value; see `Initializer.__call__`.

        Raises:
            ValueError: If the shape has fewer than two dimensions.
        """
        sizes = _sizes(shape)
        if len(sizes) < 2:
            raise ValueError("The tensor to initialize must be at least two-dimensional")
        rows, columns = math.prod(sizes[:-1]), sizes[-1]
        flat = [max(rows, columns), min(rows, columns)]
        drawn = random.random_normal(flat, dtype=self._dtype(dtype), seed=self.seed)
        q, r = apply("Qr", drawn, full_matrices=False)
        # With the signs of r's diagonal the distribution is uniform over the orthogonal matrices.
        q = q * apply("Sign", apply("DiagPart", r))
        if rows < columns:
            q = transpose(q)
        result: Tensor = self.gain * reshape(q, sizes)
        return result


class Identity(_Typed):
    """Makes an identity matrix, with zeros beside it where it is not square.

    Args:
        gain: What to multiply with.
        dtype: The default type, which is floating.

    Raises:
        ValueError: If `dtype` is not floating.
    """

    _arguments: ClassVar[tuple[str, ...]] = ("gain",)

    def __init__(self, gain: float = 1.0, dtype: Any = dtypes.float32) -> None:
        self.gain = gain
        self.dtype = _floating(dtype)

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Tensor:
        """The initial value; see `Initializer.__call__`.

        Raises:
            ValueError: If the shape is not that of a matrix.
        """
        if len(_whole(shape, partition_info)) != 2:
            raise ValueError("Identity matrix initializer can only be used for 2D matrices.")
        rows, columns = _sizes(shape)
        return constant(self.gain * np.eye(rows, columns), self._dtype(dtype), name="eye")


def _floating(dtype: Any) -> dtypes.DType:
    found = dtypes.as_dtype(dtype)
    if not found.is_floating:
        raise ValueError(f"Expected floating point type, got {found!r}.")
    return found


def _sizes(shape: Any) -> list[int]:
    return [int(size) for size in as_shape(shape).as_list() if size is not None]


def _whole(shape: Any, partition_info: Any) -> list[int]:
    return _sizes(shape if partition_info is None else partition_info.full_shape)


def _fans(shape: Sequence[int]) -> tuple[float, float]:
    if not shape:
        return 1, 1
    if len(shape) == 1:
        return shape[0], shape[0]
    window = math.prod(shape[:-2])
    return shape[-2] * window, shape[-1] * window


def he_normal(seed: int | None = None) -> VarianceScaling:
    """Draws from a truncated normal distribution of variance ``2 / inputs`` (He, Zhang, Ren and Sun, ICCV 2015).

    Args:
        seed: The op's seed; see `set_random_seed`.

    Returns:
        An initializer.
    """
    return VarianceScaling(2.0, "fan_in", "truncated_normal", seed)


def he_uniform(seed: int | None = None) -> VarianceScaling:
    """Draws evenly from ``±sqrt(6 / inputs)`` (He, Zhang, Ren and Sun, ICCV 2015).

    Args:
        seed: The op's seed; see `set_random_seed`.

    Returns:
        An initializer.
    """
    return VarianceScaling(2.0, "fan_in", "uniform", seed)


def lecun_normal(seed: int | None = None) -> VarianceScaling:
    """Draws from a truncated normal distribution of variance ``1 / inputs`` (LeCun et al., Efficient BackProp, 1998).

    Args:
        seed: The op's seed; see `set_random_seed`.

    Returns:
        An initializer.
    """
    return VarianceScaling(1.0, "fan_in", "truncated_normal", seed)


def lecun_uniform(seed: int | None = None) -> VarianceScaling:
    """Draws evenly from ``±sqrt(3 / inputs)`` (LeCun et al., Efficient BackProp, 1998).

    Args:
        seed: The op's seed; see `set_random_seed`.

    Returns:
        An initializer.
    """
    return VarianceScaling(1.0, "fan_in", "uniform", seed)


zeros_initializer = Zeros
ones_initializer = Ones
constant_initializer = Constant
random_uniform_initializer = RandomUniform
random_normal_initializer = RandomNormal
truncated_normal_initializer = TruncatedNormal
uniform_unit_scaling_initializer = UniformUnitScaling
variance_scaling_initializer = VarianceScaling
glorot_uniform_initializer = GlorotUniform
glorot_normal_initializer = GlorotNormal
orthogonal_initializer = Orthogonal
