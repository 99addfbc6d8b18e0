"""Tracebacks of the user's frames, and notes of where an error came from."""

import functools
import gc
import inspect
import os
import pickle
import subprocess
import sys
import threading
import traceback

import pytest

import ftrans as ft
from ftrans.core.named_axes import axis_lookups
from ftrans.core.tracing import innermost_abstract_trace


def fail(x):
    raise LookupError("no")


def outer(x):
    return ft.sum(ft.vmap(fail)(x))


def rules(x):
    return ft.pure_callback(float, x, x)


@ft.custom_vjp
def with_rule(x):
    return x


with_rule.defvjp(lambda x: (x, None), lambda residual, cotangent: fail(cotangent))

CALLS = {
    "transforms": (lambda: ft.jit(ft.grad(outer))(ft.ones(2)), ["outer", "fail"]),
    "operation": (lambda: ft.matmul(ft.ones(2), ft.ones(3)), []),
    "operator": (lambda: ft.ones(2) + ft.ones(3), []),
    "method": (lambda: ft.ones(2).reshape(3), []),
    "elementwise": (lambda: ft.sin("x"), []),
    "transform": (lambda: ft.grad(3), []),
    "control flow": (lambda: ft.scan(lambda c, x: fail(c), 0, ft.ones(2)), ["<lambda>", "fail"]),
    "custom rule": (lambda: ft.grad(with_rule)(1.0), ["<lambda>", "fail"]),
    "callback": (lambda: ft.eval(ft.jit(lambda x: ft.pure_callback(fail, x, x))(1.0)), ["fail"]),
    "derivative": (lambda: ft.grad(rules)(1.0), []),
}


def frames_of(call):
    try:
        call()
    except Exception as error:
        return [
            f"{f.f_code.co_filename}:{f.f_code.co_name}" for f, _ in traceback.walk_tb(error.__traceback__)
        ]
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize("name", CALLS)
def test_only_frames_of_the_user_are_shown(name):
    call, expected = CALLS[name]
    assert frames_of(call)[2:] == [f"{__file__}:{function}" for function in expected]


def test_all_frames_are_shown_when_asked():
    call, _ = CALLS["transforms"]
    package = os.path.dirname(ft.__file__)
    with ft.traceback_filtering("off"):
        assert any(frame.startswith(package) for frame in frames_of(call))
        with ft.traceback_filtering("hide"):
            assert not any(frame.startswith(package) for frame in frames_of(call))
        assert any(frame.startswith(package) for frame in frames_of(call))
        elsewhere = []
        thread = threading.Thread(target=lambda: elsewhere.extend(frames_of(call)))
        thread.start()
        thread.join()
        assert not any(frame.startswith(package) for frame in elsewhere)
    assert not any(frame.startswith(package) for frame in frames_of(call))
    with pytest.raises(ValueError, match="'hide' or 'off', got 'on'"):
        ft.traceback_filtering("on")


@pytest.mark.parametrize(("mode", "hidden"), [("off", False), ("hide", True), ("some", None)])
def test_environment_variable(mode, hidden):
    code = "import ftrans as ft\nft.ones(2).reshape(3)"
    environment = {**os.environ, "FTRANS_TRACEBACK_FILTERING": mode}
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    if hidden is None:
        assert "FTRANS_TRACEBACK_FILTERING must be 'hide' or 'off', got 'some'" in process.stderr
    else:
        assert ("ops/" in process.stderr) is not hidden
        assert "ValueError: reshape: cannot reshape" in process.stderr


def test_causes_are_filtered_too():
    def f(x):
        try:
            ft.ones(2).reshape(3)
        except ValueError as error:
            raise KeyError("outer") from error

    with pytest.raises(KeyError) as caught:
        ft.jit(f)(1.0)
    package = os.path.dirname(ft.__file__)
    cause = caught.value.__cause__
    assert [f.f_code.co_name for f, _ in traceback.walk_tb(cause.__traceback__)] == ["f"]
    assert not any(str(e.path).startswith(package) for e in caught.traceback)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="notes")
def test_notes_name_transformations_and_line():
    with pytest.raises(LookupError) as caught:
        ft.jit(ft.grad(outer))(ft.ones(2))
    line = inspect.getsourcelines(fail)[1] + 1
    assert caught.value.__notes__ == [
        f"under vmap of fail, at {__file__}:{line} (fail)",
        "under grad of outer",
        "under jit of outer",
    ]
    with pytest.raises(TypeError) as caught:
        ft.grad(rules)(1.0)
    line = inspect.getsourcelines(rules)[1] + 1
    assert caught.value.__notes__ == [f"for the operation at {__file__}:{line} (rules), under grad"]


def test_backward_pass_names_the_line_of_the_forward_pass():
    @ft.custom_vjp
    def f(x):
        return x

    f.defvjp(lambda x: (x, None), lambda residual, cotangent: fail(cotangent))
    with pytest.raises(LookupError) as caught:
        ft.grad(lambda x: f(x) * 2)(1.0)
    assert any("for the operation at" in note and __file__ in note for note in caught.value.__notes__)


class WithoutNotes(Exception):
    """As all exceptions before Python 3.11."""

    add_note = property()


def test_notes_before_they_existed():
    def f(x):
        raise WithoutNotes("no", 1)

    with pytest.raises(WithoutNotes) as caught:
        ft.vmap(f)(ft.ones(2))
    message, one = caught.value.args
    assert one == 1
    assert message.startswith("no\nunder vmap of f, at ")
    assert caught.value.__notes__ == message.splitlines()[1:]


def test_wrapped_functions_look_like_functions():
    assert ft.vmap.__name__ == "vmap"
    assert next(iter(inspect.signature(ft.vmap).parameters)) == "fun"
    assert ">>> ft.matmul" in ft.matmul.__doc__
    assert ft.matmul.__module__.startswith("ftrans.ops")
    assert pickle.loads(pickle.dumps(ft.matmul)) is ft.matmul
    wrapper = functools.wraps(ft.vmap)(lambda: None)
    assert wrapper.__name__ == "vmap"
    gradient = ft.grad(outer)
    assert (gradient.__name__, gradient.__wrapped__.__wrapped__) == ("outer", outer)
    gradient.label = 1
    assert gradient.label == 1


@pytest.mark.parametrize(
    "transform",
    [
        ft.jit,
        ft.vmap,
        ft.grad,
        ft.jacfwd,
        ft.jacrev,
        ft.make_jaxpr,
        ft.checkpoint,
        lambda f: lambda x: ft.jvp(f, (x,), (x,)),
        lambda f: lambda x: ft.linearize(f, x),
        lambda f: lambda x: ft.jet(f, (x,), ((x,),)),
        lambda f: lambda x: ft.scan(lambda c, y: (f(y), None), 0.0, x),
        lambda f: lambda x: ft.while_loop(lambda c: True, lambda c: f(c), x),
        lambda f: lambda x: ft.cond(True, f, f, x),
        lambda f: ft.vmap(f, axis_name="i"),
        lambda f: ft.jit(ft.vmap(ft.grad(f), axis_name="i")),
    ],
)
def test_no_trace_stays_active_after_an_error(transform):
    stream = ft.new_stream(ft.cpu)
    traced = []

    def f(x):
        traced.append(x)
        with ft.stream(stream):
            fail(ft.sum(x))

    collecting, thresholds, lookups = gc.isenabled(), gc.get_threshold(), axis_lookups()
    with pytest.raises(LookupError, match="no"):
        transform(f)(ft.ones(2))
    assert innermost_abstract_trace() is None
    assert ft._native.current_stream() is None
    assert ft._native.user_source()[0].co_filename == __file__
    assert (gc.isenabled(), gc.get_threshold(), axis_lookups()) == (collecting, thresholds, lookups)
    with pytest.raises(NameError, match="no axis is here"):
        ft.psum(ft.ones(2), "i")
    if traced[-1]._trace is not None:
        assert not traced[-1]._trace.active
        with pytest.raises(ft.LeakedTracerError):
            traced[-1] + 1
    assert (ft.ones(2) + 1).tolist() == [2.0, 2.0]
