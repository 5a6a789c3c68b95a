"""`MomentumOptimizer`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from monitored._graph.build import apply, convert_to_tensor
from monitored._graph.indexed_slices import IndexedSlices
from monitored._graph.operation import Tensor
from monitored._ops.casts import cast
from monitored._train.optimizers.optimizer import Optimizer

__all__ = ["MomentumOptimizer"]


class MomentumOptimizer(Optimizer):
    """Gradient descent with momentum.

    ``accumulator = momentum * accumulator + gradient``, then ``variable -= learning_rate * accumulator``. The slot's
    name is ``momentum``.

    Args:
        learning_rate: A float, a scalar tensor, or a function that gives one.
        momentum: The same.
        use_locking: Accepted; updates are always whole.
        name: The name of the operations and slots.
        use_nesterov: Whether to look ahead (Sutskever et al., 2013):
            ``variable -= learning_rate * (gradient + momentum * accumulator)``.
    """

    def __init__(
        self,
        learning_rate: Any,
        momentum: Any,
        use_locking: bool = False,
        name: str = "Momentum",
        use_nesterov: bool = False,
    ) -> None:
        super().__init__(use_locking, name)
        self._learning_rate = learning_rate
        self._momentum = momentum
        self._use_nesterov = use_nesterov
        self._learning_rate_tensor: Any = None
        self._momentum_tensor: Any = None

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        for var in var_list:
            self._zeros_slot(var, "momentum", self._name)

    def _prepare(self) -> None:
        rate = self._call_if_callable(self._learning_rate)
        self._learning_rate_tensor = convert_to_tensor(rate, name="learning_rate")
        momentum = self._call_if_callable(self._momentum)
        self._momentum_tensor = convert_to_tensor(momentum, name="momentum")

    def _apply_dense(self, grad: Tensor, var: Any) -> Any:
        return apply(
            "ApplyMomentum",
            var,
            self.get_slot(var, "momentum"),
            cast(self._learning_rate_tensor, var.dtype.base_dtype),
            grad,
            cast(self._momentum_tensor, var.dtype.base_dtype),
            use_locking=self._use_locking,
            use_nesterov=self._use_nesterov,
        ).op

    def _apply_sparse(self, grad: IndexedSlices, var: Any) -> Any:
        return apply(
            "SparseApplyMomentum",
            var,
            self.get_slot(var, "momentum"),
            cast(self._learning_rate_tensor, var.dtype.base_dtype),
            grad.values,
            grad.indices,
            cast(self._momentum_tensor, var.dtype.base_dtype),
            use_locking=self._use_locking,
            use_nesterov=self._use_nesterov,
        ).op
