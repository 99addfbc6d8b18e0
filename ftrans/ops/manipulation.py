"""Changing shapes and rearranging elements: the array API standard's manipulation functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._native import Array, int32
from ..primitives import concatenate_p, iota_p, remainder_p, rev_p, slice_p, sub_p, transpose_p
from ._gather import take_along
from .operands import (
    AxisError,
    as_array,
    as_arrays,
    as_integer,
    as_integers,
    broadcast,
    broadcast_shapes_of,
    constant_like,
    convert,
    normalize_axes,
    normalize_axis,
    normalize_shape,
    reshape_to,
)
from .streams import streamed

__all__ = [
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "broadcast_arrays",
    "broadcast_shapes",
    "broadcast_to",
    "expand_dims",
    "flatten",
    "flip",
    "fliplr",
    "flipud",
    "moveaxis",
    "permute_dims",
    "ravel",
    "reshape",
    "roll",
    "rot90",
    "squeeze",
    "swapaxes",
    "transpose",
    "unflatten",
]


@streamed
def reshape(x: Any, /, shape: Any, *, copy: bool | None = None, stream: Any = None) -> Array:
    """`x` with its elements, in row-major order, in another shape.

    Args:
        shape: an int or a tuple of ints; one of them may be -1, to be inferred.
        copy: accepted for the standard: arrays are immutable values, nothing can tell.

    Raises:
        ValueError: the numbers of elements differ.

    >>> ft.reshape(ft.arange(4), (2, -1))
    array([[0, 1],
           [2, 3]], dtype=int32)
    """
    x = as_array(x, "reshape")
    return reshape_to(x, _resolve_shape("reshape", x.shape, x.size, shape))


def _resolve_shape(function: str, old: tuple[int, ...], size: int, shape: Any) -> tuple[int, ...]:
    """`shape` with its -1 inferred, checked against the number of elements."""
    extents = list(as_integers(shape, function, "shape"))
    known = 1
    for extent in extents:
        known *= extent if extent != -1 else 1
    unknown = extents.count(-1)
    if unknown == 1 and known > 0 and size % known == 0:
        extents[extents.index(-1)] = size // known
    elif unknown or known != size or any(extent < 0 for extent in extents):
        raise ValueError(
            f"{function}: cannot reshape an array of shape {old} ({size} elements) to {tuple(extents)}"
        )
    return tuple(extents)


@streamed
def ravel(x: Any, /, *, stream: Any = None) -> Array:
    """The elements of `x` in a vector.

    >>> ft.ravel(ft.ones((2, 2))).shape
    (4,)
    """
    x = as_array(x, "ravel")
    return reshape_to(x, (x.size,))


@streamed
def flatten(x: Any, /, start_axis: int = 0, end_axis: int = -1, *, stream: Any = None) -> Array:
    """`x` with the axes from `start_axis` to `end_axis` joined into one.

    >>> ft.flatten(ft.ones((2, 3, 4)), 1).shape
    (2, 12)
    """
    x = as_array(x, "flatten")
    if x.ndim == 0:
        return reshape_to(x, (1,))
    start = normalize_axis("flatten", start_axis, x.ndim, "start_axis")
    end = normalize_axis("flatten", end_axis, x.ndim, "end_axis")
    if start > end:
        raise ValueError(
            f"flatten: start_axis {start_axis} is behind end_axis {end_axis} of an array of ndim {x.ndim}"
        )
    joined = 1
    for extent in x.shape[start : end + 1]:
        joined *= extent
    return reshape_to(x, (*x.shape[:start], joined, *x.shape[end + 1 :]))


@streamed
def unflatten(x: Any, /, axis: int, shape: Any, *, stream: Any = None) -> Array:
    """`x` with one axis split into axes of `shape`, one of which may be -1.

    >>> ft.unflatten(ft.arange(6), 0, (2, -1)).shape
    (2, 3)
    """
    x = as_array(x, "unflatten")
    axis = normalize_axis("unflatten", axis, x.ndim)
    extent = x.shape[axis]
    return reshape_to(
        x, (*x.shape[:axis], *_resolve_shape("unflatten", (extent,), extent, shape), *x.shape[axis + 1 :])
    )


@streamed
def expand_dims(x: Any, /, axis: Any = 0, *, stream: Any = None) -> Array:
    """`x` with new axes of extent 1 at these positions of the result.

    >>> ft.expand_dims(ft.ones(3), axis=0).shape
    (1, 3)
    """
    x = as_array(x, "expand_dims")
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    axes = normalize_axes("expand_dims", tuple(axes), x.ndim + len(axes))
    extents = iter(x.shape)
    return reshape_to(x, tuple([1 if i in axes else next(extents) for i in range(x.ndim + len(axes))]))


@streamed
def squeeze(x: Any, /, axis: Any = None, *, stream: Any = None) -> Array:
    """`x` without these axes of extent 1 (all such axes if None).

    Raises:
        ValueError: an axis of another extent is named.

    >>> ft.squeeze(ft.ones((1, 3, 1)), axis=0).shape
    (3, 1)
    """
    x = as_array(x, "squeeze")
    if axis is None:
        return reshape_to(x, tuple(extent for extent in x.shape if extent != 1))
    axes = normalize_axes("squeeze", axis, x.ndim)
    if any(x.shape[a] != 1 for a in axes):
        raise ValueError(f"squeeze: axis {axis} of an array of shape {x.shape} has not extent 1")
    return reshape_to(x, tuple(extent for i, extent in enumerate(x.shape) if i not in axes))


def permute(x: Array, permutation: tuple[int, ...]) -> Array:
    """`x` with axis permutation[i] as its axis i."""
    return x if permutation == tuple(range(x.ndim)) else transpose_p.bind(x, permutation=permutation)


@streamed
def permute_dims(x: Any, /, axes: Any = None, *, stream: Any = None) -> Array:
    """`x` with its axes in another order; reversed if none is given.

    >>> ft.permute_dims(ft.ones((2, 3, 4)), (2, 0, 1)).shape
    (4, 2, 3)
    """
    x = as_array(x, "permute_dims")
    if axes is None:
        return permute(x, tuple(range(x.ndim - 1, -1, -1)))
    axes = as_integers(axes, "permute_dims", "axes")
    permutation = tuple(normalize_axis("permute_dims", a, x.ndim, "axes") for a in axes)
    if sorted(permutation) != list(range(x.ndim)):
        raise AxisError(f"permute_dims: axes must be a permutation of the {x.ndim} axes, got {tuple(axes)}")
    return permute(x, permutation)


@streamed
def moveaxis(x: Any, source: Any, destination: Any, /, *, stream: Any = None) -> Array:
    """`x` with axes moved to other positions; the others keep their order.

    >>> ft.moveaxis(ft.ones((2, 3, 4)), 0, -1).shape
    (3, 4, 2)
    """
    x = as_array(x, "moveaxis")
    sources = as_integers(source, "moveaxis", "source")
    targets = as_integers(destination, "moveaxis", "destination")
    normalize_axes("moveaxis", sources, x.ndim, "source")
    normalize_axes("moveaxis", targets, x.ndim, "destination")
    if len(sources) != len(targets):
        raise ValueError(f"moveaxis: got {len(sources)} source and {len(targets)} destination axes")
    moved = {
        normalize_axis("moveaxis", t, x.ndim): normalize_axis("moveaxis", s, x.ndim)
        for s, t in zip(sources, targets, strict=True)
    }
    rest = iter([i for i in range(x.ndim) if i not in moved.values()])
    return permute(x, tuple([moved[i] if i in moved else next(rest) for i in range(x.ndim)]))


@streamed
def swapaxes(x: Any, axis1: int, axis2: int, /, *, stream: Any = None) -> Array:
    """`x` with two axes exchanged.

    >>> ft.swapaxes(ft.ones((2, 3, 4)), 0, 2).shape
    (4, 3, 2)
    """
    x = as_array(x, "swapaxes")
    a = normalize_axis("swapaxes", axis1, x.ndim, "axis1")
    b = normalize_axis("swapaxes", axis2, x.ndim, "axis2")
    order = list(range(x.ndim))
    order[a], order[b] = b, a
    return permute(x, tuple(order))


@streamed
def flip(x: Any, /, axis: Any = None, *, stream: Any = None) -> Array:
    """`x` with its elements reversed along these axes (all if None).

    >>> ft.flip(ft.array([1, 2, 3]))
    array([3, 2, 1], dtype=int32)
    """
    x = as_array(x, "flip")
    axes = normalize_axes("flip", axis, x.ndim)
    return rev_p.bind(x, axes=axes) if axes else x


@streamed
def flipud(x: Any, /, *, stream: Any = None) -> Array:
    """`flip(x, axis=0)`.

    >>> ft.flipud(ft.array([1, 2]))
    array([2, 1], dtype=int32)
    """
    return flip(x, axis=0)


@streamed
def fliplr(x: Any, /, *, stream: Any = None) -> Array:
    """`flip(x, axis=1)`.

    >>> ft.fliplr(ft.array([[1, 2]]))
    array([[2, 1]], dtype=int32)
    """
    return flip(x, axis=1)


@streamed
def rot90(x: Any, /, k: int = 1, axes: tuple[int, int] = (0, 1), *, stream: Any = None) -> Array:
    """`x` turned by 90 degrees `k` times, from the first towards the second of `axes`.

    >>> ft.rot90(ft.array([[1, 2], [3, 4]]))
    array([[2, 4],
           [1, 3]], dtype=int32)
    """
    x = as_array(x, "rot90")
    plane = as_integers(axes, "rot90", "axes")
    if len(plane) != 2:
        raise ValueError(f"rot90: axes must be two axes, got {plane}")
    a, b = (normalize_axis("rot90", axis, x.ndim, "axes") for axis in plane)
    if a == b:
        raise AxisError(f"rot90: axes must be different, got {plane}")
    turns = as_integer(k, "rot90", "k") % 4
    if turns == 2:
        return flip(x, axis=(a, b))
    if turns == 1:
        return swapaxes(flip(x, axis=b), a, b)
    return flip(swapaxes(x, a, b), axis=b) if turns else x


def slice_axis(x: Array, axis: int, start: int, stop: int) -> Array:
    """x[start:stop] along one axis; the bounds are within it."""
    if start == 0 and stop == x.shape[axis]:
        return x
    first, last = [0] * x.ndim, list(x.shape)
    first[axis], last[axis] = start, stop
    return slice_p.bind(x, start=tuple(first), limit=tuple(last), strides=(1,) * x.ndim)


def _rolled(x: Array, shift: Array, axis: int) -> Array:
    """`roll` by an array: a gather, since where to cut is not known."""
    if shift.dtype.kind not in "iu" or shift.ndim:
        raise TypeError(f"roll: shift must be integers, got shape {shift.shape} and dtype {shift.dtype.name}")
    extent = x.shape[axis]
    position = iota_p.bind(shape=(extent,), dtype=int32, dimension=0)
    start = convert(shift, int32)
    modulus = constant_like(position, max(extent, 1))
    return take_along(x, remainder_p.bind(sub_p.bind(position, start), modulus), axis, "promise_in_bounds")


@streamed
def roll(x: Any, /, shift: Any, axis: Any = None, *, stream: Any = None) -> Array:
    """`x` with its elements shifted along axes; those that leave at one end come in at the other.

    Args:
        shift: an int, or one for each of `axis`; arrays of integers too, traced ones among them.
        axis: None shifts the flattened array.

    >>> ft.roll(ft.array([1, 2, 3]), 1)
    array([3, 1, 2], dtype=int32)
    """
    x = as_array(x, "roll")
    if axis is None:
        return reshape_to(roll(reshape_to(x, (x.size,)), shift, axis=0), x.shape)
    axes = [normalize_axis("roll", a, x.ndim) for a in as_integers(axis, "roll", "axis")]
    if type(shift) is Array and shift.ndim:
        shift = [reshape_to(slice_axis(shift, 0, i, i + 1), ()) for i in range(shift.size)]
    shifts = shift if isinstance(shift, (tuple, list)) else (shift,) * len(axes)
    if len(shifts) != len(axes):
        raise ValueError(f"roll: got {len(shifts)} shifts for {len(axes)} axes")
    for a, by in zip(axes, shifts, strict=True):
        extent = x.shape[a]
        if type(by) is Array:
            x = _rolled(x, by, a)
            continue
        cut = -as_integer(by, "roll", "shift") % extent if extent else 0
        if cut:
            x = concatenate_p.bind(slice_axis(x, a, cut, extent), slice_axis(x, a, 0, cut), axis=a)
    return x


@streamed
def broadcast_to(x: Any, /, shape: Any, *, stream: Any = None) -> Array:
    """`x` repeated to `shape`.

    >>> ft.broadcast_to(ft.array([1, 2]), (2, 2))
    array([[1, 2],
           [1, 2]], dtype=int32)
    """
    x = as_array(x, "broadcast_to")
    shape = normalize_shape("broadcast_to", shape)
    if len(shape) < x.ndim or broadcast_shapes_of("broadcast_to", x.shape, shape) != shape:
        raise ValueError(f"broadcast_to: an array of shape {x.shape} does not broadcast to {shape}")
    return broadcast(x, shape)


@streamed
def broadcast_arrays(*arrays: Any, stream: Any = None) -> tuple[Array, ...]:
    """The arrays, each broadcast to their common shape.

    >>> [x.shape for x in ft.broadcast_arrays(ft.ones((2, 1)), ft.ones(3))]
    [(2, 3), (2, 3)]
    """
    operands = as_arrays(arrays, "broadcast_arrays")
    shape = broadcast_shapes_of("broadcast_arrays", *[x.shape for x in operands])
    return tuple(broadcast(x, shape) for x in operands)


def broadcast_shapes(*shapes: Any) -> tuple[int, ...]:
    """The shape that arrays of these shapes broadcast to.

    >>> ft.broadcast_shapes((2, 1), (3,))
    (2, 3)
    """
    return broadcast_shapes_of("broadcast_shapes", *[normalize_shape("broadcast_shapes", s) for s in shapes])


def _at_least(function: str, arrays: tuple, widen: Callable[[Array], Array]) -> Array | tuple[Array, ...]:
    """Each of the arguments with more axes; the array itself if it is just one."""
    if not arrays:
        raise TypeError(f"{function}: expected at least one array, got none")
    widened = tuple([widen(as_array(x, function, "arrays")) for x in arrays])
    return widened[0] if len(widened) == 1 else widened


def _row(x: Array) -> Array:
    return x if x.ndim >= 2 else reshape_to(x, (1,) * (2 - x.ndim) + x.shape)


@streamed
def atleast_1d(*arrays: Any, stream: Any = None) -> Any:
    """The array with at least one axis; of several arrays a tuple.

    >>> ft.atleast_1d(2.0).shape
    (1,)
    """
    return _at_least("atleast_1d", arrays, lambda x: x if x.ndim else reshape_to(x, (1,)))


@streamed
def atleast_2d(*arrays: Any, stream: Any = None) -> Any:
    """The array with at least two axes; a vector becomes a row. Of several arrays a tuple.

    >>> ft.atleast_2d(ft.ones(3)).shape
    (1, 3)
    """
    return _at_least("atleast_2d", arrays, _row)


@streamed
def atleast_3d(*arrays: Any, stream: Any = None) -> Any:
    """The array with at least three axes; (n,) becomes (1, n, 1) and (m, n) becomes (m, n, 1).

    Of several arrays a tuple.

    >>> ft.atleast_3d(ft.ones(3)).shape
    (1, 3, 1)
    """
    return _at_least(
        "atleast_3d", arrays, lambda x: x if x.ndim >= 3 else reshape_to(_row(x), (*_row(x).shape, 1))
    )


transpose = permute_dims
