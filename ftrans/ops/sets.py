"""Arrays as sets: distinct elements, membership, unions and differences.

How many distinct elements there are depends on the values. On concrete arrays (under `grad` too) they are
looked at; under `jit` and `vmap` the number must be given as `size`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .. import primitives as p
from .._native import Array, int32
from ..interop import asarray
from .creation import iota
from .joining import concat
from .manipulation import moveaxis, slice_axis
from .operands import (
    as_array,
    as_dtype_array,
    as_integer,
    broadcast,
    constant_like,
    convert,
    normalize_axis,
    promote,
    require_kinds,
    reshape_to,
)
from .searching import count_below, flatnonzero, host_values
from .streams import streamed
from .taking import take

__all__ = [
    "intersect1d",
    "isin",
    "setdiff1d",
    "setxor1d",
    "union1d",
    "unique",
    "unique_all",
    "unique_counts",
    "unique_inverse",
    "unique_values",
]


@streamed
def isin(x: Any, values: Any, /, *, invert: bool = False, stream: Any = None) -> Array:
    """Whether each element of `x` is among `values` (is not, if `invert`).

    >>> ft.isin(ft.array([1, 2, 3]), ft.array([3, 1]))
    array([True, False, True], dtype=bool)
    """
    x, values, dtype = promote("isin", x, values, names=("x", "values"))
    values = reshape_to(values, (values.size,))
    if values.size == 0:
        found = broadcast(p.ne_p.bind(constant_like(x, 0), constant_like(x, 0)), x.shape)
    elif dtype.kind == "c":  # complex numbers have no order to search in
        shape = (*x.shape, values.size)
        left = broadcast(reshape_to(x, (*x.shape, 1)), shape)
        found = p.reduce_or_p.bind(p.eq_p.bind(left, broadcast(values, shape)), axes=(x.ndim,))
    else:
        (ordered,) = p.sort_p.bind(values, axis=0, num_keys=1)
        found = p.eq_p.bind(take(ordered, count_below(ordered, x, inclusive=False)), x)
    return p.not_p.bind(found) if invert else found


class UniqueAll(NamedTuple):
    """The result of `unique_all`."""

    values: Array
    indices: Array
    inverse_indices: Array
    counts: Array


class UniqueCounts(NamedTuple):
    """The result of `unique_counts`."""

    values: Array
    counts: Array


class UniqueInverse(NamedTuple):
    """The result of `unique_inverse`."""

    values: Array
    inverse_indices: Array


def _differ(left: Array, right: Array, equal_nan: bool) -> Array:
    differ = p.ne_p.bind(left, right)
    if not equal_nan or left.dtype.kind not in "fc":
        return differ
    return p.and_p.bind(differ, p.not_p.bind(p.and_p.bind(p.is_nan_p.bind(left), p.is_nan_p.bind(right))))


def _sort_keys(x: Array) -> list[Array]:
    """Real arrays that order the elements of `x`: complex numbers go by real, then by imaginary part."""
    return [p.real_p.bind(x), p.imag_p.bind(x)] if x.dtype.kind == "c" else [x]


def _ordered(rows: Array, equal_nan: bool) -> tuple[Array, Array]:
    """The stable order that sorts the rows (n, k), and which in that order are the first of their kind."""
    n, width = rows.shape
    columns = [reshape_to(slice_axis(rows, 1, k, k + 1), (n,)) for k in range(width)]
    keys = [key for column in columns for key in _sort_keys(column)]
    order = p.sort_p.bind(*keys, iota(n), axis=0, num_keys=len(keys))[-1] if keys else iota(n)
    ordered = take(rows, order, axis=0, mode="promise_in_bounds")
    different = _differ(
        slice_axis(ordered, 0, min(1, n), n), slice_axis(ordered, 0, 0, max(n - 1, 0)), equal_nan
    )
    first = broadcast(constant_like(different, True), (min(1, n),))
    return order, concat([first, p.reduce_or_p.bind(different, axes=(1,))])


class _Distinct(NamedTuple):
    values: Array
    indices: Array
    inverse: Array
    counts: Array


def _fill(function: str, fill_value: Any, x: Array) -> Array:
    fill = as_dtype_array(fill_value, x.dtype, function, "fill_value")
    if fill.ndim:
        raise ValueError(f"{function}: fill_value must be a scalar, got shape {fill.shape}")
    return fill


def _distinct(
    function: str,
    x: Array,
    axis: int | None,
    size: int | None,
    fill_value: Any,
    equal_nan: bool,
) -> _Distinct:
    """The distinct elements (or slices along an axis), where they are first, which each is, and how many."""
    shape = x.shape
    if axis is None:
        slices = rows = reshape_to(x, (x.size, 1))
    else:
        slices = moveaxis(x, axis, 0)
        width = slices.size // slices.shape[0] if slices.shape[0] else 0
        rows = reshape_to(slices, (slices.shape[0], width))
    n = rows.shape[0]
    order, first = _ordered(rows, equal_nan)
    if size is None:
        known = host_values(first, function, f"give size=, their number: ft.{function}(x, size=n)")
        size = int(known.sum())
    else:
        size = as_integer(size, function, "size", least=0)
    starts = flatnonzero(first, size=size, fill_value=n)
    missing = p.eq_p.bind(starts, constant_like(starts, n))
    indices = take(order, starts, mode="clip") if n else starts
    end = broadcast(constant_like(starts, n), (min(1, size),))
    counts = p.sub_p.bind(concat([slice_axis(starts, 0, min(1, size), size), end]), starts)
    if n and size:
        values = take(slices, indices, axis=0, mode="promise_in_bounds")
        least = slice_axis(values, 0, 0, 1)
        ranks = p.cumsum_p.bind(convert(first, int32), axis=0, reverse=False)
        ranks = p.min_p.bind(p.sub_p.bind(ranks, constant_like(ranks, 1)), constant_like(ranks, size - 1))
        inverse = iota(n).at[order].set(ranks, unique_indices=True)
    else:
        values = broadcast(constant_like(x, 0), (size, *slices.shape[1:]))
        least = constant_like(x, 0)
        inverse = broadcast(constant_like(order, 0), (n,))
    fill = least if fill_value is None else _fill(function, fill_value, x)
    absent = broadcast(reshape_to(missing, (size,) + (1,) * (values.ndim - 1)), values.shape)
    values = p.select_p.bind(absent, broadcast(fill, values.shape), values)
    if axis is None:
        values, inverse = reshape_to(values, (size,)), reshape_to(inverse, shape)
    else:
        values = moveaxis(values, 0, axis)
    return _Distinct(values, indices, inverse, counts)


@streamed
def unique(
    x: Any,
    /,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    *,
    equal_nan: bool = True,
    size: int | None = None,
    fill_value: Any = None,
    stream: Any = None,
) -> Array | tuple[Array, ...]:
    """The sorted distinct elements of `x`; or, with `axis`, its distinct slices along that axis.

    Args:
        return_index: also the int32 indices of their first occurrences.
        return_inverse: also, in `x`'s shape (or along the axis), which of them each element is, int32.
        return_counts: also how often each occurs, int32.
        axis: None for the elements of the flattened array.
        equal_nan: whether NaN are the same.
        size: how many to return; must be given under `jit` and `vmap`, where the number is not known. The
            greatest are dropped, and missing ones are `fill_value` (the least element by default), with
            count 0.

    Returns:
        The distinct elements, or a tuple of them and of what else was asked for.

    Raises:
        ConcretizationError: `x` has no values yet and `size` is not given.

    >>> ft.unique(ft.array([3, 1, 3]), return_counts=True)
    (array([1, 3], dtype=int32), array([1, 2], dtype=int32))
    >>> ft.jit(lambda x: ft.unique(x, size=3))(ft.array([3, 1, 3]))
    array([1, 3, 1], dtype=int32)
    """
    x = as_array(x, "unique")
    if axis is not None:
        axis = normalize_axis("unique", axis, x.ndim)
    found = _distinct("unique", x, axis, size, fill_value, equal_nan)
    wanted = (return_index, return_inverse, return_counts)
    extra = [a for a, asked in zip(found[1:], wanted, strict=True) if asked]
    return (found.values, *extra) if extra else found.values


def _unique(function: str, x: Any, size: int | None, fill_value: Any) -> _Distinct:
    """As the array API standard says: every NaN is distinct."""
    return _distinct(function, as_array(x, function), None, size, fill_value, equal_nan=False)


@streamed
def unique_values(x: Any, /, *, size: int | None = None, fill_value: Any = None, stream: Any = None) -> Array:
    """The sorted distinct elements of `x`; each NaN is distinct. `size` and `fill_value` as of `unique`.

    >>> ft.unique_values(ft.array([3, 1, 3]))
    array([1, 3], dtype=int32)
    """
    return _unique("unique_values", x, size, fill_value).values


@streamed
def unique_counts(
    x: Any, /, *, size: int | None = None, fill_value: Any = None, stream: Any = None
) -> UniqueCounts:
    """The sorted distinct elements of `x` and how often each occurs; arguments as of `unique_values`.

    >>> ft.unique_counts(ft.array([3, 1, 3])).counts
    array([1, 2], dtype=int32)
    """
    found = _unique("unique_counts", x, size, fill_value)
    return UniqueCounts(found.values, found.counts)


@streamed
def unique_inverse(
    x: Any, /, *, size: int | None = None, fill_value: Any = None, stream: Any = None
) -> UniqueInverse:
    """The sorted distinct elements of `x` and, in `x`'s shape, which of them each element is.

    >>> ft.unique_inverse(ft.array([3, 1, 3])).inverse_indices
    array([1, 0, 1], dtype=int32)
    """
    found = _unique("unique_inverse", x, size, fill_value)
    return UniqueInverse(found.values, found.inverse)


@streamed
def unique_all(
    x: Any, /, *, size: int | None = None, fill_value: Any = None, stream: Any = None
) -> UniqueAll:
    """The sorted distinct elements, their first flat indices, the inverse indices and the counts.

    >>> ft.unique_all(ft.array([3, 1, 3])).indices
    array([1, 0], dtype=int32)
    """
    return UniqueAll(*_unique("unique_all", x, size, fill_value))


def _chosen(function: str, x: Array, keep: Array, size: int | None, fill_value: Any) -> Array:
    """The elements of a sorted vector that are the first of their kind and to be kept."""
    _, first = _ordered(reshape_to(x, (x.size, 1)), equal_nan=True)
    keep = p.and_p.bind(first, keep)
    if size is None:
        known = host_values(keep, function, f"give size=, their number: ft.{function}(x1, x2, size=n)")
        size = int(known.sum())
    else:
        size = as_integer(size, function, "size", least=0)
    places = flatnonzero(keep, size=size, fill_value=x.size)
    if not x.size:
        return broadcast(
            constant_like(x, 0) if fill_value is None else _fill(function, fill_value, x), (size,)
        )
    values = take(x, places, mode="clip")
    missing = p.eq_p.bind(places, constant_like(places, x.size))
    least = reshape_to(slice_axis(values, 0, 0, 1), ()) if size else constant_like(values, 0)
    fill = least if fill_value is None else _fill(function, fill_value, x)
    return p.select_p.bind(missing, broadcast(fill, values.shape), values)


def _two_sets(function: str, x1: Any, x2: Any) -> tuple[Array, Array]:
    x1, x2, _ = promote(function, x1, x2)
    require_kinds(function, x1, "biuf", "a real", "x1")
    return reshape_to(x1, (x1.size,)), reshape_to(x2, (x2.size,))


def _sorted(x: Array) -> Array:
    return p.sort_p.bind(x, axis=0, num_keys=1)[0]


@streamed
def union1d(
    x1: Any, x2: Any, /, *, size: int | None = None, fill_value: Any = None, stream: Any = None
) -> Array:
    """The sorted distinct elements of two arrays. `size` and `fill_value` as of `unique`.

    >>> ft.union1d(ft.array([1, 2]), ft.array([3, 2]))
    array([1, 2, 3], dtype=int32)
    """
    both = _sorted(concat(_two_sets("union1d", x1, x2)))
    return _chosen("union1d", both, asarray(True), size, fill_value)


@streamed
def intersect1d(
    x1: Any, x2: Any, /, *, size: int | None = None, fill_value: Any = None, stream: Any = None
) -> Array:
    """The sorted distinct elements that are in both arrays. `size` and `fill_value` as of `unique`.

    >>> ft.intersect1d(ft.array([1, 2]), ft.array([3, 2]))
    array([2], dtype=int32)
    """
    x1, x2 = _two_sets("intersect1d", x1, x2)
    ordered = _sorted(x1)
    return _chosen("intersect1d", ordered, isin(ordered, x2), size, fill_value)


@streamed
def setdiff1d(
    x1: Any, x2: Any, /, *, size: int | None = None, fill_value: Any = None, stream: Any = None
) -> Array:
    """The sorted distinct elements of `x1` that are not in `x2`. `size` and `fill_value` as of `unique`.

    >>> ft.setdiff1d(ft.array([1, 2]), ft.array([3, 2]))
    array([1], dtype=int32)
    """
    x1, x2 = _two_sets("setdiff1d", x1, x2)
    ordered = _sorted(x1)
    return _chosen("setdiff1d", ordered, isin(ordered, x2, invert=True), size, fill_value)


@streamed
def setxor1d(
    x1: Any, x2: Any, /, *, size: int | None = None, fill_value: Any = None, stream: Any = None
) -> Array:
    """The sorted distinct elements that are in just one of two arrays; `size`, `fill_value` as of `unique`.

    >>> ft.setxor1d(ft.array([1, 2]), ft.array([3, 2]))
    array([1, 3], dtype=int32)
    """
    x1, x2 = _two_sets("setxor1d", x1, x2)
    both = _sorted(concat([x1, x2]))
    return _chosen("setxor1d", both, p.xor_p.bind(isin(both, x1), isin(both, x2)), size, fill_value)
