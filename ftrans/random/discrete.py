"""Integers, bools and categories."""

from __future__ import annotations

from typing import Any

from .. import primitives as p
from .._native import Array
from ..interop import asarray
from ..ops import elementwise, manipulation, pointwise
from ..ops.operands import (
    as_array,
    as_dtype_array,
    as_integer,
    broadcast,
    broadcast_shapes_of,
    convert,
    normalize_axis,
    require_kinds,
    reshape_to,
    to_inexact,
)
from ..ops.promotion import DEFAULT_INT, as_dtype, integer_bounds
from ..ops.searching import argmax
from ..ops.streams import streamed
from .continuous import standard_gumbel
from .keys import draw_shape, key_for, subkeys
from .uniform_numbers import UNSIGNED, draw_bits, shape_for, unit_uniform


@streamed
def randint(
    low: Any, high: Any, shape: Any = None, dtype: Any = None, key: Any = None, *, stream: Any = None
) -> Array:
    """Integers in [low, high), uniform but for a bias of at most 2**-32 of the range.

    Args:
        low, high: integers or integer arrays.
        dtype: an integer dtype, int32 by default.

    >>> ft.random.randint(0, 10, (3,), key=ft.random.key(0)).dtype
    int32
    """
    dtype = DEFAULT_INT if dtype is None else as_dtype(dtype, "randint")
    if dtype.kind not in "iu":
        raise TypeError(f"randint: dtype must be an integer one, got {dtype.name}")
    if type(high) is int and high == integer_bounds(dtype)[1] + 1:
        high = high - 1  # the greatest integer itself cannot be an exclusive bound of its dtype
    low, high = (as_dtype_array(x, dtype, "randint", n) for x, n in ((low, "low"), (high, "high")))
    shape = shape_for("randint", shape, low, high)
    width = dtype.itemsize
    unsigned = UNSIGNED[width]
    keys = subkeys(key_for("randint", key))
    upper, lower = draw_bits(keys[0], shape, width), draw_bits(keys[1], shape, width)
    one = asarray(1, dtype=unsigned)
    distance = convert(elementwise.subtract(high, low), unsigned)
    span = pointwise.where(elementwise.less_equal(high, low), one, distance)
    # (upper * 2**bits + lower) mod span, without a wider integer.
    half = p.remainder_p.bind(asarray(2 ** (4 * width), dtype=unsigned), span)
    factor = p.remainder_p.bind(p.mul_p.bind(half, half), span)
    span, factor = (broadcast(x, shape) if x.shape else x for x in (span, factor))
    offset = p.add_p.bind(
        p.mul_p.bind(p.remainder_p.bind(upper, span), factor), p.remainder_p.bind(lower, span)
    )
    offset = convert(p.remainder_p.bind(offset, span), dtype)
    return p.add_p.bind(broadcast(low, shape) if low.shape else low, offset)


@streamed
def bernoulli(p: Any = 0.5, shape: Any = None, key: Any = None, *, stream: Any = None) -> Array:
    """Bools that are true with probability `p` (a number or an array).

    >>> ft.random.bernoulli(0.5, (2,), key=ft.random.key(0)).dtype
    bool
    """
    probability = to_inexact(as_array(p, "bernoulli", "p"))
    require_kinds("bernoulli", probability, "f", "a real", "p")
    shape = shape_for("bernoulli", shape, probability)
    return elementwise.less(unit_uniform(key_for("bernoulli", key), shape, probability.dtype), probability)


@streamed
def rademacher(shape: Any = (), dtype: Any = None, key: Any = None, *, stream: Any = None) -> Array:
    """-1 or 1, each with probability 1/2.

    Args:
        shape: of the result.
        dtype: a signed integer, float or complex dtype; int32 by default.
        key: see `random.key`; the global one by default.
        stream: the Stream or Device to run on.

    Raises:
        TypeError: the dtype has no -1.
        ValueError: no key is given where a transformation traces.

    >>> ft.abs(ft.random.rademacher((2,), key=ft.random.key(0)))
    array([1, 1], dtype=int32)
    """
    dtype = DEFAULT_INT if dtype is None else as_dtype(dtype, "rademacher")
    if dtype.kind in "bu":
        raise TypeError(f"rademacher: dtype must have negative numbers, got {dtype.name}")
    words = draw_bits(key_for("rademacher", key), draw_shape("rademacher", shape), 4)
    return pointwise.where(words < 2**31, asarray(-1, dtype=dtype), asarray(1, dtype=dtype))


@streamed
def categorical(
    logits: Any,
    axis: int = -1,
    shape: Any = None,
    num_samples: int | None = None,
    key: Any = None,
    *,
    stream: Any = None,
) -> Array:
    """Indices along an axis, with probabilities softmax(logits).

    Args:
        logits: unnormalised log-probabilities.
        axis: of the categories.
        shape: of the result, to which the shape of `logits` without `axis` broadcasts.
        num_samples: instead of `shape`, how many to draw for each: they get a new last axis.

    >>> ft.random.categorical(ft.zeros((5, 3)), num_samples=2, key=ft.random.key(0)).shape
    (5, 2)
    """
    key = key_for("categorical", key)
    logits = to_inexact(as_array(logits, "categorical", "logits"))
    require_kinds("categorical", logits, "f", "a real", "logits")
    axis = normalize_axis("categorical", axis, logits.ndim)
    logits = manipulation.moveaxis(logits, axis, -1)
    batch, classes = logits.shape[:-1], logits.shape[-1]
    if num_samples is not None:
        if shape is not None:
            raise ValueError("categorical: give shape or num_samples, not both")
        drawn = as_integer(num_samples, "categorical", "num_samples", least=0)
        logits, shape = reshape_to(logits, (*batch, 1, classes)), (*batch, drawn)
    shape = batch if shape is None else draw_shape("categorical", shape)
    if broadcast_shapes_of("categorical", logits.shape[:-1], shape) != shape:
        raise ValueError(f"categorical: logits of batch shape {batch} do not broadcast to shape {shape}")
    noise = standard_gumbel(key, (*shape, classes), logits.dtype)
    return argmax(elementwise.add(noise, logits), axis=-1)
