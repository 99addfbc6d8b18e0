"""Norms of vectors and matrices."""

from __future__ import annotations

import math
from typing import Any

from .. import primitives as p
from .._native import Array
from ..ops import elementwise, statistical
from ..ops.manipulation import moveaxis
from ..ops.operands import as_array, convert, normalize_axes, reshape_to, to_inexact
from ..ops.pointwise import where
from ..ops.promotion import real_dtype
from ..ops.statistical import kept_shape
from ..ops.streams import streamed
from ._operands import as_matrix

__all__ = ["matrix_norm", "norm", "vector_norm"]

Axis = int | tuple[int, ...] | None


def _root(sums: Array, order: float) -> Array:
    """The order-th root of sums that are not negative. Its derivative is taken for 0 at 0."""
    zero = sums == 0
    positive = where(zero, 1, sums)
    root = elementwise.sqrt(positive) if order == 2 else positive ** (1 / order)
    return where(zero, 0.0 if order > 0 else math.inf, root)


def _squares(x: Array) -> Array:
    """|x|², differentiable at 0."""
    if x.dtype.kind != "c":
        return p.square_p.bind(x)
    return p.square_p.bind(p.real_p.bind(x)) + p.square_p.bind(p.imag_p.bind(x))


def _vector_norm(function: str, x: Array, axes: tuple[int, ...], keepdims: bool, order: Any) -> Array:
    if isinstance(order, bool) or not isinstance(order, (int, float)):
        raise ValueError(f"linalg.{function}: ord of vectors must be a number, got {order!r}")
    if order in (math.inf, -math.inf):
        reduction = statistical.max if order > 0 else statistical.min
        return reduction(elementwise.abs(x), axis=axes, keepdims=keepdims)
    if order == 2:
        terms = _squares(x)
    elif order == 0:
        terms = convert(elementwise.not_equal(x, 0), real_dtype(x.dtype))
    else:
        terms = elementwise.abs(x)
        terms = terms if order == 1 else terms ** float(order)
    sums = statistical.sum(terms, axis=axes, keepdims=keepdims)
    return sums if order in (0, 1) else _root(sums, float(order))


@streamed
def vector_norm(
    x: Any, /, *, axis: Axis = None, keepdims: bool = False, ord: float = 2, stream: Any = None
) -> Array:
    """The norms (Σ|x|^ord)^(1/ord) of the vectors along axes.

    Where a norm is 0, its derivative is taken for 0.

    Args:
        x: an array.
        axis: an axis or several, which make one vector together; all if None.
        keepdims: whether the axes stay, with extent 1.
        ord: a number; infinity for the greatest modulus, minus infinity for the least, 0 for the number of
            elements that are not 0.

    Returns:
        Real norms.

    Raises:
        TypeError: x is no array.
        ValueError: an axis is out of range; there are no elements and ord is infinite; ord is no number.

    >>> ft.linalg.vector_norm(ft.array([3.0, 4.0]))
    array(5, dtype=float32)
    """
    x = to_inexact(as_array(x, "linalg.vector_norm"))
    axes = normalize_axes("linalg.vector_norm", axis, x.ndim)
    return _vector_norm("vector_norm", x, axes, bool(keepdims), ord)


def _matrix_norm(function: str, x: Array, keepdims: bool, order: Any) -> Array:
    """The norms of matrices in the last two axes."""
    if order == "fro":
        return _vector_norm(function, x, (x.ndim - 2, x.ndim - 1), keepdims, 2)
    if order in (1, -1, math.inf, -math.inf):
        summed = x.ndim - 2 if order in (1, -1) else x.ndim - 1
        sums = statistical.sum(elementwise.abs(x), axis=summed)
        result = (statistical.max if order > 0 else statistical.min)(sums, axis=-1)
    elif order in (2, -2, "nuc"):
        s = p.svd_p.bind(x, vectors=False, full_matrices=False)[0]
        reductions = {2: statistical.max, -2: statistical.min, "nuc": statistical.sum}
        result = reductions[order](s, axis=-1)
    else:
        raise ValueError(
            f"linalg.{function}: ord of matrices must be 'fro', 'nuc', 1, -1, 2, -2, inf or -inf, "
            f"got {order!r}"
        )
    return reshape_to(result, (*x.shape[:-2], 1, 1)) if keepdims else result


@streamed
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro", stream: Any = None) -> Array:
    """The norms of matrices.

    The derivative of a norm that is not smooth is one of its subgradients, that of the Frobenius norm of 0 is
    0.

    Args:
        x: (…, m, n).
        keepdims: whether the last two axes stay, with extent 1.
        ord: "fro" for the root of the sum of squares, "nuc" for the sum of the singular values, 2 or -2 for
            the greatest or least of them, 1 or -1 for the greatest or least sum of the moduli of a column,
            infinity or minus infinity for that of a row.

    Returns:
        Real norms of shape (…,).

    Raises:
        TypeError: x is no array, or of half precision.
        ValueError: x has fewer than 2 dimensions, ord is another one, or there is nothing to take the
            greatest of.

    >>> ft.linalg.matrix_norm(ft.array([[3.0, 0.0], [0.0, 4.0]]), ord="nuc")
    array(7, dtype=float32)
    """
    return _matrix_norm("matrix_norm", as_matrix(x, "matrix_norm"), bool(keepdims), ord)


@streamed
def norm(
    x: Any, /, ord: Any = None, axis: Axis = None, keepdims: bool = False, *, stream: Any = None
) -> Array:
    """A norm of vectors or matrices, by the number of axes.

    Args:
        x: an array.
        ord: see `vector_norm` and `matrix_norm`. None is for 2, of all elements over `axis`.
        axis: of the vectors, or a pair of those of the matrices. None is for all elements if `ord` is None,
            and otherwise for x as one vector or one matrix.
        keepdims: whether the axes stay, with extent 1.

    Raises:
        TypeError: x is no array, or a matrix of half precision.
        ValueError: x is neither a vector nor a matrix and `axis` is None, there are more than two axes, or
            `ord` is another one.

    >>> ft.linalg.norm(ft.array([[3.0, 0.0], [0.0, 4.0]]), 1)
    array(4, dtype=float32)
    """
    x = to_inexact(as_array(x, "linalg.norm"))
    axes = normalize_axes("linalg.norm", axis, x.ndim)
    if ord is None:
        return _vector_norm("norm", x, axes, bool(keepdims), 2)
    if len(axes) == 1:
        return _vector_norm("norm", x, axes, bool(keepdims), ord)
    if len(axes) != 2:
        raise ValueError(
            f"linalg.norm: ord={ord!r} needs one axis or two, got {len(axes)} of an array of shape {x.shape}"
        )
    # The order of the axes tells rows from columns.
    rows, columns = axes if axis is None or isinstance(axis, int) else (a % x.ndim for a in axis)
    result = _matrix_norm("norm", as_matrix(moveaxis(x, (rows, columns), (-2, -1)), "norm"), False, ord)
    return reshape_to(result, kept_shape(x.shape, axes)) if keepdims else result
