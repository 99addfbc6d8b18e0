"""What the layers of transformers are made of, with MLX's signatures.

Each is composed of ordinary operations, so it has every derivative and batches like any function, and the
elementwise parts and reductions run as a few fused kernels. 16-bit floats are computed in float32 inside and
rounded once. `metal_kernel` makes functions of the user's own kernels.
"""

from __future__ import annotations

import math
from typing import Any

from . import primitives as p
from ._native import Array, bool_, int32, int64
from .metal_kernel import metal_kernel
from .ops.creation import arange
from .ops.joining import concatenate
from .ops.linear_algebra import dot_general
from .ops.log_space import excess_over_maximum
from .ops.manipulation import slice_axis
from .ops.operands import (
    as_array,
    as_integer,
    broadcast,
    broadcast_shapes_of,
    constant_like,
    convert,
    expand,
    require_kinds,
    reshape_to,
    to_inexact,
)
from .ops.statistical import accumulator_dtype
from .ops.streams import streamed

__all__ = [
    "cross_entropy",
    "layer_norm",
    "metal_kernel",
    "rms_norm",
    "rope",
    "scaled_dot_product_attention",
]


def __dir__() -> list[str]:
    return __all__


def _wide(function: str, x: Any, argument: str = "x", least_ndim: int = 1) -> tuple[Array, Array]:
    """The operand, and it in the dtype that it is computed in."""
    x = to_inexact(as_array(x, f"fast.{function}", argument))
    require_kinds(f"fast.{function}", x, "f", "a real", argument)
    if x.ndim < least_ndim:
        raise ValueError(
            f"fast.{function}: {argument} must have {least_ndim} dimensions or more, got shape {x.shape}"
        )
    return x, convert(x, accumulator_dtype(x.dtype))


def _row(function: str, given: Any, x: Array, argument: str) -> Array:
    """A weight or a bias of the last axis of `x`, broadcast to it."""
    row = as_array(given, f"fast.{function}", argument)
    if row.shape != x.shape[-1:]:
        raise ValueError(
            f"fast.{function}: {argument} must have shape {x.shape[-1:]}, that of the last axis of x "
            f"{x.shape}; got {row.shape}"
        )
    return broadcast(convert(row, x.dtype), x.shape)


def _row_means(x: Array) -> Array:
    """The mean over the last axis, which is gone."""
    total = p.reduce_sum_p.bind(x, axes=(x.ndim - 1,))
    return p.div_p.bind(total, constant_like(total, max(x.shape[-1], 1)))


def _to_unit_scale(x: Array, eps: float) -> Array:
    """`x` divided by the root of the mean square of each row, which is taken once a row."""
    square = _row_means(p.square_p.bind(x))
    factor = p.rsqrt_p.bind(p.add_p.bind(square, constant_like(square, eps)))
    return p.mul_p.bind(x, expand(factor, x.shape, (x.ndim - 1,)))


@streamed
def layer_norm(x: Any, weight: Any, bias: Any, eps: float, *, stream: Any = None) -> Array:
    """(x - mean) / sqrt(variance + eps) · weight + bias over the last axis.

    Ba et al. 2016, Layer Normalization.

    Args:
        x: (..., n).
        weight, bias: (n,), or None for none.
        eps: keeps the root away from zero.

    Returns:
        (..., n) in `x`'s dtype.

    Raises:
        TypeError: `x` is complex.
        ValueError: the shapes do not fit.

    >>> ft.fast.layer_norm(ft.array([1.0, 3.0]), None, None, 0.0)
    array([-1, 1], dtype=float32)
    """
    x, wide = _wide("layer_norm", x)
    centred = p.sub_p.bind(wide, expand(_row_means(wide), wide.shape, (wide.ndim - 1,)))
    out = _to_unit_scale(centred, eps)
    if weight is not None:
        out = p.mul_p.bind(out, _row("layer_norm", weight, wide, "weight"))
    if bias is not None:
        out = p.add_p.bind(out, _row("layer_norm", bias, wide, "bias"))
    return convert(out, x.dtype)


@streamed
def rms_norm(x: Any, weight: Any, eps: float, *, stream: Any = None) -> Array:
    """X / sqrt(mean of squares + eps) · weight over the last axis (Zhang and Sennrich 2019, RMSNorm).

    Args:
        x: (..., n).
        weight: (n,), or None for none.
        eps: keeps the root away from zero.

    Returns:
        (..., n) in `x`'s dtype.

    Raises:
        TypeError: `x` is complex.
        ValueError: the shapes do not fit.

    >>> ft.fast.rms_norm(ft.array([3.0, 3.0]), ft.array([1.0, 2.0]), 0.0)
    array([1, 2], dtype=float32)
    """
    x, wide = _wide("rms_norm", x)
    out = _to_unit_scale(wide, eps)
    if weight is not None:
        out = p.mul_p.bind(out, _row("rms_norm", weight, wide, "weight"))
    return convert(out, x.dtype)


# ---------------------------------------------------------------- rotary positions


def _angles(length: int, pairs: int, base: float | None, scale: float, offset: Any, freqs: Any) -> Array:
    """The angle of each pair at each position, (..., length, pairs) with the batch of `offset` in front."""
    if (base is None) == (freqs is None):
        raise ValueError("fast.rope: give either base or freqs, and None for the other")
    positions = arange(length)
    if base is not None:
        speeds = p.exp_p.bind(to_inexact(arange(pairs) * (-math.log(base) / max(pairs, 1))))
    else:
        freqs = to_inexact(as_array(freqs, "fast.rope", "freqs"))
        if freqs.shape != (pairs,):
            raise ValueError(f"fast.rope: freqs must have shape ({pairs},), got {freqs.shape}")
        speeds = 1 / freqs
    offset = as_array(offset, "fast.rope", "offset")
    if offset.ndim > 1:
        raise ValueError(f"fast.rope: offset must be a number or a vector, got shape {offset.shape}")
    places = (positions + reshape_to(offset, (*offset.shape, 1))) * scale
    return reshape_to(places, (*places.shape, 1)) * speeds


@streamed
def rope(
    a: Any,
    dims: int,
    *,
    traditional: bool,
    base: float | None,
    scale: float,
    offset: Any,
    freqs: Any = None,
    stream: Any = None,
) -> Array:
    """Rotary positional encoding (Su et al. 2021, RoFormer): pairs of features turned by the position.

    Pair i of the position t turns by (t + offset) · scale · base^(-2i / dims).

    Args:
        a: (B, ..., T, D).
        dims: how many of the first of the D features are turned; even.
        traditional: pairs are neighbours (2i, 2i + 1); else the halves (i, i + dims / 2).
        base: of the angular speeds; None where `freqs` is given.
        scale: of the positions.
        offset: of the positions: a number, or a vector with one for each of the batch B.
        freqs: (dims / 2,), what to divide the positions by, in place of powers of `base`.

    Returns:
        An array like `a`.

    Raises:
        TypeError: `a` is complex.
        ValueError: the shapes do not fit, or of base and freqs not one is None.

    >>> x = ft.reshape(ft.array([1.0, 0.0, 1.0, 0.0]), (1, 2, 2))
    >>> ft.fast.rope(x, 2, traditional=True, base=10000.0, scale=1.0, offset=0)
    array([[[1, 0],
            [0.540302, 0.841471]]], dtype=float32)
    """
    a, wide = _wide("rope", a, "a", least_ndim=3)
    dims = as_integer(dims, "fast.rope", "dims")
    if dims % 2 or not 0 <= dims <= a.shape[-1]:
        raise ValueError(f"fast.rope: dims must be even and at most {a.shape[-1]}, got {dims}")
    half, last = dims // 2, a.ndim - 1
    angles = convert(_angles(a.shape[-2], half, base, scale, offset, freqs), wide.dtype)
    if angles.ndim == 3:
        if angles.shape[0] not in (1, a.shape[0]):
            raise ValueError(
                f"fast.rope: offset must have one entry or {a.shape[0]}, as many as the batch of a "
                f"{a.shape}; got {angles.shape[0]}"
            )
        angles = reshape_to(angles, (angles.shape[0], *(1,) * (a.ndim - 3), *angles.shape[1:]))
    turned = slice_axis(wide, last, 0, dims)
    if traditional:
        pairs = reshape_to(turned, (*turned.shape[:-1], half, 2))
        first, second = (
            reshape_to(slice_axis(pairs, last + 1, i, i + 1), pairs.shape[:-1]) for i in range(2)
        )
    else:
        first, second = slice_axis(turned, last, 0, half), slice_axis(turned, last, half, dims)
    angles = broadcast(angles, first.shape)
    cos, sin = p.cos_p.bind(angles), p.sin_p.bind(angles)
    rotated = [first * cos - second * sin, first * sin + second * cos]
    if traditional:
        rotated = [reshape_to(x, (*x.shape, 1)) for x in rotated]
        out = reshape_to(concatenate(rotated, axis=last + 1), turned.shape)
    else:
        out = concatenate(rotated, axis=last)
    if dims < a.shape[-1]:
        out = concatenate([out, slice_axis(wide, last, dims, a.shape[-1])], axis=last)
    return convert(out, a.dtype)


# ---------------------------------------------------------------- attention


def _attention_shapes(q: Array, k: Array, v: Array) -> None:
    name = "fast.scaled_dot_product_attention"
    if k.ndim != 4 or v.ndim != 4 or k.shape[:3] != v.shape[:3] or q.shape[0] != k.shape[0]:
        raise ValueError(
            f"{name}: q (B, N, T, D), k (B, M, S, D) and v (B, M, S, E) must have 4 dimensions and share "
            f"these, got {q.shape}, {k.shape} and {v.shape}"
        )
    if q.shape[3] != k.shape[3]:
        raise ValueError(f"{name}: the last axes of q {q.shape} and k {k.shape} must have one extent")
    if k.shape[1] == 0 or q.shape[1] % k.shape[1]:
        raise ValueError(
            f"{name}: the {q.shape[1]} heads of q {q.shape} must be a multiple of the {k.shape[1]} of k "
            f"{k.shape}"
        )


def _masked(scores: Array, mask: Any) -> Array:
    """Scores (B, N, T, S) with a mask added, or -inf where it is False."""
    name = "fast.scaled_dot_product_attention"
    if isinstance(mask, str):
        if mask != "causal":
            raise ValueError(f"{name}: mask must be None, 'causal' or an array, got {mask!r}")
        queries, keys = scores.shape[2:]
        row, column = (p.iota_p.bind(shape=(queries, keys), dtype=int32, dimension=i) for i in range(2))
        mask = p.le_p.bind(column, p.add_p.bind(row, constant_like(row, keys - queries)))
    mask = as_array(mask, name, "mask")
    if broadcast_shapes_of(name, mask.shape, scores.shape) != scores.shape:
        raise ValueError(f"{name}: mask {mask.shape} must broadcast to the scores {scores.shape}")
    mask = broadcast(mask, scores.shape)
    if mask.dtype is bool_:
        return p.select_p.bind(mask, scores, constant_like(scores, -math.inf))
    require_kinds(name, mask, "f", "a bool or a real", "mask")
    return p.add_p.bind(scores, convert(mask, scores.dtype))


@streamed
def scaled_dot_product_attention(
    q: Any,
    k: Any,
    v: Any,
    *,
    scale: float,
    mask: Any = None,
    sinks: Any = None,
    stream: Any = None,
) -> Array:
    """softmax(q · kᵀ · scale + mask) · v for each head (Vaswani et al. 2017, Attention Is All You Need).

    Args:
        q: (B, N, T, D), queries of N heads.
        k: (B, M, S, D), keys; M divides N, and N / M heads in succession share those of one (Ainslie et al.
            2023, GQA).
        v: (B, M, S, E), values.
        scale: of the scores, most often 1 / sqrt(D).
        mask: None; 'causal', by which the last query sees all keys, and each one before it one less; or an
            array that broadcasts to (B, N, T, S): bool, with True where a query sees a key, or added to the
            scores.
        sinks: (N,), the score of one more key a head, whose value is zero.

    Returns:
        (B, N, T, E) in `q`'s dtype. Zeros for a query that sees no key.

    Raises:
        TypeError: an operand or the mask is complex.
        ValueError: the shapes do not fit, or the mask is an unknown string.

    >>> q = ft.ones((1, 2, 3, 4))
    >>> v = ft.reshape(ft.arange(3.0), (1, 1, 3, 1))
    >>> ft.fast.scaled_dot_product_attention(q, q[:, :1], v, scale=0.5, mask="causal")[0, 0]
    array([[0],
           [0.5],
           [1]], dtype=float32)
    """
    name = "scaled_dot_product_attention"
    q, wide_q = _wide(name, q, "q", least_ndim=4)
    (_, k), (_, v) = _wide(name, k, "k"), _wide(name, v, "v")
    k, v = convert(k, wide_q.dtype), convert(v, wide_q.dtype)
    _attention_shapes(q, k, v)
    batch, heads, queries, width = q.shape
    shared, keys = k.shape[1:3]
    # The queries of heads that share their keys are rows of one product.
    rows = reshape_to(wide_q * scale, (batch, shared, heads // shared * queries, width))
    scores = dot_general(rows, k, ((3,), (3,)), ((0, 1), (0, 1)))
    scores = reshape_to(scores, (batch, heads, queries, keys))
    if mask is not None:
        scores = _masked(scores, mask)
    if sinks is not None:
        sinks = as_array(sinks, f"fast.{name}", "sinks")
        if sinks.shape != (heads,):
            raise ValueError(f"fast.{name}: sinks must have shape ({heads},), got {sinks.shape}")
        column = reshape_to(convert(sinks, scores.dtype), (1, heads, 1, 1))
        scores = concatenate([scores, broadcast(column, (batch, heads, queries, 1))], axis=3)
    if scores.shape[3] == 0:
        return broadcast(constant_like(q, 0), (batch, heads, queries, v.shape[3]))
    excess, top = excess_over_maximum(scores, (3,))
    # A query that may see nothing gets zeros, not the mean of everything.
    blind = expand(p.eq_p.bind(top, constant_like(top, -math.inf)), scores.shape, (3,))
    powers = p.select_p.bind(blind, constant_like(scores, 0), p.exp_p.bind(excess))
    total = p.reduce_sum_p.bind(powers, axes=(3,))
    total = p.select_p.bind(p.eq_p.bind(total, constant_like(total, 0)), constant_like(total, 1), total)
    weights = p.div_p.bind(powers, expand(total, powers.shape, (3,)))
    weights = reshape_to(slice_axis(weights, 3, 0, keys), (batch, shared, heads // shared * queries, keys))
    out = dot_general(weights, v, ((3,), (2,)), ((0, 1), (0, 1)))
    return convert(reshape_to(out, (batch, heads, queries, v.shape[3])), q.dtype)


# ---------------------------------------------------------------- cross entropy


@streamed
def cross_entropy(logits: Any, targets: Any, *, stream: Any = None) -> Array:
    """-log(softmax(logits)) of the target class, without overflow and without an array of probabilities.

    Args:
        logits: (..., classes).
        targets: (...), integers.

    Returns:
        (...) in the dtype of the logits; NaN for a target out of range.

    Raises:
        TypeError: the logits are complex or the targets are no integers.
        ValueError: the shapes do not fit, or there are no classes.

    >>> ft.fast.cross_entropy(ft.array([[0.0, 0.0], [0.0, 100.0]]), ft.array([0, 1]))
    array([0.693147, 0], dtype=float32)
    """
    logits, wide = _wide("cross_entropy", logits, "logits")
    targets = as_array(targets, "fast.cross_entropy", "targets")
    require_kinds("fast.cross_entropy", targets, "iu", "an integer", "targets")
    classes, last = logits.shape[-1], logits.ndim - 1
    if targets.shape != logits.shape[:-1] or classes == 0:
        raise ValueError(
            f"fast.cross_entropy: targets must have the shape {logits.shape[:-1]} of the logits "
            f"{logits.shape} without their last axis, which must not be empty; got {targets.shape}"
        )
    targets = convert(targets, int64 if targets.dtype.itemsize == 8 else int32)
    shifted, _ = excess_over_maximum(wide, (last,))
    total = p.reduce_sum_p.bind(p.exp_p.bind(shifted), axes=(last,))
    # Compared with the number of each class, and not gathered: so it is part of the same kernel, and its
    # derivative too.
    numbers = p.iota_p.bind(shape=wide.shape, dtype=targets.dtype, dimension=last)
    hit = p.eq_p.bind(numbers, expand(targets, wide.shape, (last,)))
    of_target = p.reduce_sum_p.bind(p.select_p.bind(hit, shifted, constant_like(shifted, 0)), axes=(last,))
    loss = p.sub_p.bind(p.log_p.bind(total), of_target)
    first_class = constant_like(targets, 0)
    inside = p.and_p.bind(
        p.ge_p.bind(targets, first_class), p.lt_p.bind(targets, constant_like(targets, classes))
    )
    return convert(p.select_p.bind(inside, loss, constant_like(loss, math.nan)), logits.dtype)
