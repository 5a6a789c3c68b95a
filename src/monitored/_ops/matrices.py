"""Diagonals, bands and decompositions of matrices."""

from __future__ import annotations

from typing import Any, Final

import jax.numpy as jnp
import numpy as np
from jax import lax

from monitored._graph import infer
from monitored._graph.build import apply, convert_to_tensor
from monitored._graph.constant import constant_value
from monitored._graph.dtypes import complex64, complex128, float32, float64, int64
from monitored._graph.opdef import define
from monitored._graph.operation import Operation, Tensor
from monitored._graph.shapes import TensorShape
from monitored._ops import rules
from monitored._ops.fill import ones, zeros
from monitored._ops.lift import REAL, of_types
from monitored._ops.reductions import reduce_sum
from monitored._ops.rules import call

_DECOMPOSED: Final = (float32, float64, complex64, complex128)

# -- rules for shapes ---------------------------------------------------------------------------------------


def _matrices(op: Operation, index: int = 0) -> tuple[int | None, ...] | None:
    sizes = op._inputs[index]._shape._sizes
    if sizes is not None and len(sizes) < 2:
        raise rules.misfit(op, f"Shape must be at least rank 2 but is rank {len(sizes)}")
    return sizes


def _square(op: Operation) -> TensorShape:
    sizes = _matrices(op)
    if sizes is None:
        return TensorShape(None)
    if None not in sizes[-2:] and sizes[-1] != sizes[-2]:
        raise rules.misfit(op, f"Dimensions must be equal, but are {sizes[-2]} and {sizes[-1]}")
    side = sizes[-1] if sizes[-2] is None else sizes[-2]
    return TensorShape((*sizes[:-2], side, side))


def _solved(op: Operation) -> TensorShape:
    matrix, right = _square(op)._sizes, _matrices(op, 1)
    if matrix is None or right is None:
        return TensorShape(None)
    side = rules.merged(op, [TensorShape(matrix[:-1]), TensorShape(right[:-1])])
    return side.concatenate([right[-1]])


def _without_matrices(op: Operation) -> TensorShape:
    sizes = _square(op)._sizes
    return TensorShape(None if sizes is None else sizes[:-2])


def _diagonal_matrices(op: Operation) -> TensorShape:
    sizes = op._inputs[0]._shape._sizes
    if sizes is not None and not sizes:
        raise rules.misfit(op, "Shape must be at least rank 1 but is rank 0")
    return TensorShape(None if sizes is None else (*sizes, sizes[-1]))


def _diagonal_part(op: Operation) -> TensorShape:
    sizes = _matrices(op)
    if sizes is None:
        return TensorShape(None)
    return TensorShape((*sizes[:-2], _lesser(sizes[-2], sizes[-1])))


def _lesser(a: int | None, b: int | None) -> int | None:
    return None if a is None or b is None else min(a, b)


def _qr_shapes(op: Operation) -> list[TensorShape]:
    sizes = _matrices(op)
    if sizes is None:
        return [TensorShape(None)] * 2
    *batch, m, n = sizes
    inner = m if op._attrs["full_matrices"] else _lesser(m, n)
    return [TensorShape([*batch, m, inner]), TensorShape([*batch, inner, n])]


def _svd_shapes(op: Operation) -> list[TensorShape]:
    sizes = _matrices(op)
    if sizes is None:
        return [TensorShape(None)] * 3
    *batch, m, n = sizes
    least = _lesser(m, n)
    values = TensorShape([*batch, least])
    if not op._attrs["compute_uv"]:
        return [values, TensorShape([0]), TensorShape([0])]
    whole = op._attrs["full_matrices"]
    return [
        values, TensorShape([*batch, m, m if whole else least]), TensorShape([*batch, n, n if whole else least]),
    ]  # fmt: skip


def _eigh_shapes(op: Operation) -> list[TensorShape]:
    shape = _square(op)
    if shape._sizes is None:
        return [shape, shape]
    return [TensorShape(shape._sizes[:-1]), shape if op._attrs["compute_v"] else TensorShape([0])]


def _twice(op: Operation) -> TensorShape:
    shape = op._inputs[0]._shape
    return shape.concatenate(shape)


def _half(op: Operation) -> TensorShape:
    sizes = op._inputs[0]._shape._sizes
    if sizes is None:
        return TensorShape(None)
    if len(sizes) % 2 or not sizes:
        raise rules.misfit(op, "The rank must be even and positive")
    middle = len(sizes) // 2
    return rules.merged(op, [TensorShape(sizes[:middle]), TensorShape(sizes[middle:])])


# -- meanings -----------------------------------------------------------------------------------------------


def _matrix_diag(diagonal: Any) -> Any:
    return diagonal[..., None] * jnp.eye(diagonal.shape[-1], dtype=diagonal.dtype)


def _set_diag(x: Any, diagonal: Any) -> Any:
    rows, columns = x.shape[-2:]
    on = np.eye(rows, columns, dtype=bool)
    length = min(rows, columns)
    wide = jnp.zeros(x.shape, x.dtype).at[..., np.arange(length), np.arange(length)].set(diagonal)
    return jnp.where(on, wide, x)


def _band(x: Any, lower: Any, upper: Any) -> Any:
    distance = lax.broadcasted_iota(np.int64, x.shape, x.ndim - 2) - lax.broadcasted_iota(np.int64, x.shape, x.ndim - 1)
    inside = ((lower < 0) | (distance <= lower)) & ((upper < 0) | (-distance <= upper))
    return jnp.where(inside, x, np.zeros((), x.dtype))


def _diag(diagonal: Any) -> Any:
    flat = jnp.diag(jnp.ravel(diagonal))
    return flat.reshape(diagonal.shape * 2)


def _diag_part(x: Any) -> Any:
    outer = x.shape[: x.ndim // 2]
    side = int(np.prod(outer, dtype=np.int64))
    return jnp.diagonal(x.reshape(side, side)).reshape(outer)


def _turned(matrix: Any, adjoint: bool) -> Any:
    return jnp.conj(jnp.swapaxes(matrix, -1, -2)) if adjoint else matrix


def _cholesky(x: Any) -> Any:
    """Only the lower triangle counts; the gradient is that of a symmetric matrix."""
    lower = jnp.tril(x)
    whole = lower + jnp.conj(jnp.swapaxes(jnp.tril(x, -1), -1, -2))
    symmetric = (x + jnp.conj(jnp.swapaxes(x, -1, -2))) / 2
    value = lax.stop_gradient(whole) + (symmetric - lax.stop_gradient(symmetric))
    return lax.linalg.cholesky(value, symmetrize_input=False)


def _triangular(matrix: Any, right: Any, *, lower: bool, adjoint: bool) -> Any:
    return lax.linalg.triangular_solve(
        matrix, right, left_side=True, lower=lower, transpose_a=adjoint, conjugate_a=adjoint
    )


def _qr(x: Any, *, full_matrices: bool) -> Any:
    q, r = jnp.linalg.qr(x, mode="complete" if full_matrices else "reduced")
    return q, r


def _svd(x: Any, *, compute_uv: bool, full_matrices: bool) -> Any:
    if not compute_uv:
        empty = jnp.zeros((0,), x.dtype)
        return jnp.linalg.svd(x, compute_uv=False), empty, empty
    u, s, vh = jnp.linalg.svd(x, full_matrices=full_matrices)
    return s, u, jnp.conj(jnp.swapaxes(vh, -1, -2))


def _eigh(x: Any, *, compute_v: bool) -> Any:
    if not compute_v:
        return jnp.linalg.eigvalsh(x), jnp.zeros((0,), x.dtype)
    values, vectors = jnp.linalg.eigh(x)
    return values, vectors


def _slogdet(x: Any) -> Any:
    sign, log = jnp.linalg.slogdet(x)
    return sign, log.astype(x.dtype)


_checked = of_types(_DECOMPOSED, _square)
# fmt: off
define("MatrixDiag", "diagonal:T -> output:T", _matrix_diag, infer=_diagonal_matrices)
define("MatrixDiagPart", "input:T -> diagonal:T", lambda x: jnp.diagonal(x, axis1=-2, axis2=-1), infer=_diagonal_part)
define("MatrixSetDiag", "input:T diagonal:T -> output:T", _set_diag, infer=infer.unchanged)
define("MatrixBandPart", "input:T num_lower:Tindex num_upper:Tindex -> band:T", _band, infer=infer.unchanged,
       Tindex=int64)
define("Diag", "diagonal:T -> output:T", _diag, infer=_twice)
define("DiagPart", "input:T -> diagonal:T", _diag_part, infer=_half)
define("Cholesky", "input:T -> output:T", _cholesky, infer=_checked)
define("MatrixInverse", "input:T -> output:T", lambda x, *, adjoint: _turned(jnp.linalg.inv(x), adjoint),
       infer=_checked, adjoint=False)
define("MatrixDeterminant", "input:T -> output:T", lambda x: jnp.linalg.det(x),
       infer=of_types(_DECOMPOSED, _without_matrices))
define("LogMatrixDeterminant", "input:T -> sign:T log_abs_determinant:T", _slogdet,
       infer=lambda op: [_without_matrices(op)] * 2)
define("MatrixSolve", "matrix:T rhs:T -> output:T",
       lambda matrix, right, *, adjoint: jnp.linalg.solve(_turned(matrix, adjoint), right),
       infer=of_types(_DECOMPOSED, _solved), adjoint=False)
define("MatrixTriangularSolve", "matrix:T rhs:T -> output:T", _triangular, infer=of_types(_DECOMPOSED, _solved),
       lower=True, adjoint=False)
define("Qr", "input:T -> q:T r:T", _qr, infer=_qr_shapes, full_matrices=False)
define("Svd", "input:T -> s:T u:T v:T", _svd, infer=_svd_shapes, compute_uv=True, full_matrices=False)
define("SelfAdjointEigV2", "input:T -> e:T v:T", _eigh, infer=_eigh_shapes, compute_v=True)
define("Cross", "a:T b:T -> product:T", lambda a, b: jnp.cross(a, b), infer=of_types(REAL, infer.unchanged))
# fmt: on


def matrix_diag(
    diagonal: Any, name: str = "diag", k: Any = 0, num_rows: Any = -1, num_cols: Any = -1, padding_value: Any = 0
) -> Tensor:
    """Square matrices with given diagonals and zeros elsewhere.

    Args:
        diagonal: A tensor ``[..., n]``.
        name: A name for the operation.
        k: 0: only the main diagonal is supported.
        num_rows: -1: only square matrices are supported.
        num_cols: -1: only square matrices are supported.
        padding_value: 0: only zeros are supported.

    Returns:
        A tensor ``[..., n, n]``.

    Raises:
        NotImplementedError: If one of the last four is another value.
    """
    if (k, num_rows, num_cols, padding_value) != (0, -1, -1, 0):
        raise NotImplementedError("Only square matrices of the main diagonal and zeros are supported.")
    return call("MatrixDiag", diagonal, name=name)


def matrix_diag_part(input: Any, name: str = "diag_part", k: Any = 0, padding_value: Any = 0) -> Tensor:
    """The main diagonals of matrices.

    Args:
        input: A tensor ``[..., m, n]``.
        name: A name for the operation.
        k: 0: only the main diagonal is supported.
        padding_value: Accepted as TensorFlow does; the main diagonal needs none.

    Returns:
        A tensor ``[..., min(m, n)]``.

    Raises:
        NotImplementedError: If `k` is not 0.
    """
    if k != 0:
        raise NotImplementedError("Only the main diagonal is supported.")
    return call("MatrixDiagPart", input, name=name)


def matrix_set_diag(input: Any, diagonal: Any, name: str = "set_diag", k: Any = 0) -> Tensor:
    """Matrices with other main diagonals.

    Args:
        input: A tensor ``[..., m, n]``.
        diagonal: A tensor ``[..., min(m, n)]``.
        name: A name for the operation.
        k: 0: only the main diagonal is supported.

    Returns:
        A tensor of the shape of `input`.

    Raises:
        NotImplementedError: If `k` is not 0.
    """
    if k != 0:
        raise NotImplementedError("Only the main diagonal is supported.")
    return call("MatrixSetDiag", input, diagonal, name=name)


def matrix_band_part(input: Any, num_lower: Any, num_upper: Any, name: str | None = None) -> Tensor:
    """Matrices with zeros outside a band around the main diagonal.

    Args:
        input: A tensor ``[..., m, n]``.
        num_lower: How many diagonals below the main one are kept; all when negative.
        num_upper: How many diagonals above the main one are kept; all when negative.
        name: A name for the operation (optional; `MatrixBandPart` by default).

    Returns:
        A tensor of the type and shape of `input`.
    """
    return call("MatrixBandPart", input, num_lower, num_upper, name=name)


def diag(diagonal: Any, name: str | None = None) -> Tensor:
    """A tensor with given values where its first and second half of indices agree, and zeros elsewhere.

    Args:
        diagonal: A tensor of rank n; of a vector the result is a matrix.
        name: A name for the operation (optional; `Diag` by default).

    Returns:
        A tensor of rank 2n.
    """
    return call("Diag", diagonal, name=name)


def diag_part(input: Any, name: str | None = None) -> Tensor:
    """The elements of a tensor where its first and second half of indices agree.

    Args:
        input: A tensor of even rank 2n whose first n sizes are its last n.
        name: A name for the operation (optional; `DiagPart` by default).

    Returns:
        A tensor of rank n.

    Raises:
        ValueError: If the shape does not fit.
    """
    return call("DiagPart", input, name=name)


def eye(
    num_rows: Any, num_columns: Any = None, batch_shape: Any = None, dtype: Any = float32, name: str | None = None
) -> Tensor:
    """Identity matrices.

    Args:
        num_rows: How many rows.
        num_columns: How many columns; as many as rows by default.
        batch_shape: Sizes of axes before those of the matrix (optional).
        dtype: The type of the result.
        name: A name for the operations (optional; `eye` by default).

    Returns:
        A tensor ``batch_shape + [num_rows, num_columns]``.
    """
    with rules.scope(name, "eye", num_rows, num_columns, batch_shape):
        square = num_columns is None
        columns = num_rows if square else num_columns
        known = all(not isinstance(n, Tensor) for n in (num_rows, columns))
        length = min(num_rows, columns) if known else num_rows if square else apply("Minimum", num_rows, columns)
        if batch_shape is None:
            batch: Any = []
        elif isinstance(batch_shape, Tensor) and constant_value(batch_shape) is None:
            batch = [batch_shape[i] for i in range(batch_shape.shape[0].value or 0)]
        else:
            batch = [int(n) for n in np.ravel(np.asarray(constant_value(batch_shape)))]
        diagonal = ones([*batch, length], dtype)
        if square:
            return matrix_diag(diagonal)
        return matrix_set_diag(zeros([*batch, num_rows, columns], dtype), diagonal)


def trace(x: Any, name: str | None = None) -> Tensor:
    """The sums of the main diagonals of matrices.

    Args:
        x: A tensor ``[..., m, n]``.
        name: A name for the operation (optional; `Trace` by default).

    Returns:
        A tensor of the shape of `x` without its last two axes.
    """
    with rules.scope(name, "Trace", x) as full:
        return reduce_sum(matrix_diag_part(convert_to_tensor(x, name="x")), [-1], name=full)


def cholesky(input: Any, name: str | None = None) -> Tensor:
    """The lower triangular factors of positive definite matrices: ``input = L L^H``.

    Args:
        input: A tensor ``[..., n, n]``, of which the lower triangle is read.
        name: A name for the operation (optional; `Cholesky` by default).

    Returns:
        A tensor of the same shape; NaN where a matrix is not positive definite.
    """
    return call("Cholesky", input, name=name)


def cholesky_solve(chol: Any, rhs: Any, name: str | None = None) -> Tensor:
    """Solves ``A X = rhs`` by the Cholesky factors of A.

    Args:
        chol: The factors of `cholesky`: ``[..., n, n]``.
        rhs: The right sides ``[..., n, k]``.
        name: A name for the operations (optional; `cholesky_solve` by default).

    Returns:
        A tensor ``[..., n, k]``.
    """
    with rules.scope(name, "cholesky_solve", chol, rhs):
        halfway = matrix_triangular_solve(chol, rhs)
        return matrix_triangular_solve(chol, halfway, adjoint=True)


def matrix_inverse(input: Any, adjoint: bool = False, name: str | None = None) -> Tensor:
    """The inverses of matrices.

    Args:
        input: A tensor ``[..., n, n]``.
        adjoint: Whether the adjoints are inverted.
        name: A name for the operation (optional; `MatrixInverse` by default).

    Returns:
        A tensor of the same shape.
    """
    return call("MatrixInverse", input, name=name, adjoint=adjoint)


def matrix_determinant(input: Any, name: str | None = None) -> Tensor:
    """The determinants of matrices.

    Args:
        input: A tensor ``[..., n, n]``.
        name: A name for the operation (optional; `MatrixDeterminant` by default).

    Returns:
        A tensor of the shape of `input` without its last two axes.
    """
    return call("MatrixDeterminant", input, name=name)


def slogdet(input: Any, name: str | None = None) -> tuple[Tensor, Tensor]:
    """The signs of determinants, and the logarithms of their absolute values.

    Args:
        input: A tensor ``[..., n, n]``.
        name: A name for the operation (optional; `LogMatrixDeterminant` by default).

    Returns:
        The signs and the logarithms, each of the shape of `input` without its last two axes.
    """
    sign, log = apply("LogMatrixDeterminant", input, name=name)
    return sign, log


def logdet(matrix: Any, name: str | None = None) -> Tensor:
    """The logarithms of the determinants of positive definite matrices.

    Args:
        matrix: A tensor ``[..., n, n]``.
        name: A name for the operations (optional; `logdet` by default).

    Returns:
        A tensor of the shape of `matrix` without its last two axes.
    """
    with rules.scope(name, "logdet", matrix):
        logs = apply("Log", matrix_diag_part(cholesky(matrix)))
        result: Tensor = 2.0 * reduce_sum(logs, [-1])
        return result


def matrix_solve(matrix: Any, rhs: Any, adjoint: bool = False, name: str | None = None) -> Tensor:
    """Solves ``matrix X = rhs``.

    Args:
        matrix: A tensor ``[..., n, n]``.
        rhs: The right sides ``[..., n, k]``.
        adjoint: Whether the adjoint of `matrix` is meant.
        name: A name for the operation (optional; `MatrixSolve` by default).

    Returns:
        A tensor ``[..., n, k]``.
    """
    return call("MatrixSolve", matrix, rhs, name=name, adjoint=adjoint)


def matrix_triangular_solve(
    matrix: Any, rhs: Any, lower: bool = True, adjoint: bool = False, name: str | None = None
) -> Tensor:
    """Solves ``matrix X = rhs`` for triangular matrices.

    Args:
        matrix: A tensor ``[..., n, n]``, of which one triangle is read.
        rhs: The right sides ``[..., n, k]``.
        lower: Whether it is the lower triangle.
        adjoint: Whether the adjoint of `matrix` is meant.
        name: A name for the operation (optional; `MatrixTriangularSolve` by default).

    Returns:
        A tensor ``[..., n, k]``.
    """
    return call("MatrixTriangularSolve", matrix, rhs, name=name, lower=lower, adjoint=adjoint)


def qr(input: Any, full_matrices: bool = False, name: str | None = None) -> tuple[Tensor, Tensor]:
    """Matrices as products of orthogonal and upper triangular ones.

    Args:
        input: A tensor ``[..., m, n]``.
        full_matrices: Whether the orthogonal matrices are ``m x m``, rather than with as many columns as needed.
        name: A name for the operation (optional; `Qr` by default).

    Returns:
        The orthogonal and the triangular matrices.
    """
    q, r = apply("Qr", input, name=name, full_matrices=full_matrices)
    return q, r


def svd(tensor: Any, full_matrices: bool = False, compute_uv: bool = True, name: str | None = None) -> Any:
    """The singular value decompositions of matrices: ``tensor = U diag(s) V^H``.

    Args:
        tensor: A tensor ``[..., m, n]``.
        full_matrices: Whether U and V are square, rather than with as many columns as there are singular values.
        compute_uv: Whether U and V are wanted.
        name: A name for the operation (optional; `Svd` by default).

    Returns:
        The singular values ``s``, descending; with `compute_uv` the three tensors ``s``, ``u`` and ``v``.
    """
    s, u, v = apply("Svd", tensor, name=name, compute_uv=compute_uv, full_matrices=full_matrices)
    return (s, u, v) if compute_uv else s


def self_adjoint_eig(tensor: Any, name: str | None = None) -> tuple[Tensor, Tensor]:
    """The eigenvalues, ascending, and eigenvectors of self-adjoint matrices.

    Args:
        tensor: A tensor ``[..., n, n]``.
        name: A name for the operation (optional; `SelfAdjointEigV2` by default).

    Returns:
        The eigenvalues ``[..., n]`` and the matrices whose columns are the eigenvectors.
    """
    values, vectors = apply("SelfAdjointEigV2", tensor, name=name, compute_v=True)
    return values, vectors


def self_adjoint_eigvals(tensor: Any, name: str | None = None) -> Tensor:
    """The eigenvalues of self-adjoint matrices, ascending.

    Args:
        tensor: A tensor ``[..., n, n]``.
        name: A name for the operation (optional; `SelfAdjointEigV2` by default).

    Returns:
        A tensor ``[..., n]``.
    """
    values: Tensor = apply("SelfAdjointEigV2", tensor, name=name, compute_v=False)[0]
    return values


def cross(a: Any, b: Any, name: str | None = None) -> Tensor:
    """The cross products of vectors of three dimensions.

    Args:
        a: A tensor ``[..., 3]`` of real numbers.
        b: A tensor of the same type and shape.
        name: A name for the operation (optional; `Cross` by default).

    Returns:
        A tensor of the same type and shape.
    """
    return call("Cross", a, b, name=name)


__all__ = [
    "cholesky", "cholesky_solve", "cross", "diag", "diag_part", "eye", "logdet", "matrix_band_part",
    "matrix_determinant", "matrix_diag", "matrix_diag_part", "matrix_inverse", "matrix_set_diag", "matrix_solve",
    "matrix_triangular_solve", "qr", "self_adjoint_eig", "self_adjoint_eigvals", "slogdet", "svd", "trace",
]  # fmt: skip
