"""Elementwise primitives: one row each."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .._native import Array, Dtype, complex64, complex128, float32, float64
from ..core.avals import shaped_array
from ..core.primitive import Sample
from . import _special
from ._factories import (
    add_p,
    binary,
    elementwise,
    elementwise_shape,
    mul_p,
    safe_mul_p,
    scale,
    ternary,
    to_bool,
    unary,
)
from ._helpers import (
    ANY,
    FLOATING,
    FLOATING_OR_COMPLEX,
    INTEGER,
    INTEGER_OR_BOOL,
    NUMERIC,
    REAL,
    REAL_OR_BOOL,
    check_kind,
    check_same_dtype,
    constant_like,
)
from .conversion import convert

__all__ = ["add_p", "mul_p", "safe_mul_p"]

# Points of the samples: inside the functions' domains and away from kinks.
EVERYWHERE = (-1.75, -0.4, 0.3, 1.2, 2.6)
POSITIVE = (0.2, 0.9, 1.6, 3.5)
INSIDE_ONE = (-0.8, -0.3, 0.25, 0.7)
ABOVE_ONE = (1.2, 1.9, 3.4)
INTEGERS = (-5, 0, 3, 7)
PAIRS = ((-1.75, 0.4, 2.6), (0.5, -1.2, 1.3))
POSITIVE_PAIRS = ((0.3, 1.4, 2.2), (1.7, 0.6, -1.3))
INTEGER_PAIRS = ((-5, 2, 3), (2, 2, 1))


# ---------------------------------------------------------------- small functions that rules are written with


def _operands(x: Any, y: Any) -> tuple[Array, Array]:
    if not isinstance(x, Array):
        return constant_like(y, x), y
    return x, (y if isinstance(y, Array) else constant_like(x, y))


def add(x: Array | float, y: Array | float) -> Array:
    """X + y; one of them may be a Python number."""
    return add_p.bind(*_operands(x, y))


def sub(x: Array | float, y: Array | float) -> Array:
    """X − y; one of them may be a Python number."""
    return sub_p.bind(*_operands(x, y))


def mul(x: Array | float, y: Array | float) -> Array:
    """X · y; one of them may be a Python number."""
    return mul_p.bind(*_operands(x, y))


def div(x: Array | float, y: Array | float) -> Array:
    """X / y; one of them may be a Python number."""
    return div_p.bind(*_operands(x, y))


def neg(x: Array) -> Array:
    """−x."""
    return neg_p.bind(x)


def eq(x: Array, y: Array | float) -> Array:
    """X == y; y may be a Python number."""
    return eq_p.bind(*_operands(x, y))


def select(predicate: Array, on_true: Array | float, on_false: Array | float) -> Array:
    """on_true where predicate holds, on_false elsewhere; one of them may be a Python number."""
    return select_p.bind(predicate, *_operands(on_true, on_false))


def real_dtype(dtype: Dtype) -> Dtype:
    """The dtype of the real parts."""
    return {"complex64": float32, "complex128": float64}.get(dtype.name, dtype)


def _complex_dtype(dtype: Dtype) -> Dtype:
    return {"float32": complex64, "float64": complex128}[dtype.name]


def _as_complex(real: Array) -> Array:
    return complex_p.bind(real, constant_like(real, 0))


# ---------------------------------------------------------------- sign and rounding

neg_p = unary("neg", np.negative, NUMERIC, EVERYWHERE, partial=lambda t, x, out: neg(t))


def _abs_partial(t, x, out):
    if x.dtype.kind != "c":
        return scale(t, sign_p.bind(x))
    return real_p.bind(scale(t, _conj_direction(x, out)))


def _abs_transposed(ct, x, out):
    if x.dtype.kind != "c":
        return scale(ct, sign_p.bind(x))
    return scale(_as_complex(ct), _conj_direction(x, out))


def _conj_direction(x, magnitude):
    """conj(x)/|x|, and 0 at 0."""
    return div(conj_p.bind(x), _as_complex(select(eq(magnitude, 0), 1, magnitude)))


abs_p = unary(
    "abs", np.abs, NUMERIC, EVERYWHERE, partial=_abs_partial, transposed=_abs_transposed, result=real_dtype
)


def _complex_sign_partial(t, x, out):
    """d(x/|x|) = t/|x| − x·Re(conj(x)·t)/|x|³, written with the sign s as (t − s·Re(conj(s)·t))/|x|."""
    if x.dtype.kind != "c":
        return None
    along = real_p.bind(mul(conj_p.bind(out), t))
    return scale(sub(t, mul(out, _as_complex(along))), _inverse_magnitude(x))


def _complex_sign_transposed(ct, x, out):
    if x.dtype.kind != "c":
        return None
    along = real_p.bind(mul(out, ct))
    return scale(sub(ct, mul(conj_p.bind(out), _as_complex(along))), _inverse_magnitude(x))


def _inverse_magnitude(x):
    """1/|x|, and 0 at 0."""
    magnitude = abs_p.bind(x)
    return _as_complex(div(1, select(eq(magnitude, 0), math.inf, magnitude)))


sign_p = unary(
    "sign", np.sign, NUMERIC, EVERYWHERE, partial=_complex_sign_partial, transposed=_complex_sign_transposed
)
floor_p = unary("floor", np.floor, FLOATING, EVERYWHERE)
ceil_p = unary("ceil", np.ceil, FLOATING, EVERYWHERE)
round_p = unary("round", np.rint, FLOATING, EVERYWHERE)
trunc_p = unary("trunc", np.trunc, FLOATING, EVERYWHERE)

# ---------------------------------------------------------------- powers, exponentials and logarithms

sqrt_p = unary("sqrt", np.sqrt, FLOATING_OR_COMPLEX, POSITIVE, derivative=lambda x, out: div(0.5, out))
rsqrt_p = unary(
    "rsqrt", lambda x: 1 / np.sqrt(x), FLOATING_OR_COMPLEX, POSITIVE,
    derivative=lambda x, out: mul(-0.5, div(out, x)),
)  # fmt: skip
cbrt_p = unary(
    "cbrt", np.cbrt, FLOATING, EVERYWHERE, derivative=lambda x, out: div(1 / 3, square_p.bind(out))
)
square_p = unary("square", np.square, NUMERIC, EVERYWHERE, derivative=lambda x, out: mul(2, x))
exp_p = unary("exp", np.exp, FLOATING_OR_COMPLEX, EVERYWHERE, derivative=lambda x, out: out)
exp2_p = unary(
    "exp2", np.exp2, FLOATING_OR_COMPLEX, EVERYWHERE, derivative=lambda x, out: mul(math.log(2), out)
)
expm1_p = unary("expm1", np.expm1, FLOATING_OR_COMPLEX, EVERYWHERE, derivative=lambda x, out: add(out, 1))
log_p = unary("log", np.log, FLOATING_OR_COMPLEX, POSITIVE, derivative=lambda x, out: div(1, x))
log2_p = unary(
    "log2", np.log2, FLOATING_OR_COMPLEX, POSITIVE, derivative=lambda x, out: div(1 / math.log(2), x)
)
log10_p = unary(
    "log10", np.log10, FLOATING_OR_COMPLEX, POSITIVE, derivative=lambda x, out: div(1 / math.log(10), x)
)
log1p_p = unary("log1p", np.log1p, FLOATING_OR_COMPLEX, POSITIVE, derivative=lambda x, out: div(1, add(x, 1)))


def _logistic(x):
    decay = np.exp(
        -np.abs(x.real) - 1j * np.copysign(1, x.real) * x.imag if np.iscomplexobj(x) else -np.abs(x)
    )
    return np.where(x.real >= 0, 1, decay) / (1 + decay)


logistic_p = unary(
    "logistic", _logistic, FLOATING_OR_COMPLEX, EVERYWHERE, derivative=lambda x, out: mul(out, sub(1, out))
)

# ---------------------------------------------------------------- trigonometric and hyperbolic functions


def _one_minus_square(x):
    """1 − x², without cancellation near ±1."""
    return mul(sub(1, x), add(1, x))


sin_p = unary("sin", np.sin, FLOATING_OR_COMPLEX, EVERYWHERE, derivative=lambda x, out: cos_p.bind(x))
cos_p = unary("cos", np.cos, FLOATING_OR_COMPLEX, EVERYWHERE, derivative=lambda x, out: neg(sin_p.bind(x)))
tan_p = unary(
    "tan", np.tan, FLOATING_OR_COMPLEX, EVERYWHERE, derivative=lambda x, out: add(1, square_p.bind(out))
)
asin_p = unary(
    "asin",
    np.arcsin,
    FLOATING_OR_COMPLEX,
    INSIDE_ONE,
    derivative=lambda x, out: rsqrt_p.bind(_one_minus_square(x)),
)
acos_p = unary(
    "acos", np.arccos, FLOATING_OR_COMPLEX, INSIDE_ONE,
    derivative=lambda x, out: neg(rsqrt_p.bind(_one_minus_square(x))),
)  # fmt: skip
atan_p = unary(
    "atan",
    np.arctan,
    FLOATING_OR_COMPLEX,
    EVERYWHERE,
    derivative=lambda x, out: div(1, add(1, square_p.bind(x))),
)
sinh_p = unary("sinh", np.sinh, FLOATING_OR_COMPLEX, EVERYWHERE, derivative=lambda x, out: cosh_p.bind(x))
cosh_p = unary("cosh", np.cosh, FLOATING_OR_COMPLEX, EVERYWHERE, derivative=lambda x, out: sinh_p.bind(x))
tanh_p = unary(
    "tanh", np.tanh, FLOATING_OR_COMPLEX, EVERYWHERE, derivative=lambda x, out: _one_minus_square(out)
)
asinh_p = unary(
    "asinh", np.arcsinh, FLOATING_OR_COMPLEX, EVERYWHERE,
    derivative=lambda x, out: rsqrt_p.bind(add(square_p.bind(x), 1)),
)  # fmt: skip
# Two roots, not the root of a product: so the complex derivative is on the function's own branch.
acosh_p = unary(
    "acosh", np.arccosh, FLOATING_OR_COMPLEX, ABOVE_ONE,
    derivative=lambda x, out: mul(rsqrt_p.bind(sub(x, 1)), rsqrt_p.bind(add(x, 1))),
)  # fmt: skip
atanh_p = unary(
    "atanh",
    np.arctanh,
    FLOATING_OR_COMPLEX,
    INSIDE_ONE,
    derivative=lambda x, out: div(1, _one_minus_square(x)),
)

# ---------------------------------------------------------------- the error function; others: `special`

_TWO_OVER_SQRT_PI = 2 / math.sqrt(math.pi)


def _gaussian(x):
    return exp_p.bind(neg(square_p.bind(x)))


erf_p = unary(
    "erf", _special.erf, FLOATING, EVERYWHERE, derivative=lambda x, out: mul(_TWO_OVER_SQRT_PI, _gaussian(x))
)
erfc_p = unary(
    "erfc",
    _special.erfc,
    FLOATING,
    EVERYWHERE,
    derivative=lambda x, out: mul(-_TWO_OVER_SQRT_PI, _gaussian(x)),
)
erf_inv_p = unary(
    "erf_inv", _special.erf_inv, FLOATING, INSIDE_ONE,
    derivative=lambda x, out: mul(1 / _TWO_OVER_SQRT_PI, exp_p.bind(square_p.bind(out))),
)  # fmt: skip
# What normal numbers are made with: below float64, Giles' polynomials in the roundings of XLA's CPU compiler.
erf_inv_giles_p = unary(
    "erf_inv_giles", _special.erf_inv_giles, FLOATING, INSIDE_ONE,
    derivative=lambda x, out: mul(1 / _TWO_OVER_SQRT_PI, exp_p.bind(square_p.bind(out))),
)  # fmt: skip

# ---------------------------------------------------------------- complex parts
# Transposed as JAX does: the pairing of cotangent and tangent is Re(ct · t), without conjugation.

real_p = unary(
    "real", np.real, "c", EVERYWHERE,
    partial=lambda t, x, out: real_p.bind(t),
    transposed=lambda ct, x, out: _as_complex(ct),
    result=real_dtype,
)  # fmt: skip
imag_p = unary(
    "imag", np.imag, "c", EVERYWHERE,
    partial=lambda t, x, out: imag_p.bind(t),
    transposed=lambda ct, x, out: complex_p.bind(constant_like(ct, 0), neg(ct)),
    result=real_dtype,
)  # fmt: skip
conj_p = unary("conj", np.conj, "c", EVERYWHERE, partial=lambda t, x, out: conj_p.bind(t))


def _complex(re, im):
    out = np.empty(np.broadcast_shapes(re.shape, im.shape), np.result_type(re, np.complex64))
    out.real, out.imag = re, im
    return out


def _complex_of(dtype: Dtype) -> Dtype:
    if dtype.itemsize < 4:
        raise TypeError(f"complex: operands have dtype {dtype}, expected float32 or float64")
    return _complex_dtype(dtype)


complex_p = binary(
    "complex", _complex, FLOATING, PAIRS,
    partials=(
        lambda t, re, im, out: _as_complex(t),
        lambda t, re, im, out: complex_p.bind(constant_like(t, 0), t),
    ),
    transposed=(
        lambda ct, re, im, out: real_p.bind(ct),
        lambda ct, re, im, out: neg(imag_p.bind(ct)),
    ),
    result=_complex_of,
)  # fmt: skip

# ---------------------------------------------------------------- predicates and bits

not_p = unary("not", np.invert, INTEGER_OR_BOOL, INTEGERS)
is_finite_p = unary("is_finite", np.isfinite, NUMERIC, (-1.0, math.inf, math.nan), result=to_bool)
is_nan_p = unary("is_nan", np.isnan, NUMERIC, (-1.0, math.inf, math.nan), result=to_bool)
is_inf_p = unary("is_inf", np.isinf, NUMERIC, (-1.0, math.inf, math.nan), result=to_bool)


def _population_count(x):
    unsigned = x.view(f"u{x.itemsize}")
    count = np.zeros_like(unsigned)
    for bit in range(8 * x.itemsize):
        count += (unsigned >> unsigned.dtype.type(bit)) & unsigned.dtype.type(1)
    return count.astype(x.dtype)


population_count_p = unary("population_count", _population_count, INTEGER, INTEGERS)

eq_p = binary("eq", np.equal, ANY, ((1, 2, 3), (1, 0, 3)), result=to_bool)
ne_p = binary("ne", np.not_equal, ANY, ((1, 2, 3), (1, 0, 3)), result=to_bool)
lt_p = binary("lt", np.less, REAL_OR_BOOL, ((1, 0, 3), (1, 2, 0)), result=to_bool)
le_p = binary("le", np.less_equal, REAL_OR_BOOL, ((1, 0, 3), (1, 2, 0)), result=to_bool)
gt_p = binary("gt", np.greater, REAL_OR_BOOL, ((1, 0, 3), (1, 2, 0)), result=to_bool)
ge_p = binary("ge", np.greater_equal, REAL_OR_BOOL, ((1, 0, 3), (1, 2, 0)), result=to_bool)
and_p = binary("and", np.bitwise_and, INTEGER_OR_BOOL, ((6, 0, 3), (3, 1, 3)))
or_p = binary("or", np.bitwise_or, INTEGER_OR_BOOL, ((6, 0, 3), (3, 1, 0)))
xor_p = binary("xor", np.bitwise_xor, INTEGER_OR_BOOL, ((6, 0, 3), (3, 1, 3)))
# Shifting by as many bits as there are, or more, or by a negative number, shifts everything out.
shift_left_p = binary("shift_left", np.left_shift, INTEGER, ((-6, 5, 3), (3, 1, 40)))
shift_right_p = binary("shift_right", np.right_shift, INTEGER, ((-6, 5, 3), (3, 1, 40)))

# ---------------------------------------------------------------- arithmetic

sub_p = binary(
    "sub", np.subtract, NUMERIC, PAIRS, partials=(lambda t, x, y, out: t, lambda t, x, y, out: neg(t))
)
div_p = binary(
    "div", np.true_divide, FLOATING_OR_COMPLEX, PAIRS,
    derivatives=(lambda x, y, out: div(1, y), lambda x, y, out: neg(div(out, y))),
)  # fmt: skip
# Integer division and remainder by zero give 0.


def _floor_divide(x, y):
    """NumPy's, but an infinite operand gives what division gives, as the array API standard says."""
    if x.dtype.kind in "biu":
        return np.floor_divide(x, y)
    return np.where(np.isinf(x) | np.isinf(y), np.true_divide(x, y), np.floor_divide(x, y))


floor_divide_p = binary("floor_divide", _floor_divide, REAL, ((-5.5, 7.25, 3.1), (2.5, -1.5, 1.3)))
remainder_p = binary(
    "remainder", np.remainder, REAL, ((-5.5, 7.25, 3.1), (2.5, -1.5, 1.3)),
    partials=(
        lambda t, x, y, out: t,
        lambda t, x, y, out: scale(t, neg(floor_divide_p.bind(x, y))),
    ),
)  # fmt: skip
fmod_p = binary(
    "fmod", np.fmod, REAL, ((-5.5, 7.25, 3.1), (2.5, -1.5, 1.3)),
    partials=(
        lambda t, x, y, out: t,
        lambda t, x, y, out: scale(t, neg(trunc_p.bind(div(x, y)))),
    ),
)  # fmt: skip


def _pow(x, y):
    if x.dtype.kind in "fc":
        return np.power(x, y)
    # A negative exponent gives what 1/x**|y| rounds to towards zero, and 0 for x == 0.
    parity = np.where(y % 2 == 0, np.abs(x), x)
    return np.where(y < 0, np.where(np.abs(x) == 1, parity, 0), np.power(x, np.maximum(y, 0))).astype(x.dtype)


def _pow_base(x, y, out):
    """y·x^(y−1); 0 for y == 0, also at x == 0."""
    return safe_mul_p.bind(y, pow_p.bind(x, sub(y, 1)))


def _pow_exponent(x, y, out):
    """x^y·log(x); 0 at x == 0 for y ≥ 0."""
    return mul(out, log_p.bind(select(eq(x, 0), 1, x)))


pow_p = binary("pow", _pow, NUMERIC, POSITIVE_PAIRS, derivatives=(_pow_base, _pow_exponent))


def _win(beats: Callable[[Array, Array], Array]) -> Callable[[Array, Array, Array], Array]:
    """The derivative of a maximum: 1 where the operand wins, 1/2 where both are equal, 0 where it loses."""
    return lambda x, y, out: select(eq(x, y), 0.5, convert(beats(x, y), out.dtype))


max_p = binary(
    "max", np.maximum, REAL_OR_BOOL, PAIRS,
    derivatives=(_win(lambda x, y: gt_p.bind(x, y)), _win(lambda x, y: lt_p.bind(x, y))),
)  # fmt: skip
min_p = binary(
    "min", np.minimum, REAL_OR_BOOL, PAIRS,
    derivatives=(_win(lambda x, y: lt_p.bind(x, y)), _win(lambda x, y: gt_p.bind(x, y))),
)  # fmt: skip


def _over_hypot(x, magnitude):
    """x/hypot(x, y), and 0 at the origin."""
    is_origin = eq(magnitude, 0)
    return div(select(is_origin, 0, x), select(is_origin, 1, magnitude))


def _over_square(x, y):
    """x/(x² + y²) without overflow, and 0 at the origin."""
    magnitude = hypot_p.bind(x, y)
    return div(_over_hypot(x, magnitude), select(eq(magnitude, 0), 1, magnitude))


atan2_p = binary(
    "atan2", np.arctan2, FLOATING, PAIRS,
    derivatives=(lambda y, x, out: _over_square(x, y), lambda y, x, out: neg(_over_square(y, x))),
)  # fmt: skip
hypot_p = binary(
    "hypot", np.hypot, FLOATING, PAIRS,
    derivatives=(lambda x, y, out: _over_hypot(x, out), lambda x, y, out: _over_hypot(y, out)),
)  # fmt: skip
copysign_p = binary(
    "copysign", np.copysign, FLOATING, PAIRS,
    derivatives=(lambda x, y, out: mul(sign_p.bind(x), copysign_p.bind(constant_like(y, 1), y)), None),
)  # fmt: skip
# One step from x: so its derivative is that of x.
nextafter_p = binary(
    "nextafter", np.nextafter, FLOATING, PAIRS,
    partials=(lambda t, x, y, out: t, None),
)  # fmt: skip

# Its derivatives are those of the difference, though it is 0 for equal infinities.
excess_p = binary(
    "excess", lambda x, y: np.where(x == y, np.zeros_like(x - y), x - y), FLOATING, PAIRS,
    partials=(lambda t, x, y, out: t, lambda t, x, y, out: neg(t)),
)  # fmt: skip


def _share(x, y):
    """e^x/(e^x + e^y); 1/2 for two equal infinities."""
    same_infinity = and_p.bind(is_inf_p.bind(x), eq(x, y))
    return logistic_p.bind(select(same_infinity, 0, sub(x, y)))


logaddexp_p = binary(
    "logaddexp", np.logaddexp, FLOATING, PAIRS,
    derivatives=(lambda x, y, out: _share(x, y), lambda x, y, out: _share(y, x)),
)  # fmt: skip

# ---------------------------------------------------------------- selection


def _select_abstract(predicate, on_true, on_false):
    check_kind("select", predicate, "b", "predicate")
    check_same_dtype("select", on_true, on_false)
    weak = on_true.weak_type and on_false.weak_type
    return shaped_array(elementwise_shape("select", (predicate, on_true, on_false)), on_true.dtype, weak)


def _columns(*values):
    return tuple([lambda v=v: np.array(v) for v in values])


select_p = elementwise(
    "select",
    np.where,
    _select_abstract,
    (
        None,
        lambda t, predicate, on_true, on_false, out: select(predicate, t, 0),
        lambda t, predicate, on_true, on_false, out: select(predicate, 0, t),
    ),
    samples=[
        Sample(_columns([True, False, True], [1.5, 2.5, -1.0], [0.5, -2.0, 3.0]), {}, (1, 2)),
        Sample(_columns([True, False, True], 1.5, [0.5, -2.0, 3.0]), {}, (1, 2)),
        Sample(_columns(True, [1.5, 2.0], -0.5), {}, (1, 2)),
        Sample(_columns([True, False], [1, 2], [3, 4])),
    ],
)


def _clamp_abstract(lo, x, hi):
    check_same_dtype("clamp", lo, x, hi)
    check_kind("clamp", x, REAL, "operands")
    weak = lo.weak_type and x.weak_type and hi.weak_type
    return shaped_array(elementwise_shape("clamp", (lo, x, hi)), x.dtype, weak)


def _clamp_partials():
    """It is that of x strictly inside (lo, hi), of lo where x < lo < hi, of hi where max(x, lo) > hi.

    On a bound itself it is 0, as in JAX.
    """

    def lowest(t, lo, x, hi, out):
        return select(and_p.bind(lt_p.bind(x, lo), lt_p.bind(lo, hi)), t, 0)

    def inside(t, lo, x, hi, out):
        return select(and_p.bind(lt_p.bind(lo, x), lt_p.bind(x, hi)), t, 0)

    def highest(t, lo, x, hi, out):
        return select(gt_p.bind(max_p.bind(x, lo), hi), t, 0)

    return lowest, inside, highest


clamp_p = elementwise(
    "clamp",
    lambda lo, x, hi: np.minimum(np.maximum(x, lo), hi),
    _clamp_abstract,
    _clamp_partials(),
    samples=[
        Sample(_columns([-1.0, -1.0, -1.0], [-2.0, 0.5, 3.0], [1.0, 1.0, 1.0]), {}, (0, 1, 2)),
        Sample(_columns(-1.0, [-2.0, 0.5, 3.0], 1.0), {}, (0, 1, 2)),
        Sample(_columns(0, [-2, 5, 3], 4)),
    ],
)


def _fma_impl(x, y, z):
    """In twice the precision; float64 has none, and is rounded twice."""
    return (x.astype(np.float64) * y + z).astype(x.dtype)


# x·y + z, rounded once.
fma_p = ternary(
    "fma",
    _fma_impl,
    FLOATING,
    ((-1.75, 0.4, 2.6), (0.5, -1.2, 1.3), (-1.5, 0.25, 2.0)),
    partials=(
        lambda t, x, y, z, out: scale(t, y),
        lambda t, x, y, z, out: scale(t, x),
        lambda t, x, y, z, out: t,
    ),
)
