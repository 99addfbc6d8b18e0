"""Choosing among elements and arrays by conditions and positions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import primitives as p
from .._native import Array, int32
from . import pointwise
from .creation import iota
from .joining import stack
from .operands import (
    as_array,
    as_arrays,
    as_dtype_array,
    broadcast,
    broadcast_shapes_of,
    constant_like,
    convert,
    normalize_axis,
    promoted_dtype,
    require_kinds,
    reshape_to,
)
from .pointwise import to_bool
from .searching import flatnonzero, host_values
from .streams import streamed
from .taking import take, take_along_axis

__all__ = ["choose", "compress", "extract", "fill_diagonal", "piecewise", "place", "select"]


@streamed
def select(conditions: Any, choices: Any, /, default: Any = 0, *, stream: Any = None) -> Array:
    """At each position, the element of the first choice whose condition holds, or `default`.

    Args:
        conditions, choices: equally many arrays; all broadcast, the dtypes of the choices are promoted.

    Raises:
        ValueError: there are no conditions, or not as many choices.

    >>> x = ft.arange(4)
    >>> ft.select([x < 1, x < 3], [x, 10 * x], default=-1)
    array([0, 10, 20, -1], dtype=int32)
    """
    tests = as_arrays(conditions, "select", "conditions")
    results = as_arrays(choices, "select", "choices")
    if not tests or len(tests) != len(results):
        raise ValueError(
            f"select: as many choices as conditions are needed, got {len(tests)} conditions and "
            f"{len(results)} choices"
        )
    dtype = promoted_dtype("select", *results, default)
    value = as_dtype_array(default, dtype, "select", "default")
    for test, result in zip(reversed(tests), reversed(results), strict=True):
        value = pointwise.where(test, convert(result, dtype), value)
    return value


@streamed
def piecewise(
    x: Any, conditions: Any, functions: Sequence[Any], /, *args: Any, stream: Any = None, **keywords: Any
) -> Array:
    """A function given in pieces: where `conditions[i]` holds, functions[i](x).

    Args:
        conditions: arrays of x's shape; the last one of several that hold counts.
        functions: a function of the whole array, or a number, for each condition; one more is for where no
            condition holds (0 otherwise).
        args, keywords: passed on to the functions.

    >>> x = ft.array([-2.0, 3.0])
    >>> ft.piecewise(x, [x < 0, x >= 0], [lambda x: -x, 7.0])
    array([2, 7], dtype=float32)
    """
    x = as_array(x, "piecewise")
    if getattr(conditions, "ndim", None) == x.ndim:
        conditions = [conditions]
    tests = as_arrays(conditions, "piecewise", "conditions")
    if any(test.shape not in ((), x.shape) for test in tests):
        shapes = ", ".join(str(test.shape) for test in tests)
        raise ValueError(f"piecewise: conditions must have x's shape {x.shape}, got {shapes}")
    if not isinstance(functions, (list, tuple)) or len(functions) not in (len(tests), len(tests) + 1):
        count = len(functions) if isinstance(functions, (list, tuple)) else type(functions).__name__
        raise ValueError(
            f"piecewise: {len(tests)} or {len(tests) + 1} functions are needed for {len(tests)} conditions, "
            f"got {count}"
        )

    def piece(function: Any) -> Array:
        value = function(x, *args, **keywords) if callable(function) else function
        return as_dtype_array(value, x.dtype, "piecewise", "the value of a function")

    value = piece(functions[-1]) if len(functions) > len(tests) else constant_like(x, 0)
    for test, function in zip(tests, functions, strict=False):
        value = pointwise.where(test, piece(function), value)
    return broadcast(value, x.shape)


@streamed
def choose(x: Any, choices: Any, /, *, mode: str = "raise", stream: Any = None) -> Array:
    """At each position, the element of choices[x].

    Args:
        x: integers, which broadcast with the choices.
        choices: arrays, whose dtypes are promoted.
        mode: for an integer out of range: "raise" an error, which needs the values and so does not work
            under `jit` and `vmap`; "clip" it, or "wrap" it around.

    Raises:
        IndexError: an integer is out of range.

    >>> ft.choose(ft.array([0, 1]), [ft.array([1, 2]), ft.array([3, 4])])
    array([1, 4], dtype=int32)
    """
    x = as_array(x, "choose")
    require_kinds("choose", x, "iu", "an integer")
    if mode not in ("raise", "clip", "wrap"):
        raise ValueError(f"choose: mode must be raise, clip or wrap; got {mode!r}")
    arrays = as_arrays(choices, "choose", "choices")
    if not arrays:
        raise ValueError("choose: at least one choice is needed, got none")
    n = len(arrays)
    if mode == "raise":
        values = host_values(x, "choose", "give mode='clip' or mode='wrap'", what="whether to raise")
        if values.size and not 0 <= values.min() <= values.max() < n:
            raise IndexError(f"choose: x must be between 0 and {n - 1}, got {values.min()} … {values.max()}")
    x = convert(x, int32)
    if mode == "wrap":
        x = p.remainder_p.bind(x, constant_like(x, n))
    else:
        x = p.clamp_p.bind(constant_like(x, 0), x, constant_like(x, n - 1))
    dtype = promoted_dtype("choose", *arrays)
    shape = broadcast_shapes_of("choose", x.shape, *[a.shape for a in arrays])
    table = stack([broadcast(convert(a, dtype), shape) for a in arrays])
    index = reshape_to(broadcast(x, shape), (1, *shape))
    return reshape_to(take_along_axis(table, index, axis=0, mode="promise_in_bounds"), shape)


@streamed
def compress(
    condition: Any,
    x: Any,
    /,
    axis: int | None = None,
    *,
    size: int | None = None,
    fill_value: Any = 0,
    stream: Any = None,
) -> Array:
    """The slices of `x` along an axis (elements of the flattened array if None) where a vector holds.

    Args:
        condition: a vector, no longer than the axis; non-zero counts as true.
        size: how many to return; must be given under `jit` and `vmap`, where the number is not known. Missing
            ones are `fill_value`, surplus ones are dropped.

    Raises:
        ConcretizationError: `condition` has no values yet and `size` is not given.

    >>> ft.compress(ft.array([True, False, True]), ft.array([1, 2, 3]))
    array([1, 3], dtype=int32)
    """
    return _compressed("compress", condition, x, axis, size, fill_value)


def _compressed(
    function: str, condition: Any, x: Any, axis: int | None, size: int | None, fill_value: Any
) -> Array:
    condition, x = to_bool(as_array(condition, function, "condition")), as_array(x, function)
    if axis is None:
        x, axis = reshape_to(x, (x.size,)), 0
    axis = normalize_axis(function, axis, x.ndim)
    extent = x.shape[axis]
    if condition.ndim != 1 or condition.shape[0] > extent:
        raise ValueError(
            f"{function}: condition must be a vector of at most {extent}, got shape {condition.shape}"
        )
    if size is None:
        way_out = f"give size=, the number of elements: ft.{function}(condition, x, size=n)"
        host_values(condition, function, way_out, "condition")
    places = flatnonzero(condition, size=size, fill_value=extent)
    if size is None:
        return take(x, places, axis=axis, mode="promise_in_bounds")
    shape = tuple(places.size if i == axis else 1 for i in range(x.ndim))
    missing = reshape_to(p.eq_p.bind(places, constant_like(places, extent)), shape)
    fill = as_dtype_array(fill_value, x.dtype, function, "fill_value")
    if not extent:
        return broadcast(fill, tuple(places.size if i == axis else n for i, n in enumerate(x.shape)))
    return pointwise.where(missing, fill, take(x, places, axis=axis, mode="clip"))


@streamed
def extract(
    condition: Any, x: Any, /, *, size: int | None = None, fill_value: Any = 0, stream: Any = None
) -> Array:
    """The elements of the flattened array where `condition` holds; `size` and `fill_value` as of `compress`.

    >>> ft.extract(ft.array([[True, False], [False, True]]), ft.array([[1, 2], [3, 4]]))
    array([1, 4], dtype=int32)
    """
    condition, x = as_array(condition, "extract", "condition"), as_array(x, "extract")
    if condition.size != x.size:
        raise ValueError(f"extract: condition must have x's shape {x.shape}, got {condition.shape}")
    return _compressed("extract", reshape_to(condition, (condition.size,)), x, None, size, fill_value)


@streamed
def place(x: Any, mask: Any, values: Any, /, *, stream: Any = None) -> Array:
    """A copy of `x` with `values` one after the other, and again from the first, where `mask` holds.

    Args:
        mask: of `x`'s shape.
        values: a not empty array, which is flattened.

    >>> ft.place(ft.array([1, 2, 3]), ft.array([True, False, True]), ft.array([8, 9]))
    array([8, 2, 9], dtype=int32)
    """
    x, mask = as_array(x, "place"), to_bool(as_array(mask, "place", "mask"))
    values = as_dtype_array(values, x.dtype, "place", "values")
    if mask.shape != x.shape:
        raise ValueError(f"place: mask must have x's shape {x.shape}, got {mask.shape}")
    if not values.size:
        raise ValueError("place: values must not be empty")
    flat = convert(reshape_to(mask, (mask.size,)), int32)
    ranks = p.cumsum_p.bind(flat, axis=0, reverse=False) - 1
    chosen = take(reshape_to(values, (values.size,)), ranks % values.size)
    return p.select_p.bind(mask, reshape_to(chosen, x.shape), x)


@streamed
def fill_diagonal(x: Any, value: Any, /, *, stream: Any = None) -> Array:
    """A copy of `x` with `value` on its main diagonal, where all indices are equal.

    Args:
        x: an array of at least two dimensions, of one extent if more than two.
        value: a number, or a vector for the diagonal, which starts again at its end.

    >>> ft.fill_diagonal(ft.zeros((2, 2)), 5.0)
    array([[5, 0],
           [0, 5]], dtype=float32)
    """
    x = as_array(x, "fill_diagonal")
    if x.ndim < 2 or (x.ndim > 2 and len(set(x.shape)) > 1):
        raise ValueError(
            f"fill_diagonal: x must have 2 dimensions, or more of one extent; got shape {x.shape}"
        )
    value = as_dtype_array(value, x.dtype, "fill_diagonal", "value")
    length = min(x.shape)
    index = iota(length)
    if value.ndim and value.size:
        value = take(reshape_to(value, (value.size,)), index % value.size)
    return x.at[(index,) * x.ndim].set(value, unique_indices=True)
