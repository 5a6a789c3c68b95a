"""Operations on the bits of integers."""

from __future__ import annotations

# fmt: off
from monitored._ops.math import bitwise_and, bitwise_or, bitwise_xor, invert, left_shift, right_shift

__all__ = ["bitwise_and", "bitwise_or", "bitwise_xor", "invert", "left_shift", "right_shift"]
# fmt: on
