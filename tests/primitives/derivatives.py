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


def direction(random: np.random.Generator, like: np.ndarray) -> np.ndarray:
    """Normal numbers of that shape and dtype."""
    values = random.standard_normal(like.shape)
    return values + 1j * random.standard_normal(like.shape) if np.iscomplexobj(like) else values


def check_first_order(f: Callable, *point: np.ndarray, tolerance: float = DIFFERENCE_TOLERANCE) -> None:
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
    assert abs(left - right) <= 1e-10 * inner_scale(reverse, tangents), "vjp"


def check_derivatives(f: Callable, *point: np.ndarray, tolerance: float = DIFFERENCE_TOLERANCE) -> None:
    """`check_first_order` of `f`, of its pullback and of its pushforward."""
    check_first_order(f, *point, tolerance=tolerance)
    random = np.random.default_rng(1)
    out = np.asarray(f(*[array(x, x.dtype) for x in point]))
    cotangent = direction(random, out)
    tangents = tuple(array(t, t.dtype) for t in (direction(random, x) for x in point))

    def pullback(*x):
        return ft.vjp(f, *x)[1](array(cotangent, cotangent.dtype))[0]

    check_first_order(pullback, *point, tolerance=tolerance)
    check_first_order(lambda *x: ft.jvp(f, x, tangents)[1], *point, tolerance=tolerance)
