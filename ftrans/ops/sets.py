"""Arrays as sets: distinct elements, membership."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .. import primitives as p
from .._native import Array
from ..interop import asarray
from .operands import as_array, broadcast, promote, reshape_to
from .searching import host_values
from .streams import streamed

__all__ = [
    "isin",
    "unique_all",
    "unique_counts",
    "unique_inverse",
    "unique_values",
]


@streamed
def isin(x: Any, values: Any, /, *, invert: bool = False, stream: Any = None) -> Array:
    """Whether each element of `x` is among `values`.

    >>> ft.isin(ft.array([1, 2, 3]), ft.array([3, 1]))
    array([True, False, True], dtype=bool)
    """
    x, values, _ = promote("isin", x, values)
    shape = (*x.shape, values.size)
    left = broadcast(reshape_to(x, (*x.shape, 1)), shape)
    right = broadcast(reshape_to(values, (values.size,)), shape)
    found = p.reduce_or_p.bind(p.eq_p.bind(left, right), axes=(x.ndim,))
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


def _unique(function: str, x: Any) -> list[Array]:
    values = host_values(as_array(x, function), function, "call it outside of the transformed function")
    unique, first, inverse, counts = np.unique(
        values, return_index=True, return_inverse=True, return_counts=True, equal_nan=False
    )
    indices = [a.astype(np.int32) for a in (first, inverse.reshape(values.shape), counts)]
    return [asarray(a) for a in (unique, *indices)]


@streamed
def unique_values(x: Any, /, *, stream: Any = None) -> Array:
    """The sorted distinct elements of `x`, whose values must be known; each NaN is distinct.

    >>> ft.unique_values(ft.array([3, 1, 3]))
    array([1, 3], dtype=int32)
    """
    return _unique("unique_values", x)[0]


@streamed
def unique_counts(x: Any, /, *, stream: Any = None) -> UniqueCounts:
    """The sorted distinct elements of `x` and how often each occurs.

    >>> ft.unique_counts(ft.array([3, 1, 3])).counts
    array([1, 2], dtype=int32)
    """
    values, _, _, counts = _unique("unique_counts", x)
    return UniqueCounts(values, counts)


@streamed
def unique_inverse(x: Any, /, *, stream: Any = None) -> UniqueInverse:
    """The sorted distinct elements of `x` and, in `x`'s shape, which of them each element is.

    >>> ft.unique_inverse(ft.array([3, 1, 3])).inverse_indices
    array([1, 0, 1], dtype=int32)
    """
    values, _, inverse, _ = _unique("unique_inverse", x)
    return UniqueInverse(values, inverse)


@streamed
def unique_all(x: Any, /, *, stream: Any = None) -> UniqueAll:
    """The sorted distinct elements, their first flat indices, the inverse indices and the counts.

    >>> ft.unique_all(ft.array([3, 1, 3])).indices
    array([1, 0], dtype=int32)
    """
    return UniqueAll(*_unique("unique_all", x))
