"""What the primitives of loops of unknown length say about their loop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ..core.jaxpr import ClosedJaxpr
from ._derived import Mask, fixpoint, perturbed


class Loop(NamedTuple):
    """The parameters of `while`: operands are the constants of the condition, of the body, and the carry.

    `checkpointed`: whether the pull-back keeps little, and runs parts of the loop again for that.
    """

    cond_jaxpr: ClosedJaxpr
    body_jaxpr: ClosedJaxpr
    num_cond_consts: int
    num_body_consts: int
    checkpointed: bool

    @property
    def num_consts(self) -> int:
        return self.num_cond_consts + self.num_body_consts

    @property
    def num_carry(self) -> int:
        return len(self.body_jaxpr.out_avals)

    def split(self, operands: Sequence[Any]) -> tuple[list[Any], list[Any], list[Any]]:
        """The constants of the condition, those of the body, and the carry."""
        ends = self.num_cond_consts, self.num_consts, self.num_consts + self.num_carry
        return list(operands[: ends[0]]), list(operands[ends[0] : ends[1]]), list(operands[ends[1] : ends[2]])

    def perturbed_carry(self, body_consts: Mask, carry: Mask) -> list[bool]:
        """Which parts of the carry have derivatives with respect to such constants and initial values."""
        inexact = [a.is_inexact for a in self.body_jaxpr.out_avals]
        start = [need and i for need, i in zip(carry, inexact, strict=True)]
        return fixpoint(lambda c: perturbed(self.body_jaxpr, [*body_consts, *c]), start)
