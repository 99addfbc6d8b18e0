"""The gamma distribution, and those that are made of gamma variates.

Derivatives with respect to the parameters are those of the quantile function at a fixed probability, found
without the quantile function by implicit differentiation: M. Figurnov, S. Mohamed, A. Mnih: Implicit
reparameterization gradients (NeurIPS 2018).
"""

from __future__ import annotations

import math
from typing import Any

from .. import primitives as p
from .._native import Array, float32
from ..ops import creation, elementwise, pointwise
from ..ops.log_space import softmax
from ..ops.operands import as_dtype_array, broadcast, convert
from ..ops.promotion import FLOAT_FORMATS
from ..ops.streams import streamed
from ..transforms.autodiff import stop_gradient
from ..transforms.custom_jvp import custom_jvp
from ..transforms.jit import jit
from .continuous import standard_exponential
from .gaussian import standard_normal
from .keys import key_for, subkeys
from .rejection import first_accepted
from .uniform_numbers import batch_shape, float_dtype, parameters

# ---------------------------------------------------------------- gamma variates and their derivatives


def _acceptance(y: Array) -> Array:
    """log1p(y) - y + y**2 / 2 - y**3 / 3, without cancellation."""
    series = y**4 * (-1 / 4 + y * (1 / 5 + y * (-1 / 6 + y * (1 / 7 + y * (-1 / 8 + y / 9)))))
    direct = elementwise.log1p(y) - y + y * y * (1 / 2 - y / 3)
    return pointwise.where(elementwise.abs(y) < 0.02, series, direct)


def _marsaglia_tsang(key: Array, a: Array) -> Array:
    """Gamma variates for a >= 1; NaN for other parameters.

    G. Marsaglia, W. W. Tsang: A simple method for generating gamma variables (ACM TOMS 26, 2000). Their
    condition log(u) < x**2 / 2 + d - d * v + d * log(v), with v = (1 + y)**3, is written in y = c * x here:
    its terms nearly cancel for large a.
    """
    d = a - 1 / 3
    c = 1 / (3 * elementwise.sqrt(d))

    def propose(key: Array) -> tuple[Array, Array]:
        keys = subkeys(key)
        y = c * standard_normal(keys[0], a.shape, a.dtype)
        threshold = -standard_exponential(keys[1], a.shape, a.dtype)  # the logarithm of a uniform number
        return d * (1 + y) ** 3, (y > -1) & (threshold < 3 * d * _acceptance(y))

    return first_accepted(key, propose, (a >= 1) & (a < math.inf), creation.full(a.shape, math.nan, a.dtype))


def _log_slope(a: Array, sample: Array, log_sample: Array) -> Array:
    """The derivative of log_sample by a: -(∂P/∂a) / (x ∂P/∂x), P the regularized incomplete gamma function.

    For tiny x, where x may underflow, P is x**a / gamma(a + 1) up to a relative error of x.
    """
    is_tiny = log_sample < -FLOAT_FORMATS[a.dtype][1] * math.log(2)
    x = pointwise.where(is_tiny, 1, sample)
    by_x = a * p.gamma_density_p.bind(a + 1, x)
    by_a = p.gamma_p_p.bind(a, x, order=1)
    return pointwise.where(is_tiny, (p.digamma_p.bind(a + 1) - log_sample) / a, -by_a / by_x)


@custom_jvp
def _reparameterized(a: Array, sample: Array, log_sample: Array) -> tuple[Array, Array]:
    return sample, log_sample


@_reparameterized.defjvp
def _reparameterized_jvp(primals: Any, tangents: Any) -> tuple[Any, Any]:
    a = primals[0]
    sample, log_sample = _reparameterized(*primals)  # not the primals: they depend on a in turn
    tangent = _log_slope(a, sample, log_sample) * tangents[0]
    return (sample, log_sample), (sample * tangent, tangent)


@jit
def _gamma_pair(key: Array, a: Array) -> tuple[Array, Array]:
    """Gamma variates for each element of a (float32 or float64), and their logarithms.

    For a < 1 they are variates for a + 1 times u**(1 / a) (Marsaglia and Tsang, section 6), which
    underflows where its logarithm does not.
    """
    keys = subkeys(key)
    fixed = stop_gradient(pointwise.where(a > 0, a, math.nan))
    is_small = fixed < 1
    boosted = _marsaglia_tsang(keys[0], pointwise.where(is_small, fixed + 1, fixed))
    log_factor = pointwise.where(is_small, -standard_exponential(keys[1], a.shape, a.dtype) / fixed, 0)
    return _reparameterized(a, boosted * elementwise.exp(log_factor), elementwise.log(boosted) + log_factor)


def gamma_pair(key: Array, a: Array, shape: tuple[int, ...]) -> tuple[Array, Array]:
    """Gamma variates and their logarithms, of a's dtype, with parameters a that broadcast to the shape."""
    wide = convert(a, float32) if a.dtype.itemsize < 4 else a
    sample, log_sample = _gamma_pair(key, broadcast(wide, shape))
    return convert(sample, a.dtype), convert(log_sample, a.dtype)


# ---------------------------------------------------------------- distributions


@streamed
def gamma(a: Any, shape: Any = None, dtype: Any = None, key: Any = None, *, stream: Any = None) -> Array:
    """Numbers of the gamma distribution of scale 1: their density is proportional to x**(a - 1) * exp(-x).

    Args:
        a: positive floats: the shape parameter, the mean.
        shape: of the result; by default that of `a`.
        dtype: a float dtype, float32 by default.
        key: see `random.key`; the global one by default.
        stream: the Stream or Device to run on.

    Returns:
        An array of floats, differentiable with respect to `a`; NaN where a parameter is not positive
        and finite.

    Raises:
        TypeError: the dtype is not a real floating-point one.
        ValueError: the shapes do not fit, or no key is given where a transformation traces.

    >>> ft.random.gamma(2.0, (3,), key=ft.random.key(0)).shape
    (3,)
    """
    shape, (a,) = parameters("gamma", shape, dtype, a=a)
    return gamma_pair(key_for("gamma", key), a, shape)[0]


@streamed
def loggamma(a: Any, shape: Any = None, dtype: Any = None, key: Any = None, *, stream: Any = None) -> Array:
    """The logarithms of numbers of the gamma distribution of scale 1, finite for small `a` too.

    Args:
        a: positive floats: the shape parameter.
        shape: of the result; by default that of `a`.
        dtype: a float dtype, float32 by default.
        key: see `random.key`; the global one by default.
        stream: the Stream or Device to run on.

    Returns:
        An array of floats, differentiable with respect to `a`; NaN where a parameter is not positive
        and finite.

    Raises:
        TypeError: the dtype is not a real floating-point one.
        ValueError: the shapes do not fit, or no key is given where a transformation traces.

    >>> ft.random.loggamma(0.001, (3,), key=ft.random.key(0)).shape
    (3,)
    """
    shape, (a,) = parameters("loggamma", shape, dtype, a=a)
    return gamma_pair(key_for("loggamma", key), a, shape)[1]


@streamed
def beta(
    a: Any, b: Any, shape: Any = None, dtype: Any = None, key: Any = None, *, stream: Any = None
) -> Array:
    """Numbers in [0, 1] of the beta distribution, with density proportional to x**(a - 1) * (1 - x)**(b - 1).

    Args:
        a: positive floats.
        b: positive floats.
        shape: of the result; by default what `a` and `b` broadcast to.
        dtype: a float dtype, float32 by default.
        key: see `random.key`; the global one by default.
        stream: the Stream or Device to run on.

    Returns:
        An array of floats, differentiable with respect to `a` and `b`; NaN where a parameter is not positive
        and finite.

    Raises:
        TypeError: the dtype is not a real floating-point one.
        ValueError: the shapes do not fit, or no key is given where a transformation traces.

    >>> ft.random.beta(2.0, 3.0, (3,), key=ft.random.key(0)).shape
    (3,)
    """
    shape, (a, b) = parameters("beta", shape, dtype, a=a, b=b)
    keys = subkeys(key_for("beta", key))
    log_x, log_y = (gamma_pair(keys[i], parameter, shape)[1] for i, parameter in enumerate((a, b)))
    return elementwise.sigmoid(log_x - log_y)  # x / (x + y), which may be 0 / 0


@streamed
def chisquare(df: Any, shape: Any = None, dtype: Any = None, key: Any = None, *, stream: Any = None) -> Array:
    """Numbers of the chi-square distribution: sums of the squares of `df` standard normal numbers.

    Args:
        df: positive floats: the degrees of freedom.
        shape: of the result; by default that of `df`.
        dtype: a float dtype, float32 by default.
        key: see `random.key`; the global one by default.
        stream: the Stream or Device to run on.

    Returns:
        An array of floats, differentiable with respect to `df`; NaN where a parameter is not positive
        and finite.

    Raises:
        TypeError: the dtype is not a real floating-point one.
        ValueError: the shapes do not fit, or no key is given where a transformation traces.

    >>> ft.random.chisquare(4.0, (3,), key=ft.random.key(0)).shape
    (3,)
    """
    shape, (df,) = parameters("chisquare", shape, dtype, df=df)
    return 2 * gamma_pair(key_for("chisquare", key), df / 2, shape)[0]


@streamed
def f(
    dfnum: Any, dfden: Any, shape: Any = None, dtype: Any = None, key: Any = None, *, stream: Any = None
) -> Array:
    """Numbers of Fisher's F distribution: ratios of chi-square numbers, each over its degrees of freedom.

    Args:
        dfnum: positive floats: the degrees of freedom of the numerator.
        dfden: positive floats: those of the denominator.
        shape: of the result; by default what `dfnum` and `dfden` broadcast to.
        dtype: a float dtype, float32 by default.
        key: see `random.key`; the global one by default.
        stream: the Stream or Device to run on.

    Returns:
        An array of floats, differentiable with respect to `dfnum` and `dfden`; NaN where a parameter is not
        positive and finite.

    Raises:
        TypeError: the dtype is not a real floating-point one.
        ValueError: the shapes do not fit, or no key is given where a transformation traces.

    >>> ft.random.f(3.0, 5.0, (3,), key=ft.random.key(0)).shape
    (3,)
    """
    shape, (dfnum, dfden) = parameters("f", shape, dtype, dfnum=dfnum, dfden=dfden)
    keys = subkeys(key_for("f", key))
    above, below = (gamma_pair(keys[i], df / 2, shape)[1] for i, df in enumerate((dfnum, dfden)))
    return elementwise.exp(above - below) * (dfden / dfnum)


@streamed
def t(df: Any, shape: Any = None, dtype: Any = None, key: Any = None, *, stream: Any = None) -> Array:
    """Numbers of Student's t distribution.

    Args:
        df: positive floats: the degrees of freedom.
        shape: of the result; by default that of `df`.
        dtype: a float dtype, float32 by default.
        key: see `random.key`; the global one by default.
        stream: the Stream or Device to run on.

    Returns:
        An array of floats, differentiable with respect to `df`; NaN where a parameter is not positive
        and finite.

    Raises:
        TypeError: the dtype is not a real floating-point one.
        ValueError: the shapes do not fit, or no key is given where a transformation traces.

    >>> ft.random.t(4.0, (3,), key=ft.random.key(0)).shape
    (3,)
    """
    shape, (df,) = parameters("t", shape, dtype, df=df)
    keys = subkeys(key_for("t", key))
    spread = gamma_pair(keys[0], df / 2, shape)[0] / (df / 2)
    return standard_normal(keys[1], shape, df.dtype) / elementwise.sqrt(spread)


@streamed
def dirichlet(
    alpha: Any, shape: Any = None, dtype: Any = None, key: Any = None, *, stream: Any = None
) -> Array:
    """Vectors of the Dirichlet distribution: not negative, with sum 1.

    Args:
        alpha: positive floats, of shape (..., n): the concentrations, in the last axis.
        shape: of the result without its last axis; by default that of `alpha`.
        dtype: a float dtype, float32 by default.
        key: see `random.key`; the global one by default.
        stream: the Stream or Device to run on.

    Returns:
        An array of shape (*shape, n), differentiable with respect to `alpha`; NaN where a concentration is
        not positive and finite.

    Raises:
        TypeError: the dtype is not a real floating-point one.
        ValueError: `alpha` is a scalar, the shapes do not fit, or no key is given where a transformation
            traces.

    >>> ft.random.dirichlet(ft.array([1.0, 2.0, 3.0]), (4,), key=ft.random.key(0)).shape
    (4, 3)
    """
    alpha = as_dtype_array(alpha, float_dtype(dtype, "dirichlet"), "dirichlet", "alpha")
    if alpha.ndim == 0:
        raise ValueError("dirichlet: alpha must have at least 1 dimension, got a scalar")
    batch = batch_shape("dirichlet", shape, alpha.shape[:-1])
    _, logarithms = gamma_pair(key_for("dirichlet", key), alpha, (*batch, alpha.shape[-1]))
    return softmax(logarithms, axis=-1)
