"""`AdagradOptimizer`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from monitored._graph.build import apply, convert_to_tensor
from monitored._graph.indexed_slices import IndexedSlices
from monitored._graph.operation import Tensor
from monitored._ops import initializers
from monitored._ops.casts import cast
from monitored._train.optimizers.optimizer import Optimizer

__all__ = ["AdagradOptimizer"]


class AdagradOptimizer(Optimizer):
    """Adagrad (Duchi et al., 2011): each element's rate falls with the squares of its gradients so far.

    ``accumulator += gradient^2``, then ``variable -= learning_rate * gradient / sqrt(accumulator)``. The slot's name
    is ``accumulator``.

    Args:
        learning_rate: A float, a scalar tensor, or a function that gives one.
        initial_accumulator_value: Where the accumulators start; positive.
        use_locking: Accepted; updates are always whole.
        name: The name of the operations and slots.

    Raises:
        ValueError: If `initial_accumulator_value` is not positive.
    """

    def __init__(
        self,
        learning_rate: Any,
        initial_accumulator_value: float = 0.1,
        use_locking: bool = False,
        name: str = "Adagrad",
    ) -> None:
        if initial_accumulator_value <= 0.0:
            raise ValueError(f"initial_accumulator_value must be positive: {initial_accumulator_value}")
        super().__init__(use_locking, name)
        self._learning_rate = learning_rate
        self._initial_accumulator_value = initial_accumulator_value
        self._learning_rate_tensor: Any = None

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        for var in var_list:
            dtype = var.dtype.base_dtype
            if var.shape.is_fully_defined():
                initializer = initializers.constant_initializer(self._initial_accumulator_value, dtype=dtype)
                self._get_or_make_slot_with_initializer(var, initializer, var.shape, dtype, "accumulator", self._name)
            else:
                start = cast(convert_to_tensor(self._initial_accumulator_value), var.dtype.base_dtype)
                self._get_or_make_slot(var, apply("Fill", apply("Shape", var), start), "accumulator", self._name)

    def _prepare(self) -> None:
        rate = self._call_if_callable(self._learning_rate)
        self._learning_rate_tensor = convert_to_tensor(rate, name="learning_rate")

    def _apply_dense(self, grad: Tensor, var: Any) -> Any:
        accumulator = self.get_slot(var, "accumulator")
        rate = cast(self._learning_rate_tensor, var.dtype.base_dtype)
        return apply("ApplyAdagrad", var, accumulator, rate, grad, use_locking=self._use_locking)

    def _apply_sparse(self, grad: IndexedSlices, var: Any) -> Any:
        accumulator = self.get_slot(var, "accumulator")
        rate = cast(self._learning_rate_tensor, var.dtype.base_dtype)
        return apply(
            "SparseApplyAdagrad", var, accumulator, rate, grad.values, grad.indices, use_locking=self._use_locking
        )
