"""JAX's default generator, Threefry, written out for XLA's CPU compiler.

JAX gives that compiler a loop over the cipher's rounds, to compile large programs of it sooner. For few numbers the
loop is a dozen tiny kernels in each round, where one kernel does for everything. The numbers are the same.
"""

from __future__ import annotations

import math
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import random as jax_random

__all__ = ["IMPLEMENTATION"]

_FEW: Final = 4096  # numbers up to which the rounds are written out
_ROTATIONS: Final = (13, 15, 26, 6), (17, 29, 16, 24)
_JAX: Final = jax_random.threefry_prng_impl


@jax.jit
def _cipher(key: Any, high: Any, low: Any) -> tuple[Any, Any]:
    """Threefry-2x32 in 20 rounds (Salmon et al., 2011)."""
    keys = key[0], key[1], key[0] ^ key[1] ^ np.uint32(0x1BD11BDA)
    high, low = high + keys[0], low + keys[1]
    for turn in range(5):
        for rotation in _ROTATIONS[turn % 2]:
            high = high + low
            low = high ^ (low << np.uint32(rotation) | low >> np.uint32(32 - rotation))
        high, low = high + keys[(turn + 1) % 3], low + keys[(turn + 2) % 3] + np.uint32(turn + 1)
    return high, low


def _fold_in(key: Any, data: Any) -> Any:
    return jnp.stack(_cipher(key, np.uint32(0), jnp.asarray(data, jnp.uint32)))


def _random_bits(key: Any, bit_width: int, shape: tuple[int, ...]) -> Any:
    count = math.prod(shape)
    if count > _FEW:
        return _JAX.random_bits(key, bit_width, shape)
    places = jnp.reshape(jnp.arange(count, dtype=jnp.uint32), shape)
    high, low = _cipher(key, jnp.zeros_like(places), places)
    if bit_width == 64:
        return high.astype(jnp.uint64) << np.uint64(32) | low.astype(jnp.uint64)
    return (high ^ low).astype(f"uint{bit_width}")


IMPLEMENTATION: Final = jax_random.define_prng_impl(
    key_shape=_JAX.key_shape, seed=_JAX.seed, split=_JAX.split, random_bits=_random_bits, fold_in=_fold_in,
    name="written_out_threefry", tag="wot",
)  # fmt: skip
