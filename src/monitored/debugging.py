"""Assertions on tensors."""

# isort: skip_file
from __future__ import annotations

# fmt: off
from monitored._ops.check import (
    assert_equal, assert_greater, assert_greater_equal, assert_integer, assert_less, assert_less_equal, assert_near,
    assert_negative, assert_non_negative, assert_non_positive, assert_none_equal, assert_positive,
    assert_proper_iterable, assert_rank, assert_rank_at_least, assert_rank_in, assert_same_float_dtype,
    assert_scalar, assert_type, ensure_shape, is_numeric_tensor,
)
from monitored._ops.math import is_finite, is_inf, is_nan
from monitored._ops.numerics import check_numerics
from monitored._ops.printing import Assert

__all__ = [
    "Assert", "assert_equal", "assert_greater", "assert_greater_equal", "assert_integer", "assert_less",
    "assert_less_equal", "assert_near", "assert_negative", "assert_non_negative", "assert_non_positive",
    "assert_none_equal", "assert_positive", "assert_proper_iterable", "assert_rank", "assert_rank_at_least",
    "assert_rank_in", "assert_same_float_dtype", "assert_scalar", "assert_type", "check_numerics", "ensure_shape",
    "is_finite", "is_inf", "is_nan", "is_numeric_tensor",
]
# fmt: on
