"""Cumulative sums, products, extremes, and differences."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .. import primitives as p
from .._native import Array, Dtype, bool_, uint8
from ..core.primitive import Primitive
from .joining import concat
from .manipulation import slice_axis
from .operands import (
    as_array,
    as_integer,
    broadcast,
    constant_like,
    convert,
    normalize_axis,
    require_kinds,
    reshape_to,
    to_inexact,
)
from .promotion import as_dtype, integer_bounds
from .statistical import accumulator_dtype, sum_dtype
from .streams import streamed

__all__ = [
    "cummax",
    "cummin",
    "cumprod",
    "cumsum",
    "cumulative_prod",
    "cumulative_sum",
    "diff",
    "logcumsumexp",
]


def _flat(function: str, x: Any, axis: int | None) -> tuple[Array, int]:
    x = as_array(x, function)
    if axis is None:
        return reshape_to(x, (x.size,)), 0
    return x, normalize_axis(function, axis, x.ndim)


def _cumulate(
    function: str,
    primitive: Primitive,
    start: int,
    x: Array,
    axis: int,
    dtype: Any,
    reverse: bool,
    initial: bool = False,
    inclusive: bool = True,
) -> Array:
    result = sum_dtype(x.dtype) if dtype is None else as_dtype(dtype, function)
    out = primitive.bind(convert(x, accumulator_dtype(result)), axis=axis, reverse=bool(reverse))
    out = convert(out, result)
    if initial:
        if not inclusive:
            raise ValueError(f"{function}: include_initial=True and inclusive=False exclude each other")
        return _with_initial(out, start, axis, reverse)
    return out if inclusive else _exclusive(out, start, axis, reverse)


def _with_initial(out: Array, start: complex, axis: int, reverse: bool) -> Array:
    """A running result with what there is before the first element."""
    shape = tuple(1 if i == axis else extent for i, extent in enumerate(out.shape))
    first = broadcast(constant_like(out, start), shape)
    return p.concatenate_p.bind(*((out, first) if reverse else (first, out)), axis=axis)


def _exclusive(out: Array, start: complex, axis: int, reverse: bool) -> Array:
    """A running result up to, but not with, each element."""
    extent = out.shape[axis]
    longer = _with_initial(out, start, axis, reverse)
    return slice_axis(longer, axis, 1, extent + 1) if reverse else slice_axis(longer, axis, 0, extent)


def _standard_axis(function: str, x: Any, axis: int | None) -> tuple[Array, int]:
    x = as_array(x, function)
    if axis is None:
        if x.ndim != 1:
            raise ValueError(f"{function}: axis must be given for an array of ndim {x.ndim}")
        return x, 0
    return x, normalize_axis(function, axis, x.ndim)


@streamed
def cumulative_sum(
    x: Any,
    /,
    axis: int | None = None,
    *,
    reverse: bool = False,
    inclusive: bool = True,
    dtype: Any = None,
    include_initial: bool = False,
    stream: Any = None,
) -> Array:
    """The running sum along an axis, which must be given unless `x` is a vector.

    Args:
        reverse, inclusive: as of `cumsum`.
        dtype: as of `sum`.
        include_initial: whether the result starts with 0 (ends with it if `reverse`) and is longer by one.

    >>> ft.cumulative_sum(ft.array([1, 2, 3]), include_initial=True)
    array([0, 1, 3, 6], dtype=int32)
    """
    x, axis = _standard_axis("cumulative_sum", x, axis)
    return _cumulate("cumulative_sum", p.cumsum_p, 0, x, axis, dtype, reverse, include_initial, inclusive)


@streamed
def cumulative_prod(
    x: Any,
    /,
    axis: int | None = None,
    *,
    reverse: bool = False,
    inclusive: bool = True,
    dtype: Any = None,
    include_initial: bool = False,
    stream: Any = None,
) -> Array:
    """The running product along an axis; arguments as of `cumulative_sum`.

    >>> ft.cumulative_prod(ft.array([1, 2, 3]))
    array([1, 2, 6], dtype=int32)
    """
    x, axis = _standard_axis("cumulative_prod", x, axis)
    return _cumulate("cumulative_prod", p.cumprod_p, 1, x, axis, dtype, reverse, include_initial, inclusive)


@streamed
def cumsum(
    x: Any,
    /,
    axis: int | None = None,
    *,
    reverse: bool = False,
    inclusive: bool = True,
    dtype: Any = None,
    stream: Any = None,
) -> Array:
    """The running sum along an axis (of the flattened array if None), from the end if `reverse`.

    Args:
        inclusive: whether the sum at an element counts it, or only those before.
        dtype: as of `sum`.

    >>> ft.cumsum(ft.array([1, 2, 3]))
    array([1, 3, 6], dtype=int32)
    """
    x, axis = _flat("cumsum", x, axis)
    return _cumulate("cumsum", p.cumsum_p, 0, x, axis, dtype, reverse, inclusive=inclusive)


@streamed
def cumprod(
    x: Any,
    /,
    axis: int | None = None,
    *,
    reverse: bool = False,
    inclusive: bool = True,
    dtype: Any = None,
    stream: Any = None,
) -> Array:
    """The running product along an axis (of the flattened array if None), from the end if `reverse`.

    Args:
        inclusive: whether the product at an element counts it, or only those before.
        dtype: as of `sum`.

    >>> ft.cumprod(ft.array([1, 2, 3]))
    array([1, 2, 6], dtype=int32)
    """
    x, axis = _flat("cumprod", x, axis)
    return _cumulate("cumprod", p.cumprod_p, 1, x, axis, dtype, reverse, inclusive=inclusive)


def _running_extreme(
    function: str,
    primitive: Primitive,
    start: Callable[[Dtype], float],
    x: Any,
    axis: int | None,
    reverse: bool,
    inclusive: bool,
) -> Array:
    x, axis = _flat(function, x, axis)
    require_kinds(function, x, "biuf", "a real")
    reverse = bool(reverse)
    numbers = convert(x, uint8) if x.dtype is bool_ else x
    out = primitive.bind(numbers, axis=axis, reverse=reverse)
    return convert(out if inclusive else _exclusive(out, start(out.dtype), axis, reverse), x.dtype)


def _least(dtype: Dtype) -> float:
    return -math.inf if dtype.kind == "f" else integer_bounds(dtype)[0]


def _greatest(dtype: Dtype) -> float:
    return math.inf if dtype.kind == "f" else integer_bounds(dtype)[1]


@streamed
def cummax(
    x: Any, /, axis: int | None = None, *, reverse: bool = False, inclusive: bool = True, stream: Any = None
) -> Array:
    """The greatest element so far along an axis (of the flattened array if None).

    Args:
        reverse: whether to go from the end.
        inclusive: whether an element counts at its own place; the least value of the dtype is before all.

    >>> ft.cummax(ft.array([1, 3, 2]))
    array([1, 3, 3], dtype=int32)
    """
    return _running_extreme("cummax", p.cummax_p, _least, x, axis, reverse, inclusive)


@streamed
def cummin(
    x: Any, /, axis: int | None = None, *, reverse: bool = False, inclusive: bool = True, stream: Any = None
) -> Array:
    """The least element so far along an axis (of the flattened array if None).

    Args:
        reverse: whether to go from the end.
        inclusive: whether an element counts at its own place; the greatest value of the dtype is before all.

    >>> ft.cummin(ft.array([3, 1, 2]))
    array([3, 1, 1], dtype=int32)
    """
    return _running_extreme("cummin", p.cummin_p, _greatest, x, axis, reverse, inclusive)


@streamed
def logcumsumexp(
    x: Any, /, axis: int | None = None, *, reverse: bool = False, inclusive: bool = True, stream: Any = None
) -> Array:
    """log(cumsum(exp(x))) along an axis (of the flattened array if None) without overflow or cancellation.

    Args:
        reverse: whether to go from the end.
        inclusive: whether an element counts at its own place, or only those before.

    >>> ft.logcumsumexp(ft.array([0.0, 1000.0]))
    array([0, 1000], dtype=float32)
    """
    x, axis = _flat("logcumsumexp", x, axis)
    x = to_inexact(x)
    require_kinds("logcumsumexp", x, "f", "a real")
    nothing = constant_like(x, -math.inf)
    extent, distance = x.shape[axis], 1
    while distance < extent:  # each step doubles how many terms every element has gathered
        low, high = [0] * x.ndim, [0] * x.ndim
        (high if reverse else low)[axis] = distance
        kept = slice_axis(x, axis, distance, extent) if reverse else slice_axis(x, axis, 0, extent - distance)
        earlier = p.pad_p.bind(kept, nothing, low=tuple(low), high=tuple(high), interior=(0,) * x.ndim)
        x = p.logaddexp_p.bind(x, earlier)
        distance *= 2
    return x if inclusive else _exclusive(x, -math.inf, axis, reverse)


@streamed
def diff(
    x: Any, /, n: int = 1, axis: int = -1, *, prepend: Any = None, append: Any = None, stream: Any = None
) -> Array:
    """The n-th difference of neighbours along an axis.

    Args:
        prepend, append: arrays, or numbers, that are joined to `x` first.

    >>> ft.diff(ft.array([1, 4, 9]))
    array([3, 5], dtype=int32)
    """
    x = as_array(x, "diff")
    axis = normalize_axis("diff", axis, x.ndim)
    n = as_integer(n, "diff", "n", least=0)
    single = tuple(1 if i == axis else extent for i, extent in enumerate(x.shape))

    def joined(part: Any, argument: str) -> Array:
        part = as_array(part, "diff", argument)
        return part if part.ndim else broadcast(part, single)

    parts = [
        joined(part, name)
        for part, name in ((prepend, "prepend"), (x, "x"), (append, "append"))
        if part is not None
    ]
    if len(parts) > 1:
        x = concat(parts, axis=axis)
    difference = p.xor_p if x.dtype is bool_ else p.sub_p
    for _ in range(min(n, x.shape[axis])):
        extent = x.shape[axis]
        x = difference.bind(slice_axis(x, axis, 1, extent), slice_axis(x, axis, 0, extent - 1))
    return x
