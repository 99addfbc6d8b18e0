"""The batching interpreter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._native import Array, Interpreting, set_source
from ..core.avals import ShapedArray, shaped_array
from ..core.jaxpr import Atom, ClosedJaxpr, Equation, Jaxpr
from ..core.tracing import run_on, trace_to_jaxpr

#: Where the batch axis of an array is; None for an array that is the same for the whole batch.
Dim = int | None


def eval_batched(
    jaxpr: Jaxpr, consts: Sequence[Array], args: Sequence[Array], dims: Sequence[Dim], size: int
) -> tuple[list[Array], list[Dim]]:
    """Apply a jaxpr to arrays some of which have a batch axis."""
    env: dict[Atom, Array] = dict(zip(jaxpr.constvars, consts, strict=True))
    env.update(zip(jaxpr.invars, args, strict=True))
    axes: dict[Atom, Dim] = dict(zip(jaxpr.invars, dims, strict=True))  # None where there is no entry
    with Interpreting():
        for equation in jaxpr.equations:
            inputs = equation.inputs
            operands = [v.value if v.is_literal else env[v] for v in inputs]
            set_source(equation.source)
            result, axis = batch_equation(equation, operands, list(map(axes.get, inputs)), size)
            if equation.primitive.multiple_results:
                env.update(zip(equation.outputs, result, strict=True))
                axes.update(zip(equation.outputs, axis, strict=True))
            else:
                env[equation.outputs[0]], axes[equation.outputs[0]] = result, axis
    outvars = jaxpr.outvars
    return [v.value if v.is_literal else env[v] for v in outvars], list(map(axes.get, outvars))


def batch_equation(equation: Equation, operands: list[Array], dims: list[Dim], size: int) -> Any:
    """Apply an equation for a batch.

    The result and its batch axis; the list of results and that of their axes, where there are several.
    """
    primitive = equation.primitive
    if dims.count(None) < len(dims):
        if equation.stream is None:
            return primitive.batch(operands, dims, size, **equation.parameters)
        return run_on(equation.stream, primitive.batch, operands, dims, size, **equation.parameters)
    result = run_on(equation.stream, primitive.bind, *operands, **equation.parameters)
    return result, [None] * len(result) if primitive.multiple_results else None


def batch_jaxpr(closed: ClosedJaxpr, dims: Sequence[Dim], size: int) -> tuple[ClosedJaxpr, list[Dim]]:
    """The jaxpr that does `closed` for a batch, and the batch axes of its outputs; cached in `closed`."""

    def make() -> tuple[ClosedJaxpr, list[Dim]]:
        out_dims: list[Dim] = []

        def batched(*args: Array) -> list[Array]:
            outs, out_dims[:] = eval_batched(closed.jaxpr, closed.consts, args, dims, size)
            return outs

        avals = [
            a if d is None else inserted_axis(a, d, size) for a, d in zip(closed.in_avals, dims, strict=True)
        ]
        return trace_to_jaxpr(batched, avals, "vmap"), out_dims

    return closed.derive(("batch", tuple(dims), size), make)


def inserted_axis(aval: ShapedArray, axis: int, size: int) -> ShapedArray:
    """`aval` with a new axis."""
    return shaped_array((*aval.shape[:axis], size, *aval.shape[axis:]), aval.dtype, aval.weak_type)


def removed_axis(aval: ShapedArray, axis: int) -> ShapedArray:
    """`aval` without one of its axes."""
    return shaped_array(aval.shape[:axis] + aval.shape[axis + 1 :], aval.dtype, aval.weak_type)
