"""Compiled derivatives of what only moves elements: large enough that arrays are read where they are."""

from functools import partial

import numpy as np
import pytest

import ftrans as ft

ROWS, COLUMNS = 60, 50


def _joined(xp, x, axis):
    return xp.concatenate([x, 2 * x], axis=axis)


FUNCTIONS = {
    "concatenate rows": lambda xp, x: _joined(xp, x, 0),
    "concatenate columns": lambda xp, x: _joined(xp, x, 1),
    "stack first": lambda xp, x: xp.stack([x, x * x, 3 * x]),
    "stack last": lambda xp, x: xp.stack([x, x * x], axis=-1),
    "pad": lambda xp, x: xp.pad(x, ((1, 2), (0, 3)), constant_values=2.0),
    "roll rows": lambda xp, x: xp.roll(x, 7, axis=0) * x,
    "roll columns": lambda xp, x: xp.roll(x, -7, axis=1) * x,
    "repeat": lambda xp, x: xp.repeat(xp.repeat(x, 2, axis=0), 3, axis=1),
    "tile": lambda xp, x: xp.tile(x, (2, 2)),
    "differences": lambda xp, x: xp.diff(x, axis=0)[:, 1:] - xp.diff(x, axis=1)[1:],
    "gate": lambda xp, x: xp.sin(x)[:, :25] * xp.tanh(xp.sin(x)[:, 25:]),
    "parts": lambda xp, x: sum(i * part * part for i, part in enumerate(xp.split(xp.exp(x), 5, axis=1))),
    "pooled": lambda xp, x: xp.mean(xp.reshape(xp.sin(x), (30, 2, 25, 2)), axis=(1, 3)),
    "cropped": lambda xp, x: _joined(xp, xp.pad(x, 2), 0)[5:-5, 3:-3],
    "strided": lambda xp, x: xp.exp(_joined(xp, x, 0))[::2] + xp.exp(_joined(xp, x, 0))[1::2],
}


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_compiled_pull_back_is_the_transpose_of_the_derivative(name, dtype):
    function = partial(FUNCTIONS[name], ft)
    rng = np.random.default_rng(0)
    values = rng.normal(size=(ROWS, COLUMNS)).astype(dtype)
    if dtype == "complex128":
        values = values + 1j * rng.normal(size=values.shape)
    x = ft.array(values)

    primal = ft.jit(function)(x)
    np.testing.assert_allclose(primal, FUNCTIONS[name](np, values), rtol=1e-13, atol=1e-13)
    weights = ft.array(rng.normal(size=primal.shape).astype(dtype))
    compiled = ft.jit(lambda x, weights: ft.vjp(function, x)[1](weights)[0])(x, weights)
    direction = ft.array(rng.normal(size=values.shape).astype(dtype))
    # ⟨weights, J·direction⟩ = ⟨J*·weights, direction⟩, the left side without a pull-back.
    _, moved = ft.jit(lambda x, d: ft.jvp(function, (x,), (d,)))(x, direction)
    np.testing.assert_allclose(
        np.sum(np.asarray(weights) * np.asarray(moved)),
        np.sum(np.asarray(compiled) * np.asarray(direction)),
        rtol=1e-10,
    )
