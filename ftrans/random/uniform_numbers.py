"""Random bits, uniform numbers, and what all distributions ask of their arguments."""

from __future__ import annotations

from typing import Any

from .. import primitives as p
from .._native import Array, Dtype, bfloat16, uint8, uint16, uint32, uint64
from ..interop import asarray
from ..ops.operands import (
    as_dtype_array,
    broadcast,
    broadcast_shapes_of,
    constant_like,
    convert,
)
from ..ops.promotion import DEFAULT_FLOAT, FLOAT_FORMATS, as_dtype
from ..ops.streams import streamed
from .keys import draw_shape, key_for, threefry

UNSIGNED = {1: uint8, 2: uint16, 4: uint32, 8: uint64}


@streamed
def bits(shape: Any = (), width: int = 4, *, key: Any = None, stream: Any = None) -> Array:
    """Unsigned integers all of whose bits are random.

    Args:
        shape: of the result.
        width: bytes of each: 1, 2, 4 or 8.

    >>> ft.random.bits((2,), key=ft.random.key(0)).dtype
    uint32
    """
    if width not in UNSIGNED:
        raise ValueError(f"bits: width must be 1, 2, 4 or 8 bytes, got {width}")
    return draw_bits(key_for("bits", key), draw_shape("bits", shape), width)


def draw_bits(key: Array, shape: tuple[int, ...], width: int) -> Array:
    """Unsigned integers of `width` bytes."""
    if width < 8:
        return convert(p.random_bits_p.bind(key, shape=shape), UNSIGNED[width])
    high, low = (convert(word, uint64) for word in threefry(shape)(key))
    return p.or_p.bind(p.shift_left_p.bind(high, constant_like(high, 32)), low)


def float_dtype(dtype: Any, function: str) -> Dtype:
    """The dtype that the user gave to `function`, checked, or the default one."""
    dtype = DEFAULT_FLOAT if dtype is None else as_dtype(dtype, function)
    if dtype.kind != "f":
        raise TypeError(f"{function}: dtype must be a real floating-point one, got {dtype.name}")
    return dtype


def batch_shape(function: str, shape: Any, *given: tuple[int, ...]) -> tuple[int, ...]:
    """`shape`, or what the parameters' shapes broadcast to if it is None; they must broadcast to it."""
    natural = broadcast_shapes_of(function, *given)
    if shape is None:
        return natural
    shape = draw_shape(function, shape)
    if broadcast_shapes_of(function, natural, shape) != shape:
        raise ValueError(f"{function}: the parameters, of shape {natural}, do not broadcast to shape {shape}")
    return shape


def shape_for(function: str, shape: Any, *parameters: Array) -> tuple[int, ...]:
    """The shape of the result for these parameters, see `batch_shape`."""
    return batch_shape(function, shape, *[x.shape for x in parameters])


def parameters(
    function: str, shape: Any, dtype: Any, **given: Any
) -> tuple[tuple[int, ...], tuple[Array, ...]]:
    """The shape of the result, and the parameters of a distribution in its dtype."""
    dtype = float_dtype(dtype, function)
    arrays = tuple([as_dtype_array(x, dtype, function, name) for name, x in given.items()])
    return shape_for(function, shape, *arrays), arrays


def unit_uniform(key: Array, shape: tuple[int, ...], dtype: Dtype) -> Array:
    """Uniform numbers in [0, 1): random bits for the fraction of a number in [1, 2), less 1."""
    fraction_bits = FLOAT_FORMATS[dtype][1] - 1
    width = 1 if dtype is bfloat16 else dtype.itemsize  # 8 bits fill bfloat16's fraction
    random = convert(draw_bits(key, shape, width), UNSIGNED[dtype.itemsize])
    one = p.bitcast_p.bind(asarray(1, dtype=dtype), dtype=random.dtype)
    fraction = p.shift_right_p.bind(random, constant_like(random, 8 * width - fraction_bits))
    return p.sub_p.bind(p.bitcast_p.bind(p.or_p.bind(fraction, one), dtype=dtype), asarray(1, dtype=dtype))


def uniform_between(key: Array, shape: tuple[int, ...], dtype: Dtype, low: Array, high: Array) -> Array:
    """Uniform numbers in [low, high), for bounds of that dtype that broadcast to the shape."""
    low, high = (broadcast(x, shape) if x.shape else x for x in (low, high))
    # One rounding, as in JAX: where a bound is negative and the other is not, two would show near 0.
    scaled = p.fma_p.bind(unit_uniform(key, shape, dtype), p.sub_p.bind(high, low), low)
    return p.max_p.bind(low, scaled)  # rounding may lead below


@streamed
def uniform(
    low: Any = 0, high: Any = 1, shape: Any = None, dtype: Any = None, key: Any = None, *, stream: Any = None
) -> Array:
    """Numbers uniform in [low, high).

    Args:
        low, high: numbers or arrays.
        shape: of the result; by default what `low` and `high` broadcast to.
        dtype: a float dtype, float32 by default.
        key: see `random.key`; the global one by default.

    Raises:
        ValueError: no key is given where a transformation traces, or the shapes do not fit.

    >>> ft.random.uniform(shape=[3], key=ft.random.key(0)).shape
    (3,)
    """
    dtype = float_dtype(dtype, "uniform")
    low, high = (as_dtype_array(x, dtype, "uniform", n) for x, n in ((low, "low"), (high, "high")))
    return uniform_between(key_for("uniform", key), shape_for("uniform", shape, low, high), dtype, low, high)
