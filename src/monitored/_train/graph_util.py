"""Work on `GraphDef`s: the part that some nodes need, with the variables' values put in as constants."""

from __future__ import annotations

import logging
from collections.abc import Container, Iterable, Mapping
from typing import Any, Final

from monitored._graph.node_def import make_tensor_proto

__all__ = ["convert_variables_to_constants", "extract_sub_graph", "remove_training_nodes"]

_log = logging.getLogger("monitored")

_VARIABLES: Final = frozenset({"Variable", "VariableV2", "VarHandleOp"})


def _node_name(text: str) -> str:
    """The name of the node in an input's text."""
    return text.removeprefix("^").partition(":")[0]


def _new_graph(model: Any) -> Any:
    graph = type(model)()
    graph.library.CopyFrom(model.library)
    graph.versions.CopyFrom(model.versions)
    return graph


def extract_sub_graph(graph_def: Any, dest_nodes: Iterable[str]) -> Any:
    """The part of a graph that some of its nodes need.

    Args:
        graph_def: A `GraphDef`.
        dest_nodes: The names of the nodes.

    Returns:
        A `GraphDef` with the nodes and all that they need, in their order in `graph_def`.

    Raises:
        TypeError: If `graph_def` is no GraphDef, or `dest_nodes` a single name.
        AssertionError: If a node is not in the graph.
    """
    if not hasattr(graph_def, "node"):
        raise TypeError("graph_def must be a graph_pb2.GraphDef proto.")
    if isinstance(dest_nodes, str):
        raise TypeError("dest_nodes must be a list.")
    nodes = {node.name: node for node in graph_def.node}
    names = list(dest_nodes)
    for name in names:
        if name not in nodes:
            raise AssertionError(f"{name} is not in graph")
    kept: set[str] = set()
    while names:
        name = names.pop()
        if name not in kept:
            kept.add(name)
            names.extend(_node_name(text) for text in nodes[name].input)
            if nodes[name].op == "VJP":  # the gradient of an operation, which it names
                names.append(nodes[name].attr["forward"].s.decode())
    graph = _new_graph(graph_def)
    graph.node.extend(node for node in graph_def.node if node.name in kept)
    return graph


def convert_variables_to_constants(
    sess: Any,
    input_graph_def: Any,
    output_node_names: Iterable[str],
    variable_names_whitelist: Container[str] | None = None,
    variable_names_blacklist: Container[str] | None = None,
) -> Any:
    """A graph in which constants stand for variables: a model that needs no checkpoint.

    Args:
        sess: The session that holds the variables' values.
        input_graph_def: The `GraphDef` that it runs, such as ``sess.graph_def``.
        output_node_names: The names of the nodes that the result is to compute.
        variable_names_whitelist: The names of the variables to convert; all by default.
        variable_names_blacklist: The names of variables not to convert.

    Returns:
        A `GraphDef` with what the outputs need.

    Raises:
        AssertionError: If an output is not in the graph.
        FailedPreconditionError: If a variable that is needed has no value.
    """
    needed = extract_sub_graph(input_graph_def, output_node_names)
    names = [
        node.name
        for node in needed.node
        if node.op in _VARIABLES
        and (variable_names_whitelist is None or node.name in variable_names_whitelist)
        and (variable_names_blacklist is None or node.name not in variable_names_blacklist)
    ]
    values = dict(zip(names, sess.run([f"{name}:0" for name in names]) if names else [], strict=True))
    handles = {node.name for node in needed.node if node.op == "VarHandleOp" and node.name in values}
    handles.update(_copies_of(handles, needed))
    graph = _new_graph(needed)
    for node in needed.node:
        if node.name in values:
            constant = graph.node.add(name=node.name, op="Const", device=node.device)
            constant.attr["dtype"].CopyFrom(node.attr["dtype"])
            constant.attr["value"].tensor.CopyFrom(make_tensor_proto(values[node.name]))
        elif node.input and _node_name(node.input[0]) in handles:
            _read_constant(node, graph)
        else:
            graph.node.add().CopyFrom(node)
    _log.info("Converted %d variables to const ops.", len(values))
    return graph


def _copies_of(handles: set[str], graph_def: Any) -> set[str]:
    """The `Identity` nodes that pass handles on."""
    found: set[str] = set()
    for node in graph_def.node:
        if node.op == "Identity" and _node_name(node.input[0]) in handles | found:
            found.add(node.name)
    return found


def _read_constant(node: Any, graph: Any) -> None:
    """Adds a node that takes a value in place of one that took the handle of a variable."""
    if node.op == "ReadVariableOp":
        new = graph.node.add(name=node.name, op="Identity", input=node.input, device=node.device)
        new.attr["T"].CopyFrom(node.attr["dtype"])
    elif node.op == "ResourceGather":
        if node.attr["batch_dims"].i:
            raise ValueError(f"batch_dims != 0 is not supported by freeze_graph. Node: {node.name}")
        axis = graph.node.add(name=f"{node.name}/axis", op="Const", device=node.device)
        tensor = make_tensor_proto(0, "int32")
        axis.attr["dtype"].type = tensor.dtype
        axis.attr["value"].tensor.CopyFrom(tensor)
        inputs = [*node.input[:2], axis.name, *node.input[2:]]
        new = graph.node.add(name=node.name, op="GatherV2", input=inputs, device=node.device)
        new.attr["Tparams"].CopyFrom(node.attr["dtype"])
        new.attr["Tindices"].CopyFrom(node.attr["Tindices"])
        new.attr["Taxis"].type = tensor.dtype
    else:
        new = graph.node.add()
        new.CopyFrom(node)
        if node.op == "Identity":
            new.attr["T"].CopyFrom(_type_of(node.input[0], graph))


def _type_of(text: str, graph: Any) -> Any:
    node = next(node for node in graph.node if node.name == _node_name(text))
    return node.attr["dtype" if node.op == "Const" else "T"]


def remove_training_nodes(input_graph: Any, protected_nodes: Iterable[str] | None = None) -> Any:
    """A graph without the nodes that only training needs: numeric checks, and `Identity` nodes that pass values on.

    Args:
        input_graph: A `GraphDef`.
        protected_nodes: The names of nodes to be kept.

    Returns:
        A new `GraphDef`.
    """
    kept = set(protected_nodes or ())
    waited_for = {_node_name(text) for node in input_graph.node for text in node.input if text.startswith("^")}
    passed: dict[str, str] = {}
    for node in input_graph.node:
        is_plain = not any(text.startswith("^") for text in node.input) and node.name not in waited_for
        is_output = not any(_node_name(text) == node.name for other in input_graph.node for text in other.input)
        if node.name in kept or not is_plain or (is_output and node.op == "Identity"):
            continue
        if node.op == "CheckNumerics" or (node.op == "Identity" and not _splits(node, input_graph)):
            passed[node.name] = node.input[0]
    graph = _new_graph(input_graph)
    for node in input_graph.node:
        if node.name not in passed:
            new = graph.node.add()
            new.CopyFrom(node)
            del new.input[:]
            new.input.extend(_without(text, passed) for text in node.input)
    return graph


def _splits(node: Any, graph: Any) -> bool:
    """Whether an `Identity` stands behind a node of a branch, whose outputs it tells apart."""
    source = _node_name(node.input[0])
    return any(other.name == source and other.op in ("Switch", "RefSwitch", "Merge") for other in graph.node)


def _without(text: str, passed: Mapping[str, str]) -> str:
    while text in passed:
        text = passed[text]
    return text
