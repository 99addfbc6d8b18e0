"""Derivatives are finite wherever the branch that was taken is: first and second order, every mode."""

import math
import threading

import numpy as np
import pytest

import ftrans as ft

INF = math.inf
S = ft.special


def masked(condition, f, other=0.0):
    """`f` where the condition holds: a branch that is not taken at the points of the cases."""
    return lambda x: ft.where(condition(x), f(x), other)


def above(bound):
    return lambda x: x > bound


def below(bound):
    return lambda x: x < bound


# name → (function, point): the branch with the singularity is not taken, so all derivatives are 0.
MASKED = {
    "sqrt at 0": (masked(above(0), ft.sqrt), 0.0),
    "sqrt below 0": (masked(above(0), ft.sqrt), -1.0),
    "rsqrt at 0": (masked(above(0), ft.rsqrt), 0.0),
    "cbrt at 0": (masked(above(0), ft.cbrt), 0.0),
    "log at 0": (masked(above(0), ft.log), 0.0),
    "log below 0": (masked(above(0), ft.log), -1.0),
    "log2 at 0": (masked(above(0), ft.log2), 0.0),
    "log10 at 0": (masked(above(0), ft.log10), 0.0),
    "log1p at -1": (masked(above(-1), ft.log1p), -1.0),
    "division by 0": (masked(above(0), lambda x: 1 / x), 0.0),
    "sin(x)/x": (masked(above(0), lambda x: ft.sin(x) / x, 1.0), 0.0),
    "reciprocal": (masked(above(0), ft.reciprocal), 0.0),
    "negative power": (masked(above(0), lambda x: x**-2), 0.0),
    "fractional power": (masked(above(0), lambda x: x**0.5), 0.0),
    "power(x, x)": (masked(above(0), lambda x: ft.power(x, x)), 0.0),
    "power(0, y)": (masked(above(0), lambda y: ft.power(0.0, y)), -1.0),
    "acos at 1": (masked(below(1), ft.acos), 1.0),
    "asin at 1": (masked(below(1), ft.asin), 1.0),
    "asin beyond 1": (masked(below(1), ft.asin), 2.0),
    "acosh at 1": (masked(above(1), ft.acosh), 1.0),
    "acosh below 1": (masked(above(1), ft.acosh), 0.5),
    "atanh at 1": (masked(below(1), ft.atanh), 1.0),
    "erfinv at 1": (masked(below(1), ft.erfinv), 1.0),
    "exp overflows": (masked(below(700), ft.exp), 1000.0),
    "expm1 overflows": (masked(below(700), ft.expm1), 1000.0),
    "cosh overflows": (masked(below(700), ft.cosh), 1000.0),
    "square overflows": (masked(below(1), lambda x: x * x), 1e300),
    "atan2 at the origin": (masked(above(0), lambda x: ft.atan2(x, x)), 0.0),
    "hypot at the origin": (masked(above(0), lambda x: ft.hypot(x, x)), 0.0),
    "remainder by 0": (masked(above(0), lambda x: ft.remainder(1.0, x)), 0.0),
    "times infinity": (masked(above(0), lambda x: x * INF), 0.0),
    "inf - inf": (masked(below(1), lambda x: x - x), INF),
    "lgamma at 0": (masked(above(0), ft.lgamma), 0.0),
    "digamma at 0": (masked(above(0), ft.digamma), 0.0),
    "polygamma at 0": (masked(above(0), lambda x: S.polygamma(1, x)), 0.0),
    "zeta at 1": (masked(above(1), S.zeta), 1.0),
    "gammainc at 0": (masked(above(0), lambda x: S.gammainc(0.5, x)), 0.0),
    "betainc at 0": (masked(above(0), lambda x: S.betainc(0.5, 0.5, x)), 0.0),
    "xlogy at 0": (masked(above(0), lambda x: S.xlogy(x, x)), 0.0),
    "entr at 0": (masked(above(0), S.entr), 0.0),
    "logit at 0": (masked(above(0), S.logit), 0.0),
    "ndtri at 0": (masked(above(0), S.ndtri), 0.0),
    "lambertw at -1/e": (masked(above(0), S.lambertw), -1 / math.e),
    "i1 overflows": (masked(below(1), S.i1), 1e4),
}

# name → (function, point, first derivative, diagonal of the second): the value itself is singular or extreme.
TAKEN = {
    "abs at 0": (ft.abs, [0.0], [0], [0]),
    "hypot at the origin": (lambda x: ft.hypot(x, 0.0 * x), [0.0], [0], [0]),
    "atan2 at the origin": (lambda x: ft.atan2(x, 0.0 * x), [0.0], [0], [0]),
    "norm at 0": (lambda x: ft.sqrt(ft.sum(x * x)), [0.0, 0.0], [0, 0], None),
    "std of equal elements": (ft.std, [1.0, 1.0, 1.0], [0, 0, 0], None),
    "var of equal elements": (lambda x: 3 * ft.var(x), [1.0, 1.0, 1.0], [0, 0, 0], [0, 0, 0]),
    "xlogy(0, 0) by y": (lambda y: S.xlogy(0.0, y), [0.0], [0], [0]),
    "xlog1py(0, -1) by y": (lambda y: S.xlog1py(0.0, y), [-1.0], [0], [0]),
    "sinc at 0": (ft.sinc, [0.0], [0], [-math.pi**2 / 3]),
    "erf at infinity": (ft.erf, [INF], [0], [0]),
    "tanh at infinity": (ft.tanh, [-INF], [0], [0]),
    "sigmoid at infinity": (ft.sigmoid, [INF], [0], [0]),
    "softplus far below 0": (ft.nn.softplus, [-1e4], [0], [0]),
    "log_sigmoid at -inf": (ft.nn.log_sigmoid, [-INF], [1], [0]),
    "elu far above 0": (ft.nn.elu, [1e4], [1], [0]),
    "logaddexp(-inf, -inf)": (lambda x: ft.logaddexp(x, -INF), [-INF], [0.5], [0]),
    "logaddexp(x, -inf)": (lambda x: ft.logaddexp(x, -INF), [1.0], [1], [0]),
    "logaddexp(x, inf)": (lambda x: ft.logaddexp(x, INF), [1.0], [0], [0]),
    "logsumexp of -inf": (ft.logsumexp, [-INF, -INF], [0.5, 0.5], [0, 0]),
    "logsumexp with a -inf": (ft.logsumexp, [-INF, 1.0, 1.0], [0, 0.5, 0.5], [0, 0, 0]),
    "logsumexp with an inf": (ft.logsumexp, [INF, 1.0], [1, 0], [0, 0]),
    "logcumsumexp of -inf": (lambda x: ft.logcumsumexp(x)[-1], [-INF, -INF], [0.5, 0.5], [0, 0]),
    "softmax with a -inf": (lambda x: ft.softmax(x)[1], [-INF, 1.0, 1.0], [0, 0.25, -0.25], [0, 0, 0]),
    "log_softmax with a -inf": (lambda x: ft.log_softmax(x)[1], [-INF, 1.0, 1.0], [0, 0.5, -0.5], [0, 0, 0]),
    "logsumexp of a mask": (lambda x: ft.logsumexp(ft.where(x > 0, x, -INF)), [-1.0, -2.0], [0, 0], [0, 0]),
    "masked log": (lambda x: ft.sum(ft.where(x > 0, ft.log(x), 0)), [0.0, 2.0], [0, 0.5], [0, -0.25]),
    "prod with zeros": (ft.prod, [0.0, 0.0, 2.0], [0, 0, 0], [2, 2, 0]),
    "cumprod with zeros": (lambda x: ft.sum(ft.cumprod(x)), [0.0, 0.0, 2.0], [1, 0, 0], None),
}  # fmt: skip

CASES = {name: (f, [x, x], [0, 0], [0, 0]) for name, (f, x) in MASKED.items()} | TAKEN


def derivatives(f, x):
    """By each mode, then each pair of modes, the latter summed over rows."""

    def total(x):
        return ft.sum(f(x))

    basis = np.eye(x.size)
    gradient = ft.grad(total)
    forward = [ft.jvp(total, (x,), (ft.array(row, dtype=ft.float64),))[1] for row in basis]
    yield 1, gradient(x)
    yield 1, forward
    yield 1, ft.jit(gradient)(x)
    yield 1, ft.vmap(gradient)(ft.stack([x, x]))[1]
    yield 1, ft.jacfwd(total)(x)
    yield 2, ft.grad(lambda x: ft.sum(gradient(x)))(x)
    yield 2, ft.jvp(gradient, (x,), (ft.ones_like(x),))[1]
    yield 2, ft.jit(ft.grad(lambda x: ft.jvp(total, (x,), (ft.ones_like(x),))[1]))(x)


@pytest.mark.parametrize("name", CASES)
def test_derivatives_are_finite(name):
    f, point, first, diagonal = CASES[name]
    # The mixed derivatives of these three are not zero; summed over rows, the second derivatives are these.
    rows = {"prod with zeros": [2, 2, 0], "cumprod with zeros": [3, 3, 0]}.get(name, diagonal)
    x = ft.array(point, dtype=ft.float64)
    for order, derivative in derivatives(f, x):
        expected = first if order == 1 else rows
        if expected is not None:
            np.testing.assert_allclose([float(d) for d in derivative], expected, rtol=1e-12, atol=1e-15)


def test_masked_softmax():
    def attention(x):
        mask = x > 0
        return ft.sum(ft.softmax(ft.where(mask, x, -INF)) * ft.where(mask, x, 0))

    x = ft.array([1.0, -2.0, 3.0], dtype=ft.float64)
    share = np.exp([1.0, 3.0]) / np.sum(np.exp([1.0, 3.0]))
    mean = share @ [1.0, 3.0]
    by_first, by_last = share * (np.array([1.0, 3.0]) - mean) + share
    np.testing.assert_allclose(np.asarray(ft.grad(attention)(x)), [by_first, 0, by_last], rtol=1e-13)


def test_infinite_maxima_share_the_probability():
    np.testing.assert_array_equal(np.asarray(ft.softmax(ft.array([-INF, -INF]))), [0.5, 0.5])
    np.testing.assert_array_equal(np.asarray(ft.softmax(ft.array([INF, 1.0]))), [1, 0])
    np.testing.assert_allclose(
        np.asarray(ft.log_softmax(ft.array([-INF, -INF]))), [-math.log(2)] * 2, rtol=1e-6
    )
    assert ft.isnan(ft.softmax(ft.array([math.nan, 1.0]))).all()


def root(x):
    return ft.where(x > 0, ft.sqrt(x), 0)


def test_switch_restores_ieee_products():
    with ft.nan_safe_derivatives(False):
        assert math.isnan(float(ft.grad(root)(0.0)))
        with ft.nan_safe_derivatives():
            assert float(ft.grad(root)(0.0)) == 0
        assert float(ft.grad(root)(4.0)) == 0.25
    assert float(ft.grad(root)(0.0)) == 0


def test_switch_is_part_of_jits_signature():
    gradient = ft.jit(ft.grad(root))
    inner = ft.grad(ft.jit(root))
    for f in (gradient, inner):
        assert float(f(0.0)) == 0
        with ft.nan_safe_derivatives(False):
            assert math.isnan(float(f(0.0)))
            assert math.isnan(float(f(0.0)))
        assert float(f(0.0)) == 0


def test_switch_is_the_threads_own():
    found = []
    with ft.nan_safe_derivatives(False):
        thread = threading.Thread(target=lambda: found.append(float(ft.grad(root)(0.0))))
        thread.start()
        thread.join()
    assert found == [0]


def test_switch_checks_its_argument():
    with pytest.raises(TypeError, match="nan_safe_derivatives: enabled must be a bool, got 'root'"):
        ft.nan_safe_derivatives("root")
