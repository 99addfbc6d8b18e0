"""Effects inside of loops and branches happen once an iteration, in order, under every transformation."""

import pytest

import ftrans as ft


def _recording():
    seen = []

    def step(i, x):
        ft.debug.callback(lambda i, x: seen.append((int(i), float(x))), i, x)
        return x * 2.0

    return seen, lambda x: ft.fori_loop(0, 3, step, x)


@pytest.mark.parametrize(
    "transform",
    [
        lambda f: f,
        ft.jit,
        ft.grad,
        lambda f: ft.jit(ft.grad(f)),
        lambda f: ft.grad(ft.jit(f)),
        lambda f: lambda x: ft.jvp(f, (x,), (1.0,)),
    ],
    ids=["eager", "jit", "grad", "jit-grad", "grad-jit", "jvp"],
)
def test_once_an_iteration(transform):
    seen, f = _recording()
    ft.eval(transform(f)(1.0))
    assert seen == [(0, 1.0), (1, 2.0), (2, 4.0)]


def test_lanes():
    seen, f = _recording()
    ft.eval(ft.vmap(f)(ft.array([1.0, 10.0])))
    assert sorted(seen) == [(i, x * 2.0**i) for i in range(3) for x in (1.0, 10.0)]


def test_before_and_after_a_loop():
    seen, f = _recording()

    @ft.jit
    def g(x):
        ft.debug.callback(lambda: seen.append("before"))
        f(x)
        ft.debug.callback(lambda: seen.append("after"))
        return x

    ft.eval(g(1.0))
    assert seen == ["before", (0, 1.0), (1, 2.0), (2, 4.0), "after"]


def test_only_the_branch_that_is_taken():
    seen = []

    def branch(name):
        def f(x):
            ft.debug.callback(lambda: seen.append(name))
            return x

        return f

    for predicate, name in ((True, "yes"), (False, "no")):
        ft.eval(ft.jit(lambda p, x: ft.cond(p, branch("yes"), branch("no"), x))(predicate, 1.0))
        assert seen.pop() == name
        assert not seen


def test_what_does_not_change_is_not_hoisted():
    seen = []

    def step(i, x):
        ft.debug.callback(lambda y: seen.append(float(y)), ft.sin(1.0) * 0.0 + 2.0)
        return x + 1.0

    ft.eval(ft.jit(lambda x: ft.fori_loop(0, 2, step, x))(0.0))
    assert seen == [2.0, 2.0]
