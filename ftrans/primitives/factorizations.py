"""Cholesky, LU and QR factorizations of matrices in the last two axes, by LAPACK.

For the derivatives see Giles, "An extended collection of matrix derivative results for forward and reverse
mode algorithmic differentiation" (2008); Murray, "Differentiation of the Cholesky decomposition" (2016),
arXiv:1602.07527; Walter and Lehmann, "Algorithmic differentiation of linear algebra functions" (2010),
arXiv:1001.1654 (QR).
"""

from __future__ import annotations

import numpy as np

from .._native import Array, int32
from ..core.primitive import Primitive, Sample
from ._matrices import (
    adjoint,
    as_columns,
    batch_in_front,
    check_matrix,
    check_square,
    columns_from,
    conj,
    diagonal,
    diagonal_matrix,
    for_each_matrix,
    hermitian,
    identity,
    matmul,
    matrix_aval,
    on_diagonal,
    real,
    resized,
    strict_tril,
    total,
    transposed,
    triu,
)
from .conversion import convert
from .elementwise import add, mul, neg, select, sub
from .indexing import put_along_axis, take_along_axis
from .shape import concatenate_p
from .solvers import triangular_solve

# ---------------------------------------------------------------- cholesky


def _cholesky_abstract(a):
    check_square("cholesky", a)
    return a


def _cholesky_impl(a):
    def factor(a):
        try:
            return (np.linalg.cholesky((a + a.conj().T) / 2).astype(a.dtype),)
        except np.linalg.LinAlgError:
            nan = complex(np.nan, np.nan) if np.iscomplexobj(a) else np.nan
            return (np.where(np.tri(len(a)) == 1, nan, 0).astype(a.dtype),)

    return for_each_matrix(factor, a)[0]


def _half(x: Array) -> Array:
    """The lower triangle with half of the diagonal: of a Hermitian x = half + halfᴴ."""
    return select(on_diagonal(x.shape), mul(x, 0.5), strict_tril(x))


def _cholesky_jvp(primals, tangents, out):
    # l⁻¹·dl is the half of l⁻¹·da·l⁻ᴴ.
    left = triangular_solve(out, hermitian(tangents[0]), lower=True)
    return matmul(out, _half(adjoint(triangular_solve(out, adjoint(left), lower=True))))


def _cholesky_vjp(ct, primals, out, needed):
    upper = adjoint(out)
    left = triangular_solve(upper, _half(matmul(upper, conj(ct))), lower=False)
    return [conj(hermitian(adjoint(triangular_solve(upper, adjoint(left), lower=False))))]


def _positive() -> np.ndarray:
    return np.array([[4.0, 1.0, -0.5], [1.0, 3.0, 0.75], [-0.5, 0.75, 2.0]])


def _batch(matrix: np.ndarray) -> np.ndarray:
    return np.stack([matrix, matrix * 1.5])


#: The lower triangular l with a = l·lᴴ of the Hermitian part a of the operand; NaN where that is not positive
#: definite.
cholesky_p = Primitive(
    "cholesky",
    abstract_eval=_cholesky_abstract,
    impl=_cholesky_impl,
    jvp=_cholesky_jvp,
    vjp=_cholesky_vjp,
    batch=lambda args, dims, size: batch_in_front(cholesky_p, args, dims, size),
    samples=[
        Sample((_positive,), differentiable=(0,)),
        Sample((lambda: _batch(_positive()),), differentiable=(0,)),
        Sample(
            (lambda: _positive() + 1j * np.array([[0, 0.5, 1], [-0.5, 0, 0.25], [-1, -0.25, 0]]),),
            differentiable=(0,),
        ),
        Sample((lambda: np.stack([_positive(), -_positive()]),)),
        Sample((lambda: np.zeros((2, 0, 0)),)),
    ],
)

# ---------------------------------------------------------------- lu


def _lu_abstract(a):
    check_matrix("lu", a)
    m, n = a.shape[-2:]
    return [a, matrix_aval(a, min(m, n), dtype=int32), matrix_aval(a, m, dtype=int32)]


def _lu_impl(a):
    def factor(a):
        a = a.copy()
        m, n = a.shape
        permutation, pivots = np.arange(m, dtype=np.int32), []
        for k in range(min(m, n)):
            # LAPACK compares |Re| + |Im|.
            pivot = k + int(np.argmax(abs(a[k:, k].real) + abs(a[k:, k].imag)))
            pivots.append(pivot)
            a[[k, pivot]], permutation[[k, pivot]] = a[[pivot, k]], permutation[[pivot, k]]
            if a[k, k] != 0:
                a[k + 1 :, k] /= a[k, k]
            a[k + 1 :, k + 1 :] -= np.outer(a[k + 1 :, k], a[k, k + 1 :])
        return a, np.array(pivots, np.int32), permutation

    return for_each_matrix(factor, a)


def _square_factors(lu: Array) -> tuple[Array, Array]:
    """L and U, made square by columns and rows of an identity, so that both have an inverse."""
    m, n = lu.shape[-2:]
    lower = add(resized(strict_tril(lu), m, m), identity(lu, m))
    upper = resized(triu(lu), n, n)
    if m < n:
        upper = add(upper, sub(identity(lu, n), resized(identity(lu, m), n, n)))
    return lower, upper


def _lu_jvp(primals, tangents, outs):
    lu, _, permutation = outs
    lower, upper = _square_factors(lu)
    da = take_along_axis(tangents[0], as_columns(permutation, lu.shape), lu.ndim - 2)
    left = triangular_solve(lower, da, lower=True, unit_diagonal=True)
    x = transposed(triangular_solve(transposed(upper), transposed(left), lower=True))  # lower⁻¹·da·upper⁻¹
    return [add(matmul(lower, strict_tril(x)), matmul(triu(x), upper)), None, None]


def _lu_vjp(cts, primals, outs, needed):
    lu, _, permutation = outs
    if cts[0] is None:
        return [None]
    lower, upper = _square_factors(lu)
    x = add(strict_tril(matmul(transposed(lower), cts[0])), triu(matmul(cts[0], transposed(upper))))
    left = triangular_solve(transposed(lower), x, lower=False, unit_diagonal=True)
    da = transposed(triangular_solve(upper, transposed(left), lower=False))
    return [put_along_axis(as_columns(permutation, lu.shape), da, lu.ndim - 2)]


def _general() -> np.ndarray:
    return np.array([[0.5, -2.0, 1.25], [3.0, 0.75, -1.0], [1.0, 2.5, 4.0]])


def _tall() -> np.ndarray:
    return np.array([[0.5, -2.0], [3.0, 0.75], [1.0, 2.5], [-1.5, 0.25]])


#: (lu, pivots, permutation) with a[permutation] = l·u: the strictly lower triangle of lu is that of l, whose
#: diagonal is 1, and the upper one is u. Row i was exchanged with row pivots[i], one after the other.
lu_p = Primitive(
    "lu",
    abstract_eval=_lu_abstract,
    impl=_lu_impl,
    jvp=_lu_jvp,
    vjp=_lu_vjp,
    batch=lambda args, dims, size: batch_in_front(lu_p, args, dims, size),
    multiple_results=True,
    samples=[
        Sample((_general,), differentiable=(0,)),
        Sample((_tall,), differentiable=(0,)),
        Sample((lambda: _tall().T,), differentiable=(0,)),
        Sample((lambda: _batch(_general()) * (1 + 0.5j),), differentiable=(0,)),
        Sample((lambda: np.zeros((0, 2)),)),
    ],
)

# ---------------------------------------------------------------- qr


def _qr_abstract(a, *, full_matrices):
    check_matrix("qr", a)
    m, n = a.shape[-2:]
    if m < n:
        raise ValueError(f"qr: the matrices must have at least as many rows as columns, got shape {a.shape}")
    width = m if full_matrices else n
    return [matrix_aval(a, m, width), matrix_aval(a, width, n)]


def _qr_impl(a, *, full_matrices):
    return for_each_matrix(lambda a: np.linalg.qr(a, "complete" if full_matrices else "reduced"), a)


def _qr_jvp(primals, tangents, outs, *, full_matrices):
    q, r = outs
    m, n = primals[0].shape[-2:]
    q1, r1 = resized(q, m, n), resized(r, n, n)
    x = transposed(triangular_solve(transposed(r1), transposed(tangents[0]), lower=True))  # da·r⁻¹
    y = matmul(adjoint(q1), x)
    # dr·r⁻¹ is the upper triangular part of y less a skew-Hermitian one, with a real diagonal as r has.
    upper = add(sub(triu(y), diagonal_matrix(diagonal(y))), adjoint(strict_tril(y)))
    upper = add(upper, diagonal_matrix(convert(real(diagonal(y)), y.dtype)))
    dq = sub(x, matmul(q1, upper))
    if m > n and full_matrices:
        q2 = columns_from(q, n)
        dq2 = neg(matmul(q1, adjoint(matmul(adjoint(q2), x))))
        dq = concatenate_p.bind(dq, dq2, axis=dq.ndim - 1)
    return [dq, resized(matmul(upper, r1), *r.shape[-2:])]


def _qr_vjp(cts, primals, outs, needed, *, full_matrices):
    q, r = outs
    m, n = primals[0].shape[-2:]
    q1, r1 = resized(q, m, n), resized(r, n, n)
    dq, dr = (None if ct is None else conj(ct) for ct in cts)
    upper = total(
        [
            None if dr is None else matmul(resized(dr, n, n), adjoint(r1)),
            None if dq is None else neg(matmul(adjoint(q1), resized(dq, m, n))),
        ]
    )
    assert upper is not None  # a rule is not called without a cotangent
    strict = sub(triu(upper), diagonal_matrix(diagonal(upper)))
    y = add(add(strict, adjoint(strict)), diagonal_matrix(convert(real(diagonal(upper)), q.dtype)))
    x = matmul(q1, y)
    if dq is not None:
        x = add(x, resized(dq, m, n))
        if m > n and full_matrices:
            q2, dq2 = columns_from(q, n), columns_from(dq, n)
            x = sub(x, matmul(q2, matmul(adjoint(dq2), q1)))
    return [conj(adjoint(triangular_solve(r1, adjoint(x), lower=False)))]


#: a = q·r of tall matrices. q has orthonormal columns, as many as a; with full_matrices it is square. The
#: diagonal of r is real. The derivative takes the choice of the columns that complete q for constant.
qr_p = Primitive(
    "qr",
    abstract_eval=_qr_abstract,
    impl=_qr_impl,
    jvp=_qr_jvp,
    vjp=_qr_vjp,
    batch=lambda args, dims, size, **p: batch_in_front(qr_p, args, dims, size, **p),
    multiple_results=True,
    samples=[
        Sample((lambda: _batch(_general()),), {"full_matrices": False}, (0,)),
        Sample((lambda: _batch(_tall()),), {"full_matrices": False}, (0,)),
        Sample((lambda: _batch(_tall()) * (1 + 0.5j) + 0.25,), {"full_matrices": False}, (0,)),
        Sample((lambda: _batch(_general()),), {"full_matrices": True}, (0,)),
        Sample((lambda: _batch(_tall()),), {"full_matrices": True}),
        Sample((lambda: np.zeros((2, 0)),), {"full_matrices": True}),
    ],
)
