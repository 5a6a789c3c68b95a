"""Sparse tensors: fed, fetched, densified, multiplied, differentiated."""

from __future__ import annotations

import numpy as np
import pytest

import monitored as tf

VALUE = tf.SparseTensorValue(indices=[[0, 1], [2, 0]], values=[5.0, 7.0], dense_shape=[3, 2])
DENSE = np.float32([[0, 5], [0, 0], [7, 0]])


def test_a_sparse_tensor_is_fetched_as_a_value_in_its_place_of_the_structure() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        sparse = tf.SparseTensor(*VALUE)
        assert sparse.shape == [3, 2]
        found = session.run({"s": sparse, "t": tf.constant(1)})
        assert isinstance(found["s"], tf.SparseTensorValue)
        np.testing.assert_array_equal(found["s"].indices, VALUE.indices)
        np.testing.assert_array_equal(found["s"].values, VALUE.values)
        np.testing.assert_array_equal(found["s"].dense_shape, VALUE.dense_shape)
        assert found["t"] == 1
        np.testing.assert_array_equal(sparse.eval().values, VALUE.values)


@pytest.mark.parametrize("value", [VALUE, tuple(VALUE), tf.SparseTensorValue(*map(np.asarray, VALUE))])
def test_a_sparse_placeholder_is_fed_with_its_parts(value: tuple[object, ...]) -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        sparse = tf.sparse_placeholder(tf.float32)
        dense = tf.sparse_tensor_to_dense(sparse)
        np.testing.assert_array_equal(session.run(dense, {sparse: value}), DENSE)
        wider = tf.SparseTensorValue([[0, 0]], [1.0], [1, 4])
        np.testing.assert_array_equal(session.run(dense, {sparse: wider}), [[1, 0, 0, 0]])


def test_a_value_with_too_few_parts_is_refused() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        sparse = tf.sparse_placeholder(tf.float32)
        with pytest.raises(ValueError, match="Key had 3 elements, but value had 2 elements"):
            session.run(tf.sparse_tensor_to_dense(sparse), {sparse: ([[0, 0]], [1.0])})


def test_parts_that_do_not_fit_together_are_refused() -> None:
    with tf.Graph().as_default(), pytest.raises(ValueError, match="not compatible"):
        tf.SparseTensor([[0, 0], [1, 1]], [1.0], [2, 2])


def test_sparse_to_dense_fills_with_the_default() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        np.testing.assert_array_equal(session.run(tf.sparse_to_dense([1, 3], [5], 1, -1)), [-1, 1, -1, 1, -1])


@pytest.mark.parametrize(("adjoint_a", "adjoint_b"), [(False, False), (True, False), (False, True), (True, True)])
def test_a_product_with_a_dense_matrix_and_its_gradients(adjoint_a: bool, adjoint_b: bool) -> None:
    rows = 3 if adjoint_a else 2
    b = np.arange(rows * 4, dtype=np.float32).reshape([4, rows] if adjoint_b else [rows, 4])
    with tf.Graph().as_default(), tf.Session() as session:
        sparse, right = tf.SparseTensor(*VALUE), tf.constant(b)
        product = tf.sparse_tensor_dense_matmul(sparse, right, adjoint_a, adjoint_b)
        left = DENSE.T if adjoint_a else DENSE
        expected = left @ (b.T if adjoint_b else b)
        assert product.shape == expected.shape
        np.testing.assert_array_equal(session.run(product), expected)
        of_values, of_right = session.run(tf.gradients(product, [sparse.values, right]))
        ones = np.ones_like(expected)
        of_b = left.T @ ones
        np.testing.assert_array_equal(of_right, of_b.T if adjoint_b else of_b)
        of_left = ones @ (b if adjoint_b else b.T)
        of_dense = of_left.T if adjoint_a else of_left
        np.testing.assert_array_equal(of_values, of_dense[[0, 2], [1, 0]])
