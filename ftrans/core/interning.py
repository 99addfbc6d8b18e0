"""One jaxpr for all that are written alike, so that what was derived from the first serves the others.

Python functions are traced whenever they are called, since they may read what has changed. What costs more is
to differentiate and compile what they became; and that is the same as before, nearly always.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .._native import Dtype
from .jaxpr import Atom, ClosedJaxpr, Equation, Var

#: By how they are written. All are forgotten when there are too many.
_jaxprs: dict[Any, ClosedJaxpr] = {}
_MOST = 512

#: Values of parameters that keep nothing of the user alive, and are equal only where they mean the same.
_PLAIN = (int, str, type(None), Dtype)


class _NotPlain(Exception):
    """A parameter is something else, such as a function of the user."""


def interned(closed: ClosedJaxpr) -> ClosedJaxpr:
    """The first jaxpr that was written like this one, line by line of the user; it has no constants."""
    try:
        key = tuple(_parts(closed))
    except _NotPlain:
        return closed
    known = _jaxprs.get(key)
    if known is None:
        if len(_jaxprs) >= _MOST:
            _jaxprs.clear()
        closed.derived["interned"] = True
        for v in closed.jaxpr.invars:
            v.source = None  # it refers to the function of the user
        known = _jaxprs[key] = closed
    return known


def _parts(closed: ClosedJaxpr) -> Iterator[Any]:
    jaxpr = closed.jaxpr
    numbers: dict[Var, int] = {v: i for i, v in enumerate(jaxpr.invars)}

    def atom(v: Atom) -> Any:
        # The text tells 0.0 from -0.0, and that of NaN is equal to itself.
        return (v.aval, repr(v.value._immediate)) if v.is_literal else numbers[v]

    yield tuple(v.aval for v in jaxpr.invars)
    for equation in jaxpr.equations:
        yield equation.primitive
        yield equation.source
        yield equation.stream
        yield tuple(map(atom, equation.inputs))
        yield _parameters(equation)
        for v in equation.outputs:
            numbers[v] = len(numbers)
    yield tuple(map(atom, jaxpr.outvars))


def _parameters(equation: Equation) -> tuple:
    return tuple((name, _plain(value)) for name, value in equation.parameters.items())


def _plain(value: Any) -> Any:
    if isinstance(value, _PLAIN):
        return type(value), value
    if isinstance(value, (float, complex)):
        return repr(value)
    if type(value) is tuple:
        return tuple(map(_plain, value))
    if isinstance(value, ClosedJaxpr) and "interned" in value.derived:
        return value
    raise _NotPlain
