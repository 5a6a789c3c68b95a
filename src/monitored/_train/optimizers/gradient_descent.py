"""`GradientDescentOptimizer`."""

from __future__ import annotations

from typing import Any

from monitored._graph.build import apply, convert_to_tensor
from monitored._graph.indexed_slices import IndexedSlices
from monitored._graph.operation import Tensor
from monitored._ops.casts import cast
from monitored._train.optimizers.optimizer import Optimizer

__all__ = ["GradientDescentOptimizer"]


class GradientDescentOptimizer(Optimizer):
    """Gradient descent: ``variable -= learning_rate * gradient``.

    Args:
        learning_rate: A float, a scalar tensor, or a function that gives one.
        use_locking: Accepted; updates are always whole.
        name: The name of the operations.
    """

    def __init__(self, learning_rate: Any, use_locking: bool = False, name: str = "GradientDescent") -> None:
        super().__init__(use_locking, name)
        self._learning_rate = learning_rate
        self._learning_rate_tensor: Any = None

    def _prepare(self) -> None:
        rate = self._call_if_callable(self._learning_rate)
        self._learning_rate_tensor = convert_to_tensor(rate, name="learning_rate")

    def _apply_dense(self, grad: Tensor, var: Any) -> Any:
        rate = cast(self._learning_rate_tensor, var.dtype.base_dtype)
        return apply("ApplyGradientDescent", var, rate, grad, use_locking=self._use_locking).op

    def _apply_sparse_duplicate_indices(self, grad: IndexedSlices, var: Any) -> Any:
        delta = IndexedSlices(
            grad.values * cast(self._learning_rate_tensor, var.dtype.base_dtype), grad.indices, grad.dense_shape
        )
        return var.scatter_sub(delta, use_locking=self._use_locking)
