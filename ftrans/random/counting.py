"""Counts: the Poisson, binomial and geometric distributions.

Small means are inverted by a sequential search, large ones sampled by W. Hörmann's transformed rejection: The
transformed rejection method for generating Poisson random variables (Insurance: Mathematics and Economics 12,
1993), and The generation of binomial random variates (Journal of Statistical Computation and Simulation 46,
1993). Probabilities are computed in C. Loader's form (Fast and accurate computation of binomial
probabilities, 2000), whose terms do not cancel for large means.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .. import primitives as p
from .._native import Array, Dtype, float32
from ..control_flow.loops import while_loop
from ..interop import asarray
from ..ops import creation, elementwise, pointwise
from ..ops.operands import as_array, broadcast, convert, require_kinds, to_inexact
from ..ops.promotion import DEFAULT_INT, as_dtype
from ..ops.streams import streamed
from ..special import xlog1py, xlogy
from ..transforms.jit import jit
from .continuous import standard_exponential
from .keys import key_for, subkeys
from .rejection import first_accepted
from .uniform_numbers import shape_for, unit_uniform

_SMALL_MEAN = 10  # Hörmann's methods are made for means that are not smaller

# ---------------------------------------------------------------- probabilities


def _stirling(k: Array) -> Array:
    """log(k!) - k * log(k) + k for k >= 10."""
    inverse = 1 / (k * k)
    series = (1 / 12 - inverse * (1 / 360 - inverse * (1 / 1260 - inverse / 1680))) / k
    return 0.5 * elementwise.log(2 * math.pi * k) + series


def _log_factorial_rest(k: Array) -> Array:
    """log(k!) - k * log(k) + k for k >= 0; below 10 from (k + 10)!, which is much cheaper than lgamma."""
    small = elementwise.minimum(k, 9)
    shifted = small + 10
    ratio = math.prod(small + i for i in range(1, 11))
    log_factorial = _stirling(shifted) + shifted * elementwise.log(shifted) - shifted - elementwise.log(ratio)
    below = log_factorial - xlogy(small, small) + small
    return pointwise.where(k < 10, below, _stirling(elementwise.maximum(k, 10)))


def _deviance(count: Array, mean: Array) -> Array:
    """What is lost by missing the mean: count * log(count / mean) - count + mean, without cancellation."""
    x = (count - mean) / mean
    series = 1 / 2 - x * (1 / 6 - x * (1 / 12 - x * (1 / 20 - x * (1 / 30 - x * (1 / 42 - x / 56)))))
    return mean * pointwise.where(elementwise.abs(x) < 0.03, x * x * series, xlog1py(1 + x, x) - x)


def _log_poisson(k: Array, rate: Array) -> Array:
    """The logarithm of the probability of k >= 0."""
    return -_log_factorial_rest(k) - _deviance(k, rate)


def _log_binomial(k: Array, n: Array, probability: Array) -> Array:
    """The logarithm of the probability of 0 <= k <= n, but for a term that depends on n alone."""
    coefficient = -_log_factorial_rest(k) - _log_factorial_rest(n - k)
    return coefficient - _deviance(k, n * probability) - _deviance(n - k, n * (1 - probability))


# ---------------------------------------------------------------- methods


def _search(u: Array, first: Array, ratio: Callable[[Array], Array]) -> Array:
    """The least k with P(0) + … + P(k) > u, where P(0) is `first` and P(k + 1) / P(k) is `ratio(k)`.

    It ends where the sum stops growing too: u is not finer than that.
    """

    def step(state: tuple[Array, ...]) -> tuple[Array, ...]:
        k, term, total, count, pending = state
        term = term * ratio(k)
        grown = total + term
        count = pointwise.where(pending, k + 1, count)
        return k + 1, term, grown, count, pending & (grown <= u) & (grown > total)

    def is_unfinished(state: tuple[Array, ...]) -> Array:
        pending = state[-1]
        return p.reduce_or_p.bind(pending, axes=tuple(range(pending.ndim)))

    start = asarray(0, dtype=u.dtype), first, first, creation.zeros_like(u), first <= u
    return while_loop(is_unfinished, step, start)[3]


def _transformed_rejection(
    key: Array,
    a: Array,
    b: Array,
    center: Array,
    log_scale: Array,
    log_probability: Callable[[Array], Array],
    greatest: Array | float,
    possible: Array,
) -> Array:
    """Counts up to `greatest` by Hörmann's method, 0 where they are not possible.

    (2a / (1/2 - |u|) + b) * u + center, rounded down, is a count for uniform u in [-1/2, 1/2).
    """

    def propose(key: Array) -> tuple[Array, Array]:
        keys = subkeys(key)
        u = unit_uniform(keys[0], a.shape, a.dtype) - 0.5
        log_v = -standard_exponential(keys[1], a.shape, a.dtype)
        edge = 0.5 - elementwise.abs(u)
        k = elementwise.floor((2 * a / edge + b) * u + center)
        is_count = (k >= 0) & (k <= greatest)
        bound = log_probability(pointwise.where(is_count, k, 0)) - log_scale
        return k, is_count & (log_v - elementwise.log(a / (edge * edge) + b) <= bound)

    return first_accepted(key, propose, possible, creation.zeros_like(a))


@jit
def _poisson(key: Array, rate: Array) -> Array:
    """Counts as floats for each rate; NaN where it is not a finite number >= 0."""
    keys = subkeys(key)
    is_valid, is_small = (rate >= 0) & (rate < math.inf), rate < _SMALL_MEAN
    small = pointwise.where(is_valid & is_small, rate, 0)
    u = unit_uniform(keys[0], rate.shape, rate.dtype)
    few = _search(u, elementwise.exp(-small), lambda k: small / (k + 1))
    large = pointwise.where(is_valid & ~is_small, rate, _SMALL_MEAN)
    b = 0.931 + 2.53 * elementwise.sqrt(large)
    many = _transformed_rejection(
        keys[1],
        a=-0.059 + 0.02483 * b,
        b=b,
        center=large + 0.43,
        log_scale=elementwise.log(1.1239 + 1.1328 / (b - 3.4)),
        log_probability=lambda k: _log_poisson(k, large),
        greatest=math.inf,
        possible=is_valid & ~is_small,
    )
    return pointwise.where(is_valid, pointwise.where(is_small, few, many), math.nan)


@jit
def _binomial(key: Array, n: Array, probability: Array) -> Array:
    """Counts as floats; NaN where n is not a finite whole number >= 0 or the probability not in [0, 1]."""
    keys = subkeys(key)
    is_valid = (
        (n >= 0) & (n < math.inf) & (n == elementwise.floor(n)) & (probability >= 0) & (probability <= 1)
    )
    is_likely = probability > 0.5
    rare = pointwise.where(is_likely, 1 - probability, probability)
    is_small = n * rare < _SMALL_MEAN
    count, chance = (pointwise.where(is_valid & is_small, x, 0) for x in (n, rare))
    u = unit_uniform(keys[0], n.shape, n.dtype)
    odds = chance / (1 - chance)
    first = elementwise.exp(count * elementwise.log1p(-chance))
    few = _search(u, first, lambda k: (count - k) / (k + 1) * odds)
    count = pointwise.where(is_valid & ~is_small, n, 4 * _SMALL_MEAN)
    chance = pointwise.where(is_valid & ~is_small, rare, 0.5)
    deviation = elementwise.sqrt(count * chance * (1 - chance))
    b = 1.15 + 2.53 * deviation
    mode = elementwise.floor((count + 1) * chance)
    many = _transformed_rejection(
        keys[1],
        a=-0.0873 + 0.0248 * b + 0.01 * chance,
        b=b,
        center=count * chance + 0.5,
        log_scale=elementwise.log((2.83 + 5.1 / b) * deviation) + _log_binomial(mode, count, chance),
        log_probability=lambda k: _log_binomial(k, count, chance),
        greatest=count,
        possible=is_valid & ~is_small,
    )
    drawn = pointwise.where(is_small, few, many)
    drawn = pointwise.where(is_likely, n - drawn, drawn)
    return pointwise.where(is_valid, drawn, math.nan)


# ---------------------------------------------------------------- distributions


def _count_dtype(function: str, dtype: Any) -> Dtype:
    dtype = DEFAULT_INT if dtype is None else as_dtype(dtype, function)
    if dtype.kind not in "iu":
        raise TypeError(f"{function}: dtype must be an integer one, got {dtype.name}")
    return dtype


def _real(function: str, x: Any, argument: str) -> Array:
    """A parameter in the dtype that is computed in: float64, or else float32."""
    x = to_inexact(as_array(x, function, argument))
    require_kinds(function, x, "f", "a real", argument)
    return convert(x, float32) if x.dtype.itemsize < 4 else x


def _counts(x: Array, dtype: Dtype) -> Array:
    """Floats as integers, and -1 for NaN."""
    return convert(pointwise.where(elementwise.isnan(x), -1, x), dtype)


@streamed
def poisson(
    lam: Any = 1.0, shape: Any = None, dtype: Any = None, key: Any = None, *, stream: Any = None
) -> Array:
    """Counts of the Poisson distribution with mean `lam`.

    Args:
        lam: floats, not negative. Computed in their precision: for means above 2**24 they should be float64.
        shape: of the result; by default that of `lam`.
        dtype: an integer dtype, int32 by default.
        key: see `random.key`; the global one by default.
        stream: the Stream or Device to run on.

    Returns:
        An array of integers; -1 (0 if unsigned) where `lam` is negative, infinite or NaN.

    Raises:
        TypeError: the dtype is not an integer one, or `lam` is complex.
        ValueError: the shapes do not fit, or no key is given where a transformation traces.

    >>> ft.random.poisson(3.0, (4,), key=ft.random.key(0)).dtype
    int32
    """
    dtype, lam = _count_dtype("poisson", dtype), _real("poisson", lam, "lam")
    shape = shape_for("poisson", shape, lam)
    return _counts(_poisson(key_for("poisson", key), broadcast(lam, shape)), dtype)


@streamed
def binomial(
    n: Any, p: Any, shape: Any = None, dtype: Any = None, key: Any = None, *, stream: Any = None
) -> Array:
    """How many of `n` independent trials succeed, each with probability `p`.

    Args:
        n: whole numbers, not negative.
        p: floats in [0, 1]. Computed in their precision: for `n` above 2**24 they should be float64.
        shape: of the result; by default what `n` and `p` broadcast to.
        dtype: an integer dtype, int32 by default.
        key: see `random.key`; the global one by default.
        stream: the Stream or Device to run on.

    Returns:
        An array of integers; -1 (0 if unsigned) where the parameters are not possible.

    Raises:
        TypeError: the dtype is not an integer one, or a parameter is complex.
        ValueError: the shapes do not fit, or no key is given where a transformation traces.

    >>> ft.random.binomial(10, 0.5, (4,), key=ft.random.key(0)).shape
    (4,)
    """
    dtype, chance = _count_dtype("binomial", dtype), _real("binomial", p, "p")
    trials = as_array(n, "binomial", "n")
    require_kinds("binomial", trials, "biuf", "a real", "n")
    shape = shape_for("binomial", shape, trials, chance)
    trials, chance = broadcast(convert(trials, chance.dtype), shape), broadcast(chance, shape)
    return _counts(_binomial(key_for("binomial", key), trials, chance), dtype)


@streamed
def geometric(p: Any, shape: Any = None, dtype: Any = None, key: Any = None, *, stream: Any = None) -> Array:
    """How many independent trials it takes to succeed, each with probability `p`: at least 1.

    Args:
        p: floats in (0, 1].
        shape: of the result; by default that of `p`.
        dtype: an integer dtype, int32 by default.
        key: see `random.key`; the global one by default.
        stream: the Stream or Device to run on.

    Returns:
        An array of integers, at most the greatest of the dtype; -1 (0 if unsigned) where `p` is not a
        probability above 0.

    Raises:
        TypeError: the dtype is not an integer one, or `p` is complex.
        ValueError: the shapes do not fit, or no key is given where a transformation traces.

    >>> ft.random.geometric(0.5, (4,), key=ft.random.key(0)).shape
    (4,)
    """
    dtype, chance = _count_dtype("geometric", dtype), _real("geometric", p, "p")
    shape = shape_for("geometric", shape, chance)
    waiting = standard_exponential(key_for("geometric", key), shape, chance.dtype)
    failures = elementwise.floor(waiting / -elementwise.log1p(-chance))
    return _counts(pointwise.where((chance > 0) & (chance <= 1), failures + 1, math.nan), dtype)
