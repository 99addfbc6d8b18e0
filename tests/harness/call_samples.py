"""Samples of call-like primitives: what their user functions bind, taken from a jaxpr.

Their parameters hold jaxprs and rules, which only the functions that bind them can make.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

import ftrans as ft
from ftrans.core.primitive import Primitive, Sample
from ftrans.primitives.elementwise import add, mul, sin_p


class Call(NamedTuple):
    """A function of two arrays to which the primitive is applied."""

    function: Callable[[ft.Array, ft.Array], ft.Array]
    has_forward_mode: bool = True


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

CALLS = {
    "jit": Call(ft.jit(_body)),
    "custom_jvp": Call(_with_jvp),
    "custom_vjp": Call(_with_vjp, has_forward_mode=False),
}

_OPERANDS = (np.array([0.4, -1.1, 0.8]), np.array([1.5, 0.3, -0.7]))


def call_samples(primitive: Primitive) -> tuple[Sample, ...]:
    """One sample of the primitive, if `CALLS` knows a function that binds it."""
    if primitive.name not in CALLS:
        return ()
    equations = ft.make_jaxpr(CALLS[primitive.name].function)(*_OPERANDS).jaxpr.equations
    (equation,) = (e for e in equations if e.primitive is primitive)
    return (Sample(_OPERANDS, equation.parameters, differentiable=(0, 1)),)
