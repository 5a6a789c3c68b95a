"""MetaGraphs read back: the graph, its collections, and the saver that goes with it.

What TensorFlow wrote is read like what was written here: variables become `Variable` objects, one for each whatever the
number of its collections, and the saver finds in the graph what it saves.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from monitored._graph.collections import GraphKeys
from monitored._graph.graph import Graph, get_default_graph
from monitored._graph.importer import import_graph_def
from monitored._ops.resource_variables import ResourceVariable
from monitored._ops.variables import Variable
from monitored._train.queue_runner import QueueRunner
from monitored._train.saver import Saver

__all__ = ["import_meta_graph"]

_log = logging.getLogger("monitored")

_VARIABLES: Final = frozenset({
    GraphKeys.GLOBAL_VARIABLES, GraphKeys.LOCAL_VARIABLES, GraphKeys.METRIC_VARIABLES, GraphKeys.MODEL_VARIABLES,
    GraphKeys.TRAINABLE_VARIABLES, GraphKeys.MOVING_AVERAGE_VARIABLES, GraphKeys.CONCATENATED_VARIABLES,
    GraphKeys.GLOBAL_STEP, GraphKeys.EVAL_STEP, "trainable_resource_variables",
})  # fmt: skip
# What TensorFlow keeps of its loops and branches to build on them; here they are operations with bodies.
_CONTEXTS: Final = frozenset({GraphKeys.COND_CONTEXT, GraphKeys.WHILE_CONTEXT})


def import_meta_graph(
    meta_graph_or_file: Any,
    clear_devices: bool = False,
    import_scope: str | None = None,
    *,
    graph: Graph | None = None,
    input_map: Mapping[str, Any] | None = None,
    unbound_inputs_col_name: str = "unbound_inputs",
    restore_collections_predicate: Callable[[str], bool] | None = None,
) -> Saver | None:
    """Adds the graph and the collections of a `MetaGraphDef` to the default graph.

    Args:
        meta_graph_or_file: A `MetaGraphDef` protocol buffer, or the path of a file that holds one (``.meta``).
        clear_devices: Whether to leave out the devices that operations ask for.
        import_scope: A name scope to put before all names; none by default.
        graph: The graph to add to; the default one when None.
        input_map: Tensors to take in place of some in the MetaGraph; see `import_graph_def`.
        unbound_inputs_col_name: The name of a collection that is left out.
        restore_collections_predicate: Says for the name of a collection whether it is restored; all by default.

    Returns:
        The saver that the MetaGraph names; a new one of all variables when it names none; None when there are no
        variables.

    Raises:
        OSError: If there is no such file, or it holds no MetaGraph.
        TypeError: If `meta_graph_or_file` is neither a path nor a MetaGraph.
        ValueError: If the graph is not well formed, or a mapped name is not in it.
        NotFoundError: If it has operations of unknown types; the message lists all of them.
    """
    meta = _as_meta_graph(meta_graph_or_file)
    graph_def = meta.graph_def
    if clear_devices:
        graph_def = type(graph_def).FromString(graph_def.SerializeToString())
        for node in graph_def.node:
            node.device = ""
    graph = get_default_graph() if graph is None else graph
    with graph.as_default():
        outer = graph.get_name_scope()
        scope = graph.unique_name(import_scope, mark_as_used=False) if import_scope else outer
        import_graph_def(graph_def, input_map=input_map, name=import_scope or (f"{outer}/" if outer else ""))
        imported = _restore_collections(
            graph, meta.collection_def, scope, {unbound_inputs_col_name}, restore_collections_predicate
        )
        if meta.HasField("saver_def"):
            return Saver(saver_def=meta.saver_def, name=scope or None)
        if imported or graph.get_collection(GraphKeys.GLOBAL_VARIABLES, scope or None):
            return Saver()
    _log.info("Saver not created because there are no variables in the graph to restore")
    return None


# -- the file -----------------------------------------------------------------------------------------------------


def _as_meta_graph(meta_graph_or_file: Any) -> Any:
    from tensorboard.compat.proto import meta_graph_pb2

    if isinstance(meta_graph_or_file, meta_graph_pb2.MetaGraphDef):
        return meta_graph_or_file
    if isinstance(meta_graph_or_file, (str, bytes, os.PathLike)):
        return _read(os.fsdecode(meta_graph_or_file))
    descriptor = getattr(meta_graph_or_file, "DESCRIPTOR", None)
    if getattr(descriptor, "full_name", "").rpartition(".")[2] != "MetaGraphDef":
        raise TypeError(f"Expected a MetaGraphDef or the path of a file that holds one, got {meta_graph_or_file!r}.")
    return meta_graph_pb2.MetaGraphDef.FromString(meta_graph_or_file.SerializeToString())


def _read(filename: str) -> Any:
    from google.protobuf import message, text_format
    from tensorboard.compat.proto import meta_graph_pb2

    try:
        with open(filename, "rb") as file:
            content = file.read()
    except FileNotFoundError:
        raise OSError(f"File {filename} does not exist.") from None
    try:
        meta = meta_graph_pb2.MetaGraphDef.FromString(content)
        if meta.HasField("graph_def") or not content:
            return meta
    except message.DecodeError:
        pass
    try:
        return text_format.Parse(content.decode(), meta_graph_pb2.MetaGraphDef())
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise OSError(f"Cannot parse file {filename}: {error}.") from error


# -- collections --------------------------------------------------------------------------------------------------


def _restore_collections(
    graph: Graph, collections: Any, scope: str, left_out: set[str], predicate: Callable[[str], bool] | None
) -> list[Any]:
    """Adds to the graph's collections; gives the variables that were found."""
    variables: dict[bytes, Any] = {}
    for key in sorted(collections):
        if key in left_out or key in _CONTEXTS or (predicate is not None and not predicate(key)):
            continue
        values = _values(graph, key, collections[key], scope, variables)
        for value in values:
            graph.add_to_collection(key, value)
    return list(variables.values())


def _values(graph: Graph, key: str, collection: Any, scope: str, variables: dict[bytes, Any]) -> Sequence[Any]:
    kind = collection.WhichOneof("kind")
    if kind is None:
        _log.error("Cannot identify data type for collection %s. Skipping.", key)
        return []
    items = getattr(collection, kind).value
    if kind == "node_list":
        return [graph.as_graph_element(_scoped(name, scope)) for name in items]
    if kind == "int64_list":
        return [int(value) for value in items]
    if kind != "bytes_list":
        return list(items)
    if key in _VARIABLES:
        for item in items:
            if item not in variables:
                variables[item] = _variable(item, scope)
        return [variables[item] for item in items]
    if key == GraphKeys.QUEUE_RUNNERS:
        return [QueueRunner.from_proto(item, scope or None) for item in items]
    if key == GraphKeys.SAVERS:
        return [_saver(item, scope) for item in items]
    return [_text(item, scope) for item in items]


def _variable(item: bytes, scope: str) -> Variable:
    from tensorboard.compat.proto import variable_pb2

    proto = variable_pb2.VariableDef.FromString(item)
    kind = ResourceVariable if proto.is_resource else Variable.from_proto
    return kind(proto, import_scope=scope or None)


def _saver(item: bytes, scope: str) -> Saver:
    from tensorboard.compat.proto import saver_pb2

    return Saver.from_proto(saver_pb2.SaverDef.FromString(item), import_scope=scope or None)


def _scoped(name: str, scope: str) -> str:
    if not scope:
        return name
    return f"^{scope}/{name[1:]}" if name.startswith("^") else f"{scope}/{name}"


def _text(item: bytes, scope: str) -> str | bytes:
    """A string of a collection, which TensorFlow takes for a name; bytes that are no text stay what they are."""
    try:
        return _scoped(item.decode(), scope)
    except UnicodeDecodeError:
        return item
