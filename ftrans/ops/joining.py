"""Joining arrays, and cutting them apart."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from .._native import Array
from ..primitives import concatenate_p
from .manipulation import atleast_1d, atleast_2d, slice_axis
from .operands import (
    as_array,
    as_arrays,
    convert,
    normalize_axis,
    promoted_dtype,
    reshape_to,
)
from .streams import streamed

__all__ = [
    "concat",
    "concatenate",
    "hstack",
    "split",
    "stack",
    "unstack",
    "vstack",
]


def _promote_all(function: str, arrays: Any, dtype: Any = None) -> list[Array]:
    operands = as_arrays(arrays, function)
    if not operands:
        raise ValueError(f"{function}: at least one array is needed")
    common = promoted_dtype(function, *operands) if dtype is None else dtype
    return [convert(x, common) for x in operands]


@streamed
def concat(arrays: Any, /, axis: int | None = 0, *, stream: Any = None) -> Array:
    """The arrays one after the other along an existing axis; flattened first if `axis` is None.

    Raises:
        ValueError: there are no arrays, or they differ in another axis.

    >>> ft.concat([ft.array([1]), ft.array([2, 3])])
    array([1, 2, 3], dtype=int32)
    """
    operands = _promote_all("concat", arrays)
    if axis is None:
        operands, axis = [reshape_to(x, (x.size,)) for x in operands], 0
    first = operands[0]
    axis = normalize_axis("concat", axis, first.ndim)
    for i, x in enumerate(operands):
        if x.ndim != first.ndim or any(
            a != b for k, (a, b) in enumerate(zip(x.shape, first.shape, strict=True)) if k != axis
        ):
            raise ValueError(
                f"concat: arrays must agree in all axes but axis {axis}; arrays[0] has shape {first.shape}, "
                f"arrays[{i}] {x.shape}"
            )
    return concatenate_p.bind(*operands, axis=axis) if len(operands) > 1 else first


@streamed
def stack(arrays: Any, /, axis: int = 0, *, stream: Any = None) -> Array:
    """Arrays of one shape joined along a new axis.

    >>> ft.stack([ft.array([1, 2]), ft.array([3, 4])], axis=1)
    array([[1, 3],
           [2, 4]], dtype=int32)
    """
    operands = _promote_all("stack", arrays)
    shape = operands[0].shape
    for i, x in enumerate(operands):
        if x.shape != shape:
            raise ValueError(
                f"stack: arrays must have one shape; arrays[0] has {shape}, arrays[{i}] {x.shape}"
            )
    axis = normalize_axis("stack", axis, len(shape) + 1)
    rows = [reshape_to(x, (*shape[:axis], 1, *shape[axis:])) for x in operands]
    return concatenate_p.bind(*rows, axis=axis) if len(rows) > 1 else rows[0]


@streamed
def hstack(arrays: Any, /, *, stream: Any = None) -> Array:
    """`concat` along the second axis (the first, for vectors).

    >>> ft.hstack([ft.array([1]), ft.array([2])])
    array([1, 2], dtype=int32)
    """
    operands = [atleast_1d(x) for x in as_arrays(arrays, "hstack")]
    return concat(operands, axis=1 if operands and operands[0].ndim > 1 else 0)


@streamed
def vstack(arrays: Any, /, *, stream: Any = None) -> Array:
    """`concat` along the first axis, vectors being rows.

    >>> ft.vstack([ft.array([1]), ft.array([2])]).shape
    (2, 1)
    """
    return concat([atleast_2d(x) for x in as_arrays(arrays, "vstack")], axis=0)


@streamed
def unstack(x: Any, /, *, axis: int = 0, stream: Any = None) -> tuple[Array, ...]:
    """The arrays that `stack` would join to `x`.

    >>> ft.unstack(ft.array([[1, 2], [3, 4]]))
    (array([1, 2], dtype=int32), array([3, 4], dtype=int32))
    """
    x = as_array(x, "unstack")
    axis = normalize_axis("unstack", axis, x.ndim)
    rest = (*x.shape[:axis], *x.shape[axis + 1 :])
    return tuple(reshape_to(slice_axis(x, axis, i, i + 1), rest) for i in range(x.shape[axis]))


@streamed
def split(x: Any, indices_or_sections: Any, /, axis: int = 0, *, stream: Any = None) -> list[Array]:
    """`x` cut along an axis: into so many equal parts (an int), or before these indices (a sequence of ints).

    Raises:
        ValueError: the axis does not divide into equal parts.

    >>> ft.split(ft.arange(4), 2)
    [array([0, 1], dtype=int32), array([2, 3], dtype=int32)]
    """
    x = as_array(x, "split")
    axis = normalize_axis("split", axis, x.ndim)
    extent = x.shape[axis]
    if isinstance(indices_or_sections, Sequence):
        cuts = [
            min(max(i + extent if i < 0 else i, 0), extent) for i in map(operator.index, indices_or_sections)
        ]
    else:
        parts = operator.index(indices_or_sections)
        if parts <= 0 or extent % parts:
            raise ValueError(
                f"split: axis {axis} of extent {extent} does not divide into {parts} equal parts"
            )
        cuts = list(range(extent // parts, extent, extent // parts)) if extent else [0] * (parts - 1)
    starts, stops = [0, *cuts], [*cuts, extent]
    return [slice_axis(x, axis, a, max(a, b)) for a, b in zip(starts, stops, strict=True)]


concatenate = concat
