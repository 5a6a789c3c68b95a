"""Activations, normalization, lookups and dropout's scaffolding."""

import numpy as np

from oracle.cases import floats, ints
from oracle.named_group import NamedGroup as Group

case = Group("nn")
F = floats(3, 4)
NAN, INF = np.float32("nan"), np.float32("inf")
KINKS = np.array([-1e4, -7.0, -1.0, -0.5, -0.0, 0.0, 1e-20, 0.5, 1.0, 3.0, 6.0, 7.0, 1e4], np.float32)
IMAGES = floats(2, 4, 3, 3)
ROWS = np.array([[1.0, 2.0, 2.0, 0.0], [3.0, 3.0, 3.0, 3.0], [0.5, -1.0, 4.0, 0.25]], np.float32)

for name in ("relu", "relu6", "elu", "selu", "leaky_relu", "softplus", "softsign", "sigmoid", "tanh"):
    case(name, lambda tf, x, f=name: getattr(tf.nn, f)(x), F)
    case(name + "_kinks", lambda tf, x, f=name: getattr(tf.nn, f)(x), KINKS)
    case(name + "64", lambda tf, x, f=name: getattr(tf.nn, f)(x, name="mine"), F.astype(np.float64))
    case(name + "_int", lambda tf, x, f=name: getattr(tf.nn, f)(x), ints(2, 3))
case("relu_half", lambda tf, x: tf.nn.relu(x), F.astype(np.float16))
case("softmax_half", lambda tf, x: tf.nn.softmax(x), F.astype(np.float16), tolerance=2e-3)
case("leaky_relu_alpha", lambda tf, x: tf.nn.leaky_relu(x, 0.05, "mine"), F)
case("swish", lambda tf, x: tf.nn.swish(x), F, nodes=False, names=False)
case("crelu", lambda tf, x: tf.nn.crelu(x), F)
case("crelu_axis", lambda tf, x: tf.nn.crelu(x, axis=0, name="mine"), F)

for name in ("softmax", "log_softmax"):
    case(name, lambda tf, x, f=name: getattr(tf.nn, f)(x), F)
    case(name + "_extreme", lambda tf, x, f=name: getattr(tf.nn, f)(x), np.array([[1e4, -1e4, 0], [50, 51, 52]], "f"))
    case(name + "_vector", lambda tf, x, f=name: getattr(tf.nn, f)(x, -1, "mine"), F[0])
    case(name + "_rank4", lambda tf, x, f=name: getattr(tf.nn, f)(x), IMAGES)
    case(name + "_axis", lambda tf, x, f=name: getattr(tf.nn, f)(x, axis=1), IMAGES, nodes=False, exact=False)
    case(name + "_first", lambda tf, x, f=name: getattr(tf.nn, f)(x, dim=0), F, nodes=False, exact=False)
    case(name + "_negative", lambda tf, x, f=name: getattr(tf.nn, f)(x, -3), IMAGES, nodes=False, exact=False)
    case(name + "_far", lambda tf, x, f=name: getattr(tf.nn, f)(x, 4), F, exact=False)
    case(name + "_scalar", lambda tf, x, f=name: getattr(tf.nn, f)(x), F[0, 0])

case("bias_add", lambda tf, x, b: tf.nn.bias_add(x, b), F, floats(4))
case("bias_add_list", lambda tf, x: tf.nn.bias_add(x, [1.0, 2.0, 3.0, 4.0], name="mine"), F)
case("bias_add_images", lambda tf, x, b: tf.nn.bias_add(x, b, "NHWC"), IMAGES, floats(3))
case("bias_add_mismatch", lambda tf, x, b: tf.nn.bias_add(x, b), F, floats(3))
case("bias_add_vector", lambda tf, x, b: tf.nn.bias_add(x, b), F[0], floats(4))
case("bias_add_matrix", lambda tf, x, b: tf.nn.bias_add(x, b), F, floats(1, 4))
case("bias_add_format", lambda tf, x, b: tf.nn.bias_add(x, b, data_format="WHAT"), F, floats(4))
case("bias_add_int", lambda tf, x, b: tf.nn.bias_add(x, b), ints(2, 3), ints(3))
case("xw_plus_b", lambda tf, x, w, b: tf.nn.xw_plus_b(x, w, b), F, floats(4, 2), floats(2),
     shapes=False)  # fmt: skip
case("relu_layer", lambda tf, x, w, b: tf.nn.relu_layer(x, w, b, name="mine"), F, floats(4, 2), floats(2),
     shapes=False)  # fmt: skip

case("moments", lambda tf, x: tf.nn.moments(x, [0]), F)
case("moments_keep", lambda tf, x: tf.nn.moments(x, axes=[0, 1], keep_dims=True), F)
case("moments_images", lambda tf, x: tf.nn.moments(x, [0, 1, 2], name="mine", keepdims=False), IMAGES)
case("moments_half", lambda tf, x: tf.nn.moments(x, [1]), F.astype(np.float16), tolerance=2e-3)
case("batch_normalization", lambda tf, x, m, v: tf.nn.batch_normalization(x, m, v, None, None, 1e-3), F, floats(4),
     floats(4, low=0.5))  # fmt: skip
case("batch_normalization_affine",
     lambda tf, x, m, v, o, s: tf.nn.batch_normalization(x, m, v, o, s, 1e-3, name="mine"), F, floats(4),
     floats(4, low=0.5), floats(4, seed=1), floats(4, seed=2))  # fmt: skip
case("batch_normalization_offset", lambda tf, x, m, v, o: tf.nn.batch_normalization(x, m, v, o, None, 1e-3), F,
     floats(4), floats(4, low=0.5), floats(4, seed=1))  # fmt: skip
case("fused_training", lambda tf, x, s, o: tf.nn.fused_batch_norm(x, s, o), IMAGES, floats(3), floats(3, seed=1),
     grad=False)  # fmt: skip
case("fused_training_gradient", lambda tf, x, s, o: tf.nn.fused_batch_norm(x, s, o, epsilon=1e-6)[0], IMAGES, floats(3),
     floats(3, seed=1), tolerance=1e-4)  # fmt: skip
case("fused_one_pixel", lambda tf, x, s, o: tf.nn.fused_batch_norm(x, s, o), IMAGES[:1, :1, :1], floats(3),
     floats(3, seed=1), grad=False)  # fmt: skip
case("fused_inference",
     lambda tf, x, s, o, m, v: tf.nn.fused_batch_norm(x, s, o, m, v, is_training=False, name="mine")[0], IMAGES,
     floats(3), floats(3, seed=1), floats(3, seed=2), floats(3, low=0.5))  # fmt: skip
case("fused_mismatch", lambda tf, x, s, o: tf.nn.fused_batch_norm(x, s, o), IMAGES, floats(4), floats(3))
case("fused_rank", lambda tf, x, s, o: tf.nn.fused_batch_norm(x, s, o), F, floats(4), floats(4))
case("l2_loss", lambda tf, x: tf.nn.l2_loss(x), F)
case("l2_normalize", lambda tf, x: tf.nn.l2_normalize(x, 1), F)
case("l2_normalize_all", lambda tf, x: tf.nn.l2_normalize(x, [0, 1], epsilon=1e-3, name="mine"), F)
case("l2_normalize_zero", lambda tf, x: tf.nn.l2_normalize(x, dim=0), np.zeros((2, 3), np.float32))
case("lrn", lambda tf, x: tf.nn.lrn(x, 1, 1.0, 0.5, 0.75), IMAGES, tolerance=1e-4)
case("lrn_default", lambda tf, x: tf.nn.local_response_normalization(x), floats(1, 1, 2, 13), tolerance=1e-4)

case("top_k", lambda tf, x: list(tf.nn.top_k(x, 2)), ROWS, grad=False)
case("top_k_gradient", lambda tf, x: tf.nn.top_k(x, 3, name="mine").values, ROWS)
case("top_k_one", lambda tf, x: list(tf.nn.top_k(x)), ROWS[0], grad=False)
case("top_k_int", lambda tf, x: list(tf.math.top_k(x, 3)), ints(2, 5))
case("top_k_too_many", lambda tf, x: list(tf.nn.top_k(x, 9)), ROWS)
case("top_k_fed", lambda tf, x, k: list(tf.nn.top_k(x, k)), ROWS, np.int32(2), grad=False)
case("in_top_k", lambda tf, p, t: tf.nn.in_top_k(p, t, 2), ROWS, np.array([1, 3, 3], np.int32))
case("in_top_k_ties", lambda tf, p, t: tf.nn.in_top_k(p, t, 1, name="mine"), ROWS, np.array([2, 0, 2], np.int64))
case("in_top_k_odd", lambda tf, p, t: tf.nn.in_top_k(p, t, 2),
     np.array([[1.0, 2.0], [NAN, 1.0], [INF, 1.0], [1.0, 2.0], [1.0, 2.0]], np.float32),
     np.array([1, 1, 0, 5, -1], np.int32))  # fmt: skip
case("zero_fraction", lambda tf, x: tf.nn.zero_fraction(x), np.array([[0.0, 1.0, 2.0], [0.0, 0.0, 3.0]], np.float32),
     nodes=False, grad=False)  # fmt: skip

TABLE = floats(5, 3)
IDS = np.array([[0, 4], [2, 2]], np.int32)
case("embedding_lookup", lambda tf, t, i: tf.nn.embedding_lookup(t, i), TABLE, IDS)
case("embedding_lookup_parts", lambda tf, a, b, i: tf.nn.embedding_lookup([a, b], i), TABLE[:3], TABLE[3:], IDS,
     nodes=False, names=False)  # fmt: skip
case("embedding_lookup_div", lambda tf, a, b, i: tf.nn.embedding_lookup([a, b], i, "div"), TABLE[:3], TABLE[3:], IDS,
     nodes=False, names=False)  # fmt: skip
case("embedding_lookup_norm", lambda tf, t, i: tf.nn.embedding_lookup(t, i, max_norm=1.0, name="mine"), TABLE, IDS,
     nodes=False, exact=False)  # fmt: skip

# Dropout's numbers are each library's own; what it refuses, and where it does nothing, are not.
case("dropout_none", lambda tf, x: tf.nn.dropout(x, rate=0.0), F)
case("dropout_keep", lambda tf, x: tf.nn.dropout(x, 1.0), F)
case("dropout_rate", lambda tf, x: tf.nn.dropout(x, rate=1.5), F)
case("dropout_missing", lambda tf, x: tf.nn.dropout(x), F)
case("dropout_both", lambda tf, x: tf.nn.dropout(x, 0.5, rate=0.5), F)
case("dropout_int", lambda tf, x: tf.nn.dropout(x, rate=0.5), ints(2, 3))
case("dropout_zeros", lambda tf, x: tf.nn.dropout(x, 0.7, seed=3), np.zeros((2, 3), np.float32), grad=False)
case("dropout_zeros_noise", lambda tf, x: tf.nn.dropout(x, rate=0.3, noise_shape=[1, 3], name="mine"),
     np.zeros((2, 3), np.float32), grad=False)  # fmt: skip
