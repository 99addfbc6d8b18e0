"""Convolutions against PyTorch and NumPy, their derivatives, and errors."""

import numpy as np
import pytest

import ftrans as ft

RANDOM = np.random.default_rng(0)
SPATIAL = {1: (9,), 2: (7, 8), 3: (5, 6, 4)}


def first(x):
    """Channels first."""
    return np.moveaxis(x, -1, 1)


def torch_like(x, torch):
    return torch.tensor(first(x).copy(), requires_grad=True)


def check_against_torch(torch, function, expected_function, x, w, torch_weight):
    """Values and both gradients; `torch_weight` makes PyTorch's layout of ours."""
    tx = torch_like(x, torch)
    tw = torch.tensor(torch_weight(w).copy(), requires_grad=True)
    expected = expected_function(tx, tw)
    out, pullback = ft.vjp(function, ft.array(x), ft.array(w))
    np.testing.assert_allclose(first(np.asarray(out)), expected.detach().numpy(), rtol=1e-11, atol=1e-12)
    ct = RANDOM.normal(size=out.shape)
    expected.backward(torch.tensor(first(ct).copy()))
    dx, dw = pullback(ft.array(ct))
    np.testing.assert_allclose(first(np.asarray(dx)), tx.grad.numpy(), rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(torch_weight(np.asarray(dw)), tw.grad.numpy(), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("axes", SPATIAL)
@pytest.mark.parametrize(
    ("stride", "padding", "dilation", "groups"), [(1, 0, 1, 1), (2, 1, 1, 2), (1, 2, 2, 4)]
)
def test_conv_agrees_with_torch(axes, stride, padding, dilation, groups):
    torch = pytest.importorskip("torch")
    x = RANDOM.normal(size=(2, *SPATIAL[axes], 4))
    w = RANDOM.normal(size=(8, *(2,) * axes, 4 // groups))
    conv, expected = getattr(ft, f"conv{axes}d"), getattr(torch.nn.functional, f"conv{axes}d")
    check_against_torch(
        torch,
        lambda x, w: conv(x, w, stride, padding, dilation, groups),
        lambda x, w: expected(x, w, None, stride, padding, dilation, groups),
        x, w, first,
    )  # fmt: skip


@pytest.mark.parametrize("axes", SPATIAL)
@pytest.mark.parametrize(
    ("stride", "padding", "dilation", "extra"), [(1, 0, 1, 0), (2, 1, 1, 1), (3, 1, 2, 2)]
)
def test_conv_transpose_agrees_with_torch(axes, stride, padding, dilation, extra):
    torch = pytest.importorskip("torch")
    x = RANDOM.normal(size=(2, *SPATIAL[axes], 3))
    w = RANDOM.normal(size=(4, *(3,) * axes, 3))
    conv = getattr(ft, f"conv_transpose{axes}d")
    expected = getattr(torch.nn.functional, f"conv_transpose{axes}d")
    check_against_torch(
        torch,
        lambda x, w: conv(x, w, stride, padding, dilation, extra),
        lambda x, w: expected(x, w, None, stride, padding, extra, 1, dilation),
        x, w, lambda w: np.moveaxis(w, -1, 0),
    )  # fmt: skip


def test_agrees_with_mlx():
    mx = pytest.importorskip("mlx.core")
    x, w = (RANDOM.normal(size=s).astype(np.float32) for s in ((2, 6, 7, 4), (6, 3, 2, 2)))
    for parameters in (
        {"stride": (2, 1), "padding": (1, 0), "groups": 2},
        {"padding": ([1, 2], [0, 1]), "input_dilation": (1, 2), "groups": 2},
        {"kernel_dilation": (1, 3), "groups": 2, "flip": True},
    ):
        expected = np.array(mx.conv_general(mx.array(x), mx.array(w), **parameters))
        np.testing.assert_allclose(
            np.asarray(ft.conv_general(x, w, **parameters)), expected, rtol=1e-5, atol=1e-5
        )
    grouped = np.array(mx.conv_transpose2d(mx.array(x), mx.array(w), stride=2, groups=2))
    np.testing.assert_allclose(np.asarray(ft.conv_transpose2d(x, w, stride=2, groups=2)), grouped, atol=1e-5)


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("sizes", [(7, 3), (3, 7), (4, 4), (6, 1), (5, 2), (2, 6)])
def test_convolve(mode, sizes):
    for dtype in (np.float64, np.complex128, np.int32):
        a, v = (
            RANDOM.integers(-9, 9, n).astype(dtype) * (1 + 2j if dtype is np.complex128 else 1) for n in sizes
        )
        np.testing.assert_array_equal(np.asarray(ft.convolve(a, v, mode)), np.convolve(a, v, mode))


def test_vmap_of_gradients_and_jit():
    x, w = RANDOM.normal(size=(3, 2, 6, 4)), RANDOM.normal(size=(3, 4, 3, 2))

    def loss(x, w):
        return ft.sum(ft.conv1d(x, w, stride=2, padding=1, groups=2) ** 2)

    together = ft.jit(ft.vmap(ft.grad(loss, (0, 1))))(ft.array(x), ft.array(w))
    for i in range(3):
        for batched, alone in zip(
            together, ft.grad(loss, (0, 1))(ft.array(x[i]), ft.array(w[i])), strict=True
        ):
            np.testing.assert_allclose(np.asarray(batched)[i], np.asarray(alone), rtol=1e-12, atol=1e-12)
    hessian = ft.hessian(lambda w: loss(ft.array(x[0]), w))(ft.array(w[0]))
    flat = np.asarray(hessian).reshape(w[0].size, w[0].size)
    np.testing.assert_allclose(flat, flat.T, atol=1e-11)


def test_errors():
    x, w = ft.zeros((1, 5, 5, 4)), ft.zeros((6, 3, 3, 4))
    with pytest.raises(ValueError, match=r"conv1d: input .* must have 3 dimensions, got shapes"):
        ft.conv1d(x, w)
    with pytest.raises(ValueError, match=r"conv2d: the last axis of weight \(6, 3, 3, 4\) times groups 2"):
        ft.conv2d(x, w, groups=2)
    with pytest.raises(
        ValueError, match=r"conv2d: the 6 outputs of weight .* must be a multiple of groups 4"
    ):
        ft.conv2d(x, ft.zeros((6, 3, 3, 1)), groups=4)
    with pytest.raises(ValueError, match=r"conv2d: stride must be at least 1, got 0"):
        ft.conv2d(x, w, stride=0)
    with pytest.raises(
        TypeError, match=r"conv2d: padding must be an integer or a sequence of them, got 'same'"
    ):
        ft.conv2d(x, w, padding="same")
    with pytest.raises(ValueError, match=r"conv2d: dilation must be one integer or 2, one a spatial axis"):
        ft.conv2d(x, w, dilation=(1, 1, 1))
    with pytest.raises(ValueError, match=r"conv2d: the window of weight .* does not fit into input"):
        ft.conv2d(x, w, dilation=3)
    with pytest.raises(ValueError, match=r"conv_general: padding must be a pair \(before, after\)"):
        ft.conv_general(x, w, padding=([1, 1], [1, 1], [1, 1]))
    with pytest.raises(ValueError, match=r"convolve: mode must be 'full', 'same' or 'valid', got 'half'"):
        ft.convolve(ft.ones(3), ft.ones(2), "half")
    with pytest.raises(ValueError, match=r"convolve: a and v must be vectors, not empty"):
        ft.convolve(ft.ones(3), ft.ones(0))
    with pytest.raises(TypeError, match=r"conv1d: input and weight must not both be bool"):
        ft.conv1d(ft.ones((1, 3, 1), dtype=bool), ft.ones((1, 2, 1), dtype=bool))
    with pytest.raises(TypeError, match=r"convolve: a and v must not both be bool"):
        ft.convolve(ft.ones(3, dtype=bool), ft.ones(2, dtype=bool))


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128", "int32", "float16"])
def test_convolve_of_long_vectors(mode, dtype):
    """By Fourier transforms, but for dtypes that are exact or have none."""
    random = np.random.default_rng(0)
    a, v = random.uniform(-9, 9, 3100), random.uniform(-9, 9, 2900)
    a, v = (x + 1j * x[::-1] if dtype == "complex128" else x for x in (a, v))
    a, v = a.astype(dtype), v.astype(dtype)
    precision = {"float32": 1e-6, "float16": 2.0**-11, "int32": 0}.get(dtype, 1e-14)
    for x, y in ((a, v), (v, a)):
        wide = np.result_type(dtype, np.float64) if dtype != "int32" else np.int64
        expected = np.convolve(x.astype(wide), y.astype(wide), mode)
        out = ft.convolve(ft.array(x), ft.array(y), mode)
        assert str(out.dtype) == dtype
        np.testing.assert_allclose(
            np.asarray(out), expected, rtol=precision, atol=precision * np.max(np.abs(expected))
        )


def test_derivatives_of_convolutions_of_long_vectors():
    random = np.random.default_rng(0)
    a, v = random.standard_normal(3000), random.standard_normal(2500)
    c = random.standard_normal(5499)
    (by_a, by_v) = ft.vjp(ft.convolve, ft.array(a), ft.array(v))[1](ft.array(c))
    np.testing.assert_allclose(np.asarray(by_a), np.correlate(c, v, "valid"), atol=1e-10)
    np.testing.assert_allclose(np.asarray(by_v), np.correlate(c, a, "valid"), atol=1e-10)
    tangent = ft.jvp(
        ft.convolve, (ft.array(a), ft.array(v)), (ft.array(v.repeat(2)[:3000]), ft.array(a[:2500]))
    )[1]
    expected = np.convolve(v.repeat(2)[:3000], v) + np.convolve(a, a[:2500])
    np.testing.assert_allclose(np.asarray(tangent), expected, atol=1e-10)
