"""Ctrl-C during an evaluation: KeyboardInterrupt soon, and nothing lost."""

import signal
import threading
import time

import numpy as np
import pytest

import ftrans as ft


def _endless(x):
    return ft.while_loop(lambda x: x[0] > -1.0, lambda x: ft.cos(x) + 1.0, x)


def _endless_number(x):
    return ft.while_loop(lambda x: x > -1.0, lambda x: ft.cos(x) + 1.0, x[0])


def _long_count(x):
    return ft.fori_loop(0, 2**31 - 1, lambda i, x: ft.cos(x) + 1.0, x[0])


def _long_scan(x):
    return ft.scan(lambda c, _: (ft.cos(c) + 1.0, None), x, length=2**40)[0]


LONG = [_endless, _endless_number, _long_count, _long_scan]


def assert_usable(x):
    np.testing.assert_allclose(np.asarray(ft.sin(x) + 1), np.sin(np.asarray(x)) + 1, rtol=1e-6)
    assert ft.jit(lambda x: ft.sum(x))(x).item() == np.asarray(x).sum()


@pytest.mark.parametrize("transform", [lambda f: f, ft.jit])
@pytest.mark.parametrize("function", LONG)
def test_evaluation_on_the_calling_thread(function, transform, interrupt_soon):
    x = ft.array([0.5, 2.0])
    y = transform(function)(x)
    for _ in range(2):  # what was pending is pending again
        interrupt_soon()
        with pytest.raises(KeyboardInterrupt):
            ft.eval(y)
    assert_usable(x)


def test_evaluation_on_a_stream(interrupt_soon):
    x = ft.array([0.5, 2.0])
    y = _endless(x)
    ft.async_eval(y)
    interrupt_soon()
    with pytest.raises(KeyboardInterrupt):
        ft.eval(y)
    assert_usable(x)
    interrupt_soon()
    with pytest.raises(KeyboardInterrupt):
        ft.eval(y)
    ft.synchronize()


def test_several_streams(interrupt_soon):
    x = ft.array([0.5, 2.0])
    with ft.stream(ft.new_stream(ft.cpu)):
        y = _endless(x)
    z = y + 1
    interrupt_soon()
    with pytest.raises(KeyboardInterrupt):
        ft.eval(z)
    ft.synchronize()
    assert_usable(x)


def test_synchronize(interrupt_soon):
    y = _endless(ft.array([0.5]))
    ft.async_eval(y)
    interrupt_soon()
    with pytest.raises(KeyboardInterrupt):
        ft.synchronize()
    interrupt_soon()
    with pytest.raises(KeyboardInterrupt):
        ft.eval(y)
    ft.synchronize()


def test_handler_that_goes_on_may_evaluate(interrupt_soon):
    seen = []
    signal.signal(signal.SIGINT, lambda *_: seen.append((ft.arange(3) + 1).tolist()))
    total = ft.jit(lambda x: ft.fori_loop(0, 60_000_000, lambda i, x: x + 1.0, x))
    interrupt_soon()
    deadline = time.monotonic() + 30
    while not seen and time.monotonic() < deadline:
        assert total(ft.array(0.0, dtype=ft.float64)).item() == 60_000_000
    assert seen == [[1, 2, 3]]


def test_other_threads_are_not_interrupted(interrupt_soon):
    count, results = 20_000_000, []
    interrupted, done = threading.Event(), threading.Event()
    x = ft.array(0.0, dtype=ft.float64)

    def work():
        try:
            while not (results and interrupted.is_set()):  # it may start late
                results.append(ft.fori_loop(0, count, lambda i, x: x + 1.0, x).item())
            results.append(ft.fori_loop(0, count, lambda i, x: x + 1.0, x).item())
        finally:
            done.set()

    thread = threading.Thread(target=work)
    thread.start()
    interrupt_soon()
    with pytest.raises(KeyboardInterrupt):
        done.wait()  # not join, which takes a thread for ended once it has been interrupted
    interrupted.set()
    assert done.wait(60)
    thread.join()
    assert len(results) >= 2
    assert set(results) == {count}
