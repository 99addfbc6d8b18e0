"""What the table of sample calls does not show of the functions beside the array API standard's."""

import math

import ml_dtypes
import numpy as np
import pytest

import ftrans as ft

REAL_DTYPES = ["float16", ml_dtypes.bfloat16, "float32", "float64"]


# -- strides and windows


def test_as_strided_adds_up_overlapping_cotangents():
    x = ft.array([1.0, 2.0, 3.0, 4.0])
    windows = ft.as_strided(x, (3, 2), (1, 1))
    assert windows.tolist() == [[1, 2], [2, 3], [3, 4]]
    assert ft.grad(lambda x: ft.sum(ft.as_strided(x, (3, 2), (1, 1))))(x).tolist() == [1, 2, 2, 1]
    assert ft.as_strided(x, (2, 2), (-1, -2), 3).tolist() == [[4, 2], [3, 1]]
    assert ft.as_strided(x, (3,), (0,), 2).tolist() == [3, 3, 3]
    assert ft.as_strided(x, (0, 9), (100, 100)).shape == (0, 9)


@pytest.mark.parametrize(("shape", "strides", "offset"), [((5,), (1,), 0), ((2,), (-1,), 0), ((1,), (1,), 4)])
def test_as_strided_stays_inside(shape, strides, offset):
    with pytest.raises(ValueError, match=r"as_strided: shape .* reach elements"):
        ft.as_strided(ft.ones(4), shape, strides, offset)


def test_slices_at_traced_positions():
    x = ft.arange(12).reshape(3, 4)
    window = ft.jit(lambda x, i: ft.slice(x, i, (0, 1), (2, 2)))
    assert window(x, ft.array([1, 2])).tolist() == [[6, 7], [10, 11]]
    assert window(x, ft.array([9, -5])).tolist() == [[4, 5], [8, 9]]  # moved inside
    moved = ft.vmap(lambda i: ft.slice_update(ft.zeros(4), ft.ones(2), i, (0,)))(ft.array([0, 2]))
    assert moved.tolist() == [[1, 1, 0, 0], [0, 0, 1, 1]]
    assert ft.slice(x, [1], (-1,), (3, 1)).tolist() == [[1], [5], [9]]


@pytest.mark.parametrize("shift", [0, 1, -2, 7, -9])
def test_roll_by_an_array(shift):
    x = np.arange(12).reshape(3, 4)
    rolled = ft.jit(lambda s: ft.roll(ft.array(x), s, axis=1))(ft.array(shift))
    np.testing.assert_array_equal(np.asarray(rolled), np.roll(x, shift, 1))
    both = ft.roll(ft.array(x), ft.array([shift, 1]), axis=(0, 1))
    np.testing.assert_array_equal(np.asarray(both), np.roll(x, (shift, 1), (0, 1)))


# -- bits


NAMES = ["uint8", "int16", "uint32", "int64", "float16", "float32", "float64", "complex64", "complex128"]


@pytest.mark.parametrize("old", NAMES)
@pytest.mark.parametrize("new", NAMES)
def test_view_of_another_width(old, new):
    bits = np.random.default_rng(0).integers(0, 100, (2, 32), np.uint8)
    x = bits.view(old)
    actual = np.asarray(ft.view(ft.array(x), new))
    assert actual.dtype == new
    np.testing.assert_array_equal(actual.view(np.uint8), bits)


def test_view_of_bool_and_of_scalars():
    assert ft.view(ft.array([True, False]), ft.uint16).tolist() == [1]
    assert ft.view(ft.array([1, 0], dtype=ft.uint8), ft.bool).tolist() == [True, False]
    assert ft.view(ft.array(1.0), ft.int32).item() == 0x3F800000
    with pytest.raises(ValueError, match=r"view: an array of shape \(3,\) and dtype int16 does not divide"):
        ft.view(ft.zeros(3, dtype=ft.int16), ft.int32)
    with pytest.raises(ValueError, match="does not divide"):
        ft.view(ft.array(1.0), ft.int8)


@pytest.mark.parametrize("dtype", REAL_DTYPES)
def test_frexp_and_ldexp_are_exact(dtype):
    limits = ml_dtypes.finfo(dtype)
    values = [
        0.0,
        -0.0,
        1.0,
        -1.5,
        3.0,
        limits.max,
        limits.tiny,
        limits.smallest_subnormal,
        np.inf,
        -np.inf,
        np.nan,
    ]
    x = np.array(values, dtype)
    mantissa, exponent = map(np.asarray, ft.frexp(ft.array(x)))
    expected_mantissa, expected_exponent = np.frexp(x.astype(np.float64))
    np.testing.assert_array_equal(mantissa.astype(np.float64), expected_mantissa)
    np.testing.assert_array_equal(exponent[np.isfinite(values)], expected_exponent[np.isfinite(values)])
    whole = np.asarray(ft.ldexp(ft.array(mantissa), ft.array(exponent)))
    np.testing.assert_array_equal(whole.astype(np.float64), x.astype(np.float64))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_ldexp_rounds_once(dtype):
    random = np.random.default_rng(0)
    x = random.uniform(0.5, 1, 200).astype(dtype)
    e = random.integers(-1100, 1100, 200).astype(np.int32)
    with np.errstate(over="ignore", under="ignore"):
        expected = np.ldexp(x, e)
    np.testing.assert_array_equal(np.asarray(ft.ldexp(ft.array(x), ft.array(e))), expected)
    beyond = np.array([2**31 - 1, -(2**31)], np.int32)
    assert ft.ldexp(ft.ones(2), ft.array(beyond)).tolist() == [math.inf, 0]


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64", "uint64"])
def test_gcd_and_lcm(dtype):
    x, y = (np.random.default_rng(i).integers(0, 100, 50).astype(dtype) for i in (0, 1))
    largest = np.iinfo(dtype).max
    fibonacci = [1, 1]
    while sum(fibonacci[-2:]) <= largest:
        fibonacci.append(sum(fibonacci[-2:]))
    x = np.append(x, np.array([fibonacci[-1], 0, 0, largest], dtype))
    y = np.append(y, np.array([fibonacci[-2], 0, 7, largest], dtype))
    np.testing.assert_array_equal(np.asarray(ft.gcd(ft.array(x), ft.array(y))), np.gcd(x, y))
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(np.asarray(ft.lcm(ft.array(x), ft.array(y))), np.lcm(x, y))


# -- running results


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(
    ("function", "first"),
    [
        (ft.cumsum, 0),
        (ft.cumprod, 1),
        (ft.cummax, -math.inf),
        (ft.cummin, math.inf),
        (ft.logcumsumexp, -math.inf),
    ],
)
def test_exclusive_running_results(function, first, reverse):
    x = ft.array([[3.0, -1.0, 2.0]])
    inclusive = function(x, axis=1, reverse=reverse).tolist()[0]
    expected = [*inclusive[1:], first] if reverse else [first, *inclusive[:-1]]
    assert function(x, axis=1, reverse=reverse, inclusive=False).tolist() == [expected]
    assert function(ft.zeros((2, 0)), axis=1, inclusive=False).shape == (2, 0)


def test_exclusive_running_results_of_integers():
    assert ft.cummax(ft.array([3, 5], dtype=ft.int8), inclusive=False).tolist() == [-128, 3]
    assert ft.cummin(ft.array([True, False]), inclusive=False).tolist() == [True, True]


# -- statistics


def test_quantiles_of_infinities_and_nan():
    x = ft.array([-math.inf, 1.0, math.inf, math.inf])
    assert ft.quantile(x, ft.array([0.0, 0.75, 1.0])).tolist() == [-math.inf, math.inf, math.inf]
    assert math.isnan(ft.quantile(ft.array([1.0, math.nan]), 0.5).item())
    assert math.isnan(ft.nanquantile(ft.array([math.nan]), 0.5).item())
    assert math.isnan(ft.quantile(x, ft.array(1.5)).item())
    with pytest.raises(ValueError, match=r"q must be between 0 and 1, got 1\.5"):
        ft.quantile(x, 1.5)
    with pytest.raises(ValueError, match="percentile: q must be between 0 and 100"):
        ft.percentile(x, [50, 101])


def test_quantile_differentiates_q():
    slope = ft.grad(lambda q: ft.quantile(ft.array([1.0, 2.0, 4.0]), q))(0.75)
    assert slope.item() == 4.0


def test_nan_reductions_of_nothing_but_nan():
    x = ft.full((2, 3), math.nan)
    for function in (ft.nanmax, ft.nanmin, ft.nanmean, ft.nanvar, ft.nanmedian):
        assert np.isnan(np.asarray(function(x, axis=1))).all()
    assert ft.nansum(x).item() == 0
    assert ft.nanprod(x).item() == 1
    assert ft.nanargmax(x, axis=1).tolist() == [-1, -1]
    y = ft.array([math.nan, 2.0, 4.0])
    assert ft.grad(ft.nanmean)(y).tolist() == [0, 0.5, 0.5]
    assert ft.grad(ft.nanvar)(y).tolist() == [0, -1, 1]


@pytest.mark.parametrize("values", [[0.0, 0.0], [1.0], []])
def test_histogram_of_little(values):
    counts, edges = ft.histogram(ft.array(values), bins=3)
    expected_counts, expected_edges = np.histogram(np.array(values), bins=3)
    np.testing.assert_array_equal(np.asarray(counts), expected_counts)
    np.testing.assert_allclose(np.asarray(edges), expected_edges, rtol=1e-6)


def test_histogram_leaves_out_what_is_outside():
    x = np.array([-5.0, 0.0, 1.0, 2.0, 2.5, np.nan])
    counts, _ = ft.jit(lambda x: ft.histogram(x, ft.array([0.0, 1.0, 2.0])))(ft.array(x))
    assert counts.tolist() == [1, 2]


def test_searchsorted_puts_nan_last():
    x = ft.array([1.0, 2.0, math.nan])
    assert ft.searchsorted(x, math.nan).item() == 2
    assert ft.searchsorted(x, math.nan, side="right").item() == 3
    assert ft.searchsorted(x, 5.0).item() == 2


# -- products, selections


@pytest.mark.parametrize("n", [1, 2, 8, 64])
def test_hadamard_transform_is_its_own_inverse(n):
    x = np.random.default_rng(0).standard_normal((3, n))
    twice = ft.hadamard_transform(ft.hadamard_transform(ft.array(x)))
    np.testing.assert_allclose(np.asarray(twice), x, rtol=1e-12, atol=1e-12)
    with pytest.raises(ValueError, match="the last axis must be a power of two"):
        ft.hadamard_transform(ft.ones(9 * n))


@pytest.mark.parametrize("n", [12, 20, 28, 56])
def test_hadamard_transform_of_other_orders(n):
    matrix = np.asarray(ft.hadamard_transform(ft.eye(n), 1.0))
    np.testing.assert_array_equal(np.abs(matrix), 1)
    np.testing.assert_array_equal(matrix @ matrix.T, n * np.eye(n))


def test_block_masks_of_bool():
    a, b = np.random.default_rng(0).standard_normal((2, 5, 5))
    mask = np.array([[True, False], [False, True]])
    product = ft.block_masked_mm(ft.array(a), ft.array(b), 3, mask_out=ft.array(mask))
    expected = (a @ b) * np.kron(mask, np.ones((3, 3)))[:5, :5]
    np.testing.assert_allclose(np.asarray(product), expected, rtol=1e-12)
    a[:3, 3:] = np.nan  # a block that is left out does not matter
    product = ft.block_masked_mm(ft.array(a), ft.array(b), 3, mask_lhs=ft.array(mask))
    assert np.isfinite(np.asarray(product)).all()


def test_place_starts_again():
    x = ft.place(ft.zeros(5), ft.array([True, True, False, True, True]), ft.array([1.0, 2.0, 3.0]))
    assert x.tolist() == [1, 2, 0, 3, 1]


def test_einsum_path_and_interleaved_labels():
    a, b, c = ft.ones((2, 9)), ft.ones((9, 9)), ft.ones((9, 3))
    path, report = ft.einsum_path(a, [0, 1], b, [1, 2], c, [2, 3], [0, 3])
    assert path == [(0, 1), (0, 1)]
    assert "contraction" in report
    assert ft.einsum(a, [..., 1], b, [1, 0]).shape == (2, 9)
    for x, y in (([30, 2], [2, 1]), ([5, 40], [40, 30])):
        np.testing.assert_array_equal(
            np.asarray(ft.einsum(a, x, b, y)), np.einsum(np.ones((2, 9)), x, np.ones((9, 9)), y)
        )
    with pytest.raises(ValueError, match=r"einsum: a label must be an int .*got int -1"):
        ft.einsum(a, [0, -1])
    with pytest.raises(ValueError, match="einsum_path: optimize = 'slow'"):
        ft.einsum_path("ij,jk,kl->il", a, b, c, optimize="slow")


def test_apply_along_axis():
    x = np.arange(24.0).reshape(2, 3, 4)
    for function in (np.sum, np.cumsum, lambda v: v[:2], lambda v: v[:, None] * v[None]):
        mine = {np.sum: ft.sum, np.cumsum: ft.cumsum}.get(function, function)
        actual = ft.apply_along_axis(mine, 1, ft.array(x))
        np.testing.assert_allclose(np.asarray(actual), np.apply_along_axis(function, 1, x), rtol=1e-12)
    with pytest.raises(TypeError, match="apply_along_axis: function must be callable, got int"):
        ft.apply_along_axis(3, 0, ft.ones(2))


@pytest.mark.parametrize("shape", [(2**70,), (2**40, 2**40), (1,) * 100])
@pytest.mark.parametrize("make", [ft.zeros, ft.ones, lambda shape: ft.full(shape, 1.0)])
def test_shapes_too_large(make, shape):
    with pytest.raises((ValueError, OverflowError, MemoryError)):
        np.asarray(make(shape))


def test_dtype_categories():
    for dtype, categories in {
        ft.int8: {"generic", "number", "integer", "signedinteger"},
        ft.uint8: {"generic", "number", "integer", "unsignedinteger"},
        ft.bfloat16: {"generic", "number", "inexact", "floating"},
        ft.complex64: {"generic", "number", "inexact", "complexfloating"},
        ft.bool_: {"generic"},
    }.items():
        assert {c.name for c in ft.DtypeCategory if ft.issubdtype(dtype, c)} == categories
    assert ft.issubdtype(ft.floating, ft.inexact)
    assert not ft.issubdtype(ft.inexact, ft.floating)
    assert not ft.issubdtype(ft.floating, ft.float32)
