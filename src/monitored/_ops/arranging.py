"""One-hot vectors, masks of sequences, grids, repetition, and blocks of images."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from monitored._graph.build import apply, constant, convert_to_tensor
from monitored._graph.constant import constant_value
from monitored._graph.dtypes import as_dtype, bool_, float32, int32, int64
from monitored._graph.opdef import REQUIRED, define
from monitored._graph.operation import Operation, Tensor
from monitored._graph.shapes import TensorShape
from monitored._ops import rules
from monitored._ops.array import expand_dims, reshape, size
from monitored._ops.array import shape as shape_of
from monitored._ops.casts import cast
from monitored._ops.fill import ones
from monitored._ops.joining import concat, tile
from monitored._ops.masking import boolean_mask
from monitored._ops.reductions import reduce_max
from monitored._ops.rules import call


def _one_hot(op: Operation) -> TensorShape:
    sizes, depth = op._inputs[0]._shape._sizes, constant_value(op._inputs[1])
    if sizes is None:
        return TensorShape(None)
    at = len(sizes) if op._attrs["axis"] == -1 else rules.axis_of(op, op._attrs["axis"], len(sizes) + 1)
    return TensorShape((*sizes[:at], None if depth is None else int(depth.item()), *sizes[at:]))


def _hot(indices: Any, depth: Any, on: Any, off: Any, *, axis: int) -> Any:
    at = indices.ndim if axis == -1 else axis
    count = int(depth.item())
    shape = (*indices.shape[:at], count, *indices.shape[at:])
    place = lax.broadcasted_iota(indices.dtype, shape, at)
    given = lax.broadcast_in_dim(indices, shape, [i for i in range(len(shape)) if i != at])
    return jnp.where(given == place, on, off)


def _depth_shape(op: Operation) -> TensorShape:
    b, h, w, c = rules.with_rank(op, 0, 4)
    n = op._attrs["block_size"]
    if op.type == "DepthToSpace":
        return TensorShape([b, *(None if s is None else s * n for s in (h, w)), _divided(op, c, n * n)])
    return TensorShape([b, _divided(op, h, n), _divided(op, w, n), None if c is None else c * n * n])


def _divided(op: Operation, size: int | None, by: int) -> int | None:
    if size is not None and size % by:
        raise rules.misfit(op, f"Dimension size must be evenly divisible by {by} but is {size}")
    return None if size is None else size // by


def _batch_shape(op: Operation) -> TensorShape:
    sizes = op._inputs[0]._shape._sizes
    blocks, edges = constant_value(op._inputs[1]), constant_value(op._inputs[2])
    if sizes is None or blocks is None or edges is None:
        return TensorShape(None)
    count = int(np.prod(blocks))
    space: list[int | None] = []
    for side, block, edge in zip(sizes[1:], blocks.tolist(), edges.sum(axis=1).tolist(), strict=False):
        if op.type == "SpaceToBatchND":
            space.append(_divided(op, None if side is None else side + edge, block))
        else:
            space.append(None if side is None else side * block - edge)
    if op.type == "BatchToSpaceND":
        batch = _divided(op, sizes[0], count)
    else:
        batch = None if sizes[0] is None else sizes[0] * count
    return TensorShape([batch, *space, *sizes[1 + len(space) :]])


def _space_to_depth(x: Any, *, block_size: int, data_format: Any) -> Any:
    b, h, w, c = _blocks_of(x, data_format).shape
    n = block_size
    if h % n or w % n:
        raise ValueError(f"The height and width {h} and {w} must be divisible by block_size {n}")
    return x.reshape(b, h // n, n, w // n, n, c).transpose(0, 1, 3, 2, 4, 5).reshape(b, h // n, w // n, n * n * c)


def _depth_to_space(x: Any, *, block_size: int, data_format: Any) -> Any:
    b, h, w, c = _blocks_of(x, data_format).shape
    n = block_size
    if c % (n * n):
        raise ValueError(f"The depth {c} must be divisible by block_size squared, {n * n}")
    return x.reshape(b, h, w, n, n, c // (n * n)).transpose(0, 1, 3, 2, 4, 5).reshape(b, h * n, w * n, c // (n * n))


def _blocks_of(x: Any, data_format: Any) -> Any:
    if data_format not in ("NHWC", b"NHWC"):
        raise NotImplementedError(f"Only the data format NHWC is supported, not {data_format!r}")
    return x


def _space_to_batch(x: Any, block: Any, paddings: Any) -> Any:
    blocks, m = block.tolist(), len(block)
    x = lax.pad(x, np.zeros((), x.dtype), [(0, 0, 0), *((a, b, 0) for a, b in paddings.tolist()),
                                           *[(0, 0, 0)] * (x.ndim - m - 1)])  # fmt: skip
    batch, space, rest = x.shape[0], x.shape[1 : m + 1], x.shape[m + 1 :]
    split = [part for s, b in zip(space, blocks, strict=True) for part in (s // b, b)]
    x = x.reshape(batch, *split, *rest)
    order = [*range(2, 2 * m + 1, 2), 0, *range(1, 2 * m, 2), *range(2 * m + 1, x.ndim)]
    outer = [s // b for s, b in zip(space, blocks, strict=True)]
    return x.transpose(order).reshape(batch * int(np.prod(blocks)), *outer, *rest)


def _batch_to_space(x: Any, block: Any, crops: Any) -> Any:
    blocks, m = block.tolist(), len(block)
    batch, space, rest = x.shape[0] // int(np.prod(blocks)), x.shape[1 : m + 1], x.shape[m + 1 :]
    x = x.reshape(*blocks, batch, *space, *rest)
    order = [m, *(axis for i in range(m) for axis in (m + 1 + i, i)), *range(2 * m + 1, x.ndim)]
    whole = [s * b for s, b in zip(space, blocks, strict=True)]
    x = x.transpose(order).reshape(batch, *whole, *rest)
    kept = [slice(a, w - b) for w, (a, b) in zip(whole, crops.tolist(), strict=True)]
    return x[(slice(None), *kept)]


# fmt: off
define("OneHot", "indices:TI depth:int32 on_value:T off_value:T -> output:T", _hot, infer=_one_hot, static=(1,),
       axis=-1, TI=int64)
define("SpaceToDepth", "input:T -> output:T", _space_to_depth, infer=_depth_shape, block_size=REQUIRED,
       data_format="NHWC")
define("DepthToSpace", "input:T -> output:T", _depth_to_space, infer=_depth_shape, block_size=REQUIRED,
       data_format="NHWC")
define("SpaceToBatchND", "input:T block_shape:Tblock_shape paddings:Tpaddings -> output:T", _space_to_batch,
       infer=_batch_shape, static=(1, 2), Tblock_shape=int32, Tpaddings=int32)
define("BatchToSpaceND", "input:T block_shape:Tblock_shape crops:Tcrops -> output:T", _batch_to_space,
       infer=_batch_shape, static=(1, 2), Tblock_shape=int32, Tcrops=int32)
# fmt: on


def one_hot(
    indices: Any,
    depth: Any,
    on_value: Any = None,
    off_value: Any = None,
    axis: int | None = None,
    dtype: Any = None,
    name: str | None = None,
) -> Tensor:
    """Vectors with one value at an index and another elsewhere.

    Args:
        indices: A tensor of integers; what lies outside 0 to `depth` is nowhere.
        depth: The length of the vectors.
        on_value: The value at the index; 1 by default.
        off_value: The value elsewhere; 0 by default.
        axis: Where the vectors' axis stands in the result; the last one by default.
        dtype: The type of the result; by default that of the values, or float32.
        name: A name for the operation (optional; `one_hot` by default).

    Returns:
        A tensor of one dimension more than `indices`.

    Raises:
        TypeError: If the types of the values and `dtype` differ.
    """
    with rules.scope(name, "one_hot", indices, depth, on_value, off_value) as full:
        wanted = None if dtype is None else as_dtype(dtype)
        given = {"on_value": on_value, "off_value": off_value}
        values: dict[str, Any] = {}
        for label, value in given.items():
            if value is not None:
                values[label] = convert_to_tensor(value, name=label)
        for label, value in values.items():
            found = value.dtype.base_dtype
            if dtype is not None and found != wanted:
                raise TypeError(f"dtype {found} of {label} does not match dtype parameter {wanted}")
            wanted = wanted or found
        for label, number in (("on_value", 1), ("off_value", 0)):
            if label not in values:
                values[label] = constant(number, wanted or float32, name=label)
        at = -1 if axis is None else axis
        return call("OneHot", indices, depth, values["on_value"], values["off_value"], name=full, axis=at)


def sequence_mask(lengths: Any, maxlen: Any = None, dtype: Any = bool_, name: str | None = None) -> Tensor:
    """Masks of the first elements of sequences.

    Args:
        lengths: How many elements each sequence has: a tensor of integers.
        maxlen: The length of the masks: a scalar; by default the greatest of the lengths.
        dtype: The type of the result.
        name: A name for the operation (optional; `SequenceMask` by default).

    Returns:
        A tensor ``[..., maxlen]``, true (or 1) for the elements before each length.

    Raises:
        ValueError: If `maxlen` is not a scalar.
    """
    with rules.scope(name, "SequenceMask", lengths, maxlen):
        lengths = convert_to_tensor(lengths)
        if maxlen is None:
            maxlen = apply("Maximum", constant(0, lengths.dtype.base_dtype), reduce_max(lengths))
        else:
            maxlen = convert_to_tensor(maxlen)
        if maxlen.shape.ndims not in (None, 0):
            raise ValueError("maxlen must be scalar for sequence_mask")
        kind = maxlen.dtype.base_dtype
        places = apply("Range", constant(0, kind), maxlen, constant(1, kind))
        ends = apply("Cast", expand_dims(lengths, -1), DstT=kind)
        inside: Tensor = apply("Less", places, ends)
        if as_dtype(dtype) == bool_:
            return inside
        return call("Cast", inside, DstT=as_dtype(dtype))


def meshgrid(*args: Any, indexing: str = "xy", name: str = "meshgrid") -> list[Tensor]:
    """The coordinates of the points of a grid.

    Args:
        args: n vectors: the coordinates along each axis.
        indexing: ``xy``: the first vector runs along the second axis, as in plots; ``ij``: in the order given.
        name: A name for the operations.

    Returns:
        A list of n tensors of rank n, each with one coordinate of every point.

    Raises:
        ValueError: If `indexing` is neither.
    """
    if indexing not in ("xy", "ij"):
        raise ValueError("indexing parameter must be either 'xy' or 'ij'")
    with rules.scope(name, "meshgrid", *args):
        count = len(args)
        if not count:
            return []
        vectors = [v if isinstance(v, Tensor) else convert_to_tensor(v, name="stack") for v in args]
        parts = [reshape(v, [1] * i + [-1] + [1] * (count - i - 1)) for i, v in enumerate(vectors)]
        sizes = [size(v) for v in vectors]
        if indexing == "xy" and count > 1:
            parts[0] = reshape(parts[0], [1, -1] + [1] * (count - 2))
            parts[1] = reshape(parts[1], [-1, 1] + [1] * (count - 2))
            sizes[0], sizes[1] = sizes[1], sizes[0]
        everywhere = ones(sizes, parts[0].dtype.base_dtype)
        return [part * everywhere for part in parts]


def repeat(input: Any, repeats: Any, axis: int | None = None, name: str | None = None) -> Tensor:
    """A tensor with its elements repeated along an axis.

    Args:
        input: A tensor.
        repeats: How often: one number, or one for each element along the axis.
        axis: The axis; by default the tensor is flattened first.
        name: A name for the operations (optional; `Repeat` by default).

    Returns:
        A tensor of the type of `input`.

    Raises:
        ValueError: If the axis is not known to exist.
    """
    if axis is None:
        input, axis = reshape(input, [-1]), 0
    with rules.scope(name, "Repeat", input, repeats):
        data = convert_to_tensor(input)
        times = cast(convert_to_tensor(repeats, name="repeats"), int32)
        data.shape.with_rank_at_least(1)
        if data.shape.ndims is None:
            raise ValueError("repeat needs a tensor of known rank.")
        at = axis % data.shape.ndims
        sizes, wide = shape_of(data), expand_dims(data, at + 1)
        scalar = times.shape.ndims == 0 or times.shape.num_elements() == 1
        most = reshape(times, []) if scalar else reduce_max(times)
        multiples = [1] * (at + 1) + [most] + [1] * (data.shape.ndims - at - 1)
        wide = tile(wide, multiples)
        if scalar:
            return reshape(wide, concat([sizes[:at], [-1], sizes[at + 1 :]], 0))
        return boolean_mask(wide, _mask_of(times, most, sizes, at), axis=0)


def _mask_of(times: Tensor, most: Tensor, sizes: Tensor, axis: int) -> Tensor:
    """Which of the repetitions count, in the shape of the tensor up to and with the new axis."""
    mask = sequence_mask(times, most)
    if not axis:
        return mask
    wanted: Tensor = apply("BroadcastTo", mask, concat([sizes[: axis + 1], [most]], 0))
    wanted.set_shape([None] * (axis + 2))
    return wanted


def space_to_depth(input: Any, block_size: int, name: str | None = None, data_format: str = "NHWC") -> Tensor:
    """Moves blocks of an image's height and width into its depth.

    Args:
        input: Images ``[batch, height, width, depth]``.
        block_size: The side of a block.
        name: A name for the operation (optional; `SpaceToDepth` by default).
        data_format: ``NHWC``.

    Returns:
        A tensor ``[batch, height / block_size, width / block_size, depth * block_size**2]``.

    Raises:
        ValueError: If the height or width is not a multiple of the block size.
    """
    return call("SpaceToDepth", input, name=name, block_size=block_size, data_format=data_format)


def depth_to_space(input: Any, block_size: int, name: str | None = None, data_format: str = "NHWC") -> Tensor:
    """Moves an image's depth into blocks of its height and width.

    Args:
        input: Images ``[batch, height, width, depth]``.
        block_size: The side of a block.
        name: A name for the operation (optional; `DepthToSpace` by default).
        data_format: ``NHWC``.

    Returns:
        A tensor ``[batch, height * block_size, width * block_size, depth / block_size**2]``.

    Raises:
        ValueError: If the depth is not a multiple of the block size squared.
    """
    return call("DepthToSpace", input, name=name, block_size=block_size, data_format=data_format)


def space_to_batch_nd(input: Any, block_shape: Any, paddings: Any, name: str | None = None) -> Tensor:
    """Moves blocks of the spatial dimensions into the batch.

    Args:
        input: A tensor ``[batch, space..., rest...]`` with m spatial dimensions.
        block_shape: The blocks' sizes: integers ``[m]``.
        paddings: Zeros to add before and after along each spatial dimension first: ``[m, 2]``.
        name: A name for the operation (optional; `SpaceToBatchND` by default).

    Returns:
        A tensor ``[batch * prod(block_shape), space / block_shape..., rest...]``.
    """
    return call("SpaceToBatchND", input, block_shape, paddings, name=name)


def batch_to_space_nd(input: Any, block_shape: Any, crops: Any, name: str | None = None) -> Tensor:
    """Moves parts of the batch into blocks of the spatial dimensions.

    Args:
        input: A tensor ``[batch, space..., rest...]`` with m spatial dimensions.
        block_shape: The blocks' sizes: integers ``[m]``.
        crops: What to cut off before and after along each spatial dimension at last: ``[m, 2]``.
        name: A name for the operation (optional; `BatchToSpaceND` by default).

    Returns:
        A tensor ``[batch / prod(block_shape), space * block_shape..., rest...]``.
    """
    return call("BatchToSpaceND", input, block_shape, crops, name=name)


__all__ = [
    "batch_to_space_nd", "depth_to_space", "meshgrid", "one_hot", "repeat", "sequence_mask", "space_to_batch_nd",
    "space_to_depth",
]  # fmt: skip
