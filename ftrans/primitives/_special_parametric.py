"""NumPy reference of the special functions of several arguments.

Derivatives with respect to parameters come from values at complex points around them, by Cauchy's formula.
So they share nothing with the native kernels.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from . import _special

_CIRCLE = np.exp(2j * np.pi * np.arange(32) / 32)
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6)


def _derivative(f: Callable, order: int, at: np.ndarray, radius: np.ndarray | float) -> np.ndarray:
    """f⁽ᵏ⁾(at) of an analytic f, k = order: the mean of f·e^(−ikθ) over a circle, times k!/rᵏ."""
    if order == 0:
        return f(at)
    total = sum(f(at + radius * point) * point**-order for point in _CIRCLE)
    return math.factorial(order) * total / len(_CIRCLE) / radius**order


def _log_gamma(z: np.ndarray) -> np.ndarray:
    """Log Γ(z) for Re z > 0: shifted by 12, then Stirling's series."""
    z = np.asarray(z, complex)
    shift = np.log(math.prod(z + k for k in range(12)))  # but for multiples of 2πi
    z = z + 12
    series = sum(b / (2 * j * (2 * j - 1) * z ** (2 * j - 1)) for j, b in enumerate(_BERNOULLI, 1))
    return (z - 0.5) * np.log(z) - z + 0.5 * math.log(2 * math.pi) + series - shift


def _in_double(function: Callable) -> Callable:
    """Compute on float64 operands of one shape, and return the real part in the operands' dtype."""

    def impl(*args: np.ndarray, **parameters) -> np.ndarray:
        dtype = args[0].dtype
        wide = np.broadcast_arrays(*[x.astype(np.float64) for x in args])
        return np.real(function(*wide, **parameters)).astype(dtype)

    return impl


def _zeta(s: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Euler and Maclaurin's sum with 25 terms before the integral."""
    n = 25
    a = q + n
    total = sum((q + k) ** -s for k in range(n)) + a ** (1 - s) / (s - 1) + 0.5 * a**-s
    factor = s * a ** (-s - 1)
    for j, bernoulli in enumerate(_BERNOULLI, 1):
        total = total + bernoulli / math.factorial(2 * j) * factor
        factor = factor * (s + 2 * j - 1) * (s + 2 * j) / a**2
    return total


@_in_double
def zeta(s: np.ndarray, q: np.ndarray, *, order: int) -> np.ndarray:
    inside = np.where(s > 1, s, 2)
    value = _derivative(lambda z: _zeta(z, q), order, inside, 0.25 * (inside - 1))
    return np.where(s > 1, value, np.inf if order == 0 else np.nan) + np.where(s < 1, np.nan, 0)


@_in_double
def polygamma(n: np.ndarray, x: np.ndarray) -> np.ndarray:
    shift = np.where(x < 0, np.ceil(-x), 0)
    is_order = (n >= 0) & (n == np.floor(n))
    n = np.where(is_order, n, 1)
    series = _zeta(n + np.where(n == 0, 2, 1), x + shift)
    for k in range(int(np.max(shift, initial=0))):
        series = series + np.where(k < shift, (x + k) ** -(n + 1), 0)
    factorial = np.exp(_special.lgamma(n + 1))
    value = np.where(n == 0, _special.digamma(x), np.where(n % 2 == 1, 1, -1) * factorial * series)
    return np.where(is_order, value, np.nan)


def _gamma_p(a: np.ndarray, x: np.ndarray) -> np.ndarray:
    logarithm = np.log(x)
    return sum(np.exp((a + k) * logarithm - x - _log_gamma(a + k + 1)) for k in range(120))


@_in_double
def gamma_p(a: np.ndarray, x: np.ndarray, *, order: int) -> np.ndarray:
    return _derivative(lambda z: _gamma_p(z, x), order, a, 0.8)


@_in_double
def gamma_density(a: np.ndarray, x: np.ndarray) -> np.ndarray:
    return np.exp((a - 1) * np.log(x) - x - _log_gamma(a))


@_in_double
def log_beta(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return _log_gamma(a) + _log_gamma(b) - _log_gamma(a + b)


@_in_double
def beta(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.exp(_log_gamma(a) + _log_gamma(b) - _log_gamma(a + b))


@_in_double
def beta_density(a: np.ndarray, b: np.ndarray, x: np.ndarray) -> np.ndarray:
    exponent = (a - 1) * np.log(x) + (b - 1) * np.log1p(-x)
    return np.exp(exponent + _log_gamma(a + b) - _log_gamma(a) - _log_gamma(b))


def _beta_inc(a: np.ndarray, b: np.ndarray, x: np.ndarray) -> np.ndarray:
    """By NIST Handbook of Mathematical Functions, 8.17.8: the terms of a hypergeometric series."""
    exponent = a * np.log(x) + b * np.log1p(-x) + _log_gamma(a + b) - _log_gamma(a) - _log_gamma(b)
    term = np.exp(exponent) / a
    total = term
    for k in range(400):
        term = term * ((a + b + k) / (a + 1 + k) * x)
        total = total + term
    return total


@_in_double
def beta_inc(a: np.ndarray, b: np.ndarray, x: np.ndarray, *, orders: tuple[int, int]) -> np.ndarray:
    def by_b(z: np.ndarray) -> np.ndarray:
        return _derivative(lambda w: _beta_inc(z, w, x), orders[1], b, 0.25 * b)

    return _derivative(by_b, orders[0], a, 0.25 * a)
