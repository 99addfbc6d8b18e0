"""Derivatives and batches of loops and branches, composed: against JAX, differences, and the Python loop."""

import numpy as np
import pytest

import ftrans as ft

#: Of second derivatives in float64, against another order of the same operations.
RTOL = 1e-9


def _clamped(library, cond):
    """A branch for each element-like step of a scan: a different one on each side of a threshold."""

    def step(c, x):
        c = cond(c > 0.4, lambda c: library.sin(c) * x, lambda c: c * c + x, c)
        return c, c * x

    return step


def scan_of_cond(library, lax, w, x):
    carry, ys = lax.scan(_clamped(library, lax.cond), w[0], x)
    return carry * w[1] + library.sum(ys)


def scan_of_arrays(library, lax, w, x):
    def step(state, x):
        h, c = state
        c = library.tanh(w * x + h) * c + library.sum(h)
        return (library.sin(c), c), (h * 2.0, library.sum(c))

    (h, _), (hs, sums) = lax.scan(step, (w, w * 0.5), x, reverse=True)
    return library.sum(h) + library.sum(hs) * 0.1 + library.sum(sums * x)


def while_of_growth(library, lax, w, x):
    def body(state):
        v, n = state
        return v * w[1] + library.sin(v) * x[0], n + 1

    v, n = lax.while_loop(lambda s: library.abs(s[0]) < 5.0, body, (w[0], 0))
    return v * v + x[1] * n


def scan_of_while(library, lax, w, x):
    def step(c, x):
        v = lax.while_loop(
            lambda v: v < 3.0, lambda v: v * 1.5 + library.square(library.sin(c * v)), c * c + 0.3
        )
        return library.sin(v) * x, v

    c, vs = lax.scan(step, w[0], x)
    return c + library.sum(vs * vs) * w[1]


def while_of_scan(library, lax, w, x):
    def body(v):
        return lax.scan(lambda c, x: (c * w[1] + x * x, None), v, x)[0]

    return lax.while_loop(lambda v: v < 30.0, body, w[0])


def switch_of_loops(library, lax, w, x):
    branches = [
        lambda v: lax.fori_loop(0, 3, lambda i, v: v * library.cos(v) + i, v),
        lambda v: lax.while_loop(lambda v: v < 2.0, lambda v: v * w[1] + 0.1, v * v),
        lambda v: lax.scan(lambda c, x: (library.sin(c) + x, c), v, x)[0],
    ]
    return sum(lax.switch(i, branches, w[0] + 0.1 * i) for i in range(3))


FUNCTIONS = [scan_of_cond, scan_of_arrays, while_of_growth, scan_of_while, while_of_scan, switch_of_loops]
W = np.array([[0.7, 1.3], [0.3, 1.6], [0.45, 1.9], [0.9, 1.2]])
X = np.array([0.6, -0.4, 0.8, 0.5])


def of(function, x=X):
    """The function of w with ftrans; two entries of `x` are enough where it is added to w."""
    x = x[:2] if function is scan_of_arrays else x
    return lambda w: function(ft, ft, w, ft.array(x))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_values_and_gradients_are_those_of_jax(function):
    jax = pytest.importorskip("jax")
    lax = jax.lax
    x = X[:2] if function is scan_of_arrays else X
    previous = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    try:

        def reference(w):
            return function(jax.numpy, lax, w, jax.numpy.asarray(x))

        # Loops that grow amplify the last digit of each sine.
        first = jax.jit(jax.jacfwd(reference))(W[0])
        np.testing.assert_allclose(of(function)(ft.array(W[0])), reference(W[0]), rtol=1e-10)
        np.testing.assert_allclose(ft.jacfwd(of(function))(W[0]), first, rtol=RTOL)
        np.testing.assert_allclose(ft.grad(of(function))(W[0]), first, rtol=RTOL)
    finally:
        jax.config.update("jax_enable_x64", previous)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_gradients_are_difference_quotients(function):
    f, w, h = of(function), W[0], 1e-6
    for direction in np.eye(2):
        quotient = (float(f(ft.array(w + h * direction))) - float(f(ft.array(w - h * direction)))) / (2 * h)
        assert float(ft.grad(f)(w) @ direction) == pytest.approx(quotient, rel=1e-6)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_second_derivatives_agree_in_all_modes(function):
    f, w = of(function), ft.array(W[0])
    expected = np.asarray(ft.jacfwd(ft.jacfwd(f))(w))
    for name, second in {
        "jacrev of grad": ft.jacrev(ft.grad(f)),
        "jacfwd of grad": ft.jacfwd(ft.grad(f)),
        "jacrev of jacfwd": ft.jacrev(ft.jacfwd(f)),
        "jit of jacrev of grad": ft.jit(ft.jacrev(ft.grad(f))),
        "grad of jit of grad": ft.jacrev(ft.jit(ft.grad(ft.jit(f)))),
    }.items():
        np.testing.assert_allclose(second(w), expected, rtol=RTOL, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_third_derivatives_agree(function):
    f, w = of(function), ft.array(W[0])
    expected = ft.jacfwd(ft.jacfwd(ft.jacfwd(f)))(w)
    np.testing.assert_allclose(ft.jacrev(ft.jacrev(ft.grad(f)))(w), expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_batches_are_loops_over_items(function):
    # The items of the batch take other branches, and other numbers of steps.
    f = of(function)
    for name, g in {"value": f, "grad": ft.grad(f), "hessian": ft.jacrev(ft.grad(f))}.items():
        expected = np.stack([np.asarray(g(w)) for w in W])
        np.testing.assert_allclose(ft.vmap(g)(W), expected, rtol=RTOL, atol=1e-12, err_msg=f"vmap of {name}")
        np.testing.assert_allclose(
            ft.jit(ft.vmap(g, in_axes=1, out_axes=-1))(W.T),
            np.moveaxis(expected, 0, -1), rtol=RTOL, atol=1e-12, err_msg=f"jit of vmap of {name}",
        )  # fmt: skip
    total = ft.grad(lambda W: ft.sum(ft.vmap(f)(W)))(W)
    np.testing.assert_allclose(total, np.stack([np.asarray(ft.grad(f)(w)) for w in W]), rtol=RTOL)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_batches_of_slices_and_of_batches(function):
    x = X[:2] if function is scan_of_arrays else X
    xs = np.stack([x, x * 0.9, x * 1.1])

    def f(w, x):
        return function(ft, ft, w, x)

    g = ft.grad(f, argnums=(0, 1))
    expected = [[g(w, x) for x in xs] for w in W]
    nested = ft.vmap(ft.vmap(g, in_axes=(None, 0)), in_axes=(0, None))(W, xs)
    for k in range(2):
        stacked = np.stack([np.stack([np.asarray(e[k]) for e in row]) for row in expected])
        np.testing.assert_allclose(nested[k], stacked, rtol=RTOL, atol=1e-12)


def test_branches_not_taken_leak_nothing():
    def f(x):
        return ft.cond(x > 0, lambda x: ft.sqrt(x) * ft.log(x), lambda x: x * x, x)

    x = np.array([-1.0, 0.0, 4.0])
    expected = np.array([-2.0, 0.0, np.log(4) / 4 + 0.5])
    np.testing.assert_allclose(ft.vmap(ft.grad(f))(x), expected)
    np.testing.assert_allclose(ft.grad(lambda x: ft.sum(ft.vmap(f)(x)))(x), expected)
    np.testing.assert_allclose(ft.vmap(ft.grad(ft.grad(f)))(x)[:2], [2.0, 2.0])


def test_items_that_are_done_leak_nothing():
    # Once past 1 the step would divide zero by zero.
    def f(x):
        return ft.while_loop(lambda v: v < 1.0, lambda v: v + x * ft.sqrt(ft.maximum(1.0 - v, 0.0)), x)

    x = np.array([1.0, 0.5, 0.25])
    expected = np.stack([np.asarray(ft.grad(f)(v)) for v in x])
    assert np.all(np.isfinite(expected))
    np.testing.assert_allclose(ft.vmap(ft.grad(f))(x), expected)
    np.testing.assert_allclose(ft.grad(lambda x: ft.sum(ft.vmap(f)(x)))(x), expected)


def test_gradient_by_the_number_of_steps_is_refused_or_zero():
    with pytest.raises(TypeError, match="real or complex"):
        ft.grad(lambda n: ft.fori_loop(ft.array(0), n, lambda i, v: v * 2.0, 1.0))(ft.array(3))


def test_linearize_and_vjp_of_loops_may_be_used_again():
    f = of(while_of_growth)
    _, pullback = ft.vjp(f, W[0])
    _, pushforward = ft.linearize(f, W[0])
    once, twice = pullback(np.float64(1)), pullback(np.float64(2))
    np.testing.assert_allclose(2 * np.asarray(once[0]), twice[0])
    np.testing.assert_allclose([float(pushforward(e)) for e in np.eye(2)], once[0], rtol=RTOL)


def test_reverse_scan_stores_no_constants():
    # The sine of a constant is computed once, and no step keeps a copy of it.
    w = np.ones((100, 100))
    f = ft.grad(
        lambda w, x: ft.sum(
            ft.scan(
                lambda c, x: (ft.tanh(ft.matmul(ft.sin(w), c)) * x, None),
                x[:, 0],
                ft.ones(50, dtype=ft.float64),
            )[0]
        )
    )
    ft.eval(f(w, w))
    ft.clear_cache()
    ft.reset_peak_memory()
    before = ft.get_active_memory()
    ft.eval(f(w, w))
    assert ft.get_peak_memory() - before < 8 * w.nbytes


def _recurrence(scan):
    def f(w, b, xs):
        h, hs = scan(
            lambda h, x: (ft.tanh(ft.matmul(x, w) + ft.matmul(h, w * w) + b),) * 2, ft.tanh(xs[0]), xs
        )
        return ft.sum(h) + ft.sum(hs * hs)

    return f


def _unrolled(step, carry, xs):
    ys = []
    for x in xs:
        carry, y = step(carry, x)
        ys.append(y)
    return carry, ft.stack(ys)


def test_gradients_of_weights_are_contracted_after_the_loop():
    random = np.random.default_rng(0)
    w, b, xs = random.standard_normal((5, 5)), random.standard_normal(5), random.standard_normal((4, 2, 5))
    gradient = ft.grad(_recurrence(ft.scan), argnums=(0, 1, 2))
    equations = ft.make_jaxpr(gradient)(w, b, xs).jaxpr.equations
    backward = [e for e in equations if e.primitive.name == "scan"][-1]
    assert w.shape not in [a.shape for a in backward.parameters["jaxpr"].out_avals]
    reference = ft.grad(_recurrence(_unrolled), argnums=(0, 1, 2))
    for mine, expected in zip(gradient(w, b, xs), reference(w, b, xs), strict=True):
        np.testing.assert_allclose(mine, expected, rtol=1e-10)
    second, expected = (ft.hessian(_recurrence(scan))(w, b, xs) for scan in (ft.scan, _unrolled))
    np.testing.assert_allclose(second, expected, rtol=1e-8, atol=1e-10)


def test_custom_rules_hold_inside_of_loops():
    @ft.custom_vjp
    def f(x):
        return x * x

    f.defvjp(lambda x: (x * x, None), lambda _, g: (g * 10.0,))
    assert float(ft.grad(lambda x: ft.scan(lambda c, _: (f(c), None), x, length=3)[0])(0.5)) == 1000.0
    assert float(ft.grad(lambda x: ft.while_loop(lambda c: c > 0.1, f, x))(0.5)) == 100.0
    assert float(ft.grad(lambda x: ft.cond(x > 0, f, lambda x: x, x))(0.5)) == 10.0


@pytest.mark.parametrize(
    "loop",
    [
        lambda f, x: ft.scan(lambda c, _: (f(c), None), x, None, length=1)[0],
        lambda f, x: ft.while_loop(lambda s: s[0] < 1, lambda s: (s[0] + 1, f(s[1])), (0, x))[1],
        lambda f, x: ft.cond(x < 1.0, f, f, x),
    ],
    ids=["scan", "while", "cond"],
)
def test_derivatives_that_are_not_nan_safe_are_others(loop):
    """What is derived from a body serves one setting only."""

    def safe_only(x):
        return ft.where(x > 0, ft.sqrt(x), 0.0)

    closed = ft.make_jaxpr(lambda x: loop(safe_only, x))(1.0)
    gradient = ft.grad(lambda x: ft.eval_jaxpr(closed.jaxpr, closed.consts, x)[0])
    for _ in range(2):
        assert float(gradient(0.0)) == 0.0
        with ft.nan_safe_derivatives(False):
            assert np.isnan(float(gradient(0.0)))
