"""Differences, integrals and interpolation of sampled functions, and polynomials."""

from __future__ import annotations

import math
from typing import Any

from .. import primitives as p
from .._native import Array
from . import elementwise, pointwise, statistical
from .creation import iota, zeros
from .cumulative import cumsum, diff
from .joining import concat, stack
from .manipulation import moveaxis, slice_axis
from .operands import (
    as_array,
    as_dtype_array,
    as_integer,
    as_operand,
    broadcast,
    constant_like,
    convert,
    normalize_axes,
    normalize_axis,
    promote,
    require_kinds,
    reshape_to,
    to_inexact,
)
from .promotion import inexact_dtype
from .searching import searchsorted
from .sorting import argsort
from .streams import streamed
from .taking import take

__all__ = [
    "ediff1d",
    "gradient",
    "interp",
    "polyder",
    "polyint",
    "polyval",
    "trapezoid",
    "unwrap",
    "vander",
]


@streamed
def ediff1d(x: Any, /, to_end: Any = None, to_begin: Any = None, *, stream: Any = None) -> Array:
    """The differences of neighbours in the flattened array, between `to_begin` and `to_end`.

    >>> ft.ediff1d(ft.array([1, 4, 9]), to_end=0)
    array([3, 5, 0], dtype=int32)
    """
    x = as_array(x, "ediff1d")
    require_kinds("ediff1d", x, "iufc", "a numeric")
    parts: list[Array] = [diff(reshape_to(x, (x.size,)))]
    for part, argument, place in ((to_begin, "to_begin", 0), (to_end, "to_end", 2)):
        if part is not None:
            part = as_dtype_array(part, x.dtype, "ediff1d", argument)
            parts.insert(place, reshape_to(part, (part.size,)))
    return concat(parts)


def _derivative(x: Array, axis: int, spacing: Array, edge_order: int) -> Array:
    """Central differences, second-order for uneven spacing too; one-sided at both ends.

    A. Quarteroni, R. Sacco, F. Saleri, Numerical Mathematics (2007), section 10.10.
    """
    n = x.shape[axis]

    def part(start: int, stop: int) -> Array:
        return slice_axis(x, axis, start, stop)

    shape = tuple(n - 1 if i == axis else 1 for i in range(x.ndim))
    h = reshape_to(broadcast(spacing, (n - 1,)), shape)

    def step(start: int, stop: int) -> Array:
        return slice_axis(h, axis, start, stop)

    before, after = step(0, n - 2), step(1, n - 1)
    middle = (
        -after / (before * (before + after)) * part(0, n - 2)
        + (after - before) / (before * after) * part(1, n - 1)
        + before / (after * (before + after)) * part(2, n)
    )
    if edge_order == 1:
        first = (part(1, 2) - part(0, 1)) / step(0, 1)
        last = (part(n - 1, n) - part(n - 2, n - 1)) / step(n - 2, n - 1)
    else:
        a, b = step(0, 1), step(1, 2)
        first = (
            -(2 * a + b) / (a * (a + b)) * part(0, 1)
            + (a + b) / (a * b) * part(1, 2)
            - a / (b * (a + b)) * part(2, 3)
        )
        a, b = step(n - 3, n - 2), step(n - 2, n - 1)
        last = (
            b / (a * (a + b)) * part(n - 3, n - 2)
            - (b + a) / (a * b) * part(n - 2, n - 1)
            + (2 * b + a) / (b * (a + b)) * part(n - 1, n)
        )
    return concat([first, middle, last], axis=axis)


@streamed
def gradient(
    x: Any, /, *spacing: Any, axis: Any = None, edge_order: int = 1, stream: Any = None
) -> Array | list[Array]:
    """The derivative of a sampled function along axes, by differences; `grad` is that of a Python function.

    Args:
        x: the samples; integers count as float32.
        spacing: the distance of samples (1 by default), one for all axes or one for each; or for each axis
            the vector of coordinates.
        axis: None for all axes.
        edge_order: the order of the one-sided differences at the ends, 1 or 2.

    Returns:
        An array of `x`'s shape, or a list of such for several axes.

    Raises:
        ValueError: an axis has no more than `edge_order` samples, or a spacing does not fit.

    >>> ft.gradient(ft.array([1.0, 4.0, 9.0, 16.0]))
    array([3, 4, 6, 7], dtype=float32)
    """
    x = as_array(x, "gradient")
    require_kinds("gradient", x, "iufc", "a numeric")
    x = to_inexact(x)
    axes = normalize_axes("gradient", axis, x.ndim)
    if isinstance(axis, (tuple, list)):
        axes = tuple(normalize_axis("gradient", a, x.ndim) for a in axis)
    if edge_order not in (1, 2):
        raise ValueError(f"gradient: edge_order must be 1 or 2, got {edge_order!r}")
    if len(spacing) not in (0, 1, len(axes)):
        raise ValueError(f"gradient: got {len(spacing)} spacings for {len(axes)} axes")
    spacing = spacing if len(spacing) == len(axes) else (spacing or (1.0,)) * len(axes)
    results = []
    for a, h in zip(axes, spacing, strict=True):
        if x.shape[a] <= edge_order:
            raise ValueError(
                f"gradient: axis {a} must have more than {edge_order} samples, got shape {x.shape}"
            )
        h = as_dtype_array(h, x.dtype, "gradient", "spacing")
        if h.ndim:
            if h.shape != (x.shape[a],):
                raise ValueError(
                    f"gradient: spacing must be a number or a vector of {x.shape[a]}, got shape {h.shape}"
                )
            h = diff(h)
        results.append(_derivative(x, a, h, edge_order))
    return results[0] if len(results) == 1 and not isinstance(axis, (tuple, list)) else results


@streamed
def trapezoid(y: Any, /, x: Any = None, dx: Any = 1.0, axis: int = -1, *, stream: Any = None) -> Array:
    """The integral of a sampled function along an axis by the trapezoidal rule.

    Args:
        y: the samples; integers count as float32.
        x: their coordinates: a vector, or an array that broadcasts with `y`.
        dx: the distance of samples, if there is no `x`.

    >>> ft.trapezoid(ft.array([1.0, 2.0, 3.0]))
    array(4, dtype=float32)
    """
    y = to_inexact(as_array(y, "trapezoid", "y"))
    axis = normalize_axis("trapezoid", axis, y.ndim)
    y = moveaxis(y, axis, -1)
    n = y.shape[-1]
    if x is None:
        width = dx
    else:
        x = as_dtype_array(x, y.dtype, "trapezoid", "x")
        x = x if x.ndim <= 1 else moveaxis(x, axis, -1)
        if x.ndim == 0 or x.shape[-1] != n:
            raise ValueError(f"trapezoid: x must have {n} coordinates along axis {axis}, got shape {x.shape}")
        width = diff(x)
    last = y.ndim - 1
    means = 0.5 * (slice_axis(y, last, min(1, n), n) + slice_axis(y, last, 0, max(n - 1, 0)))
    return statistical.sum(elementwise.multiply(means, width), axis=-1)


@streamed
def interp(
    x: Any,
    xp: Any,
    fp: Any,
    /,
    left: Any = None,
    right: Any = None,
    period: Any = None,
    *,
    stream: Any = None,
) -> Array:
    """The piecewise linear function through the points (xp, fp), at `x`.

    Args:
        x: where to evaluate it.
        xp: a vector of increasing coordinates (in any order if there is a period).
        fp: the values there, of xp's shape.
        left, right: the values before xp[0] (fp[0] by default) and behind xp[-1] (fp[-1]).
        period: of the coordinates.

    Raises:
        ValueError: xp and fp are not vectors of one, not empty, shape, or the period is 0.

    >>> ft.interp(ft.array([0.5, 9.0]), ft.array([0.0, 1.0]), ft.array([0.0, 10.0]))
    array([5, 10], dtype=float32)
    """
    x, xp, _ = promote("interp", x, xp, inexact_dtype, ("x", "xp"))
    fp = to_inexact(as_array(fp, "interp", "fp"))
    left = None if left is None else as_operand(left, "interp", "left")
    right = None if right is None else as_operand(right, "interp", "right")
    require_kinds("interp", x, "f", "a real")
    if xp.ndim != 1 or fp.shape != xp.shape or xp.size == 0:
        raise ValueError(
            f"interp: xp and fp must be vectors of one shape, got shapes {xp.shape} and {fp.shape}"
        )
    if period is not None:
        if type(period) is not Array and period == 0:
            raise ValueError("interp: period must not be 0")
        period = elementwise.abs(as_dtype_array(period, x.dtype, "interp", "period"))
        x, xp = elementwise.remainder(x, period), elementwise.remainder(xp, period)
        order = argsort(xp)
        xp, fp = take(xp, order), take(fp, order)
        n = xp.size
        xp = concat([slice_axis(xp, 0, n - 1, n) - period, xp, slice_axis(xp, 0, 0, 1) + period])
        fp = concat([slice_axis(fp, 0, n - 1, n), fp, slice_axis(fp, 0, 0, 1)])
        left = right = None
    n = xp.size
    upper = pointwise.clip(searchsorted(xp, x, side="right"), 1, max(n - 1, 1))
    lower = upper - 1
    x0, x1, y0, y1 = (take(a, i) for a in (xp, fp) for i in (lower, upper))
    width = x1 - x0
    flat = p.eq_p.bind(width, constant_like(width, 0))
    fraction = convert((x - x0) / pointwise.where(flat, 1, width), fp.dtype)
    value = pointwise.where(flat, y0, y0 + fraction * (y1 - y0))

    def end(i: int, given: Any) -> Any:
        return reshape_to(slice_axis(fp, 0, i, i + 1), ()) if given is None else given

    before, behind = (reshape_to(slice_axis(xp, 0, i, i + 1), ()) for i in (0, n - 1))
    value = pointwise.where(x < before, end(0, left), value)
    return pointwise.where(x > behind, end(n - 1, right), value)


@streamed
def unwrap(
    x: Any, /, discont: Any = None, axis: int = -1, *, period: float = 2 * math.pi, stream: Any = None
) -> Array:
    """Angles without jumps: neighbours differ by half the period at most, multiples of which are added.

    Args:
        discont: only greater jumps than this are taken out; half the period by default.
        period: of the angles.

    >>> ft.unwrap(ft.array([0.0, 3.0, -3.0]))
    array([0, 3, 3.28319], dtype=float32)
    """
    x = to_inexact(as_array(x, "unwrap"))
    require_kinds("unwrap", x, "f", "a real")
    axis = normalize_axis("unwrap", axis, x.ndim)
    jump = diff(x, axis=axis)
    half = period / 2
    wrapped = elementwise.remainder(jump + half, period) - half
    # Half a period up stays up.
    wrapped = pointwise.where((wrapped == -half) & (jump > 0), half, wrapped)
    correction = wrapped - jump
    if discont is not None:
        correction = pointwise.where(elementwise.abs(jump) < discont, 0, correction)
    first = slice_axis(x, axis, 0, min(1, x.shape[axis]))
    rest = slice_axis(x, axis, min(1, x.shape[axis]), x.shape[axis])
    return concat([first, rest + cumsum(correction, axis)], axis=axis)


@streamed
def polyval(coefficients: Any, x: Any, /, *, stream: Any = None) -> Array:
    """The polynomial with these coefficients, the highest power's first, at `x`, by Horner's rule.

    Args:
        coefficients: a vector.

    >>> ft.polyval(ft.array([1.0, 0.0, -1.0]), 3.0)
    array(8, dtype=float32)
    """
    coefficients = as_array(coefficients, "polyval", "coefficients")
    if coefficients.ndim != 1:
        raise ValueError(f"polyval: coefficients must have 1 dimension, got shape {coefficients.shape}")
    coefficients, x, dtype = promote("polyval", coefficients, x, names=("coefficients", "x"))
    require_kinds("polyval", coefficients, "iufc", "a numeric", "coefficients")
    value = zeros(x.shape, dtype=dtype)
    for i in range(coefficients.size):
        value = value * x + reshape_to(slice_axis(coefficients, 0, i, i + 1), ())
    return value


def _polynomial(function: str, coefficients: Any) -> Array:
    coefficients = as_array(coefficients, function, "coefficients")
    if coefficients.ndim != 1:
        raise ValueError(f"{function}: coefficients must have 1 dimension, got shape {coefficients.shape}")
    require_kinds(function, coefficients, "iufc", "a numeric", "coefficients")
    return coefficients


@streamed
def polyder(coefficients: Any, /, m: int = 1, *, stream: Any = None) -> Array:
    """The coefficients of the m-th derivative of a polynomial, the highest power's first.

    >>> ft.polyder(ft.array([1.0, 2.0, 3.0]))
    array([2, 2], dtype=float32)
    """
    c = _polynomial("polyder", coefficients)
    for _ in range(min(as_integer(m, "polyder", "m", least=0), c.size)):
        n = max(c.size - 1, 0)
        c = slice_axis(c, 0, 0, n) * convert(p.rev_p.bind(iota(n) + 1, axes=(0,)), c.dtype)
    return c


@streamed
def polyint(coefficients: Any, /, m: int = 1, k: Any = 0, *, stream: Any = None) -> Array:
    """The coefficients of the m-th integral of a polynomial, the highest power's first.

    Args:
        k: the constants of integration: one for all, or a vector of m.

    >>> ft.polyint(ft.array([2.0, 2.0]), k=3.0)
    array([1, 2, 3], dtype=float32)
    """
    c = to_inexact(_polynomial("polyint", coefficients))
    m = as_integer(m, "polyint", "m", least=0)
    constants = as_dtype_array(k, c.dtype, "polyint", "k")
    if constants.ndim > 1 or constants.size not in (1, m):
        raise ValueError(f"polyint: k must be one constant or a vector of {m}, got shape {constants.shape}")
    constants = broadcast(reshape_to(constants, (constants.size,)), (m,))
    for i in range(m):
        powers = p.rev_p.bind(iota(c.size) + 1, axes=(0,))
        c = concat([c / convert(powers, c.dtype), slice_axis(constants, 0, i, i + 1)])
    return c


@streamed
def vander(x: Any, /, N: int | None = None, increasing: bool = False, *, stream: Any = None) -> Array:
    """The matrix of the powers of a vector's elements, a row each.

    Args:
        N: how many columns: the powers N - 1, …, 0; as many as `x` has elements by default.
        increasing: whether the powers go up: 0, …, N - 1.

    >>> ft.vander(ft.array([1, 2, 3]))
    array([[1, 1, 1],
           [4, 2, 1],
           [9, 3, 1]], dtype=int32)
    """
    x = as_array(x, "vander")
    if x.ndim != 1:
        raise ValueError(f"vander: x must have 1 dimension, got shape {x.shape}")
    require_kinds("vander", x, "iufc", "a numeric")
    columns = x.size if N is None else as_integer(N, "vander", "N", least=0)
    if columns == 0:
        return zeros((x.size, 0), dtype=x.dtype)
    powers = [broadcast(constant_like(x, 1), x.shape)]
    for _ in range(columns - 1):
        powers.append(powers[-1] * x)
    return stack(powers if increasing else powers[::-1], axis=1)
