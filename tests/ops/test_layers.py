"""Layers beyond what the recorded cases show: formats, second derivatives, collections, and errors with their place."""

import itertools

import numpy as np
import pytest

import monitored as tf


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


def run(fetches, feeds=None):
    with tf.Session() as session:
        return session.run(fetches, feeds)


def numbers(*shape, seed=0):
    return np.random.RandomState(seed).uniform(-1, 1, shape).astype(np.float32)


def both_formats(layer, x):
    """A layer of images and its gradient, channels last and channels first."""
    last, first = tf.constant(x), tf.constant(np.moveaxis(x, -1, 1))
    a, b = layer(last, "last"), layer(first, "first")
    a, da, b, db = run([a, tf.gradients(a * a, last)[0], b, tf.gradients(b * b, first)[0]])
    np.testing.assert_allclose(a, np.moveaxis(b, 1, -1), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(da, np.moveaxis(db, 1, -1), rtol=1e-5, atol=1e-5)


def order(values, where):
    return [values[0], values[3], values[1], values[2]] if where == "first" else list(values)


FORMATS = {"last": "NHWC", "first": "NCHW"}


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_channels_first_convolutions(padding):
    w, d = numbers(3, 2, 3, 4), numbers(3, 2, 3, 2)
    strides = (1, 2, 1, 1)
    both_formats(
        lambda x, f: tf.nn.conv2d(x, w, order(strides, f), padding, data_format=FORMATS[f]), numbers(2, 6, 5, 3)
    )
    both_formats(
        lambda x, f: tf.nn.depthwise_conv2d_native(x, d, order((1, 2, 2, 1), f), padding, FORMATS[f]),
        numbers(2, 6, 5, 3),
    )
    volumes = numbers(1, 4, 3, 5, 2)
    w3 = numbers(2, 2, 2, 2, 3)
    formats = {"last": "NDHWC", "first": "NCDHW"}
    both_formats(lambda x, f: tf.nn.conv3d(x, w3, 1, padding, data_format=formats[f]), volumes)


def test_channels_first_transpose():
    w = numbers(3, 2, 4, 3)

    def layer(x, where):
        shape = order((2, 6, 10, 4), where)
        return tf.nn.conv2d_transpose(x, w, shape, 2, data_format=FORMATS[where])

    both_formats(layer, numbers(2, 3, 5, 3))


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("name", ["max_pool", "avg_pool"])
def test_channels_first_pools(name, padding):
    for size, stride in ((2, 2), (3, 2)):
        both_formats(
            lambda x, f, k=size, s=stride: getattr(tf.nn, name)(
                x, order((1, k, k, 1), f), order((1, s, s, 1), f), padding, FORMATS[f]
            ),
            numbers(2, 7, 6, 3),
        )


def test_channels_first_normalization_and_bias():
    both_formats(
        lambda x, f: tf.nn.fused_batch_norm(x, [1.0, 2.0, 3.0], [0.1, 0.2, 0.3], data_format=FORMATS[f])[0],
        numbers(2, 4, 5, 3),
    )
    both_formats(lambda x, f: tf.nn.bias_add(x, [1.0, 2.0, 3.0], FORMATS[f]), numbers(2, 4, 5, 3))


def test_longer_windows_than_are_unrolled():
    x = tf.constant(numbers(1, 100, 2))
    top, mean = tf.nn.max_pool1d(x, 70, 3, "SAME"), tf.nn.avg_pool1d(x, 70, 3, "VALID")
    for name, value, gradient in zip(
        ("max", "mean"), run([top, mean]), run([tf.gradients(y, x)[0] for y in (top, mean)]), strict=True
    ):
        before = 34 if name == "max" else 0
        padded = np.pad(numbers(1, 100, 2), [(0, 0), (before, 70), (0, 0)], constant_values=-9)
        wanted = [getattr(padded[:, 3 * i : 3 * i + 70], name)(1) for i in range(value.shape[1])]
        np.testing.assert_allclose(value, np.stack(wanted, 1), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(gradient.sum(), value.size, rtol=1e-5)


@pytest.mark.parametrize(("size", "stride"), list(itertools.product((1, 2, 3, 4), (1, 2, 3))))
def test_the_first_maximum_takes_the_gradient(size, stride):
    data = np.random.RandomState(size).randint(0, 3, (2, 7, 5, 2)).astype(np.float32)
    x = tf.constant(data)
    y = tf.nn.max_pool(x, size, stride, "VALID")
    weights = numbers(*y.shape.as_list())
    gradient = run(tf.gradients(y, x, tf.constant(weights))[0])
    wanted = np.zeros_like(data)
    for n, i, j, c in np.ndindex(*weights.shape):
        window = data[n, i * stride : i * stride + size, j * stride : j * stride + size, c]
        row, column = np.unravel_index(window.argmax(), window.shape)
        wanted[n, i * stride + row, j * stride + column, c] += weights[n, i, j, c]
    np.testing.assert_allclose(gradient, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "layer",
    [
        tf.nn.softmax,
        tf.nn.log_softmax,
        tf.nn.elu,
        tf.nn.softplus,
        lambda x: tf.nn.softmax_cross_entropy_with_logits_v2(tf.nn.softmax(2 * x), x),
        lambda x: tf.nn.sparse_softmax_cross_entropy_with_logits(labels=[0, 2], logits=x),
        lambda x: tf.nn.sigmoid_cross_entropy_with_logits(labels=tf.ones_like(x), logits=x),
        lambda x: tf.nn.fused_batch_norm(tf.reshape(x, [2, 3, 1, 1]), [2.0], [1.0])[0],
        lambda x: tf.nn.avg_pool(tf.reshape(x, [1, 2, 3, 1]) ** 2, 2, 1, "SAME"),
        lambda x: tf.nn.conv2d(tf.reshape(x, [1, 2, 3, 1]) ** 2, tf.reshape(x, [3, 2, 1, 1]), 1, "SAME"),
    ],
)
def test_second_derivatives(layer):
    x = tf.placeholder(tf.float32, [2, 3])
    value, direction = numbers(2, 3), numbers(2, 3, seed=1)
    y = layer(x)
    first = tf.gradients(y * y, x)[0]
    second = tf.gradients(first, x, direction)[0]
    with tf.Session() as session:
        step = 3e-3
        ahead, behind = (session.run(first, {x: value + s * direction}) for s in (step, -step))
        found = session.run(second, {x: value})
    np.testing.assert_allclose(found, (ahead - behind) / (2 * step), rtol=0.02, atol=0.02)


def test_labels_that_are_no_class_give_nan():
    logits = tf.constant(numbers(3, 4))
    loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=[1, 4, -1], logits=logits)
    value, gradient = run([loss, tf.gradients(loss, logits)[0]])
    assert np.isnan(value).tolist() == [False, True, True]
    assert np.isnan(gradient).all(1).tolist() == [False, True, True]


def test_moving_moments_get_no_gradient():
    x, mean = tf.constant(numbers(2, 3, 3, 2)), tf.constant([0.1, 0.2])
    y, used, _ = tf.nn.fused_batch_norm(x, [1.0, 1.0], [0.0, 0.0], mean, [1.0, 2.0], is_training=False)
    assert tf.gradients(y, mean) == [None]
    assert tf.gradients(used, x) == [None]
    np.testing.assert_allclose(run(used), [0.1, 0.2])


def test_fused_batch_norm_asks_for_moments_when_not_training():
    x = tf.constant(numbers(2, 3, 3, 2))
    with pytest.raises(ValueError, match="must be None if is_training"):
        tf.nn.fused_batch_norm(x, [1.0, 1.0], [0.0, 0.0], [0.0, 0.0], [1.0, 1.0])
    with pytest.raises(ValueError, match="must be given"):
        tf.nn.fused_batch_norm(x, [1.0, 1.0], [0.0, 0.0], is_training=False)


def test_embedding_of_a_variable():
    table = tf.get_variable("table", initializer=numbers(5, 3))
    ids = tf.placeholder(tf.int64, [None])
    rows = tf.nn.embedding_lookup(table, ids)
    assert rows.shape.as_list() == [None, 3]
    gradient = tf.gradients(rows, table)[0]
    assert isinstance(gradient, tf.IndexedSlices)
    with tf.Session() as session:
        session.run(table.initializer)
        value, dense = session.run([rows, tf.convert_to_tensor(gradient)], {ids: [4, 1, 4]})
    np.testing.assert_array_equal(value, numbers(5, 3)[[4, 1, 4]])
    np.testing.assert_array_equal(dense[:, 0], [0, 1, 0, 0, 2])


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (
            lambda x: tf.nn.conv2d(x, numbers(3, 3, 4, 2), 1, "SAME", name="layer"),
            r"input \(3\).*\(\?, 8, 8, 3\)",
        ),
        (lambda x: tf.nn.conv2d(x, numbers(9, 3, 3, 2), 1, "VALID", name="layer"), "subtracting 9 from 8"),
        (lambda x: tf.nn.max_pool(x, 9, 1, "VALID", name="layer"), "subtracting 9 from 8"),
        (lambda x: tf.nn.bias_add(x, [1.0], name="layer"), "must be equal, but are 3 and 1"),
        (lambda x: tf.nn.depthwise_conv2d_native(x, numbers(3, 3, 2, 1), 1, "SAME", name="layer"), "are 3 and 2"),
        (lambda x: tf.nn.top_k(x, 9, name="layer"), "last dimension >= k = 9 but is 3"),
    ],
)
def test_shape_errors_name_the_op_and_its_place(layer, message):
    x = tf.placeholder(tf.float32, [None, 8, 8, 3])
    with pytest.raises(ValueError, match=message) as caught:
        layer(x)
    assert "'layer'" in str(caught.value)
    assert "test_layers.py" in str(caught.value)


def test_losses_are_collected():
    x = tf.placeholder(tf.float32, [None, 3])
    with tf.variable_scope("one"):
        first = tf.losses.mean_squared_error(tf.zeros_like(x), x)
    second = tf.losses.absolute_difference(tf.zeros_like(x), x, loss_collection=None)
    third = tf.losses.huber_loss(tf.zeros_like(x), x)
    tf.losses.add_loss(second)
    assert tf.losses.get_losses() == [first, third, second]
    assert tf.losses.get_losses("one") == [first]
    assert tf.get_collection(tf.GraphKeys.LOSSES) == [first, third, second]
    assert run(tf.losses.get_regularization_loss()) == 0
    tf.add_to_collection(tf.GraphKeys.REGULARIZATION_LOSSES, tf.constant(10.0))
    assert len(tf.losses.get_regularization_losses()) == 1
    total = tf.losses.get_total_loss()
    assert total.op.name == "total_loss"
    np.testing.assert_allclose(run(total, {x: np.ones((2, 3))}), 1 + 1 + 0.5 + 10)
    without = tf.losses.get_total_loss(add_regularization_losses=False)
    np.testing.assert_allclose(run(without, {x: np.ones((2, 3))}), 2.5)


def test_reductions():
    assert set(tf.losses.Reduction.all()) == {
        "none", "weighted_sum", "weighted_mean", "weighted_sum_over_batch_size", "weighted_sum_by_nonzero_weights",
    }  # fmt: skip
    with pytest.raises(ValueError, match="Invalid Reduction Key other"):
        tf.losses.Reduction.validate("other")


def test_an_optimizer_step_of_a_small_network():
    tf.set_random_seed(1)
    images = tf.placeholder(tf.float32, [None, 8, 8, 1])
    labels = tf.placeholder(tf.int32, [None])
    w = tf.get_variable("w", [3, 3, 1, 4])
    b = tf.get_variable("b", [4], initializer=tf.zeros_initializer())
    v = tf.get_variable("v", [64, 3])
    net = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(images, w, 1, "SAME"), b))
    net = tf.nn.dropout(tf.nn.max_pool(net, 2, 2, "SAME"), rate=0.1)
    loss = tf.losses.sparse_softmax_cross_entropy(labels, tf.matmul(tf.reshape(net, [-1, 64]), v))
    train = tf.train.GradientDescentOptimizer(0.3).minimize(loss)
    feeds = {images: numbers(12, 8, 8, 1), labels: np.arange(12) % 3}
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        before = session.run(loss, feeds)
        for _ in range(60):
            session.run(train, feeds)
        assert session.run(loss, feeds) < 0.5 * before
