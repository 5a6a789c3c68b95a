"""Operations on the bits of integers."""

from __future__ import annotations

from monitored._ops.math import bitwise_and as bitwise_and
from monitored._ops.math import bitwise_or as bitwise_or
from monitored._ops.math import bitwise_xor as bitwise_xor
from monitored._ops.math import invert as invert
from monitored._ops.math import left_shift as left_shift
from monitored._ops.math import right_shift as right_shift

__all__ = [
    "bitwise_and",
    "bitwise_or",
    "bitwise_xor",
    "invert",
    "left_shift",
    "right_shift",
]
