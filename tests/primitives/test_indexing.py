"""Out-of-range modes, duplicates and batching of gather, scatter and dynamic slices."""

import numpy as np
import pytest

import ftrans as ft
from ftrans.primitives.indexing import CLIP, FILL
from tests.primitives.numpy_bridge import apply, array, function

ELEMENTS = {
    "offset_dims": (), "collapsed_slice_dims": (0,), "start_index_map": (0,), "operand_batching_dims": (),
    "indices_batching_dims": (), "slice_sizes": (1,),
}  # fmt: skip
INTO_ELEMENTS = {
    "update_window_dims": (), "inserted_window_dims": (0,), "scatter_dims_to_operand_dims": (0,),
    "operand_batching_dims": (), "indices_batching_dims": (), "unique_indices": False,
}  # fmt: skip


def indices(*values):
    return np.array(values, np.int32)[:, None]


def scatter(kind, at, mode=FILL):
    """The scatter of `kind` at constant positions, as a function of operand and updates."""
    f = function("scatter", kind=kind, mode=mode, **INTO_ELEMENTS)
    return lambda operand, updates: f(operand, array(at, np.int32), updates)


@pytest.mark.parametrize(
    ("dtype", "fill"), [(np.float32, np.nan), (np.int8, -128), (np.uint8, 255), (np.complex64, np.nan)]
)
def test_gather_fill_value(dtype, fill):
    got = apply("gather", np.ones(3, dtype), indices(-1, 2, 3), mode=FILL, **ELEMENTS)
    np.testing.assert_array_equal(got.real, np.array([fill, 1, fill]).astype(got.real.dtype))


def test_gather_clips():
    got = apply("gather", np.arange(3.0), indices(-5, 1, 9), mode=CLIP, **ELEMENTS)
    np.testing.assert_array_equal(got, [0, 1, 2])


def test_gather_derivative_of_out_of_range_is_zero():
    def f(x):
        return function("gather", mode=FILL, **ELEMENTS)(x, array(indices(-1, 2, 3), np.int32))

    x = array([1.0, 2.0, 3.0])
    expected = [[0, 0, 0], [0, 0, 1], [0, 0, 0]]
    np.testing.assert_array_equal(np.asarray(ft.jacfwd(f)(x)), expected)
    np.testing.assert_array_equal(np.asarray(ft.jacrev(f)(x)), expected)


def test_a_window_partly_outside_is_dropped_whole():
    parameters = INTO_ELEMENTS | {"update_window_dims": (1,), "inserted_window_dims": ()}
    got = apply("scatter", np.zeros(4), indices(3, 0), np.ones((2, 2)), kind="set", mode=FILL, **parameters)
    np.testing.assert_array_equal(got, [1, 1, 0, 0])


def test_last_of_duplicates_wins_in_value_and_derivative():
    f = scatter("set", indices(1, 1, 2, 7))
    operand, updates = array([1.0, 2.0, 3.0]), array([10.0, 20.0, 30.0, 40.0])
    np.testing.assert_array_equal(np.asarray(f(operand, updates)), [1, 20, 30])
    expected = np.zeros((3, 4))
    expected[1, 1] = expected[2, 2] = 1
    for jacobian in (ft.jacfwd, ft.jacrev):
        of_operand, of_updates = jacobian(f, argnums=(0, 1))(operand, updates)
        np.testing.assert_array_equal(np.asarray(of_updates), expected)
        np.testing.assert_array_equal(np.asarray(of_operand), np.diag([1, 0, 0]))


@pytest.mark.parametrize("updates", [[2.0, 3.0, 5.0], [0.0, 3.0, 5.0], [0.0, 0.0, 5.0]])
def test_scatter_mul_derivative_with_duplicates_and_zeros(updates):
    f = scatter("mul", indices(1, 1, 1))
    operand = array([1.0, 7.0])
    np.testing.assert_array_equal(np.asarray(f(operand, array(updates))), [1, 7 * np.prod(updates)])
    expected = [7 * np.prod(np.delete(updates, i)) for i in range(3)]
    for jacobian in (ft.jacfwd, ft.jacrev):
        of_operand, of_updates = jacobian(f, argnums=(0, 1))(operand, array(updates))
        np.testing.assert_allclose(np.asarray(of_updates)[1], expected)
        np.testing.assert_allclose(np.asarray(of_operand), np.diag([1, np.prod(updates)]))


@pytest.mark.parametrize("kind", ["max", "min"])
def test_scatter_extremum_shares_among_ties(kind):
    sign = 1 if kind == "max" else -1
    f = scatter(kind, indices(0, 0, 1, 9))
    operand, updates = (
        array([sign * 5.0, sign * 5.0]),
        array([sign * 5.0, sign * 5.0, sign * 1.0, sign * 9.0]),
    )
    of_operand, of_updates = ft.jacrev(f, argnums=(0, 1))(operand, updates)
    np.testing.assert_allclose(np.asarray(of_operand), np.diag([1 / 3, 1]))
    np.testing.assert_allclose(np.asarray(of_updates), [[1 / 3, 1 / 3, 0, 0], [0, 0, 0, 0]])
    of_operand, of_updates = ft.jacfwd(f, argnums=(0, 1))(operand, updates)
    np.testing.assert_allclose(np.asarray(of_updates), [[1 / 3, 1 / 3, 0, 0], [0, 0, 0, 0]])


def test_dynamic_slices_are_clamped():
    x = np.arange(5.0)
    np.testing.assert_array_equal(
        apply("dynamic_slice", x, np.array([4], np.int32), slice_sizes=(3,)), [2, 3, 4]
    )
    got = apply("dynamic_update_slice", x, np.array([-1.0, -2.0]), np.array([-7], np.int32))
    np.testing.assert_array_equal(got, [-1, -2, 2, 3, 4])


def test_batched_starts():
    x, starts = array(np.arange(10.0)), array([[0], [3], [99]], np.int32)
    got = ft.vmap(function("dynamic_slice", slice_sizes=(2,)), in_axes=(None, 0))(x, starts)
    np.testing.assert_array_equal(np.asarray(got), [[0, 1], [3, 4], [8, 9]])


def test_errors():
    with pytest.raises(TypeError, match="gather: indices has dtype float64"):
        apply("gather", np.ones(3), np.ones((1, 1)), mode=CLIP, **ELEMENTS)
    with pytest.raises(ValueError, match="scatter: kind must be one of set, add, mul, min, max, got 'sub'"):
        apply("scatter", np.ones(3), indices(0), np.ones(1), kind="sub", mode=CLIP, **INTO_ELEMENTS)
    with pytest.raises(
        ValueError, match=r"scatter: updates \(2,\) must be \(1,\) outside update_window_dims \(\)"
    ):
        apply("scatter", np.ones(3), indices(0), np.ones(2), kind="set", mode=CLIP, **INTO_ELEMENTS)
    with pytest.raises(ValueError, match=r"dynamic_slice: start_indices must have shape \(1,\)"):
        apply("dynamic_slice", np.ones(3), np.zeros(2, np.int32), slice_sizes=(1,))
