"""`AdamOptimizer`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from monitored._graph.build import apply, convert_to_tensor
from monitored._graph.graph import get_default_graph
from monitored._graph.indexed_slices import IndexedSlices
from monitored._graph.operation import Tensor
from monitored._ops import control_flow
from monitored._ops.casts import cast
from monitored._train.optimizers.optimizer import Optimizer

__all__ = ["AdamOptimizer"]


class AdamOptimizer(Optimizer):
    """Adam (Kingma and Ba, 2014, https://arxiv.org/abs/1412.6980), in the form just before their section 2.1.

    ``m`` and ``v`` are moving averages of the gradient and its square, and their slots' names::

        lr_t = learning_rate * sqrt(1 - beta2^t) / (1 - beta1^t)
        variable -= lr_t * m / (sqrt(v) + epsilon)

    Gradients that are `IndexedSlices` count as zero in the other rows: every row's averages decay in every step.

    Args:
        learning_rate: A float, a scalar tensor, or a function that gives one.
        beta1: Decay of the average of gradients; the same kinds.
        beta2: Decay of the average of their squares; the same kinds.
        epsilon: Keeps the division from noise ("epsilon hat" in the paper); the same kinds.
        use_locking: Accepted; updates are always whole.
        name: The name of the operations and slots.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta1: Any = 0.9,
        beta2: Any = 0.999,
        epsilon: Any = 1e-8,
        use_locking: bool = False,
        name: str = "Adam",
    ) -> None:
        super().__init__(use_locking, name)
        self._lr = learning_rate
        self._beta1 = beta1
        self._beta2 = beta2
        self._epsilon = epsilon
        self._lr_t: Any = None
        self._beta1_t: Any = None
        self._beta2_t: Any = None
        self._epsilon_t: Any = None

    def _get_beta_accumulators(self) -> tuple[Any, Any]:
        graph = get_default_graph()
        while graph.building_function:
            graph = graph.outer  # type: ignore[attr-defined]  # what builds a function is a FuncGraph
        return self._get_non_slot_variable("beta1_power", graph), self._get_non_slot_variable("beta2_power", graph)

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        first = min(var_list, key=lambda v: v.name)
        self._create_non_slot_variable(self._beta1, "beta1_power", first)
        self._create_non_slot_variable(self._beta2, "beta2_power", first)
        for var in var_list:
            self._zeros_slot(var, "m", self._name)
            self._zeros_slot(var, "v", self._name)

    def _prepare(self) -> None:
        self._lr_t = convert_to_tensor(self._call_if_callable(self._lr), name="learning_rate")
        self._beta1_t = convert_to_tensor(self._call_if_callable(self._beta1), name="beta1")
        self._beta2_t = convert_to_tensor(self._call_if_callable(self._beta2), name="beta2")
        self._epsilon_t = convert_to_tensor(self._call_if_callable(self._epsilon), name="epsilon")

    def _apply_dense(self, grad: Tensor, var: Any) -> Any:
        beta1_power, beta2_power = self._get_beta_accumulators()
        return apply(
            "ApplyAdam",
            var,
            self.get_slot(var, "m"),
            self.get_slot(var, "v"),
            cast(beta1_power.value(), var.dtype.base_dtype),
            cast(beta2_power.value(), var.dtype.base_dtype),
            cast(self._lr_t, var.dtype.base_dtype),
            cast(self._beta1_t, var.dtype.base_dtype),
            cast(self._beta2_t, var.dtype.base_dtype),
            cast(self._epsilon_t, var.dtype.base_dtype),
            grad,
            use_locking=self._use_locking,
        ).op

    def _apply_sparse(self, grad: IndexedSlices, var: Any) -> Any:
        graph = get_default_graph()
        accumulators = self._get_beta_accumulators()
        beta1_power, beta2_power = (cast(power.value(), var.dtype.base_dtype) for power in accumulators)
        lr, beta1, beta2, epsilon = (
            cast(parameter, var.dtype.base_dtype)
            for parameter in (self._lr_t, self._beta1_t, self._beta2_t, self._epsilon_t)
        )
        lr = lr * apply("Sqrt", 1 - beta2_power) / (1 - beta1_power)

        def averaged(slot: Any, decay: Tensor, new: Any) -> Any:
            rows = new * (1 - decay)
            decayed = slot.assign(slot * decay, use_locking=self._use_locking)
            with graph.control_dependencies([decayed]):
                return slot.scatter_add(IndexedSlices(rows, grad.indices), use_locking=self._use_locking)

        m = averaged(self.get_slot(var, "m"), beta1, grad.values)
        v = averaged(self.get_slot(var, "v"), beta2, grad.values * grad.values)
        root = apply("Sqrt", v)
        update = var.assign_sub(lr * m / (root + epsilon), use_locking=self._use_locking)
        return control_flow.group(update, m, v)

    def _finish(self, update_ops: Sequence[Any], name_scope: str) -> Any:
        graph = get_default_graph()
        with graph.control_dependencies(update_ops):
            powers = [
                power.assign(power * decay, use_locking=self._use_locking).op
                for power, decay in zip(self._get_beta_accumulators(), (self._beta1_t, self._beta2_t), strict=True)
            ]
        return control_flow.group(*update_ops, *powers, name=name_scope)
