"""Pooling of windows of (N, *spatial, C), channels last."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import primitives as p
from .._native import Array, from_numpy
from ..ops.convolution import Extents, window_parameter
from ..ops.operands import as_array, constant_like, convert, expand, require_kinds, to_inexact
from ..ops.statistical import accumulator_dtype
from ..ops.streams import streamed

__all__ = ["avg_pool1d", "avg_pool2d", "avg_pool3d", "max_pool1d", "max_pool2d", "max_pool3d"]


def _parameters(
    function: str, x: Array, kernel_size: Any, stride: Any, padding: Any, axes: int
) -> dict[str, Any]:
    """Those of a reduction of windows."""
    if x.ndim != axes + 2:
        raise ValueError(
            f"{function}: x (N, *spatial, C) must have {axes + 2} dimensions, got shape {x.shape}"
        )
    window = window_parameter(function, "kernel_size", kernel_size, axes)
    strides = window if stride is None else window_parameter(function, "stride", stride, axes)
    padding = window_parameter(function, "padding", padding, axes, least=0)
    for extent, size, around in zip(x.shape[1:-1], window, padding, strict=True):
        if 2 * around > size:
            raise ValueError(
                f"{function}: padding {padding} must be at most half of kernel_size {window}: "
                "a window would have padding alone"
            )
        if size > extent + 2 * around:
            raise ValueError(
                f"{function}: kernel_size {window} does not fit into x {x.shape} with padding {padding}"
            )
    return {
        "window": (1, *window, 1),
        "strides": (1, *strides, 1),
        "padding": ((0, 0), *[(around, around) for around in padding], (0, 0)),
        "dilation": (1,) * x.ndim,
    }


def _max_pool(function: str, x: Any, kernel_size: Any, stride: Any, padding: Any, axes: int) -> Array:
    x = as_array(x, function)
    require_kinds(function, x, "iuf", "a real")
    return p.reduce_window_max_p.bind(x, **_parameters(function, x, kernel_size, stride, padding, axes))


def _counts(x: Array, parameters: dict[str, Any], out: Array) -> Array:
    """How many elements each window has that are no padding, in the shape of `out`."""
    counts = np.ones(())
    for axis in range(1, x.ndim - 1):
        starts = np.arange(out.shape[axis]) * parameters["strides"][axis] - parameters["padding"][axis][0]
        ends = np.minimum(starts + parameters["window"][axis], x.shape[axis])
        counts = counts[..., None] * (ends - np.maximum(starts, 0))
    return expand(convert(from_numpy(counts), out.dtype), out.shape, (0, x.ndim - 1))


def _avg_pool(
    function: str, x: Any, kernel_size: Any, stride: Any, padding: Any, count_include_pad: bool, axes: int
) -> Array:
    x = to_inexact(as_array(x, function))
    parameters = _parameters(function, x, kernel_size, stride, padding, axes)
    total = p.reduce_window_sum_p.bind(convert(x, accumulator_dtype(x.dtype)), **parameters)
    if count_include_pad:
        mean = p.mul_p.bind(total, constant_like(total, 1 / math.prod(parameters["window"])))
    else:
        mean = p.div_p.bind(total, _counts(x, parameters, total))
    return convert(mean, x.dtype)


@streamed
def max_pool1d(
    x: Any,
    /,
    kernel_size: Extents,
    stride: Extents | None = None,
    padding: Extents = 0,
    *,
    stream: Any = None,
) -> Array:
    """The largest element of each window of (N, L, C).

    Args:
        x: a real array.
        kernel_size: of the window.
        stride: the step between positions of the window; its size by default.
        padding: on both sides of the spatial axis, at most half of the window; it does not count.

    Returns:
        (N, (L + 2·padding - kernel_size) // stride + 1, C) in `x`'s dtype. The derivative is that of the
        first of equal largest elements.

    Raises:
        TypeError: `x` is complex or bool, or a parameter is no integer.
        ValueError: `x` has not as many dimensions, or the window does not fit.

    >>> ft.nn.max_pool1d(ft.reshape(ft.array([1.0, 3.0, 2.0, 0.0]), (1, 4, 1)), 2).flatten()
    array([3, 2], dtype=float32)
    """
    return _max_pool("max_pool1d", x, kernel_size, stride, padding, 1)


@streamed
def max_pool2d(
    x: Any,
    /,
    kernel_size: Extents,
    stride: Extents | None = None,
    padding: Extents = 0,
    *,
    stream: Any = None,
) -> Array:
    """The largest element of each window of (N, H, W, C).

    Arguments as of `max_pool1d`, each an integer for both spatial axes or one for each.

    >>> ft.nn.max_pool2d(ft.ones((1, 5, 5, 3)), 3, stride=2, padding=1).shape
    (1, 3, 3, 3)
    """
    return _max_pool("max_pool2d", x, kernel_size, stride, padding, 2)


@streamed
def max_pool3d(
    x: Any,
    /,
    kernel_size: Extents,
    stride: Extents | None = None,
    padding: Extents = 0,
    *,
    stream: Any = None,
) -> Array:
    """The largest element of each window of (N, D, H, W, C).

    Arguments as of `max_pool1d`, each an integer for all spatial axes or one for each.

    >>> ft.nn.max_pool3d(ft.ones((1, 4, 4, 4, 3)), 2).shape
    (1, 2, 2, 2, 3)
    """
    return _max_pool("max_pool3d", x, kernel_size, stride, padding, 3)


@streamed
def avg_pool1d(
    x: Any,
    /,
    kernel_size: Extents,
    stride: Extents | None = None,
    padding: Extents = 0,
    count_include_pad: bool = True,
    *,
    stream: Any = None,
) -> Array:
    """The mean of each window of (N, L, C).

    Args:
        x: an array; integers give the default float.
        kernel_size: of the window.
        stride: the step between positions of the window; its size by default.
        padding: zeros on both sides of the spatial axis, at most half of the window.
        count_include_pad: whether zeros of the padding count as elements.

    Returns:
        (N, (L + 2·padding - kernel_size) // stride + 1, C).

    Raises:
        TypeError: a parameter is no integer.
        ValueError: `x` has not as many dimensions, or the window does not fit.

    >>> ft.nn.avg_pool1d(ft.reshape(ft.array([1.0, 3.0, 2.0, 0.0]), (1, 4, 1)), 2).flatten()
    array([2, 1], dtype=float32)
    """
    return _avg_pool("avg_pool1d", x, kernel_size, stride, padding, count_include_pad, 1)


@streamed
def avg_pool2d(
    x: Any,
    /,
    kernel_size: Extents,
    stride: Extents | None = None,
    padding: Extents = 0,
    count_include_pad: bool = True,
    *,
    stream: Any = None,
) -> Array:
    """The mean of each window of (N, H, W, C).

    Arguments as of `avg_pool1d`, each an integer for both spatial axes or one for each.

    >>> ft.nn.avg_pool2d(ft.ones((1, 4, 4, 3)), 2).shape
    (1, 2, 2, 3)
    """
    return _avg_pool("avg_pool2d", x, kernel_size, stride, padding, count_include_pad, 2)


@streamed
def avg_pool3d(
    x: Any,
    /,
    kernel_size: Extents,
    stride: Extents | None = None,
    padding: Extents = 0,
    count_include_pad: bool = True,
    *,
    stream: Any = None,
) -> Array:
    """The mean of each window of (N, D, H, W, C).

    Arguments as of `avg_pool1d`, each an integer for all spatial axes or one for each.

    >>> ft.nn.avg_pool3d(ft.ones((1, 4, 4, 4, 3)), 2).shape
    (1, 2, 2, 2, 3)
    """
    return _avg_pool("avg_pool3d", x, kernel_size, stride, padding, count_include_pad, 3)
