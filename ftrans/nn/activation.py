"""Activation functions. Each is composed of elementwise primitives, so it runs as one fused kernel."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .. import primitives as p
from .._native import Array
from ..ops import log_space
from ..ops.elementwise import minimum
from ..ops.elementwise import sigmoid as sigmoid
from ..ops.elementwise import tanh as tanh
from ..ops.joining import split
from ..ops.log_space import logsumexp as logsumexp
from ..ops.operands import as_array, constant_like, require_kinds, to_inexact
from ..ops.pointwise import clip
from ..ops.streams import streamed
from ..ops.utility import one_hot as one_hot

__all__ = [
    "celu",
    "elu",
    "gelu",
    "glu",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "leaky_relu",
    "log_sigmoid",
    "log_softmax",
    "logsumexp",
    "mish",
    "one_hot",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "soft_sign",
    "softmax",
    "softplus",
    "softsign",
    "squareplus",
    "swish",
    "tanh",
]


def _real(x: Any, function: str) -> Array:
    x = to_inexact(as_array(x, function))
    require_kinds(function, x, "f", "a real")
    return x


def _scaled(x: Array, factor: float) -> Array:
    return p.mul_p.bind(x, constant_like(x, factor))


def _positive(x: Array) -> Array:
    return p.gt_p.bind(x, constant_like(x, 0))


@streamed
def relu(x: Any, /, *, stream: Any = None) -> Array:
    """max(x, 0), with derivative 0 at 0.

    >>> ft.nn.relu(ft.array([-1.0, 2.0]))
    array([0, 2], dtype=float32)
    """
    x = as_array(x, "relu")
    require_kinds("relu", x, "iuf", "a real")
    # `where` and not `maximum`, whose derivative at a tie is one half; NaN passes through.
    negative = p.le_p.bind(x, constant_like(x, 0))
    return p.select_p.bind(negative, constant_like(x, 0), x)


@streamed
def relu6(x: Any, /, *, stream: Any = None) -> Array:
    """min(max(x, 0), 6).

    >>> ft.nn.relu6(ft.array([-1.0, 7.0]))
    array([0, 6], dtype=float32)
    """
    return minimum(relu(x), 6)


@streamed
def leaky_relu(x: Any, /, negative_slope: float = 0.01, *, stream: Any = None) -> Array:
    """`x` where it is positive, else negative_slope * x.

    >>> ft.nn.leaky_relu(ft.array([-1.0, 2.0]))
    array([-0.01, 2], dtype=float32)
    """
    x = _real(x, "leaky_relu")
    return p.select_p.bind(_positive(x), x, _scaled(x, negative_slope))


def _with_negative_branch(x: Array, branch: Callable[[Array], Array]) -> Array:
    """`x` where it is positive, else branch(x), which sees no positive x and so cannot overflow there."""
    positive = _positive(x)
    return p.select_p.bind(positive, x, branch(p.select_p.bind(positive, constant_like(x, 0), x)))


@streamed
def elu(x: Any, /, alpha: float = 1.0, *, stream: Any = None) -> Array:
    """`x` where it is positive, else alpha * (exp(x) - 1).

    >>> ft.nn.elu(ft.array([-1.0, 2.0]))
    array([-0.632121, 2], dtype=float32)
    """
    return _with_negative_branch(_real(x, "elu"), lambda x: _scaled(p.expm1_p.bind(x), alpha))


@streamed
def celu(x: Any, /, alpha: float = 1.0, *, stream: Any = None) -> Array:
    """`x` where it is positive, else alpha * (exp(x / alpha) - 1).

    >>> ft.nn.celu(ft.array([-1.0, 2.0]))
    array([-0.632121, 2], dtype=float32)
    """
    x = _real(x, "celu")
    return _with_negative_branch(x, lambda x: _scaled(p.expm1_p.bind(_scaled(x, 1 / alpha)), alpha))


@streamed
def selu(x: Any, /, *, stream: Any = None) -> Array:
    """The scaled elu that keeps mean 0 and variance 1.

    >>> ft.nn.selu(ft.array([1.0]))
    array([1.0507], dtype=float32)
    """
    return _scaled(elu(_real(x, "selu"), 1.6732632423543772), 1.0507009873554805)


@streamed
def softplus(x: Any, /, *, stream: Any = None) -> Array:
    """log(1 + exp(x)) without overflow.

    >>> ft.nn.softplus(ft.array([0.0, 1000.0]))
    array([0.693147, 1000], dtype=float32)
    """
    x = _real(x, "softplus")
    return p.logaddexp_p.bind(x, constant_like(x, 0))


@streamed
def log_sigmoid(x: Any, /, *, stream: Any = None) -> Array:
    """log(sigmoid(x)) without overflow.

    >>> ft.nn.log_sigmoid(ft.array([0.0, -1000.0]))
    array([-0.693147, -1000], dtype=float32)
    """
    return p.neg_p.bind(softplus(p.neg_p.bind(_real(x, "log_sigmoid"))))


@streamed
def silu(x: Any, /, *, stream: Any = None) -> Array:
    """X * sigmoid(x).

    >>> ft.nn.silu(ft.array([0.0, 1.0]))
    array([0, 0.731059], dtype=float32)
    """
    x = _real(x, "silu")
    return p.mul_p.bind(x, p.logistic_p.bind(x))


@streamed
def gelu(x: Any, /, approximate: bool = False, *, stream: Any = None) -> Array:
    """X times the probability that a standard normal number is below x.

    Args:
        approximate: use the formula with tanh.

    >>> ft.nn.gelu(ft.array([0.0, 1.0]))
    array([0, 0.841345], dtype=float32)
    """
    x = _real(x, "gelu")
    if approximate:
        cubic = p.add_p.bind(x, _scaled(p.mul_p.bind(p.square_p.bind(x), x), 0.044715))
        inner = p.tanh_p.bind(_scaled(cubic, math.sqrt(2 / math.pi)))
        return p.mul_p.bind(_scaled(x, 0.5), p.add_p.bind(inner, constant_like(x, 1)))
    # erfc keeps its precision where x is very negative, unlike 1 + erf.
    return p.mul_p.bind(_scaled(x, 0.5), p.erfc_p.bind(_scaled(x, -math.sqrt(0.5))))


@streamed
def mish(x: Any, /, *, stream: Any = None) -> Array:
    """X * tanh(softplus(x)).

    >>> ft.nn.mish(ft.array([0.0, 1.0]))
    array([0, 0.865098], dtype=float32)
    """
    x = _real(x, "mish")
    return p.mul_p.bind(x, p.tanh_p.bind(softplus(x)))


@streamed
def soft_sign(x: Any, /, *, stream: Any = None) -> Array:
    """X / (1 + abs(x)).

    >>> ft.nn.soft_sign(ft.array([0.0, 1.0]))
    array([0, 0.5], dtype=float32)
    """
    x = _real(x, "soft_sign")
    return p.div_p.bind(x, p.add_p.bind(p.abs_p.bind(x), constant_like(x, 1)))


@streamed
def hard_tanh(x: Any, /, *, stream: Any = None) -> Array:
    """`x` limited to [-1, 1].

    >>> ft.nn.hard_tanh(ft.array([-3.0, 0.5]))
    array([-1, 0.5], dtype=float32)
    """
    return clip(_real(x, "hard_tanh"), -1.0, 1.0)


@streamed
def hard_sigmoid(x: Any, /, *, stream: Any = None) -> Array:
    """relu6(x + 3) / 6.

    >>> ft.nn.hard_sigmoid(ft.array([-3.0, 0.0]))
    array([0, 0.5], dtype=float32)
    """
    x = _real(x, "hard_sigmoid")
    return _scaled(relu6(p.add_p.bind(x, constant_like(x, 3))), 1 / 6)


@streamed
def hard_silu(x: Any, /, *, stream: Any = None) -> Array:
    """X * hard_sigmoid(x) (Howard et al. 2019, Searching for MobileNetV3).

    >>> ft.nn.hard_silu(ft.array([-3.0, 0.0, 3.0]))
    array([-0, 0, 3], dtype=float32)
    """
    x = _real(x, "hard_silu")
    return p.mul_p.bind(x, hard_sigmoid(x))


@streamed
def squareplus(x: Any, /, b: float = 4.0, *, stream: Any = None) -> Array:
    """(x + sqrt(x² + b)) / 2: a smooth relu that is algebraic (Barron 2021, Squareplus).

    >>> ft.nn.squareplus(ft.array([0.0, 1.5]))
    array([1, 2], dtype=float32)
    """
    x = _real(x, "squareplus")
    root = p.sqrt_p.bind(p.add_p.bind(p.square_p.bind(x), constant_like(x, b)))
    return _scaled(p.add_p.bind(x, root), 0.5)


@streamed
def glu(x: Any, /, axis: int = -1, *, stream: Any = None) -> Array:
    """The first half of `x` along an axis, times the sigmoid of the second half.

    >>> ft.nn.glu(ft.array([2.0, 0.0]))
    array([1], dtype=float32)
    """
    first, second = split(_real(x, "glu"), 2, axis)
    return p.mul_p.bind(first, p.logistic_p.bind(second))


swish = silu
softsign = soft_sign
hard_swish = hard_silu


@streamed
def softmax(x: Any, /, axis: Any = -1, *, stream: Any = None) -> Array:
    """`ft.softmax`, but over the last axis unless others are given.

    Args:
        x: an array of real numbers.
        axis: an axis or several; None for all.
        stream: the Stream or Device to run on.

    Raises:
        IndexError: an axis is out of range, or given twice.

    >>> ft.nn.softmax(ft.array([[1.0, 1.0], [0.0, 1000.0]]))
    array([[0.5, 0.5],
           [0, 1]], dtype=float32)
    """
    return log_space.softmax(x, axis)


@streamed
def log_softmax(x: Any, /, axis: Any = -1, *, stream: Any = None) -> Array:
    """`ft.log_softmax`, but over the last axis unless others are given; as `softmax`.

    >>> ft.nn.log_softmax(ft.array([[0.0, 0.0]]))
    array([[-0.693147, -0.693147]], dtype=float32)
    """
    return log_space.log_softmax(x, axis)
