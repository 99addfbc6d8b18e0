"""Sums of exponentials that neither overflow nor lose precision: logsumexp, softmax, log_softmax."""

from __future__ import annotations

from typing import Any

from .. import primitives as p
from .._native import Array
from .operands import (
    as_array,
    convert,
    expand,
    normalize_axes,
    require_kinds,
    reshape_to,
    to_inexact,
)
from .statistical import Axis, accumulator_dtype, count, kept_shape
from .streams import streamed

__all__ = ["log_softmax", "logsumexp", "softmax"]


def excess_over_maximum(x: Array, axes: tuple[int, ...]) -> tuple[Array, Array]:
    """`x` less its maximum over `axes`, and the maximum.

    Elements that are the maximum have excess 0, also where it is infinite: they then share the probability
    equally, as in `logaddexp`. The results do not depend on the maximum: it is a constant for derivatives.
    """
    top = p.reduce_max_p.bind(p.stop_gradient_p.bind(x), axes=axes)
    return p.excess_p.bind(x, expand(top, x.shape, axes)), top


@streamed
def logsumexp(x: Any, /, axis: Axis = None, keepdims: bool = False, *, stream: Any = None) -> Array:
    """log(sum(exp(x))) over axes without overflow; -inf where all elements are -inf (or there are none).

    >>> ft.logsumexp(ft.array([1000.0, 1000.0]))
    array(1000.69, dtype=float32)
    """
    x = to_inexact(as_array(x, "logsumexp"))
    require_kinds("logsumexp", x, "f", "a real")
    axes = normalize_axes("logsumexp", axis, x.ndim)
    dtype = x.dtype
    x = convert(x, accumulator_dtype(dtype))
    if count(x.shape, axes) == 0:
        out = p.log_p.bind(p.reduce_sum_p.bind(x, axes=axes))
    else:
        excess, top = excess_over_maximum(x, axes)
        total = p.reduce_sum_p.bind(p.exp_p.bind(excess), axes=axes)
        out = p.add_p.bind(p.log_p.bind(total), top)
    out = convert(out, dtype)
    return reshape_to(out, kept_shape(x.shape, axes)) if keepdims else out


@streamed
def softmax(x: Any, /, axis: Axis = None, *, precise: bool = False, stream: Any = None) -> Array:
    """exp(x) / sum(exp(x)) over axes, without overflow. Equal infinite maxima share the probability equally.

    Args:
        x: an array of real numbers.
        axis: an axis or several; all if None, as in MLX and SciPy. (`ft.nn.softmax` takes the last.)
        precise: float16 and bfloat16 are summed in float32, whatever MLX's callers ask for here.
        stream: the Stream or Device to run on.

    >>> ft.softmax(ft.array([1000.0, 1000.0]))
    array([0.5, 0.5], dtype=float32)
    """
    x = to_inexact(as_array(x, "softmax"))
    require_kinds("softmax", x, "f", "a real")
    axes = normalize_axes("softmax", axis, x.ndim)
    if x.size == 0:
        return x
    powers = p.exp_p.bind(excess_over_maximum(convert(x, accumulator_dtype(x.dtype)), axes)[0])
    total = p.reduce_sum_p.bind(powers, axes=axes)
    return convert(p.div_p.bind(powers, expand(total, x.shape, axes)), x.dtype)


@streamed
def log_softmax(x: Any, /, axis: Axis = None, *, stream: Any = None) -> Array:
    """The logarithm of `softmax`, x - logsumexp(x) over axes; `ft.nn.log_softmax` takes the last.

    >>> ft.log_softmax(ft.array([0.0, 0.0]))
    array([-0.693147, -0.693147], dtype=float32)
    """
    x = to_inexact(as_array(x, "log_softmax"))
    require_kinds("log_softmax", x, "f", "a real")
    axes = normalize_axes("log_softmax", axis, x.ndim)
    if x.size == 0:
        return x
    excess, _ = excess_over_maximum(convert(x, accumulator_dtype(x.dtype)), axes)
    total = p.log_p.bind(p.reduce_sum_p.bind(p.exp_p.bind(excess), axes=axes))
    return convert(p.sub_p.bind(excess, expand(total, x.shape, axes)), x.dtype)
