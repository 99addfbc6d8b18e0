"""From a jaxpr to a native program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import _native
from ._native import Array, Program
from .core.call import CallPrimitive
from .core.jaxpr import ClosedJaxpr
from .core.primitive import Primitive
from .core.tracing import eval_jaxpr


def compiled(closed: ClosedJaxpr, donated: tuple[int, ...] = ()) -> Program:
    """The native program of a jaxpr whose constants are concrete; made once, and cached in it.

    It may write over the memory of the `donated` inputs that nobody else refers to.
    """
    key = ("program", donated)
    program = closed.derived.get(key)
    if program is None:
        program = closed.derived[key] = _compile(closed, donated)
    return program


def _compile(closed: ClosedJaxpr, donated: tuple[int, ...]) -> Program:
    placeholders = [_native.placeholder(aval) for aval in closed.in_avals]
    return _native.compile(placeholders, _evaluate(closed, placeholders), donated)


def _evaluate(closed: ClosedJaxpr, operands: Sequence[Array]) -> list[Array]:
    return eval_jaxpr(closed.jaxpr, closed.consts, *operands, bind=_bind_inline)


def _bind_inline(primitive: Primitive, *operands: Array, **parameters: Any) -> Any:
    """Calls are inlined: a program sees one flat graph to optimise."""
    if isinstance(primitive, CallPrimitive):
        return _evaluate(parameters["jaxpr"], operands)
    return primitive.execute(operands, parameters)
