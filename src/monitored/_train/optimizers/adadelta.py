"""`AdadeltaOptimizer`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from monitored._graph.build import apply, convert_to_tensor
from monitored._graph.indexed_slices import IndexedSlices
from monitored._graph.operation import Tensor
from monitored._ops.casts import cast
from monitored._train.optimizers.optimizer import Optimizer

__all__ = ["AdadeltaOptimizer"]


class AdadeltaOptimizer(Optimizer):
    """Adadelta (Zeiler, 2012, https://arxiv.org/abs/1212.5701).

    The slots' names are ``accum`` (the average of squared gradients) and ``accum_update`` (that of squared updates).

    Args:
        learning_rate: A float, a scalar tensor, or a function that gives one; 1.0 is the paper's form.
        rho: Decay of the averages; the same kinds.
        epsilon: Keeps the division from zero; the same kinds.
        use_locking: Accepted; updates are always whole.
        name: The name of the operations and slots.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: Any = 0.95,
        epsilon: Any = 1e-8,
        use_locking: bool = False,
        name: str = "Adadelta",
    ) -> None:
        super().__init__(use_locking, name)
        self._lr = learning_rate
        self._rho = rho
        self._epsilon = epsilon
        self._lr_t: Any = None
        self._rho_t: Any = None
        self._epsilon_t: Any = None

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        for var in var_list:
            self._zeros_slot(var, "accum", self._name)
            self._zeros_slot(var, "accum_update", self._name)

    def _prepare(self) -> None:
        self._lr_t = convert_to_tensor(self._call_if_callable(self._lr), name="lr")
        self._rho_t = convert_to_tensor(self._call_if_callable(self._rho), name="rho")
        self._epsilon_t = convert_to_tensor(self._call_if_callable(self._epsilon), name="epsilon")

    def _arguments(self, var: Any) -> list[Any]:
        slots = [self.get_slot(var, "accum"), self.get_slot(var, "accum_update")]
        return [
            var,
            *slots,
            *(cast(parameter, var.dtype.base_dtype) for parameter in (self._lr_t, self._rho_t, self._epsilon_t)),
        ]

    def _apply_dense(self, grad: Tensor, var: Any) -> Any:
        return apply("ApplyAdadelta", *self._arguments(var), grad, use_locking=self._use_locking)

    def _apply_sparse(self, grad: IndexedSlices, var: Any) -> Any:
        return apply(
            "SparseApplyAdadelta", *self._arguments(var), grad.values, grad.indices, use_locking=self._use_locking
        )
