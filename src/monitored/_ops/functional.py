"""`map_fn`, `scan`, `foldl` and `foldr`: a function applied along the first axis of tensors.

Each is a `while_loop` over a `TensorArray` of the rows, as in TensorFlow; XLA gets it as one `lax.scan`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from monitored._graph import nest
from monitored._graph.build import constant, convert_to_tensor
from monitored._graph.operation import Tensor
from monitored._graph.shapes import TensorShape
from monitored._ops import rules
from monitored._ops.array import shape as shape_of
from monitored._ops.tensor_array import TensorArray
from monitored._ops.while_loop import while_loop

__all__ = ["foldl", "foldr", "map_fn", "scan"]


def map_fn(
    fn: Callable[..., Any],
    elems: Any,
    dtype: Any = None,
    parallel_iterations: int | None = None,
    back_prop: bool = True,
    swap_memory: bool = False,
    infer_shape: bool = True,
    name: str | None = None,
) -> Any:
    """Applies a function to each row.

    Args:
        fn: A function of one argument: a row of `elems`, in its structure.
        elems: A tensor, or a nested structure of tensors with the same number of rows, at least of rank 1.
        dtype: The types of what `fn` gives, in its structure; those of `elems` by default.
        parallel_iterations: Accepted as TensorFlow does; XLA runs turns in order.
        back_prop: Accepted as TensorFlow does; whether gradients can be asked for.
        swap_memory: Accepted as TensorFlow does.
        infer_shape: Whether all results must have the same static shape.
        name: A name scope (optional; `map` by default).

    Returns:
        What `fn` gives for the rows, stacked, in its structure.

    Raises:
        TypeError: If `fn` is not callable or gives another structure than `dtype`.
        ValueError: If `elems` holds a scalar.
    """
    _check_callable(fn)
    with _scope(name, "map", elems) as flat:
        rows = _Rows(elems, flat)
        types = elems_types = nest.map_structure(lambda t: t.dtype.base_dtype, nest.pack_sequence_as(elems, flat))
        if dtype is not None:
            types = dtype
        start = constant(0)
        results = [
            TensorArray(t, size=rows.count, dynamic_size=False, infer_shape=infer_shape) for t in nest.flatten(types)
        ]

        def turn(i: Tensor, arrays: list[TensorArray]) -> tuple[Tensor, list[TensorArray]]:
            values = fn(rows.read(i))
            nest.assert_same_structure(elems_types if dtype is None else dtype, values)
            written = [array.write(i, v) for array, v in zip(arrays, nest.flatten(values), strict=True)]
            return i + 1, written

        _, results = while_loop(
            lambda i, _: i < rows.count, turn, (start, results), parallel_iterations=parallel_iterations or 10,
            back_prop=back_prop, swap_memory=swap_memory, maximum_iterations=rows.count,
        )  # fmt: skip
        return nest.pack_sequence_as(types, [rows.stacked(array) for array in results])


def scan(
    fn: Callable[..., Any],
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    infer_shape: bool = True,
    reverse: bool = False,
    name: str | None = None,
) -> Any:
    """Applies a function to an accumulated value and each row in turn, and gives all the values on the way.

    Args:
        fn: A function of what was accumulated before and a row of `elems`.
        elems: A tensor, or a nested structure of tensors with the same number of rows, at least of rank 1.
        initializer: What the first turn gets, in the structure that `fn` gives; by default the first row, with which no
            turn is made.
        parallel_iterations: Accepted as TensorFlow does; XLA runs turns in order.
        back_prop: Accepted as TensorFlow does; whether gradients can be asked for.
        swap_memory: Accepted as TensorFlow does.
        infer_shape: Whether all values must have the same static shape.
        reverse: Whether to begin at the last row.
        name: A name scope (optional; `scan` by default).

    Returns:
        The values after each row, stacked in the order of the rows, in the structure of `initializer` (of `elems` when
        that is None).

    Raises:
        TypeError: If `fn` is not callable, or gives another structure.
        ValueError: If `elems` holds a scalar.
    """
    _check_callable(fn)
    with _scope(name, "scan", elems) as flat:
        rows = _Rows(elems, flat)
        first = (rows.count - 1 if reverse else 0) if initializer is None or reverse else 0
        done = 1 if initializer is None else 0
        given = rows.read(first) if initializer is None else initializer
        values = [convert_to_tensor(leaf) for leaf in nest.flatten(given)]
        given = nest.pack_sequence_as(given, values)
        arrays = [
            TensorArray(
                v.dtype.base_dtype, size=rows.count, dynamic_size=False, infer_shape=infer_shape,
                element_shape=v.shape if infer_shape else None,
            )
            for v in values
        ]  # fmt: skip
        if initializer is None:
            arrays = [array.write(first, v) for array, v in zip(arrays, values, strict=True)]

        def turn(i: Tensor, before: list[Tensor], arrays: list[TensorArray]) -> tuple[Any, ...]:
            new = fn(nest.pack_sequence_as(given, before), rows.read(i))
            nest.assert_same_structure(given, new)
            flat_new = [convert_to_tensor(leaf) for leaf in nest.flatten(new)]
            written = [array.write(i, v) for array, v in zip(arrays, flat_new, strict=True)]
            return (i - 1 if reverse else i + 1), flat_new, written

        start: Any = first - done if reverse else done
        results = while_loop(
            (lambda i, *_: i >= 0) if reverse else (lambda i, *_: i < rows.count), turn, (start, values, arrays),
            parallel_iterations=parallel_iterations, back_prop=back_prop, swap_memory=swap_memory,
            maximum_iterations=rows.count,
        )  # fmt: skip
        return nest.pack_sequence_as(given, [rows.stacked(array) for array in results[2]])


def foldl(
    fn: Callable[..., Any],
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: str | None = None,
) -> Any:
    """Applies a function to an accumulated value and each row in turn, from the first, and gives the last value.

    Args:
        fn: A function of what was accumulated before and a row of `elems`.
        elems: A tensor, or a nested structure of tensors with the same number of rows, at least of rank 1.
        initializer: What the first turn gets; by default the first row, with which no turn is made.
        parallel_iterations: Accepted as TensorFlow does; XLA runs turns in order.
        back_prop: Accepted as TensorFlow does; whether gradients can be asked for.
        swap_memory: Accepted as TensorFlow does.
        name: A name scope (optional; `foldl` by default).

    Returns:
        What the last turn gave.

    Raises:
        TypeError: If `fn` is not callable.
        ValueError: If `elems` holds a scalar.
    """
    _check_callable(fn)
    with _scope(name, "foldl", elems) as flat:
        rows = _Rows(elems, flat)
        start, value = (1, rows.read(0)) if initializer is None else (0, initializer)
        _, result = while_loop(
            lambda i, _: i < rows.count, lambda i, before: (i + 1, fn(before, rows.read(i))),
            (constant(start), value), parallel_iterations=parallel_iterations, back_prop=back_prop,
            swap_memory=swap_memory, maximum_iterations=rows.count,
        )  # fmt: skip
        return result


def foldr(
    fn: Callable[..., Any],
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: str | None = None,
) -> Any:
    """Applies a function to an accumulated value and each row in turn, from the last, and gives the last value.

    Args:
        fn: A function of what was accumulated before and a row of `elems`.
        elems: A tensor, or a nested structure of tensors with the same number of rows, at least of rank 1.
        initializer: What the first turn gets; by default the last row, with which no turn is made.
        parallel_iterations: Accepted as TensorFlow does; XLA runs turns in order.
        back_prop: Accepted as TensorFlow does; whether gradients can be asked for.
        swap_memory: Accepted as TensorFlow does.
        name: A name scope (optional; `foldr` by default).

    Returns:
        What the last turn gave.

    Raises:
        TypeError: If `fn` is not callable.
        ValueError: If `elems` holds a scalar.
    """
    _check_callable(fn)
    with _scope(name, "foldr", elems) as flat:
        rows = _Rows(elems, flat)
        start: Any = rows.count
        value = initializer
        if initializer is None:
            start = rows.count - 1
            value = rows.read(start)

        def turn(i: Tensor, before: Any) -> tuple[Tensor, Any]:
            i = i - 1
            return i, fn(before, rows.read(i))

        _, result = while_loop(
            lambda i, _: i > 0, turn, (start, value), parallel_iterations=parallel_iterations, back_prop=back_prop,
            swap_memory=swap_memory, maximum_iterations=rows.count,
        )  # fmt: skip
        return result


def _check_callable(fn: Any) -> None:
    if not callable(fn):
        raise TypeError("fn must be callable.")


@contextmanager
def _scope(name: str | None, default: str, elems: Any) -> Iterator[list[Tensor]]:
    """The name scope of a function, and its tensors."""
    leaves = nest.flatten(elems)
    with rules.scope(name, default, *leaves):
        yield [convert_to_tensor(leaf, name="elem") for leaf in leaves]


class _Rows:
    """The rows of a structure of tensors, to be read one by one."""

    def __init__(self, elems: Any, flat: list[Tensor]) -> None:
        self._structure = elems
        shape = flat[0].shape
        if shape.ndims == 0:
            if nest.is_nested(elems):
                raise ValueError("elements in elems must be 1+ dimensional Tensors, not scalars")
            raise ValueError("elems must be a 1+ dimensional Tensor, not a scalar")
        self._static = TensorShape([None])
        for tensor in flat:
            self._static = self._static.merge_with(tensor.shape.with_rank_at_least(1)[:1])
        static = shape[0].value if shape.ndims is not None else None
        self.count: Any = shape_of(flat[0])[0] if static is None else static
        self._arrays = [
            TensorArray(t.dtype.base_dtype, size=self.count, dynamic_size=False, infer_shape=True).unstack(t)
            for t in flat
        ]

    def read(self, index: Any) -> Any:
        """One row, in the structure of the whole."""
        return nest.pack_sequence_as(self._structure, [array.read(index) for array in self._arrays])

    def stacked(self, array: TensorArray) -> Tensor:
        """The elements of an array that has one for each row."""
        value = array.stack()
        value.set_shape(self._static.concatenate(value.shape[1:] if value.shape.ndims else TensorShape(None)))
        return value
