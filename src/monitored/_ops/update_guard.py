"""The operations of a guard: whether the numbers of a training step are finite, and how many steps were skipped.

TensorFlow has no such operations. A segment with a `GuardUpdates` keeps its state when the answer is no; see
`monitored._plan.guard`.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from monitored._graph.opdef import define
from monitored._graph.shapes import TensorShape

__all__: list[str] = []

Array = Any


def _finite(*values: Array) -> Array:
    # A finite number minus itself is zero; infinity and NaN make NaN of it, and of every sum with it. On a CPU that
    # takes half as long as `isfinite` and `all`.
    sums = [jnp.zeros((), jnp.float32)]
    for value in map(jnp.asarray, values):
        for part in (value.real, value.imag) if jnp.iscomplexobj(value) else (value,):
            sums.append(jnp.sum(part - part).astype(jnp.float32))
    # Summed up as a vector: additions would be done again in every loop that selects by the answer.
    finite: Array = jnp.sum(jnp.stack(sums)) == 0
    return finite


def _count(counts: Array, finite: Array) -> Array:
    skipped = jnp.where(finite, 0, 1).astype(counts.dtype)
    return jnp.stack([counts[0] + skipped, (counts[1] + 1) * skipped])


# `exempt`: the names of the variables that the step changes in any case.
define(
    "GuardUpdates", "values:[Tin] -> finite:bool", _finite, infer=lambda op: TensorShape([]), no_grad=True, exempt=[],
)  # fmt: skip
# `counts`: how many steps were skipped, and how many of them in a row up to now.
define("CountSkippedUpdates", "counts:&int64 finite:bool -> out:&int64", _count, updates=(0,), no_grad=True)
