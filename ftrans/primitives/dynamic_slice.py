"""Slices at positions known when running: starts are clamped so that the slice is inside the operand."""

from __future__ import annotations

import numpy as np

from .._native import Array
from ..core.avals import shaped_array
from ..core.primitive import Primitive, Sample
from ._helpers import INTEGER, check_kind, check_length, check_same_dtype, constant_like, with_shape
from .indexing import CLIP, gather_batch, scatter_batch
from .layout import batch_first, zeros_like
from .shape import pad_p


def _check_start(name, operand, start):
    check_kind(name, start, INTEGER, "start_indices")
    if start.shape != (operand.ndim,):
        raise ValueError(
            f"{name}: start_indices must have shape ({operand.ndim},), one start an axis, got {start.shape}"
        )


def _window(operand, start, sizes):
    starts = [min(max(int(s), 0), n - size) for s, n, size in zip(start, operand.shape, sizes, strict=True)]
    return tuple(slice(s, s + size) for s, size in zip(starts, sizes, strict=True))


def _whole_batch(start: Array) -> Array:
    """`start` for an operand with an unsliced batch dimension in front."""
    return pad_p.bind(start, constant_like(start, 0), low=(1,), high=(0,), interior=(0,))


# ---------------------------------------------------------------- dynamic_slice


def _dynamic_slice_abstract(operand, start, *, slice_sizes):
    _check_start("dynamic_slice", operand, start)
    check_length("dynamic_slice", "slice_sizes", slice_sizes, operand.ndim)
    if any(not 0 <= size <= n for size, n in zip(slice_sizes, operand.shape, strict=True)):
        raise ValueError(
            f"dynamic_slice: slice_sizes {slice_sizes} must be within the operand's shape {operand.shape}"
        )
    return with_shape(operand, slice_sizes)


def _dynamic_slice_vjp(ct, primals, out, needed, *, slice_sizes):
    operand, start = primals
    return [dynamic_update_slice_p.bind(zeros_like(operand), ct, start), None]


def _dynamic_slice_batch(args, dims, size, *, slice_sizes):
    operand, start = args
    if dims[1] is None:
        operand = batch_first(operand, dims[0], size)
        return dynamic_slice_p.bind(operand, _whole_batch(start), slice_sizes=(size, *slice_sizes)), 0
    # A slice is a gather of one window.
    axes = tuple(range(len(slice_sizes)))
    parameters = {
        "offset_dims": axes, "collapsed_slice_dims": (), "start_index_map": axes, "operand_batching_dims": (),
        "indices_batching_dims": (), "slice_sizes": slice_sizes, "mode": CLIP,
    }  # fmt: skip
    return gather_batch(args, dims, size, **parameters)


def _matrix() -> np.ndarray:
    return np.cos(np.arange(12.0) * 1.7).reshape(3, 4)


def _start(*values: int):
    return lambda: np.array(values, np.int32)


dynamic_slice_p = Primitive(
    "dynamic_slice",
    abstract_eval=_dynamic_slice_abstract,
    impl=lambda operand, start, *, slice_sizes: operand[_window(operand, start, slice_sizes)].copy(),
    jvp=lambda primals, tangents, out, **p: dynamic_slice_p.bind(tangents[0], primals[1], **p),
    vjp=_dynamic_slice_vjp,
    batch=_dynamic_slice_batch,
    lower=lambda p, in_avals, out_avals: p["slice_sizes"],
    samples=[
        Sample((_matrix, _start(1, 1)), {"slice_sizes": (2, 2)}, (0,)),
        Sample((_matrix, _start(-3, 9)), {"slice_sizes": (1, 3)}, (0,)),
    ],
)

# ---------------------------------------------------------------- dynamic_update_slice


def _dynamic_update_slice_abstract(operand, update, start):
    _check_start("dynamic_update_slice", operand, start)
    check_same_dtype("dynamic_update_slice", operand, update)
    check_length("dynamic_update_slice", "the shape of update", update.shape, operand.ndim)
    if any(size > n for size, n in zip(update.shape, operand.shape, strict=True)):
        raise ValueError(
            f"dynamic_update_slice: update of shape {update.shape} does not fit into {operand.shape}"
        )
    return shaped_array(operand.shape, operand.dtype, operand.weak_type and update.weak_type)


def _dynamic_update_slice_impl(operand, update, start):
    out = operand.copy()
    out[_window(operand, start, update.shape)] = update
    return out


def _dynamic_update_slice_jvp(primals, tangents, out):
    operand, update, start = primals
    dx = zeros_like(operand) if tangents[0] is None else tangents[0]
    du = zeros_like(update) if tangents[1] is None else tangents[1]
    return dynamic_update_slice_p.bind(dx, du, start)


def _dynamic_update_slice_vjp(ct, primals, out, needed):
    _, update, start = primals
    dx = dynamic_update_slice_p.bind(ct, zeros_like(update), start) if needed[0] else None
    du = dynamic_slice_p.bind(ct, start, slice_sizes=update.shape) if needed[1] else None
    return [dx, du, None]


def _dynamic_update_slice_batch(args, dims, size):
    operand, update, start = args
    if dims[2] is None:
        operand, update = batch_first(operand, dims[0], size), batch_first(update, dims[1], size)
        return dynamic_update_slice_p.bind(operand, update, _whole_batch(start)), 0
    axes = tuple(range(operand.ndim - (dims[0] is not None)))
    parameters = {
        "update_window_dims": axes, "inserted_window_dims": (), "scatter_dims_to_operand_dims": axes,
        "operand_batching_dims": (), "indices_batching_dims": (), "kind": "set", "mode": CLIP,
        "unique_indices": True,
    }  # fmt: skip
    return scatter_batch((operand, start, update), (dims[0], dims[2], dims[1]), size, **parameters)


dynamic_update_slice_p = Primitive(
    "dynamic_update_slice",
    abstract_eval=_dynamic_update_slice_abstract,
    impl=_dynamic_update_slice_impl,
    jvp=_dynamic_update_slice_jvp,
    vjp=_dynamic_update_slice_vjp,
    batch=_dynamic_update_slice_batch,
    samples=[
        Sample((_matrix, lambda: -_matrix()[:2, :2], _start(1, 1)), {}, (0, 1)),
        Sample((_matrix, lambda: -_matrix()[:1, :3], _start(9, -9)), {}, (0, 1)),
    ],
)
