"""`ft.gpu` where there is a device: placement, order, unified memory, what is logged and counted."""

import doctest
import time

import numpy as np
import pytest

import ftrans as ft
from ftrans.__main__ import QUICK_START, two_devices
from tests.metal.conftest import NOTES


def launches():
    return ft.metal.counters()["kernel launches"]


def test_the_default_device_is_the_gpu():
    """Fixtures have put the CPU in its place."""
    ft.set_default_device(ft.gpu)
    assert ft.is_available(ft.gpu)
    assert str(ft.default_device()) == "Device(gpu, 0)"
    assert str(ft.default_stream(ft.default_device())) == "Stream(Device(gpu, 0), 0)"
    before = launches()
    assert (ft.array([1.0, 2.0]) + 1.5).tolist() == [2.5, 3.5]
    assert launches() > before


def test_device_info():
    info = ft.metal.device_info()
    assert ft.device_info(ft.gpu) == info
    assert "host Metal device" in info["name"]
    assert info["memory size"] > 2**30
    assert ft.device_info(ft.cpu)["threads"] >= 1


@pytest.mark.parametrize("where", ["device", "stream", "context", "context of a stream"])
def test_ways_to_choose_the_gpu(where):
    x = ft.array([1.0, 2.0, 3.0])
    stream = ft.new_stream(ft.gpu)
    assert stream.device == ft.gpu
    before = launches()
    if where == "device":
        y = ft.add(x, 2.0, stream=ft.gpu)
    elif where == "stream":
        y = ft.add(x, 2.0, stream=stream)
    else:
        with ft.stream(ft.gpu if where == "context" else stream):
            y = x + 2.0
    assert y.tolist() == [3.0, 4.0, 5.0]
    assert launches() == before + 1


@pytest.mark.parametrize("d1", [ft.cpu, ft.gpu], ids=str)
@pytest.mark.parametrize("d2", [ft.cpu, ft.gpu], ids=str)
def test_two_devices_in_every_placement(d1, d2):
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((64, 32), np.float32), rng.uniform(-3, 0, (32, 4)).astype(np.float32)
    x, y = two_devices(ft.array(a), ft.array(b), d1, d2)
    ft.eval(x, y)
    np.testing.assert_allclose(np.array(x), a @ b, rtol=1e-5, atol=1e-5)
    assert np.all(np.isinf(np.array(y)))


def test_every_line_of_the_quick_start_on_the_gpu():
    ft.set_default_device(ft.gpu)
    lines = QUICK_START.replace("cpu", "gpu")
    assert "ft.new_stream(ft.gpu)" in lines
    test = doctest.DocTestParser().get_doctest(lines, {"ft": ft, "np": np}, "quick start", None, None)
    results = doctest.DocTestRunner(verbose=False).run(test)
    assert results.attempted > 15
    assert results.failed == 0


@pytest.mark.parametrize(
    "operation",
    [lambda x: x + x, ft.exp, ft.sum, lambda x: x.astype(ft.float64) * 2, lambda x: ft.cumsum(x)],
)
def test_float64_is_refused_when_it_is_recorded(operation):
    x = ft.array([1.0, 2.0], dtype=ft.float64)
    with (
        ft.stream(ft.gpu),
        pytest.raises(TypeError, match=r"^\w+: Device\(gpu, 0\) has no float64.*float32.*cpu"),
    ):
        operation(x)
    assert operation(x).dtype == ft.float64


def test_complex128_is_refused_too_and_conversions_are_the_way_out():
    z = ft.array([1 + 2j], dtype=ft.complex128)
    with ft.stream(ft.gpu):
        with pytest.raises(TypeError, match="complex64"):
            ft.exp(z)
        assert ft.abs(z.astype(ft.complex64) * 2).tolist() == pytest.approx([20**0.5])


def test_what_has_no_kernel_runs_on_the_cpu_and_is_logged_once():
    x = np.array([[4.0, 1.0], [1.0, 3.0]], np.float32)
    for _ in range(2):
        with ft.stream(ft.gpu):
            y = ft.exp(ft.linalg.cholesky(ft.array(x) * 2.0)) + 1.0
        np.testing.assert_allclose(np.array(y), np.exp(np.linalg.cholesky(2 * x)) + 1, rtol=1e-5)
    found = [note for note in NOTES if "cholesky of float32" in note]
    assert found == [
        "cholesky of float32 has no GPU kernel: the CPU runs it, and the GPU waits where it must"
    ]


def test_fft_and_callbacks_between_gpu_steps():
    x = np.linspace(0, 1, 16, dtype=np.float32)
    shape = ft.ShapeDtypeStruct((16,), ft.float32)
    with ft.stream(ft.gpu):
        y = ft.real(ft.fft.ifft(ft.fft.fft(ft.array(x) * 3.0)))
        y = ft.pure_callback(lambda v: np.flip(v), shape, y * 2.0) + 1.0
        y = ft.io_callback(lambda v: v * 1, shape, y)
    np.testing.assert_allclose(np.array(y), 6 * x[::-1] + 1, rtol=1e-5, atol=1e-5)


def test_mixed_program_in_one_evaluation():
    """Work on two GPU streams and two CPU streams that depends on one another in both directions."""
    gpus, cpus = [ft.new_stream(ft.gpu) for _ in range(2)], [ft.new_stream(ft.cpu) for _ in range(2)]
    x = y = ft.arange(1000, dtype=ft.float32)
    for i in range(12):
        y = ft.add(y, 1.0, stream=[gpus[0], cpus[0], gpus[1], cpus[1], gpus[0], gpus[1]][i % 6])
        x = ft.add(x, y, stream=[cpus[1], gpus[1], gpus[0]][i % 3])
    expected = np.arange(1000, dtype=np.float32) * 13 + sum(range(1, 13))
    np.testing.assert_array_equal(np.array(x), expected)


@pytest.mark.parametrize("where", ["before it on its stream", "on another stream"])
def test_independent_work_goes_on_while_the_gpu_waits_for_the_cpu(where):
    """The callback returns when the GPU has done what does not need it."""
    stream = ft.new_stream(ft.gpu)
    x = ft.arange(64, dtype=ft.float32)
    ft.eval(x, ft.exp(x, stream=stream), ft.multiply(x, 2.0, stream=stream))
    begun = launches()

    def slow(v):
        wait_until(lambda: launches() > begun)
        return v + 1

    independent = ft.exp(x, stream=stream if where == "before it on its stream" else ft.gpu)
    y = ft.pure_callback(slow, ft.ShapeDtypeStruct((64,), ft.float32), x)
    y = ft.multiply(y, 2.0, stream=stream)
    if where == "before it on its stream":
        ft.eval(y, independent)
    else:
        ft.async_eval(y)
        ft.eval(independent)
    np.testing.assert_array_equal(np.array(y), 2 * np.arange(1, 65))
    np.testing.assert_allclose(np.array(independent), np.exp(np.arange(64.0)), rtol=1e-5)


def test_the_cpu_works_while_the_gpu_is_busy(host_option):
    """Results of an evaluation on both are there when their stream is done."""
    x = ft.arange(64, dtype=ft.float32)
    host_option("held", 1)
    busy = ft.exp(x, stream=ft.gpu)
    both = ft.add(busy, ft.cumsum(x, stream=ft.cpu), stream=ft.cpu)
    ft.async_eval(busy)
    assert ft.cumsum(x + 1.0, stream=ft.cpu)[-1].item() == 64 * 65 / 2
    assert not busy._is_ready
    ft.async_eval(both)
    host_option("held", 0)
    np.testing.assert_allclose(np.array(both), np.exp(np.arange(64.0)) + np.arange(64).cumsum(), rtol=1e-5)


def command_buffers():
    return ft.metal.counters()["command buffers"]


def wait_until(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "nothing happens"
        time.sleep(0.001)


@pytest.mark.parametrize("other_stream", [False, True])
def test_work_that_depends_on_unfinished_work_is_enqueued(host_option, other_stream):
    """The device has not begun, but has all that depends on it, of several evaluations."""
    first = ft.new_stream(ft.gpu)
    second = ft.new_stream(ft.gpu) if other_stream else first
    x = ft.array(np.arange(6, dtype=np.float32))
    ft.eval(x)
    host_option("held", 1)
    before = command_buffers()
    y = ft.cumsum(x, stream=first)
    ft.async_eval(y)
    z = ft.multiply(y, 2.0, stream=second)
    ft.async_eval(z)
    with ft.stream(second):
        reversed_sum = ft.jit(lambda a, b: ft.cumsum(a[::-1]) + b)(z, y)
    ft.async_eval(reversed_sum)
    wait_until(lambda: command_buffers() >= before + 3)
    assert not any(each._is_ready for each in (y, z, reversed_sum))
    host_option("held", 0)
    expected = np.arange(6).cumsum()
    np.testing.assert_array_equal(np.array(reversed_sum), (2 * expected[::-1]).cumsum() + expected)
    np.testing.assert_array_equal(np.array(z), 2 * expected)


def test_donated_results_of_unfinished_work_are_overwritten(host_option):
    def update(x, i):
        x[i] = 1.0
        return x

    update = ft.jit(update, donate_argnums=0)
    indices = [ft.array(i) for i in range(8)]
    with ft.stream(ft.new_stream(ft.gpu)):
        x = update(ft.zeros(1 << 16) * 1.0, indices[0])
        ft.eval(x)
        ft.synchronize()
        before = ft.get_active_memory()
        host_option("held", 1)
        for i in indices:
            x = update(x, i)
            ft.async_eval(x)
        assert ft.get_active_memory() <= before + 2 * 4 * (1 << 16)
        host_option("held", 0)
    assert x.sum().item() == len(indices)


def test_updates_in_place_wait_for_readers_on_other_streams():
    x = ft.arange(2**14, dtype=ft.float32)
    ft.eval(x)
    for stream in (ft.gpu, ft.cpu, ft.new_stream(ft.gpu)):
        other = ft.cpu if stream == ft.gpu else ft.gpu
        before = np.array(x).sum(dtype=np.float64)
        slow = ft.sum(ft.cos(x, stream=other) * 0.0 + x, stream=other)
        ft.async_eval(slow)
        x = ft.add(x, 1.0, stream=stream)
        ft.async_eval(x)
        assert slow.item() == pytest.approx(before, rel=1e-5)


def test_memory_is_shared():
    """Nothing is copied between the devices, in either direction, for blocks of all sizes."""
    before = ft.metal.counters()["bytes copied"]
    for count in (1, 7, 1000, 5000, 300_000):
        x = ft.arange(count, dtype=ft.float32)
        y = ft.add(ft.multiply(ft.add(x, 1.0, stream=ft.cpu), 2.0, stream=ft.gpu), 1.0, stream=ft.cpu)
        np.testing.assert_array_equal(np.array(y), np.arange(count, dtype=np.float32) * 2 + 3)
    assert ft.metal.counters()["bytes copied"] == before


def test_page_aligned_arrays_come_in_without_a_copy(page_aligned):
    before = ft.metal.counters()["bytes copied"]
    source = page_aligned(5000)
    x = ft.asarray(source, copy=False)
    assert ft.add(x, 1.0, stream=ft.gpu).tolist() == [1.0] * 5000
    assert ft.from_dlpack(source)._is_ready
    assert ft.sum(ft.from_dlpack(source), stream=ft.gpu).item() == 0.0
    assert ft.metal.counters()["bytes copied"] == before


def test_other_arrays_are_copied_once(page_aligned):
    before = ft.metal.counters()["bytes copied"]
    x = ft.asarray(page_aligned(5000, offset=64), copy=False)
    for _ in range(3):
        assert ft.add(x, 1.0, stream=ft.gpu).tolist() == [1.0] * 5000
    assert ft.metal.counters()["bytes copied"] == before + 20_000


def test_pages_that_the_device_does_not_take_are_copied(page_aligned, host_option):
    before = ft.metal.counters()["bytes copied"]
    x = ft.asarray(page_aligned(5000), copy=False)
    host_option("failing_allocations", 1)
    assert ft.add(x, 1.0, stream=ft.gpu).tolist() == [1.0] * 5000
    assert ft.metal.counters()["bytes copied"] == before + 20_000


def test_foreign_arrays_without_elements():
    x = ft.asarray(np.empty((0, 3), np.float32), copy=False)
    with ft.stream(ft.gpu):
        assert ft.cumsum(ft.concat([x, x + 1.0]), axis=0).shape == (0, 3)
        assert ft.sum(x, axis=0).tolist() == [0.0] * 3


def test_foreign_arrays_of_any_strides():
    source = np.arange(60, dtype=np.float32).reshape(6, 10)
    for view in (source[::-1], source[:, ::-2], source[1::2, 3:7].T, source[4]):
        x = ft.asarray(view, copy=False)
        np.testing.assert_array_equal(np.array(ft.multiply(x, 2.0, stream=ft.gpu)), view * 2)


def test_command_buffers_are_bounded():
    """A long chain goes out in several batches, not in one a step."""
    x = ft.array(np.ones(100, np.float32))
    ft.cumsum(x, stream=ft.gpu).tolist()
    before = ft.metal.counters()
    with ft.stream(ft.gpu):
        for _ in range(300):
            x = ft.cumsum(x) * 0.5  # two steps, one of them a scan
    ft.eval(x)
    after = ft.metal.counters()
    buffers = after["command buffers"] - before["command buffers"]
    steps = after["kernel launches"] - before["kernel launches"]
    assert steps >= 600
    assert 5 <= buffers <= steps / 20


@pytest.mark.parametrize("length", [3, 40])
def test_loops_of_known_length_do_not_wait_for_their_steps(length):
    """All steps fit in one command buffer."""

    def buffers_of(loop):
        x = ft.array(np.ones(100, np.float32))
        before = command_buffers()
        with ft.stream(ft.gpu):
            ft.eval(loop(x))
        return command_buffers() - before

    assert buffers_of(lambda x: ft.scan(lambda c, _: (c * 1.01, c.sum()), x, None, length=length)[0]) == 1
    assert buffers_of(lambda x: ft.fori_loop(0, length, lambda i, c: c * 1.01, x)) <= 2


@pytest.mark.parametrize("trips", [1, 2, 3, 4, 31, 32, 100])
def test_while_loops_are_recorded_ahead(trips, tmp_path):
    """The GPU does what the predicate asks for, and nothing else; it is waited for now and then."""
    x = ft.array(np.ones(5, np.float32))

    def count(x):
        with ft.stream(ft.gpu):
            return ft.while_loop(
                lambda c: c[0][0] <= trips, lambda c: (c[0] + 1.0, c[2], c[1]), (x, x, 2 * x)
            )

    before = command_buffers()
    ft.metal.start_capture(tmp_path / "trace")
    counted, one, two = count(x)
    ft.eval(counted, one, two)
    ft.metal.stop_capture()
    assert counted.tolist() == [trips + 1.0] * 5
    assert [one[0].item(), two[0].item()] == ([2.0, 1.0] if trips % 2 else [1.0, 2.0])
    rounds = trips.bit_length() if trips < 32 else 5 + trips // 32
    assert command_buffers() - before <= 3 + 2 * rounds
    kernels = (tmp_path / "trace").read_text().split("\n")
    assert sum(each.startswith("fused") for each in kernels) <= 2 * trips + 3


def test_while_loops_with_much_to_carry_update_it_in_place():
    x = ft.array(np.ones(1 << 19, np.float32))
    with ft.stream(ft.gpu):
        y, n = ft.while_loop(lambda c: c[1] < 5, lambda c: (c[0] * 2.0, c[1] + 1), (x, ft.array(0)))
    assert y[-1].item() == 32.0
    assert n.item() == 5


def test_kernels_of_a_command_buffer_are_compiled_in_one_library(monkeypatch, tmp_path):
    monkeypatch.setenv("FTRANS_METAL_DUMP", str(tmp_path))
    arrays = [ft.asarray(np.ones(n, np.float32)) for n in range(3, 9)]
    with ft.stream(ft.gpu):  # constants that no other test has, shapes that are not fused
        ft.eval([ft.sin(x * (n + 0.12345)) for n, x in enumerate(arrays)])
    (library,) = tmp_path.iterdir()
    assert library.read_text().count("kernel void ") == len(arrays)


def test_memory_goes_back_when_the_gpu_is_done():
    ft.synchronize()
    before = ft.get_active_memory()
    x = ft.array(np.ones(1 << 14, np.float32))
    for _ in range(20):
        x = ft.exp(x * -1.0, stream=ft.gpu)
        ft.async_eval(x)
    ft.synchronize()
    assert ft.get_active_memory() <= before + 2 * 4 * (1 << 14)
    del x
    ft.synchronize()
    assert ft.get_active_memory() <= before + 4096


def test_empty_arrays():
    x = ft.array(np.zeros((0, 3), np.float32))
    with ft.stream(ft.gpu):
        results = [
            x + 1,
            ft.cumsum(x, axis=0),
            ft.concatenate([x, x]),
            x.T @ x,
            x.sum(axis=0),
            x.T.reshape(-1),
        ]
    assert [np.array(each).shape for each in results] == [(0, 3), (0, 3), (0, 3), (3, 3), (3,), (0,)]


def test_callback_that_uses_the_gpu_itself():
    """The stream's thread stands still meanwhile: the callback's work runs all the same."""
    x = ft.arange(4, dtype=ft.float32)
    shape = ft.ShapeDtypeStruct((4,), ft.float32)
    with ft.stream(ft.gpu):
        y = ft.pure_callback(lambda v: np.array(ft.add(ft.asarray(v), 1.0, stream=ft.gpu)), shape, x * 2.0)
        assert (y * 3.0).tolist() == [3.0, 9.0, 15.0, 21.0]


def test_the_memory_limit_counts_what_the_gpu_holds_but_waits_for_it():
    """The chain needs a few blocks at a time, which the GPU gives back while the rest is being recorded."""
    x = ft.array(np.ones(1 << 12, np.float32))
    ft.synchronize()
    before = ft.set_memory_limit(ft.get_active_memory() + 5 * (1 << 14))
    try:
        with ft.stream(ft.gpu):
            for _ in range(20):
                x = ft.cumsum(x * 0.0 + 1.0)
        ft.eval(x)
    finally:
        ft.set_memory_limit(before)
    assert x[-1].item() == 1 << 12
