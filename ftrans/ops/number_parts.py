"""The parts that numbers are made of: significands and exponents, fractions, common divisors."""

from __future__ import annotations

import math
from typing import Any

from .. import primitives as p
from .._native import Array, int16, int32, int64
from .operands import (
    as_array,
    broadcast_operands,
    constant_like,
    convert,
    promote,
    require_kinds,
    to_inexact,
)
from .promotion import FLOAT_FORMATS
from .statistical import accumulator_dtype
from .streams import streamed

__all__ = ["fix", "frexp", "gcd", "isneginf", "isposinf", "lcm", "ldexp", "modf"]


def _is_infinity(function: str, x: Any, value: float) -> Array:
    x = as_array(x, function)
    require_kinds(function, x, "biuf", "a real")
    x = to_inexact(x)
    return p.eq_p.bind(x, constant_like(x, value))


@streamed
def isposinf(x: Any, /, *, stream: Any = None) -> Array:
    """Whether each element of a real array is positive infinity.

    >>> ft.isposinf(ft.array([1.0, float("inf"), float("-inf")]))
    array([False, True, False], dtype=bool)
    """
    return _is_infinity("isposinf", x, math.inf)


@streamed
def isneginf(x: Any, /, *, stream: Any = None) -> Array:
    """Whether each element of a real array is negative infinity.

    >>> ft.isneginf(ft.array([1.0, float("inf"), float("-inf")]))
    array([False, False, True], dtype=bool)
    """
    return _is_infinity("isneginf", x, -math.inf)


@streamed
def fix(x: Any, /, *, stream: Any = None) -> Array:
    """Each element of a real array with its fraction dropped.

    >>> ft.fix(ft.array([1.5, -1.5]))
    array([1, -1], dtype=float32)
    """
    x = as_array(x, "fix")
    require_kinds("fix", x, "biuf", "a real")
    return p.trunc_p.bind(x) if x.dtype.kind == "f" else x._snapshot()


@streamed
def modf(x: Any, /, *, stream: Any = None) -> tuple[Array, Array]:
    """The fraction and the whole part of each element, both of its sign.

    >>> ft.modf(ft.array([1.5, -2.25]))
    (array([0.5, -0.25], dtype=float32), array([1, -2], dtype=float32))
    """
    x = as_array(x, "modf")
    require_kinds("modf", x, "biuf", "a real")
    x = to_inexact(x)
    whole = p.trunc_p.bind(x)
    infinite = p.is_inf_p.bind(x)
    fraction = p.select_p.bind(infinite, constant_like(x, 0), p.sub_p.bind(x, whole))
    return p.copysign_p.bind(fraction, x), whole


#: Bytes of a float dtype → the integer dtype of its width.
_INTEGERS = {2: int16, 4: int32, 8: int64}


def _power_of_two(exponent: Array, like: Array) -> Array:
    """2 ** exponent, exactly, from its bits; the exponent must be that of a normal number."""
    bias, digits = FLOAT_FORMATS[like.dtype]
    integer = _INTEGERS[like.dtype.itemsize]
    biased = p.add_p.bind(convert(exponent, integer), convert(constant_like(exponent, bias - 1), integer))
    bits = p.shift_left_p.bind(biased, constant_like(biased, digits - 1))
    return p.bitcast_p.bind(bits, dtype=like.dtype)


def _scaled(x: Array, exponent: Array) -> Array:
    """`x` * 2 ** exponent with one rounding, half precision by way of single.

    In up to three steps, since 2 ** exponent may overflow or underflow where the product does not. A step
    down leaves as many digits as there are, so that only the last step can round.
    """
    result, x = x.dtype, convert(x, accumulator_dtype(x.dtype))
    bias, digits = FLOAT_FORMATS[x.dtype]
    up, down = bias - 1, 2 - bias + digits
    for _ in range(2):
        too_high = p.gt_p.bind(exponent, constant_like(exponent, up))
        too_low = p.lt_p.bind(exponent, constant_like(exponent, 2 - bias))
        step = p.select_p.bind(too_low, constant_like(exponent, down), constant_like(exponent, 0))
        step = p.select_p.bind(too_high, constant_like(exponent, up), step)
        x = p.mul_p.bind(*broadcast_operands("ldexp", x, _power_of_two(step, x)))
        exponent = p.sub_p.bind(exponent, step)
    exponent = p.clamp_p.bind(constant_like(exponent, 2 - bias), exponent, constant_like(exponent, up))
    return convert(p.mul_p.bind(*broadcast_operands("ldexp", x, _power_of_two(exponent, x))), result)


@streamed
def ldexp(x1: Any, x2: Any, /, *, stream: Any = None) -> Array:
    """x1 * 2 ** x2, rounded once.

    Args:
        x1: a real array; integers count as float32.
        x2: integers that broadcast with `x1`.

    >>> ft.ldexp(ft.array([0.5, 3.0]), ft.array([3, -1]))
    array([4, 1.5], dtype=float32)
    """
    x1, x2 = to_inexact(as_array(x1, "ldexp", "x1")), as_array(x2, "ldexp", "x2")
    require_kinds("ldexp", x1, "f", "a real", "x1")
    require_kinds("ldexp", x2, "iu", "an integer", "x2")
    if x2.dtype.itemsize >= 4:  # beyond these limits every result is 0 or infinite
        low = constant_like(x2, 0 if x2.dtype.kind == "u" else -5000)
        x2 = p.clamp_p.bind(low, x2, constant_like(x2, 5000))
    return _scaled(*broadcast_operands("ldexp", x1, convert(x2, int32)))


@streamed
def frexp(x: Any, /, *, stream: Any = None) -> tuple[Array, Array]:
    """(m, e), e of int32, with x = m * 2 ** e and 0.5 <= abs(m) < 1; (x, 0) for 0, infinities and NaN.

    >>> ft.frexp(ft.array([8.0, 0.75]))
    (array([0.5, 0.75], dtype=float32), array([4, 0], dtype=int32))
    """
    x = to_inexact(as_array(x, "frexp"))
    require_kinds("frexp", x, "f", "a real")
    bias, digits = FLOAT_FORMATS[x.dtype]
    bits = p.bitcast_p.bind(x, dtype=_INTEGERS[x.dtype.itemsize])
    subnormal = p.eq_p.bind(_exponent_field(bits, bias, digits), constant_like(bits, 0))
    # Scaled up by a power of two, a subnormal number is a normal one.
    normal = p.select_p.bind(subnormal, p.mul_p.bind(x, constant_like(x, 2.0**digits)), x)
    field = _exponent_field(p.bitcast_p.bind(normal, dtype=bits.dtype), bias, digits)
    exponent = p.sub_p.bind(convert(field, int32), constant_like(convert(field, int32), bias - 2))
    exponent = p.sub_p.bind(
        exponent,
        p.select_p.bind(subnormal, constant_like(exponent, digits), constant_like(exponent, 0)),
    )
    ordinary = p.and_p.bind(p.is_finite_p.bind(x), p.ne_p.bind(x, constant_like(x, 0)))
    exponent = p.select_p.bind(ordinary, exponent, constant_like(exponent, 0))
    return _scaled(x, p.neg_p.bind(exponent)), exponent


def _exponent_field(bits: Array, bias: int, digits: int) -> Array:
    shifted = p.shift_right_p.bind(bits, constant_like(bits, digits - 1))
    return p.and_p.bind(shifted, constant_like(bits, 2 * bias - 1))


def _greatest_common_divisor(x1: Array, x2: Array) -> Array:
    """Euclid's algorithm, unrolled: consecutive Fibonacci numbers take the most steps."""
    bits = 8 * x1.dtype.itemsize
    for _ in range(math.ceil(bits * math.log(2) / math.log((1 + math.sqrt(5)) / 2)) + 1):
        more = p.ne_p.bind(x2, constant_like(x2, 0))
        rest = p.fmod_p.bind(x1, x2)
        x1, x2 = p.select_p.bind(more, x2, x1), p.select_p.bind(more, rest, x2)
    return x1


def _two_integers(function: str, x1: Any, x2: Any) -> tuple[Array, Array]:
    x1, x2, _ = promote(function, x1, x2)
    require_kinds(function, x1, "iu", "an integer", "x1 and x2")
    x1, x2 = broadcast_operands(function, x1, x2)
    return (p.abs_p.bind(x1), p.abs_p.bind(x2)) if x1.dtype.kind == "i" else (x1, x2)


@streamed
def gcd(x1: Any, x2: Any, /, *, stream: Any = None) -> Array:
    """The greatest common divisor of integers, not negative; that of 0 and 0 is 0.

    >>> ft.gcd(ft.array([12, 7]), ft.array([18, 0]))
    array([6, 7], dtype=int32)
    """
    return _greatest_common_divisor(*_two_integers("gcd", x1, x2))


@streamed
def lcm(x1: Any, x2: Any, /, *, stream: Any = None) -> Array:
    """The least common multiple of integers, not negative; 0 where either is 0.

    >>> ft.lcm(ft.array([4, 7]), ft.array([6, 0]))
    array([12, 0], dtype=int32)
    """
    x1, x2 = _two_integers("lcm", x1, x2)
    divisor = _greatest_common_divisor(x1, x2)
    # Division by zero gives zero.
    return p.mul_p.bind(*broadcast_operands("lcm", p.floor_divide_p.bind(x1, divisor), x2))
