"""Linear algebra: products, norms, decompositions."""

# isort: skip_file
from __future__ import annotations

# fmt: off
from monitored._ops.clip import global_norm
from monitored._ops.linalg import (
    adjoint, einsum, matmul, matrix_transpose, matrix_transpose as transpose, matvec, tensordot,
)
# The short names mean matrices here: `tf.diag` is `tf.linalg.tensor_diag`.
from monitored._ops.matrices import (
    cholesky, cholesky_solve, cross, diag as tensor_diag, diag_part as tensor_diag_part, eye, logdet,
    matrix_band_part as band_part, matrix_determinant as det, matrix_diag as diag, matrix_diag_part as diag_part,
    matrix_inverse as inv, matrix_set_diag as set_diag, matrix_solve as solve,
    matrix_triangular_solve as triangular_solve, qr, self_adjoint_eig as eigh, self_adjoint_eigvals as eigvalsh,
    slogdet, svd, trace,
)
from monitored._ops.normalization import l2_normalize
from monitored._ops.reductions import norm

__all__ = [
    "adjoint", "band_part", "cholesky", "cholesky_solve", "cross", "det", "diag", "diag_part", "eigh", "eigvalsh",
    "einsum", "eye", "global_norm", "inv", "l2_normalize", "logdet", "matmul", "matrix_transpose", "matvec", "norm",
    "qr", "set_diag", "slogdet", "solve", "svd", "tensor_diag", "tensor_diag_part", "tensordot", "trace", "transpose",
    "triangular_solve",
]
# fmt: on
