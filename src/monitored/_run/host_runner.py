"""Host steps: operations carried out with NumPy values, outside XLA."""

from __future__ import annotations

from collections.abc import Sequence
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

    def __call__(self, values: Values, context: HostContext) -> None:
        """Runs the step on values by tensor, and adds its outputs to them."""
        op = self.op
        variable = variable_read_by(op._outputs[0], values) if op._outputs else None
        if variable is not None:
            results: Sequence[Any] = [context.store.read_one(variable)]
        elif self._folded:
            results = _folded(op, values, context)
        else:
            host = op.op_def.interpret if bodies_of(op) else op.op_def.host or op.op_def.interpret
            if host is None:
                raise errors.UnimplementedError(op.node_def, op, f"'{op.name}' cannot be run on the host.")
            results = host(context, op, *(_host_value(t, values, context) for t in op.inputs))
        for tensor, result in zip(op._outputs, results, strict=True):
            values.setdefault(tensor, result)  # it is there already when it is fed, while another output is not


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
    op = tensor.op
    if op.type == "Const":
        return op._attrs["value"]
    if op.type in VARIABLE_TYPES and tensor.dtype._is_ref_dtype:
        return op
    variable = variable_read_by(tensor, values)
    if variable is not None:
        return context.store.read_one(variable)
    return op
