"""custom_jvp: functions that bring their own forward-mode derivative."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from .._native import Array
from ..core.call import CallPrimitive
from ..core.jaxpr import ClosedJaxpr
from ..core.pytree import flatten, leaf_names, tree_map
from ..core.source import function_name
from ..core.tracing import eval_jaxpr, trace_to_jaxpr
from ..primitives.layout import zeros_like
from .arguments import check_callable, output_arrays, typed_like
from .batching import Dim
from .custom_function import (
    Call,
    CustomFunction,
    Flat,
    MaybeFlat,
    SymbolicZero,
    batch_rule,
    batched_call,
    check_captured,
    check_pair,
    instantiated,
)
from .derivative import instantiate
from .linear import check_linear, transpose_jaxpr

#: The tangent rule on flat arrays: (inputs, tangents, None for zero) → (outputs, tangents).
FlatJvp = Callable[[Flat, MaybeFlat], tuple[list[Array], list[Array]]]


class JvpRules(NamedTuple):
    """The rule of one call; without `symbolic_zeros` it is given arrays for the tangents that are zero."""

    name: str
    jvp: FlatJvp
    symbolic_zeros: bool

    def __repr__(self) -> str:
        return self.name

    def batched(self, dims: Sequence[Dim], size: int) -> JvpRules:
        """The rule of the function vectorised over `dims` of its inputs and 0 of its outputs."""

        def jvp(primals: Flat, tangents: MaybeFlat) -> tuple[list[Array], list[Array]]:
            n = len(primals)
            present = [i for i, t in enumerate(tangents) if t is not None]

            def flat(*args: Array) -> list[Array]:
                given = dict(zip(present, args[n:], strict=True))
                outs, out_tangents = self.jvp(args[:n], [given.get(i) for i in range(n)])
                return [*outs, *out_tangents]

            args = [*primals, *(t for t in tangents if t is not None)]
            results = batched_call(flat, args, [*dims, *(dims[i] for i in present)], size)
            half = len(results) // 2
            return results[:half], results[half:]

        return JvpRules(self.name, jvp, self.symbolic_zeros)


def flat_jvp(transformation: str, rule: Callable, call: Call, symbolic_zeros: bool) -> JvpRules:
    """The user's rule, from trees to flat arrays."""
    what = f"the rule of {call.name}"

    def jvp(primals: Flat, tangents: MaybeFlat) -> tuple[list[Array], list[Array]]:
        given = instantiated(tangents, [x.aval for x in primals], symbolic_zeros)
        result = rule(*call.nondiff_args, call.diff_args(primals), call.diff_args(given))
        check_pair(transformation, what, "(output, output_tangent)", result)
        outs = call.outputs(result[0], what)
        leaves, structure = flatten(result[1])
        if structure != call.out_structure:
            raise TypeError(
                f"{transformation}: {what} must return a tangent with the structure of the output, "
                f"{call.out_structure}, got {structure}"
            )
        arrays = [x.instantiate() if isinstance(x, SymbolicZero) else x for x in leaves]
        out_tangents = output_arrays(transformation, rule, arrays, result[1])
        names = leaf_names(result[1], "output_tangent")
        return outs, [
            typed_like(transformation, f"{name} of {what}", t, y) if y.aval.is_inexact else t
            for t, y, name in zip(out_tangents, outs, names, strict=True)
        ]

    return JvpRules(call.name, jvp, symbolic_zeros)


def jvp_linked_forward(
    primitive: str, rules: JvpRules, mode: str, inputs: Flat, needed: Sequence[bool]
) -> tuple[list[Array], Callable]:
    """The outputs, and the derivative rule with respect to `inputs`, from a tangent rule.

    The rule is traced as a function of the tangents. Forward mode applies it, reverse mode transposes it.
    """
    # Without symbolic zeros it is traced in all tangents, so that the zeros among them are not mistaken for
    # other constants.
    followed = [i for i, need in enumerate(needed) if need or not rules.symbolic_zeros]
    outs: list[Array] = []

    def linear(*given: Array) -> list[Array]:
        tangents: list[Array | None] = [None] * len(inputs)
        for i, t in zip(followed, given, strict=True):
            tangents[i] = t
        outs[:], out_tangents = rules.jvp(inputs, tangents)
        return [t if y.aval.is_inexact else zeros_like(y) for t, y in zip(out_tangents, outs, strict=True)]

    closed = trace_to_jaxpr(linear, [inputs[i].aval.strong() for i in followed], primitive)
    if any(y._trace is not None and not y._trace.active for y in outs):
        raise TypeError(
            f"{primitive}: the output that the rule of {rules.name} returns depends on the tangents; "
            "it must be the function's own"
        )
    if mode == "jvp":

        def jvp_rule(primals: Any, tangents: MaybeFlat, outs: Any, **_: Any) -> list[Array]:
            given = instantiate([tangents[i] for i in followed], [inputs[i] for i in followed])
            return eval_jaxpr(closed.jaxpr, closed.consts, *given)

        return outs, jvp_rule
    check_linear(closed, f"{primitive}: the rule of {rules.name} must be linear in the tangents")

    def vjp_rule(
        cotangents: MaybeFlat, primals: Any, outs: Any, needed: Sequence[bool], **_: Any
    ) -> list[Array | None]:
        gradients: list[Array | None] = [None] * len(inputs)
        transposed = transpose_jaxpr(closed, cotangents, [needed[i] for i in followed])
        for i, g in zip(followed, transposed, strict=True):
            gradients[i] = g
        return gradients

    return outs, vjp_rule


def with_captured(rule: Callable, mode: str, captured: int) -> Callable:
    """A derivative rule for inputs in front of which there are others that have none."""
    if not captured:
        return rule
    if mode == "jvp":
        return lambda primals, tangents, outs, **_: rule(primals, tangents[captured:], outs)
    return lambda cotangents, primals, outs, needed, **_: (
        [None] * captured + rule(cotangents, primals, outs, needed)
    )


def _linked_forward(
    mode: str,
    primals: Flat,
    needed: Sequence[bool],
    *,
    jaxpr: ClosedJaxpr | None,
    rules: JvpRules,
    captured: int,
) -> tuple[list[Array], Callable]:
    check_captured("custom_jvp", rules.name, needed[:captured], "differentiated")
    outs, rule = jvp_linked_forward("custom_jvp", rules, mode, primals[captured:], needed[captured:])
    return outs, with_captured(rule, mode, captured)


# A tangent rule may call the function itself on tangents: its transpose must not apply the rule once more.
custom_jvp_p: CallPrimitive = CallPrimitive(
    "custom_jvp",
    batch=batch_rule(lambda: custom_jvp_p),
    linked_forward=_linked_forward,
    transposes_inline=True,
)


class custom_jvp(CustomFunction):
    """A function with its own forward-mode derivative, from which the reverse-mode one follows. A decorator.

    The rule is honoured in every composition: under `grad`, `vmap`, `jit` and each other, in any order.

    Args:
        fun: a function of arrays or pytrees of arrays. Keyword arguments are passed by position to the rule.
        nondiff_argnums: positions of arguments that are not differentiated (functions, flags): passed to the
            rule first.
        nondiff_argnames: names of such arguments.

    Raises:
        ValueError: `nondiff_argnums` or `nondiff_argnames` has one that is not a parameter of `fun`.
        TypeError: when called before `defjvp`; if the tangent of the rule is not like the output, or, in
            reverse mode, not linear in the given tangents.

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
    _definition = "defjvp or defjvps"
    _primitive = custom_jvp_p
    _symbolic_zeros = False

    def defjvp(self, jvp: Callable, symbolic_zeros: bool = False) -> Callable:
        """Set the rule, ``jvp(*nondiff, primals, tangents) -> (output, output_tangent)``; a decorator.

        Args:
            jvp: the rule.
            symbolic_zeros: whether tangents that are known to be zero come as `SymbolicZero`, not as arrays.
        """
        check_callable("custom_jvp.defjvp", jvp)
        self._rule = jvp
        self._symbolic_zeros = symbolic_zeros
        return jvp

    def defjvps(self, *jvps: Callable | None) -> None:
        """Set a rule for each argument, the results of which are added.

        Args:
            *jvps: for each differentiated argument ``jvp(*nondiff, tangent, output, *primals) ->
                output_tangent``, or None where the derivative is zero.

        >>> f = ft.custom_jvp(lambda x, y: ft.sin(x) * y)
        >>> f.defjvps(lambda t, out, x, y: ft.cos(x) * y * t, None)
        >>> ft.grad(f, argnums=(0, 1))(0.0, 3.0)
        (array(3, dtype=float32), array(0, dtype=float32))
        """

        def rule(*args: Any) -> tuple[Any, Any]:
            *nondiff, primals, tangents = args
            if len(jvps) != len(primals):
                raise TypeError(
                    f"custom_jvp.defjvps: {function_name(self._fun)} was given {len(jvps)} rules, "
                    f"but has {len(primals)} differentiated arguments"
                )
            full = list(primals)
            count = len(nondiff) + len(primals)
            places = sorted(self._position(i, count) for i in self._nondiff)
            for place, x in zip(places, nondiff, strict=True):
                full.insert(place, x)
            out = self(*full)
            total = tree_map(zeros_like, out)
            for i, (jvp, tangent) in enumerate(zip(jvps, tangents, strict=True)):
                if jvp is None or all(isinstance(t, SymbolicZero) for t in flatten(tangent)[0]):
                    continue
                given = tree_map(lambda t: t.instantiate() if isinstance(t, SymbolicZero) else t, tangent)
                term = jvp(*nondiff, given, out, *primals)
                if flatten(term)[1] != flatten(out)[1]:
                    raise TypeError(
                        f"custom_jvp.defjvps: rule {i} of {function_name(self._fun)} must return a tangent "
                        f"with the structure of the output, {flatten(out)[1]}, got {flatten(term)[1]}"
                    )
                total = tree_map(lambda a, b: a + b, total, term)
            return out, total

        self.defjvp(rule, symbolic_zeros=True)

    def _rules(self, call: Call) -> JvpRules:
        return flat_jvp("custom_jvp", self._rule, call, self._symbolic_zeros)
