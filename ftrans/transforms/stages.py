"""Compilation ahead of time: a function that was lowered to a jaxpr, and one that was compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .._native import user_function
from ..core.jaxpr import ClosedJaxpr
from ..core.pytree import flatten, unflatten
from ..core.source import function_name
from .arguments import argument_arrays
from .retrace import explain_retrace
from .traced_function import Signature, Traced, call_traced

if TYPE_CHECKING:
    from optree import PyTreeSpec


class Lowered:
    """A function traced for arguments of certain types: what ``jit(f).lower(*args)`` returns.

    >>> lowered = ft.jit(lambda x: ft.sin(x) * 2).lower(ft.ones(3))
    >>> print(lowered.as_text())
    { lambda ; a:f32[3]. let b:f32[3] = sin a; c:f32[3] = mul b 2.0:f32[] in (c,) }
    >>> lowered.compile()(ft.zeros(3))
    array([0, 0, 0], dtype=float32)
    """

    def __init__(self, fun: Callable, signature: Signature, traced: Traced):
        self._fun = fun
        self._signature = signature
        self._traced = traced

    @property
    def jaxpr(self) -> ClosedJaxpr:
        """What was traced. Its inputs are the arguments' leaves that are used."""
        return self._traced.jaxpr

    @property
    def out_avals(self) -> Any:
        """The tree of the outputs' avals."""
        return unflatten(self._traced.out_structure, self.jaxpr.out_avals)

    @property
    def in_structure(self) -> PyTreeSpec:
        """The structure of the dynamic arguments, ``(args, kwargs)``."""
        return self._signature.structure

    @property
    def out_structure(self) -> PyTreeSpec:
        """The structure of the output."""
        return self._traced.out_structure

    def as_text(self) -> str:
        """The jaxpr."""
        return str(self.jaxpr)

    def compile(self) -> Compiled:
        """Make the native program. Later calls of the jitted function with such arguments share it."""
        return Compiled(self._fun, self._signature, self._traced)

    def memory(self) -> int:
        """The most bytes in use during a run: ``compile().memory()``."""
        return self.compile().memory()

    def __repr__(self) -> str:
        return f"<{function_name(self._fun)} lowered for {_types(self._signature)}>"


class Compiled:
    """A function compiled for arguments of certain types: what ``jit(f).lower(*args).compile()`` returns.

    It is called with the arguments that are not static. It never traces: other types of arguments raise.

    >>> compiled = ft.jit(lambda x, n: x * n, static_argnums=1).lower(ft.ones(3), 2.0).compile()
    >>> compiled(ft.ones(3))
    array([2, 2, 2], dtype=float32)
    >>> compiled.cost_analysis()["flops"]
    3
    """

    def __init__(self, fun: Callable, signature: Signature, traced: Traced):
        self._fun = fun
        self._signature = signature
        self._traced = traced
        self._program = traced.program()

    @user_function
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the program.

        Raises:
            TypeError: an argument is not of the type that the function was compiled for.
        """
        static = self._signature.static
        positions = {which for which, *_ in static if isinstance(which, int)}
        for i in sorted(positions):  # a static argument has no leaves; its place is kept
            args = (*args[:i], None, *args[i:])
        kwargs |= {which: None for which, *_ in static if which not in positions}
        leaves, structure = flatten((args, kwargs))
        arrays = argument_arrays("compiled function", self._fun, leaves, structure)
        given = self._signature._replace(
            structure=structure, avals=tuple([x.aval for x in arrays]), static=static
        )
        if given != self._signature:
            found = "; ".join(explain_retrace(self._fun, given, [self._signature]))
            raise TypeError(
                f"{function_name(self._fun)} was compiled for arguments of other types: {found}. "
                "Convert them, or call the jitted function, which traces it for these"
            )
        outs = call_traced(self._fun, self._traced, structure, arrays, leaves)
        return unflatten(self._traced.out_structure, outs)

    def as_text(self) -> str:
        """The steps of the program: fused kernels with their instructions, library kernels, views."""
        return self._program.as_text()

    def cost_analysis(self) -> dict[str, int]:
        """What a run costs: ``flops``, ``bytes accessed`` in memory by all steps, ``steps``.

        One operation on one element is one flop, whatever it is; a sum of products counts two a term.
        """
        return self._program.cost_analysis()

    def memory_analysis(self) -> dict[str, int]:
        """What a run needs, in bytes of the allocator's blocks.

        ``arguments``, ``constants``, ``outputs`` in memory of their own, ``peak``, the most in use at one
        time, and ``temporaries``, how much of that is none of these. Scratch memory within kernels is counted
        for matrix products, not for sorting.
        """
        return self._program.memory_analysis()

    def memory(self) -> int:
        """The most bytes in use during a run: ``memory_analysis()["peak"]``."""
        return self.memory_analysis()["peak"]

    def __repr__(self) -> str:
        return f"<{function_name(self._fun)} compiled for {_types(self._signature)}>"


def _types(signature: Signature) -> str:
    return f"({', '.join(map(str, signature.avals))})"
