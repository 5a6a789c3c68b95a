"""Linear algebra: products, norms, decompositions."""

# isort: skip_file
from __future__ import annotations

# fmt: off
from monitored._ops.clip import global_norm
from monitored._ops.linalg import adjoint, einsum, matmul, matrix_transpose, matvec, tensordot
from monitored._ops.matrices import (
    cholesky, cholesky_solve, cross, diag, diag_part, eye, logdet, matrix_band_part, matrix_determinant,
    matrix_diag, matrix_diag_part, matrix_inverse, matrix_set_diag, matrix_solve, matrix_triangular_solve, qr,
    self_adjoint_eig, self_adjoint_eigvals, slogdet, svd, trace,
)
from monitored._ops.normalization import l2_normalize
from monitored._ops.reductions import norm

__all__ = [
    "adjoint", "cholesky", "cholesky_solve", "cross", "diag", "diag_part", "einsum", "eye", "global_norm",
    "l2_normalize", "logdet", "matmul", "matrix_band_part", "matrix_determinant", "matrix_diag", "matrix_diag_part",
    "matrix_inverse", "matrix_set_diag", "matrix_solve", "matrix_transpose", "matrix_triangular_solve", "matvec",
    "norm", "qr", "self_adjoint_eig", "self_adjoint_eigvals", "slogdet", "svd", "tensordot", "trace",
]
# fmt: on
