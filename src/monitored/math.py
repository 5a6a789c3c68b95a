"""Mathematics: elementwise functions, reductions, segments, cumulative sums."""

from __future__ import annotations

from monitored._ops.activations import log_softmax as log_softmax
from monitored._ops.activations import sigmoid as sigmoid
from monitored._ops.activations import softmax as softmax
from monitored._ops.activations import softplus as softplus
from monitored._ops.activations import softsign as softsign
from monitored._ops.casts import angle as angle
from monitored._ops.casts import cast as cast
from monitored._ops.casts import complex as complex
from monitored._ops.casts import conj as conj
from monitored._ops.casts import imag as imag
from monitored._ops.casts import real as real
from monitored._ops.gathering import invert_permutation as invert_permutation
from monitored._ops.linalg import matmul as matmul
from monitored._ops.linalg import tensordot as tensordot
from monitored._ops.math import abs as abs
from monitored._ops.math import accumulate_n as accumulate_n
from monitored._ops.math import acos as acos
from monitored._ops.math import acosh as acosh
from monitored._ops.math import add as add
from monitored._ops.math import add_n as add_n
from monitored._ops.math import asin as asin
from monitored._ops.math import asinh as asinh
from monitored._ops.math import atan as atan
from monitored._ops.math import atan2 as atan2
from monitored._ops.math import atanh as atanh
from monitored._ops.math import ceil as ceil
from monitored._ops.math import cos as cos
from monitored._ops.math import cosh as cosh
from monitored._ops.math import digamma as digamma
from monitored._ops.math import div as div
from monitored._ops.math import div_no_nan as div_no_nan
from monitored._ops.math import divide as divide
from monitored._ops.math import divide_no_nan as divide_no_nan
from monitored._ops.math import equal as equal
from monitored._ops.math import erf as erf
from monitored._ops.math import erfc as erfc
from monitored._ops.math import exp as exp
from monitored._ops.math import expm1 as expm1
from monitored._ops.math import floor as floor
from monitored._ops.math import floor_div as floor_div
from monitored._ops.math import floordiv as floordiv
from monitored._ops.math import floormod as floormod
from monitored._ops.math import greater as greater
from monitored._ops.math import greater_equal as greater_equal
from monitored._ops.math import is_finite as is_finite
from monitored._ops.math import is_inf as is_inf
from monitored._ops.math import is_nan as is_nan
from monitored._ops.math import less as less
from monitored._ops.math import less_equal as less_equal
from monitored._ops.math import lgamma as lgamma
from monitored._ops.math import log as log
from monitored._ops.math import log1p as log1p
from monitored._ops.math import logical_and as logical_and
from monitored._ops.math import logical_not as logical_not
from monitored._ops.math import logical_or as logical_or
from monitored._ops.math import logical_xor as logical_xor
from monitored._ops.math import maximum as maximum
from monitored._ops.math import minimum as minimum
from monitored._ops.math import mod as mod
from monitored._ops.math import multiply as multiply
from monitored._ops.math import multiply_no_nan as multiply_no_nan
from monitored._ops.math import negative as negative
from monitored._ops.math import not_equal as not_equal
from monitored._ops.math import pow as pow
from monitored._ops.math import realdiv as realdiv
from monitored._ops.math import reciprocal as reciprocal
from monitored._ops.math import reciprocal_no_nan as reciprocal_no_nan
from monitored._ops.math import rint as rint
from monitored._ops.math import round as round
from monitored._ops.math import rsqrt as rsqrt
from monitored._ops.math import scalar_mul as scalar_mul
from monitored._ops.math import sign as sign
from monitored._ops.math import sin as sin
from monitored._ops.math import sinh as sinh
from monitored._ops.math import sqrt as sqrt
from monitored._ops.math import square as square
from monitored._ops.math import squared_difference as squared_difference
from monitored._ops.math import subtract as subtract
from monitored._ops.math import tan as tan
from monitored._ops.math import tanh as tanh
from monitored._ops.math import truediv as truediv
from monitored._ops.math import truncatediv as truncatediv
from monitored._ops.math import truncatemod as truncatemod
from monitored._ops.math import xdivy as xdivy
from monitored._ops.math import xlogy as xlogy
from monitored._ops.nn import in_top_k as in_top_k
from monitored._ops.nn import top_k as top_k
from monitored._ops.nn import zero_fraction as zero_fraction
from monitored._ops.normalization import l2_normalize as l2_normalize
from monitored._ops.reductions import arg_max as arg_max
from monitored._ops.reductions import arg_min as arg_min
from monitored._ops.reductions import argmax as argmax
from monitored._ops.reductions import argmin as argmin
from monitored._ops.reductions import count_nonzero as count_nonzero
from monitored._ops.reductions import reduce_all as reduce_all
from monitored._ops.reductions import reduce_any as reduce_any
from monitored._ops.reductions import reduce_euclidean_norm as reduce_euclidean_norm
from monitored._ops.reductions import reduce_logsumexp as reduce_logsumexp
from monitored._ops.reductions import reduce_max as reduce_max
from monitored._ops.reductions import reduce_mean as reduce_mean
from monitored._ops.reductions import reduce_min as reduce_min
from monitored._ops.reductions import reduce_prod as reduce_prod
from monitored._ops.reductions import reduce_std as reduce_std
from monitored._ops.reductions import reduce_sum as reduce_sum
from monitored._ops.reductions import reduce_variance as reduce_variance
from monitored._ops.segments import segment_max as segment_max
from monitored._ops.segments import segment_mean as segment_mean
from monitored._ops.segments import segment_min as segment_min
from monitored._ops.segments import segment_prod as segment_prod
from monitored._ops.segments import segment_sum as segment_sum
from monitored._ops.segments import unsorted_segment_max as unsorted_segment_max
from monitored._ops.segments import unsorted_segment_mean as unsorted_segment_mean
from monitored._ops.segments import unsorted_segment_min as unsorted_segment_min
from monitored._ops.segments import unsorted_segment_prod as unsorted_segment_prod
from monitored._ops.segments import unsorted_segment_sqrt_n as unsorted_segment_sqrt_n
from monitored._ops.segments import unsorted_segment_sum as unsorted_segment_sum
from monitored._ops.sequences import cumprod as cumprod
from monitored._ops.sequences import cumsum as cumsum
from monitored._ops.sequences import cumulative_logsumexp as cumulative_logsumexp
from monitored._ops.sequences import range as range
from monitored._ops.special import bessel_i0e as bessel_i0e
from monitored._ops.special import bessel_i1e as bessel_i1e
from monitored._ops.special import betainc as betainc
from monitored._ops.special import igamma as igamma
from monitored._ops.special import igammac as igammac
from monitored._ops.special import nextafter as nextafter
from monitored._ops.special import polygamma as polygamma
from monitored._ops.special import zeta as zeta

__all__ = [
    "abs",
    "accumulate_n",
    "acos",
    "acosh",
    "add",
    "add_n",
    "angle",
    "arg_max",
    "arg_min",
    "argmax",
    "argmin",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "bessel_i0e",
    "bessel_i1e",
    "betainc",
    "cast",
    "ceil",
    "complex",
    "conj",
    "cos",
    "cosh",
    "count_nonzero",
    "cumprod",
    "cumsum",
    "cumulative_logsumexp",
    "digamma",
    "div",
    "div_no_nan",
    "divide",
    "divide_no_nan",
    "equal",
    "erf",
    "erfc",
    "exp",
    "expm1",
    "floor",
    "floor_div",
    "floordiv",
    "floormod",
    "greater",
    "greater_equal",
    "igamma",
    "igammac",
    "imag",
    "in_top_k",
    "invert_permutation",
    "is_finite",
    "is_inf",
    "is_nan",
    "l2_normalize",
    "less",
    "less_equal",
    "lgamma",
    "log",
    "log1p",
    "log_softmax",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "matmul",
    "maximum",
    "minimum",
    "mod",
    "multiply",
    "multiply_no_nan",
    "negative",
    "nextafter",
    "not_equal",
    "polygamma",
    "pow",
    "range",
    "real",
    "realdiv",
    "reciprocal",
    "reciprocal_no_nan",
    "reduce_all",
    "reduce_any",
    "reduce_euclidean_norm",
    "reduce_logsumexp",
    "reduce_max",
    "reduce_mean",
    "reduce_min",
    "reduce_prod",
    "reduce_std",
    "reduce_sum",
    "reduce_variance",
    "rint",
    "round",
    "rsqrt",
    "scalar_mul",
    "segment_max",
    "segment_mean",
    "segment_min",
    "segment_prod",
    "segment_sum",
    "sigmoid",
    "sign",
    "sin",
    "sinh",
    "softmax",
    "softplus",
    "softsign",
    "sqrt",
    "square",
    "squared_difference",
    "subtract",
    "tan",
    "tanh",
    "tensordot",
    "top_k",
    "truediv",
    "truncatediv",
    "truncatemod",
    "unsorted_segment_max",
    "unsorted_segment_mean",
    "unsorted_segment_min",
    "unsorted_segment_prod",
    "unsorted_segment_sqrt_n",
    "unsorted_segment_sum",
    "xdivy",
    "xlogy",
    "zero_fraction",
    "zeta",
]
