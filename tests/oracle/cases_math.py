"""Elementwise functions, operators, clipping and sequences."""

import numpy as np

from oracle.cases import Group, floats, ints

case = Group("math")
F = floats(2, 3)
G = floats(3, seed=1)
NAN, INF = np.float32("nan"), np.float32("inf")
EDGES = np.array([0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, INF, -INF, NAN, 1e-30, 7.0], np.float32)
POSITIVE = floats(2, 3, low=0.1, high=3.0)
UNIT = floats(2, 3, low=-0.9, high=0.9)
BOOLS = np.array([[True, False, True], [False, False, True]])

for name, data in [
    ("abs", F), ("acos", UNIT), ("acosh", 1 + POSITIVE), ("asin", UNIT), ("asinh", F), ("atan", F),
    ("atanh", UNIT), ("ceil", F), ("cos", F), ("cosh", F), ("digamma", POSITIVE), ("erf", F), ("erfc", F),
    ("exp", F), ("expm1", F), ("floor", F), ("is_finite", EDGES), ("is_inf", EDGES), ("is_nan", EDGES),
    ("lgamma", POSITIVE), ("log", POSITIVE), ("log1p", POSITIVE), ("logical_not", BOOLS), ("negative", F),
    ("reciprocal", POSITIVE), ("rint", F), ("round", F), ("rsqrt", POSITIVE), ("sign", F), ("sin", F),
    ("sinh", F), ("sqrt", POSITIVE), ("square", F), ("tan", UNIT), ("tanh", F),
]:  # fmt: skip
    case(name, lambda tf, x, f=name: getattr(tf, f)(x), data)
    if data.dtype == np.float32 and data is not EDGES:
        case(name + "64", lambda tf, x, f=name: getattr(tf, f)(x, name="mine"), data.astype(np.float64))
for name in ("abs", "sign", "ceil", "floor", "rint", "round", "square", "exp", "tanh", "sqrt", "log"):
    # TensorFlow 1.15 finds that NaN has a sign.
    data = EDGES[EDGES == EDGES][2:] if name in ("abs", "sign") else EDGES
    case(name + "_edges", lambda tf, x, f=name: getattr(tf, f)(x), data, grad=name not in ("sqrt", "log"))
case("abs_zero", lambda tf, x: tf.abs(x), np.float32([0.0, -0.0, 1.0]))
for name in ("abs", "negative", "sign", "square", "round"):
    case(name + "_int", lambda tf, x, f=name: getattr(tf, f)(x), ints(2, 3))
for name in ("sqrt", "exp", "erf", "is_nan", "floor", "ceil"):
    case(name + "_int", lambda tf, x, f=name: getattr(tf, f)(x), ints(2, 3))
case("sqrt_python_int", lambda tf: tf.sqrt(4))
case("exp_python_float", lambda tf: tf.exp(1.0))
case("square_list", lambda tf: tf.square([1.0, 2.0]))
case("reciprocal_edges", lambda tf, x: tf.reciprocal(x), EDGES, grad=False)

BINARY = [
    "add", "subtract", "multiply", "divide", "div", "realdiv", "truediv", "floordiv", "floor_div", "mod",
    "floormod", "div_no_nan", "pow", "maximum", "minimum", "squared_difference", "less", "less_equal",
    "greater", "greater_equal", "equal", "not_equal", "atan2",
]  # fmt: skip
for name in BINARY:
    case(name, lambda tf, x, y, f=name: getattr(tf, f)(x, y), POSITIVE, floats(3, low=0.3, high=2.0))
    case(name + "_columns", lambda tf, x, y, f=name: getattr(tf, f)(x, y), POSITIVE[:, :1], floats(1, 3, low=0.3))
    case(name + "_number", lambda tf, x, f=name: getattr(tf, f)(x, 2.0, name="mine"), POSITIVE)
    case(name + "_number_first", lambda tf, x, f=name: getattr(tf, f)(1.5, x), POSITIVE)
    case(name + "_mismatch", lambda tf, x, y, f=name: getattr(tf, f)(x, y), F, ints(2, 3))
    case(name + "_shapes", lambda tf, x, y, f=name: getattr(tf, f)(x, y), F, floats(2, 4))
for name in [*BINARY, "truncatediv", "truncatemod"]:
    if name not in ("realdiv", "div_no_nan", "atan2", "pow"):
        case(name + "_int", lambda tf, x, y, f=name: getattr(tf, f)(x, y), ints(2, 3), ints(2, 3, low=1, seed=1))
        case(name + "_int_neg", lambda tf, x, y, f=name: getattr(tf, f)(x, y), ints(2, 3), ints(3, low=-4, high=0))
case("pow_int", lambda tf, x, y: tf.pow(x, y), ints(2, 3), ints(2, 3, low=0, high=4))
case(
    "pow_negative_base",
    lambda tf, x, y: tf.pow(x, y),
    np.array([-2.0, -1.0, 3.0], np.float32),
    np.array([2.0, 3.0, 2.0], np.float32),
)
case("pow_zero_base", lambda tf, x, y: tf.pow(x, y), np.zeros(2, np.float32), np.array([2.0, 3.0], np.float32))
case("mod_negative", lambda tf, x, y: tf.mod(x, y), F, floats(2, 3, low=-2.0, high=-0.5))
case("floordiv_negative", lambda tf, x, y: tf.floordiv(x, y), F, floats(2, 3, low=-2.0, high=-0.5))
case("maximum_ties", lambda tf, x, y: tf.maximum(x, y), np.zeros(3, np.float32), np.zeros(3, np.float32))
case("minimum_ties", lambda tf, x, y: tf.minimum(x, y), np.zeros(3, np.float32), np.zeros(3, np.float32))
case("maximum_scalar", lambda tf, x: tf.maximum(x, 0.0), np.array([-1.0, 0.0, 2.0], np.float32))
case(
    "div_no_nan_zero",
    lambda tf, x, y: tf.div_no_nan(x, y),
    np.array([1.0, 0.0, 2.0], np.float32),
    np.array([0.0, 0.0, 4.0], np.float32),
)
case(
    "multiply_no_nan",
    lambda tf, x, y: tf.math.multiply_no_nan(x, y),
    np.array([INF, 1.0, 2.0], np.float32),
    np.array([0.0, 0.0, 4.0], np.float32),
    grad=False,
)
case(
    "xlogy",
    lambda tf, x, y: tf.math.xlogy(x, y),
    np.array([0.0, 1.0, 2.0], np.float32),
    np.array([0.0, 3.0, 4.0], np.float32),
)
case(
    "xdivy",
    lambda tf, x, y: tf.math.xdivy(x, y),
    np.array([0.0, 1.0, 2.0], np.float32),
    np.array([0.0, 3.0, 4.0], np.float32),
)
case("reciprocal_no_nan", lambda tf, x: tf.math.reciprocal_no_nan(x), np.array([0.0, 2.0], np.float32))
case("less_edges", lambda tf, x, y: tf.less(x, y), EDGES, np.float32(0.5))
case("equal_nan", lambda tf, x: tf.equal(x, x), EDGES)
case("equal_bool", lambda tf, x: tf.equal(x, True), BOOLS)
for name in ("logical_and", "logical_or", "logical_xor"):
    case(name, lambda tf, x, y, f=name: getattr(tf, f)(x, y), BOOLS, ~BOOLS[:1])
    case(name + "_float", lambda tf, x, f=name: getattr(tf, f)(x, x), F)
case("scalar_mul", lambda tf, x: tf.scalar_mul(2.0, x), F)
case("igamma", lambda tf, a, x: tf.igamma(a, x), POSITIVE, POSITIVE + 1, grad=False)
case("igammac", lambda tf, a, x: tf.igammac(a, x), POSITIVE, POSITIVE + 1, grad=False)
case(
    "betainc", lambda tf, a, b, x: tf.betainc(a, b, x), POSITIVE, POSITIVE + 1, np.abs(UNIT), grad=False, tolerance=1e-4
)
case("zeta", lambda tf, x, q: tf.zeta(x, q), POSITIVE + 1.5, POSITIVE, grad=False, tolerance=1e-4)
case("polygamma", lambda tf, x: tf.polygamma(1.0, x), POSITIVE, grad=False, tolerance=1e-4)
for name in ("bitwise_and", "bitwise_or", "bitwise_xor"):
    case(name, lambda tf, x, y, f=name: getattr(tf.bitwise, f)(x, y), ints(2, 3), ints(3, seed=1))
case("invert", lambda tf, x: tf.bitwise.invert(x), ints(2, 3))
case(
    "shift",
    lambda tf, x, y: [tf.bitwise.left_shift(x, y), tf.bitwise.right_shift(x, y)],
    ints(2, 3),
    ints(3, low=0, high=5),
)

# Python's operators.
OPERATORS = {
    "+": lambda x, y: x + y, "-": lambda x, y: x - y, "*": lambda x, y: x * y, "/": lambda x, y: x / y,
    "//": lambda x, y: x // y, "%": lambda x, y: x % y, "**": lambda x, y: x**y, "<": lambda x, y: x < y,
    "<=": lambda x, y: x <= y, ">": lambda x, y: x > y, ">=": lambda x, y: x >= y,
}  # fmt: skip
for symbol, function in OPERATORS.items():
    case("operator" + symbol, lambda tf, x, y, f=function: f(x, y), POSITIVE, floats(3, low=0.5))
    case(f"operator{symbol}_number", lambda tf, x, f=function: f(x, 2), POSITIVE)
    case(f"operator{symbol}_number_first", lambda tf, x, f=function: f(3, x), POSITIVE)
    case(f"operator{symbol}_array", lambda tf, x, f=function: f(x, np.float32([1, 2, 3])), POSITIVE)
    case(f"operator{symbol}_array_first", lambda tf, x, f=function: f(np.float32([1, 2, 3]), x), POSITIVE)
    case(f"operator{symbol}_list", lambda tf, x, f=function: f(x, [1, 2, 3]), POSITIVE)
    case(f"operator{symbol}_int", lambda tf, x, y, f=function: f(x, y), ints(2, 3, low=1), ints(3, low=1))
    case(f"operator{symbol}_int_number", lambda tf, x, f=function: f(x, 2), ints(2, 3, low=1))
    case(f"operator{symbol}_int_float", lambda tf, x, f=function: f(x, 1.5), ints(2, 3, low=1))
    case(f"operator{symbol}_float_int", lambda tf, x, y, f=function: f(x, y), POSITIVE, ints(3, low=1))
case("operator-unary", lambda tf, x: [-x, abs(x), -(x + x)], F)
case("operator_logical", lambda tf, x, y: [x & y, x | y, x ^ y, ~x, x & True, True | x], BOOLS, ~BOOLS)
case("operator@", lambda tf, x, y: x @ y, F, floats(3, 2))
case("operator@_array", lambda tf, x: np.ones((4, 2), np.float32) @ x, F)
case("operator/_int64", lambda tf, x: x / 2, ints(2, 3, dtype=np.int64))
case("operator/_int8", lambda tf, x: x / x, ints(2, 3, low=1, dtype=np.int8))

# Types.
for source in ("float32", "float64", "int32", "int64", "uint8", "int16", "bool", "float16"):
    for target in ("float32", "float64", "int32", "int64", "uint8", "bool", "float16"):
        case(
            f"cast_{source}_{target}",
            lambda tf, x, t=target: tf.cast(x, t),
            floats(2, 3, low=0.0, high=9.0).astype(source),
        )
case("cast_negative", lambda tf, x: tf.cast(x, tf.int32), F)
case("cast_number", lambda tf: tf.cast(3, tf.float32))
case("cast_complex", lambda tf, x: tf.real(tf.cast(x, tf.complex64)), F)
case("to_types", lambda tf, x: [tf.to_float(x), tf.to_double(x), tf.to_int32(x), tf.to_int64(x)], ints(2, 3))
case("saturate_cast", lambda tf, x: tf.saturate_cast(x, tf.uint8), 200 * F)
case("saturate_cast_int", lambda tf, x: tf.saturate_cast(x, tf.int8), 100 * ints(2, 3))
case("complex", lambda tf, x, y: tf.abs(tf.complex(x, y)), F, F[::-1])
case(
    "complex_parts",
    lambda tf, x, y: [f(tf.complex(x, y)) for f in (tf.real, tf.imag, tf.angle)],
    F,
    F[::-1],
)
case(
    "complex_conj",
    lambda tf, x, y: [tf.imag(tf.conj(tf.complex(x, y))), tf.conj(x), tf.real(x)],
    F,
    F[::-1],
)
case("complex_product", lambda tf, x, y: tf.imag(tf.complex(x, y) * tf.complex(y, x)), F, F[::-1] + 1)

# Choosing and adding up.
case("where", lambda tf, c, x, y: tf.where(c, x, y), BOOLS, F, -F)
case("where_scalar", lambda tf, c, x, y: tf.where(c, x, y), np.bool_(True), F, -F)
case("where_rows", lambda tf, c, x, y: tf.where(c, x, y), np.array([True, False]), F, -F)
case("where_shapes", lambda tf, c, x, y: tf.where(c, x, y), BOOLS, F, G)
case("where_one", lambda tf, c, x: tf.where(c, x), BOOLS, F)
case("where_nan", lambda tf, x: tf.where(x > 0, tf.log(x), tf.zeros_like(x)), F, grad=False)
case("where_v2", lambda tf, c, x, y: tf.where_v2(c, x, y), BOOLS, F, G)
case("add_n", lambda tf, x, y: tf.add_n([x, y, x]), F, -2 * F)
case("add_n_one", lambda tf, x: tf.add_n([x]) + 1.0, F)
case("add_n_one_named", lambda tf, x: tf.add_n([x], name="mine"), F)
case("add_n_shapes", lambda tf, x, y: tf.add_n([x, y]), F, G)
case("accumulate_n", lambda tf, x, y: tf.accumulate_n([x, y]), F, -2 * F)

# Clipping.
case("clip_by_value", lambda tf, x: tf.clip_by_value(x, -1.0, 1.0), F)
case("clip_by_value_ties", lambda tf, x: tf.clip_by_value(x, -1.0, 1.0), np.float32([-1, 1, 0, 2, -2]))
case("clip_by_value_tensors", lambda tf, x, a, b: tf.clip_by_value(x, a, b), F, np.float32(-1), G + 3)
case("clip_by_value_int", lambda tf, x: tf.clip_by_value(x, -1, 1), ints(2, 3))
case("clip_by_norm", lambda tf, x: tf.clip_by_norm(x, 1.0), F)
case("clip_by_norm_small", lambda tf, x: tf.clip_by_norm(x, 100.0, name="mine"), F)
case("clip_by_norm_zero", lambda tf, x: tf.clip_by_norm(x, 1.0), 0 * F)
case("clip_by_norm_axes", lambda tf, x: tf.clip_by_norm(x, 1.0, axes=[1]), F)
case("clip_by_average_norm", lambda tf, x: tf.clip_by_average_norm(x, 0.1), F)
case("global_norm", lambda tf, x, y: tf.global_norm([x, None, y]), F, G)
case(
    "clip_by_global_norm",
    lambda tf, x, y: [t for t in tf.clip_by_global_norm([x, None, y], 0.5)[0] if t is not None],
    F,
    G,
)
case("clip_by_global_norm_all", lambda tf, x, y: tf.clip_by_global_norm([x, y], 50.0)[1], F, G)
case("clip_by_global_norm_inf", lambda tf, x, y: tf.clip_by_global_norm([x, y], 1.0)[0], EDGES[9:12], G)
case("clip_by_global_norm_use", lambda tf, x, n: tf.clip_by_global_norm([x], 1.0, use_norm=n)[0], F, np.float32(4))

# Sequences.
for axis, exclusive, reverse in ((0, False, False), (1, True, False), (-1, False, True), (0, True, True)):
    label = f"_{axis}_{exclusive:d}_{reverse:d}"
    case("cumsum" + label, lambda tf, x, a=axis, e=exclusive, r=reverse: tf.cumsum(x, a, e, r), F)
    case("cumprod" + label, lambda tf, x, a=axis, e=exclusive, r=reverse: tf.cumprod(x, a, e, r), F)
case("cumsum_int", lambda tf, x: tf.cumsum(x, name="mine"), ints(4))
case("cumsum_axis_range", lambda tf, x: tf.cumsum(x, 2), F)
case("range", lambda tf: [tf.range(5), tf.range(2, 11, 3), tf.range(5, 0, -2), tf.range(1.0, 2.0, 0.25)])
case("range_types", lambda tf: [tf.range(5, dtype=tf.int64), tf.range(0, 3, dtype=tf.float32), tf.range(1, 2.5)])
case("range_tensor", lambda tf, n: tf.range(n), np.int32(4))
case("range_tensor_float", lambda tf, n: tf.range(0.0, n), np.float32(3.5))
case("range_of_shape", lambda tf, x: tf.range(tf.shape(x)[0]), F)
case("range_zero_step", lambda tf: tf.range(1, 5, 0))
case("range_wrong_way", lambda tf: tf.range(5, 1))
case("linspace", lambda tf: [tf.linspace(1.0, 5.0, 4), tf.lin_space(-1.0, 1.0, 1, name="mine")])
case("linspace_tensor", lambda tf, a, b: tf.linspace(a, b, 5), np.float32(-1), np.float32(3), grad=False)
case("histogram_like", lambda tf, x: tf.cast(x * 2.0 > 1.0, tf.int32) + 1, F)
case("shape_error_number", lambda tf, x: tf.add(x, np.ones((2, 2), np.float32)), F)
case("string_plus", lambda tf: tf.add("a", 1))
case("none", lambda tf, x: tf.add(x, None), F)
case("big_int", lambda tf, x: x + 2**40, ints(2, 3))
case("int64_number", lambda tf, x: x * 2 + 2**40, ints(2, 3, dtype=np.int64))
