"""The columns of the matrix: every property that is checked of every primitive.

A check takes a `Case`, raises `AssertionError` where the property does not hold, and tells whether there was
anything to check.
"""

from collections.abc import Callable

from tests.harness import check_batching, check_derivatives, check_values
from tests.harness.cases import Case

PROPERTIES: dict[str, Callable[[Case], bool]] = {
    "values": check_values.values,
    "edges": check_values.edges,
    "layouts": check_values.layouts,
    "stream": check_values.stream,
    "jit": check_values.jit,
    "jvp": check_derivatives.jvp,
    "complex_step": check_derivatives.complex_step,
    "vjp": check_derivatives.vjp,
    "second_order": check_derivatives.second_order,
    "vmap": check_batching.vmap,
    "nested_vmap": check_batching.nested_vmap,
}
