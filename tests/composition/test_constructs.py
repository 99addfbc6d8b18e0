"""Every transformation and control-flow construct inside of every other one.

A layer makes of a function of a vector another one; beside it is the same in plain Python: NumPy, unrolled
loops, and finite differences of the plain inner function for what differentiates.
"""

import itertools

import numpy as np
import pytest

import ftrans as ft

POINT = np.array([0.6, -0.4, 0.9])
TANGENT = np.array([1.0, -0.5, 0.25])
SCALES = np.array([0.5, 1.0, 1.5])


def plain_derivative(f, x, direction):
    """The derivative of a plain f along a direction, by a central difference of order six."""
    h = 2e-3
    weights = {-3: -1 / 60, -2: 3 / 20, -1: -3 / 4, 1: 3 / 4, 2: -3 / 20, 3: 1 / 60}
    return sum(w * f(x + k * h * direction) for k, w in weights.items()) / h


def plain_gradient(f, x):
    """The gradient of the sum of f."""
    return np.array([np.sum(plain_derivative(f, x, e)) for e in np.eye(x.size)])


def _custom_jvp(f):
    g = ft.custom_jvp(f)
    g.defjvp(lambda primals, tangents: ft.jvp(f, primals, tangents))
    return g


def _custom_vjp(f):
    g = ft.custom_vjp(f)
    g.defvjp(lambda x: (f(x), x), lambda x, ct: ft.vjp(f, x)[1](ct))
    return g


def _steps(f, x):
    for _ in range(2):
        x = 0.5 * x + 0.25 * f(x)
    return x


def _scan(f):
    def scanned(x):
        last, rows = ft.scan(lambda c, s: (0.5 * c + 0.25 * f(s * c), c * s), x, ft.array(SCALES))
        return last + ft.sum(rows, axis=0)

    return scanned


def _plain_scan(f):
    def scanned(x):
        rows = 0 * x
        for s in SCALES:
            rows, x = rows + x * s, 0.5 * x + 0.25 * f(s * x)
        return x + rows

    return scanned


def _while(f):
    def looped(x):
        return ft.while_loop(lambda s: s[0] < 2, lambda s: (s[0] + 1, 0.5 * s[1] + 0.25 * f(s[1])), (0, x))[1]

    return looped


def _associative_scan(f):
    def scanned(x):
        rows = ft.stack([x, f(x), 0.5 * x])
        return ft.associative_scan(lambda a, b: a * b + a + b, rows)[-1]

    return scanned


def _plain_associative_scan(f):
    def scanned(x):
        total = x
        for row in (f(x), 0.5 * x):
            total = total * row + total + row
        return total

    return scanned


def _cond(f):
    return lambda x: ft.cond(ft.sum(x) > 0, lambda x: 2.0 * f(x), lambda x: x, x)


def _plain_over_scales(f):
    return lambda x: sum(f(s * x) for s in SCALES)


def _linearize(f):
    def linearized(x):
        value, push_forward = ft.linearize(f, x)
        return value + push_forward(0.5 * x)

    return linearized


#: name → (the layer, the plain one).
LAYERS = {
    "jit": (ft.jit, lambda f: f),
    "grad": (
        lambda f: ft.grad(lambda x: ft.sum(f(x))),
        lambda f: lambda x: plain_gradient(f, x),
    ),
    "jvp": (
        lambda f: lambda x: ft.jvp(f, (x,), (ft.array(TANGENT),))[1],
        lambda f: lambda x: plain_derivative(f, x, TANGENT),
    ),
    "vjp": (
        lambda f: lambda x: ft.vjp(f, x)[1](x)[0],
        lambda f: lambda x: plain_gradient(lambda y: x * f(y), x),
    ),
    "vmap": (
        lambda f: lambda x: ft.sum(ft.vmap(lambda s: f(s * x))(ft.array(SCALES)), axis=0),
        _plain_over_scales,
    ),
    "checkpoint": (ft.checkpoint, lambda f: f),
    "linearize": (_linearize, lambda f: lambda x: f(x) + plain_derivative(f, x, 0.5 * x)),
    "custom_jvp": (_custom_jvp, lambda f: f),
    "custom_vjp": (_custom_vjp, lambda f: f),
    "scan": (_scan, _plain_scan),
    "while_loop": (_while, lambda f: lambda x: _steps(f, x)),
    "cond": (_cond, lambda f: lambda x: 2 * f(x) if np.sum(x) > 0 else x),
    "fori_loop": (
        lambda f: lambda x: ft.fori_loop(0, 2, lambda _, c: 0.5 * c + 0.25 * f(c), x),
        lambda f: lambda x: _steps(f, x),
    ),
    "map": (
        lambda f: lambda x: ft.sum(ft.map(lambda s: f(s * x), ft.array(SCALES)), axis=0),
        _plain_over_scales,
    ),
    "associative_scan": (_associative_scan, _plain_associative_scan),
}
PAIRS = list(itertools.product(LAYERS, repeat=2))
# Prime to the number of layers, so that each of them comes at each depth.
TRIPLES = list(itertools.product(LAYERS, repeat=3))[::61]
DIFFERENTIATING = {"grad", "jvp", "vjp", "linearize"}


def _function(xp):
    return lambda x: xp.sin(x) * xp.exp(-0.5 * x) + 0.1 * xp.sum(x * x)


def check(order):
    ours, plain = _function(ft), _function(np)
    for name in reversed(order):
        ours, plain = LAYERS[name][0](ours), LAYERS[name][1](plain)
    expected = plain(POINT)
    # A difference of order six with step h = 2e-3 errs by h⁶ f⁽⁷⁾ / 140, some 1e-18 times a derivative of a
    # million at most, and by rounding, 1e-16 / h = 1e-13, which grows by 1 / h with each one around it.
    differences = sum(name in DIFFERENTIATING for name in order)
    tolerance = [1e-13, 1e-10, 1e-7, 1e-4][differences]
    scale = max(1.0, np.max(np.abs(expected)))
    np.testing.assert_allclose(np.asarray(ours(ft.array(POINT))), expected, rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize("order", PAIRS, ids="-".join)
def test_one_inside_of_another(order):
    check(order)


@pytest.mark.parametrize("order", TRIPLES, ids="-".join)
def test_a_sample_of_three(order):
    check(order)


def test_the_sample_has_every_layer_at_every_depth():
    for depth in range(3):
        assert {order[depth] for order in TRIPLES} == set(LAYERS)
