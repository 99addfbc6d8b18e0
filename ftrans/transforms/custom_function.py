"""What functions with rules of their own share: `custom_jvp`, `custom_vjp` and `custom_vmap`.

Called with arrays of a linked trace, the user's rule is applied one level down; called with arrays of an
abstract trace, an equation is recorded that carries the function's jaxpr and the rule, so the rule is still
honoured when that jaxpr is differentiated or vectorised later.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import partial, update_wrapper
from typing import TYPE_CHECKING, Any

from .._native import Array, user_function
from ..core.avals import ShapedArray
from ..core.call import CallPrimitive
from ..core.jaxpr import ClosedJaxpr
from ..core.pytree import flatten, leaf_names, unflatten
from ..core.source import ArgumentSource, function_name
from ..core.tracing import trace_to_jaxpr
from ..primitives.layout import batch_first, zeros_like
from .arguments import argument_arrays, argument_sources, check_callable, output_arrays, typed_like
from .batching import Dim, eval_batched, removed_axis
from .named_arguments import NamedArguments
from .traced_function import hoist_tracers

if TYPE_CHECKING:
    from optree import PyTreeSpec

Flat = Sequence[Array]
MaybeFlat = Sequence["Array | None"]


class SymbolicZero:
    """A (co)tangent that is known to be zero, as rules set with ``symbolic_zeros=True`` are given it.

    >>> f = ft.custom_vjp(lambda x: (x, 2.0 * x))
    >>> def bwd(_, cotangents):
    ...     return (sum(c for c in cotangents if not isinstance(c, ft.SymbolicZero)),)
    >>> f.defvjp(lambda x: (f(x.value), None), bwd, symbolic_zeros=True)
    >>> ft.grad(lambda x: f(x)[0])(3.0)
    array(1, dtype=float32)
    """

    __slots__ = ("aval",)

    def __init__(self, aval: ShapedArray):
        self.aval = aval.strong()

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the zeros."""
        return self.aval.shape

    @property
    def dtype(self) -> Any:
        """Their dtype."""
        return self.aval.dtype

    def instantiate(self) -> Array:
        """The array of zeros."""
        return zeros_like(self.aval)

    def __repr__(self) -> str:
        return f"SymbolicZero({self.aval})"


def instantiated(
    derivatives: MaybeFlat, avals: Sequence[ShapedArray], symbolic_zeros: bool
) -> list[Array | SymbolicZero]:
    """Symbolic zeros, or arrays of zeros, in place of None."""
    zeros = [SymbolicZero(aval) if symbolic_zeros else zeros_like(aval) for aval in avals]
    return [zero if x is None else x for x, zero in zip(derivatives, zeros, strict=True)]


class CustomFunction:
    """A function with a rule; the subclass names the transformation, and binds its primitive.

    It is a decorator, and works as a method.
    """

    _transformation: str
    _definition: str
    _primitive: CallPrimitive
    #: Whether a linked trace does not do with the rule alone.
    _needs_jaxpr = False
    #: The user's rule, once `_definition` has set it.
    _rule: Any = None

    def __init__(
        self,
        fun: Callable,
        nondiff_argnums: int | Sequence[int] = (),
        nondiff_argnames: str | Sequence[str] = (),
    ):
        check_callable(self._transformation, fun)
        self._fun = fun
        nondiff = NamedArguments(self._transformation, "nondiff", fun, nondiff_argnums, nondiff_argnames)
        self._nondiff = nondiff.argnums
        update_wrapper(self, fun, updated=())  # not its attributes: ours have the same names

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else partial(self, instance)

    @user_function
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Apply the function."""
        if self._rule is None:
            raise TypeError(
                f"{self._transformation}: {function_name(self._fun)} has no rule yet; "
                f"give it with {self._definition}"
            )
        if kwargs or self._nondiff:
            args = self._positional(args, kwargs)
        nondiff = {self._position(i, len(args)) for i in self._nondiff}
        leaves, structure = flatten((tuple(None if i in nondiff else x for i, x in enumerate(args)), {}))
        arrays = argument_arrays(self._transformation, self._fun, leaves, structure)
        call = Call(self._transformation, self._fun, args, nondiff, structure)
        traces = [x._trace for x in arrays if x._trace is not None]
        if not traces:
            outs = call.primal(*arrays)
        elif self._needs_jaxpr or max(traces, key=lambda t: t.level).is_abstract:
            sources = argument_sources(self._fun, structure)
            traced = trace_to_jaxpr(call.primal, [x.aval for x in arrays], self._transformation, sources)
            closed, captured = hoist_tracers(traced)
            outs = self._primitive.bind(
                *captured, *arrays, jaxpr=closed, rules=self._rules(call), captured=len(captured)
            )
        else:
            outs = self._primitive.bind(*arrays, jaxpr=None, rules=self._rules(call), captured=0)
        return unflatten(call.out_structure, outs)

    def _positional(self, args: tuple, kwargs: dict[str, Any]) -> tuple:
        bound = inspect.signature(self._fun).bind(*args, **kwargs)
        bound.apply_defaults()
        if bound.kwargs:
            raise TypeError(
                f"{self._transformation}: {function_name(self._fun)} has keyword-only arguments "
                f"{sorted(bound.kwargs)}, for which its rule has no place"
            )
        return bound.args

    def _position(self, argnum: int, n: int) -> int:
        if not -n <= argnum < n:
            raise ValueError(
                f"{self._transformation}: nondiff_argnums {argnum} is out of range: "
                f"{function_name(self._fun)} was called with {n} arguments"
            )
        return argnum % n

    def _rules(self, call: Call) -> Any:
        raise NotImplementedError


class Call:
    """One call of a custom function: conversions between the user's trees and flat arrays."""

    def __init__(
        self, transformation: str, fun: Callable, args: tuple, nondiff: set[int], structure: PyTreeSpec
    ):
        self.transformation = transformation
        self.fun = fun
        self.name = function_name(fun)
        #: None in the places of those that are differentiated, which come as leaves.
        self.args = tuple([x if i in nondiff else None for i, x in enumerate(args)])
        self.nondiff = nondiff
        self.structure = structure
        self._out: tuple[PyTreeSpec, list[ShapedArray]] | None = None

    @property
    def out_structure(self) -> PyTreeSpec:
        """The structure of the output, once the function or its rule has run."""
        assert self._out is not None
        return self._out[0]

    @property
    def out_avals(self) -> list[ShapedArray]:
        """The avals of the leaves of the output, once the function or its rule has run."""
        assert self._out is not None
        return self._out[1]

    @property
    def nondiff_args(self) -> list[Any]:
        """The arguments that are passed to the rules as they are."""
        return [self.args[i] for i in sorted(self.nondiff)]

    def all_args(self, leaves: Sequence[Any]) -> list[Any]:
        """All arguments, with these leaves in the differentiated ones."""
        args, _ = self.structure.unflatten(leaves)
        return [
            old if i in self.nondiff else x for i, (x, old) in enumerate(zip(args, self.args, strict=True))
        ]

    def diff_args(self, leaves: Sequence[Any]) -> tuple:
        """The differentiated arguments, with these leaves."""
        args, _ = self.structure.unflatten(leaves)
        return tuple(x for i, x in enumerate(args) if i not in self.nondiff)

    def argument_name(self, i: int) -> str:
        """What the user calls leaf `i` of the arguments."""
        return ArgumentSource(self.fun, self.structure, i).name

    def primal(self, *leaves: Array) -> list[Array]:
        """The function itself."""
        return self.outputs(self.fun(*self.all_args(leaves)), self.name)

    def outputs(self, result: Any, what: str) -> list[Array]:
        """The leaves of the output that `what` returned.

        Raises:
            TypeError: structure or a dtype is not that of an earlier output.
            ValueError: a shape is not.
        """
        leaves, structure = flatten(result)
        arrays = output_arrays(self.transformation, self.fun, leaves, result)
        if self._out is None:
            self._out = structure, [x.aval for x in arrays]
            return arrays
        expected, avals = self._out
        if structure != expected:
            raise TypeError(
                f"{self.transformation}: the output of {what} must have the structure of that of "
                f"{self.name}, {expected}, got {structure}"
            )
        names = leaf_names(result, "output")
        return [
            typed_like(self.transformation, f"{name} of {what}", x, aval)
            for x, aval, name in zip(arrays, avals, names, strict=True)
        ]


def check_pair(transformation: str, what: str, expected: str, result: Any) -> None:
    """Raise TypeError unless a rule returned a pair."""
    if not (isinstance(result, (tuple, list)) and len(result) == 2):
        found = f"{len(result)} items" if isinstance(result, (tuple, list)) else type(result).__name__
        raise TypeError(f"{transformation}: {what} must return a pair {expected}, got {found}")


def check_captured(primitive: str, name: str, followed: Sequence[bool], doing: str) -> None:
    """Raise TypeError if a closed-over array is one that a transformation follows."""
    if any(followed):
        raise TypeError(
            f"{primitive}: {name} closes over an array that is being {doing}, "
            "for which its custom rule has no place; pass the array as an argument"
        )


def batched_call(fun: Callable[..., list[Array]], args: Flat, dims: Sequence[Dim], size: int) -> list[Array]:
    """Apply `fun` to a batch; the results all have the batch axis in front."""
    avals = [x.aval if d is None else removed_axis(x.aval, d) for x, d in zip(args, dims, strict=True)]
    closed = trace_to_jaxpr(fun, avals, "vmap")
    return batched_jaxpr(closed, args, dims, size)


def batched_jaxpr(closed: ClosedJaxpr, args: Flat, dims: Sequence[Dim], size: int) -> list[Array]:
    """Apply a jaxpr to a batch; the results all have the batch axis in front."""
    outs, out_dims = eval_batched(closed.jaxpr, closed.consts, args, dims, size)
    return [batch_first(x, d, size) for x, d in zip(outs, out_dims, strict=True)]


def batch_rule(primitive: Callable[[], CallPrimitive]) -> Callable:
    """The batching rule of a custom derivative: the batched jaxpr, and the batched rules."""

    def batch(
        args: Flat, dims: Sequence[Dim], size: int, *, jaxpr: ClosedJaxpr, rules: Any, captured: int
    ) -> tuple[list[Array], list[Dim]]:
        batched = trace_to_jaxpr(
            lambda *args: batched_jaxpr(jaxpr, args, dims, size), [x.aval for x in args], "vmap"
        )
        outs = primitive().bind(
            *args, jaxpr=batched, rules=rules.batched(dims[captured:], size), captured=captured
        )
        return outs, [0] * len(outs)

    return batch
