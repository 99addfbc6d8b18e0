"""Elementwise functions to a few units of the last place, at ordinary and extreme arguments."""

import math

import numpy as np
import pytest

import ftrans as ft

accuracy = pytest.importorskip("benchmarks.accuracy", reason="needs mpmath", exc_type=ImportError)
INF, NAN = math.inf, math.nan

#: In units of the last place. Kernels of float64 that are the C library's own are as good as that is.
LIMITS = {np.float32: 2.0, np.float64: 2.5}
EXCEPTIONS = {("cbrt", np.float64): 4.0, ("lgamma", np.float64): 4.0}


#: logaddexp of float64 cancels where its result is near 0: see below.
CASES = [(name, dtype) for name in accuracy.FUNCTIONS for dtype in LIMITS]
CASES.remove(("logaddexp", np.float64))


@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_errors_in_units_of_the_last_place(name, dtype):
    exact, arity = accuracy.FUNCTIONS[name]
    args = accuracy.arguments(dtype, arity, 12)
    actual = np.asarray(getattr(ft, name)(*map(ft.asarray, args)))
    assert actual.dtype == dtype
    limit = EXCEPTIONS.get((name, dtype), LIMITS[dtype])
    assert accuracy.worst(actual, accuracy.exact_values(exact, args), dtype) <= limit


def test_logaddexp_is_accurate_relative_to_the_larger_operand():
    x, y = (a[np.isfinite(a)] for a in accuracy.arguments(np.float64, 2, 12))
    exact = accuracy.exact_values(accuracy.FUNCTIONS["logaddexp"][0], [x, y])
    with np.errstate(over="ignore"):
        scale = np.maximum(np.maximum(np.abs(x), np.abs(y)), math.log(2)) * 2.0**-52
    actual = np.asarray(ft.logaddexp(x, y))
    assert np.max(np.abs(actual - np.array([float(e) for e in exact])) / scale) <= 2


# Correctly rounded, from mpmath.
STORED = {
    "exp(100)": (ft.exp, 100.0, 2.6881171418161356e43),
    "sin(1e30)": (ft.sin, 1e30, 0.009331468931175825),
    "cos(1e30)": (ft.cos, 1e30, -0.9999564608959665),
    "sin(1e300)": (ft.sin, 1e300, -0.8178819121159085),
    "erf(0.5)": (ft.erf, 0.5, 0.5204998778130465),
    "log1p(1e-300)": (ft.log1p, 1e-300, 1e-300),
    "expm1(1e-10)": (ft.expm1, 1e-10, 1.00000000005e-10),
    "exp(-745)": (ft.exp, -745.0, 5e-324),
}


@pytest.mark.parametrize("name", STORED)
def test_float64_has_float64_precision(name):
    f, x, expected = STORED[name]
    assert float(f(ft.array(x, dtype=ft.float64))) == pytest.approx(expected, rel=2.0**-51, abs=0)


# name → result at −∞, at ∞
INFINITE = {
    "sqrt": (NAN, INF), "rsqrt": (NAN, 0), "cbrt": (-INF, INF), "exp": (0, INF), "exp2": (0, INF),
    "expm1": (-1, INF), "log": (NAN, INF), "log2": (NAN, INF), "log10": (NAN, INF), "log1p": (NAN, INF),
    "sin": (NAN, NAN), "cos": (NAN, NAN), "tan": (NAN, NAN), "asin": (NAN, NAN), "acos": (NAN, NAN),
    "atan": (-math.pi / 2, math.pi / 2), "sinh": (-INF, INF), "cosh": (INF, INF), "tanh": (-1, 1),
    "asinh": (-INF, INF), "acosh": (NAN, INF), "atanh": (NAN, NAN), "erf": (-1, 1), "erfc": (2, 0),
    "erfinv": (NAN, NAN), "sigmoid": (0, 1), "lgamma": (INF, INF), "digamma": (NAN, INF),
}  # fmt: skip


@pytest.mark.parametrize("dtype", [ft.float16, ft.bfloat16, ft.float32, ft.float64])
def test_infinities_and_nan(dtype):
    for name, expected in INFINITE.items():
        actual = getattr(ft, name)(ft.array([-INF, INF, NAN], dtype=dtype))
        np.testing.assert_allclose([float(x) for x in actual], [*expected, NAN], rtol=1e-2, err_msg=name)


def test_subnormal_numbers_are_not_flushed():
    smallest = np.float32(1e-45)
    for f in (
        ft.sin,
        ft.tan,
        ft.asin,
        ft.atan,
        ft.sinh,
        ft.tanh,
        ft.asinh,
        ft.atanh,
        ft.expm1,
        ft.log1p,
        ft.erf,
    ):
        assert float(f(ft.array(smallest))) == smallest
    assert float(ft.exp(ft.array(-103.0))) == pytest.approx(1.4e-45, rel=0.1)
    assert float(ft.log(ft.array(smallest))) == pytest.approx(-103.2789, rel=1e-6)
