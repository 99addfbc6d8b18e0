"""The rows of docs/derivatives.md: derivatives at ties and kinks, and of complex numbers."""

import math

import numpy as np
import pytest

import ftrans as ft

INF = math.inf
S = ft.special


def double(values):
    return ft.array(values, dtype=ft.float64)


# (function, arguments, argument differentiated, derivative)
KINKS = {
    "abs": (ft.abs, ([0.0],), 0, [0]),
    "sign": (ft.sign, ([-2.0, 0.0],), 0, [0, 0]),
    "floor": (ft.floor, ([1.0, 1.5],), 0, [0, 0]),
    "ceil": (ft.ceil, ([1.0, 1.5],), 0, [0, 0]),
    "trunc": (ft.trunc, ([1.0, 1.5],), 0, [0, 0]),
    "round": (ft.round, ([0.5, 1.5],), 0, [0, 0]),
    "maximum": (ft.maximum, ([1.0], [1.0]), 0, [0.5]),
    "minimum": (ft.minimum, ([1.0], [1.0]), 1, [0.5]),
    "max": (ft.max, ([2.0, 2.0, 1.0, 2.0],), 0, [1 / 3, 1 / 3, 0, 1 / 3]),
    "min": (ft.min, ([2.0, 1.0, 1.0],), 0, [0, 0.5, 0.5]),
    "cummax": (lambda x: ft.cummax(x)[1], ([1.0, 1.0],), 0, [0, 1]),
    "cummin": (lambda x: ft.cummin(x)[1], ([1.0, 1.0],), 0, [0, 1]),
    "sort": (lambda x: ft.sort(x)[0], ([1.0, 1.0],), 0, [1, 0]),
    "median": (ft.median, ([2.0, 1.0, 2.0],), 0, [1, 0, 0]),
    "clip": (lambda x: ft.clip(x, 0.0, 1.0), ([0.0, 0.5, 1.0],), 0, [0, 1, 0]),
    "relu": (ft.nn.relu, ([0.0],), 0, [0]),
    "relu6": (ft.nn.relu6, ([0.0, 6.0],), 0, [0, 0.5]),
    "leaky_relu": (lambda x: ft.nn.leaky_relu(x, 0.25), ([0.0],), 0, [0.25]),
    "elu": (lambda x: ft.nn.elu(x, 2.0), ([0.0],), 0, [2]),
    "sqrt": (ft.sqrt, ([0.0],), 0, [INF]),
    "cbrt": (ft.cbrt, ([0.0],), 0, [INF]),
    "hypot": (ft.hypot, ([0.0], [0.0]), 0, [0]),
    "norm": (lambda x: ft.sqrt(ft.sum(x * x)), ([0.0, 0.0],), 0, [0, 0]),
    "std": (ft.std, ([1.0, 1.0],), 0, [0, 0]),
    "atan2 by y": (ft.atan2, ([0.0], [0.0]), 0, [0]),
    "atan2 by x": (ft.atan2, ([0.0], [0.0]), 1, [0]),
    "power by x": (ft.power, ([0.0], [0.0]), 0, [0]),
    "power by y": (ft.power, ([0.0, 0.0], [0.0, 2.0]), 1, [0, 0]),
    "xlogy by y": (S.xlogy, ([0.0], [0.0]), 1, [0]),
    "remainder": (ft.remainder, ([4.0], [2.0]), 0, [1]),
    "fmod": (ft.fmod, ([4.0], [2.0]), 0, [1]),
    "logaddexp": (ft.logaddexp, ([-INF, INF], [-INF, INF]), 0, [0.5, 0.5]),
    "logsumexp": (ft.logsumexp, ([INF, 1.0, INF],), 0, [0.5, 0, 0.5]),
    "sinc": (ft.sinc, ([0.0],), 0, [0]),
}


@pytest.mark.parametrize("name", KINKS)
def test_derivatives_at_kinks(name):
    f, arguments, argnum, expected = KINKS[name]
    gradient = ft.grad(lambda *xs: ft.sum(f(*xs)), argnum)(*map(double, arguments))
    np.testing.assert_allclose(np.asarray(gradient), expected, rtol=1e-15)
    tangents = [ft.zeros_like(double(x)) for x in arguments]
    tangents[argnum] = ft.ones_like(tangents[argnum])
    forward = ft.jvp(lambda *xs: ft.sum(f(*xs)), tuple(map(double, arguments)), tuple(tangents))[1]
    assert float(forward) == pytest.approx(float(np.sum(expected)))


def test_atan2_does_not_overflow():
    assert float(ft.grad(ft.atan2)(ft.array(1e30), ft.array(1e30))) == pytest.approx(5e-31)


@pytest.mark.parametrize("method", ["max", "min"])
def test_ties_of_scattered_extrema_share(method):
    def f(x, update):
        return getattr(x.at[ft.array([0])], method)(update)[0]

    of_x, of_update = ft.grad(f, (0, 1))(double([2.0, 5.0]), double([2.0]))
    assert of_x.tolist() == [0.5, 0]
    assert of_update.tolist() == [0.5]


def test_complex_abs_to_second_order():
    """abs(z)·abs(z) has the derivatives of x² + y², and abs(z) those of hypot, at second order too."""

    def of_parts(g):
        return lambda v: g(v[0] + 1j * v[1])

    v = double([0.6, -1.1])
    hessian = ft.hessian(of_parts(lambda z: ft.abs(z) * ft.abs(z)))(v)
    np.testing.assert_allclose(np.asarray(hessian), 2 * np.eye(2), atol=1e-14)
    expected = ft.hessian(lambda v: ft.hypot(v[0], v[1]))(v)
    np.testing.assert_allclose(np.asarray(ft.hessian(of_parts(ft.abs))(v)), np.asarray(expected), rtol=1e-13)


def test_gradient_of_a_real_function_of_a_complex_number():
    z = ft.array(0.5 - 2.0j, dtype=ft.complex128)
    gradient = ft.grad(lambda z: ft.real(z) ** 2 + 3 * ft.imag(z))(z)
    assert complex(gradient) == 2 * 0.5 - 3j  # ∂u/∂x − i·∂u/∂y
    assert complex(ft.grad(ft.abs)(ft.array(0j, dtype=ft.complex128))) == 0


@pytest.mark.parametrize("transform", [ft.grad, ft.jacfwd, ft.jacrev])
def test_holomorphic_functions(transform):
    z = ft.array(0.5 - 2.0j, dtype=ft.complex128)
    assert complex(transform(ft.sin, holomorphic=True)(z)) == pytest.approx(np.cos(0.5 - 2j))
    with pytest.raises(TypeError, match="holomorphic"):
        transform(ft.sin)(z)
    with pytest.raises(TypeError, match="with holomorphic=True expects complex inputs"):
        transform(ft.sin, holomorphic=True)(1.0)


@pytest.mark.parametrize("transform", [ft.grad, ft.jacfwd, ft.jacrev, ft.value_and_grad])
def test_integers_are_refused(transform):
    with pytest.raises(TypeError, match="int32"):
        transform(lambda x: x * 2.0)(ft.array(3))
