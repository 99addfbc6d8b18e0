"""Python numbers take the dtype of what they stand for, unrounded."""

import numpy as np
import pytest

import ftrans as ft

X = np.float64(1.5)


def _with_rule(decorator, definition, *rule):
    f = decorator(lambda *args: args[0] * args[0])
    getattr(f, definition)(*rule)
    return f


CALLS = {
    "jvp": (lambda: ft.jvp(lambda x: 2.0 * x, (X,), (0.1,))[1], 0.2),
    "linearize": (lambda: ft.linearize(lambda x: 2.0 * x, X)[1](0.1), 0.2),
    "vjp": (lambda: ft.vjp(lambda x: 2.0 * x, X)[1](0.1)[0], 0.2),
    "linear_transpose": (lambda: ft.linear_transpose(lambda x: 2.0 * x, X)(0.1)[0], 0.2),
    "hvp": (lambda: ft.hvp(lambda x: x * x, (X,), (0.1,))[0], 0.2),
    "jet": (lambda: ft.jet(lambda x: 2.0 * x, (X,), ([0.1],))[1][0], 0.2),
    "custom_jvp": (
        lambda: ft.grad(_with_rule(ft.custom_jvp, "defjvp", lambda p, t: (p[0], 0.1 * t[0])))(X),
        0.1,
    ),
    "custom_vjp": (
        lambda: ft.grad(_with_rule(ft.custom_vjp, "defvjp", lambda x: (x, None), lambda _, g: (0.1,)))(X),
        0.1,
    ),
    "custom_root": (
        lambda: ft.custom_root(lambda x: x - 0.1, X, lambda f, x: 0.1, lambda g, b: b / g(1)),
        0.1,
    ),
    "custom_linear_solve": (
        lambda: ft.custom_linear_solve(lambda x: 2 * x, X, lambda f, b: b / f(0.1), symmetric=True),
        1.5 / 0.2,
    ),
    "closure_convert": (lambda: ft.closure_convert(lambda x: 2 * x, X)[0](0.1), 0.2),
    "what grad does not differentiate": (lambda: ft.grad(lambda x, y: x * y)(X, 0.1), 0.1),
    "scan": (lambda: ft.scan(lambda c, _: (c * X, None), 0.1, None, length=1)[0], 0.1 * 1.5),
    "while_loop": (lambda: ft.while_loop(lambda c: c < 0.15, lambda c: c * X, 0.1), 0.1 * 1.5),
    "the result of a step": (lambda: ft.while_loop(lambda c: c > 1, lambda c: 0.1, X), 0.1),
    "cond": (lambda: ft.cond(ft.array(True), lambda x: 0.1, lambda x: x, X), 0.1),
    "cond, compiled": (lambda: ft.jit(lambda p: ft.cond(p, lambda x: 0.1, lambda x: x, X))(True), 0.1),
}


def test_complex_numbers_are_not_rounded_either():
    number = 0.1 + 0.3j
    one = np.complex128(1)
    assert ft.vjp(lambda z: 2 * z, one)[1](number)[0].item() == 2 * number
    assert ft.reduce(np.zeros(2, np.complex128), number, lambda a, b: a + b, (0,)).item() == number
    assert ft.cond(ft.array(True), lambda z: number, lambda z: z, one).item() == number
    assert ft.scan(lambda c, _: (c * one, None), number, None, length=1)[0].item() == number


@pytest.mark.parametrize("name", CALLS)
def test_number(name):
    call, expected = CALLS[name]
    result = call()
    assert result.dtype == ft.float64
    assert result.item() == pytest.approx(expected, rel=4 * np.finfo(np.float64).eps)


def test_cotangents_of_numbers_may_be_wider():
    f = _with_rule(
        ft.custom_vjp, "defvjp", lambda x, y: (x * y, (x, y)), lambda res, g: (g * res[1], g * res[0])
    )
    for transform in (lambda f: f, ft.jit):
        gx, gy = transform(ft.grad(lambda x, y: f(x, y), argnums=(0, 1)))(X, 0.5)
        assert (gx.dtype, gy.dtype) == (ft.float64, ft.float32)
        assert (gx.item(), gy.item()) == (0.5, 1.5)


def test_numbers_that_do_not_fit_are_refused():
    with pytest.raises(
        TypeError, match="the tangent of argument x of sin must have the primal's dtype float64"
    ):
        ft.jvp(ft.sin, (X,), (1j,))
    with pytest.raises(ValueError, match=r"the cotangent must|cotangent must have the output's shape \(2,\)"):
        ft.vjp(ft.sin, np.ones(2))[1](1.0)
    with pytest.raises(
        TypeError, match="solution that solve calls the function with must have dtype float64"
    ):
        ft.custom_root(lambda x: x - 1, X, lambda f, x: f(ft.array(1.0)), lambda g, b: b)
    with pytest.raises(TypeError, match="argument x of <lambda> must have the example's dtype float64"):
        ft.closure_convert(lambda x: x, X)[0](ft.array(1.0))
