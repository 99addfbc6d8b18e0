"""What the primitives of linear algebra share: matrices in the last two axes, all axes before are a batch.

Derivative rules are written in the adjoints of the literature, ⟨g, t⟩ = Re tr(gᴴ·t). Cotangents pair without
conjugation, Re Σ c·t, so c = conj(g): rules conjugate what comes in and what goes out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .._native import Array, Dtype, int32
from ..core.avals import ShapedArray, shaped_array
from ..core.primitive import Primitive
from ._helpers import FLOATING_OR_COMPLEX, check_kind, constant_like
from .conversion import convert
from .elementwise import add, conj_p, eq_p, ge_p, gt_p, le_p, mul, real_p, select, sub
from .layout import batch_first, broadcast_in_dim, reduce_sum, transpose
from .matmul import dot_general_p
from .shape import iota_p, pad_p

# ---------------------------------------------------------------- shapes and dtypes


def check_matrix(name: str, x: ShapedArray, operand: str = "the operand") -> None:
    """Raise TypeError or ValueError unless these are matrices of a dtype that LAPACK has."""
    check_kind(name, x, FLOATING_OR_COMPLEX, operand)
    if x.dtype.itemsize < 4:
        raise TypeError(
            f"{name}: {operand} has dtype {x.dtype}, expected float32, float64, complex64 or complex128; "
            "convert it first"
        )
    if x.ndim < 2:
        raise ValueError(f"{name}: {operand} must have at least 2 dimensions, got shape {x.shape}")


def check_square(name: str, x: ShapedArray, operand: str = "the operand") -> None:
    """`check_matrix`, and ValueError unless the matrices are square."""
    check_matrix(name, x, operand)
    if x.shape[-1] != x.shape[-2]:
        raise ValueError(f"{name}: the matrices of {operand} must be square, got shape {x.shape}")


def matrix_aval(x: ShapedArray, *extents: int, dtype: Dtype | None = None) -> ShapedArray:
    """The aval of one array of `extents` for each matrix of `x`."""
    return shaped_array((*x.shape[:-2], *extents), dtype or x.dtype)


def batch_in_front(primitive: Primitive, args, dims, size, **parameters):
    """The batching rule of all of them: the batch dimension of every operand comes before its others."""
    operands = [batch_first(x, d, size) for x, d in zip(args, dims, strict=True)]
    outs = primitive.bind(*operands, **parameters)
    return outs, [0] * len(outs) if primitive.multiple_results else 0


def for_each_matrix(function: Callable[..., Any], *operands: np.ndarray) -> list[np.ndarray]:
    """The tuples of ndarrays that `function` makes of the matrices of each batch index, stacked."""
    batch = operands[0].shape[:-2]
    indices = list(np.ndindex(*batch)) or [None]
    if indices == [None]:  # an empty batch: the shapes come from matrices of ones
        outs = function(*[np.eye(*x.shape[-2:], dtype=x.dtype) for x in operands])
        return [np.empty((*batch, *np.shape(out)), np.asarray(out).dtype) for out in outs]
    with np.errstate(all="ignore"):
        results = [function(*[x[index] for x in operands]) for index in indices]
    return [np.stack(outs).reshape(*batch, *outs[0].shape) for outs in zip(*results, strict=True)]


# ---------------------------------------------------------------- matrix arithmetic


def transposed(x: Array) -> Array:
    """The matrices transposed."""
    n = x.ndim
    return transpose(x, (*range(n - 2), n - 1, n - 2))


def conj(x: Array) -> Array:
    """The complex conjugate; `x` itself if it is real."""
    return conj_p.bind(x) if x.dtype.kind == "c" else x


def adjoint(x: Array) -> Array:
    """The conjugate transposes."""
    return conj(transposed(x))


def real(x: Array) -> Array:
    """The real part; `x` itself if it is real."""
    return real_p.bind(x) if x.dtype.kind == "c" else x


def hermitian(x: Array) -> Array:
    """The Hermitian part (x + xᴴ)/2."""
    return mul(add(x, adjoint(x)), 0.5)


def skew(x: Array) -> Array:
    """The skew-Hermitian part (x - xᴴ)/2."""
    return mul(sub(x, adjoint(x)), 0.5)


def matmul(x: Array, y: Array) -> Array:
    """The matrix products."""
    n = x.ndim
    batch = tuple(range(n - 2))
    return dot_general_p.bind(x, y, dimension_numbers=(((n - 1,), (n - 2,)), (batch, batch)))


def resized(x: Array, rows: int, columns: int) -> Array:
    """The matrices with as many rows and columns: cut off, or filled with zeros."""
    if x.shape[-2:] == (rows, columns):
        return x
    none = (0,) * x.ndim
    high = (*none[2:], rows - x.shape[-2], columns - x.shape[-1])
    return pad_p.bind(x, constant_like(x, 0), low=none, high=high, interior=none)


def columns_from(x: Array, start: int) -> Array:
    """The columns from `start` on."""
    none = (0,) * x.ndim
    return pad_p.bind(x, constant_like(x, 0), low=(*none[1:], -start), high=none, interior=none)


def as_rows(v: Array, shape: tuple[int, ...]) -> Array:
    """The vectors v[..., j] as the rows of matrices of `shape`, all alike."""
    return broadcast_in_dim(v, shape, (*range(len(shape) - 2), len(shape) - 1))


def as_columns(v: Array, shape: tuple[int, ...]) -> Array:
    """The vectors v[..., i] as the columns of matrices of `shape`, all alike."""
    return broadcast_in_dim(v, shape, tuple(range(len(shape) - 1)))


# ---------------------------------------------------------------- triangles and diagonals


def _rows_and_columns(shape: tuple[int, ...]) -> tuple[Array, Array]:
    rows, columns = (iota_p.bind(shape=shape, dtype=int32, dimension=len(shape) - i) for i in (2, 1))
    return rows, columns


def on_diagonal(shape: tuple[int, ...]) -> Array:
    """Where the diagonals of matrices are."""
    return eq_p.bind(*_rows_and_columns(shape))


def tril(x: Array) -> Array:
    """The lower triangles with the diagonals."""
    return select(ge_p.bind(*_rows_and_columns(x.shape)), x, 0)


def strict_tril(x: Array) -> Array:
    """The lower triangles without the diagonals."""
    return select(gt_p.bind(*_rows_and_columns(x.shape)), x, 0)


def triu(x: Array) -> Array:
    """The upper triangles with the diagonals."""
    return select(le_p.bind(*_rows_and_columns(x.shape)), x, 0)


def diagonal(x: Array) -> Array:
    """The diagonals of square matrices, along the last axis."""
    return reduce_sum(select(on_diagonal(x.shape), x, 0), (x.ndim - 1,))


def diagonal_matrix(v: Array) -> Array:
    """The square matrices with these diagonals."""
    shape = (*v.shape, v.shape[-1])
    return select(on_diagonal(shape), as_rows(v, shape), 0)


def identity(x: Array, n: int) -> Array:
    """Identity matrices for the batch and dtype of `x`."""
    shape = (*x.shape[:-2], n, n)
    return convert(on_diagonal(shape), x.dtype)


def total(terms: Sequence[Array | None]) -> Array | None:
    """The sum of the terms that there are."""
    result: Array | None = None
    for term in terms:
        if term is not None:
            result = term if result is None else add(result, term)
    return result
