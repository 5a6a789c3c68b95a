"""What convolutions and pooling share: sizes of windows, their strides and padding, and the static shapes that follow.

Shapes are read through `data_format`: the letter C names the channels, N the batch, and the rest are the spatial
dimensions in order, as in ``NHWC``, ``NCHW`` and ``NDHWC``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from monitored._graph.operation import Operation
from monitored._ops.rules import misfit, with_rank


def spatial_axes(data_format: str) -> tuple[int, ...]:
    """The positions of the spatial dimensions."""
    return tuple(i for i, letter in enumerate(data_format) if letter not in "NC")


def per_dimension(value: Any, name: str, data_format: str) -> list[int]:
    """A window's size or stride as one number for each dimension of the input.

    Args:
        value: One number for all spatial dimensions, one for each, or one for each dimension of the input.
        name: What it is, for messages.
        data_format: The order of the dimensions.

    Returns:
        One number for each dimension of the input; 1 for batch and channels unless told otherwise.

    Raises:
        ValueError: If there are too few or too many numbers.
    """
    given = [int(v) for v in value] if isinstance(value, (list, tuple)) or hasattr(value, "tolist") else [int(value)]
    axes = spatial_axes(data_format)
    if len(given) == 1:
        given *= len(axes)
    if len(given) == len(data_format):
        return given
    if len(given) != len(axes):
        raise ValueError(f"{name} should be of length 1, {len(axes)} or {len(data_format)} but was {len(given)}")
    numbers = dict(zip(axes, given, strict=True))
    return [numbers.get(i, 1) for i in range(len(data_format))]


def check_format(data_format: str | None, allowed: Sequence[str], op_type: str) -> str:
    """A data format, checked; the first allowed one for None.

    Raises:
        ValueError: If it is not among those allowed.
    """
    found = allowed[0] if data_format is None else data_format
    if found not in allowed:
        listed = ", ".join(f'"{a}"' for a in allowed)
        raise ValueError(f"Attr 'data_format' of '{op_type}' Op passed string '{found}' not in: {listed}.")
    return found


def check_padding(padding: Any, data_format: str, op_type: str, explicit: bool = False) -> tuple[str, list[int]]:
    """Padding as the attributes ``padding`` and ``explicit_paddings``.

    Args:
        padding: ``'SAME'``, ``'VALID'``, or ``[before, after]`` for each dimension of the input when `explicit`.
        data_format: The order of the dimensions.
        op_type: The type of the op, for messages.
        explicit: Whether the op takes sizes.

    Returns:
        The name of the padding, and its sizes (empty unless the name is ``'EXPLICIT'``).

    Raises:
        ValueError: If it is none of these, or pads batch or channels.
    """
    if explicit and isinstance(padding, (list, tuple)):
        sizes = [[int(size) for size in pair] for pair in padding]
        if len(sizes) != len(data_format) or any(len(pair) != 2 for pair in sizes):
            raise ValueError(f"Explicit padding must be a list of {len(data_format)} pairs but was {padding}.")
        if any(any(sizes[i]) for i in range(len(data_format)) if i not in spatial_axes(data_format)):
            raise ValueError(f"Explicit padding must be [0, 0] for batch and channels of {data_format}, not {padding}.")
        return "EXPLICIT", [size for pair in sizes for size in pair]
    if padding not in ("SAME", "VALID"):
        known = '"SAME", "VALID"' + (', "EXPLICIT"' if explicit else "")
        raise ValueError(f"Attr 'padding' of '{op_type}' Op passed string '{padding}' not in: {known}.")
    return padding, []


def pads(size: int, window: int, stride: int, padding: str, explicit: Sequence[int] = ()) -> tuple[int, int]:
    """How much is added before and after a dimension.

    Args:
        size: The dimension's size.
        window: The window's size, dilation included.
        stride: The stride.
        padding: ``'SAME'``, ``'VALID'`` or ``'EXPLICIT'``.
        explicit: Before and after, for ``'EXPLICIT'``.

    Returns:
        Before and after; for ``'SAME'`` the odd one goes after.
    """
    if padding == "EXPLICIT":
        return explicit[0], explicit[1]
    if padding == "VALID":
        return 0, 0
    total = max((-(-size // stride) - 1) * stride + window - size, 0)
    return total // 2, total - total // 2


def output_size(
    op: Operation,
    size: int | None,
    window: int | None,
    stride: int,
    padding: str,
    explicit: Sequence[int] = (),
    dilation: int = 1,
) -> int | None:
    """How many windows fit along a dimension; None when it is not known.

    Raises:
        ValueError: If not a single one fits.
    """
    if size is None or (window is None and padding != "SAME"):
        return None
    if padding == "SAME":
        return -(-size // stride)
    assert window is not None
    window = (window - 1) * dilation + 1
    size += sum(explicit)
    if size < window:
        raise misfit(op, f"Negative dimension size caused by subtracting {window} from {size}")
    return (size - window) // stride + 1


def merged(op: Operation, one: int | None, other: int | None) -> int | None:
    """The known one of two sizes that must be equal.

    Raises:
        ValueError: If they differ.
    """
    if one is not None and other is not None and one != other:
        raise misfit(op, f"Dimensions must be equal, but are {one} and {other}")
    return other if one is None else one


def convolved_sizes(op: Operation, rank: int) -> tuple[list[int | None], tuple[int | None, ...], int]:
    """The sizes of a convolution's output, its channels still those of the input.

    Args:
        op: The convolution, with the input and the filter as its inputs.
        rank: The rank of both.

    Returns:
        The output's sizes, the filter's sizes, and the position of the channels.

    Raises:
        ValueError: If the shapes do not fit.
    """
    attrs = op._attrs
    data_format: str = attrs["data_format"]
    sizes, window = with_rank(op, 0, rank), with_rank(op, 1, rank)
    explicit = attrs.get("explicit_paddings") or [0] * (2 * rank)
    out = list(sizes)
    for position, axis in enumerate(spatial_axes(data_format)):
        out[axis] = output_size(
            op, sizes[axis], window[position], attrs["strides"][axis], attrs["padding"],
            explicit[2 * axis : 2 * axis + 2], attrs["dilations"][axis],
        )  # fmt: skip
    return out, window, data_format.index("C")


def check_strides(strides: Sequence[int], data_format: str) -> None:
    """Raises NotImplementedError for strides over batch or channels."""
    if any(stride != 1 and letter in "NC" for stride, letter in zip(strides, data_format, strict=True)):
        raise NotImplementedError(
            f"Strides in the batch and channel dimensions are not supported: strides {list(strides)} for {data_format}"
        )


def one_of(name: str, value: Any, alias: str, other: Any) -> Any:
    """The one that is given of an argument and its alias.

    Raises:
        ValueError: If both are given, or neither.
    """
    if value is not None and other is not None:
        raise ValueError(f"Cannot specify both '{name}' and '{alias}'")
    if value is None and other is None:
        raise ValueError(f"'{name}' must be given")
    return other if value is None else value
