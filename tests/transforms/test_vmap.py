"""vmap."""

import numpy as np
import pytest

import ftrans as ft
from ftrans._native import from_numpy

M = np.arange(12.0).reshape(3, 4)
V = np.arange(3.0)


def same(actual, expected):
    np.testing.assert_allclose(np.asarray(actual), expected, rtol=1e-12)


@pytest.mark.parametrize("axis", [0, 1, -1, -2])
@pytest.mark.parametrize("out_axis", [0, 1, -1, -2])
def test_axes(axis, out_axis):
    result = ft.vmap(lambda row: row * 2.0, in_axes=axis, out_axes=out_axis)(M)
    same(result, np.moveaxis(2 * M, axis, out_axis))


def test_none_and_prefixes():
    def f(p, x):
        return {"a": p["w"] * x, "b": (x, p["c"])}

    p = {"w": V, "c": np.float64(5)}
    out = ft.vmap(f, in_axes=({"w": 0, "c": None}, None), out_axes={"a": 0, "b": (0, None)})(p, 2.0)
    same(out["a"], 2 * V)
    same(out["b"][0], np.full(3, 2.0))
    same(out["b"][1], 5.0)


def test_lists_keywords_and_none_leaves():
    same(ft.vmap(lambda x, y: x * y, in_axes=[0, None])(V, 2.0), 2 * V)
    same(ft.vmap(lambda x, *, y: x * y)(V, y=V), V * V)
    same(ft.vmap(lambda t: t["x"], in_axes=({"x": 0, "y": None},))({"x": V, "y": None}), V)


def test_axis_size():
    same(ft.vmap(lambda x: x, in_axes=None, axis_size=2)(V), np.stack([V, V]))
    with pytest.raises(ValueError, match="axis_size must be given"):
        ft.vmap(lambda x: x, in_axes=None)(V)


def test_outputs_that_do_not_depend_on_the_batch():
    same(ft.vmap(lambda x: 3.0, out_axes=0)(V), np.full(3, 3.0))
    same(ft.vmap(lambda x: 3.0, out_axes=None)(V), 3.0)
    same(ft.vmap(lambda x: from_numpy(M), out_axes=-1)(V), np.stack([M] * 3, -1))
    with pytest.raises(
        ValueError, match="out_axes is None for an output of <lambda> that depends on the batch"
    ):
        ft.vmap(lambda x: x, out_axes=None)(V)


def test_nested():
    same(ft.vmap(ft.vmap(lambda x, y: x * y, (None, 0)), (0, None))(V, V), np.outer(V, V))


def test_empty_batch():
    assert ft.vmap(ft.sin)(np.zeros((0, 2))).shape == (0, 2)


@pytest.mark.parametrize(
    ("in_axes", "args", "error", "message"),
    [
        (0, (V, M.T), ValueError, r"x: 3 \(axis 0 of shape \(3,\)\)\n  y: 4 \(axis 0 of shape \(4, 3\)\)"),
        (
            (0, 2),
            (V, M),
            ValueError,
            r"in_axes 2 is out of range for argument y of f, which has shape \(3, 4\)",
        ),
        (0, (V, 1.0), ValueError, "in_axes 0 is out of range for argument y of f"),
        ((0,), (V, V), ValueError, r"one entry for each positional argument of f: it has 1, \(0,\), but 2"),
        (({"a": 0}, 0), (V, V), ValueError, "must be a prefix"),
        ((0.5, 0), (V, V), TypeError, "ints and None, got 0.5 for argument x"),
        (0, (V, "s"), TypeError, "vmap: argument y of f must be an array"),
    ],
)
def test_errors(in_axes, args, error, message):
    def f(x, y):
        return x

    with pytest.raises(error, match=message):
        ft.vmap(f, in_axes)(*args)


def test_in_and_out_axes_errors():
    with pytest.raises(TypeError, match="in_axes must be an int, None, or a tuple"):
        ft.vmap(ft.sin, in_axes="0")
    with pytest.raises(ValueError, match="out_axes 2 is out of range"):
        ft.vmap(lambda x: x, out_axes=2)(V)
    with pytest.raises(ValueError, match="out_axes of <lambda> must be a prefix"):
        ft.vmap(lambda x: x, out_axes=(0, 0))(V)
