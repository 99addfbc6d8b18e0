"""Random numbers: a stateless generator with explicit keys, and a global key for scripts.

A key is a uint32 array of shape (2,). The same key always gives the same numbers: `split` it to draw
independent ones. Without ``key=`` the functions draw on a global key, which `seed` sets. The bits are those
of JAX's partitionable Threefry generator for the same key.
"""

from __future__ import annotations

import math
import operator
import secrets
import threading
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from . import primitives as p
from ._native import Array, Dtype, bfloat16, uint8, uint16, uint32, uint64
from .core.tracing import is_tracing_abstractly
from .interop import asarray
from .ops import creation, elementwise, joining, manipulation, pointwise, sorting
from .ops.operands import (
    as_array,
    as_dtype_array,
    broadcast,
    broadcast_shapes_of,
    constant_like,
    convert,
    normalize_axis,
    normalize_shape,
    reshape_to,
    to_inexact,
)
from .ops.promotion import DEFAULT_FLOAT, DEFAULT_INT, FLOAT_FORMATS, as_dtype, integer_bounds
from .ops.searching import argmax, searchsorted
from .ops.streams import streamed
from .ops.taking import take
from .primitives.random import threefry2x32
from .transforms.jit import jit

__all__ = [
    "bernoulli",
    "bits",
    "categorical",
    "choice",
    "exponential",
    "fold_in",
    "gumbel",
    "key",
    "laplace",
    "normal",
    "permutation",
    "randint",
    "seed",
    "split",
    "truncated_normal",
    "uniform",
]

_UNSIGNED = {1: uint8, 2: uint16, 4: uint32, 8: uint64}


# ---------------------------------------------------------------- keys


@streamed
def key(seed: Any, *, stream: Any = None) -> Array:
    """The key of a seed: a uint32 array of shape (2,).

    Args:
        seed: a Python int (taken modulo 2**64), or an integer 0-d array.

    >>> ft.random.key(42)
    array([0, 42], dtype=uint32)
    """
    if isinstance(seed, (int, np.integer)):
        number = int(seed) % 2**64
        return asarray(np.array([number >> 32, number & 0xFFFFFFFF], np.uint32))
    seed = as_array(seed, "random.key", "seed")
    if seed.dtype.kind not in "iu" or seed.ndim:
        raise TypeError(
            f"random.key: seed must be an integer, got an array of dtype {seed.dtype}, shape {seed.shape}"
        )
    return p.concatenate_p.bind(*_words(seed), axis=0)


def _words(number: Array) -> tuple[Array, Array]:
    """The high and the low 32 bits of an integer scalar, each of shape (1,)."""
    number = reshape_to(number, (1,))
    low = convert(number, uint32)
    if number.dtype.itemsize < 8:
        return p.broadcast_in_dim_p.bind(constant_like(low, 0), shape=(1,), dims=()), low
    return convert(p.shift_right_p.bind(convert(number, uint64), asarray(32, dtype=uint64)), uint32), low


class _GlobalKey:
    """The key that is split whenever a function is called without one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._key: Array | None = None

    def set(self, value: Array) -> None:
        with self._lock:
            self._key = value

    def next(self, function: str) -> Array:
        if is_tracing_abstractly():
            raise ValueError(
                f"random.{function}: give key= inside of jit, vmap and make_jaxpr: a key drawn from the "
                "global state would become a constant of the traced function, and every call would return "
                "the same numbers"
            )
        with self._lock:
            self._key, drawn = _next_keys(key(secrets.randbits(64)) if self._key is None else self._key)
            return drawn


_global_key = _GlobalKey()


def seed(seed: int) -> None:
    """Set the global key, which functions called without ``key=`` draw on.

    >>> ft.random.seed(0)
    """
    _global_key.set(key(seed))


def _key_for(function: str, given: Any) -> Array:
    if given is None:
        return _global_key.next(function)
    given = as_array(given, f"random.{function}", "key")
    if given.dtype is not uint32 or given.shape != (2,):
        raise ValueError(
            f"random.{function}: key must be a uint32 array of shape (2,), as random.key makes; "
            f"got dtype {given.dtype}, shape {given.shape}"
        )
    return given


@lru_cache
def _threefry(shape: tuple[int, ...]) -> Callable[[Array], tuple[Array, Array]]:
    """From a key to both random words for the number of each element; `random_bits` gives their xor."""

    @jit
    def threefry(key: Array) -> tuple[Array, Array]:
        return threefry2x32((key[0], key[1]), _counters(shape))

    return threefry


@jit
def _next_keys(key: Array) -> tuple[Array, Array]:
    pair = split(key)
    return pair[0], pair[1]


@jit
def _folded(key: Array, low: Array) -> Array:
    """The key that Threefry makes of a counter whose high word is 0."""
    return joining.stack(threefry2x32((key[0], key[1]), (constant_like(low, 0), low)))


@streamed
def split(key: Any, num: int | tuple[int, ...] = 2, *, stream: Any = None) -> Array:
    """`num` new independent keys, as a uint32 array of shape (num, 2).

    Args:
        key: the key to split; do not use it for anything else afterwards.
        num: an int or a shape.

    >>> ft.random.split(ft.random.key(0)).shape
    (2, 2)
    """
    key = _key_for("split", key)
    shape = normalize_shape("random.split", num)
    return joining.stack(_threefry(shape)(key), axis=-1)


@streamed
def fold_in(key: Any, data: Any, *, stream: Any = None) -> Array:
    """The key that `key` and an integer determine, such as the number of a step.

    >>> ft.random.fold_in(ft.random.key(0), 1).shape
    (2,)
    """
    key = _key_for("fold_in", key)
    data = as_array(data, "random.fold_in", "data")
    if data.dtype.kind not in "iu" or data.ndim:
        raise TypeError(
            f"random.fold_in: data must be an integer, got dtype {data.dtype}, shape {data.shape}"
        )
    return _folded(key, convert(data, uint32))


def _counters(shape: tuple[int, ...]) -> tuple[Array, Array]:
    """The high and low words of the row-major number of each element."""
    size = math.prod(shape)
    if size > 2**32:
        number = creation.iota(size, uint64)
        words = (p.shift_right_p.bind(number, constant_like(number, 32)), number)
        return tuple(reshape_to(convert(w, uint32), shape) for w in words)  # type: ignore[return-value]
    low = reshape_to(creation.iota(size, uint32), shape)
    return broadcast(constant_like(low, 0), shape), low


# ---------------------------------------------------------------- bits and uniform numbers


@streamed
def bits(shape: Any = (), width: int = 4, *, key: Any = None, stream: Any = None) -> Array:
    """Unsigned integers all of whose bits are random.

    Args:
        shape: of the result.
        width: bytes of each: 1, 2, 4 or 8.

    >>> ft.random.bits((2,), key=ft.random.key(0)).dtype
    uint32
    """
    if width not in _UNSIGNED:
        raise ValueError(f"random.bits: width must be 1, 2, 4 or 8 bytes, got {width}")
    return _bits(_key_for("bits", key), normalize_shape("random.bits", shape), width)


def _bits(key: Array, shape: tuple[int, ...], width: int) -> Array:
    if width < 8:
        return convert(p.random_bits_p.bind(key, shape=shape), _UNSIGNED[width])
    high, low = (convert(word, uint64) for word in _threefry(shape)(key))
    return p.or_p.bind(p.shift_left_p.bind(high, constant_like(high, 32)), low)


def _float_dtype(dtype: Any, function: str) -> Dtype:
    dtype = DEFAULT_FLOAT if dtype is None else as_dtype(dtype, f"random.{function}")
    if dtype.kind != "f":
        raise TypeError(f"random.{function}: dtype must be a real floating-point one, got {dtype.name}")
    return dtype


def _shape_for(function: str, shape: Any, *parameters: Array) -> tuple[int, ...]:
    """`shape`, or what the parameters broadcast to if it is None; they must broadcast to it."""
    natural = broadcast_shapes_of(f"random.{function}", *[x.shape for x in parameters])
    if shape is None:
        return natural
    shape = normalize_shape(f"random.{function}", shape)
    if broadcast_shapes_of(f"random.{function}", natural, shape) != shape:
        raise ValueError(
            f"random.{function}: the parameters, of shape {natural}, do not broadcast to shape {shape}"
        )
    return shape


def _unit_uniform(key: Array, shape: tuple[int, ...], dtype: Dtype) -> Array:
    """Uniform numbers in [0, 1): random bits for the fraction of a number in [1, 2), less 1."""
    fraction_bits = FLOAT_FORMATS[dtype][1] - 1
    width = 1 if dtype is bfloat16 else dtype.itemsize  # 8 bits fill bfloat16's fraction
    random = convert(_bits(key, shape, width), _UNSIGNED[dtype.itemsize])
    one = p.bitcast_p.bind(asarray(1, dtype=dtype), dtype=random.dtype)
    fraction = p.shift_right_p.bind(random, constant_like(random, 8 * width - fraction_bits))
    return p.sub_p.bind(p.bitcast_p.bind(p.or_p.bind(fraction, one), dtype=dtype), asarray(1, dtype=dtype))


def _uniform(key: Array, shape: tuple[int, ...], dtype: Dtype, low: Array, high: Array) -> Array:
    low, high = (broadcast(x, shape) if x.shape else x for x in (low, high))
    scaled = p.add_p.bind(p.mul_p.bind(_unit_uniform(key, shape, dtype), p.sub_p.bind(high, low)), low)
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
    dtype = _float_dtype(dtype, "uniform")
    low, high = (as_dtype_array(x, dtype, "random.uniform", n) for x, n in ((low, "low"), (high, "high")))
    return _uniform(_key_for("uniform", key), _shape_for("uniform", shape, low, high), dtype, low, high)


# ---------------------------------------------------------------- distributions


def _standard_normal(key: Array, shape: tuple[int, ...], dtype: Dtype) -> Array:
    one = asarray(1, dtype=dtype)
    above_minus_one = p.nextafter_p.bind(p.neg_p.bind(one), asarray(0, dtype=dtype))
    quantile = p.erf_inv_p.bind(_uniform(key, shape, dtype, above_minus_one, one))
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
    dtype = _float_dtype(dtype, "normal")
    loc_, scale_ = (as_dtype_array(x, dtype, "random.normal", n) for x, n in ((loc, "loc"), (scale, "scale")))
    out = _standard_normal(_key_for("normal", key), _shape_for("normal", shape, loc_, scale_), dtype)
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
    dtype = _float_dtype(dtype, "truncated_normal")
    key = _key_for("truncated_normal", key)
    low, high = (
        as_dtype_array(x, dtype, "random.truncated_normal", n)
        for x, n in ((lower, "lower"), (upper, "upper"))
    )
    shape = _shape_for("truncated_normal", shape, low, high)
    root = asarray(math.sqrt(2), dtype=dtype)
    a, b = (p.erf_p.bind(p.div_p.bind(x, root)) for x in (low, high))
    out = p.mul_p.bind(root, p.erf_inv_p.bind(_uniform(key, shape, dtype, a, b)))
    infinity = asarray(math.inf, dtype=dtype)
    inside = p.nextafter_p.bind(low, infinity), p.nextafter_p.bind(high, p.neg_p.bind(infinity))
    return pointwise.clip(out, *inside)


@streamed
def gumbel(shape: Any = (), dtype: Any = None, key: Any = None, *, stream: Any = None) -> Array:
    """Numbers of the standard Gumbel distribution.

    >>> ft.random.gumbel((2,), key=ft.random.key(0)).shape
    (2,)
    """
    dtype = _float_dtype(dtype, "gumbel")
    return _gumbel(_key_for("gumbel", key), normalize_shape("random.gumbel", shape), dtype)


def _gumbel(key: Array, shape: tuple[int, ...], dtype: Dtype) -> Array:
    exponent, _ = FLOAT_FORMATS[dtype]
    smallest = asarray(2.0 ** (2 - exponent), dtype=dtype)
    numbers = _uniform(key, shape, dtype, smallest, asarray(1, dtype=dtype))
    return p.neg_p.bind(p.log_p.bind(p.neg_p.bind(p.log_p.bind(numbers))))


@streamed
def exponential(shape: Any = (), dtype: Any = None, key: Any = None, *, stream: Any = None) -> Array:
    """Numbers of the exponential distribution with mean 1.

    >>> ft.random.exponential((2,), key=ft.random.key(0)).shape
    (2,)
    """
    dtype = _float_dtype(dtype, "exponential")
    shape = normalize_shape("random.exponential", shape)
    return p.neg_p.bind(
        p.log1p_p.bind(p.neg_p.bind(_unit_uniform(_key_for("exponential", key), shape, dtype)))
    )


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
    dtype = _float_dtype(dtype, "laplace")
    loc, scale = (as_dtype_array(x, dtype, "random.laplace", n) for x, n in ((loc, "loc"), (scale, "scale")))
    shape = _shape_for("laplace", shape, loc, scale)
    one = asarray(1, dtype=dtype)
    above_minus_one = p.nextafter_p.bind(p.neg_p.bind(one), asarray(0, dtype=dtype))
    u = _uniform(_key_for("laplace", key), shape, dtype, above_minus_one, one)
    out = p.mul_p.bind(p.sign_p.bind(u), p.log1p_p.bind(p.neg_p.bind(p.abs_p.bind(u))))
    return elementwise.subtract(loc, elementwise.multiply(out, scale))


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
    dtype = DEFAULT_INT if dtype is None else as_dtype(dtype, "random.randint")
    if dtype.kind not in "iu":
        raise TypeError(f"random.randint: dtype must be an integer one, got {dtype.name}")
    if type(high) is int and high == integer_bounds(dtype)[1] + 1:
        high = high - 1  # the greatest integer itself cannot be an exclusive bound of its dtype
    low, high = (as_dtype_array(x, dtype, "random.randint", n) for x, n in ((low, "low"), (high, "high")))
    shape = _shape_for("randint", shape, low, high)
    width = dtype.itemsize
    unsigned = _UNSIGNED[width]
    keys = split(_key_for("randint", key))
    upper, lower = _bits(keys[0], shape, width), _bits(keys[1], shape, width)
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
    probability = to_inexact(as_array(p, "random.bernoulli", "p"))
    shape = _shape_for("bernoulli", shape, probability)
    return elementwise.less(_unit_uniform(_key_for("bernoulli", key), shape, probability.dtype), probability)


@streamed
def permutation(x: Any, axis: int = 0, key: Any = None, *, stream: Any = None) -> Array:
    """The integers below `x`, or the slices of the array `x` along an axis, in random order.

    >>> ft.random.permutation(4, key=ft.random.key(0)).shape
    (4,)
    """
    key = _key_for("permutation", key)
    if isinstance(x, (int, np.integer)):
        return _shuffled_indices(key, int(x))
    x = as_array(x, "random.permutation")
    axis = normalize_axis("random.permutation", axis, x.ndim)
    return take(x, _shuffled_indices(key, x.shape[axis]), axis=axis, mode="promise_in_bounds")


def _shuffled_indices(key: Array, n: int) -> Array:
    """The first n integers sorted by 64 random bits each."""
    keys = split(key)
    first, second = (p.random_bits_p.bind(keys[i], shape=(n,)) for i in range(2))
    return p.sort_p.bind(first, second, creation.iota(n), axis=0, num_keys=2)[2]


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
    key = _key_for("categorical", key)
    logits = to_inexact(as_array(logits, "random.categorical", "logits"))
    axis = normalize_axis("random.categorical", axis, logits.ndim)
    logits = manipulation.moveaxis(logits, axis, -1)
    batch, classes = logits.shape[:-1], logits.shape[-1]
    if num_samples is not None:
        if shape is not None:
            raise ValueError("random.categorical: give shape or num_samples, not both")
        logits, shape = reshape_to(logits, (*batch, 1, classes)), (*batch, operator.index(num_samples))
    shape = batch if shape is None else normalize_shape("random.categorical", shape)
    if broadcast_shapes_of("random.categorical", logits.shape[:-1], shape) != shape:
        raise ValueError(
            f"random.categorical: logits of batch shape {batch} do not broadcast to shape {shape}"
        )
    noise = _gumbel(key, (*shape, classes), logits.dtype)
    return argmax(elementwise.add(noise, logits), axis=-1)


@streamed
def choice(
    a: Any,
    shape: Any = (),
    replace: bool = True,
    p: Any = None,
    axis: int = 0,
    key: Any = None,
    *,
    stream: Any = None,
) -> Array:
    """Random integers below `a`, or slices of the array `a` along an axis.

    Args:
        shape: of what is drawn.
        replace: whether the same one may be drawn again.
        p: the probability of each; uniform if None.

    >>> ft.random.choice(5, (3,), replace=False, key=ft.random.key(0)).shape
    (3,)
    """
    key = _key_for("choice", key)
    shape = normalize_shape("random.choice", shape)
    array = None if isinstance(a, (int, np.integer)) else as_array(a, "random.choice", "a")
    if array is not None:
        axis = normalize_axis("random.choice", axis, array.ndim)
    n = int(a) if array is None else array.shape[axis]
    drawn = math.prod(shape)
    if n == 0 and drawn:
        raise ValueError("random.choice: there is nothing to choose from")
    if not replace and drawn > n:
        raise ValueError(f"random.choice: cannot draw {drawn} of {n} without replacement")
    chosen = _choose(key, n, drawn, replace, p)
    if array is None:
        return reshape_to(chosen, shape)
    return take(array, reshape_to(chosen, shape), axis=axis, mode="promise_in_bounds")


def _choose(key: Array, n: int, drawn: int, replace: bool, probabilities: Any) -> Array:
    if probabilities is None:
        return randint(0, n, (drawn,), key=key) if replace else _shuffled_indices(key, n)[:drawn]
    weights = to_inexact(as_array(probabilities, "random.choice", "p"))
    if weights.shape != (n,):
        raise ValueError(f"random.choice: p must have shape ({n},), got {weights.shape}")
    if replace:
        total = p.cumsum_p.bind(weights, axis=0, reverse=False)
        level = elementwise.multiply(_unit_uniform(key, (drawn,), weights.dtype), total[-1])
        return searchsorted(total, level, side="right")
    return sorting.topk(elementwise.add(_gumbel(key, (n,), weights.dtype), elementwise.log(weights)), drawn)[
        1
    ]
