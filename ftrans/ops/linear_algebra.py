"""Products of vectors and matrices, and diagonals. All products go to `dot_general`."""

from __future__ import annotations

from typing import Any

from .. import primitives as p
from .._native import Array, bool_, int32
from .manipulation import permute, slice_axis
from .operands import (
    AxisError,
    as_array,
    as_integer,
    broadcast,
    broadcast_operands,
    broadcast_shapes_of,
    constant_like,
    convert,
    normalize_axis,
    promote,
    reshape_to,
)
from .pointwise import conj
from .statistical import sum as sum_over
from .streams import streamed

__all__ = [
    "addmm",
    "cross",
    "diag",
    "diagflat",
    "diagonal",
    "dot",
    "inner",
    "kron",
    "matmul",
    "matrix_transpose",
    "outer",
    "tensordot",
    "trace",
    "vdot",
    "vecdot",
]

Axes = tuple[int, ...]


def dot_general(
    x1: Array, x2: Array, contracted: tuple[Axes, Axes], batch: tuple[Axes, Axes] = ((), ())
) -> Array:
    """The primitive, for operands of one dtype. Axes of the result: batch, free of x1, free of x2."""
    if x1.dtype is bool_:
        counts = dot_general(convert(x1, int32), convert(x2, int32), contracted, batch)
        return p.ne_p.bind(counts, constant_like(counts, 0))
    return p.dot_general_p.bind(x1, x2, dimension_numbers=(contracted, batch))


@streamed
def matmul(x1: Any, x2: Any, /, *, stream: Any = None) -> Array:
    """The matrix product over the last axis of `x1` and the second last of `x2`; other axes broadcast.

    Args:
        x1: (..., m, k) or (k,).
        x2: (..., k, n) or (k,).

    Returns:
        (..., m, n), without m or n where an operand is a vector.

    Raises:
        ValueError: an operand is 0-d or the shapes do not fit.

    >>> ft.matmul(ft.array([[1.0, 2.0]]), ft.array([3.0, 4.0]))
    array([11], dtype=float32)
    """
    x1, x2, _ = promote("matmul", x1, x2)
    if x1.ndim == 0 or x2.ndim == 0:
        raise ValueError(
            f"matmul: operands must have at least 1 dimension, got shapes {x1.shape} and {x2.shape}"
        )
    row = max(x2.ndim - 2, 0)  # the contracted axis of x2
    if x1.shape[-1] != x2.shape[row]:
        raise ValueError(
            f"matmul: axis {x1.ndim - 1} of x1, of shape {x1.shape}, and axis {row} of x2, of shape "
            f"{x2.shape}, must have one extent"
        )
    contracted = ((x1.ndim - 1,), (row,))
    if x2.ndim <= 2:
        return dot_general(x1, x2, contracted)
    if x1.ndim <= 2:  # the free axis of x1 comes first and belongs before that of x2
        out = dot_general(x1, x2, contracted)
        last = out.ndim - 1
        return out if x1.ndim == 1 else permute(out, (*range(1, last), 0, last))
    return _batched_matmul(x1, x2)


def _batched_matmul(x1: Array, x2: Array) -> Array:
    batch = broadcast_shapes_of("matmul", x1.shape[:-2], x2.shape[:-2])
    x1, x2 = broadcast(x1, (*batch, *x1.shape[-2:])), broadcast(x2, (*batch, *x2.shape[-2:]))
    axes = tuple(range(len(batch)))
    return dot_general(x1, x2, ((len(batch) + 1,), (len(batch),)), (axes, axes))


@streamed
def dot(x1: Any, x2: Any, /, *, stream: Any = None) -> Array:
    """The sum product over the last axis of `x1` and the second last of `x2`; the product, if either is 0-d.

    >>> ft.dot(ft.array([1.0, 2.0]), ft.array([3.0, 4.0]))
    array(11, dtype=float32)
    """
    x1, x2, _ = promote("dot", x1, x2)
    if x1.ndim == 0 or x2.ndim == 0:
        product = p.and_p if x1.dtype is bool_ else p.mul_p
        return product.bind(*broadcast_operands("dot", x1, x2))
    row = max(x2.ndim - 2, 0)
    if x1.shape[-1] != x2.shape[row]:
        raise ValueError(
            f"dot: axis {x1.ndim - 1} of x1 (shape {x1.shape}) and {row} of x2 (shape {x2.shape}) differ"
        )
    return dot_general(x1, x2, ((x1.ndim - 1,), (row,)))


@streamed
def inner(x1: Any, x2: Any, /, *, stream: Any = None) -> Array:
    """The sum product over the last axes.

    >>> ft.inner(ft.array([1.0, 2.0]), ft.array([3.0, 4.0]))
    array(11, dtype=float32)
    """
    x1, x2, _ = promote("inner", x1, x2)
    if x1.ndim == 0 or x2.ndim == 0:
        return dot(x1, x2)
    if x1.shape[-1] != x2.shape[-1]:
        raise ValueError(f"inner: the last axes of shapes {x1.shape} and {x2.shape} differ")
    return dot_general(x1, x2, ((x1.ndim - 1,), (x2.ndim - 1,)))


@streamed
def outer(x1: Any, x2: Any, /, *, stream: Any = None) -> Array:
    """The products of all pairs of elements of two vectors (others are flattened), of shape (n1, n2).

    >>> ft.outer(ft.array([1, 2]), ft.array([3, 4]))
    array([[3, 4],
           [6, 8]], dtype=int32)
    """
    x1, x2, dtype = promote("outer", x1, x2)
    shape = (x1.size, x2.size)
    column, row = (
        broadcast(reshape_to(x1, (x1.size, 1)), shape),
        broadcast(reshape_to(x2, (1, x2.size)), shape),
    )
    return (p.and_p if dtype is bool_ else p.mul_p).bind(column, row)


@streamed
def vecdot(x1: Any, x2: Any, /, *, axis: int = -1, stream: Any = None) -> Array:
    """The sum of conj(x1) * x2 along an axis, counted from the end (negative); the others broadcast.

    >>> ft.vecdot(ft.array([[1.0, 2.0], [0.0, 1.0]]), ft.array([3.0, 4.0]))
    array([11, 4], dtype=float32)
    """
    x1, x2, _ = promote("vecdot", x1, x2)
    x1, x2 = (_axis_to_end("vecdot", x, axis) for x in (x1, x2))
    if x1.shape[-1] != x2.shape[-1]:
        raise ValueError(f"vecdot: extents {x1.shape[-1]} and {x2.shape[-1]} along axis {axis} differ")
    shape = broadcast_shapes_of("vecdot", x1.shape, x2.shape)
    x1, x2 = broadcast(conj(x1), shape), broadcast(x2, shape)
    batch = tuple(range(len(shape) - 1))
    return dot_general(x1, x2, ((len(batch),), (len(batch),)), (batch, batch))


def _axis_to_end(function: str, x: Array, axis: int) -> Array:
    axis = normalize_axis(function, axis, x.ndim)
    return permute(x, (*[i for i in range(x.ndim) if i != axis], axis))


@streamed
def vdot(x1: Any, x2: Any, /, *, stream: Any = None) -> Array:
    """The sum of conj(x1) * x2 over all elements of the flattened arrays.

    >>> ft.vdot(ft.array([1.0, 2.0]), ft.array([3.0, 4.0]))
    array(11, dtype=float32)
    """
    x1, x2, _ = promote("vdot", x1, x2)
    return vecdot(reshape_to(x1, (x1.size,)), reshape_to(x2, (x2.size,)))


@streamed
def tensordot(x1: Any, x2: Any, /, axes: Any = 2, *, stream: Any = None) -> Array:
    """The sum product over several axes.

    Args:
        axes: how many of the last axes of `x1` and the first of `x2`, or the axes of each: ((…), (…)).

    >>> ft.tensordot(ft.ones((2, 3)), ft.ones((3, 4)), axes=1).shape
    (2, 4)
    """
    x1, x2, _ = promote("tensordot", x1, x2)
    if isinstance(axes, (tuple, list)):
        if len(axes) != 2:
            raise ValueError(f"tensordot: axes must be an integer or a pair, got {tuple(axes)}")
        first, second = (a if isinstance(a, (tuple, list)) else (a,) for a in axes)
        left = tuple(normalize_axis("tensordot", a, x1.ndim, "axes") for a in first)
        right = tuple(normalize_axis("tensordot", a, x2.ndim, "axes") for a in second)
    else:
        number = as_integer(axes, "tensordot", "axes")
        if not 0 <= number <= min(x1.ndim, x2.ndim):
            raise AxisError(
                f"tensordot: cannot contract axes={number} axes of arrays of shapes {x1.shape} and {x2.shape}"
            )
        left, right = tuple(range(x1.ndim - number, x1.ndim)), tuple(range(number))
    if [x1.shape[a] for a in left] != [x2.shape[a] for a in right]:
        raise ValueError(f"tensordot: axes {left} of shape {x1.shape} and {right} of shape {x2.shape} differ")
    return dot_general(x1, x2, (left, right))


@streamed
def addmm(c: Any, a: Any, b: Any, /, alpha: float = 1.0, beta: float = 1.0, *, stream: Any = None) -> Array:
    """Beta * c + alpha * (a @ b).

    >>> ft.addmm(ft.ones(1), ft.array([[2.0]]), ft.array([[3.0]]))
    array([[7]], dtype=float32)
    """
    product = matmul(a, b)
    scaled = product if alpha == 1.0 else p.mul_p.bind(product, constant_like(product, alpha))
    c, scaled, _ = promote("addmm", c, scaled, names=("c", "a @ b"))
    c = c if beta == 1.0 else p.mul_p.bind(c, constant_like(c, beta))
    return p.add_p.bind(*broadcast_operands("addmm", c, scaled))


@streamed
def kron(x1: Any, x2: Any, /, *, stream: Any = None) -> Array:
    """The Kronecker product: `x2` in place of each element of `x1`, times it.

    >>> ft.kron(ft.array([1, 2]), ft.array([3, 4]))
    array([3, 4, 6, 8], dtype=int32)
    """
    x1, x2, dtype = promote("kron", x1, x2)
    ndim = max(x1.ndim, x2.ndim)
    shape1, shape2 = ((1,) * (ndim - x.ndim) + x.shape for x in (x1, x2))
    x1 = reshape_to(x1, tuple(n for extent in shape1 for n in (extent, 1)))
    x2 = reshape_to(x2, tuple(n for extent in shape2 for n in (1, extent)))
    shape = tuple(n for pair in zip(shape1, shape2, strict=True) for n in pair)
    product = (p.and_p if dtype is bool_ else p.mul_p).bind(broadcast(x1, shape), broadcast(x2, shape))
    return reshape_to(product, tuple(a * b for a, b in zip(shape1, shape2, strict=True)))


@streamed
def cross(x1: Any, x2: Any, /, axis: int = -1, *, stream: Any = None) -> Array:
    """The cross product of 3-vectors along an axis.

    >>> ft.cross(ft.array([1, 0, 0]), ft.array([0, 1, 0]))
    array([0, 0, 1], dtype=int32)
    """
    x1, x2, _ = promote("cross", x1, x2)
    shape = broadcast_shapes_of("cross", x1.shape, x2.shape)
    axis = normalize_axis("cross", axis, len(shape))
    x1, x2 = broadcast(x1, shape), broadcast(x2, shape)
    if shape[axis] != 3:
        raise ValueError(f"cross: axis {axis} must have extent 3, got shape {shape}")

    def cycled(x: Array, by: int) -> Array:
        return p.concatenate_p.bind(slice_axis(x, axis, by, 3), slice_axis(x, axis, 0, by), axis=axis)

    return p.sub_p.bind(
        p.mul_p.bind(cycled(x1, 1), cycled(x2, 2)), p.mul_p.bind(cycled(x1, 2), cycled(x2, 1))
    )


@streamed
def matrix_transpose(x: Any, /, *, stream: Any = None) -> Array:
    """`x` (..., m, n) with its last two axes exchanged.

    >>> ft.matrix_transpose(ft.ones((2, 3))).shape
    (3, 2)
    """
    x = as_array(x, "matrix_transpose")
    if x.ndim < 2:
        raise ValueError(f"matrix_transpose: x must have at least 2 dimensions, got shape {x.shape}")
    n = x.ndim
    return permute(x, (*range(n - 2), n - 1, n - 2))


@streamed
def diagonal(x: Any, /, offset: int = 0, axis1: int = 0, axis2: int = 1, *, stream: Any = None) -> Array:
    """The diagonals of the matrices in two axes of `x`, along a new last axis.

    The axes are the first two unless others are given, as in NumPy and MLX; `ft.linalg.diagonal` takes the
    last two.

    Args:
        x: an array of at least two dimensions.
        offset: which diagonal: above the main one if positive, below if negative.
        axis1, axis2: the axes of rows and of columns.
        stream: the Stream or Device to run on.

    Raises:
        IndexError: an axis is out of range, or both are the same.

    >>> ft.diagonal(ft.array([[1, 2], [3, 4]]))
    array([1, 4], dtype=int32)
    """
    x = as_array(x, "diagonal")
    offset = as_integer(offset, "diagonal", "offset")
    a = normalize_axis("diagonal", axis1, x.ndim, "axis1")
    b = normalize_axis("diagonal", axis2, x.ndim, "axis2")
    if a == b:
        raise AxisError(f"diagonal: axis1 and axis2 must be different, got {axis1} and {axis2}")
    x = permute(x, (*[i for i in range(x.ndim) if i not in (a, b)], a, b))
    rows, columns = x.shape[-2:]
    row, column = max(-offset, 0), max(offset, 0)
    length = max(0, min(rows - row, columns - column))
    # In the flattened matrix the diagonal has a constant stride.
    outer_shape = x.shape[:-2]
    flat = reshape_to(x, (*outer_shape, rows * columns))
    if length == 0:
        start, stop = 0, 0
    else:
        start = row * columns + column
        stop = start + (length - 1) * (columns + 1) + 1
    n = len(outer_shape)
    return p.slice_p.bind(
        flat, start=(0,) * n + (start,), limit=(*outer_shape, stop), strides=(1,) * n + (columns + 1,)
    )


@streamed
def diag(x: Any, /, k: int = 0, *, stream: Any = None) -> Array:
    """The k-th diagonal of a matrix, or the matrix with a vector on its k-th diagonal.

    >>> ft.diag(ft.array([1, 2]))
    array([[1, 0],
           [0, 2]], dtype=int32)
    """
    x, k = as_array(x, "diag"), as_integer(k, "diag", "k")
    if x.ndim == 2:
        return diagonal(x, k)
    if x.ndim != 1:
        raise ValueError(f"diag: x must have 1 or 2 dimensions, got shape {x.shape}")
    n = x.shape[0]
    # Each element and n zeros: rows of n + 1, one too long, put the elements on the diagonal of rows of n.
    zero = constant_like(x, 0)
    spread = p.pad_p.bind(x, zero, low=(0,), high=(n,), interior=(n,))
    square = reshape_to(slice_axis(spread, 0, 0, n * n), (n, n))
    margin = abs(k)
    if not margin:
        return square
    low, high = (0, margin) if k > 0 else (margin, 0), (margin, 0) if k > 0 else (0, margin)
    return p.pad_p.bind(square, zero, low=low, high=high, interior=(0, 0))


@streamed
def diagflat(x: Any, /, k: int = 0, *, stream: Any = None) -> Array:
    """The matrix with the elements of `x` on its k-th diagonal.

    >>> ft.diagflat(ft.array([[1], [2]]))
    array([[1, 0],
           [0, 2]], dtype=int32)
    """
    x = as_array(x, "diagflat")
    return diag(reshape_to(x, (x.size,)), k)


@streamed
def trace(
    x: Any, /, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, *, stream: Any = None
) -> Array:
    """The sum of each diagonal of the matrices in two axes of `x`.

    The axes are the first two unless others are given, as in NumPy and MLX; `ft.linalg.trace` takes the last
    two.

    Args:
        x: an array of at least two dimensions.
        offset, axis1, axis2: as in `diagonal`.
        dtype: of the sum; by default as `sum` has it.
        stream: the Stream or Device to run on.

    Raises:
        IndexError: an axis is out of range, or both are the same.

    >>> ft.trace(ft.array([[1, 2], [3, 4]]))
    array(5, dtype=int32)
    """
    return sum_over(diagonal(x, offset, axis1, axis2), axis=-1, dtype=dtype)
