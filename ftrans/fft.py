"""Discrete Fourier transforms: the `fft` extension of the array API standard, and the two-dimensional ones.

The transform of x₀ … xₙ₋₁ is y_k = Σ_j x_j exp(−2πi jk/n); the inverse has the other sign, and the factor 1/n
with ``norm="backward"``. "ortho" gives both the factor 1/√n, "forward" moves it to the transform. float32
gives complex64 and float64 complex128; other real numbers are converted to float32. All have derivatives of
any order.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from ._native import Array, complex128, float64
from .ops.creation import asarray
from .ops.manipulation import roll
from .ops.operands import AxisError, as_array, convert, describe, normalize_axes, normalize_axis
from .ops.promotion import DEFAULT_COMPLEX, DEFAULT_FLOAT, as_dtype
from .ops.streams import streamed
from .primitives._helpers import constant_like
from .primitives.fft import fft_p
from .primitives.shape import pad_p, slice_p

__all__ = [
    "fft",
    "fft2",
    "fftfreq",
    "fftn",
    "fftshift",
    "hfft",
    "ifft",
    "ifft2",
    "ifftn",
    "ifftshift",
    "ihfft",
    "irfft",
    "irfft2",
    "irfftn",
    "rfft",
    "rfft2",
    "rfftfreq",
    "rfftn",
]


def __dir__() -> list[str]:
    return __all__


#: For each norm, the power of √n that the transform and its inverse are divided by.
_NORMS = {"backward": (0, 2), "ortho": (1, 1), "forward": (2, 0)}


def _operand(function: str, x: Any, kind: str) -> Array:
    """`x` in a dtype that the kind of transform takes."""
    x = as_array(x, function)
    if kind != "r2c":
        wide = x.dtype is float64 or x.dtype is complex128
        return convert(x, complex128 if wide else DEFAULT_COMPLEX)
    if x.dtype.kind == "c":
        raise TypeError(f"{function}: x must be real, got {x.dtype}; take real(x), or use fft")
    return x if x.dtype is float64 else convert(x, DEFAULT_FLOAT)


def _checked_axes(
    function: str, ndim: int, s: Any, axes: Any, argument: str
) -> tuple[list[int], list[int | None]]:
    """The axes that are transformed, counted from the front, and their lengths; None is the extent."""
    if s is not None and not isinstance(s, (tuple, list)):
        raise TypeError(f"{function}: s must be a sequence of integers, got {type(s).__name__}")
    if axes is None:
        axes = range(ndim) if s is None else range(-len(s), 0)
    elif not isinstance(axes, (tuple, list)):
        raise TypeError(f"{function}: axes must be a sequence of integers, got {describe(axes)}")
    checked = [normalize_axis(function, axis, ndim, argument) for axis in axes]
    if len(set(checked)) < len(checked):
        raise AxisError(
            f"{function}: an axis is given twice in {argument} {tuple(axes)} for an array of ndim {ndim}"
        )
    lengths = [_length(function, n) for n in ([None] * len(checked) if s is None else s)]
    if len(lengths) != len(checked):
        raise ValueError(f"{function}: got {len(lengths)} lengths s for {len(checked)} axes")
    return checked, lengths


def _length(function: str, n: Any) -> int | None:
    """A length as the user gives it: None and −1 stand for the extent of the axis."""
    if n is None:
        return None
    try:
        length = operator.index(n)
    except TypeError:
        raise TypeError(f"{function}: a length must be an integer, got {type(n).__name__}") from None
    return None if length == -1 else length


def _resized(x: Array, axis: int, extent: int) -> Array:
    """`x` cut off at the end of an axis, or filled up with zeros."""
    missing = extent - x.shape[axis]
    if missing == 0:
        return x
    zeros, ones = (0,) * x.ndim, (1,) * x.ndim
    if missing < 0:
        limit = (*x.shape[:axis], extent, *x.shape[axis + 1 :])
        return slice_p.bind(x, start=zeros, limit=limit, strides=ones)
    high = (*zeros[:axis], missing, *zeros[axis + 1 :])
    return pad_p.bind(x, constant_like(x, 0), low=zeros, high=high, interior=zeros)


def _transform(
    function: str, kind: str, forward: bool, x: Any, s: Any, axes: Any, norm: Any, argument: str = "axes"
) -> Array:
    """The transform of a kind of `fft_p` over axes whose lengths, in the real array, are `s`."""
    if norm not in _NORMS:
        raise ValueError(f"{function}: norm must be one of {', '.join(_NORMS)}, got {norm!r}")
    x = _operand(function, x, kind)
    checked, given = _checked_axes(function, x.ndim, s, axes, argument)
    if not checked:
        if kind == "c2c":
            return x
        raise ValueError(f"{function}: at least one axis is needed, got axes {tuple(checked)} of {x.aval}")
    lengths = [x.shape[axis] if n is None else n for axis, n in zip(checked, given, strict=True)]
    if kind == "c2r" and given[-1] is None:
        lengths[-1] = 2 * (x.shape[checked[-1]] - 1)
    for axis, length in zip(checked, lengths, strict=True):
        if length < 1:
            raise ValueError(
                f"{function}: the length of a transform must be at least 1, got {length} for axis {axis} of "
                f"an array of shape {x.shape}"
            )
        is_half = kind == "c2r" and axis == checked[-1]
        x = _resized(x, axis, length // 2 + 1 if is_half else length)
    divisor = _NORMS[norm][0 if forward else 1]
    return fft_p.bind(x, kind=kind, axes=tuple(checked), forward=forward, norm=divisor, length=lengths[-1])


@streamed
def fft(
    x: Any, /, n: int | None = None, axis: int = -1, norm: str = "backward", *, stream: Any = None
) -> Array:
    """The discrete Fourier transform along an axis.

    Args:
        x: an array; a real one is converted to complex.
        n: the length of the transform: `x` is cut off or filled up with zeros at the end; its extent by
            default.
        axis: the axis that is transformed.
        norm: "backward", "ortho" or "forward"; see the module.

    Returns:
        A complex array.

    Raises:
        TypeError: `x` is not an array, or a length not an integer.
        ValueError: a length is less than 1, or `norm` is none of these.
        IndexError: an axis is out of range.

    >>> ft.fft.fft(ft.array([1.0, 0.0, 0.0, 0.0]))
    array([1+0j, 1+0j, 1+0j, 1+0j], dtype=complex64)
    """
    return _transform("fft", "c2c", True, x, (n,), (axis,), norm, "axis")


@streamed
def ifft(
    x: Any, /, n: int | None = None, axis: int = -1, norm: str = "backward", *, stream: Any = None
) -> Array:
    """The inverse of `fft`.

    Args:
        x: an array; a real one is converted to complex.
        n: the length of the transform: `x` is cut off or filled up with zeros at the end; its extent by
            default.
        axis: the axis that is transformed.
        norm: "backward", "ortho" or "forward"; see the module.

    Returns:
        A complex array.

    Raises:
        TypeError: `x` is not an array, or a length not an integer.
        ValueError: a length is less than 1, or `norm` is none of these.
        IndexError: an axis is out of range.

    >>> ft.fft.ifft(ft.array([4.0, 0.0, 0.0, 0.0]))
    array([1+0j, 1+0j, 1+0j, 1+0j], dtype=complex64)
    """
    return _transform("ifft", "c2c", False, x, (n,), (axis,), norm, "axis")


@streamed
def rfft(
    x: Any, /, n: int | None = None, axis: int = -1, norm: str = "backward", *, stream: Any = None
) -> Array:
    """The transform of real numbers: the ``n // 2 + 1`` frequencies that are not mirror images.

    Args:
        x: a real array.
        n: the length of the transform: `x` is cut off or filled up with zeros at the end; its extent by
            default.
        axis: the axis that is transformed.
        norm: "backward", "ortho" or "forward"; see the module.

    Returns:
        A complex array.

    Raises:
        TypeError: `x` is complex or not an array, or a length not an integer.
        ValueError: a length is less than 1, or `norm` is none of these.
        IndexError: an axis is out of range.

    >>> ft.fft.rfft(ft.array([1.0, 0.0, 0.0, 0.0]))
    array([1+0j, 1+0j, 1+0j], dtype=complex64)
    """
    return _transform("rfft", "r2c", True, x, (n,), (axis,), norm, "axis")


@streamed
def irfft(
    x: Any, /, n: int | None = None, axis: int = -1, norm: str = "backward", *, stream: Any = None
) -> Array:
    """The inverse of `rfft`.

    Args:
        x: an array, of which the frequencies that are the mirror images of others are left out.
        n: the length of the result; 2·(extent − 1) by default.
        axis: the axis that is transformed.
        norm: "backward", "ortho" or "forward"; see the module.

    Returns:
        A real array.

    Raises:
        TypeError: `x` is not an array, or a length not an integer.
        ValueError: a length is less than 1, or `norm` is none of these.
        IndexError: an axis is out of range.

    >>> ft.fft.irfft(ft.array([4.0, 0.0, 0.0]))
    array([1, 1, 1, 1], dtype=float32)
    """
    return _transform("irfft", "c2r", False, x, (n,), (axis,), norm, "axis")


@streamed
def hfft(
    x: Any, /, n: int | None = None, axis: int = -1, norm: str = "backward", *, stream: Any = None
) -> Array:
    """The transform of numbers whose second half is the conjugated mirror image of the first, which is real.

    Args:
        x: an array, of which the elements that are the mirror images of others are left out.
        n: the length of the result; 2·(extent − 1) by default.
        axis: the axis that is transformed.
        norm: "backward", "ortho" or "forward"; see the module.

    Returns:
        A real array.

    Raises:
        TypeError: `x` is not an array, or a length not an integer.
        ValueError: a length is less than 1, or `norm` is none of these.
        IndexError: an axis is out of range.

    >>> ft.fft.hfft(ft.array([1.0, 0.0, 0.0]))
    array([1, 1, 1, 1], dtype=float32)
    """
    return _transform("hfft", "c2r", True, x, (n,), (axis,), norm, "axis")


@streamed
def ihfft(
    x: Any, /, n: int | None = None, axis: int = -1, norm: str = "backward", *, stream: Any = None
) -> Array:
    """The inverse of `hfft`: the ``n // 2 + 1`` elements that are not mirror images.

    Args:
        x: a real array.
        n: the length of the transform: `x` is cut off or filled up with zeros at the end; its extent by
            default.
        axis: the axis that is transformed.
        norm: "backward", "ortho" or "forward"; see the module.

    Returns:
        A complex array.

    Raises:
        TypeError: `x` is complex or not an array, or a length not an integer.
        ValueError: a length is less than 1, or `norm` is none of these.
        IndexError: an axis is out of range.

    >>> ft.fft.ihfft(ft.array([4.0, 0.0, 0.0, 0.0]))
    array([1+0j, 1-0j, 1+0j], dtype=complex64)
    """
    return _transform("ihfft", "r2c", False, x, (n,), (axis,), norm, "axis")


@streamed
def fftn(
    x: Any,
    /,
    s: Sequence[int] | None = None,
    axes: Sequence[int] | None = None,
    norm: str = "backward",
    *,
    stream: Any = None,
) -> Array:
    """The discrete Fourier transform along several axes.

    Args:
        x: an array; a real one is converted to complex.
        s: the length along each of `axes`: `x` is cut off or filled up with zeros at the end; −1 is the
            extent, as is None for all.
        axes: the axes that are transformed; by default the last ``len(s)``, or all.
        norm: "backward", "ortho" or "forward"; see the module.

    Returns:
        A complex array.

    Raises:
        TypeError: `x` is not an array, or a length not an integer.
        ValueError: a length is less than 1, `s` and `axes` differ in length, or `norm` is none of these.
        IndexError: an axis is out of range, or given twice.

    >>> ft.fft.fftn(ft.ones((2, 2)))
    array([[4+0j, 0+0j],
           [0+0j, 0+0j]], dtype=complex64)
    """
    return _transform("fftn", "c2c", True, x, s, axes, norm)


@streamed
def ifftn(
    x: Any,
    /,
    s: Sequence[int] | None = None,
    axes: Sequence[int] | None = None,
    norm: str = "backward",
    *,
    stream: Any = None,
) -> Array:
    """The inverse of `fftn`.

    Args:
        x: an array; a real one is converted to complex.
        s: the length along each of `axes`: `x` is cut off or filled up with zeros at the end; −1 is the
            extent, as is None for all.
        axes: the axes that are transformed; by default the last ``len(s)``, or all.
        norm: "backward", "ortho" or "forward"; see the module.

    Returns:
        A complex array.

    Raises:
        TypeError: `x` is not an array, or a length not an integer.
        ValueError: a length is less than 1, `s` and `axes` differ in length, or `norm` is none of these.
        IndexError: an axis is out of range, or given twice.

    >>> ft.fft.ifftn(ft.ones((2, 2)))
    array([[1+0j, 0+0j],
           [0+0j, 0+0j]], dtype=complex64)
    """
    return _transform("ifftn", "c2c", False, x, s, axes, norm)


@streamed
def rfftn(
    x: Any,
    /,
    s: Sequence[int] | None = None,
    axes: Sequence[int] | None = None,
    norm: str = "backward",
    *,
    stream: Any = None,
) -> Array:
    """The transform of real numbers along several axes, the last one as `rfft` does.

    Args:
        x: a real array.
        s: the length along each of `axes`: `x` is cut off or filled up with zeros at the end; −1 is the
            extent, as is None for all.
        axes: the axes that are transformed; by default the last ``len(s)``, or all.
        norm: "backward", "ortho" or "forward"; see the module.

    Returns:
        A complex array.

    Raises:
        TypeError: `x` is complex or not an array, or a length not an integer.
        ValueError: a length is less than 1, `s` and `axes` differ in length, or `norm` is none of these.
        IndexError: an axis is out of range, or given twice.

    >>> ft.fft.rfftn(ft.ones((2, 2)))
    array([[4+0j, 0+0j],
           [0+0j, 0+0j]], dtype=complex64)
    """
    return _transform("rfftn", "r2c", True, x, s, axes, norm)


@streamed
def irfftn(
    x: Any,
    /,
    s: Sequence[int] | None = None,
    axes: Sequence[int] | None = None,
    norm: str = "backward",
    *,
    stream: Any = None,
) -> Array:
    """The inverse of `rfftn`.

    Args:
        x: an array, of which the frequencies that are the mirror images of others are left out.
        s: the length of the result along each of `axes`; −1 is the default: the extent, and 2·(extent − 1)
            for the last.
        axes: the axes that are transformed; by default the last ``len(s)``, or all.
        norm: "backward", "ortho" or "forward"; see the module.

    Returns:
        A real array.

    Raises:
        TypeError: `x` is not an array, or a length not an integer.
        ValueError: a length is less than 1, `s` and `axes` differ in length, or `norm` is none of these.
        IndexError: an axis is out of range, or given twice.

    >>> ft.fft.irfftn(ft.ones((2, 2)))
    array([[1, 0],
           [0, 0]], dtype=float32)
    """
    return _transform("irfftn", "c2r", False, x, s, axes, norm)


@streamed
def fft2(
    x: Any,
    /,
    s: Sequence[int] | None = None,
    axes: Sequence[int] | None = (-2, -1),
    norm: str = "backward",
    *,
    stream: Any = None,
) -> Array:
    """`fftn` along two axes, the last ones by default.

    Arguments, result and errors are those of `fftn`.

    >>> ft.fft.fft2(ft.ones((2, 2)))
    array([[4+0j, 0+0j],
           [0+0j, 0+0j]], dtype=complex64)
    """
    return _transform("fft2", "c2c", True, x, s, axes, norm)


@streamed
def ifft2(
    x: Any,
    /,
    s: Sequence[int] | None = None,
    axes: Sequence[int] | None = (-2, -1),
    norm: str = "backward",
    *,
    stream: Any = None,
) -> Array:
    """`ifftn` along two axes, the last ones by default.

    Arguments, result and errors are those of `ifftn`.

    >>> ft.fft.ifft2(ft.ones((2, 2)))
    array([[1+0j, 0+0j],
           [0+0j, 0+0j]], dtype=complex64)
    """
    return _transform("ifft2", "c2c", False, x, s, axes, norm)


@streamed
def rfft2(
    x: Any,
    /,
    s: Sequence[int] | None = None,
    axes: Sequence[int] | None = (-2, -1),
    norm: str = "backward",
    *,
    stream: Any = None,
) -> Array:
    """`rfftn` along two axes, the last ones by default.

    Arguments, result and errors are those of `rfftn`.

    >>> ft.fft.rfft2(ft.ones((2, 2)))
    array([[4+0j, 0+0j],
           [0+0j, 0+0j]], dtype=complex64)
    """
    return _transform("rfft2", "r2c", True, x, s, axes, norm)


@streamed
def irfft2(
    x: Any,
    /,
    s: Sequence[int] | None = None,
    axes: Sequence[int] | None = (-2, -1),
    norm: str = "backward",
    *,
    stream: Any = None,
) -> Array:
    """`irfftn` along two axes, the last ones by default.

    Arguments, result and errors are those of `irfftn`.

    >>> ft.fft.irfft2(ft.ones((2, 2)))
    array([[1, 0],
           [0, 0]], dtype=float32)
    """
    return _transform("irfft2", "c2r", False, x, s, axes, norm)


def _frequencies(function: str, n: Any, d: float, dtype: Any, values: Any) -> Array:
    length = operator.index(n)
    if length < 1:
        raise ValueError(f"{function}: n must be at least 1, got {length}")
    dtype = DEFAULT_FLOAT if dtype is None else as_dtype(dtype, function)
    if dtype.kind != "f":
        raise TypeError(f"{function}: dtype must be a real floating-point one, got {dtype}")
    return asarray(values(length, d), dtype=dtype)


@streamed
def fftfreq(n: int, /, d: float = 1.0, *, dtype: Any = None, device: Any = None, stream: Any = None) -> Array:
    """The frequencies of the elements of `fft`: 0, 1, …, then the negative ones up to −1, over ``n·d``.

    Args:
        n: the length of the transform.
        d: the distance between samples.
        dtype: a real floating-point dtype; float32 by default.

    Raises:
        TypeError: `n` is not an integer, or `dtype` not a real floating-point one.
        ValueError: `n` is less than 1.

    >>> ft.fft.fftfreq(4)
    array([0, 0.25, -0.5, -0.25], dtype=float32)
    """
    return _frequencies("fftfreq", n, d, dtype, np.fft.fftfreq)


@streamed
def rfftfreq(
    n: int, /, d: float = 1.0, *, dtype: Any = None, device: Any = None, stream: Any = None
) -> Array:
    """The frequencies of the elements of `rfft`: 0, 1, …, ``n // 2``, over ``n·d``.

    Args:
        n: the length of the transform.
        d: the distance between samples.
        dtype: a real floating-point dtype; float32 by default.

    Raises:
        TypeError: `n` is not an integer, or `dtype` not a real floating-point one.
        ValueError: `n` is less than 1.

    >>> ft.fft.rfftfreq(4)
    array([0, 0.25, 0.5], dtype=float32)
    """
    return _frequencies("rfftfreq", n, d, dtype, np.fft.rfftfreq)


@streamed
def fftshift(x: Any, /, axes: int | Sequence[int] | None = None, *, stream: Any = None) -> Array:
    """`x` with the frequency 0 moved from the start of the axes to their middle.

    Args:
        x: an array.
        axes: an axis or several; all by default.

    Raises:
        TypeError: `x` is not an array.
        IndexError: an axis is out of range, or given twice.

    >>> ft.fft.fftshift(ft.fft.fftfreq(4))
    array([-0.5, -0.25, 0, 0.25], dtype=float32)
    """
    x = as_array(x, "fftshift")
    chosen = normalize_axes("fftshift", axes, x.ndim, "axes")
    return roll(x, [x.shape[axis] // 2 for axis in chosen], axis=chosen)


@streamed
def ifftshift(x: Any, /, axes: int | Sequence[int] | None = None, *, stream: Any = None) -> Array:
    """The inverse of `fftshift`.

    Args:
        x: an array.
        axes: an axis or several; all by default.

    Raises:
        TypeError: `x` is not an array.
        IndexError: an axis is out of range, or given twice.

    >>> ft.fft.ifftshift(ft.fft.fftshift(ft.array([0, 1, 2])))
    array([0, 1, 2], dtype=int32)
    """
    x = as_array(x, "ifftshift")
    chosen = normalize_axes("ifftshift", axes, x.ndim, "axes")
    return roll(x, [-(x.shape[axis] // 2) for axis in chosen], axis=chosen)
