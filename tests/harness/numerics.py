"""Comparisons and finite differences, with the reasons for their tolerances."""

from collections.abc import Callable, Sequence

import numpy as np

from tests.harness.cases import native_dtype

# In units of the last place. The reference rounds in another order than native code (blocked sums, fused
# multiply-adds) and evaluates transcendental functions with another library, both good to a few units; 64
# leaves room for the growth over the some hundred elements of a sample. Half precision is computed in single
# precision and rounded once, by native code and by the reference: one unit, where the two fall on either side
# of a tie.
UNITS = {"float16": 1, "bfloat16": 1, "float32": 64, "float64": 64, "complex64": 128, "complex128": 128}
EPSILON = {
    "float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-23, "float64": 2.0**-52,
    "complex64": 2.0**-23, "complex128": 2.0**-52,
}  # fmt: skip

# The fourth-order central difference with this step errs by about 3e-18 f⁽⁵⁾ (truncation) and 1e-12 f
# (rounding); near a singularity, where samples are taken too, the fifth derivative is the larger by many
# orders.
STEP = 1e-4
STENCIL = ((-2, 1 / 12), (-1, -8 / 12), (1, 8 / 12), (2, -1 / 12))
DIFFERENCE_TOLERANCE = 1e-7

# A complex step does not subtract: what is left are the rounding errors of the two evaluations.
COMPLEX_STEP_TOLERANCE = 1e-12

# Forward and reverse mode compute the same sums of products in float64 in another order.
DUALITY_TOLERANCE = 1e-11


def wide(x: np.ndarray) -> np.ndarray:
    """The values in double precision, so that NumPy can compare bfloat16 and differences cannot overflow."""
    return x.astype(np.complex128 if np.iscomplexobj(x) else np.float64)


def assert_same(result, reference: np.ndarray, what: str) -> None:
    """Shape and dtype agree exactly, values exactly (integers, bool) or to the tolerance of the dtype."""
    actual = np.asarray(result)
    assert actual.dtype == reference.dtype, f"{what}: dtype {actual.dtype}, expected {reference.dtype}"
    assert actual.shape == reference.shape, f"{what}: shape {actual.shape}, expected {reference.shape}"
    name = native_dtype(reference.dtype).name
    if name not in EPSILON:
        np.testing.assert_array_equal(actual, reference, err_msg=what)
        return
    tolerance = UNITS[name] * EPSILON[name]
    expected = wide(reference)
    finite = expected[np.isfinite(expected)]
    # A sum of large terms may cancel: errors are relative to the largest entry, not to each.
    scale = max(1.0, float(np.max(np.abs(finite), initial=0.0)))
    np.testing.assert_allclose(wide(actual), expected, rtol=tolerance, atol=tolerance * scale, err_msg=what)


def assert_near(actual, expected, tolerance: float, what: str) -> None:
    """|actual − expected| is within the tolerance, relative to the largest entry or 1."""
    actual, expected = wide(np.asarray(actual)), wide(np.asarray(expected))
    scale = max(1.0, float(np.max(np.abs(expected), initial=0.0)))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * scale, err_msg=what)


def directional_difference(f: Callable, point: Sequence[np.ndarray], direction: Sequence[np.ndarray]) -> list:
    """The derivative of f: ndarrays → list of ndarrays along a direction, by finite differences."""
    total: list = []
    for offset, weight in STENCIL:
        values = f(*(x + offset * STEP * t for x, t in zip(point, direction, strict=True)))
        terms = [weight / STEP * wide(np.asarray(value)) for value in values]
        total = [a + b for a, b in zip(total, terms, strict=True)] if total else terms
    return total


def inner(xs: Sequence, ys: Sequence) -> float:
    """The real inner product that transposition refers to: Re Σ x·y, without conjugation."""
    return float(
        sum(np.sum(np.real(wide(np.asarray(x)) * wide(np.asarray(y)))) for x, y in zip(xs, ys, strict=True))
    )


def inner_scale(xs: Sequence, ys: Sequence) -> float:
    """The size of the terms that `inner` adds, at least 1: what its rounding errors are relative to."""
    terms = (np.sum(np.abs(wide(np.asarray(x)) * wide(np.asarray(y)))) for x, y in zip(xs, ys, strict=True))
    return max(1.0, float(sum(terms)))
