"""`ft.linalg`."""

import numpy as np
import scipy.linalg

from tests.harness.call import SQUARE, Call, T, V, X, call, each, floats

DEFINITE = SQUARE @ SQUARE.T + 2 * np.eye(3)
TALL = floats(4, 3, seed=8)
BATCH = floats(2, 3, 3, seed=9) + 4 * np.eye(3)
TRIANGULAR = np.tril(DEFINITE)


def _triangular_solution(a, b, upper=False):
    return scipy.linalg.solve_triangular(a, b, lower=not upper)


def _inverse(factor):
    return np.linalg.inv(factor @ factor.T)


#: Vectors are determined up to a choice, which the values of tests/ops/test_linalg.py allow for.
CALLS: dict[str, list[Call]] = {
    "cholesky": [call(DEFINITE), call(DEFINITE, True, reference=lambda x, _: np.linalg.cholesky(x).T)],
    "cholesky_inv": [call(TRIANGULAR, reference=_inverse)],
    **each("det inv slogdet", [call(SQUARE), call(BATCH)]),
    "diagonal": [call(T), call(T, offset=1)],
    "trace": [call(T), call(T, offset=-1)],
    **each("eig lu lu_factor", [call(SQUARE, reference=None)]),
    **each("eigh svd qr", [call(DEFINITE, reference=None)]),
    "eigvals": [call(DEFINITE + np.triu(DEFINITE), reference=None)],
    **each("eigvalsh svdvals", [call(DEFINITE)]),
    "expm": [call(SQUARE, reference=scipy.linalg.expm), call(BATCH, reference=scipy.linalg.expm)],
    "lstsq": [call(TALL, floats(4), reference=None, differentiable=False)],
    "matrix_norm": [call(X), call(T, ord=1), call(T, ord="nuc", keepdims=True)],
    "matrix_power": [call(SQUARE, 3), call(BATCH, -2), call(SQUARE, 0)],
    "matrix_rank": [call(SQUARE), call(np.zeros((2, 3)))],
    "norm": [call(X), call(V, 1), call(T, axis=1), call(X, "fro"), call(T, 2, (0, 2), keepdims=True)],
    "pinv": [call(TALL), call(BATCH)],
    "solve": [call(SQUARE, floats(3, 2)), call(DEFINITE, floats(3)), call(BATCH, floats(3, 2))],
    "solve_triangular": [
        call(TRIANGULAR, floats(3, 2), reference=_triangular_solution),
        call(TRIANGULAR.T, floats(3), upper=True, reference=_triangular_solution),
    ],
    "tri_inv": [call(TRIANGULAR, reference=np.linalg.inv)],
    "vector_norm": [call(X), call(T, axis=(0, 1)), call(T, axis=-1, ord=3, keepdims=True)],
}
