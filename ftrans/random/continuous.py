"""Continuous distributions that are a function of a uniform or a normal number."""

from __future__ import annotations

import math
from typing import Any

from .. import primitives as p
from .._native import Array, Dtype
from ..interop import asarray
from ..ops import elementwise, pointwise
from ..ops.operands import as_dtype_array, normalize_shape
from ..ops.promotion import FLOAT_FORMATS
from ..ops.streams import streamed
from .keys import key_for
from .uniform_numbers import float_dtype, shape_for, uniform_between, unit_uniform


def standard_normal(key: Array, shape: tuple[int, ...], dtype: Dtype) -> Array:
    """Normal numbers with mean 0 and standard deviation 1."""
    one = asarray(1, dtype=dtype)
    above_minus_one = p.nextafter_p.bind(p.neg_p.bind(one), asarray(0, dtype=dtype))
    quantile = p.erf_inv_p.bind(uniform_between(key, shape, dtype, above_minus_one, one))
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
def gumbel(shape: Any = (), dtype: Any = None, key: Any = None, *, stream: Any = None) -> Array:
    """Numbers of the standard Gumbel distribution.

    >>> ft.random.gumbel((2,), key=ft.random.key(0)).shape
    (2,)
    """
    dtype = float_dtype(dtype, "gumbel")
    return standard_gumbel(key_for("gumbel", key), normalize_shape("gumbel", shape), dtype)


def standard_gumbel(key: Array, shape: tuple[int, ...], dtype: Dtype) -> Array:
    """Numbers of the standard Gumbel distribution."""
    exponent, _ = FLOAT_FORMATS[dtype]
    smallest = asarray(2.0 ** (2 - exponent), dtype=dtype)
    numbers = uniform_between(key, shape, dtype, smallest, asarray(1, dtype=dtype))
    return p.neg_p.bind(p.log_p.bind(p.neg_p.bind(p.log_p.bind(numbers))))


@streamed
def exponential(shape: Any = (), dtype: Any = None, key: Any = None, *, stream: Any = None) -> Array:
    """Numbers of the exponential distribution with mean 1.

    >>> ft.random.exponential((2,), key=ft.random.key(0)).shape
    (2,)
    """
    dtype = float_dtype(dtype, "exponential")
    shape = normalize_shape("exponential", shape)
    return p.neg_p.bind(p.log1p_p.bind(p.neg_p.bind(unit_uniform(key_for("exponential", key), shape, dtype))))


@streamed
def laplace(
    shape: Any = (),
    dtype: Any = None,
    loc: Any = 0.0,
    scale: Any = 1.0,
    key: Any = None,
    *,
    stream: Any = None,
) -> Array:
    """Numbers of the Laplace distribution around `loc` with mean deviation `scale`.

    >>> ft.random.laplace((2,), key=ft.random.key(0)).shape
    (2,)
    """
    dtype = float_dtype(dtype, "laplace")
    loc, scale = (as_dtype_array(x, dtype, "laplace", n) for x, n in ((loc, "loc"), (scale, "scale")))
    shape = shape_for("laplace", shape, loc, scale)
    one = asarray(1, dtype=dtype)
    above_minus_one = p.nextafter_p.bind(p.neg_p.bind(one), asarray(0, dtype=dtype))
    u = uniform_between(key_for("laplace", key), shape, dtype, above_minus_one, one)
    out = p.mul_p.bind(p.sign_p.bind(u), p.log1p_p.bind(p.neg_p.bind(p.abs_p.bind(u))))
    return elementwise.subtract(loc, elementwise.multiply(out, scale))
