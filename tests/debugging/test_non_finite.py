"""debug_nans and debug_infs: NaN and infinities are found where they arise."""

import inspect
import re
import threading

import numpy as np
import pytest

import ftrans as ft
from ftrans.core.primitive import is_observed
from ftrans.transforms.jit import Jitted


def logarithm(x):
    return ft.sum(ft.log(x))  # the line that errors name


X = np.array([1.0, -2.0, 3.0], np.float32)
LOG = (
    r"log gave NaN in 1 of 3 elements, at .*test_non_finite.py:\d+ \(logarithm\):\n"
    r"    b:f32\[.*3\] = log a\nwhere a is from -2 to 3"
)


@pytest.mark.parametrize(
    "transform",
    [
        lambda f: f,
        ft.jit,
        ft.grad,
        lambda f: ft.jit(ft.value_and_grad(f)),
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


def test_compiled_functions_are_dispatched_natively_and_looked_into_where_they_are_suspected(monkeypatch):
    python_calls = []
    call = Jitted.__call__
    monkeypatch.setattr(Jitted, "__call__", lambda self, *a: python_calls.append(a) or call(self, *a))
    function = ft.jit(lambda x: {"log": ft.log(x["x"]), "twice": (x["x"] * 2, 1.0)})
    good, zero, bad = ({"x": ft.array([1.0, x])} for x in (2.0, 0.0, -2.0))

    def called(x):
        python_calls.clear()
        result = function(x)
        assert result["twice"][0].tolist() == [2.0, 2.0 * x["x"][1].item()]
        return len(python_calls)

    with ft.debug_nans():
        called(good)
        assert called(good) == 0
        assert called(zero) == 0
        with pytest.raises(FloatingPointError, match="log gave NaN in 1 of 2"):
            called(bad)
        with ft.debug_infs():  # its program is another one
            called(good)
            assert called(good) == 0
            with pytest.raises(FloatingPointError, match="log gave inf in 1 of 2"):
                called(zero)
            with ft.debug_key_reuse():  # which has to see each call
                assert called(good) == 1
        assert called(zero) == 0
    called(bad)
    assert called(bad) == 0


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


def test_context_counts_for_its_thread():
    with ft.debug_nans():
        results = []
        thread = threading.Thread(target=lambda: results.extend([is_observed(), ft.array(0.0) / 0]))
        thread.start()
        thread.join()
        assert is_observed()
    assert results[0] is False
    assert np.isnan(results[1].item())
    assert not is_observed()


def square(x):
    ft.debug.print("x = {}", x)
    return x * x


def test_callbacks_inside_of_the_context(capsys):
    with ft.debug_nans():
        ft.jit(square)(2.0)
        ft.jit(lambda x: ft.fft.fft(x))(ft.array(X))
    assert capsys.readouterr().out == "x = 2.0\n"


def line_of(function):
    return inspect.getsourcelines(function)[1] + 1


def divided(carry, x):
    return carry / (x - 2), carry


def root(x):
    return ft.sqrt(x - 1)


SLICES = ft.array([1.0, 2.0, 3.0])
INSIDE = {
    "scan": (lambda: ft.scan(divided, 1.0, SLICES)[0], divided, "div gave inf.*where a is 0"),
    "jit of scan": (lambda: ft.jit(lambda x: ft.scan(divided, 1.0, x)[0])(SLICES), divided, "div gave inf"),
    "vmap of scan": (
        lambda: ft.jit(ft.vmap(lambda x: ft.scan(divided, x, SLICES)[0]))(SLICES),
        divided,
        r"div gave inf in 3 of 3.*where a is from -3 to -1",
    ),
    "scan of jit": (lambda: ft.scan(ft.jit(divided), 1.0, SLICES)[0], divided, "div gave inf"),
    "while": (
        lambda: ft.while_loop(lambda x: x > -9, lambda x: root(x) - 0.6, ft.array(2.0)),
        root,
        "sqrt gave NaN.*where a is -0.6",
    ),
    "cond": (lambda: ft.jit(lambda x: ft.cond(x < 0, root, ft.sin, x))(-1.0), root, "where a is -2"),
    "cond of scan of cond": (
        lambda: ft.cond(
            True, lambda x: ft.scan(lambda c, _: (ft.cond(c < 0, root, ft.sin, c - 1), None), x, length=3)[0],
            ft.cos, 0.5,
        ),
        root,
        "sqrt gave NaN",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", INSIDE)
def test_loops_and_branches_are_looked_into(name):
    call, function, message = INSIDE[name]
    ft.eval(call())
    with ft.debug_nans(), ft.debug_infs(), pytest.raises(FloatingPointError) as caught:
        call()
    text = str(caught.value).replace("\n", " ")
    assert f"{__file__}:{line_of(function)} ({function.__name__})" in text
    assert re.search(message, text), text
    ft.eval(call())


BACKWARD = {
    "eager": ft.grad(root),
    "compiled": ft.jit(ft.grad(root)),
    "vmap": lambda x: ft.jit(ft.vmap(ft.grad(root)))(x[None]),
    "gradient of compiled": ft.grad(ft.jit(root)),
    "scan": ft.grad(lambda x: ft.scan(lambda c, _: (root(c) + 1, None), x, length=2)[0]),
    "while": ft.jit(
        ft.grad(lambda x: ft.while_loop(lambda c: c[0] < 2, lambda c: (c[0] + 1, root(c[1]) + 1), (0, x))[1])
    ),
    "cond": ft.jit(ft.grad(lambda x: ft.cond(x > 0, root, ft.sin, x))),
    "checkpoint": ft.jit(ft.grad(ft.checkpoint(root))),
}


@pytest.mark.parametrize("name", BACKWARD)
def test_backward_pass_in_programs(name):
    with ft.debug_infs(), pytest.raises(FloatingPointError, match="in the backward pass") as caught:
        BACKWARD[name](ft.array(1.0))
    assert f"{__file__}:{line_of(root)} (root)" in str(caught.value)


def test_what_does_not_reach_the_results_is_found_outside_of_programs_only():
    def f(x):
        return ft.where(x > 0, ft.log(x), 0.0)

    with ft.debug_nans():
        assert ft.jit(f)(-1.0).item() == 0.0
        with pytest.raises(FloatingPointError, match="log gave NaN"):
            f(ft.array(-1.0))
        with ft.disable_jit(), pytest.raises(FloatingPointError, match="log gave NaN"):
            ft.jit(f)(ft.array(-1.0))


def test_nan_of_the_arguments_may_pass_through():
    x = ft.array([1.0, np.nan])
    with ft.debug_nans():
        assert np.isnan(ft.jit(lambda x: (x, 1))(x)[0].tolist()[1])
        with pytest.raises(FloatingPointError, match="where a is 1 with 1 NaN"):
            ft.jit(lambda x: x + 1)(x)


def test_compiled_function_is_traced_once_and_keeps_donated_arguments():
    f = ft.jit(lambda x: x / 2, donate_argnums=0)
    x = ft.ones(3)
    with ft.debug_nans():
        assert f(x).tolist() == [0.5] * 3
    assert f(ft.ones(3)).tolist() == [0.5] * 3
    assert f.trace_count == 1
    compiled = ft.jit(lambda x: 0 / x).lower(1.0).compile()
    with ft.debug_nans(), pytest.raises(FloatingPointError, match="div gave NaN"):
        compiled(0.0)


def outer_products(x, y):
    return ft.permute_dims(ft.vmap(lambda a, b: ft.tensordot(a, b, axes=0))(x, y), (0, 2, 1))


def matrix_product(x, y):
    return ft.matmul(ft.permute_dims(x, (1, 0)), y)


@pytest.mark.parametrize(("context", "kind"), [(ft.debug_nans, "NaN"), (ft.debug_infs, "inf")])
@pytest.mark.parametrize(
    ("product", "subscripts"), [(outer_products, "ij,ik->ikj"), (matrix_product, "ij,ik->jk")]
)
@pytest.mark.parametrize(
    "factors", [(np.inf, 0.0), (np.inf, 1.0), (1e30, 1e30), (np.nan, 1.0), (1e30, 1e-30), (2.0, 3.0)]
)
def test_large_products_are_known_by_their_factors(context, kind, product, subscripts, factors):
    # A compiled product that is larger than its operands is not looked at itself.
    left, right = np.ones((2, 2, 64), np.float32)
    left[1, 7], right[1, 9] = factors
    function = ft.jit(product)
    with np.errstate(all="ignore"):
        expected = np.einsum(subscripts, left, right)
    found = np.isnan(expected).any() if kind == "NaN" else np.isinf(expected).any()
    with context():
        if found:
            with pytest.raises(
                FloatingPointError, match=rf"(?s)(dot_general|transpose) gave {kind}.*\nwhere a is"
            ):
                function(left, right)
        else:
            np.testing.assert_allclose(np.asarray(function(left, right)), expected, rtol=1e-6)


def test_a_result_that_only_moves_numbers_is_looked_at_before_it_does():
    function = ft.jit(lambda x: ft.reshape(ft.permute_dims(ft.log(x), (1, 0)), (-1,)))
    with ft.debug_nans():
        assert function(ft.ones((2, 3))).shape == (6,)
        with pytest.raises(FloatingPointError, match="log gave NaN in 6 of 6 elements"):
            function(-ft.ones((2, 3)))
