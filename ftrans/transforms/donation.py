"""Donated arrays: given up by their owner, so that a compiled function may write over their memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from .._native import Array, make_tracer
from ..core.jaxpr import Var
from ..core.primitive import Primitive
from ..core.source import ArgumentSource
from ..core.tracing import Trace


class _DonatedTrace(Trace):
    """What a donated array belongs to: as the trace of a leaked array, it has ended, and refuses use."""

    __slots__ = ()
    is_abstract = True
    kind_of_array = "Donated"

    def record(self, primitive: Primitive, operands: Sequence[Array], parameters: dict[str, Any]) -> NoReturn:
        raise self.misuse(next(x for x in operands if x._trace is self))

    def misuse(self, x: Array) -> RuntimeError:
        return RuntimeError(
            f"an array {x.aval} was used after it had been donated as {x._variable.source} "
            f"({self.transformation}): its memory may hold a result by now. Use the result instead, pass "
            "a copy (x + 0), or leave the argument out of donate_argnums and donate_argnames"
        )


_donated = _DonatedTrace("jit")
_donated.end()


def give_up(leaves: Sequence[Any], sources: Sequence[ArgumentSource]) -> None:
    """Make every further use of the arrays among `leaves` an error."""
    for x, source in zip(leaves, sources, strict=True):
        if isinstance(x, Array) and x._trace is None:
            aval = x.aval
            x._rebind(make_tracer(_donated, Var(aval, source), aval, None))
