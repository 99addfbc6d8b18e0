"""jacfwd, jacrev, hessian and hvp."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np

from .._native import Array, from_numpy, user_function
from ..core.avals import ShapedArray
from ..core.pytree import unflatten
from ..core.source import ArgumentSource, function_name
from ..primitives.conversion import convert
from ..primitives.layout import move_axis, reshape
from .arguments import Argnums, Chosen, Selection, argument_arrays, argument_sources, check_callable
from .autodiff import (
    DifferentiatedFunction,
    check_differentiable_input,
    check_differentiable_output,
    linearized,
    value_and_gradient,
)
from .derivative import Recording, instantiate, record
from .vmap import vmap


@user_function
def jacfwd(fun: Callable, argnums: Argnums = 0, has_aux: bool = False, holomorphic: bool = False) -> Callable:
    """A function that returns the Jacobian of `fun`, column by column in one batched forward pass.

    Best for functions with more outputs than inputs.

    Args:
        fun: a function of arrays or pytrees of arrays.
        argnums: position or name of the argument to differentiate, or a sequence of these.
        has_aux: whether `fun` returns ``(output, aux)`` with `aux` not differentiated.
        holomorphic: promises that `fun` is holomorphic: inputs and outputs are then complex.

    Returns:
        A function of the same arguments that returns a tree like the output, each leaf replaced by a tree
        like the argument (a tuple of such if `argnums` is a sequence) of arrays of shape ``output.shape +
        input.shape``; with `has_aux` a pair of this and `aux`.

    Raises:
        TypeError: from the function returned: an argument is not real (complex if `holomorphic`).
        ValueError: `argnums` names an argument that was not given.

    >>> ft.jacfwd(lambda x: x * x)(ft.array([1.0, 2.0]))
    array([[2, 0],
           [0, 4]], dtype=float32)
    """
    return _forward_jacobian("jacfwd", fun, argnums, has_aux, holomorphic)


@user_function
def jacrev(
    fun: Callable,
    argnums: Argnums = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
) -> Callable:
    """A function that returns the Jacobian of `fun`, row by row in one batched backward pass.

    Best for functions with more inputs than outputs.

    Args:
        fun, argnums, has_aux, holomorphic: as `jacfwd`.
        allow_int: let integer arguments have a zero Jacobian (of their dtype) instead of raising.

    Returns:
        As `jacfwd`.

    Raises:
        TypeError: from the function returned: an argument is not of an inexact dtype, or an output not real
            (both complex if `holomorphic`).
        ValueError: `argnums` names an argument that was not given.

    >>> ft.jacrev(lambda x: x * x)(ft.array([1.0, 2.0]))
    array([[2, 0],
           [0, 4]], dtype=float32)
    """
    return _reverse_jacobian("jacrev", fun, argnums, has_aux, holomorphic, allow_int)


@user_function
def hessian(
    fun: Callable, argnums: Argnums = 0, has_aux: bool = False, holomorphic: bool = False
) -> Callable:
    """A function that returns the matrix of second derivatives of `fun`: ``jacfwd(jacrev(fun))``.

    Args and errors: as `jacfwd`.

    Returns:
        As `jacfwd` of `jacrev`: for a scalar function of one array, an array of shape ``input.shape +
        input.shape``.

    >>> ft.hessian(lambda x: (x * x).sum())(ft.array([1.0, 2.0]))
    array([[2, 0],
           [0, 2]], dtype=float32)
    """
    check_callable("hessian", fun)
    gradient = _reverse_jacobian("hessian", fun, argnums, has_aux, holomorphic, allow_int=False)
    return _forward_jacobian("hessian", gradient, argnums, has_aux, holomorphic)


@user_function
def hvp(fun: Callable, primals: tuple, tangents: tuple) -> tuple:
    """The Hessian of a scalar function times a vector, without the Hessian: forward over reverse mode.

    Args:
        fun: a function of arrays or pytrees of arrays that returns a real scalar.
        primals: tuple of the arguments, all real.
        tangents: tuple of the same structure, shapes and dtypes.

    Returns:
        A tuple of trees like `primals`.

    Raises:
        TypeError: `primals` or `tangents` is not a tuple, structures or dtypes differ, an argument is not
            real, or `fun` does not return a scalar.
        ValueError: a tangent's shape is not its primal's.

    The method is Pearlmutter's, "Fast Exact Multiplication by the Hessian" (Neural Computation 6, 1994).

    >>> ft.hvp(lambda x: (x**3).sum(), (ft.array([1.0, 2.0]),), (ft.array([1.0, 1.0]),))
    (array([6, 12], dtype=float32),)
    """
    if not isinstance(primals, (tuple, list)) or not primals:
        raise TypeError(
            f"hvp: primals must be a tuple of the arguments of {function_name(fun)}, got {primals!r}"
        )
    check_callable("hvp", fun)
    if not isinstance(tangents, (tuple, list)) or len(tangents) != len(primals):
        raise TypeError(f"hvp: tangents must be a tuple like primals, got {tangents!r}")
    with_value = value_and_gradient("hvp", fun, tuple(range(len(primals))))

    @wraps(fun)
    def gradient(*args: Any) -> Any:
        return with_value(*args)[1]

    return linearized("hvp", gradient, primals)[2](tangents)


def _forward_jacobian(
    transformation: str, fun: Callable, argnums: Argnums, has_aux: bool, holomorphic: bool
) -> Callable:
    selection = Selection(transformation, fun, argnums)

    @user_function
    @wraps(fun)
    def jacobian_of(*args: Any, **kwargs: Any) -> Any:
        chosen, arrays, sources = _inputs(selection, args, kwargs)
        for x, source in zip(arrays, sources, strict=True):
            _check_forward(transformation, "inputs", x, str(source), holomorphic)
        function, outs, aux, recording = _record("jvp", selection, chosen, arrays, sources, has_aux)
        if holomorphic:
            for x in outs:
                _check_forward(
                    transformation, "outputs", x, f"an output of {function_name(fun)}", holomorphic
                )

        def column_block(i: int) -> list[Array]:
            """The derivatives of all outputs by input i."""

            def push(tangent: Array) -> list[Array]:
                tangents: list[Array | None] = [None] * len(arrays)
                tangents[i] = tangent
                return instantiate(recording.push_forward(tangents), outs)

            columns = vmap(push)(_basis(arrays[i].aval))
            return [
                reshape(move_axis(c, 0, c.ndim - 1), y.shape + arrays[i].shape)
                for c, y in zip(columns, outs, strict=True)
            ]

        blocks = [column_block(i) for i in range(len(arrays))]
        rows = [chosen.pick([block[j] for block in blocks]) for j in range(len(outs))]
        jacobian = unflatten(function.structure, rows)
        return (jacobian, aux) if has_aux else jacobian

    return jacobian_of


def _reverse_jacobian(
    transformation: str, fun: Callable, argnums: Argnums, has_aux: bool, holomorphic: bool, allow_int: bool
) -> Callable:
    selection = Selection(transformation, fun, argnums)

    @user_function
    @wraps(fun)
    def jacobian_of(*args: Any, **kwargs: Any) -> Any:
        chosen, arrays, sources = _inputs(selection, args, kwargs)
        for x, source in zip(arrays, sources, strict=True):
            check_differentiable_input(transformation, x, source, holomorphic, allow_int)
        function, outs, aux, recording = _record("vjp", selection, chosen, arrays, sources, has_aux)
        for x in outs:
            check_differentiable_output(transformation, x, fun, holomorphic)

        def row_block(j: int) -> list[Array]:
            """The derivatives of output j by all inputs."""

            def pull(cotangent: Array) -> list[Array]:
                cotangents: list[Array | None] = [None] * len(outs)
                cotangents[j] = cotangent
                return instantiate(recording.pull_back(cotangents), arrays)

            rows = vmap(pull)(_basis(outs[j].aval))
            return [reshape(r, outs[j].shape + x.shape) for r, x in zip(rows, arrays, strict=True)]

        jacobian = unflatten(function.structure, [chosen.pick(row_block(j)) for j in range(len(outs))])
        return (jacobian, aux) if has_aux else jacobian

    return jacobian_of


def _inputs(
    selection: Selection, args: tuple, kwargs: dict[str, Any]
) -> tuple[Chosen, list[Array], list[ArgumentSource]]:
    chosen = selection.select(args, kwargs)
    arrays = argument_arrays(selection.transformation, selection.fun, chosen.leaves, chosen.structure)
    return chosen, arrays, argument_sources(selection.fun, chosen.structure)


def _record(
    mode: str,
    selection: Selection,
    chosen: Chosen,
    arrays: Sequence[Array],
    sources: Sequence[ArgumentSource],
    has_aux: bool,
) -> tuple[DifferentiatedFunction, list[Array], Any, Recording]:
    function = DifferentiatedFunction(selection.transformation, selection.fun, chosen.fill, has_aux)
    return function, *record(mode, selection.transformation, function, arrays, sources)


def _check_forward(transformation: str, what: str, x: Array, name: str, holomorphic: bool) -> None:
    if holomorphic and x.dtype.kind != "c":
        raise TypeError(
            f"{transformation} with holomorphic=True expects complex {what}, but {name} is {x.dtype}"
        )
    if not holomorphic and x.dtype.kind != "f":
        hint = "; set holomorphic=True, or use jvp" if x.dtype.kind == "c" else ""
        raise TypeError(f"{transformation} expects real {what}, but {name} is {x.dtype}{hint}")


def _basis(aval: ShapedArray) -> Array:
    """The unit arrays of this shape, along a new first axis."""
    identity = convert(from_numpy(np.eye(aval.size, dtype=np.bool_)), aval.dtype)
    return reshape(identity, (aval.size, *aval.shape))
