"""Special functions, with all derivatives, under SciPy's names.

Arguments are arrays or numbers; integers and bools are converted to float32. A function of several arguments
promotes and broadcasts them. Outside of its domain a function is NaN.
"""

from __future__ import annotations

import math
from typing import Any

from . import primitives as p
from ._native import Array
from .core.primitive import Primitive
from .ops._elementwise_factory import binary, unary
from .ops.cumulative import logcumsumexp
from .ops.elementwise import digamma, erf, erfc, erfinv, logaddexp
from .ops.elementwise import lgamma as gammaln
from .ops.elementwise import sigmoid as expit
from .ops.log_space import log_softmax, logsumexp, softmax
from .ops.operands import (
    as_array,
    as_dtype_array,
    as_operand,
    broadcast_operands,
    constant_like,
    promoted_dtype,
    require_kinds,
    to_inexact,
)
from .ops.pointwise import where
from .ops.promotion import inexact_dtype
from .ops.streams import streamed

__all__ = [
    "beta",
    "betainc",
    "betaln",
    "digamma",
    "entr",
    "erf",
    "erfc",
    "erfcx",
    "erfinv",
    "expit",
    "gammainc",
    "gammaincc",
    "gammaln",
    "i0",
    "i0e",
    "i1",
    "i1e",
    "lambertw",
    "log_ndtr",
    "log_softmax",
    "logaddexp",
    "logcumsumexp",
    "logit",
    "logsumexp",
    "ndtr",
    "ndtri",
    "polygamma",
    "psi",
    "softmax",
    "xlog1py",
    "xlogy",
    "zeta",
]


def __dir__() -> list[str]:
    return __all__


_HERE = "ftrans.special"

# fmt: off
erfcx = unary("erfcx", p.erfcx_p, "f", "exp(x**2) * erfc(x), without underflow for large x.",
    "[0.0, 100.0]", "array([1, 0.00564161], dtype=float32)", module=_HERE)
ndtr = unary("ndtr", p.ndtr_p, "f", "The probability that a standard normal number is below x.",
    "[0.0, 1.0]", "array([0.5, 0.841345], dtype=float32)", module=_HERE)
ndtri = unary("ndtri", p.ndtri_p, "f", "The inverse of ndtr.",
    "[0.5, 0.841345]", "array([0, 1], dtype=float32)", module=_HERE)
log_ndtr = unary("log_ndtr", p.log_ndtr_p, "f", "log(ndtr(x)), accurate in both tails.",
    "[0.0, -100.0]", "array([-0.693147, -5005.52], dtype=float32)", module=_HERE)
i0 = unary("i0", p.bessel_i0_p, "f", "The modified Bessel function of the first kind of order 0.",
    "[0.0, 1.0]", "array([1, 1.26607], dtype=float32)", module=_HERE)
i1 = unary("i1", p.bessel_i1_p, "f", "The modified Bessel function of the first kind of order 1.",
    "[0.0, 1.0]", "array([0, 0.565159], dtype=float32)", module=_HERE)
i0e = unary("i0e", p.bessel_i0e_p, "f", "exp(-abs(x)) * i0(x), without overflow.",
    "[0.0, 1000.0]", "array([1, 0.0126172], dtype=float32)", module=_HERE)
i1e = unary("i1e", p.bessel_i1e_p, "f", "exp(-abs(x)) * i1(x), without overflow.",
    "[0.0, 1000.0]", "array([0, 0.0126109], dtype=float32)", module=_HERE)
lambertw = unary("lambertw", p.lambert_w_p, "f",
    "The principal branch of Lambert's W, the real w with w * exp(w) = x; NaN for x < -1/e.",
    "[0.0, 1.0]", "array([0, 0.567143], dtype=float32)", module=_HERE)

polygamma = binary("polygamma", p.polygamma_p, "f",
    "The x1-th derivative of digamma at x2, for whole x1 >= 0. Differentiable with respect to x2 only.",
    "1, ft.array([1.0, 4.0])", "array([1.64493, 0.283823], dtype=float32)",
    to=inexact_dtype, module=_HERE)
betaln = binary("betaln", p.log_beta_p, "f", "The logarithm of the beta function's absolute value.",
    "ft.array([1.0, 20.0]), 3.0", "array([-1.09861, -8.43815], dtype=float32)",
    to=inexact_dtype, module=_HERE)
beta = binary("beta", p.beta_p, "f", "The beta function, gamma(x1) * gamma(x2) / gamma(x1 + x2).",
    "ft.array([1.0, 2.0]), 3.0", "array([0.333333, 0.0833333], dtype=float32)",
    to=inexact_dtype, module=_HERE)
gammaincc = binary("gammaincc", p.gamma_q_p, "f",
    "The regularized upper incomplete gamma function 1 - gammainc(x1, x2), accurate where it is small. "
    "Derivatives with respect to x1 exist up to order 4.",
    "1.0, ft.array([0.0, 20.0])", "array([1, 2.06115e-09], dtype=float32)", to=inexact_dtype, module=_HERE)
# fmt: on

psi = digamma


def _floating(function: str, **given: Any) -> list[Array]:
    """The operands in their common floating dtype, broadcast."""
    operands = {name: as_operand(x, function, name) for name, x in given.items()}
    dtype = inexact_dtype(promoted_dtype(function, *operands.values()))
    arrays = [as_dtype_array(x, dtype, function, name) for name, x in operands.items()]
    require_kinds(function, arrays[0], "f", "a real")
    return list(broadcast_operands(function, *arrays))


@streamed
def zeta(s: Any, q: Any = 1.0, /, *, stream: Any = None) -> Array:
    """Hurwitz' zeta function, the sum of (q + n)**-s over n >= 0; Riemann's where `q` is 1.

    Args:
        s: floats above 1; derivatives with respect to it exist up to order 4, and for positive q.
        q: floats that broadcast with `s`; below 0 only where `s` is whole.
        stream: the Stream or Device to run on.

    Returns:
        An array of the broadcast shape; infinite for s = 1 and at q = 0, -1, ....

    Raises:
        TypeError: an argument is not real.
        ValueError: the shapes do not broadcast.

    >>> ft.special.zeta(ft.array([2.0, 4.0]))
    array([1.64493, 1.08232], dtype=float32)
    """
    return p.zeta_p.bind(*_floating("zeta", s=s, q=q), order=0)


@streamed
def gammainc(a: Any, x: Any, /, *, stream: Any = None) -> Array:
    """The regularized lower incomplete gamma function, the distribution function of the gamma distribution.

    Args:
        a: floats, not negative; derivatives with respect to it exist up to order 4, for a <= 1e12.
        x: floats, not negative, that broadcast with `a`.
        stream: the Stream or Device to run on.

    Returns:
        An array of the broadcast shape.

    Raises:
        TypeError: an argument is not real.
        ValueError: the shapes do not broadcast.

    >>> ft.special.gammainc(1.0, ft.array([0.0, 1.0]))
    array([0, 0.632121], dtype=float32)
    >>> ft.grad(ft.special.gammainc)(2.0, 1.0)
    array(-0.276196, dtype=float32)
    """
    return p.gamma_p_p.bind(*_floating("gammainc", a=a, x=x), order=0)


@streamed
def betainc(a: Any, b: Any, x: Any, /, *, stream: Any = None) -> Array:
    """The regularized incomplete beta function, the distribution function of the beta distribution.

    Args:
        a, b: positive floats; derivatives with respect to them exist up to order 3 together.
        x: floats in [0, 1]. All broadcast.
        stream: the Stream or Device to run on.

    Returns:
        An array of the broadcast shape.

    Raises:
        TypeError: an argument is not real.
        ValueError: the shapes do not broadcast.

    >>> ft.special.betainc(1.0, 2.0, ft.array([0.0, 0.5, 1.0]))
    array([0, 0.75, 1], dtype=float32)
    """
    return p.beta_inc_p.bind(*_floating("betainc", a=a, b=b, x=x), orders=(0, 0))


@streamed
def xlogy(x: Any, y: Any, /, *, stream: Any = None) -> Array:
    """X * log(y), and 0 where x is 0 and y is not NaN; so is the derivative with respect to y.

    >>> ft.special.xlogy(ft.array([0.0, 2.0]), ft.array([0.0, 1.0]))
    array([0, 0], dtype=float32)
    """
    return _annihilated("xlogy", x, y, p.log_p)


@streamed
def xlog1py(x: Any, y: Any, /, *, stream: Any = None) -> Array:
    """X * log1p(y), and 0 where x is 0 and y is not NaN; so is the derivative with respect to y.

    >>> ft.special.xlog1py(ft.array([0.0, 2.0]), ft.array([-1.0, 0.0]))
    array([0, 0], dtype=float32)
    """
    return _annihilated("xlog1py", x, y, p.log1p_p)


def _annihilated(function: str, x: Any, y: Any, logarithm: Primitive) -> Array:
    """`x` times the logarithm of `y`, but 0 where x is 0 and y a number."""
    x, y = _floating(function, x=x, y=y)
    is_zero = p.and_p.bind(p.eq_p.bind(x, constant_like(x, 0)), p.not_p.bind(p.is_nan_p.bind(y)))
    factor = logarithm.bind(y)
    return where(is_zero, p.safe_mul_p.bind(x, factor), p.mul_p.bind(x, factor))


@streamed
def entr(x: Any, /, *, stream: Any = None) -> Array:
    """-x * log(x); 0 at 0, and -inf below it.

    >>> ft.special.entr(ft.array([0.0, 0.5, -1.0]))
    array([0, 0.346574, -inf], dtype=float32)
    """
    x = to_inexact(as_array(x, "entr"))
    require_kinds("entr", x, "f", "a real")
    return where(p.lt_p.bind(x, constant_like(x, 0)), -math.inf, xlogy(p.neg_p.bind(x), x))


@streamed
def logit(x: Any, /, *, stream: Any = None) -> Array:
    """log(x / (1 - x)), the inverse of expit, accurate near 1/2 too.

    >>> ft.special.logit(ft.array([0.0, 0.5, 0.75]))
    array([-inf, 0, 1.09861], dtype=float32)
    """
    x = to_inexact(as_array(x, "logit"))
    require_kinds("logit", x, "f", "a real")
    doubled = p.sub_p.bind(p.mul_p.bind(x, constant_like(x, 2)), constant_like(x, 1))  # exact near 1/2
    is_central = p.lt_p.bind(p.abs_p.bind(doubled), constant_like(x, 0.5))
    central = p.mul_p.bind(p.atanh_p.bind(doubled), constant_like(x, 2))
    odds = p.div_p.bind(x, p.sub_p.bind(constant_like(x, 1), x))
    return p.select_p.bind(is_central, central, p.log_p.bind(odds))
