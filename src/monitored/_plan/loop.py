"""Many steps as one computation: a loop around the function of a segment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

Array = Any


def loop_of(step: Callable[..., Any], updates: int, reads: int, own: bool) -> Callable[..., Any]:
    """A loop around what `lower_segment` gives.

    Args:
        step: ``step(*updates, *reads, *inputs) -> (outputs, new values of updates and creates)``.
        updates: How many updates it takes.
        reads: How many reads.
        own: Whether each step has inputs of its own: the rows of what is given.

    Returns:
        ``f(*updates, *reads, count, *inputs)``, which gives what the last of `count` steps gives, one at least. The
        count is known when running only, so that one executable serves all.
    """

    def function(*args: Array) -> tuple[list[Array], list[Array]]:
        state, fixed = args[:updates], args[updates : updates + reads]
        count, *inputs = args[updates + reads :]

        def taken(i: Any) -> list[Array]:
            return [jax.lax.dynamic_index_in_dim(x, i, keepdims=False) for x in inputs] if own else inputs

        def body(i: Any, carry: Any) -> Any:
            outputs, written = step(*carry[0], *fixed, *taken(i))
            return written[:updates], written[updates:], outputs

        outputs, written = jax.eval_shape(step, *state, *fixed, *jax.eval_shape(lambda: taken(0)))
        nothing = [[jnp.zeros(made.shape, made.dtype) for made in some] for some in (written[updates:], outputs)]
        state, created, outputs = jax.lax.fori_loop(0, count, body, (list(state), *nothing))
        return outputs, [*state, *created]

    function.__name__ = f"many_{step.__name__}"
    return function
