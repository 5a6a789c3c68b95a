"""`while_loop`, compared with what TensorFlow gave and with Python's own loops."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oracle import replay_loops
from oracle.replay_loops import tf


@pytest.mark.parametrize("name", replay_loops.names("while/"))
def test_like_tensorflow(name: str) -> None:
    replay_loops.check(name)


_COMPARISONS = {
    "less": lambda a, b: a < b,
    "less_equal": lambda a, b: a <= b,
    "greater": lambda a, b: a > b,
    "greater_equal": lambda a, b: a >= b,
}


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(sorted(_COMPARISONS)), st.integers(-5, 5), st.integers(-5, 5), st.integers(1, 3))
def test_turns_are_counted_right(compare: str, start: int, end: int, step: int) -> None:
    step = step if compare.startswith("less") else -step
    turns, i = 0, start
    while _COMPARISONS[compare](i, end):
        turns, i = turns + 1, i + step
    with tf.Graph().as_default(), tf.Session() as session:
        loop = tf.while_loop(lambda i, n: getattr(tf, compare)(i, end), lambda i, n: (i + step, n + 1), [start, 0])
        assert session.run(loop) == [i, turns]


@pytest.mark.parametrize(
    ("cond", "wanted"),
    [
        ("i < 5", "scan"),
        ("i < tf.shape(x)[0]", "scan"),
        ("i < n", "while_loop"),
        ("y[0] < 100.0", "while_loop"),
        ("tf.logical_and(i < 5, y[0] < 100.0)", "while_loop"),
    ],
)
def test_a_known_number_of_turns_becomes_a_scan(cond: str, wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[str] = []
    for name in ("scan", "while_loop"):
        original = getattr(jax.lax, name)

        def noted(*args: Any, name: str = name, original: Any = original, **kwargs: Any) -> Any:
            used.append(name)
            return original(*args, **kwargs)

        monkeypatch.setattr(jax.lax, name, noted)
    with tf.Graph().as_default(), tf.Session() as session:
        x, n = tf.placeholder(tf.float32, [None]), tf.placeholder(tf.int32, [])
        scope = {"tf": tf, "x": x, "n": n}
        loop = tf.while_loop(lambda i, y: eval(cond, scope | {"i": i, "y": y}), lambda i, y: (i + 1, y * 2.0), [0, x])
        session.run(loop, {x: [1.0, 2.0], n: 3})
    assert used == [wanted]


def test_random_numbers_differ_from_turn_to_turn_and_run_to_run() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        for limit in (tf.constant(4), tf.placeholder_with_default(4, [])):
            array = tf.TensorArray(tf.float32, 4)
            _, array = tf.while_loop(
                lambda i, _, limit=limit: i < limit, lambda i, a: (i + 1, a.write(i, tf.random_normal([2]))), [0, array]
            )
            drawn = array.stack()
            assert len(np.unique([session.run(drawn), session.run(drawn)])) == 16


def test_gradients_see_the_random_numbers_of_the_run() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.constant(2.0)
        _, y = tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, y * tf.random_uniform([])), [0, x])
        value, gradient = session.run([y, tf.gradients(y, x)[0]])
        assert gradient == pytest.approx(value / 2, rel=1e-5)


def test_second_derivatives() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [])
        exact = tf.while_loop(lambda i, y: i < 4, lambda i, y: (i + 1, y * x), [0, x])[1]
        bounded = tf.while_loop(lambda i, y: y < 1e6, lambda i, y: [i + 1, y * x], [0, x], maximum_iterations=4)[1]
        for y in (exact, bounded):
            (first,) = tf.gradients(y, x)
            (second,) = tf.gradients(first, x)
            assert session.run([y, first, second], {x: 2.0}) == pytest.approx([32, 80, 160])


def test_several_gradients_of_one_operation_in_a_run() -> None:
    """They are of other outputs and by other inputs, and share one pullback."""
    with tf.Graph().as_default(), tf.Session() as session:
        a, b = tf.constant([[2.0, 1.0], [0.0, 1.0]]), tf.constant(3.0)
        _, u, v = tf.while_loop(lambda i, *_: i < 3, lambda i, u, v: (i + 1, tf.matmul(u, a), v * b), [0, a, b])
        one, other = tf.gradients(tf.reduce_sum(u), a)[0], tf.gradients(v, b)[0]
        both = tf.gradients([u, v], [a, b])
        head, tail = tf.split(tf.stack([b, b * 2.0]), 2)
        halves = [tf.gradients(head**2, b)[0], tf.gradients(tail**2, b)[0], tf.gradients(head * tail, b)[0]]
        alone = [session.run(f) for f in (one, other, *both, *halves)]
        together = session.run([one, other, *both, *halves])
        for x, y in zip(alone, together, strict=True):
            np.testing.assert_allclose(x, y)
        assert together[1] == 108
        assert together[-3:] == [6, 24, 12]


def test_an_inner_loop_that_is_only_bounded_is_differentiated() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [])

        def outer(i: Any, y: Any) -> Any:
            _, z = tf.while_loop(lambda j, z: z < 10.0, lambda j, z: [j + 1, z * x], [0, y], maximum_iterations=5)
            return i + 1, z / 4.0

        _, y = tf.while_loop(lambda i, y: i < 2, outer, [0, x])
        (gradient,) = tf.gradients(y, x)
        # 3, 9, 27 and 27/4, 81/4, 81/16: in all x to the fourth, divided by 16.
        assert session.run([y, gradient], {x: 3.0}) == pytest.approx([81 / 16, 4 * 27 / 16])


def test_a_gradient_without_a_bound_says_what_to_do() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [])
        (y,) = tf.while_loop(lambda y: y < 10.0, lambda y: [y * x], [x], return_same_structure=True)
        assert session.run(y, {x: 3.0}) == 27
        with pytest.raises(tf.errors.UnimplementedError, match="maximum_iterations"):
            session.run(tf.gradients(y, x), {x: 3.0})


def test_a_gradient_that_would_draw_other_numbers_is_refused() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [])
        _, y = tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, y * tf.random_uniform([])), [0, x])
        on_host = tf.reshape(tf.py_func(np.ones_like, [y], tf.float32), [])
        with pytest.raises(tf.errors.UnimplementedError, match="random_uniform"):
            session.run(tf.gradients(y, x, grad_ys=on_host), {x: 3.0})


def test_a_body_may_not_change_a_type() -> None:
    with tf.Graph().as_default(), pytest.raises(TypeError, match="int32, but the body returned float32"):
        tf.while_loop(lambda i: i < 3, lambda i: tf.cast(i, tf.float32), [0])


def test_shapes_that_change_inside_an_inner_loop() -> None:
    """Neither loop can be XLA's: both run on the host."""
    with tf.Graph().as_default(), tf.Session() as session:
        some, number = tf.TensorShape([None]), tf.TensorShape([])

        def longer(i: Any, y: Any) -> Any:
            loop = tf.while_loop(
                lambda j, z: j < i,
                lambda j, z: (j + 1, tf.concat([z, [j]], 0)),
                [0, y],
                shape_invariants=[number, some],
            )
            return i + 1, loop[1]

        _, y = tf.while_loop(lambda i, y: i < 4, longer, [0, tf.constant([9])], shape_invariants=[number, some])
        assert session.run(y).tolist() == [9, 0, 0, 1, 0, 1, 2]


def test_a_variable_is_read_as_it_was_before_the_loop_unless_it_is_read_within() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        v = tf.Variable(1.0)

        def body(i: Any, y: Any) -> Any:
            with tf.control_dependencies([v.assign_add(1.0)]):
                return i + 1, y + v.read_value()

        loop = tf.while_loop(lambda i, y: i < 3, body, [0, 0.0])
        session.run(v.initializer)
        assert session.run(loop) == [3, 9.0]
        assert session.run(v) == 4.0


def test_products_that_do_not_depend_on_turns_before_give_the_same_numbers() -> None:
    """What leaves the loop: a read at the counter's index, the product of it, half of a product of a concatenation."""
    rng = np.random.default_rng(0)
    rows, kernel = rng.normal(size=(6, 2, 3)).astype("f"), rng.normal(size=(7, 4)).astype("f")
    mix = rng.normal(size=(3, 3)).astype("f")

    def network(split: bool) -> Any:
        x, w, m = tf.constant(rows), tf.constant(kernel), tf.constant(mix)
        array = tf.TensorArray(tf.float32, 6).unstack(x)
        out = tf.TensorArray(tf.float32, 6)

        def body(i: Any, h: Any, out: Any) -> Any:
            row = tf.matmul(array.read(5 - i), m)
            if split:
                h = tf.tanh(tf.matmul(tf.concat([row, h], 1), w))
            else:
                h = tf.tanh(tf.matmul(row, w[:3]) + tf.matmul(h, w[3:]))
            return i + 1, h, out.write(i, h * tf.cast(i, tf.float32))

        _, h, out = tf.while_loop(lambda i, *_: i < 6, body, [0, tf.zeros([2, 4]), out])
        results = [h, out.stack()]
        return results + tf.gradients([tf.reduce_sum(r**2) for r in results], [x, w, m])

    def by_numpy() -> tuple[Any, Any]:
        h, outs = np.zeros((2, 4), np.float32), []
        for i in range(6):
            h = np.tanh(np.concatenate([rows[5 - i] @ mix, h], 1) @ kernel)
            outs.append(h * i)
        return h, np.stack(outs)

    with tf.Graph().as_default(), tf.Session() as session:
        one, other = session.run([network(True), network(False)])
        for a, b in zip(one, other, strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-4, atol=1e-5)
        for a, b in zip(one, by_numpy(), strict=False):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_an_index_that_runs_out_of_an_array_is_an_error() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        array = tf.TensorArray(tf.float32, 3).unstack([1.0, 2.0, 3.0])
        _, total = tf.while_loop(lambda i, _: i < 4, lambda i, t: (i + 1, t + array.read(i)), [0, 0.0])
        with pytest.raises(tf.errors.InvalidArgumentError, match="Tried to read from index 3 but array size is: 3"):
            session.run(total)
