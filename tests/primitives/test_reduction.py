"""Ties, zeros, NaN and empty axes of reductions and scans."""

import math

import numpy as np
import pytest

import ftrans as ft
from tests.primitives.numpy_bridge import apply, array, function, gradient


@pytest.mark.parametrize("name", ["reduce_max", "reduce_min"])
def test_extremum_shares_its_derivative_among_ties(name):
    x = np.array([[1.0, 4.0, 4.0, 4.0], [2.0, 2.0, 3.0, 2.0]])
    mask = x == (x.max if name == "reduce_max" else x.min)(axis=1, keepdims=True)
    np.testing.assert_allclose(gradient(function(name, axes=(1,)), x), mask / mask.sum(1, keepdims=True))


def _product_gradient(x):
    return np.array([np.prod(np.delete(x, i)) for i in range(len(x))])


@pytest.mark.parametrize(
    "values", [[2.0, 3.0, 4.0], [2.0, 0.0, 4.0], [0.0, 3.0, 0.0], [0.0, 0.0, 0.0], [5.0]]
)
def test_product_derivatives_with_zeros(values):
    f = function("reduce_prod", axes=(0,))
    np.testing.assert_array_equal(gradient(f, values), _product_gradient(values))
    n = len(values)
    hessian = [[0 if i == j else np.prod(np.delete(values, [i, j])) for j in range(n)] for i in range(n)]
    np.testing.assert_array_equal(np.asarray(ft.hessian(f)(array(values))), hessian)
    tangents = np.arange(1.0, n + 1)
    tangent = ft.jvp(f, (array(values),), (array(tangents),))[1]
    assert float(tangent) == _product_gradient(values) @ tangents


@pytest.mark.parametrize("reverse", [False, True])
def test_cumprod_derivatives_with_zeros(reverse):
    values = np.array([2.0, 0.0, 3.0, 0.0, 5.0])
    jacobian = np.asarray(ft.jacrev(function("cumprod", axis=0, reverse=reverse))(array(values)))
    for k in range(5):
        taken = range(k, 5) if reverse else range(k + 1)
        for i in range(5):
            expected = np.prod([values[j] for j in taken if j != i]) if i in taken else 0
            assert jacobian[k, i] == expected
    np.testing.assert_array_equal(
        np.asarray(ft.jacfwd(function("cumprod", axis=0, reverse=reverse))(array(values))), jacobian
    )


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("name", ["cummax", "cummin"])
def test_running_extremum_credits_the_latest_tie(name, reverse):
    values = [1.0, 3.0, 3.0, 2.0, 4.0] if name == "cummax" else [4.0, 2.0, 2.0, 3.0, 1.0]
    values = values[::-1] if reverse else values
    got = gradient(function(name, axis=0, reverse=reverse), values)
    expected = [1, 1, 2, 0, 1]
    np.testing.assert_array_equal(got, expected[::-1] if reverse else expected)


def test_argmax_takes_the_first_and_nan_first_of_all():
    x = np.array([[1.0, 5.0, 5.0], [1.0, math.nan, 7.0]])
    np.testing.assert_array_equal(apply("argmax", x, axis=1), [1, 1])
    np.testing.assert_array_equal(apply("argmin", -x, axis=1), [1, 1])


def test_empty_axes():
    empty = np.zeros((2, 0))
    np.testing.assert_array_equal(apply("reduce_prod", empty, axes=(1,)), 1)
    with pytest.raises(ValueError, match=r"reduce_max: axes \(1,\) of shape \(2, 0\) are empty"):
        apply("reduce_max", empty, axes=(1,))
    assert apply("reduce_max", empty, axes=(0,)).shape == (0,)


def test_axes_are_checked():
    with pytest.raises(ValueError, match=r"reduce_sum: axes must be distinct and in \[0, 1\), got \(1,\)"):
        apply("reduce_sum", np.ones(3), axes=(1,))


def test_sort_is_stable_with_nan_last():
    key = np.array([2.0, math.nan, 1.0, 2.0, -0.0, 0.0])
    position = np.arange(6, dtype=np.int32)
    sorted_key, order = apply("sort", key, position, axis=0, num_keys=1)
    np.testing.assert_array_equal(order, [4, 5, 2, 0, 3, 1])
    assert math.isnan(sorted_key[-1])


def test_sort_breaks_ties_with_further_keys():
    first, second = np.array([1, 0, 1, 0], np.int32), np.array([5.0, 3.0, 4.0, 2.0])
    got = apply("sort", first, second, axis=0, num_keys=2)
    np.testing.assert_array_equal(got[1], [2, 3, 4, 5])


def test_sort_derivative_follows_the_permutation_of_ties():
    def f(x):
        return function("sort", axis=0, num_keys=1)(x)[0]

    jacobian = np.asarray(ft.jacrev(f)(array([2.0, 1.0, 2.0, 1.0])))
    np.testing.assert_array_equal(jacobian.argmax(1), [1, 3, 0, 2])
