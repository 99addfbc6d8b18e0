"""Random numbers: bit for bit JAX's where promised, and the distributions' moments."""

import numpy as np
import pytest
import scipy.special
import scipy.stats

import ftrans as ft

KEY = 42
SHAPES = [(), (1,), (5,), (3, 4)]


@pytest.fixture(scope="module")
def jax():
    module = pytest.importorskip("jax")
    module.config.update("jax_threefry_partitionable", True)
    before = module.config.read("jax_disable_most_optimizations")  # without them, JAX rounds in other places
    module.config.update("jax_disable_most_optimizations", False)
    module.clear_caches()
    yield module
    module.config.update("jax_disable_most_optimizations", before)


def _same(out, expected):
    np.testing.assert_array_equal(np.asarray(out), np.asarray(expected))


def test_keys_are_jaxs(jax):
    for seed in (0, 1, 2**31 - 1):
        _same(ft.random.key(seed), jax.random.PRNGKey(seed))
    key, theirs = ft.random.key(KEY), jax.random.PRNGKey(KEY)
    for num in (1, 2, 7, (2, 3)):
        _same(ft.random.split(key, num), jax.random.split(theirs, num))
    for data in (0, 1, 12345):
        _same(ft.random.fold_in(key, data), jax.random.fold_in(theirs, data))


@pytest.mark.parametrize("shape", SHAPES)
def test_numbers_are_jaxs(jax, shape):
    key, theirs = ft.random.key(KEY), jax.random.PRNGKey(KEY)
    for width, dtype in ((1, "uint8"), (2, "uint16"), (4, "uint32")):
        _same(ft.random.bits(shape, width, key=key), jax.random.bits(theirs, shape, dtype))
    for dtype in ("float32", "float16", "bfloat16"):
        _same(ft.random.uniform(-1, 3, shape, dtype, key), jax.random.uniform(theirs, shape, dtype, -1, 3))
    _same(ft.random.randint(-3, 50, shape, key=key), jax.random.randint(theirs, shape, -3, 50))
    _same(ft.random.bernoulli(0.3, shape, key=key), jax.random.bernoulli(theirs, 0.3, shape))


def _ulps(ours, theirs):
    """The distances in units of the last place of the larger of both."""
    ours, theirs = (np.asarray(x, np.float64) for x in (ours, theirs))
    return np.abs(ours - theirs) / np.spacing(np.maximum(np.abs(ours), np.abs(theirs)).astype(np.float32))


@pytest.mark.parametrize("seed", [0, 1, KEY, 2**31 - 1])
def test_normal_numbers_are_jaxs(jax, seed):
    key, theirs, shape = ft.random.key(seed), jax.random.PRNGKey(seed), (1_000_000,)
    _same(ft.random.normal(shape, key=key), jax.random.normal(theirs, shape))


def test_uniform_and_truncated_numbers_are_jaxs(jax):
    """Where a bound is no power of two, the product and the sum are rounded once."""
    key, theirs, shape = ft.random.key(KEY), jax.random.PRNGKey(KEY), (200_000,)
    for low, high in ((0.1, 0.7), (-1.3, 0.9), (-3.3, 0.01)):
        _same(
            ft.random.uniform(low, high, shape, key=key),
            jax.random.uniform(theirs, shape, "float32", low, high),
        )
    for low, high in ((-2.0, 2.0), (-1.0, 3.0), (-np.inf, 0.5)):
        _same(
            ft.random.truncated_normal(low, high, shape, key=key),
            jax.random.truncated_normal(theirs, low, high, shape),
        )
    # exp and sqrt are more accurate here
    ours, jaxs = ft.random.lognormal(0.5, shape, key=key), jax.random.lognormal(theirs, 0.5, shape)
    assert _ulps(ours, jaxs).max() <= 2
    assert _ulps(ft.random.maxwell(shape, key=key), jax.random.maxwell(theirs, shape)).max() <= 2


@pytest.mark.parametrize(("dtype", "precision"), [("bfloat16", 2.0**-7), ("float16", 2.0**-10)])
def test_half_normal_numbers_are_nearly_jaxs(jax, dtype, precision):
    """JAX rounds the quantile in between, so both differ in the last place."""
    key, theirs, shape = ft.random.key(KEY), jax.random.PRNGKey(KEY), (20_000,)
    ours, jaxs = ft.random.normal(shape, dtype, key=key), jax.random.normal(theirs, shape, dtype)
    assert str(ours.dtype) == dtype
    np.testing.assert_allclose(np.asarray(ours, np.float64), np.asarray(jaxs, np.float64), rtol=2 * precision)


def test_normal_numbers_are_quantiles():
    """Of the uniform numbers that they are made of, up to the error of Giles' polynomials in float32."""
    low, key = np.nextafter(np.float32(-1), np.float32(0)), ft.random.key(1)
    u = np.asarray(ft.random.uniform(low, 1, (50_000,), key=key), np.float64)
    expected = np.sqrt(2) * scipy.special.erfinv(u)
    np.testing.assert_allclose(np.asarray(ft.random.normal((50_000,), key=key)), expected, rtol=5e-6)
    u = np.asarray(ft.random.uniform(np.nextafter(-1.0, 0.0), 1, (5000,), ft.float64, key))
    expected = np.sqrt(2) * scipy.special.erfinv(u)
    np.testing.assert_allclose(ft.random.normal((5000,), ft.float64, key=key), expected, rtol=1e-13)


def test_64_bit_numbers_are_jaxs(jax):
    with jax.enable_x64(True):
        theirs = jax.random.PRNGKey(KEY)
        key = ft.random.key(KEY)
        _same(ft.random.bits((5,), 8, key=key), jax.random.bits(theirs, (5,), "uint64"))
        _same(
            ft.random.uniform(shape=(5,), dtype=ft.float64, key=key),
            jax.random.uniform(theirs, (5,), "float64"),
        )


def test_moments():
    key, n = ft.random.key(7), 20_000
    draws = {
        "norm": ft.random.normal((n,), key=key),
        "laplace": ft.random.laplace((n,), key=key),
        "gumbel_r": ft.random.gumbel((n,), key=key),
        "expon": ft.random.exponential((n,), key=key),
        "uniform": ft.random.uniform(shape=(n,), key=key),
    }
    for name, x in draws.items():
        assert scipy.stats.kstest(np.asarray(x, np.float64), name).pvalue > 1e-3, name
    x = np.asarray(ft.random.truncated_normal(-1, 2, (n,), key=key))
    assert x.min() > -1
    assert x.max() < 2
    assert scipy.stats.kstest(x.astype(np.float64), scipy.stats.truncnorm(-1, 2).cdf).pvalue > 1e-3
    assert abs(np.asarray(ft.random.normal((n,), loc=3.0, scale=2.0, key=key)).mean() - 3) < 0.1


def test_randint_covers_its_range():
    x = np.asarray(ft.random.randint(-2, 3, (5000,), key=ft.random.key(0)))
    assert set(x.tolist()) == {-2, -1, 0, 1, 2}
    assert ft.random.randint(0, 128, (3,), dtype=ft.int8, key=ft.random.key(0)).dtype is ft.int8


def test_permutation_and_choice():
    key = ft.random.key(3)
    assert sorted(ft.random.permutation(10, key=key).tolist()) == list(range(10))
    x = ft.arange(6).reshape(2, 3)
    columns = np.asarray(ft.random.permutation(x, axis=1, key=key)).T.tolist()
    assert sorted(columns) == np.asarray(x).T.tolist()
    drawn = ft.random.choice(8, (8,), replace=False, key=key).tolist()
    assert sorted(drawn) == list(range(8))
    p = np.array([0.0, 0.5, 0.0, 0.5], np.float32)
    for replace, shape in ((True, (100,)), (False, (2,))):
        drawn = ft.random.choice(4, shape, replace, p, key=key).tolist()
        assert set(drawn) == {1, 3}
    assert ft.random.choice(x, (4, 5), axis=1, key=key).shape == (2, 4, 5)
    with pytest.raises(ValueError, match="cannot draw 9 of 8 without replacement"):
        ft.random.choice(8, (9,), replace=False, key=key)


def test_categorical():
    logits = ft.log(ft.array([0.1, 0.0, 0.9]))
    drawn = np.asarray(ft.random.categorical(logits, shape=(5000,), key=ft.random.key(1)))
    counts = np.bincount(drawn, minlength=3) / 5000
    np.testing.assert_allclose(counts, [0.1, 0, 0.9], atol=0.02)
    assert ft.random.categorical(ft.zeros((4, 3)), axis=0, num_samples=6, key=ft.random.key(1)).shape == (
        3,
        6,
    )
    assert ft.random.categorical(ft.zeros((4, 3)), key=ft.random.key(1)).shape == (4,)


def test_global_key():
    ft.random.seed(5)
    first = ft.random.normal((3,)).tolist()
    second = ft.random.normal((3,)).tolist()
    ft.random.seed(5)
    assert ft.random.normal((3,)).tolist() == first != second


def test_implicit_key_while_tracing():
    for transform in (ft.vmap, ft.jit):
        with pytest.raises(ValueError, match=r"normal: give key= inside of jit, vmap"):
            transform(lambda x: x + ft.random.normal())(ft.ones(3))
    assert ft.grad(lambda x: x * ft.random.uniform())(1.0).shape == ()


def test_keys_under_vmap():
    keys = ft.random.split(ft.random.key(0), 3)
    out = ft.vmap(lambda k: ft.random.normal((2,), key=k))(keys)
    for i in range(3):
        _same(out[i], ft.random.normal((2,), key=keys[i]))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: ft.random.normal(key=ft.ones(2)),
            ValueError,
            "normal: key must be a uint32 array of shape",
        ),
        (lambda: ft.random.normal(key=3), ValueError, "normal: key must be a uint32 array"),
        (
            lambda: ft.random.normal(ft.random.key(0), (3,)),
            TypeError,
            r"normal: shape must be an int or a tuple of ints, got a uint32 array; a key goes into key=",
        ),
        (
            lambda: ft.random.uniform(dtype=ft.int32, key=ft.random.key(0)),
            TypeError,
            "dtype must be a real floating",
        ),
        (
            lambda: ft.random.uniform(ft.zeros(3), 1, (2,), key=ft.random.key(0)),
            ValueError,
            "do not broadcast",
        ),
        (lambda: ft.random.key(1.5), TypeError, "key: seed must be an integer"),
        (lambda: ft.random.bits((), 3, key=ft.random.key(0)), ValueError, "width must be 1, 2, 4 or 8"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
