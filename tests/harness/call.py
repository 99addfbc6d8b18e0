"""A sample call of a function, and the arrays that sample calls are made of.

Arrays of a call are NumPy arrays, wherever they are in its arguments; everything else is passed as it is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import optree


@dataclass(frozen=True)
class Call:
    """A valid call of a function.

    Attributes:
        reference: the same on NumPy arrays; None if the values are tested elsewhere.
        differentiable: whether finite differences see the derivatives in the float64 arrays, if only zeros.
        traceable: whether arrays may be without values, as under `jit` and `vmap`.
    """

    arguments: tuple
    keywords: dict[str, Any]
    reference: Callable | None
    differentiable: bool
    traceable: bool

    def arrays(self) -> list[np.ndarray]:
        """The array arguments, nested ones too."""
        return [x for x in optree.tree_leaves((self.arguments, self.keywords)) if isinstance(x, np.ndarray)]

    def with_arrays(self, arrays: list) -> tuple[tuple, dict[str, Any]]:
        """The arguments and keywords with other arrays in place of its own."""
        remaining = iter(arrays)
        return optree.tree_map(
            lambda x: next(remaining) if isinstance(x, np.ndarray) else x, (self.arguments, self.keywords)
        )


def call(*arguments, reference="same", differentiable=True, traceable=True, **keywords) -> Call:
    return Call(arguments, keywords, reference, differentiable, traceable)


def each(names: str, calls: list[Call]) -> dict[str, list[Call]]:
    """The same sample calls for each of several functions."""
    return dict.fromkeys(names.split(), calls)


def floats(*shape: int, seed: int = 0) -> np.ndarray:
    """Distinct numbers in (-2, 2), none near an integer, where steps and kinks are."""
    random = np.random.default_rng(seed)
    size = int(np.prod(shape))
    fractions = 0.15 + 0.7 * (random.permutation(size) + 0.5) / max(size, 1)
    return (fractions + random.integers(-2, 2, size)).reshape(shape)


X, Y = floats(2, 3), floats(2, 3, seed=1)
T = floats(2, 3, 4, seed=2)
V, W = floats(5, seed=3), floats(5, seed=4)
POSITIVE = np.abs(X) + 0.3
UNIT = X / 2.5  # in (-1, 1)
SQUARE = floats(3, 3, seed=5)
INCREASING = np.array([-1.5, -0.4, 0.3, 1.1, 1.9])
SCALAR = np.array(0.7)
COMPLEX = X + 1j * Y
INTEGERS = np.array([[3, -1, 4], [1, 5, -9]], np.int32)
COUNTS = np.array([3, 1, 1, 0, 2], np.int32)
BOOLS = np.array([[True, False, True], [False, False, True]])
MASK = np.array([True, False, True, True, False])
WITH_NAN = np.array([[0.4, np.nan, -1.2], [1.7, 0.1, np.nan]])
