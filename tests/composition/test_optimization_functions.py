"""Gradients and Hessians of classic test functions of optimisation, by every composition of the modes.

Definitions, gradients and Hessians written out by hand or differentiated by finite differences; the functions
are those of Jamil and Yang, "A literature survey of benchmark functions" (arXiv:1308.4008).
"""

import numpy as np
import pytest

import ftrans as ft

POINT = np.array([0.7, -1.3])


def rosenbrock(p):
    x, y = p
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def beale(p):
    x, y = p
    return (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2


def himmelblau(p):
    x, y = p
    return (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2


def booth(p):
    x, y = p
    return (x + 2 * y - 7) ** 2 + (2 * x + y - 5) ** 2


def matyas(p):
    x, y = p
    return 0.26 * (x**2 + y**2) - 0.48 * x * y


def mccormick(p):
    x, y = p
    return ft.sin(x + y) + (x - y) ** 2 - 1.5 * x + 2.5 * y + 1


def goldstein_price(p):
    x, y = p
    first = 1 + (x + y + 1) ** 2 * (19 - 14 * x + 3 * x**2 - 14 * y + 6 * x * y + 3 * y**2)
    second = 30 + (2 * x - 3 * y) ** 2 * (18 - 32 * x + 12 * x**2 + 48 * y - 36 * x * y + 27 * y**2)
    return first * second


def styblinski_tang(p):
    return 0.5 * ft.sum(p**4 - 16 * p**2 + 5 * p)


def rastrigin(p):
    return 10 * 2 + ft.sum(p**2 - 10 * ft.cos(2 * np.pi * p))


def ackley(p):
    radius = ft.sqrt(0.5 * ft.sum(p**2))
    return -20 * ft.exp(-0.2 * radius) - ft.exp(0.5 * ft.sum(ft.cos(2 * np.pi * p))) + np.e + 20


def of_rosenbrock(x, y):
    return (
        [-2 * (1 - x) - 400 * x * (y - x**2), 200 * (y - x**2)],
        [[2 - 400 * y + 1200 * x**2, -400 * x], [-400 * x, 200]],
    )


def of_himmelblau(x, y):
    a, b = x**2 + y - 11, x + y**2 - 7
    return (
        [4 * x * a + 2 * b, 2 * a + 4 * y * b],
        [[4 * a + 8 * x**2 + 2, 4 * (x + y)], [4 * (x + y), 2 + 4 * b + 8 * y**2]],
    )


def of_booth(x, y):
    return [10 * x + 8 * y - 34, 8 * x + 10 * y - 38], [[10, 8], [8, 10]]


def of_matyas(x, y):
    return [0.52 * x - 0.48 * y, 0.52 * y - 0.48 * x], [[0.52, -0.48], [-0.48, 0.52]]


def of_mccormick(x, y):
    c, s = np.cos(x + y), np.sin(x + y)
    return [c + 2 * (x - y) - 1.5, c - 2 * (x - y) + 2.5], [[2 - s, -2 - s], [-2 - s, 2 - s]]


def of_styblinski_tang(*p):
    p = np.array(p)
    return 2 * p**3 - 16 * p + 2.5, np.diag(6 * p**2 - 16)


def of_rastrigin(*p):
    p = np.array(p)
    return 2 * p + 20 * np.pi * np.sin(2 * np.pi * p), np.diag(2 + 40 * np.pi**2 * np.cos(2 * np.pi * p))


ANALYTIC = {
    rosenbrock: of_rosenbrock,
    himmelblau: of_himmelblau,
    booth: of_booth,
    matyas: of_matyas,
    mccormick: of_mccormick,
    styblinski_tang: of_styblinski_tang,
    rastrigin: of_rastrigin,
}
#: Where the global minimum is, and its value.
MINIMA = {
    rosenbrock: ([1, 1], 0),
    beale: ([3, 0.5], 0),
    himmelblau: ([3, 2], 0),
    booth: ([1, 3], 0),
    matyas: ([0, 0], 0),
    mccormick: ([-0.547197553, -1.547197553], -1.913222955),
    goldstein_price: ([0, -1], 3),
    styblinski_tang: ([-2.903534028, -2.903534028], -78.332331408),
    rastrigin: ([0, 0], 0),
    ackley: ([0, 0], 0),
}
HESSIANS = {
    "jacfwd of jacrev": lambda f: ft.jacfwd(ft.jacrev(f)),
    "jacrev of jacfwd": lambda f: ft.jacrev(ft.jacfwd(f)),
    "jacfwd of jacfwd": lambda f: ft.jacfwd(ft.jacfwd(f)),
    "jacrev of jacrev": lambda f: ft.jacrev(ft.jacrev(f)),
    "hessian of jit": lambda f: ft.hessian(ft.jit(f)),
    "jit of hessian of checkpoint": lambda f: ft.jit(ft.hessian(ft.checkpoint(f))),
    "vmap of hvp": lambda f: lambda p: ft.vmap(lambda v: ft.hvp(f, (p,), (v,))[0])(np.eye(2)),
}


def close(actual, expected, tolerance):
    scale = max(1.0, np.max(np.abs(expected)))
    np.testing.assert_allclose(np.asarray(actual), expected, rtol=0, atol=tolerance * scale)


def differences(f, point):
    """The Jacobian by central differences of fourth order, good to about 1e-9."""
    step, stencil = 1e-3, ((-2, 1 / 12), (-1, -8 / 12), (1, 8 / 12), (2, -1 / 12))
    columns = [
        sum(w / step * np.asarray(f(point + k * step * direction)) for k, w in stencil)
        for direction in np.eye(2)
    ]
    return np.stack(columns, axis=-1)


@pytest.mark.parametrize("f", MINIMA)
def test_gradient_and_hessian(f):
    if f in ANALYTIC:
        gradient, hessian = map(np.array, ANALYTIC[f](*POINT))
        tolerance = 1e-13
    else:
        gradient, hessian = differences(f, POINT), differences(ft.grad(f), POINT)
        tolerance = 1e-8
    for first in (ft.grad(f), ft.jacfwd(f), ft.jit(ft.grad(f)), ft.grad(ft.checkpoint(f))):
        close(first(POINT), gradient, tolerance)
    reference = np.asarray(ft.hessian(f)(POINT))
    close(reference, hessian, tolerance)
    for second in HESSIANS.values():
        close(second(f)(POINT), reference, 1e-13)


@pytest.mark.parametrize("f", MINIMA)
def test_minimum(f):
    point, value = MINIMA[f]
    point = np.array(point, float)
    close(f(ft.asarray(point)), value, 1e-9)
    if f is not ackley:  # has a kink there
        close(ft.grad(f)(point), np.zeros(2), 1e-6)
        assert np.all(np.linalg.eigvalsh(np.asarray(ft.hessian(f)(point))) > 0)
    points = np.stack([POINT, POINT + 0.5, -POINT])
    batched = ft.vmap(ft.hessian(f))(points)
    for p, h in zip(points, np.asarray(batched), strict=True):
        close(ft.hessian(f)(p), h, 1e-13)
