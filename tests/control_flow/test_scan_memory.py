"""What a scan and its pull-back need: residuals once, and results in the place of what has been read."""

import numpy as np
import pytest

import ftrans as ft

STEPS, UNITS = 10_000, 50
BYTES = 4 * STEPS * UNITS


def _peak(function, *arguments):
    """Bytes above those in use before, of a call that is not the first."""
    ft.eval(function(*arguments))
    ft.reset_peak_memory()
    before = ft.get_active_memory()
    result = function(*arguments)
    ft.eval(result)
    return ft.get_peak_memory() - before


@pytest.mark.parametrize("reverse", [False, True])
def test_a_long_reverse_scan_keeps_two_numbers_a_step(reverse):
    def loss(w, xs):
        def step(h, x):
            return ft.tanh(ft.matmul(w, h) + x), None

        return ft.sum(ft.scan(step, xs[0], xs, reverse=reverse)[0])

    w, xs = ft.array(np.eye(UNITS, dtype=np.float32)), ft.array(np.ones((STEPS, UNITS), np.float32))
    gradient = ft.jit(ft.grad(loss))
    peak = _peak(gradient, w, xs)
    assert peak < 2.2 * BYTES
    need = gradient.lower(w, xs).compile().memory_analysis()
    assert need["temporaries"] + need["outputs"] == pytest.approx(peak, rel=0.05)


def test_residuals_that_do_not_change_are_kept_once():
    large = ft.array(np.linspace(0.1, 0.9, 100_000, dtype=np.float32))

    def loss(scale, xs):
        def step(c, x):
            return c + ft.sum(ft.sin(large * scale)) * x, None  # all that is large is the same in each step

        return ft.scan(step, 0.0, xs)[0]

    assert _peak(ft.jit(ft.grad(loss)), ft.array(2.0), ft.ones(100)) < 6 * large.nbytes


def _passed_on(c, x):
    return x, ft.sin(c) * 2.0


def _reversed(c, x):
    return c + x, (c * x)[::-1]


def _view(c, x):
    return c * 0.5, (x[::-1], c * x)


def _branch(c, x):
    return ft.cond(ft.sum(x) > 0, lambda: x, lambda: c), c + x


def _read_late(c, x):
    y = ft.matmul(c[None, :] * ft.ones((c.size, 1), dtype=c.dtype), x)  # from all of x
    return c + y * 0.01 + x * 0.1, y * 0.1


def _two(c, x):
    return c * 0.9 + x, (c - x, c + x)


@pytest.mark.parametrize("step", [_passed_on, _reversed, _view, _branch, _read_late, _two])
@pytest.mark.parametrize("reverse", [False, True])
def test_results_may_take_the_place_of_slices(step, reverse):
    steps, units = 2100, 64  # more than a megabyte in float64

    def f(xs):
        xs = ft.sin(xs)  # which nobody needs afterwards
        return ft.scan(step, ft.cos(ft.arange(64.0, dtype=ft.float64)), xs, reverse=reverse)

    xs = ft.array(np.random.default_rng(0).standard_normal((steps, units)))
    carry, ys = ft.jit(f)(xs)
    slices = ft.sin(xs)
    ft.eval(slices)  # and which is referred to
    first = ft.cos(ft.arange(64.0, dtype=ft.float64))
    expected, rows = ft.scan(step, first, slices, reverse=reverse)
    np.testing.assert_array_equal(carry, expected)
    ft.tree_map(np.testing.assert_array_equal, ys, rows)
    np.testing.assert_array_equal(slices, ft.sin(xs))
