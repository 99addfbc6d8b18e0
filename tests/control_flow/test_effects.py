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


def test_effects_of_a_condition_happen_for_each_evaluation(capsys):
    def f(x):
        def condition(y):
            ft.debug.print("{}", y)
            return y < 4

        return ft.while_loop(condition, lambda y: y * 2, x)

    for call in (f, ft.jit(f)):
        assert call(ft.array(1.0)).item() == 4.0
        assert capsys.readouterr().out.split() == ["1.0", "2.0", "4.0"]
    assert ft.vmap(f)(ft.array([1.0, 5.0])).tolist() == [4.0, 5.0]


def test_reverse_mode_of_a_while_loop_has_its_effects_once(capsys):
    def f(x):
        def body(c):
            ft.debug.print("{}", c[0])
            return c[0] + 1, ft.jit(lambda y: (ft.debug.print("inner {}", y), y * 2)[1])(c[1])

        return ft.while_loop(lambda c: c[0] < 2, body, (0, x))[1]

    for call in (ft.grad(f), ft.jit(ft.grad(f))):
        assert call(1.0).item() == 4.0
        assert capsys.readouterr().out.splitlines() == ["0", "inner 1.0", "1", "inner 2.0"]


def _noting():
    """What was seen, and the identity, which notes its argument."""
    seen = []

    def note(x):
        result = ft.ShapeDtypeStruct(x.shape, x.dtype)
        ft.io_callback(lambda v: (seen.append(float(v)), v)[1], result, ft.stop_gradient(x))
        return x

    return seen, note


TRANSFORMS = pytest.mark.parametrize(
    "transform",
    [ft.vmap, lambda f: ft.jit(ft.vmap(f)), lambda f: ft.vmap(ft.grad(f)), lambda f: ft.jacrev(ft.vmap(f))],
    ids=["vmap", "jit-vmap", "vmap-grad", "jacrev-vmap"],
)


@TRANSFORMS
def test_each_lane_has_the_effects_of_its_own_branch(transform):
    seen, note = _noting()
    ft.eval(transform(lambda x: ft.cond(x > 0, note, lambda x: -x, x))(ft.array([1.0, -1.0, 2.0])))
    assert seen == [1.0, 2.0]


@TRANSFORMS
def test_a_lane_that_is_done_has_no_more_effects(transform):
    seen, note = _noting()
    looped = transform(lambda x: ft.while_loop(lambda c: c < 5, lambda c: note(c) * 2, x))
    ft.eval(looped(ft.array([1.0, 3.0, 7.0])))
    assert seen == [1.0, 2.0, 4.0, 3.0]


def test_branches_with_effects_in_batches_of_batches():
    seen, note = _noting()

    def chosen(i, x):
        return ft.switch(i, [note, lambda x: 2 * x, lambda x: note(100 * x)], x)

    out = ft.vmap(ft.vmap(chosen, (0, None)), (None, 0))(ft.array([0, 1, 7]), ft.array([1.0, 2.0]))
    assert out.tolist() == [[1, 2, 100], [2, 4, 200]]
    assert sorted(seen) == [1, 2, 100, 200]
