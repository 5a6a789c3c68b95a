"""`count_up_to`: a variable that counts, and ends the input when it has reached a limit."""

from __future__ import annotations

from typing import Any

import numpy as np

from monitored import errors
from monitored._graph import infer
from monitored._graph.build import apply
from monitored._graph.opdef import REQUIRED, define
from monitored._graph.operation import Operation, Tensor

__all__ = ["count_up_to"]


def _count(context: Any, op: Operation, variable: Operation) -> tuple[Any]:
    store, limit = context.store, op._attrs["limit"]
    with store.lock:  # several queue runners may count at once
        count = store.read_one(variable)[()]
        if count >= limit:
            raise errors.OutOfRangeError(None, op, f"Reached limit of {limit}")
        store.load({variable: store.place([np.asarray(count + 1, count.dtype)])[0]})
    return (count,)


# XLA cannot raise the error, so the counting is done on the host.
define("CountUpTo", "ref:&T -> output:T", host=_count, infer=infer.unchanged, stateful=True, limit=REQUIRED)


def count_up_to(ref: Any, limit: int, name: str | None = None) -> Tensor:
    """Adds one to a variable, unless it has reached a limit.

    Args:
        ref: An integer scalar variable.
        limit: The value at which running it raises `errors.OutOfRangeError`.
        name: A name for the operation.

    Returns:
        The value before.
    """
    result: Tensor = apply("CountUpTo", ref, name=name, limit=int(limit))
    return result
