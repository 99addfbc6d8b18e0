"""Every public array function on a sample call: values, derivatives, `vmap`, `jit`.

As the checks of primitives: they raise `AssertionError`, and tell whether there was anything to check.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optree

import ftrans as ft
from tests.harness.call import Call
from tests.harness.functions import CALLS, all_calls, function_of, reference_of
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


@dataclass(frozen=True)
class FunctionCase:
    """One sample call of one function."""

    name: str
    index: int

    def __str__(self) -> str:
        return f"{self.name}-{self.index}"

    @property
    def sample(self) -> Call:
        return CALLS[self.name][self.index]

    def arrays(self) -> list[ft.Array]:
        """The array arguments."""
        return [ft.array(x) for x in self.sample.arrays()]

    def apply(self, arrays: Sequence[ft.Array]) -> Any:
        """The call with these arrays in place of its own."""
        arguments, keywords = self.sample.with_arrays(list(arrays))
        return function_of(self.name)(*arguments, **keywords)


def function_cases() -> list[FunctionCase]:
    """Every sample call of every public function."""
    return [FunctionCase(name, index) for name, index in all_calls()]


def _leaves(result: Any) -> list[np.ndarray]:
    return [np.asarray(x) for x in optree.tree_leaves(result)]


def _assert_close(actual: Any, expected: Any) -> None:
    """Values made of Python numbers alone are float32 in ftrans and float64 in NumPy."""
    actual, expected = _leaves(actual), _leaves(expected)
    assert len(actual) == len(expected)
    for a, e in zip(actual, expected, strict=True):
        assert a.shape == e.shape
        tolerance = 2e-6 if a.dtype in (np.float32, np.complex64) else TOLERANCE
        np.testing.assert_allclose(a, e, rtol=tolerance, atol=tolerance)


def values(case: FunctionCase) -> bool:
    """The values are those of the reference."""
    sample = case.sample
    if sample.reference is None:
        return False
    arguments, keywords = sample.with_arrays(sample.arrays())
    with np.errstate(all="ignore"):
        expected = reference_of(case.name, sample)(*arguments, **keywords)
    _assert_close(case.apply(case.arrays()), expected)
    return True


def _is_traced(case: FunctionCase) -> bool:
    return case.sample.traceable and bool(case.sample.arrays())


def jit(case: FunctionCase) -> bool:
    """Compiled, it gives the same values and dtypes."""
    if not _is_traced(case):
        return False
    arrays = case.arrays()
    eager = case.apply(arrays)
    jitted = ft.jit(lambda *arrays: case.apply(arrays))(*arrays)
    _assert_close(jitted, eager)
    assert [x.dtype for x in _leaves(jitted)] == [x.dtype for x in _leaves(eager)]
    return True


def vmap(case: FunctionCase) -> bool:
    """Over a batch of the arrays and of others that are ordered alike, it gives the stacked results."""
    if not _is_traced(case):
        return False
    arrays = case.sample.arrays()
    others = [x * 0.75 if x.dtype == np.float64 else x for x in arrays]
    batches = [ft.array(np.stack(pair)) for pair in zip(arrays, others, strict=True)]
    mapped = ft.vmap(lambda *arrays: case.apply(arrays))(*batches)
    for i, each in enumerate((arrays, others)):
        expected = case.apply([ft.array(x) for x in each])
        _assert_close([x[i] for x in optree.tree_leaves(mapped)], optree.tree_leaves(expected))
    return True


class _Differentiated:
    """The call as a function of its float64 arrays, with the real results alone."""

    def __init__(self, case: FunctionCase):
        self.case = case
        self.arrays = case.sample.arrays()
        self.places = [i for i, x in enumerate(self.arrays) if x.dtype == np.float64]
        self.point = [self.arrays[i] for i in self.places]
        self.random = np.random.default_rng(0)
        self.tangents = [self.random.standard_normal(x.shape) for x in self.point]
        self.inputs = tuple(map(ft.array, self.point))

    def __call__(self, *differentiated: ft.Array) -> list[ft.Array]:
        merged = dict(enumerate(map(ft.array, self.arrays)))
        merged |= dict(zip(self.places, differentiated, strict=True))
        results = optree.tree_leaves(self.case.apply(list(merged.values())))
        return [x for x in results if isinstance(x, ft.Array) and x.dtype.kind == "f"]

    def results(self) -> list[ft.Array]:
        """None of them if there is nothing to differentiate."""
        return self(*self.inputs) if self.case.sample.differentiable and self.places else []

    def push_forward(self) -> list[ft.Array]:
        return ft.jvp(self, self.inputs, tuple(map(ft.array, self.tangents)))[1]


def jvp(case: FunctionCase) -> bool:
    """Forward mode agrees with finite differences."""
    function = _Differentiated(case)
    if not function.results():
        return False
    expected = directional_difference(
        lambda *xs: function(*map(ft.array, xs)), function.point, function.tangents
    )
    for tangent, difference in zip(function.push_forward(), expected, strict=True):
        defined = np.isfinite(difference)  # NaN is not differentiable
        assert_near(np.asarray(tangent)[defined], difference[defined], DIFFERENCE_TOLERANCE, str(case))
    return True


def vjp(case: FunctionCase) -> bool:
    """Reverse mode is the transpose of forward mode."""
    function = _Differentiated(case)
    results = function.results()
    if not results:
        return False
    cotangents = [function.random.standard_normal(x.shape) for x in results]
    backward = ft.vjp(function, *function.inputs)[1](
        [ft.array(c.astype(np.asarray(x).dtype)) for c, x in zip(cotangents, results, strict=True)]
    )
    forward = [np.nan_to_num(np.asarray(t)) for t in function.push_forward()]
    defined = [np.where(np.isfinite(np.asarray(x)), c, 0) for x, c in zip(results, cotangents, strict=True)]
    left, right = inner(backward, function.tangents), inner(forward, defined)
    narrow = any(x.dtype == ft.float32 for x in results)
    tolerance = (1e-5 if narrow else DUALITY_TOLERANCE) * inner_scale(forward, defined)
    assert abs(left - right) <= tolerance
    return True


#: The columns of the functions' matrix.
FUNCTION_PROPERTIES: dict[str, Callable[[FunctionCase], bool]] = {
    "values": values,
    "jit": jit,
    "jvp": jvp,
    "vjp": vjp,
    "vmap": vmap,
}
