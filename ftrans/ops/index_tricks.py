"""Arrays of indices, and from indices to flat positions and back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import primitives as p
from .._native import Array, Dtype, int32
from ..interop import asarray
from . import elementwise, pointwise
from .creation import iota
from .joining import stack
from .operands import (
    as_array,
    as_arrays,
    as_integer,
    broadcast,
    constant_like,
    convert,
    normalize_shape,
    require_kinds,
    reshape_to,
)
from .promotion import as_dtype
from .searching import host_values
from .streams import streamed

__all__ = [
    "diag_indices",
    "indices",
    "ix_",
    "ravel_multi_index",
    "tril_indices",
    "triu_indices",
    "unravel_index",
]


@streamed
def indices(
    dimensions: Any, /, *, dtype: Any = None, sparse: bool = False, stream: Any = None
) -> Array | tuple[Array, ...]:
    """For each axis of a shape, the index along it at every position.

    Args:
        dimensions: the shape.
        dtype: int32 by default.
        sparse: whether the arrays have extent 1 along the other axes.

    Returns:
        An array (ndim, *dimensions), or a tuple of arrays if `sparse`.

    >>> ft.indices((2, 2))[1]
    array([[0, 1],
           [0, 1]], dtype=int32)
    """
    shape = normalize_shape("indices", dimensions, "dimensions")
    result: Dtype = int32 if dtype is None else as_dtype(dtype, "indices")
    n = len(shape)
    along = [
        reshape_to(iota(extent, result), tuple(extent if i == axis else 1 for i in range(n)))
        for axis, extent in enumerate(shape)
    ]
    if sparse:
        return tuple(along)
    if not along:
        return broadcast(constant_like(iota(0, result), 0), (0,))
    return stack([broadcast(x, shape) for x in along])


@streamed
def ix_(*arrays: Any, stream: Any = None) -> tuple[Array, ...]:
    """Vectors of indices as arrays that broadcast to their grid: x[ft.ix_(i, j)] is rows i and columns j.

    Args:
        arrays: vectors of integers, or of bools, whose values must be known.

    >>> ft.ones((4, 4))[ft.ix_(ft.array([0, 2]), ft.array([1, 2, 3]))].shape
    (2, 3)
    """
    vectors = []
    for i, x in enumerate(as_arrays(arrays, "ix_")):
        require_kinds("ix_", x, "biu", "an integer or bool", f"arrays[{i}]")
        if x.ndim != 1:
            raise ValueError(f"ix_: arrays[{i}] must have 1 dimension, got shape {x.shape}")
        vectors.append(asarray(np.flatnonzero(np.asarray(x)).astype(np.int32)) if x.dtype.kind == "b" else x)
    n = len(vectors)
    return tuple(
        reshape_to(x, tuple(x.size if i == axis else 1 for i in range(n))) for axis, x in enumerate(vectors)
    )


def _triangle(function: str, n: Any, k: Any, m: Any, lower: bool) -> tuple[Array, Array]:
    rows = as_integer(n, function, "n", least=0)
    columns = rows if m is None else as_integer(m, function, "m", least=0)
    k = as_integer(k, function, "k")
    found = np.nonzero(np.tri(rows, columns, k if lower else k - 1, dtype=bool) == lower)
    first, second = (asarray(i.astype(np.int32)) for i in found)
    return first, second


@streamed
def tril_indices(n: int, k: int = 0, m: int | None = None, *, stream: Any = None) -> tuple[Array, Array]:
    """The rows and columns of the elements of an (n, m) matrix on and below its k-th diagonal.

    Args:
        m: as many columns as rows by default.

    >>> ft.tril_indices(2)
    (array([0, 1, 1], dtype=int32), array([0, 0, 1], dtype=int32))
    """
    return _triangle("tril_indices", n, k, m, True)


@streamed
def triu_indices(n: int, k: int = 0, m: int | None = None, *, stream: Any = None) -> tuple[Array, Array]:
    """The rows and columns of the elements of an (n, m) matrix on and above its k-th diagonal.

    Args:
        m: as many columns as rows by default.

    >>> ft.triu_indices(2)
    (array([0, 0, 1], dtype=int32), array([0, 1, 1], dtype=int32))
    """
    return _triangle("triu_indices", n, k, m, False)


@streamed
def diag_indices(n: int, ndim: int = 2, *, stream: Any = None) -> tuple[Array, ...]:
    """The indices of the main diagonal of an array of `ndim` axes of extent n.

    >>> ft.diag_indices(2)
    (array([0, 1], dtype=int32), array([0, 1], dtype=int32))
    """
    n = as_integer(n, "diag_indices", "n", least=0)
    return (iota(n),) * as_integer(ndim, "diag_indices", "ndim", least=0)


@streamed
def ravel_multi_index(
    multi_index: Any, dimensions: Any, /, *, mode: str = "raise", stream: Any = None
) -> Array:
    """The positions in a flattened array of these shape's elements with these indices.

    Args:
        multi_index: an integer array for each axis; they broadcast.
        dimensions: the shape.
        mode: for indices out of range: "raise" an error, which needs the values and so does not work under
            `jit` and `vmap`; "clip" them, or "wrap" them around.

    Raises:
        ValueError: an index is out of range, or their number differs from that of the axes.

    >>> ft.ravel_multi_index((ft.array([0, 1]), ft.array([2, 0])), (2, 3))
    array([2, 3], dtype=int32)
    """
    shape = normalize_shape("ravel_multi_index", dimensions, "dimensions")
    arrays = as_arrays(multi_index, "ravel_multi_index", "multi_index")
    if mode not in ("raise", "clip", "wrap"):
        raise ValueError(f"ravel_multi_index: mode must be raise, clip or wrap; got {mode!r}")
    if len(arrays) != len(shape) or not arrays:
        raise ValueError(f"ravel_multi_index: got {len(arrays)} index arrays for {len(shape)} dimensions")
    position = constant_like(arrays[0], 0)
    for i, (index, extent) in enumerate(zip(arrays, shape, strict=True)):
        require_kinds("ravel_multi_index", index, "iu", "an integer", f"multi_index[{i}]")
        if mode == "raise":
            _check_indices("ravel_multi_index", f"multi_index[{i}]", index, extent)
        elif mode == "clip":
            index = pointwise.clip(index, 0, max(extent - 1, 0))
        else:
            index = elementwise.remainder(index, max(extent, 1))
        position = convert(position, int32) * extent + convert(index, int32)
    return position


def _check_indices(function: str, argument: str, index: Array, extent: int) -> None:
    values = host_values(index, function, "give mode='clip' or mode='wrap'", argument, "whether to raise")
    if values.size and not 0 <= values.min() <= values.max() < extent:
        raise ValueError(
            f"{function}: {argument} must be between 0 and {extent - 1}, got {values.min()} … {values.max()}"
        )


@streamed
def unravel_index(x: Any, shape: Any, /, *, stream: Any = None) -> tuple[Array, ...]:
    """The indices, along each axis of an array of `shape`, of flat positions.

    Args:
        x: integers; negative ones count from the end, those out of range are clipped.

    >>> ft.unravel_index(ft.array([2, 3]), (2, 3))
    (array([0, 1], dtype=int32), array([2, 0], dtype=int32))
    """
    shape = normalize_shape("unravel_index", shape)
    x = as_array(x, "unravel_index")
    require_kinds("unravel_index", x, "iu", "an integer")
    size = math.prod(shape)
    x = convert(x, int32)
    x = pointwise.clip(pointwise.where(x < 0, x + size, x), 0, max(size - 1, 0))
    found = []
    for extent in reversed(shape):
        unit = constant_like(x, max(extent, 1))
        found.append(p.remainder_p.bind(x, unit))
        x = p.floor_divide_p.bind(x, unit)
    return tuple(reversed(found))
