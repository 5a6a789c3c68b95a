"""Installing a guard: the operations that let a training step change nothing when a number is not finite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from monitored._graph import dtypes
from monitored._graph.build import apply, convert_to_tensor
from monitored._graph.collections import GraphKeys
from monitored._graph.effects import effects_of, variable_read_by
from monitored._graph.graph import Graph
from monitored._graph.operation import Operation, Tensor
from monitored._ops import update_guard as _update_guard  # noqa: F401  # the op types
from monitored._ops.variables import Variable
from monitored._train.global_step import get_global_step

__all__: list[str] = []


class UpdateGuard:
    """A guard of one training operation, installed in its graph, which must not be finalized.

    It looks at the losses and at every floating number that goes into an update of a trainable variable: gradients,
    learning rates, new values. When one is not finite, the run changes nothing but random streams, the global step and
    the counts of skipped steps.

    Args:
        losses: Tensors to look at besides.
        train_op: The operation that updates the variables.

    Attributes:
        finite: The tensor that tells whether all is well.
        counts: The variable with the number of skipped steps, and of those skipped in a row up to now (int64, [2]). It
            is in no collection, and neither saved nor initialized with others.
        exempt: What a skipped step changes all the same, besides random streams.

    Raises:
        ValueError: If `train_op` changes no trainable variable.
    """

    def __init__(self, losses: Sequence[Tensor], train_op: Operation) -> None:
        graph = train_op.graph
        behind = _behind(train_op)
        trainable = {variable.op for variable in graph.get_collection(GraphKeys.TRAINABLE_VARIABLES)}
        updates = [op for op in behind if not trainable.isdisjoint(effects_of(op).writes)]
        if not updates:
            raise ValueError(f"'{train_op.name}' changes no trainable variable, so there is nothing to guard.")
        with graph.as_default(), graph.control_dependencies(None), graph.name_scope("nan_guard"):
            self.counts = Variable(np.zeros(2, np.int64), trainable=False, collections=[], name="skipped")
            self.exempt = [self.counts.op, *_global_step_of(graph)]
            values = dict.fromkeys([*losses, *(t for op in updates for t in op.inputs if _is_number(t))])
            self.finite: Tensor = apply(
                "GuardUpdates", list(values), exempt=[op.name for op in self.exempt], name="finite"
            )
            counted = apply("CountSkippedUpdates", self.counts._ref(), self.finite, name="count").op
        train_op._add_control_inputs([counted])
        before = set(_behind(self.finite.op))
        after = [op for op in behind if op.op_def.updates and op not in before]
        for op in after:
            op._add_control_inputs([self.finite.op])
        self._waiting = [(train_op, counted), *((op, self.finite.op) for op in after)]

    def remove(self) -> None:
        """Takes the guard out of the graph again; its operations stay, but nothing waits for them."""
        for op, guard in self._waiting:
            op._control_inputs = tuple(control for control in op._control_inputs if control is not guard)
        self._waiting = []


def train_op_of(graph: Graph, given: Any) -> Operation:
    """The operation to guard: the one given, or the only one in the graph's collection.

    Args:
        graph: The graph.
        given: An operation, tensor or name; None for the collection's.

    Returns:
        The operation.

    Raises:
        ValueError: If the collection does not hold exactly one.
    """
    if given is not None:
        element = graph.as_graph_element(given)
        return element.op if isinstance(element, Tensor) else element
    found = graph.get_collection(GraphKeys.TRAIN_OP)
    if len(found) != 1:
        names = ", ".join(f"'{op.name}'" for op in found) or "none"
        raise ValueError(
            f"The graph has {len(found)} training operations ({names}): say which one to guard. With several, each "
            "gets a hook of its own: NanGuardHook(loss, train_op=...)."
        )
    op: Operation = found[0]
    return op


def losses_of(graph: Graph, given: Any) -> list[Tensor]:
    """The losses to look at, as tensors.

    Args:
        graph: The graph.
        given: A tensor or its name, or a list of them.

    Returns:
        The tensors.

    Raises:
        TypeError: If one is not of a floating point type.
    """
    found = []
    for one in given if isinstance(given, (list, tuple)) else [given]:
        with graph.as_default():
            element = graph.as_graph_element(one, allow_operation=False) if isinstance(one, str) else one
            tensor = convert_to_tensor(element)
        if not (tensor.dtype.is_floating or tensor.dtype.is_complex):
            raise TypeError(f"A loss to guard must be floating, but {tensor.name} is {tensor.dtype.name}.")
        found.append(tensor)
    return found


def _behind(op: Operation) -> list[Operation]:
    """An operation and everything that it waits for."""
    seen = {op: None}
    stack = [op]
    while stack:
        one = stack.pop()
        for before in (*(t.op for t in one.inputs), *one.control_inputs):
            if before not in seen:
                seen[before] = None
                stack.append(before)
    return sorted(seen, key=lambda one: one._id)


def _is_number(tensor: Tensor) -> bool:
    """Whether a tensor is a computed or fed floating number, rather than a constant or a variable."""
    dtype: dtypes.DType = tensor.dtype
    floating = (dtype.is_floating or dtype.is_complex) and not dtype._is_ref_dtype
    return floating and tensor.op.type != "Const" and variable_read_by(tensor) is None


def _global_step_of(graph: Graph) -> list[Operation]:
    step = get_global_step(graph)
    return [] if step is None else [step.op]
