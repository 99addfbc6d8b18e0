"""The Hadamard transform, for the orders m·2ᵏ that MLX has too."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from .. import primitives as p
from .._native import Array
from ..interop import asarray
from .joining import concat
from .linear_algebra import matmul
from .manipulation import slice_axis
from .operands import as_array, constant_like, reshape_to, to_inexact
from .streams import streamed

__all__ = ["hadamard_transform"]

#: First rows of the circulant matrices A, B, C, D of Williamson's construction.
_WILLIAMSON = {
    20: ("+----", "+----", "++--+", "+-++-"),
    28: ("+------", "++----+", "+-+--+-", "+--++--"),
}
_ORDERS = (1, 12, *_WILLIAMSON)


def _circulant(row: str) -> np.ndarray:
    first = [1 if sign == "+" else -1 for sign in row]
    return np.array([np.roll(first, shift) for shift in range(len(first))])


@functools.cache
def _matrix(order: int) -> np.ndarray:
    """A Hadamard matrix of order 12 (Paley 1933, the second construction), 20 or 28 (Williamson 1944)."""
    if order == 12:
        squares = {1: 1, 4: 1, 2: -1, 3: -1, 0: 0}  # modulo 5
        core = [[squares[(i - j) % 5] for j in range(5)] for i in range(5)]
        conference = np.block([[np.zeros((1, 1)), np.ones((1, 5))], [np.ones((5, 1)), np.array(core)]])
        return np.kron(conference, [[1, 1], [1, -1]]) + np.kron(np.eye(6), [[1, -1], [-1, -1]])
    a, b, c, d = map(_circulant, _WILLIAMSON[order])
    return np.block([[a, b, c, d], [-b, a, -d, c], [-c, d, a, -b], [-d, -c, b, a]])


@streamed
def hadamard_transform(x: Any, /, scale: float | None = None, *, stream: Any = None) -> Array:
    """The Hadamard transform of the last axis: H @ x, times `scale`.

    For n = 2ᵏ, H is Sylvester's matrix (scipy.linalg.hadamard); for n = m·2ᵏ the Kronecker product of one of
    order m = 12 (R. Paley, On orthogonal matrices, 1933), 20 or 28 (J. Williamson, Hadamard's determinant
    theorem and the sum of four squares, 1944) and Sylvester's.

    Args:
        x: (..., n) with n = m·2ᵏ, m one of 1, 12, 20 and 28.
        scale: 1 / sqrt(n) by default, which makes it orthonormal.
        stream: the Stream or Device to run on.

    Raises:
        ValueError: n is none of these.

    >>> ft.hadamard_transform(ft.array([1.0, 1.0, 1.0, 1.0]))
    array([2, 0, 0, 0], dtype=float32)
    """
    x = to_inexact(as_array(x, "hadamard_transform"))
    n = x.shape[-1] if x.ndim else 0
    order = next((m for m in _ORDERS if n and n % m == 0 and (n // m) & (n // m - 1) == 0), None)
    if order is None:
        raise ValueError(
            f"hadamard_transform: the last axis must be a power of two, or 12, 20 or 28 times one, got shape "
            f"{x.shape}"
        )
    shape, power = x.shape, n // order
    half = 1
    while half < power:  # J. J. Sylvester's construction, a factor at a time
        pairs = reshape_to(x, (*shape[:-1], n // (2 * half), 2, half))
        middle = pairs.ndim - 2
        low, high = slice_axis(pairs, middle, 0, 1), slice_axis(pairs, middle, 1, 2)
        x = concat([p.add_p.bind(low, high), p.sub_p.bind(low, high)], axis=middle)
        half *= 2
    if order > 1:
        x = matmul(asarray(_matrix(order), dtype=x.dtype), reshape_to(x, (*shape[:-1], order, power)))
    x = reshape_to(x, shape)
    return p.mul_p.bind(x, constant_like(x, n**-0.5 if scale is None else scale))
