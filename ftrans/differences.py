"""Finite differences, random directions, and what they are good for in each dtype."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ._native import Array
from .core.pytree import as_array, flatten, tree_map, unflatten
from .interop import asarray


class Precision(NamedTuple):
    """The unit in the last place of one, and what finite differences in a dtype are good for."""

    epsilon: float
    step: float
    tolerance: float


# The central difference of fourth order with step h errs by about h⁴ f⁽⁵⁾ / 30 (truncation) and 1.5 ε f / h
# (rounding): h ~ ε^(1/5) balances them, with an error of about ε^(4/5); the tolerances leave room for f⁽⁵⁾.
_BY_DTYPE = {
    "float64": Precision(2.0**-52, 1e-3, 1e-8),
    "float32": Precision(2.0**-23, 3e-2, 2e-3),
    "bfloat16": Precision(2.0**-7, 0.25, 0.2),
    "float16": Precision(2.0**-10, 0.12, 5e-2),
}
_STENCIL = ((-2, 1 / 12), (-1, -8 / 12), (1, 8 / 12), (2, -1 / 12))
_REAL = {"complex64": "float32", "complex128": "float64"}


def precision_of(trees: Any) -> Precision:
    """That of the least precise of the inexact arrays in `trees`; of float64 if there are none."""
    names = [_REAL.get(x.dtype.name, x.dtype.name) for x in leaf_arrays(trees)]
    found = [_BY_DTYPE[name] for name in names if name in _BY_DTYPE]
    return max(found, key=lambda p: p.epsilon, default=_BY_DTYPE["float64"])


def leaf_arrays(tree: Any) -> list[Array]:
    """The leaves of a tree as arrays."""
    return [as_array(x, lambda: "testing: a leaf") for x in flatten(tree)[0]]


def wide(x: Any) -> np.ndarray:
    """A leaf in double precision, where bfloat16 can be compared too."""
    array = np.asarray(x)
    if array.dtype.kind in "biu":
        return array
    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)


def is_inexact(x: Any) -> bool:
    """Whether a leaf is of a real or complex floating-point dtype."""
    return as_array(x, lambda: "testing: a leaf").aval.is_inexact


class Directions:
    """Random directions, the same in every run."""

    def __init__(self, seed: int = 0):
        self._random = np.random.default_rng(seed)

    def like(self, tree: Any) -> Any:
        """A tree of normal numbers; zeros where the leaves are not of an inexact dtype."""

        def direction(leaf: Any) -> Array:
            x = as_array(leaf, lambda: "testing: an argument")
            if not x.aval.is_inexact:
                return asarray(np.zeros(x.shape, np.asarray(x).dtype))
            values = self._random.standard_normal(x.shape)
            if x.dtype.kind == "c":
                values = values + 1j * self._random.standard_normal(x.shape)
            return asarray(np.asarray(values), dtype=x.dtype)

        return tree_map(direction, tree)


def difference_quotient(f: Callable, args: tuple, tangents: tuple, step: float) -> list[np.ndarray]:
    """The derivative of the inexact leaves of the output along a direction."""
    leaves, structure = flatten(args)
    directions = flatten(tangents)[0]
    total: list[np.ndarray] = []
    for offset, weight in _STENCIL:
        moved = [moved_along(x, t, offset * step) for x, t in zip(leaves, directions, strict=True)]
        outs = [wide(y) for y in flatten(f(*unflatten(structure, moved)))[0] if is_inexact(y)]
        terms = [weight / step * y for y in outs]
        total = [a + b for a, b in zip(total, terms, strict=True)] if total else terms
    return total


def moved_along(x: Any, direction: Any, by: float) -> Array:
    """A leaf, moved along a direction if it is of an inexact dtype."""
    array = as_array(x, lambda: "testing: an argument")
    if not array.aval.is_inexact:
        return array
    return asarray(wide(array) + by * wide(direction), dtype=array.dtype)


def inexact_leaves(tree: Any) -> list[np.ndarray]:
    """The leaves of inexact dtypes in double precision."""
    return [wide(x) for x in flatten(tree)[0] if is_inexact(x)]


def inner(xs: Sequence[np.ndarray], ys: Sequence[np.ndarray]) -> tuple[float, float]:
    """Re Σ x·y, to which transposition refers, and the size of the terms, which its error is relative to."""
    terms = [np.real(x * y) for x, y in zip(xs, ys, strict=True)]
    return float(sum(np.sum(t) for t in terms)), float(sum(np.sum(np.abs(t)) for t in terms))
