"""A scan with several steps in the body of its loop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .._native import Array
from ..core.jaxpr import ClosedJaxpr
from ..core.tracing import eval_jaxpr, trace_to_jaxpr
from ..primitives.layout import reshape
from ..primitives.shape import concatenate_p, slice_axis
from ..transforms.batching import removed_axis
from .scan_loop import scan_p


def unrolled_scan(
    body: ClosedJaxpr,
    consts: list[Array],
    carry: list[Array],
    xs: list[Array],
    steps: int,
    reverse: bool,
    block: int,
) -> list[Array]:
    """The scan with `block` steps in the body of its loop; what is left over comes from the front."""
    scan = _Scan(body, consts, len(carry), reverse)
    if block == 1 or steps == 0:
        return scan.loop(body, carry, xs, steps)
    rest = steps % block
    parts: list[list[Array]] = []
    for is_front in (False, True) if reverse else (True, False):
        if is_front and rest:
            outs = scan.straight(consts, carry, [slice_axis(x, 0, 0, rest) for x in xs], rest)
        elif not is_front and steps > rest:
            outs = scan.in_blocks(carry, [slice_axis(x, 0, rest, steps) for x in xs], steps // block, block)
        else:
            continue
        carry = outs[: len(carry)]
        parts.insert(0 if is_front else len(parts), outs[len(carry) :])
    return [*carry, *(concatenated(column) for column in zip(*parts, strict=True))]


class _Scan(NamedTuple):
    body: ClosedJaxpr
    consts: list[Array]
    num_carry: int
    reverse: bool

    def loop(
        self, body: ClosedJaxpr, carry: Sequence[Array], xs: Sequence[Array], length: int
    ) -> list[Array]:
        """The primitive, with this body."""
        return scan_p.bind(
            *self.consts,
            *carry,
            *xs,
            jaxpr=body,
            num_consts=len(self.consts),
            num_carry=self.num_carry,
            length=length,
            reverse=self.reverse,
        )

    def straight(
        self, consts: Sequence[Array], carry: Sequence[Array], xs: Sequence[Array], count: int
    ) -> list[Array]:
        """So many steps one after another, without a loop."""
        rows = []
        for i in reversed(range(count)) if self.reverse else range(count):
            slices = [reshape(slice_axis(x, 0, i, i + 1), x.shape[1:]) for x in xs]
            outs = eval_jaxpr(self.body.jaxpr, self.body.consts, *consts, *carry, *slices)
            carry = outs[: self.num_carry]
            rows.append([reshape(y, (1, *y.shape)) for y in outs[self.num_carry :]])
        columns = zip(*(reversed(rows) if self.reverse else rows), strict=True)
        return [*carry, *(concatenated(column) for column in columns)]

    def in_blocks(self, carry: Sequence[Array], xs: Sequence[Array], blocks: int, block: int) -> list[Array]:
        """A loop over blocks of so many steps."""
        n_consts, first_x = len(self.consts), len(self.consts) + self.num_carry
        folded = [reshape(x, (blocks, block, *x.shape[1:])) for x in xs]
        unrolled = trace_to_jaxpr(
            lambda *args: self.straight(args[:n_consts], args[n_consts:first_x], args[first_x:], block),
            [*self.body.in_avals[:first_x], *(removed_axis(x.aval, 0) for x in folded)],
            "scan",
        )
        outs = self.loop(unrolled, carry, folded, blocks)
        stacked = [reshape(y, (blocks * block, *y.shape[2:])) for y in outs[self.num_carry :]]
        return [*outs[: self.num_carry], *stacked]


def concatenated(parts: Sequence[Array]) -> Array:
    """One or more arrays, joined along their first axis."""
    return parts[0] if len(parts) == 1 else concatenate_p.bind(*parts, axis=0)
