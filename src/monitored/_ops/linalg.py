"""Products of matrices: `matmul`, `tensordot`, `einsum`, and what is made of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from monitored._graph.build import apply, convert_to_tensor
from monitored._graph.constant import constant_value
from monitored._graph.opdef import REQUIRED, define
from monitored._graph.operation import Operation, Tensor
from monitored._graph.shapes import TensorShape, broadcast_shape
from monitored._ops import rules
from monitored._ops.array import expand_dims, reshape, squeeze, transpose
from monitored._ops.array import rank as rank_of
from monitored._ops.array import shape as shape_of
from monitored._ops.gathering import gather
from monitored._ops.joining import concat, stack
from monitored._ops.lift import SIGNED, of_types
from monitored._ops.reductions import reduce_prod
from monitored._ops.rules import call

# -- rules for shapes ---------------------------------------------------------------------------------------


def _product_shape(op: Operation) -> TensorShape:
    a, b = rules.with_rank(op, 0, 2), rules.with_rank(op, 1, 2)
    if op._attrs["transpose_a"]:
        a = a[::-1]
    if op._attrs["transpose_b"]:
        b = b[::-1]
    if a[1] != b[0] and a[1] is not None and b[0] is not None:
        raise rules.misfit(op, f"Dimensions must be equal, but are {a[1]} and {b[0]}")
    return TensorShape((a[0], b[1]))


def _batch_product_shape(op: Operation) -> TensorShape:
    x, y = (t._shape._sizes for t in op._inputs)
    for index, sizes in enumerate((x, y)):
        if sizes is not None and len(sizes) < 2:
            raise rules.misfit(op, f"Shape must be at least rank 2 but is rank {len(sizes)} (input {index})")
    if x is None or y is None:
        return TensorShape(None)
    rows, inner = x[-2:][::-1] if op._attrs["adj_x"] else x[-2:]
    other, columns = y[-2:][::-1] if op._attrs["adj_y"] else y[-2:]
    if inner != other and inner is not None and other is not None:
        raise rules.misfit(op, f"Dimensions must be equal, but are {inner} and {other}")
    try:
        batch = broadcast_shape(TensorShape(x[:-2]), TensorShape(y[:-2]))
    except ValueError:
        raise rules.misfit(op, f"Dimensions must be equal, but the batches are {x[:-2]} and {y[:-2]}") from None
    return batch.concatenate([rows, columns])


def _einsum_shape(op: Operation) -> TensorShape:
    inputs, output = _letters(op._attrs["equation"])
    sizes: dict[str, int | None] = {}
    for letters, tensor in zip(inputs, op._inputs, strict=True):
        for letter, size in zip(letters, rules.with_rank(op, op._inputs.index(tensor), len(letters)), strict=True):
            known = sizes.get(letter)
            if known is not None and size not in (None, known):
                raise rules.misfit(op, f"Expected dimension {known} at axis '{letter}' but got dimension {size}")
            sizes[letter] = known if size is None else size
    return TensorShape([sizes[letter] for letter in output])


# -- meanings -----------------------------------------------------------------------------------------------


def _matmul(a: Any, b: Any, *, transpose_a: bool, transpose_b: bool) -> Any:
    return lax.dot_general(a, b, (((0 if transpose_a else 1,), (1 if transpose_b else 0,)), ((), ())))


def _batch_matmul(x: Any, y: Any, *, adj_x: bool, adj_y: bool) -> Any:
    x = jnp.conj(jnp.swapaxes(x, -1, -2)) if adj_x else x
    y = jnp.conj(jnp.swapaxes(y, -1, -2)) if adj_y else y
    return jnp.matmul(x, y)


def _einsum(*inputs: Any, equation: Any) -> Any:
    text = equation.decode() if isinstance(equation, bytes) else equation
    return jnp.einsum(text, *inputs)


define(
    "MatMul", "a:T b:T -> product:T", _matmul, infer=of_types(SIGNED, _product_shape), transpose_a=False,
    transpose_b=False,
)  # fmt: skip
for _type in ("BatchMatMulV2", "BatchMatMul"):
    define(
        _type, "x:T y:T -> output:T", _batch_matmul, infer=of_types(SIGNED, _batch_product_shape), adj_x=False,
        adj_y=False,
    )  # fmt: skip
define("Einsum", "inputs:N*T -> output:T", _einsum, infer=_einsum_shape, equation=REQUIRED)


def matmul(
    a: Any,
    b: Any,
    transpose_a: bool = False,
    transpose_b: bool = False,
    adjoint_a: bool = False,
    adjoint_b: bool = False,
    a_is_sparse: bool = False,
    b_is_sparse: bool = False,
    name: str | None = None,
) -> Tensor:
    """The product of matrices.

    Args:
        a: A tensor ``[..., m, k]`` of numbers.
        b: A tensor ``[..., k, n]`` of the same type. The axes before the last two broadcast.
        transpose_a: Whether `a` is transposed first: it is ``[..., k, m]`` then.
        transpose_b: Whether `b` is transposed first.
        adjoint_a: Whether `a` is transposed and conjugated first.
        adjoint_b: Whether `b` is transposed and conjugated first.
        a_is_sparse: Accepted as TensorFlow does.
        b_is_sparse: Accepted as TensorFlow does.
        name: A name for the operation (optional; `MatMul` by default).

    Returns:
        A tensor ``[..., m, n]``.

    Raises:
        TypeError: If the types differ.
        ValueError: If the shapes do not fit, or a matrix is to be both transposed and adjoint.
    """
    with rules.scope(name, "MatMul", a, b) as full:
        if transpose_a and adjoint_a:
            raise ValueError("Only one of transpose_a and adjoint_a can be True.")
        if transpose_b and adjoint_b:
            raise ValueError("Only one of transpose_b and adjoint_b can be True.")
        a = convert_to_tensor(a, name="a", preferred_dtype=getattr(b, "dtype", None))
        b = convert_to_tensor(b, name="b", preferred_dtype=a.dtype.base_dtype)
        result: Tensor
        if any(t.shape.ndims is None or t.shape.ndims > 2 for t in (a, b)):
            x, y = (_conjugated(a, transpose_a), _conjugated(b, transpose_b))
            result = apply(
                "BatchMatMulV2", x, y, name=full, adj_x=transpose_a or adjoint_a, adj_y=transpose_b or adjoint_b
            )
        else:
            x, y = (_conjugated(a, adjoint_a), _conjugated(b, adjoint_b))
            result = apply(
                "MatMul", x, y, name=full, transpose_a=transpose_a or adjoint_a, transpose_b=transpose_b or adjoint_b
            )
        return result


def _conjugated(x: Tensor, wanted: bool) -> Tensor:
    if not (wanted and x.dtype.is_complex):
        return x
    return call("Conj", x)


def matvec(
    a: Any,
    b: Any,
    transpose_a: bool = False,
    adjoint_a: bool = False,
    a_is_sparse: bool = False,
    b_is_sparse: bool = False,
    name: str | None = None,
) -> Tensor:
    """The product of matrices and vectors.

    Args:
        a: A tensor ``[..., m, k]``.
        b: A tensor ``[..., k]`` of the same type.
        transpose_a: Whether `a` is transposed first.
        adjoint_a: Whether `a` is transposed and conjugated first.
        a_is_sparse: Accepted as TensorFlow does.
        b_is_sparse: Accepted as TensorFlow does.
        name: A name for the operations (optional; `MatVec` by default).

    Returns:
        A tensor ``[..., m]``.

    Raises:
        ValueError: If the shapes do not fit.
    """
    with rules.scope(name, "MatVec", a, b):
        columns = expand_dims(b, -1)
        product = matmul(a, columns, transpose_a=transpose_a, adjoint_a=adjoint_a)
        return squeeze(product, axis=-1)


def matrix_transpose(a: Any, name: str = "matrix_transpose", conjugate: bool = False) -> Tensor:
    """Matrices with their last two axes exchanged.

    Args:
        a: A tensor ``[..., m, n]``.
        name: A name for the operations.
        conjugate: Whether complex elements are conjugated too.

    Returns:
        A tensor ``[..., n, m]``.

    Raises:
        ValueError: If `a` has fewer than two axes.
    """
    with rules.scope(name, "matrix_transpose", a):
        a = convert_to_tensor(a, name="a")
        rank = a.shape.ndims
        if rank is not None:
            if rank < 2:
                raise ValueError(f"Argument 'a' should be a (batch) matrix with rank >= 2. Found: {a.shape}")
            return transpose(a, [*range(rank - 2), rank - 1, rank - 2], conjugate=conjugate)
        count = rank_of(a)
        outer = apply("Range", 0, count - 2, 1)
        return transpose(a, concat([outer, [count - 1, count - 2]], 0), conjugate=conjugate)


def adjoint(matrix: Any, name: str | None = None) -> Tensor:
    """Matrices transposed and conjugated.

    Args:
        matrix: A tensor ``[..., m, n]``.
        name: A name for the operations (optional; `adjoint` by default).

    Returns:
        A tensor ``[..., n, m]``.

    Raises:
        ValueError: If `matrix` has fewer than two axes.
    """
    with rules.scope(name, "adjoint", matrix):
        return matrix_transpose(convert_to_tensor(matrix, name="matrix"), conjugate=True)


def tensordot(a: Any, b: Any, axes: Any, name: str | None = None) -> Tensor:
    """The product of tensors, summed over axes of both.

    Args:
        a: A tensor of a floating point type.
        b: A tensor of the same type.
        axes: How many axes: the last of `a` and the first of `b`. Or a pair: the axes of `a` and those of `b`.
        name: A name for the operations (optional; `Tensordot` by default).

    Returns:
        A tensor with the other axes of `a`, then those of `b`.

    Raises:
        ValueError: If the axes do not fit, or are not known.
    """
    with rules.scope(name, "Tensordot", a, b, axes) as full:
        a, b = convert_to_tensor(a, name="a"), convert_to_tensor(b, name="b")
        a_axes, b_axes = _axes_of(a, b, axes)
        left, outer_a, free_a = _as_matrix(a, a_axes, False)
        right, outer_b, free_b = _as_matrix(b, b_axes, True)
        product = matmul(left, right)
        if isinstance(outer_a, list) and isinstance(outer_b, list):
            return reshape(product, np.asarray(outer_a + outer_b, np.int32), name=full)
        result = reshape(product, concat([outer_a, outer_b], 0), name=full)
        if free_a is not None and free_b is not None:
            result.set_shape(free_a + free_b)
        return result


def _axes_of(a: Tensor, b: Tensor, axes: Any) -> tuple[Any, Any]:
    if isinstance(axes, Tensor):
        axes = constant_value(axes)
        if axes is None:
            raise ValueError("The axes of tensordot must be known when the graph is built.")
        axes = axes.tolist()
    if isinstance(axes, (int, np.integer)):
        if axes < 0:
            raise ValueError("'axes' must be at least 0.")
        rank = a.shape.ndims
        if rank is None:
            count = rank_of(a)
            free = apply("Range", count - int(axes), count, 1, name="range")
            return free, apply("Range", 0, int(axes), 1, name="range")
        if axes > rank:
            raise ValueError(f"'axes' must not be larger than the number of dimensions of tensor {a}.")
        return list(range(rank - axes, rank)), list(range(axes))
    if len(axes) != 2:
        raise ValueError("'axes' must be an integer or have length 2.")
    pair = [[int(x)] if isinstance(x, (int, np.integer)) else [int(i) for i in x] for x in axes]
    if len(pair[0]) != len(pair[1]):
        raise ValueError(f"Different number of contraction axes 'a' and 'b', {len(pair[0])} != {len(pair[1])}.")
    return pair[0], pair[1]


def _as_matrix(x: Tensor, axes: Any, first: bool) -> tuple[Tensor, Any, list[int | None] | None]:
    """A tensor as a matrix whose columns (rows when `first`) are the axes to sum over.

    Returns:
        The matrix, the sizes of the other axes (a list when known, else a tensor), and what is known of them.
    """
    sizes = x.shape._sizes
    if sizes is not None and isinstance(axes, Sequence):
        summed = [axis % len(sizes) for axis in axes]
        free = [axis for axis in range(len(sizes)) if axis not in summed]
        order: Any = np.asarray(summed + free if first else free + summed, np.int32)
        known = [sizes[axis] for axis in free]
        if None not in sizes:
            rows, columns = (math.prod(sizes[axis] or 0 for axis in part) for part in (free, summed))
            matrix = reshape(transpose(x, order), [columns, rows] if first else [rows, columns])
            return matrix, known, known
        all_sizes = shape_of(x)
        outer, inner = gather(all_sizes, np.asarray(free, np.int32)), gather(all_sizes, np.asarray(summed, np.int32))
        return _flattened(x, order, outer, inner, first), outer, known
    count = rank_of(x)
    axes = convert_to_tensor(axes, np.int32, name="axes")
    axes = apply("Select", axes >= 0, axes, axes + count)
    others, _ = apply("ListDiff", apply("Range", 0, count, 1, name="range"), axes)
    all_sizes = shape_of(x)
    outer, inner = gather(all_sizes, others), gather(all_sizes, axes)
    order = concat([axes, others] if first else [others, axes], 0)
    return _flattened(x, order, outer, inner, first), outer, None


def _flattened(x: Tensor, order: Any, outer: Tensor, inner: Tensor, first: bool) -> Tensor:
    rows, columns = reduce_prod(outer), reduce_prod(inner)
    return reshape(transpose(x, order), stack([columns, rows] if first else [rows, columns]))


def _letters(equation: Any) -> tuple[list[str], str]:
    """The indices of an equation's inputs and of its output; without an arrow, those that occur once, sorted."""
    text = (equation.decode() if isinstance(equation, bytes) else equation).replace(" ", "")
    before, arrow, after = text.partition("->")
    inputs = before.split(",")
    if not arrow:
        after = "".join(sorted(c for c in set(before) - {","} if before.count(c) == 1))
    for part in (*inputs, after):
        if not (part.isalpha() or not part):
            raise ValueError(f"Indices have incorrect format: {text}")
    if set(after) - set(before):
        raise ValueError(f"Indices of the output must occur in an input: {text}")
    return inputs, after


def einsum(equation: str, *inputs: Any, **kwargs: Any) -> Tensor:
    """The sum of products of tensors that an equation of indices describes.

    Args:
        equation: Such as ``ij,jk->ik``: a letter for each axis of each input, and those of the result.
        inputs: The tensors, of one type.
        kwargs: ``name``: a name for the operations (`einsum` by default).

    Returns:
        A tensor with an axis for each letter after the arrow.

    Raises:
        ValueError: If the equation does not fit the inputs.
        TypeError: If there is another keyword.
    """
    name = kwargs.pop("name", None)
    if kwargs:
        raise TypeError(f"invalid keyword arguments for this function: {', '.join(sorted(kwargs))}")
    letters, output = _letters(equation)
    if len(letters) != len(inputs):
        raise ValueError(f"Got {len(inputs)} arguments for equation '{equation}', expecting {len(letters)}")
    with rules.scope(name, "einsum", *inputs):
        tensors = [convert_to_tensor(value, name="input") for value in inputs]
        for part, tensor in zip(letters, tensors, strict=True):
            if tensor.shape.ndims not in (None, len(part)):
                raise ValueError(f"Shape {tensor.shape} does not have the {len(part)} axes of '{part}' in '{equation}'")
        return call("Einsum", tensors, equation=f"{','.join(letters)}->{output}")


__all__ = ["adjoint", "einsum", "matmul", "matrix_transpose", "matvec", "tensordot"]
