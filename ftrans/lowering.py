"""From a jaxpr to a native program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from . import _native
from ._native import Array
from .core.call import CallPrimitive
from .core.jaxpr import ClosedJaxpr
from .core.primitive import Primitive
from .core.tracing import eval_jaxpr

Program = Callable[[Sequence[Array]], list[Array]]


def compiled(closed: ClosedJaxpr) -> Program:
    """The native program of a jaxpr whose constants are concrete; made once, and cached in it."""
    program = closed.derived.get("program")
    if program is None:
        program = closed.derived["program"] = _compile(closed)
    return program


def _compile(closed: ClosedJaxpr) -> Program:
    placeholders = [_native.placeholder(aval) for aval in closed.in_avals]
    return _native.compile(placeholders, evaluate_inline(closed, placeholders))


def sub_program(closed: ClosedJaxpr, kept: Sequence[int]) -> _native.Program:
    """The native program of a jaxpr that control flow runs; `kept` inputs serve several runs."""
    placeholders = [_native.placeholder(aval) for aval in closed.in_avals]
    return _native.compile(placeholders, evaluate_inline(closed, placeholders), kept)


def evaluate_inline(closed: ClosedJaxpr, operands: Sequence[Array]) -> list[Array]:
    """Add the operations of a jaxpr to the graph of its operands, those of the calls in it too."""
    return eval_jaxpr(closed.jaxpr, closed.consts, *operands, bind=_bind_inline)


def _bind_inline(primitive: Primitive, *operands: Array, **parameters: Any) -> Any:
    """Calls are inlined: a program sees one flat graph to optimise."""
    if isinstance(primitive, CallPrimitive):
        return evaluate_inline(parameters["jaxpr"], operands)
    return primitive.execute(operands, parameters)
