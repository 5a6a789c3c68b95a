"""Gradients that are held back until what they are used for can be done in place.

XLA changes a donated weight in place only where it can tell that nothing reads the old value any more, and copies it in
each step otherwise. Of a matrix product's two gradients one is used to change a factor while the other reads that
factor. Here both are there before either is used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax

__all__: list[str] = []

Array = Any
Held = Callable[[Sequence[Array]], Sequence[Array]]


def together(gradients: Sequence[Array]) -> Sequence[Array]:
    """Gradients of which, on a processor, none is used before all are there: for a program, not for a loop's body."""
    if len(gradients) == 1 or jax.default_backend() != "cpu":
        return gradients
    held: Sequence[Array] = _barrier(tuple(gradients))
    return held


def one_by_one(gradients: Sequence[Array]) -> Sequence[Array]:
    """What a loop's body does instead, where XLA's compiler ends the process at a barrier of several arrays.

    Nothing is spared by it. But XLA fuses the same operations as in a program, and so rounds as there: steps of a loop
    and single ones give the same, bit for bit.
    """
    if len(gradients) == 1 or jax.default_backend() != "cpu":
        return gradients
    return [_barrier(gradient) for gradient in gradients]


def _barrier(values: Any) -> Any:
    return jax.lax.optimization_barrier(values)  # type: ignore[no-untyped-call]  # JAX leaves it untyped
