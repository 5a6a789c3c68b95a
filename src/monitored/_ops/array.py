"""Shapes and the making of tensors: reshape, transpose, expand, broadcast, fill, placeholders."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from monitored._graph import infer
from monitored._graph.build import apply, constant, convert_to_tensor
from monitored._graph.constant import constant_value, constant_value_as_shape
from monitored._graph.dtypes import DType, as_dtype, int32
from monitored._graph.opdef import REQUIRED, define
from monitored._graph.operation import Operation, Tensor
from monitored._graph.shapes import TensorShape, as_shape, broadcast_shape, unknown_shape
from monitored._ops import rules
from monitored._ops.lift import LONG, of_types
from monitored._ops.rules import call

# -- rules for shapes ---------------------------------------------------------------------------------------


def _rank_vector(op: Operation) -> list[TensorShape]:
    return [TensorShape([t._shape.ndims]) for t in op._inputs]


def _reshaped(op: Operation) -> TensorShape:
    before = op._inputs[0]._shape
    sizes = constant_value_as_shape(op._inputs[1])._sizes
    if sizes is None:
        return TensorShape(None)
    count = before.num_elements()
    rests = [i for i, size in enumerate(sizes) if size is None]
    known = _product(sizes)
    if count is None or len(rests) > 1:
        if not rests and before._sizes is not None and before._sizes.count(None) == 1:
            part = _product(before._sizes)
            if part and known % part:
                raise rules.misfit(op, f"Dimension size must be evenly divisible by {part} but is {known}")
        return TensorShape(sizes)
    if rests and known:
        if count % known:
            raise rules.misfit(op, f"Dimension size must be evenly divisible by {known} but is {count}")
        return TensorShape([count // known if size is None else size for size in sizes])
    if known != count and not rests:
        raise rules.misfit(op, f"Cannot reshape a tensor with {count} elements to shape {sizes} ({known} elements)")
    return TensorShape(sizes)


def _product(sizes: tuple[int | None, ...]) -> int:
    """The product of what is known of sizes."""
    return math.prod(1 if size is None else size for size in sizes)


def _transposed(op: Operation) -> TensorShape:
    sizes = op._inputs[0]._shape._sizes
    order = constant_value(op._inputs[1])
    if order is None:
        known = op._inputs[1]._shape._sizes
        return unknown_shape(len(sizes) if sizes is not None else known[0] if known else None)
    if sizes is None:
        return unknown_shape(order.size)
    if order.size != len(sizes):
        raise rules.misfit(op, f"Dimension must be {len(sizes)} but is {order.size}")
    return TensorShape([sizes[i] for i in order.tolist()])


def _expanded(op: Operation) -> TensorShape:
    sizes = op._inputs[0]._shape._sizes
    axis = constant_value(op._inputs[1])
    if sizes is None:
        return TensorShape(None)
    if axis is None:
        return unknown_shape(len(sizes) + 1)
    at = rules.axis_of(op, int(axis.item()), len(sizes) + 1)
    return TensorShape((*sizes[:at], 1, *sizes[at:]))


def _squeezed(op: Operation) -> TensorShape:
    sizes, axes = op._inputs[0]._shape._sizes, op._attrs["squeeze_dims"]
    if sizes is None:
        return TensorShape(None)
    if not axes:
        return TensorShape(None if None in sizes else [s for s in sizes if s != 1])
    gone = {rules.axis_of(op, axis, len(sizes)) for axis in axes}
    for axis in gone:
        if sizes[axis] not in (1, None):
            raise rules.misfit(op, f"Can not squeeze dim[{axis}], expected a dimension of 1, got {sizes[axis]}")
    return TensorShape([s for i, s in enumerate(sizes) if i not in gone])


def _filled(op: Operation) -> TensorShape:
    value = constant_value(op._inputs[0])
    if value is not None and (value < 0).any():
        raise rules.misfit(op, "Fill dimensions must be >= 0")
    return constant_value_as_shape(op._inputs[0])


def _broadcast_to(op: Operation) -> TensorShape:
    wanted, given = constant_value_as_shape(op._inputs[1]), op._inputs[0]._shape
    if wanted._sizes is None or given._sizes is None:
        return wanted
    try:
        fits = broadcast_shape(wanted, given)
    except ValueError:
        fits = unknown_shape(None)
    if len(given._sizes) > len(wanted._sizes) or (wanted.is_fully_defined() and fits != wanted):
        raise rules.misfit(op, f"Dimensions must be equal: cannot broadcast to shape {wanted}")
    return wanted


def _broadcast_args(op: Operation) -> TensorShape:
    sizes = [t._shape._sizes[0] if t._shape._sizes else None for t in op._inputs]
    return TensorShape([None if None in sizes else max(sizes)])  # type: ignore[type-var]  # None is excluded


def _with_default(op: Operation) -> TensorShape:
    given, wanted = op._inputs[0]._shape, op._attrs["shape"]
    if not given.is_compatible_with(wanted):
        raise rules.misfit(op, f"Dimensions must be equal: a value of shape {given} is no default for shape {wanted}")
    return as_shape(wanted)


# -- definitions --------------------------------------------------------------------------------------------


def _shape_of(x: Any, *, out_type: DType) -> Any:
    return np.asarray(np.shape(x), out_type.as_numpy_dtype)


def _shapes_of(*xs: Any, out_type: DType) -> Any:
    return tuple(_shape_of(x, out_type=out_type) for x in xs)


def _size_of(x: Any, *, out_type: DType) -> Any:
    return np.asarray(np.size(x), out_type.as_numpy_dtype)


def _transpose(x: Any, perm: Any) -> Any:
    return lax.transpose(x, tuple(p % x.ndim for p in perm.tolist()))


def _squeeze(x: Any, *, squeeze_dims: Any) -> Any:
    axes = [a % x.ndim for a in squeeze_dims] or [i for i, size in enumerate(x.shape) if size == 1]
    return x.reshape([size for i, size in enumerate(x.shape) if i not in axes])


def _expand(x: Any, axis: Any) -> Any:
    at = int(axis.item()) % (x.ndim + 1)
    return x.reshape((*x.shape[:at], 1, *x.shape[at:]))


def _reshape(x: Any, shape: Any) -> Any:
    return x.reshape(shape.tolist())


def _broadcast(x: Any, shape: Any) -> Any:
    sizes = tuple(shape.tolist())
    return lax.broadcast_in_dim(x, sizes, range(len(sizes) - x.ndim, len(sizes))) if x.shape != sizes else x


def _fill(dims: Any, value: Any) -> Any:
    return lax.broadcast(value, tuple(dims.tolist()))


def _broadcast_sizes(one: Any, other: Any) -> Any:
    return np.asarray(np.broadcast_shapes(tuple(one.tolist()), tuple(other.tolist())), one.dtype)


# fmt: off
define("Shape", "input:T -> output:out_type", _shape_of, infer=_rank_vector, no_grad=True, out_type=int32)
define("ShapeN", "input:N*T -> output:N*out_type", _shapes_of, infer=_rank_vector, no_grad=True, out_type=int32)
define("Size", "input:T -> output:out_type", _size_of, infer=infer.scalar, no_grad=True, out_type=int32)
define("Rank", "input:T -> output:int32", lambda x: np.asarray(np.ndim(x), np.int32), infer=infer.scalar, no_grad=True)
define("Reshape", "tensor:T shape:Tshape -> output:T", _reshape, infer=_reshaped, static=(1,), fold=_reshape,
       Tshape=int32)
define("Transpose", "x:T perm:Tperm -> y:T", _transpose, infer=_transposed, static=(1,), fold=np.transpose, Tperm=int32)
define("ConjugateTranspose", "x:T perm:Tperm -> y:T", lambda x, perm: jnp.conj(_transpose(x, perm)),
       infer=_transposed, static=(1,), Tperm=int32)
define("ExpandDims", "input:T dim:Tdim -> output:T", _expand, infer=_expanded, static=(1,), fold=_expand, Tdim=int32)
define("Squeeze", "input:T -> output:T", _squeeze, infer=_squeezed, fold=_squeeze, squeeze_dims=())
define("Fill", "dims:index_type value:T -> output:T", _fill, infer=_filled, static=(0,), index_type=int32,
       fold=lambda dims, value: np.full(dims.tolist(), value, value.dtype))
define("ZerosLike", "x:T -> y:T", lambda x: lax.full(x.shape, 0, x.dtype), infer=infer.unchanged, fold=np.zeros_like,
       no_grad=True)
define("OnesLike", "x:T -> y:T", lambda x: lax.full(x.shape, 1, x.dtype), infer=infer.unchanged, fold=np.ones_like,
       no_grad=True)
define("BroadcastTo", "input:T shape:Tidx -> output:T", _broadcast, infer=_broadcast_to, static=(1,), Tidx=int32,
       fold=lambda x, shape: np.broadcast_to(x, shape.tolist()))
define("BroadcastArgs", "s0:T s1:T -> r0:T", _broadcast_sizes, infer=of_types(LONG, _broadcast_args), static=(0, 1),
       fold=_broadcast_sizes, no_grad=True, T=int32)
define("IdentityN", "input:[T] -> output:[T]", lambda *xs: xs, infer=lambda op: [t._shape for t in op._inputs],
       fold=lambda *xs: xs)
define("StopGradient", "input:T -> output:T", lambda x: x, infer=infer.unchanged, fold=lambda x: x, no_grad=True)
define("PreventGradient", "input:T -> output:T", lambda x: x, infer=infer.unchanged, no_grad=True, message="")
define("PlaceholderWithDefault", "input:dtype -> output:dtype", lambda x: x, infer=_with_default, shape=REQUIRED)
# fmt: on

# -- shapes -------------------------------------------------------------------------------------------------


def shape(input: Any, name: str | None = None, out_type: Any = int32) -> Tensor:
    """The shape of a tensor, as a tensor.

    Args:
        input: A tensor.
        name: A name for the operation (optional; `Shape` by default).
        out_type: The result's type: int32 or int64.

    Returns:
        A vector of the sizes, of length ``rank(input)``; a constant where they are all known.
    """
    with rules.scope(name, "Shape", input) as full:
        input = convert_to_tensor(input)
        if input.shape.is_fully_defined():
            return constant(np.asarray(input.shape.as_list(), np.int32), out_type, name=full)
        return call("Shape", input, name=full, out_type=out_type)


def shape_n(input: Any, out_type: Any = int32, name: str | None = None) -> list[Tensor]:
    """The shapes of tensors.

    Args:
        input: A list of tensors of the same type.
        out_type: The results' type: int32 or int64.
        name: A name for the operation (optional; `ShapeN` by default).

    Returns:
        A vector of sizes for each tensor.
    """
    result: list[Tensor] = apply("ShapeN", input, name=name, out_type=out_type)
    return result


def size(input: Any, name: str | None = None, out_type: Any = int32) -> Tensor:
    """The number of elements of a tensor.

    Args:
        input: A tensor.
        name: A name for the operation (optional; `Size` by default).
        out_type: The result's type: int32 or int64.

    Returns:
        A scalar; a constant where the shape is known.
    """
    with rules.scope(name, "Size", input) as full:
        input = convert_to_tensor(input)
        count = input.shape.num_elements()
        if count is not None:
            return constant(count, out_type, name=full)
        return call("Size", input, name=full, out_type=out_type)


def rank(input: Any, name: str | None = None) -> Tensor:
    """The number of dimensions of a tensor.

    Args:
        input: A tensor.
        name: A name for the operation (optional; `Rank` by default).

    Returns:
        An int32 scalar; a constant where the rank is known.
    """
    with rules.scope(name, "Rank", input) as full:
        input = convert_to_tensor(input)
        if input.shape.ndims is not None:
            return constant(input.shape.ndims, int32, name=full)
        return call("Rank", input, name=full)


def reshape(tensor: Any, shape: Any, name: str | None = None) -> Tensor:
    """The elements of a tensor, in the same order, in another shape.

    Args:
        tensor: A tensor.
        shape: The new sizes; one of them may be -1: what is left over.
        name: A name for the operation (optional; `Reshape` by default).

    Returns:
        A tensor of the new shape.

    Raises:
        ValueError: If the number of elements differs.
    """
    return call("Reshape", tensor, shape, name=name)


def transpose(a: Any, perm: Any = None, name: str = "transpose", conjugate: bool = False) -> Tensor:
    """A tensor with its axes in another order.

    Args:
        a: A tensor.
        perm: The order: axis i of the result is axis ``perm[i]`` of `a`. Reversed by default.
        name: A name for the operation.
        conjugate: Whether complex elements are conjugated too.

    Returns:
        A tensor of the type of `a`.

    Raises:
        ValueError: If `perm` is not a permutation of the axes.
    """
    with rules.scope(name, "transpose", a) as full:
        a = convert_to_tensor(a, name="a")
        op_type = "ConjugateTranspose" if conjugate and a.dtype.is_complex else "Transpose"
        if perm is None and a.shape.ndims is not None:
            perm = np.arange(a.shape.ndims - 1, -1, -1, dtype=np.int32)
        elif perm is None:
            count = apply("Rank", a)
            perm = (count - 1) - apply("Range", 0, count, 1)
        return call(op_type, a, perm, name=full)


def expand_dims(input: Any, axis: Any = None, name: str | None = None, dim: Any = None) -> Tensor:
    """A tensor with a dimension of size 1 more.

    Args:
        input: A tensor.
        axis: Where the dimension stands in the result; negative from the end.
        name: A name for the operation (optional; `ExpandDims` by default).
        dim: The old name of `axis`.

    Returns:
        A tensor with the same elements.

    Raises:
        ValueError: If the axis is out of range, or none or both of `axis` and `dim` are given.
    """
    axis = rules.either("axis", axis, "dim", dim)
    if axis is None:
        raise ValueError("Must specify an axis argument to tf.expand_dims()")
    return call("ExpandDims", input, axis, name=name)


def squeeze(input: Any, axis: Any = None, name: str | None = None, squeeze_dims: Any = None) -> Tensor:
    """A tensor without its dimensions of size 1.

    Args:
        input: A tensor.
        axis: The axes to leave out, an int or a list; by default all whose size is 1.
        name: A name for the operation (optional; `Squeeze` by default).
        squeeze_dims: The old name of `axis`.

    Returns:
        A tensor with the same elements.

    Raises:
        ValueError: If a dimension to leave out has another size, or both `axis` and `squeeze_dims` are given.
    """
    axis = rules.either("axis", axis, "squeeze_dims", squeeze_dims)
    axes = [] if axis is None else [int(a) for a in (axis if isinstance(axis, (list, tuple)) else np.ravel(axis))]
    return call("Squeeze", input, name=name, squeeze_dims=axes)


def broadcast_to(input: Any, shape: Any, name: str | None = None) -> Tensor:
    """A tensor repeated to a shape, as NumPy broadcasts.

    Args:
        input: A tensor.
        shape: The sizes wanted.
        name: A name for the operation (optional; `BroadcastTo` by default).

    Returns:
        A tensor of the shape.

    Raises:
        ValueError: If `input` cannot be broadcast to it.
    """
    return call("BroadcastTo", input, shape, name=name)


def broadcast_static_shape(shape_x: TensorShape, shape_y: TensorShape) -> TensorShape:
    """The shape of an elementwise operation on tensors of two static shapes.

    Args:
        shape_x: A shape.
        shape_y: Another.

    Returns:
        The broadcast shape, as far as it is known.

    Raises:
        ValueError: If they cannot be broadcast together.
    """
    return broadcast_shape(as_shape(shape_x), as_shape(shape_y))


def broadcast_dynamic_shape(shape_x: Any, shape_y: Any) -> Tensor:
    """The shape of an elementwise operation on tensors of two shapes, as a tensor.

    Args:
        shape_x: A vector of sizes, int32 or int64.
        shape_y: Another.

    Returns:
        The broadcast sizes.
    """
    return call("BroadcastArgs", shape_x, shape_y)


# -- copies and placeholders --------------------------------------------------------------------------------


def identity(input: Any, name: str | None = None) -> Tensor:
    """A tensor with the value of another.

    Args:
        input: A tensor.
        name: A name for the operation (optional; `Identity` by default).

    Returns:
        A tensor of the same type and shape.
    """
    return call("Identity", input, name=name)


def identity_n(input: Any, name: str | None = None) -> list[Tensor]:
    """Tensors with the values of others.

    Args:
        input: A list of tensors, which may differ in type.
        name: A name for the operation (optional; `IdentityN` by default).

    Returns:
        A tensor for each, of the same type and shape.
    """
    result: list[Tensor] = apply("IdentityN", input, name=name)
    return result


def stop_gradient(input: Any, name: str | None = None) -> Tensor:
    """A tensor with the value of another, through which no gradient flows.

    Args:
        input: A tensor.
        name: A name for the operation (optional; `StopGradient` by default).

    Returns:
        A tensor of the same type and shape.
    """
    return call("StopGradient", input, name=name)


def placeholder(dtype: Any, shape: Any = None, name: str | None = None) -> Tensor:
    """A tensor whose value is given to each run that needs it, by `feed_dict`.

    Args:
        dtype: The type of its elements.
        shape: What its values' shapes have in common (optional); None stands for a size that varies.
        name: A name for the operation (optional; `Placeholder` by default).

    Returns:
        The tensor.
    """
    return call("Placeholder", name=name, dtype=as_dtype(dtype), shape=as_shape(shape))


def placeholder_with_default(input: Any, shape: Any, name: str | None = None) -> Tensor:
    """A tensor whose value may be given to a run by `feed_dict`.

    Args:
        input: The value when none is given.
        shape: What its values' shapes have in common; None stands for a size that varies.
        name: A name for the operation (optional; `PlaceholderWithDefault` by default).

    Returns:
        The tensor.

    Raises:
        ValueError: If the shape of `input` contradicts `shape`.
    """
    return call("PlaceholderWithDefault", input, name=name, shape=as_shape(shape))


__all__ = [
    "broadcast_dynamic_shape", "broadcast_static_shape", "broadcast_to", "expand_dims", "identity", "identity_n",
    "placeholder", "placeholder_with_default", "rank", "reshape", "shape", "shape_n", "size", "squeeze",
    "stop_gradient", "transpose",
]  # fmt: skip
