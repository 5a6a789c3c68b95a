"""Which saver a hook saves with."""

from __future__ import annotations

from typing import Any

from monitored._graph.collections import GraphKeys
from monitored._graph.graph import get_default_graph

__all__ = ["saver_for"]


def saver_for(hook: str, saver: Any, scaffold: Any) -> Any:
    """The saver that a hook was given, itself or in a scaffold, or the one in the graph's collection.

    Args:
        hook: The hook's class, for messages.
        saver: The saver that it was given, or None.
        scaffold: The `Scaffold` that it was given, or None.

    Returns:
        The saver.

    Raises:
        RuntimeError: If there is none, or there are several to choose from.
    """
    if saver is not None:
        return saver
    if scaffold is not None:
        if scaffold.saver is None:
            raise RuntimeError(
                f"The scaffold given to {hook} has no saver. Give the same scaffold to the session, which completes "
                "it: SingularMonitoredSession(hooks=[...], scaffold=scaffold)."
            )
        return scaffold.saver
    savers = get_default_graph().get_collection(GraphKeys.SAVERS)
    if not savers:
        raise RuntimeError(
            f"No items in collection {GraphKeys.SAVERS}. Please add a saver to the collection or provide a saver or "
            "scaffold."
        )
    if len(savers) > 1:
        raise RuntimeError(
            f"More than one item in collection {GraphKeys.SAVERS}. Please indicate which one to use by passing it to "
            "the constructor."
        )
    return savers[0]
