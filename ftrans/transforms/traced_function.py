"""Functions traced for one signature, the primitive that calls them under other traces, and how they run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from .._native import Array, Program, Stream, current_stream, nan_safe_derivatives
from ..core.avals import ShapedArray
from ..core.call import CallPrimitive
from ..core.jaxpr import ClosedJaxpr, Jaxpr, has_effects
from ..core.primitive import current_observer, is_observed
from ..core.source import ArgumentSource, function_name
from ..core.tracing import eval_jaxpr, innermost_abstract_trace
from ..lowering import compiled
from .batching import Dim, batch_jaxpr
from .donation import give_up
from .partition import call_linked_forward
from .rematerialize import within_memory

if TYPE_CHECKING:
    from optree import PyTreeSpec


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
    arguments that are `kept`; `donated` are the leaves whose memory may be reused. A run is to stay within
    `memory_limit` bytes.
    """

    jaxpr: ClosedJaxpr
    captured: list[Array]
    kept: list[int]
    donated: list[int]
    out_structure: PyTreeSpec
    memory_limit: int | None = None

    @property
    def needs_bind(self) -> bool:
        """Whether its calls are to go through `bind`, rather than straight to the program."""
        return bool(self.captured) or has_effects(self.jaxpr) or is_observed()

    def dispatched_program(self) -> Program | None:
        """What native code runs from now on for concrete arguments like these; None where it can't.

        Where this thread is observed, it is a program that tells in one more result whether that was right.
        """
        if self.captured or has_effects(self.jaxpr):
            return None
        observer = current_observer()
        if observer is None:
            return self.program()
        return observer.checked_program(self.executed()) if observer.number and not self.donated else None

    def program(self) -> Program:
        """The native program, for concrete arguments."""
        return compiled(self.executed(), self._donated_inputs)

    def executed(self) -> ClosedJaxpr:
        """What runs for concrete arguments: `jaxpr`, or one that needs less memory."""
        if self.memory_limit is None:
            return self.jaxpr
        return within_memory(self.jaxpr, self.memory_limit, self._donated_inputs)

    @property
    def _donated_inputs(self) -> tuple[int, ...]:
        return tuple(i for i, leaf in enumerate(self.kept) if leaf in self.donated)


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
    is_traced = bool(traced.captured) or any(x._trace is not None for x in arrays)
    if is_traced or traced.needs_bind:
        # Transformations see what the user wrote: custom rules, for example.
        closed = traced.jaxpr if is_traced else traced.executed()
        if inline:
            return eval_jaxpr(closed.jaxpr, closed.consts, *operands)
        return jit_p.bind(*operands, jaxpr=closed, name=function_name(fun))
    if not traced.donated:
        return traced.program()(operands)
    handles = [x._snapshot() for x in operands]
    give_up([leaves[i] for i in traced.donated], [ArgumentSource(fun, structure, i) for i in traced.donated])
    # Each handle is let go as it is taken: the program, should it run at once, is alone with the memory.
    handles.reverse()
    return traced.program()(handles.pop() for _ in range(len(handles)))
