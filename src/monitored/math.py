"""Mathematics: elementwise functions, reductions, segments, cumulative sums."""

# isort: skip_file
from __future__ import annotations

# fmt: off
from monitored._ops.activations import log_softmax, sigmoid, softmax, softplus, softsign
from monitored._ops.casts import angle, cast, complex, conj, imag, real
from monitored._ops.gathering import invert_permutation
from monitored._ops.linalg import matmul, tensordot
from monitored._ops.math import (
    abs, accumulate_n, acos, acosh, add, add_n, asin, asinh, atan, atan2, atanh, ceil, cos, cosh, digamma, div,
    div_no_nan, divide, divide_no_nan, equal, erf, erfc, exp, expm1, floor, floor_div, floordiv, floormod, greater,
    greater_equal, is_finite, is_inf, is_nan, less, less_equal, lgamma, log, log1p, logical_and, logical_not,
    logical_or, logical_xor, maximum, minimum, mod, multiply, multiply_no_nan, negative, not_equal, pow, realdiv,
    reciprocal, reciprocal_no_nan, rint, round, rsqrt, scalar_mul, sign, sin, sinh, sqrt, square,
    squared_difference, subtract, tan, tanh, truediv, truncatediv, truncatemod, xdivy, xlogy,
)
from monitored._ops.nn import in_top_k, top_k, zero_fraction
from monitored._ops.normalization import l2_normalize
from monitored._ops.reductions import (
    arg_max, arg_min, argmax, argmin, count_nonzero, reduce_all, reduce_any, reduce_euclidean_norm,
    reduce_logsumexp, reduce_max, reduce_mean, reduce_min, reduce_prod, reduce_std, reduce_sum, reduce_variance,
)
from monitored._ops.segments import (
    segment_max, segment_mean, segment_min, segment_prod, segment_sum, unsorted_segment_max, unsorted_segment_mean,
    unsorted_segment_min, unsorted_segment_prod, unsorted_segment_sqrt_n, unsorted_segment_sum,
)
from monitored._ops.sequences import cumprod, cumsum, cumulative_logsumexp, range
from monitored._ops.special import bessel_i0e, bessel_i1e, betainc, igamma, igammac, nextafter, polygamma, zeta

__all__ = [
    "abs", "accumulate_n", "acos", "acosh", "add", "add_n", "angle", "arg_max", "arg_min", "argmax", "argmin",
    "asin", "asinh", "atan", "atan2", "atanh", "bessel_i0e", "bessel_i1e", "betainc", "cast", "ceil", "complex",
    "conj", "cos", "cosh", "count_nonzero", "cumprod", "cumsum", "cumulative_logsumexp", "digamma", "div",
    "div_no_nan", "divide", "divide_no_nan", "equal", "erf", "erfc", "exp", "expm1", "floor", "floor_div",
    "floordiv", "floormod", "greater", "greater_equal", "igamma", "igammac", "imag", "in_top_k",
    "invert_permutation", "is_finite", "is_inf", "is_nan", "l2_normalize", "less", "less_equal", "lgamma", "log",
    "log1p", "log_softmax", "logical_and", "logical_not", "logical_or", "logical_xor", "matmul", "maximum",
    "minimum", "mod", "multiply", "multiply_no_nan", "negative", "nextafter", "not_equal", "polygamma", "pow",
    "range", "real", "realdiv", "reciprocal", "reciprocal_no_nan", "reduce_all", "reduce_any",
    "reduce_euclidean_norm", "reduce_logsumexp", "reduce_max", "reduce_mean", "reduce_min", "reduce_prod",
    "reduce_std", "reduce_sum", "reduce_variance", "rint", "round", "rsqrt", "scalar_mul", "segment_max",
    "segment_mean", "segment_min", "segment_prod", "segment_sum", "sigmoid", "sign", "sin", "sinh", "softmax",
    "softplus", "softsign", "sqrt", "square", "squared_difference", "subtract", "tan", "tanh", "tensordot", "top_k",
    "truediv", "truncatediv", "truncatemod", "unsorted_segment_max", "unsorted_segment_mean",
    "unsorted_segment_min", "unsorted_segment_prod", "unsorted_segment_sqrt_n", "unsorted_segment_sum", "xdivy",
    "xlogy", "zero_fraction", "zeta",
]
# fmt: on
