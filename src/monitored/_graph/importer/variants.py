"""Nodes that can be carried out on the device, where others of their type need the host.

The operations keep their types: they are TensorFlow's nodes, only carried out in another way.

Rows of variables: of the indices of a gradient with repeated rows, TensorFlow's optimizers keep one each (`Unique`),
and sum the rows (`UnsortedSegmentSum`). How many there are depends on the data, which XLA cannot have: each step
would be cut in two, and compiled anew for each number of rows. So where what comes of a `Unique` does nothing but
update rows, it gives as many indices as it takes, those that are left over beyond the end of any variable, where
updates leave them out.

Shapes: what is computed from shapes alone (`DynamicStitch`, in gradients of sums) is known when XLA compiles.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from monitored._graph.importer.nodes import Node
from monitored._graph.opdef import OpDef, find, keywords_of

__all__ = ["find_variants"]

Users = Mapping[Node, list[tuple[Node, int]]]  # node -> who uses it, and by which input


def find_variants(nodes: Mapping[str, Node]) -> dict[Node, OpDef]:
    """The nodes that need no host, and the definitions by which they are carried out.

    Args:
        nodes: The nodes by name.

    Returns:
        Definitions of the nodes' own types.
    """
    hosted = [n for n in nodes.values() if n.definition is not None and n.definition.host and n.definition.fold]
    if not hosted:
        return {}
    users: dict[Node, list[tuple[Node, int]]] = {}
    for node in nodes.values():
        for position, (producer, _) in enumerate(node.inputs):
            users.setdefault(producer, []).append((node, position))
    found: dict[Node, OpDef] = {}
    padded = find("PaddedUnique")
    for node in hosted:
        definition = node.definition
        assert definition is not None
        if all(_is_of_shapes(producer) for producer, _ in node.inputs):
            found[node] = replace(
                definition,
                host=None,
                lower=definition.fold,
                lower_attrs=keywords_of(definition.fold) if definition.fold is not None else (),
                static=frozenset(range(len(node.inputs))),
            )
        elif node.type == "Unique" and padded is not None and _only_rows(node, users):
            found[node] = replace(padded, type=node.type)
    return found


def _is_of_shapes(node: Node) -> bool:
    """Whether a node computes something from constants and shapes alone."""
    seen: set[Node] = set()
    stack = [node]
    while stack:
        one = stack.pop()
        if one in seen or one.type in ("Const", "Shape", "ShapeN", "Size", "Rank"):
            continue
        seen.add(one)
        if one.definition is None or one.definition.fold is None:
            return False
        stack.extend(producer for producer, _ in one.inputs)
    return True


# -- rows of variables ------------------------------------------------------------------------------------------------


def _only_rows(unique: Node, users: Users) -> bool:
    """Whether the indices of a `Unique` do nothing but say which rows to sum and to update."""
    uses = users.get(unique, [])
    return any(user.type == "UnsortedSegmentSum" for user, _ in uses) and all(
        _sums_rows(user, position) or _counts_rows(user, users) or _updates_rows(user, position)
        for user, position in uses
    )


def _sums_rows(node: Node, position: int) -> bool:
    return node.type == "UnsortedSegmentSum" and position == 1 and node.inputs[position][1] == 1


def _counts_rows(shape: Node, users: Users) -> bool:
    """Whether a node is a shape that only tells how many rows there are to sum."""
    if shape.type != "Shape":
        return False
    slices = users.get(shape, [])
    return all(
        user.type == "StridedSlice"
        and position == 0
        and all(reader.type == "UnsortedSegmentSum" and place == 2 for reader, place in users.get(user, []))
        for user, position in slices
    )


def _updates_rows(node: Node, position: int) -> bool:
    definition = node.definition
    if definition is None or not definition.updates or node.inputs[position][1] != 0:
        return False
    return definition.inputs[position].name == "indices" and ("Sparse" in node.type or "Scatter" in node.type)
