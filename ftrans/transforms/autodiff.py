"""jvp, linearize, vjp, grad, value_and_grad, and stop_gradient."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from .. import _native
from .._native import Array, user_function
from ..core.pytree import as_array, flatten, flatten_call, unflatten
from ..core.source import ArgumentSource, function_name, outline
from ..primitives.stop_gradient import stop_gradient_p
from .arguments import (
    Argnums,
    FlatFunction,
    Selection,
    argument_arrays,
    argument_sources,
    check_callable,
    check_no_tangent,
    cotangent_leaves,
    split_aux,
    typed_like,
)
from .derivative import instantiate, record


class DifferentiatedFunction(FlatFunction):
    """A flat function that returns its auxiliary output too."""

    def __init__(self, transformation: str, fun: Callable, fill: Callable, has_aux: bool):
        super().__init__(transformation, fun, fill)
        self.has_aux = has_aux

    def __call__(self, *leaves: Array) -> tuple[list[Array], Any]:  # type: ignore[override]
        """The leaves of the output, and the auxiliary tree."""
        result, aux = self.run(leaves), None
        if self.has_aux:
            result, aux = split_aux(self.transformation, self.fun, result)
        return self.outputs(result), aux


@user_function
def jvp(fun: Callable, primals: Any, tangents: Any, has_aux: bool = False) -> tuple:
    """The value of a function and its directional derivative (Jacobian times vector), in one forward pass.

    Args:
        fun: a function of arrays or pytrees of arrays.
        primals: tuple of the arguments.
        tangents: tuple of the same structure, shapes and dtypes; integers, those of integer arguments, are
            ignored.
        has_aux: whether `fun` returns ``(output, aux)`` with `aux` not differentiated.

    Returns:
        ``(output, output_tangent)``, and `aux` third with `has_aux`. Integer outputs have zero tangents of
        their dtype.

    Raises:
        TypeError: `primals` or `tangents` is not a tuple, or structures or dtypes differ.
        ValueError: a tangent's shape is not its primal's.

    >>> ft.jvp(ft.sin, (0.0,), (2.0,))
    (array(0, dtype=float32), array(2, dtype=float32))
    """
    outs, aux, push = linearized("jvp", fun, primals, has_aux)
    tangent = push(tangents)
    return (outs, tangent, aux) if has_aux else (outs, tangent)


@user_function
def linearize(fun: Callable, *primals: Any, has_aux: bool = False) -> tuple:
    """The value of a function, and its derivative there as a linear function that reuses the forward pass.

    Args:
        fun: a function of arrays or pytrees of arrays.
        *primals: its arguments.
        has_aux: whether `fun` returns ``(output, aux)`` with `aux` not differentiated.

    Returns:
        ``(output, f_jvp)`` where ``f_jvp(*tangents)`` is what `jvp` gives, for any number of tangents; `aux`
        third with `has_aux`.

    Raises:
        TypeError, ValueError: as `jvp`.

    >>> y, f_jvp = ft.linearize(ft.sin, 0.0)
    >>> f_jvp(3.0)
    array(3, dtype=float32)
    """
    outs, aux, push = linearized("linearize", fun, primals, has_aux)

    @user_function
    def f_jvp(*tangents: Any) -> Any:
        return push(tangents)

    return (outs, f_jvp, aux) if has_aux else (outs, f_jvp)


def linearized(
    transformation: str, fun: Callable, primals: Any, has_aux: bool = False
) -> tuple[Any, Any, Callable]:
    """The output of a function, the auxiliary one, and what maps a tuple of tangents to the output's."""
    check_callable(transformation, fun)
    if not isinstance(primals, (tuple, list)):
        raise TypeError(
            f"{transformation}: primals must be a tuple of the arguments of {function_name(fun)}, "
            f"got {primals!r}"
        )
    leaves, structure = flatten_call(tuple(primals), {})
    arrays = argument_arrays(transformation, fun, leaves, structure)
    function = DifferentiatedFunction(transformation, fun, structure.unflatten, has_aux)
    sources = argument_sources(fun, structure)
    outs, aux, recording = record("jvp", transformation, function, arrays, sources)

    def push(tangents: Any) -> Any:
        if not isinstance(tangents, (tuple, list)):
            raise TypeError(f"{transformation}: tangents must be a tuple like primals, got {tangents!r}")
        given, given_structure = flatten_call(tuple(tangents), {})
        if given_structure != structure:
            raise TypeError(
                f"{transformation}: tangents must have the structure of primals, "
                f"{flatten(tuple(primals))[1]}, got {flatten(tuple(tangents))[1]}"
            )
        checked = [_tangent(transformation, t, x, s) for t, x, s in zip(given, arrays, sources, strict=True)]
        return unflatten(function.structure, instantiate(recording.push_forward(checked), outs))

    return unflatten(function.structure, outs), aux, push


def _tangent(transformation: str, tangent: Any, primal: Array, source: ArgumentSource) -> Array | None:
    tangent = as_array(tangent, lambda: f"{transformation}: the tangent of {source}")
    if not primal.aval.is_inexact:
        check_no_tangent(transformation, "tangent", tangent, primal, source)
        return None
    return typed_like(transformation, f"the tangent of {source}", tangent, primal, "the primal's ")


@user_function
def vjp(fun: Callable, *primals: Any, has_aux: bool = False) -> tuple:
    """The value of a function, and its pull-back (vector times Jacobian).

    Args:
        fun: a function of arrays or pytrees of arrays.
        *primals: its arguments.
        has_aux: whether `fun` returns ``(output, aux)`` with `aux` not differentiated.

    Returns:
        ``(output, pullback)``, and `aux` third with `has_aux`. ``pullback(cotangent)`` takes a tree like the
        output, of its shapes and dtypes, and returns a tuple of trees like the arguments. It may be called
        several times. Integer arguments get zeros of their dtype; cotangents of integer outputs are ignored.

    Raises:
        TypeError: an argument or output is not an array; from the pull-back, the cotangent's structure or a
            dtype is wrong.
        ValueError: from the pull-back, a cotangent's shape is wrong.

    >>> y, pullback = ft.vjp(lambda x, y: x * y, 2.0, 3.0)
    >>> pullback(1.0)
    (array(3, dtype=float32), array(2, dtype=float32))
    """
    check_callable("vjp", fun)
    leaves, structure = flatten_call(primals, {})
    arrays = argument_arrays("vjp", fun, leaves, structure)
    function = DifferentiatedFunction("vjp", fun, structure.unflatten, has_aux)
    outs, aux, recording = record("vjp", "vjp", function, arrays, argument_sources(fun, structure))
    out_avals = [x.aval for x in outs]
    in_avals = [x.aval for x in arrays]

    @user_function
    def pullback(cotangent: Any) -> tuple:
        leaves = cotangent_leaves("vjp", fun, cotangent, function.structure)
        checked = [_cotangent(c, aval, name) for (c, name), aval in zip(leaves, out_avals, strict=True)]
        return unflatten(structure, instantiate(recording.pull_back(checked), in_avals))[0]

    out = unflatten(function.structure, outs)
    return (out, pullback, aux) if has_aux else (out, pullback)


def _cotangent(cotangent: Any, aval: Any, name: str) -> Array | None:
    if not aval.is_inexact:
        return None
    cotangent = as_array(cotangent, lambda: f"vjp: {name}")
    return typed_like("vjp", name, cotangent, aval, "the output's ")


@user_function
def value_and_grad(
    fun: Callable,
    argnums: Argnums = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
) -> Callable:
    """A function that returns the value of a scalar function together with its gradient.

    Args:
        fun: returns a real scalar of shape ``()``.
        argnums: position or name of the argument to differentiate, or a sequence of these.
        has_aux: whether `fun` returns ``(output, aux)`` with `aux` not differentiated.
        holomorphic: promises that `fun` is holomorphic: inputs and output are then complex.
        allow_int: let integer arguments have a zero gradient (of their dtype) instead of raising.

    Returns:
        A function of the same arguments that returns ``(output, gradient)``, or ``((output, aux),
        gradient)``. The gradient is a tree like the argument; a tuple of trees if `argnums` is a sequence.

    Raises:
        TypeError: from the function returned: the output is not a scalar array or not real, or an argument is
            not of an inexact dtype.
        ValueError: `argnums` names an argument that was not given.

    >>> ft.value_and_grad(lambda x: x * x)(3.0)
    (array(9, dtype=float32), array(6, dtype=float32))
    """
    return value_and_gradient("value_and_grad", fun, argnums, has_aux, holomorphic, allow_int)


@user_function
def grad(
    fun: Callable,
    argnums: Argnums = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
) -> Callable:
    """A function that returns the gradient of a scalar function.

    Args and errors: as `value_and_grad`.

    Returns:
        A function of the same arguments that returns the gradient, or ``(gradient, aux)`` with `has_aux`.

    >>> ft.grad(ft.sin)(0.0)
    array(1, dtype=float32)
    """
    with_value = value_and_gradient("grad", fun, argnums, has_aux, holomorphic, allow_int)

    @user_function
    @wraps(fun)
    def gradient_of(*args: Any, **kwargs: Any) -> Any:
        value, gradient = with_value(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return gradient_of


def value_and_gradient(
    transformation: str,
    fun: Callable,
    argnums: Argnums,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
) -> Callable:
    """`value_and_grad` under the name that errors give it."""
    selection = Selection(transformation, fun, argnums)
    outlined = outline(fun)

    @user_function
    @wraps(fun)
    def value_and_gradient_of(*args: Any, **kwargs: Any) -> Any:
        chosen = selection.select(args, kwargs)
        arrays = argument_arrays(transformation, fun, chosen.leaves, chosen.structure)
        sources = argument_sources(outlined, chosen.structure)
        for x, source in zip(arrays, sources, strict=True):
            check_differentiable_input(transformation, x, source, holomorphic, allow_int)
        function = DifferentiatedFunction(transformation, fun, chosen.fill, has_aux)
        outs, aux, recording = record("vjp", transformation, function, arrays, sources)
        if function.structure.num_leaves != 1 or not function.structure.is_leaf() or outs[0].shape != ():
            found = (
                f"shape {outs[0].shape}" if function.structure.is_leaf() else f"the tree {function.structure}"
            )
            raise TypeError(
                f"{transformation} expects {function_name(fun)} to return a scalar of shape (), got {found}; "
                + _scalar_hint(transformation, has_aux)
            )
        check_differentiable_output(transformation, outs[0], fun, holomorphic)
        one = _native.scalar(1, outs[0].dtype, False)
        gradients = instantiate(recording.pull_back([one], consume=True), arrays)
        return (outs[0], aux) if has_aux else outs[0], chosen.pick(gradients)

    return value_and_gradient_of


def _scalar_hint(transformation: str, has_aux: bool) -> str:
    if transformation == "hvp":
        return "reduce it"
    return "reduce it, or use vjp or jacrev" + ("" if has_aux else ", or has_aux=True for auxiliary outputs")


def check_differentiable_input(
    transformation: str, x: Array, source: ArgumentSource, holomorphic: bool, allow_int: bool
) -> None:
    """Raise TypeError unless reverse-mode derivatives with respect to `x` make sense."""
    if holomorphic and x.dtype.kind != "c":
        raise TypeError(
            f"{transformation} with holomorphic=True expects complex inputs, but {source} is {x.dtype}"
        )
    if not x.aval.is_inexact and not allow_int:
        hint = "" if transformation == "hvp" else ", or set allow_int=True for a zero gradient"
        raise TypeError(
            f"{transformation} expects real or complex inputs, but {source} is {x.dtype}; convert it{hint}"
        )


def check_differentiable_output(transformation: str, x: Array, fun: Callable, holomorphic: bool) -> None:
    """Raise TypeError unless the reverse-mode derivative of the output `x` makes sense."""
    if holomorphic and x.dtype.kind != "c":
        raise TypeError(
            f"{transformation} with holomorphic=True expects a complex output, "
            f"but {function_name(fun)} returned {x.dtype}"
        )
    if not holomorphic and x.dtype.kind != "f":
        hint = "; set holomorphic=True, or use vjp" if x.dtype.kind == "c" else ""
        raise TypeError(
            f"{transformation} expects a real output, but {function_name(fun)} returned {x.dtype}{hint}"
        )


@user_function
def stop_gradient(x: Any) -> Any:
    """The same arrays, as constants for differentiation.

    Args:
        x: a pytree of arrays.

    Returns:
        A tree like `x`.

    >>> ft.grad(lambda x: ft.stop_gradient(x) * x)(3.0)
    array(3, dtype=float32)
    """
    leaves, structure = flatten(x)
    arrays = [as_array(leaf, lambda: "stop_gradient: x") for leaf in leaves]
    return unflatten(structure, [stop_gradient_p.bind(array) for array in arrays])
