"""Eigenvalues and singular values of matrices in the last two axes, with or without vectors, by LAPACK.

The vectors are determined up to a choice: a phase of each, a basis of the space of equal eigenvalues or
singular values, a basis of the complement. The rules are right for all functions that do not depend on it.
At equal eigenvalues the tangents of λ and V say too little of functions like V·f(λ)·Vᴴ, so derivatives are
taken where these have been moved apart: see `separation.py`, and `points` of `LinkedTrace`. The parameter
`order` tells how many derivatives are taken of the results: the more, the further apart. Eigenvalues without
vectors need this from their second derivative on, as the first has no quotients.

Taylor mode (`jet`) uses the rules as they stand, of order 0. They take the choice for constant then, which
leaves out the term in f′ between vectors of equal eigenvalues. In them m = Vᴴ·a·V stands for the diagonal
matrix of the eigenvalues that it is: unlike theirs, its derivative tells how a group of equal ones comes
apart, which second derivatives of the vectors depend on.

For the formulas see Giles, "An extended collection of matrix derivative results for forward and reverse mode
algorithmic differentiation" (2008), sections 3.1 and 3.2; Townsend, "Differentiating the singular value
decomposition" (2016).
"""

from __future__ import annotations

import numpy as np

from .._native import Array, complex64, complex128
from ..core.primitive import Primitive, Sample
from ._matrices import (
    adjoint,
    as_rows,
    batch_in_front,
    check_matrix,
    check_square,
    columns_from,
    conj,
    diagonal,
    diagonal_matrix,
    for_each_matrix,
    hermitian,
    matmul,
    matrix_aval,
    real,
    resized,
    skew,
    total,
)
from .conversion import convert
from .elementwise import add, mul, neg, real_dtype, sub
from .layout import reduce_sum
from .separation import separate_p
from .shape import concatenate_p
from .solvers import diagonal_sylvester, solve_p

# ---------------------------------------------------------------- eigh


def _eigh_abstract(a, *, vectors, order=0):
    check_square("eigh", a)
    values = matrix_aval(a, a.shape[-1], dtype=real_dtype(a.dtype))
    return [values, a] if vectors else [values]


def _eigh_impl(a, *, vectors, order=0):
    def decompose(a):
        values, columns = np.linalg.eigh((a + a.conj().T) / 2)
        return (values, columns) if vectors else (values,)

    return for_each_matrix(decompose, a)


def _eigh_regular_forward(primals, *, vectors, order=0):
    outs = eigh_p.bind(*primals, vectors=vectors, order=order + 1)
    points = None
    if vectors or order:
        points = [separate_p.bind(outs[0], root=order + vectors + 1, singular=False), *outs[1:]]
    return outs, points, {"vectors": vectors, "order": order + 1}


def _eigensystem(a: Array, outs: list[Array], vectors: bool, order: int) -> tuple[Array, Array]:
    """The eigenvectors v, and m = vᴴ·a·v."""
    if not vectors:
        return eigh_p.bind(a, vectors=True, order=max(order - 1, 0))[1], a
    w, v = outs
    if order:  # all eigenvalues are distinct
        return v, diagonal_matrix(convert(w, v.dtype))
    # Exactly Hermitian, so that rotations come out exactly skew, and 1/gap cancels where it has to.
    return v, hermitian(matmul(matmul(adjoint(v), hermitian(a)), v))


def _eigh_jvp(primals, tangents, outs, *, vectors, order=0):
    v, m = _eigensystem(primals[0], outs, vectors, order)
    inner = matmul(matmul(adjoint(v), hermitian(tangents[0])), v)
    dw = real(diagonal(inner))
    return [dw, matmul(v, diagonal_sylvester(m, inner, -1))] if vectors else [dw]


def _eigh_vjp(cts, primals, outs, needed, *, vectors, order=0):
    v, m = _eigensystem(primals[0], outs, vectors, order)
    inner = None if cts[0] is None else diagonal_matrix(convert(cts[0], v.dtype))
    if vectors and cts[1] is not None:
        inner = total([inner, diagonal_sylvester(m, matmul(adjoint(v), conj(cts[1])), -1)])
    assert inner is not None  # a rule is not called without a cotangent
    return [conj(hermitian(matmul(matmul(v, inner), adjoint(v))))]


def _symmetric() -> np.ndarray:
    return np.array([[2.0, 0.5, -0.75], [0.5, -1.0, 0.25], [-0.75, 0.25, 4.5]])


def _batch(matrix: np.ndarray) -> np.ndarray:
    return np.stack([matrix, matrix * 1.5])


_VECTORS, _NO_VECTORS = {"vectors": True}, {"vectors": False}

# The harness broadcasts the first axis: a batch, as matrices of equal rows have arbitrary null vectors.
#: (eigenvalues in ascending order, eigenvectors in columns) of the Hermitian part of the operand, or the
#: eigenvalues alone. NaN of a matrix that is not finite.
eigh_p = Primitive(
    "eigh",
    abstract_eval=_eigh_abstract,
    impl=_eigh_impl,
    jvp=_eigh_jvp,
    vjp=_eigh_vjp,
    batch=lambda args, dims, size, **p: batch_in_front(eigh_p, args, dims, size, **p),
    multiple_results=True,
    regular_forward=_eigh_regular_forward,
    samples=[
        Sample((_symmetric,), _VECTORS, (0,)),
        Sample((_symmetric,), {"vectors": True, "order": 1}, (0,)),
        Sample((lambda: _batch(_symmetric()),), _VECTORS, (0,)),
        Sample((_symmetric,), _NO_VECTORS, (0,)),
        Sample(
            (lambda: _symmetric() + 1j * np.array([[0, 1, 0.5], [-1, 0, 2], [-0.5, -2, 0]]),),
            _NO_VECTORS,
            (0,),
        ),
        Sample((lambda: _symmetric() + 1j * np.array([[0, 1, 0.5], [-1, 0, 2], [-0.5, -2, 0]]),), _VECTORS),
        Sample((lambda: np.zeros((0, 0)),), _VECTORS),
    ],
)

# ---------------------------------------------------------------- svd


def _svd_abstract(a, *, vectors, full_matrices, order=0):
    check_matrix("svd", a)
    m, n = a.shape[-2:]
    k = min(m, n)
    s = matrix_aval(a, k, dtype=real_dtype(a.dtype))
    if not vectors:
        return [s]
    return [matrix_aval(a, m, m if full_matrices else k), s, matrix_aval(a, n if full_matrices else k, n)]


def _svd_impl(a, *, vectors, full_matrices, order=0):
    def decompose(a):
        # Native code decomposes the transpose, and signs are a matter of the algorithm.
        v, s, ut = np.linalg.svd(a.T, full_matrices=full_matrices)
        return (ut.T, s, v.T) if vectors else (s,)

    return for_each_matrix(decompose, a)


def _svd_regular_forward(primals, *, vectors, full_matrices, order=0):
    below = {"vectors": vectors, "full_matrices": full_matrices, "order": order + 1}
    outs = svd_p.bind(*primals, **below)
    if not vectors and not order:
        return outs, None, below
    points = list(outs)
    points[int(vectors)] = separate_p.bind(outs[int(vectors)], root=order + vectors + 1, singular=True)
    return outs, points, below


class _SingularSystem:
    """What both derivative rules of the SVD a = u·s·vᴴ need, at k = min(m, n) singular triplets."""

    def __init__(self, a: Array, outs: list[Array], order: int):
        self.rows, self.columns = a.shape[-2:]
        self.k = min(self.rows, self.columns)
        self.full_u, s, full_vh = outs
        self.full_v = adjoint(full_vh)
        self.u, self.v = resized(self.full_u, self.rows, self.k), resized(self.full_v, self.columns, self.k)
        # See `_eigensystem`.
        self.m = diagonal_matrix(convert(s, a.dtype)) if order else hermitian(self.inner(a))

    def inner(self, x: Array) -> Array:
        """uᴴ·x·v, which of the tangent is [c, m] + {o, m} + dm with rotations u·(c + o) and v·(c - o)."""
        return matmul(matmul(adjoint(self.u), x), self.v)

    def common(self, x: Array) -> Array:
        """The c with c·m - m·c = x."""
        return diagonal_sylvester(self.m, x, -1)

    def opposite(self, x: Array) -> Array:
        """The o with o·m + m·o = x."""
        return diagonal_sylvester(self.m, x, 1)

    def divided(self, x: Array) -> Array:
        """The y with y·m = x."""
        return diagonal_sylvester(self.m, x, 0)


def _without_span(basis: Array, x: Array) -> Array:
    """The part of the columns of `x` that is orthogonal to those of `basis`."""
    return sub(x, matmul(basis, matmul(adjoint(basis), x)))


def _basis_tangent(basis, rotation, outside, full_basis):
    """The tangent of singular vectors: within their span, outside of it, and of those that complete them."""
    k = basis.shape[-1]
    tangent = matmul(basis, rotation)
    if basis.shape[-2] == k:
        return tangent
    tangent = add(tangent, _without_span(basis, outside))
    if full_basis.shape[-1] == k:
        return tangent
    complement = columns_from(full_basis, k)
    others = neg(matmul(basis, adjoint(matmul(adjoint(complement), outside))))
    return concatenate_p.bind(tangent, others, axis=basis.ndim - 1)


def _svd_jvp(primals, tangents, outs, *, vectors, full_matrices, order=0):
    a, da = primals[0], tangents[0]
    if not vectors:
        outs = svd_p.bind(a, vectors=True, full_matrices=False, order=max(order - 1, 0))
    system = _SingularSystem(a, outs, order)
    inner = system.inner(da)
    ds = real(diagonal(inner))
    if not vectors:
        return [ds]
    common, opposite = system.common(hermitian(inner)), system.opposite(skew(inner))
    du = _basis_tangent(system.u, add(common, opposite), system.divided(matmul(da, system.v)), system.full_u)
    dv = _basis_tangent(
        system.v, sub(common, opposite), system.divided(matmul(adjoint(da), system.u)), system.full_v
    )
    return [du, ds, adjoint(dv)]


def _outside(basis: Array, full_basis: Array, cotangent: Array) -> Array:
    """What the cotangent of singular vectors asks for outside of their span."""
    k = basis.shape[-1]
    outside = _without_span(basis, resized(cotangent, cotangent.shape[-2], k))
    if full_basis.shape[-1] == k:
        return outside
    complement = columns_from(full_basis, k)
    return sub(outside, matmul(complement, matmul(adjoint(columns_from(cotangent, k)), basis)))


def _svd_vjp(cts, primals, outs, needed, *, vectors, full_matrices, order=0):
    a = primals[0]
    if not vectors:
        outs = svd_p.bind(a, vectors=True, full_matrices=False, order=max(order - 1, 0))
        cts = [None, cts[0], None]
    system = _SingularSystem(a, outs, order)
    m, n, k, u, v = system.rows, system.columns, system.k, system.u, system.v
    gu = None if cts[0] is None else conj(cts[0])
    gv = None if cts[2] is None else adjoint(conj(cts[2]))
    mu = None if gu is None else matmul(adjoint(u), resized(gu, m, k))
    mv = None if gv is None else matmul(adjoint(v), resized(gv, n, k))
    inner = None if cts[1] is None else diagonal_matrix(convert(cts[1], a.dtype))
    common, opposite = total([mu, mv]), total([mu, None if mv is None else neg(mv)])
    if common is not None and opposite is not None:
        inner = total([inner, hermitian(system.common(common)), skew(system.opposite(opposite))])
    assert inner is not None  # a rule is not called without a cotangent
    result = matmul(matmul(u, inner), adjoint(v))
    if gu is not None and m > k:
        result = add(result, matmul(system.divided(_outside(u, system.full_u, gu)), adjoint(v)))
    if gv is not None and n > k:
        result = add(result, matmul(u, adjoint(system.divided(_outside(v, system.full_v, gv)))))
    return [conj(result)]


def _tall() -> np.ndarray:
    return np.array([[0.5, -2.0], [3.0, 0.75], [1.0, 2.5], [-1.5, 0.25]])


def _general() -> np.ndarray:
    return np.array([[0.5, -2.0, 1.25], [3.0, 0.75, -1.0], [1.0, 2.5, 4.0]])


_REDUCED = {"vectors": True, "full_matrices": False}
_FULL = {"vectors": True, "full_matrices": True}
_VALUES = {"vectors": False, "full_matrices": False}

#: (u, s, vᴴ) with a = u·s·vᴴ and s in descending order, or s alone. NaN of a matrix that is not finite.
svd_p = Primitive(
    "svd",
    abstract_eval=_svd_abstract,
    impl=_svd_impl,
    jvp=_svd_jvp,
    vjp=_svd_vjp,
    batch=lambda args, dims, size, **p: batch_in_front(svd_p, args, dims, size, **p),
    regular_forward=_svd_regular_forward,
    lower=lambda p, in_avals, out_avals: (int(p["full_matrices"]),),
    multiple_results=True,
    samples=[
        Sample((lambda: _batch(_general()),), _REDUCED, (0,)),
        Sample((lambda: _batch(_tall()),), _REDUCED, (0,)),
        Sample((lambda: _batch(_tall().T),), _REDUCED, (0,)),
        Sample((lambda: _batch(_general()),), _FULL, (0,)),
        Sample((lambda: _batch(_tall()),), _FULL),
        Sample((_tall,), _VALUES, (0,)),
        Sample((lambda: _tall() * (1 + 0.5j) + 1j,), _VALUES, (0,)),
        Sample((lambda: _batch(_tall()) * (1 + 0.5j) + 1j,), _REDUCED),
        Sample((lambda: np.zeros((2, 0)),), _FULL),
        Sample((lambda: np.zeros((0, 0)),), _REDUCED),
    ],
)

# ---------------------------------------------------------------- eig


def _eig_abstract(a, *, vectors):
    check_square("eig", a)
    dtype = complex64 if real_dtype(a.dtype).itemsize == 4 else complex128
    values = matrix_aval(a, a.shape[-1], dtype=dtype)
    return [values, matrix_aval(a, *a.shape[-2:], dtype=dtype)] if vectors else [values]


def _eig_impl(a, *, vectors):
    def decompose(a):
        values, columns = (x.astype(np.result_type(x, np.complex64)) for x in np.linalg.eig(a))
        largest = np.array([max(column, key=abs) for column in columns.T], columns.dtype)
        return (values, columns * (largest.conj() / np.abs(largest))) if vectors else (values,)

    return for_each_matrix(decompose, a)


def _in_basis(v: Array, x: Array) -> Array:
    """The matrix v⁻¹·x·v."""
    return solve_p.bind(v, matmul(convert(x, v.dtype), v))


def _eig_jvp(primals, tangents, outs, *, vectors):
    v = outs[1] if vectors else eig_p.bind(primals[0], vectors=True)[1]
    inner = _in_basis(v, tangents[0])
    dw = diagonal(inner)
    if not vectors:
        return [dw]
    dv = matmul(v, diagonal_sylvester(_in_basis(v, primals[0]), inner, -1))
    return [dw, sub(dv, mul(v, as_rows(_column_products(v, dv), v.shape)))]


def _column_products(x: Array, y: Array) -> Array:
    """The inner products xᴴ·y of columns."""
    return reduce_sum(mul(conj(x), y), (x.ndim - 2,))


def _eig_vjp(cts, primals, outs, needed, *, vectors):
    v = outs[1] if vectors else eig_p.bind(primals[0], vectors=True)[1]
    inner = None if cts[0] is None else diagonal_matrix(conj(cts[0]))
    if vectors and cts[1] is not None:
        gv = conj(cts[1])
        gv = sub(gv, mul(v, as_rows(_column_products(v, gv), v.shape)))  # the norms stay 1
        m = adjoint(_in_basis(v, primals[0]))
        inner = total([inner, diagonal_sylvester(m, matmul(adjoint(v), gv), -1)])
    assert inner is not None  # a rule is not called without a cotangent
    result = conj(solve_p.bind(adjoint(v), matmul(inner, adjoint(v))))
    return [result if primals[0].dtype.kind == "c" else real(result)]


def _graded() -> np.ndarray:
    """A matrix with real eigenvalues, so that the vectors have no phase to choose."""
    return np.array([[1.0, 0.5, 0.25], [0.75, -2.0, 1.0], [0.5, -0.25, 4.0]])


#: (eigenvalues, eigenvectors in columns), both complex, or the eigenvalues alone. Of norm 1, the vectors have
#: a positive component of largest modulus. NaN of a matrix that is not finite.
eig_p = Primitive(
    "eig",
    abstract_eval=_eig_abstract,
    impl=_eig_impl,
    jvp=_eig_jvp,
    vjp=_eig_vjp,
    batch=lambda args, dims, size, **p: batch_in_front(eig_p, args, dims, size, **p),
    multiple_results=True,
    samples=[
        Sample((lambda: _batch(_graded()),), _VECTORS, (0,)),
        Sample((_general,), _NO_VECTORS, (0,)),
        Sample((lambda: _batch(_general()),), _VECTORS),
        Sample((lambda: _batch(_general()) * (1 + 0.5j) + 1j,), _NO_VECTORS, (0,)),
        Sample((lambda: np.zeros((0, 0)),), _VECTORS),
    ],
)
