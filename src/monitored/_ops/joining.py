"""Joining, splitting, repeating and padding tensors."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from monitored._graph import infer
from monitored._graph.build import apply, convert_to_tensor
from monitored._graph.constant import constant_value
from monitored._graph.dtypes import int32, int64
from monitored._graph.opdef import REQUIRED, define
from monitored._graph.operation import Operation, Tensor
from monitored._graph.shapes import TensorShape, unknown_shape
from monitored._ops import rules
from monitored._ops.rules import call

# -- rules for shapes ---------------------------------------------------------------------------------------


def _concatenated(op: Operation) -> TensorShape:
    axis = constant_value(op._inputs[-1])
    known = [t._shape._sizes for t in op._inputs[:-1] if t._shape._sizes is not None]
    if not known:
        return TensorShape(None)
    rank = len(known[0])
    if any(len(sizes) != rank for sizes in known):
        raise rules.misfit(op, f"Shapes must all be rank {rank} to be concatenated")
    if not rank:
        raise rules.misfit(op, "Can't concatenate scalars (use tf.stack instead)")
    if axis is None:
        return unknown_shape(rank)
    at = rules.axis_of(op, int(axis.item()), rank)
    total: int | None = 0
    for tensor in op._inputs[:-1]:
        size = None if tensor._shape._sizes is None else tensor._shape._sizes[at]
        total = None if total is None or size is None else total + size
    rest = rules.merged(op, [TensorShape((*sizes[:at], *sizes[at + 1 :])) for sizes in known])
    assert rest._sizes is not None
    return TensorShape((*rest._sizes[:at], total, *rest._sizes[at:]))


def _packed(op: Operation) -> TensorShape:
    shape = rules.merged(op, [t._shape for t in op._inputs])
    if shape._sizes is None:
        return shape
    at = rules.axis_of(op, op._attrs["axis"], len(shape._sizes) + 1)
    return TensorShape((*shape._sizes[:at], len(op._inputs), *shape._sizes[at:]))


def _unpacked(op: Operation) -> list[TensorShape]:
    sizes, count = op._inputs[0]._shape._sizes, op._attrs["num"]
    if sizes is None:
        return [TensorShape(None)] * count
    at = rules.axis_of(op, op._attrs["axis"], len(sizes))
    if sizes[at] not in (None, count):
        raise rules.misfit(op, f"Dimension must be {count} but is {sizes[at]}")
    return [TensorShape((*sizes[:at], *sizes[at + 1 :]))] * count


def _split_evenly(op: Operation) -> list[TensorShape]:
    axis, sizes, count = constant_value(op._inputs[0]), op._inputs[1]._shape._sizes, op._attrs["num_split"]
    if sizes is None or axis is None:
        return [unknown_shape(None if sizes is None else len(sizes))] * count
    at = rules.axis_of(op, int(axis.item()), len(sizes))
    size = sizes[at]
    if size is not None and size % count:
        raise rules.misfit(op, f"Dimension size must be evenly divisible by {count} but is {size}")
    part = None if size is None else size // count
    return [TensorShape((*sizes[:at], part, *sizes[at + 1 :]))] * count


def _split_by_sizes(op: Operation) -> list[TensorShape]:
    sizes, count = op._inputs[0]._shape._sizes, op._attrs["num_split"]
    parts, axis = constant_value(op._inputs[1]), constant_value(op._inputs[2])
    if sizes is None or axis is None:
        return [unknown_shape(None if sizes is None else len(sizes))] * count
    at = rules.axis_of(op, int(axis.item()), len(sizes))
    if parts is None:
        return [TensorShape((*sizes[:at], None, *sizes[at + 1 :]))] * count
    whole = sizes[at]
    if whole is not None:
        known = int(parts[parts >= 0].sum())
        if known > whole or (known != whole and (parts >= 0).all()):
            raise rules.misfit(op, f"can't split axis of size {whole} into pieces of size {parts.tolist()}")
        parts = np.where(parts < 0, whole - known, parts)
    return [TensorShape((*sizes[:at], None if p < 0 else int(p), *sizes[at + 1 :])) for p in parts]


def _tiled(op: Operation) -> TensorShape:
    times = constant_value(op._inputs[1])
    length = op._inputs[1]._shape._sizes
    rank = times.size if times is not None else length[0] if length else None
    if rank is None:
        return unknown_shape(op._inputs[0]._shape.ndims)
    sizes = rules.with_rank(op, 0, rank)
    if times is None:
        return unknown_shape(rank)
    return TensorShape([None if s is None else s * t for s, t in zip(sizes, times.tolist(), strict=True)])


def _padded(op: Operation) -> TensorShape:
    paddings = constant_value(op._inputs[1])
    length = op._inputs[1]._shape._sizes
    rank = len(paddings) if paddings is not None else length[0] if length else None
    if rank is None:
        return unknown_shape(op._inputs[0]._shape.ndims)
    sizes = rules.with_rank(op, 0, rank)
    if paddings is None:
        return unknown_shape(rank)
    if (paddings < 0).any():
        raise rules.misfit(op, f"Paddings must be non-negative: {paddings.tolist()}")
    return TensorShape([None if s is None else s + int(p.sum()) for s, p in zip(sizes, paddings, strict=True)])


def _reversed(op: Operation) -> TensorShape:
    shape, axes = op._inputs[0]._shape, constant_value(op._inputs[1])
    if shape._sizes is not None and axes is not None:
        for axis in axes.tolist():
            rules.axis_of(op, axis, len(shape._sizes))
    return shape


# -- meanings -----------------------------------------------------------------------------------------------


def _concatenate(*values: Any) -> Any:
    *parts, axis = values
    return lax.concatenate(parts, int(axis.item()) % parts[0].ndim)


def _stack(*parts: Any, axis: int) -> Any:
    at = axis % (parts[0].ndim + 1)
    shape = parts[0].shape
    return lax.concatenate([lax.reshape(p, (*shape[:at], 1, *shape[at:])) for p in parts], at)


def _unstack(value: Any, *, num: int, axis: int) -> Any:
    at = axis % value.ndim
    return tuple(lax.index_in_dim(value, i, at, keepdims=False) for i in range(num))


def _pieces(value: Any, sizes: list[int], axis: Any) -> Any:
    at = int(axis.item()) % value.ndim
    if isinstance(value, np.ndarray):
        return tuple(np.split(value, np.cumsum(sizes)[:-1], at))
    return tuple(lax.split(value, sizes, at))  # whose gradient is one concatenation


def _split(axis: Any, value: Any, *, num_split: int) -> Any:
    whole = value.shape[int(axis.item())]
    if whole % num_split:
        raise ValueError(f"Number of ways to split should evenly divide the split dimension: {whole} by {num_split}")
    return _pieces(value, [whole // num_split] * num_split, axis)


def _split_sizes(value: Any, sizes: Any, axis: Any) -> Any:
    whole, known = value.shape[int(axis.item())], int(sizes[sizes >= 0].sum())
    parts = np.where(sizes < 0, whole - known, sizes).tolist()
    if sum(parts) != whole:
        raise ValueError(f"can't split axis of size {whole} into pieces of size {sizes.tolist()}")
    return _pieces(value, parts, axis)


def _pad(x: Any, paddings: Any, value: Any = None) -> Any:
    value = np.zeros((), x.dtype) if value is None else value
    return lax.pad(x, value, [(before, after, 0) for before, after in paddings.tolist()])


def _pad_numpy(x: Any, paddings: Any, value: Any = 0) -> Any:
    return np.pad(x, paddings.tolist(), constant_values=value)


def _mirror_pad(x: Any, paddings: Any, *, mode: Any) -> Any:
    name = (mode.decode() if isinstance(mode, bytes) else mode).lower()
    for size, pair in zip(x.shape, paddings.tolist(), strict=True):
        limit = size - 1 if name == "reflect" else size
        if max(pair) > limit:
            raise ValueError(f"paddings must be no greater than {limit} for a dimension of {size}, not {pair}")
    return jnp.pad(x, paddings.tolist(), mode=name)


def _reverse(x: Any, axes: Any) -> Any:
    return lax.rev(x, tuple(a % x.ndim for a in axes.tolist()))


def _reversed_sequence(op: Operation) -> TensorShape:
    shape, batch = op._inputs[0]._shape, op._attrs["batch_dim"]
    lengths = rules.with_rank(op, 1, 1)
    if shape._sizes is None:
        return shape
    size = rules.merged(op, [TensorShape(lengths), shape[batch : batch + 1]])
    return TensorShape((*shape._sizes[:batch], size[0], *shape._sizes[batch + 1 :]))


def _reverse_sequence(x: Any, lengths: Any, *, seq_dim: int, batch_dim: int) -> Any:
    place = lax.broadcasted_iota(lengths.dtype, x.shape, seq_dim)
    length = lax.broadcast_in_dim(lengths, x.shape, (batch_dim,))
    return jnp.take_along_axis(x, jnp.where(place < length, length - 1 - place, place), axis=seq_dim)


def _roll(x: Any, shift: Any, axes: Any) -> Any:
    shift = jnp.ravel(shift)
    for i, axis in enumerate(axes.ravel().tolist()):
        x = jnp.roll(x, shift[i], axis)
    return x


# fmt: off
define("ConcatV2", "values:N*T axis:Tidx -> output:T", _concatenate, infer=_concatenated, static=(-1,), Tidx=int32,
       fold=lambda *values: np.concatenate(values[:-1], int(values[-1].item())))
define("Pack", "values:N*T -> output:T", _stack, infer=_packed, axis=0,
       fold=lambda *values, axis: np.stack(values, axis))
define("Unpack", "value:T -> output:num*T", _unstack, infer=_unpacked, axis=0,
       fold=lambda value, *, axis: tuple(np.moveaxis(value, axis, 0)))
define("Split", "split_dim:int32 value:T -> output:num_split*T", _split, infer=_split_evenly, static=(0,), fold=_split)
define("SplitV", "value:T size_splits:Tlen split_dim:int32 -> output:num_split*T", _split_sizes,
       infer=_split_by_sizes, static=(1, 2), fold=_split_sizes, Tlen=int64)
define("Tile", "input:T multiples:Tmultiples -> output:T", lambda x, times: jnp.tile(x, times.tolist()), infer=_tiled,
       static=(1,), fold=np.tile, Tmultiples=int32)
define("Pad", "input:T paddings:Tpaddings -> output:T", _pad, infer=_padded, static=(1,), fold=_pad_numpy,
       Tpaddings=int32)
define("PadV2", "input:T paddings:Tpaddings constant_values:T -> output:T", _pad, infer=_padded, static=(1,),
       fold=_pad_numpy, Tpaddings=int32)
define("MirrorPad", "input:T paddings:Tpaddings -> output:T", _mirror_pad, infer=_padded, static=(1,), mode=REQUIRED,
       Tpaddings=int32)
define("ReverseV2", "tensor:T axis:Tidx -> output:T", _reverse, infer=_reversed, static=(1,), Tidx=int32,
       fold=lambda x, axes: np.flip(x, axes.tolist()))
define("ReverseSequence", "input:T seq_lengths:Tlen -> output:T", _reverse_sequence, infer=_reversed_sequence,
       seq_dim=REQUIRED, batch_dim=0, Tlen=int64)
define("Roll", "input:T shift:Tshift axis:Taxis -> output:T", _roll, infer=infer.unchanged, static=(2,),
       fold=lambda x, shift, axes: np.roll(x, shift.tolist(), axes.tolist()))
# fmt: on


def concat(values: Any, axis: Any, name: str = "concat") -> Tensor:
    """Tensors joined along one of their axes.

    Args:
        values: A list of tensors of the same type, whose shapes differ at most along `axis`.
        axis: The axis; negative from the end.
        name: A name for the operation.

    Returns:
        A tensor of the same rank.

    Raises:
        ValueError: If the shapes do not fit.
    """
    if not isinstance(values, (list, tuple)):
        values = [values]
    if len(values) == 1:  # only the axis is checked
        with rules.scope(name, "concat", *values):
            axis = convert_to_tensor(axis, int32, name="concat_dim")
            if axis.shape.ndims not in (None, 0):
                raise ValueError(f"Shape {axis.shape} must have rank 0")
            return call("Identity", values[0], name="concat")
    return call("ConcatV2", values, axis, name=name)


def stack(values: Any, axis: int = 0, name: str = "stack") -> Tensor:
    """Tensors joined along a new axis.

    Args:
        values: A list of tensors of the same type and shape.
        axis: Where the new axis stands in the result; negative from the end.
        name: A name for the operation.

    Returns:
        A tensor of one dimension more.

    Raises:
        ValueError: If the shapes differ or the axis is out of range.
    """
    if axis == 0 and not all(isinstance(v, Tensor) for v in values):
        return convert_to_tensor(values, name=name)
    first = next((v for v in values if isinstance(v, Tensor)), None)
    rank = None if first is None else first.shape.ndims
    if rank is not None and not -rank - 1 <= axis <= rank:
        raise ValueError(f"axis = {axis} not in [{-rank - 1}, {rank + 1})")
    return call("Pack", list(values), name=name, axis=axis)


def unstack(value: Any, num: int | None = None, axis: int = 0, name: str = "unstack") -> list[Tensor]:
    """The parts of a tensor along an axis, each without that axis.

    Args:
        value: A tensor.
        num: The size of the axis; by default what is known of it.
        axis: The axis; negative from the end.
        name: A name for the operation.

    Returns:
        A list of tensors.

    Raises:
        ValueError: If `num` is not given and not known, or is wrong, or the axis is out of range.
    """
    if num is None:
        value = convert_to_tensor(value)
        rank = value.shape.ndims
        if rank is not None:
            if not -rank <= axis < rank:
                raise ValueError(f"axis = {axis} not in [{-rank}, {rank})")
            num = value.shape[axis].value
    if num is None:
        raise ValueError(f"Cannot infer num from shape {value.shape}")
    result: list[Tensor] = apply("Unpack", value, name=name, num=int(num), axis=axis)
    return result


def split(value: Any, num_or_size_splits: Any, axis: Any = 0, num: int | None = None, name: str = "split") -> Any:
    """A tensor cut into pieces along an axis.

    Args:
        value: A tensor.
        num_or_size_splits: How many equal pieces, or a vector with the size of each (one may be -1: the rest).
        axis: The axis; negative from the end.
        num: How many pieces, where the sizes are a tensor of unknown length.
        name: A name for the operation.

    Returns:
        A list of tensors.

    Raises:
        ValueError: If the sizes do not fit.
    """
    sizes = convert_to_tensor(num_or_size_splits)
    if sizes.shape.ndims == 0 and sizes.dtype.is_integer:
        count = constant_value(sizes)
        if count is None:
            raise TypeError("The number of pieces must be a Python int; give `num` with a vector of sizes otherwise.")
        return apply("Split", axis, value, name=name, num_split=int(count.item()))
    if num is None:
        num = sizes.shape[0].value
        if num is None:
            raise ValueError(f"Cannot infer num from shape {num_or_size_splits}")
    return apply("SplitV", value, sizes, axis, name=name, num_split=num)


def tile(input: Any, multiples: Any, name: str | None = None) -> Tensor:
    """A tensor repeated along its axes.

    Args:
        input: A tensor.
        multiples: How often, for each axis.
        name: A name for the operation (optional; `Tile` by default).

    Returns:
        A tensor of the sizes of `input` times `multiples`.

    Raises:
        ValueError: If `multiples` has not one element for each axis.
    """
    return call("Tile", input, multiples, name=name)


def pad(
    tensor: Any, paddings: Any, mode: str = "CONSTANT", name: str | None = None, constant_values: Any = 0
) -> Tensor:
    """A tensor with more elements before and after its own.

    Args:
        tensor: A tensor of rank n.
        paddings: How many elements before and after along each axis: integers ``[n, 2]``.
        mode: ``CONSTANT``; ``REFLECT``: mirrored without the edge; ``SYMMETRIC``: mirrored with the edge.
        name: A name for the operation (optional).
        constant_values: The value of the new elements in the mode ``CONSTANT``.

    Returns:
        A tensor of the type of `tensor`.

    Raises:
        ValueError: If the mode is unknown or `paddings` does not fit.
    """
    kind = mode.upper()
    result: Tensor
    if kind == "CONSTANT":
        if isinstance(constant_values, Tensor) or np.any(constant_values):
            result = apply("PadV2", tensor, paddings, constant_values, name=name)
        else:
            result = apply("Pad", tensor, paddings, name=name)
    elif kind in ("REFLECT", "SYMMETRIC"):
        result = apply("MirrorPad", tensor, paddings, name=name, mode=kind)
    else:
        raise ValueError(f"Unknown padding mode: {kind}")
    return result


def reverse(tensor: Any, axis: Any, name: str | None = None) -> Tensor:
    """A tensor with the order of elements reversed along axes.

    Args:
        tensor: A tensor.
        axis: A vector of axes; negative from the end.
        name: A name for the operation (optional; `ReverseV2` by default).

    Returns:
        A tensor of the same type and shape.

    Raises:
        ValueError: If an axis is out of range.
    """
    return call("ReverseV2", tensor, axis, name=name)


reverse_v2 = reverse


def reverse_sequence(
    input: Any,
    seq_lengths: Any,
    seq_axis: int | None = None,
    batch_axis: int | None = None,
    name: str | None = None,
    seq_dim: int | None = None,
    batch_dim: int | None = None,
) -> Tensor:
    """Sequences of different lengths, each reversed up to its length.

    Args:
        input: A tensor that holds a batch of sequences.
        seq_lengths: The length of each sequence: int32 or int64 ``[batch]``.
        seq_axis: The axis of the sequences' elements.
        batch_axis: The axis of the sequences (0 by default).
        name: A name for the operation (optional; `ReverseSequence` by default).
        seq_dim: The old name of `seq_axis`.
        batch_dim: The old name of `batch_axis`.

    Returns:
        A tensor of the same type and shape.

    Raises:
        ValueError: If an argument is given under both its names.
    """
    at = rules.either("seq_axis", seq_axis, "seq_dim", seq_dim)
    batch = rules.either("batch_axis", batch_axis, "batch_dim", batch_dim)
    return call("ReverseSequence", input, seq_lengths, name=name, seq_dim=at, batch_dim=batch)


def roll(input: Any, shift: Any, axis: Any, name: str | None = None) -> Tensor:
    """A tensor with its elements moved along axes; those that leave at the end enter at the start.

    Args:
        input: A tensor.
        shift: By how much: an integer, or one for each axis.
        axis: The axis, or several.
        name: A name for the operation (optional; `Roll` by default).

    Returns:
        A tensor of the same type and shape.
    """
    return call("Roll", input, shift, axis, name=name)


__all__ = [
    "concat", "pad", "reverse", "reverse_sequence", "reverse_v2", "roll", "split", "stack", "tile", "unstack",
]  # fmt: skip
