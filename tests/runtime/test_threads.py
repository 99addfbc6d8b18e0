"""Several Python threads at once."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np

import ftrans as ft
from ftrans._native import current_stream

THREADS = 4


def _in_threads(function):
    """The results of function(i) in threads that all start at the same moment."""
    barrier = threading.Barrier(THREADS)

    def run(i):
        barrier.wait()
        return function(i)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(THREADS)))


def test_threads_evaluate_their_own_graphs():
    def work(i):
        x = ft.full((64,), float(i))
        for _ in range(50):
            x = ft.tanh(x) + float(i)
            ft.eval(x)
        return np.asarray(x)

    for i, result in enumerate(_in_threads(work)):
        np.testing.assert_array_equal(result, work(i))


def test_threads_evaluate_one_array():
    for _ in range(20):
        x = ft.arange(1000, dtype=ft.float32)
        y = ft.sin(x) * 2.0 + ft.cumsum(x, axis=0)
        results = _in_threads(lambda _, y=y: np.asarray(y * 1.0))
        for result in results[1:]:
            np.testing.assert_array_equal(result, results[0])


def test_threads_share_a_compiled_function():
    compiled = ft.jit(lambda x: ft.sum(ft.exp(x) * 2.0))
    results = _in_threads(lambda i: [compiled(ft.full((8,), float(i))).item() for _ in range(50)])
    for i, values in enumerate(results):
        np.testing.assert_allclose(values, 16 * np.exp(i), rtol=1e-5)


def test_threads_transform_at_once():
    """Traces of one thread are invisible to another."""

    def work(i):
        x = ft.array(float(i), dtype=ft.float64)
        return [ft.grad(lambda x: ft.grad(lambda y: x * y**3)(x))(x).item() for _ in range(50)]

    for i, values in enumerate(_in_threads(work)):
        np.testing.assert_allclose(values, 9.0 * i**2)  # d/dx 3x·x²


def test_current_stream_is_of_the_thread():
    entered, checked = threading.Event(), threading.Event()
    stream = ft.new_stream(ft.cpu)

    def hold():
        with ft.stream(stream):
            entered.set()
            checked.wait(10)
            return current_stream()

    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(hold)
        assert entered.wait(10)
        assert current_stream() != stream
        checked.set()
        assert held.result() == stream


def test_evaluation_releases_the_interpreter():
    """Another thread makes progress while one long evaluation runs."""
    progress, done = 0, threading.Event()

    def count():
        nonlocal progress
        while not done.is_set():
            progress += 1

    counter = threading.Thread(target=count)
    rows = ft.random.uniform(shape=(1 << 20,))
    heavy = ft.sort(ft.sin(ft.sort(rows) * 1000.0))
    counter.start()
    try:
        before = progress
        ft.eval(heavy)
        during = progress - before
    finally:
        done.set()
        counter.join()
    assert during > 0
