"""Random numbers: seeds as TensorFlow has them, distributions by their moments."""

import numpy as np
import pytest

import monitored as tf


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


def run(fetches, times=1):
    with tf.Session() as session:
        return [session.run(fetches) for _ in range(times)]


# -- seeds ----------------------------------------------------------------------------------------------------


def test_seeds_are_tensorflows(graph):
    assert tf.get_seed(None) == (None, None)
    assert tf.get_seed(4) == (87654321, 4)
    tf.set_random_seed(3)
    assert tf.get_seed(None) == (3, 0)
    assert tf.get_seed(4) == (3, 4)
    tf.constant(1)
    tf.constant(2)
    assert tf.get_seed(None) == (3, 2)
    tf.set_random_seed(0)
    assert tf.get_seed(0) == (0, 2**31 - 1)
    assert graph.seed == 0


@pytest.mark.parametrize(
    ("graph_seed", "op_seed", "wanted"),
    [(None, None, (0, 0)), (None, 5, (87654321, 5)), (7, None, (7, 3)), (7, 5, (7, 5))],
)
def test_seeds_are_attributes_of_the_node(graph_seed, op_seed, wanted):
    if graph_seed is not None:
        tf.set_random_seed(graph_seed)
    op = tf.random_uniform([2], seed=op_seed).op.graph.get_operation_by_name("random_uniform/RandomUniform")
    assert (op.get_attr("seed"), op.get_attr("seed2")) == wanted


def test_each_run_draws_new_numbers_and_a_new_session_starts_again():
    x = tf.random_normal([4], seed=1)
    first, again = run(x, 3), run(x, 3)
    np.testing.assert_array_equal(first, again)
    assert len({value.tobytes() for value in first}) == 3


@pytest.mark.parametrize("dtype", [tf.float16, tf.float32, tf.float64, tf.int32, tf.int64])
def test_few_numbers_are_the_first_of_many(dtype):
    """Few are drawn by another program than many, from the same stream."""
    few, many = (tf.random_uniform([count], maxval=100, dtype=dtype, seed=1) for count in (7, 5000))
    for drawn_few, drawn_many in run([few, many], 2):
        np.testing.assert_array_equal(drawn_few, drawn_many[:7])


def test_within_one_run_every_use_is_the_same():
    x = tf.random_normal([4])
    a, b = run([x + 0, x * 1])[0]
    np.testing.assert_array_equal(a, b)


def test_two_ops_draw_different_numbers():
    tf.set_random_seed(1)
    a, b, same_as_a = tf.random_normal([4]), tf.random_normal([4]), tf.random_normal([4], seed=9)
    same_as_that = tf.random_normal([4], seed=9)
    a, b, c, d = run([a, b, same_as_a, same_as_that])[0]
    assert not np.array_equal(a, b)
    assert not np.array_equal(a, c)
    np.testing.assert_array_equal(c, d)


def test_without_seeds_sessions_differ():
    x = tf.random_normal([4])
    assert not np.array_equal(run(x)[0], run(x)[0])


def test_graphs_built_alike_draw_alike():
    def drawn():
        with tf.Graph().as_default():
            tf.set_random_seed(12)
            return run(tf.random_uniform([3]))[0]

    np.testing.assert_array_equal(drawn(), drawn())


# -- distributions --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16, tf.float32, tf.float64])
def test_uniform(dtype):
    value = run(tf.random_uniform([20000], -1.0, 3.0, dtype, seed=1))[0]
    assert value.dtype == dtype.as_numpy_dtype
    value = value.astype(np.float64)
    assert value.min() >= -1
    assert value.max() <= 3
    assert abs(value.mean() - 1) < 0.05
    assert abs(value.std() - 4 / np.sqrt(12)) < 0.05


@pytest.mark.parametrize("dtype", [tf.int32, tf.int64])
def test_uniform_integers(dtype):
    value = run(tf.random_uniform([20000], -2, 3, dtype, seed=1))[0]
    assert value.dtype == dtype.as_numpy_dtype
    assert sorted(set(value.tolist())) == [-2, -1, 0, 1, 2]
    assert abs(value.mean()) < 0.05


def test_normal():
    value = run(tf.random_normal([100, 200], 1.0, 2.0, seed=1))[0]
    assert value.shape == (100, 200)
    assert value.dtype == np.float32
    assert abs(value.mean() - 1) < 0.05
    assert abs(value.std() - 2) < 0.05


def test_truncated_normal():
    value = run(tf.truncated_normal([20000], 1.0, 2.0, seed=1))[0]
    assert np.abs(value - 1).max() <= 4
    assert abs(value.mean() - 1) < 0.05
    assert abs(value.std() - 2 * 0.8796) < 0.05


def test_means_and_deviations_broadcast():
    value = run(tf.random_normal([20000, 2], [0.0, 10.0], [1.0, 0.1], seed=1))[0]
    np.testing.assert_allclose(value.mean(0), [0, 10], atol=0.05)
    np.testing.assert_allclose(value.std(0), [1, 0.1], atol=0.05)


def test_shuffle():
    x = tf.constant(np.arange(40).reshape(20, 2))
    value = run(tf.random_shuffle(x, seed=3))[0]
    assert not np.array_equal(value, np.arange(40).reshape(20, 2))
    np.testing.assert_array_equal(value[np.argsort(value[:, 0])], np.arange(40).reshape(20, 2))
    assert tf.gradients(tf.random_shuffle(tf.cast(x, tf.float32)), x) == [None]


@pytest.mark.parametrize("dtype", [tf.int32, tf.int64])
def test_categorical(dtype):
    logits = np.log([[0.1, 0.2, 0.7], [0.5, 0.5, 1e-9]])
    value = run(tf.random.categorical(logits, 20000, dtype, seed=1))[0]
    assert value.dtype == dtype.as_numpy_dtype
    assert value.shape == (2, 20000)
    shares = [[np.mean(row == k) for k in range(3)] for row in value]
    np.testing.assert_allclose(shares, np.exp(logits), atol=0.02)
    assert tf.multinomial(logits, 3).dtype == tf.int64


def test_gamma():
    alpha = tf.constant([1.0, 4.0])
    drawn = tf.random_gamma([20000], alpha, beta=2.0, seed=1)
    assert drawn.shape.as_list() == [20000, 2]
    value, derivative = run([drawn, tf.gradients(drawn, alpha)[0]])[0]
    np.testing.assert_allclose(value.mean(0), [0.5, 2.0], atol=0.05)
    np.testing.assert_allclose(derivative / 20000, [0.5, 0.5], atol=0.05)  # the mean is alpha / beta


def test_poisson():
    value = run(tf.random_poisson([1.0, 4.0], [20000], seed=1))[0]
    assert value.dtype == np.float32
    np.testing.assert_allclose(value.mean(0), [1, 4], atol=0.1)
    np.testing.assert_allclose(value.var(0), [1, 4], atol=0.2)


# -- shapes and errors ----------------------------------------------------------------------------------------


def test_shapes_known_only_when_running():
    x = tf.placeholder(tf.float32, [None, 4])
    y = tf.random_normal([tf.shape(x)[0], 3])
    z = tf.random_uniform(tf.shape(x))
    assert y.shape.as_list() == [None, 3]
    assert z.shape.as_list() == [None, 4]
    with tf.Session() as session:
        for count in (2, 5):
            a, b = session.run([y, z], {x: np.zeros((count, 4))})
            assert (a.shape, b.shape) == ((count, 3), (count, 4))


def test_scalars():
    assert np.shape(run(tf.random_uniform([]))[0]) == ()


def test_names():
    assert tf.random_uniform([1]).name == "random_uniform:0"
    assert tf.random_normal([1], name="mine").name == "mine:0"
    assert tf.truncated_normal([1]).op.type == "Add"
    assert tf.random_uniform([1], 0, 3, tf.int32).op.type == "RandomUniformInt"
    assert tf.random_shuffle([1, 2]).name == "RandomShuffle:0"
    assert tf.multinomial([[0.0]], 1).name == "multinomial/Multinomial:0"


def test_what_is_refused():
    with pytest.raises(ValueError, match="Must specify maxval for integer dtype"):
        tf.random_uniform([1], dtype=tf.int32)
    with pytest.raises(ValueError, match="Invalid dtype"):
        tf.random_uniform([1], dtype=tf.bool)
    with pytest.raises(ValueError, match=r"must be rank 2 but is rank 1.*test_random\.py"):
        tf.multinomial([1.0, 2.0], 3)


# -- dropout --------------------------------------------------------------------------------------------------


def test_dropout_keeps_the_expectation_and_masks_the_gradient():
    x = tf.placeholder(tf.float32, [None, 100])
    y = tf.nn.dropout(x, rate=0.25, seed=1)
    assert y.shape.as_list() == [None, 100]
    with tf.Session() as session:
        value, gradient = session.run([y, tf.gradients(y, x)[0]], {x: np.full((200, 100), 3.0)})
    dropped = value == 0
    assert abs(dropped.mean() - 0.25) < 0.02
    np.testing.assert_allclose(value[~dropped], 4.0, rtol=1e-6)
    np.testing.assert_array_equal(gradient == 0, dropped)
    np.testing.assert_allclose(gradient[~dropped], 4 / 3, rtol=1e-6)


def test_dropout_by_keep_prob_and_tensor():
    x = tf.ones([100, 100])
    by_keep, by_rate = run([tf.nn.dropout(x, 0.8, seed=2), tf.nn.dropout(x, rate=tf.constant(0.2), seed=2)])[0]
    assert abs((by_keep == 0).mean() - 0.2) < 0.02
    np.testing.assert_allclose(by_keep, by_rate, rtol=1e-5)


def test_dropout_of_whole_rows():
    value = run(tf.nn.dropout(tf.ones([100, 3]), rate=0.5, noise_shape=[None, 1], seed=3))[0]
    assert set(value.sum(1).tolist()) == {0.0, 6.0}
