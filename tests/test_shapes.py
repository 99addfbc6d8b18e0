"""ShapeDtypeStruct and eval_shape."""

import numpy as np
import pytest

import ftrans as ft


def test_struct():
    struct = ft.ShapeDtypeStruct([2, 3], np.float16)
    assert (struct.shape, struct.dtype, struct.ndim, struct.size) == ((2, 3), ft.float16, 2, 6)
    assert struct == ft.ShapeDtypeStruct((2, 3), "float16")
    assert hash(struct) == hash(ft.ShapeDtypeStruct((2, 3), "float16"))
    assert struct != ft.ShapeDtypeStruct((3, 2), ft.float16)
    assert ft.ShapeDtypeStruct(4, ft.int8).shape == (4,)


def test_wrong_structs():
    with pytest.raises(ValueError, match="must not be negative"):
        ft.ShapeDtypeStruct((-1,), ft.float32)
    with pytest.raises(TypeError, match="ShapeDtypeStruct: dtype must be one of"):
        ft.ShapeDtypeStruct((1,), "float31")


def test_eval_shape_computes_nothing():
    large = ft.ShapeDtypeStruct((1 << 20, 1 << 20), ft.float64)
    before = ft.get_active_memory()
    result = ft.eval_shape(lambda a, b: {"product": a @ b, "sum": [ft.sum(a)]}, large, large)
    assert result == {"product": large, "sum": [ft.ShapeDtypeStruct((), ft.float64)]}
    assert ft.get_active_memory() == before


def test_eval_shape_takes_arrays_numbers_and_keywords():
    result = ft.eval_shape(lambda x, y, *, z: x * y + z, ft.ones((2, 1)), np.ones(3, np.float64), z=2)
    assert result == ft.ShapeDtypeStruct((2, 3), ft.float64)
    assert ft.eval_shape(lambda x: x + 1, 2) == ft.ShapeDtypeStruct((), ft.int32)


def test_eval_shape_errors():
    def f(x):
        return x

    with pytest.raises(TypeError, match="eval_shape: argument x of f must have a shape and a dtype"):
        ft.eval_shape(f, "text")
    with pytest.raises(ft.ConcretizationError):
        ft.eval_shape(lambda x: x if x else -x, 1.0)
    with pytest.raises(TypeError, match="eval_shape expects a function"):
        ft.eval_shape(3)


def test_eval_shape_does_not_run_effects():
    calls = []
    ft.eval_shape(lambda x: ft.debug.callback(calls.append, x), 1.0)
    assert not calls
