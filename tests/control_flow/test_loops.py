"""scan, while_loop, fori_loop and map: values, types and errors."""

import gc

import numpy as np
import pytest

import ftrans as ft


def _sum_and_history(carry, x):
    return {"total": carry["total"] + x["a"]}, (carry["total"], x["b"] * 2.0)


def _elements():
    return {"a": np.arange(5.0), "b": np.arange(10.0).reshape(5, 2)}


@pytest.mark.parametrize("unroll", [1, 2, 3, 5, 9, True])
@pytest.mark.parametrize("reverse", [False, True])
def test_scan_of_trees_is_the_python_loop(reverse, unroll):
    xs, total = _elements(), 0.5
    expected_history = np.zeros(5)
    for i in reversed(range(5)) if reverse else range(5):
        expected_history[i] = total
        total += xs["a"][i]
    carry, (history, doubled) = ft.scan(
        _sum_and_history, {"total": np.float64(0.5)}, xs, reverse=reverse, unroll=unroll
    )
    np.testing.assert_array_equal(carry["total"], total)
    np.testing.assert_array_equal(history, expected_history)
    np.testing.assert_array_equal(doubled, 2 * xs["b"])


def test_scan_without_steps_returns_the_first_carry():
    for unroll in (1, 2, True):
        carry, ys = ft.scan(lambda c, x: (c + x, c * x), 2.0, np.zeros(0), unroll=unroll)
        assert float(carry) == 2.0
        assert ys.shape == (0,)


def test_scan_without_slices_counts():
    carry, ys = ft.scan(lambda c, _: (2 * c, c), 1, length=5)
    assert int(carry) == 32
    np.testing.assert_array_equal(ys, [1, 2, 4, 8, 16])


def test_carry_may_pass_through_swap_and_repeat():
    # Constants, slices and the carry itself as results: none of them may be lost or overwritten.
    constant = ft.array([7.0, 8.0])

    def step(carry, x):
        a, b, _ = carry
        return (b, a, constant), (x, a, a, constant)

    (a, b, c), ys = ft.scan(step, (ft.zeros(2), ft.ones(2), ft.zeros(2)), ft.reshape(ft.arange(6.0), (3, 2)))
    np.testing.assert_array_equal(np.stack([a, b, c]), [[1, 1], [0, 0], [7, 8]])
    np.testing.assert_array_equal(ys[0], np.arange(6.0).reshape(3, 2))
    for y in ys[1:3]:
        np.testing.assert_array_equal(y, [[0, 0], [1, 1], [0, 0]])
    np.testing.assert_array_equal(ys[3], [[7, 8]] * 3)


def test_slices_may_have_any_layout():
    x = np.arange(24.0).reshape(4, 3, 2)
    for view in (lambda a: ft.transpose(a, (2, 0, 1)), lambda a: a[::-1, :, ::2], lambda a: a[1:, 2]):
        carry, ys = ft.scan(
            lambda c, s: (c + s, s * 1.0), ft.sum(view(ft.array(x)), axis=0) * 0, view(ft.array(x))
        )
        np.testing.assert_array_equal(ys, view(ft.array(x)))
        np.testing.assert_array_equal(carry, np.sum(np.asarray(view(ft.array(x))), axis=0))


def test_carried_arrays_are_updated_in_place():
    size = 1_000_000

    def body(i, a):
        a[i] = i
        return a

    first = ft.zeros(size, dtype=ft.float32) + 1
    ft.eval(first)
    ft.reset_peak_memory()
    before = ft.get_active_memory()
    result = ft.fori_loop(0, 50, body, first)
    ft.eval(result)
    assert ft.get_peak_memory() - before < 2.5 * 4 * size
    np.testing.assert_array_equal(result[:50], np.arange(50))
    np.testing.assert_array_equal(first[:50], np.ones(50))


@pytest.mark.parametrize("bounds", [(2, 7), (7, 2), (np.int64(2), np.int64(7)), (np.uint8(3), 200)])
def test_fori_loop_is_the_python_loop(bounds):
    def loop(lower, upper, first=np.int64(0)):  # noqa: B008
        return ft.fori_loop(lower, upper, lambda i, t: t + ft.astype(i, ft.int64), first)

    expected = sum(range(int(bounds[0]), int(bounds[1])))
    assert int(loop(*(b if isinstance(b, int) else ft.array(b) for b in bounds))) == expected
    assert int(loop(*bounds)) == expected
    assert "= scan" in str(ft.make_jaxpr(lambda first: loop(*bounds, first))(np.int64(0)))


@pytest.mark.parametrize("unroll", [2, 3, 10, True])
def test_fori_loop_unrolled(unroll):
    x = np.float64(0.3)
    plain = ft.jit(ft.value_and_grad(lambda x: ft.fori_loop(0, 7, lambda i, v: ft.sin(v) * (i + x), x)))(x)
    unrolled = ft.jit(
        ft.value_and_grad(lambda x: ft.fori_loop(0, 7, lambda i, v: ft.sin(v) * (i + x), x, unroll=unroll))
    )(x)
    np.testing.assert_allclose(unrolled, plain, rtol=1e-14)  # the same operations, fused otherwise


def test_while_loop_of_trees():
    def body(state):
        return {"n": state["n"] // 2, "steps": state["steps"] + 1}

    result = ft.while_loop(lambda s: s["n"] > 1, body, {"n": 1000, "steps": 0})
    assert int(result["n"]) == 1
    assert int(result["steps"]) == 9


def test_while_loop_that_does_not_start():
    assert float(ft.while_loop(lambda x: x < 0.0, lambda x: x - 1.0, 3.0)) == 3.0
    assert float(ft.grad(lambda x: ft.while_loop(lambda x: x < 0.0, lambda x: x * x, x))(3.0)) == 1.0


@pytest.mark.parametrize("batch_size", [None, 1, 3, 7, 10])
def test_map(batch_size):
    x = np.arange(14.0).reshape(7, 2)
    result = ft.map(lambda row: (ft.sum(row), row + 1.0), x, batch_size=batch_size)
    np.testing.assert_array_equal(result[0], x.sum(1))
    np.testing.assert_array_equal(result[1], x + 1)


def test_python_scalars_take_the_type_of_the_body():
    carry, _ = ft.scan(lambda c, x: (c + x, None), 0, np.arange(3.0))
    assert carry.dtype == ft.float64
    assert not carry.weak_type
    assert ft.fori_loop(0, 3, lambda i, c: c * np.float64(2), 1).dtype == ft.float64


def test_bodies_are_traced_once_for_the_types_of_the_carry():
    traces = []

    def step(c, x):
        traces.append(None)
        return c + x, c

    ft.scan(step, np.float32(0), np.arange(100, dtype=np.float32))
    assert len(traces) == 1


def test_the_jaxpr_shows_the_body():
    text = str(
        ft.make_jaxpr(lambda x: ft.scan(lambda c, x: (ft.sin(c) * x, c), 1.0, x))(np.ones(3, np.float32))
    )
    assert "scan[" in text
    assert "= sin a" in text
    assert "length=3" in text


def test_loops_are_lazy_and_fail_where_they_are_evaluated():
    ft.clear_cache()
    limit = ft.set_memory_limit(ft.get_active_memory() + 1_000_000)
    try:
        _, ys = ft.scan(lambda c, x: (c + 1.0, ft.full((1000,), 1.0) * c), 0.0, length=10_000)
        with pytest.raises(MemoryError):
            ft.eval(ys)
    finally:
        ft.set_memory_limit(limit)
    assert float(ys[9999, 0]) == 9999.0


def _raises(error, match):
    return pytest.raises(error, match=match)


def test_errors_of_scan_name_what_is_wrong():
    xs = np.ones((3, 2))
    with _raises(TypeError, "must return a pair"):
        ft.scan(lambda c, x: c, 0.0, xs)
    with _raises(TypeError, r"carry\['w'\] is f64\[2\], but step returns f64\[\] for it"):

        def step(c, x):
            return {"w": ft.sum(c["w"])}, None

        ft.scan(step, {"w": np.zeros(2)}, xs)
    with _raises(TypeError, r"carry is i32\[\], but .* returns f32\[\]"):
        ft.scan(lambda c, x: (c * np.float32(0.5), None), np.int32(1), xs)
    with _raises(TypeError, "structure"):
        ft.scan(lambda c, x: ((c, c), None), 0.0, xs)
    with _raises(ValueError, r"xs\[1\]: 4 \(shape \(4,\)\)"):
        ft.scan(lambda c, x: (c, None), 0.0, (xs, np.ones(4)))
    with _raises(ValueError, "length: 4"):
        ft.scan(lambda c, x: (c, None), 0.0, xs, length=4)
    with _raises(ValueError, "length must be given"):
        ft.scan(lambda c, x: (c, None), 0.0)
    with _raises(ValueError, "xs is a scalar"):
        ft.scan(lambda c, x: (c, None), 0.0, 1.0)
    with _raises(ValueError, "unroll"):
        ft.scan(lambda c, x: (c, None), 0.0, xs, unroll=-1)
    with _raises(TypeError, "expects a function"):
        ft.scan(3, 0.0, xs)
    with _raises(ft.ConcretizationError, "scan"):
        ft.scan(lambda c, x: (c if x > 0 else -c, None), 0.0, np.ones(3))


def test_errors_of_the_other_loops_name_what_is_wrong():
    with _raises(TypeError, r"must return a boolean scalar, got bool\[2\]"):
        ft.while_loop(lambda x: x > 0, lambda x: x, np.ones(2))
    with _raises(TypeError, r"must return a boolean scalar, got f64\[\]"):
        ft.while_loop(lambda x: x, lambda x: x, np.float64(1))
    with _raises(TypeError, "while_loop: carry is"):
        ft.while_loop(lambda x: ft.sum(x) > 0, lambda x: ft.sum(x), np.ones(2))
    with _raises(TypeError, r"fori_loop: carry\[1\] is f64\[2\], but body returns"):

        def body(i, x):
            return ft.sum(x)

        ft.fori_loop(0, 3, body, np.ones(2))
    with _raises(TypeError, "upper must be a Python int or an integer scalar"):
        ft.fori_loop(0, 2.5, lambda i, x: x, 0)
    with _raises(TypeError, "lower must be a Python int or an integer scalar, got array"):
        ft.fori_loop(np.zeros(2, np.int32), 2, lambda i, x: x, 0)
    with _raises(ValueError, "fori_loop: unroll must be a bool or a positive int, got 0"):
        ft.fori_loop(0, 2, lambda i, x: x, 0, unroll=0)
    with _raises(ValueError, "fori_loop: unroll is 2, but lower and upper must be ints"):
        ft.fori_loop(0, ft.array(2), lambda i, x: x, 0, unroll=2)
    with _raises(TypeError, "lower is int32 and upper is int64"):
        ft.fori_loop(ft.array(0), ft.array(np.int64(3)), lambda i, x: x, 0)
    with _raises(ValueError, "batch_size"):
        ft.map(lambda x: x, np.ones(3), batch_size=0)


def _numbers(i, state):
    """Every way in which numbers are carried along: swapped, constant, of all kinds, by any operation."""
    a, b, n, wide, flag, unchanged = state
    b, a = a * b + 0.25, ft.where(flag, a - b, ft.maximum(ft.sin(a), b * a))
    n = n * 1_103_515_245 + i
    return a, b, n, wide + ft.astype(n, ft.int64), ft.logical_xor(flag, n > 0), unchanged


@pytest.mark.parametrize("steps", [0, 1, 2, 37])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_loops_of_numbers_are_those_of_arrays(dtype, steps):
    # The same bits, though loops of numbers run without the kernels of arrays.
    state = dtype(0.3), dtype(0.7), np.int32(12345), np.int64(2**40), np.bool_(True), dtype(9)
    numbers = ft.fori_loop(0, steps, _numbers, state)
    few, many = (ft.fori_loop(0, steps, _numbers, tuple(np.full(n, x) for x in state)) for n in (3, 70))
    counted = ft.fori_loop(ft.array(0), ft.array(steps), _numbers, state)
    for number, other, *arrays in zip(numbers, counted, few, many, strict=True):
        assert np.asarray(number) == np.asarray(other)
        assert all((np.asarray(array) == np.asarray(number)).all() for array in arrays)


def _small_arrays(carry, x):
    """All that loops over few numbers know of arrays: views, assemblies, reductions, products."""
    a, b, n = carry
    rows = ft.stack([a[1:], ft.flip(a)[:-1], x[::2]])
    product = rows @ ft.transpose(rows) + ft.einsum("i,ij->j", a, rows)[0]
    framed = ft.pad(product, ((1, 0), (0, 1)), constant_values=0.5)[:3, 1:]
    a, b = b * 0.5 + ft.sum(framed, axis=1) / 9, ft.tanh(a) + ft.where(a > b, a, ft.arange(3) - 0.25 * b)
    n = ft.concatenate([n[1:], ft.max(n, axis=0, keepdims=True) % 7 + n[:1]])
    return (a, b, n), (b[::-1], ft.any(a > 0.5), ft.prod(a), n)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_loops_over_small_arrays_are_their_steps(dtype, reverse):
    rng = np.random.default_rng(0)
    a, b = (ft.array(rng.normal(size=3).astype(dtype)) for _ in range(2))
    carry = a, b, ft.array([1, 5, 3])
    xs = ft.array(rng.normal(size=(3, 23)).astype(dtype)).T  # slices with gaps
    last, stacked = ft.scan(_small_arrays, carry, xs, reverse=reverse)
    results = []
    for i in reversed(range(23)) if reverse else range(23):
        carry, out = _small_arrays(carry, xs[i])
        results.append(out)
    expected = [ft.stack(parts) for parts in zip(*(results[::-1] if reverse else results), strict=True)]
    tolerance = 1e-4 if dtype == np.float32 else 1e-12  # sums have another order
    for got, wanted in zip((*last, *stacked), (*carry, *expected), strict=True):
        assert got.dtype == wanted.dtype
        np.testing.assert_allclose(got, wanted, rtol=tolerance, atol=tolerance)


def test_while_over_small_arrays():
    def body(state):
        x, count = state
        return ft.stack([x[1], x[0] + x[1], x[2] * 0.5]), count + 1

    x, count = ft.while_loop(lambda state: ft.sum(state[0][:2]) < 1000, body, (np.array([0.0, 1.0, 64.0]), 0))
    assert np.asarray(x).tolist() == [610.0, 987.0, 64.0 / 2**15]
    assert count == 15
    grad = ft.grad(lambda x: ft.while_loop(lambda s: ft.sum(s[0][:2]) < 1000, body, (x, 0))[0][1])(
        np.array([0.0, 1.0, 64.0])
    )
    assert np.asarray(grad).tolist() == [610.0, 987.0, 0.0]


def test_what_a_loop_ran_with_is_let_go():
    def total(x):
        doubled = ft.while_loop(lambda v: ft.max(v) < 100.0, lambda v: v * 2.0 + x, x)
        return ft.sum(
            ft.scan(lambda c, _: (ft.cond(c[0] > 0, ft.sin, ft.cos, c) + x, None), doubled, length=3)[0]
        )

    gc.disable()
    try:
        before = ft.get_active_memory()
        for _ in range(3):
            ft.eval(ft.grad(total)(ft.ones(100_000)))
        assert ft.get_active_memory() - before < 400_000
    finally:
        gc.enable()
