"""Products of matrices, diagonals, decompositions: as recorded from TensorFlow 1.15, and by hand."""

from collections.abc import Iterator

import numpy as np
import pytest

import monitored as tf
from oracle import replay_cases
from oracle.cases import CASES

RECORDED = replay_cases.Recorded()


@pytest.mark.parametrize("name", replay_cases.cases_of("linalg"))
def test_graph(name: str) -> None:
    for level, record in RECORDED.records[name].items():
        replay_cases.check_graph(tf, CASES[name], level, record)


@pytest.mark.parametrize(("level", "names"), replay_cases.all_runs_of("linalg", RECORDED))
def test_values(level: str, names: list[str]) -> None:
    assert not replay_cases.check_values(tf, names, RECORDED, level)


@pytest.fixture(autouse=True)
def _graph() -> Iterator[None]:
    with tf.Graph().as_default():
        yield


@pytest.mark.parametrize("equation", ["ij,jk->ik", "bij,bjk", "i,i->", "ijk->kj", "ab,cb->ac"])
def test_einsum_is_numpys(equation: str) -> None:
    letters, sizes = equation.partition("->")[0].split(","), dict(zip("abcijk", (2, 3, 4, 2, 3, 4), strict=True))
    arrays = [np.random.default_rng(0).normal(size=[sizes[c] for c in part]).astype(np.float32) for part in letters]
    expected = np.einsum(equation, *arrays)
    inputs = [tf.placeholder(tf.float32, a.shape) for a in arrays]
    result = tf.einsum(equation, *inputs)
    assert result.shape.as_list() == list(expected.shape)
    with tf.Session() as session:
        found = session.run(result, dict(zip(inputs, arrays, strict=True)))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_einsum_refuses_what_does_not_fit() -> None:
    x = tf.placeholder(tf.float32, [2, 3])
    with pytest.raises(ValueError, match="expecting 2"):
        tf.einsum("ij,jk->ik", x)
    with pytest.raises(ValueError, match=r"Expected dimension 3 at axis 'j' but got dimension 2.*'einsum/Einsum'"):
        tf.einsum("ij,jk->ik", x, x)
    with pytest.raises(ValueError, match="does not have the 3 axes"):
        tf.einsum("ijk->i", x)


def test_matmul_errors_name_op_shapes_and_place() -> None:
    x = tf.placeholder(tf.float32, [None, 3])
    with pytest.raises(ValueError, match=r"but are 3 and 5 for 'MatMul'.*\(\?, 3\), \(5, 2\).*test_linalg.py:\d+"):
        tf.matmul(x, tf.zeros([5, 2]))


def test_a_dense_layer_keeps_the_batch_unknown() -> None:
    x = tf.placeholder(tf.float32, [None, 5, 3])
    assert tf.tensordot(x, tf.zeros([3, 7]), 1).shape.as_list() == [None, 5, 7]
    assert tf.tensordot(x, tf.zeros([3, 7]), [[2], [0]]).shape.as_list() == [None, 5, 7]
    assert tf.linalg.transpose(x).shape.as_list() == [None, 3, 5]
    with tf.Session() as session:
        array = np.random.default_rng(0).normal(size=(2, 5, 3)).astype(np.float32)
        weights = np.random.default_rng(1).normal(size=(3, 7)).astype(np.float32)
        found = session.run(tf.tensordot(x, tf.constant(weights), 1), {x: array})
    np.testing.assert_allclose(found, np.tensordot(array, weights, 1), rtol=1e-4, atol=1e-6)


def test_cholesky_reads_the_lower_triangle() -> None:
    matrix = np.float32([[4, 100], [2, 3]])
    with tf.Session() as session:
        factor = session.run(tf.cholesky(matrix))
    np.testing.assert_allclose(factor @ factor.T, [[4, 2], [2, 3]], rtol=1e-5)
