"""Solutions of equations: values and derivatives against closed forms, in every composition."""

import numpy as np
import pytest

import ftrans as ft

A = np.array([[4.0, 1.0, 0.5], [0.2, 3.0, -0.4], [0.1, 0.3, 5.0]])
B = np.array([1.0, -2.0, 0.5])


def same(actual, expected, tolerance=1e-10):
    # The iterations below stop at 1e-14 or thereabouts, on well-conditioned problems.
    np.testing.assert_allclose(np.asarray(actual), np.asarray(expected), rtol=tolerance, atol=tolerance)


def jacobi(matvec, b):
    """A fixed number of steps, so that it can be compiled and vectorised."""
    diagonal = ft.array([4.0, 3.0, 5.0], dtype=ft.float64)
    x = b / diagonal
    for _ in range(60):
        x = x + (b - matvec(x)) / diagonal
    return x


def until_converged(matvec, b):
    """It branches on values."""
    x = 0.2 * b
    while float(ft.max(ft.abs(b - matvec(x)))) > 1e-14:
        x = x + 0.2 * (b - matvec(x))
    return x


def solution(a, b, solve=jacobi):
    return ft.custom_linear_solve(lambda x: a @ x, b, solve, solve)


def loss(a, b, solve=jacobi):
    return ft.sum(solution(a, b, solve) ** 3)


def exact_loss(a, b):
    """By Cramer's rule, of operations that are differentiated one by one."""

    def det(m):
        return ft.sum(ft.cross(m[0], m[1]) * m[2])

    columns = [ft.stack([b if i == j else a[:, i] for i in range(3)]) for j in range(3)]
    return ft.sum(ft.stack([det(c) for c in columns]) ** 3) / det(ft.matrix_transpose(a)) ** 3


@pytest.mark.parametrize("solve", [jacobi, until_converged])
def test_linear_solve_derivatives(solve):
    def f(a, b):
        return loss(a, b, solve)

    same(solution(A, B, solve), np.linalg.solve(A, B))
    for actual, expected in zip(ft.grad(f, (0, 1))(A, B), ft.grad(exact_loss, (0, 1))(A, B), strict=True):
        same(actual, expected)
    tangents = (A**2, B + 1.0)
    same(ft.jvp(f, (A, B), tangents)[1], ft.jvp(exact_loss, (A, B), tangents)[1])
    for actual, expected in zip(
        ft.hvp(f, (A, B), tangents), ft.hvp(exact_loss, (A, B), tangents), strict=True
    ):
        same(actual, expected)


def test_linear_solve_composes():
    as_ = np.stack([A, A + 0.1])
    bs = np.stack([B, 2.0 * B])
    expected = np.stack([ft.grad(exact_loss)(a, b) for a, b in zip(as_, bs, strict=True)])
    same(ft.vmap(ft.grad(loss))(as_, bs), expected)
    same(ft.jit(ft.vmap(ft.grad(loss)))(as_, bs), expected)
    same(ft.vmap(ft.jit(ft.grad(loss)))(as_, bs), expected)
    same(ft.grad(lambda a: ft.sum(ft.vmap(loss)(a, bs)))(as_), expected)
    same(ft.vmap(solution, (None, 0))(A, bs), np.stack([np.linalg.solve(A, b) for b in bs]))
    same(ft.jacfwd(solution, 1)(A, B), np.linalg.inv(A))
    same(ft.jacrev(solution, 1)(A, B), np.linalg.inv(A))
    same(ft.hessian(loss, 1)(A, B), ft.hessian(exact_loss, 1)(A, B))


def test_symmetric_system_trees_and_aux():
    def solve(matvec, b):
        scale = matvec({"u": 1.0 + 0.0 * b["u"], "v": 1.0 + 0.0 * b["v"]})
        return {"u": b["u"] / scale["u"], "v": b["v"] / scale["v"]}, {"scale": scale}

    def f(p, b):
        x, aux = ft.custom_linear_solve(
            lambda x: {"u": p * x["u"], "v": 2.0 * x["v"]}, b, solve, symmetric=True, has_aux=True
        )
        return ft.sum(x["u"]) + ft.sum(x["v"]), aux

    b = {"u": B, "v": np.float64(3.0)}
    for transform in (lambda g: g, ft.jit):
        (gp, gb), aux = transform(ft.grad(f, (0, 1), has_aux=True))(np.float64(4.0), b)
        same(gp, -np.sum(B) / 16)
        same(gb["u"], np.full(3, 0.25))
        same(gb["v"], 0.5)
        same(aux["scale"]["u"], np.full(3, 4.0))


def test_solvers_may_close_over_what_is_differentiated():
    # As one that factorises the matrix beforehand does: it counts as a constant.
    def f(a, b):
        factors = ft.exp(-ft.log(a))
        return ft.custom_linear_solve(lambda x: a * x, b, lambda _, b: b * factors, lambda _, b: b * factors)

    a = np.array([2.0, 4.0, 5.0])
    for g in (f, ft.jit(f)):
        same(ft.jacrev(g)(a, B), np.diag(-B / a**2))
        same(ft.jacfwd(g)(a, B), np.diag(-B / a**2))
        same(ft.vmap(ft.grad(lambda x, y, g=g: g(x, y)))(a, B), -B / a**2)
    same(ft.jit(ft.vmap(ft.grad(ft.jit(f))))(a, B), -B / a**2)


def test_solvers_that_close_over_what_is_transformed_elsewhere():
    def f(a, solve_with):
        return ft.custom_linear_solve(lambda x: 2.0 * x, B, lambda _, b: b / solve_with(a), symmetric=True)

    with pytest.raises(TypeError, match="apply stop_gradient to it"):
        ft.jacfwd(lambda a: f(a, lambda a: a))(np.float64(2.0))
    same(ft.jacfwd(lambda a: a * f(a, ft.stop_gradient))(np.float64(2.0)), B / 2)


def test_linear_solve_errors():
    with pytest.raises(TypeError, match="must be linear, but sin is not a linear operation"):
        ft.custom_linear_solve(ft.sin, B, jacobi)
    with pytest.raises(TypeError, match="combines what is linear with a constant"):
        ft.custom_linear_solve(lambda x: x + 1.0, B, jacobi)
    with pytest.raises(TypeError, match="structure of its argument"):
        ft.custom_linear_solve(lambda x: (x,), B, jacobi)
    with pytest.raises(TypeError, match="like its argument"):
        ft.custom_linear_solve(ft.sum, B, jacobi)
    with pytest.raises(TypeError, match="x must be real or complex"):
        ft.custom_linear_solve(lambda x: x, np.arange(3), jacobi)
    with pytest.raises(TypeError, match="needs transpose_solve"):
        ft.grad(lambda b: ft.sum(ft.custom_linear_solve(lambda x: A @ x, b, jacobi)))(B)
    with pytest.raises(ValueError, match=r"solution that solve returns must have shape \(3,\), got \(2,\)"):
        ft.custom_linear_solve(lambda x: x, B, lambda m, b: b[:2])
    with pytest.raises(ft.ConcretizationError, match="which has none while"):
        ft.jit(lambda b: solution(A, b, until_converged))(B)
    with pytest.raises(ft.ConcretizationError, match="needs the value"):
        ft.vmap(lambda b: solution(A, b, until_converged))(np.stack([B, B]))


def newton(f, x):
    for _ in range(40):
        value, slope = ft.jvp(f, (x,), (ft.ones_like(x),))
        x = x - value / slope
    return x


def cube_root(a):
    return ft.custom_root(lambda x: x**3 - a, ft.ones_like(a), newton, lambda g, y: y / g(ft.ones_like(y)))


@pytest.mark.parametrize("compile_", [lambda f: f, ft.jit])
def test_root(compile_):
    a = np.array([2.0, 5.0, 0.3])
    first, second, third = a ** (-2 / 3) / 3, -2 / 9 * a ** (-5 / 3), 10 / 27 * a ** (-8 / 3)
    same(compile_(cube_root)(a), np.cbrt(a))
    same(compile_(ft.vmap(ft.grad(cube_root)))(a), first)
    same(ft.vmap(compile_(ft.grad(ft.grad(cube_root))))(a), second)
    same(compile_(ft.grad(lambda a: ft.sum(ft.vmap(ft.grad(cube_root))(a))))(a), second)
    same(compile_(ft.jacfwd(ft.jacrev(ft.grad(cube_root))))(a[0]), third[0])
    same(compile_(ft.jacfwd(cube_root))(a), np.diag(first))
    same(compile_(lambda a: ft.jvp(cube_root, (a,), (a,))[1])(a), first * a)


def test_root_of_trees_with_aux_and_a_guess_that_does_not_count():
    def f(p, guess):
        def solve(g, x):
            for _ in range(60):
                r = g(x)
                x = {"a": x["a"] - 0.5 * r["a"], "b": x["b"] - 0.5 * r["b"]}
            return x, ft.sum(x["a"])

        def tangent_solve(g, y):
            x = y
            for _ in range(80):
                r = g(x)
                x = {k: x[k] - 0.5 * (r[k] - y[k]) for k in x}
            return x

        x, aux = ft.custom_root(
            lambda x: {"a": x["a"] - 0.25 * ft.sin(x["b"]) - p, "b": x["b"] - 0.25 * x["a"]},
            guess, solve, tangent_solve, has_aux=True,
        )  # fmt: skip
        return x["a"], aux

    guess = {"a": np.float64(0.0), "b": np.float64(0.0)}
    (gp, gg), aux = ft.grad(f, (0, 1), has_aux=True)(np.float64(0.7), guess)
    a = float(aux)
    same(a - 0.25 * np.sin(a / 4), 0.7)
    same(gp, 1 / (1 - np.cos(a / 4) / 16))
    same(gg["a"], 0.0)
    same(ft.jvp(lambda p: f(p, guess)[0], (np.float64(0.7),), (np.float64(1.0),))[1], gp)


def kepler(e, mean):
    """The eccentric anomaly."""
    return ft.fixed_point(lambda x: mean + e * ft.sin(x), mean, tol=1e-15)


def test_fixed_point():
    e, mean = np.float64(0.3), np.float64(1.2)
    x = float(kepler(e, mean))
    same(x - 0.3 * np.sin(x), 1.2)
    by_e, by_mean = ft.grad(kepler, (0, 1))(e, mean)
    same(by_e, np.sin(x) / (1 - 0.3 * np.cos(x)))
    same(by_mean, 1 / (1 - 0.3 * np.cos(x)))
    second = -0.3 * np.sin(x) / (1 - 0.3 * np.cos(x)) ** 3
    same(ft.grad(ft.grad(kepler, 1), 1)(e, mean), second)
    same(ft.hessian(kepler, 1)(e, mean), second)
    same(ft.jvp(ft.grad(kepler, 1), (e, mean), (0.0 * e, mean / mean))[1], second)


def test_fixed_point_of_a_batch():
    means = np.array([0.5, 1.2, 2.9])
    xs = np.array([float(kepler(np.float64(0.3), m)) for m in means])
    same(ft.vmap(kepler, (None, 0))(np.float64(0.3), means), xs)
    same(ft.vmap(ft.grad(kepler, 1), (None, 0))(np.float64(0.3), means), 1 / (1 - 0.3 * np.cos(xs)))
    batched = ft.jacrev(lambda m: ft.fixed_point(lambda x: m + 0.3 * ft.sin(x), m))(means)
    same(batched, np.diag(1 / (1 - 0.3 * np.cos(xs))))


def test_fixed_point_is_compiled():
    e, mean = np.float64(0.3), np.float64(1.2)
    x = float(kepler(e, mean))
    slope = 1 - 0.3 * np.cos(x)
    same(ft.jit(kepler)(e, mean), x)
    same(ft.jit(ft.grad(kepler, (0, 1)))(e, mean), (np.sin(x) / slope, 1 / slope))
    same(ft.grad(ft.jit(kepler), 1)(e, mean), 1 / slope)
    second = [[ft.grad(ft.grad(kepler, i), j)(e, mean) for j in (0, 1)] for i in (0, 1)]
    same(ft.jit(ft.hessian(kepler, (0, 1)))(e, mean), second)
    same(ft.jit(ft.hessian(kepler, 1))(e, mean), -0.3 * np.sin(x) / slope**3)
    same(ft.scan(lambda total, m: (total + kepler(e, m), None), mean, np.array([mean]))[0], mean + x)


def test_fixed_point_in_a_batch_stops_item_by_item():
    # The last item needs many times the iterations of the first; one of their own each, or they differ.
    rates, targets = np.array([0.0, 0.5, 0.97]), np.array([1.0, 2.0, 1e6])

    def solution(rate, target):
        return ft.fixed_point(lambda x: rate * ft.sin(x) + target, target, tol=1e-12)

    alone = [solution(r, t) for r, t in zip(rates, targets, strict=True)]
    same(ft.vmap(solution)(rates, targets), np.stack([np.asarray(x) for x in alone]))
    slopes = [ft.grad(solution)(r, t) for r, t in zip(rates, targets, strict=True)]
    same(ft.jit(ft.vmap(ft.grad(solution)))(rates, targets), np.stack([np.asarray(x) for x in slopes]))


def test_fixed_point_of_trees_and_of_nothing():
    tree = ft.fixed_point(
        lambda x: {"a": 0.5 * x["a"] + 1.0, "b": 0.25j * x["b"] + 1.0},
        {"a": np.zeros((2, 0)), "b": np.zeros(2, np.complex128)},
    )
    assert tree["a"].shape == (2, 0)
    same(tree["b"], np.full(2, 1 / (1 - 0.25j)))
    assert ft.fixed_point(lambda x: x, ()) == ()


def test_fixed_point_errors():
    with pytest.raises(RuntimeError, match=r"no convergence within 7 iterations .*unknowns by 1, tol"):
        ft.fixed_point(lambda x: 1.0 - x, 0.0, max_iterations=7)
    with pytest.raises(RuntimeError, match="no convergence"):
        ft.fixed_point(lambda x: ft.exp(x) ** 2, 5.0)
    with pytest.raises(RuntimeError, match="no convergence"):
        ft.grad(lambda a: ft.fixed_point(lambda x: a - x, 0.0))(1.0)
    with pytest.raises(TypeError, match="structure of init"):
        ft.fixed_point(lambda x: (x, x), 0.0)


def test_fixed_point_without_convergence_is_nan_where_no_error_can_be():
    def alternating(a):
        return ft.fixed_point(lambda x: a * x + 1.0, a, max_iterations=50)

    with pytest.raises(RuntimeError, match="no convergence"):
        ft.vmap(alternating)(ft.array([0.25, -1.0]))
    found = ft.jit(ft.vmap(alternating))(ft.array([0.25, -1.0]))
    np.testing.assert_allclose(np.asarray(found), [4 / 3, np.nan], rtol=1e-6)
    assert np.isnan(float(ft.jit(alternating)(-1.0)))
