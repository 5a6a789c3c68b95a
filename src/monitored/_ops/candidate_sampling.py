"""Losses over many classes of which a step looks at a few: candidate samplers, sampled softmax, noise contrast.

A sampler draws classes until it has as many different ones as it was asked for. XLA wants to know beforehand how many
draws that are; so twice as many as are wanted are drawn at once, and again only while that has not been enough, which
is seldom unless nearly all classes are wanted. The outcome is that of drawing one by one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from monitored import errors
from monitored._graph import dtypes
from monitored._graph.build import apply, convert_to_tensor
from monitored._graph.opdef import REQUIRED, define
from monitored._graph.operation import Operation, Tensor
from monitored._graph.shapes import TensorShape
from monitored._ops.array import reshape, shape
from monitored._ops.casts import cast
from monitored._ops.cross_entropy import (
    sigmoid_cross_entropy_with_logits,
    softmax_cross_entropy_with_logits_v2,
)
from monitored._ops.joining import concat
from monitored._ops.linalg import matmul
from monitored._ops.nn import embedding_lookup
from monitored._ops.random import get_seed
from monitored._ops.reductions import reduce_sum
from monitored._ops.rules import misfit, scope, with_rank
from monitored._ops.training import first_places

__all__ = [
    "compute_accidental_hits",
    "log_uniform_candidate_sampler",
    "nce_loss",
    "sampled_softmax_loss",
    "uniform_candidate_sampler",
]


class CandidateSample(NamedTuple):
    """What a candidate sampler gives.

    Attributes:
        sampled_candidates: The classes, int64 ``[num_sampled]``.
        true_expected_count: How often each true class can be expected among them, float32, of their shape.
        sampled_expected_count: The same for the sampled classes, float32 ``[num_sampled]``.
    """

    sampled_candidates: Tensor
    true_expected_count: Tensor
    sampled_expected_count: Tensor


class AccidentalHits(NamedTuple):
    """Where samples are true classes.

    Attributes:
        indices: The rows of the true classes, int32 ``[hits]``.
        ids: The places among the samples, int64 ``[hits]``.
        weights: The lowest float32 for each, ``[hits]``.
    """

    indices: Tensor
    ids: Tensor
    weights: Tensor


# -- meanings -----------------------------------------------------------------------------------------------


def _drawn(draw: Callable[[Any, int], Any], key: Any, wanted: int, unique: bool) -> tuple[Any, Any]:
    """Classes drawn one after another, and after how many draws there were enough.

    Args:
        draw: Gives so many classes for a key.
        key: The key.
        wanted: How many classes are wanted.
        unique: Whether they must differ.

    Returns:
        ``[wanted]`` int64, in the order in which they were drawn, and a scalar.
    """
    if not unique:
        return draw(key, wanted), wanted
    none = 1 << 50  # no class
    at_once = 2 * wanted

    def enough(state: Any) -> Any:
        return state[1] < wanted

    def again(state: Any) -> Any:
        kept, _, draws = state
        return more(kept, draws, jax.random.fold_in(key, draws))

    def more(kept: Any, draws: Any, key: Any) -> Any:
        both = jnp.concatenate([kept, draw(key, at_once)])
        places = np.arange(both.shape[0], dtype=np.int32)
        new = (first_places(both) == places) & (both != none)
        chosen = jnp.sort(jnp.where(new, places, len(places)))[:wanted]
        kept = both.at[chosen].get(mode="fill", fill_value=none)
        count = jnp.sum(chosen < len(places), dtype=jnp.int32)
        # The draw that brought the last class that was wanted is the last one that would have been made.
        draws = draws + jnp.where(count < wanted, at_once, chosen[-1] - (len(places) - at_once) + 1)
        return kept, count, draws

    # The first turn stands outside of the loop, where it takes a CPU half the time.
    first = more(jnp.zeros([0], jnp.int64), jnp.zeros([], jnp.int64), key)
    kept, _, draws = lax.while_loop(enough, again, first)
    return kept, draws


def _log_uniform(
    key: Any, true_classes: Any, *, num_true: int, num_sampled: int, unique: bool, range_max: int
) -> tuple[Any, ...]:
    scale = math.log(range_max + 1)

    def draw(key: Any, count: int) -> Any:
        classes = jnp.exp(jax.random.uniform(key, (count,), jnp.float64) * scale).astype(jnp.int64) - 1
        return jnp.minimum(classes, range_max - 1)

    def probability(classes: Any) -> Any:
        classes = classes.astype(jnp.float64)
        return jnp.log((classes + 2) / (classes + 1)) / scale

    return _sampled(draw, probability, key, true_classes, num_sampled, unique)


def _uniform(
    key: Any, true_classes: Any, *, num_true: int, num_sampled: int, unique: bool, range_max: int
) -> tuple[Any, ...]:
    def draw(key: Any, count: int) -> Any:
        return jax.random.randint(key, (count,), 0, range_max, jnp.int64)

    def probability(classes: Any) -> Any:
        return jnp.full(classes.shape, 1 / range_max, jnp.float64)

    return _sampled(draw, probability, key, true_classes, num_sampled, unique)


def _sampled(
    draw: Callable[[Any, int], Any],
    probability: Callable[[Any], Any],
    key: Any,
    true_classes: Any,
    num_sampled: int,
    unique: bool,
) -> tuple[Any, ...]:
    sampled, draws = _drawn(draw, key, num_sampled, unique)

    def expected(classes: Any) -> Any:
        each = probability(classes)
        count = -jnp.expm1(draws * jnp.log1p(-each)) if unique else draws * each
        return count.astype(jnp.float32)

    return sampled, expected(jnp.asarray(true_classes)), expected(sampled)


def _accidental_hits(context: Any, op: Operation, true_classes: Any, sampled: Any) -> tuple[Any, ...]:
    last = {value: place for place, value in enumerate(sampled.tolist())}  # of equal samples, TensorFlow sees the last
    hits = [(row, last[c]) for row, classes in enumerate(true_classes.tolist()) for c in classes if c in last]
    rows, places = np.array(hits, np.int64).reshape(-1, 2).T
    return rows.astype(np.int32), places, np.full(rows.shape, np.finfo(np.float32).min, np.float32)


# -- definitions --------------------------------------------------------------------------------------------


def _sample_shapes(op: Operation) -> list[TensorShape]:
    attrs = op._attrs
    rows, columns = with_rank(op, 0, 2)
    if columns not in (None, attrs["num_true"]):
        raise misfit(op, f"true_classes must have num_true columns, expected: {attrs['num_true']} was: {columns}")
    sampled = TensorShape([attrs["num_sampled"]])
    return [sampled, TensorShape([rows, attrs["num_true"]]), sampled]


for _op_type, _lower in (("LogUniformCandidateSampler", _log_uniform), ("UniformCandidateSampler", _uniform)):
    define(
        _op_type,
        "true_classes:int64 -> sampled_candidates:int64 true_expected_count:float32 sampled_expected_count:float32",
        _lower, infer=_sample_shapes, random=True, no_grad=True, num_true=REQUIRED, num_sampled=REQUIRED,
        unique=REQUIRED, range_max=REQUIRED, seed=0, seed2=0,
    )  # fmt: skip
define(
    "ComputeAccidentalHits", "true_classes:int64 sampled_candidates:int64 -> indices:int32 ids:int64 weights:float32",
    host=_accidental_hits, infer=lambda op: [TensorShape([None])] * 3, no_grad=True, num_true=REQUIRED, seed=0, seed2=0,
)  # fmt: skip


# -- samplers -----------------------------------------------------------------------------------------------


def log_uniform_candidate_sampler(
    true_classes: Any,
    num_true: int,
    num_sampled: int,
    unique: bool,
    range_max: int,
    seed: int | None = None,
    name: str | None = None,
) -> CandidateSample:
    """Classes drawn with probability ``log((class + 2) / (class + 1)) / log(range_max + 1)``: Zipf's law, nearly.

    It suits classes sorted by falling frequency, such as words.

    Args:
        true_classes: The true classes of each example, int64 ``[batch, num_true]``.
        num_true: How many there are for an example.
        num_sampled: How many classes to draw.
        unique: Whether the classes drawn must differ.
        range_max: How many classes there are.
        seed: The op's seed; see `set_random_seed`.
        name: A name for the operation.

    Returns:
        The classes, and how often the true and the sampled ones can be expected among them.

    Raises:
        ValueError: If the shape does not fit, or a number is not positive.
        InvalidArgumentError: If more different classes are wanted than there are.
    """
    return _sample("LogUniformCandidateSampler", true_classes, num_true, num_sampled, unique, range_max, seed, name)


def uniform_candidate_sampler(
    true_classes: Any,
    num_true: int,
    num_sampled: int,
    unique: bool,
    range_max: int,
    seed: int | None = None,
    name: str | None = None,
) -> CandidateSample:
    """Classes drawn with equal probabilities.

    Args:
        true_classes: The true classes of each example, int64 ``[batch, num_true]``.
        num_true: How many there are for an example.
        num_sampled: How many classes to draw.
        unique: Whether the classes drawn must differ.
        range_max: How many classes there are.
        seed: The op's seed; see `set_random_seed`.
        name: A name for the operation.

    Returns:
        The classes, and how often the true and the sampled ones can be expected among them.

    Raises:
        ValueError: If the shape does not fit, or a number is not positive.
        InvalidArgumentError: If more different classes are wanted than there are.
    """
    return _sample("UniformCandidateSampler", true_classes, num_true, num_sampled, unique, range_max, seed, name)


def _sample(
    op_type: str,
    true_classes: Any,
    num_true: int,
    num_sampled: int,
    unique: bool,
    range_max: int,
    seed: int | None,
    name: str | None,
) -> CandidateSample:
    for what, number in (("num_true", num_true), ("num_sampled", num_sampled), ("range_max", range_max)):
        if number < 1:
            raise ValueError(f"Attr '{what}' of '{name or op_type}' Op passed {number} less than minimum 1.")
    if unique and num_sampled > range_max:
        raise errors.InvalidArgumentError(
            None, None,
            f"Sampler's range is too small: '{name or op_type}' is to draw {num_sampled} different classes of "
            f"{range_max}.",
        )  # fmt: skip
    graph_seed, op_seed = get_seed(seed)
    outputs = apply(
        op_type, true_classes, name=name, num_true=num_true, num_sampled=num_sampled, unique=unique,
        range_max=range_max, seed=graph_seed or 0, seed2=op_seed or 0,
    )  # fmt: skip
    return CandidateSample(*outputs)


def compute_accidental_hits(
    true_classes: Any, sampled_candidates: Any, num_true: int, seed: int | None = None, name: str | None = None
) -> AccidentalHits:
    """Finds the samples that are true classes.

    Args:
        true_classes: The true classes of each example, int64 ``[batch, num_true]``.
        sampled_candidates: The sampled classes, int64 ``[num_sampled]``.
        num_true: How many true classes there are for an example.
        seed: Accepted as TensorFlow does; nothing is drawn.
        name: A name for the operation.

    Returns:
        The row and the sample of each hit, and the lowest float32, which added to a logit makes it vanish.
    """
    graph_seed, op_seed = get_seed(seed)
    outputs = apply(
        "ComputeAccidentalHits", true_classes, sampled_candidates, name=name, num_true=num_true,
        seed=graph_seed or 0, seed2=op_seed or 0,
    )  # fmt: skip
    return AccidentalHits(*outputs)


# -- losses -------------------------------------------------------------------------------------------------


def sampled_softmax_loss(
    weights: Any,
    biases: Any,
    labels: Any,
    inputs: Any,
    num_sampled: int,
    num_classes: int,
    num_true: int = 1,
    sampled_values: Any = None,
    remove_accidental_hits: bool = True,
    partition_strategy: str = "mod",
    name: str = "sampled_softmax_loss",
    seed: int | None = None,
) -> Tensor:
    """The softmax cross entropy over the true and some sampled classes, for training (Jean et al., 2014, 1412.2007).

    Only the rows of the classes are read, and the gradients of `weights` and `biases` hold only these.

    Args:
        weights: ``[num_classes, dim]``, or a list of its parts, or a partitioned variable.
        biases: ``[num_classes]``, or the same.
        labels: The true classes, int64 ``[batch, num_true]``.
        inputs: ``[batch, dim]``.
        num_sampled: How many classes to sample for the batch.
        num_classes: How many classes there are.
        num_true: How many true classes there are for an example.
        sampled_values: What a candidate sampler gave; by default `log_uniform_candidate_sampler`'s.
        remove_accidental_hits: Whether samples that are an example's true class are left out.
        partition_strategy: How the parts of `weights` hold the rows; see `embedding_lookup`.
        name: A name for the operations.
        seed: The sampler's seed.

    Returns:
        The losses of the examples, ``[batch]``.

    Raises:
        ValueError: If the shapes do not fit.
    """
    logits, targets = _sampled_logits(
        weights, biases, labels, inputs, num_sampled, num_classes, num_true, sampled_values, remove_accidental_hits,
        partition_strategy, name, seed,
    )  # fmt: skip
    return softmax_cross_entropy_with_logits_v2(labels=apply("StopGradient", targets), logits=logits)


def nce_loss(
    weights: Any,
    biases: Any,
    labels: Any,
    inputs: Any,
    num_sampled: int,
    num_classes: int,
    num_true: int = 1,
    sampled_values: Any = None,
    remove_accidental_hits: bool = False,
    partition_strategy: str = "mod",
    name: str = "nce_loss",
) -> Tensor:
    """The loss of noise-contrastive estimation (Gutmann and Hyvärinen, 2010).

    Only the rows of the classes are read, and the gradients of `weights` and `biases` hold only these.

    Args:
        weights: ``[num_classes, dim]``, or a list of its parts, or a partitioned variable.
        biases: ``[num_classes]``, or the same.
        labels: The true classes, int64 ``[batch, num_true]``.
        inputs: ``[batch, dim]``.
        num_sampled: How many classes to sample for the batch.
        num_classes: How many classes there are.
        num_true: How many true classes there are for an example.
        sampled_values: What a candidate sampler gave; by default `log_uniform_candidate_sampler`'s.
        remove_accidental_hits: Whether samples that are an example's true class are left out.
        partition_strategy: How the parts of `weights` hold the rows; see `embedding_lookup`.
        name: A name for the operations.

    Returns:
        The losses of the examples, ``[batch]``.

    Raises:
        ValueError: If the shapes do not fit.
    """
    logits, targets = _sampled_logits(
        weights, biases, labels, inputs, num_sampled, num_classes, num_true, sampled_values, remove_accidental_hits,
        partition_strategy, name, None,
    )  # fmt: skip
    losses = sigmoid_cross_entropy_with_logits(labels=targets, logits=logits, name="sampled_losses")
    return reduce_sum(losses, axis=1)


def _sampled_logits(
    weights: Any,
    biases: Any,
    labels: Any,
    inputs: Any,
    num_sampled: int,
    num_classes: int,
    num_true: int,
    sampled_values: Any,
    remove_accidental_hits: bool,
    partition_strategy: str,
    name: str,
    seed: int | None,
) -> tuple[Tensor, Tensor]:
    """The logits of the true classes and the samples, and what they should be, ``[batch, num_true + num_sampled]``."""
    with scope(name, "compute_sampled_logits", inputs, labels):
        inputs, labels = convert_to_tensor(inputs, name="inputs"), convert_to_tensor(labels, name="labels")
        labels = labels if labels.dtype.base_dtype == dtypes.int64 else cast(labels, dtypes.int64)
        flat = reshape(labels, [-1])
        if sampled_values is None:
            sampled_values = log_uniform_candidate_sampler(labels, num_true, num_sampled, True, num_classes, seed)
        sampled, true_count, sampled_count = (apply("StopGradient", value) for value in sampled_values)
        sampled = cast(sampled, dtypes.int64)
        # One lookup for both, as TensorFlow has, would be cut in two again, and the parts copied.
        true_rows, rows = (
            embedding_lookup(weights, ids, partition_strategy=partition_strategy) for ids in (flat, sampled)
        )
        true_offsets, offsets = (
            embedding_lookup(biases, ids, partition_strategy=partition_strategy) for ids in (flat, sampled)
        )
        if num_true == 1:
            products = reduce_sum(inputs * true_rows, axis=1, keepdims=True)
        else:
            true_rows = reshape(true_rows, apply("Pack", [-1, num_true, shape(rows)[1]], axis=0))
            products = reduce_sum(apply("ExpandDims", inputs, 1) * true_rows, axis=2)
        true_logits = products + reshape(true_offsets, [-1, num_true])
        logits = matmul(inputs, rows, transpose_b=True) + offsets
        if remove_accidental_hits:
            # TensorFlow's ComputeAccidentalHits gives as many indices as there are hits, which XLA cannot have.
            equal = apply("Equal", apply("ExpandDims", labels, 2), reshape(sampled, [1, 1, -1]))
            hits = reduce_sum(cast(equal, logits.dtype), axis=1)
            logits = logits + hits * float(np.finfo(np.float32).min)
        true_logits = true_logits - cast(apply("Log", true_count), logits.dtype)
        logits = logits - cast(apply("Log", sampled_count), logits.dtype)
        targets = [apply("OnesLike", true_logits) / num_true, apply("ZerosLike", logits)]
        return concat([true_logits, logits], 1), concat(targets, 1)
