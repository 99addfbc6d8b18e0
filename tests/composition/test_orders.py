"""Every order of up to three transformations on every function, against the oracle.

Each transformation is wrapped so that it maps a function of a vector of four to another one: the wrappers
nest in any order, and what they add (a tangent, a cotangent, a mapped scale) depends on the outer point
wherever it can, so that closures over tracers are part of every order.
"""

import functools
import itertools

import numpy as np
import pytest

from tests.composition.functions import FUNCTIONS, POINT
from tests.composition.libraries import double_precision, ftrans, oracle, relative_tolerance

TANGENT = (1.0, -0.5, 0.25, 2.0)
SCALES = (0.5, 1.0, 1.5)


def _grad(library, f):
    return library.grad(lambda x: library.xp.sum(f(x)))


def _jvp(library, f):
    def transformed(x):
        value, tangent = library.jvp(f, (x,), (library.array(TANGENT),))
        return value + 0.5 * tangent

    return transformed


def _vjp(library, f):
    def transformed(x):
        value, pullback = library.vjp(f, x)
        (cotangent,) = pullback(1.0 + 0.25 * value)
        return cotangent

    return transformed


def _vmap(library, f):
    def transformed(x):
        return library.xp.sum(library.vmap(lambda scale: f(x * scale))(library.array(SCALES)), axis=0)

    return transformed


def _jit(library, f):
    return library.jit(f)


WRAPPERS = {"grad": _grad, "jvp": _jvp, "vjp": _vjp, "vmap": _vmap, "jit": _jit}
ORDERS = [order for length in (1, 2, 3) for order in itertools.product(WRAPPERS, repeat=length)]


def compose(library, function, order):
    """`order` is written from the outside in: ("grad", "vmap") is grad(vmap(f))."""

    def composed(x):
        return function(library.xp, x)

    for name in reversed(order):
        composed = WRAPPERS[name](library, composed)
    return composed


def _without_jit(order):
    return tuple(name for name in order if name != "jit")


@functools.cache
def expected(function):
    """The oracle's value of every order; orders that differ only in `jit` are one."""
    orders = sorted(set(map(_without_jit, ORDERS)))
    with double_precision():
        values = oracle.evaluate(
            lambda x: [compose(oracle, function, order)(x) for order in orders], oracle.array(POINT)
        )
        return dict(zip(orders, map(np.asarray, values), strict=True))


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_order_matches_oracle(function, order):
    result = np.asarray(compose(ftrans, function, order)(ftrans.array(POINT)))
    reference = expected(function)[_without_jit(order)]
    assert result.dtype == np.float64
    assert result.shape == reference.shape
    scale = np.max(np.abs(reference), initial=1.0)
    np.testing.assert_allclose(result, reference, rtol=relative_tolerance, atol=relative_tolerance * scale)
