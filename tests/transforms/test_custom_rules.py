"""More rules: checked linearity, symbolic zeros, custom_vmap, custom_gradient, closure_convert."""

import itertools

import numpy as np
import pytest

import ftrans as ft

V = np.array([0.1, -0.7, 1.3])
Y = np.float64(2.0)


def same(actual, expected):
    np.testing.assert_allclose(np.asarray(actual), np.asarray(expected), rtol=1e-12, atol=1e-14)


def tripled():
    """A rule of each kind for x ↦ sin(x), three times the derivative; and the twentyfold batch."""
    by_jvp = ft.custom_jvp(ft.sin)
    by_jvp.defjvp(lambda p, t: (ft.sin(p[0]), 3.0 * ft.cos(p[0]) * t[0]))
    by_jvps = ft.custom_jvp(ft.sin)
    by_jvps.defjvps(lambda t, out, x: 3.0 * ft.cos(x) * t)
    by_vjp = ft.custom_vjp(ft.sin)
    by_vjp.defvjp(lambda x: (ft.sin(x), x), lambda x, g: (3.0 * ft.cos(x) * g,))
    by_both = ft.custom_vjp(ft.sin)
    by_both.defvjp(lambda x: (ft.sin(x), x), lambda x, g: (3.0 * ft.cos(x) * g,))
    by_both.defjvp(lambda p, t: (ft.sin(p[0]), 3.0 * ft.cos(p[0]) * t[0]))
    by_gradient = ft.custom_gradient(lambda x: (ft.sin(x), lambda g: 3.0 * ft.cos(x) * g))
    return {"jvp": by_jvp, "jvps": by_jvps, "vjp": by_vjp, "both": by_both, "gradient": by_gradient}


ORDERS = {
    "jit": ft.jit,
    "vmap": ft.vmap,
    "checkpoint": ft.checkpoint,
    "derivative": lambda f: lambda x: ft.jvp(f, (x,), (ft.ones_like(x),))[1],
    "gradient": lambda f: lambda x: ft.vjp(f, x)[1](ft.ones_like(x))[0],
}
# d/dx sin with the factor that one, two and three differentiations of the rule leave
DERIVATIVES = {
    0: np.sin,
    1: lambda x: 3 * np.cos(x),
    2: lambda x: -3 * np.sin(x),
    3: lambda x: -3 * np.cos(x),
}


@pytest.mark.parametrize("kind", tripled())
def test_the_rule_is_honoured_in_every_order(kind):
    f = tripled()[kind]
    for names in itertools.product(ORDERS, repeat=3):
        order = sum(name in ("derivative", "gradient") for name in names)
        transformed = f
        for name in names:
            transformed = ORDERS[name](transformed)
        x = V if names.count("vmap") < 2 else np.stack([V, V + 1.0])
        x = x if names.count("vmap") < 3 else x[None]
        same(transformed(x), DERIVATIVES[order](x))


@pytest.mark.parametrize("kind", ["vjp", "gradient"])
def test_functions_with_a_reverse_rule_have_all_other_derivatives(kind):
    f = tripled()[kind]

    def total(x):
        return ft.sum(f(x) * x)

    # The value that `fwd` returns is differentiated as `fwd` computes it: by cos, not by 3 cos.
    expected = np.diag((1 + 3) * np.cos(V) - 3 * V * np.sin(V))
    same(ft.hessian(total)(V), expected)
    same(ft.jacrev(ft.jacfwd(total))(V), expected)
    same(ft.jacrev(ft.jacrev(total))(V), expected)
    same(ft.linearize(total, V)[1](V), np.sum(V * (np.sin(V) + 3 * V * np.cos(V))))
    same(ft.hvp(total, (V,), (V,))[0], expected @ V)
    same(ft.jit(ft.grad(lambda x: ft.sum(ft.vmap(ft.jit(f))(x))))(V), 3 * np.cos(V))


def test_a_backward_rule_that_is_not_linear_has_no_forward_mode():
    f = ft.custom_vjp(lambda x: x)
    f.defvjp(lambda x: (x, None), lambda _, g: (ft.clip(g, -1.0, 1.0),))
    same(ft.grad(lambda x: 5.0 * f(x))(Y), 1.0)
    for forward in (lambda: ft.jvp(f, (Y,), (Y,)), lambda: ft.jit(lambda x: ft.jvp(f, (x,), (x,)))(Y)):
        with pytest.raises(TypeError, match=r"bwd of <lambda> must be linear .* not a linear op.*py"):
            forward()
    f.defvjp(lambda x: (x, None), lambda _, g: (g + 1.0,))
    with pytest.raises(TypeError, match="combines what is linear with a constant"):
        ft.jvp(f, (Y,), (Y,))
    f.defvjp(lambda x: (x, None), lambda _, g: (ft.ones_like(g),))
    with pytest.raises(TypeError, match="output 0 is a constant that is not zero"):
        ft.jvp(f, (Y,), (Y,))
    f.defvjp(lambda x: (x, None), lambda _, g: (np.zeros(()),))
    same(ft.jvp(f, (Y,), (Y,))[1], 0.0)
    f.defjvp(lambda p, t: (p[0], 7.0 * t[0]))
    same(ft.jvp(f, (Y,), (Y,))[1], 14.0)


def test_a_tangent_rule_that_is_not_linear_has_no_reverse_mode():
    f = ft.custom_jvp(lambda x: x)
    f.defjvp(lambda p, t: (p[0], t[0] * t[0]))
    with pytest.raises(TypeError, match="must be linear in the tangents, but mul combines"):
        ft.grad(f)(Y)
    f.defjvp(lambda p, t: (p[0] + t[0], t[0]))
    with pytest.raises(TypeError, match="depends on the tangents"):
        ft.grad(f)(Y)


def test_symbolic_zeros():
    seen = []

    def rule(primals, tangents):
        seen.append([isinstance(t, ft.SymbolicZero) for t in tangents])
        (x, y), (tx, _) = primals, tangents
        total = ft.SymbolicZero(ft.asarray(x).aval)
        if not isinstance(tx, ft.SymbolicZero):
            total = y * tx
        return x * y, total

    f = ft.custom_jvp(lambda x, y: x * y)
    f.defjvp(rule, symbolic_zeros=True)
    same(ft.grad(f)(V[0], Y), Y)
    same(ft.grad(f, 1)(V[0], Y), 0.0)
    same(ft.vmap(ft.grad(f), (0, None))(V, Y), [Y, Y, Y])
    same(ft.jit(ft.grad(f))(V[0], Y), Y)
    assert seen == [[False, True], [True, False], [False, True], [False, True]]

    perturbed, cotangents = [], []

    def fwd(x, y):
        perturbed.append((x.perturbed, y.perturbed))
        return (x.value * y.value, x.value), (x.value, y.value)

    def bwd(residuals, gs):
        cotangents.append([isinstance(g, ft.SymbolicZero) for g in gs])
        return (residuals[1] * gs[0], None) if not isinstance(gs[0], ft.SymbolicZero) else (gs[1], gs[0])

    g = ft.custom_vjp(lambda x, y: (x * y, x))
    g.defvjp(fwd, bwd, symbolic_zeros=True)
    same(ft.grad(lambda x: g(x, Y)[0])(V[0]), Y)
    same(ft.grad(lambda x: g(x, Y)[1])(V[0]), 1.0)
    same(ft.vmap(ft.grad(lambda x: g(x, Y)[0]))(V), [Y, Y, Y])
    assert perturbed == [(True, False)] * 3
    assert cotangents == [[False, True], [True, False], [False, True]]
    zero = ft.SymbolicZero(ft.zeros((2, 3)).aval)
    assert (zero.shape, zero.dtype, repr(zero)) == ((2, 3), ft.float32, "SymbolicZero(f32[2,3])")


def test_rules_of_single_arguments():
    f = ft.custom_jvp(lambda p, n, x: p["a"] * x, nondiff_argnums=-2)
    f.defjvps(lambda n, t, out, p, x: n * t["a"] * x, None)
    same(ft.grad(f)({"a": Y, "b": Y}, 5.0, V[0])["a"], 5.0 * V[0])
    same(ft.grad(f, 2)({"a": Y, "b": Y}, 5.0, V[0]), 0.0)
    same(ft.jit(ft.vmap(ft.grad(f, 0), (None, None, 0)), static_argnums=1)({"a": Y}, 5.0, V)["a"], 5.0 * V)
    f.defjvps(lambda n, t, out, p, x: (t["a"],), None)
    with pytest.raises(TypeError, match="rule 0 of <lambda> must return a tangent with the structure"):
        ft.grad(f)({"a": Y}, 5.0, V[0])
    f.defjvps(None)
    with pytest.raises(TypeError, match="was given 1 rules, but has 2 differentiated arguments"):
        ft.grad(f)({"a": Y}, 5.0, V[0])


def test_errors_name_the_leaf():
    f = ft.custom_vjp(lambda p: {"o": p["w"], "n": 2.0 * p["b"]})
    f.defvjp(lambda p: (f(p), None), lambda _, g: ({"w": g["o"], "b": ft.ones(2)},))
    p = {"w": V, "b": Y}
    with pytest.raises(ValueError, match=r"cotangent of p\['b'\] that bwd .* shape \(\), got \(2,\)"):
        ft.grad(lambda p: ft.sum(f(p)["o"]))(p)
    f.defvjp(lambda p: (f(p), None), lambda _, g: ({"w": g["o"].astype(ft.float32), "b": g["n"]},))
    with pytest.raises(TypeError, match=r"cotangent of p\['w'\] that bwd .* dtype float64, got float32"):
        ft.grad(lambda p: ft.sum(f(p)["o"]))(p)
    f.defvjp(lambda p: ({"o": p["w"]}, None), lambda _, g: (None,))
    with pytest.raises(TypeError, match="output of fwd of <lambda> must have the structure"):
        ft.jit(ft.grad(lambda p: ft.sum(ft.jit(f)(p)["o"])))(p)
    h = ft.custom_jvp(lambda x: {"o": x})
    h.defjvp(lambda p, t: ({"o": p[0]}, {"o": t[0][:2]}))
    with pytest.raises(ValueError, match=r"output_tangent\['o'\] of the rule of <lambda> must have shape"):
        ft.jvp(h, (V,), (V,))
    with pytest.raises(ValueError, match=r"nondiff_argnums \[3\] are out of range"):
        ft.custom_jvp(lambda x: x, nondiff_argnums=3)
    with pytest.raises(ValueError, match=r"nondiff_argnames \['n'\] are not parameters of <lambda>\(x\)"):
        ft.custom_vjp(lambda x: x, nondiff_argnames="n")
    beyond = ft.custom_jvp(lambda *xs: xs[0], nondiff_argnums=3)
    beyond.defjvp(lambda p, t: (p, t))
    with pytest.raises(ValueError, match="nondiff_argnums 3 is out of range"):
        beyond(V)


@pytest.mark.parametrize("call", [lambda f, x: f(ft.sin, x, n=3), lambda f, x: f(ft.sin, x, 3)])
def test_arguments_that_are_not_differentiated_may_be_named(call):
    f = ft.custom_jvp(lambda g, x, n: n * g(x), nondiff_argnames=("n", "g"))
    f.defjvp(lambda g, n, p, t: (n * g(*p), 10 * n * t[0]))
    h = ft.custom_vjp(lambda g, x, n: n * g(x), nondiff_argnums=0, nondiff_argnames="n")
    h.defvjp(lambda g, x, n: (n * g(x), None), lambda g, n, _, c: (10 * n * c,))
    for function in (f, h):
        same(ft.jit(ft.vmap(ft.grad(lambda x, f=function: call(f, x))))(V), 30 * ft.ones_like(V))


@ft.custom_vmap
def weighted(x, y):
    return x * y


@weighted.def_vmap
def _(axis_size, in_batched, x, y):
    return 10.0 * x * y, any(in_batched)


def test_custom_vmap_is_honoured_in_every_order():
    def total(x):
        return ft.sum(ft.vmap(weighted, (0, None))(x, Y))

    same(weighted(V, Y), V * Y)
    same(ft.vmap(weighted, (0, None))(V, Y), 10 * V * Y)
    same(ft.jit(ft.vmap(ft.jit(weighted), (0, None)))(V, Y), 10 * V * Y)
    for g in (ft.grad(total), ft.jit(ft.grad(total)), ft.grad(ft.jit(total))):
        same(g(V), np.full(3, 10 * Y))
    first = ft.vmap(ft.grad(weighted, (0, 1)), (0, None))
    for g in (first, ft.jit(first)):
        gx, gy = g(V, Y)
        same(gx, np.full(3, 10 * Y))
        same(gy, 10 * V)
    same(ft.vmap(lambda x: ft.jvp(weighted, (x, Y), (x, Y))[1])(V), 20 * V * Y)
    same(ft.vmap(ft.grad(ft.grad(lambda x: weighted(x, x))))(V), np.full(3, 20.0))
    same(ft.grad(weighted)(V[0], Y), Y)
    # One map uses the rule, the other vectorises it.
    same(ft.vmap(ft.vmap(weighted, (0, None)), (None, 0))(V, V), 10 * np.outer(V, V))


def test_custom_vmap_errors():
    f = ft.custom_vmap(lambda x: x)
    with pytest.raises(TypeError, match="no rule yet; give it with def_vmap"):
        f(V)
    f.def_vmap(lambda size, batched, x: x)
    with pytest.raises(TypeError, match=r"must return a pair \(output, out_batched\)"):
        ft.vmap(f)(V)
    f.def_vmap(lambda size, batched, x: (x[0], True))
    with pytest.raises(TypeError, match=r"output 0 .* of shape \(3,\), got float64 of shape \(\)"):
        ft.vmap(f)(V)
    f.def_vmap(lambda size, batched, x: ((x,), True))
    with pytest.raises(TypeError, match="structure of that of"):
        ft.vmap(f)(V)

    def closing_over(x, y):
        g = ft.custom_vmap(lambda x: x * y)
        g.def_vmap(lambda size, batched, x: (x * y, True))
        return g(x)

    with pytest.raises(TypeError, match="closes over an array that is being vectorised"):
        ft.vmap(closing_over)(V, V)


def test_custom_gradient_of_trees():
    @ft.custom_gradient
    def f(p, y):
        e = ft.exp(p["x"])
        return {"o": e * y}, lambda g: ({"x": 3.0 * e * y * g["o"]}, None)

    def total(x, y):
        return ft.sum(f({"x": x}, y)["o"])

    for g in (ft.grad(total, (0, 1)), ft.jit(ft.grad(total, (0, 1)))):
        gx, gy = g(V, Y)
        same(gx, 3 * np.exp(V) * Y)
        same(gy, 0.0)
    same(ft.grad(lambda y: ft.sum(ft.vmap(f, (0, None))({"x": V}, y)["o"]))(Y), 0.0)
    same(ft.vmap(ft.grad(total), (0, None))(V, Y), 3 * np.exp(V) * Y)
    with pytest.raises(TypeError, match="must return a pair"):
        ft.grad(ft.custom_gradient(lambda x: x))(Y)
    with pytest.raises(TypeError, match=r"the gradient that .* returns expects a function"):
        ft.grad(ft.custom_gradient(lambda x: (x, 3.0)))(Y)


def test_closure_convert():
    apply_twice = ft.custom_vjp(lambda f, consts, x: f(f(x, *consts), *consts), nondiff_argnums=0)
    apply_twice.defvjp(
        lambda f, consts, x: (f(f(x, *consts), *consts), (consts, x)),
        lambda f, r, g: ft.vjp(lambda c, x: f(f(x, *c), *c), *r)[1](g),
    )

    def outer(a, x):
        converted, consts = ft.closure_convert(lambda x: ft.sin(a) * x + V[0], x)
        assert len(consts) == 1
        return apply_twice(converted, consts, x)

    for g in (ft.grad(outer), ft.jit(ft.grad(outer))):
        s = np.sin(Y)
        same(g(Y, V[1]), np.cos(Y) * (2 * s * V[1] + V[0]))
    converted, consts = ft.closure_convert(lambda x: x * Y, V)
    assert consts == []
    same(converted(V), V * Y)
    with pytest.raises(TypeError, match="takes the arguments of the example"):
        converted((V,))
