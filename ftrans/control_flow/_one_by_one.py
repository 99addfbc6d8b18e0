"""Loops and branches with effects for a batch: one lane after another, each with its own effects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._native import Array
from ..core.call import ControlFlowPrimitive
from ..core.jaxpr import ClosedJaxpr, has_effects, inner_jaxprs
from ..core.tracing import trace_to_jaxpr
from ..primitives.collective import Collective
from ..primitives.layout import move_axis
from ..transforms.batching import Dim, removed_axis
from ._derived import chosen
from .scan_loop import scan_p


def must_run_one_by_one(parameters: dict[str, Any]) -> bool:
    """Whether something that can be seen happens in a loop or branch whose lanes do not need each other."""
    jaxprs = list(inner_jaxprs(parameters))
    return any(map(has_effects, jaxprs)) and not any(map(_has_collectives, jaxprs))


def run_one_by_one(
    primitive: ControlFlowPrimitive,
    args: Sequence[Array],
    dims: Sequence[Dim],
    size: int,
    parameters: dict[str, Any],
) -> tuple[list[Array], list[Dim]]:
    """The batching rule: a scan over the lanes."""
    is_own = [d is not None for d in dims]
    is_shared = [d is None for d in dims]
    own = [move_axis(x, d, 0) for x, d in zip(args, dims, strict=True) if d is not None]
    shared = chosen(args, is_shared)

    def lane(*operands: Array) -> list[Array]:
        of_all, of_one = iter(operands[: len(shared)]), iter(operands[len(shared) :])
        return primitive.bind(*(next(of_one) if o else next(of_all) for o in is_own), **parameters)

    avals = [*(x.aval for x in shared), *(removed_axis(x.aval, 0) for x in own)]
    outs = scan_p.bind(
        *shared,
        *own,
        jaxpr=trace_to_jaxpr(lane, avals, "vmap"),
        num_consts=len(shared),
        num_carry=0,
        length=size,
        reverse=False,
    )
    return outs, [0] * len(outs)


def _has_collectives(closed: ClosedJaxpr) -> bool:
    return any(
        isinstance(e.primitive, Collective) or any(map(_has_collectives, inner_jaxprs(e.parameters)))
        for e in closed.jaxpr.equations
    )
