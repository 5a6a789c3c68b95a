"""The functions behind Python's operators on tensors and variables; see `monitored._graph.operators`."""

from __future__ import annotations

import sys
from typing import Any

from monitored._graph.build import apply, convert_to_tensor
from monitored._graph.operators import Operators
from monitored._ops.linalg import matmul as _matmul
from monitored._ops.math import abs as absolute
from monitored._ops.math import logical_xor as _logical_xor
from monitored._ops.math import operator_divide
from monitored._ops.rules import scope
from monitored._ops.slice_assign import assign_slice
from monitored._ops.slicing import slice_helper

Operators._functions = sys.modules[__name__]


def binary(op_type: str, name: str, left: Any, right: Any) -> Any:
    """An operator of two operands: what is no tensor takes the other's type.

    Args:
        op_type: The type of the operation.
        name: Its name.
        left: The left operand.
        right: The right operand.

    Returns:
        The result, or NotImplemented when the right operand is of a foreign type that knows the operator itself.
    """
    return apply(op_type, left, right, name=name)


def true_divide(left: Any, right: Any) -> Any:
    """Python's ``/``: integers are divided in floating point."""
    return operator_divide(left, right)


def matmul(left: Any, right: Any) -> Any:
    """Python's ``@``."""
    with scope(None, "matmul", left, right) as full:
        like = left if hasattr(left, "graph") else right
        left = convert_to_tensor(left, name="x", preferred_dtype=like.dtype.base_dtype)
        right = convert_to_tensor(right, name="y", preferred_dtype=like.dtype.base_dtype)
        return _matmul(left, right, name=full)


def logical_xor(left: Any, right: Any) -> Any:
    """Python's ``^``."""
    with scope(None, "xor", left, right) as full:
        return _logical_xor(left, right, name=full)


__all__ = ["absolute", "apply", "assign_slice", "binary", "logical_xor", "matmul", "slice_helper", "true_divide"]
