"""Linear algebra: products, norms, decompositions."""

from __future__ import annotations

from monitored._ops.clip import global_norm as global_norm
from monitored._ops.linalg import adjoint as adjoint
from monitored._ops.linalg import einsum as einsum
from monitored._ops.linalg import matmul as matmul
from monitored._ops.linalg import matrix_transpose as matrix_transpose
from monitored._ops.linalg import matvec as matvec
from monitored._ops.linalg import tensordot as tensordot
from monitored._ops.matrices import cholesky as cholesky
from monitored._ops.matrices import cholesky_solve as cholesky_solve
from monitored._ops.matrices import cross as cross
from monitored._ops.matrices import diag as diag
from monitored._ops.matrices import diag_part as diag_part
from monitored._ops.matrices import eye as eye
from monitored._ops.matrices import logdet as logdet
from monitored._ops.matrices import matrix_band_part as matrix_band_part
from monitored._ops.matrices import matrix_determinant as matrix_determinant
from monitored._ops.matrices import matrix_diag as matrix_diag
from monitored._ops.matrices import matrix_diag_part as matrix_diag_part
from monitored._ops.matrices import matrix_inverse as matrix_inverse
from monitored._ops.matrices import matrix_set_diag as matrix_set_diag
from monitored._ops.matrices import matrix_solve as matrix_solve
from monitored._ops.matrices import matrix_triangular_solve as matrix_triangular_solve
from monitored._ops.matrices import qr as qr
from monitored._ops.matrices import self_adjoint_eig as self_adjoint_eig
from monitored._ops.matrices import self_adjoint_eigvals as self_adjoint_eigvals
from monitored._ops.matrices import slogdet as slogdet
from monitored._ops.matrices import svd as svd
from monitored._ops.matrices import trace as trace
from monitored._ops.normalization import l2_normalize as l2_normalize
from monitored._ops.reductions import norm as norm

__all__ = [
    "adjoint",
    "cholesky",
    "cholesky_solve",
    "cross",
    "diag",
    "diag_part",
    "einsum",
    "eye",
    "global_norm",
    "l2_normalize",
    "logdet",
    "matmul",
    "matrix_band_part",
    "matrix_determinant",
    "matrix_diag",
    "matrix_diag_part",
    "matrix_inverse",
    "matrix_set_diag",
    "matrix_solve",
    "matrix_transpose",
    "matrix_triangular_solve",
    "matvec",
    "norm",
    "qr",
    "self_adjoint_eig",
    "self_adjoint_eigvals",
    "slogdet",
    "svd",
    "tensordot",
    "trace",
]
