"""Values as text, as TensorFlow's `Print`, `Assert` and `print` write them."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

__all__ = ["leading_values", "outer_values"]


_ESCAPES: Final = str.maketrans({c: f"\\{n}" for c, n in zip("\\\"'\n\r\t", "\\\"'nrt", strict=True)})


def _number(value: Any, quote: bool) -> str:
    if isinstance(value, bytes):
        text = value.decode(errors="backslashreplace").translate(_ESCAPES)
        return f'"{text}"' if quote else text
    if isinstance(value, (bool, np.bool_)):
        return str(int(value))
    if isinstance(value, np.complexfloating):
        return f"({_number(value.real, quote)},{_number(value.imag, quote)})"
    if isinstance(value, (float, np.floating)) or not isinstance(value, np.integer):
        # The shorter form when it reads back as the same number.
        few, many = (15, 17) if isinstance(value, np.float64) else (6, 9)
        number = float(value)
        short = f"{number:.{few}g}"
        exact = float(np.float64(short) if few == 15 else np.float32(short))
        return short if exact == number or number != number else f"{number:.{many}g}"
    return str(value)


def leading_values(value: Any, limit: int) -> str:
    """A value as ``[[1 2 3][4...]...]``: its first elements, within brackets for each dimension.

    Args:
        value: An array or scalar.
        limit: The number of elements; negative for all.

    Returns:
        The text.
    """
    array = np.asarray(value)
    limit = array.size if limit < 0 else limit
    text = _leading(array, [limit], inner=False) if array.size else ""
    return f"[{text}{'...' if array.size > limit else ''}]"


def _leading(array: np.ndarray[Any, Any], left: list[int], inner: bool) -> str:
    """The elements that fit into `left`, the number still to be shown."""
    if not array.ndim:
        return _number(array[()], quote=False) if left[0] else ""
    if array.ndim == 1:
        shown = array[: left[0]]
        left[0] -= len(shown)
        more = "..." if inner and len(shown) < len(array) else ""
        return " ".join(_number(v, quote=False) for v in shown) + more
    parts = []
    for row in array:
        if not left[0]:
            break
        parts.append(f"[{_leading(row, left, inner=True)}]")
    return "".join(parts)


def outer_values(value: Any, edge: int) -> str:
    """A value as NumPy would print it, the first and last elements of each dimension on aligned lines.

    Args:
        value: An array or scalar.
        edge: How many elements to show at each end of a dimension; negative for all.

    Returns:
        The text.
    """
    return _outer(np.asarray(value), edge, 1)


def _outer(array: Any, edge: int, depth: int) -> str:
    if not np.ndim(array):
        return _number(array[()] if isinstance(array, np.ndarray) else array, quote=True)
    count = len(array)
    whole = edge < 0 or count <= 2 * edge
    items = [_outer(row, edge, depth + 1) for row in (array if whole else array[:edge])]
    if not whole:
        items += ["...", *(_outer(row, edge, depth + 1) for row in array[count - edge :])]
    separator = " " if array.ndim == 1 else "\n" + " " * depth
    return f"[{separator.join(items)}]"
