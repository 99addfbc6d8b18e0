"""Random expressions: eager, jit, vmap and grad against NumPy."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import ftrans as ft
from tests.composition.libraries import numeric_grad

SIZE, BATCH = 3, 2

# Functions that are smooth and of moderate size on the whole line, so that no expression leaves the domain
# and finite differences hold. Each takes the namespace first.
UNARY = {
    "sin": lambda xp, a: xp.sin(a),
    "tanh": lambda xp, a: xp.tanh(a),
    "neg": lambda xp, a: -a,
    "square of tanh": lambda xp, a: xp.tanh(a) ** 2,
    "exp of sin": lambda xp, a: xp.exp(xp.sin(a)),
    "log of 2 + sin": lambda xp, a: xp.log(2.0 + xp.sin(a)),
    "sum": lambda xp, a: xp.sum(a) + 0.0 * a,
    "reversed": lambda xp, a: a[::-1],
    "cumsum": lambda xp, a: xp.cumsum(a, axis=0),
    "rolled": lambda xp, a: xp.concatenate([a[1:], a[:1]]),
    "outer sum": lambda xp, a: xp.sum(a[:, None] * xp.cos(a)[None, :], axis=1),
}
BINARY = {
    "add": lambda xp, a, b: a + b,
    "sub": lambda xp, a, b: a - b,
    "mul": lambda xp, a, b: xp.tanh(a) * b,
    "div": lambda xp, a, b: a / (1.5 + xp.sin(b)),
    "smooth select": lambda xp, a, b: xp.where(xp.sin(a) > 2.0, a, b),
    "dot": lambda xp, a, b: xp.tanh(a @ b) * a,
}

_leaves = st.one_of(st.just(("x",)), st.floats(-2, 2).map(lambda c: ("constant", c)))
expressions = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(sorted(UNARY)), inner),
        st.tuples(st.sampled_from(sorted(BINARY)), inner, inner),
    ),
    max_leaves=8,
)
points = st.lists(st.floats(-1.5, 1.5), min_size=SIZE, max_size=SIZE)
batches = st.lists(points, min_size=BATCH, max_size=BATCH)


def evaluate(xp, expression, x):
    """The value of an expression tree, computed with the namespace's functions."""
    head, *operands = expression
    if head == "x":
        return x
    if head == "constant":
        return 0.0 * x + operands[0]
    values = [evaluate(xp, operand, x) for operand in operands]
    return (UNARY | BINARY)[head](xp, *values)


def _assert_close(result, reference, tolerance):
    reference = np.asarray(reference)
    scale = max(1.0, float(np.max(np.abs(reference), initial=0.0)))
    assert math.isfinite(scale)
    np.testing.assert_allclose(np.asarray(result), reference, rtol=0, atol=tolerance * scale)


# A tree of eight leaves rounds a few dozen times; 1e-12 is 5000 ulp of the largest entry.
ROUNDING = 1e-12
# One fourth-order difference of step 1e-3 is good to about 1e-11 times the fifth derivative, which nesting
# can make a few thousand times the value.
DIFFERENCE = 1e-6


@given(expressions, batches)
def test_values(expression, batch):
    reference = np.stack([evaluate(np, expression, np.array(point)) for point in batch])
    arrays = ft.array(batch, dtype=ft.float64)

    def function(x):
        return evaluate(ft, expression, x)

    for row, value in zip(batch, reference, strict=True):
        x = ft.array(row, dtype=ft.float64)
        _assert_close(function(x), value, ROUNDING)
        _assert_close(ft.jit(function)(x), value, ROUNDING)
    _assert_close(ft.vmap(function)(arrays), reference, ROUNDING)
    _assert_close(ft.jit(ft.vmap(function))(arrays), reference, ROUNDING)
    _assert_close(ft.vmap(ft.jit(function))(arrays), reference, ROUNDING)


@given(expressions, batches)
def test_gradients(expression, batch):
    def scalar(xp):
        return lambda x: xp.sum(evaluate(xp, expression, x))

    gradient = ft.grad(scalar(ft))
    reference = np.stack([numeric_grad(scalar(np))(np.array(point)) for point in batch])
    arrays = ft.array(batch, dtype=ft.float64)
    for row, value in zip(batch, reference, strict=True):
        _assert_close(gradient(ft.array(row, dtype=ft.float64)), value, DIFFERENCE)
    eager = np.asarray(ft.vmap(gradient)(arrays))
    _assert_close(eager, reference, DIFFERENCE)
    _assert_close(ft.jit(ft.vmap(gradient))(arrays), eager, ROUNDING)
    _assert_close(ft.vmap(ft.jit(gradient))(arrays), eager, ROUNDING)


@given(expressions, points, points)
def test_forward_agrees_with_reverse(expression, point, direction):
    x, t = (ft.array(values, dtype=ft.float64) for values in (point, direction))

    def function(x):
        return evaluate(ft, expression, x)

    value, tangent = ft.jvp(function, (x,), (t,))
    _, pullback = ft.vjp(function, x)
    (cotangent,) = pullback(ft.ones_like(value))
    forward, reverse = float(ft.sum(tangent)), float(ft.sum(cotangent * t))
    assert abs(forward - reverse) <= ROUNDING * max(
        1.0, float(ft.sum(ft.abs(tangent))), float(ft.sum(ft.abs(cotangent * t)))
    )
