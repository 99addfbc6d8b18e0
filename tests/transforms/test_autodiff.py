"""jvp, linearize, vjp, grad, value_and_grad."""

import numpy as np
import pytest

import ftrans as ft
from ftrans._native import from_numpy

V = np.array([0.1, -0.7, 1.3])


def same(actual, expected):
    np.testing.assert_allclose(np.asarray(actual), expected, rtol=1e-12)


def f(x):
    return ft.sum(ft.sin(x) * x)


DF = np.cos(V) * V + np.sin(V)


def test_grad():
    same(ft.grad(f)(V), DF)
    value, gradient = ft.value_and_grad(f)(V)
    same(value, np.sum(np.sin(V) * V))
    same(gradient, DF)


def test_python_scalars():
    gradient = ft.grad(lambda x: x * x)(3.0)
    assert float(gradient) == 6.0
    assert gradient.dtype == np.float32


@pytest.mark.parametrize(
    ("argnums", "expected"),
    [(0, 2.0), (1, 3.0), (-1, 3.0), ("y", 3.0), ((0, 1), (2.0, 3.0)), (("y", "x"), (3.0, 2.0))],
)
def test_argnums(argnums, expected):
    result = ft.grad(lambda x, y: x * y, argnums)(3.0, 2.0)
    assert (tuple(map(float, result)) if isinstance(expected, tuple) else float(result)) == expected


@pytest.mark.parametrize(("argnums", "expected"), [(0, 2.0), ("y", 3.0), (("y", "x"), (3.0, 2.0))])
def test_argnums_of_keyword_arguments(argnums, expected):
    result = ft.grad(lambda x, y: x * y, argnums)(3.0, y=2.0)
    assert (tuple(map(float, result)) if isinstance(expected, tuple) else float(result)) == expected


def test_argnums_errors():
    with pytest.raises(
        ValueError, match="argnums 2 needs at least 3 positional arguments, but f was called with 1"
    ):
        ft.grad(f, 2)(V)
    with pytest.raises(ValueError, match=r"names 'z', which f\(x\) was not given"):
        ft.grad(f, "z")(V)
    with pytest.raises(TypeError, match="argnums must be"):
        ft.grad(f, 1.5)
    with pytest.raises(TypeError, match="grad expects a function"):
        ft.grad(3)


def test_trees_and_aux():
    def loss(p, scale):
        y = p["w"] * scale
        return ft.sum(y), {"y": y, "note": "text"}

    p = {"w": V, "unused": np.ones(2)}
    (_, aux), gradient = ft.value_and_grad(loss, has_aux=True)(p, 2.0)
    same(gradient["w"], np.full(3, 2.0))
    same(gradient["unused"], np.zeros(2))
    same(aux["y"], 2 * V)
    assert aux["note"] == "text"
    assert aux["y"]._trace is None
    gradient, aux = ft.grad(loss, has_aux=True)(p, 2.0)
    same(aux["y"], 2 * V)
    with pytest.raises(TypeError, match=r"has_aux=True expects f to return a pair"):
        ft.grad(f, has_aux=True)(V)


@pytest.mark.parametrize(
    ("fun", "x", "message"),
    [
        (lambda x: x, V, r"return a scalar of shape \(\), got shape \(3,\)"),
        (lambda x: (x, x), np.float64(1), "got the tree"),
        (lambda x: x, np.int32(1), "argument x of <lambda> is int32.*allow_int"),
        (lambda x: x, np.complex128(1), "holomorphic=True"),
        (lambda x: "no", np.float64(1), "output of <lambda> must be an array"),
        (lambda x: x, "no", "grad: argument x of <lambda> must be an array"),
    ],
)
def test_grad_errors(fun, x, message):
    with pytest.raises(TypeError, match=message):
        ft.grad(fun)(x)


def test_allow_int():
    gradient = ft.grad(lambda x: ft.sin(1.0), allow_int=True)(np.int32(3))
    assert int(gradient) == 0


def test_holomorphic():
    z = np.complex128(1 + 2j)
    same(ft.grad(lambda z: z * z * z, holomorphic=True)(z), 3 * z * z)
    with pytest.raises(TypeError, match="expects complex inputs"):
        ft.grad(lambda z: z, holomorphic=True)(1.0)


def test_jvp():
    out, tangent = ft.jvp(lambda x, y: {"o": ft.sin(x) * y}, (V, V), (np.ones(3), np.zeros(3)))
    same(out["o"], np.sin(V) * V)
    same(tangent["o"], np.cos(V) * V)
    out, tangent, aux = ft.jvp(lambda x: (x * x, x), (3.0,), (1.0,), has_aux=True)
    assert (float(out), float(tangent), float(aux)) == (9.0, 6.0, 3.0)


def test_jvp_of_constants_and_integers():
    out, tangent = ft.jvp(lambda x, n: (n, 2.0), (1.0, 3), (1.0, 0))
    assert [int(out[0]), int(tangent[0]), float(tangent[1])] == [3, 0, 0.0]


@pytest.mark.parametrize(
    ("primals", "tangents", "error", "message"),
    [
        (V, (V,), TypeError, "primals must be a tuple"),
        ((V,), V, TypeError, "tangents must be a tuple"),
        ((V,), (V, V), TypeError, "structure of primals"),
        (
            (V,),
            (V[:2],),
            ValueError,
            r"tangent of argument x of f must have the primal's shape \(3,\), got \(2,\)",
        ),
        ((V,), (V.astype(np.float32),), TypeError, "the primal's dtype float64, got float32"),
    ],
)
def test_jvp_errors(primals, tangents, error, message):
    with pytest.raises(error, match=message):
        ft.jvp(f, primals, tangents)


def test_linearize():
    out, f_jvp = ft.linearize(ft.sin, V)
    for t in (np.ones(3), V):
        same(f_jvp(t), np.cos(V) * t)
    same(out, np.sin(V))


def test_pull_back_may_be_called_again():
    _, pullback = ft.vjp(lambda x, y: (ft.sin(x), x * y), V, V)
    for ct in (V, np.ones(3)):
        gx, gy = pullback((ct, np.zeros(3)))
        same(gx, np.cos(V) * ct)
        same(gy, np.zeros(3))


def test_pull_back_under_other_transforms():
    _, pullback = ft.vjp(ft.sin, V)
    same(ft.vmap(pullback)(np.eye(3))[0], np.diag(np.cos(V)))
    same(ft.jit(pullback)(V)[0], np.cos(V) * V)
    same(ft.grad(lambda c: ft.sum(pullback(c)[0]))(V), np.cos(V))
    same(ft.grad(lambda x: ft.sum(ft.vjp(ft.sin, x)[1](from_numpy(V))[0]))(V), -np.sin(V) * V)


@pytest.mark.parametrize(
    ("cotangent", "error", "message"),
    [
        ((V, V), TypeError, "structure of the output of sin"),
        (V[:1], ValueError, r"cotangent must have the output's shape \(3,\), got \(1,\)"),
        (V.astype(np.float32), TypeError, "cotangent must have the output's dtype float64, got float32"),
    ],
)
def test_cotangent_errors(cotangent, error, message):
    def sin(x):
        return ft.sin(x)

    with pytest.raises(error, match=message):
        ft.vjp(sin, V)[1](cotangent)


def test_results_are_separate_handles():
    gx, gy = ft.grad(lambda x, y: ft.sum(x + y), (0, 1))(V, V)
    assert gx is not gy
    gx._rebind(from_numpy(V))
    same(gy, np.ones(3))


def test_assigning_to_an_argument_does_not_reach_the_caller():
    x = from_numpy(V)

    def g(x):
        x._rebind(x * x)
        return ft.sum(x)

    same(ft.grad(g)(x), 2 * V)
    same(x, V)


def test_closed_over_tracers():
    same(ft.grad(lambda x: ft.sum(ft.vmap(lambda y: y * x)(from_numpy(V))))(np.float64(2)), np.sum(V))
    same(ft.jit(lambda x: ft.grad(lambda y: y * x * y)(3.0))(2.0), 12.0)


def test_integers_have_no_tangents():
    assert [x.item() for x in ft.jvp(lambda x, n: x * n, (2.0, 3), (1.0, 1))] == [6, 3]
    for call in (
        lambda: ft.jvp(ft.sin, (1,), (1.0,)),
        lambda: ft.linearize(ft.sin, 1)[1](1.0),
        lambda: ft.jet(ft.sin, (1,), ((1.0,),)),
    ):
        with pytest.raises(TypeError, match=r"argument x of sin is int32, which has no derivative.*convert"):
            call()
