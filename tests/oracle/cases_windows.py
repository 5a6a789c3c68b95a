"""Convolutions and pooling."""

import numpy as np

from oracle.cases import floats
from oracle.named_group import NamedGroup as Group

conv, pool = Group("convolution"), Group("pooling")
X = floats(2, 7, 6, 3)
W = floats(3, 2, 3, 4, seed=1)
D = floats(3, 2, 3, 2, seed=1)
TIES = np.array([0, 0, 1, 1, 0, 0, 1, 1, 2, 1, 1, 2, 1, 2, 2, 1, 0, 0, 0, 0, 3, 3, 3, 3, 3], np.float32)
TIES = np.stack([TIES, TIES[::-1], np.zeros(25, np.float32)], 1).reshape(1, 5, 5, 3)

for padding in ("SAME", "VALID"):
    conv("conv2d_" + padding, lambda tf, x, w, p=padding: tf.nn.conv2d(x, w, [1, 1, 1, 1], p), X, W)
    conv("conv2d_strided_" + padding, lambda tf, x, w, p=padding: tf.nn.conv2d(x, w, [1, 2, 3, 1], p), X, W)
    conv("conv2d_dilated_" + padding,
         lambda tf, x, w, p=padding: tf.nn.conv2d(x, w, 1, p, dilations=[1, 2, 3, 1]), X, W, grad=False)  # fmt: skip
    conv("conv2d_64_" + padding, lambda tf, x, w, p=padding: tf.nn.conv2d(x, w, 2, p, name="mine"),
         X.astype(np.float64), W.astype(np.float64))  # fmt: skip
    conv("depthwise_" + padding, lambda tf, x, w, p=padding: tf.nn.depthwise_conv2d(x, w, [1, 1, 1, 1], p), X, D,
         nodes=False)  # fmt: skip
    conv("depthwise_native_" + padding,
         lambda tf, x, w, p=padding: tf.nn.depthwise_conv2d_native(x, w, [1, 2, 2, 1], p, name="mine"), X,
         D)  # fmt: skip
    conv("depthwise_single_" + padding,
         lambda tf, x, w, p=padding: tf.nn.depthwise_conv2d_native(x, w, [1, 1, 1, 1], p), X, D[..., :1])  # fmt: skip
    conv("separable_" + padding,
         lambda tf, x, d, w, p=padding: tf.nn.separable_conv2d(x, d, w, [1, 1, 1, 1], p), X, D, floats(1, 1, 6, 4),
         nodes=False)  # fmt: skip
    conv("conv3d_" + padding, lambda tf, x, w, p=padding: tf.nn.conv3d(x, w, [1, 1, 2, 1, 1], p), floats(1, 3, 5, 4, 2),
         floats(2, 3, 2, 2, 3))  # fmt: skip
    conv("conv1d_" + padding, lambda tf, x, w, p=padding: tf.nn.conv1d(x, w, 2, p), X[:, 0], W[0])
    conv("convolution_" + padding, lambda tf, x, w, p=padding: tf.nn.convolution(x, w, p, strides=[2, 1]), X, W)
    # TensorFlow builds dilation here from a space-to-batch pair; the values are the same.
    conv("convolution_dilated_" + padding, lambda tf, x, w, p=padding: tf.nn.convolution(x, w, p, dilation_rate=[2, 3]),
         X, W, nodes=False, names=False, shapes=False, exact=False)  # fmt: skip
    conv("atrous_" + padding, lambda tf, x, w, p=padding: tf.nn.atrous_conv2d(x, w, 2, p), X, W, nodes=False,
         names=False, shapes=False, exact=False)  # fmt: skip
    conv("depthwise_rate_" + padding,
         lambda tf, x, w, p=padding: tf.nn.depthwise_conv2d(x, w, [1, 1, 1, 1], p, rate=[2, 2]), X, D, nodes=False,
         names=False, shapes=False, exact=False)  # fmt: skip
conv("conv2d_explicit", lambda tf, x, w: tf.nn.conv2d(x, w, [1, 2, 1, 1], [[0, 0], [1, 2], [3, 0], [0, 0]]), X, W)
conv("conv2d_aliases", lambda tf, x, w: tf.nn.conv2d(x, filters=w, strides=[2, 1], padding="SAME"), X, W)
conv("conv2d_depth", lambda tf, x, w: tf.nn.conv2d(x, w, 1, "SAME"), X, floats(3, 2, 2, 4))
conv("conv2d_small", lambda tf, x, w: tf.nn.conv2d(x, w, 1, "VALID"), X, floats(9, 2, 3, 4))
conv("conv2d_rank", lambda tf, x, w: tf.nn.conv2d(x, w, 1, "VALID"), X[0], W)
conv("conv2d_filter_rank", lambda tf, x, w: tf.nn.conv2d(x, w, 1, "VALID"), X, W[0])
conv("conv2d_padding", lambda tf, x, w: tf.nn.conv2d(x, w, 1, "valid"), X, W)
conv("conv2d_strides", lambda tf, x, w: tf.nn.conv2d(x, w, [1, 2, 1], "VALID"), X, W)
conv("conv2d_types", lambda tf, x, w: tf.nn.conv2d(x, w, 1, "VALID"), X, W.astype(np.float64))
conv("conv2d_format", lambda tf, x, w: tf.nn.conv2d(x, w, 1, "VALID", data_format="CHWN"), X, W)
conv("conv1d_dilated", lambda tf, x, w: tf.nn.conv1d(x, filters=w, stride=1, padding="SAME", dilations=2), X[:, 0],
     W[0], grad=False)  # fmt: skip
conv(
    "depthwise_depth", lambda tf, x, w: tf.nn.depthwise_conv2d_native(x, w, [1, 1, 1, 1], "SAME"), X, floats(3, 2, 2, 1)
)
conv("separable_depth", lambda tf, x, d, w: tf.nn.separable_conv2d(x, d, w, [1, 1, 1, 1], "SAME"), X, D,
     floats(1, 1, 5, 4), nodes=False)  # fmt: skip

SMALL = floats(2, 3, 4, 4)
conv("transpose", lambda tf, x, w: tf.nn.conv2d_transpose(x, w, [2, 6, 8, 3], [1, 2, 2, 1]), SMALL, W)
conv("transpose_odd", lambda tf, x, w: tf.nn.conv2d_transpose(x, w, [2, 5, 7, 3], 2, name="mine"), SMALL, W)
conv("transpose_valid", lambda tf, x, w: tf.nn.conv2d_transpose(x, w, [2, 7, 8, 3], 2, "VALID"), SMALL, W)
conv("transpose_batch",
     lambda tf, x, w: tf.nn.conv2d_transpose(x, w, tf.stack([tf.shape(x)[0], 6, 8, 3]), [1, 2, 2, 1]), SMALL, W,
     nodes=False)  # fmt: skip
conv("transpose_fed", lambda tf, x, w, s: tf.nn.conv2d_transpose(x, w, s, [1, 2, 2, 1]), SMALL, W,
     np.array([2, 6, 8, 3], np.int32))  # fmt: skip
conv("backprop_filter", lambda tf, x, g: tf.nn.conv2d_backprop_filter(x, [3, 2, 3, 4], g, [1, 1, 1, 1], "SAME"), X,
     floats(2, 7, 6, 4))  # fmt: skip
conv("backprop_input", lambda tf, w, g: tf.nn.conv2d_backprop_input([2, 7, 6, 3], w, g, [1, 1, 1, 1], "SAME"), W,
     floats(2, 7, 6, 4))  # fmt: skip
conv("transpose3d", lambda tf, x, w: tf.nn.conv3d_transpose(x, w, [1, 4, 6, 4, 2], [1, 2, 2, 1, 1]),
     floats(1, 2, 3, 4, 3), floats(2, 3, 2, 2, 3))  # fmt: skip
conv("transpose1d", lambda tf, x, w: tf.nn.conv1d_transpose(x, w, [2, 8, 3], 2), SMALL[:, 0], W[0], nodes=False)

for padding in ("SAME", "VALID"):
    for size, stride in ((2, 2), (3, 2), (3, 1), (2, 3), (3, 3), (4, 1), (1, 2)):
        label = f"_{size}_{stride}_{padding}"
        window, steps = [1, size, size, 1], [1, stride, stride, 1]
        for name in ("max_pool", "avg_pool"):
            pool(name + label, lambda tf, x, n=name, k=window, s=steps, p=padding: getattr(tf.nn, n)(x, k, s, p), X)
        pool("max_pool_ties" + label, lambda tf, x, k=window, s=steps, p=padding: tf.nn.max_pool(x, k, s, p), TIES)
    for name in ("max_pool", "avg_pool"):
        pool(
            f"{name}_flat_{padding}",
            lambda tf, x, n=name, p=padding: getattr(tf.nn, n)(x, [1, 3, 2, 1], [1, 1, 2, 1], p, name="mine"),
            X,
        )
        pool(f"{name}3d_{padding}",
             lambda tf, x, n=name, p=padding: getattr(tf.nn, n + "3d")(x, [1, 2, 3, 2, 1], [1, 2, 2, 2, 1], p),
             floats(1, 4, 5, 4, 2))  # fmt: skip
        pool(f"{name}1d_{padding}", lambda tf, x, n=name, p=padding: getattr(tf.nn, n + "1d")(x, 3, 2, p),
             X[:, 0])  # fmt: skip
pool("max_pool2d", lambda tf, x: tf.nn.max_pool2d(x, 2, [2, 1], "SAME"), X)
pool("max_pool_one_number", lambda tf, x: tf.nn.max_pool(value=x, ksize=2, strides=2, padding="VALID"), X)
pool("max_pool_v2", lambda tf, x: tf.nn.max_pool_v2(x, [2, 2], [2, 2], "VALID"), X, nodes=False, names=False)
pool("max_pool_global", lambda tf, x: tf.nn.max_pool(x, [1, 7, 6, 1], [1, 1, 1, 1], "VALID"), X)
pool("avg_pool_global", lambda tf, x: tf.nn.avg_pool(x, [1, 7, 6, 1], [1, 7, 6, 1], "VALID"), X)
pool("max_pool_64", lambda tf, x: tf.nn.max_pool(x, 2, 2, "SAME"), X.astype(np.float64))
pool("max_pool_channels", lambda tf, x: tf.nn.max_pool(x, [1, 1, 1, 3], [1, 1, 1, 3], "VALID"), X, grad=False)
pool("max_pool_small", lambda tf, x: tf.nn.max_pool(x, [1, 9, 9, 1], [1, 2, 2, 1], "VALID"), X)
pool("max_pool_rank", lambda tf, x: tf.nn.max_pool(x, 2, 2, "VALID"), X[0])
pool("max_pool_padding", lambda tf, x: tf.nn.max_pool(x, 2, 2, "OTHER"), X)
pool("avg_pool_ksize", lambda tf, x: tf.nn.avg_pool(x, [2, 2, 2], 2, "SAME"), X)
