"""stop_gradient: the identity, as a constant for differentiation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._native import Array
from ..core.primitive import Primitive, Sample, zero_derivative


class _StopGradient(Primitive):
    """There is no native operation behind it."""

    __slots__ = ()

    def execute(self, operands: Sequence[Array], parameters: dict[str, Any]) -> Array:
        return operands[0]._snapshot()


stop_gradient_p = _StopGradient(
    "stop_gradient",
    abstract_eval=lambda x: x,
    impl=lambda x: x,
    jvp=zero_derivative,
    vjp=zero_derivative,
    batch=lambda args, dims, size: (stop_gradient_p.bind(*args), dims[0]),
    samples=(Sample((1.5,)),),
)
