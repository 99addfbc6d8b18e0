"""jit and make_jaxpr."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial, update_wrapper, wraps
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _native
from .._native import Array, user_function
from ..core.avals import ShapedArray, shaped_array
from ..core.jaxpr import ClosedJaxpr, Jaxpr, dce
from ..core.named_axes import axis_lookups
from ..core.primitive import is_observed
from ..core.pytree import as_array, unflatten
from ..core.source import ArgumentSource, function_name
from ..core.tracing import trace_to_jaxpr
from ..ops.promotion import as_dtype
from .arguments import FlatFunction, argument_arrays, argument_sources, check_callable
from .donation import give_up
from .named_arguments import NamedArguments, StaticArguments, leaves_of
from .retrace import explain_retrace
from .stages import Lowered
from .traced_function import Signature, Traced, call_traced, hoist_tracers

if TYPE_CHECKING:
    from optree import PyTreeSpec


def trace_function(
    transformation: str,
    fun: Callable,
    avals: Sequence[ShapedArray],
    structure: PyTreeSpec,
    fill: Callable,
) -> tuple[ClosedJaxpr, PyTreeSpec]:
    """The jaxpr of `fun`, and the structure of its output."""
    function = FlatFunction(transformation, fun, fill)
    closed = trace_to_jaxpr(function, avals, transformation, argument_sources(fun, structure))
    return closed, function.structure


class Jitted:
    """A function that `jit` compiles: the calls that its native `front` cannot dispatch."""

    def __init__(
        self,
        fun: Callable,
        static_argnums: Any,
        static_argnames: Any,
        donate_argnums: Any,
        donate_argnames: Any,
        keep_unused: bool,
        inline: bool,
        memory_limit: int | None,
    ):
        check_callable("jit", fun)
        _check_memory_limit(memory_limit)
        self._static = StaticArguments("jit", fun, static_argnums, static_argnames)
        self._donate = NamedArguments("jit", "donate", fun, donate_argnums, donate_argnames)
        both = set(self._static.names.argnums) & set(self._donate.argnums)
        if both:
            raise ValueError(
                f"jit: arguments {sorted(both)} of {function_name(fun)} are both static and donated; "
                "a static argument has no memory to give up"
            )
        self._keep_unused = keep_unused
        self._inline = inline
        self._memory_limit = memory_limit
        self._fun = fun
        self._cache: dict[Signature, Traced] = {}
        #: How many times the function was traced.
        self.trace_count = 0
        update_wrapper(self, fun, updated=())  # not its attributes: ours have the same names
        self._front: Callable[[], Any] = lambda: None

    def front(self) -> Any:
        """What the user calls. It holds this object, which does not hold it: no cycle, so both go at once."""
        front = _native.jit_function(self, unflatten)
        self._front = weakref.ref(front)
        return front

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the compiled function, or bind it where an argument is traced."""
        if _native.is_jit_disabled():
            return self._fun(*args, **kwargs)
        leaves, structure, static, fill = self._static.split(args, kwargs)
        arrays = argument_arrays("jit", self._fun, leaves, structure)
        signature = Signature.of(structure, [x.aval for x in arrays], static)
        traced = self._traced(signature, fill)
        is_concrete = all(x._trace is None for x in arrays)
        if is_concrete and not (kwargs or self._static) and signature in self._cache:
            self._register(args, structure, traced)
        outs = call_traced(self._fun, traced, structure, arrays, leaves, self._inline)
        return unflatten(traced.out_structure, outs)

    def _register(self, args: tuple, in_structure: PyTreeSpec, traced: Traced) -> None:
        """Let the native front run the program from now on, for arguments of the same types, if it may."""
        program = traced.dispatched_program()
        if program is None:
            return
        structure = traced.out_structure
        is_flat_tuple = structure.type is tuple and structure.num_nodes == structure.num_leaves + 1
        sources = [ArgumentSource(self._fun, in_structure, i) for i in traced.donated]
        self._front()._register(
            args,
            program,
            None if structure.is_leaf() else structure,
            structure.num_leaves if is_flat_tuple else -1,
            traced.kept,
            traced.donated,
            partial(give_up, sources=sources),
            is_observed(),
        )

    def _traced(self, signature: Signature, fill: Callable) -> Traced:
        traced = self._cache.get(signature)
        if traced is None:
            self.trace_count += 1
            lookups = axis_lookups()
            closed, out_structure = trace_function(
                "jit", self._fun, signature.avals, signature.structure, fill
            )
            closed, captured = hoist_tracers(closed)
            kept = list(range(len(signature.avals)))
            if not self._keep_unused:
                closed, kept = _without_unused(closed, len(captured))
            donated = leaves_of(self._donate, signature.structure) if self._donate else []
            traced = Traced(closed, captured, kept, donated, out_structure, self._memory_limit)
            # With closed-over tracers it belongs to this run of the outer trace; with a named axis of an
            # outer vmap, to that axis.
            if not captured and axis_lookups() == lookups:
                self._cache[signature] = traced
        return traced

    def _abstract(self, args: tuple, kwargs: dict[str, Any]) -> tuple[Signature, Callable]:
        """The signature of a call with arguments that may be mere descriptions of arrays."""
        leaves, structure, static, fill = self._static.split(args, kwargs)
        sources = argument_sources(self._fun, structure)
        avals = [_described_aval(x, s) for x, s in zip(leaves, sources, strict=True)]
        return Signature.of(structure, avals, static), fill

    def lower(self, *args: Any, **kwargs: Any) -> Lowered:
        """Trace the function for arguments like these, without running it.

        Args:
            *args, **kwargs: as in a call; anything with a `shape` and a `dtype` will do for an array.

        Raises:
            TypeError: as a call; or the function closes over an array of an outer transformation, which a
                program cannot have.
        """
        signature, fill = self._abstract(args, kwargs)
        traced = self._traced(signature, fill)
        if traced.captured:
            raise TypeError(
                f"lower: {function_name(self._fun)} closes over arrays traced by an outer transformation; "
                "pass them as arguments, or lower the outer function"
            )
        return Lowered(self._fun, signature, traced)

    def memory(self, *args: Any, **kwargs: Any) -> int:
        """The most bytes in use during a call with arguments like these, which count, without running it."""
        return self.lower(*args, **kwargs).memory()

    def explain_retrace(self, *args: Any, **kwargs: Any) -> list[str]:
        """Why a call with these arguments would trace the function again: how they differ from before.

        They are compared with the most similar signature that is cached. An empty list if it would not.

        >>> f = ft.jit(ft.sin)
        >>> _ = f(ft.ones(3))
        >>> f.explain_retrace(ft.ones(4))
        ['argument x of sin: shape (4,), was (3,)']
        """
        signature, _ = self._abstract(args, kwargs)
        if signature in self._cache:
            return []
        return explain_retrace(self._fun, signature, list(self._cache))

    def __repr__(self) -> str:
        return f"<jit of {function_name(self._fun)}>"

    def cache_size(self) -> int:
        """The number of signatures that are cached."""
        return len(self._cache)

    def clear_cache(self) -> None:
        """Forget all traces and programs of this function."""
        self._cache.clear()
        front = self._front()
        if front is not None:  # else there is none to dispatch
            front._clear_signatures()


def _check_memory_limit(limit: Any) -> None:
    if limit is None:
        return
    if not isinstance(limit, int) or isinstance(limit, bool):
        raise TypeError(
            f"jit: memory_limit must be a number of bytes (an int) or None, got {type(limit).__name__}"
        )
    if limit <= 0:
        raise ValueError(f"jit: memory_limit must be a positive number of bytes, got {limit}")


def _without_unused(closed: ClosedJaxpr, n_captured: int) -> tuple[ClosedJaxpr, list[int]]:
    """`closed` without the inputs, after the captured ones, that it doesn't use, and which are kept."""
    needed = dce(closed)
    used = {v for e in needed.jaxpr.equations for v in e.inputs} | set(needed.jaxpr.outvars)
    captured, inputs = closed.jaxpr.invars[:n_captured], closed.jaxpr.invars[n_captured:]
    kept = [i for i, v in enumerate(inputs) if v in used]
    if len(kept) == len(inputs):
        return closed, kept
    jaxpr = needed.jaxpr
    invars = [*captured, *(inputs[i] for i in kept)]
    return ClosedJaxpr(Jaxpr(jaxpr.constvars, invars, jaxpr.equations, jaxpr.outvars), needed.consts), kept


def _described_aval(x: Any, source: ArgumentSource) -> ShapedArray:
    """The aval of an argument, or of what describes one by `shape` and `dtype`."""
    if hasattr(x, "shape") and hasattr(x, "dtype") and not isinstance(x, (Array, np.ndarray, np.generic)):
        return shaped_array(
            tuple(x.shape), as_dtype(x.dtype, f"lower: {source}"), getattr(x, "weak_type", False)
        )
    return as_array(x, lambda: f"lower: {source}").aval


@user_function
def jit(
    fun: Callable | None = None,
    static_argnums: int | Sequence[int] = (),
    static_argnames: str | Sequence[str] = (),
    donate_argnums: int | Sequence[int] = (),
    donate_argnames: str | Sequence[str] = (),
    keep_unused: bool = False,
    inline: bool = False,
    memory_limit: int | None = None,
) -> Any:
    """Compile a function: it is traced once for each signature, then runs as one native program.

    The signature is the structure of the arguments, the shapes, dtypes and weak types of their leaves, and
    the static arguments. Side effects and closed-over values are those of the time of tracing.

    Args:
        fun: a function of arrays or pytrees of arrays. If not given, a decorator is returned.
        static_argnums: positions of the arguments that are ordinary hashable Python values.
        static_argnames: names of such arguments.
        donate_argnums: positions of arguments that the caller gives up: results may take their memory, and
            their later use raises. What is not a concrete array is not affected, nor is a call with traced
            arguments.
        donate_argnames: names of such arguments.
        keep_unused: whether arguments that the function doesn't use are inputs of the compiled program all
            the same: else a pending one is not evaluated for its sake.
        inline: whether an outer trace records the function's operations themselves, instead of one call.
        memory_limit: how many bytes may be in use during a call, arguments and results included. A program
            whose predicted peak is higher computes values again instead of keeping them, as little as will
            do, with the same results. Within another transformation it has no effect.

    Returns:
        A function with the attributes `trace_count` (how many times it was traced), `cache_size()`,
        `clear_cache()`, `explain_retrace(*args)` (how arguments differ from those it was traced for),
        `lower(*args)` (a `Lowered`: compile ahead of time, look at the program) and `memory(*args)` (the most
        bytes in use during a call).

    Raises:
        TypeError: `fun` is not a function; from the function returned: an argument is not an array, or a
            static one not hashable.
        ValueError: a static or donated argument is not a parameter of `fun`, or one is both; `memory_limit`
            is not positive.
        MemoryError: from the function returned: no way was found to stay within `memory_limit`; the message
            says how low the peak gets.
        ConcretizationError: from the function returned: `fun` needs the value of a traced array.
        RuntimeError: an array is used after it was donated.

    >>> square = ft.jit(lambda x: x * x)
    >>> square(3.0)
    array(9, dtype=float32)
    """
    options: dict[str, Any] = {
        "static_argnums": static_argnums,
        "static_argnames": static_argnames,
        "donate_argnums": donate_argnums,
        "donate_argnames": donate_argnames,
        "keep_unused": keep_unused,
        "inline": inline,
        "memory_limit": memory_limit,
    }
    return partial(jit, **options) if fun is None else Jitted(fun, **options).front()


@contextmanager
def disable_jit(disable: bool = True) -> Iterator[None]:
    """Within this context the functions that `jit` has made run as they are written, on this thread.

    So a debugger steps through them, and `print` shows values.

    Args:
        disable: False to enable compilation again inside of such a context.

    >>> with ft.disable_jit():
    ...     ft.jit(lambda x: x if x > 0 else -x)(-3.0)
    3.0
    """
    previous = _native.set_jit_disabled(disable)
    try:
        yield
    finally:
        _native.set_jit_disabled(previous)


@user_function
def make_jaxpr(
    fun: Callable, static_argnums: int | Sequence[int] = (), return_shape: bool = False
) -> Callable:
    """A function that returns the jaxpr of `fun` for its arguments, instead of running it.

    Args:
        fun: a function of arrays or pytrees of arrays.
        static_argnums: positions of the arguments that are ordinary hashable Python values.
        return_shape: whether to return also the tree of the outputs' avals.

    Returns:
        A function of the same arguments that returns a `ClosedJaxpr`, or ``(ClosedJaxpr, avals)``.

    Raises:
        TypeError: an argument is not an array.

    >>> ft.make_jaxpr(ft.sin)(1.0)
    { lambda ; a:f32[]. let b:f32[] = sin a in (b,) }
    """
    check_callable("make_jaxpr", fun)
    static = StaticArguments("make_jaxpr", fun, static_argnums, ())

    @user_function
    @wraps(fun)
    def jaxpr_of(*args: Any, **kwargs: Any) -> Any:
        leaves, structure, _, fill = static.split(args, kwargs)
        arrays = argument_arrays("make_jaxpr", fun, leaves, structure)
        closed, out_structure = trace_function("make_jaxpr", fun, [x.aval for x in arrays], structure, fill)
        return (closed, unflatten(out_structure, closed.out_avals)) if return_shape else closed

    return jaxpr_of
