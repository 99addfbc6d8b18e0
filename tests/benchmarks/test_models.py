"""The models' gradients are those of forward mode."""

import numpy as np
import pytest

import ftrans as ft
from benchmarks.models import MODELS
from benchmarks.peers import load


@pytest.mark.parametrize("name", MODELS)
def test_gradient(name):
    peer = load(("ftrans",))["ftrans"]
    model, inputs = MODELS[name]
    parameters, data = ft.tree_map(ft.asarray, inputs(np.random.default_rng(0)))

    def loss(parameters):
        return model(peer, parameters, *data)

    value, gradient = ft.jit(ft.value_and_grad(loss))(parameters)
    length = sum(float(ft.sum(g * g)) for g in gradient.values()) ** 0.5
    direction = {key: g / length for key, g in gradient.items()}
    other_value, slope = ft.jit(lambda p, t: ft.jvp(loss, (p,), (t,)))(parameters, direction)
    assert length > 0
    np.testing.assert_allclose(value, other_value, rtol=1e-5)  # sums of up to 10⁵ float32 terms
    np.testing.assert_allclose(slope, length, rtol=1e-4)
