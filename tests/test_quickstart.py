"""The quick start of the documentation: these lines, these outputs."""

import doctest

import numpy as np

import ftrans as ft
from ftrans.__main__ import QUICK_START
from ftrans.datasets import load_digits


def test_every_line_of_the_quick_start():
    test = doctest.DocTestParser().get_doctest(QUICK_START, {"ft": ft, "np": np}, "quick start", None, None)
    results = doctest.DocTestRunner(verbose=False).run(test)
    assert results.attempted > 15
    assert results.failed == 0


def test_default_device_and_stream():
    device = ft.default_device()
    assert str(device) in {"Device(cpu, 0)", "Device(gpu, 0)"}
    assert str(ft.default_stream(device)) == f"Stream({device}, 0)"


def test_operations_on_two_streams_are_ordered():
    a, b = ft.random.normal((100,)), ft.random.normal((100,))
    s1, s2 = ft.new_stream(ft.cpu), ft.new_stream(ft.cpu)
    c = ft.add(a, b, stream=s1)
    d = ft.add(a, c, stream=s2)
    np.testing.assert_array_equal(np.array(d), np.array(a) + (np.array(a) + np.array(b)))


def work_on_two_devices(a, b, d1, d2):
    x = ft.matmul(a, b, stream=d1)
    for _ in range(500):
        b = ft.exp(b, stream=d2)
    return x, b


def test_work_on_two_devices():
    a, b = ft.random.uniform(shape=(4096, 512)), ft.random.uniform(shape=(512, 4))
    x, y = work_on_two_devices(a, b, ft.cpu, ft.cpu)
    ft.eval(x, y)
    np.testing.assert_allclose(np.array(x), np.array(a) @ np.array(b), rtol=1e-5)
    assert np.all(np.isinf(np.array(y)))


def test_digits():
    images, labels = load_digits()
    assert images.shape == (1797, 8, 8)
    assert labels.shape == (1797,)
    assert images.dtype == labels.dtype == np.uint8
    assert images.max() == 16
    assert set(labels) == set(range(10))
