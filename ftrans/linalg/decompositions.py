"""Factorizations and spectra of matrices."""

from __future__ import annotations

from typing import Any, NamedTuple

from .. import primitives as p
from .._native import Array
from ..ops.joining import concat
from ..ops.sorting import argsort
from ..ops.streams import streamed
from ..primitives._matrices import adjoint, columns_from, identity, matmul, resized, strict_tril, triu
from ._operands import as_matrix, as_square

__all__ = [
    "EigenResult",
    "LUFactor",
    "LUResult",
    "QRResult",
    "SVDResult",
    "cholesky",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "lu",
    "lu_factor",
    "qr",
    "svd",
    "svdvals",
]


class EigenResult(NamedTuple):
    """Eigenvalues (…, n) and eigenvectors (…, n, n), which are columns."""

    eigenvalues: Array
    eigenvectors: Array


class LUFactor(NamedTuple):
    """The factors in one array (…, m, n), and the row (…, min(m, n)) that each row was exchanged with."""

    LU: Array
    pivots: Array


class LUResult(NamedTuple):
    """A permutation (…, m), L (…, m, k) and U (…, k, n)."""

    P: Array
    L: Array
    U: Array


class QRResult(NamedTuple):
    """Q with orthonormal columns, and the upper triangular R."""

    Q: Array
    R: Array


class SVDResult(NamedTuple):
    """Left singular vectors in columns, singular values, right singular vectors in rows, conjugated."""

    U: Array
    S: Array
    Vh: Array


@streamed
def cholesky(x: Any, /, upper: bool = False, *, stream: Any = None) -> Array:
    """The Cholesky factor L of x = L·Lᴴ, or U of x = Uᴴ·U.

    What is factored is the Hermitian part (x + xᴴ)/2, so the derivative with respect to x is Hermitian.

    Args:
        x: (…, n, n), Hermitian and positive definite.
        upper: whether to return U, not L.

    Returns:
        (…, n, n), zero in the other triangle; NaN in place of the factor of a matrix that is not positive
        definite.

    Raises:
        TypeError: x is no array, or of half precision.
        ValueError: x is not made of square matrices.

    >>> ft.linalg.cholesky(ft.array([[4.0, 2.0], [2.0, 5.0]]))
    array([[2, 0],
           [1, 2]], dtype=float32)
    """
    factor = p.cholesky_p.bind(as_square(x, "cholesky"))
    return adjoint(factor) if upper else factor


@streamed
def lu_factor(a: Any, /, *, stream: Any = None) -> LUFactor:
    """The LU factorization with partial pivoting in LAPACK's form.

    Args:
        a: (…, m, n).

    Returns:
        (LU, pivots): U in the upper triangle of LU, L without its diagonal of ones below; row i was exchanged
        with row pivots[i], in the order of i.

    Raises:
        TypeError: a is no array, or of half precision.
        ValueError: a has fewer than 2 dimensions.

    >>> ft.linalg.lu_factor(ft.array([[1.0, 2.0], [2.0, 8.0]]))
    LUFactor(LU=array([[2, 8],
           [0.5, -2]], dtype=float32), pivots=array([1, 1], dtype=int32))
    """
    factors, pivots, _ = p.lu_p.bind(as_matrix(a, "lu_factor", "a"))
    return LUFactor(factors, pivots)


@streamed
def lu(a: Any, /, *, stream: Any = None) -> LUResult:
    """The LU factorization with partial pivoting: a = L[P, :]·U of each matrix.

    Args:
        a: (…, m, n).

    Returns:
        (P, L, U), with int32 row numbers P of shape (…, m), L (…, m, k) and U (…, k, n) for k = min(m, n).

    Raises:
        TypeError: a is no array, or of half precision.
        ValueError: a has fewer than 2 dimensions.

    >>> P, L, U = ft.linalg.lu(ft.array([[1.0, 2.0], [2.0, 8.0]]))
    >>> L[P, :] @ U
    array([[1, 2],
           [2, 8]], dtype=float32)
    """
    a = as_matrix(a, "lu", "a")
    m, n = a.shape[-2:]
    k = min(m, n)
    factors, _, permutation = p.lu_p.bind(a)
    lower = p.add_p.bind(resized(strict_tril(factors), m, k), resized(identity(a, m), m, k))
    return LUResult(argsort(permutation), lower, resized(triu(factors), k, n))


@streamed
def qr(x: Any, /, *, mode: str = "reduced", stream: Any = None) -> QRResult:
    """The QR factorization x = Q·R by Householder reflections.

    Q and R have derivatives where the first min(m, n) columns of x are linearly independent. That of the
    columns which complete Q (m > n and mode="complete") takes the choice of a basis for constant.

    Args:
        x: (…, m, n).
        mode: "reduced" for Q of shape (…, m, k) with k = min(m, n), or "complete" for a square Q.

    Returns:
        (Q, R), R of shape (…, k, n) or (…, m, n), with a real diagonal of any sign.

    Raises:
        TypeError: x is no array, or of half precision.
        ValueError: x has fewer than 2 dimensions, or the mode is another one.

    >>> Q, R = ft.linalg.qr(ft.array([[3.0], [4.0]]))
    >>> R
    array([[-5]], dtype=float32)
    """
    if mode not in ("reduced", "complete"):
        raise ValueError(f"linalg.qr: mode must be 'reduced' or 'complete', got {mode!r}")
    x = as_matrix(x, "qr")
    m, n = x.shape[-2:]
    if m >= n:
        return QRResult(*p.qr_p.bind(x, full_matrices=mode == "complete"))
    # The first columns determine Q, and the others are R's as they are expressed in it.
    q, r = p.qr_p.bind(resized(x, m, m), full_matrices=False)
    return QRResult(q, concat([r, matmul(adjoint(q), columns_from(x, m))], axis=-1))


@streamed
def eigh(x: Any, /, *, stream: Any = None) -> EigenResult:
    """Eigenvalues and eigenvectors of Hermitian matrices.

    What is decomposed is the Hermitian part (x + xᴴ)/2, so the derivative with respect to x is Hermitian.
    Eigenvectors are determined up to a phase, and those of equal eigenvalues up to a rotation. The
    derivatives are those of every function that does not depend on that choice, such as V·f(λ)·Vᴴ or the
    projection on the space of some eigenvalues. At equal eigenvalues they have half the digits of the dtype,
    and second derivatives a third: docs/derivatives.md says why, and where they have less.

    Args:
        x: (…, n, n).

    Returns:
        (eigenvalues, eigenvectors), the former real and ascending; NaN of a matrix that is not finite.

    Raises:
        TypeError: x is no array, or of half precision.
        ValueError: x is not made of square matrices.

    >>> ft.linalg.eigh(ft.array([[2.0, 0.0], [0.0, 1.0]])).eigenvalues
    array([1, 2], dtype=float32)
    >>> def cube(x):
    ...     w, v = ft.linalg.eigh(x)
    ...     return (v * w**3) @ v.T
    >>> tangent = ft.array([[0.0, 1.0], [1.0, 0.0]])
    >>> ft.round(ft.jvp(cube, (ft.eye(2),), (tangent,))[1], 2)
    array([[0, 3],
           [3, 0]], dtype=float32)
    """
    return EigenResult(*p.eigh_p.bind(as_square(x, "eigh"), vectors=True))


@streamed
def eigvalsh(x: Any, /, *, stream: Any = None) -> Array:
    """The eigenvalues of Hermitian matrices in ascending order, as `eigh`'s.

    >>> ft.linalg.eigvalsh(ft.array([[0.0, 2.0], [2.0, 0.0]]))
    array([-2, 2], dtype=float32)
    """
    return p.eigh_p.bind(as_square(x, "eigvalsh"), vectors=False)[0]


@streamed
def eig(x: Any, /, *, stream: Any = None) -> EigenResult:
    """Eigenvalues and right eigenvectors of square matrices, both complex.

    The vectors have norm 1, and their component of largest modulus is positive. Their derivatives take the
    phase for constant, and the choice among the vectors of equal eigenvalues.

    Args:
        x: (…, n, n).

    Returns:
        (eigenvalues, eigenvectors) in LAPACK's order; NaN of a matrix that is not finite.

    Raises:
        TypeError: x is no array, or of half precision.
        ValueError: x is not made of square matrices.

    >>> ft.linalg.eig(ft.array([[0.0, 1.0], [-1.0, 0.0]])).eigenvalues
    array([0+1j, 0-1j], dtype=complex64)
    """
    return EigenResult(*p.eig_p.bind(as_square(x, "eig"), vectors=True))


@streamed
def eigvals(x: Any, /, *, stream: Any = None) -> Array:
    """The eigenvalues of square matrices, as `eig`'s.

    >>> ft.linalg.eigvals(ft.array([[0.0, 1.0], [-1.0, 0.0]]))
    array([0+1j, 0-1j], dtype=complex64)
    """
    return p.eig_p.bind(as_square(x, "eigvals"), vectors=False)[0]


@streamed
def svd(x: Any, /, *, full_matrices: bool = True, stream: Any = None) -> SVDResult:
    """The singular value decomposition x = U·diag(S)·Vh.

    Singular vectors are determined up to a choice as eigenvectors are. The derivatives are those of every
    function that does not depend on it, such as U·f(S)·Vh for an odd f: see `eigh`.

    Args:
        x: (…, m, n).
        full_matrices: whether U and Vh are square; if not, they have min(m, n) columns and rows.

    Returns:
        (U, S, Vh), S in descending order; NaN of a matrix that is not finite.

    Raises:
        TypeError: x is no array, or of half precision.
        ValueError: x has fewer than 2 dimensions.

    >>> ft.linalg.svd(ft.array([[0.0, 2.0], [3.0, 0.0]])).S
    array([3, 2], dtype=float32)
    """
    return SVDResult(*p.svd_p.bind(as_matrix(x, "svd"), vectors=True, full_matrices=bool(full_matrices)))


@streamed
def svdvals(x: Any, /, *, stream: Any = None) -> Array:
    """The singular values in descending order, as `svd`'s.

    >>> ft.linalg.svdvals(ft.array([[0.0, 2.0], [3.0, 0.0]]))
    array([3, 2], dtype=float32)
    """
    return p.svd_p.bind(as_matrix(x, "svdvals"), vectors=False, full_matrices=False)[0]
