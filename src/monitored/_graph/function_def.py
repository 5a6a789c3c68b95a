"""Bodies of branches and loops as TensorFlow's `FunctionDef` protocol buffers, the library of a `GraphDef`.

A body's inputs become the function's arguments. TensorFlow's `While` has as many results as operands, so there the body
hands on what it captures.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from monitored._graph.node_def import to_node_def, wire_type

if TYPE_CHECKING:
    from monitored._graph.func_graph import FuncGraph
    from monitored._graph.operation import Operation, Tensor

__all__ = ["add_library"]


def add_library(proto: Any, ops: Iterable[Operation]) -> dict[Any, str]:
    """Adds the bodies that operations run to the library of a `GraphDef`.

    Args:
        proto: The `GraphDef`.
        ops: The operations.

    Returns:
        The names of the functions, by body.
    """
    owned = _owned(ops)
    names: dict[Any, str] = {}
    taken: set[str] = set()
    for body in owned:
        name = base = re.sub(r"[^A-Za-z0-9_]", "_", body.name)
        count = 1
        while name in taken:
            name, count = f"{base}_{count}", count + 1
        taken.add(name)
        names[body] = name
    for body, op in owned.items():
        hands_on = op.type == "While" and op._attrs["body"] is body
        _write(proto.library.function.add(), body, names, body.inputs[len(body.arguments) :] if hands_on else [])
    return names


def _owned(ops: Iterable[Operation]) -> dict[FuncGraph, Operation]:
    """The bodies that operations run, those within bodies included, with the operation that runs each."""
    found: dict[FuncGraph, Operation] = {}
    stack = list(ops)[::-1]
    while stack:
        op = stack.pop()
        for value in op._attrs.values():
            for body in value if isinstance(value, list) else (value,):
                if getattr(body, "building_function", False) and body not in found:
                    found[body] = op
                    stack.extend(body.get_operations()[::-1])
    return found


def _write(proto: Any, body: FuncGraph, names: Mapping[Any, str], handed_on: Sequence[Tensor]) -> None:
    signature = proto.signature
    signature.name = names[body]
    arguments: dict[Tensor, str] = {}
    for index, tensor in enumerate(body.inputs):
        arg = signature.input_arg.add(name=f"arg{index}", type=wire_type(tensor).as_datatype_enum)
        arg.is_ref = tensor.dtype._is_ref_dtype and tensor.dtype.base_dtype == wire_type(tensor)
        arguments[tensor] = arg.name

    def text(tensor: Tensor) -> str:
        return arguments.get(tensor) or _output_name(tensor)

    for op in body.get_operations():
        if not any(tensor in arguments for tensor in op.outputs):
            node = proto.node_def.add()
            node.CopyFrom(to_node_def(op, names))
            del node.input[:]
            node.input.extend(text(tensor) for tensor in op.inputs)
            node.input.extend(f"^{control.name}" for control in op.control_inputs)
    for index, tensor in enumerate([*body.outputs, *handed_on]):
        arg = signature.output_arg.add(name=f"out{index}", type=wire_type(tensor).as_datatype_enum)
        proto.ret[arg.name] = text(tensor)
    signature.is_stateful = any(op.op_def.stateful or op.op_def.random for op in body.get_operations())


def _output_name(tensor: Tensor) -> str:
    """A tensor as nodes of a function name it: operation, output of its signature, place in that output."""
    op, offset = tensor.op, 0
    for arg in op.op_def.outputs:
        if arg.type_list_attr:
            count = len(op._attrs[arg.type_list_attr])
        else:
            count = op._attrs[arg.number_attr] if arg.number_attr else 1
        if tensor.value_index < offset + count:
            return f"{op.name}:{arg.name}:{tensor.value_index - offset}"
        offset += count
    raise AssertionError(f"{tensor.name} is no output of its operation")
