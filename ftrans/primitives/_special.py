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


# M. Giles: Approximating the erfinv function (GPU Computing Gems, Jade edition, 2012), single precision: for
# w < 5 in powers of w - 2.5, and for w >= 5 in powers of sqrt(w) - 3, the highest first.
_CENTRAL = (
    2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087,
    -0.00125372503, -0.00417768164, 0.246640727, 1.50140941,
)  # fmt: skip
_TAIL = (
    -0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773,
    -0.0076224613, 0.00943887047, 1.00167406, 2.83297682,
)  # fmt: skip


def erf_inv_giles(y: np.ndarray) -> np.ndarray:
    """Inverse of erf by Giles' polynomials, but in float64 that of `erf_inv`."""
    if y.dtype == np.float64:
        return erf_inv(y)
    x = y.astype(np.float64)
    w = -np.log1p(-x * x)
    value = x * np.where(w < 5, np.polyval(_CENTRAL, w - 2.5), np.polyval(_TAIL, np.sqrt(w) - 3))
    return np.where(np.abs(x) == 1, np.copysign(np.inf, x), value).astype(np.float32).astype(y.dtype)


def erfcx(x: np.ndarray) -> np.ndarray:
    """exp(x²)·erfc(x), by its continued fraction (Abramowitz and Stegun 7.1.14) for large x."""
    z = x.astype(np.float64)
    large = np.maximum(z, 2)
    fraction = large.copy()
    for k in range(120, 0, -1):
        fraction = large + k / 2 / fraction
    small = np.minimum(z, 2)
    return np.where(z > 2, 1 / (fraction * math.sqrt(math.pi)), np.exp(small * small) * erfc(small)).astype(
        x.dtype
    )


def ndtr(x: np.ndarray) -> np.ndarray:
    """The standard normal distribution function."""
    return (0.5 * erfc(-x.astype(np.float64) / math.sqrt(2))).astype(x.dtype)


def log_ndtr(x: np.ndarray) -> np.ndarray:
    """log(ndtr(x)), through erfcx in the lower tail."""
    z = x.astype(np.float64)
    low = np.minimum(z, -1)
    tail = np.log(0.5 * erfcx(-low / math.sqrt(2))) - 0.5 * low * low
    return np.where(z < -1, tail, np.log1p(-ndtr(-np.maximum(z, -1)))).astype(x.dtype)


def ndtri(p: np.ndarray) -> np.ndarray:
    """The inverse of ndtr, by bisection on log_ndtr."""
    probability = p.astype(np.float64)
    lower = np.minimum(probability, 1 - probability)
    low, high = np.full_like(lower, -40), np.zeros_like(lower)
    for _ in range(70):
        middle = 0.5 * (low + high)
        below = log_ndtr(middle) < np.log(lower)
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    x = np.where(probability < 0.5, low, -low)
    x = np.where(lower == 0, np.where(probability == 0, -np.inf, np.inf), x)
    return np.where(lower >= 0, x, np.nan).astype(p.dtype)


def _bessel_scaled(order: int, x: np.ndarray) -> np.ndarray:
    """exp(−|x|)·Iₙ(x): the mean of its integrand (Abramowitz and Stegun 9.6.19) over equidistant angles."""
    angles = np.arange(400) * (2 * np.pi / 400)
    z = x.astype(np.float64)[..., None]
    return np.mean(np.exp(z * np.cos(angles) - np.abs(z)) * np.cos(order * angles), axis=-1)


def _bessel(order: int, scaled: bool) -> Callable[[np.ndarray], np.ndarray]:
    def impl(x: np.ndarray) -> np.ndarray:
        value = _bessel_scaled(order, x)
        return (value if scaled else value * np.exp(np.abs(x.astype(np.float64)))).astype(x.dtype)

    return impl


bessel_i0, bessel_i1 = _bessel(0, False), _bessel(1, False)
bessel_i0e, bessel_i1e = _bessel(0, True), _bessel(1, True)


def lambert_w(x: np.ndarray) -> np.ndarray:
    """The principal branch, by Newton's method on w·e^w from its right."""
    z = x.astype(np.float64)
    w = np.where(z < 1, z, np.log(np.maximum(z, 1)) + 0.2)
    for _ in range(60):
        w = w - (w - z * np.exp(-w)) / (1 + w)
    return np.where(z < -1 / math.e, np.nan, w).astype(x.dtype)
