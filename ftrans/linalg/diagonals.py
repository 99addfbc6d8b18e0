"""Diagonals of the matrices in the last two axes, as the array API standard has them."""

from __future__ import annotations

from typing import Any

from .._native import Array
from ..ops import linear_algebra
from ..ops.operands import as_array
from ..ops.streams import streamed


def _matrices(x: Any, function: str) -> Array:
    x = as_array(x, f"linalg.{function}")
    if x.ndim < 2:
        raise ValueError(f"linalg.{function}: x must have at least 2 dimensions, got shape {x.shape}")
    return x


@streamed
def diagonal(x: Any, /, *, offset: int = 0, stream: Any = None) -> Array:
    """The diagonals of the matrices in the last two axes; `ft.diagonal` has those of the first two.

    Args:
        x: of shape (…, m, n) and any dtype.
        offset: which diagonal: above the main one if positive, below if negative.
        stream: the Stream or Device to run on.

    Returns:
        Of shape (…, length of the diagonal).

    Raises:
        ValueError: `x` has fewer than two dimensions.

    >>> ft.linalg.diagonal(ft.array([[1, 2], [3, 4]]))
    array([1, 4], dtype=int32)
    """
    return linear_algebra.diagonal(_matrices(x, "diagonal"), offset, -2, -1)


@streamed
def trace(x: Any, /, *, offset: int = 0, dtype: Any = None, stream: Any = None) -> Array:
    """The sums of the diagonals of the matrices in the last two axes; `ft.trace` has those of the first two.

    Args:
        x: of shape (…, m, n) and any numeric dtype.
        offset: which diagonal: above the main one if positive, below if negative.
        dtype: of the sum; by default as `sum` has it.
        stream: the Stream or Device to run on.

    Returns:
        Of shape (…).

    Raises:
        ValueError: `x` has fewer than two dimensions.

    >>> ft.linalg.trace(ft.array([[1, 2], [3, 4]]))
    array(5, dtype=int32)
    """
    return linear_algebra.trace(_matrices(x, "trace"), offset, -2, -1, dtype)
