"""Every option of loops and branches, under every transformation: against the loop in Python."""

import numpy as np
import pytest

import ftrans as ft


def _step(carry, x):
    carry = ft.sin(carry) * x + carry
    return carry, carry * x


def _python_scan(x, reverse=False):
    carry, rows = x[0], [None] * x.shape[0]
    for i in reversed(range(x.shape[0])) if reverse else range(x.shape[0]):
        carry, rows[i] = _step(carry, x[i])
    return carry + ft.sum(ft.stack(rows) * ft.arange(1.0, 1.0 + x.shape[0]))


def _scan(x, **options):
    carry, rows = ft.scan(_step, x[0], x, **options)
    return carry + ft.sum(rows * ft.arange(1.0, 1.0 + x.shape[0]))


def _counted(x):
    """A scan that only counts."""
    return ft.scan(lambda c, _: (ft.sin(c) + x[1], c), x[0], length=5)[0]


def _python_counted(x):
    carry = x[0]
    for _ in range(5):
        carry = ft.sin(carry) + x[1]
    return carry


def _prefixes(x, reverse, axis):
    def combine(a, b):
        return a[0] * b[0], a[1] * b[0] + b[1]

    pairs = ft.associative_scan(combine, (x, ft.cos(x)), reverse=reverse, axis=axis)
    return ft.sum(pairs[1] * ft.sin(pairs[0]))


def _python_prefixes(x, reverse, axis):
    rows = ft.moveaxis(x, axis, 0)
    order = list(range(rows.shape[0]))[:: -1 if reverse else 1]
    a, b = rows[order[0]], ft.cos(rows[order[0]])
    total = ft.sum(b * ft.sin(a))
    for i in order[1:]:
        a, b = a * rows[i], b * rows[i] + ft.cos(rows[i])
        total = total + ft.sum(b * ft.sin(a))
    return total


_BRANCHES = [ft.sin, lambda x: x * x, ft.exp]

CASES = {
    "scan backwards": (lambda x: _scan(x, reverse=True), lambda x: _python_scan(x, True)),
    "scan unrolled": (lambda x: _scan(x, unroll=3), _python_scan),
    "scan unrolled backwards": (lambda x: _scan(x, unroll=2, reverse=True), lambda x: _python_scan(x, True)),
    "scan unrolled whole": (lambda x: _scan(x, unroll=True), _python_scan),
    "scan of a length": (_counted, _python_counted),
    "scan of both": (lambda x: _scan(x, length=7), _python_scan),
    **{
        f"map in batches of {size}": (
            lambda x, size=size: ft.sum(ft.map(lambda v: ft.sin(v) * x[0], x, batch_size=size) ** 2),
            lambda x: ft.sum((ft.sin(x) * x[0]) ** 2),
        )
        for size in (1, 3, 7, 9)
    },
    **{
        f"associative_scan {reverse=} {axis=}": (
            lambda x, r=reverse, a=axis: _prefixes(ft.outer(x, x[:3]), r, a),
            lambda x, r=reverse, a=axis: _python_prefixes(ft.outer(x, x[:3]), r, a),
        )
        for reverse in (False, True)
        for axis in (0, 1, -1)
    },
    **{
        f"switch at {index}": (
            lambda x, i=index: ft.sum(ft.switch(i, _BRANCHES, x)),
            lambda x, i=index: ft.sum(_BRANCHES[min(max(i, 0), 2)](x)),
        )
        for index in (-7, 0, 1, 2, 3, 100)
    },
    "switch at a traced index": (
        lambda x: ft.sum(ft.switch(ft.astype(100.0 * x[0] - 20.0, ft.int32), _BRANCHES, x)),
        lambda x: ft.sum(ft.where(x[0] < 0.21, ft.sin(x), ft.where(x[0] < 0.22, x * x, ft.exp(x)))),
    ),
}
X = np.random.default_rng(0).uniform(0.1, 0.9, 7)


@pytest.mark.parametrize(("f", "reference"), CASES.values(), ids=CASES.keys())
def test_under_every_transformation(f, reference):
    xs = np.stack([X, X[::-1], 0.5 * X])
    expected = np.array([float(reference(ft.array(x))) for x in xs])
    gradients = np.stack([ft.grad(reference)(x) for x in xs])
    np.testing.assert_allclose(float(f(ft.array(X))), expected[0], rtol=1e-12)
    np.testing.assert_allclose(float(ft.jit(f)(X)), expected[0], rtol=1e-12)
    np.testing.assert_allclose(ft.vmap(f)(xs), expected, rtol=1e-12)
    np.testing.assert_allclose(ft.grad(f)(X), gradients[0], rtol=1e-11)
    np.testing.assert_allclose(ft.jit(ft.vmap(ft.grad(f)))(xs), gradients, rtol=1e-11)
    np.testing.assert_allclose(ft.jvp(f, (X,), (np.cos(X),))[1], gradients[0] @ np.cos(X), rtol=1e-11)
