"""How operations on concrete arrays are looked at, inside of compiled functions, loops and branches too."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial, reduce
from typing import Any

import numpy as np

from .._native import Array
from ..core.call import CallPrimitive, ControlFlowPrimitive
from ..core.jaxpr import ClosedJaxpr, has_effects, inner_jaxprs
from ..core.primitive import Primitive, observe
from ..core.tracing import eval_jaxpr, innermost_abstract_trace, trace_to_jaxpr
from ..interop import asarray
from ..lowering import compiled
from ..primitives.elementwise import or_p
from ..transforms.traced_function import jit_p


class Inspector(ABC):
    """Looks at operations on concrete arrays, and raises where one does what it is after."""

    @abstractmethod
    def look(
        self, primitive: Primitive, operands: Sequence[Array], parameters: dict[str, Any], outs: list[Array]
    ) -> None:
        """Look at one operation, after it."""

    def must_see_inside(self, primitive: Primitive, parameters: dict[str, Any]) -> bool:
        """Whether the results of a program would not tell whether there is anything to find in it."""
        return False

    def suspicion(self, outs: Sequence[Array]) -> Array | None:
        """Whether the results of a program tell of something to be found inside: a bool; None for never."""
        return None

    def found_nothing(self, what: str, operands: Sequence[Array], outs: Sequence[Array]) -> None:
        """What to do when the operations of a program that was suspected have all passed: nothing."""
        return


class _ThisThread(threading.local):
    def __init__(self) -> None:
        self.inspectors: Counter[Inspector] = Counter()


_this_thread = _ThisThread()


@contextmanager
def inspected_by(inspector: Inspector) -> Iterator[None]:
    """Inside, the inspector looks at what this thread does."""
    inspectors = _this_thread.inspectors
    inspectors[inspector] += 1
    previous = observe(_apply)
    try:
        yield
    finally:
        observe(previous)
        inspectors[inspector] -= 1
        if not inspectors[inspector]:
            del inspectors[inspector]


def _apply(primitive: Primitive, operands: Sequence[Array], parameters: dict[str, Any]) -> Any:
    if isinstance(primitive, (CallPrimitive, ControlFlowPrimitive)):
        return _apply_program(primitive, operands, parameters)
    results = primitive.execute(operands, parameters)
    outs = results if primitive.multiple_results else [results]
    if all(x._trace is None for x in outs):  # an effect may have been recorded
        for inspector in list(_this_thread.inspectors):
            inspector.look(primitive, operands, parameters, outs)
    return results


def _apply_program(
    primitive: CallPrimitive | ControlFlowPrimitive, operands: Sequence[Array], parameters: dict[str, Any]
) -> list[Array]:
    """Run a program as a whole if its results tell whether a look inside is needed; else step by step."""
    is_effectful = any(map(has_effects, inner_jaxprs(parameters)))
    if is_effectful and innermost_abstract_trace() is not None:
        return primitive.execute(operands, parameters)
    inspectors = list(_this_thread.inspectors)
    is_inline = isinstance(primitive, CallPrimitive) and primitive is not jit_p
    if is_inline or is_effectful or any(i.must_see_inside(primitive, parameters) for i in inspectors):
        return _step_through(primitive, operands, parameters)
    if primitive is jit_p:
        *outs, suspicion = compiled(_with_suspicion(parameters["jaxpr"], inspectors))(operands)
    else:
        outs = primitive.execute(operands, parameters)
        suspicion = _suspicion(inspectors, outs)
    if suspicion.item():
        _step_through(primitive, operands, parameters)
        what = f"the compiled function {parameters['name']}" if primitive is jit_p else primitive.name
        for inspector in inspectors:
            inspector.found_nothing(what, operands, outs)
    return outs


def _with_suspicion(closed: ClosedJaxpr, inspectors: Sequence[Inspector]) -> ClosedJaxpr:
    """The jaxpr with one more result: whether any inspector wants to look inside."""

    def evaluate(*args: Array) -> list[Array]:
        outs = eval_jaxpr(closed.jaxpr, closed.consts, *args)
        return [*outs, _suspicion(inspectors, outs)]

    key = ("with suspicion", frozenset(inspectors))
    return closed.derive(key, lambda: trace_to_jaxpr(evaluate, closed.in_avals, "jit"))


def _suspicion(inspectors: Sequence[Inspector], outs: Sequence[Array]) -> Array:
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
