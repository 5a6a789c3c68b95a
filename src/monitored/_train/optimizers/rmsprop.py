"""`RMSPropOptimizer`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from monitored._graph.build import apply, convert_to_tensor
from monitored._graph.indexed_slices import IndexedSlices
from monitored._graph.operation import Tensor
from monitored._ops import initializers
from monitored._ops.casts import cast
from monitored._train.optimizers.optimizer import Optimizer

__all__ = ["RMSPropOptimizer"]


class RMSPropOptimizer(Optimizer):
    """RMSProp (Hinton's lecture 6e): divides the gradient by the root of the average of its squares.

    The slots' names are ``rms`` (which starts with ones), ``momentum`` and, when centered, ``mg``. Rows that
    `IndexedSlices` do not name keep their averages.

    Args:
        learning_rate: A float, a scalar tensor, or a function that gives one.
        decay: Decay of the averages; the same kinds.
        momentum: The same kinds.
        epsilon: Keeps the division from zero; the same kinds.
        use_locking: Accepted; updates are always whole.
        centered: Whether to divide by the estimated variance instead of the second moment.
        name: The name of the operations and slots.
    """

    def __init__(
        self,
        learning_rate: Any,
        decay: Any = 0.9,
        momentum: Any = 0.0,
        epsilon: Any = 1e-10,
        use_locking: bool = False,
        centered: bool = False,
        name: str = "RMSProp",
    ) -> None:
        super().__init__(use_locking, name)
        self._learning_rate = learning_rate
        self._decay = decay
        self._momentum = momentum
        self._epsilon = epsilon
        self._centered = centered
        self._parameters: list[Any] = []

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        for var in var_list:
            dtype = var.dtype.base_dtype
            if var.shape.is_fully_defined():
                ones = initializers.ones_initializer(dtype=dtype)
                self._get_or_make_slot_with_initializer(var, ones, var.shape, dtype, "rms", self._name)
            else:
                self._get_or_make_slot(var, apply("OnesLike", var), "rms", self._name)
            if self._centered:
                self._zeros_slot(var, "mg", self._name)
            self._zeros_slot(var, "momentum", self._name)

    def _prepare(self) -> None:
        given = {
            "learning_rate": self._learning_rate,
            "decay": self._decay,
            "momentum": self._momentum,
            "epsilon": self._epsilon,
        }
        self._parameters = [convert_to_tensor(self._call_if_callable(v), name=name) for name, v in given.items()]

    def _arguments(self, var: Any) -> list[Any]:
        names = ["mg", "rms", "momentum"] if self._centered else ["rms", "momentum"]
        slots = [self.get_slot(var, name) for name in names]
        return [var, *slots, *(cast(parameter, var.dtype.base_dtype) for parameter in self._parameters)]

    def _apply_dense(self, grad: Tensor, var: Any) -> Any:
        op_type = "ApplyCenteredRMSProp" if self._centered else "ApplyRMSProp"
        return apply(op_type, *self._arguments(var), grad, use_locking=self._use_locking).op

    def _apply_sparse(self, grad: IndexedSlices, var: Any) -> Any:
        op_type = "SparseApplyCenteredRMSProp" if self._centered else "SparseApplyRMSProp"
        arguments = self._arguments(var)
        return apply(op_type, *arguments, grad.values, grad.indices, use_locking=self._use_locking)
