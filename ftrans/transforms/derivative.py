"""The derivative interpreters, on flat lists of arrays: `jvp`, `vjp`, `grad`, … are written with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from typing import Any

from .._native import Array, Interpreting, set_source
from ..core.avals import ShapedArray
from ..core.jaxpr import ClosedJaxpr, Var
from ..core.leaks import check_leaks
from ..core.pytree import tree_map
from ..core.source import ArgumentSource, backward
from ..core.tracing import LinkedTrace, Step, eval_jaxpr, run_on
from ..primitives.elementwise import add_p
from ..primitives.layout import zeros_like


class Recording:
    """What a linked trace has recorded: a function that ran, ready to be differentiated any number of times.

    It refers to arrays one level down only, so it outlives its trace and may be used under any other.
    `invars[i]` and `outvars[i]` are None where there is nothing to differentiate (integers, constants).
    `points[i]` is where the derivative of what follows an output is to be taken, if not at its value.
    """

    __slots__ = ("transformation", "steps", "invars", "outvars", "points")

    def __init__(
        self,
        transformation: str,
        steps: list[Step],
        invars: list[Var | None],
        outvars: list[Var | None],
        points: list[Array | None],
    ):
        self.transformation = transformation
        self.steps = steps
        self.invars = invars
        self.outvars = outvars
        self.points = points

    def push_forward(self, tangents: Sequence[Array | None]) -> list[Array | None]:
        """The tangents of the outputs for those of the inputs; None is a zero."""
        env = dict(_present(self.invars, tangents))
        with Interpreting(self.transformation):
            for step in self.steps:
                operands = [None if v is None else env.get(v) for v in step.inputs]
                if all(t is None for t in operands):
                    continue
                set_source(step.source)
                result = run_on(step.stream, step.rule, step.primals, operands, step.outs, **step.parameters)
                if result is None:
                    continue
                env.update(_present(step.outputs, result if step.multiple_results else (result,)))
        return [_result(env, v) for v in self.outvars]

    def pull_back(self, cotangents: Sequence[Array | None], consume: bool = False) -> list[Array | None]:
        """The cotangents of the inputs for those of the outputs; None is a zero.

        With `consume` every step is let go as soon as it is done, and the recording is of no further use.
        """
        env: dict[Var, Array] = {}
        _accumulate(env, self.outvars, cotangents)
        with Interpreting(self.transformation):
            for step in _popped(self.steps) if consume else reversed(self.steps):
                if step.multiple_results:
                    incoming: Any = [None if v is None else env.pop(v, None) for v in step.outputs]
                    if all(c is None for c in incoming):
                        continue
                else:
                    incoming = env.pop(step.outputs[0], None)  # type: ignore[arg-type]
                    if incoming is None:
                        continue
                set_source(backward(step.source))
                if step.stream is None:
                    result = step.rule(incoming, step.primals, step.outs, step.needed, **step.parameters)
                else:
                    result = run_on(
                        step.stream,
                        step.rule,
                        incoming,
                        step.primals,
                        step.outs,
                        step.needed,
                        **step.parameters,
                    )
                if result is not None:
                    _accumulate(env, step.inputs, result)
        return [_result(env, v) for v in self.invars]


def record(
    mode: str,
    transformation: str,
    fun: Callable[..., tuple[Sequence[Array], Any]],
    primals: Sequence[Array],
    sources: Iterable[ArgumentSource | None] = repeat(None),
    needed: Iterable[bool] = repeat(True),
) -> tuple[list[Array], Any, Recording]:
    """Run `fun`, from arrays to (list of arrays, auxiliary tree), and record it for derivatives.

    Inputs that are not `needed`, or not of an inexact dtype, are constants.
    """
    trace = LinkedTrace(transformation, mode)
    try:
        result = _recorded(trace, fun, primals, sources, needed)
    finally:
        trace.end()
    check_leaks(trace)
    return result


def _recorded(
    trace: LinkedTrace,
    fun: Callable[..., tuple[Sequence[Array], Any]],
    primals: Sequence[Array],
    sources: Iterable[ArgumentSource | None],
    needed: Iterable[bool],
) -> tuple[list[Array], Any, Recording]:
    def lowered(x: Any) -> Any:
        """What `fun` returned, one level down; a new handle, out of reach of assignments to items."""
        if not isinstance(x, Array):
            return x
        below = x._linked if x._trace is trace else x
        assert below is not None  # the array of a linked trace has one
        return below._snapshot()

    inputs = [
        trace.input(x._snapshot(), source) if need and x.aval.is_inexact else x._snapshot()
        for x, source, need in zip(primals, sources, needed, strict=False)
    ]
    invars = [x._variable if x._trace is trace else None for x in inputs]
    with Interpreting():
        outs, aux = fun(*inputs)
    outvars = [x._variable if x._trace is trace else None for x in outs]
    points = [trace.points.get(v) for v in outvars]
    recording = Recording(trace.transformation, trace.steps, invars, outvars, points)
    return [lowered(x) for x in outs], None if aux is None else tree_map(lowered, aux), recording


def record_jaxpr(
    mode: str, closed: ClosedJaxpr, primals: Sequence[Array], needed: Iterable[bool]
) -> tuple[list[Array], Any]:
    """The outputs of a jaxpr and their recording, as `record` of it."""
    outs, _, recording = record(
        mode,
        mode,
        lambda *inputs: (eval_jaxpr(closed.jaxpr, closed.consts, *inputs), None),
        primals,
        needed=needed,
    )
    return outs, recording


def instantiate(derivatives: Sequence[Array | None], like: Sequence[Array | ShapedArray]) -> list[Array]:
    """Zeros in place of None."""
    return [zeros_like(x) if d is None else d for d, x in zip(derivatives, like, strict=True)]


def _result(env: dict[Var, Array], var: Var | None) -> Array | None:
    # A new handle: several results may be one array, and the user may assign to the items of either.
    derivative = None if var is None else env.get(var)
    return None if derivative is None else derivative._snapshot()


def _accumulate(
    env: dict[Var, Array], variables: Sequence[Var | None], cotangents: Sequence[Array | None]
) -> None:
    for var, cotangent in zip(variables, cotangents, strict=True):
        if var is not None and cotangent is not None:
            previous = env.get(var)
            env[var] = cotangent if previous is None else add_p.bind(previous, cotangent)


def _present(
    variables: Iterable[Var | None], derivatives: Iterable[Array | None]
) -> Iterable[tuple[Var, Array]]:
    for var, derivative in zip(variables, derivatives, strict=True):
        if var is not None and derivative is not None:
            yield var, derivative


def _popped(steps: list[Step]) -> Iterable[Step]:
    while steps:
        yield steps.pop()
