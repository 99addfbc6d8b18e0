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


def _scanned(scale, carry, xs):
    def step(carry, x):
        carry = add(mul(sin_p.bind(carry), scale), x)
        return carry, mul(carry, x)

    return ft.scan(step, carry, xs, reverse=True)


def _grown(rate, x):
    return ft.while_loop(lambda x: ft.sum(x) < 4.0, lambda x: mul(x, rate), x)


def _grown_pull_back(rate, x, cotangent):
    return ft.vjp(_grown, rate, x)[1](cotangent)


def _switched(index, x, y):
    return ft.switch(index, [_body, lambda x, y: sin_p.bind(x), lambda x, y: mul(y, y)], x, y)


_X, _Y = np.array([0.4, -1.1, 0.8]), np.array([1.5, 0.3, -0.7])
#: Even the smallest that the harness makes of these rates, three eighths, grow.
_POSITIVE, _RATES = np.array([0.4, 0.9, 0.2]), np.array([3.5, 4.5, 4.0])

#: By primitive: functions that bind it to their arguments, the arguments, and the differentiable ones.
CALLS = {
    "jit": [(ft.jit(_body), (_X, _Y), (0, 1))],
    "custom_jvp": [(_with_jvp, (_X, _Y), (0, 1))],
    "custom_vjp": [(_with_vjp, (_X, _Y), (0, 1))],
    "custom_vmap": [(_with_vmap, (_X, _Y), (0, 1))],
    "checkpoint": [(ft.checkpoint(_body), (_X, _Y), (0, 1))],
    "linear_solve": [(_linear_solution, (_X, _Y), (0, 1))],
    "root": [(_root, (_X, _Y), (0, 1))],
    "scan": [(_scanned, (_X, _Y, np.arange(6.0).reshape(2, 3)), (0, 1, 2))],
    "while": [(_grown, (_RATES, _POSITIVE), (0, 1))],
    "while_vjp": [(_grown_pull_back, (_RATES, _POSITIVE, _X), (0, 1, 2))],
    "cond": [(_switched, (np.array(index, np.int32), _X, _Y), (1, 2)) for index in (-1, 1, 2)],
}


def call_samples(primitive: Primitive, dtype: type = np.float64) -> tuple[Sample, ...]:
    """Samples of the primitive, if `CALLS` knows functions that bind it; floating operands have the dtype."""
    return tuple(
        _sample(primitive, function, _in_dtype(operands, dtype), differentiable)
        for function, operands, differentiable in CALLS.get(primitive.name, ())
    )


def _in_dtype(operands, dtype: type) -> tuple[np.ndarray, ...]:
    return tuple(x.astype(dtype) if x.dtype == np.float64 else x for x in operands)


def _sample(primitive: Primitive, function, operands, differentiable) -> Sample:
    equations = ft.make_jaxpr(function)(*operands).jaxpr.equations
    (equation,) = (e for e in equations if e.primitive is primitive)
    return Sample(operands, equation.parameters, differentiable)
