"""Sorting: the array API standard's functions, and `topk`."""

from __future__ import annotations

from typing import Any

from .. import primitives as p
from .._native import Array, int32
from .manipulation import slice_axis
from .operands import as_array, as_arrays, as_integer, as_integers, normalize_axis, require_kinds, reshape_to
from .streams import streamed

__all__ = ["argpartition", "argsort", "lexsort", "partition", "sort", "topk"]


def _prepared(function: str, x: Any, axis: int | None) -> tuple[Array, int]:
    x = as_array(x, function)
    require_kinds(function, x, "biuf", "a real")
    if axis is None:
        return reshape_to(x, (x.size,)), 0
    return x, normalize_axis(function, axis, x.ndim)


@streamed
def sort(
    x: Any, /, axis: int | None = -1, *, descending: bool = False, stable: bool = True, stream: Any = None
) -> Array:
    """`x` sorted along an axis (flattened if None). NaN counts as greater than all numbers.

    >>> ft.sort(ft.array([3, 1, 2]), descending=True)
    array([3, 2, 1], dtype=int32)
    """
    x, axis = _prepared("sort", x, axis)
    (ordered,) = p.sort_p.bind(x, axis=axis, num_keys=1)
    return p.rev_p.bind(ordered, axes=(axis,)) if descending else ordered


@streamed
def argsort(
    x: Any, /, axis: int | None = -1, *, descending: bool = False, stable: bool = True, stream: Any = None
) -> Array:
    """The int32 indices that sort `x` along an axis. Equal elements keep their order, descending too.

    >>> ft.argsort(ft.array([3, 1, 2]))
    array([1, 2, 0], dtype=int32)
    """
    return _argsort(*_prepared("argsort", x, axis), descending)


def _argsort(x: Array, axis: int, descending: bool) -> Array:
    index = p.iota_p.bind(shape=x.shape, dtype=int32, dimension=axis)
    if not descending:
        return p.sort_p.bind(x, index, axis=axis, num_keys=1)[1]
    # Sorting the reversed array and reversing the result keeps the order of equal elements.
    keys, reversed_index = p.rev_p.bind(x, axes=(axis,)), p.rev_p.bind(index, axes=(axis,))
    return p.rev_p.bind(p.sort_p.bind(keys, reversed_index, axis=axis, num_keys=1)[1], axes=(axis,))


@streamed
def lexsort(keys: Any, /, *, axis: int = -1, stream: Any = None) -> Array:
    """The indices that sort by several keys of one shape, the last of which matters most.

    >>> ft.lexsort((ft.array([2, 1, 1]), ft.array([0, 1, 0])))
    array([2, 0, 1], dtype=int32)
    """
    arrays = as_arrays(keys, "lexsort", "keys")
    if not arrays or any(k.shape != arrays[0].shape for k in arrays):
        raise ValueError(
            f"lexsort: keys must be arrays of one shape, got {', '.join(str(k.shape) for k in arrays)}"
        )
    axis = normalize_axis("lexsort", axis, arrays[0].ndim)
    index = p.iota_p.bind(shape=arrays[0].shape, dtype=int32, dimension=axis)
    return p.sort_p.bind(*reversed(arrays), index, axis=axis, num_keys=len(arrays))[-1]


@streamed
def topk(x: Any, k: int, /, axis: int | None = -1, *, stream: Any = None) -> Array:
    """The k greatest elements along an axis, the greatest first.

    Args:
        x: an array of real numbers; NaN counts as greater than all others.
        k: how many, at most the extent of the axis.
        axis: None takes them from the flattened array.
        stream: the Stream or Device to run on.

    Raises:
        ValueError: `k` is negative or greater than the extent of the axis.

    >>> ft.topk(ft.array([1.0, 3.0, 2.0]), 2)
    array([3, 2], dtype=float32)
    """
    x, axis = _prepared("topk", x, axis)
    k, extent = as_integer(k, "topk", "k"), x.shape[axis]
    if not 0 <= k <= extent:
        raise ValueError(f"topk: k must be between 0 and the extent {extent} of axis {axis}, got {k}")
    (ordered,) = p.sort_p.bind(x, axis=axis, num_keys=1)
    return p.rev_p.bind(slice_axis(ordered, axis, extent - k, extent), axes=(axis,))


def _check_kth(function: str, x: Array, kth: Any, axis: int) -> None:
    extent = x.shape[axis]
    for k in as_integers(kth, function, "kth"):
        if not -extent <= k < extent:
            raise ValueError(f"{function}: kth {k} is out of range for axis {axis} of extent {extent}")


@streamed
def partition(x: Any, kth: Any, /, axis: int | None = -1, *, stream: Any = None) -> Array:
    """`x` with its kth smallest element along an axis in place, none greater before it and none less behind.

    The elements on either side come sorted, which nothing should depend on.

    Args:
        kth: an int, or a sequence of ints; negative ones count from the end.
        axis: None partitions the flattened array.

    Raises:
        ValueError: `kth` is out of range.

    >>> ft.partition(ft.array([3, 1, 2]), 1)[1]
    array(2, dtype=int32)
    """
    x, axis = _prepared("partition", x, axis)
    _check_kth("partition", x, kth, axis)
    return p.sort_p.bind(x, axis=axis, num_keys=1)[0]


@streamed
def argpartition(x: Any, kth: Any, /, axis: int | None = -1, *, stream: Any = None) -> Array:
    """The int32 indices that `partition` `x`; arguments as there.

    >>> ft.argpartition(ft.array([3, 1, 2]), 1)[1]
    array(2, dtype=int32)
    """
    x, axis = _prepared("argpartition", x, axis)
    _check_kth("argpartition", x, kth, axis)
    return _argsort(x, axis, descending=False)
