"""Continuous distributions that are a function of one uniform number: their quantile functions."""

from __future__ import annotations

import math
from typing import Any

from .. import primitives as p
from .._native import Array, Dtype
from ..interop import asarray
from ..ops import elementwise, pointwise
from ..ops.operands import as_dtype_array
from ..ops.promotion import FLOAT_FORMATS
from ..ops.streams import streamed
from .keys import draw_shape, key_for
from .uniform_numbers import float_dtype, parameters, shape_for, uniform_between, unit_uniform


@streamed
def gumbel(shape: Any = (), dtype: Any = None, key: Any = None, *, stream: Any = None) -> Array:
    """Numbers of the standard Gumbel distribution.

    >>> ft.random.gumbel((2,), key=ft.random.key(0)).shape
    (2,)
    """
    dtype = float_dtype(dtype, "gumbel")
    return standard_gumbel(key_for("gumbel", key), draw_shape("gumbel", shape), dtype)


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
    shape = draw_shape("exponential", shape)
    return standard_exponential(key_for("exponential", key), shape, dtype)


def standard_exponential(key: Array, shape: tuple[int, ...], dtype: Dtype) -> Array:
    """Numbers of the exponential distribution with mean 1: finite, not negative."""
    return p.neg_p.bind(p.log1p_p.bind(p.neg_p.bind(unit_uniform(key, shape, dtype))))


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


@streamed
def cauchy(shape: Any = (), dtype: Any = None, key: Any = None, *, stream: Any = None) -> Array:
    """Numbers of the standard Cauchy distribution.

    Raises:
        TypeError: the dtype is not a real floating-point one.
        ValueError: no key is given where a transformation traces.

    >>> ft.random.cauchy((2,), key=ft.random.key(0)).shape
    (2,)
    """
    dtype = float_dtype(dtype, "cauchy")
    smallest, one = asarray(2.0 ** -FLOAT_FORMATS[dtype][1], dtype=dtype), asarray(1, dtype=dtype)
    u = uniform_between(key_for("cauchy", key), draw_shape("cauchy", shape), dtype, smallest, one)
    return elementwise.tan((u - 0.5) * math.pi)


@streamed
def logistic(shape: Any = (), dtype: Any = None, key: Any = None, *, stream: Any = None) -> Array:
    """Numbers of the standard logistic distribution.

    Raises:
        TypeError: the dtype is not a real floating-point one.
        ValueError: no key is given where a transformation traces.

    >>> ft.random.logistic((2,), key=ft.random.key(0)).shape
    (2,)
    """
    dtype = float_dtype(dtype, "logistic")
    smallest, one = asarray(2.0 ** -FLOAT_FORMATS[dtype][1], dtype=dtype), asarray(1, dtype=dtype)
    u = uniform_between(key_for("logistic", key), draw_shape("logistic", shape), dtype, smallest, one)
    return elementwise.log(u) - elementwise.log1p(-u)


@streamed
def pareto(b: Any, shape: Any = None, dtype: Any = None, key: Any = None, *, stream: Any = None) -> Array:
    """Numbers of the Pareto distribution: at least 1, with density b * x**(-b - 1).

    Args:
        b: positive floats.
        shape: of the result; by default that of `b`.
        dtype: a float dtype, float32 by default.
        key: see `random.key`; the global one by default.
        stream: the Stream or Device to run on.

    Returns:
        An array of floats, differentiable with respect to `b`.

    Raises:
        TypeError: the dtype is not a real floating-point one.
        ValueError: the shapes do not fit, or no key is given where a transformation traces.

    >>> ft.random.pareto(3.0, (2,), key=ft.random.key(0)).shape
    (2,)
    """
    shape, (b,) = parameters("pareto", shape, dtype, b=b)
    return elementwise.exp(standard_exponential(key_for("pareto", key), shape, b.dtype) / b)


@streamed
def weibull_min(
    scale: Any,
    concentration: Any,
    shape: Any = None,
    dtype: Any = None,
    key: Any = None,
    *,
    stream: Any = None,
) -> Array:
    """Numbers of the Weibull distribution, P(X > x) = exp(-(x / scale)**concentration).

    Args:
        scale: positive floats.
        concentration: positive floats.
        shape: of the result; by default what `scale` and `concentration` broadcast to.
        dtype: a float dtype, float32 by default.
        key: see `random.key`; the global one by default.
        stream: the Stream or Device to run on.

    Returns:
        An array of floats, differentiable with respect to `scale` and `concentration`.

    Raises:
        TypeError: the dtype is not a real floating-point one.
        ValueError: the shapes do not fit, or no key is given where a transformation traces.

    >>> ft.random.weibull_min(1.0, 2.0, (2,), key=ft.random.key(0)).shape
    (2,)
    """
    shape, (scale, concentration) = parameters(
        "weibull_min", shape, dtype, scale=scale, concentration=concentration
    )
    x = standard_exponential(key_for("weibull_min", key), shape, scale.dtype)
    return scale * x ** (1 / concentration)


@streamed
def rayleigh(
    scale: Any, shape: Any = None, dtype: Any = None, key: Any = None, *, stream: Any = None
) -> Array:
    """Numbers of the Rayleigh distribution: lengths of pairs of normal numbers with deviation `scale`.

    Args:
        scale: positive floats.
        shape: of the result; by default that of `scale`.
        dtype: a float dtype, float32 by default.
        key: see `random.key`; the global one by default.
        stream: the Stream or Device to run on.

    Returns:
        An array of floats, differentiable with respect to `scale`.

    Raises:
        TypeError: the dtype is not a real floating-point one.
        ValueError: the shapes do not fit, or no key is given where a transformation traces.

    >>> ft.random.rayleigh(1.0, (2,), key=ft.random.key(0)).shape
    (2,)
    """
    shape, (scale,) = parameters("rayleigh", shape, dtype, scale=scale)
    return scale * elementwise.sqrt(2 * standard_exponential(key_for("rayleigh", key), shape, scale.dtype))


@streamed
def triangular(
    left: Any,
    mode: Any,
    right: Any,
    shape: Any = None,
    dtype: Any = None,
    key: Any = None,
    *,
    stream: Any = None,
) -> Array:
    """Numbers whose density rises linearly from `left` to `mode` and falls to `right`.

    Args:
        left: floats.
        mode: floats, not below `left`.
        right: floats, above `left` and not below `mode`.
        shape: of the result; by default what `left`, `mode` and `right` broadcast to.
        dtype: a float dtype, float32 by default.
        key: see `random.key`; the global one by default.
        stream: the Stream or Device to run on.

    Returns:
        An array of floats, differentiable with respect to `left`, `mode` and `right`.

    Raises:
        TypeError: the dtype is not a real floating-point one.
        ValueError: the shapes do not fit, or no key is given where a transformation traces.

    >>> ft.random.triangular(0.0, 1.0, 3.0, (2,), key=ft.random.key(0)).shape
    (2,)
    """
    shape, (left, mode, right) = parameters("triangular", shape, dtype, left=left, mode=mode, right=right)
    u = unit_uniform(key_for("triangular", key), shape, left.dtype)
    width = right - left
    rising = left + elementwise.sqrt(u * width * (mode - left))
    falling = right - elementwise.sqrt((1 - u) * width * (right - mode))
    return pointwise.where(u * width < mode - left, rising, falling)
