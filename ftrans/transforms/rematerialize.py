"""A jaxpr that computes the same with less memory: what it keeps for later, it computes again instead.

Where most memory is in use, the values that wait there for a later use are those that a backward pass needs
of a forward pass. A *plan* keeps a few of them, and computes the others again from these when they are used
for the first time: behind a barrier, so that this happens then and not earlier. Plans are tried from the one
that computes least until one fits. They keep what is expensive to compute, or what lives between segments of
the forward pass (Chen et al., "Training Deep Nets with Sublinear Memory Cost", arXiv:1604.06174, section 3);
a plan that is not enough is planned again, which is the recursion of section 4.3 there.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from ..core.avals import ShapedArray
from ..core.call import with_calls_inlined
from ..core.jaxpr import Atom, ClosedJaxpr, Equation, Jaxpr, Var, inner_jaxprs, is_effectful, live_equations
from ..lowering import compiled
from ..primitives.convolution import conv_p
from ..primitives.matmul import dot_general_p
from ..primitives.rematerialization import optimization_barrier_p

#: How often a plan that is not enough is planned again.
_MOST_ROUNDS = 4

#: From how many operations for each element of the results on an equation is expensive.
_EXPENSIVE = 16


def within_memory(closed: ClosedJaxpr, limit: int, donated: tuple[int, ...] = ()) -> ClosedJaxpr:
    """`closed`, or one that computes the same with a peak of at most `limit` bytes, as predicted.

    Raises:
        MemoryError: no plan fits; the message says how far the peak goes down.
    """

    def make() -> ClosedJaxpr:
        return _search(closed, limit, lambda jaxpr: compiled(jaxpr, donated).memory_analysis()["peak"])

    return closed.derive(("within_memory", limit, donated), make)


def _search(closed: ClosedJaxpr, limit: int, peak_of: Callable[[ClosedJaxpr], int]) -> ClosedJaxpr:
    first = lowest = peak_of(closed)
    if lowest <= limit:
        return closed
    best = _inlined(closed)
    for _ in range(_MOST_ROUNDS):
        before, start = lowest, best
        for candidate in sorted(_plans(start.jaxpr), key=lambda plan: plan.cost):
            trial = ClosedJaxpr(candidate.jaxpr, start.consts)
            peak = peak_of(trial)
            if peak <= limit:
                return trial
            if peak < lowest:
                lowest, best = peak, trial
        if lowest == before:
            break
    raise MemoryError(
        f"jit: memory_limit is {limit} bytes, but the peak of the program is {first} bytes, and "
        f"{lowest} at least, however much is computed again; its arguments and results count"
    )


def _inlined(closed: ClosedJaxpr) -> ClosedJaxpr:
    """The same jaxpr with all calls inlined, and without what is unused."""
    flat = with_calls_inlined(closed)
    jaxpr = flat.jaxpr
    equations = live_equations(jaxpr.equations, jaxpr.outvars)
    return ClosedJaxpr(Jaxpr(jaxpr.constvars, jaxpr.invars, equations, jaxpr.outvars), flat.consts)


class _Plan(NamedTuple):
    """A jaxpr with equations that are computed again, and about how many operations these are."""

    jaxpr: Jaxpr
    cost: float


def _plans(jaxpr: Jaxpr) -> Iterator[_Plan]:
    """The plans for the place of a jaxpr where most memory is in use."""
    frontier = _Frontier(jaxpr)
    if not frontier.waiting:
        return
    expensive = {v for v in frontier.waiting if _cost(frontier.producer[v]) > _EXPENSIVE * v.aval.size}
    counts = [n for n in (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128) if n <= len(frontier.waiting)]
    kept_sets = [frozenset(expensive)] if expensive else []
    for count in counts:
        between = frontier.between_segments(count)
        kept_sets += [frozenset(between), frozenset(between | expensive)]
    for kept in dict.fromkeys(kept_sets):  # in an order that is the same in every run
        yield _Rewriting(frontier, kept).plan()


class _Frontier:
    """The place of a jaxpr where most memory is in use: `position` equations are before it.

    `waiting` are the values of before it that are used after it and that can be computed again, in the order
    in which they are computed; `producer` has their equations, and those that they need in turn.
    """

    def __init__(self, jaxpr: Jaxpr):
        self.jaxpr = jaxpr
        self.position = _peak_position(jaxpr)
        before, after = jaxpr.equations[: self.position], jaxpr.equations[self.position :]
        self.producer: dict[Var, Equation] = {}
        for equation in before:
            # An effect happens once, and what depends on it can't be had without it.
            if not is_effectful(equation):
                self.producer.update(dict.fromkeys(equation.outputs, equation))
        used = {v for equation in after for v in equation.inputs if not v.is_literal}
        results = set(jaxpr.outvars)
        self.waiting = [
            v for e in before for v in e.outputs if v in used and v not in results and v in self.producer
        ]
        self.needed = live_equations(before, self.waiting)
        self.order = {id(equation): i for i, equation in enumerate(self.needed)}

    def between_segments(self, count: int) -> set[Var]:
        """What `count` segments, with about as many waiting bytes each, hand over to the next ones."""
        waiting = set(self.waiting)
        produced = [sum(_bytes(v.aval) for v in e.outputs if v in waiting) for e in self.needed]
        total = list(accumulate(produced))
        crossing = _waiting_bytes(self.needed)
        kept: set[Var] = set()
        for k in range(1, count):
            around = [bisect_left(total, total[-1] * (k + shift) / count) for shift in (-0.3, 0.3)]
            cut = min(range(around[0], around[1] + 1), key=lambda i: crossing[i])
            kept |= self._crossing(cut)
        return kept

    def _crossing(self, cut: int) -> set[Var]:
        """The values that the needed equations up to `cut` hand over to those after it."""
        computed = {v for e in self.needed[: cut + 1] for v in e.outputs}
        return {v for e in self.needed[cut + 1 :] for v in e.inputs if v in computed}


class _Rewriting:
    """What comes after a frontier; what waits there and is not `kept` is computed again at its first use."""

    def __init__(self, frontier: _Frontier, kept: Collection[Var]):
        self._frontier = frontier
        before = frontier.jaxpr.equations[: frontier.position]
        self._available = {v for e in before for v in e.outputs if v not in frontier.producer}
        self._available.update(kept)
        self._dropped = set(frontier.waiting) - self._available
        self._earlier = {
            *frontier.jaxpr.constvars,
            *frontier.jaxpr.invars,
            *(v for e in before for v in e.outputs),
        }
        self._equations: list[Equation] = list(before)
        self._copies: dict[Var, Atom] = {}
        self._cost = 0.0

    def plan(self) -> _Plan:
        """The rewritten jaxpr."""
        jaxpr = self._frontier.jaxpr
        latest: list[Atom] = []
        for equation in jaxpr.equations[self._frontier.position :]:
            missing = [v for v in equation.inputs if v in self._dropped and v not in self._copies]
            if missing:
                arrived = [v for v in equation.inputs if not v.is_literal and v not in self._earlier]
                self._compute_again(missing, arrived[:1] or latest)
            inputs = [self._copies.get(v, v) if not v.is_literal else v for v in equation.inputs]
            self._equations.append(_with_variables(equation, inputs, equation.outputs))
            latest = list(equation.outputs[:1])
        equations = live_equations(self._equations, jaxpr.outvars)
        return _Plan(Jaxpr(jaxpr.constvars, jaxpr.invars, equations, jaxpr.outvars), self._cost)

    def _compute_again(self, missing: Iterable[Var], arrived: Sequence[Atom]) -> None:
        """Add the equations for `missing`, to run when `arrived` is there."""
        again = self._equations_for(missing)
        outputs = {v for e in again for v in e.outputs}
        boundary = dict.fromkeys(
            self._copies.get(v, v) for e in again for v in e.inputs if not v.is_literal and v not in outputs
        )
        behind = {v: Var(v.aval) for v in boundary}
        if boundary:
            operands = [*boundary, *arrived]
            results = [*behind.values(), *(Var(v.aval) for v in arrived)]
            self._equations.append(Equation(optimization_barrier_p, operands, results, {}))
        for equation in again:
            inputs = [v if v.is_literal else self._behind(v, behind) for v in equation.inputs]
            copies = [Var(v.aval, v.source) for v in equation.outputs]
            self._copies.update(zip(equation.outputs, copies, strict=True))
            self._equations.append(_with_variables(equation, inputs, copies))
            self._cost += _cost(equation)

    def _behind(self, v: Var, behind: dict[Atom, Var]) -> Atom:
        """The value of a variable for an equation that is computed again."""
        known = self._copies.get(v, v)
        return behind.get(known, known)

    def _equations_for(self, missing: Iterable[Var]) -> list[Equation]:
        """The equations that compute `missing` from what is available, in their order."""
        frontier = self._frontier
        found: set[int] = set()
        pending: list[Atom] = list(missing)
        while pending:
            v = pending.pop()
            if v.is_literal or v in self._available or v in self._copies or v not in frontier.producer:
                continue
            equation = frontier.producer[v]
            position = frontier.order[id(equation)]
            if position not in found:
                found.add(position)
                pending += equation.inputs
        return [frontier.needed[i] for i in sorted(found)]


def _with_variables(equation: Equation, inputs: Sequence[Atom], outputs: Sequence[Var]) -> Equation:
    return Equation(
        equation.primitive, inputs, outputs, equation.parameters, equation.source, equation.stream
    )


def _peak_position(jaxpr: Jaxpr) -> int:
    """How many equations are done when the most bytes of results wait for equations to come."""
    live = _waiting_bytes(jaxpr.equations)
    return max(range(len(live)), key=lambda i: live[i], default=0) + 1


def _waiting_bytes(equations: Sequence[Equation]) -> list[int]:
    """After each equation, the bytes of the results so far that wait for equations to come."""
    last_use = {v: i for i, e in enumerate(equations) for v in e.inputs if not v.is_literal}
    changes = [0] * len(equations)
    for i, equation in enumerate(equations):
        for v in equation.outputs:
            if v in last_use:
                changes[i] += _bytes(v.aval)
                changes[last_use[v]] -= _bytes(v.aval)
    return list(accumulate(changes))


def _bytes(aval: ShapedArray) -> int:
    return aval.size * aval.dtype.itemsize


def _cost(equation: Equation) -> float:
    """About how many operations an equation takes."""
    elements = sum(v.aval.size for v in (*equation.inputs, *equation.outputs))
    if equation.primitive is dot_general_p:
        (contracted, _), _ = equation.parameters["dimension_numbers"]
        lhs = equation.inputs[0].aval.shape
        return 2.0 * equation.outputs[0].aval.size * math.prod(lhs[axis] for axis in contracted)
    if equation.primitive is conv_p:
        return 2.0 * equation.outputs[0].aval.size * math.prod(equation.inputs[1].aval.shape[1:])
    bodies = [sum(map(_cost, inner.jaxpr.equations)) for inner in inner_jaxprs(equation.parameters)]
    if bodies:
        return equation.parameters.get("length", _EXPENSIVE) * max(bodies) + elements
    return float(elements)
