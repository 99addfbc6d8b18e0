"""linear_transpose, and the check that a jaxpr is linear."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from typing import Any

import numpy as np

from .._native import Array, user_function
from ..core.avals import ShapedArray
from ..core.call import CallPrimitive, inlining
from ..core.jaxpr import Atom, ClosedJaxpr, Equation
from ..core.primitive import Primitive
from ..core.pytree import as_array, flatten, unflatten
from ..core.source import format_source, function_name
from ..core.tracing import eval_jaxpr, trace_to_jaxpr
from ..primitives.layout import zeros_like
from ..primitives.linearity import Linearity, linearity
from .arguments import (
    FlatFunction,
    argument_arrays,
    argument_sources,
    check_callable,
    cotangent_leaves,
    typed_like,
)
from .derivative import instantiate, record


@user_function
def linear_transpose(fun: Callable, *primals: Any) -> Callable:
    """The transpose of a function that is linear in its arguments.

    Args:
        fun: a linear function of arrays or pytrees of arrays. It is traced once.
        *primals: arguments, of which only structure, shapes and dtypes matter; leaves may be `ShapedArray`.

    Returns:
        A function that takes a tree like the output of `fun` and returns a tuple of trees like `primals`:
        for ``fun(x) = A x`` it is ``Aᵀ c``, without conjugation.

    Raises:
        TypeError: `fun` is not linear, naming the line; an argument or output is not of an inexact dtype;
            from the function returned: structure or a dtype is wrong.
        ValueError: from the function returned: a shape is wrong.

    >>> transposed = ft.linear_transpose(lambda x: 2.0 * x.sum(), ft.zeros(3))
    >>> transposed(1.0)
    (array([2, 2, 2], dtype=float32),)
    """
    check_callable("linear_transpose", fun)
    leaves, structure = flatten((primals, {}))
    sources = argument_sources(fun, structure)
    filled = [zeros_like(x) if isinstance(x, ShapedArray) else x for x in leaves]
    avals = [x.aval.strong() for x in argument_arrays("linear_transpose", fun, filled, structure)]
    for aval, source in zip(avals, sources, strict=True):
        if not aval.is_inexact:
            raise TypeError(f"linear_transpose: {source} must be real or complex, got {aval.dtype}")
    function = FlatFunction("linear_transpose", fun, structure.unflatten)
    closed = trace_to_jaxpr(function, avals, "linear_transpose", sources)
    check_linear(closed, f"linear_transpose: {function_name(fun)} must be linear in its arguments")
    out_avals = closed.out_avals

    def transposed(cotangent: Any) -> tuple:
        leaves = cotangent_leaves("linear_transpose", fun, cotangent, function.structure)
        checked = [_cotangent(c, aval, name) for (c, name), aval in zip(leaves, out_avals, strict=True)]
        return unflatten(structure, instantiate(transpose_jaxpr(closed, checked), avals))[0]

    return transposed


def _cotangent(cotangent: Any, aval: ShapedArray, name: str) -> Array:
    array = as_array(cotangent, lambda: f"linear_transpose: {name}")
    return typed_like("linear_transpose", name, array, aval)


def transpose_jaxpr(
    closed: ClosedJaxpr, cotangents: Sequence[Array | None], needed: Iterable[bool] = repeat(True)
) -> list[Array | None]:
    """The cotangents of the `needed` inputs of a linear jaxpr for those of its outputs; None for zero."""
    zeros = [zeros_like(aval) for aval in closed.in_avals]
    _, _, recording = record(
        "vjp",
        "linear_transpose",
        lambda *x: (eval_jaxpr(closed.jaxpr, closed.consts, *x, bind=_bind_inline), None),
        zeros,
        needed=needed,
    )
    return recording.pull_back(cotangents, consume=True)


_bind_inline = inlining(lambda p: isinstance(p, CallPrimitive) and p.transposes_inline)


def check_linear(closed: ClosedJaxpr, message: str) -> None:
    """Raise TypeError unless a jaxpr is linear in its inputs, naming the line of what is not.

    What counts is how the jaxpr is written: ``abs(x) * sign(x)`` is not found to be linear. Inputs that are
    not of an inexact dtype are zeros.
    """
    inputs = [_LINEAR if aval.is_inexact else _ZERO for aval in closed.in_avals]
    outs = _follow(closed, inputs, message)
    for i, (out, aval) in enumerate(zip(outs, closed.out_avals, strict=True)):
        if out is _CONSTANT and aval.is_inexact and not _is_zero_constant(closed, i):
            raise TypeError(f"{message}, but output {i} is a constant that is not zero")


def _is_zero_constant(closed: ClosedJaxpr, i: int) -> bool:
    """Whether output i is a concrete closed-over array of zeros."""
    constants: dict[Atom, Array] = dict(zip(closed.jaxpr.constvars, closed.consts, strict=True))
    x = constants.get(closed.jaxpr.outvars[i])
    return x is not None and _is_zero(x)


def _is_zero(x: Array) -> bool:
    """Whether an array is concrete and has nothing but zeros."""
    return x._trace is None and not np.any(np.asarray(x))


# What is known of a value: it is linear in the inputs, or the constant zero, or another constant.
_LINEAR, _ZERO, _CONSTANT = "linear", "zero", "constant"


def _follow(closed: ClosedJaxpr, inputs: Sequence[str], message: str) -> list[str]:
    """What is known of the outputs."""
    jaxpr = closed.jaxpr
    constants: dict[Atom, Array] = dict(zip(jaxpr.constvars, closed.consts, strict=True))
    known: dict[Atom, str] = dict(zip(jaxpr.invars, inputs, strict=True))
    known.update((v, _kind_of_constant(c)) for v, c in constants.items())

    def look_up(atom: Atom) -> str:
        return _kind_of_constant(atom.value) if atom.is_literal else known[atom]

    for equation in jaxpr.equations:
        operands = [look_up(v) for v in equation.inputs]
        if equation.primitive.name in _CONTROL_FLOW:  # a carry may begin with an array of zeros
            operands = [
                _ZERO if v in constants and _is_zero(constants[v]) else kind
                for v, kind in zip(equation.inputs, operands, strict=True)
            ]
        if isinstance(equation.primitive, CallPrimitive):
            results = _follow(equation.parameters["jaxpr"], operands, message)
        elif equation.primitive.name in _FOLLOWERS:
            results = _FOLLOWERS[equation.primitive.name](equation, operands, message)
        else:
            rule = linearity(equation.primitive, equation.parameters)
            results = [_result(equation, rule, operands, message)] * len(equation.outputs)
        known.update(zip(equation.outputs, results, strict=True))
    return [look_up(v) for v in jaxpr.outvars]


def _joined(kinds: Sequence[str], others: Sequence[str], equation: Equation, message: str) -> list[str]:
    """What is known of values each of which is one of two."""

    def join(a: str, b: str) -> str:
        if {a, b} == {_LINEAR, _CONSTANT}:
            problem = _problem(equation.primitive, True)
            raise TypeError(f"{message}, but {problem} at {format_source(equation.source)}")
        return b if a is _ZERO else a

    return [join(a, b) for a, b in zip(kinds, others, strict=True)]


def _follow_steps(body: Callable, carry: list[str], equation: Equation, message: str) -> list[str]:
    """The outputs of the body of a loop, once its carry is what it stays."""
    while True:
        outs = body(carry)
        joined = _joined(carry, outs[: len(carry)], equation, message)
        if joined == carry:
            return [*carry, *outs[len(carry) :]]
        carry = joined


def _follow_scan(equation: Equation, operands: list[str], message: str) -> list[str]:
    parameters = equation.parameters
    first, closed = parameters["num_consts"], parameters["jaxpr"]
    end = first + parameters["num_carry"]
    consts, xs = operands[:first], operands[end:]
    return _follow_steps(
        lambda carry: _follow(closed, [*consts, *carry, *xs], message), operands[first:end], equation, message
    )


def _follow_while(equation: Equation, operands: list[str], message: str) -> list[str]:
    parameters = equation.parameters
    n_cond = parameters["num_cond_consts"]
    n_consts = n_cond + parameters["num_body_consts"]
    cond_consts, consts = operands[:n_cond], operands[n_cond:n_consts]

    def body(carry: list[str]) -> list[str]:
        _follow(parameters["cond_jaxpr"], [*cond_consts, *carry], message)  # no comparison is linear
        return _follow(parameters["body_jaxpr"], [*consts, *carry], message)

    return _follow_steps(body, operands[n_consts:], equation, message)


def _follow_cond(equation: Equation, operands: list[str], message: str) -> list[str]:
    first, *others = [_follow(branch, operands[1:], message) for branch in equation.parameters["branches"]]
    for outs in others:
        first = _joined(first, outs, equation, message)
    return first


def _follow_while_vjp(equation: Equation, operands: list[str], message: str) -> list[str]:
    parameters = equation.parameters
    loop = parameters["num_cond_consts"] + len(parameters["body_jaxpr"].in_avals)
    cotangents = Linearity(range(loop, len(operands)), True)
    return [_result(equation, cotangents, operands, message)] * len(equation.outputs)


def _follow_linear_solve(equation: Equation, operands: list[str], message: str) -> list[str]:
    right_hand_side = Linearity(range(len(operands))[-equation.parameters["unknowns"] :], True)
    return [_result(equation, right_hand_side, operands, message)] * len(equation.outputs)


def _follow_barrier(equation: Equation, operands: list[str], message: str) -> list[str]:
    return operands


_CONTROL_FLOW = ("scan", "while", "cond")

#: By the name of the primitive, what is known of the results where an entry of a table does not tell.
_FOLLOWERS = {
    "scan": _follow_scan,
    "while": _follow_while,
    "while_vjp": _follow_while_vjp,
    "cond": _follow_cond,
    "linear_solve": _follow_linear_solve,
    "optimization_barrier": _follow_barrier,
}


def _kind_of_constant(x: Array) -> str:
    return _ZERO if x._immediate == 0 else _CONSTANT


def _result(equation: Equation, rule: Linearity | None, operands: list[str], message: str) -> str:
    if rule is not None:
        covered = [x for i, x in enumerate(operands) if rule.covers(i)]
        others = [x for i, x in enumerate(operands) if not rule.covers(i)]
        if _LINEAR not in others:
            if (all if rule.jointly else any)(x is _ZERO for x in covered):
                return _ZERO
            if _LINEAR not in covered:
                return _CONSTANT
            if rule.jointly and _CONSTANT not in covered:
                return _LINEAR
            if not rule.jointly and covered.count(_LINEAR) == 1:
                return _LINEAR
    elif _LINEAR not in operands:
        return _CONSTANT
    raise TypeError(
        f"{message}, but {_problem(equation.primitive, rule is not None)} at {format_source(equation.source)}"
    )


def _problem(primitive: Primitive, is_linear: bool) -> str:
    if is_linear:
        return f"{primitive.name} combines what is linear with a constant, or with itself,"
    return f"{primitive.name} is not a linear operation,"
