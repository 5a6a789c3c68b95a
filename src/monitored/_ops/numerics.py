"""Checking that numbers are finite."""

from __future__ import annotations

from typing import Any

import numpy as np

from monitored import errors
from monitored._graph import infer
from monitored._graph.opdef import REQUIRED, define
from monitored._graph.operation import Operation, Tensor
from monitored._ops.lift import FLOAT, of_types
from monitored._ops.rules import call


def _check(context: Any, op: Operation, value: Any) -> tuple[Any]:
    found = [word for word, bad in (("Inf", np.isinf(value)), ("NaN", np.isnan(value))) if bad.any()]
    if found:
        message = op._attrs["message"]
        text = message.decode() if isinstance(message, bytes) else message
        raise errors.InvalidArgumentError(op.node_def, op, f"{text} : Tensor had {' and '.join(found)} values")
    return (value,)


define(
    "CheckNumerics", "tensor:T -> output:T", host=_check, infer=of_types(FLOAT, infer.unchanged),
    grad=lambda op, gradient: [gradient], message=REQUIRED,
)  # fmt: skip


def check_numerics(tensor: Any, message: str, name: str | None = None) -> Tensor:
    """A tensor with the value of another, if that is finite everywhere.

    Args:
        tensor: A tensor of a floating point type.
        message: What to say when it is not: a run raises InvalidArgumentError with it.
        name: A name for the operation (optional; `CheckNumerics` by default).

    Returns:
        A tensor of the same type and shape.
    """
    return call("CheckNumerics", tensor, name=name, message=message)


__all__ = ["check_numerics"]
