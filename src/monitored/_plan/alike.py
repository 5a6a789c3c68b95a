"""How JAX traces operations: with their gradients, and once for all that are alike.

Tracing an operation and its gradient takes JAX about a millisecond of Python, and in a graph of thousands most differ
from others in their names only. So the second of a kind is traced as a function of its arguments, of which JAX puts
copies into the segment, for this one and all that follow. The segment is what it would have been.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

Array = Any
Function = Callable[[list[Array]], tuple[Sequence[Array], Any]]
Pullback = Callable[[list[Array | None]], Sequence[Array]]
Result = tuple[Sequence[Array], Any, Pullback | None]

_LARGE: Final = 256  # bytes; smaller constants are compared, to tell whether operations are alike


@dataclass(frozen=True, slots=True)
class Differentiation:
    """How an operation is differentiated in a segment, by all of its gradients there together.

    Attributes:
        wrt: The positions of the inputs whose gradients are wanted.
        given: The positions of the outputs whose gradients are given.
    """

    wrt: tuple[int, ...]
    given: tuple[int, ...]


class _Unlike(Exception):
    """What is being traced must be traced for itself."""


def trace(function: Function, arguments: list[Array], how: Differentiation | None) -> Result:
    """Calls an operation's meaning, such that its gradients can be had if they are wanted.

    Args:
        function: The meaning: it takes the list of the arguments, and returns the outputs and anything else.
        arguments: The arguments.
        how: What is to be differentiated.

    Returns:
        The outputs, what else the function returns, and the pullback: from the gradients of the results, None where
        there is none, to those of the inputs.
    """
    if how is None:
        return *function(arguments), None
    outputs, others, pullback = _differentiate(function, arguments, how)
    return outputs, others, lambda gradients: _pull_back(pullback, [outputs[i] for i in how.given], gradients)


def _differentiate(function: Function, arguments: list[Array], how: Differentiation) -> tuple[Any, Any, Any]:
    def differentiable(*chosen: Array) -> tuple[list[Array], tuple[Sequence[Array], Any]]:
        outputs, others = function(with_replaced(arguments, how.wrt, chosen))
        return [outputs[i] for i in how.given], (outputs, others)

    primals = [jnp.asarray(arguments[i]) for i in how.wrt]
    _, pullback, (outputs, others) = jax.vjp(differentiable, *primals, has_aux=True)
    return outputs, others, pullback


def _pull_back(pullback: Any, results: Sequence[Array], gradients: Sequence[Array | None]) -> Sequence[Array]:
    pairs = zip(results, gradients, strict=True)
    given = [jnp.zeros(r.shape, r.dtype) if gradient is None else jnp.asarray(gradient) for r, gradient in pairs]
    pulled: Sequence[Array] = pullback(given)
    return pulled


def with_replaced(values: list[Array], positions: Sequence[int], chosen: Sequence[Array]) -> list[Array]:
    """A list with other values at some positions."""
    replaced = list(values)
    for position, value in zip(positions, chosen, strict=True):
        replaced[position] = value
    return replaced


class Alike:
    """Traces the operations of one segment, those that are alike once.

    Args:
        inline: Whether the segment itself is being traced, so that what was traced becomes part of it. Otherwise its
            operations are carried out one by one, and there is one executable for all that are alike.
    """

    def __init__(self, inline: bool) -> None:
        self._inline = inline
        self._varying: type = jax.core.Tracer if inline else jax.Array
        # By what distinguishes them: None for a kind met once, False for one whose operations are each for themselves.
        self._kinds: dict[Hashable, _Traced | bool | None] = {}

    def trace(self, kind: Hashable, function: Function, arguments: list[Array], how: Differentiation | None) -> Result:
        """What `trace` does, where the function's meaning and the number of its arguments follow from `kind`."""
        try:
            key = (kind, how, *map(self._described, arguments))
            traced = self._kinds.get(key, self._inline or None)
            if traced is True:
                self._kinds[key] = None  # most likely the only one, which is traced fastest as it is
            elif traced is not False:
                if traced is None:
                    self._kinds[key] = False  # unless this succeeds
                    varying = [i for i, argument in enumerate(arguments) if isinstance(argument, self._varying)]
                    traced = _Traced(function, arguments, varying, how, self._inline)
                result = traced(arguments)
                self._kinds[key] = traced
                return result
        except (_Unlike, TypeError):  # a TypeError: an attribute has no hash
            pass
        return trace(function, arguments, how)

    def _described(self, argument: Array) -> Hashable:
        """What must be the same of an argument for operations to be alike."""
        if isinstance(argument, self._varying):
            return argument.aval  # type: ignore[attr-defined,no-any-return]
        if isinstance(argument, (np.ndarray, np.generic)) and argument.nbytes <= _LARGE:
            return argument.dtype, argument.shape, argument.tobytes()
        if argument is None:
            return None
        raise _Unlike


class _Traced:
    """What stands for the operations of one kind."""

    def __init__(
        self, function: Function, arguments: list[Array], varying: list[int], how: Differentiation | None, inline: bool
    ) -> None:
        fixed = with_replaced(arguments, varying, [None] * len(varying))

        def meaning(values: list[Array]) -> tuple[Sequence[Array], Any]:
            outputs, others = function(values)
            if not all(isinstance(value, jax.core.Tracer) for value in outputs):
                raise _Unlike  # a value known now, which has to stay known
            return outputs, others

        def forward(*values: Array) -> Any:
            complete = with_replaced(fixed, varying, values)
            return meaning(complete) if how is None else _differentiate(meaning, complete, how)

        self._varying = varying
        self._how = how
        self._forward = jax.jit(forward, inline=inline)
        self._backward = jax.jit(_pull_back, inline=inline)

    def __call__(self, arguments: list[Array]) -> Result:
        results = self._forward(*[arguments[i] for i in self._varying])
        if self._how is None:
            return *results, None
        outputs, others, pullback = results
        given = [outputs[i] for i in self._how.given]
        return outputs, others, lambda gradients: self._backward(pullback, given, gradients)
