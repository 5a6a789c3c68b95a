"""MetaGraphs: a graph with its collections and its saver as TensorFlow's `MetaGraphDef`, what a `.meta` file holds."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from typing import Any, Final

from monitored import errors
from monitored._checkpoint.files import replace_file
from monitored._graph.collections import GraphKeys
from monitored._graph.graph import Graph, get_default_graph
from monitored._graph.node_def import to_attr_value
from monitored._graph.opdef import REQUIRED, find
from monitored._graph.operation import Operation, Tensor

__all__ = ["export_meta_graph"]

_log = logging.getLogger("monitored")

# The release whose graphs these are; TensorFlow reads it for messages only.
_TENSORFLOW: Final = "1.15.5"


def export_meta_graph(
    filename: str | os.PathLike[str] | None = None,
    meta_info_def: Any = None,
    graph_def: Any = None,
    saver_def: Any = None,
    collection_list: Iterable[str] | None = None,
    as_text: bool = False,
    graph: Graph | None = None,
    export_scope: str | None = None,
    clear_devices: bool = False,
    clear_extraneous_savers: bool = False,
    strip_default_attrs: bool = False,
    save_debug_info: bool = False,
    **kwargs: Any,
) -> Any:
    """A graph as a `MetaGraphDef`, written to a file when one is named.

    Args:
        filename: The file to write; none by default.
        meta_info_def: A `MetaInfoDef` to start from.
        graph_def: The `GraphDef` to export; that of the graph by default.
        saver_def: The `SaverDef` of the saver that goes with the graph.
        collection_list: The names of the collections to export; all by default.
        as_text: Whether to write the file as text.
        graph: The graph; the default one when None.
        export_scope: Not supported: the whole graph is exported.
        clear_devices: Whether to leave out the devices that were asked for.
        clear_extraneous_savers: Whether to leave out savers other than that of `saver_def`, and their nodes.
        strip_default_attrs: Whether to leave out attributes that have their defaults.
        save_debug_info: Whether to write where each operation was created to a second file, ``<filename>.debug``
            with the suffix of `filename` taken away.
        kwargs: Accepted as TensorFlow does.

    Returns:
        The protocol buffer.

    Raises:
        UnimplementedError: If `export_scope` is given.
        OpError: If the file could not be written.
    """
    from tensorboard.compat.proto import meta_graph_pb2

    if export_scope:
        raise errors.UnimplementedError(None, None, f"export_scope={export_scope!r}: only whole graphs are exported.")
    graph = get_default_graph() if graph is None else graph
    meta = meta_graph_pb2.MetaGraphDef()
    if meta_info_def is not None:
        meta.meta_info_def.CopyFrom(meta_info_def)
    meta.meta_info_def.tensorflow_version = _TENSORFLOW
    meta.meta_info_def.tensorflow_git_version = "monitored"
    meta.graph_def.CopyFrom(graph.as_graph_def(add_shapes=True) if graph_def is None else graph_def)
    if saver_def is not None:
        meta.saver_def.CopyFrom(saver_def)
    if strip_default_attrs:
        meta.meta_info_def.stripped_default_attrs = True
        _strip_default_attrs(meta.graph_def)
    if clear_devices:
        for node in meta.graph_def.node:
            node.device = ""
    others = _other_savers(graph, saver_def) if clear_extraneous_savers else []
    if others:
        _remove_nodes_of(others, meta.graph_def)
    for key in graph.get_all_collection_keys() if collection_list is None else collection_list:
        values = graph.get_collection(key)
        if key == GraphKeys.SAVERS and others:
            values = [saver for saver in values if saver.to_proto() not in others]
        if values:
            _add_collection(meta.collection_def, key, values)
    if filename:
        _write(os.fspath(filename), meta, as_text)
        if save_debug_info:
            debug = os.path.splitext(os.fspath(filename))[0] + ".debug"
            replace_file(debug, _debug_info(graph).SerializeToString())
    return meta


def meta_graph_filename(checkpoint_filename: str, meta_graph_suffix: str = "meta") -> str:
    """The name of the file beside a checkpoint that holds its graph.

    Args:
        checkpoint_filename: The checkpoint's path without `.index`.
        meta_graph_suffix: The suffix.

    Returns:
        The path.
    """
    return f"{checkpoint_filename}.{meta_graph_suffix}"


def _write(filename: str, meta: Any, as_text: bool) -> None:
    from google.protobuf import text_format

    replace_file(filename, text_format.MessageToString(meta).encode() if as_text else meta.SerializeToString())


def _strip_default_attrs(graph_def: Any) -> None:
    from tensorboard.compat.proto import attr_value_pb2

    for node in graph_def.node:
        definition = find(node.op)
        for name, default in definition.attrs.items() if definition is not None else ():
            if default is REQUIRED or name not in node.attr:
                continue
            value = attr_value_pb2.AttrValue()
            to_attr_value(default, value)
            if node.attr[name] == value:
                del node.attr[name]


# -- collections --------------------------------------------------------------------------------------------------


def _add_collection(collections: Any, key: str, values: Sequence[Any]) -> None:
    """Adds a collection in the kind of list that fits its items; one that fits none is left out with a warning."""
    from tensorboard.compat.proto import meta_graph_pb2

    collection = meta_graph_pb2.CollectionDef()
    try:
        if all(hasattr(value, "to_proto") for value in values):
            protos = (value.to_proto() for value in values)
            collection.bytes_list.value.extend(proto.SerializeToString() for proto in protos if proto is not None)
        elif isinstance(values[0], (str, bytes)):
            collection.bytes_list.value.extend(v.encode() if isinstance(v, str) else v for v in values)
        elif isinstance(values[0], int):
            collection.int64_list.value.extend(values)
        elif isinstance(values[0], float):
            collection.float_list.value.extend(values)
        else:
            collection.node_list.value.extend(_element_name(value) for value in values)
    except (AttributeError, TypeError, ValueError) as error:
        _log.warning(
            "Issue encountered when serializing %s.\nType is unsupported, or the types of the items don't match field "
            "type in CollectionDef. Note this is a warning and probably safe to ignore.\n%s",
            key,
            error,
        )
        return
    collections[key].CopyFrom(collection)


def _element_name(value: Any) -> str:
    if not isinstance(value, (Operation, Tensor)):
        value = value._as_graph_element()
    return str(value.name)


def _other_savers(graph: Graph, saver_def: Any) -> list[Any]:
    """The `SaverDef`s in the graph's collection other than a given one."""
    savers = [saver.to_proto() for saver in graph.get_collection(GraphKeys.SAVERS)]
    return [other for other in savers if other is not None and other != saver_def]


def _remove_nodes_of(savers: Sequence[Any], graph_def: Any) -> None:
    scopes = tuple(saver.filename_tensor_name.rpartition("/")[0] + "/" for saver in savers)
    kept = [node for node in graph_def.node if not node.name.startswith(scopes)]
    del graph_def.node[:]
    graph_def.node.extend(kept)


# -- debug information ----------------------------------------------------------------------------------------------


def _debug_info(graph: Graph) -> Any:
    """Where each operation was created, as a `GraphDebugInfo`."""
    from tensorboard.compat.proto import graph_debug_info_pb2

    info = graph_debug_info_pb2.GraphDebugInfo()
    places: dict[str, int] = {}
    for op in graph.get_operations():
        file, line, function = op._site
        place = places.setdefault(file, len(places))
        info.traces[op.name].file_line_cols.add(file_index=place, line=line, func=function)
    info.files.extend(places)
    return info
