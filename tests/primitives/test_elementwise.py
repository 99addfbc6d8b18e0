"""Ties, singular points, zero divisors, and special functions against known values."""

import math

import ml_dtypes
import numpy as np
import pytest
from scipy import special

import ftrans as ft
from ftrans._native import from_numpy
from tests.primitives.numpy_bridge import apply, array, function, gradient

INF, NAN = math.inf, math.nan


@pytest.mark.parametrize("name", ["max", "min"])
def test_ties_share_the_derivative(name):
    x, y = [1.0, 2.0, 3.0], [1.0, 3.0, 2.0]
    of_x, of_y = (gradient(function(name), x, y, argnums=i) for i in (0, 1))
    winner = [0.5, 0, 1] if name == "max" else [0.5, 1, 0]
    np.testing.assert_array_equal(of_x, winner)
    np.testing.assert_array_equal(of_x + of_y, 1)


def test_second_derivative_of_max_is_zero_at_ties():
    def square_of_max(x, y):
        return function("square")(function("max")(x, y))

    assert float(ft.grad(ft.grad(square_of_max))(array(2.0), array(2.0))) == 0.5


def test_derivatives_at_kinks():
    np.testing.assert_array_equal(gradient(function("abs"), [-2.0, 0.0, 3.0]), [-1, 0, 1])
    np.testing.assert_array_equal(gradient(function("hypot"), [0.0, 3.0], [0.0, 4.0]), [0, 0.6])
    lo, x, hi = [0.0] * 5, [-1.0, 0.0, 0.5, 1.0, 2.0], [1.0] * 5
    np.testing.assert_array_equal(gradient(function("clamp"), lo, x, hi, argnums=1), [0, 0, 1, 0, 0])


def test_clamp_derivative_of_crossed_bounds_goes_to_the_upper():
    point = (array(3.0), array(0.5), array(1.0))
    assert [float(g) for g in ft.grad(function("clamp"), argnums=(0, 1, 2))(*point)] == [0, 0, 1]


@pytest.mark.parametrize("mode", ["forward", "reverse"])
@pytest.mark.parametrize("order", [1, 2, 3])
def test_masked_branch_does_not_leak_nan(mode, order):
    """where(x > 0, √x, 0) has derivative 0 at x ≤ 0, though that of √ is infinite or NaN there."""

    def f(x):
        zero = array(0.0)
        return function("select")(function("gt")(x, zero), function("sqrt")(x), zero)

    def derivative(g):
        return ft.grad(g) if mode == "reverse" else lambda x: ft.jvp(g, (x,), (array(1.0),))[1]

    g = f
    for _ in range(order):
        g = derivative(g)
    assert float(g(array(0.0))) == 0
    assert float(g(array(-1.0))) == 0
    assert float(g(array(4.0))) != 0


def test_pow_at_zero_and_negative_base():
    np.testing.assert_array_equal(gradient(function("pow"), [0.0, 0.0, 0.0], [0.0, 1.0, 2.0]), [0, 1, 0])
    np.testing.assert_array_equal(gradient(function("pow"), [0.0, 0.0], [2.0, 0.0], argnums=1), [0, 0])
    np.testing.assert_array_equal(gradient(function("pow"), [-2.0], [3.0]), [12])


def test_pow_mixed_second_derivative_at_exponent_zero():
    of_base = ft.grad(function("pow"))
    mixed = ft.grad(of_base, argnums=1)(array(2.0), array(0.0))
    assert float(mixed) == pytest.approx(0.5)


def test_logaddexp_of_infinities():
    np.testing.assert_array_equal(
        gradient(function("logaddexp"), [-INF, INF, -INF], [-INF, INF, 0.0]), [0.5, 0.5, 0]
    )


def test_integer_division_by_zero_is_zero():
    x, zero = np.array([5, 0, -5], np.int32), np.zeros(3, np.int32)
    for name in ("floor_divide", "remainder", "fmod"):
        np.testing.assert_array_equal(apply(name, x, zero), 0)


def test_integers_wrap():
    most = np.array([127, -128], np.int8)
    np.testing.assert_array_equal(apply("add", most, np.array([1, -1], np.int8)), [-128, 127])
    np.testing.assert_array_equal(apply("neg", most), [-127, -128])


def test_integer_pow_of_negative_exponents():
    x = np.array([2, 1, -1, -1, 0], np.int32)
    y = np.array([-1, -5, -3, -2, -1], np.int32)
    np.testing.assert_array_equal(apply("pow", x, y), [0, 1, -1, 1, 0])


def test_remainder_has_the_divisors_sign_and_fmod_the_dividends():
    x, y = np.array([-5.0, 5.0]), np.array([3.0, -3.0])
    np.testing.assert_array_equal(apply("remainder", x, y), [1, -1])
    np.testing.assert_array_equal(apply("fmod", x, y), [-2, 2])


def test_shifting_everything_out():
    x = np.array([-8, 8], np.int32)
    for amount in (32, 40, -1):
        by = np.full(2, amount, np.int32)
        np.testing.assert_array_equal(apply("shift_left", x, by), 0)
        np.testing.assert_array_equal(apply("shift_right", x, by), [-1, 0])
    np.testing.assert_array_equal(
        apply("shift_right", np.array([2**31], np.uint32), np.array([31], np.uint32)), 1
    )


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_half_floats_round_once(dtype):
    x = np.linspace(-3, 3, 50).astype(dtype)
    np.testing.assert_array_equal(apply("tanh", x), np.tanh(x.astype(np.float32)).astype(dtype))


SPECIAL = {
    "digamma": special.digamma,
    "erf": special.erf,
    "erf_inv": special.erfinv,
    "erfc": special.erfc,
    "lgamma": special.gammaln,
}
POINTS = {
    "erf_inv": (-0.999999, -0.7, -0.5, -1e-8, 1e-300, 0.3, 0.5, 0.9, 1 - 1e-12),
    "erfc": (-3.0, 0.1, 5.0, 20.0),
}
REAL_POINTS = (-20.3, -3.7, -0.2, 1e-5, 0.49, 0.51, 3.3, 9.9, 1e8)


@pytest.mark.parametrize("name", SPECIAL)
def test_special_functions(name):
    points = np.array(POINTS.get(name, REAL_POINTS))
    np.testing.assert_allclose(apply(name, points), SPECIAL[name](points), rtol=1e-13, atol=0)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_derivatives_of_digamma(order):
    points = np.array([0.3, 2.5, 30.0])
    f = function("digamma")
    for _ in range(order):
        f = ft.grad(f)
    np.testing.assert_allclose(
        [float(f(array(x))) for x in points], special.polygamma(order, points), rtol=1e-10
    )


def test_derivative_of_digamma_at_negative_numbers():
    """By the recurrence: that of x is that of x + 1 plus 1/x²."""
    trigamma = ft.grad(function("digamma"))
    expected = special.polygamma(1, 0.3) + sum(1 / (0.3 - k) ** 2 for k in range(1, 5))
    assert float(trigamma(array(-3.7))) == pytest.approx(expected, rel=1e-12)


def test_special_values():
    np.testing.assert_array_equal(apply("erf_inv", np.array([-1.0, 0.0, 1.0, 1.5])), [-INF, 0, INF, NAN])
    np.testing.assert_array_equal(apply("lgamma", np.array([0.0, -3.0, INF, -INF])), INF)
    np.testing.assert_array_equal(
        apply("digamma", np.array([0.0, -0.0, -3.0, INF])), special.digamma([0.0, -0.0, -3.0, INF])
    )


def test_floats_out_of_range_become_the_nearest_integer():
    x = np.array([-3.5, 300.0, 1e30, INF, -INF, NAN])
    np.testing.assert_array_equal(apply("convert", x, dtype=ft.uint8), [0, 255, 255, 255, 0, 0])
    lowest, highest = -(2**31), 2**31 - 1
    np.testing.assert_array_equal(
        apply("convert", x * 1e10, dtype=ft.int32), [lowest, highest, highest, highest, lowest, 0]
    )


def test_complex_abs_has_a_right_second_derivative():
    """|x + iy| as a function of two reals has the Hessian of hypot."""

    def magnitude(x, y):
        return function("abs")(function("complex")(x, y))

    x, y = array(0.6), array(-1.1)
    for argnums in ((0, 0), (0, 1), (1, 1)):
        second = [ft.grad(ft.grad(f, argnums[0]), argnums[1])(x, y) for f in (magnitude, function("hypot"))]
        assert float(second[0]) == pytest.approx(float(second[1]))


def test_complex_abs_derivative_at_zero_is_zero():
    _, pullback = ft.vjp(function("abs"), array(0j, complex))
    assert complex(pullback(array(1.0))[0]) == 0


def test_holomorphic_cotangents_are_not_conjugated():
    z, ct = 0.3 + 0.4j, 1.0 - 2.0j
    _, pullback = ft.vjp(function("sin"), array(z, complex))
    assert complex(pullback(array(ct, complex))[0]) == pytest.approx(ct * np.cos(z))


def test_gradient_jaxpr_is_small():
    equations = ft.make_jaxpr(ft.grad(function("sin")))(array(1.0)).jaxpr.equations
    assert [e.primitive.name for e in equations if e.primitive.name != "sin"] == ["cos"]


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_nextafter_of_half_floats(dtype):
    x = np.array([1, -1, 0, 3e-5, INF, 2, 1], dtype)
    y = np.array([2, 0, -1, 5, 0, 2, NAN], dtype)
    expected = np.nextafter(x, y).astype(np.float64)
    np.testing.assert_array_equal(apply("nextafter", x, y).astype(np.float64), expected)


def test_errors_name_what_came():
    with pytest.raises(TypeError, match="add: operands must have the same dtype, got float64, int32"):
        apply("add", np.ones(2), np.ones(2, np.int32))
    with pytest.raises(
        ValueError, match=r"add: operands must have one shape or be scalars, got \(2,\) and \(3,\)"
    ):
        apply("add", np.ones(2), np.ones(3))
    with pytest.raises(
        TypeError, match="sqrt: operand has dtype int32, expected one of these kinds: floating-point"
    ):
        apply("sqrt", np.ones(2, np.int32))
    with pytest.raises(TypeError, match="bitcast: cannot view float64 as float32"):
        function("bitcast", dtype=ft.float32)(from_numpy(np.ones(2)))
