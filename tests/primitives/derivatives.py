"""Derivatives of a composed function against finite differences of itself, to second order, in both modes."""

from collections.abc import Callable

import numpy as np

import ftrans as ft
from tests.harness.numerics import (
    DIFFERENCE_TOLERANCE,
    assert_near,
    directional_difference,
    inner,
    inner_scale,
)
from tests.primitives.numpy_bridge import array

# Forward and reverse mode compute the same sums of products in another order, and solve the same systems.
DUALITY_TOLERANCE = 1e-10
# At equal eigenvalues a first derivative has half of the digits of float64, and a second one a third of them
# (primitives/separation.py says why): 1.5e-8 and 6e-6, with room for the norms of the samples.
HALF_OF_THE_DIGITS, THIRD_OF_THE_DIGITS = 1e-6, 3e-4


def direction(random: np.random.Generator, like: np.ndarray) -> np.ndarray:
    """Normal numbers of that shape and dtype."""
    values = random.standard_normal(like.shape)
    return values + 1j * random.standard_normal(like.shape) if np.iscomplexobj(like) else values


def check_first_order(
    f: Callable,
    *point: np.ndarray,
    tolerance: float = DIFFERENCE_TOLERANCE,
    duality_tolerance: float = DUALITY_TOLERANCE,
) -> None:
    """Forward mode against differences, reverse mode against forward mode, in random directions."""
    random = np.random.default_rng(0)
    arrays, tangents = [array(x, x.dtype) for x in point], [direction(random, x) for x in point]

    def values(*operands):
        return [np.asarray(f(*[array(x, x.dtype) for x in operands]))]

    (expected,) = directional_difference(values, point, tangents)
    out, forward = ft.jvp(f, tuple(arrays), tuple(array(t, t.dtype) for t in tangents))
    assert_near(forward, expected, tolerance, "jvp")
    cotangent = direction(random, np.asarray(out))
    reverse = ft.vjp(f, *arrays)[1](array(cotangent, cotangent.dtype))
    left, right = inner([cotangent], [forward]), inner(reverse, tangents)
    assert abs(left - right) <= duality_tolerance * inner_scale(reverse, tangents), "vjp"


def _derivatives(f: Callable, *point: np.ndarray) -> list[Callable]:
    """The pullback of `f` for a random cotangent, and its pushforward for random tangents."""
    random = np.random.default_rng(1)
    out = np.asarray(f(*[array(x, x.dtype) for x in point]))
    cotangent = direction(random, out)
    tangents = tuple(array(t, t.dtype) for t in (direction(random, x) for x in point))

    def pullback(*x):
        return ft.vjp(f, *x)[1](array(cotangent, cotangent.dtype))[0]

    return [pullback, lambda *x: ft.jvp(f, x, tangents)[1]]


def check_derivatives(f: Callable, *point: np.ndarray, tolerance: float = DIFFERENCE_TOLERANCE) -> None:
    """`check_first_order` of `f`, of its pullback and of its pushforward."""
    for function in (f, *_derivatives(f, *point)):
        check_first_order(function, *point, tolerance=tolerance)


def check_degenerate(f: Callable, *point: np.ndarray) -> None:
    """`check_derivatives` of an `f` that goes through vectors of equal eigenvalues or singular values."""
    check_first_order(f, *point, tolerance=HALF_OF_THE_DIGITS, duality_tolerance=HALF_OF_THE_DIGITS)
    for derivative in _derivatives(f, *point):
        check_first_order(
            derivative, *point, tolerance=THIRD_OF_THE_DIGITS, duality_tolerance=THIRD_OF_THE_DIGITS
        )
