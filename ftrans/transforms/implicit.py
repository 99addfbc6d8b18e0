"""custom_linear_solve and custom_root: derivatives of solutions, not of how they were found."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .._native import Array, user_function
from ..core.errors import ConcretizationError
from ..core.pytree import flatten, leaf_names, unflatten
from ..core.source import function_name
from ..core.tracing import eval_jaxpr, trace_to_jaxpr
from .arguments import (
    FlatFunction,
    argument_arrays,
    argument_sources,
    check_callable,
    output_arrays,
    typed_like,
)
from .custom_function import Flat, check_pair
from .implicit_primitives import (
    Function,
    LinearProblem,
    RootProblem,
    Solver,
    linear_solve_p,
    linearized,
    root_p,
)
from .linear import check_linear
from .traced_function import hoist_tracers

if TYPE_CHECKING:
    from optree import PyTreeSpec


class Unknowns:
    """The arrays that are solved for, and the user's function of them; what it closes over are constants."""

    def __init__(self, transformation: str, fun: Callable, start: Any):
        check_callable(transformation, fun)
        self.transformation = transformation
        self.fun = fun
        leaves, self.structure = flatten(start)
        _, as_arguments = flatten(((start,), {}))
        self.arrays = argument_arrays(transformation, fun, leaves, as_arguments)
        self.avals = [x.aval.strong() for x in self.arrays]
        names = leaf_names(start, "x")
        for aval, name in zip(self.avals, names, strict=True):
            if not aval.is_inexact:
                raise TypeError(f"{transformation}: {name} must be real or complex, got {aval.dtype}")
        function = FlatFunction(transformation, fun, as_arguments.unflatten)
        self.traced = trace_to_jaxpr(
            function, self.avals, transformation, argument_sources(fun, as_arguments)
        )
        self._check(function.structure)
        self.closed, self.constants = hoist_tracers(self.traced)
        self.aux_structure: PyTreeSpec

    def _check(self, structure: PyTreeSpec) -> None:
        what = f"{self.transformation}: the output of {function_name(self.fun)}"
        if structure != self.structure:
            raise TypeError(
                f"{what} must have the structure of its argument, {self.structure}, got {structure}"
            )
        for found, expected in zip(self.traced.out_avals, self.avals, strict=True):
            if found.strong() is not expected:
                raise TypeError(f"{what} must be {expected} like its argument, got {found}")

    def function(self, constants: Flat, x: Flat) -> list[Array]:
        """The user's function on flat arrays; its constants are the last ones."""
        own = constants[len(constants) - len(self.constants) :]
        return eval_jaxpr(self.closed.jaxpr, self.closed.consts, *own, *x)

    def solver(self, solve: Callable, what: str, has_aux: bool) -> Solver:
        """The user's ``solve(function, start)`` on flat arrays."""
        check_callable(f"{self.transformation}: {what}", solve)

        def solver(function: Function, constants: Flat, start: Flat) -> list[Array]:
            def on_trees(x: Any) -> Any:
                structure = flatten(x)[1]
                if structure != self.structure:
                    raise TypeError(
                        f"{self.transformation}: {what} called the function with the structure {structure}, "
                        f"expected {self.structure}"
                    )
                arrays = self._typed(f"that {what} calls the function with", solve, x)
                return unflatten(self.structure, function(constants, arrays))

            result, aux = solve(on_trees, unflatten(self.structure, start)), None
            if has_aux:
                check_pair(self.transformation, what, "(solution, aux)", result)
                result, aux = result
            structure = flatten(result)[1]
            if structure != self.structure:
                raise TypeError(
                    f"{self.transformation}: {what} must return a solution of the unknowns' structure, "
                    f"{self.structure}, got {structure}"
                )
            arrays = self._typed(f"that {what} returns", solve, result)
            aux_leaves, self.aux_structure = flatten(aux)
            return [*arrays, *output_arrays(self.transformation, solve, aux_leaves, aux)]

        return solver

    def _typed(self, which: str, solve: Callable, solution: Any) -> list[Array]:
        """The leaves of a tree that the user's solver takes for a solution."""
        arrays = output_arrays(self.transformation, solve, flatten(solution)[0], solution)
        return [
            typed_like(self.transformation, f"{name} {which}", x, aval)
            for x, aval, name in zip(arrays, self.avals, leaf_names(solution, "solution"), strict=True)
        ]

    def result(self, outs: list[Array], has_aux: bool) -> Any:
        """The tree of the solution; with `has_aux`, and the auxiliary one."""
        n = len(self.avals)
        solution = unflatten(self.structure, outs[:n])
        return (solution, unflatten(self.aux_structure, outs[n:])) if has_aux else solution


class _Constants:
    """The constants of a problem: in front of the function's own, what its solvers close over."""

    def __init__(self, unknowns: Unknowns):
        self.name = unknowns.transformation
        self.arrays = unknowns.constants
        self._own = len(unknowns.constants)

    def closure_converted(
        self, solver: Solver, function: Function, start: list[Array], point: list[Array] | None = None
    ) -> Solver:
        """A solver without closed-over tracers. One that branches on values stays as it is.

        For a tangent problem, `point` are its further constants.
        """
        own = [*self.arrays[len(self.arrays) - self._own :], *(point or [])]
        if all(x._trace is None for x in [*own, *start]):
            return solver
        n, after = len(own), len(self.arrays) + len(point or [])
        try:
            traced = trace_to_jaxpr(
                lambda *args: solver(function, args[:n], args[n:]),
                [x.aval for x in [*own, *start]],
                self.name,
            )
        except ConcretizationError:
            return solver
        closed, captured = hoist_tracers(traced)
        if not captured:
            return solver
        self.arrays = [*captured, *self.arrays]

        def converted(function: Function, constants: Flat, start: Flat) -> list[Array]:
            end = len(constants) - after
            hoisted = constants[end - len(captured) : end]
            return eval_jaxpr(closed.jaxpr, closed.consts, *hoisted, *constants[len(constants) - n :], *start)

        return converted


@user_function
def custom_linear_solve(
    matvec: Callable,
    b: Any,
    solve: Callable,
    transpose_solve: Callable | None = None,
    symmetric: bool = False,
    has_aux: bool = False,
) -> Any:
    """Solve a linear system by any means, with the derivatives of its solution.

    Derivatives in both modes and of all orders are solves of the same or the transposed system: with respect
    to `b`, and to the arrays that `matvec` closes over. `solve` itself is not differentiated.

    Args:
        matvec: ``x -> A x`` on trees like `b`, linear as it is written.
        b: the right-hand side, a pytree of real or complex arrays.
        solve: ``solve(matvec, b) -> x``. It may branch on values of arrays, but cannot be compiled or
            vectorised then.
        transpose_solve: ``transpose_solve(vecmat, b) -> x`` for the transpose (not conjugated) of `matvec`;
            needed in reverse mode, unless `symmetric`.
        symmetric: promises that A is its own transpose, so that `solve` serves for both.
        has_aux: whether the solvers return ``(x, aux)``, with `aux` not differentiated.

    Returns:
        x; ``(x, aux)`` with `has_aux`.

    Raises:
        TypeError: `matvec` is not linear, or its output not like `b`; a solver does not return what it
            should; in reverse mode, there is no `transpose_solve`.
        ConcretizationError: a solver branches on values under `jit` or `vmap`.

    >>> def solution(a, b):
    ...     return ft.custom_linear_solve(lambda x: a * x, b, lambda matvec, b: b / a, symmetric=True)
    >>> ft.grad(solution, argnums=(0, 1))(2.0, 6.0)
    (array(-1.5, dtype=float32), array(0.5, dtype=float32))
    """
    name = "custom_linear_solve"
    unknowns = Unknowns(name, matvec, b)
    check_linear(unknowns.traced, f"{name}: {function_name(matvec)} must be linear")
    solver = unknowns.solver(solve, "solve", has_aux)
    transpose_solver = None
    if symmetric:
        transpose_solver = solver
    elif transpose_solve is not None:
        transpose_solver = unknowns.solver(transpose_solve, "transpose_solve", has_aux)
    problem = LinearProblem(name, unknowns.function, solver, transpose_solver, symmetric, has_aux=has_aux)
    constants = _Constants(unknowns)
    solver = constants.closure_converted(solver, problem.function, unknowns.arrays)
    if symmetric:
        transpose_solver = solver
    elif transpose_solver is not None:
        function = problem.transposed().function
        transpose_solver = constants.closure_converted(transpose_solver, function, unknowns.arrays)
    problem = problem._replace(solver=solver, transpose_solver=transpose_solver)
    outs = linear_solve_p.bind(
        *constants.arrays, *unknowns.arrays, problem=problem, unknowns=len(unknowns.arrays)
    )
    return unknowns.result(outs, has_aux)


@user_function
def custom_root(
    f: Callable, initial_guess: Any, solve: Callable, tangent_solve: Callable, has_aux: bool = False
) -> Any:
    """Find a root of a function by any means, with the derivatives that the implicit function theorem gives.

    They are with respect to the arrays that `f` closes over, in both modes and of all orders; `solve` is not
    differentiated, and the derivative with respect to `initial_guess` is zero.

    Args:
        f: a function of trees like `initial_guess` that returns such.
        initial_guess: a pytree of real or complex arrays.
        solve: ``solve(f, initial_guess) -> x`` with ``f(x) = 0``. It may branch on values of arrays, but
            cannot be compiled or vectorised then.
        tangent_solve: ``tangent_solve(g, y) -> x`` with ``g(x) = y`` for linear g: the derivative of `f` at
            the root, or its transpose.
        has_aux: whether `solve` returns ``(x, aux)``, with `aux` not differentiated.

    Returns:
        x; ``(x, aux)`` with `has_aux`.

    Raises:
        TypeError: the output of `f` is not like `initial_guess`, or a solver does not return what it should.
        ConcretizationError: a solver branches on values under `jit` or `vmap`.

    >>> def square_root(a):
    ...     def newton(f, x):
    ...         while abs(f(x)) > 1e-6:
    ...             x = x - f(x) / ft.grad(f)(x)
    ...         return x
    ...     return ft.custom_root(lambda x: x * x - a, 1.0, newton, lambda g, y: y / g(1.0))
    >>> ft.grad(square_root)(4.0)
    array(0.25, dtype=float32)
    """
    name = "custom_root"
    unknowns = Unknowns(name, f, initial_guess)
    solver = unknowns.solver(solve, "solve", has_aux)
    tangent_solver = unknowns.solver(tangent_solve, "tangent_solve", False)
    outs = find_root(name, unknowns, solver, tangent_solver, has_aux)
    return unknowns.result(outs, has_aux)


def find_root(
    name: str, unknowns: Unknowns, solver: Solver, tangent_solver: Solver, has_aux: bool
) -> list[Array]:
    """The root of the function of the unknowns, then what the solver returns beside it."""
    n = len(unknowns.arrays)
    function = unknowns.function
    derivative = linearized(function, n)
    constants = _Constants(unknowns)
    solver = constants.closure_converted(solver, function, unknowns.arrays)
    tangent_solver = constants.closure_converted(tangent_solver, derivative, unknowns.arrays, unknowns.arrays)
    tangent = LinearProblem(name, derivative, tangent_solver, tangent_solver)
    problem = RootProblem(name, function, solver, tangent, has_aux)
    return root_p.bind(*constants.arrays, *unknowns.arrays, problem=problem, unknowns=n)
