"""`tf.graph_util`: work on `GraphDef`s."""

from __future__ import annotations

from monitored._graph.importer import import_graph_def
from monitored._train.graph_util import convert_variables_to_constants, extract_sub_graph, remove_training_nodes

__all__ = ["convert_variables_to_constants", "extract_sub_graph", "import_graph_def", "remove_training_nodes"]
