"""Random orders, and random choices among given things."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import primitives as p
from .._native import Array
from ..ops import creation, elementwise, sorting
from ..ops.operands import (
    as_array,
    as_integer,
    normalize_axis,
    require_kinds,
    reshape_to,
    to_inexact,
)
from ..ops.searching import searchsorted
from ..ops.streams import streamed
from ..ops.taking import take
from .continuous import standard_gumbel
from .discrete import randint
from .keys import draw_shape, key_for, subkeys
from .uniform_numbers import unit_uniform


@streamed
def permutation(x: Any, axis: int = 0, key: Any = None, *, stream: Any = None) -> Array:
    """The integers below `x`, or the slices of the array `x` along an axis, in random order.

    Every order has the same probability: the one that sorts 64 random bits for each. It is not the order
    that `jax.random.permutation` gives for the key.

    Args:
        x: an integer or an array.
        axis: along which the slices of an array are.
        key: see `random.key`; the global one by default.
        stream: the Stream or Device to run on.

    Raises:
        TypeError: `x` is neither an integer nor an array.
        ValueError: `x` is negative, or no key is given where a transformation traces.
        IndexError: `axis` is out of range.

    >>> ft.random.permutation(4, key=ft.random.key(0)).shape
    (4,)
    """
    key = key_for("permutation", key)
    if isinstance(x, (int, np.integer)):
        normalize_axis("permutation", axis, 1)
        return shuffled_indices(key, as_integer(x, "permutation", "x", least=0))
    x = as_array(x, "permutation")
    axis = normalize_axis("permutation", axis, x.ndim)
    return take(x, shuffled_indices(key, x.shape[axis]), axis=axis, mode="promise_in_bounds")


def shuffled_indices(key: Array, n: int) -> Array:
    """The first n integers sorted by 64 random bits each."""
    keys = subkeys(key)
    first, second = (p.random_bits_p.bind(keys[i], shape=(n,)) for i in range(2))
    return p.sort_p.bind(first, second, creation.iota(n), axis=0, num_keys=2)[2]


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

    Without replacement they are the first of a `permutation`, and so not those of `jax.random.choice`.

    Args:
        a: an integer or an array.
        shape: of what is drawn.
        replace: whether the same one may be drawn again.
        p: the probability of each; uniform if None.
        axis: along which the slices of an array are.
        key: see `random.key`; the global one by default.
        stream: the Stream or Device to run on.

    Raises:
        ValueError: there is nothing to choose from, or too little without replacement; `p` does not fit.

    >>> ft.random.choice(5, (3,), replace=False, key=ft.random.key(0)).shape
    (3,)
    """
    key = key_for("choice", key)
    shape = draw_shape("choice", shape)
    array = None if isinstance(a, (int, np.integer)) else as_array(a, "choice", "a")
    axis = normalize_axis("choice", axis, 1 if array is None else array.ndim)
    n = as_integer(a, "choice", "a", least=0) if array is None else array.shape[axis]
    drawn = math.prod(shape)
    if n == 0 and drawn:
        raise ValueError("choice: there is nothing to choose from")
    if not replace and drawn > n:
        raise ValueError(f"choice: cannot draw {drawn} of {n} without replacement")
    chosen = _choose(key, n, drawn, replace, p)
    if array is None:
        return reshape_to(chosen, shape)
    return take(array, reshape_to(chosen, shape), axis=axis, mode="promise_in_bounds")


def _choose(key: Array, n: int, drawn: int, replace: bool, probabilities: Any) -> Array:
    if probabilities is None:
        return randint(0, n, (drawn,), key=key) if replace else shuffled_indices(key, n)[:drawn]
    weights = to_inexact(as_array(probabilities, "choice", "p"))
    require_kinds("choice", weights, "f", "a real", "p")
    if weights.shape != (n,):
        raise ValueError(f"choice: p must have shape ({n},), got {weights.shape}")
    if replace:
        total = p.cumsum_p.bind(weights, axis=0, reverse=False)
        level = elementwise.multiply(unit_uniform(key, (drawn,), weights.dtype), total[-1])
        return searchsorted(total, level, side="right")
    noisy = elementwise.add(standard_gumbel(key, (n,), weights.dtype), elementwise.log(weights))
    return sorting.argsort(noisy, descending=True)[:drawn]
