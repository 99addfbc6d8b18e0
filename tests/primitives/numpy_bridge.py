"""Binding primitives to NumPy arrays."""

import numpy as np

import ftrans as ft
from ftrans._native import Array, from_numpy
from ftrans.core.primitive import primitives


def array(values, dtype=np.float64) -> Array:
    return from_numpy(np.array(values, dtype))


def apply(name: str, *operands, **parameters):
    """The primitive `name` of NumPy arrays, lists or Arrays, as NumPy (a list if it has more results)."""
    arrays = [x if isinstance(x, Array) else from_numpy(np.asarray(x)) for x in operands]
    primitive = primitives[name]
    result = primitive.bind(*arrays, **parameters)
    return [np.asarray(x) for x in result] if primitive.multiple_results else np.asarray(result)


def function(name: str, **parameters):
    """The primitive `name` as a function of Arrays."""
    return lambda *arrays: primitives[name].bind(*arrays, **parameters)


def gradient(f, *points, argnums=0):
    """The gradient of the sum of an elementwise `f` at float64 `points`, as NumPy."""
    out, pullback = ft.vjp(f, *[array(x) for x in points])
    return np.asarray(pullback(from_numpy(np.ones(out.shape)))[argnums])
