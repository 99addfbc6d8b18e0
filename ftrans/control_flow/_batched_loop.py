"""Loops of unknown length for a batch, whose lanes may be done at different times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from .._native import Array, bool_, int32, scalar
from ..core.avals import shaped_array
from ..core.jaxpr import ClosedJaxpr
from ..core.tracing import eval_jaxpr, trace_to_jaxpr
from ..primitives.conversion import convert
from ..primitives.elementwise import and_p, gt_p
from ..primitives.layout import reduce_sum
from ..primitives.reduction import reduce_or_p
from ..primitives.shape import slice_axis
from ._derived import Mask, batched_jaxpr, fixpoint
from ._lanes import chosen_lanes, lanes_first, loop_sizes, may_compact, put_lanes, take_lanes
from ._loop import Loop

#: Applies the primitive `while`: (loop, operands) → the last carry.
Bind = Callable[[Loop, Sequence[Array]], list[Array]]


class BatchedLoop(NamedTuple):
    """A loop for a batch: which of its operands have a batch axis, the first, and of how many lanes.

    If the condition is the same for all lanes, the loop is one of the same kind. If it `differs`, all of the
    carry is batched; the loop goes on while it holds for any lane, and what is done keeps its value. Where a
    turn is dear, the loop goes on with fewer lanes once so few are left: the body is there for each size.
    """

    loop: Loop
    batched: list[bool]
    size: int
    differs: bool

    @property
    def carry_batched(self) -> list[bool]:
        return self.batched[self.loop.num_consts :]

    def jaxprs(self, size: int) -> tuple[ClosedJaxpr, ClosedJaxpr]:
        """The condition and the body for so many lanes."""
        loop = self.loop
        cond_batched, body_batched, carry = loop.split(self.batched)
        cond, _ = batched_jaxpr(loop.cond_jaxpr, [*cond_batched, *carry], size, [self.differs])
        body, _ = batched_jaxpr(loop.body_jaxpr, [*body_batched, *carry], size, carry)
        return cond, body

    def uniform(self) -> Loop:
        """The loop of all lanes, where the condition does not differ."""
        cond, body = self.jaxprs(self.size)
        return self.loop._replace(cond_jaxpr=cond, body_jaxpr=body)

    def run(self, bind: Bind, operands: Sequence[Array]) -> list[Array]:
        """The last carry, for operands that are batched as told."""
        if not self.differs:
            return bind(self.uniform(), operands)
        n_consts = self.loop.num_consts
        cond, body = self.jaxprs(self.size)
        cond_consts, _, carry = self.loop.split(operands)
        (live,) = eval_jaxpr(cond.jaxpr, cond.consts, *cond_consts, *carry)
        sizes = [self.size]
        if may_compact(self.loop.body_jaxpr) and may_compact(self.loop.cond_jaxpr):
            sizes = loop_sizes([cond, body], self.size)
        return self._finished(bind, sizes, list(operands[:n_consts]), carry, live)

    def _finished(
        self, bind: Bind, sizes: Sequence[int], consts: list[Array], carry: list[Array], live: Array
    ) -> list[Array]:
        """The last carry of the lanes, `sizes[0]` of them, of which those that are `live` go on."""
        size, *fewer = sizes
        rest = fewer[0] if fewer else 0
        *carry, live = bind(self._masked(size, rest), [*consts, *carry, live])
        if not fewer:
            return carry
        lanes = slice_axis(lanes_first(live).order, 0, 0, rest)
        own = [take_lanes(x, lanes) if b else x for x, b in zip(consts, self.batched, strict=False)]
        results = self._finished(
            bind, fewer, own, [take_lanes(x, lanes) for x in carry], take_lanes(live, lanes)
        )
        return [put_lanes(x, lanes, y) for x, y in zip(carry, results, strict=True)]

    def _masked(self, size: int, rest: int) -> Loop:
        """The loop that goes on while more than `rest` lanes do; which do is the last of its carry."""
        n_cond, n_consts = self.loop.num_cond_consts, self.loop.num_consts
        cond, body = self.jaxprs(size)

        def go_on(*carry: Array) -> list[Array]:
            if rest == 0:
                return [reduce_or_p.bind(carry[-1], axes=(0,))]
            return [gt_p.bind(reduce_sum(convert(carry[-1], int32), (0,)), scalar(rest, int32, False))]

        def turn(*args: Array) -> list[Array]:
            consts, old, live = args[:n_consts], args[n_consts:-1], args[-1]
            new = eval_jaxpr(body.jaxpr, body.consts, *consts[n_cond:], *old)
            new = chosen_lanes(live, new, old)
            (holds,) = eval_jaxpr(cond.jaxpr, cond.consts, *consts[:n_cond], *new)
            return [*new, and_p.bind(holds, live)]

        def make() -> tuple[ClosedJaxpr, ClosedJaxpr]:
            carry = [*body.out_avals, shaped_array((size,), bool_)]
            consts = [*cond.in_avals[:n_cond], *body.in_avals[: n_consts - n_cond]]
            return trace_to_jaxpr(go_on, carry, "vmap"), trace_to_jaxpr(turn, [*consts, *carry], "vmap")

        any_left, masked = body.derive(("masked", cond, n_cond, rest), make)
        return Loop(any_left, masked, 0, n_consts, self.loop.checkpointed)


def batched_loop(loop: Loop, batched: Mask, size: int) -> BatchedLoop:
    """A loop for a batch, at least those of whose operands have a batch axis that are told."""
    cond_batched, body_batched, carry_batched = loop.split(batched)

    def differs(carry: Mask) -> bool:
        return batched_jaxpr(loop.cond_jaxpr, [*cond_batched, *carry], size, [False])[1][0]

    def turn(carry: list[bool]) -> list[bool]:
        if differs(carry):
            return [True] * len(carry)
        return batched_jaxpr(loop.body_jaxpr, [*body_batched, *carry], size, [False] * len(carry))[1]

    carry = fixpoint(turn, carry_batched)
    return BatchedLoop(loop, [*cond_batched, *body_batched, *carry], size, differs(carry))
