"""How variables vary together."""

from __future__ import annotations

from typing import Any

from .. import primitives as p
from .._native import Array
from . import pointwise, statistical
from .joining import concat
from .linear_algebra import diagonal, matmul, matrix_transpose
from .operands import as_array, convert, promoted_dtype, reshape_to
from .promotion import inexact_dtype
from .streams import streamed

__all__ = ["corrcoef", "cov"]


def _variables(function: str, x: Any, y: Any, rowvar: bool) -> Array:
    """A row for each variable."""
    operands = [as_array(x, function)] + ([] if y is None else [as_array(y, function, "y")])
    dtype = inexact_dtype(promoted_dtype(function, *operands))
    rows = []
    for name, operand in zip("xy", operands, strict=False):
        if operand.ndim > 2:
            raise ValueError(f"{function}: {name} must have at most 2 dimensions, got shape {operand.shape}")
        matrix = reshape_to(operand, (1, operand.size)) if operand.ndim < 2 else operand
        if not rowvar and operand.ndim == 2:
            matrix = matrix_transpose(matrix)
        rows.append(convert(matrix, dtype))
    if any(r.shape[1] != rows[0].shape[1] for r in rows):
        raise ValueError(
            f"{function}: x and y must have equally many observations, got {rows[0].shape[1]} and "
            f"{rows[1].shape[1]}"
        )
    return concat(rows, axis=0)


def _weights(argument: str, weights: Any, x: Array) -> Array:
    weights = as_array(weights, "cov", argument)
    if weights.shape != (x.shape[1],):
        raise ValueError(
            f"cov: {argument} must be a vector of the {x.shape[1]} observations, got shape {weights.shape}"
        )
    return convert(weights, x.dtype)


@streamed
def cov(
    x: Any,
    y: Any = None,
    /,
    rowvar: bool = True,
    bias: bool = False,
    ddof: float | None = None,
    fweights: Any = None,
    aweights: Any = None,
    *,
    stream: Any = None,
) -> Array:
    """The covariance matrix of variables.

    Args:
        x: a row of observations for each variable (a column if not `rowvar`), or one variable.
        y: further variables.
        bias: divide by the number of observations instead of one less.
        ddof: what is subtracted from that number; it overrides `bias`.
        fweights: how often each observation counts.
        aweights: the importance of each observation.

    Returns:
        (variables, variables), or a 0-d array for one variable.

    >>> ft.cov(ft.array([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]))
    array([[1, -1],
           [-1, 1]], dtype=float32)
    """
    x = _variables("cov", x, y, rowvar)
    correction = (0 if bias else 1) if ddof is None else ddof
    weights = None if fweights is None else _weights("fweights", fweights, x)
    if aweights is not None:
        importance = _weights("aweights", aweights, x)
        weights = importance if weights is None else weights * importance
    if weights is None:
        centred = x - statistical.mean(x, axis=1, keepdims=True)
        weighted, freedom = centred, x.shape[1] - correction
    else:
        total = statistical.sum(weights)
        centred = x - statistical.sum(x * weights, axis=1, keepdims=True) / total
        weighted = centred * weights
        square = weights if aweights is None else weights * importance
        freedom = total - correction * statistical.sum(square) / total
    product = matmul(weighted, pointwise.conj(matrix_transpose(centred)))
    result = product / freedom
    return reshape_to(result, ()) if x.shape[0] == 1 else result


@streamed
def corrcoef(x: Any, y: Any = None, /, rowvar: bool = True, *, stream: Any = None) -> Array:
    """The correlation coefficients of variables: their covariances in units of their standard deviations.

    Args:
        x, y, rowvar: as of `cov`.

    >>> ft.corrcoef(ft.array([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]))
    array([[1, -1],
           [-1, 1]], dtype=float32)
    """
    x = _variables("corrcoef", x, y, rowvar)
    covariance = cov(x)
    if covariance.ndim == 0:
        return covariance / covariance
    deviations = p.sqrt_p.bind(pointwise.real(diagonal(covariance)))
    n = deviations.size
    return covariance / reshape_to(deviations, (n, 1)) / deviations
