"""The operations by which optimizers change variables: dense updates, and updates of the rows that a batch touched.

Formulas are those of TensorFlow's kernels (`core/kernels/training_ops.cc`), from which the papers' differ in places.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from monitored._graph.opdef import define
from monitored._graph.operation import Operation
from monitored._graph.shapes import TensorShape

Array = Any

_COMPARED_AT_ONCE: Final = 256  # so many numbers are compared with one another in less time than sorting them takes

# -- formulas: present values of the variables first, their new values returned -----------------------------------


def _gradient_descent(var: Array, alpha: Array, delta: Array) -> Array:
    return var - alpha * delta


def _momentum(
    var: Array, accum: Array, lr: Array, grad: Array, momentum: Array, *, use_nesterov: bool
) -> tuple[Array, ...]:
    accum = accum * momentum + grad
    step = grad * lr + accum * momentum * lr if use_nesterov else accum * lr
    return var - step, accum


def _adam(
    var: Array, m: Array, v: Array, beta1_power: Array, beta2_power: Array, lr: Array, beta1: Array, beta2: Array,
    epsilon: Array, grad: Array, *, use_nesterov: bool,
) -> tuple[Array, ...]:  # fmt: skip
    alpha = lr * jnp.sqrt(1 - beta2_power) / (1 - beta1_power)
    m = m + (grad - m) * (1 - beta1)
    v = v + (grad * grad - v) * (1 - beta2)
    direction = grad * (1 - beta1) + beta1 * m if use_nesterov else m
    return var - (direction * alpha) / (jnp.sqrt(v) + epsilon), m, v


def _adagrad(var: Array, accum: Array, lr: Array, grad: Array, *, update_slots: bool) -> tuple[Array, ...]:
    if update_slots:
        accum = accum + grad * grad
    return var - grad * lr * jax.lax.rsqrt(accum), accum


def _adadelta(
    var: Array, accum: Array, accum_update: Array, lr: Array, rho: Array, epsilon: Array, grad: Array
) -> tuple[Array, ...]:
    accum = accum * rho + grad * grad * (1 - rho)
    update = jnp.sqrt(accum_update + epsilon) * jax.lax.rsqrt(accum + epsilon) * grad
    return var - update * lr, accum, accum_update * rho + update * update * (1 - rho)


def _rms_prop(
    var: Array, ms: Array, mom: Array, lr: Array, rho: Array, momentum: Array, epsilon: Array, grad: Array
) -> tuple[Array, ...]:
    ms = ms + (grad * grad - ms) * (1 - rho)
    mom = mom * momentum + (grad * lr) / jnp.sqrt(ms + epsilon)
    return var - mom, ms, mom


def _centered_rms_prop(
    var: Array, mg: Array, ms: Array, mom: Array, lr: Array, rho: Array, momentum: Array, epsilon: Array, grad: Array
) -> tuple[Array, ...]:
    ms = ms + (grad * grad - ms) * (1 - rho)
    mg = mg + (grad - mg) * (1 - rho)
    mom = mom * momentum + (grad * lr) / jnp.sqrt(ms - mg * mg + epsilon)
    return var - mom, mg, ms, mom


def _ftrl_v2(
    var: Array, accum: Array, linear: Array, grad: Array, lr: Array, l1: Array, l2: Array, l2_shrinkage: Array,
    lr_power: Array,
) -> tuple[Array, ...]:  # fmt: skip
    shrunk = grad + 2 * l2_shrinkage * var
    new_accum = accum + grad * grad
    new_power, old_power = new_accum ** (-lr_power), accum ** (-lr_power)
    linear = linear + shrunk - (new_power - old_power) / lr * var
    quadratic = new_power / lr + 2 * l2
    pulled = (jnp.sign(linear) * l1 - linear) / quadratic
    return jnp.where(jnp.abs(linear) > l1, pulled, jnp.zeros_like(var)), new_accum, linear


def _ftrl(
    var: Array, accum: Array, linear: Array, grad: Array, lr: Array, l1: Array, l2: Array, lr_power: Array
) -> tuple[Array, ...]:
    return _ftrl_v2(var, accum, linear, grad, lr, l1, l2, 0, lr_power)


# -- the dense operations -----------------------------------------------------------------------------------------


def _same_shapes(op: Operation) -> TensorShape:
    """The variable's shape, which its slots and the gradient must have."""
    count = len(op.op_def.updates)
    names = [arg.name for arg in op.op_def.inputs]
    shape = op.inputs[0].shape
    for position in (*range(1, count), names.index("delta" if "delta" in names else "grad")):
        other = op.inputs[position].shape
        if not shape.is_compatible_with(other):
            raise ValueError(
                f"Dimensions must be equal: the variable '{op.inputs[0].op.name}' has shape {shape}, but '{op.name}' "
                f"(op: '{op.type}') is given '{names[position]}' of shape {other}. Created at {op.creation_site}."
            )
        shape = shape.merge_with(other)
    return shape


def _dense(op_type: str, refs: str, inputs: str, lower: Callable[..., Any], **attrs: Any) -> None:
    names = refs.split()
    signature = " ".join([*(f"{name}:&T" for name in names), *(f"{name}:T" for name in inputs.split())])
    define(
        op_type, f"{signature} -> out:&T", lower, infer=_same_shapes, updates=range(len(names)), no_grad=True,
        use_locking=False, **attrs,
    )  # fmt: skip


_dense("ApplyGradientDescent", "var", "alpha delta", _gradient_descent)
_dense("ApplyMomentum", "var accum", "lr grad momentum", _momentum, use_nesterov=False)
_dense("ApplyAdam", "var m v", "beta1_power beta2_power lr beta1 beta2 epsilon grad", _adam, use_nesterov=False)
_dense("ApplyAdagrad", "var accum", "lr grad", _adagrad, update_slots=True)
_dense("ApplyAdadelta", "var accum accum_update", "lr rho epsilon grad", _adadelta)
_dense("ApplyRMSProp", "var ms mom", "lr rho momentum epsilon grad", _rms_prop)
_dense("ApplyCenteredRMSProp", "var mg ms mom", "lr rho momentum epsilon grad", _centered_rms_prop)
_dense("ApplyFtrl", "var accum linear", "grad lr l1 l2 lr_power", _ftrl)
_dense("ApplyFtrlV2", "var accum linear", "grad lr l1 l2 l2_shrinkage lr_power", _ftrl_v2)


# -- the same on rows ---------------------------------------------------------------------------------------------


def _on_rows(
    refs: list[Array], indices: Array, formula: Callable[..., tuple[Array, ...]], stepped: bool = True
) -> tuple[Array, ...]:
    """Applies a formula to the rows at `indices`, each of which occurs once; rows beyond the end are left out.

    Where the formula only takes something from the variable (`stepped`), its rows are not read: it is given zero for
    them, and what it makes of zero is added.
    """
    places = [jnp.asarray(ref).at[indices] for ref in refs]
    rows = [place.get(mode="clip", wrap_negative_indices=False) for place in places[stepped:]]
    new_rows = formula(jnp.zeros([], refs[0].dtype), *rows) if stepped else formula(*rows)
    write: list[Callable[..., Array]] = [place.set for place in places]
    if stepped:
        write[0] = places[0].add
    return tuple(
        change(rows.astype(ref.dtype), mode="drop", wrap_negative_indices=False)
        for change, rows, ref in zip(write, new_rows, refs, strict=True)
    )


def _sparse_momentum(
    var: Array, accum: Array, lr: Array, grad: Array, indices: Array, momentum: Array, *, use_nesterov: bool
) -> tuple[Array, ...]:
    return _on_rows([var, accum], indices, lambda v, a: _momentum(v, a, lr, grad, momentum, use_nesterov=use_nesterov))


def _sparse_adagrad(
    var: Array, accum: Array, lr: Array, grad: Array, indices: Array, *, update_slots: bool
) -> tuple[Array, ...]:
    return _on_rows([var, accum], indices, lambda v, a: _adagrad(v, a, lr, grad, update_slots=update_slots))


def _rows_of(formula: Callable[..., tuple[Array, ...]], refs: int) -> Callable[..., tuple[Array, ...]]:
    """The sparse lowering of a formula whose gradient is its last argument, followed by the indices."""

    def lower(*args: Array) -> tuple[Array, ...]:
        return _on_rows(list(args[:refs]), args[-1], lambda *rows: formula(*rows, *args[refs:-1]))

    return lower


def _sparse_ftrl(
    var: Array, accum: Array, linear: Array, grad: Array, indices: Array, lr: Array, l1: Array, l2: Array,
    lr_power: Array,
) -> tuple[Array, ...]:  # fmt: skip
    return _on_rows([var, accum, linear], indices, lambda v, a, z: _ftrl(v, a, z, grad, lr, l1, l2, lr_power), False)


def _sparse_ftrl_v2(
    var: Array, accum: Array, linear: Array, grad: Array, indices: Array, lr: Array, l1: Array, l2: Array,
    l2_shrinkage: Array, lr_power: Array,
) -> tuple[Array, ...]:  # fmt: skip
    return _on_rows(
        [var, accum, linear],
        indices,
        lambda v, a, z: _ftrl_v2(v, a, z, grad, lr, l1, l2, l2_shrinkage, lr_power),
        False,
    )


def _sparse(op_type: str, refs: str, inputs: str, lower: Callable[..., Any], **attrs: Any) -> None:
    names = refs.split()
    parts = [f"{name}:&T" for name in names]
    parts += [f"{name}:Tindices" if name == "indices" else f"{name}:T" for name in inputs.split()]
    define(
        op_type, f"{' '.join(parts)} -> out:&T", lower, updates=range(len(names)), no_grad=True, use_locking=False,
        **attrs,
    )  # fmt: skip


_sparse("SparseApplyMomentum", "var accum", "lr grad indices momentum", _sparse_momentum, use_nesterov=False)
_sparse("SparseApplyAdagrad", "var accum", "lr grad indices", _sparse_adagrad, update_slots=True)
_sparse("SparseApplyAdadelta", "var accum accum_update", "lr rho epsilon grad indices", _rows_of(_adadelta, 3))
_sparse("SparseApplyRMSProp", "var ms mom", "lr rho momentum epsilon grad indices", _rows_of(_rms_prop, 3))
_sparse(
    "SparseApplyCenteredRMSProp", "var mg ms mom", "lr rho momentum epsilon grad indices",
    _rows_of(_centered_rms_prop, 4),
)  # fmt: skip
_sparse("SparseApplyFtrl", "var accum linear", "grad indices lr l1 l2 lr_power", _sparse_ftrl)
_sparse("SparseApplyFtrlV2", "var accum linear", "grad indices lr l1 l2 l2_shrinkage lr_power", _sparse_ftrl_v2)


# -- rows that occur several times --------------------------------------------------------------------------------


def _sum_duplicates(values: Array, indices: Array) -> tuple[Array, Array]:
    """Sums the rows of equal indices where the first of them stands, in the order in which they come.

    TensorFlow has `Unique` and `UnsortedSegmentSum` here, whose results' length depends on the data, which XLA cannot
    have. So the results are as long as the inputs: rows that were added to another are zeros then, and their index is
    the greatest there is, which no variable has, and which updates of rows therefore leave out.
    """
    count = indices.shape[0]
    if count == 0:
        return values, indices
    indices = jnp.asarray(indices)
    first = first_places(indices)
    kept = first == np.arange(count)
    sums = jnp.where(kept.reshape(-1, *[1] * (values.ndim - 1)), values, jnp.zeros([], values.dtype))
    sums = sums.at[jnp.where(kept, count, first)].add(values, mode="drop")
    return sums, jnp.where(kept, indices, np.iinfo(indices.dtype).max)


def first_places(numbers: Array) -> Array:
    """Finds for each of some integers where it occurs first.

    Args:
        numbers: ``[n]``. Those beyond ``2^62 / n`` are taken for equal.

    Returns:
        The places, ``[n]`` int32.
    """
    count = numbers.shape[0]
    if count <= _COMPARED_AT_ONCE:
        places = np.arange(count, dtype=np.int16)[:, None]
        return jnp.min(jnp.where(numbers[:, None] == numbers, places, np.int16(count)), 0).astype(jnp.int32)
    ordered, order = sorted_with_places(numbers)
    starts = jnp.concatenate([jnp.ones([1], bool), ordered[1:] != ordered[:-1]])
    start = jax.lax.cummax(jnp.where(starts, np.arange(count, dtype=np.int32), 0))
    return jnp.zeros([count], jnp.int32).at[order].set(order[start], unique_indices=True)


def sorted_with_places(indices: Array) -> tuple[Array, Array]:
    """Sorts integers, and says where each of them stood; equal ones stay in order.

    Both in one number: sorting them side by side takes twice as long (192 of them 20 µs rather than 10 on a CPU).

    Args:
        indices: ``[n]``. Those beyond ``2^62 / n`` come out as the greatest of their type.

    Returns:
        The integers in order, of their type, and their places, int32.
    """
    count, dtype = indices.shape[0], indices.dtype
    bits = max(count - 1, 1).bit_length()
    limit = 1 << (62 - bits)
    both = jnp.sort(jnp.clip(indices.astype(jnp.int64), -limit, limit) << bits | np.arange(count), stable=False)
    ordered, places = both >> bits, (both & ((1 << bits) - 1)).astype(jnp.int32)
    return jnp.where(ordered == limit, np.iinfo(dtype).max, ordered).astype(dtype), places


define(
    "SumDuplicateRows", "values:T indices:Tindices -> sums:T unique_indices:Tindices", _sum_duplicates,
    infer=lambda op: (op.inputs[0].shape, op.inputs[1].shape),
)  # fmt: skip
