"""Reductions, arguments of extremes, segments and norms."""

import numpy as np

from oracle.cases import Group, floats, ints

case = Group("reductions")
F = floats(2, 3, 4)
BOOLS = F > 0
TIES = np.float32([[1, 2, 2], [0, 0, 0]])

for name in ("sum", "mean", "max", "min", "prod", "logsumexp"):
    full = "reduce_" + name
    case(name, lambda tf, x, f=full: getattr(tf, f)(x), F)
    for axis in (1, [0, -1], []):
        case(f"{name}_{axis}", lambda tf, x, f=full, a=axis: getattr(tf, f)(x, a), F)
    case(name + "_keep", lambda tf, x, f=full: getattr(tf, f)(x, axis=-1, keepdims=True), F)
    case(
        name + "_old_names",
        lambda tf, x, f=full: getattr(tf, f)(x, reduction_indices=[1], keep_dims=True, name="mine"),
        F,
    )
    case(name + "_range", lambda tf, x, f=full: getattr(tf, f)(x, 3), F)
    case(name + "_64", lambda tf, x, f=full: getattr(tf, f)(x, 1), F.astype(np.float64))
    case(name + "_half", lambda tf, x, f=full: getattr(tf, f)(x, 1), F.astype(np.float16), tolerance=4e-3)
    case(name + "_axis_tensor", lambda tf, x, a, f=full: getattr(tf, f)(x, a), F, np.int32(1), grad=False)
    case(name + "_scalar", lambda tf, x, f=full: getattr(tf, f)(x), np.float32(3))
    case(name + "_list", lambda tf, f=full: getattr(tf, f)([1.0, 2.0]))
    if name != "logsumexp":
        case(name + "_int", lambda tf, x, f=full: getattr(tf, f)(x, 1), ints(2, 3, 4))
        case(name + "_int_all", lambda tf, x, f=full: getattr(tf, f)(x), ints(2, 3, dtype=np.int64))
        case(name + "_empty", lambda tf, x, f=full: getattr(tf, f)(x, 1), np.zeros((2, 0), np.float32), grad=False)
    case(name + "_ties", lambda tf, x, f=full: getattr(tf, f)(x, 1), TIES)
    case(name + "_bool", lambda tf, x, f=full: getattr(tf, f)(x), BOOLS)
case("prod_zeros", lambda tf, x: tf.reduce_prod(x, 1), np.float32([[0, 2, 3], [0, 0, 3], [1, 2, 3]]))
case(
    "logsumexp_inf", lambda tf, x: tf.reduce_logsumexp(x, 1), np.float32([[-np.inf, -np.inf], [0, np.inf]]), grad=False
)
for name in ("all", "any"):
    full = "reduce_" + name
    for axis in (None, 0, [0, 2]):
        case(f"{name}_{axis}", lambda tf, x, f=full, a=axis: getattr(tf, f)(x, a), BOOLS)
    case(name + "_keep", lambda tf, x, f=full: getattr(tf, f)(x, 1, keepdims=True), BOOLS)
    case(name + "_float", lambda tf, x, f=full: getattr(tf, f)(x), F)
case("both_axes", lambda tf, x: tf.reduce_sum(x, axis=1, reduction_indices=1), F)
case("both_keeps", lambda tf, x: tf.reduce_sum(x, 1, keepdims=True, keep_dims=True), F)
case("euclidean_norm", lambda tf, x: tf.math.reduce_euclidean_norm(x, 1), F, grad=False)
case("std", lambda tf, x: [tf.math.reduce_std(x, 1), tf.math.reduce_std(x, keepdims=True)], F)
case("variance", lambda tf, x: [tf.math.reduce_variance(x, 1), tf.math.reduce_variance(x)], F)
for name in ("argmax", "argmin"):
    case(name, lambda tf, x, f=name: getattr(tf, f)(x), F)
    case(name + "_last", lambda tf, x, f=name: getattr(tf, f)(x, -1), F)
    case(name + "_int32", lambda tf, x, f=name: getattr(tf, f)(x, 1, output_type=tf.int32), F)
    case(name + "_dimension", lambda tf, x, f=name: getattr(tf, f)(x, dimension=2, name="mine"), F)
    case(name + "_ties", lambda tf, x, f=name: getattr(tf, f)(x, 1), TIES)
    case(name + "_ints", lambda tf, x, f=name: getattr(tf, f)(x, 1), ints(2, 5))
    case(name + "_range", lambda tf, x, f=name: getattr(tf, f)(x, 3), F)
    case(name + "_old", lambda tf, x, f=name: getattr(tf, f[:3] + "_" + f[3:])(x, 1), F)
case("count_nonzero", lambda tf, x: tf.count_nonzero(x), ints(2, 3, low=0, high=2))
case("count_nonzero_axis", lambda tf, x: tf.count_nonzero(x, axis=1, dtype=tf.int32, keepdims=True), F.clip(0, 1))
case("count_nonzero_old", lambda tf, x: tf.count_nonzero(x, reduction_indices=[0]), ints(2, 3, low=0, high=2))
case("count_nonzero_bool", lambda tf, x: tf.count_nonzero(x), BOOLS)

IDS = np.int32([0, 0, 2, 2])
DATA = floats(4, 2)
for name in ("sum", "mean", "max", "min", "prod"):
    case("segment_" + name, lambda tf, x, f=name: getattr(tf, "segment_" + f)(x, IDS), DATA, grad=name not in ("prod",))
    case(
        f"segment_{name}_fed",
        lambda tf, x, i, f=name: getattr(tf, "segment_" + f)(x, i, name="mine"),
        DATA,
        IDS,
        grad=name not in ("prod",),
    )
for name in ("sum", "mean", "max", "min", "prod", "sqrt_n"):
    case(
        "unsorted_segment_" + name,
        lambda tf, x, f=name: getattr(tf, "unsorted_segment_" + f)(x, [2, 0, -1, 2], 4),
        DATA,
    )
    case(
        f"unsorted_segment_{name}_fed",
        lambda tf, x, i, f=name: getattr(tf, "unsorted_segment_" + f)(x, i, 3, name="mine"),
        DATA,
        IDS[::-1].copy(),
    )
case("unsorted_segment_matrix", lambda tf, x: tf.unsorted_segment_sum(x, [[0, 1], [1, 1]], 3), floats(2, 2, 3))
case("unsorted_segment_ties", lambda tf, x: tf.unsorted_segment_max(x, [0, 0, 1], 2), np.float32([1, 1, 2]))
case(
    "unsorted_segment_prod_zeros",
    lambda tf, x: tf.unsorted_segment_prod(x, [0, 0, 1, 1, 1], 2),
    np.float32([0, 2, 0, 0, 3]),
)
case("unsorted_segment_int", lambda tf, x: tf.unsorted_segment_max(x, [0, 0, 2], 3), ints(3, 2))

V = floats(3, 4)
case("norm", lambda tf, x: tf.norm(x), V)
case("norm_axis", lambda tf, x: tf.norm(x, axis=1), V)
case("norm_keep", lambda tf, x: tf.norm(x, axis=1, keepdims=True, name="mine"), V)
case("norm_old_keep", lambda tf, x: tf.norm(x, axis=1, keep_dims=True), V)
case("norm_1", lambda tf, x: tf.norm(x, ord=1, axis=0), V)
case("norm_3", lambda tf, x: tf.norm(x, ord=3, axis=-1), V)
case("norm_inf", lambda tf, x: tf.norm(x, ord=np.inf, axis=1), V)
case("norm_fro", lambda tf, x: tf.norm(x, ord="fro", axis=[0, 1]), V)
case("norm_matrix_1", lambda tf, x: tf.norm(x, ord=1, axis=[0, 1]), V)
case("norm_matrix_inf", lambda tf, x: tf.norm(x, ord=np.inf, axis=[-2, -1]), V)
case("norm_bad", lambda tf, x: tf.norm(x, ord="none"), V)
