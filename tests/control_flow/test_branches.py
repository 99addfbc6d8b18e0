"""cond, switch and associative_scan: values, types and errors."""

import numpy as np
import pytest

import ftrans as ft


@pytest.mark.parametrize("pred", [True, False, 1, 0, 2.5, np.float32(0), np.int64(2**32)])
def test_cond_takes_any_scalar(pred):
    result = ft.cond(pred, lambda x, y: (x + y["a"], x), lambda x, y: (x - y["a"], y["a"]), 3.0, {"a": 1.0})
    expected = (4.0, 3.0) if pred else (2.0, 1.0)
    assert tuple(map(float, result)) == expected


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.uint64, np.int64])
def test_switch_clamps_its_index(dtype):
    branches = [lambda x, i=i: x + i for i in range(200)]
    for index in (0, 5, 127, 2**40, -3):
        index = int(np.clip(index, np.iinfo(dtype).min, np.iinfo(dtype).max))
        assert float(ft.switch(np.asarray(index, dtype), branches, 0.0)) == min(max(index, 0), 199)


def test_only_the_chosen_branch_runs():
    # The other one would need more memory than there is.
    ft.clear_cache()
    limit = ft.set_memory_limit(ft.get_active_memory() + 100_000)
    try:
        result = ft.cond(
            False, lambda x: ft.sum(ft.sin(ft.full((10**7,), x)[::-1] + 1) ** 2), lambda x: x, 2.0
        )
        assert float(result) == 2.0
    finally:
        ft.set_memory_limit(limit)


def test_branches_may_close_over_arrays_and_tracers():
    a, b = ft.array([1.0, 2.0]), ft.array([10.0, 20.0])

    def f(x, y):
        return ft.sum(ft.cond(ft.sum(x) > 0, lambda: a * x, lambda: b * y))

    for sign in (1, -1):
        x, y = sign * np.ones(2, np.float32), 3 * np.ones(2, np.float32)
        gradient = ft.grad(f, argnums=(0, 1))(x, y)
        np.testing.assert_array_equal(gradient[0], a if sign > 0 else np.zeros(2))
        np.testing.assert_array_equal(gradient[1], b if sign < 0 else np.zeros(2))


def test_branches_agree_on_the_types_of_python_scalars():
    result = ft.cond(True, lambda x: 1, lambda x: x, np.float64(2))
    assert result.dtype == ft.float64
    assert float(result) == 1


def test_a_branch_updates_a_carried_array_in_place():
    size = 1_000_000

    def body(i, a):
        def write(a):
            a[i] = 5.0
            return a

        return ft.cond(i % 2 == 0, write, lambda a: a, a)

    first = ft.zeros(size, dtype=ft.float32) + 1
    ft.eval(first)
    ft.reset_peak_memory()
    before = ft.get_active_memory()
    result = ft.fori_loop(0, 20, body, first)
    ft.eval(result)
    assert ft.get_peak_memory() - before < 2.5 * 4 * size
    np.testing.assert_array_equal(result[:20], [5, 1] * 10)


def test_errors_name_what_is_wrong():
    with pytest.raises(TypeError, match=r"pred must be a scalar, got bool\[2\]"):
        ft.cond(np.ones(2, bool), lambda: 1.0, lambda: 2.0)
    with pytest.raises(TypeError, match="index must be an integer scalar"):
        ft.switch(1.5, [lambda: 1.0])
    with pytest.raises(ValueError, match="at least one function"):
        ft.switch(0, [])
    with pytest.raises(TypeError, match=r"one shape and dtype, but for output\[1\] .* f64\[2\] .* f64\[3\]"):
        ft.cond(True, lambda: (1.0, np.ones(3)), lambda: (1.0, np.ones(2)))
    with pytest.raises(TypeError, match="one structure"):
        ft.cond(True, lambda: (1.0,), lambda: 1.0)
    with pytest.raises(TypeError, match="expects a function"):
        ft.cond(True, 1.0, 2.0)


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 7, 8, 13])
@pytest.mark.parametrize("reverse", [False, True])
def test_associative_scan_of_an_operation_that_does_not_commute(size, reverse):
    matrices = np.random.default_rng(size).standard_normal((2, size, 2, 2))
    result = ft.associative_scan(lambda a, b: ft.matmul(a, b), matrices, reverse=reverse, axis=1)
    expected = matrices.copy()
    for i in range(1, size):
        i, before = (size - 1 - i, size - i) if reverse else (i, i - 1)
        expected[:, i] = expected[:, before] @ matrices[:, i]
    np.testing.assert_allclose(result, expected, rtol=1e-12)


def test_associative_scan_of_trees_has_derivatives():
    def linear_recurrence(a, b):
        return ft.associative_scan(lambda x, y: (x[0] * y[0], x[1] * y[0] + y[1]), (a, b))[1]

    def scanned(a, b):
        return ft.scan(lambda h, ab: (ab[0] * h + ab[1],) * 2, np.float64(0), (a, b))[1]

    random = np.random.default_rng(0)
    a, b, weights = random.standard_normal((3, 9))
    gradients = [
        ft.grad(lambda a, b, f=f: ft.sum(f(a, b) * weights), argnums=(0, 1))(a, b)
        for f in (linear_recurrence, scanned)
    ]
    for one, other in zip(*gradients, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10)


def test_associative_scan_errors():
    with pytest.raises(ValueError, match="one size along axis 0"):
        ft.associative_scan(lambda a, b: a, (np.ones(3), np.ones(4)))
    with pytest.raises(ValueError, match="axis 2 is out of range"):
        ft.associative_scan(ft.add, np.ones(3), axis=2)
    with pytest.raises(TypeError, match="returns f64"):
        ft.associative_scan(lambda a, b: ft.sum(a), np.ones(3))
    with pytest.raises(TypeError, match="a tree like its arguments"):
        ft.associative_scan(lambda a, b: (a, b), np.ones(3))
