"""Sparse tensors: placeholders, densifying, products with dense matrices."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from monitored._graph import build, dtypes
from monitored._graph.constant import constant_value_as_shape
from monitored._graph.graph import get_default_graph
from monitored._graph.opdef import define
from monitored._graph.operation import Operation, Tensor
from monitored._graph.shapes import TensorShape, as_shape
from monitored._graph.sparse_tensor import SparseTensor
from monitored._ops.array import placeholder

__all__ = ["sparse_placeholder", "sparse_tensor_dense_matmul", "sparse_tensor_to_dense", "sparse_to_dense"]


def _to_dense(indices: Any, shape: Any, values: Any, default: Any) -> Any:
    dense = jnp.full(tuple(shape), default)
    places = jnp.reshape(indices, (-1, len(shape))) if jnp.ndim(indices) != 2 else indices
    return dense.at[tuple(jnp.moveaxis(jnp.asarray(places), -1, 0))].set(values)


def _matmul(indices: Any, values: Any, shape: Any, b: Any, *, adjoint_a: bool, adjoint_b: bool) -> Any:
    rows, columns = indices[:, 0], indices[:, 1]
    if adjoint_a:
        rows, columns, shape, values = columns, rows, shape[::-1], jnp.conj(values)
    if adjoint_b:
        b = jnp.conj(b.T)
    return jnp.zeros((int(shape[0]), b.shape[1]), b.dtype).at[rows].add(values[:, None] * b[columns])


def _matmul_shape(op: Operation) -> TensorShape:
    a, b = constant_value_as_shape(op.inputs[2]).with_rank(2), op.inputs[3].shape.with_rank(2)
    return TensorShape([a[1 if op._attrs["adjoint_a"] else 0], b[0 if op._attrs["adjoint_b"] else 1]])


define(
    "SparseToDense",
    "sparse_indices:Tindices output_shape:Tindices sparse_values:T default_value:T -> dense:T",
    _to_dense, static=(1,), infer=lambda op: constant_value_as_shape(op.inputs[1]), validate_indices=True,
)  # fmt: skip
define(
    "SparseTensorDenseMatMul",
    "a_indices:Tindices a_values:T a_shape:int64 b:T -> product:T",
    _matmul, static=(2,), infer=_matmul_shape, adjoint_a=False, adjoint_b=False,
)  # fmt: skip


def sparse_placeholder(dtype: Any, shape: Any = None, name: str | None = None) -> SparseTensor:
    """A sparse tensor whose parts are fed.

    Args:
        dtype: The type of its elements.
        shape: The shape of the whole, as far as it is known.
        name: A prefix for the names of the parts.

    Returns:
        The sparse tensor; feed it a `SparseTensorValue` or a tuple ``(indices, values, dense_shape)``.
    """
    prefix = "" if name is None else f"{name}/"
    rank = None if shape is None else as_shape(shape).ndims
    if shape is not None and as_shape(shape).is_fully_defined():
        dense_shape = build.constant(as_shape(shape).as_list(), dtypes.int64, name=f"{prefix}shape")
    else:
        dense_shape = placeholder(dtypes.int64, [rank], name=f"{prefix}shape")
    return SparseTensor(
        values=placeholder(dtype, [None], name=f"{prefix}values"),
        indices=placeholder(dtypes.int64, [None, rank], name=f"{prefix}indices"),
        dense_shape=dense_shape,
    )


def sparse_to_dense(
    sparse_indices: Any,
    output_shape: Any,
    sparse_values: Any,
    default_value: Any = 0,
    validate_indices: bool = True,
    name: str | None = None,
) -> Tensor:
    """A dense tensor with values at some places.

    Args:
        sparse_indices: The places, int32 or int64: ``[n, rank]``, ``[n]`` or a scalar.
        output_shape: The shape of the result, ``[rank]``, of the same type.
        sparse_values: The values, ``[n]``, or one for all places.
        default_value: The value everywhere else.
        validate_indices: Accepted as TensorFlow does.
        name: A name for the operation.

    Returns:
        A tensor of the given shape.
    """
    dense: Tensor = build.apply(
        "SparseToDense", sparse_indices, output_shape, sparse_values, default_value,
        name=name, validate_indices=validate_indices,
    )  # fmt: skip
    return dense


def sparse_tensor_to_dense(
    sp_input: SparseTensor, default_value: Any = None, validate_indices: bool = True, name: str | None = None
) -> Tensor:
    """The dense tensor of a sparse one.

    Args:
        sp_input: The sparse tensor.
        default_value: The value where it has none; zero by default.
        validate_indices: Accepted as TensorFlow does.
        name: A name for the operation.

    Returns:
        The dense tensor.
    """
    default = build.constant(0, sp_input.dtype) if default_value is None else default_value
    return sparse_to_dense(sp_input.indices, sp_input.dense_shape, sp_input.values, default, validate_indices, name)


def sparse_tensor_dense_matmul(
    sp_a: SparseTensor, b: Any, adjoint_a: bool = False, adjoint_b: bool = False, name: str | None = None
) -> Tensor:
    """The product of a sparse and a dense matrix.

    Args:
        sp_a: The sparse matrix, ``[m, k]``.
        b: The dense matrix, ``[k, n]``.
        adjoint_a: Whether to take the adjoint of the sparse one first.
        adjoint_b: Whether to take the adjoint of the dense one first.
        name: A name for the operation.

    Returns:
        A dense matrix, ``[m, n]``.
    """
    sp_a = SparseTensor.from_value(sp_a)
    with get_default_graph().name_scope(name or "SparseTensorDenseMatMul"):
        product: Tensor = build.apply(
            "SparseTensorDenseMatMul", sp_a.indices, sp_a.values, sp_a.dense_shape, b,
            adjoint_a=adjoint_a, adjoint_b=adjoint_b,
        )  # fmt: skip
    return product
