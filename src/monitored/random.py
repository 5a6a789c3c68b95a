"""Random numbers."""

# isort: skip_file
from __future__ import annotations

# fmt: off
from monitored._ops.random import (
    categorical, get_seed, multinomial, random_gamma as gamma, random_normal as normal, random_poisson as poisson,
    random_shuffle as shuffle, random_uniform as uniform, set_random_seed, truncated_normal,
)

__all__ = [
    "categorical", "gamma", "get_seed", "multinomial", "normal", "poisson", "set_random_seed", "shuffle",
    "truncated_normal", "uniform",
]
# fmt: on
