"""`import_graph_def`: graphs that TensorFlow wrote, read into a graph here.

    nodes         NodeDefs to connected nodes, attributes checked and completed     (`nodes`, `attrs`)
    control_flow  which loop and which branch every node stands in                  (`control_flow`)
    regions       what goes into the graph and into each body, in order             (`regions`)
    emit          the operations; calls of functions as bodies, or written out      (`emit`, `functions`)

Nothing is added to the graph before the whole file has been read and understood; and what was added is taken back when
an operation turns out not to fit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from monitored import errors
from monitored._graph import build
from monitored._graph.graph import Graph, get_default_graph
from monitored._graph.importer.control_flow import analyse
from monitored._graph.importer.emit import Emitter
from monitored._graph.importer.functions import Calls
from monitored._graph.importer.nodes import CONTROL_FLOW, Node, Source, is_raised, read_nodes
from monitored._graph.importer.regions import plan_region
from monitored._graph.importer.variants import find_variants
from monitored._graph.opdef import find
from monitored._graph.operation import Operation, Tensor

__all__ = ["import_graph_def"]

_NEWEST_PRODUCER: Final = 3000  # of TensorFlow 2.21 is 2400-odd; what a graph may say that it needs at least


def import_graph_def(
    graph_def: Any,
    input_map: Mapping[str, Any] | None = None,
    return_elements: Iterable[str] | None = None,
    name: str | None = None,
    op_dict: Any = None,
    producer_op_list: Any = None,
) -> list[Tensor | Operation] | None:
    """Adds the nodes of a `GraphDef` to the default graph.

    What TensorFlow 1.15 and 2 write can be read: TensorFlow 1's loops and branches become `While` and `If`
    operations, whose results keep the names of the `Exit` and `Merge` nodes; so do functions of the graph's library.

    Args:
        graph_def: A `GraphDef` protocol buffer.
        input_map: Tensors to take in place of some in `graph_def`, by their names there (``'a'``, ``'a:1'``, or
            ``'^a'`` for an operation to wait for).
        return_elements: Names of tensors (``'a:0'``) and operations (``'a'``) in `graph_def` to be returned.
        name: The scope for the names of all that is imported, ``'import'`` by default; an empty string for none.
        op_dict: Deprecated and not used, as in TensorFlow.
        producer_op_list: An `OpList` of the program that wrote the graph; not needed.

    Returns:
        The operations and tensors of `return_elements`; None when that is None.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If the graph is not well formed, or a name in `input_map` or `return_elements` is not in it.
        NotFoundError: If it has operations of types that are not known: the message lists all of them.
        UnimplementedError: If its control flow is of a kind that cannot be read.
    """
    graph_def = _as_graph_def(graph_def)
    mapped = dict(_checked_map(input_map))
    wanted = _checked_names(return_elements)
    _check_version(graph_def)
    library = {function.signature.name: function for function in graph_def.library.function}
    _check_types(graph_def, library)
    graph = get_default_graph()
    with graph.name_scope("import" if name is None else name) as prefix:
        mapped = _as_tensors(mapped, name)
        given = _Given(mapped)
        nodes = read_nodes(graph_def.node, prefix, library, {}, given)
        given.check_used(nodes)
        flow = analyse(nodes)
        roots = [(node, 0) for node in nodes.values() if node.type not in _MACHINERY and not flow.path((node, 0))]
        region = plan_region(flow, (), roots)
        _check_wanted(wanted, nodes, given)
        emitter = Emitter(graph, prefix, library, nodes, flow, is_file=True)
        emitter.calls, emitter.variants = Calls(), find_variants(nodes)
        emitter.values.update(given.values)
        emitter.ops.update(given.ops)
        with graph._lock, graph.name_scope(None), _whole_or_not_at_all(graph):
            emitter.run(region.items)
    if return_elements is None:
        return None
    return [_element(text, nodes, given, emitter) for text in wanted]


@contextmanager
def _whole_or_not_at_all(graph: Graph) -> Iterator[None]:
    """Takes back what has been added to a graph when the block fails."""
    count, names = len(graph._operations), dict(graph._names_in_use)
    try:
        yield
    except BaseException:
        for op in graph._operations[count:]:
            del graph._by_name[op.name]
        added = set(graph._operations[count:])
        for tensor in {tensor for op in added for tensor in op.inputs}:
            tensor._consumers[:] = [op for op in tensor._consumers if op not in added]
        del graph._operations[count:]
        graph._names_in_use = names
        raise


_MACHINERY: Final = frozenset(CONTROL_FLOW) - {"Exit", "RefExit", "Merge", "RefMerge"}


# -- arguments ----------------------------------------------------------------------------------------------------


def _as_graph_def(graph_def: Any) -> Any:
    from tensorboard.compat.proto import graph_pb2

    if isinstance(graph_def, graph_pb2.GraphDef):
        return graph_def
    descriptor = getattr(graph_def, "DESCRIPTOR", None)
    if getattr(descriptor, "full_name", "") not in ("tensorflow.GraphDef", "tensorboard.GraphDef"):
        raise TypeError("graph_def must be a GraphDef proto.")
    return graph_pb2.GraphDef.FromString(graph_def.SerializeToString())  # another package's copy of the type


def _checked_map(input_map: Any) -> Mapping[str, Any]:
    if input_map is None:
        return {}
    if not isinstance(input_map, Mapping) or not all(isinstance(key, (str, bytes)) for key in input_map):
        raise TypeError("input_map must be a dictionary mapping strings to Tensor objects.")
    return {key.decode() if isinstance(key, bytes) else key: value for key, value in input_map.items()}


def _checked_names(return_elements: Any) -> list[str]:
    if return_elements is None:
        return []
    names = list(return_elements)
    if not all(isinstance(name, (str, bytes)) for name in names):
        raise TypeError("return_elements must be a list of strings.")
    return [name.decode() if isinstance(name, bytes) else name for name in names]


def _check_version(graph_def: Any) -> None:
    if graph_def.versions.min_consumer > _NEWEST_PRODUCER:
        raise ValueError(
            f"GraphDef min consumer version {graph_def.versions.min_consumer} above current version "
            f"{_NEWEST_PRODUCER}: the graph was written by a program newer than this one knows. Please upgrade."
        )


def _check_types(graph_def: Any, library: Mapping[str, Any]) -> None:
    """Checks that the types of all operations are known, those in functions that are called included."""
    missing: dict[str, list[str]] = {}
    for protos in (graph_def.node, *(function.node_def for function in _called(graph_def, library))):
        for proto in protos:
            kind = proto.op
            if kind != "ControlTrigger" and kind not in library and not is_raised(kind) and find(kind) is None:
                missing.setdefault(kind, []).append(proto.name)
    if missing:
        types = ", ".join(f"'{kind}'" for kind in sorted(missing))
        where = "; ".join(f"{kind}: {_few(names)}" for kind, names in sorted(missing.items()))
        raise errors.NotFoundError(None, None, f"Op type not registered {types}. The nodes of these types: {where}.")


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _called(graph_def: Any, library: Mapping[str, Any]) -> list[Any]:
    """The functions of the library that the graph's nodes call, or that these call in turn."""
    found: dict[str, Any] = {}
    pending = [graph_def.node]
    while pending:
        for proto in pending.pop():
            functions = [value.func.name for value in proto.attr.values() if value.HasField("func")]
            functions += [func.name for value in proto.attr.values() for func in value.list.func]
            for function in (proto.op, *functions):
                if function in library and function not in found:
                    found[function] = library[function]
                    pending.append(library[function].node_def)
    return list(found.values())


def _as_tensors(mapped: dict[str, Any], name: str | None) -> dict[str, Any]:
    values = {key: getattr(value, "_as_graph_element", lambda value=value: value)() for key, value in mapped.items()}
    for key, value in values.items():
        if isinstance(value, Operation):
            raise TypeError(f"Can't convert Operation '{value.name}' to Tensor: what '{key}' is mapped to.")
    if all(isinstance(value, Tensor) for value in values.values()):
        return values
    if name == "":
        raise ValueError(
            "tf.import_graph_def() requires a non-empty `name` if `input_map` contains non-Tensor values. Try calling "
            "tf.convert_to_tensor() on `input_map` values before calling tf.import_graph_def()."
        )
    with get_default_graph().name_scope("_inputs"):
        return {key: build.convert_to_tensor(value) for key, value in values.items()}


# -- what is given ------------------------------------------------------------------------------------------------


class _Given:
    """Finds what the inputs of nodes mean, and gives mapped tensors in their place."""

    def __init__(self, mapped: Mapping[str, Any]) -> None:
        self.values: dict[Source, Tensor] = {}
        self.ops: dict[Node, Operation] = {}
        self.mapped: dict[tuple[str, int], Node] = {}
        self.texts: dict[tuple[str, int], str] = {}
        for text, tensor in mapped.items():
            key = _parsed(text)
            node = self.mapped[key] = Node(text, "_Given", -1)
            self.texts[key] = text if ":" in text or text.startswith("^") else f"{text}:0"
            self.values[node, 0] = tensor
            self.ops[node] = tensor.op
        self.used: set[tuple[str, int]] = set()

    def __call__(self, text: str, nodes: Mapping[str, Node]) -> Source | Node | None:
        """What the text of an input means."""
        key = _parsed(text)
        name, index = key
        given = self.mapped.get(key)
        if given is not None:
            self.used.add(key)
            return given if index < 0 else (given, 0)
        node = nodes.get(name)
        return node if node is None or index < 0 else (node, index)

    def check_used(self, nodes: Mapping[str, Node]) -> None:
        """Checks that each mapped name occurs in the graph.

        Raises:
            ValueError: If one does not.
        """
        unused = [self.texts[key] for key in self.mapped if key not in self.used and key[0] not in nodes]
        if unused:
            raise ValueError(f"Attempted to map inputs that were not found in graph_def: [{', '.join(unused)}]")


def _parsed(text: str) -> tuple[str, int]:
    """The name and the output of an input's text; output -1 for an operation to wait for."""
    if text.startswith("^"):
        return text[1:], -1
    name, colon, index = text.rpartition(":")
    if colon and index.isdigit():
        return name, int(index)
    return text, 0


# -- what is returned ---------------------------------------------------------------------------------------------


def _check_wanted(wanted: list[str], nodes: Mapping[str, Node], given: _Given) -> None:
    for text in wanted:
        name, colon, index = text.partition(":")
        if colon and not index.isdigit():
            raise ValueError(f"Cannot convert {text!r} to a tensor name.")
        if colon and (name, int(index)) in given.mapped:
            continue
        if name not in nodes:
            raise ValueError(f"Requested return {'tensor' if colon else 'node'} '{text}' not found in graph def")
        if colon and int(index) >= nodes[name].count:
            raise ValueError(f"Invalid return output {index} of node '{name}', which has {nodes[name].count} output(s)")


def _element(text: str, nodes: Mapping[str, Node], given: _Given, emitter: Emitter) -> Tensor | Operation:
    name, colon, index = text.partition(":")
    if not colon:
        if nodes[name] not in emitter.ops:
            raise ValueError(
                f"Requested return node '{text}' stands in a loop or branch, and is no operation of its own."
            )
        return emitter.ops[nodes[name]]
    mapped = given.mapped.get((name, int(index)))
    if mapped is not None:
        return given.values[mapped, 0]
    source = (nodes[name], int(index))
    if source not in emitter.values:
        raise ValueError(f"Requested return tensor '{text}' stands in a loop or branch, and has no value of its own.")
    return emitter.values[source]
