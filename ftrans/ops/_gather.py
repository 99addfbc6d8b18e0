"""Gather and scatter along axes, as `indexing`, `searching` and `manipulation` use them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import primitives as p
from .._native import Array, int8, int32, int64
from ..interop import asarray
from .operands import as_dtype_array, broadcast, constant_like, convert, reshape_to
from .promotion import scalar

#: What happens to an index out of range; the numbers are the primitives'.
MODES = {"fill": 0, "drop": 0, "clip": 1, "promise_in_bounds": 2}


def mode_number(mode: str, function: str) -> int:
    """The primitives' number of a mode."""
    if mode not in MODES:
        raise ValueError(f"{function}: mode must be one of {', '.join(MODES)}; got {mode!r}")
    return MODES[mode]


def read_filled(
    read: Callable[[Array, str], Array], x: Array, mode: str, fill_value: Any, function: str
) -> Array:
    """``read(x, mode)``, with a value of the caller's choice, if it isn't None, for indices out of range."""
    mode_number(mode, function)
    if fill_value is None:
        return read(x, mode)
    if MODES[mode] != MODES["fill"]:
        raise ValueError(f"{function}: a fill_value needs mode='fill', got mode={mode!r}")
    fill = as_dtype_array(fill_value, x.dtype, function, "fill_value")
    if fill.ndim:
        raise ValueError(f"{function}: fill_value must be a scalar, got shape {fill.shape}")
    inside = read(broadcast(scalar(1, int8), x.shape), "fill")
    values = read(x, "clip")
    return p.select_p.bind(
        p.eq_p.bind(inside, constant_like(inside, 1)), values, broadcast(fill, values.shape)
    )


def check_not_empty(extent: int, indices: Array | np.ndarray, axis: int) -> None:
    """Raise IndexError if there are indices along an axis that has no elements."""
    if extent == 0 and indices.size:
        raise IndexError(f"indices of shape {indices.shape} are out of range for axis {axis} with extent 0")


def nothing(x: Array, shape: tuple[int, ...]) -> Array:
    """What indices select if there are none: an array of a shape without elements."""
    return broadcast(scalar(0, x.dtype, x.weak_type), shape)


def wrap_negative(indices: Array, extent: int) -> Array:
    """Indices as int32 (int64 along a huge axis), negative ones counted from the end."""
    unsigned = indices.dtype.kind == "u"
    indices = convert(indices, int32 if extent < 2**31 else int64)
    if unsigned:
        return indices
    wrapped = p.add_p.bind(indices, constant_like(indices, extent))
    return p.select_p.bind(p.lt_p.bind(indices, constant_like(indices, 0)), wrapped, indices)


def take_along(x: Array, indices: Array, axis: int, mode: str) -> Array:
    """The slices of `x` at non-negative `indices` along one axis, whose place the axes of `indices` take."""
    k = indices.ndim
    check_not_empty(x.shape[axis], indices, axis)
    shape = (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])
    if 0 in shape:
        return nothing(x, shape)
    return p.gather_p.bind(
        x,
        reshape_to(indices, (*indices.shape, 1)),
        offset_dims=tuple(range(axis)) + tuple(range(axis + k, x.ndim - 1 + k)),
        collapsed_slice_dims=(axis,),
        start_index_map=(axis,),
        operand_batching_dims=(),
        indices_batching_dims=(),
        slice_sizes=tuple(1 if i == axis else extent for i, extent in enumerate(x.shape)),
        mode=MODES[mode],
    )


def take_static(x: Array, indices: np.ndarray, axis: int) -> Array:
    """The slices of `x` at indices known to be in range."""
    return take_along(x, asarray(indices.astype(np.int32)), axis, "promise_in_bounds")


def gather_points(x: Array, indices: list[Array], axes: tuple[int, ...], position: int, mode: str) -> Array:
    """NumPy's advanced indexing.

    Args:
        indices: one array for each of `axes`, of one shape and not negative.
        position: where among the other axes of `x` the axes of the indices go.

    Returns:
        The remaining axes of `x` in order, with the axes of the indices before remaining axis `position`.
    """
    k = indices[0].ndim
    kept = x.ndim - len(axes)
    return p.gather_p.bind(
        x,
        _index_vectors(indices),
        offset_dims=tuple(range(position)) + tuple(range(position + k, kept + k)),
        collapsed_slice_dims=axes,
        start_index_map=axes,
        operand_batching_dims=(),
        indices_batching_dims=(),
        slice_sizes=tuple(1 if i in axes else extent for i, extent in enumerate(x.shape)),
        mode=MODES[mode],
    )


def scatter_points(
    x: Array,
    indices: list[Array],
    axes: tuple[int, ...],
    position: int,
    updates: Array,
    kind: str,
    mode: str,
    unique_indices: bool,
) -> Array:
    """The counterpart of `gather_points`: combine `updates`, of its result's shape, into `x`."""
    k = indices[0].ndim
    kept = x.ndim - len(axes)
    return p.scatter_p.bind(
        x,
        _index_vectors(indices),
        updates,
        update_window_dims=tuple(range(position)) + tuple(range(position + k, kept + k)),
        inserted_window_dims=axes,
        scatter_dims_to_operand_dims=axes,
        operand_batching_dims=(),
        indices_batching_dims=(),
        kind=kind,
        mode=MODES[mode],
        unique_indices=unique_indices,
    )


def _index_vectors(indices: list[Array]) -> Array:
    """Indices of one shape s stacked to shape (*s, n)."""
    columns = [reshape_to(i, (*i.shape, 1)) for i in indices]
    return p.concatenate_p.bind(*columns, axis=columns[0].ndim - 1) if len(columns) > 1 else columns[0]


def along_axis(x: Array, indices: Array, axis: int) -> tuple[Array, Array, dict]:
    """`x` and index vectors, broadcast but for `axis`, and the dimension numbers of a batched gather."""
    others = tuple(i for i in range(x.ndim) if i != axis)
    x_shape, index_shape = list(x.shape), list(indices.shape)
    for i in others:
        x_shape[i] = index_shape[i] = (
            max(x.shape[i], indices.shape[i]) if 0 not in (x.shape[i], indices.shape[i]) else 0
        )
    x, indices = broadcast(x, tuple(x_shape)), broadcast(indices, tuple(index_shape))
    vectors = reshape_to(indices, (*indices.shape, 1))
    return x, vectors, {"operand_batching_dims": others, "indices_batching_dims": others}
