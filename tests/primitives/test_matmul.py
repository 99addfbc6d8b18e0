"""Contractions: what becomes of their derivatives."""

import numpy as np
import pytest

import ftrans as ft


@pytest.mark.parametrize(
    ("product", "shapes"),
    [
        (ft.matmul, ((3, 4), (4, 5))),
        (lambda a, b: ft.matmul(a, b.T), ((3, 4), (5, 4))),
        (lambda a, b: ft.einsum("bij,bjk->bik", a, b), ((2, 3, 4), (2, 4, 5))),
    ],
    ids=["a b", "a bᵀ", "batch"],
)
def test_derivative_of_a_product_of_matrices_transposes_nothing(product, shapes):
    a, b = (ft.array(np.cos(np.arange(np.prod(shape))).reshape(shape)) for shape in shapes)
    forward = str(ft.make_jaxpr(product)(a, b)).count("transpose")
    jaxpr = str(ft.make_jaxpr(ft.grad(lambda a, b: ft.sum(product(a, b)), (0, 1)))(a, b))
    assert jaxpr.count("dot_general") >= 2
    # That of an operand's transposition is a transposition.
    assert jaxpr.count("transpose") == 2 * forward
