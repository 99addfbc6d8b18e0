"""Pull-backs of loops of unknown length that run parts of the loop again, to keep little."""

import numpy as np
import pytest

import ftrans as ft

SIZE = 64
MATRIX = np.eye(SIZE) * 0.9 + 0.01 * np.random.default_rng(0).standard_normal((SIZE, SIZE))
START = np.random.default_rng(1).standard_normal((SIZE, 4))


def _unchanged(f):
    return f


WAYS = {"body": (ft.checkpoint, _unchanged), "loop": (_unchanged, ft.checkpoint)}


def _loss(steps, body_way=_unchanged, loop_way=_unchanged, matrix=MATRIX):
    def body(state):
        return state[0] + 1, ft.tanh(ft.matmul(ft.array(matrix), state[1])) + ft.sin(state[1])

    def loop(x):
        return ft.while_loop(lambda s: s[0] < steps, body_way(body), (0, x))[1]

    return lambda x: ft.sum(loop_way(loop)(x) ** 2)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
@pytest.mark.parametrize("steps", [0, 1, 2, 3, 7, 8, 33, 150])
def test_gradients_are_the_same_bits(way, steps):
    expected = ft.grad(_loss(steps))(START)
    np.testing.assert_array_equal(ft.grad(_loss(steps, *way))(START), expected)
    np.testing.assert_array_equal(ft.jit(ft.grad(_loss(steps, *way)))(START), expected)


def _peak(gradient):
    x = ft.array(START)
    ft.eval(gradient(x))  # traced and compiled
    ft.reset_peak_memory()
    before = ft.get_active_memory()
    result = gradient(x)
    ft.eval(result)
    return (ft.get_peak_memory() - before) / x.nbytes


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_memory_grows_like_the_logarithm(way):
    gradients = [ft.jit(ft.grad(_loss(ft.array(steps), *way))) for steps in (64, 1024)]
    assert _peak(ft.jit(ft.grad(_loss(ft.array(1024))))) > 1024
    few, many = map(_peak, gradients)
    assert many < 50
    assert many < 2.5 * few


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_what_is_derived_from_the_pull_back(way):
    matrix = MATRIX[:3, :3]

    def loss(x, limit, body_way=_unchanged, loop_way=_unchanged):
        step = body_way(lambda x: 0.1 * ft.sin(ft.matmul(ft.array(matrix), x)) + 1.3 * x)
        return ft.sum(loop_way(lambda x: ft.while_loop(lambda x: ft.sum(x) < limit, step, x))(x) ** 2)

    def checkpointed(x, limit):
        return loss(x, limit, *way)

    x, limits = np.array([0.3, 0.2, 0.4]), np.array([0.0, 50.0, 3.0, 200.0])
    np.testing.assert_allclose(ft.hessian(checkpointed)(x, 9.0), ft.hessian(loss)(x, 9.0), rtol=1e-12)
    xs = np.outer(np.ones(4), x)
    rows = [ft.grad(loss)(x, limit) for limit in limits]
    np.testing.assert_allclose(ft.vmap(ft.grad(checkpointed))(xs, limits), np.stack(rows), rtol=1e-12)
    total = ft.grad(lambda xs: ft.sum(ft.vmap(checkpointed)(xs, ft.array(limits))))
    np.testing.assert_allclose(total(xs), np.stack(rows), rtol=1e-12)


def test_a_policy_that_saves_everything_leaves_the_loop_alone():
    def parameters(f):
        return [
            e.parameters["jaxpr"].jaxpr.equations[0].parameters["checkpointed"]
            for e in ft.make_jaxpr(f)(1.0).jaxpr.equations
        ]

    def loop(x):
        return ft.while_loop(lambda x: x < 9.0, lambda x: 2.0 * x, x)

    assert parameters(ft.checkpoint(loop)) == [True]
    assert parameters(ft.checkpoint(loop, policy=ft.checkpoint_policies.everything_saveable)) == [False]


@pytest.mark.parametrize("way", [_unchanged, ft.checkpoint])
def test_effects_happen_once(way):
    seen = []

    def body(x):
        ft.debug.callback(lambda x: seen.append(float(x)), x)
        return 2.0 * x

    assert float(ft.grad(lambda x: ft.while_loop(lambda x: x < 9.0, way(body), x) ** 2)(1.0)) == 2 * 16.0**2
    assert seen == [1.0, 2.0, 4.0, 8.0]


@pytest.mark.parametrize("way", [_unchanged, ft.checkpoint])
def test_what_an_effect_returns_is_asked_for_again(way):
    def body(x):
        scale = ft.io_callback(lambda: np.float32(2), ft.ShapeDtypeStruct((), ft.float32))
        return scale * x

    assert float(ft.grad(lambda x: ft.while_loop(lambda x: x < 9.0, way(body), x))(1.0)) == 16.0
