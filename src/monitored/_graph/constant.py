"""Values that are known before running: constants, and shape arithmetic on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from monitored._graph.opdef import keywords_of
from monitored._graph.shapes import TensorShape

if TYPE_CHECKING:
    from monitored._graph.operation import Operation, Tensor

Array = np.ndarray[Any, Any]


def fold(op: Operation, index: int, known: Callable[[Tensor], Array | None]) -> Array | None:
    """The value of an output that follows from known inputs, computed with NumPy.

    Args:
        op: The operation.
        index: Which output.
        known: Gives the values of the inputs, None for what is not known.

    Returns:
        The value, or None when it is not known or the op has no NumPy meaning.
    """
    function = op.op_def.fold
    if function is None:
        return None
    values = []
    for tensor in op.inputs:
        value = known(tensor)
        if value is None:
            return None
        values.append(value)
    keywords = {name: op._attrs[name] for name in keywords_of(function)}
    with np.errstate(all="ignore"):
        result = function(*values, **keywords)
    outputs = result if isinstance(result, (tuple, list)) else (result,)
    return np.asarray(outputs[index], op._outputs[index].dtype.as_numpy_dtype)


def shape_value(op: Operation, sizes: tuple[int | None, ...] | None) -> Array | None:
    """The value of a `Shape`, `Size` or `Rank` operation whose input has the given sizes, as far as known."""
    if sizes is None:
        return None
    dtype = op._outputs[0].dtype.as_numpy_dtype
    if op.type == "Rank":
        return np.asarray(len(sizes), dtype)
    if None in sizes:
        return None
    return np.asarray(sizes if op.type == "Shape" else np.prod(sizes, dtype=np.int64), dtype)  # type: ignore[arg-type]


def constant_value(tensor: Any, found: dict[Tensor, Array | None] | None = None) -> Array | None:
    """The value of a tensor if it is known from the graph alone.

    Args:
        tensor: A `Tensor`, or a value that is returned as an array.
        found: What has been found about other tensors; it is added to, so that nothing is looked at twice.

    Returns:
        The value, or None when it depends on feeds, variables or randomness.
    """
    if getattr(tensor, "op", None) is None:
        return np.asarray(tensor)
    return _constant_value(tensor, {} if found is None else found)


def _constant_value(tensor: Tensor, found: dict[Tensor, Array | None]) -> Array | None:
    """As `constant_value`; keeps what it finds on the way, since shape arithmetic uses the same values often.

    It goes from the sources down, without recursion: a counter of an unrolled loop is a long chain.
    """
    pending = [tensor]
    while pending:
        current = pending[-1]
        op = current.op
        if op.type == "Const":
            found[current] = op._attrs["value"]
        elif op.type in ("Shape", "Size", "Rank"):
            found[current] = shape_value(op, op.inputs[0].shape.sizes)
        elif current not in found:
            captured = op.graph._captured_tensor(current)
            sources = (captured,) if captured is not None else op.inputs if op.op_def.fold is not None else ()
            missing = _first_missing(sources, found)
            if missing is not None:
                pending.append(missing)
                continue
            found[current] = fold(op, current.value_index, found.get) if captured is None else found[captured]
        pending.pop()
    return found[tensor]


def _first_missing(tensors: Sequence[Tensor], found: dict[Tensor, Array | None]) -> Tensor | None:
    """The first tensor not looked at yet, unless one before it is known to have no value."""
    for tensor in tensors:
        if tensor not in found:
            return tensor
        if found[tensor] is None:
            return None
    return None


def constant_value_as_shape(tensor: Tensor) -> TensorShape:
    """The shape that a tensor of sizes (``[rank]``, integers) describes, with None for each size not known.

    Args:
        tensor: A vector of sizes, where -1 means unknown.

    Returns:
        As much of the shape as the graph alone tells.
    """
    op = tensor.op
    if op.type == "Shape":
        return op.inputs[0].shape
    value = constant_value(tensor)
    if value is not None:
        return TensorShape([None if v < 0 else int(v) for v in value.ravel()])
    if op.type == "Pack":
        return TensorShape([_size(constant_value(t)) for t in op.inputs])
    if op.type == "ConcatV2":
        shape = TensorShape([])
        for part in op.inputs[:-1]:
            shape = shape.concatenate(constant_value_as_shape(part))
        return shape
    if op.type == "Cast" or op.type == "Identity":
        return constant_value_as_shape(op.inputs[0])
    if op.type == "StridedSlice":
        sliced = _sliced_shape(op)
        if sliced is not None:
            return sliced
    return TensorShape(None if tensor.shape[0].value is None else [None] * tensor.shape[0].value)


def _size(value: Array | None) -> int | None:
    return None if value is None or value < 0 else int(value)


def _sliced_shape(op: Operation) -> TensorShape | None:
    begin, end, step = (constant_value(t) for t in op.inputs[1:4])
    if begin is None or end is None or step is None or len(begin) != 1 or op.get_attr("shrink_axis_mask"):
        return None
    sizes = constant_value_as_shape(op.inputs[0]).sizes
    if sizes is None:
        return None
    start = None if op.get_attr("begin_mask") else int(begin[0])
    stop = None if op.get_attr("end_mask") else int(end[0])
    return TensorShape(sizes[start : stop : int(step[0])])
