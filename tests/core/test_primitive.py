"""Registration of primitives."""

import pytest

import ftrans as ft
from ftrans.core.primitive import Primitive, no_derivative, primitives, zero_derivative


def test_a_missing_rule_is_named():
    with pytest.raises(TypeError, match=r"'half_made' lacks batch, jvp"):
        Primitive("half_made", abstract_eval=lambda x: x, impl=lambda x: x, vjp=zero_derivative)
    assert "half_made" not in primitives


def test_names_are_unique():
    sin = primitives["sin"]
    with pytest.raises(ValueError, match="'sin' is already registered"):
        Primitive("sin", abstract_eval=len, impl=len, jvp=len, vjp=len, batch=sin.batch)


def test_no_derivative_raises_with_its_reason():
    undifferentiable = Primitive(
        "undifferentiable",
        abstract_eval=lambda x: x,
        impl=lambda x: x,
        jvp=no_derivative("it is a test"),
        vjp=no_derivative("it is a test"),
        batch=lambda args, dims, size: (args[0], dims[0]),
        opcode="neg",
    )
    try:
        for transformed in (
            ft.grad(undifferentiable.bind),
            lambda x: ft.jvp(undifferentiable.bind, (x,), (x,)),
        ):
            with pytest.raises(TypeError, match="undifferentiable has no derivative: it is a test"):
                transformed(1.0)
    finally:
        del primitives["undifferentiable"]


@pytest.mark.parametrize("transform", [lambda f: f, ft.jit, ft.vmap, ft.grad])
def test_unhashable_parameters(transform):
    def f(x):
        return primitives["reduce_sum"].bind(x, axes=[0])

    with pytest.raises(TypeError, match=r"reduce_sum: parameters must be hashable, got {'axes': \[0\]}"):
        transform(f)(ft.ones((2, 3)))


@pytest.mark.parametrize("transform", [lambda f: f, ft.jit, ft.vmap, ft.grad])
def test_operands_must_be_arrays(transform):
    with pytest.raises(TypeError, match="mul: operand 1 must be an Array, got float"):
        transform(lambda x: primitives["mul"].bind(x, 2.0))(
            ft.ones(()) if transform is ft.grad else ft.ones(3)
        )
