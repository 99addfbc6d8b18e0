"""Linear systems, inverses and least squares."""

from __future__ import annotations

from typing import Any, NamedTuple

from .. import primitives as p
from .._native import Array
from ..ops.operands import convert
from ..ops.pointwise import where
from ..ops.statistical import sum as sum_over
from ..ops.streams import streamed
from ..primitives._matrices import adjoint, as_columns, conj, identity, matmul, real, transposed
from ..transforms.custom_jvp import custom_jvp
from ._operands import as_matrix, as_square, as_system, without_vector_axis
from .functions import rank_of, relative_cutoff

__all__ = ["LstsqResult", "cholesky_inv", "inv", "lstsq", "pinv", "solve", "solve_triangular", "tri_inv"]


Arrays = tuple[Array, ...]


class LstsqResult(NamedTuple):
    """A least-squares solution, its squared residuals, and the rank and singular values of the matrix."""

    x: Array
    residuals: Array
    rank: Array
    singular_values: Array


@streamed
def solve(x1: Any, x2: Any, /, *, stream: Any = None) -> Array:
    """The solution x of x1·x = x2, by LU factorization with partial pivoting.

    Args:
        x1: (…, n, n), square matrices.
        x2: (n,), one vector, or (…, n, k); the batches broadcast.

    Returns:
        (…, n) if x2 is a vector, else (…, n, k). Infinite or NaN where a matrix is singular.

    Raises:
        TypeError: an operand is no array, or of half precision.
        ValueError: the shapes do not fit.

    >>> ft.linalg.solve(ft.array([[2.0, 0.0], [0.0, 4.0]]), ft.array([2.0, 8.0]))
    array([1, 2], dtype=float32)
    """
    a, b, vector = as_system(x1, x2, "solve", ("x1", "x2"))
    return without_vector_axis(p.solve_p.bind(a, b), vector)


@streamed
def solve_triangular(
    a: Any,
    b: Any,
    /,
    *,
    upper: bool = False,
    trans: str = "N",
    unit_diagonal: bool = False,
    stream: Any = None,
) -> Array:
    """The solution x of a·x = b for triangular matrices, of which the other triangle is not looked at.

    Args:
        a: (…, n, n).
        b: (n,), one vector, or (…, n, k); the batches broadcast.
        upper: whether the upper triangle counts, not the lower one.
        trans: "N" for a·x = b, "T" for aᵀ·x = b, "C" for aᴴ·x = b.
        unit_diagonal: whether the diagonal is taken for ones.

    Returns:
        (…, n) if b is a vector, else (…, n, k).

    Raises:
        TypeError: an operand is no array, or of half precision.
        ValueError: the shapes do not fit, or `trans` is another one.

    >>> ft.linalg.solve_triangular(ft.array([[2.0, 0.0], [1.0, 4.0]]), ft.array([2.0, 9.0]))
    array([1, 2], dtype=float32)
    """
    forms = {"N": lambda a: a, "T": transposed, "C": adjoint}
    if trans not in forms:
        raise ValueError(f"linalg.solve_triangular: trans must be 'N', 'T' or 'C', got {trans!r}")
    a, b, vector = as_system(a, b, "solve_triangular", ("a", "b"))
    lower = bool(upper) != (trans == "N")
    x = p.triangular_solve_p.bind(forms[trans](a), b, lower=lower, unit_diagonal=bool(unit_diagonal))
    return without_vector_axis(x, vector)


@streamed
def inv(x: Any, /, *, stream: Any = None) -> Array:
    """The inverses of square matrices; infinite or NaN of singular ones. To solve a system, use `solve`.

    >>> ft.linalg.inv(ft.array([[2.0, 0.0], [0.0, 4.0]]))
    array([[0.5, 0],
           [0, 0.25]], dtype=float32)
    """
    x = as_square(x, "inv")
    return p.solve_p.bind(x, identity(x, x.shape[-1]))


def _triangular_inverse(a: Array, upper: bool) -> Array:
    return p.triangular_solve_p.bind(a, identity(a, a.shape[-1]), lower=not upper, unit_diagonal=False)


@streamed
def tri_inv(a: Any, /, upper: bool = False, *, stream: Any = None) -> Array:
    """The inverses of triangular matrices, of which the other triangle is not looked at.

    >>> ft.linalg.tri_inv(ft.array([[2.0, 0.0], [1.0, 4.0]]))
    array([[0.5, 0],
           [-0.125, 0.25]], dtype=float32)
    """
    return _triangular_inverse(as_square(a, "tri_inv", "a"), bool(upper))


@streamed
def cholesky_inv(L: Any, /, upper: bool = False, *, stream: Any = None) -> Array:
    """The inverses of the matrices whose Cholesky factors are given.

    Args:
        L: (…, n, n), lower triangular factors.
        upper: whether they are upper triangular ones.

    >>> ft.linalg.cholesky_inv(ft.array([[2.0, 0.0], [0.0, 4.0]]))
    array([[0.25, 0],
           [0, 0.0625]], dtype=float32)
    """
    inverse = _triangular_inverse(as_square(L, "cholesky_inv", "L"), bool(upper))
    return matmul(inverse, adjoint(inverse)) if upper else matmul(adjoint(inverse), inverse)


def _constant_singular_values(x: Array) -> Array:
    """What the cutoff depends on; a graph has one decomposition for it and `_pseudoinverse`."""
    return p.svd_p.bind(p.stop_gradient_p.bind(x), vectors=True, full_matrices=False)[1]


@custom_jvp
def _pseudoinverse(x: Array, cutoff: Array) -> Array:
    u, s, vh = p.svd_p.bind(x, vectors=True, full_matrices=False)
    kept = s > cutoff
    reciprocals = where(kept, 1 / where(kept, s, 1), 0)
    uh = adjoint(u)
    return matmul(adjoint(vh), as_columns(convert(reciprocals, x.dtype), uh.shape) * uh)


@_pseudoinverse.defjvp
def _pseudoinverse_jvp(primals: Arrays, tangents: Arrays) -> tuple[Any, Any]:
    # Golub and Pereyra, "The differentiation of pseudo-inverses and nonlinear least squares problems whose
    # variables separate", SIAM J. Numer. Anal. 10 (1973), theorem 4.3, for a constant rank.
    (x, cutoff), dx = primals, tangents[0]
    inverse = _pseudoinverse(x, cutoff)
    ih, dh = adjoint(inverse), adjoint(dx)
    left, right = matmul(matmul(inverse, ih), dh), matmul(dh, matmul(ih, inverse))
    left = left - matmul(matmul(left, x), inverse)
    right = right - matmul(inverse, matmul(x, right))
    return inverse, left + right - matmul(matmul(inverse, dx), inverse)


@streamed
def pinv(x: Any, /, *, rtol: Any = None, stream: Any = None) -> Array:
    """The Moore-Penrose pseudoinverses, by the singular value decomposition.

    The derivative is that among matrices of the same rank; elsewhere the pseudoinverse is not continuous.

    Args:
        x: (…, m, n).
        rtol: number or array that broadcasts to the batch: singular values below that part of the largest one
            are taken for zero. By default max(m, n) times the machine epsilon.

    Returns:
        (…, n, m).

    Raises:
        TypeError: x is no array, or of half precision.
        ValueError: x has fewer than 2 dimensions.

    >>> ft.linalg.pinv(ft.array([[2.0, 0.0], [0.0, 0.0]]))
    array([[0.5, 0],
           [0, 0]], dtype=float32)
    """
    x = as_matrix(x, "pinv")
    s = _constant_singular_values(x)
    return _pseudoinverse(x, relative_cutoff(s, x.shape, rtol, "pinv"))


@streamed
def lstsq(a: Any, b: Any, /, *, rcond: Any = None, stream: Any = None) -> LstsqResult:
    """The x of least norm among those that minimise ‖a·x - b‖, by the singular value decomposition.

    Args:
        a: (…, m, n).
        b: (m,), one vector, or (…, m, k); the batches broadcast.
        rcond: singular values below that part of the largest one are taken for zero. By default max(m, n)
            times the machine epsilon.

    Returns:
        (x, residuals, rank, singular_values): x of shape (…, n) or (…, n, k); the sums of |a·x - b|² over the
        rows, of shape (…,) or (…, k), always computed; rank and singular values of a.

    Raises:
        TypeError: an operand is no array, or of half precision.
        ValueError: the shapes do not fit.

    >>> ft.linalg.lstsq(ft.array([[1.0], [1.0]]), ft.array([1.0, 3.0])).x
    array([2], dtype=float32)
    """
    a, b, vector = as_system(a, b, "lstsq", ("a", "b"), square=False)
    cutoff = relative_cutoff(_constant_singular_values(a), a.shape, rcond, "lstsq")
    s = p.svd_p.bind(a, vectors=True, full_matrices=False)[1]
    x = matmul(_pseudoinverse(a, cutoff), b)
    difference = p.sub_p.bind(matmul(a, x), b)
    squares = real(p.mul_p.bind(conj(difference), difference))
    residuals = without_vector_axis(sum_over(squares, axis=-2), vector)
    return LstsqResult(without_vector_axis(x, vector), residuals, rank_of(s, cutoff), s)
