"""Counting values: bins and histograms."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import primitives as p
from .._native import Array, bool_, int32
from . import statistical
from .creation import linspace, zeros
from .manipulation import slice_axis
from .operands import (
    as_array,
    as_dtype_array,
    as_integer,
    constant_like,
    convert,
    describe,
    require_kinds,
    reshape_to,
    to_inexact,
)
from .promotion import inexact_dtype
from .searching import host_values, searchsorted
from .streams import streamed

__all__ = ["bincount", "digitize", "histogram", "histogram_bin_edges"]


def _counts(bins: Array, weights: Array | None, length: int) -> Array:
    """How often each of 0 … length - 1 occurs in a vector; others are left out."""
    inside = p.ge_p.bind(bins, constant_like(bins, 0))
    bins = p.select_p.bind(inside, bins, constant_like(bins, length))  # dropped, as all behind the end are
    totals = zeros(length, dtype=int32 if weights is None else weights.dtype)
    return totals.at[bins].add(1 if weights is None else weights)


def _flat_weights(function: str, weights: Any, x: Array) -> Array | None:
    if weights is None:
        return None
    weights = as_array(weights, function, "weights")
    if weights.shape != x.shape:
        raise ValueError(f"{function}: weights must have x's shape {x.shape}, got {weights.shape}")
    weights = reshape_to(weights, (weights.size,))
    return convert(weights, int32) if weights.dtype is bool_ else weights


@streamed
def bincount(
    x: Any,
    /,
    weights: Any = None,
    minlength: int = 0,
    *,
    length: int | None = None,
    stream: Any = None,
) -> Array:
    """How often each of 0, 1, … occurs in a vector of integers.

    Args:
        weights: what an element counts, instead of 1; of `x`'s shape.
        minlength: the least length of the result.
        length: its length. Must be given under `jit` and `vmap`, where the greatest element is not known;
            elements that are negative or too great are then left out.

    Returns:
        A vector of int32, or of the weights' dtype.

    Raises:
        ValueError: `x` is no vector, or (without `length`) has a negative element.
        ConcretizationError: `x` has no values yet and `length` is not given.

    >>> ft.bincount(ft.array([0, 2, 2]))
    array([1, 0, 2], dtype=int32)
    """
    x = as_array(x, "bincount")
    require_kinds("bincount", x, "biu", "an integer or bool")
    if x.ndim != 1:
        raise ValueError(f"bincount: x must have 1 dimension, got shape {x.shape}")
    minlength = as_integer(minlength, "bincount", "minlength", least=0)
    if length is None:
        values = host_values(x, "bincount", "give length=: ft.bincount(x, length=n)")
        if values.size and values.min() < 0:
            raise ValueError(f"bincount: x must not be negative, got {values.min()}")
        length = max(minlength, int(values.max()) + 1 if values.size else 0)
    else:
        length = as_integer(length, "bincount", "length", least=0)
    return _counts(convert(x, int32), _flat_weights("bincount", weights, x), length)


def _edges(function: str, bins: Any) -> Array:
    edges = as_array(np.asarray(bins) if isinstance(bins, (list, tuple)) else bins, function, "bins")
    require_kinds(function, edges, "biuf", "a real", "bins")
    if edges.ndim != 1 or edges.size == 0:
        raise ValueError(f"{function}: bins must be a vector of at least one edge, got shape {edges.shape}")
    return edges


@streamed
def digitize(x: Any, bins: Any, /, right: bool = False, *, stream: Any = None) -> Array:
    """The number of the bin that each element falls in, int32: i where bins[i - 1] <= x < bins[i].

    Args:
        bins: a vector that increases or decreases.
        right: whether bins are closed at their right end instead of their left.

    >>> ft.digitize(ft.array([0.5, 2.0, 9.0]), ft.array([1.0, 2.0, 3.0]))
    array([0, 2, 3], dtype=int32)
    """
    x, edges = as_array(x, "digitize"), _edges("digitize", bins)
    backwards = p.rev_p.bind(edges, axes=(0,))
    rising = searchsorted(edges, x, side="left" if right else "right")
    falling = searchsorted(backwards, x, side="right" if right else "left")
    falling = p.sub_p.bind(constant_like(falling, edges.size), falling)
    first, last = (reshape_to(slice_axis(edges, 0, i, i + 1), ()) for i in (0, edges.size - 1))
    return p.select_p.bind(p.le_p.bind(first, last), rising, falling)


@streamed
def histogram_bin_edges(x: Any, /, bins: Any = 10, range: Any = None, *, stream: Any = None) -> Array:
    """The edges of the bins that `histogram` uses; arguments as there.

    >>> ft.histogram_bin_edges(ft.array([0.0, 1.0]), bins=2)
    array([0, 0.5, 1], dtype=float32)
    """
    return _bin_edges("histogram_bin_edges", x, bins, range)


def _bin_edges(function: str, x: Any, bins: Any, range: Any) -> Array:
    x = to_inexact(as_array(x, function))
    require_kinds(function, x, "f", "a real")
    if isinstance(bins, str):
        raise TypeError(f"{function}: bins must be an integer or a vector of edges, got {describe(bins)}")
    if not isinstance(bins, (list, tuple, np.ndarray)) and getattr(bins, "ndim", 0) == 0:
        number = as_integer(bins, function, "bins", least=1)
    else:
        return convert(_edges(function, bins), x.dtype)
    if range is not None:
        if not isinstance(range, (tuple, list)) or len(range) != 2:
            raise ValueError(f"{function}: range must be (least, greatest), got {describe(range)}")
        low, high = (as_dtype_array(r, x.dtype, function, "range") for r in range)
    elif x.size == 0:
        low, high = constant_like(x, 0), constant_like(x, 1)
    else:
        low, high = statistical.min(x), statistical.max(x)
    flat = p.eq_p.bind(low, high)
    margin = p.select_p.bind(flat, constant_like(low, 0.5), constant_like(low, 0))
    return linspace(p.sub_p.bind(low, margin), p.add_p.bind(high, margin), number + 1)


@streamed
def histogram(
    x: Any,
    /,
    bins: Any = 10,
    range: Any = None,
    density: bool = False,
    weights: Any = None,
    *,
    stream: Any = None,
) -> tuple[Array, Array]:
    """How many elements of `x` fall in each bin.

    Args:
        x: a real array, which is flattened.
        bins: how many bins of equal width, or a vector of increasing edges. Bins are closed at the left, the
            last one at both ends.
        range: (least, greatest) edge for a number of bins; by default the extremes of `x`. Elements outside
            are left out.
        density: divide by the total and by the widths, so that the integral is 1.
        weights: what each element counts, of `x`'s shape.

    Returns:
        (counts, edges): int32 counts (the weights' dtype if given, a float if `density`), and n + 1 edges.

    Raises:
        ValueError: there is no bin, or weights have another shape.

    >>> ft.histogram(ft.array([1.0, 2.0, 1.0]), bins=2)
    (array([2, 1], dtype=int32), array([1, 1.5, 2], dtype=float32))
    """
    x = as_array(x, "histogram")
    edges = _bin_edges("histogram", x, bins, range)
    weights = _flat_weights("histogram", weights, x)
    values = convert(reshape_to(x, (x.size,)), inexact_dtype(x.dtype))
    number = edges.size - 1
    last = reshape_to(slice_axis(edges, 0, number, number + 1), ())
    bin_after = searchsorted(edges, values, side="right")
    found = p.sub_p.bind(bin_after, constant_like(bin_after, 1))
    found = p.select_p.bind(p.eq_p.bind(values, last), constant_like(found, number - 1), found)
    counts = _counts(found, weights, number)
    if density:
        widths = p.sub_p.bind(slice_axis(edges, 0, 1, number + 1), slice_axis(edges, 0, 0, number))
        counts = counts / statistical.sum(counts) / widths
    return counts, edges
