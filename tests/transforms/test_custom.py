"""custom_jvp and custom_vjp, in every order of transforms. The rules are wrong on purpose, to be seen."""

import numpy as np
import pytest

import ftrans as ft

V = np.array([0.1, -0.7, 1.3])
Y = np.float64(2.0)


def same(actual, expected):
    np.testing.assert_allclose(np.asarray(actual), expected, rtol=1e-12)


@ft.custom_jvp
def tenfold(x, y):
    return ft.sin(x) * y


@tenfold.defjvp
def _(primals, tangents):
    (x, y), (tx, ty) = primals, tangents
    return tenfold(x, y), 10.0 * ft.cos(x) * y * tx + ft.sin(x) * ty


@ft.custom_vjp
def hundredfold(x, y):
    return ft.sin(x) * y


hundredfold.defvjp(
    lambda x, y: (hundredfold(x, y), (x, y)),
    lambda residuals, g: (100.0 * g * ft.cos(residuals[0]) * residuals[1], g * ft.sin(residuals[0])),
)

functions = pytest.mark.parametrize(("fun", "factor"), [(tenfold, 10.0), (hundredfold, 100.0)])


@functions
def test_value(fun, factor):
    for g in (fun, ft.jit(fun), ft.vmap(fun, (0, None)), ft.jit(ft.vmap(ft.jit(fun), (0, None)))):
        same(g(V, Y), np.sin(V) * Y)


@functions
@pytest.mark.parametrize("inner", [False, True])
@pytest.mark.parametrize("middle", [False, True])
@pytest.mark.parametrize("outer", [False, True])
def test_grad_vmap_jit(fun, factor, inner, middle, outer):
    def maybe(condition, f):
        return ft.jit(f) if condition else f

    expected = factor * np.cos(V) * Y
    grad_first = maybe(outer, ft.vmap(maybe(middle, ft.grad(maybe(inner, fun), (0, 1))), (0, None)))
    gx, gy = grad_first(V, Y)
    same(gx, expected)
    same(gy, np.sin(V))
    batched = maybe(middle, ft.vmap(maybe(inner, fun), (0, None)))
    gx, gy = maybe(outer, ft.grad(lambda x, y: ft.sum(batched(x, y)), (0, 1)))(V, Y)
    same(gx, expected)
    same(gy, np.sum(np.sin(V)))


@functions
def test_second_derivative(fun, factor):
    for f in (fun, ft.jit(fun)):
        same(ft.grad(ft.grad(f))(V[0], Y), -factor * np.sin(V[0]) * Y)
    same(ft.grad(lambda y: ft.grad(fun)(V[0], y))(Y), factor * np.cos(V[0]))


@functions
@pytest.mark.parametrize("inner", [False, True])
@pytest.mark.parametrize("outer", [False, True])
def test_forward_mode(fun, factor, inner, outer):
    f = ft.jit(fun) if inner else fun

    def push(x, y):
        return ft.jvp(f, (x, y), (np.float64(1), np.float64(0)))

    push = ft.jit(push) if outer else push
    same(push(V[0], Y)[1], factor * np.cos(V[0]) * Y)
    same(ft.vmap(push, (0, None))(V, Y)[1], factor * np.cos(V) * Y)
    same(ft.hessian(f)(V[0], Y), -factor * np.sin(V[0]) * Y)
    same(ft.grad(lambda x: push(x, Y)[1])(V[0]), -factor * np.sin(V[0]) * Y)


def test_values_may_be_branched_on():
    @ft.custom_jvp
    def f(x):
        return x if x > 0 else -x

    f.defjvp(lambda p, t: (f(*p), 3.0 * t[0] if p[0] > 0 else -3.0 * t[0]))
    assert float(ft.grad(f)(-2.0)) == -3.0


def test_trees_nondiff_and_keywords():
    @ft.custom_vjp
    def f(g, p, scale=2.0):
        return {"o": g(p["x"]) * scale}

    with pytest.raises(TypeError, match="f has no rule yet; give it with defvjp"):
        f(ft.sin, {"x": V})
    h = ft.custom_vjp(lambda g, p, scale=2.0: {"o": g(p["x"]) * scale}, nondiff_argnums=0)
    h.defvjp(lambda g, p, scale: (h(g, p, scale), (p, scale)), lambda g, r, ct: ({"x": 7.0 * ct["o"]}, None))
    gradient = ft.grad(lambda p, s: ft.sum(h(ft.sin, p, scale=s)["o"]), (0, 1))({"x": V}, 3.0)
    same(gradient[0]["x"], np.full(3, 7.0))
    assert float(gradient[1]) == 0.0
    same(ft.jit(ft.grad(lambda p: ft.sum(h(ft.sin, p)["o"])))({"x": V})["x"], np.full(3, 7.0))


def test_rule_errors():
    f = ft.custom_vjp(lambda x, y: x * y)
    f.defvjp(lambda x, y: (x * y, None), lambda r, g: (g,))
    with pytest.raises(TypeError, match="must return a tuple of 2 cotangents"):
        ft.grad(f)(1.0, 2.0)
    f.defvjp(lambda x, y: (x * y, None), lambda r, g: (V, g))
    with pytest.raises(ValueError, match=r"the cotangent of x that bwd .* must have shape \(\), got \(3,\)"):
        ft.grad(f)(1.0, 2.0)
    g = ft.custom_jvp(lambda x: x)
    with pytest.raises(TypeError, match="no rule yet"):
        g(1.0)
    g.defjvp(lambda p, t: p[0])
    with pytest.raises(TypeError, match="must return a pair"):
        ft.grad(g)(1.0)
    g.defjvp(lambda p, t: (p[0], (t[0],)))
    with pytest.raises(TypeError, match="structure of the output"):
        ft.grad(g)(1.0)


def test_closing_over_what_is_differentiated():
    def outer(y):
        f = ft.custom_vjp(lambda x: x * y)
        f.defvjp(lambda x: (x * y, None), lambda r, g: (g,))
        return f(y)

    with pytest.raises(TypeError, match="pass the array as an argument"):
        ft.grad(outer)(2.0)
