"""The intermediate language: a flat list of equations between typed variables."""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from .._native import nan_safe_derivatives
from .avals import ShapedArray
from .printing import format_equation, format_jaxpr, format_neighbourhood
from .source import ArgumentSource, Source, format_source

if TYPE_CHECKING:
    from .._native import Array
    from .primitive import Primitive


class Var:
    """A variable. Bound once, by an equation or as an input of its jaxpr; compared by identity.

    `source` is the user's line that made it, or the argument it stands for where it is an input.
    """

    __slots__ = ("aval", "source")
    is_literal: typing.Literal[False] = False

    def __init__(self, aval: ShapedArray, source: Source | ArgumentSource = None):
        self.aval = aval
        self.source = source


class Literal:
    """A scalar constant written inline in an equation."""

    __slots__ = ("value", "aval")
    is_literal: typing.Literal[True] = True

    def __init__(self, value: Array, aval: ShapedArray):
        self.value = value
        self.aval = aval


Atom = Var | Literal


class Equation:
    """``outputs = primitive[parameters] inputs``, run on `stream` (None: whichever is current)."""

    __slots__ = ("primitive", "inputs", "outputs", "parameters", "source", "stream")

    def __init__(
        self,
        primitive: Primitive,
        inputs: Sequence[Atom],
        outputs: Sequence[Var],
        parameters: dict[str, Any],
        source: Source = None,
        stream: Any = None,
    ):
        self.primitive = primitive
        self.inputs = inputs
        self.outputs = outputs
        self.parameters = parameters
        self.source = source
        self.stream = stream

    def __str__(self) -> str:
        return format_equation(self)


class Jaxpr:
    """``{ lambda constvars ; invars. let equations in outvars }``."""

    __slots__ = ("constvars", "invars", "equations", "outvars")

    def __init__(
        self,
        constvars: Sequence[Var],
        invars: Sequence[Var],
        equations: list[Equation],
        outvars: Sequence[Atom],
    ):
        self.constvars = constvars
        self.invars = invars
        self.equations = equations
        self.outvars = outvars

    def __str__(self) -> str:
        return format_jaxpr(self)

    __repr__ = __str__


class ClosedJaxpr:
    """A jaxpr with the values of its constants. What transforms derive from it is cached in `derived`."""

    __slots__ = ("jaxpr", "consts", "derived", "__weakref__")

    def __init__(self, jaxpr: Jaxpr, consts: Sequence[Array]):
        self.jaxpr = jaxpr
        self.consts = consts
        self.derived: dict[Any, Any] = {}

    def derive(self, key: tuple, make: Callable[[], Any]) -> Any:
        """What `make` gives, made once for the key and for this thread's `nan_safe_derivatives`."""
        full_key = (*key, nan_safe_derivatives())
        if full_key not in self.derived:
            self.derived[full_key] = make()
        return self.derived[full_key]

    @property
    def in_avals(self) -> list[ShapedArray]:
        """The avals of the inputs."""
        return [v.aval for v in self.jaxpr.invars]

    @property
    def out_avals(self) -> list[ShapedArray]:
        """The avals of the outputs."""
        return [v.aval for v in self.jaxpr.outvars]

    def __str__(self) -> str:
        return format_jaxpr(self.jaxpr)

    __repr__ = __str__


def inner_jaxprs(parameters: dict[str, Any]) -> Iterator[ClosedJaxpr]:
    """The jaxprs among the parameters of an equation, alone or in tuples."""
    for value in parameters.values():
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, ClosedJaxpr):
                yield item


def silenced(closed: ClosedJaxpr) -> ClosedJaxpr:
    """A jaxpr for another run of what has run before: without effects whose results nobody needs.

    Cached in it.
    """
    if not has_effects(closed):
        return closed
    return closed.derive(("silenced",), lambda: _silenced(closed))


def _silenced(closed: ClosedJaxpr) -> ClosedJaxpr:
    jaxpr = closed.jaxpr
    live, kept = set(jaxpr.outvars), []
    for equation in reversed(jaxpr.equations):
        if not live.isdisjoint(equation.outputs):
            kept.append(_silenced_equation(equation))
            live.update(equation.inputs)
    return ClosedJaxpr(Jaxpr(jaxpr.constvars, jaxpr.invars, kept[::-1], jaxpr.outvars), closed.consts)


def _silenced_equation(equation: Equation) -> Equation:
    def inner(value: Any) -> Any:
        if type(value) is tuple:  # rules are named tuples
            return tuple(map(inner, value))
        return silenced(value) if isinstance(value, ClosedJaxpr) else value

    parameters = {name: inner(value) for name, value in equation.parameters.items()}
    return Equation(
        equation.primitive, equation.inputs, equation.outputs, parameters, equation.source, equation.stream
    )


def is_effectful(equation: Equation) -> bool:
    """Whether an equation must run even where nobody uses its results."""
    return runs_once(equation.primitive, equation.parameters)


def runs_once(primitive: Primitive, parameters: dict[str, Any]) -> bool:
    """Whether an operation has an effect, by itself or in a jaxpr that it carries."""
    # Most operations have few parameters, or none.
    return primitive.has_effect or (bool(parameters) and any(map(has_effects, inner_jaxprs(parameters))))


def has_effects(closed: ClosedJaxpr) -> bool:
    """Whether an equation of a jaxpr is effectful; cached in it."""
    known = closed.derived.get("effects")
    if known is None:
        known = closed.derived["effects"] = any(
            e.primitive.has_effect or (e.parameters and is_effectful(e)) for e in closed.jaxpr.equations
        )
    return known


def live_equations(equations: Sequence[Equation], outvars: Sequence[Atom]) -> list[Equation]:
    """The equations on which `outvars` depend, and those with effects, in order."""
    live = set(outvars)
    kept = []
    for equation in reversed(equations):
        if not live.isdisjoint(equation.outputs) or is_effectful(equation):
            kept.append(equation)
            live.update(equation.inputs)
    kept.reverse()
    return kept


def dce(closed: ClosedJaxpr) -> ClosedJaxpr:
    """`closed` without the equations and constants that its outputs do not need. The inputs all stay."""
    jaxpr = closed.jaxpr
    equations = live_equations(jaxpr.equations, jaxpr.outvars)
    used = {v for e in equations for v in e.inputs} | set(jaxpr.outvars)
    kept = [(v, c) for v, c in zip(jaxpr.constvars, closed.consts, strict=True) if v in used]
    return ClosedJaxpr(
        Jaxpr([v for v, _ in kept], jaxpr.invars, equations, jaxpr.outvars), [c for _, c in kept]
    )


def check_jaxpr(jaxpr: Jaxpr) -> None:
    """Check that every variable is bound once before it is used, and that avals are what the rules give.

    Raises:
        TypeError: naming the equation, the user's line, and the equations around it.
    """
    bound: set[Var] = set()

    def bind(var: Var, position: int | None, what: str) -> None:
        if var in bound:
            raise _ill_formed(jaxpr, position, f"{what} is bound twice")
        bound.add(var)

    def use(atom: Atom, position: int | None, what: str) -> None:
        if not atom.is_literal and atom not in bound:
            raise _ill_formed(jaxpr, position, f"{what} is used before it is bound")

    for i, var in enumerate(jaxpr.constvars):
        bind(var, None, f"constant {i}")
    for i, var in enumerate(jaxpr.invars):
        bind(var, None, f"input {i}")
    for position, equation in enumerate(jaxpr.equations):
        for i, atom in enumerate(equation.inputs):
            use(atom, position, f"operand {i}")
        for i, var in enumerate(equation.outputs):
            bind(var, position, f"result {i}")
        avals = equation.primitive.abstract(tuple(a.aval for a in equation.inputs), equation.parameters)
        expected = avals if equation.primitive.multiple_results else [avals]
        found = [v.aval for v in equation.outputs]
        if len(expected) != len(found) or any(e is not f for e, f in zip(expected, found, strict=True)):
            raise _ill_formed(
                jaxpr, position, f"the results are {found!r}, the primitive's rule gives {expected!r}"
            )
    for i, atom in enumerate(jaxpr.outvars):
        use(atom, None, f"output {i}")


def _ill_formed(jaxpr: Jaxpr, position: int | None, problem: str) -> TypeError:
    if position is None:
        return TypeError(f"ill-formed jaxpr: {problem}, in\n{jaxpr}")
    source = format_source(jaxpr.equations[position].source)
    return TypeError(
        f"ill-formed jaxpr: {problem}, in equation {position}, from {source}:\n"
        f"{format_neighbourhood(jaxpr, position)}"
    )
