"""Where XLA's compiler for processors is kept from computing what is in memory once more, for each that takes it."""

from __future__ import annotations

from typing import Any

import jax
from jax import lax

__all__ = ["barrier"]


def barrier(value: Any) -> Any:
    """An array that XLA computes once, on a processor; compilers for other devices decide that for themselves."""
    if jax.default_backend() != "cpu":
        return value
    return lax.optimization_barrier(value)  # type: ignore[no-untyped-call]  # JAX leaves it untyped
