"""Samples of call-like primitives: what their user functions bind, taken from a jaxpr.

Their parameters hold jaxprs and rules, which only the functions that bind them can make.
"""

import numpy as np

import ftrans as ft
from ftrans.core.primitive import Primitive, Sample
from ftrans.primitives.elementwise import add, mul, sin_p


def _body(x, y):
    return add(mul(sin_p.bind(x), y), mul(x, x))


@ft.custom_jvp
def _with_jvp(x, y):
    return _body(x, y)


_with_jvp.defjvp(lambda primals, tangents: ft.jvp(_body, primals, tangents))


@ft.custom_vjp
def _with_vjp(x, y):
    return _body(x, y)


_with_vjp.defvjp(
    lambda x, y: (_body(x, y), (x, y)), lambda residuals, cotangent: ft.vjp(_body, *residuals)[1](cotangent)
)


@ft.custom_vmap
def _with_vmap(x, y):
    return _body(x, y)


@_with_vmap.def_vmap
def _(axis_size, in_batched, x, y):
    return ft.vmap(_body, [0 if b else None for b in in_batched], axis_size=axis_size)(x, y), True


def _linear_solution(x, y):
    return ft.custom_linear_solve(
        lambda v: (2.0 + sin_p.bind(x)) * v, y, lambda matvec, b: b / matvec(ft.ones_like(b)), symmetric=True
    )


def _root(x, y):
    def newton_step(f, v):  # the root itself, since f is affine
        value, slope = ft.jvp(f, (v,), (ft.ones_like(v),))
        return v - value / slope

    return ft.custom_root(lambda v: x * v - 1.0, y, newton_step, lambda g, b: b / g(ft.ones_like(b)))


#: A function of two arrays to which the primitive is applied, by the primitive's name.
CALLS = {
    "jit": ft.jit(_body),
    "checkpoint": ft.checkpoint(_body),
    "custom_jvp": _with_jvp,
    "custom_vjp": _with_vjp,
    "custom_vmap": _with_vmap,
    "linear_solve": _linear_solution,
    "root": _root,
}

_OPERANDS = (np.array([0.4, -1.1, 0.8]), np.array([1.5, 0.3, -0.7]))


def call_samples(primitive: Primitive) -> tuple[Sample, ...]:
    """One sample of the primitive, if `CALLS` knows a function that binds it."""
    if primitive.name not in CALLS:
        return ()
    equations = ft.make_jaxpr(CALLS[primitive.name])(*_OPERANDS).jaxpr.equations
    (equation,) = (e for e in equations if e.primitive is primitive)
    return (Sample(_OPERANDS, equation.parameters, differentiable=(0, 1)),)
