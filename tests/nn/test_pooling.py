"""Pooling against PyTorch and NumPy, dropout, and normalisation."""

import numpy as np
import pytest

import ftrans as ft

RANDOM = np.random.default_rng(0)
SHAPES = {1: (2, 11, 3), 2: (2, 7, 9, 3), 3: (1, 5, 6, 4, 2)}


def channels_first(x):
    return np.moveaxis(x, -1, 1)


@pytest.mark.parametrize("axes", SHAPES)
@pytest.mark.parametrize(("kernel", "stride", "padding"), [(2, None, 0), (3, 2, 1), (3, 1, 0)])
def test_pools_agree_with_torch(axes, kernel, stride, padding):
    torch = pytest.importorskip("torch")
    x = RANDOM.normal(size=SHAPES[axes])
    for kind, parameters in (
        ("max", {}),
        ("avg", {"count_include_pad": True}),
        ("avg", {"count_include_pad": False}),
    ):
        tensor = torch.tensor(channels_first(x).copy(), requires_grad=True)
        pool = getattr(torch.nn.functional, f"{kind}_pool{axes}d")
        expected = pool(tensor, kernel, stride=stride, padding=padding, **parameters)
        out, pullback = ft.vjp(
            lambda x, kind=kind, parameters=parameters: getattr(ft.nn, f"{kind}_pool{axes}d")(
                x, kernel, stride, padding, **parameters
            ),
            ft.array(x),
        )
        np.testing.assert_allclose(channels_first(np.asarray(out)), expected.detach().numpy(), rtol=1e-13)
        ct = RANDOM.normal(size=out.shape)
        expected.backward(torch.tensor(channels_first(ct).copy()))
        (gradient,) = pullback(ft.array(ct))
        np.testing.assert_allclose(channels_first(np.asarray(gradient)), tensor.grad.numpy(), atol=1e-14)


def test_first_of_equal_elements_has_the_derivative():
    gradient = ft.grad(lambda x: ft.sum(ft.nn.max_pool1d(x, 3)))(ft.zeros((1, 3, 1)))
    np.testing.assert_array_equal(np.asarray(gradient).ravel(), [1, 0, 0])


def test_max_pool_of_integers_and_nan():
    x = ft.array(np.array([1, 5, 3, 4], np.int8).reshape(1, 4, 1))
    assert np.asarray(ft.nn.max_pool1d(x, 2)).ravel().tolist() == [5, 4]
    x = ft.array(np.array([1, np.nan, 3, 4]).reshape(1, 4, 1))
    np.testing.assert_array_equal(np.asarray(ft.nn.max_pool1d(x, 2)).ravel(), [np.nan, 4])


def test_pool_errors():
    x = ft.zeros((1, 4, 4, 1))
    with pytest.raises(ValueError, match=r"max_pool1d: x .* must have 3 dimensions, got shape"):
        ft.nn.max_pool1d(x, 2)
    with pytest.raises(ValueError, match=r"max_pool2d: kernel_size must be one integer or 2"):
        ft.nn.max_pool2d(x, (2, 2, 2))
    with pytest.raises(ValueError, match=r"avg_pool2d: padding .* must be at most half of kernel_size"):
        ft.nn.avg_pool2d(x, 2, padding=2)
    with pytest.raises(ValueError, match=r"avg_pool2d: kernel_size .* does not fit into x"):
        ft.nn.avg_pool2d(x, 5)
    with pytest.raises(TypeError, match=r"max_pool2d: stride must be an integer"):
        ft.nn.max_pool2d(x, 2, 1.5)


def test_dropout():
    x, key = ft.ones(10_000), ft.random.key(3)
    out = np.asarray(ft.nn.dropout(x, 0.25, key=key))
    np.testing.assert_allclose(np.unique(out), [0, 4 / 3], rtol=1e-6)
    # The share of zeros has standard deviation sqrt(0.25 · 0.75 / 10000) ≈ 0.0043.
    assert abs(np.mean(out == 0) - 0.25) < 0.02
    np.testing.assert_array_equal(np.asarray(ft.nn.dropout(x, 0.25, key=key)), out)
    gradient = ft.grad(lambda x: ft.sum(ft.nn.dropout(x, 0.25, key=key)))(x)
    np.testing.assert_array_equal(np.asarray(gradient), out)
    assert ft.nn.dropout(x, 0.0, key=key) is x
    assert not np.asarray(ft.nn.dropout(x, 1.0, key=key)).any()
    with pytest.raises(ValueError, match=r"dropout: rate must be in \[0, 1\], got 1.5"):
        ft.nn.dropout(x, 1.5)
