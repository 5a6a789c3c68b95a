"""Layers: variables, outputs, gradients, updates and losses."""

import numpy as np

from oracle.programs import Group, error
from oracle.programs_loops import kind
from oracle.programs_rnn import filled, variables

program = Group("layers")
ROWS = np.sin(np.arange(12, dtype=np.float32)).reshape(4, 3)
IMAGES = np.cos(np.arange(2 * 5 * 6 * 3, dtype=np.float32)).reshape(2, 5, 6, 3)
SEQUENCES = IMAGES[:, 0]


def _shown(tf, make, value):
    """Name, shape, value and gradients of a layer's outputs, and its variables."""
    x = tf.placeholder(tf.float32, [None, *list(value.shape[1:])])
    y = make(tf.layers, x)
    gradients = [g for g in tf.gradients(y * y, [x, *tf.trainable_variables()]) if g is not None]
    return [y.name, str(y.shape), variables(tf), filled(tf, [y, *gradients], {x: value})]


for _name, _case in {
    "dense": (lambda t, x: t.dense(x, 2), ROWS),
    "dense_relu": (lambda t, x: t.dense(x, 2, activation="relu", name="mine"), ROWS),
    "dense_without_bias": (lambda t, x: t.dense(x, 2, use_bias=False), ROWS),
    "dense_of_images": (lambda t, x: t.dense(x, 2), IMAGES),
    "dense_twice": (lambda t, x: t.dense(t.dense(x, 2), 3), ROWS),
    "conv1d": (lambda t, x: t.conv1d(x, 4, 3, 2, "same"), SEQUENCES),
    "conv2d": (lambda t, x: t.conv2d(x, 4, 3), IMAGES),
    "conv2d_same": (lambda t, x: t.conv2d(x, 4, (3, 2), strides=(2, 1), padding="SAME", name="c"), IMAGES),
    "conv2d_dilated": (lambda t, x: t.conv2d(x, 2, 2, dilation_rate=(2, 3)), IMAGES),
    "conv3d": (lambda t, x: t.conv3d(x, 2, 2, padding="same"), IMAGES[:, None]),
    "conv2d_transpose": (lambda t, x: t.conv2d_transpose(x, 4, 3, strides=2), IMAGES),
    "conv2d_transpose_same": (lambda t, x: t.conv2d_transpose(x, 2, (2, 3), (1, 2), "same", use_bias=False), IMAGES),
    "separable_conv2d": (lambda t, x: t.separable_conv2d(x, 4, 3, depth_multiplier=2), IMAGES),
    "separable_conv2d_same": (lambda t, x: t.separable_conv2d(x, 2, 2, 2, "same"), IMAGES),
    "max_pooling1d": (lambda t, x: t.max_pooling1d(x, 2, 2), SEQUENCES),
    "max_pooling2d": (lambda t, x: t.max_pooling2d(x, [3, 2], [2, 1], padding="same"), IMAGES),
    "max_pooling3d": (lambda t, x: t.max_pooling3d(x, (1, 2, 2), 1, name="p"), IMAGES[:, None]),
    "average_pooling1d": (lambda t, x: t.average_pooling1d(x, 3, 1, "same"), SEQUENCES),
    "average_pooling2d": (lambda t, x: t.average_pooling2d(x, 2, 2), IMAGES),
    "flatten": (lambda t, x: t.flatten(x), IMAGES),
    "flatten_first": (lambda t, x: t.flatten(x, data_format="channels_first"), IMAGES),
    "dropout_not_in_training": (lambda t, x: t.dropout(x, 0.3), ROWS),
    "batch_norm_untrained": (lambda t, x: t.batch_normalization(x), ROWS),
    "batch_norm": (lambda t, x: t.batch_normalization(x, training=True), ROWS),
    "batch_norm_of_images": (lambda t, x: t.batch_normalization(x, training=True), IMAGES),
    "batch_norm_not_fused": (lambda t, x: t.batch_normalization(x, training=True, fused=False), IMAGES),
    "batch_norm_bare": (lambda t, x: t.batch_normalization(x, training=True, center=False, scale=False), IMAGES),
    "batch_norm_of_an_axis": (lambda t, x: t.batch_normalization(x, axis=2, epsilon=0.1, training=True), IMAGES),
    "batch_norm_of_two_axes": (lambda t, x: t.batch_normalization(x, axis=[1, 3], training=True), IMAGES),
}.items():
    program.add(_name, lambda tf, c=_case: _shown(tf, *c))


def _averages(tf, value, training, **arguments):
    x = tf.placeholder(tf.float32, [None, *list(value.shape[1:])])
    flag = tf.placeholder_with_default(True, []) if training is None else training
    y = tf.layers.batch_normalization(x, training=flag, momentum=0.75, **arguments)
    updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
    # With a flag that is not known TensorFlow makes them parts of branches.
    shown = [[op.name, op.type] for op in updates] if isinstance(training, bool) else len(updates)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        found = []
        for scale in (1.0, 2.0):
            found.append(session.run([y, updates], {x: value * scale})[0])
            found.append(session.run(tf.global_variables()))
        if training is None:
            found.append(session.run([y, updates], {x: value, flag: False})[0])
            found.append(session.run(tf.global_variables()))
    return [shown, found]


for _name, _given in {
    "images": (IMAGES, True, {}), "rows": (ROWS, True, {}), "fed_flag": (IMAGES, None, {}),
    "fed_flag_of_rows": (ROWS, None, {}), "not_fused": (IMAGES, None, {"fused": False}),
    "not_in_training": (ROWS, False, {}),
}.items():  # fmt: skip
    program.add("averages_of_" + _name, lambda tf, g=_given: _averages(tf, g[0], g[1], **g[2]))


@program
def names_and_sharing(tf):
    x = tf.constant(ROWS)
    layers = tf.layers
    tensors = [layers.dense(x, 2), layers.dense(x, 2), layers.dense(x, 2, name="n")]
    tensors.append(layers.dense(x, 2, name="n", reuse=True))
    with tf.variable_scope("a"):
        tensors += [layers.dense(x, 2), layers.dense(x, 2, name="n")]
    with tf.variable_scope("a", reuse=True):
        tensors.append(layers.dense(x, 2, name="n"))
    with tf.variable_scope("a", reuse=tf.AUTO_REUSE):
        tensors += [layers.dense(x, 2), layers.dense(x, 2, name="n"), layers.dense(x, 2, name="k")]
    with tf.name_scope("s"):
        tensors += [layers.dense(x, 2), layers.flatten(x), layers.dropout(x)]
    clash = error(lambda: layers.dense(x, 2, name="n"))
    return [[t.name for t in tensors], variables(tf), [clash[0], clash[1][:50]]]


@program
def classes(tf):
    x = tf.constant(ROWS)
    layer = tf.layers.Dense(2, activation=tf.nn.relu, name="hi")
    before = [layer.name, layer.built, kind(lambda: layer.scope_name), tf.layers.Dense(2).name]
    tensors = [layer(x), layer.apply(x)]
    after = [layer.built, layer.scope_name, layer.dtype, layer.units, [v.name for v in layer.variables]]
    after += [layer.kernel.name, layer.bias.name, len(layer.trainable_weights), len(layer.non_trainable_weights)]
    layer.trainable = False
    after += [len(layer.trainable_weights), len(layer.non_trainable_weights)]
    fixed = tf.layers.Dense(2, trainable=False)
    fixed(x)
    norm = tf.layers.BatchNormalization()
    norm(x, training=True)
    kinds = [len(norm.trainable_variables), len(norm.non_trainable_variables), [op.name for op in norm.updates]]
    return [before, after, [t.name for t in tensors], variables(tf), kinds]


@program
def own_layers(tf):
    class Scale(tf.layers.Layer):
        def build(self, shape):
            self.w = self.add_weight("w", [int(shape[-1])], initializer=tf.ones_initializer())
            self.built = True

        def call(self, inputs, power=1):
            return inputs * self.w**power

    layer, x = Scale(), tf.constant(ROWS)
    tensors = [layer(x), layer(x, power=2), Scale(name="other")(x)]
    return [layer.name, layer.scope_name, [t.name for t in tensors], variables(tf), filled(tf, tensors)]


@program
def losses(tf):
    x = tf.constant(ROWS)
    tf.layers.dense(x, 2, kernel_regularizer=tf.nn.l2_loss, bias_regularizer=tf.nn.l2_loss)
    tf.layers.dense(x, 2, activity_regularizer=tf.nn.l2_loss, name="active")
    with tf.variable_scope("b", regularizer=tf.nn.l2_loss):
        tf.layers.dense(x, 2)
        tf.layers.batch_normalization(x, gamma_regularizer=tf.nn.l2_loss)
    layer = tf.layers.Dense(2, kernel_regularizer=tf.nn.l2_loss)
    layer(x)
    found = tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)
    return [[t.name for t in found], len(layer.losses), filled(tf, found)]


@program
def other_types(tf):
    x = tf.constant(ROWS.astype(np.float64))
    y = tf.layers.dense(x, 2)
    z = tf.layers.batch_normalization(tf.constant(IMAGES.astype(np.float16)), training=True)
    return [y.dtype.name, z.dtype.name, variables(tf), filled(tf, y)]


@program
def errors_of_layers(tf):
    layers, f = tf.layers, tf.float32
    image = tf.constant(IMAGES)
    return [
        kind(lambda: layers.dense(tf.placeholder(f), 3)),
        error(lambda: layers.dense(tf.placeholder(f, [2, None]), 3)),
        kind(lambda: layers.dense(tf.placeholder(f, [4]), 3)),
        error(lambda: layers.dense(tf.placeholder(tf.int32, [4, 3]), 3)),
        kind(lambda: layers.conv2d(tf.placeholder(f, [4, 3]), 3, 3)),
        error(lambda: layers.conv2d(tf.placeholder(f, [4, 3, 3, None]), 3, 3)),
        error(lambda: layers.conv2d(image, 3, 3, padding="what")),
        error(lambda: layers.conv2d(image, 3, (3, 3, 3))),
        kind(lambda: layers.conv2d(image, 3, 3, data_format="what")),
        error(lambda: layers.batch_normalization(tf.constant(ROWS), axis=[0, 1, 2])),
        kind(lambda: layers.dense(tf.constant(ROWS))),
        kind(lambda: layers.Dense(3, what=4)),
    ]
