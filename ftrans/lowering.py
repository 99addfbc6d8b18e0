"""From a jaxpr to a native program."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from . import _native
from ._native import Array, Program, Stream, current_stream
from .core.call import CallPrimitive, ControlFlowPrimitive
from .core.host import EffectPrimitive
from .core.jaxpr import ClosedJaxpr, has_effects, inner_jaxprs
from .core.primitive import Primitive
from .core.tracing import eval_jaxpr


class Effects:
    """The order of the effects of a program: each returns a token, which what comes after it takes.

    So the effects of one stream happen in the order of the program, and an ordered one after all that come
    before it and before all that come after it, on whichever stream.
    """

    def __init__(self) -> None:
        self._ordered: list[Array] = []
        self._since: dict[Stream | None, list[Array]] = {}

    @property
    def tokens(self) -> list[Array]:
        """What has to be computed for all the effects to happen."""
        return [token for tokens in self._since.values() for token in tokens] or self._ordered

    def call(
        self, primitive: EffectPrimitive, operands: Sequence[Array], parameters: dict[str, Any]
    ) -> list[Array]:
        """Apply a primitive after those before it."""
        if parameters["ordered"]:
            *results, token = primitive.call(operands, self.tokens, parameters, symbolic=True)
            self._ordered, self._since = [token], {}
        else:
            stream = current_stream()
            before = self._since.get(stream, self._ordered)
            *results, token = primitive.call(operands, before, parameters, symbolic=True)
            self._since[stream] = [token]
        return results

    def follow(self, primitive: ControlFlowPrimitive, results: Sequence[Array]) -> None:
        """Have the effects inside of a loop or a branch happen, before those that come after it."""
        if not results:
            raise TypeError(
                f"{primitive.name}: a loop or branch with effects must return something, so that it is run; "
                "let it carry a number"
            )
        stream = current_stream()
        self._since[stream] = [*self._since.get(stream, self._ordered), results[0]]


def compiled(closed: ClosedJaxpr, donated: tuple[int, ...] = ()) -> Program:
    """The native program of a jaxpr whose constants are concrete; made once, and cached in it.

    It may write over the memory of the `donated` inputs that nobody else refers to.
    """
    stream = current_stream() or _native.default_stream(_native.default_device())
    key = ("program", donated, stream)
    program = closed.derived.get(key)
    if program is None:
        program = closed.derived[key] = _compile(closed, donated)
    return program


def _compile(closed: ClosedJaxpr, donated: tuple[int, ...]) -> Program:
    placeholders = [_native.placeholder(aval) for aval in closed.in_avals]
    effects = Effects()
    outputs = _evaluate(closed, placeholders, effects)
    return _native.compile(placeholders, outputs, donated, effects.tokens)


def sub_program(closed: ClosedJaxpr, kept: Sequence[int]) -> Program:
    """The native program of a jaxpr that control flow runs; `kept` inputs serve several runs."""
    placeholders = [_native.placeholder(aval) for aval in closed.in_avals]
    effects = Effects()
    outputs = _evaluate(closed, placeholders, effects)
    return _native.compile(placeholders, outputs, (), effects.tokens, kept)


def evaluate_inline(closed: ClosedJaxpr, operands: Sequence[Array]) -> list[Array]:
    """Add the operations of a jaxpr without effects, and of the calls in it, to the graph of its operands."""
    return _evaluate(closed, operands, Effects())


def _evaluate(closed: ClosedJaxpr, operands: Sequence[Array], effects: Effects) -> list[Array]:
    bind = partial(_bind_inline, effects)
    return eval_jaxpr(closed.jaxpr, closed.consts, *operands, bind=bind, executes=True)


def _bind_inline(effects: Effects, primitive: Primitive, *operands: Array, **parameters: Any) -> Any:
    """Calls are inlined: a program sees one flat graph to optimise."""
    if isinstance(primitive, CallPrimitive):
        return _evaluate(parameters["jaxpr"], operands, effects)
    if isinstance(primitive, EffectPrimitive):
        return effects.call(primitive, operands, parameters)
    if isinstance(primitive, ControlFlowPrimitive) and any(map(has_effects, inner_jaxprs(parameters))):
        results = primitive.node(operands, parameters)
        effects.follow(primitive, results)
        return results
    return primitive.execute(operands, parameters)
