"""Where transformations of transformations may go wrong: perturbations, closures, rules, trees."""

import itertools

import numpy as np
import pytest

import ftrans as ft

X = np.array([0.4, -1.2, 0.9])


def same(actual, expected):
    np.testing.assert_allclose(np.asarray(actual), np.asarray(expected), rtol=1e-12, atol=1e-14)


@ft.custom_vjp
def product(x, y):
    return x * y


# The rule is made of the function itself, so that it is followed at every order.
product.defvjp(lambda x, y: (product(x, y), (x, y)), lambda r, g: (product(g, r[1]), product(g, r[0])))


@ft.custom_jvp
def product_by_jvp(x, y):
    return x * y


product_by_jvp.defjvp(
    lambda p, t: (product_by_jvp(*p), product_by_jvp(t[0], p[1]) + product_by_jvp(p[0], t[1]))
)

products = pytest.mark.parametrize("mul", [product, product_by_jvp, ft.checkpoint(lambda x, y: x * y)])
derivatives = [ft.grad, lambda f: lambda x: ft.jvp(f, (x,), (ft.ones_like(x),))[1]]


@products
@pytest.mark.parametrize("outer", derivatives)
@pytest.mark.parametrize("inner", derivatives)
def test_perturbations_of_nested_derivatives_are_not_confused(mul, outer, inner):
    # d/dx (x · d/dy (x·y)) = 2x; a confused perturbation gives 2x + y or x.
    one = np.float64(1.0)
    same(outer(lambda x: x * inner(lambda y: mul(x, y))(one))(np.float64(3.0)), 6.0)
    same(outer(lambda x: mul(x, inner(lambda y: mul(x, mul(y, y)))(x)))(np.float64(3.0)), 54.0)
    same(outer(lambda x: inner(lambda y: ft.vmap(lambda z: mul(x, mul(y, z)))(X).sum())(one))(one), X.sum())


@products
def test_third_derivatives_in_all_eight_ways(mul):
    def cube(x):
        return mul(x, mul(x, x)) * x

    for a, b, c in itertools.product(derivatives, repeat=3):
        same(a(b(c(cube)))(np.float64(0.5)), 12.0)
        same(ft.jit(ft.vmap(a(b(c(ft.jit(cube))))))(X), 24 * X)


@products
def test_closures_three_deep(mul):
    def outer(a):
        def middle(b):
            def inner(c):
                return mul(mul(a, b), mul(c, c))

            return ft.grad(inner)(a) * ft.jit(ft.vmap(lambda c: mul(b, c)))(X).sum()

        return ft.grad(middle)(a)

    # inner' = 2 a b c = 2 a² b; middle = 2 a² b² ΣX; d/db = 4 a² b ΣX = 4 a³ ΣX.
    a = np.float64(1.3)
    same(outer(a), 4 * a**3 * X.sum())
    same(ft.grad(outer)(a), 12 * a**2 * X.sum())
    same(ft.jit(ft.grad(outer))(a), 12 * a**2 * X.sum())
    same(ft.vmap(ft.grad(outer))(X), 12 * X**2 * X.sum())


@products
def test_mixed_jacobians_agree(mul):
    def f(x):
        return mul(ft.sin(x), x[::-1]) * ft.exp(mul(x, x)).sum()

    second = ft.jacfwd(ft.jacrev(f))(X)
    for outer, inner in itertools.product((ft.jacfwd, ft.jacrev), repeat=2):
        same(outer(inner(f))(X), second)
    same(ft.jit(ft.hessian(f))(X), second)
    same(np.asarray(second), np.asarray(second).transpose(0, 2, 1))
    direction = np.array([1.0, -2.0, 0.5])
    total = ft.hvp(lambda x: f(x).sum(), (X,), (direction,))[0]
    same(total, np.einsum("kij,j->i", np.asarray(second), direction))


def test_a_backward_rule_under_vmap_under_jit_under_grad():
    def f(x, w):
        return ft.jit(ft.vmap(product, (0, None)))(ft.sin(x), w).sum()

    gx, gw = ft.grad(f, (0, 1))(X, np.float64(2.0))
    same(gx, 2 * np.cos(X))
    same(gw, np.sin(X).sum())
    batched = ft.vmap(ft.jit(ft.grad(f, 1)), (0, None))(np.stack([X, 2 * X]), np.float64(2.0))
    same(batched, [np.sin(X).sum(), np.sin(2 * X).sum()])


def test_stop_gradient_of_trees():
    def f(p):
        stopped = ft.stop_gradient({"a": p["a"], "rest": (p["b"], 3, None)})
        assert stopped["rest"][2] is None
        return stopped["a"] * p["a"] + stopped["rest"][0] * stopped["rest"][1]

    p = {"a": np.float64(2.0), "b": np.float64(5.0)}
    for transform in (lambda g: g, ft.jit):
        gradient = transform(ft.grad(f))(p)
        same(gradient["a"], 2.0)
        same(gradient["b"], 0.0)
    same(ft.jvp(f, (p,), (p,))[1], 4.0)
    same(ft.hessian(lambda x: ft.stop_gradient(x) * x * x)(np.float64(3.0)), 6.0)


def test_value_and_grad_of_trees_of_every_kind():
    def f(p, n, *, scale):
        return (p["w"] * p["rest"][0] * n * scale).sum(), {"n": n}

    p = {"w": X, "rest": [np.float64(2.0), None]}
    g = ft.value_and_grad(f, argnums=(0, 1), has_aux=True, allow_int=True)
    (value, aux), (gp, gn) = g(p, np.int32(3), scale=2.0)
    same(value, 12 * X.sum())
    same(gp["w"], np.full(3, 12.0))
    same(gp["rest"][0], 6 * X.sum())
    assert gp["rest"][1] is None
    assert (gn.dtype, int(gn), int(aux["n"])) == (ft.int32, 0, 3)
    same(ft.grad(lambda z: z**3, holomorphic=True)(np.complex128(1 + 2j)), 3 * (1 + 2j) ** 2)


def test_hvp_errors():
    with pytest.raises(TypeError, match="hvp: primals must be a tuple"):
        ft.hvp(ft.sum, X, X)
    with pytest.raises(TypeError, match="scalar of shape"):
        ft.hvp(ft.sin, (X,), (X,))
    with pytest.raises(ValueError, match="must have the primal's shape"):
        ft.hvp(ft.sum, (X,), (X[:2],))
