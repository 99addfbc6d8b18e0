"""conv: the sum of products of a window that slides over one array with another array.

There is one layout, channels last: lhs (N, *spatial, C), rhs (O, *window, C / feature groups), result
(N / batch groups, *positions, O). Others are transposes around it, which cost no copy of their own.

With the lhs dilated by `lhs_dilation` (zeros between its elements) and padded, and per channel group,
    out[n, p, o] = Σ_k Σ_c lhs[n, p · window_strides + k · rhs_dilation, c] · rhs[o, k, c].
The rhs is not flipped. Feature groups split C and O: a group of outputs sees its group of channels. Batch
groups split N and O: a group of outputs sees its group of the batch. Derivatives are convolutions again, in
which window_strides and dilations change places, and feature groups and batch groups do.
"""

from __future__ import annotations

import itertools
import math

import numpy as np

from .._native import Array
from ..core.avals import shaped_array
from ..core.primitive import Primitive, Sample
from ._factories import add_p
from ._helpers import NUMERIC, accumulator, check_kind, check_length, check_same_dtype
from .layout import move_axis, reshape, transpose, zeros_like
from .shape import rev_p

# ---------------------------------------------------------------- geometry


def dilated_extent(extent: int, dilation: int) -> int:
    """The extent of an axis with `dilation` - 1 gaps between its elements."""
    return (extent - 1) * dilation + 1 if extent else 0


def positions(extent: int, window: int, stride: int) -> int:
    """At how many positions a window fits."""
    return max(0, (extent - window) // stride + 1) if extent >= window else 0


def check_window(name: str, ndim: int, padding, **at_least_one) -> None:
    """Raise ValueError unless there is a pair of paddings, and a positive integer of each kind, an axis."""
    check_length(name, "padding", padding, ndim)
    for parameter, values in at_least_one.items():
        check_length(name, parameter, values, ndim)
        if any(value < 1 for value in values):
            raise ValueError(f"{name}: {parameter} must be at least 1, got {values}")


def _check_groups(lhs, rhs, features, batches):
    channels, outputs = lhs.shape[-1], rhs.shape[0]
    if features < 1 or batches < 1 or (features > 1 and batches > 1):
        raise ValueError(
            "conv: feature_group_count and batch_group_count must be at least 1 and one of them must be 1, "
            f"got {features} and {batches}"
        )
    if rhs.shape[-1] * features != channels:
        raise ValueError(
            f"conv: the last axis of rhs {rhs.shape} must be the {channels} channels of lhs {lhs.shape} "
            f"divided by feature_group_count {features}"
        )
    if outputs % (features * batches) or lhs.shape[0] % batches:
        raise ValueError(
            f"conv: the {outputs} outputs of rhs {rhs.shape} must be a multiple of feature_group_count "
            f"{features} and batch_group_count {batches}, and the batch of lhs {lhs.shape} of the latter"
        )


def _conv_abstract(
    lhs, rhs, *, window_strides, padding, lhs_dilation, rhs_dilation, feature_group_count, batch_group_count
):
    check_same_dtype("conv", lhs, rhs)
    check_kind("conv", lhs, NUMERIC, "operands")
    if lhs.ndim < 2 or lhs.ndim != rhs.ndim:
        raise ValueError(
            "conv: lhs (N, *spatial, C) and rhs (O, *window, C) must have as many axes, at least 2, "
            f"got shapes {lhs.shape} and {rhs.shape}"
        )
    check_window(
        "conv", lhs.ndim - 2, padding,
        window_strides=window_strides, lhs_dilation=lhs_dilation, rhs_dilation=rhs_dilation,
    )  # fmt: skip
    _check_groups(lhs, rhs, feature_group_count, batch_group_count)
    if 0 in rhs.shape[1:-1]:
        raise ValueError(f"conv: the window of rhs {rhs.shape} must not be empty")
    spatial = [
        positions(dilated_extent(extent, ld) + low + high, dilated_extent(window, rd), stride)
        for extent, window, stride, (low, high), ld, rd in zip(
            lhs.shape[1:-1], rhs.shape[1:-1], window_strides, padding, lhs_dilation, rhs_dilation, strict=True
        )
    ]
    shape = (lhs.shape[0] // batch_group_count, *spatial, rhs.shape[0])
    return shaped_array(shape, lhs.dtype, lhs.weak_type and rhs.weak_type)


# ---------------------------------------------------------------- reference


def padded(x: np.ndarray, padding, interior, value=0) -> np.ndarray:
    """`x` with `value` between its elements and around them; negative padding crops."""
    shape = [dilated_extent(n, d) for n, d in zip(x.shape, interior, strict=True)]
    spread = np.full(shape, value, x.dtype)
    spread[tuple(slice(None, None, d) for d in interior)] = x
    around = np.pad(spread, [(max(a, 0), max(b, 0)) for a, b in padding], constant_values=value)
    crop = [
        slice(max(-a, 0), max(n - max(-b, 0), 0))
        for n, (a, b) in zip(around.shape, padding, strict=True)
    ]  # fmt: skip
    return around[tuple(crop)]


def _conv_impl(
    lhs, rhs, *, window_strides, padding, lhs_dilation, rhs_dilation, feature_group_count, batch_group_count
):
    dtype = accumulator(lhs.dtype)
    x = padded(lhs.astype(dtype), ((0, 0), *padding, (0, 0)), (1, *lhs_dilation, 1))
    groups = feature_group_count * batch_group_count
    xs = np.split(x, groups, axis=0 if batch_group_count > 1 else -1)
    extents = [
        positions(n, dilated_extent(k, d), s)
        for n, k, s, d in zip(x.shape[1:-1], rhs.shape[1:-1], window_strides, rhs_dilation, strict=True)
    ]
    parts = []
    for part, weights in zip(xs, np.split(rhs.astype(dtype), groups), strict=True):
        total = np.zeros((part.shape[0], *extents, weights.shape[0]), dtype)
        for tap in itertools.product(*map(range, rhs.shape[1:-1])):
            reached = [
                slice(k * d, k * d + max((n - 1) * s + 1, 0), s)
                for k, d, n, s in zip(tap, rhs_dilation, extents, window_strides, strict=True)
            ]
            window = (slice(None), *reached)
            tap_weights = np.moveaxis(weights, 0, -1)[tap]
            with np.errstate(all="ignore"):
                total += part[window] @ tap_weights
        parts.append(total)
    return np.concatenate(parts, -1).astype(lhs.dtype)


# ---------------------------------------------------------------- derivatives


def _conv_jvp(primals, tangents, out, **p):
    (lhs, rhs), (dl, dr) = primals, tangents
    left = None if dl is None else conv_p.bind(dl, rhs, **p)
    right = None if dr is None else conv_p.bind(lhs, dr, **p)
    if left is None or right is None:
        return right if left is None else left
    return add_p.bind(left, right)


def _split_axis(x: Array, axis: int, outer: int) -> Array:
    """`x` with an axis split in two, the first of extent `outer`."""
    return reshape(x, (*x.shape[:axis], outer, x.shape[axis] // outer, *x.shape[axis + 1 :]))


def _merge_axes(x: Array, axis: int) -> Array:
    """`x` with an axis and the next one merged."""
    return reshape(x, (*x.shape[:axis], x.shape[axis] * x.shape[axis + 1], *x.shape[axis + 2 :]))


def _move_group(x: Array, source: int, destination: int, groups: int) -> Array:
    """`x` with the major part, of extent `groups`, of axis `source` made the major part of `destination`."""
    if groups == 1:
        return x
    return _merge_axes(move_axis(_split_axis(x, source, groups), source, destination), destination)


def _exchange_ends(x: Array) -> Array:
    return transpose(x, (x.ndim - 1, *range(1, x.ndim - 1), 0))


def _spatial_axes(ct: Array, lhs: Array, rhs: Array, p: dict):
    """Of each: extent of the lhs, window, positions, stride, padding, dilations."""
    shapes = (x.shape[1:-1] for x in (lhs, rhs, ct))
    parameters = (p[name] for name in ("window_strides", "padding", "lhs_dilation", "rhs_dilation"))
    return zip(*shapes, *parameters, strict=True)


def _cotangent_of_lhs(ct: Array, lhs: Array, rhs: Array, p: dict) -> Array:
    """Every element of the lhs gathers, from the positions whose windows reached it, their cotangents."""
    groups = p["feature_group_count"] * p["batch_group_count"]
    padding = []
    for n, k, places, stride, (low, _), ld, rd in _spatial_axes(ct, lhs, rhs, p):
        reach = dilated_extent(k, rd) - 1
        before = reach - low
        padding.append((before, dilated_extent(n, ld) + reach - dilated_extent(places, stride) - before))
    flipped = rev_p.bind(rhs, axes=tuple(range(1, rhs.ndim - 1)))
    weights = _exchange_ends(_move_group(flipped, 0, rhs.ndim - 1, groups))
    product = conv_p.bind(
        ct, weights,
        window_strides=p["lhs_dilation"], padding=tuple(padding), lhs_dilation=p["window_strides"],
        rhs_dilation=p["rhs_dilation"], feature_group_count=groups, batch_group_count=1,
    )  # fmt: skip
    return _move_group(product, product.ndim - 1, 0, p["batch_group_count"])


def _cotangent_of_rhs(ct: Array, lhs: Array, rhs: Array, p: dict) -> Array:
    """The cotangent slides over the lhs in place of the rhs; what was summed is the batch, and conversely."""
    padding = []
    for n, k, places, stride, (low, _), ld, rd in _spatial_axes(ct, lhs, rhs, p):
        reach = dilated_extent(k, rd) - 1
        padding.append((low, dilated_extent(places, stride) + reach - dilated_extent(n, ld) - low))
    product = conv_p.bind(
        _exchange_ends(lhs), _exchange_ends(ct),
        window_strides=p["rhs_dilation"], padding=tuple(padding), lhs_dilation=p["lhs_dilation"],
        rhs_dilation=p["window_strides"], feature_group_count=p["batch_group_count"],
        batch_group_count=p["feature_group_count"],
    )  # fmt: skip
    return _exchange_ends(product)


def _conv_vjp(ct, primals, out, needed, **p):
    lhs, rhs = primals
    if ct.size == 0 or lhs.size == 0 or rhs.size == 0:
        return [zeros_like(x) if need else None for x, need in zip(primals, needed, strict=True)]
    return [
        _cotangent_of_lhs(ct, lhs, rhs, p) if needed[0] else None,
        _cotangent_of_rhs(ct, lhs, rhs, p) if needed[1] else None,
    ]


# ---------------------------------------------------------------- batching


def _fold(x: Array, dim: int, axis: int, groups: int = 1) -> Array:
    """`x` with its batch dimension merged into `axis` of the rest, below the `groups` of that axis."""
    x = move_axis(x, dim, axis)
    if groups > 1:
        x = move_axis(_split_axis(x, axis + 1, groups), axis, axis + 1)
        return _merge_axes(_merge_axes(x, axis), axis)
    return _merge_axes(x, axis)


def _unfold(x: Array, axis: int, size: int, groups: int = 1) -> Array:
    """What `_fold` merged, as the first axis."""
    if groups == 1:
        return move_axis(_split_axis(x, axis, size), axis, 0)
    x = _split_axis(_split_axis(x, axis, groups), axis + 1, size)
    return _merge_axes(move_axis(x, axis + 1, 0), axis + 1)


def _conv_batch(args, dims, size, **p):
    (lhs, rhs), (ld, rd) = args, dims
    features, batches = p["feature_group_count"], p["batch_group_count"]
    last = (lhs.ndim if ld is None else lhs.ndim - 1) - 1
    if rd is None:
        return _unfold(conv_p.bind(_fold(lhs, ld, 0, batches), rhs, **p), 0, size), 0
    if ld is None:
        groups = features * batches
        return _unfold(conv_p.bind(lhs, _fold(rhs, rd, 0, groups), **p), last, size, groups), 0
    # Each example of the one meets its own of the other: they are groups.
    if batches > 1:
        lhs, p["batch_group_count"] = _fold(lhs, ld, 0), batches * size
    else:
        lhs, p["feature_group_count"] = _fold(lhs, ld, last), features * size
    return _unfold(conv_p.bind(lhs, _fold(rhs, rd, 0), **p), last, size), 0


# ---------------------------------------------------------------- the primitive


def _conv_lower(p, in_avals, out_avals):
    low = tuple(pair[0] for pair in p["padding"])
    return (
        p["feature_group_count"], p["batch_group_count"],
        *p["window_strides"], *low, *p["lhs_dilation"], *p["rhs_dilation"],
    )  # fmt: skip


def _values(*shape: int) -> np.ndarray:
    return np.cos(np.arange(math.prod(shape)) * 1.7).reshape(shape)


def _sample(lhs, rhs, strides, padding, lhs_dilation, rhs_dilation, features=1, batches=1, factor=1.0):
    return Sample(
        (lambda: _values(*lhs) * factor, lambda: _values(*rhs)[..., ::-1] * factor),
        {
            "window_strides": strides, "padding": padding, "lhs_dilation": lhs_dilation,
            "rhs_dilation": rhs_dilation, "feature_group_count": features, "batch_group_count": batches,
        },
        (0, 1),
    )  # fmt: skip


conv_p = Primitive(
    "conv",
    abstract_eval=_conv_abstract,
    impl=_conv_impl,
    jvp=_conv_jvp,
    vjp=_conv_vjp,
    batch=_conv_batch,
    lower=_conv_lower,
    samples=[
        _sample((2, 5, 3), (2, 3, 3), (1,), ((1, 1),), (1,), (1,)),
        _sample((1, 4, 5, 2), (3, 2, 3, 2), (2, 1), ((0, 1), (-1, 2)), (1, 1), (1, 2)),
        _sample((1, 3, 4, 2), (2, 2, 2, 1), (1, 2), ((1, 0), (1, 1)), (2, 1), (1, 1), features=2),
        _sample((2, 4, 2), (4, 2, 2), (2,), ((1, 0),), (1,), (1,), batches=2),
        _sample((1, 4, 3), (3, 3, 1), (1,), ((1, 1),), (1,), (1,), features=3),
        _sample((2, 3), (2, 3), (), (), (), ()),
        _sample((1, 3, 2), (2, 1, 2), (1,), ((0, 0),), (1,), (1,), factor=1 + 0.5j),
        _sample((2, 0, 2), (1, 2, 2), (1,), ((1, 1),), (1,), (1,)),
        _sample((1, 2, 1), (1, 4, 1), (1,), ((0, 0),), (1,), (1,)),
    ],
)
