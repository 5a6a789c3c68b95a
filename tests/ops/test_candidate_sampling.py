"""Candidate samplers, and the losses that look at a few of many classes."""

from __future__ import annotations

import numpy as np
import pytest

import monitored as tf


def sample(sampler, true, num_sampled, unique, range_max, seed=None):
    with tf.Graph().as_default(), tf.Session() as session:
        return session.run(sampler(np.asarray(true, np.int64), 1, num_sampled, unique, range_max, seed=seed))


@pytest.mark.parametrize(
    ("sampler", "num_sampled", "range_max"),
    [
        (tf.nn.log_uniform_candidate_sampler, 10, 10),
        (tf.nn.uniform_candidate_sampler, 9, 10),
        (tf.nn.uniform_candidate_sampler, 295, 300),
    ],
)
def test_unique_classes_differ_and_lie_in_range_even_if_nearly_all_are_wanted(sampler, num_sampled, range_max):
    found = sample(sampler, [[0]], num_sampled, True, range_max).sampled_candidates
    assert len(set(found.tolist())) == num_sampled
    assert set(found.tolist()) <= set(range(range_max))


def test_expected_counts_without_uniqueness_are_those_of_tensorflow():
    # TensorFlow 1.15.5 gives these for 5 of 10 classes.
    log_uniform = sample(tf.nn.log_uniform_candidate_sampler, [[1], [20]], 5, False, 10)
    np.testing.assert_allclose(log_uniform.true_expected_count, [[0.8454604], [0.09700176]], rtol=1e-6)
    by_class = {0: 1.4453242, 1: 0.8454604, 2: 0.59986377, 3: 0.46529046, 4: 0.38017, 6: 0.27843457}
    for drawn, count in zip(log_uniform.sampled_candidates, log_uniform.sampled_expected_count, strict=True):
        if drawn in by_class:
            assert count == pytest.approx(by_class[drawn], rel=1e-6)
    uniform = sample(tf.nn.uniform_candidate_sampler, [[1], [2]], 5, False, 10)
    np.testing.assert_allclose(uniform.true_expected_count, [[0.5], [0.5]])


def test_classes_are_drawn_as_often_as_expected():
    drawn = sample(tf.nn.log_uniform_candidate_sampler, [[0]], 20000, False, 10, seed=1).sampled_candidates
    share = np.log((np.arange(10) + 2) / (np.arange(10) + 1)) / np.log(11)
    np.testing.assert_allclose(np.bincount(drawn, minlength=10) / 20000, share, atol=0.015)


def test_how_often_unique_classes_appear_agrees_with_the_expected_counts():
    """The number of draws that the counts are worked out with is that of drawing one by one."""
    with tf.Graph().as_default(), tf.Session() as session:
        true = np.arange(8, dtype=np.int64)[:, None]
        drawn = tf.nn.log_uniform_candidate_sampler(true, 1, 4, True, 8, seed=3)
        runs = [session.run(drawn) for _ in range(400)]
    seen = np.mean([np.isin(np.arange(8), run.sampled_candidates) for run in runs], axis=0)
    expected = np.mean([run.true_expected_count[:, 0] for run in runs], axis=0)
    np.testing.assert_allclose(seen, expected, atol=0.08)


def test_accidental_hits_are_those_of_tensorflow():
    with tf.Graph().as_default(), tf.Session() as session:
        hits = session.run(tf.nn.compute_accidental_hits([[1, 3], [2, 1]], [1, 2, 3, 1], 2))
    assert hits.indices.tolist() == [0, 0, 1, 1]
    assert hits.ids.tolist() == [3, 2, 1, 3]
    assert (hits.weights == np.finfo(np.float32).min).all()


def losses(loss, rng, **more):
    """A loss with given samples, the same worked out with NumPy's arrays, and the gradient of the weights."""
    weights, biases = rng.randn(20, 4).astype(np.float32), rng.randn(20).astype(np.float32)
    inputs, labels = rng.randn(3, 4).astype(np.float32), np.array([[1, 7], [2, 19], [7, 3]])
    sampled = np.array([7, 0, 5]), rng.rand(3, 2).astype(np.float32), rng.rand(3).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as session:
        w, b = tf.Variable(weights), tf.Variable(biases)
        given = tuple(tf.constant(value) for value in sampled)
        loss_op = loss(w, b, labels, inputs, 3, 20, 2, sampled_values=given, **more)
        gradient = tf.gradients(loss_op, w)[0]
        session.run(tf.global_variables_initializer())
        found, rows = session.run([loss_op, gradient])
    true = np.einsum("bd,btd->bt", inputs, weights[labels]) + biases[labels] - np.log(sampled[1])
    others = inputs @ weights[sampled[0]].T + biases[sampled[0]] - np.log(sampled[2])
    hits = (labels[:, :, None] == sampled[0]).any(1)
    return found, true, others, hits, rows


def test_sampled_softmax_is_the_cross_entropy_over_true_and_sampled_classes():
    found, true, others, hits, rows = losses(tf.nn.sampled_softmax_loss, np.random.RandomState(0))
    others[hits] = -np.inf
    logits = np.concatenate([true, others], 1)
    np.testing.assert_allclose(found, np.log(np.exp(logits).sum(1)) - true.mean(1), rtol=1e-5)
    assert sorted(rows.indices.tolist()) == sorted([1, 7, 2, 19, 7, 3, 7, 0, 5])  # no row but theirs


def test_noise_contrast_is_the_sum_of_the_logistic_losses_of_true_and_sampled_classes():
    found, true, others, _, _ = losses(tf.nn.nce_loss, np.random.RandomState(0))
    expected = (np.log1p(np.exp(true)) - true / 2).sum(1) + np.log1p(np.exp(others)).sum(1)  # half true, being of two
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_step_of_sampled_softmax_changes_no_other_rows_and_is_compiled_once():
    with tf.Graph().as_default(), tf.Session() as session:
        w, b = tf.get_variable("w", [1000, 4]), tf.get_variable("b", [1000])
        labels = tf.placeholder(tf.int64, [None, 1])
        loss = tf.nn.sampled_softmax_loss(w, b, labels, tf.ones([2, 4]), 8, 1000)
        train = tf.train.AdagradOptimizer(0.1).minimize(loss)
        session.run(tf.global_variables_initializer())
        before = session.run(w)
        session.run(train, {labels: [[5], [6]]})
        compiles = session._executor.compiled.compiles
        for label in range(5):
            session.run(train, {labels: [[label], [6]]})
        assert session._executor.compiled.compiles == compiles
        changed = (session.run(w) != before).any(1)
        assert changed[:7].all()
        assert changed.sum() <= 7 + 6 * 8


@pytest.mark.parametrize(
    ("num_true", "num_sampled", "range_max", "error"),
    [
        (1, 0, 10, ValueError),
        (1, 3, 0, ValueError),
        (2, 3, 10, ValueError),
        (1, 11, 10, tf.errors.InvalidArgumentError),
    ],
)
def test_numbers_that_cannot_be_are_refused(num_true, num_sampled, range_max, error):
    with tf.Graph().as_default(), pytest.raises(error):
        tf.nn.log_uniform_candidate_sampler([[1]], num_true, num_sampled, True, range_max)
