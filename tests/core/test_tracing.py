"""Traces: levels, leaks, values that are not there, cost."""

import gc
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import ftrans as ft
from ftrans._native import from_numpy
from ftrans.core.tracing import is_tracing_abstractly

X = np.float64(0.7)


@pytest.mark.parametrize("transform", [ft.grad, ft.jit, ft.make_jaxpr, ft.vmap])
def test_leaked_tracers(transform):
    leaked = []

    def f(x):
        leaked.append(x * 2.0)
        return x * 3.0

    transform(f)(X if transform is ft.grad else np.array([1.0, 2.0]))
    with pytest.raises(ft.LeakedTracerError, match=r"made by .*test_tracing\.py:\d+ \(f\)"):
        leaked[0] + 1.0
    with pytest.raises(ft.LeakedTracerError):
        ft.jit(lambda y: y * leaked[0])(X)


def test_a_leaked_argument_is_named():
    leaked = []
    ft.jit(lambda weight: leaked.append(weight))(X)
    with pytest.raises(ft.LeakedTracerError, match="made by argument weight of <lambda>"):
        leaked[0] + 1.0


def test_an_exception_ends_the_trace():
    leaked = []

    def f(x):
        leaked.append(x)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        ft.grad(f)(X)
    with pytest.raises(ft.LeakedTracerError):
        leaked[0] * 2.0
    assert float(ft.grad(lambda x: x * x)(3.0)) == 6.0


@pytest.mark.parametrize("transform", [ft.jit, ft.make_jaxpr, lambda f: ft.jit(ft.vmap(f))])
def test_branching_on_an_abstract_value(transform):
    def f(x, unused, scale):
        y = x * scale
        return y if y > 0 else -y

    x = np.float64(1) if transform in (ft.jit, ft.make_jaxpr) else np.ones(2)
    with pytest.raises(ft.ConcretizationError) as info:
        transform(f)(x, x, x)
    message = str(info.value)
    assert "test_tracing.py" in message
    assert "(f)" in message
    assert "argument x of f" in message
    assert "argument scale of f" in message
    assert "unused" not in message
    assert all(way in message for way in ("ft.where", "ft.cond", "ft.while_loop", "static_argnums"))
    assert isinstance(info.value, TypeError)


def test_only_jit_has_static_arguments():
    with pytest.raises(ft.ConcretizationError, match=r"ft\.while_loop") as info:
        ft.scan(lambda c, x: (c if c > x else x, None), 0.0, np.ones(2, np.float32))
    assert "static" not in str(info.value)


@pytest.mark.parametrize("convert", [float, int, np.asarray, lambda x: x.item(), list])
def test_values_of_abstract_arrays(convert):
    with pytest.raises(TypeError):
        ft.jit(lambda x: convert(x))(X)


def test_values_of_linked_arrays():
    def f(x):
        return x * float(x) if x > 0 else x

    assert float(ft.grad(f)(3.0)) == 3.0
    assert float(ft.grad(ft.grad(lambda x: x * x * x if float(x) > 0 else x))(2.0)) == 12.0


def test_perturbations_are_not_confused():
    assert float(ft.grad(lambda x: x * ft.grad(lambda y: x + y)(1.0))(1.0)) == 1.0
    assert float(ft.grad(lambda x: x * ft.jvp(lambda y: x * y, (2.0,), (1.0,))[1])(3.0)) == 6.0
    assert float(ft.grad(lambda x: ft.grad(lambda y: x * y * y)(x))(3.0)) == 12.0
    assert float(ft.jvp(lambda x: ft.grad(lambda y: x * y)(1.0), (5.0,), (1.0,))[1]) == 1.0


def test_a_zero_is_not_followed():
    # A comparison or a rounded value is a constant for derivatives, so nothing of it is recorded.
    assert float(ft.grad(lambda x: x * ft.floor(x))(2.5)) == 2.0
    assert float(ft.grad(lambda x: x * ft.stop_gradient(x))(3.0)) == 3.0


def test_traces_do_not_keep_arrays():
    gc.collect()
    gc.disable()
    try:
        alive = []

        def f(x):
            y = ft.sin(x)
            alive.append(weakref.ref(y._linked))
            return y * y

        ft.grad(f)(X)
        assert alive[0]() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("young", [0, 700, 10**6])
def test_garbage_is_collected_less_often_while_a_trace_grows(young):
    before = gc.get_threshold()
    inside = []
    try:
        gc.set_threshold(young, 10, 10)
        ft.grad(lambda x: inside.append(gc.get_threshold()) or ft.sin(x))(X)
        assert gc.get_threshold() == (young, 10, 10)
    finally:
        gc.set_threshold(*before)
    assert inside[0][2] > 10**6
    assert inside[0][0] >= young
    assert (inside[0][0] == 0) == (young == 0)  # whoever turned the collector off keeps it so


def chain(x, n):
    for _ in range(n):
        x = ft.sin(x)
    return x


def test_whether_an_abstract_trace_is_active():
    seen = []

    def f(x):
        seen.append(is_tracing_abstractly())
        return x * x

    ft.grad(f)(X)
    ft.jit(f)(X)
    ft.jit(ft.grad(f))(X)
    ft.grad(lambda x: ft.jit(f)(x))(X)
    with pytest.raises(TypeError):
        ft.jit(lambda x: float(x))(X)
    with ThreadPoolExecutor() as pool:
        ft.jit(lambda x: f(x) + pool.submit(is_tracing_abstractly).result())(X)
    assert seen == [False, True, True, True, True]
    assert not is_tracing_abstractly()


def test_long_traces():
    x = from_numpy(np.asarray(X))
    gradient = ft.grad(chain)(x, 20_000)
    assert np.isfinite(float(gradient))
    assert len(ft.make_jaxpr(chain, static_argnums=1)(x, 20_000).jaxpr.equations) == 20_000
