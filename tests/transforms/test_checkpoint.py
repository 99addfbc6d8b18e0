"""checkpoint: the derivatives of the function without it, and the memory that its policy promises."""

import itertools

import numpy as np
import pytest

import ftrans as ft
from ftrans import checkpoint_policies as policies

X = np.array([[0.3, -1.2, 0.7], [1.1, 0.2, -0.4], [-0.8, 0.5, 0.9]])
W = np.array([[0.5, -0.1, 0.2], [0.3, 0.8, -0.6], [-0.4, 0.1, 0.7]])

POLICIES = {
    "default": None,
    "everything": policies.everything_saveable,
    "dots": policies.dots_saveable,
    "dots without batch": policies.dots_with_no_batch_dims_saveable,
    "name": policies.save_only_these_names("hidden"),
    "not name": policies.save_anything_except_these_names("hidden"),
    "other names": policies.save_any_names_but_these("hidden"),
    "both": policies.save_from_both_policies(
        policies.dots_saveable, policies.save_anything_except_these_names("hidden")
    ),
}


def block(w, x):
    hidden = ft.checkpoint_name(ft.sin(x @ w), "hidden")
    return {"out": hidden * ft.exp(-hidden) + x}


def loss(f):
    return lambda w, x: ft.sum(f(w, f(w, x)["out"])["out"] ** 2)


def same(actual, expected):
    # The same operations in the same order, but for the fusion that decides how they are rounded.
    np.testing.assert_allclose(np.asarray(actual), np.asarray(expected), rtol=1e-13, atol=1e-13)


TRANSFORMS = {
    "grad": lambda f: lambda w, x: ft.grad(f, (0, 1))(w, x)[0],
    "jit": ft.jit,
    "vmap": lambda f: lambda w, x: ft.sum(ft.vmap(f, (None, 0))(w, ft.stack([x, 2.0 * x])), axis=0),
    "jvp": lambda f: lambda w, x: ft.jvp(f, (w, x), (x, w))[1],
}


@pytest.mark.parametrize("names", list(itertools.product(TRANSFORMS, repeat=3)), ids=".".join)
def test_composed_thrice(names):
    def composed(f):
        for name in names:
            inner = f
            # grad takes scalars: what comes before may have made an array of it
            f = TRANSFORMS[name](lambda w, x, inner=inner: ft.sum(inner(w, x) ** 2))
        return f(W, X)

    same(composed(loss(ft.checkpoint(block))), composed(loss(block)))


@pytest.mark.parametrize("policy", POLICIES)
def test_policies_change_no_derivative(policy):
    f, g = loss(block), loss(ft.checkpoint(block, policy=POLICIES[policy]))
    for transform in (lambda h: ft.grad(h, (0, 1)), lambda h: ft.jit(ft.grad(h, (0, 1))), ft.hessian):
        for actual, expected in zip(transform(g)(W, X), transform(f)(W, X), strict=True):
            same(actual, expected)


SAVED = {  # arrays of the shape of x, besides w and x
    "default": 0,
    "everything": 3,  # sin and its derivative, exp
    "dots": 1,
    "dots without batch": 1,
    "name": 1,
    "other names": 0,
    "both": 3,  # the product, the derivative of sin, exp
}


@pytest.mark.parametrize("policy", SAVED)
def test_policies_save_what_they_say(policy):
    fun = ft.checkpoint(block, policy=POLICIES[policy])
    saved = ft.saved_residuals(fun, W, X)
    assert [r.source.split(" of ")[0] for r in saved[:2]] == ["argument w", "argument x"]
    assert len(saved) == 2 + SAVED[policy], saved
    assert all(r.source.endswith("(block)") for r in saved[2:])


def test_a_value_excluded_by_name_is_recomputed():
    def fun(x):
        return ft.sum(ft.exp(ft.checkpoint_name(ft.sin(x), "s")) * x)

    everything = ft.saved_residuals(ft.checkpoint(fun, policy=policies.everything_saveable), X)
    without = ft.checkpoint(fun, policy=policies.save_anything_except_these_names("s"))
    sources = [r.source for r in ft.saved_residuals(without, X)]
    assert len(sources) <= len(everything)
    # Under `save_only` it is the one that is kept, whatever else there is.
    only = ft.saved_residuals(ft.checkpoint(fun, policy=policies.save_only_these_names("s")), X)
    assert len(only) == 2


def peak(function, *args):
    """The memory that a call needs beyond what was there before."""
    ft.eval(*args)
    before = ft.get_active_memory()
    ft.reset_peak_memory()
    ft.eval(function(*args))
    return ft.get_peak_memory() - before


@pytest.mark.parametrize("compiled", [False, True])
def test_memory_of_a_deep_network(compiled):
    layers, activation = 24, 512 * 64 * 4

    def layer(w, x):
        hidden = ft.sin(x @ w)
        return hidden * ft.exp(-hidden)

    def gradient(f):
        def network(ws, x):
            for w in ws:
                x = f(w, x)
            return ft.sum(x)

        return ft.jit(ft.grad(network)) if compiled else ft.grad(network)

    ws = [ft.full((64, 64), 0.01 * (i + 1)) for i in range(layers)]
    x = ft.full((512, 64), 0.5)
    working_set = 8 * activation  # of the one layer that is recomputed, with its cotangents
    gradients = layers * 64 * 64 * 4
    kept = (layers - 1) * activation  # the argument of every layer but the first, which is there anyway
    plain = peak(gradient(layer), ws, x)
    nothing = peak(gradient(ft.checkpoint(layer)), ws, x)
    dots = peak(gradient(ft.checkpoint(layer, policy=policies.dots_saveable)), ws, x)
    assert kept <= nothing <= kept + gradients + working_set
    assert kept + layers * activation <= dots <= kept + layers * activation + gradients + working_set
    assert plain >= 2 * kept + layers * activation
    merged = peak(gradient(ft.checkpoint(layer, prevent_cse=False)), ws, x)
    assert merged > 2 * kept  # the compiler sees through it


def test_nested_and_within_jit():
    inner = ft.checkpoint(lambda w, x: ft.tanh(x @ w))
    outer = ft.checkpoint(lambda w, x: ft.jit(lambda x: inner(w, inner(w, x)))(x) * x)

    def plain(w, x):
        return ft.tanh(ft.tanh(x @ w) @ w) * x

    for f, g in ((plain, outer), (ft.vmap(plain, (None, 0)), ft.vmap(outer, (None, 0)))):
        expected = ft.grad(lambda w, x, f=f: ft.sum(f(w, x)), (0, 1))(W, X)
        actual = ft.grad(ft.jit(lambda w, x, g=g: ft.sum(g(w, x))), (0, 1))(W, X)
        for a, e in zip(actual, expected, strict=True):
            same(a, e)


def test_policies_see_into_jitted_functions():
    fun = ft.checkpoint(ft.jit(block), policy=policies.dots_saveable)
    assert len(ft.saved_residuals(fun, W, X)) == 3


def test_closures_and_static_arguments():
    def fun(w):
        return ft.sum(ft.checkpoint(lambda x, power: (x * w) ** power, static_argnums=1)(X, 3))

    same(ft.grad(fun)(np.float64(2.0)), 12 * np.sum(X**3))
    same(ft.jit(ft.grad(fun))(np.float64(2.0)), 12 * np.sum(X**3))
    named = ft.checkpoint(lambda x, *, power: x**power if power > 2 else x, static_argnames="power")
    same(ft.grad(lambda x: ft.sum(named(x, power=3)))(X), 3 * X**2)


def test_integers_and_unused_arguments():
    fun = ft.checkpoint(lambda x, n, unused: (x * n, n + 1))
    gx, gn, gu = ft.vjp(fun, X, np.int32(3), X)[1]((ft.ones((3, 3), dtype=ft.float64), 0))
    same(gx, np.full((3, 3), 3.0))
    assert gn.dtype == ft.int32
    same(gu, np.zeros((3, 3)))


def test_errors():
    with pytest.raises(TypeError, match="checkpoint expects a function"):
        ft.checkpoint(3)
    with pytest.raises(TypeError, match="policy"):
        ft.checkpoint(block, policy="dots")
    with pytest.raises(TypeError, match="name must be a string"):
        ft.checkpoint_name(X, 3)
    with pytest.raises(TypeError, match="names must be strings"):
        policies.save_only_these_names(["a"])
    with pytest.raises(ft.ConcretizationError, match="checkpoint traces the function"):
        ft.grad(ft.checkpoint(lambda x: x if x > 0 else -x))(1.0)
