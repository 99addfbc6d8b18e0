"""How operations on concrete arrays are looked at, inside of compiled functions, loops and branches too."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial, reduce
from typing import Any, NamedTuple

import numpy as np

from .._native import Array, Program, current_stream
from ..core.call import CallPrimitive, ControlFlowPrimitive, with_calls_inlined
from ..core.jaxpr import Atom, ClosedJaxpr, Equation, Jaxpr, Var, has_effects, inner_jaxprs
from ..core.primitive import Observer, Primitive, current_observer, observe
from ..core.tracing import eval_jaxpr, innermost_abstract_trace, trace_to_jaxpr
from ..interop import asarray
from ..lowering import compiled
from ..primitives.elementwise import or_p
from ..primitives.layout import reshape_p, transpose_p
from ..primitives.matmul import dot_general_p
from ..transforms.traced_function import jit_p


class Product(NamedTuple):
    """What a result of a program is made of: sums of `terms` products of elements of two arrays."""

    left: Array
    right: Array
    terms: int


class Inspector(ABC):
    """Looks at operations on concrete arrays, and raises where one does what it is after."""

    #: Which inspectors have a `suspicion`: each a bit of its own, the others 0.
    bit = 0

    @abstractmethod
    def look(
        self, primitive: Primitive, operands: Sequence[Array], parameters: dict[str, Any], outs: list[Array]
    ) -> None:
        """Look at one operation, after it."""

    def must_see_inside(self, primitive: Primitive, parameters: dict[str, Any]) -> bool:
        """Whether the results of a program would not tell whether there is anything to find in it."""
        return False

    def suspicion(self, outs: Sequence[Array | Product]) -> Array | None:
        """Whether the results of a program tell of something to be found inside: a bool; None for never."""
        return None

    def found_nothing(self, what: str, operands: Sequence[Array], outs: Sequence[Array]) -> None:
        """What to do when the operations of a program that was suspected have all passed: nothing."""
        return


class _Inspection(Observer):
    """What some inspectors, each once, look at."""

    def __init__(self, inspectors: Sequence[Inspector]):
        self.inspectors = tuple(inspectors)
        bits = [inspector.bit for inspector in inspectors]
        self.number = sum(bits) if all(bits) else 0

    def apply(self, primitive: Primitive, operands: Sequence[Array], parameters: dict[str, Any]) -> Any:
        """Apply the primitive and look at it, or at what is inside if need be."""
        if primitive is jit_p:
            return self._apply_compiled(operands, parameters)
        if isinstance(primitive, (CallPrimitive, ControlFlowPrimitive)):
            return self._apply_program(primitive, operands, parameters)
        results = primitive.execute(operands, parameters)
        outs = results if primitive.multiple_results else [results]
        if all(x._trace is None for x in outs):  # an effect may have been recorded
            for inspector in self.inspectors:
                inspector.look(primitive, operands, parameters, outs)
        return results

    def checked_program(self, closed: ClosedJaxpr) -> Program | None:
        """A compiled function that also tells whether its results are suspected of anything."""
        if has_effects(closed) or self._must_see_inside(jit_p, {"jaxpr": closed}):
            return None
        suspecting = [inspector for inspector in self.inspectors if inspector.bit]
        key = ("checked", sum(inspector.bit for inspector in suspecting), current_stream())
        return closed.derive(key, lambda: compiled(_with_suspicion(closed, suspecting)))

    def _must_see_inside(self, primitive: Primitive, parameters: dict[str, Any]) -> bool:
        return any(inspector.must_see_inside(primitive, parameters) for inspector in self.inspectors)

    def _apply_compiled(self, operands: Sequence[Array], parameters: dict[str, Any]) -> list[Array]:
        """Run a compiled function as a whole if its results tell whether a look inside is needed."""
        program = self.checked_program(parameters["jaxpr"])
        if program is None:
            return self._apply_program(jit_p, operands, parameters)
        *outs, suspicion = program(operands)
        if suspicion.item():
            self._search(jit_p, operands, parameters, outs, f"the compiled function {parameters['name']}")
        return outs

    def _apply_program(
        self,
        primitive: CallPrimitive | ControlFlowPrimitive,
        operands: Sequence[Array],
        parameters: dict[str, Any],
    ) -> list[Array]:
        """The same for a loop or a branch; other programs are run step by step."""
        is_effectful = any(map(has_effects, inner_jaxprs(parameters)))
        if is_effectful and innermost_abstract_trace() is not None:
            return primitive.execute(operands, parameters)
        if isinstance(primitive, CallPrimitive) or is_effectful:
            return _step_through(primitive, operands, parameters)
        if self._must_see_inside(primitive, parameters):
            return _step_through(primitive, operands, parameters)
        outs = primitive.execute(operands, parameters)
        if _suspicion(self.inspectors, outs).item():
            self._search(primitive, operands, parameters, outs, primitive.name)
        return outs

    def _search(
        self,
        primitive: CallPrimitive | ControlFlowPrimitive,
        operands: Sequence[Array],
        parameters: dict[str, Any],
        outs: Sequence[Array],
        what: str,
    ) -> None:
        """Go through a suspected program step by step."""
        _step_through(primitive, operands, parameters)
        for inspector in self.inspectors:
            inspector.found_nothing(what, operands, outs)


@contextmanager
def inspected_by(inspector: Inspector) -> Iterator[None]:
    """Inside, the inspector looks at what this thread does."""
    outer = current_observer()
    others = outer.inspectors if isinstance(outer, _Inspection) else ()
    observe(_Inspection([*(x for x in others if x is not inspector), inspector]))
    try:
        yield
    finally:
        observe(outer)


def _with_suspicion(closed: ClosedJaxpr, inspectors: Sequence[Inspector]) -> ClosedJaxpr:
    """The jaxpr with one more result: whether any inspector wants to look inside."""
    flat = with_calls_inlined(closed)
    jaxpr, count = flat.jaxpr, len(closed.jaxpr.outvars)
    producers = {v: equation for equation in jaxpr.equations for v in equation.outputs}
    watched = [_watched(v, producers) for v in jaxpr.outvars]
    factors = {v for atoms, terms in watched if terms is not None for v in atoms}
    # What there is in a factor is suspected of its product.
    watched = [(atoms, terms) for atoms, terms in watched if terms is not None or atoms[0] not in factors]
    outvars = [*jaxpr.outvars, *(v for atoms, _ in watched for v in atoms)]
    extended = Jaxpr(jaxpr.constvars, jaxpr.invars, jaxpr.equations, outvars)

    def evaluate(*args: Array) -> list[Array]:
        outs = eval_jaxpr(extended, flat.consts, *args)
        seen = iter(outs[count:])
        looks = [
            next(seen) if terms is None else Product(next(seen), next(seen), terms) for _, terms in watched
        ]
        return [*outs[:count], _suspicion(inspectors, looks)]

    return trace_to_jaxpr(evaluate, closed.in_avals, "jit")


def _watched(result: Atom, producers: dict[Var, Equation]) -> tuple[list[Atom], int | None]:
    """What to look at in place of a result.

    The operands of a product that is larger than they are, and how many terms it sums; or else what the
    result is a transpose or a reshape of, and None.
    """
    source, equation = _elements_of(result, producers)
    if equation is None or equation.primitive is not dot_general_p or not _is_outer(equation):
        return [source], None
    contracted = equation.parameters["dimension_numbers"][0][0]
    terms = math.prod(equation.inputs[0].aval.shape[axis] for axis in contracted)
    return [_elements_of(x, producers)[0] for x in equation.inputs], terms


def _elements_of(value: Atom, producers: dict[Var, Equation]) -> tuple[Atom, Equation | None]:
    """What the value is a transpose or a reshape of, and the equation that computes it."""
    while isinstance(value, Var) and (equation := producers.get(value)) is not None:
        if equation.primitive not in (transpose_p, reshape_p):
            return value, equation
        value = equation.inputs[0]
    return value, None


def _is_outer(product: Equation) -> bool:
    """Whether the operands are less to look at than the result. Half-precision floats overflow too easily."""
    left, right = (x.aval for x in product.inputs)
    out = product.outputs[0].aval
    is_float = out.dtype.kind == "f" and out.dtype.itemsize >= 4
    return is_float and left.size > 0 and right.size > 0 and left.size + right.size < out.size


def _suspicion(inspectors: Sequence[Inspector], outs: Sequence[Array | Product]) -> Array:
    suspicions = [s for s in (inspector.suspicion(outs) for inspector in inspectors) if s is not None]
    return reduce(lambda a, b: apply(or_p, a, b), suspicions, asarray(False))


def apply(primitive: Primitive, *operands: Array, **parameters: Any) -> Array:
    """`bind` that nobody looks at."""
    if all(x._trace is None for x in operands):
        return primitive.execute(operands, parameters)
    return primitive.bind(*operands, **parameters)


def _step_through(
    primitive: CallPrimitive | ControlFlowPrimitive, operands: Sequence[Array], parameters: dict[str, Any]
) -> list[Array]:
    """Apply the equations of the jaxprs of a program one by one, which inspectors see."""
    if isinstance(primitive, CallPrimitive):
        closed = parameters["jaxpr"]
        return eval_jaxpr(closed.jaxpr, closed.consts, *operands)
    results = primitive.run(_evaluate, [np.asarray(x) for x in operands], **parameters)
    return [asarray(x) for x in results]


def _evaluate(closed: ClosedJaxpr, *args: np.ndarray) -> list[np.ndarray]:
    outs = eval_jaxpr(closed.jaxpr, closed.consts, *map(partial(asarray, copy=True), args))
    return [np.asarray(x) for x in outs]
