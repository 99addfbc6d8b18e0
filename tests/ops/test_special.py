"""`ft.special`: values and derivatives against mpmath, domains, and errors."""

import math

import numpy as np
import pytest

import ftrans as ft

mp = pytest.importorskip("mpmath")
INF, NAN = math.inf, math.nan
S = ft.special

# In 40 digits, of which the differences of derivatives lose some.
CONTEXT = mp.MPContext() if hasattr(mp, "MPContext") else mp.mp
CONTEXT.dps = 40
m = CONTEXT

REAL = [(-20.25,), (-3.625,), (-0.125,), (-1e-8,), (1e-5,), (0.5,), (3.25,), (9.875,), (35.5,)]
POSITIVE = [(1e-5,), (0.5,), (1.25,), (9.875,), (150.5,)]
GAMMA = [(1e-3, 0.5), (0.5, 1e-3), (0.5, 3.0), (2.5, 2.0), (12.0, 15.0), (100.0, 80.0), (2e4, 2.01e4)]
BETA = [(0.25, 3.0, 0.125), (2.5, 0.75, 0.9375), (12.0, 15.0, 0.5), (150.0, 80.0, 0.625)]
ZETA = [(1.0625, 1.0), (2.0, 0.25), (3.5, 20.0), (20.5, 7.0)]


def lower(a, x):
    return m.gammainc(a, 0, x, regularized=True)


def upper(a, x):
    return m.gammainc(a, x, m.inf, regularized=True)


def incomplete_beta(a, b, x):
    return m.betainc(a, b, 0, x, regularized=True)


# name → (reference, points, tolerance in units of the last place of float64)
VALUES = {
    "gammaln": (lambda x: m.log(abs(m.gamma(x))), REAL, 4),
    "digamma": (m.digamma, REAL, 4),
    "erfcx": (lambda x: m.exp(x * x) * m.erfc(x), [(-5.0,), (-0.25,), (0.5,), (9.5,), (30.0,), (1e9,)], 4),
    "ndtr": (m.ncdf, [(-37.5,), (-8.5,), (-0.25,), (0.5,), (6.0,)], 4),
    "log_ndtr": (lambda x: m.log(m.ncdf(x)), [(-300.0,), (-8.5,), (-0.25,), (0.5,), (6.0,)], 4),
    "ndtri": (lambda p: m.sqrt(2) * m.erfinv(2 * p - 1), [(1e-9,), (0.125,), (0.375,), (0.9375,)], 4),
    "i0": (lambda x: m.besseli(0, x), [(-0.5,), (3.0,), (29.5,), (31.0,), (700.0,)], 4),
    "i1": (lambda x: m.besseli(1, x), [(-0.5,), (3.0,), (29.5,), (31.0,), (700.0,)], 4),
    "i0e": (lambda x: m.besseli(0, x) * m.exp(-abs(x)), [(-0.5,), (3.0,), (29.5,), (31.0,)], 4),
    "i1e": (lambda x: m.besseli(1, x) * m.exp(-abs(x)), [(-0.5,), (3.0,), (29.5,), (31.0,)], 4),
    "lambertw": (
        lambda x: m.re(m.lambertw(x)), [(-0.3671875,), (-0.125,), (1e-9,), (0.5,), (3.5,), (1e300,)],
        32,
    ),
    "zeta": (m.zeta, ZETA, 4),
    "beta": (m.beta, [(0.5, 0.25), (3.5, 12.0), (40.0, 25.0), (-0.5, 2.25), (-1.5, -0.75)], 64),
    "betaln": (
        lambda a, b: m.log(abs(m.beta(a, b))),
        [(0.5, 0.25), (3.5, 120.0), (400.0, 2500.0), (1e-200, 3.0)],
        8,
    ),
    "gammainc": (lower, GAMMA, 64),
    "gammaincc": (upper, GAMMA, 64),
    "betainc": (incomplete_beta, BETA, 256),
    "xlogy": (lambda x, y: x * m.log(y), [(2.5, 0.75), (-1.5, 40.0)], 2),
    "xlog1py": (lambda x, y: x * m.log1p(y), [(2.5, 1e-9), (-1.5, 40.0)], 2),
    "entr": (lambda x: -x * m.log(x), POSITIVE, 2),
    "logit": (lambda x: m.log(x / (1 - x)), [(1e-9,), (0.25,), (0.5 + 1e-9,), (0.9375,)], 2),
}  # fmt: skip


def evaluate(f, point, dtype=ft.float64):
    return float(f(*[ft.array(x, dtype=dtype) for x in point]))


def check(actual, expected, units):
    assert actual == pytest.approx(float(expected), rel=units * 2.0**-52, abs=0)


@pytest.mark.parametrize("name", VALUES)
def test_values(name):
    reference, points, units = VALUES[name]
    for point in points:
        check(evaluate(getattr(S, name), point), reference(*map(m.mpf, point)), units)


@pytest.mark.parametrize("name", VALUES)
def test_float32_is_rounded_from_float64(name):
    """Within one unit of the last place, as native kernels compute in float64; compositions within two."""
    reference, points, _ = VALUES[name]
    for point in points:
        if min(map(abs, point)) < 1e-30 or max(point) > 1e30:
            continue
        rounded = tuple(float(np.float32(x)) for x in point)
        exact = float(reference(*map(m.mpf, rounded)))
        if 1e-30 < abs(exact) < 1e38:
            expected = np.float32(exact)
            composed = name in ("xlogy", "xlog1py", "entr", "logit")
            actual = evaluate(getattr(S, name), rounded, ft.float32)
            assert abs(actual - expected) <= (2 if composed else 1) * np.spacing(abs(expected)), (name, point)


@pytest.mark.parametrize("n", [0, 1, 2, 7])
def test_polygamma(n):
    for (x,) in REAL:
        check(evaluate(lambda x: S.polygamma(n, x), (x,)), m.psi(n, m.mpf(x)), 32)


# (function, argument, reference, points): derivatives by differences of 40 digits.
DERIVATIVES = [
    ("gammainc", 0, lower, GAMMA[:5]),
    ("gammainc", 1, lower, GAMMA[:5]),
    ("gammaincc", 0, upper, GAMMA[:5]),
    ("betainc", 0, incomplete_beta, BETA[:3]),
    ("betainc", 1, incomplete_beta, BETA[:3]),
    ("betainc", 2, incomplete_beta, BETA[:3]),
    ("zeta", 0, m.zeta, ZETA[:3]),
    ("zeta", 1, lambda s, q: m.zeta(s, q), ZETA[:3]),
]


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize(("name", "argument", "reference", "points"), DERIVATIVES)
def test_derivatives_with_respect_to_every_argument(name, argument, reference, points, order):
    f = getattr(S, name)
    for _ in range(order):
        f = ft.grad(f, argument)
    for point in points:
        exact = [m.mpf(x) for x in point]

        def along(x, exact=exact):
            return reference(*exact[:argument], x, *exact[argument + 1 :])

        expected = m.diff(along, exact[argument], order, h=m.mpf(10) ** -9)
        assert evaluate(f, point) == pytest.approx(float(expected), rel=1e-10, abs=1e-14)


def test_derivative_of_erfcx_does_not_cancel():
    for x in (9.5, 10.5, 1e4, 1e8):
        exact = 2 * m.mpf(x) * m.exp(m.mpf(x) ** 2) * m.erfc(x) - 2 / m.sqrt(m.pi) if x < 1e3 else None
        expected = float(exact) if exact is not None else -1 / (math.sqrt(math.pi) * x * x) * (1 - 1.5 / x**2)
        assert evaluate(ft.grad(S.erfcx), (x,)) == pytest.approx(expected, rel=1e-12)


def test_higher_derivatives_of_bessel_functions_at_zero():
    f = S.i1
    for expected in (0.5, 0.0, 0.375, 0.0, 0.3125):  # of x/2 + x³/16 + x⁵/384
        f = ft.grad(f)
        assert evaluate(f, (0.0,)) == pytest.approx(expected, rel=1e-14)


def test_large_parameters_use_the_uniform_expansion():
    for a in (1e5, 1e6):
        for x in (a - 2 * math.sqrt(a), a, a + 3 * math.sqrt(a)):
            # By the recurrence P(a, x) − P(a + 1, x) = x^a e^−x / Γ(a + 1), which is exact.
            step = m.exp(a * m.log(m.mpf(x)) - m.mpf(x) - m.loggamma(m.mpf(a) + 1))
            difference = evaluate(S.gammainc, (a, x)) - evaluate(S.gammainc, (a + 1, x))
            assert difference == pytest.approx(float(step), rel=1e-9)
            assert evaluate(S.gammainc, (a, x)) + evaluate(S.gammaincc, (a, x)) == pytest.approx(1, rel=1e-15)


EDGES = {
    "gammaln": [((0.0,), INF), ((-3.0,), INF), ((INF,), INF), ((-INF,), INF), ((NAN,), NAN)],
    "digamma": [((0.0,), -INF), ((-0.0,), INF), ((-3.0,), NAN), ((INF,), INF)],
    "erfcx": [((-INF,), INF), ((INF,), 0), ((NAN,), NAN)],
    "ndtr": [((-INF,), 0), ((INF,), 1), ((NAN,), NAN)],
    "log_ndtr": [((-INF,), -INF), ((INF,), -0.0), ((NAN,), NAN)],
    "ndtri": [((0.0,), -INF), ((1.0,), INF), ((1.5,), NAN), ((NAN,), NAN)],
    "i0e": [((INF,), 0), ((NAN,), NAN)],
    "i1": [((-INF,), -INF), ((-0.0,), -0.0), ((NAN,), NAN)],
    "lambertw": [((-0.5,), NAN), ((INF,), INF), ((0.0,), 0), ((NAN,), NAN)],
    "zeta": [((1.0, 2.0), INF), ((0.5, 2.0), NAN), ((2.0, -3.0), INF), ((2.5, -0.5), NAN)],
    "polygamma": [((1.0, -2.0), INF), ((2.0, -2.0), NAN), ((1.5, 2.0), NAN), ((1.0, INF), 0)],
    "betaln": [((INF, 1.0), -INF), ((NAN, 1.0), NAN)],
    "gammainc": [((0.0, 1.0), 1), ((1.0, 0.0), 0), ((1.0, INF), 1), ((INF, 1.0), 0), ((-1.0, 1.0), NAN)],
    "gammaincc": [((0.0, 1.0), 0), ((1.0, 0.0), 1), ((1.0, INF), 0), ((INF, 1.0), 1), ((1.0, -1.0), NAN)],
    "betainc": [((1.0, 2.0, 0.0), 0), ((1.0, 2.0, 1.0), 1), ((1.0, 2.0, 1.5), NAN), ((-1.0, 2.0, 0.5), NAN)],
    "xlogy": [((0.0, 0.0), 0), ((0.0, NAN), NAN), ((1.0, 0.0), -INF)],
    "xlog1py": [((0.0, -1.0), 0), ((0.0, NAN), NAN)],
    "entr": [((0.0,), 0), ((-1.0,), -INF), ((NAN,), NAN)],
    "logit": [((0.0,), -INF), ((1.0,), INF), ((2.0,), NAN)],
}  # fmt: skip


@pytest.mark.parametrize("name", EDGES)
def test_edges_of_the_domain(name):
    for point, expected in EDGES[name]:
        np.testing.assert_equal(evaluate(getattr(S, name), point), expected)


def test_transforms_compose():
    a, x = ft.array([0.5, 2.0, 7.0], dtype=ft.float64), ft.array([1.0, 2.0, 3.0], dtype=ft.float64)
    by_both = ft.vmap(ft.jit(ft.grad(ft.grad(S.gammainc), 1)))(a, x)
    density = [
        math.exp((a - 1) * math.log(x) - x - math.lgamma(a))
        for a, x in zip((0.5, 2, 7), (1, 2, 3), strict=True)
    ]
    psi = [float(m.digamma(a)) for a in (0.5, 2, 7)]
    expected = [d * (math.log(x) - p) for d, x, p in zip(density, (1, 2, 3), psi, strict=True)]
    np.testing.assert_allclose(np.asarray(by_both), expected, rtol=1e-13)


def test_arguments_are_promoted_and_broadcast():
    assert S.gammainc(1, ft.array([[1, 2]])).dtype is ft.float32
    assert S.betainc(ft.array([[1.0], [2.0]]), 2, ft.array([0.25, 0.5])).shape == (2, 2)
    with pytest.raises(TypeError, match="betainc: x must have a real dtype, got complex64"):
        S.betainc(1j, 1.0, 0.5)
    with pytest.raises(ValueError, match="zeta: shapes"):
        S.zeta(ft.ones(2), ft.ones(3))


def test_missing_derivatives_say_so():
    with pytest.raises(TypeError, match="polygamma has no derivative with respect to its order"):
        ft.grad(S.polygamma)(2.0, 1.0)
    f = S.gammainc
    for _ in range(5):
        f = ft.grad(f)
    with pytest.raises(
        TypeError, match="gammainc: derivatives with respect to a are available up to order 4"
    ):
        f(2.0, 1.0)
    f = S.betainc
    for argument in (0, 1, 0, 1):
        f = ft.grad(f, argument)
    with pytest.raises(
        TypeError, match="betainc: derivatives with respect to a and b are available up to order 3"
    ):
        f(2.0, 1.0, 0.5)
