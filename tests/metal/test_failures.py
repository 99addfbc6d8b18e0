"""What goes wrong on the GPU is an exception where its result is needed; everything else goes on."""

import re
import threading

import numpy as np
import pytest

import ftrans as ft

_constants = iter(range(1, 1000))


def ones(*shape):
    """Not a constant, which would be folded."""
    return ft.asarray(np.ones(shape, np.float32))


def new_kernel(x):
    """An operation with a constant of its own, hence with a kernel that is not known yet."""
    return ft.add(ft.multiply(x, float(next(_constants)) / 7.0, stream=ft.gpu), 1.0, stream=ft.gpu)


def test_compile_error_shows_the_numbered_source(host_option):
    host_option("failing_compilations", 1)
    y = new_kernel(ones(5))
    with pytest.raises(RuntimeError, match=r"(?s)because a test asked for it.*\b1 .*#include.*kernel void"):
        ft.eval(y)
    ft.eval(y)  # nothing is lost
    assert np.all(np.array(y) > 1)


def test_allocation_failure(host_option):
    """Long reductions need memory for the parts; new arrays need pages that the device can map."""
    x = ones(1 << 17)
    ft.eval(ft.sum(x, stream=ft.gpu))
    host_option("failing_allocations", 1)
    total = ft.sum(x, stream=ft.gpu)
    with pytest.raises(MemoryError, match=r"reduce_sum: Device\(gpu, 0\) has no memory"):
        ft.eval(total)
    assert total.item() == 1 << 17
    ft.clear_cache()
    y = ft.asarray(np.ones(1 << 16, np.float32))
    host_option("failing_allocations", 1)
    with pytest.raises(MemoryError, match=r"Device\(gpu, 0\) has no memory for \d+ bytes"):
        ft.eval(ft.add(y, 1.0, stream=ft.gpu))
    assert ft.add(y, 1.0, stream=ft.gpu)[0].item() == 2.0


def test_command_buffer_error_names_its_operations(host_option):
    x = ones(5)
    ft.eval(ft.exp(x, stream=ft.gpu), ft.cumsum(x, stream=ft.gpu))
    host_option("failing_command_buffers", 1)
    y = ft.cumsum(ft.exp(x, stream=ft.gpu), stream=ft.gpu)
    with pytest.raises(RuntimeError, match=re.escape("the command buffer held exp, cumsum")):
        ft.eval(y)
    np.testing.assert_allclose(np.array(y), np.e * np.arange(1, 6), rtol=1e-6)


def test_error_of_an_asynchronous_evaluation_surfaces_where_the_result_is_needed(host_option):
    x = ones(5)
    ft.eval(ft.exp(x, stream=ft.gpu))
    host_option("failing_command_buffers", 1)
    y = ft.exp(x, stream=ft.gpu)
    ft.async_eval(y)
    other = ft.new_stream(ft.gpu)
    z = ft.exp(x, stream=other)
    ft.synchronize(ft.gpu)
    np.testing.assert_allclose(np.array(z), np.e, rtol=1e-6)
    with pytest.raises(RuntimeError, match="the command buffer held exp"):
        ft.add(y, 1.0, stream=ft.cpu).tolist()
    np.testing.assert_allclose(np.array(y), np.e, rtol=1e-6)


@pytest.mark.parametrize("where", ["the same stream", "another stream", "a loop", "the CPU"])
def test_an_error_reaches_evaluations_that_were_enqueued_behind_it(host_option, where):
    x = ones(5)
    first = ft.new_stream(ft.gpu)
    second = {"another stream": ft.new_stream(ft.gpu), "the CPU": ft.cpu}.get(where, first)
    called = []

    def behind(y):
        with ft.stream(second):
            if where == "a loop":  # its predicate would be computed from what was never written
                return ft.while_loop(lambda c: c[0] < 100.0, lambda c: c * 2.0, y)
            if where == "the CPU":
                shape = ft.ShapeDtypeStruct((5,), ft.float32)
                return ft.pure_callback(lambda v: called.append(1) or v, shape, y)
            return y * 2.0

    ft.eval(behind(ft.exp(x, stream=first)))
    called.clear()
    host_option("held", 1)
    host_option("failing_command_buffers", 1)
    y = ft.exp(x, stream=first)
    ft.async_eval(y)
    z = behind(y)
    ft.async_eval(z)
    host_option("held", 0)
    with pytest.raises(RuntimeError, match="the command buffer held exp"):
        ft.eval(z)
    assert not called
    with pytest.raises(RuntimeError, match="the command buffer held exp"):
        ft.eval(y)
    factor = {"a loop": 64, "the CPU": 1}.get(where, 2)
    np.testing.assert_allclose(np.array(z), factor * np.e, rtol=1e-6)


def test_an_error_in_an_earlier_command_buffer_of_the_evaluation(host_option):
    """The chain fills several; it is the first that fails."""
    with ft.stream(ft.gpu):
        x = ones(8)
        for _ in range(100):
            x = ft.cumsum(x) * 0.5
    ft.async_eval(ft.cumsum(ones(8) * 0.5, stream=ft.gpu))
    ft.synchronize()
    host_option("failing_command_buffers", 1)
    with pytest.raises(RuntimeError, match="the command buffer held"):
        ft.eval(x)
    ft.eval(x)
    assert np.all(np.isfinite(np.array(x)))


def test_time_out(host_option):
    x = ones(48, 48)
    ft.eval(ft.matmul(x, x, stream=ft.gpu))
    host_option("milliseconds", 0)
    y = ft.matmul(x, x, stream=ft.gpu)
    with pytest.raises(RuntimeError, match=r"time-out.*the command buffer held dot_general"):
        ft.eval(y)
    host_option("milliseconds", 60_000)
    assert y[0, 0].item() == 48.0


@pytest.mark.parametrize("where", ["behind it on the CPU", "before it on the CPU", "on another GPU stream"])
def test_other_streams_of_the_evaluation_end_too(host_option, where):
    x = ones(5)
    other = ft.new_stream(ft.gpu)
    ft.eval(ft.exp(x, stream=ft.gpu), ft.multiply(x, 2.0, stream=other))
    host_option("failing_command_buffers", 1)
    if where == "behind it on the CPU":
        y = ft.multiply(ft.exp(x, stream=ft.gpu), 2.0, stream=ft.cpu)
    elif where == "before it on the CPU":
        y = ft.exp(ft.multiply(x, 2.0, stream=ft.cpu), stream=ft.gpu)
    else:
        y = ft.multiply(ft.exp(x, stream=ft.gpu), 2.0, stream=other)
    with pytest.raises(RuntimeError, match="a test asked for it"):
        ft.eval(y)
    np.testing.assert_allclose(np.array(y), 2 * np.e if "before" not in where else np.e**2, rtol=1e-6)


def doubled(c):
    return ft.multiply(c, 2.0, stream=ft.gpu)


#: Functions of an array of ones, and their values.
CONTROL_FLOW = {
    "while": (lambda x: ft.while_loop(lambda c: c[0] < 10.0, doubled, x), 16.0),
    "derivative of while": (ft.grad(lambda x: ft.while_loop(lambda c: c[0] < 10.0, doubled, x).sum()), 16.0),
    "scan": (lambda x: ft.scan(lambda c, _: (doubled(c), None), x, None, length=100)[0], 2.0**100),
    "cond": (lambda x: ft.cond(ft.sum(x, stream=ft.gpu) > 1.0, doubled, lambda v: v, x), 2.0),
}


@pytest.mark.parametrize("where", [ft.cpu, ft.gpu], ids=str)
@pytest.mark.parametrize("name", CONTROL_FLOW)
def test_errors_inside_of_control_flow(name, where, host_option):
    """Twice in a row, and when the step itself is the CPU's."""
    function, expected = CONTROL_FLOW[name]
    with ft.stream(where):
        y = function(ones(3))
    for _ in range(2):
        host_option("failing_command_buffers", 1)
        with pytest.raises(RuntimeError, match="the command buffer held"):
            ft.eval(y)
    np.testing.assert_array_equal(np.array(y), np.full(3, expected, np.float32))


def test_independent_work_behind_errors_is_done(host_option):
    """The device refuses what the queue has behind an error: it goes to a new one, and keeps its place."""
    x, first, second = ones(5), ft.new_stream(ft.gpu), ft.new_stream(ft.gpu)
    host_option("held", 1)
    host_option("failing_command_buffers", 2)
    failing = [ft.exp(x, stream=first), ft.sin(x, stream=first)]
    good = [ft.multiply(x, 3.0, stream=first)]
    good += [ft.add(good[0], 1.0, stream=second), ft.add(good[0], 2.0, stream=first)]
    good += [ft.add(good[1], good[2], stream=ft.cpu)]
    for each in failing + good:
        ft.async_eval(each)
    host_option("held", 0)
    assert [each[0].item() for each in good] == [3.0, 4.0, 5.0, 9.0]
    for each in failing:
        with pytest.raises(RuntimeError, match="a test asked for it"):
            ft.eval(each)
        ft.eval(each)


def test_fault_of_a_kernel(host_option):
    kernels = {
        name: ft.fast.metal_kernel(name, ["x"], ["out"], f"out[thread_position_in_grid.x + {offset}] = x[0];")
        for name, offset in [("beyond", 1 << 20), ("within", 0)]
    }

    def call(name):
        with ft.stream(ft.gpu):
            (y,) = kernels[name](
                inputs=[ones(4)],
                grid=(4, 1, 1),
                threadgroup=(4, 1, 1),
                output_shapes=[(4,)],
                output_dtypes=[ft.float32],
            )
        ft.async_eval(y)
        return y

    results = [call(name) for name in ("within", "beyond", "within")]
    with pytest.raises(
        RuntimeError, match=r"thread \(\d, 0, 0\).*writes byte \d+ of buffer.*held metal_kernel"
    ):
        ft.eval(results[1])
    assert results[0].tolist() == results[2].tolist() == [1.0] * 4


@pytest.mark.parametrize("how", ["at once", "in a loop", "asynchronously", "while synchronizing"])
def test_interrupted_while_the_device_is_busy(how, host_option, interrupt_soon):
    x = ones(5)
    with ft.stream(ft.gpu):
        y = ft.while_loop(lambda c: c[0] < 10.0, doubled, x) if how == "in a loop" else ft.exp(x)
    host_option("held", 1)
    if how in ("asynchronously", "while synchronizing"):
        ft.async_eval(y)
    interrupt_soon()
    with pytest.raises(KeyboardInterrupt):
        ft.synchronize() if how == "while synchronizing" else ft.eval(y)
    host_option("held", 0)
    np.testing.assert_allclose(np.array(y), 16.0 if how == "in a loop" else np.e, rtol=1e-6)


def test_threads_see_their_own_errors(host_option):
    x = ones(64)
    streams = [ft.new_stream(ft.gpu) for _ in range(3)]
    ft.eval([ft.exp(x, stream=s) for s in streams])
    host_option("failing_command_buffers", 3)
    outcomes = []

    def work(stream):
        for _ in range(4):
            try:
                outcomes.append(float(ft.exp(x, stream=stream)[0].item()))
            except RuntimeError as error:
                outcomes.append(str(error))

    threads = [threading.Thread(target=work, args=(s,)) for s in streams]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    errors = [each for each in outcomes if isinstance(each, str)]
    assert len(outcomes) == 12
    assert len(errors) == 3
    assert all("exp" in each for each in errors)


def test_error_of_a_compiled_function_that_nobody_waited_for(host_option):
    f = ft.jit(lambda x: ft.exp(x, stream=ft.gpu))
    x = ones(5)
    ft.eval(f(x))
    host_option("failing_command_buffers", 1)
    y = f(x)
    ft.async_eval(y)
    ft.synchronize()
    with pytest.raises(RuntimeError, match="the command buffer held exp"):
        ft.eval(y)
    np.testing.assert_allclose(np.array(y), np.e, rtol=1e-6)
