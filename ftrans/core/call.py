"""Primitives with jaxprs in their parameters: those that call one, and those that loop or branch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import _native
from .._native import Array
from .avals import ShapedArray
from .jaxpr import ClosedJaxpr, has_effects, inner_jaxprs
from .primitive import Primitive
from .tracing import eval_jaxpr, eval_reference, innermost_abstract_trace, trace_to_jaxpr


class CallPrimitive(Primitive):
    """A primitive whose parameter `jaxpr`, a `ClosedJaxpr`, says what it computes: lowering inlines it.

    With `transposes_inline` the transpose of a linear call is that of the jaxpr, whatever derivative it has.
    """

    __slots__ = ("transposes_inline",)

    def __init__(
        self, name: str, *, batch: Callable, linked_forward: Callable, transposes_inline: bool = False
    ):
        super().__init__(
            name,
            abstract_eval=lambda *avals, jaxpr, **_: jaxpr.out_avals,
            impl=lambda *operands, jaxpr, **_: eval_reference(jaxpr, *operands),
            batch=batch,
            linked_forward=linked_forward,
            multiple_results=True,
        )
        self.transposes_inline = transposes_inline

    def abstract(self, avals: tuple[ShapedArray, ...], parameters: dict[str, Any]) -> list[ShapedArray]:
        """The avals of the jaxpr's outputs. Not memoised: a memo would keep every jaxpr alive."""
        return parameters["jaxpr"].out_avals

    def execute(self, operands: Sequence[Array], parameters: dict[str, Any]) -> list[Array]:
        """Evaluate the jaxpr."""
        closed = parameters["jaxpr"]
        return eval_jaxpr(closed.jaxpr, closed.consts, *operands)


def inlining(inlines: Callable[[Primitive], bool]) -> Callable:
    """A `bind` for `eval_jaxpr` that applies the jaxprs of the chosen calls, nested ones too."""

    def bind(primitive: Primitive, *operands: Array, **parameters: Any) -> Any:
        if not inlines(primitive):
            return primitive.bind(*operands, **parameters)
        closed = parameters["jaxpr"]
        return eval_jaxpr(closed.jaxpr, closed.consts, *operands, bind=bind)

    return bind


def with_calls_inlined(closed: ClosedJaxpr) -> ClosedJaxpr:
    """The same jaxpr with all calls inlined, as the compiler sees it."""
    bind = inlining(lambda primitive: isinstance(primitive, CallPrimitive))
    return trace_to_jaxpr(
        lambda *args: eval_jaxpr(closed.jaxpr, closed.consts, *args, bind=bind), closed.in_avals, "jit"
    )


#: From a jaxpr and its arguments to its results, as NumPy arrays.
Evaluate = Callable[..., list[np.ndarray]]


class ControlFlowPrimitive(Primitive):
    """A primitive whose parameters hold jaxprs that run any number of times, or not at all.

    `make_operation`: (operands, parameters) → the operands of the native operation, and that operation.
    `checked`: how `checkify` makes results of what is asserted inside (control_flow/_checks.py).
    `run`: (how to evaluate a jaxpr, operands, parameters) → results, all of NumPy arrays; what it means.
    """

    __slots__ = ("make_operation", "run", "checked")

    def __init__(
        self,
        name: str,
        *,
        make_operation: Callable,
        run: Callable,
        checked: Callable | None = None,
        **rules: Any,
    ):
        super().__init__(
            name,
            multiple_results=True,
            impl=lambda *operands, **parameters: run(eval_reference, operands, **parameters),
            **rules,
        )
        self.make_operation = make_operation
        self.run = run
        self.checked: Any = checked

    def abstract(self, avals: tuple[ShapedArray, ...], parameters: dict[str, Any]) -> list[ShapedArray]:
        """The avals of the results. Not memoised: a memo would keep every jaxpr alive."""
        return self.abstract_eval(*avals, **parameters)

    def execute(self, operands: Sequence[Array], parameters: dict[str, Any]) -> list[Array]:
        """Make the native node on concrete arrays; with effects, it runs at once."""
        if not any(map(has_effects, inner_jaxprs(parameters))):
            return self.node(operands, parameters)
        trace = innermost_abstract_trace()
        if trace is not None:
            return trace.record(self, operands, parameters)
        results = self.node(operands, parameters)
        _native.eval(results)
        return results

    def node(self, operands: Sequence[Array], parameters: dict[str, Any]) -> list[Array]:
        """The results of the native node."""
        arguments, operation = self.make_operation(operands, **parameters)
        return operation(*arguments)

    def native_operation(
        self, parameters: tuple[int, ...], out_avals: Sequence[ShapedArray], programs: Sequence[Any]
    ) -> Callable:
        """The native operation that runs these programs."""
        return _native.operation(_native.opcode(self.name), parameters, out_avals, True, programs)
