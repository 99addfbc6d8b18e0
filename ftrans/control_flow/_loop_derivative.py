"""How the body of a loop is differentiated, for `scan` and `while`."""

from __future__ import annotations

from typing import NamedTuple

from .._native import Array
from ..core.jaxpr import ClosedJaxpr, Jaxpr
from ..core.tracing import eval_jaxpr, trace_to_jaxpr
from ..primitives.elementwise import add_p
from ..transforms.partition import partition
from ._derived import Mask, chosen, fixpoint, joint_jaxpr, perturbed, restricted, varying


class LoopDerivative(NamedTuple):
    """The body of a loop in two parts: one that also returns residuals, and its derivative, which takes them.

    `in_mask`, `out_mask`: which inputs and outputs of the body have derivatives. `invariant`: constants → the
    residuals that are the same in each iteration. `forward` returns those that differ after its own outputs.
    `derivative` is the body of a second loop. Its constants start with the operands at `const_positions` and
    the invariant residuals; its slices with those of the operands at `x_positions` and the other residuals.
    The carry has the cotangents (or tangents) of the carry, then for "vjp" the sums of those of constants.
    """

    in_mask: list[bool]
    out_mask: list[bool]
    invariant: ClosedJaxpr
    forward: ClosedJaxpr
    derivative: ClosedJaxpr
    const_positions: list[int]
    x_positions: list[int]


def differentiate_body(
    mode: str, body: ClosedJaxpr, needed: Mask, num_consts: int, num_carry: int
) -> LoopDerivative:
    """The derivative of a body with the inputs (constants, carry, slices); cached in it."""
    key = ("loop derivative", mode, tuple(needed), num_consts, num_carry)
    return body.derive(key, lambda: _differentiate(mode, body, needed, num_consts, num_carry))


def _differentiate(
    mode: str, body: ClosedJaxpr, needed: Mask, num_consts: int, num_carry: int
) -> LoopDerivative:
    n_in, n_out = len(body.in_avals), len(body.out_avals)
    first_x = num_consts + num_carry

    def masks(carry: Mask) -> list[bool]:
        return [*needed[:num_consts], *carry, *needed[first_x:]]

    carry_mask = fixpoint(lambda c: perturbed(body, masks(c))[:num_carry], needed[num_consts:first_x])
    in_mask = [need and a.is_inexact for need, a in zip(masks(carry_mask), body.in_avals, strict=True)]
    out_mask = [*in_mask[num_consts:first_x], *perturbed(body, in_mask)[num_carry:]]
    n_given = sum(out_mask if mode == "vjp" else in_mask)
    n_results = sum(in_mask if mode == "vjp" else out_mask)
    known, unknown, residual_inputs = partition(
        joint_jaxpr(mode, body, in_mask, out_mask),
        [False] * n_in + [True] * n_given,
        [False] * n_out + [True] * n_results,
    )
    invars, outvars = known.jaxpr.invars, known.jaxpr.outvars
    differing = varying(known.jaxpr, [i >= num_consts for i in range(n_in)])
    computed = outvars[n_out:]
    is_fixed = [v not in differing for v in computed]
    carried = [invars[i] for i in residual_inputs if num_consts <= i < first_x]
    invariant = restricted(known, invars[:num_consts], chosen(computed, is_fixed))
    stacked = [*carried, *(v for v in computed if v in differing)]
    forward = restricted(known, invars, [*outvars[:n_out], *stacked], effects=True)

    # The inputs of `unknown` in the order of the second scan: constants, carry, slices.
    given = unknown.jaxpr.invars[len(residual_inputs) + len(computed) :]
    from_inputs = unknown.jaxpr.invars[: len(residual_inputs)]
    from_body = unknown.jaxpr.invars[len(residual_inputs) : len(residual_inputs) + len(computed)]
    position = dict(zip(from_inputs, residual_inputs, strict=True))
    consts = [v for v in from_inputs if position[v] < num_consts]
    xs = [v for v in from_inputs if position[v] >= first_x]
    residuals = [
        *(v for v in from_inputs if num_consts <= position[v] < first_x),
        *(v for v, fixed in zip(from_body, is_fixed, strict=True) if not fixed),
    ]
    consts_and_fixed = [*consts, *chosen(from_body, is_fixed)]
    n_consts, n_carry = sum(in_mask[:num_consts]), sum(in_mask[num_consts:first_x])
    if mode == "vjp":
        derivative = _accumulating(
            ClosedJaxpr(
                Jaxpr(
                    unknown.jaxpr.constvars,
                    [*consts_and_fixed, *given[:n_carry], *xs, *residuals, *given[n_carry:]],
                    unknown.jaxpr.equations,
                    unknown.jaxpr.outvars,
                ),
                unknown.consts,
            ),
            len(consts_and_fixed),
            n_carry,
            n_consts,
        )
    else:
        slices = [*xs, *residuals, *given[n_consts + n_carry :]]
        inputs = [*consts_and_fixed, *given[: n_consts + n_carry], *slices]
        derivative = ClosedJaxpr(
            Jaxpr(unknown.jaxpr.constvars, inputs, unknown.jaxpr.equations, unknown.jaxpr.outvars),
            unknown.consts,
        )
    return LoopDerivative(
        in_mask,
        out_mask,
        invariant,
        forward,
        derivative,
        [position[v] for v in consts],
        [position[v] for v in xs],
    )


def _accumulating(pull_back: ClosedJaxpr, num_consts: int, num_carry: int, num_sums: int) -> ClosedJaxpr:
    """A pull-back that begins with the cotangents of constants, with their sums in the carry instead."""
    end = num_consts + num_carry

    def body(*args: Array) -> list[Array]:
        sums, slices = args[end : end + num_sums], args[end + num_sums :]
        results = eval_jaxpr(pull_back.jaxpr, pull_back.consts, *args[:end], *slices)
        added = [add_p.bind(s, ct) for s, ct in zip(sums, results[:num_sums], strict=True)]
        carry = results[num_sums : num_sums + num_carry]
        return [*carry, *added, *results[num_sums + num_carry :]]

    avals = pull_back.in_avals
    sums = [a.strong() for a in pull_back.out_avals[:num_sums]]
    return trace_to_jaxpr(body, [*avals[:end], *sums, *avals[end:]], "vjp")
