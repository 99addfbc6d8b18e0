"""Losses: a number for each element or example, or their mean or sum, by `reduction`.

Formulas that could overflow or cancel are written so that they do not: with log-softmax, softplus and log1p.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .. import primitives as p
from .._native import Array, int32, int64
from ..ops.elementwise import abs as absolute
from ..ops.elementwise import exp, log, log1p, maximum, sinh, sqrt, square
from ..ops.log_space import log_softmax
from ..ops.manipulation import expand_dims
from ..ops.operands import (
    as_array,
    broadcast,
    broadcast_shapes_of,
    constant_like,
    convert,
    normalize_axis,
    promote,
    require_kinds,
    to_inexact,
)
from ..ops.pointwise import where
from ..ops.statistical import mean
from ..ops.statistical import sum as sum_over
from ..ops.streams import streamed
from .activation import relu, softplus

__all__ = [
    "binary_cross_entropy",
    "cosine_similarity_loss",
    "cross_entropy",
    "gaussian_nll_loss",
    "hinge_loss",
    "huber_loss",
    "kl_div_loss",
    "l1_loss",
    "log_cosh_loss",
    "margin_ranking_loss",
    "mse_loss",
    "nll_loss",
    "smooth_l1_loss",
    "triplet_loss",
]

REDUCTIONS: dict[str, Callable[[Array], Array]] = {"none": lambda x: x, "mean": mean, "sum": sum_over}


def _reduce(function: str, loss: Array, reduction: str) -> Array:
    if reduction not in REDUCTIONS:
        raise ValueError(f"{function}: reduction must be 'none', 'mean' or 'sum', got {reduction!r}")
    return REDUCTIONS[reduction](loss)


def _real(function: str, x: Any, argument: str) -> Array:
    x = to_inexact(as_array(x, function, argument))
    require_kinds(function, x, "f", "a real", argument)
    return x


def _pair(
    function: str, x: Any, y: Any, names: tuple[str, str] = ("inputs", "targets")
) -> tuple[Array, Array]:
    """Two real arrays of one shape and dtype: nothing broadcasts, which in a loss is most often a mistake."""
    x, y, _ = promote(function, _real(function, x, names[0]), _real(function, y, names[1]))
    if x.shape != y.shape:
        raise ValueError(f"{function}: {names[0]} {x.shape} and {names[1]} {y.shape} must have one shape")
    return x, y


def _weighted(function: str, loss: Array, weights: Any) -> Array:
    weights = as_array(weights, function, "weights")
    if broadcast_shapes_of(function, weights.shape, loss.shape) != loss.shape:
        raise ValueError(f"{function}: weights {weights.shape} must broadcast to the losses {loss.shape}")
    return loss * convert(weights, loss.dtype)


# ---------------------------------------------------------------- differences


@streamed
def mse_loss(predictions: Any, targets: Any, reduction: str = "mean", *, stream: Any = None) -> Array:
    """(predictions - targets)².

    Args:
        predictions, targets: real arrays of one shape.
        reduction: 'none' for the loss of each element, 'mean' or 'sum' for one number.

    Raises:
        TypeError: an operand is complex.
        ValueError: the shapes differ or the reduction is unknown.

    >>> ft.nn.mse_loss(ft.array([1.0, 3.0]), ft.array([1.0, 1.0]))
    array(2, dtype=float32)
    """
    x, y = _pair("mse_loss", predictions, targets, ("predictions", "targets"))
    return _reduce("mse_loss", square(x - y), reduction)


@streamed
def l1_loss(predictions: Any, targets: Any, reduction: str = "mean", *, stream: Any = None) -> Array:
    """|predictions - targets|; arguments as of `mse_loss`.

    >>> ft.nn.l1_loss(ft.array([1.0, 3.0]), ft.array([1.0, 1.0]))
    array(1, dtype=float32)
    """
    x, y = _pair("l1_loss", predictions, targets, ("predictions", "targets"))
    return _reduce("l1_loss", absolute(x - y), reduction)


@streamed
def smooth_l1_loss(
    predictions: Any, targets: Any, beta: float = 1.0, reduction: str = "mean", *, stream: Any = None
) -> Array:
    """The square of a difference over 2·beta where it is below beta, else its size less beta / 2.

    Girshick 2015, Fast R-CNN. `huber_loss` with delta = beta, divided by beta. Arguments as of `mse_loss`.

    Raises:
        ValueError: beta is not positive.

    >>> ft.nn.smooth_l1_loss(ft.array([0.5, 3.0]), ft.zeros(2), reduction="none")
    array([0.125, 2.5], dtype=float32)
    """
    if beta <= 0:
        raise ValueError(f"smooth_l1_loss: beta must be positive, got {beta}")
    x, y = _pair("smooth_l1_loss", predictions, targets, ("predictions", "targets"))
    size = absolute(x - y)
    return _reduce(
        "smooth_l1_loss", where(size < beta, square(size) * (0.5 / beta), size - 0.5 * beta), reduction
    )


@streamed
def huber_loss(
    inputs: Any, targets: Any, delta: float = 1.0, reduction: str = "none", *, stream: Any = None
) -> Array:
    """Half of the square of a difference where it is below delta, else delta · (its size - delta / 2).

    Huber 1964, Robust Estimation of a Location Parameter. Arguments as of `mse_loss`.

    Raises:
        ValueError: delta is not positive.

    >>> ft.nn.huber_loss(ft.array([0.5, 3.0]), ft.zeros(2))
    array([0.125, 2.5], dtype=float32)
    """
    if delta <= 0:
        raise ValueError(f"huber_loss: delta must be positive, got {delta}")
    x, y = _pair("huber_loss", inputs, targets)
    size = absolute(x - y)
    loss = where(size < delta, 0.5 * square(size), delta * (size - 0.5 * delta))
    return _reduce("huber_loss", loss, reduction)


@streamed
def log_cosh_loss(inputs: Any, targets: Any, reduction: str = "none", *, stream: Any = None) -> Array:
    """log(cosh(inputs - targets)) without overflow or cancellation; arguments as of `mse_loss`.

    >>> ft.nn.log_cosh_loss(ft.array([0.0, 1000.0]), ft.zeros(2))
    array([0, 999.307], dtype=float32)
    """
    x, y = _pair("log_cosh_loss", inputs, targets)
    difference = x - y
    size = absolute(difference)
    near = size < 1
    inner = where(near, difference, constant_like(x, 0))
    outer = size + log1p(exp(-2 * size)) - math.log(2)
    loss = where(near, log1p(2 * square(sinh(0.5 * inner))), outer)
    return _reduce("log_cosh_loss", loss, reduction)


# ---------------------------------------------------------------- classes and distributions


def _class_targets(function: str, targets: Array, scores: Array, axis: int) -> Array:
    """The target classes along `axis`, repeated over it."""
    expected = scores.shape[:axis] + scores.shape[axis + 1 :]
    require_kinds(function, targets, "iu", "an integer", "targets")
    if targets.shape != expected:
        raise ValueError(
            f"{function}: targets must be classes of shape {expected}, that of the scores {scores.shape} "
            f"without axis {axis}, or probabilities of their shape; got {targets.shape}"
        )
    targets = convert(targets, int64 if targets.dtype.itemsize == 8 else int32)
    return broadcast(expand_dims(targets, axis), scores.shape)


def _of_target(scores: Array, targets: Array, axis: int) -> Array:
    """The score of the target class, NaN if it is out of range.

    Compared with the number of each class, and not gathered, so that the derivative is elementwise too.
    """
    numbers = p.iota_p.bind(shape=scores.shape, dtype=targets.dtype, dimension=axis)
    hit = p.eq_p.bind(numbers, targets)
    found = p.reduce_or_p.bind(hit, axes=(axis,))
    total = sum_over(where(hit, scores, constant_like(scores, 0)), axis)
    return where(found, total, constant_like(total, math.nan))


@streamed
def cross_entropy(
    logits: Any,
    targets: Any,
    weights: Any = None,
    axis: int = -1,
    label_smoothing: float = 0.0,
    reduction: str = "none",
    *,
    stream: Any = None,
) -> Array:
    """The sum of -targets · log(softmax(logits)) over the classes.

    Args:
        logits: a real array with the classes along `axis`.
        targets: the class of each example, integers of the logits' shape without `axis`; or probabilities, of
            the logits' shape.
        weights: factors of the losses of the examples, broadcast to them.
        axis: of the classes.
        label_smoothing: in [0, 1), the share of the targets that is spread over all classes equally (Szegedy
            et al. 2016, Rethinking the Inception Architecture, section 7).
        reduction: 'none' for the loss of each example, 'mean' or 'sum' for one number.

    Returns:
        An array of the logits' shape without `axis`, or 0-d. NaN for a class out of range.

    Raises:
        TypeError: the logits are complex.
        ValueError: the shapes do not fit, or a parameter is out of range.

    >>> ft.nn.cross_entropy(ft.array([[0.0, 0.0], [0.0, 100.0]]), ft.array([0, 0]))
    array([0.693147, 100], dtype=float32)
    """
    logits = _real("cross_entropy", logits, "logits")
    axis = normalize_axis("cross_entropy", axis, logits.ndim)
    if not 0 <= label_smoothing < 1:
        raise ValueError(f"cross_entropy: label_smoothing must be in [0, 1), got {label_smoothing}")
    targets = as_array(targets, "cross_entropy", "targets")
    scores = log_softmax(logits, axis)
    if targets.shape == logits.shape:
        targets = convert(_real("cross_entropy", targets, "targets"), scores.dtype)
        # A class without probability contributes nothing, even where its score is -inf.
        expected = sum_over(p.safe_mul_p.bind(targets, scores), axis)
    else:
        expected = _of_target(scores, _class_targets("cross_entropy", targets, logits, axis), axis)
    if label_smoothing:
        expected = (1 - label_smoothing) * expected + label_smoothing * mean(scores, axis)
    loss = -expected
    if weights is not None:
        loss = _weighted("cross_entropy", loss, weights)
    return _reduce("cross_entropy", loss, reduction)


@streamed
def nll_loss(
    inputs: Any, targets: Any, axis: int = -1, reduction: str = "none", *, stream: Any = None
) -> Array:
    """The negative of the log-probability of the target class.

    Args:
        inputs: log-probabilities of the classes along `axis`, as `log_softmax` gives.
        targets: integers of their shape without `axis`.
        axis: of the classes.
        reduction: 'none' for the loss of each example, 'mean' or 'sum' for one number.

    Raises:
        TypeError: the inputs are complex or the targets are no integers.
        ValueError: the shapes do not fit or the reduction is unknown.

    >>> ft.nn.nll_loss(ft.array([[-1.0, -2.0]]), ft.array([1]))
    array([2], dtype=float32)
    """
    inputs = _real("nll_loss", inputs, "inputs")
    axis = normalize_axis("nll_loss", axis, inputs.ndim)
    targets = _class_targets("nll_loss", as_array(targets, "nll_loss", "targets"), inputs, axis)
    return _reduce("nll_loss", -_of_target(inputs, targets, axis), reduction)


@streamed
def binary_cross_entropy(
    inputs: Any,
    targets: Any,
    weights: Any = None,
    with_logits: bool = True,
    reduction: str = "mean",
    *,
    stream: Any = None,
) -> Array:
    """-targets · log(q) - (1 - targets) · log(1 - q) of probabilities q.

    Args:
        inputs: logits, of which q is the sigmoid; or q itself.
        targets: probabilities of the same shape.
        weights: factors of the losses, broadcast to them.
        with_logits: whether the inputs are logits. That way nothing overflows; the logarithm of a q of 0
            counts as -100.
        reduction: 'none' for the loss of each element, 'mean' or 'sum' for one number.

    Raises:
        TypeError: an operand is complex.
        ValueError: the shapes do not fit or the reduction is unknown.

    >>> ft.nn.binary_cross_entropy(ft.array([0.0, 100.0]), ft.array([1.0, 1.0]), reduction="none")
    array([0.693147, 0], dtype=float32)
    """
    x, y = _pair("binary_cross_entropy", inputs, targets)
    if with_logits:
        loss = softplus(x) - x * y
    else:
        yes, no = (maximum(log(q), constant_like(x, -100)) for q in (x, 1 - x))
        loss = -(y * yes + (1 - y) * no)
    if weights is not None:
        loss = _weighted("binary_cross_entropy", loss, weights)
    return _reduce("binary_cross_entropy", loss, reduction)


@streamed
def kl_div_loss(
    inputs: Any, targets: Any, axis: int = -1, reduction: str = "none", *, stream: Any = None
) -> Array:
    """The Kullback-Leibler divergence of log-probabilities `inputs` from log-probabilities `targets`.

    Args:
        inputs, targets: real arrays of one shape, logarithms of distributions along `axis`.
        axis: over which exp(targets) · (targets - inputs) is summed; where exp(targets) is 0 it counts as 0.
        reduction: 'none' for the divergence of each pair, 'mean' or 'sum' for one number.

    Raises:
        TypeError: an operand is complex.
        ValueError: the shapes differ or the reduction is unknown.

    >>> half = ft.log(ft.array([0.5, 0.5]))
    >>> ft.nn.kl_div_loss(half, ft.array([0.0, -float("inf")]))
    array(0.693147, dtype=float32)
    """
    x, y = _pair("kl_div_loss", inputs, targets)
    loss = sum_over(p.safe_mul_p.bind(exp(y), y - x), normalize_axis("kl_div_loss", axis, x.ndim))
    return _reduce("kl_div_loss", loss, reduction)


@streamed
def gaussian_nll_loss(
    inputs: Any,
    targets: Any,
    vars: Any,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
    *,
    stream: Any = None,
) -> Array:
    """Half of log(v) + (targets - inputs)² / v: the negative log-likelihood of normal numbers.

    Nix and Weigend 1994, Estimating the Mean and Variance of the Target Probability Distribution.

    Args:
        inputs: the means.
        targets: what was observed, of the same shape.
        vars: the variances, of the same shape; v is the larger of them and `eps`.
        full: whether to add the constant log(2π) / 2.
        eps: the least variance.
        reduction: 'none' for the loss of each element, 'mean' or 'sum' for one number.

    Raises:
        TypeError: an operand is complex.
        ValueError: the shapes differ or the reduction is unknown.

    >>> ft.nn.gaussian_nll_loss(ft.array([1.0]), ft.array([3.0]), ft.array([1.0]))
    array(2, dtype=float32)
    """
    x, y = _pair("gaussian_nll_loss", inputs, targets)
    x, v = _pair("gaussian_nll_loss", x, vars, ("inputs", "vars"))
    v = maximum(v, eps)
    loss = 0.5 * (log(v) + square(y - x) / v)
    if full:
        loss = loss + 0.5 * math.log(2 * math.pi)
    return _reduce("gaussian_nll_loss", loss, reduction)


# ---------------------------------------------------------------- margins


@streamed
def hinge_loss(inputs: Any, targets: Any, reduction: str = "none", *, stream: Any = None) -> Array:
    """max(1 - inputs · targets, 0) for targets of -1 and 1; arguments as of `mse_loss`.

    >>> ft.nn.hinge_loss(ft.array([0.5, 2.0]), ft.array([1.0, 1.0]))
    array([0.5, 0], dtype=float32)
    """
    x, y = _pair("hinge_loss", inputs, targets)
    return _reduce("hinge_loss", relu(1 - x * y), reduction)


@streamed
def margin_ranking_loss(
    inputs1: Any,
    inputs2: Any,
    targets: Any,
    margin: float = 0.0,
    reduction: str = "none",
    *,
    stream: Any = None,
) -> Array:
    """max(margin - targets · (inputs1 - inputs2), 0): a target of 1 wants the first larger, of -1 the second.

    Args:
        inputs1, inputs2, targets: real arrays of one shape.
        margin: by how much.
        reduction: 'none' for the loss of each element, 'mean' or 'sum' for one number.

    Raises:
        TypeError: an operand is complex.
        ValueError: the shapes differ or the reduction is unknown.

    >>> ft.nn.margin_ranking_loss(ft.array([1.0]), ft.array([3.0]), ft.array([1.0]))
    array([2], dtype=float32)
    """
    first, second = _pair("margin_ranking_loss", inputs1, inputs2, ("inputs1", "inputs2"))
    difference, y = _pair("margin_ranking_loss", first - second, targets, ("inputs1", "targets"))
    return _reduce("margin_ranking_loss", relu(margin - y * difference), reduction)


@streamed
def triplet_loss(
    anchors: Any,
    positives: Any,
    negatives: Any,
    axis: int = -1,
    p: float = 2,
    margin: float = 1.0,
    eps: float = 1e-6,
    reduction: str = "none",
    *,
    stream: Any = None,
) -> Array:
    """max(d(anchors, positives) - d(anchors, negatives) + margin, 0), with d the p-norm of a difference.

    Balntas et al. 2016, Learning Local Feature Descriptors with Triplets.

    Args:
        anchors, positives, negatives: real arrays of one shape.
        axis: of the vectors.
        p: of the norm; eps is added to the sum of powers, so that its root has a derivative at 0.
        margin: how much farther the negatives shall be.
        reduction: 'none' for the loss of each triplet, 'mean' or 'sum' for one number.

    Raises:
        TypeError: an operand is complex.
        ValueError: the shapes differ or the reduction is unknown.

    >>> ft.nn.triplet_loss(ft.zeros(2), ft.zeros(2), ft.array([3.0, 4.0]), margin=7.0, eps=0.0)
    array(2, dtype=float32)
    """
    a, near = _pair("triplet_loss", anchors, positives, ("anchors", "positives"))
    a, far = _pair("triplet_loss", a, negatives, ("anchors", "negatives"))
    axis = normalize_axis("triplet_loss", axis, a.ndim)

    def distance(difference: Array) -> Array:
        if p == 2:
            return sqrt(sum_over(square(difference), axis) + eps)
        return (sum_over(absolute(difference) ** p, axis) + eps) ** (1 / p)

    return _reduce("triplet_loss", relu(distance(a - near) - distance(a - far) + margin), reduction)


@streamed
def cosine_similarity_loss(
    x1: Any, x2: Any, axis: int = 1, eps: float = 1e-8, reduction: str = "none", *, stream: Any = None
) -> Array:
    """The cosine of the angle between vectors: x1 · x2 / max(|x1| |x2|, eps).

    Args:
        x1, x2: real arrays of one shape.
        axis: of the vectors.
        eps: the least that is divided by.
        reduction: 'none' for the cosine of each pair, 'mean' or 'sum' for one number.

    Raises:
        TypeError: an operand is complex.
        ValueError: the shapes differ or the reduction is unknown.

    >>> ft.nn.cosine_similarity_loss(ft.array([[1.0, 0.0]]), ft.array([[1.0, 1.0]]))
    array([0.707107], dtype=float32)
    """
    x, y = _pair("cosine_similarity_loss", x1, x2, ("x1", "x2"))
    axis = normalize_axis("cosine_similarity_loss", axis, x.ndim)
    norms = sqrt(sum_over(square(x), axis)) * sqrt(sum_over(square(y), axis))
    return _reduce("cosine_similarity_loss", sum_over(x * y, axis) / maximum(norms, eps), reduction)
