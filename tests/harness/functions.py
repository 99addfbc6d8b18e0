"""One table of sample calls for every public function of arrays.

From it come the checks of values, derivatives, `vmap`, `jit`, and of bad input. Functions of the main
namespace go by their names, others by those of their namespace too ("linalg.solve").
"""

from collections.abc import Callable
from functools import cache
from types import ModuleType

import numpy as np
import scipy.special

import ftrans as ft
from ftrans import ops
from tests.harness.call import Call
from tests.harness.calls import arrays, fast, fourier, linear_algebra, neural, random, special

#: namespace → (its sample calls, the module whose functions of the same names are the reference).
_NAMESPACES: dict[str, tuple[dict[str, list[Call]], ModuleType]] = {
    "linalg": (linear_algebra.CALLS, np.linalg),
    "fft": (fourier.CALLS, np.fft),
    "special": (special.CALLS, scipy.special),
    "random": (random.CALLS, np.random),
    "fast": (fast.CALLS, np),
    "nn": (neural.CALLS, np),
}

#: function → sample calls. The reference is that module's function of the same name, unless another is given.
CALLS: dict[str, list[Call]] = arrays.CALLS | {
    f"{namespace}.{name}": calls
    for namespace, (table, _) in _NAMESPACES.items()
    for name, calls in table.items()
}


#: What makes functions of arrays rather than is one: tests/metal/test_metal_kernel.py has its checks.
_MAKERS = {"fast.metal_kernel"}


def function_of(name: str) -> Callable:
    """The public function of that name."""
    namespace, _, last = name.rpartition(".")
    return getattr(getattr(ft, namespace) if namespace else ft, last)


def _is_function(value: object) -> bool:
    return callable(value) and not isinstance(value, (type, ft.Dtype))


@cache
def public_functions() -> dict[str, Callable]:
    """The public functions of arrays by name, without second names of the same."""
    names = list(ops.__all__)
    names += [f"{namespace}.{name}" for namespace in _NAMESPACES for name in function_of(namespace).__all__]
    functions: dict[int, tuple[str, Callable]] = {}
    for name in names:
        value = function_of(name)
        if name in _MAKERS:
            continue
        if _is_function(value) and (id(value) not in functions or name in CALLS):
            functions[id(value)] = (name, value)
    return dict(functions.values())


def all_calls() -> list[tuple[str, int]]:
    """(function, which of its calls) for everything in the table."""
    return [(name, i) for name in CALLS for i in range(len(CALLS[name]))]


def reference_of(name: str, sample: Call) -> Callable | None:
    """The function of NumPy or SciPy that a call is compared with."""
    if sample.reference != "same":
        return sample.reference
    namespace, _, last = name.rpartition(".")
    return getattr(_NAMESPACES[namespace][1] if namespace else np, last)
