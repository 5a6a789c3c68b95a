"""Initial values of variables."""

from __future__ import annotations

from monitored._ops.initializers import Constant as constant
from monitored._ops.initializers import GlorotNormal as glorot_normal
from monitored._ops.initializers import GlorotUniform as glorot_uniform
from monitored._ops.initializers import Identity as identity
from monitored._ops.initializers import Initializer as Initializer
from monitored._ops.initializers import Ones as ones
from monitored._ops.initializers import Orthogonal as orthogonal
from monitored._ops.initializers import RandomNormal as random_normal
from monitored._ops.initializers import RandomUniform as random_uniform
from monitored._ops.initializers import TruncatedNormal as truncated_normal
from monitored._ops.initializers import UniformUnitScaling as uniform_unit_scaling
from monitored._ops.initializers import VarianceScaling as variance_scaling
from monitored._ops.initializers import Zeros as zeros
from monitored._ops.initializers import he_normal as he_normal
from monitored._ops.initializers import he_uniform as he_uniform
from monitored._ops.initializers import lecun_normal as lecun_normal
from monitored._ops.initializers import lecun_uniform as lecun_uniform
from monitored._ops.variable_ops import global_variables_initializer as global_variables
from monitored._ops.variable_ops import local_variables_initializer as local_variables
from monitored._ops.variable_ops import variables_initializer as variables

__all__ = [
    "Initializer",
    "constant",
    "global_variables",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "identity",
    "lecun_normal",
    "lecun_uniform",
    "local_variables",
    "ones",
    "orthogonal",
    "random_normal",
    "random_uniform",
    "truncated_normal",
    "uniform_unit_scaling",
    "variables",
    "variance_scaling",
    "zeros",
]
