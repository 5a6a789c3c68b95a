"""`FtrlOptimizer`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from monitored._graph.build import apply, constant, convert_to_tensor
from monitored._graph.indexed_slices import IndexedSlices
from monitored._graph.operation import Tensor
from monitored._ops.casts import cast
from monitored._train.optimizers.optimizer import Optimizer

__all__ = ["FtrlOptimizer"]


class FtrlOptimizer(Optimizer):
    """FTRL-proximal (McMahan et al., 2013, "Ad Click Prediction: a View from the Trenches").

    The slots' names are ``accum`` and ``linear``.

    Args:
        learning_rate: A float, a scalar tensor, or a function that gives one.
        learning_rate_power: How the rate falls with the squares of the gradients; at most zero, which keeps it fixed.
        initial_accumulator_value: Where the accumulators start; not negative.
        l1_regularization_strength: Not negative.
        l2_regularization_strength: Not negative; this one stabilizes.
        use_locking: Accepted; updates are always whole.
        name: The name of the operations and slots.
        accum_name: The name of the first slot's variables, instead.
        linear_name: The name of the second slot's variables, instead.
        l2_shrinkage_regularization_strength: Not negative; this one penalizes magnitude, of the rows that the
            gradient names.

    Raises:
        ValueError: If an argument is out of its range.
    """

    def __init__(
        self,
        learning_rate: Any,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        use_locking: bool = False,
        name: str = "Ftrl",
        accum_name: str | None = None,
        linear_name: str | None = None,
        l2_shrinkage_regularization_strength: float = 0.0,
    ) -> None:
        super().__init__(use_locking, name)
        for label, value in {
            "initial_accumulator_value": initial_accumulator_value,
            "l1_regularization_strength": l1_regularization_strength,
            "l2_regularization_strength": l2_regularization_strength,
            "l2_shrinkage_regularization_strength": l2_shrinkage_regularization_strength,
        }.items():
            if value < 0.0:
                raise ValueError(f"{label} {value:f} needs to be positive or zero")
        if learning_rate_power > 0.0:
            raise ValueError(f"learning_rate_power {learning_rate_power:f} needs to be negative or zero")
        self._learning_rate = learning_rate
        self._learning_rate_power = learning_rate_power
        self._initial_accumulator_value = initial_accumulator_value
        self._l1_regularization_strength = l1_regularization_strength
        self._l2_regularization_strength = l2_regularization_strength
        self._l2_shrinkage_regularization_strength = l2_shrinkage_regularization_strength
        self._accum_name = accum_name
        self._linear_name = linear_name
        self._parameters: list[Any] = []

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        for var in var_list:
            start = constant(self._initial_accumulator_value, var.dtype.base_dtype, var.shape)
            self._get_or_make_slot(var, start, "accum", self._accum_name or self._name)
            self._zeros_slot(var, "linear", self._linear_name or self._name)

    def _prepare(self) -> None:
        given = {
            "learning_rate": self._call_if_callable(self._learning_rate),
            "l1_regularization_strength": self._l1_regularization_strength,
            "l2_regularization_strength": self._l2_regularization_strength,
            "l2_shrinkage_regularization_strength": self._l2_shrinkage_regularization_strength,
            "learning_rate_power": self._learning_rate_power,
        }
        self._parameters = [convert_to_tensor(value, name=name) for name, value in given.items()]

    def _applied(self, op_type: str, var: Any, *gradient: Tensor) -> Any:
        rate, l1, l2, shrinkage, power = (cast(parameter, var.dtype.base_dtype) for parameter in self._parameters)
        slots = [self.get_slot(var, "accum"), self.get_slot(var, "linear")]
        if self._l2_shrinkage_regularization_strength > 0.0:
            rest = [rate, l1, l2, shrinkage, power]
            return apply(op_type + "V2", var, *slots, *gradient, *rest, use_locking=self._use_locking)
        return apply(op_type, var, *slots, *gradient, rate, l1, l2, power, use_locking=self._use_locking)

    def _apply_dense(self, grad: Tensor, var: Any) -> Any:
        return self._applied("ApplyFtrl", var, grad)

    def _apply_sparse(self, grad: IndexedSlices, var: Any) -> Any:
        return self._applied("SparseApplyFtrl", var, grad.values, grad.indices)
