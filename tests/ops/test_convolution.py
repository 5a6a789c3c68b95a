"""Convolutions of any sizes are sums of products over windows, however they are computed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import monitored as tf

sizes = st.integers(1, 9)


def convolved(x: np.ndarray, w: np.ndarray, added: list[list[int]]) -> np.ndarray:
    """What `conv2d` gives for strides of 1, by its definition."""
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, added), w.shape[:2], (1, 2))
    return np.einsum("bhwcij,ijco->bhwo", windows, w, dtype=np.float64)


@settings(max_examples=40, deadline=None)
@given(
    image=st.tuples(st.integers(0, 3), sizes, sizes),
    window=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    channels=st.tuples(st.integers(1, 6), st.integers(1, 3)),
    padding=st.sampled_from(["SAME", "explicit"]),
    dtype=st.sampled_from([np.float32, np.float64]),
    seed=st.integers(0, 1000),
)
def test_conv2d_and_its_gradients_are_what_their_definition_says(
    image: tuple[int, int, int],
    window: tuple[int, int],
    channels: tuple[int, int],
    padding: str,
    dtype: type[np.floating],
    seed: int,
) -> None:
    random = np.random.RandomState(seed)
    x = random.randn(*image, channels[0]).astype(dtype)
    w = random.randn(*window, *channels).astype(dtype)
    if padding == "SAME":
        inside = [[(size - 1) // 2, size // 2] for size in window]
    else:  # at least so much that the window fits
        inside = [[random.randint(3), max(size - 1, 0)] for size in window]
    added = [[0, 0], *inside, [0, 0]]
    expected = convolved(x, w, added)
    factors = random.randn(*expected.shape).astype(dtype)
    with tf.Graph().as_default(), tf.Session() as session:
        inputs = [tf.placeholder(value.dtype, value.shape) for value in (x, w)]
        y = tf.nn.conv2d(*inputs, strides=1, padding="SAME" if padding == "SAME" else added)
        gradients = tf.gradients(tf.reduce_sum(y * factors), inputs)
        found, of_x, of_w = session.run([y, *gradients], dict(zip(inputs, (x, w), strict=True)))
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    # The sum is linear in either of its arguments.
    for gradient, value in ((of_x, x), (of_w, w)):
        assert float((gradient * value).sum()) == pytest.approx(float((expected * factors).sum()), rel=1e-3, abs=1e-3)
