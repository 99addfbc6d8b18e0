"""debug.check and checkify: assertions that compose."""

import inspect

import numpy as np
import pytest

import ftrans as ft
from ftrans.debug import all_checks, check, div_checks, float_checks, index_checks, nan_checks, user_checks


def positive(x):
    check(x > 0, "{} is not positive", x)
    return ft.sqrt(x)


def line_of(function):
    return f"{__file__}:{inspect.getsourcelines(function)[1] + 1} ({function.__name__})"


WHERE = f"(checked at {line_of(positive)}"


def scanned(x):
    def step(c, y):
        check(y < 3, "slice {} after {}", y, c)
        check(y != 2, "two")
        return c + y, c

    return ft.scan(step, x, ft.array([0.0, 1.0, 2.0, 3.0, 4.0]))[0]


def while_body(x):
    def body(c):
        i, y = c
        check(y < 4, "{y} in iteration {i}", y=y, i=i)
        return i + 1, y * 2

    return ft.while_loop(lambda c: c[1] < 20, body, (0, x))[1]


def while_condition(x):
    def condition(y):
        check(y < 25, "condition of {}", y)
        return y < 20

    return ft.while_loop(condition, lambda y: y * 2, x)


def branch(x):
    return ft.cond(x > 0, lambda x: x, positive, x)


USER = {
    "plain": (positive, 4.0, -4.0, f"-4.0 is not positive {WHERE})"),
    "jit inside": (ft.jit(positive), 4.0, -4.0, f"-4.0 is not positive {WHERE})"),
    "grad inside": (ft.grad(positive), 4.0, -4.0, f"-4.0 is not positive {WHERE})"),
    "jvp inside": (lambda x: ft.jvp(positive, (x,), (x,))[1], 4.0, -4.0, "-4.0 is not positive"),
    "grad of jit inside": (ft.grad(ft.jit(positive)), 4.0, -4.0, "-4.0 is not positive"),
    "vmap inside": (
        ft.vmap(positive),
        [1.0, 2.0, 3.0],
        [1.0, -2.0, -3.0],
        f"-2.0 is not positive {WHERE} at mapped index 1)",
    ),
    "two vmaps inside": (
        ft.vmap(ft.vmap(positive)),
        [[1.0, 2.0], [3.0, 4.0]],
        [[1.0, 2.0], [3.0, -4.0]],
        f"-4.0 is not positive {WHERE} at mapped index 1, 1)",
    ),
    "checkpoint inside": (ft.grad(ft.checkpoint(positive)), 4.0, -4.0, "-4.0 is not positive"),
    "first of two": (lambda x: positive(x - 1) + positive(x), 2.0, -1.0, "-2.0 is not positive"),
    "second of two": (lambda x: positive(x) + positive(x - 1), 2.0, 0.5, "-0.5 is not positive"),
    "while body": (while_body, 30.0, 1.0, "4.0 in iteration 2"),
    "while condition": (while_condition, 3.0, 3.5, "condition of 28.0"),
    "while condition at once": (while_condition, 3.0, 30.0, "condition of 30.0"),
    "branch": (branch, 4.0, -4.0, "-4.0 is not positive"),
    "vmap of branch": (
        ft.vmap(branch), [1.0, 2.0], [1.0, -4.0], f"-4.0 is not positive {WHERE} at mapped index 1)"
    ),
    "vmap of while": (ft.vmap(while_body), [30.0, 20.0], [30.0, 2.0], "4.0 in iteration 1"),
    "scan of while": (
        lambda x: ft.scan(lambda c, y: (while_body(c + y), None), x, ft.zeros(2))[0], 40.0, 2.0,
        "4.0 in iteration 1",
    ),
    "grad of while": (ft.grad(while_body), 30.0, 1.0, "4.0 in iteration 2"),
    "associative": (lambda x: ft.map(positive, x), [1.0, 2.0], [1.0, -2.0], "-2.0 is not positive"),
}  # fmt: skip


@pytest.mark.parametrize("transform", [lambda f: f, ft.jit])
@pytest.mark.parametrize("name", USER)
def test_first_failure_in_program_order(name, transform):
    function, good, bad, message = USER[name]
    good, bad = ft.array(good), ft.array(bad)
    checked = transform(ft.checkify(function))
    error, out = checked(good)
    assert error.get() is None
    error.throw()
    ft.testing.assert_allclose(out, function(good))
    error, _ = checked(bad)
    assert message in error.get()
    with pytest.raises(ft.CheckError) as caught:
        error.throw()
    assert message in str(caught.value)


@pytest.mark.parametrize("name", USER)
def test_without_checkify_a_failure_raises_from_the_call(name):
    function, good, bad, _ = USER[name]
    for call in (function, ft.jit(function)):
        ft.eval(call(ft.array(good)))
        with pytest.raises(ft.CheckError):
            ft.eval(call(ft.array(bad)))


def test_scan_keeps_the_first_failure():
    error, out = ft.checkify(scanned)(1.0)
    assert error.get().startswith("two (checked at ")
    assert out.item() == 11.0

    def only_first(x):
        return ft.scan(lambda c, y: (check(y < 2, "slice {}", y), (c + y, c))[1], x, ft.arange(5.0))[0]

    assert ft.checkify(only_first)(1.0)[0].get().startswith("slice 2.0 ")
    assert ft.checkify(ft.grad(only_first))(1.0)[0].get().startswith("slice 2.0 ")


@pytest.mark.parametrize("transform", [lambda f: f, ft.jit])
def test_items_of_a_batch_have_errors_of_their_own(transform):
    error, out = transform(ft.vmap(ft.checkify(positive)))(ft.array([1.0, -2.0, 3.0, -4.0]))
    lines = error.get().splitlines()
    assert lines == [f"at mapped index {i}: -{x}.0 is not positive {WHERE})" for i, x in ((1, 2), (3, 4))]
    np.testing.assert_array_equal(np.isnan(np.asarray(out)), [False, True, False, True])
    error, _ = ft.vmap(ft.checkify(branch))(ft.array([1.0, -2.0, 3.0]))
    assert error.get().splitlines() == [f"at mapped index 1: -2.0 is not positive {WHERE})"]
    error, _ = ft.vmap(ft.checkify(while_body))(ft.array([30.0, 2.0]))
    assert error.get().startswith("at mapped index 1: 4.0 in iteration 1")


def test_derivatives_of_checked_functions():
    def loss(x):
        error, y = ft.checkify(positive)(x)
        return y, error

    gradient, error = ft.grad(loss, has_aux=True)(4.0)
    assert (gradient.item(), error.get()) == (0.25, None)
    gradient, error = ft.jit(ft.grad(loss, has_aux=True))(-4.0)
    assert error.get().startswith("-4.0 is not positive")


@pytest.mark.parametrize(
    ("function", "errors", "good", "bad", "message"),
    [
        (lambda x: ft.log(x), nan_checks, 1.0, -1.0, "NaN generated by log"),
        (lambda x: 1 / x, div_checks, 1.0, 0.0, "division by zero: div"),
        (lambda x: 7 // x, div_checks, 2, 0, "division by zero: floor_divide"),
        (lambda x: 7 % x, float_checks, 2, 0, "division by zero: remainder"),
        (lambda i: ft.arange(5.0)[i], index_checks, 4, 5, "out-of-bounds index 5 for axis 0 of size 5"),
        (lambda i: ft.arange(5.0)[i], index_checks, -5, -6, "out-of-bounds index -1 for axis 0 of size 5"),
        (lambda i: ft.ones((3, 4))[1, i], index_checks, [3, 0], [0, 4], "index 4 for axis 1 of size 4"),
        (lambda i: ft.ones((3, 4)).at[i].set(2.0), index_checks, 2, 3, "index 3 for axis 0 of size 3"),
        (lambda i: ft.take(ft.arange(3.0), i), all_checks, [2, 0], [2, 3], "index 3 for axis 0 of size 3"),
        (ft.grad(lambda x: ft.sqrt(x)), div_checks, 1.0, 0.0, "division by zero: div"),
        (ft.jit(lambda x: ft.sqrt(x) * 2), nan_checks, 1.0, -1.0, "NaN generated by sqrt"),
        (ft.vmap(lambda x: ft.log(x)), nan_checks, [1.0], [-1.0], "NaN generated by log"),
        (
            lambda x: ft.scan(lambda c, _: (ft.sqrt(c - 1), None), x, length=3)[0],
            nan_checks, 9.0, 3.0, "NaN generated by sqrt",
        ),
        (lambda x: ft.cond(x > 0, ft.log, lambda x: x, x), nan_checks, -1.0, np.nan, "NaN generated by"),
        (
            lambda x: ft.while_loop(lambda y: y > -2.0, lambda y: ft.log(y), x), nan_checks, -3.0, 0.5,
            "NaN generated by log",
        ),
        (lambda x: ft.where(x > 0, ft.log(x), 0.0), nan_checks, 1.0, -1.0, "NaN generated by log"),
    ],
)  # fmt: skip
def test_automatic_checks(function, errors, good, bad, message):
    checked = ft.checkify(function, errors=errors)
    error, out = checked(ft.array(good))
    assert error.get() is None
    ft.testing.assert_allclose(out, function(ft.array(good)))
    for call in (checked, ft.jit(checked)):
        error, _ = call(ft.array(bad))
        if message == "NaN generated by":
            continue
        assert message in error.get()
        assert f"(checked at {__file__}:" in error.get()
    assert ft.checkify(function, errors=user_checks)(ft.array(bad))[0].get() is None


def test_what_is_not_looked_for_stays():
    error, _ = ft.checkify(lambda x: ft.log(x), errors=div_checks)(-1.0)
    assert error.get() is None
    with pytest.raises(ft.CheckError, match="is not positive"):
        ft.checkify(positive, errors=nan_checks)(-1.0)


def test_custom_rules_are_kept():
    @ft.custom_jvp
    def f(x):
        return ft.sqrt(x)

    f.defjvp(lambda p, t: (f(*p), 100.0 * t[0]))
    assert ft.grad(lambda x: ft.checkify(f, errors=nan_checks)(x)[1])(4.0).item() == 100.0
    assert ft.checkify(f, errors=nan_checks)(-4.0)[0].get().startswith("NaN generated by sqrt")


def test_other_effects_happen_once(capsys):
    def f(x):
        ft.debug.print("x = {}", x)
        return positive(x)

    error, _ = ft.checkify(ft.jit(f))(-4.0)
    assert error.get()
    assert capsys.readouterr().out == "x = -4.0\n"


def test_messages_and_bad_arguments():
    assert (
        ft.checkify(lambda x: check(False, "{0} {name} {1:.2f}", "a", x, name=3))(1.0)[0]
        .get()
        .startswith("a 3 1.00 (checked at ")
    )
    check(ft.array(True), "fine")
    with pytest.raises(ft.CheckError, match="no 3"):
        check(False, "no {}", 3)
    with pytest.raises(TypeError, match=r"debug\.check: pred must be a boolean scalar, got bool\[2\]"):
        check(ft.array([True, False]), "no")
    with pytest.raises(TypeError, match=r"debug\.check: pred must be a boolean scalar, got "):
        check(ft.array(1), "no")
    with pytest.raises(ValueError, match=r"debug\.check: the format '{}' does not fit"):
        check(True, "{}")
    with pytest.raises(TypeError, match="checkify expects a function"):
        ft.checkify(3)
    with pytest.raises(TypeError, match="errors must be sets such as"):
        ft.checkify(positive, errors={"all"})
    assert repr(ft.checkify(positive)(1.0)[0]) == "Error(None)"
