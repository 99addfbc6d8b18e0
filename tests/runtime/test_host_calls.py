"""Steps that call Python: what the function sees, on which thread, and what becomes of its exceptions."""

import gc
import subprocess
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import ftrans as ft
from ftrans import _native
from ftrans.core.avals import shaped_array

VECTOR = shaped_array((3,), ft.float32)


def host_call(run, *arrays, out_avals=(VECTOR,)):
    return _native.host_call(_native.HostFunction(run, "test"), arrays, out_avals)


def doubled(inputs, outputs):
    np.multiply(inputs[0], 2, out=outputs[0])


def pure(function, *args, like=None):
    like = args[0] if like is None else like
    return ft.pure_callback(function, ft.ShapeDtypeStruct(like.shape, like.dtype), *args)


def test_inputs_are_views_and_outputs_are_filled_in_place():
    x = ft.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    ft.eval(x)
    seen = []

    def run(inputs, outputs):
        seen.append((inputs[0].ctypes.data, inputs[0].flags.writeable, inputs[0].strides))
        assert outputs[0].flags.writeable
        doubled(inputs, outputs)

    (y,) = host_call(run, x[:, 1])
    assert y.tolist() == [4.0, 8.0, 12.0]
    assert seen == [(np.asarray(x).ctypes.data + 4, False, (8,))]


def test_call_is_lazy_and_runs_once():
    calls = []

    def run(inputs, outputs):
        calls.append(None)
        doubled(inputs, outputs)

    (y,) = host_call(run, ft.ones(3))
    assert not calls
    ft.eval(y + 1, y * 2)
    assert y.tolist() == [2.0, 2.0, 2.0]
    assert len(calls) == 1


@pytest.mark.parametrize("dtype", [ft.bool_, ft.uint8, ft.int64, ft.float16, ft.bfloat16, ft.complex64])
@pytest.mark.parametrize("shape", [(), (0,), (2, 0), (2, 3)])
def test_dtypes_and_shapes(dtype, shape):
    x = ft.ones(shape, dtype=dtype)
    aval = shaped_array(shape, dtype)

    def run(inputs, outputs):
        assert inputs[0].shape == outputs[0].shape == shape
        assert inputs[0].dtype == outputs[0].dtype == np.asarray(x).dtype
        outputs[0][...] = inputs[0]

    (y,) = host_call(run, x, out_avals=(aval,))
    np.testing.assert_array_equal(np.asarray(y), np.asarray(x))


def test_a_view_that_is_kept_stays_what_it_was():
    kept = []

    def run(inputs, outputs):
        kept.append(inputs[0])
        doubled(inputs, outputs)

    x = ft.ones(3) + 1
    (y,) = host_call(run, x)
    del x
    z = y
    for _ in range(5):
        z = z + 1  # nothing reuses the memory of what is kept
    ft.eval(z)
    np.testing.assert_array_equal(kept[0], [2.0, 2.0, 2.0])


def test_results_of_several_outputs():
    def run(inputs, outputs):
        outputs[0][...], outputs[1][...] = np.divmod(inputs[0], 2)

    q, r = host_call(run, ft.array([3.0, 4.0, 5.0]), out_avals=(VECTOR, VECTOR))
    assert (q.tolist(), r.tolist()) == ([1.0, 2.0, 2.0], [1.0, 0.0, 1.0])


def test_exception_is_the_original_one_each_time():
    error = LookupError("from the callback")

    def run(inputs, outputs):
        raise error

    (y,) = host_call(run, ft.ones(3))
    for _ in range(3):
        with pytest.raises(LookupError) as caught:
            ft.eval(y)
        assert caught.value is error
        assert any(entry.name == "run" for entry in caught.traceback)


def test_exception_on_a_stream_reaches_every_waiter():
    def run(inputs, outputs):
        raise LookupError("from the stream")

    (y,) = host_call(run, ft.ones(3))
    results = [y + i for i in range(4)]
    ft.async_eval(*results)

    def wait(x):
        with pytest.raises(LookupError, match="from the stream"):
            ft.eval(x)
        return True

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(wait, results))


def test_exception_leaves_the_rest_computable():
    def run(inputs, outputs):
        raise LookupError

    x = ft.ones(3) + 1
    (y,) = host_call(run, x)
    with pytest.raises(LookupError):
        ft.eval(y)
    assert x.tolist() == [2.0, 2.0, 2.0]


def test_async_call_runs_on_another_thread():
    threads = []

    def run(inputs, outputs):
        threads.append(threading.get_ident())
        doubled(inputs, outputs)

    (y,) = host_call(run, ft.ones(3))
    ft.async_eval(y)
    ft.synchronize()
    assert y.tolist() == [2.0, 2.0, 2.0]
    assert threads[0] != threading.get_ident()


def test_many_threads_and_streams():
    def work(i):
        with ft.stream(ft.new_stream(ft.cpu)):
            x = ft.full((3,), float(i))
            for _ in range(20):
                (x,) = host_call(lambda inputs, outputs: np.add(inputs[0], 1, out=outputs[0]), x)
                ft.async_eval(x)
            return x.tolist()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(4))) == [[20.0 + i] * 3 for i in range(4)]


def test_calls_across_streams():
    first, second = ft.new_stream(ft.cpu), ft.new_stream(ft.cpu)
    with ft.stream(first):
        (y,) = host_call(doubled, ft.ones(3) + 1)
    with ft.stream(second):
        (z,) = host_call(doubled, y)
        z = z + y
    assert z.tolist() == [12.0, 12.0, 12.0]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_function_may_evaluate_on_its_own_stream(asynchronous):
    def run(inputs, outputs):
        outputs[0][...] = np.asarray(ft.sin(ft.array(inputs[0])) + 1)

    (y,) = host_call(run, ft.zeros(3))
    if asynchronous:
        ft.async_eval(y)
    assert y.tolist() == [1.0, 1.0, 1.0]


def test_function_may_wait_for_what_is_queued_behind_it():
    started, queued = threading.Event(), threading.Event()
    behind = ft.ones(3) + 1

    def run(inputs, outputs):
        started.set()
        assert queued.wait(10)
        outputs[0][...] = np.asarray(behind)

    (y,) = host_call(run, ft.zeros(3))
    ft.async_eval(y)
    assert started.wait(10)
    ft.async_eval(behind)
    queued.set()
    assert y.tolist() == [2.0, 2.0, 2.0]


def test_function_is_waited_for_by_streams_while_it_evaluates():
    """What it needs is queued behind steps that wait for the function itself."""
    streams = [ft.new_stream(ft.cpu) for _ in range(3)]
    started, queued = threading.Event(), threading.Event()
    with ft.stream(streams[1]):
        behind = ft.sin(ft.zeros(3)) + 1
    with ft.stream(streams[2]):
        behind = ft.exp(ft.sort(behind) * 0)
    with ft.stream(streams[0]):
        behind = ft.sort(behind) + 1

    def run(inputs, outputs):
        started.set()
        assert queued.wait(10)
        with ft.stream(streams[2]):
            outputs[0][...] = np.asarray(behind + 1)

    with ft.stream(streams[0]):
        (y,) = host_call(run, ft.zeros(3))
    for stream in streams[1:]:
        with ft.stream(stream):
            y = ft.sort(y) + 1
    ft.async_eval(y)
    assert started.wait(10)
    ft.async_eval(behind)
    queued.set()
    assert y.tolist() == [5.0, 5.0, 5.0]


def test_nested_evaluations_of_many_threads_and_streams():
    streams = [ft.new_stream(ft.cpu) for _ in range(3)]

    def nested(a):
        y = ft.cos(ft.array(a) * 0)
        ft.async_eval(y)
        return np.asarray(y * 1)

    def work(i):
        x = ft.zeros(3)
        for k in range(40):
            with ft.stream(streams[(i + k) % 3]):
                x = pure(nested, x)
            with ft.stream(streams[(i * k) % 3]):
                x = pure(np.negative, x + 1)
            if k % 2:
                ft.async_eval(x)
            if k % 5 == 4:
                assert x.tolist() == [-2.0] * 3
        return True

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(4)))


def test_function_may_synchronize():
    def run(inputs, outputs):
        ft.synchronize()
        doubled(inputs, outputs)

    (y,) = host_call(run, ft.ones(3))
    ft.async_eval(y)
    assert y.tolist() == [2.0, 2.0, 2.0]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_function_is_let_go(asynchronous):
    """Neither the graph, nor a cache of programs, nor an exception keeps it."""

    class Run:
        fails = False

        def __call__(self, inputs, outputs):
            if self.fails:
                raise LookupError
            doubled(inputs, outputs)

    for fails in (False, True):
        run = Run()
        run.fails = fails
        reference = weakref.ref(run)
        (y,) = host_call(run, ft.ones(3))
        if asynchronous:
            ft.async_eval(y)
            ft.synchronize()
        else:
            try:
                ft.eval(y)
            except LookupError:
                assert fails
        del run, y
        gc.collect()
        assert reference() is None


def test_memory_is_given_back():
    x = ft.ones(1 << 16)
    ft.eval(x)
    before = ft.get_active_memory()
    for _ in range(5):
        ft.eval(pure(np.sin, x))
    gc.collect()
    assert ft.get_active_memory() == before


def test_equal_pure_nodes_are_merged_and_unused_ones_dropped():
    calls = []

    def run(inputs, outputs):
        calls.append(None)
        doubled(inputs, outputs)

    function = _native.HostFunction(run, "test")
    x = ft.ones(3)
    y = _native.host_call(function, [x], [VECTOR])[0] + _native.host_call(function, [x], [VECTOR])[0]
    _native.host_call(function, [x], [VECTOR])
    assert y.tolist() == [4.0, 4.0, 4.0]
    assert len(calls) == 1


def test_program_names_the_function():
    x = _native.placeholder(VECTOR)
    program = _native.compile([x], _native.host_call(_native.HostFunction(doubled, "doubled"), [x], [VECTOR]))
    text = program.as_text()
    assert "host_call" in text
    assert "doubled" in text


def test_tracers_are_refused():
    with pytest.raises(TypeError, match="host_call: expected concrete Arrays"):
        ft.jit(lambda x: host_call(doubled, x)[0])(ft.ones(3))


SHUTDOWN = """
import atexit, numpy as np, time
late = []
atexit.register(lambda: late and ft.async_eval(*late))  # runs after ftrans' own
import ftrans as ft
def slow(x):
    time.sleep(0.05)
    return x + 1
f = lambda x: ft.pure_callback(slow, ft.ShapeDtypeStruct((3,), ft.float32), x)
late.append(f(f(ft.ones(3))))
pending = f(ft.ones(3))
running = f(ft.zeros(3))
ft.async_eval(running)
print("done")
"""


def test_interpreter_may_end_with_calls_pending_and_running():
    result = subprocess.run(
        [sys.executable, "-c", SHUTDOWN], capture_output=True, text=True, timeout=60, check=False
    )
    assert (result.returncode, result.stdout.strip(), result.stderr) == (0, "done", "")
