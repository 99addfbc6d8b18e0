"""separate: equal eigenvalues or singular values moved apart, so that derivatives can be taken there.

A function f(a) = V·g(λ)·Vᴴ that does not depend on the choice of V has derivatives at equal eigenvalues, but
they do not follow from those of λ and V: between vectors i and j they are [g(λj) - g(λi)]/(λj - λi), that is
0/0, where g′ is meant. So the derivative is taken of the matrix with the same vectors whose equal eigenvalues
have been moved apart, by the part δ of the largest. Its relative error is of order δ by what has moved, and
ε/δ by the rounding of the quotient (ε is the machine epsilon), ε/δᵏ for derivatives of order k. They balance
at δ = ε^(1/(k + 1)): a first derivative has half the digits of the dtype, a second one a third.

Small eigenvalues have fewer digits, of which functions such as a logarithm make use: they are moved by half
of those that there are, and never change their sign. Large groups get smaller steps, as most of their members
are several apart.
"""

from __future__ import annotations

import numpy as np

from ..core.primitive import Primitive, Sample
from ._helpers import FLOATING, check_kind
from .layout import batch_first

#: How many machine epsilons (of the largest value, for each value) a decomposition may miss a value by.
_ULPS = 4


def _separate_abstract(values, *, root, singular):
    check_kind("separate", values, FLOATING)
    if values.dtype.itemsize < 4:
        raise TypeError(f"separate: operand has dtype {values.dtype}, expected float32 or float64")
    if values.ndim == 0:
        raise ValueError("separate: the operand must have at least 1 dimension, got shape ()")
    if root < 1:
        raise ValueError(f"separate: root must be positive, got {root}")
    return values


def _separate_row(values: np.ndarray, root: int, singular: bool) -> np.ndarray:
    n, epsilon = len(values), float(np.finfo(values.dtype).eps)
    values, result = values.astype(np.float64), values.copy()
    largest = np.abs(values).max()
    negligible, scale = _ULPS * n * epsilon * largest, largest or 1.0
    begin = 0
    for end in [*(np.flatnonzero(~(np.abs(np.diff(values)) <= negligible)) + 1), n]:
        group, size = slice(begin, end), end - begin
        mean = values[group].mean()
        at_zero = abs(mean) <= negligible
        if size > 1 or (singular and at_zero):
            magnitude = scale if at_zero else abs(mean)
            step = (epsilon * scale / (magnitude * size)) ** (1 / root) * magnitude
            neighbours = values[[i for i in (begin - 1, end) if 0 <= i < n]]
            room = np.abs(neighbours - mean).min(initial=np.inf)
            step = min(max(step, 2 * negligible), room / (2 * size), np.inf if at_zero else magnitude / size)
            first = (1 - size) / 2
            if at_zero:
                first = -size if singular else 0 if begin == 0 else 1 - size if end == n else first
            result[group] = mean + (first + np.arange(size)) * (-step if singular else step)
        begin = end
    return result


def _separate_impl(values, *, root, singular):
    if not values.size:
        return values
    rows = [_separate_row(row, root, singular) for row in values.reshape(-1, values.shape[-1])]
    return np.stack(rows).reshape(values.shape)


def _separate_batch(args, dims, size, **p):
    return separate_p.bind(batch_first(args[0], dims[0], size), **p), 0


#: Ascending eigenvalues, or descending singular values (which move away from zero as well), with groups of
#: equal ones moved apart by the root-th root of the machine epsilon, around their mean, but less than
#: half-way to the next group and to zero. Of zeros at an end of the spectrum, one stays. Differentiated as
#: the identity.
separate_p = Primitive(
    "separate",
    abstract_eval=_separate_abstract,
    impl=_separate_impl,
    jvp=lambda primals, tangents, out, **p: tangents[0],
    vjp=lambda ct, primals, out, needed, **p: [ct],
    batch=_separate_batch,
    lower=lambda p, in_avals, out_avals: (p["root"], int(p["singular"])),
    samples=[
        Sample((np.array([-1.0, 0.5, 2.0]),), {"root": 2, "singular": False}, (0,)),
        Sample((np.array([[4.0, 2.0, 1.0], [3.0, 1.5, 0.5]]),), {"root": 3, "singular": True}, (0,)),
        Sample((np.array([-1.0, -1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 5.0]),), {"root": 2, "singular": False}),
        Sample((np.array([2.0, 1.0, 1.0, 0.0, 0.0]),), {"root": 3, "singular": True}),
        Sample((np.zeros((2, 3)),), {"root": 2, "singular": True}),
        Sample((np.zeros((2, 0)),), {"root": 2, "singular": False}),
    ],
)
