"""Matrix products that gather, mask or segment their operands, or have vectors among them."""

from __future__ import annotations

import math
from typing import Any

from .. import primitives as p
from .._native import Array, bool_
from .creation import iota
from .linear_algebra import matmul
from .manipulation import slice_axis
from .operands import (
    as_array,
    as_integer,
    broadcast,
    broadcast_shapes_of,
    constant_like,
    convert,
    promote,
    require_kinds,
    reshape_to,
)
from .promotion import inexact_dtype
from .repeating import repeat
from .streams import streamed
from .taking import take

__all__ = ["block_masked_mm", "gather_mm", "matvec", "segmented_mm", "vecmat"]


def _matrices(function: str, a: Any, b: Any) -> tuple[Array, Array]:
    a, b, _ = promote(function, a, b, inexact_dtype)
    if a.ndim < 2 or b.ndim < 2 or a.shape[-1] != b.shape[-2]:
        raise ValueError(
            f"{function}: operands must be matrices (..., m, k) and (..., k, n), got shapes {a.shape} and "
            f"{b.shape}"
        )
    return a, b


def _masked(function: str, argument: str, x: Array, mask: Any, block_size: int) -> Array:
    """`x` with its blocks multiplied by the elements of a mask, or set to zero where a bool mask is false."""
    if mask is None:
        return x
    mask = as_array(mask, function, argument)
    rows, columns = x.shape[-2:]
    blocks = (-(-rows // block_size), -(-columns // block_size))
    if mask.ndim < 2 or mask.shape[-2:] != blocks:
        raise ValueError(
            f"{function}: {argument} must have shape (..., {blocks[0]}, {blocks[1]}) for matrices of shape "
            f"{x.shape[-2:]} and blocks of {block_size}, got {mask.shape}"
        )
    for axis, extent in ((-2, rows), (-1, columns)):
        mask = slice_axis(repeat(mask, block_size, axis=axis), mask.ndim + axis, 0, extent)
    shape = broadcast_shapes_of(function, x.shape, mask.shape)
    x, mask = broadcast(x, shape), broadcast(mask, shape)
    if mask.dtype is bool_:
        return p.select_p.bind(mask, x, constant_like(x, 0))
    return p.mul_p.bind(x, convert(mask, x.dtype))


@streamed
def block_masked_mm(
    a: Any,
    b: Any,
    /,
    block_size: int = 64,
    mask_out: Any = None,
    mask_lhs: Any = None,
    mask_rhs: Any = None,
    *,
    stream: Any = None,
) -> Array:
    """The matrix product of `a` (..., m, k) and `b` (..., k, n), blocks of which are masked.

    Args:
        block_size: of the square blocks that an element of a mask stands for; the last ones may be cut off.
        mask_out, mask_lhs, mask_rhs: masks of the result, of `a` and of `b`: for r rows and c columns,
            (..., ceil(r / block_size), ceil(c / block_size)). Where a bool is false there are zeros; numbers
            multiply.

    Raises:
        ValueError: the shapes do not fit.

    >>> lower = ft.tri(2, dtype=ft.bool)
    >>> ft.block_masked_mm(ft.ones((2, 2)), ft.ones((2, 2)), 1, mask_lhs=lower)
    array([[1, 1],
           [2, 2]], dtype=float32)
    """
    block_size = as_integer(block_size, "block_masked_mm", "block_size", least=1)
    a, b = _matrices("block_masked_mm", a, b)
    a = _masked("block_masked_mm", "mask_lhs", a, mask_lhs, block_size)
    b = _masked("block_masked_mm", "mask_rhs", b, mask_rhs, block_size)
    return _masked("block_masked_mm", "mask_out", matmul(a, b), mask_out, block_size)


@streamed
def gather_mm(
    a: Any,
    b: Any,
    /,
    lhs_indices: Any = None,
    rhs_indices: Any = None,
    *,
    sorted_indices: bool = False,
    stream: Any = None,
) -> Array:
    """The products of matrices that are picked from the batches `a` (..., m, k) and `b` (..., k, n).

    Args:
        lhs_indices, rhs_indices: flat indices into all but the last two axes of `a` and `b`; they broadcast.
            None takes the batch as it is.
        sorted_indices: a promise that is accepted for code written for MLX; nothing depends on it.

    Returns:
        (*indices, m, n).

    >>> ft.gather_mm(ft.ones((1, 2)), ft.ones((3, 2, 1)), rhs_indices=ft.array([2, 0])).shape
    (2, 1, 1)
    """
    a, b = _matrices("gather_mm", a, b)
    picked = []
    for x, indices, argument in ((a, lhs_indices, "lhs_indices"), (b, rhs_indices, "rhs_indices")):
        if indices is None:
            picked.append(x)
            continue
        indices = as_array(indices, "gather_mm", argument)
        require_kinds("gather_mm", indices, "iu", "an integer", argument)
        picked.append(take(reshape_to(x, (math.prod(x.shape[:-2]), *x.shape[-2:])), indices, axis=0))
    return matmul(*picked)


@streamed
def segmented_mm(a: Any, b: Any, /, segments: Any, *, stream: Any = None) -> Array:
    """The matrix products of `a` (m, k) and `b` (k, n) over segments of the axis that is summed.

    Args:
        segments: (..., 2) integers: the start of each segment, and its end, which is not included.

    Returns:
        (..., m, n).

    >>> ft.segmented_mm(ft.ones((1, 4)), ft.ones((4, 1)), ft.array([[0, 3], [3, 4]]))[:, 0, 0]
    array([3, 1], dtype=float32)
    """
    a, b = _matrices("segmented_mm", a, b)
    segments = as_array(segments, "segmented_mm", "segments")
    require_kinds("segmented_mm", segments, "iu", "an integer", "segments")
    if a.ndim != 2 or b.ndim != 2 or segments.ndim == 0 or segments.shape[-1] != 2:
        raise ValueError(
            "segmented_mm: a and b must have 2 dimensions and segments shape (..., 2), got shapes "
            f"{a.shape}, {b.shape} and {segments.shape}"
        )
    outer = segments.shape[:-1]
    last = segments.ndim - 1
    shape = (*outer, 1, a.shape[1])
    start, end = (
        broadcast(reshape_to(slice_axis(segments, last, i, i + 1), (*outer, 1, 1)), shape) for i in (0, 1)
    )
    position = broadcast(convert(iota(a.shape[1]), segments.dtype), shape)
    inside = p.and_p.bind(p.ge_p.bind(position, start), p.lt_p.bind(position, end))
    full = (*outer, *a.shape)
    return matmul(p.select_p.bind(broadcast(inside, full), broadcast(a, full), constant_like(a, 0)), b)


@streamed
def matvec(x1: Any, x2: Any, /, *, stream: Any = None) -> Array:
    """The products of matrices (..., m, n) and vectors (..., n); the other axes broadcast.

    >>> ft.matvec(ft.array([[1.0, 2.0]]), ft.array([3.0, 4.0]))
    array([11], dtype=float32)
    """
    x1, x2, _ = promote("matvec", x1, x2)
    if x1.ndim < 2 or x2.ndim < 1 or x1.shape[-1] != x2.shape[-1]:
        raise ValueError(
            f"matvec: operands must have shapes (..., m, n) and (..., n), got {x1.shape} and {x2.shape}"
        )
    product = matmul(x1, reshape_to(x2, (*x2.shape, 1)))
    return reshape_to(product, product.shape[:-1])


@streamed
def vecmat(x1: Any, x2: Any, /, *, stream: Any = None) -> Array:
    """The products of conjugated vectors (..., m) and matrices (..., m, n); the other axes broadcast.

    >>> ft.vecmat(ft.array([3.0, 4.0]), ft.array([[1.0], [2.0]]))
    array([11], dtype=float32)
    """
    x1, x2, _ = promote("vecmat", x1, x2)
    if x1.ndim < 1 or x2.ndim < 2 or x1.shape[-1] != x2.shape[-2]:
        raise ValueError(
            f"vecmat: operands must have shapes (..., m) and (..., m, n), got {x1.shape} and {x2.shape}"
        )
    row = p.conj_p.bind(x1) if x1.dtype.kind == "c" else x1
    product = matmul(reshape_to(row, (*x1.shape[:-1], 1, x1.shape[-1])), x2)
    return reshape_to(product, (*product.shape[:-2], product.shape[-1]))
