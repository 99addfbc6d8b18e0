"""linear_transpose: ⟨c, A x⟩ = ⟨Aᵀ c, x⟩, and what is told apart from linear functions."""

import numpy as np
import pytest

import ftrans as ft

X = np.array([[0.3, -1.2, 0.7], [1.1, 0.2, -0.4]])
M = np.arange(12.0).reshape(3, 4)


def updated(x):
    y = ft.zeros((3, 3), dtype=ft.float64)
    y[1:] = x
    y[np.array([0, 2]), 1] += x[:, 0]
    return y


def solved(x):
    """The solution of a system that its own right-hand side does not change."""
    return ft.custom_linear_solve(
        lambda y: (2.0 + X**2) * y, x, lambda matvec, b: b / matvec(ft.ones_like(b)), symmetric=True
    )


def pulled_back(function):
    """The pull-back of a function is linear in the cotangent."""
    return lambda x: ft.vjp(function, X)[1](x)[0]


LINEAR = {
    "product": lambda x: x @ M,
    "sum": lambda x: 2.0 * ft.sum(x, axis=0) - x[1] / 3.0,
    "shapes": lambda x: ft.concatenate([ft.flip(x, axis=0).T.reshape(-1), ft.zeros(2, dtype=ft.float64)]),
    "indices": lambda x: x[np.array([1, 0, 1])][:, ::2],
    "select": lambda x: ft.where(X > 0, x, 0.0),
    "cumsum": lambda x: ft.cumsum(x, axis=1),
    "update": updated,
    "jit": lambda x: ft.jit(lambda y: y * X + y)(x),
    "einsum": lambda x: ft.einsum("ij,jk,lk->il", x, M, M),
    "complex": lambda x: ft.real((1 + 2j) * x.astype(ft.complex128)),
    "convert": lambda x: x.astype(ft.float32).astype(ft.float64),
    "checkpoint": ft.checkpoint(lambda x: ft.checkpoint_name(x, "x") * 3.0),
    "linear_solve": solved,
    "pull-back of checkpoint": pulled_back(ft.checkpoint(lambda x: ft.sin(ft.sin(x)))),
    "pull-back of while_loop": pulled_back(
        lambda x: ft.while_loop(lambda s: s[0] < 3, lambda s: (s[0] + 1, ft.sin(s[1])), (0, x))[1]
    ),
}


@pytest.mark.parametrize("name", LINEAR)
def test_transpose_is_the_adjoint(name):
    f = LINEAR[name]
    y = np.asarray(f(ft.asarray(X)))
    c = np.random.default_rng(0).standard_normal(y.shape)
    for transposed in (ft.linear_transpose(f, X), ft.jit(ft.linear_transpose(f, X))):
        (xt,) = transposed(c)
        # One rounding to float32 in the one case that converts to it.
        np.testing.assert_allclose(np.sum(np.asarray(xt) * X), np.sum(c * y), rtol=1e-6)
        assert xt.shape == X.shape


NOT_LINEAR = {
    "sin": (ft.sin, "sin is not a linear operation"),
    "square": (lambda x: x * x, "mul combines what is linear with a constant, or with itself"),
    "affine": (lambda x: x + 1.0, "add combines"),
    "division": (lambda x: 1.0 / x, "div is not a linear operation|div combines"),
    "constant": (lambda x: (x, np.ones(3)), "output 1 is a constant that is not zero"),
    "comparison": (lambda x: ft.where(x > 0, x, 0.0), "gt is not a linear operation"),
    "integers": (lambda x: x.astype(ft.int32).astype(ft.float64), "convert is not a linear operation"),
    "padding": (lambda x: ft.pad(x, 1, constant_values=1.0), "combines"),
    "inner": (ft.jit(lambda x: ft.exp(x)), "exp is not a linear operation"),
}


@pytest.mark.parametrize("name", NOT_LINEAR)
def test_functions_that_are_not_linear(name):
    f, message = NOT_LINEAR[name]
    with pytest.raises(TypeError, match=message):
        ft.linear_transpose(f, X)


def test_calls_with_a_tangent_rule_are_transposed_as_they_are_written():
    f = ft.custom_jvp(lambda x: 2.0 * x)
    f.defjvp(lambda p, t: (f(*p), f(*t)))
    np.testing.assert_array_equal(np.asarray(ft.linear_transpose(f, X)(X)[0]), 2.0 * X)
    np.testing.assert_array_equal(np.asarray(ft.grad(lambda x: f(f(x)).sum())(X)), np.full_like(X, 4.0))


def test_trees_avals_and_zeros():
    def f(p, x):
        return {"u": p["a"] * 2.0, "v": x - p["b"], "zero": np.zeros(2)}

    aval = ft.asarray(X).aval
    transposed = ft.linear_transpose(f, {"a": aval, "b": aval, "c": aval}, aval)
    p, x = transposed({"u": X, "v": 3.0 * X, "zero": np.ones(2)})
    np.testing.assert_array_equal(np.asarray(p["a"]), 2.0 * X)
    np.testing.assert_array_equal(np.asarray(p["b"]), -3.0 * X)
    np.testing.assert_array_equal(np.asarray(p["c"]), 0.0 * X)
    np.testing.assert_array_equal(np.asarray(x), 3.0 * X)
    batched = ft.vmap(ft.linear_transpose(lambda x: x @ M, X[0]))
    np.testing.assert_allclose(np.asarray(batched(np.ones((5, 4)))[0]), np.tile(M.sum(1), (5, 1)))


def test_errors():
    with pytest.raises(TypeError, match=r"argument x of .* must be real or complex, got int32"):
        ft.linear_transpose(lambda x: x, 3)
    transposed = ft.linear_transpose(lambda x: x @ M, X)
    with pytest.raises(ValueError, match=r"cotangent must have shape \(2, 4\), got \(4,\)"):
        transposed(np.ones(4))
    with pytest.raises(TypeError, match="cotangent must have dtype float64, got float32"):
        transposed(np.ones((2, 4), np.float32))
    with pytest.raises(TypeError, match="structure of the output"):
        transposed((np.ones((2, 4)),))
