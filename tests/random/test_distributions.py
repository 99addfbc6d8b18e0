"""Continuous distributions against SciPy's: their distribution functions, and derivatives by parameters."""

import numpy as np
import pytest
import scipy.special
import scipy.stats

import ftrans as ft

R = ft.random
COUNT = 20_000

CASES = {
    "lognormal": (lambda **how: R.lognormal(0.7, **how), scipy.stats.lognorm(0.7)),
    "maxwell": (R.maxwell, scipy.stats.maxwell),
    "cauchy": (R.cauchy, scipy.stats.cauchy),
    "logistic": (R.logistic, scipy.stats.logistic),
    "pareto": (lambda **how: R.pareto(3.0, **how), scipy.stats.pareto(3)),
    "weibull_min": (lambda **how: R.weibull_min(2.0, 1.5, **how), scipy.stats.weibull_min(1.5, scale=2)),
    "rayleigh": (lambda **how: R.rayleigh(2.0, **how), scipy.stats.rayleigh(scale=2)),
    "triangular": (lambda **how: R.triangular(-1.0, 0.5, 3.0, **how), scipy.stats.triang(0.375, -1, 4)),
    "beta": (lambda **how: R.beta(0.5, 2.0, **how), scipy.stats.beta(0.5, 2)),
    "chisquare": (lambda **how: R.chisquare(3.0, **how), scipy.stats.chi2(3)),
    "f": (lambda **how: R.f(3.0, 5.0, **how), scipy.stats.f(3, 5)),
    "t": (lambda **how: R.t(2.5, **how), scipy.stats.t(2.5)),
    **{
        f"loggamma of {a}": (lambda a=a, **how: R.loggamma(a, **how), scipy.stats.loggamma(a))
        for a in (0.01, 0.3, 1.0, 2.5, 1e5)
    },
    "gamma": (lambda **how: R.gamma(2.5, **how), scipy.stats.gamma(2.5)),
    "gamma of a huge parameter": (lambda **how: R.gamma(1e10, **how), scipy.stats.gamma(1e10)),
}


@pytest.mark.parametrize("name", CASES)
def test_distribution(name):
    draw, reference = CASES[name]
    # In float32 the numbers for a huge parameter are coarse against their deviation.
    dtype = ft.float64 if "huge" in name else ft.float32
    x = draw(shape=(COUNT,), dtype=dtype, key=R.key(11))
    assert x.dtype is dtype
    assert scipy.stats.kstest(np.asarray(x, np.float64), reference.cdf).pvalue > 1e-3


@pytest.mark.parametrize("name", CASES)
def test_each_lane_draws_what_it_would_alone(name):
    draw = CASES[name][0]
    keys = R.split(R.key(5), 3)
    together = ft.jit(ft.vmap(lambda key: draw(shape=(4,), key=key)))(keys)
    for i in range(3):
        # Fused or not, exp and tan may round differently in the last bits.
        np.testing.assert_allclose(together[i], draw(shape=(4,), key=keys[i]), rtol=1e-6)


def test_half_precision():
    for dtype in (ft.float16, ft.bfloat16):
        x = R.gamma(3.0, (2000,), dtype, R.key(0))
        assert x.dtype is dtype
        assert abs(float(x.astype(ft.float32).mean()) - 3) < 0.2


@pytest.mark.parametrize("a", [0.0, -1.0, np.nan, np.inf])
def test_impossible_parameters_of_gamma(a):
    x = np.asarray(R.gamma(ft.array([a, 2.0]), key=R.key(0)))
    assert np.isnan(x[0])
    assert x[1] > 0


@pytest.mark.parametrize("a", [0.02, 0.5, 1.0, 3.0, 50.0, 1e4])
def test_derivative_of_gamma(a):
    """That of the quantile function at the probability of the number drawn."""
    where = ft.full((200,), a, dtype=ft.float64)
    x, slope = ft.jvp(lambda a: R.gamma(a, dtype=ft.float64, key=R.key(3)), (where,), (ft.ones_like(where),))
    x, slope = np.asarray(x), np.asarray(slope)
    probability, step = scipy.special.gammainc(a, x), 1e-4 * a
    above, below = (scipy.special.gammaincinv(a + h, probability) for h in (step, -step))
    regular = (x > 1e-30) & (probability < 0.99)  # elsewhere the probability determines x badly
    assert regular.sum() > 100
    np.testing.assert_allclose(slope[regular], ((above - below) / (2 * step))[regular], rtol=2e-5)
    assert np.isfinite(slope).all()
    single = ft.jvp(
        lambda a: R.loggamma(a, key=R.key(3)), (where.astype(ft.float32),), (ft.ones((200,), ft.float32),)
    )[1]
    assert np.isfinite(np.asarray(single)).all()


def test_second_derivative_of_gamma():
    def draw(a):
        return R.gamma(a, dtype=ft.float64, key=R.key(3))

    a, step = 2.3, 1e-3
    x = float(draw(a))
    probability = scipy.special.gammainc(a, x)
    above, below = (scipy.special.gammaincinv(a + h, probability) for h in (step, -step))
    second = ft.grad(ft.grad(draw))(ft.array(a, dtype=ft.float64))
    np.testing.assert_allclose(float(second), (above - 2 * x + below) / step**2, rtol=1e-4)


@pytest.mark.parametrize(
    ("draw", "mean_slope"),
    [
        (lambda a, **how: R.beta(a, 3.0, **how), 3 / 25),  # of a / (a + 3) at 2
        (lambda a, **how: R.chisquare(a, **how), 1.0),
        (lambda a, **how: R.rayleigh(a, **how), np.sqrt(np.pi / 2)),
        (lambda a, **how: R.lognormal(a / 4, **how), np.exp(1 / 8) / 8),  # of exp(a**2 / 32) at 2
        (lambda a, **how: R.dirichlet(ft.stack([a, 3.0 * ft.ones_like(a)]), **how)[:, 0], 3 / 25),
    ],
)
def test_derivatives_have_the_mean_of_the_means_derivative(draw, mean_slope):
    def mean(a):
        return draw(a, shape=(COUNT,), dtype=ft.float64, key=R.key(2)).mean()

    at = ft.array(2.0, dtype=ft.float64)
    assert float(ft.grad(mean)(at)) == pytest.approx(mean_slope, rel=0.05)
    assert float(ft.jvp(mean, (at,), (ft.ones_like(at),))[1]) == pytest.approx(mean_slope, rel=0.05)


def test_dirichlet():
    alpha = np.array([0.5, 1.0, 2.5])
    x = np.asarray(R.dirichlet(alpha, (COUNT,), key=R.key(0)), np.float64)
    np.testing.assert_allclose(x.sum(axis=1), 1, rtol=1e-6)
    for i, a in enumerate(alpha):
        assert scipy.stats.kstest(x[:, i], scipy.stats.beta(a, alpha.sum() - a).cdf).pvalue > 1e-3
    assert R.dirichlet(ft.ones((4, 3)), (5, 4), key=R.key(0)).shape == (5, 4, 3)
    assert np.isfinite(np.asarray(R.dirichlet(ft.full((3,), 1e-3), (100,), key=R.key(0)))).all()


def test_errors():
    with pytest.raises(ValueError, match="dirichlet: alpha must have at least 1 dimension, got a scalar"):
        R.dirichlet(1.0, key=R.key(0))
    with pytest.raises(ValueError, match=r"gamma: shapes \(3,\) and \(2,\) do not broadcast"):
        R.gamma(ft.ones(3), (2,), key=R.key(0))
    with pytest.raises(TypeError, match="gamma: dtype must be a real floating-point one, got int32"):
        R.gamma(1.0, dtype=ft.int32, key=R.key(0))
    with pytest.raises(ValueError, match=r"beta: give key= inside of jit"):
        ft.jit(lambda a: R.beta(a, 1.0))(1.0)
