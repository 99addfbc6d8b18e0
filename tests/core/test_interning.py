"""Jaxprs that are written alike are one, and what differs is not."""

import gc
import weakref

import numpy as np
import pytest

import ftrans as ft

X = np.arange(1.0, 4.0)


def _body(f, x=X):
    """The jaxpr of the body of the only loop in a function."""
    return ft.make_jaxpr(f)(x).jaxpr.equations[-1].parameters["jaxpr"]


def _scanned(scale, xs):
    return ft.scan(lambda c, x: (c * scale + ft.array(X)[0] * x, c), 0.5, xs)


def test_loops_and_branches_written_alike_share_their_jaxprs():
    assert _body(lambda xs: _scanned(2.0, xs)) is _body(lambda xs: _scanned(2.0, xs))

    def nested(xs):
        return ft.scan(
            lambda c, x: (ft.fori_loop(0, 3, lambda i, v: v * x, c), ft.cond(x > 2, ft.sin, ft.cos, x)),
            1.0,
            xs,
        )

    assert _body(nested) is _body(nested)

    def loop(x):
        return ft.while_loop(lambda x: ft.sum(x) < 9, lambda x: 2.0 * x, x)

    first, second = (ft.make_jaxpr(loop)(X).jaxpr.equations[-1].parameters for _ in range(2))
    assert first["body_jaxpr"] is second["body_jaxpr"]
    assert first["cond_jaxpr"] is second["cond_jaxpr"]


@pytest.mark.parametrize("pair", [(2.0, 3.0), (0.0, -0.0), (np.float32(2), np.float64(2))])
def test_other_numbers_are_other_jaxprs(pair):
    one, other = (_body(lambda xs, s=s: _scanned(s, xs)) for s in pair)
    assert one is not other
    for scale in pair:
        c, rows = 0.5, []
        for x in X:
            rows.append(c)
            c = c * scale + X[0] * x
        np.testing.assert_allclose(_scanned(scale, X)[1], rows, rtol=1e-12)


def test_another_line_or_type_is_another_jaxpr():
    a = _body(lambda xs: ft.scan(lambda c, x: (c * x, None), 0.5, xs))
    b = _body(lambda xs: ft.scan(lambda c, x: (c * x, None), 0.5, xs))
    assert a is not b  # errors name the line
    assert _body(lambda xs: _scanned(2.0, xs)) is not _body(
        lambda xs: _scanned(2.0, xs), X.astype(np.float32)
    )


def test_what_a_body_reads_may_change():
    state = {"scale": 1.0}

    def step(c, x):
        return c * state["scale"] + x, None

    totals = []
    for scale in (1.0, 2.0, 1.0):
        state["scale"] = scale
        totals.append(float(ft.scan(step, 0.0, X)[0]))
    assert totals == [6.0, 11.0, 6.0]


class _Model:
    def __init__(self):
        self.weight = ft.array(np.ones(100_000, np.float32))

    def __call__(self, x):
        return x * 1.0


def _differentiated(model):
    def step(c, x):
        seen = ft.pure_callback(model, ft.ShapeDtypeStruct((), ft.float64), x)
        return c + ft.sum(model.weight) * model(x) + seen, None

    ft.eval(ft.scan(step, 0.0, X)[0])
    scaled = ft.jit(lambda w: ft.sum(w * model.weight))
    ft.eval(ft.grad(lambda c: ft.scan(lambda c, x: (c * scaled(c * model.weight), None), c, X)[0])(1.0))


def test_what_the_user_made_is_let_go():
    model = _Model()
    _differentiated(model)
    gone = weakref.ref(model)
    before = ft.get_active_memory()
    del model
    gc.collect()
    assert gone() is None
    assert ft.get_active_memory() <= before - 400_000


def test_derivatives_that_are_not_nan_safe_are_not_mixed_up():
    def loss(x):
        return ft.scan(lambda c, x: (c + ft.where(x > 0, ft.sqrt(x), 0.0), None), 0.0, x)[0]

    x = np.array([0.0, 4.0])
    for safe in (True, False, True):
        with ft.nan_safe_derivatives(safe):
            gradient = np.asarray(ft.grad(loss)(x))
        assert np.isfinite(gradient).all() == safe
