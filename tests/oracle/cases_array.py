"""Shapes, joining and splitting, padding, and making tensors."""

import numpy as np

from oracle.cases import Group, floats, ints

case = Group("array")
F = floats(2, 3)
T = floats(2, 3, 4)

case("shape", lambda tf, x: [tf.shape(x), tf.size(x), tf.rank(x)], T)
case("shape_64", lambda tf, x: [tf.shape(x, out_type=tf.int64), tf.size(x, out_type=tf.int64, name="mine")], T)
case("shape_n", lambda tf, x, y: tf.shape_n([x, y]), T, F)
case("shape_list", lambda tf: tf.shape([[1, 2], [3, 4]]))
case("reshape", lambda tf, x: tf.reshape(x, [4, 6]), T)
case("reshape_rest", lambda tf, x: tf.reshape(x, [-1, 4]), T)
case("reshape_flat", lambda tf, x: tf.reshape(x, [-1], name="mine"), T)
case("reshape_scalar", lambda tf, x: tf.reshape(x, []), floats(1))
case("reshape_of_shape", lambda tf, x: tf.reshape(x, [tf.shape(x)[0], -1]), T)
case("reshape_of_shape_2", lambda tf, x: tf.reshape(x, [-1, x.shape[-1]]), T, shapes=False)
case("reshape_arithmetic", lambda tf, x: tf.reshape(x, [tf.shape(x)[0] * tf.shape(x)[1], 4]), T)
case("reshape_concat", lambda tf, x: tf.reshape(x, tf.concat([tf.shape(x)[:1], [-1]], 0)), T)
case("reshape_bad", lambda tf, x: tf.reshape(x, [5, -1]), T)
case("reshape_bad_2", lambda tf, x: tf.reshape(x, [5, 5]), T)
case("reshape_two_rests", lambda tf, x: tf.reshape(x, [-1, -1]), T)
case("reshape_empty", lambda tf, x: tf.reshape(x, [2, 0]), np.zeros((0, 3), np.float32))
case("reshape_fed", lambda tf, x, s: tf.reshape(x, s), T, np.int32([6, 4]))
case("transpose", lambda tf, x: tf.transpose(x), T)
case("transpose_perm", lambda tf, x: tf.transpose(x, [0, 2, 1]), T)
case("transpose_perm_name", lambda tf, x: tf.transpose(x, perm=(2, 0, 1), name="mine"), T)
case("transpose_bad", lambda tf, x: tf.transpose(x, [0, 1]), T)
case("transpose_twice", lambda tf, x: tf.transpose(x, [0, 1, 1]), T)
for axis in (0, 1, -1, 3):
    case(f"expand_dims_{axis}", lambda tf, x, a=axis: tf.expand_dims(x, a), T)
case("expand_dims_dim", lambda tf, x: tf.expand_dims(x, dim=1), T)
case("expand_dims_bad", lambda tf, x: tf.expand_dims(x, 5), T)
case("squeeze", lambda tf, x: tf.squeeze(x), floats(1, 3, 1))
case("squeeze_axis", lambda tf, x: tf.squeeze(x, [0]), floats(1, 3, 1))
case("squeeze_int", lambda tf, x: tf.squeeze(x, axis=-1, name="mine"), floats(1, 3, 1))
case("squeeze_dims", lambda tf, x: tf.squeeze(x, squeeze_dims=[2]), floats(1, 3, 1))
case("squeeze_bad", lambda tf, x: tf.squeeze(x, [1]), floats(1, 3, 1))
case("concat", lambda tf, x, y: tf.concat([x, y], 1), F, floats(2, 5))
case("concat_negative", lambda tf, x, y: tf.concat([x, y], axis=-2), F, floats(4, 3))
case("concat_one", lambda tf, x: tf.concat([x], 0), F)
case("concat_tensor", lambda tf, x: tf.concat(x, 0), F)
case("concat_shapes", lambda tf, x, y: tf.concat([x, y], 0), F, floats(2, 5))
case("concat_ranks", lambda tf, x, y: tf.concat([x, y], 0), F, floats(3))
case("concat_range", lambda tf, x, y: tf.concat([x, y], 2), F, F)
case("concat_numbers", lambda tf, x: tf.concat([x, [[1, 2, 3]]], 0, name="mine"), F)
case("concat_shape", lambda tf, x: tf.zeros(tf.concat([tf.shape(x)[1:], [2]], axis=0)), T)
case("concat_scalar", lambda tf, x: tf.concat([x, x], 0), np.float32(1))
for axis in (0, 1, 2, -1, -3):
    case(f"stack_{axis}", lambda tf, x, y, a=axis: tf.stack([x, y], a), F, -F)
case("stack_numbers", lambda tf: tf.stack([1, 2, 3], name="mine"))
case("stack_mixed", lambda tf, x: tf.stack([x, 1.0]), np.float32(3))
case("stack_shapes", lambda tf, x, y: tf.stack([x, y]), F, floats(2, 5))
case("stack_range", lambda tf, x: tf.stack([x, x], 3), F)
case("stack_lists", lambda tf, x: tf.convert_to_tensor([[x, 1], [2, x]]), np.float32(5))
for axis in (0, 1, -1):
    case(f"unstack_{axis}", lambda tf, x, a=axis: tf.unstack(x, num=x.shape[a], axis=a), F, shapes=False)
case("unstack", lambda tf, x: tf.unstack(x), F)
case("unstack_num", lambda tf, x: tf.unstack(x, 3, 1, name="mine"), F)
case("unstack_bad", lambda tf, x: tf.unstack(x, 4, 1), F)
case("split", lambda tf, x: tf.split(x, 2, 0), T)
case("split_axis", lambda tf, x: tf.split(x, 2, axis=-1), T)
case("split_sizes", lambda tf, x: tf.split(x, [1, 3], 2, name="mine"), T)
case("split_rest", lambda tf, x: tf.split(x, [1, -1], 2), T)
case("split_bad", lambda tf, x: tf.split(x, 3, 2), T)
case("split_sizes_bad", lambda tf, x: tf.split(x, [1, 2], 2), T)
case("split_tensor_axis", lambda tf, x, a: tf.split(x, 2, a), T, np.int32(2), grad=False)
case("tile", lambda tf, x: tf.tile(x, [2, 3]), F)
case("tile_of_shape", lambda tf, x: tf.tile(x, [1, tf.shape(x)[0]]), F)
case("tile_bad", lambda tf, x: tf.tile(x, [2]), F)
case("pad", lambda tf, x: tf.pad(x, [[1, 0], [2, 1]]), F)
case("pad_value", lambda tf, x: tf.pad(x, [[1, 0], [2, 1]], constant_values=7), F)
case("pad_reflect", lambda tf, x: tf.pad(x, [[1, 1], [2, 1]], "REFLECT"), F)
case("pad_symmetric", lambda tf, x: tf.pad(x, [[2, 1], [3, 1]], mode="symmetric", name="mine"), F)
case("pad_reflect_bad", lambda tf, x: tf.pad(x, [[2, 1], [0, 0]], "REFLECT"), F, shapes=False)
case("pad_mode", lambda tf, x: tf.pad(x, [[1, 0], [2, 1]], "none"), F)
case("pad_rank", lambda tf, x: tf.pad(x, [[1, 0]]), F)
case("pad_fed", lambda tf, x, p: tf.pad(x, p), F, np.int32([[1, 0], [2, 1]]))
case("reverse", lambda tf, x: [tf.reverse(x, [1]), tf.reverse(x, [0, -1], name="mine"), tf.reverse_v2(x, [])], T)
case("reverse_bad", lambda tf, x: tf.reverse(x, [3]), T)
case("reverse_sequence", lambda tf, x: tf.reverse_sequence(x, [2, 3], seq_axis=1), T)
case("reverse_sequence_2", lambda tf, x, n: tf.reverse_sequence(x, n, seq_dim=2, batch_dim=1), T, np.int32([0, 2, 4]))
case("broadcast_to", lambda tf, x: tf.broadcast_to(x, [4, 2, 3]), F)
case("broadcast_to_ones", lambda tf, x: tf.broadcast_to(x, [2, 3]), F[:, :1])
case("broadcast_to_bad", lambda tf, x: tf.broadcast_to(x, [3, 3]), F)
case("broadcast_dynamic", lambda tf, x: tf.broadcast_dynamic_shape(tf.shape(x), [5, 1, 1]), F)
case("identity", lambda tf, x: tf.identity(x, name="mine"), F)
case("identity_list", lambda tf: tf.identity([1.0, 2.0]))
case("identity_n", lambda tf, x, n: tf.identity_n([x, n]), F, ints(2))
case("stop_gradient", lambda tf, x: tf.stop_gradient(x) * x, F)
case("placeholder_with_default", lambda tf, x: tf.placeholder_with_default(x, [None, 3]), F)
case("placeholder_default_number", lambda tf: tf.placeholder_with_default(0.5, [], name="mine"))
case("placeholder_default_bad", lambda tf, x: tf.placeholder_with_default(x, [4, 3]), F)
case("fill", lambda tf, v: [tf.fill([2, 3], v), tf.fill([], 2.0, name="mine"), tf.fill([0], 1)], np.float32(3))
case("fill_of_shape", lambda tf, x: tf.fill(tf.shape(x), 1), T)
case("fill_bad", lambda tf: tf.fill([-1], 1))
case(
    "zeros", lambda tf: [tf.zeros([2, 3]), tf.zeros([]), tf.zeros([2], tf.int64), tf.zeros((2,), tf.bool, name="mine")]
)
case("ones", lambda tf: [tf.ones([2, 3]), tf.ones([]), tf.ones([2], tf.int64), tf.ones((2,), tf.bool, name="mine")])
case("zeros_big", lambda tf: [tf.zeros([40, 30]), tf.ones([40, 30])])
case("zeros_of_shape", lambda tf, x: [tf.zeros(tf.shape(x)), tf.ones(tf.shape(x), tf.int32)], T)
case("zeros_mixed", lambda tf, x: [tf.zeros([tf.shape(x)[0], 5]), tf.ones([tf.shape(x)[0], 5])], T)
case("zeros_shape_object", lambda tf, x: tf.zeros(tf.TensorShape([2, 2])), T)
case("zeros_like", lambda tf, x: [tf.zeros_like(x), tf.ones_like(x)], F)
case("zeros_like_type", lambda tf, x: [tf.zeros_like(x, tf.int32), tf.ones_like(x, dtype=tf.float64, name="mine")], F)
case("zeros_like_bool", lambda tf, x: [tf.zeros_like(x), tf.ones_like(x)], F > 0)
case("zeros_like_plain", lambda tf, x: [tf.zeros_like(x, optimize=False), tf.ones_like(x, optimize=False)], F)
case("zeros_like_list", lambda tf: tf.zeros_like([1, 2]))
case("one_hot", lambda tf, i: tf.one_hot(i, 4), np.int32([0, 2, -1, 5]))
case("one_hot_matrix", lambda tf, i: tf.one_hot(i, 3), np.int64([[0, 2], [1, 1]]))
for axis in (0, 1, -1):
    case(
        f"one_hot_axis_{axis}",
        lambda tf, i, a=axis: tf.one_hot(i, 3, axis=a, dtype=tf.int32),
        np.int32([[0, 2], [1, 1]]),
    )
case("one_hot_values", lambda tf, i: tf.one_hot(i, 3, on_value=5.0, off_value=-1.0, name="mine"), np.int32([0, 2]))
case("one_hot_bool", lambda tf, i: tf.one_hot(i, 3, on_value=True, off_value=False, dtype=tf.bool), np.int32([0, 2]))
case("one_hot_uint8", lambda tf, i: tf.one_hot(i, 3), np.uint8([0, 2]))
case("one_hot_bad", lambda tf, i: tf.one_hot(i, 3, on_value=1, dtype=tf.float32), np.int32([0, 2]))
case("one_hot_fed_depth", lambda tf, i, d: tf.one_hot(i, d), np.int32([0, 2]), np.int32(4))
case(
    "sequence_mask",
    lambda tf, n: [tf.sequence_mask(n, 5), tf.sequence_mask(n, 4, tf.float32, name="mine")],
    np.int32([1, 3, 0]),
)
case("sequence_mask_max", lambda tf, n: tf.sequence_mask(n), np.int32([1, 3, 0]), nodes=False)
case("sequence_mask_matrix", lambda tf, n: tf.sequence_mask(n, 3), np.int64([[1, 3], [0, 2]]), nodes=False)
case("invert_permutation", lambda tf, p: tf.invert_permutation(p), np.int32([2, 0, 1]))
case("meshgrid", lambda tf: tf.meshgrid([1.0, 2.0], [3.0, 4.0, 5.0]))
case("meshgrid_ij", lambda tf, x, y: tf.meshgrid(x, y, indexing="ij", name="mine"), floats(2), floats(3))
case("meshgrid_3", lambda tf, x, y: tf.meshgrid(x, y, x), floats(2), floats(3), nodes=False)
case("space_to_depth", lambda tf, x: tf.space_to_depth(x, 2), floats(2, 4, 4, 3))
case("depth_to_space", lambda tf, x: tf.depth_to_space(x, 2), floats(2, 2, 3, 8))
case("space_to_batch", lambda tf, x: tf.space_to_batch_nd(x, [2, 2], [[0, 0], [1, 1]]), floats(1, 4, 2, 3))
case("batch_to_space", lambda tf, x: tf.batch_to_space_nd(x, [2, 2], [[0, 0], [1, 1]]), floats(4, 2, 2, 3))
case("roll", lambda tf, x: [tf.roll(x, 1, 0), tf.roll(x, [1, -1], [0, 1], name="mine")], F)
case("roll_fed", lambda tf, x, s: tf.roll(x, s, 1), F, np.int32(2))
case("ensure_shape", lambda tf, x: tf.ensure_shape(x, [None, 3]), F)
case("ensure_shape_bad", lambda tf, x: tf.ensure_shape(x, [4, 3]), F)
case("repeat", lambda tf, x: tf.repeat(x, 2, axis=1), F, nodes=False, shapes=False, unknown=False)
case("repeat_each", lambda tf, x: tf.repeat(x, [1, 3], axis=0), F, nodes=False, shapes=False, unknown=False)
case("repeat_flat", lambda tf, x: tf.repeat(x, 2), F, nodes=False, shapes=False, unknown=False)
case("bitcast", lambda tf, x: tf.bitcast(x, tf.int32), F)
case("dynamic_stitch", lambda tf, x, y: tf.dynamic_stitch([[0, 2], [1, 0]], [x, y]), F, -F)
case("check_numerics", lambda tf, x: tf.debugging.check_numerics(x, "bad"), F)
case("unique", lambda tf, x: tf.unique(x), np.int32([3, 1, 3, 2, 1]), grad=False)
case("unique_64", lambda tf, x: tf.unique(x, tf.int64, name="mine"), np.float32([3, 1, 3, 2, 1]), grad=False)
case("unique_with_counts", lambda tf, x: tf.unique_with_counts(x), np.int32([3, 1, 3, 2, 1]))
case("setdiff1d", lambda tf, x, y: tf.setdiff1d(x, y), np.int32([3, 1, 4, 2, 1]), np.int32([1, 2]))
case("dynamic_partition", lambda tf, x, p: tf.dynamic_partition(x, p, 3), floats(4, 2), np.int32([0, 2, 0, 1]))
case("sort", lambda tf, x: [tf.sort(x), tf.sort(x, direction="DESCENDING", name="mine")], T, grad=False)
case("sort_axis", lambda tf, x: tf.sort(x, axis=0), T, grad=False, unknown=False)
case("sort_int", lambda tf, x: tf.sort(x), ints(2, 5), nodes=False)
case(
    "argsort",
    lambda tf, x: [tf.argsort(x), tf.argsort(x, direction="DESCENDING"), tf.argsort(x, axis=1)],
    T,
    unknown=False,
)
case("argsort_ties", lambda tf, x: tf.argsort(x), np.float32([2, 1, 2, 1]))
case(
    "searchsorted",
    lambda tf, x, v: [tf.searchsorted(x, v), tf.searchsorted(x, v, side="right")],
    np.float32([[1, 3, 3, 7], [0, 2, 4, 6]]),
    np.float32([[0, 3, 8], [2, 5, 6]]),
    nodes=False,
)
case(
    "constant",
    lambda tf: [
        tf.constant(1),
        tf.constant([1.0, 2.0]),
        tf.constant(0, tf.int64, [2, 2]),
        tf.constant([True]),
        tf.constant(np.float64(1)),
        tf.constant(2.5, name="mine"),
    ],
)
