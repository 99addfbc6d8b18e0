"""Reductions over axes, argmax and argmin; but reduce_sum is in `layout`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .._native import int32
from ..core.avals import shaped_array
from ..core.primitive import Primitive, Sample, zero_derivative
from ._factories import scale
from ._helpers import (
    INTEGER_OR_BOOL,
    NUMERIC,
    REAL_OR_BOOL,
    accumulator,
    check_axes,
    check_kind,
    reference,
    shifted,
    size_of,
    without,
)
from .conversion import convert
from .elementwise import div, eq, mul, select
from .layout import expand, reduce_sum, reduction_abstract, reduction_batch, reshape, transpose
from .scan_ops import cumprod_p, shift


def _reduction(
    name: str, abstract_eval: Callable, impl: Callable, jvp: Callable, vjp: Callable, samples
) -> Primitive:
    primitive = Primitive(
        name,
        abstract_eval=abstract_eval,
        impl=reference(impl),
        jvp=jvp,
        vjp=vjp,
        batch=lambda args, dims, size, *, axes: reduction_batch(
            args, dims, size, primitive=primitive, axes=axes
        ),
        lower=lambda p, in_avals, out_avals: p["axes"],
        samples=samples,
    )
    return primitive


def _samples(values: list, integers: list) -> list[Sample]:
    def operand(numbers: list, dtype: type) -> Callable[[], np.ndarray]:
        return lambda: np.array(numbers, dtype)

    floats = [
        Sample((operand(values, float),), {"axes": axes}, (0,)) for axes in ((0,), (0, 1), ()) if values
    ]
    return floats + [Sample((operand(integers, t),), {"axes": (1,)}) for t in (np.int32, np.bool_)]


# ---------------------------------------------------------------- product


def other_factors(x, axes):
    """For each element, the product of those before it and those after it in its reduction: no division."""
    kept = without(axes, x.ndim)
    order = (*kept, *axes)
    moved = transpose(x, order)
    rows = reshape(moved, (*moved.shape[: len(kept)], size_of(moved.shape[len(kept) :])))
    axis = len(kept)
    before = shift(cumprod_p.bind(rows, axis=axis, reverse=False), axis, 1, 1, False)
    after = shift(cumprod_p.bind(rows, axis=axis, reverse=True), axis, 1, 1, True)
    others = reshape(mul(before, after), moved.shape)
    return transpose(others, tuple(order.index(a) for a in range(x.ndim)))


def _reduce_prod_jvp(primals, tangents, out, *, axes):
    return reduce_sum(scale(tangents[0], other_factors(primals[0], axes)), axes)


def _reduce_prod_vjp(ct, primals, out, needed, *, axes):
    x = primals[0]
    return [scale(expand(ct, x.shape, axes), other_factors(x, axes))]


reduce_prod_p = _reduction(
    "reduce_prod",
    reduction_abstract("reduce_prod", NUMERIC),
    lambda operand, *, axes: np.prod(operand, axis=axes, dtype=accumulator(operand.dtype)).astype(
        operand.dtype
    ),
    _reduce_prod_jvp,
    _reduce_prod_vjp,
    _samples([[0.5, -1.25, 0.0], [3.0, 0.0, -0.5]], [[2, -3, 4], [0, 1, 2]])[:-1],
)

# ---------------------------------------------------------------- maximum and minimum


def _extremum_abstract(name: str) -> Callable:
    shape_rule = reduction_abstract(name, REAL_OR_BOOL)

    def abstract_eval(operand, *, axes):
        out = shape_rule(operand, axes=axes)
        if operand.size == 0 and out.size > 0:
            raise ValueError(
                f"{name}: axes {axes} of shape {operand.shape} are empty, which have no extremum"
            )
        return out

    return abstract_eval


def _ties(x, out, axes):
    """Which elements are the extremum, and how many in each reduction: they share the derivative equally."""
    hit = eq(x, expand(out, x.shape, axes))
    return hit, reduce_sum(convert(hit, x.dtype), axes)


def _extremum_jvp(primals, tangents, out, *, axes):
    hit, count = _ties(primals[0], out, axes)
    return div(reduce_sum(select(hit, tangents[0], 0), axes), count)


def _extremum_vjp(ct, primals, out, needed, *, axes):
    x = primals[0]
    hit, count = _ties(x, out, axes)
    return [select(hit, expand(div(ct, count), x.shape, axes), 0)]


_EXTREMUM_SAMPLES = _samples([[0.5, -1.25, 2.0], [3.0, 0.75, -0.5]], [[2, -3, 4], [0, 1, 0]])

reduce_max_p = _reduction(
    "reduce_max", _extremum_abstract("reduce_max"), lambda operand, *, axes: np.max(operand, axis=axes),
    _extremum_jvp, _extremum_vjp, _EXTREMUM_SAMPLES,
)  # fmt: skip
reduce_min_p = _reduction(
    "reduce_min", _extremum_abstract("reduce_min"), lambda operand, *, axes: np.min(operand, axis=axes),
    _extremum_jvp, _extremum_vjp, _EXTREMUM_SAMPLES,
)  # fmt: skip

# ---------------------------------------------------------------- or, and: logical for bool, else bitwise

_BIT_SAMPLES = _samples([], [[6, 3, 0], [5, 1, 7]])

reduce_or_p = _reduction(
    "reduce_or", reduction_abstract("reduce_or", INTEGER_OR_BOOL),
    lambda operand, *, axes: np.bitwise_or.reduce(operand, axis=axes),
    zero_derivative, zero_derivative, _BIT_SAMPLES,
)  # fmt: skip
reduce_and_p = _reduction(
    "reduce_and", reduction_abstract("reduce_and", INTEGER_OR_BOOL),
    lambda operand, *, axes: np.bitwise_and.reduce(operand, axis=axes),
    zero_derivative, zero_derivative, _BIT_SAMPLES,
)  # fmt: skip

# ---------------------------------------------------------------- argmax, argmin: the first, or the first NaN


def _arg_extremum(name: str, function: Callable) -> Primitive:
    def abstract_eval(operand, *, axis):
        check_kind(name, operand, REAL_OR_BOOL)
        check_axes(name, operand.ndim, (axis,), "axis")
        shape = tuple(operand.shape[a] for a in without((axis,), operand.ndim))
        if operand.shape[axis] == 0 and size_of(shape) > 0:
            raise ValueError(f"{name}: axis {axis} of shape {operand.shape} is empty")
        return shaped_array(shape, int32)

    def impl(operand, *, axis):
        if operand.size == 0:
            return np.zeros(operand.shape[:axis] + operand.shape[axis + 1 :], np.int32)
        return function(operand, axis=axis).astype(np.int32)

    def batch(args, dims, size, *, axis):
        d = dims[0]
        return primitive.bind(args[0], axis=shifted((axis,), d)[0]), d - (axis < d)

    primitive = Primitive(
        name,
        abstract_eval=abstract_eval,
        impl=reference(impl),
        jvp=zero_derivative,
        vjp=zero_derivative,
        batch=batch,
        lower=lambda p, in_avals, out_avals: (p["axis"],),
        samples=[
            Sample((lambda: np.array([[0.5, 2.0, 2.0], [np.nan, 0.0, 1.0]]),), {"axis": 1}),
            Sample((lambda: np.array([[3, 2, 1], [3, 0, 5]], np.int32),), {"axis": 0}),
        ],
    )
    return primitive


argmax_p = _arg_extremum("argmax", np.argmax)
argmin_p = _arg_extremum("argmin", np.argmin)
