"""Linear algebra: the array API standard's extension `linalg`, and what NumPy, SciPy and MLX have besides.

Matrices are in the last two axes; all axes before are a batch. Computed by LAPACK in float32, float64,
complex64 or complex128; integers become float32.
"""

from ..ops import cross, matmul, matrix_transpose, outer, tensordot, vecdot
from .decompositions import (
    EigenResult,
    LUFactor,
    LUResult,
    QRResult,
    SVDResult,
    cholesky,
    eig,
    eigh,
    eigvals,
    eigvalsh,
    lu,
    lu_factor,
    qr,
    svd,
    svdvals,
)
from .diagonals import diagonal, trace
from .functions import SlogdetResult, det, expm, matrix_power, matrix_rank, slogdet
from .norms import matrix_norm, norm, vector_norm
from .solving import LstsqResult, cholesky_inv, inv, lstsq, pinv, solve, solve_triangular, tri_inv

__all__ = [
    "EigenResult",
    "LUFactor",
    "LUResult",
    "LstsqResult",
    "QRResult",
    "SVDResult",
    "SlogdetResult",
    "cholesky",
    "cholesky_inv",
    "cross",
    "det",
    "diagonal",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "expm",
    "inv",
    "lstsq",
    "lu",
    "lu_factor",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "matrix_transpose",
    "norm",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "solve_triangular",
    "svd",
    "svdvals",
    "tensordot",
    "trace",
    "tri_inv",
    "vecdot",
    "vector_norm",
]
