"""Quantiles: the values below which given parts of the elements lie."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import primitives as p
from .._native import Array, float64, int32
from .manipulation import moveaxis, permute
from .operands import (
    as_array,
    as_dtype_array,
    broadcast,
    constant_like,
    convert,
    normalize_axes,
    require_kinds,
    reshape_to,
    to_inexact,
)
from .statistical import Axis, accumulator_dtype, count, kept_shape
from .streams import streamed
from .taking import take_along_axis

__all__ = ["nanmedian", "nanpercentile", "nanquantile", "percentile", "quantile"]

_METHODS = ("linear", "lower", "higher", "midpoint", "nearest")


def _checked_fractions(function: str, q: Any, greatest: float) -> Array:
    """`q` / `greatest`, checked where it is not an Array, whose values may not be known yet.

    In float64, so that positions in long arrays are exact.
    """
    if type(q) is not Array:
        values = np.asarray(q)
        if values.dtype.kind not in "iuf":
            raise TypeError(f"{function}: q must be real numbers, got {type(q).__name__}")
        if not np.all((values >= 0) & (values <= greatest)):
            raise ValueError(f"{function}: q must be between 0 and {greatest:g}, got {q}")
        q = values
    q = as_dtype_array(q, float64, function, "q")
    return p.div_p.bind(q, constant_like(q, greatest)) if greatest != 1 else q


def _quantile(
    function: str, x: Any, q: Any, greatest: float, axis: Axis, method: str, keepdims: bool, skip_nan: bool
) -> Array:
    """Sort, and interpolate between the two elements next to position q (n - 1).

    Definition 7 of R. J. Hyndman and Y. Fan, "Sample quantiles in statistical packages", The American
    Statistician 50 (1996), for "linear"; the other methods take one of the two elements, or their mean.
    """
    if method not in _METHODS:
        raise ValueError(f"{function}: method must be one of {', '.join(_METHODS)}; got {method!r}")
    x = as_array(x, function)
    require_kinds(function, x, "biuf", "a real")
    x = to_inexact(x)
    axes = normalize_axes(function, axis, x.ndim)
    n = count(x.shape, axes)
    if n == 0:
        raise ValueError(f"{function}: no elements along axes {axes} of an array of shape {x.shape}")
    kept = tuple(i for i in range(x.ndim) if i not in axes)
    outer = tuple(x.shape[i] for i in kept)
    work = accumulator_dtype(x.dtype)
    rows = convert(reshape_to(permute(x, kept + axes), (*outer, n)), work)
    last = rows.ndim - 1
    q = _checked_fractions(function, q, greatest)
    fractions = broadcast(reshape_to(q, (q.size,)), (*outer, q.size))

    is_nan = p.is_nan_p.bind(rows)
    (ordered,) = p.sort_p.bind(rows, axis=last, num_keys=1)  # NaN comes last
    if skip_nan:
        valid = convert(p.reduce_sum_p.bind(convert(p.not_p.bind(is_nan), int32), axes=(last,)), float64)
        greatest_position = p.max_p.bind(
            broadcast(reshape_to(p.sub_p.bind(valid, constant_like(valid, 1)), (*outer, 1)), fractions.shape),
            constant_like(fractions, 0),
        )
        invalid = p.eq_p.bind(valid, constant_like(valid, 0))
    else:
        greatest_position = constant_like(fractions, n - 1)
        invalid = p.reduce_or_p.bind(is_nan, axes=(last,))
    value = _interpolated(ordered, p.mul_p.bind(fractions, greatest_position), method)

    inside = p.and_p.bind(
        p.ge_p.bind(fractions, constant_like(fractions, 0)),
        p.le_p.bind(fractions, constant_like(fractions, 1)),
    )
    invalid = broadcast(reshape_to(invalid, (*outer, 1)), fractions.shape)
    invalid = p.or_p.bind(invalid, p.not_p.bind(inside))
    value = p.select_p.bind(invalid, constant_like(value, math.nan), value)
    shape = kept_shape(x.shape, axes) if keepdims else outer
    return convert(reshape_to(moveaxis(value, -1, 0), q.shape + shape), x.dtype)


def _interpolated(ordered: Array, position: Array, method: str) -> Array:
    """The values at fractional positions along the last axis."""
    if method == "nearest":
        position = p.round_p.bind(position)
    below, above = p.floor_p.bind(position), p.ceil_p.bind(position)
    low = take_along_axis(ordered, convert(below, int32), axis=-1)
    if method in ("lower", "nearest"):
        return low
    high = take_along_axis(ordered, convert(above, int32), axis=-1)
    if method == "higher":
        return high
    if method == "midpoint":
        weight = p.mul_p.bind(constant_like(position, 0.5), p.sub_p.bind(above, below))
    else:
        weight = p.sub_p.bind(position, below)
    step = p.mul_p.bind(p.sub_p.bind(high, low), convert(weight, low.dtype))
    # Two equal infinities have no difference.
    return p.add_p.bind(low, p.select_p.bind(p.eq_p.bind(low, high), constant_like(step, 0), step))


@streamed
def quantile(
    x: Any,
    q: Any,
    /,
    axis: Axis = None,
    *,
    method: str = "linear",
    keepdims: bool = False,
    stream: Any = None,
) -> Array:
    """The values below which the parts `q` of the elements along axes (all if None) lie.

    Args:
        x: a real array; integers count as float32.
        q: numbers in [0, 1] of any shape. In an Array, others give NaN.
        method: "linear" interpolates between the two nearest elements; "lower", "higher", "midpoint" and
            "nearest" choose.

    Returns:
        An array of shape (*q.shape, *rest), where rest is the shape of `sum(x, axis, keepdims)`; NaN where an
        element is NaN.

    Raises:
        ValueError: a `q` is not in [0, 1], there are no elements, or the method has another name.

    >>> ft.quantile(ft.array([1.0, 2.0, 4.0]), 0.75)
    array(3, dtype=float32)
    """
    return _quantile("quantile", x, q, 1, axis, method, keepdims, False)


@streamed
def percentile(
    x: Any,
    q: Any,
    /,
    axis: Axis = None,
    *,
    method: str = "linear",
    keepdims: bool = False,
    stream: Any = None,
) -> Array:
    """`quantile(x, q / 100)`.

    >>> ft.percentile(ft.array([1.0, 2.0, 4.0]), [50, 100])
    array([2, 4], dtype=float32)
    """
    return _quantile("percentile", x, q, 100, axis, method, keepdims, False)


@streamed
def nanquantile(
    x: Any,
    q: Any,
    /,
    axis: Axis = None,
    *,
    method: str = "linear",
    keepdims: bool = False,
    stream: Any = None,
) -> Array:
    """The `quantile` of the elements that are not NaN; NaN where there is none.

    >>> ft.nanquantile(ft.array([1.0, float("nan"), 3.0]), 0.5)
    array(2, dtype=float32)
    """
    return _quantile("nanquantile", x, q, 1, axis, method, keepdims, True)


@streamed
def nanpercentile(
    x: Any,
    q: Any,
    /,
    axis: Axis = None,
    *,
    method: str = "linear",
    keepdims: bool = False,
    stream: Any = None,
) -> Array:
    """`nanquantile(x, q / 100)`.

    >>> ft.nanpercentile(ft.array([1.0, float("nan"), 3.0]), 50)
    array(2, dtype=float32)
    """
    return _quantile("nanpercentile", x, q, 100, axis, method, keepdims, True)


@streamed
def nanmedian(x: Any, /, axis: Axis = None, keepdims: bool = False, *, stream: Any = None) -> Array:
    """The middle value along axes (all if None) of the elements that are not NaN; NaN where there is none.

    >>> ft.nanmedian(ft.array([3.0, float("nan"), 1.0, 10.0]))
    array(3, dtype=float32)
    """
    return _quantile("nanmedian", x, 0.5, 1, axis, "linear", keepdims, True)
