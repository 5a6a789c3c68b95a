"""Gradients of loops, as TensorFlow 1 makes them.

The gradient of a loop is a second loop, which goes through the turns of the first backwards. What it needs of them the
first loop pushes onto stacks (``StackV2``), one push in each turn, and the second pops. Here a stack is an array that
the first loop carries, written at the number of the turn, and that the second reads at the same places.

The gradient of a TensorArray is a TensorArray too (``TensorArrayGradV3``). There it is one object, to which all that
use the array add; here each use gives an array of its own, and where gradients meet they are summed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from monitored._graph import dtypes
from monitored._graph.importer.control_flow import ControlFlow, Variable, unsupported
from monitored._graph.importer.nodes import Node, Source
from monitored._graph.importer.regions import Branch, Loop, Plain, Region
from monitored._graph.operation import Operation, Tensor
from monitored._graph.shapes import TensorShape

if TYPE_CHECKING:
    from monitored._graph.importer.emit import Emitter

__all__ = ["LoopStacks", "Stack", "StackAccess", "emit_stack_node", "sums_gradient_arrays"]


@dataclass(slots=True)
class Stack:
    """What a loop has pushed onto a stack.

    Attributes:
        handle: The handle of the array that holds it.
        flow: The elements.
        turns: How many turns the loop took.
    """

    handle: Tensor
    flow: Tensor | None = None
    turns: Tensor | None = None


@dataclass(slots=True)
class StackAccess:
    """What a loop's body has at hand for its stacks.

    Attributes:
        flows: Stack to which it pushes -> the elements as they are now.
        turn: The number of the turn, where it pushes.
        turn_back: The number of the turn of the loop before, where it pops.
    """

    flows: dict[Node, Tensor] = field(default_factory=dict)
    turn: Tensor | None = None
    turn_back: Tensor | None = None


class LoopStacks:
    """The stacks of one loop, and the loop variables that stand for them: behind those that the graph shows.

    Attributes:
        initial: The first values of these variables.
    """

    def __init__(self, emitter: Emitter, loop: Loop) -> None:
        self.emitter = emitter
        self.initial: list[Tensor] = []
        nodes = list(_stack_nodes(loop.body))
        behind = emitter.flow.behind
        self.pushed = [behind(node.inputs[0])[0] for node in nodes if node.type == "StackPushV2"]
        self.popped = [behind(node.inputs[0])[0] for node in nodes if node.type == "StackPopV2"]
        if self.pushed:
            bound = _bound(emitter, loop)
            self.initial.append(_constant(emitter, 0, f"{self.pushed[0].name}/turn"))
            for stack in self.pushed:
                emitter.stacks[stack] = Stack(*_array(emitter, stack, bound))
                flow = emitter.stacks[stack].flow
                assert flow is not None
                emitter.flows.add(flow)
                self.initial.append(flow)
        if self.popped:
            turns = {emitter.stacks[stack].turns for stack in self.popped if stack in emitter.stacks}
            if len(turns) != 1 or None in turns:
                raise unsupported(nodes[-1], "a loop pops what no loop before it has pushed.")
            (last,) = turns
            assert last is not None
            one = _constant(emitter, 1, f"{self.popped[0].name}/one")
            self.initial.append(_calculate(emitter, "Sub", last, one, f"{self.popped[0].name}/last_turn"))

    def enter(self, inner: Emitter, arguments: list[Tensor]) -> None:
        """Lets a body's emitter know the arguments that stand for the stacks."""
        access = inner.access = StackAccess()
        rest = list(arguments)
        if self.pushed:
            access.turn = rest.pop(0)
            access.flows = {stack: rest.pop(0) for stack in self.pushed}
            inner.flows.update(access.flows.values())
        if self.popped:
            access.turn_back = rest.pop(0)

    def results(self, inner: Emitter) -> list[Tensor]:
        """What the body gives for the variables."""
        access = inner.access
        assert access is not None
        found: list[Tensor] = []
        if access.turn is not None:
            one = _constant(inner, 1, f"{self.pushed[0].name}/one")
            found.append(_calculate(inner, "AddV2", access.turn, one, f"{self.pushed[0].name}/next_turn"))
            found += access.flows.values()
        if access.turn_back is not None:
            one = _constant(inner, 1, f"{self.popped[0].name}/one")
            found.append(_calculate(inner, "Sub", access.turn_back, one, f"{self.popped[0].name}/turn_before"))
        return found

    def leave(self, results: list[Tensor]) -> None:
        """Takes the variables' last values."""
        for stack, flow in zip(self.pushed, results[1:], strict=False):
            known = self.emitter.stacks[stack]
            known.flow, known.turns = flow, results[0]
            self.emitter.flows.add(flow)


def emit_stack_node(emitter: Emitter, node: Node) -> None:
    """Makes what a node that works on a stack stands for."""
    if node.type not in ("StackPushV2", "StackPopV2"):
        return
    stack = emitter.flow.behind(node.inputs[0])[0]
    known = emitter.stacks.get(stack)
    attrs: dict[str, Any]
    if node.type == "StackPushV2":
        value = emitter.tensor(node.inputs[1])
        access = emitter.access
        if known is None or access is None or access.turn is None or value.dtype == dtypes.resource:
            raise unsupported(node, "it pushes from within a branch or a loop of the loop, or outside of any.")
        attrs = {"T": value.dtype.base_dtype}
        inputs = [known.handle, access.turn, value, access.flows[stack]]
        op = emitter.make("TensorArrayWriteV3", inputs, node.name, attrs)
        access.flows[stack] = op._outputs[0]
        emitter.flows.add(op._outputs[0])
        emitter.values[node, 0] = value
    else:
        around: Emitter | None = emitter
        while around is not None and (around.access is None or around.access.turn_back is None):
            around = around.outer
        if around is None or known is None or known.flow is None:
            raise unsupported(node, "it pops what no loop before it has pushed.")
        assert around.access is not None
        assert around.access.turn_back is not None
        attrs = {"dtype": known.flow.dtype.base_dtype}
        op = emitter.make("TensorArrayReadV3", [known.handle, around.access.turn_back, known.flow], node.name, attrs)
        emitter.values[node, 0] = op._outputs[0]
    emitter.ops[node] = op


def _stack_nodes(region: Region) -> Iterator[Node]:
    """The nodes of a loop's body that push or pop, those in its branches included."""
    for item in region.items:
        if isinstance(item, Plain) and item.node.type in ("StackPushV2", "StackPopV2"):
            yield item.node
        elif isinstance(item, Branch):
            for side in item.sides:
                yield from _stack_nodes(side)


def _array(emitter: Emitter, stack: Node, bound: Tensor | None) -> tuple[Tensor, Tensor]:
    """An array for as many elements as the loop can take turns; one that grows, on the host, when that is not known."""
    size = _constant(emitter, 0, f"{stack.name}/size") if bound is None else bound
    attrs = {
        "dtype": stack.attrs["elem_type"],
        "element_shape": TensorShape(None),
        "dynamic_size": bound is None,
        "clear_after_read": False,
        "identical_element_shapes": False,
        "tensor_array_name": "",
    }
    op = emitter.make("TensorArrayV3", [size], stack.name, attrs)
    return op._outputs[0], op._outputs[1]


def _constant(emitter: Emitter, value: int, name: str) -> Tensor:
    attrs = {"dtype": dtypes.int32, "value": np.asarray(value, np.int32)}
    return emitter.make("Const", [], name, attrs)._outputs[0]


def _calculate(emitter: Emitter, op_type: str, left: Tensor, right: Tensor, name: str) -> Tensor:
    return emitter.make(op_type, [left, right], name, {"T": dtypes.int32})._outputs[0]


# -- how many turns a loop can take ---------------------------------------------------------------------------------


def _bound(emitter: Emitter, loop: Loop) -> Tensor | None:
    """A limit to the number of turns, from a comparison with a counter that starts at zero; None if there is none."""
    assert loop.frame.condition is not None
    terms = [loop.frame.condition.inputs[0]]
    while terms:
        node = _plain(emitter.flow, terms.pop())[0]
        if node.type == "LogicalAnd":
            terms.extend(node.inputs[::-1])
        elif node.type == "Less":
            counter, limit = (_plain(emitter.flow, source) for source in node.inputs)
            outside = loop.body.path[: len(emitter.flow.path(limit))] == emitter.flow.path(limit) != loop.body.path
            variable = next((v for v in loop.frame.variables if v.merge is counter[0]), None)
            if variable is not None and outside and _counts_turns(emitter.flow, variable):
                tensor = emitter.tensor(limit)
                if tensor.dtype.base_dtype == dtypes.int32:
                    return tensor
    return None


def _counts_turns(flow: ControlFlow, variable: Variable) -> bool:
    """Whether a loop variable starts at zero and grows by one in each turn."""
    following = _plain(flow, variable.next.inputs[0])[0]
    if _value(flow, variable.enter.inputs[0]) != 0 or following.type not in ("Add", "AddV2"):
        return False
    sides = [_plain(flow, source) for source in following.inputs]
    return any(
        one[0] in (variable.switch, variable.merge) and _value(flow, other) == 1 for one, other in (sides, sides[::-1])
    )


def _value(flow: ControlFlow, source: Source) -> Any:
    node = _plain(flow, source)[0]
    if node.type == "Const" and node.attrs["value"].ndim == 0:
        return node.attrs["value"].item()
    return None


def _plain(flow: ControlFlow, source: Source) -> Source:
    source = flow.behind(source)
    while source[0].type == "Identity":
        source = flow.behind(source[0].inputs[0])
    return source


# -- arrays of gradients --------------------------------------------------------------------------------------------


def sums_gradient_arrays(argument: Tensor, result: Tensor) -> Tensor | None:
    """The array whose gradient a loop variable sums, where its first value is just a zero.

    Args:
        argument: The variable in the loop's body.
        result: What the body gives for it.

    Returns:
        The elements of the array, in the graph around the loop; None if the variable is of another kind.
    """
    seen: set[Operation] = set()
    stack = [result]
    found: Tensor | None = None
    while stack:
        op = stack.pop().op
        if op in seen:
            continue
        seen.add(op)
        if op.type == "TensorArrayGradV3":
            flow = op.inputs[1]
            around = op.graph._captured_tensor(flow)
            if around is not None:
                found = around
        elif op.type in ("TensorArrayWriteV3", "TensorArrayScatterV3"):
            stack.append(op.inputs[-1])
        elif op.type in ("Add", "AddV2", "AddN", "Identity"):
            stack.extend(op.inputs)
    return found if argument.op in seen else None
