"""Linear algebra: products, norms, decompositions."""

from __future__ import annotations

from monitored._ops.clip import global_norm as global_norm
from monitored._ops.linalg import adjoint as adjoint
from monitored._ops.linalg import einsum as einsum
from monitored._ops.linalg import matmul as matmul
from monitored._ops.linalg import matrix_transpose as matrix_transpose
from monitored._ops.linalg import matrix_transpose as transpose
from monitored._ops.linalg import matvec as matvec
from monitored._ops.linalg import tensordot as tensordot
from monitored._ops.matrices import cholesky as cholesky
from monitored._ops.matrices import cholesky_solve as cholesky_solve
from monitored._ops.matrices import cross as cross
from monitored._ops.matrices import diag as tensor_diag
from monitored._ops.matrices import diag_part as tensor_diag_part
from monitored._ops.matrices import eye as eye
from monitored._ops.matrices import logdet as logdet
from monitored._ops.matrices import matrix_band_part as band_part
from monitored._ops.matrices import matrix_determinant as det
from monitored._ops.matrices import matrix_diag as diag
from monitored._ops.matrices import matrix_diag_part as diag_part
from monitored._ops.matrices import matrix_inverse as inv
from monitored._ops.matrices import matrix_set_diag as set_diag
from monitored._ops.matrices import matrix_solve as solve
from monitored._ops.matrices import matrix_triangular_solve as triangular_solve
from monitored._ops.matrices import qr as qr
from monitored._ops.matrices import self_adjoint_eig as eigh
from monitored._ops.matrices import self_adjoint_eigvals as eigvalsh
from monitored._ops.matrices import slogdet as slogdet
from monitored._ops.matrices import svd as svd
from monitored._ops.matrices import trace as trace
from monitored._ops.normalization import l2_normalize as l2_normalize
from monitored._ops.reductions import norm as norm

__all__ = [
    "adjoint",
    "band_part",
    "cholesky",
    "cholesky_solve",
    "cross",
    "det",
    "diag",
    "diag_part",
    "eigh",
    "eigvalsh",
    "einsum",
    "eye",
    "global_norm",
    "inv",
    "l2_normalize",
    "logdet",
    "matmul",
    "matrix_transpose",
    "matvec",
    "norm",
    "qr",
    "set_diag",
    "slogdet",
    "solve",
    "svd",
    "tensor_diag",
    "tensor_diag_part",
    "tensordot",
    "trace",
    "transpose",
    "triangular_solve",
]
