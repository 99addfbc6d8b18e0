"""debug.callback, debug.print and debug.breakpoint."""

import sys

import numpy as np
import pytest

import ftrans as ft


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
        ("none", (1,), "the arguments 0 are not used"),
        ("{", (), "does not fit its arguments"),
        ("{} {}", (1,), "fields for more than the 1 positional arguments"),
        ("{x}", (), "there is no argument 'x'"),
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
