"""Slices, gathering and scattering."""

import numpy as np

from oracle.cases import Group, floats, ints

case = Group("slicing")
F = floats(3, 4)
T = floats(3, 4, 5)
V = floats(6)

for text in [
    "0", "-1", "1:", ":2", "1:3", "::2", "::-1", "-2:", ":-1", "3:1:-1", "5:0:-2", "...", "0, 1", "0, 1, 2", ":, 1",
    "1:, :2", "..., 0", "0, ...", "..., 0, 1:", "1, ..., 2", "None", "None, 0", ":, None, 1", "..., None",
    "None, ..., None", "0:1, None, ..., -1", "::2, ::-1, 1:4:2", "100:", ":100", "-100:2", "2:1", ":, :, :",
    "1:2, 1, 1:2", "tf.newaxis", "0, tf.newaxis, 1:3",
]:  # fmt: skip
    case(f"[{text}]", lambda tf, x, t=text: eval(f"x[{t}]"), T)
case("index_beyond", lambda tf, x: x[3], T)
case("index_beyond_negative", lambda tf, x: x[:, -5], T)
case("too_many", lambda tf, x: x[0, 0, 0, 0], T)
case("two_ellipses", lambda tf, x: x[..., 0, ...], T)
case("zero_stride", lambda tf, x: x[::0], T)
case("float_index", lambda tf, x: x[1.5], T)
case("tensor_index", lambda tf, x, i: x[i], T, np.int32(1))
case("tensor_index_negative", lambda tf, x, i: x[:, i], T, np.int32(-2))
case("tensor_index_mixed", lambda tf, x, i: x[i, 1:, 0], T, np.int32(2), shapes=False)
case("tensor_index_two", lambda tf, x, i, j: x[i, ..., j], T, np.int32(2), np.int32(3))
case("tensor_bounds", lambda tf, x, i: x[i:], T, np.int32(1), grad=False)
case("tensor_bounds_both", lambda tf, x, i, j: x[i:j, ::2], T, np.int32(0), np.int32(2), grad=False)
case("tensor_shape_bound", lambda tf, x: x[: tf.shape(x)[0] - 1], T)
case("tensor_index_64", lambda tf, x, i: x[i], T, np.int64(1))
case("array_index", lambda tf, x: x[np.int64(1), np.int32(2)], T)
case("constant_index", lambda tf, x: x[tf.constant(1)], T)
case("of_shape", lambda tf, x: [tf.shape(x)[0], tf.shape(x)[1:], tf.shape(x)[-1], tf.shape(x)[:2]], T)
case("scalar", lambda tf, x: x[...], np.float32(3))
case("scalar_new", lambda tf, x: x[None], np.float32(3))
case("int_tensor", lambda tf, x: x[1:, ::-1], ints(3, 4))
case("empty", lambda tf, x: x[2:2], V)
case("twice", lambda tf, x: x[1:][0] * x[0], T)
case("strided_slice", lambda tf, x: tf.strided_slice(x, [1, 0], [3, 4], [1, 2]), T)
case("strided_slice_default", lambda tf, x: tf.strided_slice(x, [0, 1], [2, 3], name="mine"), T)
case(
    "strided_slice_masks",
    lambda tf, x: tf.strided_slice(x, [1, 2, 1], [2, 0, 3], [1, 1, 1], begin_mask=2, end_mask=2, shrink_axis_mask=1),
    T,
)
case(
    "strided_slice_fed",
    lambda tf, x, b, e: tf.strided_slice(x, b, e),
    T,
    np.int32([0, 1]),
    np.int32([2, 3]),
    grad=False,
)
case("slice", lambda tf, x: tf.slice(x, [1, 0, 2], [2, -1, 3]), T)
case("slice_name", lambda tf, x: tf.slice(x, [1], [3], name="mine"), V)
case("slice_bad", lambda tf, x: tf.slice(x, [2], [5]), V)
case("slice_rank", lambda tf, x: tf.slice(x, [2, 0], [1, 1]), V)
case("slice_fed", lambda tf, x, b: tf.slice(x, b, [1, 2]), F, np.int32([2, 1]))
case("slice_fed_size", lambda tf, x, s: tf.slice(x, [1, 0], s), F, np.int32([2, 2]), grad=False)
case("slice_of_shape", lambda tf, x: tf.slice(x, [0, 1], [tf.shape(x)[0], 2]), F)
case("slice_packed", lambda tf, x, i: tf.slice(x, [i, 0], [1, -1]), F, np.int32(1), grad=False)
case("gather", lambda tf, x, i: tf.gather(x, i), F, np.int32([2, 0, 2]))
case("gather_scalar", lambda tf, x, i: tf.gather(x, i), F, np.int32(1))
case("gather_matrix", lambda tf, x, i: tf.gather(x, i), T, np.int32([[2, 0], [1, 1]]))
case("gather_constant", lambda tf, x: tf.gather(x, [1, 0], name="mine"), F)
case("gather_64", lambda tf, x, i: tf.gather(x, i), F, np.int64([2, 0]))
for axis in (1, 2, -1):
    case(f"gather_axis_{axis}", lambda tf, x, i, a=axis: tf.gather(x, i, axis=a), T, np.int32([[2, 0], [1, 1]]))
case("gather_batch", lambda tf, x, i: tf.gather(x, i, batch_dims=1), F, np.int32([[2, 0], [1, 1], [3, 0]]))
case(
    "gather_batch_axis",
    lambda tf, x, i: tf.gather(x, i, axis=2, batch_dims=1),
    T,
    np.int32([[2, 0], [1, 1], [3, 0]]),
    grad=False,
)
case("gather_axis_bad", lambda tf, x, i: tf.gather(x, i, axis=2), F, np.int32([2, 0]))
case("gather_scalar_params", lambda tf, x, i: tf.gather(x, i), np.float32(1), np.int32([0]))
case("gather_int", lambda tf, x, i: tf.gather(x, i), ints(5), np.int32([2, 0]))
case(
    "batch_gather",
    lambda tf, x, i: tf.batch_gather(x, i),
    F,
    np.int32([[2, 0], [1, 1], [3, 0]]),
    nodes=False,
    shapes=False,
)
case("gather_nd", lambda tf, x, i: tf.gather_nd(x, i), T, np.int32([[2, 0], [1, 1]]))
case("gather_nd_full", lambda tf, x, i: tf.gather_nd(x, i, name="mine"), T, np.int32([[[2, 0, 1]], [[1, 1, 3]]]))
case("gather_nd_rows", lambda tf, x: tf.gather_nd(x, [[2], [0]]), T)
case("gather_nd_bad", lambda tf, x, i: tf.gather_nd(x, i), F, np.int32([[2, 0, 1]]))
case("scatter_nd", lambda tf, i, u: tf.scatter_nd(i, u, [8]), np.int32([[1], [3], [1]]), floats(3))
case("scatter_nd_rows", lambda tf, i, u: tf.scatter_nd(i, u, [4, 2], name="mine"), np.int32([[1], [3]]), floats(2, 2))
case(
    "scatter_nd_full", lambda tf, i, u: tf.scatter_nd(i, u, [4, 2]), np.int64([[1, 0], [3, 1]]), floats(2), nodes=False
)
case("scatter_nd_fed", lambda tf, i, u, s: tf.scatter_nd(i, u, s), np.int32([[1], [3]]), floats(2), np.int32([5]))
case("scatter_nd_bad", lambda tf, i, u: tf.scatter_nd(i, u, [4, 2]), np.int32([[1], [3]]), floats(2, 3))
case(
    "tensor_scatter_update",
    lambda tf, x, i, u: tf.tensor_scatter_update(x, i, u),
    F,
    np.int32([[1], [2]]),
    floats(2, 4),
)
case("tensor_scatter_add", lambda tf, x, i, u: tf.tensor_scatter_add(x, i, u), F, np.int32([[1], [1]]), floats(2, 4))
case("tensor_scatter_sub", lambda tf, x, i, u: tf.tensor_scatter_sub(x, i, u), F, np.int32([[1], [1]]), floats(2, 4))
case("where_index", lambda tf, c: tf.where(c), F > 0)
case("where_number", lambda tf, c: tf.where(c), ints(2, 3, low=0, high=2))
case("where_then_gather", lambda tf, x: tf.gather_nd(x, tf.where(x > 0)), F)
case("boolean_mask", lambda tf, x, m: tf.boolean_mask(x, m), F, np.array([True, False, True]))
case("boolean_mask_same", lambda tf, x: tf.boolean_mask(x, x > 0), F)
case("boolean_mask_constant", lambda tf, x: tf.boolean_mask(x, [True, False, True], name="mine"), F)
case("boolean_mask_axis", lambda tf, x, m: tf.boolean_mask(x, m, axis=1), T, np.array([True, False, True, False]))
case("boolean_mask_none", lambda tf, x, m: tf.boolean_mask(x, m), F, np.zeros(3, bool))
case("boolean_mask_scalar", lambda tf, x: tf.boolean_mask(x, True), F)
case("boolean_mask_bad", lambda tf, x: tf.boolean_mask(x, [True, False]), F)
