"""The primitives of implicit differentiation: solve a linear system, find a root.

The solution x of f(p, x) = 0 has the derivative x' = −(∂f/∂x)⁻¹ (∂f/∂p) p' (implicit function theorem; see
Griewank and Walther, "Evaluating Derivatives", 2nd ed., chapter 15). Every derivative is a linear solve,
which has its own derivatives again: so all orders and modes follow, and no solver is ever differentiated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .._native import Array, from_numpy
from ..core.avals import ShapedArray
from ..core.errors import ConcretizationError
from ..core.primitive import Primitive
from ..core.tracing import trace_to_jaxpr
from ..primitives.elementwise import neg_p, sub_p
from ..primitives.layout import batch_first
from .batching import Dim
from .custom_function import Flat, MaybeFlat, batched_call
from .derivative import instantiate, record
from .linear import transpose_jaxpr

#: (constants, x) → arrays like x.
Function = Callable[[Flat, Flat], list[Array]]
#: (function, constants, right-hand side or guess) → x, then auxiliary outputs.
Solver = Callable[[Function, Flat, Flat], list[Array]]


class LinearProblem(NamedTuple):
    """Find x such that function(constants, x) = b, with a function that is linear in x.

    Without a `transpose_solver` there is no reverse mode; the function of a `symmetric` problem is its own
    transpose.
    """

    name: str
    function: Function
    solver: Solver
    transpose_solver: Solver | None
    symmetric: bool = False
    has_aux: bool = False

    def __repr__(self) -> str:
        return self.name

    def solve(self, constants: Flat, b: Flat) -> list[Array]:
        """The solution and the auxiliary outputs."""
        return self.solver(self.function, constants, b)

    def transposed(self) -> LinearProblem:
        """The problem with the transposed function."""
        if self.symmetric:
            return self
        if self.transpose_solver is None:
            raise TypeError(
                f"{self.name}: reverse mode needs transpose_solve, which solves the transposed system, or "
                "symmetric=True if it is the same"
            )

        def function(constants: Flat, x: Flat) -> list[Array]:
            avals = [v.aval for v in x]
            closed = trace_to_jaxpr(lambda *v: self.function(constants, v), avals, self.name)
            transposed = transpose_jaxpr(closed, x)
            return instantiate(transposed, avals)

        return self._replace(function=function, solver=self.transpose_solver, transpose_solver=self.solver)

    def batched(self, dims: Sequence[Dim], size: int) -> LinearProblem:
        """The problem of a batch: `dims` of its constants, and 0 of x and b."""
        transpose = None if self.transpose_solver is None else self.transposed().solve
        return self._replace(
            function=_batched(self.function, dims, size),
            solver=_ignoring_function(_batched(self.solve, dims, size)),
            transpose_solver=None
            if transpose is None
            else _ignoring_function(_batched(transpose, dims, size)),
        )


class RootProblem(NamedTuple):
    """Find x such that function(constants, x) = 0.

    `tangent` is the linear problem (∂f/∂x) v = b, the constants of which are those of the function, then x.
    """

    name: str
    function: Function
    solver: Solver
    tangent: LinearProblem
    has_aux: bool = False

    def __repr__(self) -> str:
        return self.name

    def solve(self, constants: Flat, guess: Flat) -> list[Array]:
        """The root and the auxiliary outputs."""
        return self.solver(self.function, constants, guess)

    def batched(self, dims: Sequence[Dim], size: int, unknowns: int) -> RootProblem:
        """The problem of a batch: `dims` of its constants, and 0 of x, which has that many leaves."""
        solver = _ignoring_function(_batched(self.solve, dims, size))
        tangent = self.tangent.batched([*dims, *[0] * unknowns], size)
        function = _batched(self.function, dims, size)
        return self._replace(function=function, solver=solver, tangent=tangent)


def linearized(function: Function, unknowns: int) -> Function:
    """(constants, then the point x; v) → (∂f/∂x) v."""

    def derivative(constants: Flat, v: Flat) -> list[Array]:
        split = len(constants) - unknowns
        return _push_forward(
            lambda *x: function(constants[:split], x), constants[split:], v, [True] * unknowns
        )

    return derivative


def _batched(function: Function, dims: Sequence[Dim], size: int) -> Function:
    def batched(constants: Flat, x: Flat) -> list[Array]:
        n = len(constants)
        return batched_call(
            lambda *args: function(args[:n], args[n:]), [*constants, *x], [*dims, *[0] * len(x)], size
        )

    return batched


def _ignoring_function(solve: Function) -> Solver:
    return lambda function, constants, b: solve(constants, b)


def _push_forward(
    function: Callable[..., list[Array]], point: Flat, tangents: MaybeFlat, needed: Sequence[bool]
) -> list[Array]:
    outs, _, recording = record("jvp", "jvp", lambda *x: (function(*x), None), point, needed=needed)
    return instantiate(recording.push_forward(tangents), outs)


class _Solve(Primitive):
    """Operands are the constants of `problem`, then b or the guess, of which there are `unknowns` arrays.

    The user's solver runs where the operands have values, so it may branch on them; a compiled function takes
    in what it does with arrays.
    """

    __slots__ = ()

    def __init__(self, name: str, *, batch: Callable, linked_forward: Callable):
        super().__init__(
            name,
            abstract_eval=self._abstract,
            impl=lambda *operands, problem, unknowns: [
                np.asarray(x) for x in _solve(map(from_numpy, operands), problem, unknowns)
            ],
            batch=batch,
            linked_forward=linked_forward,
            multiple_results=True,
        )

    def abstract(self, avals: tuple[ShapedArray, ...], parameters: dict[str, Any]) -> list[ShapedArray]:
        """Not memoised: a memo would keep every problem alive."""
        return self._abstract(*avals, **parameters)

    @staticmethod
    def _abstract(*avals: ShapedArray, problem: Any, unknowns: int) -> list[ShapedArray]:
        if problem.has_aux:
            closed = trace_to_jaxpr(lambda *args: _solve(args, problem, unknowns), avals, problem.name)
            return closed.out_avals
        return [aval.strong() for aval in avals[len(avals) - unknowns :]]

    def execute(self, operands: Sequence[Array], parameters: dict[str, Any]) -> list[Array]:
        """Run the solver."""
        try:
            outs = _solve(operands, **parameters)
        except RuntimeError as error:
            if "placeholder" not in str(error):
                raise
            raise ConcretizationError(
                f"{parameters['problem'].name}: the solver needs the value of an array, which has none while "
                "jit compiles it; solve outside of jit, or write the solver without branches on values"
            ) from None
        if any(x._trace is not None for x in outs):
            raise TypeError(
                f"{parameters['problem'].name}: the solver closes over an array that is being transformed, "
                "on which the function that it solves for does not depend; apply stop_gradient to it"
            )
        return outs


def _solve(operands: Any, problem: Any, unknowns: int) -> list[Array]:
    operands = list(operands)
    split = len(operands) - unknowns
    return problem.solve(operands[:split], operands[split:])


def _linear_solve_linked_forward(
    mode: str, primals: Flat, needed: Sequence[bool], *, problem: LinearProblem, unknowns: int
) -> tuple[list[Array], Callable]:
    outs = linear_solve_p.bind(*primals, problem=problem, unknowns=unknowns)
    split = len(primals) - unknowns
    constants, x = primals[:split], outs[:unknowns]

    def applied(*constants: Array) -> list[Array]:
        return problem.function(constants, x)

    def jvp_rule(primals: Any, tangents: MaybeFlat, outs: Any, **_: Any) -> list[Array | None]:
        # A x = b, so A x' = b' − A' x.
        rhs = instantiate(tangents[split:], x)
        if any(t is not None for t in tangents[:split]):
            change = _push_forward(applied, constants, tangents[:split], needed[:split])
            rhs = [sub_p.bind(r, c) for r, c in zip(rhs, change, strict=True)]
        solved = linear_solve_p.bind(*constants, *rhs, problem=problem, unknowns=unknowns)
        return [*solved[:unknowns], *[None] * (len(outs) - unknowns)]

    def vjp_rule(
        cotangents: MaybeFlat, primals: Any, outs: Any, needed: Sequence[bool], **_: Any
    ) -> list[Array | None]:
        transposed = problem.transposed()
        given = instantiate(cotangents[:unknowns], x)
        w = linear_solve_p.bind(*constants, *given, problem=transposed, unknowns=unknowns)[:unknowns]
        return [*_negated_pull_back(applied, constants, w, needed[:split]), *w]

    return outs, vjp_rule if mode == "vjp" else jvp_rule


def _negated_pull_back(
    function: Callable[..., list[Array]], constants: Flat, cotangents: Flat, needed: Sequence[bool]
) -> list[Array | None]:
    if not any(needed):
        return [None] * len(constants)
    _, _, recording = record("vjp", "vjp", lambda *c: (function(*c), None), constants, needed=needed)
    return recording.pull_back([neg_p.bind(w) for w in cotangents], consume=True)


def _linear_solve_batch(
    args: list[Array], dims: list[Dim], size: int, *, problem: LinearProblem, unknowns: int
) -> tuple[list[Array], list[Dim]]:
    split = len(args) - unknowns
    b = [batch_first(x, d, size) for x, d in zip(args[split:], dims[split:], strict=True)]
    batched = problem.batched(dims[:split], size)
    outs = linear_solve_p.bind(*args[:split], *b, problem=batched, unknowns=unknowns)
    return outs, [0] * len(outs)


def _root_linked_forward(
    mode: str, primals: Flat, needed: Sequence[bool], *, problem: RootProblem, unknowns: int
) -> tuple[list[Array], Callable]:
    outs = root_p.bind(*primals, problem=problem, unknowns=unknowns)
    split = len(primals) - unknowns
    constants, x = primals[:split], outs[:unknowns]

    def residual(*constants: Array) -> list[Array]:
        return problem.function(constants, x)

    def jvp_rule(primals: Any, tangents: MaybeFlat, outs: Any, **_: Any) -> list[Array | None]:
        if all(t is None for t in tangents[:split]):
            return [None] * len(outs)
        change = _push_forward(residual, constants, tangents[:split], needed[:split])
        rhs = [neg_p.bind(c) for c in change]
        solved = linear_solve_p.bind(*constants, *x, *rhs, problem=problem.tangent, unknowns=unknowns)
        return [*solved[:unknowns], *[None] * (len(outs) - unknowns)]

    def vjp_rule(
        cotangents: MaybeFlat, primals: Any, outs: Any, needed: Sequence[bool], **_: Any
    ) -> list[Array | None]:
        transposed = problem.tangent.transposed()
        given = instantiate(cotangents[:unknowns], x)
        w = linear_solve_p.bind(*constants, *x, *given, problem=transposed, unknowns=unknowns)[:unknowns]
        return [*_negated_pull_back(residual, constants, w, needed[:split]), *[None] * unknowns]

    return outs, vjp_rule if mode == "vjp" else jvp_rule


def _root_batch(
    args: list[Array], dims: list[Dim], size: int, *, problem: RootProblem, unknowns: int
) -> tuple[list[Array], list[Dim]]:
    split = len(args) - unknowns
    guess = [batch_first(x, d, size) for x, d in zip(args[split:], dims[split:], strict=True)]
    batched = problem.batched(dims[:split], size, unknowns)
    outs = root_p.bind(*args[:split], *guess, problem=batched, unknowns=unknowns)
    return outs, [0] * len(outs)


linear_solve_p = _Solve(
    "linear_solve", batch=_linear_solve_batch, linked_forward=_linear_solve_linked_forward
)
root_p = _Solve("root", batch=_root_batch, linked_forward=_root_linked_forward)
