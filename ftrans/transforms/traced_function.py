"""Functions traced for one signature, the primitive that calls them under other traces, and how they run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from optree import PyTreeSpec

from .._native import Array, Program, Stream, current_stream, nan_safe_derivatives
from ..core.avals import ShapedArray
from ..core.call import CallPrimitive
from ..core.jaxpr import ClosedJaxpr, Jaxpr, has_effects
from ..core.primitive import is_observed
from ..core.source import ArgumentSource, function_name
from ..core.tracing import eval_jaxpr, innermost_abstract_trace
from ..lowering import compiled
from .batching import Dim, batch_jaxpr
from .donation import give_up
from .partition import call_linked_forward


class _Jit(CallPrimitive):
    __slots__ = ()

    def execute(self, operands: Sequence[Array], parameters: dict[str, Any]) -> list[Array]:
        closed = parameters["jaxpr"]
        trace = innermost_abstract_trace() if has_effects(closed) else None
        return compiled(closed)(operands) if trace is None else trace.record(self, operands, parameters)


def _batch(
    args: list[Array], dims: list[Dim], size: int, *, jaxpr: ClosedJaxpr, name: str
) -> tuple[list[Array], list[Dim]]:
    batched, out_dims = batch_jaxpr(jaxpr, dims, size)
    return jit_p.bind(*args, jaxpr=batched, name=name), out_dims


def _linked_forward(
    mode: str, primals: list[Array], needed: list[bool], *, jaxpr: ClosedJaxpr, name: str
) -> tuple[list[Array], Callable, list[Array] | None]:
    return call_linked_forward(
        lambda j, args: jit_p.bind(*args, jaxpr=j, name=name), mode, primals, needed, jaxpr
    )


jit_p = _Jit("jit", batch=_batch, linked_forward=_linked_forward)


def hoist_tracers(closed: ClosedJaxpr) -> tuple[ClosedJaxpr, list[Array]]:
    """The closed-over tracers of outer traces as the first inputs of the jaxpr, and these tracers."""
    constants = list(zip(closed.jaxpr.constvars, closed.consts, strict=True))
    captured = [(v, x) for v, x in constants if x._trace is not None]
    if not captured:
        return closed, []
    baked = [(v, x) for v, x in constants if x._trace is None]
    jaxpr = closed.jaxpr
    hoisted = Jaxpr(
        [v for v, _ in baked], [*(v for v, _ in captured), *jaxpr.invars], jaxpr.equations, jaxpr.outvars
    )
    return ClosedJaxpr(hoisted, [x for _, x in baked]), [x for _, x in captured]


class Signature(NamedTuple):
    """What a function is traced for. `structure` is that of the dynamic arguments, ``(args, kwargs)``."""

    structure: PyTreeSpec
    avals: tuple[ShapedArray, ...]
    static: tuple
    stream: Stream | None
    nan_safe: bool

    @classmethod
    def of(cls, structure: PyTreeSpec, avals: Sequence[ShapedArray], static: tuple) -> Signature:
        """With this thread's settings."""
        return cls(structure, tuple(avals), static, current_stream(), nan_safe_derivatives())


class Traced(NamedTuple):
    """A function traced for one signature.

    The inputs of `jaxpr` are the tracers that the function closed over, `captured`, then those leaves of the
    arguments that are `kept`; `donated` are the leaves whose memory may be reused.
    """

    jaxpr: ClosedJaxpr
    captured: list[Array]
    kept: list[int]
    donated: list[int]
    out_structure: PyTreeSpec

    @property
    def needs_bind(self) -> bool:
        """Whether its calls are to go through `bind`, rather than straight to the program."""
        return bool(self.captured) or has_effects(self.jaxpr) or is_observed()

    def program(self) -> Program:
        """The native program, for concrete arguments."""
        return compiled(self.jaxpr, tuple(i for i, leaf in enumerate(self.kept) if leaf in self.donated))


def call_traced(
    fun: Callable,
    traced: Traced,
    structure: PyTreeSpec,
    arrays: Sequence[Array],
    leaves: Sequence[Any],
    inline: bool = False,
) -> list[Array]:
    """The outputs for `arrays`, made of the `leaves` of the arguments, of which the donated are given up."""
    operands = [*traced.captured, *(arrays[i] for i in traced.kept)]
    if traced.needs_bind or any(x._trace is not None for x in arrays):
        if inline:
            return eval_jaxpr(traced.jaxpr.jaxpr, traced.jaxpr.consts, *operands)
        return jit_p.bind(*operands, jaxpr=traced.jaxpr, name=function_name(fun))
    if not traced.donated:
        return traced.program()(operands)
    handles = [x._snapshot() for x in operands]
    give_up([leaves[i] for i in traced.donated], [ArgumentSource(fun, structure, i) for i in traced.donated])
    # Each handle is let go as it is taken: the program, should it run at once, is alone with the memory.
    handles.reverse()
    return traced.program()(handles.pop() for _ in range(len(handles)))
