"""Sorting of several operands together."""

from __future__ import annotations

import numpy as np

from ..core.primitive import Primitive, Sample
from ._helpers import ANY, check_axes, check_kind, is_half
from .indexing import put_along_axis, take_along_axis
from .layout import batch_first
from .shape import iota_like


def _sort_abstract(*operands, axis, num_keys):
    if not 1 <= num_keys <= len(operands):
        raise ValueError(
            f"sort: num_keys must be in [1, {len(operands)}] for {len(operands)} operands, got {num_keys}"
        )
    first = operands[0]
    check_axes("sort", first.ndim, (axis,), "axis")
    for x in operands:
        check_kind("sort", x, ANY)
        if x.shape != first.shape:
            raise ValueError(
                f"sort: operands must have one shape, got {', '.join(str(x.shape) for x in operands)}"
            )
    return list(operands)


def _permutation(keys, axis):
    """Positions in the stable ascending order of the first key, ties in that of the next, NaN last."""
    order = None
    # NumPy's stable argsort puts NaN last; sorting by the least significant key first makes it lexicographic.
    for key in reversed([key.astype(np.float32) if is_half(key.dtype) else key for key in keys]):
        current = key if order is None else np.take_along_axis(key, order, axis)
        step = np.argsort(current, axis=axis, kind="stable")
        order = step if order is None else np.take_along_axis(order, step, axis)
    return order


def _sort_impl(*operands, axis, num_keys):
    order = _permutation(operands[:num_keys], axis)
    return [np.take_along_axis(x, order, axis) for x in operands]


def _traced_permutation(primals, axis, num_keys):
    keys = primals[:num_keys]
    return sort_p.bind(*keys, iota_like(primals[0], axis), axis=axis, num_keys=num_keys)[-1]


def _sort_jvp(primals, tangents, outs, *, axis, num_keys):
    order = _traced_permutation(primals, axis, num_keys)
    return [None if t is None else take_along_axis(t, order, axis) for t in tangents]


def _sort_vjp(cts, primals, outs, needed, *, axis, num_keys):
    order = _traced_permutation(primals, axis, num_keys)
    return [
        put_along_axis(order, ct, axis) if need and ct is not None else None
        for ct, need in zip(cts, needed, strict=True)
    ]


def _sort_batch(args, dims, size, *, axis, num_keys):
    operands = [batch_first(x, d, size) for x, d in zip(args, dims, strict=True)]
    return sort_p.bind(*operands, axis=axis + 1, num_keys=num_keys), [0] * len(operands)


sort_p = Primitive(
    "sort",
    abstract_eval=_sort_abstract,
    impl=_sort_impl,
    jvp=_sort_jvp,
    vjp=_sort_vjp,
    batch=_sort_batch,
    lower=lambda p, in_avals, out_avals: (p["axis"], p["num_keys"]),
    multiple_results=True,
    samples=[
        Sample((lambda: np.array([[2.5, -1.0, 0.5], [1.5, 3.0, -2.0]]),), {"axis": 1, "num_keys": 1}, (0,)),
        Sample(
            (lambda: np.array([2.0, 1.0, 3.0, 0.5]), lambda: np.array([0.25, 4.0, -1.0, 2.0])),
            {"axis": 0, "num_keys": 1},
            (0, 1),
        ),
        Sample(
            (
                lambda: np.array([1, 0, 1, 0], np.int32),
                lambda: np.array([2.0, 1.0, np.nan, -1.0]),
                lambda: np.arange(4, dtype=np.int32),
            ),
            {"axis": 0, "num_keys": 2},
        ),
    ],
)
