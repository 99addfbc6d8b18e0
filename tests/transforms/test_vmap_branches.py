"""Python branches under vmap: what they give is what a loop over the items gives."""

import numpy as np
import pytest

import ftrans as ft

X = np.array([0.5, 2.0, -1.0, 3.0, -0.25])


def loop(f, *columns):
    """`f` of every item by itself; the leaves of the results, stacked."""
    rows = [f(*items) for items in zip(*columns, strict=True)]
    rows = [row if isinstance(row, tuple) else (row,) for row in rows]
    return [np.stack([np.asarray(ft.asarray(x)) for x in column]) for column in zip(*rows, strict=True)]


def same(found, expected):
    found = found if isinstance(found, tuple) else (found,)
    assert len(found) == len(expected)
    for x, y in zip(found, expected, strict=True):
        assert x.dtype == y.dtype
        # Equal up to rounding: a few operations on doubles of magnitude 1 to 100.
        np.testing.assert_allclose(np.asarray(x), y, rtol=1e-13, atol=1e-13)


def piecewise(x):
    y = x * 2.0
    if y > 3.0:
        return ft.sin(y) * x
    return x**3 if y > 0.0 else ft.exp(y)


def early_return(x):
    for k in range(1, 5):
        x = x * x + 0.5 * k
        if x > 4.0:
            return x, k
    return ft.cos(x), 0


def trip_counts(x):
    n = 0
    while x < 10.0:
        x = x * x + 1.0
        n += 1
    return x, n


def by_number(x):
    return x ** int(ft.abs(x)) + ft.floor(x).item()


FUNCTIONS = [piecewise, early_return, trip_counts, by_number]


def value(f):
    """The inexact result of a function, for derivatives."""

    def first(x):
        y = f(x)
        return y[0] if isinstance(y, tuple) else y

    return first


@pytest.mark.parametrize("f", FUNCTIONS)
def test_values(f):
    same(ft.vmap(f)(X), loop(f, X))
    same(ft.vmap(f)(X[::-1].copy()), loop(f, X[::-1]))
    same(ft.vmap(f)(X[:1]), loop(f, X[:1]))


@pytest.mark.parametrize("f", FUNCTIONS)
def test_derivatives_inside_and_outside(f):
    f = value(f)
    weights = np.linspace(0.5, 1.5, len(X))

    def total(x):
        return ft.sum(ft.vmap(f)(x) * weights)

    first, second = loop(ft.grad(f), X)[0], loop(ft.grad(ft.grad(f)), X)[0]
    same(ft.vmap(ft.grad(f))(X), [first])
    same(ft.vmap(ft.grad(ft.grad(f)))(X), [second])
    same(ft.grad(total)(X), [first * weights])
    same(ft.jvp(total, (X,), (weights,))[1], [np.sum(first * weights**2)])
    same(ft.hessian(total)(X), [np.diag(second * weights)])
    same(ft.grad(lambda x: ft.sum(ft.vmap(ft.grad(f))(x) * weights))(X), [second * weights])
    same(ft.vmap(lambda x: ft.jvp(f, (x,), (np.float64(2),))[1])(X), [2.0 * first])


def test_nested():
    grid = np.linspace(-2.0, 3.0, 6).reshape(2, 3)
    rows = np.stack([loop(piecewise, row)[0] for row in grid])
    slopes = np.stack([loop(ft.grad(piecewise), row)[0] for row in grid])
    same(ft.vmap(ft.vmap(piecewise))(grid), [rows])
    same(ft.vmap(ft.vmap(ft.grad(piecewise)), 1, 1)(grid), [slopes])
    same(ft.grad(lambda x: ft.sum(ft.vmap(ft.vmap(piecewise))(x)))(grid), [slopes])

    def outer(row):
        total = ft.sum(ft.vmap(piecewise)(row))
        return total if total > 2.0 else row[0]

    same(ft.vmap(outer)(grid), loop(outer, grid))


def test_axes_and_trees():
    pairs = np.stack([X, X**2 + 1.0])  # mapped over axis 1

    def f(p, shared, *, bias):
        if p["v"][0] > shared:
            return {"a": ft.outer(p["v"], p["v"]), "b": (bias, shared)}
        return {"a": -ft.outer(p["v"], p["v"]), "b": (p["v"][1], shared * 2.0)}

    out = ft.vmap(f, ({"v": 1}, None), {"a": 2, "b": (0, -1)})({"v": pairs}, 0.75, bias=X + 1.0)
    rows = [
        f({"v": ft.array(v)}, ft.array(0.75), bias=ft.array(b)) for v, b in zip(pairs.T, X + 1, strict=True)
    ]
    same(out["a"], [np.stack([np.asarray(r["a"]) for r in rows], 2)])
    same(out["b"], [np.stack([np.asarray(r["b"][i]) for r in rows]) for i in range(2)])
    with pytest.raises(ValueError, match="out_axes is None"):
        ft.vmap(lambda x: 1.0 if x > 0 else 2.0, out_axes=None)(X)
    assert float(ft.vmap(lambda x: 1.0 if x < 9 else 2.0, out_axes=None)(X)) == 1.0


def test_closed_over_arrays_are_differentiated():
    def total(w):
        return ft.sum(ft.vmap(lambda x: w * x if x > w else w**3)(X))

    expected = np.sum(np.where(X > 0.4, X, 3 * 0.4**2))
    same(ft.grad(total)(np.float64(0.4)), [expected])


def test_one_run_for_each_path():
    runs = []

    def f(x):
        runs.append("start")
        if x > 0.0:
            runs.append("positive")
        return x

    ft.vmap(f)(X)
    assert runs == ["start", "positive", "start"]
    runs.clear()
    ft.vmap(f)(np.abs(X))
    assert runs == ["start", "positive"]


def test_lanes_decide_by_their_own_values():
    # A function that asks other questions when it is run again is still given answers that are true.
    calls = []

    def f(x):
        calls.append(x)
        if len(calls) > 1:
            return ft.array(10.0) if x > 0.0 else ft.array(20.0)
        return ft.array(30.0) if x > 1.0 else ft.array(40.0)

    assert ft.vmap(f)(ft.array([2.0, 0.5, -1.0])).tolist() == [30, 10, 20]
    calls.clear()

    def g(x):
        calls.append(x)
        return x * 2.0 if len(calls) > 1 or x > 1.0 else x

    assert ft.vmap(g)(ft.array([2.0, 0.5, -1.0])).tolist() == [4, 1, -2]


def test_exceptions_are_those_of_the_first_item_that_raises():
    def f(x):
        if x > 2.5:
            raise KeyError("large")
        if x < 0.0:
            raise IndexError("negative")
        return x

    with pytest.raises(IndexError, match="negative"):
        ft.vmap(f)(X)
    with pytest.raises(KeyError, match="large"):
        ft.vmap(f)(X[[0, 3, 2]])
    same(ft.vmap(f)(np.abs(X[:2])), [X[:2]])


def test_effects_happen_once_for_each_item():
    seen = []

    def f(x):
        ft.debug.callback(lambda v: seen.append(float(v)), x)
        return x * 2.0 if x > 0.0 else x

    same(ft.vmap(f)(X), [np.where(X > 0, X * 2, X)])
    assert sorted(seen) == sorted(X)


def test_branches_on_callbacks():
    def pure(x):
        y = ft.pure_callback(lambda v: np.sin(v), x, x, vmap_method="sequential")
        return y if y > 0.5 else x

    same(ft.vmap(pure)(X), [np.where(np.sin(X) > 0.5, np.sin(X), X)])

    def effectful(x):
        y = ft.io_callback(lambda v: np.sin(v), x, x)
        return y if y > 0.5 else x

    with pytest.raises(ft.ConcretizationError, match="from the effect of io_callback"):
        ft.vmap(effectful)(X)


def test_numbers_and_truth():
    assert ft.vmap(lambda x: 1 if x else 2)(ft.array([0.0, np.nan, -0.0, 3.0])).tolist() == [2, 1, 2, 1]
    assert ft.vmap(lambda x: 1 if x else 2)(ft.array([0j, 1j])).tolist() == [2, 1]
    assert ft.vmap(lambda x: 1.0 if ft.isnan(x) else x)(X).dtype == ft.float64
    assert ft.vmap(lambda n: [7, 8, 9][n])(ft.array([2, 0, 2])).tolist() == [9, 7, 9]
    assert ft.vmap(lambda x: x * 2 if x.reshape(1, 1) > 0 else x)(ft.array([1, -1])).tolist() == [2, -1]
    for dtype in (np.float32, np.float64):
        same(ft.vmap(lambda x: x if x > 0 else 0.0)(X.astype(dtype)), [np.maximum(X, 0).astype(dtype)])
    small = ft.array([1, -1], dtype=ft.int8)
    assert ft.vmap(lambda x: x if x > 0 else 100)(small).tolist() == [1, 100]
    with pytest.raises(OverflowError, match="vmap"):
        ft.vmap(lambda x: x if x > 0 else 300)(small)
    mixed = ft.vmap(lambda x: 1 if x > 0 else 1.5)(X)
    assert mixed.tolist() == [1, 1, 1.5, 1, 1.5]


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (lambda x: x if x > 0 else (x, x), "one path returns .* another"),
        (lambda x: x if x > 0 else x[None], r"output 0 is .*\[\].*on one path, .*\[1\].*on another"),
        (lambda x: x if x > 0 else ft.array(1.0, dtype=ft.float32), "f64.*f32"),
        (lambda x: ft.array(1, dtype=ft.int32) if x > 0 else 0.5, "on another"),
    ],
)
def test_paths_that_do_not_agree(f, message):
    with pytest.raises(TypeError, match=message) as info:
        ft.vmap(f)(X)
    assert "The paths part at" in str(info.value)
    assert "test_vmap_branches.py" in str(info.value)


def test_too_many_paths():
    many = np.arange(70.0)
    with pytest.raises(RuntimeError, match=r"float\(\) at .*test_vmap_branches.py.* more than 64 paths"):
        ft.vmap(lambda x: float(x) * x)(many)
    with ft.max_vmap_paths(70):
        same(ft.vmap(lambda x: float(x) * x)(many), [many**2])
        with ft.max_vmap_paths(1), pytest.raises(RuntimeError, match="more than 1 paths"):
            ft.vmap(piecewise)(X)
    for wrong, error in [(0, ValueError), (True, TypeError), (2.0, TypeError)]:
        with pytest.raises(error, match="max_vmap_paths: count"):
            ft.max_vmap_paths(wrong)


def test_empty_batches():
    empty = np.zeros(0)
    assert ft.vmap(lambda x, y: x if y > 0 else -x, (0, None))(empty, 1.0).shape == (0,)
    with pytest.raises(ft.ConcretizationError, match="the batch is empty"):
        ft.vmap(piecewise)(empty)


def test_named_axes():
    def centred(x):
        mean = ft.pmean(x, "i")
        return x - mean if mean > 0.0 else x

    same(ft.vmap(centred, axis_name="i")(X), [X - X.mean()])
    same(ft.vmap(centred, axis_name="i")(-X), [-X])
    with pytest.raises(ft.ConcretizationError, match="named axis, 'i'"):
        ft.vmap(lambda x: ft.psum(x, "i") if x > 0.0 else x, axis_name="i")(X)


@pytest.mark.parametrize("transform", [ft.jit, ft.make_jaxpr])
@pytest.mark.parametrize(
    ("inner", "x"),
    [
        (ft.vmap, X),
        (lambda f: ft.vmap(ft.vmap(f)), X[None]),
        (lambda f: ft.vmap(ft.grad(f)), X),
        (lambda f: ft.grad(lambda x: ft.sum(ft.vmap(f)(x))), X),
    ],
)
def test_without_values(transform, inner, x):
    with pytest.raises(ft.ConcretizationError, match=r"nothing has a value.*ft\.where.*ft\.cond"):
        transform(inner(piecewise))(x)


def test_values_of_whole_arrays_stay_unknown():
    with pytest.raises(ft.ConcretizationError, match="vmap traces"):
        ft.vmap(lambda row: np.asarray(row))(np.ones((2, 3)))


def test_a_leaked_array_has_no_value():
    leaked = []
    ft.vmap(lambda x: leaked.append(x) or x)(X)
    with pytest.raises(ft.LeakedTracerError):
        bool(leaked[0])


def test_inside_of_loops_and_other_traces():
    def f(x):
        # The body of the scan is traced by itself, and decides by an array that it closes over.
        return ft.scan(lambda c, _: ((c * 2.0 if x > 0.0 else c), None), x, None, length=3)[0]

    same(ft.vmap(f)(X), [np.where(X > 0, X * 8, X)])
    with pytest.raises(ft.ConcretizationError, match="jit traces"):
        ft.vmap(ft.jit(piecewise))(X)
