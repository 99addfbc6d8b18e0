"""The same compositions in JAX, in float64: every pair, and a triple now and then."""

import itertools

import numpy as np
import pytest

import ftrans as ft
from tests.composition.constructs import LAYERS, POINT
from tests.composition.test_constructs import composed

jax = pytest.importorskip("jax", reason="these are comparisons with JAX")
from tests.composition.jax_library import library  # noqa: E402  (imports JAX)

TRIPLES = list(itertools.product(LAYERS, repeat=3))[::397]  # a prime: each layer comes in each place


def agrees_with_jax(order):
    """Whether JAX has the composition, which then has the same value.

    It lacks some, and says so with errors of many types: `fixed_point`, reverse mode of `while_loop`, forward
    mode of `custom_vjp`, derivatives of `custom_vmap`, `jet` of most constructs.
    """
    try:
        expected = np.asarray(composed(order, library)(jax.numpy.asarray(POINT)))
    except Exception:
        return False
    found = np.asarray(composed(order, ft)(ft.array(POINT)))
    scale = max(1.0, np.max(np.abs(expected)))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11 * scale, err_msg="-".join(order))
    return True


@pytest.fixture(autouse=True)
def in_float64():
    # Without `jit` nothing is compiled as a whole, which takes JAX most of the time.
    with jax.enable_x64(True), jax.disable_jit():
        yield


@pytest.mark.parametrize("outer", [name for name in LAYERS if name != "fixed_point"])
def test_pairs(outer):
    compared = sum(agrees_with_jax((outer, inner)) for inner in LAYERS)
    assert compared >= (15 if outer == "jet" else 24)


def test_triples():
    assert sum(map(agrees_with_jax, TRIPLES)) >= len(TRIPLES) / 2
