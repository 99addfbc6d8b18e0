"""NumPy-style indexing: ``x[key]``, ``x[key] = value``, ``x.at[key].add(value)``.

A key is read once into a `_Selection` with two stages. The *region* is what slices and integers select, and
is made of views (slice, rev, reshape). Index arrays then pick points of the region, by gather and scatter.
A write goes the same way back: the region is read, changed at the points, and put in its place.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import primitives as p
from .._native import Array, bool_, int32
from ..core.errors import ConcretizationError
from ..interop import asarray, to_array
from . import elementwise, pointwise
from ._gather import (
    check_not_empty,
    gather_points,
    mode_number,
    nothing,
    read_filled,
    scatter_points,
    wrap_negative,
)
from .masked import MaskedElements
from .operands import (
    as_dtype_array,
    broadcast,
    broadcast_operands,
    broadcast_shapes_of,
    constant_like,
    convert,
    reshape_to,
)
from .searching import host_values


class _Selection:
    """What a key selects of an array of some shape.

    Attributes:
        start, size, step: of the region along each axis of the array; a step may be negative.
        region_shape: the region without the axes that integers removed and with the new axes.
        axes, indices: of the region, the axes that index arrays pick along, and those arrays (of one shape,
            not negative); none for basic indexing.
        position: where among the other axes of the region the axes of the index arrays go.
        shape: of the result.
    """

    __slots__ = (
        "array_shape",
        "start",
        "size",
        "step",
        "region_shape",
        "axes",
        "indices",
        "position",
        "shape",
    )

    def __init__(self, array_shape: tuple[int, ...], key: Any):
        self.array_shape = array_shape
        entries = _expand(array_shape, key)
        has_arrays = any(isinstance(entry, _Index) for entry in entries)
        self.start: list[int] = []
        self.size: list[int] = []
        self.step: list[int] = []
        region: list[int] = []
        points: list[tuple[int, Array]] = []
        # Before each index: the slices, new axes and ellipses, which separate it, and the axes they leave.
        groups: list[tuple[int, int]] = []
        separators = kept = 0
        for entry in entries:
            axis = len(self.start)
            separators += entry is None or entry is Ellipsis or isinstance(entry, slice)
            if entry is Ellipsis:
                continue
            if entry is None:
                region.append(1)
                kept += 1
                continue
            extent = array_shape[axis] if not isinstance(entry, _Index) or not entry.of_new_axis else 1
            if isinstance(entry, slice):
                start, stop, step = entry.indices(extent)
                size = len(range(start, stop, step))
                self._take(start, size, step)
                region.append(size)
                kept += 1
            elif isinstance(entry, int) and not has_arrays:
                self._take(_checked_index(entry, axis, extent), 1, 1)
            else:
                if isinstance(entry, int):
                    entry = _Index(np.asarray(_checked_index(entry, axis, extent)))
                if not entry.of_new_axis:
                    self._take(0, extent, 1)
                points.append((len(region), entry.along(axis, extent)))
                groups.append((separators, kept))
                region.append(extent)
        self.region_shape = tuple(region)
        self.axes = tuple(axis for axis, _ in points)
        self.indices = _broadcast_indices([index for _, index in points])
        # NumPy: adjacent index arrays put their axes in their place, separated ones to the front.
        self.position = groups[0][1] if groups and groups[0] == groups[-1] else 0
        rest = tuple(extent for axis, extent in enumerate(region) if axis not in self.axes)
        inner = self.indices[0].shape if points else ()
        self.shape = rest[: self.position] + inner + rest[self.position :]

    def _take(self, start: int, size: int, step: int) -> None:
        self.start.append(start if size else 0)
        self.size.append(size)
        self.step.append(step)

    # -- the region: views

    def _bounds(self) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        """The start, limit and positive strides of the region."""
        starts, limits, strides = [], [], []
        for start, size, step in zip(self.start, self.size, self.step, strict=True):
            low = start if step > 0 else start + (size - 1) * step if size else 0
            stride = abs(step)
            starts.append(low)
            limits.append(low + (size - 1) * stride + 1 if size else low)
            strides.append(stride if size > 1 else 1)
        return tuple(starts), tuple(limits), tuple(strides)

    def _reversed_axes(self) -> tuple[int, ...]:
        return tuple(
            i
            for i, (size, step) in enumerate(zip(self.size, self.step, strict=True))
            if step < 0 and size > 1
        )

    def read_region(self, x: Array) -> Array:
        start, limit, strides = self._bounds()
        if tuple(self.size) != x.shape:
            x = p.slice_p.bind(x, start=start, limit=limit, strides=strides)
        if backwards := self._reversed_axes():
            x = p.rev_p.bind(x, axes=backwards)
        return reshape_to(x, self.region_shape)

    def write_region(self, x: Array, region: Array) -> Array:
        """`x` with its region replaced."""
        region = reshape_to(region, tuple(self.size))
        if backwards := self._reversed_axes():
            region = p.rev_p.bind(region, axes=backwards)
        if region.shape == x.shape:
            return region
        if not region.size:
            return x
        start, limit, strides = self._bounds()
        if all(stride == 1 for stride in strides):
            vector = asarray(np.asarray(start, np.int32))
            return p.dynamic_update_slice_p.bind(x, region, vector)
        # Spread the region over an array of x's shape, and take from there what lies on the stride.
        after = tuple(extent - stop for extent, stop in zip(x.shape, limit, strict=True))
        spread = {"low": start, "high": after, "interior": tuple(stride - 1 for stride in strides)}
        inside = p.pad_p.bind(broadcast(asarray(True), region.shape), asarray(False), **spread)
        values = p.pad_p.bind(region, constant_like(region, 0), **spread)
        return p.select_p.bind(inside, values, x)

    # -- the whole

    def read(self, x: Array, mode: str) -> Array:
        region = self.read_region(x)
        if not self.axes:
            return region
        if 0 in self.shape:
            return nothing(x, self.shape)
        if not self.indices[0].ndim and mode == "clip":
            start, sizes = self._window(region)
            return reshape_to(p.dynamic_slice_p.bind(region, start, slice_sizes=sizes), self.shape)
        return gather_points(region, self.indices, self.axes, self.position, mode)

    def _window(self, region: Array) -> tuple[Array, tuple[int, ...]]:
        """The start and sizes of the window at scalar indices."""
        parts = dict(zip(self.axes, self.indices, strict=True))
        zero = asarray(0, dtype=int32)
        starts = [reshape_to(convert(parts.get(axis, zero), int32), (1,)) for axis in range(region.ndim)]
        start = p.concatenate_p.bind(*starts, axis=0) if len(starts) > 1 else starts[0]
        return start, tuple(1 if axis in parts else extent for axis, extent in enumerate(region.shape))

    def write(
        self, x: Array, values: Array, kind: str, mode: str, unique_indices: bool, function: str
    ) -> Array:
        """`x` with `values` (which broadcast to `shape`) combined into the selected elements."""
        values = self.broadcast_values(values, function)
        if not values.size:
            return x
        if self.axes:
            region = self.read_region(x)
            changed = scatter_points(
                region, self.indices, self.axes, self.position, values, kind, mode, unique_indices
            )
        else:
            changed = values if kind == "set" else _COMBINE[kind](self.read_region(x), values)
        return self.write_region(x, changed)

    def broadcast_values(self, values: Array, function: str) -> Array:
        while values.ndim > len(self.shape) and values.shape[0] == 1:
            values = reshape_to(values, values.shape[1:])
        if values.ndim > len(self.shape) or any(
            v not in (1, s) for v, s in zip(values.shape[::-1], self.shape[::-1], strict=False)
        ):
            raise ValueError(
                f"{function}: values of shape {values.shape} do not broadcast to the selected {self.shape}"
            )
        return broadcast(values, self.shape)


class _Index:
    """An index array along one axis: a NumPy array, whose bounds are checked, or an Array."""

    __slots__ = ("values", "of_new_axis")

    def __init__(self, values: np.ndarray | Array, of_new_axis: bool = False):
        self.values = values
        self.of_new_axis = of_new_axis

    def along(self, axis: int, extent: int) -> Array:
        """The values as an Array, negative ones counted from the end."""
        values = self.values
        check_not_empty(extent, values, axis)
        if isinstance(values, Array):
            return wrap_negative(values, extent)
        if values.size:
            low, high = int(values.min()), int(values.max())
            if low < -extent or high >= extent:
                worst = low if low < -extent else high
                raise IndexError(f"index {worst} is out of range for axis {axis} with extent {extent}")
        wrapped = np.where(values < 0, values + extent, values) if values.dtype.kind == "i" else values
        return asarray(wrapped.astype(np.int32 if extent < 2**31 else np.int64))


def _checked_index(index: int, axis: int, extent: int) -> int:
    if not -extent <= index < extent:
        raise IndexError(f"index {index} is out of range for axis {axis} with extent {extent}")
    return index + extent if index < 0 else index


def _broadcast_indices(indices: list[Array]) -> list[Array]:
    if not indices:
        return []
    try:
        shape = broadcast_shapes_of("indexing", *[i.shape for i in indices])
    except ValueError:
        raise IndexError(
            f"index arrays of shapes {', '.join(str(i.shape) for i in indices)} do not broadcast"
        ) from None
    if any(i.dtype is not indices[0].dtype for i in indices):
        indices = [convert(i, int32) for i in indices]
    return [broadcast(i, shape) for i in indices]


def _expand(shape: tuple[int, ...], key: Any) -> list[Any]:
    """A key as a list of slices, ints, None (new axes) and `_Index`, one for each axis and new axis.

    An ellipsis that stands for no axis stays: it separates index arrays all the same.
    """
    entries: list[Any] = []
    ellipsis_at = None
    consumed = 0
    for item in key if type(key) is tuple else (key,):
        kind = type(item)
        if kind is int:
            entries.append(item)
        elif kind is slice or item is None:
            entries.append(item)
            consumed -= item is None
        elif item is Ellipsis:
            if ellipsis_at is not None:
                raise IndexError("an index can hold only one ellipsis (...)")
            ellipsis_at = len(entries)
            continue
        else:
            expanded = _expand_array(shape, item, consumed)
            entries += expanded
            consumed += sum(not i.of_new_axis for i in expanded if isinstance(i, _Index)) - 1
            consumed += sum(isinstance(i, int) for i in expanded)
        consumed += 1
    if consumed > len(shape):
        raise IndexError(f"too many indices: {consumed} for an array of {len(shape)} dimensions")
    rest: list[Any] = [slice(None)] * (len(shape) - consumed)
    if ellipsis_at is None:
        return entries + rest
    return entries[:ellipsis_at] + (rest or [Ellipsis]) + entries[ellipsis_at:]


def _expand_array(shape: tuple[int, ...], item: Any, axis: int) -> list[Any]:
    """The entries for anything array-like in a key; a mask becomes one index array for each of its axes."""
    if type(item) is Array:
        values: Array | np.ndarray = item
    elif isinstance(item, (list, np.ndarray, np.generic, bool)) or hasattr(item, "__array__"):
        values = np.asarray(item)
        if not values.size and isinstance(item, list):
            values = values.astype(np.int32)  # [] has no dtype of its own
    else:
        try:
            return [operator.index(item)]
        except TypeError:
            raise TypeError(
                "an index must be an integer, a slice, None, ..., or an array of integers or bools; "
                f"got {type(item).__name__}"
            ) from None
    kind: str = values.dtype.kind
    if kind == "b":
        way_out = (
            "use ft.where(mask, x, y), x.at[mask].multiply(y) and the like, or, with the number of elements, "
            "x[ft.nonzero(mask, size=n)]"
        )
        mask = values if isinstance(values, np.ndarray) else host_values(values, "x[mask]", way_out, "mask")
        return _expand_mask(shape, mask, axis)
    if kind not in "iu":
        raise TypeError(f"an index array must have an integer or bool dtype, got {values.dtype}")
    if isinstance(values, np.ndarray) and values.ndim == 0:
        return [int(values)]
    return [_Index(values)]


def _expand_mask(shape: tuple[int, ...], mask: np.ndarray, axis: int) -> list[Any]:
    if mask.ndim == 0:
        return [_Index(np.zeros(int(mask), np.int32), of_new_axis=True)]
    _check_mask(mask.shape, shape[axis:], "indexing")
    return [_Index(indices) for indices in np.nonzero(mask)]


def _check_mask(shape: tuple[int, ...], axes: tuple[int, ...], function: str) -> None:
    """Raise IndexError unless a mask has the extents of the first axes of those it indexes, or extents 0."""
    if len(shape) > len(axes) or any(m not in (n, 0) for m, n in zip(shape, axes, strict=False)):
        raise IndexError(f"{function}: a mask of shape {shape} does not fit axes of extents {axes}")


_COMBINE: dict[str, Callable[[Array, Array], Array]] = {
    "add": lambda x, y: p.add_p.bind(x, y),
    "mul": lambda x, y: p.mul_p.bind(x, y),
    "min": lambda x, y: p.min_p.bind(x, y),
    "max": lambda x, y: p.max_p.bind(x, y),
    "set": lambda x, y: y,
}


def getitem(x: Array, key: Any) -> Array:
    """``x[key]``. Indices of traced or lazy arrays that are out of range are clipped."""
    if type(key) is int and x.ndim == 1:  # the most common one, for iteration
        index = _checked_index(key, 0, x.shape[0])
        return reshape_to(p.slice_p.bind(x, start=(index,), limit=(index + 1,), strides=(1,)), ())
    try:
        return _Selection(x.shape, key).read(x, "clip")
    except ConcretizationError as error:
        if not _is_mask(key):
            raise
        _check_mask(key.shape, x.shape, "x[mask]")
        return MaskedElements(x._snapshot(), key, error)  # type: ignore[return-value]


def setitem(x: Array, key: Any, values: Any) -> None:
    """``x[key] = values``: the handle comes to stand for the changed array."""
    if type(values) is MaskedElements:
        x._rebind(values.stored_in(x, key))
    else:
        x._rebind(_update(x, key, values, "set", "drop", False, "x[...] = values"))


def _update(
    x: Array, key: Any, values: Any, kind: str, mode: str, unique_indices: bool, function: str
) -> Array:
    """`x` with `values` combined into what `key` selects, out of place."""
    mode_number(mode, function)
    values = _as_values(x, values, function)
    if _is_mask(key) and values.ndim <= x.ndim - key.ndim:
        return _update_where(x, key, values, kind, function)
    return _Selection(x.shape, key).write(x, values, kind, mode, unique_indices, function)


def _as_values(x: Array, values: Any, function: str) -> Array:
    if isinstance(values, (list, tuple)):
        values = to_array(values, None, None, function)
    is_complex = type(values) is complex or getattr(getattr(values, "dtype", None), "kind", "") == "c"
    if is_complex and x.dtype.kind != "c":
        raise TypeError(f"{function}: complex values cannot be stored in an array of dtype {x.dtype}")
    return as_dtype_array(values, x.dtype, function, "values")


def _is_mask(key: Any) -> bool:
    if type(key) is Array:
        return key.dtype is bool_ and key.ndim > 0
    return isinstance(key, np.ndarray) and key.dtype == np.bool_ and key.ndim > 0


def _update_where(x: Array, mask: Any, values: Array, kind: str, function: str) -> Array:
    """A mask with values that do not depend on how many elements it selects: no need to know its values."""
    mask = asarray(mask)
    _check_mask(mask.shape, x.shape, function)
    trailing = x.shape[mask.ndim :]
    if broadcast_shapes_of(function, values.shape, trailing) != trailing:
        raise ValueError(
            f"{function}: values of shape {values.shape} do not broadcast to {trailing} at each element"
        )
    if 0 in mask.shape:
        return x
    mask = reshape_to(mask, mask.shape + (1,) * len(trailing))
    changed = _COMBINE[kind](*broadcast_operands(function, x, values))
    return p.select_p.bind(broadcast(mask, x.shape), broadcast(changed, x.shape), x)


class IndexUpdate:
    """``x.at``: ``x.at[key].add(values)`` is a changed copy of `x`.

    Repeated indices all count, unlike in ``x[key] += values``.
    """

    __slots__ = ("_array",)

    def __init__(self, array: Array):
        self._array = array

    def __getitem__(self, key: Any) -> IndexedArray:
        return IndexedArray(self._array, key)


class IndexedArray:
    """``x.at[key]``: the methods return a changed copy of `x`, or read.

    They take `mode` for index arrays out of range: "drop" (default), "clip" or "promise_in_bounds", and
    `unique_indices`, a promise that no element is selected twice.

    >>> x = ft.zeros(3)
    >>> x.at[ft.array([0, 0, 2])].add(1.0)
    array([2, 0, 1], dtype=float32)
    """

    __slots__ = ("_array", "_key")

    def __init__(self, array: Array, key: Any):
        self._array = array
        self._key = key

    def _updated(self, name: str, kind: str, values: Any, mode: str, unique_indices: bool) -> Array:
        return _update(self._array, self._key, values, kind, mode, unique_indices, f"at[...].{name}")

    def get(self, *, mode: str = "clip", fill_value: Any = None) -> Array:
        """x[key]; mode "fill" gives `fill_value` (NaN, or the least or greatest integer) out of range."""
        selection = _Selection(self._array.shape, self._key)
        return read_filled(selection.read, self._array, mode, fill_value, "at[...].get")

    def set(self, values: Any, *, mode: str = "drop", unique_indices: bool = False) -> Array:
        """Replace the elements; of repeated indices, any one value wins."""
        return self._updated("set", "set", values, mode, unique_indices)

    def add(self, values: Any, *, mode: str = "drop", unique_indices: bool = False) -> Array:
        """Add to the elements."""
        return self._updated("add", "add", values, mode, unique_indices)

    def subtract(self, values: Any, *, mode: str = "drop", unique_indices: bool = False) -> Array:
        """Subtract from the elements."""
        values = elementwise.negative(_as_values(self._array, values, "at[...].subtract"))
        return self._updated("subtract", "add", values, mode, unique_indices)

    def multiply(self, values: Any, *, mode: str = "drop", unique_indices: bool = False) -> Array:
        """Multiply the elements."""
        return self._updated("multiply", "mul", values, mode, unique_indices)

    mul = multiply

    def divide(self, values: Any, *, mode: str = "drop", unique_indices: bool = False) -> Array:
        """Divide the elements."""
        divisors = IndexedArray(_ones(self._array), self._key)._updated(
            "divide", "mul", values, mode, unique_indices
        )
        return elementwise.divide(self._array, divisors)

    def power(self, values: Any, *, mode: str = "drop", unique_indices: bool = False) -> Array:
        """Raise the elements to powers."""
        powers = IndexedArray(_ones(self._array), self._key)._updated(
            "power", "mul", values, mode, unique_indices
        )
        return pointwise.power(self._array, powers)

    def min(self, values: Any, *, mode: str = "drop", unique_indices: bool = False) -> Array:
        """The lesser of the elements and the values."""
        return self._updated("min", "min", values, mode, unique_indices)

    def max(self, values: Any, *, mode: str = "drop", unique_indices: bool = False) -> Array:
        """The greater of the elements and the values."""
        return self._updated("max", "max", values, mode, unique_indices)

    def apply(
        self, function: Callable[[Array], Array], *, mode: str = "drop", unique_indices: bool = False
    ) -> Array:
        """Replace the elements by `function` of them; an element that is selected twice is changed once."""
        return self.set(function(self.get()), mode=mode, unique_indices=unique_indices)


def _ones(x: Array) -> Array:
    return broadcast(constant_like(x, 1), x.shape)
