"""Perturbation confusion: an inner derivative must not take an outer tangent for its own, nor the reverse."""

import numpy as np

import ftrans as ft


def _derivative(f):
    """The forward-mode derivative of a scalar function."""
    return lambda x: ft.jvp(f, (x,), (ft.ones_like(x),))[1]


def _scalar(value):
    return ft.array(value, dtype=ft.float64)


def _modes():
    return (("reverse", ft.grad), ("forward", _derivative))


def test_inner_derivative_of_a_closed_over_variable():
    # d/dx [x · d/dy (x + y)] = 1; a system that confuses the perturbations answers 2.
    for outer_name, outer in _modes():
        for inner_name, inner in _modes():
            f = outer(lambda x, inner=inner: x * inner(lambda y: x + y)(_scalar(1.0)))
            assert float(f(_scalar(1.0))) == 1.0, (outer_name, inner_name)


def test_inner_derivative_at_the_outer_point():
    # d/dx [x · (d/dy x·y at y = x)] = d/dx x² = 2x, and d/dy must treat the outer x as a constant.
    for outer_name, outer in _modes():
        for inner_name, inner in _modes():
            f = outer(lambda x, inner=inner: x * inner(lambda y: x * y)(x))
            assert float(f(_scalar(3.0))) == 6.0, (outer_name, inner_name)


def test_three_levels_keep_apart():
    # ∂³/∂x∂y∂z of x·y²·z³ at one point: 2y · 3z² = 6·y·z².
    for _, first in _modes():
        for _, second in _modes():
            for _, third in _modes():
                f = first(
                    lambda x, second=second, third=third: second(
                        lambda y: third(lambda z: x * y**2 * z**3)(_scalar(2.0))
                    )(_scalar(3.0))
                )
                np.testing.assert_allclose(float(f(_scalar(5.0))), 6 * 3 * 4, rtol=1e-14)


def test_closure_returned_through_a_derivative():
    # The function built inside keeps the outer variable alive as a constant of the inner trace.
    def f(x):
        shifted = [lambda y, k=k: x * y**k for k in (1, 2, 3)]
        return sum(ft.grad(g)(_scalar(2.0)) for g in shifted)

    np.testing.assert_allclose(float(ft.grad(f)(_scalar(7.0))), 1 + 4 + 12, rtol=1e-14)


def test_mapped_variable_is_constant_inside():
    xs = ft.array([1.0, 2.0, 3.0], dtype=ft.float64)
    result = ft.vmap(lambda x: ft.grad(lambda y: x * y * y)(x))(xs)
    np.testing.assert_allclose(np.asarray(result), 2 * np.asarray(xs) ** 2, rtol=1e-14)


def test_nested_maps_over_each_others_variables():
    xs, ys = ft.array([1.0, 2.0], dtype=ft.float64), ft.array([3.0, 5.0, 7.0], dtype=ft.float64)
    table = ft.vmap(lambda x: ft.vmap(lambda y: x * y + x)(ys))(xs)
    np.testing.assert_array_equal(
        np.asarray(table), np.multiply.outer(np.asarray(xs), np.asarray(ys)) + np.asarray(xs)[:, None]
    )


def test_jit_inside_derivative_closes_over_its_variable():
    def f(x):
        return ft.jit(lambda y: x * y)(_scalar(4.0)) * x

    np.testing.assert_allclose(float(ft.grad(f)(_scalar(3.0))), 24.0, rtol=1e-14)
    np.testing.assert_allclose(float(ft.grad(ft.grad(f))(_scalar(3.0))), 8.0, rtol=1e-14)


def test_python_branch_sees_the_value_under_nested_derivatives():
    def f(x):
        return x**3 if x > 0 else -x

    assert float(ft.grad(ft.grad(f))(_scalar(2.0))) == 12.0
    assert float(ft.grad(f)(_scalar(-2.0))) == -1.0
    assert float(_derivative(ft.grad(f))(_scalar(2.0))) == 12.0
