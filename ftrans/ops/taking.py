"""Taking elements along axes, and putting them back."""

from __future__ import annotations

from typing import Any

from .. import primitives as p
from .._native import Array
from ..interop import to_array
from ._gather import (
    MODES,
    along_axis,
    check_not_empty,
    mode_number,
    nothing,
    read_filled,
    take_along,
    wrap_negative,
)
from .operands import (
    as_array,
    as_dtype_array,
    broadcast,
    broadcast_shapes_of,
    normalize_axis,
    reshape_to,
)
from .streams import streamed

__all__ = [
    "put_along_axis",
    "take",
    "take_along_axis",
]


@streamed
def take(
    x: Any,
    indices: Any,
    /,
    axis: int | None = None,
    *,
    mode: str = "clip",
    fill_value: Any = None,
    stream: Any = None,
) -> Array:
    """The elements of `x` at `indices` along an axis (of the flattened array if None).

    Args:
        indices: integers of any shape, which takes the place of the axis; negative ones count from the end.
        mode: for indices out of range: "clip", "fill" or "promise_in_bounds".
        fill_value: what mode "fill" gives out of range; NaN, or the least or greatest integer, by default.

    Raises:
        ValueError: for an unknown mode, or a `fill_value` with another mode than "fill".

    >>> ft.take(ft.array([5.0, 6.0, 7.0]), ft.array([2, 0]))
    array([7, 5], dtype=float32)
    """
    x = as_array(x, "take")
    indices = _integer_indices(indices, "take")
    if axis is None:
        x, axis = reshape_to(x, (x.size,)), 0
    axis = normalize_axis("take", axis, x.ndim)
    indices = wrap_negative(indices, x.shape[axis])
    return read_filled(lambda x, mode: take_along(x, indices, axis, mode), x, mode, fill_value, "take")


def _along(function: str, x: Any, indices: Any, axis: int) -> tuple[Array, Array, dict, int]:
    x = as_array(x, function)
    indices = _integer_indices(indices, function)
    if indices.ndim != x.ndim:
        raise ValueError(
            f"{function}: indices must have the {x.ndim} dimensions of x, got shape {indices.shape}"
        )
    axis = normalize_axis(function, axis, x.ndim)
    check_not_empty(x.shape[axis], indices, axis)
    if any(
        a != b and 1 not in (a, b)
        for i, (a, b) in enumerate(zip(x.shape, indices.shape, strict=True))
        if i != axis
    ):
        raise ValueError(
            f"{function}: shapes {x.shape} of x and {indices.shape} of indices do not broadcast "
            f"beside axis {axis}"
        )
    return (*along_axis(x, wrap_negative(indices, x.shape[axis]), axis), axis)


@streamed
def take_along_axis(
    x: Any, indices: Any, /, axis: int | None = -1, *, mode: str = "clip", stream: Any = None
) -> Array:
    """For each position, the element of `x` at that position but with the given index along `axis`.

    Args:
        indices: integers, of `x`'s number of axes; all but `axis` broadcast.
        axis: None for the flattened array, with a vector of indices.
        mode: for indices out of range: "clip", "fill" (NaN, or the least or greatest integer) or
            "promise_in_bounds".

    >>> x = ft.array([[1, 2], [4, 3]])
    >>> ft.take_along_axis(x, ft.argsort(x, axis=1), axis=1)
    array([[1, 2],
           [3, 4]], dtype=int32)
    """
    mode_number(mode, "take_along_axis")
    if axis is None:
        x = as_array(x, "take_along_axis")
        x, axis = reshape_to(x, (x.size,)), 0
    x, vectors, batching, axis = _along("take_along_axis", x, indices, axis)
    if not vectors.size:
        return nothing(x, vectors.shape[:-1])
    return p.gather_p.bind(
        x,
        vectors,
        offset_dims=(),
        collapsed_slice_dims=(axis,),
        start_index_map=(axis,),
        **batching,
        slice_sizes=(1,) * x.ndim,
        mode=MODES[mode],
    )


@streamed
def put_along_axis(
    x: Any, indices: Any, values: Any, /, axis: int | None = None, *, stream: Any = None
) -> Array:
    """A copy of `x` with `values` where `take_along_axis` would read.

    Args:
        values: broadcast with the indices; of several for one place, any one wins.
        axis: None for the flattened array, with a vector of indices.

    >>> ft.put_along_axis(ft.zeros((2, 2)), ft.array([[1], [0]]), 5.0, axis=1)
    array([[0, 5],
           [5, 0]], dtype=float32)
    """
    x = as_array(x, "put_along_axis")
    shape = x.shape
    if axis is None:
        flat = reshape_to(x, (x.size,))
        return reshape_to(put_along_axis(flat, indices, values, axis=0), shape)
    x, vectors, batching, axis = _along("put_along_axis", x, indices, axis)
    if x.shape != shape:
        raise ValueError(f"put_along_axis: indices select {x.shape}, more than x of shape {shape}")
    points = vectors.shape[:-1]
    values = as_dtype_array(values, x.dtype, "put_along_axis", "values")
    if broadcast_shapes_of("put_along_axis", values.shape, points) != points:
        raise ValueError(f"put_along_axis: values of shape {values.shape} do not broadcast to {points}")
    if not vectors.size:
        return x
    return p.scatter_p.bind(
        x,
        vectors,
        broadcast(values, points),
        update_window_dims=(),
        inserted_window_dims=(axis,),
        scatter_dims_to_operand_dims=(axis,),
        **batching,
        kind="set",
        mode=MODES["drop"],
        unique_indices=False,
    )


def _integer_indices(indices: Any, function: str) -> Array:
    if isinstance(indices, (list, tuple)):
        indices = to_array(indices, None, None, function)
    indices = as_array(indices, function, "indices")
    if indices.dtype.kind not in "iu":
        raise TypeError(f"{function}: indices must have an integer dtype, got {indices.dtype}")
    return indices
