"""Masks that are traced: in-place updates work, everything that needs the number of elements says so."""

import numpy as np
import pytest

import ftrans as ft

X = np.array([[0.5, 2.0, -3.0], [4.0, 1.0, 7.0]])


def _scaled(x):
    x = x * 1.0
    x[x > 1.0] *= 2.0
    return x


def _several(x):
    x = x * 1.0
    mask = x < 3.0
    x[mask] = 1.0 - x[mask] / (x[mask] ** 2 + 1.0)
    x[~mask] -= 1
    return x


def _rows(x):
    x = x * 1.0
    x[x[:, 0] > 1.0] += ft.array([1.0, 10.0, 100.0], dtype=x.dtype)
    return x


def _negated(x):
    x = x * 1.0
    x[x > 1.0] = -x[x > 1.0]
    return x


@pytest.mark.parametrize("f", [_scaled, _several, _rows])
def test_in_place(f):
    expected = f(X.copy()) if f is not _rows else f(ft.array(X))
    np.testing.assert_array_equal(np.asarray(f(ft.array(X))), np.asarray(expected))
    np.testing.assert_array_equal(np.asarray(ft.jit(f)(X)), np.asarray(expected))
    stacked = np.stack([X, X + 1.0])
    for got, lane in zip(ft.vmap(f)(stacked), stacked, strict=True):
        np.testing.assert_array_equal(np.asarray(got), np.asarray(f(ft.array(lane))))


@pytest.mark.parametrize("f", [_scaled, _several, _rows])
def test_derivatives(f):
    def loss(x):
        return ft.sum(f(x) ** 2)

    expected = np.asarray(ft.grad(loss)(X))
    for gradient in (ft.jit(ft.grad(loss)), ft.grad(ft.jit(loss))):
        np.testing.assert_allclose(np.asarray(gradient(X)), expected, rtol=1e-14)
    for got, lane in zip(ft.vmap(ft.grad(loss))(np.stack([X, X + 1.0])), (X, X + 1.0), strict=True):
        np.testing.assert_allclose(np.asarray(got), np.asarray(ft.grad(loss)(lane)), rtol=1e-14)
    hessian = np.asarray(ft.hessian(loss)(X))
    np.testing.assert_allclose(np.asarray(ft.jit(ft.hessian(loss))(X)), hessian, rtol=1e-13)


def test_the_mask_is_that_of_the_read():
    """Two masks of the same comparison are two masks: nothing says that they select the same."""
    with pytest.raises(ft.ConcretizationError, match="depends on the values of mask"):
        ft.jit(_negated)(X)


@pytest.mark.parametrize(
    "use",
    [
        ft.sum,
        len,
        list,
        np.asarray,
        bool,
        lambda e: e.shape,
        lambda e: e[0],
        lambda e: ft.sin(e),
        lambda e: e + ft.ones(4),
        lambda e: ft.ones(4) + e,
        lambda e: ft.concatenate([e, e]),
    ],
)
def test_what_needs_the_number_says_so(use):
    with pytest.raises(ft.ConcretizationError, match=r"x\[mask\].*nonzero\(mask, size=n\)"):
        ft.jit(lambda x: use(x[x > 1.0]))(X)


def test_bad_masks():
    with pytest.raises(IndexError, match="mask of shape"):
        ft.jit(lambda x: x[x[0] > 1.0])(X)
