"""How call-like primitives, which carry a jaxpr, are differentiated.

In a linked trace such a primitive runs a *forward* jaxpr, which returns the residuals too, and its
derivative rule runs a *backward* (or *tangent*) jaxpr on them. Both come from one trace of the joint function
(inputs, cotangents) → (outputs, input cotangents), split by what depends on the cotangents, and are cached
per jaxpr.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from .._native import Array
from ..core.jaxpr import Atom, ClosedJaxpr, Equation, Jaxpr, Var, is_effectful, live_equations
from ..core.tracing import trace_to_jaxpr
from ..primitives.layout import zeros_like
from ..primitives.rematerialization import optimization_barrier_p
from .derivative import record_jaxpr


class Partition(NamedTuple):
    """A jaxpr in two parts: what can run at once, and what waits for the inputs that are not known yet.

    `known`: known inputs → known outputs, then residuals. `unknown`: residuals that are known inputs (their
    positions are `residual_inputs`), then the other residuals, then the unknown inputs → unknown outputs.
    """

    known: ClosedJaxpr
    unknown: ClosedJaxpr
    residual_inputs: list[int]


#: Whether the results of an equation are computed again where they are needed, rather than kept.
Recompute = Callable[[Equation], bool]


def partition(
    closed: ClosedJaxpr,
    unknown_in: Sequence[bool],
    unknown_out: Sequence[bool],
    recompute: Recompute | None = None,
) -> Partition:
    """Split a jaxpr by what depends on the unknown inputs; outputs are known or unknown as told.

    An unknown output may turn out not to depend on unknown inputs; a known one must not.
    Both parts get the equations that are to be recomputed, and those that depend on no input at all, which
    are cheap constants: their results are no residuals. Those
    with an effect run once, in the part that has what they need.
    """
    jaxpr = closed.jaxpr
    unknown = {v for v, u in zip(jaxpr.invars, unknown_in, strict=True) if u}
    unknown_invars = [v for v in jaxpr.invars if v in unknown]
    known_invars = [v for v in jaxpr.invars if v not in unknown]
    free: set[Var] = set()
    known_side, unknown_side = [], []
    for equation in jaxpr.equations:
        inputs = [v for v in equation.inputs if not v.is_literal]
        if any(v in unknown for v in inputs):
            unknown.update(equation.outputs)
            unknown_side.append(equation)
            continue
        known_side.append(equation)
        if is_effectful(equation):
            continue
        is_free = all(v in free for v in inputs)
        if is_free:
            free.update(equation.outputs)
        if is_free or (recompute is not None and recompute(equation)):
            unknown_side.append(equation)
    outs = list(zip(jaxpr.outvars, unknown_out, strict=True))
    unknown_outs = [v for v, u in outs if u]
    unknown_side = live_equations(unknown_side, unknown_outs)

    defined = set(unknown_invars) | set(jaxpr.constvars)
    residuals: dict[Var, None] = {}
    for equation in unknown_side:
        _add_residuals(residuals, equation.inputs, defined)
        defined.update(equation.outputs)
    _add_residuals(residuals, unknown_outs, defined)
    position = {v: i for i, v in enumerate(known_invars)}
    from_inputs = [v for v in residuals if v in position]
    computed = [v for v in residuals if v not in position]

    known_outs = [v for v, u in outs if not u] + computed
    return Partition(
        ClosedJaxpr(
            Jaxpr(jaxpr.constvars, known_invars, live_equations(known_side, known_outs), known_outs),
            closed.consts,
        ),
        ClosedJaxpr(
            Jaxpr(jaxpr.constvars, [*from_inputs, *computed, *unknown_invars], unknown_side, unknown_outs),
            closed.consts,
        ),
        [position[v] for v in from_inputs],
    )


def _add_residuals(residuals: dict[Var, None], atoms: Sequence[Atom], defined: set[Var]) -> None:
    residuals.update((v, None) for v in atoms if not v.is_literal and v not in defined)


class Joint(NamedTuple):
    """The parts of a jaxpr's joint derivative function, and which derivatives it returns (not the zeros).

    `moved` says which outputs have a point where derivatives are taken; these follow the outputs.
    """

    parts: Partition
    present: list[bool]
    moved: list[bool]


#: From the jaxpr of a joint derivative function, which of its equations to recompute.
Rematerialization = Callable[[Jaxpr], Recompute]


def joint_derivative(
    mode: str, closed: ClosedJaxpr, needed: Sequence[bool], rematerialization: Rematerialization | None = None
) -> Joint:
    """The forward and backward (``mode="vjp"``) or tangent (``"jvp"``) jaxprs of `closed`, cached in it.

    The second jaxpr takes the cotangents of all inexact outputs, or the tangents of the `needed` inputs, and
    returns those input cotangents, or output tangents, that are present.
    """
    key = (mode, tuple(needed), rematerialization)
    return closed.derive(key, lambda: _joint_derivative(mode, closed, needed, rematerialization))


def _joint_derivative(
    mode: str, closed: ClosedJaxpr, needed: Sequence[bool], rematerialization: Rematerialization | None
) -> Joint:
    n_in, n_out = len(closed.in_avals), len(closed.out_avals)
    present: list[bool] = []
    moved: list[bool] = []

    def joint(*args: Array) -> list[Array]:
        primals, given = args[:n_in], iter(args[n_in:])
        outs, recording = record_jaxpr(mode, closed, primals, needed)
        if mode == "vjp":
            derivatives = recording.pull_back(
                [next(given) if x.aval.is_inexact else None for x in outs], consume=True
            )
        else:
            derivatives = recording.push_forward([next(given) if need else None for need in needed])
        present[:] = [d is not None for d in derivatives]
        moved[:] = [x is not None for x in recording.points]
        return [*outs, *_without_none(recording.points), *_without_none(derivatives)]

    if mode == "vjp":
        differentiated = [aval for aval in closed.out_avals if aval.is_inexact]
    else:
        differentiated = [aval for aval, need in zip(closed.in_avals, needed, strict=True) if need]
    traced = trace_to_jaxpr(joint, [*closed.in_avals, *(a.strong() for a in differentiated)], mode)
    unknown_in = [False] * n_in + [True] * len(differentiated)
    unknown_out = [False] * (n_out + sum(moved)) + [True] * sum(present)
    recompute = None if rematerialization is None else rematerialization(traced.jaxpr)
    return Joint(partition(traced, unknown_in, unknown_out, recompute), present, moved)


def _without_none(arrays: Sequence[Array | None]) -> list[Array]:
    return [x for x in arrays if x is not None]


def call_linked_forward(
    call: Callable[[ClosedJaxpr, Sequence[Array]], list[Array]],
    mode: str,
    primals: Sequence[Array],
    needed: Sequence[bool],
    closed: ClosedJaxpr,
    rematerialization: Rematerialization | None = None,
    barrier: bool = False,
) -> tuple[list[Array], Callable, list[Array] | None]:
    """The `linked_forward` of a primitive that calls `closed` once: outputs, derivative rule, and points.

    `call` binds the primitive again with another jaxpr. With a `barrier`, what is recomputed is not merged
    with what was computed, and waits for the cotangents.
    """
    joint = joint_derivative(mode, closed, needed, rematerialization)
    (known, unknown, residual_inputs), present, moved = joint
    results = call(known, primals)
    n_out, n_kept = len(closed.out_avals), len(closed.out_avals) + sum(moved)
    outs, computed, apart = results[:n_out], results[n_kept:], iter(results[n_out:n_kept])
    points = [next(apart) if m else out for m, out in zip(moved, outs, strict=True)] if any(moved) else None
    residuals = [primals[i] for i in residual_inputs] + computed

    def spread(given: list[Array]) -> list[Array | None]:
        operands = [*residuals, *given]
        if barrier:
            operands = optimization_barrier_p.bind(*operands)
        derivatives = iter(call(unknown, operands))
        return [next(derivatives) if p else None for p in present]

    def vjp_rule(cotangents: Any, primals: Any, outs: Any, needed: Any, **_: Any) -> list[Array | None]:
        return spread(
            [
                zeros_like(a) if c is None else c
                for c, a in zip(cotangents, closed.out_avals, strict=True)
                if a.is_inexact
            ]
        )

    def jvp_rule(primals: Any, tangents: Any, outs: Any, **_: Any) -> list[Array | None]:
        avals = closed.in_avals
        return spread(
            [
                zeros_like(a) if t is None else t
                for t, a, need in zip(tangents, avals, needed, strict=True)
                if need
            ]
        )

    return outs, vjp_rule if mode == "vjp" else jvp_rule, points
