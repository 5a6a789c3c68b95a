"""Host steps: operations carried out with NumPy values, outside XLA."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from monitored import errors
from monitored._graph.constant import fold
from monitored._graph.effects import VARIABLE_TYPES, bodies_of, variable_read_by
from monitored._graph.operation import Operation, Tensor
from monitored._plan.plan import HostStep
from monitored._run.host import HostContext

Values = dict[Tensor, Any]


class HostRunner:
    """A host step, called with NumPy values."""

    def __init__(self, step: HostStep) -> None:
        self.op = step.op
        self.ops = (step.op,)
        self._folded = step.folded
        self._call: Callable[[Values, HostContext], Sequence[Any]] | None = None  # made by the first run
        self._all_new = False

    def __call__(self, values: Values, context: HostContext) -> None:
        """Runs the step on values by tensor, and adds its outputs to them."""
        if self._call is None:
            # What has a value beforehand is the same in all runs of a plan.
            self._all_new = not any(tensor in values for tensor in self.op._outputs)
            self._call = self._prepared(values)
        results = self._call(values, context)
        if len(results) != len(self.op._outputs):
            raise AssertionError(f"{self.op.name} gave {len(results)} values for {len(self.op._outputs)} outputs")
        if self._all_new:
            values.update(zip(self.op._outputs, results))  # noqa: B905  (checked above)
            return
        for tensor, result in zip(self.op._outputs, results, strict=True):
            values.setdefault(tensor, result)  # it is there already when it is fed, while another output is not

    def _prepared(self, values: Values) -> Callable[[Values, HostContext], Sequence[Any]]:
        """What a run does, worked out as far as it is the same in all of them."""
        op = self.op
        variable = variable_read_by(op._outputs[0], values) if op._outputs else None
        if variable is not None:
            return lambda values, context: [context.store.read_one(variable)]
        if self._folded:
            return lambda values, context: _folded(op, values, context)
        host = op.op_def.interpret if bodies_of(op) else op.op_def.host or op.op_def.interpret
        if host is None:
            raise errors.UnimplementedError(op.node_def, op, f"'{op.name}' cannot be run on the host.")
        fixed = {i: _fixed_value(t) for i, t in enumerate(op.inputs) if t not in values and _is_fixed(t, values)}
        if len(fixed) < len(op.inputs):
            inputs = [(t, i in fixed, fixed.get(i)) for i, t in enumerate(op.inputs)]
            return lambda values, context: host(
                context, op, *[known if is_fixed else _host_value(t, values, context) for t, is_fixed, known in inputs]
            )
        known_inputs = tuple(fixed.values())
        return lambda values, context: host(context, op, *known_inputs)


def _folded(op: Operation, values: Values, context: HostContext) -> list[Any]:
    """The outputs of a device operation, computed with NumPy."""
    if op.op_def.fold is not None:
        return [fold(op, i, lambda t: _host_value(t, values, context)) for i in range(len(op._outputs))]
    lower = op.op_def.lower
    assert lower is not None
    attrs = {name: op._attrs[name] for name in op.op_def.lower_attrs}
    try:
        result = lower(*(_host_value(t, values, context) for t in op.inputs), **attrs)
    except TypeError as error:  # JAX's, for an array of strings
        raise errors.UnimplementedError(op.node_def, op, f"'{op.type}' does not take strings: {error}") from error
    return [*result] if isinstance(result, (tuple, list)) else [result]


def _host_value(tensor: Tensor, values: Values, context: HostContext) -> Any:
    """The value of an input of a host step: NumPy's, or for a reference, or a resource, the operation behind it."""
    if tensor in values:
        value = values[tensor]
        return np.asarray(value) if isinstance(value, jax.Array) else value
    if _is_fixed(tensor, values):
        return _fixed_value(tensor)
    variable = variable_read_by(tensor, values)
    assert variable is not None
    return context.store.read_one(variable)


def _is_fixed(tensor: Tensor, values: Values) -> bool:
    """Whether an input that is not computed is the same in all runs: a constant, a reference or a resource."""
    op = tensor.op
    if op.type == "Const" or (op.type in VARIABLE_TYPES and tensor.dtype._is_ref_dtype):
        return True
    return variable_read_by(tensor, values) is None


def _fixed_value(tensor: Tensor) -> Any:
    return tensor.op._attrs["value"] if tensor.op.type == "Const" else tensor.op
