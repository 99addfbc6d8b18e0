"""conv and the reductions of windows, at the sizes at which native code changes its ways."""

import numpy as np
import pytest

import ftrans as ft
from ftrans.primitives import conv_p, reduce_window_max_p, reduce_window_sum_p, window_argmax_p
from tests.harness.cases import to_array
from tests.harness.numerics import assert_same

RANDOM = np.random.default_rng(0)


def parameters(axes, strides=1, padding=(0, 0), lhs_dilation=1, rhs_dilation=1, features=1, batches=1):
    return {
        "window_strides": (strides,) * axes,
        "padding": (padding,) * axes,
        "lhs_dilation": (lhs_dilation,) * axes,
        "rhs_dilation": (rhs_dilation,) * axes,
        "feature_group_count": features,
        "batch_group_count": batches,
    }


#: Shapes of lhs and rhs, and the parameters.
CASES = {
    "lines of tiles": ((2, 9, 30, 20), (64, 3, 3, 20), parameters(2, padding=(1, 1))),
    "a part of a tile of outputs": ((1, 5, 23, 8), (100, 3, 3, 8), parameters(2, padding=(1, 0))),
    "segments of a long line": ((1, 700, 8), (64, 3, 8), parameters(1, padding=(1, 1))),
    "strides": ((1, 9, 31, 8), (64, 3, 3, 8), parameters(2, strides=2, padding=(1, 1))),
    "dilated window": ((1, 9, 31, 8), (64, 3, 3, 8), parameters(2, rhs_dilation=2)),
    "dilated lhs": ((1, 6, 15, 8), (64, 3, 3, 8), parameters(2, lhs_dilation=2, padding=(2, 1))),
    "cropped": ((1, 12, 30, 8), (64, 3, 3, 8), parameters(2, padding=(-2, -1))),
    "groups of tiles": ((1, 6, 20, 16), (128, 3, 3, 8), parameters(2, features=2)),
    "three axes": ((1, 5, 6, 16, 4), (64, 2, 3, 3, 4), parameters(3, padding=(1, 1))),
    "one row of windows": ((2, 7, 7, 40), (32, 7, 7, 40), parameters(2)),
    "window of one": ((3, 14, 14, 24), (40, 1, 1, 24), parameters(2)),
    "window of one, strided": ((3, 14, 14, 24), (40, 1, 1, 24), parameters(2, strides=2)),
    "channel by channel": ((2, 8, 9, 32), (32, 3, 3, 1), parameters(2, padding=(1, 1), features=32)),
    "two of each channel": ((2, 8, 9, 16), (32, 3, 3, 1), parameters(2, padding=(1, 1), features=16)),
    "one channel": ((1, 3000, 1), (1, 50, 1), parameters(1, padding=(49, 49))),
    "many sums": ((8, 20, 20, 40), (24, 18, 18, 40), parameters(2)),
    "batch groups": ((8, 16, 16, 30), (24, 14, 14, 30), parameters(2, batches=4)),
    "channel by channel of the batch": ((16, 12, 12, 6), (16, 10, 10, 6), parameters(2, batches=16)),
}


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "complex64", "int32"])
@pytest.mark.parametrize("name", CASES)
def test_against_the_reference(name, dtype):
    lhs_shape, rhs_shape, p = CASES[name]
    # Small integers: every sum is exact, in float16 below 2048 and otherwise rounded once.
    lhs, rhs = (RANDOM.integers(-2, 3, shape).astype(dtype) for shape in (lhs_shape, rhs_shape))
    assert_same(conv_p.bind(to_array(lhs), to_array(rhs), **p), conv_p.impl(lhs, rhs, **p), name)


@pytest.mark.parametrize("name", CASES)
def test_layouts(name):
    """Operands whose channels are not next to each other."""
    lhs_shape, rhs_shape, p = CASES[name]
    lhs, rhs = (RANDOM.integers(-2, 3, shape).astype(np.float32) for shape in (lhs_shape, rhs_shape))
    expected = conv_p.impl(lhs, rhs, **p)
    for order in (tuple(reversed(range(lhs.ndim))), (lhs.ndim - 1, *range(1, lhs.ndim - 1), 0)):
        stored = [
            ft.permute_dims(to_array(np.transpose(x, order)), tuple(np.argsort(order))) for x in (lhs, rhs)
        ]
        assert_same(conv_p.bind(*stored, **p), expected, f"{name} {order}")


def test_derivatives_of_large_convolutions():
    """By duality: ⟨c, J·t⟩ = ⟨Jᵀ·c, t⟩, exactly, as all sums are of small integers."""
    lhs_shape, rhs_shape, p = CASES["lines of tiles"]
    lhs, rhs, dl, dr = (
        ft.array(RANDOM.integers(-2, 3, s).astype(np.float64)) for s in (lhs_shape, rhs_shape) * 2
    )
    out, tangent = ft.jvp(lambda x, w: conv_p.bind(x, w, **p), (lhs, rhs), (dl, dr))
    ct = ft.array(RANDOM.integers(-2, 3, out.shape).astype(np.float64))
    gl, gr = ft.vjp(lambda x, w: conv_p.bind(x, w, **p), lhs, rhs)[1](ct)
    assert ft.sum(ct * tangent).item() == (ft.sum(gl * dl) + ft.sum(gr * dr)).item()


WINDOWS = {
    "channels last": (
        (2, 9, 11, 70),
        (1, 3, 3, 1),
        (1, 2, 2, 1),
        ((0, 0), (1, 1), (1, 0), (0, 0)),
        (1, 1, 1, 1),
    ),
    "along a long line": ((2, 3000), (1, 7), (1, 1), ((0, 0), (3, 3)), (1, 1)),
    "padding alone": ((1, 4), (1, 2), (1, 1), ((0, 0), (3, 3)), (1, 2)),
    "dilated": ((9, 30), (3, 4), (1, 2), ((2, 0), (-1, 5)), (2, 3)),
}


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("primitive", [reduce_window_sum_p, reduce_window_max_p, window_argmax_p], ids=str)
def test_windows_against_the_reference(name, primitive):
    shape, window, strides, padding, dilation = WINDOWS[name]
    p = {"window": window, "strides": strides, "padding": padding, "dilation": dilation}
    for dtype in (np.float32, np.int16):
        x = RANDOM.integers(-20, 20, shape).astype(dtype)
        assert_same(primitive.bind(to_array(x), **p), primitive.impl(x, **p), name)


def test_windows_of_padding_alone_have_no_derivative():
    shape, window, strides, padding, dilation = WINDOWS["padding alone"]
    p = {"window": window, "strides": strides, "padding": padding, "dilation": dilation}
    x = ft.array(RANDOM.normal(size=shape))
    index = np.asarray(window_argmax_p.bind(x, **p))
    assert (index == -1).any()
    out, tangent = ft.jvp(lambda x: reduce_window_max_p.bind(x, **p), (x,), (ft.ones_like(x),))
    np.testing.assert_array_equal(np.asarray(tangent), index >= 0)
    (gradient,) = ft.vjp(lambda x: reduce_window_max_p.bind(x, **p), x)[1](ft.ones_like(out))
    assert np.asarray(gradient).sum() == (index >= 0).sum()


def test_shape_errors():
    x, w = ft.zeros((2, 5, 3)), ft.zeros((4, 3, 3))
    with pytest.raises(ValueError, match=r"conv: the last axis of rhs \(4, 3, 2\) must be the 3 channels"):
        conv_p.bind(x, ft.zeros((4, 3, 2)), **parameters(1))
    with pytest.raises(ValueError, match=r"conv: the window of rhs .* must not be empty"):
        conv_p.bind(x, ft.zeros((4, 0, 3)), **parameters(1))
    with pytest.raises(ValueError, match=r"conv: window_strides must be at least 1, got \(0,\)"):
        conv_p.bind(x, w, **parameters(1, strides=0))
    with pytest.raises(ValueError, match=r"conv: feature_group_count and batch_group_count"):
        conv_p.bind(x, w, **parameters(1, features=3, batches=2))
    with pytest.raises(TypeError, match=r"conv: operands must have the same dtype"):
        conv_p.bind(x, ft.zeros((4, 3, 3), dtype=ft.float64), **parameters(1))
    with pytest.raises(ValueError, match=r"reduce_window_sum: window must have 3 entries"):
        reduce_window_sum_p.bind(x, window=(1,), strides=(1, 1, 1), padding=((0, 0),) * 3, dilation=(1, 1, 1))
