"""Repeating elements, and margins around arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._native import Array
from ..primitives import pad_p
from ._gather import take_static
from .operands import (
    as_array,
    as_dtype_array,
    broadcast,
    normalize_axis,
    normalize_shape,
    reshape_to,
)
from .searching import host_values
from .streams import streamed

__all__ = [
    "pad",
    "repeat",
    "tile",
]


@streamed
def repeat(x: Any, repeats: Any, /, axis: int | None = None, *, stream: Any = None) -> Array:
    """Each element repeated along an axis (of the flattened array if None).

    Args:
        repeats: an int, or a sequence of ints (concrete), one for each position of the axis.

    >>> ft.repeat(ft.array([1, 2]), 2)
    array([1, 1, 2, 2], dtype=int32)
    """
    x = as_array(x, "repeat")
    if axis is None:
        x, axis = reshape_to(x, (x.size,)), 0
    axis = normalize_axis("repeat", axis, x.ndim)
    extent = x.shape[axis]
    if type(repeats) is Array:
        repeats = host_values(repeats, "repeat", "name them in static_argnums", "repeats")
    counts = np.asarray(repeats)
    if counts.dtype.kind not in "iu" or counts.ndim > 1:
        raise TypeError(f"repeat: repeats must be an integer or a vector of integers, got {repeats!r}")
    if counts.size == 1:
        count = int(counts.reshape(()))
        if count < 0:
            raise ValueError(f"repeat: repeats must not be negative, got {count}")
        before, after = x.shape[:axis], x.shape[axis + 1 :]
        wide = reshape_to(x, (*before, extent, 1, *after))
        return reshape_to(
            broadcast(wide, (*before, extent, count, *after)), (*before, extent * count, *after)
        )
    if counts.size != extent:
        raise ValueError(f"repeat: got {counts.size} repeats for axis {axis} of extent {extent}")
    return take_static(x, np.repeat(np.arange(extent), counts), axis)


@streamed
def tile(x: Any, /, reps: Any, *, stream: Any = None) -> Array:
    """`x` repeated as a whole, `reps[i]` times along axis i.

    >>> ft.tile(ft.array([1, 2]), 2)
    array([1, 2, 1, 2], dtype=int32)
    """
    x = as_array(x, "tile")
    counts = normalize_shape("tile", reps, "reps")
    ndim = max(len(counts), x.ndim)
    counts = (1,) * (ndim - len(counts)) + counts
    shape = (1,) * (ndim - x.ndim) + x.shape
    narrow = tuple(n for extent in shape for n in (1, extent))
    wide = tuple(n for count, extent in zip(counts, shape, strict=True) for n in (count, extent))
    final = tuple(count * extent for count, extent in zip(counts, shape, strict=True))
    return reshape_to(broadcast(reshape_to(x, narrow), wide), final)


def _pad_widths(pad_width: Any, ndim: int) -> list[tuple[int, int]]:
    try:
        widths = np.broadcast_to(np.asarray(pad_width), (ndim, 2)) if ndim else np.zeros((0, 2), int)
    except ValueError:
        raise ValueError(
            f"pad: pad_width must be an int, (before, after) or such a pair for each of {ndim} axes; "
            f"got {pad_width!r}"
        ) from None
    if widths.dtype.kind not in "iu":
        raise TypeError(f"pad: pad_width must be integers, got {pad_width!r}")
    if (widths < 0).any():
        raise ValueError(f"pad: pad_width must not be negative, got {pad_width!r}")
    return [(int(low), int(high)) for low, high in widths]


@streamed
def pad(
    x: Any, /, pad_width: Any, mode: str = "constant", constant_values: Any = 0, *, stream: Any = None
) -> Array:
    """`x` with a margin on each side.

    Args:
        pad_width: an int, (before, after), or such a pair for each axis.
        mode: "constant", or "edge", "reflect", "symmetric", "wrap" as in NumPy.
        constant_values: a number or 0-d array.

    >>> ft.pad(ft.array([1, 2]), (1, 2))
    array([0, 1, 2, 0, 0], dtype=int32)
    """
    x = as_array(x, "pad")
    widths = _pad_widths(pad_width, x.ndim)
    if mode == "constant":
        value = as_dtype_array(constant_values, x.dtype, "pad", "constant_values")
        if value.ndim:
            raise ValueError(f"pad: constant_values must be a scalar, got shape {value.shape}")
        low, high = tuple(w[0] for w in widths), tuple(w[1] for w in widths)
        return pad_p.bind(x, value, low=low, high=high, interior=(0,) * x.ndim)
    if mode not in ("edge", "reflect", "symmetric", "wrap"):
        raise ValueError(f"pad: mode must be constant, edge, reflect, symmetric or wrap; got {mode!r}")
    for axis, width in enumerate(widths):
        if width != (0, 0):
            x = take_static(x, np.pad(np.arange(x.shape[axis]), width, mode), axis)  # type: ignore[call-overload]
    return x
