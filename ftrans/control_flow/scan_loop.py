"""The primitive `scan`: a loop of known length over slices of arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .._native import Array
from ..core.avals import ShapedArray, shaped_array
from ..core.call import ControlFlowPrimitive, Evaluate
from ..core.jaxpr import ClosedJaxpr
from ..core.tracing import eval_jaxpr
from ..lowering import evaluate_inline, sub_program
from ..primitives.layout import move_axis
from ..transforms.batching import Dim
from ..transforms.derivative import instantiate
from ._checks import checked_scan
from ._contractions import defer_contractions
from ._derived import (
    Mask,
    batched_jaxpr,
    batched_operands,
    check_avals,
    chosen,
    fixpoint,
    hoist_invariant,
    spread,
    zeros,
)
from ._loop_derivative import LoopDerivative, differentiate_body


def _stacked(aval: ShapedArray, length: int) -> ShapedArray:
    return shaped_array((length, *aval.shape), aval.dtype, aval.weak_type)


def _abstract(
    *avals: ShapedArray, jaxpr: ClosedJaxpr, num_consts: int, num_carry: int, length: int, reverse: bool
) -> list[ShapedArray]:
    first, each, outs = num_consts + num_carry, jaxpr.in_avals, jaxpr.out_avals
    if not 0 <= num_consts <= first <= len(each) or length < 0:
        raise TypeError(
            f"scan: {num_consts} constants, {num_carry} carries, {length} steps do not fit its body"
        )
    expected = [*each[:first], *(_stacked(a, length) for a in each[first:])]
    check_avals("scan: the operands", avals, expected)
    check_avals("scan: the carries that the body returns", outs[:num_carry], each[num_consts:first])
    return _results(jaxpr, num_carry, length)


def _results(jaxpr: ClosedJaxpr, num_carry: int, length: int) -> list[ShapedArray]:
    outs = jaxpr.out_avals
    return [*outs[:num_carry], *(_stacked(a, length) for a in outs[num_carry:])]


def _run(
    evaluate: Evaluate,
    operands: Sequence[np.ndarray],
    *,
    jaxpr: ClosedJaxpr,
    num_consts: int,
    num_carry: int,
    length: int,
    reverse: bool,
) -> list[np.ndarray]:
    first = num_consts + num_carry
    consts, carry, xs = operands[:num_consts], list(operands[num_consts:first]), operands[first:]
    rows: list[list[np.ndarray]] = []
    for i in reversed(range(length)) if reverse else range(length):
        outs = evaluate(jaxpr, *consts, *carry, *(x[i] for x in xs))
        carry = outs[:num_carry]
        rows.append(outs[num_carry:])
    if reverse:
        rows.reverse()
    avals = [_stacked(a, length) for a in jaxpr.out_avals[num_carry:]]
    ys = [np.empty(a.shape, np.asarray(full).dtype) for a, full in zip(avals, zeros(avals), strict=True)]
    for i, row in enumerate(rows):
        for y, value in zip(ys, row, strict=True):
            y[i] = value
    return [*carry, *ys]


def _make_operation(
    operands: Sequence[Array],
    *,
    jaxpr: ClosedJaxpr,
    num_consts: int,
    num_carry: int,
    length: int,
    reverse: bool,
) -> tuple[list[Array], Callable]:
    invariant, body = hoist_invariant(jaxpr, num_consts)
    consts, rest = operands[:num_consts], operands[num_consts:]
    hoisted = evaluate_inline(invariant, consts)
    all_consts = num_consts + len(hoisted)

    def make() -> Callable:
        xs = range(all_consts + num_carry, len(body.in_avals))
        program = sub_program(body, [*range(all_consts), *xs])
        out_avals = _results(jaxpr, num_carry, length)
        return scan_p.native_operation((all_consts, num_carry, length, int(reverse)), out_avals, [program])

    operation = jaxpr.derive(("scan", num_consts, num_carry, length, reverse), make)
    return [*consts, *hoisted, *rest], operation


def _linked_forward(
    mode: str,
    primals: list[Array],
    needed: list[bool],
    *,
    jaxpr: ClosedJaxpr,
    num_consts: int,
    num_carry: int,
    length: int,
    reverse: bool,
) -> tuple[list[Array], Callable]:
    d = differentiate_body(mode, jaxpr, needed, num_consts, num_carry)
    first_x, n_out = num_consts + num_carry, len(jaxpr.out_avals)
    fixed = eval_jaxpr(d.invariant.jaxpr, d.invariant.consts, *primals[:num_consts])
    results = scan_p.bind(
        *primals, jaxpr=d.forward, num_consts=num_consts, num_carry=num_carry, length=length, reverse=reverse
    )
    outs, stacked = results[:n_out], results[n_out:]
    second = _SecondScan(
        d,
        [*(primals[i] for i in d.const_positions), *fixed],
        [*(primals[i] for i in d.x_positions), *stacked],
        [x.aval for x in primals[:num_consts]],
        (d.in_mask[:num_consts], d.in_mask[num_consts:first_x], d.in_mask[first_x:]),
        length,
        reverse,
    )
    return outs, second.vjp_rule if mode == "vjp" else second.jvp_rule


class _SecondScan(NamedTuple):
    """The scan of the derivative, with its constants and slices; `masks` of constants, carry and slices."""

    derivative: LoopDerivative
    consts: list[Array]
    xs: list[Array]
    const_avals: list[ShapedArray]
    masks: tuple[list[bool], list[bool], list[bool]]
    length: int
    reverse: bool

    def vjp_rule(self, cotangents: Any, primals: Any, outs: Any, needed: Any, **_: Any) -> list[Array | None]:
        d, (const_mask, carry_mask, x_mask) = self.derivative, self.masks
        given = instantiate(chosen(cotangents, d.out_mask), chosen(outs, d.out_mask))
        n_carry, n_sums, n_xs = sum(carry_mask), sum(const_mask), sum(x_mask)
        body, contractions = defer_contractions(d.derivative, len(self.consts), n_carry + n_sums, n_sums)
        sum_avals = chosen(self.const_avals, const_mask)
        sums = zeros([a for a, c in zip(sum_avals, contractions, strict=True) if c is None])
        slices = [*self.xs, *given[n_carry:]]
        results = iter(self._run(body, self.consts, [*given[:n_carry], *sums], slices, not self.reverse))
        to_carry, totals, to_xs = ([next(results) for _ in range(n)] for n in (n_carry, len(sums), n_xs))
        stacked, total = [*slices, *results], iter(totals)
        to_consts = [next(total) if c is None else c.apply(stacked) for c in contractions]
        gradients = [
            *spread(to_consts, const_mask),
            *spread(to_carry, carry_mask),
            *spread(to_xs, x_mask),
        ]
        return [g if need else None for g, need in zip(gradients, needed, strict=True)]

    def jvp_rule(self, primals: Any, tangents: Any, outs: Any, **_: Any) -> list[Array | None]:
        d, (const_mask, carry_mask, _x_mask) = self.derivative, self.masks
        given = instantiate(chosen(tangents, d.in_mask), chosen(primals, d.in_mask))
        n_consts, first_x = sum(const_mask), sum(const_mask) + sum(carry_mask)
        consts, xs = [*self.consts, *given[:n_consts]], [*self.xs, *given[first_x:]]
        results = self._run(d.derivative, consts, given[n_consts:first_x], xs, self.reverse)
        return spread(results, d.out_mask)

    def _run(
        self, body: ClosedJaxpr, consts: list[Array], carry: list[Array], xs: list[Array], reverse: bool
    ) -> list[Array]:
        return scan_p.bind(
            *consts,
            *carry,
            *xs,
            jaxpr=body,
            num_consts=len(consts),
            num_carry=len(carry),
            length=self.length,
            reverse=reverse,
        )


def _batch(
    args: list[Array],
    dims: list[Dim],
    size: int,
    *,
    jaxpr: ClosedJaxpr,
    num_consts: int,
    num_carry: int,
    length: int,
    reverse: bool,
) -> tuple[list[Array], list[Dim]]:
    first_x = num_consts + num_carry
    is_batched = [d is not None for d in dims]
    none = [False] * len(jaxpr.out_avals)

    def masks(carry: Mask) -> list[bool]:
        return [*is_batched[:num_consts], *carry, *is_batched[first_x:]]

    carry = fixpoint(
        lambda c: batched_jaxpr(jaxpr, masks(c), size, none)[1][:num_carry], is_batched[num_consts:first_x]
    )
    in_mask = masks(carry)
    batched, out_mask = batched_jaxpr(jaxpr, in_mask, size, [*carry, *none[num_carry:]])
    operands = [
        *batched_operands(args[:first_x], dims[:first_x], size, in_mask[:first_x]),
        # The loop slices axis 0, so that the batch axis comes second.
        *(
            x if d is None else move_axis(x, d, 1)
            for x, d in zip(args[first_x:], dims[first_x:], strict=True)
        ),
    ]
    outs = scan_p.bind(
        *operands, jaxpr=batched, num_consts=num_consts, num_carry=num_carry, length=length, reverse=reverse
    )
    out_dims: list[Dim] = [(0 if k < num_carry else 1) if b else None for k, b in enumerate(out_mask)]
    return outs, out_dims


scan_p = ControlFlowPrimitive(
    "scan",
    abstract_eval=_abstract,
    run=_run,
    checked=checked_scan,
    make_operation=_make_operation,
    linked_forward=_linked_forward,
    batch=_batch,
)
