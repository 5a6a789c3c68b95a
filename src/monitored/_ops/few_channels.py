"""Convolutions of few channels on a processor, as a product of matrices.

XLA's convolution gathers a window's values channel by channel, a few bytes at a time when there are few channels. Here
neighbours in a row are computed two at a time, from the values that either of them takes: these are fewer than those of
both, and lie together in memory. The filter of the two is the filter twice, the second time one place further to the
right. On two CPU cores (jax 0.10.2), milliseconds:

    64×28×28×1 → 32, 5×5       XLA's convolution 3.3    here 1.4
    128×28×28×1 → 32, 3×3                        3.5         1.4
    32×32×32×3 → 16, 3×3                         1.7         0.6
    32×32×32×3 → 32, 7×7                         5.7         4.3
    8×64×64×3 → 16, 11×11                         11          26

The gradient of the filter is as fast in XLA's way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import jax
import jax.numpy as jnp

from monitored._ops.barriers import barrier

__all__ = ["convolve_few_channels", "pays"]

_FEW: Final = 4  # channels
_MOST: Final = 128  # values that two neighbours take
_TYPES: Final = ("float32", "float64")


def pays(
    x: Any, w: Any, strides: Sequence[int], added: Sequence[tuple[int, int]], data_format: str, dilations: Sequence[int]
) -> bool:
    """Whether `convolve_few_channels` can be used and is faster than XLA's convolution.

    Args:
        x: The input.
        w: The filter.
        strides: How far the filter moves in each dimension of the input.
        added: How much is added before and after the dimensions that it moves in.
        data_format: The order of the input's dimensions.
        dilations: The distances between the filter's taps.
    """
    return (
        data_format == "NHWC"
        and jax.default_backend() == "cpu"
        and x.dtype.name in _TYPES
        and x.shape[3] == w.shape[2] <= _FEW
        and w.shape[1] > 1
        and w.shape[0] * 2 * _pairs_taken(w) * w.shape[2] <= _MOST
        and {*strides, *dilations} == {1}
        and min(_sizes(x, w, added)) > 0
    )


def convolve_few_channels(x: Any, w: Any, added: Sequence[tuple[int, int]]) -> Any:
    """A convolution that moves in steps of 1.

    Args:
        x: ``[batch, height, width, channels]``.
        w: ``[filter height, filter width, channels, outputs]``, of the same type.
        added: How many zeros are added above and below, and to the left and right.

    Returns:
        ``[batch, height', width', outputs]``.
    """
    (rows, columns, _, outputs), (height, width) = w.shape, _sizes(x, w, added)
    pairs, taken = -(-width // 2), _pairs_taken(w)  # of outputs in a row, and of inputs for each
    left = added[1][0]
    right = 2 * (pairs + taken - 1) - x.shape[2] - left
    x = jnp.pad(x, ((0, 0), added[0], (left, right), (0, 0)))
    x = x.reshape(*x.shape[:2], pairs + taken - 1, 2 * x.shape[3])
    x = jnp.concatenate([x[:, :, i : i + pairs] for i in range(taken)], 3)
    x = barrier(jnp.concatenate([x[:, i : i + height] for i in range(rows)], 3))
    both = [jnp.pad(w, ((0, 0), (i, 2 * taken - columns - i), (0, 0), (0, 0))) for i in (0, 1)]
    product = x.reshape(-1, x.shape[3]) @ jnp.stack(both, 3).reshape(-1, 2 * outputs)
    return product.reshape(*x.shape[:2], 2 * pairs, outputs)[:, :, :width]


def _pairs_taken(w: Any) -> int:
    """How many pairs of neighbours in a row hold the values that two outputs take."""
    return int(w.shape[1]) // 2 + 1


def _sizes(x: Any, w: Any, added: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The output's height and width."""
    height, width = (x.shape[1 + i] + sum(added[i]) - w.shape[i] + 1 for i in (0, 1))
    return height, width
