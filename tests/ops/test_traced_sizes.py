"""Results whose shape depends on values: found on concrete arrays, given as `size` under jit and vmap."""

import numpy as np
import pytest

import ftrans as ft

X = ft.array([3.0, -1.0, 2.0, 3.0])

#: function of a vector without a size, and what the error shows.
UNSIZED = {
    "unique": (ft.unique, "ft.unique(x, size=n)"),
    "unique_values": (ft.unique_values, "ft.unique_values(x, size=n)"),
    "unique_all": (ft.unique_all, "ft.unique_all(x, size=n)"),
    "nonzero": (ft.nonzero, "ft.nonzero(x, size=n)"),
    "flatnonzero": (ft.flatnonzero, "ft.flatnonzero(x, size=n)"),
    "argwhere": (ft.argwhere, "ft.argwhere(x, size=n)"),
    "compress": (lambda x: ft.compress(x > 0, x), "ft.compress(condition, x, size=n)"),
    "extract": (lambda x: ft.extract(x > 0, x), "ft.extract(condition, x, size=n)"),
    "union1d": (lambda x: ft.union1d(x, x), "ft.union1d(x1, x2, size=n)"),
    "setdiff1d": (lambda x: ft.setdiff1d(x, x), "ft.setdiff1d(x1, x2, size=n)"),
    "intersect1d": (lambda x: ft.intersect1d(x, x), "ft.intersect1d(x1, x2, size=n)"),
    "unique_counts": (ft.unique_counts, "ft.unique_counts(x, size=n)"),
    "unique_inverse": (ft.unique_inverse, "ft.unique_inverse(x, size=n)"),
    "bincount": (lambda x: ft.bincount(ft.astype(x, ft.int32)), "ft.bincount(x, length=n)"),
    "mask": (lambda x: x[x > 0], "x[ft.nonzero(mask, size=n)]"),
    "delete": (lambda x: ft.delete(x, ft.astype(x, ft.int32)), "static_argnums"),
    "insert": (lambda x: ft.insert(x, ft.astype(x, ft.int32), 1.0), "static_argnums"),
    "repeat": (lambda x: ft.repeat(x, ft.astype(x, ft.int32)), "static_argnums"),
    "choose": (lambda x: ft.choose(ft.astype(x, ft.int32), [x, x]), "mode='clip'"),
}


@pytest.mark.parametrize("name", UNSIZED)
@pytest.mark.parametrize("transform", [ft.jit, ft.vmap])
def test_error_shows_the_way_out(transform, name):
    function, way_out = UNSIZED[name]
    x = X if transform is ft.jit else ft.stack([X, X])
    with pytest.raises(ft.ConcretizationError) as caught:
        transform(function)(x)
    assert way_out in str(caught.value)


def _sized(x):
    values, first, inverse, counts = ft.unique(x, True, True, True, size=5, fill_value=-7.0)
    return {
        "unique": (values, first, inverse, counts),
        "nonzero": ft.nonzero(x > 0, size=3),
        "argwhere": ft.argwhere(x > 0, size=2),
        "mask": x[ft.nonzero(x > 0, size=3)],
        "compress": ft.compress(x > 0, x, size=5, fill_value=0.5),
        "union1d": ft.union1d(x, x + 1, size=6),
        "intersect1d": ft.intersect1d(x, x + 1, size=2, fill_value=9.0),
        "bincount": ft.bincount(ft.astype(x, ft.int32), length=4),
    }


EXPECTED = {
    "unique": ([-1, 2, 3, -7, -7], [1, 2, 0, 3, 3], [2, 0, 1, 2], [1, 1, 2, 0, 0]),
    "nonzero": ([0, 2, 3],),
    "argwhere": [[0], [2]],
    "mask": [3, 2, 3],
    "compress": [3, 2, 3, 0.5, 0.5],
    "union1d": [-1, 0, 2, 3, 4, -1],
    "intersect1d": [3, 9],
    "bincount": [0, 0, 1, 2],
}


@pytest.mark.parametrize("name", EXPECTED)
@pytest.mark.parametrize("transform", [lambda f: f, ft.jit, lambda f: lambda x: ft.vmap(f)(x[None])])
def test_size_is_given(transform, name):
    result = transform(lambda x: _sized(x)[name])(X)
    expected = EXPECTED[name]
    pairs = zip(result, expected, strict=True) if isinstance(expected, tuple) else [(result, expected)]
    for actual, value in pairs:
        np.testing.assert_array_equal(np.asarray(actual).reshape(np.shape(value)), value)


@pytest.mark.parametrize(
    ("function", "gradient"),
    [
        (lambda x: ft.sum(x[ft.nonzero(x > 0)] ** 2), [6, 0, 4, 6]),
        (lambda x: ft.sum(x[x > 0] ** 2), [6, 0, 4, 6]),
        (lambda x: ft.sum(ft.compress(x > 0, x) ** 2), [6, 0, 4, 6]),
        (lambda x: ft.sum(ft.unique(x) * ft.array([1.0, 2.0, 3.0])), [3, 1, 2, 0]),
        (lambda x: ft.sum(ft.unique_values(x) ** 2), [6, -2, 4, 0]),
        (lambda x: ft.sum(ft.union1d(x, x + 10) ** 2), [32, 16, 28, 0]),
        (lambda x: ft.sum(ft.union1d(x, x + 10, size=9, fill_value=0.0) ** 2), [32, 16, 28, 0]),
    ],
)
def test_gradient_on_concrete_arrays(function, gradient):
    np.testing.assert_allclose(np.asarray(ft.grad(function)(X)), gradient, rtol=1e-6)


def test_update_in_place_through_a_mask():
    def changed(x):
        y = ft.copy(x)
        y[y > 0] *= 2
        return y

    assert changed(X).tolist() == [6, -1, 4, 6]
    assert ft.grad(lambda x: ft.sum(changed(x)))(X).tolist() == [2, 1, 2, 2]
    assert ft.jit(changed)(X).tolist() == [6, -1, 4, 6]
    assert ft.jit(lambda x: x.at[x > 0].multiply(2.0))(X).tolist() == [6, -1, 4, 6]


def test_unique_of_nan():
    x = ft.array([float("nan"), 1.0, float("nan")])
    assert ft.unique(x).shape == (2,)
    assert ft.unique(x, equal_nan=False).shape == (3,)
    assert ft.unique_counts(x).counts.tolist() == [1, 1, 1]


def test_unique_of_complex_numbers_and_of_nothing():
    x = np.array([1 + 2j, 1 - 1j, 0, 1 + 2j])
    values, inverse = ft.unique(ft.array(x), return_inverse=True)
    np.testing.assert_array_equal(np.asarray(values), np.unique(x))
    np.testing.assert_array_equal(np.asarray(values)[np.asarray(inverse)], x)
    values, counts = ft.unique(ft.zeros(0), return_counts=True)
    assert values.shape == counts.shape == (0,)
    assert ft.unique(ft.zeros(0), size=2, fill_value=3.0).tolist() == [3, 3]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("axis", [None, 0, 1])
def test_unique_like_numpy(seed, axis):
    x = np.random.default_rng(seed).integers(0, 3, (5, 4))
    results = ft.unique(ft.array(x), True, True, True, axis)
    for actual, expected in zip(results, np.unique(x, True, True, True, axis), strict=True):
        np.testing.assert_array_equal(np.asarray(actual).reshape(expected.shape), expected)


def test_arange_of_a_traced_number_says_what_to_do():
    with pytest.raises(ft.ConcretizationError, match="static_argnums"):
        ft.jit(lambda n: ft.arange(n))(3)
    with pytest.raises(ft.ConcretizationError, match="static_argnums"):
        ft.jit(lambda n: ft.arange(n))(3.0)
