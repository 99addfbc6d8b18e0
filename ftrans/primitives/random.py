"""Random bits from the counter-based generator Threefry-2x32 with 20 rounds.

J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw: Parallel random numbers: as easy as 1, 2, 3 (SC 2011).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._native import Array, uint32
from ..core.avals import shaped_array
from ..core.primitive import Primitive, Sample, is_observed, zero_derivative
from ..core.tracing import innermost_abstract_trace
from ._helpers import size_of
from .layout import move_axis

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = np.uint32(0x1BD11BDA)


def threefry2x32(key: tuple[Any, Any], counter: tuple[Any, Any]) -> tuple[Any, Any]:
    """Threefry-2x32-20: two words from two of key and two of counter; uint32 arrays, NumPy's or ours."""
    schedule = (key[0], key[1], key[0] ^ key[1] ^ _PARITY)
    x0, x1 = counter[0] + schedule[0], counter[1] + schedule[1]
    for block in range(5):
        for rotation in _ROTATIONS[block % 2]:
            x0 = x0 + x1
            x1 = ((x1 << np.uint32(rotation)) | (x1 >> np.uint32(32 - rotation))) ^ x0
        x0 = x0 + schedule[(block + 1) % 3]
        x1 = x1 + schedule[(block + 2) % 3] + np.uint32(block + 1)
    return x0, x1


def _random_bits_abstract(key, *, shape):
    if key.dtype is not uint32:
        raise TypeError(f"random_bits: key has dtype {key.dtype}, expected uint32")
    if key.ndim == 0 or key.shape[-1] != 2:
        raise ValueError(f"random_bits: key must have 2 words in its last axis, got shape {key.shape}")
    return shaped_array(key.shape[:-1] + shape, uint32)


def _random_bits_impl(key, *, shape):
    """Element number n, in row-major order, is the exclusive or of both words for the 64-bit counter n."""
    count = np.arange(size_of(shape), dtype=np.uint64).reshape(shape)
    counter = ((count >> np.uint64(32)).astype(np.uint32), count.astype(np.uint32))
    words = key.reshape(key.shape[:-1] + (1,) * len(shape) + (2,))
    with np.errstate(over="ignore"):
        high, low = threefry2x32((words[..., 0], words[..., 1]), counter)
    return np.asarray(high ^ low)


def _random_bits_batch(args, dims, size, *, shape):
    return random_bits_p.bind(move_axis(args[0], dims[0], 0), shape=shape), 0


class _UseKey(Primitive):
    """The key that it is given; there is no native operation behind it.

    It marks where a function draws from a key, or splits it.
    """

    __slots__ = ()

    def bind(self, *operands: Array, **parameters: Any) -> Any:
        """Apply to a key. Whoever looks for uses sees that of each iteration and call, none of tracing."""
        trace = innermost_abstract_trace() if is_observed() else None
        if trace is not None:
            outer = operands[0]._trace
            if outer is None or outer.level < trace.level:
                return trace.record(self, operands, parameters)
        return super().bind(*operands, **parameters)

    def execute(self, operands: Sequence[Array], parameters: dict[str, Any]) -> Array:
        return operands[0]._snapshot()


use_key_p = _UseKey(
    "use_key",
    abstract_eval=lambda key, *, by: key,
    impl=lambda key, *, by: key,
    jvp=zero_derivative,
    vjp=zero_derivative,
    batch=lambda args, dims, size, *, by: (
        use_key_p.bind(move_axis(args[0], dims[0], 0), by=by),
        0,
    ),
    samples=[Sample((lambda: np.array([0, 42], np.uint32),), {"by": "normal"})],
)

random_bits_p = Primitive(
    "random_bits",
    abstract_eval=_random_bits_abstract,
    impl=_random_bits_impl,
    jvp=zero_derivative,
    vjp=zero_derivative,
    batch=_random_bits_batch,
    samples=[
        Sample((lambda: np.array([0, 42], np.uint32),), {"shape": (3, 2)}),
        Sample((lambda: np.array([[1, 2], [3, 4]], np.uint32),), {"shape": (2,)}),
        Sample((lambda: np.array([7, 8], np.uint32),), {"shape": ()}),
    ],
)
