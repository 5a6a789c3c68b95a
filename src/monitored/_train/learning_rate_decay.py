"""Learning rates that change with the global step, as tensors to be given to an optimizer."""

from __future__ import annotations

import math as _math
from collections.abc import Sequence
from typing import Any

from monitored._graph import dtypes
from monitored._graph.build import apply, constant, convert_to_tensor
from monitored._graph.default_scopes import name_scope
from monitored._graph.operation import Tensor
from monitored._ops import math
from monitored._ops.casts import cast

__all__ = [
    "cosine_decay",
    "cosine_decay_restarts",
    "exponential_decay",
    "inverse_time_decay",
    "natural_exp_decay",
    "piecewise_constant",
    "piecewise_constant_decay",
    "polynomial_decay",
]


def exponential_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    decay_rate: Any,
    staircase: bool = False,
    name: str | None = None,
) -> Tensor:
    """``learning_rate * decay_rate ^ (global_step / decay_steps)``.

    Args:
        learning_rate: The rate at step 0.
        global_step: The step, in steps; not negative.
        decay_steps: In how many steps the rate is multiplied by `decay_rate`.
        decay_rate: The factor.
        staircase: Whether to change the rate only at whole multiples of `decay_steps`.
        name: A name scope for the operations (``ExponentialDecay``).

    Returns:
        A scalar tensor of the type of `learning_rate`.

    Raises:
        ValueError: If there is no `global_step`.
    """
    _check_step(global_step, "exponential_decay")
    with name_scope(name, "ExponentialDecay") as scope:
        initial = convert_to_tensor(learning_rate, name="initial_learning_rate")
        dtype = initial.dtype
        steps = cast(decay_steps, dtype)
        rate = cast(decay_rate, dtype)
        passed = cast(global_step, dtype) / steps
        if staircase:
            passed = math.floor(passed)
        return math.multiply(initial, math.pow(rate, passed), name=scope)


def natural_exp_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    decay_rate: Any,
    staircase: bool = False,
    name: str | None = None,
) -> Tensor:
    """``learning_rate * exp(-decay_rate * global_step / decay_steps)``; see `exponential_decay`."""
    factor = math.exp(math.negative(decay_rate))
    return exponential_decay(learning_rate, global_step, decay_steps, factor, staircase=staircase, name=name)


def inverse_time_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    decay_rate: Any,
    staircase: bool = False,
    name: str | None = None,
) -> Tensor:
    """``learning_rate / (1 + decay_rate * global_step / decay_steps)``; see `exponential_decay`."""
    _check_step(global_step, "inverse_time_decay")
    with name_scope(name, "InverseTimeDecay") as scope:
        initial = convert_to_tensor(learning_rate, name="initial_learning_rate")
        dtype = initial.dtype
        steps = cast(decay_steps, dtype)
        rate = cast(decay_rate, dtype)
        passed = cast(global_step, dtype) / steps
        if staircase:
            passed = math.floor(passed)
        one = cast(constant(1), dtype)
        return math.divide(initial, math.add(one, math.multiply(rate, passed)), name=scope)


def piecewise_constant(x: Any, boundaries: Sequence[Any], values: Sequence[Any], name: str | None = None) -> Tensor:
    """One value up to a boundary, another from there to the next, and so on.

    Args:
        x: A scalar tensor or variable, such as the global step.
        boundaries: Rising numbers of the type of `x` (ints, when that is int64).
        values: One more than there are boundaries: ``values[i]`` where ``boundaries[i-1] < x <= boundaries[i]``.
        name: A name scope for the operations (``PiecewiseConstant``).

    Returns:
        A scalar tensor of the type of the values.

    Raises:
        ValueError: If the numbers or types of boundaries and values do not fit.
    """
    if len(boundaries) != len(values) - 1:
        raise ValueError("The length of boundaries should be 1 less than the length of values")
    limits = [convert_to_tensor(b) for b in boundaries]
    choices = [convert_to_tensor(v) for v in values]
    x = convert_to_tensor(x)
    for index, limit in enumerate(limits):
        if limit.dtype == dtypes.int32 and x.dtype == dtypes.int64:
            limits[index] = cast(limit, dtypes.int64)
        elif limit.dtype.base_dtype != x.dtype.base_dtype:
            raise ValueError(
                f"Boundaries ({limit.dtype.base_dtype}) must have the same dtype as x ({x.dtype.base_dtype})."
            )
    for choice in choices[1:]:
        if choice.dtype.base_dtype != choices[0].dtype.base_dtype:
            raise ValueError(
                "Values must have elements all with the same dtype "
                f"({choices[0].dtype.base_dtype} vs {choice.dtype.base_dtype})."
            )
    with name_scope(name, "PiecewiseConstant"):
        result = choices[-1]
        for limit, choice in reversed(list(zip(limits, choices[:-1], strict=True))):
            result = apply("Select", math.less_equal(x, limit), choice, result, name="case")
        return result


piecewise_constant_decay = piecewise_constant


def polynomial_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    end_learning_rate: Any = 0.0001,
    power: Any = 1.0,
    cycle: bool = False,
    name: str | None = None,
) -> Tensor:
    """``(learning_rate - end_learning_rate) * (1 - global_step / decay_steps) ^ power + end_learning_rate``.

    Args:
        learning_rate: The rate at step 0.
        global_step: The step, in steps; not negative.
        decay_steps: After how many steps the end is reached.
        end_learning_rate: The rate from there on.
        power: The power; 1 for a straight line.
        cycle: Whether to rise again at the end: `decay_steps` becomes its first multiple beyond the step.
        name: A name scope for the operations (``PolynomialDecay``).

    Returns:
        A scalar tensor of the type of `learning_rate`.

    Raises:
        ValueError: If there is no `global_step`.
    """
    _check_step(global_step, "polynomial_decay")
    with name_scope(name, "PolynomialDecay") as scope:
        initial = convert_to_tensor(learning_rate, name="initial_learning_rate")
        dtype = initial.dtype
        end = cast(end_learning_rate, dtype)
        exponent = cast(power, dtype)
        step = cast(global_step, dtype)
        steps = cast(decay_steps, dtype)
        if cycle:
            started = math.equal(step, 0)
            with name_scope("cond"):
                cycles = math.ceil(step / decay_steps)
                cycles = apply("Select", started, constant(1.0, dtype), cycles, name="Merge")
            steps = math.multiply(steps, cycles)
        else:
            step = math.minimum(step, decay_steps)
        passed = step / steps
        return math.add(math.multiply(initial - end, math.pow(1 - passed, exponent)), end, name=scope)


def cosine_decay(
    learning_rate: Any, global_step: Any, decay_steps: Any, alpha: float = 0.0, name: str | None = None
) -> Tensor:
    """Falls along half a cosine (https://arxiv.org/abs/1608.03983) from the rate to ``alpha`` times it.

    Args:
        learning_rate: The rate at step 0.
        global_step: The step, in steps; not negative.
        decay_steps: After how many steps the end is reached.
        alpha: The end as a fraction of `learning_rate`.
        name: A name scope for the operations (``CosineDecay``).

    Returns:
        A scalar tensor of the type of `learning_rate`.

    Raises:
        ValueError: If there is no `global_step`.
    """
    _check_step(global_step, "cosine_decay")
    with name_scope(name, "CosineDecay"):
        initial = convert_to_tensor(learning_rate, name="initial_learning_rate")
        dtype = initial.dtype
        steps = cast(decay_steps, dtype)
        step = math.minimum(cast(global_step, dtype), steps)
        passed = step / steps
        cosine = 0.5 * (1.0 + math.cos(constant(_math.pi, dtype) * passed))
        return math.multiply(initial, (1 - alpha) * cosine + alpha)


def cosine_decay_restarts(
    learning_rate: Any,
    global_step: Any,
    first_decay_steps: Any,
    t_mul: float = 2.0,
    m_mul: float = 1.0,
    alpha: float = 0.0,
    name: str | None = None,
) -> Tensor:
    """`cosine_decay` that starts anew at each end (SGDR, https://arxiv.org/abs/1608.03983).

    Args:
        learning_rate: The rate at step 0.
        global_step: The step, in steps; not negative.
        first_decay_steps: The length of the first period, in steps.
        t_mul: How many times longer each period is than the one before.
        m_mul: The factor of each period's initial rate.
        alpha: The end as a fraction of `learning_rate`.
        name: A name scope for the operations (``SGDRDecay``).

    Returns:
        A scalar tensor of the type of `learning_rate`.

    Raises:
        ValueError: If there is no `global_step`.
    """
    _check_step(global_step, "cosine_decay_restarts")
    with name_scope(name, "SGDRDecay") as scope:
        initial = convert_to_tensor(learning_rate, name="initial_learning_rate")
        dtype = initial.dtype
        first = cast(first_decay_steps, dtype)
        end = cast(alpha, dtype)
        stretch = cast(t_mul, dtype)
        damping = cast(m_mul, dtype)
        passed = cast(global_step, dtype) / first
        even = math.equal(stretch, 1.0)
        with name_scope("cond"):
            restarts = math.floor(passed)
            fraction = passed - restarts
            number = math.floor(math.log(1.0 - passed * (1.0 - stretch)) / math.log(stretch))
            before = (1.0 - stretch**number) / (1.0 - stretch)
            stretched = (passed - before) / stretch**number
            restarts = apply("Select", even, restarts, number, name="Merge")
            fraction = apply("Select", even, fraction, stretched, name="Merge")
        scale = 0.5 * damping**restarts
        cosine = scale * (1.0 + math.cos(constant(_math.pi, dtype) * fraction))
        return math.multiply(initial, (1 - end) * cosine + end, name=scope)


def _check_step(global_step: Any, function: str) -> None:
    if global_step is None:
        raise ValueError(f"global_step is required for {function}.")
