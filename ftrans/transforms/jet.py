"""jet: derivatives of high order along a curve, in one pass."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from .._native import Array, user_function
from ..core.pytree import as_array, flatten, unflatten
from ..core.source import ArgumentSource, function_name
from ..core.tracing import trace_to_jaxpr
from ..primitives.elementwise import mul
from ..primitives.layout import zeros_like
from .arguments import (
    FlatFunction,
    argument_arrays,
    argument_sources,
    check_callable,
    check_no_tangent,
    typed_like,
)
from .taylor import Series, taylor_coefficients


@user_function
def jet(fun: Callable, primals: Any, series: Any, *, factorial_scaled: bool = True) -> tuple[Any, Any]:
    """The value of a function and its derivatives of all orders up to K along a curve, in one pass.

    The cost grows with K² or K³, where nested `jvp` takes 2ᴷ times the function's. The function is traced,
    so its control flow may not depend on values; the method is that of `transforms.taylor`.

    Args:
        fun: a function of arrays or pytrees of arrays.
        primals: tuple of the arguments, x(0).
        series: tuple with, for each argument, a list of the K derivatives x'(0), x''(0), …: trees of the
            structure, shapes and dtypes of the argument. Integers, those of integers, are ignored.
        factorial_scaled: whether `series`, here and in the result, holds derivatives; if not, Taylor
            coefficients, which are smaller by k!.

    Returns:
        ``(output, output_series)``: ``fun(x(0))``, and a tree like it with a list of the K derivatives of
        ``fun(x(t))`` at t = 0 in place of each leaf.

    Raises:
        TypeError: `primals` and `series` are not tuples or lists of one length, a structure or dtype differs.
        ValueError: the lists in `series` differ in length, or a shape is not that of its primal.
        ConcretizationError: `fun` needs the value of a traced array.

    >>> ft.jet(ft.sin, (0.0,), ([1.0, 0.0, 0.0],))  # along x(t) = t
    (array(0, dtype=float32), [array(1, dtype=float32), array(0, dtype=float32), array(-1, dtype=float32)])
    """
    check_callable("jet", fun)
    for name, given in (("primals", primals), ("series", series)):
        if not isinstance(given, (tuple, list)):
            raise TypeError(
                f"jet: {name} must be a tuple with one entry for each argument of {function_name(fun)}, "
                f"got {given!r}"
            )
    if len(primals) != len(series):
        raise TypeError(
            f"jet: series must have one list for each of the {len(primals)} primals, got {len(series)}"
        )
    leaves, structure = flatten((tuple(primals), {}))
    arrays = argument_arrays("jet", fun, leaves, structure)
    sources = argument_sources(fun, structure)
    orders = _orders(fun, primals, series)
    inputs = [Series([x]) if x.aval.is_inexact else Series([x], is_constant=True) for x in arrays]
    for k, terms in enumerate(orders, 1):
        scale = 1 / math.factorial(k) if factorial_scaled else 1
        for curve, term, source in zip(inputs, terms, sources, strict=True):
            if curve.is_constant:
                number = as_array(term, lambda s=source: f"jet: the series of {s}")  # type: ignore[misc]
                check_no_tangent("jet", "series", number, curve.value, source)
            else:
                curve.terms.append(_scaled(_term(term, curve.value, source, k), scale))

    function = FlatFunction("jet", fun, structure.unflatten)
    closed = trace_to_jaxpr(function, [x.aval for x in arrays], "jet", sources)
    outputs = taylor_coefficients(closed.jaxpr, closed.consts, inputs, len(orders))
    values = [s.value._snapshot() for s in outputs]
    derivatives = []
    for s, value in zip(outputs, values, strict=True):
        zero = zeros_like(value)
        terms = [s[k] for k in range(1, len(orders) + 1)]
        derivatives.append(
            [
                zero._snapshot() if t is None else _scaled(t, math.factorial(k) if factorial_scaled else 1)
                for k, t in enumerate(terms, 1)
            ]
        )
    return unflatten(function.structure, values), unflatten(function.structure, derivatives)


def _scaled(x: Array, factor: float) -> Array:
    return x._snapshot() if factor == 1 else mul(x, factor)


def _orders(fun: Callable, primals: Sequence[Any], series: Sequence[Any]) -> list[list[Any]]:
    """The leaves of all the arguments' terms, order by order."""
    for i, terms in enumerate(series):
        if not isinstance(terms, (tuple, list)):
            raise TypeError(
                f"jet: series of argument {i} of {function_name(fun)} must be a list of derivatives, "
                f"got {terms!r}"
            )
    lengths = {len(terms) for terms in series}
    if len(lengths) > 1:
        raise ValueError(
            f"jet: series must have as many terms for every argument of {function_name(fun)}, "
            f"got {[len(terms) for terms in series]}"
        )
    orders = []
    for k in range(lengths.pop() if lengths else 0):
        row: list[Any] = []
        for i, (primal, terms) in enumerate(zip(primals, series, strict=True)):
            leaves, structure = flatten(terms[k])
            if structure != flatten(primal)[1]:
                raise TypeError(
                    f"jet: term {k + 1} of the series of argument {i} of {function_name(fun)} must have the "
                    f"structure of the primal, {flatten(primal)[1]}, got {structure}"
                )
            row += leaves
        orders.append(row)
    return orders


def _term(term: Any, primal: Array, source: ArgumentSource, order: int) -> Array:
    what = f"term {order} of the series of {source}"
    return typed_like("jet", what, as_array(term, lambda: f"jet: {what}"), primal, "the primal's ")
