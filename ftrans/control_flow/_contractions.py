"""Sums of contractions over the steps of a loop, as one contraction over all steps.

The cotangent of a weight is Σₜ aₜᵀ·bₜ. Adding the terms up within the loop passes over the whole sum in each
step; where the factors are smaller than their product, they are stacked instead, and contracted once after
the loop.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from .._native import Array
from ..core.jaxpr import Atom, ClosedJaxpr, Equation, Var
from ..primitives.elementwise import add_p
from ..primitives.layout import reshape_p, transpose_p
from ..primitives.matmul import dot_general_p
from ._derived import restricted


class Contraction(NamedTuple):
    """The sum over all steps of a contraction of two factors, and what only moves its elements afterwards.

    `left` and `right` are positions among the slices of the loop followed by the stacked factors.
    """

    left: int
    right: int
    equation: Equation
    moves: list[Equation]

    def apply(self, stacked: Sequence[Array]) -> Array:
        """The sum, of the factors of all steps."""
        contracting, batch = self.equation.parameters["dimension_numbers"]
        (left, right), (left_batch, right_batch) = (
            [tuple(axis + 1 for axis in axes) for axes in pair] for pair in (contracting, batch)
        )
        numbers = ((0, *left), (0, *right)), (left_batch, right_batch)
        parameters = {**self.equation.parameters, "dimension_numbers": numbers}
        x = dot_general_p.bind(stacked[self.left], stacked[self.right], **parameters)
        for move in self.moves:
            x = move.primitive.bind(x, **move.parameters)
        return x


class Deferred(NamedTuple):
    """The body of a loop without some of its sums, and these as contractions, None for the sums that stay.

    The factors that are not slices of the loop follow the results of the body.
    """

    body: ClosedJaxpr
    contractions: list[Contraction | None]


def defer_contractions(body: ClosedJaxpr, num_consts: int, num_carry: int, num_sums: int) -> Deferred:
    """Take the sums out of a body that are cheaper afterwards; they are the last `num_sums` of its carry."""
    key = ("deferred", num_consts, num_carry, num_sums)
    return body.derive(key, lambda: _defer(body, num_consts, num_carry, num_sums))


def _defer(body: ClosedJaxpr, num_consts: int, num_carry: int, num_sums: int) -> Deferred:
    jaxpr = body.jaxpr
    first, end = num_consts + num_carry - num_sums, num_consts + num_carry
    sums, slices = jaxpr.invars[first:end], list(jaxpr.invars[end:])
    producer: dict[Atom, Equation] = {v: e for e in jaxpr.equations for v in e.outputs}
    uses = Counter(v for e in jaxpr.equations for v in e.inputs) + Counter(jaxpr.outvars)
    stacked: list[Atom] = list(slices)
    contractions: list[Contraction | None] = []
    for total, out in zip(sums, jaxpr.outvars[num_carry - num_sums : num_carry], strict=True):
        contraction = None
        addition = producer.get(out)
        if addition is not None and addition.primitive is add_p and addition.inputs[0] is total:
            contraction = _contraction(addition.inputs[1], producer, uses, stacked, jaxpr.invars[:num_consts])
        contractions.append(contraction)
    kept = [c is None for c in contractions]
    invars = [v for v, keep in zip(sums, kept, strict=True) if keep]
    outvars = [
        v for v, keep in zip(jaxpr.outvars[num_carry - num_sums : num_carry], kept, strict=True) if keep
    ]
    shortened = restricted(
        body,
        [*jaxpr.invars[:first], *invars, *slices],
        [
            *jaxpr.outvars[: num_carry - num_sums],
            *outvars,
            *jaxpr.outvars[num_carry:],
            *stacked[len(slices) :],
        ],
    )
    return Deferred(shortened, contractions)


def _contraction(
    term: Atom, producer: dict[Atom, Equation], uses: Counter, stacked: list[Atom], consts: Sequence[Var]
) -> Contraction | None:
    """The contraction that computes a term of a sum, if it is one, and dearer than its factors."""
    moves: list[Equation] = []
    while uses[term] == 1 and (equation := producer.get(term)) is not None:
        if equation.primitive is dot_general_p:
            left, right = equation.inputs
            small = left.aval.size + right.aval.size <= term.aval.size
            if not small or left.is_literal or right.is_literal or left in consts or right in consts:
                return None
            for factor in (left, right):
                if factor not in stacked:
                    stacked.append(factor)
            return Contraction(stacked.index(left), stacked.index(right), equation, moves[::-1])
        if equation.primitive not in (transpose_p, reshape_p):
            return None
        moves.append(equation)
        term = equation.inputs[0]
    return None
