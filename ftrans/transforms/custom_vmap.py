"""custom_vmap: functions that bring their own way of being vectorised."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from .._native import Array
from ..core.call import CallPrimitive
from ..core.jaxpr import ClosedJaxpr
from ..core.pytree import broadcast_prefix, flatten
from ..core.tracing import eval_jaxpr, trace_to_jaxpr
from ..primitives.layout import batch_first, move_axis
from .arguments import check_callable, output_arrays
from .batching import Dim
from .custom_function import Call, CustomFunction, Flat, check_captured, check_pair
from .derivative import instantiate, record

#: (size, inputs with the batch axis in front where `batched`, batched) → outputs, and which are batched.
FlatRule = Callable[[int, Flat, Sequence[bool]], tuple[list[Array], list[bool]]]


class _VmapRules(NamedTuple):
    """The rule of one call on flat arrays; `call` gives the structure of the outputs."""

    name: str
    rule: FlatRule

    def __repr__(self) -> str:
        return self.name

    def derivative(self, mode: str, needed: Sequence[bool], present: Sequence[bool]) -> _VmapRules:
        """The rule of the derivative, which is the derivative of the rule.

        Its inputs are those of the function, then cotangents of the inexact outputs (or tangents of the
        `needed` inputs); its outputs are the derivatives that are `present`.
        """
        n_in = len(needed)

        def rule(size: int, args: Flat, batched: Sequence[bool]) -> tuple[list[Array], list[bool]]:
            given = [
                batch_first(x, 0 if b else None, size)
                for x, b in zip(args[n_in:], batched[n_in:], strict=True)
            ]
            # An input that is the same for the whole batch has a derivative for every member of it.
            together = [b or need for b, need in zip(batched, needed, strict=False)]
            inputs = [
                batch_first(x, 0, size) if b else batch_first(x, None, size) if need else x
                for x, b, need in zip(args, batched, needed, strict=False)
            ]
            out_batched: list[bool] = []

            def function(*inputs: Array) -> tuple[list[Array], None]:
                outs, out_batched[:] = self.rule(size, inputs, together)
                return [
                    batch_first(y, 0 if b else None, size) for y, b in zip(outs, out_batched, strict=True)
                ], None

            outs, _, recording = record(mode, "custom_vmap", function, inputs, needed=needed)
            results = _derivatives(mode, recording, outs, inputs, given, needed)
            kept = [d for d, p in zip(results, present, strict=True) if p]
            return kept, [True] * len(kept)

        return _VmapRules(self.name, rule)


def _derivatives(
    mode: str, recording: Any, outs: Flat, inputs: Flat, given: Flat, needed: Sequence[bool]
) -> list[Array]:
    supply = iter(given)
    if mode == "vjp":
        cotangents = [next(supply) if y.aval.is_inexact else None for y in outs]
        return instantiate(recording.pull_back(cotangents), inputs)
    return instantiate(recording.push_forward([next(supply) if need else None for need in needed]), outs)


def _linked_forward(
    mode: str,
    primals: Flat,
    needed: Sequence[bool],
    *,
    jaxpr: ClosedJaxpr,
    rules: _VmapRules,
    captured: int,
) -> tuple[list[Array], Callable]:
    check_captured("custom_vmap", rules.name, needed[:captured], "differentiated")
    outs = custom_vmap_p.bind(*primals, jaxpr=jaxpr, rules=rules, captured=captured)
    if mode == "vjp":
        present = [need and x.aval.is_inexact for x, need in zip(primals, needed, strict=True)]
    else:
        present = [y.aval.is_inexact for y in outs]
    derived = rules.derivative(mode, needed[captured:], present[captured:] if mode == "vjp" else present)

    def function(*args: Array) -> list[Array]:
        inputs, given = args[: len(primals)], args[len(primals) :]
        inner_outs, _, recording = record(
            mode,
            "custom_vmap",
            lambda *x: (eval_jaxpr(jaxpr.jaxpr, jaxpr.consts, *x), None),
            inputs,
            needed=needed,
        )
        results = _derivatives(mode, recording, inner_outs, inputs, given, needed)
        return [d for d, p in zip(results, present, strict=True) if p]

    def apply(given: list[Array]) -> list[Array | None]:
        avals = [x.aval for x in [*primals, *given]]
        closed = trace_to_jaxpr(function, avals, mode)
        results = iter(custom_vmap_p.bind(*primals, *given, jaxpr=closed, rules=derived, captured=captured))
        return [next(results) if p else None for p in present]

    def vjp_rule(cotangents: Any, primals: Any, outs: Any, needed: Any, **_: Any) -> list[Array | None]:
        inexact = [y for y in outs if y.aval.is_inexact]
        given = [c for c, y in zip(cotangents, outs, strict=True) if y.aval.is_inexact]
        return apply(instantiate(given, inexact))

    def jvp_rule(primals: Any, tangents: Any, outs: Any, **_: Any) -> list[Array | None]:
        chosen = [i for i, need in enumerate(needed) if need]
        return apply(instantiate([tangents[i] for i in chosen], [primals[i] for i in chosen]))

    return outs, vjp_rule if mode == "vjp" else jvp_rule


def _batch(
    args: list[Array],
    dims: list[Dim],
    size: int,
    *,
    jaxpr: ClosedJaxpr,
    rules: _VmapRules,
    captured: int,
) -> tuple[list[Array], list[Dim]]:
    check_captured("custom_vmap", rules.name, [d is not None for d in dims[:captured]], "vectorised")
    inputs = [
        x if d is None else move_axis(x, d, 0) for x, d in zip(args[captured:], dims[captured:], strict=True)
    ]
    outs, batched = rules.rule(size, inputs, [d is not None for d in dims[captured:]])
    return outs, [0 if b else None for b in batched]


custom_vmap_p: CallPrimitive = CallPrimitive("custom_vmap", batch=_batch, linked_forward=_linked_forward)


class custom_vmap(CustomFunction):
    """A function with its own rule for `vmap`. A decorator.

    The rule is honoured in every composition. The derivative of a vectorised call is the derivative of the
    rule, in either order of `vmap` and `grad`, and nested `vmap` vectorises the rule.

    Args:
        fun: a function of arrays or pytrees of arrays. Keyword arguments are passed by position to the rule.

    Raises:
        TypeError: when called before `def_vmap`; if the rule does not return what it should.

    >>> @ft.custom_vmap
    ... def scaled(x, y):
    ...     return x * y
    >>> @scaled.def_vmap
    ... def scaled_batch(axis_size, in_batched, x, y):
    ...     return 10.0 * x * y, True
    >>> ft.vmap(scaled, in_axes=(0, None))(ft.array([1.0, 2.0]), 3.0)
    array([30, 60], dtype=float32)
    """

    _transformation = "custom_vmap"
    _definition = "def_vmap"
    _primitive = custom_vmap_p
    _needs_jaxpr = True  # the derivative may be vectorised later

    def __init__(self, fun: Callable):
        super().__init__(fun)

    def def_vmap(self, rule: Callable) -> Callable:
        """Set the rule, ``rule(axis_size, in_batched, *args) -> (output, out_batched)``; a decorator.

        Args:
            rule: is given `args` with the batch axis in front of each array for which `in_batched`, a list of
                trees like `args`, is True; `out_batched` is a tree of bools, or a prefix of one.
        """
        check_callable("custom_vmap.def_vmap", rule)
        self._rule = rule
        return rule

    def _rules(self, call: Call) -> _VmapRules:
        user_rule, what = self._rule, f"the rule of {call.name}"

        def rule(size: int, inputs: Flat, batched: Sequence[bool]) -> tuple[list[Array], list[bool]]:
            args, in_batched = call.diff_args(inputs), list(call.diff_args(batched))
            result = user_rule(size, in_batched, *args)
            check_pair("custom_vmap", what, "(output, out_batched)", result)
            leaves, structure = flatten(result[0])
            if structure != call.out_structure:
                raise TypeError(
                    f"custom_vmap: {what} must return an output with the structure of that of {call.name}, "
                    f"{call.out_structure}, got {structure}"
                )
            outs = output_arrays("custom_vmap", user_rule, leaves, result[0])
            flags = broadcast_prefix(result[1], structure, f"custom_vmap: out_batched of {what}")
            expected = call.out_avals
            for i, (y, b, aval) in enumerate(zip(outs, flags, expected, strict=True)):
                shape = (size, *aval.shape) if b else aval.shape
                if y.shape != shape or y.dtype != aval.dtype:
                    raise TypeError(
                        f"custom_vmap: output {i} of {what} must be {aval.dtype} of shape {shape}, "
                        f"got {y.dtype} of shape {y.shape}"
                    )
            return outs, [bool(b) for b in flags]

        return _VmapRules(call.name, rule)
