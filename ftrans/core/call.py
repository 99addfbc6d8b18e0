"""Call-like primitives: the base of `jit`, `custom_jvp`, `custom_vjp`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .._native import Array
from .avals import ShapedArray
from .primitive import Primitive
from .tracing import eval_jaxpr, eval_reference


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
