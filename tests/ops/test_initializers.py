"""Initializers: their values, moments and configurations."""

import numpy as np
import pytest

import monitored as tf


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


def value_of(initializer, shape, **arguments):
    tensor = initializer(shape, **arguments)
    assert tensor.shape.as_list() == list(shape)
    with tf.Session() as session:
        return session.run(tensor)


# What TensorFlow 1.15 gives for `get_config()` of each, made without arguments.
CONFIGS = {
    "zeros": {"dtype": "float32"},
    "ones": {"dtype": "float32"},
    "constant": {"value": 0, "dtype": "float32"},
    "random_uniform": {"minval": 0, "maxval": None, "seed": None, "dtype": "float32"},
    "random_normal": {"mean": 0.0, "stddev": 1.0, "seed": None, "dtype": "float32"},
    "truncated_normal": {"mean": 0.0, "stddev": 1.0, "seed": None, "dtype": "float32"},
    "uniform_unit_scaling": {"factor": 1.0, "seed": None, "dtype": "float32"},
    "variance_scaling": {
        "scale": 1.0, "mode": "fan_in", "distribution": "truncated_normal", "seed": None, "dtype": "float32",
    },
    "orthogonal": {"gain": 1.0, "seed": None, "dtype": "float32"},
    "identity": {"gain": 1.0, "dtype": "float32"},
    "glorot_uniform": {"seed": None, "dtype": "float32"},
    "glorot_normal": {"seed": None, "dtype": "float32"},
    "he_normal": {"scale": 2.0, "mode": "fan_in", "distribution": "truncated_normal", "seed": None, "dtype": "float32"},
    "he_uniform": {"scale": 2.0, "mode": "fan_in", "distribution": "uniform", "seed": None, "dtype": "float32"},
    "lecun_normal": {
        "scale": 1.0, "mode": "fan_in", "distribution": "truncated_normal", "seed": None, "dtype": "float32",
    },
    "lecun_uniform": {"scale": 1.0, "mode": "fan_in", "distribution": "uniform", "seed": None, "dtype": "float32"},
}  # fmt: skip


@pytest.mark.parametrize("name", CONFIGS)
def test_config(name):
    initializer = getattr(tf.initializers, name)()
    assert initializer.get_config() == CONFIGS[name]
    again = type(initializer).from_config(initializer.get_config())
    assert type(again) is type(initializer)
    assert again.get_config() == CONFIGS[name]


@pytest.mark.parametrize(
    "name", ["zeros", "ones", "constant", "random_uniform", "random_normal", "truncated_normal", "uniform_unit_scaling",
             "variance_scaling", "orthogonal", "glorot_uniform", "glorot_normal"],
)  # fmt: skip
def test_both_names(name):
    assert getattr(tf, f"{name}_initializer") is getattr(tf.initializers, name)


def test_constants():
    np.testing.assert_array_equal(value_of(tf.zeros_initializer(), [2, 3]), np.zeros((2, 3), np.float32))
    np.testing.assert_array_equal(value_of(tf.ones_initializer(tf.int32), [3]), np.ones(3, np.int32))
    assert value_of(tf.zeros_initializer(), [3], dtype=tf.float64).dtype == np.float64
    np.testing.assert_array_equal(value_of(tf.constant_initializer(3), [2]), [3, 3])
    np.testing.assert_array_equal(value_of(tf.constant_initializer(0.5), [2000]), np.full(2000, 0.5, np.float32))
    np.testing.assert_array_equal(value_of(tf.constant_initializer([1, 2, 3]), [2, 2]), [[1, 2], [3, 3]])
    np.testing.assert_array_equal(value_of(tf.constant_initializer([1, 2]), [2], dtype=tf.int64), [1, 2])


# Bounds and deviations that TensorFlow 1.15 puts into its graphs for shape [2, 3].
BOUNDS = {
    "uniform_unit_scaling": 1.2247449, "glorot_uniform": 1.0954452, "he_uniform": 1.7320508, "lecun_uniform": 1.2247449,
}  # fmt: skip
DEVIATIONS = {
    "variance_scaling": 0.8038724, "glorot_normal": 0.71900535, "he_normal": 1.1368473, "lecun_normal": 0.8038724,
}  # fmt: skip


@pytest.mark.parametrize("name", BOUNDS)
def test_bounds(name, graph):
    getattr(tf.initializers, name)()([2, 3])
    low, high = (
        tf.make_ndarray(graph.get_operation_by_name(f"random_uniform/{end}").node_def.attr["value"].tensor)
        for end in ("min", "max")
    )
    np.testing.assert_allclose([low, high], [-BOUNDS[name], BOUNDS[name]], rtol=1e-6)


@pytest.mark.parametrize("name", DEVIATIONS)
def test_deviations(name, graph):
    getattr(tf.initializers, name)()([2, 3])
    op = graph.get_operation_by_name("truncated_normal/stddev")
    np.testing.assert_allclose(tf.make_ndarray(op.node_def.attr["value"].tensor), DEVIATIONS[name], rtol=1e-6)


@pytest.mark.parametrize(
    ("mode", "distribution", "wanted"),
    [("fan_avg", "uniform", 0.5163978), ("fan_out", "untruncated_normal", 0.27216554), ("fan_in", "normal", None)],
)
def test_filters(mode, distribution, wanted, graph):
    tf.variance_scaling_initializer(2.0, mode, distribution)([3, 3, 2, 3])
    names = {"uniform": "random_uniform/max", "untruncated_normal": "random_normal/stddev"}
    if wanted is not None:
        op = graph.get_operation_by_name(names[distribution])
        np.testing.assert_allclose(tf.make_ndarray(op.node_def.attr["value"].tensor), wanted, rtol=1e-6)
    else:
        assert graph.get_operation_by_name("truncated_normal/TruncatedNormal")


@pytest.mark.parametrize(
    ("initializer", "deviation"),
    [
        (tf.glorot_uniform_initializer(seed=1), np.sqrt(2 / 500)),
        (tf.glorot_normal_initializer(seed=1), np.sqrt(2 / 500)),
        (tf.initializers.he_normal(seed=1), np.sqrt(2 / 200)),
        (tf.initializers.lecun_uniform(seed=1), np.sqrt(1 / 200)),
        (tf.random_normal_initializer(stddev=0.3, seed=1), 0.3),
        (tf.random_uniform_initializer(-1, 1, seed=1), np.sqrt(1 / 3)),
    ],
)
def test_moments(initializer, deviation):
    value = value_of(initializer, [200, 300])
    assert abs(value.mean()) < 0.02 * deviation
    assert abs(value.std() / deviation - 1) < 0.02


@pytest.mark.parametrize("shape", [[3, 5], [5, 3], [4, 4], [2, 3, 4]])
def test_orthogonal(shape):
    value = value_of(tf.orthogonal_initializer(2.0, seed=1), shape).reshape(-1, shape[-1])
    product = value @ value.T if value.shape[0] < value.shape[1] else value.T @ value
    np.testing.assert_allclose(product, 4 * np.eye(len(product)), atol=1e-5)


def test_identity():
    np.testing.assert_array_equal(value_of(tf.initializers.identity(2.0), [3, 2]), 2 * np.eye(3, 2))


def test_seeds():
    def value(seed):
        return value_of(tf.glorot_uniform_initializer(seed=seed), [3])

    np.testing.assert_array_equal(value(1), value(1))
    assert not np.array_equal(value(1), value(2))


def test_partitions():
    class Partition:
        full_shape = (8, 6)

    part = tf.glorot_uniform_initializer(seed=1)([4, 6], partition_info=Partition())
    assert part.shape.as_list() == [4, 6]
    with tf.Session() as session:
        assert np.abs(session.run(part)).max() <= np.sqrt(6 / 14)


def test_variables():
    v = tf.get_variable("v", [4, 5], initializer=tf.truncated_normal_initializer(stddev=0.1, seed=1))
    w = tf.get_variable("w", [4, 5], initializer=tf.orthogonal_initializer)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        first, second = session.run([v, w])
    assert np.abs(first).max() <= 0.2
    np.testing.assert_allclose(second @ second.T, np.eye(4), atol=1e-5)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: tf.variance_scaling_initializer(0.0), ValueError, "`scale` must be positive"),
        (lambda: tf.variance_scaling_initializer(mode="fan"), ValueError, "Invalid `mode`"),
        (lambda: tf.variance_scaling_initializer(distribution="cauchy"), ValueError, "Invalid `distribution`"),
        (lambda: tf.random_normal_initializer(dtype=tf.int32), ValueError, "Expected floating point type"),
        (lambda: tf.constant_initializer(object()), TypeError, "Invalid type for initial value"),
        (lambda: tf.constant_initializer([1, 2, 3])([2]), ValueError, "Too many elements"),
        (lambda: tf.constant_initializer([1], verify_shape=True)([2]), TypeError, "Expected Tensor's shape"),
        (lambda: tf.random_uniform_initializer()([2], dtype=tf.int32), ValueError, "Must specify maxval"),
        (lambda: tf.orthogonal_initializer()([3]), ValueError, "at least two-dimensional"),
        (lambda: tf.initializers.identity()([3]), ValueError, "2D matrices"),
    ],
)
def test_what_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()
