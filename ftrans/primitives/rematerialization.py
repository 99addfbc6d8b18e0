"""What rematerialisation is made of: values with names, and a barrier that keeps it from being undone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._native import Array
from ..core.primitive import Primitive, Sample


class _CheckpointName(Primitive):
    """There is no native operation behind it."""

    __slots__ = ()

    def execute(self, operands: Sequence[Array], parameters: dict[str, Any]) -> Array:
        return operands[0]._snapshot()


checkpoint_name_p = _CheckpointName(
    "checkpoint_name",
    abstract_eval=lambda x, *, name: x,
    impl=lambda x, *, name: x,
    jvp=lambda primals, tangents, out, *, name: tangents[0],
    vjp=lambda ct, primals, out, needed, *, name: [ct],
    batch=lambda args, dims, size, *, name: (checkpoint_name_p.bind(args[0], name=name), dims[0]),
    samples=(Sample((np.array([1.5, -0.25]),), {"name": "x"}, (0,)),),
)

# No result is there before all operands are, and equal expressions on its two sides are not merged: so what
# is computed from its results is computed again, and no earlier than the last of its operands.
optimization_barrier_p = Primitive(
    "optimization_barrier",
    abstract_eval=lambda *operands: list(operands),
    impl=lambda *operands: list(operands),
    jvp=lambda primals, tangents, outs: tangents,
    vjp=lambda cts, primals, outs, needed: cts,
    batch=lambda args, dims, size: (optimization_barrier_p.bind(*args), dims),
    multiple_results=True,
    samples=(Sample((np.array([1.5, -0.25]), np.array(2.0)), {}, (0, 1)),),
)
