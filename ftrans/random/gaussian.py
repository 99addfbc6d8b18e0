"""Normal numbers and those that are made of one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .. import primitives as p
from .._native import Array, Dtype, float32
from ..interop import asarray
from ..ops import elementwise, pointwise
from ..ops.operands import as_dtype_array, normalize_shape
from ..ops.statistical import sum as summed
from ..ops.streams import streamed
from .keys import key_for
from .uniform_numbers import float_dtype, parameters, shape_for, uniform_between

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


def _polynomial(coefficients: Sequence[float], x: Array) -> Array:
    value = x * coefficients[0] + coefficients[1]
    for coefficient in coefficients[2:]:
        value = value * x + coefficient
    return value


def _single_erf_inv(u: Array) -> Array:
    """erf_inv in float32 by Giles' polynomials: not as accurate as `erf_inv_p`, but what JAX computes."""
    w = -elementwise.log1p(-u * u)
    central, tail = _polynomial(_CENTRAL, w - 2.5), _polynomial(_TAIL, elementwise.sqrt(w) - 3)
    return pointwise.where(w < 5, central, tail) * u


def standard_normal(key: Array, shape: tuple[int, ...], dtype: Dtype) -> Array:
    """Normal numbers with mean 0 and standard deviation 1; in float32, within 3 ulp of JAX's."""
    one = asarray(1, dtype=dtype)
    above_minus_one = p.nextafter_p.bind(p.neg_p.bind(one), asarray(0, dtype=dtype))
    u = uniform_between(key, shape, dtype, above_minus_one, one)
    quantile = _single_erf_inv(u) if dtype is float32 else p.erf_inv_p.bind(u)
    return p.mul_p.bind(asarray(math.sqrt(2), dtype=dtype), quantile)


@streamed
def normal(
    shape: Any = (),
    dtype: Any = None,
    loc: Any = 0.0,
    scale: Any = 1.0,
    key: Any = None,
    *,
    stream: Any = None,
) -> Array:
    """Numbers of the normal distribution with mean `loc` and standard deviation `scale` (arrays or numbers).

    >>> ft.random.normal((2, 3), key=ft.random.key(0)).shape
    (2, 3)
    """
    dtype = float_dtype(dtype, "normal")
    loc_, scale_ = (as_dtype_array(x, dtype, "normal", n) for x, n in ((loc, "loc"), (scale, "scale")))
    out = standard_normal(key_for("normal", key), shape_for("normal", shape, loc_, scale_), dtype)
    out = out if type(scale) is float and scale == 1.0 else elementwise.multiply(out, scale_)
    return out if type(loc) is float and loc == 0.0 else elementwise.add(out, loc_)


@streamed
def truncated_normal(
    lower: Any, upper: Any, shape: Any = None, dtype: Any = None, key: Any = None, *, stream: Any = None
) -> Array:
    """Numbers of the standard normal distribution, given that they are in [lower, upper].

    >>> ft.random.truncated_normal(-2, 2, (3,), key=ft.random.key(0)).shape
    (3,)
    """
    dtype = float_dtype(dtype, "truncated_normal")
    key = key_for("truncated_normal", key)
    low, high = (
        as_dtype_array(x, dtype, "truncated_normal", n) for x, n in ((lower, "lower"), (upper, "upper"))
    )
    shape = shape_for("truncated_normal", shape, low, high)
    root = asarray(math.sqrt(2), dtype=dtype)
    a, b = (p.erf_p.bind(p.div_p.bind(x, root)) for x in (low, high))
    out = p.mul_p.bind(root, p.erf_inv_p.bind(uniform_between(key, shape, dtype, a, b)))
    infinity = asarray(math.inf, dtype=dtype)
    inside = p.nextafter_p.bind(low, infinity), p.nextafter_p.bind(high, p.neg_p.bind(infinity))
    return pointwise.clip(out, *inside)


@streamed
def lognormal(
    sigma: Any = 1.0, shape: Any = None, dtype: Any = None, key: Any = None, *, stream: Any = None
) -> Array:
    """Numbers whose logarithm is normal with mean 0 and standard deviation `sigma` (array or number).

    Args:
        sigma: floats.
        shape: of the result; by default that of `sigma`.
        dtype: a float dtype, float32 by default.
        key: see `random.key`; the global one by default.
        stream: the Stream or Device to run on.

    Raises:
        TypeError: the dtype is not a real floating-point one.
        ValueError: the shapes do not fit, or no key is given where a transformation traces.

    >>> ft.random.lognormal(0.5, (2,), key=ft.random.key(0)).shape
    (2,)
    """
    shape, (sigma,) = parameters("lognormal", shape, dtype, sigma=sigma)
    return elementwise.exp(sigma * standard_normal(key_for("lognormal", key), shape, sigma.dtype))


@streamed
def maxwell(shape: Any = (), dtype: Any = None, key: Any = None, *, stream: Any = None) -> Array:
    """Numbers of the Maxwell distribution of scale 1: the length of a vector of 3 standard normal numbers.

    Raises:
        TypeError: the dtype is not a real floating-point one.
        ValueError: no key is given where a transformation traces.

    >>> ft.random.maxwell((2,), key=ft.random.key(0)).shape
    (2,)
    """
    dtype = float_dtype(dtype, "maxwell")
    shape = normalize_shape("maxwell", shape)
    vectors = standard_normal(key_for("maxwell", key), (*shape, 3), dtype)
    return elementwise.sqrt(summed(elementwise.square(vectors), axis=-1))
