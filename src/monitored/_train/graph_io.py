"""Graphs as files."""

from __future__ import annotations

import os
from typing import Any

from monitored._checkpoint.files import os_errors_as_tf, replace_file
from monitored._graph.graph import Graph

__all__ = ["write_graph"]


def write_graph(graph_or_graph_def: Any, logdir: str | os.PathLike[str], name: str, as_text: bool = True) -> str:
    """Writes a graph to a file.

    Args:
        graph_or_graph_def: A `Graph` or `GraphDef`.
        logdir: The directory, made if there is none.
        name: The file's name.
        as_text: Whether to write it as text, rather than in the binary format.

    Returns:
        The file's path.

    Raises:
        OpError: If the file cannot be written.
    """
    graph_def = graph_or_graph_def
    if isinstance(graph_or_graph_def, Graph):
        graph_def = graph_or_graph_def.as_graph_def()
    path = os.path.join(os.fspath(logdir), name)
    with os_errors_as_tf(os.fspath(logdir)):
        os.makedirs(logdir, exist_ok=True)
    if as_text:
        from google.protobuf import text_format

        replace_file(path, text_format.MessageToString(graph_def).encode())
    else:
        replace_file(path, graph_def.SerializeToString())
    return path
