"""Random vectors and matrices."""

from __future__ import annotations

from typing import Any

from .._native import Array
from ..linalg import cholesky, diagonal, eigh, qr
from ..ops import elementwise, pointwise
from ..ops.linear_algebra import matmul, matrix_transpose
from ..ops.operands import as_dtype_array, as_integer, describe
from ..ops.statistical import sum as summed
from ..ops.streams import streamed
from .continuous import standard_exponential
from .discrete import rademacher
from .gamma_family import gamma_pair
from .gaussian import standard_normal
from .keys import draw_shape, key_for, subkeys
from .uniform_numbers import batch_shape, float_dtype, parameters

_METHODS = ("cholesky", "eigh")


@streamed
def multivariate_normal(
    mean: Any,
    cov: Any,
    shape: Any = None,
    dtype: Any = None,
    key: Any = None,
    *,
    method: str = "cholesky",
    stream: Any = None,
) -> Array:
    """Vectors of the normal distribution with the given means and covariances.

    Args:
        mean: floats, of shape (..., n).
        cov: floats, of shape (..., n, n): positive definite matrices, of which the symmetric part is taken.
        shape: of the result without its last axis; by default what the batches of `mean` and `cov` broadcast
            to.
        dtype: float32 (the default) or float64.
        key: see `random.key`; the global one by default.
        method: the square root of `cov`: "cholesky", or "eigh", which is slower but takes singular matrices
            too.
        stream: the Stream or Device to run on.

    Returns:
        An array of shape (*shape, n), differentiable with respect to `mean` and `cov`; NaN where "cholesky"
        meets a matrix that is not positive definite.

    Raises:
        TypeError: the dtype is not float32 or float64.
        ValueError: the shapes do not fit, the method is unknown, or no key is given where a transformation
            traces.

    >>> cov = ft.array([[2.0, 1.0], [1.0, 2.0]])
    >>> ft.random.multivariate_normal(ft.zeros(2), cov, (5,), key=ft.random.key(0)).shape
    (5, 2)
    """
    function = "multivariate_normal"
    dtype = float_dtype(dtype, function)
    mean, cov = as_dtype_array(mean, dtype, function, "mean"), as_dtype_array(cov, dtype, function, "cov")
    if mean.ndim < 1 or cov.ndim < 2 or cov.shape[-2:] != (mean.shape[-1], mean.shape[-1]):
        raise ValueError(
            f"{function}: mean must have shape (..., n) and cov (..., n, n), got {mean.shape} and {cov.shape}"
        )
    if method not in _METHODS:
        raise ValueError(f"{function}: method must be one of {_METHODS}, got {describe(method)}")
    batch = batch_shape(function, shape, mean.shape[:-1], cov.shape[:-2])
    normal = standard_normal(key_for(function, key), (*batch, mean.shape[-1]), dtype)
    root = matrix_transpose(_square_root(cov, method))
    if root.ndim == 2:
        return mean + matmul(normal, root)
    return mean + matmul(normal[..., None, :], root)[..., 0, :]


def _square_root(cov: Array, method: str) -> Array:
    """A matrix whose product with its transpose is the covariance."""
    if method == "cholesky":
        return cholesky(cov)
    values, vectors = eigh(cov)
    return vectors * elementwise.sqrt(elementwise.maximum(values, 0))[..., None, :]


@streamed
def orthogonal(
    n: int,
    shape: Any = (),
    dtype: Any = None,
    key: Any = None,
    *,
    m: int | None = None,
    stream: Any = None,
) -> Array:
    """Orthogonal matrices, uniform in the sense of Haar's measure.

    By the QR decomposition of normal numbers, made unique: F. Mezzadri, How to generate random matrices from
    the classical compact groups (Notices of the AMS 54, 2007).

    Args:
        n: how many rows.
        shape: of the result without its last two axes.
        dtype: float32 (the default) or float64.
        key: see `random.key`; the global one by default.
        m: how many columns, `n` by default. Then the columns (or the rows, if there are fewer) are
            orthonormal.
        stream: the Stream or Device to run on.

    Returns:
        An array of shape (*shape, n, m).

    Raises:
        TypeError: the dtype is not float32 or float64, or `n` or `m` not an integer.
        ValueError: `n` or `m` is negative, or no key is given where a transformation traces.

    >>> q = ft.random.orthogonal(3, key=ft.random.key(0))
    >>> ft.allclose(q @ q.T, ft.eye(3), atol=1e-6)
    array(True, dtype=bool)
    """
    dtype = float_dtype(dtype, "orthogonal")
    rows = as_integer(n, "orthogonal", "n", least=0)
    columns = rows if m is None else as_integer(m, "orthogonal", "m", least=0)
    shape = (*draw_shape("orthogonal", shape), max(rows, columns), min(rows, columns))
    q, r = qr(standard_normal(key_for("orthogonal", key), shape, dtype))
    q = q * pointwise.where(diagonal(r) < 0, -1, 1)[..., None, :].astype(dtype)
    return q if rows >= columns else matrix_transpose(q)


@streamed
def generalized_normal(
    p: Any, shape: Any = None, dtype: Any = None, key: Any = None, *, stream: Any = None
) -> Array:
    """Numbers with a density proportional to exp(-abs(x)**p).

    Args:
        p: positive floats.
        shape: of the result; by default that of `p`.
        dtype: a float dtype, float32 by default.
        key: see `random.key`; the global one by default.
        stream: the Stream or Device to run on.

    Returns:
        An array of floats, differentiable with respect to `p`; NaN where it is not positive and finite.

    Raises:
        TypeError: the dtype is not a real floating-point one.
        ValueError: the shapes do not fit, or no key is given where a transformation traces.

    >>> ft.random.generalized_normal(1.0, (3,), key=ft.random.key(0)).shape
    (3,)
    """
    shape, (p,) = parameters("generalized_normal", shape, dtype, p=p)
    return _generalized_normal(key_for("generalized_normal", key), p, shape)


def _generalized_normal(key: Array, p: Array, shape: tuple[int, ...]) -> Array:
    keys = subkeys(key)
    log_power = gamma_pair(keys[0], 1 / p, shape)[1]
    return elementwise.exp(log_power / p) * rademacher(shape, p.dtype, keys[1])


@streamed
def ball(
    d: int, p: Any = 2.0, shape: Any = None, dtype: Any = None, key: Any = None, *, stream: Any = None
) -> Array:
    """Vectors uniform in the unit ball of the p-norm.

    F. Barthe, O. Guédon, S. Mendelson, A. Naor: A probabilistic approach to the geometry of the l_p^n-ball
    (Annals of Probability 33, 2005).

    Args:
        d: the dimension of the ball.
        p: positive floats.
        shape: of the result without its last axis; by default that of `p`.
        dtype: a float dtype, float32 by default.
        key: see `random.key`; the global one by default.
        stream: the Stream or Device to run on.

    Returns:
        An array of shape (*shape, d).

    Raises:
        TypeError: the dtype is not a real floating-point one, or `d` not an integer.
        ValueError: `d` is below 1, the shapes do not fit, or no key is given where a transformation traces.

    >>> points = ft.random.ball(3, shape=(100,), key=ft.random.key(0))
    >>> ft.linalg.vector_norm(points, axis=-1).max() <= 1
    array(True, dtype=bool)
    """
    d = as_integer(d, "ball", "d", least=1)
    shape, (p,) = parameters("ball", shape, dtype, p=p)
    keys = subkeys(key_for("ball", key))
    exponent = p[..., None] if p.ndim else p
    vectors = _generalized_normal(keys[0], exponent, (*shape, d))
    powers = summed(elementwise.abs(vectors) ** exponent, axis=-1)
    radius = (powers + standard_exponential(keys[1], shape, p.dtype)) ** (1 / p)
    return vectors / radius[..., None]
