"""Reductions and running sums that leave NaN out."""

from __future__ import annotations

import math
from typing import Any

from .. import primitives as p
from .._native import Array, int32
from . import cumulative, pointwise, searching, statistical
from .operands import as_array, constant_like, convert, normalize_axes, require_kinds, to_inexact
from .promotion import as_dtype, real_dtype
from .statistical import Axis
from .streams import streamed

__all__ = [
    "nanargmax",
    "nanargmin",
    "nancumprod",
    "nancumsum",
    "nanmax",
    "nanmean",
    "nanmin",
    "nanprod",
    "nanstd",
    "nansum",
    "nanvar",
]


def _replaced(x: Any, function: str, value: complex) -> Array:
    """`x` with `value` in place of NaN."""
    x = as_array(x, function)
    if x.dtype.kind not in "fc":
        return x
    return p.select_p.bind(p.is_nan_p.bind(x), constant_like(x, value), x)


def _valid_count(x: Array, axis: Axis, keepdims: bool) -> Array:
    """How many elements along the axes are numbers, int32."""
    return statistical.sum(convert(p.not_p.bind(p.is_nan_p.bind(x)), int32), axis, keepdims)


@streamed
def nansum(
    x: Any, /, axis: Axis = None, keepdims: bool = False, *, dtype: Any = None, stream: Any = None
) -> Array:
    """The sum over axes (all if None) of the elements that are not NaN; arguments as of `sum`.

    >>> ft.nansum(ft.array([1.0, float("nan"), 2.0]))
    array(3, dtype=float32)
    """
    return statistical.sum(_replaced(x, "nansum", 0), axis, keepdims, dtype=dtype)


@streamed
def nanprod(
    x: Any, /, axis: Axis = None, keepdims: bool = False, *, dtype: Any = None, stream: Any = None
) -> Array:
    """The product over axes (all if None) of the elements that are not NaN; arguments as of `sum`.

    >>> ft.nanprod(ft.array([3.0, float("nan"), 2.0]))
    array(6, dtype=float32)
    """
    return statistical.prod(_replaced(x, "nanprod", 1), axis, keepdims, dtype=dtype)


def _nan_extreme(function: str, x: Any, axis: Axis, keepdims: bool, sign: int) -> Array:
    x = as_array(x, function)
    require_kinds(function, x, "biuf", "a real")
    extreme = statistical.max if sign > 0 else statistical.min
    if x.dtype.kind != "f":
        return extreme(x, axis, keepdims)
    found = extreme(_replaced(x, function, -sign * math.inf), axis, keepdims)
    count = _valid_count(x, axis, keepdims)
    return p.select_p.bind(p.eq_p.bind(count, constant_like(count, 0)), constant_like(found, math.nan), found)


@streamed
def nanmax(x: Any, /, axis: Axis = None, keepdims: bool = False, *, stream: Any = None) -> Array:
    """The greatest element along axes (all if None) that is not NaN; NaN where there is none.

    Raises:
        ValueError: there are no elements.

    >>> ft.nanmax(ft.array([1.0, float("nan"), 2.0]))
    array(2, dtype=float32)
    """
    return _nan_extreme("nanmax", x, axis, keepdims, 1)


@streamed
def nanmin(x: Any, /, axis: Axis = None, keepdims: bool = False, *, stream: Any = None) -> Array:
    """The least element along axes (all if None) that is not NaN; NaN where there is none.

    Raises:
        ValueError: there are no elements.

    >>> ft.nanmin(ft.array([1.0, float("nan"), 2.0]))
    array(1, dtype=float32)
    """
    return _nan_extreme("nanmin", x, axis, keepdims, -1)


def _nan_arg_extreme(function: str, x: Any, axis: int | None, keepdims: bool, sign: int) -> Array:
    x = as_array(x, function)
    arg_extreme = searching.argmax if sign > 0 else searching.argmin
    index = arg_extreme(_replaced(x, function, -sign * math.inf), axis, keepdims)
    if x.dtype.kind != "f":
        return index
    count = _valid_count(x, axis, keepdims)
    return p.select_p.bind(p.eq_p.bind(count, constant_like(count, 0)), constant_like(index, -1), index)


@streamed
def nanargmax(x: Any, /, axis: int | None = None, keepdims: bool = False, *, stream: Any = None) -> Array:
    """The int32 index of the first greatest element that is not NaN; -1 where all are NaN.

    Args:
        axis: None searches the flattened array.

    >>> ft.nanargmax(ft.array([1.0, float("nan"), 2.0]))
    array(2, dtype=int32)
    """
    return _nan_arg_extreme("nanargmax", x, axis, keepdims, 1)


@streamed
def nanargmin(x: Any, /, axis: int | None = None, keepdims: bool = False, *, stream: Any = None) -> Array:
    """The int32 index of the first least element that is not NaN; -1 where all are NaN.

    Args:
        axis: None searches the flattened array.

    >>> ft.nanargmin(ft.array([1.0, float("nan"), 0.0]))
    array(2, dtype=int32)
    """
    return _nan_arg_extreme("nanargmin", x, axis, keepdims, -1)


@streamed
def nanmean(
    x: Any, /, axis: Axis = None, keepdims: bool = False, *, dtype: Any = None, stream: Any = None
) -> Array:
    """The mean over axes (all if None) of the elements that are not NaN; NaN where there is none.

    >>> ft.nanmean(ft.array([1.0, float("nan"), 2.0]))
    array(1.5, dtype=float32)
    """
    x = to_inexact(as_array(x, "nanmean"))
    x = x if dtype is None else convert(x, as_dtype(dtype, "nanmean"))
    total = statistical.sum(
        _replaced(x, "nanmean", 0), axis, keepdims, dtype=statistical.accumulator_dtype(x.dtype)
    )
    return convert(p.div_p.bind(total, convert(_valid_count(x, axis, keepdims), total.dtype)), x.dtype)


def _nan_variance(function: str, x: Any, axis: Axis, keepdims: bool, correction: float) -> Array:
    """In two passes, in the accumulator's dtype; NaN where the correction leaves nothing to divide by."""
    x = to_inexact(as_array(x, function))
    axes = normalize_axes(function, axis, x.ndim)
    wide = convert(x, statistical.accumulator_dtype(x.dtype))
    valid = p.not_p.bind(p.is_nan_p.bind(wide))
    centred = pointwise.where(valid, wide - nanmean(wide, axes, keepdims=True), 0)
    squares = pointwise.real(centred * pointwise.conj(centred))
    total = statistical.sum(squares, axes, keepdims)
    freedom = convert(_valid_count(wide, axes, keepdims), total.dtype) - correction
    positive = p.gt_p.bind(freedom, constant_like(freedom, 0))
    return p.select_p.bind(
        positive, total / pointwise.where(positive, freedom, 1), constant_like(total, math.nan)
    )


@streamed
def nanvar(
    x: Any,
    /,
    axis: Axis = None,
    keepdims: bool = False,
    correction: float = 0.0,
    *,
    ddof: float | None = None,
    stream: Any = None,
) -> Array:
    """The variance over axes (all if None) of the elements that are not NaN; arguments as of `var`.

    >>> ft.nanvar(ft.array([1.0, float("nan"), 3.0]))
    array(1, dtype=float32)
    """
    variance = _nan_variance(
        "nanvar", x, axis, keepdims, statistical.degrees_subtracted("nanvar", correction, ddof)
    )
    return convert(variance, real_dtype(to_inexact(as_array(x, "nanvar")).dtype))


@streamed
def nanstd(
    x: Any,
    /,
    axis: Axis = None,
    keepdims: bool = False,
    correction: float = 0.0,
    *,
    ddof: float | None = None,
    stream: Any = None,
) -> Array:
    """The standard deviation over axes (all if None) of the elements that are not NaN; as `std`.

    >>> ft.nanstd(ft.array([1.0, float("nan"), 3.0]))
    array(1, dtype=float32)
    """
    variance = _nan_variance(
        "nanstd", x, axis, keepdims, statistical.degrees_subtracted("nanstd", correction, ddof)
    )
    return convert(p.sqrt_p.bind(variance), real_dtype(to_inexact(as_array(x, "nanstd")).dtype))


@streamed
def nancumsum(x: Any, /, axis: int | None = None, *, dtype: Any = None, stream: Any = None) -> Array:
    """The running sum along an axis (of the flattened array if None), NaN counting as 0.

    >>> ft.nancumsum(ft.array([1.0, float("nan"), 2.0]))
    array([1, 1, 3], dtype=float32)
    """
    return cumulative.cumsum(_replaced(x, "nancumsum", 0), axis, dtype=dtype)


@streamed
def nancumprod(x: Any, /, axis: int | None = None, *, dtype: Any = None, stream: Any = None) -> Array:
    """The running product along an axis (of the flattened array if None), NaN counting as 1.

    >>> ft.nancumprod(ft.array([3.0, float("nan"), 2.0]))
    array([3, 3, 6], dtype=float32)
    """
    return cumulative.cumprod(_replaced(x, "nancumprod", 1), axis, dtype=dtype)
