"""Products of matrices, diagonals and decompositions."""

import numpy as np

from oracle.cases import Group, floats, ints

case = Group("linalg")
A, B = floats(2, 3), floats(3, 4)
BATCH, OTHER = floats(5, 2, 3), floats(5, 3, 4)
SQUARE = floats(3, 3) + 3 * np.eye(3, dtype=np.float32)
POSITIVE = SQUARE @ SQUARE.T

case("matmul", lambda tf, x, y: tf.matmul(x, y), A, B)
case("matmul_transpose_a", lambda tf, x, y: tf.matmul(x, y, transpose_a=True), A.T.copy(), B)
case("matmul_transpose_b", lambda tf, x, y: tf.matmul(x, y, transpose_b=True, name="mine"), A, B.T.copy())
case("matmul_adjoint", lambda tf, x, y: tf.matmul(x, y, adjoint_a=True, adjoint_b=True), A.T.copy(), B.T.copy())
case("matmul_both", lambda tf, x, y: tf.matmul(x, y, adjoint_a=True, transpose_a=True), A, B)
case("matmul_sparse", lambda tf, x, y: tf.matmul(x, y, a_is_sparse=True), A, B, nodes=False, unknown=False)
case("matmul_64", lambda tf, x, y: tf.matmul(x, y), A.astype(np.float64), B.astype(np.float64))
case("matmul_int", lambda tf, x, y: tf.matmul(x, y), ints(2, 3), ints(3, 2))
case("matmul_shapes", lambda tf, x, y: tf.matmul(x, y), A, A)
case("matmul_vector", lambda tf, x, y: tf.matmul(x, y), A, floats(3))
case("matmul_numbers", lambda tf, x: tf.matmul(x, [[1.0], [2.0], [3.0]]), A)
case("matmul_types", lambda tf, x, y: tf.matmul(x, y), A, ints(3, 2))
case("batch", lambda tf, x, y: tf.matmul(x, y), BATCH, OTHER)
case("batch_transpose", lambda tf, x, y: tf.matmul(x, y, transpose_a=True), BATCH, floats(5, 2, 4))
case("batch_adjoint", lambda tf, x, y: tf.matmul(x, y, adjoint_b=True), BATCH, floats(5, 4, 3))
case("batch_broadcast", lambda tf, x, y: tf.matmul(x, y), BATCH, B)
case("batch_broadcast_4", lambda tf, x, y: tf.matmul(x, y), floats(2, 1, 2, 3), OTHER)
case("batch_shapes", lambda tf, x, y: tf.matmul(x, y), BATCH, floats(4, 3, 2))
case("matvec", lambda tf, x, y: tf.linalg.matvec(x, y), A, floats(3))
for axes in (1, 0, 2):
    case(
        f"tensordot_{axes}",
        lambda tf, x, y, a=axes: tf.tensordot(x, y, a),
        floats(2, 3, 4),
        floats(*[(2, 3), (4, 2), (3, 4, 2)][axes]),
    )
case("tensordot_pairs", lambda tf, x, y: tf.tensordot(x, y, [[2, 0], [0, 1]]), floats(2, 3, 4), floats(4, 2, 5))
case("tensordot_negative", lambda tf, x, y: tf.tensordot(x, y, [[-1], [0]]), floats(2, 3, 4), floats(4, 2))
case("tensordot_name", lambda tf, x, y: tf.tensordot(x, y, axes=[1, 0], name="mine"), A, B)
for equation, shapes in [
    ("ij,jk->ik", [(2, 3), (3, 4)]), ("bij,bjk->bik", [(5, 2, 3), (5, 3, 4)]), ("ij->ji", [(2, 3)]),
    ("ij->i", [(2, 3)]), ("i,i->", [(3,), (3,)]), ("i,j->ij", [(3,), (2,)]), ("ij,kj->ik", [(2, 3), (4, 3)]),
    ("bhqd,bhkd->bhqk", [(2, 2, 3, 4), (2, 2, 5, 4)]), ("ij,jk", [(2, 3), (3, 4)]),
    ("ijk,klm,in->jlmn", [(2, 3, 4), (4, 2, 3), (2, 2)]),
]:  # fmt: skip
    case(
        "einsum_" + equation.replace("->", "_to_"),
        lambda tf, *xs, e=equation: tf.einsum(e, *xs),
        *[floats(*s) for s in shapes],
        nodes=False,
        shapes=False,
        unknown=False,
    )
case("matrix_transpose", lambda tf, x: tf.matrix_transpose(x), BATCH)
case("adjoint", lambda tf, x: tf.linalg.adjoint(x), BATCH)
case("diag", lambda tf, x: tf.diag(x), floats(3))
case("diag_matrix", lambda tf, x: tf.diag(x), floats(2, 3))
case("diag_part", lambda tf, x: tf.diag_part(x), SQUARE)
case("matrix_diag", lambda tf, x: tf.matrix_diag(x), floats(2, 3))
case("matrix_diag_part", lambda tf, x: tf.matrix_diag_part(x), floats(2, 3, 4))
case("matrix_set_diag", lambda tf, x, y: tf.matrix_set_diag(x, y), floats(2, 3, 3), floats(2, 3, seed=1))
case(
    "matrix_band_part",
    lambda tf, x: [tf.matrix_band_part(x, a, b) for a, b in ((-1, 0), (0, -1), (1, 1))],
    floats(2, 4, 3),
)
case("linalg_diag", lambda tf, x: tf.linalg.diag(x, name="mine"), floats(3))
case("eye", lambda tf: [tf.eye(3), tf.eye(3, 2), tf.eye(2, batch_shape=[4]), tf.eye(2, 3, dtype=tf.int32, name="mine")])
case("eye_tensor", lambda tf, n: tf.eye(n), np.int32(3), nodes=False)
case("trace", lambda tf, x: tf.trace(x), floats(2, 3, 3))
case("cholesky", lambda tf, x: tf.cholesky(x), POSITIVE, tolerance=1e-3)
case("inverse", lambda tf, x: tf.matrix_inverse(x), SQUARE, tolerance=1e-3)
case(
    "inverse_adjoint", lambda tf, x: tf.matrix_inverse(x, adjoint=True, name="mine"), SQUARE, tolerance=1e-3, grad=False
)
case("determinant", lambda tf, x: tf.matrix_determinant(x), SQUARE, tolerance=1e-3)
case("solve", lambda tf, x, y: tf.matrix_solve(x, y), SQUARE, B, tolerance=1e-3)
case("solve_adjoint", lambda tf, x, y: tf.matrix_solve(x, y, adjoint=True), SQUARE, B, tolerance=1e-3)
case("triangular_solve", lambda tf, x, y: tf.matrix_triangular_solve(x, y), SQUARE, B, tolerance=1e-3)
case(
    "triangular_solve_upper",
    lambda tf, x, y: tf.matrix_triangular_solve(x, y, lower=False, adjoint=True),
    SQUARE,
    B,
    tolerance=1e-3,
)
case("cholesky_solve", lambda tf, x, y: tf.cholesky_solve(x, y), SQUARE, B, tolerance=1e-3)
case("slogdet", lambda tf, x: tf.linalg.slogdet(x), SQUARE, tolerance=1e-3)
case("logdet", lambda tf, x: tf.linalg.logdet(x), POSITIVE, tolerance=1e-3)
case("qr", lambda tf, x: [tf.abs(t) for t in tf.qr(x)], SQUARE, grad=False, tolerance=1e-3)
case("svd", lambda tf, x: tf.svd(x, compute_uv=False), B, grad=False, tolerance=1e-3)
case(
    "svd_uv",
    lambda tf, x: (lambda s, u, v: tf.matmul(u * s, v, adjoint_b=True))(*tf.svd(x)),
    B,
    grad=False,
    tolerance=1e-3,
)
case("eig", lambda tf, x: tf.self_adjoint_eigvals(x), POSITIVE, grad=False, tolerance=1e-3)
case("eigh", lambda tf, x: [tf.self_adjoint_eig(x)[0]], POSITIVE, grad=False, tolerance=1e-3)
case("cross", lambda tf, x, y: tf.cross(x, y), floats(2, 3), floats(2, 3, seed=1))
