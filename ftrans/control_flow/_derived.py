"""What the rules of all control-flow primitives derive from the jaxprs in their parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .._native import Array
from ..core.avals import ShapedArray
from ..core.interning import interned
from ..core.jaxpr import (
    Atom,
    ClosedJaxpr,
    Jaxpr,
    Var,
    is_effectful,
    live_equations,
)
from ..core.tracing import trace_to_jaxpr
from ..primitives.layout import batch_first, zeros_like
from ..transforms.batching import Dim, eval_batched, inserted_axis
from ..transforms.derivative import instantiate, record_jaxpr

Mask = Sequence[bool]


def check_avals(what: str, found: Sequence[ShapedArray], expected: Sequence[ShapedArray]) -> None:
    """Raise TypeError unless arrays of one kind can stand for those of the other; weak types may differ."""
    if [a.strong() for a in found] != [a.strong() for a in expected]:
        raise TypeError(f"{what} are {list(found)}, expected {list(expected)}")


def hoist_constants(closed: ClosedJaxpr) -> tuple[ClosedJaxpr, list[Array]]:
    """The closed-over arrays, concrete or traced, as the first inputs of the jaxpr, and these arrays."""
    jaxpr = closed.jaxpr
    hoisted = Jaxpr([], [*jaxpr.constvars, *jaxpr.invars], jaxpr.equations, jaxpr.outvars)
    return interned(ClosedJaxpr(hoisted, [])), list(closed.consts)


def restricted(
    closed: ClosedJaxpr, invars: Sequence[Var], outvars: Sequence[Atom], effects: bool = False
) -> ClosedJaxpr:
    """The part of a jaxpr that computes `outvars`, and has its effects if told, as a function of `invars`."""
    jaxpr = closed.jaxpr
    equations = [e for e in jaxpr.equations if effects or not is_effectful(e)]
    return ClosedJaxpr(
        Jaxpr(jaxpr.constvars, invars, live_equations(equations, outvars), outvars), closed.consts
    )


def varying(jaxpr: Jaxpr, changes: Mask) -> set[Var]:
    """The variables that depend on the inputs that change, or on an effect."""
    found = {v for v, change in zip(jaxpr.invars, changes, strict=True) if change}
    for equation in jaxpr.equations:
        if is_effectful(equation) or not found.isdisjoint(equation.inputs):
            found.update(equation.outputs)
    return found


def perturbed(closed: ClosedJaxpr, needed: Mask) -> list[bool]:
    """Which outputs have a derivative with respect to the inputs that are differentiated."""
    jaxpr = closed.jaxpr
    found = {v for v, need in zip(jaxpr.invars, needed, strict=True) if need and v.aval.is_inexact}
    for equation in jaxpr.equations:
        if not equation.primitive.has_zero_derivative and not found.isdisjoint(equation.inputs):
            found.update(v for v in equation.outputs if v.aval.is_inexact)
    return [v in found for v in jaxpr.outvars]


def fixpoint(step: Callable[[list[bool]], Sequence[bool]], carry: Mask) -> list[bool]:
    """The smallest mask of the carry that `step`, a turn of the loop, does not extend."""
    mask = list(carry)
    while True:
        extended = [a or b for a, b in zip(mask, step(mask), strict=True)]
        if extended == mask:
            return mask
        mask = extended


def hoist_invariant(closed: ClosedJaxpr, num_consts: int) -> tuple[ClosedJaxpr, ClosedJaxpr]:
    """Split the body of a loop by what depends on its first inputs only, the constants.

    Returns:
        constants → what the rest needs of them; (constants, these, the other inputs) → outputs.
    """
    return closed.derive(("hoisted", num_consts), lambda: _hoist_invariant(closed, num_consts))


def _hoist_invariant(closed: ClosedJaxpr, num_consts: int) -> tuple[ClosedJaxpr, ClosedJaxpr]:
    jaxpr = closed.jaxpr
    consts, others = jaxpr.invars[:num_consts], jaxpr.invars[num_consts:]
    changing = varying(jaxpr, [v not in consts for v in jaxpr.invars])
    # What depends on no input at all is a cheap constant, and stays.
    fixed = varying(jaxpr, [v in consts for v in jaxpr.invars]) - changing - set(consts)
    inside = [e for e in jaxpr.equations if fixed.isdisjoint(e.outputs)]
    used = {v for e in inside for v in e.inputs} | set(jaxpr.outvars)
    hoisted = [v for e in jaxpr.equations for v in e.outputs if v in fixed and v in used]
    body = Jaxpr(jaxpr.constvars, [*consts, *hoisted, *others], inside, jaxpr.outvars)
    return restricted(closed, consts, hoisted), ClosedJaxpr(body, closed.consts)


def joint_jaxpr(mode: str, closed: ClosedJaxpr, needed_in: Mask, needed_out: Mask) -> ClosedJaxpr:
    """A function together with its derivative, zeros included.

    ``mode="vjp"``: (inputs, cotangents of the needed outputs) → (outputs, cotangents of the needed inputs);
    ``"jvp"``: (inputs, tangents of the needed inputs) → (outputs, tangents of the needed outputs).
    """
    key = (mode, tuple(needed_in), tuple(needed_out))
    return closed.derive(key, lambda: _joint_jaxpr(mode, closed, needed_in, needed_out))


def _joint_jaxpr(mode: str, closed: ClosedJaxpr, needed_in: Mask, needed_out: Mask) -> ClosedJaxpr:
    n_in = len(closed.in_avals)

    def joint(*args: Array) -> list[Array]:
        primals, given = args[:n_in], args[n_in:]
        outs, recording = record_jaxpr(mode, closed, primals, needed_in)
        if mode == "vjp":
            derivatives = recording.pull_back(spread(given, needed_out), consume=True)
            return outs + instantiate(chosen(derivatives, needed_in), chosen(primals, needed_in))
        derivatives = recording.push_forward(spread(given, needed_in))
        return outs + instantiate(chosen(derivatives, needed_out), chosen(outs, needed_out))

    given = chosen(closed.out_avals, needed_out) if mode == "vjp" else chosen(closed.in_avals, needed_in)
    return trace_to_jaxpr(joint, [*closed.in_avals, *(a.strong() for a in given)], mode)


def batched_jaxpr(
    closed: ClosedJaxpr, batched_in: Mask, size: int, batched_out: Mask
) -> tuple[ClosedJaxpr, list[bool]]:
    """A jaxpr for a batch along the first axis, and which outputs have it: those told, where it must be."""
    key = ("batched", tuple(batched_in), size, tuple(batched_out))
    return closed.derive(key, lambda: _batched_jaxpr(closed, batched_in, size, batched_out))


def _batched_jaxpr(
    closed: ClosedJaxpr, batched_in: Mask, size: int, batched_out: Mask
) -> tuple[ClosedJaxpr, list[bool]]:
    out_mask: list[bool] = []

    def batched(*args: Array) -> list[Array]:
        dims: list[Dim] = [0 if b else None for b in batched_in]
        outs, out_dims = eval_batched(closed.jaxpr, closed.consts, args, dims, size)
        out_mask[:] = [d is not None or b for d, b in zip(out_dims, batched_out, strict=True)]
        return [batch_first(x, d, size) if b else x for x, d, b in zip(outs, out_dims, out_mask, strict=True)]

    avals = [inserted_axis(a, 0, size) if b else a for a, b in zip(closed.in_avals, batched_in, strict=True)]
    return trace_to_jaxpr(batched, avals, "vmap"), out_mask


def batched_operands(args: Sequence[Array], dims: Sequence[Dim], size: int, mask: Mask) -> list[Array]:
    """The operands that are told with the batch axis first, made if there is none; the others as they are."""
    return [batch_first(x, d, size) if b else x for x, d, b in zip(args, dims, mask, strict=True)]


def chosen(items: Sequence[Any], mask: Mask) -> list[Any]:
    """The items that the mask tells."""
    return [x for x, choose in zip(items, mask, strict=True) if choose]


def spread(items: Sequence[Any], mask: Mask) -> list[Any]:
    """Undo `chosen`, with None in the gaps."""
    remaining = iter(items)
    return [next(remaining) if choose else None for choose in mask]


def zeros(avals: Sequence[ShapedArray]) -> list[Array]:
    """Arrays of zeros."""
    return [zeros_like(a) for a in avals]
