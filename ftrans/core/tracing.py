"""Traces: what is recorded while a transformed function runs.

There is one kind of traced array and no stack of interpreters. A trace is *linked* when its arrays also
carry a value one level down (`grad`, `vjp`, `jvp`), and then records steps with the values that their
derivative rules need; it is *abstract* when they do not (`vmap`, `jit`, `make_jaxpr`), and then records the
equations of a jaxpr. A trace that starts later has a higher level. An operation is recorded by the highest
among its operands, for which the arrays of all others are constants: so nested derivatives cannot be
confused.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from itertools import count, repeat
from typing import Any

import numpy as np

from .. import _native
from .._native import Array, Interpreting, Stream, current_stream, make_tracer, user_source
from .avals import ShapedArray
from .errors import ConcretizationError, LeakedTracerError
from .jaxpr import Atom, ClosedJaxpr, Equation, Jaxpr, Literal, Var, runs_once
from .leaks import check_leaks
from .primitive import Primitive
from .source import ArgumentSource, Source, format_source
from .tracebacks import note_source

_levels = count()


class Step:
    """An operation recorded by a linked trace: its derivative rule, and the values the rule needs.

    `inputs[i]` is the operand's variable, or None where it is a constant of the trace; `needed[i]` says
    which it is. `outputs[i]` is None for an integer result, which has no derivative.
    """

    __slots__ = (
        "rule", "multiple_results", "inputs", "needed", "outputs", "primals", "outs", "parameters", "stream",
        "source",
    )  # fmt: skip

    def __init__(
        self,
        rule: Callable,
        multiple_results: bool,
        inputs: list[Var | None],
        needed: list[bool],
        outputs: Sequence[Var | None],
        primals: list[Array],
        outs: Any,
        parameters: dict[str, Any],
        stream: Stream | None,
        source: Source,
    ):
        self.rule = rule
        self.multiple_results = multiple_results
        self.inputs = inputs
        self.needed = needed
        self.outputs = outputs
        self.primals = primals
        self.outs = outs
        self.parameters = parameters
        self.stream = stream
        self.source = source


class Trace(ABC):
    """One run of a function under a transformation, `transformation` being the user's name of it."""

    __slots__ = ("level", "transformation", "active", "__weakref__")
    is_abstract: bool
    #: How its arrays print: ``Traced<f32[3]>``.
    kind_of_array = "Traced"

    def __init__(self, transformation: str):
        self.level = next(_levels)
        self.transformation = transformation
        self.active = True

    @abstractmethod
    def record(self, primitive: Primitive, operands: Sequence[Array], parameters: dict[str, Any]) -> Any:
        """Apply `primitive`, at least one of whose operands belongs to this trace."""

    def end(self) -> None:
        """Using an array of this trace raises from now on."""
        self.active = False

    def misuse(self, x: Array) -> RuntimeError:
        """The error for using an array of this trace after its end."""
        name = self.transformation
        return LeakedTracerError(
            f"an array {x.aval} traced by {name} was used after {name} had ended "
            f"(at {format_source(user_source())}). It was made by {format_source(x._variable.source)}, and "
            "left the function through a side effect: a global, an attribute, a closure or a list. Return "
            "it from the transformed function instead (has_aux=True lets grad, vjp and jvp return more than "
            "what is differentiated)."
        )


class AbstractTrace(Trace):
    """A trace whose arrays have no values; it records the equations of a jaxpr.

    `decide`, where there is one, gives a value for an array on which the function's Python branches, or
    raises. It is called with the array and the user's name of what needs its value.
    """

    __slots__ = ("equations", "decide", "_consts")
    is_abstract = True

    def __init__(self, transformation: str, decide: Callable[[Array, str], Array] | None = None):
        super().__init__(transformation)
        self.equations: list[Equation] = []
        self.decide = decide
        self._consts: dict[Any, tuple[Var, Array]] = {}

    def input(self, aval: ShapedArray, source: ArgumentSource | None = None) -> Array:
        """A traced array that stands for an input of the function."""
        return make_tracer(self, Var(aval, source), aval, None)

    def record(self, primitive: Primitive, operands: Sequence[Array], parameters: dict[str, Any]) -> Any:
        if not self.active:
            raise _misused_operand(self, operands)
        return _native.record_equation(self, primitive, operands, parameters)

    def constant(self, x: Array) -> Atom:
        """The atom for an array from outside of this trace."""
        if x._trace is None:
            if x._immediate is not None:  # among operands, `record_equation` sees to it
                return Literal(x._snapshot(), x.aval)
            key: Any = (x._value_id, x.aval)
        else:
            if not x._trace.active:
                raise x._trace.misuse(x)
            key = x._variable
        entry = self._consts.get(key)
        if entry is None:
            # The snapshot keeps the value alive, so that its id stays its own, and out of reach of
            # `x[i] = …`.
            entry = self._consts[key] = (Var(x.aval), x._snapshot())
        return entry[0]

    def constants(self) -> list[tuple[Var, Array]]:
        """The constants so far that are no literals."""
        return list(self._consts.values())

    def close(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> ClosedJaxpr:
        """The jaxpr that this trace has recorded."""
        outvars = [x._variable if x._trace is self else self.constant(x) for x in outputs]
        constvars = [v for v, _ in self._consts.values()]
        consts = [x for _, x in self._consts.values()]
        return ClosedJaxpr(Jaxpr(constvars, [x._variable for x in inputs], self.equations, outvars), consts)

    def end(self) -> None:
        super().end()
        self.decide = None
        self.equations = []
        self._consts = {}


class LinkedTrace(Trace):
    """A trace whose arrays carry a value one level down; it records steps for the derivative interpreters.

    `mode` is "jvp" or "vjp": which of the derivative rules the steps hold.

    `points` holds, for some variables, where derivatives are taken, if that is not the value: near it, where
    the operation that began with it (by its `regular_forward`) has derivatives that determine those of what
    follows. All that depends on such an array is computed at the point too, for the steps. Values, and what
    the function decides by them, are not concerned.
    """

    __slots__ = ("mode", "steps", "points")
    is_abstract = False

    def __init__(self, transformation: str, mode: str):
        super().__init__(transformation)
        self.mode = mode
        self.steps: list[Step] = []
        self.points: dict[Var | None, Array] = {}

    def input(self, linked: Array, source: ArgumentSource | None = None) -> Array:
        """A traced array that stands for an input of the function, whose value is `linked`."""
        aval = linked.aval
        return make_tracer(self, Var(aval, source), aval, linked)

    def record(self, primitive: Primitive, operands: Sequence[Array], parameters: dict[str, Any]) -> Any:
        if not self.active:
            raise _misused_operand(self, operands)
        inputs: list[Var | None] = []
        needed = []
        primals: list[Array] = []
        for x in operands:
            if x._trace is self:
                inputs.append(x._variable)
                needed.append(True)
                primals.append(x._linked)  # type: ignore[arg-type]  # an array of a linked trace has one
            else:
                inputs.append(None)
                needed.append(False)
                primals.append(x._snapshot())
        if primitive.has_zero_derivative:
            return primitive.bind(*primals, **parameters)
        values: Any = None
        if self.points and not self.points.keys().isdisjoint(inputs) and not runs_once(primitive, parameters):
            values = primitive.bind(*primals, **parameters)
            primals = [self.points.get(v, x) for v, x in zip(inputs, primals, strict=True)]
        points: Any = None
        if primitive.linked_forward is None and primitive.regular_forward is None:
            outs = primitive.bind(*primals, **parameters)
            rule = primitive.vjp if self.mode == "vjp" else primitive.jvp
        else:
            outs, rule, points, parameters = self._forward(primitive, primals, needed, parameters)
        at = outs if points is None else points
        if values is not None:
            outs, points = values, at
        source = user_source()
        several = primitive.multiple_results
        outputs: list[Var | None]
        result: Any
        if several:
            outputs, result = self._traced_results(outs, points, source)
            if all(v is None for v in outputs):
                return result
        else:
            aval = outs.aval
            if not aval.is_inexact:
                return outs
            var = Var(aval, source)
            outputs = [var]
            result = make_tracer(self, var, aval, outs)
            if points is not None:
                self.points[var] = points
        self.steps.append(
            Step(rule, several, inputs, needed, outputs, primals, at, parameters, current_stream(), source)
        )
        return result

    def _traced_results(
        self, outs: Sequence[Array], points: Sequence[Array] | None, source: Any
    ) -> tuple[list[Var | None], list[Array]]:
        """The variables of several results, and the traced arrays.

        An integer result has no derivative, and no variable: it stays what it is one level down.
        """
        outputs = [Var(out.aval, source) if out.aval.is_inexact else None for out in outs]
        results = [
            out._snapshot() if v is None else make_tracer(self, v, v.aval, out)
            for v, out in zip(outputs, outs, strict=True)
        ]
        if points is not None:
            moved = zip(outputs, points, outs, strict=True)
            self.points.update((v, x) for v, x, out in moved if v is not None and x is not out)
        return outputs, results

    def _forward(
        self, primitive: Primitive, primals: Sequence[Array], needed: list[bool], parameters: dict[str, Any]
    ) -> tuple[Any, Callable, Any, dict[str, Any]]:
        """The results one level down, the derivative rule, the points if any, and the rule's parameters."""
        if primitive.regular_forward is not None:
            outs, points, parameters = primitive.regular_forward(primals, **parameters)
            return outs, primitive.vjp if self.mode == "vjp" else primitive.jvp, points, parameters
        assert primitive.linked_forward is not None  # every other operation is applied in `record`
        outs, rule, *given = primitive.linked_forward(self.mode, primals, needed, **parameters)
        if any(out._trace is self for out in outs):
            raise TypeError(
                f"{primitive.name}: the function or its rule closes over an array that "
                f"{self.transformation} is differentiating (at {format_source(user_source())}); "
                "pass the array as an argument"
            )
        return outs, rule, given[0] if given else None, parameters

    def end(self) -> None:
        super().end()
        self.steps = []
        self.points = {}


class _ThisThread(threading.local):
    def __init__(self) -> None:
        self.abstract_traces: list[AbstractTrace] = []


_this_thread = _ThisThread()


def is_tracing_abstractly() -> bool:
    """Whether this thread is inside of a function that an abstract trace runs, such as that of `jit`."""
    return bool(_this_thread.abstract_traces)


def innermost_abstract_trace() -> AbstractTrace | None:
    """The abstract trace whose function this thread is inside of; None outside of any."""
    traces = _this_thread.abstract_traces
    return traces[-1] if traces else None


def trace_to_jaxpr(
    fun: Callable[..., Sequence[Array]],
    in_avals: Sequence[ShapedArray],
    transformation: str,
    sources: Iterable[ArgumentSource | None] = repeat(None),
    decide: Callable[[Array, str], Array] | None = None,
) -> ClosedJaxpr:
    """Run `fun`, from arrays to a list of arrays, on abstract values. Closed-over arrays become constants.

    `decide` is the trace's.
    """
    trace = AbstractTrace(transformation, decide)
    _this_thread.abstract_traces.append(trace)
    try:
        closed = _closed(trace, fun, in_avals, sources)
    finally:
        _this_thread.abstract_traces.pop()
        trace.end()
    check_leaks(trace)
    return closed


def _closed(
    trace: AbstractTrace,
    fun: Callable[..., Sequence[Array]],
    in_avals: Sequence[ShapedArray],
    sources: Iterable[ArgumentSource | None],
) -> ClosedJaxpr:
    inputs = [trace.input(aval, source) for aval, source in zip(in_avals, sources, strict=False)]
    variables = [x._snapshot() for x in inputs]  # `fun` may assign to the items of its arguments
    with Interpreting():
        outputs = fun(*inputs)
    return trace.close(variables, outputs)


def run_on(stream: Stream | None, function: Callable, *args: Any, **parameters: Any) -> Any:
    """Call a function on the stream that an equation recorded (None: the current one)."""
    if stream is None:
        return function(*args, **parameters)
    previous = current_stream()
    _native.set_current_stream(stream)
    try:
        return function(*args, **parameters)
    finally:
        _native.set_current_stream(previous)


def eval_jaxpr(
    jaxpr: Jaxpr,
    consts: Sequence[Array],
    *args: Array,
    bind: Callable = Primitive.bind,
    executes: bool = False,
) -> list[Array]:
    """Apply a jaxpr to arrays, concrete or traced; `bind` applies the primitive of each equation.

    With `executes` it is asked for those only that are of a class derived from `Primitive`: all others are
    executed, the arrays being concrete.

    >>> closed = ft.make_jaxpr(ft.sin)(1.0)
    >>> eval_jaxpr(closed.jaxpr, closed.consts, ft.array(0.0))
    [array(0, dtype=float32)]
    """
    env: dict[Atom, Array] = dict(zip(jaxpr.constvars, consts, strict=True))
    env.update(zip(jaxpr.invars, args, strict=True))
    with Interpreting():
        _native.eval_equations(jaxpr.equations, env, bind, Primitive if executes else None)
    return [v.value if v.is_literal else env[v] for v in jaxpr.outvars]


def eval_reference(closed: ClosedJaxpr, *args: np.ndarray) -> list[np.ndarray]:
    """Apply a jaxpr to NumPy arrays with the primitives' reference implementations."""
    jaxpr = closed.jaxpr
    env: dict[Atom, np.ndarray] = dict(zip(jaxpr.constvars, map(np.asarray, closed.consts), strict=True))
    env.update(zip(jaxpr.invars, args, strict=True))
    for equation in jaxpr.equations:
        operands = [np.asarray(v.value) if v.is_literal else env[v] for v in equation.inputs]
        result = equation.primitive.impl(*operands, **equation.parameters)
        env.update(
            zip(equation.outputs, result if equation.primitive.multiple_results else [result], strict=True)
        )
    return [np.asarray(v.value) if v.is_literal else env[v] for v in jaxpr.outvars]


def _misused_operand(trace: Trace, operands: Sequence[Array]) -> RuntimeError:
    return trace.misuse(next(x for x in operands if x._trace is trace))


def _value_of_tracer(x: Array, what: str) -> Array:
    while x._linked is not None:
        x = x._linked
    trace = x._trace
    if not trace.active:
        raise trace.misuse(x)
    if trace.decide is None or x.size != 1:
        raise concretization_error(x, what)
    return trace.decide(x, what)


#: Transformations that trace functions of what the user gives; loops and branches give what they compute.
_OF_USERS_ARGUMENTS = ("jit", "vmap", "make_jaxpr", "export", "eval_shape")


def concretization_error(x: Array, what: str, why: str = "") -> ConcretizationError:
    """The error for `what` needing the value of an array of an abstract trace; `why` it can't have one."""
    trace = x._trace
    arguments = _arguments_behind(trace, x._variable)
    origin = f", computed by {format_source(x._variable.source)}" if x._variable not in arguments else ""
    static = ""
    if trace.transformation in _OF_USERS_ARGUMENTS:
        static = (
            "; if the argument should be an ordinary Python value, name it in jit's static_argnums or "
            "static_argnames"
        )
    return ConcretizationError(
        f"{what} at {format_source(user_source())} needs the value of an array {x.aval} that has none while "
        f"{trace.transformation} traces the function{origin}{why}. It depends on {_join(arguments)}. For a "
        "choice between values use ft.where(condition, a, b), for a choice between computations "
        f"ft.cond(condition, f, g, …), for a loop ft.while_loop(condition, f, x){static}."
    )


def _join(arguments: list[Var]) -> str:
    return ", ".join(format_source(v.source) for v in arguments) or "no argument"


def _arguments_behind(trace: AbstractTrace, var: Var) -> list[Var]:
    """The inputs of the trace on which `var` depends."""
    defining = {v: equation for equation in trace.equations for v in equation.outputs}
    found, pending, seen = [], [var], {var}
    while pending:
        v = pending.pop()
        if v in defining:
            new = [i for i in defining[v].inputs if not i.is_literal and i not in seen]
            seen.update(new)
            pending += new
        elif isinstance(v.source, ArgumentSource):
            found.append(v)
    return found


_native.set_note_source(note_source)
_native.set_jaxpr_classes(Var, Literal, Equation, AbstractTrace)
_native.set_concretization_hook(_value_of_tracer)
