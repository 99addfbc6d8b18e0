"""checkpoint (remat): derivatives that recompute what they need of the forward pass rather than keep it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, NamedTuple

from .._native import Array, user_function
from ..core.avals import ShapedArray
from ..core.call import CallPrimitive
from ..core.jaxpr import Atom, ClosedJaxpr, Equation, Jaxpr
from ..core.primitive import Primitive
from ..core.pytree import as_array, flatten, unflatten
from ..core.source import format_source
from ..core.tracing import eval_jaxpr, trace_to_jaxpr
from ..primitives.random import use_key_p
from ..primitives.rematerialization import checkpoint_name_p
from .arguments import argument_arrays, check_callable
from .batching import Dim, batch_jaxpr
from .checkpoint_policies import Policy, nothing_saveable
from .jit import trace_function
from .named_arguments import StaticArguments
from .partition import Recompute, call_linked_forward, joint_derivative
from .traced_function import hoist_tracers, jit_p


class _Rematerialization:
    """What a policy makes of a jaxpr. Two of the same policy are equal, being keys of what is derived."""

    def __init__(self, policy: Policy):
        self.policy = policy

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Rematerialization) and self.policy == other.policy

    def __hash__(self) -> int:
        return hash(self.policy)

    def __call__(self, jaxpr: Jaxpr) -> Recompute:
        names: dict[Any, list[Equation]] = {}
        for equation in jaxpr.equations:
            if equation.primitive is checkpoint_name_p:
                names.setdefault(equation.inputs[0], []).append(equation)

        def saves(equation: Equation) -> bool | None:
            avals = [v.aval for v in equation.inputs]
            return self.policy(equation.primitive, *avals, **equation.parameters)

        def recompute(equation: Equation) -> bool:
            if equation.primitive is use_key_p:
                return False  # to keep it costs nothing, and it is used once
            if not saves(equation):
                return True
            # A value that may not be kept under its name may not be kept without it either.
            return any(saves(named) is None for out in equation.outputs for named in names.get(out, ()))

        return recompute


def _batch(
    args: list[Array], dims: list[Dim], size: int, *, jaxpr: ClosedJaxpr, policy: Policy, prevent_cse: bool
) -> tuple[list[Array], list[Dim]]:
    batched, out_dims = batch_jaxpr(jaxpr, dims, size)
    return checkpoint_p.bind(*args, jaxpr=batched, policy=policy, prevent_cse=prevent_cse), out_dims


def _linked_forward(
    mode: str,
    primals: list[Array],
    needed: list[bool],
    *,
    jaxpr: ClosedJaxpr,
    policy: Policy,
    prevent_cse: bool,
) -> tuple[list[Array], Callable, list[Array] | None]:
    def call(closed: ClosedJaxpr, args: Sequence[Array]) -> list[Array]:
        return checkpoint_p.bind(*args, jaxpr=closed, policy=policy, prevent_cse=prevent_cse)

    if mode == "jvp":  # tangents are made along with the values: there is nothing to keep for later
        return call_linked_forward(call, mode, primals, needed, jaxpr)
    return call_linked_forward(call, mode, primals, needed, jaxpr, _Rematerialization(policy), prevent_cse)


checkpoint_p: CallPrimitive = CallPrimitive("checkpoint", batch=_batch, linked_forward=_linked_forward)


def _prepared(closed: ClosedJaxpr, policy: Policy) -> ClosedJaxpr:
    """The same jaxpr with calls of jitted functions inlined, so that a policy sees their equations.

    Loops whose pull-back can keep little, which their parameter `checkpointed` tells, are told to.
    """

    def adapted(equation: Equation) -> bool:
        return equation.primitive is jit_p or "checkpointed" in equation.parameters

    if not any(map(adapted, closed.jaxpr.equations)):
        return closed

    def bind(primitive: Primitive, *operands: Array, **parameters: Any) -> Any:
        if primitive is jit_p:
            inner = parameters["jaxpr"]
            return eval_jaxpr(inner.jaxpr, inner.consts, *operands, bind=bind)
        if "checkpointed" in parameters and not policy(primitive, *(x.aval for x in operands), **parameters):
            parameters["checkpointed"] = True
        return primitive.bind(*operands, **parameters)

    return trace_to_jaxpr(
        lambda *args: eval_jaxpr(closed.jaxpr, closed.consts, *args, bind=bind), closed.in_avals, "checkpoint"
    )


@user_function
def checkpoint(
    fun: Callable,
    *,
    prevent_cse: bool = True,
    policy: Policy | None = None,
    static_argnums: int | Sequence[int] = (),
    static_argnames: str | Sequence[str] = (),
) -> Callable:
    """A function whose reverse-mode derivative recomputes intermediate values instead of keeping them.

    The backward pass keeps the arguments, and of the values computed from them those that `policy` saves; it
    computes the others again when it gets there, those of a `while_loop` in parts (see there). Values,
    derivatives of all orders, batches and compiled programs are those of `fun`. Forward mode keeps nothing
    for later, and is not changed.

    Args:
        fun: a function of arrays or pytrees of arrays. It is traced in every call, so its branches must not
            depend on the values of arrays; arrays that it closes over are differentiated too.
        prevent_cse: whether the compiler must not see that what is recomputed has been computed before. Only
            where something else guarantees it may this be False.
        policy: which values are saved, see `checkpoint_policies`; none, if not given.
        static_argnums: positions of arguments that are ordinary hashable Python values.
        static_argnames: names of such arguments.

    Returns:
        A function of the same arguments, also named `ft.remat`.

    Raises:
        TypeError: `fun` or `policy` is not callable; from the function returned: an argument is not an array.
        ValueError: a static argument is not a parameter of `fun`.
        ConcretizationError: from the function returned: `fun` needs the value of an array.

    The trade of time for memory is that of Griewank and Walther, "Revolve" (ACM TOMS 26, 2000), and of Chen
    et al., "Training Deep Nets with Sublinear Memory Cost" (arXiv:1604.06174, 2016).

    >>> layer = ft.checkpoint(lambda x: ft.sin(ft.sin(x)))
    >>> ft.grad(layer)(0.0)
    array(1, dtype=float32)
    """
    check_callable("checkpoint", fun)
    static = StaticArguments("checkpoint", fun, static_argnums, static_argnames)
    if policy is not None:
        check_callable("checkpoint: policy", policy)
    chosen = nothing_saveable if policy is None else policy

    @user_function
    @wraps(fun)
    def checkpointed(*args: Any, **kwargs: Any) -> Any:
        leaves, structure, _, fill = static.split(args, kwargs)
        arrays = argument_arrays("checkpoint", fun, leaves, structure)
        traced, out_structure = trace_function("checkpoint", fun, [x.aval for x in arrays], structure, fill)
        closed, captured = hoist_tracers(_prepared(traced, chosen))
        outs = checkpoint_p.bind(*captured, *arrays, jaxpr=closed, policy=chosen, prevent_cse=prevent_cse)
        return unflatten(out_structure, outs)

    return checkpointed


#: The older name of it.
remat = checkpoint


@user_function
def checkpoint_name(x: Any, name: str) -> Any:
    """The same arrays, with a name by which a policy of `checkpoint` can choose them.

    Args:
        x: a pytree of arrays.
        name: the name.

    Returns:
        A tree like `x`. Only what is computed from it, not from `x`, uses the saved value.

    Raises:
        TypeError: `name` is not a string, or `x` has a leaf that is not an array.

    >>> def layer(x):
    ...     return ft.sin(ft.checkpoint_name(ft.sin(x), "inner") + 1.0)
    >>> policy = ft.checkpoint_policies.save_only_these_names("inner")
    >>> ft.grad(ft.checkpoint(layer, policy=policy))(0.0)
    array(0.540302, dtype=float32)
    """
    if not isinstance(name, str):
        raise TypeError(f"checkpoint_name: name must be a string, got {type(name).__name__}: {name!r}")
    leaves, structure = flatten(x)
    arrays = [as_array(leaf, lambda: "checkpoint_name: x") for leaf in leaves]
    return unflatten(structure, [checkpoint_name_p.bind(array, name=name) for array in arrays])


class Residual(NamedTuple):
    """A value that a backward pass keeps: its shape and dtype, and the argument or line it comes from."""

    aval: ShapedArray
    source: str


@user_function
def saved_residuals(fun: Callable, *args: Any, **kwargs: Any) -> list[Residual]:
    """The values that the backward pass of a function keeps from its forward pass.

    Args:
        fun: a function of arrays or pytrees of arrays, differentiated by all of them.
        *args, **kwargs: its arguments, of which only structure, shapes and dtypes matter.

    Returns:
        The residuals, arguments first. Constants that `fun` closes over are not among them.

    Raises:
        TypeError: `fun` is not callable, or an argument is not an array.

    >>> [residual.aval for residual in ft.saved_residuals(lambda x: ft.sin(ft.sin(x)), 1.0)]
    [ShapedArray(f32[], weak_type=True), ShapedArray(f32[], weak_type=True)]
    >>> [residual.aval for residual in ft.saved_residuals(ft.checkpoint(lambda x: ft.sin(ft.sin(x))), 1.0)]
    [ShapedArray(f32[], weak_type=True)]
    """
    check_callable("saved_residuals", fun)
    leaves, structure = flatten((args, kwargs))
    avals = [x.aval for x in argument_arrays("saved_residuals", fun, leaves, structure)]
    closed, _ = trace_function("saved_residuals", fun, avals, structure, structure.unflatten)
    needed = [aval.is_inexact for aval in closed.in_avals]
    parts, _, moved = joint_derivative("vjp", closed, needed)
    kept = [
        *(closed.jaxpr.invars[i] for i in sorted(parts.residual_inputs)),
        *_origins(parts.known.jaxpr)[len(closed.out_avals) + sum(moved) :],
    ]
    return [Residual(v.aval, "a constant" if v.is_literal else format_source(v.source)) for v in kept]


def _origins(jaxpr: Jaxpr) -> list[Atom]:
    """The outputs of a jaxpr; for results of calls, the variables in the callee."""
    inner = {
        out: origin
        for equation in jaxpr.equations
        if isinstance(equation.primitive, CallPrimitive)
        for out, origin in zip(equation.outputs, _origins(equation.parameters["jaxpr"].jaxpr), strict=True)
    }
    return [v if v.is_literal else inner.get(v, v) for v in jaxpr.outvars]
