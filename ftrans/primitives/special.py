"""Special functions: relatives of the gamma, beta, error and Bessel functions; but erf is in `elementwise`.

A function that is differentiated with respect to a parameter has a primitive with the order of the derivative
as its own parameter, and a native kernel for each order: see native/cpu/special.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial, reduce

import numpy as np

from .._native import Array
from ..core.avals import shaped_array
from ..core.primitive import Primitive, Sample
from . import _special, _special_parametric
from ._factories import binary, elementwise, elementwise_shape, scale, unary
from ._helpers import FLOATING, check_kind, check_same_dtype, constant_like
from .elementwise import (
    EVERYWHERE,
    abs_p,
    add,
    div,
    exp_p,
    ge_p,
    log1p_p,
    log_p,
    lt_p,
    mul,
    neg,
    select,
    sign_p,
    square_p,
    sub,
)

#: The highest order of the derivatives with respect to parameters that have native kernels.
HIGHEST_ORDER = 4
HIGHEST_BETA_ORDER = 3

# ---------------------------------------------------------------- the gamma function

lgamma_p = unary("lgamma", _special.lgamma, FLOATING, EVERYWHERE, derivative=lambda x, out: digamma_p.bind(x))
digamma_p = unary(
    "digamma", _special.digamma, FLOATING, EVERYWHERE,
    derivative=lambda x, out: polygamma_p.bind(constant_like(x, 1), x),
)  # fmt: skip


def _by_the_order(*_):
    raise TypeError(
        "polygamma has no derivative with respect to its order n, an integer; use ft.stop_gradient(n)"
    )


polygamma_p = binary(
    "polygamma", _special_parametric.polygamma, FLOATING, ((0, 1, 2, 3, 5), (2.5, 0.4, -0.7, 1.6, 7.2)),
    partials=(_by_the_order, lambda t, n, x, out: scale(t, polygamma_p.bind(add(n, 1), x))),
)  # fmt: skip
polygamma_p.samples = [Sample(sample.args, {}, (1,)) for sample in polygamma_p.samples]


def _check_order(name: str, argument: str, order: int, highest: int) -> None:
    if order > highest:
        raise TypeError(
            f"{name}: derivatives with respect to {argument} are available up to order {highest}, "
            f"got order {order}"
        )


def _parametric(
    name: str,
    impl: Callable,
    partials: tuple,
    samples: list[Sample],
    lower: Callable[[dict], tuple[int, ...]],
) -> Primitive:
    """An elementwise primitive of floats whose parameters are orders of differentiation."""

    def abstract_eval(*avals, **orders):
        check_same_dtype(name, *avals)
        check_kind(name, avals[0], FLOATING, "operands")
        return shaped_array(
            elementwise_shape(name, avals), avals[0].dtype, all(aval.weak_type for aval in avals)
        )

    return elementwise(
        name, impl, abstract_eval, partials, lower=lambda p, in_avals, out_avals: lower(p), samples=samples
    )


def _samples(columns: tuple, differentiable: tuple[int, ...], *parameters: dict) -> list[Sample]:
    """One sample for each of `parameters`, and the first one with a scalar operand."""
    arrays = tuple([partial(np.array, values, np.float64) for values in columns])
    mixed = (*arrays[:-1], partial(np.array, columns[-1][0], np.float64))
    samples = [Sample(arrays, p, differentiable) for p in parameters]
    return [*samples, Sample(mixed, parameters[0], differentiable)]


def _zeta_of_order(order: int, s: Array, q: Array) -> Array:
    _check_order("zeta", "s", order, HIGHEST_ORDER)
    return zeta_p.bind(s, q, order=order)


def _zeta_by_q(t, s, q, out, *, order):
    """∂/∂q ζ(s, q) = −s·ζ(s + 1, q), differentiated `order` times by s."""
    following = add(s, 1)
    derivative = neg(mul(s, zeta_p.bind(following, q, order=order)))
    if order > 0:
        derivative = sub(derivative, mul(order, zeta_p.bind(following, q, order=order - 1)))
    return scale(t, derivative)


#: ∂ᵏ/∂sᵏ of Hurwitz' ζ(s, q) = Σ (q + n)⁻ˢ, k = order.
zeta_p = _parametric(
    "zeta",
    _special_parametric.zeta,
    (lambda t, s, q, out, *, order: scale(t, _zeta_of_order(order + 1, s, q)), _zeta_by_q),
    _samples(((1.5, 2.0, 3.3, 6.0), (1.0, 0.4, 2.5, 1.7)), (0, 1), {"order": 0}, {"order": 1}, {"order": 2}),
    lambda p: (p["order"],),
)

# ---------------------------------------------------------------- incomplete gamma functions


def _derivative_of_exponential(orders: tuple[int, ...], value: Array, of_exponent: Callable) -> Array:
    """A mixed derivative of f = e^g from f and `of_exponent(orders)`, those of g, by Leibniz' rule."""
    if sum(orders) == 0:
        return value
    axis = next(i for i, order in enumerate(orders) if order)
    rest = tuple(order - (i == axis) for i, order in enumerate(orders))
    terms = []
    for chosen in np.ndindex(*(order + 1 for order in rest)):
        weight = math.prod(map(math.comb, rest, chosen))
        left = tuple(order - c for order, c in zip(rest, chosen, strict=True))
        factor = of_exponent(tuple(c + (i == axis) for i, c in enumerate(chosen)))
        terms.append(mul(mul(weight, _derivative_of_exponential(left, value, of_exponent)), factor))
    return reduce(add, terms)


def _polygamma(n: int, x: Array) -> Array:
    return polygamma_p.bind(constant_like(x, n), x) if n else digamma_p.bind(x)


def _gamma_exponent(a: Array, x: Array, order: int) -> Array:
    """A derivative by a of (a − 1)·log x − x − log Γ(a)."""
    return sub(log_p.bind(x), digamma_p.bind(a)) if order == 1 else neg(_polygamma(order - 1, a))


gamma_density_p = binary(
    "gamma_density", _special_parametric.gamma_density, FLOATING,
    ((0.6, 1.4, 3.2, 5.5), (0.3, 2.2, 1.3, 6.0)),
    derivatives=(
        lambda a, x, out: mul(out, _gamma_exponent(a, x, 1)),
        lambda a, x, out: mul(out, sub(div(sub(a, 1), x), 1)),
    ),
)  # fmt: skip


def _gamma_p_of_order(order: int, a: Array, x: Array) -> Array:
    _check_order("gammainc", "a", order, HIGHEST_ORDER)
    return gamma_p_p.bind(a, x, order=order)


def _gamma_p_by_x(t, a, x, out, *, order):
    density = gamma_density_p.bind(a, x)
    return scale(
        t, _derivative_of_exponential((order,), density, lambda orders: _gamma_exponent(a, x, orders[0]))
    )


_GAMMA_POINTS = ((0.6, 1.4, 3.2, 5.5, 2.0), (0.3, 2.2, 1.3, 6.0, 7.5))

#: ∂ᵏ/∂aᵏ of the regularised lower incomplete gamma function P(a, x), k = order.
gamma_p_p = _parametric(
    "gamma_p",
    _special_parametric.gamma_p,
    (lambda t, a, x, out, *, order: scale(t, _gamma_p_of_order(order + 1, a, x)), _gamma_p_by_x),
    _samples(_GAMMA_POINTS, (0, 1), {"order": 0}, {"order": 1}, {"order": 2}),
    lambda p: (p["order"],),
)

gamma_q_p = binary(
    "gamma_q", lambda a, x: 1 - _special_parametric.gamma_p(a, x, order=0), FLOATING, _GAMMA_POINTS,
    derivatives=(
        lambda a, x, out: neg(_gamma_p_of_order(1, a, x)),
        lambda a, x, out: neg(gamma_density_p.bind(a, x)),
    ),
)  # fmt: skip

# ---------------------------------------------------------------- beta functions


def _by_first_of_log_beta(a: Array, b: Array) -> Array:
    return sub(digamma_p.bind(a), digamma_p.bind(add(a, b)))


_BETA_PARAMETERS = ((0.6, 1.4, 3.2, 2.5), (0.3, 12.0, 1.3, 4.0))

log_beta_p = binary(
    "log_beta", _special_parametric.log_beta, FLOATING, _BETA_PARAMETERS,
    derivatives=(
        lambda a, b, out: _by_first_of_log_beta(a, b),
        lambda a, b, out: _by_first_of_log_beta(b, a),
    ),
)  # fmt: skip
beta_p = binary(
    "beta", _special_parametric.beta, FLOATING, _BETA_PARAMETERS,
    derivatives=(
        lambda a, b, out: mul(out, _by_first_of_log_beta(a, b)),
        lambda a, b, out: mul(out, _by_first_of_log_beta(b, a)),
    ),
)  # fmt: skip


def _beta_exponent(a: Array, b: Array, x: Array, orders: tuple[int, ...]) -> Array:
    """A derivative by a and b of (a − 1)·log x + (b − 1)·log(1 − x) − log B(a, b)."""
    of_sum = _polygamma(sum(orders) - 1, add(a, b))
    if all(orders):
        return of_sum
    single, logarithm = (a, log_p.bind(x)) if orders[0] else (b, log1p_p.bind(neg(x)))
    derivative = sub(of_sum, _polygamma(sum(orders) - 1, single))
    return add(derivative, logarithm) if sum(orders) == 1 else derivative


_BETA_POINTS = ((0.6, 1.4, 3.2, 4.5), (1.3, 0.7, 4.0, 2.5), (0.3, 0.8, 0.45, 0.52))


def _beta_density_partials():
    def by_a(t, a, b, x, out):
        return scale(t, mul(out, _beta_exponent(a, b, x, (1, 0))))

    def by_b(t, a, b, x, out):
        return scale(t, mul(out, _beta_exponent(a, b, x, (0, 1))))

    def by_x(t, a, b, x, out):
        return scale(t, mul(out, sub(div(sub(a, 1), x), div(sub(b, 1), sub(1, x)))))

    return by_a, by_b, by_x


beta_density_p = _parametric(
    "beta_density",
    _special_parametric.beta_density,
    _beta_density_partials(),
    _samples(_BETA_POINTS, (0, 1, 2), {}),
    lambda p: (),
)


def _beta_inc_partials():
    def of_orders(orders: tuple[int, int], a: Array, b: Array, x: Array) -> Array:
        _check_order("betainc", "a and b", sum(orders), HIGHEST_BETA_ORDER)
        return beta_inc_p.bind(a, b, x, orders=orders)

    def by_a(t, a, b, x, out, *, orders):
        return scale(t, of_orders((orders[0] + 1, orders[1]), a, b, x))

    def by_b(t, a, b, x, out, *, orders):
        return scale(t, of_orders((orders[0], orders[1] + 1), a, b, x))

    def by_x(t, a, b, x, out, *, orders):
        density = beta_density_p.bind(a, b, x)
        return scale(
            t, _derivative_of_exponential(orders, density, lambda chosen: _beta_exponent(a, b, x, chosen))
        )

    return by_a, by_b, by_x


#: ∂ⁱ⁺ʲ/∂aⁱ∂bʲ of the regularised incomplete beta function I(x; a, b), (i, j) = orders.
beta_inc_p = _parametric(
    "beta_inc",
    _special_parametric.beta_inc,
    _beta_inc_partials(),
    _samples(_BETA_POINTS, (0, 1, 2), *({"orders": orders} for orders in ((0, 0), (1, 0), (0, 1)))),
    lambda p: (4 * p["orders"][0] + p["orders"][1],),
)

# ---------------------------------------------------------------- error function and normal distribution

_TWO_OVER_SQRT_PI = 2 / math.sqrt(math.pi)


def _erfcx_derivative(x, out):
    """2x·erfcx(x) − 2/√π; for large x, where that cancels, the derivative of the asymptotic series."""
    is_large = ge_p.bind(x, constant_like(x, 10))
    z = div(1, square_p.bind(select(is_large, x, 10)))
    series = constant_like(x, 1)
    for k in range(14, 0, -1):
        series = sub(1, mul(mul(k + 0.5, z), series))
    large = mul(-1 / math.sqrt(math.pi), mul(z, series))
    return select(is_large, large, sub(mul(2, mul(x, out)), _TWO_OVER_SQRT_PI))


erfcx_p = unary(
    "erfcx", _special.erfcx, FLOATING, (-1.75, -0.4, 0.3, 2.6, 12.0),
    derivative=lambda x, out: _erfcx_derivative(x, out),
)  # fmt: skip
ndtr_p = unary(
    "ndtr", _special.ndtr, FLOATING, EVERYWHERE,
    derivative=lambda x, out: mul(1 / math.sqrt(2 * math.pi), exp_p.bind(mul(-0.5, square_p.bind(x)))),
)  # fmt: skip
ndtri_p = unary(
    "ndtri", _special.ndtri, FLOATING, (0.02, 0.3, 0.62, 0.9),
    derivative=lambda x, out: mul(math.sqrt(2 * math.pi), exp_p.bind(mul(0.5, square_p.bind(out)))),
)  # fmt: skip
log_ndtr_p = unary(
    "log_ndtr", _special.log_ndtr, FLOATING, EVERYWHERE,
    derivative=lambda x, out: div(math.sqrt(2 / math.pi), erfcx_p.bind(mul(-math.sqrt(0.5), x))),
)  # fmt: skip

# ---------------------------------------------------------------- Bessel functions, Lambert's W


def _over_argument(x, value, near_zero):
    """I₁(x)/x; near 0, its series (Abramowitz and Stegun 9.6.10), for the sake of the derivatives."""
    is_small = lt_p.bind(abs_p.bind(x), constant_like(x, 0.01))
    quotient = div(value, select(is_small, 1, x))
    z = square_p.bind(select(is_small, x, 0))
    series = mul(0.5, add(1, mul(z, add(0.125, mul(z, 1 / 192)))))
    return select(is_small, mul(series, near_zero), quotient)


def _scaling(x):
    return exp_p.bind(neg(abs_p.bind(x)))


bessel_i0_p = unary(
    "bessel_i0", _special.bessel_i0, FLOATING, EVERYWHERE, derivative=lambda x, out: bessel_i1_p.bind(x)
)
bessel_i1_p = unary(
    "bessel_i1", _special.bessel_i1, FLOATING, EVERYWHERE,
    derivative=lambda x, out: sub(bessel_i0_p.bind(x), _over_argument(x, out, constant_like(x, 1))),
)  # fmt: skip
bessel_i0e_p = unary(
    "bessel_i0e", _special.bessel_i0e, FLOATING, EVERYWHERE,
    derivative=lambda x, out: sub(bessel_i1e_p.bind(x), mul(sign_p.bind(x), out)),
)  # fmt: skip
bessel_i1e_p = unary(
    "bessel_i1e", _special.bessel_i1e, FLOATING, EVERYWHERE,
    derivative=lambda x, out: sub(
        bessel_i0e_p.bind(x), add(mul(sign_p.bind(x), out), _over_argument(x, out, _scaling(x)))
    ),
)  # fmt: skip
lambert_w_p = unary(
    "lambert_w", _special.lambert_w, FLOATING, (-0.3, -0.1, 0.4, 2.5, 8.0),
    derivative=lambda x, out: div(exp_p.bind(neg(out)), add(1, out)),
)  # fmt: skip
