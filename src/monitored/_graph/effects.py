"""What an operation does besides computing its outputs: the state that it reads and writes, and host work.

State belongs to operations: a `VariableV2` operation's is the variable's value, a random operation's is its key and
counter. Operations with bodies (branches, loops) have the effects of what their bodies hold.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Final

from monitored._graph.func_graph import FuncGraph
from monitored._graph.operation import Operation, Tensor

VARIABLE_TYPES: Final = frozenset({"VariableV2", "Variable", "TemporaryVariable", "VarHandleOp"})


@dataclass(frozen=True, slots=True)
class Effects:
    """The state that an operation reads and writes, each in the order of use, and whether it is a host step."""

    reads: tuple[Operation, ...]
    writes: tuple[Operation, ...]
    host: bool
    stateful: bool


def variable_of(ref: Tensor) -> Operation:
    """The operation whose state a reference refers to."""
    while True:
        op = ref.op
        if op.type in VARIABLE_TYPES:
            return op
        captured = op.graph._captured_tensor(ref)
        if captured is not None:
            ref = captured
        elif op.op_def.updates:
            ref = op.inputs[op.op_def.updates[ref.value_index]]
        else:
            raise TypeError(f"'{ref.name}' (op: '{op.type}') refers to no variable.")


def variable_read_by(tensor: Tensor, given: Container[Tensor] = ()) -> Operation | None:
    """The variable that using a tensor reads, at the place of the use; None for tensors with values of their own.

    Args:
        tensor: The tensor.
        given: Tensors that have values of their own in this run, being fed.
    """
    if tensor in given:
        return None
    op = tensor.op
    if op.type in VARIABLE_TYPES:
        return op
    if op.type == "Identity" and op.inputs[0].dtype._is_ref_dtype:
        source = op.inputs[0]
        if op.name == f"{source.op.name}/read" and source.op.type in VARIABLE_TYPES and source not in given:
            return source.op
    if tensor.dtype._is_ref_dtype and op.graph._captured_tensor(tensor) is not None:
        return variable_of(tensor)
    return None


def variable_behind(tensor: Tensor) -> Operation | None:
    """The variable of which a tensor is a copy, made at some place in the program's order; None if it is none."""
    while True:
        variable = variable_read_by(tensor)
        if variable is not None or tensor.op.type not in ("Identity", "ReadVariableOp"):
            return variable
        tensor = tensor.op.inputs[0]


def bodies_of(op: Operation) -> list[FuncGraph]:
    """The function graphs that an operation runs."""
    bodies: list[FuncGraph] = []
    for value in op._attrs.values():
        if isinstance(value, FuncGraph):
            bodies.append(value)
        elif isinstance(value, list) and value and isinstance(value[0], FuncGraph):
            bodies.extend(value)
    return bodies


def effects_of(op: Operation, fed: frozenset[Tensor] = frozenset()) -> Effects:
    """The effects of an operation.

    Args:
        op: The operation.
        fed: Tensors whose values are given, so that using them reads nothing.

    Returns:
        Its effects.
    """
    definition = op.op_def
    reads: dict[Operation, None] = {}
    writes: dict[Operation, None] = {}
    host, stateful = definition.host is not None, definition.stateful
    for position, tensor in enumerate(op.inputs):
        if tensor in fed or tensor.op.type == "Const":
            continue
        if position in definition.updates:
            variable = variable_of(tensor)
            writes[variable] = None
            if not definition.overwrites:
                reads[variable] = None
        elif not host or not tensor.dtype._is_ref_dtype:  # host ops look at references, not through them
            read = variable_read_by(tensor, fed)
            if read is not None and not (tensor.dtype._is_ref_dtype and bodies_of(op)):
                reads[read] = None
    if op.type in VARIABLE_TYPES:
        reads[op] = None
    if definition.random:
        writes[op] = None
    for body in bodies_of(op):
        for inner in body.needed:
            effects = effects_of(inner)
            # A write within a body may not happen: what was there before counts as read.
            reads.update(dict.fromkeys((*effects.reads, *effects.writes)))
            writes.update(dict.fromkeys(effects.writes))
            host, stateful = host or effects.host, stateful or effects.stateful
    return Effects(tuple(reads), tuple(writes), host, stateful)
