"""The global step: the variable that counts the training steps of a graph."""

from __future__ import annotations

import logging
from typing import Any

from monitored._graph import dtypes
from monitored._graph.collections import GraphKeys
from monitored._graph.graph import Graph, get_default_graph
from monitored._graph.operation import Tensor
from monitored._ops import initializers
from monitored._ops.variable_scope import get_variable
from monitored._ops.variables import Variable, VariableAggregation

__all__ = [
    "assert_global_step",
    "create_global_step",
    "get_global_step",
    "get_or_create_global_step",
    "global_step",
]

_log = logging.getLogger("monitored")


def global_step(sess: Any, global_step_tensor: Any) -> int:
    """The present step in a session.

    Args:
        sess: The session.
        global_step_tensor: The global step, a variable or tensor.

    Returns:
        The number of steps taken.
    """
    return int(sess.run(global_step_tensor))


def get_global_step(graph: Graph | None = None) -> Any:
    """The global step of a graph.

    Args:
        graph: The graph; the default one when None.

    Returns:
        What is in the collection ``GraphKeys.GLOBAL_STEP``; else the tensor ``global_step:0``; None when there is
        neither.

    Raises:
        TypeError: If it is not a scalar of an integer type.
    """
    graph = get_default_graph() if graph is None else graph
    found = graph.get_collection(GraphKeys.GLOBAL_STEP)
    if len(found) > 1:
        _log.error("Multiple tensors in global_step collection.")
        return None
    step: Any
    if found:
        step = found[0]
    else:
        try:
            step = graph.get_tensor_by_name("global_step:0")
        except KeyError:
            return None
    assert_global_step(step)
    return step


def create_global_step(graph: Graph | None = None) -> Any:
    """Makes the global step, an int64 variable that starts at zero.

    Args:
        graph: The graph; the default one when None.

    Returns:
        The variable, in the collections ``GraphKeys.GLOBAL_STEP`` and ``GraphKeys.GLOBAL_VARIABLES``.

    Raises:
        ValueError: If there is one.
    """
    graph = get_default_graph() if graph is None else graph
    if get_global_step(graph) is not None:
        raise ValueError('"global_step" already exists.')
    with graph.as_default(), graph.name_scope(None):
        return get_variable(
            GraphKeys.GLOBAL_STEP,
            shape=[],
            dtype=dtypes.int64,
            initializer=initializers.zeros_initializer(),
            trainable=False,
            aggregation=VariableAggregation.ONLY_FIRST_REPLICA,
            collections=[GraphKeys.GLOBAL_VARIABLES, GraphKeys.GLOBAL_STEP],
        )


def get_or_create_global_step(graph: Graph | None = None) -> Any:
    """The global step of a graph, made when there is none.

    Args:
        graph: The graph; the default one when None.

    Returns:
        The variable or tensor.
    """
    graph = get_default_graph() if graph is None else graph
    found = get_global_step(graph)
    return create_global_step(graph) if found is None else found


def assert_global_step(global_step_tensor: Any) -> None:
    """Checks that something can be a global step.

    Args:
        global_step_tensor: A variable or tensor.

    Raises:
        TypeError: If it is not a scalar of an integer type.
    """
    if not isinstance(global_step_tensor, (Variable, Tensor)):
        raise TypeError(f'Existing "global_step" must be a Variable or Tensor: {global_step_tensor}.')
    if not global_step_tensor.dtype.base_dtype.is_integer:
        raise TypeError(f'Existing "global_step" does not have integer type: {global_step_tensor.dtype}')
    if global_step_tensor.shape.ndims not in (None, 0):
        raise TypeError(f'Existing "global_step" is not scalar: {global_step_tensor.shape}')
