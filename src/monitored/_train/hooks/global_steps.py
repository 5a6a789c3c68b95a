"""What the hooks that look at the global step have in common."""

from __future__ import annotations

from typing import Any

from monitored._train.global_step import get_global_step

__all__ = ["required_global_step"]


def required_global_step(hook: str) -> Any:
    """The global step of the default graph.

    Fetched together with an update it gives its value before that, so a hook adds one to know where the run led to,
    and reads it again when it matters: another worker, or an optimizer of its own kind, may have added more.

    Args:
        hook: The hook that needs it, for the message.

    Returns:
        The variable or tensor.

    Raises:
        RuntimeError: If the graph has none.
    """
    global_step = get_global_step()
    if global_step is None:
        raise RuntimeError(
            f"Global step should be created to use {hook}. Call tf.train.get_or_create_global_step() when you build "
            "the graph, and give it to Optimizer.minimize(loss, global_step=...)."
        )
    return global_step
