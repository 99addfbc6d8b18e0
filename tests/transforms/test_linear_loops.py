"""Loops and branches of a linear function are linear, and transpose."""

import numpy as np
import pytest

import ftrans as ft


def test_transposes():
    def doubled_and_added(x):
        return ft.fori_loop(0, 3, lambda i, c: c * 2.0 + x, x)

    def summed(xs):
        return ft.scan(lambda c, x: (c + 3.0 * x, c), 0.0, xs)[0]

    assert float(ft.linear_transpose(doubled_and_added, 1.0)(3.0)[0]) == 45.0
    assert ft.linear_transpose(summed, ft.ones(3))(2.0)[0].tolist() == [6.0, 6.0, 6.0]
    branches = ft.linear_transpose(lambda x: ft.cond(True, lambda x: 2.0 * x, lambda x: x, x), 1.0)
    assert float(branches(3.0)[0]) == 6.0


@pytest.mark.parametrize(
    "affine",
    [
        lambda x: ft.fori_loop(0, 3, lambda i, c: c * 2.0 + 1.0, x),
        lambda x: ft.while_loop(lambda c: c < 3.0, lambda c: c * 2.0, x),
        lambda x: ft.scan(lambda c, y: (c + y, None), x, ft.ones(3))[0],
        lambda x: ft.cond(True, lambda x: x, lambda x: 1.0, x),
    ],
)
def test_what_is_not_linear_is_refused(affine):
    with pytest.raises(TypeError, match="must be linear in its arguments"):
        ft.linear_transpose(affine, 1.0)(3.0)


_RULES = {
    "scan": lambda x, t: ft.scan(lambda c, xt: (c + ft.cos(xt[0]) * xt[1], None), 0.0, (x, t))[0],
    "scan from zeros": lambda x, t: ft.scan(
        lambda c, xt: (c + ft.cos(xt[0]) * xt[1], None), np.zeros(()), (x, t)
    )[0],
    "scan that counts": lambda x, t: ft.scan(
        lambda c, xt: ((c[0] + 1, c[1] * 1.0 + ft.cos(x[c[0]]) * xt), None), (0, 0.0), t
    )[0][1],
    "fori_loop": lambda x, t: ft.fori_loop(0, ft.array(3), lambda i, c: c + ft.cos(x[i]) * t[i], 0.0),
    "map": lambda x, t: ft.sum(ft.map(lambda xt: ft.cos(xt[0]) * xt[1], (x, t))),
    "jvp of scan": lambda x, t: ft.jvp(
        lambda x: ft.scan(lambda c, x: (c + ft.sin(x), None), 0.0, x)[0], (x,), (t,)
    )[1],
    "vmap of cond": lambda x, t: ft.sum(
        ft.vmap(lambda x, t: ft.cond(x > 0, lambda t: ft.cos(x) * t, lambda t: t, t))(x, t)
    ),
}


@pytest.mark.parametrize("rule", _RULES.values(), ids=_RULES.keys())
def test_a_custom_rule_may_loop_over_its_tangents(rule):
    @ft.custom_jvp
    def f(x):
        return ft.sum(ft.sin(x))

    f.defjvp(lambda primals, tangents: (f(*primals), rule(primals[0], tangents[0])))
    x = np.array([0.3, 0.5, 0.2])
    np.testing.assert_allclose(ft.grad(f)(x), np.cos(x), rtol=1e-12)
    np.testing.assert_allclose(ft.jit(ft.hessian(f))(x), -np.diag(np.sin(x)), rtol=1e-12, atol=1e-15)
    xs = np.stack([x, 2 * x])
    np.testing.assert_allclose(ft.vmap(ft.grad(f))(xs), np.cos(xs), rtol=1e-12)


def test_a_carry_that_begins_with_other_numbers_is_refused():
    @ft.custom_jvp
    def f(x):
        return ft.sum(x)

    f.defjvp(lambda p, t: (f(*p), ft.scan(lambda c, t: (c + t, None), np.ones(()), t[0])[0]))
    with pytest.raises(TypeError, match="must be linear in the tangents"):
        ft.grad(f)(np.ones(3))
