"""Normalisation by statistics of the array itself, and dropout."""

from __future__ import annotations

from typing import Any

from .. import fast, random
from .. import primitives as p
from .._native import Array
from ..ops.creation import zeros_like
from ..ops.operands import as_array, constant_like, require_kinds, to_inexact
from ..ops.streams import streamed

__all__ = ["dropout", "layer_norm", "rms_norm"]


@streamed
def layer_norm(
    x: Any, /, weight: Any = None, bias: Any = None, eps: float = 1e-5, *, stream: Any = None
) -> Array:
    """`fast.layer_norm` with its usual parameters: mean 0 and variance 1 over the last axis.

    >>> ft.nn.layer_norm(ft.array([1.0, 3.0]), eps=0.0)
    array([-1, 1], dtype=float32)
    """
    return fast.layer_norm(x, weight, bias, eps)


@streamed
def rms_norm(x: Any, /, weight: Any = None, eps: float = 1e-5, *, stream: Any = None) -> Array:
    """`fast.rms_norm` with its usual parameters: mean square 1 over the last axis.

    >>> ft.nn.rms_norm(ft.array([2.0, 2.0]), eps=0.0)
    array([1, 1], dtype=float32)
    """
    return fast.rms_norm(x, weight, eps)


@streamed
def dropout(x: Any, /, rate: float = 0.5, *, key: Any = None, stream: Any = None) -> Array:
    """Zero each element with probability `rate`, and divide the others by 1 - rate.

    Srivastava et al. 2014, Dropout. The mean of every element stays what it is.

    Args:
        x: a real array.
        rate: a Python number in [0, 1].
        key: of the random numbers, see `random.key`; the global one by default.

    Raises:
        TypeError: `x` is complex.
        ValueError: the rate is outside of [0, 1], or there is no key where a transformation traces.

    >>> x = ft.nn.dropout(ft.ones(1000), 0.2, key=ft.random.key(0))
    >>> ft.unique_values(x)
    array([0, 1.25], dtype=float32)
    """
    x = to_inexact(as_array(x, "dropout"))
    require_kinds("dropout", x, "f", "a real")
    if not 0 <= rate <= 1:
        raise ValueError(f"dropout: rate must be in [0, 1], got {rate}")
    if rate == 0:
        return x
    if rate == 1:
        return zeros_like(x)
    kept = random.bernoulli(1 - rate, x.shape, key)
    return p.select_p.bind(kept, p.mul_p.bind(x, constant_like(x, 1 / (1 - rate))), constant_like(x, 0))
