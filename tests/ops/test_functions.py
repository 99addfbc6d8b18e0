"""Every public array function on its sample calls: values, derivatives, `vmap`, `jit`."""

import numpy as np
import optree
import pytest

import ftrans as ft
from tests.harness.functions import CALLS, all_calls, public_functions, reference_of
from tests.harness.numerics import (
    DIFFERENCE_TOLERANCE,
    DUALITY_TOLERANCE,
    assert_near,
    directional_difference,
    inner,
    inner_scale,
)

# Rounding errors of sums of some dozen float64 products, and of functions that are good to a few units.
TOLERANCE = 1e-12


def _leaves(result):
    return [np.asarray(x) for x in optree.tree_leaves(result)]


def _arrays(sample):
    return [ft.array(x) for x in sample.arrays()]


def _apply(name, sample, arrays):
    arguments, keywords = sample.with_arrays(list(arrays))
    return getattr(ft, name)(*arguments, **keywords)


def _calls(condition):
    """The sample calls that fulfil a condition, as parameters of a test."""
    return pytest.mark.parametrize(
        ("name", "sample"),
        [
            pytest.param(name, CALLS[name][i], id=f"{name}-{i}")
            for name, i in all_calls()
            if condition(CALLS[name][i])
        ],
    )


def _assert_close(actual, expected):
    """Values made of Python numbers alone are float32 in ftrans and float64 in NumPy."""
    actual, expected = _leaves(actual), _leaves(expected)
    assert len(actual) == len(expected)
    for a, e in zip(actual, expected, strict=True):
        assert a.shape == e.shape
        tolerance = 2e-6 if a.dtype in (np.float32, np.complex64) else TOLERANCE
        np.testing.assert_allclose(a, e, rtol=tolerance, atol=tolerance)


def test_every_function_has_sample_calls():
    assert set(public_functions()) == set(CALLS)


@_calls(lambda sample: sample.reference is not None)
def test_values(name, sample):
    arguments, keywords = sample.with_arrays(sample.arrays())
    with np.errstate(all="ignore"):
        expected = reference_of(name, sample)(*arguments, **keywords)
    _assert_close(_apply(name, sample, _arrays(sample)), expected)


@_calls(lambda sample: sample.traceable and sample.arrays())
def test_jit_gives_the_same(name, sample):
    arrays = _arrays(sample)
    eager = _apply(name, sample, arrays)
    jitted = ft.jit(lambda *arrays: _apply(name, sample, arrays))(*arrays)
    _assert_close(jitted, eager)
    assert [x.dtype for x in _leaves(jitted)] == [x.dtype for x in _leaves(eager)]


@_calls(lambda sample: sample.traceable and sample.arrays())
def test_vmap_gives_the_same(name, sample):
    """Over a batch of the arrays and of others that are ordered alike."""
    arrays = sample.arrays()
    others = [x * 0.75 if x.dtype == np.float64 else x for x in arrays]
    batches = [ft.array(np.stack(pair)) for pair in zip(arrays, others, strict=True)]
    mapped = ft.vmap(lambda *arrays: _apply(name, sample, arrays))(*batches)
    for i, each in enumerate((arrays, others)):
        expected = _apply(name, sample, [ft.array(x) for x in each])
        _assert_close([x[i] for x in optree.tree_leaves(mapped)], optree.tree_leaves(expected))


def _is_differentiable(sample):
    return sample.differentiable and any(x.dtype == np.float64 for x in sample.arrays())


@_calls(_is_differentiable)
def test_derivatives(name, sample):
    """Forward mode against finite differences, reverse mode by duality."""
    arrays = sample.arrays()
    places = [i for i, x in enumerate(arrays) if x.dtype == np.float64]
    point = [arrays[i] for i in places]
    random = np.random.default_rng(0)
    tangents = [random.standard_normal(x.shape) for x in point]

    def function(*differentiated):
        merged = dict(enumerate(map(ft.array, arrays))) | dict(zip(places, differentiated, strict=True))
        results = optree.tree_leaves(_apply(name, sample, merged.values()))
        return [x for x in results if isinstance(x, ft.Array) and x.dtype.kind == "f"]

    inputs = tuple(map(ft.array, point))
    results = function(*inputs)
    if not results:
        return
    _, forward = ft.jvp(function, inputs, tuple(map(ft.array, tangents)))
    expected = directional_difference(lambda *xs: function(*map(ft.array, xs)), point, tangents)
    for tangent, difference in zip(forward, expected, strict=True):
        defined = np.isfinite(difference)  # NaN is not differentiable
        assert_near(np.asarray(tangent)[defined], difference[defined], DIFFERENCE_TOLERANCE, name)
    cotangents = [random.standard_normal(x.shape) for x in results]
    backward = ft.vjp(function, *inputs)[1](
        [ft.array(c.astype(np.asarray(x).dtype)) for c, x in zip(cotangents, results, strict=True)]
    )
    forward = [np.nan_to_num(np.asarray(t)) for t in forward]
    defined = [np.where(np.isfinite(np.asarray(x)), c, 0) for x, c in zip(results, cotangents, strict=True)]
    left, right = inner(backward, tangents), inner(forward, defined)
    narrow = any(x.dtype == ft.float32 for x in results)
    tolerance = (1e-5 if narrow else DUALITY_TOLERANCE) * inner_scale(forward, defined)
    assert abs(left - right) <= tolerance
