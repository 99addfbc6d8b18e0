"""Transformations, compiled functions, loops and branches on a GPU stream, against the same on the CPU."""

import numpy as np
import pytest

import ftrans as ft

X = np.linspace(0.1, 1.2, 12, dtype=np.float32)


def both(function, *arguments, rtol=1e-5):
    """The results on the GPU, checked against those on the CPU."""
    arrays = [ft.array(a) for a in arguments]
    expected = function(*arrays)
    ft.eval(expected)
    before = ft.metal.counters()
    with ft.stream(ft.gpu):
        result = function(*arrays)
    ft.eval(result)
    after = ft.metal.counters()
    assert after["bytes copied"] == before["bytes copied"]
    assert after["kernel launches"] > before["kernel launches"]
    leaves = [np.array(x) for x in (result if isinstance(result, tuple) else (result,))]
    expected = [np.array(x) for x in (expected if isinstance(expected, tuple) else (expected,))]
    for got, want in zip(leaves, expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=rtol, atol=1e-6)
    return after["command buffers"] - before["command buffers"]


def loss(w, x):
    return ft.sum(ft.tanh(x.reshape(3, 4) @ w.reshape(4, 3)) ** 2)


def test_grad_jvp_vmap_and_jit():
    both(ft.grad(loss), X, X)
    both(ft.jit(ft.value_and_grad(loss)), X, X)
    both(lambda x: ft.jvp(lambda v: ft.sin(v) * v, (x,), (x,)), X)
    both(ft.jit(ft.vmap(ft.grad(lambda v: ft.sin(v) * v))), X)


def test_one_jitted_function_on_both_devices():
    f = ft.jit(lambda x: ft.exp(x) + 1.0)
    x = ft.array(X)
    for device in (ft.cpu, ft.gpu, ft.cpu, ft.gpu):
        before = ft.metal.counters()["kernel launches"]
        ft.set_default_device(device)
        np.testing.assert_allclose(np.array(f(x)), np.exp(X) + 1, rtol=1e-6)
        assert (ft.metal.counters()["kernel launches"] > before) == (device == ft.gpu)


def test_streams_inside_of_a_jitted_function():
    @ft.jit
    def f(x):
        y = ft.exp(x, stream=ft.gpu)
        return ft.linalg.norm(ft.multiply(y, 2.0, stream=ft.cpu)) + ft.sum(y, stream=ft.gpu)

    expected = np.linalg.norm(2 * np.exp(X)) + np.exp(X).sum()
    assert f(ft.array(X)).item() == pytest.approx(expected, rel=1e-5)
    assert (f(ft.array(X) + 0.0) * 1.0).item() == pytest.approx(expected, rel=1e-5)  # as a step of a program


def test_training_step_launches_what_its_program_has():
    """An MLP: no launch beyond the fused groups and products (long reductions have a second pass)."""
    rng = np.random.default_rng(1)
    weights = tuple(ft.array(rng.standard_normal(s, np.float32) * 0.1) for s in ((16, 32), (32, 8)))
    x, y = (
        ft.array(rng.standard_normal((20, 16), np.float32)),
        ft.array(rng.standard_normal((20, 8), np.float32)),
    )

    def step(w1, w2, x, y):
        def error(w):
            return ft.mean((ft.tanh(x @ w[0]) @ w[1] - y) ** 2)

        g1, g2 = ft.grad(error)((w1, w2))
        return w1 - 0.1 * g1, w2 - 0.1 * g2

    launches, steps = launches_and_steps(step, *weights, x, y)
    assert launches <= 1.2 * steps


def test_transformer_block_launches_what_its_program_has():
    """Attention with two heads and a network, each after a normalization; and the gradient of it all."""
    rng = np.random.default_rng(2)
    length, width, heads = 12, 16, 2
    shapes = ((width, 3 * width), (width, width), (width, 4 * width), (4 * width, width))
    weights = [rng.standard_normal(s, np.float32) * 0.1 for s in shapes]
    x = rng.standard_normal((length, width), np.float32)

    def normalize(x):
        centered = x - ft.mean(x, axis=-1, keepdims=True)
        return centered * ft.rsqrt(ft.mean(centered**2, axis=-1, keepdims=True) + 1e-5)

    def block(x, qkv, projection, up, down):
        q, k, v = (normalize(x) @ qkv).reshape(length, 3, heads, -1).transpose(1, 2, 0, 3)
        scores = q @ k.transpose(0, 2, 1) / (width // heads) ** 0.5
        scores = ft.where(ft.tri(length, dtype=ft.bool), scores, -ft.inf)
        attended = ft.nn.softmax(scores, axis=-1) @ v
        x = x + attended.transpose(1, 0, 2).reshape(length, width) @ projection
        return x + ft.tanh(normalize(x) @ up) @ down

    for function in (
        block,
        ft.grad(lambda *operands: ft.sum(block(*operands) ** 2), argnums=(0, 1, 2, 3, 4)),
    ):
        both(function, x, *weights, rtol=1e-4)
        launches, steps = launches_and_steps(function, *map(ft.array, (x, *weights)))
        assert launches <= 1.2 * steps


def launches_and_steps(function, *operands):
    """Kernel launches of a compiled function, and the fused groups and products of its program."""
    with ft.stream(ft.gpu):
        compiled = ft.jit(function).lower(*operands).compile()
        ft.eval(compiled(*operands))
        before = ft.metal.counters()["kernel launches"]
        ft.eval(compiled(*operands))
    launches = ft.metal.counters()["kernel launches"] - before
    text = compiled.as_text()
    steps = text.count(" = fused") + text.count(" = dot_general")
    assert steps > 0
    return launches, steps


def test_scan_of_known_length_is_one_submission():
    """All iterations are recorded ahead: no round trip a step."""

    def f(xs):
        return ft.scan(lambda c, x: (ft.cumsum(c) * 0.5 + x, ft.sin(c)), ft.ones(4), xs)

    buffers = both(f, np.ones((30, 4), np.float32), rtol=1e-4)
    assert buffers <= 4


def test_fori_loop_and_reverse_mode_of_a_scan():
    both(lambda x: ft.fori_loop(0, 10, lambda i, c: c * 1.1 + i, x), X)
    both(ft.grad(lambda x: ft.sum(ft.scan(lambda c, v: (c * v, c + v), ft.ones(()), x)[1])), X)
    both(lambda x: ft.scan(lambda c, v: (c + v, c[::-1]), ft.zeros(3), x.reshape(4, 3), reverse=True), X)


def test_while_loop_and_its_reverse_mode():
    def f(x):
        return ft.while_loop(lambda c: ft.sum(c) < 100.0, lambda c: c * 1.5 + 0.1, x)

    both(f, X)
    both(ft.grad(lambda x: ft.sum(f(x))), X)


def test_cond_and_switch():
    for shift in (0.0, 5.0):
        both(lambda x, shift=shift: ft.cond(x[0] + shift < 1, lambda a: a + 1, lambda a: ft.exp(a), x), X)
    both(lambda x: ft.switch(ft.array(1), [ft.sin, ft.cos, ft.tan], x), X)


def test_steps_without_kernel_inside_of_a_loop():
    def f(x):
        a = x[:4].reshape(2, 2) @ x[:4].reshape(2, 2).T + ft.eye(2)
        return ft.scan(lambda c, _: (ft.linalg.cholesky(c @ c.T + ft.eye(2)), ft.sum(c)), a, None, length=4)

    both(f, X, rtol=1e-4)


def test_loop_on_the_cpu_with_steps_on_the_gpu():
    def f(x):
        return ft.fori_loop(0, 5, lambda i, c: ft.add(ft.sin(c, stream=ft.gpu), ft.cos(c), stream=ft.cpu), x)

    expected = X
    for _ in range(5):
        expected = np.sin(expected) + np.cos(expected)
    np.testing.assert_allclose(np.array(f(ft.array(X))), expected, rtol=1e-5)


def test_kernels_with_more_operands_than_can_be_bound():
    xs = [np.float32(i) + X for i in range(40)]
    both(lambda *xs: sum(xs[1:], xs[0]) * 2.0, *xs)


def test_special_functions_without_kernel():
    both(lambda x: ft.special.betainc(x + 1, x + 2, x / 2) + ft.exp(x), X, rtol=1e-4)


def test_views_and_gaps():
    both(lambda x: ft.exp(x.reshape(3, 4).T.reshape(-1)) + x[::-1], X)
    both(lambda x: ft.sum(x.reshape(3, 4)[:, ::2] * 2.0, axis=0), X)


@pytest.mark.parametrize(
    "dtype", ["bool", "int8", "uint16", "int32", "int64", "float16", "float32", "complex64"]
)
def test_dtypes(dtype):
    values = np.arange(12).astype(dtype)
    both(lambda x: (x.reshape(3, 4).T.reshape(-1), ft.where(x != 0, x, ft.ones_like(x))), values)
