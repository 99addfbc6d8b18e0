"""Cumulative sum, product, maximum and minimum along an axis."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .._native import Array
from ..core.primitive import Primitive, Sample
from ._factories import add_p
from ._helpers import NUMERIC, REAL_OR_BOOL, accumulator, check_axes, check_kind, constant_like, reference
from .conversion import convert
from .elementwise import gt_p, lt_p, mul, not_p
from .shape import pad_p


def shift(x: Array, axis: int, by: int, fill: float, reverse: bool) -> Array:
    """`x` moved by `by` towards the end of `axis` (the start if `reverse`), leaving `fill`."""
    low, high = [0] * x.ndim, [0] * x.ndim
    low[axis], high[axis] = (-by, by) if reverse else (by, -by)
    return pad_p.bind(x, constant_like(x, fill), low=tuple(low), high=tuple(high), interior=(0,) * x.ndim)


def _linear_recurrence(a: Array, b: Array, axis: int, reverse: bool) -> Array:
    """The y with y[k] = a[k]·y[k−1] + b[k] along `axis`, in ⌈log₂ n⌉ vectorised steps.

    The derivatives of cumulative products and extrema are such: without division, so exact at zeros.
    """
    by = 1
    while by < b.shape[axis]:
        b = add_p.bind(b, mul(a, shift(b, axis, by, 0, reverse)))
        if 2 * by < b.shape[axis]:
            a = mul(a, shift(a, axis, by, 0, reverse))
        by *= 2
    return b


def _abstract(name: str, kinds: str) -> Callable:
    def abstract_eval(operand, *, axis, reverse):
        check_kind(name, operand, kinds)
        check_axes(name, operand.ndim, (axis,), "axis")
        return operand

    return abstract_eval


def _impl(ufunc: np.ufunc) -> Callable:
    @reference
    def impl(operand, *, axis, reverse):
        operand = np.flip(operand, axis) if reverse else operand
        accumulated = ufunc.accumulate(operand, axis=axis, dtype=accumulator(operand.dtype)).astype(
            operand.dtype
        )
        return np.flip(accumulated, axis).copy() if reverse else accumulated

    return impl


def _cumulative(
    name: str, ufunc: np.ufunc, kinds: str, jvp: Callable, vjp: Callable, values: np.ndarray
) -> Primitive:
    def batch(args, dims, size, *, axis, reverse):
        return primitive.bind(args[0], axis=axis + (axis >= dims[0]), reverse=reverse), dims[0]

    def operand(dtype: type) -> Callable[[], np.ndarray]:
        return lambda: values.astype(dtype)

    primitive = Primitive(
        name,
        abstract_eval=_abstract(name, kinds),
        impl=_impl(ufunc),
        jvp=jvp,
        vjp=vjp,
        batch=batch,
        lower=lambda p, in_avals, out_avals: (p["axis"], int(p["reverse"])),
        samples=[
            Sample((operand(np.float64),), {"axis": 1, "reverse": False}, (0,)),
            Sample((operand(np.float64),), {"axis": 0, "reverse": True}, (0,)),
            Sample((operand(np.int32),), {"axis": 1, "reverse": False}),
        ],
    )
    return primitive


_VALUES = np.array([[0.5, -1.25, 2.0, 1.75, -0.5], [1.5, 0.75, -2.0, 3.0, 2.5]])
_WITH_ZEROS = np.array([[0.5, 0.0, 2.0, 1.75, -0.5], [1.5, 0.0, -2.0, 0.0, 2.5]])

cumsum_p = _cumulative(
    "cumsum",
    np.add,
    NUMERIC,
    jvp=lambda primals, tangents, out, **p: cumsum_p.bind(tangents[0], **p),
    vjp=lambda ct, primals, out, needed, *, axis, reverse: [
        cumsum_p.bind(ct, axis=axis, reverse=not reverse)
    ],
    values=_VALUES,
)


def _cumprod_jvp(primals, tangents, out, *, axis, reverse):
    before = shift(out, axis, 1, 1, reverse)
    return _linear_recurrence(primals[0], mul(before, tangents[0]), axis, reverse)


def _cumprod_vjp(ct, primals, out, needed, *, axis, reverse):
    before = shift(out, axis, 1, 1, reverse)
    following = shift(primals[0], axis, 1, 0, not reverse)
    return [mul(before, _linear_recurrence(following, ct, axis, not reverse))]


cumprod_p = _cumulative("cumprod", np.multiply, NUMERIC, _cumprod_jvp, _cumprod_vjp, _WITH_ZEROS)

# The derivative of a running extremum is that of its latest occurrence in scan order. `updates` is 1 where
# the operand doesn't lose against the extremum, and so replaces it; in between, it is carried on.


def _extremum_jvp(loses: Callable[[Array, Array], Array]) -> Callable:
    def jvp(primals, tangents, out, *, axis, reverse):
        lost = loses(primals[0], out)
        carried, updates = convert(lost, out.dtype), convert(not_p.bind(lost), out.dtype)
        return _linear_recurrence(carried, mul(updates, tangents[0]), axis, reverse)

    return jvp


def _extremum_vjp(loses: Callable[[Array, Array], Array]) -> Callable:
    def vjp(ct, primals, out, needed, *, axis, reverse):
        lost = loses(primals[0], out)
        carried, updates = convert(lost, out.dtype), convert(not_p.bind(lost), out.dtype)
        following = shift(carried, axis, 1, 0, not reverse)
        return [mul(updates, _linear_recurrence(following, ct, axis, not reverse))]

    return vjp


cummax_p = _cumulative(
    "cummax", np.maximum, REAL_OR_BOOL, _extremum_jvp(lt_p.bind), _extremum_vjp(lt_p.bind), _VALUES
)
cummin_p = _cumulative(
    "cummin", np.minimum, REAL_OR_BOOL, _extremum_jvp(gt_p.bind), _extremum_vjp(gt_p.bind), _VALUES
)
