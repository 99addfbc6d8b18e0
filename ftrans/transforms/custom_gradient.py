"""custom_gradient and closure_convert: rules that close over what they need."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any

from .._native import Array, user_function
from ..core.jaxpr import Jaxpr
from ..core.pytree import flatten, register_pytree_node, unflatten
from ..core.source import function_name
from ..core.tracing import eval_jaxpr, trace_to_jaxpr
from .arguments import (
    FlatFunction,
    argument_arrays,
    argument_sources,
    check_callable,
    output_arrays,
    typed_like,
)
from .custom_function import check_pair
from .custom_vjp import custom_vjp
from .traced_function import hoist_tracers

if TYPE_CHECKING:
    from optree import PyTreeSpec


@user_function
def closure_convert(fun: Callable, *example_args: Any) -> tuple[Callable, list[Array]]:
    """A function without closed-over traced arrays, and these arrays, which it takes as further arguments.

    So a function that is passed to one with a custom rule can close over what is being differentiated.

    Args:
        fun: a function of arrays or pytrees of arrays. It is traced once.
        *example_args: arguments, of which only structure, shapes and dtypes matter.

    Returns:
        ``(converted, consts)`` such that ``converted(*args, *consts)`` is ``fun(*args)``.

    Raises:
        TypeError: `fun` is not a function, or an argument is not an array; from the function returned: the
            arguments do not have the structure of the example.

    >>> def outer(a):
    ...     converted, consts = ft.closure_convert(lambda x: a * x, 1.0)
    ...     return converted(3.0, *consts)
    >>> ft.grad(outer)(2.0)
    array(3, dtype=float32)
    """
    check_callable("closure_convert", fun)
    leaves, structure = flatten((example_args, {}))
    arrays = argument_arrays("closure_convert", fun, leaves, structure)
    function = FlatFunction("closure_convert", fun, structure.unflatten)
    sources = argument_sources(fun, structure)
    traced = trace_to_jaxpr(function, [x.aval for x in arrays], "closure_convert", sources)
    closed, consts = hoist_tracers(traced)
    count = len(example_args)

    @user_function
    @wraps(fun)
    def converted(*args_and_consts: Any) -> Any:
        args, hoisted = args_and_consts[:count], args_and_consts[count:]
        given, given_structure = flatten((args, {}))
        if given_structure != structure or len(hoisted) != len(consts):
            raise TypeError(
                f"closure_convert: the converted {function_name(fun)} takes the arguments of the example, "
                f"{structure.children()[0]}, and {len(consts)} constants; "
                f"got {given_structure.children()[0]} and {len(hoisted)}"
            )
        operands = [
            typed_like("closure_convert", str(source), x, like, "the example's ")
            for source, x, like in zip(
                sources, argument_arrays("closure_convert", fun, given, structure), arrays, strict=True
            )
        ]
        return unflatten(function.structure, eval_jaxpr(closed.jaxpr, closed.consts, *hoisted, *operands))

    return converted, consts


class _Rule:
    """A gradient function whose closed-over arrays are the leaves of a tree."""

    def __init__(self, jaxpr: Jaxpr, structure: PyTreeSpec, consts: Sequence[Array]):
        self.jaxpr = jaxpr
        self.structure = structure
        self.consts = consts

    def __call__(self, cotangents: Sequence[Array]) -> Any:
        return unflatten(self.structure, eval_jaxpr(self.jaxpr, self.consts, *cotangents))


register_pytree_node(
    _Rule,
    lambda rule: (rule.consts, (rule.jaxpr, rule.structure)),
    lambda static, consts: _Rule(static[0], static[1], list(consts)),
)


@user_function
def custom_gradient(fun: Callable) -> Callable:
    """A function that returns its own gradient function along with its value. A decorator.

    Args:
        fun: a function of arrays or pytrees of arrays that returns ``(output, gradient)``, where
            ``gradient(cotangent)`` gives a tuple of cotangents of the arguments, None for zero, or, if there
            is just one argument, its cotangent. It may close over values that `fun` computed.

    Returns:
        A function of the same arguments that returns the output, differentiable in both modes like
        `custom_vjp`.

    Raises:
        TypeError: from the function returned: `fun` or the gradient function does not return what it should.

    >>> @ft.custom_gradient
    ... def log1pexp(x):
    ...     e = ft.exp(x)
    ...     return ft.log(1.0 + e), lambda g: g * (1.0 - 1.0 / (1.0 + e))
    >>> ft.grad(log1pexp)(100.0)
    array(1, dtype=float32)
    """
    check_callable("custom_gradient", fun)
    name = function_name(fun)

    def call(args: tuple) -> tuple[Any, Any]:
        result = fun(*args)
        check_pair("custom_gradient", name, "(output, gradient function)", result)
        check_callable(f"custom_gradient: the gradient that {name} returns", result[1])
        return result

    @user_function
    @wraps(fun)
    def primal(*args: Any) -> Any:
        return call(args)[0]

    def fwd(*args: Any) -> tuple[Any, Any]:
        output, gradient = call(args)
        leaves, structure = flatten(output)
        arrays = output_arrays("custom_gradient", fun, leaves, output)

        def rule(*cotangents: Any) -> Any:
            result = gradient(unflatten(structure, cotangents))
            return result if len(args) != 1 or isinstance(result, (tuple, list)) else (result,)

        function = FlatFunction("custom_gradient", rule, lambda leaves: (leaves, {}))
        traced = trace_to_jaxpr(function, [x.aval.strong() for x in arrays], "custom_gradient")
        return output, _Rule(traced.jaxpr, function.structure, traced.consts)

    def bwd(rule: _Rule, cotangent: Any) -> Any:
        return rule(flatten(cotangent)[0])

    function = custom_vjp(primal)
    function.defvjp(fwd, bwd)
    return function
