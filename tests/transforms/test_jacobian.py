"""jacfwd, jacrev, hessian."""

import numpy as np
import pytest

import ftrans as ft
from ftrans._native import from_numpy

V = np.array([0.1, -0.7, 1.3])
J = np.diag(2 * V)


def same(actual, expected):
    np.testing.assert_allclose(np.asarray(actual), expected, rtol=1e-12, atol=1e-14)


both = pytest.mark.parametrize("jacobian", [ft.jacfwd, ft.jacrev])


@both
def test_vector(jacobian):
    same(jacobian(lambda x: x * x)(V), J)
    same(ft.jit(jacobian(lambda x: x * x))(V), J)
    same(ft.vmap(jacobian(lambda x: x * x))(np.stack([V, V])), np.stack([J, J]))
    same(jacobian(lambda x: ft.sum(x * x))(V), 2 * V)
    assert jacobian(lambda x: x * x)(3.0).shape == ()


@both
def test_trees(jacobian):
    def f(p, x):
        return {"a": p["w"] * x, "b": ft.sum(x)}

    args = {"w": np.ones((3,))}, V
    result = jacobian(f, argnums=(1, 0))(*args)
    by_x, by_p = result["a"]
    same(by_x, np.eye(3))
    same(by_p["w"], np.diag(V))
    same(result["b"][0], np.ones(3))
    same(result["b"][1]["w"], np.zeros(3))
    assert jacobian(lambda m: m * 2.0)(np.ones((2, 3))).shape == (2, 3, 2, 3)


@both
def test_aux_and_closures(jacobian):
    result, aux = jacobian(lambda x: (x * x, x), has_aux=True)(V)
    same(result, J)
    same(aux, V)
    same(ft.grad(lambda s: ft.sum(jacobian(lambda x: x * x * s)(from_numpy(V))))(np.float64(1)), np.sum(J))


@both
def test_errors(jacobian):
    with pytest.raises(TypeError, match="int32"):
        jacobian(lambda x: x)(np.int32(1))
    with pytest.raises(TypeError, match="holomorphic"):
        jacobian(lambda x: x)(np.complex128(1))
    with pytest.raises(TypeError, match="expects complex inputs"):
        jacobian(lambda x: x, holomorphic=True)(1.0)


@both
def test_holomorphic(jacobian):
    z = np.array([1 + 2j, 0.5j])
    same(jacobian(lambda z: z * z, holomorphic=True)(z), np.diag(2 * z))


def test_hessian():
    same(ft.hessian(lambda x: ft.sum(x * x * x))(V), np.diag(6 * V))
    blocks = ft.hessian(lambda x, y: ft.sum(x * x * y), argnums=(0, 1))(V, V)
    same(blocks[0][1], np.diag(2 * V))
    same(blocks[1][1], np.zeros((3, 3)))
    second, aux = ft.hessian(lambda x: (ft.sum(x * x), x), has_aux=True)(V)
    same(second, 2 * np.eye(3))
    same(aux, V)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: ft.hessian(lambda x: x)(1),
            "^hessian expects real inputs, but argument x of <lambda> is int32",
        ),
        (lambda: ft.hessian(lambda x: x * 1j)(1.0), "^hessian expects a real output"),
        (
            lambda: ft.hvp(lambda x: x, (np.ones(2),), (np.ones(2),)),
            r"^hvp expects .*shape \(2,\); reduce it(?!,)",
        ),
        (
            lambda: ft.hvp(ft.sum, (np.ones(2, int),), (np.ones(2),)),
            "^hvp expects .* is int64; convert it(?!,)",
        ),
    ],
)
def test_second_derivatives_name_themselves(call, message):
    with pytest.raises(TypeError, match=message):
        call()
