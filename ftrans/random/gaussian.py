"""Normal numbers and those that are made of one."""

from __future__ import annotations

import math
from typing import Any

from .. import primitives as p
from .._native import Array, Dtype
from ..interop import asarray
from ..ops import elementwise, pointwise
from ..ops.operands import as_dtype_array
from ..ops.statistical import sum as summed
from ..ops.streams import streamed
from .keys import draw_shape, key_for
from .uniform_numbers import float_dtype, parameters, shape_for, uniform_between


def standard_normal(key: Array, shape: tuple[int, ...], dtype: Dtype) -> Array:
    """Normal numbers with mean 0 and standard deviation 1: the quantiles of uniform ones in (-1, 1)."""
    one = asarray(1, dtype=dtype)
    above_minus_one = p.nextafter_p.bind(p.neg_p.bind(one), asarray(0, dtype=dtype))
    u = uniform_between(key, shape, dtype, above_minus_one, one)
    return p.mul_p.bind(asarray(math.sqrt(2), dtype=dtype), p.erf_inv_giles_p.bind(u))


@streamed
def normal(
    shape: Any = (),
    dtype: Any = None,
    loc: Any = None,
    scale: Any = None,
    key: Any = None,
    *,
    stream: Any = None,
) -> Array:
    """Numbers of the normal distribution with mean `loc` and standard deviation `scale`.

    Args:
        shape: of the result.
        dtype: a float dtype, float32 by default. In float32 the numbers are those of `jax.random.normal`.
        loc, scale: numbers or arrays that broadcast to the shape; 0 and 1 if None.
        key: see `random.key`; the global one by default.
        stream: the Stream or Device to run on.

    Raises:
        TypeError: the dtype is not a real floating-point one.
        ValueError: the shapes do not fit, or no key is given where a transformation traces.

    >>> ft.random.normal((2, 3), key=ft.random.key(0)).shape
    (2, 3)
    """
    shape = draw_shape("normal", shape)
    dtype = float_dtype(dtype, "normal")
    given = {"scale": scale, "loc": loc}
    factor, offset = (
        None if x is None else as_dtype_array(x, dtype, "normal", name) for name, x in given.items()
    )
    shape = shape_for("normal", shape, *[x for x in (factor, offset) if x is not None])
    out = standard_normal(key_for("normal", key), shape, dtype)
    out = out if factor is None else elementwise.multiply(out, factor)
    return out if offset is None else elementwise.add(out, offset)


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
    out = p.mul_p.bind(root, p.erf_inv_giles_p.bind(uniform_between(key, shape, dtype, a, b)))
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
    shape = draw_shape("maxwell", shape)
    vectors = standard_normal(key_for("maxwell", key), (*shape, 3), dtype)
    return elementwise.sqrt(summed(elementwise.square(vectors), axis=-1))
