"""Assertions on tensors."""

from __future__ import annotations

from monitored._ops.check import assert_equal as assert_equal
from monitored._ops.check import assert_greater as assert_greater
from monitored._ops.check import assert_greater_equal as assert_greater_equal
from monitored._ops.check import assert_integer as assert_integer
from monitored._ops.check import assert_less as assert_less
from monitored._ops.check import assert_less_equal as assert_less_equal
from monitored._ops.check import assert_near as assert_near
from monitored._ops.check import assert_negative as assert_negative
from monitored._ops.check import assert_non_negative as assert_non_negative
from monitored._ops.check import assert_non_positive as assert_non_positive
from monitored._ops.check import assert_none_equal as assert_none_equal
from monitored._ops.check import assert_positive as assert_positive
from monitored._ops.check import assert_proper_iterable as assert_proper_iterable
from monitored._ops.check import assert_rank as assert_rank
from monitored._ops.check import assert_rank_at_least as assert_rank_at_least
from monitored._ops.check import assert_rank_in as assert_rank_in
from monitored._ops.check import assert_same_float_dtype as assert_same_float_dtype
from monitored._ops.check import assert_scalar as assert_scalar
from monitored._ops.check import assert_type as assert_type
from monitored._ops.check import ensure_shape as ensure_shape
from monitored._ops.check import is_numeric_tensor as is_numeric_tensor
from monitored._ops.math import is_finite as is_finite
from monitored._ops.math import is_inf as is_inf
from monitored._ops.math import is_nan as is_nan
from monitored._ops.numerics import check_numerics as check_numerics
from monitored._ops.printing import Assert as Assert

__all__ = [
    "Assert",
    "assert_equal",
    "assert_greater",
    "assert_greater_equal",
    "assert_integer",
    "assert_less",
    "assert_less_equal",
    "assert_near",
    "assert_negative",
    "assert_non_negative",
    "assert_non_positive",
    "assert_none_equal",
    "assert_positive",
    "assert_proper_iterable",
    "assert_rank",
    "assert_rank_at_least",
    "assert_rank_in",
    "assert_same_float_dtype",
    "assert_scalar",
    "assert_type",
    "check_numerics",
    "ensure_shape",
    "is_finite",
    "is_inf",
    "is_nan",
    "is_numeric_tensor",
]
