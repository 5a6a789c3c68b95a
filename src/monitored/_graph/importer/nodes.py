"""The nodes of a `GraphDef` or a `FunctionDef` as objects that know one another."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from monitored._graph.importer.attrs import attributes, python_value
from monitored._graph.opdef import Arg, OpDef, find
from monitored._graph.shapes import TensorShape

__all__ = ["CALLS", "CONTROL_FLOW", "OPTIONALS", "STACKS", "Library", "Node", "Source", "is_raised", "read_nodes"]

# TensorFlow 1's control flow, which is raised to functional operations: type -> number of outputs.
CONTROL_FLOW: Final[Mapping[str, int]] = {
    "Switch": 2, "RefSwitch": 2, "Merge": 2, "RefMerge": 2, "Enter": 1, "RefEnter": 1, "Exit": 1, "RefExit": 1,
    "NextIteration": 1, "RefNextIteration": 1, "LoopCond": 1,
}  # fmt: skip
# Stacks pass values from a loop to that of its gradient.
STACKS: Final[Mapping[str, int]] = {"StackV2": 1, "StackPushV2": 1, "StackPopV2": 1, "StackCloseV2": 0}
# Optional values pass what a branch computes to that of its gradient; they hold one tensor each.
OPTIONALS: Final = frozenset({"OptionalNone", "OptionalFromValue", "OptionalGetValue"})
# Operations that run functions of the library: type -> the attribute with the types of the outputs.
CALLS: Final[Mapping[str, str]] = {
    "If": "Tout", "StatelessIf": "Tout", "While": "T", "StatelessWhile": "T", "Case": "Tout", "StatelessCase": "Tout",
    "PartitionedCall": "Tout", "StatefulPartitionedCall": "Tout",
}  # fmt: skip

_NODE_NAME: Final = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/-]*")

Library = Mapping[str, Any]  # the FunctionDefs by name


@dataclass(eq=False, slots=True)
class Node:
    """A node that is to become an operation, or part of one.

    Attributes:
        name: The name in its graph or function.
        type: TensorFlow's name of the type.
        position: Its place in the file.
        definition: The definition of the type; None for control flow, calls of functions, and what is given.
        attrs: The attributes.
        count: The number of outputs.
        proto: The `NodeDef`; None for what is given: arguments and mapped tensors.
        shapes: The shapes of the outputs, if the file tells.
        inputs: What it takes.
        controls: The nodes that it waits for.
    """

    name: str
    type: str
    position: int
    definition: OpDef | None = None
    attrs: dict[str, Any] = field(default_factory=dict)
    count: int = 1
    proto: Any = None
    shapes: list[TensorShape] = field(default_factory=list)
    inputs: list[Source] = field(default_factory=list)
    controls: list[Node] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"Node({self.name!r}, {self.type!r})"


Source = tuple[Node, int]  # an output of a node


def read_nodes(
    protos: Iterable[Any],
    prefix: str,
    library: Library,
    given: Mapping[str, Any],
    resolve: Callable[[str, Mapping[str, Node]], Source | Node | None],
) -> dict[str, Node]:
    """Reads nodes and connects them.

    Args:
        protos: The `NodeDef`s.
        prefix: What stands before the names in the graph, for messages.
        library: The functions that nodes may call.
        given: The attributes of the function whose nodes these are.
        resolve: Finds what an input's text means among the nodes by name: an output, a node (for ``^name``), or None.

    Returns:
        The nodes by name, in the order of the file.

    Raises:
        ValueError: If a node is not well formed.
    """
    nodes: dict[str, Node] = {}
    for position, proto in enumerate(protos):
        if not _NODE_NAME.fullmatch(proto.name):
            raise ValueError(f"Node '{proto.name}': Node name contains invalid characters")
        if proto.name in nodes:
            raise ValueError(f"Node '{proto.name}' is not unique")
        nodes[proto.name] = _read(proto, position, prefix + proto.name, library, given)
    for node in nodes.values():
        for text in node.proto.input:
            found = resolve(text, nodes)
            if found is None:
                raise ValueError(f"Node '{node.name}': Unknown input node '{text}'")
            if isinstance(found, Node):
                node.controls.append(found)
                continue
            producer, index = found
            if not 0 <= index < producer.count:
                raise ValueError(
                    f"Node '{node.name}': Connecting to invalid output {index} of source node {producer.name} which "
                    f"has {producer.count} outputs."
                )
            node.inputs.append(found)
    return nodes


def _read(proto: Any, position: int, name: str, library: Library, given: Mapping[str, Any]) -> Node:
    kind = proto.op
    node = Node(proto.name, kind, position, proto=proto)
    if is_raised(kind) or kind in library:
        node.attrs = {key: python_value(value, given, key.startswith("_")) for key, value in proto.attr.items()}
        node.shapes = node.attrs.pop("_output_shapes", [])
        if kind in CONTROL_FLOW or kind in STACKS:
            node.count = CONTROL_FLOW.get(kind) or STACKS.get(kind) or 0
        elif kind in OPTIONALS:
            node.count = 1
        elif kind in CALLS:
            node.count = len(node.attrs.get(CALLS[kind], ()))
        else:
            node.count = len(library[kind].signature.output_arg)
        return node
    definition = find("NoOp" if kind == "ControlTrigger" else kind)
    assert definition is not None  # what is missing has been reported for the whole graph
    node.definition = definition
    node.attrs, node.shapes = attributes(proto, definition, name, given)
    node.count = sum(_size(arg, node.attrs) for arg in definition.outputs)
    return node


def is_raised(kind: str) -> bool:
    """Whether nodes of a type become something else here."""
    return kind in CONTROL_FLOW or kind in STACKS or kind in OPTIONALS or kind in CALLS


def _size(arg: Arg, attrs: Mapping[str, Any]) -> int:
    """How many tensors an argument of a signature is."""
    if arg.type_list_attr:
        return len(attrs[arg.type_list_attr])
    return int(attrs[arg.number_attr]) if arg.number_attr else 1
