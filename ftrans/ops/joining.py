"""Joining arrays, and cutting them apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._native import Array
from ..primitives import concatenate_p
from ._gather import take_static
from .manipulation import atleast_1d, atleast_2d, atleast_3d, moveaxis, slice_axis
from .operands import (
    as_array,
    as_arrays,
    as_dtype_array,
    as_integer,
    as_integers,
    broadcast,
    broadcast_shapes_of,
    convert,
    describe,
    normalize_axis,
    promoted_dtype,
    reshape_to,
)
from .searching import host_values
from .streams import streamed

__all__ = [
    "append",
    "array_split",
    "block",
    "column_stack",
    "concat",
    "concatenate",
    "delete",
    "dsplit",
    "dstack",
    "hsplit",
    "hstack",
    "insert",
    "split",
    "stack",
    "unstack",
    "vsplit",
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
    if isinstance(indices_or_sections, (tuple, list)):
        cuts = [
            min(max(i + extent if i < 0 else i, 0), extent)
            for i in as_integers(indices_or_sections, "split", "indices_or_sections")
        ]
    else:
        parts = as_integer(indices_or_sections, "split", "indices_or_sections")
        if parts <= 0 or extent % parts:
            raise ValueError(
                f"split: axis {axis} of extent {extent} does not divide into {parts} equal parts"
            )
        cuts = list(range(extent // parts, extent, extent // parts)) if extent else [0] * (parts - 1)
    starts, stops = [0, *cuts], [*cuts, extent]
    return [slice_axis(x, axis, a, max(a, b)) for a, b in zip(starts, stops, strict=True)]


@streamed
def dstack(arrays: Any, /, *, stream: Any = None) -> Array:
    """`concat` along the third axis; vectors (n,) count as (1, n, 1) and matrices (m, n) as (m, n, 1).

    >>> ft.dstack([ft.array([1, 2]), ft.array([3, 4])]).shape
    (1, 2, 2)
    """
    return concat([atleast_3d(x) for x in as_arrays(arrays, "dstack")], axis=2)


@streamed
def column_stack(arrays: Any, /, *, stream: Any = None) -> Array:
    """Vectors as the columns of a matrix; matrices are joined along their second axis.

    >>> ft.column_stack([ft.array([1, 2]), ft.array([3, 4])])
    array([[1, 3],
           [2, 4]], dtype=int32)
    """
    columns = [x if x.ndim >= 2 else reshape_to(x, (x.size, 1)) for x in as_arrays(arrays, "column_stack")]
    return concat(columns, axis=1)


@streamed
def block(arrays: Any, /, *, stream: Any = None) -> Array:
    """An array from nested lists of blocks: the innermost lists are joined along the last axis, and so on.

    >>> ft.block([[ft.ones((1, 2)), ft.zeros((1, 1))]])
    array([[1, 1, 0]], dtype=float32)
    """

    def depth(part: Any) -> int:
        return 1 + max(map(depth, part), default=0) if isinstance(part, list) else 0

    levels = depth(arrays)

    def joined(part: Any, level: int, ndim: int) -> Array:
        if level == levels:
            x = as_array(part, "block", "each of arrays")
            return reshape_to(x, (1,) * (ndim - x.ndim) + x.shape)
        if not isinstance(part, list) or not part:
            raise ValueError("block: lists must be nested equally deep everywhere, and not be empty")
        return concat([joined(inner, level + 1, ndim) for inner in part], axis=ndim - levels + level)

    def widest(part: Any) -> int:
        if isinstance(part, list):
            return max(map(widest, part), default=0)
        return as_array(part, "block", "each of arrays").ndim

    return joined(arrays, 0, max(levels, widest(arrays)))


@streamed
def append(x: Any, values: Any, /, axis: int | None = None, *, stream: Any = None) -> Array:
    """`x` with `values` behind it along an axis; both are flattened if `axis` is None.

    >>> ft.append(ft.array([1, 2]), ft.array([3]))
    array([1, 2, 3], dtype=int32)
    """
    operands = [as_array(x, "append"), as_array(values, "append", "values")]
    return concat(operands, axis=axis)


def _static_indices(indices: Any, extent: int, function: str, limit: int) -> np.ndarray:
    """Known indices (an int, a slice, a sequence of ints, a mask), not negative and below `limit`."""
    if isinstance(indices, slice):
        return np.arange(extent)[indices]
    if type(indices) is Array:
        indices = host_values(indices, function, "name them in static_argnums", "indices")
    positions = np.asarray(indices)
    if positions.dtype == np.bool_:
        if positions.shape != (extent,):
            raise IndexError(f"{function}: a mask of shape {positions.shape} does not fit extent {extent}")
        return np.flatnonzero(positions)
    if positions.ndim == 1 and not positions.size:
        positions = positions.astype(np.int64)  # [] has no dtype of its own
    if positions.dtype.kind not in "iu" or positions.ndim > 1:
        raise TypeError(
            f"{function}: indices must be an integer, a slice or integers, got {describe(indices)}"
        )
    if positions.size and not -extent <= positions.min() <= positions.max() < limit:
        raise IndexError(f"{function}: indices {indices} are out of range for extent {extent}")
    return np.where(positions < 0, positions + extent, positions)


@streamed
def insert(x: Any, indices: Any, values: Any, /, axis: int | None = None, *, stream: Any = None) -> Array:
    """`x` with `values` put before these positions along an axis (of the flattened array if None).

    Args:
        indices: known positions in `x`: an int, a slice, or a sequence of ints.
        values: broadcast to the shape of what is put in.

    Raises:
        IndexError: a position is out of range.
        ConcretizationError: the positions are traced: they decide where elements go, name them static.

    >>> ft.insert(ft.array([1, 2, 3]), 1, 9)
    array([1, 9, 2, 3], dtype=int32)
    """
    x = as_array(x, "insert")
    if axis is None:
        x, axis = reshape_to(x, (x.size,)), 0
    axis = normalize_axis("insert", axis, x.ndim)
    extent = x.shape[axis]
    before = _static_indices(indices, extent, "insert", extent + 1)
    values = as_dtype_array(values, x.dtype, "insert", "values")
    if before.ndim == 0 and values.ndim:  # as many rows as the values have, all before the one position
        values = reshape_to(values, (1,) * (x.ndim - values.ndim) + values.shape)
        values = moveaxis(values, 0, axis)
        before = np.full(values.shape[axis], before)
    before = np.atleast_1d(before)
    new_shape = (*x.shape[:axis], before.size, *x.shape[axis + 1 :])
    if broadcast_shapes_of("insert", values.shape, new_shape) != new_shape:
        raise ValueError(f"insert: values of shape {values.shape} do not broadcast to {new_shape}")
    # Each old and new element, by the position that it comes before; new ones go first.
    order = np.argsort(np.concatenate([before * 2, np.arange(extent) * 2 + 1]), kind="stable")
    joined = concatenate_p.bind(broadcast(values, new_shape), x, axis=axis)
    return take_static(joined, order, axis)


@streamed
def delete(x: Any, indices: Any, /, axis: int | None = None, *, stream: Any = None) -> Array:
    """`x` without the elements at these positions along an axis (of the flattened array if None).

    Args:
        indices: known positions: an int, a slice, a sequence of ints, or a mask.

    Raises:
        IndexError: a position is out of range.
        ConcretizationError: the positions are traced: they decide the shape of the result.

    >>> ft.delete(ft.array([1, 2, 3]), 1)
    array([1, 3], dtype=int32)
    """
    x = as_array(x, "delete")
    if axis is None:
        x, axis = reshape_to(x, (x.size,)), 0
    axis = normalize_axis("delete", axis, x.ndim)
    extent = x.shape[axis]
    kept = np.delete(np.arange(extent), _static_indices(indices, extent, "delete", extent))
    return take_static(x, kept, axis)


@streamed
def array_split(x: Any, indices_or_sections: Any, /, axis: int = 0, *, stream: Any = None) -> list[Array]:
    """As `split`, but the parts may be unequal: the first ones are longer by one.

    >>> [part.size for part in ft.array_split(ft.arange(5), 2)]
    [3, 2]
    """
    x = as_array(x, "array_split")
    if isinstance(indices_or_sections, (tuple, list)):
        return split(x, indices_or_sections, axis)
    parts = as_integer(indices_or_sections, "array_split", "indices_or_sections", least=1)
    axis = normalize_axis("array_split", axis, x.ndim)
    short, longer = divmod(x.shape[axis], parts)
    return split(x, [i * short + min(i, longer) for i in range(1, parts)], axis)


def _split_along(function: str, x: Any, indices_or_sections: Any, axis: int, least: int) -> list[Array]:
    x = as_array(x, function)
    if x.ndim < least:
        raise ValueError(f"{function}: x must have at least {least} dimensions, got shape {x.shape}")
    return split(x, indices_or_sections, axis)


@streamed
def hsplit(x: Any, indices_or_sections: Any, /, *, stream: Any = None) -> list[Array]:
    """`split` along the second axis (the first, of a vector).

    >>> [part.shape for part in ft.hsplit(ft.ones((2, 4)), 2)]
    [(2, 2), (2, 2)]
    """
    x = as_array(x, "hsplit")
    return _split_along("hsplit", x, indices_or_sections, 1 if x.ndim > 1 else 0, 1)


@streamed
def vsplit(x: Any, indices_or_sections: Any, /, *, stream: Any = None) -> list[Array]:
    """`split` along the first axis of an array of at least two.

    >>> [part.shape for part in ft.vsplit(ft.ones((2, 4)), 2)]
    [(1, 4), (1, 4)]
    """
    return _split_along("vsplit", x, indices_or_sections, 0, 2)


@streamed
def dsplit(x: Any, indices_or_sections: Any, /, *, stream: Any = None) -> list[Array]:
    """`split` along the third axis.

    >>> [part.shape for part in ft.dsplit(ft.ones((1, 2, 4)), 2)]
    [(1, 2, 2), (1, 2, 2)]
    """
    return _split_along("dsplit", x, indices_or_sections, 2, 3)


concatenate = concat
