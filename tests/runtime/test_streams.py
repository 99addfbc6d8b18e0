"""Streams: order within and across them, overlap, errors, and the ways to choose one."""

import numpy as np
import pytest

import ftrans as ft
from ftrans._native import backends


@pytest.fixture
def streams():
    return ft.new_stream(ft.cpu), ft.new_stream(ft.cpu)


def test_streams_are_distinct_and_hashable(streams):
    first, second = streams
    assert first != second
    assert first.device == second.device == ft.cpu
    assert len({first, second, first}) == 2
    assert ft.default_stream(ft.cpu) not in streams


@pytest.mark.parametrize("other", [None, 0, "cpu"], ids=repr)
def test_streams_and_devices_differ_from_everything_else(streams, other):
    assert streams[0] != other
    assert ft.cpu != other


def test_context_sets_and_restores(streams):
    first, second = streams
    before = ft.default_stream(ft.default_device())
    with ft.stream(first):
        with ft.stream(second):
            assert (ft.ones(2) + 1.0).tolist() == [2.0, 2.0]
        with pytest.raises(KeyError), ft.stream(second):
            raise KeyError
        assert (ft.ones(2) + 1.0).tolist() == [2.0, 2.0]
    assert ft.default_stream(ft.default_device()) == before


def test_keyword_takes_stream_and_device(streams):
    x = ft.arange(3, dtype=ft.float32)
    for stream in (*streams, ft.cpu):
        assert ft.add(x, x, stream=stream).tolist() == [0.0, 2.0, 4.0]
        assert ft.sum(x, stream=stream).item() == 3.0


@pytest.mark.parametrize("stream", [0, "cpu", ft.float32], ids=repr)
def test_keyword_refuses_anything_else(stream):
    with pytest.raises(TypeError, match="stream"):
        ft.add(ft.ones(2), ft.ones(2), stream=stream)


def test_order_across_streams(streams):
    """A value that travels to and fro is never read before it is written."""
    x = ft.zeros(4096)
    for i in range(200):
        x = ft.add(x, 1.0, stream=streams[i % 2])
    assert np.all(np.asarray(x) == 200)


def test_order_across_streams_when_evaluated_at_once(streams):
    x = ft.ones((128, 128))
    for i in range(50):
        x = ft.matmul(x, ft.eye(128), stream=streams[i % 2])
        ft.async_eval(x)
    for stream in streams:
        ft.synchronize(stream)
    assert np.all(np.asarray(x) == 1)


def test_update_in_place_waits_for_readers_on_another_stream(streams):
    """A buffer that a slow reader on one stream still needs must not be overwritten by the other."""
    x = ft.arange(2**18, dtype=ft.float32)
    ft.eval(x)
    for _ in range(5):
        before = float(ft.sum(x).item())
        with ft.stream(streams[0]):
            slow = ft.sum(ft.sort(ft.cos(ft.sort(x))) * 0.0 + x)
        ft.async_eval(slow)
        with ft.stream(streams[1]):
            x += 1.0
        ft.async_eval(x)
        np.testing.assert_allclose(slow.item(), before, rtol=1e-3)


def _heavy(stream):
    """An array whose evaluation, on that stream, takes some tenths of a second."""
    x = ft.random.uniform(shape=(1 << 21,))
    ft.eval(x)
    with ft.stream(stream):
        for i in range(3):
            x = ft.sort(ft.sin(x * (100.0 + i)))
    return x


def _overlap_attempt(streams) -> bool:
    heavy = _heavy(streams[0])
    light = ft.add(ft.ones(8), 1.0, stream=streams[1])
    ft.async_eval(heavy)
    ft.eval(light)
    overlapped = not heavy._is_ready
    ft.synchronize(streams[0])
    assert heavy._is_ready
    return overlapped


def test_streams_overlap(streams):
    """Were the streams one queue, the light operation could not be done while the heavy one still runs.

    A scheduler that starves this thread may spoil one attempt, hardly three.
    """
    assert any(_overlap_attempt(streams) for _ in range(3))


def test_async_eval_returns_before_the_work_is_done(streams):
    def attempt():
        heavy = _heavy(streams[0])
        ft.async_eval(heavy)
        returned_early = not heavy._is_ready
        ft.eval(heavy)
        return returned_early

    assert any(attempt() for _ in range(3))


def test_errors_on_a_stream_surface_at_evaluation(streams):
    """The one error that only the execution can meet: no memory. Nothing is lost by it."""
    before = ft.set_memory_limit(ft.get_active_memory() + 2**20)
    try:
        with ft.stream(streams[0]):
            x = ft.exp(ft.arange(2**22, dtype=ft.float32) * 0.0)  # 16 MB
        ft.async_eval(x)
        with pytest.raises(MemoryError, match="limit"):
            ft.eval(x)
    finally:
        ft.set_memory_limit(before)
    assert x[-1].item() == 1.0


def test_functions_of_devices_and_streams_say_what_they_take():
    for call, message in [
        (ft.set_default_device, "set_default_device: device must be a Device, got str"),
        (ft.default_stream, "default_stream: device must be a Device, got str"),
        (ft.new_stream, "new_stream: device must be a Device, got str"),
        (ft.device_info, "device_info: device must be a Device, got str"),
        (ft.is_available, "is_available: device must be a Device, got str"),
        (ft.set_default_stream, "set_default_stream: stream must be a Stream, got str"),
        (ft.synchronize, "synchronize: stream must be a Stream or a Device, got str"),
        (lambda name: ft.stream(name).__enter__(), "stream: where must be a Stream or a Device, got str"),
    ]:
        with pytest.raises(TypeError, match=message):
            call("gpu")


@pytest.mark.skipif("gpu" in backends(), reason="there is a GPU backend")
def test_gpu_without_backend_says_so():
    x = ft.ones(2)  # naming the device is no use of it
    for use in (
        lambda: ft.eval(ft.add(x, x, stream=ft.gpu)),
        lambda: ft.new_stream(ft.gpu),
        lambda: ft.set_default_device(ft.gpu),
    ):
        with pytest.raises((RuntimeError, ValueError), match=r"(?i)gpu"):
            use()
    assert (x + x).tolist() == [2.0, 2.0]


def test_devices_print_and_compare():
    assert ft.cpu != ft.gpu
    assert ft.default_device() == ft.cpu
    assert "cpu" in repr(ft.cpu)
    assert "gpu" in repr(ft.gpu)
    assert "cpu" in repr(ft.default_stream(ft.cpu))
