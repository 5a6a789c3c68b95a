"""Static shapes of an operation's outputs: the common rules, and the default by abstract evaluation.

Tracing a lowering costs about 200 µs, so its results are kept for each type, attributes and input shapes, and the
families of which graphs are mostly made have rules of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from monitored._graph.constant import constant_value
from monitored._graph.shapes import TensorShape, broadcast_shape, unknown_shape

if TYPE_CHECKING:
    from monitored._graph.operation import Operation

_PROBES: Final = (
    61,
    67,
)  # sizes that stand for unknown dimensions; where the results differ, they are unknown
_MEMO: dict[Any, tuple[TensorShape, ...]] = {}


def infer_shapes(op: Operation) -> tuple[TensorShape, ...]:
    """The static shapes of the outputs.

    Raises:
        ValueError: If the inputs' shapes contradict what the op needs.
    """
    definition = op.op_def
    count = len(op._outputs)
    if definition.infer is not None:
        result = definition.infer(op)
        return (result,) if isinstance(result, TensorShape) else tuple(result)
    if definition.updates:
        return tuple(op.inputs[i].shape for i in definition.updates)[:count]
    if definition.lower is None or not count:
        return (TensorShape(None),) * count
    return traced(op)


def traced(op: Operation) -> tuple[TensorShape, ...]:
    """The shapes that abstract evaluation of the lowering gives."""
    definition = op.op_def
    shapes = [t.shape.sizes for t in op.inputs]
    statics: dict[int, Any] = {}
    for position in range(len(op.inputs)):
        if _is_static(definition.static, position, len(op.inputs)):
            value = constant_value(op.inputs[position])
            if value is None:
                return (TensorShape(None),) * len(op._outputs)
            statics[position] = value
    if any(s is None for i, s in enumerate(shapes) if i not in statics):
        return (TensorShape(None),) * len(op._outputs)
    attrs = {name: op._attrs[name] for name in definition.lower_attrs}
    key = (
        definition.type,
        tuple(shapes),
        tuple(t.dtype for t in op.inputs),
        tuple((i, v.tobytes(), v.shape) for i, v in statics.items()),
        repr(attrs),
    )
    known = _MEMO.get(key)
    if known is None:
        known = _MEMO[key] = _trace(op, shapes, statics, attrs)
    return known


def _is_static(static: frozenset[int], position: int, count: int) -> bool:
    return position in static or position - count in static


def _trace(op: Operation, shapes: list[Any], statics: dict[int, Any], attrs: dict[str, Any]) -> tuple[TensorShape, ...]:
    has_unknown = any(None in s for i, s in enumerate(shapes) if i not in statics)
    found: list[list[tuple[int, ...]]] = []
    for probe in _PROBES if has_unknown else _PROBES[:1]:
        sizes = [tuple(probe if d is None else d for d in s or ()) for s in shapes]
        try:
            found.append(_abstract(op, sizes, statics, attrs))
        except (TypeError, ValueError, IndexError, ZeroDivisionError) as error:
            if has_unknown:  # a stand-in size may clash with a known one where the real size would not
                return (TensorShape(None),) * len(op._outputs)
            given = ", ".join(str(t.shape) for t in op.inputs)
            raise ValueError(f"Shapes {given} do not fit '{op.name}' (op: '{op.type}'): {error}") from error
    if len(found) == 1:
        return tuple(TensorShape(s) for s in found[0])
    return tuple(
        TensorShape([a if a == b else None for a, b in zip(one, two, strict=True)])
        for one, two in zip(*found, strict=True)
    )


def _abstract(op: Operation, sizes: list[Any], statics: dict[int, Any], attrs: dict[str, Any]) -> list[Any]:
    import jax

    abstract: Any = jax.ShapeDtypeStruct
    lower = op.op_def.lower
    assert lower is not None
    dynamic = [i for i in range(len(sizes)) if i not in statics]

    def call(*arrays: Any) -> Any:
        given = dict(zip(dynamic, arrays, strict=True)) | statics
        inputs = [given[i] for i in range(len(sizes))]
        if op.op_def.random:
            inputs.insert(0, jax.random.key(0))
        return lower(*inputs, **attrs)

    with jax.enable_x64(True):
        result = jax.eval_shape(
            call,
            *(abstract(sizes[i], np.dtype(op.inputs[i].dtype.as_numpy_dtype)) for i in dynamic),
        )
    return [tuple(r.shape) for r in (result if isinstance(result, (tuple, list)) else (result,))]


def unchanged(op: Operation) -> TensorShape:
    """The shape of the first input: elementwise functions of one operand."""
    return op.inputs[0].shape


def broadcast(op: Operation) -> TensorShape:
    """The broadcast shape of two operands.

    Raises:
        ValueError: If they cannot be broadcast together.
    """
    try:
        return broadcast_shape(op.inputs[0].shape, op.inputs[1].shape)
    except ValueError:
        left, right = op.inputs[0].shape, op.inputs[1].shape
        raise ValueError(
            f"Dimensions must be equal, but the shapes {left} and {right} of the operands of '{op.name}' "
            f"(op: '{op.type}') cannot be broadcast together. Created at {op.creation_site}."
        ) from None


def scalar(op: Operation) -> TensorShape:
    """A scalar."""
    return TensorShape([])


def reduced(op: Operation) -> TensorShape:
    """The shape after a reduction of input 0 over the axes in input 1 (attribute ``keep_dims``)."""
    shape, axes = op.inputs[0].shape, constant_value(op.inputs[1])
    rank = shape.ndims
    keep = op.get_attr("keep_dims")
    if rank is None or axes is None:
        return unknown_shape(rank if keep else None)
    gone = set()
    for axis in axes.ravel():
        if not -rank <= axis < rank:
            raise ValueError(f"Invalid reduction dimension {axis} for input with {rank} dimensions in '{op.name}'.")
        gone.add(int(axis) % rank)
    sizes = shape.as_list()
    if keep:
        return TensorShape([1 if i in gone else s for i, s in enumerate(sizes)])
    return TensorShape([s for i, s in enumerate(sizes) if i not in gone])
