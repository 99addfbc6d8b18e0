"""NumPy reference of the special functions, accurate to a few units in the last place of float64."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np


def _scalarwise(function: Callable[[float], float]) -> Callable[[np.ndarray], np.ndarray]:
    """Map a function of a Python float over an array of real floats."""
    ufunc = np.frompyfunc(function, 1, 1)
    return lambda x: np.asarray(ufunc(x.astype(np.float64))).astype(np.float64).astype(x.dtype)


def _lgamma_scalar(x: float) -> float:
    if x <= 0 and x.is_integer():
        return math.inf
    try:
        return math.lgamma(x)
    except OverflowError:
        return math.inf


erf = _scalarwise(math.erf)
erfc = _scalarwise(math.erfc)
lgamma = _scalarwise(_lgamma_scalar)


def digamma(x: np.ndarray) -> np.ndarray:
    """Derivative of lgamma: reflected to x ≥ 1/2, shifted to x ≥ 10, then asymptotic.

    At the poles it is NaN, but for the signed infinity that it has on either side of zero.
    """
    z = x.astype(np.float64)
    reflect = z < 0.5
    pole = (z <= 0) & (z == np.floor(z))
    # tan has period π, so the reduced argument keeps full precision for large negative x.
    reflection = np.pi / np.tan(np.pi * (z - np.round(z)))
    z = np.where(reflect, 1 - z, z)
    total = np.zeros_like(z)
    for _ in range(10):
        small = z < 10
        total -= np.where(small, 1 / np.where(small, z, 1), 0)
        z = np.where(small, z + 1, z)
    r = 1 / (z * z)
    series = r * (
        1 / 12 - r * (1 / 120 - r * (1 / 252 - r * (1 / 240 - r * (1 / 132 - r * (691 / 32760 - r / 12)))))
    )
    total += np.log(z) - 0.5 / z - series
    total = np.where(reflect, total - reflection, total)
    at_pole = np.where(x == 0, np.copysign(np.inf, -x), np.nan)
    return np.where(pole, at_pole, total).astype(x.dtype)


def erf_inv(y: np.ndarray) -> np.ndarray:
    """Inverse of erf: Winitzki's approximation, then Halley steps on erf, or on erfc where |y| is near 1."""
    magnitude = np.abs(y.astype(np.float64))
    logarithm = np.log1p(-magnitude * magnitude)
    half = 2 / (math.pi * 0.147) + 0.5 * logarithm
    x = np.sqrt(np.sqrt(half * half - logarithm / 0.147) - half)
    for _ in range(3):
        error = np.where(magnitude < 0.5, erf(x) - magnitude, (1 - magnitude) - erfc(x))
        step = error / (2 / math.sqrt(math.pi) * np.exp(-x * x))
        x = x - step / (1 + x * step)
    x = np.where(magnitude == 1, np.inf, np.where(magnitude == 0, 0, x))
    return np.copysign(np.where(magnitude > 1, np.nan, x), y).astype(y.dtype)
