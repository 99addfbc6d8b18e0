"""debug.callback, debug.print, debug_nans and debug_infs."""

import sys
import threading

import numpy as np
import pytest

import ftrans as ft
from ftrans.core.primitive import is_observed


def square(x):
    ft.debug.print("x = {}", x)
    return x * x


@pytest.mark.parametrize(
    ("call", "printed"),
    [
        (lambda: square(ft.array(2.0)), ["2.0"]),
        (lambda: ft.jit(square)(2.0), ["2.0"]),
        (lambda: ft.grad(square)(2.0), ["2.0"]),
        (lambda: ft.jvp(square, (2.0,), (1.0,)), ["2.0"]),
        (lambda: ft.linearize(square, 2.0)[1](1.0), ["2.0"]),
        (lambda: ft.grad(ft.grad(square))(2.0), ["2.0"]),
        (lambda: ft.grad(ft.jit(square))(2.0), ["2.0"]),
        (lambda: ft.jit(ft.grad(square))(2.0), ["2.0"]),
        (lambda: ft.jit(ft.grad(ft.jit(ft.grad(ft.jit(square)))))(2.0), ["2.0"]),
        (lambda: ft.jvp(ft.grad(ft.jit(square)), (2.0,), (1.0,)), ["2.0"]),
        (lambda: ft.vmap(square)(ft.array([1.0, 2.0])), ["1.0", "2.0"]),
        (lambda: ft.vmap(ft.grad(square))(ft.array([1.0, 2.0])), ["1.0", "2.0"]),
        (lambda: ft.jit(ft.vmap(ft.jit(square)))(ft.array([1.0, 2.0])), ["1.0", "2.0"]),
        (lambda: ft.grad(lambda x: ft.sum(ft.vmap(square)(x)))(ft.array([1.0, 2.0])), ["1.0", "2.0"]),
        (lambda: ft.vmap(ft.vmap(square))(ft.array([[1.0], [2.0]])), ["1.0", "2.0"]),
        (lambda: ft.vmap(lambda x, y: x * square(y), (0, None))(ft.arange(3.0), 2.0), ["2.0"]),
    ],
)
def test_print_under_transformations(call, printed, capsys):
    call()
    ft.synchronize()
    assert capsys.readouterr().out.splitlines() == [f"x = {x}" for x in printed]


def test_nothing_is_printed_while_tracing(capsys):
    jaxpr = ft.make_jaxpr(square)(2.0)
    assert "debug_callback" in str(jaxpr)
    ft.eval_shape(square, 2.0)
    assert capsys.readouterr().out == ""
    assert ft.eval_jaxpr(jaxpr.jaxpr, jaxpr.consts, ft.array(3.0))[0].item() == 9.0
    assert capsys.readouterr().out == "x = 3.0\n"


@pytest.mark.parametrize("ordered", [False, True])
def test_program_order(ordered, capsys):
    @ft.jit
    def f(x):
        ft.debug.print("first {}", x, ordered=ordered)
        y = ft.sum(ft.sin(x) @ ft.cos(x))
        ft.debug.print("second {shape}", shape=x.shape, ordered=ordered)
        ft.debug.print("third {:.1f}", y * 0, ordered=ordered)
        return y

    f(ft.ones((2, 2)))
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines() if line[0] != " "] == [
        "first",
        "second",
        "third",
    ]


def test_function_that_only_prints(capsys):
    f = ft.jit(lambda x: ft.debug.print("{}", x))
    assert f(1.0) is None
    assert f(2.0) is None
    assert capsys.readouterr().out == "1.0\n2.0\n"
    assert f.trace_count == 1


def test_formats(capsys):
    ft.debug.print(
        "{x:.2f} {0[1]} {0.strides} {1!r:>{3}} {2}", ft.array([1, 2]), "t", {"a": 1}, 4, x=ft.array(1.0)
    )
    assert capsys.readouterr().out == "1.00 2 (4,)  't' {'a': 1}\n"
    for fmt, arguments, message in (
        ("{} {}", (1,), "index out of range"),
        ("{x}", (), "'x'"),
        ("none", (1,), "the arguments 0 are not used"),
        ("{", (), "does not fit its arguments"),
    ):
        with pytest.raises(ValueError, match=message):
            ft.debug.print(fmt, *arguments)


def test_callback_gets_trees_and_other_leaves():
    seen = []
    ft.jit(
        lambda x: ft.debug.callback(lambda *a, **k: seen.append((a, k)), {"x": x, "n": 3}, [x], label="l")
    )(2)
    ((tree, items), keywords) = seen[0]
    assert keywords == {"label": "l"}
    assert (tree["n"], tree["x"].item(), items[0].item()) == (3, 2, 2)
    assert isinstance(tree["x"], np.ndarray)
    with pytest.raises(ValueError, match="read-only"):
        tree["x"][...] = 0
    with pytest.raises(TypeError, match=r"debug\.callback expects a function"):
        ft.debug.callback(3)


def test_breakpoint(monkeypatch):
    stopped = []

    def hook():
        frame = sys._getframe(1)
        stopped.append((frame.f_locals["args"][0].item(), frame.f_locals["kwargs"]["half"].item()))

    monkeypatch.setattr(sys, "breakpointhook", hook)
    ft.jit(lambda x: ft.debug.breakpoint(x, half=x / 2))(1.0)
    assert stopped == [(1.0, 0.5)]


def test_exception_of_a_callback():
    def fail(x):
        raise LookupError("no")

    f = ft.jit(lambda x: (ft.debug.callback(fail, x), x)[1])
    with pytest.raises(LookupError, match="no"):
        f(1.0)
    with pytest.raises(LookupError, match="no"):
        ft.debug.callback(fail, ft.array(1.0))


def logarithm(x):
    return ft.sum(ft.log(x))  # the line that errors name


X = np.array([1.0, -2.0, 3.0], np.float32)
LOG = (
    r"log gave NaN in 1 of 3 elements, at .*test_debug.py:\d+ \(logarithm\):\n"
    r"    b:f32\[.*3\] = log a\nwhere a is from -2 to 3"
)


@pytest.mark.parametrize(
    "transform",
    [
        lambda f: f,
        ft.jit,
        ft.grad,
        lambda f: ft.jit(ft.grad(f)),
        lambda f: ft.grad(ft.jit(f)),
        lambda f: lambda x: ft.vmap(f)(x[None]),
        lambda f: lambda x: ft.jvp(f, (x,), (x,)),
        ft.hessian,
    ],
)
def test_nan_is_found_where_it_arises(transform):
    function = transform(logarithm)
    function(ft.array(X))  # compiled before the context
    with ft.debug_nans(), pytest.raises(FloatingPointError, match=LOG):
        function(ft.array(X))
    function(ft.array(X))
    assert not is_observed()


def test_finite_programs_give_what_they_give():
    function = ft.jit(ft.grad(lambda x: ft.sum(ft.sin(x) * x)))
    expected = np.asarray(function(ft.array(X)))
    with ft.debug_nans(), ft.debug_infs():
        np.testing.assert_allclose(np.asarray(function(ft.array(X))), expected, rtol=1e-6)
        assert (ft.array(X) + 1).tolist() == (X + 1).tolist()
        assert ft.array([1, 2]).sum().item() == 3


def test_backward_pass_is_named():
    with ft.debug_infs(), pytest.raises(FloatingPointError, match=r"div gave inf.*, in the backward pass"):
        ft.grad(lambda x: ft.sum(ft.sqrt(x)))(ft.array([0.0, 1.0]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ft.array([np.nan, np.inf, 1.0]) + ft.array(2.0), "where a is 1 with 1 NaN with 1 inf"),
        (lambda: ft.array([0j, 3 + 4j]) / 0, "where a is of magnitude from 0 to 5"),
        (lambda: ft.array(0.0) / 0, "div gave NaN, at"),
        (
            lambda: ft.array([0.0], dtype=ft.bfloat16) / ft.array([0.0], dtype=ft.bfloat16),
            "where a is 0, b is 0",
        ),
    ],
)
def test_ranges(call, message):
    with ft.debug_nans(), pytest.raises(FloatingPointError, match=message):
        call()


def test_what_is_not_asked_for_is_not_found():
    with ft.debug_nans():
        assert (1 / ft.array(0.0)).item() == np.inf
    with ft.debug_infs():
        assert np.isnan((ft.array(0.0) / 0).item())
    with ft.debug_nans():
        with ft.debug_nans():
            pass
        with pytest.raises(FloatingPointError):
            ft.array(0.0) / 0


def test_context_in_one_thread_ends_as_the_last_one_does():
    entered, leave = threading.Event(), threading.Event()

    def hold():
        with ft.debug_nans():
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    assert entered.wait(10)
    with ft.debug_nans():
        pass
    assert is_observed()
    leave.set()
    thread.join()
    assert not is_observed()


def test_callbacks_inside_of_the_context(capsys):
    with ft.debug_nans():
        ft.jit(square)(2.0)
        ft.jit(lambda x: ft.fft.fft(x))(ft.array(X))
    assert capsys.readouterr().out == "x = 2.0\n"
