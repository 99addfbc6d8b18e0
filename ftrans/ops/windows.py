"""Window functions, by which a signal is multiplied before its spectrum is taken.

Formulas: F. J. Harris, "On the use of windows for harmonic analysis with the discrete Fourier transform",
Proceedings of the IEEE 66 (1978).
"""

from __future__ import annotations

import math
from typing import Any

from .. import primitives as p
from .._native import Array, Dtype, float64
from .creation import iota, ones
from .operands import as_integer, constant_like, convert
from .promotion import DEFAULT_FLOAT, as_dtype
from .streams import streamed

__all__ = ["bartlett", "blackman", "hamming", "hanning"]


def _float_dtype(dtype: Any, function: str) -> Dtype:
    result = DEFAULT_FLOAT if dtype is None else as_dtype(dtype, function)
    if result.kind != "f":
        raise TypeError(f"{function}: dtype must be a real floating-point dtype, got {result.name}")
    return result


def _cosine_sum(function: str, size: Any, dtype: Any, *coefficients: float) -> Array:
    """Σ c_k cos(2π k n / (size - 1)) for n = 0, 1, …, evaluated in float64; NumPy's ones for size 1."""
    size, dtype = as_integer(size, function, "M", least=0), _float_dtype(dtype, function)
    if size == 1:
        return ones(1, dtype=dtype)
    position = iota(size, float64)
    window = constant_like(position, coefficients[0])
    for k, coefficient in enumerate(coefficients[1:], 1):
        angle = p.mul_p.bind(position, constant_like(position, 2 * math.pi * k / max(size - 1, 1)))
        window = p.add_p.bind(window, p.mul_p.bind(constant_like(angle, coefficient), p.cos_p.bind(angle)))
    return convert(window, dtype)


@streamed
def hanning(M: int, /, *, dtype: Any = None, stream: Any = None) -> Array:
    """The Hann window of `M` points: 0.5 - 0.5 cos(2π n / (M - 1)).

    Args:
        M: how many points.
        dtype: a real floating-point dtype, float32 by default.

    >>> ft.hanning(5)
    array([0, 0.5, 1, 0.5, 0], dtype=float32)
    """
    return _cosine_sum("hanning", M, dtype, 0.5, -0.5)


@streamed
def hamming(M: int, /, *, dtype: Any = None, stream: Any = None) -> Array:
    """The Hamming window of `M` points: 0.54 - 0.46 cos(2π n / (M - 1)); arguments as of `hanning`.

    >>> ft.hamming(3)
    array([0.08, 1, 0.08], dtype=float32)
    """
    return _cosine_sum("hamming", M, dtype, 0.54, -0.46)


@streamed
def blackman(M: int, /, *, dtype: Any = None, stream: Any = None) -> Array:
    """The Blackman window of `M` points: 0.42 - 0.5 cos(2π n / (M - 1)) + 0.08 cos(4π n / (M - 1)).

    >>> ft.round(ft.blackman(5), 2)
    array([-0, 0.34, 1, 0.34, -0], dtype=float32)
    """
    return _cosine_sum("blackman", M, dtype, 0.42, -0.5, 0.08)


@streamed
def bartlett(M: int, /, *, dtype: Any = None, stream: Any = None) -> Array:
    """The triangular window of `M` points that is 0 at both ends; arguments as of `hanning`.

    >>> ft.bartlett(5)
    array([0, 0.5, 1, 0.5, 0], dtype=float32)
    """
    size, dtype = as_integer(M, "bartlett", "M", least=0), _float_dtype(dtype, "bartlett")
    if size == 1:
        return ones(1, dtype=dtype)
    half = max(size - 1, 1) / 2
    position = iota(size, float64)
    distance = p.abs_p.bind(p.sub_p.bind(position, constant_like(position, half)))
    slope = p.div_p.bind(distance, constant_like(distance, half))
    return convert(p.sub_p.bind(constant_like(slope, 1), slope), dtype)
