"""Keys, the global one, and the random words that Threefry makes of a key."""

from __future__ import annotations

import math
import secrets
import threading
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from .. import primitives as p
from .._native import Array, uint32, uint64
from ..core.tracing import is_tracing_abstractly
from ..interop import asarray
from ..ops import creation, joining
from ..ops.operands import as_array, broadcast, constant_like, convert, normalize_shape, reshape_to
from ..ops.streams import attributed, streamed
from ..primitives.random import threefry2x32
from ..transforms.jit import jit


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
    seed = as_array(seed, "key", "seed")
    if seed.dtype.kind not in "iu" or seed.ndim:
        raise TypeError(
            f"key: seed must be an integer, got an array of dtype {seed.dtype}, shape {seed.shape}"
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
                f"{function}: give key= inside of jit, vmap and make_jaxpr: a key drawn from the "
                "global state would become a constant of the traced function, and every call would return "
                "the same numbers"
            )
        with self._lock:
            self._key, drawn = _next_keys(key(secrets.randbits(64)) if self._key is None else self._key)
            return drawn


_global_key = _GlobalKey()


@attributed
def seed(seed: int) -> None:
    """Set the global key, which functions called without ``key=`` draw on.

    >>> ft.random.seed(0)
    """
    _global_key.set(key(seed))


def checked_key(function: str, given: Any) -> Array:
    """The key that the user gave to `function`.

    Raises:
        ValueError: it is none.
    """
    given = as_array(given, function, "key")
    if given.dtype is not uint32 or given.shape != (2,):
        raise ValueError(
            f"{function}: key must be a uint32 array of shape (2,), as random.key makes; "
            f"got dtype {given.dtype}, shape {given.shape}"
        )
    return given


def draw_shape(function: str, shape: Any) -> tuple[int, ...]:
    """The shape that the user gave to `function`, which is not the key, as it would be in JAX's order."""
    if type(shape) is Array and shape.dtype is uint32 and shape.shape == (2,):
        raise TypeError(
            f"{function}: shape must be an int or a tuple of ints, got a uint32 array; a key goes into key="
        )
    return normalize_shape(function, shape)


def key_for(function: str, given: Any) -> Array:
    """The key that the user gave to `function`, which uses it, or the next one of the global key."""
    if given is None:
        return _global_key.next(function)
    return p.use_key_p.bind(checked_key(function, given), by=function)


@lru_cache
def threefry(shape: tuple[int, ...]) -> Callable[[Array], tuple[Array, Array]]:
    """From a key to both random words for the number of each element; `random_bits` gives their xor."""

    @jit
    def threefry(key: Array) -> tuple[Array, Array]:
        return threefry2x32((key[0], key[1]), _counters(shape))

    return threefry


@jit
def _next_keys(key: Array) -> tuple[Array, Array]:
    pair = subkeys(key, (2,))
    return pair[0], pair[1]


@jit
def folded(key: Array, low: Array) -> Array:
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
    return subkeys(key_for("split", key), normalize_shape("split", num, "num"))


def subkeys(key: Array, shape: tuple[int, ...] = (2,)) -> Array:
    """Independent keys that a function makes of one that it uses."""
    return joining.stack(threefry(shape)(key), axis=-1)


@streamed
def fold_in(key: Any, data: Any, *, stream: Any = None) -> Array:
    """The key that `key` and an integer determine, such as the number of a step.

    >>> ft.random.fold_in(ft.random.key(0), 1).shape
    (2,)
    """
    key = _global_key.next("fold_in") if key is None else checked_key("fold_in", key)
    data = as_array(data, "fold_in", "data")
    if data.dtype.kind not in "iu" or data.ndim:
        raise TypeError(f"fold_in: data must be an integer, got dtype {data.dtype}, shape {data.shape}")
    return folded(key, convert(data, uint32))


def _counters(shape: tuple[int, ...]) -> tuple[Array, Array]:
    """The high and low words of the row-major number of each element."""
    size = math.prod(shape)
    if size > 2**32:
        number = creation.iota(size, uint64)
        words = (p.shift_right_p.bind(number, constant_like(number, 32)), number)
        return tuple(reshape_to(convert(w, uint32), shape) for w in words)  # type: ignore[return-value]
    low = reshape_to(creation.iota(size, uint32), shape)
    return broadcast(constant_like(low, 0), shape), low
