"""dot_general: the product of two arrays summed over contracted axes, for each of shared batch axes."""

from __future__ import annotations

import math

import numpy as np

from .._native import Array
from ..core.avals import shaped_array
from ..core.primitive import Primitive, Sample
from ._factories import add_p
from ._helpers import NUMERIC, accumulator, check_axes, check_kind, check_same_dtype, shifted, without
from .layout import move_axis, transpose


def _free_axes(x, contracting, batch):
    return without((*contracting, *batch), x.ndim)


def _dot_general_abstract(lhs, rhs, *, dimension_numbers):
    (lc, rc), (lb, rb) = dimension_numbers
    check_same_dtype("dot_general", lhs, rhs)
    check_kind("dot_general", lhs, NUMERIC, "operands")
    check_axes("dot_general", lhs.ndim, (*lc, *lb), "the contracting and batch axes of lhs")
    check_axes("dot_general", rhs.ndim, (*rc, *rb), "the contracting and batch axes of rhs")
    for kind, left, right in (("contracting", lc, rc), ("batch", lb, rb)):
        if [lhs.shape[axis] for axis in left] != [rhs.shape[axis] for axis in right]:
            raise ValueError(
                f"dot_general: {kind} axes {left} of lhs {lhs.shape} and {right} of rhs {rhs.shape} "
                "must have the same extents"
            )
    shape = [lhs.shape[axis] for axis in (*lb, *_free_axes(lhs, lc, lb))]
    shape += [rhs.shape[axis] for axis in _free_axes(rhs, rc, rb)]
    return shaped_array(tuple(shape), lhs.dtype, lhs.weak_type and rhs.weak_type)


def _dot_general_impl(lhs, rhs, *, dimension_numbers):
    (lc, rc), (lb, rb) = dimension_numbers
    left_free, right_free = _free_axes(lhs, lc, lb), _free_axes(rhs, rc, rb)
    batch = [lhs.shape[axis] for axis in lb]
    m, n = [lhs.shape[axis] for axis in left_free], [rhs.shape[axis] for axis in right_free]
    k = math.prod(lhs.shape[axis] for axis in lc)
    dtype = accumulator(lhs.dtype)
    left = lhs.transpose(*lb, *left_free, *lc).reshape(*batch, math.prod(m), k).astype(dtype)
    right = rhs.transpose(*rb, *rc, *right_free).reshape(*batch, k, math.prod(n)).astype(dtype)
    with np.errstate(all="ignore"):
        return (left @ right).reshape((*batch, *m, *n)).astype(lhs.dtype)


def _dot_general_jvp(primals, tangents, out, **p):
    (lhs, rhs), (dl, dr) = primals, tangents
    left = None if dl is None else dot_general_p.bind(dl, rhs, **p)
    right = None if dr is None else dot_general_p.bind(lhs, dr, **p)
    return (
        add_p.bind(left, right)
        if left is not None and right is not None
        else left
        if right is None
        else right
    )


def _cotangent_of_lhs(ct: Array, lhs: Array, rhs: Array, dimension_numbers, swapped: bool) -> Array:
    """The cotangent of one operand of a dot: that of the result contracted with the other one's free axes.

    `swapped` says that `lhs` is the second operand, so that its free axes are the last of the result.
    """
    (lc, rc), (lb, rb) = dimension_numbers
    left_free, right_free = _free_axes(lhs, lc, lb), _free_axes(rhs, rc, rb)
    nb = len(lb)
    if swapped:
        contracted = range(nb, nb + len(right_free))
    else:
        contracted = range(nb + len(left_free), ct.ndim)
    among_ct, among_rhs = (tuple(contracted), tuple(range(nb))), (right_free, tuple(rb))
    from_rhs = [lc[rc.index(axis)] for axis in sorted(rc)]
    # The product's axes are axes of lhs: batch, then free ones and contracted ones, of which those come last
    # that lhs has last. So that of a matrix product needs no transposition.
    if left_free and left_free[-1] == lhs.ndim - 1:
        order = (*lb, *from_rhs, *left_free)
        product = dot_general_p.bind(rhs, ct, dimension_numbers=tuple(zip(among_rhs, among_ct, strict=True)))
    else:
        order = (*lb, *left_free, *from_rhs)
        product = dot_general_p.bind(ct, rhs, dimension_numbers=tuple(zip(among_ct, among_rhs, strict=True)))
    return transpose(product, tuple(order.index(axis) for axis in range(lhs.ndim)))


def _dot_general_vjp(ct, primals, out, needed, *, dimension_numbers):
    lhs, rhs = primals
    (lc, rc), (lb, rb) = dimension_numbers
    return [
        _cotangent_of_lhs(ct, lhs, rhs, dimension_numbers, False) if needed[0] else None,
        _cotangent_of_lhs(ct, rhs, lhs, ((rc, lc), (rb, lb)), True) if needed[1] else None,
    ]


def _dot_general_batch(args, dims, size, *, dimension_numbers):
    (lhs, rhs), (ld, rd) = args, dims
    (lc, rc), (lb, rb) = dimension_numbers
    if ld is not None and rd is not None:
        lhs, rhs = move_axis(lhs, ld, 0), move_axis(rhs, rd, 0)
        numbers = ((shifted(lc), shifted(rc)), ((0, *shifted(lb)), (0, *shifted(rb))))
        return dot_general_p.bind(lhs, rhs, dimension_numbers=numbers), 0
    # A batch axis of one operand only is one more free axis of it.
    if ld is not None:
        lc, lb = shifted(lc, ld), shifted(lb, ld)
        out_dim = len(lb) + _free_axes(lhs, lc, lb).index(ld)
    else:
        rc, rb = shifted(rc, rd), shifted(rb, rd)
        out_dim = lhs.ndim - len(lc) + _free_axes(rhs, rc, rb).index(rd)
    return dot_general_p.bind(lhs, rhs, dimension_numbers=((lc, rc), (lb, rb))), out_dim


def _lower(p, in_avals, out_avals):
    (lc, rc), (lb, rb) = p["dimension_numbers"]
    return (len(lc), len(lb), *lc, *rc, *lb, *rb)


def _values(*shape: int) -> np.ndarray:
    return np.cos(np.arange(math.prod(shape)) * 1.7).reshape(shape)


dot_general_p = Primitive(
    "dot_general",
    abstract_eval=_dot_general_abstract,
    impl=_dot_general_impl,
    jvp=_dot_general_jvp,
    vjp=_dot_general_vjp,
    batch=_dot_general_batch,
    lower=_lower,
    samples=[
        Sample(
            (lambda: _values(2, 3), lambda: _values(3, 4)),
            {"dimension_numbers": (((1,), (0,)), ((), ()))},
            (0, 1),
        ),
        Sample(
            (lambda: _values(3), lambda: _values(3)), {"dimension_numbers": (((0,), (0,)), ((), ()))}, (0, 1)
        ),
        Sample((lambda: _values(2), lambda: _values(3)), {"dimension_numbers": (((), ()), ((), ()))}, (0, 1)),
        Sample(
            (lambda: _values(2, 3, 4), lambda: _values(4, 2, 2)),
            {"dimension_numbers": (((2,), (0,)), ((0,), (1,)))},
            (0, 1),
        ),
        Sample(
            (lambda: _values(4, 2, 3, 2), lambda: _values(2, 3, 4, 3)),
            {"dimension_numbers": (((2, 0), (1, 2)), ((1,), (0,)))},
            (0, 1),
        ),
        Sample(
            (lambda: _values(2, 2) * 1j, lambda: _values(2, 2) + 1j),
            {"dimension_numbers": (((1,), (1,)), ((), ()))},
            (0, 1),
        ),
        Sample(
            (lambda: np.arange(4, dtype=np.int32).reshape(2, 2), lambda: np.arange(2, dtype=np.int32)),
            {"dimension_numbers": (((1,), (0,)), ((), ()))},
        ),
    ],
)
