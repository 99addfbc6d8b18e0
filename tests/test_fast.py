"""ft.fast against the formulas in float64 NumPy, MLX where it is installed, and differences."""

import numpy as np
import pytest

import ftrans as ft
from tests.harness.numerics import directional_difference

RANDOM = np.random.default_rng(0)


def layer_norm(x, weight, bias, eps):
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + eps) * weight + bias


def rms_norm(x, weight, eps):
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + eps) * weight


def attention(q, k, v, scale, mask):
    repeats = q.shape[1] // k.shape[1]
    k, v = np.repeat(k, repeats, axis=1), np.repeat(v, repeats, axis=1)
    scores = np.where(mask, q @ k.swapaxes(2, 3) * scale, -np.inf)
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True) @ v


def check_gradients(function, formula, *operands):
    """All first derivatives along a direction, and the second derivative of reverse over reverse."""
    directions = [RANDOM.normal(size=x.shape) for x in operands]
    weights = RANDOM.normal(size=formula(*operands).shape)
    arrays, ts = list(map(ft.array, operands)), list(map(ft.array, directions))
    positions = tuple(range(len(operands)))

    def f(*xs):
        return ft.sum(function(*xs) * ft.array(weights))

    def slope(*xs):
        return sum(
            (ft.sum(g * t) for g, t in zip(ft.grad(f, positions)(*xs), ts, strict=True)), ft.array(0.0)
        )

    (expected,) = directional_difference(lambda *xs: [np.sum(formula(*xs) * weights)], operands, directions)
    np.testing.assert_allclose(slope(*arrays).item(), expected, rtol=1e-7, atol=1e-7)
    second = sum(ft.sum(g * t).item() for g, t in zip(ft.grad(slope, positions)(*arrays), ts, strict=True))
    (expected,) = directional_difference(
        lambda *xs: [np.asarray(slope(*map(ft.array, xs)))], operands, directions
    )
    np.testing.assert_allclose(second, expected, rtol=1e-6, atol=1e-6)


def test_norms():
    x, weight, bias = RANDOM.normal(size=(3, 4, 5)), RANDOM.normal(size=5), RANDOM.normal(size=5)
    out = ft.fast.layer_norm(ft.array(x), ft.array(weight), ft.array(bias), 1e-5)
    np.testing.assert_allclose(np.asarray(out), layer_norm(x, weight, bias, 1e-5), rtol=1e-12)
    out = ft.fast.rms_norm(ft.array(x), ft.array(weight), 1e-5)
    np.testing.assert_allclose(np.asarray(out), rms_norm(x, weight, 1e-5), rtol=1e-12)
    check_gradients(
        lambda x, w, b: ft.fast.layer_norm(x, w, b, 1e-5),
        lambda x, w, b: layer_norm(x, w, b, 1e-5),
        x,
        weight,
        bias,
    )
    check_gradients(lambda x, w: ft.fast.rms_norm(x, w, 1e-5), lambda x, w: rms_norm(x, w, 1e-5), x, weight)


def test_norms_accumulate_in_single_precision():
    x = (1 + RANDOM.normal(size=(2, 4096)) / 64).astype(np.float16)
    out = np.asarray(ft.fast.layer_norm(ft.array(x), None, None, 1e-5))
    assert out.dtype == np.float16
    expected = layer_norm(x.astype(np.float64), 1, 0, 1e-5)
    np.testing.assert_allclose(out, expected, atol=2**-9)  # rounded once: half a unit of the largest, below 4


def rotated(x, dims, traditional, base, scale, offset):
    out, half = x.copy(), dims // 2
    for t in range(x.shape[-2]):
        for i in range(half):
            first, second = (2 * i, 2 * i + 1) if traditional else (i, i + half)
            angle = (t + offset) * scale * base ** (-2 * i / dims)
            a, b = x[..., t, first], x[..., t, second]
            out[..., t, first] = a * np.cos(angle) - b * np.sin(angle)
            out[..., t, second] = a * np.sin(angle) + b * np.cos(angle)
    return out


@pytest.mark.parametrize("traditional", [False, True])
@pytest.mark.parametrize("dims", [4, 6])
def test_rope(traditional, dims):
    x = RANDOM.normal(size=(2, 3, 5, 6))
    parameters = {"traditional": traditional, "base": 100.0, "scale": 0.5}
    out = ft.fast.rope(ft.array(x), dims, **parameters, offset=3)
    # The angles are float32.
    np.testing.assert_allclose(np.asarray(out), rotated(x, dims, offset=3, **parameters), atol=1e-5)
    out = ft.fast.rope(ft.array(x), dims, **parameters, offset=ft.array([3, 7]))
    expected = [rotated(x[i], dims, offset=o, **parameters) for i, o in enumerate((3, 7))]
    np.testing.assert_allclose(np.asarray(out), np.stack(expected), atol=1e-5)
    freqs = 100.0 ** (np.arange(dims // 2) * 2 / dims)
    by_freqs = ft.fast.rope(
        ft.array(x), dims, traditional=traditional, base=None, scale=0.5, offset=3, freqs=ft.array(freqs)
    )
    np.testing.assert_allclose(np.asarray(by_freqs), rotated(x, dims, offset=3, **parameters), atol=1e-5)
    # A rotation: its transpose turns back.
    turned, pullback = ft.vjp(lambda x: ft.fast.rope(x, dims, **parameters, offset=3), ft.array(x))
    np.testing.assert_allclose(np.asarray(pullback(turned)[0]), x, atol=1e-6)


def test_attention():
    q, k, v = (RANDOM.normal(size=shape) for shape in ((2, 4, 3, 5), (2, 2, 6, 5), (2, 2, 6, 7)))
    causal = np.tri(3, 6, 3, dtype=bool)
    masks = {None: np.ones((3, 6), bool), "causal": causal}
    for mask, expected_mask in masks.items():
        out = ft.fast.scaled_dot_product_attention(*map(ft.array, (q, k, v)), scale=0.3, mask=mask)
        np.testing.assert_allclose(np.asarray(out), attention(q, k, v, 0.3, expected_mask), rtol=1e-12)
    additive = ft.array(np.where(causal, 0, -np.inf))
    for mask in (ft.array(causal), additive):
        out = ft.fast.scaled_dot_product_attention(*map(ft.array, (q, k, v)), scale=0.3, mask=mask)
        np.testing.assert_allclose(np.asarray(out), attention(q, k, v, 0.3, causal), rtol=1e-12)
    check_gradients(
        lambda q, k, v: ft.fast.scaled_dot_product_attention(q, k, v, scale=0.3, mask="causal"),
        lambda q, k, v: attention(q, k, v, 0.3, causal),
        q, k, v,
    )  # fmt: skip


def test_attention_that_sees_nothing_is_zero():
    q = ft.array(RANDOM.normal(size=(1, 1, 2, 3)))
    mask = ft.array(np.array([[True, False], [False, False]]))
    out, pullback = ft.vjp(lambda q: ft.fast.scaled_dot_product_attention(q, q, q, scale=1.0, mask=mask), q)
    np.testing.assert_allclose(np.asarray(out)[0, 0], [np.asarray(q)[0, 0, 0], np.zeros(3)])
    assert np.isfinite(np.asarray(pullback(out)[0])).all()


def test_agrees_with_mlx():
    mx = pytest.importorskip("mlx.core")
    q, k, v = (RANDOM.normal(size=s).astype(np.float32) for s in ((1, 4, 5, 8), (1, 2, 5, 8), (1, 2, 5, 8)))
    sinks = RANDOM.normal(size=4).astype(np.float32)
    for mask in (None, "causal"):
        ours = ft.fast.scaled_dot_product_attention(
            *map(ft.array, (q, k, v)), scale=0.5, mask=mask, sinks=ft.array(sinks)
        )
        theirs = mx.fast.scaled_dot_product_attention(
            *map(mx.array, (q, k, v)), scale=0.5, mask=mask, sinks=mx.array(sinks)
        )
        np.testing.assert_allclose(np.asarray(ours), np.array(theirs), atol=1e-5)
    for traditional in (False, True):
        parameters = {"traditional": traditional, "base": 10000.0, "scale": 1.0, "offset": 2}
        np.testing.assert_allclose(
            np.asarray(ft.fast.rope(ft.array(q), 6, **parameters)),
            np.array(mx.fast.rope(mx.array(q), 6, **parameters)),
            atol=1e-5,
        )


def test_errors():
    x = ft.zeros((2, 3))
    with pytest.raises(ValueError, match=r"fast.layer_norm: weight must have shape \(3,\).*got \(2,\)"):
        ft.fast.layer_norm(x, ft.zeros(2), None, 1e-5)
    with pytest.raises(TypeError, match=r"fast.rms_norm: x must have a real dtype, got complex64"):
        ft.fast.rms_norm(ft.zeros(3, dtype=ft.complex64), None, 1e-5)
    with pytest.raises(ValueError, match=r"fast.rope: give either base or freqs"):
        ft.fast.rope(ft.zeros((1, 2, 4)), 4, traditional=False, base=None, scale=1.0, offset=0)
    with pytest.raises(ValueError, match=r"fast.rope: dims must be even and at most 4, got 3"):
        ft.fast.rope(ft.zeros((1, 2, 4)), 3, traditional=False, base=10.0, scale=1.0, offset=0)
    q = ft.zeros((1, 3, 2, 4))
    with pytest.raises(ValueError, match=r"the 3 heads of q .* must be a multiple of the 2 of k"):
        ft.fast.scaled_dot_product_attention(q, q[:, :2], q[:, :2], scale=1.0)
    with pytest.raises(ValueError, match=r"mask must be None, 'causal' or an array, got 'past'"):
        ft.fast.scaled_dot_product_attention(q, q, q, scale=1.0, mask="past")
    with pytest.raises(TypeError, match=r"fast.cross_entropy: targets must have an integer dtype"):
        ft.fast.cross_entropy(x, ft.zeros(2))
    with pytest.raises(ValueError, match=r"fast.cross_entropy: targets must have the shape"):
        ft.fast.cross_entropy(x, ft.array([0]))
