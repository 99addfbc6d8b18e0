"""How the body of a loop is differentiated, for `scan` and `while`."""

from __future__ import annotations

from typing import NamedTuple

from .._native import Array
from ..core.jaxpr import ClosedJaxpr, Jaxpr, Var
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
    stacked = [*carried, *(v for v in computed if v in differing)]
    n_consts, n_carry = sum(in_mask[:num_consts]), sum(in_mask[num_consts:first_x])
    inputs = _sorted_inputs(unknown, residual_inputs, is_fixed, num_consts, first_x)
    derivative = inputs.loop_body(unknown, n_carry, 0 if mode == "vjp" else n_consts)
    if mode == "vjp":
        derivative = _accumulating(derivative, len(inputs.fixed), n_carry, n_consts)
    return LoopDerivative(
        in_mask,
        out_mask,
        invariant=restricted(known, invars[:num_consts], chosen(computed, is_fixed)),
        forward=restricted(known, invars, [*outvars[:n_out], *stacked], effects=True),
        derivative=derivative,
        const_positions=inputs.const_positions,
        x_positions=inputs.x_positions,
    )


class _SortedInputs(NamedTuple):
    """The inputs of the derivative of a body, as those of a loop.

    `fixed`: the constants at `const_positions` of the body's inputs, and the invariant residuals. `sliced`:
    the slices at `x_positions`, and the other residuals. `given`: the tangents or cotangents.
    """

    fixed: list[Var]
    sliced: list[Var]
    given: list[Var]
    const_positions: list[int]
    x_positions: list[int]

    def loop_body(self, derivative: ClosedJaxpr, num_carry: int, num_consts: int) -> ClosedJaxpr:
        """The derivative as a body: (constants, carry, slices). The first of what is given are constants."""
        jaxpr, end = derivative.jaxpr, num_consts + num_carry
        invars = [*self.fixed, *self.given[:end], *self.sliced, *self.given[end:]]
        return ClosedJaxpr(Jaxpr(jaxpr.constvars, invars, jaxpr.equations, jaxpr.outvars), derivative.consts)


def _sorted_inputs(
    unknown: ClosedJaxpr, residual_inputs: list[int], is_fixed: Mask, num_consts: int, first_x: int
) -> _SortedInputs:
    """Of a derivative of the inputs at `residual_inputs`, what the body computed, and what is given."""
    n_inputs, n_residuals = len(residual_inputs), len(residual_inputs) + len(is_fixed)
    from_body = unknown.jaxpr.invars[n_inputs:n_residuals]
    from_inputs = list(zip(unknown.jaxpr.invars, residual_inputs, strict=False))
    consts = [(v, i) for v, i in from_inputs if i < num_consts]
    xs = [(v, i) for v, i in from_inputs if i >= first_x]
    carried = [v for v, i in from_inputs if num_consts <= i < first_x]
    differing = [v for v, fixed in zip(from_body, is_fixed, strict=True) if not fixed]
    return _SortedInputs(
        fixed=[*(v for v, _ in consts), *chosen(from_body, is_fixed)],
        sliced=[*(v for v, _ in xs), *carried, *differing],
        given=list(unknown.jaxpr.invars[n_residuals:]),
        const_positions=[i for _, i in consts],
        x_positions=[i for _, i in xs],
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
