"""Elementwise functions, operators, clipping, sequences: as recorded from TensorFlow 1.15, and by hand."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp

import monitored as tf
from oracle import replay_cases
from oracle.cases import CASES

RECORDED = replay_cases.Recorded()


@pytest.mark.parametrize("name", replay_cases.cases_of("math"))
def test_graph(name: str) -> None:
    for level, record in RECORDED.records[name].items():
        replay_cases.check_graph(tf, CASES[name], level, record)


@pytest.mark.parametrize(("level", "names"), replay_cases.all_runs_of("math", RECORDED))
def test_values(level: str, names: list[str]) -> None:
    assert not replay_cases.check_values(tf, names, RECORDED, level)


@pytest.mark.parametrize("name", replay_cases.failing_cases_of("math", RECORDED))
def test_runs_fail_alike(name: str) -> None:
    replay_cases.check_run_error(tf, CASES[name], RECORDED.records[name]["known"])


def run(build: Callable[[], Any], feeds: dict[Any, Any] | None = None) -> Any:
    with tf.Session() as session:
        return session.run(build(), feeds)


@pytest.fixture(autouse=True)
def _graph() -> Iterator[None]:
    with tf.Graph().as_default():
        yield


def test_shape_errors_name_op_shapes_and_place() -> None:
    x, y = tf.placeholder(tf.float32, [2, 3]), tf.placeholder(tf.float32, [None, 4])
    with pytest.raises(ValueError, match=r"\(2, 3\) and \(\?, 4\).*'sum' \(op: 'Add'\).*test_math.py:\d+") as raised:
        tf.add(x, y, name="sum")
    assert "test_shape_errors" in str(raised.value)
    with pytest.raises(ValueError, match=r"'AddN'.*\(2, 3\), \(\?, 4\).*test_math.py"):
        tf.add_n([x, y])


def test_type_errors_name_op_types_and_place() -> None:
    with pytest.raises(TypeError, match=r"'root' \(op: 'Sqrt'\) has DataType int32 .*float32.*test_math.py:\d+"):
        tf.sqrt(3, name="root")
    with pytest.raises(TypeError, match="Input 'y' of 'Add' Op has type int32 that does not match type float32"):
        tf.add(tf.constant(1.0), tf.constant(1))


def test_an_error_leaves_no_operation_behind() -> None:
    x = tf.placeholder(tf.float32, [2, 3])
    count = len(tf.get_default_graph().get_operations())
    with pytest.raises(ValueError, match="Dimensions must be equal"):
        tf.matmul(x, x)
    assert len(tf.get_default_graph().get_operations()) == count


@settings(deadline=None)
@given(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, max_side=4))
def test_static_shapes_broadcast_as_numpy(shapes: Any) -> None:
    with tf.Graph().as_default():
        x, y = (tf.placeholder(tf.float32, s) for s in shapes.input_shapes)
        assert (x + y).shape.as_list() == list(shapes.result_shape)
        assert tf.broadcast_static_shape(x.shape, y.shape).as_list() == list(shapes.result_shape)
        half = tf.placeholder(tf.float32, [None if i % 2 else s for i, s in enumerate(shapes.input_shapes[0])])
        known = (half * y).shape
        assert known.is_compatible_with(list(shapes.result_shape))


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (lambda x: tf.maximum(x, 0.0), [0, 1, 1]),
        (lambda x: tf.minimum(x, 0.0), [1, 1, 0]),
        (lambda x: tf.abs(x), [-1, 0, 1]),
        (lambda x: tf.clip_by_value(x, -2.0, 2.0), [1, 1, 1]),
        (lambda x: tf.sign(x), [0, 0, 0]),
        (lambda x: tf.where(x > 0.0, x, -x), [-1, -1, 1]),
        (lambda x: x**2.0, [-4, 0, 4]),
        (lambda x: x**0.0, [0, 0, 0]),
        (lambda x: tf.where(x > 0.0, tf.log(x), x), [1, 1, 0.5]),
    ],
)
def test_gradients_at_corners(build: Callable[[Any], Any], expected: list[float]) -> None:
    x = tf.placeholder(tf.float32, [3])
    found = run(lambda: tf.gradients(build(x), x)[0], {x: [-2.0, 0.0, 2.0]})
    if build(x).op.type == "Select" and "Log" in [op.type for op in tf.get_default_graph().get_operations()]:
        found[:2] = np.where(np.isnan(found[:2]), 1, found[:2])  # 0 times infinity, in TensorFlow too
    np.testing.assert_allclose(found, expected)


def test_second_derivatives() -> None:
    x = tf.placeholder(tf.float32, [3])
    y = tf.reduce_sum(x**3.0 * tf.exp(tf.abs(x)) + tf.maximum(x, 0.5 * x**2.0))
    (first,) = tf.gradients(y, x)
    (second,) = tf.gradients(first, x)
    at = np.float32([-1.0, 0.5, 2.5])
    function = lambda v: v**3 * jnp.exp(jnp.abs(v)) + jnp.maximum(v, 0.5 * v**2)  # noqa: E731
    expected = [jax.grad(jax.grad(function))(v) for v in at]
    np.testing.assert_allclose(run(lambda: second, {x: at}), expected, rtol=1e-5)


def test_strings_compare_and_join() -> None:
    x = tf.placeholder(tf.string, [None])
    fetches = [tf.equal(x, "b"), tf.concat([x, ["z"]], 0), tf.gather(x, [1]), x[::-1], tf.not_equal(x, ["b", "b"])]
    found = run(lambda: fetches, {x: ["a", "b"]})
    assert [v.tolist() for v in found] == [[False, True], [b"a", b"b", b"z"], [b"b"], [b"b", b"a"], [True, False]]


def test_numbers_take_the_type_of_the_tensor_beside_them() -> None:
    for dtype in (tf.float16, tf.float64, tf.int64, tf.uint8):
        x = tf.placeholder(dtype, [])
        assert (x + 1).dtype == (1 + x).dtype == (x * np.array(2, np.int32).item()).dtype == dtype
    with pytest.raises(TypeError):
        tf.placeholder(tf.int32, []) + 1.5


def test_check_numerics_says_what_it_found() -> None:
    x = tf.placeholder(tf.float32, [2])
    y = tf.debugging.check_numerics(x, "weights") * 2.0
    (gradient,) = tf.gradients(y, x)
    with tf.Session() as session:
        assert session.run([y, gradient], {x: [1.0, 2.0]})[1].tolist() == [2.0, 2.0]
        with pytest.raises(tf.errors.InvalidArgumentError, match="weights : Tensor had Inf and NaN values"):
            session.run(y, {x: [np.inf, np.nan]})


def test_range_of_a_fed_limit_compiles_for_each_length() -> None:
    n = tf.placeholder(tf.int32, [])
    total = tf.reduce_sum(tf.range(n))
    with tf.Session() as session:
        assert [session.run(total, {n: k}) for k in (3, 5, 3)] == [3, 10, 3]
