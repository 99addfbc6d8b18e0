"""Every transformation and control-flow construct inside of every other one, to depth three."""

import itertools

import numpy as np
import pytest

import ftrans as ft
from tests.composition.constructs import DIFFERENCES, LAYERS, POINT

PAIRS = list(itertools.product(LAYERS, repeat=2))

#: Layers of the second derivative, as layers of first ones.
FIRST_ORDER = {"hvp": ("jvp", "grad"), "hessian": ("jvp", "grad")}


def _function(xp):
    return lambda x: xp.sin(x) * xp.exp(-0.5 * x) + 0.1 * xp.sum(x * x)


def composed(order, xp):
    """The layers around the function, with a library; in plain Python for NumPy."""
    function = _function(xp)
    for name in reversed(order):
        layer, plain = LAYERS[name]
        function = plain(function) if xp is np else layer(xp, function)
    return function


def _expected(order):
    """What a composition gives, and to what relative tolerance."""
    differences = sum(DIFFERENCES.get(name, 0) for name in order)
    if differences <= 3:
        # A difference of order six with step h = 2e-3 errs by h⁶ f⁽⁷⁾ / 140, some 1e-18 times a derivative of
        # a million at most, and by rounding, 1e-16 / h = 1e-13, which grows by 1 / h with each one around it.
        return composed(order, np)(POINT), [1e-13, 1e-10, 1e-7, 1e-4][differences]
    # There is nothing left of more differences than that. The derivatives of first order can stand in for
    # those of second order: they have been compared with differences by themselves.
    simpler = [name for each in order for name in FIRST_ORDER.get(each, (each,))]
    return np.asarray(composed(simpler, ft)(ft.array(POINT))), 1e-11


def check(order):
    expected, tolerance = _expected(order)
    found = np.asarray(composed(order, ft)(ft.array(POINT)))
    scale = max(1.0, np.max(np.abs(expected)))
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * scale, err_msg="-".join(order))


@pytest.mark.parametrize("order", PAIRS, ids="-".join)
def test_one_inside_of_another_one_around_a_third(order):
    """The pair by itself, and around a third of the layers, so that every pair is at either depth."""
    check(order)
    names = list(LAYERS)
    shift = sum(map(names.index, order))
    for inner in names[-shift % 3 :: 3]:
        check((*order, inner))
