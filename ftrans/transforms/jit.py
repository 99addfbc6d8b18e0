"""jit and make_jaxpr."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import partial, update_wrapper, wraps
from typing import Any, NamedTuple

from optree import PyTreeSpec

from .. import _native
from .._native import Array, current_stream
from ..core.call import CallPrimitive
from ..core.jaxpr import ClosedJaxpr, Jaxpr, has_effects
from ..core.primitive import is_observed
from ..core.pytree import flatten, unflatten
from ..core.source import function_name, parameter_names
from ..core.tracing import innermost_abstract_trace, trace_to_jaxpr
from ..lowering import compiled
from .arguments import FlatFunction, argument_arrays, argument_sources, check_callable
from .batching import Dim, batch_jaxpr
from .partition import call_linked_forward


class _Jit(CallPrimitive):
    __slots__ = ()

    def execute(self, operands: Sequence[Array], parameters: dict[str, Any]) -> list[Array]:
        closed = parameters["jaxpr"]
        trace = innermost_abstract_trace() if has_effects(closed) else None
        return compiled(closed)(operands) if trace is None else trace.record(self, operands, parameters)


def _batch(
    args: list[Array], dims: list[Dim], size: int, *, jaxpr: ClosedJaxpr, name: str
) -> tuple[list[Array], list[Dim]]:
    batched, out_dims = batch_jaxpr(jaxpr, dims, size)
    return jit_p.bind(*args, jaxpr=batched, name=name), out_dims


def _linked_forward(
    mode: str, primals: list[Array], needed: list[bool], *, jaxpr: ClosedJaxpr, name: str
) -> tuple[list[Array], Callable]:
    return call_linked_forward(
        lambda j, args: jit_p.bind(*args, jaxpr=j, name=name), mode, primals, needed, jaxpr
    )


jit_p = _Jit("jit", batch=_batch, linked_forward=_linked_forward)


class _StaticArguments:
    """Which arguments of a function are static: ordinary Python values, part of the signature."""

    def __init__(self, transformation: str, fun: Callable, argnums: Any, argnames: Any):
        check_callable(transformation, fun)
        self.transformation = transformation
        self.fun = fun
        self.argnums = (argnums,) if isinstance(argnums, int) else tuple(argnums)
        self.argnames = (argnames,) if isinstance(argnames, str) else tuple(argnames)
        if not all(isinstance(i, int) for i in self.argnums):
            raise TypeError(f"{transformation}: static_argnums must be an int or ints, got {argnums!r}")
        if not all(isinstance(n, str) for n in self.argnames):
            raise TypeError(f"{transformation}: static_argnames must be a name or names, got {argnames!r}")
        # An argument may be given either way: complete each list from the other.
        names = parameter_names(fun) if self.argnums or self.argnames else []
        by_number = {names[i] for i in self.argnums if -len(names) <= i < len(names)}
        self.argnums += tuple(names.index(n) for n in self.argnames if n in names)
        self.argnames += tuple(by_number)
        self._check_names(names)

    def _check_names(self, positional: list[str]) -> None:
        try:
            parameters = inspect.signature(self.fun).parameters if self.argnames else {}
        except (TypeError, ValueError):
            return
        if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            return
        unknown = [n for n in self.argnames if n not in parameters]
        if unknown:
            raise ValueError(
                f"{self.transformation}: static_argnames {unknown} are not parameters of "
                f"{function_name(self.fun)}({', '.join(parameters)})"
            )

    def split(self, args: tuple, kwargs: dict[str, Any]) -> tuple[list[Any], PyTreeSpec, tuple, Callable]:
        """The leaves of the dynamic arguments, their structure, the static ones, what puts them together."""
        if not self.argnums and not self.argnames:
            leaves, structure = flatten((args, kwargs))
            return leaves, structure, (), structure.unflatten
        n = len(args)
        positions = {i % n for i in self.argnums if -n <= i < n}
        names = {name for name in self.argnames if name in kwargs}
        # With their types, for 1 == 1.0 == True.
        static = (
            *((i, type(args[i]), args[i]) for i in sorted(positions)),
            *((name, type(kwargs[name]), kwargs[name]) for name in sorted(names)),
        )
        for which, _, value in static:
            try:
                hash(value)
            except TypeError:
                raise TypeError(
                    f"{self.transformation}: static argument {which!r} of {function_name(self.fun)} "
                    f"must be hashable, got {type(value).__name__}: {value!r}"
                ) from None
        leaves, structure = flatten(
            (
                tuple(None if i in positions else x for i, x in enumerate(args)),
                {name: None if name in names else x for name, x in kwargs.items()},
            )
        )

        def fill(leaves: Sequence[Any]) -> tuple[tuple, dict[str, Any]]:
            dynamic_args, dynamic_kwargs = structure.unflatten(leaves)
            return (
                tuple(args[i] if i in positions else x for i, x in enumerate(dynamic_args)),
                {name: kwargs[name] if name in names else x for name, x in dynamic_kwargs.items()},
            )

        return leaves, structure, static, fill


def _trace(
    transformation: str, fun: Callable, arrays: list[Array], structure: PyTreeSpec, fill: Callable
) -> tuple[ClosedJaxpr, PyTreeSpec]:
    """The jaxpr of `fun`, and the structure of its output."""
    function = FlatFunction(transformation, fun, fill)
    closed = trace_to_jaxpr(
        function, [x.aval for x in arrays], transformation, argument_sources(fun, structure)
    )
    return closed, function.structure


def hoist_tracers(closed: ClosedJaxpr) -> tuple[ClosedJaxpr, list[Array]]:
    """The closed-over tracers of outer traces as the first inputs of the jaxpr, and these tracers."""
    constants = list(zip(closed.jaxpr.constvars, closed.consts, strict=True))
    captured = [(v, x) for v, x in constants if x._trace is not None]
    if not captured:
        return closed, []
    baked = [(v, x) for v, x in constants if x._trace is None]
    jaxpr = closed.jaxpr
    hoisted = Jaxpr(
        [v for v, _ in baked], [*(v for v, _ in captured), *jaxpr.invars], jaxpr.equations, jaxpr.outvars
    )
    return ClosedJaxpr(hoisted, [x for _, x in baked]), [x for _, x in captured]


class _Traced(NamedTuple):
    """A function traced for one signature; `captured` are the first inputs of `jaxpr`."""

    jaxpr: ClosedJaxpr
    captured: list[Array]
    out_structure: PyTreeSpec


class Jitted:
    """A function that `jit` compiles: the calls that its native front `function` cannot dispatch."""

    def __init__(self, fun: Callable, static_argnums: Any, static_argnames: Any):
        self._static = _StaticArguments("jit", fun, static_argnums, static_argnames)
        self._fun = fun
        self._cache: dict[tuple, _Traced] = {}
        #: How many times the function was traced.
        self.trace_count = 0
        update_wrapper(self, fun, updated=())  # not its attributes: ours have the same names
        #: What the user calls.
        self.function = _native.jit_function(self, unflatten)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the compiled function, or bind it where an argument is traced."""
        arrays, traced = self._lookup(args, kwargs)
        if (
            traced.captured
            or any(x._trace is not None for x in arrays)
            or has_effects(traced.jaxpr)
            or is_observed()
        ):
            outs = jit_p.bind(*traced.captured, *arrays, jaxpr=traced.jaxpr, name=function_name(self._fun))
        else:
            program = compiled(traced.jaxpr)
            outs = program(arrays)
            if not (kwargs or self._static.argnums or self._static.argnames):
                self._register(args, program, traced.out_structure)
        return unflatten(traced.out_structure, outs)

    def _register(self, args: tuple, program: Any, structure: PyTreeSpec) -> None:
        """Let the native front run the program from now on, for arguments of the same types."""
        is_flat_tuple = structure.type is tuple and structure.num_nodes == structure.num_leaves + 1
        self.function._register(
            args,
            program,
            None if structure.is_leaf() else structure,
            structure.num_leaves if is_flat_tuple else -1,
        )

    def _lookup(self, args: tuple, kwargs: dict[str, Any]) -> tuple[list[Array], _Traced]:
        leaves, structure, static, fill = self._static.split(args, kwargs)
        arrays = argument_arrays("jit", self._fun, leaves, structure)
        key = (structure, tuple([x.aval for x in arrays]), static, current_stream())
        traced = self._cache.get(key)
        if traced is None:
            self.trace_count += 1
            closed, out_structure = _trace("jit", self._fun, arrays, structure, fill)
            traced = _Traced(*hoist_tracers(closed), out_structure)
            if not traced.captured:  # else it belongs to this run of the outer trace
                self._cache[key] = traced
        return arrays, traced

    def __repr__(self) -> str:
        return f"<jit of {function_name(self._fun)}>"

    def cache_size(self) -> int:
        """The number of signatures that are cached."""
        return len(self._cache)

    def clear_cache(self) -> None:
        """Forget all traces and programs of this function."""
        self._cache.clear()
        self.function._clear_signatures()


def jit(
    fun: Callable | None = None,
    static_argnums: int | Sequence[int] = (),
    static_argnames: str | Sequence[str] = (),
) -> Any:
    """Compile a function: it is traced once for each signature, then runs as one native program.

    The signature is the structure of the arguments, the shapes, dtypes and weak types of their leaves, and
    the static arguments. Side effects and closed-over values are those of the time of tracing.

    Args:
        fun: a function of arrays or pytrees of arrays. If not given, a decorator is returned.
        static_argnums: positions of the arguments that are ordinary hashable Python values.
        static_argnames: names of such arguments.

    Returns:
        A function with the attributes `trace_count` (how many times it was traced), `cache_size()` and
        `clear_cache()`.

    Raises:
        TypeError: `fun` is not a function; from the function returned: an argument is not an array, or a
            static one not hashable.
        ValueError: a static argument is not a parameter of `fun`.
        ConcretizationError: from the function returned: `fun` needs the value of a traced array.

    >>> square = ft.jit(lambda x: x * x)
    >>> square(3.0)
    array(9, dtype=float32)
    """
    if fun is None:
        return partial(jit, static_argnums=static_argnums, static_argnames=static_argnames)
    return Jitted(fun, static_argnums, static_argnames).function


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
    static = _StaticArguments("make_jaxpr", fun, static_argnums, ())

    @wraps(fun)
    def jaxpr_of(*args: Any, **kwargs: Any) -> Any:
        leaves, structure, _, fill = static.split(args, kwargs)
        arrays = argument_arrays("make_jaxpr", fun, leaves, structure)
        closed, out_structure = _trace("make_jaxpr", fun, arrays, structure, fill)
        return (closed, unflatten(out_structure, closed.out_avals)) if return_shape else closed

    return jaxpr_of
