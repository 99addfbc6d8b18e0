"""Determinants, ranks, powers and the exponential of matrices."""

from __future__ import annotations

import operator
from typing import Any, NamedTuple

from .. import primitives as p
from .._native import Array
from ..ops import elementwise, statistical
from ..ops.creation import zeros
from ..ops.dtypes import finfo
from ..ops.operands import as_array, as_dtype_array, broadcast_shapes_of, convert, reshape_to
from ..ops.pointwise import where
from ..ops.promotion import DEFAULT_INT
from ..ops.streams import streamed
from ..primitives._matrices import (
    adjoint,
    as_rows,
    diagonal,
    diagonal_matrix,
    identity,
    matmul,
    on_diagonal,
    real,
    transposed,
)
from ..transforms.custom_jvp import custom_jvp
from ._operands import as_matrix, as_square

__all__ = ["SlogdetResult", "det", "expm", "matrix_power", "matrix_rank", "slogdet"]


Arrays = tuple[Array, ...]


class SlogdetResult(NamedTuple):
    """The sign (or the phase) of a determinant, and the logarithm of its modulus."""

    sign: Array
    logabsdet: Array


# ---------------------------------------------------------------- determinants


def _signed_diagonal(x: Array) -> tuple[Array, Array]:
    """The sign of the permutation of an LU factorization, and the diagonal of U."""
    factors, pivots, _ = p.lu_p.bind(x)
    exchanged = elementwise.not_equal(
        pivots, p.iota_p.bind(shape=pivots.shape, dtype=DEFAULT_INT, dimension=pivots.ndim - 1)
    )
    exchanges = statistical.count_nonzero(exchanged, axis=-1)
    return where(exchanges % 2 == 0, 1, -1), diagonal(factors)


@custom_jvp
def _det(x: Array) -> Array:
    sign, factors = _signed_diagonal(x)
    return convert(sign, x.dtype) * statistical.prod(factors, axis=-1)


@_det.defjvp
def _det_jvp(primals: Arrays, tangents: Arrays) -> tuple[Any, Any]:
    (x,), (dx,) = primals, tangents
    return _det(x), statistical.sum(transposed(_adjugate(x)) * dx, axis=(-2, -1))


@custom_jvp
def _adjugate(x: Array) -> Array:
    """The transposed matrix of cofactors, of singular matrices too: x is rotated to diagonal form."""
    phase, u, s, vh = _rotation(x)
    n = s.shape[-1]
    others = as_rows(s, (*s.shape, n))
    products = statistical.prod(where(on_diagonal(others.shape), 1, others), axis=-1)
    return phase * _rotated(u, diagonal_matrix(convert(products, x.dtype)), vh)


@_adjugate.defjvp
def _adjugate_jvp(primals: Arrays, tangents: Arrays) -> tuple[Any, Any]:
    (x,), (dx,) = primals, tangents
    phase, u, s, vh = _rotation(x)
    n = s.shape[-1]
    inner = matmul(matmul(adjoint(u), dx), adjoint(vh))
    # products[i, j] is that of all singular values but the i-th and the j-th.
    shape = (*s.shape, n, n)
    axes = tuple(p.iota_p.bind(shape=shape, dtype=DEFAULT_INT, dimension=len(shape) - i) for i in (3, 2, 1))
    left_out = (axes[2] == axes[0]) | (axes[2] == axes[1])
    each = p.broadcast_in_dim_p.bind(s, shape=shape, dims=(*range(s.ndim - 1), len(shape) - 1))
    products = convert(statistical.prod(where(left_out, 1, each), axis=-1), x.dtype)
    products = where(on_diagonal(products.shape), 0, products)
    on = matmul(products, reshape_to(diagonal(inner), (*s.shape, 1)))
    derivative = diagonal_matrix(reshape_to(on, s.shape)) - products * inner
    return _adjugate(x), phase * _rotated(u, derivative, vh)


def _rotation(x: Array) -> tuple[Array, Array, Array, Array]:
    """The SVD of `x`, and det(u)·det(vᴴ) first."""
    u, s, vh = p.svd_p.bind(x, vectors=True, full_matrices=False)
    return reshape_to(_det(u) * _det(vh), (*x.shape[:-2], 1, 1)), u, s, vh


def _rotated(u: Array, x: Array, vh: Array) -> Array:
    return matmul(matmul(adjoint(vh), x), adjoint(u))


@streamed
def det(x: Any, /, *, stream: Any = None) -> Array:
    """The determinants of square matrices, by LU factorization.

    The derivative is the matrix of cofactors, which is right (to second order) for singular matrices too.

    Args:
        x: (…, n, n).

    Returns:
        (…,), of the dtype of x.

    Raises:
        TypeError: x is no array, or of half precision.
        ValueError: x is not made of square matrices.

    >>> ft.linalg.det(ft.array([[1.0, 2.0], [3.0, 5.0]]))
    array(-1, dtype=float32)
    >>> ft.grad(ft.linalg.det)(ft.array([[1.0, 0.0], [0.0, 0.0]]))
    array([[0, 0],
           [0, 1]], dtype=float32)
    """
    return _det(as_square(x, "det"))


@custom_jvp
def _slogdet(x: Array) -> SlogdetResult:
    sign, factors = _signed_diagonal(x)
    signs = convert(sign, x.dtype) * statistical.prod(elementwise.sign(factors), axis=-1)
    return SlogdetResult(signs, statistical.sum(elementwise.log(elementwise.abs(factors)), axis=-1))


@_slogdet.defjvp
def _slogdet_jvp(primals: Arrays, tangents: Arrays) -> tuple[Any, Any]:
    (x,), (dx,) = primals, tangents
    out = _slogdet(x)
    relative = statistical.sum(diagonal(p.solve_p.bind(x, dx)), axis=-1)
    modulus = real(relative)
    return out, SlogdetResult(out.sign * (relative - convert(modulus, x.dtype)), modulus)


@streamed
def slogdet(x: Any, /, *, stream: Any = None) -> SlogdetResult:
    """The sign of determinants, and the logarithm of their modulus, which may be out of range itself.

    Args:
        x: (…, n, n).

    Returns:
        (sign, logabsdet), of shape (…,): sign of the dtype of x, of modulus 1, or 0 where x is singular;
        logabsdet real, minus infinity there.

    Raises:
        TypeError: x is no array, or of half precision.
        ValueError: x is not made of square matrices.

    >>> ft.linalg.slogdet(ft.array([[0.0, 1.0], [1.0, 0.0]]))
    SlogdetResult(sign=array(-1, dtype=float32), logabsdet=array(0, dtype=float32))
    """
    return SlogdetResult(*_slogdet(as_square(x, "slogdet")))


# ---------------------------------------------------------------- rank


def relative_cutoff(s: Array, shape: tuple[int, ...], rtol: Any, function: str) -> Array:
    """What singular values (…, k) of matrices of `shape` are compared with, of shape (…, 1)."""
    if rtol is None:
        tolerance = as_dtype_array(max(shape[-2:]) * finfo(s.dtype).eps, s.dtype, function, "rtol")
    else:
        tolerance = as_dtype_array(as_array(rtol, f"linalg.{function}", "rtol"), s.dtype, function, "rtol")
    batch = s.shape[:-1]
    if broadcast_shapes_of(f"linalg.{function}", batch, tolerance.shape) != batch:
        raise ValueError(
            f"linalg.{function}: a relative cutoff of shape {tolerance.shape} does not broadcast to {batch}"
        )
    largest = statistical.max(s, axis=-1) if s.shape[-1] else zeros(batch, dtype=s.dtype)
    return reshape_to(elementwise.multiply(largest, tolerance), (*batch, 1))


def rank_of(s: Array, cutoff: Array) -> Array:
    """How many singular values are above the cutoff."""
    return statistical.count_nonzero(s > cutoff, axis=-1)


@streamed
def matrix_rank(x: Any, /, *, rtol: Any = None, stream: Any = None) -> Array:
    """The numbers of singular values that are not negligible, int32.

    Args:
        x: (…, m, n).
        rtol: number or array that broadcasts to the batch: singular values up to that part of the largest one
            are taken for zero. By default max(m, n) times the machine epsilon.

    Raises:
        TypeError: x is no array, or of half precision.
        ValueError: x has fewer than 2 dimensions.

    >>> ft.linalg.matrix_rank(ft.ones((3, 3)))
    array(1, dtype=int32)
    """
    x = as_matrix(x, "matrix_rank")
    s = p.svd_p.bind(x, vectors=False, full_matrices=False)[0]
    return rank_of(s, relative_cutoff(s, x.shape, rtol, "matrix_rank"))


# ---------------------------------------------------------------- powers and the exponential


@streamed
def matrix_power(x: Any, n: int, /, *, stream: Any = None) -> Array:
    """Square matrices multiplied with themselves: the n-th power, of the inverse if n is negative.

    Raises:
        TypeError: x is no array, or of half precision; n is no integer.
        ValueError: x is not made of square matrices.

    >>> ft.linalg.matrix_power(ft.array([[1.0, 1.0], [0.0, 1.0]]), 3)
    array([[1, 3],
           [0, 1]], dtype=float32)
    """
    x = as_square(x, "matrix_power")
    exponent = operator.index(n)
    unit = identity(x, x.shape[-1])
    if exponent < 0:
        x, exponent = p.solve_p.bind(x, unit), -exponent
    result = None
    while exponent:
        if exponent & 1:
            result = x if result is None else matmul(result, x)
        exponent >>= 1
        if exponent:
            x = matmul(x, x)
    return unit if result is None else result


@streamed
def expm(x: Any, /, *, stream: Any = None) -> Array:
    """The exponentials of square matrices: the sum of x^k / k! over all k.

    By scaling and squaring (Higham, SIAM J. Matrix Anal. Appl. 26, 2005), with exact derivatives of any
    order.

    Args:
        x: (…, n, n).

    Returns:
        (…, n, n); NaN of a matrix that is not finite.

    Raises:
        TypeError: x is no array, or of half precision.
        ValueError: x is not made of square matrices.

    >>> ft.linalg.expm(ft.array([[0.0, 1.0], [0.0, 0.0]]))
    array([[1, 1],
           [0, 1]], dtype=float32)
    """
    return p.expm_p.bind(as_square(x, "expm"))
