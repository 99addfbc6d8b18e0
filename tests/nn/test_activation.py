"""Activation functions: values and derivatives against the formulas in float64."""

import numpy as np
import pytest
import scipy.special

import ftrans as ft

X = np.array([-1000.0, -8.0, -3.5, -1.0, -0.1, 0.2, 1.0, 4.0, 7.0, 1000.0])
SIGMOID = scipy.special.expit

FORMULAS = {
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "celu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "selu": lambda x: (
        1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0)))
    ),
    "softplus": lambda x: np.logaddexp(x, 0),
    "log_sigmoid": lambda x: -np.logaddexp(-x, 0),
    "silu": lambda x: x * SIGMOID(x),
    "gelu": lambda x: 0.5 * x * scipy.special.erfc(-x / np.sqrt(2)),
    "mish": lambda x: x * np.tanh(np.logaddexp(x, 0)),
    "soft_sign": lambda x: x / (1 + np.abs(x)),
    "hard_tanh": lambda x: np.clip(x, -1, 1),
    "hard_sigmoid": lambda x: np.clip(x + 3, 0, 6) / 6,
    "hard_silu": lambda x: x * np.clip(x + 3, 0, 6) / 6,
    "squareplus": lambda x: (x + np.sqrt(x**2 + 4)) / 2,
    "sigmoid": SIGMOID,
    "tanh": np.tanh,
}


@pytest.mark.parametrize("name", FORMULAS)
def test_value_and_derivative(name):
    f, formula = getattr(ft.nn, name), FORMULAS[name]
    np.testing.assert_allclose(
        np.asarray(f(X.astype(np.float32))),
        formula(X),
        rtol=1e-5,
        atol=1e-4 if name == "squareplus" else 1e-6,
    )
    h = 1e-5
    x = X[1:-1]
    derivative = ft.grad(lambda v: ft.sum(f(v)))(ft.array(X))
    expected = (formula(x + h) - formula(x - h)) / (2 * h)
    if name != "hard_tanh":  # has kinks at -1 and 1
        np.testing.assert_allclose(np.asarray(derivative)[1:-1], expected, rtol=1e-4, atol=1e-6)
    assert np.isfinite(np.asarray(derivative)).all()


def test_relu_is_flat_at_zero():
    assert ft.grad(ft.nn.relu)(0.0).item() == 0


def test_gelu_approximation_and_glu():
    x = X[1:-1].astype(np.float32)
    np.testing.assert_allclose(
        np.asarray(ft.nn.gelu(x, approximate=True)), FORMULAS["gelu"](x.astype(np.float64)), atol=1e-3
    )
    a = np.arange(6, dtype=np.float32).reshape(2, 3)
    pair = np.concatenate([a, a + 1], axis=1)
    np.testing.assert_allclose(np.asarray(ft.nn.glu(pair)), a * SIGMOID(a + 1), rtol=1e-6)
