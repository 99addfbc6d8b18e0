"""custom_jvp and custom_vjp: functions that bring their own derivative.

Called with arrays of a linked trace, the user's rule is applied one level down; called with arrays of an
abstract trace, an equation is recorded that carries the function's jaxpr and the rule, so the rule is still
honoured when that jaxpr is differentiated or vectorised later.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import partial, update_wrapper
from typing import Any, NamedTuple

from optree import PyTreeSpec

from .._native import Array
from ..core.avals import ShapedArray
from ..core.call import CallPrimitive
from ..core.jaxpr import ClosedJaxpr
from ..core.pytree import broadcast_prefix, flatten, leaf_names, unflatten
from ..core.source import function_name
from ..core.tracing import trace_to_jaxpr
from ..primitives.layout import batch_first, move_axis, reduce_sum, zeros_like
from .arguments import argument_arrays, argument_sources, check_callable, output_arrays
from .batching import Dim, eval_batched, removed_axis
from .derivative import record
from .traced_function import hoist_tracers

Flat = Sequence[Array]


class JvpRules(NamedTuple):
    """A function on flat arrays and its forward-mode rule.

    primal(*inputs) → outputs; jvp(inputs, tangents) → (outputs, tangents).
    """

    name: str
    primal: Callable[..., list[Array]]
    jvp: Callable[[Flat, Flat], tuple[list[Array], list[Array]]]

    def __repr__(self) -> str:
        return self.name

    def batched(self, dims: Sequence[Dim], size: int) -> JvpRules:
        """The rules of the function vectorised over `dims` of its inputs and 0 of its outputs."""

        def primal(*args: Array) -> list[Array]:
            return _batched(self.primal, args, dims, size)

        def jvp(primals: Flat, tangents: Flat) -> tuple[list[Array], list[Array]]:
            def flat(*args: Array) -> list[Array]:
                outs, out_tangents = self.jvp(args[: len(dims)], args[len(dims) :])
                return [*outs, *out_tangents]

            results = _batched(flat, [*primals, *tangents], [*dims, *dims], size)
            half = len(results) // 2
            return results[:half], results[half:]

        return JvpRules(self.name, primal, jvp)


class VjpRules(NamedTuple):
    """A function on flat arrays and its reverse-mode rule.

    primal(*inputs) → outputs; fwd(*inputs) → (outputs, residuals); bwd(residuals, cotangents) → cotangents,
    None for zero.
    """

    name: str
    primal: Callable[..., list[Array]]
    fwd: Callable[..., tuple[list[Array], list[Array]]]
    bwd: Callable[[Flat, Flat], list[Array | None]]

    def __repr__(self) -> str:
        return self.name

    def batched(self, dims: Sequence[Dim], size: int) -> VjpRules:
        """The rules of the function vectorised over `dims` of its inputs and 0 of its outputs."""

        def primal(*args: Array) -> list[Array]:
            return _batched(self.primal, args, dims, size)

        def fwd(*args: Array) -> tuple[list[Array], list[Array]]:
            n_out = 0

            def flat(*args: Array) -> list[Array]:
                nonlocal n_out
                outs, residuals = self.fwd(*args)
                n_out = len(outs)
                return [*outs, *residuals]

            results = _batched(flat, args, dims, size)
            return results[:n_out], results[n_out:]

        def bwd(residuals: Flat, cotangents: Flat) -> list[Array | None]:
            present: list[bool] = []

            def flat(*args: Array) -> list[Array]:
                gradients = self.bwd(args[: len(residuals)], args[len(residuals) :])
                present[:] = [g is not None for g in gradients]
                return [g for g in gradients if g is not None]

            args = [*residuals, *cotangents]
            gradients = iter(_batched(flat, args, [0] * len(args), size))
            return [
                _unbatched_gradient(next(gradients), d) if p else None
                for p, d in zip(present, dims, strict=True)
            ]

        return VjpRules(self.name, primal, fwd, bwd)


def _batched(fun: Callable[..., list[Array]], args: Flat, dims: Sequence[Dim], size: int) -> list[Array]:
    """Apply `fun` to a batch; the results all have the batch axis in front."""
    avals = [x.aval if d is None else removed_axis(x.aval, d) for x, d in zip(args, dims, strict=True)]
    closed = trace_to_jaxpr(fun, avals, "vmap")
    outs, out_dims = eval_batched(closed.jaxpr, closed.consts, args, dims, size)
    return [batch_first(x, d, size) for x, d in zip(outs, out_dims, strict=True)]


def _unbatched_gradient(gradient: Array, dim: Dim) -> Array:
    # An input that is the same for the whole batch collects the cotangents of all of it.
    return reduce_sum(gradient, (0,)) if dim is None else move_axis(gradient, 0, dim)


def _custom_jvp_linked_forward(
    mode: str,
    primals: Flat,
    needed: Sequence[bool],
    *,
    jaxpr: ClosedJaxpr | None,
    rules: JvpRules,
    captured: int,
) -> tuple[list[Array], Callable]:
    _check_captured(rules, needed, captured)
    inputs = primals[captured:]

    def linear(*tangents: Array) -> tuple[list[Array], list[Array]]:
        outs, out_tangents = rules.jvp(inputs, tangents)
        return out_tangents, outs

    # The rule is linear in the tangents, so that its own derivative anywhere, as at zero, is the rule again.
    zeros = [zeros_like(x) for x in inputs]
    _, outs, recording = record(mode, rules.name, linear, zeros, needed=needed[captured:])
    none = [None] * captured
    if mode == "jvp":
        return outs, lambda primals, tangents, outs, **_: recording.push_forward(tangents[captured:])
    return outs, lambda cotangents, primals, outs, needed, **_: none + recording.pull_back(cotangents)


def _custom_vjp_linked_forward(
    mode: str,
    primals: Flat,
    needed: Sequence[bool],
    *,
    jaxpr: ClosedJaxpr | None,
    rules: VjpRules,
    captured: int,
) -> tuple[list[Array], Callable]:
    _check_captured(rules, needed, captured)
    outs, residuals = rules.fwd(*primals[captured:])
    if mode == "jvp":

        def linear(*cotangents: Array) -> tuple[list[Array], None]:
            gradients = rules.bwd(residuals, cotangents)
            return [
                zeros_like(x) if g is None else g for g, x in zip(gradients, primals[captured:], strict=True)
            ], None

        # Forward mode is the transpose of `bwd`, which is linear in the cotangents.
        _, _, recording = record("vjp", rules.name, linear, [zeros_like(y) for y in outs])
        return outs, lambda primals, tangents, outs, **_: recording.pull_back(tangents[captured:])

    def vjp_rule(cotangents: Any, primals: Any, outs: Any, needed: Any, **_: Any) -> list[Array | None]:
        given = [zeros_like(y) if c is None else c for c, y in zip(cotangents, outs, strict=True)]
        return [None] * captured + list(rules.bwd(residuals, given))

    return outs, vjp_rule


def _check_captured(rules: JvpRules | VjpRules, needed: Sequence[bool], captured: int) -> None:
    if any(needed[:captured]):
        raise TypeError(
            f"{rules.name} closes over an array that is being differentiated, "
            "for which its custom rule has no derivative; pass the array as an argument"
        )


def _make_batch(primitive: Callable[[], CallPrimitive]) -> Callable:
    def batch(
        args: Flat,
        dims: Sequence[Dim],
        size: int,
        *,
        jaxpr: ClosedJaxpr,
        rules: JvpRules | VjpRules,
        captured: int,
    ) -> tuple[list[Array], list[Dim]]:
        def batched_primal(*args: Array) -> list[Array]:
            outs, out_dims = eval_batched(jaxpr.jaxpr, jaxpr.consts, args, dims, size)
            return [batch_first(x, d, size) for x, d in zip(outs, out_dims, strict=True)]

        batched = trace_to_jaxpr(batched_primal, [x.aval for x in args], "vmap")
        outs = primitive().bind(
            *args, jaxpr=batched, rules=rules.batched(dims[captured:], size), captured=captured
        )
        return outs, [0] * len(outs)

    return batch


custom_jvp_p: CallPrimitive = CallPrimitive(
    "custom_jvp", batch=_make_batch(lambda: custom_jvp_p), linked_forward=_custom_jvp_linked_forward
)
custom_vjp_p: CallPrimitive = CallPrimitive(
    "custom_vjp", batch=_make_batch(lambda: custom_vjp_p), linked_forward=_custom_vjp_linked_forward
)


class _CustomFunction:
    """What `custom_jvp` and `custom_vjp` share: taking the arguments apart, and binding the primitive."""

    _transformation: str
    _definition: str
    _primitive: CallPrimitive
    #: The user's rule, once `_definition` has set it.
    _rule: Any = None

    def __init__(self, fun: Callable, nondiff_argnums: int | Sequence[int] = ()):
        check_callable(self._transformation, fun)
        self._fun = fun
        self._nondiff = (nondiff_argnums,) if isinstance(nondiff_argnums, int) else tuple(nondiff_argnums)
        update_wrapper(self, fun, updated=())  # not its attributes: ours have the same names

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else partial(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._rule is None:
            raise TypeError(
                f"{self._transformation}: {function_name(self._fun)} has no rule yet; "
                f"give it with {self._definition}"
            )
        if kwargs or self._nondiff:
            args = self._positional(args, kwargs)
        nondiff = {i % len(args) for i in self._nondiff}
        leaves, structure = flatten((tuple(None if i in nondiff else x for i, x in enumerate(args)), {}))
        arrays = argument_arrays(self._transformation, self._fun, leaves, structure)
        call = _Call(self, args, nondiff, structure)
        traces = [x._trace for x in arrays if x._trace is not None]
        if not traces:
            outs = call.primal(*arrays)
        elif max(traces, key=lambda t: t.level).is_abstract:
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
                f"{sorted(bound.kwargs)}, for which its derivative rule has no place"
            )
        return bound.args

    def _rules(self, call: _Call) -> JvpRules | VjpRules:
        raise NotImplementedError


class _Call:
    """One call of a custom function: conversions between the user's trees and flat arrays."""

    def __init__(self, owner: _CustomFunction, args: tuple, nondiff: set[int], structure: PyTreeSpec):
        self.transformation = owner._transformation
        self.fun = owner._fun
        self.args = args
        self.nondiff = nondiff
        self.structure = structure
        self.out_structure: PyTreeSpec

    @property
    def nondiff_args(self) -> list[Any]:
        """The arguments that are passed to the rules as they are."""
        return [self.args[i] for i in sorted(self.nondiff)]

    def diff_args(self, leaves: Sequence[Any]) -> tuple:
        """The other arguments, with these leaves."""
        args, _ = self.structure.unflatten(leaves)
        return tuple(x for i, x in enumerate(args) if i not in self.nondiff)

    def primal(self, *leaves: Array) -> list[Array]:
        """The function itself."""
        args, _ = self.structure.unflatten(leaves)
        return self.outputs(
            self.fun(
                *(
                    old if i in self.nondiff else x
                    for i, (x, old) in enumerate(zip(args, self.args, strict=True))
                )
            )
        )

    def outputs(self, result: Any) -> list[Array]:
        """The leaves of an output, whose structure is remembered."""
        leaves, self.out_structure = flatten(result)
        return output_arrays(self.transformation, self.fun, leaves, result)


class custom_jvp(_CustomFunction):
    """A function with its own forward-mode derivative, from which the reverse-mode one follows. A decorator.

    Args:
        fun: a function of arrays or pytrees of arrays. Keyword arguments are passed by position to the rule.
        nondiff_argnums: positions of arguments that are not differentiated (functions, flags): passed to the
            rule first.

    Raises:
        TypeError: when called before `defjvp`; if the tangent of the rule is not like the output.

    >>> @ft.custom_jvp
    ... def log1pexp(x):
    ...     return ft.log(1.0 + ft.exp(x))
    >>> @log1pexp.defjvp
    ... def log1pexp_jvp(primals, tangents):
    ...     (x,), (t,) = primals, tangents
    ...     return log1pexp(x), (1.0 - 1.0 / (1.0 + ft.exp(x))) * t
    >>> ft.grad(log1pexp)(100.0)
    array(1, dtype=float32)
    """

    _transformation = "custom_jvp"
    _definition = "defjvp"
    _primitive = custom_jvp_p

    def defjvp(self, jvp: Callable) -> Callable:
        """Set the rule, ``jvp(*nondiff, primals, tangents) -> (output, output_tangent)``; a decorator."""
        self._rule = jvp
        return jvp

    def _rules(self, call: _Call) -> JvpRules:
        def jvp(primals: Flat, tangents: Flat) -> tuple[list[Array], list[Array]]:
            result = self._rule(*call.nondiff_args, call.diff_args(primals), call.diff_args(tangents))
            if not (isinstance(result, (tuple, list)) and len(result) == 2):
                raise TypeError(
                    f"custom_jvp: the rule of {function_name(self._fun)} must return a pair "
                    f"(output, output_tangent), got {type(result).__name__}"
                )
            outs = call.outputs(result[0])
            leaves, structure = flatten(result[1])
            if structure != call.out_structure:
                raise TypeError(
                    f"custom_jvp: the rule of {function_name(self._fun)} must return a tangent with the "
                    f"structure of the output, {call.out_structure}, got {structure}"
                )
            out_tangents = output_arrays("custom_jvp", self._rule, leaves, result[1])
            names = leaf_names(result[1], "output_tangent")
            for t, y, name in zip(out_tangents, outs, names, strict=True):
                _check_like("custom_jvp", f"{name} of the rule of {function_name(self._fun)}", t, y.aval)
            return outs, out_tangents

        return JvpRules(function_name(self._fun), call.primal, jvp)


class custom_vjp(_CustomFunction):
    """A function with its own reverse-mode derivative, from which the forward-mode one follows. A decorator.

    Forward mode transposes `bwd`, so it is right only where `bwd` is linear in the cotangent, as a derivative
    is.

    Args:
        fun: a function of arrays or pytrees of arrays. Keyword arguments are passed by position to the rule.
        nondiff_argnums: positions of arguments that are not differentiated (functions, flags): `fwd` gets
            them in their places, `bwd` first.

    Raises:
        TypeError: when called before `defvjp`; if `bwd` does not return a cotangent for each argument.

    >>> @ft.custom_vjp
    ... def clip_gradient(x):
    ...     return x
    >>> clip_gradient.defvjp(lambda x: (x, None), lambda _, g: (ft.clip(g, -1.0, 1.0),))
    >>> ft.grad(lambda x: 5.0 * clip_gradient(x))(2.0)
    array(1, dtype=float32)
    """

    _transformation = "custom_vjp"
    _definition = "defvjp"
    _primitive = custom_vjp_p

    def defvjp(self, fwd: Callable, bwd: Callable) -> None:
        """Set the rule.

        Args:
            fwd: the arguments → ``(output, residuals)``, residuals being any pytree.
            bwd: ``(*nondiff, residuals, cotangent)`` → a tuple with a cotangent for each differentiated
                argument, or None.
        """
        self._rule = fwd, bwd

    def _rules(self, call: _Call) -> VjpRules:
        name = function_name(self._fun)
        user_fwd, user_bwd = self._rule
        residual_structure: PyTreeSpec
        in_avals: list[ShapedArray] = []

        def fwd(*leaves: Array) -> tuple[list[Array], list[Array]]:
            nonlocal residual_structure
            in_avals[:] = [x.aval for x in leaves]
            args, _ = call.structure.unflatten(leaves)
            given = [
                old if i in call.nondiff else x
                for i, (x, old) in enumerate(zip(args, call.args, strict=True))
            ]
            result = user_fwd(*given)
            if not (isinstance(result, (tuple, list)) and len(result) == 2):
                raise TypeError(
                    f"custom_vjp: fwd of {name} must return a pair (output, residuals), "
                    f"got {type(result).__name__}"
                )
            residuals, residual_structure = flatten(result[1])
            return call.outputs(result[0]), output_arrays("custom_vjp", user_fwd, residuals, result[1])

        def bwd(residuals: Flat, cotangents: Flat) -> list[Array | None]:
            result = user_bwd(
                *call.nondiff_args,
                unflatten(residual_structure, residuals),
                unflatten(call.out_structure, cotangents),
            )
            return self._gradients(call, result, in_avals)

        return VjpRules(name, call.primal, fwd, bwd)

    def _gradients(self, call: _Call, result: Any, in_avals: Sequence[ShapedArray]) -> list[Array | None]:
        name = function_name(self._fun)
        expected = call.diff_args(list(range(call.structure.num_leaves)))
        if not isinstance(result, (tuple, list)) or len(result) != len(expected):
            found = f"{len(result)}" if isinstance(result, (tuple, list)) else type(result).__name__
            raise TypeError(
                f"custom_vjp: bwd of {name} must return a tuple of {len(expected)} cotangents, one for each "
                f"argument (None for zero), got {found}"
            )
        entries = broadcast_prefix(
            tuple(result), flatten(expected)[1], f"custom_vjp: the result of bwd of {name}"
        )
        gradients: list[Array | None] = []
        for i, (g, aval) in enumerate(zip(entries, in_avals, strict=True)):
            if g is None or not aval.is_inexact:
                gradients.append(None)
                continue
            (array,) = output_arrays("custom_vjp", self._rule[1], [g], g)
            _check_like("custom_vjp", f"cotangent {i} of bwd of {name}", array, aval)
            gradients.append(array)
        return gradients


def _check_like(transformation: str, name: str, x: Array, aval: ShapedArray) -> None:
    if not aval.is_inexact:
        return
    if x.shape != aval.shape:
        raise ValueError(f"{transformation}: {name} must have shape {aval.shape}, got {x.shape}")
    if x.dtype != aval.dtype:
        raise TypeError(f"{transformation}: {name} must have dtype {aval.dtype}, got {x.dtype}")
