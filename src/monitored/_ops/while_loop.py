"""`while_loop`: a body run again and again. What it means to XLA is in `monitored._ops.while_lowering`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from monitored._graph import build, dtypes, nest
from monitored._graph.func_graph import FuncGraph
from monitored._graph.graph import Graph, get_default_graph
from monitored._graph.operation import Tensor
from monitored._graph.shapes import TensorShape, as_shape
from monitored._ops import while_lowering as _while_lowering  # noqa: F401  # the op type
from monitored._ops.control_flow import as_predicate

__all__ = ["while_loop"]


def while_loop(
    cond: Callable[..., Any],
    body: Callable[..., Any],
    loop_vars: Any,
    shape_invariants: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: str | None = None,
    maximum_iterations: Any = None,
    return_same_structure: bool = False,
) -> Any:
    """Repeats `body` while `cond` is true.

    Args:
        cond: ``cond(*loop_vars)`` gives a scalar boolean tensor.
        body: ``body(*loop_vars)`` gives new values, in the structure of `loop_vars`.
        loop_vars: The initial values: a list or tuple, each a tensor, a `TensorArray` or a nested structure of them.
        shape_invariants: Shapes that hold for all turns, in the structure of `loop_vars`; by default the shapes
            of the initial values.
        parallel_iterations: Accepted as TensorFlow does; XLA runs turns in order.
        back_prop: Accepted as TensorFlow does; whether gradients can be asked for.
        swap_memory: Accepted as TensorFlow does.
        name: A name scope.
        maximum_iterations: A limit on the number of turns: an integer or a scalar tensor.
        return_same_structure: Whether a single loop variable comes back in its list.

    Returns:
        The values after the last turn, in the structure of `loop_vars`; a lone one without its list unless
        `return_same_structure`.

    Raises:
        TypeError: If `cond` or `body` is not callable, or a value changes its type.
        ValueError: If there are no loop variables, the structure changes, or a shape is not invariant.
    """
    if not callable(cond):
        raise TypeError("cond must be callable.")
    if not callable(body):
        raise TypeError("body must be callable.")
    if parallel_iterations < 1:
        raise TypeError("parallel_iterations must be a positive integer.")
    if not loop_vars:
        raise ValueError("No loop variables provided")
    graph = get_default_graph()
    with graph.name_scope(name or "while") as scope:
        structure: Any = loop_vars
        initial = [build.convert_to_tensor(leaf) for leaf in nest.flatten(loop_vars)]
        shapes = _invariants(shape_invariants, initial)
        if maximum_iterations is not None:
            cond, body, structure, initial, shapes = _limited(
                cond, body, loop_vars, initial, shapes, maximum_iterations
            )
        condition, turn = _traced(graph, scope, cond, body, structure, initial, shapes)
        captures = list(dict.fromkeys((*condition.captured, *turn.captured)))
        for part in (condition, turn):
            part.take_in_order(captures)
        inputs = [*initial, *captures]
        op = graph.create_op(
            "While",
            inputs,
            name="While",
            attrs={
                "T": [t.dtype.base_dtype for t in inputs],
                "Tout": [t.dtype.base_dtype for t in initial],
                "cond": condition,
                "body": turn,
                "output_shapes": shapes,
                "parallel_iterations": parallel_iterations,
            },
        )
    results = op.outputs
    if maximum_iterations is not None:
        results = results[1:]
    packed = nest.pack_sequence_as(loop_vars, results)
    if not return_same_structure and len(packed) == 1:
        return packed[0]
    return packed


def _invariants(shape_invariants: Any, initial: list[Tensor]) -> list[TensorShape]:
    if shape_invariants is None:
        return [t.shape for t in initial]
    shapes = [as_shape(s) for s in _flat_shapes(shape_invariants)]
    if len(shapes) != len(initial):
        raise ValueError("'shape_invariants' does not have the same structure as 'loop_vars'.")
    for shape, tensor in zip(shapes, initial, strict=True):
        if not shape.is_compatible_with(tensor.shape):
            raise ValueError(
                f"The shape invariant specified for {tensor.name} is not compatible with the initial shape of the "
                f"loop variable. It enters the loop with shape {tensor.shape}, but the specified shape invariant is "
                f"{shape}."
            )
    return shapes


def _flat_shapes(structure: Any) -> list[Any]:
    if isinstance(structure, (TensorShape, type(None))):
        return [structure]
    if isinstance(structure, dict):
        return [s for key in sorted(structure) for s in _flat_shapes(structure[key])]
    return [s for child in structure for s in _flat_shapes(child)]


def _limited(
    cond: Callable[..., Any], body: Callable[..., Any], loop_vars: Any, initial: Any, shapes: Any, limit: Any
) -> tuple[Any, Any, Any, Any, Any]:
    """The same loop with a counter of turns in front."""
    limit = build.convert_to_tensor(limit, dtypes.int32, name="maximum_iterations")
    if limit.shape.ndims not in (None, 0):
        raise ValueError(f"maximum_iterations must be a scalar, saw shape: {limit.shape}")
    counter = build.constant(0, dtypes.int32, name="iteration_counter")

    def limited_cond(turn: Tensor, values: Any) -> Tensor:
        goes_on = as_predicate(cond(*values), "What `cond` gives", "the condition of a loop")
        result: Tensor = build.apply("LogicalAnd", build.apply("Less", turn, limit), goes_on)
        return result

    def limited_body(turn: Tensor, values: Any) -> tuple[Tensor, Any]:
        return turn + 1, body(*values)

    structure = (counter, loop_vars)
    return limited_cond, limited_body, structure, [counter, *initial], [counter.shape, *shapes]


def _traced(
    graph: Graph,
    scope: str,
    cond: Callable[..., Any],
    body: Callable[..., Any],
    structure: Any,
    initial: list[Tensor],
    shapes: list[TensorShape],
) -> tuple[FuncGraph, FuncGraph]:
    condition, turn = FuncGraph(f"{scope}cond", graph), FuncGraph(f"{scope}body", graph)
    for part, function in ((condition, cond), (turn, body)):
        with part.as_default():
            arguments = [
                part.add_argument(t.dtype.base_dtype, shape, t.op.name.rpartition("/")[2])
                for t, shape in zip(initial, shapes, strict=True)
            ]
            result = function(*nest.pack_sequence_as(structure, arguments))
            if part is condition:
                part.outputs = [as_predicate(result, "Input 'input' of 'LoopCond' Op", f"'{scope}LoopCond'")]
            else:
                part.outputs = _new_values(result, structure, initial, shapes)
    return condition, turn


def _new_values(result: Any, structure: Any, initial: list[Tensor], shapes: list[TensorShape]) -> list[Tensor]:
    if not isinstance(result, (list, tuple)) or (len(structure) == 1 and not nest.is_nested(result)):
        result = [result]
    leaves = nest.flatten(result)
    if len(leaves) != len(initial):
        raise ValueError(
            f"The two structures don't have the same number of elements: the loop variables {structure} and what "
            f"the body returned, {result}."
        )
    outputs = []
    for leaf, first, shape in zip(leaves, initial, shapes, strict=True):
        value = build.convert_to_tensor(leaf, preferred_dtype=first.dtype.base_dtype)
        if value.dtype.base_dtype != first.dtype.base_dtype:
            raise TypeError(
                f"The loop variable {first.name} is of type {first.dtype.base_dtype.name}, but the body returned "
                f"{value.dtype.base_dtype.name} for it."
            )
        if not _at_least_as_known(value.shape, shape):
            raise ValueError(
                f"Input tensor '{first.name}' enters the loop with shape {shape}, but has shape {value.shape} after "
                "one iteration. To allow the shape to vary across iterations, use the `shape_invariants` argument of "
                "tf.while_loop to specify a less-specific shape."
            )
        outputs.append(build.apply("Identity", value))
    return outputs


def _at_least_as_known(shape: TensorShape, invariant: TensorShape) -> bool:
    if invariant.sizes is None:
        return True
    return (
        shape.sizes is not None
        and len(shape.sizes) == len(invariant.sizes)
        and all(wanted is None or size == wanted for size, wanted in zip(shape.sizes, invariant.sizes, strict=True))
    )
