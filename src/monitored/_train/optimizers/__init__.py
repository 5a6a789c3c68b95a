"""Optimizers: TensorFlow 1's, each in a file of its own, and `OptaxOptimizer` for every one that optax has."""

from monitored._train.optimizers.adadelta import AdadeltaOptimizer as AdadeltaOptimizer
from monitored._train.optimizers.adagrad import AdagradOptimizer as AdagradOptimizer
from monitored._train.optimizers.adam import AdamOptimizer as AdamOptimizer
from monitored._train.optimizers.ftrl import FtrlOptimizer as FtrlOptimizer
from monitored._train.optimizers.gradient_descent import GradientDescentOptimizer as GradientDescentOptimizer
from monitored._train.optimizers.momentum import MomentumOptimizer as MomentumOptimizer
from monitored._train.optimizers.optax_optimizer import OptaxOptimizer as OptaxOptimizer
from monitored._train.optimizers.optimizer import Optimizer as Optimizer
from monitored._train.optimizers.rmsprop import RMSPropOptimizer as RMSPropOptimizer

__all__ = [
    "AdadeltaOptimizer",
    "AdagradOptimizer",
    "AdamOptimizer",
    "FtrlOptimizer",
    "GradientDescentOptimizer",
    "MomentumOptimizer",
    "OptaxOptimizer",
    "Optimizer",
    "RMSPropOptimizer",
]
