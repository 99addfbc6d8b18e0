"""Comparing whole arrays, and one-hot vectors."""

from __future__ import annotations

from typing import Any

from .. import primitives as p
from .._native import Array
from ..interop import asarray
from .operands import as_array, as_integer, broadcast_operands, convert, normalize_axis, promote
from .pointwise import isclose
from .promotion import DEFAULT_FLOAT, as_dtype
from .statistical import all as all_of
from .streams import streamed

__all__ = ["allclose", "array_equal", "array_equiv", "one_hot"]


@streamed
def allclose(
    x1: Any,
    x2: Any,
    /,
    rtol: float = 1e-05,
    atol: float = 1e-08,
    *,
    equal_nan: bool = False,
    stream: Any = None,
) -> Array:
    """Whether all elements are close: `all(isclose(…))`, a 0-d bool array.

    >>> bool(ft.allclose(ft.array([1.0]), ft.array([1.0 + 1e-7])))
    True
    """
    return all_of(isclose(x1, x2, rtol, atol, equal_nan=equal_nan))


@streamed
def array_equal(x1: Any, x2: Any, /, equal_nan: bool = False, *, stream: Any = None) -> Array:
    """Whether shapes and all elements are equal, a 0-d bool array.

    >>> bool(ft.array_equal(ft.array([1, 2]), ft.array([1, 2])))
    True
    """
    x1, x2, dtype = promote("array_equal", x1, x2)
    if x1.shape != x2.shape:
        return asarray(False)
    same = p.eq_p.bind(x1, x2)
    if equal_nan and dtype.kind in "fc":
        same = p.or_p.bind(same, p.and_p.bind(p.is_nan_p.bind(x1), p.is_nan_p.bind(x2)))
    return all_of(same)


@streamed
def array_equiv(x1: Any, x2: Any, /, *, stream: Any = None) -> Array:
    """Whether the shapes broadcast and all elements are equal then, a 0-d bool array.

    >>> bool(ft.array_equiv(ft.array([1, 1]), 1))
    True
    """
    x1, x2, _ = promote("array_equiv", x1, x2)
    try:
        operands = broadcast_operands("array_equiv", x1, x2)
    except ValueError:
        return asarray(False)
    return all_of(p.eq_p.bind(*operands))


@streamed
def one_hot(x: Any, num_classes: int, /, *, axis: int = -1, dtype: Any = None, stream: Any = None) -> Array:
    """1 at the place that each integer of `x` names, 0 elsewhere (everywhere for one out of range).

    Args:
        x: integers of shape s.
        num_classes: the extent of the new axis.
        axis: where in the result the new axis is.
        dtype: float32 by default.

    >>> ft.one_hot(ft.array([1, 0]), 3)
    array([[0, 1, 0],
           [1, 0, 0]], dtype=float32)
    """
    x = as_array(x, "one_hot")
    if x.dtype.kind not in "iu":
        raise TypeError(f"one_hot: x must have an integer dtype, got {x.dtype.name}")
    num_classes = as_integer(num_classes, "one_hot", "num_classes", least=0)
    axis = normalize_axis("one_hot", axis, x.ndim + 1)
    shape = (*x.shape[:axis], num_classes, *x.shape[axis:])
    dims = tuple(i for i in range(x.ndim + 1) if i != axis)
    classes = p.iota_p.bind(shape=shape, dtype=x.dtype, dimension=axis)
    hot = p.eq_p.bind(p.broadcast_in_dim_p.bind(x, shape=shape, dims=dims), classes)
    return convert(hot, DEFAULT_FLOAT if dtype is None else as_dtype(dtype, "one_hot"))
