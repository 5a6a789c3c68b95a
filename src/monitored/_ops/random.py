"""Random numbers: seeds, the ops that draw, and the distributions built from them.

The stream of an op follows from its two seeds, which are attributes of the node as in TensorFlow: the graph's seed and
the op's own. The run machinery turns them and a counter of the op's runs into a JAX key; the numbers are JAX's
(Threefry), not TensorFlow's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from monitored._graph import dtypes
from monitored._graph.build import apply, convert_to_tensor
from monitored._graph.constant import constant_value, constant_value_as_shape
from monitored._graph.graph import get_default_graph
from monitored._graph.opdef import REQUIRED, define
from monitored._graph.operation import Operation, Tensor
from monitored._graph.shapes import Dimension, TensorShape
from monitored._ops.rules import misfit, scope

__all__ = [
    "categorical",
    "get_seed",
    "multinomial",
    "random_gamma",
    "random_normal",
    "random_poisson",
    "random_shuffle",
    "random_uniform",
    "set_random_seed",
    "truncated_normal",
]

_DEFAULT_GRAPH_SEED: Final = 87654321
_MAX_SEED: Final = 2**31 - 1


# -- seeds --------------------------------------------------------------------------------------------------


def set_random_seed(seed: int) -> None:
    """Sets the graph's seed, from which ops without a seed of their own derive theirs.

    Args:
        seed: An integer. Every new session then starts the same streams again.
    """
    get_default_graph().seed = seed


def get_seed(op_seed: int | None) -> tuple[int | None, int | None]:
    """The two seeds of an op that is about to be created.

    Args:
        op_seed: The op's own seed, or None.

    Returns:
        The graph's part and the op's part: ``(None, None)`` when neither seed is set, which means a stream that
        differs from session to session; TensorFlow's default graph seed with the op's; or the graph's seed with the
        number of ops created so far.
    """
    graph = get_default_graph()
    if graph.seed is None:
        if op_seed is None:
            return None, None
        seeds = _DEFAULT_GRAPH_SEED, op_seed
    else:
        seeds = graph.seed, graph._next_id if op_seed is None else op_seed
    graph_part, op_part = seeds[0] % _MAX_SEED, seeds[1] % _MAX_SEED
    # Both zero would mean a stream that differs from session to session.
    return (0, _MAX_SEED) if graph_part == op_part == 0 else (graph_part, op_part)


def _seed_attrs(op_seed: int | None) -> dict[str, Any]:
    seed, seed2 = get_seed(op_seed)
    return {"seed": seed or 0, "seed2": seed2 or 0}


# -- the ops ------------------------------------------------------------------------------------------------


def _shape_given(op: Operation) -> TensorShape:
    return constant_value_as_shape(op.inputs[0])


def _shape_given_before_parameter(op: Operation) -> TensorShape:
    return constant_value_as_shape(op.inputs[0]).concatenate(op.inputs[1].shape)


def _samples_shape(op: Operation) -> TensorShape:
    logits, count = op.inputs[0].shape, constant_value(op.inputs[1])
    if logits.ndims not in (None, 2):
        raise misfit(op, f"Shape must be rank 2 but is rank {logits.ndims}")
    return TensorShape([logits[0].value, None if count is None else int(count)])


def _sizes(shape: Any) -> tuple[int, ...]:
    return tuple(int(size) for size in shape)


def _reshaped(draw: Callable[[tuple[int]], Any], shape: Any) -> Any:
    """Numbers drawn as a vector: XLA's CPU compiler takes five times as long for the same generator on a matrix."""
    sizes = _sizes(shape)
    return jnp.reshape(draw((math.prod(sizes),)), sizes)


def _uniform(key: Any, shape: Any, *, dtype: dtypes.DType) -> Any:
    return _reshaped(lambda n: jax.random.uniform(key, n, dtype.as_numpy_dtype), shape)


def _uniform_int(key: Any, shape: Any, minval: Any, maxval: Any) -> Any:
    return _reshaped(lambda n: jax.random.randint(key, n, minval, maxval, minval.dtype), shape)


def _normal(key: Any, shape: Any, *, dtype: dtypes.DType) -> Any:
    return _reshaped(lambda n: jax.random.normal(key, n, dtype.as_numpy_dtype), shape)


def _truncated(key: Any, shape: Any, *, dtype: dtypes.DType) -> Any:
    return _reshaped(lambda n: jax.random.truncated_normal(key, -2, 2, n, dtype.as_numpy_dtype), shape)


def _multinomial(key: Any, logits: Any, num_samples: Any, *, output_dtype: dtypes.DType) -> Any:
    shape = (logits.shape[0], int(num_samples))
    logits = jnp.asarray(logits, jnp.result_type(logits.dtype, jnp.float32))
    return jax.random.categorical(key, logits[:, None, :], shape=shape).astype(output_dtype.as_numpy_dtype)


def _shuffle(key: Any, value: Any) -> Any:
    return jax.random.permutation(key, value, axis=0)


def _gamma(key: Any, shape: Any, alpha: Any) -> Any:
    return jax.random.gamma(key, alpha, _sizes(shape) + alpha.shape, alpha.dtype)


def _poisson(key: Any, shape: Any, rate: Any, *, dtype: dtypes.DType) -> Any:
    key = jax.random.wrap_key_data(jax.random.key_data(key))  # JAX draws these with its own generator only
    draws = jax.random.poisson(key, rate, _sizes(shape) + rate.shape, np.int64)
    return draws.astype(dtype.as_numpy_dtype)


def _define_of_shape(op_type: str, lower: Any) -> None:
    define(op_type, "shape:T -> output:dtype", lower, infer=_shape_given, static=(0,), random=True, no_grad=True,
           seed=0, seed2=0, dtype=REQUIRED)  # fmt: skip


_define_of_shape("RandomUniform", _uniform)
_define_of_shape("RandomStandardNormal", _normal)
_define_of_shape("TruncatedNormal", _truncated)
define("RandomUniformInt", "shape:T minval:Tout maxval:Tout -> output:Tout", _uniform_int, infer=_shape_given,
       static=(0,), random=True, no_grad=True, seed=0, seed2=0)  # fmt: skip
define("Multinomial", "logits:T num_samples:int32 -> output:output_dtype", _multinomial, infer=_samples_shape,
       static=(1,), random=True, no_grad=True, seed=0, seed2=0, output_dtype=dtypes.int64)  # fmt: skip
define("RandomShuffle", "value:T -> output:T", _shuffle, infer=lambda op: op.inputs[0].shape, random=True,
       no_grad=True, seed=0, seed2=0)  # fmt: skip
define("RandomGamma", "shape:S alpha:T -> output:T", _gamma, infer=_shape_given_before_parameter, static=(0,),
       random=True, seed=0, seed2=0)  # fmt: skip
define("RandomPoissonV2", "shape:S rate:R -> output:dtype", _poisson, infer=_shape_given_before_parameter, static=(0,),
       random=True, no_grad=True, seed=0, seed2=0, R=dtypes.float64, dtype=dtypes.int64)  # fmt: skip


# -- public functions ---------------------------------------------------------------------------------------


def random_uniform(
    shape: Any,
    minval: Any = 0,
    maxval: Any = None,
    dtype: Any = dtypes.float32,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """Numbers drawn evenly from ``[minval, maxval)``.

    Args:
        shape: The output's shape: integers, or a tensor ``[rank]`` of them.
        minval: The lower bound, of type `dtype`.
        maxval: The upper bound, of type `dtype`; 1 by default for floating types.
        dtype: float16, bfloat16, float32, float64, int32 or int64.
        seed: The op's seed; see `set_random_seed`.
        name: A name for the operation.

    Returns:
        A tensor of the given shape and type.

    Raises:
        ValueError: If `dtype` is none of these, or is an integer type and there is no `maxval`.
    """
    dtype = dtypes.as_dtype(dtype)
    if dtype not in (dtypes.float16, dtypes.bfloat16, dtypes.float32, dtypes.float64, dtypes.int32, dtypes.int64):
        raise ValueError(f"Invalid dtype {dtype!r}")
    if maxval is None:
        if dtype.is_integer:
            raise ValueError(f"Must specify maxval for integer dtype {dtype!r}")
        maxval = 1
    with scope(name, "random_uniform", shape, minval, maxval) as full:
        sizes = _shape_tensor(shape)
        low = convert_to_tensor(minval, dtype, name="min")
        high = convert_to_tensor(maxval, dtype, name="max")
        if dtype.is_integer:
            drawn: Tensor = apply("RandomUniformInt", sizes, low, high, name=full, **_seed_attrs(seed))
            return drawn
        unit = apply("RandomUniform", sizes, dtype=dtype, **_seed_attrs(seed))
        spread = apply("Mul", unit, apply("Sub", high, low, name="sub"), name="mul")
        result: Tensor = apply("Add", spread, low, name=full)
        return result


def random_normal(
    shape: Any,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = dtypes.float32,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """Numbers drawn from a normal distribution.

    Args:
        shape: The output's shape: integers, or a tensor ``[rank]`` of them.
        mean: The mean, of type `dtype`, broadcast to `shape`.
        stddev: The standard deviation, of type `dtype`, broadcast to `shape`.
        dtype: A floating type.
        seed: The op's seed; see `set_random_seed`.
        name: A name for the operation.

    Returns:
        A tensor of the given shape and type.
    """
    return _scaled("RandomStandardNormal", "random_normal", shape, mean, stddev, dtype, seed, name)


def truncated_normal(
    shape: Any,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = dtypes.float32,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """Numbers drawn from a normal distribution cut off at two standard deviations.

    Args:
        shape: The output's shape: integers, or a tensor ``[rank]`` of them.
        mean: The mean, of type `dtype`, broadcast to `shape`.
        stddev: The standard deviation before it is cut, of type `dtype`, broadcast to `shape`.
        dtype: A floating type.
        seed: The op's seed; see `set_random_seed`.
        name: A name for the operation.

    Returns:
        A tensor of the given shape and type, with no value further than ``2 * stddev`` from the mean.
    """
    return _scaled("TruncatedNormal", "truncated_normal", shape, mean, stddev, dtype, seed, name)


def _scaled(
    op_type: str, default: str, shape: Any, mean: Any, stddev: Any, dtype: Any, seed: int | None, name: str | None
) -> Tensor:
    dtype = dtypes.as_dtype(dtype)
    with scope(name, default, shape, mean, stddev) as full:
        sizes = _shape_tensor(shape)
        mean = convert_to_tensor(mean, dtype, name="mean")
        stddev = convert_to_tensor(stddev, dtype, name="stddev")
        drawn = apply(op_type, sizes, dtype=dtype, **_seed_attrs(seed))
        result: Tensor = apply("Add", apply("Mul", drawn, stddev, name="mul"), mean, name=full)
        return result


def random_shuffle(value: Any, seed: int | None = None, name: str | None = None) -> Tensor:
    """A tensor's slices along the first dimension in a random order.

    Args:
        value: A tensor ``[n, ...]``.
        seed: The op's seed; see `set_random_seed`.
        name: A name for the operation.

    Returns:
        A tensor of the same shape and type. Nothing flows back through it.
    """
    result: Tensor = apply("RandomShuffle", value, name=name, **_seed_attrs(seed))
    return result


def multinomial(
    logits: Any,
    num_samples: Any,
    seed: int | None = None,
    name: str | None = None,
    output_dtype: Any = None,
) -> Tensor:
    """Classes drawn from distributions given by unnormalized log-probabilities.

    Args:
        logits: ``[batch, classes]``.
        num_samples: How many to draw for each row: an int32 scalar.
        seed: The op's seed; see `set_random_seed`.
        name: A name for the operation.
        output_dtype: int64 (the default) or int32.

    Returns:
        Class numbers, ``[batch, num_samples]``.

    Raises:
        ValueError: If `logits` is no matrix.
    """
    with scope(name, "multinomial", logits):
        return _categorical(logits, num_samples, output_dtype, seed)


def categorical(
    logits: Any,
    num_samples: Any,
    dtype: Any = None,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """Classes drawn from distributions given by unnormalized log-probabilities.

    Args:
        logits: ``[batch, classes]``.
        num_samples: How many to draw for each row: an int32 scalar.
        dtype: int64 (the default) or int32.
        seed: The op's seed; see `set_random_seed`.
        name: A name for the operation.

    Returns:
        Class numbers, ``[batch, num_samples]``.

    Raises:
        ValueError: If `logits` is no matrix.
    """
    with scope(name, "categorical", logits):
        return _categorical(logits, num_samples, dtype, seed)


def _categorical(logits: Any, num_samples: Any, dtype: Any, seed: int | None) -> Tensor:
    logits = convert_to_tensor(logits, name="logits")
    output = dtypes.int64 if dtype is None else dtypes.as_dtype(dtype)
    result: Tensor = apply("Multinomial", logits, num_samples, output_dtype=output, **_seed_attrs(seed))
    return result


def random_gamma(
    shape: Any,
    alpha: Any,
    beta: Any = None,
    dtype: Any = dtypes.float32,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """Numbers drawn from gamma distributions.

    Args:
        shape: How many to draw for each distribution: integers, or a tensor ``[rank]`` of them.
        alpha: The shape parameters, of type `dtype`.
        beta: The inverse scales, which broadcast with `alpha`; 1 by default.
        dtype: float16, float32 or float64.
        seed: The op's seed; see `set_random_seed`.
        name: A name for the operation.

    Returns:
        A tensor of shape `shape` followed by that of ``alpha + beta``. Gradients flow to `alpha` and `beta`.
    """
    dtype = dtypes.as_dtype(dtype)
    with scope(name, "random_gamma", shape, alpha, beta):
        sizes = convert_to_tensor(shape, dtypes.int32, name="shape")
        alpha = convert_to_tensor(alpha, dtype, name="alpha")
        beta = convert_to_tensor(1 if beta is None else beta, dtype, name="beta")
        both = apply("AddV2", alpha, apply("ZerosLike", beta, name="zeros_like"), name="add")
        drawn = apply("RandomGamma", sizes, both, **_seed_attrs(seed))
        tiny = np.finfo(dtype.as_numpy_dtype).tiny
        result: Tensor = apply("Maximum", tiny, apply("RealDiv", drawn, beta, name="truediv"))
        return result


def random_poisson(
    lam: Any,
    shape: Any,
    dtype: Any = dtypes.float32,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """Numbers drawn from Poisson distributions.

    Args:
        lam: The rates.
        shape: How many to draw for each rate: integers, or a tensor ``[rank]`` of them.
        dtype: The type of the output: floating, int32 or int64.
        seed: The op's seed; see `set_random_seed`.
        name: A name for the operation.

    Returns:
        A tensor of shape `shape` followed by that of `lam`.
    """
    with scope(name, "random_poisson", lam, shape):
        sizes = convert_to_tensor(shape, dtypes.int32, name="shape")
        result: Tensor = apply("RandomPoissonV2", sizes, lam, dtype=dtypes.as_dtype(dtype), **_seed_attrs(seed))
        return result


def _shape_tensor(shape: Any) -> Tensor:
    if isinstance(shape, (list, tuple)):
        shape = [d.value if isinstance(d, Dimension) else d for d in shape]
        if not any(isinstance(d, Tensor) or hasattr(d, "_as_tensor") for d in shape):
            return convert_to_tensor(shape, dtypes.int32, name="shape")
    return convert_to_tensor(shape, name="shape")
