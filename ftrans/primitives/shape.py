"""Slices, padding, concatenation and iota; broadcasting, reshape and transpose are in `layout`."""

from __future__ import annotations

import numpy as np

from .._native import Array, bool_, float32, int32
from ..core.avals import shaped_array
from ..core.primitive import Primitive, Sample, zero_derivative
from ._helpers import (
    REAL,
    check_axes,
    check_kind,
    check_length,
    check_same_dtype,
    constant_like,
    numpy_dtype,
    shifted,
    with_shape,
)
from .elementwise import select
from .layout import batch_first, broadcast_in_dim_p, full, reduce_sum, zeros_like


def _matrix() -> np.ndarray:
    return np.array([[0.5, -1.25, 2.0, 1.0], [3.0, 0.75, -0.5, 4.0], [1.5, 2.5, -3.0, 0.25]])


# ---------------------------------------------------------------- slice


def _slice_abstract(operand, *, start, limit, strides):
    for parameter, values in (("start", start), ("limit", limit), ("strides", strides)):
        check_length("slice", parameter, values, operand.ndim)
    if any(not 0 <= a <= b <= n for a, b, n in zip(start, limit, operand.shape, strict=True)):
        raise ValueError(
            f"slice: expected 0 <= start <= limit <= extent on each axis, got start={start}, limit={limit} "
            f"for shape {operand.shape}"
        )
    if any(stride < 1 for stride in strides):
        raise ValueError(f"slice: strides must be positive, got {strides}; reverse with rev first")
    return with_shape(operand, tuple(-((a - b) // s) for a, b, s in zip(start, limit, strides, strict=True)))


def _slice_impl(operand, *, start, limit, strides):
    return operand[tuple(map(slice, start, limit, strides))].copy()


def _slice_vjp(ct, primals, out, needed, *, start, limit, strides):
    extents = primals[0].shape
    covered = [max(n - 1, 0) * s + (n > 0) for n, s in zip(ct.shape, strides, strict=True)]
    high = tuple(n - a - c for n, a, c in zip(extents, start, covered, strict=True))
    return [pad(ct, start, high, tuple(s - 1 for s in strides))]


def _slice_batch(args, dims, size, *, start, limit, strides):
    def insert(values, value):
        return (*values[: dims[0]], value, *values[dims[0] :])

    return (
        slice_p.bind(args[0], start=insert(start, 0), limit=insert(limit, size), strides=insert(strides, 1)),
        dims[0],
    )


slice_p = Primitive(
    "slice",
    abstract_eval=_slice_abstract,
    impl=_slice_impl,
    jvp=lambda primals, tangents, out, **p: slice_p.bind(tangents[0], **p),
    vjp=_slice_vjp,
    batch=_slice_batch,
    lower=lambda p, in_avals, out_avals: p["start"] + p["strides"],
    samples=[
        Sample((_matrix,), {"start": (1, 0), "limit": (3, 4), "strides": (1, 2)}, (0,)),
        Sample((_matrix,), {"start": (0, 1), "limit": (3, 3), "strides": (2, 3)}, (0,)),
        Sample((_matrix,), {"start": (2, 1), "limit": (2, 4), "strides": (1, 1)}, (0,)),
        Sample((lambda: np.arange(5, dtype=np.int32),), {"start": (1,), "limit": (4,), "strides": (1,)}),
    ],
)


def slice_axis(x: Array, axis: int, start: int, limit: int, stride: int = 1) -> Array:
    """``x[start:limit:stride]`` along one axis; `x` itself if that is all of it."""
    if (start, limit, stride) == (0, x.shape[axis], 1):
        return x
    starts, limits, strides = [0] * x.ndim, list(x.shape), [1] * x.ndim
    starts[axis], limits[axis], strides[axis] = start, limit, stride
    return slice_p.bind(x, start=tuple(starts), limit=tuple(limits), strides=tuple(strides))


# ---------------------------------------------------------------- rev


def _rev_abstract(operand, *, axes):
    check_axes("rev", operand.ndim, axes)
    return operand


rev_p = Primitive(
    "rev",
    abstract_eval=_rev_abstract,
    impl=lambda operand, *, axes: np.flip(operand, axes).copy(),
    jvp=lambda primals, tangents, out, **p: rev_p.bind(tangents[0], **p),
    vjp=lambda ct, primals, out, needed, **p: [rev_p.bind(ct, **p)],
    batch=lambda args, dims, size, *, axes: (rev_p.bind(args[0], axes=shifted(axes, dims[0])), dims[0]),
    lower=lambda p, in_avals, out_avals: p["axes"],
    samples=[Sample((_matrix,), {"axes": (0, 1)}, (0,)), Sample((_matrix,), {"axes": (1,)}, (0,))],
)

# ---------------------------------------------------------------- pad


def _pad_abstract(operand, value, *, low, high, interior):
    check_same_dtype("pad", operand, value)
    for parameter, values in (("low", low), ("high", high), ("interior", interior)):
        check_length("pad", parameter, values, operand.ndim)
    if value.shape:
        raise ValueError(f"pad: the padding value must be a scalar, got shape {value.shape}")
    if any(i < 0 for i in interior):
        raise ValueError(f"pad: interior must not be negative, got {interior}")
    shape = tuple(
        a + b + n + max(n - 1, 0) * i for n, a, b, i in zip(operand.shape, low, high, interior, strict=True)
    )
    if any(extent < 0 for extent in shape):
        raise ValueError(f"pad: low={low} and high={high} crop more than there is of shape {operand.shape}")
    return with_shape(operand, shape)


def _pad_impl(operand, value, *, low, high, interior):
    grown = [n + max(n - 1, 0) * i for n, i in zip(operand.shape, interior, strict=True)]
    framed = [max(a, 0) + n + max(b, 0) for n, a, b in zip(grown, low, high, strict=True)]
    out = np.full(framed, value, operand.dtype)
    out[
        tuple(slice(max(a, 0), max(a, 0) + n, i + 1) for n, a, i in zip(grown, low, interior, strict=True))
    ] = operand
    return out[
        tuple(slice(max(-a, 0), n - max(-b, 0)) for n, a, b in zip(framed, low, high, strict=True))
    ].copy()


def _padding_mask(shape, low, high, interior):
    """Where padding an array of `shape` leaves the padding value."""
    return pad_p.bind(full(shape, False, bool_), full((), True, bool_), low=low, high=high, interior=interior)


def _pad_jvp(primals, tangents, out, **p):
    operand, value = primals
    dx, dv = tangents
    return pad_p.bind(
        zeros_like(operand) if dx is None else dx, constant_like(value, 0) if dv is None else dv, **p
    )


def _pad_vjp(ct, primals, out, needed, *, low, high, interior):
    operand = primals[0]
    dx = dv = None
    if needed[0]:
        # What was cropped gets zeros; of what was padded, the operand's elements remain.
        uncropped = pad(ct, tuple(max(-a, 0) for a in low), tuple(max(-b, 0) for b in high), (0,) * len(low))
        start = tuple(max(a, 0) for a in low)
        limit = tuple(n - max(b, 0) for n, b in zip(uncropped.shape, high, strict=True))
        dx = slice_p.bind(uncropped, start=start, limit=limit, strides=tuple(i + 1 for i in interior))
    if needed[1]:
        mask = _padding_mask(operand.shape, low, high, interior)
        dv = reduce_sum(select(mask, ct, 0), tuple(range(ct.ndim)))
    return [dx, dv]


def _pad_batch(args, dims, size, *, low, high, interior):
    def batched(x, value):
        return pad_p.bind(x, value, low=(0, *low), high=(0, *high), interior=(0, *interior))

    operand = batch_first(args[0], dims[0], size)
    if dims[1] is None:
        return batched(operand, args[1]), 0
    out = batched(operand, constant_like(operand, 0))
    mask = _padding_mask(operand.shape[1:], low, high, interior)
    mask = broadcast_in_dim_p.bind(mask, shape=out.shape, dims=tuple(range(1, out.ndim)))
    return select(mask, broadcast_in_dim_p.bind(args[1], shape=out.shape, dims=(0,)), out), 0


pad_p = Primitive(
    "pad",
    abstract_eval=_pad_abstract,
    impl=_pad_impl,
    jvp=_pad_jvp,
    vjp=_pad_vjp,
    batch=_pad_batch,
    lower=lambda p, in_avals, out_avals: p["low"] + p["high"] + p["interior"],
    samples=[
        Sample(
            (_matrix, lambda: np.array(0.5)), {"low": (1, 0), "high": (0, 2), "interior": (0, 1)}, (0, 1)
        ),
        Sample(
            (_matrix, lambda: np.array(0.5)), {"low": (-1, 1), "high": (2, -2), "interior": (1, 0)}, (0, 1)
        ),
        Sample(
            (lambda: np.zeros(0), lambda: np.array(2.0)), {"low": (1,), "high": (1,), "interior": (1,)}, (1,)
        ),
    ],
)  # fmt: skip


def pad(x: Array, low: tuple[int, ...], high: tuple[int, ...], interior: tuple[int, ...]) -> Array:
    """`x` padded with zeros; `x` itself if there is nothing to do."""
    if not (any(low) or any(high) or any(interior)):
        return x
    return pad_p.bind(x, constant_like(x, 0), low=low, high=high, interior=interior)


# ---------------------------------------------------------------- concatenate


def _concatenate_abstract(*operands, axis):
    if not operands:
        raise TypeError("concatenate: expected at least one operand")
    check_same_dtype("concatenate", *operands)
    first = operands[0]
    check_axes("concatenate", first.ndim, (axis,), "axis")
    frame = first.shape[:axis] + first.shape[axis + 1 :]
    if any(x.ndim != first.ndim or x.shape[:axis] + x.shape[axis + 1 :] != frame for x in operands):
        got = ", ".join(str(x.shape) for x in operands)
        raise ValueError(f"concatenate: operands must have equal shapes except along axis {axis}, got {got}")
    extent = sum(x.shape[axis] for x in operands)
    weak = all(x.weak_type for x in operands)
    return shaped_array((*first.shape[:axis], extent, *first.shape[axis + 1 :]), first.dtype, weak)


def _concatenate_jvp(primals, tangents, out, *, axis):
    filled = [zeros_like(x) if t is None else t for x, t in zip(primals, tangents, strict=True)]
    return concatenate_p.bind(*filled, axis=axis)


def _concatenate_vjp(ct, primals, out, needed, *, axis):
    cotangents, start = [], 0
    for x, need in zip(primals, needed, strict=True):
        limit = start + x.shape[axis]
        cotangents.append(slice_axis(ct, axis, start, limit) if need else None)
        start = limit
    return cotangents


def _concatenate_batch(args, dims, size, *, axis):
    operands = [batch_first(x, d, size) for x, d in zip(args, dims, strict=True)]
    return concatenate_p.bind(*operands, axis=axis + 1), 0


concatenate_p = Primitive(
    "concatenate",
    abstract_eval=_concatenate_abstract,
    impl=lambda *operands, axis: np.concatenate(operands, axis),
    jvp=_concatenate_jvp,
    vjp=_concatenate_vjp,
    batch=_concatenate_batch,
    lower=lambda p, in_avals, out_avals: (p["axis"],),
    samples=[
        Sample((_matrix, lambda: -_matrix()[:, :1], lambda: _matrix()[:, 1:3]), {"axis": 1}, (0, 1, 2)),
        Sample((_matrix, lambda: _matrix()[:1]), {"axis": 0}, (0, 1)),
        Sample((lambda: np.arange(2, dtype=np.int32), lambda: np.zeros(0, np.int32)), {"axis": 0}),
    ],
)

# ---------------------------------------------------------------- iota


def _iota_abstract(*, shape, dtype, dimension):
    aval = shaped_array(shape, dtype)
    check_kind("iota", aval, REAL, "the result")
    check_axes("iota", len(shape), (dimension,), "dimension")
    return aval


def _iota_impl(*, shape, dtype, dimension):
    aligned = [1] * len(shape)
    aligned[dimension] = shape[dimension]
    counts = np.arange(shape[dimension]).astype(numpy_dtype(dtype)).reshape(aligned)
    return np.broadcast_to(counts, shape).copy()


def _iota_batch(args, dims, size, **p):
    return iota_p.bind(**p), None


iota_p = Primitive(
    "iota",
    abstract_eval=_iota_abstract,
    impl=_iota_impl,
    jvp=zero_derivative,
    vjp=zero_derivative,
    batch=_iota_batch,
    lower=lambda p, in_avals, out_avals: (p["dimension"],),
    samples=[
        Sample((), {"shape": (2, 3), "dtype": int32, "dimension": 1}),
        Sample((), {"shape": (4,), "dtype": float32, "dimension": 0}),
    ],
)


def iota_like(x: Array, axis: int) -> Array:
    """The int32 position along `axis` of each element of `x`."""
    return iota_p.bind(shape=x.shape, dtype=int32, dimension=axis)
