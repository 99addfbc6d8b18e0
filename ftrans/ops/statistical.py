"""Reductions: the array API standard's statistical functions, `any` and `all`."""

from __future__ import annotations

import math
from typing import Any

from .. import primitives as p
from .._native import Array, Dtype, bool_, float32, int32, uint32
from ..core.primitive import Primitive
from . import elementwise
from .manipulation import slice_axis
from .operands import (
    as_array,
    as_dtype_array,
    as_operand,
    broadcast,
    constant_like,
    convert,
    describe,
    expand,
    normalize_axes,
    require_kinds,
    reshape_to,
    to_inexact,
)
from .pointwise import to_bool
from .promotion import as_dtype, real_dtype
from .streams import streamed

__all__ = [
    "all",
    "amax",
    "amin",
    "any",
    "average",
    "count_nonzero",
    "max",
    "mean",
    "median",
    "min",
    "minmax",
    "prod",
    "ptp",
    "std",
    "sum",
    "var",
]

Axis = int | tuple[int, ...] | None


def reduce(primitive: Primitive, x: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
    """A reduction over sorted axes."""
    out = primitive.bind(x, axes=axes)
    return reshape_to(out, kept_shape(x.shape, axes)) if keepdims else out


def kept_shape(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    """`shape` with extent 1 along `axes`."""
    return tuple([1 if i in axes else extent for i, extent in enumerate(shape)])


def count(shape: tuple[int, ...], axes: tuple[int, ...]) -> int:
    """How many elements a reduction over `axes` joins."""
    return math.prod([shape[a] for a in axes])


def sum_dtype(dtype: Dtype) -> Dtype:
    """Small integers and bools are summed in the default integer of their signedness."""
    if dtype.kind in "biu" and dtype.itemsize < 4:
        return uint32 if dtype.kind == "u" else int32
    return dtype


def accumulator_dtype(dtype: Dtype) -> Dtype:
    """16-bit floats are summed in float32."""
    return float32 if dtype.kind == "f" and dtype.itemsize < 4 else dtype


def _accumulate(function: str, primitive: Primitive, x: Any, axis: Axis, dtype: Any, keepdims: bool) -> Array:
    x = as_array(x, function)
    result = sum_dtype(x.dtype) if dtype is None else as_dtype(dtype, function)
    axes = normalize_axes(function, axis, x.ndim)
    return convert(reduce(primitive, convert(x, accumulator_dtype(result)), axes, keepdims), result)


@streamed
def sum(
    x: Any, /, axis: Axis = None, keepdims: bool = False, *, dtype: Any = None, stream: Any = None
) -> Array:
    """The sum over axes (all if None).

    Args:
        dtype: of the result; by default `x`'s, but int32 or uint32 for smaller integers and bools. 16-bit
            floats are accumulated in float32.
        keepdims: whether the axes stay, with extent 1.

    >>> ft.sum(ft.array([[1.0, 2.0], [3.0, 4.0]]), axis=0)
    array([4, 6], dtype=float32)
    """
    return _accumulate("sum", p.reduce_sum_p, x, axis, dtype, keepdims)


@streamed
def prod(
    x: Any, /, axis: Axis = None, keepdims: bool = False, *, dtype: Any = None, stream: Any = None
) -> Array:
    """The product over axes; arguments as of `sum`.

    >>> ft.prod(ft.array([2, 3, 4]))
    array(24, dtype=int32)
    """
    return _accumulate("prod", p.reduce_prod_p, x, axis, dtype, keepdims)


def _extreme(
    function: str, primitive: Primitive, of_bools: Primitive, x: Any, axis: Axis, keepdims: bool
) -> Array:
    x = as_array(x, function)
    require_kinds(function, x, "biuf", "a real")
    axes = normalize_axes(function, axis, x.ndim)
    if count(x.shape, axes) == 0:
        raise ValueError(
            f"{function}: no elements to reduce along axes {axes} of an array of shape {x.shape}"
        )
    return reduce(of_bools if x.dtype is bool_ else primitive, x, axes, keepdims)


@streamed
def max(x: Any, /, axis: Axis = None, keepdims: bool = False, *, stream: Any = None) -> Array:
    """The greatest element along axes (all if None); NaN if there is one.

    Raises:
        ValueError: there are no elements.

    >>> ft.max(ft.array([1, 5, 3]))
    array(5, dtype=int32)
    """
    return _extreme("max", p.reduce_max_p, p.reduce_or_p, x, axis, keepdims)


@streamed
def min(x: Any, /, axis: Axis = None, keepdims: bool = False, *, stream: Any = None) -> Array:
    """The least element along axes (all if None); NaN if there is one.

    Raises:
        ValueError: there are no elements.

    >>> ft.min(ft.array([4, 1, 3]))
    array(1, dtype=int32)
    """
    return _extreme("min", p.reduce_min_p, p.reduce_and_p, x, axis, keepdims)


@streamed
def minmax(
    x: Any, /, axis: Axis = None, keepdims: bool = False, *, stream: Any = None
) -> tuple[Array, Array]:
    """(min(x), max(x)) along axes.

    >>> ft.minmax(ft.array([4, 1, 3]))
    (array(1, dtype=int32), array(4, dtype=int32))
    """
    x = as_array(x, "minmax")
    return min(x, axis, keepdims=keepdims), max(x, axis, keepdims=keepdims)


@streamed
def ptp(x: Any, /, axis: Axis = None, keepdims: bool = False, *, stream: Any = None) -> Array:
    """Max - min along axes.

    >>> ft.ptp(ft.array([4, 1, 3]))
    array(3, dtype=int32)
    """
    return elementwise.subtract(max(x, axis, keepdims=keepdims), min(x, axis, keepdims=keepdims))


@streamed
def any(x: Any, /, axis: Axis = None, keepdims: bool = False, *, stream: Any = None) -> Array:
    """Whether any element along axes is non-zero.

    >>> ft.any(ft.array([False, True]))
    array(True, dtype=bool)
    """
    x = to_bool(as_array(x, "any"))
    return reduce(p.reduce_or_p, x, normalize_axes("any", axis, x.ndim), keepdims)


@streamed
def all(x: Any, /, axis: Axis = None, keepdims: bool = False, *, stream: Any = None) -> Array:
    """Whether all elements along axes are non-zero.

    >>> ft.all(ft.array([False, True]))
    array(False, dtype=bool)
    """
    x = to_bool(as_array(x, "all"))
    return reduce(p.reduce_and_p, x, normalize_axes("all", axis, x.ndim), keepdims)


@streamed
def count_nonzero(x: Any, /, axis: Axis = None, keepdims: bool = False, *, stream: Any = None) -> Array:
    """The number of non-zero elements along axes, int32.

    >>> ft.count_nonzero(ft.array([0, 3, 4]))
    array(2, dtype=int32)
    """
    return sum(to_bool(as_array(x, "count_nonzero")), axis, keepdims=keepdims)


@streamed
def mean(
    x: Any, /, axis: Axis = None, keepdims: bool = False, *, dtype: Any = None, stream: Any = None
) -> Array:
    """The arithmetic mean over axes (all if None), float32 for integers.

    >>> ft.mean(ft.array([1, 2, 6]))
    array(3, dtype=float32)
    """
    x = as_array(x, "mean")
    x = to_inexact(x) if dtype is None else convert(x, as_dtype(dtype, "mean"))
    return convert(_mean(x, normalize_axes("mean", axis, x.ndim), keepdims), x.dtype)


def _mean(x: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
    """The mean in the accumulator's dtype."""
    total = reduce(p.reduce_sum_p, convert(x, accumulator_dtype(x.dtype)), axes, keepdims)
    return p.div_p.bind(total, constant_like(total, count(x.shape, axes)))


@streamed
def average(
    x: Any, /, axis: Axis = None, weights: Any = None, *, keepdims: bool = False, stream: Any = None
) -> Array:
    """The mean weighted by `weights`, which broadcast with `x`.

    >>> ft.average(ft.array([1.0, 3.0]), weights=ft.array([3.0, 1.0]))
    array(1.5, dtype=float32)
    """
    if weights is None:
        return mean(x, axis, keepdims=keepdims)
    weights = as_operand(weights, "average", "weights")
    weighted = elementwise.multiply(to_inexact(as_array(x, "average")), weights)
    weights = broadcast(as_dtype_array(weights, weighted.dtype, "average", "weights"), weighted.shape)
    return elementwise.divide(sum(weighted, axis, keepdims=keepdims), sum(weights, axis, keepdims=keepdims))


def degrees_subtracted(function: str, correction: Any, ddof: Any) -> float:
    """The correction, by whichever name it was given."""
    value, argument = (correction, "correction") if ddof is None else (ddof, "ddof")
    if not isinstance(value, (int, float)):
        raise TypeError(f"{function}: {argument} must be a real number, got {describe(value)}")
    return value


def _variance(function: str, x: Any, axis: Axis, correction: float, keepdims: bool) -> tuple[Array, Dtype]:
    """The variance in the accumulator's dtype, in two passes: the mean is subtracted before squaring."""
    x = to_inexact(as_array(x, function))
    axes = normalize_axes(function, axis, x.ndim)
    result = real_dtype(x.dtype)
    x = convert(x, accumulator_dtype(x.dtype))
    centred = p.sub_p.bind(x, expand(_mean(x, axes, False), x.shape, axes))
    if x.dtype.kind == "c":
        squares = p.add_p.bind(
            p.square_p.bind(p.real_p.bind(centred)), p.square_p.bind(p.imag_p.bind(centred))
        )
    else:
        squares = p.square_p.bind(centred)
    total = reduce(p.reduce_sum_p, squares, axes, keepdims)
    freedom = count(x.shape, axes) - correction
    return p.div_p.bind(total, constant_like(total, freedom if freedom > 0 else 0)), result


@streamed
def var(
    x: Any,
    /,
    axis: Axis = None,
    keepdims: bool = False,
    correction: float = 0.0,
    *,
    ddof: float | None = None,
    stream: Any = None,
) -> Array:
    """The variance over axes (all if None).

    Args:
        correction: subtracted from the number of elements that is divided by; `ddof` is NumPy's name of it.

    >>> ft.var(ft.array([1.0, 2.0, 3.0]), correction=1)
    array(1, dtype=float32)
    """
    variance, dtype = _variance("var", x, axis, degrees_subtracted("var", correction, ddof), keepdims)
    return convert(variance, dtype)


@streamed
def std(
    x: Any,
    /,
    axis: Axis = None,
    keepdims: bool = False,
    correction: float = 0.0,
    *,
    ddof: float | None = None,
    stream: Any = None,
) -> Array:
    """The standard deviation over axes; arguments as of `var`.

    >>> ft.std(ft.array([1.0, 3.0]))
    array(1, dtype=float32)
    """
    variance, dtype = _variance("std", x, axis, degrees_subtracted("std", correction, ddof), keepdims)
    return convert(p.sqrt_p.bind(variance), dtype)


@streamed
def median(x: Any, /, axis: Axis = None, keepdims: bool = False, *, stream: Any = None) -> Array:
    """The middle value along axes (all if None), or the mean of the middle two; NaN if there is one.

    >>> ft.median(ft.array([3.0, 1.0, 2.0, 10.0]))
    array(2.5, dtype=float32)
    """
    x = to_inexact(as_array(x, "median"))
    axes = normalize_axes("median", axis, x.ndim)
    others = tuple(i for i in range(x.ndim) if i not in axes)
    shape = kept_shape(x.shape, axes) if keepdims else tuple(x.shape[i] for i in others)
    n = count(x.shape, axes)
    if n == 0:
        raise ValueError(f"median: no elements along axes {axes} of an array of shape {x.shape}")
    rows = reshape_to(_permuted(x, others + axes), (*[x.shape[i] for i in others], n))
    last = rows.ndim - 1
    (ordered,) = p.sort_p.bind(rows, axis=last, num_keys=1)
    middle = slice_axis(ordered, last, (n - 1) // 2, n // 2 + 1)
    value = convert(_mean(middle, (last,), False), x.dtype)
    has_nan = p.reduce_or_p.bind(p.is_nan_p.bind(rows), axes=(last,))
    value = p.select_p.bind(has_nan, constant_like(value, math.nan), value)
    return reshape_to(value, shape)


def _permuted(x: Array, permutation: tuple[int, ...]) -> Array:
    return x if permutation == tuple(range(x.ndim)) else p.transpose_p.bind(x, permutation=permutation)


amax, amin = max, min
