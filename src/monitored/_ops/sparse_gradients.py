"""Gradients that touch only some rows of a large tensor."""

from __future__ import annotations

from typing import Any

from monitored._graph import dtypes
from monitored._graph.build import apply
from monitored._graph.constant import constant_value
from monitored._graph.indexed_slices import IndexedSlices
from monitored._graph.operation import Operation

__all__ = ["gather_gradient"]


def gather_gradient(op: Operation, gradient: Any) -> Any:
    """The gradient of a gather along the first axis: the rows that were gathered, and where they belong.

    Args:
        op: A ``GatherV2`` operation.
        gradient: The gradient of its output.

    Returns:
        An `IndexedSlices` for the parameters; NotImplemented along other axes, whose gradient is dense.
    """
    params, indices = op.inputs[0], op.inputs[1]
    axis = constant_value(op.inputs[2])
    if axis is None or axis != 0 or op._attrs["batch_dims"] != 0:
        return NotImplemented
    row = params.shape.sizes[1:] if params.shape.sizes is not None else (None,)
    shape = apply("Shape", params, out_type=dtypes.int32)
    tail: Any = list(row) if None not in row else apply("StridedSlice", shape, [1], [0], [1], end_mask=1)
    sizes = apply("ConcatV2", [[-1], tail], 0, name="concat") if None in row else [-1, *tail]
    values = apply("Reshape", gradient, sizes)
    return [IndexedSlices(values, apply("Reshape", indices, [-1]), shape), None, None]
