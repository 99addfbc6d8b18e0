"""Functions of vectors applied along an axis of an array."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._native import Array, user_function
from ..ops.manipulation import moveaxis
from ..ops.operands import as_array, normalize_axis, reshape_to
from .vmap import vmap


@user_function
def apply_along_axis(
    function: Callable[..., Any], axis: int, x: Any, /, *args: Any, **keywords: Any
) -> Array:
    """Apply a function of a vector to each of those along an axis of `x`, by `vmap`.

    Args:
        function: takes a vector (and `args`, `keywords`) and returns an array.
        axis: along which the vectors lie; the axes of their results take its place.
        x: an array.

    Raises:
        TypeError: `function` cannot be called, or `x` is no array.
        ValueError: the axis is out of range.

    >>> ft.apply_along_axis(lambda v: v[::-1], 0, ft.array([[1, 2], [3, 4]]))
    array([[3, 4],
           [1, 2]], dtype=int32)
    """
    if not callable(function):
        raise TypeError(f"apply_along_axis: function must be callable, got {type(function).__name__}")
    x = as_array(x, "apply_along_axis")
    axis = normalize_axis("apply_along_axis", axis, x.ndim)
    rows = moveaxis(x, axis, -1)
    outer = rows.shape[:-1]
    n = rows.ndim - 1

    def applied(row: Array) -> Array:
        return as_array(function(row, *args, **keywords), "apply_along_axis", "the result of the function")

    for _ in range(n):
        applied = vmap(applied)
    results = applied(rows)
    inner = results.ndim - n
    if not inner:
        return reshape_to(results, outer)
    places = tuple(range(axis, axis + inner))
    return moveaxis(results, tuple(range(n, n + inner)), places)
