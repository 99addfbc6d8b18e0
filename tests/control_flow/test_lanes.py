"""Branches and loops of a batch that run for their own lanes alone."""

import numpy as np
import pytest

import ftrans as ft
from ftrans.control_flow import _lanes

RTOL = 1e-12


@pytest.fixture
def always(monkeypatch):
    """Compaction even where it does not pay."""
    for name in ("_LEAST_CHUNK", "_LEAST_TURN", "_MOVE_ENTRY", "_MOVE_ELEMENT"):
        monkeypatch.setattr(_lanes, name, 1e-9)


def _rows(f, *args):
    """The results of `f` row by row, stacked."""
    rows = [f(*row) for row in zip(*(np.asarray(a) for a in args), strict=True)]
    return np.stack([np.asarray(row) for row in rows])


WEIGHT = np.random.default_rng(1).standard_normal((2, 2)) * 0.5


def _branched(x, taken):
    """A branch with a weight of all lanes, one that keeps its operand."""
    return ft.cond(taken, lambda x: ft.tanh(ft.matmul(ft.array(WEIGHT), x)) * x, lambda x: x, x)


def _switched(x, index):
    branches = [lambda x: ft.sin(x) * x[0], lambda x: x * 2.0, lambda x: ft.exp(-x) + ft.sum(x)]
    return ft.switch(index, branches, x)


def _looped(x, trips):
    def body(state):
        i, x = state
        return i + 1, ft.sin(ft.matmul(ft.array(WEIGHT), x)) + x * x[0]

    return ft.while_loop(lambda s: s[0] < trips, body, (0, x))[1]


SIZE = 11
X = np.random.default_rng(0).uniform(0.2, 0.9, (SIZE, 2))
MASKS = {
    "none": np.zeros(SIZE, bool),
    "all": np.ones(SIZE, bool),
    "one": np.arange(SIZE) == 7,
    "some": np.arange(SIZE) % 3 == 1,
}
TRIPS = {
    "none": np.zeros(SIZE, np.int32),
    "equal": np.full(SIZE, 2, np.int32),
    "one": np.where(np.arange(SIZE) == 4, 5, 1).astype(np.int32),
    "different": np.array([3, 0, 1, 4, 2, 6, 0, 1, 2, 1, 5], np.int32),
}
CASES = [
    *((_branched, mask) for mask in MASKS.values()),
    (_switched, np.arange(-2, SIZE - 2, dtype=np.int32) % 5 - 1),
    *((_looped, trips) for trips in TRIPS.values()),
]


@pytest.mark.parametrize(("f", "choice"), CASES)
def test_values_and_derivatives_are_those_of_the_rows(always, f, choice):
    def loss(x, c):
        return ft.sum(f(x, c) ** 2)

    gradients = _rows(ft.grad(loss), X, choice)
    np.testing.assert_allclose(ft.vmap(f)(X, choice), _rows(f, X, choice), rtol=RTOL)
    np.testing.assert_allclose(ft.jit(ft.vmap(f))(X, choice), _rows(f, X, choice), rtol=RTOL)
    np.testing.assert_allclose(ft.vmap(ft.grad(loss))(X, choice), gradients, rtol=RTOL)
    total = ft.jit(ft.grad(lambda x: ft.sum(ft.vmap(loss)(x, ft.array(choice)))))
    np.testing.assert_allclose(total(X), gradients, rtol=RTOL)
    tangent = ft.jvp(lambda x: ft.vmap(f)(x, ft.array(choice)), (X,), (np.cos(X),))[1]
    expected = _rows(lambda x, c, t: ft.jvp(lambda x: f(x, c), (x,), (t,))[1], X, choice, np.cos(X))
    np.testing.assert_allclose(tangent, expected, rtol=RTOL)


@pytest.mark.parametrize(("f", "choice"), [CASES[3], CASES[4], CASES[8]])
def test_second_derivatives_and_batches_of_batches(always, f, choice):
    def loss(x, c):
        return ft.sum(f(x, c) ** 2)

    def hessian(x, c):
        return ft.hessian(loss)(x, c)

    x, c = X[:6], choice[:6]
    np.testing.assert_allclose(ft.vmap(hessian)(x, c), _rows(hessian, x, c), rtol=1e-10)
    pairs, choices = x.reshape(2, 3, 2), c.reshape(2, 3)
    values = ft.jit(ft.vmap(ft.vmap(f)))(pairs, choices)
    np.testing.assert_allclose(values, _rows(f, x, c).reshape(2, 3, 2), rtol=RTOL)
    gradients = ft.vmap(ft.vmap(ft.grad(loss)))(pairs, choices)
    np.testing.assert_allclose(gradients, _rows(ft.grad(loss), x, c).reshape(2, 3, 2), rtol=RTOL)


def test_the_gradient_of_what_lanes_share(always):
    def loss(weight, mask, trips, run):
        def lane(x, taken, trips):
            x = ft.cond(taken, lambda x: ft.tanh(ft.matmul(weight, x)), lambda x: x, x)
            return ft.sum(
                ft.while_loop(
                    lambda s: s[0] < trips, lambda s: (s[0] + 1, ft.sin(ft.matmul(weight, s[1]))), (0, x)
                )[1]
            )

        return ft.sum(run(lane)(X, mask, trips))

    def rows(lane):
        return lambda *args: ft.stack([lane(*row) for row in zip(*args, strict=True)])

    arguments = WEIGHT, MASKS["some"], TRIPS["different"]
    gradient = ft.grad(lambda w, m, t: loss(w, m, t, ft.vmap))(*arguments)
    np.testing.assert_allclose(gradient, ft.grad(lambda w, m, t: loss(w, m, t, rows))(*arguments), rtol=RTOL)


def test_only_the_lanes_that_take_a_branch_run_it(always):
    seen = []

    def observed(x):
        def look(x):
            seen.append(np.array(x).reshape(-1))
            return x

        return ft.pure_callback(look, ft.ShapeDtypeStruct((), ft.float64), x, vmap_method="expand_dims")

    x = np.arange(40.0)
    f = ft.vmap(lambda x: ft.cond(x % 20.0 == 3.0, observed, lambda x: -x, x))
    np.testing.assert_array_equal(f(x), np.where(x % 20 == 3, x, -x))
    assert set(np.concatenate(seen)) == {3.0, 23.0}

    seen.clear()

    def lane(t):
        return ft.while_loop(lambda s: s[0] < t, lambda s: (s[0] + 1.0, observed(s[1])), (0.0, t))

    trips = np.where(x == 5.0, 50.0, 1.0)
    np.testing.assert_array_equal(ft.vmap(lane)(trips)[0], trips)
    assert sum(s.size for s in seen) <= 40 + 50 * 3


@pytest.mark.parametrize("jit", [False, True])
def test_what_is_not_a_number_stays_in_its_lane(always, jit):
    transform = ft.jit if jit else lambda f: f
    x = np.array([0.0, 4.0, -1.0, 9.0, np.nan, 16.0, 0.0, 25.0])

    def root(x):
        return ft.cond(x > 0.0, lambda x: ft.sqrt(x), lambda x: ft.where(ft.isnan(x), 0.0, x), x)

    gradient = transform(ft.grad(lambda x: ft.sum(ft.vmap(root)(x))))(x)
    expected = np.where(x > 0, 0.5 / np.sqrt(np.abs(x) + (x == 0)), np.where(np.isnan(x), 0, 1))
    np.testing.assert_allclose(gradient, expected, rtol=RTOL)

    def halved(x):  # at 0 another turn would divide by zero
        return ft.while_loop(lambda v: v > 1.0, lambda v: v - 1.0 / (v - 1.0), x)

    starts = np.array([1.0, 3.0, 1.0, 2.5, 0.5, 1.0, 7.0, 1.0])
    with np.errstate(all="ignore"):
        expected = _rows(ft.grad(halved), starts)
    assert np.isfinite(expected).all()
    np.testing.assert_allclose(transform(ft.vmap(ft.grad(halved)))(starts), expected, rtol=RTOL)


def test_collectives_see_all_lanes(always):
    def shared(x):
        return ft.cond(x > 5.0, lambda x: ft.psum(x, "lanes") + x, lambda x: x, x)

    x = np.arange(8.0)
    np.testing.assert_array_equal(ft.vmap(shared, axis_name="lanes")(x), np.where(x > 5, 28 + x, x))


def test_what_is_cheap_runs_for_all_lanes():
    def primitives(f, *args):
        return {e.primitive.name for e in ft.make_jaxpr(ft.vmap(f))(*args).jaxpr.equations}

    def dear(v):
        return ft.fori_loop(0, 100, lambda _, v: ft.tanh(ft.matmul(v, v)), v)

    matrices, numbers = np.ones((64, 16, 16)), np.ones(64)
    assert "scan" in primitives(lambda v: ft.cond(v[0, 0] > 0, dear, lambda v: v, v), matrices)
    assert "scan" not in primitives(lambda v: ft.cond(v > 0, ft.sin, ft.cos, v), numbers)

    def step(v):
        return ft.while_loop(lambda v: ft.sum(v) > 0, lambda v: ft.tanh(ft.matmul(v, v)), v)

    assert "gather" in primitives(step, matrices)
    assert "gather" not in primitives(lambda v: ft.while_loop(lambda v: v > 0, lambda v: v - 1.0, v), numbers)
