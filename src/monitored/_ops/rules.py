"""What the families of ops share: name scopes for functions of several ops, and the wording of shape errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from monitored._graph.build import apply, graph_for
from monitored._graph.operation import Operation, Tensor
from monitored._graph.shapes import TensorShape


@contextmanager
def scope(name: str | None, default: str, *values: Any) -> Iterator[str]:
    """A name scope for a function that adds several operations.

    Args:
        name: The name that the caller gave.
        default: The name when there is none.
        values: The function's tensors: the scope is entered in their graph, which becomes the default one.

    Yields:
        The full scope with a slash at its end: the name for the operation that stands for the whole.
    """
    graph = graph_for(values)
    with graph.as_default(), graph.name_scope(name or default) as full:
        yield full


def call(op_type: str, *args: Any, name: str | None = None, **attrs: Any) -> Tensor:
    """Adds an operation that has one output to the graph; see `monitored._graph.build.apply`."""
    result: Tensor = apply(op_type, *args, name=name, **attrs)
    return result


def misfit(op: Operation, problem: str) -> ValueError:
    """The error for an operation that does not fit its inputs' shapes.

    Args:
        op: The operation.
        problem: What is wrong.

    Returns:
        A ValueError that names the op, its input shapes and where it was created.
    """
    shapes = ", ".join(str(t.shape) for t in op.inputs)
    return ValueError(
        f"{problem} for '{op.name}' (op: '{op.type}') with input shapes: {shapes}. Created at {op.creation_site}."
    )


def with_rank(op: Operation, index: int, rank: int) -> tuple[int | None, ...]:
    """The sizes of an input that must have a given rank; all unknown where its rank is.

    Raises:
        ValueError: If it has another rank.
    """
    sizes = op._inputs[index]._shape._sizes
    if sizes is None:
        return (None,) * rank
    if len(sizes) != rank:
        raise misfit(op, f"Shape must be rank {rank} but is rank {len(sizes)} (input {index})")
    return sizes


def merged(op: Operation, shapes: list[TensorShape]) -> TensorShape:
    """The most that is known of a shape that several inputs share.

    Raises:
        ValueError: If they contradict each other.
    """
    result = shapes[0]
    for shape in shapes[1:]:
        if shape._sizes != result._sizes:
            try:
                result = result.merge_with(shape)
            except ValueError:
                raise misfit(op, f"Shapes must be equal, but are {result} and {shape}") from None
    return result


def axis_of(op: Operation, axis: int, rank: int) -> int:
    """An axis counted from the front.

    Raises:
        ValueError: If it is out of range.
    """
    if not -rank <= axis < rank:
        raise misfit(op, f"Axis {axis} is not in the range [{-rank}, {rank})")
    return axis % rank if rank else 0


def either(name: str, value: Any, old_name: str, old_value: Any) -> Any:
    """The value of an argument that has an old name too.

    Raises:
        ValueError: If both are given.
    """
    if old_value is None:
        return value
    if value is not None:
        raise ValueError(f"Cannot specify both '{old_name}' and '{name}'")
    return old_value
