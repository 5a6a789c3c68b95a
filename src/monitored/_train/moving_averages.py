"""`ExponentialMovingAverage`: averages of variables, often better for evaluation than their last values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from monitored._graph import dtypes
from monitored._graph.build import convert_to_tensor
from monitored._graph.collections import GraphKeys
from monitored._graph.graph import get_default_graph
from monitored._graph.operation import Tensor
from monitored._ops import control_flow, initializers, math
from monitored._ops.casts import cast
from monitored._ops.variable_ops import global_variables, moving_average_variables, trainable_variables
from monitored._ops.variable_scope import get_variable, variable_scope
from monitored._ops.variables import Variable
from monitored._train.optimizers import slot_creator

__all__ = ["ExponentialMovingAverage"]


class ExponentialMovingAverage:
    """Keeps moving averages of variables by exponential decay.

    ``average = decay * average + (1 - decay) * variable``, each time that the operation of `apply` runs::

        ema = tf.train.ExponentialMovingAverage(decay=0.999)
        with tf.control_dependencies([train_op]):
            train_op = ema.apply(tf.trainable_variables())
        ...
        saver = tf.train.Saver(ema.variables_to_restore())  # for evaluation with the averages

    Args:
        decay: A float near 1, or a scalar tensor.
        num_updates: The number of updates so far, which lets averages follow faster in the beginning: the decay is
            ``min(decay, (1 + num_updates) / (10 + num_updates))``.
        zero_debias: Whether averages of tensors, which start from zero, are corrected for that (section 3 of
            https://arxiv.org/abs/1412.6980).
        name: The name of the operations and of the averages.
    """

    def __init__(
        self,
        decay: Any,
        num_updates: Any = None,
        zero_debias: bool = False,
        name: str = "ExponentialMovingAverage",
    ) -> None:
        self._decay = decay
        self._num_updates = num_updates
        self._zero_debias = zero_debias
        self._name = name
        self._averages: dict[Any, Any] = {}

    @property
    def name(self) -> str:
        """The name of the averages."""
        return self._name

    def apply(self, var_list: Iterable[Any] | None = None) -> Any:
        """Makes averages, and the operation that updates them.

        The averages of variables start with the variables' values, those of tensors with zeros. They are in
        ``GraphKeys.GLOBAL_VARIABLES``, and not trained.

        Args:
            var_list: Variables and tensors; the trainable variables by default.

        Returns:
            The operation.

        Raises:
            TypeError: If one of them is not of a floating type.
        """
        variables = trainable_variables() if var_list is None else list(var_list)
        debiased = set()
        for var in variables:
            if not var.dtype.is_floating:
                raise TypeError(f"The variables must be half, float, or double: {var.name}")
            if var in self._averages:
                continue
            with get_default_graph().control_dependencies(None):
                if isinstance(var, Variable):
                    self._averages[var] = slot_creator.create_slot(var, var.initialized_value(), self._name)
                    var.graph.add_to_collection(GraphKeys.MOVING_AVERAGE_VARIABLES, var)
                else:
                    self._averages[var] = slot_creator.create_zeros_slot(var, self._name)
                    if self._zero_debias:
                        debiased.add(var)
        with get_default_graph().name_scope(self._name) as scope:
            decay = convert_to_tensor(self._decay, name="decay")
            if self._num_updates is not None:
                count = cast(self._num_updates, dtypes.float32, name="num_updates")
                decay = math.minimum(decay, (1.0 + count) / (10.0 + count))
            updates = [
                assign_moving_average(self._averages[var], var, decay, zero_debias=var in debiased) for var in variables
            ]
            return control_flow.group(*updates, name=scope)

    def average(self, var: Any) -> Any:
        """The variable that holds an average.

        Args:
            var: A variable or tensor that was given to `apply`.

        Returns:
            The average, or None when there is none.
        """
        return self._averages.get(var)

    def average_name(self, var: Any) -> str:
        """The name of a variable's average, whether or not it exists.

        Args:
            var: A variable or tensor.

        Returns:
            The name under which the average is saved.
        """
        if var in self._averages:
            name: str = self._averages[var].op.name
            return name
        return get_default_graph().unique_name(f"{var.op.name}/{self._name}", mark_as_used=False)

    def variables_to_restore(self, moving_avg_variables: Iterable[Any] | None = None) -> dict[str, Any]:
        """What to give to a `Saver` that is to restore variables from their averages.

        Args:
            moving_avg_variables: The variables that have averages; by default the trainable ones and those in
                ``GraphKeys.MOVING_AVERAGE_VARIABLES``.

        Returns:
            A dict from names in the checkpoint to variables: the average's for those that have one.
        """
        if moving_avg_variables is None:
            moving_avg_variables = trainable_variables() + moving_average_variables()
        averaged = list(dict.fromkeys(moving_avg_variables))
        names = {self.average_name(var): var for var in averaged}
        for var in global_variables():
            if var not in averaged and var.op.name not in names:
                names[var.op.name] = var
        return names


def assign_moving_average(
    variable: Any, value: Any, decay: Any, zero_debias: bool = True, name: str | None = None
) -> Tensor:
    """Updates a moving average: ``variable = decay * variable + (1 - decay) * value``.

    Args:
        variable: The average.
        value: A tensor of its shape.
        decay: A float or scalar tensor.
        zero_debias: Whether to correct for a start at zero; the uncorrected average and the number of updates are
            kept in two more variables.
        name: The operation's name.

    Returns:
        A tensor that holds the new value after the update.
    """
    graph = get_default_graph()
    with graph.name_scope("AssignMovingAvg" if name is None else name) as scope:
        rate = convert_to_tensor(1.0 - decay, name="decay")
        rate = cast(rate, variable.dtype.base_dtype)
        if not zero_debias:
            result: Tensor = variable.assign_sub((variable - value) * rate, name=scope)
            return result
        biased, steps = _debias_variables(variable)
        updated = biased.assign_sub((biased - value) * rate)
        count = steps.assign_add(1)
        unbiased = updated / (1 - math.pow(1.0 - rate, count))
        result = variable.assign(unbiased, name=scope)
        return result


def _debias_variables(variable: Any) -> tuple[Any, Any]:
    with variable_scope(variable.op.name), get_default_graph().control_dependencies(None):
        zeros = initializers.zeros_initializer()
        dtype = variable.dtype.base_dtype
        biased = get_variable("biased", variable.shape, dtype, initializer=zeros, trainable=False)
        return biased, get_variable("local_step", [], dtype, initializer=zeros, trainable=False)
