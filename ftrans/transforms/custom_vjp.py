"""custom_vjp: functions that bring their own reverse-mode derivative."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from .._native import Array
from ..core.avals import ShapedArray
from ..core.call import CallPrimitive
from ..core.jaxpr import ClosedJaxpr
from ..core.pytree import broadcast_prefix, flatten, unflatten
from ..core.tracing import trace_to_jaxpr
from ..primitives.conversion import convert
from ..primitives.layout import move_axis, reduce_sum, zeros_like
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
from .custom_jvp import JvpRules, flat_jvp, jvp_linked_forward, with_captured
from .linear import check_linear, transpose_jaxpr

if TYPE_CHECKING:
    from optree import PyTreeSpec


class CustomVJPPrimal(NamedTuple):
    """What ``fwd`` is given for each array where ``symbolic_zeros=True``.

    `perturbed` is False for a constant of the differentiation, whose cotangent is not needed.
    """

    value: Array
    perturbed: bool


class VjpRules(NamedTuple):
    """The rules of one call, on flat arrays.

    fwd(inputs, perturbed) → (outputs, residuals); bwd(residuals, cotangents) → cotangents of the inputs. None
    is a zero. `jvp` is there if the user gave it.
    """

    name: str
    fwd: Callable[[Flat, Sequence[bool]], tuple[list[Array], list[Array]]]
    bwd: Callable[[Flat, MaybeFlat], list[Array | None]]
    jvp: JvpRules | None

    def __repr__(self) -> str:
        return self.name

    def batched(self, dims: Sequence[Dim], size: int) -> VjpRules:
        """The rules of the function vectorised over `dims` of its inputs and 0 of its outputs."""

        def fwd(inputs: Flat, perturbed: Sequence[bool]) -> tuple[list[Array], list[Array]]:
            n_out = 0

            def flat(*args: Array) -> list[Array]:
                nonlocal n_out
                outs, residuals = self.fwd(args, perturbed)
                n_out = len(outs)
                return [*outs, *residuals]

            results = batched_call(flat, inputs, dims, size)
            return results[:n_out], results[n_out:]

        def bwd(residuals: Flat, cotangents: MaybeFlat) -> list[Array | None]:
            given = [i for i, c in enumerate(cotangents) if c is not None]
            present: list[bool] = []

            def flat(*args: Array) -> list[Array]:
                arrays = dict(zip(given, args[len(residuals) :], strict=True))
                gradients = self.bwd(args[: len(residuals)], [arrays.get(i) for i in range(len(cotangents))])
                present[:] = [g is not None for g in gradients]
                return [g for g in gradients if g is not None]

            args = [*residuals, *(c for c in cotangents if c is not None)]
            gradients = iter(batched_call(flat, args, [0] * len(args), size))
            return [
                _unbatched_gradient(next(gradients), d) if p else None
                for p, d in zip(present, dims, strict=True)
            ]

        jvp = None if self.jvp is None else self.jvp.batched(dims, size)
        return VjpRules(self.name, fwd, bwd, jvp)


def _unbatched_gradient(gradient: Array, dim: Dim) -> Array:
    # An input that is the same for the whole batch collects the cotangents of all of it.
    return reduce_sum(gradient, (0,)) if dim is None else move_axis(gradient, 0, dim)


def _linked_forward(
    mode: str,
    primals: Flat,
    needed: Sequence[bool],
    *,
    jaxpr: ClosedJaxpr | None,
    rules: VjpRules,
    captured: int,
) -> tuple[list[Array], Callable]:
    check_captured("custom_vjp", rules.name, needed[:captured], "differentiated")
    inputs, followed = primals[captured:], needed[captured:]
    if mode == "jvp" and rules.jvp is not None:
        outs, rule = jvp_linked_forward("custom_vjp", rules.jvp, mode, inputs, followed)
    elif mode == "jvp":
        outs, rule = _transposed(rules, inputs, followed)
    else:
        outs, residuals = rules.fwd(inputs, followed)

        def rule(cotangents: MaybeFlat, primals: Any, outs: Any, needed: Any, **_: Any) -> list[Array | None]:
            return rules.bwd(residuals, cotangents)

    return outs, with_captured(rule, mode, captured)


def _transposed(rules: VjpRules, inputs: Flat, needed: Sequence[bool]) -> tuple[list[Array], Callable]:
    """The outputs, and the tangent rule: the transpose of `bwd`, which is traced for that."""
    outs, residuals = rules.fwd(inputs, needed)
    differentiable = [i for i, y in enumerate(outs) if y.aval.is_inexact]
    followed = [i for i, need in enumerate(needed) if need]

    def linear(*given: Array) -> list[Array]:
        cotangents: list[Array | None] = [None] * len(outs)
        for i, c in zip(differentiable, given, strict=True):
            cotangents[i] = c
        gradients = rules.bwd(residuals, cotangents)
        return [zeros_like(inputs[i]) if (g := gradients[i]) is None else g for i in followed]

    closed = trace_to_jaxpr(linear, [outs[i].aval.strong() for i in differentiable], "custom_vjp")
    check_linear(
        closed,
        f"custom_vjp: bwd of {rules.name} must be linear in the cotangents, since forward mode transposes it "
        "(or give a forward rule with defjvp)",
    )

    def rule(primals: Any, tangents: MaybeFlat, outs: Any, **_: Any) -> list[Array | None]:
        out_tangents: list[Array | None] = [None] * len(outs)
        transposed = transpose_jaxpr(closed, [tangents[i] for i in followed])
        for i, t in zip(differentiable, transposed, strict=True):
            out_tangents[i] = t
        return out_tangents

    return outs, rule


custom_vjp_p: CallPrimitive = CallPrimitive(
    "custom_vjp", batch=batch_rule(lambda: custom_vjp_p), linked_forward=_linked_forward
)


class custom_vjp(CustomFunction):
    """A function with its own reverse-mode derivative, from which the forward-mode one follows. A decorator.

    The rule is honoured in every composition: under `grad`, `vmap`, `jit` and each other, in any order.
    Forward mode, and so `hessian` and `linearize`, transposes `bwd`, which must then be linear in the
    cotangents, as a derivative is; or it uses the rule that `defjvp` gives.

    Args:
        fun: a function of arrays or pytrees of arrays. Keyword arguments are passed by position to the rule.
        nondiff_argnums: positions of arguments that are not differentiated (functions, flags): `fwd` gets
            them in their places, `bwd` first.
        nondiff_argnames: names of such arguments.

    Raises:
        TypeError: when called before `defvjp`; if `bwd` does not return a cotangent for each argument, or one
            of a wrong dtype; in forward mode, if `bwd` is not linear.
        ValueError: if a cotangent has a wrong shape; if `nondiff_argnums` or `nondiff_argnames` has one that
            is not a parameter of `fun`.

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
    _symbolic_zeros = False
    _jvp: tuple[Callable, bool] | None = None

    def defvjp(self, fwd: Callable, bwd: Callable, symbolic_zeros: bool = False) -> None:
        """Set the rule.

        Args:
            fwd: the arguments → ``(output, residuals)``, residuals being any pytree.
            bwd: ``(*nondiff, residuals, cotangent)`` → a tuple with a cotangent for each differentiated
                argument, or None for zero.
            symbolic_zeros: whether `fwd` is given `CustomVJPPrimal` in place of arrays, and `bwd`
                `SymbolicZero` for cotangents that are known to be zero.
        """
        check_callable("custom_vjp.defvjp: fwd", fwd)
        check_callable("custom_vjp.defvjp: bwd", bwd)
        self._rule = fwd, bwd
        self._symbolic_zeros = symbolic_zeros

    def defjvp(self, jvp: Callable, symbolic_zeros: bool = False) -> Callable:
        """Set the rule of forward mode too, in place of the transpose of `bwd`; a decorator.

        Args:
            jvp: ``(*nondiff, primals, tangents)`` → ``(output, output_tangent)``, as for `custom_jvp`.
            symbolic_zeros: whether tangents that are known to be zero come as `SymbolicZero`, not as arrays.

        >>> square = ft.custom_vjp(lambda x: x * x)
        >>> square.defvjp(lambda x: (x * x, x), lambda x, g: (2.0 * x * g,))
        >>> _ = square.defjvp(lambda primals, tangents: (primals[0] ** 2, 2.0 * primals[0] * tangents[0]))
        >>> ft.jvp(square, (3.0,), (1.0,))
        (array(9, dtype=float32), array(6, dtype=float32))
        """
        check_callable("custom_vjp.defjvp", jvp)
        self._jvp = jvp, symbolic_zeros
        return jvp

    def _rules(self, call: Call) -> VjpRules:
        user_fwd, user_bwd = self._rule
        symbolic_zeros = self._symbolic_zeros
        residual_structure: PyTreeSpec
        in_avals: list[ShapedArray] = []
        out_avals: list[ShapedArray] = []

        def fwd(leaves: Flat, perturbed: Sequence[bool]) -> tuple[list[Array], list[Array]]:
            nonlocal residual_structure
            in_avals[:] = [x.aval for x in leaves]
            given = [CustomVJPPrimal(x, p) for x, p in zip(leaves, perturbed, strict=True)]
            result = user_fwd(*call.all_args(given if symbolic_zeros else leaves))
            check_pair("custom_vjp", f"fwd of {call.name}", "(output, residuals)", result)
            residuals, residual_structure = flatten(result[1])
            outs = call.outputs(result[0], f"fwd of {call.name}")
            out_avals[:] = [x.aval for x in outs]
            return outs, output_arrays("custom_vjp", user_fwd, residuals, result[1])

        def bwd(residuals: Flat, cotangents: MaybeFlat) -> list[Array | None]:
            given = instantiated(cotangents, out_avals, symbolic_zeros)
            result = user_bwd(
                *call.nondiff_args,
                unflatten(residual_structure, residuals),
                unflatten(call.out_structure, given),
            )
            return _gradients(call, user_bwd, result, in_avals)

        jvp = None if self._jvp is None else flat_jvp("custom_vjp", self._jvp[0], call, self._jvp[1])
        return VjpRules(call.name, fwd, bwd, jvp)


def _gradients(call: Call, bwd: Callable, result: Any, in_avals: Sequence[ShapedArray]) -> list[Array | None]:
    """The leaves of what `bwd` returned; None for zero."""
    expected = call.diff_args(list(range(call.structure.num_leaves)))
    if not isinstance(result, (tuple, list)) or len(result) != len(expected):
        found = f"{len(result)}" if isinstance(result, (tuple, list)) else type(result).__name__
        raise TypeError(
            f"custom_vjp: bwd of {call.name} must return a tuple of {len(expected)} cotangents, one for each "
            f"argument (None for zero), got {found}"
        )
    entries = broadcast_prefix(
        tuple(result), flatten(expected)[1], f"custom_vjp: the result of bwd of {call.name}"
    )
    gradients: list[Array | None] = []
    for i, (g, aval) in enumerate(zip(entries, in_avals, strict=True)):
        if g is None or isinstance(g, SymbolicZero) or not aval.is_inexact:
            gradients.append(None)
            continue
        (array,) = output_arrays("custom_vjp", bwd, [g], g)
        name = f"the cotangent of {call.argument_name(i)} that bwd of {call.name} returns"
        if aval.weak_type and array.dtype.kind == aval.dtype.kind:  # of a Python number, which has no dtype
            array = convert(array, aval.dtype)
        gradients.append(typed_like("custom_vjp", name, array, aval))
    return gradients
