"""fixed_point: iterate a contraction, in a native loop, and differentiate what it converges to."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from .. import ops
from .._native import Array, user_function
from ..core.errors import ConcretizationError
from ..core.pytree import flatten, leaf_names, unflatten
from ..core.source import function_name
from ..primitives.elementwise import add_p, sub_p
from ..transforms.arguments import check_callable, output_arrays, typed_like
from ..transforms.custom_function import Flat
from ..transforms.implicit import Unknowns, find_root
from ..transforms.implicit_primitives import Function
from .loops import while_loop


@user_function
def fixed_point(fun: Callable, init: Any, *, tol: float | None = None, max_iterations: int = 1000) -> Any:
    """The fixed point ``x = fun(x)`` of a contraction, by iteration, with the derivatives of the solution.

    They are with respect to the arrays that `fun` closes over, in both modes and of all orders, and are found
    by the same iteration, which converges as fast. The derivative with respect to `init` is zero. The
    iteration is a `while_loop`; under `vmap` each item of the batch stops by itself.

    Args:
        fun: a function of trees like `init` that returns such.
        init: where to start, a pytree of real or complex arrays.
        tol: stop when ``max |fun(x) - x| <= tol * max(1, max |x|)``; 16 units in the last place of the
            narrowest dtype, if not given.
        max_iterations: how many applications of `fun` are tried.

    Returns:
        x, a tree like `init`. NaN where there is no convergence and nobody to raise an error to: under `jit`,
        `vmap` and in loops, and in the iteration for a derivative.

    Raises:
        TypeError: the output of `fun` is not like `init`.
        RuntimeError: no convergence.

    The derivative is that of Christianson, "Reverse accumulation and attractive fixed points" (Optimization
    Methods and Software 3, 1994).

    >>> def square_root(a):
    ...     return ft.fixed_point(lambda x: 0.5 * (x + a / x), 1.0)
    >>> ft.value_and_grad(square_root)(4.0)
    (array(2, dtype=float32), array(0.25, dtype=float32))
    """
    check_callable("fixed_point", fun)

    def residual(x: Any) -> Any:
        before, structure = flatten(x)
        after, after_structure = flatten(fun(x))
        if structure != after_structure:
            raise TypeError(
                f"fixed_point: the output of {function_name(fun)} must have the structure of init, "
                f"{structure}, got {after_structure}"
            )
        arrays = output_arrays("fixed_point", fun, after, after)
        after = [
            typed_like("fixed_point", f"{name} of {function_name(fun)}", y, b)
            for y, b, name in zip(arrays, before, leaf_names(x, "output"), strict=True)
        ]
        return unflatten(structure, [sub_p.bind(y, b) for y, b in zip(after, before, strict=True)])

    unknowns = Unknowns("fixed_point", residual, init)
    if not any(a.size for a in unknowns.avals):
        return unknowns.result(unknowns.arrays, False)
    if tol is not None and not isinstance(tol, (int, float, Array)):
        raise TypeError(f"fixed_point: tol must be a number, got {tol!r}")
    if not isinstance(max_iterations, int):
        raise TypeError(f"fixed_point: max_iterations must be an int, got {max_iterations!r}")
    if max_iterations < 1:
        raise ValueError(f"fixed_point: max_iterations must be positive, got {max_iterations}")
    limit = 16 * max(float(np.finfo(a.dtype.name).eps) for a in unknowns.avals) if tol is None else tol

    def solver(function: Function, constants: Flat, start: Flat) -> list[Array]:
        return _iterate(limit, max_iterations, lambda x: function(constants, x), start)

    def tangent_solver(function: Function, constants: Flat, b: Flat) -> list[Array]:
        # (∂fun/∂x − 1) v = b is the fixed point v = ∂fun/∂x v − b.
        def change(v: Flat) -> list[Array]:
            return [sub_p.bind(c, r) for c, r in zip(function(constants, v), b, strict=True)]

        return _iterate(limit, max_iterations, change, b)[: len(b)]

    outs = find_root("fixed_point", unknowns, solver, tangent_solver, has_aux=True)
    converged, size = outs[len(unknowns.avals) :]
    try:
        failed = not converged
    except ConcretizationError:
        failed = False  # not known here: the solution is NaN if so
    if failed:
        raise RuntimeError(
            f"fixed_point: no convergence within {max_iterations} iterations (the last one changed the "
            f"unknowns by {float(size):.3g}, tol is {limit:.3g}); the function must be a contraction "
            "near its fixed point"
        )
    return unknowns.result(outs[: len(unknowns.avals)], False)


def _iterate(
    tol: float, max_iterations: int, residual: Callable[[Flat], list[Array]], start: Flat
) -> list[Array]:
    """Add the residual until it is small: the solution, whether it is one, the size of the last change."""

    def step(state: tuple) -> tuple:
        count, _, _, x = state
        change = residual(x)
        x = [add_p.bind(a, c) for a, c in zip(x, change, strict=True)]
        size = _largest(change)
        return count + 1, size, size > tol * ops.maximum(_largest(x), 1.0), x

    def goes_on(state: tuple) -> Array:
        count, _, is_large, _ = state
        return is_large & (count < max_iterations)

    infinite = ops.full_like(_largest(start), np.inf)
    _, size, is_large, x = while_loop(goes_on, step, (0, infinite, True, list(start)))
    converged = ~is_large & ops.isfinite(size)  # what is NaN is not large
    return [*(ops.where(converged, a, np.nan) for a in x), converged, size]


def _largest(arrays: Flat) -> Array:
    return reduce(ops.maximum, [ops.max(ops.abs(x)) for x in arrays if x.size])
