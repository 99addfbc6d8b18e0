"""Windows of arrays: at traced positions, and with strides of one's own."""

from __future__ import annotations

import math
from typing import Any

from .. import primitives as p
from .._native import Array, int32, int64
from ..interop import asarray
from ._gather import nothing, take_along
from .creation import iota
from .manipulation import slice_axis
from .operands import (
    as_array,
    as_dtype_array,
    as_integers,
    broadcast,
    convert,
    normalize_axis,
    normalize_shape,
    require_kinds,
    reshape_to,
)
from .streams import streamed

__all__ = ["as_strided", "contiguous", "slice", "slice_update"]


def _start(function: str, x: Array, start_indices: Any, axes: Any) -> Array:
    """The start along every axis of `x`, 0 along those that are not named."""
    if not isinstance(axes, (tuple, list)):
        axes = (axes,)
    named = [normalize_axis(function, a, x.ndim, "axes") for a in axes]
    if len(set(named)) < len(named):
        raise ValueError(f"{function}: axes must be different, got {tuple(axes)}")
    if isinstance(start_indices, (tuple, list)):
        start_indices = asarray(start_indices, dtype=int32)
    starts = as_array(start_indices, function, "start_indices")
    require_kinds(function, starts, "iu", "an integer", "start_indices")
    starts = reshape_to(starts, (starts.size,))
    if starts.size != len(named):
        raise ValueError(f"{function}: got {starts.size} start_indices for {len(named)} axes")
    start = broadcast(asarray(0, dtype=int32), (x.ndim,))
    return start.at[asarray(named, dtype=int32)].set(convert(starts, int32)) if named else start


@streamed
def slice(x: Any, start_indices: Any, /, axes: Any, slice_size: Any, *, stream: Any = None) -> Array:
    """A window of `x` at a position that may be traced; at a known one, ``x[a:b]`` does.

    Args:
        start_indices: an integer for each of `axes`. The window is moved to lie inside of `x`.
        axes: the axes along which the window starts there; along the others it starts at 0.
        slice_size: the shape of the window.

    Raises:
        ValueError: the window is larger than `x`, or there is another number of starts than of axes.

    >>> x = ft.array([[1, 2, 3], [4, 5, 6]])
    >>> ft.slice(x, ft.array(1), axes=(0,), slice_size=(1, 2))
    array([[4, 5]], dtype=int32)
    """
    x = as_array(x, "slice")
    sizes = normalize_shape("slice", slice_size, "slice_size")
    if len(sizes) != x.ndim or any(s > extent for s, extent in zip(sizes, x.shape, strict=False)):
        raise ValueError(f"slice: slice_size must fit in x's shape {x.shape}, got {sizes}")
    return p.dynamic_slice_p.bind(x, _start("slice", x, start_indices, axes), slice_sizes=sizes)


@streamed
def slice_update(x: Any, update: Any, start_indices: Any, /, axes: Any, *, stream: Any = None) -> Array:
    """A copy of `x` with a window, at a position that may be traced, replaced by `update`.

    Args:
        update: the window, of `x`'s number of axes.
        start_indices, axes: as of `slice`.

    Raises:
        ValueError: the window is larger than `x`, or there is another number of starts than of axes.

    >>> ft.slice_update(ft.zeros(4), ft.ones(2), ft.array(1), axes=(0,))
    array([0, 1, 1, 0], dtype=float32)
    """
    x = as_array(x, "slice_update")
    update = as_dtype_array(update, x.dtype, "slice_update", "update")
    if update.ndim != x.ndim or any(u > n for u, n in zip(update.shape, x.shape, strict=True)):
        raise ValueError(f"slice_update: update must fit in x's shape {x.shape}, got shape {update.shape}")
    return p.dynamic_update_slice_p.bind(x, update, _start("slice_update", x, start_indices, axes))


@streamed
def as_strided(
    x: Any, /, shape: Any = None, strides: Any = None, offset: int = 0, *, stream: Any = None
) -> Array:
    """The flattened `x` read in strides: element [i, j] is that at offset + i strides[0] + j strides[1].

    Elements may be read more than once: derivatives add up.

    Args:
        shape: of the result, `x`'s by default.
        strides: in elements, not bytes; by default those of a row-major array of `shape`.
        offset: where element [0, 0, …] is.

    Raises:
        ValueError: an element would lie outside of `x`.

    >>> ft.as_strided(ft.array([1, 2, 3, 4]), (3, 2), (1, 1))
    array([[1, 2],
           [2, 3],
           [3, 4]], dtype=int32)
    """
    x = as_array(x, "as_strided")
    shape = x.shape if shape is None else normalize_shape("as_strided", shape)
    if strides is None:
        steps = tuple(math.prod(shape[i + 1 :]) for i in range(len(shape)))
    else:
        steps = as_integers(strides, "as_strided", "strides")
    (first,) = as_integers(offset, "as_strided", "offset")
    if len(steps) != len(shape):
        raise ValueError(f"as_strided: got {len(steps)} strides for shape {shape}")
    if 0 in shape:
        return nothing(x, shape)
    reach = [step * (extent - 1) for step, extent in zip(steps, shape, strict=True)]
    lowest, highest = first + sum(r for r in reach if r < 0), first + sum(r for r in reach if r > 0)
    if lowest < 0 or highest >= x.size:
        raise ValueError(
            f"as_strided: shape {shape}, strides {steps} and offset {first} reach elements {lowest} to "
            f"{highest} of an array of {x.size}"
        )
    integer = int32 if x.size < 2**31 else int64
    index = broadcast(asarray(first, dtype=integer), shape)
    for axis, (extent, step) in enumerate(zip(shape, steps, strict=True)):
        along = reshape_to(
            iota(extent, integer) * step, tuple(extent if i == axis else 1 for i in range(len(shape)))
        )
        index = p.add_p.bind(index, broadcast(along, shape))
    return take_along(reshape_to(x, (x.size,)), index, 0, "promise_in_bounds")


@streamed
def contiguous(x: Any, /, allow_col_major: bool = False, *, stream: Any = None) -> Array:
    """`x` in row-major memory. Operations choose the layout that they need; this is for handing memory out.

    Args:
        allow_col_major: accepted for code that was written for MLX; the result is always row-major.

    >>> import numpy as np
    >>> np.asarray(ft.contiguous(ft.ones((2, 3)).T)).flags.c_contiguous
    True
    """
    x = as_array(x, "contiguous")
    # Joining copies, whatever there is to join.
    return p.concatenate_p.bind(x, slice_axis(x, 0, 0, 0), axis=0) if x.ndim else x
