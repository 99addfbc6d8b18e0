"""Reading the operands of linear algebra."""

from __future__ import annotations

from typing import Any

from .._native import Array
from ..ops.operands import as_array, broadcast, broadcast_shapes_of, promote, reshape_to, to_inexact
from ..ops.promotion import DEFAULT_FLOAT
from ..primitives._matrices import check_matrix, check_square


def as_matrix(x: Any, function: str, argument: str = "x") -> Array:
    """The operand as matrices of an inexact dtype.

    Raises:
        TypeError: the operand is no array, or of half precision.
        ValueError: it has fewer than 2 dimensions.
    """
    x = to_inexact(as_array(x, f"linalg.{function}", argument))
    check_matrix(f"linalg.{function}", x.aval, argument)
    return x


def as_square(x: Any, function: str, argument: str = "x") -> Array:
    """`as_matrix`; ValueError unless the matrices are square."""
    x = as_matrix(x, function, argument)
    check_square(f"linalg.{function}", x.aval, argument)
    return x


def as_system(
    a: Any, b: Any, function: str, arguments: tuple[str, str], square: bool = True
) -> tuple[Array, Array, bool]:
    """The operands of a·x = b with one dtype and one batch, and whether b is one vector.

    Raises:
        TypeError: an operand is no array, or of half precision.
        ValueError: a is not made of (square) matrices, or b does not fit.
    """
    name = f"linalg.{function}"
    a, b, _ = promote(name, a, b, lambda dtype: dtype if dtype.kind in "fc" else DEFAULT_FLOAT)
    check = check_square if square else check_matrix
    check(name, a.aval, arguments[0])
    vector = b.ndim == 1
    if b.ndim == 0 or b.shape[-1 if vector else -2] != a.shape[-2]:
        raise ValueError(
            f"{name}: {arguments[1]} must have as many rows as {arguments[0]}, "
            f"got shapes {b.shape} and {a.shape}"
        )
    if vector:
        b = reshape_to(b, (*b.shape, 1))
    batch = broadcast_shapes_of(name, a.shape[:-2], b.shape[:-2])
    return broadcast(a, (*batch, *a.shape[-2:])), broadcast(b, (*batch, *b.shape[-2:])), vector


def without_vector_axis(x: Array, vector: bool) -> Array:
    """The solution in the form of the right-hand side."""
    return reshape_to(x, x.shape[:-1]) if vector else x
