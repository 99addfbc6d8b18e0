"""Elementwise functions composed of several primitives, and those with a signature of their own."""

from __future__ import annotations

import math
from typing import Any

from .._native import Array, bool_, float64, user_function
from ..core.primitive import Primitive
from ..primitives import (
    abs_p,
    add_p,
    and_p,
    clamp_p,
    complex_p,
    conj_p,
    div_p,
    eq_p,
    floor_divide_p,
    imag_p,
    is_inf_p,
    is_nan_p,
    le_p,
    logaddexp_p,
    lt_p,
    max_p,
    min_p,
    mul_p,
    ne_p,
    not_p,
    or_p,
    population_count_p,
    pow_p,
    real_p,
    remainder_p,
    round_p,
    select_p,
    sin_p,
    square_p,
    sub_p,
    xor_p,
)
from . import elementwise
from ._elementwise_factory import ELEMENTWISE
from .operands import (
    as_array,
    as_dtype_array,
    as_integer,
    as_operand,
    broadcast,
    broadcast_operands,
    constant_like,
    convert,
    promote,
    promoted_dtype,
    require_kinds,
    to_inexact,
)
from .promotion import inexact_dtype, largest_finite, scalar
from .streams import run_on, streamed

_MOST_MULTIPLICATIONS = 16  # the greatest |exponent| that is multiplied out


@user_function
def power(x1: Any, x2: Any, /, *, stream: Any = None) -> Array:
    """x1 ** x2. A small Python int exponent is multiplied out, so its derivative exists everywhere.

    Args:
        x1, x2: numeric arrays or numbers that broadcast; bools count as int8.
        stream: the Stream or Device to run on.

    Raises:
        ValueError: integers to a negative Python int, or shapes that do not broadcast.

    >>> ft.power(ft.array([1.0, 2.0, 3.0]), 2)
    array([1, 4, 9], dtype=float32)
    """
    if stream is not None:
        return run_on(stream, power, x1, x2)
    if type(x2) is int and type(x1) is Array and x1.dtype.kind != "b":
        if x2 < 0 and x1.dtype.kind in "iu":
            raise ValueError(
                f"power: integers to the negative power {x2} are not integers; convert to a float first"
            )
        if -_MOST_MULTIPLICATIONS <= x2 <= _MOST_MULTIPLICATIONS:
            return _integer_power(x1, x2)
    x1, x2, _ = promote("power", x1, x2, elementwise.bool_to_int8)
    return pow_p.bind(*broadcast_operands("power", x1, x2))


def _integer_power(x: Array, exponent: int) -> Array:
    """`x` to an integer power by repeated squaring."""
    if exponent == 0:
        return broadcast(scalar(1, x.dtype, x.weak_type), x.shape)
    if exponent < 0:
        return div_p.bind(constant_like(x, 1), _integer_power(x, -exponent))
    if exponent == 1:
        return x._snapshot()
    root = _integer_power(x, exponent // 2)
    return mul_p.bind(square_p.bind(root), x) if exponent % 2 else square_p.bind(root)


@streamed
def positive(x: Any, /, *, stream: Any = None) -> Array:
    """`x` itself, of any numeric dtype.

    >>> ft.positive(ft.array([-1.0]))
    array([-1], dtype=float32)
    """
    x = as_array(x, "positive")
    require_kinds("positive", x, "iufc", "a numeric")
    return x._snapshot()


@streamed
def reciprocal(x: Any, /, *, stream: Any = None) -> Array:
    """1 / x, in float32 for integers.

    >>> ft.reciprocal(ft.array([2.0, 4.0]))
    array([0.5, 0.25], dtype=float32)
    """
    x = to_inexact(as_array(x, "reciprocal"))
    return div_p.bind(constant_like(x, 1), x)


@streamed
def divmod(x1: Any, x2: Any, /, *, stream: Any = None) -> tuple[Array, Array]:
    """(floor_divide(x1, x2), remainder(x1, x2)).

    >>> ft.divmod(ft.array([7, -7]), 4)
    (array([1, -2], dtype=int32), array([3, 1], dtype=int32))
    """
    x1, x2, _ = promote("divmod", x1, x2, elementwise.bool_to_int8)
    require_kinds("divmod", x1, "iuf", "a real", "x1 and x2")
    x1, x2 = broadcast_operands("divmod", x1, x2)
    return floor_divide_p.bind(x1, x2), remainder_p.bind(x1, x2)


@streamed
def where(condition: Any, x1: Any, x2: Any, /, *, stream: Any = None) -> Array:
    """Elements of x1 where `condition` holds, of x2 elsewhere.

    Args:
        condition: an array; non-zero counts as true.
        x1, x2: arrays or numbers that broadcast with `condition`; their dtypes are promoted.

    >>> ft.where(ft.array([True, False]), ft.array([1.0, 2.0]), 0)
    array([1, 0], dtype=float32)
    """
    condition = to_bool(as_array(condition, "where", "condition"))
    x1, x2, _ = promote("where", x1, x2)
    return select_p.bind(*broadcast_operands("where", condition, x1, x2))


@streamed
def clip(x: Any, /, min: Any = None, max: Any = None, *, stream: Any = None) -> Array:
    """`x` limited to [min, max]; None for no limit. `max` wins where min > max.

    Args:
        x: a real array.
        min, max: numbers or arrays that broadcast with `x`.

    Returns:
        An array of the promoted dtype and the broadcast shape.

    >>> ft.clip(ft.array([-1.0, 0.5, 3.0]), 0, 1)
    array([0, 0.5, 1], dtype=float32)
    """
    given = (("x", x), ("min", min), ("max", max))
    operands = [as_operand(value, "clip", name) for name, value in given if value is not None]
    bounds = operands[1:]
    dtype = promoted_dtype("clip", *operands)
    x = as_dtype_array(operands[0], dtype, "clip", "x")
    require_kinds("clip", x, "iuf", "a real")
    if len(bounds) == 2:
        low, high = (as_dtype_array(b, dtype, "clip", n) for b, n in zip(bounds, ("min", "max"), strict=True))
        return clamp_p.bind(*broadcast_operands("clip", low, x, high))
    if min is not None:
        return max_p.bind(*broadcast_operands("clip", x, as_dtype_array(min, dtype, "clip", "min")))
    if max is not None:
        return min_p.bind(*broadcast_operands("clip", x, as_dtype_array(max, dtype, "clip", "max")))
    return x._snapshot()


@streamed
def round(x: Any, /, decimals: int = 0, *, stream: Any = None) -> Array:
    """`x` rounded to `decimals` places, ties to even. Negative places round integers too.

    >>> ft.round(ft.array([0.5, 1.5, 2.345]), 2)
    array([0.5, 1.5, 2.34], dtype=float32)
    """
    x, decimals = as_array(x, "round"), as_integer(decimals, "round", "decimals")
    kind = x.dtype.kind
    if kind == "c":
        return complex_p.bind(round(real_p.bind(x), decimals), round(imag_p.bind(x), decimals))
    if kind in "biu":
        if decimals >= 0:
            return x._snapshot()
        return convert(round(convert(x, float64), decimals), x.dtype)
    if decimals == 0:
        return round_p.bind(x)
    scale = constant_like(x, 10.0 ** (decimals if decimals > 0 else -decimals))
    if decimals > 0:
        return div_p.bind(round_p.bind(mul_p.bind(x, scale)), scale)
    return mul_p.bind(round_p.bind(div_p.bind(x, scale)), scale)


def to_bool(x: Array) -> Array:
    """Whether each element is non-zero."""
    return x if x.dtype is bool_ else ne_p.bind(x, constant_like(x, 0))


@streamed
def logical_not(x: Any, /, *, stream: Any = None) -> Array:
    """Whether each element is zero or False.

    >>> ft.logical_not(ft.array([True, False]))
    array([False, True], dtype=bool)
    """
    return not_p.bind(to_bool(as_array(x, "logical_not")))


def _logical(name: str, primitive: Primitive, x1: Any, x2: Any) -> Array:
    operands = [to_bool(as_array(x, name, argument)) for x, argument in ((x1, "x1"), (x2, "x2"))]
    return primitive.bind(*broadcast_operands(name, *operands))


@streamed
def logical_and(x1: Any, x2: Any, /, *, stream: Any = None) -> Array:
    """Whether both elements are non-zero.

    >>> ft.logical_and(ft.array([True, True]), ft.array([True, False]))
    array([True, False], dtype=bool)
    """
    return _logical("logical_and", and_p, x1, x2)


@streamed
def logical_or(x1: Any, x2: Any, /, *, stream: Any = None) -> Array:
    """Whether either element is non-zero.

    >>> ft.logical_or(ft.array([True, False]), ft.array([False, False]))
    array([True, False], dtype=bool)
    """
    return _logical("logical_or", or_p, x1, x2)


@streamed
def logical_xor(x1: Any, x2: Any, /, *, stream: Any = None) -> Array:
    """Whether just one element is non-zero.

    >>> ft.logical_xor(ft.array([True, True]), ft.array([True, False]))
    array([False, True], dtype=bool)
    """
    return _logical("logical_xor", xor_p, x1, x2)


@streamed
def real(x: Any, /, *, stream: Any = None) -> Array:
    """The real part; a real array as it is.

    >>> ft.real(ft.array([1 + 2j]))
    array([1], dtype=float32)
    """
    x = as_array(x, "real")
    return real_p.bind(x) if x.dtype.kind == "c" else x._snapshot()


@streamed
def imag(x: Any, /, *, stream: Any = None) -> Array:
    """The imaginary part; zeros of a real array.

    >>> ft.imag(ft.array([1 + 2j]))
    array([2], dtype=float32)
    """
    x = as_array(x, "imag")
    return imag_p.bind(x) if x.dtype.kind == "c" else broadcast(scalar(0, x.dtype, x.weak_type), x.shape)


@streamed
def conj(x: Any, /, *, stream: Any = None) -> Array:
    """The complex conjugate; a real array as it is.

    >>> ft.imag(ft.conj(ft.array([1 + 2j])))
    array([-2], dtype=float32)
    """
    x = as_array(x, "conj")
    return conj_p.bind(x) if x.dtype.kind == "c" else x._snapshot()


@streamed
def angle(x: Any, /, *, stream: Any = None) -> Array:
    """The argument of each complex number, in (-pi, pi].

    >>> ft.angle(ft.array([1j, -1 + 0j]))
    array([1.5708, 3.14159], dtype=float32)
    """
    x = to_inexact(as_array(x, "angle"))
    return elementwise.atan2(imag(x), real(x))


@streamed
def signbit(x: Any, /, *, stream: Any = None) -> Array:
    """Whether the sign bit of each float is set: true for -0.0 too.

    >>> ft.signbit(ft.array([-0.0, 0.0]))
    array([True, False], dtype=bool)
    """
    x = to_inexact(as_array(x, "signbit"))
    return elementwise.less(elementwise.copysign(constant_like(x, 1), x), 0.0)


@streamed
def bitwise_count(x: Any, /, *, stream: Any = None) -> Array:
    """The number of one bits of the absolute value of each integer.

    >>> ft.bitwise_count(ft.array([0, 5, -5]))
    array([0, 2, 2], dtype=int32)
    """
    x = as_array(x, "bitwise_count")
    require_kinds("bitwise_count", x, "iu", "an integer")
    return population_count_p.bind(abs_p.bind(x) if x.dtype.kind == "i" else x)


@streamed
def degrees(x: Any, /, *, stream: Any = None) -> Array:
    """Radians to degrees.

    >>> ft.degrees(ft.array([0.0, 3.1415927]))
    array([0, 180], dtype=float32)
    """
    return elementwise.multiply(to_inexact(as_array(x, "degrees")), 180.0 / math.pi)


@streamed
def radians(x: Any, /, *, stream: Any = None) -> Array:
    """Degrees to radians.

    >>> ft.radians(ft.array([0.0, 180.0]))
    array([0, 3.14159], dtype=float32)
    """
    return elementwise.multiply(to_inexact(as_array(x, "radians")), math.pi / 180.0)


@streamed
def sinc(x: Any, /, *, stream: Any = None) -> Array:
    """sin(pi x) / (pi x), 1 at 0. Its derivatives at 0 are those of the function, not NaN.

    >>> ft.sinc(ft.array([0.0, 0.5]))
    array([1, 0.63662], dtype=float32)
    """
    x = to_inexact(as_array(x, "sinc"))
    scaled = mul_p.bind(x, constant_like(x, math.pi))
    at_zero = eq_p.bind(scaled, constant_like(x, 0))
    safe = select_p.bind(at_zero, constant_like(x, 1), scaled)
    series = sub_p.bind(constant_like(x, 1), div_p.bind(square_p.bind(scaled), constant_like(x, 6)))
    return select_p.bind(at_zero, series, div_p.bind(sin_p.bind(safe), safe))


@streamed
def heaviside(x1: Any, x2: Any, /, *, stream: Any = None) -> Array:
    """0 where x1 < 0, x2 where x1 == 0, 1 where x1 > 0.

    >>> ft.heaviside(ft.array([-1.0, 0.0, 2.0]), 0.5)
    array([0, 0.5, 1], dtype=float32)
    """
    x1, x2, _ = promote("heaviside", x1, x2, inexact_dtype)
    require_kinds("heaviside", x1, "f", "a real", "x1 and x2")
    x1, x2 = broadcast_operands("heaviside", x1, x2)
    zero, one = constant_like(x1, 0), constant_like(x1, 1)
    step = select_p.bind(lt_p.bind(x1, zero), zero, select_p.bind(eq_p.bind(x1, zero), x2, one))
    return select_p.bind(is_nan_p.bind(x1), x1, step)


@streamed
def nan_to_num(
    x: Any,
    /,
    nan: float = 0.0,
    posinf: float | None = None,
    neginf: float | None = None,
    *,
    stream: Any = None,
) -> Array:
    """`x` with NaN and infinities replaced, these by the dtype's greatest and least finite values by default.

    >>> ft.nan_to_num(ft.array([1.0, float("nan"), float("inf")]), posinf=9.0)
    array([1, 0, 9], dtype=float32)
    """
    x = as_array(x, "nan_to_num")
    if x.dtype.kind in "biu":
        return x._snapshot()
    if x.dtype.kind == "c":
        parts = (real_p.bind(x), imag_p.bind(x))
        return complex_p.bind(*[nan_to_num(part, nan, posinf, neginf) for part in parts])
    largest = largest_finite(x.dtype)
    high = constant_like(x, largest if posinf is None else posinf)
    low = constant_like(x, -largest if neginf is None else neginf)
    infinite = select_p.bind(lt_p.bind(x, constant_like(x, 0)), low, high)
    finite = select_p.bind(is_inf_p.bind(x), infinite, x)
    return select_p.bind(is_nan_p.bind(x), constant_like(x, nan), finite)


@streamed
def isclose(
    x1: Any,
    x2: Any,
    /,
    rtol: float = 1e-05,
    atol: float = 1e-08,
    *,
    equal_nan: bool = False,
    stream: Any = None,
) -> Array:
    """Whether ``abs(x1 - x2) <= atol + rtol * abs(x2)``, or x1 == x2, or both are NaN and `equal_nan`.

    >>> ft.isclose(ft.array([1.0, 2.0]), ft.array([1.0 + 1e-7, 2.1]))
    array([True, False], dtype=bool)
    """
    x1, x2, _ = promote("isclose", x1, x2, inexact_dtype)
    x1, x2 = broadcast_operands("isclose", x1, x2)
    difference, size = elementwise.abs(sub_p.bind(x1, x2)), elementwise.abs(x2)
    tolerance = add_p.bind(mul_p.bind(size, constant_like(size, rtol)), constant_like(size, atol))
    close = and_p.bind(le_p.bind(difference, tolerance), elementwise.isfinite(tolerance))
    result = or_p.bind(close, eq_p.bind(x1, x2))
    if equal_nan:
        result = or_p.bind(result, and_p.bind(is_nan_p.bind(x1), is_nan_p.bind(x2)))
    return result


def _ignoring_nan(function: str, extreme: Primitive, x1: Any, x2: Any) -> Array:
    x1, x2, dtype = promote(function, x1, x2, elementwise.bool_to_int8)
    require_kinds(function, x1, "iuf", "a real", "x1 and x2")
    x1, x2 = broadcast_operands(function, x1, x2)
    result = extreme.bind(x1, x2)
    if dtype.kind != "f":
        return result
    result = select_p.bind(is_nan_p.bind(x1), x2, result)
    return select_p.bind(is_nan_p.bind(x2), x1, result)


@streamed
def fmax(x1: Any, x2: Any, /, *, stream: Any = None) -> Array:
    """The greater of x1 and x2, or the one of them that is not NaN.

    >>> ft.fmax(ft.array([1.0, float("nan")]), 2.0)
    array([2, 2], dtype=float32)
    """
    return _ignoring_nan("fmax", max_p, x1, x2)


@streamed
def fmin(x1: Any, x2: Any, /, *, stream: Any = None) -> Array:
    """The lesser of x1 and x2, or the one of them that is not NaN.

    >>> ft.fmin(ft.array([1.0, float("nan")]), 2.0)
    array([1, 2], dtype=float32)
    """
    return _ignoring_nan("fmin", min_p, x1, x2)


@streamed
def logaddexp2(x1: Any, x2: Any, /, *, stream: Any = None) -> Array:
    """log2(2**x1 + 2**x2) without overflow.

    >>> ft.logaddexp2(ft.array([0.0, 1000.0]), ft.array([0.0, 1000.0]))
    array([1, 1001], dtype=float32)
    """
    x1, x2, _ = promote("logaddexp2", x1, x2, inexact_dtype)
    require_kinds("logaddexp2", x1, "f", "a real", "x1 and x2")
    scale = constant_like(x1, math.log(2))
    scaled = [mul_p.bind(x, scale) for x in broadcast_operands("logaddexp2", x1, x2)]
    return div_p.bind(logaddexp_p.bind(*scaled), scale)


@streamed
def iscomplex(x: Any, /, *, stream: Any = None) -> Array:
    """Whether each element has an imaginary part other than 0.

    >>> ft.iscomplex(ft.array([1 + 1j, 1 + 0j]))
    array([True, False], dtype=bool)
    """
    x = imag(as_array(x, "iscomplex"))
    return ne_p.bind(x, constant_like(x, 0))


@streamed
def isreal(x: Any, /, *, stream: Any = None) -> Array:
    """Whether each element has no imaginary part, or 0 for it.

    >>> ft.isreal(ft.array([1 + 1j, 1 + 0j]))
    array([False, True], dtype=bool)
    """
    x = imag(as_array(x, "isreal"))
    return eq_p.bind(x, constant_like(x, 0))


ELEMENTWISE["power"] = (pow_p, power)

around = round
conjugate = conj
deg2rad, rad2deg = radians, degrees
pow = power
