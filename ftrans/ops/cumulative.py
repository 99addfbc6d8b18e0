"""Cumulative sums, products, extremes, and differences."""

from __future__ import annotations

import math
from typing import Any

from .. import primitives as p
from .._native import Array, bool_, uint8
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
from .promotion import as_dtype
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
    initial: bool,
) -> Array:
    result = sum_dtype(x.dtype) if dtype is None else as_dtype(dtype, function)
    out = primitive.bind(convert(x, accumulator_dtype(result)), axis=axis, reverse=bool(reverse))
    out = convert(out, result)
    if not initial:
        return out
    shape = tuple(1 if i == axis else extent for i, extent in enumerate(x.shape))
    first = broadcast(constant_like(out, start), shape)
    return p.concatenate_p.bind(*((out, first) if reverse else (first, out)), axis=axis)


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
    *,
    axis: int | None = None,
    dtype: Any = None,
    include_initial: bool = False,
    stream: Any = None,
) -> Array:
    """The running sum along an axis, which must be given unless `x` is a vector.

    Args:
        dtype: as of `sum`.
        include_initial: whether the result starts with 0 and is longer by one.

    >>> ft.cumulative_sum(ft.array([1, 2, 3]), include_initial=True)
    array([0, 1, 3, 6], dtype=int32)
    """
    x, axis = _standard_axis("cumulative_sum", x, axis)
    return _cumulate("cumulative_sum", p.cumsum_p, 0, x, axis, dtype, False, include_initial)


@streamed
def cumulative_prod(
    x: Any,
    /,
    *,
    axis: int | None = None,
    dtype: Any = None,
    include_initial: bool = False,
    stream: Any = None,
) -> Array:
    """The running product along an axis; arguments as of `cumulative_sum`.

    >>> ft.cumulative_prod(ft.array([1, 2, 3]))
    array([1, 2, 6], dtype=int32)
    """
    x, axis = _standard_axis("cumulative_prod", x, axis)
    return _cumulate("cumulative_prod", p.cumprod_p, 1, x, axis, dtype, False, include_initial)


@streamed
def cumsum(
    x: Any, /, axis: int | None = None, *, reverse: bool = False, dtype: Any = None, stream: Any = None
) -> Array:
    """The running sum along an axis (of the flattened array if None), from the end if `reverse`.

    >>> ft.cumsum(ft.array([1, 2, 3]))
    array([1, 3, 6], dtype=int32)
    """
    return _cumulate("cumsum", p.cumsum_p, 0, *_flat("cumsum", x, axis), dtype, reverse, False)


@streamed
def cumprod(
    x: Any, /, axis: int | None = None, *, reverse: bool = False, dtype: Any = None, stream: Any = None
) -> Array:
    """The running product along an axis (of the flattened array if None), from the end if `reverse`.

    >>> ft.cumprod(ft.array([1, 2, 3]))
    array([1, 2, 6], dtype=int32)
    """
    return _cumulate("cumprod", p.cumprod_p, 1, *_flat("cumprod", x, axis), dtype, reverse, False)


def _running_extreme(function: str, primitive: Primitive, x: Any, axis: int | None, reverse: bool) -> Array:
    x, axis = _flat(function, x, axis)
    require_kinds(function, x, "biuf", "a real")
    reverse = bool(reverse)
    if x.dtype is bool_:
        return convert(primitive.bind(convert(x, uint8), axis=axis, reverse=reverse), bool_)
    return primitive.bind(x, axis=axis, reverse=reverse)


@streamed
def cummax(x: Any, /, axis: int | None = None, *, reverse: bool = False, stream: Any = None) -> Array:
    """The greatest element so far along an axis (of the flattened array if None).

    >>> ft.cummax(ft.array([1, 3, 2]))
    array([1, 3, 3], dtype=int32)
    """
    return _running_extreme("cummax", p.cummax_p, x, axis, reverse)


@streamed
def cummin(x: Any, /, axis: int | None = None, *, reverse: bool = False, stream: Any = None) -> Array:
    """The least element so far along an axis (of the flattened array if None).

    >>> ft.cummin(ft.array([3, 1, 2]))
    array([3, 1, 1], dtype=int32)
    """
    return _running_extreme("cummin", p.cummin_p, x, axis, reverse)


@streamed
def logcumsumexp(x: Any, /, axis: int | None = None, *, reverse: bool = False, stream: Any = None) -> Array:
    """log(cumsum(exp(x))) along an axis (of the flattened array if None) without overflow or cancellation.

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
    return x


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
