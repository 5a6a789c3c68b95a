"""The scopes of the default graph, as module-level functions."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from monitored._graph.graph import get_default_graph


def name_scope(name: str | None, default_name: str | None = None, values: Any = None) -> AbstractContextManager[str]:
    """Prefixes the names of operations made within the block.

    Args:
        name: The scope's name.
        default_name: The name when `name` is None.
        values: Tensors that the block uses (accepted as TensorFlow does).

    Returns:
        A context manager that gives the full scope, ending with ``/``.

    Raises:
        TypeError: If `default_name` is no string.
    """
    if default_name is not None and not isinstance(default_name, str):
        raise TypeError(
            f"`default_name` type ({type(default_name)}) is not a string type. You likely meant to pass this into the "
            "`values` kwarg."
        )
    if name is None and default_name is None and values is not None:
        raise ValueError("At least one of name (None) and default_name (None) must be provided.")
    return get_default_graph().name_scope(default_name if name is None else name)


def control_dependencies(control_inputs: Any) -> AbstractContextManager[None]:
    """Makes operations created within the block run after the given ones, in the default graph.

    Args:
        control_inputs: Operations, tensors or variables; None clears all dependencies around.

    Returns:
        A context manager.
    """
    return get_default_graph().control_dependencies(control_inputs)


def container(container_name: str) -> AbstractContextManager[str]:
    """Names the container of the variables and queues made within the block, in the default graph.

    Args:
        container_name: The name; see `Graph.container`.

    Returns:
        A context manager.
    """
    return get_default_graph().container(container_name)


def device(device_name_or_function: Any) -> AbstractContextManager[None]:
    """Asks for a device for the operations made within the block, in the default graph.

    Args:
        device_name_or_function: A name such as ``'/cpu:0'``, a `DeviceSpec`, a function or None; see `Graph.device`.

    Returns:
        A context manager.
    """
    return get_default_graph().device(device_name_or_function)


def colocate_with(op: Any, ignore_existing: bool = False) -> AbstractContextManager[None]:
    """Places operations made within the block on the device of another, in the default graph.

    Args:
        op: An operation or tensor.
        ignore_existing: See `Graph.colocate_with`.

    Returns:
        A context manager.
    """
    return get_default_graph().colocate_with(op, ignore_existing)
