"""Random numbers."""

from __future__ import annotations

from monitored._ops.random import categorical as categorical
from monitored._ops.random import get_seed as get_seed
from monitored._ops.random import multinomial as multinomial
from monitored._ops.random import random_gamma as gamma
from monitored._ops.random import random_normal as normal
from monitored._ops.random import random_poisson as poisson
from monitored._ops.random import random_shuffle as shuffle
from monitored._ops.random import random_uniform as uniform
from monitored._ops.random import set_random_seed as set_random_seed
from monitored._ops.random import truncated_normal as truncated_normal

__all__ = [
    "categorical",
    "gamma",
    "get_seed",
    "multinomial",
    "normal",
    "poisson",
    "set_random_seed",
    "shuffle",
    "truncated_normal",
    "uniform",
]
