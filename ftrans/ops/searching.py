"""Searching: the array API standard's functions, and sets of unique values."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import primitives as p
from .._native import Array, bool_, int32, uint8
from ..core.errors import ConcretizationError
from ..core.primitive import Primitive
from ..interop import asarray
from ._gather import take_along
from .creation import iota
from .operands import (
    as_array,
    as_integer,
    broadcast,
    constant_like,
    convert,
    normalize_axis,
    promote,
    require_kinds,
    reshape_to,
)
from .pointwise import to_bool
from .streams import streamed

__all__ = [
    "argmax",
    "argmin",
    "argwhere",
    "flatnonzero",
    "nonzero",
    "searchsorted",
]


def _arg_extreme(function: str, primitive: Primitive, x: Any, axis: int | None, keepdims: bool) -> Array:
    x = as_array(x, function)
    require_kinds(function, x, "biuf", "a real")
    shape = x.shape
    if axis is None:
        x, axis, kept = reshape_to(x, (x.size,)), 0, (1,) * len(shape)
    else:
        axis = normalize_axis(function, axis, x.ndim)
        kept = tuple(1 if i == axis else extent for i, extent in enumerate(shape))
    if x.shape[axis] == 0:
        raise ValueError(f"{function}: no elements along axis {axis} of an array of shape {shape}")
    out = primitive.bind(convert(x, uint8) if x.dtype is bool_ else x, axis=axis)
    return reshape_to(out, kept) if keepdims else out


@streamed
def argmax(x: Any, /, axis: int | None = None, keepdims: bool = False, *, stream: Any = None) -> Array:
    """The int32 index of the first greatest element along an axis (in the flattened array if None).

    >>> ft.argmax(ft.array([1, 5, 3]))
    array(1, dtype=int32)
    """
    return _arg_extreme("argmax", p.argmax_p, x, axis, keepdims)


@streamed
def argmin(x: Any, /, axis: int | None = None, keepdims: bool = False, *, stream: Any = None) -> Array:
    """The int32 index of the first least element along an axis (in the flattened array if None).

    >>> ft.argmin(ft.array([4, 1, 3]))
    array(1, dtype=int32)
    """
    return _arg_extreme("argmin", p.argmin_p, x, axis, keepdims)


def host_values(
    x: Array, function: str, way_out: str, argument: str = "x", what: str = "the shape of the result"
) -> np.ndarray:
    """The values of an argument, for a function that cannot do without them."""
    try:
        return np.asarray(x)
    except ConcretizationError as error:
        raise ConcretizationError(
            f"{function}: {what} depends on the values of {argument}, which a transformation traces; "
            f"{way_out}"
        ) from error


@streamed
def nonzero(
    x: Any, /, *, size: int | None = None, fill_value: int = 0, stream: Any = None
) -> tuple[Array, ...]:
    """The int32 indices of the non-zero elements, one vector for each axis, in row-major order.

    Args:
        size: how many indices to return; must be given under `jit` and `vmap`, where the number is not known.
            Missing ones are `fill_value`, surplus ones are dropped.

    Raises:
        ValueError: `x` has no axes.
        ConcretizationError: `x` has no values yet and `size` is not given.

    >>> ft.nonzero(ft.array([0, 3, 4]))
    (array([1, 2], dtype=int32),)
    """
    return _nonzero("nonzero", as_array(x, "nonzero"), size, fill_value)


def _nonzero(function: str, x: Array, size: int | None, fill_value: Any) -> tuple[Array, ...]:
    if not x.ndim:
        raise ValueError(f"{function}: x must have at least 1 dimension, got a 0-d array")
    mask = to_bool(x)
    if size is None:
        way_out = f"give size=, how many indices to return: ft.{function}(x, size=n)"
        found = np.nonzero(host_values(mask, function, way_out))
        return tuple(asarray(indices.astype(np.int32)) for indices in found)
    flat = reshape_to(mask, (mask.size,))
    ranks = p.cumsum_p.bind(convert(flat, int32), axis=0, reverse=False)
    wanted = iota(as_integer(size, function, "size", least=0))
    fill_value = as_integer(fill_value, function, "fill_value")
    position = count_below(ranks, wanted, inclusive=True)
    missing = p.ge_p.bind(position, constant_like(position, mask.size))
    results = []
    for extent in reversed(x.shape):
        unit = constant_like(position, max(extent, 1))
        index = p.remainder_p.bind(position, unit)
        results.append(p.select_p.bind(missing, constant_like(index, fill_value), index))
        position = p.floor_divide_p.bind(position, unit)
    return tuple(reversed(results))


@streamed
def flatnonzero(x: Any, /, *, size: int | None = None, fill_value: int = 0, stream: Any = None) -> Array:
    """`nonzero` of the flattened array.

    >>> ft.flatnonzero(ft.array([[0, 3], [4, 0]]))
    array([1, 2], dtype=int32)
    """
    x = as_array(x, "flatnonzero")
    return _nonzero("flatnonzero", reshape_to(x, (x.size,)), size, fill_value)[0]


@streamed
def argwhere(x: Any, /, *, size: int | None = None, fill_value: int = 0, stream: Any = None) -> Array:
    """The indices of the non-zero elements, one row each.

    >>> ft.argwhere(ft.array([[0, 3], [4, 0]]))
    array([[0, 1],
           [1, 0]], dtype=int32)
    """
    found = _nonzero("argwhere", as_array(x, "argwhere"), size, fill_value)
    columns = [reshape_to(i, (i.size, 1)) for i in found]
    return p.concatenate_p.bind(*columns, axis=1) if len(columns) > 1 else columns[0]


def count_below(ordered: Array, values: Array, inclusive: bool) -> Array:
    """For each value, how many elements of the sorted vector are below it (or equal, if `inclusive`)."""
    n = ordered.shape[0]
    low = broadcast(asarray(0, dtype=int32), values.shape)
    high = broadcast(asarray(n, dtype=int32), values.shape)
    compare = p.le_p if inclusive else p.lt_p
    for _ in range(n.bit_length()):
        middle = p.shift_right_p.bind(p.add_p.bind(low, high), constant_like(low, 1))
        at_middle = take_along(ordered, middle, 0, "clip")
        open_ = p.lt_p.bind(low, high)
        right = p.and_p.bind(open_, compare.bind(at_middle, values))
        next_low = p.add_p.bind(middle, constant_like(middle, 1))
        low, high = (
            p.select_p.bind(right, next_low, low),
            p.select_p.bind(p.and_p.bind(open_, p.not_p.bind(right)), middle, high),
        )
    if values.dtype.kind != "f":
        return low
    # NaN, which compares with nothing, is behind all numbers.
    numbers = p.not_p.bind(p.is_nan_p.bind(ordered))
    total = constant_like(low, n) if inclusive else p.reduce_sum_p.bind(convert(numbers, int32), axes=(0,))
    return p.select_p.bind(p.is_nan_p.bind(values), broadcast(total, low.shape), low)


@streamed
def searchsorted(x1: Any, x2: Any, /, side: str = "left", sorter: Any = None, *, stream: Any = None) -> Array:
    """Where to insert the elements of `x2` into the sorted vector `x1` to keep it sorted, int32.

    Args:
        side: "left" inserts before equal elements, "right" behind them.
        sorter: indices that sort `x1`, if it is not sorted.

    >>> ft.searchsorted(ft.array([1, 3, 5]), ft.array([3, 4]))
    array([1, 2], dtype=int32)
    """
    if side not in ("left", "right"):
        raise ValueError(f"searchsorted: side must be 'left' or 'right', got {side!r}")
    x1, x2, _ = promote("searchsorted", x1, x2)
    if x1.ndim != 1:
        raise ValueError(f"searchsorted: x1 must have 1 dimension, got shape {x1.shape}")
    require_kinds("searchsorted", x1, "biuf", "a real", "x1")
    if sorter is not None:
        sorter = as_array(sorter, "searchsorted", "sorter")
        require_kinds("searchsorted", sorter, "iu", "an integer", "sorter")
        if sorter.shape != x1.shape:
            raise ValueError(f"searchsorted: sorter must have x1's shape {x1.shape}, got {sorter.shape}")
        x1 = take_along(x1, convert(sorter, int32), 0, "clip")
    return count_below(x1, x2, side == "right")
