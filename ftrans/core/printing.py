"""Printing jaxprs in JAX's notation. Duck-typed on purpose: `core.jaxpr` builds on it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from string import ascii_lowercase
from typing import Any

WIDTH = 80
_INDENT = "  "


class _Names:
    """Names for variables in order of appearance: a … z, aa, ab and so on."""

    def __init__(self) -> None:
        self._names: dict[Any, str] = {}
        self._fresh = self._generate()

    @staticmethod
    def _generate() -> Iterator[str]:
        for number in count():
            letters = ""
            while True:
                number, digit = divmod(number, 26)
                letters = ascii_lowercase[digit] + letters
                if number == 0:
                    break
                number -= 1
            yield letters

    def __call__(self, atom: Any) -> str:
        if atom.is_literal:
            return f"{_literal(atom.value)}:{atom.aval}"
        name = self._names.get(atom)
        if name is None:
            name = self._names[atom] = next(self._fresh)
        return name

    def typed(self, atom: Any) -> str:
        return f"{self(atom)}:{atom.aval}"


def _literal(value: Any) -> str:
    item = value._immediate
    return str(item)


def format_jaxpr(jaxpr: Any, width: int = WIDTH) -> str:
    """``{ lambda ; a:f32[3]. let b:f32[3] = sin a in (b,) }``, on one line where it fits."""
    return "\n".join(_jaxpr_lines(jaxpr, width))


def format_equation(equation: Any) -> str:
    """One equation alone, with its own variable names."""
    return "\n".join(_equation_lines(equation, _Names(), WIDTH))


def format_neighbourhood(jaxpr: Any, position: int, radius: int = 10) -> str:
    """The equations around `position`, which is marked."""
    names = _Names()
    for var in (*jaxpr.constvars, *jaxpr.invars):
        names(var)
    lines = []
    for i, equation in enumerate(jaxpr.equations[: position + radius + 1]):
        text = _equation_lines(equation, names, WIDTH)
        if i >= position - radius:
            lines += [("-> " if i == position else "   ") + line for line in text]
    return "\n".join(lines)


def _jaxpr_lines(jaxpr: Any, width: int) -> list[str]:
    names = _Names()
    constants = " ".join(names.typed(v) for v in jaxpr.constvars)
    inputs = " ".join(names.typed(v) for v in jaxpr.invars)
    head = (
        f"{{ lambda {constants}; {inputs}. let" if not constants else f"{{ lambda {constants} ; {inputs}. let"
    )
    # Computed in order, so that variables are named in order.
    equations = [_equation_lines(e, names, width - 4) for e in jaxpr.equations]
    outputs = [names(v) for v in jaxpr.outvars]
    tail = f"in ({', '.join(outputs)}{',' if len(outputs) == 1 else ''}) }}"
    if all(len(lines) == 1 for lines in equations):
        flat = " ".join(
            [head, "; ".join(lines[0] for lines in equations), tail] if equations else [head, tail]
        )
        if len(flat) <= width:
            return [flat]
    return [head, *(_INDENT * 2 + line for lines in equations for line in lines), _INDENT + tail]


def _equation_lines(equation: Any, names: _Names, width: int) -> list[str]:
    inputs = "".join(f" {names(v)}" for v in equation.inputs)
    outputs = " ".join(names.typed(v) for v in equation.outputs)
    head = f"{outputs} = {equation.primitive.name}" if outputs else equation.primitive.name
    if not equation.parameters:
        return [head + inputs]
    parameters = [
        _parameter_lines(key, value, width - 2)
        for key, value in sorted(equation.parameters.items())
        if value is not None
    ]
    if all(len(lines) == 1 for lines in parameters):
        flat = f"{head}[{' '.join(lines[0] for lines in parameters)}]{inputs}"
        if len(flat) <= width:
            return [flat]
    return [head + "[", *(_INDENT + line for lines in parameters for line in lines), "]" + inputs]


def _parameter_lines(key: str, value: Any, width: int) -> list[str]:
    jaxpr = getattr(value, "jaxpr", value)
    if hasattr(jaxpr, "equations"):
        first, *rest = _jaxpr_lines(jaxpr, width - len(key) - 1)
        return [f"{key}={first}", *rest]
    if (
        isinstance(value, tuple)
        and value
        and all(hasattr(getattr(v, "jaxpr", v), "equations") for v in value)
    ):
        lines = [f"{key}=("]
        for branch in value:
            lines += [_INDENT + line for line in _jaxpr_lines(getattr(branch, "jaxpr", branch), width - 2)]
        return [*lines, ")"]
    if callable(value):
        return [f"{key}={getattr(value, '__name__', type(value).__name__)}"]
    return [f"{key}={value}"]
