"""Counts against SciPy's probabilities, and signs."""

import numpy as np
import pytest
import scipy.stats

import ftrans as ft
from ftrans.random import counting

R = ft.random
COUNT = 20_000


def chi_square(drawn, reference):
    """The p-value of Pearson's test, with the counts in about 30 bins of equal probability."""
    drawn = np.asarray(drawn, np.int64)
    edges = np.unique(reference.ppf(np.linspace(0, 1, 31)[1:-1]))
    expected = np.diff(np.concatenate([[0], reference.cdf(edges), [1]])) * len(drawn)
    observed = np.bincount(np.searchsorted(edges, drawn), minlength=len(expected))
    kept = expected > 5
    observed = [*observed[kept], observed[~kept].sum() + 10]  # 10 more in both: no bin is empty
    expected = [*expected[kept], expected[~kept].sum() + 10]
    return scipy.stats.chisquare(observed, expected, sum_check=False).pvalue


@pytest.mark.parametrize("rate", [0.1, 1.0, 4.5, 9.99, 10.0, 13.0, 100.0, 12345.6, 5e6])
def test_poisson(rate):
    drawn = R.poisson(rate, (COUNT,), key=R.key(1))
    assert drawn.dtype is ft.int32
    assert chi_square(drawn, scipy.stats.poisson(rate)) > 1e-3


@pytest.mark.parametrize(
    ("n", "p"),
    [(1, 0.3), (10, 0.5), (25, 0.9), (40, 0.5), (50, 0.2), (1000, 0.003), (1000, 0.997), (10**6, 0.4)],
)
def test_binomial(n, p):
    drawn = R.binomial(n, p, (COUNT,), key=R.key(2))
    assert chi_square(drawn, scipy.stats.binom(n, p)) > 1e-3
    assert 0 <= drawn.min() <= drawn.max() <= n


@pytest.mark.parametrize("p", [0.05, 0.5, 0.9])
def test_geometric(p):
    drawn = R.geometric(p, (COUNT,), key=R.key(3))
    assert chi_square(drawn, scipy.stats.geom(p)) > 1e-3
    assert drawn.min() == 1


def test_probabilities():
    """In float32 too, and where the logarithms of factorials would cancel, as SciPy's do a little."""
    k = np.array([0, 3, 9, 10, 40, 1000, 999_000, 1_001_500], np.float64)
    for dtype, tolerance in ((ft.float64, 1e-8), (ft.float32, 1e-3)):
        for rate in (12.0, 1000.0, 1e6):
            near = k[np.abs(k - rate) < 8 * np.sqrt(rate)]
            out = counting._log_poisson(ft.array(near, dtype=dtype), ft.full(near.shape, rate, dtype=dtype))
            np.testing.assert_allclose(out, scipy.stats.poisson(rate).logpmf(near), rtol=0, atol=tolerance)
        n, p = ft.array(2.0e6, dtype=dtype), ft.array(0.5, dtype=dtype)
        out = counting._log_binomial(ft.array(k[-2:], dtype=dtype), n, p)
        expected = scipy.stats.binom(2e6, 0.5).logpmf(k[-2:])
        np.testing.assert_allclose(float(out[0] - out[1]), expected[0] - expected[1], rtol=0, atol=tolerance)


def test_limits():
    key = R.key(0)
    assert R.poisson(ft.array([0.0, -1.0, np.nan, np.inf]), key=key).tolist() == [0, -1, -1, -1]
    assert R.binomial(5, ft.array([0.0, 1.0, 1.5, np.nan]), key=key).tolist() == [0, 5, -1, -1]
    assert R.binomial(ft.array([0.0, -1.0, 2.5, np.inf]), 0.5, key=key).tolist() == [0, -1, -1, -1]
    assert R.binomial(10**6, ft.array([0.0, 1.0]), key=key).tolist() == [0, 10**6]
    assert R.geometric(ft.array([1.0, 0.0, 1.1, np.nan]), key=key).tolist() == [1, -1, -1, -1]
    assert R.poisson(1e12, dtype=ft.int64, key=key).dtype is ft.int64
    assert R.poisson(ft.zeros((0, 3)), key=key).shape == (0, 3)


@pytest.mark.parametrize(
    "draw",
    [
        lambda x, key: R.poisson(x, (5,), key=key),
        lambda x, key: R.binomial(20, x / 100, (5,), key=key),
        lambda x, key: R.geometric(x / 100, (5,), key=key),
    ],
)
def test_each_lane_draws_what_it_would_alone(draw):
    keys, x = R.split(R.key(5), 4), ft.array([0.5, 9.0, 30.0, 80.0])
    together = ft.jit(ft.vmap(draw))(x, keys)
    for i in range(4):
        np.testing.assert_array_equal(together[i], draw(x[i], keys[i]))


def test_rademacher():
    drawn = np.asarray(R.rademacher((COUNT,), key=R.key(4)))
    assert set(drawn.tolist()) == {-1, 1}
    assert scipy.stats.binomtest(int((drawn == 1).sum()), COUNT).pvalue > 1e-3
    assert R.rademacher((2,), ft.float64, R.key(0)).dtype is ft.float64


def test_errors():
    with pytest.raises(TypeError, match="poisson: dtype must be an integer one, got float32"):
        R.poisson(1.0, dtype=ft.float32, key=R.key(0))
    with pytest.raises(TypeError, match="poisson: lam must have a real dtype, got complex64"):
        R.poisson(1j, key=R.key(0))
    with pytest.raises(ValueError, match="binomial: shapes"):
        R.binomial(ft.ones(3), ft.ones(2), key=R.key(0))
    with pytest.raises(TypeError, match="rademacher: dtype must have negative numbers, got uint8"):
        R.rademacher((2,), ft.uint8, R.key(0))
