"""Random vectors and matrices: moments, distributions of projections, derivatives."""

import numpy as np
import pytest
import scipy.stats

import ftrans as ft

R = ft.random
COUNT = 20_000
COV = np.array([[2.0, 0.6, -0.3], [0.6, 1.0, 0.2], [-0.3, 0.2, 0.5]])


@pytest.mark.parametrize("method", ["cholesky", "eigh"])
def test_multivariate_normal(method):
    mean = np.array([1.0, -2.0, 0.0])
    x = R.multivariate_normal(mean, COV, (COUNT,), ft.float64, R.key(1), method=method)
    whitened = np.linalg.solve(np.linalg.cholesky(COV), (np.asarray(x) - mean).T)
    for row in whitened:
        assert scipy.stats.kstest(row, "norm").pvalue > 1e-3
    np.testing.assert_allclose(np.corrcoef(whitened), np.eye(3), atol=0.03)


def test_multivariate_normal_with_batches():
    covs = ft.array(np.stack([COV, 4 * COV]), dtype=ft.float64)
    key = R.key(2)
    x = R.multivariate_normal(ft.zeros((5, 1, 3)), covs, dtype=ft.float64, key=key)
    assert x.shape == (5, 2, 3)
    one = R.multivariate_normal(ft.zeros(3), covs[0], (5, 2), ft.float64, key)
    np.testing.assert_allclose(x[:, 0], one[:, 0], rtol=1e-12)
    np.testing.assert_allclose(x[:, 1], 2 * one[:, 1], rtol=1e-12)
    assert R.multivariate_normal(ft.zeros(3), COV, key=key).shape == (3,)


def test_singular_covariance():
    x = R.multivariate_normal(ft.zeros(2), ft.ones((2, 2)), (50,), key=R.key(0), method="eigh")
    np.testing.assert_allclose(x[:, 0], x[:, 1], atol=1e-5)
    assert float(ft.abs(x).max()) > 1


def test_derivatives_of_multivariate_normal():
    def variance(cov):
        return (R.multivariate_normal(ft.zeros(3), cov, (COUNT,), ft.float64, R.key(1))[:, 1] ** 2).mean()

    slope = np.asarray(ft.grad(variance)(ft.array(COV, dtype=ft.float64)))
    expected = np.zeros((3, 3))
    expected[1, 1] = 1
    np.testing.assert_allclose(slope, expected, atol=0.03)
    by_mean = ft.grad(lambda mean: R.multivariate_normal(mean, COV, (4,), key=R.key(0)).sum())(ft.zeros(3))
    assert by_mean.tolist() == [4, 4, 4]


@pytest.mark.parametrize(("n", "m"), [(3, None), (4, 2), (2, 4), (1, 1)])
def test_orthogonal(n, m):
    q = np.asarray(R.orthogonal(n, (5,), ft.float64, R.key(0), m=m))
    assert q.shape == (5, n, n if m is None else m)
    small = q @ q.swapaxes(1, 2) if q.shape[1] <= q.shape[2] else q.swapaxes(1, 2) @ q
    np.testing.assert_allclose(small, np.broadcast_to(np.eye(small.shape[-1]), small.shape), atol=1e-12)


def test_orthogonal_matrices_are_uniform():
    """In 3 dimensions, each element of a uniform one is uniform in [-1, 1] (Archimedes)."""
    q = np.asarray(R.orthogonal(3, (5000,), key=R.key(7)), np.float64)
    for element in q.reshape(-1, 9).T:
        assert scipy.stats.kstest(element, scipy.stats.uniform(-1, 2).cdf).pvalue > 1e-3
    assert abs(np.mean(np.linalg.det(q) > 0) - 0.5) < 0.03


@pytest.mark.parametrize("p", [1.0, 2.0, 5.0])
def test_ball(p):
    """The norm to the power of the dimension is uniform, and so is the direction among its reflections."""
    x = np.asarray(R.ball(3, p, (COUNT,), key=R.key(4)), np.float64)
    radius = (np.abs(x) ** p).sum(axis=1) ** (1 / p)
    assert scipy.stats.kstest(radius**3, "uniform").pvalue > 1e-3
    assert np.abs((np.sign(x)).mean(axis=0)).max() < 0.03
    assert scipy.stats.ks_2samp(x[:, 0], x[:, 2]).pvalue > 1e-3
    assert R.ball(2, ft.array([1.0, 2.0]), key=R.key(0)).shape == (2, 2)


@pytest.mark.parametrize("p", [0.7, 1.0, 2.0, 4.0])
def test_generalized_normal(p):
    x = np.asarray(R.generalized_normal(p, (COUNT,), key=R.key(5)), np.float64)
    assert scipy.stats.kstest(x, scipy.stats.gennorm(p).cdf).pvalue > 1e-3


def test_each_lane_draws_what_it_would_alone():
    keys = R.split(R.key(5), 3)
    for draw in (
        lambda key: R.multivariate_normal(ft.zeros(3), COV, (2,), key=key),
        lambda key: R.orthogonal(3, key=key),
        lambda key: R.ball(3, 1.5, (2,), key=key),
    ):
        together = ft.jit(ft.vmap(draw))(keys)
        for i in range(3):
            np.testing.assert_allclose(together[i], draw(keys[i]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda key: R.multivariate_normal(ft.zeros(2), ft.eye(3), key=key),
            ValueError,
            r"multivariate_normal: mean must have shape \(..., n\) and cov \(..., n, n\), got \(2,\) and",
        ),
        (
            lambda key: R.multivariate_normal(ft.zeros(2), ft.eye(2), key=key, method="lu"),
            ValueError,
            "multivariate_normal: method must be one of",
        ),
        (
            lambda key: R.multivariate_normal(ft.zeros(2), ft.eye(2), dtype=ft.float16, key=key),
            TypeError,
            "multivariate_normal: .*float16",
        ),
        (lambda key: R.orthogonal(2.5, key=key), TypeError, "orthogonal: n must be an integer"),
        (lambda key: R.ball(0, key=key), ValueError, "ball: d must be at least 1, got 0"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call(R.key(0))
