"""The primitives `while`, a loop of unknown length, and `while_vjp`, its pull-back.

The pull-back runs the loop again, keeping the residuals of each step in memory that grows, and then its
derivative backwards; both in one native operation, so that nothing of unknown size is ever an array. If it is
checkpointed, it goes through the loop from its end, in segments that it runs again from snapshots. The
derivatives of `while_vjp` are the pull-back of another loop: that of a value together with its tangent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .._native import Array, bool_
from ..core.avals import ShapedArray, shaped_array
from ..core.call import ControlFlowPrimitive, Evaluate
from ..core.jaxpr import ClosedJaxpr, Jaxpr, Var, has_effects, silenced
from ..core.tracing import eval_jaxpr, trace_to_jaxpr
from ..lowering import evaluate_inline, sub_program
from ..transforms.batching import Dim
from ..transforms.derivative import instantiate, record
from ._batched_loop import batched_loop
from ._checks import batch_with_checks_outside, checked_while, has_user_checks
from ._derived import (
    Mask,
    batched_operands,
    check_avals,
    chosen,
    hoist_invariant,
    joint_jaxpr,
    spread,
    zeros,
)
from ._loop import Loop
from ._loop_derivative import differentiate_body
from ._one_by_one import must_run_one_by_one, run_one_by_one

# ---------------------------------------------------------------- while


def _check_loop(loop: Loop, avals: Sequence[ShapedArray]) -> None:
    if min(loop.num_cond_consts, loop.num_body_consts) < 0:
        raise TypeError("while: the number of constants is negative")
    cond_consts, body_consts, carry = loop.split(avals)
    check_avals("while: the operands of the condition", [*cond_consts, *carry], loop.cond_jaxpr.in_avals)
    check_avals("while: the results of the condition", loop.cond_jaxpr.out_avals, [shaped_array((), bool_)])
    check_avals("while: the operands of the body", [*body_consts, *carry], loop.body_jaxpr.in_avals)
    check_avals("while: the carries that the body returns", loop.body_jaxpr.out_avals, carry)


def _abstract(*avals: ShapedArray, **parameters: Any) -> list[ShapedArray]:
    loop = Loop(**parameters)
    _check_loop(loop, avals)
    if len(avals) != loop.num_consts + loop.num_carry:
        raise TypeError(f"while: expected {loop.num_consts + loop.num_carry} operands, got {len(avals)}")
    return loop.body_jaxpr.out_avals


def _carries(evaluate: Evaluate, loop: Loop, operands: Sequence[np.ndarray]) -> list[list[np.ndarray]]:
    """The carry before each step, and the last one."""
    cond_consts, body_consts, carry = loop.split(operands)
    carries = [carry]
    while evaluate(loop.cond_jaxpr, *cond_consts, *carries[-1])[0]:
        carries.append(evaluate(loop.body_jaxpr, *body_consts, *carries[-1]))
    return carries


def _run(evaluate: Evaluate, operands: Sequence[np.ndarray], **parameters: Any) -> list[np.ndarray]:
    loop = Loop(**parameters)
    cond_consts, body_consts, carry = loop.split(operands)
    while evaluate(loop.cond_jaxpr, *cond_consts, *carry)[0]:
        carry = evaluate(loop.body_jaxpr, *body_consts, *carry)
    return carry


def _condition(loop: Loop, consts: list[Array], carry: list[Array]) -> tuple[ClosedJaxpr, list[Array], Array]:
    """The condition without the work that is the same in each step, its constants, and whether it holds."""
    invariant, cond = hoist_invariant(loop.cond_jaxpr, loop.num_cond_consts)
    consts = [*consts, *evaluate_inline(invariant, consts)]
    return cond, consts, evaluate_inline(cond, [*consts, *carry])[0]


def _step(cond: ClosedJaxpr, num_cond_consts: int, body: ClosedJaxpr, num_carry: int) -> ClosedJaxpr:
    """(constants of both, carry) → (carry, whether the loop goes on, what else the body returns)."""

    def step(*args: Array) -> list[Array]:
        outs = eval_jaxpr(body.jaxpr, body.consts, *args[num_cond_consts:])
        cond_args = [*args[:num_cond_consts], *outs[:num_carry]]
        return [*outs[:num_carry], *eval_jaxpr(cond.jaxpr, cond.consts, *cond_args), *outs[num_carry:]]

    return trace_to_jaxpr(step, [*cond.in_avals[:num_cond_consts], *body.in_avals], "while_loop")


def _make_operation(operands: Sequence[Array], **parameters: Any) -> tuple[list[Array], Callable]:
    loop = Loop(**parameters)
    cond_consts, body_consts, carry = loop.split(operands)
    cond, cond_consts, predicate = _condition(loop, cond_consts, carry)
    invariant, body = hoist_invariant(loop.body_jaxpr, loop.num_body_consts)
    consts = [*cond_consts, *body_consts, *evaluate_inline(invariant, body_consts)]

    def make() -> Callable:
        program = sub_program(_step(cond, len(cond_consts), body, len(carry)), range(len(consts)))
        return while_p.native_operation((len(consts), len(carry)), loop.body_jaxpr.out_avals, [program])

    key = ("while", loop.cond_jaxpr, loop.num_cond_consts)
    return [*consts, *carry, predicate], loop.body_jaxpr.derive(key, make)


def _with_tangents(loop: Loop, const_mask: Mask, carry_mask: Mask) -> Loop:
    """The loop of a value and its tangent: the masked constants and carry are followed by their tangents."""
    body = joint_jaxpr("jvp", loop.body_jaxpr, [*const_mask, *carry_mask], carry_mask)

    def make() -> tuple[ClosedJaxpr, ClosedJaxpr]:
        jaxpr = body.jaxpr
        n_consts, n_carry, n_tangents = loop.num_body_consts, loop.num_carry, sum(const_mask)
        consts, carry = jaxpr.invars[:n_consts], jaxpr.invars[n_consts : n_consts + n_carry]
        tangents = jaxpr.invars[n_consts + n_carry :]
        invars = [*consts, *tangents[:n_tangents], *carry, *tangents[n_tangents:]]
        cond = loop.cond_jaxpr.jaxpr
        unused = [Var(v.aval) for v in tangents[n_tangents:]]
        return (
            ClosedJaxpr(
                Jaxpr(cond.constvars, [*cond.invars, *unused], cond.equations, cond.outvars),
                loop.cond_jaxpr.consts,
            ),
            ClosedJaxpr(Jaxpr(jaxpr.constvars, invars, jaxpr.equations, jaxpr.outvars), body.consts),
        )

    cond, reordered = body.derive(("with tangents", loop.cond_jaxpr, loop.num_body_consts), make)
    n_body_consts = loop.num_body_consts + sum(const_mask)
    return Loop(cond, reordered, loop.num_cond_consts, n_body_consts, loop.checkpointed)


def _linked_forward(
    mode: str, primals: list[Array], needed: list[bool], **parameters: Any
) -> tuple[list[Array], Callable]:
    loop = Loop(**parameters)
    outs = while_p.bind(*primals, **parameters)
    _, const_needed, carry_needed = loop.split(needed)
    carry_mask = loop.perturbed_carry(const_needed, carry_needed)
    mask = (*const_needed, *carry_mask)

    def vjp_rule(cotangents: Any, primals: Any, outs: Any, needed: Any, **_: Any) -> list[Array | None]:
        given = instantiate(chosen(cotangents, carry_mask), chosen(outs, carry_mask))
        silent = loop._replace(
            cond_jaxpr=silenced(loop.cond_jaxpr), body_jaxpr=silenced(loop.body_jaxpr)
        )._asdict()
        gradients = spread(while_vjp_p.bind(*primals, *given, **silent, differentiated=mask), mask)
        gradients = [*[None] * loop.num_cond_consts, *gradients]
        return [g if need else None for g, need in zip(gradients, needed, strict=True)]

    def jvp_rule(primals: Any, tangents: Any, outs: Any, **_: Any) -> list[Array | None]:
        return spread(_tangent(loop, primals, tangents[loop.num_cond_consts :], mask), carry_mask)

    return outs, vjp_rule if mode == "vjp" else jvp_rule


def _tangent(
    loop: Loop, primals: Sequence[Array], tangents: Sequence[Array | None], mask: Mask
) -> list[Array]:
    """The tangents of the carry for those of the constants of the body and the initial carry."""
    const_mask, carry_mask = mask[: loop.num_body_consts], mask[loop.num_body_consts :]
    cond_consts, body_consts, carry = loop.split(primals)
    given = instantiate(chosen(tangents, mask), chosen([*body_consts, *carry], mask))
    n_consts = sum(const_mask)
    results = while_p.bind(
        *cond_consts,
        *body_consts,
        *given[:n_consts],
        *carry,
        *given[n_consts:],
        **_with_tangents(loop, const_mask, carry_mask)._asdict(),
    )
    return results[loop.num_carry :]


def _bind(loop: Loop, operands: Sequence[Array]) -> list[Array]:
    return while_p.bind(*operands, **loop._asdict())


def _batch(args: list[Array], dims: list[Dim], size: int, **parameters: Any) -> tuple[list[Array], list[Dim]]:
    if has_user_checks(while_p, parameters):
        return batch_with_checks_outside(while_p, args, dims, size, parameters)
    batched = batched_loop(Loop(**parameters), [d is not None for d in dims], size)
    if batched.differs and must_run_one_by_one(parameters):
        return run_one_by_one(while_p, args, dims, size, parameters)
    outs = batched.run(_bind, batched_operands(args, dims, size, batched.batched))
    return outs, [0 if b else None for b in batched.carry_batched]


while_p = ControlFlowPrimitive(
    "while",
    abstract_eval=_abstract,
    run=_run,
    checked=checked_while,
    make_operation=_make_operation,
    linked_forward=_linked_forward,
    batch=_batch,
)

# ---------------------------------------------------------------- while_vjp


class _PullBack(NamedTuple):
    """A loop, and with respect to which constants of its body and parts of its carry it is differentiated.

    Operands: those of the loop, and the cotangents of these parts of the last carry. Results: the cotangents
    of these constants, then those of the initial carry. All of the carry that is perturbed counts.
    """

    loop: Loop
    mask: tuple[bool, ...]

    @property
    def const_mask(self) -> tuple[bool, ...]:
        return self.mask[: self.loop.num_body_consts]

    @property
    def carry_mask(self) -> tuple[bool, ...]:
        return self.mask[self.loop.num_body_consts :]

    @property
    def out_avals(self) -> list[ShapedArray]:
        return [a.strong() for a in chosen(self.loop.body_jaxpr.in_avals, self.mask)]

    def cotangents(self, operands: Sequence[Any]) -> list[Any]:
        """The operands after those of the loop."""
        return list(operands[self.loop.num_consts + self.loop.num_carry :])

    def bind(self, operands: Sequence[Array], cotangents: Sequence[Array]) -> list[Array]:
        return while_vjp_p.bind(*operands, *cotangents, **self.loop._asdict(), differentiated=self.mask)


def _pull_back(*, differentiated: tuple[bool, ...], **parameters: Any) -> _PullBack:
    return _PullBack(Loop(**parameters), differentiated)


def _vjp_abstract(*avals: ShapedArray, **parameters: Any) -> list[ShapedArray]:
    pull_back = _pull_back(**parameters)
    loop = pull_back.loop
    _check_loop(loop, avals)
    if len(pull_back.mask) != loop.num_body_consts + loop.num_carry:
        raise TypeError("while_vjp: the mask does not fit the operands")
    if list(pull_back.carry_mask) != loop.perturbed_carry(pull_back.const_mask, pull_back.carry_mask):
        raise TypeError("while_vjp: the mask leaves out a part of the carry that has a derivative")
    wanted = [a.strong() for a in chosen(loop.body_jaxpr.out_avals, pull_back.carry_mask)]
    check_avals("while_vjp: the cotangents", pull_back.cotangents(avals), wanted)
    return [a.strong() for a in chosen(pull_back.loop.body_jaxpr.in_avals, pull_back.mask)]


def _vjp_run(evaluate: Evaluate, operands: Sequence[np.ndarray], **parameters: Any) -> list[np.ndarray]:
    pull_back = _pull_back(**parameters)
    loop = pull_back.loop
    joint = joint_jaxpr("vjp", loop.body_jaxpr, pull_back.mask, pull_back.carry_mask)
    _, body_consts, _ = loop.split(operands)
    cotangents = pull_back.cotangents(operands)
    sums = [np.zeros_like(x) for x in chosen(body_consts, pull_back.const_mask)]
    for carry in reversed(_carries(evaluate, loop, operands)[:-1]):
        gradients = evaluate(joint, *body_consts, *carry, *cotangents)[loop.num_carry :]
        sums = [np.asarray(s + g, s.dtype) for s, g in zip(sums, gradients, strict=False)]
        cotangents = gradients[len(sums) :]
    return [*sums, *cotangents]


def _vjp_operation(operands: Sequence[Array], **parameters: Any) -> tuple[list[Array], Callable]:
    pull_back = _pull_back(**parameters)
    loop = pull_back.loop
    cond_consts, body_consts, carry = loop.split(operands)
    cotangents = pull_back.cotangents(operands)
    d = differentiate_body("vjp", loop.body_jaxpr, pull_back.mask, len(body_consts), len(carry))
    cond, cond_consts, predicate = _condition(loop, cond_consts, carry)
    invariant, forward = hoist_invariant(silenced(d.forward), len(body_consts))
    fixed = evaluate_inline(d.invariant, body_consts)
    residuals = [*(body_consts[i] for i in d.const_positions), *fixed]
    backward_invariant, backward = hoist_invariant(d.derivative, len(residuals))
    consts = [*cond_consts, *body_consts, *evaluate_inline(invariant, body_consts)]
    backward_consts = [*residuals, *evaluate_inline(backward_invariant, residuals)]
    sums = zeros([x.aval for x in chosen(body_consts, pull_back.const_mask)])
    n_cotangents, n_sums = len(cotangents), len(sums)  # what is cached must not refer to arrays

    def make() -> Callable:
        programs = [
            sub_program(_step(cond, len(cond_consts), forward, len(carry)), range(len(consts))),
            sub_program(backward, _all_but(backward, len(backward_consts), n_cotangents + n_sums)),
        ]
        out_avals = pull_back.out_avals
        out_avals = [*out_avals[n_sums:], *out_avals[:n_sums]]
        checkpointed = loop.checkpointed and not has_effects(forward)  # which would happen again
        counts = len(consts), len(carry), len(backward_consts), int(checkpointed)
        operation = while_vjp_p.native_operation(counts, out_avals, programs)

        def sums_first(*arguments: Array) -> list[Array]:
            outs = operation(*arguments)
            return [*outs[n_cotangents:], *outs[:n_cotangents]]

        return sums_first

    key = ("while_vjp", loop.cond_jaxpr, loop.num_cond_consts, loop.checkpointed, pull_back.mask)
    operation = loop.body_jaxpr.derive(key, make)
    return [*consts, *carry, predicate, *backward_consts, *cotangents, *sums], operation


def _all_but(body: ClosedJaxpr, start: int, count: int) -> list[int]:
    """The positions of the inputs, without some from `start` on."""
    return [*range(start), *range(start + count, len(body.in_avals))]


def _mixed(
    loop: Loop,
    primals: Sequence[Array],
    mask: Mask,
    direction: Sequence[Array | None],
    wrt: Mask,
    value_cotangents: Sequence[Array | None],
    tangent_cotangents: Sequence[Array | None],
) -> list[Array | None]:
    """The pull-back to `wrt` of the loop of a value and its tangent in a direction (of `mask`)."""
    n_consts = loop.num_body_consts
    cond_consts, body_consts, carry = loop.split(primals)
    given = instantiate(chosen(direction, mask), chosen([*body_consts, *carry], mask))
    n_given = sum(mask[:n_consts])
    both = _with_tangents(loop, mask[:n_consts], mask[n_consts:])
    const_mask = [*wrt[:n_consts], *[False] * n_given]
    carry_mask = both.perturbed_carry(
        const_mask, [*wrt[n_consts:], *[False] * (both.num_carry - loop.num_carry)]
    )
    values = [*carry, *given[n_given:]]
    cotangents = instantiate(
        chosen([*value_cotangents, *chosen(tangent_cotangents, mask[n_consts:])], carry_mask),
        chosen(values, carry_mask),
    )
    pull_back = _PullBack(both, (*const_mask, *carry_mask))
    results = pull_back.bind([*cond_consts, *body_consts, *given[:n_given], *values], cotangents)
    spread_out = spread(results, pull_back.mask)
    return [*spread_out[:n_consts], *spread_out[both.num_body_consts :][: loop.num_carry]]


def _vjp_linked_forward(
    mode: str, primals: list[Array], needed: list[bool], **parameters: Any
) -> tuple[list[Array], Callable]:
    # F(x), the loop, has the pull-back g(x, c) = F′(x)ᵀc. With the loop of value and tangent, (F(x), F′(x)t),
    # the tangent of g is the pull-back of (ċ, c) through it to x. The pull-back of g takes z to F′(x)z for c,
    # and for x to the pull-back of (0, c) through the loop in the direction z.
    pull_back = _pull_back(**parameters)
    loop, mask = pull_back.loop, pull_back.mask
    outs = while_vjp_p.bind(*primals, **parameters)
    _, const_needed, carry_needed = loop.split(needed)
    moving = [
        *(n and a.is_inexact for n, a in zip(const_needed, loop.body_jaxpr.in_avals, strict=False)),
        *loop.perturbed_carry(const_needed, carry_needed),
    ]
    operands, given = primals[: loop.num_consts + loop.num_carry], pull_back.cotangents(primals)
    at_carry = spread(given, pull_back.carry_mask)
    none = [None] * loop.num_carry

    def jvp_rule(primals: Any, tangents: Any, outs: Any, **_: Any) -> list[Array | None]:
        changes = instantiate(pull_back.cotangents(tangents), given)
        if not any(moving):
            return while_vjp_p.bind(*operands, *changes, **parameters)
        direction = tangents[loop.num_cond_consts : loop.num_consts + loop.num_carry]
        results = _mixed(
            loop, operands, moving, direction, mask, spread(changes, pull_back.carry_mask), at_carry
        )
        return chosen(results, mask)

    def vjp_rule(cotangents: Any, primals: Any, outs: Any, needed: Any, **_: Any) -> list[Array | None]:
        direction = spread(cotangents, mask)
        to_given = _tangent(loop, operands, direction, mask)
        to_operands: list[Array | None] = [None] * len(mask)
        if any(moving):
            to_operands = _mixed(loop, operands, mask, direction, moving, none, at_carry)
        gradients = [*[None] * loop.num_cond_consts, *to_operands, *to_given]
        return [g if need else None for g, need in zip(gradients, needed, strict=True)]

    return outs, vjp_rule if mode == "vjp" else jvp_rule


def _vjp_batch(
    args: list[Array], dims: list[Dim], size: int, **parameters: Any
) -> tuple[list[Array], list[Dim]]:
    pull_back = _pull_back(**parameters)
    loop = pull_back.loop
    # Each of the batch has a cotangent of its own for what is differentiated.
    differentiated = [*[False] * loop.num_cond_consts, *pull_back.mask]
    batched = batched_loop(
        loop, [d is not None or m for d, m in zip(dims, differentiated, strict=False)], size
    )
    if batched.differs and must_run_one_by_one(parameters):
        return run_one_by_one(while_vjp_p, args, dims, size, parameters)
    n_operands = len(differentiated)
    operands = batched_operands(args[:n_operands], dims[:n_operands], size, batched.batched)
    given = pull_back.cotangents(args)
    cotangents = batched_operands(given, pull_back.cotangents(dims), size, [True] * len(given))
    if not batched.differs:
        outs = _PullBack(batched.uniform(), pull_back.mask).bind(operands, cotangents)
        return outs, [0] * len(outs)
    _, _, recording = record(
        "vjp", "vjp", lambda *args: (batched.run(_bind, args), None), operands, needed=differentiated
    )
    gradients = recording.pull_back(spread(cotangents, pull_back.carry_mask), consume=True)
    wanted = chosen(gradients, differentiated)
    return instantiate(wanted, chosen(operands, differentiated)), [0] * len(wanted)


while_vjp_p = ControlFlowPrimitive(
    "while_vjp",
    abstract_eval=_vjp_abstract,
    run=_vjp_run,
    make_operation=_vjp_operation,
    linked_forward=_vjp_linked_forward,
    batch=_vjp_batch,
)
